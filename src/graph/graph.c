/* graph.c: the tables of a graph: the first error, values, names, scopes, and appending nodes. See graph.h.
 *
 * Appending a node infers the shapes of its outputs, inserts copies in front of inputs that must be
 * contiguous and are not, and gives every output a storage: that of the input for views and in-place updates,
 * else a new one. The file has a little over 600 lines, since all of it works on these tables, whose invariants no other
 * file may break.
 */
#include "graph/graph.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"

/* ---- growth and errors ---- */

quartic_status quartic_graph_fail(quartic_graph *graph, quartic_status status) {
    if (graph == NULL) return status;
    if (graph->status == QUARTIC_OK) {
        graph->status = status;
        /* "function: in scope: what is wrong" */
        const char *function = quartic_error_function(), *detail = quartic_error_detail();
        graph->error_function = function;
        const char *scope =
            graph->scope_count == 0 ? "" : graph->scopes[graph->scope_stack[graph->scope_depth]];
        snprintf(graph->error, sizeof graph->error, "%s%s%s%s%s%s", function, function[0] == 0 ? "" : ": ",
                 scope[0] == 0 ? "" : "in ", scope, scope[0] == 0 ? "" : ": ", detail);
    }
    return graph->status;
}

static void *grow_array(void *array, uint32_t count, uint32_t *capacity, size_t size) {
    if (count < *capacity) return array;
    uint32_t wider = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = quartic_realloc(array, *capacity, wider, size);
    if (grown != NULL) *capacity = wider;
    return grown;
}

/* Whether an array of the graph has room for one more element, growing it if need be. If memory runs out it
 * is false and the graph has its error. */
#define HAS_ROOM(graph, array, count, capacity)                                                              \
    (grow_into((graph), (void **)&(graph)->array, (graph)->count, &(graph)->capacity, sizeof *(graph)->array))

static bool grow_into(quartic_graph *graph, void **array, uint32_t count, uint32_t *capacity, size_t size) {
    void *grown = grow_array(*array, count, capacity, size);
    if (grown == NULL) {
        quartic_graph_fail(graph, QUARTIC_OUT_OF_MEMORY);
        return false;
    }
    *array = grown;
    return true;
}

static char *copy_graph_text(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = quartic_alloc(bytes, 1);
    if (copy != NULL) memcpy(copy, text, bytes);
    return copy;
}

static quartic_status no_graph(const char *function) {
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "%s got NULL as its graph; give one of quartic_graph_create", function);
}

/* A new number for a graph. They count up; 0 is that of no value. */
static uint32_t next_number(void) {
    static _Atomic uint32_t last;
    uint32_t number;
    do number = atomic_fetch_add(&last, 1) + 1;
    while (number == 0);
    return number;
}

quartic_status quartic_graph_create_empty(const quartic_op *copy, quartic_graph **out_graph) {
    *out_graph = NULL;
    quartic_graph *graph = quartic_alloc(1, sizeof *graph);
    if (graph == NULL) return QUARTIC_OUT_OF_MEMORY;
    graph->copy = copy;
    graph->number = next_number();
    if (!HAS_ROOM(graph, scopes, scope_count, scope_capacity)) {
        quartic_free(graph);
        return QUARTIC_OUT_OF_MEMORY;
    }
    graph->scopes[0] = copy_graph_text("");
    if (graph->scopes[0] == NULL) {
        quartic_free(graph->scopes);
        quartic_free(graph);
        return QUARTIC_OUT_OF_MEMORY;
    }
    graph->scope_count = 1;
    *out_graph = graph;
    return QUARTIC_OK;
}

void quartic_graph_destroy(quartic_graph *graph) {
    if (graph == NULL) return;
    for (uint32_t s = 0; s < graph->storage_count; ++s) quartic_free(graph->storages[s].name);
    for (uint32_t s = 0; s < graph->scope_count; ++s) quartic_free(graph->scopes[s]);
    quartic_free(graph->scopes);
    quartic_free(graph->storages);
    quartic_free(graph->values);
    quartic_free(graph->nodes);
    quartic_free(graph->updates);
    quartic_names_destroy(&graph->names);
    quartic_free(graph);
}

