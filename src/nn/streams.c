/* streams.c: hyper-connections (Zhu et al. 2024), the generalised residual connections of the nodes.
 *
 *   N_s      = l2(R_s; gamma + 1)
 *   alpha_st = tanh(N_s . dynamic_alpha_fn)_t dynamic_alpha_scale + static_alpha_st,  t = 0..S
 *   beta_s   = tanh(N_s . dynamic_beta_fn) dynamic_beta_scale + static_beta_s
 *   M_t      = sum_s alpha_st R_s,  of which M_0 is the input of the branch
 *   mixed:   R_t <- M_(t+1) + beta_t branch(M_0)
 *   unmixed: R_t <- R_t + beta_t branch(M_0), where the other columns of alpha are not used
 *
 * The streams are kept as (b, n, S, D), so that both mixings are small matrix products per token.
 */
#include "nn/layers.h"

quartic_value quartic_nn_expand_streams(quartic_nn *nn, quartic_value x, uint32_t streams) {
    if (streams == 1) return x;
    quartic_shape s = quartic_graph_shape(nn->graph, x);
    quartic_value one = quartic_reshape(nn->graph, x, &QUARTIC_SHAPE(s.dims[0], s.dims[1], 1, s.dims[2]));
    return quartic_broadcast(nn->graph, one, &QUARTIC_SHAPE(s.dims[0], s.dims[1], streams, s.dims[2]));
}

quartic_value quartic_nn_reduce_streams(quartic_nn *nn, quartic_value residuals, uint32_t streams) {
    return streams == 1 ? residuals : quartic_sum(nn->graph, residuals, 1u << 2, 0);
}

/* tanh(normed fn) * scale + fixed: normed (b, n, S, D), fn (D, T), fixed (S, T), to (b, n, S, T). */
static quartic_value hyper_coefficients(quartic_nn *nn, quartic_value normed, quartic_value fn,
                                        quartic_value scale, quartic_value fixed) {
    quartic_value dynamic = quartic_tanh(nn->graph, quartic_matmul(nn->graph, normed, fn, NULL));
    return quartic_add(nn->graph, quartic_multiply(nn->graph, dynamic, scale), fixed);
}

/* Fills in *hyper and returns alpha_s0 (b, n, S, 1), the share of each stream in the input of the branch. */
static quartic_value hyper_connect(quartic_nn *nn, quartic_value residuals, uint32_t index, bool mixes,
                                   quartic_hyper *hyper) {
    quartic_graph *graph = nn->graph;
    quartic_shape shape = quartic_graph_shape(graph, residuals);
    uint32_t streams = hyper->streams, dim = shape.dims[3];
    const quartic_init zero = {QUARTIC_INIT_CONSTANT, 0.0f, 0}, one = {QUARTIC_INIT_CONSTANT, 1.0f, 0};
    const quartic_init small = {QUARTIC_INIT_CONSTANT, 0.01f, 0};
    const quartic_init own_stream = {QUARTIC_INIT_STREAM, 0.0f, index % streams};
    quartic_value gamma = quartic_nn_parameter(nn, "norm.gamma", QUARTIC_SHAPE(dim), zero);
    quartic_value static_alpha =
        quartic_nn_parameter(nn, "static_alpha", QUARTIC_SHAPE(streams, streams + 1), own_stream);
    quartic_value alpha_fn =
        quartic_nn_parameter(nn, "dynamic_alpha_fn", QUARTIC_SHAPE(dim, streams + 1), zero);
    quartic_value alpha_scale = quartic_nn_parameter(nn, "dynamic_alpha_scale", (quartic_shape){0}, small);
    quartic_value static_beta = quartic_nn_parameter(nn, "static_beta", QUARTIC_SHAPE(streams), one);
    quartic_value beta_fn = quartic_nn_parameter(nn, "dynamic_beta_fn", QUARTIC_SHAPE(dim), zero);
    quartic_value beta_scale = quartic_nn_parameter(nn, "dynamic_beta_scale", (quartic_shape){0}, small);

    quartic_value normed = quartic_l2_norm(graph, residuals, gamma, 1.0f); // (b, n, S, D)
    quartic_value alpha =
        hyper_coefficients(nn, normed, alpha_fn, alpha_scale, static_alpha); // (b, n, S, S + 1)
    hyper->beta =
        hyper_coefficients(nn, normed, quartic_reshape(graph, beta_fn, &QUARTIC_SHAPE(dim, 1)), beta_scale,
                           quartic_reshape(graph, static_beta, &QUARTIC_SHAPE(streams, 1))); // (b, n, S, 1)
    hyper->kept = residuals;
    if (mixes) {
        quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
        options.transpose_a = 1;
        quartic_value to_streams = quartic_slice(graph, alpha, 3, 1, streams); // (b, n, S, S)
        hyper->kept = quartic_matmul(graph, to_streams, residuals, &options);  // (b, n, S, D)
    }
    return quartic_slice(graph, alpha, 3, 0, 1);
}

