/* verify_test.c: the checks themselves: that they find what they are for. Defective ops are handed to them:
 * each doubles its operand, but one writes beyond its result, one into its operand, one beside it reads, one
 * leaves an element out, one has a wrong gradient. A sum of products has a wrong element, a dropped term, a
 * swapped index, or is only rounded. */
#include "expect.h"

#include <math.h>

#include "base/alloc.h"
#include "graph/tape.h"
#include "ops/ops.h"
#include "verify/check.h"
#include "verify/fill.h"
#include "verify/spread.h"

/* ---- comparing ---- */

static void comparison_finds_the_worst_element(void **state) {
    (void)state;
    const float want[6] = {1, 0, 0, -8, 2, 3}, got[6] = {1, 0, 0, -8.5f, 2.25f, 3};
    const quartic_shape shape = QUARTIC_SHAPE(2, 3);
    quartic_comparison comparison;
    quartic_compare(got, want, 6, 0.5, &comparison);
    assert_int_equal(comparison.worst, 3);
    assert_true(comparison.error == 0.5 && comparison.largest == 8.0);
    assert_true(comparison.zeros == 2.0 / 6.0);
    assert_true(fabs(comparison.nmse - (0.25 + 0.0625) / 78.0) < 1e-12);
    assert_true(quartic_comparison_holds(&comparison));
    char text[QUARTIC_COMPARISON_TEXT];
    assert_non_null(
        strstr(quartic_comparison_text(&comparison, &shape, text), "element (1, 0): got -8.5, want -8"));
    quartic_compare(got, want, 6, 0.49, &comparison);
    assert_false(quartic_comparison_holds(&comparison));
}

static void comparison_never_accepts_nan(void **state) {
    (void)state;
    const float numbers[2] = {1, NAN}, finite[2] = {1, 2};
    quartic_comparison comparison;
    quartic_compare(numbers, finite, 2, 1e30, &comparison);
    assert_false(quartic_comparison_holds(&comparison));
    quartic_compare(finite, numbers, 2, 1e30, &comparison);
    assert_false(quartic_comparison_holds(&comparison));
    quartic_compare(numbers, numbers, 2, (double)INFINITY, &comparison);
    assert_false(quartic_comparison_holds(&comparison));
    assert_true(isinf(quartic_largest(numbers, 2)));
}

/* ---- operands ---- */

static void fills_are_what_they_say(void **state) {
    (void)state;
    enum { COUNT = 4096 };
    float numbers[COUNT];
    int32_t ints[COUNT];
    quartic_fill_operand(QUARTIC_FILL_NORMAL, QUARTIC_FLOAT32, 0, 1, 0, COUNT, 64, numbers);
    int outliers = 0;
    for (int i = 0; i < COUNT; ++i) outliers += fabsf(numbers[i]) == 10.0f;
    assert_true(outliers >= 30 && outliers <= 120);
    quartic_fill_operand(QUARTIC_FILL_SIGNED_INDEX, QUARTIC_INT32, 5, 1, 0, COUNT, 64, ints);
    int counts[6] = {0};
    for (int i = 0; i < COUNT; ++i) {
        assert_true(ints[i] + 1 >= 0 && ints[i] + 1 <= 5);
        ++counts[ints[i] + 1];
    }
    for (int k = 0; k < 6; ++k) assert_true(counts[k] >= 500 && counts[k] <= 900);
    quartic_fill_operand(QUARTIC_FILL_MASK, QUARTIC_INT32, 0, 1, 0, COUNT, 64, ints);
    int zeros = 0, empty_rows = 0;
    for (int row = 0; row < COUNT / 64; ++row) {
        int ones = 0;
        for (int i = 0; i < 64; ++i) ones += ints[64 * row + i];
        zeros += 64 - ones;
        empty_rows += ones == 0;
    }
    assert_true(zeros >= COUNT / 4 && zeros <= COUNT / 2);
    assert_true(empty_rows >= 1 && empty_rows <= 20);
}

