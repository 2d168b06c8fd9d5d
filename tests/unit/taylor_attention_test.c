/* taylor_attention_test.c: the reference kernels of Taylor attention against the formula and against finite
 * differences, their masks, strides and symmetry, the shape rule's messages and the choice of form. */
#include "taylor_fixture.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* Small on purpose: finite differences cost a forward pass per element. */
static const taylor_spec specs[] = {
    {1, 1, 1, 1, 1, 1, {.axis = 1}, false, TAYLOR_CONTIGUOUS, 0},
    {2, 3, 5, 2, 3, 4, {.axis = 2}, true, TAYLOR_PACKED, 0},
    {2, 5, 3, 2, 4, 1, {.axis = 1}, true, TAYLOR_COMPONENT_FIRST, 1.5f},
    {2, 4, 4, 1, 2, 3, {.axis = 2, .pair_mask = 1}, true, TAYLOR_CONTIGUOUS, 1.5f},
    {1, 5, 5, 2, 5, 2, {.axis = 1, .pair_mask = 1, .causal = 1}, true, TAYLOR_PACKED, 0},
    {1, 3, 6, 1, 1, 3, {.axis = 1, .causal = 1}, false, TAYLOR_CONTIGUOUS, 0},
    {1, 2, 11, 2, 3, 2, {.axis = 2, .block = 4}, true, TAYLOR_PACKED, 1},
    {2, 7, 2, 1, 2, 3, {.axis = 1, .block = 1}, true, TAYLOR_COMPONENT_FIRST, 1},
    {1, 6, 6, 1, 3, 1, {.axis = 2, .pair_mask = 1, .causal = 1, .block = 5}, true, TAYLOR_CONTIGUOUS, 1},
    {1, 1, 5, 1, 2, 2, {.axis = 2, .block = 5}, false, TAYLOR_CONTIGUOUS, 0},
    {1, 5, 1, 1, 2, 2, {.axis = 1, .block = UINT32_MAX}, true, TAYLOR_CONTIGUOUS, 0},
};

static void both_forms_equal_the_formula(void **state) {
    (void)state;
    for (size_t s = 0; s < LENGTH(specs); ++s)
        for (uint32_t form = 1; form <= 2; ++form) {
            taylor_spec spec = specs[s];
            spec.options.form = form;
            taylor_fixture *fixture = taylor_fixture_create(&spec, 7 + s);
            taylor_fixture_run(fixture, TAYLOR_REFERENCE64, 1);
            double out[16];
            for (uint32_t b = 0; b < spec.b; ++b)
                for (uint32_t r = 0; r < spec.r; ++r)
                    for (uint32_t c = 0; c < spec.c; ++c)
                        for (uint32_t h = 0; h < spec.h; ++h) {
                            const double z = taylor_naive(fixture, b, r, c, h, out);
                            assert_true(fabs(taylor_at(fixture, QUARTIC_TAYLOR_Z, b, r, c, h, 0) - z) <
                                        1e-12 * z);
                            for (uint32_t e = 0; e < spec.dv; ++e)
                                assert_true(fabs(taylor_at(fixture, QUARTIC_TAYLOR_OUT, b, r, c, h, e) -
                                                 out[e]) < 1e-12);
                        }
            taylor_fixture_destroy(fixture);
        }
}

static void both_adjoints_equal_finite_differences(void **state) {
    (void)state;
    const double step = 1e-5;
    for (size_t s = 0; s < LENGTH(specs); ++s)
        for (uint32_t form = 1; form <= 2; ++form) {
            taylor_spec spec = specs[s];
            spec.options.form = form;
            taylor_fixture *fixture = taylor_fixture_create(&spec, 70 + s);
            taylor_fixture_run(fixture, TAYLOR_REFERENCE64, 1);
            for (uint32_t k = QUARTIC_TAYLOR_Q; k <= QUARTIC_TAYLOR_V; ++k)
                for (uint64_t i = 0; i < quartic_layout_elements(&fixture->layouts[k]); ++i) {
                    double *x = &fixture->wide[k][quartic_layout_at(&fixture->layouts[k], i)];
                    const double kept = *x, got = fixture->wide[TAYLOR_DQ + k][i];
                    *x = kept + step;
                    const double above = taylor_naive_loss(fixture);
                    *x = kept - step;
                    const double want = (above - taylor_naive_loss(fixture)) / (2 * step);
                    *x = kept;
                    if (!(fabs(got - want) < 1e-7 * (1 + fabs(want))))
                        fail_msg("case %zu form %u operand %u element %llu: gradient %.10g, difference %.10g",
                                 s, form, k, (unsigned long long)i, got, want);
                }
            taylor_fixture_destroy(fixture);
        }
}

