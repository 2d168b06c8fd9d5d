/* gpu_program_test.c: graphs run on a Vulkan device as on the reference: several programs on one device,
 * bound tensors, strides and broadcasts, profiles, replay without allocation. */
#include "vulkan/vulkan_test.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "quartic/program.h"

enum { B = 3, N = 37, D = 13, ELEMENTS = B * N * D };

static quartic_device *gpu, *reference;

static int open_devices(void **state) {
    vulkan_test_begin(state);
    gpu = vulkan_test_device();
    assert_ok(quartic_device_create("reference", &reference));
    return 0;
}

static int close_devices(void **state) {
    quartic_device_destroy(gpu);
    quartic_device_destroy(reference);
    return vulkan_test_end(state);
}

/* A diamond with reuse of memory, broadcasts and a transposed operand:
 * p = x y, q = x + row, r = p / (1.5 + y y)^T .. all elementwise, x, y (b, n, d), row (d). */
static quartic_graph *gpu_program_make_graph(void) {
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    quartic_shape full = QUARTIC_SHAPE(B, N, D), row_shape = QUARTIC_SHAPE(D),
                  turned = QUARTIC_SHAPE(B, D, N);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &full);       /* (b, n, d) */
    quartic_value y = quartic_graph_input(graph, "y", QUARTIC_FLOAT32, &turned);     /* (b, d, n) */
    quartic_value row = quartic_graph_parameter(graph, "row", &row_shape);           /* (d) */
    quartic_value y_turned = quartic_permute(graph, y, (const uint32_t[]){0, 2, 1}); /* (b, n, d) */
    quartic_value p = quartic_multiply(graph, x, y_turned), q = quartic_add(graph, x, row);
    for (int k = 0; k < 6; ++k) { /* a chain that hands memory on */
        quartic_graph_push_scope(graph, "chain");
        p = quartic_subtract(graph, quartic_multiply(graph, p, q), quartic_multiply(graph, q, row));
        q = quartic_divide(graph, q, quartic_add(graph, quartic_multiply(graph, q, q), row));
        quartic_graph_pop_scope(graph);
    }
    quartic_graph_output(graph, "p", p);
    quartic_graph_output(graph, "q", q);
    assert_ok(quartic_graph_status(graph));
    return graph;
}

static void gpu_program_fill(quartic_tensor *tensor, uint64_t seed, float low) {
    quartic_shape shape = quartic_tensor_shape(tensor);
    size_t count = quartic_shape_elements(&shape);
    float *numbers = quartic_alloc(count, sizeof *numbers);
    for (size_t k = 0; k < count; ++k) numbers[k] = low + quartic_random_uniform(seed, 1, k);
    assert_ok(quartic_tensor_write(tensor, numbers, count * sizeof *numbers));
    quartic_free(numbers);
}

static void fill_inputs(quartic_program *program, uint64_t seed) {
    gpu_program_fill(quartic_program_tensor(program, "x"), seed, -0.5f);
    gpu_program_fill(quartic_program_tensor(program, "y"), seed + 1, -0.5f);
    gpu_program_fill(quartic_program_tensor(program, "row"), seed + 2, 1.0f);
}

static void gpu_program_read_output(quartic_program *program, const char *name, float out[ELEMENTS]) {
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, name), out, ELEMENTS * sizeof(float)));
}

/* The elementwise shaders may differ from the CPU by a division of 2.5 ulp per step: 20 steps, eps 6e-8. */
static void gpu_program_expect_same(quartic_program *got, quartic_program *want) {
    static float a[ELEMENTS], b[ELEMENTS];
    const char *const names[] = {"p", "q"};
    for (int o = 0; o < 2; ++o) {
        gpu_program_read_output(got, names[o], a);
        gpu_program_read_output(want, names[o], b);
        double scale = 0.0;
        for (int k = 0; k < ELEMENTS; ++k) scale = fmax(scale, fabs((double)b[k]));
        assert_true(scale > 0.1);
        for (int k = 0; k < ELEMENTS; ++k)
            if (!(fabs((double)a[k] - (double)b[k]) <= 5e-6 * scale))
                fail_msg("%s[%d] is %g on Vulkan, %g on the reference", names[o], k, (double)a[k],
                         (double)b[k]);
    }
}

