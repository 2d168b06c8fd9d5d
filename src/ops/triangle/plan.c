/* plan.c: GPU plans of triangle attention: which shaders, tiles and scratch for given shapes and limits.
 *
 * First every operand is packed into scratch, in the order of axes in which the kernels walk it and with rows
 * of whole vec4s (lib/triangle.glsl): O(n^2 h d) of memory and of work, against O(n^3 h d) of work after it.
 *
 * both     triangle_both; backward triangle_both_grad for the edges (i, l), then once more for (l, j) with
 *          the roles of i and j exchanged
 * start    triangle_rows; backward triangle_query_grad, triangle_key_grad, triangle_bias_grad; "first" is i
 * end      the same; "first" is j
 */
#include "ops/triangle/problem.h"
#include "shaders/matmul_reduce.args.h"
#include "shaders/triangle_bias_grad.args.h"
#include "shaders/triangle_both.args.h"
#include "shaders/triangle_both_grad.args.h"
#include "shaders/triangle_key_grad.args.h"
#include "shaders/triangle_pack.args.h"
#include "shaders/triangle_query_grad.args.h"
#include "shaders/triangle_rows.args.h"
#include "shaders/triangle_terms.args.h"

enum {
    GREATEST_SHARED = 32768,
    PACK_THREADS = 256,
    REDUCE_THREADS = 64,
    BOTH_SHARE =
        4, /* quads of a row that one invocation of the kind both sums at most, for each of its rows */
    /* lib/triangle_rows.glsl. Quads of each operand that one invocation holds: two operands forward, three
     * for queries, four for keys. */
    ROW_THREADS = 64,
    GREATEST_TILE = 32,
    FORWARD_SLICE = 8,
    QUERY_SLICE = 4,
    KEY_SLICE = 4,
    /* triangle_bias_grad.comp */
    BIAS_SIDE = 8,    /* invocations along each side of a tile; each has 4 edges and 4 pivots, or 2 */
    MANY_GROUPS = 512 /* enough work without cutting the sum over first nodes */
};

/* CAUSAL of lib/triangle.glsl. */
enum { CAUSAL_FALLS = 1, CAUSAL_RISES = 2 };

/* A plan in the making. */
typedef struct planner {
    const quartic_triangle_problem *problem;
    const quartic_gpu_limits *limits;
    quartic_dispatch_list *list;
    bool turned; /* first is j */
    uint32_t quads;
    uint64_t pairs; /* units n^2: edges of all heads */
} planner;

static uint32_t divide_up(uint64_t count, uint32_t by) {
    return (uint32_t)((count + by - 1) / by);
}

static planner start_plan(const quartic_triangle_problem *problem, const quartic_gpu_limits *limits,
                          quartic_dispatch_list *list) {
    const uint64_t n = problem->n;
    return (planner){.problem = problem,
                     .limits = limits,
                     .list = list,
                     .turned = problem->kind == QUARTIC_TRIANGLE_END,
                     .quads = divide_up(problem->d, 4),
                     .pairs = quartic_triangle_units(problem) * n * n};
}

/* ---- packing ---- */

/* An operand as (unit, first, second, lanes) into new scratch; first is its column if turned. lanes:
 * components rounded up to fours, or 1. */
static quartic_status pack(planner *plan, const quartic_triangle_operand *operand, uint32_t input,
                           bool turned, uint32_t lanes, float factor, uint64_t *out_range) {
    const quartic_triangle_problem *p = plan->problem;
    const uint64_t count = plan->pairs * lanes;
    if (count > INT32_MAX)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "triangle_attention of %u graphs of %u nodes with %u heads of %u needs %llu numbers in "
            "scratch; at most %d can be indexed, so take fewer graphs at once",
            p->batch, p->n, p->heads, p->d, (unsigned long long)count, INT32_MAX);
    const int64_t first = turned ? operand->column : operand->row,
                  second = turned ? operand->row : operand->column;
    *out_range = quartic_dispatch_reserve(plan->list, count * sizeof(float));
    const quartic_triangle_pack_args args = {.x = quartic_dispatch_input(input),
                                             .packed = *out_range,
                                             .strides = {(int32_t)operand->batch, (int32_t)first,
                                                         (int32_t)second, (int32_t)operand->head,
                                                         (int32_t)operand->component},
                                             .n = p->n,
                                             .heads = p->heads,
                                             .width = lanes == 1 ? 1 : p->d,
                                             .lanes = lanes,
                                             .count = (uint32_t)count,
                                             .factor = factor};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "triangle_pack", quartic_triangle_pack_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, divide_up(count, PACK_THREADS));
    dispatch->flops = (double)count;
    dispatch->bytes = 8.0 * (double)count;
    return QUARTIC_OK;
}

