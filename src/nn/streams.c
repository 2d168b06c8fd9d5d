/* streams.c: hyper-connections (Zhu et al. 2024), the generalised residual connections of the nodes.
 *
 *   M_t      = sum_s alpha_st R_s,  of which M_0 is the input of the branch
 *   mixed:   R_t <- M_(t+1) + beta_t branch(M_0)
 *   unmixed: R_t <- R_t + beta_t branch(M_0), where the other columns of alpha are not used
 *
 * What alpha and beta are made of stands in ops/hyper/hyper_width.c. The streams are kept as (b, n, S, D).
 */
#include "nn/layers.h"
#include "ops/hyper/hyper.h"

quartic_value quartic_nn_expand_streams(quartic_nn *nn, quartic_value x, uint32_t streams) {
    if (streams == 1) return x;
    quartic_shape s = quartic_graph_shape(nn->graph, x);
    quartic_value one = quartic_reshape(nn->graph, x, &QUARTIC_SHAPE(s.dims[0], s.dims[1], 1, s.dims[2]));
    return quartic_broadcast(nn->graph, one, &QUARTIC_SHAPE(s.dims[0], s.dims[1], streams, s.dims[2]));
}

quartic_value quartic_nn_reduce_streams(quartic_nn *nn, quartic_value residuals, uint32_t streams) {
    return streams == 1 ? residuals : quartic_sum(nn->graph, residuals, 1u << 2, 0);
}

/* The connection around streams R (b, n, S, D), or the one x (b, n, D) that they all equal: fills in *hyper
 * and returns the input of the branch (b, n, D). */
static quartic_value hyper_connect(quartic_nn *nn, quartic_value residuals, uint32_t index, bool mixes,
                                   bool equal, quartic_hyper *hyper) {
    const quartic_shape shape = quartic_graph_shape(nn->graph, residuals);
    const uint32_t streams = hyper->streams, dim = shape.dims[equal ? 2 : 3];
    const quartic_init zero = {QUARTIC_INIT_CONSTANT, 0.0f, 0}, one = {QUARTIC_INIT_CONSTANT, 1.0f, 0};
    const quartic_init small = {QUARTIC_INIT_CONSTANT, 0.01f, 0};
    const quartic_init own_stream = {QUARTIC_INIT_STREAM, 0.0f, index % streams};
    quartic_value inputs[HYPER_WIDTH_INPUTS] = {[HYPER_X] = residuals}, outputs[HYPER_WIDTH_OUTPUTS];
    inputs[HYPER_GAMMA] = quartic_nn_parameter(nn, "norm.gamma", QUARTIC_SHAPE(dim), zero);
    inputs[HYPER_STATIC_ALPHA] =
        quartic_nn_parameter(nn, "static_alpha", QUARTIC_SHAPE(streams, streams + 1), own_stream);
    inputs[HYPER_ALPHA_FN] =
        quartic_nn_parameter(nn, "dynamic_alpha_fn", QUARTIC_SHAPE(dim, streams + 1), zero);
    inputs[HYPER_ALPHA_SCALE] = quartic_nn_parameter(nn, "dynamic_alpha_scale", (quartic_shape){0}, small);
    inputs[HYPER_STATIC_BETA] = quartic_nn_parameter(nn, "static_beta", QUARTIC_SHAPE(streams), one);
    inputs[HYPER_BETA_FN] = quartic_nn_parameter(nn, "dynamic_beta_fn", QUARTIC_SHAPE(dim), zero);
    inputs[HYPER_BETA_SCALE] = quartic_nn_parameter(nn, "dynamic_beta_scale", (quartic_shape){0}, small);

    quartic_hyper_width(nn->graph, inputs, mixes, equal, QUARTIC_NORM_EPS, outputs);
    hyper->beta = outputs[HYPER_BETA];
    hyper->kept = mixes ? outputs[HYPER_KEPT] : residuals;
    quartic_nn_push(nn, "branch");
    return outputs[HYPER_BRANCH];
}

quartic_value quartic_nn_hyper_begin(quartic_nn *nn, quartic_value residuals, uint32_t streams,
                                     uint32_t index, bool mixes, quartic_hyper *out_hyper) {
    *out_hyper = (quartic_hyper){.streams = streams};
    if (streams > 1) return hyper_connect(nn, residuals, index, mixes, false, out_hyper);
    out_hyper->residual = residuals;
    quartic_nn_push(nn, "branch");
    return residuals;
}

quartic_value quartic_nn_hyper_begin_equal(quartic_nn *nn, quartic_value x, uint32_t streams, uint32_t index,
                                           bool mixes, quartic_hyper *out_hyper) {
    *out_hyper = (quartic_hyper){.streams = streams};
    return hyper_connect(nn, x, index, mixes, true, out_hyper);
}

quartic_value quartic_nn_hyper_end(quartic_nn *nn, const quartic_hyper *hyper, quartic_value branch) {
    quartic_nn_pop(nn);
    if (hyper->streams == 1) return branch;
    return quartic_hyper_depth(nn->graph, hyper->kept, hyper->beta, branch); // (b, n, S, D)
}
