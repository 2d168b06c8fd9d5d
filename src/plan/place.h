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
 *
 * A workspace may be more than a device grants in one allocation. Then its offsets run through several arenas,
 * one after the other: arena k has the offsets from k * span on, and no block reaches from one into the next.
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
    uint32_t first, last; /* steps of its life, both included */
    uint64_t offset;      /* the result: a multiple of the alignment */
} quartic_block;

typedef struct quartic_placer quartic_placer;

/* Creates a placer for blocks whose lives lie in the steps 0 .. steps - 1. span: the offsets of one arena, a
 * multiple of the alignment. The caller destroys it. Errors: OUT_OF_MEMORY; then *out_placer is NULL. */
quartic_status quartic_placer_create(uint32_t steps, uint64_t span, quartic_placer **out_placer);
void quartic_placer_destroy(quartic_placer *placer); /* NULL is fine */

/* Sets the block's offset. Errors: OUT_OF_MEMORY, also if the workspace would exceed 2^63 bytes;
 * OUT_OF_DEVICE_MEMORY for a block that is larger than an arena. After any other error than that the placer may
 * only be destroyed. */
quartic_status quartic_placer_add(quartic_placer *placer, quartic_block *block);

/* The number of arenas so far, and the end of the highest block in one of them, aligned, counted from where the
 * arena begins: its size. */
uint32_t quartic_placer_arenas(const quartic_placer *placer);
uint64_t quartic_placer_bytes(const quartic_placer *placer, uint32_t arena);

#endif
