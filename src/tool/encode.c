/* encode.c: `quartic encode GRAPHS OUT`: adds encodings to a file of graphs: features of nodes that stand in the
 * place of tokens, and lengths of shortest ways in the edge types. See encodings.h for what they are, docs/data.md
 * for the files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quartic/io.h"
#include "tool/encodings.h"
#include "tool/graphs.h"

enum { MOST_FEATURES = 65536 }; /* as dim_node_features of a model */

typedef struct encode_settings {
    uint32_t rows, walks, laplacian, distances, tokens, types, json;
} encode_settings;

static const encode_settings defaults = {0};
static const arg_option options[] = {
    {"rows", NULL, ARG_FLAG, offsetof(encode_settings, rows), 0, 0,
     "a node's row and column of every edge type above 0, and its number, one-hot"},
    {"walks", "N", ARG_UINT32, offsetof(encode_settings, walks), 1, 1024,
     "probabilities that random walks of 1 to N steps end where they began"},
    {"laplacian", "N", ARG_UINT32, offsetof(encode_settings, laplacian), 1, 1024,
     "N eigenvectors of the normalised Laplacian, from the second smallest eigenvalue on"},
    {"distances", "N", ARG_UINT32, offsetof(encode_settings, distances), 1, 1024,
     "edge types become type * (N + 1) + steps of the shortest way, N if those are N or more"},
    {"tokens", "N", ARG_UINT32, offsetof(encode_settings, tokens), 1, MOST_FEATURES,
     "how many tokens one-hot features have (default: as many as the file has)"},
    {"types", "N", ARG_UINT32, offsetof(encode_settings, types), 1, MOST_FEATURES,
     "how many edge types rows have (default: as many as the file has)"},
    TOOL_JSON_OPTION(encode_settings),
};

/* The features of a node, from left to right. */
typedef struct encode_widths {
    uint32_t given, tokens, of[NODE_ENCODINGS], all;
} encode_widths;

static uint32_t encode_count(const encode_settings *settings, uint32_t kind) {
    return kind == ENCODING_WALKS ? settings->walks : kind == ENCODING_LAPLACIAN ? settings->laplacian : 0;
}

/* False, with a message, if the file or the settings do not allow it. */
static bool encode_plan(const command *command, const char *path, const quartic_dataset_info *info,
                        encode_settings *settings, encode_widths *out_widths) {
    if (info->num_edge_types == 0)
        return tool_fail(command, "docs/data.md describes the files that hold graphs.",
                         "%s has no edge types to encode", path),
               false;
    if (settings->tokens == 0) settings->tokens = info->num_tokens;
    if (settings->types == 0) settings->types = info->num_edge_types;
    if (settings->tokens < info->num_tokens || settings->types < info->num_edge_types)
        return tool_fail(command, NULL, "%s has %u tokens and %u edge types, more than --tokens or --types",
                         path, info->num_tokens, info->num_edge_types),
               false;
    if (info->length > ENCODING_MOST_NODES)
        return tool_fail(command, NULL, "%s has graphs of %u nodes; up to %u can be encoded", path,
                         info->length, (unsigned)ENCODING_MOST_NODES),
               false;
    if (settings->distances > 0 && info->num_edge_types > (uint32_t)(INT32_MAX / (settings->distances + 1)))
        return tool_fail(command, NULL,
                         "%u edge types with %u steps each are more than an edge type can tell",
                         info->num_edge_types, settings->distances + 1),
               false;
    *out_widths = (encode_widths){.given = info->dim_node_features,
                                  .tokens = settings->tokens > 1 ? settings->tokens : 0};
    uint64_t all = (uint64_t)out_widths->given + out_widths->tokens;
    for (uint32_t kind = 0; kind < NODE_ENCODINGS; ++kind) {
        const uint32_t count = encode_count(settings, kind);
        if (kind == ENCODING_ROWS ? !settings->rows : count == 0) continue;
        if (kind == ENCODING_ROWS && 2 * (uint64_t)info->length * settings->types > MOST_FEATURES) {
            all = MOST_FEATURES + 1;
            break;
        }
        out_widths->of[kind] = encoding_width((node_encoding)kind, info->length, settings->types, count);
        all += out_widths->of[kind];
    }
    out_widths->all = (uint32_t)all;
    if (all > MOST_FEATURES)
        return tool_fail(command, NULL, "these are more than the %u features that a node may have",
                         (unsigned)MOST_FEATURES),
               false;
    return true;
}

