/* gradient_addends_test.c: what an input has got from elsewhere is the addend of an adjoint that can add it: the
 * gradients agree with finite differences, and no addition is left.
 *
 * Each function is f(x) = sum of weights * (x + branch(x)), whose sum gives x its first gradient.
 */
#include "expect.h"

#include <math.h>

#include "base/rng.h"
#include "graph/access.h"
#include "ops/elementwise.h"
#include "quartic/program.h"
#include "quartic/tensor.h"

enum { N = 4, D = 4, COUNT = N * N * D };

typedef enum branch_kind {
    BRANCH_RMS,
    BRANCH_L2,
    BRANCH_LAYER,
    BRANCH_NORM_LINEAR,  /* two products of normed rows */
    BRANCH_RAW_LINEAR,   /* one of raw rows, one of normed rows */
    BRANCH_RAW_ONLY,     /* of raw rows only */
    BRANCH_LINEAR,       /* x is A of the product */
    BRANCH_A_TRANSPOSED, /* the same, transposed */
    BRANCH_B,            /* x is B of the product */
    BRANCH_B_TRANSPOSED,
    BRANCH_BOTH, /* x is A and B */
    BRANCH_DIAGONAL,
    BRANCH_ALL, /* several of them one after the other */
    BRANCH_COUNT
} branch_kind;

static quartic_value numbers_of(quartic_graph *graph, uint64_t seed, quartic_shape shape) {
    static const char *const names[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"};
    assert_true(seed < sizeof names / sizeof names[0]);
    return quartic_graph_input(graph, names[seed], QUARTIC_FLOAT32, &shape);
}

/* The branch of x (1, N, N, D), of that shape. Constants are named by the seeds from *inout_seed on. */
static quartic_value branch_of(quartic_graph *graph, branch_kind kind, quartic_value x,
                               uint64_t *inout_seed) {
    quartic_matmul_options matmul = QUARTIC_MATMUL_OPTIONS_INIT;
    quartic_norm_linear_options linear = QUARTIC_NORM_LINEAR_OPTIONS_INIT;
    quartic_value products[2], weights[2];
    const quartic_shape edges = QUARTIC_SHAPE(1, N, N, D);
    switch (kind) {
    case BRANCH_RMS:
        return quartic_rms_norm(graph, x, numbers_of(graph, (*inout_seed)++, QUARTIC_SHAPE(D)), 1e-3f);
    case BRANCH_L2:
        return quartic_l2_norm(graph, x, numbers_of(graph, (*inout_seed)++, QUARTIC_SHAPE(D)), 1.0f);
    case BRANCH_LAYER: {
        const quartic_value weight = numbers_of(graph, (*inout_seed)++, QUARTIC_SHAPE(D));
        return quartic_layer_norm(graph, x, weight, numbers_of(graph, (*inout_seed)++, QUARTIC_SHAPE(D)),
                                  1e-3f);
    }
    case BRANCH_NORM_LINEAR:
    case BRANCH_RAW_LINEAR:
    case BRANCH_RAW_ONLY:
        linear.raw = kind == BRANCH_NORM_LINEAR ? 0 : kind == BRANCH_RAW_LINEAR ? 2 : 3;
        linear.alpha = 0.5f;
        for (uint32_t k = 0; k < 2; ++k) weights[k] = numbers_of(graph, (*inout_seed)++, QUARTIC_SHAPE(D, D));
        quartic_norm_linear(graph, x, numbers_of(graph, (*inout_seed)++, QUARTIC_SHAPE(D)), weights, 2,
                            &linear, products);
        return quartic_multiply(graph, products[0], products[1]);
    case BRANCH_LINEAR:
        return quartic_linear(graph, x, numbers_of(graph, (*inout_seed)++, QUARTIC_SHAPE(D, D)),
                              (quartic_value){0});
    case BRANCH_A_TRANSPOSED:
        matmul.transpose_a = 1;
        return quartic_matmul(graph, x, numbers_of(graph, (*inout_seed)++, edges), &matmul);
    case BRANCH_B:
        return quartic_matmul(graph, numbers_of(graph, (*inout_seed)++, QUARTIC_SHAPE(N, N)), x, &matmul);
    case BRANCH_B_TRANSPOSED:
        matmul.transpose_b = 1;
        return quartic_matmul(graph, numbers_of(graph, (*inout_seed)++, edges), x, &matmul);
    case BRANCH_BOTH:
        matmul.alpha = 0.5f;
        return quartic_matmul(graph, x, x, &matmul);
    case BRANCH_DIAGONAL: {
        const quartic_value nodes = quartic_tanh(graph, quartic_diagonal(graph, x, 1)); // (1, N, D)
        return quartic_broadcast(graph, quartic_reshape(graph, nodes, &QUARTIC_SHAPE(1, N, 1, D)), &edges);
    }
    default:
        x = quartic_add(graph, x, branch_of(graph, BRANCH_RMS, x, inout_seed));
        x = quartic_add(graph, x, branch_of(graph, BRANCH_DIAGONAL, x, inout_seed));
        x = quartic_add(graph, x, branch_of(graph, BRANCH_RAW_LINEAR, x, inout_seed));
        return branch_of(graph, BRANCH_LINEAR, x, inout_seed);
    }
}

/* Builds f. Returns its value, with *out_x and *out_weights. */
static quartic_value function_of(quartic_graph *graph, branch_kind kind, bool recompute,
                                 quartic_value *out_x) {
    const quartic_shape edges = QUARTIC_SHAPE(1, N, N, D);
    uint64_t seed = 0;
    *out_x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &edges);
    const quartic_value weights = numbers_of(graph, seed++, edges);
    if (recompute) quartic_graph_begin_recompute(graph);
    const quartic_value x = quartic_copy(graph, *out_x), branch = branch_of(graph, kind, x, &seed);
    const quartic_value y = quartic_add(graph, x, branch);
    if (recompute) quartic_graph_end_recompute(graph);
    return quartic_sum(graph, quartic_multiply(graph, y, weights), 15, 0);
}

