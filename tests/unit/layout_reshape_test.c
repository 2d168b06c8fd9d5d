/* layout_reshape_test.c: a strided layout seen with another shape, against the positions of its elements; and
 * copies that operands share. */
#include "expect.h"

#include "base/rng.h"
#include "graph/access.h"
#include "tensor/layout.h"

/* Draws a shape of so many elements. */
static quartic_shape draw_shape(uint64_t *inout_draw, uint32_t elements) {
    quartic_shape shape = {0};
    for (uint32_t left = elements; shape.rank < QUARTIC_MAX_RANK - 1 && (left > 1 || shape.rank == 0);) {
        uint32_t extent = 1 + (uint32_t)(quartic_random_bits(5, 0, (*inout_draw)++) % left);
        while (left % extent != 0) --extent;
        shape.dims[shape.rank++] = extent;
        left /= extent;
        if (shape.rank == QUARTIC_MAX_RANK - 1) shape.dims[shape.rank - 1] *= left;
    }
    return shape;
}

static void reshaped_layouts_show_the_same_elements(void **state) {
    (void)state;
    enum { DRAWS = 4000, ELEMENTS = 48 };
    uint64_t draw = 0;
    uint32_t viewed = 0, refused = 0;
    for (uint32_t k = 0; k < DRAWS; ++k) {
        const quartic_shape from = draw_shape(&draw, ELEMENTS), to = draw_shape(&draw, ELEMENTS);
        quartic_layout layout = quartic_layout_contiguous(QUARTIC_FLOAT32, &from), out;
        layout.offset = 7;
        /* Some axes are exchanged, spread or repeated. */
        const uint32_t a = (uint32_t)(quartic_random_bits(5, 1, k) % from.rank),
                       b = (uint32_t)(quartic_random_bits(5, 2, k) % from.rank);
        const uint32_t change = (uint32_t)(quartic_random_bits(5, 3, k) % 4);
        if (change == 1) {
            const uint32_t extent = layout.shape.dims[a];
            const int64_t stride = layout.strides[a];
            layout.shape.dims[a] = layout.shape.dims[b];
            layout.strides[a] = layout.strides[b];
            layout.shape.dims[b] = extent;
            layout.strides[b] = stride;
        } else if (change == 2) {
            for (uint32_t axis = 0; axis <= a; ++axis) layout.strides[axis] *= 3;
        } else if (change == 3) {
            layout.strides[a] = 0;
        }
        if (!quartic_layout_reshape(&layout, &to, &out)) {
            ++refused;
            assert_false(quartic_layout_is_contiguous(&layout));
            continue;
        }
        ++viewed;
        assert_true(quartic_shape_equal(&out.shape, &to));
        for (uint64_t i = 0; i < ELEMENTS; ++i)
            assert_int_equal(quartic_layout_at(&out, i), quartic_layout_at(&layout, i));
    }
    assert_true(viewed > DRAWS / 4 && refused > DRAWS / 20);
}

/* What a matrix that lies turned can be seen as, and what not. */
static void refused_shapes_have_no_strides(void **state) {
    (void)state;
    const quartic_shape from = {2, {4, 6}};
    quartic_layout turned = quartic_layout_contiguous(QUARTIC_FLOAT32, &from), out;
    turned.shape = QUARTIC_SHAPE(6, 4);
    turned.strides[0] = 1;
    turned.strides[1] = 6;
    static const struct {
        quartic_shape to;
        bool possible;
    } table[] = {
        {{1, {24}}, false},       {{2, {4, 6}}, false},      {{2, {12, 2}}, false},
        {{3, {6, 2, 2}}, true},   {{4, {2, 3, 1, 4}}, true}, {{3, {1, 6, 4}}, true},
        {{2, {3, 8}}, false},     {{4, {6, 1, 4, 1}}, true}, {{5, {3, 2, 2, 1, 2}}, true},
        {{3, {2, 12, 1}}, false},
    };
    for (size_t k = 0; k < sizeof table / sizeof table[0]; ++k) {
        const bool possible = quartic_layout_reshape(&turned, &table[k].to, &out);
        assert_int_equal(possible, table[k].possible);
        for (uint64_t i = 0; possible && i < 24; ++i)
            assert_int_equal(quartic_layout_at(&out, i), quartic_layout_at(&turned, i));
    }
}

static uint32_t count_ops(const quartic_graph *graph, const char *name) {
    uint32_t count = 0;
    for (uint32_t n = 0; n < quartic_graph_node_count(graph); ++n)
        count += strcmp(quartic_graph_node(graph, n)->op->name, name) == 0;
    return count;
}

/* Two ops that need the same value contiguous share one copy; none does after an update, and none of those that
 * stay takes a copy that is computed again. */
static void operands_share_copies(void **state) {
    (void)state;
    const quartic_value none = {0};
    quartic_graph *graph = NULL;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    const quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 4));
    const quartic_value turned = quartic_permute(graph, x, (const uint32_t[]){1, 0});
    quartic_rms_norm(graph, turned, none, 1e-5f);
    quartic_rms_norm(graph, turned, none, 1e-3f);
    assert_int_equal(count_ops(graph, "copy"), 1);
    quartic_graph_destroy(graph);

    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    const quartic_value s = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 4));
    const quartic_value view = quartic_permute(graph, s, (const uint32_t[]){1, 0});
    quartic_rms_norm(graph, view, none, 1e-5f);
    quartic_assign(graph, s, quartic_scale(graph, s, 2.0f, 0.0f));
    quartic_rms_norm(graph, view, none, 1e-5f);
    assert_int_equal(count_ops(graph, "copy"), 2);
    quartic_graph_destroy(graph);

    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    const quartic_value y = quartic_graph_input(graph, "y", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 4));
    const quartic_value across = quartic_permute(graph, y, (const uint32_t[]){1, 0});
    quartic_graph_begin_recompute(graph);
    quartic_rms_norm(graph, across, none, 1e-5f);
    quartic_rms_norm(graph, across, none, 1e-3f);
    assert_int_equal(count_ops(graph, "copy"), 1);
    quartic_graph_end_recompute(graph);
    quartic_rms_norm(graph, across, none, 1e-5f);
    assert_int_equal(count_ops(graph, "copy"), 2);
    quartic_graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshaped_layouts_show_the_same_elements),
        cmocka_unit_test(refused_shapes_have_no_strides),
        cmocka_unit_test(operands_share_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
