/* models.h: models from files for the commands that run them, and programs of a whole model. */
#ifndef QUARTIC_TOOL_MODELS_H
#define QUARTIC_TOOL_MODELS_H

#include <stdbool.h>

#include "quartic/model.h"
#include "quartic/program.h"
#include "tool/tool.h"

/* The name of a form of edge attention (quartic_edge_attention), as configurations have it; NULL past the
 * last. */
const char *tool_edge_form_name(uint32_t form);

/* A file name that ends in .json or .JSON. */
bool tool_is_config(const char *path);

/* For weights that come without a configuration. */
#define TOOL_CONFIG_OPTION(settings)                                                                         \
    {                                                                                                        \
        "config", "FILE", ARG_TEXT, offsetof(settings, config), 0, 0,                                        \
            "the configuration of a model file that has none in its metadata, a JSON object"                 \
    }

#define TOOL_LENGTH_OPTION(settings)                                                                         \
    {                                                                                                        \
        "length", "N", ARG_UINT32, offsetof(settings, length), 1, 65536,                                     \
            "tokens of a sequence or nodes of a graph (default: those that the model was trained on; "       \
            "otherwise 128, or max_seq_len if that is less)"                                                 \
    }
/* For commands that run whole passes of a model: "length", "batch", "forward-only". */
#define TOOL_PASS_OPTIONS(settings)                                                                          \
    TOOL_LENGTH_OPTION(settings),                                                                            \
        {"batch", "N", ARG_UINT32, offsetof(settings, batch), 1, 65536, "sequences at once"}, {              \
        "forward-only", NULL, ARG_FLAG, offsetof(settings, forward_only), 0, 0, "no training step"           \
    }

/* Whether the file has a configuration in its metadata; false for what is no safetensors file, too. */
bool tool_has_config(const char *path);

/* Opens the model of a checkpoint, model file or run folder. config (may be NULL): a JSON configuration for a
 * file without one, read as `train` reads it; where the file has its own, what it says must be the same. On
 * failure prints why and returns NULL. */
quartic_model *tool_open_model(const command *command, quartic_device *device, const char *path,
                               const char *config);

/* Creates a model and loads weights into it. On failure prints why and returns NULL. */
quartic_model *tool_load_model(const command *command, quartic_device *device, const char *path,
                               const quartic_model_config *config);

/* Opens the device and the model that the first operand names, calls run_model and closes both. Returns the
 * exit code. */
int tool_with_model(const invocation *call, const char *device_name, uint32_t fixed, const char *config,
                    int (*run_model)(const invocation *call, quartic_model *model));

/* Warns, on stderr, if the names in a file had a prefix that was left out when the model was loaded. */
void tool_tell_prefix(const command *command, const quartic_model *model, const char *path);

/* Makes a model from a JSON configuration, with random weights. On failure prints why and returns NULL. */
quartic_model *tool_make_model(const command *command, quartic_device *device, const char *path);

/* The model of a command whose only operand, which may be left out, is a configuration or a file of weights, with
 * config as in tool_open_model; without an operand one of the size that docs/performance.md reports. On failure
 * prints why and returns NULL. */
quartic_model *tool_operand_model(const invocation *call, quartic_device *device, const char *config);

/* Reads a JSON configuration. Unless it is of a model of graphs, num_tokens is 256 and causal as given where
 * it does not say. On failure prints why and returns false. */
bool tool_read_config(const command *command, const char *path, bool causal,
                      quartic_model_config *out_config);

/* All fields as JSON text, which the caller frees with free; NULL after an error of the library. */
char *tool_config_text(const quartic_model_config *config);

/* Whether the model predicts the tokens of a text: no edge inputs, no features, logits of every token. If
 * not, prints why and returns false. */
bool tool_expect_text_model(const command *command, const quartic_model *model);

/* The shape of the data that a run was trained on: the bytes of its windows or the nodes of its graphs, at
 * most the model's max_seq_len, and whether it had padding. All 0 where path is NULL or no checkpoint. */
typedef struct tool_run_shape {
    uint32_t length;
    bool masked;
} tool_run_shape;
tool_run_shape tool_run_shape_of(const quartic_model *model, const char *path);

/* The window that the checkpoint was trained on, or the model's longest if the file does not say. */
uint32_t tool_trained_length(const quartic_model *model, const char *path);
/* 128, or the model's longest if that is less: for models that were not trained. */
uint32_t tool_standard_length(const quartic_model *model);

/* The length of a pass: as given, or if that is 0 of what the model was trained on, or the standard one. */
uint32_t tool_pass_length(const quartic_model *model, const tool_run_shape *shape, uint32_t given);

/* The graph of a model's forward pass, or of loss and gradients, with random weights as the parameter "weights". The caller
 * destroys it. */
quartic_status tool_build_graph(quartic_model *model, uint32_t batch, uint32_t length, bool masked,
                                bool with_gradients, quartic_graph **out_graph);

/* Compiles the whole forward pass of batch x length tokens, or forward, loss and gradients, as one program
 * over the model's weights. All inputs are zero but for the mask, which marks no padding. */
quartic_status tool_compile(quartic_model *model, uint32_t batch, uint32_t length, bool masked,
                            bool with_gradients, bool profile, quartic_program **out_program);

#endif
