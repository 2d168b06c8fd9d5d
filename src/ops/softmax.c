/* softmax.c: masked softmax over the keys, with its adjoint.
 *
 * For each row (b, h, i) of sim s (b, h, i, j), the sum running over the visible keys k:
 *     p_j  = exp(s_j - max s) / sum_k exp(s_k - max s)
 * A key is hidden where mask (b, j) is 0 or, if causal, where j > i. Hidden entries are exactly 0, and so is
 * a row without a visible key. Adjoint, from the output:
 *     ds_j = p_j (dp_j - m),   m = sum_k dp_k p_k / sum_k p_k
 * The last sum is 1 up to rounding. With it, and with m refined by the mean of what remains, a row of ds sums
 * to 0 as precisely as its elements are rounded. The gradients of edges depend on that: common parts of dp
 * would leak into them. Each element is read and written in its own place, so both ops may run in place.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/softmax.h"

#include <math.h>

#include "ops/rows.h"
#include "shaders/softmax.args.h"
#include "shaders/softmax_grad.args.h"

/* ---- shape rules ---- */

static quartic_status softmax_check_sim(const char *name, const quartic_op_call *call, uint32_t input) {
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, input, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank(name, call, input, 4));
    char text[QUARTIC_SHAPE_TEXT];
    if (quartic_layout_elements(&call->inputs[input]) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s got shape %s, which has no elements; give it at least one "
                            "query and one key",
                            name, quartic_shape_text(&call->inputs[input].shape, text));
    return QUARTIC_OK;
}

static quartic_status softmax_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("softmax", call, 2, 2));
    QUARTIC_TRY(softmax_check_sim("softmax", call, 0));
    if (quartic_is_present(&call->inputs[1])) {
        const uint32_t *dims = call->inputs[0].shape.dims;
        const quartic_shape mask = QUARTIC_SHAPE(dims[0], dims[3]);
        QUARTIC_TRY(quartic_op_expect_dtype("softmax", call, 1, QUARTIC_INT32));
        QUARTIC_TRY(quartic_op_expect_shape("softmax", call, 1, &mask));
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* Inputs p, dp (b, h, i, j). */
static quartic_status softmax_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                         uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("softmax_grad", call, 2, 2));
    QUARTIC_TRY(softmax_check_sim("softmax_grad", call, 0));
    QUARTIC_TRY(quartic_op_expect_dtype("softmax_grad", call, 1, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape("softmax_grad", call, 1, &call->inputs[0].shape));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* ---- reference ---- */

static void softmax_cpu(const quartic_op_run *run) {
    const softmax_attrs *attrs = run->attrs;
    const quartic_operand *sim = &run->inputs[0], *mask = &run->inputs[1], *p = &run->outputs[0];
    const softmax_extents extents = softmax_extents_of(sim->layout);
    for (uint64_t row = 0; row < extents.rows; ++row) {
        int64_t base = (int64_t)(row * extents.keys);
        int64_t mask_base = (int64_t)(row / extents.rows_per_mask * extents.keys);
        uint32_t end = softmax_row_end(attrs, &extents, row);
        double largest = -INFINITY, sum = 0;
        for (uint32_t j = 0; j < end; ++j)
            if (mask->data == NULL || quartic_get_int(mask, mask_base + j) != 0)
                largest = fmax(largest, quartic_get(sim, base + j));
        for (uint32_t j = 0; j < end; ++j)
            if (mask->data == NULL || quartic_get_int(mask, mask_base + j) != 0)
                sum += exp(quartic_get(sim, base + j) - largest);
        for (uint32_t j = 0; j < extents.keys; ++j) {
            bool visible = j < end && (mask->data == NULL || quartic_get_int(mask, mask_base + j) != 0);
            quartic_put(p, base + j, visible ? exp(quartic_get(sim, base + j) - largest) / sum : 0.0);
        }
    }
}

static void softmax_grad_cpu(const quartic_op_run *run) {
    const quartic_operand *p = &run->inputs[0], *dp = &run->inputs[1];
    const softmax_attrs *attrs = run->attrs;
    const softmax_extents extents = softmax_extents_of(p->layout);
    for (uint64_t row = 0; row < extents.rows; ++row) {
        int64_t base = (int64_t)(row * extents.keys);
        uint32_t end = softmax_row_end(attrs, &extents, row);
        double total = 0, product = 0;
        for (uint32_t j = 0; j < end; ++j) {
            total += quartic_get(p, base + j);
            product += quartic_get(dp, base + j) * quartic_get(p, base + j);
        }
        /* In double there is nothing left to refine. */
        double mean = total != 0 ? product / total : 0.0;
        for (uint32_t j = 0; j < extents.keys; ++j)
            quartic_put(&run->outputs[0], base + j,
                        j < end ? quartic_get(p, base + j) * (quartic_get(dp, base + j) - mean) : 0.0);
    }
}

/* ---- Vulkan ---- */

static quartic_status softmax_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list) {
    (void)limits;
    const softmax_attrs *attrs = call->attrs;
    const softmax_extents extents = softmax_extents_of(&call->inputs[0]);
    const quartic_softmax_args args = {.rows = (uint32_t)extents.rows,
                                       .queries = extents.queries,
                                       .keys = extents.keys,
                                       .rows_per_mask = (uint32_t)extents.rows_per_mask};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "softmax", quartic_softmax_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    bool has_mask = quartic_is_present(&call->inputs[1]);
    uint32_t lanes = quartic_rows_lanes(extents.keys);
    quartic_dispatch_spec(dispatch, lanes);
    quartic_dispatch_spec(dispatch, has_mask);
    quartic_dispatch_spec(dispatch, attrs->causal != 0);
    quartic_dispatch_groups(dispatch, quartic_rows_groups(extents.rows, lanes));
    double elements = (double)extents.rows * extents.keys;
    dispatch->flops = 10 * elements;
    dispatch->bytes = 8 * elements;
    return QUARTIC_OK;
}

