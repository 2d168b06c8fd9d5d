/* relational_gpu.c: GPU plans of relational_scores and its adjoint.
 *
 * forward    relational_scores: a group for each head and 64 edges
 * adjoint    relational_edge_grad; where there is a quadratic term also relational_form_grad, which splits
 *            the edges over groups until the device is busy, and matmul_reduce, which adds them in order
 *
 * Vulkan on a CPU gets the same in groups of eight lanes without shared memory (*_lanes.comp; see
 * gpu_plan.h), up to LANES_MOST_DIM components of an edge.
 */
#include "ops/relational_scores.h"

#include "ops/gpu_plan.h"
#include "shaders/relational_edge_grad.args.h"
#include "shaders/relational_form_grad.args.h"
#include "shaders/relational_scores.args.h"

enum {
    ROWS = 64,  /* of shaders/lib/relational.glsl */
    DEPTH = 16, /* and of relational_form_grad.comp */
    LANES = QUARTIC_LANES,
    LANES_ROWS = 4,
    LANES_MOST_DIM = 128,
    GROUPS_PER_UNIT = 4,
    LEAST_SPLIT = 256, /* edges: less is not worth another part */
    MOST_SPLITS = 256
};

/* Components that a tile has: the least of 16, 32, 64 that leaves no column of threads idle. */
static uint32_t relational_columns(uint32_t dim) {
    return dim <= 16 ? 16 : dim <= 32 ? 32 : 64;
}

/* The shaders of lib/relational_lanes.glsl keep all components of an edge. */
static bool relational_takes_lanes(const quartic_relational_problem *p, const quartic_gpu_limits *limits) {
    return quartic_gpu_has_lanes(limits) && p->dim <= LANES_MOST_DIM;
}

/* Groups that cover the edges once. */
static uint64_t relational_edge_groups(const quartic_relational_problem *p, bool lanes) {
    return lanes ? (uint64_t)p->b * quartic_divide_up(p->n, LANES) * quartic_divide_up(p->n, LANES_ROWS)
                 : quartic_divide_up((uint64_t)p->b * p->n * p->n, ROWS);
}

/* The shape with the constants of lib/relational_lanes.glsl, or of lib/relational.glsl. Estimates: operations
 * of the dispatch, and numbers that pass for each edge. */
static quartic_dispatch_shape relational_edges_shape(const quartic_relational_problem *p, bool lanes,
                                                     uint64_t groups, double flops, double numbers) {
    const uint32_t columns = relational_columns(p->dim);
    quartic_dispatch_shape shape = {
        QUARTIC_SPEC(p->dim, lanes ? LANES_ROWS : columns, p->has_receiver, p->has_form),
        .groups = groups,
        .flops = flops,
        .bytes = 4.0 * p->b * p->n * p->n * numbers,
    };
    if (!lanes) shape.spec[shape.spec_count++] = 4 * columns;
    return shape;
}

/* Refuses what would take more iterations than the device runs: `times` those of one head and row of tiles.
 * */
static quartic_status relational_expect_iterations(const char *what, const quartic_relational_problem *p,
                                                   bool lanes, double times,
                                                   const quartic_gpu_limits *limits) {
    const uint32_t columns = relational_columns(p->dim), threads = 4 * columns;
    const double of_depth =
        1 + DEPTH + quartic_divide_up(ROWS * DEPTH, threads) + quartic_divide_up(columns * DEPTH, threads);
    const double of_row = lanes ? 2 : 6 + quartic_divide_up(p->dim, DEPTH) * of_depth;
    return quartic_gpu_expect_iterations(what, limits, times * of_row + (double)ROWS);
}

quartic_status quartic_relational_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                      quartic_dispatch_list *list) {
    typedef quartic_relational_scores_args args_type;
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    const bool lanes = relational_takes_lanes(&p, limits);
    QUARTIC_TRY(relational_expect_iterations("relational_scores of this size", &p, lanes,
                                             lanes ? (double)p.heads * quartic_divide_up(p.dim, LANES)
                                                   : quartic_divide_up(p.dim, relational_columns(p.dim)),
                                             limits));
    const uint64_t edges = (uint64_t)p.b * p.n * p.n;
    const uint64_t groups =
        relational_edge_groups(&p, lanes) * (lanes ? 1 : p.heads); /* lanes walk the heads */
    args_type args = {.heads = p.heads, .n = p.n, .edges = (uint32_t)edges, .groups = (uint32_t)groups};
    for (uint32_t axis = 0; axis < 4; ++axis)
        args.base_strides[axis] = (int32_t)call->inputs[QUARTIC_RELATIONAL_BASE].strides[axis];
    const quartic_dispatch_shape shape =
        relational_edges_shape(&p, lanes, groups, quartic_relational_flops(&p, false), p.heads * 2 + p.dim);
    return quartic_dispatch_append(list, lanes ? "relational_scores_lanes" : "relational_scores",
                                   quartic_relational_scores_push(&args), &shape);
}

static quartic_status relational_plan_edges(const quartic_relational_problem *p,
                                            const quartic_gpu_limits *limits, quartic_dispatch_list *list) {
    typedef quartic_relational_edge_grad_args args_type;
    const bool lanes = relational_takes_lanes(p, limits);
    QUARTIC_TRY(relational_expect_iterations(
        "relational_scores_grad of this size", p, lanes,
        (double)p->heads * (lanes ? quartic_divide_up(p->dim, LANES) : 1), limits));
    const uint32_t slices =
        lanes ? 1 : quartic_divide_up(p->dim, relational_columns(p->dim)); /* lanes walk the components */
    const uint64_t edges = (uint64_t)p->b * p->n * p->n, groups = slices * relational_edge_groups(p, lanes);
    const args_type args = {
        .heads = p->heads, .n = p->n, .edges = (uint32_t)edges, .groups = (uint32_t)groups};
    const double flops = quartic_relational_flops(p, true) / (p->has_form ? 2 : 1);
    const quartic_dispatch_shape shape =
        relational_edges_shape(p, lanes, groups, flops, p->heads + 2 * p->dim);
    return quartic_dispatch_append(list, lanes ? "relational_edge_grad_lanes" : "relational_edge_grad",
                                   quartic_relational_edge_grad_push(&args), &shape);
}

