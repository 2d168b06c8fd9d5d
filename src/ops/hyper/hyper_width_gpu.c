/* hyper_width_gpu.c: the dispatches of hyper_width, one, and of its adjoint, one and one more for the
 * parameters' sums over all tokens. How a workgroup is cut: shaders/lib/hyper.glsl.
 */
#include "ops/gpu_plan.h"
#include "ops/hyper/hyper.h"
#include "ops/rows.h"
#include "shaders/hyper_width.args.h"
#include "shaders/hyper_width_grad.args.h"
#include "shaders/hyper_width_sum.args.h"

enum {
    SHARED_NUMBERS = 2048, /* of coefficients in shared memory: 8 KiB */
    MOST_AT_ONCE = 10,     /* coefficients of a row in registers; with more of them BLOCK at a time */
    BLOCK = 8,
    LEAST_GROUPS = 32, /* of the adjoint, where there are as many tokens */
    SUM_COLUMNS = 8    /* of a workgroup of hyper_width_sum */
};

typedef struct hyper_cut {
    uint32_t lanes, tokens; /* lanes of a row, tokens of a workgroup at once */
} hyper_cut;

static hyper_cut cut_hyper_rows(const hyper_width_extents *e) {
    hyper_cut cut = {.lanes = quartic_rows_lanes(e->dim)};
    while (cut.lanes > 1 && cut.lanes * e->rows > QUARTIC_ROWS_INVOCATIONS) cut.lanes /= 2;
    cut.tokens = QUARTIC_ROWS_INVOCATIONS / cut.lanes / e->rows;
    return cut;
}

static hyper_width_extents hyper_extents_of_call(const quartic_op_call *call) {
    return hyper_width_extents_of(call->attrs, &call->inputs[HYPER_X], &call->inputs[HYPER_STATIC_BETA]);
}

/* Coefficients of a row that are taken at once. */
static uint32_t hyper_block(const hyper_width_extents *e) {
    return e->sums <= MOST_AT_ONCE ? e->sums : BLOCK;
}

/* The constants of lib/hyper.glsl. */
#define HYPER_CUT_CONSTANTS(e, cut, attrs) (cut).lanes, (e).streams, (e).rows, (attrs)->equal != 0

quartic_status hyper_width_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_dispatch_list *list) {
    const hyper_width_attrs *attrs = call->attrs;
    const hyper_width_extents e = hyper_extents_of_call(call);
    const hyper_cut cut = cut_hyper_rows(&e);
    const uint32_t mixtures = attrs->mixes ? e.streams + 1 : 1;
    uint32_t chunk = SHARED_NUMBERS / (cut.tokens * e.rows);
    if (chunk > mixtures) chunk = mixtures;
    const uint32_t block = hyper_block(&e);
    if (chunk > block) chunk = block;
    const double steps = (double)quartic_divide_up64(e.dim, cut.lanes),
                 blocks = (double)quartic_divide_up64(e.sums, block),
                 chunks = (double)(mixtures / block * quartic_divide_up64(block, chunk) +
                                   quartic_divide_up64(mixtures % block, chunk));
    QUARTIC_TRY(quartic_gpu_expect_iterations(
        "hyper_width", limits,
        2 * steps * blocks +
            (double)quartic_divide_up64(e.dim, QUARTIC_ROWS_INVOCATIONS / cut.tokens) * chunks * e.rows +
            (double)e.streams * (mixtures + 2.0) + 128));
    const quartic_hyper_width_args args = {.tokens = (uint32_t)e.tokens, .dim = e.dim, .eps = attrs->eps};
    const double elements = (double)e.tokens * e.rows * e.dim;
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(HYPER_CUT_CONSTANTS(e, cut, attrs), attrs->mixes != 0, chunk, block),
        .groups = quartic_divide_up64(e.tokens, cut.tokens),
        .flops = elements * (2.0 * (e.sums + mixtures) + 6.0 * blocks),
        .bytes = 4.0 * (elements * blocks + (double)e.tokens * mixtures * e.dim)};
    return quartic_dispatch_append(list, "hyper_width", quartic_hyper_width_push(&args), &shape);
}

