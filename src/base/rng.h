/* rng.h: the counter-based random numbers of the whole library.
 *
 * Philox-4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"). There is no state: the
 * number at (seed, stream, index) is a pure function of the three, so shaders and C give the same numbers in
 * any order. One block holds four 32-bit words:
 *
 *   counter = (low word of index / 4, high word of index / 4, stream, 0),  key = (low, high word of seed)
 *   random bits at index = word index % 4 of the block
 */
#ifndef QUARTIC_BASE_RNG_H
#define QUARTIC_BASE_RNG_H

#include <stdint.h>

#include "quartic/random.h" /* quartic_random_bits */

/* Writes the four words of the block of that counter and key to out_words. */
void quartic_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out_words[4]);

/* Uniform in [0, 1): the upper 24 of the 32 random bits, which float32 holds exactly. */
float quartic_random_uniform(uint64_t seed, uint32_t stream, uint64_t index);

/* Standard normal by the method of Box and Muller, from the uniform numbers at 2 index and 2 index + 1:
 *
 *   sqrt(-2 log(1 - u)) cos(2 pi v)
 */
float quartic_random_normal(uint64_t seed, uint32_t stream, uint64_t index);

#endif
