/* experiment_source.h: random numbers for the graphs of `quartic experiment`. */
#ifndef QUARTIC_TOOL_EXPERIMENT_SOURCE_H
#define QUARTIC_TOOL_EXPERIMENT_SOURCE_H

#include <stdint.h>

/* A stream of random numbers. */
typedef struct experiment_source {
    uint64_t seed, index;
    uint32_t stream;
} experiment_source;

/* The next number below `range`. */
uint32_t experiment_below(experiment_source *source, uint32_t range);
/* 0 .. n-1 in random order. */
void experiment_permutation(experiment_source *source, uint32_t n, uint32_t *out_order);
/* A hash of 64 bits, one to one. */
uint64_t experiment_mix(uint64_t bits);

#endif
