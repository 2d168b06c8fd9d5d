/* routing_test.c: the ops that choose edges: coordinate descent against its definition with whole vectors a
 * and b, top-k with equals, NaN and hidden scores, rows by index and back, the straight-through weight, the
 * pair mask. */
#include "ops_fixture.h"

static const char *const devices[] = {"reference64", "reference", "cpu"};
enum { DEVICES = sizeof devices / sizeof devices[0] };

typedef struct descent_case {
    uint32_t b, m, mask; /* mask: extent, 0 none */
    quartic_coordinate_descent_options options;
} descent_case;

static const descent_case descents[] = {
    {3, 40, 0, {sizeof(quartic_coordinate_descent_options), 9, 20, 0.1f, 0, 1}},
    {2, 17, 0, {sizeof(quartic_coordinate_descent_options), 5, 20, 0.1f, 4, 0.7f}},
    {2,
     17,
     0,
     {sizeof(quartic_coordinate_descent_options), 5, 3, 0.1f, 4, 0.7f}}, /* ends before eps is small */
    {3, 36, 6, {sizeof(quartic_coordinate_descent_options), 11.25f, 20, 0.1f, 0, 1}},
    {2, 33, 33, {sizeof(quartic_coordinate_descent_options), 4, 7, 0.5f, 0, 1}},
    {1, 1, 0, {sizeof(quartic_coordinate_descent_options), 1, 1, 1, 0, 1}},
    {1,
     5,
     0,
     {sizeof(quartic_coordinate_descent_options), 20, 6, 0.3f, 0, 1}}, /* wants more than there are */
};

static bool routing_visible(const descent_case *c, const int32_t *mask, uint32_t b, uint32_t j) {
    if (c->mask == 0) return true;
    mask += (size_t)b * c->mask;
    return c->mask == c->m ? mask[j] != 0 : mask[j / c->mask] != 0 && mask[j % c->mask] != 0;
}

/* The definition, word by word: weights (m) of one row of scores. */
static void define(const descent_case *c, const int32_t *mask, const double *s, uint32_t row,
                   double *weights) {
    double b[64], a = 0, eps = fmax((double)c->options.eps_init, (double)c->options.eps);
    for (uint32_t j = 0; j < c->m; ++j) b[j] = -s[j];
    for (uint32_t t = 0; t < c->options.iterations; ++t) {
        double sum = 0;
        for (uint32_t j = 0; j < c->m; ++j)
            if (routing_visible(c, mask, row, j)) sum += exp((s[j] + b[j]) / eps);
        a = eps * (log((double)c->options.k) - log(sum));
        for (uint32_t j = 0; j < c->m; ++j) b[j] = -fmax(s[j] + a, 0);
        eps = fmax(eps * (double)c->options.eps_decay, (double)c->options.eps);
    }
    for (uint32_t j = 0; j < c->m; ++j)
        weights[j] = routing_visible(c, mask, row, j) ? exp((s[j] + a + b[j]) / eps) : 0;
}

static double weighted(const descent_case *c, const int32_t *mask, const double *s, uint32_t row,
                       const float *g) {
    double weights[64], sum = 0;
    define(c, mask, s, row, weights);
    for (uint32_t j = 0; j < c->m; ++j) sum += weights[j] * (double)g[j];
    return sum;
}

