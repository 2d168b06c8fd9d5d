/* place.h: gives the blocks of a workspace their offsets. A pure function of their sizes and lives.
 *
 * The life of a block is a range of steps. Blocks are placed one after the other, in the caller's order
 * (largest first packs well). Each gets the lowest offset at which it overlaps no placed block whose life
 * meets its own: first fit.
 *
 * Comparing each block with all others would take quadratic time. Instead a binary tree over the steps keeps,
 * for each of its ranges of steps, which bytes are taken during the whole range and which are taken at some
 * time in it, as lists of byte ranges that join where they touch. Blocks pack closely, so the lists stay
 * short, and placing n blocks takes about n log n operations.
 */
#ifndef QUARTIC_PLAN_PLACE_H
#define QUARTIC_PLAN_PLACE_H

#include <stdint.h>

#include "base/status.h"

enum { QUARTIC_PLACE_ALIGNMENT = 256 };

typedef struct quartic_block {
    uint64_t bytes;
    uint32_t first, last; /* steps of its life, both included */
    uint64_t offset;      /* the result: a multiple of the alignment */
} quartic_block;

typedef struct quartic_placer quartic_placer;

/* Creates a placer for blocks whose lives lie in the steps 0 .. steps - 1; the caller destroys it. Errors:
 * OUT_OF_MEMORY; then *out_placer is NULL. */
quartic_status quartic_placer_create(uint32_t steps, quartic_placer **out_placer);
void quartic_placer_destroy(quartic_placer *placer); /* NULL is fine */

/* Sets the block's offset. Errors: OUT_OF_MEMORY, also if the workspace would exceed 2^63 bytes; after an
 * error the placer may only be destroyed. */
quartic_status quartic_placer_add(quartic_placer *placer, quartic_block *block);

/* The end of the highest block so far, aligned: the size of the workspace. */
uint64_t quartic_placer_bytes(const quartic_placer *placer);

#endif