static void *copy_array(const void *array, uint32_t count, size_t size) {
    void *copy = quartic_alloc(count, size);
    if (copy != NULL && count > 0) memcpy(copy, array, count * size);
    return copy;
}

quartic_status quartic_graph_clone(const quartic_graph *graph, quartic_graph **out_graph) {
    *out_graph = NULL;
    quartic_graph *clone = quartic_alloc(1, sizeof *clone);
    if (clone == NULL) return QUARTIC_OUT_OF_MEMORY;
    *clone = *graph;
    clone->node_capacity = clone->node_count, clone->value_capacity = clone->value_count;
    clone->storage_capacity = clone->storage_count, clone->scope_capacity = clone->scope_count;
    clone->nodes = copy_array(graph->nodes, graph->node_count, sizeof *graph->nodes);
    clone->values = copy_array(graph->values, graph->value_count, sizeof *graph->values);
    clone->storages = copy_array(graph->storages, graph->storage_count, sizeof *graph->storages);
    clone->scopes = quartic_alloc(graph->scope_count, sizeof *graph->scopes);
    clone->update_capacity = clone->update_count;
    clone->updates = copy_array(graph->updates, graph->update_count, sizeof *graph->updates);
    clone->names = (quartic_names){0};
    bool whole = clone->nodes != NULL && clone->values != NULL && clone->storages != NULL &&
                 clone->scopes != NULL && clone->updates != NULL;
    for (uint32_t s = 0; clone->storages != NULL && s < graph->storage_count; ++s) {
        const char *name = graph->storages[s].name;
        clone->storages[s].name = name == NULL || !whole ? NULL : copy_graph_text(name);
        whole = whole && (name == NULL || clone->storages[s].name != NULL);
        if (!whole || name == NULL) continue;
        whole = quartic_names_reserve(&clone->names);
        if (whole) quartic_names_add(&clone->names, clone->storages[s].name, s);
    }
    for (uint32_t s = 0; clone->scopes != NULL && s < graph->scope_count; ++s) {
        clone->scopes[s] = whole ? copy_graph_text(graph->scopes[s]) : NULL;
        whole = whole && clone->scopes[s] != NULL;
    }
    if (!whole) {
        if (clone->storages == NULL) clone->storage_count = 0;
        if (clone->scopes == NULL) clone->scope_count = 0;
        quartic_graph_destroy(clone);
        return QUARTIC_OUT_OF_MEMORY;
    }
    *out_graph = clone;
    return QUARTIC_OK;
}

quartic_status quartic_graph_status(const quartic_graph *graph) {
    QUARTIC_CALL();
    if (graph == NULL) return no_graph("quartic_graph_status");
    return graph->status == QUARTIC_OK
               ? QUARTIC_OK
               : quartic_fail_again(graph->status, graph->error_function, graph->error);
}

/* ---- values ---- */

static bool is_value(const quartic_graph *graph, quartic_value value) {
    return graph != NULL && value.id != 0 && value.id <= graph->value_count && value.graph == graph->number;
}

/* What is wrong with a value that is_value rejects, for messages. */
static const char *describe_stranger(const quartic_graph *graph, quartic_value value) {
    return value.graph == graph->number ? "no value of this graph" : "a value of another graph";
}

bool quartic_graph_expect(quartic_graph *graph, const char *builder, const quartic_value *values,
                          uint32_t count) {
    if (graph == NULL) {
        no_graph(builder);
        return false;
    }
    for (uint32_t k = 0; graph->status == QUARTIC_OK && k < count; ++k)
        if (values[k].id != 0 && !is_value(graph, values[k]))
            quartic_graph_fail(graph, quartic_fail(QUARTIC_INVALID_ARGUMENT, "operand %u of %s is %s", k,
                                                   builder, describe_stranger(graph, values[k])));
    return graph->status == QUARTIC_OK;
}

