/* ops_norm_tests.c: see ops_norm_tests.h. The tests are written like this:
 *
 *   bench b = bench_begin(device);
 *   quartic_value x = bench_input(&b, QUARTIC_SHAPE(1, 2), (float[]){3, 4});
 *   bench_expect(&b, quartic_square(b.graph, x), (float[]){9, 16}, 1e-6);
 *   bench_end(&b);                                              runs, compares, frees
 */
#include "ops_norm_tests.h"

#include "expect.h"

#include <float.h>
#include <math.h>
#include "quartic/program.h"
#include "tensor/layout.h"

enum { BENCH_MOST = 16 };

typedef struct bench_tensor {
    char name[16];
    const void *data; /* fed, or wanted (float) */
    uint64_t count;
    double bound; /* on |got - want| relative to the largest |want|; 0: the same number */
} bench_tensor;

typedef struct bench {
    quartic_device *device;
    quartic_graph *graph;
    bench_tensor fed[BENCH_MOST], wanted[BENCH_MOST];
    uint32_t fed_count, wanted_count;
} bench;

static bench bench_begin(quartic_device *device) {
    bench b = {.device = device};
    assert_ok(quartic_graph_create(&b.graph));
    return b;
}

static bench_tensor *bench_feed(bench *b, quartic_shape shape, const void *data) {
    assert_true(b->fed_count <= BENCH_MOST - 1);
    bench_tensor *fed = &b->fed[b->fed_count];
    *fed = (bench_tensor){.data = data, .count = quartic_shape_elements(&shape)};
    snprintf(fed->name, sizeof fed->name, "fed %u", b->fed_count++);
    return fed;
}

/* data must live until bench_end. */
static quartic_value bench_input(bench *b, quartic_shape shape, const float *data) {
    return quartic_graph_input(b->graph, bench_feed(b, shape, data)->name, QUARTIC_FLOAT32, &shape);
}

static quartic_value bench_integers(bench *b, quartic_shape shape, const int32_t *data) {
    return quartic_graph_input(b->graph, bench_feed(b, shape, data)->name, QUARTIC_INT32, &shape);
}

static quartic_value bench_state(bench *b, quartic_shape shape, const float *data) {
    return quartic_graph_state(b->graph, bench_feed(b, shape, data)->name, QUARTIC_FLOAT32, &shape);
}

static void bench_expect(bench *b, quartic_value value, const float *want, double bound) {
    assert_true(b->wanted_count <= BENCH_MOST - 1);
    bench_tensor *wanted = &b->wanted[b->wanted_count];
    quartic_shape shape = quartic_graph_shape(b->graph, value);
    *wanted = (bench_tensor){.data = want, .count = quartic_shape_elements(&shape), .bound = bound};
    snprintf(wanted->name, sizeof wanted->name, "wanted %u", b->wanted_count++);
    quartic_graph_output(b->graph, wanted->name, value);
}

/* The gradient of sum(value * cotangent) with respect to x. */
static void bench_expect_gradient(bench *b, quartic_value value, quartic_value cotangent, quartic_value x,
                                  const float *want, double bound) {
    quartic_value gradient;
    assert_ok(quartic_graph_gradients(b->graph, value, cotangent, &x, 1, &gradient));
    bench_expect(b, gradient, want, bound);
}

static void bench_compare(quartic_program *program, const bench_tensor *wanted) {
    float got[64];
    assert_true(wanted->count >= 1 && wanted->count <= 64);
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, wanted->name), got, wanted->count * 4));
    const float *want = wanted->data;
    double largest = 0;
    for (uint64_t i = 0; i < wanted->count; ++i) largest = fmax(largest, fabs((double)want[i]));
    for (uint64_t i = 0; i < wanted->count; ++i)
        if (!(fabs((double)got[i] - (double)want[i]) <= wanted->bound * largest)) /* NaN fails too */
            fail_msg("%s, element %llu: got %.9g, want %.9g", wanted->name, (unsigned long long)i,
                     (double)got[i], (double)want[i]);
}

static quartic_program *bench_compile(bench *b) {
    quartic_program *program;
    assert_ok(quartic_program_create(b->device, b->graph, NULL, &program));
    for (uint32_t k = 0; k < b->fed_count; ++k) {
        quartic_tensor *tensor = quartic_program_tensor(program, b->fed[k].name);
        assert_ok(quartic_tensor_write(tensor, b->fed[k].data, b->fed[k].count * 4));
    }
    return program;
}

