/* taylor_plan_test.c: the GPU plans of Taylor attention hold what every device offers: shared memory,
 * threads, dispatches and scratch, for narrow and wide heads, few long sequences and many short ones. */
#include "expect.h"

#include "ops/strided.h"
#include "ops/taylor_problem.h"
#include "shaders/taylor_build.args.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static uint32_t most_iterations;    /* 0: no limit */
static uint32_t block_tokens;       /* 0: no blocks */
enum { STATE_16 = 153 * 16 + 156 }; /* numbers of a state with d = dv = 16: a last column, in fours */

static uint32_t compute_units = 20, registers;
static int64_t first_element; /* of every operand in its storage */

/* Plans one op for q, k (b, r, c, h, d) and v (b, r, c, h, dv) along axis 2. */
static quartic_status taylor_plan_plan(bool backward, uint32_t form, quartic_shape shape, uint32_t dv,
                                       uint32_t shared_bytes, quartic_dispatch_list *out_list) {
    const quartic_taylor_options options = {.axis = 2, .form = form, .block = block_tokens};
    const quartic_gpu_limits limits = {.max_shared_bytes = shared_bytes,
                                       .max_invocations = 128,
                                       .subgroup_size = 32,
                                       .compute_units = compute_units,
                                       .registers = registers,
                                       .max_iterations = most_iterations};
    quartic_shape values = shape, z = shape;
    values.dims[4] = dv;
    z.rank = 4;
    const quartic_shape shapes[QUARTIC_TAYLOR_INPUTS] = {shape, shape, values, {0}, values, z, values};
    quartic_layout inputs[QUARTIC_TAYLOR_INPUTS], outputs[3];
    for (uint32_t k = 0; k < QUARTIC_TAYLOR_INPUTS; ++k)
        inputs[k] = quartic_layout_contiguous(k == QUARTIC_TAYLOR_MASK ? QUARTIC_NO_DTYPE : QUARTIC_FLOAT32,
                                              &shapes[k]);
    for (uint32_t k = 0; k < QUARTIC_TAYLOR_INPUTS; ++k) inputs[k].offset = first_element;
    const quartic_op *op = backward ? &quartic_op_taylor_attention_grad : &quartic_op_taylor_attention;
    quartic_op_call call = {&options, backward ? QUARTIC_TAYLOR_INPUTS : 4, 0, inputs, outputs};
    assert_int_equal(op->infer(&call, outputs, &call.output_count), QUARTIC_OK);
    memset(out_list, 0, sizeof *out_list);
    return op->gpu(&call, &limits, out_list);
}

static uint32_t vectors(uint32_t width, uint32_t split) {
    return (width + 4 * split - 1) / (4 * split);
}

/* Bytes of shared memory that a dispatch's shader declares for its constants, as the shaders state it. */
static uint64_t taylor_plan_shared_bytes(const quartic_dispatch *dispatch) {
    const uint32_t *spec = dispatch->spec, d = spec[0], dv = spec[1], threads = spec[5];
    const char *name = dispatch->shader;
    if (strcmp(name, "taylor_terms") == 0 || strcmp(name, "taylor_sum_parts") == 0 ||
        strcmp(name, "taylor_scan_parts") == 0)
        return 0;
    if (strcmp(name, "taylor_build") == 0) return spec[8] * (16ull * spec[7] + 4 * (d + 1) + 4);
    if (strcmp(name, "taylor_apply") == 0)
        return spec[7] * (16ull * spec[6] + 4) + 4ull * threads * spec[9] * (d + 1);
    if (strcmp(name, "taylor_apply_grad") == 0)
        return 16 * spec[8] * (16ull * spec[7] + 4) + 16ull * threads * spec[11] * ((d + 3) / 4);
    const uint32_t split = spec[6], tile = spec[7];
    const uint64_t exchanged = strcmp(name, "taylor_quadratic") == 0 ? 4 : 8;
    return 16ull * tile * split * (vectors(d, split) + vectors(dv, split)) + 8ull * tile +
           (split > 1 ? exchanged * threads * tile : exchanged);
}

static const quartic_dispatch *find_shader(const quartic_dispatch_list *list, const char *name) {
    for (uint32_t k = 0; k < list->count; ++k)
        if (strcmp(list->items[k].shader, name) == 0) return &list->items[k];
    fail_msg("there is no dispatch of %s", name);
    return NULL;
}

/* Constants of lib/taylor_pairs.glsl. */
enum { Q_COMPONENT = 8, V_COMPONENT = 10, ROWS = 12, G_COMPONENT = 13 };

