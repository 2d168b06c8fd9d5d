/* colour_refinement_test.c: what docs/which-edge-attention.md proves. Graphs that colour refinement (1-WL) cannot tell
 * apart get the same output from every quadratic transformer, at every depth, whatever the weights; of the
 * forms of edge attention those over single edges (axial, Taylor, full) cannot tell these graphs apart
 * either, while the triangle forms, which combine two edges, can. Two strongly regular graphs with the same
 * numbers are alike to the triangle forms as well; triple attention tells them apart. */
#include "expect.h"

#include <math.h>

#include "quartic/quartic.h"

enum { MOST = 16, DEEPEST = 4, CLASSES = 3, WEIGHTS = 2, TRIES = 6 };

/* Two graphs in which every node has the same degree, as adjacency (i, j). */
typedef struct graph_pair {
    const char *name;
    uint32_t n;
    uint32_t sees_at; /* layers of triangles after which edges differ at the latest */
    int32_t types[2][MOST * MOST];
} graph_pair;

static void colour_refinement_join(int32_t *types, uint32_t n, uint32_t i, uint32_t j) {
    types[i * n + j] = types[j * n + i] = 1;
}

/* Node i of the cycle 0 .. n-1 is joined to i + 1 and i + skip. */
static void circulant(int32_t *types, uint32_t n, uint32_t skip) {
    for (uint32_t i = 0; i < n; ++i) {
        colour_refinement_join(types, n, i, (i + 1) % n);
        colour_refinement_join(types, n, i, (i + skip) % n);
    }
}

enum { PAIRS = 3 };

static void make_pairs(graph_pair pairs[PAIRS]) {
    memset(pairs, 0, PAIRS * sizeof pairs[0]);
    pairs[0] = (graph_pair){.name = "one 12-cycle, two 6-cycles", .n = 12, .sees_at = 2};
    circulant(pairs[0].types[0], 12, 1);
    for (uint32_t i = 0; i < 12; ++i)
        colour_refinement_join(pairs[0].types[1], 12, i, i / 6 * 6 + (i + 1) % 6);
    pairs[1] = (graph_pair){.name = "circulant 11 with skips 2 and 3", .n = 11, .sees_at = 1};
    circulant(pairs[1].types[0], 11, 2);
    circulant(pairs[1].types[1], 11, 3);
    /* The prism has two triangles, K(3, 3) has none; both are 3-regular. */
    pairs[2] = (graph_pair){.name = "prism, K(3, 3)", .n = 6, .sees_at = 1};
    for (uint32_t i = 0; i < 3; ++i) {
        colour_refinement_join(pairs[2].types[0], 6, i, (i + 1) % 3);
        colour_refinement_join(pairs[2].types[0], 6, 3 + i, 3 + (i + 1) % 3);
        colour_refinement_join(pairs[2].types[0], 6, i, 3 + i);
        for (uint32_t j = 0; j < 3; ++j) colour_refinement_join(pairs[2].types[1], 6, i, 3 + j);
    }
}

/* Shrikhande's graph and the 4 x 4 rook's graph: 16 nodes in a torus of 4 x 4, each with 6 neighbours, any two
 * with 2 neighbours in common. */
static void make_strongly_regular_pair(graph_pair *pair) {
    *pair = (graph_pair){.name = "Shrikhande, 4 x 4 rook", .n = 16, .sees_at = 1};
    for (uint32_t a = 0; a < 16; ++a)
        for (uint32_t step = 1; step < 4; ++step) {
            const uint32_t y = a / 4, x = a % 4, down = (y + step) % 4, right = (x + step) % 4;
            colour_refinement_join(pair->types[1], 16, a, down * 4 + x);
            colour_refinement_join(pair->types[1], 16, a, y * 4 + right);
            if (step == 2) continue;
            colour_refinement_join(pair->types[0], 16, a, down * 4 + x);
            colour_refinement_join(pair->types[0], 16, a, y * 4 + right);
            colour_refinement_join(pair->types[0], 16, a, down * 4 + right);
        }
}

static quartic_device *device;

typedef struct subject {
    quartic_model_family family;
    quartic_readout readout;
    const char *form; /* of edge attention, or "ablated" or "static" */
    bool identifiers; /* nodes can be told apart */
} subject;

static const char *family_name(const subject *of) {
    return of->family == QUARTIC_MODEL_RELATIONAL ? "relational" : "quartic";
}

static quartic_model_config colour_refinement_configuration(const subject *of, uint32_t n, uint32_t depth) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    char text[128];
    config.model = of->family;
    config.ablate_edges = strcmp(of->form, "ablated") == 0;
    config.static_edges = strcmp(of->form, "static") == 0;
    config.num_tokens = of->identifiers ? n : 1, config.num_edge_types = 2, config.num_classes = CLASSES;
    config.dim = config.dim_edges = 16, config.depth = depth;
    config.heads = config.linear_heads = config.edge_heads = 2;
    config.dim_head = config.linear_dim_head = config.edge_dim_head = 8;
    config.ff_mult = 2, config.max_seq_len = n, config.num_residual_streams = 1, config.positions = 0;
    config.readout = of->readout;
    snprintf(text, sizeof text, "{\"edge_attention\": \"%s\"}",
             config.ablate_edges || config.static_edges ? "none" : of->form);
    assert_ok(quartic_model_config_read_json(&config, text));
    return config;
}

