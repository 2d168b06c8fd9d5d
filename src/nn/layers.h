/* layers.h: the pieces that all models share: projections, norms, feedforward, embeddings, hyper-connections.
 *
 * Each function takes its weights under the current prefixes of the quartic_nn, with the names of PyTorch's
 * state_dict, and returns a value (or none after an error, which sticks in the graph).
 */
#ifndef QUARTIC_NN_LAYERS_H
#define QUARTIC_NN_LAYERS_H

#include "nn/params.h"

/* Initial values of PyTorch's nn.Linear: uniform within 1 / sqrt(fan_in), for weight and bias. */
quartic_init quartic_nn_linear_init(uint32_t fan_in);

/* alpha * x W^T + addend: x (.., K), W (N, K), addend of the result's shape or no value, to (.., N). One
 * matrix product over all rows of x. */
quartic_value quartic_nn_project(quartic_nn *nn, quartic_value x, quartic_value weight, float alpha,
                                 quartic_value addend);

/* Weight "name.weight" (out, in) for inputs x (.., in). */
quartic_value quartic_nn_linear_weight(quartic_nn *nn, quartic_value x, const char *name, uint32_t out);

/* x W^T + b with "name.weight" and, if biased, "name.bias". */
quartic_value quartic_nn_linear(quartic_nn *nn, quartic_value x, const char *name, uint32_t out, bool biased);

/* rms norm with the weight `name` (last axis) and the family's eps. */
quartic_value quartic_nn_rms(quartic_nn *nn, quartic_value x, const char *name);

/* residual + W2 drop(gelu(W1 rms(x))); residual may be no value. Its inner values are computed again in the
 * backward pass if recompute: that keeps 2 mult numbers fewer for each one of x. */
quartic_value quartic_nn_feedforward(quartic_nn *nn, quartic_value x, quartic_value residual, uint32_t mult,
                                     bool recompute);

/* Rows of the table `name` (count, dim), normal at start, for tokens int32 (b, n): (b, n, dim). */
quartic_value quartic_nn_token_embedding(quartic_nn *nn, const char *name, quartic_value tokens,
                                         uint32_t count, uint32_t dim);
/* The first n rows of the table `name` (count, dim): (n, dim). */
quartic_value quartic_nn_position_embedding(quartic_nn *nn, const char *name, uint32_t n, uint32_t count,
                                            uint32_t dim);

/* LayerNorm(W (R x_i + C x_j)): x (b, n, D) to (b, i, j, De). */
quartic_value quartic_nn_edge_embedding(quartic_nn *nn, quartic_value x, uint32_t dim_edges);

/* MLP(i - j): Linear(1, D) SiLU Linear(D, D) SiLU Linear(D, out), to (i, j, out). */
quartic_value quartic_nn_position_bias(quartic_nn *nn, uint32_t n, uint32_t dim, uint32_t out);

/* A hyper-connection around a branch, or a plain residual if there is one stream. */
typedef struct quartic_hyper {
    uint32_t streams;
    quartic_value kept; /* M_1..M_S, or unmixed R_1..R_S (b, n, S, D), or the x (b, n, D) that all R equal */
    quartic_value beta; /* (b, n, S) */
    quartic_value
        residual; /* (b, n, D), if there is one stream: to be added by the branch itself; else no value */
} quartic_hyper;

/* x (b, n, D) as residual streams (b, n, S, D), or x itself if S = 1. */
quartic_value quartic_nn_expand_streams(quartic_nn *nn, quartic_value x, uint32_t streams);
/* The branch's input M_0 (b, n, D). index: the running number of the connection. mixes: whether the streams
 * go past the branch mixed, or each as it is. Pushes the prefix "branch". */
quartic_value quartic_nn_hyper_begin(quartic_nn *nn, quartic_value residuals, uint32_t streams,
                                     uint32_t index, bool mixes, quartic_hyper *out_hyper);
/* The same for the first connection, whose S > 1 residual streams all equal x (b, n, D), around a branch that
 * starts with an rms norm: gives the branch's input divided by its root mean square. With A = sum_s alpha_s0,
 * M_0 = A x. Let x = r d with the root mean square r and the direction d; then rms(A x) = d a / sqrt(a^2 +
 * eps) with a = A r, a norm of one element, from which the gradient of A, which is of order eps, comes
 * without cancellation. */
quartic_value quartic_nn_hyper_begin_equal(quartic_nn *nn, quartic_value x, uint32_t streams, uint32_t index,
                                           bool mixes, quartic_hyper *out_hyper);
/* Pops the prefix; the new residual streams, from the branch's output (b, n, D) (with hyper->residual added).
 */
quartic_value quartic_nn_hyper_end(quartic_nn *nn, const quartic_hyper *hyper, quartic_value branch);
/* Sum of the streams: (b, n, D). */
quartic_value quartic_nn_reduce_streams(quartic_nn *nn, quartic_value residuals, uint32_t streams);

#endif
