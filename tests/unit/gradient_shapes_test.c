/* gradient_shapes_test.c: the gradient of heads that were cut out of one product reaches the product without a copy,
 * and the adjoints of the product are right.
 *
 *     y (B, N, P h d) = alpha * x (B, N, K) W^T + bias + addend,   f = sum of c * y as (P, B, h, N, d) + e * x
 *     dx = alpha c W + e,   dW = alpha c^T x,   dbias = the sum of c over B and N,   daddend = c
 */
#include "expect.h"

#include <math.h>

#include "base/rng.h"
#include "graph/access.h"
#include "quartic/program.h"
#include "quartic/tensor.h"

enum { K = 3, N = 5, P = 3, H = 2, D = 4, COLUMNS = P * H * D, MOST = 2 * N * COLUMNS };

typedef struct shape_case {
    uint32_t batch, wants; /* bits: x, weight, bias, addend */
    bool transposed, flat; /* the weight is (P h d, K); x is a matrix of B N rows */
} shape_case;

typedef struct operand {
    const char *name;
    quartic_shape shape;
    float numbers[MOST], gradient[MOST];
    uint32_t count;
} operand;

enum { X, W, BIAS, ADDEND, C, E, OPERANDS };

static void set_operand(operand *o, const char *name, quartic_shape shape, uint64_t seed) {
    *o = (operand){.name = name, .shape = shape, .count = 1};
    for (uint32_t axis = 0; axis < shape.rank; ++axis) o->count *= shape.dims[axis];
    for (uint32_t i = 0; i < o->count; ++i) o->numbers[i] = quartic_random_normal(31, (uint32_t)seed, i);
}

static uint32_t copies_of(const quartic_graph *graph) {
    uint32_t count = 0;
    for (uint32_t n = 0; n < quartic_graph_node_count(graph); ++n)
        count += strcmp(quartic_graph_node(graph, n)->op->name, "copy") == 0;
    return count;
}

static void run_case(const char *device_name, const shape_case *c) {
    const uint32_t b = c->batch, rows = b * N;
    const float alpha = 0.75f;
    static operand o[OPERANDS];
    const quartic_shape x_shape = c->flat ? QUARTIC_SHAPE(rows, K) : QUARTIC_SHAPE(b, N, K),
                        y_shape = c->flat ? QUARTIC_SHAPE(rows, COLUMNS) : QUARTIC_SHAPE(b, N, COLUMNS);
    set_operand(&o[X], "x", x_shape, 1);
    set_operand(&o[W], "w", c->transposed ? QUARTIC_SHAPE(COLUMNS, K) : QUARTIC_SHAPE(K, COLUMNS), 2);
    set_operand(&o[BIAS], "bias", QUARTIC_SHAPE(COLUMNS), 3);
    set_operand(&o[ADDEND], "addend", y_shape, 4);
    set_operand(&o[C], "c", QUARTIC_SHAPE(P, b, H, N, D), 5);
    set_operand(&o[E], "e", x_shape, 6);
    quartic_graph *graph = NULL;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_value v[OPERANDS], wrt[4], gradients[4];
    for (uint32_t k = 0; k < OPERANDS; ++k)
        v[k] = quartic_graph_input(graph, o[k].name, QUARTIC_FLOAT32, &o[k].shape);
    quartic_matmul_options options = QUARTIC_MATMUL_OPTIONS_INIT;
    options.transpose_b = c->transposed;
    options.alpha = alpha;
    options.bias = v[BIAS];
    options.addend = v[ADDEND];
    quartic_value y = quartic_matmul(graph, v[X], v[W], &options);
    y = quartic_reshape(graph, y, &QUARTIC_SHAPE(b, N, P, H, D));
    y = quartic_permute(graph, y, (const uint32_t[]){2, 0, 3, 1, 4});
    const quartic_value f =
        quartic_add(graph, quartic_sum(graph, quartic_multiply(graph, y, v[C]), 31, 0),
                    quartic_sum(graph, quartic_multiply(graph, v[X], v[E]), c->flat ? 3 : 7, 0));
    uint32_t count = 0, which[4];
    for (uint32_t k = X; k <= ADDEND; ++k)
        if (c->wants >> k & 1u) which[count] = k, wrt[count++] = v[k];
    assert_int_equal(quartic_graph_gradients(graph, f, (quartic_value){0}, wrt, count, gradients),
                     QUARTIC_OK);
    /* Only the gradient of the addend itself, and that of a weight that lies turned, need the output's shape. */
    if (c->transposed) assert_int_equal(copies_of(graph), c->wants >> ADDEND & 1u);
    char names[4][8];
    for (uint32_t k = 0; k < count; ++k) {
        snprintf(names[k], sizeof names[k], "d%u", which[k]);
        quartic_graph_output(graph, names[k], gradients[k]);
    }
    quartic_device *device = NULL;
    quartic_program *program = NULL;
    assert_int_equal(quartic_device_create(device_name, &device), QUARTIC_OK);
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_OK);
    quartic_graph_destroy(graph);
    for (uint32_t k = 0; k < OPERANDS; ++k) {
        quartic_tensor *tensor = quartic_program_tensor(program, o[k].name);
        assert_int_equal(quartic_tensor_write(tensor, o[k].numbers, o[k].count * sizeof(float)), QUARTIC_OK);
    }
    assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    for (uint32_t k = 0; k < count; ++k)
        assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, names[k]), o[which[k]].gradient,
                                             o[which[k]].count * sizeof(float)),
                         QUARTIC_OK);
    quartic_program_destroy(program);
    quartic_device_destroy(device);

    static double want[4][MOST];
    memset(want, 0, sizeof want);
    for (uint32_t i = 0; i < o[X].count; ++i) want[X][i] = (double)o[E].numbers[i];
    for (uint32_t row = 0; row < rows; ++row)
        for (uint32_t column = 0; column < COLUMNS; ++column) {
            const uint32_t p = column / (H * D), h = column / D % H, d = column % D;
            const double g = (double)o[C].numbers[(((p * b + row / N) * H + h) * N + row % N) * D + d];
            want[BIAS][column] += g;
            want[ADDEND][row * COLUMNS + column] = g;
            for (uint32_t k = 0; k < K; ++k) {
                const uint32_t at = c->transposed ? column * K + k : k * COLUMNS + column;
                want[X][row * K + k] += (double)alpha * g * (double)o[W].numbers[at];
                want[W][at] += (double)alpha * g * (double)o[X].numbers[row * K + k];
            }
        }
    for (uint32_t k = 0; k < count; ++k)
        for (uint32_t i = 0; i < o[which[k]].count; ++i)
            if (fabs(want[which[k]][i] - (double)o[which[k]].gradient[i]) > 2e-5)
                fail_msg("%s, batch %u, wants %u: gradient of %s at %u: %g instead of %g", device_name, b,
                         c->wants, o[which[k]].name, i, (double)o[which[k]].gradient[i], want[which[k]][i]);
}

