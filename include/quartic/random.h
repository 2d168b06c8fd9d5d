/* random.h: the library's counter-based random numbers, for data and experiments made from a seed. Stable.
 *
 * Philox-4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"). There is no state: the
 * number at (seed, stream, index) is a pure function of the three, the same on every machine and in any
 * order.
 */
#ifndef QUARTIC_RANDOM_H
#define QUARTIC_RANDOM_H

#include <stdint.h>

#include "quartic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns 32 random bits. Cannot fail. */
QUARTIC_API uint32_t quartic_random_bits(uint64_t seed, uint32_t stream, uint64_t index);

#ifdef __cplusplus
}
#endif
#endif
