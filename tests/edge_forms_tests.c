/* edge_forms_tests.c: see edge_forms_tests.h. */
#include "edge_forms_tests.h"

#include "expect.h"

#include <math.h>
#include "base/rng.h"

const char *const form_names[FORM_COUNT] = {
#define FORM_NAME(suffix, name) name,
    QUARTIC_EDGE_ATTENTION_LIST(FORM_NAME)
#undef FORM_NAME
};

const int32_t forms_tokens[FORMS_MOST_BATCH * FORMS_MOST_NODES] = {3, 1, 6, 0, 5, 2, 4, 4, 0, 2, 6, 1};
const int32_t forms_targets[FORMS_MOST_BATCH * FORMS_MOST_NODES] = {1, 6, 0, 5, -1, 4, -1, 0, 2, 6, 1, 3};

quartic_model_config forms_config(quartic_model_family family, uint32_t form, bool causal) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.model = family, config.edge_attention = (quartic_edge_attention)form, config.causal = causal;
    config.num_tokens = FORMS_VOCABULARY, config.dim = 6, config.depth = 2, config.dim_edges = 4;
    config.heads = 2, config.dim_head = 3, config.linear_heads = 2, config.linear_dim_head = 3;
    config.edge_heads = 2, config.edge_dim_head = 3, config.num_routed = 4, config.routed_eps = 1.0f;
    config.max_seq_len = FORMS_MOST_NODES, config.num_residual_streams = 2, config.ff_mult = 2;
    return config;
}

/* Devices stay open until the end, with what they have compiled. */
static struct {
    const char *name;
    quartic_device *device;
} forms_devices[3];

quartic_device *forms_device(const char *name) {
    size_t k = 0;
    while (forms_devices[k].name != NULL && strcmp(forms_devices[k].name, name) != 0) ++k;
    if (forms_devices[k].name == NULL) {
        assert_ok(quartic_device_create(name, &forms_devices[k].device));
        forms_devices[k].name = name;
    }
    return forms_devices[k].device;
}

void forms_close_devices(void) {
    for (size_t k = 0; k < sizeof forms_devices / sizeof forms_devices[0]; ++k)
        quartic_device_destroy(forms_devices[k].device);
}

forms_model forms_open(const char *device_name, const quartic_model_config *config) {
    forms_model out = {.device = forms_device(device_name)};
    assert_ok(quartic_model_create(out.device, config, &out.model));
    assert_ok(quartic_model_initialise(out.model, 3));
    return out;
}

void forms_close(forms_model *model) {
    quartic_model_destroy(model->model);
}

/* All gradients one after the other; freed by the caller. */
static float *forms_gradients(quartic_model *model, uint64_t *out_count) {
    float *all = calloc(quartic_model_parameter_elements(model), sizeof *all);
    uint64_t at = 0;
    for (uint32_t p = 0; p < quartic_model_parameter_count(model); ++p) {
        quartic_model_parameter parameter;
        assert_ok(quartic_model_get_parameter(model, p, &parameter));
        assert_ok(quartic_model_read_gradient(model, parameter.name, all + at, parameter.elements));
        at += parameter.elements;
    }
    *out_count = at;
    return all;
}

/* Logits and gradients of one case on the device as on the reference, and the same bits when run again. */
static void compare_form(const char *device, const quartic_model_config *config, uint32_t batch, uint32_t n,
                         const uint8_t *mask) {
    enum { MOST = FORMS_MOST_BATCH * FORMS_MOST_NODES * FORMS_VOCABULARY };
    char what[160];
    snprintf(what, sizeof what, "%s in model %d on %s, n %u, batch %u, causal %u, mask %d",
             form_names[config->edge_attention], (int)config->model, device, n, batch, config->causal,
             mask != NULL);
    float got[MOST], again[MOST], want[MOST], got_loss, want_loss;
    forms_model tried = forms_open(device, config), trusted = forms_open("reference", config);
    assert_ok(quartic_model_forward(tried.model, batch, n, forms_tokens, mask, got));
    assert_ok(quartic_model_forward(trusted.model, batch, n, forms_tokens, mask, want));
    assert_near(what, got, want, (uint64_t)batch * n * FORMS_VOCABULARY, 2e-5, 1.0, 0.0);
    assert_ok(quartic_model_forward(tried.model, batch, n, forms_tokens, mask, again));
    assert_memory_equal(got, again, sizeof got[0] * batch * n * FORMS_VOCABULARY);
    assert_ok(quartic_model_gradients(tried.model, batch, n, forms_tokens, forms_targets, mask, &got_loss));
    assert_ok(
        quartic_model_gradients(trusted.model, batch, n, forms_tokens, forms_targets, mask, &want_loss));
    assert_near(what, &got_loss, &want_loss, 1, 2e-5, 1.0, 0.0);
    uint64_t count, nonzero = 0;
    float *got_gradients = forms_gradients(tried.model, &count),
          *want_gradients = forms_gradients(trusted.model, &count);
    for (uint64_t i = 0; i < count; ++i) nonzero += want_gradients[i] != 0.0f;
    assert_true(nonzero > count / 3); /* the last layer's edges have none */
    assert_near(what, got_gradients, want_gradients, count, 1e-4, 0.0, 1e-6);
    assert_ok(quartic_model_gradients(tried.model, batch, n, forms_tokens, forms_targets, mask, &got_loss));
    float *gradients_again = forms_gradients(tried.model, &count);
    assert_memory_equal(got_gradients, gradients_again, sizeof *got_gradients * count);
    free(gradients_again);
    free(got_gradients);
    free(want_gradients);
    forms_close(&tried);
    forms_close(&trusted);
}

