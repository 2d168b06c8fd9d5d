/* assigns.h: values that are made where they are to be put. Pure.
 *
 * A node whose op `assigns` puts a value into a range of a named tensor. Where the value is an intermediate of
 * its own, which nothing updates, and nobody else touches that range from the moment the value begins to be
 * made until it is last read, the value can lie in the range from the start, and the node has nothing to do.
 */
#ifndef QUARTIC_PLAN_ASSIGNS_H
#define QUARTIC_PLAN_ASSIGNS_H

#include "graph/graph.h"

/* Where an intermediate storage lies: at an element of a named one; storage QUARTIC_NONE: in the workspace. */
typedef struct quartic_plan_alias {
    uint32_t storage;
    uint64_t offset;
} quartic_plan_alias;

/* Fills out_aliases, one per storage of the graph. inout_node_needed: which nodes run; taken away from those
 * that have nothing to do. Takes about n log n for n nodes. Errors: OUT_OF_MEMORY. */
quartic_status quartic_assigns_find(const quartic_graph *graph, bool *inout_node_needed,
                                    quartic_plan_alias *out_aliases);

#endif
