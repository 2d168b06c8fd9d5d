/* taylor_attention_test.c: Taylor attention on slices of a packed projection, forward and backward, on a
 * Vulkan device against the tuned CPU rows: units in several groups, sequences in several parts, wide heads,
 * blocks; the same bits when it runs again, and whatever the tokens of later blocks are. */
#include <string.h>

#include "base/rng.h"
#include "quartic/graph.h"
#include "quartic/program.h"
#include "quartic/verify.h"
#include "vulkan/vulkan_test.h"

typedef struct packed_case {
    uint32_t r, c, h, d, dv;
    quartic_taylor_options options;
} packed_case;

/* Each takes another path of the plan; see taylor_gpu.c. */
static const packed_case cases[] = {
    {70, 130, 1, 16, 16, {.axis = 2, .form = 1}},             /* two queries a thread */
    {66, 3, 2, 40, 24, {.axis = 1, .form = 1}},               /* several threads a row */
    {9, 9, 2, 64, 64, {.axis = 2, .causal = 1, .form = 1}},   /* the same, causal */
    {1, 1100, 2, 7, 5, {.axis = 2, .form = 2}},               /* a sequence in three parts */
    {3, 20, 1, 150, 20, {.axis = 1, .form = 2}},              /* states in groups, values in slices */
    {67, 2, 1, 50, 33, {.axis = 1, .form = 2}},               /* fewer threads than 64 */
    {2, 300, 1, 16, 16, {.axis = 2, .form = 1, .block = 70}}, /* two queries a thread, in blocks */
    {90, 1, 2, 40, 24, {.axis = 1, .form = 1, .block = 13}},  /* several threads a row, in blocks */
    {1, 300, 2, 7, 5, {.axis = 2, .form = 2, .block = 130}},  /* a state for each block */
    {33, 1, 2, 8, 8, {.axis = 1, .form = 1, .block = 1}},     /* ordinary causal attention */
    {33, 1, 2, 8, 8, {.axis = 1, .form = 2, .block = 1}},
    {50, 2, 1, 33, 20, {.axis = 1, .form = 2, .block = 7}}, /* and fewer tokens than threads */
};

/* out = attention of slices q, k, v of `packed` (1, r, c, h (2 d + dv)), and the gradient of its weighted
 * sum. */
static quartic_graph *taylor_attention_build(const packed_case *from) {
    const uint32_t inner = from->h * from->d, width = 2 * inner + from->h * from->dv;
    quartic_graph *graph = NULL;
    assert_ok(quartic_graph_create(&graph));
    const quartic_value packed =
        quartic_graph_input(graph, "packed", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1, from->r, from->c, width));
    quartic_value parts[3];
    for (uint32_t k = 0; k < 3; ++k) {
        const uint32_t length = k < 2 ? inner : width - 2 * inner;
        const quartic_shape heads = QUARTIC_SHAPE(1, from->r, from->c, from->h, length / from->h);
        parts[k] = quartic_reshape(graph, quartic_slice(graph, packed, 3, k * inner, length), &heads);
    }
    const quartic_value none = {0};
    const quartic_value out =
        quartic_taylor_attention(graph, parts[0], parts[1], parts[2], none, &from->options);
    const quartic_shape shape = quartic_graph_shape(graph, out);
    const quartic_value cotangent = quartic_graph_input(graph, "cotangent", QUARTIC_FLOAT32, &shape);
    quartic_value gradient;
    assert_ok(quartic_graph_gradients(graph, out, cotangent, &packed, 1, &gradient));
    quartic_graph_output(graph, "out", out);
    quartic_graph_output(graph, "gradient", gradient);
    assert_ok(quartic_graph_status(graph));
    return graph;
}

static float *random_numbers(size_t count, uint32_t stream, float scale) {
    float *numbers = quartic_alloc(count, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < count; ++i) numbers[i] = scale * quartic_random_normal(17, stream, i);
    return numbers;
}

static void taylor_attention_print_failed(void *context, const quartic_check *check) {
    (void)context;
    if (check->verdict != QUARTIC_PASSED)
        fprintf(stderr, "%s %s, %s: %s\n", check->subject, check->label, check->check, check->text);
}

