/* models.h: the table of model families. A family is a check of its configuration and one builder
 * function. */
#ifndef QUARTIC_NN_MODELS_H
#define QUARTIC_NN_MODELS_H

#include "nn/params.h"
#include "quartic/model.h"

/* Where a builder puts intermediate values that a caller asks for; NULL: not asked for. */
typedef struct quartic_model_taps {
    quartic_value *attention; /* depth values (b, h, i, j) */
    quartic_value *edges;     /* depth values (b, i, j, De) */
    quartic_value *diversity; /* one scalar: the sum of the layers' diversity losses */
} quartic_model_taps;

typedef struct quartic_family {
    bool has_diversity; /* fills taps->diversity */
    /* has edges; takes node features, edge types and features, and all read-outs; can do without positions */
    bool takes_graphs;
    /* Checks what the ranges of the fields cannot express. The derived values must be filled in. */
    quartic_status (*check)(const quartic_model_config *config);
    /* Appends the forward pass and returns the logits (.., num_classes), whose shape depends on the read-out
     * (see quartic/model.h), or no value after an error. taps may be NULL. */
    quartic_value (*build)(quartic_nn *nn, const quartic_model_config *config,
                           const quartic_model_inputs *inputs, const quartic_model_taps *taps);
} quartic_family;

/* The family of a checked configuration. */
const quartic_family *quartic_model_family_of(const quartic_model_config *config);

/* Adds inputs to the graph, as the configuration asks for: "tokens" (b, n) or "node_features" (b, n, F),
 * "edge_types" (b, i, j), "edge_features" (b, i, j, F'), and "mask" (b, n) if masked. */
quartic_model_inputs quartic_nn_declare_inputs(quartic_graph *graph, const quartic_model_config *config,
                                               uint32_t b, uint32_t n, bool masked);

/* Runs the builder in collecting mode: fills *out_set with the model's weights, to be freed by
 * quartic_parameter_set_destroy. After an error the set is empty. */
quartic_status quartic_model_collect(const quartic_model_config *config, quartic_parameter_set *out_set);

extern const quartic_family quartic_family_quartic;
extern const quartic_family quartic_family_relational;
extern const quartic_family quartic_family_multi_stream;

#endif
