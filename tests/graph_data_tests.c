/* graph_data_tests.c: see graph_data_tests.h. The file has over 600 lines, because all tests share one small
 * model, its graphs and their permutations.
 */
#include "graph_data_tests.h"

#include "failing_alloc.h"
#include "model_case.h"
#include <unistd.h>
#include "base/rng.h"
#include "quartic/data.h"

static quartic_device *device;

/* Graphs of N nodes with everything that a model may be given. */
enum { GRAPHS = 3, N = 6, NODE_WIDTH = 4, EDGE_WIDTH = 3, TYPES = 5, TOKENS = 7, CLASSES = 4 };

typedef struct graph_batch {
    int32_t tokens[GRAPHS * N], edge_types[GRAPHS * N * N], targets[GRAPHS * N * N];
    float node_features[GRAPHS * N * NODE_WIDTH], edge_features[GRAPHS * N * N * EDGE_WIDTH];
    uint8_t mask[GRAPHS * N];
} graph_batch;

static graph_batch *draw_graphs(uint64_t seed) {
    graph_batch *g = quartic_alloc(1, sizeof *g);
    assert_non_null(g);
    for (uint32_t i = 0; i < GRAPHS * N; ++i)
        g->tokens[i] = (int32_t)(quartic_random_bits(seed, 0, i) % TOKENS);
    for (uint32_t e = 0; e < GRAPHS * N * N; ++e) {
        g->edge_types[e] = (int32_t)(quartic_random_bits(seed, 1, e) % (TYPES + 1)) - 1;
        g->targets[e] = (int32_t)(quartic_random_bits(seed, 2, e) % CLASSES);
    }
    for (uint32_t k = 0; k < GRAPHS * N * NODE_WIDTH; ++k)
        g->node_features[k] = quartic_random_normal(seed, 3, k);
    for (uint32_t k = 0; k < GRAPHS * N * N * EDGE_WIDTH; ++k)
        g->edge_features[k] = quartic_random_normal(seed, 4, k);
    for (uint32_t i = 0; i < GRAPHS * N; ++i) g->mask[i] = i % N < 3 + i / N; /* 3, 4 and 5 real nodes */
    return g;
}

/* Which inputs a model of these tests has. */
typedef struct graph_kind {
    quartic_model_family family;
    quartic_readout readout;
    bool node_features, edge_types, edge_features, static_edges;
} graph_kind;

static const graph_kind graph_kinds[] = {
    {QUARTIC_MODEL_RELATIONAL, QUARTIC_READOUT_NODE, false, true, false, false},
    {QUARTIC_MODEL_RELATIONAL, QUARTIC_READOUT_EDGE, true, true, true, false},
    {QUARTIC_MODEL_RELATIONAL, QUARTIC_READOUT_GRAPH, true, false, true, false},
    {QUARTIC_MODEL_QUARTIC, QUARTIC_READOUT_NODE, true, true, false, false},
    {QUARTIC_MODEL_QUARTIC, QUARTIC_READOUT_EDGE, false, false, true, false},
    {QUARTIC_MODEL_QUARTIC, QUARTIC_READOUT_GRAPH, false, true, true, false},
    {QUARTIC_MODEL_QUARTIC, QUARTIC_READOUT_EDGE, true, true, false, true},
    {QUARTIC_MODEL_QUARTIC, QUARTIC_READOUT_NODE, false, true, false, true},
};

enum { GRAPH_KINDS = sizeof graph_kinds / sizeof graph_kinds[0] };

static quartic_model_config graph_config(const graph_kind *kind) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = kind->family, config.readout = kind->readout, config.positions = 0;
    config.num_tokens = kind->node_features ? 0 : TOKENS;
    config.dim_node_features = kind->node_features ? NODE_WIDTH : 0;
    config.num_edge_types = kind->edge_types ? TYPES : 0;
    config.dim_edge_features = kind->edge_features ? EDGE_WIDTH : 0;
    config.num_classes = CLASSES, config.dim = 12, config.depth = 2, config.dim_edges = 6, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 2, config.linear_dim_head = 3, config.ff_mult = 2;
    config.max_seq_len = N, config.num_residual_streams = 2;
    config.static_edges = kind->static_edges;
    return config;
}

static quartic_model *graph_model(const graph_kind *kind) {
    quartic_model *model;
    const quartic_model_config config = graph_config(kind);
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_model_initialise(model, 11));
    return model;
}

