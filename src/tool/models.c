/* models.c: opening models and compiling them as one graph. See models.h. */
#include "tool/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "quartic/io.h"
#include "quartic/tensor.h"
#include "quartic/train.h"
#include "tool/files.h"

const char *tool_edge_form_name(uint32_t form) {
    static const char *const names[] = {
#define FORM_NAME(suffix, name) name,
        QUARTIC_EDGE_ATTENTION_LIST(FORM_NAME)
#undef FORM_NAME
    };
    return form < sizeof names / sizeof names[0] ? names[form] : NULL;
}

bool tool_is_config(const char *path) {
    return tool_ends_with(path, ".json");
}

void tool_tell_prefix(const command *command, const quartic_model *model, const char *path) {
    const char *prefix = quartic_model_loaded_prefix(model);
    if (prefix[0] != 0)
        tool_warn(command, "every name in %s begins with \"%s\", which was left out", path, prefix);
}

quartic_model *tool_load_model(const command *command, quartic_device *device, const char *path,
                               const quartic_model_config *config) {
    quartic_model *model = NULL;
    if (quartic_model_create(device, config, &model) == QUARTIC_OK &&
        quartic_model_load(model, path) == QUARTIC_OK) {
        tool_tell_prefix(command, model, path);
        return model;
    }
    tool_fail_library(command, NULL);
    quartic_model_destroy(model);
    return NULL;
}

/* Whether the configuration is of a model of graphs. */
static bool takes_graphs(const quartic_model_config *config) {
    return config->dim_node_features != 0 || config->num_edge_types != 0 || config->dim_edge_features != 0 ||
           config->readout != QUARTIC_READOUT_NODE || !config->positions ||
           (config->num_classes != 0 && config->num_classes != config->num_tokens);
}

/* The file is read once, since a pipe gives its text only once. What it does not set shows as these values,
 * which no file can set. */
bool tool_read_config(const command *command, const char *path, bool causal,
                      quartic_model_config *out_config) {
    const uint32_t not_set = UINT32_MAX;
    *out_config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    out_config->num_tokens = not_set;
    out_config->causal = not_set;
    if (quartic_model_config_read_json_file(out_config, path) != QUARTIC_OK)
        return tool_fail_library(command, "`quartic inspect --keys` lists the keys of a configuration."),
               false;
    const bool tokens = out_config->num_tokens != not_set, causality = out_config->causal != not_set;
    if (!tokens) out_config->num_tokens = TOOL_BYTE_TOKENS;
    if (!causality) out_config->causal = causal;
    if (!takes_graphs(out_config)) return true;
    /* The defaults of a text are not those of graphs. */
    if (!tokens && out_config->dim_node_features != 0) out_config->num_tokens = 0;
    if (!causality) out_config->causal = 0;
    return true;
}

/* All fields as a JSON object; NULL after an error. */
static json_t *config_json(const quartic_model_config *config) {
    char *text = tool_config_text(config);
    json_t *object = text == NULL ? NULL : json_loads(text, 0, NULL);
    free(text);
    return object;
}

/* Whether what a configuration says is what the model has; keys that it leaves out are. */
static bool config_agrees(const command *command, const quartic_model *model, const char *model_path,
                          const char *config_path) {
    quartic_model_config config = *quartic_model_get_config(model);
    config.weights = NULL;
    json_t *have = config_json(&config);
    json_t *want = have != NULL && quartic_model_config_read_json_file(&config, config_path) == QUARTIC_OK
                       ? config_json(&config)
                       : NULL;
    bool same = want != NULL;
    if (!same) tool_fail_library(command, "`quartic inspect --keys` lists the keys of a configuration.");
    const char *key;
    json_t *value;
    if (same) {
        json_object_foreach(have, key, value) {
            if (json_equal(value, json_object_get(want, key))) continue;
            char *is = json_dumps(value, JSON_ENCODE_ANY);
            char *asked = json_dumps(json_object_get(want, key), JSON_ENCODE_ANY);
            tool_fail(command, "leave --config out: the file has its configuration.",
                      "%s says that \"%s\" is %s, but %s was made with %s", config_path, key,
                      asked == NULL ? "?" : asked, model_path, is == NULL ? "?" : is);
            free(is);
            free(asked);
            same = false;
            break;
        }
    }
    json_decref(have);
    json_decref(want);
    return same;
}

bool tool_has_config(const char *path) {
    quartic_safetensors *file;
    if (quartic_safetensors_open(path, &file) != QUARTIC_OK) return false;
    const bool found = quartic_safetensors_metadata(file, "config") != NULL;
    quartic_safetensors_close(file);
    return found;
}

quartic_model *tool_open_model(const command *command, quartic_device *device, const char *path,
                               const char *config) {
    char file[TOOL_PATH_BYTES];
    quartic_model *model = NULL;
    quartic_model_config given;
    if (!tool_model_path(command, path, file)) return NULL;
    if (config != NULL && !tool_has_config(file))
        return tool_read_config(command, config, true, &given)
                   ? tool_load_model(command, device, file, &given)
                   : NULL;
    const quartic_status status = quartic_model_open(device, file, &model);
    if (status == QUARTIC_OK && (config == NULL || config_agrees(command, model, file, config))) {
        tool_tell_prefix(command, model, file);
        return model;
    }
    if (status == QUARTIC_FORMAT && !tool_has_config(file))
        tool_fail_library(command, "--config FILE.json tells what model the weights are of.");
    else if (status != QUARTIC_OK)
        tool_fail_library(command, NULL);
    quartic_model_destroy(model);
    return NULL;
}

