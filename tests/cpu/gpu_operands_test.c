/* gpu_operands_test.c: every address that a shader gets is that of an operand, of scratch, or of the zeros
 * that stand for what is left out; none is null. Over all cases of all ops, forward and gradient, and over
 * the model families, for the plans of several kinds of device. And every workgroup fits into the shared memory
 * and the invocations of the device: what it takes is read from the compiled shader. Graphs are lowered onto
 * made-up addresses, so no device is needed. */
#include "expect.h"

#include "base/alloc.h"
#include "gpu/spirv.h"
#include "model/model.h"
#include "operand_tables.h"
#include "run/run_vulkan.h"
#include "verify/fixture.h"

static quartic_gpu_limits kinds[] =
    {/* the measured choice is set by one test */
     {.max_shared_bytes = 49152, .max_invocations = 1024, .subgroup_size = 32, .compute_units = 80},
     {.max_shared_bytes = 65536, .max_invocations = 1024, .subgroup_size = 64, .compute_units = 96},
     {.max_shared_bytes = 16384, .max_invocations = 256, .subgroup_size = 64},
     {.max_shared_bytes = 24576, .max_invocations = 512, .subgroup_size = 16, .compute_units = 6},
     /* A GPU with subgroups of eight takes no shader that is made for a CPU. */
     {.max_shared_bytes = 32767,
      .max_invocations = 256,
      .subgroup_size = 8,
      .compute_units = 32,
      .has_subgroup_shuffle = 1},
     {.max_shared_bytes = 32768,
      .max_invocations = 1024,
      .subgroup_size = 8,
      .compute_units = 2,
      .max_iterations = 65535,
      .has_subgroup_shuffle = 1,
      .is_software = 1}};

enum { STORAGE_BASE = 1, WORKSPACE_BASE = 2, ABSENT_BASE = 3 }; /* bits 48 and up of an address */

static uint64_t base(uint64_t kind) {
    return kind << 48;
}

static void gpu_operands_expect(quartic_status status) {
    if (status != QUARTIC_OK) fail_msg("%s: %s", quartic_status_name(status), quartic_error_message());
}

static const quartic_spirv *find_spirv(const char *name) {
    uint32_t s = 0;
    while (s < quartic_spirv_count && strcmp(quartic_spirv_table[s].name, name) != 0) ++s;
    assert_true(s < quartic_spirv_count);
    return &quartic_spirv_table[s];
}

static uint64_t most_shared[sizeof kinds / sizeof kinds[0]]; /* bytes of one workgroup, of each kind */

static void expect_group_fits(const quartic_gpu_command *command, const quartic_gpu_limits *limits,
                              const char *what) {
    quartic_spirv_group group;
    gpu_operands_expect(
        quartic_spirv_group_of(find_spirv(command->shader), command->spec, command->spec_count, &group));
    if (group.shared_bytes > limits->max_shared_bytes || group.invocations > limits->max_invocations ||
        group.invocations == 0)
        fail_msg("%s: a workgroup of %s takes %llu bytes of %u and %u invocations of %u", what,
                 command->shader, (unsigned long long)group.shared_bytes, limits->max_shared_bytes,
                 group.invocations, limits->max_invocations);
    if (!limits->is_software && strstr(command->shader, "_lanes") != NULL)
        fail_msg("%s: a GPU would run %s, which is made for a CPU", what, command->shader);
    uint64_t *most = &most_shared[limits - kinds];
    if (group.shared_bytes > *most) *most = group.shared_bytes;
}

/* Addresses of a lowered graph that stand for left-out operands; fails for one that is nowhere. False where
 * the device kind cannot run it, which only a limit of iterations may be the reason for. */
