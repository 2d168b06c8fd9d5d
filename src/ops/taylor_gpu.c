/* taylor_gpu.c: GPU plans of Taylor attention: which shaders, tiles and scratch for given shapes and limits.
 *
 * Quadratic: taylor_quadratic; backward taylor_terms (1/z and D per row, into scratch), taylor_query_grad,
 * taylor_key_grad. Linear, for groups of units so that the states held at once stay bounded: taylor_build,
 * where a unit has several parts taylor_sum_parts, taylor_apply; backward taylor_terms, then the states of
 * keys and of queries, then taylor_apply_grad for queries and for keys. A unit is cut into parts by shape
 * alone. With blocks of tokens that see different keys, a part is a block, taylor_scan_parts takes the place
 * of taylor_sum_parts, and both sides' states lie in the same place, one after the other.
 */
#include "ops/taylor_problem.h"
#include "shaders/taylor_apply.args.h"
#include "shaders/taylor_apply_grad.args.h"
#include "shaders/taylor_build.args.h"
#include "shaders/taylor_key_grad.args.h"
#include "shaders/taylor_quadratic.args.h"
#include "shaders/taylor_query_grad.args.h"
#include "shaders/taylor_scan_parts.args.h"
#include "shaders/taylor_sum_parts.args.h"
#include "shaders/taylor_terms.args.h"

enum {
    GROUP_THREADS = 64,
    LEAST_THREADS = 32, /* of a group whose span has fewer tokens */
    GREATEST_TILE = 32,
    FORWARD_SLICE = 32,     /* components of q and of out in one thread's registers */
    BACKWARD_SLICE = 16,    /* of each of q, dq, a, or k, dk, v, dv */
    TWO_ROWS_WIDTH = 48,    /* d + dv up to which a thread takes two queries */
    FEATURES_OF_THREAD = 3, /* at most */
    PART_TOKENS = 512,
    MANY_UNITS = 1024, /* enough work without cutting units into parts */
    GREATEST_PARTS = 128,
    FORWARD_GROUPS = 7, /* three dispatches each, of QUARTIC_DISPATCH_MAX */
    BACKWARD_GROUPS = 3 /* six dispatches each */
};

/* States held at once take no more than this, unless that needs more groups than a list has dispatches for.
 */
#define STATE_BYTES ((uint64_t)16 << 20)

static uint32_t divide_up(uint64_t count, uint32_t by) {
    return (uint32_t)((count + by - 1) / by);
}

/* Refuses a shader whose loops would be cut short on this device. */
static quartic_status expect_iterations(const quartic_taylor_problem *problem,
                                        const quartic_gpu_limits *limits, double iterations) {
    if (limits->max_iterations == 0 || iterations <= limits->max_iterations) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_UNSUPPORTED,
        "taylor_attention of sequences of %u tokens with d %u and dv %u in the %s form takes %.0f loop "
        "iterations a thread, and this device allows %u; use the device cpu or the other form",
        problem->tokens, problem->d, problem->dv,
        problem->form == QUARTIC_TAYLOR_LINEAR ? "linear" : "quadratic", iterations, limits->max_iterations);
}

static uint32_t mask_kind(const quartic_taylor_problem *problem) {
    return !problem->masked ? 0 : problem->pair ? 2 : 1;
}

static void set_strides(int32_t *to, const quartic_taylor_strides *strides) {
    to[0] = (int32_t)strides->batch;
    to[1] = (int32_t)strides->other;
    to[2] = (int32_t)strides->position;
    to[3] = (int32_t)strides->head;
}

/* Constants 0 .. 5 of lib/taylor.glsl. */
static void common_spec(quartic_dispatch *dispatch, const quartic_taylor_problem *problem, uint32_t threads) {
    quartic_dispatch_spec(dispatch, problem->d);
    quartic_dispatch_spec(dispatch, problem->dv);
    quartic_dispatch_spec(dispatch, mask_kind(problem));
    quartic_dispatch_spec(dispatch, problem->causal);
    quartic_dispatch_spec(dispatch, problem->axis);
    quartic_dispatch_spec(dispatch, threads);
}

/* ---- quadratic form ---- */

typedef struct pair_tiles {
    uint32_t split, tile, rows;
} pair_tiles;

/* split: threads of a row, a power of two, so that a thread holds at most `slice` components of each operand.
 */