/* Runs a graph with x and its constants, and reads f and, if asked for, its gradient. */
static double run_function(quartic_device *device, const quartic_graph *graph, const float *x,
                           float *out_gradient) {
    quartic_program *program = NULL;
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_OK);
    assert_int_equal(quartic_tensor_write(quartic_program_tensor(program, "x"), x, COUNT * sizeof *x),
                     QUARTIC_OK);
    char name[] = "c0";
    for (uint32_t seed = 0; seed < 10; ++seed) {
        name[1] = (char)('0' + seed);
        quartic_tensor *constant = quartic_program_tensor(program, name);
        if (constant == NULL) break;
        float numbers[COUNT];
        const quartic_shape shape = quartic_tensor_shape(constant);
        uint64_t count = 1;
        for (uint32_t axis = 0; axis < shape.rank; ++axis) count *= shape.dims[axis];
        assert_true(count <= COUNT);
        for (uint64_t i = 0; i < count; ++i) numbers[i] = 0.5f * quartic_random_normal(21, seed, i);
        assert_int_equal(quartic_tensor_write(constant, numbers, count * sizeof(float)), QUARTIC_OK);
    }
    assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    float result = 0;
    assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, "f"), &result, sizeof result),
                     QUARTIC_OK);
    if (out_gradient != NULL)
        assert_int_equal(
            quartic_tensor_read(quartic_program_tensor(program, "dx"), out_gradient, COUNT * sizeof(float)),
            QUARTIC_OK);
    quartic_program_destroy(program);
    return (double)result;
}

static uint32_t additions_after(const quartic_graph *graph, uint32_t first) {
    uint32_t count = 0;
    for (uint32_t n = first; n < quartic_graph_node_count(graph); ++n) {
        const quartic_node *node = quartic_graph_node(graph, n);
        count += strcmp(quartic_op_builder(node->op, node->attrs), "add") == 0;
    }
    return count;
}