static void bench_end(bench *b) {
    quartic_program *program = bench_compile(b);
    assert_ok(quartic_program_run(program));
    for (uint32_t k = 0; k < b->wanted_count; ++k) bench_compare(program, &b->wanted[k]);
    quartic_program_destroy(program);
    quartic_graph_destroy(b->graph);
}

static const quartic_value nothing = {0};

/* ---- norms ---- */

static void check_rms_norm(quartic_device *device) {
    /* (3, 4): mean square 12.5, so xhat = (3, 4) / 3.5355339 = (0.84852814, 1.1313708). With the cotangent
     * (1, 0) and scale (2, 0.5), h = (2, 0), mean(h xhat) = 0.84852814 and dx = (h - xhat * 0.84852814)
     * / 3.5355339. */
    bench b = bench_begin(device);
    quartic_value x = bench_input(&b, QUARTIC_SHAPE(1, 2), (float[]){3, 4});
    quartic_value scale = bench_input(&b, QUARTIC_SHAPE(2), (float[]){2, 0.5f});
    quartic_value dy = bench_input(&b, QUARTIC_SHAPE(1, 2), (float[]){1, 0});
    quartic_value y = quartic_rms_norm(b.graph, x, scale, 0.0f);
    bench_expect(&b, y, (float[]){1.69705627f, 0.565685425f}, 1e-6);
    bench_expect_gradient(&b, y, dy, x, (float[]){0.36203867f, -0.27152900f}, 1e-6);
    bench_expect_gradient(&b, y, dy, scale, (float[]){0.84852814f, 0}, 1e-6);
    bench_expect(&b, quartic_rms_norm(b.graph, x, nothing, 12.5f), (float[]){0.6f, 0.8f}, 1e-6);
    bench_end(&b);

    /* A zero vector, and one element alone: dx = h eps / (x^2 + eps)^1.5, with eps = 0.25 representable. */
    b = bench_begin(device);
    quartic_value zero = bench_input(&b, QUARTIC_SHAPE(2, 2), (float[]){0, 0, 0, 0});
    quartic_value cotangent = bench_input(&b, QUARTIC_SHAPE(2, 2), (float[]){1, -2, 3, 0});
    y = quartic_rms_norm(b.graph, zero, nothing, 0.25f);
    bench_expect(&b, y, (float[]){0, 0, 0, 0}, 0);
    bench_expect_gradient(&b, y, cotangent, zero, (float[]){2, -4, 6, 0}, 1e-6);
    quartic_value lone = bench_input(&b, QUARTIC_SHAPE(2, 1), (float[]){100, 0});
    y = quartic_rms_norm(b.graph, lone, nothing, 0.25f);
    bench_expect(&b, y, (float[]){0.999987500f, 0}, 1e-6);
    bench_expect_gradient(&b, y, bench_input(&b, QUARTIC_SHAPE(2, 1), (float[]){1, 0}), lone,
                          (float[]){2.4999063e-7f, 0}, 1e-5);
    bench_end(&b);
}

