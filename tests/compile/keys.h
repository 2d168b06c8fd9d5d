/* keys.h: every pipeline that the library makes on a device: its shaders and their specialisation constants.
 *
 * Those of all cases of all ops, of models as people train them (forward and gradients, all families and forms of
 * edge attention), planned for the given limits; those that `quartic tune` may choose for the same models; and every
 * shader with its default constants.
 */
#ifndef QUARTIC_TESTS_COMPILE_KEYS_H
#define QUARTIC_TESTS_COMPILE_KEYS_H

#include "gpu/spirv.h"
#include "ops/dispatch.h"

enum { COMPILE_MOST_KEYS = 8192 };

typedef enum compile_source { COMPILE_DEFAULT, COMPILE_CASE, COMPILE_TUNED, COMPILE_MODEL } compile_source;

typedef struct compile_key {
    const quartic_spirv *shader;
    compile_source source; /* a model, if one of them makes it */
    uint32_t spec_count;   /* 0: default constants */
    uint32_t spec[QUARTIC_DISPATCH_MAX_SPEC];
    uint32_t subgroup_size; /* asked for; 0: the driver's own */
} compile_key;

typedef struct compile_keys {
    uint32_t count;
    compile_key keys[COMPILE_MOST_KEYS];
} compile_keys;

/* Adds those that are not there yet, planned for each of `count` devices; the first is the one at hand, for which `quartic
 * tune` would choose. Fails the program, with a sentence on stderr, if something cannot be planned. */
void compile_keys_collect(const quartic_gpu_limits *limits, uint32_t count, compile_keys *inout_keys);

#endif