/* Constants 0..2. */
static void common_spec(const planner *plan, quartic_dispatch *dispatch, bool first_is_j) {
    quartic_dispatch_spec(dispatch, plan->quads);
    quartic_dispatch_spec(dispatch, plan->problem->masked);
    quartic_dispatch_spec(dispatch, !plan->problem->causal ? 0 : first_is_j ? CAUSAL_RISES : CAUSAL_FALLS);
}

/* (lse, delta) of every edge as (unit, first, second, 2). */
static quartic_status pack_terms(planner *plan, uint64_t *out_range) {
    const quartic_triangle_problem *p = plan->problem;
    *out_range = quartic_dispatch_reserve(plan->list, plan->pairs * 2 * sizeof(float));
    const quartic_triangle_terms_args args = {.terms = *out_range,
                                              .n = p->n,
                                              .heads = p->heads,
                                              .width = p->d,
                                              .turned = plan->turned,
                                              .count = (uint32_t)plan->pairs};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "triangle_terms", quartic_triangle_terms_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    common_spec(plan, dispatch, plan->turned);
    quartic_dispatch_groups(dispatch, divide_up(plan->pairs, PACK_THREADS));
    dispatch->flops = 2.0 * (double)plan->pairs * p->d;
    dispatch->bytes = 8.0 * (double)plan->pairs * p->d;
    return QUARTIC_OK;
}

/* Everything that the kernels of one op read. */
typedef struct packed {
    uint64_t q, k, v, v2, g, terms, bias, bias_turned;
} packed;

/* Kind both: q and v as (i, l), k and v2 as (j, l), g and terms as (i, j). Kinds start and end: all as
 * (first, p) or (first, l), the bias as (l, p) and, backward, as (p, l) too. */
static quartic_status pack_all(planner *plan, bool backward, packed *out) {
    const quartic_triangle_problem *p = plan->problem;
    const uint32_t lanes = 4 * plan->quads;
    const bool both = p->kind == QUARTIC_TRIANGLE_BOTH;
    QUARTIC_TRY(pack(plan, &p->q, QUARTIC_TRIANGLE_Q, plan->turned, lanes, p->scale, &out->q));
    QUARTIC_TRY(pack(plan, &p->k, QUARTIC_TRIANGLE_K, plan->turned || both, lanes, 1.0f, &out->k));
    QUARTIC_TRY(pack(plan, &p->v, QUARTIC_TRIANGLE_V, plan->turned, lanes, 1.0f, &out->v));
    if (both) QUARTIC_TRY(pack(plan, &p->v2, QUARTIC_TRIANGLE_V2, true, lanes, 1.0f, &out->v2));
    if (p->bias.present)
        QUARTIC_TRY(pack(plan, &p->bias, QUARTIC_TRIANGLE_BIAS, plan->turned, 1, 1.0f, &out->bias));
    if (!backward) return QUARTIC_OK;
    if (p->bias.present)
        QUARTIC_TRY(pack(plan, &p->bias, QUARTIC_TRIANGLE_BIAS, !plan->turned, 1, 1.0f, &out->bias_turned));
    QUARTIC_TRY(pack(plan, &p->wide, QUARTIC_TRIANGLE_G, plan->turned, lanes, 1.0f, &out->g));
    return pack_terms(plan, &out->terms);
}

/* ---- what the kernels share ---- */

/* What a dispatch runs, for bounding submits: triangles with those that tiles compute beyond the edges, or
 * that causality hides in tiles of `tile` nodes a side; operations of one, in the shaders' order. */
static void set_cost(const planner *plan, quartic_dispatch *dispatch, double triangles, uint32_t tile,
                     double flops_of_one, double operands) {
    const double tiles = divide_up(plan->problem->n, tile);
    const double visible = plan->problem->causal ? (tiles + 1) * (tiles + 2) / (6 * tiles * tiles) : 1;
    dispatch->flops = triangles * visible * flops_of_one;
    dispatch->bytes = 4.0 * operands * (double)plan->pairs * plan->problem->d;
}

static uint32_t shared_bytes(const planner *plan) {
    return plan->limits->max_shared_bytes < GREATEST_SHARED ? plan->limits->max_shared_bytes
                                                            : GREATEST_SHARED;
}

