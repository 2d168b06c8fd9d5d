/* spirv.h: the table of compiled shaders, generated at build time from shaders/ (cmake/Shaders.cmake). */
#ifndef QUARTIC_GPU_SPIRV_H
#define QUARTIC_GPU_SPIRV_H

#include <stddef.h>
#include <stdint.h>

typedef struct quartic_spirv {
    const char *name; /* file name without .comp */
    const uint32_t *words;
    size_t bytes;
    const char *args; /* its push constants: the file shaders/<args>.args.h */
} quartic_spirv;

extern const quartic_spirv quartic_spirv_table[];
extern const uint32_t quartic_spirv_count;
/* Hash of all shaders: names the pipeline cache file of this build. */
extern const char quartic_spirv_build[];

#endif
