/* params.h: a model's weights, named, shaped and given their first values at the place where they are used.
 *
 * A model is one builder function over a quartic_nn. The builder runs once in collecting mode, on a throwaway
 * graph in which every weight is a parameter of its own: that yields the parameter set. In building mode all
 * weights are slices of one flat float32 storage, each starting at a multiple of 64 elements (256 bytes, so
 * that a slice may be bound as an operand on any device); the gaps are zeros and stay so.
 *
 * Names: a stack of prefixes, joined with dots, as in PyTorch's modules. The same prefixes are scopes of the
 * graph. The graph keeps the first error.
 */
#ifndef QUARTIC_NN_PARAMS_H
#define QUARTIC_NN_PARAMS_H

#include <stdbool.h>

#include "base/names.h"
#include "graph/access.h"

/* eps of all norms, unless a family sets another. */
#define QUARTIC_NORM_EPS 1e-5f

enum { QUARTIC_PARAMETER_ALIGNMENT = 64, QUARTIC_PARAMETER_NAME = 160, QUARTIC_PREFIX_DEPTH = 8 };

typedef enum quartic_init_kind {
    QUARTIC_INIT_CONSTANT, /* every element = number */
    QUARTIC_INIT_UNIFORM,  /* uniform in (-number, number) */
    QUARTIC_INIT_NORMAL,   /* normal with standard deviation number */
    QUARTIC_INIT_STREAM,   /* (S, S + 1): column 0 is 1 at row `stream`, the other columns are the identity */
    QUARTIC_INIT_IDENTITY  /* (N, N, 1, 1): the identity */
} quartic_init_kind;

typedef struct quartic_init {
    quartic_init_kind kind;
    float number;
    uint32_t stream;
} quartic_init;

typedef struct quartic_parameter_spec {
    char *name;
    quartic_shape shape;
    uint64_t elements;
    uint64_t offset; /* in the flat storage, in elements */
    quartic_init init;
} quartic_parameter_spec;

typedef struct quartic_parameter_set {
    quartic_parameter_spec *specs; /* in the order of first use */
    uint32_t count, capacity;
    quartic_names names;
    uint64_t elements;         /* of the flat storage, gaps included */
    uint64_t trained_elements; /* gaps not included */
} quartic_parameter_set;

void quartic_parameter_set_destroy(quartic_parameter_set *set);

/* Index of a name, QUARTIC_NONE if there is none. */
uint32_t quartic_parameter_set_find(const quartic_parameter_set *set, const char *name);

/* Fills the whole flat storage with initial values: spec k from random stream k of the seed. A pure
 * function. */
void quartic_parameter_set_initialise(const quartic_parameter_set *set, uint64_t seed, float *out_storage);

/* What a builder function works on. */
typedef struct quartic_nn {
    quartic_graph *graph;
    quartic_parameter_set *set;
    bool collecting;
    quartic_value *values; /* building: one per spec */
    uint32_t next;         /* building: the spec that is asked for next */
    char prefix[QUARTIC_PARAMETER_NAME];
    uint32_t prefix_lengths[QUARTIC_PREFIX_DEPTH], depth;
    quartic_value dropout_seed; /* int32 (2), or no value: no dropout */
    float dropout;
    uint32_t dropout_sites; /* so far; each is a random stream of its own */
    const char
        *norm_weight; /* the last part of the name of an rms norm's weight; "scale" unless a family sets it */
    float norm_eps;
} quartic_nn;

/* Starts a run of a builder function that fills an empty set. */
quartic_nn quartic_nn_collect(quartic_graph *graph, quartic_parameter_set *set);
/* Starts a run over a full set; storage: float32 (set->elements). The caller ends it with quartic_nn_end.
 * After an error, which the graph keeps, it returns no values. */
quartic_nn quartic_nn_build(quartic_graph *graph, quartic_parameter_set *set, quartic_value storage);
void quartic_nn_end(quartic_nn *nn);

/* Appends a prefix to the names of weights and opens a scope of the graph; pop undoes the last push. */
void quartic_nn_push(quartic_nn *nn, const char *format, ...) __attribute__((format(printf, 2, 3)));
void quartic_nn_pop(quartic_nn *nn);

/* The weight of that name under the current prefixes; each may be asked for once. Returns no value after an
 * error. */
quartic_value quartic_nn_parameter(quartic_nn *nn, const char *name, quartic_shape shape, quartic_init init);

/* Dropout while training, x itself otherwise. */
quartic_value quartic_nn_dropout(quartic_nn *nn, quartic_value x);

#endif
