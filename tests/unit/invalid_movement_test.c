/* invalid_movement_test.c: invalid input of the ops that move numbers: views, copies, tables, rows. */
#include "graph/tape.h"
#include "invalid_input.h"

REFUSALS(reshape) {
    const quartic_shape seven_axes = {7, {1, 1, 1, 1, 1, 1}};
    IMPOSSIBLE(reshape, DTYPE, "a view takes any dtype");
    REFUSED(reshape, RANK, INVALID_ARGUMENT, "7 axes", quartic_reshape(g, FLOATS(2, 3), &seven_axes));
    REFUSED(reshape, SIZE, SHAPE_MISMATCH, "(7)", quartic_reshape(g, FLOATS(2, 3), &QUARTIC_SHAPE(7)));
    REFUSED(reshape, MISSING, INVALID_ARGUMENT, "left out", quartic_reshape(g, NONE, &QUARTIC_SHAPE(6)));
    REFUSED(reshape, OPTION, INVALID_ARGUMENT, "NULL", quartic_reshape(g, FLOATS(2, 3), NULL));
}

REFUSALS(permute) {
    const uint32_t twice[] = {1, 1}, beyond[] = {0, 2}, turned[] = {1, 0};
    IMPOSSIBLE(permute, DTYPE, "a view takes any dtype");
    IMPOSSIBLE(permute, SIZE, "any extents can change places");
    REFUSED(permute, RANK, SHAPE_MISMATCH, "(2, 3)", quartic_permute(g, FLOATS(2, 3), beyond));
    REFUSED(permute, MISSING, INVALID_ARGUMENT, "left out", quartic_permute(g, NONE, turned));
    REFUSED(permute, OPTION, SHAPE_MISMATCH, "(2, 3)", quartic_permute(g, FLOATS(2, 3), twice));
    REFUSED(permute, OPTION, INVALID_ARGUMENT, "NULL", quartic_permute(g, FLOATS(2, 3), NULL));
}

REFUSALS(slice) {
    IMPOSSIBLE(slice, DTYPE, "a view takes any dtype");
    REFUSED(slice, RANK, SHAPE_MISMATCH, "axis 2", quartic_slice(g, FLOATS(2, 3), 2, 0, 1));
    REFUSED(slice, SIZE, SHAPE_MISMATCH, "length 3", quartic_slice(g, FLOATS(2, 3), 1, 1, 3));
    REFUSED(slice, SIZE, SHAPE_MISMATCH, "start 4294967295",
            quartic_slice(g, FLOATS(2, 3), 1, UINT32_MAX, 2)); /* the sum wraps round */
    REFUSED(slice, MISSING, INVALID_ARGUMENT, "left out", quartic_slice(g, NONE, 0, 0, 1));
    REFUSED(slice, OPTION, SHAPE_MISMATCH, "axis 4294967295",
            quartic_slice(g, FLOATS(2, 3), UINT32_MAX, 0, 1));
}

REFUSALS(broadcast) {
    IMPOSSIBLE(broadcast, DTYPE, "a view takes any dtype");
    REFUSED(broadcast, RANK, SHAPE_MISMATCH, "(2, 3)", quartic_broadcast(g, FLOATS(2, 3), &QUARTIC_SHAPE(3)));
    REFUSED(broadcast, SIZE, SHAPE_MISMATCH, "(2, 4)",
            quartic_broadcast(g, FLOATS(2, 3), &QUARTIC_SHAPE(2, 4)));
    REFUSED(broadcast, MISSING, INVALID_ARGUMENT, "left out", quartic_broadcast(g, NONE, &QUARTIC_SHAPE(4)));
    REFUSED(broadcast, OPTION, INVALID_ARGUMENT, "NULL", quartic_broadcast(g, FLOATS(2, 3), NULL));
}

REFUSALS(diagonal) {
    IMPOSSIBLE(diagonal, DTYPE, "a view takes any dtype");
    REFUSED(diagonal, RANK, SHAPE_MISMATCH, "(3)", quartic_diagonal(g, FLOATS(3), 0));
    REFUSED(diagonal, SIZE, SHAPE_MISMATCH, "(2, 3)", quartic_diagonal(g, FLOATS(2, 3), 0));
    REFUSED(diagonal, MISSING, INVALID_ARGUMENT, "left out", quartic_diagonal(g, NONE, 0));
    REFUSED(diagonal, OPTION, SHAPE_MISMATCH, "axis 1", quartic_diagonal(g, FLOATS(3, 3), 1));
}

REFUSALS(copy) {
    IMPOSSIBLE(copy, RANK, "any number of axes is copied");
    IMPOSSIBLE(copy, SIZE, "any extents are copied");
    IMPOSSIBLE(copy, DTYPE, "any dtype is copied");
    IMPOSSIBLE(copy, OPTION, "it has no option");
    REFUSED(copy, MISSING, INVALID_ARGUMENT, "left out", quartic_copy(g, NONE));
}

