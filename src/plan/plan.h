/* plan.h: the steps of a graph and their memory, decided before anything is allocated. A pure function.
 *
 * Steps are the nodes that a named output or an in-place update depends on, without views, in graph order or by
 * level (levels.h). An intermediate storage lives from its first to its last level. Where the op allows it,
 * output 0 takes over the memory of an input that dies at that step. Scratch memory lives for one step. Blocks
 * whose lives do not overlap share the workspace: they are placed largest first, each at the lowest free offset
 * (first fit, place.h). Offsets are multiples of 256. Counters of steps, which a run begins by setting to 0, lie
 * together in a block that shares its memory with nothing.
 *
 * Bytes against barriers: in graph order every step has levels of its own and memory is used again as soon as
 * it is free, so a device waits after nearly every step. By level, steps that do not depend on each other
 * stand side by side, and what they use lives side by side, too: the further ahead steps may move, the fewer
 * levels there are, and mostly the more bytes. The budget chooses: of a row of windows, the widest whose
 * workspace stays within it; graph order if none does.
 */
#ifndef QUARTIC_PLAN_PLAN_H
#define QUARTIC_PLAN_PLAN_H

#include "plan/arenas.h"
#include "plan/assigns.h"

/* What a backend needs for a node. */
typedef struct quartic_step_need {
    uint64_t scratch_bytes, counter_bytes;
    uint32_t stages; /* parts that must wait for one another, at least 1 */
} quartic_step_need;

/* Gives what a backend needs for a node; *out_need begins as no scratch and one stage. An error ends the planning
 * with it. */
typedef quartic_status (*quartic_scratch_rule)(void *context, const quartic_node *node,
                                               const quartic_op_call *call, quartic_step_need *out_need);

typedef struct quartic_plan_step {
    uint32_t node;                          /* index in the graph */
    uint32_t level, stages;                 /* its stages stand at the levels level, level + 1, .. */
    uint64_t scratch_offset, scratch_bytes; /* in the workspace */
    uint64_t counter_offset, counter_bytes; /* in the plan's counters */
} quartic_plan_step;

typedef struct quartic_plan_place {
    bool used;                /* some step reads or writes the storage, or it is named */
    bool in_workspace;        /* else it is a named tensor, lies in one, or is not used */
    quartic_plan_alias alias; /* the named tensor that an intermediate lies in (assigns.h) */
    uint64_t offset;          /* in the workspace, in bytes */
    uint64_t bytes;
} quartic_plan_place;

typedef struct quartic_plan {
    quartic_plan_step *steps;
    uint32_t step_count;
    quartic_plan_place *places; /* one per storage of the graph */
    uint32_t storage_count;
    uint32_t level_count;
    quartic_arenas arenas;                    /* the allocations that the workspace consists of */
    uint64_t workspace_bytes;                 /* of all arenas */
    uint64_t counters_offset, counters_bytes; /* in the workspace: the counters of all steps */
    uint64_t unshared_bytes;                  /* what the workspace would take if nothing shared memory */
} quartic_plan;

/* Plans a graph in graph order, in one arena. real_bytes: 4, or 8 where real numbers are stored as double. scratch may be NULL:
 * no step needs any. The caller destroys the plan. Errors: the graph's own, OUT_OF_MEMORY, those of scratch; the
 * plan is then empty. */
quartic_status quartic_plan_create(const quartic_graph *graph, uint32_t real_bytes,
                                   quartic_scratch_rule scratch, void *context, quartic_plan *out_plan);

/* What a workspace may take to save barriers: so many bytes and, unless times_least is 0, so many times the
 * bytes that it takes in graph order; bytes 0: graph order. And what one allocation may take, or 0 where it
 * may take anything: a larger workspace goes into several arenas. */
typedef struct quartic_plan_budget {
    uint64_t bytes;
    uint32_t times_least;
    uint64_t allocation_bytes;
} quartic_plan_budget;
/* Where the caller says nothing: twice the least, and a quarter of the device's memory. allocation_bytes: the
 * most that one allocation on the device may take. */
quartic_plan_budget quartic_plan_standard_budget(uint64_t device_bytes, uint64_t allocation_bytes);

/* By level, of the plans whose workspace is within the budget that with the widest window; in graph order, as
 * quartic_plan_create, if none is. Errors: OUT_OF_DEVICE_MEMORY, with the figures, for a single value, tensor
 * or scratch that is larger than one allocation may be. */
quartic_status quartic_plan_create_within(const quartic_graph *graph, uint32_t real_bytes,
                                          quartic_scratch_rule scratch, void *context,
                                          const quartic_plan_budget *budget, quartic_plan *out_plan);
/* Frees what the plan holds and leaves it empty; an empty one is fine. */
void quartic_plan_destroy(quartic_plan *plan);

#endif
