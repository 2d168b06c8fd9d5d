/* invalid_elementwise_test.c: invalid input of elementwise ops, sums and in-place updates. */
#include <math.h>

#include "invalid_input.h"

REFUSALS(binary) {
    IMPOSSIBLE(binary, OPTION, "each function is a builder of its own");
    IMPOSSIBLE(binary, RANK, "operands of any number of axes are broadcast");
    REFUSED(binary, SIZE, SHAPE_MISMATCH, "(2, 4)", quartic_add(g, FLOATS(2, 3), FLOATS(2, 4)));
    REFUSED(binary, SIZE, SHAPE_MISMATCH, "(2)", quartic_divide(g, FLOATS(2, 3), FLOATS(2)));
    REFUSED(binary, DTYPE, INVALID_ARGUMENT, "int32", quartic_multiply(g, INTS(2, 3), FLOATS(2, 3)));
    REFUSED(binary, DTYPE, INVALID_ARGUMENT, "int32", quartic_subtract(g, FLOATS(2, 3), INTS(2, 3)));
    REFUSED(binary, MISSING, INVALID_ARGUMENT, "left out", quartic_add(g, FLOATS(2, 3), NONE));
}

REFUSALS(unary) {
    IMPOSSIBLE(unary, RANK, "any shape will do");
    IMPOSSIBLE(unary, SIZE, "any shape will do");
    IMPOSSIBLE(unary, OPTION, "factor and offset of scale may be any numbers");
    REFUSED(unary, DTYPE, INVALID_ARGUMENT, "int32", quartic_exp(g, INTS(2, 3)));
    REFUSED(unary, DTYPE, INVALID_ARGUMENT, "int32", quartic_scale(g, INTS(2, 3), 2.0f, 0.0f));
    REFUSED(unary, MISSING, INVALID_ARGUMENT, "left out", quartic_gelu(g, NONE));
}

