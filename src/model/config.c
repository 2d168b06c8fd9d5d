/* config.c: the model's configuration: its table of fields, JSON, checks, derived values. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "io/safetensors.h"
#include "model/model.h"

#define NAME_OF(suffix, name) name,
static const char *const families[] = {QUARTIC_MODEL_FAMILY_LIST(NAME_OF)};

static const quartic_model_config standard_config = QUARTIC_MODEL_CONFIG_INIT;
const quartic_options_type quartic_model_config_type = {"quartic_model_config", "QUARTIC_MODEL_CONFIG_INIT",
                                                        sizeof standard_config, 0, &standard_config};

static quartic_status read_config_bytes(quartic_model_config *inout_config, const char *bytes, size_t count) {
    quartic_model_config config;
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, inout_config, &config));
    QUARTIC_TRY(quartic_fields_read_json_bytes(&quartic_model_field_table, bytes, count, &config));
    return quartic_options_write(&quartic_model_config_type, &config, inout_config);
}

quartic_status quartic_model_config_read_json(quartic_model_config *inout_config, const char *text) {
    QUARTIC_CALL();
    QUARTIC_NEED(inout_config);
    QUARTIC_NEED(text);
    return read_config_bytes(inout_config, text, strlen(text));
}

quartic_status quartic_model_config_read_from(quartic_model_config *inout_config, const char *text,
                                              size_t bytes, const char *path) {
    const quartic_status status = read_config_bytes(inout_config, text, bytes);
    if (status != QUARTIC_FORMAT && status != QUARTIC_INVALID_ARGUMENT) return status;
    char message[1024];
    snprintf(message, sizeof message, "%s", quartic_error_detail());
    return quartic_fail(status, "\"%s\": %s", quartic_safetensors_path_end(path), message);
}

quartic_status quartic_model_config_read_json_file(quartic_model_config *inout_config, const char *path) {
    QUARTIC_CALL();
    QUARTIC_NEED(inout_config);
    QUARTIC_NEED(path);
    enum { MOST_BYTES = 1 << 20 }; /* a configuration is a few hundred bytes; a weight file is not one */
    FILE *file = fopen(path, "rb");
    if (file == NULL) return quartic_fail(QUARTIC_IO, "cannot open \"%s\": %s", path, strerror(errno));
    char *text = quartic_alloc(MOST_BYTES + 1, 1);
    size_t bytes = text != NULL ? fread(text, 1, MOST_BYTES + 1, file) : 0;
    quartic_status status = QUARTIC_OK;
    if (text == NULL)
        status = QUARTIC_OUT_OF_MEMORY;
    else if (ferror(file))
        status = quartic_fail(QUARTIC_IO, "cannot read \"%s\": %s", path, strerror(errno));
    else if (bytes > MOST_BYTES)
        status = quartic_fail(QUARTIC_FORMAT, "\"%s\" has more than %d bytes and is no configuration", path,
                              MOST_BYTES);
    else
        status = quartic_model_config_read_from(inout_config, text, bytes, path);
    fclose(file);
    quartic_free(text);
    return status;
}

quartic_status quartic_model_config_write_json(const quartic_model_config *config, char *out_text,
                                               size_t capacity, size_t *out_bytes) {
    QUARTIC_CALL();
    QUARTIC_NEED(config);
    char *text = NULL;
    quartic_model_config whole;
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, config, &whole));
    QUARTIC_TRY(quartic_fields_check(&quartic_model_field_table, &whole));
    QUARTIC_TRY(quartic_fields_write_json(&quartic_model_field_table, &whole, &text));
    size_t bytes = strlen(text) + 1;
    if (out_bytes != NULL) *out_bytes = bytes;
    quartic_status status = QUARTIC_OK;
    if (out_text != NULL && capacity >= bytes)
        memcpy(out_text, text, bytes);
    else if (out_text != NULL)
        status = quartic_fail(QUARTIC_INVALID_ARGUMENT, "the JSON text takes %zu bytes, the buffer has %zu",
                              bytes, capacity);
    quartic_free(text);
    return status;
}

void quartic_model_config_derive(quartic_model_config *config) {
    const quartic_edge_attention standard = config->model == QUARTIC_MODEL_QUARTIC && !config->static_edges
                                                ? QUARTIC_EDGE_ATTENTION_AXIAL
                                                : QUARTIC_EDGE_ATTENTION_NONE;
    if (config->edge_attention == QUARTIC_EDGE_ATTENTION_DEFAULT) config->edge_attention = standard;
    for (uint32_t k = 0; k < config->edge_attention_count; ++k)
        if (config->edge_attention_list[k] == QUARTIC_EDGE_ATTENTION_DEFAULT)
            config->edge_attention_list[k] = (uint8_t)standard;
    if (config->dim_edges == 0) config->dim_edges = config->dim;
    if (config->num_classes == 0) config->num_classes = config->num_tokens;
}