static pair_tiles choose_tiles(const quartic_taylor_problem *problem, const quartic_gpu_limits *limits,
                               uint32_t slice, uint32_t exchanged_bytes) {
    pair_tiles tiles = {.split = 1, .rows = 1};
    const uint32_t widest = problem->d > problem->dv ? problem->d : problem->dv;
    while (tiles.split * slice < widest) tiles.split *= 2;
    const uint32_t vectors = divide_up(problem->d, 4 * tiles.split) + divide_up(problem->dv, 4 * tiles.split);
    const uint32_t token_bytes = 16 * tiles.split * vectors + 2 * (uint32_t)sizeof(float) +
                                 (tiles.split > 1 ? GROUP_THREADS * exchanged_bytes : 0);
    const uint32_t shared = limits->max_shared_bytes < 32768 ? limits->max_shared_bytes : 32768;
    tiles.tile = shared / 2 / token_bytes; /* half, so that two groups fit at once */
    if (tiles.tile < 1) tiles.tile = 1;
    if (tiles.tile > GREATEST_TILE) tiles.tile = GREATEST_TILE;
    return tiles;
}

/* Iterations of a thread: all tokens of the other side once, twice with an exchange, and the loads of their
 * tiles. */
static quartic_status expect_pair_iterations(const quartic_taylor_problem *problem,
                                             const quartic_gpu_limits *limits, const pair_tiles *tiles) {
    const uint32_t loads =
        divide_up(tiles->tile * tiles->split * divide_up(problem->d, 4 * tiles->split), GROUP_THREADS) +
        divide_up(tiles->tile * tiles->split * divide_up(problem->dv, 4 * tiles->split), GROUP_THREADS) + 2;
    const double tokens = problem->tokens * (tiles->split == 1 ? 1.0 : 2.0 + tiles->split);
    return expect_iterations(problem, limits,
                             tokens + (double)divide_up(problem->tokens, tiles->tile) * loads);
}

static void pair_spec(quartic_dispatch *dispatch, const quartic_taylor_problem *problem,
                      const pair_tiles *tiles) {
    common_spec(dispatch, problem, GROUP_THREADS);
    quartic_dispatch_spec(dispatch, tiles->split);
    quartic_dispatch_spec(dispatch, tiles->tile);
    quartic_dispatch_spec(dispatch, (uint32_t)problem->q.component);
    quartic_dispatch_spec(dispatch, (uint32_t)problem->k.component);
    quartic_dispatch_spec(dispatch, (uint32_t)problem->v.component);
    quartic_dispatch_spec(dispatch, quartic_taylor_blocked(problem) ? problem->span : 0);
}

static void pair_groups(quartic_dispatch *dispatch, const quartic_taylor_problem *problem,
                        const pair_tiles *tiles, double flops) {
    const uint64_t units = quartic_taylor_units(problem), tokens = units * problem->tokens;
    quartic_dispatch_groups(dispatch,
                            units * divide_up(problem->tokens, GROUP_THREADS / tiles->split * tiles->rows));
    dispatch->flops = flops;
    dispatch->bytes = 8.0 * (double)tokens * (problem->d + problem->dv);
}

/* The members that the three shaders' args share. */
#define PAIR_ARGS(problem)                                                                                   \
    .tokens = (problem)->tokens, .others = (problem)->others, .heads = (problem)->heads,                     \
    .units = (uint32_t)quartic_taylor_units(problem)
#define SET_PAIR_STRIDES(args, problem)                                                                      \
    set_strides((args).q_strides, &(problem)->q), set_strides((args).k_strides, &(problem)->k),              \
        set_strides((args).v_strides, &(problem)->v)

static quartic_status plan_quadratic(const quartic_taylor_problem *problem, const quartic_gpu_limits *limits,
                                     quartic_dispatch_list *list) {
    pair_tiles tiles = choose_tiles(problem, limits, FORWARD_SLICE, sizeof(float));
    if (tiles.split == 1 && problem->d + problem->dv <= TWO_ROWS_WIDTH && problem->tokens > GROUP_THREADS)
        tiles.rows = 2;
    QUARTIC_TRY(expect_pair_iterations(problem, limits, &tiles));
    quartic_taylor_quadratic_args args = {PAIR_ARGS(problem)};
    SET_PAIR_STRIDES(args, problem);
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "taylor_quadratic", quartic_taylor_quadratic_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    pair_spec(dispatch, problem, &tiles);
    quartic_dispatch_spec(dispatch, tiles.rows);
    pair_groups(dispatch, problem, &tiles, quartic_taylor_flops(problem, false));
    return QUARTIC_OK;
}

