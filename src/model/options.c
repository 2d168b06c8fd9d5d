/* options.c: refuses options that nothing in the model would read.
 *
 * A switch or a choice that differs from its default asks for something. If the model's family does not have
 * it, or another option disables it, the model would ignore it silently; that is an error. Sizes (heads,
 * widths, numbers of routed edges or residual streams) and the details of forms that no layer has are not
 * checked: one set of them may serve several models.
 */
#include <stdio.h>
#include <string.h>

#include "base/find.h"
#include "model/model.h"
#include "nn/edge_forms.h"

enum { VALUE_TEXT = 64, QUARTIC_FAMILIES_TEXT = 64 };

#define OF(family)          (1u << QUARTIC_MODEL_##family)
#define AT(name)            offsetof(quartic_model_config, name)
#define OPTION(name, among) {#name, AT(name), 0, among},
#define LISTED(name, among) {#name, AT(name), AT(name##_count), among},

/* Options that only some families have, and the families that have them. */
static const struct option {
    const char *name;
    size_t offset, count_offset; /* of a list's length, or 0 */
    uint32_t families;
} options[] = {
    // clang-format off
    OPTION(ablate_edges, OF(QUARTIC))
    OPTION(static_edges, OF(QUARTIC))
    OPTION(hyper_connections, OF(QUARTIC))
    OPTION(edges_diagonal_attn, OF(QUARTIC) | OF(RELATIONAL))
    LISTED(triangle_directions, OF(QUARTIC) | OF(RELATIONAL))
    OPTION(triangle_orientation, OF(QUARTIC) | OF(RELATIONAL))
    OPTION(num_streams, OF(MULTI_STREAM))
    OPTION(parallel_streams, OF(MULTI_STREAM))
    OPTION(stream_skip, OF(MULTI_STREAM))
    OPTION(separate_stream_emb, OF(MULTI_STREAM))
    OPTION(pre_talking_heads, OF(MULTI_STREAM))
    OPTION(post_talking_heads, OF(MULTI_STREAM))
    OPTION(non_linear_talking_heads, OF(MULTI_STREAM))
    OPTION(residual_talking_heads, OF(MULTI_STREAM))
    OPTION(ablate_cross_stream_talking_heads, OF(MULTI_STREAM))
    // clang-format on
};

#define NAME_OF(suffix, name) name,
static const char *const families[] = {QUARTIC_MODEL_FAMILY_LIST(NAME_OF)};
static const char *const forms[] = {QUARTIC_EDGE_ATTENTION_LIST(NAME_OF)};
enum { FAMILIES = sizeof families / sizeof families[0] };

static uint32_t number_at(const quartic_model_config *config, size_t offset) {
    uint32_t number;
    memcpy(&number, (const char *)config + offset, sizeof number);
    return number;
}

/* "true", "\"unmixed\"", "3", "a list": as the value is written in JSON. */
static const char *option_value_text(const struct option *option, const quartic_model_config *config,
                                     char *text) {
    const uint32_t number = number_at(config, option->offset);
    const quartic_field_table *table = &quartic_model_field_table;
    const size_t index =
        quartic_find_name(table->fields, sizeof table->fields[0], table->count, option->name);
    const quartic_field *field = index == table->count ? NULL : &table->fields[index];
    if (option->count_offset != 0 && number_at(config, option->count_offset) != 0)
        snprintf(text, VALUE_TEXT, "a list");
    else if (field != NULL && field->choices != NULL)
        snprintf(text, VALUE_TEXT, "\"%s\"", field->choices[number]);
    else if (field != NULL && field->kind == QUARTIC_FIELD_FLAG)
        snprintf(text, VALUE_TEXT, "%s", number != 0 ? "true" : "false");
    else
        snprintf(text, VALUE_TEXT, "%u", number);
    return text;
}

static bool is_set(const struct option *option, const quartic_model_config *config) {
    static const quartic_model_config standard = QUARTIC_MODEL_CONFIG_INIT;
    if (option->count_offset != 0 && number_at(config, option->count_offset) != 0) return true;
    return number_at(config, option->offset) != number_at(&standard, option->offset);
}

