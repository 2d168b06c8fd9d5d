/* invalid_choice_test.c: invalid input of the ops that choose edges and of those between streams. */
#include <math.h>

#include "graph/tape.h"
#include "invalid_input.h"
#include "ops/routing.h"

static void pair_mask_of(quartic_graph *g, quartic_value mask, uint32_t causal, uint32_t batch,
                         uint32_t nodes) {
    quartic_pair_mask_options options = QUARTIC_PAIR_MASK_OPTIONS_INIT;
    options.causal = causal;
    options.batch = batch;
    options.nodes = nodes;
    (void)quartic_pair_mask(g, mask, &options);
}

REFUSALS(pair_mask) {
    REFUSED(pair_mask, RANK, SHAPE_MISMATCH, "(3)", pair_mask_of(g, INTS(3), 0, 0, 0));
    REFUSED(pair_mask, SIZE, SHAPE_MISMATCH, "4 nodes", pair_mask_of(g, INTS(2, 3), 0, 2, 4));
    REFUSED(pair_mask, DTYPE, INVALID_ARGUMENT, "float32", pair_mask_of(g, FLOATS(2, 3), 0, 0, 0));
    REFUSED(pair_mask, MISSING, INVALID_ARGUMENT, "0 nodes", pair_mask_of(g, NONE, 0, 2, 0));
    REFUSED(pair_mask, OPTION, INVALID_ARGUMENT, "not 2", pair_mask_of(g, INTS(2, 3), 2, 0, 0));
}

/* How many edges each graph chooses; routed attention appends it. */
REFUSALS(routed_counts) {
    REFUSED_CASE(routed_counts, RANK, SHAPE_MISMATCH, "axes", 0);
    REFUSED_CASE(routed_counts, DTYPE, INVALID_ARGUMENT, "float32", 0);
    REFUSED_CASE(routed_counts, MISSING, INVALID_ARGUMENT, "left out", 0);
    IMPOSSIBLE(routed_counts, SIZE, "it has one operand of any extents");
    REFUSED(routed_counts, OPTION, INVALID_ARGUMENT, "not 0",
            quartic_graph_append_one(g, &quartic_op_routed_counts,
                                     &(quartic_routed_counts_attrs){.ratio = 0.0f},
                                     (quartic_value[]){INTS(2, 3)}, 1));
}

static void descent_of(quartic_graph *g, quartic_value scores, quartic_value mask, float k, uint32_t rounds,
                       float eps, float decay) {
    quartic_coordinate_descent_options options = QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT;
    options.k = k;
    options.iterations = rounds;
    options.eps = eps;
    options.eps_decay = decay;
    (void)quartic_coordinate_descent(g, scores, mask, &options);
}

REFUSALS(coordinate_descent) {
    REFUSED(coordinate_descent, RANK, SHAPE_MISMATCH, "(4)",
            descent_of(g, FLOATS(4), NONE, 1.0f, 5, 0.1f, 1.0f));
    REFUSED(coordinate_descent, SIZE, SHAPE_MISMATCH, "(2, 5)",
            descent_of(g, FLOATS(2, 6), INTS(2, 5), 1.0f, 5, 0.1f, 1.0f));
    REFUSED(coordinate_descent, DTYPE, INVALID_ARGUMENT, "int32",
            descent_of(g, INTS(2, 4), NONE, 1.0f, 5, 0.1f, 1.0f));
    REFUSED(coordinate_descent, DTYPE, INVALID_ARGUMENT, "float32",
            descent_of(g, FLOATS(2, 4), FLOATS(2, 4), 1.0f, 5, 0.1f, 1.0f));
    REFUSED(coordinate_descent, MISSING, INVALID_ARGUMENT, "left out",
            descent_of(g, NONE, NONE, 1.0f, 5, 0.1f, 1.0f));
    REFUSED(coordinate_descent, OPTION, INVALID_ARGUMENT, "not k 0",
            descent_of(g, FLOATS(2, 4), NONE, 0.0f, 5, 0.1f, 1.0f));
    REFUSED(coordinate_descent, OPTION, INVALID_ARGUMENT, "eps -1",
            descent_of(g, FLOATS(2, 4), NONE, 1.0f, 5, -1.0f, 1.0f));
    REFUSED(coordinate_descent, OPTION, INVALID_ARGUMENT, "eps_decay 2",
            descent_of(g, FLOATS(2, 4), NONE, 1.0f, 5, 0.1f, 2.0f));
    REFUSED(coordinate_descent, OPTION, INVALID_ARGUMENT, "not 0",
            descent_of(g, FLOATS(2, 4), NONE, 1.0f, 0, 0.1f, 1.0f));
}

