/* row_linear_tests.c: see row_linear_tests.h. */
#include "row_linear_tests.h"

#include <math.h>
#include "base/rng.h"
#include "quartic/graph.h"
#include "quartic/program.h"
#include "validate_device.h"

enum { IDENTITY_MOST = 8 };

typedef struct identity {
    quartic_graph *graph;
    quartic_value inputs[IDENTITY_MOST];
    quartic_shape shapes[IDENTITY_MOST];
    uint32_t input_count, output_count;
} identity;

static quartic_value identity_input(identity *test, quartic_shape shape) {
    char name[16];
    snprintf(name, sizeof name, "x%u", test->input_count);
    quartic_value x = quartic_graph_input(test->graph, name, QUARTIC_FLOAT32, &shape);
    test->shapes[test->input_count] = shape;
    return test->inputs[test->input_count++] = x;
}

/* Both values, and the gradients of a weighted sum of each by all inputs so far, as outputs "f<k>" and
 * "c<k>". */
static void identity_pair(identity *test, quartic_value fused, quartic_value composed) {
    const quartic_value sides[] = {fused, composed};
    uint32_t wanted = test->input_count;
    quartic_value cotangent = identity_input(test, quartic_graph_shape(test->graph, composed));
    for (uint32_t side = 0; side < 2; ++side) {
        quartic_value gradients[IDENTITY_MOST];
        char name[16];
        assert_ok(
            quartic_graph_gradients(test->graph, sides[side], cotangent, test->inputs, wanted, gradients));
        snprintf(name, sizeof name, "%c0", "fc"[side]);
        quartic_graph_output(test->graph, name, sides[side]);
        for (uint32_t k = 0; k < wanted; ++k) {
            snprintf(name, sizeof name, "%c%u", "fc"[side], k + 1);
            quartic_graph_output(test->graph, name, gradients[k]);
        }
    }
    test->output_count = wanted + 1;
    assert_ok(quartic_graph_status(test->graph));
}

static void identity_run(const char *label, quartic_device *device, identity *test) {
    quartic_program *program = NULL;
    assert_ok(quartic_program_create(device, test->graph, NULL, &program));
    for (uint32_t k = 0; k < test->input_count; ++k) {
        char name[16];
        snprintf(name, sizeof name, "x%u", k);
        size_t count = quartic_shape_elements(&test->shapes[k]);
        float *numbers = quartic_alloc(count, sizeof *numbers);
        for (size_t i = 0; i < count; ++i) numbers[i] = quartic_random_normal(23, k, i);
        assert_ok(
            quartic_tensor_write(quartic_program_tensor(program, name), numbers, count * sizeof *numbers));
        quartic_free(numbers);
    }
    assert_ok(quartic_program_run(program));
    for (uint32_t k = 0; k < test->output_count; ++k) {
        float *sides[2];
        size_t count = 0;
        for (uint32_t side = 0; side < 2; ++side) {
            char name[16];
            snprintf(name, sizeof name, "%c%u", "fc"[side], k);
            quartic_tensor *tensor = quartic_program_tensor(program, name);
            quartic_shape shape = quartic_tensor_shape(tensor);
            count = quartic_shape_elements(&shape);
            sides[side] = quartic_alloc(count, sizeof(float));
            assert_ok(quartic_tensor_read(tensor, sides[side], count * sizeof(float)));
        }
        double greatest = 0, error = 0;
        for (size_t i = 0; i < count; ++i) {
            greatest = fmax(greatest, fabs((double)sides[1][i]));
            double difference = fabs((double)sides[0][i] - (double)sides[1][i]);
            error = difference <= error ? error : difference; /* keeps a NaN */
        }
        /* Both round sums of at most a few hundred products. */
        if (!(greatest > 0) || !(error <= 4e-6 * greatest))
            fail_msg("%s, output %u: differs by %.3g of %.3g", label, k, error, greatest);
        for (uint32_t side = 0; side < 2; ++side) quartic_free(sides[side]);
    }
    quartic_program_destroy(program);
    quartic_graph_destroy(test->graph);
}

