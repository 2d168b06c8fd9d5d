/* triple_test.c: triple attention, beyond what its cases show. In double: one layer with random weights tells
 * the Shrikhande graph from the 4 x 4 rook's graph, whose edges triangle attention cannot tell apart, and a
 * renumbering of the nodes renumbers the result; with a bias on the diagonal alone it is triangle attention.
 * On the CPU devices: padding and, with causality, later edges change no bit.
 */
#include "expect.h"

#include <math.h>

#include "base/rng.h"
#include "quartic/quartic.h"
#include "run/access.h"

enum { NODES = 16, HEADS = 2, WIDTH = 4, EDGES = NODES * NODES, OPERANDS = 7, BIAS = 6, MOST = EDGES * 8 };
static const char *const names[OPERANDS] = {"q", "q2", "k", "k2", "v", "v2", "bias"};

/* Operands of a graph of n nodes, HEADS heads of WIDTH. */
typedef struct triple_operands {
    uint32_t n;
    float x[OPERANDS][MOST]; // (n, n, h, d), bias (n, n, h)
} triple_operands;

static uint32_t triple_test_width(uint32_t operand) {
    return operand == BIAS ? HEADS : HEADS * WIDTH;
}

typedef struct triple_program {
    quartic_graph *graph;
    quartic_program *program;
} triple_program;

/* form 0: triple attention of all operands; 1: triangle attention of q, k2, v, v2. gradients: outputs "dq" ..
 * of all operands of the form, with the cotangent g. */
static triple_program triple_test_compile(quartic_device *device, const triple_operands *at, uint32_t form,
                                          uint32_t causal, const int32_t *seen, const float *g) {
    const uint32_t n = at->n;
    const quartic_shape wide = QUARTIC_SHAPE(1, n, n, HEADS, WIDTH), narrow = QUARTIC_SHAPE(1, n, n, HEADS);
    const quartic_value none = {0};
    triple_program out;
    quartic_value x[OPERANDS], wrt[OPERANDS], gradients[OPERANDS], mask = none, value;
    uint32_t used[OPERANDS], count = 0;
    assert_ok(quartic_graph_create(&out.graph));
    for (uint32_t k = 0; k < OPERANDS; ++k) {
        if (form == 1 && k != 0 && k != 3 && k != 4 && k != 5) continue;
        x[k] = quartic_graph_input(out.graph, names[k], QUARTIC_FLOAT32, k == BIAS ? &narrow : &wide);
        used[count] = k, wrt[count++] = x[k];
    }
    if (seen != NULL) mask = quartic_graph_input(out.graph, "mask", QUARTIC_INT32, &QUARTIC_SHAPE(1, n));
    const quartic_triple_options triple = {.causal = causal, .scale = 0.5f};
    const quartic_triangle_options triangle = {.causal = causal, .scale = 0.5f};
    value = form == 0 ? quartic_triple_attention(out.graph, x[0], x[1], x[2], x[3], x[4], x[5], x[BIAS], mask,
                                                 &triple)
                      : quartic_triangle_attention(out.graph, x[0], x[3], x[4], x[5], none, mask, &triangle);
    quartic_graph_output(out.graph, "out", value);
    if (g != NULL) {
        char text[8];
        const quartic_value cotangent = quartic_graph_input(out.graph, "g", QUARTIC_FLOAT32, &wide);
        assert_ok(quartic_graph_gradients(out.graph, value, cotangent, wrt, count, gradients));
        for (uint32_t k = 0; k < count; ++k) {
            snprintf(text, sizeof text, "d%s", names[used[k]]);
            quartic_graph_output(out.graph, text, gradients[k]);
        }
    }
    assert_ok(quartic_program_create(device, out.graph, NULL, &out.program));
    for (uint32_t k = 0; k < count; ++k)
        assert_ok(quartic_tensor_write(quartic_program_tensor(out.program, names[used[k]]), at->x[used[k]],
                                       sizeof(float) * n * n * triple_test_width(used[k])));
    if (seen != NULL)
        assert_ok(quartic_tensor_write(quartic_program_tensor(out.program, "mask"), seen, n * sizeof *seen));
    if (g != NULL)
        assert_ok(quartic_tensor_write(quartic_program_tensor(out.program, "g"), g,
                                       sizeof *g * n * n * HEADS * WIDTH));
    assert_ok(quartic_program_run(out.program));
    return out;
}

