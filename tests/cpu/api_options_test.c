/* api_options_test.c: structs of options in every size that a caller may have been compiled with.
 *
 * For each struct with a struct_size: an earlier size keeps the defaults of what is missing (and nothing
 * beyond it is read: the blocks are exactly so large, for AddressSanitizer to see), a later one is taken if
 * the surplus is zero and refused if it is not, and sizes of no struct are refused, naming the INIT macro. A
 * struct that is all zeros means the defaults or is refused. The last test looks for such structs in the
 * headers.
 */
#include "expect.h"

#include <glob.h>

#include "api_list.h"
#include "base/options.h"
#include "quartic/quartic.h"
#ifdef QUARTIC_TEST_VULKAN
#include "quartic/vulkan.h"
#endif

enum { LENGTH = 3, SURPLUS = 16 };

static quartic_device *device;
static quartic_model *model;
static quartic_trainer *trainer;
static quartic_graph *graph; /* of the call at hand */

static const int32_t tokens[LENGTH] = {0, 4, 2}, targets[LENGTH] = {1, 2, 3};
static const quartic_value none = {0};

/* ---- one call for each struct; the struct may lie in a block of its own size ---- */

static void fill_model_config(void *at) {
    quartic_model_config *config = at;
    config->num_tokens = 5, config->dim = 8, config->depth = 1, config->dim_edges = 4;
}
static quartic_status use_model_config(const void *at) {
    quartic_model *made;
    uint64_t elements;
    char text[8192];
    size_t bytes;
    quartic_status status = quartic_model_create(device, at, &made);
    if (status == QUARTIC_OK) {
        assert_true(quartic_model_get_config(made)->cached_programs == 4); /* derived from 0 */
        quartic_model_destroy(made);
        assert_ok(quartic_model_config_weights(at, &elements));
        assert_ok(quartic_model_config_write_json(at, text, sizeof text, &bytes));
    }
    return status;
}

static void fill_trainer_config(void *at) {
    quartic_trainer_config *config = at;
    config->batch = 1, config->length = LENGTH;
}
static quartic_status use_trainer_config(const void *at) {
    quartic_trainer *made;
    quartic_status status = quartic_trainer_create(model, at, &made);
    if (status == QUARTIC_OK) {
        assert_true(quartic_trainer_get_config(made)->seed == 0);
        assert_true(quartic_trainer_get_config(made)->struct_size == sizeof(quartic_trainer_config));
        quartic_trainer_destroy(made);
        assert_true(quartic_learning_rate(at, 1) > 0.0f);
    }
    return status;
}

static void fill_nothing(void *at) {
    (void)at;
}
static quartic_status use_program_config(const void *at) {
    quartic_program *program;
    quartic_program_memory memory;
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4));
    quartic_graph_output(graph, "y", quartic_exp(graph, x));
    quartic_status status = quartic_program_create(device, graph, at, &program);
    if (status == QUARTIC_OK) {
        quartic_program_destroy(program);
        assert_ok(quartic_program_measure(device, graph, at, &memory));
    }
    return status;
}

static float logits[LENGTH * 5];
static void fill_readout(void *at) {
    ((quartic_model_readout *)at)->logits = logits;
}
static quartic_status use_readout(const void *at) {
    return quartic_model_inspect(model, 1, LENGTH, tokens, NULL, at);
}

static void fill_batch(void *at) {
    quartic_model_batch *batch = at;
    batch->batch = 1, batch->length = LENGTH, batch->tokens = tokens;
}
static quartic_status use_batch(const void *at) {
    return quartic_model_forward_batch(model, at, logits);
}

static void fill_validate(void *at) {
    quartic_validate_config *config = at;
    config->op = "pad", config->case_index = 0;
}
static quartic_status use_validate(const void *at) {
    quartic_check_totals totals;
    quartic_status status = quartic_validate(device, at, &totals);
    return status == QUARTIC_OK ? quartic_check_gradients(at, &totals) : status;
}