static void heads_reach_their_product_without_a_copy(void **state) {
    (void)state;
    static const char *const devices[] = {"reference", "cpu"};
    for (uint32_t device = 0; device < 2; ++device)
        for (uint32_t batch = 1; batch <= 2; ++batch)
            for (uint32_t wants = 1; wants < 16; ++wants)
                for (uint32_t form = 0; form < 4; ++form)
                    run_case(devices[device],
                             &(shape_case){batch, wants, .transposed = (form & 1) == 0, .flat = form >> 1});
}

/* A product with one column, whose gradient lies turned: (b, n) that was (n, b). */
static void one_column_is_an_axis(void **state) {
    (void)state;
    quartic_graph *graph = NULL;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    const quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(2, N, K)),
                        w = quartic_graph_input(graph, "w", QUARTIC_FLOAT32, &QUARTIC_SHAPE(1, K)),
                        c = quartic_graph_input(graph, "c", QUARTIC_FLOAT32, &QUARTIC_SHAPE(N, 2)),
                        none = {0};
    quartic_value y = quartic_reshape(graph, quartic_linear(graph, x, w, none), &QUARTIC_SHAPE(2, N));
    y = quartic_permute(graph, y, (const uint32_t[]){1, 0});
    const quartic_value f = quartic_sum(graph, quartic_multiply(graph, y, c), 3, 0), wrt[] = {x, w};
    quartic_value gradients[2];
    assert_int_equal(quartic_graph_gradients(graph, f, none, wrt, 2, gradients), QUARTIC_OK);
    quartic_graph_output(graph, "dx", gradients[0]);
    quartic_graph_output(graph, "dw", gradients[1]);
    quartic_device *device = NULL;
    quartic_program *program = NULL;
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_OK);
    quartic_graph_destroy(graph);
    float xs[2 * N * K], ws[K], cs[2 * N], dx[2 * N * K], dw[K], want[K] = {0};
    for (uint32_t i = 0; i < 2 * N * K; ++i) xs[i] = quartic_random_normal(33, 0, i);
    for (uint32_t i = 0; i < K; ++i) ws[i] = quartic_random_normal(33, 1, i);
    for (uint32_t i = 0; i < 2 * N; ++i) cs[i] = quartic_random_normal(33, 2, i);
    quartic_tensor_write(quartic_program_tensor(program, "x"), xs, sizeof xs);
    quartic_tensor_write(quartic_program_tensor(program, "w"), ws, sizeof ws);
    quartic_tensor_write(quartic_program_tensor(program, "c"), cs, sizeof cs);
    assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, "dx"), dx, sizeof dx), QUARTIC_OK);
    assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, "dw"), dw, sizeof dw), QUARTIC_OK);
    for (uint32_t row = 0; row < 2 * N; ++row)
        for (uint32_t k = 0; k < K; ++k) {
            const float g = cs[row % N * 2 + row / N];
            assert_true(fabsf(dx[row * K + k] - g * ws[k]) < 1e-5f);
            want[k] += g * xs[row * K + k];
        }
    for (uint32_t k = 0; k < K; ++k) assert_true(fabsf(dw[k] - want[k]) < 1e-5f);
    quartic_program_destroy(program);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(heads_reach_their_product_without_a_copy),
                                       cmocka_unit_test(one_column_is_an_axis)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
