/* routing.h: what the ops that choose edges share: their attributes, and which scores of a row are visible.
 *
 * Scores are (b, m). A mask is int32 (b, m), or (b, n) with n^2 = m: then score (i, j) = i * n + j is visible
 * iff both nodes are. For m = 1 the two are the same. Scores in groups, (b, g, m), are b * g rows of m, and
 * their mask is (b, g, m).
 */
#ifndef QUARTIC_OPS_ROUTING_H
#define QUARTIC_OPS_ROUTING_H

#include "ops/ops.h"
#include "quartic/graph.h"

typedef struct quartic_top_k_attrs {
    uint32_t k;
} quartic_top_k_attrs;

/* How many of its k places a row of graph b fills with its greatest scores; counts may be NULL. */
static inline uint32_t quartic_top_k_count(const int32_t *counts, uint32_t b, uint32_t k) {
    if (counts == NULL || counts[b] > (int32_t)k) return k;
    return counts[b] < 0 ? 0 : (uint32_t)counts[b];
}

/* Of routed_counts. routed 0: as many as real nodes; by_row: each row of edges chooses its share. */
typedef struct quartic_routed_counts_attrs {
    uint32_t routed, by_row;
    float ratio;
} quartic_routed_counts_attrs;

/* Of scatter_add_rows: rows of the result; read only where the base is left out. */
typedef struct quartic_scatter_attrs {
    uint32_t rows;
} quartic_scatter_attrs;

/* 0: no mask; m: one per score; n: one per node. */
static inline uint32_t quartic_routing_mask_extent(const quartic_layout *mask) {
    return quartic_is_present(mask) ? mask->shape.dims[mask->shape.rank - 1] : 0;
}

/* Rows of m scores; `groups` of them after each other belong to one graph. */
typedef struct quartic_routing_extents {
    uint32_t rows, groups, m;
} quartic_routing_extents;

static inline quartic_routing_extents quartic_routing_extents_of(const quartic_shape *scores) {
    const uint32_t groups = scores->rank == 3 ? scores->dims[1] : 1;
    return (quartic_routing_extents){scores->dims[0] * groups, groups, scores->dims[scores->rank - 1]};
}

/* Whether score t of row b of m scores is visible under a mask of the given extent. */
static inline bool quartic_routing_visible(const int32_t *mask, uint32_t extent, uint32_t m, uint32_t b,
                                           uint32_t t) {
    if (extent == 0) return true;
    const int32_t *row = mask + (uint64_t)b * extent;
    return extent == m ? row[t] != 0 : row[t / extent] != 0 && row[t % extent] != 0;
}

/* Refuses anything but scores (b, m) or (b, g, m) with at least one element, and a mask as in the head, or
 * none. */
static inline quartic_status quartic_routing_expect(const char *op, const quartic_op_call *call,
                                                    uint32_t scores, uint32_t mask) {
    const bool grouped = call->inputs[scores].shape.rank == 3;
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, scores, QUARTIC_FLOAT32));
    const quartic_shape *shape = &call->inputs[scores].shape;
    char text[QUARTIC_SHAPE_TEXT], mask_text[QUARTIC_SHAPE_TEXT];
    if (shape->rank != 2 && !grouped)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s got scores of shape %s; it needs (batch, scores), or (batch, groups, scores)",
                            op, quartic_shape_text(shape, text));
    if (quartic_shape_elements(shape) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s got scores of shape %s, which has no elements; give it at least one", op,
                            quartic_shape_text(shape, text));
    if (!quartic_is_present(&call->inputs[mask])) return QUARTIC_OK;
    QUARTIC_TRY(quartic_op_expect_dtype(op, call, mask, QUARTIC_INT32));
    if (grouped) return quartic_op_expect_shape(op, call, mask, shape);
    QUARTIC_TRY(quartic_op_expect_rank(op, call, mask, 2));
    const quartic_shape *given = &call->inputs[mask].shape;
    const uint64_t extent = given->dims[1], m = shape->dims[1];
    if (given->dims[0] == shape->dims[0] && (extent == m || extent * extent == m)) return QUARTIC_OK;
    return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                        "the mask of %s for scores of shape %s must have the shape of the scores, or one "
                        "number a node where the scores are those of all edges, not shape %s",
                        op, quartic_shape_text(shape, text), quartic_shape_text(given, mask_text));
}

#endif
