/* graph_misuse_test.c: every graph builder with NULL, with values of another graph and of none, with shapes
 * of more axes than there are, and with extreme attributes: a status and a message, never a crash, never
 * INTERNAL. */
#include "expect.h"

#include <math.h>

#include "base/alloc.h"
#include "quartic/graph.h"
#include "tensor/layout.h"

static const quartic_value none = {0};

/* Operands that fit each builder; v[k] is its k-th value operand. */
typedef struct builder {
    const char *name;
    uint32_t operands;
    quartic_shape shapes[8];
    uint32_t integers; /* bit k: operand k is int32 */
    uint32_t states;   /* bit k: operand k is a state */
    uint32_t optional; /* bit k: operand k may be left out */
    quartic_value (*build)(quartic_graph *graph, const quartic_value *v);
} builder;

#define BUILD(name, expression)                                                                              \
    static quartic_value build_##name(quartic_graph *g, const quartic_value *v) {                            \
        (void)v;                                                                                             \
        return expression;                                                                                   \
    }
#define UNARY_BUILD(name) BUILD(name, quartic_##name(g, v[0]))
QUARTIC_UNARY_LIST(UNARY_BUILD)
#define BINARY_BUILD(name) BUILD(name, quartic_##name(g, v[0], v[1]))
QUARTIC_BINARY_LIST(BINARY_BUILD)
BUILD(reshape, quartic_reshape(g, v[0], &QUARTIC_SHAPE(3, 2)))
BUILD(permute, quartic_permute(g, v[0], (const uint32_t[QUARTIC_MAX_RANK]){1, 0, 2, 3, 4, 5}))
BUILD(slice, quartic_slice(g, v[0], 1, 1, 2))
BUILD(broadcast, quartic_broadcast(g, v[0], &QUARTIC_SHAPE(4, 2, 3)))
BUILD(diagonal, quartic_diagonal(g, v[0], 0))
BUILD(copy, quartic_copy(g, v[0]))
BUILD(concat, quartic_concat(g, v, 2, 0))
BUILD(pad, quartic_pad(g, v[0], 1, 1, 9))
BUILD(diagonal_add, quartic_diagonal_add(g, v[0], v[1]))
BUILD(embedding, quartic_embedding(g, v[0], v[1]))
BUILD(relative_bias, quartic_relative_bias(g, v[0]))
BUILD(range, quartic_range(g, 3, 0, 1))
BUILD(scale, quartic_scale(g, v[0], 2, 1))
BUILD(multiply_add_loop, quartic_multiply_add_loop(g, v[0], 0.5f, 1, 3))
BUILD(sum, quartic_sum(g, v[0], 1, 0))
BUILD(sum_of_nothing, quartic_sum(g, v[0], 0, 0))
BUILD(dropout, quartic_dropout(g, v[0], v[1], 0.5f, 0))
BUILD(dropout_of_nothing, quartic_dropout(g, v[0], v[1], 0.0f, 0))
BUILD(linear, quartic_linear(g, v[0], v[1], v[2]))
BUILD(linear_row, quartic_linear(g, v[0], v[1], v[2]))
BUILD(rms_norm, quartic_rms_norm(g, v[0], v[1], 1e-5f))
BUILD(l2_norm, quartic_l2_norm(g, v[0], v[1], 1))
BUILD(layer_norm, quartic_layer_norm(g, v[0], v[1], v[2], 1e-5f))
BUILD(gated_linear, quartic_gated_linear(g, v[0], v[1], v[2], v[3]))
BUILD(gelu_linear, quartic_gelu_linear(g, v[0], v[1], v[2]))
BUILD(softmax, quartic_softmax(g, v[0], v[1], 1))
BUILD(edge_keep, quartic_edge_keep(g, v[0], v[1], QUARTIC_EDGES_LOWER))
BUILD(edge_keep_all, quartic_edge_keep(g, v[0], v[1], QUARTIC_EDGES_ALL))
BUILD(relational_values, quartic_relational_values(g, v[0], v[1], v[2], v[3]))
BUILD(top_k, quartic_top_k(g, v[0], v[1], 2))
BUILD(gather_rows, quartic_gather_rows(g, v[0], v[1]))
BUILD(scatter_add_rows, quartic_scatter_add_rows(g, v[0], v[1], v[2]))
BUILD(straight_through, quartic_straight_through(g, v[0]))
BUILD(stream_exchange, quartic_stream_exchange(g, v[0], v[1]))
BUILD(stream_feedforward, quartic_stream_feedforward(g, v[0], v[1], v[2], v[3], 1e-5f))
BUILD(cross_entropy, quartic_cross_entropy(g, v[0], v[1]))
BUILD(diversity_loss, quartic_diversity_loss(g, v[0], 2))
BUILD(sum_squares, quartic_sum_squares(g, v[0]))
BUILD(accumulate, quartic_accumulate(g, v[0], v[1], 1))
BUILD(fill, quartic_fill(g, v[0], 1))

