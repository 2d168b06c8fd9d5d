/* autodiff.c: reverse-mode gradients, appended to the same graph as more nodes.
 *
 * "Wanted" are the values whose gradients are asked for. The nodes are visited once, last to first. Where a
 * node depends on a wanted value and one of its outputs has a gradient, the rule of its op appends the
 * adjoint. Gradients that reach a value from several readers are added. Gradients of slices are collected
 * first: if the slices are disjoint they are joined by concat, else each is padded with zeros and added.
 * Which values a rule reads, the original or a recomputed copy, is decided in graph/tape.c.
 *
 * Refused: a path to a wanted value through an update in place, which has no gradient, into a node that reads
 * the updated memory by a value from before the update.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/work.h"
#include "graph/tape_state.h"

typedef struct pending_slice {
    uint32_t next; /* slice of the same source; QUARTIC_NONE: none */
    quartic_tape_part part;
    quartic_value gradient;
} pending_slice;

typedef struct backward_pass {
    quartic_tape tape;       /* the first member: a pointer to it is one to the pass */
    bool *update_depends;    /* per node that updates in place: whether it depends on a wanted value */
    pending_slice *pending;  /* gradients of slices, as lists: one for each value that was sliced */
    uint32_t *first_pending; /* per value id: the start of its list, its latest slice; QUARTIC_NONE: empty */
    uint32_t pending_count, pending_capacity;
    pending_slice *parts; /* the list of one value, as an array, while it is joined */
    uint32_t parts_capacity;
} backward_pass;

/* Adds a gradient to that of value id. */
static void add_gradient(quartic_tape *tape, uint32_t id, quartic_value gradient) {
    quartic_graph *graph = tape->graph;
    if (graph->status != QUARTIC_OK || gradient.id == 0) return;
    quartic_shape want = quartic_graph_get(graph, id)->layout.shape,
                  got = quartic_graph_shape(graph, gradient);
    if (!quartic_shape_equal(&want, &got)) {
        char want_text[QUARTIC_SHAPE_TEXT], got_text[QUARTIC_SHAPE_TEXT];
        quartic_graph_fail(
            graph, quartic_fail(QUARTIC_INTERNAL,
                                "the gradient rule of %s gives shape %s for an operand of shape %s",
                                tape->node.op == NULL ? "the start"
                                                      : quartic_op_builder(tape->node.op, tape->node.attrs),
                                quartic_shape_text(&got, got_text), quartic_shape_text(&want, want_text)));
        return;
    }
    quartic_value *slot = &tape->gradient[id];
    *slot = slot->id == 0 ? gradient : quartic_add(graph, *slot, gradient);
}

/* ---- slices ---- */

/* Puts the gradient of a part of value `source` on its list. */
static void defer_slice(backward_pass *pass, uint32_t source, const quartic_tape_part *part,
                        quartic_value gradient) {
    if (pass->pending_count == pass->pending_capacity) {
        uint32_t wider = pass->pending_capacity == 0 ? 32 : 2 * pass->pending_capacity;
        pending_slice *grown = quartic_realloc(pass->pending, pass->pending_capacity, wider, sizeof *grown);
        if (grown == NULL) {
            quartic_graph_fail(pass->tape.graph, QUARTIC_OUT_OF_MEMORY);
            return;
        }
        pass->pending = grown;
        pass->pending_capacity = wider;
    }
    pass->pending[pass->pending_count] =
        (pending_slice){.next = pass->first_pending[source], .part = *part, .gradient = gradient};
    pass->first_pending[source] = pass->pending_count++;
}

/* quartic_tape.take: receives the gradients that rules give. */
static void take_gradient(quartic_tape *tape, uint32_t id, const quartic_tape_part *part,
                          quartic_value gradient) {
    if (part == NULL)
        add_gradient(tape, id, gradient);
    else
        defer_slice((backward_pass *)tape, id, part, gradient);
}

static int by_start(const void *a, const void *b) {
    const pending_slice *x = a, *y = b;
    return x->part.start < y->part.start ? -1 : x->part.start > y->part.start;
}

/* Joins the gradients of disjoint slices along one axis by a tree of concats, with zeros in the gaps. Returns
 * false, and appends nothing, if the slices overlap or lie along several axes. Reorders parts. */
