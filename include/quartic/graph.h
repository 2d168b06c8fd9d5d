/* graph.h: computations as graphs of ops.
 *
 * A graph is append-only. A builder takes values and returns a value; shapes are checked at once. Building
 * computes nothing and never submits: program.h compiles and runs a graph.
 *
 * Contract of all builders (the functions that return a quartic_value):
 * - After an error they return no value, and the graph keeps its first error: later builders do nothing, and
 *   quartic_graph_status, like every function that takes the graph, returns that error with its message,
 *   which names the builder that failed. So a caller may build a whole graph and check once.
 * - Errors of that kind are, besides what a builder's comment says: shapes or dtypes that do not fit, NULL as
 *   a shape, axes or parts, a value of another graph, a scale or alpha of 0, and no memory.
 * - If graph is NULL they return no value and set the error message.
 * - Values belong to the graph and need not be freed. Arrays and structs that are passed are read during the
 *   call only. Options may be NULL: the values of their INIT macro.
 *
 * Inputs, parameters, states and outputs have names, by which a program finds them. A graph belongs to one
 * thread. "Broadcasts" means: shapes are aligned at the last axis, and an axis of extent 1 (or missing) is
 * repeated.
 *
 * Stability: the line above each group of declarations says whether the group is stable or unstable
 * (quartic.h says what that means).
 */
#ifndef QUARTIC_GRAPH_H
#define QUARTIC_GRAPH_H

#include "quartic/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- graphs and values: stable ---- */

typedef struct quartic_graph quartic_graph;

/* A handle of a value of a graph. (quartic_value){0} is no value: an optional operand that is left out, or
 * the result of a builder after an error. Another graph refuses the value. */
typedef struct quartic_value {
    uint32_t id;
    uint32_t graph; /* the number of its graph, different for every graph of a process; 0 in no value */
} quartic_value;

/* Creates an empty graph, which the caller destroys. Errors: OUT_OF_MEMORY; then *out_graph is NULL. */
QUARTIC_API quartic_status quartic_graph_create(quartic_graph **out_graph);
/* Frees the graph; NULL is fine. Programs that were compiled from it do not need it. */
QUARTIC_API void quartic_graph_destroy(quartic_graph *graph);

/* Returns OK, or the graph's first error, whose message it makes the thread's error message. */
QUARTIC_API quartic_status quartic_graph_status(const quartic_graph *graph);

/* Return the shape and dtype of a value; rank 0 and QUARTIC_NO_DTYPE if it is no value of this graph. */
QUARTIC_API quartic_shape quartic_graph_shape(const quartic_graph *graph, quartic_value value);
QUARTIC_API quartic_dtype quartic_graph_dtype(const quartic_graph *graph, quartic_value value);

/* ---- inputs and outputs: stable ---- */

/* Declares memory that the caller writes before a run. All inputs, parameters, states and outputs of a graph
 * must have different names. The name is copied. */
QUARTIC_API quartic_value quartic_graph_input(quartic_graph *graph, const char *name, quartic_dtype dtype,
                                              const quartic_shape *shape);
/* The same in float32, for weights: they stay between runs, and may be updated in place. */
QUARTIC_API quartic_value quartic_graph_parameter(quartic_graph *graph, const char *name,
                                                  const quartic_shape *shape);
/* Declares memory that starts as zeros, stays between runs, and may be updated in place by adamw, accumulate
 * and fill. Ops run in the order of building: one that reads the state, by whichever value or view, sees the
 * updates that were built before it. */
QUARTIC_API quartic_value quartic_graph_state(quartic_graph *graph, const char *name, quartic_dtype dtype,
                                              const quartic_shape *shape);
/* Makes a value readable, contiguous and under this name, after a run. Errors are kept by the graph. */
QUARTIC_API void quartic_graph_output(quartic_graph *graph, const char *name, quartic_value value);

/* Labels the steps that are built until the matching pop, for profiles and error messages:
 * "layers.0/attention". Scopes nest up to 15 deep. The name is copied. Errors are kept by the graph. */
QUARTIC_API void quartic_graph_push_scope(quartic_graph *graph, const char *name);
/* Ends the innermost scope; without one it does nothing. */
QUARTIC_API void quartic_graph_pop_scope(quartic_graph *graph);

