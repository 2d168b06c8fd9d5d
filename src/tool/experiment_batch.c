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

void contest_batch_create(const experiment_task *task, const contestant *who, uint32_t count,
                          contest_batch *out_batch) {
    const size_t n = task->n, features = who->config.dim_node_features;
    *out_batch =
        (contest_batch){.task = task,
                        .who = who,
                        .tokens = tool_alloc(count * n, sizeof(int32_t)),
                        .edge_types = tool_alloc(count * n * n, sizeof(int32_t)),
                        .targets = tool_alloc((size_t)count * experiment_task_targets(task), sizeof(int32_t)),
                        .features = features > 0 ? tool_alloc(count * n * features, sizeof(float)) : NULL,
                        .in = QUARTIC_MODEL_BATCH_INIT};
    out_batch->in.batch = count;
    out_batch->in.length = task->n;
    out_batch->in.tokens = features > 0 ? NULL : out_batch->tokens;
    out_batch->in.node_features = out_batch->features;
    out_batch->in.edge_types = who->config.num_edge_types > 0 ? out_batch->edge_types : NULL;
    out_batch->in.targets = out_batch->targets;
}

/* tokens (n), types (i, j); out_features (n, dim_node_features). */
static void fill_features(const contest_batch *batch, const int32_t *tokens, const int32_t *types,
                          experiment_source *source, float *out_features) {
    const experiment_task *task = batch->task;
    const contest_encoding encoding = batch->who->encoding;
    const uint32_t n = task->n, first = token_width(task), width = batch->who->config.dim_node_features;
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t token = 0; token < first; ++token)
            out_features[i * width + token] = tokens[i] == (int32_t)token;
    encoding_write(kind_of(encoding), types, NULL, n, task->edge_types, count_of(encoding), width,
                   out_features + first);
    for (uint32_t d = first; d < width && encoding == CONTEST_LAPLACIAN; ++d)
        if (experiment_below(source, 2) == 1)
            for (uint32_t i = 0; i < n; ++i) out_features[i * width + d] *= -1;
}

void contest_batch_fill(const experiment_data *data, const uint32_t *graphs, uint64_t seed, uint32_t stream,
                        contest_batch *batch) {
    const size_t n = data->n, targets = data->targets_per_graph;
    const contestant *who = batch->who;
    const bool identifiers = who->encoding == CONTEST_IDENTIFIERS;
    experiment_source source = {.seed = seed, .stream = stream};
    for (size_t b = 0; b < batch->in.batch; ++b) {
        const size_t from = graphs[b];
        const int32_t *tokens = data->tokens + from * n,
                      *types = data->edge_types == NULL ? NULL : data->edge_types + from * n * n;
        uint32_t order[EXPERIMENT_MOST_NODES] = {0};
        if (identifiers) experiment_permutation(&source, data->n, order);
        for (size_t i = 0; i < n; ++i) /* each token comes with n numbers */
            batch->tokens[b * n + i] = tokens[i] * (identifiers ? (int32_t)n : 1) + (int32_t)order[i];
        if (types != NULL) memcpy(batch->edge_types + b * n * n, types, n * n * sizeof(int32_t));
        if (types != NULL && who->encoding == CONTEST_DISTANCES)
            encoding_distances(types, NULL, data->n, BATCH_STEPS, batch->edge_types + b * n * n);
        if (has_features(who->encoding))
            fill_features(batch, tokens, types, &source,
                          batch->features + b * n * who->config.dim_node_features);
        memcpy(batch->targets + b * targets, data->targets + from * targets, targets * sizeof(int32_t));
    }
}

void contest_batch_free(contest_batch *batch) {
    free(batch->tokens);
    free(batch->edge_types);
    free(batch->targets);
    free(batch->features);
    *batch = (contest_batch){0};
}