static quartic_value build_matmul(quartic_graph *g, const quartic_value *v) {
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.bias = v[2];
    options.addend = v[3];
    return quartic_matmul(g, v[0], v[1], &options);
}
static quartic_value build_norm_linear(quartic_graph *g, const quartic_value *v) {
    const quartic_norm_linear_options options = {.eps = 1e-5f, .alpha = 1};
    quartic_value products[2] = {{.id = 9}, {.id = 9}};
    quartic_norm_linear(g, v[0], v[1], v + 2, 2, &options, products);
    return products[1];
}
static quartic_value build_taylor(quartic_graph *g, const quartic_value *v) {
    const quartic_taylor_options options = {.axis = 2};
    return quartic_taylor_attention(g, v[0], v[1], v[2], v[3], &options);
}
static quartic_value build_triangle(quartic_graph *g, const quartic_value *v) {
    const quartic_triangle_options options = {.kind = QUARTIC_TRIANGLE_START, .scale = 1};
    return quartic_triangle_attention(g, v[0], v[1], v[2], none, v[3], v[4], &options);
}
static quartic_value build_triple(quartic_graph *g, const quartic_value *v) {
    const quartic_triple_options options = {.scale = 1};
    return quartic_triple_attention(g, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], &options);
}
static quartic_value build_relational(quartic_graph *g, const quartic_value *v) {
    const quartic_relational_options options = {.scale = 1};
    return quartic_relational_scores(g, v[0], v[1], v[2], v[3], v[4], &options);
}
static quartic_value build_edge_softmax(quartic_graph *g, const quartic_value *v) {
    const quartic_edge_softmax_options options = {.nodes = 3};
    return quartic_edge_softmax_attention(g, v[0], v[1], v[2], v[3], v[4], &options);
}
static quartic_value build_pair_mask(quartic_graph *g, const quartic_value *v) {
    const quartic_pair_mask_options options = {.causal = 1, .batch = 2, .nodes = 3};
    return quartic_pair_mask(g, v[0], &options);
}
static quartic_value build_descent(quartic_graph *g, const quartic_value *v) {
    const quartic_coordinate_descent_options options = QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT;
    return quartic_coordinate_descent(g, v[0], v[1], &options);
}
static quartic_value build_adamw(quartic_graph *g, const quartic_value *v) {
    quartic_adamw(g, v[0], v[1], v[2], v[3], v[4], v[5], 1);
    return v[0];
}

#define S1(a)                                                                                                \
    {                                                                                                        \
        1, {                                                                                                 \
            a                                                                                                \
        }                                                                                                    \
    }
#define S2(a, b)                                                                                             \
    {                                                                                                        \
        2, {                                                                                                 \
            a, b                                                                                             \
        }                                                                                                    \
    }
#define S3(a, b, c)                                                                                          \
    {                                                                                                        \
        3, {                                                                                                 \
            a, b, c                                                                                          \
        }                                                                                                    \
    }
#define S4(a, b, c, d)                                                                                       \
    {                                                                                                        \
        4, {                                                                                                 \
            a, b, c, d                                                                                       \
        }                                                                                                    \
    }
#define S5(a, b, c, d, e)                                                                                    \
    {                                                                                                        \
        5, {                                                                                                 \
            a, b, c, d, e                                                                                    \
        }                                                                                                    \
    }
#define SIMPLE_UNARY(name)  {#name, 1, {S2(2, 3)}, 0, 0, 0, build_##name},
#define SIMPLE_BINARY(name) {#name, 2, {S2(2, 3), S1(3)}, 0, 0, 0, build_##name},

