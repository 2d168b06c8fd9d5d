/* graph.h (internal): the tables behind a quartic_graph.
 *
 *   nodes      one per use of an op, in the order of appending: the op, its attributes, its operands
 *   values     one per output of a node and per input, parameter and state: a layout over a storage
 *   storages   memory to be placed; the output of a view or an in-place update has the storage of its input
 *
 * Value id k is values[k - 1]; id 0 means no value. Nothing is ever removed. access.h describes the entries.
 * The folders above `run` do not include this header, directly or through another one: they read graphs
 * through access.h.
 */
#ifndef QUARTIC_GRAPH_GRAPH_H
#define QUARTIC_GRAPH_GRAPH_H

#include "base/names.h"
#include "graph/access.h"

struct quartic_graph {
    const quartic_op *copy; /* the op that makes operands contiguous: see quartic_graph_create_empty */
    uint32_t number;        /* stored in every value of the graph; differs from graph to graph */
    quartic_status status;  /* the first error, and its message */
    char error[512];
    const char *error_function; /* the public function that failed, "" for none */
    quartic_node *nodes;
    uint32_t node_count, node_capacity;
    quartic_graph_value *values;
    uint32_t value_count, value_capacity;
    quartic_storage *storages;
    uint32_t storage_count, storage_capacity;
    char **scopes; /* full paths; scopes[0] is "" */
    uint32_t scope_count, scope_capacity;
    uint32_t scope_stack[16], scope_depth;
    uint32_t recompute_depth;
    uint32_t *updates; /* indices of the nodes that update storages in place, ascending */
    uint32_t update_count, update_capacity;
    quartic_names names; /* of the named storages, to their indices */
};

/* The entry of a value; id must not be 0. Valid until the next node is appended. */
static inline const quartic_graph_value *quartic_graph_get(const quartic_graph *graph, uint32_t id) {
    return &graph->values[id - 1];
}

/* Creates an empty graph, which the caller destroys. `copy` is an op with one input of any strides and one
 * contiguous output with the same elements; the graph puts it in front of operands that must be contiguous
 * and are not. (This folder knows no op by name.) Errors: OUT_OF_MEMORY; then *out_graph is NULL. */
quartic_status quartic_graph_create_empty(const quartic_op *copy, quartic_graph **out_graph);

/* The last of the nodes `first` to `last` that updates in place some element of value id: the same storage,
 * in overlapping ranges. QUARTIC_NONE if there is none. */
uint32_t quartic_graph_last_update(const quartic_graph *graph, uint32_t id, uint32_t first, uint32_t last);

#endif