static quartic_model_batch graph_inputs(const graph_kind *kind, const graph_batch *g) {
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = GRAPHS, in.length = N, in.targets = g->targets;
    if (kind->node_features)
        in.node_features = g->node_features;
    else
        in.tokens = g->tokens;
    if (kind->edge_types) in.edge_types = g->edge_types;
    if (kind->edge_features) in.edge_features = g->edge_features;
    return in;
}

static float *graph_logits(quartic_model *model, const quartic_model_batch *in, uint64_t *out_count) {
    *out_count = quartic_model_logit_rows(model, in->batch, in->length) * CLASSES;
    float *logits = quartic_alloc(*out_count, sizeof logits[0]);
    assert_non_null(logits);
    assert_ok(quartic_model_forward_batch(model, in, logits));
    return logits;
}

/* ---- symmetry ---- */

/* Node i of the result is node order[i] of g. */
static graph_batch *permuted_graphs(const graph_batch *g, const uint32_t *order) {
    graph_batch *p = quartic_alloc(1, sizeof *p);
    assert_non_null(p);
    for (uint32_t b = 0; b < GRAPHS; ++b)
        for (uint32_t i = 0; i < N; ++i) {
            const uint32_t to = b * N + i, from = b * N + order[i];
            p->tokens[to] = g->tokens[from];
            p->mask[to] = g->mask[from];
            memcpy(p->node_features + to * NODE_WIDTH, g->node_features + from * NODE_WIDTH,
                   NODE_WIDTH * sizeof(float));
            for (uint32_t j = 0; j < N; ++j) {
                p->edge_types[to * N + j] = g->edge_types[from * N + order[j]];
                memcpy(p->edge_features + (to * N + j) * EDGE_WIDTH,
                       g->edge_features + (from * N + order[j]) * EDGE_WIDTH, EDGE_WIDTH * sizeof(float));
            }
        }
    return p;
}

/* Where row r of the logits of permuted graphs is in the logits of the graphs themselves. */
static uint64_t row_before(quartic_readout readout, uint64_t r, const uint32_t *order) {
    if (readout == QUARTIC_READOUT_GRAPH) return r;
    if (readout == QUARTIC_READOUT_NODE) return r / N * N + order[r % N];
    return (r / N / N * N + order[r / N % N]) * N + order[r % N];
}

/* Largest difference between the logits of permuted graphs and the permuted logits. */
static double asymmetry(quartic_model *model, const graph_kind *kind, bool masked) {
    static const uint32_t order[N] = {4, 2, 0, 5, 1, 3};
    graph_batch *g = draw_graphs(3), *p = permuted_graphs(g, order);
    quartic_model_batch in = graph_inputs(kind, g), moved = graph_inputs(kind, p);
    if (masked) in.mask = g->mask, moved.mask = p->mask;
    uint64_t count;
    float *before = graph_logits(model, &in, &count), *after = graph_logits(model, &moved, &count);
    double worst = 0, size = 0;
    for (uint64_t r = 0; r < count / CLASSES; ++r)
        for (uint64_t c = 0; c < CLASSES; ++c) {
            const double want = (double)before[row_before(kind->readout, r, order) * CLASSES + c];
            worst = fmax(worst, fabs((double)after[r * CLASSES + c] - want));
            size = fmax(size, fabs(want));
        }
    assert_true(size > 0.1); /* logits of 0 would be symmetric */
    quartic_free(before), quartic_free(after), quartic_free(g), quartic_free(p);
    return worst;
}

static void graphs_have_no_order(void **state) {
    (void)state;
    for (uint32_t k = 0; k < GRAPH_KINDS; ++k) {
        quartic_model *model = graph_model(&graph_kinds[k]);
        for (uint32_t masked = 0; masked < 2; ++masked) {
            const double worst = asymmetry(model, &graph_kinds[k], masked);
            if (!(worst < 2e-5)) fail_msg("kind %u, masked %u: logits differ by %.3g", k, masked, worst);
        }
        quartic_model_destroy(model);
    }
}

static void positions_and_causality_give_an_order(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 2; ++way) {
        const graph_kind *kind = &graph_kinds[0];
        quartic_model_config config = graph_config(kind);
        quartic_model *model;
        if (way == 0)
            config.positions = 1;
        else
            config.causal = 1;
        assert_ok(quartic_model_create(device, &config, &model));
        assert_true(asymmetry(model, kind, false) > 1e-2);
        quartic_model_destroy(model);
    }
}

