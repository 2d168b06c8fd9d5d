/* plan.c: GPU plans of triangle attention: which shaders, tiles and scratch for given shapes and limits.
 *
 * First every operand is packed into scratch, in the order of axes in which the kernels walk it and with rows
 * of whole vec4s (lib/triangle.glsl). That takes O(n^2 h d) of memory and of work; what follows takes
 * O(n^3 h d) of work.
 *
 * both     triangle_both
 *          adjoint: triangle_both_grad for the edges (i, l), then once more for the edges (l, j) with the
 *          roles of i and j exchanged
 * start    triangle_rows; "first" is i
 *          adjoint: triangle_query_grad, triangle_key_grad, triangle_bias_grad
 * end      the same as start; "first" is j
 */
#include "ops/edges.h"
#include "ops/gpu_plan.h"
#include "ops/triangle/problem.h"
#include "shaders/triangle_bias_grad.args.h"
#include "shaders/triangle_both.args.h"
#include "shaders/triangle_both_grad.args.h"
#include "shaders/triangle_key_grad.args.h"
#include "shaders/triangle_query_grad.args.h"
#include "shaders/triangle_rows.args.h"
#include "shaders/triangle_terms.args.h"

enum {
    PACK_THREADS = 256,
    /* triangle_both.comp, triangle_both_grad.comp */
    BOTH_SHARE = 4, /* quads of a row that one invocation sums at most, for each of its rows */
    /* lib/triangle_rows.glsl. Quads of each operand that one invocation holds: two operands forward, three
     * for queries, four for keys. */
    ROW_THREADS = 64,
    GREATEST_TILE = 32,
    FORWARD_SLICE = 8,
    QUERY_SLICE = 4,
    KEY_SLICE = 4,
    /* triangle_bias_grad.comp */
    BIAS_SIDE = 8 /* invocations along each side of a tile; each has 4 edges and 4 pivots, or 2 */
};

/* CAUSAL of lib/triangle.glsl. */
enum { CAUSAL_FALLS = 1, CAUSAL_RISES = 2 };

/* A plan that is being made. */
typedef struct triangle_planner {
    const quartic_triangle_problem *problem;
    const quartic_gpu_limits *limits;
    quartic_dispatch_list *list;
    bool turned; /* first is j */
    uint32_t quads;
    uint64_t pairs; /* units n^2: edges of all heads */
} triangle_planner;

static triangle_planner triangle_start_plan(const quartic_triangle_problem *problem,
                                            const quartic_gpu_limits *limits, quartic_dispatch_list *list) {
    const uint64_t n = problem->n;
    return (triangle_planner){.problem = problem,
                              .limits = limits,
                              .list = list,
                              .turned = problem->kind == QUARTIC_TRIANGLE_END,
                              .quads = quartic_divide_up(problem->d, 4),
                              .pairs = quartic_triangle_units(problem) * n * n};
}

/* ---- packing ---- */

/* An operand as (unit, first, second, lanes) into new scratch; first is its column if turned. lanes:
 * components rounded up to fours, or 1. */
static quartic_status triangle_pack_operand(triangle_planner *plan, const quartic_triangle_operand *operand,
                                            uint32_t input, bool turned, uint32_t lanes, float factor,
                                            uint64_t *out_range) {
    const quartic_triangle_problem *p = plan->problem;
    const quartic_edges_pack pack = {.op = "triangle_attention",
                                     .batch = p->batch,
                                     .n = p->n,
                                     .heads = p->heads,
                                     .d = p->d,
                                     .input = input,
                                     .lanes = lanes,
                                     .factor = factor,
                                     .of_batch = operand->batch,
                                     .of_first = turned ? operand->column : operand->row,
                                     .of_second = turned ? operand->row : operand->column,
                                     .of_head = operand->head,
                                     .of_component = operand->component};
    return quartic_edges_pack_operand(plan->list, &pack, out_range);
}

/* Constants 0 .. 2 of lib/triangle.glsl. */
#define TRIANGLE_SPEC(plan, first_is_j)                                                                      \
    (plan)->quads, (plan)->problem->masked, triangle_causal_kind(plan, first_is_j)

