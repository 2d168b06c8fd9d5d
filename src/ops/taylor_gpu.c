/* taylor_gpu.c: GPU plans of Taylor attention: which shaders, tiles and scratch for given shapes and limits.
 *
 * Quadratic form   taylor_quadratic
 *   adjoint        taylor_terms (1 / z and D of each query, into scratch), taylor_query_grad, taylor_key_grad
 * Linear form      taylor_build, taylor_sum_parts where a unit has several parts, taylor_apply
 *   adjoint        taylor_terms, the states of the keys and of the queries, taylor_apply_grad for queries and
 *                  for keys
 *
 * The linear form works on groups of units, so that the states held at once stay bounded. A unit is cut into
 * parts by its shape alone. Where the sequence has blocks of tokens that see different keys, a part is a
 * block and taylor_scan_parts takes the place of taylor_sum_parts; the adjoint then keeps the states of keys
 * and of queries in the same scratch, one after the other.
 */
#include "ops/taylor_problem.h"

#include <stdio.h>

#include "ops/gpu_plan.h"
#include "ops/strided.h"
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
    FORWARD_SLICE = 32,        /* components of q and of out in one thread's registers */
    BACKWARD_SLICE = 16,       /* of each of q, dq, a, or k, dk, v, dv */
    TWO_ROWS_WIDTH = 48,       /* numbers of a row up to which a thread takes two: d + dv forward, */
    TWO_GRAD_ROWS_WIDTH = 32,  /* 2 d + dv of a query and 2 (d + dv) of a key backward, */
    TWO_QUERY_ROWS_WIDTH = 48, /* or of a query where registers are many */
    TWO_APPLY_ROWS_WIDTH = 48, /* of taylor_apply_grad_rows */
    STATE_BLOCKS = 2,          /* of 4 x 4 features in shared memory at once */
    FEATURES_OF_THREAD = 3,    /* at most */
    PART_TOKENS = 512,
    MANY_UNITS = 1024, /* enough work without cutting units into parts */
    GREATEST_PARTS = 128,
    FORWARD_GROUPS = 7, /* three dispatches each, of QUARTIC_DISPATCH_MAX */
    BACKWARD_GROUPS = 3 /* six dispatches each */
};

/* The states held at once take no more bytes than this, unless that would need more groups than a list has
 * dispatches for: about what the last cache of a device holds, which grows with its units (H200: 50 MB for 132, RTX
 * 4090: 72 MB for 128, RX 7900 XTX: 96 MB for 96). */
#define STATE_LEAST_BYTES    ((uint64_t)16 << 20)
#define STATE_BYTES_PER_UNIT ((uint64_t)384 << 10)

static uint64_t taylor_state_bytes(const quartic_gpu_limits *limits) {
    const uint64_t bytes = limits->compute_units * STATE_BYTES_PER_UNIT;
    return bytes > STATE_LEAST_BYTES ? bytes : STATE_LEAST_BYTES;
}

/* Refuses a shader whose loops the device would cut short. */
static quartic_status taylor_expect_iterations(const quartic_taylor_problem *problem,
                                               const quartic_gpu_limits *limits, double iterations) {
    const bool linear = problem->form == QUARTIC_TAYLOR_LINEAR;
    char what[160];
    snprintf(
        what, sizeof what,
        "taylor_attention of sequences of %u tokens with d %u and dv %u in the %s form (the %s one may fit)",
        problem->tokens, problem->d, problem->dv, linear ? "linear" : "quadratic",
        linear ? "quadratic" : "linear");
    return quartic_gpu_expect_iterations(what, limits, iterations);
}

static uint32_t taylor_mask_kind(const quartic_taylor_problem *problem) {
    return !problem->masked ? 0 : problem->pair ? 2 : 1;
}

/* to: the strides of batch, other, position and head in the arguments. */
static void taylor_set_strides(int32_t *to, const quartic_taylor_strides *strides) {
    to[0] = (int32_t)strides->batch;
    to[1] = (int32_t)strides->other;
    to[2] = (int32_t)strides->position;
    to[3] = (int32_t)strides->head;
}

