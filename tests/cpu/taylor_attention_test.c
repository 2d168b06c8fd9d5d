/* taylor_attention_test.c: the tuned kernels of Taylor attention against the reference in double: every
 * remainder of the tiles, masks, strides, both forms, every instruction set that this machine has, sequences
 * cut into parts; and the same bits for any number of threads. */
#include "taylor_fixture.h"

#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

/* A sum of count terms of the result's size, each rounded: the same bound as the op's own. */
static double bound(const taylor_spec *spec, const quartic_op *op) {
    const double tokens = spec->options.axis == 1 ? spec->r : spec->c;
    const double features = (spec->d + 1.0) * (spec->d + 2.0) / 2;
    const double along = spec->options.form == QUARTIC_TAYLOR_LINEAR ? features : spec->d;
    return op->tolerance * 1.2e-7 * sqrt(tokens + along + spec->dv);
}

/* Runs the kernels of an instruction set, where this machine has it, on the same operands. */
static void taylor_attention_expect_equal(const taylor_fixture *want, uint64_t seed, taylor_set set) {
    const taylor_spec *spec = &want->spec;
    if (quartic_taylor_kernels(set) == NULL) return;
    taylor_fixture *got = taylor_fixture_create(spec, seed);
    got->kernels = quartic_taylor_kernels(set);
    if (want->mask != NULL)
        memcpy(got->mask, want->mask,
               (size_t)quartic_layout_elements(&want->layouts[QUARTIC_TAYLOR_MASK]) * sizeof *got->mask);
    taylor_fixture_run(got, TAYLOR_FAST, 2);
    for (uint32_t k = QUARTIC_TAYLOR_OUT; k < TAYLOR_OPERANDS; ++k) {
        const quartic_op *op =
            k < TAYLOR_DQ ? &quartic_op_taylor_attention : &quartic_op_taylor_attention_grad;
        const double limit = bound(spec, op), error = taylor_difference(got, want, k);
        if (!(error <= limit))
            fail_msg(
                "(%u, %u) tokens, d %u, dv %u, form %u, seed %u, set %u, operand %u: error %.3g above %.3g",
                spec->r, spec->c, spec->d, spec->dv, spec->options.form, (uint32_t)seed, (uint32_t)set, k,
                error, limit);
    }
    taylor_fixture_destroy(got);
}

static void tuned_rows_equal_the_reference(void **state) {
    (void)state;
    static const uint32_t tokens[] = {1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129};
    static const uint32_t widths[][2] = {{1, 1}, {3, 5}, {8, 16}, {16, 16}, {17, 9}, {40, 33}, {64, 64}};
    for (size_t t = 0; t < LENGTH(tokens); ++t)
        for (size_t w = 0; w < LENGTH(widths); ++w)
            for (uint32_t form = 1; form <= 2; ++form) {
                const uint32_t n = tokens[t], variant = (uint32_t)(t + w + form);
                if (n > 33 && widths[w][0] > 16) continue; /* the reference would take seconds */
                /* Causal only with as many sequences as tokens: with one visible key all but dv cancels. */
                const bool causal = n <= 17 && variant % 3 == 0;
                taylor_spec spec = {
                    .b = 1, .r = n, .c = causal ? n : 2, .h = 2, .d = widths[w][0], .dv = widths[w][1]};
                spec.options = (quartic_taylor_options){.axis = 1, .form = form, .causal = causal};
                spec.masked = variant % 2 == 0;
                spec.packing = (taylor_packing)(variant % 3);
                if (variant % 4 == 1) {
                    spec.r = spec.c;
                    spec.c = n;
                    spec.options.axis = 2;
                }
                taylor_fixture *want = taylor_fixture_create(&spec, 11 + variant);
                taylor_fixture_run(want, TAYLOR_REFERENCE64, 1);
                for (uint32_t set = 0; set < TAYLOR_SETS; ++set)
                    taylor_attention_expect_equal(want, 11 + variant, (taylor_set)set);
                taylor_fixture_destroy(want);
            }
}

static void pairs_and_causality_hide_what_they_should(void **state) {
    (void)state;
    for (uint32_t form = 1; form <= 2; ++form)
        for (uint32_t axis = 1; axis <= 2; ++axis) {
            const taylor_spec spec = {
                .b = 2,
                .r = 35,
                .c = 35,
                .h = 1,
                .d = 4,
                .dv = 4,
                .masked = true,
                .options = {.axis = axis, .pair_mask = 1, .causal = axis - 1, .form = form}};
            taylor_fixture *want = taylor_fixture_create(&spec, 21), *got = taylor_fixture_create(&spec, 21);
            memset(want->mask + 35, 0, 35 * sizeof(int32_t)); /* a graph without any token */
            memset(got->mask + 35, 0, 35 * sizeof(int32_t));
            taylor_fixture_run(want, TAYLOR_REFERENCE64, 1);
            taylor_fixture_run(got, TAYLOR_FAST, 2);
            for (uint32_t k = QUARTIC_TAYLOR_OUT; k < TAYLOR_OPERANDS; ++k) {
                assert_true(taylor_difference(got, want, k) < 2e-6);
                if (k == QUARTIC_TAYLOR_Z || k == QUARTIC_TAYLOR_G) continue;
                for (uint64_t i = got->extents[k] / 2; i < got->extents[k]; ++i)
                    assert_true(got->wide[k][i] == 0);
            }
            taylor_fixture_destroy(want);
            taylor_fixture_destroy(got);
        }
}