static uint32_t triangle_causal_kind(const triangle_planner *plan, bool first_is_j) {
    return !plan->problem->causal ? 0 : first_is_j ? CAUSAL_RISES : CAUSAL_FALLS;
}

/* (lse, delta) of every edge as (unit, first, second, 2). */
static quartic_status triangle_pack_terms(triangle_planner *plan, uint64_t *out_range) {
    const quartic_triangle_problem *p = plan->problem;
    *out_range = quartic_dispatch_reserve(plan->list, plan->pairs * 2 * sizeof(float));
    const quartic_triangle_terms_args args = {.terms = *out_range,
                                              .n = p->n,
                                              .heads = p->heads,
                                              .width = p->d,
                                              .turned = plan->turned,
                                              .count = (uint32_t)plan->pairs};
    const quartic_dispatch_shape shape = {QUARTIC_SPEC(TRIANGLE_SPEC(plan, plan->turned)),
                                          .groups = quartic_divide_up(plan->pairs, PACK_THREADS),
                                          .flops = 2.0 * (double)plan->pairs * p->d,
                                          .bytes = 8.0 * (double)plan->pairs * p->d};
    return quartic_dispatch_append(plan->list, "triangle_terms", quartic_triangle_terms_push(&args), &shape);
}

/* Everything that the kernels of one op read, packed. */
typedef struct packed {
    uint64_t q, k, v, v2, g, terms, bias, bias_turned;
} packed;

/* Kind both: q and v as (i, l), k and v2 as (j, l), g and terms as (i, j). Kinds start and end: all as
 * (first, p) or (first, l), the bias as (l, p) and, backward, as (p, l) too. */
static quartic_status triangle_pack_all(triangle_planner *plan, bool backward, packed *out) {
    const quartic_triangle_problem *p = plan->problem;
    const uint32_t lanes = 4 * plan->quads;
    const bool both = p->kind == QUARTIC_TRIANGLE_BOTH;
    QUARTIC_TRY(
        triangle_pack_operand(plan, &p->q, QUARTIC_TRIANGLE_Q, plan->turned, lanes, p->scale, &out->q));
    QUARTIC_TRY(
        triangle_pack_operand(plan, &p->k, QUARTIC_TRIANGLE_K, plan->turned || both, lanes, 1.0f, &out->k));
    QUARTIC_TRY(triangle_pack_operand(plan, &p->v, QUARTIC_TRIANGLE_V, plan->turned, lanes, 1.0f, &out->v));
    if (both)
        QUARTIC_TRY(triangle_pack_operand(plan, &p->v2, QUARTIC_TRIANGLE_V2, true, lanes, 1.0f, &out->v2));
    if (p->bias.present)
        QUARTIC_TRY(
            triangle_pack_operand(plan, &p->bias, QUARTIC_TRIANGLE_BIAS, plan->turned, 1, 1.0f, &out->bias));
    if (!backward) return QUARTIC_OK;
    if (p->bias.present)
        QUARTIC_TRY(triangle_pack_operand(plan, &p->bias, QUARTIC_TRIANGLE_BIAS, !plan->turned, 1, 1.0f,
                                          &out->bias_turned));
    QUARTIC_TRY(
        triangle_pack_operand(plan, &p->wide, QUARTIC_TRIANGLE_G, plan->turned, lanes, 1.0f, &out->g));
    return triangle_pack_terms(plan, &out->terms);
}

/* ---- what the kernels share ---- */

/* The estimates of a shape. triangles: those that tiles of `tile` nodes a side compute, with those beyond the
 * last node and those that causality hides inside a tile. operands: how many pass through memory. */
static void triangle_set_cost(const triangle_planner *plan, quartic_dispatch_shape *shape, double triangles,
                              uint32_t tile, double flops_of_one, double operands) {
    const double tiles = quartic_divide_up(plan->problem->n, tile);
    const double visible = plan->problem->causal ? (tiles + 1) * (tiles + 2) / (6 * tiles * tiles) : 1;
    shape->flops = triangles * visible * flops_of_one;
    shape->bytes = 4.0 * operands * (double)plan->pairs * plan->problem->d;
}

/* Refuses loops that the device would cut short. */
static quartic_status triangle_expect_iterations(const triangle_planner *plan, double iterations) {
    return quartic_gpu_expect_iterations("triangle_attention of this size", plan->limits, iterations);
}

