/* access.c: gives other folders the records of a graph. See access.h. */
#include "graph/graph.h"

uint32_t quartic_graph_node_count(const quartic_graph *graph) {
    return graph->node_count;
}

const quartic_node *quartic_graph_node(const quartic_graph *graph, uint32_t index) {
    return &graph->nodes[index];
}

const char *quartic_graph_node_scope(const quartic_graph *graph, const quartic_node *node) {
    return graph->scopes[node->scope];
}

uint32_t quartic_graph_storage_count(const quartic_graph *graph) {
    return graph->storage_count;
}

const quartic_storage *quartic_graph_storage(const quartic_graph *graph, uint32_t index) {
    return &graph->storages[index];
}

uint32_t quartic_graph_value_count(const quartic_graph *graph) {
    return graph->value_count;
}

const quartic_graph_value *quartic_graph_value_record(const quartic_graph *graph, uint32_t id) {
    return quartic_graph_get(graph, id);
}

quartic_value quartic_graph_value_of(const quartic_graph *graph, uint32_t id) {
    return (quartic_value){id, id == 0 ? 0 : graph->number};
}

void quartic_graph_set_layout(quartic_graph *graph, quartic_value view, const quartic_layout *layout) {
    graph->values[view.id - 1].layout = *layout;
}
