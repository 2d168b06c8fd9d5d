/* build.c: the graphs of a model's tasks. See quartic_model_task in model.h. */
#include <stdio.h>

#include "base/alloc.h"
#include "model/model.h"

/* The values of a task's graph while it is built. */
typedef struct task_build {
    const quartic_model *model;
    const quartic_model_task *task;
    quartic_graph *graph;
    quartic_model_taps taps;
    quartic_value logits, loss;
    bool *trained; /* per weight, or NULL */
} task_build;

static void output_layers(quartic_graph *graph, const char *name, const quartic_value *values,
                          uint32_t depth) {
    for (uint32_t layer = 0; values != NULL && layer < depth; ++layer) {
        char text[32];
        snprintf(text, sizeof text, "%s.%u", name, layer);
        quartic_graph_output(graph, text, values[layer]);
    }
}

/* Adds the loss's gradient of every weight to its slice of the state. */
static void append_gradients(const task_build *build, const quartic_nn *nn) {
    quartic_graph *graph = build->graph;
    const quartic_parameter_set *set = &build->model->set;
    const quartic_value ones = {0};
    quartic_value state =
        quartic_graph_state(graph, "gradients", QUARTIC_FLOAT32, &QUARTIC_SHAPE((uint32_t)set->elements));
    quartic_value *gradients = quartic_alloc(set->count, sizeof gradients[0]);
    if (gradients == NULL) {
        quartic_graph_fail(graph, QUARTIC_OUT_OF_MEMORY);
        return;
    }
    quartic_graph_gradients(graph, build->loss, ones, nn->values, set->count, gradients);
    if (build->task->clear) state = quartic_fill(graph, state, 0.0f);
    for (uint32_t k = 0; k < set->count; ++k) {
        /* A weight may have no influence, such as those of the last layer's edges. */
        if (build->trained != NULL) build->trained[k] = gradients[k].id != 0;
        if (gradients[k].id == 0) continue;
        const quartic_parameter_spec *spec = &set->specs[k];
        quartic_value slice =
            quartic_slice(graph, state, 0, (uint32_t)spec->offset, (uint32_t)spec->elements);
        quartic_value flat = quartic_reshape(graph, gradients[k], &QUARTIC_SHAPE((uint32_t)spec->elements));
        quartic_accumulate(graph, slice, flat, 1.0f);
    }
    if (build->task->norm) quartic_graph_output(graph, "squared_norm", quartic_sum_squares(graph, state));
    quartic_free(gradients);
}

static void append_task(task_build *build) {
    quartic_graph *graph = build->graph;
    const quartic_model *model = build->model;
    const quartic_model_config *config = &model->config;
    const quartic_model_task *task = build->task;
    const uint32_t b = task->batch, n = task->length;
    const quartic_shape tokens_shape = QUARTIC_SHAPE(b, n);
    quartic_model_inputs inputs = {{0}, {0}};

    quartic_value storage =
        quartic_graph_parameter(graph, "parameters", &QUARTIC_SHAPE((uint32_t)model->set.elements));
    inputs.tokens = quartic_graph_input(graph, "tokens", QUARTIC_INT32, &tokens_shape);
    if (task->masked) inputs.mask = quartic_graph_input(graph, "mask", QUARTIC_INT32, &tokens_shape);
    /* The set is only read while building. */
    quartic_nn nn = quartic_nn_build(graph, (quartic_parameter_set *)(uintptr_t)&model->set, storage);
    if (task->dropout && config->dropout > 0.0f) {
        nn.dropout = config->dropout;
        nn.dropout_seed = quartic_graph_input(graph, "dropout_seed", QUARTIC_INT32, &QUARTIC_SHAPE(2));
    }
    build->logits = quartic_model_family_of(config)->build(&nn, config, &inputs, &build->taps);
    if (task->logits) quartic_graph_output(graph, "logits", build->logits);
    output_layers(graph, "attention", build->taps.attention, config->depth);
    output_layers(graph, "edges", build->taps.edges, config->depth);
    if (task->loss) {
        quartic_value targets = quartic_graph_input(graph, "targets", QUARTIC_INT32, &QUARTIC_SHAPE(b * n));
        quartic_value rows = quartic_reshape(graph, build->logits, &QUARTIC_SHAPE(b * n, config->num_tokens));
        build->loss = quartic_cross_entropy(graph, rows, targets);
        quartic_graph_output(graph, "loss", build->loss);
    }
    if (task->gradients) append_gradients(build, &nn);
    quartic_nn_end(&nn);
}

quartic_status quartic_model_build(const quartic_model *model, const quartic_model_task *task,
                                   bool *out_trained, quartic_graph **out_graph) {
    const uint32_t depth = model->config.depth;
    *out_graph = NULL;
    task_build build = {.model = model, .task = task, .trained = out_trained};
    QUARTIC_TRY(quartic_graph_create(&build.graph));
    quartic_status status = QUARTIC_OK;
    if (task->attention) {
        build.taps.attention = quartic_alloc(depth, sizeof build.taps.attention[0]);
        if (build.taps.attention == NULL) status = QUARTIC_OUT_OF_MEMORY;
    }
    if (task->edges && status == QUARTIC_OK) {
        build.taps.edges = quartic_alloc(depth, sizeof build.taps.edges[0]);
        if (build.taps.edges == NULL) status = QUARTIC_OUT_OF_MEMORY;
    }
    if (status == QUARTIC_OK) {
        append_task(&build);
        status = quartic_graph_status(build.graph);
    }
    quartic_free(build.taps.attention);
    quartic_free(build.taps.edges);
    if (status == QUARTIC_OK)
        *out_graph = build.graph;
    else
        quartic_graph_destroy(build.graph);
    return status;
}

quartic_value quartic_model_append(const quartic_model *model, quartic_graph *graph, quartic_value parameters,
                                   quartic_value tokens, quartic_value mask) {
    const quartic_value none = {0};
    quartic_shape shape = quartic_graph_shape(graph, parameters),
                  token_shape = quartic_graph_shape(graph, tokens);
    quartic_status status = quartic_graph_status(graph);
    if (status == QUARTIC_OK && (shape.rank != 1 || shape.dims[0] != model->set.elements)) {
        char text[QUARTIC_SHAPE_TEXT];
        status = quartic_fail(QUARTIC_SHAPE_MISMATCH, "the model's parameters must have shape (%llu), not %s",
                              (unsigned long long)model->set.elements, quartic_shape_text(&shape, text));
    }
    if (status == QUARTIC_OK && (token_shape.rank != 2 || token_shape.dims[1] > model->config.max_seq_len)) {
        char text[QUARTIC_SHAPE_TEXT];
        status = quartic_fail(QUARTIC_SHAPE_MISMATCH,
                              "the tokens have shape %s; they must be (b, n) with n at most max_seq_len = %u",
                              quartic_shape_text(&token_shape, text), model->config.max_seq_len);
    }
    if (status != QUARTIC_OK) {
        quartic_graph_fail(graph, status);
        return none;
    }
    quartic_nn nn = quartic_nn_build(graph, (quartic_parameter_set *)(uintptr_t)&model->set, parameters);
    const quartic_model_inputs inputs = {.tokens = tokens, .mask = mask};
    quartic_value logits = quartic_model_family_of(&model->config)->build(&nn, &model->config, &inputs, NULL);
    quartic_nn_end(&nn);
    return logits;
}
