/* stream_feedforward.h: what the reference and the tuned kernels of the feedforward over heads share. Ops:
 * stream_feedforward.c. */
#ifndef QUARTIC_OPS_STREAM_FEEDFORWARD_H
#define QUARTIC_OPS_STREAM_FEEDFORWARD_H

#include "ops/streams.h"

/* Inputs of the adjoint; the forward op has all but the cotangent dy, in this order. */
enum {
    QUARTIC_STREAM_X,     /* (b, h, ..) */
    QUARTIC_STREAM_SCALE, /* (h) */
    QUARTIC_STREAM_W1,    /* (m, h) */
    QUARTIC_STREAM_W2,    /* (h, m) */
    QUARTIC_STREAM_DY     /* (b, h, ..) */
};

/* What an adjoint gives, in the order of its outputs: dx; then dscale, dw1 and dw2 together. */
enum { QUARTIC_STREAM_WANT_X = 1, QUARTIC_STREAM_WANT_WEIGHTS = 2 };

typedef struct stream_feedforward_attrs {
    float eps;
    uint32_t wants; /* of an adjoint */
} stream_feedforward_attrs;

/* Operations: of the forward pass; of the adjoint. */
double quartic_stream_feedforward_flops(const quartic_op_call *call);
double quartic_stream_feedforward_grad_flops(const quartic_op_call *call);

#endif
