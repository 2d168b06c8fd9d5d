/* invalid_norms_test.c: invalid input of matrix products, norms, softmax and the cross entropy. */
#include <math.h>

#include "invalid_input.h"

/* matmul with a bias and an addend. */
static void matmul_of(quartic_graph *g, quartic_value a, quartic_value b, quartic_value bias,
                      quartic_value addend, float alpha) {
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.bias = bias;
    options.addend = addend;
    options.alpha = alpha;
    (void)quartic_matmul(g, a, b, &options);
}

REFUSALS(matmul) {
    REFUSED(matmul, RANK, SHAPE_MISMATCH, "(3)", quartic_matmul(g, FLOATS(3), FLOATS(3, 4), NULL));
    REFUSED(matmul, SIZE, SHAPE_MISMATCH, "(5, 4)", quartic_matmul(g, FLOATS(2, 3), FLOATS(5, 4), NULL));
    REFUSED(matmul, SIZE, SHAPE_MISMATCH, "(3, 3, 4)",
            quartic_matmul(g, FLOATS(2, 2, 3), FLOATS(3, 3, 4), NULL));
    REFUSED(matmul, SIZE, SHAPE_MISMATCH, "(5)",
            matmul_of(g, FLOATS(2, 3), FLOATS(3, 4), FLOATS(5), NONE, 1.0f));
    REFUSED(matmul, SIZE, SHAPE_MISMATCH, "(2, 5)",
            matmul_of(g, FLOATS(2, 3), FLOATS(3, 4), NONE, FLOATS(2, 5), 1.0f));
    REFUSED(matmul, SIZE, SHAPE_MISMATCH, "(4, 5)", quartic_linear(g, FLOATS(2, 3), FLOATS(4, 5), NONE));
    REFUSED(matmul, DTYPE, INVALID_ARGUMENT, "int32", quartic_matmul(g, INTS(2, 3), FLOATS(3, 4), NULL));
    REFUSED(matmul, DTYPE, INVALID_ARGUMENT, "int32",
            matmul_of(g, FLOATS(2, 3), FLOATS(3, 4), INTS(4), NONE, 1.0f));
    REFUSED(matmul, MISSING, INVALID_ARGUMENT, "left out", quartic_matmul(g, FLOATS(2, 3), NONE, NULL));
    REFUSED(matmul, OPTION, INVALID_ARGUMENT, "alpha",
            matmul_of(g, FLOATS(2, 3), FLOATS(3, 4), NONE, NONE, 0.0f));
    REFUSED(matmul, OPTION, INVALID_ARGUMENT, "alpha",
            matmul_of(g, FLOATS(2, 3), FLOATS(3, 4), NONE, NONE, INFINITY));
}

REFUSALS(rms_norm) {
    REFUSED(rms_norm, RANK, SHAPE_MISMATCH, "()",
            quartic_rms_norm(g, invalid_operand(g, QUARTIC_FLOAT32, &(quartic_shape){0}), NONE, 1e-5f));
    REFUSED(rms_norm, SIZE, SHAPE_MISMATCH, "(4)", quartic_rms_norm(g, FLOATS(2, 3), FLOATS(4), 1e-5f));
    REFUSED(rms_norm, DTYPE, INVALID_ARGUMENT, "int32", quartic_rms_norm(g, INTS(2, 3), NONE, 1e-5f));
    REFUSED(rms_norm, DTYPE, INVALID_ARGUMENT, "int32", quartic_rms_norm(g, FLOATS(2, 3), INTS(3), 1e-5f));
    REFUSED(rms_norm, MISSING, INVALID_ARGUMENT, "left out", quartic_rms_norm(g, NONE, NONE, 1e-5f));
    REFUSED(rms_norm, OPTION, INVALID_ARGUMENT, "eps -1", quartic_rms_norm(g, FLOATS(2, 3), NONE, -1.0f));
    REFUSED(rms_norm, OPTION, INVALID_ARGUMENT, "eps nan", quartic_rms_norm(g, FLOATS(2, 3), NONE, NAN));
}

REFUSALS(l2_norm) {
    REFUSED(l2_norm, RANK, SHAPE_MISMATCH, "(2, 3)", quartic_l2_norm(g, FLOATS(2, 3), FLOATS(2, 3), 0.0f));
    REFUSED(l2_norm, SIZE, SHAPE_MISMATCH, "(4)", quartic_l2_norm(g, FLOATS(2, 3), FLOATS(4), 0.0f));
    REFUSED(l2_norm, DTYPE, INVALID_ARGUMENT, "int32", quartic_l2_norm(g, INTS(2, 3), FLOATS(3), 0.0f));
    REFUSED(l2_norm, MISSING, INVALID_ARGUMENT, "left out", quartic_l2_norm(g, FLOATS(2, 3), NONE, 0.0f));
    REFUSED(l2_norm, OPTION, INVALID_ARGUMENT, "offset inf",
            quartic_l2_norm(g, FLOATS(2, 3), FLOATS(3), INFINITY));
}

