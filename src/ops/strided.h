/* strided.h: how shaders walk elementwise over strided operands: lib/strided.glsl with what it needs from the
 * host.
 *
 * A division by the extent of an axis is a multiplication (quartic_strided_divide). Four neighbouring elements
 * are one access of 16 bytes where the layout allows it (quartic_strided_quads).
 */
#ifndef QUARTIC_OPS_STRIDED_H
#define QUARTIC_OPS_STRIDED_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/layout.h"

/* The multiplier and the shift with which, for n < 2^31 and an extent of 1 to 2^31,
 *     n / extent = (2 n * multiplier) >> (32 + shift). */
uint32_t quartic_strided_multiplier(uint32_t extent, uint32_t *out_shift);

/* Fills divide, for the shader's member of that name: divide[a - 1] is the multiplier of axis a, divide[5] the
 * shifts of all, five bits each. Then for n < 2^31
 *     n / dims[a] = (2 n * divide[a - 1]) >> (32 + shift of a).
 * The first axis has none: it takes what the others leave. */
void quartic_strided_divide(const quartic_shape *shape, uint32_t divide[QUARTIC_MAX_RANK]);

/* How four elements in a row of the last axis lie, in the order of the shaders' constants. */
typedef enum quartic_strided_quad {
    QUARTIC_QUAD_NONE, /* apart, not aligned, or not four in each row */
    QUARTIC_QUAD_ONE,  /* together: 16 aligned bytes */
    QUARTIC_QUAD_SAME  /* one element for all four: broadcast */
} quartic_strided_quad;

/* Of a layout that quartic_layouts_simplify has seen. Storages begin at multiples of 16 bytes. */
quartic_strided_quad quartic_strided_quads(const quartic_layout *layout);

/* What shaders of lib/rows4.glsl take for the stride of a row's last axis where all rows are aligned quads. */
#define QUARTIC_IN_QUADS 0x80000000u

#endif