/* What lib/rows4.glsl takes for the stride of components. */
static uint32_t taylor_component(const quartic_taylor_strides *strides) {
    return strides->quads ? QUARTIC_IN_QUADS : (uint32_t)strides->component;
}

/* Constants 0 .. 5 of lib/taylor.glsl. */
#define TAYLOR_SPEC(problem, threads)                                                                        \
    (problem)->d, (problem)->dv, taylor_mask_kind(problem), (problem)->causal, (problem)->axis, (threads)

/* ---- quadratic form ---- */

typedef struct pair_tiles {
    uint32_t split, tile, rows; /* threads of a row, tokens of a tile, rows of a thread */
} pair_tiles;

/* split is a power of two, so that a thread holds at most `slice` components of each operand. */
static pair_tiles taylor_choose_tiles(const quartic_taylor_problem *problem, const quartic_gpu_limits *limits,
                                      uint32_t slice, uint32_t exchanged_bytes) {
    pair_tiles tiles = {.split = 1, .rows = 1};
    const uint32_t widest = problem->d > problem->dv ? problem->d : problem->dv;
    while (tiles.split * slice < widest) tiles.split *= 2;
    const uint32_t vectors =
        quartic_divide_up(problem->d, 4 * tiles.split) + quartic_divide_up(problem->dv, 4 * tiles.split);
    const uint32_t token_bytes = 16 * tiles.split * vectors + 2 * (uint32_t)sizeof(float) +
                                 (tiles.split > 1 ? GROUP_THREADS * exchanged_bytes : 0);
    tiles.tile =
        quartic_gpu_shared_bytes(limits) / 2 / token_bytes; /* half, so that two groups fit at once */
    if (tiles.tile < 1) tiles.tile = 1;
    if (tiles.tile > GREATEST_TILE) tiles.tile = GREATEST_TILE;
    return tiles;
}

/* Iterations of a thread: all tokens of the other side once, twice with an exchange, and the loads of their
 * tiles. */
static quartic_status taylor_expect_pair_iterations(const quartic_taylor_problem *problem,
                                                    const quartic_gpu_limits *limits,
                                                    const pair_tiles *tiles) {
    const uint32_t in_tile = tiles->tile * tiles->split;
    const uint32_t loads =
        quartic_divide_up(in_tile * quartic_divide_up(problem->d, 4 * tiles->split), GROUP_THREADS) +
        quartic_divide_up(in_tile * quartic_divide_up(problem->dv, 4 * tiles->split), GROUP_THREADS) + 2;
    const double tokens = problem->tokens * (tiles->split == 1 ? 1.0 : 2.0 + tiles->split);
    return taylor_expect_iterations(problem, limits,
                                    tokens + (double)quartic_divide_up(problem->tokens, tiles->tile) * loads);
}

/* What the three shaders of lib/taylor_pairs.glsl have in common. */
static quartic_dispatch_shape taylor_pair_shape(const quartic_taylor_problem *problem,
                                                const pair_tiles *tiles, double flops) {
    const uint64_t units = quartic_taylor_units(problem), tokens = units * problem->tokens;
    return (quartic_dispatch_shape){
        QUARTIC_SPEC(TAYLOR_SPEC(problem, GROUP_THREADS), tiles->split, tiles->tile,
                     taylor_component(&problem->q), taylor_component(&problem->k),
                     taylor_component(&problem->v), quartic_taylor_blocked(problem) ? problem->span : 0),
        .groups = units * quartic_divide_up(problem->tokens, GROUP_THREADS / tiles->split * tiles->rows),
        .flops = flops,
        .bytes = 8.0 * (double)tokens * (problem->d + problem->dv),
    };
}