/* Into how many parts the edges go: the device busy, and no loop longer than it runs. */
static uint64_t relational_form_splits(uint64_t edges, uint64_t whole, double of_edge,
                                       const quartic_gpu_limits *limits) {
    const uint64_t wanted = (uint64_t)quartic_gpu_compute_units(limits) * GROUPS_PER_UNIT;
    uint64_t splits = quartic_divide_up(wanted, whole), least = 1;
    if (limits->choice.splits != 0) splits = limits->choice.splits;
    if (limits->max_iterations != 0)
        least += (uint64_t)((double)edges * of_edge / (limits->max_iterations - (double)DEPTH * of_edge));
    if (splits > edges / LEAST_SPLIT) splits = edges / LEAST_SPLIT;
    if (splits < least) splits = least;
    return splits > MOST_SPLITS ? MOST_SPLITS : splits;
}

/* How the gradient of the form is cut. */
typedef struct relational_form_cut {
    bool lanes;
    uint32_t tile, threads;
    uint64_t edges, results, whole; /* whole: groups without splits */
    double of_edge;                 /* iterations of an invocation per edge */
    uint64_t splits;
} relational_form_cut;

static relational_form_cut relational_cut_form(const quartic_relational_problem *p,
                                               const quartic_gpu_limits *limits) {
    const bool lanes = quartic_gpu_has_lanes(limits);
    const uint32_t tile = lanes          ? (p->dim <= 32 ? quartic_divide_up(p->dim, LANES) * LANES : 32)
                          : p->dim <= 32 ? 32
                                         : 64;
    const uint32_t tiles = quartic_divide_up(p->dim, tile), threads = tile / 4 * (tile / 4);
    relational_form_cut cut = {
        .lanes = lanes,
        .tile = tile,
        .threads = threads,
        .edges = (uint64_t)p->b * p->n * p->n,
        .results = (uint64_t)p->heads * p->dim * p->dim,
        .whole = (uint64_t)p->heads * tiles * tiles,
        .of_edge = lanes ? 1.0 / (double)LANES
                         : (1.0 + (double)DEPTH + quartic_divide_up(tile * DEPTH, threads)) / (double)DEPTH};
    cut.splits = relational_form_splits(cut.edges, cut.whole, cut.of_edge, limits);
    if (cut.splits > INT32_MAX / cut.results) cut.splits = INT32_MAX / cut.results; /* 32-bit indices */
    if (cut.splits < 1) cut.splits = 1;
    return cut;
}

void quartic_relational_candidates_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                        quartic_tuning_choice *out, uint32_t capacity,
                                        uint32_t *inout_count) {
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    if (!p.has_form) return;
    const relational_form_cut cut = relational_cut_form(&p, limits);
    quartic_add_split_choices(cut.splits, cut.edges / LEAST_SPLIT, out, capacity, inout_count);
}

static quartic_status relational_plan_form(const quartic_relational_problem *p,
                                           const quartic_gpu_limits *limits, quartic_dispatch_list *list) {
    typedef quartic_relational_form_grad_args args_type;
    const relational_form_cut cut = relational_cut_form(p, limits);
    const bool lanes = cut.lanes;
    const uint64_t edges = cut.edges, results = cut.results, whole = cut.whole;
    const double of_edge = cut.of_edge;
    uint64_t splits = cut.splits;
    const uint32_t rows = quartic_divide_up(edges, splits);
    QUARTIC_TRY(quartic_gpu_expect_iterations("relational_scores_grad of this size", limits,
                                              (rows + DEPTH) * of_edge));
    splits = quartic_divide_up(edges, rows);
    const uint64_t parts =
        splits > 1 ? quartic_dispatch_reserve(list, 4 * splits * results) : quartic_dispatch_output(1);
    const args_type args = {.parts = parts,
                            .heads = p->heads,
                            .pairs = p->n * p->n,
                            .edges = (uint32_t)edges,
                            .rows = rows,
                            .groups = (uint32_t)(whole * splits)};
    quartic_dispatch_shape shape = {QUARTIC_SPEC(p->dim, cut.tile), .groups = whole * splits,
                                    .flops = quartic_relational_flops(p, true) / 2,
                                    .bytes = 4.0 * (double)edges * (p->heads + p->dim)};
    if (!lanes) shape.spec[shape.spec_count++] = cut.threads;
    QUARTIC_TRY(quartic_dispatch_append(list, lanes ? "relational_form_grad_lanes" : "relational_form_grad",
                                        quartic_relational_form_grad_push(&args), &shape));
    if (splits == 1) return QUARTIC_OK;
    const quartic_matmul_reduce_args sum = {.partial = parts,
                                            .result = quartic_dispatch_output(1),
                                            .count = (uint32_t)results,
                                            .n = 1,
                                            .splits = (uint32_t)splits,
                                            .alpha = 1.0f};
    return quartic_add_parts(list, &sum);
}

quartic_status quartic_relational_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                           quartic_dispatch_list *list) {
    const quartic_relational_problem p = quartic_relational_problem_of_call(call);
    QUARTIC_TRY(relational_plan_edges(&p, limits, list));
    return p.has_form ? relational_plan_form(&p, limits, list) : QUARTIC_OK;
}