REFUSALS(concat) {
    REFUSED(concat, RANK, SHAPE_MISMATCH, "(2, 3, 1)",
            quartic_concat(g, (quartic_value[]){FLOATS(2, 3), FLOATS(2, 3, 1)}, 2, 0));
    REFUSED(concat, SIZE, SHAPE_MISMATCH, "(2, 4)",
            quartic_concat(g, (quartic_value[]){FLOATS(2, 3), FLOATS(2, 4)}, 2, 0));
    REFUSED(
        concat, SIZE, SHAPE_MISMATCH, "6442450941 elements",
        quartic_concat(g, (quartic_value[]){FLOATS(INT32_MAX), FLOATS(INT32_MAX), FLOATS(INT32_MAX)}, 3, 0));
    REFUSED(concat, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_concat(g, (quartic_value[]){FLOATS(2, 3), INTS(2, 3)}, 2, 0));
    REFUSED(concat, MISSING, INVALID_ARGUMENT, "left out",
            quartic_concat(g, (quartic_value[]){FLOATS(2, 3), NONE}, 2, 0));
    REFUSED(concat, OPTION, SHAPE_MISMATCH, "axis 2",
            quartic_concat(g, (quartic_value[]){FLOATS(2, 3), FLOATS(2, 3)}, 2, 2));
    REFUSED(concat, OPTION, INVALID_ARGUMENT, "0", quartic_concat(g, (quartic_value[]){FLOATS(2, 3)}, 0, 0));
    REFUSED(concat, OPTION, INVALID_ARGUMENT, "9",
            quartic_concat(g, (quartic_value[9]){FLOATS(2), FLOATS(2)}, 9, 0));
    REFUSED(concat, OPTION, INVALID_ARGUMENT, "NULL", quartic_concat(g, NULL, 2, 0));
}

REFUSALS(pad) {
    REFUSED(pad, RANK, SHAPE_MISMATCH, "axis 2", quartic_pad(g, FLOATS(2, 3), 2, 0, 9));
    REFUSED(pad, SIZE, SHAPE_MISMATCH, "extent of 3", quartic_pad(g, FLOATS(2, 3), 1, 1, 3));
    IMPOSSIBLE(pad, DTYPE, "zeros of any dtype are added");
    REFUSED(pad, MISSING, INVALID_ARGUMENT, "left out", quartic_pad(g, NONE, 1, 1, 9));
    REFUSED(pad, OPTION, SHAPE_MISMATCH, "4294967295", quartic_pad(g, FLOATS(2, 3), 1, UINT32_MAX, 9));
}

REFUSALS(diagonal_add) {
    IMPOSSIBLE(diagonal_add, OPTION, "it has no option");
    REFUSED(diagonal_add, RANK, SHAPE_MISMATCH, "(2, 3)",
            quartic_diagonal_add(g, FLOATS(2, 3), FLOATS(2, 3)));
    REFUSED(diagonal_add, SIZE, SHAPE_MISMATCH, "(2, 3, 4)",
            quartic_diagonal_add(g, FLOATS(2, 3, 4), FLOATS(2, 4)));
    REFUSED(diagonal_add, SIZE, SHAPE_MISMATCH, "(2, 5)",
            quartic_diagonal_add(g, FLOATS(2, 2, 4), FLOATS(2, 5)));
    REFUSED(diagonal_add, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_diagonal_add(g, INTS(2, 2, 4), FLOATS(2, 4)));
    REFUSED(diagonal_add, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_diagonal_add(g, FLOATS(2, 2, 4), INTS(2, 4)));
    REFUSED(diagonal_add, MISSING, INVALID_ARGUMENT, "left out",
            quartic_diagonal_add(g, FLOATS(2, 2, 4), NONE));
}

REFUSALS(embedding) {
    IMPOSSIBLE(embedding, OPTION, "it has no option");
    IMPOSSIBLE(embedding, SIZE, "indices and table may have any extents; indices are checked in the run");
    REFUSED(embedding, RANK, SHAPE_MISMATCH, "(5)", quartic_embedding(g, FLOATS(5), INTS(2)));
    REFUSED(embedding, RANK, SHAPE_MISMATCH, "(1, 1, 1, 1, 1, 2)",
            quartic_embedding(g, FLOATS(5, 3), INTS(1, 1, 1, 1, 1, 2)));
    REFUSED(embedding, DTYPE, INVALID_ARGUMENT, "int32", quartic_embedding(g, INTS(5, 3), INTS(2)));
    REFUSED(embedding, DTYPE, INVALID_ARGUMENT, "float32", quartic_embedding(g, FLOATS(5, 3), FLOATS(2)));
    REFUSED(embedding, MISSING, INVALID_ARGUMENT, "left out", quartic_embedding(g, NONE, INTS(2)));
    REFUSED(embedding, MISSING, INVALID_ARGUMENT, "left out", quartic_embedding(g, FLOATS(5, 3), NONE));
}