REFUSALS(coordinate_descent_grad) {
    IMPOSSIBLE(coordinate_descent_grad, OPTION, "only the gradient of coordinate_descent appends it");
    REFUSED_CASE(coordinate_descent_grad, RANK, SHAPE_MISMATCH, "shape", 0);
    REFUSED_CASE(coordinate_descent_grad, SIZE, SHAPE_MISMATCH, "shape", 0);
    REFUSED_CASE(coordinate_descent_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(coordinate_descent_grad, MISSING, INVALID_ARGUMENT, "left out", 0);
}

REFUSALS(top_k) {
    REFUSED(top_k, RANK, SHAPE_MISMATCH, "(4)", quartic_top_k(g, FLOATS(4), NONE, 2));
    REFUSED(top_k, SIZE, SHAPE_MISMATCH, "(2, 5)", quartic_top_k(g, FLOATS(2, 6), INTS(2, 5), 2));
    REFUSED(top_k, DTYPE, INVALID_ARGUMENT, "int32", quartic_top_k(g, INTS(2, 4), NONE, 2));
    REFUSED(top_k, DTYPE, INVALID_ARGUMENT, "float32", quartic_top_k(g, FLOATS(2, 4), FLOATS(2, 4), 2));
    REFUSED(top_k, MISSING, INVALID_ARGUMENT, "left out", quartic_top_k(g, NONE, NONE, 2));
    REFUSED(top_k, OPTION, INVALID_ARGUMENT, "the 5 greatest", quartic_top_k(g, FLOATS(2, 4), NONE, 5));
    REFUSED(top_k, OPTION, INVALID_ARGUMENT, "the 0 greatest", quartic_top_k(g, FLOATS(2, 4), NONE, 0));
}

REFUSALS(stream_exchange) {
    REFUSED(stream_exchange, RANK, SHAPE_MISMATCH, "(4)",
            quartic_stream_exchange(g, FLOATS(4), FLOATS(4, 4)));
    REFUSED(stream_exchange, SIZE, SHAPE_MISMATCH, "(2, 3)",
            quartic_stream_exchange(g, FLOATS(1, 2, 3), FLOATS(2, 3)));
    REFUSED(stream_exchange, DTYPE, INVALID_ARGUMENT, "int32",
            quartic_stream_exchange(g, FLOATS(1, 2, 3), INTS(2, 2)));
    REFUSED(stream_exchange, MISSING, INVALID_ARGUMENT, "left out",
            quartic_stream_exchange(g, FLOATS(1, 2, 3), NONE));
    REFUSED(stream_exchange, OPTION, UNSUPPORTED, "513",
            quartic_stream_exchange(g, FLOATS(1, 513, 1), FLOATS(513, 513)));
}

REFUSALS(stream_feedforward) {
#define FEEDFORWARD(x, scale, w1, w2, eps) quartic_stream_feedforward(g, x, scale, w1, w2, eps)
    REFUSED(stream_feedforward, RANK, SHAPE_MISMATCH, "(2)",
            FEEDFORWARD(FLOATS(2), FLOATS(2), FLOATS(4, 2), FLOATS(2, 4), 1e-5f));
    REFUSED(stream_feedforward, SIZE, SHAPE_MISMATCH, "(3)",
            FEEDFORWARD(FLOATS(1, 2, 3), FLOATS(3), FLOATS(4, 2), FLOATS(2, 4), 1e-5f));
    REFUSED(stream_feedforward, SIZE, SHAPE_MISMATCH, "(4, 3)",
            FEEDFORWARD(FLOATS(1, 2, 3), FLOATS(2), FLOATS(4, 3), FLOATS(2, 4), 1e-5f));
    REFUSED(stream_feedforward, SIZE, SHAPE_MISMATCH, "(2, 5)",
            FEEDFORWARD(FLOATS(1, 2, 3), FLOATS(2), FLOATS(4, 2), FLOATS(2, 5), 1e-5f));
    REFUSED(stream_feedforward, DTYPE, INVALID_ARGUMENT, "int32",
            FEEDFORWARD(FLOATS(1, 2, 3), FLOATS(2), FLOATS(4, 2), INTS(2, 4), 1e-5f));
    REFUSED(stream_feedforward, MISSING, INVALID_ARGUMENT, "left out",
            FEEDFORWARD(FLOATS(1, 2, 3), FLOATS(2), FLOATS(4, 2), NONE, 1e-5f));
    REFUSED(stream_feedforward, OPTION, INVALID_ARGUMENT, "eps -1",
            FEEDFORWARD(FLOATS(1, 2, 3), FLOATS(2), FLOATS(4, 2), FLOATS(2, 4), -1.0f));
    REFUSED(stream_feedforward, OPTION, INVALID_ARGUMENT, "eps nan",
            FEEDFORWARD(FLOATS(1, 2, 3), FLOATS(2), FLOATS(4, 2), FLOATS(2, 4), NAN));
#undef FEEDFORWARD
}

REFUSALS(stream_feedforward_grad) {
    IMPOSSIBLE(stream_feedforward_grad, OPTION, "only the gradient of stream_feedforward appends it");
    REFUSED_CASE(stream_feedforward_grad, RANK, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(stream_feedforward_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(stream_feedforward_grad, DTYPE, INVALID_ARGUMENT, "int32", 1);
    REFUSED_CASE(stream_feedforward_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

REFUSALS(diversity) {
    REFUSED(diversity, RANK, SHAPE_MISMATCH, "(4, 2, 2)", quartic_diversity_loss(g, FLOATS(4, 2, 2), 2));
    REFUSED(diversity, SIZE, SHAPE_MISMATCH, "(1, 5, 2, 2)",
            quartic_diversity_loss(g, FLOATS(1, 5, 2, 2), 2));
    REFUSED(diversity, DTYPE, INVALID_ARGUMENT, "int32", quartic_diversity_loss(g, INTS(1, 4, 2, 2), 2));
    REFUSED(diversity, MISSING, INVALID_ARGUMENT, "left out", quartic_diversity_loss(g, NONE, 2));
    REFUSED(diversity, OPTION, SHAPE_MISMATCH, "0 streams", quartic_diversity_loss(g, FLOATS(1, 4, 2, 2), 0));
    REFUSED(diversity, OPTION, UNSUPPORTED, "8^8",
            quartic_diversity_loss(g, FLOATS(1, 64, 2, 2), 8)); /* more choices than are counted through */
}

REFUSALS(diversity_grad) {
    IMPOSSIBLE(diversity_grad, OPTION, "only the gradient of diversity appends it");
    REFUSED_CASE(diversity_grad, RANK, SHAPE_MISMATCH, "axes", 0);
    REFUSED_CASE(diversity_grad, SIZE, SHAPE_MISMATCH, "shape", 1);
    REFUSED_CASE(diversity_grad, DTYPE, INVALID_ARGUMENT, "int32", 0);
    REFUSED_CASE(diversity_grad, MISSING, INVALID_ARGUMENT, "left out", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair_mask_refuses),
        cmocka_unit_test(routed_counts_refuses),
        cmocka_unit_test(coordinate_descent_refuses),
        cmocka_unit_test(coordinate_descent_grad_refuses),
        cmocka_unit_test(top_k_refuses),
        cmocka_unit_test(stream_exchange_refuses),
        cmocka_unit_test(stream_feedforward_refuses),
        cmocka_unit_test(stream_feedforward_grad_refuses),
        cmocka_unit_test(diversity_refuses),
        cmocka_unit_test(diversity_grad_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
