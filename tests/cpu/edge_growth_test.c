/* edge_growth_test.c: the size of the edges in deep models at initialisation. A form that added its edges to
 * themselves would double them in every layer: 2^64 after 64 layers, and no number soon after.
 *
 * What a layer adds to its edges is normalised first, so it has the same size in every layer, and independent
 * weights make the sum grow as the root of the number of passes. That is a factor below 4 over 64 layers
 * where a layer has one or two passes and a feedforward. Three passes of triangle-multiply, and the
 * relational model's nodes-to-edges, add more in each layer: 4 to 7, of which the second half of the layers
 * makes less than 2.
 */
#include "model_case.h"

enum { NODES = 6, WIDTH = 8, LAYERS = 64, VOCABULARY = 16 };

static const char *const forms[] = {
#define FORM_NAME(suffix, name) name,
    QUARTIC_EDGE_ATTENTION_LIST(FORM_NAME)
#undef FORM_NAME
};
enum { FORMS = sizeof forms / sizeof forms[0] };

static const int32_t tokens[NODES] = {1, 5, 9, 2, 3, 11};

static quartic_model_config deep_config(quartic_model_family family, uint32_t form, uint32_t depth,
                                        bool causal) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = family, config.edge_attention = (quartic_edge_attention)form, config.causal = causal;
    config.num_tokens = VOCABULARY, config.dim = 16, config.depth = depth, config.dim_edges = WIDTH;
    config.heads = 2, config.dim_head = 8, config.linear_heads = 2, config.linear_dim_head = 4;
    config.edge_heads = 2, config.edge_dim_head = 4, config.max_seq_len = NODES;
    return config;
}

/* Root of the mean square of the edges after each layer (depth), and the logits. */
static void edge_growth_run_model(const quartic_model_config *config, uint64_t seed, double *sizes,
                                  float *logits) {
    quartic_device *device;
    quartic_model *model;
    assert_ok(quartic_device_create("cpu", &device));
    assert_ok(quartic_model_create(device, config, &model));
    assert_ok(quartic_model_initialise(model, seed));
    const size_t layer_size = NODES * NODES * WIDTH;
    float *edges = quartic_alloc(config->depth * layer_size, sizeof *edges);
    assert_non_null(edges);
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    readout.edges = edges, readout.logits = logits;
    assert_ok(quartic_model_inspect(model, 1, NODES, tokens, NULL, &readout));
    for (uint32_t layer = 0; layer < config->depth; ++layer) {
        double squares = 0;
        for (size_t k = 0; k < layer_size; ++k) {
            const double e = (double)edges[layer * layer_size + k];
            squares += e * e;
        }
        sizes[layer] = sqrt(squares / (double)layer_size);
    }
    quartic_free(edges);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
}

static void edges_keep_their_size_over_64_layers(void **state) {
    (void)state;
    static double sizes[LAYERS];
    float logits[NODES * VOCABULARY];
    uint32_t failed = 0;
    for (uint32_t form = 1; form <= FORMS; ++form)
        for (uint32_t variant = 0; variant < 4; ++variant) {
            const bool relational = variant % 2 != 0, through = form == FORMS; /* once more, one pass of it */
            const uint32_t of = through ? (uint32_t)QUARTIC_EDGE_ATTENTION_TRIANGLE_MULTIPLY : form;
            quartic_model_config config = deep_config(
                relational ? QUARTIC_MODEL_RELATIONAL : QUARTIC_MODEL_QUARTIC, of, LAYERS, variant / 2 != 0);
            if (through) config.triangle_directions = QUARTIC_TRIANGLE_PASSES_THROUGH;
            const bool three_passes = of == QUARTIC_EDGE_ATTENTION_TRIANGLE_MULTIPLY && !through;
            const double most = relational || three_passes ? 10 : 4;
            for (uint64_t seed = 1; seed <= 3; ++seed) {
                edge_growth_run_model(&config, seed, sizes, logits);
                double least = INFINITY, greatest = 0;
                for (uint32_t layer = 0; layer < LAYERS; ++layer) {
                    least = fmin(least, sizes[layer]);
                    greatest = fmax(greatest, sizes[layer]);
                }
                if (greatest <= most * least && sizes[LAYERS - 1] < 2 * sizes[LAYERS / 2 - 1]) continue;
                ++failed;
                print_message("%s %s%s%s, seed %d: the edges' size goes from %.3g to %.3g\n",
                              relational ? "relational" : "quartic", forms[of], through ? " (through)" : "",
                              variant / 2 ? " causal" : "", (int)seed, least, greatest);
            }
        }
    assert_int_equal(failed, 0);
}

static void models_of_128_layers_are_finite(void **state) {
    (void)state;
    static double sizes[2 * LAYERS];
    float logits[NODES * VOCABULARY];
    for (uint32_t form = 1; form < FORMS; ++form) {
        const quartic_model_config config = deep_config(QUARTIC_MODEL_QUARTIC, form, 2 * LAYERS, form % 2);
        edge_growth_run_model(&config, 1, sizes, logits);
        for (uint32_t k = 0; k < NODES * VOCABULARY; ++k) assert_true(isfinite(logits[k]));
    }
}

/* The published package's equations are kept: there the edges do double. */
static void the_reference_doubles(void **state) {
    (void)state;
    static double sizes[LAYERS];
    float logits[NODES * VOCABULARY];
    quartic_model_config config = deep_config(QUARTIC_MODEL_QUARTIC, QUARTIC_EDGE_ATTENTION_AXIAL, 12, false);
    config.compatibility = QUARTIC_COMPATIBILITY_REFERENCE;
    config.edges_diagonal_attn = 0;
    edge_growth_run_model(&config, 1, sizes, logits);
    for (uint32_t layer = 1; layer < 12; ++layer)
        assert_true(sizes[layer] > 1.5 * sizes[layer - 1] && sizes[layer] < 3 * sizes[layer - 1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_keep_their_size_over_64_layers),
        cmocka_unit_test(models_of_128_layers_are_finite),
        cmocka_unit_test(the_reference_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
