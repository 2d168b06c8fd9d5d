/* pair_mask.c: which edges have two real nodes: mask int32 (b, n) to int32 (b, n, n), 1 or 0. */
#include "ops/tape.h"
#include "shaders/pair_mask.args.h"

static quartic_status pair_mask_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("pair_mask", call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype("pair_mask", call, 0, QUARTIC_INT32));
    QUARTIC_TRY(quartic_op_expect_rank("pair_mask", call, 0, 2));
    const uint32_t b = call->inputs[0].shape.dims[0], n = call->inputs[0].shape.dims[1];
    char text[QUARTIC_SHAPE_TEXT];
    if (b == 0 || n == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "pair_mask got shape %s, which has no elements; give it at least one node",
                            quartic_shape_text(&call->inputs[0].shape, text));
    out[0] = quartic_layout_contiguous(QUARTIC_INT32, &QUARTIC_SHAPE(b, n, n));
    *out_count = 1;
    return QUARTIC_OK;
}

static void pair_mask_cpu(const quartic_op_run *run) {
    const uint32_t b = run->inputs[0].layout->shape.dims[0], n = run->inputs[0].layout->shape.dims[1];
    const int32_t *mask = run->inputs[0].data; // (b, n)
    int32_t *edges = run->outputs[0].data;     // (b, i, j)
    for (uint32_t g = 0; g < b; ++g, mask += n)
        for (uint32_t i = 0; i < n; ++i)
            for (uint32_t j = 0; j < n; ++j) *edges++ = mask[i] != 0 && mask[j] != 0;
}

static quartic_status pair_mask_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    (void)limits;
    const uint64_t count = quartic_layout_elements(&call->outputs[0]);
    const quartic_pair_mask_args args = {.count = (uint32_t)count, .nodes = call->inputs[0].shape.dims[1]};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "pair_mask", &args, sizeof args);
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_operand(dispatch, offsetof(quartic_pair_mask_args, mask), QUARTIC_OPERAND_INPUT, 0,
                             QUARTIC_READ);
    quartic_dispatch_operand(dispatch, offsetof(quartic_pair_mask_args, result), QUARTIC_OPERAND_OUTPUT, 0,
                             QUARTIC_WRITE);
    quartic_dispatch_groups(dispatch, (count + 255) / 256);
    dispatch->flops = 4.0 * (double)count;
    dispatch->bytes = 12.0 * (double)count;
    return QUARTIC_OK;
}

static bool pair_mask_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_shape shapes[] = {{2, {1, 1}}, {2, {4, 13}}, {2, {2, 33}}};
    if (index >= sizeof shapes / sizeof shapes[0]) return false;
    *out = (quartic_op_case){.label = "real and padded nodes", .input_count = 1};
    out->inputs[0].dtype = QUARTIC_INT32;
    out->inputs[0].shape = shapes[index];
    out->inputs[0].fill = index == 0 ? QUARTIC_FILL_INDEX : QUARTIC_FILL_MASK;
    out->inputs[0].limit = 5;
    out->inputs[0].no_gradient = true;
    return true;
}

const quartic_op quartic_op_pair_mask = {
    .name = "pair_mask",
    .infer = pair_mask_infer,
    .cpu = pair_mask_cpu,
    .gpu = pair_mask_gpu,
    .cases = pair_mask_cases,
    .tolerance = 0,
    .tolerance_reason = "integers",
};

quartic_value quartic_pair_mask(quartic_graph *graph, quartic_value mask) {
    return quartic_graph_append_one(graph, &quartic_op_pair_mask, NULL, &mask, 1);
}
