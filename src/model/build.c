/* build.c: the graphs of a model's tasks. See quartic_model_task in model.h. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/call.h"
#include "model/model.h"

/* The values of a task's graph while it is built. */
typedef struct task_build {
    const quartic_model *model;
    const quartic_model_task *task;
    quartic_graph *graph;
    quartic_model_taps taps;
    quartic_value diversity; /* scalar */
    quartic_value logits;    /* (.., num_classes) */
    quartic_value loss;      /* scalar */
    bool *trained;           /* per weight, or NULL */
} task_build;

/* Makes a value of each layer an output "name.<layer>". values may be NULL. */
static void output_layers(quartic_graph *graph, const char *name, const quartic_value *values,
                          uint32_t depth) {
    for (uint32_t layer = 0; values != NULL && layer < depth; ++layer) {
        char text[32];
        snprintf(text, sizeof text, "%s.%u", name, layer);
        quartic_graph_output(graph, text, values[layer]);
    }
}

/* Adds the gradient of the loss for every weight to the slice of the weight in the state "gradients", or puts it
 * there. */
static void append_loss_gradients(const task_build *build, const quartic_nn *nn) {
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
    if (quartic_graph_gradients(graph, build->loss, ones, nn->values, set->count, gradients) != QUARTIC_OK) {
        quartic_free(gradients); /* the graph keeps the error */
        return;
    }
    for (uint32_t k = 0; k < set->count; ++k) {
        /* The loss may not depend on a weight, such as those of the last layer's edges. */
        const bool still = nn->still[k] && k > 0 && gradients[k - 1].id != 0;
        if (build->trained != NULL) build->trained[k] = gradients[k].id != 0 || still;
        if (gradients[k].id == 0) continue;
        const quartic_parameter_spec *spec = &set->specs[k];
        quartic_value slice =
            quartic_slice(graph, state, 0, (uint32_t)spec->offset, (uint32_t)spec->elements);
        quartic_value flat = quartic_reshape(graph, gradients[k], &QUARTIC_SHAPE((uint32_t)spec->elements));
        if (build->task->replace)
            quartic_assign(graph, slice, flat);
        else
            quartic_accumulate(graph, slice, flat, 1.0f);
    }
    if (build->task->norm) quartic_graph_output(graph, "squared_norm", quartic_sum_squares(graph, state));
    if (build->task->gate) {
        quartic_value gate = quartic_graph_state(graph, "gate", QUARTIC_FLOAT32, &(quartic_shape){0});
        quartic_accumulate(graph, gate, build->loss, 0.0f);
    }
    quartic_free(gradients);
}

/* A term of the loss; of a weighted task times the input of that name, this batch's share of the larger
 * batch. */
static quartic_value weighted_term(const task_build *build, const char *name, quartic_value term) {
    if (!build->task->weighted) return term;
    return quartic_multiply(build->graph, term,
                            quartic_graph_input(build->graph, name, QUARTIC_FLOAT32, &(quartic_shape){0}));
}

/* Appends all that the task computes. */
static void append_task(task_build *build) {
    quartic_graph *graph = build->graph;
    const quartic_model *model = build->model;
    const quartic_model_config *config = &model->config;
    const quartic_model_task *task = build->task;
    const uint32_t b = task->batch, n = task->length;
    quartic_value storage =
        quartic_graph_parameter(graph, "parameters", &QUARTIC_SHAPE((uint32_t)model->set.elements));
    const quartic_model_inputs inputs = quartic_nn_declare_inputs(graph, config, b, n, task->masked);
    /* quartic_nn_build only reads the set. */
    quartic_nn nn = quartic_nn_build(graph, (quartic_parameter_set *)(uintptr_t)&model->set, storage);
    if (task->dropout && config->dropout > 0.0f) {
        nn.dropout = config->dropout;
        nn.dropout_seed = quartic_graph_input(graph, "dropout_seed", QUARTIC_INT32, &QUARTIC_SHAPE(2));
    }
    build->logits = quartic_model_family_of(config)->build(&nn, config, &inputs, &build->taps);
    if (task->logits) quartic_graph_output(graph, "logits", build->logits);
    output_layers(graph, "attention", build->taps.attention, config->depth);
    output_layers(graph, "edges", build->taps.edges, config->depth);
    if (task->diversity) quartic_graph_output(graph, "diversity", build->diversity);
    if (task->loss) {
        const uint32_t count = (uint32_t)quartic_model_logit_rows(model, b, n);
        quartic_value targets = quartic_graph_input(graph, "targets", QUARTIC_INT32, &QUARTIC_SHAPE(count));
        quartic_value rows =
            quartic_reshape(graph, build->logits, &QUARTIC_SHAPE(count, config->num_classes));
        build->loss = weighted_term(build, "target_share", quartic_cross_entropy(graph, rows, targets));
        if (config->diversity_loss > 0.0f)
            build->loss = quartic_add(
                graph, build->loss,
                weighted_term(build, "batch_share",
                              quartic_scale(graph, build->diversity, config->diversity_loss, 0.0f)));
        quartic_graph_output(graph, "loss", build->loss);
    }
    if (task->gradients) append_loss_gradients(build, &nn);
    quartic_nn_end(&nn);
}