/* Append the gradients of sum(value * cotangent), summed over all values in the _many form, with respect to
 * wrt[0 .. count). A cotangent has the shape of its value, or is no value: ones. In the _many form cotangents
 * may be NULL: all are ones. out_gradients[k] gets the shape of wrt[k], or is no value if nothing depends on
 * wrt[k]. Gradients come before updates: refused is one that would read what adamw, accumulate or fill has
 * overwritten since the value was built, or whose path leads through an update. Errors, which the graph
 * keeps: INVALID_ARGUMENT (that; NULL; a count of 0; a value of another graph), SHAPE_MISMATCH (a cotangent),
 * UNSUPPORTED (an op without a gradient), OUT_OF_MEMORY; then all of out_gradients are no values. */
QUARTIC_API quartic_status quartic_graph_gradients(quartic_graph *graph, quartic_value value,
                                                   quartic_value cotangent, const quartic_value *wrt,
                                                   uint32_t count, quartic_value *out_gradients);
QUARTIC_API quartic_status quartic_graph_gradients_many(quartic_graph *graph, const quartic_value *values,
                                                        const quartic_value *cotangents, uint32_t value_count,
                                                        const quartic_value *wrt, uint32_t count,
                                                        quartic_value *out_gradients);

/* ---- memory of the backward pass: unstable ---- */

/* Values that are built between begin and end are not kept for the backward pass but computed again there,
 * which takes less memory and more time. Pairs may nest. */
QUARTIC_API void quartic_graph_begin_recompute(quartic_graph *graph);
QUARTIC_API void quartic_graph_end_recompute(quartic_graph *graph);

/* ---- views, which move no data: stable ---- */

/* The same elements in another shape. A value that is not contiguous is copied first. */
QUARTIC_API quartic_value quartic_reshape(quartic_graph *graph, quartic_value x, const quartic_shape *shape);
/* Axis k of the result is axis axes[k] of x; axes has x's rank. */
QUARTIC_API quartic_value quartic_permute(quartic_graph *graph, quartic_value x, const uint32_t *axes);
/* Elements start .. start + length - 1 of one axis. */
QUARTIC_API quartic_value quartic_slice(quartic_graph *graph, quartic_value x, uint32_t axis, uint32_t start,
                                        uint32_t length);
/* Broadcasts to the given shape. */
QUARTIC_API quartic_value quartic_broadcast(quartic_graph *graph, quartic_value x,
                                            const quartic_shape *shape);
/* Elements (i, i) of two adjacent axes of equal extent: (.., n, n, ..) to (.., n, ..); axis is the first. */
QUARTIC_API quartic_value quartic_diagonal(quartic_graph *graph, quartic_value x, uint32_t axis);

/* ---- data movement: stable ---- */

/* A contiguous copy. */
QUARTIC_API quartic_value quartic_copy(quartic_graph *graph, quartic_value x);
/* Joins 1 to 8 tensors along an axis. */
QUARTIC_API quartic_value quartic_concat(quartic_graph *graph, const quartic_value *parts, uint32_t count,
                                         uint32_t axis);
/* Zeros, of the given extent along an axis, with x at start .. : the adjoint of slice. */
QUARTIC_API quartic_value quartic_pad(quartic_graph *graph, quartic_value x, uint32_t axis, uint32_t start,
                                      uint32_t extent);
/* e (.., n, n, D) with d (.., n, D) added at (i, i). */
QUARTIC_API quartic_value quartic_diagonal_add(quartic_graph *graph, quartic_value e, quartic_value d);
/* Rows of a table: table (V, D), indices int32 (...) to (..., D). A negative index means no row: it gives
 * zeros and has no part in the table's gradient. One of V or more makes a run on a CPU device fail with
 * INVALID_ARGUMENT; Vulkan devices do not check it and treat it like a negative one. (The functions of
 * model.h and train.h check their tokens on every device.) */
QUARTIC_API quartic_value quartic_embedding(quartic_graph *graph, quartic_value table, quartic_value indices);
/* out[i, j, :] = table[i - j + n - 1, :]: table (2n - 1, D) to (n, n, D). */
QUARTIC_API quartic_value quartic_relative_bias(quartic_graph *graph, quartic_value table);

