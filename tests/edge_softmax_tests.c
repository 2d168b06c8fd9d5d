/* edge_softmax_tests.c: see edge_softmax_tests.h. */
#include "edge_softmax_tests.h"

static size_t edge_at(const edge_case *x, uint32_t b, uint32_t t, uint32_t h) {
    return (((size_t)b * x->m + t) * x->spec.h + h) * x->spec.d;
}

/* Node i and j of a token. */
static uint32_t edge_node(const edge_case *x, uint32_t b, uint32_t t, uint32_t which) {
    const uint32_t position = x->positions == NULL ? t : (uint32_t)x->positions[(size_t)b * x->m + t];
    return which == 0 ? position / x->spec.nodes : position % x->spec.nodes;
}

/* Whether edge (i, j) = t sees edge (k, l) = s. */
static bool edge_sees(const edge_case *x, uint32_t b, uint32_t t, uint32_t s) {
    const uint32_t i = edge_node(x, b, t, 0), j = edge_node(x, b, t, 1);
    const uint32_t k = edge_node(x, b, s, 0), l = edge_node(x, b, s, 1);
    const int32_t *mask = x->mask == NULL ? NULL : x->mask + (size_t)b * x->spec.nodes;
    if (mask != NULL && (mask[k] == 0 || mask[l] == 0)) return false;
    return !x->spec.causal || (j <= i && l <= k && k <= i);
}

edge_case edge_begin(const edge_spec *spec) {
    edge_case x = {.spec = *spec, .r = fixture_begin()};
    const quartic_value none = {0};
    x.m = spec->tokens == 0 ? spec->nodes * spec->nodes : spec->tokens;
    x.count = (size_t)spec->b * x.m * spec->h * spec->d;
    const quartic_shape shape = QUARTIC_SHAPE(spec->b, x.m, spec->h, spec->d);
    quartic_value in[EDGE_OPERANDS], positions = none, mask = none, flat[EDGE_RESULTS];
    for (uint32_t k = 0; k < EDGE_OPERANDS; ++k) in[k] = fixture_input(&x.r, shape);
    if (spec->tokens != 0)
        positions = fixture_indices(&x.r, QUARTIC_SHAPE(spec->b, x.m), 0, spec->nodes * spec->nodes);
    if (spec->masked) mask = fixture_indices(&x.r, QUARTIC_SHAPE(spec->b, spec->nodes), 0, 3);
    for (uint32_t k = 0; k < EDGE_OPERANDS; ++k) x.operands[k] = x.r.data[k];
    if (spec->tokens != 0) x.positions = x.r.data[EDGE_OPERANDS];
    if (spec->masked) x.mask = x.r.data[x.r.count - 1];
    const quartic_edge_softmax_options options = {.nodes = spec->nodes, .causal = spec->causal};
    flat[0] = quartic_edge_softmax_attention(x.r.graph, in[EDGE_Q], in[EDGE_K], in[EDGE_V], positions, mask,
                                             &options);
    assert_ok(quartic_graph_gradients(x.r.graph, flat[0], in[EDGE_G], in, 3, flat + 1));
    for (uint32_t k = 0; k < EDGE_RESULTS; ++k)
        flat[k] = quartic_reshape(x.r.graph, flat[k], &QUARTIC_SHAPE((uint32_t)x.count));
    x.result = quartic_concat(x.r.graph, flat, EDGE_RESULTS, 0);
    quartic_graph_output(x.r.graph, "result", x.result);
    assert_ok(quartic_graph_status(x.r.graph));
    return x;
}

void edge_end(edge_case *x) {
    fixture_end(&x->r);
}

float *edge_run(edge_case *x, quartic_device *device) {
    quartic_program *program;
    float *out = calloc(EDGE_RESULTS * x->count, sizeof *out);
    assert_non_null(out);
    assert_ok(quartic_program_create(device, x->r.graph, NULL, &program));
    for (uint32_t k = 0; k < x->r.count; ++k)
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, x->r.names[k]), x->r.data[k],
                                       x->r.bytes[k]));
    assert_ok(quartic_program_run(program));
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, "result"), out,
                                  EDGE_RESULTS * x->count * sizeof *out));
    quartic_program_destroy(program);
    return out;
}

static double edge_dot(const float *a, const float *b, uint32_t d) {
    double sum = 0;
    for (uint32_t c = 0; c < d; ++c) sum += (double)a[c] * (double)b[c];
    return sum;
}

/* One query: its row of out and dq, and what it adds to dk and dv. Three walks over the keys: the sum of
 * exponentials; out and mean = sum_s p_s dp_s; the gradients. */
static void edge_naive_query(const edge_case *x, uint32_t b, uint32_t t, uint32_t h, double *results) {
    const uint32_t d = x->spec.d;
    const size_t at = edge_at(x, b, t, h);
    const float *q = x->operands[EDGE_Q] + at, *g = x->operands[EDGE_G] + at;
    double *out = results + at, *dq = out + x->count, total = 0, mean = 0;
    for (uint32_t walk = 0; walk < 3; ++walk)
        for (uint32_t s = 0; s < x->m; ++s) {
            if (!edge_sees(x, b, t, s)) continue;
            const size_t key = edge_at(x, b, s, h);
            const float *k = x->operands[EDGE_K] + key, *v = x->operands[EDGE_V] + key;
            const double weight = exp(edge_dot(q, k, d));
            if (walk == 0) {
                total += weight;
                continue;
            }
            const double p = weight / total, dp = edge_dot(g, v, d), ds = p * (dp - mean);
            if (walk == 1) {
                mean += p * dp;
                for (uint32_t c = 0; c < d; ++c) out[c] += p * (double)v[c];
                continue;
            }
            double *dk = results + 2 * x->count + key, *dv = results + 3 * x->count + key;
            for (uint32_t c = 0; c < d; ++c) {
                dq[c] += ds * (double)k[c];
                dk[c] += ds * (double)q[c];
                dv[c] += p * (double)g[c];
            }
        }
}