static bool join_slices(quartic_tape *tape, uint32_t id, pending_slice *parts, uint32_t count) {
    quartic_graph *graph = tape->graph;
    const uint32_t axis = parts[0].part.axis, extent = quartic_graph_get(graph, id)->layout.shape.dims[axis];
    qsort(parts, count, sizeof *parts, by_start);
    for (uint32_t p = 0; p < count; ++p) {
        uint32_t end = parts[p].part.start + parts[p].part.length;
        if (parts[p].part.axis != axis || (p + 1 < count && end > parts[p + 1].part.start)) return false;
    }
    for (uint32_t p = 0; p < count; ++p) {
        uint32_t begin = p == 0 ? 0 : parts[p].part.start,
                 end = p + 1 < count ? parts[p + 1].part.start : extent;
        if (end - begin != parts[p].part.length)
            parts[p].gradient =
                quartic_pad(graph, parts[p].gradient, axis, parts[p].part.start - begin, end - begin);
    }
    enum { JOINED = 8 };
    while (count > 1) {
        uint32_t groups = 0;
        for (uint32_t p = 0; p < count; p += JOINED) {
            quartic_value group[JOINED];
            uint32_t size = count - p < JOINED ? count - p : JOINED;
            for (uint32_t k = 0; k < size; ++k) group[k] = parts[p + k].gradient;
            parts[groups++].gradient = size == 1 ? group[0] : quartic_concat(graph, group, size, axis);
        }
        count = groups;
    }
    add_gradient(tape, id, parts[0].gradient);
    return true;
}

/* Whether pass->parts can hold count slices, growing it if need be; false with the graph's error. */
static bool has_parts(backward_pass *pass, uint32_t count) {
    if (count <= pass->parts_capacity) return true;
    pending_slice *grown = quartic_realloc(pass->parts, pass->parts_capacity, count, sizeof *grown);
    if (grown == NULL) {
        quartic_graph_fail(pass->tape.graph, QUARTIC_OUT_OF_MEMORY);
        return false;
    }
    pass->parts = grown;
    pass->parts_capacity = count;
    return true;
}

/* Adds the collected gradients of the slices of value id to its gradient. */
static void settle_slices(backward_pass *pass, uint32_t id) {
    quartic_tape *tape = &pass->tape;
    uint32_t count = 0;
    quartic_work(1);
    if (id == 0) return;
    for (uint32_t p = pass->first_pending[id]; p != QUARTIC_NONE; p = pass->pending[p].next) ++count;
    quartic_work(count);
    if (count == 0 || !has_parts(pass, count)) return;
    pending_slice *parts = pass->parts;
    uint32_t k = count; /* the list begins with the latest slice */
    for (uint32_t p = pass->first_pending[id]; p != QUARTIC_NONE; p = pass->pending[p].next)
        parts[--k] = pass->pending[p];
    pass->first_pending[id] = QUARTIC_NONE;
    if (join_slices(tape, id, parts, count)) return;
    for (uint32_t p = 0; p < count; ++p) {
        uint32_t axis = parts[p].part.axis;
        uint32_t extent = quartic_graph_get(tape->graph, id)->layout.shape.dims[axis];
        add_gradient(tape, id,
                     quartic_pad(tape->graph, parts[p].gradient, axis, parts[p].part.start, extent));
    }
}

/* ---- visiting the nodes ---- */

/* Whether node n reads value id, which itself depends on no wanted value, after an update in place of its
 * memory that does depend on one. */
static bool reads_hidden_update(const backward_pass *pass, uint32_t n, uint32_t id) {
    const quartic_tape *tape = &pass->tape;
    if (id == 0 || n == 0 || tape->depends[id] || tape->graph->nodes[n].op->view != NULL) return false;
    for (uint32_t last = n - 1;;) {
        const uint32_t update = quartic_graph_last_update(tape->graph, id, 0, last);
        if (update == QUARTIC_NONE) return false;
        if (pass->update_depends[update]) return true;
        if (update == 0) return false;
        last = update - 1;
    }
}

/* Marks what depends on the wanted values wrt[0 .. count): values, and updates in place. */
static void mark_dependents(backward_pass *pass, const quartic_value *wrt, uint32_t count) {
    quartic_tape *tape = &pass->tape;
    for (uint32_t k = 0; k < count; ++k)
        if (wrt[k].id != 0) tape->depends[wrt[k].id] = true;
    for (uint32_t n = 0; n < tape->node_count; ++n) {
        const quartic_node *node = &tape->graph->nodes[n];
        bool depends = false;
        for (uint32_t i = 0; i < node->input_count; ++i)
            depends =
                depends || tape->depends[node->inputs[i]] || reads_hidden_update(pass, n, node->inputs[i]);
        if (node->op->mutated_inputs != 0) pass->update_depends[n] = depends;
        for (uint32_t o = 0; depends && o < node->output_count; ++o)
            if (quartic_graph_get(tape->graph, node->outputs[o])->layout.dtype == QUARTIC_FLOAT32)
                tape->depends[node->outputs[o]] = true;
    }
}