static void check_branch(quartic_device *device, branch_kind kind, bool recompute) {
    quartic_graph *graph = NULL, *plain = NULL;
    quartic_value x, gradient;
    assert_int_equal(quartic_graph_create(&plain), QUARTIC_OK);
    quartic_graph_output(plain, "f", function_of(plain, kind, false, &x));
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    const quartic_value f = function_of(graph, kind, recompute, &x);
    const uint32_t first = quartic_graph_node_count(graph);
    assert_int_equal(quartic_graph_gradients(graph, f, (quartic_value){0}, &x, 1, &gradient), QUARTIC_OK);
    quartic_graph_output(graph, "f", f);
    quartic_graph_output(graph, "dx", gradient);
    /* In BRANCH_ALL x itself goes into two sums. */
    const uint32_t additions = additions_after(graph, first), want_additions = kind == BRANCH_ALL;
    if (!recompute && additions != want_additions)
        fail_msg("branch %d leaves %u additions", (int)kind, additions);

    float numbers[COUNT], moved[COUNT], got[COUNT];
    for (uint32_t i = 0; i < COUNT; ++i) numbers[i] = quartic_random_normal(17, 0, i);
    run_function(device, graph, numbers, got);
    for (uint32_t i = 0; i < COUNT; ++i) {
        const float h = 0x1p-8f;
        memcpy(moved, numbers, sizeof moved);
        moved[i] = numbers[i] + h;
        const double up = run_function(device, plain, moved, NULL);
        moved[i] = numbers[i] - h;
        const double down = run_function(device, plain, moved, NULL), want = (up - down) / (2 * (double)h);
        /* f is read as float32, and the third derivative times h^2 is left. */
        if (fabs(want - (double)got[i]) > 4e-3 * (1 + fabs(want)))
            fail_msg("branch %d, element %u: %g instead of %g", (int)kind, i, (double)got[i], want);
    }
    quartic_graph_destroy(graph);
    quartic_graph_destroy(plain);
}

static void adjoints_add_what_came_before(void **state) {
    (void)state;
    quartic_device *device = NULL;
    assert_int_equal(quartic_device_create("reference64", &device), QUARTIC_OK);
    for (uint32_t kind = 0; kind < BRANCH_COUNT; ++kind) {
        check_branch(device, (branch_kind)kind, false);
        check_branch(device, (branch_kind)kind, true);
    }
    quartic_device_destroy(device);
}

/* The same on the tuned kernels. */
static void tuned_adjoints_add_what_came_before(void **state) {
    (void)state;
    quartic_device *device = NULL;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    for (uint32_t kind = 0; kind < BRANCH_COUNT; ++kind) {
        float gradients[2][COUNT], numbers[COUNT];
        for (uint32_t i = 0; i < COUNT; ++i) numbers[i] = quartic_random_normal(17, 0, i);
        quartic_device *wide = NULL;
        assert_int_equal(quartic_device_create("reference64", &wide), QUARTIC_OK);
        for (uint32_t which = 0; which < 2; ++which) {
            quartic_graph *graph = NULL;
            quartic_value x, gradient;
            assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
            const quartic_value f = function_of(graph, (branch_kind)kind, false, &x);
            assert_int_equal(quartic_graph_gradients(graph, f, (quartic_value){0}, &x, 1, &gradient),
                             QUARTIC_OK);
            quartic_graph_output(graph, "f", f);
            quartic_graph_output(graph, "dx", gradient);
            run_function(which == 0 ? device : wide, graph, numbers, gradients[which]);
            quartic_graph_destroy(graph);
        }
        quartic_device_destroy(wide);
        for (uint32_t i = 0; i < COUNT; ++i)
            assert_true(fabsf(gradients[0][i] - gradients[1][i]) <= 1e-5f * (1 + fabsf(gradients[1][i])));
    }
    quartic_device_destroy(device);
}

/* A gradient that is repeated along an axis is no addend: it would have to be copied first. */
static void repeated_gradients_are_added(void **state) {
    (void)state;
    quartic_graph *graph = NULL;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    const quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(N, D));
    const quartic_value scale = quartic_graph_input(graph, "c0", QUARTIC_FLOAT32, &QUARTIC_SHAPE(D));
    const quartic_value normed = quartic_rms_norm(graph, x, scale, 1e-3f);
    const quartic_value f =
        quartic_add(graph, quartic_sum(graph, quartic_multiply(graph, normed, normed), 3, 0),
                    quartic_sum(graph, x, 3, 0));
    const uint32_t first = quartic_graph_node_count(graph);
    quartic_value gradient;
    assert_int_equal(quartic_graph_gradients(graph, f, (quartic_value){0}, &x, 1, &gradient), QUARTIC_OK);
    assert_int_equal(additions_after(graph, first), 2); /* d(normed^2), and what x has from its own sum */
    quartic_graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adjoints_add_what_came_before),
        cmocka_unit_test(tuned_adjoints_add_what_came_before),
        cmocka_unit_test(repeated_gradients_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
