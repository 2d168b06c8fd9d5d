/* plan.c: GPU plans of softmax attention among edges.
 *
 * Forward: edge_softmax_sight (who sees whom, into scratch), edge_softmax. Backward: edge_softmax_sight,
 * edge_softmax_terms (lse and g . out per row, into scratch), edge_softmax_query_grad, edge_softmax_key_grad.
 * A workgroup owns a block of rows of one unit and walks over all the others, so a dispatch may be cut
 * between any two workgroups without changing a bit. Estimates are those of every pair, also if causal: what
 * may be skipped is not spread evenly over the workgroups, and no piece may take longer than it claims.
 */
#include "ops/edge_softmax/problem.h"
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

static uint32_t divide_up(uint64_t count, uint32_t by) {
    return (uint32_t)((count + by - 1) / by);
}

typedef struct tiles {
    uint32_t split, tile, rows, unroll;
} tiles;

/* What an invocation runs for one tile: loading it, then the loops over its tokens in steps of `unroll`;
 * unrolled loops do not count. */
static double iterations_of_tile(const tiles *chosen, uint32_t d, bool backward) {
    const uint32_t steps = divide_up(chosen->tile, chosen->unroll), split = chosen->split;
    const uint32_t loading =
        1 + divide_up((uint64_t)chosen->tile * split * divide_up(d, 4 * split), GROUP_THREADS);
    const uint32_t exchanges = split > 1 ? divide_up(chosen->tile, split) : 0;
    const uint32_t loops = backward ? (split > 1 ? 2 : 1) : 2 + chosen->rows;
    return 1.0 + loading + exchanges + (double)steps * loops;
}

/* split: threads of a row, a power of two, so that a thread holds at most `slice` components of each operand.
 * tile: a power of two, so that the arrays of a tile leave half of the shared memory to a second group. */
static quartic_status choose_tiles(const quartic_edge_problem *problem, const quartic_gpu_limits *limits,
                                   bool backward, tiles *out) {
    tiles chosen = {.split = 1, .rows = 1, .tile = SIGHT_TILE};
    while (chosen.split * (backward ? BACKWARD_SLICE : FORWARD_SLICE) < problem->d) chosen.split *= 2;
    if (!backward && problem->d <= TWO_ROWS_WIDTH && problem->tokens > GROUP_THREADS) chosen.rows = 2;
    const uint32_t exchanged = !backward          ? chosen.rows /* scores */
                               : chosen.split > 1 ? 2           /* parts of s and of g . v */
                                                  : 0;
    const uint32_t token_bytes = 2 * 16 * chosen.split * divide_up(problem->d, 4 * chosen.split) +
                                 (3 + GROUP_THREADS * exchanged) * (uint32_t)sizeof(float);
    const uint32_t shared = limits->max_shared_bytes < 32768 ? limits->max_shared_bytes : 32768;
    while (chosen.tile > 1 && chosen.tile * token_bytes > shared / 2) chosen.tile /= 2;
    chosen.unroll = quartic_gpu_has_few_registers(limits) ? 1
                    : chosen.tile < MOST_UNROLLED         ? chosen.tile
                                                          : MOST_UNROLLED;
    *out = chosen;
    return quartic_gpu_expect_iterations("edge_softmax_attention", limits,
                                         divide_up(problem->tokens, chosen.tile) *
                                             iterations_of_tile(&chosen, problem->d, backward));
}

static quartic_status plan_sight(const quartic_edge_problem *problem, quartic_dispatch_list *list,
                                 uint64_t *out_sight) {
    const uint32_t tile_count = divide_up(problem->tokens, SIGHT_TILE);
    const uint64_t tokens = (uint64_t)problem->batch * problem->tokens;
    *out_sight = quartic_dispatch_reserve(list, (tokens + (uint64_t)problem->batch * tile_count) * 2 *
                                                    sizeof(int32_t));
    const quartic_edge_softmax_sight_args args = {.sight = *out_sight,
                                                  .batches = problem->batch,
                                                  .tokens = problem->tokens,
                                                  .nodes = problem->nodes,
                                                  .causal = problem->causal};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "edge_softmax_sight", quartic_edge_softmax_sight_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, problem->positioned);
    quartic_dispatch_spec(dispatch, problem->masked);
    quartic_dispatch_groups(dispatch, divide_up((uint64_t)problem->batch * tile_count, 64));
    dispatch->flops = 10.0 * (double)tokens;
    dispatch->bytes = 20.0 * (double)tokens;
    return QUARTIC_OK;
}

