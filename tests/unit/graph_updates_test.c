/* graph_updates_test.c: values and updates in place: what is read before and after, gradients asked for after
 * an update, paths that lead through one, operands that lie over what is updated, memory bound twice. */
#include "expect.h"

#include "base/alloc.h"
#include "bindings_tests.h"
#include "quartic/program.h"

static const quartic_value none = {0};

static quartic_graph *graph_updates_new_graph(void) {
    quartic_graph *graph = NULL;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    return graph;
}

/* Runs on "cpu" with a parameter or state "w" and reads an output of three numbers. */
static void graph_updates_run(const quartic_graph *graph, const float w[3], const char *output,
                              float out[3]) {
    quartic_device *device = NULL;
    quartic_program *program = NULL;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    if (quartic_program_create(device, graph, NULL, &program) != QUARTIC_OK)
        fail_msg("%s", quartic_error_message());
    assert_int_equal(quartic_tensor_write(quartic_program_tensor(program, "w"), w, 12), QUARTIC_OK);
    assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, output), out, 12), QUARTIC_OK);
    quartic_program_destroy(program);
    quartic_device_destroy(device);
}

typedef enum update { BY_ACCUMULATE, BY_FILL, BY_ADAMW, BY_MOMENT, BY_VIEW, UPDATES } update;

static void append_update(quartic_graph *graph, update kind, quartic_value w) {
    quartic_value numbers = quartic_range(graph, 3, 1, 1);
    switch (kind) {
    case BY_ACCUMULATE:
        quartic_accumulate(graph, w, numbers, 1.0f);
        break;
    case BY_FILL:
        quartic_fill(graph, w, 7.0f);
        break;
    case BY_VIEW: /* one element of three */
        quartic_fill(graph, quartic_slice(graph, w, 0, 1, 1), 7.0f);
        break;
    default: {
        quartic_value a = quartic_graph_state(graph, "a", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3)),
                      b = quartic_graph_state(graph, "b", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
        quartic_value hyper = quartic_graph_input(graph, "hyper", QUARTIC_FLOAT32, &QUARTIC_SHAPE(8));
        if (kind == BY_ADAMW)
            quartic_adamw(graph, w, numbers, a, b, hyper, none, 1.0f);
        else
            quartic_adamw(graph, a, numbers, b, w, hyper, none, 1.0f);
    }
    }
}

/* How the value used w: as it is, through views, and computed again in the backward pass. */
typedef enum use { DIRECTLY, THROUGH_VIEWS, RECOMPUTED, RECOMPUTED_CHAIN, USES } use;

static quartic_value squares_of(quartic_graph *graph, quartic_value w, use how) {
    if (how == THROUGH_VIEWS)
        w = quartic_broadcast(graph, quartic_reshape(graph, w, &QUARTIC_SHAPE(3, 1)), &QUARTIC_SHAPE(3, 2));
    if (how == RECOMPUTED || how == RECOMPUTED_CHAIN) quartic_graph_begin_recompute(graph);
    quartic_value y = how == DIRECTLY || how == THROUGH_VIEWS ? w : quartic_scale(graph, w, 2.0f, 0.0f);
    if (how == RECOMPUTED_CHAIN) y = quartic_tanh(graph, quartic_slice(graph, y, 0, 0, 2));
    if (how == RECOMPUTED || how == RECOMPUTED_CHAIN) quartic_graph_end_recompute(graph);
    y = quartic_square(graph, y);
    return quartic_sum(graph, y, (1u << quartic_graph_shape(graph, y).rank) - 1, 0);
}

static void a_gradient_after_the_update_is_refused(void **state) {
    (void)state;
    for (int is_state = 0; is_state < 2; ++is_state)
        for (update kind = 0; kind < UPDATES; ++kind)
            for (use how = 0; how < USES; ++how)
                for (int many = 0; many < 2; ++many) {
                    quartic_graph *graph = graph_updates_new_graph();
                    quartic_value w = is_state ? quartic_graph_state(graph, "w", QUARTIC_FLOAT32,
                                                                     &QUARTIC_SHAPE(3))
                                               : quartic_graph_parameter(graph, "w", &QUARTIC_SHAPE(3)),
                                  gradient;
                    quartic_value values[2] = {squares_of(graph, w, how), quartic_sum(graph, w, 1, 0)};
                    append_update(graph, kind, w);
                    assert_int_equal(quartic_graph_status(graph), QUARTIC_OK);
                    assert_int_equal(
                        many ? quartic_graph_gradients_many(graph, values, NULL, 2, &w, 1, &gradient)
                             : quartic_graph_gradients(graph, values[0], none, &w, 1, &gradient),
                        QUARTIC_INVALID_ARGUMENT);
                    assert_int_equal(gradient.id, 0);
                    assert_non_null(strstr(quartic_error_message(), "\"w\" as it was"));
                    quartic_graph_destroy(graph);
                }
}

