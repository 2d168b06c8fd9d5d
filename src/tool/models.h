/* models.h: models from files for the commands that run them, and graphs of a whole model with their costs.
 */
#ifndef QUARTIC_TOOL_MODELS_H
#define QUARTIC_TOOL_MODELS_H

#include <stdbool.h>

#include "quartic/model.h"
#include "quartic/program.h"
#include "tool/tool.h"

/* A file name that ends in .json or .JSON. */
bool tool_is_config(const char *path);

/* For weights that come without a configuration. */
#define TOOL_CONFIG_OPTION(settings)                                                                         \
    {                                                                                                        \
        "config", "FILE", ARG_TEXT, offsetof(settings, config), 0, 0,                                        \
            "the configuration of a model file that has none in its metadata, a JSON object"                 \
    }

/* Whether the file has a configuration in its metadata; false for what is no safetensors file, too. */
bool tool_has_config(const char *path);

/* Opens the model of a checkpoint, model file or run folder. config (may be NULL): a JSON configuration for a
 * file without one, read as `train` reads it; where the file has its own, what it says must be the same. On
 * failure prints why and returns NULL. */
quartic_model *tool_open_model(const command *command, quartic_device *device, const char *path,
                               const char *config);

/* Creates a model and loads weights into it; the same ending. */
quartic_model *tool_load_model(const command *command, quartic_device *device, const char *path,
                               const quartic_model_config *config);

/* Opens the device and on it the model that the first operand names, runs, and closes both. The exit code. */
int tool_with_model(const invocation *call, const char *device_name, const char *config,
                    int (*run_model)(const invocation *call, quartic_model *model));

/* Tells (on stderr) that the names in a file had a prefix that was left out when the model was loaded. */
void tool_tell_prefix(const command *command, const quartic_model *model, const char *path);

/* Makes a model from a JSON configuration, with random weights. On failure prints why and returns NULL. */
quartic_model *tool_make_model(const command *command, quartic_device *device, const char *path);

/* Reads a JSON configuration; what it leaves out is that of a text (256 tokens, causal as given) unless it is
 * of a model of graphs. On failure prints why and returns false. */
bool tool_read_config(const command *command, const char *path, bool causal,
                      quartic_model_config *out_config);

/* All fields as JSON text, to be freed; NULL after an error of the library. */
char *tool_config_text(const quartic_model_config *config);

/* Whether the model predicts the tokens of a text: no given edges, no features, logits of every token. If
 * not, says so. */
bool tool_expect_text_model(const command *command, const quartic_model *model);

/* What the run was trained on: the bytes of its windows or nodes of its graphs, at most the model's longest,
 * and whether there was padding. 0 where path (NULL: no file) is no checkpoint. */
typedef struct tool_run_shape {
    uint32_t length;
    bool masked;
} tool_run_shape;
tool_run_shape tool_run_shape_of(const quartic_model *model, const char *path);

/* The window that the checkpoint was trained on, or the model's longest if the file does not say. */
uint32_t tool_trained_length(const quartic_model *model, const char *path);
/* 128, or the model's longest if that is less: for models that were not trained. */
uint32_t tool_standard_length(const quartic_model *model);

/* Compiles the whole forward pass of batch x length tokens, or forward, loss and gradients, as one program
 * over the model's weights. All inputs are zero but for the mask, which marks no padding. */
quartic_status tool_compile(quartic_model *model, uint32_t batch, uint32_t length, bool masked,
                            bool with_gradients, bool profile, quartic_program **out_program);

#endif
