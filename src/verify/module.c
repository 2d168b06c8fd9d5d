/* module.c: the table of modules, and their replay. See module.h.
 *
 * A module is one builder function in the table below. It takes its inputs by name, builds with src/nn under
 * no prefix, and names its outputs. The weights are those that src/nn asks for.
 */
#include "verify/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/find.h"
#include "nn/attention.h"
#include "nn/edge_attention.h"
#include "nn/edge_triangle.h"
#include "nn/edge_triple.h"
#include "verify/harness.h"

/* A module while it is built: its graph, and its inputs and outputs under the names of the recording. */
typedef struct module {
    const quartic_recording *recording;
    quartic_graph *graph;
    quartic_parameter_set set;
    quartic_nn nn;
    char names[QUARTIC_MODULE_RESULTS][192];   /* of inputs and weights, without "grad." */
    quartic_value wrt[QUARTIC_MODULE_RESULTS]; /* the same as values */
    uint32_t wrt_count;
    char output_names[8][64];
    quartic_value outputs[8];
    uint32_t output_count;
    quartic_feed feeds[QUARTIC_MODULE_RESULTS];
    char feed_names[QUARTIC_MODULE_RESULTS][192]; /* in the graph */
    uint32_t feed_count;
} module;

/* Adds the recording's tensor `from` as the data of the graph's tensor `name`. */
static quartic_status module_feed(module *m, const char *name, const char *from, quartic_dtype dtype) {
    const quartic_safetensors_tensor *tensor;
    if (m->feed_count == QUARTIC_MODULE_RESULTS)
        return quartic_fail(QUARTIC_UNSUPPORTED, "a module has more than %d tensors", QUARTIC_MODULE_RESULTS);
    QUARTIC_TRY(quartic_recording_find(m->recording, "", from, &tensor));
    float *floats = NULL;
    int32_t *ints = NULL;
    quartic_status status = dtype == QUARTIC_FLOAT32 ? quartic_recording_floats(m->recording, tensor, &floats)
                                                     : quartic_recording_ints(m->recording, tensor, &ints);
    quartic_feed *slot = &m->feeds[m->feed_count];
    snprintf(m->feed_names[m->feed_count], sizeof m->feed_names[0], "%s", name);
    *slot =
        (quartic_feed){m->feed_names[m->feed_count], dtype == QUARTIC_FLOAT32 ? (void *)floats : (void *)ints,
                       quartic_shape_elements(&tensor->shape) * 4};
    ++m->feed_count; /* owns the memory, whatever the status */
    return status;
}

/* An input of the recording as a value; no value and an error in the graph if it is not there. */
static quartic_value add_input(module *m, const char *full_name, quartic_dtype dtype) {
    const quartic_value none = {0};
    const quartic_safetensors_tensor *tensor;
    quartic_status status = quartic_recording_find(m->recording, "", full_name, &tensor);
    if (status == QUARTIC_OK) status = module_feed(m, full_name, full_name, dtype);
    if (status == QUARTIC_OK) return quartic_graph_input(m->graph, full_name, dtype, &tensor->shape);
    quartic_graph_fail(m->graph, status);
    return none;
}

static void add_wrt(module *m, const char *prefix, const char *name, quartic_value value) {
    if (m->wrt_count == QUARTIC_MODULE_RESULTS) return; /* feed has refused it */
    snprintf(m->names[m->wrt_count], sizeof m->names[0], "%s%s", prefix, name);
    m->wrt[m->wrt_count++] = value;
}

static quartic_value module_input(module *m, const char *name) {
    char full[192];
    snprintf(full, sizeof full, "input.%s", name);
    quartic_value value = add_input(m, full, QUARTIC_FLOAT32);
    add_wrt(m, "input.", name, value);
    return value;
}

/* The mask, or no value. */
static quartic_value module_mask(module *m) {
    if (quartic_safetensors_find(m->recording->file, "input.mask") == NULL) return (quartic_value){0};
    return add_input(m, "input.mask", QUARTIC_INT32);
}

static void module_output(module *m, const char *name, quartic_value value) {
    snprintf(m->output_names[m->output_count], sizeof m->output_names[0], "%s", name);
    m->outputs[m->output_count++] = value;
}

/* ---- the modules ---- */