/* One graph g of the batch: its row of node features, (n, widths.all). */
static void encode_nodes(const quartic_model_batch *in, const encode_settings *settings,
                         const encode_widths *widths, uint32_t g, float *out_features) {
    const uint32_t n = in->length;
    const uint8_t *mask = in->mask == NULL ? NULL : in->mask + (size_t)g * n;
    for (uint32_t i = 0; i < n; ++i) {
        float *row = out_features + (size_t)i * widths->all;
        const size_t node = (size_t)g * n + i;
        if (widths->given > 0)
            memcpy(row, in->node_features + node * widths->given, widths->given * sizeof *row);
        for (uint32_t token = 0; token < widths->tokens; ++token)
            row[widths->given + token] = in->tokens[node] == (int32_t)token && (mask == NULL || mask[i] != 0);
    }
    uint32_t at = widths->given + widths->tokens;
    for (uint32_t kind = 0; kind < NODE_ENCODINGS; ++kind) {
        if (widths->of[kind] == 0) continue;
        encoding_write((node_encoding)kind, in->edge_types + (size_t)g * n * n, mask, n, settings->types,
                       encode_count(settings, kind), widths->all, out_features + at);
        at += widths->of[kind];
    }
}

static quartic_safetensors_tensor encode_tensor(const char *name, quartic_safetensors_dtype dtype,
                                                const void *data, uint32_t rank, const uint32_t dims[4]) {
    quartic_safetensors_tensor tensor = {.name = name, .dtype = dtype, .data = data};
    tensor.shape.rank = rank;
    for (uint32_t k = 0; k < rank; ++k) tensor.shape.dims[k] = dims[k];
    return tensor;
}

/* Writes the batch with other features, or tokens where features is NULL, and other types. */
static bool encode_save(const command *command, const char *path, const quartic_dataset_info *info,
                        const quartic_model_batch *in, uint32_t width, const float *features,
                        const int32_t *types) {
    const uint32_t graphs = info->graphs, n = info->length;
    quartic_safetensors_tensor tensors[6];
    uint32_t count = 0;
    if (features != NULL)
        tensors[count++] = encode_tensor("node_features", QUARTIC_SAFETENSORS_F32, features, 3,
                                         (const uint32_t[4]){graphs, n, width});
    else if (in->tokens != NULL)
        tensors[count++] =
            encode_tensor("tokens", QUARTIC_SAFETENSORS_I32, in->tokens, 2, (const uint32_t[4]){graphs, n});
    else
        tensors[count++] = encode_tensor("node_features", QUARTIC_SAFETENSORS_F32, in->node_features, 3,
                                         (const uint32_t[4]){graphs, n, info->dim_node_features});
    tensors[count++] =
        encode_tensor("edge_types", QUARTIC_SAFETENSORS_I32, types, 3, (const uint32_t[4]){graphs, n, n});
    if (in->edge_features != NULL)
        tensors[count++] = encode_tensor("edge_features", QUARTIC_SAFETENSORS_F32, in->edge_features, 4,
                                         (const uint32_t[4]){graphs, n, n, info->dim_edge_features});
    if (in->mask != NULL)
        tensors[count++] =
            encode_tensor("mask", QUARTIC_SAFETENSORS_U8, in->mask, 2, (const uint32_t[4]){graphs, n});
    if (info->num_classes > 0)
        tensors[count++] = encode_tensor("targets", QUARTIC_SAFETENSORS_I32, in->targets,
                                         info->readout == QUARTIC_READOUT_EDGE   ? 3
                                         : info->readout == QUARTIC_READOUT_NODE ? 2
                                                                                 : 1,
                                         (const uint32_t[4]){graphs, n, n});
    if (quartic_safetensors_save(path, tensors, count, NULL, 0) == QUARTIC_OK) return true;
    tool_fail_library(command, NULL);
    return false;
}