static void placements_surround_the_operand_with_poison(void **state) {
    (void)state;
    const quartic_shape shapes[] = {{0, {0}}, {1, {5}}, {3, {2, 1, 3}}};
    const quartic_placement placements[] = {QUARTIC_PLACE_OFFSET, QUARTIC_PLACE_STRIDED};
    for (int s = 0; s < 3; ++s) {
        for (int p = 0; p < 2; ++p) {
            quartic_placed placed;
            float numbers[6] = {1, 2, 3, 4, 5, 6}, base[256];
            bool possible = quartic_place(placements[p], QUARTIC_FLOAT32, &shapes[s], &placed);
            assert_int_equal(possible, !(p == 1 && s == 0));
            if (!possible) continue;
            uint64_t count = quartic_shape_elements(&shapes[s]), whole = quartic_shape_elements(&placed.base);
            assert_true(whole >= count + 2 && whole <= 256);
            quartic_place_write(&placed, numbers, base);
            uint64_t poison = 0;
            for (uint64_t i = 0; i < whole; ++i) poison += isnan(base[i]) ? 1 : 0;
            assert_int_equal(poison, whole - count);
            for (uint64_t i = 0; i < count; ++i)
                assert_true(base[quartic_layout_at(&placed.layout, i)] == numbers[i]);
        }
    }
}

/* ---- defective ops ---- */

typedef enum defect {
    SOUND,
    OVERRUN,
    WRITES_OPERAND,
    READS_BESIDE,
    LEAVES_OUT,
    WRONG_GRADIENT,
    NO_GRADIENT,
    WRONG_LATER /* from the third run on */
} defect;
static defect chosen;
static int runs;

static quartic_status twice_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static void twice_cpu(const quartic_op_run *run) {
    const quartic_operand *in = &run->inputs[0], *out = &run->outputs[0];
    int64_t count = (int64_t)quartic_layout_elements(out->layout);
    for (int64_t i = 0; i < count; ++i)
        if (chosen != LEAVES_OUT || i != 7)
            quartic_put(out, i,
                        2.0 *
                            quartic_get(in, quartic_layout_at(in->layout, (uint64_t)i) - in->layout->offset));
    if (chosen == WRONG_LATER && ++runs > 2) quartic_put(out, 5, 1.0 + quartic_get(out, 5));
    if (chosen == OVERRUN) quartic_put(out, count, 1.0);
    if (chosen == WRITES_OPERAND) quartic_put(in, 0, 3.0);
    int64_t behind = quartic_layout_at(in->layout, (uint64_t)count - 1) - in->layout->offset + 1;
    if (chosen == READS_BESIDE) quartic_put(out, 0, 2.0 * quartic_get(in, 0) + 0.0 * quartic_get(in, behind));
}

static quartic_status twice_grad(quartic_tape *tape) {
    if (chosen == NO_GRADIENT) return QUARTIC_OK;
    float factor = chosen == WRONG_GRADIENT ? 2.001f : 2.0f;
    quartic_tape_give(tape, 0,
                      quartic_scale(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), factor, 0.0f));
    return QUARTIC_OK;
}

static bool twice_cases(uint32_t index, quartic_op_case *out) {
    *out = (quartic_op_case){.label = "the case", .input_count = 1};
    out->inputs[0].dtype = QUARTIC_FLOAT32;
    out->inputs[0].shape = QUARTIC_SHAPE(3, 7);
    return index == 0;
}

static const quartic_op twice = {.name = "twice",
                                 .strided_inputs = 1,
                                 .infer = twice_infer,
                                 .cpu = twice_cpu,
                                 .grad = twice_grad,
                                 .cases = twice_cases,
                                 .tolerance = 1};

typedef struct findings {
    uint32_t failed;
    char text[1024]; /* of the first failure */
} findings;

static void verify_note(void *context, const quartic_check *check) {
    findings *findings = context;
    if (check->verdict == QUARTIC_PASSED) return;
    if (findings->failed++ == 0) snprintf(findings->text, sizeof findings->text, "%s", check->text);
}

static findings validate_with(defect defect) {
    chosen = defect;
    findings findings = {0};
    quartic_device *device;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    quartic_reporter reporter = {.callback = verify_note, .context = &findings};
    assert_int_equal(quartic_validate_one(device, &twice, &config, &reporter), QUARTIC_OK);
    assert_int_equal(reporter.totals.failed, findings.failed);
    quartic_device_destroy(device);
    return findings;
}