/* Sequences long enough to be cut into parts; threads must not change a bit, nor where there are blocks. */
static void long_sequences_sum_parts_and_threads_change_no_bit(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < 4; ++kind) {
        const uint32_t form = kind % 2 + 1, block = kind < 2 ? 0 : 37;
        const taylor_spec spec = {.b = 1,
                                  .r = 1,
                                  .c = form == 2 ? 9001 : 300,
                                  .h = 3,
                                  .d = 3,
                                  .dv = 2,
                                  .masked = true,
                                  .options = {.axis = 2, .form = form, .block = block},
                                  .packing = TAYLOR_PACKED};
        taylor_fixture *want = taylor_fixture_create(&spec, 31), *one = taylor_fixture_create(&spec, 31);
        taylor_fixture *many = taylor_fixture_create(&spec, 31);
        taylor_fixture_run(want, TAYLOR_REFERENCE64, 1);
        taylor_fixture_run(one, TAYLOR_FAST, 1);
        taylor_fixture_run(many, TAYLOR_FAST, 3);
        for (uint32_t k = QUARTIC_TAYLOR_OUT; k < TAYLOR_OPERANDS; ++k) {
            assert_true(taylor_difference(one, want, k) <= bound(&spec, &quartic_op_taylor_attention_grad));
            assert_memory_equal(one->narrow[k], many->narrow[k], one->extents[k] * sizeof(float));
        }
        taylor_fixture_destroy(want);
        taylor_fixture_destroy(one);
        taylor_fixture_destroy(many);
    }
}

/* Blocks that divide neither tiles nor the sequence, some keys hidden, every instruction set; threads must
 * not change a bit. */
static void blocks_equal_the_reference(void **state) {
    (void)state;
    static const uint32_t tokens[] = {7, 33, 64, 131}, blocks[] = {1, 5, 16, 31, 32, 40, 130};
    for (size_t t = 0; t < LENGTH(tokens); ++t)
        for (size_t b = 0; b < LENGTH(blocks); ++b)
            for (uint32_t form = 1; form <= 2; ++form) {
                const uint32_t variant = (uint32_t)(t + b + form);
                taylor_spec spec = {.b = 1, .r = tokens[t], .c = 3, .h = 1, .d = 5, .dv = 3};
                spec.options = (quartic_taylor_options){.axis = 1, .form = form, .block = blocks[b]};
                spec.masked = variant % 4 != 0;
                spec.packing = (taylor_packing)(variant % 3);
                if (variant % 5 == 0) spec.d = 33, spec.dv = 17, spec.c = 1;
                taylor_fixture *want = taylor_fixture_create(&spec, 50 + variant);
                if (want->mask != NULL) /* a sequence without any visible key, and one that starts so */
                    for (uint32_t i = 0; i < tokens[t]; ++i)
                        for (uint32_t c = 0; c < spec.c; ++c)
                            if (c == 1 || (c == 2 && i < tokens[t] / 2)) want->mask[i * spec.c + c] = 0;
                taylor_fixture_run(want, TAYLOR_REFERENCE64, 1);
                for (uint32_t set = 0; set < TAYLOR_SETS; ++set)
                    taylor_attention_expect_equal(want, 50 + variant, (taylor_set)set);
                taylor_fixture_destroy(want);
            }
}

/* From token t on everything may change: nothing of the blocks before it does, for any number of threads. */
static void later_blocks_change_no_bit(void **state) {
    (void)state;
    static const uint32_t blocks[] = {1, 6, 20};
    for (uint32_t set = 0; set < TAYLOR_SETS; ++set)
        for (uint32_t form = 1; form <= 2; ++form)
            for (size_t b = 0; b < LENGTH(blocks) && quartic_taylor_kernels((taylor_set)set) != NULL; ++b) {
                const taylor_spec spec = {.b = 1,
                                          .r = 2,
                                          .c = 75,
                                          .h = 3,
                                          .d = 4,
                                          .dv = 3,
                                          .masked = true,
                                          .options = {.axis = 2, .form = form, .block = blocks[b]}};
                taylor_fixture *fixture = taylor_fixture_create(&spec, 60);
                fixture->kernels = quartic_taylor_kernels((taylor_set)set);
                taylor_fixture_run(fixture, TAYLOR_FAST, 1);
                for (uint32_t t = 1; t < spec.c; t += 7) {
                    taylor_fixture *other = taylor_fixture_create(&spec, 60);
                    other->kernels = fixture->kernels;
                    taylor_change_from(other, t);
                    taylor_fixture_run(other, TAYLOR_FAST, 1 + t % 3);
                    taylor_expect_same_before(fixture, other, t / blocks[b] * blocks[b]);
                    taylor_fixture_destroy(other);
                }
                taylor_fixture_destroy(fixture);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tuned_rows_equal_the_reference),
        cmocka_unit_test(pairs_and_causality_hide_what_they_should),
        cmocka_unit_test(long_sequences_sum_parts_and_threads_change_no_bit),
        cmocka_unit_test(blocks_equal_the_reference),
        cmocka_unit_test(later_blocks_change_no_bit),
    };
    return cmocka_run_group_tests_name("taylor_attention rows", tests, NULL, NULL);
}
