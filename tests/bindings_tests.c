/* bindings_tests.c: see bindings_tests.h. */
#include "bindings_tests.h"

typedef struct bindings_case {
    const char *names[2]; /* both are bound to the same tensor */
    quartic_status status;
} bindings_case;

/* x, z inputs; p a parameter that is only read; q one that is updated; s a state; y = x + z + p, t = 2 x. */
quartic_graph *bindings_graph(void) {
    quartic_graph *graph = NULL;
    const quartic_shape shape = QUARTIC_SHAPE(64);
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape),
                  z = quartic_graph_input(graph, "z", QUARTIC_FLOAT32, &shape);
    quartic_value p = quartic_graph_parameter(graph, "p", &shape),
                  q = quartic_graph_parameter(graph, "q", &shape);
    quartic_value s = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &shape);
    quartic_graph_output(graph, "y", quartic_add(graph, quartic_add(graph, x, z), p));
    quartic_graph_output(graph, "t", quartic_scale(graph, x, 2.0f, 0.0f));
    quartic_accumulate(graph, s, x, 1.0f);
    quartic_accumulate(graph, q, x, 1.0f);
    assert_int_equal(quartic_graph_status(graph), QUARTIC_OK);
    return graph;
}

quartic_status bindings_try(quartic_device *device, const quartic_graph *graph, const char *first,
                            quartic_tensor *a, const char *second, quartic_tensor *b,
                            quartic_tensor *workspace) {
    const quartic_binding bindings[] = {{first, a}, {second, b}};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = second == NULL ? 1 : 2;
    config.workspace = workspace;
    quartic_program *program = NULL;
    quartic_program_memory memory;
    const quartic_status status = quartic_program_create(device, graph, &config, &program);
    assert_int_equal(quartic_program_measure(device, graph, &config, &memory), status);
    assert_true((program != NULL) == (status == QUARTIC_OK));
    quartic_program_destroy(program);
    return status;
}

void check_bindings(quartic_device *device) {
    static const bindings_case cases[] = {
        {{"x", "y"}, QUARTIC_INVALID_ARGUMENT},
        {{"y", "x"}, QUARTIC_INVALID_ARGUMENT},
        {{"y", "t"}, QUARTIC_INVALID_ARGUMENT},
        {{"s", "x"}, QUARTIC_INVALID_ARGUMENT},
        {{"s", "y"}, QUARTIC_INVALID_ARGUMENT},
        {{"s", "q"}, QUARTIC_INVALID_ARGUMENT},
        {{"q", "z"}, QUARTIC_INVALID_ARGUMENT},
        {{"p", "y"}, QUARTIC_INVALID_ARGUMENT},
        {{"x", "x"}, QUARTIC_INVALID_ARGUMENT},
        {{"s", "s"}, QUARTIC_INVALID_ARGUMENT},
        {{"x", "z"}, QUARTIC_OK}, /* read only: x + x + p */
        {{"x", "p"}, QUARTIC_OK},
    };
    quartic_graph *graph = bindings_graph();
    quartic_tensor *tensor = NULL, *other = NULL;
    assert_int_equal(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(64), &tensor), QUARTIC_OK);
    assert_int_equal(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(64), &other), QUARTIC_OK);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        const bindings_case *at = &cases[k];
        if (bindings_try(device, graph, at->names[0], tensor, at->names[1], tensor, NULL) != at->status)
            fail_msg("%s and %s: %s", at->names[0], at->names[1], quartic_error_message());
    }
    assert_int_equal(bindings_try(device, graph, "x", tensor, "x", other, NULL), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "\"x\" is bound twice"));
    assert_int_equal(bindings_try(device, graph, "x", tensor, "y", other, NULL), QUARTIC_OK);
    /* The workspace is written. */
    quartic_tensor *workspace = NULL;
    quartic_graph *wide = NULL;
    assert_int_equal(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(4096), &workspace),
                     QUARTIC_OK);
    assert_int_equal(quartic_graph_create(&wide), QUARTIC_OK);
    quartic_value x = quartic_graph_input(wide, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4096));
    quartic_graph_output(wide, "y", quartic_sum(wide, quartic_exp(wide, x), 1, 0));
    assert_int_equal(bindings_try(device, wide, "x", workspace, NULL, NULL, workspace),
                     QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "workspace"));
    quartic_graph_destroy(wide);
    quartic_tensor_destroy(workspace);
    quartic_tensor_destroy(tensor);
    quartic_tensor_destroy(other);
    quartic_graph_destroy(graph);
}