/* ---- padding ---- */

/* What is padding has no influence, and a graph alone gives what it gives in a batch. */
static void padding_has_no_influence(void **state) {
    (void)state;
    for (uint32_t k = 0; k < GRAPH_KINDS; ++k) {
        const graph_kind *kind = &graph_kinds[k];
        quartic_model *model = graph_model(kind);
        graph_batch *g = draw_graphs(4), *other = draw_graphs(5), *alone = quartic_alloc(1, sizeof *alone);
        const uint32_t real = 3; /* nodes of graph 0 */
        assert_non_null(alone);
        for (uint32_t i = 0; i < real; ++i) {
            other->tokens[i] = alone->tokens[i] = g->tokens[i];
            for (uint32_t f = 0; f < NODE_WIDTH; ++f)
                other->node_features[i * NODE_WIDTH + f] = alone->node_features[i * NODE_WIDTH + f] =
                    g->node_features[i * NODE_WIDTH + f];
            for (uint32_t j = 0; j < real; ++j) {
                other->edge_types[i * N + j] = alone->edge_types[i * real + j] = g->edge_types[i * N + j];
                for (uint32_t f = 0; f < EDGE_WIDTH; ++f)
                    other->edge_features[(i * N + j) * EDGE_WIDTH + f] =
                        alone->edge_features[(i * real + j) * EDGE_WIDTH + f] =
                            g->edge_features[(i * N + j) * EDGE_WIDTH + f];
            }
        }
        quartic_model_batch in = graph_inputs(kind, g), changed = graph_inputs(kind, other),
                            single = graph_inputs(kind, alone);
        in.mask = g->mask, changed.mask = other->mask;
        single.batch = 1, single.length = real;
        uint64_t count, single_count;
        float *a = graph_logits(model, &in, &count), *b = graph_logits(model, &changed, &count),
              *c = graph_logits(model, &single, &single_count);
        const uint64_t rows = single_count / CLASSES;
        for (uint64_t r = 0; r < rows; ++r) {
            const uint64_t padded = kind->readout == QUARTIC_READOUT_EDGE ? r / real * N + r % real : r;
            assert_near("logits beside other padding", b + padded * CLASSES, a + padded * CLASSES, CLASSES,
                        1e-6, 1, 0);
            assert_near("logits without padding", c + r * CLASSES, a + padded * CLASSES, CLASSES, 1e-5, 1, 0);
        }
        quartic_free(a), quartic_free(b), quartic_free(c);
        quartic_free(g), quartic_free(other), quartic_free(alone);
        quartic_model_destroy(model);
    }
}

/* ---- gradients ---- */

/* Along its own gradient g the loss of every weight changes by |g| per unit of length. */
static void check_slope(quartic_model *model, const quartic_model_batch *in, uint32_t index) {
    quartic_model_parameter p;
    assert_ok(quartic_model_get_parameter(model, index, &p));
    float *gradient = quartic_alloc(p.elements, sizeof(float)),
          *kept = quartic_alloc(p.elements, sizeof(float)), *moved = quartic_alloc(p.elements, sizeof(float)),
          loss, losses[2];
    assert_ok(quartic_model_gradients_batch(model, in, &loss));
    assert_ok(quartic_model_read_gradient(model, p.name, gradient, p.elements));
    assert_ok(quartic_model_read_parameter(model, p.name, kept, p.elements));
    double norm = 0;
    for (uint64_t i = 0; i < p.elements; ++i) norm += (double)gradient[i] * (double)gradient[i];
    norm = sqrt(norm);
    const double step = 4e-3;
    for (uint32_t side = 0; side < 2 && norm > 0; ++side) {
        for (uint64_t i = 0; i < p.elements; ++i)
            moved[i] = kept[i] + (float)((side == 0 ? step : -step) * (double)gradient[i] / norm);
        assert_ok(quartic_model_write_parameter(model, p.name, moved, p.elements));
        assert_ok(quartic_model_loss_batch(model, in, &losses[side]));
    }
    assert_ok(quartic_model_write_parameter(model, p.name, kept, p.elements));
    const double slope = norm > 0 ? ((double)losses[0] - (double)losses[1]) / (2 * step) : 0;
    if (!(fabs(slope - norm) <= 2e-3 * norm + 1e-4))
        fail_msg("%s: the loss changes by %.6g, its gradient is %.6g long", p.name, slope, norm);
    quartic_free(gradient), quartic_free(kept), quartic_free(moved);
}

