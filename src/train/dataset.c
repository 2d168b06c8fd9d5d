/* dataset.c: datasets as batches, for training and evaluation. Reading files: dataset_read.c. */
#include "train/dataset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/rng.h"
#include "train/trainer.h"

enum { PLACE_BYTES = 72 };

/* ---- memory ---- */

uint64_t quartic_dataset_elements(const quartic_dataset_info *info, quartic_dataset_tensor tensor) {
    const uint64_t n = info->length;
    switch (tensor) {
    case QUARTIC_DATASET_NODE_FEATURES:
        return n * info->dim_node_features;
    case QUARTIC_DATASET_EDGE_TYPES:
        return n * n;
    case QUARTIC_DATASET_EDGE_FEATURES:
        return n * n * info->dim_edge_features;
    case QUARTIC_DATASET_TARGETS:
        return info->readout == QUARTIC_READOUT_GRAPH ? 1 : info->readout == QUARTIC_READOUT_EDGE ? n * n : n;
    default:
        return n;
    }
}

size_t quartic_dataset_element_bytes(quartic_dataset_tensor tensor) {
    return tensor == QUARTIC_DATASET_MASK ? 1 : 4;
}

void quartic_dataset_free(quartic_dataset_arrays *arrays) {
    for (uint32_t t = 0; t < QUARTIC_DATASET_TENSORS; ++t) quartic_free(arrays->at[t]);
    *arrays = (quartic_dataset_arrays){{NULL}};
}

quartic_status quartic_dataset_allocate(const quartic_dataset_info *info, uint32_t present, uint64_t graphs,
                                        quartic_dataset_arrays *out_arrays) {
    *out_arrays = (quartic_dataset_arrays){{NULL}};
    for (uint32_t t = 0; t < QUARTIC_DATASET_TENSORS; ++t) {
        if (!(present >> t & 1u)) continue;
        out_arrays->at[t] =
            quartic_alloc(graphs * quartic_dataset_elements(info, t), quartic_dataset_element_bytes(t));
        if (out_arrays->at[t] != NULL) continue;
        quartic_dataset_free(out_arrays);
        return QUARTIC_OUT_OF_MEMORY;
    }
    return QUARTIC_OK;
}

void quartic_dataset_close(quartic_dataset *dataset) {
    if (dataset == NULL) return;
    quartic_dataset_free(&dataset->all);
    quartic_dataset_free(&dataset->gathered);
    quartic_free(dataset->path);
    quartic_free(dataset);
}

const quartic_dataset_info *quartic_dataset_get_info(const quartic_dataset *dataset) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(dataset, NULL);
    return &dataset->info;
}

/* ---- configurations ---- */

quartic_status quartic_dataset_configure(const quartic_dataset *dataset, quartic_model_config *inout_config) {
    QUARTIC_CALL();
    QUARTIC_NEED(dataset);
    QUARTIC_NEED(inout_config);
    const quartic_dataset_info *info = &dataset->info;
    quartic_model_config config;
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, inout_config, &config));
    config.dim_node_features = info->dim_node_features;
    config.dim_edge_features = info->dim_edge_features;
    if (config.num_tokens == 0) config.num_tokens = info->num_tokens;
    if (info->dim_node_features != 0) config.num_tokens = 0;
    if (config.num_edge_types == 0) config.num_edge_types = info->num_edge_types;
    if (info->num_classes != 0) {
        config.readout = info->readout;
        if (config.num_classes == 0) config.num_classes = info->num_classes;
    }
    return quartic_options_write(&quartic_model_config_type, &config, inout_config);
}

static quartic_status check_width(const quartic_dataset *dataset, const char *field, uint32_t got,
                                  uint32_t want) {
    if (got == want) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s is %u in %s, but %u in the model's configuration",
                        field, want, dataset->path, got);
}

/* "(1, 0, 2)": the place of an element in a tensor whose axes are graphs, then nodes. */
static const char *place_text(const quartic_dataset *dataset, quartic_dataset_tensor tensor, uint64_t at,
                              char text[PLACE_BYTES]) {
    const quartic_dataset_info *info = &dataset->info;
    const uint64_t of_graph = quartic_dataset_elements(info, tensor), n = info->length;
    const unsigned long long graph = at / of_graph, rest = at % of_graph;
    if (of_graph == 1 && tensor == QUARTIC_DATASET_TARGETS && info->readout == QUARTIC_READOUT_GRAPH)
        snprintf(text, PLACE_BYTES, "(%llu)", graph);
    else if (of_graph == n)
        snprintf(text, PLACE_BYTES, "(%llu, %llu)", graph, rest);
    else
        snprintf(text, PLACE_BYTES, "(%llu, %llu, %llu)", graph, (unsigned long long)(rest / n),
                 (unsigned long long)(rest % n));
    return text;
}

