/* diversity.h: what the reference and the tuned kernels of the diversity loss share. Ops: diversity.c. */
#ifndef QUARTIC_OPS_DIVERSITY_H
#define QUARTIC_OPS_DIVERSITY_H

#include "ops/ops.h"

/* Below this a probability counts as this in the logarithm. */
#define QUARTIC_DIVERSITY_LEAST 1e-20

typedef struct diversity_attrs {
    uint32_t streams;
} diversity_attrs;

typedef struct diversity_extents {
    uint32_t batch, streams, heads; /* heads: of one stream */
    uint32_t queries, keys;
    double choices; /* heads^streams */
} diversity_extents;

/* heads^streams, exact up to QUARTIC_DIVERSITY_MOST_CHOICES and for a while beyond. */
static inline double diversity_choices(uint32_t heads, uint32_t streams) {
    double choices = 1;
    for (uint32_t s = 0; s < streams; ++s) choices *= heads;
    return choices;
}

/* Of p (b, streams * heads, i, j). */
static inline diversity_extents diversity_extents_of(const diversity_attrs *attrs, const quartic_layout *p) {
    const uint32_t *dims = p->shape.dims, heads = dims[1] / attrs->streams;
    return (diversity_extents){dims[0], attrs->streams, heads,
                               dims[2], dims[3],        diversity_choices(heads, attrs->streams)};
}

/* Operations of the op and of its adjoint. */
double diversity_flops(const quartic_op_call *call);
double diversity_grad_flops(const quartic_op_call *call);

#endif
