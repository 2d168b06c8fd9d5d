/* edge_attention_test.c: the modules over all edges: routing every edge is full attention, also causal; edges
 * that are not chosen pass bit for bit; causal, each row chooses its own; padded nodes and later rows change
 * nothing else; gradients of the routed module's weights, also through the choice; Taylor attention over all
 * edges is the one over a sequence.
 */
#include "base/rng.h"
#include "ops_fixture.h"

#include "nn/attention.h"
#include "nn/edge_attention.h"

enum { B = 2, N = 5, EDGES = N * N, DIM = 6, HEADS = 2, WIDTH = 4, NODE_HEADS = 3 };

/* A module's graph: its weights are parameters, filled from their names' order. */
typedef struct module {
    fixture r;
    quartic_parameter_set set;
    quartic_nn nn;
} module;

static module *edge_attention_begin(void) {
    module *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->r = fixture_begin();
    m->nn = quartic_nn_collect(m->r.graph, &m->set);
    return m;
}

static void edge_attention_end(module *m) {
    quartic_nn_end(&m->nn);
    quartic_parameter_set_destroy(&m->set);
    fixture_end(&m->r);
    free(m);
}

/* The last dot-separated part of a name, so that a module under a prefix gets the numbers of one without. */
static uint32_t edge_attention_number_of(const char *name) {
    const char *dot = strstr(name, "attn.");
    uint32_t sum = 0;
    for (const char *c = dot == NULL ? name : dot + 5; *c != 0; ++c) sum = sum * 31 + (unsigned char)*c;
    return sum;
}

/* Runs on a device: the output `result`, of elements 4 bytes wide. */
static void edge_attention_run(module *m, const char *device_name, quartic_value result, void *out) {
    quartic_device *device;
    quartic_program *program;
    const quartic_shape shape = quartic_graph_shape(m->r.graph, result);
    quartic_graph_output(m->r.graph, "result", result);
    assert_ok(quartic_device_create(device_name, &device));
    assert_ok(quartic_program_create(device, m->r.graph, NULL, &program));
    for (uint32_t k = 0; k < m->r.count; ++k)
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, m->r.names[k]), m->r.data[k],
                                       m->r.bytes[k]));
    for (uint32_t k = 0; k < m->set.count; ++k) {
        float weight[512];
        const quartic_parameter_spec *spec = &m->set.specs[k];
        assert_true(spec->elements >= 1 && spec->elements <= 512);
        for (uint32_t i = 0; i < spec->elements; ++i)
            weight[i] = 0.5f * quartic_random_normal(3, edge_attention_number_of(spec->name), i);
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, spec->name), weight,
                                       (size_t)spec->elements * sizeof weight[0]));
    }
    assert_ok(quartic_program_run(program));
    assert_ok(quartic_tensor_read(quartic_program_tensor(program, "result"), out,
                                  4 * (size_t)quartic_shape_elements(&shape)));
    quartic_program_destroy(program);
    quartic_device_destroy(device);
}

static const quartic_routed_edge_options routing = {
    .heads = HEADS, .dim_head = WIDTH, .ratio = 1.125f, .descent = QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT};

enum { REAL = N - 1 }; /* of each graph */
static const int32_t real_nodes[B][N] = {{1, 1, 0, 1, 1}, {1, 1, 1, 1, 0}};

/* Fills the mask that was added last. */
static quartic_value add_mask(module *m) {
    quartic_value mask = fixture_indices(&m->r, QUARTIC_SHAPE(B, N), 1, 1);
    memcpy(m->r.data[m->r.count - 1], real_nodes, sizeof real_nodes);
    return mask;
}

