/* graph_test.c: sticky errors, plans, gradients of whole graphs against finite differences in double,
 * recompute scopes, bindings, and every allocation failing in turn. */
#include "expect.h"

#include <math.h>

#include "failing_alloc.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "plan/plan.h"
#include "quartic/program.h"

static quartic_graph *graph_new_graph(void) {
    quartic_graph *graph = NULL;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    return graph;
}

static void first_error_sticks_with_scope_and_shapes(void **state) {
    (void)state;
    quartic_graph *graph = graph_new_graph();
    quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3));
    quartic_value b = quartic_graph_input(graph, "b", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 4));
    quartic_graph_push_scope(graph, "layers.0");
    quartic_graph_push_scope(graph, "sum");
    assert_int_equal(quartic_add(graph, a, b).id, 0);
    quartic_graph_pop_scope(graph);
    assert_int_equal(quartic_graph_input(graph, "c", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1)).id, 0);
    assert_int_equal(quartic_graph_status(graph), QUARTIC_SHAPE_MISMATCH);
    assert_non_null(strstr(quartic_error_message(), "layers.0/sum"));
    assert_non_null(strstr(quartic_error_message(), "(2, 3)"));
    assert_non_null(strstr(quartic_error_message(), "(2, 4)"));
    quartic_graph_destroy(graph);
}

static void names_sizes_and_foreign_values_are_refused(void **state) {
    (void)state;
    quartic_graph *graph = graph_new_graph();
    quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2));
    quartic_graph_state(graph, "a", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2));
    assert_int_equal(quartic_graph_status(graph), QUARTIC_INVALID_ARGUMENT);
    quartic_graph_destroy(graph);
    graph = graph_new_graph();
    quartic_graph_input(graph, "huge", QUARTIC_FLOAT32, &QUARTIC_SHAPE(65536, 65536));
    assert_int_equal(quartic_graph_status(graph), QUARTIC_UNSUPPORTED);
    quartic_graph_destroy(graph);
    graph = graph_new_graph();
    quartic_graph_input(graph, "empty", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 0));
    assert_int_equal(quartic_graph_status(graph), QUARTIC_INVALID_ARGUMENT);
    quartic_graph_destroy(graph);
    graph = graph_new_graph();
    quartic_negate(graph, (quartic_value){.id = 77});
    assert_int_equal(quartic_graph_status(graph), QUARTIC_INVALID_ARGUMENT);
    quartic_graph_destroy(graph);
}

/* A chain of elementwise ops on one input needs one block: each takes over its input's memory. */
static void plan_shares_memory_and_drops_dead_steps(void **state) {
    (void)state;
    quartic_graph *graph = graph_new_graph();
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1000));
    quartic_value y = quartic_negate(graph, x);
    for (int i = 0; i < 10; ++i) y = quartic_sigmoid(graph, y);
    quartic_exp(graph, y); /* leads nowhere */
    quartic_graph_output(graph, "y", quartic_tanh(graph, y));
    quartic_plan plan;
    assert_int_equal(quartic_plan_create(graph, 4, NULL, NULL, &plan), QUARTIC_OK);
    assert_int_equal(plan.step_count, 12);
    assert_int_equal(plan.workspace_bytes, 4096);
    assert_int_equal(plan.unshared_bytes, 11 * 4096);
    quartic_plan_destroy(&plan);
    quartic_graph_destroy(graph);
}

