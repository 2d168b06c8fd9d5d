/* small_device_test.c: a device with the least that Vulkan allows of shared memory, workgroups of 256 invocations
 * and no shuffles runs every op and all model families, and one with less is refused by what it lacks. */
#include "base/rng.h"
#include "model_case.h"
#include "ops/ops.h"
#include "validate_device.h"
#include "vulkan/vulkan_test.h"

static int open_small_device(void **state) {
    vulkan_test_begin(state);
    setenv("QUARTIC_DISABLE", "cache,shuffle", 1);
    setenv("QUARTIC_LOWER_LIMITS", "max_shared_bytes=16384,max_invocations=256", 1);
    return 0;
}

static void the_limits_are_lowered(void **state) {
    (void)state;
    quartic_gpu_device *gpu = vulkan_test_gpu();
    const quartic_gpu_caps *caps = quartic_gpu_device_caps(gpu);
    assert_int_equal(caps->max_shared_bytes, 16384);
    assert_int_equal(caps->max_invocations, 256);
    assert_false(caps->subgroup_shuffle);
    quartic_gpu_device_destroy(gpu);
}

/* The first cases of each op; vulkan.ops_validate has all of them on the device as it is. */
static void every_op_runs_on_a_small_device(void **state) {
    (void)state;
    enum { CASES = 2 };
    quartic_device *device = vulkan_test_device();
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    config.callback = print_check;
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        quartic_op_case test = {.label = ""};
        for (uint32_t k = 0; k < CASES && op->view == NULL && op->cases != NULL && op->cases(k, &test); ++k) {
            quartic_check_totals totals;
            config.op = op->name;
            config.case_index = k;
            assert_ok(quartic_validate(device, &config, &totals));
            assert_int_equal(totals.failed + totals.unsupported, 0);
            assert_true(totals.passed > 0);
        }
    }
    quartic_device_destroy(device);
}

/* A loss and all gradients. */
static float run_model(const char *device_name, const char *json, float **out_gradients,
                       uint64_t *out_count) {
    enum { BATCH = 2, NODES = 9, VOCABULARY = 7 };
    int32_t tokens[BATCH * NODES], targets[BATCH * NODES];
    quartic_device *device = NULL;
    quartic_model *model;
    float loss;
    for (uint32_t i = 0; i < BATCH * NODES; ++i) {
        tokens[i] = (int32_t)(quartic_random_bits(1, 0, i) % VOCABULARY);
        targets[i] = (int32_t)(quartic_random_bits(1, 1, i) % VOCABULARY);
    }
    assert_ok(quartic_device_create(device_name, &device));
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = VOCABULARY, config.dim = 36, config.depth = 2, config.dim_edges = 20;
    config.heads = 2, config.dim_head = 4, config.linear_heads = 1, config.linear_dim_head = 3;
    config.ff_mult = 2, config.max_seq_len = NODES;
    assert_ok(quartic_model_config_read_json(&config, json));
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_model_initialise(model, 5));
    assert_ok(quartic_model_gradients(model, BATCH, NODES, tokens, targets, NULL, &loss));
    *out_count = quartic_model_parameter_elements(model);
    *out_gradients = quartic_alloc(*out_count, sizeof(float));
    uint64_t at = 0;
    for (uint32_t p = 0; p < quartic_model_parameter_count(model); ++p) {
        quartic_model_parameter parameter;
        assert_ok(quartic_model_get_parameter(model, p, &parameter));
        assert_ok(
            quartic_model_read_gradient(model, parameter.name, *out_gradients + at, parameter.elements));
        at += parameter.elements;
    }
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return loss;
}

static void every_family_runs_on_a_small_device(void **state) {
    (void)state;
    static const char *const families[] = {
        "{\"model\": \"quartic\", \"edge_attention\": \"axial\"}",
        "{\"model\": \"quartic\", \"edge_attention\": \"taylor\", \"causal\": true}",
        "{\"model\": \"quartic\", \"edge_attention\": \"full\"}",
        "{\"model\": \"quartic\", \"edge_attention\": \"routed\", \"num_routed\": 5}",
        "{\"model\": \"quartic\", \"edge_attention\": \"triangle\"}",
        "{\"model\": \"quartic\", \"edge_attention\": \"triangle-start-end\", \"causal\": true}",
        "{\"model\": \"quartic\", \"edge_attention\": \"triangle-multiply\"}",
        "{\"model\": \"relational\", \"causal\": true}",
        "{\"model\": \"multi-stream\", \"num_residual_streams\": 2}",
    };
    for (size_t f = 0; f < sizeof families / sizeof families[0]; ++f) {
        float *got, *want;
        uint64_t count;
        const float loss = run_model(vulkan_test_name(), families[f], &got, &count),
                    wanted = run_model("cpu", families[f], &want, &count);
        assert_near(families[f], &loss, &wanted, 1, 2e-5, 1, 0);
        assert_near(families[f], got, want, count, 1e-4, 0, 1e-6);
        quartic_free(got);
        quartic_free(want);
    }
}

static void a_smaller_device_is_refused(void **state) {
    (void)state;
    const char *before = getenv("QUARTIC_LOWER_LIMITS");
    char kept[128];
    snprintf(kept, sizeof kept, "%s", before);
    const struct {
        const char *limits, *message;
    } cases[] = {
        {"max_invocations=128", "it lacks workgroups of 256 invocations (it offers 128)"},
        {"max_shared_bytes=16383", "it lacks 16384 bytes of shared memory (it offers 16383)"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        setenv("QUARTIC_LOWER_LIMITS", cases[k].limits, 1);
        quartic_gpu_device *gpu;
        assert_int_equal(quartic_gpu_device_create(0, &gpu), QUARTIC_UNSUPPORTED);
        assert_null(gpu);
        assert_message(cases[k].message);
    }
    setenv("QUARTIC_LOWER_LIMITS", "max_shared_bytes=lots", 1);
    quartic_device *device;
    assert_int_equal(quartic_device_create("vulkan", &device), QUARTIC_INVALID_ARGUMENT);
    assert_message("\"max_shared_bytes=lots\"");
    setenv("QUARTIC_LOWER_LIMITS", kept, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limits_are_lowered),
        cmocka_unit_test(every_op_runs_on_a_small_device),
        cmocka_unit_test(every_family_runs_on_a_small_device),
        cmocka_unit_test(a_smaller_device_is_refused),
    };
    return cmocka_run_group_tests(tests, open_small_device, vulkan_test_end);
}