/* Checks the fields about inputs and read-outs together. */
static quartic_status check_config_inputs(const quartic_model_config *config) {
    const char *what = quartic_model_field_table.what;
    const bool features = config->dim_node_features != 0;
    if (!features && config->num_tokens == 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "%s must say \"num_tokens\": an integer from 1 to 16777216 (or \"dim_node_features\", for "
            "nodes with features in the place of tokens)",
            what);
    if (features && config->num_tokens != 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "\"num_tokens\" %u and \"dim_node_features\" %u of %s: nodes have either tokens or "
            "features; leave one of them out",
            config->num_tokens, config->dim_node_features, what);
    if (config->num_classes == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%s must say \"num_classes\", since there are no tokens to be predicted", what);
    if (config->diversity_loss > 0.0f && !quartic_model_family_of(config)->has_diversity)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "\"diversity_loss\" %g for \"model\": \"%s\", which has no streams to compare; "
                            "it is for \"multi-stream\"",
                            (double)config->diversity_loss, families[config->model]);
    const bool graphs = features || config->num_edge_types != 0 || config->dim_edge_features != 0 ||
                        !config->positions || config->readout != QUARTIC_READOUT_NODE ||
                        config->num_classes != config->num_tokens;
    if (graphs && !quartic_model_family_of(config)->takes_graphs)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "\"model\": \"%s\" takes tokens with positions and predicts tokens; \"dim_node_features\", "
            "\"num_edge_types\", \"dim_edge_features\", \"positions\", \"readout\" and \"num_classes\" are "
            "for \"quartic\" and \"relational\"",
            families[config->model]);
    return QUARTIC_OK;
}

/* A list of forms of edge attention has one entry for each layer. */
static quartic_status check_edge_attention_list(const quartic_model_config *config) {
    if (config->edge_attention_count == 0 || config->edge_attention_count == config->depth) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "\"edge_attention\" of %s lists %u forms for a \"depth\" of %u layers; give one for "
                        "each layer, or one word for all",
                        quartic_model_field_table.what, config->edge_attention_count, config->depth);
}

quartic_status quartic_model_config_check(const quartic_model_config *config) {
    QUARTIC_CALL();
    QUARTIC_NEED(config);
    quartic_model_config derived;
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, config, &derived));
    QUARTIC_TRY(quartic_fields_check(&quartic_model_field_table, &derived));
    quartic_model_config_derive(&derived);
    QUARTIC_TRY(check_config_inputs(&derived));
    QUARTIC_TRY(check_edge_attention_list(&derived));
    QUARTIC_TRY(quartic_model_check_options(&derived));
    return quartic_model_family_of(&derived)->check(&derived);
}

quartic_status quartic_model_config_weights(const quartic_model_config *config, uint64_t *out_elements) {
    QUARTIC_CALL();
    QUARTIC_NEED(config);
    QUARTIC_NEED(out_elements);
    QUARTIC_TRY(quartic_model_config_check(config));
    quartic_model_config derived;
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, config, &derived));
    quartic_model_config_derive(&derived);
    quartic_parameter_set set;
    QUARTIC_TRY(quartic_model_collect(&derived, &set));
    *out_elements = set.elements;
    quartic_parameter_set_destroy(&set);
    return QUARTIC_OK;
}

/* A copy with derived values filled in, and with lists in place of single choices that mean the same. So two
 * configurations compare as equal exactly if they mean the same model. */
static quartic_model_config spelled_out(const quartic_model_config *config) {
    quartic_model_config out = *config; /* of the library's own size, as quartic_options_read gives it */
    quartic_model_config_derive(&out);
    if (out.edge_attention_count == 0)
        for (; out.edge_attention_count < out.depth && out.edge_attention_count < QUARTIC_MODEL_MOST_LAYERS;)
            out.edge_attention_list[out.edge_attention_count++] = (uint8_t)out.edge_attention;
    uint8_t *passes = out.triangle_directions_list;
    if (out.triangle_directions_count == 0) {
        out.triangle_directions_count = 1;
        passes[0] = (uint8_t)out.triangle_directions;
    }
    if (passes[0] == QUARTIC_TRIANGLE_PASSES_ALL) {
        out.triangle_directions_count = 3;
        for (uint8_t k = 0; k < 3; ++k) passes[k] = (uint8_t)(QUARTIC_TRIANGLE_PASSES_ALL + 1 + k);
    }
    return out;
}

quartic_status quartic_model_config_compare(const quartic_model_config *config, const char *name,
                                            const quartic_model_config *other, const char *other_name) {
    QUARTIC_CALL();
    QUARTIC_NEED(config);
    QUARTIC_NEED(name);
    QUARTIC_NEED(other);
    QUARTIC_NEED(other_name);
    QUARTIC_TRY(quartic_model_config_check(config));
    QUARTIC_TRY(quartic_model_config_check(other));
    quartic_model_config left, right;
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, config, &left));
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, other, &right));
    left = spelled_out(&left), right = spelled_out(&right);
    quartic_field_difference difference;
    if (!quartic_fields_differ(&quartic_model_field_table, &left, &right, &difference)) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s is %s in %s, but %s in %s", difference.name,
                        difference.left, name, difference.right, other_name);
}
