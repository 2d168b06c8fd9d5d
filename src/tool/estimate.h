/* estimate.h: what a model would take on a device that is known by its limits only, for `inspect --limits`.
 */
#ifndef QUARTIC_TOOL_ESTIMATE_H
#define QUARTIC_TOOL_ESTIMATE_H

#include "quartic/estimate.h"
#include "tool/models.h"

/* Limits by a name of the table, else from a JSON file. On failure prints why and returns false. */
bool tool_read_limits(const command *command, const char *name, quartic_device_limits *out_limits);

/* Prints what a forward pass and a training step of batch x shape->length tokens take; as JSON (report not
 * NULL) adds "limits", "forward" and "training" to the report. The exit code. */
int tool_show_estimates(const command *command, const quartic_model *model, uint32_t batch,
                        const tool_run_shape *shape, const quartic_device_limits *limits, json_t *report);

#endif