/* Numbers at equal distances, start + k * step, to (count): positions, without an input for them. */
QUARTIC_API quartic_value quartic_range(quartic_graph *graph, uint32_t count, float start, float step);

/* ---- elementwise: stable ---- */

/* The unary functions: X(name). gelu is exact: x * (1 + erf(x / sqrt 2)) / 2; silu is x * sigmoid(x). */
#define QUARTIC_UNARY_LIST(X)                                                                                \
    X(negate) X(exp) X(log) X(sqrt) X(square) X(relu) X(sigmoid) X(tanh) X(silu) X(gelu)

#define QUARTIC_UNARY_BUILDER(name)                                                                          \
    QUARTIC_API quartic_value quartic_##name(quartic_graph *graph, quartic_value x);
QUARTIC_UNARY_LIST(QUARTIC_UNARY_BUILDER)
#undef QUARTIC_UNARY_BUILDER

/* x * factor + offset. */
QUARTIC_API quartic_value quartic_scale(quartic_graph *graph, quartic_value x, float factor, float offset);

/* The binary functions, both operands broadcast to the common shape: X(name). */
#define QUARTIC_BINARY_LIST(X) X(add) X(subtract) X(multiply) X(divide)

#define QUARTIC_BINARY_BUILDER(name)                                                                         \
    QUARTIC_API quartic_value quartic_##name(quartic_graph *graph, quartic_value a, quartic_value b);
QUARTIC_BINARY_LIST(QUARTIC_BINARY_BUILDER)
#undef QUARTIC_BINARY_BUILDER

/* Sum over the axes whose bits are set in axes; they stay with extent 1 if keep, else they vanish. */
QUARTIC_API quartic_value quartic_sum(quartic_graph *graph, quartic_value x, uint32_t axes, uint32_t keep);

/* Zeroes each element with the given probability and multiplies the others by 1 / (1 - probability). The
 * mask is Philox at (seed value, stream, element index), the same on every device. seed: int32 (2), the low
 * and high word of the seed. probability 0 returns x. */
QUARTIC_API quartic_value quartic_dropout(quartic_graph *graph, quartic_value x, quartic_value seed,
                                          float probability, uint32_t stream);

/* ---- matrix products: stable ---- */

/* Structs of options begin with struct_size and start from their INIT macro; NULL means the macro's values. A
 * struct written without the macro, as {.member = ..}, has a struct_size of 0: it is read as release 0.1.0
 * declared it. A factor (alpha, scale) of 0, with which every result would be 0, is refused. */

/* op(a) op(b) over the last two axes, the leading axes broadcast: (.., M, K) x (.., K, N) to (.., M, N).
 * transpose_a: a is (.., K, M); transpose_b: b is (.., N, K). result = alpha * product + bias + addend, where
 * bias (N) is optional and addend (the result's shape) is optional. */
typedef struct quartic_matmul_options {
    size_t struct_size;
    uint32_t transpose_a, transpose_b;
    float alpha;
    quartic_value bias, addend;
} quartic_matmul_options;
#define QUARTIC_MATMUL_OPTIONS_INIT                                                                          \
    {                                                                                                        \
        sizeof(quartic_matmul_options), 0, 0, 1.0f, {0, 0}, {                                                \
            0, 0                                                                                             \
        }                                                                                                    \
    }

QUARTIC_API quartic_value quartic_matmul(quartic_graph *graph, quartic_value a, quartic_value b,
                                         const quartic_matmul_options *options);
/* PyTorch's linear layer: x (.., K) W^T + bias with weight (N, K), bias (N) or no value, to (.., N). */
QUARTIC_API quartic_value quartic_linear(quartic_graph *graph, quartic_value x, quartic_value weight,
                                         quartic_value bias);

/* ---- norms and softmax, over the last axis: stable ---- */

/* x * rsqrt(mean(x^2) + eps) * scale; scale (D) or no value. */
QUARTIC_API quartic_value quartic_rms_norm(quartic_graph *graph, quartic_value x, quartic_value scale,
                                           float eps);