/* terms (b, r, c, h, 2) into scratch at byte `offset`. */
static quartic_status plan_terms(const quartic_taylor_problem *problem, quartic_dispatch_list *list,
                                 uint64_t terms) {
    const uint64_t rows = quartic_taylor_units(problem) * problem->tokens;
    const quartic_taylor_terms_args args = {.terms = terms, .count = (uint32_t)rows, .width = problem->dv};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "taylor_terms", quartic_taylor_terms_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (rows + 255) / 256);
    dispatch->flops = 2.0 * (double)rows * problem->dv;
    dispatch->bytes = 8.0 * (double)rows * problem->dv;
    return QUARTIC_OK;
}

static quartic_status plan_quadratic_grad(const quartic_taylor_problem *problem,
                                          const quartic_gpu_limits *limits, quartic_dispatch_list *list,
                                          uint64_t terms) {
    const pair_tiles tiles = choose_tiles(problem, limits, BACKWARD_SLICE, 2 * sizeof(float));
    QUARTIC_TRY(expect_pair_iterations(problem, limits, &tiles));
    const double pairs = quartic_taylor_pairs(problem);
    quartic_taylor_query_grad_args for_queries = {.terms = terms, PAIR_ARGS(problem)};
    SET_PAIR_STRIDES(for_queries, problem);
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "taylor_query_grad", quartic_taylor_query_grad_push(&for_queries));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    pair_spec(dispatch, problem, &tiles);
    pair_groups(dispatch, problem, &tiles, pairs * (4.0 * problem->d + 2.0 * problem->dv + 4));

    quartic_taylor_key_grad_args for_keys = {.terms = terms, PAIR_ARGS(problem)};
    SET_PAIR_STRIDES(for_keys, problem);
    dispatch = quartic_dispatch_add(list, "taylor_key_grad", quartic_taylor_key_grad_push(&for_keys));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    pair_spec(dispatch, problem, &tiles);
    pair_groups(dispatch, problem, &tiles, pairs * (4.0 * problem->d + 4.0 * problem->dv + 6));
    return QUARTIC_OK;
}

/* ---- linear form ---- */

/* How units are cut and grouped, and the tiles of the shaders that walk over features. */
typedef struct state_cut {
    const quartic_taylor_problem *problem;
    uint32_t parts, part_tokens; /* of a unit: with blocks a part is a block */
    bool blocked;
    uint64_t group;        /* units at once */
    uint64_t state_floats; /* of one part */
    uint64_t side_bytes;   /* states of a group on one side, keys or queries */
    uint32_t vectors;      /* vec4s of a thread's slice of values */
    uint32_t shared;       /* bytes that a group may use */
    const quartic_gpu_limits *limits;
} state_cut;

static quartic_status cut_states(const quartic_taylor_problem *problem, const quartic_gpu_limits *limits,
                                 bool backward, state_cut *out) {
    const uint64_t units = quartic_taylor_units(problem);
    state_cut cut = {.problem = problem,
                     .limits = limits,
                     .parts = 1,
                     .blocked = quartic_taylor_blocked(problem),
                     .state_floats = (uint64_t)problem->features * (problem->dv + 1)};
    const uint32_t sides = backward && !cut.blocked ? 2 : 1; /* whose states are held at once */
    if (units < MANY_UNITS) cut.parts = divide_up(problem->tokens, PART_TOKENS);
    if (cut.parts > GREATEST_PARTS) cut.parts = GREATEST_PARTS;
    cut.part_tokens = cut.blocked ? problem->span : divide_up(problem->tokens, cut.parts);
    cut.parts = divide_up(problem->tokens, cut.part_tokens);
    const uint64_t unit_bytes = cut.state_floats * cut.parts * sizeof(float) * sides;
    cut.group = STATE_BYTES / unit_bytes;
    const uint64_t least = divide_up(units, backward ? BACKWARD_GROUPS : FORWARD_GROUPS);
    if (cut.group < least) cut.group = least;
    if (cut.group > units) cut.group = units;
    cut.side_bytes = cut.group * cut.state_floats * cut.parts * sizeof(float);
    if (cut.side_bytes / sizeof(float) >= (uint64_t)1 << 31)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "the linear form of taylor_attention with %llu heads of sequences of %u blocks, d %u and dv %u "
            "would hold states of %llu numbers at once, beyond 32-bit indices; use the quadratic form",
            (unsigned long long)units, quartic_taylor_blocks(problem), problem->d, problem->dv,
            (unsigned long long)(cut.side_bytes / sizeof(float)));
    cut.vectors = divide_up(problem->dv < BACKWARD_SLICE ? problem->dv : BACKWARD_SLICE, 4);
    cut.shared = (limits->max_shared_bytes < 32768 ? limits->max_shared_bytes : 32768) / 4 * 3;
    *out = cut;
    return QUARTIC_OK;
}

