/* rig.c: see rig.h. */
#include "verify/rig.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/access.h"
#include "verify/spread.h"

quartic_status quartic_rig_begin(quartic_rig *rig, const quartic_op *op, const quartic_op_case *test,
                                 uint64_t seed) {
    *rig = (quartic_rig){.op = op, .test = test, .seed = seed};
    return quartic_graph_create(&rig->graph);
}

void quartic_rig_end(quartic_rig *rig) {
    for (uint32_t k = 0; k < rig->operand_count; ++k) quartic_free((void *)rig->feeds[k].data);
    for (uint32_t r = 0; r < rig->result_count; ++r) {
        quartic_free(rig->results[r].got);
        quartic_free(rig->results[r].want);
    }
    quartic_graph_destroy(rig->graph);
}

quartic_status quartic_rig_operand(quartic_rig *rig, const quartic_operand_request *request,
                                   quartic_value *out_value) {
    quartic_placed placed;
    if (rig->operand_count == QUARTIC_RIG_OPERANDS)
        return quartic_fail(QUARTIC_INTERNAL, "a check of %s needs more than %d operands", rig->op->name,
                            QUARTIC_RIG_OPERANDS);
    if (!quartic_place(request->placement, request->dtype, &request->shape, &placed))
        quartic_place(QUARTIC_PLACE_OFFSET, request->dtype, &request->shape, &placed);
    uint32_t index = rig->operand_count, rank = request->shape.rank;
    uint64_t count = quartic_shape_elements(&request->shape),
             base_count = quartic_shape_elements(&placed.base);
    uint64_t row = rank == 0 ? 1 : request->shape.dims[rank - 1];
    uint32_t *numbers = quartic_alloc(count, sizeof *numbers),
             *base = quartic_alloc(base_count, sizeof *base);
    if (numbers == NULL || base == NULL) {
        quartic_free(numbers);
        quartic_free(base);
        return QUARTIC_OUT_OF_MEMORY;
    }
    quartic_fill_operand(request->fill, request->dtype, request->limit, rig->seed, index, count, row,
                         numbers);
    if (request->dtype == QUARTIC_FLOAT32)
        for (uint64_t i = 0; i < count; ++i) ((float *)(void *)numbers)[i] /= request->divisor;
    quartic_place_write(&placed, numbers, base);
    quartic_free(numbers);
    char *name = rig->names[index];
    snprintf(name, QUARTIC_HARNESS_NAME, "operand %u", index);
    rig->layouts[index] = placed.layout;
    rig->feeds[index] = (quartic_feed){name, base, base_count * sizeof *base};
    quartic_value whole = request->state
                              ? quartic_graph_state(rig->graph, name, request->dtype, &placed.base)
                              : quartic_graph_input(rig->graph, name, request->dtype, &placed.base);
    *out_value = rig->values[index] = quartic_place_view(rig->graph, &placed, whole);
    ++rig->operand_count;
    return quartic_graph_status(rig->graph);
}

quartic_status quartic_rig_apply(quartic_rig *rig, const quartic_value *inputs, quartic_value *outputs,
                                 uint32_t *out_count) {
    QUARTIC_TRY(quartic_graph_append(rig->graph, rig->op, rig->test->attrs, inputs, rig->test->input_count,
                                     outputs, QUARTIC_OP_MAX_OUTPUTS));
    const uint32_t last = quartic_graph_node_count(rig->graph) - 1;
    *out_count = quartic_graph_node(rig->graph, last)->output_count;
    return QUARTIC_OK;
}

quartic_status quartic_rig_cotangents(quartic_rig *rig, quartic_placement placement,
                                      const quartic_value *outputs, uint32_t count,
                                      quartic_value *out_cotangents) {
    for (uint32_t o = 0; o < count; ++o) {
        out_cotangents[o] = (quartic_value){0};
        if (quartic_graph_dtype(rig->graph, outputs[o]) != QUARTIC_FLOAT32 ||
            rig->op->saved_outputs >> o & 1u)
            continue;
        const quartic_operand_request request = {.placement = placement,
                                                 .dtype = QUARTIC_FLOAT32,
                                                 .shape = quartic_graph_shape(rig->graph, outputs[o]),
                                                 .fill = QUARTIC_FILL_NORMAL,
                                                 .divisor = 1.0f};
        QUARTIC_TRY(quartic_rig_operand(rig, &request, &out_cotangents[o]));
    }
    return QUARTIC_OK;
}

uint32_t quartic_rig_differentiable(const quartic_rig *rig, uint32_t *out_operands) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < rig->test->input_count; ++i)
        if (rig->test->inputs[i].dtype == QUARTIC_FLOAT32 && !rig->test->inputs[i].no_gradient)
            out_operands[count++] = i;
    return count;
}

bool quartic_rig_has_gradient(const quartic_op *op, const quartic_op_case *test) {
    uint32_t operands[QUARTIC_OP_MAX_INPUTS];
    const quartic_rig rig = {.op = op, .test = test};
    return op->grad != NULL && quartic_rig_differentiable(&rig, operands) > 0;
}

