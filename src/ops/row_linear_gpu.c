/* row_linear_gpu.c: the GPU plan of norm_linear and gated_linear: how row_linear.comp is launched or, on
 * Vulkan on a CPU, row_linear_lanes.comp. Pure.
 *
 * A group takes a block of rows and all columns. Where that leaves compute units idle, the columns are shared
 * out to more groups, which then read the rows once each.
 */
#include <stdio.h>

#include "ops/gpu_plan.h"
#include "ops/row_linear.h"
#include "shaders/row_linear.args.h"

enum {
    BLOCK = 64, /* rows of a group */
    WIDE = 64,  /* columns of a tile, or half of it where the other half would be a third of the work */
    LANES = QUARTIC_LANES,
    LANES_ROWS = 16, /* rows of a group of lanes: with 4 columns a lane, 64 sums in registers */
    LANES_COLUMNS = 4
};

/* Which shader, and its tiles. */
typedef struct row_plan {
    bool lanes;
    uint32_t block, width, tiles; /* rows of a group, columns of a tile, tiles of all columns */
} row_plan;

/* Columns of all weights, each rounded up to a multiple. */
static uint32_t row_linear_columns(const row_linear_problem *p, uint32_t multiple) {
    uint32_t columns = 0;
    for (uint32_t part = 0; part < p->parts; ++part)
        columns += (p->n[part] + multiple - 1) / multiple * multiple;
    return columns;
}

static row_plan row_linear_plan_of(const row_linear_problem *p, const quartic_gpu_limits *limits) {
    row_plan plan = {.lanes = quartic_gpu_has_lanes(limits)};
    uint32_t columns = row_linear_columns(p, plan.lanes ? LANES : 4);
    uint32_t halves = (columns + WIDE / 2 - 1) / (WIDE / 2);
    plan.block = plan.lanes ? LANES_ROWS : BLOCK;
    plan.width = plan.lanes ? LANES * LANES_COLUMNS : halves == 1 || halves == 3 ? WIDE / 2 : WIDE;
    if (!plan.lanes && limits->choice.tile != 0) plan.width = limits->choice.tile == 1 ? WIDE / 2 : WIDE;
    plan.tiles = (columns + plan.width - 1) / plan.width;
    return plan;
}

/* Iterations of all loops that an invocation runs, about, where compilers unroll none: per element of a row
 * two for the tile's products and squares, and the loads. */
static uint64_t row_linear_loop_iterations(const row_linear_problem *p, uint32_t tiles) {
    return 64 + (uint64_t)tiles * (3 * (uint64_t)p->k + 64);
}

static uint32_t row_linear_flags(const quartic_op_call *call, const row_linear_problem *p) {
    uint32_t flags = 0;
    if (p->norms && p->has_side) flags |= QUARTIC_ROW_HAS_SCALE;
    if (p->has_addend) flags |= QUARTIC_ROW_HAS_ADDEND;
    if (quartic_in_fours(p->k) && quartic_in_fours(call->inputs[ROW_LINEAR_X].offset))
        flags |= QUARTIC_ROW_X_QUADS;
    bool weights = quartic_in_fours(p->k);
    for (uint32_t part = 0; part < p->parts; ++part) {
        weights = weights && quartic_in_fours(call->inputs[ROW_LINEAR_WEIGHTS + part].offset);
        bool addend = !p->has_addend || quartic_in_fours(call->inputs[ROW_LINEAR_ADDEND].offset);
        if (quartic_in_fours(p->n[part]) && quartic_in_fours(call->outputs[part].offset) && addend)
            flags |= (uint32_t)QUARTIC_ROW_WRITE_QUADS << part;
    }
    return flags | (weights ? QUARTIC_ROW_W_QUADS : 0);
}

void row_linear_candidates(const quartic_op_call *call, const quartic_gpu_limits *limits,
                           quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count) {
    const row_linear_problem p = row_linear_describe(call);
    for (uint32_t tile = 1; tile <= 2; ++tile) {
        quartic_gpu_limits with = *limits;
        with.choice.tile = tile;
        const row_plan plan = row_linear_plan_of(&p, &with);
        for (uint32_t splits = 1; splits < 2 * plan.tiles && *inout_count < capacity; splits *= 2)
            out[(*inout_count)++] = (quartic_tuning_choice){
                .tile = plan.lanes ? 0 : tile, .splits = splits < plan.tiles ? splits : plan.tiles};
    }
}

quartic_status row_linear_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                              quartic_dispatch_list *list) {
    const row_linear_attrs *attrs = call->attrs;
    const row_linear_problem p = row_linear_describe(call);
    quartic_row_linear_args args = {.addend = p.has_addend ? quartic_dispatch_input(ROW_LINEAR_ADDEND) : 0,
                                    .rows = (uint32_t)p.rows,
                                    .k = p.k,
                                    .heads = p.heads,
                                    .eps = attrs->eps,
                                    .offset = attrs->offset,
                                    .alpha = attrs->alpha};
    double results = 0;
    for (uint32_t part = 0; part < p.parts; ++part) {
        args.w[part] = quartic_dispatch_input(ROW_LINEAR_WEIGHTS + part);
        args.n[part] = p.n[part];
        results += (double)p.rows * p.n[part];
    }
    const row_plan plan = row_linear_plan_of(&p, limits);
    uint32_t tiles = plan.tiles;
    uint64_t blocks = (p.rows + plan.block - 1) / plan.block;
    uint64_t units = quartic_gpu_compute_units(limits);
    uint64_t splits = (2 * units + blocks - 1) / blocks;
    if (limits->choice.splits != 0) splits = limits->choice.splits;
    if (splits > tiles) splits = tiles;
    uint32_t tiles_of_group = (uint32_t)((tiles + splits - 1) / splits);
    while (limits->max_iterations != 0 && tiles_of_group > 1 &&
           row_linear_loop_iterations(&p, tiles_of_group) > limits->max_iterations)
        tiles_of_group = (tiles_of_group + 1) / 2;
    const double tile_flops = 2.0 * plan.block * plan.width * p.k;
    while (tiles_of_group > 1 && tiles_of_group * tile_flops > QUARTIC_GROUP_MOST_FLOPS)
        tiles_of_group = (tiles_of_group + 1) / 2;
    char what[64];
    snprintf(what, sizeof what, "a product fused over rows of %u elements", p.k);
    QUARTIC_TRY(quartic_gpu_expect_iterations(what, limits, (double)row_linear_loop_iterations(&p, 1)));
    splits = (tiles + tiles_of_group - 1) / tiles_of_group;

    quartic_dispatch *dispatch = quartic_dispatch_add(list, plan.lanes ? "row_linear_lanes" : "row_linear",
                                                      quartic_row_linear_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, attrs->form);
    quartic_dispatch_spec(dispatch, plan.lanes ? plan.block : plan.width);
    quartic_dispatch_spec(dispatch, plan.lanes ? LANES_COLUMNS : 2 * plan.width);
    quartic_dispatch_spec(dispatch, p.parts);
    quartic_dispatch_spec(dispatch, attrs->raw & ((1u << p.parts) - 1u));
    quartic_dispatch_spec(dispatch, row_linear_flags(call, &p));
    quartic_dispatch_spec(dispatch, tiles_of_group);
    quartic_dispatch_groups(dispatch, blocks * splits);
    dispatch->flops = 2.0 * results * p.k;
    double reads = (double)p.rows * (p.k + (p.norms ? 0 : p.heads)) + (double)row_linear_columns(&p, 1) * p.k;
    dispatch->bytes = 4.0 * (reads + results * (p.has_addend ? 2 : 1));
    return QUARTIC_OK;
}