/* x (b, m, D): one sequence of m tokens per row of the batch. */
static quartic_status build_taylor_attention(module *m) {
    quartic_taylor_module_options options = {.attention = {.axis = 2}};
    QUARTIC_TRY(quartic_recording_count(m->recording, "heads", &options.heads));
    QUARTIC_TRY(quartic_recording_count(m->recording, "dim_head", &options.dim_head));
    quartic_value x = module_input(m, "x"), hidden = module_mask(m);
    quartic_shape shape = quartic_graph_shape(m->graph, x);
    uint32_t b = shape.dims[0], length = shape.dims[1], dim = shape.dims[2];
    if (hidden.id != 0) options.mask = quartic_reshape(m->graph, hidden, &QUARTIC_SHAPE(b, 1, length));
    quartic_value row = quartic_reshape(m->graph, x, &QUARTIC_SHAPE(b, 1, length, dim));
    quartic_value out = quartic_nn_taylor_attention(&m->nn, row, (quartic_value){0}, &options);
    module_output(m, "out", quartic_reshape(m->graph, out, &shape));
    return QUARTIC_OK;
}

static quartic_status build_edge_embedding(module *m) {
    uint32_t dim_edges;
    QUARTIC_TRY(quartic_recording_count(m->recording, "dim_edges", &dim_edges));
    module_output(m, "out", quartic_nn_edge_embedding(&m->nn, module_input(m, "x"), dim_edges));
    return QUARTIC_OK;
}

static quartic_status build_dynamic_position_bias(module *m) {
    uint32_t dim, heads, length;
    QUARTIC_TRY(quartic_recording_count(m->recording, "dim", &dim));
    QUARTIC_TRY(quartic_recording_count(m->recording, "heads", &heads));
    QUARTIC_TRY(quartic_recording_count(m->recording, "seq_len", &length));
    module_output(m, "out", quartic_nn_position_bias(&m->nn, length, dim, heads));
    return QUARTIC_OK;
}

/* A key's value in the configuration; NULL if it is missing or null. */
static const quartic_json *module_option(const module *m, const char *key) {
    const quartic_json *value = quartic_json_member(m->recording->config, key);
    return quartic_json_is(value, QUARTIC_JSON_NULL) ? NULL : value;
}

static quartic_status refuse_word(const module *m, const char *key, const char *known) {
    quartic_json_writer text = {.bytes = NULL};
    quartic_json_put_value(&text, quartic_json_member(m->recording->config, key));
    quartic_status status =
        quartic_fail(QUARTIC_UNSUPPORTED, "\"%s\" in the config of %s is %s; this library has %s", key,
                     m->recording->path, text.status == QUARTIC_OK ? text.bytes : "something else", known);
    quartic_free(text.bytes);
    return status;
}

/* Whether the value of a key is `other`. It is `standard` if the key is missing. */
static quartic_status read_module_word(const module *m, const char *key, const char *standard,
                                       const char *other, bool *out_other) {
    const quartic_json *value = module_option(m, key);
    const char *word = quartic_json_text(value);
    *out_other = word != NULL && strcmp(word, other) == 0;
    if (value == NULL || *out_other || (word != NULL && strcmp(word, standard) == 0)) return QUARTIC_OK;
    char known[64];
    snprintf(known, sizeof known, "\"%s\" and \"%s\"", standard, other);
    return refuse_word(m, key, known);
}

/* residuals ((b S), n, D), here (b, n, S, D), around a branch that is an input. */
static quartic_status build_hyper_connection(module *m) {
    static const uint32_t swapped[] = {0, 2, 1, 3};
    uint32_t streams;
    bool unmixed;
    QUARTIC_TRY(read_module_word(m, "hyper_connections", "mixed", "unmixed", &unmixed));
    QUARTIC_TRY(quartic_recording_count(m->recording, "num_residual_streams", &streams));
    quartic_value residuals = module_input(m, "residuals"), branch = module_input(m, "branch_out");
    quartic_shape shape = quartic_graph_shape(m->graph, residuals);
    uint32_t b = streams == 0 ? 0 : shape.dims[0] / streams, n = shape.dims[1], dim = shape.dims[2];
    quartic_value inner = residuals;
    if (streams != 1) {
        inner = quartic_reshape(m->graph, inner, &QUARTIC_SHAPE(b, streams, n, dim));
        inner = quartic_permute(m->graph, inner, swapped);
    }
    quartic_hyper hyper;
    module_output(m, "branch_in", quartic_nn_hyper_begin(&m->nn, inner, streams, 0, !unmixed, &hyper));
    if (hyper.residual.id != 0) branch = quartic_add(m->graph, branch, hyper.residual);
    quartic_value out = quartic_nn_hyper_end(&m->nn, &hyper, branch);
    if (streams != 1) out = quartic_permute(m->graph, out, swapped);
    module_output(m, "residuals", quartic_reshape(m->graph, out, &shape));
    return QUARTIC_OK;
}