/* The first number that is not below the limit, which one must be there for. */
static int32_t find_beyond(const quartic_dataset *dataset, quartic_dataset_tensor tensor, uint32_t limit,
                           char place[PLACE_BYTES]) {
    const int32_t *numbers = dataset->all.at[tensor];
    uint64_t at = 0;
    while (numbers[at] < 0 || (uint32_t)numbers[at] < limit) ++at;
    place_text(dataset, tensor, at, place);
    return numbers[at];
}

static const char *const tensor_names[] = {
#define TENSOR_NAME(suffix, name) name,
    QUARTIC_DATASET_TENSOR_LIST(TENSOR_NAME)
#undef TENSOR_NAME
};

/* Compares the range that a tensor uses with the configured one, which may be 0 if and only if nothing is
 * used. */
static quartic_status check_range(const quartic_dataset *dataset, quartic_dataset_tensor tensor,
                                  const char *field, uint32_t configured, uint32_t used) {
    if ((configured == 0) == (used == 0) && used <= configured) return QUARTIC_OK;
    if (configured == 0 || used == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s is %u in the model's configuration, but %s has %s",
                            field, configured, dataset->path, used == 0 ? "none of these" : "such data");
    char place[PLACE_BYTES];
    const int32_t number = find_beyond(dataset, tensor, configured, place);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "%s of %s: %d at %s is beyond %s = %u of the model's configuration, which knows 0 to "
                        "%u; this file needs %u at least",
                        tensor_names[tensor], dataset->path, number, place, field, configured, configured - 1,
                        used);
}

/* The most that a configuration may say for a field. */
static double most_of_field(const char *field) {
    const quartic_field_table *table = &quartic_model_field_table;
    uint32_t k = 0;
    while (strcmp(table->fields[k].name, field) != 0) ++k;
    return table->fields[k].most;
}

/* Refuses a file that needs a larger range than any model has. */
static quartic_status check_range_of_all(const quartic_dataset *dataset, quartic_dataset_tensor tensor,
                                         const char *field, uint32_t used) {
    const uint32_t most = (uint32_t)most_of_field(field);
    if (used <= most) return QUARTIC_OK;
    char place[PLACE_BYTES];
    const int32_t number = find_beyond(dataset, tensor, most, place);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "%s of %s: %d at %s is beyond what any model takes: %s is at most %u",
                        tensor_names[tensor], dataset->path, number, place, field, most);
}

quartic_status quartic_dataset_check(const quartic_dataset *dataset, const quartic_model_config *config) {
    QUARTIC_CALL();
    QUARTIC_NEED(dataset);
    QUARTIC_NEED(config);
    static const char *const readouts[] = {
#define READOUT_NAME(suffix, name) name,
        QUARTIC_READOUT_LIST(READOUT_NAME)};
    const quartic_dataset_info *info = &dataset->info;
    QUARTIC_TRY(check_range_of_all(dataset, QUARTIC_DATASET_TOKENS, "num_tokens", info->num_tokens));
    QUARTIC_TRY(
        check_range_of_all(dataset, QUARTIC_DATASET_EDGE_TYPES, "num_edge_types", info->num_edge_types));
    QUARTIC_TRY(check_range_of_all(dataset, QUARTIC_DATASET_TARGETS, "num_classes", info->num_classes));
    QUARTIC_TRY(quartic_model_config_check(config));
    quartic_model_config derived;
    QUARTIC_TRY(quartic_options_read(&quartic_model_config_type, config, &derived));
    quartic_model_config_derive(&derived);
    QUARTIC_TRY(
        check_width(dataset, "dim_node_features", derived.dim_node_features, info->dim_node_features));
    QUARTIC_TRY(
        check_width(dataset, "dim_edge_features", derived.dim_edge_features, info->dim_edge_features));
    QUARTIC_TRY(
        check_range(dataset, QUARTIC_DATASET_TOKENS, "num_tokens", derived.num_tokens, info->num_tokens));
    QUARTIC_TRY(check_range(dataset, QUARTIC_DATASET_EDGE_TYPES, "num_edge_types", derived.num_edge_types,
                            info->num_edge_types));
    if (info->num_classes != 0) {
        QUARTIC_TRY(check_range(dataset, QUARTIC_DATASET_TARGETS, "num_classes", derived.num_classes,
                                info->num_classes));
        if (derived.readout != info->readout)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "the targets of %s are of every %s, but readout is \"%s\" in the model's configuration",
                dataset->path, readouts[info->readout], readouts[derived.readout]);
    }
    if (info->length > derived.max_seq_len)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the graphs of %s have %u nodes, the model takes at most max_seq_len = %u",
                            dataset->path, info->length, derived.max_seq_len);
    return QUARTIC_OK;
}

