/* concat.c: joins 1 to 8 tensors along an axis, float32 or int32.
 *
 * Every part is copied to its window of the output, so parts may have any strides. The adjoint gives each
 * part a slice.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/movement.h"

enum { MAX_PARTS = 8 };

static quartic_status concat_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const quartic_concat_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("concat", call, 1, MAX_PARTS));
    const quartic_layout *first = &call->inputs[0];
    quartic_shape shape = first->shape;
    char whole[QUARTIC_SHAPE_TEXT], part[QUARTIC_SHAPE_TEXT];
    if (attrs->axis >= shape.rank)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "concat along axis %u needs more axes than shape %s has",
                            attrs->axis, quartic_shape_text(&shape, whole));
    uint64_t extent = 0;
    for (uint32_t k = 0; k < call->input_count; ++k) {
        quartic_dtype dtype = quartic_is_present(first) ? first->dtype : QUARTIC_FLOAT32;
        QUARTIC_TRY(quartic_op_expect_dtype("concat", call, k, dtype));
        quartic_shape expected = call->inputs[k].shape;
        if (attrs->axis < expected.rank) expected.dims[attrs->axis] = first->shape.dims[attrs->axis];
        if (!quartic_shape_equal(&expected, &first->shape))
            return quartic_fail(
                QUARTIC_SHAPE_MISMATCH,
                "concat along axis %u: part %u has shape %s, which differs from part 0's %s on "
                "another axis",
                attrs->axis, k, quartic_shape_text(&call->inputs[k].shape, part),
                quartic_shape_text(&first->shape, whole));
        extent += call->inputs[k].shape.dims[attrs->axis];
    }
    if (extent > INT32_MAX)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "concat along axis %u would make an axis of %llu elements", attrs->axis,
                            (unsigned long long)extent);
    shape.dims[attrs->axis] = (uint32_t)extent;
    out[0] = quartic_layout_contiguous(first->dtype, &shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* Along the outermost axis of more than one element. */
static bool concat_joins(const quartic_op_call *call) {
    const quartic_concat_attrs *attrs = call->attrs;
    for (uint32_t axis = 0; axis < attrs->axis; ++axis)
        if (call->inputs[0].shape.dims[axis] != 1) return false;
    return true;
}

static void concat_cpu(const quartic_op_run *run) {
    const quartic_concat_attrs *attrs = run->attrs;
    const quartic_operand *out = &run->outputs[0];
    uint32_t start = 0;
    for (uint32_t k = 0; k < run->input_count; ++k) {
        const quartic_operand *part = &run->inputs[k];
        quartic_layout from = *part->layout;
        quartic_layout to = quartic_concat_window(out->layout, &from.shape, attrs->axis, start);
        from.offset = 0;
        uint64_t count = quartic_layout_elements(&from);
        for (uint64_t i = 0; i < count; ++i) {
            int64_t source = quartic_layout_at(&from, i), target = quartic_layout_at(&to, i);
            if (from.dtype == QUARTIC_INT32)
                ((int32_t *)out->data)[target] = quartic_get_int(part, source);
            else
                quartic_put(out, target, quartic_get(part, source));
        }
        start += from.shape.dims[attrs->axis];
    }
}

static quartic_status concat_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                 quartic_dispatch_list *list) {
    (void)limits;
    const quartic_concat_attrs *attrs = call->attrs;
    uint32_t start = 0;
    list->apart = true; /* windows interleave, but share no element */
    for (uint32_t k = 0; k < call->input_count; ++k) {
        const quartic_shape *shape = &call->inputs[k].shape;
        quartic_layout window = quartic_concat_window(&call->outputs[0], shape, attrs->axis, start);
        QUARTIC_TRY(quartic_copy_dispatch(list, &call->inputs[k], k, &window, call->outputs[0].offset));
        start += shape->dims[attrs->axis];
    }
    return QUARTIC_OK;
}

static quartic_status concat_grad(quartic_tape *tape) {
    const quartic_concat_attrs *attrs = quartic_tape_attrs(tape);
    quartic_value g = quartic_tape_gradient(tape, 0);
    uint32_t start = 0;
    for (uint32_t k = 0; k < MAX_PARTS; ++k) {
        quartic_layout part = quartic_tape_input_layout(tape, k);
        if (!quartic_is_present(&part)) break;
        uint32_t length = part.shape.dims[attrs->axis];
        if (quartic_tape_wants(tape, k))
            quartic_tape_give(tape, k,
                              quartic_slice(quartic_tape_graph(tape), g, attrs->axis, start, length));
        start += length;
    }
    return QUARTIC_OK;
}

static bool concat_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        uint32_t axis, count;
        quartic_shape parts[MAX_PARTS];
        quartic_dtype dtype;
    } table[] = {
        {"last axis", 2, 3, {{3, {3, 5, 7}}, {3, {3, 5, 1}}, {3, {3, 5, 33}}}, QUARTIC_FLOAT32},
        {"first axis", 0, 2, {{2, {3, 65}}, {2, {31, 65}}}, QUARTIC_FLOAT32},
        {"one part", 1, 1, {{2, {9, 13}}}, QUARTIC_FLOAT32},
        {"eight parts",
         1,
         8,
         {{3, {2, 1, 3}},
          {3, {2, 2, 3}},
          {3, {2, 3, 3}},
          {3, {2, 4, 3}},
          {3, {2, 5, 3}},
          {3, {2, 6, 3}},
          {3, {2, 7, 3}},
          {3, {2, 8, 3}}},
         QUARTIC_FLOAT32},
        {"int32", 0, 2, {{1, {5}}, {1, {300}}}, QUARTIC_INT32},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = table[index].count};
    *(quartic_concat_attrs *)out->attrs = (quartic_concat_attrs){table[index].axis};
    for (uint32_t k = 0; k < table[index].count; ++k) {
        if (table[index].dtype == QUARTIC_FLOAT32)
            quartic_case_floats(out, k, table[index].parts[k], QUARTIC_FILL_NORMAL);
        else
            quartic_case_ints(out, k, table[index].parts[k], QUARTIC_FILL_SIGNED_INDEX, 1000);
    }
    return true;
}

const quartic_op quartic_op_concat = {
    .name = "concat",
    .attrs_bytes = sizeof(quartic_concat_attrs),
    .strided_inputs = (1u << MAX_PARTS) - 1,
    .joins = concat_joins,
    .infer = concat_infer,
    .cpu = concat_cpu,
    .gpu = concat_gpu,
    .grad = concat_grad,
    .cases = concat_cases,
    .tolerance = 0,
    .tolerance_reason = "moves bits",
};

quartic_value quartic_concat(quartic_graph *graph, const quartic_value *parts, uint32_t count,
                             uint32_t axis) {
    QUARTIC_CALL();
    if (!quartic_graph_expect_pointer(graph, "concat", "parts", parts)) return (quartic_value){0};
    const quartic_concat_attrs attrs = {axis};
    return quartic_graph_append_one(graph, &quartic_op_concat, &attrs, parts, count);
}
