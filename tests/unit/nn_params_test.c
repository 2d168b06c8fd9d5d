/* nn_params_test.c: which weights a model has, where they lie, and what they start as. */
#include "failing_alloc.h"
#include "model_case.h"

static quartic_parameter_set nn_params_collect(const char *json) {
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    quartic_parameter_set set;
    assert_ok(quartic_model_config_read_json(&config, json));
    assert_ok(quartic_model_config_check(&config));
    quartic_model_config_derive(&config);
    assert_ok(quartic_model_collect(&config, &set));
    return set;
}

/* Every tensor of the recorded state_dict is a weight of that shape, and there are no others. */
static void weights_are_those_of_the_recordings(void **state) {
    (void)state;
    static const char *const names[] = {"quartic",
                                        "quartic-no-diagonal",
                                        "quartic-wide-edges",
                                        "reference-quartic-ablated-edges",
                                        "train-quartic",
                                        "extra/reference-quartic-depth3-streams3"};
    for (size_t c = 0; c < sizeof names / sizeof names[0]; ++c) {
        model_case unused = {0};
        quartic_safetensors *file;
        quartic_parameter_set set;
        char path[512];
        snprintf(path, sizeof path, "%s/%s.safetensors", QUARTIC_TEST_GOLDEN, names[c]);
        assert_ok(quartic_safetensors_open(path, &file));
        quartic_model_config config = case_config(file, &unused);
        quartic_model_config_derive(&config);
        assert_ok(quartic_model_collect(&config, &set));
        uint32_t recorded = 0;
        for (uint32_t k = 0; k < quartic_safetensors_count(file); ++k) {
            const quartic_safetensors_tensor *tensor = quartic_safetensors_at(file, k);
            if (strncmp(tensor->name, "param.", 6) != 0) continue;
            ++recorded;
            uint32_t index = quartic_parameter_set_find(&set, tensor->name + 6);
            if (index == QUARTIC_NONE) fail_msg("%s: no weight %s", names[c], tensor->name + 6);
            if (!quartic_shape_equal(&set.specs[index].shape, &tensor->shape))
                fail_msg("shape of %s", tensor->name);
        }
        assert_int_equal(set.count, recorded);
        quartic_parameter_set_destroy(&set);
        quartic_safetensors_close(file);
    }
}

static void weights_lie_apart_and_aligned(void **state) {
    (void)state;
    quartic_parameter_set set = nn_params_collect("{\"num_tokens\": 5, \"dim\": 7, \"depth\": 1}");
    uint64_t end = 0, trained = 0;
    for (uint32_t k = 0; k < set.count; ++k) {
        assert_int_equal(set.specs[k].offset % QUARTIC_PARAMETER_ALIGNMENT, 0);
        assert_true(set.specs[k].offset >= end &&
                    set.specs[k].offset <= end + QUARTIC_PARAMETER_ALIGNMENT - 1);
        assert_int_equal(set.specs[k].elements, quartic_shape_elements(&set.specs[k].shape));
        end = set.specs[k].offset + set.specs[k].elements;
        trained += set.specs[k].elements;
    }
    assert_int_equal(set.trained_elements, trained);
    assert_true(set.elements >= end && set.elements <= end + QUARTIC_PARAMETER_ALIGNMENT - 1);
    quartic_parameter_set_destroy(&set);
}

/* Mean and greatest magnitude of a weight after initialisation. */
static void nn_params_measure(const quartic_parameter_set *set, const float *storage, const char *name,
                              double *out_mean, double *out_deviation, double *out_most) {
    uint32_t index = quartic_parameter_set_find(set, name);
    if (index == QUARTIC_NONE) fail_msg("no weight %s", name);
    const quartic_parameter_spec *spec = &set->specs[index];
    double sum = 0, squares = 0, most = 0;
    for (uint64_t i = 0; i < spec->elements; ++i) {
        double x = (double)storage[spec->offset + i];
        sum += x, squares += x * x, most = fmax(most, fabs(x));
    }
    *out_mean = sum / (double)spec->elements;
    *out_deviation = sqrt(squares / (double)spec->elements - *out_mean * *out_mean);
    *out_most = most;
}

