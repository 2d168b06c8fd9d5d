/* plan.c: choosing tiles and splits, and writing them down as dispatches. See plan.h.
 *
 * The choice minimises an estimate in units of one multiply-add of a busy device: the multiplications of
 * whole tiles (so padding costs), the loads of their operands, and idle compute units. The weights only have
 * to rank the few candidates.
 */
#include "ops/matmul/plan.h"

#include <stdlib.h>

#include "ops/gpu_plan.h"
#include "shaders/matmul.args.h"

enum {
    SMALL_THREADS = 256,
    SMALL_STEP = 64,
    DOT_THREADS = 64,
    DOT_STEP = 8 * DOT_THREADS, /* elements: eight rounds of loads before a split may end */
    DOT_MOST = 8,               /* rows or columns of a dot tile: 64 sums and 16 operands in registers */
    MAX_SPLITS = 256,
    LANES = QUARTIC_LANES
};

/* Bits that say how matmul.comp reads operands and writes results; see shaders/lib/matmul.glsl. */
enum { READ_QUADS = 1, READ_ALONG_K = 2, WITH_ADDEND = 1, WRITE_QUADS = 2, WITH_BIAS = 4 };

typedef struct tile_shape {
    uint32_t tile_m, tile_n, step_k, thread_m, thread_n;
    double cost; /* of a multiply-add, relative to the largest register tile */
} tile_shape;

/* Registers per invocation: thread_m * thread_n sums, thread_m + thread_n operands, 16 or 32 in flight. */
static const tile_shape tile_shapes[] = {
    {128, 128, 8, 8, 8, 1.0}, {128, 64, 8, 8, 4, 1.2}, {64, 64, 8, 4, 4, 1.6}, {128, 32, 8, 8, 4, 1.4},
    {32, 128, 8, 4, 8, 1.4},  {32, 32, 16, 4, 4, 1.8}, {256, 8, 8, 4, 4, 2.0}, {8, 256, 8, 4, 4, 2.0},
};

/* thread_n counts columns per lane, so a tile is thread_m x 8 thread_n. Large tiles take a second to compile
 * on such devices: they are for large products. */
static const tile_shape lane_shapes[] = {
    {32, 64, 16, 32, 8, 1.0}, {16, 32, 16, 16, 4, 1.0}, {8, 64, 16, 8, 8, 1.0},
    {32, 16, 16, 32, 2, 1.0}, {32, 8, 16, 32, 1, 1.0},  {8, 16, 16, 8, 2, 1.0},
};
static const double worth_large_lane_tiles = 3e7; /* operations */

static uint32_t matmul_shared_bytes(const tile_shape *shape) {
    /* Two pairs of tiles; rows are padded by four elements. */
    return 2 * shape->step_k * (shape->tile_m + 4 + shape->tile_n + 4) * 4;
}

/* Iterations of all loops of the product's shader that one invocation runs, for split_steps steps; a bit more
 * where compilers unroll. */
static uint64_t matmul_loop_iterations(const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
                                       uint64_t steps) {
    uint64_t before = 3ull * QUARTIC_MATMUL_MAX_AXES, step = 1 + p->summed_axes;
    switch (plan->kind) {
    case QUARTIC_MATMUL_DOT:
        /* The tree of partial sums: as many rounds as the number of invocations has bits, each over all
         * results. */
        before += 2ull * plan->tile_m * plan->tile_n + 8;
        step += DOT_STEP / DOT_THREADS;
        break;
    default:
        step += plan->step_k < p->k ? plan->step_k : p->k;
    }
    return before + steps * step;
}

/* Whether a device runs the loops of a part of so many steps to their end. */
static bool matmul_runs_to_the_end(const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
                                   const quartic_gpu_limits *limits, uint64_t steps) {
    return limits->max_iterations == 0 || matmul_loop_iterations(p, plan, steps) <= limits->max_iterations;
}

/* Splits the contraction until there are about wanted_groups, in parts of at least min_steps, as long as
 * writing and reading the parts is cheap next to reading the operands; and further where the device would cut
 * the loops of a part short. */