static const builder builders[] = {
    QUARTIC_UNARY_LIST(SIMPLE_UNARY)
        QUARTIC_BINARY_LIST(SIMPLE_BINARY){"reshape", 1, {S2(2, 3)}, 0, 0, 0, build_reshape},
    {"permute", 1, {S2(2, 3)}, 0, 0, 0, build_permute},
    {"slice", 1, {S2(2, 3)}, 0, 0, 0, build_slice},
    {"broadcast", 1, {S2(2, 3)}, 0, 0, 0, build_broadcast},
    {"diagonal", 1, {S2(3, 3)}, 0, 0, 0, build_diagonal},
    {"copy", 1, {S2(2, 3)}, 0, 0, 0, build_copy},
    {"concat", 2, {S2(2, 3), S2(1, 3)}, 0, 0, 0, build_concat},
    {"pad", 1, {S2(2, 3)}, 0, 0, 0, build_pad},
    {"diagonal_add", 2, {S3(2, 2, 3), S2(2, 3)}, 0, 0, 0, build_diagonal_add},
    {"embedding", 2, {S2(5, 3), S2(2, 4)}, 2, 0, 0, build_embedding},
    {"relative_bias", 1, {S2(5, 2)}, 0, 0, 0, build_relative_bias},
    {"range", 0, {{0, {0}}}, 0, 0, 0, build_range},
    {"scale", 1, {S2(2, 3)}, 0, 0, 0, build_scale},
    {"multiply_add_loop", 1, {S2(2, 3)}, 0, 0, 0, build_multiply_add_loop},
    {"sum", 1, {S2(2, 3)}, 0, 0, 0, build_sum},
    {"sum over no axis", 1, {S2(2, 3)}, 0, 0, 0, build_sum_of_nothing},
    {"dropout", 2, {S2(2, 3), S1(2)}, 2, 0, 0, build_dropout},
    {"dropout of probability 0", 2, {S2(2, 3), S1(2)}, 2, 0, 2, build_dropout_of_nothing},
    {"matmul", 4, {S2(2, 3), S2(3, 4), S1(4), S2(2, 4)}, 0, 0, 12, build_matmul},
    {"linear", 3, {S2(2, 3), S2(4, 3), S1(4)}, 0, 0, 4, build_linear},
    {"linear of one row", 3, {S1(3), S2(4, 3), S1(4)}, 0, 0, 4, build_linear_row},
    {"rms_norm", 2, {S2(2, 3), S1(3)}, 0, 0, 2, build_rms_norm},
    {"l2_norm", 2, {S2(2, 3), S1(3)}, 0, 0, 0, build_l2_norm},
    {"layer_norm", 3, {S2(2, 3), S1(3), S1(3)}, 0, 0, 0, build_layer_norm},
    {"norm_linear", 4, {S2(2, 3), S1(3), S2(4, 3), S2(5, 3)}, 0, 0, 2, build_norm_linear},
    {"gated_linear", 4, {S2(2, 4), S2(2, 2), S2(3, 4), S2(2, 3)}, 0, 0, 8, build_gated_linear},
    {"gelu_linear", 3, {S2(2, 4), S2(3, 4), S2(2, 3)}, 0, 0, 4, build_gelu_linear},
    {"softmax", 2, {S4(2, 1, 3, 3), S2(2, 3)}, 2, 0, 2, build_softmax},
    {"taylor_attention",
     4,
     {S5(1, 1, 3, 1, 2), S5(1, 1, 3, 1, 2), S5(1, 1, 3, 1, 2), S3(1, 1, 3)},
     8,
     0,
     8,
     build_taylor},
    {"triangle_attention",
     5,
     {S5(1, 3, 3, 1, 2), S5(1, 3, 3, 1, 2), S5(1, 3, 3, 1, 2), S4(1, 3, 3, 1), S2(1, 3)},
     16,
     0,
     24,
     build_triangle},
    {"triple_attention",
     8,
     {S5(1, 3, 3, 1, 2), S5(1, 3, 3, 1, 2), S5(1, 3, 3, 1, 2), S5(1, 3, 3, 1, 2), S5(1, 3, 3, 1, 2),
      S5(1, 3, 3, 1, 2), S4(1, 3, 3, 1), S2(1, 3)},
     128,
     0,
     128,
     build_triple},
    {"edge_keep", 2, {S4(1, 3, 3, 2), S2(1, 3)}, 2, 0, 2, build_edge_keep},
    {"edge_keep, all", 2, {S4(1, 3, 3, 2), S2(1, 3)}, 2, 0, 2, build_edge_keep_all},
    {"relational_scores",
     5,
     {S4(1, 3, 2, 2), S4(1, 3, 2, 2), S4(1, 3, 3, 2), S3(2, 2, 2), S3(2, 2, 2)},
     0,
     0,
     0,
     build_relational},
    {"relational_values",
     4,
     {S4(1, 2, 3, 3), S4(1, 3, 2, 2), S4(1, 3, 3, 2), S3(2, 2, 2)},
     0,
     0,
     0,
     build_relational_values},
    {"edge_softmax_attention",
     5,
     {S4(1, 4, 1, 2), S4(1, 4, 1, 2), S4(1, 4, 1, 2), S2(1, 4), S2(1, 3)},
     24,
     0,
     16,
     build_edge_softmax},
    {"pair_mask", 1, {S2(2, 3)}, 1, 0, 1, build_pair_mask},
    {"coordinate_descent", 2, {S2(2, 4), S2(2, 4)}, 2, 0, 2, build_descent},
    {"top_k", 2, {S2(2, 4), S2(2, 4)}, 2, 0, 2, build_top_k},
    {"gather_rows", 2, {S3(1, 4, 2), S2(1, 3)}, 2, 0, 0, build_gather_rows},
    {"scatter_add_rows", 3, {S3(1, 4, 2), S3(1, 3, 2), S2(1, 3)}, 4, 0, 0, build_scatter_add_rows},
    {"straight_through", 1, {S2(2, 3)}, 0, 0, 0, build_straight_through},
    {"stream_exchange", 2, {S3(1, 2, 3), S2(2, 2)}, 0, 0, 0, build_stream_exchange},
    {"stream_feedforward", 4, {S3(1, 2, 3), S1(2), S2(4, 2), S2(2, 4)}, 0, 0, 0, build_stream_feedforward},
    {"cross_entropy", 2, {S2(2, 3), S1(2)}, 2, 0, 0, build_cross_entropy},
    {"diversity_loss", 1, {S4(1, 4, 2, 2)}, 0, 0, 0, build_diversity_loss},
    {"sum_squares", 1, {S2(2, 3)}, 0, 0, 0, build_sum_squares},
    {"accumulate", 2, {S1(3), S1(3)}, 0, 1, 0, build_accumulate},
    {"fill", 1, {S1(3)}, 0, 1, 0, build_fill},
    {"adamw", 6, {S1(3), S1(3), S1(3), S1(3), S1(8), {0, {0}}}, 0, 13, 32, build_adamw},
};
enum { BUILDERS = sizeof builders / sizeof builders[0] };

