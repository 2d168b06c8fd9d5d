/* rows.h: how kernels over the last axis share workgroups of 256 invocations among rows
 * (shaders/lib/reduce.glsl).
 *
 * `lanes` invocations work on one row: the least power of two that leaves a lane at most 4 elements, up to
 * the whole workgroup. So short rows (edges of width 8 to 64) fill a workgroup together, and a long one has a
 * workgroup of its own.
 */
#ifndef QUARTIC_OPS_ROWS_H
#define QUARTIC_OPS_ROWS_H

#include <stdint.h>

enum { QUARTIC_ROWS_INVOCATIONS = 256 };

static inline uint32_t quartic_rows_lanes(uint32_t width) {
    uint32_t lanes = 1;
    while (lanes < QUARTIC_ROWS_INVOCATIONS && lanes * 4 < width) lanes *= 2;
    return lanes;
}

static inline uint64_t quartic_rows_groups(uint64_t rows, uint32_t lanes) {
    uint64_t per_group = QUARTIC_ROWS_INVOCATIONS / lanes;
    return (rows + per_group - 1) / per_group;
}

#endif