static void first_values_are_pytorchs(void **state) {
    (void)state;
    quartic_parameter_set set = nn_params_collect(
        "{\"num_tokens\": 200, \"dim\": 64, \"depth\": 2, \"dim_edges\": 32, \"num_residual_streams\": 3}");
    float *storage = quartic_alloc(set.elements, sizeof storage[0]),
          *other = quartic_alloc(set.elements, sizeof other[0]);
    assert_non_null(storage);
    assert_non_null(other);
    quartic_parameter_set_initialise(&set, 11, storage);
    static const struct {
        const char *name;
        double
            fan_in; /* uniform within 1 / sqrt(fan_in); 0: normal(0, 1); negative: the constant -1 - fan_in */
    } weights[] = {
        {"token_emb.weight", 0},
        {"pos_emb.weight", 0},
        {"to_edge_emb.to_rows.weight", 64},
        {"to_edge_emb.to_edges.0.weight", 32},
        {"to_edge_emb.to_edges.1.weight", -2},
        {"to_edge_emb.to_edges.1.bias", -1},
        {"dynamic_rel_pos_bias.mlp.0.0.bias", 1},
        {"dynamic_rel_pos_bias.mlp.2.weight", 64},
        {"layers.1.0.0.branch.to_qkv.0.weight", 64},
        {"layers.1.0.0.branch.to_gates.0.weight", 64},
        {"layers.1.0.0.branch.edges_to_attn_bias.1.weight", 32},
        {"layers.1.0.0.branch.pre_talking_heads.weight", 8},
        {"layers.1.0.0.branch.to_edges_out.0.weight", 8},
        {"layers.1.0.0.branch.to_out.1.weight", 512},
        {"layers.1.0.1.branch.4.weight", 256},
        {"layers.1.0.0.norm.gamma", -1},
        {"layers.1.0.0.static_beta", -2},
        {"layers.1.0.0.dynamic_alpha_fn", -1},
        {"layers.1.1.0.row_attn.norm.gamma", -2},
        {"layers.1.1.0.row_attn.to_out.0.weight", 256},
        {"to_logits.0.scale", -2},
    };
    for (size_t k = 0; k < sizeof weights / sizeof weights[0]; ++k) {
        double mean, deviation, most, bound = 1.0 / sqrt(weights[k].fan_in);
        nn_params_measure(&set, storage, weights[k].name, &mean, &deviation, &most);
        bool fine;
        if (weights[k].fan_in < 0)
            fine = mean == -1 - weights[k].fan_in && deviation == 0;
        else if (weights[k].fan_in == 0)
            fine = fabs(mean) < 0.05 && fabs(deviation - 1) < 0.05 && most > 3 && most < 6;
        else
            fine = most <= bound && most > 0.85 * bound && fabs(mean) < 0.25 * bound &&
                   deviation < 0.75 * bound && deviation > 0.4 * bound;
        if (!fine) fail_msg("%s: mean %g, deviation %g, greatest %g", weights[k].name, mean, deviation, most);
    }
    /* The fourth connection's own stream is 3 mod 3 = 0: rows (1 | 1 0 0), (0 | 0 1 0), (0 | 0 0 1). */
    static const float want[] = {1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    uint32_t alpha = quartic_parameter_set_find(&set, "layers.1.0.1.static_alpha");
    assert_memory_equal(storage + set.specs[alpha].offset, want, sizeof want);
    static const float second[] = {0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1};
    alpha = quartic_parameter_set_find(&set, "layers.0.0.1.static_alpha");
    assert_memory_equal(storage + set.specs[alpha].offset, second, sizeof second);
    uint32_t scale = quartic_parameter_set_find(&set, "layers.0.0.1.dynamic_beta_scale");
    assert_true(storage[set.specs[scale].offset] == 0.01f);

    quartic_parameter_set_initialise(&set, 11, other);
    assert_memory_equal(storage, other, set.elements * sizeof other[0]);
    quartic_parameter_set_initialise(&set, 12, other);
    assert_memory_not_equal(storage, other, set.elements * sizeof other[0]);
    quartic_free(storage);
    quartic_free(other);
    quartic_parameter_set_destroy(&set);
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 3, config.dim = 4, config.depth = 1;
    int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    for (uint64_t nth = 1; status != QUARTIC_OK; ++nth) {
        uint64_t elements;
        quartic_alloc_fail_at(nth);
        status = quartic_model_config_weights(&config, &elements);
        quartic_alloc_fail_at(0);
        assert_true(status == QUARTIC_OK || status == QUARTIC_OUT_OF_MEMORY);
        assert_int_equal(quartic_alloc_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_those_of_the_recordings),
        cmocka_unit_test(weights_lie_apart_and_aligned),
        cmocka_unit_test(first_values_are_pytorchs),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
