/* tool_hand_set_weights_test.c: the constructions of theorem 4 of docs/which-edge-attention.md. One layer of triangle attention
 * composes relations and one layer of full attention finds equal labels anywhere, with weights that are written
 * down here and were never trained; every answer is right, at several sizes. The triangle's weights do not even
 * depend on the size.
 */
#include "expect.h"

#include <math.h>

#include "quartic/quartic.h"
#include "tool/experiment_tasks.h"

enum { SEED = 11, CLASSES = 2 };

static quartic_device *device;

/* A QuarticTransformer of one layer whose weights are all 0, but for the given ones. */
typedef struct built_model {
    quartic_model_config config;
    quartic_model *model;
} built_model;

static void begin_model(built_model *built, const char *form, uint32_t dim, uint32_t dim_edges,
                        uint32_t num_tokens, uint32_t num_edge_types, uint32_t edge_dim_head) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    char text[64];
    snprintf(text, sizeof text, "{\"edge_attention\": \"%s\"}", form);
    assert_ok(quartic_model_config_read_json(&config, text));
    config.num_tokens = num_tokens, config.num_edge_types = num_edge_types;
    config.dim = dim, config.dim_edges = dim_edges, config.depth = 1;
    config.heads = config.dim_head = config.ff_mult = config.num_residual_streams = 1;
    config.edge_heads = 1, config.edge_dim_head = edge_dim_head;
    config.positions = 0, config.max_seq_len = EXPERIMENT_MOST_NODES;
    config.readout = QUARTIC_READOUT_EDGE, config.num_classes = CLASSES;
    built->config = config;
    assert_ok(quartic_model_create(device, &config, &built->model));
    const quartic_shape shape = quartic_tensor_shape(quartic_model_weights(built->model));
    const size_t elements = quartic_shape_elements(&shape);
    float *zeros = calloc(elements, sizeof *zeros);
    assert_non_null(zeros);
    assert_ok(quartic_tensor_write(quartic_model_weights(built->model), zeros, elements * sizeof *zeros));
    free(zeros);
}

/* weight[row, column] <- number; a vector has one row. */
static void set_weight(built_model *built, const char *name, uint32_t row, uint32_t column, double number) {
    quartic_model_parameter parameter;
    assert_ok(quartic_model_find_parameter(built->model, name, &parameter));
    const uint32_t columns = parameter.shape.dims[parameter.shape.rank - 1];
    float *numbers = malloc(parameter.elements * sizeof *numbers);
    assert_non_null(numbers);
    assert_true((uint64_t)row * columns + column < parameter.elements && column < columns);
    assert_ok(quartic_model_read_parameter(built->model, name, numbers, parameter.elements));
    numbers[row * columns + column] = (float)number;
    assert_ok(quartic_model_write_parameter(built->model, name, numbers, parameter.elements));
    free(numbers);
}

/* What an edge holds of its type, by dimension. */
static void set_type(built_model *built, uint32_t type, uint32_t dimension, double number) {
    set_weight(built, "edge_type_emb.weight", type, dimension, number);
}

/* Answers 1 where dimension `out` of an edge is more than `threshold` times dimension `one`, which is 1. */
static void set_answer(built_model *built, uint32_t one, uint32_t out, double threshold) {
    for (uint32_t d = 0; d < built->config.dim_edges; ++d) set_weight(built, "to_logits.0.scale", 0, d, 1);
    set_weight(built, "to_logits.1.weight", 0, one, threshold);
    set_weight(built, "to_logits.1.weight", 1, out, 1);
}

/* ---- composition: one layer of triangles ----
 *
 * Edges have 6 dimensions: 1, [first], [not first], [second], [not second], out: all edges are of one length, so
 * that the norm is a factor, the root of 2. first: (i, l) is of the first relation; second: (l, j) of the second.
 *     q = B [first]   k = B [second]   v1 = [first]   v2 = [second]
 * A pivot with both gets the score 2 B^2, all others 0; v1 v2 is 2 [first and second]. So out is 0 if there is no
 * such l, and at least 2 exp(2 B^2) / (exp(2 B^2) + n - 1) if there is.
 */
enum { ONE, FIRST, NOT_FIRST, SECOND, NOT_SECOND, TRIANGLE_OUT, TRIANGLE_WIDTH };