/* The members that the three shaders' args share. */
#define PAIR_ARGS(problem)                                                                                   \
    .tokens = (problem)->tokens, .others = (problem)->others, .heads = (problem)->heads,                     \
    .units = (uint32_t)quartic_taylor_units(problem)
#define SET_PAIR_STRIDES(args, problem)                                                                      \
    taylor_set_strides((args).q_strides, &(problem)->q),                                                     \
        taylor_set_strides((args).k_strides, &(problem)->k),                                                 \
        taylor_set_strides((args).v_strides, &(problem)->v)

/* Two rows of that many numbers each in a thread halve what it reads of shared memory for each. */
static uint32_t taylor_rows(const quartic_taylor_problem *problem, const quartic_gpu_limits *limits,
                            const pair_tiles *tiles, uint32_t numbers, uint32_t most) {
    if (tiles->split != 1 || numbers > most || limits->choice.rows == 1) return 1;
    return limits->choice.rows == 2 || problem->tokens > GROUP_THREADS ? 2 : 1;
}

static quartic_status taylor_plan_quadratic(const quartic_taylor_problem *problem,
                                            const quartic_gpu_limits *limits, quartic_dispatch_list *list) {
    pair_tiles tiles = taylor_choose_tiles(problem, limits, FORWARD_SLICE, sizeof(float));
    tiles.rows = taylor_rows(problem, limits, &tiles, problem->d + problem->dv, TWO_ROWS_WIDTH);
    QUARTIC_TRY(taylor_expect_pair_iterations(problem, limits, &tiles));
    quartic_taylor_quadratic_args args = {PAIR_ARGS(problem)};
    SET_PAIR_STRIDES(args, problem);
    quartic_dispatch_shape shape = taylor_pair_shape(problem, &tiles, quartic_taylor_flops(problem, false));
    shape.spec[shape.spec_count++] = tiles.rows;
    return quartic_dispatch_append(list, "taylor_quadratic", quartic_taylor_quadratic_push(&args), &shape);
}

/* terms: scratch for (1 / z, D) of each row (b, r, c, h). */
static quartic_status taylor_plan_terms(const quartic_taylor_problem *problem, quartic_dispatch_list *list,
                                        uint64_t terms) {
    const uint64_t rows = quartic_taylor_units(problem) * problem->tokens;
    const quartic_taylor_terms_args args = {.terms = terms, .count = (uint32_t)rows, .width = problem->dv};
    const quartic_dispatch_shape shape = {.groups = quartic_divide_up64(rows, 256),
                                          .flops = 2.0 * (double)rows * problem->dv,
                                          .bytes = 8.0 * (double)rows * problem->dv};
    return quartic_dispatch_append(list, "taylor_terms", quartic_taylor_terms_push(&args), &shape);
}

static quartic_status taylor_plan_quadratic_grad(const quartic_taylor_problem *problem,
                                                 const quartic_gpu_limits *limits,
                                                 quartic_dispatch_list *list, uint64_t terms) {
    pair_tiles tiles = taylor_choose_tiles(problem, limits, BACKWARD_SLICE, 2 * sizeof(float));
    QUARTIC_TRY(taylor_expect_pair_iterations(problem, limits, &tiles));
    const double pairs = quartic_taylor_pairs(problem), d = problem->d, dv = problem->dv;
    tiles.rows =
        taylor_rows(problem, limits, &tiles, 2 * problem->d + problem->dv,
                    quartic_gpu_has_few_registers(limits) ? TWO_GRAD_ROWS_WIDTH : TWO_QUERY_ROWS_WIDTH);
    quartic_dispatch_shape shape = taylor_pair_shape(problem, &tiles, pairs * (4.0 * d + 2.0 * dv + 4));
    shape.spec[shape.spec_count++] = tiles.rows;
    shape.spec[shape.spec_count++] = taylor_component(&problem->value);
    quartic_taylor_query_grad_args for_queries = {.terms = terms, PAIR_ARGS(problem)};
    SET_PAIR_STRIDES(for_queries, problem);
    QUARTIC_TRY(quartic_dispatch_append(list, "taylor_query_grad",
                                        quartic_taylor_query_grad_push(&for_queries), &shape));

    quartic_taylor_key_grad_args for_keys = {.terms = terms, PAIR_ARGS(problem)};
    SET_PAIR_STRIDES(for_keys, problem);
    tiles.rows = taylor_rows(problem, limits, &tiles, 2 * (problem->d + problem->dv), TWO_GRAD_ROWS_WIDTH);
    shape = taylor_pair_shape(problem, &tiles, pairs * (4.0 * d + 4.0 * dv + 6));
    shape.spec[shape.spec_count++] = tiles.rows;
    shape.spec[shape.spec_count++] = taylor_component(&problem->value);
    return quartic_dispatch_append(list, "taylor_key_grad", quartic_taylor_key_grad_push(&for_keys), &shape);
}

