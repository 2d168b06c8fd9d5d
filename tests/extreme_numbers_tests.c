/* extreme_numbers_tests.c: see extreme_numbers_tests.h. */
#include "extreme_numbers_tests.h"

#include "model_case.h"
#include "quartic/program.h"

static quartic_device *device;

/* Runs a graph with one output "y" and one input "x". */
static void extreme_run(quartic_graph *graph, const float *x, size_t x_count, float *y, size_t y_count) {
    quartic_program *program;
    assert_ok(quartic_graph_status(graph));
    assert_ok(quartic_program_create(device, graph, NULL, &program));
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, "x"), x, x_count * sizeof *x));
    assert_ok(quartic_program_run(program));
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, "y"), y, y_count * sizeof *y));
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
}

static quartic_graph *extreme_graph(quartic_shape shape, quartic_value *out_x) {
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    *out_x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    return graph;
}

/* ---- NaN ---- */

static void relu_of_nan_is_nan(void **state) {
    (void)state;
    const float x[4] = {NAN, -1, 2, 0};
    float y[4];
    for (int gradient = 0; gradient < 2; ++gradient) {
        quartic_value in, slope;
        quartic_graph *graph = extreme_graph(QUARTIC_SHAPE(4), &in);
        quartic_value out = quartic_relu(graph, in);
        if (gradient) {
            /* relu(x)^2 has the gradient 2 relu(x), a NaN where x is one. */
            out = quartic_square(graph, out);
            assert_ok(quartic_graph_gradients(graph, out, (quartic_value){0}, &in, 1, &slope));
        }
        quartic_graph_output(graph, "y", gradient ? slope : out);
        extreme_run(graph, x, 4, y, 4);
        assert_true(isnan(y[0]));
        assert_true(y[1] == 0 && y[2] == (gradient ? 4 : 2) && y[3] == 0);
    }
}

enum { NAN_BATCH = 1, NAN_ROWS = 3, NAN_KEYS = 37 };

/* Row 1 holds one NaN, or nothing else; the others hold none. */
static void softmax_of_nan_is_nan(void **state) {
    (void)state;
    static float x[NAN_ROWS * NAN_KEYS], y[NAN_ROWS * NAN_KEYS];
    for (uint32_t variant = 0; variant < 12; ++variant) {
        const uint32_t first = variant % 3 == 0 ? 0 : variant % 3 == 1 ? 20 : NAN_KEYS - 1;
        const uint32_t last = variant % 2 ? first : NAN_KEYS - 1;
        const bool masked = variant / 6 != 0;
        for (uint32_t k = 0; k < NAN_ROWS * NAN_KEYS; ++k) x[k] = (float)(k * 7 % 11) - 5;
        for (uint32_t k = first; k <= last; ++k) x[NAN_KEYS + k] = NAN;
        quartic_value in, mask = {0};
        quartic_graph *graph = extreme_graph(QUARTIC_SHAPE(NAN_BATCH, 1, NAN_ROWS, NAN_KEYS), &in);
        if (masked) { /* all but the first key, where that holds no NaN */
            quartic_value ones =
                quartic_graph_input(graph, "mask", QUARTIC_INT32, &QUARTIC_SHAPE(1, NAN_KEYS));
            mask = ones;
        }
        quartic_graph_output(graph, "y", quartic_softmax(graph, in, mask, 0));
        quartic_program *program;
        assert_ok(quartic_program_create(device, graph, NULL, &program));
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, "x"), x, sizeof x));
        if (masked) {
            int32_t seen[NAN_KEYS];
            for (uint32_t k = 0; k < NAN_KEYS; ++k) seen[k] = k != 0 || first == 0;
            assert_ok(quartic_tensor_write(quartic_program_tensor(program, "mask"), seen, sizeof seen));
        }
        assert_ok(quartic_program_run(program));
        assert_ok(quartic_tensor_read(quartic_program_tensor(program, "y"), y, sizeof y));
        quartic_program_destroy(program);
        quartic_graph_destroy(graph);
        for (uint32_t k = 0; k < NAN_KEYS; ++k) {
            assert_true(isfinite(y[k]) && isfinite(y[2 * NAN_KEYS + k]));
            if (masked && first != 0 && k == 0)
                assert_true(y[NAN_KEYS] == 0);
            else
                assert_true(isnan(y[NAN_KEYS + k]));
        }
    }
}

enum { NAN_NODES = 5, NAN_WIDTH = 4 };

/* One component of edges x (1, n, n, 1, d), as a bias (1, n, n, 1). */
static quartic_value extreme_bias(quartic_graph *graph, quartic_value x) {
    const quartic_shape shape = quartic_graph_shape(graph, x);
    return quartic_reshape(graph, quartic_slice(graph, x, 4, 0, 1),
                           &QUARTIC_SHAPE(1, shape.dims[1], shape.dims[2], 1));
}