quartic_status quartic_rig_gradients(quartic_rig *rig, const quartic_value *outputs,
                                     const quartic_value *cotangents, uint32_t output_count,
                                     const quartic_value *wrt, uint32_t count, quartic_value *out_gradients) {
    quartic_value values[QUARTIC_OP_MAX_OUTPUTS], seeds[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t value_count = 0;
    for (uint32_t o = 0; o < output_count; ++o)
        if (cotangents[o].id != 0) values[value_count] = outputs[o], seeds[value_count++] = cotangents[o];
    QUARTIC_TRY(
        quartic_graph_gradients_many(rig->graph, values, seeds, value_count, wrt, count, out_gradients));
    for (uint32_t k = 0; k < count; ++k)
        if (out_gradients[k].id == 0)
            return quartic_fail(QUARTIC_INTERNAL,
                                "the gradient rule of %s gives no gradient for differentiable operand "
                                "number %u",
                                rig->op->name, k);
    return QUARTIC_OK;
}

static quartic_status add_result(quartic_rig *rig, const char *name, quartic_value value) {
    if (rig->result_count == QUARTIC_RIG_RESULTS)
        return quartic_fail(QUARTIC_INTERNAL, "a check of %s has more than %d results", rig->op->name,
                            QUARTIC_RIG_RESULTS);
    quartic_rig_output *result = &rig->results[rig->result_count];
    *result = (quartic_rig_output){.dtype = quartic_graph_dtype(rig->graph, value),
                                   .shape = quartic_graph_shape(rig->graph, value)};
    snprintf(result->name, sizeof result->name, "%s", name);
    result->count = quartic_shape_elements(&result->shape);
    result->got = quartic_alloc(result->count, sizeof(float));
    result->want = quartic_alloc(result->count, sizeof(float));
    ++rig->result_count;
    return result->got == NULL || result->want == NULL ? QUARTIC_OUT_OF_MEMORY
                                                       : quartic_graph_status(rig->graph);
}

quartic_status quartic_rig_result(quartic_rig *rig, const char *name, quartic_value value) {
    quartic_graph_output(rig->graph, name, value);
    return add_result(rig, name, value);
}

quartic_status quartic_rig_state_result(quartic_rig *rig, quartic_value state) {
    const uint32_t storage = quartic_graph_value_record(rig->graph, state.id)->storage;
    return add_result(rig, quartic_graph_storage(rig->graph, storage)->name, state);
}

quartic_status quartic_rig_run(quartic_rig *rig, quartic_device *device, bool trusted) {
    quartic_fetch fetches[QUARTIC_RIG_RESULTS];
    for (uint32_t r = 0; r < rig->result_count; ++r) {
        const quartic_rig_output *result = &rig->results[r];
        fetches[r] = (quartic_fetch){result->name, trusted ? result->want : result->got, result->count};
    }
    return quartic_harness_run(device, rig->graph, rig->feeds, rig->operand_count, fetches,
                               rig->result_count);
}

quartic_status quartic_rig_spreads(const quartic_rig *rig, double *out_spreads) {
    const char *names[QUARTIC_RIG_RESULTS];
    for (uint32_t r = 0; r < rig->result_count; ++r) names[r] = rig->results[r].name;
    return quartic_spread(rig->graph, rig->feeds, rig->operand_count, names, rig->result_count, out_spreads);
}

double quartic_rig_tolerance(const quartic_rig *rig) {
    double sum = 0.0;
    for (uint32_t n = 0; n < quartic_graph_node_count(rig->graph); ++n) {
        const quartic_node *node = quartic_graph_node(rig->graph, n);
        quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
        quartic_op_call call = quartic_graph_call(rig->graph, node, inputs, outputs);
        sum += node->op->tolerance * (node->op->reduction == NULL ? 1.0 : sqrt(node->op->reduction(&call)));
    }
    return sum;
}

double quartic_rig_scale(const quartic_rig *rig, const quartic_rig_output *result) {
    double operands = 0.0;
    for (uint32_t k = 0; k < rig->operand_count; ++k) {
        if (quartic_graph_dtype(rig->graph, rig->values[k]) != QUARTIC_FLOAT32) continue;
        const float *numbers = rig->feeds[k].data;
        for (uint64_t i = 0; i < rig->feeds[k].bytes / sizeof *numbers; ++i) /* poison is not counted */
            if (fabs((double)numbers[i]) > operands) operands = fabs((double)numbers[i]);
    }
    return quartic_error_scale(quartic_largest(result->want, result->count), operands);
}

quartic_status quartic_rig_expect_op(const char *name) {
    if (name == NULL || quartic_op_find(name) != NULL) return QUARTIC_OK;
    char list[QUARTIC_HARNESS_TEXT];
    size_t used = 0;
    for (uint32_t o = 0; o < quartic_op_count() && used < sizeof list; ++o)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", o == 0 ? "" : ", ",
                                 quartic_op_at(o)->name);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "there is no op \"%s\"; the ops are: %s", name, list);
}
