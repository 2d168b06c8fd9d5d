/* invalid_attention_test.c: invalid input of the ops of attention, over nodes, edges and triangles. */
#include <math.h>

#include "invalid_input.h"

#define TAYLOR(q, k, v, mask, ...)                                                                           \
    quartic_taylor_attention(                                                                                \
        g, q, k, v, mask,                                                                                    \
        &(quartic_taylor_options){.struct_size = sizeof(quartic_taylor_options), __VA_ARGS__})

REFUSALS(taylor_attention) {
    REFUSED(taylor_attention, RANK, SHAPE_MISMATCH, "(1, 3, 1, 2)",
            TAYLOR(FLOATS(1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), NONE, .axis = 2));
    REFUSED(taylor_attention, SIZE, SHAPE_MISMATCH, "(1, 1, 4, 1, 2)",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 4, 1, 2), FLOATS(1, 1, 3, 1, 2), NONE, .axis = 2));
    REFUSED(taylor_attention, SIZE, SHAPE_MISMATCH, "(1, 1, 3, 2, 2)",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 2, 2), NONE, .axis = 2));
    REFUSED(taylor_attention, SIZE, SHAPE_MISMATCH, "(1, 1, 4)",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), INTS(1, 1, 4),
                   .axis = 2));
    REFUSED(taylor_attention, SIZE, SHAPE_MISMATCH, "(1, 2, 3, 1, 2)",
            TAYLOR(FLOATS(1, 2, 3, 1, 2), FLOATS(1, 2, 3, 1, 2), FLOATS(1, 2, 3, 1, 2), INTS(1, 3), .axis = 2,
                   .pair_mask = 1));
    REFUSED(taylor_attention, DTYPE, INVALID_ARGUMENT, "int32",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), INTS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), NONE, .axis = 2));
    REFUSED(taylor_attention, DTYPE, INVALID_ARGUMENT, "int32",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3),
                   .axis = 2));
    REFUSED(taylor_attention, MISSING, INVALID_ARGUMENT, "left out",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), NONE, NONE, .axis = 2));
    REFUSED(taylor_attention, OPTION, INVALID_ARGUMENT, "axis",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), NONE, .axis = 3));
    REFUSED(taylor_attention, OPTION, INVALID_ARGUMENT, "axis",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), NONE, .axis = 0));
    REFUSED(taylor_attention, OPTION, INVALID_ARGUMENT, "not 3",
            TAYLOR(FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), FLOATS(1, 1, 3, 1, 2), NONE, .axis = 2,
                   .form = 3));
}