/* Weights twice as large as those that a training starts from, so that attention is far from uniform.
 */
static quartic_model *colour_refinement_make_model(const subject *of, uint32_t n, uint32_t depth,
                                                   uint64_t seed) {
    const quartic_model_config config = colour_refinement_configuration(of, n, depth);
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_model_initialise(model, seed));
    const quartic_shape shape = quartic_tensor_shape(quartic_model_weights(model));
    const size_t bytes = quartic_shape_elements(&shape) * sizeof(float);
    float *weights = malloc(bytes);
    assert_non_null(weights);
    assert_ok(quartic_tensor_read(quartic_model_weights(model), weights, bytes));
    for (size_t k = 0; k < bytes / sizeof(float); ++k) weights[k] *= 2;
    assert_ok(quartic_tensor_write(quartic_model_weights(model), weights, bytes));
    free(weights);
    return model;
}

/* How far the two graphs' logits are apart, each class summed over all rows (one, or all pairs), in units of
 * the largest sum. */
static double difference(const graph_pair *pair, const subject *of, uint32_t depth, uint64_t seed) {
    const uint32_t n = pair->n;
    quartic_model *model = colour_refinement_make_model(of, n, depth, seed);
    int32_t tokens[2 * MOST] = {0}, types[2 * MOST * MOST];
    for (uint32_t i = 0; i < 2 * n && of->identifiers; ++i) tokens[i] = (int32_t)(i % n);
    for (uint32_t graph = 0; graph < 2; ++graph)
        memcpy(types + (size_t)graph * n * n, pair->types[graph], (size_t)n * n * sizeof(int32_t));
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = 2, in.length = n, in.tokens = tokens, in.edge_types = types;
    float logits[2 * MOST * MOST * CLASSES];
    assert_ok(quartic_model_forward_batch(model, &in, logits));
    const uint64_t rows = quartic_model_logit_rows(model, 1, n);
    double size = 0, most = 0;
    for (uint32_t c = 0; c < CLASSES; ++c) {
        double sums[2] = {0, 0}, sizes = 0;
        for (uint64_t row = 0; row < 2 * rows; ++row) sums[row / rows] += (double)logits[row * CLASSES + c];
        for (uint64_t row = 0; row < rows; ++row) sizes += fabs((double)logits[row * CLASSES + c]);
        size = fmax(size, sizes);
        most = fmax(most, fabs(sums[0] - sums[1]));
    }
    quartic_model_destroy(model);
    assert_true(size > 1e-2);
    return most / size;
}

/* The largest over depths up to DEEPEST and several weights. */
static double largest_difference(const graph_pair *pair, const subject *of) {
    double most = 0;
    for (uint32_t depth = 1; depth <= DEEPEST; ++depth)
        for (uint64_t seed = 1; seed <= WEIGHTS; ++seed) most = fmax(most, difference(pair, of, depth, seed));
    return most;
}

/* Everything is computed in double; what is left is that logits come out as float32. */
static const double rounding = 3e-7, visible = 2e-6;

static void print_row(const graph_pair *pair, const subject *of, double found, const char *note) {
    static const char *const readouts[] = {"nodes", "edges", "graph"};
    print_message("%-32s %-10s %-18s %s: %.1e%s\n", pair->name, family_name(of), of->form,
                  readouts[of->readout], found, note);
}

static void expect_blind(const graph_pair *pairs, uint32_t pair_count, const char *const *forms,
                         uint32_t count) {
    static const quartic_readout readouts[] = {QUARTIC_READOUT_GRAPH, QUARTIC_READOUT_EDGE};
    for (uint32_t p = 0; p < pair_count; ++p)
        for (uint32_t k = 0; k < count; ++k)
            for (uint32_t way = 0; way < 4; ++way) {
                const subject of = {.family = way / 2 ? QUARTIC_MODEL_RELATIONAL : QUARTIC_MODEL_QUARTIC,
                                    .readout = readouts[way % 2],
                                    .form = forms[k]};
                const bool ablated =
                    strcmp(forms[k], "ablated") == 0; /* has neither edges to read nor the other */
                const bool fixed = strcmp(forms[k], "static") == 0; /* quartic only */
                if ((ablated && way != 0) || (fixed && way / 2 != 0)) continue;
                const double most = largest_difference(&pairs[p], &of);
                print_row(&pairs[p], &of, most, "");
                assert_true(most < rounding);
            }
}