static void strides_change_no_bit(void **state) {
    (void)state;
    for (uint32_t form = 1; form <= 2; ++form) {
        taylor_fixture *rigs[3];
        for (uint32_t p = 0; p < 3; ++p) {
            const taylor_spec spec = {2, 3, 5, 2, 3, 4, {.axis = 1, .form = form}, true, (taylor_packing)p,
                                      0};
            rigs[p] = taylor_fixture_create(&spec, 5);
            taylor_fixture_run(rigs[p], TAYLOR_REFERENCE, 1);
        }
        for (uint32_t k = QUARTIC_TAYLOR_OUT; k < TAYLOR_OPERANDS; ++k)
            for (uint32_t p = 1; p < 3; ++p)
                assert_memory_equal(rigs[0]->narrow[k], rigs[p]->narrow[k],
                                    rigs[0]->extents[k] * sizeof(float));
        for (uint32_t p = 0; p < 3; ++p) taylor_fixture_destroy(rigs[p]);
    }
}

/* Attention along axis 1 is attention along axis 2 of the tensor with rows and columns exchanged. */
static void a_column_pass_is_a_row_pass_of_the_transpose(void **state) {
    (void)state;
    for (uint32_t form = 1; form <= 2; ++form) {
        const taylor_spec along_columns = {
            2, 3, 4, 2, 3, 2, {.axis = 2, .form = form}, false, TAYLOR_CONTIGUOUS, 0};
        taylor_spec along_rows = {2, 4, 3, 2, 3, 2, {.axis = 1, .form = form}, false, TAYLOR_CONTIGUOUS, 0};
        taylor_fixture *row = taylor_fixture_create(&along_columns, 3),
                       *column = taylor_fixture_create(&along_rows, 4);
        for (uint32_t k = 0; k < TAYLOR_OPERANDS; ++k) {
            if (k == QUARTIC_TAYLOR_MASK) continue;
            const quartic_layout from = row->layouts[k];
            quartic_layout to =
                column->layouts[k]; /* seen as (b, c, r, h, width) with axes 1 and 2 exchanged */
            const int64_t kept = to.strides[1];
            to.shape = from.shape;
            to.strides[1] = to.strides[2];
            to.strides[2] = kept;
            for (uint64_t i = 0; i < quartic_layout_elements(&from); ++i)
                column->wide[k][quartic_layout_at(&to, i)] = row->wide[k][quartic_layout_at(&from, i)];
        }
        taylor_fixture_run(row, TAYLOR_REFERENCE64, 1);
        taylor_fixture_run(column, TAYLOR_REFERENCE64, 1);
        for (uint32_t k = QUARTIC_TAYLOR_OUT; k < TAYLOR_OPERANDS; ++k)
            for (uint32_t r = 0; r < 3; ++r)
                for (uint32_t c = 0; c < 4; ++c)
                    assert_true(taylor_at(row, k, 1, r, c, 1, 0) == taylor_at(column, k, 1, c, r, 1, 0));
        taylor_fixture_destroy(row);
        taylor_fixture_destroy(column);
    }
}

