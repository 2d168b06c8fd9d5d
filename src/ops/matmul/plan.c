/* plan.c: choosing tiles and splits. See plan.h.
 *
 * The choice minimises an estimate in multiply-adds of a busy unit: the multiplications of whole tiles (so padding
 * costs), the loads of their operands, the latency of the steps that a group takes one after the other, the waves of
 * groups with an almost empty last one, and the parts that are added at the end. No choice leaves units without a group
 * where the contraction can still be split. The weights only have to rank the candidates.
 */
#include "ops/matmul/plan.h"

#include <math.h>

#include "ops/gpu_plan.h"

enum {
    SMALL_THREADS = 256,
    SMALL_STEP = 64,
    DOT_THREADS = 64,
    DOT_STEP = 8 * DOT_THREADS, /* elements: eight rounds of loads before a split may end */
    DOT_MOST = 8,               /* rows or columns of a dot tile: 64 sums and 16 operands in registers */
    MAX_SPLITS = 256,
    LEAST_STEPS = 8, /* of a part of tiles */
    LANES = QUARTIC_LANES,
    FEW_REGISTERS_SUMS = 32, /* of an invocation, where registers are few */
    STEP_LATENCY = 64000,    /* of a load and a barrier: some 500 cycles, in multiply-adds of a unit */
    PARTS_IN_FLIGHT = 4 /* parts that a group reads in the time of one load, as their addresses are known */
};

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

uint64_t quartic_matmul_loop_iterations(const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
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
    return limits->max_iterations == 0 ||
           quartic_matmul_loop_iterations(p, plan, steps) <= limits->max_iterations;
}

static uint64_t matmul_tiles(const quartic_matmul_problem *p, const quartic_matmul_plan *plan) {
    return p->batches * quartic_divide_up64(p->m, plan->tile_m) * quartic_divide_up64(p->n, plan->tile_n);
}

/* Divides the contraction into about so many parts: what a measurement says instead, where there is one, and more where
 * the device would cut the loops of a part short. */
static void matmul_set_splits(const quartic_matmul_problem *p, const quartic_gpu_limits *limits,
                              quartic_matmul_plan *plan, uint64_t splits) {
    const uint64_t results = p->batches * p->m * p->n;
    plan->steps = p->sums * quartic_divide_up64(p->k, plan->step_k);
    if (splits > MAX_SPLITS) splits = MAX_SPLITS;
    if (splits < 1) splits = 1;
    if (limits->choice.splits != 0 && limits->choice.splits <= MAX_SPLITS) splits = limits->choice.splits;
    while (splits < plan->steps &&
           !matmul_runs_to_the_end(p, plan, limits, quartic_divide_up64(plan->steps, splits)))
        splits *= 2;
    if (splits > plan->steps) splits = plan->steps;
    if (splits > INT32_MAX / results) splits = INT32_MAX / results; /* shaders index with 32 bits */
    const uint64_t split_steps = quartic_divide_up64(plan->steps, splits);
    plan->split_steps = (uint32_t)split_steps;
    plan->splits = (uint32_t)quartic_divide_up64(plan->steps, split_steps);
    plan->groups = matmul_tiles(p, plan) * plan->splits;
}

/* The most parts that are written and read in a fraction of the time that the operands take. */
static double matmul_cheap_splits(const quartic_matmul_problem *p) {
    return ((double)p->m + p->n) * p->k * (double)p->sums / (4.0 * p->m * p->n);
}

/* Splits the contraction until there are about wanted_groups, in parts of at least min_steps, as long as writing and
 * reading the parts is cheap next to reading the operands, or there are fewer groups than units. */
