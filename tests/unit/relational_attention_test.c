/* relational_attention_test.c: relational attention against its formula, with a query, key and value for
 * every edge and head, and its gradients against finite differences of that formula; both forms of the
 * scores, both senders of queries; the cost rule and the messages. */
#include "ops_fixture.h"

#include "graph/graph.h"

typedef struct relational_spec {
    uint32_t b, n, h, d, dim;
    bool from_sender, masked, causal;
} relational_spec;

static const relational_spec specs[] = {
    {1, 1, 1, 1, 1, false, false, false}, {2, 4, 2, 3, 5, false, true, false},
    {2, 4, 2, 3, 5, true, true, false},   {1, 5, 3, 2, 3, false, false, true},
    {1, 4, 9, 1, 4, false, true, true},   {1, 3, 2, 2, 17, true, false, true},
};
enum { SPECS = sizeof specs / sizeof specs[0] };

/* Operands as doubles: nodes (b, n, 3, h, d), e (b, n, n, De), weights (3, h, d, De), cotangent (b, n, h, d).
 */
typedef struct relational_numbers {
    double *nodes, *e, *weights, *cotangent;
    const int32_t *mask;
} relational_numbers;

static double dot_edge(const relational_spec *s, const relational_numbers *x, uint32_t part, uint32_t head,
                       uint32_t c, size_t edge) {
    double sum = 0;
    for (uint32_t k = 0; k < s->dim; ++k)
        sum += x->weights[(((size_t)part * s->h + head) * s->d + c) * s->dim + k] * x->e[edge * s->dim + k];
    return sum;
}

/* Component c of the query, key or value (part 0, 1, 2) of i looking at j. */
static double relational_attention_packed(const relational_spec *s, const relational_numbers *x,
                                          uint32_t part, uint32_t b, uint32_t h, uint32_t i, uint32_t j,
                                          uint32_t c) {
    const uint32_t node = part == 0 && !s->from_sender ? i : j;
    const size_t edge = ((size_t)b * s->n + i) * s->n + j;
    return x->nodes[((((size_t)b * s->n + node) * 3 + part) * s->h + h) * s->d + c] +
           dot_edge(s, x, part, h, c, edge);
}

/* out (d) of one node and head. */
static void relational_attention_attend(const relational_spec *s, const relational_numbers *x, uint32_t b,
                                        uint32_t h, uint32_t i, double *out) {
    double total = 0;
    for (uint32_t c = 0; c < s->d; ++c) out[c] = 0;
    for (uint32_t j = 0; j < s->n; ++j) {
        if ((s->masked && x->mask[b * s->n + j] == 0) || (s->causal && j > i)) continue;
        double score = 0;
        for (uint32_t c = 0; c < s->d; ++c)
            score += relational_attention_packed(s, x, 0, b, h, i, j, c) *
                     relational_attention_packed(s, x, 1, b, h, i, j, c);
        const double weight = exp(0.5 * score);
        total += weight;
        for (uint32_t c = 0; c < s->d; ++c)
            out[c] += weight * relational_attention_packed(s, x, 2, b, h, i, j, c);
    }
    for (uint32_t c = 0; c < s->d; ++c) out[c] = total > 0 ? out[c] / total : 0;
}

static double loss(const relational_spec *s, const relational_numbers *x) {
    double sum = 0, out[8];
    for (uint32_t b = 0; b < s->b; ++b)
        for (uint32_t i = 0; i < s->n; ++i)
            for (uint32_t h = 0; h < s->h; ++h) {
                relational_attention_attend(s, x, b, h, i, out);
                for (uint32_t c = 0; c < s->d; ++c)
                    sum += out[c] * x->cotangent[(((size_t)b * s->n + i) * s->h + h) * s->d + c];
            }
    return sum;
}

static double *relational_attention_widen(const fixture *r, uint32_t input) {
    const size_t count = r->bytes[input] / 4;
    double *numbers = calloc(count, sizeof numbers[0]);
    assert_non_null(numbers);
    for (size_t i = 0; i < count; ++i) numbers[i] = (double)((const float *)r->data[input])[i];
    return numbers;
}

/* The graph of one spec: out (b, n, h, d) and the gradients of nodes, e and weights. */
typedef struct relational_graph {
    fixture r;
    relational_numbers numbers;
    quartic_value results[4];
} relational_graph;

