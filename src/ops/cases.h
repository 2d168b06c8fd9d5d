/* cases.h: how an op writes down its cases (op->cases, see graph/op.h): a table with one line for each case,
 * and one call for each operand of it.
 */
#ifndef QUARTIC_OPS_CASES_H
#define QUARTIC_OPS_CASES_H

#include "ops/ops.h"

/* The number of lines of a table. */
#define QUARTIC_CASES(table) (sizeof(table) / sizeof(table)[0])

/* Input `input` of a case: float32 numbers. */
static inline void quartic_case_floats(quartic_op_case *out, uint32_t input, quartic_shape shape,
                                       quartic_fill_kind fill) {
    out->inputs[input].dtype = QUARTIC_FLOAT32;
    out->inputs[input].shape = shape;
    out->inputs[input].fill = fill;
}

/* Input `input` of a case: int32 numbers, which have no gradient. limit: as the fill kind says. */
static inline void quartic_case_ints(quartic_op_case *out, uint32_t input, quartic_shape shape,
                                     quartic_fill_kind fill, uint32_t limit) {
    out->inputs[input].dtype = QUARTIC_INT32;
    out->inputs[input].shape = shape;
    out->inputs[input].fill = fill;
    out->inputs[input].limit = limit;
    out->inputs[input].no_gradient = true;
}

#endif
