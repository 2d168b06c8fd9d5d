/* base_test.c: status messages, counted allocation with injected failure, and Philox against its published
 * known answers (Random123's kat_vectors). */
#include "expect.h"

#include "failing_alloc.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "base/status.h"

static void status_carries_name_and_message(void **state) {
    (void)state;
    assert_string_equal(quartic_status_name(QUARTIC_OK), "QUARTIC_OK");
    assert_string_equal(quartic_status_name(QUARTIC_INTERNAL), "QUARTIC_INTERNAL");
    assert_string_equal(quartic_status_name((quartic_status)999), "unknown status");
    assert_int_equal(quartic_fail(QUARTIC_IO, "cannot read %s", "a.bin"), QUARTIC_IO);
    assert_string_equal(quartic_error_message(), "cannot read a.bin");
}

static void allocation_is_zeroed_aligned_and_counted(void **state) {
    (void)state;
    int64_t before = quartic_alloc_live();
    unsigned char *memory = quartic_alloc(33, 3);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 64, 0);
    for (int i = 0; i < 99; ++i) assert_int_equal(memory[i], 0);
    memory[98] = 7;
    unsigned char *grown = quartic_realloc(memory, 33, 40, 3);
    assert_non_null(grown);
    assert_int_equal(grown[98], 7);
    assert_int_equal(grown[99], 0);
    assert_int_equal(quartic_alloc_live(), before + 1);
    quartic_free(grown);
    quartic_free(NULL);
    assert_int_equal(quartic_alloc_live(), before);
}

static void allocation_fails_where_told_and_on_overflow(void **state) {
    (void)state;
    quartic_alloc_fail_at(2);
    void *first = quartic_alloc(1, 1);
    assert_non_null(first);
    assert_null(quartic_alloc(1, 1));
    void *third = quartic_alloc(1, 1);
    assert_non_null(third);
    assert_null(quartic_alloc(SIZE_MAX / 2, 4));
    assert_non_null(strstr(quartic_error_message(), "overflows"));
    quartic_free(first);
    quartic_free(third);
}

static void philox_gives_the_published_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c) {
        uint32_t got[4];
        quartic_philox(cases[c].counter, cases[c].key, got);
        assert_memory_equal(got, cases[c].want, sizeof got);
    }
}

static void distributions_have_their_moments(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    double uniform_sum = 0, normal_sum = 0, normal_squares = 0;
    for (uint64_t i = 0; i < COUNT; ++i) {
        float uniform = quartic_random_uniform(7, 1, i);
        assert_true(uniform >= 0.0f && uniform < 1.0f);
        double normal = (double)quartic_random_normal(7, 2, i);
        uniform_sum += (double)uniform;
        normal_sum += normal;
        normal_squares += normal * normal;
    }
    /* Five standard errors: 0.289, 1 and 1.414 over sqrt(20000). */
    assert_true(uniform_sum / (double)COUNT > 0.4898 && uniform_sum / (double)COUNT < 0.5102);
    assert_true(normal_sum / (double)COUNT > -0.0354 && normal_sum / (double)COUNT < 0.0354);
    assert_true(normal_squares / (double)COUNT > 0.95 && normal_squares / (double)COUNT < 1.05);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_carries_name_and_message),
        cmocka_unit_test(allocation_is_zeroed_aligned_and_counted),
        cmocka_unit_test(allocation_fails_where_told_and_on_overflow),
        cmocka_unit_test(philox_gives_the_published_answers),
        cmocka_unit_test(distributions_have_their_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
