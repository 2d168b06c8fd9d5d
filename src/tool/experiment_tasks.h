/* experiment_tasks.h: the graphs of `quartic experiment`: tasks that need relations of relations.
 *
 *   cycles    random 3-regular graphs of 12 equal nodes.
 *             Of the graph: does it contain a triangle?
 *   foaf      random directed graphs with as many edges out of as into every node ("friend of a friend").
 *             Of i and j: is there an l with i -> l -> j?
 *   compose   two random functions f and g over 16 nodes.
 *             Of i and j: is g(f(i)) = j?
 *   set       8 of the 27 cards with 3 attributes of 3 values; no edges.
 *             Of i and j: does the card that completes their set lie on the table?
 *   relation  three groups I, M, J of m nodes each, an arrow from each of I to a node of M of its own, and
 *             from M to J a random relation in which each has m / 2 partners.
 *             Of i in I and j in J: is there an l with i -> l -> j? (theorem 4 of docs/which-edge-attention.md)
 *   quotient  the same, and M falls into classes of two.
 *             Of i in I and j in J: are there an l and another k of its class with i -> l and k -> j?
 *   twins     a label on each directed edge between 8 nodes, of 64.
 *             Of i and j: does an edge that shares no node with (i, j) carry the label of (i, j)?
 *   analogy   two situations of 5 objects each, with a label on each directed edge within a situation.
 *             Of i and j: does an edge of the other situation carry the label of (i, j)?
 *   repeats   a label on each directed edge between 8 nodes, of 9.
 *             Of i and j: does another edge out of i carry the label of (i, j)? What axial attention sees at once.
 *   match3    8 numbers modulo 37, as tokens; no edges (Sanford, Hsu and Telgarsky 2023).
 *             Of i: are there j and k with x_i + x_j + x_k = 0?
 *   siblings  two functions f and h over 16 nodes; f gives each of four values to four nodes. A positive
 *             control: nodes that can be told apart need only look at f(i) to answer.
 *             Of i and j: is f(i) = f(j)?
 *   circulants, strongly-regular, cfi, designs
 *             one of two graphs with its nodes in random order: the circulant graphs on 11 nodes with skips 1
 *             and 2, 1 and 3; the 4 x 4 rook's graph and Shrikhande's; the graphs of Cai, Fuerer and Immerman
 *             over K(3, 3), straight and twisted; two distance-regular graphs of points and blocks.
 *             Of the graph: is it the second?
 *
 * Every graph is a pure function of (seed, part, index). A graph's hash does not depend on the order of its
 * nodes. It decides whether the graph may be drawn for training, for validation or for the test, so that no two
 * share a graph, not even with its nodes in another order; the tasks with two graphs are the exception, where
 * training and test are orders of the same two. Labels are 0 and 1, equally many of each. Where pairs
 * have labels, a random part of the more frequent label is masked (-1) in each graph; nodes' labels likewise. Where graphs have
 * labels, the labels alternate.
 */
#ifndef QUARTIC_TOOL_EXPERIMENT_TASKS_H
#define QUARTIC_TOOL_EXPERIMENT_TASKS_H

#include "quartic/model.h"
#include "tool/experiment_source.h"
#include "tool/tool.h"

enum { EXPERIMENT_MOST_NODES = 64 };

/* Of the classes of graphs that differ in more than order, half are for training and a quarter each for the
 * other two. */
typedef enum experiment_part { EXPERIMENT_TRAIN, EXPERIMENT_TEST, EXPERIMENT_VALIDATION } experiment_part;

/* One graph, to be filled in. */
typedef struct experiment_graph {
    int32_t *tokens;     // (n)
    int32_t *edge_types; // (i, j), or NULL
    int32_t *targets;    // (i, j), (i) or (1)
} experiment_graph;

typedef struct experiment_task {
    const char *name, *question;
    uint32_t n, tokens, edge_types; /* sizes; edge_types 0: none are given */
    quartic_readout readout;        /* edge, node or graph */
    /* Other n: multiples of node_step, 0: n is fixed; not below fewest_nodes, where there would be too few
     * graphs for a test of its own. */
    uint32_t node_step, fewest_nodes;
    /* Of every node; 0: chosen by n, or of no meaning. Others: from least_degree to most_degree, 0: none. */
    uint32_t degree, least_degree, most_degree;
    uint32_t (*types_of)(uint32_t n); /* edge_types for n nodes; NULL: the same for all */
    /* pairs with an edge and pairs without are balanced separately, so that the edge does not predict the
     * label */
    bool balanced_by_type;
    bool two_graphs; /* all graphs are orders of two */
    /* (i, l) and (l, j) make (i, j) if their types have these bits, for the picture of a learnt attention; 0:
     * there is none to draw */
    int32_t pivot_types[2];
    uint32_t test_graphs;
    /* Draws one graph with all its labels. label: the label wanted, where graphs have labels. False: draw
     * again. */
    bool (*draw)(const struct experiment_task *task, experiment_source *source, uint32_t label,
                 const experiment_graph *graph);
} experiment_task;

/* The tasks by number; NULL past the last. */
const experiment_task *experiment_task_at(uint32_t index);
const experiment_task *experiment_task_named(const char *name);
/* The names of all tasks as a list in English, for messages: "a, b and c". */
void experiment_task_list(char *out_text, size_t capacity);
/* *out_task gets the task with n nodes in a graph. False if it has no graphs of n nodes; *out_task is then
 * undefined. n: 0 for the task's own. */
bool experiment_task_resize(const experiment_task *task, uint32_t n, experiment_task *out_task);
/* Gives a task's graphs another degree; 0 leaves it. False if it has no such graphs of its n. */
bool experiment_task_set_degree(experiment_task *task, uint32_t degree);
/* How many targets a graph has. */
uint32_t experiment_task_targets(const experiment_task *task);

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
