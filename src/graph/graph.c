/* graph.c: the append-only tables of a graph; sticky errors; values, views, names. See graph.h.
 *
 * Appending an op infers its outputs' shapes, inserts copies in front of inputs that must be contiguous, and
 * gives every output a storage: the input's for views and in-place updates, a new one otherwise.
 */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* ---- growth and errors ---- */

quartic_status quartic_graph_fail(quartic_graph *graph, quartic_status status) {
    if (graph->status == QUARTIC_OK) {
        graph->status = status;
        const char *scope =
            graph->scope_count == 0 ? "" : graph->scopes[graph->scope_stack[graph->scope_depth]];
        if (scope[0] == 0)
            snprintf(graph->error, sizeof graph->error, "%s", quartic_error_message());
        else
            snprintf(graph->error, sizeof graph->error, "in %s: %s", scope, quartic_error_message());
    }
    return graph->status;
}

static void *grow(void *array, uint32_t count, uint32_t *capacity, size_t size) {
    if (count < *capacity) return array;
    uint32_t wider = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = quartic_realloc(array, *capacity, wider, size);
    if (grown != NULL) *capacity = wider;
    return grown;
}

/* Makes room for one more element; on failure the graph has its error and the macro yields false. */
#define HAS_ROOM(graph, array, count, capacity)                                                              \
    (grow_into((graph), (void **)&(graph)->array, (graph)->count, &(graph)->capacity, sizeof *(graph)->array))

static bool grow_into(quartic_graph *graph, void **array, uint32_t count, uint32_t *capacity, size_t size) {
    void *grown = grow(*array, count, capacity, size);
    if (grown == NULL) {
        quartic_graph_fail(graph, QUARTIC_OUT_OF_MEMORY);
        return false;
    }
    *array = grown;
    return true;
}

static char *copy_text(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = quartic_alloc(bytes, 1);
    if (copy != NULL) memcpy(copy, text, bytes);
    return copy;
}

quartic_status quartic_graph_create(quartic_graph **out_graph) {
    *out_graph = NULL;
    quartic_graph *graph = quartic_alloc(1, sizeof *graph);
    if (graph == NULL) return QUARTIC_OUT_OF_MEMORY;
    if (!HAS_ROOM(graph, scopes, scope_count, scope_capacity)) {
        quartic_free(graph);
        return QUARTIC_OUT_OF_MEMORY;
    }
    graph->scopes[0] = copy_text("");
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
    bool whole =
        clone->nodes != NULL && clone->values != NULL && clone->storages != NULL && clone->scopes != NULL;
    for (uint32_t s = 0; clone->storages != NULL && s < graph->storage_count; ++s) {
        const char *name = graph->storages[s].name;
        clone->storages[s].name = name == NULL || !whole ? NULL : copy_text(name);
        whole = whole && (name == NULL || clone->storages[s].name != NULL);
    }
    for (uint32_t s = 0; clone->scopes != NULL && s < graph->scope_count; ++s) {
        clone->scopes[s] = whole ? copy_text(graph->scopes[s]) : NULL;
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
    return graph->status == QUARTIC_OK ? QUARTIC_OK : quartic_fail(graph->status, "%s", graph->error);
}

/* ---- values ---- */

static bool is_value(const quartic_graph *graph, quartic_value value) {
    return value.id != 0 && value.id <= graph->value_count;
}

quartic_shape quartic_graph_shape(const quartic_graph *graph, quartic_value value) {
    return is_value(graph, value) ? quartic_graph_get(graph, value.id)->layout.shape : (quartic_shape){0};
}

quartic_dtype quartic_graph_dtype(const quartic_graph *graph, quartic_value value) {
    return is_value(graph, value) ? quartic_graph_get(graph, value.id)->layout.dtype : QUARTIC_NO_DTYPE;
}

static quartic_status check_size(const char *what, const quartic_shape *shape) {
    uint64_t elements = quartic_shape_elements(shape);
    char text[QUARTIC_SHAPE_TEXT];
    if (shape->rank > QUARTIC_MAX_RANK)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s has %u axes; the most is %d", what, shape->rank,
                            QUARTIC_MAX_RANK);
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

/* A new storage with a contiguous value over it; 0 after an error. */
static uint32_t new_value(quartic_graph *graph, quartic_storage_kind kind, const quartic_layout *layout,
                          uint32_t node) {
    if (!HAS_ROOM(graph, storages, storage_count, storage_capacity)) return 0;
    if (!HAS_ROOM(graph, values, value_count, value_capacity)) return 0;
    graph->storages[graph->storage_count++] = (quartic_storage){.kind = kind,
                                                                .dtype = layout->dtype,
                                                                .elements = quartic_layout_elements(layout),
                                                                .shape = layout->shape};
    graph->values[graph->value_count++] = (quartic_graph_value){*layout, graph->storage_count - 1, node};
    return graph->value_count;
}

static quartic_status check_name(const quartic_graph *graph, const char *name) {
    if (name == NULL || name[0] == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "an input, parameter, state or output needs a name");
    for (uint32_t s = 0; s < graph->storage_count; ++s)
        if (graph->storages[s].name != NULL && strcmp(graph->storages[s].name, name) == 0)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the graph already has a tensor named \"%s\"",
                                name);
    return QUARTIC_OK;
}