/* A number of the configuration, or `otherwise`. */
static quartic_status optional_number(const module *m, const char *key, double otherwise, float *out) {
    double number = otherwise;
    if (module_option(m, key) != NULL) QUARTIC_TRY(quartic_recording_number(m->recording, key, &number));
    *out = (float)number;
    return QUARTIC_OK;
}

static quartic_status read_causal(const module *m, bool *out_causal) {
    float causal;
    QUARTIC_TRY(optional_number(m, "causal", 0.0, &causal));
    *out_causal = causal != 0.0f;
    return QUARTIC_OK;
}

/* Keys that are missing keep their defaults: 20 iterations with eps 0.1. */
static quartic_status read_descent(const module *m, quartic_coordinate_descent_options *out) {
    if (module_option(m, "n_iters") != NULL)
        QUARTIC_TRY(quartic_recording_count(m->recording, "n_iters", &out->iterations));
    QUARTIC_TRY(optional_number(m, "eps", (double)out->eps, &out->eps));
    QUARTIC_TRY(optional_number(m, "eps_init", 0.0, &out->eps_init));
    return optional_number(m, "eps_decay", 1.0, &out->eps_decay);
}

/* The weights of scores s (b, m). */
static quartic_status build_coordinate_descent(module *m) {
    quartic_coordinate_descent_options options = QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT;
    QUARTIC_TRY(read_descent(m, &options));
    QUARTIC_TRY(optional_number(m, "k", 0.0, &options.k));
    quartic_value scores = module_input(m, "s");
    module_output(m, "out", quartic_coordinate_descent(m->graph, scores, module_mask(m), &options));
    return QUARTIC_OK;
}

static quartic_status build_edge_attention(module *m) {
    quartic_full_edge_options options = {0};
    QUARTIC_TRY(quartic_recording_count(m->recording, "heads", &options.heads));
    QUARTIC_TRY(quartic_recording_count(m->recording, "dim_head", &options.dim_head));
    QUARTIC_TRY(read_causal(m, &options.causal));
    quartic_value edges = module_input(m, "edges");
    options.mask = module_mask(m);
    module_output(m, "out", quartic_nn_full_edge_attention(&m->nn, edges, &options));
    return QUARTIC_OK;
}

static quartic_status build_routed_edge_attention(module *m) {
    quartic_routed_edge_options options = {.descent = QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT};
    QUARTIC_TRY(quartic_recording_count(m->recording, "heads", &options.heads));
    QUARTIC_TRY(quartic_recording_count(m->recording, "dim_head", &options.dim_head));
    double routed; /* 0: as many as nodes */
    QUARTIC_TRY(quartic_recording_number(m->recording, "num_routed", &routed));
    if (routed != 0.0) QUARTIC_TRY(quartic_recording_count(m->recording, "num_routed", &options.routed));
    QUARTIC_TRY(read_descent(m, &options.descent));
    QUARTIC_TRY(optional_number(m, "k_ratio", 1.125, &options.ratio));
    QUARTIC_TRY(read_causal(m, &options.causal));
    quartic_value edges = module_input(m, "edges"), sim = module_input(m, "sim"), weights, indices;
    options.mask = module_mask(m);
    edges = quartic_nn_routed_edge_attention(&m->nn, edges, sim, &options, &weights, &indices);
    module_output(m, "edges", edges);
    module_output(m, "coordinate_descent", weights);
    module_output(m, "indices", indices);
    return QUARTIC_OK;
}

static quartic_status read_triangle(module *m, quartic_triangle_module_options *out) {
    QUARTIC_TRY(quartic_recording_count(m->recording, "heads", &out->heads));
    QUARTIC_TRY(quartic_recording_count(m->recording, "dim_head", &out->dim_head));
    QUARTIC_TRY(read_causal(m, &out->causal));
    out->mask = module_mask(m);
    return QUARTIC_OK;
}

static quartic_status build_triangle_attention(module *m) {
    quartic_triangle_module_options options = {0};
    quartic_value edges = module_input(m, "edges");
    QUARTIC_TRY(read_triangle(m, &options));
    module_output(m, "out", quartic_nn_triangle_attention(&m->nn, edges, &options));
    return QUARTIC_OK;
}