static quartic_value relational_attention_part_of(quartic_graph *graph, quartic_value packed_value,
                                                  uint32_t axis, uint32_t part, const quartic_shape *shape) {
    return quartic_reshape(graph, quartic_slice(graph, packed_value, axis, part, 1), shape);
}

static relational_graph relational_attention_build(const relational_spec *s, uint32_t form) {
    relational_graph x = {.r = fixture_begin()};
    quartic_graph *graph = x.r.graph;
    const quartic_shape node = QUARTIC_SHAPE(s->b, s->n, s->h, s->d),
                        weight = QUARTIC_SHAPE(s->h, s->d, s->dim);
    quartic_value nodes = fixture_input(&x.r, QUARTIC_SHAPE(s->b, s->n, 3, s->h, s->d));
    quartic_value e = fixture_input(&x.r, QUARTIC_SHAPE(s->b, s->n, s->n, s->dim));
    quartic_value weights = fixture_input(&x.r, QUARTIC_SHAPE(3, s->h, s->d, s->dim));
    quartic_value cotangent = fixture_input(&x.r, node), mask = {0};
    if (s->masked) mask = fixture_indices(&x.r, QUARTIC_SHAPE(s->b, s->n), 0, 3);
    quartic_value q[3], w[3];
    for (uint32_t part = 0; part < 3; ++part) {
        q[part] = relational_attention_part_of(graph, nodes, 2, part, &node);
        w[part] = relational_attention_part_of(graph, weights, 0, part, &weight);
    }
    const quartic_relational_options options = {
        .scale = 0.5f, .query_from_sender = s->from_sender, .form = form};
    quartic_value maps = quartic_relational_scores(graph, q[0], q[1], e, w[0], w[1], &options);
    maps = quartic_softmax(graph, maps, mask, s->causal);
    x.results[0] = quartic_relational_values(graph, maps, q[2], e, w[2]);
    const quartic_value wrt[] = {nodes, e, weights};
    assert_ok(quartic_graph_gradients(graph, x.results[0], cotangent, wrt, 3, x.results + 1));
    x.numbers = (relational_numbers){relational_attention_widen(&x.r, 0), relational_attention_widen(&x.r, 1),
                                     relational_attention_widen(&x.r, 2), relational_attention_widen(&x.r, 3),
                                     s->masked ? x.r.data[4] : NULL};
    return x;
}

static void destroy(relational_graph *x) {
    free(x->numbers.nodes);
    free(x->numbers.e);
    free(x->numbers.weights);
    free(x->numbers.cotangent);
    fixture_end(&x->r);
}

/* Runs the graph: out, then the gradients of nodes, e and weights, one after the other. */
static float *relational_attention_run(relational_graph *x, const char *device) {
    quartic_value flat[4];
    uint32_t count = 0;
    for (uint32_t k = 0; k < 4; ++k) {
        const quartic_shape shape = quartic_graph_shape(x->r.graph, x->results[k]);
        const uint32_t elements = (uint32_t)quartic_shape_elements(&shape);
        flat[k] = quartic_reshape(x->r.graph, x->results[k], &QUARTIC_SHAPE(elements));
        count += elements;
    }
    float *out = calloc(count, sizeof out[0]);
    assert_non_null(out);
    fixture_run(&x->r, device, quartic_concat(x->r.graph, flat, 4, 0), out);
    return out;
}

static void check_output(const char *device, double tolerance) {
    for (uint32_t k = 0; k < SPECS; ++k)
        for (uint32_t form = 1; form <= 2; ++form) {
            const relational_spec *s = &specs[k];
            relational_graph x = relational_attention_build(s, form);
            float *got = relational_attention_run(&x, device);
            double want[8];
            for (uint32_t b = 0; b < s->b; ++b)
                for (uint32_t i = 0; i < s->n; ++i)
                    for (uint32_t h = 0; h < s->h; ++h) {
                        relational_attention_attend(s, &x.numbers, b, h, i, want);
                        for (uint32_t c = 0; c < s->d; ++c) {
                            const double at = (double)got[(((size_t)b * s->n + i) * s->h + h) * s->d + c];
                            if (!(fabs(at - want[c]) <= tolerance))
                                fail_msg("%s, case %u, form %u: out (%u, %u, %u, %u) is %.9g, not %.9g",
                                         device, k, form, b, i, h, c, at, want[c]);
                        }
                    }
            free(got);
            destroy(&x);
        }
}

