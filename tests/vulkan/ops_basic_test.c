/* ops_basic_test.c: what `quartic validate` does not reach of the basic ops on Vulkan: indices beyond a
 * table, a grid of more than 65535 workgroups, functions far out.
 */
#include "vulkan/vulkan_test.h"

#include "ops_fixture.h"

static const char *device_name(void) {
    const char *name = getenv("QUARTIC_DEVICE");
    return name != NULL && name[0] != 0 ? name : "vulkan";
}

/* graph.h: an index of V or more gives zeros on Vulkan, as a negative one does; neither adds to a row. */
static void indices_beyond_the_table_touch_nothing(void **state) {
    (void)state;
    enum { V = 4, D = 3, T = 5 };
    static const int32_t indices[T] = {V, 1, INT32_MAX, INT32_MIN, 1};
    for (int pass = 0; pass < 2; ++pass) { /* forward, gradient */
        float got[T * D];
        fixture r = fixture_begin();
        quartic_value table = fixture_input(&r, QUARTIC_SHAPE(V, D)),
                      t = fixture_indices(&r, QUARTIC_SHAPE(T), 0, V);
        quartic_value g = fixture_input(&r, QUARTIC_SHAPE(T, D)), wrt;
        memcpy(r.data[1], indices, sizeof indices);
        quartic_value out = quartic_embedding(r.graph, table, t);
        assert_ok(quartic_graph_gradients(r.graph, out, g, &table, 1, &wrt));
        const float *rows = r.data[0], *cotangent = r.data[2];
        fixture_run(&r, device_name(), pass == 0 ? out : wrt, got);
        for (size_t k = 0; pass == 0 && k < T * D; ++k)
            assert_true(got[k] == (indices[k / D] == 1 ? rows[D + k % D] : 0.0f));
        for (size_t k = 0; pass == 1 && k < V * D; ++k)
            expect_close((double)got[k],
                         k / D == 1 ? (double)cotangent[D + k % D] + (double)cotangent[4 * D + k % D] : 0,
                         1e-6, "dtable", k);
        fixture_end(&r);
    }
}

/* 800000 rows in groups of at most 12: the grid continues along y. */
static void a_grid_continues_along_its_second_axis(void **state) {
    (void)state;
    enum { V = 800000, T = 3 };
    static float got[V];
    static const int32_t indices[T] = {0, V - 1, V - 1};
    fixture r = fixture_begin();
    quartic_value table = fixture_input(&r, QUARTIC_SHAPE(V, 1)),
                  t = fixture_indices(&r, QUARTIC_SHAPE(T), 0, V);
    quartic_value g = fixture_input(&r, QUARTIC_SHAPE(T, 1)), wrt;
    memcpy(r.data[1], indices, sizeof indices);
    assert_ok(quartic_graph_gradients(r.graph, quartic_embedding(r.graph, table, t), g, &table, 1, &wrt));
    const float *cotangent = r.data[2];
    fixture_run(&r, device_name(), wrt, got);
    assert_true(got[0] == cotangent[0]);
    for (size_t v = 1; v < V - 1; ++v) assert_true(got[v] == 0.0f);
    expect_close((double)got[V - 1], (double)cotangent[1] + (double)cotangent[2], 1e-6, "last row", V - 1);
    fixture_end(&r);
}

static void functions_are_flat_far_out(void **state) {
    (void)state;
    static const struct {
        quartic_value (*build)(quartic_graph *graph, quartic_value x);
        float low, high; /* at -200 and 200 */
    } cases[] = {{quartic_tanh, -1, 1},
                 {quartic_sigmoid, 0, 1},
                 {quartic_gelu, 0, 200},
                 {quartic_silu, 0, 200},
                 {quartic_relu, 0, 200}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        float got[2];
        fixture r = fixture_begin();
        quartic_value x = fixture_input(&r, QUARTIC_SHAPE(2));
        memcpy(r.data[0], (const float[]){-200, 200}, sizeof got);
        fixture_run(&r, device_name(), cases[k].build(r.graph, x), got);
        expect_close((double)got[0], (double)cases[k].low, 1e-6, "at -200", k);
        expect_close((double)got[1], (double)cases[k].high, 1e-4, "at 200", k);
        fixture_end(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_beyond_the_table_touch_nothing),
        cmocka_unit_test(a_grid_continues_along_its_second_axis),
        cmocka_unit_test(functions_are_flat_far_out),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