static quartic_graph *graph_misuse_new_graph(void) {
    quartic_graph *graph = NULL;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    return graph;
}

static void declare(quartic_graph *graph, const builder *b, quartic_value v[8]) {
    for (uint32_t k = 0; k < b->operands; ++k) {
        char name[16];
        snprintf(name, sizeof name, "v%u", k);
        const quartic_dtype dtype = b->integers >> k & 1u ? QUARTIC_INT32 : QUARTIC_FLOAT32;
        v[k] = b->states >> k & 1u ? quartic_graph_state(graph, name, dtype, &b->shapes[k])
                                   : quartic_graph_input(graph, name, dtype, &b->shapes[k]);
    }
}

static void graph_misuse_expect_refused(quartic_graph *graph, const char *name, const char *words) {
    const quartic_status status = quartic_graph_status(graph);
    if (status != QUARTIC_INVALID_ARGUMENT && status != QUARTIC_SHAPE_MISMATCH &&
        status != QUARTIC_UNSUPPORTED)
        fail_msg("%s: %s, %s", name, quartic_status_name(status), quartic_error_message());
    if (words != NULL && strstr(quartic_error_message(), words) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", name, words, quartic_error_message());
}

/* The operands fit; each foreign, missing where it may not be, or of no id that exists; and no graph. */
static void builders_refuse_foreign_and_missing_values(void **state) {
    (void)state;
    for (size_t n = 0; n < BUILDERS; ++n) {
        const builder *b = &builders[n];
        quartic_graph *graph = graph_misuse_new_graph();
        quartic_value v[8] = {{0, 0}}, used[8];
        declare(graph, b, v);
        if (b->build(graph, v).id == 0)
            fail_msg("%s: %s", b->name, (quartic_graph_status(graph), quartic_error_message()));
        quartic_graph_destroy(graph);
        for (uint32_t k = 0; k < b->operands; ++k)
            for (int how = 0; how < 4; ++how) {
                quartic_graph *other = graph_misuse_new_graph();
                quartic_value theirs[8];
                graph = graph_misuse_new_graph();
                declare(graph, b, v);
                declare(other, b, theirs);
                memcpy(used, v, sizeof used);
                if (how == 0) used[k] = theirs[k]; /* the same id, of the same shape, but of another graph */
                if (how == 1) used[k] = (quartic_value){.id = v[k].id};
                if (how == 2) used[k].id = 12345;
                if (how == 3) used[k] = none;
                b->build(graph, used);
                if (how != 3 || !(b->optional >> k & 1u))
                    graph_misuse_expect_refused(graph, b->name, how == 0 ? "another graph" : NULL);
                if (how < 3) assert_int_equal(quartic_graph_status(graph), QUARTIC_INVALID_ARGUMENT);
                quartic_graph_destroy(graph);
                quartic_graph_destroy(other);
            }
        quartic_value result = b->build(NULL, v);
        if (strcmp(b->name, "adamw") != 0) assert_int_equal(result.id, 0);
        assert_non_null(strstr(quartic_error_message(), "NULL"));
    }
}

/* Operands of another rank, of extent 1, and int32 for float32: a status, whichever; never INTERNAL. */
static void builders_look_at_ranks_first(void **state) {
    (void)state;
    static const quartic_shape odd[] = {
        {0, {0}}, {1, {1}}, {6, {1, 1, 1, 1, 1, 1}}, {1, {2147483647}}, {3, {1, 46340, 46340}}, {2, {1, 7}}};
    for (size_t n = 0; n < BUILDERS; ++n)
        for (uint32_t k = 0; k < builders[n].operands; ++k)
            for (size_t s = 0; s < sizeof odd / sizeof odd[0]; ++s)
                for (int integer = 0; integer < 2; ++integer) {
                    quartic_graph *graph = graph_misuse_new_graph();
                    quartic_value v[8] = {{0, 0}};
                    declare(graph, &builders[n], v);
                    v[k] =
                        quartic_graph_state(graph, "odd", integer ? QUARTIC_INT32 : QUARTIC_FLOAT32, &odd[s]);
                    builders[n].build(graph, v);
                    if (quartic_graph_status(graph) == QUARTIC_INTERNAL)
                        fail_msg("%s: %s", builders[n].name, quartic_error_message());
                    quartic_graph_destroy(graph);
                }
}

static void shapes_beyond_the_most_axes_are_refused(void **state) {
    (void)state;
    static const uint32_t ranks[] = {7, 8, 100, UINT32_MAX};
    for (size_t r = 0; r < sizeof ranks / sizeof ranks[0]; ++r) {
        const quartic_shape shape = {ranks[r], {1, 1, 1, 1, 1, 1}};
        for (int which = 0; which < 5; ++which) {
            quartic_graph *graph = graph_misuse_new_graph();
            quartic_value x =
                which < 3 ? none : quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1));
            if (which == 0) x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
            if (which == 1) x = quartic_graph_parameter(graph, "x", &shape);
            if (which == 2) x = quartic_graph_state(graph, "x", QUARTIC_INT32, &shape);
            if (which == 3) x = quartic_reshape(graph, x, &shape);
            if (which == 4) x = quartic_broadcast(graph, x, &shape);
            assert_int_equal(x.id, 0);
            assert_int_equal(quartic_graph_status(graph), QUARTIC_INVALID_ARGUMENT);
            assert_non_null(strstr(quartic_error_message(), " axes"));
            quartic_graph_destroy(graph);
        }
        char text[QUARTIC_SHAPE_TEXT];
        assert_true(quartic_shape_elements(&shape) == 0);
        assert_int_equal(strncmp(quartic_shape_text(&shape, text), "of ", 3), 0);
        const quartic_layout layout = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
        assert_int_equal(layout.shape.rank, shape.rank);
    }
}

