/* validate_seeds.c: see validate_seeds.h. */
#include "validate_seeds.h"

#include "op_graph.h"
#include "ops/ops.h"
#include "validate_device.h"

/* Marks the cases to run. */
static uint32_t seeds_choose(const quartic_op *op, double most, bool chosen[OP_GRAPH_MOST_CASES]) {
    double work[OP_GRAPH_MOST_CASES];
    uint32_t count = 0;
    quartic_op_case test;
    for (; op->cases != NULL && op->cases(count, &test); ++count) {
        assert_true(count < OP_GRAPH_MOST_CASES);
        work[count] = op_graph_work(op, &test);
        chosen[count] = work[count] <= most;
    }
    for (int pass = 0; pass < 2; ++pass) { /* the two least, whatever they take */
        uint32_t least = count;
        for (uint32_t c = 0; c < count; ++c)
            if (!chosen[c] && (least == count || work[c] < work[least])) least = c;
        uint32_t already = 0;
        for (uint32_t c = 0; c < count; ++c) already += chosen[c];
        if (already < 2 && least < count) chosen[least] = true;
    }
    return count;
}

void validate_seeds(const char *name, double most_work) {
    unsigned long long first = 2, last = 20;
    const char *given = getenv("QUARTIC_TEST_SEEDS");
    if (given != NULL && sscanf(given, "%llu-%llu", &first, &last) != 2)
        fail_msg("QUARTIC_TEST_SEEDS is \"%s\", not like 1-200", given);
    if (given != NULL) most_work = 1e300;
    if (getenv("QUARTIC_TEST_WORK") != NULL) most_work = strtod(getenv("QUARTIC_TEST_WORK"), NULL);
    quartic_device *device;
    if (quartic_device_create(name, &device) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    quartic_validate_config config = QUARTIC_VALIDATE_CONFIG_INIT;
    int verbose = 0;
    uint32_t passed = 0, failed = 0, unsupported = 0;
    config.callback = print_check;
    config.context = &verbose;
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        bool chosen[OP_GRAPH_MOST_CASES];
        const uint32_t cases = seeds_choose(op, most_work, chosen);
        uint32_t of_op = 0;
        config.op = op->name;
        for (uint32_t c = 0; c < cases; ++c)
            for (config.seed = first; chosen[c] && config.seed <= last; ++config.seed) {
                quartic_check_totals totals;
                config.case_index = c;
                if (quartic_validate(device, &config, &totals) != QUARTIC_OK)
                    fail_msg("%s: %s", op->name, quartic_error_message());
                of_op += totals.passed;
                failed += totals.failed;
                unsupported += totals.unsupported;
            }
        if (given != NULL) fprintf(stderr, "%s: %u passed, %u failed so far\n", op->name, of_op, failed);
        if (of_op == 0 && op->view == NULL) fail_msg("not one check of %s was made", op->name);
        passed += of_op;
    }
    printf("%s: %u checks passed over seeds %llu to %llu\n", name, passed, first, last);
    assert_int_equal(failed, 0);
    assert_int_equal(unsupported, 0);
    quartic_device_destroy(device);
}
