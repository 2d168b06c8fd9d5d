/* nn_config_test.c: the model's and trainer's configurations: JSON, ranges, suggestions, derived values. */
#include "expect.h"

#include <math.h>

#include "failing_alloc.h"
#include "base/alloc.h"
#include "quartic/model.h"
#include "quartic/train.h"
#include "train/trainer.h"

#define SMALL "\"num_tokens\": 13, \"dim\": 16, \"depth\": 2"

static void nn_config_assert_says(const char *part) {
    if (strstr(quartic_error_message(), part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", quartic_error_message(), part);
}

static void reads_every_kind(void **state) {
    (void)state;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    assert_int_equal(quartic_model_config_read_json(
                         &config,
                         "{" SMALL ", \"causal\": true, \"dropout\": 0.25, \"edge_attention\": \"none\", "
                         "\"dim_edges\": null}"),
                     QUARTIC_OK);
    assert_int_equal(config.num_tokens, 13);
    assert_int_equal(config.depth, 2);
    assert_int_equal(config.causal, 1);
    assert_true(config.dropout == 0.25f);
    assert_int_equal(config.edge_attention, QUARTIC_EDGE_ATTENTION_NONE);
    assert_int_equal(config.dim_edges, 0);
    assert_int_equal(config.heads, 8); /* what is not said keeps its default */
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
}

/* Each text is refused with its status and a message holding the part; the configuration stays as it was. */
static void refuses_with_a_message(void **state) {
    (void)state;
    static const struct {
        const char *text;
        quartic_status status;
        const char *part;
    } cases[] = {
        {"{\"head\": 4}", QUARTIC_INVALID_ARGUMENT, "did you mean \"heads\"?"},
        {"{\"dim_hedges\": 4}", QUARTIC_INVALID_ARGUMENT, "did you mean \"dim_edges\"?"},
        {"{\"qqqqqqqqqqqq\": 4}", QUARTIC_INVALID_ARGUMENT, "has no key \"qqqqqqqqqqqq\""},
        {"{\"dim\": \"16\"}", QUARTIC_INVALID_ARGUMENT,
         "\"dim\" of the model's configuration has the wrong type"},
        {"{\"dim\": 16.0}", QUARTIC_INVALID_ARGUMENT, "wrong type"},
        {"{\"causal\": 1}", QUARTIC_INVALID_ARGUMENT, "true or false"},
        {"{\"heads\": 0}", QUARTIC_INVALID_ARGUMENT,
         "\"heads\" of the model's configuration is 0; it must be an integer from 1 to 1024"},
        {"{\"dim\": -1}", QUARTIC_INVALID_ARGUMENT, "is -1; it must be an integer from 1 to 65536"},
        {"{\"dim\": 4294967297}", QUARTIC_INVALID_ARGUMENT, "from 1 to 65536"},
        {"{\"dropout\": 1}", QUARTIC_INVALID_ARGUMENT, "a number from 0 to below 1"},
        {"{\"edge_attention\": \"axal\"}", QUARTIC_INVALID_ARGUMENT, "did you mean \"axial\"?"},
        {"{\"edge_attention\": [\"full\", \"rooted\"]}", QUARTIC_INVALID_ARGUMENT,
         "did you mean \"routed\"?"},
        {"{\"edge_attention\": []}", QUARTIC_INVALID_ARGUMENT,
         "is a list of 0; a list has 1 to 4096 entries"},
        {"{\"edge_attention\": [\"full\", 3]}", QUARTIC_INVALID_ARGUMENT, "wrong type"},
        {"{\"edge_attention\": 3}", QUARTIC_INVALID_ARGUMENT, "\"triple\", or a list of 1 to 4096 of them"},
        {"{\"routed_eps\": 0}", QUARTIC_INVALID_ARGUMENT, "routed_eps"},
        {"{\"compatibility\": 3}", QUARTIC_INVALID_ARGUMENT, "\"default\" or \"reference\""},
        {"{\"dim\": 1, \"dim\": 2}", QUARTIC_FORMAT, "no JSON"},
        {"{\"dim\": 1", QUARTIC_FORMAT, "line 1"},
        {"[1]", QUARTIC_FORMAT, "must be a JSON object"},
        {"{\"heads\": 4, \"depth\": true}", QUARTIC_INVALID_ARGUMENT, "depth"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
        const quartic_model_config before = config;
        assert_int_equal(quartic_model_config_read_json(&config, cases[k].text), cases[k].status);
        nn_config_assert_says(cases[k].part);
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void check_asks_for_what_has_no_default(void **state) {
    (void)state;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("must say \"dim\"");
    config.dim = 4, config.depth = 1;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("must say \"num_tokens\"");
    config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 5, config.dim = 4, config.depth = 1, config.causal = 2;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("\"causal\"");
    config.causal = 0;
    config.struct_size = 7;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("struct_size 7");
}

static void reference_has_no_diagonal_attention(void **state) {
    (void)state;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    assert_int_equal(quartic_model_config_read_json(&config, "{" SMALL ", \"compatibility\": \"reference\"}"),
                     QUARTIC_OK);
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("edges_diagonal_attn");
    config.edges_diagonal_attn = 0;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
}

static quartic_model_config config_of(const char *text);

/* Every switch and choice with every family: taken, or refused by its name. */
static void options_that_nothing_reads_are_refused(void **state) {
    (void)state;
    enum { Q = 1, R = 2, M = 4 };
    static const struct {
        const char *json;
        unsigned takes; /* families */
        const char *part;
    } cases[] = {
        {"\"ablate_edges\": true", Q, "\"ablate_edges\" true for"},
        {"\"static_edges\": true", Q, "\"static_edges\" true for"},
        {"\"hyper_connections\": \"unmixed\"", Q, "\"hyper_connections\" \"unmixed\" for"},
        {"\"hyper_connections\": \"unmixed\", \"num_residual_streams\": 1", Q, "for \"quartic\""},
        {"\"edges_diagonal_attn\": false", Q | R, "\"edges_diagonal_attn\" false for"},
        {"\"edge_attention\": \"axial\"", Q | R, "which has no edges"},
        {"\"edge_attention\": \"taylor\"", Q | R, "\"edge_attention\" \"taylor\" for"},
        {"\"edge_attention\": \"full\"", Q | R, "which has no edges"},
        {"\"edge_attention\": \"routed\", \"num_routed\": 3", Q | R, "which has no edges"},
        {"\"edge_attention\": \"triangle\"", Q | R, "which has no edges"},
        {"\"edge_attention\": [\"none\", \"triangle-multiply\"]", Q | R, "\"triangle-multiply\" for"},
        {"\"edge_attention\": \"triple\"", Q | R, "\"triple\" for"},
        {"\"edge_attention\": [\"triple\", \"none\"]", Q | R, "which has no edges"},
        {"\"edge_attention\": \"none\"", Q | R | M, ""},
        {"\"edge_attention\": [\"none\", \"none\"]", Q | R | M, ""},
        {"\"triangle_directions\": \"through\"", Q | R, "triangle_directions"},
        {"\"triangle_directions\": [\"through\", \"incoming\"]", Q | R, "\"triangle_directions\" a list"},
        {"\"triangle_directions\": \"through\", \"edge_attention\": \"triangle-multiply\"", Q | R,
         "triangle_directions"},
        {"\"triangle_orientation\": \"alphafold\"", Q | R, "triangle_orientation"},
        {"\"triangle_orientation\": \"alphafold\", \"edge_attention\": [\"axial\", \"triangle-start-end\"]",
         Q | R, "\"alphafold\" for"},
        {"\"num_streams\": 3", M, "\"num_streams\" 3 for"},
        {"\"parallel_streams\": true", M, "\"parallel_streams\" true for"},
        {"\"parallel_streams\": true, \"stream_skip\": false", M, "it is for \"multi-stream\""},
        {"\"stream_skip\": false", 0, "\"stream_skip\" false"},
        {"\"separate_stream_emb\": false", M, "\"separate_stream_emb\" false for"},
        {"\"separate_stream_emb\": false, \"parallel_streams\": true", 0, "parallel_streams"},
        {"\"pre_talking_heads\": false", M, "\"pre_talking_heads\" false for"},
        {"\"post_talking_heads\": false", M, "\"post_talking_heads\" false for"},
        {"\"non_linear_talking_heads\": true", M, "\"non_linear_talking_heads\" true for"},
        {"\"non_linear_talking_heads\": true, \"pre_talking_heads\": false", M, "for \"model\""},
        {"\"residual_talking_heads\": true", M, "\"residual_talking_heads\" true for"},
        {"\"non_linear_talking_heads\": true, \"pre_talking_heads\": false, \"post_talking_heads\": false", 0,
         "talking_heads\""},
        {"\"ablate_cross_stream_talking_heads\": true", M, "talking_heads"},
        {"\"ablate_cross_stream_talking_heads\": true, \"pre_talking_heads\": false, \"post_talking_heads\": "
         "false",
         0, "talking_heads\""},
        {"\"diversity_loss\": 0.5", M, "\"diversity_loss\" 0.5 for"},
        {"\"readout\": \"graph\"", Q | R, "\"readout\""},
        {"\"positions\": false", Q | R, "\"positions\""},
        {"\"num_classes\": 3", Q | R, "\"num_classes\""},
        {"\"num_edge_types\": 3", Q | R, "\"num_edge_types\""},
        {"\"dim_edge_features\": 3", Q | R, "\"dim_edge_features\""},
        {"\"causal\": true, \"dropout\": 0.1, \"compatibility\": \"default\", \"ff_mult\": 2", Q | R | M, ""},
        /* Sizes may serve several models. */
        {"\"num_residual_streams\": 2, \"dim_edges\": 8, \"linear_heads\": 2, \"edge_heads\": 3", Q | R | M,
         ""},
        /* In themselves at odds. */
        {"\"ablate_edges\": true, \"edge_attention\": \"triangle\"", 0, "ablate_edges"},
        {"\"ablate_edges\": true, \"edge_attention\": [\"axial\", \"full\"]", 0, "ablate_edges"},
        {"\"ablate_edges\": true, \"edge_attention\": \"axial\"", Q, "ablate_edges"},
        {"\"ablate_edges\": true, \"edge_attention\": \"none\"", Q, "ablate_edges"},
        {"\"ablate_edges\": true, \"static_edges\": true", 0, "ablate_edges"},
        {"\"static_edges\": true, \"edge_attention\": \"taylor\"", 0, "static_edges"},
        {"\"static_edges\": true, \"edge_attention\": \"triple\"", 0, "static_edges"},
    };
    static const char *const family_names[] = {"quartic", "relational", "multi-stream"};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k)
        for (unsigned family = 0; family < 3; ++family) {
            char text[512];
            snprintf(text, sizeof text, "{%s, \"model\": \"%s\", %s}", SMALL, family_names[family],
                     cases[k].json);
            quartic_model_config config = config_of(text);
            const bool taken = cases[k].takes >> family & 1u;
            if ((quartic_model_config_check(&config) == QUARTIC_OK) != taken)
                fail_msg("%s is %s: %s", text, taken ? "refused" : "taken",
                         taken ? quartic_error_message() : "");
            if (!taken) nn_config_assert_says(cases[k].part);
        }
}

static quartic_model_config config_of(const char *text) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    if (quartic_model_config_read_json(&config, text) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    return config;
}

/* A list has one form for each layer; one word is for all of them; they come back as they were. */
static void forms_of_edge_attention_are_listed_by_layer(void **state) {
    (void)state;
    quartic_model_config config = config_of("{" SMALL ", \"edge_attention\": [\"full\", \"default\"]}");
    assert_int_equal(config.edge_attention_count, 2);
    assert_int_equal(config.edge_attention_list[0], QUARTIC_EDGE_ATTENTION_FULL);
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
    char text[4096];
    assert_int_equal(quartic_model_config_write_json(&config, text, sizeof text, NULL), QUARTIC_OK);
    assert_non_null(strstr(text, "\"edge_attention\": [\"full\", \"default\"]"));
    const quartic_model_config again = config_of(text);
    assert_memory_equal(&config, &again, sizeof config);
    config.depth = 3;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("lists 2 forms for a \"depth\" of 3 layers");
    config.depth = 2, config.edge_attention_list[1] = 200;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("is 200");
    config.edge_attention_count = 4097;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("4097");
    /* A word read over a list takes its place. */
    assert_int_equal(quartic_model_config_read_json(&config, "{\"edge_attention\": \"taylor\"}"), QUARTIC_OK);
    assert_int_equal(config.edge_attention_count, 0);
    assert_int_equal(config.edge_attention, QUARTIC_EDGE_ATTENTION_TAYLOR);
}

static void passes_of_triangles_are_listed_once(void **state) {
    (void)state;
    quartic_model_config config =
        config_of("{" SMALL ", \"triangle_directions\": [\"incoming\", \"through\"], "
                  "\"triangle_orientation\": \"alphafold\", \"edge_attention\": \"triangle_multiply\"}");
    assert_int_equal(config.edge_attention, QUARTIC_EDGE_ATTENTION_TRIANGLE_MULTIPLY);
    assert_int_equal(config.triangle_directions_count, 2);
    assert_int_equal(config.triangle_directions_list[0], QUARTIC_TRIANGLE_PASSES_INCOMING);
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
    config.triangle_directions_list[1] = QUARTIC_TRIANGLE_PASSES_INCOMING;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("a direction twice");
    config.triangle_directions_list[1] = QUARTIC_TRIANGLE_PASSES_ALL;
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("\"all\" among others");
}

static void every_form_may_be_causal(void **state) {
    (void)state;
    quartic_model_config config = config_of("{" SMALL ", \"causal\": true}");
#define EXPECT_CAUSAL(suffix, name)                                                                          \
    config.edge_attention = QUARTIC_EDGE_ATTENTION_##suffix;                                                 \
    assert_int_equal(quartic_model_config_check(&config), QUARTIC_OK);
    for (int family = QUARTIC_MODEL_QUARTIC; family <= QUARTIC_MODEL_RELATIONAL; ++family) {
        config.model = (quartic_model_family)family;
        QUARTIC_EDGE_ATTENTION_LIST(EXPECT_CAUSAL)
    }
#undef EXPECT_CAUSAL
}

static void json_comes_back(void **state) {
    (void)state;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT, again = QUARTIC_MODEL_CONFIG_INIT;
    assert_int_equal(quartic_model_config_read_json(
                         &config, "{" SMALL ", \"dropout\": 0.1, \"heads\": 3, \"causal\": true}"),
                     QUARTIC_OK);
    char text[4096];
    size_t bytes = 0;
    assert_int_equal(quartic_model_config_write_json(&config, NULL, 0, &bytes), QUARTIC_OK);
    assert_true(bytes > 100 && bytes <= sizeof text);
    assert_int_equal(quartic_model_config_write_json(&config, text, bytes - 1, NULL),
                     QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_model_config_write_json(&config, text, bytes, NULL), QUARTIC_OK);
    assert_int_equal(strlen(text) + 1, bytes);
    assert_int_equal(quartic_model_config_read_json(&again, text), QUARTIC_OK);
    assert_true(again.dropout == 0.1f && again.heads == 3 && again.causal == 1 && again.dim == 16);
    char second[4096];
    assert_int_equal(quartic_model_config_write_json(&again, second, sizeof second, NULL), QUARTIC_OK);
    assert_string_equal(text, second);
}

static void files_are_read_or_refused(void **state) {
    (void)state;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    assert_int_equal(quartic_model_config_read_json_file(&config, "no-such-file.json"), QUARTIC_IO);
    nn_config_assert_says("no-such-file.json");
    FILE *file = fopen("nn_config_test.json", "w");
    assert_non_null(file);
    fputs("{" SMALL "}", file);
    fclose(file);
    assert_int_equal(quartic_model_config_read_json_file(&config, "nn_config_test.json"), QUARTIC_OK);
    assert_int_equal(config.dim, 16);
    /* What is wrong in a file is told with the file's name, be it the syntax, a key or a value. */
    static const struct {
        const char *text, *message;
    } wrong[] = {
        {"{\n\"dim\": }", "\"nn_config_test.json\": the model's configuration is no JSON: line 2, column 8"},
        {"{\"dimm\": 8}", "\"nn_config_test.json\": the model's configuration has no key \"dimm\""},
        {"{\"dropout\": 2}", "\"nn_config_test.json\": \"dropout\" of the model's configuration is 2"},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k) {
        file = fopen("nn_config_test.json", "w");
        assert_non_null(file);
        fputs(wrong[k].text, file);
        fclose(file);
        assert_true(quartic_model_config_read_json_file(&config, "nn_config_test.json") != QUARTIC_OK);
        assert_message(wrong[k].message);
    }
    remove("nn_config_test.json");
}

static void trainer_settings_have_ranges(void **state) {
    (void)state;
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT, whole;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("must say \"batch\"");
    config.batch = 2, config.length = 8;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_OK);
    config.beta2 = 1.0f;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("beta2");
    config.beta2 = 0.9f, config.warmup_steps = 10, config.total_steps = 5;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_INVALID_ARGUMENT);
    config.total_steps = 0, config.batch = 1 << 20, config.length = 65536;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("2147483647");
}

/* Every real setting: NaN, infinities and what lies outside its range, by name. */
static void settings_that_cannot_work_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t offset;
        float values[6];
    } cases[] = {
        {"learning_rate", offsetof(quartic_trainer_config, learning_rate), {-1e-9f, 1001.0f}},
        {"final_learning_rate", offsetof(quartic_trainer_config, final_learning_rate), {-1.0f, 1e30f}},
        {"beta1", offsetof(quartic_trainer_config, beta1), {-0.1f, 1.0f, 2.0f}},
        {"beta2", offsetof(quartic_trainer_config, beta2), {-0.1f, 1.0f, 2.0f}},
        {"eps", offsetof(quartic_trainer_config, eps), {0.0f, -1e-8f, 1e-20f, 1e-40f, 1e-45f, 2.0f}},
        {"weight_decay", offsetof(quartic_trainer_config, weight_decay), {-0.01f, 1e4f}},
        {"clip", offsetof(quartic_trainer_config, clip), {-1.0f, 1e10f}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c)
        for (uint32_t k = 0; k < 9; ++k) {
            static const float never[] = {NAN, INFINITY, -INFINITY};
            const float value = k < 3 ? never[k] : cases[c].values[k - 3];
            if (k > 3 && value == 0.0f) continue; /* no further value */
            quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT, whole;
            config.batch = 2, config.length = 8;
            memcpy((char *)&config + cases[c].offset, &value, sizeof value);
            if (quartic_trainer_config_take(&config, &whole) != QUARTIC_INVALID_ARGUMENT)
                fail_msg("%s %g is taken", cases[c].name, (double)value);
            nn_config_assert_says(cases[c].name);
        }
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT, whole;
    config.batch = 2, config.length = 8, config.eps = 1e-18f;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_OK);
    config.accumulation = 0;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("accumulation");
    config.accumulation = 1, config.warmup_steps = 11, config.total_steps = 10;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("total_steps 10 ends before the warm-up of 11 steps");
    config.masked = 2, config.warmup_steps = 0;
    assert_int_equal(quartic_trainer_config_take(&config, &whole), QUARTIC_INVALID_ARGUMENT);
    nn_config_assert_says("masked");
}

