/* experiment_batch.c: see experiment_batch.h. */
#include "tool/experiment_batch.h"

#include <stdlib.h>
#include <string.h>

#include "tool/encodings.h"

static bool has_features(contest_encoding encoding) {
    return encoding == CONTEST_ROWS || encoding == CONTEST_WALKS || encoding == CONTEST_LAPLACIAN;
}

static node_encoding kind_of(contest_encoding encoding) {
    return encoding == CONTEST_ROWS    ? ENCODING_ROWS
           : encoding == CONTEST_WALKS ? ENCODING_WALKS
                                       : ENCODING_LAPLACIAN;
}

static uint32_t count_of(contest_encoding encoding) {
    return encoding == CONTEST_WALKS ? BATCH_WALKS : BATCH_EIGENVECTORS;
}

/* Features begin with the one-hot token, where there is more than one. */
static uint32_t token_width(const experiment_task *task) {
    return task->tokens > 1 ? task->tokens : 0;
}

void contest_batch_configure(const experiment_task *task, contest_encoding encoding,
                             quartic_model_config *inout_config) {
    inout_config->num_tokens = encoding == CONTEST_IDENTIFIERS ? task->n * task->tokens : task->tokens;
    if (encoding == CONTEST_DISTANCES && inout_config->num_edge_types > 0)
        inout_config->num_edge_types = task->edge_types * (BATCH_STEPS + 1);
    if (!has_features(encoding)) return;
    inout_config->num_tokens = 0;
    inout_config->dim_node_features =
        token_width(task) + encoding_width(kind_of(encoding), task->n, task->edge_types, count_of(encoding));
}

void contest_batch_create(const experiment_task *task, const contestant *who, uint32_t count, uint32_t padded,
                          contest_batch *out_batch) {
    const size_t n = task->n, features = who->config.dim_node_features;
    *out_batch =
        (contest_batch){.task = task,
                        .who = who,
                        .padded = padded,
                        .tokens = tool_alloc(count * n, sizeof(int32_t)),
                        .edge_types = tool_alloc(count * n * n, sizeof(int32_t)),
                        .targets = tool_alloc((size_t)count * experiment_task_targets(task), sizeof(int32_t)),
                        .features = features > 0 ? tool_alloc(count * n * features, sizeof(float)) : NULL,
                        .mask = padded > 0 ? tool_alloc(count * n, 1) : NULL,
                        .in = QUARTIC_MODEL_BATCH_INIT};
    out_batch->in.batch = count;
    out_batch->in.length = padded > 0 ? padded : task->n;
    out_batch->in.tokens = features > 0 ? NULL : out_batch->tokens;
    out_batch->in.node_features = out_batch->features;
    out_batch->in.edge_types = who->config.num_edge_types > 0 ? out_batch->edge_types : NULL;
    out_batch->in.targets = out_batch->targets;
    out_batch->in.mask = out_batch->mask;
}

/* tokens (n), types (i, j); out_features (n, dim_node_features). */
static void fill_features(const contest_batch *batch, uint32_t n, const int32_t *tokens, const int32_t *types,
                          experiment_source *source, float *out_features) {
    const experiment_task *task = batch->task;
    const contest_encoding encoding = batch->who->encoding;
    const uint32_t first = token_width(task), width = batch->who->config.dim_node_features;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t token = 0; token < first; ++token)
            out_features[i * width + token] = tokens[i] == (int32_t)token;
    encoding_write(kind_of(encoding), types, NULL, n, task->edge_types, count_of(encoding), width,
                   out_features + first);
    for (uint32_t d = first; d < width && encoding == CONTEST_LAPLACIAN; ++d)
        if (experiment_below(source, 2) == 1)
            for (uint32_t i = 0; i < n; ++i) out_features[i * width + d] *= -1;
}

/* from (n, n) into the upper left corner of (length, length), the rest being `padding`. */
static void copy_padded(const int32_t *from, uint32_t n, uint32_t length, int32_t padding, int32_t *out_to) {
    for (size_t k = 0; k < (size_t)length * length; ++k) out_to[k] = padding;
    for (size_t i = 0; i < n; ++i) memcpy(out_to + i * length, from + i * n, n * sizeof(int32_t));
}

static void fill_targets(const experiment_data *data, size_t from, uint32_t length, int32_t *out_targets) {
    const uint32_t n = data->n, count = data->targets_per_graph;
    const int32_t *targets = data->targets + from * count;
    if (count == n * n)
        copy_padded(targets, n, length, -1, out_targets);
    else
        memcpy(out_targets, targets, count * sizeof(int32_t));
    for (uint32_t i = n; count == n && i < length; ++i) out_targets[i] = -1;
}

void contest_batch_fill(const experiment_data *data, const uint32_t *graphs, uint64_t seed, uint32_t stream,
                        contest_batch *batch) {
    const size_t n = data->n, length = batch->padded > 0 ? batch->padded : n,
                 targets = data->targets_per_graph == n * n ? length * length
                           : data->targets_per_graph == n   ? length
                                                            : 1;
    const contestant *who = batch->who;
    const bool identifiers = who->encoding == CONTEST_IDENTIFIERS;
    const uint32_t numbers = batch->task->n; /* that nodes may get: also those of the largest graphs */
    experiment_source source = {.seed = seed, .stream = stream};
    batch->in.length = (uint32_t)length;
    for (size_t b = 0; b < batch->in.batch; ++b) {
        const size_t from = graphs[b];
        const int32_t *tokens = data->tokens + from * n,
                      *types = data->edge_types == NULL ? NULL : data->edge_types + from * n * n;
        int32_t given[EXPERIMENT_MOST_NODES * EXPERIMENT_MOST_NODES];
        uint32_t order[EXPERIMENT_MOST_NODES] = {0};
        if (identifiers) experiment_permutation(&source, numbers, order);
        for (size_t i = 0; i < length; ++i) { /* each token comes with that many numbers */
            batch->tokens[b * length + i] =
                i < n ? tokens[i] * (identifiers ? (int32_t)numbers : 1) + (int32_t)order[i] : 0;
            if (batch->mask != NULL) batch->mask[b * length + i] = i < n;
        }
        if (types != NULL) memcpy(given, types, n * n * sizeof(int32_t));
        if (types != NULL && who->encoding == CONTEST_DISTANCES)
            encoding_distances(types, NULL, data->n, BATCH_STEPS, given);
        if (types != NULL)
            copy_padded(given, data->n, (uint32_t)length, -1, batch->edge_types + b * length * length);
        if (batch->features != NULL)
            memset(batch->features + b * length * who->config.dim_node_features, 0,
                   length * who->config.dim_node_features * sizeof(float));
        if (has_features(who->encoding))
            fill_features(batch, data->n, tokens, types, &source,
                          batch->features + b * length * who->config.dim_node_features);
        fill_targets(data, from, (uint32_t)length, batch->targets + b * targets);
    }
}

void contest_batch_free(contest_batch *batch) {
    free(batch->tokens);
    free(batch->edge_types);
    free(batch->targets);
    free(batch->features);
    free(batch->mask);
    *batch = (contest_batch){0};
}
