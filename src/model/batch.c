/* batch.c: the inputs of a model: checked against the configuration, cut into parts, written to the
 * device. */
#include <math.h>
#include <stdio.h>

#include "base/call.h"
#include "model/model.h"
#include "nn/edge_forms.h"
#include "run/access.h"

quartic_status quartic_model_check_size(const quartic_model *model, uint32_t batch, uint32_t length) {
    if (batch == 0 || length == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "a batch of %u sequences of %u tokens; give at least one of each", batch, length);
    if (length > model->config.max_seq_len)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "%u tokens in a sequence, the model takes at most max_seq_len = %u; give shorter sequences",
            length, model->config.max_seq_len);
    if ((uint64_t)batch * length >> 31 != 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "a batch of %u sequences of %u tokens has more than 2147483647; give fewer",
                            batch, length);
    const quartic_model_config *config = &model->config;
    if (config->num_routed > (uint64_t)length * length &&
        quartic_nn_has_edge_form(config, QUARTIC_EDGE_ATTENTION_ROUTED))
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "routed edge attention cannot choose num_routed = %u of the %u edges of %u nodes; "
            "set num_routed to at most that, or to 0 for as many as there are nodes",
            config->num_routed, length * length, length);
    return QUARTIC_OK;
}

uint64_t quartic_model_logit_rows(const quartic_model *model, uint32_t batch, uint32_t length) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(model, 0);
    const uint64_t nodes = (uint64_t)batch * length;
    switch (model->config.readout) {
    case QUARTIC_READOUT_EDGE:
        return nodes * length;
    case QUARTIC_READOUT_GRAPH:
        return batch;
    default:
        return nodes;
    }
}

/* ---- checks ---- */

static const quartic_model_batch standard_batch = QUARTIC_MODEL_BATCH_INIT;
const quartic_options_type quartic_model_batch_type = {"quartic_model_batch", "QUARTIC_MODEL_BATCH_INIT",
                                                       sizeof standard_batch, 0, &standard_batch};

/* An input must be given if and only if the configuration asks for it. */
static quartic_status check_presence(const char *what, bool given, const char *field, uint32_t asked) {
    if (given == (asked != 0)) return QUARTIC_OK;
    if (given)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the batch has %s, but %s of the model is 0", what,
                            field);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the batch has no %s, which the model needs: its %s is %u",
                        what, field, asked);
}

static quartic_status check_batch_tokens(const quartic_model *model, const quartic_model_batch *in) {
    const uint64_t count = (uint64_t)in->batch * in->length;
    const uint32_t limit = model->config.num_tokens;
    for (uint64_t i = 0; i < count; ++i)
        if (in->tokens[i] < 0 || (uint32_t)in->tokens[i] >= limit)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "token %d at (%llu, %llu) is outside the vocabulary, 0 to num_tokens - 1 = %u", in->tokens[i],
                (unsigned long long)(i / in->length), (unsigned long long)(i % in->length), limit - 1);
    return QUARTIC_OK;
}

static quartic_status check_edge_types(const quartic_model *model, const quartic_model_batch *in) {
    const uint64_t n = in->length, count = in->batch * n * n;
    const uint32_t limit = model->config.num_edge_types;
    if (count >> 31 != 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "%u graphs of %u nodes have more than 2147483647 edges; give fewer or smaller ones", in->batch,
            in->length);
    for (uint64_t e = 0; e < count; ++e)
        if (in->edge_types[e] >= 0 && (uint32_t)in->edge_types[e] >= limit)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "edge type %d at (%llu, %llu, %llu) is out of range, 0 to num_edge_types - 1 = %u "
                "(negative: no type)",
                in->edge_types[e], (unsigned long long)(e / n / n), (unsigned long long)(e / n % n),
                (unsigned long long)(e % n), limit - 1);
    return QUARTIC_OK;
}

static quartic_status check_features(const char *what, const float *numbers, uint64_t rows, uint32_t width) {
    for (uint64_t k = 0; k < rows * width; ++k)
        if (!isfinite(numbers[k]))
            return quartic_fail(QUARTIC_NON_FINITE, "feature %llu of %s %llu is %g; features must be finite",
                                (unsigned long long)(k % width), what, (unsigned long long)(k / width),
                                (double)numbers[k]);
    return QUARTIC_OK;
}

static quartic_status check_batch_targets(const quartic_model *model, const quartic_model_batch *in) {
    const quartic_model_config *config = &model->config;
    const uint64_t n = in->length, rows = quartic_model_logit_rows(model, in->batch, in->length);
    for (uint64_t r = 0; r < rows; ++r) {
        const int32_t target = in->targets[r];
        if (target < 0 || (uint32_t)target < config->num_classes) continue;
        char place[80];
        if (config->readout == QUARTIC_READOUT_GRAPH)
            snprintf(place, sizeof place, "(%llu)", (unsigned long long)r);
        else if (config->readout == QUARTIC_READOUT_NODE)
            snprintf(place, sizeof place, "(%llu, %llu)", (unsigned long long)(r / n),
                     (unsigned long long)(r % n));
        else
            snprintf(place, sizeof place, "(%llu, %llu, %llu)", (unsigned long long)(r / n / n),
                     (unsigned long long)(r / n % n), (unsigned long long)(r % n));
        const bool tokens =
            config->readout == QUARTIC_READOUT_NODE && config->num_classes == config->num_tokens;
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "target %d at %s is outside the %s - 1 = %u (negative: ignored)", target, place,
                            tokens ? "vocabulary, 0 to num_tokens" : "classes, 0 to num_classes",
                            config->num_classes - 1);
    }
    return QUARTIC_OK;
}

