/* edge_forms_tests.h: every form of edge attention in the quartic and the relational model.
 *
 * Small models of two layers, so that what the first layer's edges learn reaches the logits. Trusted is the
 * device "reference"; gradients are held against finite differences on "reference64" by the cpu test.
 */
#ifndef QUARTIC_TESTS_EDGE_FORMS_TESTS_H
#define QUARTIC_TESTS_EDGE_FORMS_TESTS_H

#include "model_case.h"

enum { FORMS_VOCABULARY = 7, FORMS_MOST_NODES = 6, FORMS_MOST_BATCH = 2 };

#define FORM_ONE(suffix, name) +1
enum { FORM_COUNT = QUARTIC_EDGE_ATTENTION_LIST(FORM_ONE) };
#undef FORM_ONE
/* By quartic_edge_attention. */
extern const char *const form_names[FORM_COUNT];

quartic_model_config forms_config(quartic_model_family family, uint32_t form, bool causal);

typedef struct forms_model {
    quartic_device *device;
    quartic_model *model;
} forms_model;

/* The device of that name, opened at the first call; forms_close_devices closes them all. */
quartic_device *forms_device(const char *name);
void forms_close_devices(void);

/* A model on forms_device(device_name), with initial weights; forms_close destroys it. */
forms_model forms_open(const char *device_name, const quartic_model_config *config);
void forms_close(forms_model *model);

extern const int32_t forms_tokens[FORMS_MOST_BATCH * FORMS_MOST_NODES];
extern const int32_t forms_targets[FORMS_MOST_BATCH * FORMS_MOST_NODES];

#define FOR_EVERY_FORM(family, form)                                                                         \
    for (int family = QUARTIC_MODEL_QUARTIC; family <= QUARTIC_MODEL_RELATIONAL; ++family)                   \
        for (uint32_t form = QUARTIC_EDGE_ATTENTION_AXIAL; form < FORM_COUNT; ++form)

void forms_agree_with_the_reference(const char *device);

void causal_forms_leak_nothing(const char *device);

/* The same where rows and chosen edges take several tiles of every kernel, and with a mask. */
void causal_forms_leak_nothing_in_tiles(const char *device);

/* A graph without a real node gives no NaN and does not disturb the other one; padding's tokens change no bit
 * of real nodes; a batch is as its graphs one by one. */
void graphs_are_independent(const char *device);

/* Without positions it does not matter where among the padding the real nodes are. */
void padding_may_be_anywhere(const char *device);

#endif
