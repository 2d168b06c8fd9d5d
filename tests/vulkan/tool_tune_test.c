/* tool_tune_test.c: quartic_tune on two problems, and `quartic tune`: winners are kept beside the pipeline cache, taken
 * by devices that are opened later, recorded in checkpoints and left out with --fixed. Which candidate wins is never judged.
 */
#include "vulkan/vulkan_test.h"

#include <jansson.h>

#include "cpu/tool_run.h"
#include "ops/tuning.h"
#include "quartic/quartic.h"
#include "run/access.h"

#define TUNE_TRAIN                                                                                           \
    "$Q train $S/data/tales.txt --device vulkan --config tiny.json --batch 1 --length 8 --steps 2 "

#define TUNE_RESUME "$Q train $S/data/tales.txt --resume "

static char tune_cache[TEST_PATH_BYTES];

/* A cache of the test's own, so that no choices of this machine are read or written. */
static int tune_begin(void **state) {
    vulkan_test_begin(state);
    if (tool_make_test_folder(state) != 0) return -1;
    snprintf(tune_cache, sizeof tune_cache, "%s/cache", tool_folder);
    if (setenv("XDG_CACHE_HOME", tune_cache, 1) != 0 || unsetenv("QUARTIC_DISABLE") != 0) return -1;
    return tool_run("echo '{\"num_tokens\": 256, \"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, "
                    "\"dim_head\": 4, \"linear_heads\": 2, \"linear_dim_head\": 3, \"max_seq_len\": 64, "
                    "\"num_residual_streams\": 2}' > tiny.json")
        ->code;
}

static int tune_end(void **state) {
    return tool_remove_test_folder(state) | vulkan_test_end(state);
}

/* A product and a Taylor attention. */
static quartic_graph *tune_graph(void) {
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    const quartic_shape tokens = QUARTIC_SHAPE(1, 1, 40, 2, 4), a_shape = QUARTIC_SHAPE(48, 96),
                        b_shape = QUARTIC_SHAPE(96, 40);
    quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &a_shape);
    quartic_value b = quartic_graph_input(graph, "b", QUARTIC_FLOAT32, &b_shape);
    quartic_graph_output(graph, "product", quartic_matmul(graph, a, b, NULL));
    quartic_value q = quartic_graph_input(graph, "q", QUARTIC_FLOAT32, &tokens);
    quartic_value k = quartic_graph_input(graph, "k", QUARTIC_FLOAT32, &tokens);
    quartic_value v = quartic_graph_input(graph, "v", QUARTIC_FLOAT32, &tokens);
    quartic_taylor_options options = QUARTIC_TAYLOR_OPTIONS_INIT;
    options.axis = 2;
    quartic_graph_output(graph, "attention",
                         quartic_taylor_attention(graph, q, k, v, (quartic_value){0}, &options));
    assert_ok(quartic_graph_status(graph));
    return graph;
}

typedef struct tune_heard {
    uint32_t count, candidates;
    bool product, attention;
} tune_heard;

static void tune_hear(void *context, const quartic_tuned *tuned) {
    tune_heard *heard = context;
    ++heard->count;
    heard->candidates += tuned->candidates;
    heard->product = heard->product || strcmp(tuned->op, "matmul") == 0;
    heard->attention = heard->attention || strcmp(tuned->op, "taylor_attention") == 0;
    assert_true(tuned->candidates > 1 && tuned->refused < tuned->candidates &&
                tuned->chosen < tuned->candidates);
    assert_true(tuned->own_seconds > 0 && tuned->seconds > 0 && tuned->seconds <= tuned->own_seconds);
    assert_true((tuned->chosen == 0) == (strcmp(tuned->choice, "the plan's own") == 0));
}

