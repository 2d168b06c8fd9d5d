/* edge_keep.c (fast): tuned edge_keep: threads copy or clear whole edges. See src/ops/edge_keep.c. */
#include <string.h>

#include "fast/parts.h"
#include "ops/edge_keep.h"

static void edge_keep_run(const quartic_op_run *run) {
    const edge_keep_attrs *attrs = run->attrs;
    const quartic_edge_extents extents = quartic_edge_extents_of(run->inputs[0].layout);
    const float *x = run->inputs[0].data;      // (edges, width)
    const int32_t *mask = run->inputs[1].data; // (b, n)
    float *y = run->outputs[0].data;           // (edges, width)
    const size_t width = extents.width;
    const uint32_t parts = quartic_parts(extents.edges * width, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint64_t edge = 0; edge < extents.edges; ++edge)
        if (!quartic_edge_kept(&extents, attrs->part, mask, edge))
            memset(y + edge * width, 0, width * sizeof *y);
        else if (y != x)
            memcpy(y + edge * width, x + edge * width, width * sizeof *y);
}

const quartic_fast_kernel quartic_fast_edge_keep = {.op = &quartic_op_edge_keep, .run = edge_keep_run};