/* ---- linear form ---- */

/* How the units are cut and grouped, which of them a group has, and the tiles of the shaders that walk over
 * features. */
typedef struct state_cut {
    const quartic_taylor_problem *problem;
    const quartic_gpu_limits *limits;
    quartic_dispatch_list *list;
    uint32_t parts, part_tokens; /* of a unit: with blocks a part is a block */
    bool blocked;
    uint64_t group;        /* units at once */
    uint64_t state_floats; /* of one part */
    uint64_t side_bytes;   /* states of a group on one side, keys or queries */
    uint32_t vectors;      /* vec4s of a thread's slice of values */
    uint32_t shared;       /* bytes that a group may use */
    uint64_t first, units; /* the units of the group that is planned now */
} state_cut;

/* Numbers of a state, in fours, as shaders/lib/taylor_features.glsl lays them out. */
static uint64_t taylor_state_floats(const quartic_taylor_problem *problem) {
    return 4 * ((uint64_t)problem->features * quartic_divide_up(problem->dv, 4) +
                quartic_divide_up(problem->features, 4));
}

static quartic_status taylor_cut_states(const quartic_taylor_problem *problem,
                                        const quartic_gpu_limits *limits, quartic_dispatch_list *list,
                                        bool backward, state_cut *out) {
    const uint64_t units = quartic_taylor_units(problem);
    state_cut cut = {.problem = problem,
                     .limits = limits,
                     .list = list,
                     .parts = 1,
                     .blocked = quartic_taylor_blocked(problem),
                     .state_floats = taylor_state_floats(problem)};
    const uint32_t sides = backward && !cut.blocked ? 2 : 1; /* whose states are held at once */
    if (units < MANY_UNITS) cut.parts = quartic_divide_up(problem->tokens, PART_TOKENS);
    if (cut.parts > GREATEST_PARTS) cut.parts = GREATEST_PARTS;
    cut.part_tokens = cut.blocked ? problem->span : quartic_divide_up(problem->tokens, cut.parts);
    cut.parts = quartic_divide_up(problem->tokens, cut.part_tokens);
    const uint64_t unit_bytes = cut.state_floats * cut.parts * sizeof(float) * sides;
    cut.group = (limits->choice.state_bytes != 0 ? limits->choice.state_bytes : taylor_state_bytes(limits)) /
                unit_bytes;
    const uint64_t least = quartic_divide_up(units, backward ? BACKWARD_GROUPS : FORWARD_GROUPS);
    if (cut.group < least) cut.group = least;
    if (cut.group > units) cut.group = units;
    /* Equal groups: a small last one would leave most of the device idle. */
    cut.group = quartic_divide_up64(units, quartic_divide_up64(units, cut.group));
    cut.side_bytes = cut.group * cut.state_floats * cut.parts * sizeof(float);
    if (cut.side_bytes / sizeof(float) >= (uint64_t)1 << 31)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "the linear form of taylor_attention with %llu heads of sequences of %u blocks, d %u and dv %u "
            "would hold states of %llu numbers at once, beyond 32-bit indices; use the quadratic form",
            (unsigned long long)units, quartic_taylor_blocks(problem), problem->d, problem->dv,
            (unsigned long long)(cut.side_bytes / sizeof(float)));
    cut.vectors = quartic_divide_up(problem->dv < BACKWARD_SLICE ? problem->dv : BACKWARD_SLICE, 4);
    cut.shared = quartic_gpu_shared_bytes(limits) / 4 * 3;
    *out = cut;
    return QUARTIC_OK;
}