static void gradients_are_slopes(void **state) {
    (void)state;
    for (uint32_t k = 0; k < GRAPH_KINDS; ++k) {
        quartic_model *model = graph_model(&graph_kinds[k]);
        graph_batch *g = draw_graphs(6);
        quartic_model_batch in = graph_inputs(&graph_kinds[k], g);
        in.mask = g->mask;
        for (uint32_t p = 0; p < quartic_model_parameter_count(model); ++p) check_slope(model, &in, p);
        quartic_free(g);
        quartic_model_destroy(model);
    }
}

/* ---- messages ---- */

static void graph_data_expect_refusal(quartic_status got, quartic_status want, const char *part) {
    if (got != want) fail_msg("%s, not %s: %s", quartic_status_name(got), quartic_status_name(want), part);
    assert_message(part);
}

static void bad_batches_give_messages(void **state) {
    (void)state;
    const graph_kind *kind = &graph_kinds[1];
    quartic_model *model = graph_model(kind);
    graph_batch *g = draw_graphs(7);
    quartic_model_batch in = graph_inputs(kind, g);
    float loss;
    g->edge_types[N * N + 2 * N + 3] = TYPES;
    graph_data_expect_refusal(quartic_model_loss_batch(model, &in, &loss), QUARTIC_INVALID_ARGUMENT,
                              "edge type 5 at (1, 2, 3) is out of range, 0 to num_edge_types - 1 = 4");
    g->edge_types[N * N + 2 * N + 3] = -7; /* no type */
    assert_ok(quartic_model_loss_batch(model, &in, &loss));
    g->targets[2 * N * N + 1] = CLASSES;
    graph_data_expect_refusal(quartic_model_loss_batch(model, &in, &loss), QUARTIC_INVALID_ARGUMENT,
                              "target 4 at (2, 0, 1) is outside the classes, 0 to num_classes - 1 = 3");
    g->targets[2 * N * N + 1] = 0;
    g->node_features[2 * NODE_WIDTH + 1] = NAN;
    graph_data_expect_refusal(quartic_model_loss_batch(model, &in, &loss), QUARTIC_NON_FINITE,
                              "feature 1 of node 2 is");
    g->node_features[2 * NODE_WIDTH + 1] = 0;
    in.edge_features = NULL;
    graph_data_expect_refusal(
        quartic_model_loss_batch(model, &in, &loss), QUARTIC_INVALID_ARGUMENT,
        "the batch has no edge_features, which the model needs: its dim_edge_features is 3");
    in.edge_features = g->edge_features;
    in.tokens = g->tokens;
    graph_data_expect_refusal(quartic_model_loss_batch(model, &in, &loss), QUARTIC_INVALID_ARGUMENT,
                              "the model takes node features (dim_node_features 4)");
    in.tokens = NULL, in.targets = NULL;
    graph_data_expect_refusal(quartic_model_loss_batch(model, &in, &loss), QUARTIC_INVALID_ARGUMENT,
                              "the targets are NULL");
    in.targets = g->targets, in.length = 0;
    graph_data_expect_refusal(quartic_model_loss_batch(model, &in, &loss), QUARTIC_INVALID_ARGUMENT,
                              "at least one of each");
    quartic_model_destroy(model);

    model = graph_model(&graph_kinds[2]); /* reads out graphs */
    in = graph_inputs(&graph_kinds[2], g);
    in.mask = g->mask;
    memset(g->mask + N, 0, N);
    graph_data_expect_refusal(quartic_model_loss_batch(model, &in, &loss), QUARTIC_INVALID_ARGUMENT,
                              "graph 1 has no real node");
    quartic_model_destroy(model);
    quartic_free(g);
}

