/* tape_state.h: the state of one backward pass, which the functions of tape.h read.
 *
 * Only tape.c and diff/autodiff.c include this. Gradient rules see tape.h.
 */
#ifndef QUARTIC_GRAPH_TAPE_STATE_H
#define QUARTIC_GRAPH_TAPE_STATE_H

#include "graph/graph.h"

/* The elements start .. start + length - 1 of a value along one axis. */
typedef struct quartic_tape_part {
    uint32_t axis, start, length;
} quartic_tape_part;

struct quartic_tape {
    quartic_graph *graph;
    uint32_t value_count;    /* of the graph before the backward pass */
    uint32_t node_count;     /* of the graph before the backward pass */
    quartic_value *gradient; /* per value id: its gradient so far, perhaps of another shape (take_reshaped) */
    bool *depends;           /* per value id: whether it depends on a value whose gradient is asked for */
    uint32_t *recomputed;    /* per value id: the value to read instead, 0 if not decided yet */
    uint32_t node_index;     /* the node whose adjoint is being built */
    quartic_node node;       /* a copy of it, since the table of nodes moves as it grows */
    /* Receives what a rule gives: a gradient of value id, or of a part of it with zeros elsewhere (part NULL:
     * of all of it). It is diff/autodiff.c's, because adding gradients needs ops, which this folder does not
     * know. The graph keeps an error. */
    void (*take)(quartic_tape *tape, uint32_t id, const quartic_tape_part *part, quartic_value gradient);
    /* Of value id, for quartic_tape_collect. */
    quartic_value (*collect)(quartic_tape *tape, uint32_t id);
    /* As take, for quartic_tape_give_reshaped. */
    void (*take_reshaped)(quartic_tape *tape, uint32_t id, quartic_value gradient);
};

#endif
