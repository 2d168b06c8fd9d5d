/* fast.h: tuned CPU rows that stand in for an op's reference loops on the device "cpu".
 *
 * A row says from shapes alone whether it takes a call; where none does, the reference runs. Rows are named
 * in fast_list.h, one line each; the first that accepts wins. Rows are float32 only, use OpenMP over
 * run->threads threads, allocate nothing, and give the same bits for the same thread count.
 */
#ifndef QUARTIC_FAST_FAST_H
#define QUARTIC_FAST_FAST_H

#include "ops/ops.h"

typedef struct quartic_fast_row {
    const quartic_op *op;
    bool (*accepts)(const quartic_op_call *call); /* NULL: every call */
    void (*run)(const quartic_op_run *run);
    size_t (*scratch)(const quartic_op_call *call, uint32_t threads); /* bytes, NULL: none */
} quartic_fast_row;

/* The row for a call, or NULL. */
const quartic_fast_row *quartic_fast_find(const quartic_op *op, const quartic_op_call *call);

#endif
