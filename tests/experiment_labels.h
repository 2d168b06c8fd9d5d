/* experiment_labels.h: the labels of `quartic experiment`'s tasks by brute force, each in a way other than the
 * generator's. */
#ifndef EXPERIMENT_LABELS_H
#define EXPERIMENT_LABELS_H

#include "tool/experiment_tasks.h"

/* The label of one target of a graph (a pair, a node, or 0 where graphs have labels); -1: it has none. Fails
 * the test if the graph is none of the task's. */
int32_t experiment_true_label(const experiment_task *task, const experiment_data *data, uint32_t graph,
                              uint32_t target);

/* Whether two undirected graphs of n nodes, as adjacency (i, j), are the same but for the order of their
 * nodes. By trying: for graphs in which few nodes fit. */
bool experiment_isomorphic(const int32_t *left, const int32_t *right, uint32_t n);

#endif