/* Moves to the first group of units, then to the next. False after the last. */
static bool taylor_next_group(state_cut *cut) {
    const uint64_t units = quartic_taylor_units(cut->problem);
    cut->first += cut->units;
    if (cut->first >= units) return false;
    cut->units = units - cut->first < cut->group ? units - cut->first : cut->group;
    return true;
}

/* The side whose tokens a shader walks over: queries with y = g, or keys with y = v. */
typedef struct taylor_side {
    bool queries;
    uint32_t x_input, y_input;
    const quartic_taylor_strides *x, *y;
} taylor_side;

static taylor_side taylor_side_of(const quartic_taylor_problem *problem, bool queries) {
    return queries ? (taylor_side){true, QUARTIC_TAYLOR_Q, QUARTIC_TAYLOR_G, &problem->q, &problem->value}
                   : (taylor_side){false, QUARTIC_TAYLOR_K, QUARTIC_TAYLOR_V, &problem->k, &problem->v};
}

/* Members that the args of taylor_build, taylor_apply and taylor_apply_grad share; of the first and the last
 * of them, which work on either side. */
#define STATE_ARGS(cut)                                                                                      \
    .tokens = (cut)->problem->tokens, .others = (cut)->problem->others, .heads = (cut)->problem->heads,      \
    .first_unit = (uint32_t)(cut)->first, .unit_count = (uint32_t)(cut)->units, .parts = (cut)->parts
#define SIDE_ARGS(side, of_queries)                                                                          \
    .x = quartic_dispatch_input((side).x_input), .y = quartic_dispatch_input((side).y_input),                \
    .terms = (side).queries ? (of_queries) : 0
#define SET_SIDE_STRIDES(args, side)                                                                         \
    taylor_set_strides((args).x_strides, (side).x), taylor_set_strides((args).y_strides, (side).y)

/* From the states of parts to their sums: of all parts of a unit, or with blocks of the keys that a block's
 * queries see, or of the queries that see a block's keys. */
static quartic_status taylor_plan_sums(const state_cut *cut, bool queries, uint64_t state) {
    const uint32_t count = (uint32_t)(cut->units * cut->state_floats), size = (uint32_t)cut->state_floats;
    const double numbers = (double)count * cut->parts;
    quartic_dispatch_shape shape = {.groups = quartic_divide_up64(count, 1024), .flops = numbers};
    if (!cut->blocked) {
        const quartic_taylor_sum_parts_args args = {
            .state = state, .count = count, .size = size, .parts = cut->parts};
        shape.bytes = 4.0 * numbers;
        return quartic_dispatch_append(cut->list, "taylor_sum_parts", quartic_taylor_sum_parts_push(&args),
                                       &shape);
    }
    const quartic_taylor_scan_parts_args args = {
        .state = state, .count = count, .size = size, .parts = cut->parts, .back = queries};
    QUARTIC_TRY(taylor_expect_iterations(cut->problem, cut->limits, cut->parts));
    shape.bytes = 8.0 * numbers;
    return quartic_dispatch_append(cut->list, "taylor_scan_parts", quartic_taylor_scan_parts_push(&args),
                                   &shape);
}

