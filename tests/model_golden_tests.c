/* model_golden_tests.c: see model_golden_tests.h. */
#include "model_golden_tests.h"

#include "model_case.h"

static quartic_device *device;
static uint32_t golden_stride;

/* Every recorded model. */
static const char *const golden_names[] = {"relational",
                                           "relational-causal",
                                           "reference-relational",
                                           "reference-relational-causal",
                                           "quartic",
                                           "quartic-causal",
                                           "quartic-mask",
                                           "quartic-no-diagonal",
                                           "quartic-wide-edges",
                                           "reference-quartic",
                                           "reference-quartic-causal",
                                           "reference-quartic-mask",
                                           "reference-quartic-ablated-edges",
                                           "reference-quartic-one-residual-stream",
                                           "extra/quartic-ablated-causal-mask",
                                           "extra/quartic-ablated",
                                           "extra/quartic-causal-left-padded",
                                           "extra/quartic-causal-odd",
                                           "extra/quartic-default-options",
                                           "extra/quartic-large-vocabulary",
                                           "extra/quartic-mask-padded-row",
                                           "extra/quartic-n1-mask-depth3",
                                           "extra/quartic-n1",
                                           "extra/quartic-n17-default-edges",
                                           "extra/quartic-n2-padded-row",
                                           "extra/quartic-n3-causal-mask-depth3",
                                           "extra/quartic-n37-long",
                                           "extra/quartic-no-diagonal-causal-mask",
                                           "extra/quartic-one-residual-stream-depth3",
                                           "extra/quartic-wide-heads",
                                           "extra/quartic-width-one",
                                           "extra/reference-quartic-ablated-one-stream",
                                           "extra/reference-quartic-causal-mask",
                                           "extra/reference-quartic-depth3-streams3",
                                           "extra/reference-quartic-n1"};

enum {
    GOLDEN_FIRST = 14 /* came with the equations */,
    GOLDEN_CASES = sizeof golden_names / sizeof golden_names[0]
};

static void check_model_case(const char *name) {
    model_case c = case_open(device, name);
    quartic_shape shape = {0};
    int32_t *tokens = case_ints(&c, "input.tokens", &shape),
            *targets = case_ints(&c, "input.targets", &shape);
    uint8_t *mask = case_mask(&c);
    const uint32_t b = shape.dims[0], n = shape.dims[1];
    uint64_t count;
    float *want = case_floats(&c, "output.logits", &count), *got = quartic_alloc(count, sizeof got[0]);
    assert_ok(quartic_model_forward(c.model, b, n, tokens, mask, got));
    assert_near("logits", got, want, count, 2e-5, 1.0, 0.0);
    quartic_free(want);
    quartic_free(got);
    float loss, alone;
    assert_ok(quartic_model_gradients(c.model, b, n, tokens, targets, mask, &loss));
    assert_ok(quartic_model_loss(c.model, b, n, tokens, targets, mask, &alone));
    want = case_floats(&c, "output.loss", &count);
    assert_near("loss", &loss, want, 1, 2e-5, 1.0, 0.0);
    assert_near("loss without gradients", &alone, want, 1, 2e-5, 1.0, 0.0);
    quartic_free(want);
    for (uint32_t k = 0; k < quartic_model_parameter_count(c.model); ++k) {
        quartic_model_parameter parameter;
        char path[256];
        assert_ok(quartic_model_get_parameter(c.model, k, &parameter));
        snprintf(path, sizeof path, "grad.%s", parameter.name);
        want = case_floats(&c, path, &count);
        got = quartic_alloc(count, sizeof got[0]);
        assert_ok(quartic_model_read_gradient(c.model, parameter.name, got, count));
        assert_near(path, got, want, count, 1e-4, 0.0, 1e-6);
        quartic_free(want);
        quartic_free(got);
    }
    quartic_free(tokens);
    quartic_free(targets);
    quartic_free(mask);
    case_close(&c);
}

static void recorded_models_are_reproduced(void **state) {
    (void)state;
    for (size_t k = 0; k < GOLDEN_CASES; k += k < GOLDEN_FIRST ? 1 : golden_stride) {
        print_message("%s\n", golden_names[k]);
        check_model_case(golden_names[k]);
    }
}

int model_golden_tests(const test_device *on, uint32_t stride) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(recorded_models_are_reproduced)};
    golden_stride = stride;
    return DEVICE_TESTS_RUN(on, &device, tests);
}