static void triple_test_close(triple_program *program) {
    quartic_program_destroy(program->program);
    quartic_graph_destroy(program->graph);
}

static void triple_test_result(quartic_device *device, const triple_operands *at, uint32_t form,
                               uint32_t causal, const int32_t *seen, void *out) {
    triple_program program = triple_test_compile(device, at, form, causal, seen, NULL);
    assert_ok(quartic_tensor_read_memory(quartic_program_tensor(program.program, "out"), out));
    triple_test_close(&program);
}

static void triple_test_fill(triple_operands *at, uint32_t n, uint64_t seed) {
    at->n = n;
    for (uint32_t k = 0; k < OPERANDS; ++k)
        for (uint32_t e = 0; e < n * n * triple_test_width(k); ++e)
            at->x[k][e] = 0.7f * quartic_random_normal(seed, k, e);
}

/* ---- strongly regular graphs, in double ---- */

/* Nodes are the 4 x 4 cells of a torus. */
static bool triple_test_joined(bool shrikhande, uint32_t a, uint32_t b) {
    const uint32_t dy = (a / 4 + 4 - b / 4) % 4, dx = (a % 4 + 4 - b % 4) % 4;
    if (!shrikhande) return a != b && (dy == 0 || dx == 0);
    return (dy == 0 && dx % 2 == 1) || (dx == 0 && dy % 2 == 1) || (dy == dx && dy % 2 == 1);
}

/* Each operand is a random vector for each of the two kinds of edges, as a first layer's are. order: node of
 * the graph at each place. */
static void triple_test_embed(triple_operands *at, bool shrikhande, const uint32_t *order, uint64_t seed) {
    at->n = NODES;
    for (uint32_t k = 0; k < OPERANDS; ++k)
        for (uint32_t e = 0; e < EDGES; ++e) {
            const uint32_t type = triple_test_joined(shrikhande, order[e / NODES], order[e % NODES]);
            for (uint32_t c = 0; c < triple_test_width(k); ++c)
                at->x[k][e * triple_test_width(k) + c] = quartic_random_normal(seed, 2 * k + type, c);
        }
}

/* The largest difference of the two graphs' sums over all edges of a component or of its square. */
static double triple_test_distance(const double *a, const double *b) {
    double most = 0;
    for (uint32_t c = 0; c < HEADS * WIDTH; ++c) {
        double sums[2] = {0, 0};
        for (uint32_t e = c; e < EDGES * HEADS * WIDTH; e += HEADS * WIDTH) {
            sums[0] += a[e] - b[e];
            sums[1] += a[e] * a[e] - b[e] * b[e];
        }
        most = fmax(most, fmax(fabs(sums[0]), fabs(sums[1])) / EDGES);
    }
    return most;
}