/* Attention among edges, over triangles and over pairs of pivots: NaN in the query of edge (0, 1) alone makes that edge's result
 * NaN, with every head, and no other edge's. */
static void edges_of_nan_are_nan(void **state) {
    (void)state;
    enum { EDGES = NAN_NODES * NAN_NODES, COUNT = EDGES * NAN_WIDTH };
    static float x[COUNT], y[COUNT];
    for (uint32_t kind = 0; kind < 5; ++kind) {
        quartic_value in;
        const quartic_shape edges = QUARTIC_SHAPE(1, NAN_NODES, NAN_NODES, 1, NAN_WIDTH);
        quartic_graph *graph = extreme_graph(edges, &in);
        const quartic_value k =
            quartic_broadcast(graph,
                              quartic_reshape(graph, quartic_range(graph, NAN_WIDTH, 0.5f, 0.25f),
                                              &QUARTIC_SHAPE(1, 1, 1, 1, NAN_WIDTH)),
                              &edges);
        quartic_value out;
        if (kind == 0) {
            const quartic_shape tokens = QUARTIC_SHAPE(1, EDGES, 1, NAN_WIDTH);
            const quartic_edge_softmax_options options = {.nodes = NAN_NODES};
            const quartic_value none = {0}, other = quartic_reshape(graph, k, &tokens);
            out = quartic_edge_softmax_attention(graph, quartic_reshape(graph, in, &tokens), other, other,
                                                 none, none, &options);
        } else if (kind == 4) {
            const quartic_triple_options options = {.scale = 1};
            const quartic_value none = {0};
            out = quartic_triple_attention(graph, in, k, k, k, k, k, extreme_bias(graph, k), none, &options);
        } else {
            const quartic_triangle_options options = {.kind = kind - 1, .scale = 1};
            const quartic_value none = {0};
            out = quartic_triangle_attention(graph, in, k, k, kind == 1 ? k : none, none, none, &options);
        }
        quartic_graph_output(graph, "y", out);
        for (uint32_t c = 0; c < COUNT; ++c) x[c] = (float)(c % 7) * 0.1f;
        for (uint32_t c = 0; c < NAN_WIDTH; ++c) x[NAN_WIDTH + c] = NAN; /* (0, 1) */
        extreme_run(graph, x, COUNT, y, COUNT);
        /* A query q_il is part of the scores of a whole row in the first kind of triangles and over pairs. */
        for (uint32_t c = 0; c < COUNT; ++c) {
            const uint32_t edge = c / NAN_WIDTH;
            const bool broken = kind == 1 || kind == 4 ? edge < NAN_NODES : edge == 1;
            if ((bool)isnan(y[c]) != broken) fail_msg("kind %u, edge %u: %g", kind, edge, (double)y[c]);
        }
    }
}

/* ---- scores of -inf ---- */

enum { SINKING_NODES = 5, SINKING_WIDTH = 4 };

/* Softmax over scores that are all -inf is NaN, as in PyTorch: a model whose scores overflow downwards is
 * then reported, not answered from zeros. Hidden entries and rows that see nothing stay 0, and so does an
 * entry of -inf beside a finite one. */
static void softmax_of_minus_infinity_is_nan(void **state) {
    (void)state;
    enum { ROWS = 4, KEYS = 37 };
    static float x[ROWS * KEYS], y[ROWS * KEYS];
    for (uint32_t causal = 0; causal < 2; ++causal)
        for (uint32_t masked = 0; masked < 3; ++masked) { /* 1: the first key is hidden, 2: all are */
            quartic_value in;
            quartic_graph *graph = extreme_graph(QUARTIC_SHAPE(1, 1, ROWS, KEYS), &in);
            quartic_value mask = quartic_graph_input(graph, "mask", QUARTIC_INT32, &QUARTIC_SHAPE(1, KEYS));
            if (masked == 0) quartic_graph_output(graph, "unused", mask);
            quartic_graph_output(graph, "y",
                                 quartic_softmax(graph, in, masked != 0 ? mask : (quartic_value){0}, causal));
            quartic_program *program;
            assert_ok(quartic_program_create(device, graph, NULL, &program));
            int32_t seen[KEYS];
            for (uint32_t k = 0; k < KEYS; ++k) seen[k] = masked == 0 || (masked == 1 && k != 0);
            for (uint32_t k = 0; k < ROWS * KEYS; ++k) x[k] = k / KEYS == 3 ? 1 : -INFINITY;
            x[3 * KEYS + 1] = -INFINITY;
            assert_ok(quartic_tensor_write(quartic_program_tensor(program, "mask"), seen, sizeof seen));
            assert_ok(quartic_tensor_write(quartic_program_tensor(program, "x"), x, sizeof x));
            assert_ok(quartic_program_run(program));
            assert_ok(quartic_tensor_read(quartic_program_tensor(program, "y"), y, sizeof y));
            quartic_program_destroy(program);
            quartic_graph_destroy(graph);
            for (uint32_t k = 0; k < ROWS * KEYS; ++k) {
                const uint32_t row = k / KEYS, key = k % KEYS;
                const bool visible = seen[key] != 0 && (!causal || key <= row);
                const bool right = !visible ? y[k] == 0 : row < 3 ? isnan(y[k]) : (y[k] > 0) == (key != 1);
                if (!right)
                    fail_msg("causal %u, masked %u, row %u, key %u: %g", causal, masked, row, key,
                             (double)y[k]);
            }
        }
}

