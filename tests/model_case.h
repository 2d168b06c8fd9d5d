/* model_case.h: recorded model cases (tests/golden) as models with their inputs, for the model tests.
 *
 * Bounds, as agreed for the recordings: outputs within 2e-5 * max(1, max |want|), gradients within
 * 1e-4 * max |want over that tensor| + 1e-6.
 */
#ifndef QUARTIC_TESTS_MODEL_CASE_H
#define QUARTIC_TESTS_MODEL_CASE_H

#include "expect.h"

#include <math.h>
#include "base/alloc.h"
#include "base/json.h"
#include "model/model.h"

typedef struct model_case {
    quartic_safetensors *file;
    quartic_model *model;
    double lr, weight_decay, clip; /* of a train case */
} model_case;

const quartic_safetensors_tensor *case_tensor(const model_case *c, const char *name);

/* The tensor's numbers, to be freed with quartic_free; NULL if the case has none of that name. */
float *case_floats(const model_case *c, const char *name, uint64_t *out_count);

int32_t *case_ints(const model_case *c, const char *name, quartic_shape *out_shape);

uint8_t *case_mask(const model_case *c);

quartic_model_config case_config(const quartic_safetensors *file, model_case *c);

/* Opens tests/golden/<name>.safetensors and makes its model with the recorded weights. */
model_case case_open(quartic_device *device, const char *name);

void case_close(model_case *c);

/* |got - want| <= relative * max(least_scale, max |want|) + absolute; name is for the message. */
void assert_near(const char *name, const float *got, const float *want, uint64_t count, double relative,
                 double least_scale, double absolute);

#endif
