/* edge_keep.h: what the reference and the tuned kernel of edge_keep share. Op: edge_keep.c. */
#ifndef QUARTIC_OPS_EDGE_KEEP_H
#define QUARTIC_OPS_EDGE_KEEP_H

#include "ops/ops.h"
#include "quartic/graph.h"

typedef struct edge_keep_attrs {
    uint32_t part; /* quartic_edge_part */
} edge_keep_attrs;

/* Edges (b, i, j), each of width elements. */
typedef struct quartic_edge_extents {
    uint64_t edges; /* b n n */
    uint32_t n, width;
} quartic_edge_extents;

static inline quartic_edge_extents quartic_edge_extents_of(const quartic_layout *x) {
    const uint32_t *dims = x->shape.dims;
    const uint64_t edges = (uint64_t)dims[0] * dims[1] * dims[2];
    return (quartic_edge_extents){edges, dims[1], (uint32_t)(quartic_layout_elements(x) / edges)};
}

/* Whether an edge is kept; mask (b, n) or NULL. */
static inline bool quartic_edge_kept(const quartic_edge_extents *extents, uint32_t part, const int32_t *mask,
                                     uint64_t edge) {
    const uint64_t j = edge % extents->n, i = edge / extents->n % extents->n;
    const uint64_t graph = edge / extents->n / extents->n * extents->n;
    if (part == QUARTIC_EDGES_LOWER && j > i) return false;
    if (part == QUARTIC_EDGES_UPPER && j < i) return false;
    return mask == NULL || (mask[graph + i] != 0 && mask[graph + j] != 0);
}

#endif
