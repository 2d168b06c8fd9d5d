/* models.h: the table of model families. A family is a check of its configuration and one builder function.
 */
#ifndef QUARTIC_NN_MODELS_H
#define QUARTIC_NN_MODELS_H

#include "nn/params.h"
#include "quartic/model.h"

/* Values on the way that a caller may want to see; NULL: not wanted. Arrays of depth values. */
typedef struct quartic_model_taps {
    quartic_value *attention; /* (b, h, i, j) per layer */
    quartic_value *edges;     /* (b, i, j, De) per layer */
    quartic_value *diversity; /* one value: the sum of the layers' diversity losses */
} quartic_model_taps;

typedef struct quartic_family {
    bool has_diversity; /* can tell taps->diversity */
    bool takes_graphs;  /* has edges, and takes node features, edge types and features, no positions, all
                           read-outs */
    /* What the fields' ranges do not say; the configuration has its derived values filled in. */
    quartic_status (*check)(const quartic_model_config *config);
    /* taps: NULL, or what else is wanted. The logits, (.., num_classes): see the read-outs of model.h. */
    quartic_value (*build)(quartic_nn *nn, const quartic_model_config *config,
                           const quartic_model_inputs *inputs, const quartic_model_taps *taps);
} quartic_family;

/* The family of a checked configuration. */
const quartic_family *quartic_model_family_of(const quartic_model_config *config);

/* Inputs of the graph by these names, as the configuration asks for: "tokens" (b, n) or "node_features" (b,
 * n, F), "edge_types" (b, n, n), "edge_features" (b, n, n, F), "mask" (b, n). */
quartic_model_inputs quartic_model_declare_inputs(quartic_graph *graph, const quartic_model_config *config,
                                                  uint32_t b, uint32_t n, bool masked);

/* Runs the builder in collecting mode: fills an empty set with the model's weights. */
quartic_status quartic_model_collect(const quartic_model_config *config, quartic_parameter_set *out_set);

extern const quartic_family quartic_family_quartic;
extern const quartic_family quartic_family_relational;
extern const quartic_family quartic_family_multi_stream;

#endif
