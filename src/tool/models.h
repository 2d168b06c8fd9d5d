/* models.h: models from files for the commands that run them, and graphs of a whole model with their costs.
 */
#ifndef QUARTIC_TOOL_MODELS_H
#define QUARTIC_TOOL_MODELS_H

#include <stdbool.h>

#include "quartic/model.h"
#include "quartic/program.h"
#include "tool/tool.h"

/* A file name that ends in .json. */
bool tool_is_config(const char *path);

/* Opens the model of a checkpoint, model file or run folder. On failure prints why and returns NULL. */
quartic_model *tool_open_model(const command *command, quartic_device *device, const char *path);

/* Opens the device and on it the model that the first operand names, runs, and closes both. The exit code. */
int tool_with_model(const invocation *call, const char *device_name,
                    int (*run_model)(const invocation *call, quartic_model *model));

/* Makes a model from a JSON configuration, with random weights. On failure prints why and returns NULL. */
quartic_model *tool_make_model(const command *command, quartic_device *device, const char *path);

/* Whether the model predicts the tokens of a text: no given edges, no features, logits of every token. If
 * not, says so. */
bool tool_expect_text_model(const command *command, const quartic_model *model);

/* The window that the checkpoint was trained on, or the model's longest if the file does not say. */
uint32_t tool_trained_length(const quartic_model *model, const char *path);

/* Compiles the whole forward pass of batch x length tokens, or forward, loss and gradients, as one program
 * over the model's weights. Inputs "tokens" and "targets" are zero. */
quartic_status tool_compile(quartic_model *model, uint32_t batch, uint32_t length, bool with_gradients,
                            bool profile, quartic_program **out_program);

#endif
