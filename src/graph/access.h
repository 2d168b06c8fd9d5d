/* access.h: what other folders see of a graph beyond the public header: its records, read through functions.
 *
 * A graph is a list of nodes in the order of appending, each a use of an op with its attributes, inputs and
 * outputs. A value is a layout over a storage; views and in-place updates share the storage of their input.
 * Ids of values count from 1; id 0 means no value. Indices of nodes and storages count from 0 and, like ids,
 * must be in range: nothing here checks them, and the functions that return no status cannot fail. Pointers to
 * records belong to the graph and are valid until the next node is appended.
 */
#ifndef QUARTIC_GRAPH_ACCESS_H
#define QUARTIC_GRAPH_ACCESS_H

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
    quartic_shape shape; /* of a named storage, as it was declared */
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
    uint32_t node; /* the node that computes it; QUARTIC_NONE for inputs, parameters and states */
    uint32_t copy; /* the id of a contiguous copy that an operand needed; 0: there is none */
} quartic_graph_value;

/* Whether an op updates an input in place. */
static inline bool quartic_op_mutates(const quartic_op *op, uint32_t input) {
    return op->mutated_inputs >> input & 1u;
}

uint32_t quartic_graph_node_count(const quartic_graph *graph);
const quartic_node *quartic_graph_node(const quartic_graph *graph, uint32_t index);
/* The path of the scopes in which a node was appended, joined by '/'; "" outside of all. */
const char *quartic_graph_node_scope(const quartic_graph *graph, const quartic_node *node);

uint32_t quartic_graph_storage_count(const quartic_graph *graph);
const quartic_storage *quartic_graph_storage(const quartic_graph *graph, uint32_t index);

uint32_t quartic_graph_value_count(const quartic_graph *graph);
/* The record of the value with that id, which must not be 0. */
const quartic_graph_value *quartic_graph_value_record(const quartic_graph *graph, uint32_t id);
/* The handle that callers have for a value; no value for id 0. */
quartic_value quartic_graph_value_of(const quartic_graph *graph, uint32_t id);
/* Gives a view another layout over its storage, which must hold all of it. Checks use it to run an op on
 * operands with the layouts that they have in another graph. */
void quartic_graph_set_layout(quartic_graph *graph, quartic_value view, const quartic_layout *layout);

/* The index of the storage with that name; QUARTIC_NONE if there is none or name is NULL. */
uint32_t quartic_graph_find_named(const quartic_graph *graph, const char *name);

/* Keeps status and the thread's error message as the graph's error, unless it has one already. Returns the
 * graph's first error. If graph is NULL, it returns status. */
QUARTIC_RAISED quartic_graph_fail(quartic_graph *graph, quartic_status status);

/* Makes a deep copy, which the caller destroys: a program keeps one, so that it outlives the graph that it
 * was compiled from. Errors: OUT_OF_MEMORY; then *out_graph is NULL. */
quartic_status quartic_graph_clone(const quartic_graph *graph, quartic_graph **out_graph);

/* Fills the arrays with the layouts of a node's operands and returns a call that points to them, for the
 * rules of an op (infer, gpu, flops). It is valid as long as the arrays and the node. */
quartic_op_call quartic_graph_call(const quartic_graph *graph, const quartic_node *node,
                                   quartic_layout inputs[QUARTIC_OP_MAX_INPUTS],
                                   quartic_layout outputs[QUARTIC_OP_MAX_OUTPUTS]);

#endif
