/* multi_stream_tests.c: see multi_stream_tests.h. */
#include "multi_stream_tests.h"

#include "model_case.h"
#include <unistd.h>
#include "base/rng.h"

static quartic_device *device;

/* ---- ops against the compositions that they stand for ----------------------------------------------------
 */

enum { MOST_OPERANDS = 4 };

/* A graph with two values that must be equal, and equal gradients of <value, cotangent> for all operands. */
typedef struct twin_graph {
    quartic_graph *graph;
    quartic_value operands[MOST_OPERANDS];
    uint32_t operand_count;
    bool positive; /* operands are drawn from [0.1, 1) */
} twin_graph;

static quartic_value twin_operand(twin_graph *twins, const quartic_shape *shape) {
    char name[16];
    snprintf(name, sizeof name, "operand%u", twins->operand_count);
    quartic_value value = quartic_graph_input(twins->graph, name, QUARTIC_FLOAT32, shape);
    twins->operands[twins->operand_count++] = value;
    return value;
}

static void write_random(quartic_program *program, const char *name, uint32_t stream, bool positive) {
    quartic_tensor *tensor = quartic_program_tensor(program, name);
    quartic_shape shape = quartic_tensor_shape(tensor);
    uint64_t count = quartic_shape_elements(&shape);
    float *numbers = quartic_alloc(count, sizeof *numbers);
    for (uint64_t i = 0; i < count; ++i)
        numbers[i] = positive ? 0.1f + 0.9f * quartic_random_uniform(5, stream, i)
                              : quartic_random_normal(5, stream, i);
    assert_ok(quartic_tensor_write(tensor, numbers, count * sizeof *numbers));
    quartic_free(numbers);
}

static void multi_stream_compare_outputs(quartic_program *program, const char *left, const char *right) {
    quartic_tensor *a = quartic_program_tensor(program, left), *b = quartic_program_tensor(program, right);
    quartic_shape shape = quartic_tensor_shape(a), other = quartic_tensor_shape(b);
    assert_true(quartic_shape_equal(&shape, &other));
    uint64_t count = quartic_shape_elements(&shape);
    float *got = quartic_alloc(count, sizeof *got), *want = quartic_alloc(count, sizeof *want), most = 0;
    assert_ok(quartic_tensor_read(a, got, count * sizeof *got));
    assert_ok(quartic_tensor_read(b, want, count * sizeof *want));
    for (uint64_t i = 0; i < count; ++i) most = fmaxf(most, fabsf(want[i]));
    assert_true(most > 0.0f);
    assert_near(left, got, want, count, 1e-5, 0.0, 0.0);
    quartic_free(got), quartic_free(want);
}

static void check_twins(twin_graph *twins, quartic_value left, quartic_value right) {
    quartic_graph *graph = twins->graph;
    quartic_value of_left[MOST_OPERANDS], of_right[MOST_OPERANDS];
    quartic_shape shape = quartic_graph_shape(graph, left);
    char name[3][24];
    quartic_value cotangent = quartic_graph_input(graph, "cotangent", QUARTIC_FLOAT32, &shape);
    assert_ok(
        quartic_graph_gradients(graph, left, cotangent, twins->operands, twins->operand_count, of_left));
    assert_ok(
        quartic_graph_gradients(graph, right, cotangent, twins->operands, twins->operand_count, of_right));
    quartic_graph_output(graph, "left", left);
    quartic_graph_output(graph, "right", right);
    for (uint32_t k = 0; k < twins->operand_count; ++k) {
        snprintf(name[0], sizeof name[0], "left%u", k);
        snprintf(name[1], sizeof name[1], "right%u", k);
        quartic_graph_output(graph, name[0], of_left[k]);
        quartic_graph_output(graph, name[1], of_right[k]);
    }
    quartic_program *program;
    assert_ok(quartic_program_create(device, graph, NULL, &program));
    write_random(program, "cotangent", 9, false);
    for (uint32_t k = 0; k < twins->operand_count; ++k) {
        snprintf(name[2], sizeof name[2], "operand%u", k);
        write_random(program, name[2], k, twins->positive);
    }
    assert_ok(quartic_program_run(program));
    multi_stream_compare_outputs(program, "left", "right");
    for (uint32_t k = 0; k < twins->operand_count; ++k) {
        snprintf(name[0], sizeof name[0], "left%u", k);
        snprintf(name[1], sizeof name[1], "right%u", k);
        multi_stream_compare_outputs(program, name[0], name[1]);
    }
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
}