/* The same of attention among edges, over triangles and over pairs of pivots, where no score is ever stored. The query of edge
 * (3, 1) is -inf and all keys are positive. Node 4 is hidden, and with causality edges with j > i see
 * nothing.
 */
static void edges_of_minus_infinity_are_nan(void **state) {
    (void)state;
    enum {
        EDGES = SINKING_NODES * SINKING_NODES,
        COUNT = EDGES * SINKING_WIDTH,
        SUNK = 3 * SINKING_NODES + 1
    };
    static float x[COUNT], y[COUNT];
    for (uint32_t variant = 0; variant < 20; ++variant) {
        const uint32_t kind = variant / 4, causal = variant / 2 % 2, blind = variant % 2;
        const bool by_row =
            kind == 1 || kind == 4; /* every q_il has to be -inf for the scores of (i, j) to be */
        quartic_value in, out;
        const quartic_value none = {0};
        const quartic_shape edges = QUARTIC_SHAPE(1, SINKING_NODES, SINKING_NODES, 1, SINKING_WIDTH);
        quartic_graph *graph = extreme_graph(edges, &in);
        const quartic_value mask =
            quartic_graph_input(graph, "mask", QUARTIC_INT32, &QUARTIC_SHAPE(1, SINKING_NODES));
        const quartic_value k =
            quartic_broadcast(graph,
                              quartic_reshape(graph, quartic_range(graph, SINKING_WIDTH, 0.5f, 0.25f),
                                              &QUARTIC_SHAPE(1, 1, 1, 1, SINKING_WIDTH)),
                              &edges);
        if (kind == 0) {
            const quartic_shape tokens = QUARTIC_SHAPE(1, EDGES, 1, SINKING_WIDTH);
            const quartic_edge_softmax_options options = {.nodes = SINKING_NODES, .causal = causal};
            const quartic_value other = quartic_reshape(graph, k, &tokens);
            out = quartic_edge_softmax_attention(graph, quartic_reshape(graph, in, &tokens), other, other,
                                                 none, mask, &options);
        } else if (kind == 4) {
            const quartic_triple_options options = {.causal = causal, .scale = 1};
            out = quartic_triple_attention(graph, in, k, k, k, k, k, extreme_bias(graph, k), mask, &options);
        } else {
            const quartic_triangle_options options = {.kind = kind - 1, .causal = causal, .scale = 1};
            out = quartic_triangle_attention(graph, in, k, k, kind == 1 ? k : none, none, mask, &options);
        }
        quartic_graph_output(graph, "y", out);
        quartic_program *program;
        assert_ok(quartic_program_create(device, graph, NULL, &program));
        int32_t seen[SINKING_NODES];
        for (uint32_t n = 0; n < SINKING_NODES; ++n) seen[n] = !blind && n != 4;
        for (uint32_t c = 0; c < COUNT; ++c) {
            const uint32_t edge = c / SINKING_WIDTH;
            x[c] = edge == SUNK || (by_row && edge / SINKING_NODES == 3) ? -INFINITY : (float)(c % 7) * 0.1f;
        }
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, "mask"), seen, sizeof seen));
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, "x"), x, sizeof x));
        assert_ok(quartic_program_run(program));
        assert_ok(quartic_tensor_read(quartic_program_tensor(program, "y"), y, sizeof y));
        quartic_program_destroy(program);
        quartic_graph_destroy(graph);
        for (uint32_t c = 0; c < COUNT; ++c) {
            const uint32_t edge = c / SINKING_WIDTH, i = edge / SINKING_NODES, j = edge % SINKING_NODES;
            const bool sunk = !blind && (by_row ? i == 3 && (!causal || j <= 3) : edge == SUNK);
            if ((bool)isnan(y[c]) != sunk || ((blind || (causal && j > i)) && y[c] != 0))
                fail_msg("kind %u, causal %u, blind %u, edge (%u, %u): %g", kind, causal, blind, i, j,
                         (double)y[c]);
        }
    }
}

