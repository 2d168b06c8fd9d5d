/* padding_test.c: padding has no influence, on the CPU devices; see padding_tests.h. */
#include "padding_tests.h"

static quartic_device *device;

static void every_form(void **state) {
    (void)state;
    for (uint32_t form = 1; form < FORM_COUNT; ++form)
        for (uint32_t variant = 0; variant < 12; ++variant) {
            const quartic_model_family family =
                variant % 2 ? QUARTIC_MODEL_RELATIONAL : QUARTIC_MODEL_QUARTIC;
            padded_case c = {
                .config = padded_config(family, form, (quartic_readout)(variant / 2 % 3), variant / 6 != 0)};
            padded_check(device, &c, true);
            if (form == QUARTIC_EDGE_ATTENTION_ROUTED)
                for (c.config.num_routed = 3; c.config.num_routed <= 16; c.config.num_routed += 5)
                    padded_check(device, &c, true);
            c.config.num_routed = 0;
            if (c.config.causal) continue;
            c.config.positions = 0;
            c.spread = true;
            padded_check(device, &c, true);
        }
}

static void other_families_and_options(void **state) {
    (void)state;
    for (uint32_t variant = 0; variant < 8; ++variant) {
        padded_case c = {.config = padded_config(QUARTIC_MODEL_MULTI_STREAM, QUARTIC_EDGE_ATTENTION_DEFAULT,
                                                 QUARTIC_READOUT_NODE, variant % 2 != 0)};
        c.config.non_linear_talking_heads = variant / 2 % 2;
        c.config.parallel_streams = variant / 4 % 2;
        c.config.residual_talking_heads = 1;
        padded_check(device, &c, true);
    }
    padded_case c = {.config = padded_config(QUARTIC_MODEL_QUARTIC, QUARTIC_EDGE_ATTENTION_ROUTED,
                                             QUARTIC_READOUT_EDGE, false)};
    c.config.routed_eps_init = 4.0f;
    c.config.routed_eps_decay = 0.7f;
    c.config.routed_k_ratio = 3.0f;
    padded_check(device, &c, true);
    c.config.edge_attention = QUARTIC_EDGE_ATTENTION_NONE;
    c.config.static_edges = 1;
    padded_check(device, &c, true);
    c.config.static_edges = 0;
    c.config.ablate_edges = 1;
    c.config.readout = QUARTIC_READOUT_GRAPH;
    padded_check(device, &c, true);
}

static int cpu_padding_open_device(void **state) {
    const char *const *name = *state;
    return quartic_device_create(*name, &device) != QUARTIC_OK;
}

static int cpu_padding_close_device(void **state) {
    (void)state;
    quartic_device_destroy(device);
    return 0;
}

int main(void) {
    static const char *cpu = "cpu", *reference = "reference";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(every_form, cpu_padding_open_device,
                                                 cpu_padding_close_device, &cpu),
        cmocka_unit_test_prestate_setup_teardown(other_families_and_options, cpu_padding_open_device,
                                                 cpu_padding_close_device, &cpu),
        cmocka_unit_test_prestate_setup_teardown(other_families_and_options, cpu_padding_open_device,
                                                 cpu_padding_close_device, &reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