static quartic_program *gpu_program_compile(quartic_device *device, const quartic_program_config *config) {
    quartic_graph *graph = gpu_program_make_graph();
    quartic_program *program;
    assert_ok(quartic_program_create(device, graph, config, &program));
    quartic_graph_destroy(graph);
    return program;
}

static void a_graph_gives_what_the_reference_gives(void **state) {
    (void)state;
    quartic_program *on_gpu = gpu_program_compile(gpu, NULL),
                    *on_reference = gpu_program_compile(reference, NULL);
    int64_t live = quartic_alloc_live();
    for (uint64_t round = 0; round < 3; ++round) {
        fill_inputs(on_gpu, 10 * round);
        fill_inputs(on_reference, 10 * round);
        assert_ok(quartic_program_run(on_gpu));
        assert_ok(quartic_program_run(on_reference));
        gpu_program_expect_same(on_gpu, on_reference);
    }
    assert_int_equal(quartic_alloc_live(), live);
    quartic_program_destroy(on_gpu);
    quartic_program_destroy(on_reference);
}

static void the_same_bits_come_again(void **state) {
    (void)state;
    static float first[ELEMENTS], second[ELEMENTS];
    quartic_program *program = gpu_program_compile(gpu, NULL);
    fill_inputs(program, 5);
    assert_ok(quartic_program_run(program));
    gpu_program_read_output(program, "p", first);
    assert_ok(quartic_program_run(program));
    gpu_program_read_output(program, "p", second);
    assert_memory_equal(first, second, sizeof first);
    quartic_program_destroy(program);
}

static void two_programs_share_a_device_and_tensors(void **state) {
    (void)state;
    quartic_program *one = gpu_program_compile(gpu, NULL), *want = gpu_program_compile(reference, NULL);
    quartic_binding bindings[] = {{"x", quartic_program_tensor(one, "x")},
                                  {"row", quartic_program_tensor(one, "row")}};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = 2;
    quartic_program *two = gpu_program_compile(gpu, &config);
    fill_inputs(two, 7); /* x and row are one's as well */
    gpu_program_fill(quartic_program_tensor(one, "y"), 8, -0.5f);
    fill_inputs(want, 7);
    assert_ok(quartic_program_run(one));
    assert_ok(quartic_program_run(two));
    assert_ok(quartic_program_run(want));
    gpu_program_expect_same(one, want);
    gpu_program_expect_same(two, want);
    quartic_program_destroy(two);
    quartic_program_destroy(one);
    quartic_program_destroy(want);
}

static void a_profile_times_the_steps(void **state) {
    (void)state;
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.profile = 1;
    quartic_program *program = gpu_program_compile(gpu, &config);
    fill_inputs(program, 1);
    assert_ok(quartic_program_run(program));
    double sum = 0.0;
    for (uint32_t s = 0; s < quartic_program_step_count(program); ++s) {
        quartic_step_info info;
        assert_ok(quartic_program_step(program, s, &info));
        assert_true(info.seconds >= 0.0);
        sum += info.seconds;
    }
    assert_true(sum > 0.0);
    quartic_program_destroy(program);
}

static void too_large_a_program_is_refused_with_figures(void **state) {
    (void)state;
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    quartic_shape huge = QUARTIC_SHAPE(1u << 15, 1u << 15); /* 4 GiB */
    quartic_value sum = quartic_graph_input(graph, "x0", QUARTIC_FLOAT32, &huge);
    for (int k = 1; k < 1024; ++k) {
        char name[16];
        snprintf(name, sizeof name, "x%d", k);
        sum = quartic_add(graph, sum, quartic_graph_input(graph, name, QUARTIC_FLOAT32, &huge));
    }
    quartic_graph_output(graph, "sum", sum);
    assert_ok(quartic_graph_status(graph));
    quartic_program *program;
    assert_int_equal(quartic_program_create(gpu, graph, NULL, &program), QUARTIC_OUT_OF_DEVICE_MEMORY);
    assert_null(program);
    assert_non_null(strstr(quartic_error_message(), "MiB"));
    quartic_graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_graph_gives_what_the_reference_gives),
        cmocka_unit_test(the_same_bits_come_again),
        cmocka_unit_test(two_programs_share_a_device_and_tensors),
        cmocka_unit_test(a_profile_times_the_steps),
        cmocka_unit_test(too_large_a_program_is_refused_with_figures),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