/* ---- kind both ---- */

/* What the two shaders are made of. */
typedef struct both_kernel {
    uint32_t tile;                      /* nodes along a side of a tile */
    uint32_t step;                      /* pivots, or nodes, that pass at a time */
    uint32_t most_chunk;                /* quads of a row in shared memory at once, at most */
    uint32_t arrays, rows, extra_bytes; /* shared memory: arrays of rows of a chunk, and extra_bytes */
    double score_flops, value_flops;    /* of a triangle and component; every slice computes the scores */
    double operands;                    /* that pass through memory */
    uint32_t few_share;                 /* BOTH_SHARE where registers are few */
} both_kernel;

static const both_kernel both_forward = {16, 4, 8, 2, 4 * 16, (4 + 1) * 16 * 16 * sizeof(float), 2, 3, 5, 2};
static const both_kernel both_backward = {8, 8, 4, 5, 8 * 8, 2 * 8 * 8 * 8 * sizeof(float), 5, 5, 7, 4};

/* The shape of either shader. Rows are cut evenly into chunks, which are smaller where shared memory is
 * short, and chunks into slices of as many as the invocations' registers hold. */
static quartic_status triangle_both_shape(const triangle_planner *plan, bool exchanged,
                                          const both_kernel *kernel, quartic_dispatch_shape *out) {
    const uint32_t shared = quartic_gpu_shared_bytes(plan->limits);
    uint32_t chunk = kernel->most_chunk < plan->quads ? kernel->most_chunk : plan->quads;
    while (chunk > 1 && kernel->arrays * kernel->rows * (chunk | 1) * 16 + kernel->extra_bytes > shared)
        --chunk;
    const uint32_t chunks = quartic_divide_up(plan->quads, chunk);
    chunk = quartic_divide_up(plan->quads, chunks);
    const uint32_t share = quartic_gpu_has_few_registers(plan->limits) ? kernel->few_share : BOTH_SHARE;
    const uint32_t slices = quartic_divide_up(chunks, share / quartic_divide_up(chunk, 4));
    const uint32_t held = quartic_divide_up(chunks, slices);
    const uint64_t tiles = quartic_divide_up(plan->problem->n, kernel->tile);
    const uint64_t units = quartic_triangle_units(plan->problem);
    *out = (quartic_dispatch_shape){QUARTIC_SPEC(TRIANGLE_SPEC(plan, exchanged), chunk, held),
                                    .groups = units * slices * tiles * tiles};
    const double side = (double)tiles * kernel->tile;
    triangle_set_cost(plan, out, (double)units * side * side * side, kernel->tile,
                      slices * (kernel->score_flops * 4 * chunk * chunks + 16) +
                          kernel->value_flops * 4 * chunk * held * slices,
                      kernel->operands);
    const double of_step = 1.0 + chunks * (1.0 + 2 + chunk) + held * (1.0 + 2 + kernel->step);
    return triangle_expect_iterations(plan, quartic_divide_up(plan->problem->n, kernel->step) * of_step);
}

static quartic_status triangle_add_both(triangle_planner *plan, const packed *from) {
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
    quartic_dispatch_shape shape;
    QUARTIC_TRY(triangle_both_shape(plan, false, &both_forward, &shape));
    return quartic_dispatch_append(plan->list, "triangle_both", quartic_triangle_both_push(&args), &shape);
}

/* The gradients of q and v, or with the roles of i and j exchanged of k and v2. */
static quartic_status triangle_add_both_grad(triangle_planner *plan, const packed *from, bool exchanged) {
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
    quartic_dispatch_shape shape;
    QUARTIC_TRY(triangle_both_shape(plan, exchanged, &both_backward, &shape));
    return quartic_dispatch_append(plan->list, "triangle_both_grad", quartic_triangle_both_grad_push(&args),
                                   &shape);
}

/* ---- kinds start and end ---- */

/* What a shader of lib/triangle_rows.glsl is made of. */
typedef struct row_kernel {
    uint32_t slice;     /* quads of an operand that an invocation may hold */
    uint32_t exchanged; /* bytes that it exchanges for a row where several invocations share one */
    double flops;       /* of a triangle and component */
    double operands;    /* that pass through memory */
} row_kernel;