REFUSALS(taylor_attention_grad) {
    IMPOSSIBLE(taylor_attention_grad, OPTION, "only the gradient of taylor_attention appends it");
    REFUSED_CASE(taylor_attention_grad, RANK, SHAPE_MISMATCH, "axes", 0);
    REFUSED_CASE(taylor_attention_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(taylor_attention_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(taylor_attention_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

static void scores_of(quartic_graph *g, quartic_value q, quartic_value e, quartic_value weight, float scale,
                      uint32_t form) {
    quartic_relational_options options = QUARTIC_RELATIONAL_OPTIONS_INIT;
    options.scale = scale;
    options.form = form;
    (void)quartic_relational_scores(g, q, FLOATS(1, 3, 2, 2), e, weight, FLOATS(2, 2, 4), &options);
}

/* Of relational_scores and relational_values, which the builders compose of several ops. */
REFUSALS(relational_scores) {
    REFUSED(relational_scores, RANK, SHAPE_MISMATCH, "(3, 2, 2)",
            scores_of(g, FLOATS(3, 2, 2), FLOATS(1, 3, 3, 4), FLOATS(2, 2, 4), 1.0f, 0));
    REFUSED(relational_scores, SIZE, SHAPE_MISMATCH, "(1, 3, 5, 4)",
            scores_of(g, FLOATS(1, 3, 2, 2), FLOATS(1, 3, 5, 4), FLOATS(2, 2, 4), 1.0f, 0));
    REFUSED(relational_scores, SIZE, SHAPE_MISMATCH, "(2, 2, 7)",
            scores_of(g, FLOATS(1, 3, 2, 2), FLOATS(1, 3, 3, 4), FLOATS(2, 2, 7), 1.0f, 0));
    REFUSED(relational_scores, SIZE, SHAPE_MISMATCH, "(1, 5, 3, 3)",
            quartic_relational_values(g, FLOATS(1, 5, 3, 3), FLOATS(1, 3, 2, 2), FLOATS(1, 3, 3, 4),
                                      FLOATS(2, 2, 4)));
    REFUSED(relational_scores, DTYPE, INVALID_ARGUMENT, "int32",
            scores_of(g, FLOATS(1, 3, 2, 2), INTS(1, 3, 3, 4), FLOATS(2, 2, 4), 1.0f, 0));
    REFUSED(relational_scores, MISSING, SHAPE_MISMATCH, "relational_scores",
            scores_of(g, FLOATS(1, 3, 2, 2), NONE, FLOATS(2, 2, 4), 1.0f, 0));
    REFUSED(relational_scores, OPTION, INVALID_ARGUMENT, "scale",
            scores_of(g, FLOATS(1, 3, 2, 2), FLOATS(1, 3, 3, 4), FLOATS(2, 2, 4), 0.0f, 0));
    REFUSED(relational_scores, OPTION, INVALID_ARGUMENT, "not 3",
            scores_of(g, FLOATS(1, 3, 2, 2), FLOATS(1, 3, 3, 4), FLOATS(2, 2, 4), 1.0f, 3));
}

REFUSALS(relational_scores_grad) {
    IMPOSSIBLE(relational_scores_grad, OPTION, "only the gradient of relational_scores appends it");
    REFUSED_CASE(relational_scores_grad, RANK, SHAPE_MISMATCH, "relational_scores", 0);
    REFUSED_CASE(relational_scores_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(relational_scores_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(relational_scores_grad, MISSING, INVALID_ARGUMENT, "left out", 0);
}

static void edge_softmax_of(quartic_graph *g, quartic_value q, quartic_value k, quartic_value positions,
                            quartic_value mask, uint32_t nodes) {
    quartic_edge_softmax_options options = QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT;
    options.nodes = nodes;
    (void)quartic_edge_softmax_attention(g, q, k, FLOATS(1, 4, 1, 2), positions, mask, &options);
}

REFUSALS(edge_softmax_attention) {
    REFUSED(edge_softmax_attention, RANK, SHAPE_MISMATCH, "(4, 1, 2)",
            edge_softmax_of(g, FLOATS(4, 1, 2), FLOATS(1, 4, 1, 2), NONE, NONE, 2));
    REFUSED(edge_softmax_attention, SIZE, SHAPE_MISMATCH, "(1, 5, 1, 2)",
            edge_softmax_of(g, FLOATS(1, 4, 1, 2), FLOATS(1, 5, 1, 2), NONE, NONE, 2));
    REFUSED(edge_softmax_attention, SIZE, SHAPE_MISMATCH, "3 * 3",
            edge_softmax_of(g, FLOATS(1, 4, 1, 2), FLOATS(1, 4, 1, 2), NONE, NONE, 3));
    REFUSED(edge_softmax_attention, SIZE, SHAPE_MISMATCH, "(1, 5)",
            edge_softmax_of(g, FLOATS(1, 4, 1, 2), FLOATS(1, 4, 1, 2), INTS(1, 5), NONE, 3));
    REFUSED(edge_softmax_attention, SIZE, SHAPE_MISMATCH, "(1, 3)",
            edge_softmax_of(g, FLOATS(1, 4, 1, 2), FLOATS(1, 4, 1, 2), NONE, INTS(1, 3), 2));
    REFUSED(edge_softmax_attention, DTYPE, INVALID_ARGUMENT, "int32",
            edge_softmax_of(g, INTS(1, 4, 1, 2), FLOATS(1, 4, 1, 2), NONE, NONE, 2));
    REFUSED(edge_softmax_attention, DTYPE, INVALID_ARGUMENT, "float32",
            edge_softmax_of(g, FLOATS(1, 4, 1, 2), FLOATS(1, 4, 1, 2), FLOATS(1, 4), NONE, 3));
    REFUSED(edge_softmax_attention, MISSING, INVALID_ARGUMENT, "left out",
            edge_softmax_of(g, FLOATS(1, 4, 1, 2), NONE, NONE, NONE, 2));
    REFUSED(edge_softmax_attention, OPTION, INVALID_ARGUMENT, "0",
            edge_softmax_of(g, FLOATS(1, 4, 1, 2), FLOATS(1, 4, 1, 2), NONE, NONE, 0));
    REFUSED(edge_softmax_attention, OPTION, INVALID_ARGUMENT, "46341",
            edge_softmax_of(g, FLOATS(1, 4, 1, 2), FLOATS(1, 4, 1, 2), INTS(1, 4), NONE, 46341));
}

REFUSALS(edge_softmax_attention_grad) {
    IMPOSSIBLE(edge_softmax_attention_grad, OPTION, "only the gradient of the attention appends it");
    REFUSED_CASE(edge_softmax_attention_grad, RANK, SHAPE_MISMATCH, "axes", 0);
    REFUSED_CASE(edge_softmax_attention_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(edge_softmax_attention_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(edge_softmax_attention_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

static void triangle_of(quartic_graph *g, quartic_value q, quartic_value k, quartic_value v2,
                        quartic_value bias, quartic_value mask, uint32_t kind, float scale) {
    quartic_triangle_options options = QUARTIC_TRIANGLE_OPTIONS_INIT;
    options.kind = kind;
    options.scale = scale;
    (void)quartic_triangle_attention(g, q, k, FLOATS(1, 3, 3, 1, 2), v2, bias, mask, &options);
}

REFUSALS(triangle_attention) {
    const uint32_t both = QUARTIC_TRIANGLE_BOTH, start = QUARTIC_TRIANGLE_START;
    REFUSED(triangle_attention, RANK, SHAPE_MISMATCH, "(3, 3, 1, 2)",
            triangle_of(g, FLOATS(3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, NONE, start, 1.0f));
    REFUSED(triangle_attention, SIZE, SHAPE_MISMATCH, "(1, 3, 4, 1, 2)",
            triangle_of(g, FLOATS(1, 3, 4, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, NONE, start, 1.0f));
    REFUSED(triangle_attention, SIZE, SHAPE_MISMATCH, "(1, 3, 3, 1, 5)",
            triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 5), NONE, NONE, NONE, start, 1.0f));
    REFUSED(triangle_attention, SIZE, SHAPE_MISMATCH, "(1, 3, 3, 2)",
            triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, FLOATS(1, 3, 3, 2), NONE,
                        start, 1.0f));
    REFUSED(
        triangle_attention, SIZE, SHAPE_MISMATCH, "(1, 4)",
        triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, INTS(1, 4), start, 1.0f));
    REFUSED(triangle_attention, DTYPE, INVALID_ARGUMENT, "int32",
            triangle_of(g, INTS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, NONE, start, 1.0f));
    REFUSED(
        triangle_attention, DTYPE, INVALID_ARGUMENT, "float32",
        triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, FLOATS(1, 3), start, 1.0f));
    REFUSED(triangle_attention, MISSING, INVALID_ARGUMENT, "left out",
            triangle_of(g, FLOATS(1, 3, 3, 1, 2), NONE, NONE, NONE, NONE, start, 1.0f));
    REFUSED(triangle_attention, MISSING, INVALID_ARGUMENT, "needs v2",
            triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, NONE, both, 1.0f));
    REFUSED(triangle_attention, OPTION, INVALID_ARGUMENT, "takes no bias",
            triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2),
                        FLOATS(1, 3, 3, 1), NONE, both, 1.0f));
    REFUSED(triangle_attention, OPTION, INVALID_ARGUMENT, "takes no v2",
            triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE,
                        start, 1.0f));
    REFUSED(triangle_attention, OPTION, INVALID_ARGUMENT, "not 3",
            triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, NONE, 3, 1.0f));
    REFUSED(triangle_attention, OPTION, INVALID_ARGUMENT, "scale",
            triangle_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, NONE, start, NAN));
}

REFUSALS(triangle_attention_grad) {
    IMPOSSIBLE(triangle_attention_grad, OPTION, "only the gradient of triangle_attention appends it");
    REFUSED_CASE(triangle_attention_grad, RANK, SHAPE_MISMATCH, "axes", 0);
    REFUSED_CASE(triangle_attention_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(triangle_attention_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(triangle_attention_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

/* q and k2 as given, the other operands as they should be. */
static void triple_of(quartic_graph *g, quartic_value q, quartic_value k2, quartic_value bias,
                      quartic_value mask, float scale) {
    const quartic_value x = FLOATS(1, 3, 3, 1, 2);
    quartic_triple_options options = QUARTIC_TRIPLE_OPTIONS_INIT;
    options.scale = scale;
    (void)quartic_triple_attention(g, q, x, x, k2, x, x, bias, mask, &options);
}

REFUSALS(triple_attention) {
    REFUSED(triple_attention, RANK, SHAPE_MISMATCH, "(3, 3, 1, 2)",
            triple_of(g, FLOATS(3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1), NONE, 1.0f));
    REFUSED(triple_attention, SIZE, SHAPE_MISMATCH, "(1, 3, 4, 1, 2)",
            triple_of(g, FLOATS(1, 3, 4, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1), NONE, 1.0f));
    REFUSED(triple_attention, SIZE, SHAPE_MISMATCH, "(1, 3, 3, 1, 257)",
            triple_of(g, FLOATS(1, 3, 3, 1, 257), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1), NONE, 1.0f));
    REFUSED(triple_attention, SIZE, SHAPE_MISMATCH, "(1, 3, 3, 1, 5)",
            triple_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 5), FLOATS(1, 3, 3, 1), NONE, 1.0f));
    REFUSED(triple_attention, SIZE, SHAPE_MISMATCH, "(1, 3, 3, 2)",
            triple_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 2), NONE, 1.0f));
    REFUSED(triple_attention, SIZE, SHAPE_MISMATCH, "(1, 4)",
            triple_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1), INTS(1, 4), 1.0f));
    REFUSED(triple_attention, DTYPE, INVALID_ARGUMENT, "int32",
            triple_of(g, INTS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1), NONE, 1.0f));
    REFUSED(
        triple_attention, DTYPE, INVALID_ARGUMENT, "float32",
        triple_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1), FLOATS(1, 3), 1.0f));
    REFUSED(triple_attention, MISSING, INVALID_ARGUMENT, "left out",
            triple_of(g, FLOATS(1, 3, 3, 1, 2), NONE, FLOATS(1, 3, 3, 1), NONE, 1.0f));
    REFUSED(triple_attention, MISSING, INVALID_ARGUMENT, "left out",
            triple_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), NONE, NONE, 1.0f));
    REFUSED(triple_attention, OPTION, INVALID_ARGUMENT, "scale",
            triple_of(g, FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1, 2), FLOATS(1, 3, 3, 1), NONE, NAN));
}

