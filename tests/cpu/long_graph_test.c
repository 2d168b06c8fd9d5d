/* long_graph_test.c: what building, differentiating and planning a model costs grows about linearly with its
 * layers, counted in rounds of the loops that could grow faster (base/work.h), not in seconds. */
#include "expect.h"

#include "base/work.h"
#include "quartic/model.h"
#include "quartic/train.h"

static quartic_device *device;

static uint64_t long_graph_work_of(uint32_t layers) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 8;
    config.dim = 8;
    config.depth = layers;
    config.dim_edges = 4;
    config.heads = config.linear_heads = config.edge_heads = 1;
    config.dim_head = config.linear_dim_head = config.edge_dim_head = 4;
    config.max_seq_len = 8;
    config.causal = 1;
    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    training.batch = 1;
    training.length = 3;
    quartic_model *model = NULL;
    quartic_trainer *trainer = NULL;
    const uint64_t before = quartic_work_done();
    if (quartic_model_create(device, &config, &model) != QUARTIC_OK ||
        quartic_trainer_create(model, &training, &trainer) != QUARTIC_OK)
        fail_msg("%u layers: %s", layers, quartic_error_message());
    const uint64_t work = quartic_work_done() - before;
    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    return work;
}

static void planning_grows_about_linearly_with_the_layers(void **state) {
    (void)state;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    const uint64_t few = long_graph_work_of(8), more = long_graph_work_of(32), many = long_graph_work_of(128);
    printf("8, 32 and 128 layers: %llu, %llu and %llu rounds\n", (unsigned long long)few,
           (unsigned long long)more, (unsigned long long)many);
    assert_true(few > 10000);
    /* Four times the layers: a little more than four times the rounds. The square would be sixteen times. */
    assert_true(more < 10 * few);
    assert_true(many < 10 * more);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(planning_grows_about_linearly_with_the_layers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