static void rate_warms_up_and_falls(void **state) {
    (void)state;
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.learning_rate = 1.0f, config.final_learning_rate = 0.5f, config.warmup_steps = 4,
    config.total_steps = 12;
    assert_true(quartic_learning_rate(&config, 1) == 0.25f);
    assert_true(quartic_learning_rate(&config, 4) == 1.0f);
    assert_true(quartic_learning_rate(&config, 8) == 0.75f); /* half way down the cosine */
    assert_true(quartic_learning_rate(&config, 12) == 0.5f);
    assert_true(quartic_learning_rate(&config, 1000) == 0.5f);
    config.total_steps = 0;
    assert_true(quartic_learning_rate(&config, 1000) == 1.0f);
    config.warmup_steps = 0;
    assert_true(quartic_learning_rate(&config, 1) == 1.0f);
}

static void refused_settings_have_no_rate(void **state) {
    (void)state;
    quartic_trainer_config config = QUARTIC_TRAINER_CONFIG_INIT;
    config.learning_rate = NAN;
    assert_true(quartic_learning_rate(&config, 1) == 0.0f);
    nn_config_assert_says("\"learning_rate\" of the trainer's configuration is nan");
    config.learning_rate = 1.0f, config.warmup_steps = 11, config.total_steps = 10;
    assert_true(quartic_learning_rate(&config, 1) == 0.0f);
    nn_config_assert_says("total_steps 10 ends before the warm-up of 11 steps");
    config.warmup_steps = 0, config.beta1 = 1.0f;
    assert_true(quartic_learning_rate(&config, 1) == 0.0f);
    nn_config_assert_says("is 1; it must be a number from 0 to 0.9999999"); /* not "to 1" */
}