/* state: scratch for the states of one side. terms: as from taylor_plan_terms, read for queries only. */
static quartic_status taylor_plan_build(const state_cut *cut, bool queries, uint64_t state, uint64_t terms) {
    const quartic_taylor_problem *problem = cut->problem;
    const taylor_side side = taylor_side_of(problem, queries);
    const uint32_t token_bytes = ((problem->d + 2) + 4 * cut->vectors) * (uint32_t)sizeof(float);
    uint32_t tile = cut->shared / 2 / token_bytes;
    if (tile < 1) tile = 1;
    if (tile > GREATEST_TILE) tile = GREATEST_TILE;
    uint32_t rows = quartic_divide_up(problem->features, GROUP_THREADS);
    if (rows > FEATURES_OF_THREAD) rows = FEATURES_OF_THREAD;
    const double loads = quartic_divide_up((uint64_t)tile * problem->d, GROUP_THREADS) +
                         quartic_divide_up(tile * cut->vectors, GROUP_THREADS) + 2;
    QUARTIC_TRY(taylor_expect_iterations(
        problem, cut->limits,
        cut->part_tokens + quartic_divide_up(cut->part_tokens, tile) * loads + rows * (problem->d + 1.0)));
    quartic_taylor_build_args args = {SIDE_ARGS(side, terms), .state = state, STATE_ARGS(cut),
                                      .part_tokens = cut->part_tokens};
    SET_SIDE_STRIDES(args, side);
    const uint64_t blocks = quartic_divide_up(problem->features, GROUP_THREADS * rows);
    const uint64_t slices = quartic_divide_up(problem->dv, 4 * cut->vectors);
    const double tokens = (double)cut->units * problem->tokens;
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(TAYLOR_SPEC(problem, GROUP_THREADS), queries, cut->vectors, tile,
                     taylor_component(side.x), taylor_component(side.y), rows),
        .groups = cut->units * cut->parts * blocks * slices,
        .flops = tokens * problem->features * (2.0 * problem->dv + 4),
        .bytes = 4.0 * tokens * (problem->d + problem->dv),
    };
    QUARTIC_TRY(quartic_dispatch_append(cut->list, "taylor_build", quartic_taylor_build_push(&args), &shape));
    return cut->blocked || cut->parts > 1 ? taylor_plan_sums(cut, queries, state) : QUARTIC_OK;
}

/* The greatest power of two of threads, each with `rows` rows of floats in shared memory, that fits beside a
 * tile. */
static uint32_t taylor_threads_for(const state_cut *cut, uint32_t rows) {
    const uint32_t tile_bytes = GREATEST_TILE * (4 * cut->vectors + 1) * (uint32_t)sizeof(float);
    uint32_t threads = GROUP_THREADS;
    while (threads > LEAST_THREADS && threads / 2 >= cut->problem->span) threads /= 2;
    const uint32_t row_bytes = rows * (cut->problem->d + 1) * (uint32_t)sizeof(float);
    while (threads > 1 && threads * row_bytes + tile_bytes > cut->shared) threads /= 2;
    return threads;
}

/* Iterations of a thread that walks over all features, once for each slice of values, `threads` loading a
 * tile. */
static quartic_status taylor_expect_walks(const state_cut *cut, uint32_t threads, uint32_t rows) {
    const quartic_taylor_problem *problem = cut->problem;
    const double loads = quartic_divide_up(GREATEST_TILE * cut->vectors, threads) +
                         quartic_divide_up(GREATEST_TILE, threads) + 1;
    const double walk =
        problem->features + (double)quartic_divide_up(problem->features, GREATEST_TILE) * loads;
    const double walks = quartic_divide_up(problem->dv, 4 * cut->vectors);
    return taylor_expect_iterations(problem, cut->limits, walks * walk + 3.0 * rows * (problem->d + 1));
}

/* Workgroups that apply a state, each to at_once tokens of one span. */
static uint64_t taylor_apply_groups(const state_cut *cut, uint32_t at_once) {
    const quartic_taylor_problem *problem = cut->problem;
    return cut->units * quartic_taylor_blocks(problem) * quartic_divide_up(problem->span, at_once);
}