static quartic_status plan_terms(const quartic_edge_problem *problem, quartic_dispatch_list *list,
                                 uint64_t *out_terms) {
    const uint64_t rows = quartic_edge_units(problem) * problem->tokens;
    *out_terms = quartic_dispatch_reserve(list, rows * 2 * sizeof(float));
    const quartic_edge_softmax_terms_args args = {
        .terms = *out_terms, .count = (uint32_t)rows, .width = problem->d};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "edge_softmax_terms", quartic_edge_softmax_terms_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, divide_up(rows, 256));
    dispatch->flops = 2.0 * (double)rows * problem->d;
    dispatch->bytes = 8.0 * (double)rows * problem->d;
    return QUARTIC_OK;
}

static void set_strides(int32_t *to, const quartic_edge_strides *strides) {
    to[0] = (int32_t)strides->batch;
    to[1] = (int32_t)strides->token;
    to[2] = (int32_t)strides->head;
    to[3] = (int32_t)strides->component;
}

/* The members that the three attention shaders' args share. */
#define COMMON_ARGS(problem)                                                                                 \
    .tokens = (problem)->tokens, .heads = (problem)->heads, .units = (uint32_t)quartic_edge_units(problem)
#define SET_STRIDES(args, problem)                                                                           \
    set_strides((args).q_strides, &(problem)->q), set_strides((args).k_strides, &(problem)->k),              \
        set_strides((args).v_strides, &(problem)->v)

/* Constants 0 .. 5 of lib/edge_softmax.glsl, the grid, and estimates at `pair_flops` a pair of tokens. */
static void finish(quartic_dispatch *dispatch, const quartic_edge_problem *problem, const tiles *chosen,
                   double pair_flops) {
    quartic_dispatch_spec(dispatch, problem->d);
    quartic_dispatch_spec(dispatch, GROUP_THREADS);
    quartic_dispatch_spec(dispatch, chosen->split);
    quartic_dispatch_spec(dispatch, chosen->tile);
    quartic_dispatch_spec(dispatch, problem->q.component == 1 && problem->k.component == 1 &&
                                        problem->v.component == 1);
    quartic_dispatch_spec(dispatch, chosen->unroll);
    const double units = (double)quartic_edge_units(problem), tokens = problem->tokens;
    const uint32_t blocks = divide_up(problem->tokens, GROUP_THREADS / chosen->split * chosen->rows);
    quartic_dispatch_groups(dispatch, quartic_edge_units(problem) * blocks);
    dispatch->flops = units * tokens * tokens * pair_flops;
    /* Every block reads its unit's other side; repeated reads are expected to come from a cache. */
    dispatch->bytes = 16.0 * units * tokens * problem->d;
}

quartic_status quartic_edge_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                quartic_dispatch_list *list) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    uint64_t sight;
    QUARTIC_TRY(plan_sight(&problem, list, &sight));
    tiles chosen;
    QUARTIC_TRY(choose_tiles(&problem, limits, false, &chosen));
    quartic_edge_softmax_args args = {.sight = sight, COMMON_ARGS(&problem)};
    SET_STRIDES(args, &problem);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "edge_softmax", quartic_edge_softmax_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    finish(dispatch, &problem, &chosen, quartic_edge_pair_flops(&problem, false));
    quartic_dispatch_spec(dispatch, chosen.rows);
    return QUARTIC_OK;
}

quartic_status quartic_edge_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                     quartic_dispatch_list *list) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    uint64_t sight, terms;
    QUARTIC_TRY(plan_sight(&problem, list, &sight));
    QUARTIC_TRY(plan_terms(&problem, list, &terms));
    tiles chosen;
    QUARTIC_TRY(choose_tiles(&problem, limits, true, &chosen));

    quartic_edge_softmax_query_grad_args for_queries = {
        .sight = sight, .terms = terms, COMMON_ARGS(&problem)};
    SET_STRIDES(for_queries, &problem);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "edge_softmax_query_grad",
                                                      quartic_edge_softmax_query_grad_push(&for_queries));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    finish(dispatch, &problem, &chosen, 6.0 * problem.d + 25);

    quartic_edge_softmax_key_grad_args for_keys = {.sight = sight, .terms = terms, COMMON_ARGS(&problem)};
    SET_STRIDES(for_keys, &problem);
    dispatch =
        quartic_dispatch_add(list, "edge_softmax_key_grad", quartic_edge_softmax_key_grad_push(&for_keys));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    finish(dispatch, &problem, &chosen, 8.0 * problem.d + 25);
    return QUARTIC_OK;
}
