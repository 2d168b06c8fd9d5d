/* ops_basic_movement_test.c: copy, concat, pad, diagonal_add, embedding and relative_bias against index
 * formulas written out here, on the reference loops and on the tuned kernels; their gradients; and what infer
 * refuses.
 */
#include "ops_fixture.h"

#include "graph/tape.h"
#include "ops/ops.h"

static const char *const devices[] = {"reference", "cpu"};
enum { DEVICES = 2 };

/* (a, b, c) to (c, b, a) and the middle cut out: 70 x 40 crosses blocks and strips of the transposing row. */
static void copy_follows_strides(void **state) {
    (void)state;
    enum { A = 70, B = 5, C = 40, KEPT = 3 };
    static float got[C * KEPT * A];
    for (int d = 0; d < DEVICES; ++d) {
        fixture r = fixture_begin();
        quartic_value x = fixture_input(&r, QUARTIC_SHAPE(A, B, C));
        quartic_value view =
            quartic_slice(r.graph, quartic_permute(r.graph, x, (const uint32_t[]){2, 1, 0}), 1, 1, KEPT);
        const float *in = r.data[0];
        fixture_run(&r, devices[d], quartic_copy(r.graph, view), got);
        for (size_t c = 0; c < C; ++c)
            for (size_t b = 0; b < KEPT; ++b)
                for (size_t a = 0; a < A; ++a)
                    assert_true(got[(c * KEPT + b) * A + a] == in[(a * B + b + 1) * C + c]);
        fixture_end(&r);
    }
}

/* Remainders of the squares and strips that transposing works in. */
static void copy_transposes_every_size(void **state) {
    (void)state;
    enum { MOST = 1100 * 130 };
    static float got[MOST];
    static const uint32_t rows[] = {1, 2, 3, 4, 5, 16, 17, 63, 65, 1100},
                          columns[] = {1, 2, 4, 7, 16, 33, 130};
    for (size_t a = 0; a < sizeof rows / sizeof rows[0]; ++a)
        for (size_t b = 0; b < sizeof columns / sizeof columns[0]; ++b) {
            fixture r = fixture_begin();
            const size_t m = rows[a], n = columns[b];
            quartic_value x = fixture_input(&r, QUARTIC_SHAPE(columns[b], rows[a]));
            const float *in = r.data[0];
            fixture_run(&r, "cpu",
                        quartic_copy(r.graph, quartic_permute(r.graph, x, (const uint32_t[]){1, 0})), got);
            for (size_t i = 0; i < m; ++i)
                for (size_t j = 0; j < n; ++j)
                    if (got[i * n + j] != in[j * m + i])
                        fail_msg("%zu x %zu: wrong at (%zu, %zu)", m, n, i, j);
            fixture_end(&r);
        }
}

static void copy_repeats_a_broadcast_and_keeps_integers(void **state) {
    (void)state;
    enum { N = 3, M = 33 };
    int32_t got[M * N];
    for (int d = 0; d < DEVICES; ++d) {
        fixture r = fixture_begin();
        quartic_value x = fixture_indices(&r, QUARTIC_SHAPE(N, 1), -2147483647, 0xfffffffeu);
        quartic_value wide = quartic_broadcast(r.graph, x, &QUARTIC_SHAPE(N, M));
        const int32_t *in = r.data[0];
        fixture_run(&r, devices[d],
                    quartic_copy(r.graph, quartic_permute(r.graph, wide, (const uint32_t[]){1, 0})), got);
        for (size_t m = 0; m < M; ++m)
            for (size_t n = 0; n < N; ++n) assert_int_equal(got[m * N + n], in[n]);
        fixture_end(&r);
    }
}

static void concat_joins_strided_parts(void **state) {
    (void)state;
    enum { A = 3, B1 = 4, B2 = 1, C = 17 };
    float got[A * (B1 + B2) * C];
    for (int d = 0; d < DEVICES; ++d) {
        fixture r = fixture_begin();
        quartic_value parts[2] = {fixture_input(&r, QUARTIC_SHAPE(C, B1, A)),
                                  fixture_input(&r, QUARTIC_SHAPE(A, B2, C))};
        const float *first = r.data[0], *second = r.data[1];
        parts[0] = quartic_permute(r.graph, parts[0], (const uint32_t[]){2, 1, 0});
        fixture_run(&r, devices[d], quartic_concat(r.graph, parts, 2, 1), got);
        for (size_t a = 0; a < A; ++a)
            for (size_t b = 0; b < B1 + B2; ++b)
                for (size_t c = 0; c < C; ++c)
                    assert_true(got[(a * (B1 + B2) + b) * C + c] ==
                                (b < B1 ? first[(c * B1 + b) * A + a] : second[a * C + c]));
        fixture_end(&r);
    }
}