static quartic_status taylor_plan_apply(const state_cut *cut, uint64_t state) {
    const quartic_taylor_problem *problem = cut->problem;
    const uint32_t rows = problem->span > GROUP_THREADS && problem->d <= TWO_ROWS_WIDTH ? 2 : 1;
    const uint32_t threads = taylor_threads_for(cut, rows);
    QUARTIC_TRY(taylor_expect_walks(cut, threads, rows));
    quartic_taylor_apply_args args = {.state = state, STATE_ARGS(cut), .span = problem->span};
    taylor_set_strides(args.q_strides, &problem->q);
    const double tokens = (double)cut->units * problem->tokens;
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(TAYLOR_SPEC(problem, threads), cut->vectors, GREATEST_TILE,
                     taylor_component(&problem->q), rows),
        .groups = taylor_apply_groups(cut, threads * rows),
        .flops = tokens * problem->features * (2.0 * problem->dv + 3),
        .bytes = 4.0 * tokens * (problem->d + problem->dv),
    };
    return quartic_dispatch_append(cut->list, "taylor_apply", quartic_taylor_apply_push(&args), &shape);
}

/* Tokens of a thread of taylor_apply_grad: two where their numbers fit into its registers. */
static uint32_t taylor_apply_grad_rows(const state_cut *cut, bool queries) {
    const uint32_t numbers = (queries ? 4u : 8u) * cut->vectors + 16; /* y, dy, and four of x and dx twice */
    const uint32_t most = quartic_gpu_has_few_registers(cut->limits) ? 0 : TWO_APPLY_ROWS_WIDTH;
    return cut->problem->span > GROUP_THREADS && numbers <= most ? 2 : 1;
}

/* The gradients of one side, from the states of the other. terms: read for queries only. */
static quartic_status taylor_plan_apply_grad(const state_cut *cut, bool queries, uint64_t state,
                                             uint64_t terms) {
    const quartic_taylor_problem *problem = cut->problem;
    const taylor_side side = taylor_side_of(problem, queries);
    const uint32_t fours = quartic_divide_up(problem->d, 4);
    const uint32_t block_bytes = 16 * (4 * cut->vectors + 1) * (uint32_t)sizeof(float);
    uint32_t rows = taylor_apply_grad_rows(cut, queries), threads = GROUP_THREADS;
    while (threads > LEAST_THREADS && threads / 2 >= problem->span) threads /= 2;
    if (threads * rows * fours * 16 + STATE_BLOCKS * block_bytes > cut->shared) rows = 1;
    while (threads > 1 && threads * rows * fours * 16 + STATE_BLOCKS * block_bytes > cut->shared)
        threads /= 2;
    /* For each walk: blocks of features, each loaded by all threads. */
    const double blocks = fours * (fours + 3.0) / 2;
    const double loads = quartic_divide_up(16 * (cut->vectors + 1), threads) + 2.0;
    QUARTIC_TRY(taylor_expect_iterations(
        problem, cut->limits, quartic_divide_up(problem->dv, 4 * cut->vectors) * blocks * (loads + 2)));
    quartic_taylor_apply_grad_args args = {SIDE_ARGS(side, terms),
                                           .state = state,
                                           .dx = quartic_dispatch_output(queries ? 0 : 1),
                                           .dy = queries ? 0 : quartic_dispatch_output(2),
                                           STATE_ARGS(cut),
                                           .span = problem->span};
    SET_SIDE_STRIDES(args, side);
    const double tokens = (double)cut->units * problem->tokens;
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(TAYLOR_SPEC(problem, threads), queries, cut->vectors, STATE_BLOCKS,
                     taylor_component(side.x), taylor_component(side.y), rows),
        .groups = taylor_apply_groups(cut, threads * rows),
        .flops = tokens * problem->features * ((queries ? 2.0 : 4.0) * problem->dv + 6),
        .bytes = 8.0 * tokens * (problem->d + problem->dv),
    };
    return quartic_dispatch_append(cut->list, "taylor_apply_grad", quartic_taylor_apply_grad_push(&args),
                                   &shape);
}

