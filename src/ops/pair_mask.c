/* pair_mask.c: which edges are visible: mask? int32 (b, n) to int32 (b, n, n), 1 or 0.
 *
 * Edge (i, j) is visible iff both of its nodes are real and, if causal, j <= i. Without a mask every node is
 * real, and the options give the extents.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/ops.h"
#include "shaders/pair_mask.args.h"

typedef quartic_pair_mask_options pair_mask_attrs;

/* The extents of the options, 0 standing for the mask's own, against those of the mask, if there is one. */
static quartic_status pair_mask_check_extents(const quartic_layout *mask, const pair_mask_attrs *attrs) {
    char text[QUARTIC_SHAPE_TEXT];
    if (!quartic_is_present(mask)) {
        if (attrs->batch != 0 && attrs->nodes != 0) return QUARTIC_OK;
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "pair_mask without a mask got batch %u and %u nodes; give both, at least 1 each",
                            attrs->batch, attrs->nodes);
    }
    const uint32_t b = mask->shape.dims[0], n = mask->shape.dims[1];
    quartic_shape_text(&mask->shape, text);
    if (b == 0 || n == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "pair_mask got shape %s, which has no elements; give it at least one node", text);
    if ((attrs->batch != 0 && attrs->batch != b) || (attrs->nodes != 0 && attrs->nodes != n))
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "pair_mask got a mask of shape %s, but batch %u and %u nodes; leave both 0 where "
                            "there is a mask, or give the mask's",
                            text, attrs->batch, attrs->nodes);
    return QUARTIC_OK;
}

static quartic_status pair_mask_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const pair_mask_attrs *attrs = call->attrs;
    const quartic_layout *mask = &call->inputs[0];
    QUARTIC_TRY(quartic_op_expect_inputs("pair_mask", call, 1, 1));
    const bool masked = quartic_is_present(mask);
    if (masked) {
        QUARTIC_TRY(quartic_op_expect_dtype("pair_mask", call, 0, QUARTIC_INT32));
        QUARTIC_TRY(quartic_op_expect_rank("pair_mask", call, 0, 2));
    }
    if (attrs->causal > 1)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "causal of pair_mask is 0 or 1, not %u", attrs->causal);
    QUARTIC_TRY(pair_mask_check_extents(mask, attrs));
    const uint32_t b = masked ? mask->shape.dims[0] : attrs->batch;
    const uint32_t n = masked ? mask->shape.dims[1] : attrs->nodes;
    out[0] = quartic_layout_contiguous(QUARTIC_INT32, &QUARTIC_SHAPE(b, n, n));
    *out_count = 1;
    return QUARTIC_OK;
}

static void pair_mask_cpu(const quartic_op_run *run) {
    const pair_mask_attrs *attrs = run->attrs;
    const uint32_t *dims = run->outputs[0].layout->shape.dims, n = dims[1];
    const int32_t *mask = run->inputs[0].data; // (b, n)
    int32_t *edges = run->outputs[0].data;     // (b, i, j)
    for (uint32_t g = 0; g < dims[0]; ++g)
        for (uint32_t i = 0; i < n; ++i)
            for (uint32_t j = 0; j < n; ++j) {
                const size_t first = (size_t)g * n;
                const bool real = mask == NULL || (mask[first + i] != 0 && mask[first + j] != 0);
                *edges++ = real && (attrs->causal == 0 || j <= i);
            }
}

static quartic_status pair_mask_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    (void)limits;
    const pair_mask_attrs *attrs = call->attrs;
    const bool masked = quartic_is_present(&call->inputs[0]);
    const uint64_t count = quartic_layout_elements(&call->outputs[0]);
    const quartic_pair_mask_args args = {.count = (uint32_t)count, .nodes = call->outputs[0].shape.dims[1]};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "pair_mask", quartic_pair_mask_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, masked);
    quartic_dispatch_spec(dispatch, attrs->causal);
    quartic_dispatch_groups(dispatch, (count + 255) / 256);
    dispatch->flops = 4.0 * (double)count;
    dispatch->bytes = (masked ? 12.0 : 4.0) * (double)count;
    return QUARTIC_OK;
}

static bool pair_mask_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        uint32_t b, n, causal, masked;
    } table[] = {
        {"one real node", 1, 1, 0, 1},
        {"real and padded nodes", 4, 13, 0, 1},
        {"two groups a graph", 2, 33, 0, 1},
        {"causal, padded nodes", 4, 13, 1, 1},
        {"causal, no mask", 3, 17, 1, 0},
        {"one node, no mask", 2, 1, 1, 0},
        {"no mask", 2, 9, 0, 0},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    const uint32_t b = table[index].b, n = table[index].n;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 1, .no_finite_difference = true};
    const bool masked = table[index].masked != 0; /* else the options give the extents */
    *(pair_mask_attrs *)out->attrs =
        (pair_mask_attrs){.causal = table[index].causal, .batch = masked ? 0 : b, .nodes = masked ? 0 : n};
    const quartic_fill_kind fill = n == 1 ? QUARTIC_FILL_INDEX : QUARTIC_FILL_MASK;
    if (masked) quartic_case_ints(out, 0, QUARTIC_SHAPE(b, n), fill, 5);
    return true;
}

const quartic_op quartic_op_pair_mask = {
    .name = "pair_mask",
    .attrs_bytes = sizeof(pair_mask_attrs),
    .infer = pair_mask_infer,
    .cpu = pair_mask_cpu,
    .gpu = pair_mask_gpu,
    .cases = pair_mask_cases,
    .tolerance = 0,
    .tolerance_reason = "integers",
};

static const quartic_pair_mask_options standard_pair_mask = QUARTIC_PAIR_MASK_OPTIONS_INIT;
static const quartic_options_type pair_mask_type = QUARTIC_BUILDER_OPTIONS_TYPE(
    quartic_pair_mask_options, QUARTIC_PAIR_MASK_OPTIONS_INIT, &standard_pair_mask, nodes);

quartic_value quartic_pair_mask(quartic_graph *graph, quartic_value mask,
                                const quartic_pair_mask_options *options) {
    QUARTIC_CALL();
    pair_mask_attrs attrs;
    if (!quartic_graph_options(graph, &pair_mask_type, options, &attrs)) return (quartic_value){0};
    return quartic_graph_append_one(graph, &quartic_op_pair_mask, &attrs, &mask, 1);
}