REFUSALS(unary_grad) {
    IMPOSSIBLE(unary_grad, OPTION, "only the gradients of unary functions append it");
    REFUSED_CASE(unary_grad, RANK, SHAPE_MISMATCH, "shape", 0);
    REFUSED_CASE(unary_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(unary_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(unary_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(unary_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

REFUSALS(multiply_add_loop) {
    IMPOSSIBLE(multiply_add_loop, RANK, "any shape will do");
    IMPOSSIBLE(multiply_add_loop, SIZE, "any shape will do");
    REFUSED(multiply_add_loop, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_multiply_add_loop(g, INTS(2, 3), 0.5f, 1.0f, 3));
    REFUSED(multiply_add_loop, MISSING, INVALID_ARGUMENT, "left out",
            quartic_multiply_add_loop(g, NONE, 0.5f, 1.0f, 3));
    REFUSED(multiply_add_loop, OPTION, INVALID_ARGUMENT, "1.5",
            quartic_multiply_add_loop(g, FLOATS(2, 3), 1.5f, 1.0f, 3));
    REFUSED(multiply_add_loop, OPTION, INVALID_ARGUMENT, "nan",
            quartic_multiply_add_loop(g, FLOATS(2, 3), NAN, 1.0f, 3));
}

REFUSALS(sum) {
    IMPOSSIBLE(sum, SIZE, "any extents are summed");
    REFUSED(sum, RANK, SHAPE_MISMATCH, "(2, 3)", quartic_sum(g, FLOATS(2, 3), 4, 0));
    REFUSED(sum, DTYPE, INVALID_ARGUMENT, "int32", quartic_sum(g, INTS(2, 3), 1, 0));
    REFUSED(sum, MISSING, INVALID_ARGUMENT, "left out", quartic_sum(g, NONE, 1, 0));
    REFUSED(sum, OPTION, SHAPE_MISMATCH, "0x80000000", quartic_sum(g, FLOATS(2, 3), 0x80000000u, 1));
}

REFUSALS(dropout) {
    IMPOSSIBLE(dropout, RANK, "x may have any shape; a seed of another shape is a wrong size");
    REFUSED(dropout, SIZE, SHAPE_MISMATCH, "(3)", quartic_dropout(g, FLOATS(2, 3), INTS(3), 0.5f, 0));
    REFUSED(dropout, DTYPE, INVALID_ARGUMENT, "int32", quartic_dropout(g, INTS(2, 3), INTS(2), 0.5f, 0));
    REFUSED(dropout, DTYPE, INVALID_ARGUMENT, "float32",
            quartic_dropout(g, FLOATS(2, 3), FLOATS(2), 0.5f, 0));
    REFUSED(dropout, MISSING, INVALID_ARGUMENT, "left out", quartic_dropout(g, FLOATS(2, 3), NONE, 0.5f, 0));
    REFUSED(dropout, OPTION, INVALID_ARGUMENT, "1.5", quartic_dropout(g, FLOATS(2, 3), INTS(2), 1.5f, 0));
    REFUSED(dropout, OPTION, INVALID_ARGUMENT, "-0.5", quartic_dropout(g, FLOATS(2, 3), INTS(2), -0.5f, 0));
    REFUSED(dropout, OPTION, INVALID_ARGUMENT, "nan", quartic_dropout(g, FLOATS(2, 3), INTS(2), NAN, 0));
}

REFUSALS(sum_squares) {
    IMPOSSIBLE(sum_squares, RANK, "any shape will do");
    IMPOSSIBLE(sum_squares, SIZE, "any shape will do");
    IMPOSSIBLE(sum_squares, OPTION, "it has no option");
    REFUSED(sum_squares, DTYPE, INVALID_ARGUMENT, "int32", quartic_sum_squares(g, INTS(2, 3)));
    REFUSED(sum_squares, MISSING, INVALID_ARGUMENT, "left out", quartic_sum_squares(g, NONE));
}

REFUSALS(accumulate) {
    REFUSED(accumulate, RANK, SHAPE_MISMATCH, "(3, 1)", quartic_accumulate(g, STATE(3), FLOATS(3, 1), 1.0f));
    REFUSED(accumulate, SIZE, SHAPE_MISMATCH, "(4)", quartic_accumulate(g, STATE(3), FLOATS(4), 1.0f));
    REFUSED(accumulate, DTYPE, INVALID_ARGUMENT, "int32", quartic_accumulate(g, STATE(3), INTS(3), 1.0f));
    REFUSED(accumulate, MISSING, INVALID_ARGUMENT, "left out", quartic_accumulate(g, STATE(3), NONE, 1.0f));
    REFUSED(accumulate, OPTION, INVALID_ARGUMENT, "nan", quartic_accumulate(g, STATE(3), FLOATS(3), NAN));
    /* A target must be a state, a parameter or a view of one. */
    REFUSED(accumulate, OPTION, INVALID_ARGUMENT, "state", quartic_accumulate(g, FLOATS(3), FLOATS(3), 1.0f));
}

REFUSALS(assign) {
    REFUSED(assign, RANK, SHAPE_MISMATCH, "(3, 1)", quartic_assign(g, STATE(3), FLOATS(3, 1)));
    REFUSED(assign, SIZE, SHAPE_MISMATCH, "(4)", quartic_assign(g, STATE(3), FLOATS(4)));
    REFUSED(assign, DTYPE, INVALID_ARGUMENT, "int32", quartic_assign(g, STATE(3), INTS(3)));
    REFUSED(assign, MISSING, INVALID_ARGUMENT, "left out", quartic_assign(g, STATE(3), NONE));
    REFUSED(assign, OPTION, INVALID_ARGUMENT, "state", quartic_assign(g, FLOATS(3), FLOATS(3)));
}

REFUSALS(fill) {
    IMPOSSIBLE(fill, RANK, "any shape is filled");
    IMPOSSIBLE(fill, SIZE, "any shape is filled");
    REFUSED(fill, DTYPE, INVALID_ARGUMENT, "0.5",
            quartic_fill(g, invalid_state(g, QUARTIC_INT32, &QUARTIC_SHAPE(3)), 0.5f));
    REFUSED(fill, MISSING, INVALID_ARGUMENT, "left out", quartic_fill(g, NONE, 1.0f));
    REFUSED(fill, OPTION, INVALID_ARGUMENT, "state", quartic_fill(g, FLOATS(3), 1.0f));
    REFUSED(fill, OPTION, INVALID_ARGUMENT, "3e+09",
            quartic_fill(g, invalid_state(g, QUARTIC_INT32, &QUARTIC_SHAPE(3)), 3e9f));
}

REFUSALS(adamw) {
#define ADAMW(p, x, m, v, hyper, norm, factor) quartic_adamw(g, p, x, m, v, hyper, norm, factor)
    REFUSED(adamw, RANK, SHAPE_MISMATCH, "(3, 1)",
            ADAMW(STATE(3), FLOATS(3, 1), STATE(3), STATE(3), FLOATS(8), NONE, 1.0f));
    REFUSED(adamw, SIZE, SHAPE_MISMATCH, "(4)",
            ADAMW(STATE(3), FLOATS(3), STATE(4), STATE(3), FLOATS(8), NONE, 1.0f));
    REFUSED(adamw, SIZE, SHAPE_MISMATCH, "(7)",
            ADAMW(STATE(3), FLOATS(3), STATE(3), STATE(3), FLOATS(7), NONE, 1.0f));
    REFUSED(adamw, SIZE, SHAPE_MISMATCH, "(2)",
            ADAMW(STATE(3), FLOATS(3), STATE(3), STATE(3), FLOATS(8), FLOATS(2), 1.0f));
    REFUSED(adamw, DTYPE, INVALID_ARGUMENT, "int32",
            ADAMW(STATE(3), INTS(3), STATE(3), STATE(3), FLOATS(8), NONE, 1.0f));
    REFUSED(adamw, DTYPE, INVALID_ARGUMENT, "int32",
            ADAMW(STATE(3), FLOATS(3), STATE(3), STATE(3), INTS(8), NONE, 1.0f));
    REFUSED(adamw, MISSING, INVALID_ARGUMENT, "left out",
            ADAMW(STATE(3), FLOATS(3), STATE(3), STATE(3), NONE, NONE, 1.0f));
    REFUSED(adamw, OPTION, INVALID_ARGUMENT, "factor nan",
            ADAMW(STATE(3), FLOATS(3), STATE(3), STATE(3), FLOATS(8), NONE, NAN));
    REFUSED(adamw, OPTION, INVALID_ARGUMENT, "state",
            ADAMW(FLOATS(3), FLOATS(3), STATE(3), STATE(3), FLOATS(8), NONE, 1.0f));
#undef ADAMW
}

REFUSALS(straight_through) {
    IMPOSSIBLE(straight_through, RANK, "any shape will do");
    IMPOSSIBLE(straight_through, SIZE, "any shape will do");
    IMPOSSIBLE(straight_through, OPTION, "it has no option");
    REFUSED(straight_through, DTYPE, INVALID_ARGUMENT, "int32", quartic_straight_through(g, INTS(2, 3)));
    REFUSED(straight_through, MISSING, INVALID_ARGUMENT, "left out", quartic_straight_through(g, NONE));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_refuses),     cmocka_unit_test(unary_refuses),
        cmocka_unit_test(unary_grad_refuses), cmocka_unit_test(multiply_add_loop_refuses),
        cmocka_unit_test(sum_refuses),        cmocka_unit_test(dropout_refuses),
        cmocka_unit_test(fill_refuses),       cmocka_unit_test(sum_squares_refuses),
        cmocka_unit_test(accumulate_refuses), cmocka_unit_test(assign_refuses),
        cmocka_unit_test(adamw_refuses),      cmocka_unit_test(straight_through_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