static quartic_status softmax_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                       quartic_dispatch_list *list) {
    (void)limits;
    const softmax_attrs *attrs = call->attrs;
    const softmax_extents extents = softmax_extents_of(&call->inputs[0]);
    const quartic_softmax_grad_args args = {
        .rows = (uint32_t)extents.rows, .queries = extents.queries, .keys = extents.keys};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "softmax_grad", quartic_softmax_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    uint32_t lanes = quartic_rows_lanes(extents.keys);
    quartic_dispatch_spec(dispatch, lanes);
    quartic_dispatch_spec(dispatch, attrs->causal != 0);
    quartic_dispatch_groups(dispatch, quartic_rows_groups(extents.rows, lanes));
    double elements = (double)extents.rows * extents.keys;
    dispatch->flops = 4 * elements;
    dispatch->bytes = 12 * elements;
    return QUARTIC_OK;
}

/* ---- gradient ---- */

static quartic_status softmax_grad_rule(quartic_tape *tape) {
    if (!quartic_tape_wants(tape, 0)) return QUARTIC_OK;
    const quartic_value inputs[] = {quartic_tape_output(tape, 0), quartic_tape_gradient(tape, 0)};
    quartic_tape_give(tape, 0,
                      quartic_graph_append_one(quartic_tape_graph(tape), &quartic_op_softmax_grad,
                                               quartic_tape_attrs(tape), inputs, 2));
    return QUARTIC_OK;
}

/* ---- cases ---- */

