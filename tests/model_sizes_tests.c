/* model_sizes_tests.c: see model_sizes_tests.h. */
#include "model_sizes_tests.h"

#include "expect.h"

#include <math.h>
#include "base/rng.h"
#include "quartic/model.h"

enum { SIZES_VOCABULARY = 7 };

typedef struct sizes_result {
    float loss;
    float *logits;    /* (b, n, V) */
    float *gradients; /* all parameters, in order */
    uint64_t logit_count, gradient_count;
} sizes_result;

static sizes_result model_sizes_run_size(const char *device_name, uint32_t batch, uint32_t n, bool causal,
                                         bool masked) {
    quartic_device *device = NULL;
    quartic_model *model = NULL;
    assert_ok(quartic_device_create(device_name, &device));
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = SIZES_VOCABULARY, config.dim = 6, config.depth = 1, config.dim_edges = 4;
    config.heads = 2, config.dim_head = 3, config.linear_heads = 1, config.linear_dim_head = 3;
    config.max_seq_len = 130, config.num_residual_streams = 2, config.ff_mult = 2, config.causal = causal;
    assert_ok(quartic_model_create(device, &config, &model));
    assert_ok(quartic_model_initialise(model, 5));

    uint64_t count = (uint64_t)batch * n;
    int32_t *tokens = calloc(count, sizeof *tokens), *targets = calloc(count, sizeof *targets);
    uint8_t *mask = calloc(count, 1);
    for (uint64_t i = 0; i < count; ++i) {
        tokens[i] = (int32_t)(quartic_random_bits(1, 0, i) % SIZES_VOCABULARY);
        targets[i] = (int32_t)(quartic_random_bits(1, 1, i) % (SIZES_VOCABULARY + 1)) - 1;
        mask[i] = i % n < n - n / 4; /* the last quarter is padding */
    }
    targets[0] = 3;
    sizes_result result = {.logit_count = count * SIZES_VOCABULARY,
                           .gradient_count = quartic_model_parameter_elements(model)};
    result.logits = calloc(result.logit_count, sizeof(float));
    result.gradients = calloc(result.gradient_count, sizeof(float));
    assert_ok(quartic_model_forward(model, batch, n, tokens, masked ? mask : NULL, result.logits));
    assert_ok(quartic_model_gradients(model, batch, n, tokens, targets, masked ? mask : NULL, &result.loss));
    uint64_t at = 0;
    for (uint32_t p = 0; p < quartic_model_parameter_count(model); ++p) {
        quartic_model_parameter parameter;
        assert_ok(quartic_model_get_parameter(model, p, &parameter));
        assert_ok(
            quartic_model_read_gradient(model, parameter.name, &result.gradients[at], parameter.elements));
        at += parameter.elements;
    }
    free(tokens);
    free(targets);
    free(mask);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return result;
}

static void free_size(sizes_result *result) {
    free(result->logits);
    free(result->gradients);
}

static void compare_size(const char *device, const char *trusted, uint32_t batch, uint32_t n, bool causal,
                         bool masked) {
    sizes_result got = model_sizes_run_size(device, batch, n, causal, masked),
                 want = model_sizes_run_size(trusted, batch, n, causal, masked);
    assert_true(fabsf(got.loss - want.loss) <= 2e-5f * fmaxf(1, fabsf(want.loss)));
    float largest = 1, largest_gradient = 0;
    uint64_t nonzero = 0;
    for (uint64_t i = 0; i < want.logit_count; ++i) largest = fmaxf(largest, fabsf(want.logits[i]));
    for (uint64_t i = 0; i < want.gradient_count; ++i) {
        largest_gradient = fmaxf(largest_gradient, fabsf(want.gradients[i]));
        nonzero += want.gradients[i] != 0;
    }
    for (uint64_t i = 0; i < want.logit_count; ++i)
        if (!(fabsf(got.logits[i] - want.logits[i]) <= 2e-5f * largest))
            fail_msg("n %u, causal %d, masked %d: logit %llu is %g, not %g", n, causal, masked,
                     (unsigned long long)i, (double)got.logits[i], (double)want.logits[i]);
    for (uint64_t i = 0; i < want.gradient_count; ++i)
        if (!(fabsf(got.gradients[i] - want.gradients[i]) <= 1e-4f * largest_gradient + 1e-6f))
            fail_msg("n %u, causal %d, masked %d: gradient %llu is %g, not %g", n, causal, masked,
                     (unsigned long long)i, (double)got.gradients[i], (double)want.gradients[i]);
    /* Position embeddings beyond n have none; of the rest most must. */
    assert_true(nonzero > (want.gradient_count - 130 * 6) / 3);
    free_size(&got);
    free_size(&want);
}

void compare_sizes(const char *device, const char *trusted) {
    static const uint32_t sizes[] = {1, 2, 3, 5, 31, 33, 127, 129};
    for (uint32_t s = 0; s < sizeof sizes / sizeof sizes[0]; ++s) {
        bool small = sizes[s] <= 33;
        compare_size(device, trusted, 1, sizes[s], false, s % 2 == 1);
        compare_size(device, trusted, small ? 2 : 1, sizes[s], true, s % 2 == 0);
        if (small) compare_size(device, trusted, 3, sizes[s], s % 2 == 0, true);
    }
}