static void coordinate_descent_is_its_definition(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof descents / sizeof descents[0]; ++k)
        for (int device = 0; device < DEVICES; ++device) {
            const descent_case *c = &descents[k];
            fixture r = fixture_begin();
            const quartic_shape shape = QUARTIC_SHAPE(c->b, c->m);
            quartic_value scores = fixture_input(&r, shape), g = fixture_input(&r, shape), mask = {0},
                          gradient;
            if (c->mask != 0) mask = fixture_indices(&r, QUARTIC_SHAPE(c->b, c->mask), 0, 4);
            quartic_value weights = quartic_coordinate_descent(r.graph, scores, mask, &c->options);
            assert_ok(quartic_graph_gradients(r.graph, weights, g, &scores, 1, &gradient));
            const quartic_value both[] = {weights, gradient};
            float got[2 * 128];
            fixture_run(&r, devices[device], quartic_concat(r.graph, both, 2, 0), got); // (2 b, m)
            const int32_t *hidden = c->mask == 0 ? NULL : r.data[2];
            const double bound = device == 0 ? 1e-6 : 1e-5, step = 1e-6;
            for (uint32_t b = 0; b < c->b; ++b) {
                double s[64], want[64];
                const float *row = (const float *)r.data[0] + b * c->m,
                            *g_row = (const float *)r.data[1] + b * c->m;
                for (uint32_t j = 0; j < c->m; ++j) s[j] = (double)row[j];
                define(c, hidden, s, b, want);
                for (uint32_t j = 0; j < c->m; ++j) {
                    const double kept = s[j];
                    expect_close((double)got[b * c->m + j], want[j], bound, devices[device], j);
                    s[j] = kept + step;
                    double slope = weighted(c, hidden, s, b, g_row);
                    s[j] = kept - step;
                    slope = (slope - weighted(c, hidden, s, b, g_row)) / (2 * step);
                    s[j] = kept;
                    expect_close((double)got[(c->b + b) * c->m + j], slope, 40 * bound + 1e-6, "its gradient",
                                 j);
                }
            }
            fixture_end(&r);
        }
}

/* Scores of magnitude 1000: no exponential overflows, and a row without a visible score has no weights. */
static void coordinate_descent_bears_large_scores_and_empty_rows(void **state) {
    (void)state;
    for (int device = 0; device < DEVICES; ++device) {
        fixture r = fixture_begin();
        quartic_value scores = fixture_input(&r, QUARTIC_SHAPE(2, 20));
        quartic_value mask = fixture_indices(&r, QUARTIC_SHAPE(2, 20), 1, 1), gradient, none = {0};
        for (uint32_t j = 0; j < 20; ++j) {
            ((float *)r.data[0])[j] *= 1000;
            ((int32_t *)r.data[1])[20 + j] = 0;
        }
        quartic_coordinate_descent_options options = QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT;
        options.k = 3;
        quartic_value weights = quartic_coordinate_descent(r.graph, scores, mask, &options);
        assert_ok(quartic_graph_gradients(r.graph, weights, none, &scores, 1, &gradient));
        const quartic_value both[] = {weights, gradient};
        float got[80];
        fixture_run(&r, devices[device], quartic_concat(r.graph, both, 2, 0), got);
        float sum = 0;
        for (uint32_t j = 0; j < 80; ++j) assert_true(isfinite(got[j]));
        for (uint32_t j = 0; j < 20; ++j) {
            assert_true(got[j] >= 0.0f && got[j] <= 1.0f);
            sum += got[j];
        }
        assert_true(sum >= 2.999f); /* 20 iterations do not bring so large scores down to 3 */
        for (uint32_t j = 20; j < 40; ++j) assert_true(got[j] == 0 && got[40 + j] == 0);
        fixture_end(&r);
    }
}

static void top_k_orders_equals_signs_and_hidden_scores(void **state) {
    (void)state;
    static const float rows[3][8] = {
        {1, 2, 2, -1, 2, 0, 3, 2},                                /* equals: the lower index wins */
        {-0.0f, 0, -1e30f, -INFINITY, INFINITY, NAN, 0, -1e-40f}, /* -0 equals 0; NaN comes last */
        {5, 4, 3, 2, 1, 0, -1, -2},                               /* two visible, in this row's mask */
    };
    static const int32_t visible_of[3][8] = {
        {1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}, {0, 0, 0, 1, 0, 0, 1, 0}};
    static const int32_t want[3][4] = {{1, 2, 4, 6}, {0, 1, 4, 6}, {0, 1, 3, 6}};
    for (int device = 0; device < DEVICES; ++device) {
        fixture r = fixture_begin();
        quartic_value scores = fixture_input(&r, QUARTIC_SHAPE(3, 8));
        quartic_value mask = fixture_indices(&r, QUARTIC_SHAPE(3, 8), 1, 1);
        memcpy(r.data[0], rows, sizeof rows);
        memcpy(r.data[1], visible_of, sizeof visible_of);
        int32_t got[3][4];
        fixture_run(&r, devices[device], quartic_top_k(r.graph, scores, mask, 4), got);
        assert_memory_equal(got, want, sizeof got);
        fixture_end(&r);
    }
    fixture r = fixture_begin();
    const quartic_value none = {0};
    quartic_value scores = fixture_input(&r, QUARTIC_SHAPE(3, 8));
    assert_int_equal(quartic_top_k(r.graph, scores, none, 9).id, 0);
    assert_int_equal(quartic_graph_status(r.graph), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "the 9 greatest of 8 scores"));
    fixture_end(&r);
}

