/* edge_forms_test.c: every form of edge attention in both models on the CPU devices: gradients against finite
 * differences, causality, masks, batches, lists of forms, files. See edge_forms_tests.h.
 */
#include "failing_alloc.h"
#include "edge_forms_tests.h"

#include "base/alloc.h"
#include "base/rng.h"

static void agree_with_the_reference(void **state) {
    (void)state;
    forms_agree_with_the_reference("cpu");
}

static void leak_nothing(void **state) {
    (void)state;
    causal_forms_leak_nothing("cpu");
    causal_forms_leak_nothing("reference");
    causal_forms_leak_nothing_in_tiles("cpu");
    causal_forms_leak_nothing_in_tiles("reference");
}

static void cpu_edge_forms_are_independent(void **state) {
    (void)state;
    graphs_are_independent("cpu");
    padding_may_be_anywhere("cpu");
}

/* The derivative of the loss along a random direction of the weights whose names start so, by central
 * differences; writes the weights back. out_slope: what the gradients say. */
static double finite_slope(quartic_model *model, const char *start, uint32_t batch, uint32_t n,
                           const uint8_t *mask, double *out_slope) {
    const double step = 0x1p-11;
    float loss, losses[2];
    double slope = 0, length = 0;
    assert_ok(quartic_model_gradients(model, batch, n, forms_tokens, forms_targets, mask, &loss));
    for (uint32_t p = 0; p < quartic_model_parameter_count(model); ++p) {
        quartic_model_parameter parameter;
        assert_ok(quartic_model_get_parameter(model, p, &parameter));
        if (strncmp(parameter.name, start, strlen(start)) != 0) continue;
        float *gradient = calloc(parameter.elements, sizeof *gradient);
        assert_ok(quartic_model_read_gradient(model, parameter.name, gradient, parameter.elements));
        for (uint64_t i = 0; i < parameter.elements; ++i)
            slope += (double)gradient[i] * (2.0 * (double)quartic_random_uniform(9, p, i) - 1.0);
        length += (double)parameter.elements;
        free(gradient);
    }
    assert_true(length > 0);
    for (int side = 0; side < 2; ++side) {
        for (int back = 0; back < 2; ++back) {
            for (uint32_t p = 0; p < quartic_model_parameter_count(model); ++p) {
                quartic_model_parameter parameter;
                assert_ok(quartic_model_get_parameter(model, p, &parameter));
                if (strncmp(parameter.name, start, strlen(start)) != 0) continue;
                float *weight = calloc(parameter.elements, sizeof *weight);
                assert_ok(quartic_model_read_parameter(model, parameter.name, weight, parameter.elements));
                for (uint64_t i = 0; i < parameter.elements; ++i)
                    weight[i] += (float)(step * (2.0 * (double)quartic_random_uniform(9, p, i) - 1.0) *
                                         (side == back ? -1.0 : 1.0));
                assert_ok(quartic_model_write_parameter(model, parameter.name, weight, parameter.elements));
                free(weight);
            }
            if (back == 0)
                assert_ok(
                    quartic_model_loss(model, batch, n, forms_tokens, forms_targets, mask, &losses[side]));
        }
    }
    *out_slope = slope;
    return ((double)losses[1] - (double)losses[0]) / (2 * step);
}

/* Routed attention's gate is 1 but has the gradient of the soft choice, and the choice jumps: there, only the
 * weights of its attention are tried, upon which no choice depends. */
static void gradients_are_slopes(void **state) {
    (void)state;
    static const uint8_t mask[2 * 4] = {1, 1, 0, 1, 1, 1, 1, 1};
    FOR_EVERY_FORM(family, form) {
        for (int causal = 0; causal < 2; ++causal) {
            quartic_model_config config = forms_config((quartic_model_family)family, form, causal);
            config.edge_attention_count = 2; /* the choice of a second routed layer would jump */
            config.edge_attention_list[0] = (uint8_t)form;
            config.edge_attention_list[1] = QUARTIC_EDGE_ATTENTION_NONE;
            forms_model m = forms_open("reference64", &config);
            const bool routed = form == QUARTIC_EDGE_ATTENTION_ROUTED;
            const char *starts[] = {routed ? "layers.0.1.0.attn." : "", "layers.0.1.0."};
            for (int k = 0; k < (routed || form == QUARTIC_EDGE_ATTENTION_NONE ? 1 : 2); ++k) {
                double slope, found = finite_slope(m.model, starts[k], 2, 4, causal ? NULL : mask, &slope);
                if (!(fabs(found - slope) <= 5e-3 * fmax(0.1, fabs(slope)) && slope != 0.0))
                    fail_msg("%s in model %d, causal %d, weights \"%s\": slope %g, gradient %g",
                             form_names[form], family, causal, starts[k], found, slope);
            }
            forms_close(&m);
        }
    }
}

