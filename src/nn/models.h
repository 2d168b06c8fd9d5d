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
} quartic_model_taps;

typedef struct quartic_family {
    /* What the fields' ranges do not say; the configuration has its derived values filled in. */
    quartic_status (*check)(const quartic_model_config *config);
    /* tokens int32 (b, n), mask int32 (b, n) or no value, taps or NULL; the logits (b, n, V). */
    quartic_value (*build)(quartic_nn *nn, const quartic_model_config *config, quartic_value tokens,
                           quartic_value mask, const quartic_model_taps *taps);
} quartic_family;

/* The family of a checked configuration. */
const quartic_family *quartic_model_family_of(const quartic_model_config *config);

/* Runs the builder in collecting mode: fills an empty set with the model's weights. */
quartic_status quartic_model_collect(const quartic_model_config *config, quartic_parameter_set *out_set);

extern const quartic_family quartic_family_quartic;

#endif