/* x / max(|x|, 1e-12) * sqrt(D) * (gamma + gamma_offset); gamma (D). */
QUARTIC_API quartic_value quartic_l2_norm(quartic_graph *graph, quartic_value x, quartic_value gamma,
                                          float gamma_offset);
/* Layer norm with biased variance; weight (D), bias (D). */
QUARTIC_API quartic_value quartic_layer_norm(quartic_graph *graph, quartic_value x, quartic_value weight,
                                             quartic_value bias, float eps);
/* Softmax over j of sim (b, h, i, j). mask int32 (b, j) or no value: 0 hides key j. causal: j > i is hidden.
 * Hidden entries become 0; a row without a visible key becomes zeros. */
QUARTIC_API quartic_value quartic_softmax(quartic_graph *graph, quartic_value sim, quartic_value mask,
                                          uint32_t causal);

/* ---- fused products: unstable ---- */

/* Matrix products fused with the ops before and after them, so that each of the n^2 rows of edges is read and
 * written once. Each equals the composition of ops that its comment gives.
 *
 * out_products[p] (.., N_p) = norm(x) weights[p]^T for count <= 4 weights (N_p, K), x (.., K), with scale as
 * in rms_norm or, if l2 is 1, l2_norm. If bit p of raw is set, weights[p] multiplies x itself. alpha
 * multiplies out_products[0]. After an error all of out_products are no values. */
typedef struct quartic_norm_linear_options {
    size_t struct_size;
    uint32_t l2, raw;
    float eps, scale_offset, alpha;
} quartic_norm_linear_options;
#define QUARTIC_NORM_LINEAR_OPTIONS_INIT                                                                     \
    { sizeof(quartic_norm_linear_options), 0, 0, 1e-5f, 0.0f, 1.0f }
QUARTIC_API void quartic_norm_linear(quartic_graph *graph, quartic_value x, quartic_value scale,
                                     const quartic_value *weights, uint32_t count,
                                     const quartic_norm_linear_options *options, quartic_value *out_products);
/* (x * sigmoid(gates)) weight^T + addend: x (.., H D), gates (.., H), one for D elements each, weight (N, H
 * D); addend (.., N) or no value. */
QUARTIC_API quartic_value quartic_gated_linear(quartic_graph *graph, quartic_value x, quartic_value gates,
                                               quartic_value weight, quartic_value addend);
/* gelu(x) weight^T + addend: x (.., K), weight (N, K); addend (.., N) or no value. */
QUARTIC_API quartic_value quartic_gelu_linear(quartic_graph *graph, quartic_value x, quartic_value weight,
                                              quartic_value addend);

/* ---- attention of edges and with edges: unstable ---- */

/* Taylor attention (second-order series of exp) along one axis of (b, r, c, h, d) tensors: axis 1 or 2 is the
 * sequence, the other one is a batch. q, k (b, r, c, h, d), v (b, r, c, h, dv); q comes scaled. out_i = sum_j
 * w_ij v_j / max(sum_j w_ij, 1e-5), w = 1 + s + s^2/2, s = q_i . k_j, w = 0 for hidden keys. mask int32 or no
 * value: (b, n) with pair_mask 1 needs r = c = n and hides key p of sequence o unless both mask[b, p] and
 * mask[b, o]; with pair_mask 0 it is (b, r, c) and hides the masked tokens as keys. causal: hides key p of
 * sequence o where p > o (both as positions 0..n-1; docs/models.md has this mask, which does not depend on
 * the query). form: 0 chosen by cost (quartic_taylor_form), 1 quadratic, 2 linear. block: 0, or the length of
 * the blocks that the sequence is cut into; a query then sees keys of its own block and of those before it
 * only. 1 is ordinary causal attention; n over the n^2 edges of a graph in order shows edge (i, j) the edges
 * (k, l) with k <= i. The linear form keeps one state, ((d + 1)(d + 2) / 2, dv + 1), for each block of a head
 * on a GPU, one for each thread on a CPU. */
typedef struct quartic_taylor_options {
    size_t struct_size;
    uint32_t axis; /* has no default: 1 or 2 must be given */
    uint32_t pair_mask, causal, form, block;
} quartic_taylor_options;
#define QUARTIC_TAYLOR_OPTIONS_INIT                                                                          \
    { sizeof(quartic_taylor_options), 0, 0, 0, 0, 0 }