void forms_agree_with_the_reference(const char *device) {
    static const uint8_t mask[2 * 5] = {1, 1, 1, 0, 1, 1, 1, 0, 0, 0};
    static const uint8_t long_mask[2 * FORMS_MOST_NODES] = {0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0};
    FOR_EVERY_FORM(family, form) {
        quartic_model_config config = forms_config((quartic_model_family)family, form, false);
        compare_form(device, &config, 2, 5, mask);
        config.num_routed = 0, config.triangle_orientation = QUARTIC_TRIANGLE_ORIENTATION_ALPHAFOLD;
        config.triangle_directions = QUARTIC_TRIANGLE_PASSES_OUTGOING;
        compare_form(device, &config, 1, 4, NULL);
        compare_form(device, &config, 1, 1, NULL);
        config = forms_config((quartic_model_family)family, form, true);
        compare_form(device, &config, 2, 5, mask);
        if (form == QUARTIC_EDGE_ATTENTION_ROUTED) {
            config.num_routed = 12; /* 3 in each row, also in those that see fewer */
            compare_form(device, &config, 2, 5, mask);
            config.num_routed = 0;
            compare_form(device, &config, 1, 6, NULL);
            compare_form(device, &config, 1, 1, NULL);
        }
        if (form == QUARTIC_EDGE_ATTENTION_TAYLOR) {
            config.max_seq_len = 2 * FORMS_MOST_NODES; /* long enough for the linear form */
            compare_form(device, &config, 1, 2 * FORMS_MOST_NODES, long_mask);
        }
    }
}

/* Changing token t never changes a bit of the logits before t, but does change those of t and after. */
static void form_leaks_nothing(const char *device, const quartic_model_config *config, uint32_t n) {
    enum { MOST = FORMS_MOST_BATCH * FORMS_MOST_NODES, V = FORMS_VOCABULARY };
    assert_true(n >= 1 && n <= MOST);
    forms_model m = forms_open(device, config);
    float before[MOST * V], after[MOST * V];
    assert_ok(quartic_model_forward(m.model, 1, n, forms_tokens, NULL, before));
    for (uint32_t t = 0; t < n; ++t) {
        int32_t tokens[MOST];
        memcpy(tokens, forms_tokens, sizeof tokens);
        tokens[t] = (tokens[t] + 1) % FORMS_VOCABULARY;
        assert_ok(quartic_model_forward(m.model, 1, n, tokens, NULL, after));
        if (memcmp(before, after, t * V * sizeof before[0]) != 0)
            fail_msg("%s in model %d on %s leaks token %u of %u", form_names[config->edge_attention],
                     (int)config->model, device, t, n);
        for (uint32_t i = t; i < n; ++i)
            assert_memory_not_equal(before + i * V, after + i * V, V * sizeof before[0]);
    }
    forms_close(&m);
}

void causal_forms_leak_nothing(const char *device) {
    FOR_EVERY_FORM(family, form) {
        quartic_model_config config = forms_config((quartic_model_family)family, form, true);
        config.num_routed = 15; /* 3 in each row, more than the first two see */
        form_leaks_nothing(device, &config, FORMS_MOST_NODES);
        if (form != QUARTIC_EDGE_ATTENTION_TAYLOR) continue;
        config.max_seq_len = 2 * FORMS_MOST_NODES; /* long enough for the linear form */
        form_leaks_nothing(device, &config, 2 * FORMS_MOST_NODES);
    }
}