static void exchange_is_a_matrix_product(void **state) {
    (void)state;
    enum { BATCH = 3, HEADS = 6, N = 9 };
    twin_graph twins = {0};
    assert_ok(quartic_graph_create(&twins.graph));
    quartic_value x = twin_operand(&twins, &QUARTIC_SHAPE(BATCH, HEADS, N, N));
    quartic_value weight = twin_operand(&twins, &QUARTIC_SHAPE(HEADS, HEADS));
    quartic_value flat = quartic_reshape(twins.graph, x, &QUARTIC_SHAPE(BATCH, HEADS, N * N));
    quartic_value product = quartic_matmul(twins.graph, weight, flat, NULL);
    check_twins(&twins, quartic_stream_exchange(twins.graph, x, weight),
                quartic_reshape(twins.graph, product, &QUARTIC_SHAPE(BATCH, HEADS, N, N)));
}

static void feedforward_is_its_composition(void **state) {
    (void)state;
    enum { BATCH = 2, HEADS = 5, HIDDEN = 13, N = 11 };
    static const uint32_t heads_last[] = {0, 2, 3, 1}, heads_second[] = {0, 3, 1, 2};
    const quartic_value none = {0};
    twin_graph twins = {0};
    assert_ok(quartic_graph_create(&twins.graph));
    quartic_graph *graph = twins.graph;
    quartic_value x = twin_operand(&twins, &QUARTIC_SHAPE(BATCH, HEADS, N, N));
    quartic_value scale = twin_operand(&twins, &QUARTIC_SHAPE(HEADS));
    quartic_value w1 = twin_operand(&twins, &QUARTIC_SHAPE(HIDDEN, HEADS));
    quartic_value w2 = twin_operand(&twins, &QUARTIC_SHAPE(HEADS, HIDDEN));
    quartic_value y = quartic_rms_norm(graph, quartic_permute(graph, x, heads_last), scale, 1e-5f);
    y = quartic_gelu(graph, quartic_linear(graph, y, w1, none)); // (b, i, j, m)
    y = quartic_permute(graph, quartic_linear(graph, y, w2, none), heads_second);
    check_twins(&twins, quartic_stream_feedforward(graph, x, scale, w1, w2, 1e-5f), quartic_add(graph, x, y));
}

/* Two streams: all pairs of their heads by broadcasting. */
static void diversity_is_its_definition(void **state) {
    (void)state;
    enum { BATCH = 2, HEADS = 3, N = 7 };
    twin_graph twins = {.positive = true};
    assert_ok(quartic_graph_create(&twins.graph));
    quartic_graph *graph = twins.graph;
    quartic_value map = twin_operand(&twins, &QUARTIC_SHAPE(BATCH, 2 * HEADS, N, N));
    quartic_value first =
        quartic_reshape(graph, quartic_slice(graph, map, 1, 0, HEADS), &QUARTIC_SHAPE(BATCH, HEADS, 1, N, N));
    quartic_value second = quartic_reshape(graph, quartic_slice(graph, map, 1, HEADS, HEADS),
                                           &QUARTIC_SHAPE(BATCH, 1, HEADS, N, N));
    quartic_value mean = quartic_scale(graph, quartic_add(graph, first, second), 0.5f, 0.0f);
    quartic_value terms = quartic_multiply(graph, mean, quartic_log(graph, mean)); // (b, h, h, i, j)
    quartic_value loss =
        quartic_scale(graph, quartic_sum(graph, terms, 0x1f, 0), 1.0f / (BATCH * HEADS * HEADS * N), 0.0f);
    check_twins(&twins, quartic_diversity_loss(graph, map, 2), loss);
}

/* ---- models ----------------------------------------------------------------------------------------------
 */

enum { S = 3, H = 2, D = 8, V = 7, B = 2, N = 5, LAYERS = 3, L = 6 };

static const int32_t multi_stream_tokens[B * N] = {0, 1, 2, 3, 4, 6, 5, 4, 3, 2};

static quartic_model_config multi_stream_config(void) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = QUARTIC_MODEL_MULTI_STREAM, config.num_streams = S;
    config.num_tokens = V, config.dim = D, config.depth = LAYERS, config.heads = H, config.dim_head = 4;
    config.ff_mult = 2, config.max_seq_len = L, config.residual_talking_heads = 1;
    return config;
}

/* Adds noise to a part of a weight: elements begin .. end - 1. */
static void disturb(quartic_model *model, const char *name, uint64_t begin, uint64_t end) {
    quartic_model_parameter parameter;
    assert_ok(quartic_model_find_parameter(model, name, &parameter));
    float *numbers = quartic_alloc(parameter.elements, sizeof *numbers);
    assert_ok(quartic_model_read_parameter(model, name, numbers, parameter.elements));
    for (uint64_t i = begin; i < end && i < parameter.elements; ++i)
        numbers[i] += quartic_random_normal(17, 1, i);
    assert_ok(quartic_model_write_parameter(model, name, numbers, parameter.elements));
    quartic_free(numbers);
}

