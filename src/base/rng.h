/* rng.h: the counter-based random numbers of the whole library.
 *
 * Philox-4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"). Stateless: the number
 * at (seed, stream, index) is a pure function of the three, so shaders and C give the same numbers in any
 * order. One block holds four 32-bit words; index counts words.
 */
#ifndef QUARTIC_BASE_RNG_H
#define QUARTIC_BASE_RNG_H

#include <stdint.h>

#include "quartic/random.h" /* quartic_random_bits */

/* Ten rounds over counter[4] with key[2]; the block's four words go to out_words. */
void quartic_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out_words[4]);

/* Uniform in [0, 1): the upper 24 bits, exact in float32. */
float quartic_random_uniform(uint64_t seed, uint32_t stream, uint64_t index);

/* Standard normal by Box and Muller over words 2 index and 2 index + 1. */
float quartic_random_normal(uint64_t seed, uint32_t stream, uint64_t index);

#endif