void causal_forms_leak_nothing_in_tiles(const char *device) {
    enum { N = 22, V = FORMS_VOCABULARY };
    static const uint32_t changed[] = {1, 8, 16, N - 1};
    FOR_EVERY_FORM(family, form) {
        quartic_model_config config = forms_config((quartic_model_family)family, form, true);
        config.num_routed = 5 * N, config.max_seq_len = N;
        forms_model m = forms_open(device, &config);
        float before[N * V], after[N * V];
        int32_t tokens[N];
        uint8_t mask[N];
        for (uint32_t i = 0; i < N; ++i) {
            tokens[i] = (int32_t)(quartic_random_bits(5, form, i) % V);
            mask[i] = i % 7 != 5;
        }
        assert_ok(quartic_model_forward(m.model, 1, N, tokens, mask, before));
        for (size_t k = 0; k < sizeof changed / sizeof changed[0]; ++k) {
            const uint32_t t = changed[k];
            tokens[t] = (tokens[t] + 1) % V;
            assert_ok(quartic_model_forward(m.model, 1, N, tokens, mask, after));
            tokens[t] = (tokens[t] + V - 1) % V;
            if (memcmp(before, after, t * V * sizeof before[0]) != 0)
                fail_msg("%s in model %d leaks token %u of %d", form_names[form], family, t, N);
            assert_memory_not_equal(before + t * V, after + t * V, V * sizeof before[0]);
        }
        forms_close(&m);
    }
}

void graphs_are_independent(const char *device) {
    enum { N = 5, V = FORMS_VOCABULARY };
    static const uint8_t mask[2 * N] = {1, 1, 0, 1, 0, 0, 0, 0, 0, 0};
    for (int causal = 0; causal < 2; ++causal) FOR_EVERY_FORM(family, form) {
            const quartic_model_config config = forms_config((quartic_model_family)family, form, causal);
            forms_model m = forms_open(device, &config);
            float both[2 * N * V], alone[N * V], other[2 * N * V], loss;
            assert_ok(quartic_model_forward(m.model, 2, N, forms_tokens, mask, both)); /* refuses NaN */
            for (uint32_t graph = 0; graph < 2; ++graph) {
                assert_ok(
                    quartic_model_forward(m.model, 1, N, forms_tokens + graph * N, mask + graph * N, alone));
                assert_near(form_names[form], both + graph * N * V, alone, N * V, 2e-6, 1.0, 0.0);
            }
            int32_t tokens[2 * N];
            memcpy(tokens, forms_tokens, sizeof tokens);
            tokens[2] = 1, tokens[4] = 0, tokens[7] = 5;
            assert_ok(quartic_model_forward(m.model, 2, N, tokens, mask, other));
            for (uint32_t i = 0; i < N; ++i)
                if (mask[i]) assert_memory_equal(both + i * V, other + i * V, V * sizeof both[0]);
            assert_ok(quartic_model_gradients(m.model, 2, N, forms_tokens, forms_targets, mask, &loss));
            uint64_t count;
            float *gradients = forms_gradients(m.model, &count);
            for (uint64_t k = 0; k < count; ++k) assert_true(isfinite(gradients[k]));
            free(gradients);
            forms_close(&m);
        }
}

void padding_may_be_anywhere(const char *device) {
    enum { N = FORMS_MOST_NODES, V = FORMS_VOCABULARY };
    static const int32_t first[N] = {3, 1, 6, 0, 0, 0}, second[N] = {2, 3, 5, 1, 6, 4};
    static const uint8_t first_mask[N] = {1, 1, 1, 0, 0, 0}, second_mask[N] = {0, 1, 0, 1, 1, 0};
    for (int causal = 0; causal < 2; ++causal) FOR_EVERY_FORM(family, form) {
            quartic_model_config config = forms_config((quartic_model_family)family, form, causal);
            config.positions = 0;
            forms_model m = forms_open(device, &config);
            float a[N * V], b[N * V];
            assert_ok(quartic_model_forward(m.model, 1, N, first, first_mask, a));
            assert_ok(quartic_model_forward(m.model, 1, N, second, second_mask, b));
            for (uint32_t i = 0, at = 0; i < N; ++i)
                if (second_mask[i]) assert_near(form_names[form], b + i * V, a + V * at++, V, 2e-5, 1.0, 0.0);
            forms_close(&m);
        }
}
