/* padding_tests.c: see padding_tests.h. */
#include "padding_tests.h"

#include "base/rng.h"

/* A graph of each number of nodes. */
static const uint32_t padded_sizes[PADDED_GRAPHS] = {5, 1, 7, 4};

quartic_model_config padded_config(quartic_model_family family, uint32_t form, quartic_readout readout,
                                   bool causal) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = family, config.edge_attention = (quartic_edge_attention)form, config.readout = readout;
    config.causal = causal, config.num_tokens = PADDED_VOCABULARY, config.dim = 8, config.depth = 2;
    config.dim_edges = family == QUARTIC_MODEL_MULTI_STREAM ? 0 : 6;
    config.heads = 2, config.dim_head = 4, config.linear_heads = 2, config.linear_dim_head = 3;
    config.edge_heads = 2, config.edge_dim_head = 3, config.ff_mult = 2;
    config.max_seq_len = PADDED_LONGEST, config.num_residual_streams = 2;
    return config;
}

/* Where node i of a graph of `size` nodes lies among `length` places: at i, or spread over them. */
static uint32_t padded_place(const padded_case *c, uint32_t i, uint32_t size, uint32_t length) {
    return c->spread ? i + (length - size) * (i + 1) / (size + 1) : i;
}

static int32_t padded_number(uint64_t stream, uint32_t graph, uint32_t k, uint32_t limit) {
    return (int32_t)(quartic_random_bits(17 + stream, graph, k) % limit);
}

/* The targets of a graph of `size` nodes, in its own order. */
static int32_t padded_target(uint32_t graph, uint32_t row) {
    return padded_number(1, graph, row, PADDED_VOCABULARY);
}

/* Places of the rows of logits of a graph: rows[k] is where row k of the graph by itself lies. Returns how
 * many. */
static uint32_t padded_rows(const padded_case *c, uint32_t size, uint32_t length, uint32_t *rows) {
    uint32_t count = 0;
    if (c->config.readout == QUARTIC_READOUT_GRAPH) {
        rows[count++] = 0;
        return count;
    }
    for (uint32_t i = 0; i < size; ++i) {
        const uint32_t to = padded_place(c, i, size, length);
        if (c->config.readout == QUARTIC_READOUT_NODE)
            rows[count++] = to;
        else
            for (uint32_t j = 0; j < size; ++j)
                rows[count++] = to * length + padded_place(c, j, size, length);
    }
    return count;
}

enum { PADDED_ROWS = PADDED_LONGEST * PADDED_LONGEST };

/* A batch of the graphs first .. first + count - 1 at a length; padding holds tokens too. */
typedef struct padded_batch {
    int32_t tokens[PADDED_GRAPHS * PADDED_LONGEST], targets[PADDED_GRAPHS * PADDED_ROWS];
    uint8_t mask[PADDED_GRAPHS * PADDED_LONGEST];
    quartic_model_batch in;
} padded_batch;

static void padded_fill(const padded_case *c, const quartic_model *model, uint32_t first, uint32_t count,
                        uint32_t length, padded_batch *out) {
    *out = (padded_batch){.in = QUARTIC_MODEL_BATCH_INIT};
    const uint32_t per_graph = (uint32_t)quartic_model_logit_rows(model, 1, length);
    for (uint32_t k = 0; k < count * per_graph; ++k) out->targets[k] = -1;
    for (uint32_t g = 0; g < count; ++g) {
        const uint32_t graph = first + g, size = padded_sizes[graph];
        uint32_t rows[PADDED_ROWS];
        for (uint32_t i = 0; i < length; ++i) /* what stands in the padding must not matter */
            out->tokens[g * length + i] = padded_number(2, length, g * length + i, PADDED_VOCABULARY);
        for (uint32_t i = 0; i < size; ++i) {
            const uint32_t to = g * length + padded_place(c, i, size, length);
            out->tokens[to] = padded_number(0, graph, i, PADDED_VOCABULARY);
            out->mask[to] = 1;
        }
        const uint32_t row_count = padded_rows(c, size, length, rows);
        for (uint32_t k = 0; k < row_count; ++k)
            out->targets[g * per_graph + rows[k]] = padded_target(graph, k);
    }
    out->in.batch = count, out->in.length = length, out->in.tokens = out->tokens;
    out->in.targets = out->targets;
    /* A graph by itself, at its own length, has no mask. */
    out->in.mask = count == 1 && length == padded_sizes[first] ? NULL : out->mask;
}

