/* params.c: collecting a model's weights and finding them in the flat storage. See params.h. */
#include "nn/params.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

void quartic_parameter_set_destroy(quartic_parameter_set *set) {
    for (uint32_t k = 0; k < set->count; ++k) quartic_free(set->specs[k].name);
    quartic_free(set->specs);
    quartic_names_destroy(&set->names);
    *set = (quartic_parameter_set){0};
}

uint32_t quartic_parameter_set_find(const quartic_parameter_set *set, const char *name) {
    return quartic_names_find(&set->names, name); /* QUARTIC_NO_NAME is QUARTIC_NONE */
}

static quartic_status add_spec(quartic_parameter_set *set, const char *name, quartic_shape shape,
                               quartic_init init) {
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? 2 * set->capacity : 64;
        quartic_parameter_spec *specs =
            quartic_realloc(set->specs, set->capacity, capacity, sizeof set->specs[0]);
        if (!specs) return QUARTIC_OUT_OF_MEMORY;
        set->specs = specs;
        set->capacity = capacity;
    }
    if (!quartic_names_reserve(&set->names)) return QUARTIC_OUT_OF_MEMORY;
    size_t bytes = strlen(name) + 1;
    char *copy = quartic_alloc(bytes, 1);
    if (!copy) return QUARTIC_OUT_OF_MEMORY;
    memcpy(copy, name, bytes);
    quartic_names_add(&set->names, copy, set->count);
    uint64_t elements = quartic_shape_elements(&shape);
    set->specs[set->count++] = (quartic_parameter_spec){copy, shape, elements, set->elements, init};
    set->trained_elements += elements;
    set->elements += (elements + QUARTIC_PARAMETER_ALIGNMENT - 1) / QUARTIC_PARAMETER_ALIGNMENT *
                     QUARTIC_PARAMETER_ALIGNMENT;
    return QUARTIC_OK;
}

void quartic_parameter_set_initialise(const quartic_parameter_set *set, uint64_t seed, float *out_storage) {
    memset(out_storage, 0, set->elements * sizeof out_storage[0]);
    for (uint32_t k = 0; k < set->count; ++k) {
        const quartic_parameter_spec *spec = &set->specs[k];
        float *out = out_storage + spec->offset;
        for (uint64_t i = 0; i < spec->elements; ++i) {
            switch (spec->init.kind) {
            case QUARTIC_INIT_CONSTANT:
                out[i] = spec->init.number;
                break;
            case QUARTIC_INIT_UNIFORM:
                out[i] = (2.0f * quartic_random_uniform(seed, k, i) - 1.0f) * spec->init.number;
                break;
            case QUARTIC_INIT_NORMAL:
                out[i] = quartic_random_normal(seed, k, i) * spec->init.number;
                break;
            case QUARTIC_INIT_STREAM: {
                uint64_t row = i / spec->shape.dims[1], column = i % spec->shape.dims[1];
                out[i] = (column == 0 ? row == spec->init.stream : column == row + 1) ? 1.0f : 0.0f;
                break;
            }
            case QUARTIC_INIT_IDENTITY:
                out[i] = i % ((uint64_t)spec->shape.dims[0] + 1) == 0 ? 1.0f : 0.0f;
                break;
            }
        }
    }
}

quartic_nn quartic_nn_collect(quartic_graph *graph, quartic_parameter_set *set) {
    return (quartic_nn){
        .graph = graph, .set = set, .collecting = true, .norm_weight = "scale", .norm_eps = QUARTIC_NORM_EPS};
}

quartic_nn quartic_nn_build(quartic_graph *graph, quartic_parameter_set *set, quartic_value storage) {
    quartic_nn nn = {.graph = graph, .set = set, .norm_weight = "scale", .norm_eps = QUARTIC_NORM_EPS};
    nn.values = quartic_alloc(set->count, sizeof nn.values[0]);
    if (!nn.values) {
        quartic_graph_fail(graph, QUARTIC_OUT_OF_MEMORY);
        return nn;
    }
    /* All slices come before all other nodes, so that none of them is part of what the backward pass
     * recomputes. */
    for (uint32_t k = 0; k < set->count; ++k) {
        const quartic_parameter_spec *spec = &set->specs[k];
        quartic_value flat =
            quartic_slice(graph, storage, 0, (uint32_t)spec->offset, (uint32_t)spec->elements);
        nn.values[k] = quartic_reshape(graph, flat, &spec->shape);
    }
    return nn;
}

void quartic_nn_end(quartic_nn *nn) {
    quartic_free(nn->values);
    nn->values = NULL;
}

void quartic_nn_push(quartic_nn *nn, const char *format, ...) {
    char name[QUARTIC_PARAMETER_NAME];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const size_t length = strlen(nn->prefix), added = strlen(name);
    if (nn->depth == QUARTIC_PREFIX_DEPTH || length + added + 2 > sizeof nn->prefix) {
        quartic_graph_fail(nn->graph, quartic_fail(QUARTIC_INTERNAL,
                                                   "the prefix \"%s\" under \"%s\" is too long or too deep",
                                                   name, nn->prefix));
        return;
    }
    nn->prefix_lengths[nn->depth++] = (uint32_t)length;
    memcpy(nn->prefix + length, name, added);
    memcpy(nn->prefix + length + added, ".", 2);
    quartic_graph_push_scope(nn->graph, name);
}

void quartic_nn_pop(quartic_nn *nn) {
    if (nn->depth == 0) return; /* its push failed, and the graph keeps that error */
    nn->prefix[nn->prefix_lengths[--nn->depth]] = '\0';
    quartic_graph_pop_scope(nn->graph);
}

quartic_value quartic_nn_parameter(quartic_nn *nn, const char *name, quartic_shape shape, quartic_init init) {
    const quartic_value none = {0};
    char path[2 * QUARTIC_PARAMETER_NAME];
    snprintf(path, sizeof path, "%s%s", nn->prefix, name);
    if (quartic_graph_status(nn->graph) != QUARTIC_OK) return none;
    if (nn->collecting) {
        if (quartic_parameter_set_find(nn->set, path) != QUARTIC_NONE) {
            quartic_graph_fail(nn->graph,
                               quartic_fail(QUARTIC_INTERNAL, "the weight \"%s\" is declared twice", path));
            return none;
        }
        quartic_status status = add_spec(nn->set, path, shape, init);
        if (status != QUARTIC_OK) quartic_graph_fail(nn->graph, status);
        return quartic_graph_parameter(nn->graph, path, &shape);
    }
    /* The builder asks for weights in the same order as when it collected them. */
    const quartic_parameter_spec *spec = nn->next < nn->set->count ? &nn->set->specs[nn->next] : NULL;
    if (!spec || strcmp(spec->name, path) != 0 || !quartic_shape_equal(&spec->shape, &shape)) {
        quartic_graph_fail(nn->graph,
                           quartic_fail(QUARTIC_INTERNAL,
                                        "the weight \"%s\" was not collected in this place or shape", path));
        return none;
    }
    return nn->values[nn->next++];
}

quartic_value quartic_nn_dropout(quartic_nn *nn, quartic_value x) {
    if (nn->dropout_seed.id == 0 || nn->dropout == 0.0f) return x;
    return quartic_dropout(nn->graph, x, nn->dropout_seed, nn->dropout, nn->dropout_sites++);
}