static void matmul_split(const quartic_matmul_problem *p, const quartic_gpu_limits *limits,
                         quartic_matmul_plan *plan, uint64_t wanted_groups, uint64_t min_steps) {
    uint64_t results = p->batches * p->m * p->n;
    uint64_t tiles =
        p->batches * quartic_divide_up64(p->m, plan->tile_m) * quartic_divide_up64(p->n, plan->tile_n);
    plan->steps = p->sums * quartic_divide_up64(p->k, plan->step_k);
    double operands = ((double)p->m + p->n) * p->k * (double)p->sums;
    double most = operands / (4.0 * p->m * p->n);
    uint64_t splits = quartic_divide_up64(wanted_groups, tiles);
    if (splits > plan->steps / min_steps) splits = plan->steps / min_steps;
    if ((double)splits > most) splits = (uint64_t)most;
    if (splits > MAX_SPLITS) splits = MAX_SPLITS;
    if (splits < 1) splits = 1;
    while (splits < plan->steps &&
           !matmul_runs_to_the_end(p, plan, limits, quartic_divide_up64(plan->steps, splits)))
        splits *= 2;
    if (splits > plan->steps) splits = plan->steps;
    if (splits > INT32_MAX / results) splits = INT32_MAX / results; /* shaders index with 32 bits */
    uint64_t split_steps = quartic_divide_up64(plan->steps, splits);
    plan->split_steps = (uint32_t)split_steps;
    plan->splits = (uint32_t)quartic_divide_up64(plan->steps, split_steps);
    plan->groups = tiles * plan->splits;
}

static quartic_matmul_plan matmul_plan_of(quartic_matmul_kind kind, const tile_shape *shape) {
    quartic_matmul_plan plan = {.kind = kind,
                                .tile_m = shape->tile_m,
                                .tile_n = shape->tile_n,
                                .step_k = shape->step_k,
                                .thread_m = shape->thread_m,
                                .thread_n = shape->thread_n,
                                .threads = LANES};
    if (kind == QUARTIC_MATMUL_TILES)
        plan.threads = shape->tile_m / shape->thread_m * (shape->tile_n / shape->thread_n);
    return plan;
}

static double matmul_tiles_cost(const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
                                const tile_shape *shape, uint32_t units) {
    double m = shape->tile_m, n = shape->tile_n, k = (double)plan->split_steps * plan->step_k;
    double loaded_m = p->m < m ? p->m : m, loaded_n = p->n < n ? p->n : n;
    /* An operand element costs about eight multiply-adds of bandwidth, a result (with its share of a later
     * addition of parts) twice that. */
    double group = m * n * k * shape->cost + 8.0 * (loaded_m + loaded_n) * k + 16.0 * loaded_m * loaded_n;
    double busy = (double)plan->groups * plan->threads / (256.0 * units);
    return group * (double)plan->groups / (busy < 1.0 ? busy : 1.0);
}

static double matmul_lanes_cost(const quartic_matmul_plan *plan) {
    /* A load costs as much as some forty multiply-adds of the subgroup. */
    double loads = plan->thread_m / (double)LANES + plan->thread_n;
    double k = (double)plan->split_steps * plan->step_k;
    double results = (double)plan->thread_m * plan->thread_n;
    return (double)plan->groups * (k * (40.0 * loads + results) + 40.0 * results);
}

static quartic_matmul_plan matmul_choose_tiles(const quartic_matmul_problem *p,
                                               const quartic_gpu_limits *limits) {
    quartic_matmul_plan best = {0};
    double least = 0;
    for (size_t i = 0; i < sizeof tile_shapes / sizeof tile_shapes[0]; ++i) {
        quartic_matmul_plan plan = matmul_plan_of(QUARTIC_MATMUL_TILES, &tile_shapes[i]);
        if (matmul_shared_bytes(&tile_shapes[i]) > limits->max_shared_bytes ||
            plan.threads > limits->max_invocations)
            continue;
        matmul_split(p, limits, &plan, 4ull * quartic_gpu_compute_units(limits), 8);
        double cost = matmul_tiles_cost(p, &plan, &tile_shapes[i], quartic_gpu_compute_units(limits));
        if (best.threads == 0 || cost < least) {
            best = plan;
            least = cost;
        }
    }
    return best;
}

static quartic_matmul_plan matmul_choose_lanes(const quartic_matmul_problem *p,
                                               const quartic_gpu_limits *limits) {
    quartic_matmul_plan best = {0};
    double least = 0;
    for (size_t i = 0; i < sizeof lane_shapes / sizeof lane_shapes[0]; ++i) {
        const tile_shape *shape = &lane_shapes[i];
        if (shape->thread_m * shape->thread_n > 64 && quartic_matmul_flops(p) < worth_large_lane_tiles)
            continue;
        quartic_matmul_plan plan = matmul_plan_of(QUARTIC_MATMUL_LANES, shape);
        matmul_split(p, limits, &plan, 2ull * quartic_gpu_compute_units(limits), 16);
        double cost = matmul_lanes_cost(&plan);
        if (best.threads == 0 || cost < least) {
            best = plan;
            least = cost;
        }
    }
    return best;
}