/* The products of all parts side by side, (rows, sum of N_p), so that one cotangent reaches each. */
static void norm_linear_is_its_composition(quartic_device *device, uint32_t l2, uint32_t rows, uint32_t k,
                                           const uint32_t n[4], uint32_t raw) {
    identity test = {0};
    assert_ok(quartic_graph_create(&test.graph));
    quartic_value x = identity_input(&test, QUARTIC_SHAPE(rows, k)),
                  scale = identity_input(&test, QUARTIC_SHAPE(k));
    quartic_value weights[4], fused[4], composed[4];
    for (uint32_t part = 0; part < 4; ++part)
        weights[part] = identity_input(&test, QUARTIC_SHAPE(n[part], k));
    const quartic_norm_linear_options options = {
        .l2 = l2, .raw = raw, .eps = 1e-5f, .scale_offset = l2 ? 1.0f : 0.0f, .alpha = 0.3f};
    quartic_norm_linear(test.graph, x, scale, weights, 4, &options, fused);
    quartic_value normed =
        l2 ? quartic_l2_norm(test.graph, x, scale, 1.0f) : quartic_rms_norm(test.graph, x, scale, 1e-5f);
    for (uint32_t part = 0; part < 4; ++part) {
        quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
        product.transpose_b = 1;
        if (part == 0) product.alpha = 0.3f;
        composed[part] = quartic_matmul(test.graph, raw >> part & 1u ? x : normed, weights[part], &product);
    }
    identity_pair(&test, quartic_concat(test.graph, fused, 4, 1), quartic_concat(test.graph, composed, 4, 1));
    identity_run(l2 ? "norm_linear, l2" : "norm_linear, rms", device, &test);
}

static void gated_linear_is_its_composition(quartic_device *device, uint32_t rows, uint32_t heads,
                                            uint32_t width, uint32_t n) {
    identity test = {0};
    assert_ok(quartic_graph_create(&test.graph));
    quartic_graph *graph = test.graph;
    quartic_value x = identity_input(&test, QUARTIC_SHAPE(rows, heads * width)),
                  gates = identity_input(&test, QUARTIC_SHAPE(rows, heads)),
                  weight = identity_input(&test, QUARTIC_SHAPE(n, heads * width)),
                  addend = identity_input(&test, QUARTIC_SHAPE(rows, n));
    quartic_value wide = quartic_reshape(graph, x, &QUARTIC_SHAPE(rows, heads, width));
    quartic_value open =
        quartic_reshape(graph, quartic_sigmoid(graph, gates), &QUARTIC_SHAPE(rows, heads, 1));
    quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
    product.transpose_b = 1;
    product.addend = addend;
    quartic_value gated =
        quartic_reshape(graph, quartic_multiply(graph, wide, open), &QUARTIC_SHAPE(rows, heads * width));
    identity_pair(&test, quartic_gated_linear(graph, x, gates, weight, addend),
                  quartic_matmul(graph, gated, weight, &product));
    identity_run("gated_linear", device, &test);
}

static void gelu_linear_is_its_composition(quartic_device *device, uint32_t rows, uint32_t k, uint32_t n) {
    identity test = {0};
    assert_ok(quartic_graph_create(&test.graph));
    quartic_value x = identity_input(&test, QUARTIC_SHAPE(rows, k)),
                  weight = identity_input(&test, QUARTIC_SHAPE(n, k)),
                  addend = identity_input(&test, QUARTIC_SHAPE(rows, n));
    quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
    product.transpose_b = 1;
    product.addend = addend;
    identity_pair(&test, quartic_gelu_linear(test.graph, x, weight, addend),
                  quartic_matmul(test.graph, quartic_gelu(test.graph, x), weight, &product));
    identity_run("gelu_linear", device, &test);
}

void row_linear_is_its_composition(const char *name, bool few) {
    int64_t live = quartic_alloc_live();
    quartic_device *device;
    assert_ok(quartic_device_create(name, &device));
    norm_linear_is_its_composition(device, 1, 129, 32, (const uint32_t[]){40, 40, 40, 5}, 8);
    gated_linear_is_its_composition(device, 129, 4, 20, 32);
    gelu_linear_is_its_composition(device, 65, 33, 13);
    if (!few) {
        norm_linear_is_its_composition(device, 1, 1, 1, (const uint32_t[]){1, 2, 3, 1}, 8);
        norm_linear_is_its_composition(device, 0, 97, 67, (const uint32_t[]){3, 130, 7, 64}, 3);
        norm_linear_is_its_composition(device, 0, 500, 64, (const uint32_t[]){64, 1, 100, 9}, 0);
        gated_linear_is_its_composition(device, 1, 1, 1, 1);
        gated_linear_is_its_composition(device, 500, 3, 23, 37);
        gelu_linear_is_its_composition(device, 500, 128, 32);
    }
    quartic_device_destroy(device);
    assert_int_equal(quartic_alloc_live(), live);
}
