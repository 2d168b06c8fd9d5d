/* op_graph.c: see op_graph.h. */
#include "op_graph.h"

#include <stdio.h>

static quartic_status add_operands(quartic_fixture *rig, quartic_value *values) {
    for (uint32_t i = 0; i < rig->test->input_count; ++i) {
        if (rig->test->inputs[i].dtype == QUARTIC_NO_DTYPE) continue;
        const quartic_operand_request request = {.placement = QUARTIC_PLACE_WHOLE,
                                                 .dtype = rig->test->inputs[i].dtype,
                                                 .shape = rig->test->inputs[i].shape,
                                                 .fill = rig->test->inputs[i].fill,
                                                 .limit = rig->test->inputs[i].limit,
                                                 .state = (rig->op->mutated_inputs >> i & 1u) != 0,
                                                 .divisor = 1.0f};
        QUARTIC_TRY(quartic_fixture_operand(rig, &request, &values[i]));
    }
    return QUARTIC_OK;
}

static quartic_status add_gradients(quartic_fixture *rig, const quartic_value *values,
                                    const quartic_value *outputs, uint32_t output_count) {
    quartic_value cotangents[QUARTIC_OP_MAX_OUTPUTS], wrt[QUARTIC_OP_MAX_INPUTS],
        gradients[QUARTIC_OP_MAX_INPUTS];
    uint32_t operands[QUARTIC_OP_MAX_INPUTS];
    QUARTIC_TRY(quartic_fixture_cotangents(rig, QUARTIC_PLACE_WHOLE, outputs, output_count, cotangents));
    const uint32_t count = quartic_fixture_differentiable(rig, operands);
    for (uint32_t k = 0; k < count; ++k) wrt[k] = values[operands[k]];
    QUARTIC_TRY(quartic_fixture_gradients(rig, outputs, cotangents, output_count, wrt, count, gradients));
    for (uint32_t k = 0; k < count; ++k) {
        char name[QUARTIC_HARNESS_NAME];
        snprintf(name, sizeof name, "gradient %u", k);
        QUARTIC_TRY(quartic_fixture_result(rig, name, gradients[k]));
    }
    return QUARTIC_OK;
}

static quartic_status add_results(quartic_fixture *rig, const quartic_value *values,
                                  const quartic_value *outputs, uint32_t output_count) {
    uint32_t mutated = 0;
    for (uint32_t i = 0; i < rig->test->input_count; ++i)
        if (rig->op->mutated_inputs >> i & 1u) {
            ++mutated;
            QUARTIC_TRY(quartic_fixture_state_result(rig, values[i]));
        }
    for (uint32_t o = mutated; o < output_count; ++o) {
        char name[QUARTIC_HARNESS_NAME];
        snprintf(name, sizeof name, "output %u", o);
        QUARTIC_TRY(quartic_fixture_result(rig, name, outputs[o]));
    }
    return QUARTIC_OK;
}

quartic_status op_graph_build(quartic_fixture *rig, bool gradient) {
    quartic_value values[QUARTIC_OP_MAX_INPUTS] = {{0}}, outputs[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t output_count;
    QUARTIC_TRY(add_operands(rig, values));
    QUARTIC_TRY(quartic_fixture_apply(rig, values, outputs, &output_count));
    return gradient ? add_gradients(rig, values, outputs, output_count)
                    : add_results(rig, values, outputs, output_count);
}