/* Choosing all edges is attention among all edges. */
static void routing_all_edges_is_full_attention(void **state) {
    (void)state;
    enum { N = 4 };
    for (int variant = 0; variant < 4; ++variant) {
        const int family = variant % 2 ? QUARTIC_MODEL_RELATIONAL : QUARTIC_MODEL_QUARTIC;
        quartic_model_config config =
            forms_config((quartic_model_family)family, QUARTIC_EDGE_ATTENTION_FULL, variant >= 2);
        forms_model full = forms_open("cpu", &config);
        config.edge_attention = QUARTIC_EDGE_ATTENTION_ROUTED, config.num_routed = N * N;
        forms_model routed = forms_open("cpu", &config);
        for (uint32_t p = 0; p < quartic_model_parameter_count(full.model); ++p) {
            quartic_model_parameter parameter;
            char name[200];
            assert_ok(quartic_model_get_parameter(full.model, p, &parameter));
            snprintf(name, sizeof name, "%s", parameter.name);
            const bool attends = strstr(name, ".1.0.to_") != NULL || strstr(name, ".1.0.norm_scale") != NULL;
            if (attends) /* layers.l.1.0.x is called layers.l.1.0.attn.x */
                snprintf(name, sizeof name, "layers.%c.1.0.attn.%s", parameter.name[7], parameter.name + 13);
            float *weight = calloc(parameter.elements, sizeof *weight);
            assert_ok(quartic_model_read_parameter(full.model, parameter.name, weight, parameter.elements));
            assert_ok(quartic_model_write_parameter(routed.model, name, weight, parameter.elements));
            free(weight);
        }
        float got[N * FORMS_VOCABULARY], want[N * FORMS_VOCABULARY];
        assert_ok(quartic_model_forward(full.model, 1, N, forms_tokens, NULL, want));
        assert_ok(quartic_model_forward(routed.model, 1, N, forms_tokens, NULL, got));
        assert_near("routed", got, want, N * FORMS_VOCABULARY, 2e-5, 1.0, 0.0);
        forms_close(&full);
        forms_close(&routed);
    }
}

static void more_edges_than_there_are_is_refused(void **state) {
    (void)state;
    for (int causal = 0; causal < 2; ++causal) {
        quartic_model_config config =
            forms_config(QUARTIC_MODEL_QUARTIC, QUARTIC_EDGE_ATTENTION_ROUTED, causal);
        config.num_routed = 17;
        forms_model m = forms_open("cpu", &config);
        float logits[5 * FORMS_VOCABULARY], loss;
        assert_int_equal(quartic_model_forward(m.model, 1, 4, forms_tokens, NULL, logits),
                         QUARTIC_INVALID_ARGUMENT);
        assert_non_null(strstr(quartic_error_message(), "num_routed = 17 of the 16 edges of 4 nodes"));
        assert_int_equal(quartic_model_gradients(m.model, 1, 4, forms_tokens, forms_targets, NULL, &loss),
                         QUARTIC_INVALID_ARGUMENT);
        assert_ok(quartic_model_forward(m.model, 1, 5, forms_tokens, NULL, logits));
        forms_close(&m);
    }
}