/* ---- the two ops ---- */

/* The problem with the form that was measured to be quicker, where the caller leaves the form open. */
static quartic_taylor_problem taylor_chosen_problem(const quartic_op_call *call,
                                                    const quartic_gpu_limits *limits) {
    quartic_taylor_problem problem = quartic_taylor_problem_of_call(call);
    const quartic_taylor_options *options = call->attrs;
    const uint32_t form = limits->choice.form;
    if (options->form == 0 && (form == QUARTIC_TAYLOR_QUADRATIC || form == QUARTIC_TAYLOR_LINEAR))
        problem.form = form;
    return problem;
}

void quartic_taylor_candidates(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count) {
    static const quartic_tuning_choice all[] = {
        {.form = QUARTIC_TAYLOR_QUADRATIC, .rows = 1},
        {.form = QUARTIC_TAYLOR_QUADRATIC, .rows = 2},
        {.form = QUARTIC_TAYLOR_LINEAR, .state_bytes = UINT64_C(4) << 20},
        {.form = QUARTIC_TAYLOR_LINEAR, .state_bytes = UINT64_C(16) << 20},
        {.form = QUARTIC_TAYLOR_LINEAR, .state_bytes = UINT64_C(64) << 20},
        {.form = QUARTIC_TAYLOR_LINEAR, .state_bytes = UINT64_C(256) << 20},
    };
    (void)limits;
    const quartic_taylor_options *options = call->attrs;
    for (size_t k = 0; k < sizeof all / sizeof all[0] && *inout_count < capacity; ++k)
        if (options->form == 0 || options->form == all[k].form) out[(*inout_count)++] = all[k];
}

quartic_status quartic_taylor_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list) {
    const quartic_taylor_problem problem = taylor_chosen_problem(call, limits);
    if (problem.form == QUARTIC_TAYLOR_QUADRATIC) return taylor_plan_quadratic(&problem, limits, list);
    state_cut cut = {0};
    QUARTIC_TRY(taylor_cut_states(&problem, limits, list, false, &cut));
    const uint64_t state = quartic_dispatch_reserve(list, cut.side_bytes);
    while (taylor_next_group(&cut)) {
        QUARTIC_TRY(taylor_plan_build(&cut, false, state, 0));
        QUARTIC_TRY(taylor_plan_apply(&cut, state));
    }
    return QUARTIC_OK;
}

quartic_status quartic_taylor_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                       quartic_dispatch_list *list) {
    const quartic_taylor_problem problem = taylor_chosen_problem(call, limits);
    const uint64_t terms_bytes = quartic_taylor_units(&problem) * problem.tokens * 2 * sizeof(float);
    const uint64_t terms = quartic_dispatch_reserve(list, terms_bytes);
    QUARTIC_TRY(taylor_plan_terms(&problem, list, terms));
    if (problem.form == QUARTIC_TAYLOR_QUADRATIC)
        return taylor_plan_quadratic_grad(&problem, limits, list, terms);
    state_cut cut = {0};
    QUARTIC_TRY(taylor_cut_states(&problem, limits, list, true, &cut));
    const uint64_t key_state = quartic_dispatch_reserve(list, cut.side_bytes);
    const uint64_t query_state =
        cut.blocked ? key_state : quartic_dispatch_reserve(list, cut.side_bytes); /* see the file's head */
    while (taylor_next_group(&cut)) {
        QUARTIC_TRY(taylor_plan_build(&cut, false, key_state, 0));
        if (!cut.blocked) QUARTIC_TRY(taylor_plan_build(&cut, true, query_state, terms));
        QUARTIC_TRY(taylor_plan_apply_grad(&cut, true, key_state, terms));
        if (cut.blocked) QUARTIC_TRY(taylor_plan_build(&cut, true, query_state, terms));
        QUARTIC_TRY(taylor_plan_apply_grad(&cut, false, query_state, 0));
    }
    return QUARTIC_OK;
}
