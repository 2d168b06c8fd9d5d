/* tool_estimate_test.c: `quartic inspect --limits`: every device of the table, limits from a file, all model
 * families, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "quartic/estimate.h"
#include "tool_run.h"

#define SMALL "\"dim\": 16, \"depth\": 1, \"heads\": 2, \"dim_head\": 8, \"max_seq_len\": 64"

static const struct {
    const char *name, *config;
} models[] = {
    {"quartic", "{\"num_tokens\": 16, " SMALL ", \"dim_edges\": 8}"},
    {"forms", "{\"num_tokens\": 16, " SMALL ", \"dim_edges\": 8, \"edge_attention\": \"triangle\"}"},
    {"relational", "{\"model\": \"relational\", \"num_tokens\": 16, " SMALL ", \"dim_edges\": 8}"},
    {"streams", "{\"model\": \"multi-stream\", \"num_tokens\": 16, " SMALL ", \"num_streams\": 2}"},
};
enum { MODELS = sizeof models / sizeof models[0] };

/* The example of docs/device-limits.md. */
static const char limits_file[] =
    "{\"name\": \"laptop\", \"kind\": \"integrated\", \"compute_units\": 16, \"subgroup_size\": 32, "
    "\"max_invocations\": 1024, \"max_shared_bytes\": 32768, \"memory_bytes\": 8589934592, "
    "\"max_buffer_bytes\": 1048576, \"float16\": true, \"cooperative_matrix\": false, "
    "\"subgroup_shuffle\": true, \"flops_per_second\": 2e12, \"bytes_per_second\": 8e10, "
    "\"launch_seconds\": 3e-6, \"barrier_seconds\": 5e-6}";

static int make_models(void **state) {
    if (tool_make_test_folder(state) != 0) return -1;
    char line[2048];
    for (size_t m = 0; m < MODELS; ++m) {
        snprintf(line, sizeof line, "echo '%s' > %s.json", models[m].config, models[m].name);
        if (tool_run(line)->code != 0) return -1;
    }
    snprintf(line, sizeof line, "echo '%s' > laptop.json", limits_file);
    return tool_run(line)->code;
}

static json_t *estimate_of(const char *model, const char *limits, uint32_t length, uint32_t batch) {
    char line[1024], path[1024];
    snprintf(line, sizeof line, "$Q inspect %s.json --limits %s --length %u --batch %u --json > json", model,
             limits, length, batch);
    const tool_result *got = tool_run(line);
    snprintf(path, sizeof path, "%s/json", tool_folder);
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (got->code != 0 || document == NULL) fail_msg("%s: code %d, %s", line, got->code, got->err);
    return document;
}

static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("\"%s\" is no number", key);
    return json_number_value(value);
}

/* What must hold for every pass, whatever the model: the list of steps says the same as the counts. */
static void check_pass(const json_t *document, const char *name) {
    const json_t *pass = json_object_get(document, name), *steps = json_object_get(pass, "steps"),
                 *arenas = json_object_get(pass, "arenas"), *one;
    const double dispatches = number(pass, "dispatches"), barriers = number(pass, "barriers"),
                 chain = number(pass, "longest_chain"), seconds = number(pass, "estimated_seconds");
    double counted = 0, bytes = 0, flops = 0;
    size_t k;
    assert_true(json_is_array(steps) && (double)json_array_size(steps) == dispatches);
    json_array_foreach(steps, k, one) {
        counted += json_is_true(json_object_get(one, "barrier"));
        flops += number(one, "flops");
        assert_true(json_array_size(json_object_get(one, "groups")) == 3);
        assert_true(number(one, "groups_per_unit") > 0 && number(one, "seconds") > 0);
        assert_true(json_is_string(json_object_get(one, "op")) &&
                    json_is_string(json_object_get(one, "shader")));
    }
    assert_true(counted == barriers);
    assert_true(chain > 1 && chain <= barriers + 1);
    assert_true(number(pass, "flops") > 0.999 * flops && number(pass, "flops") < 1.001 * flops);
    json_array_foreach(arenas, k, one) bytes += number(one, "bytes");
    assert_true(bytes == number(pass, "memory_bytes") && bytes > 0);
    const double fixed = number(pass, "launch_seconds") + number(pass, "barrier_seconds");
    assert_true(seconds > fixed + 0.999 * number(pass, "bandwidth_seconds"));
    assert_true(seconds > fixed + 0.999 * number(pass, "arithmetic_seconds"));
    assert_true(number(pass, "longest_dispatch_seconds") > 0);
    assert_true(number(pass, "submits") >= 1 && number(pass, "few_groups") <= dispatches);
}

static void every_model_is_estimated_for_every_device(void **state) {
    (void)state;
    for (size_t m = 0; m < MODELS; ++m)
        for (uint32_t d = 0; quartic_device_limits_name(d) != NULL; ++d) {
            json_t *document = estimate_of(models[m].name, quartic_device_limits_name(d), 24, 2);
            assert_int_equal(number(document, "length"), 24);
            assert_int_equal(number(document, "batch"), 2);
            assert_string_equal(
                json_string_value(json_object_get(json_object_get(document, "limits"), "name")),
                quartic_device_limits_name(d));
            check_pass(document, "forward");
            check_pass(document, "training");
            /* A step holds more than its forward pass, and AdamW. */
            const json_t *training = json_object_get(document, "training");
            assert_true(number(training, "dispatches") >
                        number(json_object_get(document, "forward"), "dispatches"));
            bool update = false;
            size_t k;
            json_t *one;
            json_array_foreach(json_object_get(training, "steps"), k, one) update |=
                strcmp(json_string_value(json_object_get(one, "op")), "adamw") == 0;
            assert_true(update);
            json_decref(document);
        }
}