/* Refuses loops that would be cut short on this device. */
static quartic_status expect_iterations(const planner *plan, double iterations) {
    return quartic_gpu_expect_iterations("triangle_attention", plan->limits, iterations);
}

/* ---- kind both ---- */

/* What the two shaders are made of. A tile is tile x tile; `step` pivots, or nodes, pass at a time. Shared
 * memory holds `arrays` of `rows` rows of at most most_chunk quads, and extra_bytes. Operations of a triangle
 * for each component: of its scores, which every slice computes, and of its values; operands that pass. */
typedef struct both_shape {
    uint32_t tile, step, most_chunk, arrays, rows, extra_bytes;
    uint32_t few_share; /* BOTH_SHARE where registers are few */
    double score_flops, value_flops, operands;
} both_shape;

static const both_shape both_forward = {16, 4, 8, 2, 4 * 16, (4 + 1) * 16 * 16 * sizeof(float), 2, 2, 3, 5};
static const both_shape both_backward = {8, 8, 4, 5, 8 * 8, 2 * 8 * 8 * 8 * sizeof(float), 4, 5, 5, 7};

/* Constants 0..4, the groups and the cost. Rows are cut evenly into chunks, which are smaller where shared
 * memory is short, and chunks into slices of as many as the invocations' registers hold. */
static quartic_status both_spec(const planner *plan, quartic_dispatch *dispatch, bool exchanged,
                                const both_shape *shape) {
    uint32_t chunk = shape->most_chunk < plan->quads ? shape->most_chunk : plan->quads;
    while (chunk > 1 &&
           shape->arrays * shape->rows * (chunk | 1) * 16 + shape->extra_bytes > shared_bytes(plan))
        --chunk;
    const uint32_t chunks = divide_up(plan->quads, chunk);
    chunk = divide_up(plan->quads, chunks);
    const uint32_t share = quartic_gpu_has_few_registers(plan->limits) ? shape->few_share : BOTH_SHARE;
    const uint32_t slices = divide_up(chunks, share / divide_up(chunk, 4));
    const uint32_t held = divide_up(chunks, slices);
    common_spec(plan, dispatch, exchanged);
    quartic_dispatch_spec(dispatch, chunk);
    quartic_dispatch_spec(dispatch, held);
    const uint64_t tiles = divide_up(plan->problem->n, shape->tile);
    const uint64_t units = quartic_triangle_units(plan->problem);
    quartic_dispatch_groups(dispatch, units * slices * tiles * tiles);
    const double side = (double)tiles * shape->tile;
    set_cost(plan, dispatch, (double)units * side * side * side, shape->tile,
             slices * (shape->score_flops * 4 * chunk * chunks + 16) +
                 shape->value_flops * 4 * chunk * held * slices,
             shape->operands);
    const double of_step = 1.0 + chunks * (1.0 + 2 + chunk) + held * (1.0 + 2 + shape->step);
    return expect_iterations(plan, divide_up(plan->problem->n, shape->step) * of_step);
}

static quartic_status add_both(planner *plan, const packed *from) {
    const quartic_triangle_problem *p = plan->problem;
    const uint32_t units = (uint32_t)quartic_triangle_units(p);
    const quartic_triangle_both_args args = {.x = from->q,
                                             .xv = from->v,
                                             .y = from->k,
                                             .yv = from->v2,
                                             .n = p->n,
                                             .heads = p->heads,
                                             .width = p->d,
                                             .units = units};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "triangle_both", quartic_triangle_both_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    return both_spec(plan, dispatch, false, &both_forward);
}

/* The gradients of q and v, or with the roles of i and j exchanged of k and v2. */
static quartic_status add_both_grad(planner *plan, const packed *from, bool exchanged) {
    const quartic_triangle_problem *p = plan->problem;
    const uint32_t units = (uint32_t)quartic_triangle_units(p);
    const uint32_t row = (uint32_t)p->wide.row, column = (uint32_t)p->wide.column;
    const quartic_triangle_both_grad_args args = {
        .x = exchanged ? from->k : from->q,
        .xv = exchanged ? from->v2 : from->v,
        .y = exchanged ? from->q : from->k,
        .yv = exchanged ? from->v : from->v2,
        .g = from->g,
        .terms = from->terms,
        .dx = quartic_dispatch_output(exchanged ? QUARTIC_TRIANGLE_DK : QUARTIC_TRIANGLE_DQ),
        .dxv = quartic_dispatch_output(exchanged ? QUARTIC_TRIANGLE_DLAST : QUARTIC_TRIANGLE_DV),
        .n = p->n,
        .heads = p->heads,
        .width = p->d,
        .units = units,
        .g_own = exchanged ? 1 : p->n,
        .g_other = exchanged ? p->n : 1,
        .dx_own = exchanged ? column : row,
        .dx_pivot = exchanged ? row : column,
        .dx_factor = exchanged ? 1.0f : p->scale, /* packed q has the scale already */
    };
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "triangle_both_grad", quartic_triangle_both_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    return both_spec(plan, dispatch, exchanged, &both_backward);
}