static uint64_t group_size(const state_cut *cut, uint64_t first) {
    const uint64_t left = quartic_taylor_units(cut->problem) - first;
    return left < cut->group ? left : cut->group;
}

/* States of blocks to sums: of the keys that a block's queries see, or of the queries that see its keys. */
static quartic_status plan_scan(const state_cut *cut, quartic_dispatch_list *list, uint64_t units,
                                bool queries, uint64_t state) {
    const quartic_taylor_scan_parts_args args = {.state = state,
                                                 .count = (uint32_t)(units * cut->state_floats),
                                                 .size = (uint32_t)cut->state_floats,
                                                 .parts = cut->parts,
                                                 .back = queries};
    QUARTIC_TRY(expect_iterations(cut->problem, cut->limits, cut->parts));
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "taylor_scan_parts", quartic_taylor_scan_parts_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, ((uint64_t)args.count + 255) / 256);
    dispatch->flops = (double)args.count * cut->parts;
    dispatch->bytes = 8.0 * (double)args.count * cut->parts;
    return QUARTIC_OK;
}

/* The states of one side, keys or queries, of the units from `first` on, into scratch at byte `offset`. */
static quartic_status plan_states(const state_cut *cut, quartic_dispatch_list *list, uint64_t first,
                                  bool queries, uint64_t state, uint64_t terms) {
    const quartic_taylor_problem *problem = cut->problem;
    const uint64_t units = group_size(cut, first);
    const quartic_taylor_strides *x = queries ? &problem->q : &problem->k,
                                 *y = queries ? &problem->value : &problem->v;
    const uint32_t token_bytes = ((problem->d + 2) + 4 * cut->vectors) * (uint32_t)sizeof(float);
    uint32_t tile = cut->shared / 2 / token_bytes;
    if (tile < 1) tile = 1;
    if (tile > GREATEST_TILE) tile = GREATEST_TILE;
    uint32_t rows = divide_up(problem->features, GROUP_THREADS);
    if (rows > FEATURES_OF_THREAD) rows = FEATURES_OF_THREAD;
    const double loads = divide_up((uint64_t)tile * problem->d, GROUP_THREADS) +
                         divide_up(tile * cut->vectors, GROUP_THREADS) + 2;
    QUARTIC_TRY(expect_iterations(problem, cut->limits,
                                  cut->part_tokens + divide_up(cut->part_tokens, tile) * loads +
                                      rows * (problem->d + 1.0)));
    quartic_taylor_build_args args = {
        .x = quartic_dispatch_input(queries ? QUARTIC_TAYLOR_Q : QUARTIC_TAYLOR_K),
        .y = quartic_dispatch_input(queries ? QUARTIC_TAYLOR_G : QUARTIC_TAYLOR_V),
        .terms = queries ? terms : 0,
        .state = state,
        .tokens = problem->tokens,
        .others = problem->others,
        .heads = problem->heads,
        .first_unit = (uint32_t)first,
        .unit_count = (uint32_t)units,
        .parts = cut->parts,
        .part_tokens = cut->part_tokens};
    set_strides(args.x_strides, x);
    set_strides(args.y_strides, y);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "taylor_build", quartic_taylor_build_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    common_spec(dispatch, problem, GROUP_THREADS);
    quartic_dispatch_spec(dispatch, queries);
    quartic_dispatch_spec(dispatch, cut->vectors);
    quartic_dispatch_spec(dispatch, tile);
    quartic_dispatch_spec(dispatch, (uint32_t)x->component);
    quartic_dispatch_spec(dispatch, (uint32_t)y->component);
    quartic_dispatch_spec(dispatch, rows);
    const uint64_t blocks = divide_up(problem->features, GROUP_THREADS * rows);
    const uint64_t slices = divide_up(problem->dv, 4 * cut->vectors);
    quartic_dispatch_groups(dispatch, units * cut->parts * blocks * slices);
    dispatch->flops = (double)units * problem->tokens * problem->features * (2.0 * problem->dv + 4);
    dispatch->bytes = 4.0 * (double)units * problem->tokens * (problem->d + problem->dv);
    if (cut->blocked) return plan_scan(cut, list, units, queries, state);
    if (cut->parts == 1) return QUARTIC_OK;

    const quartic_taylor_sum_parts_args sum = {.state = state,
                                               .count = (uint32_t)(units * cut->state_floats),
                                               .size = (uint32_t)cut->state_floats,
                                               .parts = cut->parts};
    dispatch = quartic_dispatch_add(list, "taylor_sum_parts", quartic_taylor_sum_parts_push(&sum));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (sum.count + 255) / 256);
    dispatch->flops = (double)sum.count * cut->parts;
    dispatch->bytes = 4.0 * (double)sum.count * cut->parts;
    return QUARTIC_OK;
}