/* Gradients first, updates after; a second step in the same graph; an update of another part; a copy: right.
 */
static void gradients_before_updates_are_right(void **state) {
    (void)state;
    const float w[3] = {1, 2, 3};
    float got[3];
    for (use how = DIRECTLY; how <= RECOMPUTED; ++how) {
        quartic_graph *graph = graph_updates_new_graph();
        quartic_value p = quartic_graph_parameter(graph, "w", &QUARTIC_SHAPE(3)), first, second;
        assert_int_equal(quartic_graph_gradients(graph, squares_of(graph, p, how), none, &p, 1, &first),
                         QUARTIC_OK);
        quartic_graph_output(graph, "first", first);
        quartic_accumulate(graph, p, quartic_range(graph, 3, 1, 1), 1.0f); /* 2 4 6 */
        assert_int_equal(quartic_graph_gradients(graph, squares_of(graph, p, how), none, &p, 1, &second),
                         QUARTIC_OK);
        quartic_graph_output(graph, "second", second);
        const float factor = how == THROUGH_VIEWS ? 4 : how == RECOMPUTED ? 8 : 2;
        graph_updates_run(graph, w, "first", got);
        for (int i = 0; i < 3; ++i) assert_true(got[i] == factor * w[i]);
        graph_updates_run(graph, w, "second", got);
        for (int i = 0; i < 3; ++i) assert_true(got[i] == factor * 2 * w[i]);
        quartic_graph_destroy(graph);
    }
    quartic_graph *graph = graph_updates_new_graph();
    quartic_value p = quartic_graph_parameter(graph, "w", &QUARTIC_SHAPE(3)), gradient;
    quartic_value head = quartic_slice(graph, p, 0, 0, 2), kept = quartic_copy(graph, p);
    quartic_value value = quartic_add(graph, quartic_sum(graph, quartic_square(graph, head), 1, 0),
                                      quartic_sum(graph, quartic_square(graph, kept), 1, 0));
    quartic_fill(graph, quartic_slice(graph, p, 0, 2, 1), 50.0f);
    assert_int_equal(quartic_graph_gradients(graph, value, none, &p, 1, &gradient), QUARTIC_OK);
    quartic_graph_output(graph, "gradient", gradient);
    graph_updates_run(graph, w, "gradient", got);
    const float want[3] = {4, 8, 6};
    assert_memory_equal(got, want, sizeof want);
    quartic_graph_destroy(graph);
}

/* A value that depends on what is wanted only by way of an update has no gradient here; it is never left out.
 */
static void a_path_through_an_update_is_refused(void **state) {
    (void)state;
    for (int returned = 0; returned < 2; ++returned) {
        quartic_graph *graph = graph_updates_new_graph();
        quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3)), gradient;
        quartic_value s = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
        quartic_value updated = quartic_accumulate(graph, s, quartic_square(graph, x), 1.0f);
        quartic_value y = quartic_multiply(graph, returned ? updated : s, x);
        assert_int_not_equal(quartic_graph_gradients(graph, y, none, &x, 1, &gradient), QUARTIC_OK);
        assert_int_equal(gradient.id, 0);
        quartic_graph_destroy(graph);
    }
    /* But where the update has nothing to do with it, or what was updated is not read, it is no matter. */
    quartic_graph *graph = graph_updates_new_graph();
    quartic_value p = quartic_graph_parameter(graph, "w", &QUARTIC_SHAPE(3)), gradient;
    quartic_value s = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
    quartic_fill(graph, s, 2.0f);
    quartic_value y = quartic_multiply(graph, quartic_square(graph, p), s);
    quartic_value other = quartic_graph_state(graph, "other", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
    quartic_accumulate(graph, other, y, 1.0f);
    assert_int_equal(quartic_graph_gradients(graph, y, none, &p, 1, &gradient), QUARTIC_OK);
    quartic_graph_output(graph, "gradient", gradient);
    float got[3];
    graph_updates_run(graph, (const float[]){1, 2, 3}, "gradient", got);
    const float want[3] = {4, 8, 12};
    assert_memory_equal(got, want, sizeof want);
    quartic_graph_destroy(graph);
}