/* Scores in groups are chosen and weighed as so many rows, but their indices count on over a graph. */
static void groups_choose_for_themselves(void **state) {
    (void)state;
    enum { B = 2, G = 4, M = 7, K = 3 };
    quartic_coordinate_descent_options options = QUARTIC_COORDINATE_DESCENT_OPTIONS_INIT;
    options.k = 2.5f;
    for (int device = 0; device < DEVICES; ++device)
        for (int masked = 0; masked < 2; ++masked) {
            int32_t chosen[2][B * G * K];
            float weights[2][B * G * M];
            for (int grouped = 0; grouped < 2; ++grouped)
                for (int which = 0; which < 2; ++which) {
                    const quartic_shape shape = grouped ? QUARTIC_SHAPE(B, G, M) : QUARTIC_SHAPE(B * G, M);
                    fixture r = fixture_begin();
                    quartic_value scores = fixture_input(&r, shape), mask = {0};
                    if (masked) mask = fixture_indices(&r, shape, 0, 3);
                    if (which)
                        fixture_run(&r, devices[device], quartic_top_k(r.graph, scores, mask, K),
                                    chosen[grouped]);
                    else
                        fixture_run(&r, devices[device],
                                    quartic_coordinate_descent(r.graph, scores, mask, &options),
                                    weights[grouped]);
                    fixture_end(&r);
                }
            assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
            for (uint32_t i = 0; i < B * G * K; ++i)
                assert_int_equal(chosen[1][i], chosen[0][i] + (int32_t)(i / K % G * M));
        }
    static const struct {
        quartic_shape scores, mask;
        const char *words;
    } wrong[] = {{{3, {2, 4, 7}}, {2, {2, 4}}, "must have shape (2, 4, 7)"},
                 {{3, {2, 4, 7}}, {3, {2, 7, 4}}, "must have shape (2, 4, 7)"},
                 {{4, {1, 2, 4, 7}}, {2, {2, 4}}, "needs (batch, scores), or (batch, groups, scores)"}};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k) {
        fixture r = fixture_begin();
        quartic_value scores = fixture_input(&r, wrong[k].scores),
                      mask = fixture_indices(&r, wrong[k].mask, 0, 2);
        assert_int_equal(quartic_top_k(r.graph, scores, mask, 1).id, 0);
        assert_int_not_equal(quartic_graph_status(r.graph), QUARTIC_OK);
        if (strstr(quartic_error_message(), wrong[k].words) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", wrong[k].words, quartic_error_message());
        fixture_end(&r);
    }
}

/* Rows out and back in: x - x[at] at these rows is zero there and x elsewhere; the gradient of the sum that
 * is read back is 1 where it was read. */
