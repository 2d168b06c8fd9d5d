/* experiment_tasks.h: the graphs of `quartic experiment`: tasks that need relations of relations.
 *
 *   cycles   random 3-regular graphs of 12 equal nodes.
 *            Of the graph: does it contain a triangle?
 *   foaf     random directed graphs with as many edges out of as into every node ("friend of a friend").
 *            Of i and j: is there an l with i -> l -> j?
 *   compose  two random functions f and g over 16 nodes.
 *            Of i and j: is g(f(i)) = j?
 *   set      8 of the 27 cards with 3 attributes of 3 values; no edges.
 *            Of i and j: does the card that completes their set lie on the table?
 *
 * Every graph is a pure function of (seed, part, index). A graph's hash does not depend on the order of its
 * nodes. It decides whether the graph may be drawn for training or for the test, so that the two never share
 * a graph, not even with its nodes in another order. Labels are 0 and 1, equally many of each. Where pairs
 * have labels, a random part of the more frequent label is masked (-1) in each graph. Where graphs have
 * labels, the labels alternate.
 */
#ifndef QUARTIC_TOOL_EXPERIMENT_TASKS_H
#define QUARTIC_TOOL_EXPERIMENT_TASKS_H

#include "quartic/model.h"
#include "quartic/random.h"
#include "tool/tool.h"

typedef enum experiment_part { EXPERIMENT_TRAIN, EXPERIMENT_TEST } experiment_part;

/* One graph, to be filled in. */
typedef struct experiment_graph {
    int32_t *tokens;     // (n)
    int32_t *edge_types; // (i, j), or NULL
    int32_t *targets;    // (i, j), or (1)
} experiment_graph;

/* A stream of random numbers. */
typedef struct experiment_source {
    uint64_t seed, index;
    uint32_t stream;
} experiment_source;

/* The next number below `range`. */
uint32_t experiment_below(experiment_source *source, uint32_t range);
/* 0 .. n-1 in random order. */
void experiment_permutation(experiment_source *source, uint32_t n, uint32_t *out_order);

typedef struct experiment_task {
    const char *name, *question;
    uint32_t n, tokens, edge_types; /* sizes; edge_types 0: none are given */
    quartic_readout readout;        /* edge or graph */
    /* pairs with an edge and pairs without are balanced separately, so that the edge does not predict the
     * label */
    bool balanced_by_type;
    uint32_t test_graphs;
    /* Draws one graph with all its labels. label: the label wanted, where graphs have labels. False: draw
     * again. */
    bool (*draw)(const struct experiment_task *task, experiment_source *source, uint32_t label,
                 const experiment_graph *graph);
} experiment_task;

/* The tasks by number; NULL past the last. */
const experiment_task *experiment_task_at(uint32_t index);
const experiment_task *experiment_task_named(const char *name);

typedef struct experiment_data {
    uint32_t graphs, n, targets_per_graph;
    int32_t *tokens;     // (graphs, n)
    int32_t *edge_types; // (graphs, i, j), or NULL
    int32_t *targets;    // (graphs, targets_per_graph)
    uint64_t *hashes;    // (graphs)
} experiment_data;

void experiment_data_draw(const experiment_task *task, uint64_t seed, experiment_part part, uint32_t graphs,
                          experiment_data *out_data);
void experiment_data_free(experiment_data *data);

/* The share of the more frequent label, which is the accuracy of always answering it. */
double experiment_majority(const experiment_data *data);

/* A hash that is the same for graphs that differ only in the order of their nodes. */
uint64_t experiment_graph_hash(const experiment_task *task, const experiment_graph *graph);

#endif
