/* routed_choice.c: the choice of edges of routed attention as a composition of ops. See routed_choice.h.
 *
 * The plan is made before the numbers are known, so the number of places is fixed: the most that any graph of
 * up to n real nodes can choose. How many edges a graph chooses follows from its mask at run time
 * (ops/routed_counts.c).
 */
#include "nn/routed_choice.h"

#include "ops/routing.h"

/* Edges that a group of a graph of n real nodes chooses. */
static uint32_t chosen_of(const quartic_routed_choice_options *o, uint32_t n) {
    const uint64_t m = o->by_row ? n : (uint64_t)n * n;
    uint64_t k = o->routed != 0 ? o->routed : n;
    if (o->by_row) k = (k + n - 1) / n;
    return (uint32_t)(k < m ? k : m);
}

static uint32_t most_chosen(const quartic_routed_choice_options *o, uint32_t n) {
    uint32_t most = 1;
    for (uint32_t real = 1; real <= n; ++real) {
        const uint32_t chosen = chosen_of(o, real);
        if (chosen > most) most = chosen;
    }
    return most;
}

quartic_routed_choice quartic_choose_routed(quartic_graph *graph, quartic_value r, quartic_value mask,
                                            quartic_value seen, const quartic_routed_choice_options *o) {
    quartic_routed_choice choice = {{0}, {0}, {0}};
    const quartic_shape shape = quartic_graph_shape(graph, r);
    const uint32_t b = shape.dims[0], n = shape.dims[1], edges = n * n, m = o->by_row ? n : edges;
    if (n == 0) return choice; /* after an error, which the graph keeps */
    const bool masked = mask.id != 0;
    const uint32_t k = masked ? most_chosen(o, n) : chosen_of(o, n);
    quartic_value counts[2] = {{0}, {0}}; // k and k' of each graph (b)
    if (masked) {
        const quartic_routed_counts_attrs attrs = {o->routed, o->by_row, o->ratio};
        quartic_graph_append(graph, &quartic_op_routed_counts, &attrs, &mask, 1, counts, 2);
    }
    if (!o->by_row) r = quartic_reshape(graph, r, &QUARTIC_SHAPE(b, edges));

    quartic_coordinate_descent_options descent = o->descent;
    const float wanted = o->ratio * (float)k;
    descent.k = wanted < (float)m ? wanted : (float)m;
    const quartic_value soft[] = {r, seen, counts[1]};
    choice.weights = quartic_graph_append_one(graph, &quartic_op_coordinate_descent, &descent, soft, 3);
    choice.weights = quartic_reshape(graph, choice.weights, &QUARTIC_SHAPE(b, edges));

    const quartic_top_k_attrs attrs = {k};
    const quartic_value hard[] = {r, seen, counts[0]};
    quartic_value chosen[2] = {{0}, {0}};
    quartic_graph_append(graph, &quartic_op_top_k, &attrs, hard, 3, chosen, masked ? 2 : 1);
    choice.indices = chosen[0];
    choice.positions = masked ? chosen[1] : chosen[0];
    return choice;
}
