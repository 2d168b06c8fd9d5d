/* tape_state.h: what is behind a quartic_tape: the state of one backward pass that its accessors read.
 *
 * Only tape.c and the walk (diff/autodiff.c) include this; gradient rules see tape.h.
 */
#ifndef QUARTIC_GRAPH_TAPE_STATE_H
#define QUARTIC_GRAPH_TAPE_STATE_H

#include "graph/graph.h"

/* A stretch of a value along one axis. */
typedef struct quartic_tape_part {
    uint32_t axis, start, length;
} quartic_tape_part;

struct quartic_tape {
    quartic_graph *graph;
    uint32_t value_count;    /* values before the backward pass */
    uint32_t node_count;     /* nodes before the backward pass */
    quartic_value *gradient; /* per value id */
    bool *depends;           /* per value id: on a wanted value */
    uint32_t *recomputed;    /* per value id: the value to read instead, 0 if not decided */
    uint32_t node_index;
    quartic_node node; /* the node at hand, a copy since the table grows */
    /* Takes what a rule gives: the gradient of value id, or of a part of it with zeros elsewhere (NULL: of
     * all of it). Adding gradients up needs ops, which the language does not know: the walk does it. An error
     * is kept by the graph. */
    void (*take)(quartic_tape *tape, uint32_t id, const quartic_tape_part *part, quartic_value gradient);
};

#endif