static const row_kernel rows_forward = {FORWARD_SLICE, sizeof(float), 4, 4};
static const row_kernel rows_query_grad = {QUERY_SLICE, 2 * sizeof(float), 6, 5};
static const row_kernel rows_key_grad = {KEY_SLICE, 2 * sizeof(float), 8, 6};

/* The shape of each of these shaders. */
static quartic_status triangle_row_shape(const triangle_planner *plan, const row_kernel *kernel,
                                         quartic_dispatch_shape *out) {
    const quartic_triangle_problem *p = plan->problem;
    uint32_t split = 1;
    while (split * kernel->slice < plan->quads) split *= 2;
    const uint32_t width = quartic_divide_up(plan->quads, split) * split;
    const uint32_t row_bytes = 2 * 16 * width + (split > 1 ? ROW_THREADS * kernel->exchanged : 0);
    const uint32_t quarter = quartic_gpu_shared_bytes(plan->limits) / 4; /* so that four groups fit at once */
    uint32_t tile = quarter / row_bytes / 4 * 4;
    if (tile > GREATEST_TILE) tile = GREATEST_TILE;
    if (tile < 4) tile = 4;
    const uint32_t lanes = ROW_THREADS / split;
    const uint64_t groups = quartic_triangle_units(p) * p->n * quartic_divide_up(p->n, lanes);
    *out = (quartic_dispatch_shape){
        QUARTIC_SPEC(TRIANGLE_SPEC(plan, plan->turned), p->bias.present, split, tile), .groups = groups};
    triangle_set_cost(plan, out, (double)groups * lanes * tile * quartic_divide_up(p->n, tile),
                      lanes > tile ? lanes : tile, kernel->flops * 4 * width + split + 16, kernel->operands);
    const double exchanges = split > 1 ? 1.0 + split : 0.0; /* of a row */
    const double of_tile = 1.0 + quartic_divide_up(tile * width, ROW_THREADS) + tile * (1.0 + exchanges);
    return triangle_expect_iterations(plan, quartic_divide_up(p->n, tile) * of_tile);
}

/* Members that the args of these kernels share. */
#define ROW_ARGS(plan)                                                                                       \
    .n = (plan)->problem->n, .heads = (plan)->problem->heads, .width = (plan)->problem->d,                   \
    .units = (uint32_t)quartic_triangle_units((plan)->problem),                                              \
    .edge_first = (plan)->turned ? 1 : (plan)->problem->n,                                                   \
    .edge_second = (plan)->turned ? (plan)->problem->n : 1

static quartic_status triangle_add_rows(triangle_planner *plan, const packed *from) {
    const quartic_triangle_rows_args args = {
        .q = from->q, .k = from->k, .v = from->v, .bias = from->bias, ROW_ARGS(plan)};
    quartic_dispatch_shape shape;
    QUARTIC_TRY(triangle_row_shape(plan, &rows_forward, &shape));
    return quartic_dispatch_append(plan->list, "triangle_rows", quartic_triangle_rows_push(&args), &shape);
}

/* What the three adjoint kernels read. */
#define PACKED_ARGS(from)                                                                                    \
    .q = (from)->q, .k = (from)->k, .v = (from)->v, .g = (from)->g, .terms = (from)->terms

static quartic_status triangle_add_query_grad(triangle_planner *plan, const packed *from) {
    const quartic_triangle_query_grad_args args = {PACKED_ARGS(from), .bias = from->bias, ROW_ARGS(plan),
                                                   .factor = plan->problem->scale};
    quartic_dispatch_shape shape;
    QUARTIC_TRY(triangle_row_shape(plan, &rows_query_grad, &shape));
    return quartic_dispatch_append(plan->list, "triangle_query_grad", quartic_triangle_query_grad_push(&args),
                                   &shape);
}

static quartic_status triangle_add_key_grad(triangle_planner *plan, const packed *from) {
    const quartic_triangle_key_grad_args args = {PACKED_ARGS(from), .bias = from->bias_turned,
                                                 ROW_ARGS(plan)};
    quartic_dispatch_shape shape;
    QUARTIC_TRY(triangle_row_shape(plan, &rows_key_grad, &shape));
    return quartic_dispatch_append(plan->list, "triangle_key_grad", quartic_triangle_key_grad_push(&args),
                                   &shape);
}

