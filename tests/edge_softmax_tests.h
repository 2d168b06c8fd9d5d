/* edge_softmax_tests.h: softmax attention among edges on a device, by name, against the formula of models.md
 * as plain loops in double, and what must not change a bit of it: edges that come later in a causal graph,
 * and edges of padded nodes.
 */
#ifndef QUARTIC_TESTS_EDGE_SOFTMAX_TESTS_H
#define QUARTIC_TESTS_EDGE_SOFTMAX_TESTS_H

#include "ops_fixture.h"

typedef struct edge_spec {
    uint32_t b, nodes, tokens, h, d; /* tokens 0: all edges, without positions */
    bool masked, causal;
} edge_spec;

/* Results of a run, each (b, m, h, d), in the order out, dq, dk, dv. */
enum { EDGE_Q, EDGE_K, EDGE_V, EDGE_G, EDGE_OPERANDS, EDGE_RESULTS = 4 };

typedef struct edge_case {
    edge_spec spec;
    fixture r;
    uint32_t m;
    size_t count; /* of one operand or result */
    float *operands[EDGE_OPERANDS];
    int32_t *positions, *mask; /* NULL: none */
    quartic_value result;      /* (4 count) */
} edge_case;

edge_case edge_begin(const edge_spec *spec);

void edge_end(edge_case *x);

/* Runs on a device: (4, count) numbers, to be freed. */
float *edge_run(edge_case *x, quartic_device *device);

void edge_equals_the_formula(const edge_spec *spec, quartic_device *device, double bound);

/* Rows up to `row` of a causal graph, forward and backward, whatever the edges of later rows, and those with
 * j > i, are: their numbers are replaced, and no bit of the earlier rows' out changes; and where only earlier
 * rows have a cotangent, later keys get exactly none. */
void edge_later_rows_do_not_leak(quartic_device *device);

/* No bit of any other edge depends on the edges of padded nodes, as keys. */
void edge_padding_does_not_leak(quartic_device *device);

#endif