/* Exchanges start as identities, which would hide them. */
static void disturb_exchanges(quartic_model *model) {
    for (uint32_t k = 0; k < quartic_model_parameter_count(model); ++k) {
        quartic_model_parameter parameter;
        assert_ok(quartic_model_get_parameter(model, k, &parameter));
        if (strstr(parameter.name, "talking_heads") != NULL) disturb(model, parameter.name, 0, UINT64_MAX);
    }
}

typedef float stream_maps[LAYERS][B][S][H][N][N];

static void read_maps(quartic_model *model, stream_maps maps) {
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    assert_int_equal(quartic_model_attention_heads(model), S * H);
    readout.attention = &maps[0][0][0][0][0][0];
    assert_ok(quartic_model_inspect(model, B, N, multi_stream_tokens, NULL, &readout));
}

static bool same_stream(stream_maps left, stream_maps right, uint32_t stream, uint32_t layer) {
    bool same = true;
    for (uint32_t b = 0; b < B; ++b)
        same = same && memcmp(left[layer][b][stream], right[layer][b][stream], sizeof left[0][0][0]) == 0;
    return same;
}

/* Changes what belongs to stream 1 alone. With ablated exchange the other streams do not see it, in any bit;
 * with exchange they do. */
static void check_independence(quartic_model_config config, const char *changed, uint64_t elements) {
    static stream_maps before, after;
    for (config.ablate_cross_stream_talking_heads = 0; config.ablate_cross_stream_talking_heads < 2;
         ++config.ablate_cross_stream_talking_heads) {
        const bool ablated = config.ablate_cross_stream_talking_heads != 0;
        quartic_model *model;
        assert_ok(quartic_model_create(device, &config, &model));
        disturb_exchanges(model);
        read_maps(model, before);
        disturb(model, changed, elements, 2 * elements);
        read_maps(model, after);
        for (uint32_t layer = 0; layer < LAYERS; ++layer) {
            assert_false(same_stream(before, after, 1, layer));
            assert_int_equal(same_stream(before, after, 0, layer), ablated);
            assert_int_equal(same_stream(before, after, 2, layer), ablated);
        }
        quartic_model_destroy(model);
    }
}

static void ablated_streams_are_independent(void **state) {
    (void)state;
    quartic_model_config config = multi_stream_config();
    for (config.non_linear_talking_heads = 0; config.non_linear_talking_heads < 2;
         ++config.non_linear_talking_heads) {
        check_independence(config, "emb.token_emb", V * D);
        config.separate_stream_emb = 0;
        check_independence(config, "emb.stream_emb", D);
        config.separate_stream_emb = 1;
        config.parallel_streams = 1;
        check_independence(config, "layers.0.0.to_qkv.0.weight", 3 * H * 4 * D);
        config.parallel_streams = 0;
    }
}

/* At the start every exchange is an identity: the model is the one without exchange. */
static void exchanges_start_as_identities(void **state) {
    (void)state;
    for (uint32_t feedforward = 0; feedforward < 2; ++feedforward) {
        quartic_model_config config = multi_stream_config();
        config.residual_talking_heads = 0, config.non_linear_talking_heads = feedforward;
        quartic_model *with, *without;
        assert_ok(quartic_model_create(device, &config, &with));
        config.pre_talking_heads = config.post_talking_heads = config.non_linear_talking_heads = 0;
        assert_ok(quartic_model_create(device, &config, &without));
        for (uint32_t k = 0; k < quartic_model_parameter_count(without); ++k) {
            quartic_model_parameter parameter;
            assert_ok(quartic_model_get_parameter(without, k, &parameter));
            float *numbers = quartic_alloc(parameter.elements, sizeof *numbers);
            assert_ok(quartic_model_read_parameter(with, parameter.name, numbers, parameter.elements));
            assert_ok(quartic_model_write_parameter(without, parameter.name, numbers, parameter.elements));
            quartic_free(numbers);
        }
        float got[B * N * V], want[B * N * V];
        assert_ok(quartic_model_forward(with, B, N, multi_stream_tokens, NULL, got));
        assert_ok(quartic_model_forward(without, B, N, multi_stream_tokens, NULL, want));
        assert_near("logits", got, want, B * N * V, 1e-6, 1.0, 0.0);
        quartic_model_destroy(with);
        quartic_model_destroy(without);
    }
}

/* Without gradients at most one tensor (b, S H, n, n) lives besides the logits of the layer before; a
 * training step keeps two a layer, and works on three more at a time (and one for the diversity loss). */