/* ---- gradients ---- */

static void the_seed_is_constant(void **state) {
    (void)state;
    const float x[3] = {0, 1, 4};
    float y[3];
    quartic_value in, slope;
    quartic_graph *graph = extreme_graph(QUARTIC_SHAPE(3), &in);
    const quartic_value out = quartic_log(graph, in); /* -inf at 0 */
    assert_ok(quartic_graph_gradients(graph, out, (quartic_value){0}, &in, 1, &slope));
    quartic_graph_output(graph, "y", slope);
    extreme_run(graph, x, 3, y, 3);
    assert_true(isinf(y[0]) && y[0] > 0);
    assert_near("1 / x", y + 1, (const float[]){1, 0.25f}, 2, 1e-6, 1, 0);
}

/* ---- large numbers ---- */

/* Beyond the eps of its norms, a model does not depend on the size of its embeddings. */
static void large_weights_give_right_logits(void **state) {
    (void)state;
    enum { LENGTH = 4, VOCABULARY = 16 };
    static const int32_t tokens[LENGTH] = {3, 1, 14, 7};
    static const float sizes[] = {1e12f, 1e25f, 1e30f, 1e35f};
    static float first[LENGTH * VOCABULARY], logits[LENGTH * VOCABULARY];
    for (uint32_t variant = 0; variant < 6; ++variant) {
        quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
        config.model = variant < 4 ? QUARTIC_MODEL_QUARTIC : QUARTIC_MODEL_RELATIONAL;
        config.num_tokens = VOCABULARY, config.dim = 16, config.depth = 2, config.dim_edges = 8;
        config.heads = 2, config.dim_head = 8, config.linear_heads = 2, config.linear_dim_head = 8;
        config.edge_heads = 2, config.edge_dim_head = 4, config.max_seq_len = LENGTH, config.positions = 0;
        config.num_residual_streams = variant % 2 ? 1 : 4;
        config.hyper_connections =
            variant == 2 ? QUARTIC_HYPER_CONNECTIONS_UNMIXED : QUARTIC_HYPER_CONNECTIONS_MIXED;
        if (variant == 5) config.edge_attention = QUARTIC_EDGE_ATTENTION_TRIANGLE_MULTIPLY;
        quartic_model *model;
        assert_ok(quartic_model_create(device, &config, &model));
        float *embedding = quartic_alloc(VOCABULARY * 16, sizeof *embedding),
              *scaled = quartic_alloc(VOCABULARY * 16, sizeof *scaled);
        assert_non_null(embedding);
        assert_non_null(scaled);
        assert_ok(quartic_model_read_parameter(model, "token_emb.weight", embedding, VOCABULARY * 16));
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; ++s) {
            float loss, sum = 0;
            for (uint32_t k = 0; k < VOCABULARY * 16; ++k) scaled[k] = sizes[s] * embedding[k];
            assert_ok(quartic_model_write_parameter(model, "token_emb.weight", scaled, VOCABULARY * 16));
            assert_ok(quartic_model_forward(model, 1, LENGTH, tokens, NULL, s == 0 ? first : logits));
            for (uint32_t k = 0; k < LENGTH * VOCABULARY; ++k) sum += fabsf(first[k]);
            assert_true(sum > 1);
            if (s > 0) assert_near("logits", logits, first, LENGTH * VOCABULARY, 1e-4, 1, 0);
            assert_ok(quartic_model_gradients(model, 1, LENGTH, tokens, tokens, NULL, &loss));
            const uint64_t count = model->set.elements;
            float *gradients = quartic_alloc(count, sizeof *gradients);
            assert_non_null(gradients);
            assert_ok(quartic_tensor_read(model->gradients, gradients, count * sizeof *gradients));
            for (uint64_t k = 0; k < count; ++k) assert_true(isfinite(gradients[k]));
            quartic_free(gradients);
        }
        quartic_free(embedding);
        quartic_free(scaled);
        quartic_model_destroy(model);
    }
}

int extreme_numbers_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relu_of_nan_is_nan),
        cmocka_unit_test(softmax_of_nan_is_nan),
        cmocka_unit_test(edges_of_nan_are_nan),
        cmocka_unit_test(softmax_of_minus_infinity_is_nan),
        cmocka_unit_test(edges_of_minus_infinity_are_nan),
        cmocka_unit_test(the_seed_is_constant),
        cmocka_unit_test(large_weights_give_right_logits),
    };
    return DEVICE_TESTS_RUN(on, &device, tests);
}