static void two_problems_are_tuned_once_and_kept(void **state) {
    (void)state;
    quartic_device *device, *other;
    assert_ok(quartic_device_create("vulkan", &device));
    assert_int_equal(quartic_device_tuning_hash(device), 0);
    quartic_graph *graph = tune_graph();
    tune_heard heard = {0};
    quartic_tune_config config = QUARTIC_TUNE_CONFIG_INIT;
    config.repeat = 1, config.callback = tune_hear, config.context = &heard;
    quartic_tune_totals totals;
    assert_ok(quartic_tune(device, graph, &config, &totals));
    assert_int_equal(totals.problems, 2);
    assert_int_equal(totals.tuned, 2);
    assert_int_equal(heard.count, 2);
    assert_true(heard.product && heard.attention && totals.seconds <= totals.own_seconds);
    const uint64_t hash = quartic_device_tuning_hash(device);
    assert_true(hash != 0);
    /* What is known is not timed again, unless it is asked for. */
    assert_ok(quartic_tune(device, graph, &config, &totals));
    assert_int_equal(totals.problems, 2);
    assert_int_equal(totals.tuned, 0);
    assert_true(quartic_device_tuning_hash(device) == hash);
    /* Devices that are opened later have it, and leave it out on demand. */
    assert_ok(quartic_device_create("vulkan", &other));
    assert_true(quartic_device_tuning_hash(other) == hash);
    assert_ok(quartic_device_ignore_tuning(other));
    assert_int_equal(quartic_device_tuning_hash(other), 0);
    quartic_device_destroy(other);
    config.again = 1;
    assert_ok(quartic_tune(device, graph, &config, &totals));
    assert_int_equal(totals.tuned, 2);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
}

static void tune_read(quartic_device *device, const quartic_graph *graph, float *out) {
    quartic_program *program;
    float numbers[96 * 48];
    static const struct {
        const char *name;
        size_t count;
    } inputs[] = {{"a", 48 * 96}, {"b", 96 * 40}, {"q", 320}, {"k", 320}, {"v", 320}};
    assert_ok(quartic_program_create(device, graph, NULL, &program));
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; ++i) {
        for (size_t n = 0; n < inputs[i].count; ++n)
            numbers[n] = (float)((n * 37 + i * 11) % 64) / 32.0f - 1.0f;
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, inputs[i].name), numbers,
                                       inputs[i].count * sizeof(float)));
    }
    assert_ok(quartic_program_run(program));
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, "product"), out, 48 * 40 * sizeof(float)));
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, "attention"), out + 48 * 40,
                                  320 * sizeof(float)));
    quartic_program_destroy(program);
}

/* Every candidate of both problems computes the same, each by itself in the table. */
static void programs_take_each_choice_and_compute_the_same(void **state) {
    (void)state;
    enum { RESULTS = 48 * 40 + 320 };
    static float own[RESULTS], got[RESULTS];
    quartic_device *device;
    assert_ok(quartic_device_create("vulkan", &device));
    assert_ok(quartic_device_ignore_tuning(device));
    quartic_graph *graph = tune_graph();
    tune_read(device, graph, own);
    quartic_tuning_table *table = quartic_device_tuning(device);
    /* Choices for the two problems, found by tuning without any limit of what wins. */
    quartic_tune_config config = QUARTIC_TUNE_CONFIG_INIT;
    config.repeat = 1, config.again = 1;
    assert_ok(quartic_tune(device, graph, &config, NULL));
    assert_int_equal(table->count, 2);
    static const quartic_tuning_choice choices[] = {{.tile = 1},
                                                    {.tile = 2, .splits = 2},
                                                    {.tile = 6},
                                                    {.tile = 3},
                                                    {.rows = 1, .form = 1},
                                                    {.rows = 2, .form = 1},
                                                    {.form = 2, .state_bytes = 1 << 20},
                                                    {.tile = 99, .splits = 250}};
    for (size_t c = 0; c < sizeof choices / sizeof choices[0]; ++c) {
        for (uint32_t e = 0; e < table->count; ++e) table->entries[e].choice = choices[c];
        tune_read(device, graph, got);
        for (uint32_t r = 0; r < RESULTS; ++r) {
            const float far = got[r] - own[r];
            assert_true(far < 2e-4f && far > -2e-4f);
        }
    }
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
}

static void tune_expect_silence(const char *command) {
    const tool_result *got = tool_run(command);
    if (got->code != 0 || strstr(got->out, "choices") != NULL || strstr(got->err, "choices") != NULL)
        fail_msg("%s: %d\n%s\n%s", command, got->code, got->out, got->err);
}

/* A resumed run says with which choices it goes on if they are others than the checkpoint's, and only then: "own" and
 * "fixed" were trained without, "tuned" with those of that hash. */
