/* fill.h: operands for checks: their numbers, and where they lie in a larger, poisoned tensor.
 *
 * Values are Philox numbers at (seed, stream, element), so a seed gives the same operands on every machine.
 * An operand is a view into a base tensor. All elements of the base outside the view are poison (NaN, or the
 * least int32). A kernel that reads beyond its operand spoils its result. A kernel that writes there is found
 * by comparing the bytes of the base afterwards.
 */
#ifndef QUARTIC_VERIFY_FILL_H
#define QUARTIC_VERIFY_FILL_H

#include "ops/ops.h"
#include "quartic/graph.h"

/* Writes count numbers of that kind, float32 or int32 as the dtype says. limit: of indices. row_length: of
 * the rows that masks and sorted indices have. */
void quartic_fill_operand(quartic_fill_kind kind, quartic_dtype dtype, uint32_t limit, uint64_t seed,
                          uint32_t stream, uint64_t count, uint64_t row_length, void *out_numbers);

typedef enum quartic_placement {
    QUARTIC_PLACE_WHOLE,   /* the base itself */
    QUARTIC_PLACE_OFFSET,  /* contiguous, with a border before and behind along the first axis */
    QUARTIC_PLACE_STRIDED, /* axes in reverse order, with a border around every axis */
    QUARTIC_PLACE_REPEATED /* the first axis of extent > 1 repeats one row: stride 0 */
} quartic_placement;

typedef struct quartic_placed {
    quartic_placement placement;
    quartic_shape base;    /* of the tensor that holds the operand */
    quartic_layout layout; /* of the operand within the base */
} quartic_placed;

/* Where an operand of this shape lies. False if the placement is not possible: STRIDED and REPEATED need an
 * axis of extent > 1, and for STRIDED of rank 1 (a diagonal) at most 512 elements. */
bool quartic_place(quartic_placement placement, quartic_dtype dtype, const quartic_shape *shape,
                   quartic_placed *out_placed);

/* Appends the views that lead from the base to the operand; returns the operand's value. */
quartic_value quartic_place_view(quartic_graph *graph, const quartic_placed *placed, quartic_value base);

/* Fills the base with poison and the operand's place in it with numbers (contiguous, of the operand's
 * shape). */
void quartic_place_write(const quartic_placed *placed, const void *numbers, void *out_base);

#endif