static quartic_status refuse_hidden_update(const quartic_tape *tape, uint32_t id) {
    return quartic_fail(
        QUARTIC_INVALID_ARGUMENT,
        "%s (step %u) reads \"%s\" after an update in place with values that depend on what the "
        "gradient is asked for; updates have no gradient, so compute from a quartic_copy of what "
        "was there before, or from the values themselves",
        quartic_op_builder(tape->node.op, tape->node.attrs), tape->node_index,
        tape->graph->storages[quartic_graph_get(tape->graph, id)->storage].name);
}

/* Lets the op of a node append its adjoint, if gradients reach it and are wanted of it. */
static quartic_status differentiate_node(backward_pass *pass, uint32_t node_index) {
    quartic_tape *tape = &pass->tape;
    quartic_graph *graph = tape->graph;
    tape->node = graph->nodes[node_index];
    tape->node_index = node_index;
    const quartic_op *op = tape->node.op;
    bool wanted = false, reached = false;
    uint32_t hidden = 0;
    for (uint32_t i = 0; i < tape->node.input_count; ++i) {
        wanted = wanted || quartic_tape_wants(tape, i);
        if (hidden == 0 && reads_hidden_update(pass, node_index, tape->node.inputs[i]))
            hidden = tape->node.inputs[i];
    }
    if (!wanted && hidden == 0) return QUARTIC_OK;
    for (uint32_t o = 0; o < tape->node.output_count; ++o) {
        settle_slices(pass, tape->node.outputs[o]);
        reached = reached || tape->gradient[tape->node.outputs[o]].id != 0;
    }
    if (!reached || graph->status != QUARTIC_OK) return graph->status;
    if (hidden != 0) return refuse_hidden_update(tape, hidden);
    if (op->grad == NULL)
        return quartic_fail(QUARTIC_UNSUPPORTED, "%s has no gradient, but one is asked for through it",
                            op->name);
    uint32_t scope = graph->scope_stack[graph->scope_depth];
    graph->scope_stack[graph->scope_depth] = tape->node.scope;
    quartic_status status = op->grad(tape);
    graph->scope_stack[graph->scope_depth] = scope;
    return status == QUARTIC_OK ? graph->status : status;
}

/* Ones of the shape of a value: the cotangent if none is given. They are constants; computed from the value
 * they would be NaN where it is not finite. */
static quartic_value ones_like(quartic_graph *graph, quartic_value value) {
    const quartic_shape shape = quartic_graph_shape(graph, value), scalar = {0};
    const quartic_value one = quartic_range(graph, 1, 1.0f, 0.0f); // (1)
    return shape.rank == 0 ? quartic_reshape(graph, one, &scalar) : quartic_broadcast(graph, one, &shape);
}

static quartic_status walk_backward(backward_pass *pass, const quartic_value *values,
                                    const quartic_value *cotangents, uint32_t value_count,
                                    const quartic_value *wrt, uint32_t count, quartic_value *out_gradients) {
    quartic_tape *tape = &pass->tape;
    quartic_graph *graph = tape->graph;
    mark_dependents(pass, wrt, count);
    for (uint32_t k = 0; k < value_count; ++k) {
        quartic_value cotangent = cotangents == NULL ? (quartic_value){0} : cotangents[k];
        if (cotangent.id == 0) cotangent = ones_like(graph, values[k]);
        add_gradient(tape, values[k].id, cotangent);
    }
    for (uint32_t n = tape->node_count; n-- > 0;) QUARTIC_TRY(differentiate_node(pass, n));
    for (uint32_t k = 0; k < count; ++k) {
        settle_slices(pass, wrt[k].id);
        out_gradients[k] = tape->gradient[wrt[k].id];
    }
    return graph->status;
}

/* Checks the arguments of quartic_graph_gradients_many: all must be float32 values of the graph, and a
 * cotangent must have the shape of its value. */