/* ---- batches ---- */

quartic_status quartic_dataset_gather(quartic_dataset *dataset, const uint32_t *graphs, uint32_t count,
                                      quartic_model_batch *out_batch) {
    QUARTIC_CALL();
    QUARTIC_NEED(dataset);
    QUARTIC_NEED(graphs);
    QUARTIC_NEED(out_batch);
    const quartic_dataset_info *info = &dataset->info;
    if (count == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "a batch of 0 graphs of %s; ask for at least one",
                            dataset->path);
    for (uint32_t k = 0; k < count; ++k)
        if (graphs[k] >= info->graphs)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "graph %u is asked for, but %s has only %u",
                                graphs[k], dataset->path, info->graphs);
    if (count > dataset->gathered_capacity) {
        quartic_dataset_free(&dataset->gathered);
        dataset->gathered_capacity = 0;
        QUARTIC_TRY(quartic_dataset_allocate(info, dataset->present, count, &dataset->gathered));
        dataset->gathered_capacity = count;
    }
    void *const *to = dataset->gathered.at;
    for (uint32_t t = 0; t < QUARTIC_DATASET_TENSORS; ++t) {
        const uint64_t bytes = quartic_dataset_elements(info, t) * quartic_dataset_element_bytes(t);
        for (uint32_t k = 0; to[t] != NULL && k < count; ++k)
            memcpy((char *)to[t] + k * bytes, (const char *)dataset->all.at[t] + graphs[k] * bytes, bytes);
    }
    *out_batch = (quartic_model_batch){.struct_size = sizeof *out_batch,
                                       .batch = count,
                                       .length = info->length,
                                       .tokens = to[QUARTIC_DATASET_TOKENS],
                                       .node_features = to[QUARTIC_DATASET_NODE_FEATURES],
                                       .edge_types = to[QUARTIC_DATASET_EDGE_TYPES],
                                       .edge_features = to[QUARTIC_DATASET_EDGE_FEATURES],
                                       .mask = to[QUARTIC_DATASET_MASK],
                                       .targets = to[QUARTIC_DATASET_TARGETS]};
    return QUARTIC_OK;
}

/* A permutation of [0, 4^half_bits): four rounds of a Feistel network over two halves, keyed by seed and
 * epoch. */
static uint64_t feistel_permute(uint64_t x, uint32_t half_bits, uint64_t seed, uint64_t epoch) {
    const uint64_t low = ((uint64_t)1 << half_bits) - 1;
    uint64_t left = x >> half_bits, right = x & low;
    for (uint64_t round = 0; round < 4; ++round) {
        const uint64_t index = epoch << 20 | round << 18 | right;
        const uint64_t mixed = left ^ (quartic_random_bits(seed, QUARTIC_SHUFFLE_STREAM, index) & low);
        left = right;
        right = mixed;
    }
    return left << half_bits | right;
}

uint32_t quartic_dataset_shuffled(uint32_t count, uint64_t seed, uint64_t position) {
    QUARTIC_CALL();
    if (count == 0) {
        quartic_fail(QUARTIC_INVALID_ARGUMENT, "count is 0; an order needs at least one graph");
        return 0;
    }
    uint32_t half_bits = 1;
    while ((uint64_t)1 << 2 * half_bits < count) ++half_bits; /* at most 16 */
    /* feistel_permute permutes [0, 4^half_bits). Applying it until the result is below count permutes [0,
     * count); on average that takes at most four rounds. */
    uint64_t x = position % count;
    do x = feistel_permute(x, half_bits, seed, position / count);
    while (x >= count);
    return (uint32_t)x;
}