static void expect_components(quartic_shape shape, uint32_t dv, uint32_t q, uint32_t v) {
    quartic_dispatch_list list;
    for (int backward = 0; backward < 2; ++backward) {
        assert_int_equal(taylor_plan_plan(backward, QUARTIC_TAYLOR_QUADRATIC, shape, dv, 32768, &list),
                         QUARTIC_OK);
        const char *names[] = {"taylor_quadratic", "taylor_query_grad", "taylor_key_grad"};
        for (int k = backward; k <= 2 * backward; ++k) {
            const quartic_dispatch *dispatch = find_shader(&list, names[k]);
            assert_int_equal(dispatch->spec[Q_COMPONENT], q);
            assert_int_equal(dispatch->spec[Q_COMPONENT + 1], q);
            assert_int_equal(dispatch->spec[V_COMPONENT], v);
            if (backward) assert_int_equal(dispatch->spec[G_COMPONENT], v);
        }
    }
}

/* 16 bytes at once wherever the numbers lie so, and nowhere else. */
static void rows_of_fours_are_loaded_by_16_bytes(void **state) {
    (void)state;
    block_tokens = most_iterations = 0;
    expect_components(QUARTIC_SHAPE(1, 2, 70, 3, 16), 32, QUARTIC_IN_QUADS, QUARTIC_IN_QUADS);
    expect_components(QUARTIC_SHAPE(1, 2, 70, 3, 16), 6, QUARTIC_IN_QUADS, 1);
    expect_components(QUARTIC_SHAPE(1, 2, 70, 3, 7), 8, 1, QUARTIC_IN_QUADS);
    first_element = 2;
    expect_components(QUARTIC_SHAPE(1, 2, 70, 3, 16), 32, 1, 1);
    first_element = 8;
    expect_components(QUARTIC_SHAPE(1, 2, 70, 3, 16), 32, QUARTIC_IN_QUADS, QUARTIC_IN_QUADS);
    first_element = 0;
}

enum { APPLY_GRAD_ROWS = 11 }; /* a constant of taylor_apply_grad.comp */

/* Two rows in a thread where the registers suffice and there are enough rows. */
static void narrow_rows_come_in_twos(void **state) {
    (void)state;
    static const struct {
        uint32_t tokens, d, dv, forward, of_queries, of_keys;
    } want[] = {{70, 8, 8, 2, 2, 2},
                {64, 8, 8, 1, 1, 1},
                {70, 8, 12, 2, 2, 1},
                {70, 16, 16, 2, 2, 1},
                {70, 16, 64, 1, 1, 1}};
    quartic_dispatch_list list;
    block_tokens = most_iterations = 0;
    for (size_t k = 0; k < LENGTH(want); ++k) {
        const quartic_shape shape = QUARTIC_SHAPE(1, 1, want[k].tokens, 1, want[k].d);
        assert_int_equal(taylor_plan_plan(false, QUARTIC_TAYLOR_QUADRATIC, shape, want[k].dv, 32768, &list),
                         QUARTIC_OK);
        assert_int_equal(find_shader(&list, "taylor_quadratic")->spec[ROWS], want[k].forward);
        assert_int_equal(taylor_plan_plan(true, QUARTIC_TAYLOR_QUADRATIC, shape, want[k].dv, 32768, &list),
                         QUARTIC_OK);
        assert_int_equal(find_shader(&list, "taylor_query_grad")->spec[ROWS], want[k].of_queries);
        assert_int_equal(find_shader(&list, "taylor_key_grad")->spec[ROWS], want[k].of_keys);
    }
    for (uint32_t few = 0; few < 2; ++few) {
        const quartic_shape shape = QUARTIC_SHAPE(1, 1, 70, 1, 16);
        registers = few ? 128 : 255;
        assert_int_equal(taylor_plan_plan(true, QUARTIC_TAYLOR_QUADRATIC, shape, 16, 32768, &list),
                         QUARTIC_OK);
        assert_int_equal(find_shader(&list, "taylor_query_grad")->spec[ROWS], few ? 1 : 2);
        assert_int_equal(taylor_plan_plan(true, QUARTIC_TAYLOR_LINEAR, shape, 16, 32768, &list), QUARTIC_OK);
        uint32_t sides = 0;
        for (uint32_t k = 0; k < list.count; ++k)
            if (strcmp(list.items[k].shader, "taylor_apply_grad") == 0) {
                assert_int_equal(list.items[k].spec[APPLY_GRAD_ROWS], few ? 1 : 2);
                ++sides;
            }
        assert_int_equal(sides, 2);
    }
    registers = 0;
}

