/* op_allocations_test.c: every op of the registry while each host allocation in turn fails.
 *
 * Of each op the cases of least work are taken with two seeds each, forward alone and with the gradients of
 * all operands. The graph is built, planned, compiled and run on the device "cpu" while its n-th allocation
 * fails, n = 1, 2, .. until none is left to fail. Every time the status must be OUT_OF_MEMORY and no memory may
 * be left.
 */
#include "expect.h"

#include "base/alloc.h"
#include "failing_alloc.h"
#include "op_graph.h"
#include "ops/ops.h"

enum { CASES_OF_AN_OP = 2 };

static quartic_device *device;

static quartic_status build_and_run(const quartic_op *op, const quartic_op_case *test, uint64_t seed,
                                    bool gradient) {
    quartic_fixture fixture;
    quartic_status status = quartic_fixture_begin(&fixture, op, test, seed);
    if (status == QUARTIC_OK) status = op_graph_build(&fixture, gradient);
    if (status == QUARTIC_OK) status = quartic_fixture_run(&fixture, device, false);
    quartic_fixture_end(&fixture);
    return status;
}

/* Returns how many allocations there were to fail. */
static uint64_t fail_each_allocation(const quartic_op *op, const quartic_op_case *test, uint64_t seed,
                                     bool gradient) {
    const int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    uint64_t nth = 0;
    while (status != QUARTIC_OK) {
        quartic_alloc_fail_at(++nth);
        status = build_and_run(op, test, seed, gradient);
        quartic_alloc_fail_at(0);
        if (status != QUARTIC_OK && status != QUARTIC_OUT_OF_MEMORY)
            fail_msg("%s (%s), seed %llu, allocation %llu: %s: %s", op->name, test->label,
                     (unsigned long long)seed, (unsigned long long)nth, quartic_status_name(status),
                     quartic_error_message());
        if (quartic_alloc_live() != live)
            fail_msg("%s (%s), seed %llu, allocation %llu: %lld allocations are left", op->name, test->label,
                     (unsigned long long)seed, (unsigned long long)nth,
                     (long long)(quartic_alloc_live() - live));
    }
    return nth - 1;
}

static void every_op_survives_failing_allocations(void **state) {
    (void)state;
    assert_ok(quartic_device_create("cpu", &device));
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        uint32_t cases[CASES_OF_AN_OP];
        const uint32_t count = op_graph_least_cases(op, CASES_OF_AN_OP, cases);
        assert_true(count > 0);
        for (uint32_t k = 0; k < count; ++k) {
            quartic_op_case test = {0};
            assert_true(op->cases(cases[k], &test));
            for (uint64_t seed = 1 + k; seed <= 3; seed += 2) {
                /* Fewer would mean that the failures do not reach what the graph allocates. */
                assert_true(fail_each_allocation(op, &test, seed, false) >= 10);
                if (quartic_fixture_has_gradient(op, &test))
                    assert_true(fail_each_allocation(op, &test, seed, true) >= 20);
            }
        }
    }
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_op_survives_failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