static void tune_resume(const char *hash) {
    char words[160];
    tool_expect("cp -r own again", 0, "");
    tune_expect_silence(TUNE_RESUME "--out fixed --steps 3 --fixed");
    tune_expect_silence(TUNE_RESUME "--out tuned --steps 3");
    snprintf(
        words, sizeof words,
        "made with measured choices (hash %s) from step 3 on; the checkpoint's with the plans' own choices",
        hash);
    tool_expect(TUNE_RESUME "--out again --steps 3 2>&1", 0, words);
    snprintf(
        words, sizeof words,
        "made with the plans' own choices from step 4 on; the checkpoint's with measured choices (hash %s)",
        hash);
    tool_expect(TUNE_RESUME "--out tuned --steps 4 --fixed 2>&1", 0, words);
    tune_expect_silence(TUNE_RESUME "--out tuned --steps 5 --fixed");
}

static void the_command_keeps_what_checkpoints_record(void **state) {
    (void)state;
    tool_expect("rm -rf cache; " TUNE_TRAIN "--out own", 0, "step 2");
    const tool_result *got =
        tool_run("$Q tune tiny.json --length 8 --repeat 1 --forward-only --device vulkan --json");
    if (got->code != 0) fail_msg("%s", got->err);
    json_t *report = json_loads(got->out, 0, NULL);
    assert_non_null(report);
    assert_true(json_integer_value(json_object_get(report, "tuned")) > 0);
    assert_int_equal(json_array_size(json_object_get(report, "tuned_problems")),
                     json_integer_value(json_object_get(report, "tuned")));
    char command[256], hash[24];
    snprintf(hash, sizeof hash, "%s", json_string_value(json_object_get(report, "hash")));
    snprintf(command, sizeof command,
             "head -c 3000 tuned/checkpoint.safetensors | grep -a -c '\"tuning\":\"%s\"'", hash);
    json_decref(report);
    tool_expect("ls cache/quartic/*.tuning", 0, ".tuning");
    tool_expect(TUNE_TRAIN "--out tuned", 0, "step 2");
    tool_expect(command, 0, "1");
    /* --fixed gives what a run without any choices gives, bit for bit. */
    tool_expect(TUNE_TRAIN "--out fixed --fixed", 0, "step 2");
    tool_expect("cmp own/checkpoint.safetensors fixed/checkpoint.safetensors && echo same", 0, "same");
    tool_expect("$Q tune tiny.json --length 8 --repeat 1 --forward-only --device vulkan", 0, " 0 timed on ");
    tool_expect("$Q tune tiny.json --device cpu", 1, "is no Vulkan device");
    tool_expect(
        "QUARTIC_DISABLE=cache $Q tune tiny.json --length 8 --repeat 1 --forward-only --device vulkan", 1,
        "no folder for measured choices");
    tune_resume(hash);
    /* A damaged file is no file. */
    tool_expect("for f in cache/quartic/*.tuning; do printf x >> $f; done; " TUNE_TRAIN
                "--out damaged && cmp "
                "own/checkpoint.safetensors damaged/checkpoint.safetensors && echo same",
                0, "same");
}

/* The estimates that a report of a GPU puts beside the measured times, and what the driver states. */
static void measured_ops_have_estimates(void **state) {
    (void)state;
    const tool_result *got = tool_run("$Q bench tiny.json --length 8 --repeat 1 --device vulkan --json");
    if (got->code != 0) fail_msg("%s", got->err);
    json_t *report = json_loads(got->out, 0, NULL);
    static const char *const tables[] = {"forward_ops", "gradient_ops"};
    for (int t = 0; t < 2; ++t) {
        const json_t *rows = json_object_get(report, tables[t]);
        size_t known = 0;
        for (size_t r = 0; r < json_array_size(rows); ++r)
            known += json_real_value(json_object_get(json_array_get(rows, r), "estimated_seconds")) > 0;
        assert_true(known > 5 && 2 * known > json_array_size(rows));
    }
    json_decref(report);
    got = tool_run("$Q devices --limits --json");
    report = json_loads(got->out, 0, NULL);
    bool any = false;
    for (size_t d = 0; d < json_array_size(report); ++d) {
        const json_t *limits = json_object_get(json_array_get(report, d), "limits");
        any = any || json_integer_value(json_object_get(limits, "max_shared_bytes")) >= 16384;
    }
    assert_true(any);
    json_decref(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_problems_are_tuned_once_and_kept),
        cmocka_unit_test(programs_take_each_choice_and_compute_the_same),
        cmocka_unit_test(the_command_keeps_what_checkpoints_record),
        cmocka_unit_test(measured_ops_have_estimates),
    };
    return cmocka_run_group_tests(tests, tune_begin, tune_end);
}