static quartic_status build_triangle_start_end(module *m) {
    quartic_triangle_module_options options = {0};
    quartic_value edges = module_input(m, "edges");
    QUARTIC_TRY(read_triangle(m, &options));
    QUARTIC_TRY(read_module_word(m, "orientation", "default", "alphafold", &options.alphafold));
    module_output(m, "out", quartic_nn_triangle_start_end(&m->nn, edges, &options));
    return QUARTIC_OK;
}

/* The direction of that name, or QUARTIC_TRIANGLE_DIRECTIONS if there is none. */
static uint32_t direction_of(const quartic_json *word) {
    const char *name = quartic_json_text(word);
    uint32_t d = 0;
    while (
        d < QUARTIC_TRIANGLE_DIRECTIONS &&
        (name == NULL || strcmp(name, quartic_triangle_direction_name((quartic_triangle_direction)d)) != 0))
        ++d;
    return d;
}

/* The passes of the configuration in their order: a word or a list of words, each once; all if it has
 * none. */
static quartic_status read_directions(const module *m, quartic_triangle_direction *out, uint32_t *out_count) {
    const quartic_json *listed = module_option(m, "triangle_directions"), *next = listed;
    const char *single = quartic_json_text(listed);
    const bool list = quartic_json_is(listed, QUARTIC_JSON_ARRAY);
    bool taken[QUARTIC_TRIANGLE_DIRECTIONS] = {false}, wrong = false;
    uint32_t count = 0;
    if (listed == NULL || (single != NULL && strcmp(single, "all") == 0))
        for (; count < QUARTIC_TRIANGLE_DIRECTIONS; ++count) out[count] = (quartic_triangle_direction)count;
    else
        for (size_t k = 0; k < (list ? listed->count : 1) && !wrong; ++k) {
            next += k == 0 ? (uint32_t)list : next->span;
            const uint32_t d = direction_of(next);
            wrong = d == QUARTIC_TRIANGLE_DIRECTIONS || taken[d];
            if (wrong) break;
            taken[d] = true;
            out[count++] = (quartic_triangle_direction)d;
        }
    *out_count = count;
    if (count > 0 && !wrong) return QUARTIC_OK;
    return refuse_word(m, "triangle_directions",
                       "\"all\", or one or a list of \"through\", \"outgoing\" and \"incoming\", each once");
}

static quartic_status build_triangle_multiply(module *m) {
    quartic_triangle_module_options options = {0};
    quartic_triangle_direction directions[QUARTIC_TRIANGLE_DIRECTIONS];
    uint32_t count;
    QUARTIC_TRY(read_directions(m, directions, &count));
    quartic_value edges = module_input(m, "edges");
    QUARTIC_TRY(read_triangle(m, &options));
    module_output(m, "out", quartic_nn_triangle_multiply(&m->nn, edges, directions, count, &options));
    return QUARTIC_OK;
}

static quartic_status build_triple_attention(module *m) {
    quartic_triple_module_options options = {0};
    quartic_value edges = module_input(m, "edges");
    QUARTIC_TRY(quartic_recording_count(m->recording, "heads", &options.heads));
    QUARTIC_TRY(quartic_recording_count(m->recording, "dim_head", &options.dim_head));
    QUARTIC_TRY(read_causal(m, &options.causal));
    options.mask = module_mask(m);
    module_output(m, "out", quartic_nn_triple_attention(&m->nn, edges, &options));
    return QUARTIC_OK;
}

typedef quartic_status (*module_builder)(module *m);

#define DESCENT_KEYS "n_iters", "eps", "eps_init", "eps_decay"

static const struct builder {
    const char *model;
    module_builder build;
    const char *keys[12]; /* of its configuration; those that are not read follow from the shapes */
} builders[] = {
    {"taylor_attention", build_taylor_attention, {"dim", "heads", "dim_head"}},
    {"edge_embedding", build_edge_embedding, {"dim", "dim_edges"}},
    {"dynamic_position_bias", build_dynamic_position_bias, {"dim", "heads", "seq_len"}},
    {"hyper_connection", build_hyper_connection, {"dim", "num_residual_streams", "hyper_connections"}},
    {"coordinate_descent", build_coordinate_descent, {"k", DESCENT_KEYS}},
    {"edge_attention", build_edge_attention, {"dim", "heads", "dim_head", "causal"}},
    {"routed_edge_attention",
     build_routed_edge_attention,
     {"dim", "heads", "dim_head", "node_heads", "num_routed", "k_ratio", "causal", DESCENT_KEYS}},
    {"triangle_attention", build_triangle_attention, {"dim", "heads", "dim_head", "causal"}},
    {"triangle_start_end", build_triangle_start_end, {"dim", "heads", "dim_head", "causal", "orientation"}},
    {"triangle_multiply",
     build_triangle_multiply,
     {"dim", "heads", "dim_head", "causal", "triangle_directions"}},
    {"triple_attention", build_triple_attention, {"dim", "heads", "dim_head", "causal"}},
};