static void few_maps_are_stored(void **state) {
    (void)state;
    enum { LENGTH = 256 };
    quartic_model_config config = multi_stream_config();
    config.max_seq_len = LENGTH, config.heads = 4;
    const double map = 4.0 * (double)S * 4 * (double)LENGTH * (double)LENGTH;
    /* Everything else: rows (b S n, ..), and scratch, which the tuned kernels of the CPU need for each thread.
     */
    quartic_device_info info;
    assert_ok(quartic_device_get_info(device, &info));
    const double scratch = info.kind == QUARTIC_DEVICE_CPU ? 1e6 * (double)sysconf(_SC_NPROCESSORS_ONLN) : 0,
                 rest = 0.5 + scratch / map;
    assert_ok(quartic_device_set_workspace_budget(device, 1)); /* nothing more to save barriers */
    for (uint32_t options = 0; options < 32; ++options) {
        config.residual_talking_heads = options & 1;
        config.non_linear_talking_heads = options >> 1 & 1;
        config.ablate_cross_stream_talking_heads = options >> 2 & 1;
        config.parallel_streams = options >> 3 & 1;
        config.diversity_loss = options >> 4 & 1 ? 0.1f : 0.0f;
        config.causal = config.parallel_streams;
        quartic_model *model;
        quartic_program_memory forward, training;
        assert_ok(quartic_model_create(device, &config, &model));
        assert_ok(quartic_model_measure(model, 1, LENGTH, 1, 0, &forward));
        assert_ok(quartic_model_measure(model, 1, LENGTH, 1, 1, &training));
        const double in_forward = (double)forward.workspace_bytes / map,
                     in_training = (double)training.workspace_bytes / map;
        if (in_forward > 1 + config.residual_talking_heads + rest)
            fail_msg("options %u: %.2f maps in a forward pass", options, in_forward);
        if (in_training > 2 * LAYERS + 3 + (options >> 4) + 2 * rest)
            fail_msg("options %u: %.2f maps in a training step", options, in_training);
        quartic_model_destroy(model);
    }
    assert_ok(quartic_device_set_workspace_budget(device, 0));
}

static void models_refuse_what_they_lack(void **state) {
    (void)state;
    quartic_model_config config = multi_stream_config();
    quartic_model *model;
    assert_ok(quartic_model_create(device, &config, &model));
    static float numbers[B * LAYERS * S * H * N * N];
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    readout.edges = numbers;
    assert_int_equal(quartic_model_inspect(model, B, N, multi_stream_tokens, NULL, &readout),
                     QUARTIC_UNSUPPORTED);
    assert_message("asks for edges, which this family has not");
    quartic_model_destroy(model);
    config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = V, config.dim = D, config.depth = LAYERS, config.max_seq_len = N;
    assert_ok(quartic_model_create(device, &config, &model));
    readout.edges = NULL, readout.diversity = numbers;
    assert_int_equal(quartic_model_inspect(model, B, N, multi_stream_tokens, NULL, &readout),
                     QUARTIC_UNSUPPORTED);
    assert_message("a diversity loss of streams");
    quartic_model_destroy(model);
}

/* The loss has the diversity loss in it, with its factor. */
static void diversity_counts_in_the_loss(void **state) {
    (void)state;
    quartic_model_config config = multi_stream_config();
    quartic_model *plain, *model;
    float loss, without, gradient_loss, diversity;
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    readout.diversity = &diversity;
    assert_ok(quartic_model_create(device, &config, &plain));
    config.diversity_loss = 2.5f;
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_model_loss(plain, B, N, multi_stream_tokens, multi_stream_tokens, NULL, &without));
    assert_ok(quartic_model_inspect(plain, B, N, multi_stream_tokens, NULL, &readout));
    assert_ok(quartic_model_loss(model, B, N, multi_stream_tokens, multi_stream_tokens, NULL, &loss));
    assert_ok(
        quartic_model_gradients(model, B, N, multi_stream_tokens, multi_stream_tokens, NULL, &gradient_loss));
    assert_true(diversity < -0.1f);
    const float want = without + 2.5f * diversity;
    assert_near("loss", &loss, &want, 1, 1e-5, 1.0, 0.0);
    assert_near("loss with gradients", &gradient_loss, &want, 1, 1e-5, 1.0, 0.0);
    quartic_model_destroy(plain);
    quartic_model_destroy(model);
}

int multi_stream_tests(const test_device *on) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchange_is_a_matrix_product),  cmocka_unit_test(feedforward_is_its_composition),
        cmocka_unit_test(diversity_is_its_definition),   cmocka_unit_test(ablated_streams_are_independent),
        cmocka_unit_test(exchanges_start_as_identities), cmocka_unit_test(few_maps_are_stored),
        cmocka_unit_test(models_refuse_what_they_lack),  cmocka_unit_test(diversity_counts_in_the_loss),
    };
    return DEVICE_TESTS_RUN(on, &device, tests);
}