static uint32_t triangle_bias_rows(const quartic_gpu_limits *limits) {
    return quartic_gpu_has_few_registers(limits) ? 2 : 4;
}

/* Groups of triangle_bias_grad for each part of its sum. */
static uint64_t triangle_bias_groups(const quartic_triangle_problem *p, const quartic_gpu_limits *limits) {
    return quartic_triangle_units(p) * quartic_divide_up(p->n, BIAS_SIDE * triangle_bias_rows(limits)) *
           quartic_divide_up(p->n, BIAS_SIDE * 4);
}

static uint32_t triangle_bias_splits(const quartic_triangle_problem *p, const quartic_gpu_limits *limits) {
    return quartic_edges_bias_splits(triangle_bias_groups(p, limits), p->n, p->d, limits);
}

void quartic_triangle_candidates_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                      quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count) {
    const quartic_triangle_problem p = quartic_triangle_of_call(call);
    quartic_add_split_choices(triangle_bias_splits(&p, limits), p.n < p.d ? p.n : p.d, out, capacity,
                              inout_count);
}

static quartic_status triangle_add_bias_grad(triangle_planner *plan, const packed *from) {
    const quartic_triangle_problem *p = plan->problem;
    const uint32_t units = (uint32_t)quartic_triangle_units(p);
    const uint32_t rows = triangle_bias_rows(plan->limits);
    const uint32_t pivots = BIAS_SIDE * rows, edges = BIAS_SIDE * 4;
    const uint64_t groups = triangle_bias_groups(p, plan->limits);
    uint32_t splits = triangle_bias_splits(p, plan->limits);
    const uint32_t firsts = quartic_divide_up(p->n, splits);
    splits = quartic_divide_up(p->n, firsts);
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
    quartic_dispatch_shape shape = {QUARTIC_SPEC(TRIANGLE_SPEC(plan, plan->turned), rows),
                                    .groups = groups * splits};
    triangle_set_cost(plan, &shape, (double)groups * pivots * edges * p->n, edges, 16.0 * plan->quads + 16,
                      4);
    const double of_first = 1.0 + quartic_divide_up(plan->quads, 4) * (1.0 + 2 + 4);
    QUARTIC_TRY(triangle_expect_iterations(plan, firsts * of_first));
    QUARTIC_TRY(quartic_dispatch_append(plan->list, "triangle_bias_grad",
                                        quartic_triangle_bias_grad_push(&args), &shape));
    if (splits == 1) return QUARTIC_OK;
    const quartic_matmul_reduce_args sum = {.partial = parts,
                                            .result = quartic_dispatch_output(QUARTIC_TRIANGLE_DLAST),
                                            .count = (uint32_t)plan->pairs,
                                            .n = 1,
                                            .splits = splits,
                                            .alpha = 1.0f};
    return quartic_add_parts(plan->list, &sum);
}

/* ---- the two ops ---- */

quartic_status quartic_triangle_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    const quartic_triangle_problem problem = quartic_triangle_of_call(call);
    triangle_planner plan = triangle_start_plan(&problem, limits, list);
    packed from = {0};
    QUARTIC_TRY(triangle_pack_all(&plan, false, &from));
    return problem.kind == QUARTIC_TRIANGLE_BOTH ? triangle_add_both(&plan, &from)
                                                 : triangle_add_rows(&plan, &from);
}

quartic_status quartic_triangle_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                         quartic_dispatch_list *list) {
    const quartic_triangle_problem problem = quartic_triangle_of_call(call);
    triangle_planner plan = triangle_start_plan(&problem, limits, list);
    packed from = {0};
    QUARTIC_TRY(triangle_pack_all(&plan, true, &from));
    if (problem.kind == QUARTIC_TRIANGLE_BOTH) {
        QUARTIC_TRY(triangle_add_both_grad(&plan, &from, false));
        return triangle_add_both_grad(&plan, &from, true);
    }
    QUARTIC_TRY(triangle_add_query_grad(&plan, &from));
    QUARTIC_TRY(triangle_add_key_grad(&plan, &from));
    return problem.bias.present ? triangle_add_bias_grad(&plan, &from) : QUARTIC_OK;
}
