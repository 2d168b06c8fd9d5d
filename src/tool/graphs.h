/* graphs.h: datasets of graphs for the commands that also take texts. A file whose name ends in .safetensors
 * (in capital or small letters) is one.
 */
#ifndef QUARTIC_TOOL_GRAPHS_H
#define QUARTIC_TOOL_GRAPHS_H

#include <stdbool.h>

#include "quartic/data.h"
#include "tool/tool.h"

bool tool_is_graphs(const char *path);

/* On failure prints why and returns NULL. */
quartic_dataset *tool_open_graphs(const command *command, const char *path);

/* Reads a JSON configuration and fills in what follows from the data; false (and says why) if they do not
 * fit. */
bool tool_graphs_config(const command *command, const quartic_dataset *graphs, const char *path,
                        quartic_model_config *out_config);

/* Whether graphs can be taken with --length: it is 0 (not given) or what they are padded to. If not, says
 * so. */
bool tool_graphs_fit(const command *command, const quartic_dataset *graphs, uint32_t length);

/* The hash of all graphs (see tool_hash_bytes), which tells two datasets apart. Errors: OUT_OF_MEMORY. */
quartic_status tool_graphs_hash(quartic_dataset *graphs, uint32_t *out_hash);

/* "10 graphs of up to 7 nodes, 63 targets: 3 classes of nodes" */
enum { TOOL_GRAPHS_TEXT = 160 };
const char *tool_graphs_text(const quartic_dataset *graphs, char text[TOOL_GRAPHS_TEXT]);

#endif
