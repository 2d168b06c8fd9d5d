/* ops_basic_numbers_test.c: the shared approximations against double, elementwise functions and their slopes,
 * sums, dropout's mask; reference loops and tuned kernels, short rows and rows split over threads.
 */
#include "base/rng.h"
#include "ops_fixture.h"

#include <float.h>

#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/movement.h"
#include "shaders/lib/functions.h"

static const char *const devices[] = {"reference", "cpu"};
enum { DEVICES = 2 };

/* ---- shaders/lib/functions.h ---- */

static double ulp(double number) {
    int exponent;
    frexp(fmax(fabs(number), (double)FLT_MIN), &exponent);
    return ldexp(1.0, exponent - 24);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static double ops_basic_numbers_normal_cdf(double x) {
    return 0.5 * erfc(-x * sqrt(0.5));
}
static float near_exp(float x) {
    return approx_exp(x);
}
static float near_log(float x) {
    return approx_log(x);
}
static float near_tanh(float x) {
    return approx_tanh(x);
}
static float near_sigmoid(float x) {
    return approx_sigmoid(x);
}
static float near_normal_cdf(float x) {
    return approx_normal_cdf(x, approx_normal_bell(x));
}

/* Every 29989th float of either sign within the range. The bounds are those that functions.h states. */
static void approximations_keep_their_stated_errors(void **state) {
    (void)state;
    static const struct {
        const char *name;
        float (*near)(float);
        double (*exact)(double);
        float low, high;
        double ulps, absolute; /* whichever is greater */
    } cases[] = {{"exp", near_exp, exp, -87.0f, 88.7f, 1.0, 0},
                 {"log", near_log, log, FLT_MIN, FLT_MAX, 0.85, 0},
                 {"tanh", near_tanh, tanh, -30.0f, 30.0f, 1.3, 0},
                 {"sigmoid", near_sigmoid, sigmoid, -87.0f, 88.0f, 2.4, 0},
                 {"normal cdf", near_normal_cdf, ops_basic_numbers_normal_cdf, -30.0f, 30.0f, 0, 8e-8}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k)
        for (int32_t bits = 0; bits < 0x7f800000 - 29989; bits += 29989)
            for (int sign = 0; sign < 2; ++sign) {
                float x = sign ? -APPROX_FLOAT(bits) : APPROX_FLOAT(bits);
                if (x < cases[k].low || x > cases[k].high) continue;
                double want = cases[k].exact((double)x);
                double bound = fmax(cases[k].ulps * ulp(want), cases[k].absolute);
                expect_close((double)cases[k].near(x), want, bound, cases[k].name, (size_t)bits);
            }
}

static void approximations_have_the_right_ends(void **state) {
    (void)state;
    assert_true(near_exp(INFINITY) == INFINITY && near_exp(100.0f) == INFINITY &&
                near_exp(-INFINITY) == 0.0f);
    assert_true(near_exp(0.0f) == 1.0f && near_exp(-110.0f) == 0.0f && isnan(near_exp(NAN)));
    assert_true(near_log(0.0f) == -INFINITY && near_log(INFINITY) == INFINITY && near_log(1.0f) == 0.0f);
    assert_true(isnan(near_log(-1.0f)) && isnan(near_log(NAN)));
    assert_true(near_tanh(INFINITY) == 1.0f && near_tanh(-INFINITY) == -1.0f && isnan(near_tanh(NAN)));
    assert_true(near_sigmoid(INFINITY) == 1.0f && near_sigmoid(-INFINITY) == 0.0f &&
                near_sigmoid(0.0f) == 0.5f);
    assert_true(near_normal_cdf(0.0f) == 0.5f && near_normal_cdf(40.0f) == 1.0f &&
                near_normal_cdf(-40.0f) == 0.0f);
}

/* ---- unary ---- */

typedef quartic_value (*unary_builder)(quartic_graph *graph, quartic_value x);

static double minus(double x) {
    return -x;
}
static double square(double x) {
    return x * x;
}
static double relu(double x) {
    return x > 0 ? x : 0;
}
static double silu(double x) {
    return x * sigmoid(x);
}
static double gelu(double x) {
    return x * ops_basic_numbers_normal_cdf(x);
}

static const struct {
    const char *name;
    unary_builder build;
    double (*exact)(double);
    bool positive; /* defined for positive numbers only */
} unaries[] = {{"negate", quartic_negate, minus, false},
               {"exp", quartic_exp, exp, false},
               {"log", quartic_log, log, true},
               {"sqrt", quartic_sqrt, sqrt, true},
               {"square", quartic_square, square, false},
               {"relu", quartic_relu, relu, false},
               {"sigmoid", quartic_sigmoid, sigmoid, false},
               {"tanh", quartic_tanh, tanh, false},
               {"silu", quartic_silu, silu, false},
               {"gelu", quartic_gelu, gelu, false}};
enum { UNARIES = sizeof unaries / sizeof unaries[0] };
_Static_assert((int)UNARIES == (int)QUARTIC_UNARY_scale, "every function but scale is listed");

static quartic_value unary_input(fixture *r, size_t k, quartic_shape shape) {
    quartic_value x = fixture_input(r, shape);
    float *data = r->data[r->count - 1];
    if (unaries[k].positive)
        for (size_t i = 0; i < r->bytes[r->count - 1] / 4; ++i) data[i] = fabsf(data[i]) + 0.01f;
    return x;
}

/* Forward on a transposed operand, large enough for two threads of the tuned kernels. */
static void unary_functions_are_exact_on_strided_operands(void **state) {
    (void)state;
    enum { A = 181, B = 191 };
    static float got[A * B];
    for (size_t k = 0; k < UNARIES; ++k)
        for (int d = 0; d < DEVICES; ++d)
            for (int turned = 0; turned < 2; ++turned) {
                fixture r = fixture_begin();
                quartic_value x = unary_input(&r, k, QUARTIC_SHAPE(A, B));
                if (turned) x = quartic_permute(r.graph, x, (const uint32_t[]){1, 0});
                const float *in = r.data[0];
                fixture_run(&r, devices[d], unaries[k].build(r.graph, x), got);
                for (size_t i = 0; i < A * B; ++i) {
                    double want = unaries[k].exact((double)in[turned ? i % A * B + i / A : i]);
                    expect_close((double)got[i], want, 4e-7 * fmax(1, fabs(want)), unaries[k].name, i);
                }
                fixture_end(&r);
            }
}

/* The gradient in the middle of a graph against a central difference of the exact function in double. */
static void unary_gradients_are_the_slopes(void **state) {
    (void)state;
    enum { COUNT = 150 };
    float got[COUNT];
    for (size_t k = 0; k < UNARIES; ++k)
        for (int d = 0; d < DEVICES; ++d) {
            fixture r = fixture_begin();
            quartic_value x = unary_input(&r, k, QUARTIC_SHAPE(COUNT)),
                          g = fixture_input(&r, QUARTIC_SHAPE(COUNT)), dx;
            const float *in = r.data[0], *cotangent = r.data[1];
            quartic_value y = quartic_scale(r.graph, unaries[k].build(r.graph, x), -3.0f, 7.0f);
            assert_ok(quartic_graph_gradients(r.graph, y, g, &x, 1, &dx));
            fixture_run(&r, devices[d], dx, got);
            for (size_t i = 0; i < COUNT; ++i) {
                const double h = 1e-5, at = (double)in[i];
                double slope = (unaries[k].exact(at + h) - unaries[k].exact(at - h)) / (2 * h);
                double want = -3.0 * (double)cotangent[i] * slope;
                expect_close((double)got[i], want, 2e-6 * fmax(1, fabs(want)), unaries[k].name, i);
            }
            fixture_end(&r);
        }
}

/* ---- binary ---- */

/* Every way in which an operand can lie along a row: as it is, fixed, repeated, transposed. */
static void binary_broadcasts_either_operand(void **state) {
    (void)state;
    enum { A = 190, B = 187 };
    static float got[A * B];
    static const quartic_shape shapes[] = {{2, {A, B}}, {1, {B}}, {2, {A, 1}}, {0, {0}}};
    for (int d = 0; d < DEVICES; ++d)
        for (int lone = 0; lone < 4; ++lone)
            for (int swapped = 0; swapped < 2; ++swapped) {
                fixture r = fixture_begin();
                quartic_value x = fixture_input(&r, QUARTIC_SHAPE(B, A)), y = fixture_input(&r, shapes[lone]);
                x = quartic_permute(r.graph, x, (const uint32_t[]){1, 0}); /* (A, B) */
                const float *xs = r.data[0], *ys = r.data[1];
                fixture_run(&r, devices[d],
                            swapped ? quartic_subtract(r.graph, y, x) : quartic_subtract(r.graph, x, y), got);
                for (size_t i = 0; i < A * B; ++i) {
                    float a = xs[i % B * A + i / B], b = ys[lone == 0   ? i
                                                            : lone == 1 ? i % B
                                                            : lone == 2 ? i / B
                                                                        : 0];
                    assert_true(got[i] == (swapped ? b - a : a - b));
                }
                fixture_end(&r);
            }
}

/* Operands that are dense along another axis than the last are turned by blocks: every remainder of those,
 * and what the other operand may be meanwhile. */
static void binary_turns_permuted_operands(void **state) {
    (void)state;
    enum { MOST = 40000 };
    static float got[MOST];
    static const uint32_t extents[][3] = {{1, 2, 2},   {2, 3, 5},   {3, 17, 300}, {2, 16, 256}, {1, 33, 259},
                                          {1, 64, 65}, {5, 1, 130}, {130, 15, 4}, {3, 1030, 3}};
    /* Of the other operand: its axes as stored, and its strides along (p, q, r) where that is not 0. */
    static const struct {
        uint32_t order[3]; /* of the result's axes */
        uint32_t repeated; /* bit a: axis a has extent 1 */
    } others[] = {{{0, 1, 2}, 0}, {{0, 2, 1}, 0}, {{2, 1, 0}, 0},
                  {{0, 1, 2}, 4}, {{0, 1, 2}, 1}, {{0, 2, 1}, 7}};
    for (size_t e = 0; e < sizeof extents / sizeof extents[0]; ++e)
        for (size_t o = 0; o < sizeof others / sizeof others[0]; ++o)
            for (int swapped = 0; swapped < 2; ++swapped) {
                const uint32_t *size = extents[e], *order = others[o].order;
                fixture r = fixture_begin();
                quartic_value x = fixture_input(&r, QUARTIC_SHAPE(size[0], size[2], size[1]));
                x = quartic_permute(r.graph, x, (const uint32_t[]){0, 2, 1}); /* (p, q, r) */
                quartic_shape stored = {3, {0}};
                size_t strides[3], stride = 1;
                uint32_t back[3];
                for (uint32_t a = 3; a-- > 0;) {
                    const bool repeated = others[o].repeated >> order[a] & 1u;
                    stored.dims[a] = repeated ? 1 : size[order[a]];
                    strides[order[a]] = repeated ? 0 : stride;
                    stride *= stored.dims[a];
                    back[order[a]] = a;
                }
                quartic_value y = quartic_permute(r.graph, fixture_input(&r, stored), back);
                const float *xs = r.data[0], *ys = r.data[1];
                fixture_run(&r, "cpu",
                            swapped ? quartic_subtract(r.graph, y, x) : quartic_subtract(r.graph, x, y), got);
                assert_true((size_t)size[0] * size[1] * size[2] >= 1 &&
                            (size_t)size[0] * size[1] * size[2] <= MOST);
                for (size_t i = 0, p = 0; p < size[0]; ++p)
                    for (size_t q = 0; q < size[1]; ++q)
                        for (size_t c = 0; c < size[2]; ++c, ++i) {
                            const float a = xs[(p * size[2] + c) * size[1] + q];
                            const float b = ys[p * strides[0] + q * strides[1] + c * strides[2]];
                            if (got[i] != (swapped ? b - a : a - b))
                                fail_msg("(%u, %u, %u), other operand %zu: wrong at (%zu, %zu, %zu)", size[0],
                                         size[1], size[2], o, p, q, c);
                        }
                fixture_end(&r);
            }
}

/* ---- sum ---- */

static void sums_over_any_axes(void **state) {
    (void)state;
    static const struct {
        quartic_shape shape;
        uint32_t axes;
        bool turned; /* axes in reverse order */
    } cases[] = {{{2, {4099, 33}}, 1, false},        {{2, {4099, 33}}, 2, false},
                 {{1, {300001}}, 1, false},          {{4, {5, 7, 3, 70}}, 1 | 4, false},
                 {{4, {5, 7, 3, 70}}, 2 | 8, false}, {{3, {65, 7, 9}}, 4, true},
                 {{3, {65, 7, 9}}, 1 | 2, true},     {{6, {2, 3, 2, 3, 2, 3}}, 1 | 4 | 16, true},
                 {{3, {1, 5, 1}}, 5, false}};
    static float got[4099];
    static double want[4099];
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k)
        for (int d = 0; d < DEVICES; ++d) {
            fixture r = fixture_begin();
            quartic_value x = fixture_input(&r, cases[k].shape);
            quartic_layout lies = quartic_layout_contiguous(QUARTIC_FLOAT32, &cases[k].shape), seen = lies;
            uint32_t rank = lies.shape.rank, order[QUARTIC_MAX_RANK];
            for (uint32_t a = 0; a < rank; ++a) {
                order[a] = cases[k].turned ? rank - 1 - a : a;
                seen.shape.dims[a] = lies.shape.dims[order[a]];
                seen.strides[a] = lies.strides[order[a]];
            }
            x = quartic_permute(r.graph, x, order);
            quartic_value y = quartic_sum(r.graph, x, cases[k].axes, d == 0);
            quartic_shape shape = quartic_graph_shape(r.graph, y);
            uint64_t outputs = quartic_shape_elements(&shape), count = quartic_layout_elements(&seen);
            for (uint64_t o = 0; o < outputs; ++o) want[o] = 0;
            for (uint64_t i = 0; i < count; ++i) {
                uint64_t rest = i, output = 0, scale = 1;
                for (uint32_t a = rank; a-- > 0; rest /= seen.shape.dims[a])
                    if (!(cases[k].axes >> a & 1u)) {
                        output += rest % seen.shape.dims[a] * scale;
                        scale *= seen.shape.dims[a];
                    }
                want[output] += (double)((const float *)r.data[0])[quartic_layout_at(&seen, i)];
            }
            fixture_run(&r, devices[d], y, got);
            double bound = 2e-7 * sqrt((double)(count / outputs)) * 8;
            for (uint64_t o = 0; o < outputs; ++o)
                expect_close((double)got[o], want[o], bound, "sum", (size_t)o);
            fixture_end(&r);
        }
}