static void it_is_the_formula(void **state) {
    (void)state;
    check_output("reference64", 1e-6); /* outputs are stored as float */
    check_output("reference", 2e-5);
    check_output("cpu", 2e-5);
}

static void gradients_equal_finite_differences(void **state) {
    (void)state;
    const double step = 1e-4;
    for (uint32_t k = 0; k < SPECS; ++k)
        for (uint32_t form = 1; form <= 2; ++form) {
            relational_graph x = relational_attention_build(&specs[k], form);
            double *operands[] = {x.numbers.nodes, x.numbers.e, x.numbers.weights};
            float *results = relational_attention_run(&x, "reference64"), *got = results + x.r.bytes[3] / 4;
            for (uint32_t operand = 0; operand < 3; ++operand) {
                for (size_t i = 0; i < x.r.bytes[operand] / 4; ++i) {
                    double *at = &operands[operand][i], kept = *at;
                    *at = kept + step;
                    double want = loss(&specs[k], &x.numbers);
                    *at = kept - step;
                    want = (want - loss(&specs[k], &x.numbers)) / (2 * step);
                    *at = kept;
                    if (!(fabs((double)got[i] - want) <= 2e-6 * (1 + fabs(want))))
                        fail_msg("case %u, form %u, operand %u, element %zu: gradient %.9g, difference %.9g",
                                 k, form, operand, i, (double)got[i], want);
                }
                got += x.r.bytes[operand] / 4;
            }
            free(results);
            destroy(&x);
        }
}

static void the_cheaper_form_is_chosen(void **state) {
    (void)state;
    assert_int_equal(quartic_relational_form(32, 64), QUARTIC_RELATIONAL_EXPANDED);
    assert_int_equal(quartic_relational_form(128, 64), QUARTIC_RELATIONAL_EXPANDED);
    assert_int_equal(quartic_relational_form(129, 64), QUARTIC_RELATIONAL_PER_EDGE);
    assert_int_equal(quartic_relational_form(UINT32_MAX, UINT32_MAX), QUARTIC_RELATIONAL_EXPANDED);
}

/* No value of the graph, gradients included, is as large as a query per edge and head. */
static void nothing_has_a_vector_per_edge_and_head(void **state) {
    (void)state;
    const relational_spec wide = {1, 20, 8, 4, 9, false, false, false};
    relational_graph x = relational_attention_build(&wide, 0);
    const uint64_t most =
        (uint64_t)wide.n * wide.n * wide.dim; /* of e; a query per edge and head has 3.6 times that */
    for (uint32_t k = 0; k < x.r.graph->storage_count; ++k)
        assert_true(x.r.graph->storages[k].elements <= most);
    destroy(&x);
}

static void wrong_shapes_give_messages(void **state) {
    (void)state;
    const quartic_relational_options options = {.scale = 1};
    for (uint32_t wrong = 0; wrong < 3; ++wrong) {
        fixture r = fixture_begin();
        quartic_value q = fixture_input(&r, QUARTIC_SHAPE(2, 3, 2, 4));
        quartic_value e =
            fixture_input(&r, wrong == 0 ? QUARTIC_SHAPE(2, 3, 4, 5) : QUARTIC_SHAPE(2, 3, 3, 5));
        quartic_value w = fixture_input(&r, wrong == 1 ? QUARTIC_SHAPE(8, 5) : QUARTIC_SHAPE(2, 4, 5));
        quartic_value maps = fixture_input(&r, QUARTIC_SHAPE(2, 3, 3, 2));
        quartic_value result = wrong == 2 ? quartic_relational_values(r.graph, maps, q, e, w)
                                          : quartic_relational_scores(r.graph, q, q, e, w, w, &options);
        assert_int_equal(result.id, 0);
        assert_int_equal(quartic_graph_status(r.graph), QUARTIC_SHAPE_MISMATCH);
        const char *parts[] = {"(2, 3, 4, 5)", "(8, 5)", "(2, 3, 3, 2)"};
        assert_non_null(strstr(quartic_error_message(), parts[wrong]));
        fixture_end(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_formula),
        cmocka_unit_test(gradients_equal_finite_differences),
        cmocka_unit_test(the_cheaper_form_is_chosen),
        cmocka_unit_test(nothing_has_a_vector_per_edge_and_head),
        cmocka_unit_test(wrong_shapes_give_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
