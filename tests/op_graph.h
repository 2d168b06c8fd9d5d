/* op_graph.h: a case of an op as a graph: the op alone, or the op and the gradients of all its operands.
 *
 * All operands have tight layouts. Everything that the graph computes is a result of the rig.
 */
#ifndef QUARTIC_TESTS_OP_GRAPH_H
#define QUARTIC_TESTS_OP_GRAPH_H

#include "verify/fixture.h"

/* Between quartic_fixture_begin and quartic_fixture_run. */
quartic_status op_graph_build(quartic_fixture *rig, bool gradient);

#endif
