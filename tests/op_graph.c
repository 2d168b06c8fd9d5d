/* op_graph.c: see op_graph.h. */
#include "op_graph.h"

#include <stdio.h>

#include "expect.h"
#include "graph/graph.h"

static quartic_status add_operands(quartic_fixture *fixture, quartic_value *values) {
    for (uint32_t i = 0; i < fixture->test->input_count; ++i) {
        if (fixture->test->inputs[i].dtype == QUARTIC_NO_DTYPE) continue;
        const quartic_operand_request request = {.placement = QUARTIC_PLACE_WHOLE,
                                                 .dtype = fixture->test->inputs[i].dtype,
                                                 .shape = fixture->test->inputs[i].shape,
                                                 .fill = fixture->test->inputs[i].fill,
                                                 .limit = fixture->test->inputs[i].limit,
                                                 .state = quartic_op_mutates(fixture->op, i),
                                                 .divisor = 1.0f};
        QUARTIC_TRY(quartic_fixture_operand(fixture, &request, &values[i]));
    }
    return QUARTIC_OK;
}

static quartic_status op_graph_add_gradients(quartic_fixture *fixture, const quartic_value *values,
                                             const quartic_value *outputs, uint32_t output_count) {
    quartic_value cotangents[QUARTIC_OP_MAX_OUTPUTS], wrt[QUARTIC_OP_MAX_INPUTS],
        gradients[QUARTIC_OP_MAX_INPUTS];
    uint32_t operands[QUARTIC_OP_MAX_INPUTS];
    QUARTIC_TRY(quartic_fixture_cotangents(fixture, QUARTIC_PLACE_WHOLE, outputs, output_count, cotangents));
    const uint32_t count = quartic_fixture_differentiable(fixture, operands);
    for (uint32_t k = 0; k < count; ++k) wrt[k] = values[operands[k]];
    QUARTIC_TRY(quartic_fixture_gradients(fixture, outputs, cotangents, output_count, wrt, count, gradients));
    for (uint32_t k = 0; k < count; ++k) {
        char name[QUARTIC_HARNESS_NAME];
        snprintf(name, sizeof name, "gradient %u", k);
        QUARTIC_TRY(quartic_fixture_result(fixture, name, gradients[k]));
    }
    return QUARTIC_OK;
}

static quartic_status add_results(quartic_fixture *fixture, const quartic_value *values,
                                  const quartic_value *outputs, uint32_t output_count) {
    uint32_t mutated = 0;
    for (uint32_t i = 0; i < fixture->test->input_count; ++i)
        if (quartic_op_mutates(fixture->op, i)) {
            ++mutated;
            QUARTIC_TRY(quartic_fixture_state_result(fixture, values[i]));
        }
    for (uint32_t o = mutated; o < output_count; ++o) {
        char name[QUARTIC_HARNESS_NAME];
        snprintf(name, sizeof name, "output %u", o);
        QUARTIC_TRY(quartic_fixture_result(fixture, name, outputs[o]));
    }
    return QUARTIC_OK;
}

quartic_status op_graph_build(quartic_fixture *fixture, bool gradient) {
    quartic_value values[QUARTIC_OP_MAX_INPUTS] = {{0}}, outputs[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t output_count;
    QUARTIC_TRY(add_operands(fixture, values));
    QUARTIC_TRY(quartic_fixture_apply(fixture, values, outputs, &output_count));
    return gradient ? op_graph_add_gradients(fixture, values, outputs, output_count)
                    : add_results(fixture, values, outputs, output_count);
}

double op_graph_work(const quartic_op *op, const quartic_op_case *test) {
    quartic_fixture fixture;
    quartic_value values[QUARTIC_OP_MAX_INPUTS] = {{0}}, outputs[QUARTIC_OP_MAX_OUTPUTS];
    quartic_layout in[QUARTIC_OP_MAX_INPUTS], out[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t count;
    double work = 0;
    assert_ok(quartic_fixture_begin(&fixture, op, test, 1));
    assert_ok(add_operands(&fixture, values));
    assert_ok(quartic_fixture_apply(&fixture, values, outputs, &count));
    const quartic_op_call call =
        quartic_graph_call(fixture.graph, &fixture.graph->nodes[fixture.graph->node_count - 1], in, out);
    for (uint32_t i = 0; i < call.input_count; ++i)
        if (quartic_is_present(&in[i])) work += (double)quartic_layout_elements(&in[i]);
    for (uint32_t o = 0; o < call.output_count; ++o) work += (double)quartic_layout_elements(&out[o]);
    if (op->flops != NULL) work += op->flops(&call);
    quartic_fixture_end(&fixture);
    return work;
}

uint32_t op_graph_least_cases(const quartic_op *op, uint32_t most, uint32_t *out_cases) {
    double work[OP_GRAPH_MOST_CASES];
    bool taken[OP_GRAPH_MOST_CASES] = {false};
    uint32_t count = 0, found = 0;
    quartic_op_case test;
    for (; op->cases != NULL && op->cases(count, &test); ++count) {
        assert_true(count < OP_GRAPH_MOST_CASES);
        work[count] = op_graph_work(op, &test);
    }
    for (; found < most && found < count; ++found) {
        uint32_t least = count;
        for (uint32_t c = 0; c < count; ++c)
            if (!taken[c] && (least == count || work[c] < work[least])) least = c;
        taken[least] = true;
        out_cases[found] = least;
    }
    return found;
}
