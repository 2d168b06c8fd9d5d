/* view.h: the attributes that all views share, and the rules that they have in common. */
#ifndef QUARTIC_OPS_VIEW_H
#define QUARTIC_OPS_VIEW_H

#include "ops/ops.h"

typedef struct quartic_view_attrs {
    uint32_t axis, start, length; /* slice; diagonal uses axis */
    quartic_shape shape;          /* reshape, broadcast: the shape; permute: dims are the axes */
} quartic_view_attrs;

/* SHAPE_MISMATCH, with the input's shape and the attributes in the message. */
quartic_status quartic_view_failure(const char *op, const quartic_layout *in,
                                    const quartic_view_attrs *attrs);

/* The shape rule of every view: it takes one operand, and op->view decides. */
quartic_status quartic_view_infer(const quartic_op *op, const quartic_op_call *call, quartic_layout *out,
                                  uint32_t *out_count);

typedef struct quartic_view_case {
    const char *label;
    quartic_shape x;
    quartic_view_attrs attrs;
} quartic_view_case;

/* An op's cases from a table; false past its end. */
bool quartic_view_cases(const quartic_view_case *table, uint32_t count, uint32_t index, quartic_op_case *out);

#endif
