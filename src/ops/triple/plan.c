/* plan.c: GPU plans of triple attention: which shaders, tiles and scratch for given shapes and limits.
 *
 * First every operand is packed into scratch by triangle_pack, with rows of whole vec4s: q, k, v as (i,
 * pivot), q2, k2, v2 as (j, pivot). That takes O(n^2 h d) of memory and of work; what follows takes O(n^4 h d)
 * of work.
 *
 * forward  triple_rows
 * adjoint  triple_terms; triple_row_grad four times: dq with dv, dq2, dk2 with dv2, dk; triple_bias_grad
 */
#include "ops/edges.h"
#include "ops/gpu_plan.h"
#include "ops/triple/problem.h"
#include "shaders/triple_bias_grad.args.h"
#include "shaders/triple_row_grad.args.h"
#include "shaders/triple_rows.args.h"
#include "shaders/triple_terms.args.h"

enum {
    PACK_THREADS = 256,
    /* lib/triple.glsl. Quads of each operand that one invocation holds: three operands forward, five
     * backward. */
    ROW_THREADS = 64,
    GREATEST_TILE = 32,
    FORWARD_SLICE = 4,  /* with 8, RDNA 3 spills */
    BACKWARD_SLICE = 2, /* with 4, RDNA 3 spills */
    LANE_BYTES = 12,    /* what triple_rows keeps of each lane at the end */
    /* triple_bias_grad.comp */
    BIAS_TILE = 16
};

/* A plan that is being made. */
typedef struct triple_planner {
    const quartic_triple_problem *problem;
    const quartic_gpu_limits *limits;
    quartic_dispatch_list *list;
    uint32_t quads, units;
    uint64_t pairs; /* units n^2: edges of all heads */
} triple_planner;

static triple_planner triple_start_plan(const quartic_triple_problem *problem,
                                        const quartic_gpu_limits *limits, quartic_dispatch_list *list) {
    const uint64_t n = problem->n, units = quartic_triple_units(problem);
    return (triple_planner){.problem = problem,
                            .limits = limits,
                            .list = list,
                            .quads = quartic_divide_up(problem->d, 4),
                            .units = (uint32_t)units,
                            .pairs = units * n * n};
}

/* ---- packing ---- */

/* An operand as (unit, first, second, lanes) into new scratch; first is its column if turned. lanes:
 * components rounded up to fours, or 1. */