REFUSALS(layer_norm) {
    REFUSED(layer_norm, RANK, SHAPE_MISMATCH, "(1, 3)",
            quartic_layer_norm(g, FLOATS(2, 3), FLOATS(1, 3), FLOATS(3), 1e-5f));
    REFUSED(layer_norm, SIZE, SHAPE_MISMATCH, "(4)",
            quartic_layer_norm(g, FLOATS(2, 3), FLOATS(3), FLOATS(4), 1e-5f));
    REFUSED(layer_norm, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_layer_norm(g, FLOATS(2, 3), FLOATS(3), INTS(3), 1e-5f));
    REFUSED(layer_norm, MISSING, INVALID_ARGUMENT, "left out",
            quartic_layer_norm(g, FLOATS(2, 3), FLOATS(3), NONE, 1e-5f));
    REFUSED(layer_norm, OPTION, INVALID_ARGUMENT, "eps -1",
            quartic_layer_norm(g, FLOATS(2, 3), FLOATS(3), FLOATS(3), -1.0f));
}

/* The three adjoints take x, the scale where there is one, and the gradient of the result. */
REFUSALS(rms_norm_grad) {
    IMPOSSIBLE(rms_norm_grad, OPTION, "only the gradient of rms_norm appends it");
    REFUSED_CASE(rms_norm_grad, RANK, SHAPE_MISMATCH, "shape", 0);
    REFUSED_CASE(rms_norm_grad, SIZE, SHAPE_MISMATCH, "shape", 0);
    REFUSED_CASE(rms_norm_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(rms_norm_grad, MISSING, INVALID_ARGUMENT, "left out", 0);
}

REFUSALS(l2_norm_grad) {
    IMPOSSIBLE(l2_norm_grad, OPTION, "only the gradient of l2_norm appends it");
    REFUSED_CASE(l2_norm_grad, RANK, SHAPE_MISMATCH, "shape", 0);
    REFUSED_CASE(l2_norm_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(l2_norm_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(l2_norm_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

REFUSALS(layer_norm_grad) {
    IMPOSSIBLE(layer_norm_grad, OPTION, "only the gradient of layer_norm appends it");
    REFUSED_CASE(layer_norm_grad, RANK, SHAPE_MISMATCH, "shape", 0);
    REFUSED_CASE(layer_norm_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(layer_norm_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(layer_norm_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

static void norm_linear_of(quartic_graph *g, quartic_value x, quartic_value scale, quartic_value weight,
                           uint32_t count, float eps, float alpha) {
    quartic_norm_linear_options options = QUARTIC_NORM_LINEAR_OPTIONS_INIT;
    const quartic_value weights[5] = {weight, weight, weight, weight, weight};
    quartic_value products[5];
    options.eps = eps;
    options.alpha = alpha;
    quartic_norm_linear(g, x, scale, weights, count, &options, products);
}

REFUSALS(norm_linear) {
    REFUSED(norm_linear, RANK, SHAPE_MISMATCH, "(3)",
            norm_linear_of(g, FLOATS(2, 3), NONE, FLOATS(3), 1, 1e-5f, 1.0f));
    REFUSED(norm_linear, SIZE, SHAPE_MISMATCH, "(4, 5)",
            norm_linear_of(g, FLOATS(2, 3), NONE, FLOATS(4, 5), 1, 1e-5f, 1.0f));
    REFUSED(norm_linear, SIZE, SHAPE_MISMATCH, "(5)",
            norm_linear_of(g, FLOATS(2, 3), FLOATS(5), FLOATS(4, 3), 1, 1e-5f, 1.0f));
    REFUSED(norm_linear, DTYPE, INVALID_ARGUMENT, "int32",
            norm_linear_of(g, FLOATS(2, 3), NONE, INTS(4, 3), 1, 1e-5f, 1.0f));
    REFUSED(norm_linear, MISSING, INVALID_ARGUMENT, "left out",
            norm_linear_of(g, FLOATS(2, 3), NONE, NONE, 1, 1e-5f, 1.0f));
    REFUSED(norm_linear, OPTION, INVALID_ARGUMENT, "not 7",
            norm_linear_of(g, FLOATS(2, 3), NONE, FLOATS(4, 3), 5, 1e-5f, 1.0f));
    REFUSED(norm_linear, OPTION, INVALID_ARGUMENT, "not 2",
            norm_linear_of(g, FLOATS(2, 3), NONE, FLOATS(4, 3), 0, 1e-5f, 1.0f));
    REFUSED(norm_linear, OPTION, INVALID_ARGUMENT, "eps -1",
            norm_linear_of(g, FLOATS(2, 3), NONE, FLOATS(4, 3), 1, -1.0f, 1.0f));
    REFUSED(norm_linear, OPTION, INVALID_ARGUMENT, "alpha",
            norm_linear_of(g, FLOATS(2, 3), NONE, FLOATS(4, 3), 1, 1e-5f, 0.0f));
}

/* Of gated_linear and gelu_linear. */
REFUSALS(gated_linear) {
    IMPOSSIBLE(gated_linear, OPTION, "it has no option");
    REFUSED(gated_linear, RANK, SHAPE_MISMATCH, "(4)",
            quartic_gated_linear(g, FLOATS(2, 4), FLOATS(2, 2), FLOATS(4), NONE));
    REFUSED(gated_linear, SIZE, SHAPE_MISMATCH, "3 gates",
            quartic_gated_linear(g, FLOATS(2, 4), FLOATS(2, 3), FLOATS(3, 4), NONE));
    REFUSED(gated_linear, SIZE, SHAPE_MISMATCH, "(3, 5)",
            quartic_gated_linear(g, FLOATS(2, 4), FLOATS(2, 2), FLOATS(3, 5), NONE));
    REFUSED(gated_linear, SIZE, SHAPE_MISMATCH, "(2, 7)",
            quartic_gated_linear(g, FLOATS(2, 4), FLOATS(2, 2), FLOATS(3, 4), FLOATS(2, 7)));
    REFUSED(gated_linear, SIZE, SHAPE_MISMATCH, "(3, 5)",
            quartic_gelu_linear(g, FLOATS(2, 4), FLOATS(3, 5), NONE));
    REFUSED(gated_linear, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_gated_linear(g, FLOATS(2, 4), INTS(2, 2), FLOATS(3, 4), NONE));
    REFUSED(gated_linear, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_gelu_linear(g, INTS(2, 4), FLOATS(3, 4), NONE));
    REFUSED(gated_linear, MISSING, INVALID_ARGUMENT, "left out",
            quartic_gelu_linear(g, FLOATS(2, 4), NONE, NONE));
}

REFUSALS(softmax) {
    IMPOSSIBLE(softmax, OPTION, "causal is a truth value");
    REFUSED(softmax, RANK, SHAPE_MISMATCH, "(3, 3)", quartic_softmax(g, FLOATS(3, 3), NONE, 0));
    REFUSED(softmax, RANK, SHAPE_MISMATCH, "(3)", quartic_softmax(g, FLOATS(2, 1, 3, 3), INTS(3), 0));
    REFUSED(softmax, SIZE, SHAPE_MISMATCH, "(2, 4)", quartic_softmax(g, FLOATS(2, 1, 3, 3), INTS(2, 4), 0));
    REFUSED(softmax, DTYPE, INVALID_ARGUMENT, "not int32", quartic_softmax(g, INTS(2, 1, 3, 3), NONE, 0));
    REFUSED(softmax, DTYPE, INVALID_ARGUMENT, "not float32",
            quartic_softmax(g, FLOATS(2, 1, 3, 3), FLOATS(2, 3), 0));
    REFUSED(softmax, MISSING, INVALID_ARGUMENT, "left out", quartic_softmax(g, NONE, NONE, 0));
}

REFUSALS(softmax_grad) {
    IMPOSSIBLE(softmax_grad, OPTION, "only the gradient of softmax appends it");
    REFUSED_CASE(softmax_grad, RANK, SHAPE_MISMATCH, "axes", 0);
    REFUSED_CASE(softmax_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(softmax_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(softmax_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

REFUSALS(cross_entropy) {
    IMPOSSIBLE(cross_entropy, OPTION, "it has no option");
    REFUSED(cross_entropy, RANK, SHAPE_MISMATCH, "(2, 3, 4)",
            quartic_cross_entropy(g, FLOATS(2, 3, 4), INTS(2)));
    REFUSED(cross_entropy, SIZE, SHAPE_MISMATCH, "(3)", quartic_cross_entropy(g, FLOATS(2, 3), INTS(3)));
    REFUSED(cross_entropy, DTYPE, INVALID_ARGUMENT, "int32", quartic_cross_entropy(g, INTS(2, 3), INTS(2)));
    REFUSED(cross_entropy, DTYPE, INVALID_ARGUMENT, "float32",
            quartic_cross_entropy(g, FLOATS(2, 3), FLOATS(2)));
    REFUSED(cross_entropy, MISSING, INVALID_ARGUMENT, "left out",
            quartic_cross_entropy(g, FLOATS(2, 3), NONE));
}

REFUSALS(cross_entropy_grad) {
    IMPOSSIBLE(cross_entropy_grad, OPTION, "it has no option");
    REFUSED_CASE(cross_entropy_grad, RANK, SHAPE_MISMATCH, "axes", 0);
    REFUSED_CASE(cross_entropy_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(cross_entropy_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(cross_entropy_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul_refuses),
        cmocka_unit_test(rms_norm_refuses),
        cmocka_unit_test(l2_norm_refuses),
        cmocka_unit_test(layer_norm_refuses),
        cmocka_unit_test(rms_norm_grad_refuses),
        cmocka_unit_test(l2_norm_grad_refuses),
        cmocka_unit_test(norm_linear_refuses),
        cmocka_unit_test(layer_norm_grad_refuses),
        cmocka_unit_test(gated_linear_refuses),
        cmocka_unit_test(softmax_refuses),
        cmocka_unit_test(softmax_grad_refuses),
        cmocka_unit_test(cross_entropy_refuses),
        cmocka_unit_test(cross_entropy_grad_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