static void configurations_are_checked(void **state) {
    (void)state;
    quartic_model_config config = graph_config(&graph_kinds[1]);
    config.num_tokens = 5;
    graph_data_expect_refusal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT,
                              "either tokens or features");
    config.num_tokens = 0, config.num_classes = 0;
    graph_data_expect_refusal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT,
                              "must say \"num_classes\"");
    config = graph_config(&graph_kinds[4]);
    config.ablate_edges = 1;
    graph_data_expect_refusal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT,
                              "nothing to read out");
    config.ablate_edges = 0, config.static_edges = 1;
    assert_ok(quartic_model_config_check(&config));
    config.edge_attention = QUARTIC_EDGE_ATTENTION_TRIANGLE;
    graph_data_expect_refusal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT,
                              "static_edges with edge attention in layer 0");
    config = graph_config(&graph_kinds[1]);
    config.static_edges = 1;
    graph_data_expect_refusal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT,
                              "it is for \"quartic\"");
    config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    config.model = QUARTIC_MODEL_MULTI_STREAM, config.num_tokens = 5, config.dim = 4, config.depth = 1;
    assert_ok(quartic_model_config_check(&config));
    config.num_edge_types = 2;
    graph_data_expect_refusal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT,
                              "\"multi-stream\" takes tokens with positions");
}

/* ---- datasets ---- */

enum { SET_GRAPHS = 10 };

/* A task to be learnt: the class of edge (i, j) is whether its type is that of (j, i); of a node, whether it
 * has an edge of type 0; of a graph, whether more nodes have token 0 than token 1. */
typedef struct graph_set {
    int32_t tokens[SET_GRAPHS * N], edge_types[SET_GRAPHS * N * N], targets[SET_GRAPHS * N * N];
    uint8_t mask[SET_GRAPHS * N];
    quartic_safetensors_tensor tensors[5];
} graph_set;

static int32_t target_of(const graph_set *set, quartic_readout readout, uint32_t r) {
    if (readout == QUARTIC_READOUT_EDGE)
        return set->edge_types[r] == set->edge_types[(r / N / N * N + r % N) * N + r / N % N];
    int32_t count = 0;
    for (uint32_t j = 0; j < N; ++j) {
        if (readout == QUARTIC_READOUT_NODE)
            count += set->mask[r / N * N + j] && set->edge_types[r * N + j] == 0;
        else if (set->mask[r * N + j])
            count += (set->tokens[r * N + j] == 0) - (set->tokens[r * N + j] == 1);
    }
    return count > 0;
}

static graph_set *make_set(quartic_readout readout) {
    static const uint32_t rows[] = {[QUARTIC_READOUT_NODE] = SET_GRAPHS * N,
                                    [QUARTIC_READOUT_EDGE] = SET_GRAPHS * N * N,
                                    [QUARTIC_READOUT_GRAPH] = SET_GRAPHS};
    graph_set *set = quartic_alloc(1, sizeof *set);
    assert_non_null(set);
    for (uint32_t i = 0; i < SET_GRAPHS * N; ++i) {
        set->mask[i] = i % N < 3 + i / N % 4;
        set->tokens[i] =
            set->mask[i] ? (int32_t)(quartic_random_bits(1, 0, i) % 2) : -1; /* padding: anything */
        for (uint32_t j = 0; j < N; ++j)
            set->edge_types[i * N + j] = (int32_t)(quartic_random_bits(1, 1, i * N + j) % 3);
    }
    for (uint32_t r = 0; r < rows[readout]; ++r) set->targets[r] = target_of(set, readout, r);
    const quartic_safetensors_tensor tensors[] = {
        {"tokens", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(SET_GRAPHS, N), set->tokens, 0},
        {"edge_types", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(SET_GRAPHS, N, N), set->edge_types, 0},
        {"mask", QUARTIC_SAFETENSORS_U8, QUARTIC_SHAPE(SET_GRAPHS, N), set->mask, 0},
        {"targets", QUARTIC_SAFETENSORS_I32, QUARTIC_SHAPE(SET_GRAPHS, N), set->targets, 0}};
    memcpy(set->tensors, tensors, sizeof tensors);
    if (readout == QUARTIC_READOUT_EDGE) set->tensors[3].shape = QUARTIC_SHAPE(SET_GRAPHS, N, N);
    if (readout == QUARTIC_READOUT_GRAPH) set->tensors[3].shape = QUARTIC_SHAPE(SET_GRAPHS);
    return set;
}

static const char *set_path(void) {
    static char path[64];
    snprintf(path, sizeof path, "graph_data_%ld.safetensors", (long)getpid());
    return path;
}