/* The greatest power of two of threads, each with `rows` rows of floats in shared memory, that fits beside a
 * tile. */
static uint32_t threads_for(const state_cut *cut, uint32_t rows) {
    const uint32_t tile_bytes = GREATEST_TILE * (4 * cut->vectors + 1) * (uint32_t)sizeof(float);
    uint32_t threads = GROUP_THREADS;
    while (threads > LEAST_THREADS && threads / 2 >= cut->problem->span) threads /= 2;
    const uint32_t row_bytes = rows * (cut->problem->d + 1) * (uint32_t)sizeof(float);
    while (threads > 1 && threads * row_bytes + tile_bytes > cut->shared) threads /= 2;
    return threads;
}

/* Iterations of a thread that walks over all features, once for each slice of values, `threads` loading a
 * tile. */
static quartic_status expect_walks(const state_cut *cut, uint32_t threads, uint32_t rows) {
    const quartic_taylor_problem *problem = cut->problem;
    const double loads =
        divide_up(GREATEST_TILE * cut->vectors, threads) + divide_up(GREATEST_TILE, threads) + 1;
    const double walk = problem->features + (double)divide_up(problem->features, GREATEST_TILE) * loads;
    const double walks = divide_up(problem->dv, 4 * cut->vectors);
    return expect_iterations(problem, cut->limits, walks * walk + 3.0 * rows * (problem->d + 1));
}

static quartic_status plan_apply(const state_cut *cut, quartic_dispatch_list *list, uint64_t first,
                                 uint64_t state) {
    const quartic_taylor_problem *problem = cut->problem;
    const uint64_t units = group_size(cut, first);
    const uint32_t rows = problem->span > GROUP_THREADS && problem->d <= TWO_ROWS_WIDTH ? 2 : 1;
    const uint32_t threads = threads_for(cut, rows);
    QUARTIC_TRY(expect_walks(cut, threads, rows));
    quartic_taylor_apply_args args = {.state = state,
                                      .tokens = problem->tokens,
                                      .others = problem->others,
                                      .heads = problem->heads,
                                      .first_unit = (uint32_t)first,
                                      .unit_count = (uint32_t)units,
                                      .parts = cut->parts,
                                      .span = problem->span};
    set_strides(args.q_strides, &problem->q);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "taylor_apply", quartic_taylor_apply_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    common_spec(dispatch, problem, threads);
    quartic_dispatch_spec(dispatch, cut->vectors);
    quartic_dispatch_spec(dispatch, GREATEST_TILE);
    quartic_dispatch_spec(dispatch, (uint32_t)problem->q.component);
    quartic_dispatch_spec(dispatch, rows);
    quartic_dispatch_groups(dispatch, units * quartic_taylor_blocks(problem) *
                                          divide_up(problem->span, threads * rows));
    dispatch->flops = (double)units * problem->tokens * problem->features * (2.0 * problem->dv + 3);
    dispatch->bytes = 4.0 * (double)units * problem->tokens * (problem->d + problem->dv);
    return QUARTIC_OK;
}

