/* top_k.c: the indices of the k greatest scores of each row, ascending: scores (b, m), mask? to int32 (b, k).
 *
 * Scores in groups, (b, g, m), give the k greatest of each group as indices among the g m scores of their
 * graph: int32 (b, g k), ascending as well. counts? int32 (b) leaves each group of graph b only its counts[b]
 * <= k greatest; the lowest of the other indices fill its k places. A second output, positions (b, g k),
 * tells them apart: the index where it was chosen, -1 where it fills a place. Among equal scores the lower
 * index wins. Hidden scores and NaN come last, so they are chosen only where there are fewer than k others.
 * Not differentiable: coordinate_descent.c gives the choice a gradient.
 */
#include <math.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/routing.h"
#include "shaders/top_k.args.h"

enum { SCORES, MASK, COUNTS };

static quartic_status top_k_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const quartic_top_k_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("top_k", call, 3, 3));
    QUARTIC_TRY(quartic_routing_expect("top_k", call, SCORES, MASK));
    const quartic_routing_extents extents = quartic_routing_extents_of(&call->inputs[SCORES].shape);
    const uint32_t m = extents.m;
    if (attrs->k == 0 || attrs->k > m)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "top_k cannot choose the %u greatest of %u scores; k must be 1 to %u", attrs->k,
                            m, m);
    const quartic_shape shape = QUARTIC_SHAPE(extents.rows / extents.groups, extents.groups * attrs->k);
    out[0] = quartic_layout_contiguous(QUARTIC_INT32, &shape);
    out[1] = out[0];
    *out_count = 1;
    if (!quartic_is_present(&call->inputs[COUNTS])) return QUARTIC_OK;
    *out_count = 2;
    QUARTIC_TRY(quartic_op_expect_dtype("top_k", call, COUNTS, QUARTIC_INT32));
    return quartic_op_expect_shape("top_k", call, COUNTS, &QUARTIC_SHAPE(shape.dims[0]));
}

typedef struct top_k_row {
    const quartic_op_run *run;
    uint32_t b, m, extent;
} top_k_row;

/* Hidden scores and NaN are below every number. */
static bool top_k_is_eligible(const top_k_row *at, uint32_t j) {
    const quartic_operand *scores = &at->run->inputs[SCORES];
    return !isnan(quartic_get(scores, (int64_t)at->b * at->m + j)) &&
           quartic_routing_visible(at->run->inputs[MASK].data, at->extent, at->m, at->b, j);
}

/* Whether score i is chosen before score j. */
static bool top_k_precedes(const top_k_row *at, uint32_t i, uint32_t j) {
    const quartic_operand *scores = &at->run->inputs[SCORES];
    const bool i_counts = top_k_is_eligible(at, i), j_counts = top_k_is_eligible(at, j);
    if (i_counts != j_counts) return i_counts;
    if (!i_counts) return i < j;
    const double a = quartic_get(scores, (int64_t)at->b * at->m + i);
    const double b = quartic_get(scores, (int64_t)at->b * at->m + j);
    return a > b || (a == b && i < j);
}

/* A score is chosen if fewer than k precede it. */
static void top_k_cpu(const quartic_op_run *run) {
    const quartic_top_k_attrs *attrs = run->attrs;
    const quartic_routing_extents extents = quartic_routing_extents_of(&run->inputs[SCORES].layout->shape);
    top_k_row at = {.run = run, .m = extents.m};
    if (run->inputs[MASK].data != NULL) at.extent = quartic_routing_mask_extent(run->inputs[MASK].layout);
    const int32_t *counts = run->inputs[COUNTS].data;
    int32_t *indices = run->outputs[0].data, *positions = run->outputs[1].data; // (b, g, k)
    for (at.b = 0; at.b < extents.rows; ++at.b) {
        const uint32_t k = quartic_top_k_count(counts, at.b / extents.groups, attrs->k);
        uint32_t fill = attrs->k - k;
        for (uint32_t j = 0; j < at.m; ++j) {
            uint32_t ahead = 0;
            for (uint32_t i = 0; i < at.m && ahead < k; ++i) ahead += top_k_precedes(&at, i, j);
            const bool chosen = ahead < k;
            if (!chosen && fill == 0) continue;
            fill -= !chosen;
            *indices = (int32_t)(at.b % extents.groups * at.m + j);
            if (counts != NULL) *positions++ = chosen ? *indices : -1;
            ++indices;
        }
    }
}

