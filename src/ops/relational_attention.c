/* relational_attention.c: attention whose queries, keys and values see the edge, as a composition of ops.
 *
 *     q_ij = q_i + Q' e_ij    k_ij = k_j + K' e_ij    v_ij = v_j + V' e_ij     (per head; q_j where the query
 *                                                                              comes from the sender)
 * Scores, expanded:   q_ij . k_ij = q_i . k_j + e . (Q'^T k_j + K'^T q_i) + e . (Q'^T K') e
 * Scores, per edge:   the last term as (Q' e) . (K' e), a few heads at a time, computed again in the adjoint
 * Values:             sum_j A_ij v_ij = sum_j A_ij v_j + V' sum_j A_ij e_ij
 *
 * Invariant: no value has the size of (b, h, n, n, d). The largest beside the maps (b, h, n, n) is smaller
 * than e.
 */
#include "base/call.h"
#include "graph/graph.h"
#include "ops/ops.h"

typedef struct relational_extents {
    uint32_t b, n, heads, d, dim; /* dim: De */
} relational_extents;

static bool relational_has_shape(const quartic_graph *graph, quartic_value value, const quartic_shape *want) {
    const quartic_shape shape = quartic_graph_shape(graph, value);
    return quartic_shape_equal(&shape, want);
}

/* The extents of nodes (b, n, h, d), edges (b, n, n, De) and weight (h, d, De). Other shapes make the graph
 * fail, with all three in the message; then it returns false. */
static bool relational_extents_of(quartic_graph *graph, const char *what, quartic_value nodes,
                                  quartic_value e, quartic_value weight, relational_extents *out) {
    if (quartic_graph_status(graph) != QUARTIC_OK) return false;
    const quartic_shape node = quartic_graph_shape(graph, nodes), edge = quartic_graph_shape(graph, e);
    *out = (relational_extents){node.dims[0], node.dims[1], node.dims[2], node.dims[3], edge.dims[3]};
    if (node.rank == 4 && quartic_shape_elements(&node) > 0 && out->dim > 0 &&
        relational_has_shape(graph, e, &QUARTIC_SHAPE(out->b, out->n, out->n, out->dim)) &&
        relational_has_shape(graph, weight, &QUARTIC_SHAPE(out->heads, out->d, out->dim)))
        return true;
    const quartic_shape given = quartic_graph_shape(graph, weight);
    char node_text[QUARTIC_SHAPE_TEXT], edge_text[QUARTIC_SHAPE_TEXT], weight_text[QUARTIC_SHAPE_TEXT];
    quartic_graph_fail(
        graph,
        quartic_fail(QUARTIC_SHAPE_MISMATCH,
                     "%s needs nodes (b, n, h, d), edges (b, n, n, De) and weights (h, d, De), not %s, "
                     "%s and %s",
                     what, quartic_shape_text(&node, node_text), quartic_shape_text(&edge, edge_text),
                     quartic_shape_text(&given, weight_text)));
    return false;
}

uint32_t quartic_relational_form(uint32_t dim_edges, uint32_t dim_head) {
    return dim_edges <= 2 * (uint64_t)dim_head ? QUARTIC_RELATIONAL_EXPANDED : QUARTIC_RELATIONAL_PER_EDGE;
}

/* Nodes (b, n, h, d) by heads: (b, h, n, d). */
static quartic_value relational_by_heads(quartic_graph *graph, quartic_value nodes) {
    return quartic_permute(graph, nodes, (const uint32_t[]){0, 2, 1, 3});
}

/* scale * W^T nodes: nodes (b, h, n, d), W (h, d, De), to (b, h, De, n); plus an addend of that shape. */
static quartic_value relational_sender_term(quartic_graph *graph, quartic_value nodes, quartic_value weight,
                                            float scale, quartic_value addend) {
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_a = options.transpose_b = 1;
    options.alpha = scale;
    options.addend = addend;
    return quartic_matmul(graph, weight, nodes, &options);
}

/* scale * q_j . k_j for every receiver: (b, n, h, d) to (b, h, i, j). */
static quartic_value relational_sender_scores(quartic_graph *graph, quartic_value q, quartic_value k,
                                              float scale, const relational_extents *x) {
    quartic_value products = quartic_sum(graph, quartic_multiply(graph, q, k), 1u << 3, 0); // (b, n, h)
    products =
        quartic_permute(graph, quartic_scale(graph, products, scale, 0.0f), (const uint32_t[]){0, 2, 1});
    products = quartic_reshape(graph, products, &QUARTIC_SHAPE(x->b, x->heads, 1, x->n));
    return quartic_broadcast(graph, products, &QUARTIC_SHAPE(x->b, x->heads, x->n, x->n));
}

/* scale * (Q' e_ij) . (K' e_ij) of `count` heads from `first` on: (b, count, i, j). */
static quartic_value relational_edge_products(quartic_graph *graph, quartic_value e, quartic_value q_weight,
                                              quartic_value k_weight, uint32_t first, uint32_t count,
                                              float scale, const relational_extents *x) {
    const quartic_shape rows = QUARTIC_SHAPE(count * x->d, x->dim);
    const quartic_value none = {0};
    quartic_graph_begin_recompute(graph);
    q_weight = quartic_reshape(graph, quartic_slice(graph, q_weight, 0, first, count), &rows);
    k_weight = quartic_reshape(graph, quartic_slice(graph, k_weight, 0, first, count), &rows);
    quartic_value q = quartic_linear(graph, e, q_weight, none); // (b, i, j, count d)
    quartic_value k = quartic_linear(graph, e, k_weight, none);
    quartic_graph_end_recompute(graph);
    quartic_value products =
        quartic_reshape(graph, quartic_multiply(graph, q, k), &QUARTIC_SHAPE(x->b, x->n, x->n, count, x->d));
    products =
        quartic_scale(graph, quartic_sum(graph, products, 1u << 4, 0), scale, 0.0f); // (b, i, j, count)
    return quartic_permute(graph, products, (const uint32_t[]){0, 3, 1, 2});
}