/* ---- kinds start and end ---- */

/* Constants of lib/triangle_rows.glsl, the groups and the cost. slice: quads of an operand that an invocation
 * may hold; exchanged: bytes that it exchanges for a row where several share one; operations of a triangle
 * for each component; operands that pass. */
static quartic_status row_spec(const planner *plan, quartic_dispatch *dispatch, uint32_t slice,
                               uint32_t exchanged, double flops, double operands) {
    const quartic_triangle_problem *p = plan->problem;
    uint32_t split = 1;
    while (split * slice < plan->quads) split *= 2;
    const uint32_t width = divide_up(plan->quads, split) * split;
    const uint32_t row_bytes = 2 * 16 * width + (split > 1 ? ROW_THREADS * exchanged : 0);
    uint32_t tile =
        shared_bytes(plan) / 4 / row_bytes / 4 * 4; /* a quarter, so that four groups fit at once */
    if (tile > GREATEST_TILE) tile = GREATEST_TILE;
    if (tile < 4) tile = 4;
    common_spec(plan, dispatch, plan->turned);
    quartic_dispatch_spec(dispatch, p->bias.present);
    quartic_dispatch_spec(dispatch, split);
    quartic_dispatch_spec(dispatch, tile);
    const uint32_t lanes = ROW_THREADS / split;
    const uint64_t groups = quartic_triangle_units(p) * p->n * divide_up(p->n, lanes);
    quartic_dispatch_groups(dispatch, groups);
    set_cost(plan, dispatch, (double)groups * lanes * tile * divide_up(p->n, tile),
             lanes > tile ? lanes : tile, flops * 4 * width + split + 16, operands);
    const double exchanges = split > 1 ? 1.0 + split : 0.0; /* of a row */
    const double of_tile = 1.0 + divide_up(tile * width, ROW_THREADS) + tile * (1.0 + exchanges);
    return expect_iterations(plan, divide_up(p->n, tile) * of_tile);
}

/* Members that the args of these kernels share. */
#define ROW_ARGS(plan)                                                                                       \
    .n = (plan)->problem->n, .heads = (plan)->problem->heads, .width = (plan)->problem->d,                   \
    .units = (uint32_t)quartic_triangle_units((plan)->problem),                                              \
    .edge_first = (plan)->turned ? 1 : (plan)->problem->n,                                                   \
    .edge_second = (plan)->turned ? (plan)->problem->n : 1

static quartic_status add_rows(planner *plan, const packed *from) {
    const quartic_triangle_rows_args args = {
        .q = from->q, .k = from->k, .v = from->v, .bias = from->bias, ROW_ARGS(plan)};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "triangle_rows", quartic_triangle_rows_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    return row_spec(plan, dispatch, FORWARD_SLICE, sizeof(float), 4, 4);
}

/* What the three adjoint kernels read. */
#define PACKED_ARGS(from)                                                                                    \
    .q = (from)->q, .k = (from)->k, .v = (from)->v, .g = (from)->g, .terms = (from)->terms

static quartic_status add_query_grad(planner *plan, const packed *from) {
    const quartic_triangle_query_grad_args args = {PACKED_ARGS(from), .bias = from->bias, ROW_ARGS(plan),
                                                   .factor = plan->problem->scale};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "triangle_query_grad", quartic_triangle_query_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    return row_spec(plan, dispatch, QUERY_SLICE, 2 * sizeof(float), 6, 5);
}

static quartic_status add_key_grad(planner *plan, const packed *from) {
    const quartic_triangle_key_grad_args args = {PACKED_ARGS(from), .bias = from->bias_turned,
                                                 ROW_ARGS(plan)};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "triangle_key_grad", quartic_triangle_key_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    return row_spec(plan, dispatch, KEY_SLICE, 2 * sizeof(float), 8, 6);
}

