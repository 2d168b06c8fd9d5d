/* 01_inference.c: make a quartic transformer, save it, open it again, and ask it for logits.
 *
 * New here: quartic_device_create, quartic_model_create, quartic_model_save, quartic_model_open,
 * quartic_model_forward with a padding mask. Usage: 01_inference [device]
 */
#include <quartic/quartic.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 2, TOKENS = 7, VOCABULARY = 32 };

static void check(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

int main(int argc, char **argv) {
    quartic_device *device = NULL;
    check(quartic_device_create(argc > 1 ? argv[1] : "auto", &device));
    quartic_device_info info;
    check(quartic_device_get_info(device, &info));
    printf("device: %s\n", info.name);

    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = VOCABULARY;
    config.dim = 32;
    config.depth = 2;
    config.dim_edges = 8; /* numbers of each of the n * n directed edges */
    config.heads = 2;
    config.dim_head = 16;
    config.linear_heads = 2;
    config.linear_dim_head = 8;
    config.max_seq_len = 64;
    quartic_model *model = NULL;
    check(quartic_model_create(device, &config, &model));
    check(quartic_model_initialise(model, 42));
    check(quartic_model_save(model, "example_model.safetensors"));
    quartic_model_destroy(model);

    /* The file carries the configuration, so opening needs nothing else. */
    check(quartic_model_open(device, "example_model.safetensors", &model));
    const int32_t tokens[BATCH * TOKENS] = {1, 2, 3, 4, 5, 6, 7, 9, 8, 7, 6, 0, 0, 0};
    const uint8_t mask[BATCH * TOKENS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0}; /* 1 = real token */
    float logits[BATCH * TOKENS * VOCABULARY];
    check(quartic_model_forward(model, BATCH, TOKENS, tokens, mask, logits));
    for (int b = 0; b < BATCH; ++b) {
        const float *row = &logits[(b * TOKENS + (b == 0 ? 6 : 3)) * VOCABULARY];
        int best = 0;
        for (int v = 1; v < VOCABULARY; ++v)
            if (row[v] > row[best]) best = v;
        printf("sequence %d: the likeliest token at its last real position is %d (logit %.4f)\n", b, best,
               (double)row[best]);
    }
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return 0;
}