static void check_l2_norm(quartic_device *device) {
    /* (3, 4) / 5 * sqrt 2 * (gamma + 1), then a zero vector and one of length 3e-13, both held at 1e-12. */
    bench b = bench_begin(device);
    quartic_value x = bench_input(&b, QUARTIC_SHAPE(3, 2), (float[]){3, 4, 0, 0, 3e-13f, 0});
    quartic_value gamma = bench_input(&b, QUARTIC_SHAPE(2), (float[]){0, 1});
    quartic_value y = quartic_l2_norm(b.graph, x, gamma, 1.0f);
    bench_expect(&b, y, (float[]){0.84852814f, 2.26274170f, 0, 0, 0.42426407f, 0}, 1e-6);
    bench_end(&b);

    /* At the clamp y = x sqrt 2 1e12 (gamma + 1), a linear function. */
    b = bench_begin(device);
    x = bench_input(&b, QUARTIC_SHAPE(2, 2), (float[]){0, 0, 3e-13f, 0});
    gamma = bench_input(&b, QUARTIC_SHAPE(2), (float[]){0, 1});
    quartic_value dy = bench_input(&b, QUARTIC_SHAPE(2, 2), (float[]){1, 3, -2, 1});
    y = quartic_l2_norm(b.graph, x, gamma, 1.0f);
    bench_expect_gradient(&b, y, dy, x,
                          (float[]){1.41421356e12f, 8.48528137e12f, -2.82842712e12f, 2.82842712e12f}, 1e-6);
    bench_expect_gradient(&b, y, dy, gamma, (float[]){-0.84852814f, 0}, 1e-6);
    bench_end(&b);

    /* Above it the gradient is orthogonal to x; of one element alone it is 0 exactly. */
    b = bench_begin(device);
    x = bench_input(&b, QUARTIC_SHAPE(1, 2), (float[]){3, 4});
    y = quartic_l2_norm(b.graph, x, bench_input(&b, QUARTIC_SHAPE(2), (float[]){1, 1}), 0.0f);
    bench_expect_gradient(&b, y, bench_input(&b, QUARTIC_SHAPE(1, 2), (float[]){1, 0}), x,
                          (float[]){0.18101934f, -0.13576450f}, 1e-6);
    quartic_value lone = bench_input(&b, QUARTIC_SHAPE(3, 1), (float[]){-7.3f, 0.1f, 1e3f});
    y = quartic_l2_norm(b.graph, lone, bench_input(&b, QUARTIC_SHAPE(1), (float[]){2}), 0.0f);
    bench_expect(&b, y, (float[]){-2, 2, 2}, 1e-6);
    bench_expect_gradient(&b, y, bench_input(&b, QUARTIC_SHAPE(3, 1), (float[]){1, 0.3f, -5}), lone,
                          (float[]){0, 0, 0}, 0);
    bench_end(&b);
}

static void check_layer_norm(quartic_device *device) {
    /* (1, 2, 3, 4): mean 2.5, biased variance 1.25; cotangent (1, 0, 0, 0) gives
     * dx = (h - 0.25 - xhat * mean(h xhat)) / sqrt 1.25 with mean(h xhat) = -0.33541020. The second row has a
     * mean 4000 times its deviation. */
    bench b = bench_begin(device);
    quartic_value x = bench_input(&b, QUARTIC_SHAPE(1, 4), (float[]){1, 2, 3, 4});
    quartic_value weight = bench_input(&b, QUARTIC_SHAPE(4), (float[]){1, 1, 2, -1});
    quartic_value bias = bench_input(&b, QUARTIC_SHAPE(4), (float[]){0, 10, 0, 1});
    quartic_value dy = bench_input(&b, QUARTIC_SHAPE(1, 4), (float[]){1, 0, 0, 0});
    quartic_value y = quartic_layer_norm(b.graph, x, weight, bias, 0.0f);
    bench_expect(&b, y, (float[]){-1.34164079f, 9.55278640f, 0.89442719f, -0.34164079f}, 1e-6);
    bench_expect_gradient(&b, y, dy, x, (float[]){0.26832816f, -0.35777088f, -0.08944272f, 0.17888544f},
                          2e-6);
    bench_expect_gradient(&b, y, dy, weight, (float[]){-1.34164079f, 0, 0, 0}, 1e-6);
    bench_expect_gradient(&b, y, dy, bias, (float[]){1, 0, 0, 0}, 0);
    quartic_value far = bench_input(&b, QUARTIC_SHAPE(2, 4), (float[]){4097, 4098, 4099, 4100, 5, 5, 5, 5});
    quartic_value ones = bench_input(&b, QUARTIC_SHAPE(4), (float[]){1, 1, 1, 1});
    bench_expect(&b, quartic_layer_norm(b.graph, far, ones, bias, 1e-5f),
                 (float[]){-1.34163542f, 9.55278819f, 0.44721180f, 2.34163542f, 0, 10, 0, 1}, 1e-6);
    bench_end(&b);
}

/* ---- softmax and cross entropy ---- */