/* Equal tiles of at most DOT_MOST. */
static uint32_t matmul_dot_tile(uint32_t extent) {
    return (uint32_t)quartic_divide_up64(extent, quartic_divide_up64(extent, DOT_MOST));
}

quartic_matmul_plan quartic_matmul_choose(const quartic_matmul_problem *p, const quartic_gpu_limits *limits) {
    double contraction = p->k * (double)p->sums, results = (double)p->m * p->n;
    bool few = results <= 64 || p->m <= 4 || p->n <= 4;
    if (p->a_k == 1 && p->b_k == 1 && few && p->k >= 2 * DOT_THREADS) {
        quartic_matmul_plan plan = {.kind = QUARTIC_MATMUL_DOT,
                                    .tile_m = matmul_dot_tile(p->m),
                                    .tile_n = matmul_dot_tile(p->n),
                                    .step_k = DOT_STEP,
                                    .threads = DOT_THREADS};
        matmul_split(p, limits, &plan, 8ull * quartic_gpu_compute_units(limits), 1);
        return plan;
    }
    if ((results <= 64 && contraction <= 32) || results * contraction * (double)p->batches <= 4096) {
        quartic_matmul_plan plan = {.kind = QUARTIC_MATMUL_SMALL,
                                    .tile_m = 1,
                                    .tile_n = 1,
                                    .step_k = SMALL_STEP,
                                    .threads = SMALL_THREADS,
                                    .splits = 1};
        plan.steps = p->sums * quartic_divide_up64(p->k, SMALL_STEP);
        plan.split_steps = (uint32_t)plan.steps;
        plan.groups = quartic_divide_up64(p->batches * p->m * p->n, SMALL_THREADS);
        return plan;
    }
    if (quartic_gpu_has_lanes(limits)) return matmul_choose_lanes(p, limits);
    return matmul_choose_tiles(p, limits);
}

/* ---- dispatches ---- */

/* How matmul.comp reads an operand of rows x k elements at these strides: along the dense axis, in quads if
 * every quad lies inside or outside as a whole and is aligned. */
static uint32_t matmul_read_mode(const quartic_matmul_problem *p, uint32_t rows, int64_t row_stride,
                                 int64_t k_stride, bool is_a, int64_t offset) {
    bool along_k = p->k > 1 && (k_stride == 1 || (row_stride != 1 && llabs(k_stride) < llabs(row_stride)));
    bool quads = (along_k ? k_stride : row_stride) == 1 && quartic_in_fours(along_k ? p->k : rows) &&
                 quartic_in_fours(along_k ? row_stride : k_stride) && quartic_in_fours(offset);
    for (uint32_t axis = 0; axis < p->batch_axes + p->summed_axes; ++axis)
        quads = quads && quartic_in_fours(is_a ? p->axes[axis].a_stride : p->axes[axis].b_stride);
    return (along_k ? READ_ALONG_K : 0u) | (quads ? READ_QUADS : 0u);
}

static int64_t matmul_offset_of(const quartic_op_call *call, uint32_t input, bool present) {
    return present ? call->inputs[input].offset : 0;
}

/* An operand that only the last dispatch of a product takes. */
static uint64_t matmul_given_input(bool present, uint32_t input) {
    return present ? quartic_dispatch_input(input) : 0;
}

