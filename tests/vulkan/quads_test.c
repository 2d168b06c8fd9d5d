/* quads_test.c: ops that move four elements by one access of 16 bytes compute the same as on the CPU wherever their
 * operands lie: in aligned quads, beside them, repeated, and with rows that are no multiple of four.
 */
#include "vulkan/vulkan_test.h"

#include "ops_fixture.h"

enum { MOST = 1 << 20 };

/* How the operand of an op lies: a view of an input of its own. */
typedef enum view {
    WHOLE,
    TURNED,    /* the last axis first */
    EXCHANGED, /* the first two axes */
    CUT,       /* the last axis from 4 on: quads stay aligned */
    SHIFTED,   /* the last axis from 1 on */
    REPEATED,  /* along a new last axis */
    VIEWS
} view;

static quartic_value quads_view(fixture *r, view which, quartic_shape shape) {
    static const uint32_t turned[] = {2, 0, 1}, exchanged[] = {1, 0, 2};
    quartic_value x = fixture_input(r, shape);
    switch (which) {
    case TURNED:
        return quartic_permute(r->graph, x, turned);
    case EXCHANGED:
        return quartic_permute(r->graph, x, exchanged);
    case CUT:
        return quartic_slice(r->graph, x, 2, 4, shape.dims[2] - 4);
    case SHIFTED:
        return quartic_slice(r->graph, x, 2, 1, shape.dims[2] - 4);
    case REPEATED: {
        const quartic_shape row = {3, {shape.dims[0], shape.dims[1], 1}};
        return quartic_broadcast(r->graph, quartic_slice(r->graph, x, 2, 0, 1),
                                 &QUARTIC_SHAPE(row.dims[0], row.dims[1], 12));
    }
    default:
        return x;
    }
}

typedef quartic_value builder(fixture *r, quartic_value x);

static quartic_value build_copy(fixture *r, quartic_value x) {
    return quartic_copy(r->graph, x);
}
static quartic_value build_concat(fixture *r, quartic_value x) {
    const quartic_value parts[] = {x, x, x};
    return quartic_concat(r->graph, parts, 3, 2);
}
static quartic_value build_pad_first(fixture *r, quartic_value x) {
    return quartic_pad(r->graph, x, 0, 3, quartic_graph_shape(r->graph, x).dims[0] + 5);
}
static quartic_value build_pad_last(fixture *r, quartic_value x) {
    return quartic_pad(r->graph, x, 2, 4, quartic_graph_shape(r->graph, x).dims[2] + 8);
}
static quartic_value build_pad_odd(fixture *r, quartic_value x) {
    return quartic_pad(r->graph, x, 2, 1, quartic_graph_shape(r->graph, x).dims[2] + 4);
}
static quartic_value build_sum_first(fixture *r, quartic_value x) {
    return quartic_sum(r->graph, x, 1, 0);
}
static quartic_value build_sum_middle(fixture *r, quartic_value x) {
    return quartic_sum(r->graph, x, 2, 1);
}
static quartic_value build_sum_outer(fixture *r, quartic_value x) {
    return quartic_sum(r->graph, x, 5, 0);
}

static const struct {
    const char *name;
    builder *build;
    double bound; /* 0: the same bits */
} ops[] = {{"copy", build_copy, 0},
           {"concat", build_concat, 0},
           {"pad of the first axis", build_pad_first, 0},
           {"pad of the last axis by fours", build_pad_last, 0},
           {"pad of the last axis by one", build_pad_odd, 0},
           {"sum over the first axis", build_sum_first, 1e-4},
           {"sum over the middle axis", build_sum_middle, 1e-4},
           {"sum over two axes", build_sum_outer, 1e-3}};

/* The results of an op over every view, one after the other, on a device; returns how many numbers they are. */
static size_t quads_run(size_t op, quartic_shape shape, const char *device, float *out) {
    fixture r = fixture_begin();
    quartic_value parts[VIEWS];
    size_t all = 0;
    for (uint32_t which = 0; which < VIEWS; ++which) {
        const quartic_value result = ops[op].build(&r, quads_view(&r, (view)which, shape));
        const quartic_shape got = quartic_graph_shape(r.graph, result);
        uint32_t elements = 1;
        for (uint32_t axis = 0; axis < got.rank; ++axis) elements *= got.dims[axis];
        parts[which] = quartic_reshape(r.graph, result, &QUARTIC_SHAPE(elements));
        all += elements;
    }
    assert_true(all <= MOST);
    fixture_run(&r, device, quartic_concat(r.graph, parts, VIEWS, 0), out);
    fixture_end(&r);
    return all;
}

static void every_view_gives_the_same(void **state) {
    (void)state;
    static const quartic_shape shapes[] = {{3, {36, 5, 64}}, {3, {12, 40, 8}}, {3, {33, 34, 35}}};
    static float want[MOST], got[MOST];
    for (size_t op = 0; op < sizeof ops / sizeof ops[0]; ++op)
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; ++s) {
            const size_t count = quads_run(op, shapes[s], "cpu", want);
            assert_int_equal(quads_run(op, shapes[s], vulkan_test_name(), got), count);
            for (size_t k = 0; k < count; ++k)
                if (!(fabs((double)got[k] - (double)want[k]) <= ops[op].bound))
                    fail_msg("%s, shape %zu: number %zu is %.9g, not %.9g", ops[op].name, s, k,
                             (double)got[k], (double)want[k]);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_view_gives_the_same)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
