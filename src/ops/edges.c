/* edges.c: shape rules, cases and packing of attention among edges. See edges.h. */
#include "ops/edges.h"

#include "ops/cases.h"
#include "shaders/triangle_pack.args.h"

enum {
    GREATEST_PIVOTAL_WIDTH = 256,
    PACK_THREADS = 256,
    MANY_GROUPS = 512 /* enough work without cutting the sum of the bias's gradient */
};

quartic_shape quartic_edges_narrow(const quartic_shape *wide) {
    quartic_shape shape = *wide;
    shape.dims[--shape.rank] = 0;
    return shape;
}

/* ---- shape rules ---- */

quartic_status quartic_edges_expect(const char *op, const quartic_op_call *call, uint32_t input,
                                    quartic_dtype dtype, const quartic_shape *shape) {
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, input, dtype));
    return quartic_op_expect_shape(op, call, input, shape);
}

quartic_status quartic_edges_expect_optional(const char *op, const quartic_op_call *call, uint32_t input,
                                             quartic_dtype dtype, const quartic_shape *shape) {
    if (!quartic_is_present(&call->inputs[input])) return QUARTIC_OK;
    return quartic_edges_expect(op, call, input, dtype, shape);
}

quartic_status quartic_edges_expect_pivotal(const char *op, const quartic_op_call *call, uint32_t q) {
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, q, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank(op, call, q, 5));
    const quartic_layout *layout = &call->inputs[q];
    const uint32_t *dims = layout->shape.dims;
    char text[QUARTIC_SHAPE_TEXT];
    if (quartic_layout_elements(layout) != 0 && dims[1] == dims[2] && dims[4] <= GREATEST_PIVOTAL_WIDTH)
        return QUARTIC_OK;
    return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                        "%s got q of shape %s; it needs (batch, n, n, heads, width) with as many rows as "
                        "columns, no extent of 0 and heads at most %d wide",
                        op, quartic_shape_text(&layout->shape, text), GREATEST_PIVOTAL_WIDTH);
}

quartic_status quartic_edges_expect_saved(const char *op, const quartic_op_call *call, uint32_t q,
                                          uint32_t first_out) {
    const quartic_shape *wide = &call->inputs[q].shape, narrow = quartic_edges_narrow(wide);
    for (uint32_t k = 0; k < 3; ++k)
        QUARTIC_TRY(quartic_edges_expect(op, call, first_out + k, QUARTIC_FLOAT32, k == 1 ? &narrow : wide));
    return QUARTIC_OK;
}

/* ---- cases ---- */

void quartic_edges_saved_case(quartic_op_case *out, uint32_t q, uint32_t first_out) {
    const quartic_shape wide = out->inputs[q].shape;
    quartic_case_floats(out, first_out, wide, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, first_out + 1, quartic_edges_narrow(&wide), QUARTIC_FILL_POSITIVE);
    quartic_case_floats(out, first_out + 2, wide, QUARTIC_FILL_NORMAL);
}

/* ---- packing ---- */

quartic_status quartic_edges_pack_operand(quartic_dispatch_list *list, const quartic_edges_pack *pack,
                                          uint64_t *out_range) {
    const uint64_t edges = (uint64_t)pack->batch * pack->heads * pack->n * pack->n,
                   count = edges * pack->lanes;
    if (count > INT32_MAX)
        return quartic_fail(QUARTIC_UNSUPPORTED,
                            "%s of %u graphs of %u nodes with %u heads of %u needs %llu numbers in scratch; "
                            "at most %d can be "
                            "indexed, so take fewer graphs at once",
                            pack->op, pack->batch, pack->n, pack->heads, pack->d, (unsigned long long)count,
                            INT32_MAX);
    *out_range = quartic_dispatch_reserve(list, count * sizeof(float));
    const quartic_triangle_pack_args args = {.x = quartic_dispatch_input(pack->input),
                                             .packed = *out_range,
                                             .strides = {(int32_t)pack->of_batch, (int32_t)pack->of_first,
                                                         (int32_t)pack->of_second, (int32_t)pack->of_head,
                                                         (int32_t)pack->of_component},
                                             .n = pack->n,
                                             .heads = pack->heads,
                                             .width = pack->lanes == 1 ? 1 : pack->d,
                                             .lanes = pack->lanes,
                                             .count = (uint32_t)count,
                                             .factor = pack->factor};
    const quartic_dispatch_shape shape = {.groups = quartic_divide_up(count, PACK_THREADS),
                                          .flops = (double)count,
                                          .bytes = 8.0 * (double)count};
    return quartic_dispatch_append(list, "triangle_pack", quartic_triangle_pack_push(&args), &shape);
}

/* ---- gradient of the bias ---- */

uint32_t quartic_edges_bias_splits(uint64_t groups, uint32_t n, uint32_t d,
                                   const quartic_gpu_limits *limits) {
    uint32_t splits = quartic_divide_up(MANY_GROUPS, groups < MANY_GROUPS ? (uint32_t)groups : MANY_GROUPS);
    if (limits->choice.splits != 0) splits = limits->choice.splits;
    if (splits > n) splits = n;
    return splits > d ? d : splits;
}
