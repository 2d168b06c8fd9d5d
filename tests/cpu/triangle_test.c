/* triangle_test.c: triangle attention on the CPU devices against the formulas of models.md as plain loops in
 * double, with gradients from the Jacobian of softmax; and the same bits from run to run.
 */
#include "expect.h"

#include <math.h>

#include "base/rng.h"
#include "quartic/quartic.h"

enum { Q, K, V, V2, BIAS, OPERANDS, G = OPERANDS };
static const char *const names[] = {"q", "k", "v", "v2", "bias", "g"};
static const char *const gradient_names[] = {"dq", "dk", "dv", "dv2", "dbias"};

typedef struct problem {
    uint32_t kind, n, h, d, causal, masked;
    float *x[OPERANDS + 1];
    int32_t *mask; // (n)
    double *out;   // (n, n, h, d)
    double *dx[OPERANDS];
} problem;

static bool has(const problem *p, uint32_t operand) {
    if (operand == V2) return p->kind == QUARTIC_TRIANGLE_BOTH;
    return operand != BIAS || p->kind != QUARTIC_TRIANGLE_BOTH;
}
static uint32_t count_of(const problem *p, uint32_t operand) {
    return p->n * p->n * p->h * (operand == BIAS ? 1 : p->d);
}

/* Where an operand of head h lies for the triangle i, l, j. */
static size_t at(const problem *p, uint32_t operand, uint32_t h, uint32_t i, uint32_t l, uint32_t j) {
    enum { IJ, IL, LJ };
    static const uint32_t edges[3][5] = {{IL, LJ, IL, LJ, IJ}, {IJ, IL, IL, IJ, LJ}, {IJ, LJ, LJ, IJ, IL}};
    const uint32_t edge = operand == G ? IJ : edges[p->kind][operand];
    const uint32_t row = edge == LJ ? l : i, column = edge == IL ? l : j;
    return (((size_t)row * p->n + column) * p->h + h) * (operand == BIAS ? 1 : p->d);
}

static void naive_edge(problem *p, uint32_t h, uint32_t i, uint32_t j, double *a, double *da) {
    double largest = -1e300, total = 0, mean = 0;
    const double scale = 0.4f;
    for (uint32_t l = 0; l < p->n; ++l) {
        a[l] = -INFINITY;
        if ((p->masked && !p->mask[l]) || (p->causal && !(j <= l && l <= i))) continue;
        a[l] = has(p, BIAS) ? p->x[BIAS][at(p, BIAS, h, i, l, j)] : 0;
        for (uint32_t c = 0; c < p->d; ++c)
            a[l] += scale * p->x[Q][at(p, Q, h, i, l, j) + c] * p->x[K][at(p, K, h, i, l, j) + c];
        largest = fmax(largest, a[l]);
    }
    for (uint32_t l = 0; l < p->n; ++l) total += exp(a[l] - largest);
    for (uint32_t l = 0; l < p->n; ++l) {
        a[l] = a[l] > -INFINITY ? exp(a[l] - largest) / total : 0;
        da[l] = 0;
        for (uint32_t c = 0; c < p->d; ++c) {
            const double v = p->x[V][at(p, V, h, i, l, j) + c], g = p->x[G][at(p, G, h, i, l, j) + c];
            const double v2 = has(p, V2) ? p->x[V2][at(p, V2, h, i, l, j) + c] : 1;
            p->out[at(p, G, h, i, l, j) + c] += a[l] * v * v2;
            p->dx[V][at(p, V, h, i, l, j) + c] += a[l] * g * v2;
            if (has(p, V2)) p->dx[V2][at(p, V2, h, i, l, j) + c] += a[l] * g * v;
            da[l] += g * v * v2;
        }
        mean += a[l] * da[l];
    }
    for (uint32_t l = 0; l < p->n; ++l) {
        const double ds = a[l] * (da[l] - mean);
        for (uint32_t c = 0; c < p->d; ++c) {
            p->dx[Q][at(p, Q, h, i, l, j) + c] += scale * ds * p->x[K][at(p, K, h, i, l, j) + c];
            p->dx[K][at(p, K, h, i, l, j) + c] += scale * ds * p->x[Q][at(p, Q, h, i, l, j) + c];
        }
        if (has(p, BIAS)) p->dx[BIAS][at(p, BIAS, h, i, l, j)] += ds;
    }
}