static void routing_every_edge_is_full_attention(void **state) {
    (void)state;
    static float full[B * EDGES * DIM], routed[B * EDGES * DIM];
    for (int variant = 0; variant < 4; ++variant) {
        const bool masked = variant & 1, causal = variant & 2;
        module *a = edge_attention_begin(), *b = edge_attention_begin();
        quartic_value e = fixture_input(&a->r, QUARTIC_SHAPE(B, N, N, DIM)), none = {0};
        quartic_full_edge_options options = {.heads = HEADS, .dim_head = WIDTH, .causal = causal};
        if (masked) options.mask = add_mask(a);
        edge_attention_run(a, "cpu", quartic_nn_full_edge_attention(&a->nn, e, &options), full);

        e = fixture_input(&b->r, QUARTIC_SHAPE(B, N, N, DIM));
        quartic_routed_edge_options all = routing;
        all.routed = EDGES + 7; /* more than there are: all */
        all.causal = causal;
        all.mask = masked ? add_mask(b) : none;
        quartic_value sim = fixture_input(&b->r, QUARTIC_SHAPE(B, NODE_HEADS, N, N));
        edge_attention_run(b, "cpu", quartic_nn_routed_edge_attention(&b->nn, e, sim, &all, NULL, NULL),
                           routed);
        for (size_t i = 0; i < B * EDGES * DIM; ++i) {
            const size_t edge = i / DIM;
            const int32_t *real = real_nodes[edge / EDGES];
            /* Of a padded node's edges none is chosen. */
            if (masked && !(real[edge / N % N] && real[edge % N])) continue;
            expect_close((double)routed[i], (double)full[i], 2e-6,
                         causal ? "causally routed edges" : "routed edges", i);
        }
        edge_attention_end(a);
        edge_attention_end(b);
    }
}

static void edges_that_are_not_chosen_pass_bit_for_bit(void **state) {
    (void)state;
    enum { ROUTED = 6 };
    static float got[B * EDGES * DIM];
    static int32_t indices[B][ROUTED];
    for (int second = 0; second < 2; ++second) { /* first the edges, then which */
        module *m = edge_attention_begin();
        quartic_value e = fixture_input(&m->r, QUARTIC_SHAPE(B, N, N, DIM));
        quartic_value sim = fixture_input(&m->r, QUARTIC_SHAPE(B, NODE_HEADS, N, N)), chosen;
        quartic_routed_edge_options options = routing;
        options.routed = ROUTED;
        options.mask = add_mask(m);
        quartic_value out = quartic_nn_routed_edge_attention(&m->nn, e, sim, &options, NULL, &chosen);
        if (second)
            edge_attention_run(m, "cpu", chosen, indices);
        else
            edge_attention_run(m, "cpu", out, got);
        if (second)
            for (uint32_t b = 0; b < B; ++b)
                for (uint32_t edge = 0, next = 0; edge < EDGES; ++edge) {
                    const size_t at = ((size_t)b * EDGES + edge) * DIM;
                    const bool changed = memcmp(got + at, (const float *)m->r.data[0] + at, DIM * 4) != 0;
                    const bool is_chosen = next < ROUTED && indices[b][next] == (int32_t)edge;
                    next += is_chosen;
                    assert_int_equal(changed, is_chosen);
                    if (is_chosen) assert_true(real_nodes[b][edge / N] && real_nodes[b][edge % N]);
                }
        edge_attention_end(m);
    }
}

/* Whether edge b of a graph is chosen before edge a of its row: real, visible and of a greater score. */
static bool comes_before(const double *r, uint32_t graph, uint32_t i, uint32_t b, uint32_t a) {
    const int32_t *real = real_nodes[graph];
    const bool b_seen = b <= i && real[i] && real[b], a_seen = a <= i && real[i] && real[a];
    if (b_seen != a_seen) return b_seen;
    return b_seen && r[i * N + b] != r[i * N + a] ? r[i * N + b] > r[i * N + a] : b < a;
}

/* Causal: each row chooses the k best of its own edges by a definition written out here, hidden ones last,
 * and only chosen edges with j <= i that see an edge at all change. k is num_routed / n, rounded up, with the
 * number of real nodes for n; other edges fill up the places that a graph with another number would take. */