/* A read sees what stood there when it was built: the updates before it, none after. */
static void reads_keep_their_place_among_updates(void **state) {
    (void)state;
    quartic_graph *graph = graph_updates_new_graph();
    quartic_value w = quartic_graph_state(graph, "w", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
    quartic_value view =
        quartic_permute(graph, quartic_reshape(graph, w, &QUARTIC_SHAPE(1, 3)), (const uint32_t[]){1, 0});
    quartic_graph_output(graph, "before", w);
    quartic_value one = quartic_scale(graph, view, 1.0f, 0.0f);
    quartic_accumulate(graph, w, quartic_range(graph, 3, 1, 1), 1.0f);
    quartic_graph_output(graph, "between", view);
    quartic_fill(graph, w, 9.0f);
    quartic_graph_output(graph, "after", view);
    quartic_graph_output(graph, "one", one);
    static const struct {
        const char *name;
        float want[3];
    } reads[] = {{"before", {1, 2, 3}}, {"one", {1, 2, 3}}, {"between", {2, 4, 6}}, {"after", {9, 9, 9}}};
    for (size_t k = 0; k < 4; ++k) {
        float got[3];
        graph_updates_run(graph, (const float[]){1, 2, 3}, reads[k].name, got);
        assert_memory_equal(got, reads[k].want, sizeof got);
    }
    quartic_graph_destroy(graph);
}

/* w[1..] += w[..-1] reads what stood there before the update. */
static void operands_over_what_is_updated_are_read_before(void **state) {
    (void)state;
    quartic_graph *graph = graph_updates_new_graph();
    quartic_value w = quartic_graph_state(graph, "w", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
    quartic_accumulate(graph, quartic_slice(graph, w, 0, 1, 2), quartic_slice(graph, w, 0, 0, 2), 1.0f);
    quartic_accumulate(graph, w, w, 1.0f);
    quartic_graph_output(graph, "sums", w);
    float got[3];
    graph_updates_run(graph, (const float[]){1, 2, 3}, "sums", got);
    const float want[3] = {2, 6, 10};
    assert_memory_equal(got, want, sizeof want);
    quartic_graph_destroy(graph);
    graph = graph_updates_new_graph();
    w = quartic_graph_state(graph, "w", QUARTIC_FLOAT32, &QUARTIC_SHAPE(6));
    quartic_value s = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4));
    quartic_value hyper = quartic_graph_input(graph, "hyper", QUARTIC_FLOAT32, &QUARTIC_SHAPE(8));
    quartic_adamw(graph, quartic_slice(graph, w, 0, 0, 4), quartic_range(graph, 4, 0, 1),
                  quartic_slice(graph, w, 0, 2, 4), s, hyper, none, 1.0f);
    assert_int_equal(quartic_graph_status(graph), QUARTIC_INVALID_ARGUMENT);
    quartic_graph_destroy(graph);
}

static void bindings_do_not_overlap(void **state) {
    (void)state;
    quartic_device *device = NULL;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    check_bindings(device);
    quartic_device_destroy(device);
}

static void a_graph_without_results_is_refused(void **state) {
    (void)state;
    quartic_device *device = NULL;
    quartic_program *program = NULL;
    quartic_program_memory memory;
    quartic_graph *graph = graph_updates_new_graph();
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    quartic_exp(graph, quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3)));
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "quartic_graph_output"));
    assert_null(program);
    assert_int_equal(quartic_program_measure(device, graph, NULL, &memory), QUARTIC_INVALID_ARGUMENT);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gradient_after_the_update_is_refused),
        cmocka_unit_test(gradients_before_updates_are_right),
        cmocka_unit_test(a_path_through_an_update_is_refused),
        cmocka_unit_test(reads_keep_their_place_among_updates),
        cmocka_unit_test(operands_over_what_is_updated_are_read_before),
        cmocka_unit_test(bindings_do_not_overlap),
        cmocka_unit_test(a_graph_without_results_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