REFUSALS(triple_attention_grad) {
    IMPOSSIBLE(triple_attention_grad, OPTION, "only the gradient of triple_attention appends it");
    REFUSED_CASE(triple_attention_grad, RANK, SHAPE_MISMATCH, "axes", 0);
    REFUSED_CASE(triple_attention_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(triple_attention_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(triple_attention_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

REFUSALS(edge_keep) {
    REFUSED(edge_keep, RANK, SHAPE_MISMATCH, "(3, 3)",
            quartic_edge_keep(g, FLOATS(3, 3), NONE, QUARTIC_EDGES_LOWER));
    REFUSED(edge_keep, SIZE, SHAPE_MISMATCH, "(1, 3, 4, 2)",
            quartic_edge_keep(g, FLOATS(1, 3, 4, 2), NONE, QUARTIC_EDGES_LOWER));
    REFUSED(edge_keep, SIZE, SHAPE_MISMATCH, "(1, 4)",
            quartic_edge_keep(g, FLOATS(1, 3, 3, 2), INTS(1, 4), QUARTIC_EDGES_LOWER));
    REFUSED(edge_keep, DTYPE, INVALID_ARGUMENT, "not int32",
            quartic_edge_keep(g, INTS(1, 3, 3, 2), NONE, QUARTIC_EDGES_LOWER));
    REFUSED(edge_keep, DTYPE, INVALID_ARGUMENT, "not float32",
            quartic_edge_keep(g, FLOATS(1, 3, 3, 2), FLOATS(1, 3), QUARTIC_EDGES_LOWER));
    REFUSED(edge_keep, MISSING, INVALID_ARGUMENT, "left out",
            quartic_edge_keep(g, NONE, NONE, QUARTIC_EDGES_LOWER));
    REFUSED(edge_keep, OPTION, INVALID_ARGUMENT, "not 3",
            quartic_edge_keep(g, FLOATS(1, 3, 3, 2), NONE, (quartic_edge_part)3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taylor_attention_refuses),
        cmocka_unit_test(taylor_attention_grad_refuses),
        cmocka_unit_test(relational_scores_refuses),
        cmocka_unit_test(relational_scores_grad_refuses),
        cmocka_unit_test(edge_softmax_attention_refuses),
        cmocka_unit_test(edge_softmax_attention_grad_refuses),
        cmocka_unit_test(triangle_attention_refuses),
        cmocka_unit_test(triangle_attention_grad_refuses),
        cmocka_unit_test(triple_attention_refuses),
        cmocka_unit_test(triple_attention_grad_refuses),
        cmocka_unit_test(edge_keep_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