bool quartic_graph_expect_pointer(quartic_graph *graph, const char *builder, const char *argument,
                                  const void *pointer) {
    if (!quartic_graph_expect(graph, builder, NULL, 0)) return false;
    if (pointer != NULL) return true;
    quartic_graph_fail(graph, quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s got NULL as %s", builder, argument));
    return false;
}

bool quartic_graph_expect_shape(quartic_graph *graph, const char *builder, const quartic_shape *shape) {
    if (!quartic_graph_expect_pointer(graph, builder, "its shape", shape)) return false;
    if (shape->rank <= QUARTIC_MAX_RANK) return true;
    quartic_graph_fail(graph,
                       quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s got a shape of %u axes; the most is %d",
                                    builder, shape->rank, QUARTIC_MAX_RANK));
    return false;
}

bool quartic_graph_expect_factor(quartic_graph *graph, const char *builder, const char *argument,
                                 float factor) {
    if (!quartic_graph_expect(graph, builder, NULL, 0)) return false;
    if (isfinite(factor) && factor != 0.0f) return true;
    quartic_graph_fail(graph, quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                           "%s got options with %s %g; it must be finite and not 0, and is 1 "
                                           "where nothing is scaled",
                                           builder, argument, (double)factor));
    return false;
}

quartic_shape quartic_graph_shape(const quartic_graph *graph, quartic_value value) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(graph, (quartic_shape){0});
    return is_value(graph, value) ? quartic_graph_get(graph, value.id)->layout.shape : (quartic_shape){0};
}

quartic_dtype quartic_graph_dtype(const quartic_graph *graph, quartic_value value) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(graph, QUARTIC_NO_DTYPE);
    return is_value(graph, value) ? quartic_graph_get(graph, value.id)->layout.dtype : QUARTIC_NO_DTYPE;
}

/* Checks the size of a tensor. The rank comes first: nothing may read dims before it is known to be in
 * range. */
static quartic_status expect_tensor_size(const char *what, const quartic_shape *shape) {
    if (shape->rank > QUARTIC_MAX_RANK)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s has %u axes; the most is %d", what, shape->rank,
                            QUARTIC_MAX_RANK);
    uint64_t elements = quartic_shape_elements(shape);
    char text[QUARTIC_SHAPE_TEXT];
    if (elements == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s has shape %s, which holds no element", what,
                            quartic_shape_text(shape, text));
    if (elements >= (uint64_t)1 << 31)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "%s has shape %s, more than the 2147483647 elements that a tensor may hold; use a "
            "smaller batch or fewer tokens",
            what, quartic_shape_text(shape, text));
    return QUARTIC_OK;
}

/* A contiguous copy in a storage of its own. */
static quartic_value copy_of(quartic_graph *graph, quartic_value value) {
    return quartic_graph_append_one(graph, graph->copy, NULL, &value, 1);
}

/* The same, or one that was made before, if what was copied cannot have changed since. A copy that is computed
 * again in the backward pass serves only nodes that are too. */
static quartic_value contiguous_of(quartic_graph *graph, quartic_value value) {
    const quartic_graph_value *entry = quartic_graph_get(graph, value.id);
    if (entry->copy != 0 && !graph->storages[entry->storage].updated &&
        (graph->recompute_depth > 0 || !graph->nodes[quartic_graph_get(graph, entry->copy)->node].recompute))
        return quartic_graph_value_of(graph, entry->copy);
    const quartic_value copy = copy_of(graph, value);
    if (copy.id != 0) graph->values[value.id - 1].copy = copy.id;
    return copy;
}

/* ---- names ---- */

uint32_t quartic_graph_find_named(const quartic_graph *graph, const char *name) {
    return name == NULL ? QUARTIC_NONE : quartic_names_find(&graph->names, name);
}

static bool has_room_for_name(quartic_graph *graph) {
    if (quartic_names_reserve(&graph->names)) return true;
    quartic_graph_fail(graph, QUARTIC_OUT_OF_MEMORY);
    return false;
}

/* Gives a storage its name, which it then owns; has_room_for_name must have been true. */
static void set_name(quartic_graph *graph, uint32_t storage, char *name) {
    quartic_names_add(&graph->names, name, storage);
    graph->storages[storage].name = name;
}