static bool count_absent(const quartic_graph *graph, const quartic_gpu_limits *limits, const char *what,
                         uint32_t *inout_absent) {
    quartic_run_vulkan_rule rule = {graph, *limits};
    quartic_plan plan;
    const quartic_status planned = quartic_plan_create(graph, 4, quartic_run_vulkan_scratch, &rule, &plan);
    if (planned == QUARTIC_UNSUPPORTED && limits->max_iterations != 0) return false;
    gpu_operands_expect(planned);
    uint64_t *storages = quartic_alloc(graph->storage_count, sizeof *storages);
    uint64_t end = 0;
    for (uint32_t s = 0; s < graph->storage_count; ++s) {
        storages[s] = base(STORAGE_BASE) + end;
        end += (4 * graph->storages[s].elements + 511) / 256 * 256;
    }
    const quartic_run_vulkan_memory memory = {storages, &(uint64_t){base(WORKSPACE_BASE)}, base(ABSENT_BASE)};
    quartic_gpu_command *commands;
    uint32_t count;
    gpu_operands_expect(quartic_run_vulkan_lower(graph, &plan, limits, &memory, &commands, NULL, &count));
    for (uint32_t c = 0; c < count; ++c) {
        expect_group_fits(&commands[c], limits, what);
        const uint32_t pointers = operand_table(quartic_gpu_shader_args(commands[c].shader))->count;
        assert_true(pointers > 0 && pointers * 8 <= commands[c].args_bytes);
        for (uint32_t p = 0; p < pointers; ++p) {
            uint64_t address;
            memcpy(&address, commands[c].args + 8 * p, sizeof address);
            const uint64_t offset = address & ((1ull << 48) - 1), room = address >> 48 == STORAGE_BASE ? end
                                                                         : address >> 48 == WORKSPACE_BASE
                                                                             ? plan.workspace_bytes
                                                                         : address >> 48 == ABSENT_BASE ? 1
                                                                                                        : 0;
            if (offset >= room || address % 4 != 0)
                fail_msg("%s: address %u of the shader %s is %#llx", what, p, commands[c].shader,
                         (unsigned long long)address);
            *inout_absent += address == base(ABSENT_BASE);
        }
    }
    quartic_free(commands);
    quartic_free(storages);
    quartic_plan_destroy(&plan);
    return true;
}

static bool lower_case(const quartic_op *op, const quartic_op_case *test, uint32_t number, bool gradient,
                       const quartic_gpu_limits *limits, uint32_t *inout_absent) {
    quartic_fixture fixture;
    gpu_operands_expect(quartic_fixture_begin(&fixture, op, test, 1));
    quartic_value values[QUARTIC_OP_MAX_INPUTS] = {{0}}, outputs[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t output_count;
    for (uint32_t i = 0; i < test->input_count; ++i) {
        if (test->inputs[i].dtype == QUARTIC_NO_DTYPE) continue;
        char name[16];
        snprintf(name, sizeof name, "x%u", i);
        values[i] =
            quartic_op_mutates(op, i)
                ? quartic_graph_state(fixture.graph, name, test->inputs[i].dtype, &test->inputs[i].shape)
                : quartic_graph_input(fixture.graph, name, test->inputs[i].dtype, &test->inputs[i].shape);
    }
    gpu_operands_expect(quartic_fixture_apply(&fixture, values, outputs, &output_count));
    if (gradient) {
        quartic_value cotangents[QUARTIC_OP_MAX_OUTPUTS], wrt[QUARTIC_OP_MAX_INPUTS],
            gradients[QUARTIC_OP_MAX_INPUTS];
        uint32_t operands[QUARTIC_OP_MAX_INPUTS];
        gpu_operands_expect(
            quartic_fixture_cotangents(&fixture, QUARTIC_PLACE_WHOLE, outputs, output_count, cotangents));
        const uint32_t count = quartic_fixture_differentiable(&fixture, operands);
        for (uint32_t k = 0; k < count; ++k) wrt[k] = values[operands[k]];
        gpu_operands_expect(
            quartic_fixture_gradients(&fixture, outputs, cotangents, output_count, wrt, count, gradients));
        for (uint32_t k = 0; k < count; ++k) {
            char name[16];
            snprintf(name, sizeof name, "d%u", k);
            quartic_graph_output(fixture.graph, name, gradients[k]);
        }
    } else {
        for (uint32_t o = 0; o < output_count; ++o) {
            char name[16];
            snprintf(name, sizeof name, "y%u", o);
            if (op->mutated_inputs == 0) quartic_graph_output(fixture.graph, name, outputs[o]);
        }
    }
    char what[128];
    snprintf(what, sizeof what, "%s, case %u", op->name, number);
    const bool ran = count_absent(fixture.graph, limits, what, inout_absent);
    quartic_fixture_end(&fixture);
    return ran;
}

static void no_case_of_an_op_gets_a_null_address(void **state) {
    (void)state;
    const int64_t live = quartic_alloc_live();
    uint32_t absent = 0;
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        if (op->view != NULL || op->cases == NULL) continue;
        uint32_t ran = 0;
        for (uint32_t number = 0;; ++number) {
            quartic_op_case test = {.label = ""};
            if (!op->cases(number, &test)) break;
            for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; ++k) {
                ran += lower_case(op, &test, number, false, &kinds[k], &absent);
                if (quartic_fixture_has_gradient(op, &test))
                    ran += lower_case(op, &test, number, true, &kinds[k], &absent);
            }
        }
        if (ran == 0) fail_msg("no device kind runs a case of %s", op->name);
    }
    assert_true(absent > 0);
    assert_int_equal(quartic_alloc_live(), live);
}

