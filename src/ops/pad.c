/* pad.c: zeros of a given extent along one axis, with x placed at start; float32 or int32. The adjoint of
 * slice.
 *
 * Seen along the axis, the output is rows of extent * inner elements, where inner is the product of the
 * extents behind the axis. x fills length * inner elements of each row, from start * inner on.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/movement.h"
#include "ops/gpu_plan.h"
#include "ops/strided.h"
#include "shaders/pad.args.h"

static quartic_status pad_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const quartic_pad_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("pad", call, 1, 1));
    const quartic_layout *x = &call->inputs[0];
    if (!quartic_is_present(x)) return quartic_op_expect_dtype("pad", call, 0, QUARTIC_FLOAT32);
    char text[QUARTIC_SHAPE_TEXT];
    if (attrs->axis >= x->shape.rank)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "pad along axis %u needs more axes than shape %s has",
                            attrs->axis, quartic_shape_text(&x->shape, text));
    uint32_t length = x->shape.dims[attrs->axis];
    if (attrs->start > attrs->extent || length > attrs->extent - attrs->start)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "pad of shape %s along axis %u: %u elements from %u on do not fit into an extent of %u",
            quartic_shape_text(&x->shape, text), attrs->axis, length, attrs->start, attrs->extent);
    quartic_shape shape = x->shape;
    shape.dims[attrs->axis] = attrs->extent;
    out[0] = quartic_layout_contiguous(x->dtype, &shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* Product of the extents behind an axis. */
static uint64_t pad_inner_elements(const quartic_shape *shape, uint32_t axis) {
    uint64_t inner = 1;
    for (uint32_t a = axis + 1; a < shape->rank; ++a) inner *= shape->dims[a];
    return inner;
}

static void pad_cpu(const quartic_op_run *run) {
    const quartic_pad_attrs *attrs = run->attrs;
    const quartic_operand *x = &run->inputs[0], *out = &run->outputs[0];
    quartic_layout from = *x->layout;
    from.offset = 0;
    uint64_t inner = pad_inner_elements(&from.shape, attrs->axis), block = attrs->extent * inner;
    uint64_t first = attrs->start * inner, width = from.shape.dims[attrs->axis] * inner;
    uint64_t count = quartic_layout_elements(out->layout);
    for (uint64_t i = 0; i < count; ++i) {
        uint64_t within = i % block;
        bool inside = within >= first && within < first + width;
        int64_t at = inside ? quartic_layout_at(&from, i / block * width + within - first) : 0;
        if (from.dtype == QUARTIC_INT32)
            ((int32_t *)out->data)[i] = inside ? quartic_get_int(x, at) : 0;
        else
            quartic_put(out, (int64_t)i, inside ? quartic_get(x, at) : 0);
    }
}

static quartic_status pad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                              quartic_dispatch_list *list) {
    (void)limits;
    const quartic_pad_attrs *attrs = call->attrs;
    quartic_layout x = call->inputs[0];
    uint64_t inner = pad_inner_elements(&x.shape, attrs->axis), width = x.shape.dims[attrs->axis] * inner;
    uint64_t count = quartic_layout_elements(&call->outputs[0]);
    quartic_layouts_simplify((quartic_layout *const[]){&x}, 1);
    quartic_pad_args args = {.count = (uint32_t)count,
                             .block = (uint32_t)(attrs->extent * inner),
                             .first = (uint32_t)(attrs->start * inner),
                             .width = (uint32_t)width,
                             .rank = x.shape.rank};
    for (uint32_t axis = 0; axis < x.shape.rank; ++axis) {
        args.dims[axis] = x.shape.dims[axis];
        args.strides[axis] = (int32_t)x.strides[axis];
    }
    quartic_strided_divide(&x.shape, args.divide);
    args.block_multiplier = quartic_strided_multiplier(args.block, &args.block_shift);
    const bool whole = quartic_in_fours(args.block) && quartic_in_fours(args.first) &&
                       quartic_in_fours(args.width) && quartic_in_fours(call->outputs[0].offset);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "pad", quartic_pad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, whole ? quartic_strided_quads(&x) : QUARTIC_QUAD_NONE);
    quartic_dispatch_groups(dispatch, quartic_divide_up64(count, 1024));
    dispatch->flops = (double)count;
    dispatch->bytes = 4.0 * (double)(count + quartic_layout_elements(&x));
    return QUARTIC_OK;
}

static quartic_status pad_grad(quartic_tape *tape) {
    const quartic_pad_attrs *attrs = quartic_tape_attrs(tape);
    uint32_t length = quartic_tape_input_layout(tape, 0).shape.dims[attrs->axis];
    quartic_tape_give(tape, 0,
                      quartic_slice(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), attrs->axis,
                                    attrs->start, length));
    return QUARTIC_OK;
}

static bool pad_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape shape;
        quartic_pad_attrs attrs;
        quartic_dtype dtype;
    } table[] = {
        {"middle axis", {3, {5, 7, 33}}, {1, 3, 11}, QUARTIC_FLOAT32},
        {"last axis", {3, {3, 5, 1}}, {2, 128, 130}, QUARTIC_FLOAT32},
        {"first axis, at the end", {2, {31, 65}}, {0, 2, 33}, QUARTIC_FLOAT32},
        {"nothing added", {2, {9, 13}}, {0, 0, 9}, QUARTIC_FLOAT32},
        {"int32", {2, {3, 5}}, {1, 1, 7}, QUARTIC_INT32},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 1};
    *(quartic_pad_attrs *)out->attrs = table[index].attrs;
    if (table[index].dtype == QUARTIC_INT32)
        quartic_case_ints(out, 0, table[index].shape, QUARTIC_FILL_SIGNED_INDEX, 1000);
    else
        quartic_case_floats(out, 0, table[index].shape, QUARTIC_FILL_NORMAL);
    return true;
}

const quartic_op quartic_op_pad = {
    .name = "pad",
    .attrs_bytes = sizeof(quartic_pad_attrs),
    .strided_inputs = 1,
    .infer = pad_infer,
    .cpu = pad_cpu,
    .gpu = pad_gpu,
    .grad = pad_grad,
    .cases = pad_cases,
    .tolerance = 0,
    .tolerance_reason = "moves bits",
};

quartic_value quartic_pad(quartic_graph *graph, quartic_value x, uint32_t axis, uint32_t start,
                          uint32_t extent) {
    QUARTIC_CALL();
    const quartic_pad_attrs attrs = {axis, start, extent};
    return quartic_graph_append_one(graph, &quartic_op_pad, &attrs, &x, 1);
}
