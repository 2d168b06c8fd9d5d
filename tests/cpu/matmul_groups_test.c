/* matmul_groups_test.c: on the devices of the limits table, no matrix product of a model's training gives some units of
 * the device nothing to do while the sum of a group could still be split; and the rule's choices are counted. */
#include "expect.h"

#include "graph/graph.h"
#include "model/model.h"
#include "ops/matmul/plan.h"
#include "run/device_limits.h"
#include "run/run.h"

enum { LEAST_STEPS = 8, DOT_LEAST_STEPS = 1 }; /* of a part */

typedef struct tally {
    uint32_t products, split, few; /* few: fewer groups than units */
} tally;

/* False, with a line, for a product with idle units that more parts would use. */
static bool expect_busy(const quartic_matmul_problem *p, const quartic_gpu_limits *limits, const char *device,
                        tally *count) {
    const quartic_matmul_plan plan = quartic_matmul_choose(p, limits);
    ++count->products;
    count->split += plan.splits > 1;
    if (plan.groups >= limits->compute_units) return true;
    ++count->few;
    const uint32_t least = plan.kind == QUARTIC_MATMUL_DOT ? DOT_LEAST_STEPS : LEAST_STEPS;
    if (plan.kind == QUARTIC_MATMUL_SMALL || plan.split_steps < 2 * least) return true;
    print_message("%s: %llu x (%u x %u), %llu x %u summed: %llu groups for %u units in parts of %u steps\n",
                  device, (unsigned long long)p->batches, p->m, p->n, (unsigned long long)p->sums, p->k,
                  (unsigned long long)plan.groups, limits->compute_units, plan.split_steps);
    return false;
}

static uint32_t check_graph(const quartic_graph *graph, const quartic_gpu_limits *limits, const char *device,
                            tally *count) {
    uint32_t faults = 0;
    for (uint32_t n = 0; n < graph->node_count; ++n) {
        const quartic_node *node = &graph->nodes[n];
        if (node->op != &quartic_op_matmul) continue;
        quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
        const quartic_op_call call = quartic_graph_call(graph, node, inputs, outputs);
        const quartic_matmul_problem problem = quartic_matmul_describe(&call);
        faults += !expect_busy(&problem, limits, device, count);
    }
    return faults;
}

static void no_product_leaves_units_idle(void **state) {
    (void)state;
    static const char *const models[] = {
        "{\"num_tokens\": 256, \"dim\": 512, \"depth\": 2, \"dim_edges\": 32}",
        "{\"num_tokens\": 256, \"dim\": 256, \"depth\": 1, \"dim_edges\": 16, \"edge_attention\": "
        "\"taylor\", "
        "\"causal\": true}",
        "{\"num_tokens\": 64, \"dim\": 128, \"depth\": 1, \"dim_edges\": 24, \"edge_attention\": "
        "\"triangle\"}",
        "{\"num_tokens\": 64, \"dim\": 96, \"depth\": 1, \"dim_edges\": 32, \"edge_attention\": "
        "\"triangle-multiply\"}",
        "{\"model\": \"relational\", \"num_tokens\": 256, \"dim\": 512, \"depth\": 2, \"dim_edges\": 32}",
        "{\"model\": \"multi-stream\", \"num_tokens\": 256, \"dim\": 512, \"depth\": 2, \"num_streams\": 2}",
    };
    static const uint32_t lengths[] = {64, 128, 500, 512};
    quartic_device *device;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    uint32_t faults = 0;
    tally all = {0};
    for (size_t m = 0; m < sizeof models / sizeof models[0]; ++m) {
        quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
        assert_int_equal(quartic_model_config_read_json(&config, models[m]), QUARTIC_OK);
        config.max_seq_len = 512;
        quartic_model *model;
        assert_int_equal(quartic_model_create(device, &config, &model), QUARTIC_OK);
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; ++l) {
            const quartic_model_task task = {.batch = 1 + (uint32_t)(l % 2),
                                             .length = lengths[l],
                                             .loss = true,
                                             .gradients = true,
                                             .replace = true,
                                             .norm = true};
            quartic_graph *graph;
            assert_int_equal(quartic_model_build(model, &task, NULL, &graph), QUARTIC_OK);
            for (uint32_t k = 0; quartic_device_limits_name(k) != NULL; ++k) {
                quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
                assert_int_equal(quartic_device_limits_find(&limits, quartic_device_limits_name(k)),
                                 QUARTIC_OK);
                const quartic_gpu_limits gpu = quartic_device_limits_gpu(&limits);
                faults += check_graph(graph, &gpu, limits.name, &all);
            }
            quartic_graph_destroy(graph);
        }
        quartic_model_destroy(model);
    }
    quartic_device_destroy(device);
    print_message("%u products, %u of them split, %u with fewer groups than units\n", all.products, all.split,
                  all.few);
    assert_true(all.products > 1000 && all.split > 100);
    assert_int_equal(faults, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_product_leaves_units_idle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