/* Whatever stands in a table of measured choices, also one of another device, plans fit and lose no operand. */
static void measured_choices_leave_plans_that_fit(void **state) {
    (void)state;
    static const quartic_tuning_choice choices[] = {
        {.tile = 1, .splits = 1, .rows = 1, .form = 1},
        {.tile = 2, .splits = 3, .rows = 2, .form = 2, .state_bytes = 1 << 20},
        {.tile = 7, .splits = 64, .rows = 77, .form = 9, .state_bytes = UINT64_MAX},
        {.tile = UINT32_MAX, .splits = UINT32_MAX, .rows = UINT32_MAX, .state_bytes = 1}};
    uint32_t absent = 0, tried = 0;
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        if (op->view != NULL || op->cases == NULL) continue;
        for (uint32_t number = 0;; ++number) {
            quartic_op_case test = {.label = ""};
            if (!op->cases(number, &test)) break;
            for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; ++k) {
                kinds[k].choice = choices[(number + k) % (sizeof choices / sizeof choices[0])];
                lower_case(op, &test, number, quartic_fixture_has_gradient(op, &test), &kinds[k], &absent);
                kinds[k].choice = (quartic_tuning_choice){0};
                ++tried;
            }
        }
    }
    assert_true(tried > 100);
}

static const char *const configurations[] = {
    "{\"model\": \"quartic\", \"edge_attention\": \"axial\"}",
    "{\"model\": \"quartic\", \"edge_attention\": \"taylor\", \"causal\": true}",
    "{\"model\": \"quartic\", \"edge_attention\": \"full\"}",
    "{\"model\": \"quartic\", \"edge_attention\": \"routed\", \"num_routed\": 5}",
    "{\"model\": \"quartic\", \"edge_attention\": \"triangle\"}",
    "{\"model\": \"quartic\", \"edge_attention\": \"triangle-start-end\", \"causal\": true}",
    "{\"model\": \"quartic\", \"edge_attention\": \"triangle-multiply\"}",
    "{\"model\": \"quartic\", \"edge_attention\": \"none\", \"dropout\": 0.1}",
    "{\"model\": \"relational\"}",
    "{\"model\": \"relational\", \"causal\": true, \"edge_attention\": \"triangle\"}",
    "{\"model\": \"multi-stream\", \"num_residual_streams\": 2}",
};