/* The sums over the workgroups of hyper_width_grad. */
static quartic_status add_hyper_sum(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list, uint64_t partial, uint32_t groups,
                                    uint32_t statics, uint32_t first_output) {
    const hyper_width_extents e = hyper_extents_of_call(call);
    const uint32_t column_groups = (uint32_t)quartic_divide_up64(e.dim, SUM_COLUMNS);
    const uint32_t lanes = QUARTIC_ROWS_INVOCATIONS / SUM_COLUMNS;
    QUARTIC_TRY(quartic_gpu_expect_iterations(
        "hyper_width_grad", limits, e.sums * ((double)quartic_divide_up64(groups, lanes) + lanes + 2.0)));
    const quartic_hyper_width_sum_args args = {
        .partial = partial,
        .dgamma = quartic_dispatch_output(first_output + HYPER_GAMMA - 1),
        .dstatic_alpha = quartic_dispatch_output(first_output + HYPER_STATIC_ALPHA - 1),
        .dalpha_fn = quartic_dispatch_output(first_output + HYPER_ALPHA_FN - 1),
        .dalpha_scale = quartic_dispatch_output(first_output + HYPER_ALPHA_SCALE - 1),
        .dstatic_beta = quartic_dispatch_output(first_output + HYPER_STATIC_BETA - 1),
        .dbeta_fn = quartic_dispatch_output(first_output + HYPER_BETA_FN - 1),
        .dbeta_scale = quartic_dispatch_output(first_output + HYPER_BETA_SCALE - 1),
        .count = groups,
        .dim = e.dim,
        .column_groups = column_groups};
    const double numbers = (double)groups * ((double)e.sums * e.dim + statics);
    const quartic_dispatch_shape shape = {QUARTIC_SPEC(SUM_COLUMNS, e.streams, e.rows),
                                          .groups = column_groups + quartic_divide_up64(statics, SUM_COLUMNS),
                                          .flops = numbers, .bytes = 4.0 * numbers};
    return quartic_dispatch_append(list, "hyper_width_sum", quartic_hyper_width_sum_push(&args), &shape);
}

quartic_status hyper_width_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    const hyper_width_attrs *attrs = call->attrs;
    const hyper_width_extents e = hyper_extents_of_call(call);
    const hyper_cut cut = cut_hyper_rows(&e);
    const uint32_t alphas = e.streams + 1, slots = cut.tokens * e.rows;
    const bool wants_x = (attrs->wants & QUARTIC_HYPER_WANT_X) != 0;
    const bool wants_parameters = (attrs->wants & QUARTIC_HYPER_WANT_PARAMETERS) != 0;
    const uint32_t block = hyper_block(&e);
    const double blocks = (double)quartic_divide_up64(e.sums, block);
    uint32_t entries = SHARED_NUMBERS / (block + 1);
    if (entries > slots) entries = slots;

    /* One workgroup a unit where the parameters' partial sums are written: they are as many as those. */
    const uint64_t batches = quartic_divide_up64(e.tokens, cut.tokens);
    uint64_t groups = batches;
    const uint64_t most = limits->compute_units > LEAST_GROUPS ? limits->compute_units : LEAST_GROUPS;
    const double steps = (double)quartic_divide_up64(e.dim, cut.lanes);
    const double of_batch =
        2.0 * e.streams * alphas + cut.tokens +
        blocks *
            (4 * steps + 64 +
             (wants_parameters ? (double)quartic_divide_up64(e.dim, QUARTIC_ROWS_INVOCATIONS) * (slots + 1.0)
                               : 0));
    const double at_end = (double)cut.tokens * (alphas + block);
    if (wants_parameters && groups > most) groups = most;
    uint64_t batches_of_group = quartic_divide_up64(batches, groups);
    if (limits->max_iterations > at_end + of_batch &&
        of_batch * (double)batches_of_group + at_end > limits->max_iterations)
        batches_of_group = (uint64_t)((limits->max_iterations - at_end) / of_batch);
    groups = quartic_divide_up64(batches, batches_of_group);
    QUARTIC_TRY(quartic_gpu_expect_iterations("hyper_width_grad", limits,
                                              of_batch * (double)batches_of_group + at_end));

    const uint32_t statics = e.rows * alphas + e.streams + 2;
    const uint64_t numbers = groups * ((uint64_t)e.sums * e.dim + statics);
    const uint64_t partial = wants_parameters ? quartic_dispatch_reserve(list, numbers * sizeof(float)) : 0;
    const double elements = (double)e.tokens * e.rows * e.dim;
    const uint64_t sums = wants_x && block < e.sums
                              ? quartic_dispatch_reserve(list, e.tokens * e.rows * e.dim * sizeof(float))
                              : 0;
    const quartic_hyper_width_grad_args args = {.dx = wants_x ? quartic_dispatch_output(0) : 0,
                                                .partial = partial,
                                                .sums = sums,
                                                .tokens = (uint32_t)e.tokens,
                                                .dim = e.dim,
                                                .tokens_per_group = (uint32_t)batches_of_group * cut.tokens,
                                                .eps = attrs->eps};
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(HYPER_CUT_CONSTANTS(e, cut, attrs), attrs->wants,
                     quartic_is_present(&call->inputs[HYPER_BRANCH_GRADIENT]),
                     quartic_is_present(&call->inputs[HYPER_BETA_GRADIENT]),
                     quartic_is_present(&call->inputs[HYPER_KEPT_GRADIENT]), entries, block),
        .groups = groups, .flops = elements * (8.0 * e.sums + 30.0 * blocks),
        .bytes = 4.0 * (elements * (4.0 * blocks - 1.0) + (double)e.tokens * e.dim +
                        (wants_parameters ? (double)numbers : 0))};
    QUARTIC_TRY(
        quartic_dispatch_append(list, "hyper_width_grad", quartic_hyper_width_grad_push(&args), &shape));
    if (!wants_parameters) return QUARTIC_OK;
    return add_hyper_sum(call, limits, list, partial, (uint32_t)groups, statics, wants_x ? 1 : 0);
}