static void quadratic_transformers_are_blind(void **state) {
    (void)state;
    static const char *const forms[] = {"none", "static", "ablated"};
    graph_pair pairs[PAIRS];
    make_pairs(pairs);
    expect_blind(pairs, PAIRS, forms, 3);
}

static void forms_over_single_edges_are_blind_too(void **state) {
    (void)state;
    static const char *const forms[] = {"axial", "taylor", "full"};
    graph_pair pairs[PAIRS];
    make_pairs(pairs);
    expect_blind(pairs, PAIRS, forms, 3);
}

static const char *const triangle_forms[] = {"triangle", "triangle-start-end", "triangle-multiply"};

/* Edges differ after so many layers as the pair says. */
static void expect_told_apart(const graph_pair *pairs, uint32_t pair_count, const char *const *forms,
                              uint32_t count) {
    for (uint32_t p = 0; p < pair_count; ++p)
        for (uint32_t k = 0; k < count; ++k)
            for (uint32_t way = 0; way < 3; ++way) {
                const subject of = {.family = way == 0 ? QUARTIC_MODEL_QUARTIC : QUARTIC_MODEL_RELATIONAL,
                                    .readout = way == 2 ? QUARTIC_READOUT_GRAPH : QUARTIC_READOUT_EDGE,
                                    .form = forms[k]};
                const uint32_t depth = pairs[p].sees_at + (way == 2); /* nodes see edges one layer later */
                double found = 0;
                for (uint64_t seed = 1; seed <= TRIES; ++seed)
                    found = fmax(found, difference(&pairs[p], &of, depth, seed));
                print_row(&pairs[p], &of, found, " where it can be seen");
                assert_true(found > visible);
            }
}

static void triangles_tell_them_apart(void **state) {
    (void)state;
    graph_pair pairs[PAIRS];
    make_pairs(pairs);
    expect_told_apart(pairs, PAIRS, triangle_forms, 3);
    const subject nodes = {QUARTIC_MODEL_QUARTIC, QUARTIC_READOUT_GRAPH, "triangle", false};
    assert_true(largest_difference(&pairs[2], &nodes) < rounding); /* equal nodes stay equal */
}

static void triangles_are_blind_to_strongly_regular_pairs(void **state) {
    (void)state;
    graph_pair pair;
    make_strongly_regular_pair(&pair);
    expect_blind(&pair, 1, triangle_forms, 3);
}

static void triples_tell_all_pairs_apart(void **state) {
    (void)state;
    static const char *const forms[] = {"triple"};
    graph_pair pairs[PAIRS + 1];
    make_pairs(pairs);
    make_strongly_regular_pair(&pairs[PAIRS]);
    expect_told_apart(pairs, PAIRS + 1, forms, 1);
}

/* The other tests would pass if the edges had no influence at all; with nodes that can be told apart they
 * have. */
static void identifiers_end_the_blindness(void **state) {
    (void)state;
    static const char *const forms[] = {"none", "axial", "taylor", "full", "static"};
    graph_pair pairs[PAIRS];
    make_pairs(pairs);
    for (uint32_t p = 0; p < PAIRS; ++p)
        for (uint32_t k = 0; k < 9; ++k) {
            const subject of = {k % 2 ? QUARTIC_MODEL_RELATIONAL : QUARTIC_MODEL_QUARTIC,
                                QUARTIC_READOUT_GRAPH, forms[k / 2], true};
            const double found = difference(&pairs[p], &of, 2, 1);
            print_row(&pairs[p], &of, found, " with identifiers");
            assert_true(found > visible);
        }
}

/* Routed attention chooses the edges with the greatest logits; between equal ones their place decides, which
 * is no property of the graph. What it gives is told, not judged. */
static void routed_attention_breaks_ties(void **state) {
    (void)state;
    graph_pair pairs[PAIRS];
    make_pairs(pairs);
    const subject of = {QUARTIC_MODEL_QUARTIC, QUARTIC_READOUT_EDGE, "routed", false};
    for (uint32_t p = 0; p < PAIRS; ++p) print_row(&pairs[p], &of, largest_difference(&pairs[p], &of), "");
}

static int colour_refinement_open_device(void **state) {
    (void)state;
    return quartic_device_create("reference64", &device) == QUARTIC_OK ? 0 : -1;
}

static int colour_refinement_close_device(void **state) {
    (void)state;
    quartic_device_destroy(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quadratic_transformers_are_blind),
        cmocka_unit_test(forms_over_single_edges_are_blind_too),
        cmocka_unit_test(triangles_tell_them_apart),
        cmocka_unit_test(triangles_are_blind_to_strongly_regular_pairs),
        cmocka_unit_test(triples_tell_all_pairs_apart),
        cmocka_unit_test(identifiers_end_the_blindness),
        cmocka_unit_test(routed_attention_breaks_ties),
    };
    return cmocka_run_group_tests(tests, colour_refinement_open_device, colour_refinement_close_device);
}