static void triples_separate_what_triangles_cannot(void **state) {
    (void)state;
    static triple_operands at;
    static double results[2][MOST];
    uint32_t same[NODES], neighbours[2] = {0, 0}, common[2] = {0, 0};
    for (uint32_t a = 0; a < NODES; ++a) same[a] = a;
    for (uint32_t graph = 0; graph < 2; ++graph) /* strongly regular with the same numbers */
        for (uint32_t a = 0; a < NODES; ++a)
            for (uint32_t b = 0; b < NODES; ++b) {
                uint32_t shared = 0;
                for (uint32_t c = 0; c < NODES; ++c)
                    shared += triple_test_joined(graph, a, c) && triple_test_joined(graph, c, b);
                neighbours[graph] += triple_test_joined(graph, a, b);
                common[graph] += a != b && shared == 2;
            }
    assert_int_equal(neighbours[0], 6 * NODES);
    assert_int_equal(neighbours[1], 6 * NODES);
    assert_int_equal(common[0], NODES * (NODES - 1));
    assert_int_equal(common[1], NODES * (NODES - 1));
    quartic_device *device;
    assert_ok(quartic_device_create("reference64", &device));
    for (uint64_t seed = 1; seed <= 5; ++seed)
        for (uint32_t form = 0; form < 2; ++form) {
            for (uint32_t graph = 0; graph < 2; ++graph) {
                triple_test_embed(&at, graph != 0, same, seed);
                triple_test_result(device, &at, form, false, NULL, results[graph]);
            }
            const double distance = triple_test_distance(results[0], results[1]);
            print_message("%s, seed %u: %.2e\n", form == 0 ? "triple" : "triangle", (uint32_t)seed, distance);
            if (form == 0)
                assert_true(distance > 1e-4);
            else
                assert_true(distance < 1e-14);
        }
    quartic_device_destroy(device);
}

static void renumbered_nodes_renumber_the_result(void **state) {
    (void)state;
    static triple_operands at;
    static double results[2][MOST];
    uint32_t order[NODES], same[NODES];
    for (uint32_t a = 0; a < NODES; ++a) same[a] = a, order[a] = a * 7 % NODES;
    quartic_device *device;
    assert_ok(quartic_device_create("reference64", &device));
    for (uint32_t graph = 0; graph < 2; ++graph) {
        triple_test_embed(&at, graph != 0, same, 3);
        triple_test_result(device, &at, 0, false, NULL, results[0]);
        triple_test_embed(&at, graph != 0, order, 3);
        triple_test_result(device, &at, 0, false, NULL, results[1]);
        double most = 0;
        for (uint32_t e = 0; e < EDGES; ++e)
            for (uint32_t c = 0; c < HEADS * WIDTH; ++c)
                most =
                    fmax(most,
                         fabs(results[1][e * HEADS * WIDTH + c] -
                              results[0][(order[e / NODES] * NODES + order[e % NODES]) * HEADS * WIDTH + c]));
        assert_true(most < 1e-13);
    }
    quartic_device_destroy(device);
}

/* Without q2 and k, and with a bias that leaves the pairs (l, l) alone, it is triangle attention of q, k2, v
 * and v2: the values and the gradients of these four. */
static void pairs_of_one_pivot_are_triangles(void **state) {
    (void)state;
    enum { N = 7, COUNT = N * N * HEADS * WIDTH };
    static const char *const results[] = {"out", "dq", "dk2", "dv", "dv2"};
    static const int32_t seen[N] = {1, 1, 0, 1, 1, 0, 1};
    static triple_operands at;
    static float g[COUNT];
    static double got[MOST], want[MOST];
    triple_test_fill(&at, N, 11);
    for (uint32_t e = 0; e < COUNT; ++e) g[e] = quartic_random_normal(12, 0, e), at.x[1][e] = at.x[2][e] = 0;
    for (uint32_t e = 0; e < N * N * HEADS; ++e)
        at.x[BIAS][e] = e / HEADS / N == e / HEADS % N ? 0.0f : -1000.0f;
    quartic_device *device;
    assert_ok(quartic_device_create("reference64", &device));
    for (uint32_t way = 0; way < 4; ++way) {
        const int32_t *mask = way / 2 ? seen : NULL;
        triple_program triple = triple_test_compile(device, &at, 0, way % 2, mask, g),
                       triangle = triple_test_compile(device, &at, 1, way % 2, mask, g);
        for (size_t r = 0; r < sizeof results / sizeof results[0]; ++r) {
            assert_ok(quartic_tensor_read_memory(quartic_program_tensor(triple.program, results[r]), got));
            assert_ok(quartic_tensor_read_memory(quartic_program_tensor(triangle.program, results[r]), want));
            double most = 0, size = 0;
            for (uint32_t e = 0; e < COUNT; ++e) {
                most = fmax(most, fabs(got[e] - want[e]));
                size = fmax(size, fabs(want[e]));
            }
            assert_true(size > 0.1);
            if (!(most < 1e-12))
                fail_msg("causal %u, masked %u: %s is off by %g", way % 2, way / 2, results[r], most);
        }
        triple_test_close(&triple);
        triple_test_close(&triangle);
    }
    quartic_device_destroy(device);
}