/* What the file holds now, for people or programs. */
static void encode_report(const char *path, const quartic_dataset_info *info, const encode_settings *settings,
                          uint32_t width) {
    if (settings->json)
        tool_print_json(
            tool_json_object("file", tool_json_text(path), "graphs", tool_json_count(info->graphs), "nodes",
                             tool_json_count(info->length), "node_features",
                             tool_json_count(width > 0 ? width : info->dim_node_features), "edge_types",
                             tool_json_count((uint64_t)info->num_edge_types *
                                             (settings->distances > 0 ? settings->distances + 1 : 1)),
                             NULL));
    else if (width > 0)
        printf("%s: %u graphs, %u features a node in the place of tokens\n", path, info->graphs, width);
    else
        printf("%s: %u graphs\n", path, info->graphs);
}

static bool encode_graphs(const invocation *call, quartic_dataset *dataset) {
    const quartic_dataset_info *info = quartic_dataset_get_info(dataset);
    encode_settings settings = *(const encode_settings *)call->settings;
    encode_widths widths;
    if (!encode_plan(call->command, call->operands[0], info, &settings, &widths)) return false;
    const size_t n = info->length, graphs = info->graphs;
    const bool nodes = settings.rows || settings.walks > 0 || settings.laplacian > 0;
    uint32_t *order = tool_alloc(graphs, sizeof *order);
    float *features = nodes ? tool_alloc(graphs * n * widths.all, sizeof *features) : NULL; // (g, n, all)
    int32_t *types = tool_alloc(graphs * n * n, sizeof *types);                             // (g, i, j)
    quartic_model_batch in;
    for (uint32_t g = 0; g < graphs; ++g) order[g] = g;
    bool fine = quartic_dataset_gather(dataset, order, info->graphs, &in) == QUARTIC_OK;
    if (!fine) tool_fail_library(call->command, NULL);
    for (uint32_t g = 0; fine && g < graphs; ++g) {
        const int32_t *given = in.edge_types + g * n * n;
        if (nodes) encode_nodes(&in, &settings, &widths, g, features + g * n * widths.all);
        if (settings.distances > 0)
            encoding_distances(given, in.mask == NULL ? NULL : in.mask + g * n, info->length,
                               settings.distances, types + g * n * n);
        else
            memcpy(types + g * n * n, given, n * n * sizeof *types);
    }
    fine = fine && encode_save(call->command, call->operands[1], info, &in, widths.all, features, types);
    if (fine) encode_report(call->operands[1], info, &settings, nodes ? widths.all : 0);
    free(order);
    free(features);
    free(types);
    return fine;
}

static int run_encode(const invocation *call) {
    const encode_settings *settings = call->settings;
    if (!settings->rows && settings->walks == 0 && settings->laplacian == 0 && settings->distances == 0)
        return tool_fail_usage(call->command, "say what to add: --rows, --walks, --laplacian or --distances");
    if (!tool_is_graphs(call->operands[1]))
        return tool_fail_usage(call->command, "the name of %s does not end in .safetensors",
                               call->operands[1]);
    quartic_dataset *dataset = tool_open_graphs(call->command, call->operands[0]);
    if (dataset == NULL) return EXIT_FAILED;
    const bool fine = encode_graphs(call, dataset);
    quartic_dataset_close(dataset);
    return fine ? EXIT_DONE : EXIT_FAILED;
}

const command command_encode = {
    .name = "encode",
    .operands = "GRAPHS OUT",
    .summary = "add encodings of nodes and pairs to a file of graphs",
    .details =
        "Type 0 and negative types stand for no edge. Node encodings become features that stand in the place "
        "of tokens, which go before them, one-hot, if there is more than one; features that the file has "
        "stay in front. Walks and eigenvectors take edges without direction, ways with it.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 2,
    .most_operands = 2,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_encode,
};