enum { MOST_KEYS = sizeof builders[0].keys / sizeof builders[0].keys[0] };

static const struct builder *find_builder(const char *model) {
    const size_t count = sizeof builders / sizeof builders[0];
    const size_t k = quartic_find_name(builders, sizeof builders[0], count, model);
    return k == count ? NULL : &builders[k];
}

bool quartic_module_known(const char *model) {
    return find_builder(model) != NULL;
}

/* An option that this library does not know would be ignored silently, so it is an error. */
static quartic_status check_module_keys(const module *m, const struct builder *builder) {
    QUARTIC_JSON_FOREACH(value, m->recording->config) {
        const char *key = value->key;
        char list[256] = "";
        bool known = false;
        for (size_t k = 0; k < MOST_KEYS && builder->keys[k] != NULL; ++k) {
            const size_t used = strlen(list);
            known = known || strcmp(key, builder->keys[k]) == 0;
            snprintf(list + used, sizeof list - used, "%s%s", k == 0 ? "" : ", ", builder->keys[k]);
        }
        if (!known)
            return quartic_fail(
                QUARTIC_UNSUPPORTED,
                "%s records %s with the option \"%s\", which this library does not have; it has %s",
                m->recording->path, builder->model, key, list);
    }
    return QUARTIC_OK;
}

/* ---- replay ---- */

/* Feeds the weights: the parameters of the graph, which have the recording's names without "param.". */
static quartic_status add_weights(module *m) {
    for (uint32_t id = 1; id <= quartic_graph_value_count(m->graph); ++id) {
        const quartic_graph_value *value = quartic_graph_value_record(m->graph, id);
        const quartic_storage *storage = quartic_graph_storage(m->graph, value->storage);
        if (storage->kind != QUARTIC_STORAGE_PARAMETER || value->node != QUARTIC_NONE) continue;
        char from[192], recorded[QUARTIC_SHAPE_TEXT], wanted[QUARTIC_SHAPE_TEXT];
        const quartic_shape shape = quartic_graph_shape(m->graph, quartic_graph_value_of(m->graph, id));
        const quartic_safetensors_tensor *tensor;
        snprintf(from, sizeof from, "param.%s", storage->name);
        QUARTIC_TRY(quartic_recording_find(m->recording, "", from, &tensor));
        if (!quartic_shape_equal(&tensor->shape, &shape))
            return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                                "%s of %s has shape %s; with this config it must be %s", from,
                                m->recording->path, quartic_shape_text(&tensor->shape, recorded),
                                quartic_shape_text(&shape, wanted));
        QUARTIC_TRY(module_feed(m, storage->name, from, QUARTIC_FLOAT32));
        add_wrt(m, "param.", storage->name, quartic_graph_value_of(m->graph, id));
    }
    return QUARTIC_OK;
}

/* Names a value as the output `prefix``name` of the graph and makes room for it; without a value it is
 * zeros. */
static quartic_status add_module_result(module *m, quartic_module_results *results, const char *prefix,
                                        const char *name, quartic_value value, const quartic_shape *shape) {
    if (results->count == QUARTIC_MODULE_RESULTS)
        return quartic_fail(QUARTIC_UNSUPPORTED, "a module has more than %d results", QUARTIC_MODULE_RESULTS);
    uint64_t count = quartic_shape_elements(shape);
    float *numbers = quartic_alloc(count, sizeof *numbers);
    if (numbers == NULL) return QUARTIC_OUT_OF_MEMORY;
    results->items[results->count].count = count;
    results->items[results->count].numbers = numbers;
    results->items[results->count].integer =
        value.id != 0 && quartic_graph_dtype(m->graph, value) == QUARTIC_INT32;
    char *full = results->items[results->count++].name;
    snprintf(full, sizeof results->items[0].name, "%s%s", prefix, name);
    if (value.id != 0) quartic_graph_output(m->graph, full, value);
    return quartic_graph_status(m->graph);
}

