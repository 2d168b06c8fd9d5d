/* op_graph.h: a case of an op as a graph: the op alone, or the op and the gradients of all its operands.
 *
 * All operands have tight layouts. Everything that the graph computes is a result of the fixture.
 */
#ifndef QUARTIC_TESTS_OP_GRAPH_H
#define QUARTIC_TESTS_OP_GRAPH_H

#include "verify/fixture.h"

enum { OP_GRAPH_MOST_CASES = 128 /* of an op */ };

/* Between quartic_fixture_begin and quartic_fixture_run. */
quartic_status op_graph_build(quartic_fixture *fixture, bool gradient);

/* Operations of a case, forward, with its reads and writes of numbers. */
double op_graph_work(const quartic_op *op, const quartic_op_case *test);

/* The indices of the op's cases of least work, at most `most` of them, the least first; returns how many. */
uint32_t op_graph_least_cases(const quartic_op *op, uint32_t most, uint32_t *out_cases);

#endif