static void rows_go_out_and_back(void **state) {
    (void)state;
    static const int32_t indices[2][3] = {{0, 4, 5}, {2, 3, 5}};
    for (int device = 0; device < DEVICES; ++device) {
        fixture r = fixture_begin();
        quartic_value x = fixture_input(&r, QUARTIC_SHAPE(2, 6, 5));
        quartic_value at = fixture_indices(&r, QUARTIC_SHAPE(2, 3), 0, 1), none = {0}, gradient;
        memcpy(r.data[1], indices, sizeof indices);
        quartic_value out = quartic_gather_rows(r.graph, x, at);
        assert_ok(quartic_graph_gradients(r.graph, out, none, &x, 1, &gradient));
        quartic_value back = quartic_scatter_add_rows(r.graph, x, quartic_negate(r.graph, out), at);
        const quartic_value both[] = {back, gradient};
        float got[2][2][6][5];
        fixture_run(&r, devices[device], quartic_concat(r.graph, both, 2, 0), got);
        for (uint32_t b = 0; b < 2; ++b)
            for (uint32_t row = 0; row < 6; ++row) {
                bool chosen = false;
                for (uint32_t k = 0; k < 3; ++k) chosen |= indices[b][k] == (int32_t)row;
                for (uint32_t c = 0; c < 5; ++c) {
                    const float number = ((const float *)r.data[0])[(b * 6 + row) * 5 + c];
                    assert_true(got[0][b][row][c] == (chosen ? 0 : number));
                    assert_true(got[1][b][row][c] == (chosen ? 1 : 0));
                }
            }
        fixture_end(&r);
    }
}

/* Indices in any order, one of them three times: x[at] is read as they stand, and each row's gradient is the
 * sum over its readers. */
static void indices_need_no_order(void **state) {
    (void)state;
    static const int32_t indices[5] = {4, 0, 4, 2, 4};
    for (int device = 0; device < DEVICES; ++device) {
        fixture r = fixture_begin();
        quartic_value x = fixture_input(&r, QUARTIC_SHAPE(1, 6, 2)),
                      g = fixture_input(&r, QUARTIC_SHAPE(1, 5, 2));
        quartic_value at = fixture_indices(&r, QUARTIC_SHAPE(1, 5), 0, 1), gradient;
        memcpy(r.data[2], indices, sizeof indices);
        quartic_value out = quartic_gather_rows(r.graph, x, at);
        assert_ok(quartic_graph_gradients(r.graph, out, g, &x, 1, &gradient));
        const quartic_value both[] = {out, gradient};
        float got[11][2];
        const float(*rows)[2] = r.data[0], (*seeds)[2] = r.data[1];
        fixture_run(&r, devices[device], quartic_concat(r.graph, both, 2, 1), got);
        for (uint32_t c = 0; c < 2; ++c) {
            double want[6] = {0};
            for (uint32_t k = 0; k < 5; ++k) {
                assert_true(got[k][c] == rows[indices[k]][c]);
                want[indices[k]] += (double)seeds[k][c];
            }
            for (uint32_t row = 0; row < 6; ++row)
                assert_true(fabs((double)got[5 + row][c] - want[row]) < 1e-5);
        }
        fixture_end(&r);
    }
}

static void wrong_indices_give_messages(void **state) {
    (void)state;
    static const struct {
        int32_t indices[3];
        const char *words;
    } wrong[] = {{{0, 1, 6}, "index 6 at (0, 2) is none of the 6 rows"}, {{-1, 1, 2}, "index -1 at (0, 0)"}};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k)
        for (int scatter = 0; scatter < 2; ++scatter) {
            fixture r = fixture_begin();
            quartic_value x = fixture_input(&r, QUARTIC_SHAPE(1, 6, 2)),
                          rows = fixture_input(&r, QUARTIC_SHAPE(1, 3, 2));
            quartic_value at = fixture_indices(&r, QUARTIC_SHAPE(1, 3), 0, 1);
            memcpy(r.data[2], wrong[k].indices, sizeof wrong[k].indices);
            float got[12];
            quartic_value result = scatter ? quartic_scatter_add_rows(r.graph, x, rows, at)
                                           : quartic_gather_rows(r.graph, x, at);
            assert_int_equal(fixture_try(&r, "cpu", result, got), QUARTIC_INVALID_ARGUMENT);
            assert_non_null(strstr(quartic_error_message(), wrong[k].words));
            fixture_end(&r);
        }
}

