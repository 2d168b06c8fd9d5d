/* routed_counts.c: how many edges routed attention chooses in each graph of a padded batch.
 *
 * mask int32 (b, n) to k int32 (b) and k' float32 (b). With r real nodes in a graph and m = r^2 edges to
 * choose from, k = min(routed, m), where routed 0 stands for r, and k' = min(ratio routed, m), at least 1. By
 * row, each row of m = r edges chooses its share: the same with ceil(routed / r) for routed. Only real nodes
 * count, so the choice does not depend on the padding.
 */
#include <math.h>

#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/routing.h"
#include "shaders/routed_counts.args.h"

static quartic_status routed_counts_infer(const quartic_op_call *call, quartic_layout *out,
                                          uint32_t *out_count) {
    const quartic_routed_counts_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("routed_counts", call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype("routed_counts", call, 0, QUARTIC_INT32));
    QUARTIC_TRY(quartic_op_expect_rank("routed_counts", call, 0, 2));
    char text[QUARTIC_SHAPE_TEXT];
    if (quartic_layout_elements(&call->inputs[0]) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "routed_counts got a mask of shape %s, without elements",
                            quartic_shape_text(&call->inputs[0].shape, text));
    if (!(attrs->ratio > 0.0f) || !isfinite(attrs->ratio))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "routed_counts needs a finite ratio > 0, not %g",
                            (double)attrs->ratio);
    const quartic_shape graphs = QUARTIC_SHAPE(call->inputs[0].shape.dims[0]);
    out[0] = quartic_layout_contiguous(QUARTIC_INT32, &graphs);
    out[1] = quartic_layout_contiguous(QUARTIC_FLOAT32, &graphs);
    *out_count = 2;
    return QUARTIC_OK;
}

static void routed_counts_cpu(const quartic_op_run *run) {
    const quartic_routed_counts_attrs *attrs = run->attrs;
    const uint32_t *dims = run->inputs[0].layout->shape.dims; // (b, n)
    for (uint32_t b = 0; b < dims[0]; ++b) {
        uint64_t real = 0;
        for (uint32_t i = 0; i < dims[1]; ++i)
            real += quartic_get_int(&run->inputs[0], (int64_t)b * dims[1] + i) != 0;
        const uint64_t m = attrs->by_row ? real : real * real;
        uint64_t k = attrs->routed != 0 ? attrs->routed : real;
        if (attrs->by_row && real > 0) k = (k + real - 1) / real;
        ((int32_t *)run->outputs[0].data)[b] = (int32_t)(k < m ? k : m);
        const double wanted = fmin((double)attrs->ratio * (double)k, (double)m);
        quartic_put(&run->outputs[1], b, fmax(wanted, 1));
    }
}

static quartic_status routed_counts_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                        quartic_dispatch_list *list) {
    (void)limits;
    const quartic_routed_counts_attrs *attrs = call->attrs;
    const uint32_t *dims = call->inputs[0].shape.dims; // (b, n)
    const quartic_routed_counts_args args = {.batches = dims[0],
                                             .nodes = dims[1],
                                             .routed = attrs->routed,
                                             .by_row = attrs->by_row,
                                             .ratio = attrs->ratio};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "routed_counts", quartic_routed_counts_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, dims[0]);
    dispatch->flops = (double)dims[0] * dims[1];
    dispatch->bytes = 4.0 * dispatch->flops;
    return QUARTIC_OK;
}

static bool routed_counts_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        uint32_t b, n;
        quartic_routed_counts_attrs attrs;
    } table[] = {
        {"as many as nodes", 7, 13, {0, 0, 1.125f}},
        {"as many as nodes, by row", 7, 13, {0, 1, 1.125f}},
        {"more than some graphs have", 9, 5, {20, 0, 1.125f}},
        {"some of each row", 9, 9, {40, 1, 1.5f}},
        {"one node", 3, 1, {1, 0, 4.0f}},
        {"many nodes", 2, 1031, {1000000, 0, 1.0f}},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 1, .no_finite_difference = true};
    *(quartic_routed_counts_attrs *)out->attrs = table[index].attrs;
    quartic_case_ints(out, 0, QUARTIC_SHAPE(table[index].b, table[index].n), QUARTIC_FILL_MASK, 0);
    return true;
}

const quartic_op quartic_op_routed_counts = {
    .name = "routed_counts",
    .attrs_bytes = sizeof(quartic_routed_counts_attrs),
    .infer = routed_counts_infer,
    .cpu = routed_counts_cpu,
    .gpu = routed_counts_gpu,
    .cases = routed_counts_cases,
    .tolerance = 1,
    .tolerance_reason = "integers, and one product",
};