/* Sets and takes back: memory is held during the test, so that a struct that is fine is refused for that. */
static void *api_options_give(void *context, size_t bytes, size_t alignment) {
    (void)context;
    (void)bytes;
    (void)alignment;
    return NULL;
}
static void api_options_take(void *context, void *memory, size_t bytes) {
    (void)context;
    (void)memory;
    (void)bytes;
}
static void fill_allocator(void *at) {
    ((quartic_allocator *)at)->allocate = api_options_give;
    ((quartic_allocator *)at)->release = api_options_take;
}
static quartic_status use_allocator(const void *at) {
    quartic_status status = quartic_allocator_set(at);
    assert_int_equal(status, QUARTIC_INVALID_ARGUMENT);
    return strstr(quartic_error_message(), "blocks of memory") != NULL ? QUARTIC_OK : status;
}

static quartic_value api_options_input(const char *name, quartic_dtype dtype, quartic_shape shape) {
    return quartic_graph_input(graph, name, dtype, &shape);
}

static quartic_status use_matmul(const void *at) {
    quartic_value a = api_options_input("a", QUARTIC_FLOAT32, QUARTIC_SHAPE(3, 3));
    quartic_matmul(graph, a, a, at);
    return quartic_graph_status(graph);
}
static quartic_status use_norm_linear(const void *at) {
    quartic_value x = api_options_input("x", QUARTIC_FLOAT32, QUARTIC_SHAPE(2, 3)), out;
    quartic_norm_linear(graph, x, none, &x, 1, at, &out);
    return quartic_graph_status(graph);
}
static void fill_taylor(void *at) {
    ((quartic_taylor_options *)at)->axis = 1;
}
static quartic_status use_taylor(const void *at) {
    quartic_value q = api_options_input("q", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 3, 3, 1, 2));
    quartic_taylor_attention(graph, q, q, q, none, at);
    return quartic_graph_status(graph);
}
static quartic_status use_triangle(const void *at) {
    quartic_value q = api_options_input("q", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 3, 3, 1, 2));
    quartic_triangle_attention(graph, q, q, q, q, none, none, at);
    return quartic_graph_status(graph);
}
static quartic_status use_triple(const void *at) {
    quartic_value q = api_options_input("q", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 3, 3, 1, 2));
    quartic_value bias = api_options_input("bias", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 3, 3, 1));
    quartic_triple_attention(graph, q, q, q, q, q, q, bias, none, at);
    return quartic_graph_status(graph);
}
static quartic_status use_relational(const void *at) {
    quartic_value q = api_options_input("q", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 3, 1, 2));
    quartic_value e = api_options_input("e", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 3, 3, 4));
    quartic_value w = api_options_input("w", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 2, 4));
    quartic_relational_scores(graph, q, q, e, w, w, at);
    return quartic_graph_status(graph);
}
static void fill_edge_softmax(void *at) {
    ((quartic_edge_softmax_options *)at)->nodes = 2;
}
static quartic_status use_edge_softmax(const void *at) {
    quartic_value q = api_options_input("q", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 4, 1, 2));
    quartic_edge_softmax_attention(graph, q, q, q, none, none, at);
    return quartic_graph_status(graph);
}
static quartic_status use_pair_mask(const void *at) {
    quartic_pair_mask(graph, api_options_input("m", QUARTIC_INT32, QUARTIC_SHAPE(1, 3)), at);
    return quartic_graph_status(graph);
}
static quartic_status use_descent(const void *at) {
    quartic_coordinate_descent(graph, api_options_input("s", QUARTIC_FLOAT32, QUARTIC_SHAPE(1, 5)), none, at);
    return quartic_graph_status(graph);
}
static quartic_status use_inputs(const void *at) {
    uint64_t elements = 0;
    assert_ok(quartic_model_config_weights(quartic_model_get_config(model), &elements));
    quartic_value parameters = quartic_graph_parameter(graph, "p", &QUARTIC_SHAPE((uint32_t)elements));
    quartic_value ids = api_options_input("t", QUARTIC_INT32, QUARTIC_SHAPE(1, LENGTH));
    ((quartic_model_inputs *)(uintptr_t)at)->tokens = ids; /* a value is this graph's own */
    quartic_model_append_inputs(model, graph, parameters, at);
    return quartic_graph_status(graph);
}

/* Without Vulkan limits that are fine are refused for that. */
static quartic_status use_device_limits(const void *at) {
    quartic_estimate *estimate;
    quartic_graph_output(graph, "e",
                         quartic_exp(graph, api_options_input("x", QUARTIC_FLOAT32, QUARTIC_SHAPE(4))));
    quartic_status status = quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, at, &estimate);
    quartic_estimate_destroy(estimate);
    return status == QUARTIC_UNSUPPORTED ? QUARTIC_OK : status;
}