static void plans_keep_within_the_limits(void **state) {
    (void)state;
    static const uint32_t widths[] = {1, 4, 16, 17, 33, 64, 100, 256, 1024};
    quartic_dispatch_list list;
    for (uint32_t shared = 16384; shared <= 49152; shared += 32768)
        for (size_t a = 0; a < LENGTH(widths); ++a)
            for (size_t b = 0; b < LENGTH(widths); ++b)
                for (uint32_t kind = 0; kind < 8; ++kind) {
                    const uint32_t form = kind % 2 + 1;
                    block_tokens = kind < 4 ? 0 : 40;
                    assert_int_equal(taylor_plan_plan(kind / 2 % 2, form,
                                                      QUARTIC_SHAPE(1, 1, 70, 1, widths[a]), widths[b],
                                                      shared, &list),
                                     QUARTIC_OK);
                    for (uint32_t k = 0; k < list.count; ++k) {
                        const uint64_t bytes = taylor_plan_shared_bytes(&list.items[k]);
                        if (bytes > shared || bytes > 32768)
                            fail_msg("%s with d %u, dv %u takes %llu bytes of shared memory of %u",
                                     list.items[k].shader, widths[a], widths[b], (unsigned long long)bytes,
                                     shared);
                        if (list.items[k].spec_count > 5)
                            assert_true(list.items[k].spec[5] >= 1 && list.items[k].spec[5] <= 128);
                    }
                }
    block_tokens = 0;
}

/* One state for each block of a head, those of both sides of the backward pass in the same place. */
static void blocks_have_states_of_their_own(void **state) {
    (void)state;
    static const char *const forward[] = {"taylor_build", "taylor_scan_parts", "taylor_apply"};
    static const char *const backward[] = {"taylor_terms",      "taylor_build", "taylor_scan_parts",
                                           "taylor_apply_grad", "taylor_build", "taylor_scan_parts",
                                           "taylor_apply_grad"};
    quartic_dispatch_list list;
    block_tokens = 60;
    for (uint32_t back = 0; back < 2; ++back) {
        assert_int_equal(taylor_plan_plan(back, 2, QUARTIC_SHAPE(1, 1, 3599, 2, 16), 16, 32768, &list),
                         QUARTIC_OK);
        const uint64_t states = 2ull * 60 * STATE_16 * sizeof(float), terms = 3599ull * 2 * 2 * sizeof(float);
        assert_int_equal(list.count, back ? 7 : 3);
        for (uint32_t k = 0; k < list.count; ++k)
            assert_string_equal(list.items[k].shader, back ? backward[k] : forward[k]);
        assert_true(list.scratch_bytes >= states &&
                    list.scratch_bytes <= (states + (back ? terms : 0) + 512));
        quartic_taylor_build_args args;
        memcpy(&args, list.items[back].args, sizeof args);
        assert_int_equal(args.parts, 60);
        assert_int_equal(args.part_tokens, 60);
    }
    /* Many heads: in groups, never more dispatches than a list holds. */
    assert_int_equal(taylor_plan_plan(true, 2, QUARTIC_SHAPE(64, 1, 3599, 16, 16), 16, 32768, &list),
                     QUARTIC_OK);
    assert_true(list.count <= QUARTIC_DISPATCH_MAX);
    /* A state for each of many tokens: the linear form is refused where it is asked for, else not taken. */
    block_tokens = 1;
    const quartic_shape many = QUARTIC_SHAPE(1, 1, 1000000, 1, 16);
    for (uint32_t back = 0; back < 2; ++back) {
        assert_int_equal(taylor_plan_plan(back, 2, many, 16, 32768, &list), QUARTIC_UNSUPPORTED);
        assert_non_null(strstr(quartic_error_message(), "1000000 blocks"));
        assert_non_null(strstr(quartic_error_message(), "use the quadratic form"));
        assert_int_equal(taylor_plan_plan(back, 0, many, 16, 32768, &list), QUARTIC_OK);
        assert_int_equal(taylor_plan_plan(back, 1, many, 16, 32768, &list), QUARTIC_OK);
    }
    most_iterations = 65535; /* of taylor_scan_parts */
    assert_int_equal(taylor_plan_plan(false, 2, QUARTIC_SHAPE(1, 1, 70000, 1, 2), 2, 32768, &list),
                     QUARTIC_UNSUPPORTED);
    most_iterations = block_tokens = 0;
}

