/* place.h: where the blocks of a workspace lie. Pure.
 *
 * Each block lives from one step to another and gets the lowest offset at which it overlaps no block placed
 * before it that lives at the same time: first fit, in the caller's order (largest first packs well).
 *
 * A search over all blocks for each would take time with the square of their number. Instead a tree over the
 * steps keeps, for every stretch of steps, which bytes are taken all through it and which are taken anywhere
 * in it, as lists of ranges that join where they touch. Blocks pack closely, so the lists stay short, and
 * placing n blocks takes about n log n.
 */
#ifndef QUARTIC_PLAN_PLACE_H
#define QUARTIC_PLAN_PLACE_H

#include <stdint.h>

#include "base/status.h"

enum { QUARTIC_PLACE_ALIGNMENT = 256 };

typedef struct quartic_block {
    uint64_t bytes;
    uint32_t first, last; /* steps, both in its life */
    uint64_t offset;      /* the result: a multiple of the alignment */
} quartic_block;

typedef struct quartic_placer quartic_placer;

/* For blocks that live within `steps` steps. */
quartic_status quartic_placer_create(uint32_t steps, quartic_placer **out_placer);
void quartic_placer_destroy(quartic_placer *placer); /* NULL is fine */

/* Gives the block its offset. Errors: OUT_OF_MEMORY, also where the workspace would pass 2^63 bytes. */
quartic_status quartic_placer_add(quartic_placer *placer, quartic_block *block);

/* The bytes of all blocks so far, aligned. */
uint64_t quartic_placer_bytes(const quartic_placer *placer);

#endif