/* A training task of the model on all kinds of device. */
static void lower_model(quartic_device *device, quartic_model_config config, const char *json, uint32_t batch,
                        uint32_t length, bool masked, uint32_t *inout_absent) {
    gpu_operands_expect(quartic_model_config_read_json(&config, json));
    quartic_model *model;
    gpu_operands_expect(quartic_model_create(device, &config, &model));
    const quartic_model_task task = {.batch = batch,
                                     .length = length,
                                     .masked = masked,
                                     .logits = true,
                                     .loss = true,
                                     .gradients = true,
                                     .replace = true,
                                     .norm = true,
                                     .dropout = config.dropout > 0.0f};
    quartic_graph *graph;
    gpu_operands_expect(quartic_model_build(model, &task, NULL, &graph));
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; ++k)
        assert_true(count_absent(graph, &kinds[k], json, inout_absent));
    quartic_graph_destroy(graph);
    quartic_model_destroy(model);
}

static void no_model_gives_a_null_address(void **state) {
    (void)state;
    const int64_t live = quartic_alloc_live();
    quartic_device *device;
    gpu_operands_expect(quartic_device_create("cpu", &device));
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 7, config.dim = 12, config.depth = 2, config.dim_edges = 6, config.heads = 2;
    config.dim_head = 4, config.linear_heads = 1, config.linear_dim_head = 3, config.max_seq_len = 16;
    uint32_t absent = 0;
    for (size_t c = 0; c < sizeof configurations / sizeof configurations[0]; ++c)
        for (int masked = 0; masked < 2; ++masked)
            lower_model(device, config, configurations[c], 2, 5, masked, &absent);
    assert_true(absent > 0);
    quartic_device_destroy(device);
    assert_int_equal(quartic_alloc_live(), live);
}

/* Sizes at which plans take their large tiles. */
static void large_models_fit_small_devices(void **state) {
    (void)state;
    quartic_device *device;
    gpu_operands_expect(quartic_device_create("cpu", &device));
    uint32_t absent = 0;
    for (size_t c = 0; c < sizeof configurations / sizeof configurations[0]; ++c)
        for (uint32_t size = 0; size < 2; ++size) {
            quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
            config.num_tokens = 256, config.depth = 1;
            config.dim = size == 0 ? 512 : 192, config.dim_edges = size == 0 ? 32 : 128;
            config.heads = size == 0 ? 8 : 3;
            lower_model(device, config, configurations[c], 1, size == 0 ? 128 : 96, false, &absent);
        }
    quartic_device_destroy(device);
    /* The larger the device, the larger the tiles; none takes more than the least device has for nothing. */
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; ++k) {
        assert_true(most_shared[k] <= kinds[k].max_shared_bytes);
        if (kinds[k].max_shared_bytes > 32768 && !kinds[k].is_software) assert_true(most_shared[k] > 16384);
    }
}

/* An op that would give one is stopped: here a graph whose storage has no address. */
static void a_null_address_is_refused(void **state) {
    (void)state;
    quartic_graph *graph;
    gpu_operands_expect(quartic_graph_create(&graph));
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
    quartic_graph_output(graph, "y", quartic_exp(graph, x));
    quartic_run_vulkan_rule rule = {graph, kinds[0]};
    quartic_plan plan;
    gpu_operands_expect(quartic_plan_create(graph, 4, quartic_run_vulkan_scratch, &rule, &plan));
    const uint64_t storages[4] = {0, 0x1000, 0x2000, 0x3000};
    const quartic_run_vulkan_memory memory = {storages, &(uint64_t){0x4000}, 0x5000};
    quartic_gpu_command *commands;
    uint32_t count;
    assert_int_equal(quartic_run_vulkan_lower(graph, &plan, &kinds[0], &memory, &commands, NULL, &count),
                     QUARTIC_INTERNAL);
    assert_null(commands);
    assert_non_null(strstr(quartic_error_message(), "address 0 of the shader unary (op unary"));
    quartic_plan_destroy(&plan);
    quartic_graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_case_of_an_op_gets_a_null_address),
        cmocka_unit_test(measured_choices_leave_plans_that_fit),
        cmocka_unit_test(no_model_gives_a_null_address),
        cmocka_unit_test(large_models_fit_small_devices),
        cmocka_unit_test(a_null_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