static void pad_places_among_zeros(void **state) {
    (void)state;
    enum { A = 5, B = 3, C = 7, START = 2, EXTENT = 6 };
    float got[A * EXTENT * C];
    for (int d = 0; d < DEVICES; ++d) {
        fixture r = fixture_begin();
        quartic_value x = fixture_input(&r, QUARTIC_SHAPE(C, B, A));
        const float *in = r.data[0];
        quartic_value view = quartic_permute(r.graph, x, (const uint32_t[]){2, 1, 0}); /* (a, b, c) */
        fixture_run(&r, devices[d], quartic_pad(r.graph, view, 1, START, EXTENT), got);
        for (size_t a = 0; a < A; ++a)
            for (size_t e = 0; e < EXTENT; ++e)
                for (size_t c = 0; c < C; ++c)
                    assert_true(got[(a * EXTENT + e) * C + c] ==
                                (e >= START && e < START + B ? in[(c * B + e - START) * A + a] : 0.0f));
        fixture_end(&r);
    }
}

static void diagonal_add_changes_the_diagonal_only(void **state) {
    (void)state;
    enum { BATCH = 2, N = 5, D = 3 };
    float got[BATCH * N * N * D];
    for (int d = 0; d < DEVICES; ++d) {
        fixture r = fixture_begin();
        quartic_value e = fixture_input(&r, QUARTIC_SHAPE(BATCH, N, N, D)),
                      x = fixture_input(&r, QUARTIC_SHAPE(BATCH, N, D));
        const float *edges = r.data[0], *nodes = r.data[1];
        fixture_run(&r, devices[d], quartic_diagonal_add(r.graph, e, x), got);
        for (size_t b = 0; b < BATCH; ++b)
            for (size_t i = 0; i < N; ++i)
                for (size_t j = 0; j < N; ++j)
                    for (size_t c = 0; c < D; ++c) {
                        size_t at = ((b * N + i) * N + j) * D + c;
                        assert_true(got[at] == edges[at] + (i == j ? nodes[(b * N + i) * D + c] : 0.0f));
                    }
        fixture_end(&r);
    }
}

/* Forward and table gradient, with indices of -1 among them and rows that nothing hits. */
static void embedding_reads_rows_and_gathers_their_gradient(void **state) {
    (void)state;
    enum { V = 11, D = 37, T = 29 };
    float got[T * D], gradient[V * D];
    for (int d = 0; d < DEVICES; ++d) {
        fixture r = fixture_begin();
        quartic_value table = fixture_input(&r, QUARTIC_SHAPE(V, D));
        quartic_value indices = fixture_indices(&r, QUARTIC_SHAPE(T), -1, V - 1),
                      cotangent = fixture_input(&r, QUARTIC_SHAPE(T, D));
        quartic_value out = quartic_embedding(r.graph, table, indices), wrt;
        assert_ok(quartic_graph_gradients(r.graph, out, cotangent, &table, 1, &wrt));
        const float *rows = r.data[0], *g = r.data[2];
        const int32_t *index = r.data[1];
        ((int32_t *)r.data[1])[3] = -1;
        fixture_run(&r, devices[d], quartic_copy(r.graph, out), got);
        double want[V * D] = {0};
        for (size_t t = 0; t < T; ++t)
            for (size_t c = 0; c < D; ++c) {
                assert_true(got[t * D + c] == (index[t] < 0 ? 0.0f : rows[(size_t)index[t] * D + c]));
                if (index[t] >= 0) want[(size_t)index[t] * D + c] += (double)g[t * D + c];
            }
        fixture_end(&r);
        r = fixture_begin();
        table = fixture_input(&r, QUARTIC_SHAPE(V, D));
        indices = fixture_indices(&r, QUARTIC_SHAPE(T), -1, V - 1);
        ((int32_t *)r.data[1])[3] = -1;
        cotangent = fixture_input(&r, QUARTIC_SHAPE(T, D));
        out = quartic_embedding(r.graph, table, indices);
        assert_ok(quartic_graph_gradients(r.graph, out, cotangent, &table, 1, &wrt));
        fixture_run(&r, devices[d], wrt, gradient);
        for (size_t k = 0; k < V * D; ++k) expect_close((double)gradient[k], want[k], 2e-6, "dtable", k);
        fixture_end(&r);
    }
}

