/* fixture.c: graphs of single ops with drawn operands. See fixture.h. */
#include "verify/fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/access.h"
#include "verify/spread.h"

quartic_status quartic_fixture_begin(quartic_fixture *fixture, const quartic_op *op,
                                     const quartic_op_case *test, uint64_t seed) {
    *fixture = (quartic_fixture){.op = op, .test = test, .seed = seed};
    return quartic_graph_create(&fixture->graph);
}

void quartic_fixture_end(quartic_fixture *fixture) {
    for (uint32_t k = 0; k < fixture->operand_count; ++k) quartic_free((void *)fixture->feeds[k].data);
    for (uint32_t r = 0; r < fixture->result_count; ++r) {
        quartic_free(fixture->results[r].got);
        quartic_free(fixture->results[r].want);
    }
    quartic_graph_destroy(fixture->graph);
}

quartic_status quartic_fixture_operand(quartic_fixture *fixture, const quartic_operand_request *request,
                                       quartic_value *out_value) {
    quartic_placed placed;
    if (fixture->operand_count == QUARTIC_FIXTURE_OPERANDS)
        return quartic_fail(QUARTIC_INTERNAL, "a check of %s needs more than %d operands", fixture->op->name,
                            QUARTIC_FIXTURE_OPERANDS);
    if (!quartic_place(request->placement, request->dtype, &request->shape, &placed))
        quartic_place(QUARTIC_PLACE_OFFSET, request->dtype, &request->shape, &placed);
    uint32_t index = fixture->operand_count, rank = request->shape.rank;
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
    quartic_fill_operand(request->fill, request->dtype, request->limit, fixture->seed, index, count, row,
                         numbers);
    if (request->dtype == QUARTIC_FLOAT32)
        for (uint64_t i = 0; i < count; ++i) ((float *)(void *)numbers)[i] /= request->divisor;
    quartic_place_write(&placed, numbers, base);
    quartic_free(numbers);
    char *name = fixture->names[index];
    snprintf(name, QUARTIC_HARNESS_NAME, "operand %u", index);
    fixture->layouts[index] = placed.layout;
    fixture->feeds[index] = (quartic_feed){name, base, base_count * sizeof *base};
    quartic_value whole = request->state
                              ? quartic_graph_state(fixture->graph, name, request->dtype, &placed.base)
                              : quartic_graph_input(fixture->graph, name, request->dtype, &placed.base);
    *out_value = fixture->values[index] = quartic_place_view(fixture->graph, &placed, whole);
    ++fixture->operand_count;
    return quartic_graph_status(fixture->graph);
}

quartic_status quartic_fixture_apply(quartic_fixture *fixture, const quartic_value *inputs,
                                     quartic_value *outputs, uint32_t *out_count) {
    QUARTIC_TRY(quartic_graph_append(fixture->graph, fixture->op, fixture->test->attrs, inputs,
                                     fixture->test->input_count, outputs, QUARTIC_OP_MAX_OUTPUTS));
    const uint32_t last = quartic_graph_node_count(fixture->graph) - 1;
    *out_count = quartic_graph_node(fixture->graph, last)->output_count;
    return QUARTIC_OK;
}

quartic_status quartic_fixture_cotangents(quartic_fixture *fixture, quartic_placement placement,
                                          const quartic_value *outputs, uint32_t count,
                                          quartic_value *out_cotangents) {
    for (uint32_t o = 0; o < count; ++o) {
        out_cotangents[o] = (quartic_value){0};
        if (quartic_graph_dtype(fixture->graph, outputs[o]) != QUARTIC_FLOAT32 ||
            fixture->op->saved_outputs >> o & 1u)
            continue;
        const quartic_operand_request request = {.placement = placement,
                                                 .dtype = QUARTIC_FLOAT32,
                                                 .shape = quartic_graph_shape(fixture->graph, outputs[o]),
                                                 .fill = QUARTIC_FILL_NORMAL,
                                                 .divisor = 1.0f};
        QUARTIC_TRY(quartic_fixture_operand(fixture, &request, &out_cotangents[o]));
    }
    return QUARTIC_OK;
}

uint32_t quartic_fixture_differentiable(const quartic_fixture *fixture, uint32_t *out_operands) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fixture->test->input_count; ++i)
        if (fixture->test->inputs[i].dtype == QUARTIC_FLOAT32 && !fixture->test->inputs[i].no_gradient)
            out_operands[count++] = i;
    return count;
}

bool quartic_fixture_has_gradient(const quartic_op *op, const quartic_op_case *test) {
    uint32_t operands[QUARTIC_OP_MAX_INPUTS];
    const quartic_fixture fixture = {.op = op, .test = test};
    return op->grad != NULL && quartic_fixture_differentiable(&fixture, operands) > 0;
}