static void causally_each_row_chooses_its_own(void **state) {
    (void)state;
    static const struct {
        uint32_t routed, of_row, places;
    } sizes[] = {{1, 1, 1}, {5, 2, 2}, {6, 2, 2}, {11, 3, 3}, {EDGES, REAL, N}};
    static float got[B * EDGES * DIM], sims[B * NODE_HEADS * EDGES];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; ++s) {
        static int32_t indices[B * EDGES];
        const uint32_t k = sizes[s].of_row, places = sizes[s].places;
        for (int which = 1; which >= 0; --which) { /* first which edges, then their values */
            module *m = edge_attention_begin();
            quartic_value e = fixture_input(&m->r, QUARTIC_SHAPE(B, N, N, DIM));
            quartic_value sim = fixture_input(&m->r, QUARTIC_SHAPE(B, NODE_HEADS, N, N)), chosen;
            memcpy(sims, m->r.data[1], sizeof sims);
            quartic_routed_edge_options options = routing;
            options.routed = sizes[s].routed, options.causal = true, options.mask = add_mask(m);
            quartic_value out = quartic_nn_routed_edge_attention(&m->nn, e, sim, &options, NULL, &chosen);
            const quartic_shape shape = quartic_graph_shape(m->r.graph, chosen);
            assert_true(shape.rank == 2 && shape.dims[0] == B && shape.dims[1] == N * places);
            edge_attention_run(m, "cpu", which ? chosen : out, which ? (void *)indices : (void *)got);
            for (uint32_t b = 0; b < B; ++b) {
                double r[EDGES] = {0};
                for (uint32_t h = 0; h < NODE_HEADS; ++h)
                    for (uint32_t edge = 0; edge < EDGES; ++edge)
                        r[edge] += 0.5 *
                                   (double)quartic_random_normal(3, edge_attention_number_of("to_route"), h) *
                                   (double)sims[(b * NODE_HEADS + h) * EDGES + edge];
                for (uint32_t i = 0, next = b * N * places; i < N; ++i)
                    for (uint32_t j = 0, filled = 0; j < N; ++j) {
                        uint32_t ahead = 0;
                        for (uint32_t other = 0; other < N; ++other) ahead += comes_before(r, b, i, other, j);
                        if (which) {
                            const bool fills = ahead >= k && filled < places - k;
                            filled += fills;
                            if (ahead < k || fills) assert_int_equal(indices[next++], i * N + j);
                            continue;
                        }
                        const size_t at = ((size_t)b * EDGES + i * N + j) * DIM;
                        const bool changed =
                            memcmp(got + at, (const float *)m->r.data[0] + at, DIM * sizeof *got) != 0;
                        if (ahead >= k || j > i)
                            assert_false(changed);
                        else if (real_nodes[b][i] && real_nodes[b][j])
                            assert_true(changed);
                    }
            }
            edge_attention_end(m);
        }
    }
}

static bool is_before(uint32_t edge, uint32_t t) {
    return edge / N < t && edge % N <= edge / N;
}

/* Other edges and logits in the rows from t on, and at (i, j) with j > i, change no bit of a visible edge
 * before t; nothing is a NaN, also where no node is real. */
static void causally_later_rows_change_nothing(void **state) {
    (void)state;
    static float results[2][B * EDGES * DIM];
    for (uint32_t turn = 0; turn < 2 * 4 * (N + 1); ++turn) {
        const uint32_t t = turn % (N + 1), routed = 3 + turn / (N + 1) % 4 * 5;
        for (int other = 0; other < 2; ++other) {
            module *m = edge_attention_begin();
            quartic_value e = fixture_input(&m->r, QUARTIC_SHAPE(B, N, N, DIM));
            quartic_value sim = fixture_input(&m->r, QUARTIC_SHAPE(B, NODE_HEADS, N, N));
            quartic_routed_edge_options options = routing;
            options.routed = routed, options.causal = true;
            if (t % 2) {
                options.mask = add_mask(m);
                memset((int32_t *)m->r.data[2] + N, 0, N * sizeof(int32_t)); /* of the second graph */
            }
            float *edges = m->r.data[0], *logits = m->r.data[1];
            for (uint32_t i = 0; other && i < B * EDGES * DIM; ++i)
                if (!is_before(i / DIM % EDGES, t)) edges[i] = 3 - 2 * edges[i];
            for (uint32_t i = 0; other && i < B * NODE_HEADS * EDGES; ++i)
                if (!is_before(i % EDGES, t)) logits[i] = 7 - 3 * logits[i];
            quartic_value out = quartic_nn_routed_edge_attention(&m->nn, e, sim, &options, NULL, NULL);
            edge_attention_run(m, turn < 4 * (N + 1) ? "cpu" : "reference", out, results[other]);
            edge_attention_end(m);
        }
        for (uint32_t i = 0; i < B * EDGES * DIM; ++i) {
            assert_true(isfinite(results[0][i]));
            if (is_before(i / DIM % EDGES, t)) assert_true(results[0][i] == results[1][i]);
        }
    }
}