static void sizes_change_the_estimate(void **state) {
    (void)state;
    json_t *small = estimate_of("quartic", "h200", 16, 1), *large = estimate_of("quartic", "h200", 64, 2);
    const json_t *a = json_object_get(small, "training"), *b = json_object_get(large, "training");
    assert_true(number(b, "flops") > 4 * number(a, "flops"));
    assert_true(number(b, "memory_bytes") > number(a, "memory_bytes"));
    json_decref(small);
    json_decref(large);
}

static void a_file_of_limits_is_taken(void **state) {
    (void)state;
    json_t *document = estimate_of("quartic", "laptop.json", 64, 4);
    const json_t *limits = json_object_get(document, "limits"), *one;
    assert_string_equal(json_string_value(json_object_get(limits, "name")), "laptop");
    assert_int_equal(number(limits, "compute_units"), 16);
    check_pass(document, "forward");
    check_pass(document, "training");
    /* The file allows a buffer 1 MiB, which the workspace exceeds. So it is in several. */
    size_t k;
    bool found = false;
    json_array_foreach(json_object_get(json_object_get(document, "training"), "arenas"), k, one) {
        found |= strcmp(json_string_value(json_object_get(one, "name")), "workspace/2") == 0;
        assert_true(number(one, "bytes") <= 1048576);
    }
    assert_true(found);
    json_decref(document);
    tool_expect("$Q inspect quartic.json --limits laptop.json --length 64 --batch 4", 0, "workspace/2");
    /* But one value must fit. */
    tool_expect("$Q inspect quartic.json --limits laptop.json --length 64 --batch 16", 1,
                "one allocation of this device has at most 1.0 MiB (1048576 bytes)");
}

/* Bytes against barriers: the least workspace has the most barriers. */
static void a_budget_trades_bytes_for_barriers(void **state) {
    (void)state;
    json_t *standard = estimate_of("quartic", "h200", 24, 1),
           *least = estimate_of("quartic", "h200 --budget 1", 24, 1),
           *most = estimate_of("quartic", "h200 --budget 1000000000000", 24, 1);
    static const char *const passes[] = {"forward", "training"};
    for (int p = 0; p < 2; ++p) {
        const json_t *a = json_object_get(least, passes[p]), *b = json_object_get(standard, passes[p]),
                     *c = json_object_get(most, passes[p]);
        assert_true(number(a, "barriers") > number(b, "barriers"));
        assert_true(number(b, "barriers") >= number(c, "barriers"));
        assert_true(number(a, "memory_bytes") <= number(b, "memory_bytes"));
        assert_true(number(a, "dispatches") == number(c, "dispatches"));
        /* With no need to save bytes there are hardly more barriers than the longest chain asks for. */
        assert_true(number(c, "barriers") + number(c, "submits") >= number(c, "longest_chain"));
        assert_true(number(c, "barriers") + number(c, "submits") <= number(c, "longest_chain") + 2);
    }
    json_decref(standard);
    json_decref(least);
    json_decref(most);
    tool_expect("$Q inspect quartic.json --budget 5", 2, "--budget goes with --limits");
}

static void people_read_the_same(void **state) {
    (void)state;
    tool_expect("$Q inspect quartic.json --limits h200 --length 24", 0, "forward pass: ");
    tool_expect("$Q inspect quartic.json --limits h200 --length 24", 0, "training step: ");
    tool_expect("$Q inspect quartic.json --limits=h200 --length 24", 0, "by arena:");
    for (uint32_t d = 0; quartic_device_limits_name(d) != NULL; ++d)
        tool_expect("$Q inspect --help", 0, quartic_device_limits_name(d));
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    tool_expect("$Q inspect quartic.json --limits h100", 1, "cannot open \"h100\"");
    tool_expect("$Q inspect quartic.json --limits h100", 1, "h200, rx7900xtx");
    tool_expect("echo '{}' > empty.json; $Q inspect quartic.json --limits empty.json", 1,
                "lack the key \"compute_units\"");
    tool_expect("echo '{' > broken.json; $Q inspect quartic.json --limits broken.json", 1, "are no JSON");
    tool_expect("head -c 70000 /dev/zero > large; $Q inspect quartic.json --limits large", 1,
                "more than 65536 bytes");
    tool_expect("$Q inspect quartic.json --limits .", 1, "\".\"");
    tool_expect("$Q inspect quartic.json --limits h200 --length 65", 1, "65");
    const tool_result *got = tool_run("$Q inspect quartic.json --limits h100 --json");
    json_t *document = json_loads(got->out, 0, NULL);
    assert_int_equal(got->code, 1);
    assert_true(json_is_string(json_object_get(document, "error")));
    json_decref(document);
}

/* A library without Vulkan has no shaders to estimate, and says so. */
static void without_vulkan_it_is_said(void **state) {
    (void)state;
    tool_expect("$Q inspect quartic.json --limits h200", 1, "built without Vulkan");
}

int main(void) {
    const struct CMUnitTest refusal[] = {cmocka_unit_test(without_vulkan_it_is_said)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_is_estimated_for_every_device),
        cmocka_unit_test(sizes_change_the_estimate),
        cmocka_unit_test(a_file_of_limits_is_taken),
        cmocka_unit_test(a_budget_trades_bytes_for_barriers),
        cmocka_unit_test(people_read_the_same),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    const quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    quartic_estimate *none = NULL;
    const bool unsupported =
        quartic_estimate_create(&(quartic_estimate_part){0}, 0, &limits, &none) == QUARTIC_UNSUPPORTED;
    quartic_estimate_destroy(none);
    return unsupported ? cmocka_run_group_tests(refusal, make_models, tool_remove_test_folder)
                       : cmocka_run_group_tests(tests, make_models, tool_remove_test_folder);
}
