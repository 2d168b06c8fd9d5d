/* norm.h: what the reference and the tuned kernels of the norm ops share. Ops: norm.c. */
#ifndef QUARTIC_OPS_NORM_H
#define QUARTIC_OPS_NORM_H

#include "lib/norm.h"
#include "ops/ops.h"

typedef struct norm_attrs {
    uint32_t kind;  /* QUARTIC_NORM_RMS, _L2 or _LAYER */
    uint32_t wants; /* of an adjoint: QUARTIC_NORM_WANT_*, the outputs in their order */
    float eps;
    float offset; /* added to the scale */
} norm_attrs;

/* The input of an adjoint that is added to dx, or none. */
enum { NORM_GRAD_ADDEND = 3 };

/* x as rows over its last axis. */
static inline uint32_t norm_width(const quartic_layout *x) {
    return x->shape.dims[x->shape.rank - 1];
}
static inline uint64_t norm_rows(const quartic_layout *x) {
    return quartic_layout_elements(x) / norm_width(x);
}

/* Position of a wanted gradient among an adjoint's outputs. */
static inline uint32_t norm_output(uint32_t wants, uint32_t want) {
    uint32_t position = 0;
    for (uint32_t bit = 1; bit < want; bit *= 2) position += (wants & bit) != 0;
    return position;
}

#endif
