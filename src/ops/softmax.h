/* softmax.h: what the reference and the tuned kernels of softmax share. Ops: softmax.c. */
#ifndef QUARTIC_OPS_SOFTMAX_H
#define QUARTIC_OPS_SOFTMAX_H

#include "ops/ops.h"

typedef struct softmax_attrs {
    uint32_t causal; /* key j is hidden from query i where j > i */
} softmax_attrs;

/* A tensor (b, h, i, j) as rows over j. */
typedef struct softmax_extents {
    uint32_t queries, keys;
    uint64_t rows, rows_per_mask; /* b * h * i, h * i */
} softmax_extents;

static inline softmax_extents softmax_extents_of(const quartic_layout *sim) {
    const uint32_t *dims = sim->shape.dims;
    uint64_t per_mask = (uint64_t)dims[1] * dims[2];
    return (softmax_extents){
        .queries = dims[2], .keys = dims[3], .rows = dims[0] * per_mask, .rows_per_mask = per_mask};
}

/* Keys from this one on are hidden from a row's query by causality. */
static inline uint32_t softmax_row_end(const softmax_attrs *attrs, const softmax_extents *extents,
                                       uint64_t row) {
    uint32_t query = (uint32_t)(row % extents->queries);
    return attrs->causal && query + 1 < extents->keys ? query + 1 : extents->keys;
}

#endif