static quartic_status expect_gradient_request(const quartic_graph *graph, const quartic_value *values,
                                              const quartic_value *cotangents, uint32_t value_count,
                                              const quartic_value *wrt, uint32_t count) {
    if (values == NULL || wrt == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s is NULL", values == NULL ? "values" : "wrt");
    if (value_count == 0 || count == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%u values and %u values to differentiate for; give at least one of each",
                            value_count, count);
    for (uint32_t list = 0; list < 3; ++list) {
        const quartic_value *given = list == 0 ? values : list == 1 ? wrt : cotangents;
        for (uint32_t k = 0; given != NULL && k < (list == 1 ? count : value_count); ++k) {
            if (list == 2 && given[k].id == 0) continue;
            if (quartic_graph_dtype(graph, given[k]) == QUARTIC_NO_DTYPE)
                return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s[%u] is %s",
                                    list == 0   ? "values"
                                    : list == 1 ? "wrt"
                                                : "cotangents",
                                    k, given[k].id == 0 ? "no value" : "no value of this graph");
            if (quartic_graph_dtype(graph, given[k]) != QUARTIC_FLOAT32)
                return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s[%u] is int32; only float32 has gradients",
                                    list == 0   ? "values"
                                    : list == 1 ? "wrt"
                                                : "cotangents",
                                    k);
            if (list != 2) continue;
            const quartic_shape want = quartic_graph_shape(graph, values[k]),
                                got = quartic_graph_shape(graph, given[k]);
            char want_text[QUARTIC_SHAPE_TEXT], got_text[QUARTIC_SHAPE_TEXT];
            if (!quartic_shape_equal(&want, &got))
                return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                                    "cotangents[%u] must have the value's shape %s, not %s", k,
                                    quartic_shape_text(&want, want_text), quartic_shape_text(&got, got_text));
        }
    }
    return QUARTIC_OK;
}

static bool allocate_pass(backward_pass *pass) {
    quartic_tape *tape = &pass->tape;
    const size_t ids = (size_t)tape->value_count + 1;
    tape->gradient = quartic_alloc(ids, sizeof(quartic_value));
    tape->depends = quartic_alloc(ids, sizeof(bool));
    tape->recomputed = quartic_alloc(ids, sizeof(uint32_t));
    pass->first_pending = quartic_alloc(ids, sizeof(uint32_t));
    pass->update_depends = quartic_alloc(tape->node_count, sizeof(bool));
    if (tape->gradient == NULL || tape->depends == NULL || tape->recomputed == NULL ||
        pass->first_pending == NULL || pass->update_depends == NULL)
        return false;
    for (size_t id = 0; id < ids; ++id) pass->first_pending[id] = QUARTIC_NONE;
    return true;
}

quartic_status quartic_graph_gradients_many(quartic_graph *graph, const quartic_value *values,
                                            const quartic_value *cotangents, uint32_t value_count,
                                            const quartic_value *wrt, uint32_t count,
                                            quartic_value *out_gradients) {
    QUARTIC_CALL();
    for (uint32_t k = 0; out_gradients != NULL && k < count; ++k) out_gradients[k] = (quartic_value){0};
    if (!quartic_graph_expect_pointer(graph, "quartic_graph_gradients", "out_gradients", out_gradients))
        return graph == NULL ? QUARTIC_INVALID_ARGUMENT : quartic_graph_status(graph);
    quartic_status status = expect_gradient_request(graph, values, cotangents, value_count, wrt, count);
    if (status == QUARTIC_OK) {
        backward_pass pass = {.tape = {.graph = graph,
                                       .value_count = graph->value_count,
                                       .node_count = graph->node_count,
                                       .take = take_gradient}};
        status = allocate_pass(&pass)
                     ? walk_backward(&pass, values, cotangents, value_count, wrt, count, out_gradients)
                     : QUARTIC_OUT_OF_MEMORY;
        quartic_free(pass.tape.gradient);
        quartic_free(pass.tape.depends);
        quartic_free(pass.tape.recomputed);
        quartic_free(pass.first_pending);
        quartic_free(pass.update_depends);
        quartic_free(pass.pending);
        quartic_free(pass.parts);
    }
    if (status == QUARTIC_OK) return QUARTIC_OK;
    for (uint32_t k = 0; k < count; ++k) out_gradients[k] = (quartic_value){0};
    quartic_graph_fail(graph, status);
    return quartic_graph_status(graph);
}

quartic_status quartic_graph_gradients(quartic_graph *graph, quartic_value value, quartic_value cotangent,
                                       const quartic_value *wrt, uint32_t count,
                                       quartic_value *out_gradients) {
    QUARTIC_CALL();
    return quartic_graph_gradients_many(graph, &value, &cotangent, 1, wrt, count, out_gradients);
}