static void huge_extents_do_not_wrap_round(void **state) {
    (void)state;
    const quartic_shape huge = {6, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    const quartic_shape empty = {4, {UINT32_MAX, UINT32_MAX, UINT32_MAX, 0}};
    assert_true(quartic_shape_elements(&huge) == UINT64_MAX);
    assert_true(quartic_shape_elements(&empty) == 0);
    const quartic_layout layout = quartic_layout_contiguous(QUARTIC_FLOAT32, &huge);
    for (uint32_t a = 0; a < 6; ++a) assert_true(layout.strides[a] > 0);
    int64_t begin, end;
    quartic_layout_extent(&layout, &begin, &end);
    assert_true(begin == 0 && end == INT64_MAX);
    /* 2^16 x 2^16 x 2^32 is 0 where 64 bits wrap round. */
    const quartic_shape wraps = {3, {65536, 65536, UINT32_MAX}}, *const shapes[] = {&huge, &wraps};
    for (size_t s = 0; s < 2; ++s)
        for (int which = 0; which < 3; ++which) {
            quartic_graph *graph = graph_misuse_new_graph();
            quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1));
            if (which == 0) quartic_graph_state(graph, "y", QUARTIC_FLOAT32, shapes[s]);
            if (which == 1) quartic_reshape(graph, x, shapes[s]);
            if (which == 2) quartic_broadcast(graph, x, shapes[s]);
            graph_misuse_expect_refused(graph, "a huge shape", NULL);
            quartic_graph_destroy(graph);
        }
}

