/* invalid_hyper_test.c: invalid input of the ops of hyper-connections. */
#include <math.h>

#include "invalid_input.h"
#include "ops/hyper/hyper.h"

/* The connection of S = 4 streams of width 8, but for x, gamma and eps. */
static void hyper_width_of(quartic_graph *g, quartic_value x, quartic_value gamma, float eps) {
    quartic_value outputs[HYPER_WIDTH_OUTPUTS];
    const quartic_value inputs[HYPER_WIDTH_INPUTS] = {
        [HYPER_X] = x,
        [HYPER_GAMMA] = gamma,
        [HYPER_STATIC_ALPHA] = FLOATS(4, 5),
        [HYPER_ALPHA_FN] = FLOATS(8, 5),
        [HYPER_ALPHA_SCALE] = invalid_operand(g, QUARTIC_FLOAT32, &(quartic_shape){0}),
        [HYPER_STATIC_BETA] = FLOATS(4),
        [HYPER_BETA_FN] = FLOATS(8),
        [HYPER_BETA_SCALE] = invalid_operand(g, QUARTIC_FLOAT32, &(quartic_shape){0})};
    quartic_hyper_width(g, inputs, true, false, eps, outputs);
}

REFUSALS(hyper_width) {
    REFUSED(hyper_width, RANK, SHAPE_MISMATCH, "4 axes",
            hyper_width_of(g, FLOATS(2, 3, 8), FLOATS(8), 1e-5f));
    REFUSED(hyper_width, SIZE, SHAPE_MISMATCH, "4 streams",
            hyper_width_of(g, FLOATS(2, 3, 5, 8), FLOATS(8), 1e-5f));
    REFUSED(hyper_width, SIZE, SHAPE_MISMATCH, "(9)",
            hyper_width_of(g, FLOATS(2, 3, 4, 8), FLOATS(9), 1e-5f));
    REFUSED(hyper_width, DTYPE, INVALID_ARGUMENT, "int32",
            hyper_width_of(g, INTS(2, 3, 4, 8), FLOATS(8), 1e-5f));
    REFUSED(hyper_width, MISSING, INVALID_ARGUMENT, "left out",
            hyper_width_of(g, FLOATS(2, 3, 4, 8), NONE, 1e-5f));
    REFUSED(hyper_width, OPTION, INVALID_ARGUMENT, "eps -1",
            hyper_width_of(g, FLOATS(2, 3, 4, 8), FLOATS(8), -1.0f));
    REFUSED(hyper_width, OPTION, INVALID_ARGUMENT, "eps nan",
            hyper_width_of(g, FLOATS(2, 3, 4, 8), FLOATS(8), NAN));
    for (uint32_t input = HYPER_X; input < HYPER_WIDTH_INPUTS; ++input) {
        REFUSED_CASE(hyper_width, RANK, SHAPE_MISMATCH, "", input);
        REFUSED_CASE(hyper_width, DTYPE, INVALID_ARGUMENT, "int32", input);
        REFUSED_CASE(hyper_width, MISSING, INVALID_ARGUMENT, "left out", input);
    }
}

/* Any of the gradients may be left out, the saved logits may not. */
REFUSALS(hyper_width_grad) {
    IMPOSSIBLE(hyper_width_grad, OPTION, "only the gradient of hyper_width appends it");
    for (uint32_t input = HYPER_SAVED_LOGITS; input < HYPER_WIDTH_GRAD_INPUTS; ++input) {
        REFUSED_CASE(hyper_width_grad, RANK, SHAPE_MISMATCH, "shape", input);
        REFUSED_CASE(hyper_width_grad, SIZE, SHAPE_MISMATCH, "shape", input);
        REFUSED_CASE(hyper_width_grad, DTYPE, INVALID_ARGUMENT, "int32", input);
    }
    REFUSED_CASE(hyper_width_grad, MISSING, INVALID_ARGUMENT, "left out", HYPER_SAVED_LOGITS);
}

REFUSALS(hyper_depth) {
    REFUSED(hyper_depth, RANK, SHAPE_MISMATCH, "(2, 3, 4, 8, 1)",
            quartic_hyper_depth(g, FLOATS(2, 3, 4, 8, 1), FLOATS(2, 3, 4), FLOATS(2, 3, 8)));
    REFUSED(hyper_depth, SIZE, SHAPE_MISMATCH, "(2, 3, 5, 8)",
            quartic_hyper_depth(g, FLOATS(2, 3, 5, 8), FLOATS(2, 3, 4), FLOATS(2, 3, 8)));
    REFUSED(hyper_depth, SIZE, SHAPE_MISMATCH, "65",
            quartic_hyper_depth(g, FLOATS(2, 3, 65, 8), FLOATS(2, 3, 65), FLOATS(2, 3, 8)));
    REFUSED(hyper_depth, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_hyper_depth(g, FLOATS(2, 3, 4, 8), FLOATS(2, 3, 4), INTS(2, 3, 8)));
    REFUSED(hyper_depth, MISSING, INVALID_ARGUMENT, "left out",
            quartic_hyper_depth(g, FLOATS(2, 3, 4, 8), NONE, FLOATS(2, 3, 8)));
    IMPOSSIBLE(hyper_depth, OPTION, "it has no option");
}

REFUSALS(hyper_depth_grad) {
    IMPOSSIBLE(hyper_depth_grad, OPTION, "only the gradient of hyper_depth appends it");
    for (uint32_t input = HYPER_DEPTH_DY; input < HYPER_DEPTH_GRAD_INPUTS; ++input) {
        REFUSED_CASE(hyper_depth_grad, RANK, SHAPE_MISMATCH, "", input);
        REFUSED_CASE(hyper_depth_grad, SIZE, SHAPE_MISMATCH, "shape", input);
        REFUSED_CASE(hyper_depth_grad, DTYPE, INVALID_ARGUMENT, "int32", input);
        REFUSED_CASE(hyper_depth_grad, MISSING, INVALID_ARGUMENT, "left out", input);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hyper_width_refuses),
        cmocka_unit_test(hyper_width_grad_refuses),
        cmocka_unit_test(hyper_depth_refuses),
        cmocka_unit_test(hyper_depth_grad_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
