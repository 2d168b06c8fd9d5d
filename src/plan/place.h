/* place.h: where the blocks of a workspace lie. Pure.
 *
 * Each block lives from one step to another and gets the lowest offset at which it overlaps no block placed
 * before it that lives at the same time: first fit, in the caller's order (largest first packs well).
 *
 * A search over all blocks for each would take time with the square of their number. Instead a tree over the
 * steps keeps, for every stretch of steps, which bytes are taken all through it and which are taken anywhere
 * in it, as lists of ranges that join where they touch. Blocks pack closely, so the lists stay short, and
 * placing n blocks takes about n log n.
 *
 * A workspace may be more than a device grants in one allocation. Then offsets go through several arenas, one
 * after the other: arena k has the offsets from k * span on, and no block reaches from one into the next.
 */
#ifndef QUARTIC_PLAN_PLACE_H
#define QUARTIC_PLAN_PLACE_H

#include <stdint.h>

#include "base/status.h"

enum { QUARTIC_PLACE_ALIGNMENT = 256 };

/* The span of a workspace that is one arena, whatever its size. */
#define QUARTIC_PLACE_ONE_ARENA (UINT64_C(1) << 63)

typedef struct quartic_block {
    uint64_t bytes;
    uint32_t first, last; /* steps, both in its life */
    uint64_t offset;      /* the result: a multiple of the alignment */
} quartic_block;

typedef struct quartic_placer quartic_placer;

/* For blocks that live within `steps` steps. span: the offsets of one arena, a multiple of the alignment. The
 * caller destroys *out_placer; after an error it is NULL. Errors: OUT_OF_MEMORY. */
quartic_status quartic_placer_create(uint32_t steps, uint64_t span, quartic_placer **out_placer);
void quartic_placer_destroy(quartic_placer *placer); /* NULL is fine */

/* Gives the block its offset. Errors: OUT_OF_MEMORY, also where the workspace would pass 2^63 bytes;
 * OUT_OF_DEVICE_MEMORY for a block that is larger than an arena. */
quartic_status quartic_placer_add(quartic_placer *placer, quartic_block *block);

/* The arenas that have blocks in them, up to the last such, and what the blocks of one take from its begin to
 * their last end, aligned: of arena 0, all of a workspace of one arena. */
uint32_t quartic_placer_arenas(const quartic_placer *placer);
uint64_t quartic_placer_bytes(const quartic_placer *placer, uint32_t arena);

#endif