int tool_with_model(const invocation *call, const char *device_name, uint32_t fixed, const char *config,
                    int (*run_model)(const invocation *call, quartic_model *model)) {
    quartic_device *device = tool_open_fixed_device(call->command, device_name, fixed);
    quartic_model *model =
        device == NULL ? NULL : tool_open_model(call->command, device, call->operands[0], config);
    int code = model == NULL ? EXIT_FAILED : run_model(call, model);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return code;
}

quartic_model *tool_make_model(const command *command, quartic_device *device, const char *path) {
    quartic_model_config config;
    quartic_model *model = NULL;
    if (!tool_read_config(command, path, false, &config)) return NULL;
    if (quartic_model_create(device, &config, &model) == QUARTIC_OK) return model;
    tool_fail_library(command, "`quartic inspect --keys` lists the keys of a configuration.");
    return NULL;
}

char *tool_config_text(const quartic_model_config *config) {
    size_t bytes = 0;
    if (quartic_model_config_write_json(config, NULL, 0, &bytes) != QUARTIC_OK) return NULL;
    char *text = tool_alloc(bytes, 1);
    if (quartic_model_config_write_json(config, text, bytes, NULL) == QUARTIC_OK) return text;
    free(text);
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

tool_run_shape tool_run_shape_of(const quartic_model *model, const char *path) {
    const uint32_t longest = quartic_model_get_config(model)->max_seq_len;
    char file[TOOL_PATH_BYTES];
    struct stat facts;
    quartic_trainer_config trainer = QUARTIC_TRAINER_CONFIG_INIT;
    if (path == NULL) return (tool_run_shape){0};
    const bool folder = stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
    const int used = snprintf(file, sizeof file, folder ? "%s/" TOOL_CHECKPOINT_NAME : "%s", path);
    if (used < 0 || used >= (int)sizeof file || quartic_trainer_config_read(file, &trainer) != QUARTIC_OK)
        return (tool_run_shape){0};
    return (tool_run_shape){trainer.length < longest ? trainer.length : longest, trainer.masked != 0};
}

uint32_t tool_trained_length(const quartic_model *model, const char *path) {
    const uint32_t length = tool_run_shape_of(model, path).length;
    return length != 0 ? length : quartic_model_get_config(model)->max_seq_len;
}

uint32_t tool_standard_length(const quartic_model *model) {
    const uint32_t longest = quartic_model_get_config(model)->max_seq_len, standard = 128;
    return longest < standard ? longest : standard;
}

/* Appends mean cross entropy of the logits (.., V) and its gradient with respect to the weights. */
static void append_flat_gradient(quartic_graph *graph, quartic_value weights, quartic_value logits) {
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

/* Marks every node as real: rows of padding alone are no use to time. */
static quartic_status fill_mask(quartic_program *program, uint32_t batch, uint32_t length) {
    const size_t nodes = (size_t)batch * length;
    int32_t *ones = tool_alloc(nodes, sizeof *ones);
    for (size_t k = 0; k < nodes; ++k) ones[k] = 1;
    quartic_tensor *mask = quartic_program_tensor(program, "mask");
    const quartic_status status =
        mask == NULL ? QUARTIC_OK : quartic_tensor_write(mask, ones, nodes * sizeof *ones);
    free(ones);
    return status;
}

quartic_status tool_build_graph(quartic_model *model, uint32_t batch, uint32_t length, bool masked,
                                bool with_gradients, quartic_graph **out_graph) {
    quartic_graph *graph = NULL;
    quartic_status status = quartic_graph_create(&graph);
    *out_graph = graph;
    if (status != QUARTIC_OK) return status;
    quartic_tensor *weights = quartic_model_weights(model);
    quartic_shape weights_shape = quartic_tensor_shape(weights);
    quartic_value flat = quartic_graph_parameter(graph, "weights", &weights_shape);
    quartic_model_inputs inputs;
    status = quartic_model_declare_inputs(model, graph, batch, length, masked, &inputs);
    if (status == QUARTIC_OK) {
        const quartic_value logits = quartic_model_append_inputs(model, graph, flat, &inputs); // (.., V)
        if (with_gradients && quartic_graph_status(graph) == QUARTIC_OK)
            append_flat_gradient(graph, flat, logits);
        else
            quartic_graph_output(graph, "logits", logits);
    }
    if (status == QUARTIC_OK) status = quartic_graph_status(graph);
    if (status == QUARTIC_OK) return QUARTIC_OK;
    quartic_graph_destroy(graph);
    *out_graph = NULL;
    return status;
}

quartic_status tool_compile(quartic_model *model, uint32_t batch, uint32_t length, bool masked,
                            bool with_gradients, bool profile, quartic_program **out_program) {
    *out_program = NULL;
    quartic_graph *graph;
    quartic_status status = tool_build_graph(model, batch, length, masked, with_gradients, &graph);
    quartic_tensor *weights = quartic_model_weights(model);
    quartic_binding binding = {"weights", weights};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = &binding;
    config.binding_count = 1;
    config.profile = profile;
    if (status == QUARTIC_OK)
        status = quartic_program_create(quartic_model_device(model), graph, &config, out_program);
    quartic_graph_destroy(graph);
    if (status == QUARTIC_OK && masked) status = fill_mask(*out_program, batch, length);
    if (status == QUARTIC_OK) return QUARTIC_OK;
    quartic_program_destroy(*out_program);
    *out_program = NULL;
    return status;
}
