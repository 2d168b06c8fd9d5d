/* graph.h (internal): the tables behind a quartic_graph, whose records access.h describes. Value id k is
 * values[k - 1]. The folders above `run` do not include this header, directly or through another one: they
 * read graphs through access.h.
 */
#ifndef QUARTIC_GRAPH_GRAPH_H
#define QUARTIC_GRAPH_GRAPH_H

#include "base/names.h"
#include "graph/access.h"

struct quartic_graph {
    const quartic_op *copy; /* one input of any strides, one contiguous output with the same elements */
    uint32_t number;        /* in every value of the graph: another graph has another number */
    quartic_status status;
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
    uint32_t *updates; /* the nodes that update storages in place, ascending */
    uint32_t update_count, update_capacity;
    quartic_names names; /* of named storages */
};

static inline const quartic_graph_value *quartic_graph_get(const quartic_graph *graph, uint32_t id) {
    return &graph->values[id - 1];
}

/* An empty graph. It puts `copy` in front of operands that must be contiguous and are not; the language
 * itself knows no op. */
quartic_status quartic_graph_create_empty(const quartic_op *copy, quartic_graph **out_graph);

/* The last node from `first` to `last` that updates in place what value id reads (the same storage, in
 * overlapping ranges), or QUARTIC_NONE. */
uint32_t quartic_graph_last_update(const quartic_graph *graph, uint32_t id, uint32_t first, uint32_t last);

#endif