static void extreme_attributes_are_refused(void **state) {
    (void)state;
    static const uint32_t far[] = {3, 6, 31, 32, 33, 64, UINT32_MAX};
    const float nan = NAN;
    for (int which = 0; which < 24; ++which)
        for (size_t f = 0; f < sizeof far / sizeof far[0]; ++f) {
            const uint32_t axis = far[f];
            quartic_graph *graph = graph_misuse_new_graph();
            quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3, 3)),
                          y = quartic_graph_input(graph, "y", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1, 3, 3, 1, 2)),
                          s = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3));
            const quartic_value parts[] = {x, x, x, x, x, x, x, x, x, x, x, x, x, x};
            quartic_matmul_options matmul = QUARTIC_MATMUL_OPTIONS_INIT;
            quartic_norm_linear_options linear = {.eps = 1e-5f};
            quartic_triangle_options triangle = {.kind = QUARTIC_TRIANGLE_START};
            quartic_taylor_options taylor = {.axis = axis};
            quartic_relational_options relational = {0};
            quartic_coordinate_descent_options descent = {0};
            quartic_edge_softmax_options edges = {.nodes = axis};
            quartic_value out[20];
            const bool once = f == 0;
            switch (which) {
            case 0:
                quartic_slice(graph, x, axis, 0, 1);
                break;
            case 1:
                quartic_slice(graph, x, 0, axis, UINT32_MAX);
                break;
            case 2:
                quartic_slice(graph, x, 0, 1, axis);
                break;
            case 3:
                quartic_permute(graph, x, (const uint32_t[]){0, 1, axis});
                break;
            case 4:
                quartic_permute(graph, x, (const uint32_t[]){0, 1, 1});
                break;
            case 5:
                quartic_diagonal(graph, x, axis);
                break;
            case 6:
                quartic_concat(graph, parts, 2, axis);
                break;
            case 7:
                quartic_concat(graph, parts, f % 2 == 0 ? 0 : 9 + (uint32_t)f, 0);
                break;
            case 8:
                quartic_pad(graph, x, axis, 0, 4);
                break;
            case 9:
                quartic_pad(graph, x, 0, UINT32_MAX - 1, UINT32_MAX);
                break;
            case 10:
                quartic_pad(graph, x, 0, 0, UINT32_MAX);
                break;
            case 11:
                if (axis < 32)
                    quartic_sum(graph, x, 1u << axis, 0);
                else
                    quartic_sum(graph, x, UINT32_MAX, 0);
                break;
            case 12:
                quartic_range(graph, once ? 0 : UINT32_MAX, 0, 1);
                break;
            case 13:
                quartic_dropout(graph, x, x, once ? nan : 1.5f, 0);
                break;
            case 14:
                matmul.alpha = once ? nan : 0.0f;
                quartic_matmul(graph, x, x, &matmul);
                break;
            case 15:
                linear.alpha = once ? nan : 0.0f;
                quartic_norm_linear(graph, x, s, parts, 1, &linear, out);
                break;
            case 16:
                triangle.scale = once ? nan : 0.0f;
                quartic_triangle_attention(graph, y, y, y, none, none, none, &triangle);
                break;
            case 17:
                quartic_taylor_attention(graph, y, y, y, none, &taylor);
                break;
            case 18:
                quartic_relational_scores(graph, x, x, x, x, x, &relational);
                break;
            case 19:
                quartic_coordinate_descent(graph, x, none, &descent);
                break;
            case 20:
                quartic_edge_softmax_attention(graph, y, y, y, none, none, &edges);
                break;
            case 21:
                quartic_fill(graph, quartic_graph_state(graph, "i", QUARTIC_INT32, &QUARTIC_SHAPE(1)),
                             once ? nan : 0.5f);
                break;
            case 22:
                quartic_top_k(graph, quartic_reshape(graph, x, &QUARTIC_SHAPE(2, 9)), none, once ? 0 : 10);
                break;
            default:
                quartic_edge_keep(graph, y, none, (quartic_edge_part)(3 + f));
                break;
            }
            char words[64];
            snprintf(words, sizeof words, "case %d with %u", which, axis);
            graph_misuse_expect_refused(graph, words, NULL);
            quartic_graph_destroy(graph);
        }
}