quartic_status quartic_model_build(const quartic_model *model, const quartic_model_task *task,
                                   bool *out_trained, quartic_graph **out_graph) {
    const uint32_t depth = model->config.depth;
    *out_graph = NULL;
    task_build build = {.model = model, .task = task, .trained = out_trained};
    QUARTIC_TRY(quartic_graph_create(&build.graph));
    quartic_status status = QUARTIC_OK;
    if (task->diversity || (task->loss && model->config.diversity_loss > 0.0f))
        build.taps.diversity = &build.diversity;
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

/* An input that the caller gave must be a value if and only if the configuration asks for it, of that dtype
 * and shape. */
static quartic_status check_appended_input(const quartic_graph *graph, const char *name, quartic_value value,
                                           bool asked, quartic_dtype dtype, const quartic_shape *want) {
    if (!asked && value.id == 0) return QUARTIC_OK;
    if (!asked || value.id == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the model %s %s", asked ? "needs" : "does not take",
                            name);
    const quartic_shape shape = quartic_graph_shape(graph, value);
    char text[QUARTIC_SHAPE_TEXT], want_text[QUARTIC_SHAPE_TEXT];
    if (quartic_graph_dtype(graph, value) != dtype || !quartic_shape_equal(&shape, want))
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "%s must have shape %s as %s, not %s as %s", name,
                            quartic_shape_text(want, want_text), dtype == QUARTIC_INT32 ? "int32" : "float32",
                            quartic_shape_text(&shape, text),
                            quartic_graph_dtype(graph, value) == QUARTIC_INT32 ? "int32" : "float32");
    return QUARTIC_OK;
}

static quartic_status check_appended(const quartic_model *model, quartic_graph *graph,
                                     quartic_value parameters, const quartic_model_inputs *inputs) {
    const quartic_model_config *config = &model->config;
    const uint32_t node_width = config->dim_node_features, edge_width = config->dim_edge_features;
    QUARTIC_TRY(quartic_graph_status(graph));
    const quartic_value all[] = {parameters,         inputs->tokens,        inputs->node_features,
                                 inputs->edge_types, inputs->edge_features, inputs->mask};
    if (!quartic_graph_expect(graph, "model_append", all, sizeof all / sizeof all[0]))
        return quartic_graph_status(graph);
    const quartic_shape flat = QUARTIC_SHAPE((uint32_t)model->set.elements);
    QUARTIC_TRY(
        check_appended_input(graph, "the model's parameters", parameters, true, QUARTIC_FLOAT32, &flat));
    const quartic_value nodes = node_width == 0 ? inputs->tokens : inputs->node_features;
    const quartic_shape shape = quartic_graph_shape(graph, nodes);
    const uint32_t b = shape.dims[0], n = shape.dims[1];
    QUARTIC_TRY(check_appended_input(graph, "the tokens", inputs->tokens, node_width == 0, QUARTIC_INT32,
                                     &QUARTIC_SHAPE(b, n)));
    QUARTIC_TRY(check_appended_input(graph, "the node features", inputs->node_features, node_width != 0,
                                     QUARTIC_FLOAT32, &QUARTIC_SHAPE(b, n, node_width)));
    QUARTIC_TRY(quartic_model_check_size(model, b, n));
    QUARTIC_TRY(check_appended_input(graph, "the edge types", inputs->edge_types, config->num_edge_types != 0,
                                     QUARTIC_INT32, &QUARTIC_SHAPE(b, n, n)));
    QUARTIC_TRY(check_appended_input(graph, "the edge features", inputs->edge_features, edge_width != 0,
                                     QUARTIC_FLOAT32, &QUARTIC_SHAPE(b, n, n, edge_width)));
    return check_appended_input(graph, "the mask", inputs->mask, inputs->mask.id != 0, QUARTIC_INT32,
                                &QUARTIC_SHAPE(b, n));
}

static const quartic_model_inputs standard_inputs = QUARTIC_MODEL_INPUTS_INIT;
static const quartic_options_type inputs_type =
    QUARTIC_BUILDER_OPTIONS_TYPE(quartic_model_inputs, QUARTIC_MODEL_INPUTS_INIT, &standard_inputs, mask);

quartic_value quartic_model_append_inputs(const quartic_model *model, quartic_graph *graph,
                                          quartic_value parameters, const quartic_model_inputs *inputs) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, (quartic_value){0});
    QUARTIC_NEED_OR(graph, (quartic_value){0});
    QUARTIC_NEED_OR(inputs, (quartic_value){0});
    const quartic_value none = {0};
    quartic_model_inputs own;
    if (!quartic_graph_options(graph, &inputs_type, inputs, &own)) return none;
    inputs = &own;
    quartic_status status = check_appended(model, graph, parameters, inputs);
    if (status != QUARTIC_OK) {
        quartic_graph_fail(graph, status);
        return none;
    }
    quartic_nn nn = quartic_nn_build(graph, (quartic_parameter_set *)(uintptr_t)&model->set, parameters);
    quartic_value logits = quartic_model_family_of(&model->config)->build(&nn, &model->config, inputs, NULL);
    quartic_nn_end(&nn);
    return logits;
}

quartic_status quartic_model_declare_inputs(const quartic_model *model, quartic_graph *graph, uint32_t batch,
                                            uint32_t length, uint32_t masked,
                                            quartic_model_inputs *out_inputs) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(graph);
    QUARTIC_NEED(out_inputs);
    QUARTIC_TRY(quartic_model_check_size(model, batch, length));
    const quartic_model_inputs inputs =
        quartic_nn_declare_inputs(graph, &model->config, batch, length, masked != 0);
    QUARTIC_TRY(quartic_graph_status(graph));
    *out_inputs = inputs;
    return QUARTIC_OK;
}

quartic_value quartic_model_append(const quartic_model *model, quartic_graph *graph, quartic_value parameters,
                                   quartic_value tokens, quartic_value mask) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, (quartic_value){0});
    QUARTIC_NEED_OR(graph, (quartic_value){0});
    const quartic_model_inputs inputs = {.tokens = tokens, .mask = mask};
    return quartic_model_append_inputs(model, graph, parameters, &inputs);
}