/* A new storage with a contiguous value over it; 0 after an error. */
static uint32_t new_value(quartic_graph *graph, quartic_storage_kind kind, const quartic_layout *layout,
                          uint32_t node) {
    if (!HAS_ROOM(graph, storages, storage_count, storage_capacity)) return 0;
    if (!HAS_ROOM(graph, values, value_count, value_capacity)) return 0;
    graph->storages[graph->storage_count++] = (quartic_storage){.kind = kind,
                                                                .dtype = layout->dtype,
                                                                .elements = quartic_layout_elements(layout),
                                                                .shape = layout->shape};
    graph->values[graph->value_count++] = (quartic_graph_value){*layout, graph->storage_count - 1, node, 0};
    return graph->value_count;
}

static quartic_status expect_new_name(const quartic_graph *graph, const char *function, const char *name) {
    if (name == NULL || name[0] == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s needs a name, not %s", function,
                            name == NULL ? "NULL" : "an empty one");
    if (quartic_graph_find_named(graph, name) == QUARTIC_NONE) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the graph already has a tensor named \"%s\"", name);
}

static quartic_value declare_named(quartic_graph *graph, const char *function, const char *name,
                                   quartic_storage_kind kind, quartic_dtype dtype,
                                   const quartic_shape *shape) {
    quartic_value none = {0};
    if (!quartic_graph_expect_pointer(graph, function, "its shape", shape)) return none;
    quartic_status status = expect_new_name(graph, function, name);
    if (status == QUARTIC_OK) status = expect_tensor_size(name, shape);
    if (status == QUARTIC_OK && dtype != QUARTIC_FLOAT32 && dtype != QUARTIC_INT32)
        status = quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s must be float32 or int32", name);
    char *copy = status == QUARTIC_OK ? copy_graph_text(name) : NULL;
    if (status == QUARTIC_OK && copy == NULL) status = QUARTIC_OUT_OF_MEMORY;
    if (status != QUARTIC_OK) {
        quartic_graph_fail(graph, status);
        return none;
    }
    quartic_layout layout = quartic_layout_contiguous(dtype, shape);
    uint32_t id = has_room_for_name(graph) ? new_value(graph, kind, &layout, QUARTIC_NONE) : 0;
    if (id == 0)
        quartic_free(copy);
    else
        set_name(graph, graph->storage_count - 1, copy);
    return quartic_graph_value_of(graph, id);
}

quartic_value quartic_graph_input(quartic_graph *graph, const char *name, quartic_dtype dtype,
                                  const quartic_shape *shape) {
    QUARTIC_CALL();
    return declare_named(graph, "quartic_graph_input", name, QUARTIC_STORAGE_INPUT, dtype, shape);
}

quartic_value quartic_graph_parameter(quartic_graph *graph, const char *name, const quartic_shape *shape) {
    QUARTIC_CALL();
    return declare_named(graph, "quartic_graph_parameter", name, QUARTIC_STORAGE_PARAMETER, QUARTIC_FLOAT32,
                         shape);
}

quartic_value quartic_graph_state(quartic_graph *graph, const char *name, quartic_dtype dtype,
                                  const quartic_shape *shape) {
    QUARTIC_CALL();
    return declare_named(graph, "quartic_graph_state", name, QUARTIC_STORAGE_STATE, dtype, shape);
}

void quartic_graph_output(quartic_graph *graph, const char *name, quartic_value value) {
    QUARTIC_CALL();
    if (!quartic_graph_expect(graph, "quartic_graph_output", NULL, 0)) return;
    quartic_status status = expect_new_name(graph, "quartic_graph_output", name);
    if (status == QUARTIC_OK && !is_value(graph, value))
        status = quartic_fail(QUARTIC_INVALID_ARGUMENT, "output \"%s\" is %s", name,
                              value.id == 0 ? "no value" : describe_stranger(graph, value));
    if (status != QUARTIC_OK) {
        quartic_graph_fail(graph, status);
        return;
    }
    const quartic_graph_value *entry = quartic_graph_get(graph, value.id);
    const quartic_storage *storage = &graph->storages[entry->storage];
    bool whole = storage->kind == QUARTIC_STORAGE_INTERMEDIATE &&
                 quartic_layout_is_contiguous(&entry->layout) &&
                 storage->elements == quartic_layout_elements(&entry->layout);
    if (!whole) value = copy_of(graph, value);
    if (graph->status != QUARTIC_OK || !has_room_for_name(graph)) return;
    char *copy = copy_graph_text(name);
    if (copy == NULL) {
        quartic_graph_fail(graph, QUARTIC_OUT_OF_MEMORY);
        return;
    }
    entry = quartic_graph_get(graph, value.id);
    quartic_storage *target = &graph->storages[entry->storage];
    target->kind = QUARTIC_STORAGE_OUTPUT;
    target->shape = entry->layout.shape;
    set_name(graph, entry->storage, copy);
}