static void what_is_hidden_has_no_effect_and_no_gradient(void **state) {
    (void)state;
    for (uint32_t form = 1; form <= 2; ++form) {
        const taylor_spec spec = {1, 3, 4, 1, 2, 2, {.axis = 2, .form = form}, true, TAYLOR_CONTIGUOUS, 0};
        taylor_fixture *fixture = taylor_fixture_create(&spec, 9), *other = taylor_fixture_create(&spec, 9);
        const int32_t mask[12] = {1, 0, 1, 1, /* one hidden key */ 0, 0, 0, 0, /* none visible */ 1, 1, 1, 1};
        memcpy(fixture->mask, mask, sizeof mask);
        memcpy(other->mask, mask, sizeof mask);
        for (uint32_t token = 0; token < 12; ++token)
            for (uint32_t a = 0; a < 2; ++a)
                if (!mask[token]) {
                    other->wide[QUARTIC_TAYLOR_K][token * 2 + a] = 1e3 * (1 + a);
                    other->wide[QUARTIC_TAYLOR_V][token * 2 + a] = -1e3;
                }
        taylor_fixture_run(fixture, TAYLOR_REFERENCE64, 1);
        taylor_fixture_run(other, TAYLOR_REFERENCE64, 1);
        for (uint32_t k = QUARTIC_TAYLOR_OUT; k < TAYLOR_OPERANDS; ++k)
            assert_memory_equal(fixture->wide[k], other->wide[k], fixture->extents[k] * sizeof(double));
        for (uint32_t c = 0; c < 4; ++c) {
            assert_true(taylor_at(fixture, QUARTIC_TAYLOR_Z, 0, 1, c, 0, 0) == 1e-5);
            for (uint32_t k = QUARTIC_TAYLOR_OUT; k < TAYLOR_OPERANDS; ++k)
                if (k != QUARTIC_TAYLOR_Z && k != QUARTIC_TAYLOR_G)
                    assert_true(taylor_at(fixture, k, 0, 1, c, 0, 1) == 0);
        }
        assert_true(taylor_at(fixture, TAYLOR_DK, 0, 0, 1, 0, 0) == 0);
        assert_true(taylor_at(fixture, TAYLOR_DK, 0, 0, 2, 0, 0) != 0);
        taylor_fixture_destroy(fixture);
        taylor_fixture_destroy(other);
    }
}

static void wrong_operands_are_refused_with_a_message(void **state) {
    (void)state;
    const quartic_shape good = QUARTIC_SHAPE(2, 3, 5, 4, 8), values = QUARTIC_SHAPE(2, 3, 5, 4, 6);
    const struct {
        quartic_taylor_options options;
        quartic_shape q, k, v, mask;
        const char *says;
    } wrong[] = {
        {{.axis = 3}, good, good, values, {0}, "axis 1 or 2"},
        {{.axis = 0}, good, good, values, {0}, "axis 1 or 2"},
        {{.axis = 1, .form = 3}, good, good, values, {0}, "not 3"},
        {{.axis = 1}, QUARTIC_SHAPE(2, 3, 5, 32), good, values, {0}, "5 axes"},
        {{.axis = 1}, good, values, values, {0}, "(2, 3, 5, 4, 8), not (2, 3, 5, 4, 6)"},
        {{.axis = 1}, good, good, QUARTIC_SHAPE(2, 3, 5, 2, 6), {0}, "(2, 3, 5, 4, 6), not (2, 3, 5, 2, 6)"},
        {{.axis = 1}, QUARTIC_SHAPE(2, 3, 0, 4, 8), good, values, {0}, "at least 1"},
        {{.axis = 1}, good, good, values, QUARTIC_SHAPE(2, 5, 3), "(2, 3, 5), not (2, 5, 3)"},
        {{.axis = 1, .pair_mask = 1}, good, good, values, QUARTIC_SHAPE(2, 3), "as many rows as columns"},
    };
    for (size_t w = 0; w < LENGTH(wrong); ++w) {
        const quartic_shape *shapes[] = {&wrong[w].q, &wrong[w].k, &wrong[w].v, &wrong[w].mask};
        quartic_layout inputs[4], outputs[2];
        for (uint32_t k = 0; k < 4; ++k)
            inputs[k] = quartic_layout_contiguous(k == 3 ? QUARTIC_INT32 : QUARTIC_FLOAT32, shapes[k]);
        const quartic_op_call call = {&wrong[w].options, wrong[w].mask.rank == 0 ? 3 : 4, 2, inputs, outputs};
        uint32_t count = 0;
        assert_int_not_equal(quartic_op_taylor_attention.infer(&call, outputs, &count), QUARTIC_OK);
        if (strstr(quartic_error_message(), wrong[w].says) == NULL)
            fail_msg("expected '%s' in: %s", wrong[w].says, quartic_error_message());
    }
}

