/* plan.c: GPU plans of softmax attention among edges.
 *
 * forward    edge_softmax_sight (who sees whom, into scratch), edge_softmax
 * adjoint    edge_softmax_sight, edge_softmax_terms (lse and g . out of each query, into scratch),
 *            edge_softmax_query_grad, edge_softmax_key_grad
 *
 * A workgroup owns a block of rows of one unit and walks over all rows of the other side. So a dispatch may
 * be cut between any two workgroups without changing a bit. Estimates count every pair, even with causality:
 * the pairs that may be skipped are not spread evenly over the workgroups, and no piece may take longer than
 * its estimate.
 */
#include "ops/edge_softmax/problem.h"
#include "ops/gpu_plan.h"
#include "shaders/edge_softmax.args.h"
#include "shaders/edge_softmax_key_grad.args.h"
#include "shaders/edge_softmax_query_grad.args.h"
#include "shaders/edge_softmax_sight.args.h"
#include "shaders/edge_softmax_terms.args.h"

enum {
    GROUP_THREADS = 64,
    SIGHT_TILE = 32,     /* of lib/edge_sight.glsl; tiles divide it */
    FORWARD_SLICE = 32,  /* components of q and of out in one thread's registers */
    BACKWARD_SLICE = 16, /* of each of q, g, dq, or k, v, dk, dv */
    MOST_UNROLLED = 4,   /* tokens of a tile */
    TWO_ROWS_WIDTH = 24  /* d up to which a thread takes two queries */
};

typedef struct edge_tiles {
    uint32_t split, tile, rows; /* threads of a row, tokens of a tile, rows of a thread */
    uint32_t unroll;            /* tokens in one step of the loops over a tile: a divisor of tile */
} edge_tiles;

/* What an invocation runs for one tile: loading it, then the loops over its tokens in steps of `unroll`;
 * unrolled loops do not count. */
static double edge_softmax_tile_iterations(const edge_tiles *chosen, uint32_t d, bool backward) {
    const uint32_t steps = quartic_divide_up(chosen->tile, chosen->unroll), split = chosen->split;
    const uint32_t loading =
        1 +
        quartic_divide_up((uint64_t)chosen->tile * split * quartic_divide_up(d, 4 * split), GROUP_THREADS);
    const uint32_t exchanges = split > 1 ? quartic_divide_up(chosen->tile, split) : 0;
    const uint32_t loops = backward ? (split > 1 ? 2 : 1) : 2 + chosen->rows;
    return 1.0 + loading + exchanges + (double)steps * loops;
}

/* split is a power of two, so that a thread holds no more components of each operand than a slice has. tile
 * is a power of two, so that the arrays of a tile leave half of the shared memory to a second group. */
static quartic_status edge_softmax_choose_tiles(const quartic_edge_problem *problem,
                                                const quartic_gpu_limits *limits, bool backward,
                                                edge_tiles *out) {
    edge_tiles chosen = {.split = 1, .rows = 1, .tile = SIGHT_TILE};
    while (chosen.split * (backward ? BACKWARD_SLICE : FORWARD_SLICE) < problem->d) chosen.split *= 2;
    const bool may_take_two =
        !backward && problem->d <= TWO_ROWS_WIDTH; /* a measured choice decides, or the size */
    if (may_take_two && limits->choice.rows != 1 &&
        (limits->choice.rows == 2 || problem->tokens > GROUP_THREADS))
        chosen.rows = 2;
    const uint32_t exchanged = !backward          ? chosen.rows /* scores */
                               : chosen.split > 1 ? 2           /* parts of s and of g . v */
                                                  : 0;
    const uint32_t token_bytes = 2 * 16 * chosen.split * quartic_divide_up(problem->d, 4 * chosen.split) +
                                 (3 + GROUP_THREADS * exchanged) * (uint32_t)sizeof(float);
    const uint32_t shared = quartic_gpu_shared_bytes(limits);
    while (chosen.tile > 1 && chosen.tile * token_bytes > shared / 2) chosen.tile /= 2;
    chosen.unroll = quartic_gpu_has_few_registers(limits) ? 1
                    : chosen.tile < MOST_UNROLLED         ? chosen.tile
                                                          : MOST_UNROLLED;
    *out = chosen;
    return quartic_gpu_expect_iterations("edge_softmax_attention of this size", limits,
                                         quartic_divide_up(problem->tokens, chosen.tile) *
                                             edge_softmax_tile_iterations(&chosen, problem->d, backward));
}