static quartic_status matmul_add_product(const quartic_op_call *call, const quartic_matmul_problem *p,
                                         const quartic_matmul_plan *plan, quartic_dispatch_list *list,
                                         uint64_t *out_parts) {
    static const char *const shaders[] = {[QUARTIC_MATMUL_TILES] = "matmul",
                                          [QUARTIC_MATMUL_LANES] = "matmul_lanes",
                                          [QUARTIC_MATMUL_DOT] = "matmul_dot",
                                          [QUARTIC_MATMUL_SMALL] = "matmul_small"};
    bool whole = plan->splits == 1;
    uint64_t results = p->batches * p->m * p->n;
    if (!whole) *out_parts = quartic_dispatch_reserve(list, results * plan->splits * 4);
    quartic_matmul_args args = {.bias = whole ? matmul_given_input(p->has_bias, QUARTIC_MATMUL_BIAS) : 0,
                                .addend =
                                    whole ? matmul_given_input(p->has_addend, QUARTIC_MATMUL_ADDEND) : 0,
                                .result = whole ? quartic_dispatch_output(0) : *out_parts,
                                .m = p->m,
                                .n = p->n,
                                .k = p->k,
                                .alpha = whole ? p->alpha : 1.0f,
                                .a_row = (int32_t)p->a_row,
                                .a_k = (int32_t)p->a_k,
                                .b_k = (int32_t)p->b_k,
                                .b_col = (int32_t)p->b_col,
                                .axis_counts = p->batch_axes | p->summed_axes << 8,
                                .split_steps = plan->split_steps};
    for (uint32_t axis = 0; axis < p->batch_axes + p->summed_axes; ++axis) {
        args.extents[axis] = p->axes[axis].extent;
        args.a_strides[axis] = (int32_t)p->axes[axis].a_stride;
        args.b_strides[axis] = (int32_t)p->axes[axis].b_stride;
    }
    quartic_dispatch *dispatch = quartic_dispatch_add(list, shaders[plan->kind], quartic_matmul_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    bool with_addend = whole && p->has_addend;
    bool write_quads = quartic_in_fours(p->n) && (!whole || quartic_in_fours(call->outputs[0].offset)) &&
                       quartic_in_fours(matmul_offset_of(call, QUARTIC_MATMUL_ADDEND, with_addend));
    /* Constants 0 to 8 as in shaders/matmul.comp; the other shaders use some of them. */
    quartic_dispatch_spec(dispatch, plan->tile_m);
    quartic_dispatch_spec(dispatch, plan->tile_n);
    quartic_dispatch_spec(dispatch, plan->step_k);
    quartic_dispatch_spec(dispatch, plan->thread_m);
    quartic_dispatch_spec(dispatch, plan->thread_n);
    bool tiles = plan->kind == QUARTIC_MATMUL_TILES;
    int64_t a_offset = call->inputs[QUARTIC_MATMUL_A].offset,
            b_offset = call->inputs[QUARTIC_MATMUL_B].offset;
    quartic_dispatch_spec(dispatch, tiles ? matmul_read_mode(p, p->m, p->a_row, p->a_k, true, a_offset) : 0);
    quartic_dispatch_spec(dispatch, tiles ? matmul_read_mode(p, p->n, p->b_col, p->b_k, false, b_offset) : 0);
    quartic_dispatch_spec(dispatch, (with_addend ? WITH_ADDEND : 0u) |
                                        (tiles && write_quads ? WRITE_QUADS : 0u) |
                                        (whole && p->has_bias ? WITH_BIAS : 0u));
    quartic_dispatch_spec(dispatch, plan->threads);
    quartic_dispatch_groups(dispatch, plan->groups);
    dispatch->flops = quartic_matmul_flops(p);
    double operands = ((double)p->m + p->n) * p->k * (double)p->sums * (double)p->batches;
    dispatch->bytes = 4.0 * (operands + (double)results * (plan->splits + (with_addend ? 1 : 0)));
    return QUARTIC_OK;
}

static quartic_status matmul_add_reduction(const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
                                           uint64_t parts, quartic_dispatch_list *list) {
    uint64_t results = p->batches * p->m * p->n;
    const quartic_matmul_reduce_args args = {.partial = parts,
                                             .bias = matmul_given_input(p->has_bias, QUARTIC_MATMUL_BIAS),
                                             .addend =
                                                 matmul_given_input(p->has_addend, QUARTIC_MATMUL_ADDEND),
                                             .result = quartic_dispatch_output(0),
                                             .count = (uint32_t)results,
                                             .n = p->n,
                                             .splits = plan->splits,
                                             .alpha = p->alpha};
    return quartic_add_parts(list, &args);
}

quartic_status quartic_matmul_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list) {
    quartic_matmul_problem problem = quartic_matmul_describe(call);
    quartic_matmul_plan plan = quartic_matmul_choose(&problem, limits);
    if (!matmul_runs_to_the_end(&problem, &plan, limits, plan.split_steps))
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "matmul of %llu x (%u x %u) results contracts %llu x %u elements: its loops would run %llu "
            "iterations, and this device leaves loops after %u; use the device cpu",
            (unsigned long long)problem.batches, problem.m, problem.n, (unsigned long long)problem.sums,
            problem.k, (unsigned long long)matmul_loop_iterations(&problem, &plan, plan.split_steps),
            limits->max_iterations);
    uint64_t parts = 0;
    QUARTIC_TRY(matmul_add_product(call, &problem, &plan, list, &parts));
    return plan.splits == 1 ? QUARTIC_OK : matmul_add_reduction(&problem, &plan, parts, list);
}