static quartic_status triple_pack_operand(triple_planner *plan, const quartic_triple_operand *operand,
                                          uint32_t input, bool turned, uint32_t lanes, float factor,
                                          uint64_t *out_range) {
    const quartic_triple_problem *p = plan->problem;
    const quartic_edges_pack pack = {.op = "triple_attention",
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
#define TRIPLE_SPEC(plan) (plan)->quads, (plan)->problem->masked, (plan)->problem->causal

/* Everything that the kernels of one op read, packed. */
typedef struct triple_packed {
    uint64_t operands[QUARTIC_TRIPLE_GRADIENTS]; /* q to bias */
    uint64_t bias_turned, g, terms;              /* backward only */
} triple_packed;

/* (lse, delta) of every edge. */
static quartic_status triple_pack_terms(triple_planner *plan, uint64_t *out_range) {
    const quartic_triple_problem *p = plan->problem;
    *out_range = quartic_dispatch_reserve(plan->list, plan->pairs * 2 * sizeof(float));
    const quartic_triple_terms_args args = {
        .terms = *out_range, .n = p->n, .heads = p->heads, .width = p->d, .count = (uint32_t)plan->pairs};
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(TRIPLE_SPEC(plan)), .groups = quartic_divide_up(plan->pairs, PACK_THREADS),
        .flops = 2.0 * (double)plan->pairs * p->d, .bytes = 8.0 * (double)plan->pairs * p->d};
    return quartic_dispatch_append(plan->list, "triple_terms", quartic_triple_terms_push(&args), &shape);
}

static quartic_status triple_pack_all(triple_planner *plan, bool backward, triple_packed *out) {
    const quartic_triple_problem *p = plan->problem;
    const uint32_t lanes = 4 * plan->quads;
    for (uint32_t k = QUARTIC_TRIPLE_Q; k <= QUARTIC_TRIPLE_V2; ++k) {
        const bool query = k <= QUARTIC_TRIPLE_Q2,
                   turned = k == QUARTIC_TRIPLE_Q2 || k == QUARTIC_TRIPLE_K2 || k == QUARTIC_TRIPLE_V2;
        QUARTIC_TRY(triple_pack_operand(plan, &p->operands[k], k, turned, lanes, query ? p->scale : 1.0f,
                                        &out->operands[k]));
    }
    const quartic_triple_operand *bias = &p->operands[QUARTIC_TRIPLE_BIAS];
    QUARTIC_TRY(triple_pack_operand(plan, bias, QUARTIC_TRIPLE_BIAS, false, 1, 1.0f,
                                    &out->operands[QUARTIC_TRIPLE_BIAS]));
    if (!backward) return QUARTIC_OK;
    QUARTIC_TRY(triple_pack_operand(plan, bias, QUARTIC_TRIPLE_BIAS, true, 1, 1.0f, &out->bias_turned));
    QUARTIC_TRY(triple_pack_operand(plan, &p->wide, QUARTIC_TRIPLE_G, false, lanes, 1.0f, &out->g));
    return triple_pack_terms(plan, &out->terms);
}

/* ---- rows of scores ---- */

/* What a shader of lib/triple.glsl is made of. */
typedef struct triple_kernel {
    uint32_t slice;     /* quads of an operand that an invocation may hold */
    uint32_t exchanged; /* bytes that it exchanges for a row where several invocations share one */
    uint32_t lane_bytes;
    double flops;    /* of a quadruple and component */
    double operands; /* that pass through memory */
} triple_kernel;

static const triple_kernel triple_forward = {FORWARD_SLICE, sizeof(float), LANE_BYTES, 4, 8};
static const triple_kernel triple_backward = {BACKWARD_SLICE, 2 * sizeof(float), 0, 8, 10};

/* How a shader of lib/triple.glsl divides its work. */
typedef struct triple_tiling {
    uint32_t split, width, tile, lanes, bytes; /* bytes of shared memory */
} triple_tiling;

static triple_tiling triple_tiling_of(const triple_planner *plan, const triple_kernel *kernel) {
    triple_tiling t = {.split = 1};
    while (t.split * kernel->slice < plan->quads) t.split *= 2;
    while (ROW_THREADS / t.split / 2 >= plan->problem->n && t.split < plan->quads) t.split *= 2; /* small n */
    const uint32_t slice = quartic_divide_up(plan->quads, t.split);
    t.width = slice * t.split;
    t.lanes = ROW_THREADS / t.split;
    const uint32_t row_bytes = 2 * 16 * t.width + (t.split > 1 ? ROW_THREADS * kernel->exchanged : 0);
    const uint32_t quarter = quartic_gpu_shared_bytes(plan->limits) / 4; /* so that four groups fit at once */
    t.tile = quarter / row_bytes / 4 * 4;
    if (t.tile > GREATEST_TILE) t.tile = GREATEST_TILE;
    if (t.tile < 4) t.tile = 4;
    const uint32_t sums = 16 * ROW_THREADS * slice, rows = 2 * 16 * t.width * t.tile;
    t.bytes = (rows > sums ? rows : sums) + t.tile * row_bytes - rows + t.lanes * kernel->lane_bytes;
    return t;
}

/* Groups of `lanes` rows, each of which meets, `edges` times in all, every tile of columns. Estimates count
 * every pair even with causality: those that may be skipped are not spread evenly over the groups. */
static quartic_status triple_set_rows(const triple_planner *plan, const triple_kernel *kernel,
                                      const triple_tiling *t, uint64_t groups, double edges,
                                      quartic_dispatch_shape *shape) {
    const double tiles = quartic_divide_up(plan->problem->n, t->tile);
    shape->groups = groups;
    shape->flops =
        (double)groups * t->lanes * edges * tiles * t->tile * (kernel->flops * 4 * t->width + t->split + 16);
    shape->bytes = 4.0 * kernel->operands * (double)plan->pairs * plan->problem->d;
    const double exchanges = t->split > 1 ? 1.0 + t->split : 0.0; /* of a row */
    const double of_tile =
        1.0 + quartic_divide_up(t->tile * t->width, ROW_THREADS) + t->tile * (1.0 + exchanges);
    return quartic_gpu_expect_iterations("triple_attention of this size", plan->limits,
                                         edges * (1.0 + tiles * of_tile) + 3.0 * t->lanes);
}

static quartic_status triple_add_rows(triple_planner *plan, const triple_packed *from) {
    const quartic_triple_problem *p = plan->problem;
    const triple_tiling t = triple_tiling_of(plan, &triple_forward);
    quartic_dispatch_shape shape = {QUARTIC_SPEC(TRIPLE_SPEC(plan), t.split, t.tile)};
    QUARTIC_TRY(
        triple_set_rows(plan, &triple_forward, &t, plan->pairs, quartic_divide_up(p->n, t.lanes), &shape));
    const quartic_triple_rows_args args = {.q = from->operands[QUARTIC_TRIPLE_Q],
                                           .q2 = from->operands[QUARTIC_TRIPLE_Q2],
                                           .k = from->operands[QUARTIC_TRIPLE_K],
                                           .k2 = from->operands[QUARTIC_TRIPLE_K2],
                                           .v = from->operands[QUARTIC_TRIPLE_V],
                                           .v2 = from->operands[QUARTIC_TRIPLE_V2],
                                           .bias = from->operands[QUARTIC_TRIPLE_BIAS],
                                           .n = p->n,
                                           .heads = p->heads,
                                           .width = p->d,
                                           .units = plan->units};
    return quartic_dispatch_append(plan->list, "triple_rows", quartic_triple_rows_push(&args), &shape);
}

/* The gradient of q, q2, k or k2 and, with q and k2, that of v or v2. The rows are the pivots of the operand
 * itself, and `own` is its other node; the columns are the other pivots. */
static quartic_status triple_add_row_grad(triple_planner *plan, const triple_packed *from, uint32_t operand) {
    const quartic_triple_problem *p = plan->problem;
    const bool rows_are_m = operand == QUARTIC_TRIPLE_K || operand == QUARTIC_TRIPLE_K2;
    const bool own_is_j = operand == QUARTIC_TRIPLE_Q2 || operand == QUARTIC_TRIPLE_K2;
    const bool with_values = rows_are_m == own_is_j;
    const uint64_t *x = from->operands + (rows_are_m ? QUARTIC_TRIPLE_K : QUARTIC_TRIPLE_Q);
    const uint64_t *y = from->operands + (rows_are_m ? QUARTIC_TRIPLE_Q : QUARTIC_TRIPLE_K);
    const uint32_t values = rows_are_m ? QUARTIC_TRIPLE_V2 : QUARTIC_TRIPLE_V,
                   opposite = rows_are_m ? QUARTIC_TRIPLE_V : QUARTIC_TRIPLE_V2;
    const triple_tiling t = triple_tiling_of(plan, &triple_backward);
    quartic_dispatch_shape shape = {QUARTIC_SPEC(TRIPLE_SPEC(plan), t.split, t.tile, own_is_j, rows_are_m)};
    const uint64_t groups = (uint64_t)plan->units * p->n * quartic_divide_up(p->n, t.lanes);
    QUARTIC_TRY(triple_set_rows(plan, &triple_backward, &t, groups, p->n, &shape));
    const quartic_triple_row_grad_args args = {
        .x = x[own_is_j],
        .x2 = x[!own_is_j],
        .y = y[own_is_j],
        .y2 = y[!own_is_j],
        .u = from->operands[values],
        .w = from->operands[opposite],
        .g = from->g,
        .terms = from->terms,
        .bias = rows_are_m ? from->bias_turned : from->operands[QUARTIC_TRIPLE_BIAS],
        .dx = quartic_dispatch_output(operand),
        .dxv = with_values ? quartic_dispatch_output(values) : 0,
        .n = p->n,
        .heads = p->heads,
        .width = p->d,
        .units = plan->units,
        .factor = rows_are_m ? 1.0f : p->scale, /* packed q and q2 have the scale already */
    };
    return quartic_dispatch_append(plan->list, "triple_row_grad", quartic_triple_row_grad_push(&args),
                                   &shape);
}

/* Groups of triple_bias_grad for each part of its sum. */
static uint64_t triple_bias_groups(const quartic_triple_problem *p) {
    const uint32_t tiles = quartic_divide_up(p->n, BIAS_TILE);
    return quartic_triple_units(p) * tiles * tiles;
}

static uint32_t triple_bias_splits(const quartic_triple_problem *p, const quartic_gpu_limits *limits) {
    return quartic_edges_bias_splits(triple_bias_groups(p), p->n, p->d, limits);
}

void quartic_triple_candidates_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count) {
    const quartic_triple_problem p = quartic_triple_of_call(call);
    quartic_add_split_choices(triple_bias_splits(&p, limits), p.n < p.d ? p.n : p.d, out, capacity,
                              inout_count);
}