static void triangle_expect_close(const problem *p, quartic_program *program, const char *name,
                                  const double *want, uint32_t count) {
    float *got = malloc(count * sizeof *got), *again = malloc(count * sizeof *again);
    double largest = 0.1, error = 0; /* operands are about 1: what cancels leaves their rounding */
    assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, name), got, count * sizeof *got),
                     QUARTIC_OK);
    assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    assert_int_equal(quartic_tensor_read(quartic_program_tensor(program, name), again, count * sizeof *got),
                     QUARTIC_OK);
    assert_memory_equal(got, again, count * sizeof *got);
    for (uint32_t k = 0; k < count; ++k) {
        largest = fmax(largest, fabs(want[k]));
        error = fmax(error, isfinite(got[k]) ? fabs(got[k] - want[k]) : INFINITY);
    }
    if (!(error <= 1e-5 * largest))
        fail_msg("kind %u n %u d %u causal %u masked %u: %s is off by %.3g of %.3g", p->kind, p->n, p->d,
                 p->causal, p->masked, name, error, largest);
    free(got);
    free(again);
}

static void triangle_check(quartic_device *device, problem *p) {
    quartic_graph *graph;
    quartic_value values[OPERANDS + 1] = {{0}}, wrt[4], gradients[4], mask = {0};
    uint32_t wanted[4], count = 0;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    for (uint32_t k = 0; k <= OPERANDS; ++k) {
        if (k < OPERANDS && !has(p, k)) continue;
        const quartic_shape wide = QUARTIC_SHAPE(1, p->n, p->n, p->h, p->d),
                            narrow = QUARTIC_SHAPE(1, p->n, p->n, p->h);
        values[k] = quartic_graph_input(graph, names[k], QUARTIC_FLOAT32, k == BIAS ? &narrow : &wide);
        if (k == G) continue;
        wanted[count] = k;
        wrt[count++] = values[k];
    }
    if (p->masked) mask = quartic_graph_input(graph, "mask", QUARTIC_INT32, &QUARTIC_SHAPE(1, p->n));
    const quartic_triangle_options options = {.kind = p->kind, .causal = p->causal, .scale = 0.4f};
    quartic_value out = quartic_triangle_attention(graph, values[Q], values[K], values[V], values[V2],
                                                   values[BIAS], mask, &options);
    quartic_graph_output(graph, "out", out);
    assert_int_equal(quartic_graph_gradients(graph, out, values[G], wrt, count, gradients), QUARTIC_OK);
    for (uint32_t k = 0; k < count; ++k) quartic_graph_output(graph, gradient_names[wanted[k]], gradients[k]);
    quartic_program *program;
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_OK);
    for (uint32_t k = 0; k <= OPERANDS; ++k)
        if (values[k].id != 0)
            quartic_tensor_write(quartic_program_tensor(program, names[k]), p->x[k], 4 * count_of(p, k));
    if (p->masked) quartic_tensor_write(quartic_program_tensor(program, "mask"), p->mask, 4 * p->n);
    assert_int_equal(quartic_program_run(program), QUARTIC_OK);
    triangle_expect_close(p, program, "out", p->out, count_of(p, G));
    for (uint32_t k = 0; k < count; ++k)
        triangle_expect_close(p, program, gradient_names[wanted[k]], p->dx[wanted[k]],
                              count_of(p, wanted[k]));
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
}

static void every_size_equals_the_formula(void **state) {
    static const uint32_t sizes[][2] = {{1, 1}, {2, 5}, {5, 8}, {31, 3}, {33, 16}};
    quartic_device *device;
    assert_int_equal(quartic_device_create(*state, &device), QUARTIC_OK);
    for (uint32_t c = 0; c < 5 * 3 * 4; ++c) {
        problem p = {.kind = c % 3,
                     .causal = c / 3 % 2,
                     .masked = c / 6 % 2,
                     .n = sizes[c / 12][0],
                     .h = 2,
                     .d = sizes[c / 12][1]};
        for (uint32_t k = 0; k <= OPERANDS; ++k) {
            p.x[k] = malloc(count_of(&p, k) * sizeof(float));
            for (uint32_t e = 0; e < count_of(&p, k); ++e) p.x[k][e] = quartic_random_normal(5 + c, k, e);
            if (k < OPERANDS) p.dx[k] = calloc(count_of(&p, k), sizeof(double));
        }
        p.out = calloc(count_of(&p, G), sizeof(double));
        p.mask = malloc(p.n * sizeof *p.mask);
        for (uint32_t l = 0; l < p.n; ++l) p.mask[l] = l % 3 != 1;
        double *a = malloc(2 * p.n * sizeof *a);
        for (uint32_t h = 0; h < p.h; ++h)
            for (uint32_t i = 0; i < p.n; ++i)
                for (uint32_t j = 0; j < p.n; ++j) naive_edge(&p, h, i, j, a, a + p.n);
        triangle_check(device, &p);
        for (uint32_t k = 0; k <= OPERANDS; ++k) free(p.x[k]);
        for (uint32_t k = 0; k < OPERANDS; ++k) free(p.dx[k]);
        free(p.out);
        free(p.mask);
        free(a);
    }
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"cpu", every_size_equals_the_formula, NULL, NULL, (void *)"cpu"},
        {"reference", every_size_equals_the_formula, NULL, NULL, (void *)"reference"},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
