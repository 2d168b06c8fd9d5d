/* copy.c: a contiguous copy of a tensor with any strides, float32 or int32.
 *
 * On the GPU one shader copies strided to strided. Where the fastest axis of the source is not the fastest of
 * the destination, it moves 32 x 32 tiles through shared memory, so that both sides are walked along their
 * unit stride.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/movement.h"
#include "ops/gpu_plan.h"
#include "ops/strided.h"
#include "shaders/copy.args.h"

static quartic_status copy_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("copy", call, 1, 1));
    if (!quartic_is_present(&call->inputs[0]))
        return quartic_op_expect_dtype("copy", call, 0, QUARTIC_FLOAT32);
    out[0] = quartic_layout_contiguous(call->inputs[0].dtype, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static void copy_cpu(const quartic_op_run *run) {
    const quartic_operand *x = &run->inputs[0], *out = &run->outputs[0];
    quartic_layout from = *x->layout;
    from.offset = 0;
    uint64_t count = quartic_layout_elements(&from);
    for (uint64_t i = 0; i < count; ++i) {
        int64_t at = quartic_layout_at(&from, i);
        if (from.dtype == QUARTIC_INT32)
            ((int32_t *)out->data)[i] = quartic_get_int(x, at);
        else
            quartic_put(out, (int64_t)i, quartic_get(x, at));
    }
}

/* Exchanges two axes of a layout. */
static void copy_swap_axes(quartic_layout *layout, uint32_t a, uint32_t b) {
    uint32_t extent = layout->shape.dims[a];
    int64_t stride = layout->strides[a];
    layout->shape.dims[a] = layout->shape.dims[b];
    layout->strides[a] = layout->strides[b];
    layout->shape.dims[b] = extent;
    layout->strides[b] = stride;
}

quartic_status quartic_copy_dispatch(quartic_dispatch_list *list, const quartic_layout *in, uint32_t input,
                                     const quartic_layout *window, int64_t offset) {
    enum { LINEAR, TILED, LEAST_TILE = 8 }; /* an axis shorter than this would leave most of a tile empty */
    quartic_layout from = *in, to = *window;
    uint64_t count = quartic_layout_elements(&from);
    quartic_layouts_simplify((quartic_layout *const[]){&from, &to}, 2);
    uint32_t rank = from.shape.rank, last = rank - 1, mode = LINEAR;
    for (uint32_t axis = 0; axis < last && mode == LINEAR; ++axis) {
        bool crossed = from.strides[axis] == 1 && from.strides[last] > 1 && to.strides[last] == 1;
        if (!crossed || from.shape.dims[axis] < LEAST_TILE || from.shape.dims[last] < LEAST_TILE) continue;
        /* Tiles run over the last two axes: the source's fastest, then the destination's. */
        copy_swap_axes(&from, axis, last - 1);
        copy_swap_axes(&to, axis, last - 1);
        mode = TILED;
    }
    int64_t begin, end;
    quartic_layout_extent(window, &begin, &end);
    quartic_copy_args args = {.x = quartic_dispatch_input(input),
                              .result =
                                  quartic_dispatch_window(list, quartic_dispatch_output(0),
                                                          4 * (uint64_t)begin, 4 * (uint64_t)(end - begin)),
                              .count = (uint32_t)count,
                              .rank = rank};
    uint64_t groups = quartic_divide_up64(count, 1024);
    to.offset += offset;
    quartic_strided_quad quad = quartic_strided_quads(&from);
    if (mode == TILED) {
        uint64_t rows = from.shape.dims[last - 1], columns = from.shape.dims[last];
        groups = count / (rows * columns) * ((rows + 31) / 32) * ((columns + 31) / 32);
        quartic_layout columns_last = from;
        copy_swap_axes(&columns_last, last - 1, last);
        quad = quartic_strided_quads(&columns_last);
    }
    if (quartic_strided_quads(&to) != QUARTIC_QUAD_ONE) quad = QUARTIC_QUAD_NONE;
    for (uint32_t axis = 0; axis < rank; ++axis) {
        args.dims[axis] = from.shape.dims[axis];
        args.in_strides[axis] = (int32_t)from.strides[axis];
        args.out_strides[axis] = (int32_t)to.strides[axis];
    }
    quartic_strided_divide(&from.shape, args.divide);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "copy", quartic_copy_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, mode);
    quartic_dispatch_spec(dispatch, quad);
    quartic_dispatch_groups(dispatch, groups);
    dispatch->flops = (double)count;
    dispatch->bytes = 8.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status copy_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_dispatch_list *list) {
    (void)limits;
    quartic_layout window = call->outputs[0];
    window.offset = 0;
    return quartic_copy_dispatch(list, &call->inputs[0], 0, &window, call->outputs[0].offset);
}

static quartic_status copy_grad(quartic_tape *tape) {
    quartic_tape_give(tape, 0, quartic_tape_gradient(tape, 0));
    return QUARTIC_OK;
}

static bool copy_cases(uint32_t index, quartic_op_case *out) {
    /* The last is tiled when its axes lie in reverse order. */
    static const quartic_shape table[] = {{0, {0}}, {1, {2049}}, {3, {3, 5, 7}}, {4, {37, 3, 1, 65}}};
    if (index >= 2 * QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = index % 2 ? "int32" : "float32", .input_count = 1};
    if (index % 2)
        quartic_case_ints(out, 0, table[index / 2], QUARTIC_FILL_SIGNED_INDEX, 1000);
    else
        quartic_case_floats(out, 0, table[index / 2], QUARTIC_FILL_NORMAL);
    return true;
}

const quartic_op quartic_op_copy = {
    .name = "copy",
    .strided_inputs = 1,
    .infer = copy_infer,
    .cpu = copy_cpu,
    .gpu = copy_gpu,
    .grad = copy_grad,
    .cases = copy_cases,
    .tolerance = 0,
    .tolerance_reason = "moves bits",
};

quartic_value quartic_copy(quartic_graph *graph, quartic_value x) {
    QUARTIC_CALL();
    return quartic_graph_append_one(graph, &quartic_op_copy, NULL, &x, 1);
}