static quartic_value named(quartic_graph *graph, const char *name, quartic_storage_kind kind,
                           quartic_dtype dtype, const quartic_shape *shape) {
    quartic_value none = {0};
    if (graph->status != QUARTIC_OK) return none;
    quartic_status status = check_name(graph, name);
    if (status == QUARTIC_OK) status = check_size(name, shape);
    if (status == QUARTIC_OK && dtype != QUARTIC_FLOAT32 && dtype != QUARTIC_INT32)
        status = quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s must be float32 or int32", name);
    char *copy = status == QUARTIC_OK ? copy_text(name) : NULL;
    if (status == QUARTIC_OK && copy == NULL) status = QUARTIC_OUT_OF_MEMORY;
    if (status != QUARTIC_OK) {
        quartic_graph_fail(graph, status);
        return none;
    }
    quartic_layout layout = quartic_layout_contiguous(dtype, shape);
    uint32_t id = new_value(graph, kind, &layout, QUARTIC_NONE);
    if (id == 0)
        quartic_free(copy);
    else
        graph->storages[graph->storage_count - 1].name = copy;
    return (quartic_value){id};
}

quartic_value quartic_graph_input(quartic_graph *graph, const char *name, quartic_dtype dtype,
                                  const quartic_shape *shape) {
    return named(graph, name, QUARTIC_STORAGE_INPUT, dtype, shape);
}

quartic_value quartic_graph_parameter(quartic_graph *graph, const char *name, const quartic_shape *shape) {
    return named(graph, name, QUARTIC_STORAGE_PARAMETER, QUARTIC_FLOAT32, shape);
}

quartic_value quartic_graph_state(quartic_graph *graph, const char *name, quartic_dtype dtype,
                                  const quartic_shape *shape) {
    return named(graph, name, QUARTIC_STORAGE_STATE, dtype, shape);
}

void quartic_graph_output(quartic_graph *graph, const char *name, quartic_value value) {
    if (graph->status != QUARTIC_OK) return;
    quartic_status status = check_name(graph, name);
    if (status == QUARTIC_OK && !is_value(graph, value))
        status = quartic_fail(QUARTIC_INVALID_ARGUMENT, "output \"%s\" is no value of this graph", name);
    if (status != QUARTIC_OK) {
        quartic_graph_fail(graph, status);
        return;
    }
    const quartic_graph_value *entry = quartic_graph_get(graph, value.id);
    const quartic_storage *storage = &graph->storages[entry->storage];
    bool whole = storage->kind == QUARTIC_STORAGE_INTERMEDIATE &&
                 quartic_layout_is_contiguous(&entry->layout) &&
                 storage->elements == quartic_layout_elements(&entry->layout);
    if (!whole) value = quartic_copy(graph, value);
    if (graph->status != QUARTIC_OK) return;
    char *copy = copy_text(name);
    if (copy == NULL) {
        quartic_graph_fail(graph, QUARTIC_OUT_OF_MEMORY);
        return;
    }
    entry = quartic_graph_get(graph, value.id);
    quartic_storage *target = &graph->storages[entry->storage];
    target->kind = QUARTIC_STORAGE_OUTPUT;
    target->name = copy;
    target->shape = entry->layout.shape;
}

/* ---- scopes ---- */

void quartic_graph_push_scope(quartic_graph *graph, const char *name) {
    if (graph->status != QUARTIC_OK) return;
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
    if (graph->status == QUARTIC_OK && graph->scope_depth > 0) --graph->scope_depth;
}

void quartic_graph_begin_recompute(quartic_graph *graph) {
    ++graph->recompute_depth;
}

void quartic_graph_end_recompute(quartic_graph *graph) {
    if (graph->recompute_depth > 0) --graph->recompute_depth;
}

/* ---- appending ops ---- */

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