/* Each layer has the weights of its own form, and a file brings all of it back. */
static void layers_have_forms_of_their_own(void **state) {
    (void)state;
    static const char *const weights[] = {
        "layers.0.1.0.row_attn.to_q.0.weight", "layers.1.1.0.to_kv.0.weight",
        "layers.2.1.0.to_qkv.weight",          "layers.3.1.0.attn.to_qkv.weight",
        "layers.4.1.0.to_v2.weight",           "layers.5.1.0.end.to_bias.weight",
        "layers.6.1.0.incoming.to_a.weight"};
    enum { LAYERS = FORM_COUNT - 1, N = 4 };
    for (int family = QUARTIC_MODEL_QUARTIC; family <= QUARTIC_MODEL_RELATIONAL; ++family) {
        quartic_model_config config = forms_config((quartic_model_family)family, 0, false);
        config.depth = config.edge_attention_count = LAYERS;
        for (uint32_t layer = 0; layer < LAYERS; ++layer)
            config.edge_attention_list[layer] = (uint8_t)(layer + QUARTIC_EDGE_ATTENTION_AXIAL);
        forms_model m = forms_open("cpu", &config);
        for (size_t k = 0; k < sizeof weights / sizeof weights[0]; ++k) {
            quartic_model_parameter parameter;
            assert_ok(quartic_model_find_parameter(m.model, weights[k], &parameter));
        }
        float before[N * FORMS_VOCABULARY], after[N * FORMS_VOCABULARY];
        assert_ok(quartic_model_forward(m.model, 1, N, forms_tokens, NULL, before));
        assert_ok(quartic_model_save(m.model, "edge_forms_test.safetensors"));
        quartic_model *again = NULL;
        assert_ok(quartic_model_open(m.device, "edge_forms_test.safetensors", &again));
        assert_ok(quartic_model_forward(again, 1, N, forms_tokens, NULL, after));
        assert_memory_equal(before, after, sizeof before);
        assert_int_equal(quartic_model_get_config(again)->edge_attention_count, LAYERS);
        quartic_model_destroy(again);
        remove("edge_forms_test.safetensors");
        forms_close(&m);
    }
}

/* Routing looks at the logits with the bias of the edges' projection, constant as it is: the first rounds of
 * coordinate descent are not the same for shifted scores. Other forms, whose softmax does not see it, give it
 * no gradient. */
static void routing_sees_the_bias(void **state) {
    (void)state;
    for (uint32_t form = QUARTIC_EDGE_ATTENTION_FULL; form <= QUARTIC_EDGE_ATTENTION_ROUTED; ++form) {
        quartic_model_config config = forms_config(QUARTIC_MODEL_QUARTIC, form, false);
        config.num_routed = 10, config.routed_iterations = 1, config.routed_eps = 0.02f;
        forms_model m = forms_open("cpu", &config);
        float loss, gradient[2];
        assert_ok(quartic_model_gradients(m.model, 1, 5, forms_tokens, forms_targets, NULL, &loss));
        assert_ok(quartic_model_read_gradient(m.model, "layers.0.0.0.branch.edges_to_attn_bias.1.bias",
                                              gradient, 2));
        const bool routed = form == QUARTIC_EDGE_ATTENTION_ROUTED;
        assert_true((gradient[0] != 0.0f) == routed && (gradient[1] != 0.0f) == routed);
        forms_close(&m);
    }
}

/* Each allocation in turn fails while a causal model of every form in turn is built and run. */
static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    quartic_device *device = forms_device("cpu");
    for (uint32_t form = QUARTIC_EDGE_ATTENTION_AXIAL; form < FORM_COUNT; ++form) {
        quartic_model_config config = forms_config(QUARTIC_MODEL_RELATIONAL, form, true);
        config.depth = 1, config.readout = QUARTIC_READOUT_EDGE;
        const int64_t live = quartic_alloc_live();
        quartic_status status = QUARTIC_OUT_OF_MEMORY;
        for (uint64_t nth = 1; status != QUARTIC_OK; ++nth) {
            quartic_model *model = NULL;
            float logits[3 * 3 * FORMS_VOCABULARY];
            quartic_alloc_fail_at(nth);
            status = quartic_model_create(device, &config, &model);
            if (status == QUARTIC_OK) status = quartic_model_forward(model, 1, 3, forms_tokens, NULL, logits);
            quartic_alloc_fail_at(0);
            quartic_model_destroy(model);
            assert_true(status == QUARTIC_OK || status == QUARTIC_OUT_OF_MEMORY);
            assert_int_equal(quartic_alloc_live(), live);
        }
    }
}

/* Group teardown. */
static int leave_nothing(void **state) {
    (void)state;
    forms_close_devices();
    return quartic_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agree_with_the_reference),
        cmocka_unit_test(leak_nothing),
        cmocka_unit_test(cpu_edge_forms_are_independent),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(routing_all_edges_is_full_attention),
        cmocka_unit_test(more_edges_than_there_are_is_refused),
        cmocka_unit_test(layers_have_forms_of_their_own),
        cmocka_unit_test(routing_sees_the_bias),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, leave_nothing);
}