static quartic_status triple_add_bias_grad(triple_planner *plan, const triple_packed *from) {
    const quartic_triple_problem *p = plan->problem;
    const uint32_t tiles = quartic_divide_up(p->n, BIAS_TILE);
    const uint64_t groups = triple_bias_groups(p);
    uint32_t splits = triple_bias_splits(p, plan->limits);
    uint32_t firsts = quartic_divide_up(p->n, splits);
    /* No workgroup for so long that a device may be taken for hung. */
    const double first_flops = (double)BIAS_TILE * BIAS_TILE * p->n * (16.0 * plan->quads + 16);
    if (firsts * first_flops > QUARTIC_GROUP_MOST_FLOPS && first_flops <= QUARTIC_GROUP_MOST_FLOPS)
        firsts = (uint32_t)(QUARTIC_GROUP_MOST_FLOPS / first_flops);
    splits = quartic_divide_up(p->n, firsts);
    const uint64_t parts = splits > 1
                               ? quartic_dispatch_reserve(plan->list, splits * plan->pairs * sizeof(float))
                               : quartic_dispatch_output(QUARTIC_TRIPLE_BIAS);
    const quartic_triple_bias_grad_args args = {.q = from->operands[QUARTIC_TRIPLE_Q],
                                                .q2 = from->operands[QUARTIC_TRIPLE_Q2],
                                                .k = from->operands[QUARTIC_TRIPLE_K],
                                                .k2 = from->operands[QUARTIC_TRIPLE_K2],
                                                .v = from->operands[QUARTIC_TRIPLE_V],
                                                .v2 = from->operands[QUARTIC_TRIPLE_V2],
                                                .g = from->g,
                                                .terms = from->terms,
                                                .bias = from->operands[QUARTIC_TRIPLE_BIAS],
                                                .partial = parts,
                                                .n = p->n,
                                                .heads = p->heads,
                                                .units = plan->units,
                                                .splits = splits,
                                                .firsts = firsts};
    const double edges = (double)firsts * p->n, side = (double)tiles * BIAS_TILE;
    const quartic_dispatch_shape shape = {QUARTIC_SPEC(TRIPLE_SPEC(plan)), .groups = groups * splits,
                                          .flops = plan->units * side * side * edges * splits *
                                                   (16.0 * plan->quads + 16),
                                          .bytes = 4.0 * 8 * (double)plan->pairs * p->d};
    const uint32_t chunk = plan->quads < 4 ? plan->quads : 4, chunks = quartic_divide_up(plan->quads, chunk);
    const double of_edge = 1.0 + chunks * (1.0 + quartic_divide_up(BIAS_TILE * chunk, ROW_THREADS) + chunk);
    QUARTIC_TRY(quartic_gpu_expect_iterations("triple_attention of this size", plan->limits,
                                              firsts + edges * of_edge));
    QUARTIC_TRY(quartic_dispatch_append(plan->list, "triple_bias_grad", quartic_triple_bias_grad_push(&args),
                                        &shape));
    if (splits == 1) return QUARTIC_OK;
    const quartic_matmul_reduce_args sum = {.partial = parts,
                                            .result = quartic_dispatch_output(QUARTIC_TRIPLE_BIAS),
                                            .count = (uint32_t)plan->pairs,
                                            .n = 1,
                                            .splits = splits,
                                            .alpha = 1.0f};
    return quartic_add_parts(plan->list, &sum);
}

/* ---- the two ops ---- */

quartic_status quartic_triple_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list) {
    const quartic_triple_problem problem = quartic_triple_of_call(call);
    triple_planner plan = triple_start_plan(&problem, limits, list);
    triple_packed from = {0};
    QUARTIC_TRY(triple_pack_all(&plan, false, &from));
    return triple_add_rows(&plan, &from);
}

quartic_status quartic_triple_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                       quartic_dispatch_list *list) {
    static const uint32_t order[] = {QUARTIC_TRIPLE_Q, QUARTIC_TRIPLE_Q2, QUARTIC_TRIPLE_K2,
                                     QUARTIC_TRIPLE_K};
    const quartic_triple_problem problem = quartic_triple_of_call(call);
    triple_planner plan = triple_start_plan(&problem, limits, list);
    triple_packed from = {0};
    QUARTIC_TRY(triple_pack_all(&plan, true, &from));
    for (uint32_t k = 0; k < sizeof order / sizeof order[0]; ++k)
        QUARTIC_TRY(triple_add_row_grad(&plan, &from, order[k]));
    return triple_add_bias_grad(&plan, &from);
}