static void check_softmax(quartic_device *device) {
    /* Rows: equal huge numbers, the largest range there is, one finite answer each. */
    bench b = bench_begin(device);
    quartic_value sim = bench_input(&b, QUARTIC_SHAPE(1, 1, 4, 3),
                                    (float[]){1e20f, 1e20f, -1e20f, -1e20f, -1e20f, -1e20f, FLT_MAX, -FLT_MAX,
                                              0, 0.0f, 0.69314718f, 1.09861229f});
    quartic_value p = quartic_softmax(b.graph, sim, nothing, 0);
    const float third = 1.0f / 3.0f;
    bench_expect(&b, p, (float[]){0.5f, 0.5f, 0, third, third, third, 1, 0, 0, third / 2, third, 0.5f}, 1e-6);
    quartic_value g =
        bench_input(&b, QUARTIC_SHAPE(1, 1, 4, 3), (float[]){1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0});
    bench_expect_gradient(&b, p, g, sim,
                          (float[]){0.25f, -0.25f, 0, 2.0f / 9, -1.0f / 9, -1.0f / 9, 0, 0, 0, 5.0f / 36,
                                    -2.0f / 36, -3.0f / 36},
                          1e-6);
    bench_end(&b);

    /* Hidden entries may hold anything; the second graph sees no key at all. */
    b = bench_begin(device);
    sim = bench_input(&b, QUARTIC_SHAPE(2, 1, 2, 3),
                      (float[]){0, NAN, 1.09861229f, 0, INFINITY, 0, 1, 2, 3, 4, 5, 6});
    quartic_value mask = bench_integers(&b, QUARTIC_SHAPE(2, 3), (int32_t[]){1, 0, 7, 0, 0, 0});
    p = quartic_softmax(b.graph, sim, mask, 0);
    bench_expect(&b, p, (float[]){0.25f, 0, 0.75f, 0.5f, 0, 0.5f, 0, 0, 0, 0, 0, 0}, 1e-6);
    g = bench_input(&b, QUARTIC_SHAPE(2, 1, 2, 3), (float[]){1, 5, 0, 1, 5, 1, 1, 2, 3, 4, 5, 6});
    bench_expect_gradient(&b, p, g, sim, (float[]){0.1875f, 0, -0.1875f, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1e-6);
    bench_end(&b);

    /* Causal: query i sees keys up to i; with a mask, row 0 sees none. */
    b = bench_begin(device);
    sim = bench_input(&b, QUARTIC_SHAPE(1, 1, 3, 3), (float[]){0, NAN, NAN, 0, 0, NAN, 0, 0, 0});
    bench_expect(&b, quartic_softmax(b.graph, sim, nothing, 1),
                 (float[]){1, 0, 0, 0.5f, 0.5f, 0, third, third, third}, 1e-6);
    mask = bench_integers(&b, QUARTIC_SHAPE(1, 3), (int32_t[]){0, 1, 1});
    bench_expect(&b, quartic_softmax(b.graph, sim, mask, 1), (float[]){0, 0, 0, 0, 1, 0, 0, 0.5f, 0.5f},
                 1e-6);
    bench_end(&b);
}

static void check_cross_entropy(quartic_device *device) {
    /* Softmax (1/4, 3/4); the second and third row are ignored. */
    const float log3 = 1.09861229f;
    bench b = bench_begin(device);
    quartic_value logits = bench_input(&b, QUARTIC_SHAPE(4, 2), (float[]){0, log3, 9, 9, 5, 5, log3, 0});
    quartic_value targets = bench_integers(&b, QUARTIC_SHAPE(4), (int32_t[]){1, -1, -7, 1});
    quartic_value loss = quartic_cross_entropy(b.graph, logits, targets);
    bench_expect(&b, loss, (float[]){0.83698822f}, 1e-6); /* (log 4/3 + log 4) / 2 */
    quartic_value twice = bench_input(&b, (quartic_shape){0}, (float[]){2});
    bench_expect_gradient(&b, loss, twice, logits, (float[]){0.25f, -0.25f, 0, 0, 0, 0, 0.75f, -0.75f}, 1e-6);
    bench_end(&b);

    b = bench_begin(device);
    logits = bench_input(&b, QUARTIC_SHAPE(2, 3), (float[]){1, 2, 3, NAN, INFINITY, 1e30f});
    targets = bench_integers(&b, QUARTIC_SHAPE(2), (int32_t[]){-1, INT32_MIN});
    loss = quartic_cross_entropy(b.graph, logits, targets);
    bench_expect(&b, loss, (float[]){0}, 0);
    bench_expect_gradient(&b, loss, nothing, logits, (float[]){0, 0, 0, 0, 0, 0}, 0);
    bench_end(&b);

    b = bench_begin(device);
    logits = bench_input(&b, QUARTIC_SHAPE(2, 2), (float[]){1e20f, 0, 1e20f, 0});
    loss = quartic_cross_entropy(b.graph, logits, bench_integers(&b, QUARTIC_SHAPE(2), (int32_t[]){0, 1}));
    bench_expect(&b, loss, (float[]){5e19f}, 1e-6);
    bench_expect_gradient(&b, loss, nothing, logits, (float[]){0, 0, 0.5f, -0.5f}, 1e-6);
    bench_end(&b);
}

/* The CPU devices look at targets and indices before they run, Vulkan ignores those beyond the last. */
static void check_beyond_the_last(quartic_device *device) {
    static const char *const messages[] = {"target 2 of row 1 is none of the 2 classes",
                                           "index 2 at position 1 is beyond a table of 2 rows"};
    static const float outs[][4] = {{0.69314718f}, {5, 8, 0, 0}},
                       gradients[][4] = {{0.5f, -0.5f, 0, 0}, {0, 0, 1, 1}};
    quartic_device_info info;
    assert_ok(quartic_device_get_info(device, &info));
    for (int embedding = 0; embedding < 2; ++embedding)
        for (int backward = 0; backward < 2; ++backward) {
            bench b = bench_begin(device);
            quartic_value x = bench_input(&b, QUARTIC_SHAPE(2, 2), (float[]){3, 3, 5, 8});
            quartic_value at = bench_integers(&b, QUARTIC_SHAPE(2), (int32_t[]){1, 2});
            quartic_value out =
                embedding ? quartic_embedding(b.graph, x, at) : quartic_cross_entropy(b.graph, x, at);
            quartic_value ones =
                bench_input(&b, embedding ? QUARTIC_SHAPE(2, 2) : (quartic_shape){0}, (float[]){1, 1, 1, 1});
            if (backward)
                bench_expect_gradient(&b, out, ones, x, gradients[embedding], 1e-6);
            else
                bench_expect(&b, out, outs[embedding], 1e-6);
            if (info.kind == QUARTIC_DEVICE_VULKAN) {
                bench_end(&b);
                continue;
            }
            quartic_program *program = bench_compile(&b);
            assert_int_equal(quartic_program_run(program), QUARTIC_INVALID_ARGUMENT);
            assert_non_null(strstr(quartic_error_message(), messages[embedding]));
            quartic_program_destroy(program);
            quartic_graph_destroy(b.graph);
        }
}

/* ---- updates ---- */

static void check_updates(quartic_device *device) {
    bench b = bench_begin(device);
    quartic_value x = bench_input(&b, QUARTIC_SHAPE(2, 2), (float[]){1, -2, 3, 0.5f});
    quartic_value sum = quartic_sum_squares(b.graph, x);
    bench_expect(&b, sum, (float[]){14.25f}, 1e-6);
    bench_expect_gradient(&b, sum, bench_input(&b, (quartic_shape){0}, (float[]){3}), x,
                          (float[]){6, -12, 18, 3}, 1e-6);
    /* Updates of slices leave the rest alone, and what comes after sees them. */
    quartic_value state = bench_state(&b, QUARTIC_SHAPE(4, 2), (float[]){1, 2, 3, 4, 5, 6, 7, 8});
    quartic_accumulate(b.graph, quartic_slice(b.graph, state, 0, 1, 2), x, -2.0f);
    quartic_fill(b.graph, quartic_slice(b.graph, state, 0, 3, 1), 0.25f);
    bench_expect(&b, state, (float[]){1, 2, 1, 8, -1, 5, 0.25f, 0.25f}, 1e-6);
    bench_end(&b);
}

enum { ADAMW_STEPS = 10, ADAMW_COUNT = 5 };

/* Ten steps in double with the formulas of torch.optim.AdamW; the gradient of step t, element i is known. */
static float adamw_gradient(uint32_t step, uint32_t element) {
    return (float)sin(1.0 + 0.7 * step + 1.3 * element) * (element == 3 ? 10.0f : 1.0f);
}

/* rate, betas, eps, decay, corrections, clip for step t = 1, 2, .. */
static void adamw_hyper(uint32_t step, double clip, double out_hyper[8]) {
    const double hyper[8] = {0.01, 0.9, 0.999, 1e-8, 0.1, 1 - pow(0.9, step), 1 - pow(0.999, step), clip};
    memcpy(out_hyper, hyper, sizeof hyper);
}

static void adamw_step_in_double(double *p, double *m, double *v, uint32_t step, double clip,
                                 double gradient_factor) {
    double h[8], squares = 0;
    adamw_hyper(step, clip, h);
    for (uint32_t i = 0; i < ADAMW_COUNT; ++i) squares += pow((double)adamw_gradient(step, i), 2);
    double factor = gradient_factor;
    if (clip > 0) factor *= fmin(1, clip / (gradient_factor * sqrt(squares) + 1e-6));
    for (uint32_t i = 0; i < ADAMW_COUNT; ++i) {
        double g = (double)adamw_gradient(step, i) * factor;
        p[i] *= 1 - h[0] * h[4];
        m[i] = h[1] * m[i] + (1 - h[1]) * g;
        v[i] = h[2] * v[i] + (1 - h[2]) * g * g;
        p[i] -= h[0] / h[5] * m[i] / (sqrt(v[i]) / sqrt(h[6]) + h[3]);
    }
}

static void adamw_write(quartic_program *program, uint32_t step, double clip) {
    double h[8];
    float hyper[8], gradient[ADAMW_COUNT];
    adamw_hyper(step, clip, h);
    for (int k = 0; k < 8; ++k) hyper[k] = (float)h[k];
    for (uint32_t i = 0; i < ADAMW_COUNT; ++i) gradient[i] = adamw_gradient(step, i);
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, "hyper"), hyper, sizeof hyper));
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, "gradient"), gradient, sizeof gradient));
}

