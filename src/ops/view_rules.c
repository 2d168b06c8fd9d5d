/* view_rules.c: what all views have in common: the shape rule, its message, and their cases. See view.h. */
#include "ops/cases.h"
#include "ops/view.h"

quartic_status quartic_view_failure(const char *op, const quartic_layout *in,
                                    const quartic_view_attrs *attrs) {
    char from[QUARTIC_SHAPE_TEXT], to[QUARTIC_SHAPE_TEXT];
    return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                        "%s of shape %s with shape or axes %s, axis %u, start %u, length %u is impossible",
                        op, quartic_shape_text(&in->shape, from), quartic_shape_text(&attrs->shape, to),
                        attrs->axis, attrs->start, attrs->length);
}

quartic_status quartic_view_infer(const quartic_op *op, const quartic_op_call *call, quartic_layout *out,
                                  uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs(op->name, call, 1, 1));
    if (!quartic_is_present(&call->inputs[0]))
        return quartic_op_expect_dtype(op->name, call, 0, QUARTIC_FLOAT32);
    QUARTIC_TRY(op->view(call->attrs, &call->inputs[0], &out[0]));
    *out_count = 1;
    return QUARTIC_OK;
}

bool quartic_view_cases(const quartic_view_case *table, uint32_t count, uint32_t index,
                        quartic_op_case *out) {
    if (index >= count) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 1};
    *(quartic_view_attrs *)out->attrs = table[index].attrs;
    quartic_case_floats(out, 0, table[index].x, QUARTIC_FILL_NORMAL);
    return true;
}
