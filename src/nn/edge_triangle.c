/* edge_triangle.c: triangle attention and triangle multiplication of edges. See edge_triangle.h.
 *
 * Projections are heads * dim_head / De times as wide as the edges. Each is a separate product, so that the
 * gradients need not be joined into a packed tensor. The backward pass computes them again instead of keeping
 * them.
 */
#include "nn/edge_triangle.h"

#include <math.h>

static const quartic_value none = {0};

/* x W^T: x (b, i, j, De), W (h d, De), to (b, i, j, h, d). */
static quartic_value triangle_project_heads(quartic_nn *nn, quartic_value x, quartic_value weight,
                                            const quartic_triangle_module_options *o) {
    const quartic_shape shape = quartic_graph_shape(nn->graph, x);
    const uint32_t b = shape.dims[0], n = shape.dims[1];
    return quartic_reshape(nn->graph, quartic_nn_project(nn, x, weight, 1.0f, none),
                           &QUARTIC_SHAPE(b, n, n, o->heads, o->dim_head));
}

/* e + x W_out^T: e (b, i, j, De), x (b, i, j, h, d), W_out (De, h d). */
static quartic_value triangle_project_out(quartic_nn *nn, quartic_value e, quartic_value x,
                                          quartic_value to_out) {
    const quartic_shape shape = quartic_graph_shape(nn->graph, x);
    x = quartic_reshape(
        nn->graph, x,
        &QUARTIC_SHAPE(shape.dims[0], shape.dims[1], shape.dims[2], shape.dims[3] * shape.dims[4]));
    return quartic_nn_project(nn, x, to_out, 1.0f, e);
}

static quartic_value triangle_out_weight(quartic_nn *nn, uint32_t dim, uint32_t width) {
    return quartic_nn_parameter(nn, "to_out.weight", QUARTIC_SHAPE(dim, width),
                                quartic_nn_linear_init(width));
}

static quartic_triangle_options triangle_attention_options(quartic_triangle_kind kind,
                                                           const quartic_triangle_module_options *o) {
    return (quartic_triangle_options){
        .kind = kind, .causal = o->causal, .scale = (float)(1.0 / sqrt((double)o->dim_head))};
}

quartic_value quartic_nn_triangle_attention(quartic_nn *nn, quartic_value e,
                                            const quartic_triangle_module_options *o) {
    static const char *const names[] = {"to_q", "to_k", "to_v1", "to_v2"};
    quartic_graph *graph = nn->graph;
    const uint32_t dim = quartic_graph_shape(graph, e).dims[3], width = o->heads * o->dim_head;
    quartic_value parts[4]; // (b, n, n, h, d) each

    quartic_graph_begin_recompute(graph);
    quartic_value normed = quartic_nn_rms(nn, e, "norm_scale"); // (b, i, j, De)
    for (uint32_t p = 0; p < 4; ++p)
        parts[p] = triangle_project_heads(nn, normed, quartic_nn_linear_weight(nn, e, names[p], width), o);
    quartic_graph_end_recompute(graph);

    const quartic_triangle_options attention = triangle_attention_options(QUARTIC_TRIANGLE_BOTH, o);
    quartic_value out = quartic_triangle_attention(graph, parts[0], parts[1], parts[2], parts[3], none,
                                                   o->mask, &attention); // (b, i, j, h, d)
    return triangle_project_out(nn, e, out, triangle_out_weight(nn, dim, width));
}

/* One of the two passes of start-end. */
static quartic_value start_end_pass(quartic_nn *nn, quartic_value e, quartic_triangle_kind kind,
                                    const quartic_triangle_module_options *o) {
    quartic_graph *graph = nn->graph;
    const quartic_shape shape = quartic_graph_shape(graph, e);
    const uint32_t b = shape.dims[0], n = shape.dims[1], dim = shape.dims[3], h = o->heads,
                   width = h * o->dim_head;
    quartic_value parts[3]; // q, k, v (b, n, n, h, d)

    quartic_graph_begin_recompute(graph);
    quartic_value normed = quartic_nn_rms(nn, e, "norm_scale");                  // (b, i, j, De)
    quartic_value to_qkv = quartic_nn_linear_weight(nn, e, "to_qkv", 3 * width); // (3 h d, De)
    for (uint32_t p = 0; p < 3; ++p)
        parts[p] = triangle_project_heads(nn, normed, quartic_slice(graph, to_qkv, 0, p * width, width), o);
    quartic_value bias = quartic_nn_linear(nn, normed, "to_bias", h, false); // (b, i, j, h)
    if (o->alphafold) bias = quartic_permute(graph, bias, (const uint32_t[]){0, 2, 1, 3});
    quartic_graph_end_recompute(graph);

    const quartic_triangle_options attention = triangle_attention_options(kind, o);
    quartic_value out = quartic_triangle_attention(graph, parts[0], parts[1], parts[2], none, bias, o->mask,
                                                   &attention); // (b, i, j, h, d)

    quartic_graph_begin_recompute(graph);
    quartic_value gates = quartic_sigmoid(graph, quartic_nn_linear(nn, normed, "to_gates", h, true));
    gates = quartic_reshape(graph, gates, &QUARTIC_SHAPE(b, n, n, h, 1)); // (b, i, j, h, 1)
    quartic_value gated = quartic_multiply(graph, out, gates);            // (b, i, j, h, d)
    quartic_graph_end_recompute(graph);
    return triangle_project_out(nn, e, gated, triangle_out_weight(nn, dim, width));
}