/* The same of all heads, so many at a time that q, k and their products stay smaller than e. */
static quartic_value relational_all_edge_products(quartic_graph *graph, quartic_value e,
                                                  quartic_value q_weight, quartic_value k_weight, float scale,
                                                  const relational_extents *x) {
    enum { MOST_PARTS = 8 }; /* of a concatenation */
    quartic_value parts[MOST_PARTS];
    uint32_t held = 0, together = x->dim / (4 * x->d);
    if (together == 0) together = 1;
    for (uint32_t first = 0; first < x->heads; first += together) {
        const uint32_t count = x->heads - first < together ? x->heads - first : together;
        if (held == MOST_PARTS) {
            parts[0] = quartic_concat(graph, parts, held, 1);
            held = 1;
        }
        parts[held++] = relational_edge_products(graph, e, q_weight, k_weight, first, count, scale, x);
    }
    return quartic_concat(graph, parts, held, 1);
}

static const quartic_relational_options standard_relational = QUARTIC_RELATIONAL_OPTIONS_INIT;
static const quartic_options_type relational_type = QUARTIC_BUILDER_OPTIONS_TYPE(
    quartic_relational_options, QUARTIC_RELATIONAL_OPTIONS_INIT, &standard_relational, form);

quartic_value quartic_relational_scores(quartic_graph *graph, quartic_value q, quartic_value k,
                                        quartic_value e, quartic_value q_weight, quartic_value k_weight,
                                        const quartic_relational_options *options) {
    QUARTIC_CALL();
    const quartic_value none = {0};
    const char *name = "relational_scores";
    quartic_relational_options own, *const o = &own;
    if (!quartic_graph_expect(graph, name, (const quartic_value[]){q, k, e, q_weight, k_weight}, 5) ||
        !quartic_graph_options(graph, &relational_type, options, &own) ||
        !quartic_graph_expect_factor(graph, name, "scale", own.scale))
        return none;
    if (own.form > QUARTIC_RELATIONAL_PER_EDGE) {
        quartic_graph_fail(
            graph, quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                "the form of relational_scores is 0 (by cost), 1 (expanded) or 2 (per "
                                "edge), not %u",
                                own.form));
        return none;
    }
    relational_extents x, y;
    if (!relational_extents_of(graph, "relational_scores (queries)", q, e, q_weight, &x) ||
        !relational_extents_of(graph, "relational_scores (keys)", k, e, k_weight, &y))
        return none;
    const quartic_value qs = relational_by_heads(graph, q), ks = relational_by_heads(graph, k);
    quartic_value receiver = none, base, form = none;
    quartic_value sender = relational_sender_term(graph, ks, q_weight, o->scale, none); // (b, h, De, j)
    if (o->query_from_sender) {
        sender = relational_sender_term(graph, qs, k_weight, o->scale, sender);
        base = relational_sender_scores(graph, q, k, o->scale, &x);
    } else {
        quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
        product.alpha = o->scale;
        receiver = quartic_matmul(graph, qs, k_weight, &product); // (b, h, i, De)
        product.transpose_b = 1;
        base = quartic_matmul(graph, qs, ks, &product); // (b, h, i, j)
    }
    const uint32_t chosen = o->form != 0 ? o->form : quartic_relational_form(x.dim, x.d);
    if (chosen == QUARTIC_RELATIONAL_EXPANDED) {
        quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
        product.alpha = o->scale;
        product.transpose_a = 1;
        form = quartic_matmul(graph, q_weight, k_weight, &product); // (h, De, De)
    } else {
        base = quartic_add(graph, base,
                           relational_all_edge_products(graph, e, q_weight, k_weight, o->scale, &x));
    }
    const quartic_value inputs[] = {e, sender, receiver, form, base};
    return quartic_graph_append_one(graph, &quartic_op_relational_scores, NULL, inputs, 5);
}

quartic_value quartic_relational_values(quartic_graph *graph, quartic_value attention, quartic_value v,
                                        quartic_value e, quartic_value v_weight) {
    QUARTIC_CALL();
    const quartic_value none = {0};
    relational_extents x;
    if (!quartic_graph_expect(graph, "relational_values", (const quartic_value[]){attention, v, e, v_weight},
                              4))
        return none;
    if (!relational_extents_of(graph, "relational_values", v, e, v_weight, &x)) return none;
    const quartic_shape maps = quartic_graph_shape(graph, attention);
    if (!quartic_shape_equal(&maps, &QUARTIC_SHAPE(x.b, x.heads, x.n, x.n))) {
        char text[QUARTIC_SHAPE_TEXT];
        quartic_graph_fail(graph,
                           quartic_fail(QUARTIC_SHAPE_MISMATCH,
                                        "relational_values needs maps of shape (%u, %u, %u, %u), not %s", x.b,
                                        x.heads, x.n, x.n, quartic_shape_text(&maps, text)));
        return none;
    }
    quartic_value edges =
        quartic_matmul(graph, relational_by_heads(graph, attention), e, NULL); // (b, i, h, De)
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_b = 1;
    options.addend = quartic_matmul(graph, attention, relational_by_heads(graph, v), NULL); // (b, h, i, d)
    quartic_value out =
        quartic_matmul(graph, relational_by_heads(graph, edges), v_weight, &options); // (b, h, i, d)
    return relational_by_heads(graph, out);
}
