/* bench_inputs.c: made-up inputs for timing a model. See bench.h. */
#include <stdlib.h>
#include <string.h>

#include "tool/bench.h"

/* Whole numbers below the limit. */
static int32_t *make_numbers(size_t count, uint32_t limit) {
    int32_t *numbers = tool_alloc(count, sizeof *numbers);
    uint32_t state = 1;
    for (size_t k = 0; k < count; ++k) {
        state = state * 1664525u + 1013904223u;
        numbers[k] = (int32_t)((state >> 8) % limit);
    }
    return numbers;
}

/* Real numbers in [-1, 1). */
static float *make_features(size_t rows, uint32_t width) {
    float *numbers = tool_alloc(rows * width, sizeof *numbers);
    uint32_t state = 1;
    for (size_t k = 0; k < rows * width; ++k) {
        state = state * 1664525u + 1013904223u;
        numbers[k] = (float)(state >> 8) * 0x1p-23f - 1.0f;
    }
    return numbers;
}

bench_inputs *bench_inputs_create(const quartic_model *model, uint32_t batch, uint32_t length, bool masked) {
    const quartic_model_config *config = quartic_model_get_config(model);
    const size_t nodes = (size_t)batch * length, edges = nodes * length;
    bench_inputs *inputs = tool_alloc(1, sizeof *inputs);
    if (config->dim_node_features == 0)
        inputs->tokens = make_numbers(nodes, config->num_tokens);
    else
        inputs->node_features = make_features(nodes, config->dim_node_features);
    if (config->num_edge_types != 0) inputs->edge_types = make_numbers(edges, config->num_edge_types);
    if (config->dim_edge_features != 0)
        inputs->edge_features = make_features(edges, config->dim_edge_features);
    if (masked) {
        inputs->mask = tool_alloc(nodes, 1);
        memset(inputs->mask, 1, nodes);
    }
    inputs->targets = make_numbers(quartic_model_logit_rows(model, batch, length), config->num_classes);
    inputs->in = (quartic_model_batch){.struct_size = sizeof inputs->in,
                                       .batch = batch,
                                       .length = length,
                                       .tokens = inputs->tokens,
                                       .node_features = inputs->node_features,
                                       .edge_types = inputs->edge_types,
                                       .edge_features = inputs->edge_features,
                                       .mask = inputs->mask,
                                       .targets = inputs->targets};
    return inputs;
}

void bench_inputs_destroy(bench_inputs *inputs) {
    free(inputs->tokens);
    free(inputs->node_features);
    free(inputs->edge_types);
    free(inputs->edge_features);
    free(inputs->mask);
    free(inputs->targets);
    free(inputs);
}