static quartic_status refuse_family(const struct option *option, const quartic_model_config *config) {
    char value[VALUE_TEXT], known[QUARTIC_FAMILIES_TEXT] = "";
    for (uint32_t family = 0; family < FAMILIES; ++family) {
        if ((option->families >> family & 1u) == 0) continue;
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s\"%s\"", used == 0 ? "" : " and ", families[family]);
    }
    return quartic_fail(
        QUARTIC_INVALID_ARGUMENT,
        "\"%s\" %s for \"model\": \"%s\", which would not read it; it is for %s: leave it out", option->name,
        option_value_text(option, config, value), families[config->model], known);
}

static quartic_status check_family(const quartic_model_config *config) {
    for (size_t k = 0; k < sizeof options / sizeof options[0]; ++k)
        if ((options[k].families >> config->model & 1u) == 0 && is_set(&options[k], config))
            return refuse_family(&options[k], config);
    for (uint32_t layer = 0; layer < config->depth && config->model == QUARTIC_MODEL_MULTI_STREAM; ++layer) {
        const quartic_edge_attention form = quartic_nn_edge_form(config, layer);
        if (form != QUARTIC_EDGE_ATTENTION_NONE)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "\"edge_attention\" \"%s\" for \"model\": \"multi-stream\", which has no edges; it "
                "is for \"quartic\" and \"relational\": leave it out",
                forms[form]);
    }
    return QUARTIC_OK;
}

/* Options of the edges that exclude each other. Ablated edges keep the weights of the standard form, as in
 * the published package, so a saved model has the form "axial". */
static quartic_status check_edges(const quartic_model_config *config) {
    for (uint32_t layer = 0; layer < config->depth && config->ablate_edges; ++layer) {
        const quartic_edge_attention form = quartic_nn_edge_form(config, layer);
        if (form != QUARTIC_EDGE_ATTENTION_AXIAL && form != QUARTIC_EDGE_ATTENTION_NONE)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "\"ablate_edges\" true with \"edge_attention\" \"%s\" in layer %u: edges without "
                "influence do not attend; leave one of them out",
                forms[form], layer);
    }
    if (config->ablate_edges && config->static_edges)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "\"ablate_edges\" and \"static_edges\" are both true: ablated edges have no "
                            "influence, static ones bias the node attention; take one of them");
    return QUARTIC_OK;
}

static quartic_status check_streams(const quartic_model_config *config) {
    if (config->model != QUARTIC_MODEL_MULTI_STREAM) return QUARTIC_OK;
    if (!config->stream_skip && !config->parallel_streams)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "\"stream_skip\" false without \"parallel_streams\": only parallel streams have a "
            "first layer to skip from; leave it out, or set \"parallel_streams\" to true");
    if (!config->separate_stream_emb && config->parallel_streams)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "\"separate_stream_emb\" false with \"parallel_streams\" true: parallel streams have "
            "one embedding in common anyway; leave one of them out");
    const bool exchange = config->pre_talking_heads || config->post_talking_heads;
    if (config->non_linear_talking_heads && !exchange)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "\"non_linear_talking_heads\" true with \"pre_talking_heads\" and \"post_talking_heads\" false: "
            "no heads exchange anything; leave it out, or set one of them to true");
    if (config->ablate_cross_stream_talking_heads && !exchange && !config->residual_talking_heads)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"ablate_cross_stream_talking_heads\" true with "
                                                      "\"pre_talking_heads\", \"post_talking_heads\" and "
                                                      "\"residual_talking_heads\" false: no heads exchange "
                                                      "anything; leave it out, or set one of them to true");
    return QUARTIC_OK;
}

quartic_status quartic_model_check_options(const quartic_model_config *config) {
    QUARTIC_TRY(check_family(config));
    QUARTIC_TRY(check_edges(config));
    return check_streams(config);
}
