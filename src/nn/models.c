/* models.c: the table of families and the collecting run. See models.h. */
#include "nn/models.h"

const quartic_family *quartic_model_family_of(const quartic_model_config *config) {
    static const quartic_family *const families[] = {[QUARTIC_MODEL_QUARTIC] = &quartic_family_quartic,
                                                     [QUARTIC_MODEL_RELATIONAL] = &quartic_family_relational,
                                                     [QUARTIC_MODEL_MULTI_STREAM] =
                                                         &quartic_family_multi_stream};
    return families[config->model];
}

quartic_model_inputs quartic_nn_declare_inputs(quartic_graph *graph, const quartic_model_config *config,
                                               uint32_t b, uint32_t n, bool masked) {
    quartic_model_inputs inputs = QUARTIC_MODEL_INPUTS_INIT;
    const uint32_t node_width = config->dim_node_features, edge_width = config->dim_edge_features;
    if (node_width == 0)
        inputs.tokens = quartic_graph_input(graph, "tokens", QUARTIC_INT32, &QUARTIC_SHAPE(b, n));
    else
        inputs.node_features =
            quartic_graph_input(graph, "node_features", QUARTIC_FLOAT32, &QUARTIC_SHAPE(b, n, node_width));
    if (config->num_edge_types != 0)
        inputs.edge_types = quartic_graph_input(graph, "edge_types", QUARTIC_INT32, &QUARTIC_SHAPE(b, n, n));
    if (edge_width != 0)
        inputs.edge_features =
            quartic_graph_input(graph, "edge_features", QUARTIC_FLOAT32, &QUARTIC_SHAPE(b, n, n, edge_width));
    if (masked) inputs.mask = quartic_graph_input(graph, "mask", QUARTIC_INT32, &QUARTIC_SHAPE(b, n));
    return inputs;
}

quartic_status quartic_model_collect(const quartic_model_config *config, quartic_parameter_set *out_set) {
    quartic_graph *graph = NULL;
    *out_set = (quartic_parameter_set){0};
    QUARTIC_TRY(quartic_graph_create(&graph));
    /* One token is enough: the weights' shapes depend on the configuration alone. */
    quartic_nn nn = quartic_nn_collect(graph, out_set);
    const quartic_model_inputs inputs = quartic_nn_declare_inputs(graph, config, 1, 1, false);
    quartic_model_family_of(config)->build(&nn, config, &inputs, NULL);
    quartic_status status = quartic_graph_status(graph);
    quartic_graph_destroy(graph);
    if (status != QUARTIC_OK) quartic_parameter_set_destroy(out_set);
    return status;
}
