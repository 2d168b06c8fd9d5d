/* new_graph.c: quartic_graph_create: an empty graph that knows the op copy, which makes operands contiguous.
 * */
#include "base/call.h"
#include "graph/graph.h"
#include "ops/ops.h"

quartic_status quartic_graph_create(quartic_graph **out_graph) {
    QUARTIC_CALL();
    if (out_graph == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "quartic_graph_create got NULL as out_graph");
    return quartic_graph_create_empty(&quartic_op_copy, out_graph);
}