REFUSALS(embedding_grad) {
    IMPOSSIBLE(embedding_grad, OPTION, "only the gradient of embedding appends it");
    REFUSED_CASE(embedding_grad, RANK, SHAPE_MISMATCH, "shape", 0);
    REFUSED_CASE(embedding_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(embedding_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(embedding_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(embedding_grad, MISSING, INVALID_ARGUMENT, "left out", 0);
    REFUSED_CASE(embedding_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

REFUSALS(relative_bias) {
    IMPOSSIBLE(relative_bias, OPTION, "it has no option");
    REFUSED(relative_bias, RANK, SHAPE_MISMATCH, "(5)", quartic_relative_bias(g, FLOATS(5)));
    REFUSED(relative_bias, SIZE, SHAPE_MISMATCH, "not 4", quartic_relative_bias(g, FLOATS(4, 2)));
    REFUSED(relative_bias, DTYPE, INVALID_ARGUMENT, "int32", quartic_relative_bias(g, INTS(5, 2)));
    REFUSED(relative_bias, MISSING, INVALID_ARGUMENT, "left out", quartic_relative_bias(g, NONE));
}

REFUSALS(relative_bias_grad) {
    IMPOSSIBLE(relative_bias_grad, OPTION, "it has no option");
    REFUSED_CASE(relative_bias_grad, RANK, SHAPE_MISMATCH, "shape", 0);
    REFUSED(relative_bias_grad, SIZE, SHAPE_MISMATCH, "(3, 4, 2)",
            quartic_graph_append_one(g, &quartic_op_relative_bias_grad, NULL,
                                     (quartic_value[]){FLOATS(3, 4, 2)}, 1));
    REFUSED_CASE(relative_bias_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(relative_bias_grad, MISSING, INVALID_ARGUMENT, "left out", 0);
}

REFUSALS(range) {
    IMPOSSIBLE(range, RANK, "it has no operand");
    IMPOSSIBLE(range, SIZE, "it has no operand");
    IMPOSSIBLE(range, DTYPE, "it has no operand");
    IMPOSSIBLE(range, MISSING, "it has no operand");
    REFUSED(range, OPTION, INVALID_ARGUMENT, "range of 0", quartic_range(g, 0, 0.0f, 1.0f));
}

REFUSALS(gather_rows) {
    IMPOSSIBLE(gather_rows, OPTION, "it has no option");
    REFUSED(gather_rows, RANK, SHAPE_MISMATCH, "(4, 2)", quartic_gather_rows(g, FLOATS(4, 2), INTS(4, 3)));
    REFUSED(gather_rows, RANK, SHAPE_MISMATCH, "(3)", quartic_gather_rows(g, FLOATS(1, 4, 2), INTS(3)));
    REFUSED(gather_rows, SIZE, SHAPE_MISMATCH, "(2, 3)", quartic_gather_rows(g, FLOATS(1, 4, 2), INTS(2, 3)));
    REFUSED(gather_rows, DTYPE, INVALID_ARGUMENT, "int32", quartic_gather_rows(g, INTS(1, 4, 2), INTS(1, 3)));
    REFUSED(gather_rows, DTYPE, INVALID_ARGUMENT, "float32",
            quartic_gather_rows(g, FLOATS(1, 4, 2), FLOATS(1, 3)));
    REFUSED(gather_rows, MISSING, INVALID_ARGUMENT, "left out",
            quartic_gather_rows(g, FLOATS(1, 4, 2), NONE));
}

REFUSALS(scatter_add_rows) {
    IMPOSSIBLE(scatter_add_rows, OPTION, "it has no option");
    REFUSED(scatter_add_rows, RANK, SHAPE_MISMATCH, "(3, 2)",
            quartic_scatter_add_rows(g, FLOATS(1, 4, 2), FLOATS(3, 2), INTS(1, 3)));
    REFUSED(scatter_add_rows, SIZE, SHAPE_MISMATCH, "(1, 4, 5)",
            quartic_scatter_add_rows(g, FLOATS(1, 4, 2), FLOATS(1, 3, 5), INTS(1, 3)));
    REFUSED(scatter_add_rows, SIZE, SHAPE_MISMATCH, "(1, 4)",
            quartic_scatter_add_rows(g, FLOATS(1, 4, 2), FLOATS(1, 3, 2), INTS(1, 4)));
    REFUSED(scatter_add_rows, DTYPE, INVALID_ARGUMENT, "float32",
            quartic_scatter_add_rows(g, FLOATS(1, 4, 2), FLOATS(1, 3, 2), FLOATS(1, 3)));
    REFUSED(scatter_add_rows, MISSING, INVALID_ARGUMENT, "base",
            quartic_scatter_add_rows(g, NONE, FLOATS(1, 3, 2), INTS(1, 3)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_refuses),        cmocka_unit_test(permute_refuses),
        cmocka_unit_test(slice_refuses),          cmocka_unit_test(broadcast_refuses),
        cmocka_unit_test(diagonal_refuses),       cmocka_unit_test(copy_refuses),
        cmocka_unit_test(concat_refuses),         cmocka_unit_test(pad_refuses),
        cmocka_unit_test(diagonal_add_refuses),   cmocka_unit_test(embedding_refuses),
        cmocka_unit_test(embedding_grad_refuses), cmocka_unit_test(relative_bias_refuses),
        cmocka_unit_test(range_refuses),          cmocka_unit_test(relative_bias_grad_refuses),
        cmocka_unit_test(gather_rows_refuses),    cmocka_unit_test(scatter_add_rows_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
