/* op.c: what all ops share: the name in messages, the checks of infer rules, jitter. See op.h. */
#include "graph/op.h"

#include <float.h>

/* The direction is one bit of splitmix64 (Steele, Lea and Flood 2014). */
double quartic_jittered(uint64_t *state, double number) {
    uint64_t bits = *state += 0x9e3779b97f4a7c15u;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
    return number * (bits >> 63 != 0 ? 1.0 + (double)FLT_EPSILON : 1.0 - (double)FLT_EPSILON);
}

const char *quartic_op_builder(const quartic_op *op, const void *attrs) {
    return op->builder == NULL ? op->name : op->builder(attrs);
}

quartic_status quartic_op_expect_inputs(const char *op, const quartic_op_call *call, uint32_t least,
                                        uint32_t most) {
    if (call->input_count >= least && call->input_count <= most) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s takes %u to %u operands, not %u", op, least, most,
                        call->input_count);
}

quartic_status quartic_op_expect_dtype(const char *op, const quartic_op_call *call, uint32_t input,
                                       quartic_dtype dtype) {
    quartic_dtype got = input < call->input_count ? call->inputs[input].dtype : QUARTIC_NO_DTYPE;
    if (got == dtype) return QUARTIC_OK;
    if (got == QUARTIC_NO_DTYPE)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s needs its operand %u, which was left out", op,
                            input);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "operand %u of %s must be %s, not %s", input, op,
                        dtype == QUARTIC_FLOAT32 ? "float32" : "int32",
                        got == QUARTIC_FLOAT32 ? "float32" : "int32");
}

quartic_status quartic_op_expect_rank(const char *op, const quartic_op_call *call, uint32_t input,
                                      uint32_t rank) {
    const quartic_shape *shape = &call->inputs[input].shape;
    if (shape->rank == rank) return QUARTIC_OK;
    char text[QUARTIC_SHAPE_TEXT];
    return quartic_fail(QUARTIC_SHAPE_MISMATCH, "operand %u of %s must have %u axes, not shape %s", input, op,
                        rank, quartic_shape_text(shape, text));
}

quartic_status quartic_op_expect_shape(const char *op, const quartic_op_call *call, uint32_t input,
                                       const quartic_shape *shape) {
    if (quartic_shape_equal(&call->inputs[input].shape, shape)) return QUARTIC_OK;
    char want[QUARTIC_SHAPE_TEXT], got[QUARTIC_SHAPE_TEXT];
    return quartic_fail(QUARTIC_SHAPE_MISMATCH, "operand %u of %s must have shape %s, not %s", input, op,
                        quartic_shape_text(shape, want), quartic_shape_text(&call->inputs[input].shape, got));
}