static void sum_to_undoes_broadcasting(void **state) {
    (void)state;
    fixture r = fixture_begin();
    quartic_value x = fixture_input(&r, QUARTIC_SHAPE(4, 3, 5));
    quartic_shape same = QUARTIC_SHAPE(4, 3, 5), row = QUARTIC_SHAPE(3, 1);
    assert_int_equal(quartic_sum_to(r.graph, x, &same).id, x.id);
    quartic_value y = quartic_sum_to(r.graph, x, &row);
    quartic_shape got_shape = quartic_graph_shape(r.graph, y);
    assert_true(quartic_shape_equal(&got_shape, &row));
    float got[3];
    fixture_run(&r, "reference", y, got);
    for (size_t b = 0; b < 3; ++b) {
        double want = 0;
        for (size_t a = 0; a < 4; ++a)
            for (size_t c = 0; c < 5; ++c) want += (double)((const float *)r.data[0])[(a * 3 + b) * 5 + c];
        expect_close((double)got[b], want, 1e-6, "sum_to", b);
    }
    fixture_end(&r);
}

static void sum_spreads_its_gradient(void **state) {
    (void)state;
    enum { A = 3, B = 4, C = 5 };
    float got[A * B * C];
    for (uint32_t keep = 0; keep < 2; ++keep) {
        fixture r = fixture_begin();
        quartic_value x = fixture_input(&r, QUARTIC_SHAPE(A, B, C)), dx;
        quartic_value g = fixture_input(&r, keep ? QUARTIC_SHAPE(1, B, 1) : QUARTIC_SHAPE(B));
        quartic_value y = quartic_sum(r.graph, x, 1 | 4, keep);
        assert_ok(quartic_graph_gradients(r.graph, y, g, &x, 1, &dx));
        fixture_run(&r, "cpu", dx, got);
        for (size_t i = 0; i < A * B * C; ++i) assert_true(got[i] == ((const float *)r.data[1])[i / C % B]);
        fixture_end(&r);
    }
}

