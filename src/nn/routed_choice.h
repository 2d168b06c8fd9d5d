/* routed_choice.h: which edges routed attention chooses: their weights and their indices. See docs/models.md
 * and docs/edge-attention.md.
 */
#ifndef QUARTIC_NN_ROUTED_CHOICE_H
#define QUARTIC_NN_ROUTED_CHOICE_H

#include "graph/access.h"

typedef struct quartic_routed_choice_options {
    uint32_t routed; /* edges of a graph; 0: as many as it has nodes */
    float ratio;     /* coordinate descent aims at ratio times as many, at most all */
    bool by_row;     /* each row of edges chooses its share of them, ceil(routed / n) */
    quartic_coordinate_descent_options descent; /* member k is ignored */
} quartic_routed_choice_options;

typedef struct quartic_routed_choice {
    quartic_value weights;   /* c of coordinate descent (b, n^2) */
    quartic_value indices;   /* int32 (b, places): the chosen edges, ascending, and others that fill up */
    quartic_value positions; /* int32 (b, places): the index of a chosen edge, -1 of another */
} quartic_routed_choice;

/* Chooses edges by their scores r (b, i, j). mask int32 (b, n) or no value: only real nodes count. seen:
 * which scores are visible, int32 as for coordinate_descent: (b, i, j) if by_row, else (b, n), or no value.
 * With a mask the number of places is that of the graph that chooses most; other graphs leave places
 * unchosen. */
quartic_routed_choice quartic_choose_routed(quartic_graph *graph, quartic_value r, quartic_value mask,
                                            quartic_value seen, const quartic_routed_choice_options *options);

#endif