#define EXPECT_NULL_REFUSED(call, argument)                                                                  \
    do {                                                                                                     \
        quartic_graph *graph = graph_misuse_new_graph();                                                     \
        quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3));            \
        (void)x;                                                                                             \
        call;                                                                                                \
        assert_int_equal(quartic_graph_status(graph), QUARTIC_INVALID_ARGUMENT);                             \
        if (strstr(quartic_error_message(), argument) == NULL)                                               \
            fail_msg("\"%s\" is not in \"%s\"", argument, quartic_error_message());                          \
        quartic_graph_destroy(graph);                                                                        \
    } while (0)

static void null_arguments_are_refused(void **state) {
    (void)state;
    quartic_value out[2];
    const quartic_norm_linear_options linear = {.alpha = 1};
    /* NULL as options means the INIT macro's: api_options_test. */
    EXPECT_NULL_REFUSED(quartic_graph_input(graph, NULL, QUARTIC_FLOAT32, &QUARTIC_SHAPE(1)), "NULL");
    EXPECT_NULL_REFUSED(quartic_graph_input(graph, "y", QUARTIC_FLOAT32, NULL), "NULL");
    EXPECT_NULL_REFUSED(quartic_graph_input(graph, "y", QUARTIC_NO_DTYPE, &QUARTIC_SHAPE(1)),
                        "float32 or int32");
    EXPECT_NULL_REFUSED(quartic_graph_parameter(graph, "y", NULL), "NULL");
    EXPECT_NULL_REFUSED(quartic_graph_state(graph, NULL, QUARTIC_INT32, &QUARTIC_SHAPE(1)), "NULL");
    EXPECT_NULL_REFUSED(quartic_graph_output(graph, NULL, x), "NULL");
    EXPECT_NULL_REFUSED(quartic_graph_output(graph, "y", none), "no value");
    EXPECT_NULL_REFUSED(quartic_graph_push_scope(graph, NULL), "NULL");
    EXPECT_NULL_REFUSED(quartic_reshape(graph, x, NULL), "NULL");
    EXPECT_NULL_REFUSED(quartic_permute(graph, x, NULL), "NULL");
    EXPECT_NULL_REFUSED(quartic_broadcast(graph, x, NULL), "NULL");
    EXPECT_NULL_REFUSED(quartic_concat(graph, NULL, 2, 0), "NULL");
    EXPECT_NULL_REFUSED(quartic_concat(graph, (const quartic_value[9]){x, x, x, x, x, x, x, x, x}, 9, 0),
                        "concat takes 1 to 8 operands, not 9");
    EXPECT_NULL_REFUSED(quartic_concat(graph, &x, UINT32_MAX, 0), "4294967295 operands, more than it takes");
    EXPECT_NULL_REFUSED(quartic_norm_linear(graph, x, none, NULL, 1, &linear, out), "NULL");
    EXPECT_NULL_REFUSED(quartic_norm_linear(graph, x, none, &x, 1, &linear, NULL), "NULL");
    EXPECT_NULL_REFUSED(quartic_norm_linear(graph, x, none, &x, 0, &linear, out), "norm_linear");
    EXPECT_NULL_REFUSED(quartic_pair_mask(graph, none, NULL), "pair_mask");
    EXPECT_NULL_REFUSED(quartic_graph_gradients(graph, x, none, NULL, 1, out), "wrt is NULL");
    EXPECT_NULL_REFUSED(quartic_graph_gradients(graph, x, none, &x, 1, NULL), "NULL as out_gradients");
    EXPECT_NULL_REFUSED(quartic_graph_gradients(graph, x, none, &x, 0, out), "0 values");
    EXPECT_NULL_REFUSED(quartic_graph_gradients_many(graph, NULL, NULL, 1, &x, 1, out), "values is NULL");
    EXPECT_NULL_REFUSED(quartic_graph_gradients_many(graph, &x, NULL, 0, &x, 1, out), "0 values");
    EXPECT_NULL_REFUSED(quartic_graph_gradients(graph, none, none, &x, 1, out), "values[0]");
    EXPECT_NULL_REFUSED(quartic_graph_gradients(graph, x, none, &none, 1, out), "wrt[0]");
    EXPECT_NULL_REFUSED(
        quartic_graph_gradients(graph, x, (quartic_value){.id = 1, .graph = 1u << 31}, &x, 1, out),
        "cotangents[0]");
    /* Without a graph there is only the thread's message. */
    quartic_graph_push_scope(NULL, "x");
    quartic_graph_pop_scope(NULL);
    quartic_graph_begin_recompute(NULL);
    quartic_graph_end_recompute(NULL);
    quartic_graph_output(NULL, "x", none);
    quartic_graph_destroy(NULL);
    assert_int_equal(quartic_graph_status(NULL), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_graph_create(NULL), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_graph_shape(NULL, none).rank, 0);
    assert_int_equal(quartic_graph_dtype(NULL, none), QUARTIC_NO_DTYPE);
    assert_int_equal(quartic_graph_input(NULL, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1)).id, 0);
    assert_int_equal(quartic_graph_gradients(NULL, none, none, &none, 1, out), QUARTIC_INVALID_ARGUMENT);
}