/* ---- scopes ---- */

void quartic_graph_push_scope(quartic_graph *graph, const char *name) {
    QUARTIC_CALL();
    if (!quartic_graph_expect_pointer(graph, "quartic_graph_push_scope", "the scope's name", name)) return;
    if (graph->scope_depth + 1 == sizeof graph->scope_stack / sizeof graph->scope_stack[0]) {
        quartic_graph_fail(
            graph, quartic_fail(QUARTIC_INVALID_ARGUMENT, "scope \"%s\" is nested more than 15 deep", name));
        return;
    }
    const char *parent = graph->scopes[graph->scope_stack[graph->scope_depth]];
    char *path = quartic_alloc(strlen(parent) + strlen(name) + 2, 1);
    if (path == NULL || !HAS_ROOM(graph, scopes, scope_count, scope_capacity)) {
        quartic_free(path);
        quartic_graph_fail(graph, QUARTIC_OUT_OF_MEMORY);
        return;
    }
    sprintf(path, "%s%s%s", parent, parent[0] == 0 ? "" : "/", name);
    graph->scopes[graph->scope_count] = path;
    graph->scope_stack[++graph->scope_depth] = graph->scope_count++;
}

void quartic_graph_pop_scope(quartic_graph *graph) {
    QUARTIC_CALL();
    if (!quartic_graph_expect(graph, "quartic_graph_pop_scope", NULL, 0)) return;
    if (graph->scope_depth > 0) --graph->scope_depth;
}

void quartic_graph_begin_recompute(quartic_graph *graph) {
    QUARTIC_CALL();
    if (quartic_graph_expect(graph, "quartic_graph_begin_recompute", NULL, 0)) ++graph->recompute_depth;
}

void quartic_graph_end_recompute(quartic_graph *graph) {
    QUARTIC_CALL();
    if (!quartic_graph_expect(graph, "quartic_graph_end_recompute", NULL, 0)) return;
    if (graph->recompute_depth > 0) --graph->recompute_depth;
}

/* ---- appending ops ---- */

bool quartic_graph_options(quartic_graph *graph, const quartic_options_type *type, const void *given,
                           void *out) {
    const quartic_status status = quartic_options_read(type, given, out);
    if (status != QUARTIC_OK) quartic_graph_fail(graph, status);
    return status == QUARTIC_OK;
}

quartic_op_call quartic_graph_call(const quartic_graph *graph, const quartic_node *node,
                                   quartic_layout inputs[QUARTIC_OP_MAX_INPUTS],
                                   quartic_layout outputs[QUARTIC_OP_MAX_OUTPUTS]) {
    for (uint32_t i = 0; i < node->input_count; ++i)
        inputs[i] =
            node->inputs[i] == 0 ? (quartic_layout){0} : quartic_graph_get(graph, node->inputs[i])->layout;
    for (uint32_t o = 0; o < node->output_count; ++o)
        outputs[o] = quartic_graph_get(graph, node->outputs[o])->layout;
    return (quartic_op_call){node->attrs, node->input_count, node->output_count, inputs, outputs};
}

static bool values_overlap(const quartic_graph_value *a, const quartic_graph_value *b) {
    if (a->storage != b->storage) return false;
    int64_t a_begin, a_end, b_begin, b_end;
    quartic_layout_extent(&a->layout, &a_begin, &a_end);
    quartic_layout_extent(&b->layout, &b_begin, &b_end);
    return a_begin < b_end && b_begin < a_end;
}

/* Whether the input overlaps another operand that the op updates in place; *out_other is that operand's
 * index. */
