/* padding_tests.h: a graph's results do not depend on its padding: each form of edge attention, family and
 * read-out on a device. Trusted is a graph by itself, without a mask; it must give
 * the same padded to several lengths, among graphs of other sizes, and with its padding in between.
 */
#ifndef QUARTIC_TESTS_PADDING_TESTS_H
#define QUARTIC_TESTS_PADDING_TESTS_H

#include "edge_forms_tests.h"

enum { PADDED_GRAPHS = 4, PADDED_LONGEST = 11, PADDED_VOCABULARY = 9 };

typedef struct padded_case {
    quartic_model_config config;
    bool spread; /* padding lies between the nodes, too: only where order has no meaning */
} padded_case;

quartic_model_config padded_config(quartic_model_family family, uint32_t form, quartic_readout readout,
                                   bool causal);

/* Every graph by itself, in one ragged batch of each length, and padded by itself. */
void padded_check(quartic_device *device, const padded_case *c, bool gradients);

#endif
