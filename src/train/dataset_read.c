/* dataset_read.c: reading a dataset's file: shapes, ranges, padding. See data.h for the layout. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/find.h"
#include "base/status.h"
#include "io/safetensors.h"
#include "tensor/layout.h"
#include "train/dataset.h"

static const char *const names[] = {
#define TENSOR_NAME(suffix, name) name,
    QUARTIC_DATASET_TENSOR_LIST(TENSOR_NAME)};

typedef struct dataset_file {
    const char *path;
    quartic_safetensors *file;
    const quartic_safetensors_tensor *tensors[QUARTIC_DATASET_TENSORS]; /* NULL: left out */
} dataset_file;

/* ---- shapes ---- */

static quartic_status find_tensors(dataset_file *in) {
    for (uint32_t t = 0; t < quartic_safetensors_count(in->file); ++t) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(in->file, t);
        const size_t k = quartic_find_name(names, sizeof names[0], QUARTIC_DATASET_TENSORS, tensor->name);
        if (k == QUARTIC_DATASET_TENSORS)
            return quartic_fail(QUARTIC_FORMAT,
                                "%s holds \"%s\"; a dataset holds tokens or node_features, and edge_types, "
                                "edge_features, mask and targets as needed",
                                in->path, tensor->name);
        in->tensors[k] = tensor;
    }
    if ((in->tensors[QUARTIC_DATASET_TOKENS] == NULL) == (in->tensors[QUARTIC_DATASET_NODE_FEATURES] == NULL))
        return quartic_fail(QUARTIC_FORMAT, "%s has %s tokens %s node_features; a dataset has one of them",
                            in->path, in->tensors[QUARTIC_DATASET_TOKENS] == NULL ? "neither" : "both",
                            in->tensors[QUARTIC_DATASET_TOKENS] == NULL ? "nor" : "and");
    return QUARTIC_OK;
}

/* A tensor must have `rank` axes, of which the first pair_axes are (graphs, n, n) as far as they go; the last
 * may then be any width. */
static quartic_status expect_shape(const dataset_file *in, uint32_t name, uint32_t pair_axes, uint32_t rank,
                                   const quartic_dataset_info *info) {
    const quartic_shape *shape = &in->tensors[name]->shape;
    const uint32_t lead[] = {info->graphs, info->length, info->length};
    bool fits = shape->rank == rank && (rank == pair_axes || shape->dims[rank - 1] > 0);
    for (uint32_t axis = 0; fits && axis < pair_axes; ++axis) fits = shape->dims[axis] == lead[axis];
    if (fits) return QUARTIC_OK;
    char text[QUARTIC_SHAPE_TEXT];
    return quartic_fail(QUARTIC_SHAPE_MISMATCH, "%s of %s must have shape (%u, %u%s%s), not %s", names[name],
                        in->path, info->graphs, info->length, pair_axes == 3 ? ", as many again" : "",
                        rank > pair_axes ? ", features" : "", quartic_shape_text(shape, text));
}

static quartic_status read_extents(const dataset_file *in, quartic_dataset_info *info) {
    const quartic_safetensors_tensor *nodes = in->tensors[QUARTIC_DATASET_TOKENS] != NULL
                                                  ? in->tensors[QUARTIC_DATASET_TOKENS]
                                                  : in->tensors[QUARTIC_DATASET_NODE_FEATURES];
    const uint32_t rank = in->tensors[QUARTIC_DATASET_TOKENS] != NULL ? 2 : 3;
    char text[QUARTIC_SHAPE_TEXT];
    if (nodes->shape.rank != rank || quartic_shape_elements(&nodes->shape) == 0)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "%s of %s have shape %s; they must be (graphs, nodes%s) with at least one of each", nodes->name,
            in->path, quartic_shape_text(&nodes->shape, text), rank == 3 ? ", features" : "");
    info->graphs = nodes->shape.dims[0];
    info->length = nodes->shape.dims[1];
    if (rank == 3) info->dim_node_features = nodes->shape.dims[2];
    if (in->tensors[QUARTIC_DATASET_EDGE_TYPES] != NULL)
        QUARTIC_TRY(expect_shape(in, QUARTIC_DATASET_EDGE_TYPES, 3, 3, info));
    if (in->tensors[QUARTIC_DATASET_EDGE_FEATURES] != NULL) {
        QUARTIC_TRY(expect_shape(in, QUARTIC_DATASET_EDGE_FEATURES, 3, 4, info));
        info->dim_edge_features = in->tensors[QUARTIC_DATASET_EDGE_FEATURES]->shape.dims[3];
    }
    if (in->tensors[QUARTIC_DATASET_MASK] != NULL)
        QUARTIC_TRY(expect_shape(in, QUARTIC_DATASET_MASK, 2, 2, info));
    info->masked = in->tensors[QUARTIC_DATASET_MASK] != NULL;
    return QUARTIC_OK;
}