static void embedding_refuses_an_index_beyond_the_table(void **state) {
    (void)state;
    float got[3];
    fixture r = fixture_begin();
    quartic_value table = fixture_input(&r, QUARTIC_SHAPE(4, 1)),
                  indices = fixture_indices(&r, QUARTIC_SHAPE(3), 0, 4);
    ((int32_t *)r.data[1])[1] = 4;
    assert_int_equal(fixture_try(&r, "cpu", quartic_embedding(r.graph, table, indices), got),
                     QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "index 4 at position 1 is beyond a table of 4 rows"));
    fixture_end(&r);
}

static void relative_bias_spreads_and_sums_diagonals(void **state) {
    (void)state;
    enum { N = 9, D = 5, ROWS = 2 * N - 1 };
    float got[N * N * D], gradient[ROWS * D];
    for (int d = 0; d < DEVICES; ++d)
        for (int pass = 0; pass < 2; ++pass) {
            fixture r = fixture_begin();
            quartic_value table = fixture_input(&r, QUARTIC_SHAPE(ROWS, D)),
                          cotangent = fixture_input(&r, QUARTIC_SHAPE(N, N, D));
            quartic_value out = quartic_relative_bias(r.graph, table), wrt;
            assert_ok(quartic_graph_gradients(r.graph, out, cotangent, &table, 1, &wrt));
            const float *rows = r.data[0], *g = r.data[1];
            fixture_run(&r, devices[d], pass == 0 ? out : wrt, pass == 0 ? got : gradient);
            double want[ROWS * D] = {0};
            for (size_t i = 0; i < N; ++i)
                for (size_t j = 0; j < N; ++j)
                    for (size_t c = 0; c < D; ++c) {
                        size_t row = i + N - 1 - j;
                        if (pass == 0) assert_true(got[(i * N + j) * D + c] == rows[row * D + c]);
                        want[row * D + c] += (double)g[(i * N + j) * D + c];
                    }
            for (size_t k = 0; pass == 1 && k < ROWS * D; ++k)
                expect_close((double)gradient[k], want[k], 2e-6, "dtable", k);
            fixture_end(&r);
        }
}

/* One impossible call per op: the status, and a piece of the message that names what is wrong. */
static void impossible_shapes_are_refused_with_a_message(void **state) {
    (void)state;
    for (int k = 0; k < 7; ++k) {
        fixture r = fixture_begin();
        quartic_value x = fixture_input(&r, QUARTIC_SHAPE(4, 3)), y = fixture_input(&r, QUARTIC_SHAPE(4, 5));
        const char *message = "";
        switch (k) {
        case 0:
            quartic_concat(r.graph, (const quartic_value[]){x, y}, 2, 0);
            message = "part 1 has shape (4, 5)";
            break;
        case 1:
            quartic_concat(r.graph, (const quartic_value[]){x, y}, 2, 2);
            message = "along axis 2";
            break;
        case 2:
            quartic_pad(r.graph, x, 1, 3, 5);
            message = "3 elements from 3 on do not fit into an extent of 5";
            break;
        case 3:
            quartic_diagonal_add(r.graph, x, y);
            message = "(.., n, n, D), not (4, 3)";
            break;
        case 4:
            quartic_embedding(r.graph, x, y);
            message = "must be int32, not float32";
            break;
        case 5:
            quartic_relative_bias(r.graph, x);
            message = "2n - 1 rows";
            break;
        default:
            quartic_sum(r.graph, x, 4, 0);
            message = "axes that shape (4, 3) does not have";
            break;
        }
        assert_int_not_equal(quartic_graph_status(r.graph), QUARTIC_OK);
        if (strstr(quartic_error_message(), message) == NULL)
            fail_msg("case %d: \"%s\" is not in \"%s\"", k, message, quartic_error_message());
        fixture_end(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_follows_strides),
        cmocka_unit_test(copy_transposes_every_size),
        cmocka_unit_test(copy_repeats_a_broadcast_and_keeps_integers),
        cmocka_unit_test(concat_joins_strided_parts),
        cmocka_unit_test(pad_places_among_zeros),
        cmocka_unit_test(diagonal_add_changes_the_diagonal_only),
        cmocka_unit_test(embedding_reads_rows_and_gathers_their_gradient),
        cmocka_unit_test(embedding_refuses_an_index_beyond_the_table),
        cmocka_unit_test(relative_bias_spreads_and_sums_diagonals),
        cmocka_unit_test(impossible_shapes_are_refused_with_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