/* Checks the operands and makes those contiguous that must be. */
static quartic_status collect_inputs(quartic_graph *graph, const quartic_op *op, const quartic_value *inputs,
                                     uint32_t count, quartic_node *node) {
    if (count > QUARTIC_OP_MAX_INPUTS)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s takes at most %d operands, not %u", op->name,
                            QUARTIC_OP_MAX_INPUTS, count);
    for (uint32_t i = 0; i < count; ++i) {
        quartic_value value = inputs[i];
        if (value.id > graph->value_count)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "operand %u of %s is no value of this graph", i,
                                op->name);
        bool any_strides = op->strided_inputs >> i & 1u, mutated = op->mutated_inputs >> i & 1u;
        if (value.id != 0 && mutated) {
            quartic_storage_kind kind = graph->storages[quartic_graph_get(graph, value.id)->storage].kind;
            if (kind != QUARTIC_STORAGE_STATE && kind != QUARTIC_STORAGE_PARAMETER)
                return quartic_fail(
                    QUARTIC_INVALID_ARGUMENT,
                    "operand %u of %s is updated in place and must be a state, a parameter or a view of one",
                    i, op->name);
        }
        if (value.id != 0 && !any_strides &&
            !quartic_layout_is_contiguous(&quartic_graph_get(graph, value.id)->layout)) {
            if (mutated)
                return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                    "operand %u of %s is updated in place and must be contiguous", i,
                                    op->name);
            value = quartic_copy(graph, value);
            if (graph->status != QUARTIC_OK) return graph->status;
        }
        node->inputs[i] = value.id;
    }
    node->input_count = count;
    return QUARTIC_OK;
}

/* The storage that output o of a node shares with an input, or QUARTIC_NONE. */
static uint32_t shared_input(const quartic_op *op, uint32_t output) {
    if (op->view != NULL) return 0;
    for (uint32_t i = 0, seen = 0; i < QUARTIC_OP_MAX_INPUTS; ++i)
        if (op->mutated_inputs >> i & 1u && seen++ == output) return i;
    return QUARTIC_NONE;
}

static quartic_status append(quartic_graph *graph, const quartic_op *op, const void *attrs,
                             const quartic_value *inputs, uint32_t input_count, quartic_value *outputs,
                             uint32_t output_count) {
    quartic_node node = {
        .op = op, .scope = graph->scope_stack[graph->scope_depth], .recompute = graph->recompute_depth > 0};
    if (op->attrs_bytes > 0) memcpy(node.attrs, attrs, op->attrs_bytes);
    QUARTIC_TRY(collect_inputs(graph, op, inputs, input_count, &node));
    quartic_layout in[QUARTIC_OP_MAX_INPUTS], out[QUARTIC_OP_MAX_OUTPUTS];
    quartic_op_call call = quartic_graph_call(graph, &node, in, out);
    QUARTIC_TRY(op->infer(&call, out, &node.output_count));
    for (uint32_t o = 0; o < node.output_count; ++o) QUARTIC_TRY(check_size(op->name, &out[o].shape));
    if (!HAS_ROOM(graph, nodes, node_count, node_capacity)) return graph->status;
    for (uint32_t o = 0; o < node.output_count; ++o) {
        uint32_t shared = shared_input(op, o);
        if (shared == QUARTIC_NONE) {
            node.outputs[o] = new_value(graph, QUARTIC_STORAGE_INTERMEDIATE, &out[o], graph->node_count);
        } else if (HAS_ROOM(graph, values, value_count, value_capacity)) {
            if (op->view == NULL) out[o] = in[shared];
            uint32_t storage = quartic_graph_get(graph, node.inputs[shared])->storage;
            graph->values[graph->value_count++] = (quartic_graph_value){out[o], storage, graph->node_count};
            node.outputs[o] = graph->value_count;
        }
        if (graph->status != QUARTIC_OK) return graph->status;
        if (o < output_count) outputs[o] = (quartic_value){node.outputs[o]};
    }
    graph->nodes[graph->node_count++] = node;
    return QUARTIC_OK;
}

quartic_status quartic_graph_append(quartic_graph *graph, const quartic_op *op, const void *attrs,
                                    const quartic_value *inputs, uint32_t input_count, quartic_value *outputs,
                                    uint32_t output_count) {
    for (uint32_t o = 0; o < output_count; ++o) outputs[o] = (quartic_value){0};
    if (graph->status != QUARTIC_OK) return graph->status;
    quartic_status status = append(graph, op, attrs, inputs, input_count, outputs, output_count);
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