quartic_status quartic_fixture_gradients(quartic_fixture *fixture, const quartic_value *outputs,
                                         const quartic_value *cotangents, uint32_t output_count,
                                         const quartic_value *wrt, uint32_t count,
                                         quartic_value *out_gradients) {
    quartic_value values[QUARTIC_OP_MAX_OUTPUTS], seeds[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t value_count = 0;
    for (uint32_t o = 0; o < output_count; ++o)
        if (cotangents[o].id != 0) values[value_count] = outputs[o], seeds[value_count++] = cotangents[o];
    QUARTIC_TRY(
        quartic_graph_gradients_many(fixture->graph, values, seeds, value_count, wrt, count, out_gradients));
    for (uint32_t k = 0; k < count; ++k)
        if (out_gradients[k].id == 0)
            return quartic_fail(QUARTIC_INTERNAL,
                                "the gradient rule of %s gives no gradient for differentiable operand "
                                "number %u",
                                fixture->op->name, k);
    return QUARTIC_OK;
}

static quartic_status add_fixture_result(quartic_fixture *fixture, const char *name, quartic_value value) {
    if (fixture->result_count == QUARTIC_FIXTURE_RESULTS)
        return quartic_fail(QUARTIC_INTERNAL, "a check of %s has more than %d results", fixture->op->name,
                            QUARTIC_FIXTURE_RESULTS);
    quartic_fixture_output *result = &fixture->results[fixture->result_count];
    *result = (quartic_fixture_output){.dtype = quartic_graph_dtype(fixture->graph, value),
                                       .shape = quartic_graph_shape(fixture->graph, value)};
    snprintf(result->name, sizeof result->name, "%s", name);
    result->count = quartic_shape_elements(&result->shape);
    result->got = quartic_alloc(result->count, sizeof(float));
    result->want = quartic_alloc(result->count, sizeof(float));
    ++fixture->result_count;
    return result->got == NULL || result->want == NULL ? QUARTIC_OUT_OF_MEMORY
                                                       : quartic_graph_status(fixture->graph);
}

quartic_status quartic_fixture_result(quartic_fixture *fixture, const char *name, quartic_value value) {
    quartic_graph_output(fixture->graph, name, value);
    return add_fixture_result(fixture, name, value);
}

quartic_status quartic_fixture_state_result(quartic_fixture *fixture, quartic_value state) {
    const uint32_t storage = quartic_graph_value_record(fixture->graph, state.id)->storage;
    return add_fixture_result(fixture, quartic_graph_storage(fixture->graph, storage)->name, state);
}

quartic_status quartic_fixture_run(quartic_fixture *fixture, quartic_device *device, bool trusted) {
    quartic_fetch fetches[QUARTIC_FIXTURE_RESULTS];
    for (uint32_t r = 0; r < fixture->result_count; ++r) {
        const quartic_fixture_output *result = &fixture->results[r];
        fetches[r] = (quartic_fetch){result->name, trusted ? result->want : result->got, result->count};
    }
    return quartic_harness_run(device, fixture->graph, fixture->feeds, fixture->operand_count, fetches,
                               fixture->result_count);
}

quartic_status quartic_fixture_spreads(const quartic_fixture *fixture, double *out_spreads) {
    const char *names[QUARTIC_FIXTURE_RESULTS];
    for (uint32_t r = 0; r < fixture->result_count; ++r) names[r] = fixture->results[r].name;
    return quartic_spread(fixture->graph, fixture->feeds, fixture->operand_count, names,
                          fixture->result_count, out_spreads);
}

double quartic_fixture_tolerance(const quartic_fixture *fixture) {
    double sum = 0.0;
    for (uint32_t n = 0; n < quartic_graph_node_count(fixture->graph); ++n) {
        const quartic_node *node = quartic_graph_node(fixture->graph, n);
        quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
        quartic_op_call call = quartic_graph_call(fixture->graph, node, inputs, outputs);
        sum += node->op->tolerance * (node->op->reduction == NULL ? 1.0 : sqrt(node->op->reduction(&call)));
    }
    return sum;
}

double quartic_fixture_scale(const quartic_fixture *fixture, const quartic_fixture_output *result) {
    double operands = 0.0;
    for (uint32_t k = 0; k < fixture->operand_count; ++k) {
        if (quartic_graph_dtype(fixture->graph, fixture->values[k]) != QUARTIC_FLOAT32) continue;
        const float *numbers = fixture->feeds[k].data;
        for (uint64_t i = 0; i < fixture->feeds[k].bytes / sizeof *numbers;
             ++i) /* false for NaN, the poison */
            if (fabs((double)numbers[i]) > operands) operands = fabs((double)numbers[i]);
    }
    return quartic_error_scale(quartic_largest(result->want, result->count), operands);
}

quartic_status quartic_fixture_expect_op(const char *name) {
    if (name == NULL || quartic_op_find(name) != NULL) return QUARTIC_OK;
    char list[QUARTIC_HARNESS_TEXT];
    size_t used = 0;
    for (uint32_t o = 0; o < quartic_op_count() && used < sizeof list; ++o)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", o == 0 ? "" : ", ",
                                 quartic_op_at(o)->name);
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "there is no op \"%s\"; the ops are: %s", name, list);
}