/* The parts of dbias (b, n, n, h), added up in order. */
static quartic_status add_parts(planner *plan, uint64_t parts, uint32_t splits) {
    const quartic_matmul_reduce_args args = {.partial = parts,
                                             .result = quartic_dispatch_output(QUARTIC_TRIANGLE_DLAST),
                                             .count = (uint32_t)plan->pairs,
                                             .n = 1,
                                             .splits = splits,
                                             .alpha = 1.0f};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "matmul_reduce", quartic_matmul_reduce_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, 0);
    quartic_dispatch_spec(dispatch, 0);
    quartic_dispatch_groups(dispatch, divide_up(plan->pairs, REDUCE_THREADS));
    dispatch->flops = (double)plan->pairs * splits;
    dispatch->bytes = 4.0 * (double)plan->pairs * (splits + 1.0);
    return QUARTIC_OK;
}

/* The sum over first nodes is cut into parts until there are enough groups, but not into so many that the
 * parts would take more memory than the operands. */
static quartic_status add_bias_grad(planner *plan, const packed *from) {
    const quartic_triangle_problem *p = plan->problem;
    const uint32_t units = (uint32_t)quartic_triangle_units(p);
    const uint32_t rows = quartic_gpu_has_few_registers(plan->limits) ? 2 : 4;
    const uint32_t pivots = BIAS_SIDE * rows, edges = BIAS_SIDE * 4;
    const uint64_t groups = (uint64_t)units * divide_up(p->n, pivots) * divide_up(p->n, edges);
    uint32_t splits = divide_up(MANY_GROUPS, groups < MANY_GROUPS ? (uint32_t)groups : MANY_GROUPS);
    if (splits > p->n) splits = p->n;
    if (splits > p->d) splits = p->d;
    const uint32_t firsts = divide_up(p->n, splits);
    splits = divide_up(p->n, firsts);
    const uint64_t parts = splits > 1
                               ? quartic_dispatch_reserve(plan->list, splits * plan->pairs * sizeof(float))
                               : quartic_dispatch_output(QUARTIC_TRIANGLE_DLAST);
    const quartic_triangle_bias_grad_args args = {PACKED_ARGS(from),
                                                  .bias = from->bias,
                                                  .partial = parts,
                                                  .n = p->n,
                                                  .heads = p->heads,
                                                  .units = units,
                                                  .pivot_stride = plan->turned ? 1 : p->n,
                                                  .edge_stride = plan->turned ? p->n : 1,
                                                  .splits = splits,
                                                  .firsts = firsts};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(plan->list, "triangle_bias_grad", quartic_triangle_bias_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    common_spec(plan, dispatch, plan->turned);
    quartic_dispatch_spec(dispatch, rows);
    quartic_dispatch_groups(dispatch, groups * splits);
    set_cost(plan, dispatch, (double)groups * pivots * edges * p->n, edges, 16.0 * plan->quads + 16, 4);
    const double of_first = 1.0 + divide_up(plan->quads, 4) * (1.0 + 2 + 4);
    QUARTIC_TRY(expect_iterations(plan, firsts * of_first));
    return splits > 1 ? add_parts(plan, parts, splits) : QUARTIC_OK;
}

/* ---- the two ops ---- */

quartic_status quartic_triangle_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    const quartic_triangle_problem problem = quartic_triangle_of_call(call);
    planner plan = start_plan(&problem, limits, list);
    packed from = {0};
    QUARTIC_TRY(pack_all(&plan, false, &from));
    return problem.kind == QUARTIC_TRIANGLE_BOTH ? add_both(&plan, &from) : add_rows(&plan, &from);
}

quartic_status quartic_triangle_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                         quartic_dispatch_list *list) {
    const quartic_triangle_problem problem = quartic_triangle_of_call(call);
    planner plan = start_plan(&problem, limits, list);
    packed from = {0};
    QUARTIC_TRY(pack_all(&plan, true, &from));
    if (problem.kind == QUARTIC_TRIANGLE_BOTH) {
        QUARTIC_TRY(add_both_grad(&plan, &from, false));
        return add_both_grad(&plan, &from, true);
    }
    QUARTIC_TRY(add_query_grad(&plan, &from));
    QUARTIC_TRY(add_key_grad(&plan, &from));
    return problem.bias.present ? add_bias_grad(&plan, &from) : QUARTIC_OK;
}