static bool lies_over_updated(const quartic_graph *graph, const quartic_op *op, const quartic_value *inputs,
                              uint32_t count, uint32_t input, uint32_t *out_other) {
    if (op->mutated_inputs == 0) return false;
    for (uint32_t k = 0; k < count; ++k)
        if (k != input && inputs[k].id != 0 && is_value(graph, inputs[k]) && quartic_op_mutates(op, k) &&
            values_overlap(quartic_graph_get(graph, inputs[k].id),
                           quartic_graph_get(graph, inputs[input].id))) {
            *out_other = k;
            return true;
        }
    return false;
}

/* Whether an op takes an input of this layout, though not of any strides. */
static bool takes_layout(const quartic_op *op, const void *attrs, uint32_t input,
                         const quartic_layout *layout) {
    return quartic_layout_is_contiguous(layout) ||
           (op->takes_strides != NULL && op->takes_strides(attrs, input, layout));
}

/* Checks the operands of a new node, and copies those that must be contiguous and are not. An update in place
 * must read its other operands as they were before it: those that overlap what it writes are copied too. */
static quartic_status collect_inputs(quartic_graph *graph, const quartic_op *op, const quartic_value *inputs,
                                     uint32_t count, quartic_node *node) {
    const char *name = quartic_op_builder(op, node->attrs);
    if (count > QUARTIC_OP_MAX_INPUTS)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s got %u operands, more than it takes", name, count);
    for (uint32_t i = 0; i < count; ++i) {
        quartic_value value = inputs[i];
        if (value.id != 0 && !is_value(graph, value))
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "operand %u of %s is %s", i, name,
                                describe_stranger(graph, value));
        bool any_strides = op->strided_inputs >> i & 1u, mutated = quartic_op_mutates(op, i);
        if (value.id != 0 && mutated) {
            quartic_storage_kind kind = graph->storages[quartic_graph_get(graph, value.id)->storage].kind;
            if (kind != QUARTIC_STORAGE_STATE && kind != QUARTIC_STORAGE_PARAMETER)
                return quartic_fail(
                    QUARTIC_INVALID_ARGUMENT,
                    "operand %u of %s is updated in place and must be a state, a parameter or a view of one",
                    i, name);
        }
        uint32_t other;
        const bool over = value.id != 0 && lies_over_updated(graph, op, inputs, count, i, &other);
        if (over && mutated)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "operands %u and %u of %s lie over the same memory, and both are updated in place",
                other < i ? other : i, other < i ? i : other, name);
        if (over || (value.id != 0 && !any_strides &&
                     !takes_layout(op, node->attrs, i, &quartic_graph_get(graph, value.id)->layout))) {
            if (mutated)
                return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                    "operand %u of %s is updated in place and must be contiguous", i, name);
            value = over ? copy_of(graph, value) : contiguous_of(graph, value);
            if (graph->status != QUARTIC_OK) return graph->status;
        }
        node->inputs[i] = value.id;
    }
    node->input_count = count;
    return QUARTIC_OK;
}

/* The index of the input whose storage an output shares; QUARTIC_NONE if the output has a storage of its
 * own. */
static uint32_t shared_input(const quartic_op *op, uint32_t output) {
    if (op->view != NULL) return 0;
    for (uint32_t i = 0, seen = 0; i < QUARTIC_OP_MAX_INPUTS; ++i)
        if (quartic_op_mutates(op, i) && seen++ == output) return i;
    return QUARTIC_NONE;
}

/* ---- updates in place ---- */

/* Records that the node about to be appended updates storages in place; the list stays ascending. */
static quartic_status note_update_in_place(quartic_graph *graph, const quartic_node *node) {
    if (!HAS_ROOM(graph, updates, update_count, update_capacity)) return graph->status;
    graph->updates[graph->update_count++] = graph->node_count;
    for (uint32_t i = 0; i < node->input_count; ++i)
        if (node->inputs[i] != 0 && quartic_op_mutates(node->op, i))
            graph->storages[quartic_graph_get(graph, node->inputs[i])->storage].updated = true;
    return QUARTIC_OK;
}

