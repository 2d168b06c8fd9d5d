/* rng.c: Philox-4x32-10 and the distributions drawn from it. See rng.h. */
#include "base/rng.h"

#include <math.h>

void quartic_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out_words[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
        uint64_t product0 = (uint64_t)0xD2511F53u * c0;
        uint64_t product1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)product0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out_words[0] = c0;
    out_words[1] = c1;
    out_words[2] = c2;
    out_words[3] = c3;
}

uint32_t quartic_random_bits(uint64_t seed, uint32_t stream, uint64_t index) {
    uint64_t block = index / 4;
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), stream, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[4];
    quartic_philox(counter, key, words);
    return words[index % 4];
}

float quartic_random_uniform(uint64_t seed, uint32_t stream, uint64_t index) {
    return (float)(quartic_random_bits(seed, stream, index) >> 8) * 0x1p-24f;
}

float quartic_random_normal(uint64_t seed, uint32_t stream, uint64_t index) {
    /* 1 - u lies in (0, 1], so the logarithm is finite. */
    double u = 1.0 - (double)quartic_random_uniform(seed, stream, 2 * index);
    double v = (double)quartic_random_uniform(seed, stream, 2 * index + 1);
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586476925 * v));
}