/* first, second: the bits of a type that are the relations. */
static void build_triangle(built_model *built, uint32_t types, uint32_t tokens, uint32_t first,
                           uint32_t second, double sharpness) {
    begin_model(built, "triangle", 1, TRIANGLE_WIDTH, tokens, types, 1);
    for (uint32_t type = 0; type < types; ++type) {
        set_type(built, type, ONE, 1);
        set_type(built, type, type & first ? FIRST : NOT_FIRST, 1);
        set_type(built, type, type & second ? SECOND : NOT_SECOND, 1);
    }
    for (uint32_t d = 0; d < TRIANGLE_WIDTH; ++d) set_weight(built, "layers.0.1.0.norm_scale", 0, d, 1);
    set_weight(built, "layers.0.1.0.to_q.weight", 0, FIRST, sharpness);
    set_weight(built, "layers.0.1.0.to_k.weight", 0, SECOND, sharpness);
    set_weight(built, "layers.0.1.0.to_v1.weight", 0, FIRST, 1);
    set_weight(built, "layers.0.1.0.to_v2.weight", 0, SECOND, 1);
    set_weight(built, "layers.0.1.0.to_out.weight", TRIANGLE_OUT, 0, 1);
    set_answer(built, ONE, TRIANGLE_OUT, 1);
}

/* ---- equal labels anywhere: one layer of full attention ----
 *
 * Labels stand on a circle: label a of L is (cos, sin) of 2 pi a / L, whose product is 1 with itself and at most
 * cos(2 pi / L) with another. Edges without a label have null = 1 in their place: they are where those look
 * that find nothing.
 *     score of a key = S label . label' + z null' - P (what must not count)      z = S (1 + cos(2 pi / L)) / 2
 *     value = 1 - null'
 * P = S puts what must not count below z. An equal label that counts has a score of S or more, all others are z
 * or less; S is so large that (1 - cos(2 pi / L)) S / 2 exceeds the logarithm of the number of keys by MARGIN.
 */
static const double pi = 3.14159265358979323846, margin = 6;

static double label_scale(uint32_t labels, uint32_t n) {
    return 2 * (log((double)n * n) + margin) / (1 - cos(2 * pi / labels));
}

/* Where the common parts of both constructions stand in an edge, of width COMMON and up. */
enum { COSINE, SINE, NULL_EDGE, CONSTANT, FULL_OUT, COMMON };

/* squares: of the dimensions that are not common, the same for every edge. heads have width dim_head, whose first
 * three are set here. The factors of the norm and of dh^(-1/2) are taken out. Returns P in units of the edges. */
static double set_label_search(built_model *built, uint32_t n, double squares, double *out_factor) {
    const uint32_t labels = built->config.num_edge_types - 1, width = built->config.dim_edges,
                   dim_head = built->config.edge_dim_head;
    const double length = sqrt((squares + 2) / width + 1e-5), /* of an edge: rms */
        scale = label_scale(labels, n), factor = length * length * sqrt(dim_head);
    for (uint32_t d = 0; d < width; ++d) set_weight(built, "layers.0.1.0.norm_scale", 0, d, 1);
    set_type(built, 0, NULL_EDGE, 1);
    for (uint32_t a = 1; a <= labels; ++a) {
        set_type(built, a, COSINE, cos(2 * pi * a / labels));
        set_type(built, a, SINE, sin(2 * pi * a / labels));
    }
    set_weight(built, "to_edge_emb.to_edges.1.bias", 0, CONSTANT, 1);
    const uint32_t keys = dim_head, values = 2 * dim_head; /* to_qkv holds the rows of q, k and v */
    set_weight(built, "layers.0.1.0.to_qkv.weight", 0, COSINE, scale * factor);
    set_weight(built, "layers.0.1.0.to_qkv.weight", 1, SINE, scale * factor);
    set_weight(built, "layers.0.1.0.to_qkv.weight", 2, CONSTANT,
               scale * factor * (1 + cos(2 * pi / labels)) / 2);
    set_weight(built, "layers.0.1.0.to_qkv.weight", keys, COSINE, 1);
    set_weight(built, "layers.0.1.0.to_qkv.weight", keys + 1, SINE, 1);
    set_weight(built, "layers.0.1.0.to_qkv.weight", keys + 2, NULL_EDGE, 1);
    set_weight(built, "layers.0.1.0.to_qkv.weight", values, CONSTANT, length);
    set_weight(built, "layers.0.1.0.to_qkv.weight", values, NULL_EDGE, -length);
    set_weight(built, "layers.0.1.0.to_gates.bias", 0, 0, 40); /* open */
    set_weight(built, "layers.0.1.0.to_out.weight", FULL_OUT, 0, 1);
    set_answer(built, CONSTANT, FULL_OUT, 0.5);
    *out_factor = factor;
    return scale;
}

