/* plan.h: the steps of a graph and their memory, decided before anything is allocated. A pure function.
 *
 * Steps are the nodes that a named output or an in-place update depends on, in graph order, without views. An
 * intermediate storage lives from its first to its last step. Where the op allows it, output 0 takes over the
 * memory of an input that dies at that step. Scratch memory lives for one step. Blocks whose lives do not
 * overlap share the workspace: they are placed largest first, each at the lowest free offset (first fit,
 * place.h). Offsets are multiples of 256.
 */
#ifndef QUARTIC_PLAN_PLAN_H
#define QUARTIC_PLAN_PLAN_H

#include "graph/graph.h"

/* Gives the bytes of scratch memory that a backend needs for a node. An error ends the planning with it. */
typedef quartic_status (*quartic_scratch_rule)(void *context, const quartic_node *node,
                                               const quartic_op_call *call, uint64_t *out_bytes);

typedef struct quartic_plan_step {
    uint32_t node;                          /* index in the graph */
    uint64_t scratch_offset, scratch_bytes; /* in the workspace */
} quartic_plan_step;

typedef struct quartic_plan_place {
    bool used;         /* some step reads or writes the storage, or it is named */
    bool in_workspace; /* else it is a named tensor, or not used */
    uint64_t offset;   /* in the workspace, in bytes */
    uint64_t bytes;
} quartic_plan_place;

typedef struct quartic_plan {
    quartic_plan_step *steps;
    uint32_t step_count;
    quartic_plan_place *places; /* one per storage of the graph */
    uint32_t storage_count;
    uint64_t workspace_bytes;
    uint64_t unshared_bytes; /* what the workspace would take if nothing shared memory */
} quartic_plan;

/* Plans a graph. real_bytes: 4, or 8 where real numbers are stored as double. scratch may be NULL: no step
 * needs any. The caller destroys the plan. Errors: the graph's own, OUT_OF_MEMORY, those of scratch; the plan
 * is then empty. */
quartic_status quartic_plan_create(const quartic_graph *graph, uint32_t real_bytes,
                                   quartic_scratch_rule scratch, void *context, quartic_plan *out_plan);
/* Frees what the plan holds and leaves it empty; an empty one is fine. */
void quartic_plan_destroy(quartic_plan *plan);

#endif