static quartic_status open_set(const graph_set *set, uint32_t count, quartic_dataset **out) {
    assert_ok(quartic_safetensors_save(set_path(), set->tensors, count, NULL, 0));
    quartic_status status = quartic_dataset_open(set_path(), out);
    remove(set_path());
    return status;
}

static void training_on_datasets_learns(void **state) {
    (void)state;
    for (uint32_t readout = 0; readout < 3; ++readout) {
        graph_set *set = make_set((quartic_readout)readout);
        quartic_dataset *dataset;
        assert_ok(open_set(set, 4, &dataset));
        const quartic_dataset_info *info = quartic_dataset_get_info(dataset);
        assert_int_equal(info->readout, readout);
        assert_int_equal(info->num_tokens, 2);
        assert_int_equal(info->num_edge_types, 3);
        assert_int_equal(info->num_classes, 2);
        assert_int_equal(info->masked, 1);
        quartic_model_config config = graph_config(&graph_kinds[0]);
        config.num_tokens = config.num_edge_types = config.num_classes = 0;
        quartic_dataset_configure(dataset, &config);
        quartic_model *model;
        assert_ok(quartic_model_create(device, &config, &model));
        quartic_trainer_config settings = QUARTIC_TRAINER_CONFIG_INIT;
        settings.batch = 5, settings.length = N, settings.masked = 1, settings.learning_rate = 0.01f;
        quartic_trainer *trainer;
        assert_ok(quartic_trainer_create(model, &settings, &trainer));
        quartic_evaluation before, after;
        assert_ok(quartic_dataset_evaluate(dataset, model, 4, &before)); /* 4 + 4 + 2 graphs */
        quartic_step_report report;
        for (uint32_t step = 0; step < 60; ++step)
            assert_ok(quartic_trainer_step_dataset(trainer, dataset, &report));
        assert_ok(quartic_dataset_evaluate(dataset, model, 4, &after));
        if (!(after.loss < 0.5 * before.loss && after.accuracy > 0.9))
            fail_msg("read-out %u: loss %.3f to %.3f, accuracy %.3f", readout, before.loss, after.loss,
                     after.accuracy);
        assert_int_equal(after.targets, info->targets);
        quartic_trainer_destroy(trainer);
        quartic_model_destroy(model);
        quartic_dataset_close(dataset);
        quartic_free(set);
    }
}

/* The evaluation of all graphs is what the model's own loss of them as one batch is. */
static void evaluation_is_the_loss(void **state) {
    (void)state;
    graph_set *set = make_set(QUARTIC_READOUT_EDGE);
    quartic_dataset *dataset;
    assert_ok(open_set(set, 4, &dataset));
    quartic_model_config config = graph_config(&graph_kinds[0]);
    quartic_dataset_configure(dataset, &config);
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    uint32_t graphs[SET_GRAPHS];
    for (uint32_t g = 0; g < SET_GRAPHS; ++g) graphs[g] = SET_GRAPHS - 1 - g;
    quartic_model_batch batch;
    quartic_evaluation evaluation;
    float loss;
    assert_ok(quartic_dataset_gather(dataset, graphs, SET_GRAPHS, &batch));
    assert_memory_equal(batch.mask, set->mask + (SET_GRAPHS - 1) * N, N);
    assert_int_equal(batch.tokens[N - 1],
                     set->mask[SET_GRAPHS * N - 1] ? set->tokens[SET_GRAPHS * N - 1] : 0);
    assert_ok(quartic_model_loss_batch(model, &batch, &loss));
    assert_ok(quartic_dataset_evaluate(dataset, model, 3, &evaluation));
    assert_true(fabs((double)loss - evaluation.loss) < 1e-5);
    graphs[2] = SET_GRAPHS;
    graph_data_expect_refusal(quartic_dataset_gather(dataset, graphs, 3, &batch), QUARTIC_INVALID_ARGUMENT,
                              "graph 10 is asked");
    quartic_model_destroy(model);
    quartic_dataset_close(dataset);
    quartic_free(set);
}