QUARTIC_API quartic_value quartic_taylor_attention(quartic_graph *graph, quartic_value q, quartic_value k,
                                                   quartic_value v, quartic_value mask,
                                                   const quartic_taylor_options *options);
/* The form that takes less time for sequences of m tokens in one block and heads of d and dv, judged by its
 * operations, of which those of the linear form count 1.7 times: 1 or 2. Pure. Shorter blocks make the
 * quadratic form cheaper by up to a half, and the linear one dearer where they are shorter than 32. */
QUARTIC_API uint32_t quartic_taylor_form(uint32_t m, uint32_t d, uint32_t dv);

/* Attention of each edge (i, j) over the pivots l of its triangles. The kind says which of the pivot's two
 * edges, (i, l) and (l, j), give keys and values. A = softmax over l of s, with
 *
 *   both    s_ijl = scale q_il . k_lj             out_ij = sum_l A_ijl (v_il * v2_lj)
 *   start   s_ijl = scale q_ij . k_il + bias_lj   out_ij = sum_l A_ijl v_il
 *   end     s_ijl = scale q_ij . k_lj + bias_il   out_ij = sum_l A_ijl v_lj
 *
 * (both: Bergen et al. 2021; start and end: Jumper et al. 2021, algorithms 13 and 14). q, k, v and, for both
 * only, v2 (b, n, n, H, d), d at most 256; bias (b, n, n, H) or no value, not for both. All may be views:
 * AlphaFold's own orientation, bias_jl and bias_li, is a permuted bias. mask int32 (b, n) or no value: 0
 * hides pivot l. causal: only pivots with j <= l <= i. An edge that sees no pivot, with causality each one
 * with j > i, gets zeros. To (b, n, n, H, d); no (n, n, n) tensor is ever stored, forward or backward. */
typedef enum quartic_triangle_kind {
    QUARTIC_TRIANGLE_BOTH = 0,
    QUARTIC_TRIANGLE_START = 1,
    QUARTIC_TRIANGLE_END = 2
} quartic_triangle_kind;
typedef struct quartic_triangle_options {
    size_t struct_size;
    uint32_t kind; /* quartic_triangle_kind */
    uint32_t causal;
    float scale; /* usually 1 / sqrt(d); the macro's 1 is for queries that come scaled */
} quartic_triangle_options;
#define QUARTIC_TRIANGLE_OPTIONS_INIT                                                                        \
    { sizeof(quartic_triangle_options), QUARTIC_TRIANGLE_BOTH, 0, 1.0f }
QUARTIC_API quartic_value quartic_triangle_attention(quartic_graph *graph, quartic_value q, quartic_value k,
                                                     quartic_value v, quartic_value v2, quartic_value bias,
                                                     quartic_value mask,
                                                     const quartic_triangle_options *options);

/* Attention of each edge (i, j) over pairs of pivots (l, m): all six edges among four nodes meet in one term.
 *
 *   s_ijlm = scale (q_il + q2_lj) . (k_im + k2_mj) + bias_lm,   A = softmax over (l, m) of s
 *   out_ij = sum_lm A_ijlm (v_il * v2_mj)
 *
 * q, q2, k, k2, v, v2 (b, n, n, H, d), d at most 256; bias (b, n, n, H). All may be views. mask int32 (b, n)
 * or no value: 0 hides a node as l and as m. causal: only pairs with j <= m <= l <= i. An edge that sees no
 * pair, with causality each one with j > i, gets zeros. To (b, n, n, H, d). The work grows as n^4; nothing of
 * size n^3 is ever stored, forward or backward. docs/edge-attention.md says what it tells apart. */
typedef struct quartic_triple_options {
    size_t struct_size;
    uint32_t causal;
    float scale; /* usually 1 / sqrt(d); the macro's 1 is for queries that come scaled */
} quartic_triple_options;
#define QUARTIC_TRIPLE_OPTIONS_INIT                                                                          \
    { sizeof(quartic_triple_options), 0, 1.0f }
