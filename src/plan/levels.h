/* levels.h: which steps of a graph may stand side by side. Pure.
 *
 * A step takes as many levels as it has stages that wait for one another. It begins after the last level of
 * every step that writes what it reads, or reads or writes what it writes; so steps of one level need no
 * barrier between them. Only ranges of one storage can meet: memory that is used again is none of this file.
 *
 * A step does not move further ahead than `window` steps of the graph's order: what begins early lives long.
 */
#ifndef QUARTIC_PLAN_LEVELS_H
#define QUARTIC_PLAN_LEVELS_H

#include "plan/assigns.h"

/* aliases: where storages lie in others, one per storage. The first level of each of `count` steps, which are nodes of the graph in its order; stages[t] is at least
 * 1. Errors: OUT_OF_MEMORY. */
quartic_status quartic_levels_find(const quartic_graph *graph, const quartic_plan_alias *aliases,
                                   const uint32_t *nodes, const uint32_t *stages, uint32_t count,
                                   uint32_t window, uint32_t *out_levels);

#endif
