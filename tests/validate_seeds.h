/* validate_seeds.h: quartic_validate over many seeds on one device: no bound may give a false alarm.
 *
 * Seed 1 is run with all cases by ops_validate. Here seeds 2 to 20 run over each op's cases of little work:
 * most cases of most ops, and of each op the two least. QUARTIC_TEST_SEEDS="1-200" in the environment runs
 * those seeds with all cases instead, which takes an hour or more; QUARTIC_TEST_WORK, a number of operations,
 * leaves out the cases of more work then.
 */
#ifndef QUARTIC_TESTS_VALIDATE_SEEDS_H
#define QUARTIC_TESTS_VALIDATE_SEEDS_H

#include "graph/graph.h"
#include "validate_device.h"
#include "verify/fixture.h"

enum { SEEDS_MOST_CASES = 128 };

/* Operations of a case, forward. */
static inline double seeds_work_of(const quartic_op *op, const quartic_op_case *test) {
    quartic_fixture rig;
    quartic_value values[QUARTIC_OP_MAX_INPUTS] = {0}, outputs[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t count;
    double work = 0;
    assert_int_equal(quartic_fixture_begin(&rig, op, test, 1), QUARTIC_OK);
    for (uint32_t i = 0; i < test->input_count; ++i) {
        const quartic_operand_request request = {.placement = QUARTIC_PLACE_WHOLE,
                                                 .dtype = test->inputs[i].dtype,
                                                 .shape = test->inputs[i].shape,
                                                 .fill = test->inputs[i].fill,
                                                 .limit = test->inputs[i].limit,
                                                 .state = (op->mutated_inputs >> i & 1u) != 0,
                                                 .divisor = 1.0f};
        if (request.dtype == QUARTIC_NO_DTYPE) continue;
        assert_int_equal(quartic_fixture_operand(&rig, &request, &values[i]), QUARTIC_OK);
        work += (double)quartic_shape_elements(&request.shape);
    }
    assert_int_equal(quartic_fixture_apply(&rig, values, outputs, &count), QUARTIC_OK);
    quartic_layout in[QUARTIC_OP_MAX_INPUTS], out[QUARTIC_OP_MAX_OUTPUTS];
    const quartic_op_call call =
        quartic_graph_call(rig.graph, &rig.graph->nodes[rig.graph->node_count - 1], in, out);
    for (uint32_t o = 0; o < call.output_count; ++o) work += (double)quartic_layout_elements(&out[o]);
    if (op->flops != NULL) work += op->flops(&call);
    quartic_fixture_end(&rig);
    return work;
}

/* Marks the cases to run. */
static inline uint32_t seeds_choose(const quartic_op *op, double most, bool chosen[SEEDS_MOST_CASES]) {
    double work[SEEDS_MOST_CASES];
    uint32_t count = 0;
    quartic_op_case test;
    for (; op->cases != NULL && op->cases(count, &test); ++count) {
        assert_true(count < SEEDS_MOST_CASES);
        work[count] = seeds_work_of(op, &test);
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

static inline void validate_seeds(const char *name, double most_work) {
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
        bool chosen[SEEDS_MOST_CASES];
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

#endif