/* Two dimensions more: the situation s = 1 or -1 of node i, and -s, so that the layer norm's mean is 0. What must
 * not count is the own situation: -P s s'. The weights depend on n by S only, and the width not at all. */
static void build_analogy(built_model *built, const experiment_task *task) {
    enum { SITUATION = COMMON, NEGATED, WIDTH, HEAD = 4 };
    begin_model(built, "full", 1, WIDTH, task->tokens, task->edge_types, HEAD);
    set_weight(built, "token_emb.weight", 0, 0, 1);
    set_weight(built, "token_emb.weight", 1, 0, -1);
    set_weight(built, "to_edge_emb.to_rows.weight", SITUATION, 0, 1);
    set_weight(built, "to_edge_emb.to_rows.weight", NEGATED, 0, -1);
    for (uint32_t d = 0; d < WIDTH; ++d) set_weight(built, "to_edge_emb.to_edges.0.weight", d, d, 1);
    const double normed = 1 / sqrt(2.0 / WIDTH + 1e-5);
    set_weight(built, "to_edge_emb.to_edges.1.weight", 0, SITUATION, 1 / normed);
    set_weight(built, "to_edge_emb.to_edges.1.weight", 0, NEGATED, 1 / normed);
    double factor;
    const double penalty = set_label_search(built, task->n, 2, &factor);
    set_weight(built, "layers.0.1.0.to_qkv.weight", 3, SITUATION, -penalty * factor);
    set_weight(built, "layers.0.1.0.to_qkv.weight", HEAD + 3, SITUATION, 1);
}

/* 2 n dimensions more: one-hot identifiers of i and of j. What must not count are shared nodes: -P times their
 * number, the product of (one-hot i + one-hot j) of both edges. */
static void build_twins(built_model *built, const experiment_task *task) {
    const uint32_t n = task->n, width = COMMON + 2 * n, head = 3 + n;
    begin_model(built, "full", n, width, n, task->edge_types, head);
    for (uint32_t i = 0; i < n; ++i) {
        set_weight(built, "token_emb.weight", i, i, 1);
        set_weight(built, "to_edge_emb.to_rows.weight", COMMON + i, i, 1);
        set_weight(built, "to_edge_emb.to_cols.weight", COMMON + n + i, i, 1);
    }
    for (uint32_t d = 0; d < width; ++d) set_weight(built, "to_edge_emb.to_edges.0.weight", d, d, 1);
    /* The layer norm makes (x - mean) c of it; the mean moves all scores of a query by the same number. */
    const double mean = 2.0 / width, c = 1 / sqrt(2.0 / width - mean * mean + 1e-5);
    for (uint32_t d = COMMON; d < width; ++d) set_weight(built, "to_edge_emb.to_edges.1.weight", 0, d, 1 / c);
    double factor;
    const double penalty =
        set_label_search(built, n, 2 * (1 - mean) * (1 - mean) + (2 * n - 2) * mean * mean, &factor);
    for (uint32_t i = 0; i < n; ++i)
        for (uint32_t half = 0; half < 2; ++half) {
            const uint32_t d = COMMON + half * n + i;
            set_weight(built, "layers.0.1.0.to_qkv.weight", 3 + i, d, -penalty * factor);
            set_weight(built, "layers.0.1.0.to_qkv.weight", head + 3 + i, d, 1);
        }
}

/* ---- answers ---- */