/* ---- bits ---- */

enum { SMALL = 9, FEATURES = HEADS * WIDTH };

static void padding_changes_no_bit(void **state) {
    static triple_operands alone, padded;
    static float want[MOST], got[MOST];
    int32_t seen[NODES];
    quartic_device *device;
    assert_ok(quartic_device_create(*state, &device));
    for (uint32_t causal = 0; causal < 2; ++causal) {
        uint32_t places[NODES];
        triple_test_fill(&alone, SMALL, 21);
        triple_test_fill(&padded, NODES, 22);
        memset(seen, 0, sizeof seen);
        for (uint32_t a = 0; a < SMALL; ++a) places[a] = a + a * a / 12, seen[places[a]] = 1;
        assert_true(places[SMALL - 1] < NODES);
        for (uint32_t k = 0; k < OPERANDS; ++k)
            for (uint32_t e = 0; e < SMALL * SMALL; ++e) {
                const uint32_t width = triple_test_width(k);
                memcpy(padded.x[k] + (places[e / SMALL] * NODES + places[e % SMALL]) * width,
                       alone.x[k] + e * width, width * sizeof(float));
            }
        triple_test_result(device, &alone, 0, causal, NULL, want);
        triple_test_result(device, &padded, 0, causal, seen, got);
        for (uint32_t e = 0; e < SMALL * SMALL; ++e)
            assert_memory_equal(got + (places[e / SMALL] * NODES + places[e % SMALL]) * FEATURES,
                                want + e * FEATURES, FEATURES * sizeof *want);
    }
    quartic_device_destroy(device);
}

/* Edges of node t, and above the diagonal: what they hold changes no bit of the edges of earlier nodes, forward,
 * and nothing above the diagonal but zeros comes out. */
static void later_edges_change_no_bit(void **state) {
    static triple_operands before, after;
    static float want[MOST], got[MOST];
    quartic_device *device;
    assert_ok(quartic_device_create(*state, &device));
    triple_test_fill(&before, NODES, 31);
    triple_test_result(device, &before, 0, 1, NULL, want);
    for (uint32_t t = 0; t < NODES; t += 5) {
        after = before;
        for (uint32_t k = 0; k < OPERANDS; ++k)
            for (uint32_t e = 0; e < EDGES; ++e) {
                const uint32_t i = e / NODES, j = e % NODES, width = triple_test_width(k);
                for (uint32_t c = 0; c < width && (i >= t || j > i); ++c) after.x[k][e * width + c] += 1.5f;
            }
        triple_test_result(device, &after, 0, 1, NULL, got);
        assert_memory_equal(got, want, sizeof *got * t * NODES * FEATURES);
        assert_memory_not_equal(got + t * NODES * FEATURES, want + t * NODES * FEATURES,
                                sizeof *got * FEATURES);
        for (uint32_t e = 0; e < EDGES; ++e)
            for (uint32_t c = 0; c < FEATURES && e % NODES > e / NODES; ++c)
                assert_true(got[e * FEATURES + c] == 0);
    }
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triples_separate_what_triangles_cannot),
        cmocka_unit_test(renumbered_nodes_renumber_the_result),
        cmocka_unit_test(pairs_of_one_pivot_are_triangles),
        {"padding_changes_no_bit, cpu", padding_changes_no_bit, NULL, NULL, (void *)"cpu"},
        {"padding_changes_no_bit, reference", padding_changes_no_bit, NULL, NULL, (void *)"reference"},
        {"later_edges_change_no_bit, cpu", later_edges_change_no_bit, NULL, NULL, (void *)"cpu"},
        {"later_edges_change_no_bit, reference", later_edges_change_no_bit, NULL, NULL, (void *)"reference"},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
