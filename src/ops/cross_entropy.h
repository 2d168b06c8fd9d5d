/* cross_entropy.h: what the reference and the tuned kernels of cross_entropy share. Ops: cross_entropy.c. */
#ifndef QUARTIC_OPS_CROSS_ENTROPY_H
#define QUARTIC_OPS_CROSS_ENTROPY_H

#include "ops/ops.h"

/* The outputs by index. */
enum { CROSS_ENTROPY_LOSS, CROSS_ENTROPY_COUNT };

/* Whether a row with this target takes part in the mean. */
static inline bool cross_entropy_counts(int32_t target, uint32_t classes) {
    return target >= 0 && (uint32_t)target < classes;
}

#endif