/* What the targets belong to (graphs, nodes or edges) follows from their rank. */
static quartic_status read_readout(const dataset_file *in, quartic_dataset_info *info) {
    if (in->tensors[QUARTIC_DATASET_TARGETS] == NULL) return QUARTIC_OK;
    static const quartic_readout by_rank[] = {QUARTIC_READOUT_GRAPH, QUARTIC_READOUT_NODE,
                                              QUARTIC_READOUT_EDGE};
    const quartic_shape *shape = &in->tensors[QUARTIC_DATASET_TARGETS]->shape;
    bool fits = shape->rank >= 1 && shape->rank <= 3 && shape->dims[0] == info->graphs;
    for (uint32_t axis = 1; fits && axis < shape->rank; ++axis) fits = shape->dims[axis] == info->length;
    if (!fits) {
        char text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "targets of %s have shape %s; with %u graphs of %u nodes they must be (%u, %u) for nodes, "
            "(%u, %u, %u) for edges or (%u) for graphs",
            in->path, quartic_shape_text(shape, text), info->graphs, info->length, info->graphs, info->length,
            info->graphs, info->length, info->length, info->graphs);
    }
    info->readout = by_rank[shape->rank - 1];
    return QUARTIC_OK;
}

/* ---- contents ---- */

/* Reads the mask from numbers of any type: 0 is padding, any other number a real node. */
static quartic_status read_dataset_mask(const dataset_file *in, uint64_t count, uint8_t *out) {
    const quartic_safetensors_tensor *tensor = in->tensors[QUARTIC_DATASET_MASK];
    const bool integer = quartic_safetensors_is_integer(tensor->dtype);
    for (uint64_t i = 0; i < count; ++i) {
        int32_t whole = 1; /* a number beyond int32 is not 0 */
        const int beyond = integer ? quartic_safetensors_int32_at(tensor, i, &whole) : 0;
        const float real = integer ? (float)whole : quartic_safetensors_float32_at(tensor, i);
        char place[QUARTIC_SAFETENSORS_PLACE_BYTES];
        if (beyond != 0 && tensor->dtype == QUARTIC_SAFETENSORS_BOOL)
            return quartic_safetensors_refuse_integer(in->file, tensor, i);
        if (isnan(real))
            return quartic_fail(QUARTIC_NON_FINITE, "element %s of mask of %s is NaN; give 1 or 0",
                                quartic_safetensors_place(&tensor->shape, i, place), in->path);
        out[i] = real != 0.0f;
    }
    return QUARTIC_OK;
}

/* Whether a row (a node, an edge (i, j), a graph) of a tensor is padding. */
static bool is_padding(const quartic_dataset *dataset, quartic_dataset_tensor tensor, uint64_t row) {
    const uint8_t *mask = dataset->all.at[QUARTIC_DATASET_MASK];
    const quartic_readout readout = dataset->info.readout;
    const uint64_t n = dataset->info.length;
    const bool of_targets = tensor == QUARTIC_DATASET_TARGETS;
    if (mask == NULL || (of_targets && readout == QUARTIC_READOUT_GRAPH)) return false;
    if (tensor == QUARTIC_DATASET_EDGE_TYPES || tensor == QUARTIC_DATASET_EDGE_FEATURES ||
        (of_targets && readout == QUARTIC_READOUT_EDGE))
        return !mask[row / n] || !mask[row / n / n * n + row % n];
    return !mask[row];
}