/* ---- dropout ---- */

static void dropout_follows_the_counter_based_mask(void **state) {
    (void)state;
    enum { COUNT = 40007, STREAM = 5 };
    static float got[COUNT];
    const float probability = 0.3f;
    for (int d = 0; d < DEVICES; ++d)
        for (int pass = 0; pass < 2; ++pass) { /* forward, gradient */
            fixture r = fixture_begin();
            quartic_value x = fixture_input(&r, QUARTIC_SHAPE(COUNT)),
                          seed = fixture_indices(&r, QUARTIC_SHAPE(2), -9, 1);
            quartic_value g = fixture_input(&r, QUARTIC_SHAPE(COUNT)), dx;
            quartic_value y = quartic_dropout(r.graph, x, seed, probability, STREAM);
            assert_ok(quartic_graph_gradients(r.graph, y, g, &x, 1, &dx));
            const float *in = r.data[pass == 0 ? 0 : 2];
            fixture_run(&r, devices[d], pass == 0 ? y : dx, got);
            const uint64_t seed_value = 0xfffffff7fffffff7u; /* -9, -9 */
            size_t dropped = 0;
            for (size_t i = 0; i < COUNT; ++i) {
                bool zero = quartic_random_uniform(seed_value, STREAM, i) < probability;
                dropped += zero;
                expect_close((double)got[i], zero ? 0 : (double)in[i] / 0.7, 1e-6, "dropout", i);
            }
            assert_true(dropped >= 11600 &&
                        dropped <= 12400); /* 12002 expected, 4 standard deviations are 370 */
            fixture_end(&r);
        }
}

