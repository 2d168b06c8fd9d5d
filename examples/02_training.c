/* 02_training.c: teach a causal quartic transformer to repeat a short pattern, and watch the loss fall.
 *
 * New here: quartic_trainer_create, quartic_trainer_step_sampled, quartic_trainer_save.
 * Usage: 02_training [device]
 */
#include <quartic/quartic.h>
#include <stdio.h>
#include <stdlib.h>

static void check(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

int main(int argc, char **argv) {
    enum { COUNT = 600, PERIOD = 6, STEPS = 40 };
    int32_t data[COUNT];
    for (int i = 0; i < COUNT; ++i) data[i] = (i * i) % PERIOD; /* 0 1 4 3 4 1 and again */

    quartic_device *device = NULL;
    check(quartic_device_create(argc > 1 ? argv[1] : "cpu", &device));
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = PERIOD;
    config.dim = 32;
    config.depth = 1;
    config.dim_edges = 8;
    config.heads = 2;
    config.dim_head = 16;
    config.linear_heads = 2;
    config.linear_dim_head = 8;
    config.max_seq_len = 16;
    config.causal = 1; /* node i sees only nodes j <= i, so it cannot see the token that it predicts */
    quartic_model *model = NULL;
    check(quartic_model_create(device, &config, &model));

    quartic_trainer_config training = QUARTIC_TRAINER_CONFIG_INIT;
    training.batch = 4;
    training.length = 16;
    training.learning_rate = 3e-3f;
    training.warmup_steps = 5;
    training.total_steps = STEPS;
    quartic_trainer *trainer = NULL;
    check(quartic_trainer_create(model, &training, &trainer));

    quartic_step_report report = {0};
    float first = 0;
    for (int step = 0; step < STEPS; ++step) {
        check(quartic_trainer_step_sampled(trainer, data, COUNT, &report));
        if (step == 0) first = report.loss;
        if (step % 10 == 0)
            printf("step %3llu  loss %.4f  gradient norm %.3f\n", (unsigned long long)report.step,
                   (double)report.loss, (double)report.gradient_norm);
    }
    printf("the loss went from %.4f to %.4f nats per token\n", (double)first, (double)report.loss);
    check(quartic_trainer_save(trainer, "example_checkpoint.safetensors"));

    quartic_trainer_destroy(trainer);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return report.loss < 0.5f * first ? 0 : 1;
}