#ifdef QUARTIC_TEST_VULKAN
/* Without handles a struct that is fine is refused for these. */
static quartic_status use_vulkan(const void *at) {
    quartic_device *adopted;
    quartic_status status = quartic_vulkan_device_adopt(at, &adopted);
    assert_int_equal(status, QUARTIC_INVALID_ARGUMENT);
    return strstr(quartic_error_message(), "physical_device") != NULL ? QUARTIC_OK : status;
}
#endif

/* On a CPU device a struct that is fine is refused for that. */
static quartic_status use_tune(const void *at) {
    const quartic_status status = quartic_tune(device, graph, at, NULL);
    return status == QUARTIC_UNSUPPORTED ? QUARTIC_OK : status;
}

/* What {0} means. */
typedef enum zero { ZERO_REFUSED, ZERO_IS_DEFAULT } zero;

static const quartic_model_config model_config_init = QUARTIC_MODEL_CONFIG_INIT;
static const quartic_trainer_config trainer_config_init = QUARTIC_TRAINER_CONFIG_INIT;
static const quartic_program_config program_config_init = QUARTIC_PROGRAM_CONFIG_INIT;
static const quartic_device_limits device_limits_init = QUARTIC_DEVICE_LIMITS_INIT;
static const quartic_model_readout model_readout_init = QUARTIC_MODEL_READOUT_INIT;
static const quartic_model_batch model_batch_init = QUARTIC_MODEL_BATCH_INIT;
static const quartic_model_inputs model_inputs_init = QUARTIC_MODEL_INPUTS_INIT;
static const quartic_validate_config validate_config_init = QUARTIC_VALIDATE_CONFIG_INIT;
static const quartic_tune_config tune_config_init = QUARTIC_TUNE_CONFIG_INIT;
static const quartic_allocator allocator_init = QUARTIC_ALLOCATOR_INIT;
static const quartic_matmul_options matmul_options_init = QUARTIC_MATMUL_OPTIONS_INIT;
static const quartic_norm_linear_options norm_linear_options_init = QUARTIC_NORM_LINEAR_OPTIONS_INIT;
static const quartic_taylor_options taylor_options_init = QUARTIC_TAYLOR_OPTIONS_INIT;
static const quartic_triangle_options triangle_options_init = QUARTIC_TRIANGLE_OPTIONS_INIT;
static const quartic_triple_options triple_options_init = QUARTIC_TRIPLE_OPTIONS_INIT;
static const quartic_relational_options relational_options_init = QUARTIC_RELATIONAL_OPTIONS_INIT;
static const quartic_edge_softmax_options edge_softmax_options_init = QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT;
static const quartic_pair_mask_options pair_mask_options_init = QUARTIC_PAIR_MASK_OPTIONS_INIT;
static const quartic_coordinate_descent_options coordinate_descent_options_init =
    QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT;
#ifdef QUARTIC_TEST_VULKAN
static const quartic_vulkan_config vulkan_config_init = QUARTIC_VULKAN_CONFIG_INIT;
#endif

typedef struct options_case {
    const char *name, *init_name;
    const void *init;
    size_t size, earlier; /* earlier: the offset of the last member, or of the first that need not be set */
    void (*fill)(void *at);
    quartic_status (*use)(const void *at);
    zero zero;
} options_case;