QUARTIC_API quartic_value quartic_triple_attention(quartic_graph *graph, quartic_value q, quartic_value q2,
                                                   quartic_value k, quartic_value k2, quartic_value v,
                                                   quartic_value v2, quartic_value bias, quartic_value mask,
                                                   const quartic_triple_options *options);

/* Keeps some edges and zeroes the others: x (b, n, n, ...) with 0 at (i, j) unless both nodes are real (mask
 * int32 (b, n), or no value) and the edge is in the part: all, lower (j <= i) or upper (j >= i). */
typedef enum quartic_edge_part {
    QUARTIC_EDGES_ALL = 0,
    QUARTIC_EDGES_LOWER = 1,
    QUARTIC_EDGES_UPPER = 2
} quartic_edge_part;
QUARTIC_API quartic_value quartic_edge_keep(quartic_graph *graph, quartic_value x, quartic_value mask,
                                            quartic_edge_part part);

/* Relational attention: with edges e (b, i, j, De) and, per head, weights (h, d, De) for them, the query, key
 * and value of node i looking at node j are q_i + Q' e_ij, k_j + K' e_ij, v_j + V' e_ij, where q, k, v (b, n,
 * h, d) come from the nodes. None of these is stored per edge and head: see quartic_relational_form for the
 * scores; the values' edges are summed before V' is applied. query_from_sender: the query is q_j + Q' e_ij,
 * as in the published PyTorch package. form: 0 chosen by cost (quartic_relational_form), 1 expanded, 2 per
 * edge. */
typedef struct quartic_relational_options {
    size_t struct_size;
    float scale; /* usually 1 / sqrt(d); the macro's 1 is for queries that come scaled */
    uint32_t query_from_sender, form;
} quartic_relational_options;
#define QUARTIC_RELATIONAL_OPTIONS_INIT                                                                      \
    { sizeof(quartic_relational_options), 1.0f, 0, 0 }
enum { QUARTIC_RELATIONAL_EXPANDED = 1, QUARTIC_RELATIONAL_PER_EDGE = 2 };

/* scale * query . key, to (b, h, i, j); a softmax comes next. options may be NULL. */
QUARTIC_API quartic_value quartic_relational_scores(quartic_graph *graph, quartic_value q, quartic_value k,
                                                    quartic_value e, quartic_value q_weight,
                                                    quartic_value k_weight,
                                                    const quartic_relational_options *options);
/* The values summed with the weights `attention` (b, h, i, j), to (b, i, h, d). */
QUARTIC_API quartic_value quartic_relational_values(quartic_graph *graph, quartic_value attention,
                                                    quartic_value v, quartic_value e, quartic_value v_weight);
/* The form of the scores that costs fewer operations per edge and head: expanded (1), 2 De^2 for the
 * quadratic form e (Q'^T K') e, up to De = 2 d; beyond that per edge (2), 4 De d for Q' e and K' e, a few
 * heads at a time. Pure. */
QUARTIC_API uint32_t quartic_relational_form(uint32_t dim_edges, uint32_t dim_head);

/* Softmax attention among the edges of a graph of `nodes` nodes, every edge to every edge: q, k, v (b, m, h,
 * d) to (b, m, h, d); q comes scaled. Token t of a graph is edge (i, j) = (p / nodes, p % nodes) with p =
 * positions[b, t], int32 (b, m) in any order, and none (it sees and is seen by nobody) where that is
 * -1; without positions p = t and m = nodes^2. out_t = sum_s softmax_s(q_t . k_s) v_s over the edges s
 * that t sees. mask int32 (b, nodes) or no value: edge (k, l) is seen only if mask[b, k] and mask[b, l].
 * causal: edge (i, j) sees (k, l) iff l <= k <= i, and an edge with j > i sees none. Who sees none gets
 * zeros. Memory is linear in m; nothing of size m x m exists. */
typedef struct quartic_edge_softmax_options {
    size_t struct_size;
    uint32_t nodes; /* has no default: it must be given */
    uint32_t causal;
} quartic_edge_softmax_options;
#define QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT                                                                    \
    { sizeof(quartic_edge_softmax_options), 0, 0 }
QUARTIC_API quartic_value quartic_edge_softmax_attention(quartic_graph *graph, quartic_value q,
                                                         quartic_value k, quartic_value v,
                                                         quartic_value positions, quartic_value mask,
                                                         const quartic_edge_softmax_options *options);