static void validation_finds_each_defect(void **state) {
    (void)state;
    int64_t live = quartic_alloc_live();
    assert_int_equal(validate_with(SOUND).failed, 0);
    static const struct {
        defect defect;
        const char *message;
    } cases[] = {
        {OVERRUN, "a kernel wrote 0 bytes beyond the end of \"output 0\""},
        {WRITES_OPERAND, "a kernel wrote to element 7 of the input \"operand 0\""},
        {READS_BESIDE, "got nan"},
        {LEAVES_OUT, "element (1, 0): got nan"},
        {NO_GRADIENT, "gives no gradient"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c) {
        findings findings = validate_with(cases[c].defect);
        if (findings.failed == 0) fail_msg("defect %d was not found", (int)cases[c].defect);
        if (strstr(findings.text, cases[c].message) == NULL) fail_msg("defect %zu: %s", c, findings.text);
        assert_non_null(
            strstr(findings.text, "repeat with: quartic validate --device cpu --op twice --case 0 --seed 1"));
    }
    assert_int_equal(quartic_alloc_live(), live);
}

static void finite_differences_find_a_wrong_gradient(void **state) {
    (void)state;
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    quartic_reporter reporter = {0};
    chosen = SOUND;
    assert_int_equal(quartic_check_gradients_of(&twice, &config, &reporter), QUARTIC_OK);
    assert_int_equal(reporter.totals.passed, 1);
    assert_int_equal(reporter.totals.failed, 0);
    chosen = WRONG_GRADIENT;
    assert_int_equal(quartic_check_gradients_of(&twice, &config, &reporter), QUARTIC_OK);
    assert_int_equal(reporter.totals.failed, 1);
}

/* ---- sums that cancel ---- */

/* y = a b for a (R, K), b (K). Every second run that is not in double is the device's: it adds in float32
 * from the last term on, and has the defect. */
static enum { DOT_SOUND, DOT_ELEMENT, DOT_DROPS, DOT_SWAPS, DOT_DEFECTS } dot_defect;
static uint32_t dot_runs, dot_rows, dot_terms;

static quartic_status dot_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(call->inputs[0].shape.dims[0]));
    *out_count = 1;
    return QUARTIC_OK;
}

static void dot_cpu(const quartic_op_run *run) {
    const uint32_t rows = run->inputs[0].layout->shape.dims[0], terms = run->inputs[0].layout->shape.dims[1];
    const bool device = !run->inputs[0].wide && dot_runs++ % 2 == 1;
    for (uint32_t r = 0; r < rows; ++r) {
        double sum = 0;
        float narrow = 0;
        for (uint32_t t = terms; t-- > 0;) {
            const bool hit = device && r == rows / 2;
            uint32_t other = hit && dot_defect == DOT_SWAPS && t < 2 ? 1 - t : t;
            const double product =
                quartic_get(&run->inputs[0], (int64_t)r * terms + t) * quartic_get(&run->inputs[1], other);
            if (hit && dot_defect == DOT_DROPS && t == 0) continue;
            sum += product;
            narrow += (float)product;
        }
        if (device && dot_defect == DOT_ELEMENT && r == rows / 2) narrow += 0.01f;
        quartic_put(&run->outputs[0], r, device ? (double)narrow : sum);
    }
}

static bool dot_cases(uint32_t index, quartic_op_case *out) {
    *out = (quartic_op_case){.label = "the case", .input_count = 2};
    for (uint32_t i = 0; i < 2; ++i) out->inputs[i].dtype = QUARTIC_FLOAT32;
    out->inputs[0].shape = QUARTIC_SHAPE(dot_rows, dot_terms);
    out->inputs[1].shape = QUARTIC_SHAPE(dot_terms);
    return index == 0;
}

static double dot_reduction(const quartic_op_call *call) {
    return call->inputs[0].shape.dims[1];
}

static const quartic_op dot = {.name = "dot",
                               .infer = dot_infer,
                               .cpu = dot_cpu,
                               .cases = dot_cases,
                               .tolerance = 2,
                               .reduction = dot_reduction};

