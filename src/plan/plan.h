/* plan.h: order and memory of a graph's steps, decided before anything is allocated. Pure.
 *
 * Steps are the nodes that a named output or an in-place update depends on, in graph order, without views.
 * Every intermediate storage lives from its first to its last step; storages whose lives do not overlap share
 * workspace bytes (best fit by offset). An output of an op that allows it takes over the memory of an input
 * that dies there. Scratch lives for one step. Offsets are multiples of 256.
 */
#ifndef QUARTIC_PLAN_PLAN_H
#define QUARTIC_PLAN_PLAN_H

#include "graph/graph.h"

/* Bytes of scratch that a backend needs for a node; a failure stops the planning. */
typedef quartic_status (*quartic_scratch_rule)(void *context, const quartic_node *node,
                                               const quartic_op_call *call, uint64_t *out_bytes);

typedef struct quartic_plan_step {
    uint32_t node;
    uint64_t scratch_offset, scratch_bytes; /* in the workspace */
} quartic_plan_step;

typedef struct quartic_plan_place {
    bool used;         /* some step or output touches the storage */
    bool in_workspace; /* else it is a named tensor */
    uint64_t offset;   /* bytes in the workspace */
    uint64_t bytes;
} quartic_plan_place;

typedef struct quartic_plan {
    quartic_plan_step *steps;
    uint32_t step_count;
    quartic_plan_place *places; /* one per storage of the graph */
    uint32_t storage_count;
    uint64_t workspace_bytes;
    uint64_t unshared_bytes;
} quartic_plan;

/* real_bytes: 4, or 8 where real numbers are held as double. */
quartic_status quartic_plan_create(const quartic_graph *graph, uint32_t real_bytes,
                                   quartic_scratch_rule scratch, void *context, quartic_plan *out_plan);
void quartic_plan_destroy(quartic_plan *plan);

#endif