static void every_path_of_the_plan_equals_the_tuned_rows(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device(), *trusted = NULL;
    assert_ok(quartic_device_create("cpu", &trusted));
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        quartic_graph *graph = taylor_attention_build(&cases[k]);
        const size_t tokens = (size_t)cases[k].r * cases[k].c * cases[k].h;
        const size_t packed = tokens * (2 * cases[k].d + cases[k].dv), values = tokens * cases[k].dv;
        const quartic_feed feeds[] = {
            {"packed", random_numbers(packed, 1, 0.4f), packed * sizeof(float)},
            {"cotangent", random_numbers(values, 2, 1), values * sizeof(float)},
        };
        quartic_check_totals totals;
        assert_ok(quartic_compare_devices(device, trusted, graph, feeds, 2, taylor_attention_print_failed,
                                          NULL, &totals));
        if (totals.failed != 0 || totals.unsupported != 0 || totals.passed < 4) fail_msg("case %zu", k);
        for (uint32_t f = 0; f < 2; ++f) quartic_free((void *)feeds[f].data);
        quartic_graph_destroy(graph);
    }
    quartic_device_destroy(trusted);
    quartic_device_destroy(device);
}

static void a_second_run_gives_the_same_bits(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device();
    for (size_t k = 2; k < 4; ++k) {
        quartic_graph *graph = taylor_attention_build(&cases[k]);
        quartic_program *program = NULL;
        assert_ok(quartic_program_create(device, graph, NULL, &program));
        const size_t tokens = (size_t)cases[k].r * cases[k].c * cases[k].h;
        const size_t packed = tokens * (2 * cases[k].d + cases[k].dv), values = tokens * cases[k].dv;
        float *x = random_numbers(packed, 1, 0.4f), *g = random_numbers(values, 2, 1);
        float *first = random_numbers(packed, 3, 1), *second = random_numbers(packed, 4, 1);
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, "packed"), x, packed * sizeof *x));
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, "cotangent"), g, values * sizeof *g));
        float *results[] = {first, second};
        for (uint32_t r = 0; r < 2; ++r) {
            assert_ok(quartic_program_run(program));
            assert_ok(quartic_tensor_read(quartic_program_tensor(program, "gradient"), results[r],
                                          packed * sizeof *first));
        }
        assert_memory_equal(first, second, packed * sizeof *first);
        quartic_program_destroy(program);
        quartic_graph_destroy(graph);
        float *all[] = {x, g, first, second};
        for (uint32_t r = 0; r < 4; ++r) quartic_free(all[r]);
    }
    quartic_device_destroy(device);
}

/* With blocks, all that changes from token t on changes no bit of out before t's block, but does change the
 * block itself. */
static void later_blocks_change_no_bit(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device();
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        const packed_case *from = &cases[k];
        const uint32_t block = from->options.block;
        if (block == 0) continue;
        quartic_graph *graph = taylor_attention_build(from);
        quartic_program *program = NULL;
        assert_ok(quartic_program_create(device, graph, NULL, &program));
        const size_t tokens = (size_t)from->r * from->c, width = (size_t)from->h * (2 * from->d + from->dv);
        const size_t values = (size_t)from->h * from->dv;
        float *x = random_numbers(tokens * width, 1, 0.4f), *other = random_numbers(tokens * width, 5, 2);
        float *g = random_numbers(tokens * values, 2, 1);
        float *outs[] = {random_numbers(tokens * values, 3, 1), random_numbers(tokens * values, 4, 1)};
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, "cotangent"), g,
                                       tokens * values * sizeof *g));
        const uint32_t length = from->options.axis == 2 ? from->c : from->r, t = length / 2;
        for (uint32_t run = 0; run < 2; ++run) {
            for (size_t i = 0; run == 1 && i < tokens; ++i)
                if ((from->options.axis == 2 ? i % from->c : i / from->c) >= t)
                    memcpy(x + i * width, other + i * width, width * sizeof *x);
            assert_ok(quartic_tensor_write(quartic_program_tensor(program, "packed"), x,
                                           tokens * width * sizeof *x));
            assert_ok(quartic_program_run(program));
            assert_ok(quartic_tensor_read(quartic_program_tensor(program, "out"), outs[run],
                                          tokens * values * sizeof *x));
        }
        for (size_t i = 0; i < tokens; ++i) {
            const bool before = (from->options.axis == 2 ? i % from->c : i / from->c) < t / block * block;
            if ((memcmp(outs[0] + i * values, outs[1] + i * values, values * sizeof *x) == 0) != before)
                fail_msg("case %zu: token %zu %s", k, i, before ? "has changed" : "is the same");
        }
        quartic_program_destroy(program);
        quartic_graph_destroy(graph);
        float *all[] = {x, other, g, outs[0], outs[1]};
        for (uint32_t i = 0; i < 5; ++i) quartic_free(all[i]);
    }
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_of_the_plan_equals_the_tuned_rows),
        cmocka_unit_test(a_second_run_gives_the_same_bits),
        cmocka_unit_test(later_blocks_change_no_bit),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