/* Failed checks of dot over one seed. */
static uint32_t dot_failures(quartic_device *device, uint64_t seed) {
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.seed = seed;
    quartic_reporter reporter = {0};
    dot_runs = 0;
    assert_int_equal(quartic_validate_one(device, &dot, &config, &reporter), QUARTIC_OK);
    assert_int_equal(reporter.totals.passed + reporter.totals.failed, 2);
    return reporter.totals.failed;
}

/* One result of two terms is often a thousand times smaller than they are, and no bound that is a share of
 * the result holds then. */
static void sums_that_cancel_are_no_false_alarm(void **state) {
    (void)state;
    quartic_device *device;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    dot_defect = DOT_SOUND;
    dot_rows = 1;
    for (dot_terms = 2; dot_terms < 40; dot_terms += 9)
        for (uint64_t seed = 1; seed <= 200; ++seed)
            if (dot_failures(device, seed) != 0)
                fail_msg("%u terms, seed %llu", dot_terms, (unsigned long long)seed);
    quartic_device_destroy(device);
}

static void a_wrong_element_a_dropped_term_and_a_swapped_index_are_found(void **state) {
    (void)state;
    quartic_device *device;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    dot_rows = 5;
    dot_terms = 33;
    for (dot_defect = DOT_ELEMENT; dot_defect < DOT_DEFECTS; ++dot_defect)
        for (uint64_t seed = 1; seed <= 50; ++seed)
            if (dot_failures(device, seed) != 2)
                fail_msg("defect %d, seed %llu", (int)dot_defect, (unsigned long long)seed);
    quartic_device_destroy(device);
}

/* a - b of neighbours: the result is of the size of an epsilon, its error of the operands'. */
static void a_spread_is_that_of_the_terms(void **state) {
    (void)state;
    enum { COUNT = 64 };
    quartic_graph *graph;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &QUARTIC_SHAPE(COUNT));
    quartic_value b = quartic_graph_input(graph, "b", QUARTIC_FLOAT32, &QUARTIC_SHAPE(COUNT));
    quartic_graph_output(graph, "difference", quartic_subtract(graph, a, b));
    quartic_graph_output(graph, "copy", quartic_copy(graph, a));
    float numbers[2][COUNT];
    for (int i = 0; i < COUNT; ++i) {
        numbers[0][i] = 3.0f;
        numbers[1][i] = nextafterf(3.0f, 4.0f);
    }
    const quartic_feed feeds[] = {{"a", numbers[0], sizeof numbers[0]}, {"b", numbers[1], sizeof numbers[1]}};
    const char *const names[] = {"difference", "copy"};
    double spreads[2];
    assert_int_equal(quartic_spread(graph, feeds, 2, names, 2, spreads), QUARTIC_OK);
    const double eps = 0x1p-23;
    assert_true(spreads[0] > 3 * eps && spreads[0] < 6.1 * eps);
    assert_true(spreads[1] < 6.1 * eps);
    assert_true(quartic_spread_bound(4.0, spreads[0], 0.0) == 4.0 * spreads[0]);
    assert_true(quartic_spread_bound(4.0, 0.0, 2.0) == 8.0 * eps);
    quartic_graph_destroy(graph);
}

/* ---- two devices ---- */

typedef struct parting {
    uint32_t checks;
    char failed[8][128]; /* "subject, check" of the failed checks, in order */
    uint32_t failures;
} parting;

static void note_parting(void *context, const quartic_check *check) {
    parting *parting = context;
    ++parting->checks;
    if (check->verdict == QUARTIC_FAILED && parting->failures < 8)
        snprintf(parting->failed[parting->failures++], sizeof parting->failed[0], "%s, %s, %s",
                 check->subject, check->label, check->check);
}