quartic_value quartic_nn_triangle_start_end(quartic_nn *nn, quartic_value e,
                                            const quartic_triangle_module_options *options) {
    quartic_nn_push(nn, "start");
    e = start_end_pass(nn, e, QUARTIC_TRIANGLE_START, options);
    quartic_nn_pop(nn);
    quartic_nn_push(nn, "end");
    e = start_end_pass(nn, e, QUARTIC_TRIANGLE_END, options);
    quartic_nn_pop(nn);
    return e;
}

/* For each direction: whether a and b are transposed in the matrix product over l, and for causal models the
 * part of each that holds the triangles with j <= l <= i. */
static const struct {
    const char *name;
    uint32_t transpose_a, transpose_b;
    quartic_edge_part a, b;
} directions_table[QUARTIC_TRIANGLE_DIRECTIONS] = {
    [QUARTIC_TRIANGLE_THROUGH] = {"through", 0, 0, QUARTIC_EDGES_LOWER, QUARTIC_EDGES_LOWER},
    [QUARTIC_TRIANGLE_OUTGOING] = {"outgoing", 0, 1, QUARTIC_EDGES_LOWER, QUARTIC_EDGES_UPPER},
    [QUARTIC_TRIANGLE_INCOMING] = {"incoming", 1, 0, QUARTIC_EDGES_UPPER, QUARTIC_EDGES_LOWER},
};

const char *quartic_triangle_direction_name(quartic_triangle_direction direction) {
    return directions_table[direction].name;
}

/* sigmoid(x W_g^T + b_g) * (x W^T), zero at edges that are masked or outside the part, each channel as a
 * matrix: x (b, i, j, De) to (b, C, i, j), C = heads * dim_head. */
static quartic_value gated_matrices(quartic_nn *nn, quartic_value x, const char *name, const char *gate_name,
                                    quartic_edge_part part, const quartic_triangle_module_options *o) {
    quartic_graph *graph = nn->graph;
    const uint32_t width = o->heads * o->dim_head;
    quartic_value gate =
        quartic_sigmoid(graph, quartic_nn_linear(nn, x, gate_name, width, true)); // (b, i, j, C)
    quartic_value gated = quartic_multiply(graph, gate, quartic_nn_linear(nn, x, name, width, false));
    gated = quartic_edge_keep(graph, gated, o->mask, o->causal ? part : QUARTIC_EDGES_ALL); // (b, n, n, C)
    return quartic_permute(graph, gated, (const uint32_t[]){0, 3, 1, 2});
}

/* One pass. Causality needs no mask on t: where j > i, no l has j <= l <= i, so t and the update are 0. */
static quartic_value triangle_multiply_pass(quartic_nn *nn, quartic_value e,
                                            quartic_triangle_direction direction,
                                            const quartic_triangle_module_options *o) {
    quartic_graph *graph = nn->graph;
    const uint32_t dim = quartic_graph_shape(graph, e).dims[3];
    quartic_graph_begin_recompute(graph);
    quartic_value normed = quartic_nn_rms(nn, e, "norm_scale"); // (b, i, j, De)
    /* a and b (b, C, i, j) */
    quartic_value a = gated_matrices(nn, normed, "to_a", "to_a_gate", directions_table[direction].a, o);
    quartic_value b = gated_matrices(nn, normed, "to_b", "to_b_gate", directions_table[direction].b, o);
    quartic_graph_end_recompute(graph);

    quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
    product.transpose_a = directions_table[direction].transpose_a;
    product.transpose_b = directions_table[direction].transpose_b;
    /* A scope of its own, so that benchmarks can separate this product from the projections. */
    quartic_nn_push(nn, "pivots");
    quartic_value t = quartic_matmul(graph, a, b, &product); // (b, C, i, j)
    quartic_nn_pop(nn);

    quartic_graph_begin_recompute(graph);
    t = quartic_permute(graph, t, (const uint32_t[]){0, 2, 3, 1}); // (b, i, j, C)
    t = quartic_nn_rms(nn, t, "out_norm_scale");                   // (b, i, j, C)
    quartic_value gate = quartic_sigmoid(graph, quartic_nn_linear(nn, normed, "to_gate", dim, true));
    quartic_value update = quartic_nn_linear(nn, t, "to_out", dim, false); // (b, i, j, De)
    update = quartic_multiply(graph, gate, update);
    quartic_graph_end_recompute(graph);
    return quartic_add(graph, e, update);
}

quartic_value quartic_nn_triangle_multiply(quartic_nn *nn, quartic_value e,
                                           const quartic_triangle_direction *directions, uint32_t count,
                                           const quartic_triangle_module_options *options) {
    for (uint32_t k = 0; k < count; ++k) {
        quartic_nn_push(nn, "%s", quartic_triangle_direction_name(directions[k]));
        e = triangle_multiply_pass(nn, e, directions[k], options);
        quartic_nn_pop(nn);
    }
    return e;
}