static void the_form_is_chosen_by_cost(void **state) {
    (void)state;
    assert_int_equal(quartic_taylor_form(1, 16, 16), QUARTIC_TAYLOR_QUADRATIC);
    assert_int_equal(quartic_taylor_form(240, 16, 16), QUARTIC_TAYLOR_QUADRATIC);
    assert_int_equal(quartic_taylor_form(270, 16, 16), QUARTIC_TAYLOR_LINEAR);
    assert_int_equal(quartic_taylor_form(65536, 64, 64), QUARTIC_TAYLOR_LINEAR);
    assert_int_equal(quartic_taylor_form(1000, 64, 64), QUARTIC_TAYLOR_QUADRATIC);
    for (uint32_t m = 1, last = 1; m < 1000; ++m) {
        const uint32_t form = quartic_taylor_form(m, 8, 32);
        assert_true(form >= last);
        last = form;
    }
}

static uint32_t form_with_blocks(uint32_t tokens, uint32_t d, uint32_t block) {
    const quartic_shape shape = QUARTIC_SHAPE(1, 1, tokens, 1, d);
    const quartic_layout x = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
    const quartic_taylor_options options = {.axis = 2, .block = block};
    return quartic_taylor_problem_of(&options, &x, &x, &x, NULL).form;
}

static void shorter_blocks_favour_the_quadratic_form(void **state) {
    (void)state;
    for (uint32_t m = 1; m < 700; m += 13)
        assert_int_equal(form_with_blocks(m, 16, m), quartic_taylor_form(m, 16, 16));
    assert_int_equal(form_with_blocks(400, 16, 0), QUARTIC_TAYLOR_LINEAR);
    assert_int_equal(form_with_blocks(400, 16, 64), QUARTIC_TAYLOR_QUADRATIC); /* half the pairs */
    assert_int_equal(form_with_blocks(600, 16, 64), QUARTIC_TAYLOR_LINEAR);
    assert_int_equal(form_with_blocks(1000000, 16, 1),
                     QUARTIC_TAYLOR_QUADRATIC); /* a state for every token */
    assert_int_equal(form_with_blocks(1000000, 2, 1), QUARTIC_TAYLOR_LINEAR);
    assert_int_equal(form_with_blocks(256 * 256, 16, 256), QUARTIC_TAYLOR_LINEAR);
}

/* Queries and keys from token t on may be anything: out and z of the blocks before t keep every bit. */
static void later_blocks_change_no_bit(void **state) {
    (void)state;
    for (uint32_t form = 1; form <= 2; ++form)
        for (uint32_t block = 1; block <= 5; block += 2) {
            const taylor_spec spec = {.b = 1,
                                      .r = 1,
                                      .c = 12,
                                      .h = 1,
                                      .d = 3,
                                      .dv = 2,
                                      .masked = true,
                                      .options = {.axis = 2, .form = form, .block = block}};
            taylor_fixture *fixture = taylor_fixture_create(&spec, 9);
            taylor_fixture_run(fixture, TAYLOR_REFERENCE, 1);
            for (uint32_t t = 1; t < spec.c; ++t) {
                taylor_fixture *other = taylor_fixture_create(&spec, 9);
                taylor_change_from(other, t);
                taylor_fixture_run(other, TAYLOR_REFERENCE, 1);
                taylor_expect_same_before(fixture, other, t / block * block);
                taylor_fixture_destroy(other);
            }
            taylor_fixture_destroy(fixture);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_equal_the_formula),
        cmocka_unit_test(both_adjoints_equal_finite_differences),
        cmocka_unit_test(strides_change_no_bit),
        cmocka_unit_test(a_column_pass_is_a_row_pass_of_the_transpose),
        cmocka_unit_test(what_is_hidden_has_no_effect_and_no_gradient),
        cmocka_unit_test(wrong_operands_are_refused_with_a_message),
        cmocka_unit_test(the_form_is_chosen_by_cost),
        cmocka_unit_test(shorter_blocks_favour_the_quadratic_form),
        cmocka_unit_test(later_blocks_change_no_bit),
    };
    return cmocka_run_group_tests_name("taylor_attention", tests, NULL, NULL);
}