static void padded_edges_change_no_other_edge(void **state) {
    (void)state;
    static float results[2][4][B * EDGES * DIM];
    for (uint32_t kind = 0; kind < 4; ++kind)
        for (uint32_t k = 0; k < 2; ++k) {
            module *m = edge_attention_begin();
            quartic_value e = fixture_input(&m->r, QUARTIC_SHAPE(B, N, N, DIM)), mask = add_mask(m), out;
            if (k == 1)
                for (uint32_t i = 0; i < B * EDGES * DIM; ++i) {
                    const uint32_t b = i / DIM / EDGES, edge = i / DIM % EDGES;
                    if (!real_nodes[b][edge / N] || !real_nodes[b][edge % N]) ((float *)m->r.data[0])[i] += 5;
                }
            if (kind == 0) {
                const quartic_full_edge_options options = {.heads = HEADS, .dim_head = WIDTH, .mask = mask};
                out = quartic_nn_full_edge_attention(&m->nn, e, &options);
            } else if (kind == 1) {
                out = quartic_nn_taylor_edge_attention(&m->nn, e, e, HEADS, WIDTH, false, mask);
            } else {
                quartic_routed_edge_options options = routing;
                options.routed = 20; /* some padded edges are among the chosen */
                options.causal = kind == 3;
                options.mask = mask;
                quartic_value sim = fixture_input(&m->r, QUARTIC_SHAPE(B, NODE_HEADS, N, N));
                out = quartic_nn_routed_edge_attention(&m->nn, e, sim, &options, NULL, NULL);
            }
            edge_attention_run(m, "cpu", out, results[k][kind]);
            edge_attention_end(m);
            for (uint32_t i = 0; k == 1 && i < B * EDGES * DIM; ++i) {
                const uint32_t b = i / DIM / EDGES, edge = i / DIM % EDGES;
                if (real_nodes[b][edge / N] && real_nodes[b][edge % N])
                    assert_true(results[0][kind][i] == results[1][kind][i]);
            }
        }
}

/* r enters the result through c alone: the gradient of to_route is that of sum(c * share), share the weighted
 * update of each chosen edge. Here c and the edges are both outputs, and the step goes along to_route. */
static void the_choice_is_learned_through_its_weight(void **state) {
    const bool causal = *state != NULL;
    module *m = edge_attention_begin();
    quartic_value e = fixture_input(&m->r, QUARTIC_SHAPE(B, N, N, DIM));
    quartic_value sim = fixture_input(&m->r, QUARTIC_SHAPE(B, NODE_HEADS, N, N));
    quartic_value g = fixture_input(&m->r, QUARTIC_SHAPE(B, N, N, DIM)), weights, indices, with, without;
    quartic_routed_edge_options options = routing;
    options.routed = causal ? 9 : 6;
    options.causal = causal;
    quartic_value out = quartic_nn_routed_edge_attention(&m->nn, e, sim, &options, &weights, &indices);
    assert_ok(quartic_graph_gradients(m->r.graph, out, g, &sim, 1, &with));

    /* The same by hand: share = sum over D of g * update at the chosen edges, a constant cotangent of c. */
    const quartic_shape rows = QUARTIC_SHAPE(B, EDGES, DIM);
    quartic_value update = quartic_subtract(m->r.graph, out, e);
    quartic_value share = quartic_sum(m->r.graph,
                                      quartic_multiply(m->r.graph, quartic_reshape(m->r.graph, update, &rows),
                                                       quartic_reshape(m->r.graph, g, &rows)),
                                      4, 0);
    assert_ok(quartic_graph_gradients(m->r.graph, weights, share, &sim, 1, &without));
    const quartic_value both[] = {with, without};
    static float got[2][B * NODE_HEADS * EDGES];
    edge_attention_run(m, "reference64", quartic_concat(m->r.graph, both, 2, 0), got);
    double largest = 0;
    for (size_t i = 0; i < B * NODE_HEADS * EDGES; ++i) {
        expect_close((double)got[0][i], (double)got[1][i], 1e-6, "gradient of sim", i);
        largest = fmax(largest, fabs((double)got[0][i]));
    }
    assert_true(largest > 1e-3);
    edge_attention_end(m);
}

