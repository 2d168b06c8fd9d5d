/* invalid_input.c: see invalid_input.h. */
#include "invalid_input.h"

#include "base/alloc.h"
#include "graph/graph.h"

static uint32_t invalid_count, invalid_wrong;
static int64_t invalid_live;

quartic_value invalid_operand(quartic_graph *graph, quartic_dtype dtype, const quartic_shape *shape) {
    char name[16];
    snprintf(name, sizeof name, "x%u", ++invalid_count);
    const quartic_value value = quartic_graph_input(graph, name, dtype, shape);
    assert_ok(quartic_graph_status(graph)); /* what is refused must be the op */
    return value;
}

quartic_value invalid_state(quartic_graph *graph, quartic_dtype dtype, const quartic_shape *shape) {
    char name[16];
    snprintf(name, sizeof name, "x%u", ++invalid_count);
    const quartic_value value = quartic_graph_state(graph, name, dtype, shape);
    assert_ok(quartic_graph_status(graph));
    return value;
}

quartic_graph *invalid_begin(void) {
    quartic_graph *graph = NULL;
    invalid_live = quartic_alloc_live();
    assert_ok(quartic_graph_create(&graph));
    return graph;
}

void invalid_end(quartic_graph *graph, const char *what, quartic_status status, const char *part) {
    const quartic_status got = quartic_graph_status(graph);
    if (got != status || strstr(quartic_error_message(), part) == NULL) {
        ++invalid_wrong;
        print_error("%s\n    gave %s, \"%s\"\n    instead of %s with \"%s\"\n", what,
                    quartic_status_name(got), got == QUARTIC_OK ? "" : quartic_error_message(),
                    quartic_status_name(status), part);
    }
    /* The first error stays, whatever is built afterwards. */
    const quartic_value after = quartic_range(graph, 3, 0.0f, 1.0f);
    if (got != QUARTIC_OK && (after.id != 0 || quartic_graph_status(graph) != got)) {
        ++invalid_wrong;
        print_error("%s\n    did not stay the graph's error\n", what);
    }
    quartic_graph_destroy(graph);
    assert_int_equal(quartic_alloc_live(), invalid_live);
}

void invalid_finish(void) {
    const uint32_t wrong = invalid_wrong;
    invalid_wrong = 0;
    if (wrong != 0) fail_msg("%u calls were not refused as they should be", wrong);
}

void invalid_append_case(quartic_graph *graph, const quartic_op *op, invalid_kind kind, uint32_t input) {
    quartic_op_case test;
    uint32_t index = 0;
    do {
        memset(&test, 0, sizeof test);
        if (!op->cases(index++, &test)) fail_msg("no case of %s has an operand %u", op->name, input);
    } while (input >= test.input_count || test.inputs[input].dtype == QUARTIC_NO_DTYPE);
    quartic_dtype *dtype = &test.inputs[input].dtype;
    quartic_shape *shape = &test.inputs[input].shape;
    if (kind == INVALID_MISSING) *dtype = QUARTIC_NO_DTYPE;
    if (kind == INVALID_DTYPE) *dtype = *dtype == QUARTIC_INT32 ? QUARTIC_FLOAT32 : QUARTIC_INT32;
    if (kind == INVALID_SIZE) shape->dims[shape->rank - 1] += 1;
    if (kind == INVALID_RANK) shape->dims[shape->rank++] = 1;
    quartic_value values[QUARTIC_OP_MAX_INPUTS] = {{0}}, outputs[QUARTIC_OP_MAX_OUTPUTS];
    for (uint32_t k = 0; k < test.input_count; ++k) {
        if (test.inputs[k].dtype == QUARTIC_NO_DTYPE) continue;
        values[k] = quartic_op_mutates(op, k)
                        ? invalid_state(graph, test.inputs[k].dtype, &test.inputs[k].shape)
                        : invalid_operand(graph, test.inputs[k].dtype, &test.inputs[k].shape);
    }
    (void)quartic_graph_append(graph, op, test.attrs, values, test.input_count, outputs,
                               QUARTIC_OP_MAX_OUTPUTS);
}