static void straight_through_is_one_with_the_gradient_of_its_operand(void **state) {
    (void)state;
    for (int device = 0; device < DEVICES; ++device) {
        fixture r = fixture_begin();
        quartic_value x = fixture_input(&r, QUARTIC_SHAPE(7)), g = fixture_input(&r, QUARTIC_SHAPE(7)),
                      gradient;
        quartic_value y = quartic_straight_through(r.graph, quartic_square(r.graph, x));
        assert_ok(quartic_graph_gradients(r.graph, y, g, &x, 1, &gradient));
        const quartic_value both[] = {y, gradient};
        float got[14];
        fixture_run(&r, devices[device], quartic_concat(r.graph, both, 2, 0), got);
        for (uint32_t k = 0; k < 7; ++k) {
            assert_true(got[k] == 1);
            expect_close((double)got[7 + k],
                         2 * (double)((float *)r.data[0])[k] * (double)((float *)r.data[1])[k], 1e-5,
                         "gradient", k);
        }
        fixture_end(&r);
    }
}

/* Against its definition, with and without a mask and causality, and what it refuses. */
static void pair_masks_are_their_definition(void **state) {
    (void)state;
    enum { B = 2, N = 5 };
    static const int32_t real[B][N] = {{1, 1, 0, 1, 1}, {0, 1, 1, 1, 0}};
    const quartic_value none = {0};
    for (uint32_t k = 0; k < DEVICES * 4; ++k) {
        const bool causal = k & 1, masked = k & 2;
        fixture r = fixture_begin();
        const quartic_pair_mask_options options = {
            .causal = causal, .batch = masked ? 0 : B, .nodes = masked ? 0 : N};
        const quartic_value mask = masked ? fixture_indices(&r, QUARTIC_SHAPE(B, N), 0, 2) : none;
        if (masked) memcpy(r.data[0], real, sizeof real);
        int32_t got[B][N][N];
        fixture_run(&r, devices[k / 4], quartic_pair_mask(r.graph, mask, &options), got);
        for (uint32_t b = 0; b < B; ++b)
            for (uint32_t i = 0; i < N; ++i)
                for (uint32_t j = 0; j < N; ++j)
                    assert_int_equal(got[b][i][j],
                                     (!masked || (real[b][i] && real[b][j])) && (!causal || j <= i));
        fixture_end(&r);
    }
    static const struct {
        quartic_pair_mask_options options;
        bool masked;
        const char *words;
    } wrong[] = {
        {{sizeof(quartic_pair_mask_options), 1, 0, 5}, false, "without a mask got batch 0 and 5 nodes"},
        {{sizeof(quartic_pair_mask_options), 0, 3, 0}, false, "without a mask got batch 3 and 0 nodes"},
        {{sizeof(quartic_pair_mask_options), 1, 2, 6}, true, "mask of shape (2, 5), but batch 2 and 6 nodes"},
        {{sizeof(quartic_pair_mask_options), 1, 1, 0}, true, "mask of shape (2, 5), but batch 1 and 0 nodes"},
        {{sizeof(quartic_pair_mask_options), 2, 2, 5}, true, "0 or 1, not 2"},
        {{sizeof(quartic_pair_mask_options), 1, 1, 65536},
         false,
         "(1, 65536, 65536), more than the 2147483647 elements"}};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k) {
        fixture r = fixture_begin();
        const quartic_value mask = wrong[k].masked ? fixture_indices(&r, QUARTIC_SHAPE(B, N), 0, 2) : none;
        assert_int_equal(quartic_pair_mask(r.graph, mask, &wrong[k].options).id, 0);
        assert_int_not_equal(quartic_graph_status(r.graph), QUARTIC_OK);
        if (strstr(quartic_error_message(), wrong[k].words) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", wrong[k].words, quartic_error_message());
        fixture_end(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coordinate_descent_is_its_definition),
        cmocka_unit_test(coordinate_descent_bears_large_scores_and_empty_rows),
        cmocka_unit_test(top_k_orders_equals_signs_and_hidden_scores),
        cmocka_unit_test(groups_choose_for_themselves),
        cmocka_unit_test(rows_go_out_and_back),
        cmocka_unit_test(indices_need_no_order),
        cmocka_unit_test(wrong_indices_give_messages),
        cmocka_unit_test(pair_masks_are_their_definition),
        cmocka_unit_test(straight_through_is_one_with_the_gradient_of_its_operand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
