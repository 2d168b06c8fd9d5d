/* floats.h: the floating-point environment that the library computes in, whatever its host has set.
 *
 * The standard one: rounding to nearest, no traps, subnormal numbers kept. The host's (rounding mode, traps,
 * flush to zero, the flags raised so far) is put back when the call ends. It belongs to a thread, so OpenMP's
 * threads have theirs: see threads.h.
 */
#ifndef QUARTIC_BASE_FLOATS_H
#define QUARTIC_BASE_FLOATS_H

#include <fenv.h>
#include <stdbool.h>

typedef struct quartic_floats {
    fenv_t host;
    bool changed; /* the host's was not the standard one, flags apart */
} quartic_floats;

quartic_floats quartic_floats_begin(void);
void quartic_floats_end(const quartic_floats *floats);

/* What the host has set for this thread, between begin and end; NULL if that is the standard one anyway. */
const fenv_t *quartic_floats_of_host(void);

/* The rest of the block computes in the standard environment. */
#define QUARTIC_STANDARD_FLOATS                                                                              \
    const quartic_floats standard_floats_ __attribute__((cleanup(quartic_floats_end), unused)) =             \
        quartic_floats_begin()

#endif
