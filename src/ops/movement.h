/* movement.h: attributes of the ops that move or sum data, for the ops and their tuned kernels; and the
 * strided copy that copy and concat share on the GPU.
 */
#ifndef QUARTIC_OPS_MOVEMENT_H
#define QUARTIC_OPS_MOVEMENT_H

#include "ops/ops.h"
#include "quartic/graph.h"

typedef struct quartic_concat_attrs {
    uint32_t axis;
} quartic_concat_attrs;

typedef struct quartic_pad_attrs {
    uint32_t axis, start, extent;
} quartic_pad_attrs;

typedef struct quartic_sum_attrs {
    uint32_t axes; /* bit a: axis a is summed */
    uint32_t keep;
} quartic_sum_attrs;

/* The layout of those axes of x whose bits are set in axes, with offset 0. */
quartic_layout quartic_sum_part(const quartic_layout *x, uint32_t axes);

/* x summed down to a shape that broadcasts to x's: the adjoint of broadcasting. */
quartic_value quartic_sum_to(quartic_graph *graph, quartic_value x, const quartic_shape *shape);

/* Of embedding_grad: rows of the table. */
typedef struct quartic_embedding_attrs {
    uint32_t rows;
} quartic_embedding_attrs;

/* The part of a contiguous output that one part of a concat fills: the part's shape, out's strides, its
 * offset. */
static inline quartic_layout quartic_concat_window(const quartic_layout *out, const quartic_shape *part,
                                                   uint32_t axis, uint32_t start) {
    quartic_layout window = *out;
    window.shape = *part;
    window.offset = out->strides[axis] * (int64_t)start;
    return window;
}

/* Appends the copy of an input to a window of output 0; both layouts have one shape. window->offset counts
 * from the output's first element, which is the storage's element `offset`. INTERNAL if the list is full. */
quartic_status quartic_copy_dispatch(quartic_dispatch_list *list, const quartic_layout *in, uint32_t input,
                                     const quartic_layout *window, int64_t offset);

#endif
