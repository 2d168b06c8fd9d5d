/* spirv.h: the table of compiled shaders, generated at build time from shaders/ (cmake/Shaders.cmake). */
#ifndef QUARTIC_GPU_SPIRV_H
#define QUARTIC_GPU_SPIRV_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct quartic_spirv {
    const char *name; /* file name without .comp */
    const uint32_t *words;
    size_t bytes;
    const char *args; /* its push constants: the file shaders/<args>.args.h */
} quartic_spirv;

/* What a workgroup of a shader takes. */
typedef struct quartic_spirv_group {
    uint32_t invocations;
    uint64_t shared_bytes;
} quartic_spirv_group;

/* Gives that for specialisation constants 0 .. spec_count - 1; the others have their standard values. Pure.
 * Errors: OUT_OF_MEMORY; INTERNAL for an operation on constants that no shader of this build has. */
quartic_status quartic_spirv_group_of(const quartic_spirv *shader, const uint32_t *spec, uint32_t spec_count,
                                      quartic_spirv_group *out_group);

extern const quartic_spirv quartic_spirv_table[];
extern const uint32_t quartic_spirv_count;
/* Hash of all shaders: names the pipeline cache file of this build. */
extern const char quartic_spirv_build[];

#endif