quartic_status quartic_trainer_step_dataset(quartic_trainer *trainer, quartic_dataset *dataset,
                                            quartic_step_report *out_report) {
    QUARTIC_CALL();
    QUARTIC_NEED(trainer);
    QUARTIC_NEED(dataset);
    const quartic_trainer_config *config = &trainer->config;
    const uint32_t count = config->batch * config->accumulation;
    uint32_t *graphs = quartic_alloc(count, sizeof graphs[0]);
    if (graphs == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint32_t k = 0; k < count; ++k)
        graphs[k] = quartic_dataset_shuffled(dataset->info.graphs, config->seed,
                                             quartic_trainer_get_step(trainer) * count + k);
    quartic_model_batch batch;
    quartic_status status = quartic_dataset_gather(dataset, graphs, count, &batch);
    quartic_free(graphs);
    return status == QUARTIC_OK ? quartic_trainer_step_batch(trainer, &batch, out_report) : status;
}

/* ---- evaluation ---- */

/* Adds the loss and the hits of the rows whose target is not negative: logits (rows, classes), targets
 * (rows). */
static void add_evaluated_rows(const float *logits, const int32_t *targets, uint64_t rows, uint32_t classes,
                               quartic_evaluation *sums) {
    for (uint64_t r = 0; r < rows; ++r, logits += classes) {
        if (targets[r] < 0) continue;
        uint32_t best = 0;
        for (uint32_t c = 1; c < classes; ++c)
            if (logits[c] > logits[best]) best = c;
        double sum = 0;
        for (uint32_t c = 0; c < classes; ++c) sum += exp((double)logits[c] - (double)logits[best]);
        sums->loss += log(sum) + (double)logits[best] - (double)logits[targets[r]];
        sums->accuracy += best == (uint32_t)targets[r];
        ++sums->targets;
    }
}

static quartic_status evaluate_batches(quartic_dataset *dataset, quartic_model *model, uint32_t batch,
                                       uint32_t *graphs, float *logits, quartic_evaluation *sums) {
    const quartic_dataset_info *info = &dataset->info;
    const uint32_t classes = model->config.num_classes;
    for (uint32_t first = 0; first < info->graphs; first += batch) {
        const uint32_t count = info->graphs - first < batch ? info->graphs - first : batch;
        quartic_model_batch in;
        for (uint32_t k = 0; k < count; ++k) graphs[k] = first + k;
        QUARTIC_TRY(quartic_dataset_gather(dataset, graphs, count, &in));
        QUARTIC_TRY(quartic_model_forward_batch(model, &in, logits));
        add_evaluated_rows(logits, in.targets,
                           count * quartic_dataset_elements(info, QUARTIC_DATASET_TARGETS), classes, sums);
    }
    sums->loss /= (double)sums->targets;
    sums->accuracy /= (double)sums->targets;
    return QUARTIC_OK;
}

quartic_status quartic_dataset_evaluate(quartic_dataset *dataset, quartic_model *model, uint32_t batch,
                                        quartic_evaluation *out_evaluation) {
    QUARTIC_CALL();
    QUARTIC_NEED(dataset);
    QUARTIC_NEED(model);
    QUARTIC_NEED(out_evaluation);
    *out_evaluation = (quartic_evaluation){0};
    if (batch == 0) return quartic_fail(QUARTIC_INVALID_ARGUMENT, "0 graphs at once; give at least one");
    if (dataset->info.num_classes == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s has no targets to compare with", dataset->path);
    QUARTIC_TRY(quartic_dataset_check(dataset, &model->config));
    if (batch > dataset->info.graphs) batch = dataset->info.graphs;
    uint32_t *graphs = quartic_alloc(batch, sizeof graphs[0]);
    const uint64_t rows = batch * quartic_dataset_elements(&dataset->info, QUARTIC_DATASET_TARGETS);
    float *logits = quartic_alloc(rows * model->config.num_classes, sizeof logits[0]);
    quartic_evaluation sums = {0};
    quartic_status status = graphs == NULL || logits == NULL
                                ? QUARTIC_OUT_OF_MEMORY
                                : evaluate_batches(dataset, model, batch, graphs, logits, &sums);
    quartic_free(graphs);
    quartic_free(logits);
    if (status == QUARTIC_OK) *out_evaluation = sums;
    return status;
}
