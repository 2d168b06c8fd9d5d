/* relational_gpu.c: GPU plans of relational_scores and its adjoint.
 *
 * Forward: relational_scores, a group per head and 64 edges. Backward: relational_edge_grad, and where
 * there is a quadratic term relational_form_grad, which splits the edges over groups until the device is
 * busy; then matmul_reduce adds the splits in order. Vulkan on a CPU (subgroups of eight) gets the same in
 * groups of eight lanes without shared memory (*_lanes.comp), up to LANES_MOST_DIM components of an edge.
 */
#include "ops/relational_scores.h"
#include "shaders/matmul_reduce.args.h"
#include "shaders/relational_edge_grad.args.h"
#include "shaders/relational_form_grad.args.h"
#include "shaders/relational_scores.args.h"

enum {
    ROWS = 64,  /* of shaders/lib/relational.glsl */
    DEPTH = 16, /* and of relational_form_grad.comp */
    LANES = 8,  /* of the shaders for Vulkan on a CPU */
    LANES_ROWS = 4,
    LANES_MOST_DIM = 128,
    REDUCE_THREADS = 64,
    DEFAULT_COMPUTE_UNITS = 16, /* where the device does not say */
    GROUPS_PER_UNIT = 4,
    LEAST_SPLIT = 256, /* edges: less is not worth another part */
    MOST_SPLITS = 256
};

static uint32_t divide_up(uint64_t count, uint64_t by) {
    return (uint32_t)((count + by - 1) / by);
}

/* Components that a tile has: the least of 16, 32, 64 that leaves no column of threads idle. */
static uint32_t columns_of(uint32_t dim) {
    return dim <= 16 ? 16 : dim <= 32 ? 32 : 64;
}

/* Whether the shaders for Vulkan on a CPU are for this device. */
static bool has_lanes(const quartic_gpu_limits *limits) {
    return limits->subgroup_size == LANES && limits->has_subgroup_shuffle;
}

/* The shaders of lib/relational_lanes.glsl keep all components of an edge. */
static bool takes_lanes(const quartic_relational_problem *p, const quartic_gpu_limits *limits) {
    return has_lanes(limits) && p->dim <= LANES_MOST_DIM;
}

/* Groups that cover the edges once. */
static uint64_t edge_groups(const quartic_relational_problem *p, bool lanes) {
    return lanes ? (uint64_t)p->b * divide_up(p->n, LANES) * divide_up(p->n, LANES_ROWS)
                 : divide_up((uint64_t)p->b * p->n * p->n, ROWS);
}

/* Constants of lib/relational_lanes.glsl or of lib/relational.glsl. */
static void edges_spec(quartic_dispatch *dispatch, const quartic_relational_problem *p, bool lanes) {
    const uint32_t columns = columns_of(p->dim);
    quartic_dispatch_spec(dispatch, p->dim);
    quartic_dispatch_spec(dispatch, lanes ? LANES_ROWS : columns);
    quartic_dispatch_spec(dispatch, p->has_receiver);
    quartic_dispatch_spec(dispatch, p->has_form);
    if (!lanes) quartic_dispatch_spec(dispatch, 4 * columns);
}

/* Refuses what would take more iterations than the device runs: of one head and a row of tiles, `times`. */
static quartic_status expect_iterations(const char *op, const quartic_relational_problem *p, bool lanes,
                                        double times, const quartic_gpu_limits *limits) {
    const uint32_t columns = columns_of(p->dim), threads = 4 * columns;
    const double of_depth =
        1 + DEPTH + divide_up(ROWS * DEPTH, threads) + divide_up(columns * DEPTH, threads);
    const double of_row = lanes ? 2 : 6 + divide_up(p->dim, DEPTH) * of_depth;
    return quartic_gpu_expect_iterations(op, limits, times * of_row + (double)ROWS);
}

