/* models.c: opening models and compiling them as one graph. See models.h. */
#include "tool/models.h"

#include <stdio.h>
#include <string.h>

#include "quartic/train.h"
#include "tool/files.h"

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), ending_length = strlen(ending);
    return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}

bool tool_is_config(const char *path) {
    return ends_with(path, ".json");
}

quartic_model *tool_open_model(const command *command, quartic_device *device, const char *path) {
    char file[TOOL_PATH_BYTES];
    quartic_model *model = NULL;
    if (!tool_model_path(command, path, file)) return NULL;
    if (quartic_model_open(device, file, &model) == QUARTIC_OK) return model;
    tool_fail_library(command, NULL);
    return NULL;
}

int tool_with_model(const invocation *call, const char *device_name,
                    int (*run_model)(const invocation *call, quartic_model *model)) {
    quartic_device *device = tool_open_device(call->command, device_name);
    quartic_model *model = device == NULL ? NULL : tool_open_model(call->command, device, call->operands[0]);
    int code = model == NULL ? EXIT_FAILED : run_model(call, model);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return code;
}

quartic_model *tool_make_model(const command *command, quartic_device *device, const char *path) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    quartic_model *model = NULL;
    config.num_tokens = TOOL_BYTE_TOKENS;
    if (quartic_model_config_read_json_file(&config, path) == QUARTIC_OK &&
        quartic_model_create(device, &config, &model) == QUARTIC_OK)
        return model;
    tool_fail_library(command, "`quartic inspect --keys` lists the keys of a configuration.");
    return NULL;
}

bool tool_expect_text_model(const command *command, const quartic_model *model) {
    const quartic_model_config *config = quartic_model_get_config(model);
    if (config->dim_node_features == 0 && config->num_edge_types == 0 && config->dim_edge_features == 0 &&
        config->readout == QUARTIC_READOUT_NODE && config->num_classes == config->num_tokens)
        return true;
    tool_fail(command, "`quartic eval MODEL GRAPHS.safetensors` measures it on graphs.",
              "this model takes graphs and does not predict the tokens of a text");
    return false;
}

uint32_t tool_trained_length(const quartic_model *model, const char *path) {
    uint32_t longest = quartic_model_get_config(model)->max_seq_len;
    char file[TOOL_PATH_BYTES];
    quartic_trainer_config trainer = QUARTIC_TRAINER_CONFIG_INIT;
    if (snprintf(file, sizeof file, "%s", path) >= (int)sizeof file) return longest;
    if (!ends_with(file, ".safetensors") &&
        snprintf(file, sizeof file, "%s/%s", path, TOOL_CHECKPOINT_NAME) >= (int)sizeof file)
        return longest;
    if (quartic_trainer_config_read(file, &trainer) != QUARTIC_OK) return longest;
    return trainer.length < longest ? trainer.length : longest;
}

/* Appends mean cross entropy of the logits (.., V) and its gradient with respect to the weights. */
static void append_gradients(quartic_graph *graph, quartic_value weights, quartic_value logits) {
    quartic_shape shape = quartic_graph_shape(graph, logits);
    uint32_t classes = shape.dims[shape.rank - 1];
    uint32_t count = (uint32_t)(quartic_shape_elements(&shape) / classes);
    quartic_shape flat = QUARTIC_SHAPE(count), rows = QUARTIC_SHAPE(count, classes);
    quartic_value targets = quartic_graph_input(graph, "targets", QUARTIC_INT32, &flat);
    quartic_value loss = quartic_cross_entropy(graph, quartic_reshape(graph, logits, &rows), targets);
    quartic_value gradient;
    quartic_graph_output(graph, "loss", loss);
    if (quartic_graph_gradients(graph, loss, (quartic_value){0}, &weights, 1, &gradient) == QUARTIC_OK)
        quartic_graph_output(graph, "gradient", gradient);
}

/* Inputs of the graph, as the model's configuration asks for. */
static quartic_model_inputs add_inputs(quartic_graph *graph, const quartic_model_config *config,
                                       uint32_t batch, uint32_t length) {
    quartic_model_inputs inputs = QUARTIC_MODEL_INPUTS_INIT;
    quartic_shape nodes = QUARTIC_SHAPE(batch, length), edges = QUARTIC_SHAPE(batch, length, length);
    quartic_shape node_features = QUARTIC_SHAPE(batch, length, config->dim_node_features);
    quartic_shape edge_features = QUARTIC_SHAPE(batch, length, length, config->dim_edge_features);
    if (config->dim_node_features == 0)
        inputs.tokens = quartic_graph_input(graph, "tokens", QUARTIC_INT32, &nodes);
    else
        inputs.node_features = quartic_graph_input(graph, "node_features", QUARTIC_FLOAT32, &node_features);
    if (config->num_edge_types != 0)
        inputs.edge_types = quartic_graph_input(graph, "edge_types", QUARTIC_INT32, &edges);
    if (config->dim_edge_features != 0)
        inputs.edge_features = quartic_graph_input(graph, "edge_features", QUARTIC_FLOAT32, &edge_features);
    return inputs;
}

quartic_status tool_compile(quartic_model *model, uint32_t batch, uint32_t length, bool with_gradients,
                            bool profile, quartic_program **out_program) {
    *out_program = NULL;
    quartic_graph *graph = NULL;
    quartic_status status = quartic_graph_create(&graph);
    if (status != QUARTIC_OK) return status;
    quartic_tensor *weights = quartic_model_weights(model);
    quartic_shape weights_shape = quartic_tensor_shape(weights);
    quartic_value flat = quartic_graph_parameter(graph, "weights", &weights_shape);
    quartic_model_inputs inputs = add_inputs(graph, quartic_model_get_config(model), batch, length);
    quartic_value logits = quartic_model_append_inputs(model, graph, flat, &inputs); // (.., V)
    if (quartic_graph_status(graph) == QUARTIC_OK && with_gradients)
        append_gradients(graph, flat, logits);
    else
        quartic_graph_output(graph, "logits", logits);
    quartic_binding binding = {"weights", weights};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = &binding;
    config.binding_count = 1;
    config.profile = profile;
    status = quartic_program_create(quartic_model_device(model), graph, &config, out_program);
    quartic_graph_destroy(graph);
    return status;
}
