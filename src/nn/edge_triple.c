/* edge_triple.c: attention of edges over pairs of pivots. See edge_triple.h.
 *
 * Projections are heads * dim_head / De times as wide as the edges. Each is a separate product, so that the
 * gradients need not be joined into a packed tensor. The backward pass computes them again instead of keeping
 * them.
 */
#include "nn/edge_triple.h"

#include <math.h>

quartic_value quartic_nn_triple_attention(quartic_nn *nn, quartic_value e,
                                          const quartic_triple_module_options *o) {
    enum { OPERANDS = 6 };
    static const char *const names[OPERANDS] = {"to_q1", "to_q2", "to_k1", "to_k2", "to_v1", "to_v2"};
    static const quartic_value none = {0};
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, e);
    const uint32_t b = shape.dims[0], n = shape.dims[1], dim = shape.dims[3], h = o->heads, d = o->dim_head;
    quartic_value parts[OPERANDS]; // (b, n, n, h, d) each

    quartic_graph_begin_recompute(graph);
    quartic_value normed = quartic_nn_rms(nn, e, "norm_scale"); // (b, i, j, De)
    for (uint32_t p = 0; p < OPERANDS; ++p) {
        parts[p] =
            quartic_nn_project(nn, normed, quartic_nn_linear_weight(nn, e, names[p], h * d), 1.0f, none);
        parts[p] = quartic_reshape(graph, parts[p], &QUARTIC_SHAPE(b, n, n, h, d));
    }
    quartic_value bias = quartic_nn_linear(nn, normed, "to_bias", h, false); // (b, l, m, h)
    quartic_graph_end_recompute(graph);

    const quartic_triple_options attention = {.causal = o->causal, .scale = (float)(1.0 / sqrt((double)d))};
    quartic_value out = quartic_triple_attention(graph, parts[0], parts[1], parts[2], parts[3], parts[4],
                                                 parts[5], bias, o->mask, &attention); // (b, i, j, h, d)

    quartic_graph_begin_recompute(graph);
    quartic_value gates = quartic_sigmoid(graph, quartic_nn_linear(nn, normed, "to_gates", h, true));
    gates = quartic_reshape(graph, gates, &QUARTIC_SHAPE(b, n, n, h, 1)); // (b, i, j, h, 1)
    quartic_value gated = quartic_multiply(graph, out, gates);            // (b, i, j, h, d)
    gated = quartic_reshape(graph, gated, &QUARTIC_SHAPE(b, n, n, h * d));
    quartic_graph_end_recompute(graph);
    quartic_value to_out = quartic_nn_parameter(nn, "to_out.weight", QUARTIC_SHAPE(dim, h * d),
                                                quartic_nn_linear_init(h * d)); // (De, h d)
    return quartic_nn_project(nn, gated, to_out, 1.0f, e);
}
