/* access.h: what other folders see of a graph beyond the public header: its records, read through functions.
 *
 * A graph is a list of nodes in the order of appending, each an op with its attrs, inputs and outputs. A
 * value is a layout over a storage; views and in-place updates share storages. A value's id counts from 1; id
 * 0 stands for no value. Nodes and storages count from 0. Pointers to records are valid until the graph
 * changes.
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
/* The record of a value, by an id that is not 0. */
const quartic_graph_value *quartic_graph_value_record(const quartic_graph *graph, uint32_t id);
/* The value of an id as callers hold it; no value for id 0. */
quartic_value quartic_graph_value_of(const quartic_graph *graph, uint32_t id);
/* Gives a view another layout over its storage, which must hold all of it. For checks, which run an op on
 * operands in the layouts that they have in another graph. */
void quartic_graph_set_layout(quartic_graph *graph, quartic_value view, const quartic_layout *layout);

/* The storage of that name, or QUARTIC_NONE. */
uint32_t quartic_graph_find_named(const quartic_graph *graph, const char *name);

/* Makes the first error stick; returns the status. A graph of NULL only hands the status on. */
QUARTIC_RAISED quartic_graph_fail(quartic_graph *graph, quartic_status status);

/* A deep copy, so that a program outlives the graph it was compiled from. */
quartic_status quartic_graph_clone(const quartic_graph *graph, quartic_graph **out_graph);

/* The layouts of a node's operands, for infer, gpu and flops rules. Arrays must hold the op maxima. */
quartic_op_call quartic_graph_call(const quartic_graph *graph, const quartic_node *node,
                                   quartic_layout inputs[QUARTIC_OP_MAX_INPUTS],
                                   quartic_layout outputs[QUARTIC_OP_MAX_OUTPUTS]);

#endif