static void files_are_checked(void **state) {
    (void)state;
    graph_set *set = make_set(QUARTIC_READOUT_NODE);
    quartic_dataset *dataset;
    int64_t live = quartic_alloc_live();
    set->tensors[3].shape = QUARTIC_SHAPE(SET_GRAPHS, N / 2);
    graph_data_expect_refusal(
        open_set(set, 4, &dataset), QUARTIC_SHAPE_MISMATCH,
        "have shape (10, 3); with 10 graphs of 6 nodes they must be (10, 6) for nodes, (10, 6, 6) for "
        "edges or (10) for graphs");
    assert_null(dataset);
    set->tensors[3].shape = QUARTIC_SHAPE(SET_GRAPHS, N);
    set->tensors[1].shape = QUARTIC_SHAPE(SET_GRAPHS, N);
    graph_data_expect_refusal(open_set(set, 4, &dataset), QUARTIC_SHAPE_MISMATCH, "edge_types of");
    set->tensors[1].shape = QUARTIC_SHAPE(SET_GRAPHS, N, N);
    set->tensors[0].shape = QUARTIC_SHAPE(SET_GRAPHS, 0);
    graph_data_expect_refusal(open_set(set, 4, &dataset), QUARTIC_SHAPE_MISMATCH,
                              "with at least one of each");
    set->tensors[0].shape = QUARTIC_SHAPE(SET_GRAPHS, N);
    set->tensors[1].name = "edge_type";
    graph_data_expect_refusal(open_set(set, 4, &dataset), QUARTIC_FORMAT, "holds \"edge_type\"");
    set->tensors[1].name = "edge_types";
    set->tokens[N + 1] = -3;
    graph_data_expect_refusal(open_set(set, 4, &dataset), QUARTIC_INVALID_ARGUMENT, "token -3 at (1, 1)");
    set->tokens[N + 1] = 0;
    memset(set->mask + 3 * N, 0, N);
    graph_data_expect_refusal(open_set(set, 4, &dataset), QUARTIC_INVALID_ARGUMENT, "graph 3 of");
    memset(set->mask + 3 * N, 1, N);
    memset(set->tokens + 3 * N, 0, N * sizeof(int32_t));
    for (uint32_t i = 0; i < SET_GRAPHS * N; ++i) set->targets[i] = -1;
    graph_data_expect_refusal(open_set(set, 4, &dataset), QUARTIC_INVALID_ARGUMENT,
                              "all of them are negative or padding");
    graph_data_expect_refusal(quartic_dataset_open("missing.safetensors", &dataset), QUARTIC_IO,
                              "missing.safetensors");
    assert_int_equal(quartic_alloc_live(), live);

    assert_ok(open_set(set, 3, &dataset)); /* without targets */
    quartic_model_config config = graph_config(&graph_kinds[0]);
    config.num_edge_types = 2;
    graph_data_expect_refusal(quartic_dataset_check(dataset, &config), QUARTIC_INVALID_ARGUMENT,
                              ": 2 at (0, 2, 1) is beyond num_edge_types = 2 of the model's");
    config.num_edge_types = 0;
    graph_data_expect_refusal(quartic_dataset_check(dataset, &config), QUARTIC_INVALID_ARGUMENT,
                              "has such data");
    config = graph_config(&graph_kinds[0]);
    config.max_seq_len = 5;
    graph_data_expect_refusal(quartic_dataset_check(dataset, &config), QUARTIC_INVALID_ARGUMENT,
                              "have 6 nodes");
    quartic_model *model = graph_model(&graph_kinds[0]);
    quartic_evaluation evaluation;
    graph_data_expect_refusal(quartic_dataset_evaluate(dataset, model, 2, &evaluation),
                              QUARTIC_INVALID_ARGUMENT, "has no targets");
    quartic_model_destroy(model);
    quartic_dataset_close(dataset);
    quartic_free(set);
    assert_true(quartic_alloc_live() < live);
}

/* Every epoch reads every graph once, in orders that differ. */
static void epochs_are_permutations(void **state) {
    (void)state;
    static const uint32_t counts[] = {1, 2, 5, 16, 17, 1000};
    for (uint32_t k = 0; k < 6; ++k) {
        const uint32_t count = counts[k];
        uint32_t moved = 0;
        uint8_t *seen = quartic_alloc(count, 1);
        assert_non_null(seen);
        for (uint32_t epoch = 0; epoch < 3; ++epoch)
            for (uint32_t i = 0; i < count; ++i) {
                const uint32_t graph = quartic_dataset_shuffled(count, 9, (uint64_t)epoch * count + i);
                assert_true(graph < count);
                assert_int_equal(seen[graph], epoch);
                ++seen[graph];
                moved += graph != quartic_dataset_shuffled(count, 9, i);
            }
        if (count >= 16) assert_true(moved > count);
        quartic_free(seen);
    }
}

