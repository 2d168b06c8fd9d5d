/* graphs.c: datasets of graphs: opening, configuring, telling apart. See graphs.h. */
#include "tool/graphs.h"

#include <stdio.h>
#include <string.h>

#include "tool/files.h"

bool tool_is_graphs(const char *path) {
    return tool_ends_with(path, ".safetensors");
}

quartic_dataset *tool_open_graphs(const command *command, const char *path) {
    quartic_dataset *graphs = NULL;
    if (quartic_dataset_open(path, &graphs) == QUARTIC_OK) return graphs;
    tool_fail_library(command, "docs/data.md describes the files that hold graphs.");
    return NULL;
}

bool tool_graphs_config(const command *command, const quartic_dataset *graphs, const char *path,
                        quartic_model_config *out_config) {
    *out_config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    if (quartic_dataset_get_info(graphs)->num_classes == 0) {
        tool_fail(command, "docs/data.md describes the files that hold graphs.",
                  "these graphs have no targets to learn");
        return false;
    }
    quartic_status status = quartic_model_config_read_json_file(out_config, path);
    if (status == QUARTIC_OK) {
        status = quartic_dataset_configure(graphs, out_config);
        if (status == QUARTIC_OK) status = quartic_dataset_check(graphs, out_config);
    }
    if (status == QUARTIC_OK) return true;
    tool_fail_library(command, "`quartic inspect --keys` lists the keys of a configuration.");
    return false;
}

bool tool_graphs_fit(const command *command, const quartic_dataset *graphs, uint32_t length) {
    const uint32_t nodes = quartic_dataset_get_info(graphs)->length;
    if (length == 0 || length == nodes) return true;
    char hint[96];
    snprintf(hint, sizeof hint, "leave --length out, or say --length %u: it follows from the graphs.", nodes);
    if (length < nodes)
        tool_fail(command, hint, "the graphs have %u nodes (padding included), which do not fit --length %u",
                  nodes, length);
    else
        tool_fail(command, hint, "--length is %u, but the graphs have only %u nodes (padding included)",
                  length, nodes);
    return false;
}

quartic_status tool_graphs_hash(quartic_dataset *graphs, uint32_t *out_hash) {
    const quartic_dataset_info *info = quartic_dataset_get_info(graphs);
    const size_t n = info->length, pairs = n * n;
    const size_t targets = info->readout == QUARTIC_READOUT_GRAPH  ? 1
                           : info->readout == QUARTIC_READOUT_EDGE ? pairs
                                                                   : n;
    uint32_t hash = TOOL_HASH_START;
    quartic_model_batch one;
    for (uint32_t graph = 0; graph < info->graphs; ++graph) {
        const quartic_status status = quartic_dataset_gather(graphs, &graph, 1, &one);
        if (status != QUARTIC_OK) return status;
        hash = tool_hash_bytes(hash, one.tokens, 4 * n);
        hash = tool_hash_bytes(hash, one.node_features, 4 * n * info->dim_node_features);
        hash = tool_hash_bytes(hash, one.edge_types, 4 * pairs);
        hash = tool_hash_bytes(hash, one.edge_features, 4 * pairs * info->dim_edge_features);
        hash = tool_hash_bytes(hash, one.mask, n);
        hash = tool_hash_bytes(hash, one.targets, 4 * targets);
    }
    *out_hash = hash;
    return QUARTIC_OK;
}

const char *tool_graphs_text(const quartic_dataset *graphs, char text[TOOL_GRAPHS_TEXT]) {
    static const char *const things[] = {[QUARTIC_READOUT_NODE] = "nodes",
                                         [QUARTIC_READOUT_EDGE] = "edges",
                                         [QUARTIC_READOUT_GRAPH] = "graphs"};
    const quartic_dataset_info *info = quartic_dataset_get_info(graphs);
    snprintf(text, TOOL_GRAPHS_TEXT, "%u graphs of %s%u nodes, %llu targets: %u classes of %s", info->graphs,
             info->masked ? "up to " : "", info->length, (unsigned long long)info->targets, info->num_classes,
             things[info->readout]);
    return text;
}
