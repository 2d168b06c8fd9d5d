/* experiment_source.c: random numbers below a range, random orders, a hash. See experiment_source.h. */
#include "tool/experiment_source.h"

#include "quartic/random.h"

uint32_t experiment_below(experiment_source *source, uint32_t range) {
    uint64_t bits = quartic_random_bits(source->seed, source->stream, source->index++);
    return (uint32_t)(bits * range >> 32);
}

void experiment_permutation(experiment_source *source, uint32_t n, uint32_t *out_order) {
    for (uint32_t i = 0; i < n; ++i) out_order[i] = i;
    for (uint32_t i = n; i > 1; --i) {
        const uint32_t other = experiment_below(source, i), kept = out_order[i - 1];
        out_order[i - 1] = out_order[other];
        out_order[other] = kept;
    }
}

/* Steele, Lea and Flood 2014: the finaliser of SplitMix64. */
uint64_t experiment_mix(uint64_t bits) {
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
    return bits ^ bits >> 31;
}