static float *padded_logits(quartic_model *model, const padded_batch *batch) {
    const uint64_t rows = quartic_model_logit_rows(model, batch->in.batch, batch->in.length);
    float *logits = quartic_alloc(rows * PADDED_VOCABULARY, sizeof *logits);
    assert_non_null(logits);
    assert_ok(quartic_model_forward_batch(model, &batch->in, logits));
    return logits;
}

/* The greatest difference between a graph's logits in a batch and by itself. */
static double padded_difference(const padded_case *c, quartic_model *model, uint32_t graph,
                                const float *alone, const float *together, uint32_t at, uint32_t length) {
    uint32_t rows[PADDED_ROWS];
    const uint32_t count = padded_rows(c, padded_sizes[graph], length, rows);
    const uint64_t per_graph = quartic_model_logit_rows(model, 1, length);
    double worst = 0;
    for (uint32_t k = 0; k < count; ++k)
        for (uint32_t v = 0; v < PADDED_VOCABULARY; ++v) {
            const float want = alone[(uint64_t)k * PADDED_VOCABULARY + v];
            const float got = together[(at * per_graph + rows[k]) * PADDED_VOCABULARY + v];
            const double difference = fabs((double)got - (double)want);
            if (!(difference <= worst)) worst = difference;
        }
    return worst;
}

static void padded_same_gradients(quartic_model *model, const char *what, const padded_batch *alone,
                                  const padded_batch *padded) {
    const uint64_t count = model->set.elements;
    float *want = quartic_alloc(count, sizeof *want), *got = quartic_alloc(count, sizeof *got);
    float loss, again;
    assert_non_null(want);
    assert_non_null(got);
    assert_ok(quartic_model_gradients_batch(model, &alone->in, &loss));
    assert_ok(quartic_tensor_read(model->gradients, want, count * sizeof *want));
    assert_ok(quartic_model_gradients_batch(model, &padded->in, &again));
    assert_ok(quartic_tensor_read(model->gradients, got, count * sizeof *got));
    if (!(fabsf(loss - again) <= 2e-5f))
        fail_msg("%s: loss %g, padded %g", what, (double)loss, (double)again);
    assert_near(what, got, want, count, 1e-4, 0.0, 1e-6);
    quartic_free(want);
    quartic_free(got);
}

void padded_check(quartic_device *device, const padded_case *c, bool gradients) {
    static const uint32_t lengths[] = {7, 11};
    quartic_model *model;
    padded_batch batch, alone;
    char what[160];
    snprintf(what, sizeof what, "family %d, %s, read-out %d%s%s, num_routed %u", (int)c->config.model,
             form_names[c->config.edge_attention], (int)c->config.readout, c->config.causal ? ", causal" : "",
             c->spread ? ", spread" : "", c->config.num_routed);
    assert_ok(quartic_model_create(device, &c->config, &model));
    assert_ok(quartic_model_initialise(model, 5));
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; ++l) {
        padded_fill(c, model, 0, PADDED_GRAPHS, lengths[l], &batch);
        float *together = padded_logits(model, &batch);
        for (uint32_t g = 0; g < PADDED_GRAPHS; ++g) {
            /* Alone, a graph of fewer edges than num_routed is refused. */
            if (c->config.num_routed > padded_sizes[g] * padded_sizes[g]) continue;
            padded_fill(c, model, g, 1, padded_sizes[g], &alone);
            float *logits = padded_logits(model, &alone);
            const double worst = padded_difference(c, model, g, logits, together, g, lengths[l]);
            if (!(worst <= 2e-5))
                fail_msg("%s: the logits of %u nodes padded to %u are off by %g", what, padded_sizes[g],
                         lengths[l], worst);
            quartic_free(logits);
        }
        quartic_free(together);
    }
    if (gradients) {
        padded_fill(c, model, 0, 1, padded_sizes[0], &alone);
        padded_fill(c, model, 0, 1, PADDED_LONGEST, &batch);
        padded_same_gradients(model, what, &alone, &batch);
    }
    quartic_model_destroy(model);
}