static quartic_status top_k_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                quartic_dispatch_list *list) {
    const quartic_top_k_attrs *attrs = call->attrs;
    const quartic_routing_extents extents = quartic_routing_extents_of(&call->inputs[SCORES].shape);
    /* Six walks over a row by 256 invocations; the digits; what the invocations before this one take. */
    QUARTIC_TRY(quartic_gpu_expect_iterations("top_k of this size", limits,
                                              6.0 * ceil((double)extents.m / 256) + 5 * 256));
    const quartic_top_k_args args = {.rows = extents.rows,
                                     .groups = extents.groups,
                                     .m = extents.m,
                                     .extent = quartic_routing_mask_extent(&call->inputs[MASK]),
                                     .k = attrs->k};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "top_k", quartic_top_k_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    const bool counted = quartic_is_present(&call->inputs[COUNTS]);
    const double scores = (double)extents.rows * extents.m;
    quartic_dispatch_spec(dispatch, args.extent != 0);
    quartic_dispatch_spec(dispatch, counted);
    quartic_dispatch_groups(dispatch, extents.rows);
    dispatch->flops = 60.0 * scores; /* six walks */
    dispatch->bytes = 24.0 * scores;
    return QUARTIC_OK;
}

static bool top_k_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        uint32_t b, m, k, mask;
        quartic_fill_kind fill;
        uint32_t groups; /* 0: scores (b, m) */
        uint32_t counts; /* 0: none, else their limit */
    } table[] = {
        {"the only score", 1, 1, 1, 0, QUARTIC_FILL_NORMAL, 0, 0},
        {"ten of 36", 3, 36, 10, 0, QUARTIC_FILL_NORMAL, 0, 0},
        {"100 of 1031", 2, 1031, 100, 0, QUARTIC_FILL_NORMAL, 0, 0},
        {"all of 257", 1, 257, 257, 0, QUARTIC_FILL_NORMAL, 0, 0},
        {"equal scores", 2, 300, 7, 0, QUARTIC_FILL_ZERO, 0, 0},
        {"masked scores, fewer than wanted", 6, 129, 100, 129, QUARTIC_FILL_POSITIVE, 0, 0},
        {"masked nodes", 5, 144, 20, 12, QUARTIC_FILL_NORMAL, 0, 0},
        {"in groups", 2, 13, 4, 0, QUARTIC_FILL_NORMAL, 13, 0},
        {"in groups, masked", 3, 300, 7, 300, QUARTIC_FILL_NORMAL, 5, 0},
        {"all of the groups", 2, 3, 3, 3, QUARTIC_FILL_NORMAL, 7, 0},
        {"groups of one", 2, 1, 1, 0, QUARTIC_FILL_NORMAL, 4, 0},
        {"counts, masked nodes", 7, 169, 13, 13, QUARTIC_FILL_NORMAL, 0, 14},
        {"counts, in groups, masked", 5, 300, 7, 300, QUARTIC_FILL_NORMAL, 5, 8},
        {"counts beyond k, equal scores", 4, 33, 9, 0, QUARTIC_FILL_ZERO, 0, 20},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 3};
    *(quartic_top_k_attrs *)out->attrs = (quartic_top_k_attrs){table[index].k};
    const uint32_t b = table[index].b, m = table[index].m, groups = table[index].groups;
    const uint32_t mask = table[index].mask, limit = table[index].counts;
    const quartic_shape scores = groups == 0 ? QUARTIC_SHAPE(b, m) : QUARTIC_SHAPE(b, groups, m);
    quartic_case_floats(out, SCORES, scores, table[index].fill);
    out->inputs[SCORES].no_gradient = true;
    if (mask != 0)
        quartic_case_ints(out, MASK, groups == 0 ? QUARTIC_SHAPE(b, mask) : scores, QUARTIC_FILL_MASK, 0);
    if (limit != 0) quartic_case_ints(out, COUNTS, QUARTIC_SHAPE(b), QUARTIC_FILL_INDEX, limit);
    return true;
}

static double top_k_flops(const quartic_op_call *call) {
    return 10.0 * (double)quartic_layout_elements(&call->inputs[SCORES]);
}

const quartic_op quartic_op_top_k = {
    .name = "top_k",
    .attrs_bytes = sizeof(quartic_top_k_attrs),
    .infer = top_k_infer,
    .cpu = top_k_cpu,
    .gpu = top_k_gpu,
    .cases = top_k_cases,
    .flops = top_k_flops,
    .tolerance = 0,
    .tolerance_reason = "the order of numbers is exact",
};

quartic_value quartic_top_k(quartic_graph *graph, quartic_value scores, quartic_value mask, uint32_t k) {
    QUARTIC_CALL();
    const quartic_top_k_attrs attrs = {k};
    const quartic_value inputs[] = {scores, mask, {0}};
    return quartic_graph_append_one(graph, &quartic_op_top_k, &attrs, inputs, 3);
}