/* No two storages that live at the same time may overlap, on a graph with branches. */
static void plan_never_overlaps_what_lives_together(void **state) {
    (void)state;
    quartic_graph *graph = graph_new_graph();
    enum { COUNT = 40 };
    quartic_value values[COUNT];
    values[0] = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 50));
    values[1] = quartic_sum(graph, values[0], 1u, 1);
    for (uint32_t i = 2; i < COUNT; ++i) {
        uint32_t a = quartic_random_bits(3, 0, i) % i, b = quartic_random_bits(3, 1, i) % i;
        values[i] =
            i % 5 == 0 ? quartic_sum(graph, values[a], 1u, 1) : quartic_multiply(graph, values[a], values[b]);
    }
    quartic_graph_output(graph, "y", values[COUNT - 1]);
    quartic_value gradient;
    assert_int_equal(
        quartic_graph_gradients(graph, values[COUNT - 1], (quartic_value){0}, values, 1, &gradient),
        QUARTIC_OK);
    if (gradient.id != 0) quartic_graph_output(graph, "dx", gradient);
    quartic_plan plan;
    assert_int_equal(quartic_plan_create(graph, 4, NULL, NULL, &plan), QUARTIC_OK);
    assert_true(plan.step_count > 10);
    for (uint32_t t = 0; t < plan.step_count; ++t) {
        const quartic_node *writer = &graph->nodes[plan.steps[t].node];
        uint32_t out = quartic_graph_get(graph, writer->outputs[0])->storage;
        if (!plan.places[out].in_workspace) continue;
        /* Whatever is still read after step t, and was written before it, must lie elsewhere. */
        for (uint32_t later = t + 1; later < plan.step_count; ++later) {
            const quartic_node *reader = &graph->nodes[plan.steps[later].node];
            for (uint32_t i = 0; i < reader->input_count; ++i) {
                const quartic_graph_value *value = quartic_graph_get(graph, reader->inputs[i]);
                const quartic_plan_place *place = &plan.places[value->storage];
                if (!place->in_workspace || value->storage == out) continue;
                uint32_t first = 0;
                while (first < plan.step_count &&
                       quartic_graph_get(graph, graph->nodes[plan.steps[first].node].outputs[0])->storage !=
                           value->storage)
                    ++first;
                if (first >= t) continue;
                bool apart = place->offset + place->bytes <= plan.places[out].offset ||
                             plan.places[out].offset + plan.places[out].bytes <= place->offset;
                assert_true(apart);
            }
        }
    }
    quartic_plan_destroy(&plan);
    quartic_graph_destroy(graph);
}

/* f(x) = sum over a function with slices (tiling and overlapping), permutes, diagonals, broadcasts; x (3, 4,
 * 4). */
static quartic_value function_with_views(quartic_graph *graph, quartic_value x, bool recompute) {
    const uint32_t axes[] = {2, 0, 1};
    if (recompute) quartic_graph_begin_recompute(graph);
    quartic_value t = quartic_tanh(graph, quartic_permute(graph, x, axes)); /* (4, 3, 4) */
    if (recompute) quartic_graph_end_recompute(graph);
    quartic_value left = quartic_slice(graph, t, 2, 0, 1), right = quartic_slice(graph, t, 2, 1, 3);
    quartic_value both = quartic_multiply(graph, left, right); /* (4, 3, 3) */
    quartic_value middle = quartic_slice(graph, both, 0, 1, 2), tail = quartic_slice(graph, both, 0, 2, 2);
    quartic_value sum = quartic_add(graph, quartic_square(graph, middle), tail); /* (2, 3, 3) */
    quartic_value diagonal = quartic_diagonal(graph, sum, 1);                    /* (2, 3) */
    quartic_value wide = quartic_broadcast(graph, quartic_reshape(graph, diagonal, &QUARTIC_SHAPE(2, 3, 1)),
                                           &QUARTIC_SHAPE(2, 3, 5));
    quartic_value y = quartic_divide(graph, quartic_exp(graph, wide), quartic_scale(graph, wide, 0.5f, 3.0f));
    return quartic_sum(graph, y, 7u, 0);
}

