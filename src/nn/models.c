/* models.c: the table of families and the collecting run. See models.h. */
#include "nn/models.h"

const quartic_family *quartic_model_family_of(const quartic_model_config *config) {
    static const quartic_family *const families[] = {[QUARTIC_MODEL_QUARTIC] = &quartic_family_quartic,
                                                     [QUARTIC_MODEL_RELATIONAL] = &quartic_family_relational};
    return families[config->model];
}

quartic_status quartic_model_collect(const quartic_model_config *config, quartic_parameter_set *out_set) {
    quartic_graph *graph = NULL;
    *out_set = (quartic_parameter_set){0};
    QUARTIC_TRY(quartic_graph_create(&graph));
    /* One token is enough: the weights' shapes depend on the configuration alone. */
    quartic_nn nn = quartic_nn_collect(graph, out_set);
    const quartic_model_inputs inputs = {
        .tokens = quartic_graph_input(graph, "tokens", QUARTIC_INT32, &QUARTIC_SHAPE(1, 1))};
    quartic_model_family_of(config)->build(&nn, config, &inputs, NULL);
    quartic_status status = quartic_graph_status(graph);
    quartic_graph_destroy(graph);
    if (status != QUARTIC_OK) quartic_parameter_set_destroy(out_set);
    return status;
}