static void taylor_over_all_edges_is_taylor_over_a_sequence(void **state) {
    (void)state;
    static float over_edges[B * EDGES * DIM], over_sequence[B * EDGES * DIM];
    module *a = edge_attention_begin(), *b = edge_attention_begin();
    quartic_value e = fixture_input(&a->r, QUARTIC_SHAPE(B, N, N, DIM)), mask = add_mask(a), none = {0};
    edge_attention_run(a, "reference64",
                       quartic_nn_taylor_edge_attention(&a->nn, e, none, HEADS, WIDTH, false, mask),
                       over_edges);
    e = fixture_input(&b->r, QUARTIC_SHAPE(B, EDGES, 1, DIM));
    mask = fixture_indices(&b->r, QUARTIC_SHAPE(B, EDGES, 1), 0, 1);
    for (uint32_t k = 0; k < B * EDGES; ++k) {
        const int32_t *real = real_nodes[k / EDGES];
        ((int32_t *)b->r.data[1])[k] = real[k % EDGES / N] && real[k % EDGES % N];
    }
    const quartic_taylor_module_options options = {
        .heads = HEADS, .dim_head = WIDTH, .attention = {.axis = 1, .form = 1}, .mask = mask};
    edge_attention_run(b, "reference64", quartic_nn_taylor_attention(&b->nn, e, none, &options),
                       over_sequence);
    for (size_t i = 0; i < B * EDGES * DIM; ++i)
        expect_close((double)over_edges[i], (double)over_sequence[i], 1e-6, "edges", i);
    edge_attention_end(a);
    edge_attention_end(b);
}

/* The weight of that name, as run fills it. */
static double weight_at(const char *name, uint32_t index) {
    return (double)(0.5f * quartic_random_normal(3, edge_attention_number_of(name), index));
}

/* y (count) = x (DIM) times rows first .. of a weight (.., DIM). */
static void times_rows(const double *x, const char *name, uint32_t first, uint32_t count, double *y) {
    for (uint32_t r = 0; r < count; ++r) {
        y[r] = 0;
        for (uint32_t a = 0; a < DIM; ++a) y[r] += weight_at(name, (first + r) * DIM + a) * x[a];
    }
}

/* Taylor attention over all edges of one graph as its definition says it: edge by edge, every pair on its
 * own. e and out (N, N, DIM); returns sum(out * g). */
static double brute_force(const double *e, const int32_t *real, bool causal, const float *g, double *out) {
    enum { INNER = HEADS * WIDTH };
    static double q[EDGES][INNER], k[EDGES][INNER], v[EDGES][INNER], gates[EDGES][HEADS];
    double loss = 0;
    for (uint32_t edge = 0; edge < EDGES; ++edge) {
        double normed[DIM], square = 0;
        for (uint32_t a = 0; a < DIM; ++a) square += e[edge * DIM + a] * e[edge * DIM + a];
        for (uint32_t a = 0; a < DIM; ++a)
            normed[a] = e[edge * DIM + a] / sqrt(square) * sqrt(DIM) * weight_at("norm.gamma", a);
        times_rows(normed, "to_q.0.weight", 0, INNER, q[edge]);
        times_rows(normed, "to_kv.0.weight", 0, INNER, k[edge]);
        times_rows(normed, "to_kv.0.weight", INNER, INNER, v[edge]);
        times_rows(e + edge * DIM, "to_v_gates.0.weight", 0, HEADS, gates[edge]);
    }
    for (uint32_t i = 0; i < N; ++i)
        for (uint32_t j = 0; j < N; ++j) {
            const uint32_t to = i * N + j;
            double mixed[INNER] = {0};
            for (uint32_t h = 0; h < HEADS; ++h) {
                double total = 0;
                for (uint32_t row = 0; row < N; ++row)
                    for (uint32_t l = 0; l < N; ++l) {
                        if (!real[row] || !real[l] || (causal && !(l <= row && row <= i))) continue;
                        double s = 0;
                        for (uint32_t a = h * WIDTH; a < (h + 1) * WIDTH; ++a)
                            s += q[to][a] * k[row * N + l][a] / sqrt(WIDTH);
                        const double w = 1 + s + s * s / 2;
                        total += w;
                        for (uint32_t a = h * WIDTH; a < (h + 1) * WIDTH; ++a)
                            mixed[a] += w * v[row * N + l][a];
                    }
                for (uint32_t a = h * WIDTH; a < (h + 1) * WIDTH; ++a)
                    mixed[a] /= fmax(total, 1e-5) * (1 + exp(-gates[to][h]));
            }
            for (uint32_t d = 0; d < DIM; ++d) {
                out[to * DIM + d] = e[to * DIM + d];
                for (uint32_t a = 0; a < INNER && (!causal || j <= i); ++a)
                    out[to * DIM + d] += weight_at("to_out.0.weight", d * INNER + a) * mixed[a];
                loss += out[to * DIM + d] * (double)g[to * DIM + d];
            }
        }
    return loss;
}