static void cotangents_have_the_shape_of_their_values(void **state) {
    (void)state;
    quartic_graph *graph = graph_misuse_new_graph();
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3)), out;
    quartic_value g = quartic_graph_input(graph, "g", QUARTIC_FLOAT32, &QUARTIC_SHAPE(3, 2));
    assert_int_equal(quartic_graph_gradients(graph, quartic_square(graph, x), g, &x, 1, &out),
                     QUARTIC_SHAPE_MISMATCH);
    assert_non_null(strstr(quartic_error_message(), "(2, 3), not (3, 2)"));
    assert_int_equal(out.id, 0);
    quartic_graph_destroy(graph);
    graph = graph_misuse_new_graph();
    x = quartic_graph_input(graph, "x", QUARTIC_INT32, &QUARTIC_SHAPE(2, 3));
    assert_int_equal(quartic_graph_gradients(graph, x, none, &x, 1, &out), QUARTIC_INVALID_ARGUMENT);
    quartic_graph_destroy(graph);
    graph = graph_misuse_new_graph();
    quartic_graph *other = graph_misuse_new_graph();
    quartic_value theirs = quartic_graph_input(other, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3));
    x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, 3));
    assert_int_equal(quartic_graph_gradients(graph, x, none, &theirs, 1, &out), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_graph_shape(graph, theirs).rank, 0);
    assert_int_equal(quartic_graph_dtype(graph, theirs), QUARTIC_NO_DTYPE);
    quartic_graph_destroy(other);
    quartic_graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builders_refuse_foreign_and_missing_values),
        cmocka_unit_test(builders_look_at_ranks_first),
        cmocka_unit_test(shapes_beyond_the_most_axes_are_refused),
        cmocka_unit_test(huge_extents_do_not_wrap_round),
        cmocka_unit_test(extreme_attributes_are_refused),
        cmocka_unit_test(null_arguments_are_refused),
        cmocka_unit_test(cotangents_have_the_shape_of_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
