/* update.h: attributes and operands of the ops accumulate, fill and adamw, for the ops and their tuned
 * kernels. */
#ifndef QUARTIC_OPS_UPDATE_H
#define QUARTIC_OPS_UPDATE_H

#include "lib/adamw.h"
#include "ops/ops.h"

typedef struct accumulate_attrs {
    float factor;
} accumulate_attrs;

typedef struct fill_attrs {
    float number;
} fill_attrs;

typedef struct adamw_attrs {
    float gradient_factor;
} adamw_attrs;

/* Operands of adamw; the first three are updated in place. */
enum adamw_input {
    ADAMW_PARAMETER,
    ADAMW_FIRST,
    ADAMW_SECOND,
    ADAMW_GRADIENT,
    ADAMW_HYPER,
    ADAMW_SQUARED_NORM,
    ADAMW_INPUTS
};

#endif
