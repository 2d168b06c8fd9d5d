/* bindings_tests.h: which memory may be bound to which names, on any device. */
#ifndef QUARTIC_TESTS_BINDINGS_TESTS_H
#define QUARTIC_TESTS_BINDINGS_TESTS_H

#include "expect.h"

#include "quartic/program.h"

/* x, z inputs; p a parameter that is only read; q one that is updated; s a state; y = x + z + p, t = 2 x. */
quartic_graph *bindings_graph(void);

/* Compiles the graph with `first` bound to a and, unless it is NULL, `second` to b. Frees the program. */
quartic_status bindings_try(quartic_device *device, const quartic_graph *graph, const char *first,
                            quartic_tensor *a, const char *second, quartic_tensor *b,
                            quartic_tensor *workspace);

/* Every pair of names on one tensor that must be refused or taken. */
void check_bindings(quartic_device *device);

#endif