/* Every recorded input must have been used. */
static quartic_status check_module_inputs(const module *m) {
    for (uint32_t t = 0; t < quartic_safetensors_count(m->recording->file); ++t) {
        const char *name = quartic_safetensors_at(m->recording->file, t)->name;
        bool used = !quartic_starts_with(name, "input.", NULL);
        for (uint32_t f = 0; f < m->feed_count && !used; ++f) used = strcmp(name, m->feed_names[f]) == 0;
        if (!used)
            return quartic_fail(QUARTIC_UNSUPPORTED,
                                "%s records \"%s\", which the %s of this library does not take",
                                m->recording->path, name, m->recording->model);
    }
    return QUARTIC_OK;
}

static quartic_status build_module(module *m, quartic_module_results *results) {
    quartic_value values[8], cotangents[8], gradients[QUARTIC_MODULE_RESULTS];
    uint32_t value_count = 0;
    m->nn = quartic_nn_collect(m->graph, &m->set);
    const struct builder *builder = find_builder(m->recording->model);
    QUARTIC_TRY(check_module_keys(m, builder));
    QUARTIC_TRY(builder->build(m));
    QUARTIC_TRY(quartic_graph_status(m->graph));
    QUARTIC_TRY(add_weights(m));
    for (uint32_t o = 0; o < m->output_count; ++o) {
        if (quartic_graph_dtype(m->graph, m->outputs[o]) == QUARTIC_INT32) continue; /* no gradient */
        char full[192];
        snprintf(full, sizeof full, "input.cotangent.%s", m->output_names[o]);
        values[value_count] = m->outputs[o];
        cotangents[value_count++] = add_input(m, full, QUARTIC_FLOAT32);
    }
    QUARTIC_TRY(check_module_inputs(m));
    QUARTIC_TRY(quartic_graph_gradients_many(m->graph, values, cotangents, value_count, m->wrt, m->wrt_count,
                                             gradients));
    for (uint32_t o = 0; o < m->output_count; ++o) {
        quartic_shape shape = quartic_graph_shape(m->graph, m->outputs[o]);
        QUARTIC_TRY(add_module_result(m, results, "output.", m->output_names[o], m->outputs[o], &shape));
    }
    for (uint32_t k = 0; k < m->wrt_count; ++k) {
        quartic_shape shape = quartic_graph_shape(m->graph, m->wrt[k]);
        QUARTIC_TRY(add_module_result(m, results, "grad.", m->names[k], gradients[k], &shape));
    }
    return QUARTIC_OK;
}

static bool is_output(const quartic_graph *graph, const char *name) {
    return quartic_graph_find_named(graph, name) != QUARTIC_NONE;
}

quartic_status quartic_module_replay(quartic_device *device, const quartic_recording *recording,
                                     quartic_module_results *out_results) {
    *out_results = (quartic_module_results){0};
    module *m = quartic_alloc(1, sizeof *m);
    if (m == NULL) return QUARTIC_OUT_OF_MEMORY;
    m->recording = recording;
    quartic_status status = quartic_graph_create(&m->graph);
    if (status == QUARTIC_OK) status = build_module(m, out_results);
    if (status == QUARTIC_OK) {
        quartic_fetch fetches[QUARTIC_MODULE_RESULTS];
        uint32_t count = 0;
        for (uint32_t r = 0; r < out_results->count; ++r)
            if (is_output(m->graph, out_results->items[r].name))
                fetches[count++] = (quartic_fetch){out_results->items[r].name, out_results->items[r].numbers,
                                                   out_results->items[r].count};
        status = quartic_harness_run(device, m->graph, m->feeds, m->feed_count, fetches, count);
    }
    for (uint32_t r = 0; status == QUARTIC_OK && r < out_results->count; ++r) {
        float *numbers = out_results->items[r].numbers;
        if (!out_results->items[r].integer) continue;
        for (uint64_t i = 0; i < out_results->items[r].count; ++i)
            numbers[i] = (float)((const int32_t *)numbers)[i];
    }
    for (uint32_t f = 0; f < m->feed_count; ++f) quartic_free((void *)m->feeds[f].data);
    quartic_graph_destroy(m->graph);
    quartic_parameter_set_destroy(&m->set);
    quartic_free(m);
    return status;
}

void quartic_module_results_free(quartic_module_results *results) {
    for (uint32_t r = 0; r < results->count; ++r) quartic_free(results->items[r].numbers);
    results->count = 0;
}