/* The share of right answers in some graphs of a task. identifiers: nodes get random numbers as tokens. */
static double right_answers(const experiment_task *task, const built_model *built, bool identifiers) {
    enum { GRAPHS = 16 };
    const uint32_t n = task->n, pairs = n * n;
    experiment_data data;
    experiment_data_draw(task, SEED, EXPERIMENT_TEST, GRAPHS, &data);
    experiment_source source = {.seed = SEED};
    for (uint32_t graph = 0; identifiers && graph < GRAPHS; ++graph)
        experiment_permutation(&source, n, (uint32_t *)data.tokens + graph * n);
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = GRAPHS, in.length = n, in.tokens = data.tokens, in.edge_types = data.edge_types;
    float *logits = malloc((size_t)GRAPHS * pairs * CLASSES * sizeof *logits); // (graph, i, j, class)
    assert_non_null(logits);
    assert_ok(quartic_model_forward_batch(built->model, &in, logits));
    uint32_t right = 0, all = 0;
    for (uint32_t k = 0; k < GRAPHS * pairs; ++k) {
        if (data.targets[k] < 0) continue;
        ++all;
        right += (logits[CLASSES * k + 1] > logits[CLASSES * k]) == (data.targets[k] == 1);
    }
    assert_true(all > 0);
    print_message("%-10s n = %2u, width %3u: %u of %u\n", task->name, n, built->config.dim_edges, right, all);
    free(logits);
    experiment_data_free(&data);
    return (double)right / all;
}

static experiment_task resized(const char *name, uint32_t n) {
    experiment_task task;
    assert_non_null(experiment_task_named(name));
    assert_true(experiment_task_resize(experiment_task_named(name), n, &task));
    return task;
}

static void one_triangle_layer_composes_relations(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t tokens, first, second, sizes[3];
    } cases[] = {
        {"relation", 3, 1, 1, {24, 36, 48}},
        {"foaf", 1, 1, 1, {8, 14, 32}},
        {"compose", 1, 1, 2, {8, 16, 32}},
    };
    for (uint32_t k = 0; k < 3; ++k) {
        built_model built, dull;
        build_triangle(&built, 4, cases[k].tokens, cases[k].first, cases[k].second, 4);
        build_triangle(&dull, 4, cases[k].tokens, cases[k].first, cases[k].second, 0);
        for (uint32_t s = 0; s < 3; ++s) {
            const experiment_task task = resized(cases[k].name, cases[k].sizes[s]);
            assert_true(right_answers(&task, &built, false) == 1);
            assert_true(right_answers(&task, &dull, false) < 0.9); /* the threshold needs a sharp softmax */
        }
        quartic_model_destroy(built.model);
        quartic_model_destroy(dull.model);
    }
}

static void one_full_layer_finds_analogies(void **state) {
    (void)state;
    static const uint32_t sizes[3] = {6, 10, 20};
    for (uint32_t s = 0; s < 3; ++s) {
        const experiment_task task = resized("analogy", sizes[s]);
        built_model built;
        build_analogy(&built, &task);
        assert_true(right_answers(&task, &built, false) == 1);
        /* without the penalty every edge finds itself */
        set_weight(&built, "layers.0.1.0.to_qkv.weight", 3, COMMON, 0);
        assert_true(right_answers(&task, &built, false) < 0.9);
        quartic_model_destroy(built.model);
    }
}

static void one_full_layer_finds_twins(void **state) {
    (void)state;
    static const uint32_t sizes[3] = {8, 12, 16};
    for (uint32_t s = 0; s < 3; ++s) {
        const experiment_task task = resized("twins", sizes[s]);
        built_model built;
        build_twins(&built, &task);
        assert_true(right_answers(&task, &built, true) == 1);
        set_weight(&built, "layers.0.1.0.to_qkv.weight", 0, COSINE, 0); /* half of the labels' circle */
        assert_true(right_answers(&task, &built, true) < 0.99);
        quartic_model_destroy(built.model);
    }
}

static int open_device(void **state) {
    (void)state;
    return quartic_device_create("cpu", &device) == QUARTIC_OK ? 0 : -1;
}

static int close_device(void **state) {
    (void)state;
    quartic_device_destroy(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_triangle_layer_composes_relations),
        cmocka_unit_test(one_full_layer_finds_analogies),
        cmocka_unit_test(one_full_layer_finds_twins),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
