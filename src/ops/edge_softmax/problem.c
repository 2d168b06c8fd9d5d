/* problem.c: geometry, visibility and cost of softmax attention among edges. See problem.h. */
#include "ops/edge_softmax/problem.h"

static quartic_edge_strides edge_strides_of(const quartic_layout *layout) {
    return (quartic_edge_strides){layout->strides[0], layout->strides[1], layout->strides[2],
                                  layout->shape.rank == 4 ? layout->strides[3] : 1};
}

static quartic_edge_problem edge_problem_of(const void *attrs, const quartic_layout *q,
                                            const quartic_layout *k, const quartic_layout *v, bool positioned,
                                            bool masked) {
    const quartic_edge_softmax_options *options = attrs;
    const quartic_layout own = quartic_layout_contiguous(QUARTIC_FLOAT32, &q->shape);
    quartic_shape row_shape = q->shape;
    row_shape.rank = 3;
    const quartic_layout row = quartic_layout_contiguous(QUARTIC_FLOAT32, &row_shape);
    return (quartic_edge_problem){
        .batch = q->shape.dims[0],
        .tokens = q->shape.dims[1],
        .heads = q->shape.dims[2],
        .d = q->shape.dims[3],
        .nodes = options->nodes,
        .positioned = positioned,
        .masked = masked,
        .causal = options->causal != 0,
        .q = edge_strides_of(q),
        .k = edge_strides_of(k),
        .v = edge_strides_of(v),
        .own = edge_strides_of(&own),
        .row = edge_strides_of(&row),
    };
}

quartic_edge_problem quartic_edge_problem_of_call(const quartic_op_call *call) {
    const quartic_layout *in = call->inputs;
    return edge_problem_of(call->attrs, &in[QUARTIC_EDGE_Q], &in[QUARTIC_EDGE_K], &in[QUARTIC_EDGE_V],
                           quartic_is_present(&in[QUARTIC_EDGE_POSITIONS]),
                           quartic_is_present(&in[QUARTIC_EDGE_MASK]));
}

quartic_edge_problem quartic_edge_problem_of_run(const quartic_op_run *run) {
    const quartic_operand *in = run->inputs;
    return edge_problem_of(run->attrs, in[QUARTIC_EDGE_Q].layout, in[QUARTIC_EDGE_K].layout,
                           in[QUARTIC_EDGE_V].layout, in[QUARTIC_EDGE_POSITIONS].data != NULL,
                           in[QUARTIC_EDGE_MASK].data != NULL);
}

/* Position -1: the token sees nothing and nobody sees it. */
static bool edge_is_left_out(const quartic_edge_problem *problem, const int32_t *positions, uint32_t b,
                             uint32_t token) {
    return positions != NULL && positions[(uint64_t)b * problem->tokens + token] < 0;
}

typedef struct edge {
    uint32_t i, j;
} edge;

static edge edge_of_token(const quartic_edge_problem *problem, const int32_t *positions, uint32_t b,
                          uint32_t token) {
    const uint32_t position =
        positions == NULL ? token : (uint32_t)positions[(uint64_t)b * problem->tokens + token];
    return (edge){position / problem->nodes, position % problem->nodes};
}

int32_t quartic_edge_key_row(const quartic_edge_problem *problem, const int32_t *positions,
                             const int32_t *mask, uint32_t b, uint32_t token) {
    if (edge_is_left_out(problem, positions, b, token)) return QUARTIC_EDGE_HIDDEN;
    const edge key = edge_of_token(problem, positions, b, token);
    const int32_t *real = mask == NULL ? NULL : mask + (uint64_t)b * problem->nodes;
    if (real != NULL && (real[key.i] == 0 || real[key.j] == 0)) return QUARTIC_EDGE_HIDDEN;
    return problem->causal && key.j > key.i ? QUARTIC_EDGE_HIDDEN : (int32_t)key.i;
}

int32_t quartic_edge_query_limit(const quartic_edge_problem *problem, const int32_t *positions, uint32_t b,
                                 uint32_t token) {
    if (edge_is_left_out(problem, positions, b, token)) return -1;
    if (!problem->causal) return (int32_t)problem->nodes;
    const edge query = edge_of_token(problem, positions, b, token);
    return query.j <= query.i ? (int32_t)query.i : -1;
}

/* Pairs of a query and a key that it sees in one graph without padding. Where tokens lie is not known here:
 * causal, they are taken to be spread evenly over the rows, and row i to have as many of its i + 1 visible
 * edges among them as it can, as routed attention chooses. For all n^2 edges that makes n^4 / 8. */
static double edge_visible_pairs(const quartic_edge_problem *problem) {
    const double of_row = (double)problem->tokens / problem->nodes;
    double keys = 0, pairs = 0;
    if (!problem->causal) return (double)problem->tokens * problem->tokens;
    for (uint32_t i = 0; i < problem->nodes; ++i) {
        const double visible = i + 1 < of_row ? i + 1 : of_row;
        keys += visible;
        pairs += visible * keys;
    }
    return pairs;
}

double quartic_edge_flops(const quartic_edge_problem *problem, bool backward) {
    return (double)quartic_edge_units(problem) * edge_visible_pairs(problem) *
           quartic_edge_pair_flops(problem, backward);
}