/* (4, count), to be freed. */
static double *edge_naive(const edge_case *x) {
    double *results = calloc(EDGE_RESULTS * x->count, sizeof *results);
    assert_non_null(results);
    for (uint32_t b = 0; b < x->spec.b; ++b)
        for (uint32_t t = 0; t < x->m; ++t)
            for (uint32_t h = 0; h < x->spec.h; ++h) edge_naive_query(x, b, t, h, results);
    return results;
}

void edge_equals_the_formula(const edge_spec *spec, quartic_device *device, double bound) {
    edge_case x = edge_begin(spec);
    float *got = edge_run(&x, device);
    double *want = edge_naive(&x);
    for (uint32_t k = 0; k < EDGE_RESULTS; ++k) {
        double largest = 1;
        for (size_t i = 0; i < x.count; ++i) largest = fmax(largest, fabs(want[k * x.count + i]));
        for (size_t i = k * x.count; i < (k + 1) * x.count; ++i)
            if (!(fabs((double)got[i] - want[i]) <= bound * largest))
                fail_msg(
                    "%u nodes, %u tokens, d %u, masked %d, causal %d: result %u, element %zu is %.9g, not "
                    "%.9g",
                    spec->nodes, spec->tokens, spec->d, spec->masked, spec->causal, k, i - k * x.count,
                    (double)got[i], want[i]);
    }
    free(got);
    free(want);
    edge_end(&x);
}

void edge_later_rows_do_not_leak(quartic_device *device) {
    const edge_spec spec = {.b = 2, .nodes = 9, .h = 2, .d = 8, .causal = true};
    const uint32_t row = 4;
    edge_case x = edge_begin(&spec);
    for (size_t i = 0; i < x.count; ++i) {
        const uint32_t t = (uint32_t)(i / spec.d / spec.h % x.m);
        if (edge_node(&x, 0, t, 0) > row) x.operands[EDGE_G][i] = 0;
    }
    float *before = edge_run(&x, device);
    for (uint32_t k = EDGE_Q; k <= EDGE_V; ++k)
        for (size_t i = 0; i < x.count; ++i) {
            const uint32_t t = (uint32_t)(i / spec.d / spec.h % x.m);
            if (edge_node(&x, 0, t, 0) > row || edge_node(&x, 0, t, 1) > edge_node(&x, 0, t, 0))
                x.operands[k][i] = 50 - 3 * x.operands[k][i];
        }
    float *after = edge_run(&x, device);
    uint32_t compared = 0;
    for (size_t i = 0; i < x.count; ++i) {
        const uint32_t t = (uint32_t)(i / spec.d / spec.h % x.m);
        const bool later = edge_node(&x, 0, t, 0) > row,
                   upper = edge_node(&x, 0, t, 1) > edge_node(&x, 0, t, 0);
        for (uint32_t k = 0; k < EDGE_RESULTS; ++k) {
            const float old = before[k * x.count + i], new = after[k * x.count + i];
            if (upper || (later && k > 0)) {
                if (old != 0 || new != 0)
                    fail_msg("result %u of an edge without a part in it is %g, %g", k, (double)old,
                             (double)new);
            } else if (!later) {
                if (memcmp(&old, &new, sizeof old) != 0)
                    fail_msg("result %u, element %zu: %.9g became %.9g by a later edge", k, i, (double)old,
                             (double)new);
                compared += old != 0;
            }
        }
    }
    assert_true(compared > x.count / 2); /* 15 of 81 edges have four results each */
    free(before);
    free(after);
    edge_end(&x);
}

void edge_padding_does_not_leak(quartic_device *device) {
    const edge_spec spec = {.b = 2, .nodes = 7, .h = 1, .d = 8, .masked = true};
    edge_case x = edge_begin(&spec);
    static const int32_t real[2][7] = {{1, 1, 0, 1, 1, 1, 0}, {0, 1, 1, 1, 1, 0, 1}};
    memcpy(x.mask, real, sizeof real);
    float *before = edge_run(&x, device);
    for (uint32_t k = EDGE_K; k <= EDGE_V; ++k)
        for (uint32_t b = 0; b < spec.b; ++b)
            for (uint32_t t = 0; t < x.m; ++t)
                if (!edge_sees(&x, b, 0, t))
                    for (uint32_t c = 0; c < spec.d; ++c)
                        x.operands[k][edge_at(&x, b, t, 0) + c] = 1000 + (float)c;
    float *after = edge_run(&x, device);
    assert_memory_equal(before, after, EDGE_RESULTS * x.count * sizeof *before);
    for (uint32_t b = 0; b < spec.b; ++b)
        for (uint32_t t = 0; t < x.m; ++t)
            for (uint32_t c = 0; c < spec.d; ++c)
                if (!edge_sees(&x, b, 0, t)) {
                    assert_true(after[2 * x.count + edge_at(&x, b, t, 0) + c] == 0);
                    assert_true(after[3 * x.count + edge_at(&x, b, t, 0) + c] == 0);
                }
    free(before);
    free(after);
    edge_end(&x);
}