static void batches_are_windows_of_the_data(void **state) {
    (void)state;
    enum { COUNT = 50, ROWS = 64, LENGTH = 7 };
    int32_t data[COUNT], tokens[ROWS * LENGTH], targets[ROWS * LENGTH], again[ROWS * LENGTH],
        next[ROWS * LENGTH];
    for (int32_t i = 0; i < COUNT; ++i) data[i] = i;
    assert_int_equal(quartic_batch_sample(data, COUNT, 9, 3, ROWS, LENGTH, tokens, targets), QUARTIC_OK);
    uint32_t first_start = 0, last_start = 0;
    for (uint32_t row = 0; row < ROWS; ++row) {
        const int32_t *at = tokens + row * LENGTH;
        assert_true(at[0] >= 0 && at[0] <= COUNT - LENGTH - 1);
        first_start += at[0] == 0;
        last_start += at[0] == COUNT - LENGTH - 1;
        for (int32_t i = 0; i < LENGTH; ++i) {
            assert_int_equal(at[i], at[0] + i);
            assert_int_equal(targets[row * LENGTH + (uint32_t)i], at[0] + i + 1);
        }
    }
    assert_true(first_start < 10 && last_start < 10); /* not all alike */
    assert_int_equal(quartic_batch_sample(data, COUNT, 9, 3, ROWS, LENGTH, again, targets), QUARTIC_OK);
    assert_memory_equal(tokens, again, sizeof tokens);
    assert_int_equal(quartic_batch_sample(data, COUNT, 9, 4, ROWS, LENGTH, next, targets), QUARTIC_OK);
    assert_memory_not_equal(tokens, next, sizeof tokens);
    assert_int_equal(quartic_batch_sample(data, LENGTH + 1, 9, 4, 2, LENGTH, next, targets), QUARTIC_OK);
    assert_int_equal(next[0], 0);
    assert_int_equal(quartic_batch_sample(data, LENGTH, 9, 4, 2, LENGTH, next, targets),
                     QUARTIC_INVALID_ARGUMENT);
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    int64_t before = quartic_alloc_live();
    for (uint64_t nth = 1; nth < 10; ++nth) {
        quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
        quartic_alloc_fail_at(nth);
        quartic_model_config_read_json(&config, "{" SMALL "}");
        quartic_model_config_write_json(&config, NULL, 0, NULL);
        quartic_alloc_fail_at(0);
        assert_int_equal(quartic_alloc_live(), before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(refuses_with_a_message),
        cmocka_unit_test(check_asks_for_what_has_no_default),
        cmocka_unit_test(reference_has_no_diagonal_attention),
        cmocka_unit_test(options_that_nothing_reads_are_refused),
        cmocka_unit_test(forms_of_edge_attention_are_listed_by_layer),
        cmocka_unit_test(passes_of_triangles_are_listed_once),
        cmocka_unit_test(every_form_may_be_causal),
        cmocka_unit_test(json_comes_back),
        cmocka_unit_test(files_are_read_or_refused),
        cmocka_unit_test(trainer_settings_have_ranges),
        cmocka_unit_test(settings_that_cannot_work_are_refused),
        cmocka_unit_test(rate_warms_up_and_falls),
        cmocka_unit_test(refused_settings_have_no_rate),
        cmocka_unit_test(batches_are_windows_of_the_data),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
