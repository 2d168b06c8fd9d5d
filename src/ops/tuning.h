/* tuning.h: measured choices of GPU plans as plain data: a table from problems to choices.
 *
 * A problem is an op with its attributes and the layouts of its inputs, as far as plans look at them: shapes, strides and
 * whether offsets are multiples of four. Plans find the choice for the problem at hand in their limits
 * (quartic_gpu_limits.choice). A member that is 0, or that a plan cannot take on its device, leaves the plan as it would
 * be; so no table makes a plan wrong, whatever stands in it.
 */
#ifndef QUARTIC_OPS_TUNING_H
#define QUARTIC_OPS_TUNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "graph/op.h"

typedef struct quartic_tuning_choice {
    uint32_t tile;   /* matmul, fused products: 1 + the index of the tile's shape */
    uint32_t splits; /* parts that a sum, or the columns of a row of fused products, are divided into */
    uint32_t rows;   /* Taylor attention, softmax among edges: rows of a thread, 1 or 2 */
    uint32_t form;   /* Taylor attention: QUARTIC_TAYLOR_QUADRATIC or _LINEAR */
    uint32_t subgroup_size; /* of all the op's pipelines, where the device lets it be chosen */
    uint32_t reserved;      /* 0 */
    uint64_t state_bytes;   /* Taylor attention, linear: states held at once */
} quartic_tuning_choice;

typedef struct quartic_tuning_entry {
    uint64_t problem;
    quartic_tuning_choice choice;
} quartic_tuning_entry;

typedef struct quartic_tuning_table {
    quartic_tuning_entry *entries; /* ascending by problem */
    uint32_t count, capacity;
} quartic_tuning_table;

/* The number of a problem: a hash of 64 bits. */
uint64_t quartic_tuning_problem(const quartic_op *op, const quartic_op_call *call);

/* The choice for a problem; NULL if the table has none. table may be NULL. The table keeps it. */
const quartic_tuning_choice *quartic_tuning_find(const quartic_tuning_table *table, uint64_t problem);

/* Sets the choice for a problem, in place of the one before. OUT_OF_MEMORY: the table is as it was. */
quartic_status quartic_tuning_set(quartic_tuning_table *table, uint64_t problem,
                                  const quartic_tuning_choice *choice);

/* Frees the entries. */
void quartic_tuning_clear(quartic_tuning_table *table);

/* A hash of all entries; 0 for a table without any. */
uint64_t quartic_tuning_hash(const quartic_tuning_table *table);

/* The candidates of a problem, the plan's own (all 0) first: at most capacity of them. 1 where there is nothing to
 * choose. */
enum { QUARTIC_TUNING_MOST_CANDIDATES = 64 };
struct quartic_gpu_limits;
uint32_t quartic_tuning_candidates(const quartic_op *op, const quartic_op_call *call,
                                   const struct quartic_gpu_limits *limits,
                                   quartic_tuning_choice out[QUARTIC_TUNING_MOST_CANDIDATES]);

/* "tile 3, 4 parts" into a buffer of that many bytes; "the plan's own" for all 0. Returns the buffer. */
enum { QUARTIC_TUNING_TEXT = 128 };
const char *quartic_tuning_text(const quartic_tuning_choice *choice, char text[QUARTIC_TUNING_TEXT]);

#endif