static double graph_evaluate(quartic_device *device, const float *numbers, bool recompute,
                             float *out_gradient, uint64_t *out_workspace) {
    quartic_graph *graph = graph_new_graph();
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 4, 4));
    quartic_value y = function_with_views(graph, x, recompute), gradient = {0};
    quartic_graph_output(graph, "y", y);
    if (out_gradient != NULL) {
        assert_int_equal(quartic_graph_gradients(graph, y, (quartic_value){0}, &x, 1, &gradient), QUARTIC_OK);
        quartic_graph_output(graph, "dx", gradient);
    }
    quartic_program *program = NULL;
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_OK);
    quartic_program_memory memory;
    assert_int_equal(quartic_program_measure(device, graph, NULL, &memory), QUARTIC_OK);
    if (out_workspace != NULL) *out_workspace = memory.workspace_bytes;
    quartic_graph_destroy(graph);
    assert_int_equal(quartic_tensor_write(quartic_program_tensor(program, "x"), numbers, 48 * sizeof(float)),
                     QUARTIC_OK);
    assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    float result = 0;
    assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, "y"), &result, sizeof result),
                     QUARTIC_OK);
    if (out_gradient != NULL)
        assert_int_equal(
            quartic_tensor_read(quartic_program_tensor(program, "dx"), out_gradient, 48 * sizeof(float)),
            QUARTIC_OK);
    quartic_program_destroy(program);
    return (double)result;
}

static void gradients_through_views_agree_with_differences(void **state) {
    (void)state;
    quartic_device *device = NULL;
    assert_int_equal(quartic_device_create("reference64", &device), QUARTIC_OK);
    float x[48], gradient[48], again[48];
    for (uint32_t i = 0; i < 48; ++i) x[i] = 0.5f * quartic_random_normal(11, 0, i);
    graph_evaluate(device, x, false, gradient, NULL);
    graph_evaluate(device, x, true, again, NULL);
    assert_memory_equal(gradient, again, sizeof gradient);
    uint32_t nonzero = 0;
    for (uint32_t i = 0; i < 48; ++i) {
        const float h = 0x1p-8f;
        float moved[48];
        memcpy(moved, x, sizeof x);
        moved[i] = x[i] + h;
        double up = graph_evaluate(device, moved, false, NULL, NULL);
        moved[i] = x[i] - h;
        double down = graph_evaluate(device, moved, false, NULL, NULL);
        /* The value is read as float32: 2 ulp of about 8 over 2h, and the third derivative times h^2. */
        double want = (up - down) / (2.0 * (double)h);
        assert_true(fabs(want - (double)gradient[i]) < 1e-3);
        nonzero += gradient[i] != 0.0f;
    }
    assert_true(nonzero >= 18);
    quartic_device_destroy(device);
}

/* Eleven slices of one value in any order, with gaps before, between and after: joined by two levels of
 * concats with zeros between, without a single addition. */
static void gradients_of_many_slices_are_joined(void **state) {
    (void)state;
    enum { SLICES = 11, EXTENT = 60 };
    quartic_graph *graph = graph_new_graph();
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(EXTENT)), sum = {0},
                  gradient;
    float want[EXTENT] = {0};
    for (uint32_t k = 0; k < SLICES; ++k) {
        uint32_t start = 2 + 5 * (k * 4 % SLICES), length = 1 + start % 5;
        for (uint32_t i = 0; i < length; ++i) want[start + i] = (float)(k + 1);
        quartic_value part = quartic_sum(graph, quartic_slice(graph, x, 0, start, length), 1u, 0);
        part = quartic_scale(graph, part, (float)(k + 1), 0.0f);
        sum = k == 0 ? part : quartic_add(graph, sum, part);
    }
    uint32_t nodes = graph->node_count;
    assert_int_equal(quartic_graph_gradients(graph, sum, (quartic_value){0}, &x, 1, &gradient), QUARTIC_OK);
    quartic_graph_output(graph, "dx", gradient);
    for (; nodes < graph->node_count; ++nodes)
        assert_string_not_equal(graph->nodes[nodes].op->name, "binary");
    quartic_device *device = NULL;
    quartic_program *program = NULL;
    float got[EXTENT];
    assert_int_equal(quartic_device_create("reference", &device), QUARTIC_OK);
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_OK);
    assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, "dx"), got, sizeof got), QUARTIC_OK);
    assert_memory_equal(got, want, sizeof want);
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
}