/* ---- choosing edges: unstable ----
 *
 * Scores are (b, m). A mask is int32 (b, m), or for the scores of all edges of n nodes, m = n^2, int32 (b,
 * n): then an edge is visible iff both of its nodes are. No value: all are visible. Scores in g groups of
 * which each chooses for itself, such as the rows of edges, are (b, g, m); their mask is int32 (b, g, m). */

/* 1 at the edges (i, j) that are visible, else 0, int32 (batch, nodes, nodes): both nodes are real and, if
 * causal, j <= i. mask int32 (batch, nodes) or no value: all nodes are real. batch and nodes are needed only
 * without a mask; with one they are 0 or the mask's. options may be NULL where there is a mask. */
typedef struct quartic_pair_mask_options {
    size_t struct_size;
    uint32_t causal, batch, nodes;
} quartic_pair_mask_options;
#define QUARTIC_PAIR_MASK_OPTIONS_INIT                                                                       \
    { sizeof(quartic_pair_mask_options), 0, 0, 0 }
QUARTIC_API quartic_value quartic_pair_mask(quartic_graph *graph, quartic_value mask,
                                            const quartic_pair_mask_options *options);
/* Soft top-k weights c of scores s, both (b, m) or (b, g, m), by coordinate descent (Wright
 * 2015, as CoLT5 uses it). From b = -s, `iterations` times: a = eps (log k - logsumexp((s + b) / eps)), b =
 * -relu(s + a). Then c = exp((s + a + b) / eps). eps starts at max(eps_init, eps) and is multiplied by
 * eps_decay after each iteration, down to eps. Hidden scores take no part and have c = 0. */
typedef struct quartic_coordinate_descent_options {
    size_t struct_size;
    float k;
    uint32_t iterations;
    float eps, eps_init, eps_decay; /* eps_init 0: eps throughout */
} quartic_coordinate_descent_options;
#define QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT                                                              \
    { sizeof(quartic_coordinate_descent_options), 1.0f, 20, 0.1f, 0.0f, 1.0f }
QUARTIC_API quartic_value quartic_coordinate_descent(quartic_graph *graph, quartic_value scores,
                                                     quartic_value mask,
                                                     const quartic_coordinate_descent_options *options);
/* Indices of the k greatest scores of each row, ascending: int32 (b, k). Among equals the lower index wins;
 * hidden scores come last. In groups: those of each group, as indices among all g m scores, so that they
 * ascend too: int32 (b, g k). Not differentiable. k beyond m is an error. */
QUARTIC_API quartic_value quartic_top_k(quartic_graph *graph, quartic_value scores, quartic_value mask,
                                        uint32_t k);
/* Rows x[b, indices[b, r]]: x (b, m, D), indices int32 (b, k) to (b, k, D). Indices stand in any order, also
 * more than once; ascending ones, such as top_k's, make the gradient fastest on Vulkan. They lie in 0 .. m -
 * 1: others are an error of the run on the CPU devices; on Vulkan one out of range gives zeros and has no
 * part in the gradient. */
QUARTIC_API quartic_value quartic_gather_rows(quartic_graph *graph, quartic_value x, quartic_value indices);
/* base with rows[b, r] added at row indices[b, r]: base (b, m, D), rows (b, k, D), indices (b, k) as in
 * gather_rows; rows of one index are added in their order. */
QUARTIC_API quartic_value quartic_scatter_add_rows(quartic_graph *graph, quartic_value base,
                                                   quartic_value rows, quartic_value indices);
/* Ones of x's shape in the forward pass, x itself for the gradient (a straight-through estimator). */
QUARTIC_API quartic_value quartic_straight_through(quartic_graph *graph, quartic_value x);

/* ---- exchange between streams: unstable ---- */

/* Exchange between the heads of one or several streams: x (b, h, ..), of which axis 1 are all heads and the
 * others positions, usually logits or weights of attention (b, streams * heads, i, j). At every position the
 * heads are read together, mixed, and written once; both work in the memory of x where x is not needed any
 * more. Up to QUARTIC_STREAM_EXCHANGE_MOST_HEADS heads.
 * Linear: y[b, o, ..] = sum over h of weight[o, h] x[b, h, ..]; weight (h, h). */