/* Appends edge_softmax_sight.comp; *out_sight is the scratch that it fills. */
static quartic_status edge_softmax_plan_sight(const quartic_edge_problem *problem,
                                              quartic_dispatch_list *list, uint64_t *out_sight) {
    const uint32_t tile_count = quartic_divide_up(problem->tokens, SIGHT_TILE);
    const uint64_t tokens = (uint64_t)problem->batch * problem->tokens;
    *out_sight = quartic_dispatch_reserve(list, (tokens + (uint64_t)problem->batch * tile_count) * 2 *
                                                    sizeof(int32_t));
    const quartic_edge_softmax_sight_args args = {.sight = *out_sight,
                                                  .batches = problem->batch,
                                                  .tokens = problem->tokens,
                                                  .nodes = problem->nodes,
                                                  .causal = problem->causal};
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(problem->positioned, problem->masked),
        .groups = quartic_divide_up((uint64_t)problem->batch * tile_count, 64),
        .flops = 10.0 * (double)tokens,
        .bytes = 20.0 * (double)tokens,
    };
    return quartic_dispatch_append(list, "edge_softmax_sight", quartic_edge_softmax_sight_push(&args),
                                   &shape);
}

/* Appends edge_softmax_terms.comp; *out_terms is the scratch that it fills. */
static quartic_status edge_softmax_plan_terms(const quartic_edge_problem *problem,
                                              quartic_dispatch_list *list, uint64_t *out_terms) {
    const uint64_t rows = quartic_edge_units(problem) * problem->tokens;
    *out_terms = quartic_dispatch_reserve(list, rows * 2 * sizeof(float));
    const quartic_edge_softmax_terms_args args = {
        .terms = *out_terms, .count = (uint32_t)rows, .width = problem->d};
    const quartic_dispatch_shape shape = {.groups = quartic_divide_up(rows, 256),
                                          .flops = 2.0 * (double)rows * problem->d,
                                          .bytes = 8.0 * (double)rows * problem->d};
    return quartic_dispatch_append(list, "edge_softmax_terms", quartic_edge_softmax_terms_push(&args),
                                   &shape);
}

/* to: the strides of batch, token, head and component in the arguments. */
static void edge_softmax_set_strides(int32_t *to, const quartic_edge_strides *strides) {
    to[0] = (int32_t)strides->batch;
    to[1] = (int32_t)strides->token;
    to[2] = (int32_t)strides->head;
    to[3] = (int32_t)strides->component;
}

/* The members that the three attention shaders' args share. */
#define ATTENTION_ARGS(problem)                                                                              \
    .tokens = (problem)->tokens, .heads = (problem)->heads, .units = (uint32_t)quartic_edge_units(problem)
#define SET_STRIDES(args, problem)                                                                           \
    edge_softmax_set_strides((args).q_strides, &(problem)->q),                                               \
        edge_softmax_set_strides((args).k_strides, &(problem)->k),                                           \
        edge_softmax_set_strides((args).v_strides, &(problem)->v)

/* Whether four components of a token's head are 16 aligned bytes. */
static bool edge_softmax_in_quads(const quartic_layout *layout) {
    const uint32_t last = layout->shape.rank - 1;
    bool quads = layout->strides[last] == 1 && quartic_in_fours(layout->shape.dims[last]) &&
                 quartic_in_fours(layout->offset);
    for (uint32_t axis = 0; axis < last; ++axis) quads = quads && quartic_in_fours(layout->strides[axis]);
    return quads;
}