/* Reads integers. Numbers of padding are not read: tokens become 0, types and targets -1. */
static quartic_status read_integers(const dataset_file *in, const quartic_dataset *out,
                                    quartic_dataset_tensor name, uint64_t count, int32_t *numbers) {
    const quartic_safetensors_tensor *tensor = in->tensors[name];
    const bool tokens = name == QUARTIC_DATASET_TOKENS;
    QUARTIC_TRY(quartic_safetensors_expect(in->file, tensor, true, count));
    for (uint64_t i = 0; i < count; ++i) {
        numbers[i] = tokens ? 0 : -1;
        if (is_padding(out, name, i)) continue;
        const int beyond = quartic_safetensors_int32_at(tensor, i, &numbers[i]);
        /* All negative types, and all negative targets, mean the same. */
        if (beyond > 0 || (beyond < 0 && tokens))
            return quartic_safetensors_refuse_integer(in->file, tensor, i);
    }
    return QUARTIC_OK;
}

/* Reads features. Those of padding become 0; all others must be finite. */
static quartic_status read_features(const dataset_file *in, const quartic_dataset *out,
                                    quartic_dataset_tensor name, uint64_t count, float *numbers) {
    const quartic_safetensors_tensor *tensor = in->tensors[name];
    const uint32_t width = tensor->shape.dims[tensor->shape.rank - 1];
    QUARTIC_TRY(quartic_safetensors_expect(in->file, tensor, false, count));
    for (uint64_t row = 0; row < count / width; ++row) {
        if (is_padding(out, name, row)) continue; /* as allocated: 0 */
        for (uint64_t i = row * width; i < (row + 1) * width; ++i) {
            char place[QUARTIC_SAFETENSORS_PLACE_BYTES];
            numbers[i] = quartic_safetensors_float32_at(tensor, i);
            if (!isfinite(numbers[i]))
                return quartic_fail(QUARTIC_NON_FINITE,
                                    "element %s of %s of %s is %g as float32; features must be finite",
                                    quartic_safetensors_place(&tensor->shape, i, place), names[name],
                                    in->path, (double)numbers[i]);
        }
    }
    return QUARTIC_OK;
}

static quartic_status read_contents(const dataset_file *in, quartic_dataset *out) {
    for (uint32_t t = 0; t < QUARTIC_DATASET_TENSORS; ++t)
        if (in->tensors[t] != NULL) out->present |= 1u << t;
    QUARTIC_TRY(quartic_dataset_allocate(&out->info, out->present, out->info.graphs, &out->all));
    if (out->info.masked) {
        const uint64_t nodes = quartic_shape_elements(&in->tensors[QUARTIC_DATASET_MASK]->shape);
        QUARTIC_TRY(read_dataset_mask(in, nodes, out->all.at[QUARTIC_DATASET_MASK]));
    }
    for (uint32_t t = 0; t < QUARTIC_DATASET_TENSORS; ++t) {
        if (in->tensors[t] == NULL || t == QUARTIC_DATASET_MASK) continue;
        const uint64_t count = quartic_shape_elements(&in->tensors[t]->shape);
        if (t == QUARTIC_DATASET_NODE_FEATURES || t == QUARTIC_DATASET_EDGE_FEATURES)
            QUARTIC_TRY(read_features(in, out, t, count, out->all.at[t]));
        else
            QUARTIC_TRY(read_integers(in, out, t, count, out->all.at[t]));
    }
    return QUARTIC_OK;
}

static quartic_status check_dataset_real_nodes(const char *path, const quartic_dataset_info *info,
                                               const uint8_t *mask) {
    for (uint32_t g = 0; g < info->graphs; ++g)
        if (memchr(mask + (uint64_t)g * info->length, 1, info->length) == NULL)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                "graph %u of %s has no real node (its mask is all 0); leave it out", g, path);
    return QUARTIC_OK;
}