static void check_adamw(quartic_device *device, double clip, float gradient_factor) {
    double p[ADAMW_COUNT] = {1, -2, 0.5, 0, 30}, m[ADAMW_COUNT] = {0}, v[ADAMW_COUNT] = {0};
    const quartic_shape shape = QUARTIC_SHAPE(ADAMW_COUNT), hypers = QUARTIC_SHAPE(8);
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    quartic_value parameter = quartic_graph_parameter(graph, "parameter", &shape);
    quartic_value first = quartic_graph_state(graph, "first", QUARTIC_FLOAT32, &shape);
    quartic_value second = quartic_graph_state(graph, "second", QUARTIC_FLOAT32, &shape);
    quartic_value gradient = quartic_graph_input(graph, "gradient", QUARTIC_FLOAT32, &shape);
    quartic_value hyper = quartic_graph_input(graph, "hyper", QUARTIC_FLOAT32, &hypers);
    quartic_adamw(graph, parameter, gradient, first, second, hyper, quartic_sum_squares(graph, gradient),
                  gradient_factor);
    quartic_program *program;
    assert_ok(quartic_program_create(device, graph, NULL, &program));
    float start[ADAMW_COUNT], got[3][ADAMW_COUNT];
    for (int i = 0; i < ADAMW_COUNT; ++i) start[i] = (float)p[i];
    assert_ok(quartic_tensor_write(quartic_program_tensor(program, "parameter"), start, sizeof start));
    for (uint32_t step = 1; step <= ADAMW_STEPS; ++step) {
        adamw_write(program, step, clip);
        assert_ok(quartic_program_run(program));
        adamw_step_in_double(p, m, v, step, clip, (double)gradient_factor);
    }
    const char *const names[] = {"parameter", "first", "second"};
    const double *const want[] = {p, m, v};
    for (int k = 0; k < 3; ++k) {
        assert_ok(quartic_tensor_read(quartic_program_tensor(program, names[k]), got[k], sizeof got[k]));
        /* beta2 = 0.999 in float32 makes 1 - beta2 wrong by 1.3e-5; ten roundings of 6e-8 beside that. */
        for (int i = 0; i < ADAMW_COUNT; ++i)
            if (!(fabs((double)got[k][i] - want[k][i]) <= 2e-6 + 2e-5 * fabs(want[k][i])))
                fail_msg("%s, element %d: got %.9g, want %.9g", names[k], i, (double)got[k][i], want[k][i]);
    }
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
}

void check_all_values(quartic_device *device) {
    check_rms_norm(device);
    check_l2_norm(device);
    check_layer_norm(device);
    check_softmax(device);
    check_cross_entropy(device);
    check_beyond_the_last(device);
    check_updates(device);
    check_adamw(device, 0.0, 1.0f);   /* no clipping */
    check_adamw(device, 0.5, 0.25f);  /* clipped in every step */
    check_adamw(device, 100.0, 1.0f); /* never reached */
}