/* A graph read-out is a mean over the real nodes, so each graph needs at least one. */
static quartic_status check_batch_real_nodes(const quartic_model_batch *in) {
    for (uint32_t b = 0; b < in->batch; ++b) {
        bool any = false;
        for (uint32_t i = 0; i < in->length && !any; ++i) any = in->mask[(uint64_t)b * in->length + i] != 0;
        if (!any)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "graph %u has no real node (its mask is all 0), so it has no mean to read out; leave "
                "such graphs out",
                b);
    }
    return QUARTIC_OK;
}

quartic_status quartic_model_check_batch(const quartic_model *model, const quartic_model_batch *in,
                                         bool with_targets) {
    const quartic_model_config *config = &model->config;
    QUARTIC_TRY(quartic_model_check_size(model, in->batch, in->length));
    if (config->dim_node_features == 0 && in->tokens == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the tokens are NULL");
    if (config->dim_node_features != 0 && in->tokens != NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the batch has tokens, but the model takes node features (dim_node_features %u)",
                            config->dim_node_features);
    QUARTIC_TRY(check_presence("node_features", in->node_features != NULL, "dim_node_features",
                               config->dim_node_features));
    QUARTIC_TRY(
        check_presence("edge_types", in->edge_types != NULL, "num_edge_types", config->num_edge_types));
    QUARTIC_TRY(check_presence("edge_features", in->edge_features != NULL, "dim_edge_features",
                               config->dim_edge_features));
    if (with_targets && in->targets == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the targets are NULL");
    const uint64_t nodes = (uint64_t)in->batch * in->length;
    if (in->tokens != NULL) QUARTIC_TRY(check_batch_tokens(model, in));
    if (in->node_features != NULL)
        QUARTIC_TRY(check_features("node", in->node_features, nodes, config->dim_node_features));
    if (in->edge_types != NULL) QUARTIC_TRY(check_edge_types(model, in));
    if (in->edge_features != NULL)
        QUARTIC_TRY(check_features("edge", in->edge_features, nodes * in->length, config->dim_edge_features));
    if (with_targets) QUARTIC_TRY(check_batch_targets(model, in));
    return config->readout == QUARTIC_READOUT_GRAPH && in->mask != NULL ? check_batch_real_nodes(in)
                                                                        : QUARTIC_OK;
}

/* ---- parts and writing ---- */

quartic_model_batch quartic_model_batch_part(const quartic_model *model, const quartic_model_batch *in,
                                             uint32_t first, uint32_t count) {
    const quartic_model_config *config = &model->config;
    const uint64_t nodes = (uint64_t)first * in->length, edges = nodes * in->length;
    quartic_model_batch part = *in;
    part.batch = count;
    if (in->tokens != NULL) part.tokens += nodes;
    if (in->node_features != NULL) part.node_features += nodes * config->dim_node_features;
    if (in->edge_types != NULL) part.edge_types += edges;
    if (in->edge_features != NULL) part.edge_features += edges * config->dim_edge_features;
    if (in->mask != NULL) part.mask += nodes;
    if (in->targets != NULL) part.targets += quartic_model_logit_rows(model, first, in->length);
    return part;
}

quartic_status quartic_model_write_input(quartic_program *program, const char *name, const void *data,
                                         size_t count) {
    quartic_tensor *tensor = quartic_program_tensor(program, name);
    return tensor == NULL ? QUARTIC_INTERNAL : quartic_tensor_upload(tensor, data, 4 * count);
}

quartic_status quartic_model_write_batch(const quartic_model *model, quartic_program *program,
                                         const quartic_model_batch *in, int32_t *mask, bool with_targets) {
    const quartic_model_config *config = &model->config;
    const size_t nodes = (size_t)in->batch * in->length, edges = nodes * in->length;
    const struct {
        const char *name;
        const void *data;
        size_t count;
    } inputs[] = {
        {"tokens", in->tokens, nodes},
        {"node_features", in->node_features, nodes * config->dim_node_features},
        {"edge_types", in->edge_types, edges},
        {"edge_features", in->edge_features, edges * config->dim_edge_features},
        {"targets", with_targets ? in->targets : NULL,
         (size_t)quartic_model_logit_rows(model, in->batch, in->length)},
    };
    for (size_t k = 0; k < sizeof inputs / sizeof inputs[0]; ++k)
        if (inputs[k].data != NULL)
            QUARTIC_TRY(quartic_model_write_input(program, inputs[k].name, inputs[k].data, inputs[k].count));
    if (in->mask == NULL) return QUARTIC_OK;
    for (size_t i = 0; i < nodes; ++i) mask[i] = in->mask[i] != 0;
    return quartic_model_write_input(program, "mask", mask, nodes);
}