quartic_status quartic_relational_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                      quartic_dispatch_list *list) {
    typedef quartic_relational_scores_args args_type;
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    const bool lanes = takes_lanes(&p, limits);
    QUARTIC_TRY(expect_iterations(
        "relational_scores", &p, lanes,
        lanes ? (double)p.heads * divide_up(p.dim, LANES) : divide_up(p.dim, columns_of(p.dim)), limits));
    const uint64_t edges = (uint64_t)p.b * p.n * p.n;
    const uint64_t groups = edge_groups(&p, lanes) * (lanes ? 1 : p.heads); /* lanes walk the heads */
    args_type args = {.heads = p.heads, .n = p.n, .edges = (uint32_t)edges, .groups = (uint32_t)groups};
    for (uint32_t axis = 0; axis < 4; ++axis)
        args.base_strides[axis] = (int32_t)call->inputs[QUARTIC_RELATIONAL_BASE].strides[axis];
    quartic_dispatch *dispatch = quartic_dispatch_add(
        list, lanes ? "relational_scores_lanes" : "relational_scores", quartic_relational_scores_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    edges_spec(dispatch, &p, lanes);
    quartic_dispatch_groups(dispatch, groups);
    dispatch->flops = quartic_relational_flops(&p, false);
    dispatch->bytes = 4.0 * p.b * p.n * p.n * (double)(p.heads * 2 + p.dim);
    return QUARTIC_OK;
}

static quartic_status plan_edges(const quartic_relational_problem *p, const quartic_gpu_limits *limits,
                                 quartic_dispatch_list *list) {
    typedef quartic_relational_edge_grad_args args_type;
    const bool lanes = takes_lanes(p, limits);
    QUARTIC_TRY(expect_iterations("relational_scores_grad", p, lanes,
                                  (double)p->heads * (lanes ? divide_up(p->dim, LANES) : 1), limits));
    const uint32_t slices = lanes ? 1 : divide_up(p->dim, columns_of(p->dim)); /* lanes walk the components */
    const uint64_t edges = (uint64_t)p->b * p->n * p->n, groups = slices * edge_groups(p, lanes);
    const args_type args = {
        .heads = p->heads, .n = p->n, .edges = (uint32_t)edges, .groups = (uint32_t)groups};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, lanes ? "relational_edge_grad_lanes" : "relational_edge_grad",
                             quartic_relational_edge_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    edges_spec(dispatch, p, lanes);
    quartic_dispatch_groups(dispatch, groups);
    dispatch->flops = quartic_relational_flops(p, true) / (p->has_form ? 2 : 1);
    dispatch->bytes = 4.0 * p->b * p->n * p->n * (double)(p->heads + 2 * p->dim);
    return QUARTIC_OK;
}

static quartic_status plan_reduce(uint32_t count, uint32_t splits, uint64_t parts,
                                  quartic_dispatch_list *list) {
    const quartic_matmul_reduce_args args = {.partial = parts,
                                             .result = quartic_dispatch_output(1),
                                             .count = count,
                                             .n = 1,
                                             .splits = splits,
                                             .alpha = 1.0f};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "matmul_reduce", quartic_matmul_reduce_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, 0); /* no bias */
    quartic_dispatch_spec(dispatch, 0); /* no addend */
    quartic_dispatch_groups(dispatch, divide_up(count, REDUCE_THREADS));
    dispatch->flops = (double)count * splits;
    dispatch->bytes = 4.0 * (double)count * (splits + 1.0);
    return QUARTIC_OK;
}

/* Into how many parts the edges go: the device busy, and no loop longer than it runs. */
static uint64_t form_splits(uint64_t edges, uint64_t whole, double of_edge,
                            const quartic_gpu_limits *limits) {
    const uint32_t units = limits->compute_units == 0 ? DEFAULT_COMPUTE_UNITS : limits->compute_units;
    uint64_t splits = divide_up((uint64_t)units * GROUPS_PER_UNIT, whole), least = 1;
    if (limits->max_iterations != 0)
        least += (uint64_t)((double)edges * of_edge / (limits->max_iterations - (double)DEPTH * of_edge));
    if (splits > edges / LEAST_SPLIT) splits = edges / LEAST_SPLIT;
    if (splits < least) splits = least;
    return splits > MOST_SPLITS ? MOST_SPLITS : splits;
}

static quartic_status plan_form(const quartic_relational_problem *p, const quartic_gpu_limits *limits,
                                quartic_dispatch_list *list) {
    typedef quartic_relational_form_grad_args args_type;
    const bool lanes = has_lanes(limits);
    const uint32_t tile = lanes          ? (p->dim <= 32 ? divide_up(p->dim, LANES) * LANES : 32)
                          : p->dim <= 32 ? 32
                                         : 64;
    const uint32_t tiles = divide_up(p->dim, tile), threads = tile / 4 * (tile / 4);
    const uint64_t edges = (uint64_t)p->b * p->n * p->n, results = (uint64_t)p->heads * p->dim * p->dim;
    const uint64_t whole = (uint64_t)p->heads * tiles * tiles; /* groups without splits */
    /* Iterations of an invocation per edge. */
    const double of_edge = lanes ? 1.0 / (double)LANES
                                 : (1.0 + (double)DEPTH + divide_up(tile * DEPTH, threads)) / (double)DEPTH;
    uint64_t splits = form_splits(edges, whole, of_edge, limits);
    if (splits > INT32_MAX / results) splits = INT32_MAX / results; /* shaders index with 32 bits */
    if (splits < 1) splits = 1;
    const uint32_t rows = divide_up(edges, splits);
    QUARTIC_TRY(quartic_gpu_expect_iterations("relational_scores_grad", limits, (rows + DEPTH) * of_edge));
    splits = divide_up(edges, rows);
    const uint64_t parts =
        splits > 1 ? quartic_dispatch_reserve(list, 4 * splits * results) : quartic_dispatch_output(1);
    const args_type args = {.parts = parts,
                            .heads = p->heads,
                            .pairs = p->n * p->n,
                            .edges = (uint32_t)edges,
                            .rows = rows,
                            .groups = (uint32_t)(whole * splits)};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, lanes ? "relational_form_grad_lanes" : "relational_form_grad",
                             quartic_relational_form_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, p->dim);
    quartic_dispatch_spec(dispatch, tile);
    if (!lanes) quartic_dispatch_spec(dispatch, threads);
    quartic_dispatch_groups(dispatch, whole * splits);
    dispatch->flops = quartic_relational_flops(p, true) / 2;
    dispatch->bytes = 4.0 * (double)edges * (p->heads + p->dim);
    return splits > 1 ? plan_reduce((uint32_t)results, (uint32_t)splits, parts, list) : QUARTIC_OK;
}

quartic_status quartic_relational_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                           quartic_dispatch_list *list) {
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    QUARTIC_TRY(plan_edges(&p, limits, list));
    return p.has_form ? plan_form(&p, limits, list) : QUARTIC_OK;
}