#define CASE(name, init_name, earlier, fill, use, zero)                                                      \
    {                                                                                                        \
        "quartic_" #name, init_name, &name##_init, sizeof(quartic_##name),                                   \
            offsetof(quartic_##name, earlier), fill, use, zero                                               \
    }

static const options_case cases[] = {
    CASE(model_config, "QUARTIC_MODEL_CONFIG_INIT", weights, fill_model_config, use_model_config,
         ZERO_REFUSED),
    CASE(trainer_config, "QUARTIC_TRAINER_CONFIG_INIT", seed, fill_trainer_config, use_trainer_config,
         ZERO_REFUSED),
    CASE(program_config, "QUARTIC_PROGRAM_CONFIG_INIT", workspace, fill_nothing, use_program_config,
         ZERO_REFUSED),
    CASE(device_limits, "QUARTIC_DEVICE_LIMITS_INIT", barrier_seconds, fill_nothing, use_device_limits,
         ZERO_REFUSED),
    CASE(model_readout, "QUARTIC_MODEL_READOUT_INIT", attention, fill_readout, use_readout, ZERO_REFUSED),
    CASE(model_batch, "QUARTIC_MODEL_BATCH_INIT", mask, fill_batch, use_batch, ZERO_REFUSED),
    CASE(model_inputs, "QUARTIC_MODEL_INPUTS_INIT", edge_types, fill_nothing, use_inputs, ZERO_IS_DEFAULT),
    CASE(validate_config, "QUARTIC_VALIDATE_CONFIG_INIT", callback, fill_validate, use_validate,
         ZERO_REFUSED),
    CASE(tune_config, "QUARTIC_TUNE_CONFIG_INIT", callback, fill_nothing, use_tune, ZERO_REFUSED),
    CASE(allocator, "QUARTIC_ALLOCATOR_INIT", context, fill_allocator, use_allocator, ZERO_REFUSED),
    CASE(matmul_options, "QUARTIC_MATMUL_OPTIONS_INIT", alpha, fill_nothing, use_matmul, ZERO_REFUSED),
    CASE(norm_linear_options, "QUARTIC_NORM_LINEAR_OPTIONS_INIT", alpha, fill_nothing, use_norm_linear,
         ZERO_REFUSED),
    CASE(taylor_options, "QUARTIC_TAYLOR_OPTIONS_INIT", block, fill_taylor, use_taylor, ZERO_REFUSED),
    CASE(triangle_options, "QUARTIC_TRIANGLE_OPTIONS_INIT", scale, fill_nothing, use_triangle, ZERO_REFUSED),
    CASE(triple_options, "QUARTIC_TRIPLE_OPTIONS_INIT", scale, fill_nothing, use_triple, ZERO_REFUSED),
    CASE(relational_options, "QUARTIC_RELATIONAL_OPTIONS_INIT", form, fill_nothing, use_relational,
         ZERO_REFUSED),
    CASE(edge_softmax_options, "QUARTIC_EDGE_SOFTMAX_OPTIONS_INIT", causal, fill_edge_softmax,
         use_edge_softmax, ZERO_REFUSED),
    CASE(pair_mask_options, "QUARTIC_PAIR_MASK_OPTIONS_INIT", nodes, fill_nothing, use_pair_mask,
         ZERO_IS_DEFAULT),
    CASE(coordinate_descent_options, "QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT", eps_decay, fill_nothing,
         use_descent, ZERO_REFUSED),
#ifdef QUARTIC_TEST_VULKAN
    CASE(vulkan_config, "QUARTIC_VULKAN_CONFIG_INIT", optional, fill_nothing, use_vulkan, ZERO_REFUSED),
#endif
};
enum { CASES = sizeof cases / sizeof cases[0] };

/* ---- tests ---- */

/* Uses a copy of a whole struct with that struct_size in a block of `bytes`; what is beyond the struct is
 * `surplus`. */
static quartic_status try_size(const options_case *c, size_t struct_size, size_t bytes, int surplus) {
    unsigned char *whole = malloc(c->size), *block = malloc(bytes);
    assert_true(whole != NULL && block != NULL);
    memcpy(whole, c->init, c->size);
    c->fill(whole);
    memcpy(whole, &struct_size, sizeof struct_size);
    memset(block, surplus, bytes);
    memcpy(block, whole, bytes < c->size ? bytes : c->size);
    assert_ok(quartic_graph_create(&graph));
    quartic_status status = c->use(block);
    quartic_graph_destroy(graph);
    free(block);
    free(whole);
    return status;
}

static void expect_message(const options_case *c, const char *part) {
    if (strstr(quartic_error_message(), part) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", c->name, quartic_error_message(), part);
}

static void the_defaults_work(void **state) {
    (void)state;
    for (uint32_t k = 0; k < CASES; ++k) {
        size_t struct_size;
        memcpy(&struct_size, cases[k].init, sizeof struct_size);
        assert_int_equal(struct_size, cases[k].size);
        assert_ok(try_size(&cases[k], cases[k].size, cases[k].size, 0));
    }
}

static void earlier_sizes_keep_the_defaults(void **state) {
    (void)state;
    for (uint32_t k = 0; k < CASES; ++k) {
        assert_true(cases[k].earlier < cases[k].size);
        assert_ok(try_size(&cases[k], cases[k].earlier, cases[k].earlier, 0));
    }
}

static void later_sizes_are_taken_without_new_settings_only(void **state) {
    (void)state;
    for (uint32_t k = 0; k < CASES; ++k) {
        const options_case *c = &cases[k];
        assert_ok(try_size(c, c->size + SURPLUS, c->size + SURPLUS, 0));
        assert_int_equal(try_size(c, c->size + SURPLUS, c->size + SURPLUS, 1), QUARTIC_INVALID_ARGUMENT);
        expect_message(c, "newer header");
        expect_message(c, c->name);
    }
}

static void other_sizes_are_refused(void **state) {
    (void)state;
    static const size_t wrong[] = {1, 7, SIZE_MAX, SIZE_MAX / 2, (size_t)1 << 20};
    for (uint32_t k = 0; k < CASES; ++k)
        for (uint32_t w = 0; w < sizeof wrong / sizeof wrong[0]; ++w) {
            assert_int_equal(try_size(&cases[k], wrong[w], cases[k].size, 0), QUARTIC_INVALID_ARGUMENT);
            expect_message(&cases[k], "struct_size");
            expect_message(&cases[k], cases[k].init_name);
        }
}

static void all_zeros_are_the_defaults_or_refused(void **state) {
    (void)state;
    for (uint32_t k = 0; k < CASES; ++k) {
        void *zeros = calloc(1, cases[k].size);
        assert_non_null(zeros);
        assert_ok(quartic_graph_create(&graph));
        quartic_status status = cases[k].use(zeros);
        if (status != (cases[k].zero == ZERO_IS_DEFAULT ? QUARTIC_OK : QUARTIC_INVALID_ARGUMENT))
            fail_msg("%s {0}: %s: %s", cases[k].name, quartic_status_name(status), quartic_error_message());
        quartic_graph_destroy(graph);
        free(zeros);
    }
}

/* Options without struct_size but with members, as {.member = ..} leaves them, are read as they stand. */
static void options_written_without_the_macro_are_read(void **state) {
    (void)state;
    assert_ok(quartic_graph_create(&graph));
    const quartic_triangle_options triangle = {.scale = 0.5f};
    assert_ok(use_triangle(&triangle));
    quartic_graph_destroy(graph);
    assert_ok(quartic_graph_create(&graph));
    const quartic_taylor_options taylor = {.axis = 3};
    assert_int_equal(use_taylor(&taylor), QUARTIC_INVALID_ARGUMENT);
    expect_message(&cases[0], "axis 3");
    quartic_graph_destroy(graph);
}

/* A factor of 0, or none at all, is refused also where struct_size is set. */
static void factors_of_nothing_are_refused(void **state) {
    (void)state;
    static const float factors[] = {0.0f, -0.0f, (float)(1e30 * 1e30), -(float)(1e30 * 1e30)};
    for (uint32_t k = 0; k < 4; ++k) {
        quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
        quartic_norm_linear_options linear = QUARTIC_NORM_LINEAR_OPTIONS_INIT;
        quartic_triangle_options triangle = QUARTIC_TRIANGLE_OPTIONS_INIT;
        quartic_triple_options triple = QUARTIC_TRIPLE_OPTIONS_INIT;
        quartic_relational_options relational = QUARTIC_RELATIONAL_OPTIONS_INIT;
        product.alpha = linear.alpha = triangle.scale = triple.scale = relational.scale = factors[k];
        const void *const options[] = {&product, &linear, &triangle, &triple, &relational};
        quartic_status (*const use[])(const void *) = {use_matmul, use_norm_linear, use_triangle, use_triple,
                                                       use_relational};
        for (uint32_t u = 0; u < sizeof use / sizeof use[0]; ++u) {
            assert_ok(quartic_graph_create(&graph));
            assert_int_equal(use[u](options[u]), QUARTIC_INVALID_ARGUMENT);
            expect_message(&cases[0], u < 2 ? "alpha" : "scale");
            quartic_graph_destroy(graph);
        }
    }
}

/* A caller's configuration that has no room for a setting is not written beyond its end. */
static void settings_beyond_the_callers_struct_are_refused(void **state) {
    (void)state;
    enum { SIZE = offsetof(quartic_model_config, num_streams) };
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    unsigned char *rest = (unsigned char *)&config + SIZE, untouched[sizeof config - SIZE];
    config.struct_size = SIZE;
    memset(rest, 0x5a, sizeof config - SIZE);
    memset(untouched, 0x5a, sizeof untouched);
    assert_ok(quartic_model_config_read_json(&config, "{\"dim\": 16, \"num_tokens\": 7}"));
    assert_int_equal(config.dim, 16);
    assert_int_equal(config.struct_size, SIZE);
    assert_int_equal(quartic_model_config_read_json(&config, "{\"dim\": 24, \"num_streams\": 3}"),
                     QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(config.dim, 16);
    assert_memory_equal(rest, untouched, sizeof untouched);
}

/* ---- which structs there are ---- */

static void every_struct_with_a_size_is_in_the_table_and_has_its_macro(void **state) {
    (void)state;
    static char text[1 << 18];
    uint32_t found = 0;
    glob_t headers;
    assert_int_equal(glob(QUARTIC_TEST_SOURCE "/include/quartic/*.h", 0, NULL, &headers), 0);
    assert_true(headers.gl_pathc > 10);
    for (size_t h = 0; h < headers.gl_pathc; ++h) {
        FILE *file = fopen(headers.gl_pathv[h], "rb");
        assert_non_null(file);
        text[fread(text, 1, sizeof text - 1, file)] = 0;
        fclose(file);
        for (char *at = strstr(text, "typedef struct quartic_"); at != NULL;
             at = strstr(at + 1, "typedef struct quartic_")) {
            char name[API_NAME];
            const char *brace = strchr(at, '{'), *line = strchr(at, '\n');
            if (brace == NULL || brace > line) continue; /* an opaque handle */
            sscanf(at, "typedef struct %63s", name);
            const bool sized = strncmp(line + 1, "    size_t struct_size;", 23) == 0;
            const size_t length = strlen(name);
            const bool options = (length > 8 && strcmp(name + length - 8, "_options") == 0) ||
                                 (length > 7 && strcmp(name + length - 7, "_config") == 0);
            if (options && !sized) fail_msg("%s does not begin with struct_size", name);
#ifndef QUARTIC_TEST_VULKAN
            if (strstr(headers.gl_pathv[h], "/vulkan.h") != NULL) continue;
#endif
            if (!sized) continue;
            ++found;
            uint32_t k = 0;
            while (k < CASES && strcmp(cases[k].name, name) != 0) ++k;
            if (k == CASES) fail_msg("the table lacks %s", name);
            if (strstr(text, cases[k].init_name) == NULL) fail_msg("%s has no %s", name, cases[k].init_name);
        }
    }
    globfree(&headers);
    assert_int_equal(found, CASES);
}

static int api_options_begin(void **state) {
    (void)state;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    fill_model_config(&config);
    fill_trainer_config(&training);
    return quartic_device_create("cpu", &device) != QUARTIC_OK ||
           quartic_model_create(device, &config, &model) != QUARTIC_OK ||
           quartic_trainer_create(model, &training, &trainer) != QUARTIC_OK ||
           quartic_trainer_step(trainer, tokens, targets, NULL, NULL) != QUARTIC_OK;
}

static int api_options_end(void **state) {
    (void)state;
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_work),
        cmocka_unit_test(earlier_sizes_keep_the_defaults),
        cmocka_unit_test(later_sizes_are_taken_without_new_settings_only),
        cmocka_unit_test(other_sizes_are_refused),
        cmocka_unit_test(all_zeros_are_the_defaults_or_refused),
        cmocka_unit_test(options_written_without_the_macro_are_read),
        cmocka_unit_test(factors_of_nothing_are_refused),
        cmocka_unit_test(settings_beyond_the_callers_struct_are_refused),
        cmocka_unit_test(every_struct_with_a_size_is_in_the_table_and_has_its_macro),
    };
    return cmocka_run_group_tests(tests, api_options_begin, api_options_end);
}