static quartic_status plan_apply_grad(const state_cut *cut, quartic_dispatch_list *list, uint64_t first,
                                      bool queries, uint64_t state, uint64_t terms) {
    const quartic_taylor_problem *problem = cut->problem;
    const uint64_t units = group_size(cut, first);
    const quartic_taylor_strides *x = queries ? &problem->q : &problem->k,
                                 *y = queries ? &problem->value : &problem->v;
    const uint32_t threads = threads_for(cut, 2); /* x and dx */
    QUARTIC_TRY(expect_walks(cut, threads, 1));
    quartic_taylor_apply_grad_args args = {
        .x = quartic_dispatch_input(queries ? QUARTIC_TAYLOR_Q : QUARTIC_TAYLOR_K),
        .y = quartic_dispatch_input(queries ? QUARTIC_TAYLOR_G : QUARTIC_TAYLOR_V),
        .terms = queries ? terms : 0,
        .state = state,
        .dx = quartic_dispatch_output(queries ? 0 : 1),
        .dy = queries ? 0 : quartic_dispatch_output(2),
        .tokens = problem->tokens,
        .others = problem->others,
        .heads = problem->heads,
        .first_unit = (uint32_t)first,
        .unit_count = (uint32_t)units,
        .parts = cut->parts,
        .span = problem->span};
    set_strides(args.x_strides, x);
    set_strides(args.y_strides, y);
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "taylor_apply_grad", quartic_taylor_apply_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    common_spec(dispatch, problem, threads);
    quartic_dispatch_spec(dispatch, queries);
    quartic_dispatch_spec(dispatch, cut->vectors);
    quartic_dispatch_spec(dispatch, GREATEST_TILE);
    quartic_dispatch_spec(dispatch, (uint32_t)x->component);
    quartic_dispatch_spec(dispatch, (uint32_t)y->component);
    quartic_dispatch_groups(dispatch,
                            units * quartic_taylor_blocks(problem) * divide_up(problem->span, threads));
    dispatch->flops =
        (double)units * problem->tokens * problem->features * ((queries ? 2.0 : 4.0) * problem->dv + 6);
    dispatch->bytes = 8.0 * (double)units * problem->tokens * (problem->d + problem->dv);
    return QUARTIC_OK;
}

/* ---- both ---- */

quartic_status quartic_taylor_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_call(call);
    if (problem.form == QUARTIC_TAYLOR_QUADRATIC) return plan_quadratic(&problem, limits, list);
    state_cut cut;
    QUARTIC_TRY(cut_states(&problem, limits, false, &cut));
    const uint64_t state = quartic_dispatch_reserve(list, cut.side_bytes);
    for (uint64_t first = 0; first < quartic_taylor_units(&problem); first += cut.group) {
        QUARTIC_TRY(plan_states(&cut, list, first, false, state, 0));
        QUARTIC_TRY(plan_apply(&cut, list, first, state));
    }
    return QUARTIC_OK;
}

quartic_status quartic_taylor_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                       quartic_dispatch_list *list) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_call(call);
    const uint64_t terms_bytes = quartic_taylor_units(&problem) * problem.tokens * 2 * sizeof(float);
    const uint64_t terms = quartic_dispatch_reserve(list, terms_bytes);
    QUARTIC_TRY(plan_terms(&problem, list, terms));
    if (problem.form == QUARTIC_TAYLOR_QUADRATIC) return plan_quadratic_grad(&problem, limits, list, terms);
    state_cut cut;
    QUARTIC_TRY(cut_states(&problem, limits, true, &cut));
    const uint64_t key_state = quartic_dispatch_reserve(list, cut.side_bytes);
    const uint64_t query_state =
        cut.blocked ? key_state : quartic_dispatch_reserve(list, cut.side_bytes); /* see the file's head */
    for (uint64_t first = 0; first < quartic_taylor_units(&problem); first += cut.group) {
        QUARTIC_TRY(plan_states(&cut, list, first, false, key_state, 0));
        if (!cut.blocked) QUARTIC_TRY(plan_states(&cut, list, first, true, query_state, terms));
        QUARTIC_TRY(plan_apply_grad(&cut, list, first, true, key_state, terms));
        if (cut.blocked) QUARTIC_TRY(plan_states(&cut, list, first, true, query_state, terms));
        QUARTIC_TRY(plan_apply_grad(&cut, list, first, false, query_state, 0));
    }
    return QUARTIC_OK;
}