/* A run that is saved and resumed goes on through the same graphs, bit for bit. */
static void dataset_runs_resume(void **state) {
    (void)state;
    graph_set *set = make_set(QUARTIC_READOUT_GRAPH);
    quartic_dataset *dataset;
    assert_ok(open_set(set, 4, &dataset));
    quartic_model_config config = graph_config(&graph_kinds[0]);
    quartic_dataset_configure(dataset, &config);
    quartic_trainer_config settings = QUARTIC_TRAINER_CONFIG_INIT;
    settings.batch = 3, settings.accumulation = 2, settings.length = N, settings.masked = 1;
    quartic_model *models[2];
    quartic_trainer *trainers[2];
    quartic_step_report reports[2];
    for (uint32_t k = 0; k < 2; ++k) {
        assert_ok(quartic_model_create(device, &config, &models[k]));
        assert_ok(quartic_trainer_create(models[k], &settings, &trainers[k]));
    }
    char path[80];
    snprintf(path, sizeof path, "checkpoint_%s", set_path());
    for (uint32_t step = 0; step < 3; ++step)
        assert_ok(quartic_trainer_step_dataset(trainers[0], dataset, &reports[0]));
    assert_ok(quartic_trainer_save(trainers[0], path));
    assert_ok(quartic_trainer_load(trainers[1], path));
    remove(path);
    for (uint32_t k = 0; k < 2; ++k)
        for (uint32_t step = 0; step < 2; ++step)
            assert_ok(quartic_trainer_step_dataset(trainers[k], dataset, &reports[k]));
    assert_memory_equal(&reports[0], &reports[1], sizeof reports[0]);
    for (uint32_t k = 0; k < 2; ++k) {
        quartic_trainer_destroy(trainers[k]);
        quartic_model_destroy(models[k]);
    }
    quartic_dataset_close(dataset);
    quartic_free(set);
}

static void failed_dataset_allocations_leave_nothing(void **state) {
    (void)state;
    graph_set *set = make_set(QUARTIC_READOUT_EDGE);
    quartic_model_config config = graph_config(&graph_kinds[0]);
    config.readout = QUARTIC_READOUT_EDGE;
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    quartic_dataset *dataset;
    quartic_evaluation evaluation;
    assert_ok(open_set(set, 4, &dataset));
    assert_ok(quartic_dataset_evaluate(dataset, model, SET_GRAPHS, &evaluation)); /* compiles the program */
    quartic_dataset_close(dataset);
    const int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    assert_ok(quartic_safetensors_save(set_path(), set->tensors, 4, NULL, 0));
    uint32_t failures = 0;
    for (uint64_t nth = 1; status != QUARTIC_OK; ++nth, ++failures) {
        quartic_alloc_fail_at(nth);
        status = quartic_dataset_open(set_path(), &dataset);
        if (status == QUARTIC_OK) status = quartic_dataset_evaluate(dataset, model, SET_GRAPHS, &evaluation);
        quartic_alloc_fail_at(0);
        if (status != QUARTIC_OK) assert_int_equal(status, QUARTIC_OUT_OF_MEMORY);
        quartic_dataset_close(dataset);
        assert_int_equal(quartic_alloc_live(), live);
    }
    assert_true(failures > 10);
    remove(set_path());
    quartic_model_destroy(model);
    quartic_free(set);
}

int graph_data_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_have_no_order),
        cmocka_unit_test(padding_has_no_influence),
        cmocka_unit_test(training_on_datasets_learns),
        cmocka_unit_test(evaluation_is_the_loss),
    };
    return DEVICE_TESTS_RUN(on, &device, tests);
}

int graph_data_host_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_and_causality_give_an_order),
        cmocka_unit_test(bad_batches_give_messages),
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(files_are_checked),
        cmocka_unit_test(epochs_are_permutations),
        cmocka_unit_test(dataset_runs_resume),
        cmocka_unit_test(failed_dataset_allocations_leave_nothing),
    };
    return DEVICE_TESTS_RUN(on, &device, tests);
}

int graph_data_slope_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_slopes)};
    return DEVICE_TESTS_RUN(on, &device, tests);
}