static const struct {
    const char *label;
    quartic_shape sim;
    uint32_t masked, causal;
    quartic_fill_kind mask_fill, fill;
} softmax_table[] = {
    {"no mask, odd keys", {4, {2, 3, 5, 33}}, 0, 0, QUARTIC_FILL_MASK, QUARTIC_FILL_NORMAL},
    {"masked keys", {4, {3, 2, 7, 13}}, 1, 0, QUARTIC_FILL_MASK, QUARTIC_FILL_NORMAL},
    {"causal", {4, {1, 2, 17, 17}}, 0, 1, QUARTIC_FILL_MASK, QUARTIC_FILL_NORMAL},
    {"causal and masked", {4, {2, 2, 15, 15}}, 1, 1, QUARTIC_FILL_MASK, QUARTIC_FILL_NORMAL},
    {"causal, more keys than queries", {4, {1, 1, 3, 9}}, 0, 1, QUARTIC_FILL_MASK, QUARTIC_FILL_NORMAL},
    {"every key hidden", {4, {2, 2, 3, 5}}, 1, 0, QUARTIC_FILL_ZERO, QUARTIC_FILL_NORMAL},
    {"one key", {4, {2, 2, 3, 1}}, 0, 0, QUARTIC_FILL_MASK, QUARTIC_FILL_NORMAL},
    /* An outlier alone in a row has p near 1, and then all gradients are what rounding leaves. */
    {"one row", {4, {1, 1, 1, 129}}, 0, 0, QUARTIC_FILL_MASK, QUARTIC_FILL_SMALL},
    {"a row over a whole workgroup", {4, {1, 1, 2, 1041}}, 1, 0, QUARTIC_FILL_MASK, QUARTIC_FILL_NORMAL},
    {"more rows than a workgroup holds", {4, {2, 4, 40, 6}}, 1, 0, QUARTIC_FILL_MASK, QUARTIC_FILL_NORMAL},
};

static bool softmax_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(softmax_table)) return false;
    const quartic_shape *sim = &softmax_table[index].sim;
    *out = (quartic_op_case){.label = softmax_table[index].label, .input_count = 2};
    *(softmax_attrs *)out->attrs = (softmax_attrs){softmax_table[index].causal};
    quartic_case_floats(out, 0, *sim, softmax_table[index].fill);
    if (softmax_table[index].masked)
        quartic_case_ints(out, 1, QUARTIC_SHAPE(sim->dims[0], sim->dims[3]), softmax_table[index].mask_fill,
                          0);
    return true;
}

/* p need not be a softmax's output for the two backends to agree. */
static bool softmax_grad_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(softmax_table)) return false;
    *out = (quartic_op_case){.label = softmax_table[index].label, .input_count = 2};
    *(softmax_attrs *)out->attrs = (softmax_attrs){softmax_table[index].causal};
    quartic_case_floats(out, 0, softmax_table[index].sim, QUARTIC_FILL_POSITIVE);
    quartic_case_floats(out, 1, softmax_table[index].sim, QUARTIC_FILL_NORMAL);
    return true;
}

static double softmax_flops(const quartic_op_call *call) {
    return 10.0 * (double)quartic_layout_elements(&call->inputs[0]);
}
static double softmax_grad_flops(const quartic_op_call *call) {
    return 8.0 * (double)quartic_layout_elements(&call->inputs[0]);
}
static double softmax_reduction(const quartic_op_call *call) {
    return call->inputs[0].shape.dims[3];
}

const quartic_op quartic_op_softmax = {
    .name = "softmax",
    .attrs_bytes = sizeof(softmax_attrs),
    .in_place_inputs = 1,
    .infer = softmax_infer,
    .cpu = softmax_cpu,
    .gpu = softmax_gpu,
    .grad = softmax_grad_rule,
    .cases = softmax_cases,
    .flops = softmax_flops,
    .tolerance = 8,
    .tolerance_reason = "a sum over the keys; Vulkan allows exp(x) an error of 3 + 2|x| ulp",
    .reduction = softmax_reduction,
};

const quartic_op quartic_op_softmax_grad = {
    .name = "softmax_grad",
    .attrs_bytes = sizeof(softmax_attrs),
    .in_place_inputs = 3,
    .infer = softmax_grad_infer,
    .cpu = softmax_grad_cpu,
    .gpu = softmax_grad_gpu,
    .cases = softmax_grad_cases,
    .flops = softmax_grad_flops,
    .tolerance = 8,
    .tolerance_reason = "a sum over the keys, a difference and a product",
    .reduction = softmax_reduction,
};

quartic_value quartic_softmax(quartic_graph *graph, quartic_value sim, quartic_value mask, uint32_t causal) {
    QUARTIC_CALL();
    const softmax_attrs attrs = {.causal = causal != 0};
    const quartic_value inputs[] = {sim, mask};
    return quartic_graph_append_one(graph, &quartic_op_softmax, &attrs, inputs, 2);
}
