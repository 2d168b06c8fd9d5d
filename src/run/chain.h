/* chain.h: how long dispatches must wait for one another. Pure.
 *
 * A dispatch waits for an earlier one if it reads what that writes, or writes what that reads or writes:
 * the same rule as for barriers (hazard.h). Memory that is used again makes dispatches wait, too.
 */
#ifndef QUARTIC_RUN_CHAIN_H
#define QUARTIC_RUN_CHAIN_H

#include "run/run_vulkan.h"

/* The weight of the heaviest chain of dispatches in which each waits for the one before it; 0 if count is 0.
 * touched: what each touches, in the order of recording; weights: one for each, or NULL: all 1, so that it is
 * the number of dispatches. Errors: OUT_OF_MEMORY. */
quartic_status quartic_chain_longest(const quartic_run_vulkan_touched *touched, const double *weights,
                                     uint32_t count, double *out_longest);

#endif