/* The number of updates by nodes before that one. */
static uint32_t updates_before(const quartic_graph *graph, uint32_t node) {
    uint32_t low = 0, high = graph->update_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (graph->updates[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t quartic_graph_last_update(const quartic_graph *graph, uint32_t id, uint32_t first, uint32_t last) {
    const quartic_graph_value *value = quartic_graph_get(graph, id);
    if (!graph->storages[value->storage].updated || first > last) return QUARTIC_NONE;
    for (uint32_t k = updates_before(graph, last == QUARTIC_NONE ? last : last + 1); k-- > 0;) {
        if (graph->updates[k] < first) break;
        const quartic_node *node = &graph->nodes[graph->updates[k]];
        for (uint32_t i = 0; i < node->input_count; ++i)
            if (node->inputs[i] != 0 && quartic_op_mutates(node->op, i) &&
                values_overlap(value, quartic_graph_get(graph, node->inputs[i])))
                return graph->updates[k];
    }
    return QUARTIC_NONE;
}

static quartic_status append_node(quartic_graph *graph, const quartic_op *op, const void *attrs,
                                  const quartic_value *inputs, uint32_t input_count, quartic_value *outputs,
                                  uint32_t output_count) {
    quartic_node node = {
        .op = op, .scope = graph->scope_stack[graph->scope_depth], .recompute = graph->recompute_depth > 0};
    if (op->attrs_bytes > 0) memcpy(node.attrs, attrs, op->attrs_bytes);
    QUARTIC_TRY(collect_inputs(graph, op, inputs, input_count, &node));
    quartic_layout in[QUARTIC_OP_MAX_INPUTS], out[QUARTIC_OP_MAX_OUTPUTS];
    quartic_op_call call = quartic_graph_call(graph, &node, in, out);
    QUARTIC_TRY(op->infer(&call, out, &node.output_count));
    for (uint32_t o = 0; o < node.output_count; ++o)
        QUARTIC_TRY(expect_tensor_size(quartic_op_builder(op, node.attrs), &out[o].shape));
    if (!HAS_ROOM(graph, nodes, node_count, node_capacity)) return graph->status;
    if (op->mutated_inputs != 0) QUARTIC_TRY(note_update_in_place(graph, &node));
    for (uint32_t o = 0; o < node.output_count; ++o) {
        uint32_t shared = shared_input(op, o);
        if (shared == QUARTIC_NONE) {
            node.outputs[o] = new_value(graph, QUARTIC_STORAGE_INTERMEDIATE, &out[o], graph->node_count);
        } else if (HAS_ROOM(graph, values, value_count, value_capacity)) {
            if (op->view == NULL) out[o] = in[shared];
            uint32_t storage = quartic_graph_get(graph, node.inputs[shared])->storage;
            graph->values[graph->value_count++] =
                (quartic_graph_value){out[o], storage, graph->node_count, 0};
            node.outputs[o] = graph->value_count;
        }
        if (graph->status != QUARTIC_OK) return graph->status;
        if (o < output_count) outputs[o] = quartic_graph_value_of(graph, node.outputs[o]);
    }
    graph->nodes[graph->node_count++] = node;
    return QUARTIC_OK;
}

quartic_status quartic_graph_append(quartic_graph *graph, const quartic_op *op, const void *attrs,
                                    const quartic_value *inputs, uint32_t input_count, quartic_value *outputs,
                                    uint32_t output_count) {
    for (uint32_t o = 0; o < output_count; ++o) outputs[o] = (quartic_value){0};
    if (graph == NULL) return no_graph(quartic_op_builder(op, attrs));
    if (graph->status != QUARTIC_OK) return graph->status;
    quartic_status status = append_node(graph, op, attrs, inputs, input_count, outputs, output_count);
    if (status == QUARTIC_OK) return QUARTIC_OK;
    for (uint32_t o = 0; o < output_count; ++o) outputs[o] = (quartic_value){0};
    return quartic_graph_fail(graph, status);
}

quartic_value quartic_graph_append_one(quartic_graph *graph, const quartic_op *op, const void *attrs,
                                       const quartic_value *inputs, uint32_t input_count) {
    quartic_value output;
    quartic_graph_append(graph, op, attrs, inputs, input_count, &output, 1);
    return output;
}
