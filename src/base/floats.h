/* floats.h: the floating-point environment that the library computes in, whatever the host program has set.
 *
 * It is the standard one: rounding to nearest, no traps, subnormal numbers kept. When a call ends, the host's
 * environment is restored: rounding mode, traps, flush to zero, and the flags raised so far. Each thread has
 * an environment of its own; threads.h handles those of OpenMP's threads.
 */
#ifndef QUARTIC_BASE_FLOATS_H
#define QUARTIC_BASE_FLOATS_H

#include <fenv.h>
#include <stdbool.h>

typedef struct quartic_floats {
    fenv_t host;
    bool changed; /* the host's differed from the standard one in more than its flags */
} quartic_floats;

/* begin sets the standard environment and returns the host's; end restores it. Pairs may nest. */
quartic_floats quartic_floats_begin(void);
void quartic_floats_end(const quartic_floats *floats);

/* Between begin and end: the environment that the host has set for this thread, or NULL if that is the
 * standard one. Valid until end. */
const fenv_t *quartic_floats_of_host(void);

/* The rest of the block computes in the standard environment. */
#define QUARTIC_STANDARD_FLOATS                                                                              \
    const quartic_floats standard_floats_ __attribute__((cleanup(quartic_floats_end), unused)) =             \
        quartic_floats_begin()

#endif