#define QUARTIC_STREAM_EXCHANGE_MOST_HEADS 512
QUARTIC_API quartic_value quartic_stream_exchange(quartic_graph *graph, quartic_value x,
                                                  quartic_value weight);
/* Feedforward: y = x + W2 gelu(W1 t), t = x / sqrt(mean over h of x^2 + eps) * scale; scale (h), w1 (m, h),
 * w2 (h, m) for any number m of hidden units. */
QUARTIC_API quartic_value quartic_stream_feedforward(quartic_graph *graph, quartic_value x,
                                                     quartic_value scale, quartic_value w1, quartic_value w2,
                                                     float eps);

/* The diversity loss of multi-stream attention: attention (b, streams * heads, i, j), stream by stream, after
 * softmax, to a scalar. For every choice of one head per stream (heads^streams of them) p = mean over the
 * streams of their rows; the loss is the mean over everything but j of sum over j of p log max(p, 1e-20).
 * Unlike streams make it small. Takes heads^streams logarithms for each of b i j places, none of them stored;
 * refused beyond QUARTIC_DIVERSITY_MOST_CHOICES choices. */
#define QUARTIC_DIVERSITY_MOST_CHOICES 1048576
QUARTIC_API quartic_value quartic_diversity_loss(quartic_graph *graph, quartic_value attention,
                                                 uint32_t streams);

/* ---- losses and updates: stable ---- */

/* Mean over the rows with target >= 0 of -log softmax(logits)[target]: logits (rows, V), targets int32 (rows)
 * to a scalar; 0 if every target is ignored. A target of V or more is INVALID_ARGUMENT of the run on the CPU
 * devices and ignored like a negative one on Vulkan. (The functions of train.h check their targets on every
 * device.) */
QUARTIC_API quartic_value quartic_cross_entropy(quartic_graph *graph, quartic_value logits,
                                                quartic_value targets);
/* The sum of squares of all elements, a scalar. */
QUARTIC_API quartic_value quartic_sum_squares(quartic_graph *graph, quartic_value x);
/* target += factor * x, in place; target is a state, parameter or a view of one. Returns the updated target.
 * x may lie over target: it is read as it was. */
QUARTIC_API quartic_value quartic_accumulate(quartic_graph *graph, quartic_value target, quartic_value x,
                                             float factor);
/* target = x, in place; target as above, x of its shape. Where x is made for that alone it costs nothing: it is
 * made in target's memory. Returns the updated target. */
QUARTIC_API quartic_value quartic_assign(quartic_graph *graph, quartic_value target, quartic_value x);
/* Sets every element of target to number, in place. Returns the updated target. */
QUARTIC_API quartic_value quartic_fill(quartic_graph *graph, quartic_value target, float number);
/* AdamW with decoupled decay, in place on parameter, first and second moment (all (P)).
 * hyper float32 (8): learning rate, beta1, beta2, eps, weight decay, 1 - beta1^t, 1 - beta2^t, clip (0 =
 * off). The gradient counts as gradient * gradient_factor (1 / number of accumulated micro-batches).
 * squared_norm: scalar, the sum of squares of `gradient` as stored, or no value for no clipping; with clip >
 * 0 the gradient is multiplied by min(1, clip / (norm + 1e-6)) where norm = gradient_factor *
 * sqrt(squared_norm). A squared_norm that is infinite or NaN leaves parameter and moments as they are. */
QUARTIC_API void quartic_adamw(quartic_graph *graph, quartic_value parameter, quartic_value gradient,
                               quartic_value first_moment, quartic_value second_moment, quartic_value hyper,
                               quartic_value squared_norm, float gradient_factor);

/* ---- measuring a device: unstable ---- */

/* x, then `count` times that value * factor + offset; |factor| <= 1. Many rounds on a few million elements
 * measure a device's arithmetic: 2 * count operations an element, one read, one write. */
QUARTIC_API quartic_value quartic_multiply_add_loop(quartic_graph *graph, quartic_value x, float factor,
                                                    float offset, uint32_t count);

#ifdef __cplusplus
}
#endif
#endif