static void taylor_over_all_edges_equals_brute_force(void **state) {
    (void)state;
    static float got[2][B][EDGES * DIM]; /* out, the gradient of e */
    static double e[B][EDGES * DIM], out[EDGES * DIM];
    static const int32_t all_real[N] = {1, 1, 1, 1, 1};
    const double step = 1e-5;
    for (uint32_t kind = 0; kind < 8; ++kind) {
        const bool causal = kind & 1, masked = kind & 2, exact = kind & 4;
        module *m = edge_attention_begin();
        const quartic_value edges = fixture_input(&m->r, QUARTIC_SHAPE(B, N, N, DIM)), none = {0};
        const quartic_value g = fixture_input(&m->r, QUARTIC_SHAPE(B, N, N, DIM));
        const quartic_value mask = masked ? add_mask(m) : none;
        quartic_value both[2];
        both[0] = quartic_nn_taylor_edge_attention(&m->nn, edges, edges, HEADS, WIDTH, causal, mask);
        assert_ok(quartic_graph_gradients(m->r.graph, both[0], g, &edges, 1, &both[1]));
        edge_attention_run(m, exact ? "reference64" : "cpu", quartic_concat(m->r.graph, both, 2, 0), got);
        for (uint32_t i = 0; i < B * EDGES * DIM; ++i)
            e[i / (EDGES * DIM)][i % (EDGES * DIM)] = (double)((const float *)m->r.data[0])[i];
        for (uint32_t b = 0; b < B; ++b) {
            const int32_t *real = masked ? real_nodes[b] : all_real;
            const float *cotangent = (const float *)m->r.data[1] + b * EDGES * DIM;
            brute_force(e[b], real, causal, cotangent, out);
            for (uint32_t i = 0; i < EDGES * DIM; ++i)
                expect_close((double)got[0][b][i], out[i], exact ? 1e-6 : 1e-5, "edges", i);
            for (uint32_t i = kind; i < EDGES * DIM; i += 7) {
                const double kept = e[b][i];
                e[b][i] = kept + step;
                const double above = brute_force(e[b], real, causal, cotangent, out);
                e[b][i] = kept - step;
                const double slope = (above - brute_force(e[b], real, causal, cotangent, out)) / (2 * step);
                e[b][i] = kept;
                expect_close((double)got[1][b][i], slope, exact ? 1e-6 : 2e-5, "gradient of edges", i);
            }
        }
        edge_attention_end(m);
    }
}

int main(void) {
    static bool causal = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routing_every_edge_is_full_attention),
        cmocka_unit_test(edges_that_are_not_chosen_pass_bit_for_bit),
        cmocka_unit_test(causally_each_row_chooses_its_own),
        cmocka_unit_test(causally_later_rows_change_nothing),
        cmocka_unit_test(padded_edges_change_no_other_edge),
        cmocka_unit_test(the_choice_is_learned_through_its_weight),
        cmocka_unit_test_prestate(the_choice_is_learned_through_its_weight, &causal),
        cmocka_unit_test(taylor_over_all_edges_is_taylor_over_a_sequence),
        cmocka_unit_test(taylor_over_all_edges_equals_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
