/* tape.c: the functions of tape.h that a gradient rule calls, and the recomputation of the values that it
 * reads.
 *
 * If a value was built between quartic_graph_begin_recompute and _end_recompute, a copy of its node is
 * appended here and the rule reads that one's output. So the value of the forward pass need not live until
 * the backward pass. A rule must read what its node read: an operand that was updated in place since is
 * refused.
 */
#include "graph/tape_state.h"

const void *quartic_tape_attrs(const quartic_tape *tape) {
    return tape->node.attrs;
}

bool quartic_tape_wants(const quartic_tape *tape, uint32_t input) {
    return input < tape->node.input_count && tape->node.inputs[input] != 0 &&
           tape->depends[tape->node.inputs[input]];
}

quartic_graph *quartic_tape_graph(quartic_tape *tape) {
    return tape->graph;
}

quartic_layout quartic_tape_input_layout(const quartic_tape *tape, uint32_t input) {
    uint32_t id = input < tape->node.input_count ? tape->node.inputs[input] : 0;
    return id == 0 ? (quartic_layout){0} : quartic_graph_get(tape->graph, id)->layout;
}

/* Sets the graph's error if value id was updated in place after node `reader` read it. */
static void expect_unchanged(quartic_tape *tape, uint32_t reader, uint32_t id) {
    quartic_graph *graph = tape->graph;
    if (id == 0 || id > tape->value_count || graph->status != QUARTIC_OK) return;
    const uint32_t update = quartic_graph_last_update(graph, id, reader + 1, graph->node_count);
    if (update == QUARTIC_NONE) return;
    quartic_graph_fail(
        graph, quartic_fail(
                   QUARTIC_INVALID_ARGUMENT,
                   "the gradient of %s (step %u) needs \"%s\" as it was, but %s (step %u) has updated it in "
                   "place since; ask for the gradients before the update, or compute from a quartic_copy",
                   quartic_op_builder(graph->nodes[reader].op, graph->nodes[reader].attrs), reader,
                   graph->storages[quartic_graph_get(graph, id)->storage].name,
                   quartic_op_builder(graph->nodes[update].op, graph->nodes[update].attrs), update));
}

/* The id of the value to read in the backward pass: a recomputed copy if its node is to be recomputed or is a
 * view of such a value, else the value itself. */
static uint32_t backward_value(quartic_tape *tape, uint32_t id) {
    if (id == 0 || id > tape->value_count || tape->graph->status != QUARTIC_OK) return id;
    if (tape->recomputed[id] != 0) return tape->recomputed[id];
    tape->recomputed[id] = id;
    uint32_t node_index = quartic_graph_get(tape->graph, id)->node;
    if (node_index == QUARTIC_NONE) return id;
    quartic_node node = tape->graph->nodes[node_index];
    if (!node.recompute && node.op->view == NULL) return id;
    bool moved = node.recompute && node.op->view == NULL;
    quartic_value inputs[QUARTIC_OP_MAX_INPUTS];
    for (uint32_t i = 0; i < node.input_count; ++i) {
        inputs[i] = quartic_graph_value_of(tape->graph, backward_value(tape, node.inputs[i]));
        moved = moved || inputs[i].id != node.inputs[i];
        /* A view reads nothing itself; its readers are checked. */
        if (node.op->view == NULL && inputs[i].id == node.inputs[i])
            expect_unchanged(tape, node_index, node.inputs[i]);
    }
    if (!moved || tape->graph->status != QUARTIC_OK) return id;
    quartic_value outputs[QUARTIC_OP_MAX_OUTPUTS];
    uint32_t depth = tape->graph->recompute_depth;
    tape->graph->recompute_depth = 0;
    quartic_graph_append(tape->graph, node.op, node.attrs, inputs, node.input_count, outputs,
                         node.output_count);
    tape->graph->recompute_depth = depth;
    for (uint32_t o = 0; o < node.output_count; ++o) tape->recomputed[node.outputs[o]] = outputs[o].id;
    return tape->recomputed[id];
}

quartic_value quartic_tape_input(quartic_tape *tape, uint32_t input) {
    uint32_t id = input < tape->node.input_count ? tape->node.inputs[input] : 0;
    uint32_t read = backward_value(tape, id);
    expect_unchanged(tape, tape->node_index, read);
    return quartic_graph_value_of(tape->graph, read);
}

quartic_value quartic_tape_output(quartic_tape *tape, uint32_t output) {
    uint32_t read = backward_value(tape, tape->node.outputs[output]);
    expect_unchanged(tape, tape->node_index, read);
    return quartic_graph_value_of(tape->graph, read);
}

quartic_value quartic_tape_gradient(quartic_tape *tape, uint32_t output) {
    return output < tape->node.output_count ? tape->gradient[tape->node.outputs[output]] : (quartic_value){0};
}

quartic_value quartic_tape_collect(quartic_tape *tape, uint32_t input) {
    const quartic_value nothing = {0};
    if (!quartic_tape_wants(tape, input) || tape->graph->status != QUARTIC_OK) return nothing;
    quartic_value *slot = &tape->gradient[tape->node.inputs[input]];
    const quartic_value collected = *slot;
    if (collected.id == 0 ||
        !quartic_layout_is_contiguous(&quartic_graph_get(tape->graph, collected.id)->layout))
        return nothing;
    *slot = nothing;
    return collected;
}

void quartic_tape_give(quartic_tape *tape, uint32_t input, quartic_value gradient) {
    if (quartic_tape_wants(tape, input)) tape->take(tape, tape->node.inputs[input], NULL, gradient);
}

void quartic_tape_give_part(quartic_tape *tape, uint32_t input, uint32_t axis, uint32_t start,
                            quartic_value gradient) {
    if (!quartic_tape_wants(tape, input) || gradient.id == 0) return;
    const uint32_t length = quartic_graph_get(tape->graph, gradient.id)->layout.shape.dims[axis];
    tape->take(tape, tape->node.inputs[input], &(quartic_tape_part){axis, start, length}, gradient);
}