static void dropout_at_its_ends(void **state) {
    (void)state;
    float got[7];
    fixture r = fixture_begin();
    quartic_value x = fixture_input(&r, QUARTIC_SHAPE(7)), seed = fixture_indices(&r, QUARTIC_SHAPE(2), 0, 9);
    assert_int_equal(quartic_dropout(r.graph, x, seed, 0.0f, 0).id, x.id);
    fixture_run(&r, "cpu", quartic_dropout(r.graph, x, seed, 1.0f, 0), got);
    for (size_t i = 0; i < 7; ++i) assert_true(got[i] == 0.0f);
    quartic_dropout(r.graph, x, seed, 1.5f, 0);
    assert_int_equal(quartic_graph_status(r.graph), QUARTIC_INVALID_ARGUMENT);
    fixture_end(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approximations_keep_their_stated_errors),
        cmocka_unit_test(approximations_have_the_right_ends),
        cmocka_unit_test(unary_functions_are_exact_on_strided_operands),
        cmocka_unit_test(unary_gradients_are_the_slopes),
        cmocka_unit_test(binary_broadcasts_either_operand),
        cmocka_unit_test(binary_turns_permuted_operands),
        cmocka_unit_test(sums_over_any_axes),
        cmocka_unit_test(sum_to_undoes_broadcasting),
        cmocka_unit_test(sum_spreads_its_gradient),
        cmocka_unit_test(dropout_follows_the_counter_based_mask),
        cmocka_unit_test(dropout_at_its_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