/* One more than the largest number, 0 if all are negative or there is no such tensor. */
static uint32_t used_range(const quartic_dataset *dataset, quartic_dataset_tensor tensor) {
    const int32_t *numbers = dataset->all.at[tensor];
    const uint64_t count = dataset->info.graphs * quartic_dataset_elements(&dataset->info, tensor);
    int32_t largest = -1;
    for (uint64_t i = 0; numbers != NULL && i < count; ++i)
        if (numbers[i] > largest) largest = numbers[i];
    return (uint32_t)largest + 1;
}

static quartic_status check_dataset_tokens(const char *path, const quartic_dataset *dataset) {
    const int32_t *tokens = dataset->all.at[QUARTIC_DATASET_TOKENS];
    const uint64_t n = dataset->info.length, count = dataset->info.graphs * n;
    for (uint64_t i = 0; tokens != NULL && i < count; ++i)
        if (tokens[i] < 0)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "token %d at (%llu, %llu) of %s is negative",
                                tokens[i], (unsigned long long)(i / n), (unsigned long long)(i % n), path);
    return QUARTIC_OK;
}

/* Finds the ranges in use, and refuses numbers that no range contains. */
static quartic_status read_ranges(const char *path, quartic_dataset *out) {
    quartic_dataset_info *info = &out->info;
    QUARTIC_TRY(check_dataset_tokens(path, out));
    info->num_tokens = used_range(out, QUARTIC_DATASET_TOKENS);
    info->num_edge_types = used_range(out, QUARTIC_DATASET_EDGE_TYPES);
    if (out->all.at[QUARTIC_DATASET_EDGE_TYPES] != NULL && info->num_edge_types == 0)
        info->num_edge_types = 1; /* there are types, but no edge has one */
    const int32_t *targets = out->all.at[QUARTIC_DATASET_TARGETS];
    if (targets == NULL) return QUARTIC_OK;
    info->num_classes = used_range(out, QUARTIC_DATASET_TARGETS);
    const uint64_t rows = info->graphs * quartic_dataset_elements(info, QUARTIC_DATASET_TARGETS);
    for (uint64_t r = 0; r < rows; ++r) info->targets += targets[r] >= 0;
    if (info->targets == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%s has targets, but all of them are negative or padding", path);
    return QUARTIC_OK;
}

static quartic_status read_dataset_file(dataset_file *in, quartic_dataset *out) {
    QUARTIC_TRY(find_tensors(in));
    QUARTIC_TRY(read_extents(in, &out->info));
    QUARTIC_TRY(read_readout(in, &out->info));
    QUARTIC_TRY(read_contents(in, out));
    if (out->info.masked)
        QUARTIC_TRY(check_dataset_real_nodes(in->path, &out->info, out->all.at[QUARTIC_DATASET_MASK]));
    return read_ranges(in->path, out);
}

quartic_status quartic_dataset_open(const char *path, quartic_dataset **out_dataset) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_dataset);
    *out_dataset = NULL;
    QUARTIC_NEED(path);
    quartic_dataset *dataset = quartic_alloc(1, sizeof *dataset);
    if (dataset == NULL) return QUARTIC_OUT_OF_MEMORY;
    dataset_file in = {.path = path};
    const size_t bytes = strlen(path) + 1;
    dataset->path = quartic_alloc(bytes, 1);
    quartic_status status =
        dataset->path == NULL ? QUARTIC_OUT_OF_MEMORY : quartic_safetensors_open(path, &in.file);
    if (status == QUARTIC_OK) {
        memcpy(dataset->path, path, bytes);
        status = read_dataset_file(&in, dataset);
        quartic_safetensors_close(in.file);
    }
    if (status == QUARTIC_OK)
        *out_dataset = dataset;
    else
        quartic_dataset_close(dataset);
    return status;
}