/* How components lie, as ADJACENT of lib/edge_softmax.glsl. Results: all but the log-sum-exp. */
static uint32_t edge_softmax_adjacency(const quartic_op_call *call, const quartic_edge_problem *problem,
                                       bool backward) {
    if (problem->q.component != 1 || problem->k.component != 1 || problem->v.component != 1) return 0;
    bool quads = !backward || edge_softmax_in_quads(&call->inputs[QUARTIC_EDGE_G]);
    for (uint32_t i = QUARTIC_EDGE_Q; i <= QUARTIC_EDGE_V; ++i)
        quads = quads && edge_softmax_in_quads(&call->inputs[i]);
    for (uint32_t o = 0; o < (backward ? 3 : 1); ++o)
        quads = quads && edge_softmax_in_quads(&call->outputs[o]);
    return quads ? 2 : 1;
}

/* What the three attention shaders have in common: constants 0 .. 5 of lib/edge_softmax.glsl, the groups, and
 * the estimates at pair_flops operations for a pair of tokens. */
static quartic_dispatch_shape edge_softmax_shape(const quartic_edge_problem *problem,
                                                 const edge_tiles *chosen, uint32_t adjacent,
                                                 double pair_flops) {
    const double units = (double)quartic_edge_units(problem), tokens = problem->tokens;
    const uint32_t blocks = quartic_divide_up(problem->tokens, GROUP_THREADS / chosen->split * chosen->rows);
    return (quartic_dispatch_shape){
        QUARTIC_SPEC(problem->d, GROUP_THREADS, chosen->split, chosen->tile, adjacent, chosen->unroll),
        .groups = quartic_edge_units(problem) * blocks,
        .flops = units * tokens * tokens * pair_flops,
        /* Every block reads its unit's other side; repeated reads are expected to come from a cache. */
        .bytes = 16.0 * units * tokens * problem->d,
    };
}

void quartic_edge_candidates(const quartic_op_call *call, const quartic_gpu_limits *limits,
                             quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    (void)limits;
    for (uint32_t rows = 1; rows <= 2 && problem.d <= TWO_ROWS_WIDTH && *inout_count < capacity; ++rows)
        out[(*inout_count)++] = (quartic_tuning_choice){.rows = rows};
}

quartic_status quartic_edge_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                quartic_dispatch_list *list) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    uint64_t sight;
    QUARTIC_TRY(edge_softmax_plan_sight(&problem, list, &sight));
    edge_tiles chosen;
    QUARTIC_TRY(edge_softmax_choose_tiles(&problem, limits, false, &chosen));
    quartic_dispatch_shape shape =
        edge_softmax_shape(&problem, &chosen, edge_softmax_adjacency(call, &problem, false),
                           quartic_edge_pair_flops(&problem, false));
    shape.spec[shape.spec_count++] = chosen.rows;
    quartic_edge_softmax_args args = {.sight = sight, ATTENTION_ARGS(&problem)};
    SET_STRIDES(args, &problem);
    return quartic_dispatch_append(list, "edge_softmax", quartic_edge_softmax_push(&args), &shape);
}

quartic_status quartic_edge_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                     quartic_dispatch_list *list) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    uint64_t sight, terms;
    QUARTIC_TRY(edge_softmax_plan_sight(&problem, list, &sight));
    QUARTIC_TRY(edge_softmax_plan_terms(&problem, list, &terms));
    edge_tiles chosen;
    QUARTIC_TRY(edge_softmax_choose_tiles(&problem, limits, true, &chosen));

    const uint32_t adjacent = edge_softmax_adjacency(call, &problem, true);
    quartic_dispatch_shape shape = edge_softmax_shape(&problem, &chosen, adjacent, 6.0 * problem.d + 25);
    quartic_edge_softmax_query_grad_args for_queries = {
        .sight = sight, .terms = terms, ATTENTION_ARGS(&problem)};
    SET_STRIDES(for_queries, &problem);
    QUARTIC_TRY(quartic_dispatch_append(list, "edge_softmax_query_grad",
                                        quartic_edge_softmax_query_grad_push(&for_queries), &shape));

    shape = edge_softmax_shape(&problem, &chosen, adjacent, 8.0 * problem.d + 25);
    quartic_edge_softmax_key_grad_args for_keys = {.sight = sight, .terms = terms, ATTENTION_ARGS(&problem)};
    SET_STRIDES(for_keys, &problem);
    return quartic_dispatch_append(list, "edge_softmax_key_grad",
                                   quartic_edge_softmax_key_grad_push(&for_keys), &shape);
}
