/* graph.h (internal): the tables behind a quartic_graph.
 *
 * Nodes in order of appending, each an op with its attrs, inputs and outputs. A value is a layout over a
 * storage; views and in-place updates share storages. Value id k is values[k - 1]; id 0 is none.
 */
#ifndef QUARTIC_GRAPH_GRAPH_H
#define QUARTIC_GRAPH_GRAPH_H

#include "base/names.h"
#include "graph/tape.h"
#include "quartic/graph.h"

#define QUARTIC_NONE UINT32_MAX

typedef enum quartic_storage_kind {
    QUARTIC_STORAGE_INTERMEDIATE,
    QUARTIC_STORAGE_INPUT,
    QUARTIC_STORAGE_PARAMETER,
    QUARTIC_STORAGE_STATE,
    QUARTIC_STORAGE_OUTPUT
} quartic_storage_kind;

typedef struct quartic_storage {
    quartic_storage_kind kind;
    quartic_dtype dtype;
    uint64_t elements;
    quartic_shape shape; /* as declared, for named storages */
    char *name;          /* NULL for intermediates */
    bool updated;        /* some node updates it in place */
} quartic_storage;

typedef struct quartic_node {
    const quartic_op *op;
    uint64_t attrs[QUARTIC_OP_ATTRS_BYTES / 8];
    uint32_t input_count, output_count;
    uint32_t inputs[QUARTIC_OP_MAX_INPUTS];   /* value ids, 0 for left out */
    uint32_t outputs[QUARTIC_OP_MAX_OUTPUTS]; /* value ids */
    uint32_t scope;                           /* index into scopes */
    bool recompute;
} quartic_node;

typedef struct quartic_graph_value {
    quartic_layout layout;
    uint32_t storage;
    uint32_t node; /* producer, QUARTIC_NONE for inputs, parameters and states */
} quartic_graph_value;

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

/* The value of that id as callers hold it; no value for id 0. */
static inline quartic_value quartic_graph_value_of(const quartic_graph *graph, uint32_t id) {
    return (quartic_value){id, id == 0 ? 0 : graph->number};
}

/* An empty graph. It puts `copy` in front of operands that must be contiguous and are not; the language
 * itself knows no op. */
quartic_status quartic_graph_create_empty(const quartic_op *copy, quartic_graph **out_graph);

/* The storage of that name, or QUARTIC_NONE. */
uint32_t quartic_graph_find_named(const quartic_graph *graph, const char *name);

/* The last node from `first` to `last` that updates in place what value id reads (the same storage, in
 * overlapping ranges), or QUARTIC_NONE. */
uint32_t quartic_graph_last_update(const quartic_graph *graph, uint32_t id, uint32_t first, uint32_t last);

/* Makes the first error stick; returns the status. A graph of NULL only hands the status on. */
QUARTIC_RAISED quartic_graph_fail(quartic_graph *graph, quartic_status status);

/* A deep copy, so that a program outlives the graph it was compiled from. */
quartic_status quartic_graph_clone(const quartic_graph *graph, quartic_graph **out_graph);

/* The layouts of a node's operands, for infer, gpu and flops rules. Arrays must hold the op maxima. */
quartic_op_call quartic_graph_call(const quartic_graph *graph, const quartic_node *node,
                                   quartic_layout inputs[QUARTIC_OP_MAX_INPUTS],
                                   quartic_layout outputs[QUARTIC_OP_MAX_OUTPUTS]);

#endif