static void states_are_bounded_by_taking_units_in_groups(void **state) {
    (void)state;
    quartic_dispatch_list list;
    const double whole = 1024.0 * 16 * STATE_16 * sizeof(float); /* the states of the larger problem */
    /* 512 sequences of 2 heads: 10 MB of states at once. */
    assert_int_equal(taylor_plan_plan(false, 2, QUARTIC_SHAPE(1, 512, 512, 2, 16), 16, 32768, &list),
                     QUARTIC_OK);
    assert_true(list.scratch_bytes <= 16u << 20);
    assert_int_equal(list.count, 2);
    /* 1024 of 16: 170 MB in seven groups, the most that a list has dispatches for. */
    assert_int_equal(taylor_plan_plan(false, 2, QUARTIC_SHAPE(1, 1024, 1024, 16, 16), 16, 32768, &list),
                     QUARTIC_OK);
    assert_true((double)list.scratch_bytes <= whole / 7 + STATE_16 * sizeof(float));
    assert_int_equal(list.count, 14);
    uint32_t units = 0;
    for (uint32_t k = 0; k < list.count; k += 2) {
        quartic_taylor_build_args args;
        assert_string_equal(list.items[k].shader, "taylor_build");
        memcpy(&args, list.items[k].args, sizeof args);
        assert_int_equal(args.first_unit, units);
        assert_int_equal(args.parts, 1);
        units += args.unit_count;
    }
    assert_int_equal(units, 1024 * 16);
    /* Large devices hold more at once, in groups of one size: 2048 units in two. */
    compute_units = 132;
    assert_int_equal(taylor_plan_plan(false, 2, QUARTIC_SHAPE(1, 512, 512, 4, 16), 16, 32768, &list),
                     QUARTIC_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(taylor_plan_plan(false, 2, QUARTIC_SHAPE(1, 2048, 512, 4, 16), 16, 32768, &list),
                     QUARTIC_OK);
    assert_true(list.count > 2 && list.scratch_bytes <= 132 * UINT64_C(393216) + 4096);
    for (uint32_t k = 0; k < list.count; k += 2) {
        quartic_taylor_build_args args;
        memcpy(&args, list.items[k].args, sizeof args);
        assert_true(args.unit_count * list.count / 2 >= 2048 * 4 &&
                    args.unit_count * list.count / 2 < 2048 * 4 + list.count);
    }
    compute_units = 20;
    /* Backward there are never more dispatches than a list holds, whatever the number of units. */
    assert_int_equal(taylor_plan_plan(true, 2, QUARTIC_SHAPE(4, 1024, 1024, 4, 16), 16, 32768, &list),
                     QUARTIC_OK);
    assert_true(list.count <= QUARTIC_DISPATCH_MAX);
}

static void one_long_sequence_is_cut_into_parts(void **state) {
    (void)state;
    quartic_dispatch_list list;
    assert_int_equal(taylor_plan_plan(false, 2, QUARTIC_SHAPE(1, 1, 65536, 16, 16), 16, 32768, &list),
                     QUARTIC_OK);
    assert_int_equal(list.count, 6); /* in two groups of heads: build, sum, apply */
    assert_string_equal(list.items[1].shader, "taylor_sum_parts");
    quartic_taylor_build_args args;
    memcpy(&args, list.items[0].args, sizeof args);
    assert_int_equal(args.parts, 128);
    assert_true(args.parts * args.part_tokens >= 65536);
    assert_true((args.parts - 1) * args.part_tokens < 65536);
    assert_true(list.scratch_bytes <= 16u << 20);
    assert_true(list.items[0].groups[0] >= 1024); /* enough to fill a large device */
}

/* A device that ends loops early must not be given more than it runs. */
static void too_many_iterations_are_refused(void **state) {
    (void)state;
    quartic_dispatch_list list;
    most_iterations = 65535;
    for (uint32_t kind = 0; kind < 4; ++kind) {
        const bool backward = kind / 2 != 0;
        const uint32_t form = kind % 2 + 1;
        assert_int_equal(taylor_plan_plan(backward, form, QUARTIC_SHAPE(1, 1, 2000, 2, 64), 64, 32768, &list),
                         QUARTIC_OK);
        const quartic_shape shape =
            form == 1 ? QUARTIC_SHAPE(1, 1, 60000, 1, 64) : QUARTIC_SHAPE(1, 1, 3, 1, 360);
        assert_int_equal(taylor_plan_plan(backward, form, shape, 20, 32768, &list), QUARTIC_UNSUPPORTED);
        assert_non_null(strstr(quartic_error_message(), "65535"));
    }
    most_iterations = 0;
    assert_int_equal(taylor_plan_plan(false, 1, QUARTIC_SHAPE(1, 1, 60000, 1, 64), 20, 32768, &list),
                     QUARTIC_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_fours_are_loaded_by_16_bytes),
        cmocka_unit_test(narrow_rows_come_in_twos),
        cmocka_unit_test(plans_keep_within_the_limits),
        cmocka_unit_test(states_are_bounded_by_taking_units_in_groups),
        cmocka_unit_test(one_long_sequence_is_cut_into_parts),
        cmocka_unit_test(too_many_iterations_are_refused),
        cmocka_unit_test(blocks_have_states_of_their_own),
    };
    return cmocka_run_group_tests_name("taylor plans", tests, NULL, NULL);
}