static void states_are_updated_in_place_and_bindings_are_checked(void **state) {
    (void)state;
    quartic_device *device = NULL;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    quartic_graph *graph = graph_new_graph();
    quartic_value total = quartic_graph_state(graph, "total", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4));
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2));
    quartic_accumulate(graph, quartic_slice(graph, total, 0, 1, 2), x, 2.0f);
    quartic_tensor *mine = NULL, *wrong = NULL;
    assert_int_equal(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(4), &mine), QUARTIC_OK);
    assert_int_equal(quartic_tensor_create(device, QUARTIC_FLOAT32, &QUARTIC_SHAPE(5), &wrong), QUARTIC_OK);
    quartic_binding binding = {"total", wrong};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = &binding, config.binding_count = 1;
    quartic_program *program = NULL;
    assert_int_equal(quartic_program_create(device, graph, &config, &program), QUARTIC_SHAPE_MISMATCH);
    assert_null(program);
    binding.tensor = mine;
    assert_int_equal(quartic_program_create(device, graph, &config, &program), QUARTIC_OK);
    const float numbers[2] = {1, 5};
    assert_int_equal(quartic_tensor_write(quartic_program_tensor(program, "x"), numbers, sizeof numbers),
                     QUARTIC_OK);
    for (int run = 0; run < 3; ++run) assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    float result[4];
    assert_int_equal(quartic_tensor_read(mine, result, sizeof result), QUARTIC_OK);
    const float want[4] = {0, 6, 30, 0};
    assert_memory_equal(result, want, sizeof want);
    assert_null(quartic_program_tensor(program, "nothing"));
    quartic_program_destroy(program);
    quartic_tensor_destroy(mine);
    quartic_tensor_destroy(wrong);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
}

/* Builds, differentiates, compiles and runs; returns the first status that is not OK. */
static quartic_status whole_path(void) {
    quartic_device *device = NULL;
    quartic_graph *graph = NULL;
    quartic_program *program = NULL;
    quartic_value gradient;
    quartic_status status = quartic_device_create("cpu", &device);
    if (status == QUARTIC_OK) status = quartic_graph_create(&graph);
    if (status == QUARTIC_OK) {
        quartic_graph_push_scope(graph, "scope");
        quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 4, 4));
        quartic_value y = function_with_views(graph, x, true);
        quartic_graph_output(graph, "y", y);
        quartic_graph_gradients(graph, y, (quartic_value){0}, &x, 1, &gradient);
        quartic_graph_output(graph, "dx", gradient);
        status = quartic_program_create(device, graph, NULL, &program);
    }
    if (status == QUARTIC_OK) status = quartic_program_run(program);
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
    return status;
}

static void every_failing_allocation_leaves_nothing_behind(void **state) {
    (void)state;
    int64_t before = quartic_alloc_live();
    uint64_t nth = 1;
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    for (; status != QUARTIC_OK && nth < 10000; ++nth) {
        quartic_alloc_fail_at(nth);
        status = whole_path();
        quartic_alloc_fail_at(0);
        if (status != QUARTIC_OK) assert_int_equal(status, QUARTIC_OUT_OF_MEMORY);
        assert_int_equal(quartic_alloc_live(), before);
    }
    assert_int_equal(status, QUARTIC_OK);
    assert_true(nth > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_sticks_with_scope_and_shapes),
        cmocka_unit_test(names_sizes_and_foreign_values_are_refused),
        cmocka_unit_test(plan_shares_memory_and_drops_dead_steps),
        cmocka_unit_test(plan_never_overlaps_what_lives_together),
        cmocka_unit_test(gradients_through_views_agree_with_differences),
        cmocka_unit_test(gradients_of_many_slices_are_joined),
        cmocka_unit_test(states_are_updated_in_place_and_bindings_are_checked),
        cmocka_unit_test(every_failing_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