static void matmul_split(const quartic_matmul_problem *p, const quartic_gpu_limits *limits,
                         quartic_matmul_plan *plan, uint64_t wanted_groups, uint64_t min_steps) {
    const uint64_t tiles = matmul_tiles(p, plan), steps = p->sums * quartic_divide_up64(p->k, plan->step_k),
                   units = quartic_gpu_compute_units(limits);
    const double cheap = matmul_cheap_splits(p);
    uint64_t splits = quartic_divide_up64(wanted_groups, tiles);
    if ((double)splits > cheap) splits = (uint64_t)cheap;
    if (!limits->is_software && splits * tiles < units) splits = quartic_divide_up64(units, tiles);
    if (splits > steps / min_steps) splits = steps / min_steps;
    matmul_set_splits(p, limits, plan, splits);
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

/* What a dispatch of tiles takes on one unit, in multiply-adds of a unit that is busy with 256 invocations: the waves of
 * groups, of which the last one may be nearly empty, each as long as the steps of a group one after the other; and for
 * the last group of a tile the parts that it reads. */
static double matmul_tiles_cost(const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
                                const tile_shape *shape, uint32_t units) {
    const double m = shape->tile_m, n = shape->tile_n, share = 256.0 / plan->threads;
    const double loaded_m = p->m < m ? p->m : m, loaded_n = p->n < n ? p->n : n;
    /* An operand element costs about eight multiply-adds of bandwidth, a result or a part of one twice that. */
    const double step = share * plan->step_k * (m * n * shape->cost + 8.0 * (loaded_m + loaded_n));
    const double result = share * 16.0 * loaded_m * loaded_n;
    /* No step ends before what it loads is there. Other groups of the unit use that time. */
    const double groups_per_unit = (double)plan->groups / units;
    const double latency = STEP_LATENCY / (groups_per_unit < 1.0     ? 1.0
                                           : groups_per_unit < share ? groups_per_unit
                                                                     : share);
    const double waves = ceil((double)plan->groups / (share * units));
    double cost = waves * (plan->split_steps * fmax(step, latency) + result);
    if (plan->splits > 1)
        cost += 2.0 * STEP_LATENCY + plan->splits * fmax(0.5 * result, STEP_LATENCY / PARTS_IN_FLIGHT);
    return cost;
}

static double matmul_lanes_cost(const quartic_matmul_plan *plan) {
    /* A load costs as much as some forty multiply-adds of the subgroup. */
    double loads = plan->thread_m / (double)LANES + plan->thread_n;
    double k = (double)plan->split_steps * plan->step_k;
    double results = (double)plan->thread_m * plan->thread_n;
    return (double)plan->groups * (k * (40.0 * loads + results) + 40.0 * results);
}

enum {
    TILE_SHAPES = sizeof tile_shapes / sizeof tile_shapes[0],
    LANE_SHAPES = sizeof lane_shapes / sizeof lane_shapes[0]
};

/* Whether the device has room for that shape of tile. */
static bool matmul_tile_fits(const quartic_gpu_limits *limits, size_t shape) {
    if (quartic_gpu_has_few_registers(limits) &&
        tile_shapes[shape].thread_m * tile_shapes[shape].thread_n > FEW_REGISTERS_SUMS)
        return false;
    return matmul_shared_bytes(&tile_shapes[shape]) <= limits->max_shared_bytes &&
           matmul_plan_of(QUARTIC_MATMUL_TILES, &tile_shapes[shape]).threads <= limits->max_invocations;
}

/* Whether more parts would give idle units something to do, of at least LEAST_STEPS each. */
static bool matmul_leaves_units_idle(const quartic_matmul_plan *plan, uint32_t units) {
    return plan->groups < units && plan->split_steps >= 2 * LEAST_STEPS && plan->splits < MAX_SPLITS;
}

static quartic_matmul_plan matmul_choose_tiles(const quartic_matmul_problem *p,
                                               const quartic_gpu_limits *limits) {
    static const uint32_t parts[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256};
    quartic_matmul_plan best = {0};
    double least = 0;
    bool best_idle = false;
    const uint32_t units = quartic_gpu_compute_units(limits);
    const uint32_t chosen = limits->choice.tile; /* by measurement; 0: none */
    const bool chosen_fits = chosen != 0 && chosen <= TILE_SHAPES && matmul_tile_fits(limits, chosen - 1);
    for (size_t i = 0; i < TILE_SHAPES; ++i) {
        if (!matmul_tile_fits(limits, i) || (chosen_fits && i + 1 != chosen)) continue;
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; ++k) {
            quartic_matmul_plan plan = matmul_plan_of(QUARTIC_MATMUL_TILES, &tile_shapes[i]);
            const uint64_t steps = p->sums * quartic_divide_up64(p->k, plan.step_k);
            if (k > 0 && parts[k] > steps / LEAST_STEPS) break;
            /* Where the device has enough to do, parts of many results would only take memory. */
            const bool enough = matmul_tiles(p, &plan) >= 2 * (uint64_t)units;
            if (k > 0 && enough && parts[k] > matmul_cheap_splits(p)) break;
            matmul_set_splits(p, limits, &plan, parts[k]);
            const bool idle = matmul_leaves_units_idle(&plan, units);
            const double cost = matmul_tiles_cost(p, &plan, &tile_shapes[i], units);
            if (best.threads != 0 && (idle > best_idle || (idle == best_idle && cost >= least))) continue;
            best = plan;
            least = cost;
            best_idle = idle;
        }
    }
    return best;
}

static quartic_matmul_plan matmul_choose_lanes(const quartic_matmul_problem *p,
                                               const quartic_gpu_limits *limits) {
    quartic_matmul_plan best = {0};
    double least = 0;
    const uint32_t chosen = limits->choice.tile <= LANE_SHAPES ? limits->choice.tile : 0;
    for (size_t i = 0; i < LANE_SHAPES; ++i) {
        const tile_shape *shape = &lane_shapes[i];
        if (chosen != 0 && i + 1 != chosen) continue;
        if (chosen == 0 && shape->thread_m * shape->thread_n > 64 &&
            quartic_matmul_flops(p) < worth_large_lane_tiles)
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

void quartic_matmul_candidates(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count) {
    const quartic_matmul_problem problem = quartic_matmul_describe(call);
    const quartic_matmul_plan own = quartic_matmul_choose(&problem, limits);
    if (own.kind != QUARTIC_MATMUL_TILES && own.kind != QUARTIC_MATMUL_LANES) return;
    const bool tiles = own.kind == QUARTIC_MATMUL_TILES;
    for (uint32_t shape = 0; shape < (tiles ? (uint32_t)TILE_SHAPES : (uint32_t)LANE_SHAPES); ++shape) {
        if (tiles && !matmul_tile_fits(limits, shape)) continue;
        quartic_gpu_limits with = *limits;
        with.choice = (quartic_tuning_choice){.tile = shape + 1};
        const quartic_matmul_plan plan = quartic_matmul_choose(&problem, &with);
        /* Half, as many and twice as many parts as the plan would divide the sum into. */
        for (uint32_t splits = (plan.splits + 1) / 2; splits <= 2 * plan.splits && splits <= plan.steps;
             splits *= 2) {
            if (splits > MAX_SPLITS || *inout_count == capacity) break;
            if (plan.tile_m == own.tile_m && plan.tile_n == own.tile_n && splits == own.splits) continue;
            out[(*inout_count)++] = (quartic_tuning_choice){.tile = shape + 1, .splits = splits};
        }
    }
}
