/* layers.h: the pieces that all models share: projections, norms, feedforward, embeddings, hyper-connections.
 *
 * Each function takes its weights under the current prefixes of the quartic_nn, with the names of PyTorch's
 * state_dict, and returns a value (or no value after an error, which the graph keeps).
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

/* residual + W2 drop(gelu(W1 rms(x))), x (.., D); residual as x, or no value. recompute: the backward pass
 * computes the inner values again, which saves 2 mult numbers for each number of x. */
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
    quartic_value beta; /* several streams: (b, n, S) */
    quartic_value residual; /* one stream: (b, n, D), which the branch itself adds; else no value */
} quartic_hyper;

/* x (b, n, D) as residual streams (b, n, S, D), or x itself if S = 1. */
quartic_value quartic_nn_expand_streams(quartic_nn *nn, quartic_value x, uint32_t streams);
/* Begins a branch: returns its input M_0 (b, n, D) and pushes the prefix "branch". index: the number of the
 * connection in the model. mixes: whether the streams are mixed beside the branch, or each stays as it is. */
quartic_value quartic_nn_hyper_begin(quartic_nn *nn, quartic_value residuals, uint32_t streams,
                                     uint32_t index, bool mixes, quartic_hyper *out_hyper);
/* The same for the first connection, whose S > 1 residual streams all equal x (b, n, D), around a branch that
 * starts with an rms norm. Returns the normed input of the branch, rms(M_0) (b, n, D). With
 *     A = sum_s alpha_s0,  M_0 = A x,  x = r d  (root mean square r, direction d),  a = A r
 * it is
 *     rms(A x) = d a / sqrt(a^2 + eps),
 * an rms norm of the one element a. So the gradient of A, which is of order eps, is computed without
 * cancellation. */
quartic_value quartic_nn_hyper_begin_equal(quartic_nn *nn, quartic_value x, uint32_t streams, uint32_t index,
                                           bool mixes, quartic_hyper *out_hyper);
/* Ends a branch: pops the prefix and returns the new residual streams. branch (b, n, D): the branch's output,
 * to which it has added hyper->residual if that is a value. */
quartic_value quartic_nn_hyper_end(quartic_nn *nn, const quartic_hyper *hyper, quartic_value branch);
/* Sum of the streams: (b, n, D). */
quartic_value quartic_nn_reduce_streams(quartic_nn *nn, quartic_value residuals, uint32_t streams);

#endif