quartic_value quartic_nn_hyper_begin(quartic_nn *nn, quartic_value residuals, uint32_t streams,
                                     uint32_t index, bool mixes, quartic_hyper *out_hyper) {
    *out_hyper = (quartic_hyper){.streams = streams};
    if (streams == 1) {
        out_hyper->residual = residuals;
        quartic_nn_push(nn, "branch");
        return residuals;
    }
    quartic_shape shape = quartic_graph_shape(nn->graph, residuals);
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_a = 1;
    quartic_value to_branch = hyper_connect(nn, residuals, index, mixes, out_hyper); // (b, n, S, 1)
    quartic_value input = quartic_matmul(nn->graph, to_branch, residuals, &options); // (b, n, 1, D)
    quartic_nn_push(nn, "branch");
    return quartic_reshape(nn->graph, input, &QUARTIC_SHAPE(shape.dims[0], shape.dims[1], shape.dims[3]));
}

quartic_value quartic_nn_hyper_begin_equal(quartic_nn *nn, quartic_value x, uint32_t streams, uint32_t index,
                                           bool mixes, quartic_hyper *out_hyper) {
    static const float least_eps = 1e-30f; /* so that x = 0 gives 0 */
    const quartic_value none = {0};
    *out_hyper = (quartic_hyper){.streams = streams};
    quartic_graph *graph = nn->graph;
    quartic_shape shape = quartic_graph_shape(graph, x);
    uint32_t b = shape.dims[0], n = shape.dims[1], dim = shape.dims[2];
    quartic_value to_branch =
        hyper_connect(nn, quartic_nn_expand_streams(nn, x, streams), index, mixes, out_hyper);
    quartic_value total =
        quartic_reshape(graph, quartic_sum(graph, to_branch, 1u << 2, 0), &QUARTIC_SHAPE(b, n, 1)); // A
    quartic_value direction = quartic_rms_norm(graph, x, none, least_eps); // (b, n, D)
    quartic_value size =
        quartic_scale(graph, quartic_sum(graph, quartic_multiply(graph, x, direction), 1u << 2, 1),
                      1.0f / (float)dim, 0.0f); // (b, n, 1)
    quartic_value amount =
        quartic_rms_norm(graph, quartic_multiply(graph, total, size), none, QUARTIC_NORM_EPS); // (b, n, 1)
    quartic_nn_push(nn, "branch");
    return quartic_multiply(graph, direction, amount);
}

quartic_value quartic_nn_hyper_end(quartic_nn *nn, const quartic_hyper *hyper, quartic_value branch) {
    quartic_nn_pop(nn);
    if (hyper->streams == 1) return branch;
    quartic_shape s = quartic_graph_shape(nn->graph, branch);
    quartic_value row = quartic_reshape(nn->graph, branch,
                                        &QUARTIC_SHAPE(s.dims[0], s.dims[1], 1, s.dims[2]));   // (b, n, 1, D)
    return quartic_add(nn->graph, hyper->kept, quartic_multiply(nn->graph, hyper->beta, row)); // (b, n, S, D)
}