/* x (3, 7) -> transposed -> twice -> + x' -> output; a state gains the sum of squares. */
static parting compare_two_devices(defect defect) {
    chosen = defect;
    runs = 0;
    parting parting = {0};
    quartic_graph *graph;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(7, 3)), y;
    quartic_value total = quartic_graph_state(graph, "total", QUARTIC_FLOAT32, &(quartic_shape){0});
    quartic_value turned = quartic_permute(graph, x, (const uint32_t[]){1, 0});
    quartic_graph_push_scope(graph, "middle");
    quartic_graph_append(graph, &twice, NULL, &turned, 1, &y, 1);
    quartic_graph_pop_scope(graph);
    quartic_graph_output(graph, "y", quartic_add(graph, y, turned));
    quartic_accumulate(graph, total, quartic_sum_squares(graph, y), 1.0f);
    float numbers[21];
    quartic_fill_operand(QUARTIC_FILL_NORMAL, QUARTIC_FLOAT32, 0, 1, 0, 21, 3, numbers);
    const quartic_feed feed = {"x", numbers, sizeof numbers}, unknown = {"z", numbers, sizeof numbers};
    quartic_device *cpu, *reference;
    assert_int_equal(quartic_device_create("cpu", &cpu), QUARTIC_OK);
    assert_int_equal(quartic_device_create("reference", &reference), QUARTIC_OK);
    quartic_check_totals totals;
    if (quartic_compare_devices(cpu, reference, graph, &feed, 1, note_parting, &parting, &totals) !=
        QUARTIC_OK)
        fail_msg("%s", quartic_error_message());
    assert_int_equal(totals.unsupported, 0);
    assert_int_equal(quartic_compare_devices(cpu, reference, graph, &unknown, 1, NULL, NULL, NULL),
                     QUARTIC_INVALID_ARGUMENT);
    quartic_device_destroy(cpu);
    quartic_device_destroy(reference);
    quartic_graph_destroy(graph);
    return parting;
}

static void comparing_devices_names_the_step_where_they_part(void **state) {
    (void)state;
    int64_t live = quartic_alloc_live();
    parting parting = compare_two_devices(SOUND);
    assert_int_equal(parting.failures, 0);
    assert_int_equal(parting.checks, 5); /* twice, add, sum_squares, accumulate, and the output y */
    parting = compare_two_devices(WRONG_LATER);
    assert_int_equal(parting.failures, 1);
    assert_string_equal(parting.failed[0], "twice, middle, step");
    assert_int_equal(quartic_alloc_live(), live);
}

/* A graph that only updates a state can be compared, an output cannot be fed, and nothing is fed twice. */
static void wrong_feeds_are_refused(void **state) {
    (void)state;
    quartic_graph *graph;
    quartic_device *cpu;
    assert_int_equal(quartic_device_create("cpu", &cpu), QUARTIC_OK);
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
    quartic_graph_output(graph, "y", quartic_exp(graph, x));
    const float numbers[3] = {1, 2, 3};
    const quartic_feed wrong[][2] = {{{"y", numbers, sizeof numbers}},
                                     {{"x", numbers, 8}},
                                     {{"x", NULL, sizeof numbers}},
                                     {{NULL, numbers, sizeof numbers}},
                                     {{"x", numbers, sizeof numbers}, {"x", numbers, sizeof numbers}}};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k)
        assert_int_equal(quartic_compare_devices(cpu, cpu, graph, wrong[k], wrong[k][1].name == NULL ? 1 : 2,
                                                 NULL, NULL, NULL),
                         QUARTIC_INVALID_ARGUMENT);
    quartic_graph_destroy(graph);
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_value s = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
    quartic_accumulate(graph, s, quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3)), 1.0f);
    const quartic_feed feed = {"x", numbers, sizeof numbers};
    quartic_check_totals totals;
    assert_int_equal(quartic_compare_devices(cpu, cpu, graph, &feed, 1, NULL, NULL, &totals), QUARTIC_OK);
    assert_int_equal(totals.passed, 1);
    quartic_graph_destroy(graph);
    quartic_device_destroy(cpu);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparison_finds_the_worst_element),
        cmocka_unit_test(comparison_never_accepts_nan),
        cmocka_unit_test(fills_are_what_they_say),
        cmocka_unit_test(placements_surround_the_operand_with_poison),
        cmocka_unit_test(validation_finds_each_defect),
        cmocka_unit_test(finite_differences_find_a_wrong_gradient),
        cmocka_unit_test(sums_that_cancel_are_no_false_alarm),
        cmocka_unit_test(a_wrong_element_a_dropped_term_and_a_swapped_index_are_found),
        cmocka_unit_test(a_spread_is_that_of_the_terms),
        cmocka_unit_test(wrong_feeds_are_refused),
        cmocka_unit_test(comparing_devices_names_the_step_where_they_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
