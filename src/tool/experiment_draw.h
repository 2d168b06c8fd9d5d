/* experiment_draw.h: how the tasks of `quartic experiment` draw their graphs. experiment_tasks.h says what
 * each task asks.
 *
 * Each function fills in one graph of task->n nodes with all its labels, from `source`. label: the label
 * wanted, where graphs have labels; else it is ignored. False: this draw does not fit, draw again. tokens are
 * (n), edge_types (i, j), targets as many as the task's read-out has.
 */
#ifndef QUARTIC_TOOL_EXPERIMENT_DRAW_H
#define QUARTIC_TOOL_EXPERIMENT_DRAW_H

#include "tool/experiment_tasks.h"

enum { EXPERIMENT_DECK = 27 /* cards of set */ };

#define EXPERIMENT_DRAW(name)                                                                                \
    bool experiment_draw_##name(const experiment_task *task, experiment_source *source, uint32_t label,      \
                                const experiment_graph *graph)

/* experiment_draw.c: one or two edges that meet at a node. */
EXPERIMENT_DRAW(cycles);
EXPERIMENT_DRAW(foaf);
EXPERIMENT_DRAW(compose);
EXPERIMENT_DRAW(set);

/* experiment_draw_relations.c: relations in three groups of nodes, and the tasks that need no edge to see
 * another. */
EXPERIMENT_DRAW(relation);
EXPERIMENT_DRAW(quotient);
EXPERIMENT_DRAW(siblings);
EXPERIMENT_DRAW(match3);

/* experiment_draw_labels.c: edges with many labels. */
EXPERIMENT_DRAW(twins);
EXPERIMENT_DRAW(analogy);
EXPERIMENT_DRAW(repeats);
/* Edge types for n nodes: 0 for no label, and the labels. */
uint32_t experiment_twins_types(uint32_t n);
uint32_t experiment_analogy_types(uint32_t n);
uint32_t experiment_repeats_types(uint32_t n);

/* experiment_draw_pairs.c: one of two graphs, label 0 or 1, in a random order of its nodes. */
EXPERIMENT_DRAW(circulants);
EXPERIMENT_DRAW(strongly_regular);
EXPERIMENT_DRAW(cfi);
EXPERIMENT_DRAW(designs);

#undef EXPERIMENT_DRAW

#endif
