/* tool_encodings_test.c: encodings of nodes and pairs against their definitions, computed in other ways. */
#include "expect.h"

#include <math.h>

#include "quartic/random.h"
#include "tool/encodings.h"

enum { N = 9, TYPES = 4, STEPS = 6, VECTORS = 10, STRIDE = 96 };

/* A sparse directed graph with types 0 to 3, some pairs without a type (-1), and loops. Node N - 1 has no
 * edges. */
static void draw_types(uint64_t seed, int32_t *out_types) {
    for (uint32_t k = 0; k < N * N; ++k) {
        const uint32_t bits = quartic_random_bits(seed, 3, k);
        out_types[k] = bits % 4 != 0 ? -(int32_t)(bits >> 8) % 2 : (int32_t)((bits >> 8) % TYPES);
        if (k / N == N - 1 || k % N == N - 1) out_types[k] = 0;
    }
}

static void write_encoding(node_encoding kind, const int32_t *types, const uint8_t *mask, uint32_t count,
                           float *out_features) {
    for (uint32_t k = 0; k < N * STRIDE; ++k) out_features[k] = 77;
    assert_true(encoding_width(kind, N, TYPES, count) < STRIDE);
    encoding_write(kind, types, mask, N, TYPES, count, STRIDE, out_features);
    for (uint32_t i = 0; i < N; ++i) /* nothing beyond */
        assert_true(out_features[i * STRIDE + encoding_width(kind, N, TYPES, count)] == 77);
}

static void rows_hold_types_and_a_number(void **state) {
    (void)state;
    int32_t types[N * N];
    float features[N * STRIDE];
    draw_types(1, types);
    write_encoding(ENCODING_ROWS, types, NULL, 0, features);
    assert_int_equal(encoding_width(ENCODING_ROWS, N, TYPES, 0), 2 * N * 3 + N);
    for (uint32_t i = 0; i < N; ++i)
        for (uint32_t d = 0; d < 7 * N; ++d) {
            const uint32_t plane = d / N, j = d % N;
            const bool want = plane < 3   ? types[i * N + j] == (int32_t)plane + 1
                              : plane < 6 ? types[j * N + i] == (int32_t)plane - 2
                                          : i == j;
            assert_true(features[i * STRIDE + d] == (want ? 1.0f : 0.0f));
        }
}

static bool joined(const int32_t *types, uint32_t i, uint32_t j) {
    return i != j && (types[i * N + j] > 0 || types[j * N + i] > 0);
}

static uint32_t degree(const int32_t *types, uint32_t i) {
    uint32_t found = 0;
    for (uint32_t j = 0; j < N; ++j) found += joined(types, i, j);
    return found;
}

/* The sum over all walks from i, of the products of their steps' probabilities. */
static double return_probability(const int32_t *types, uint32_t i, uint32_t from, uint32_t steps) {
    if (steps == 0) return i == from;
    double sum = 0;
    for (uint32_t j = 0; j < N; ++j)
        if (joined(types, from, j)) sum += return_probability(types, i, j, steps - 1) / degree(types, from);
    return sum;
}

static void walks_return_as_often_as_all_walks_say(void **state) {
    (void)state;
    int32_t types[N * N];
    float features[N * STRIDE];
    double sum = 0;
    draw_types(2, types);
    write_encoding(ENCODING_WALKS, types, NULL, STEPS, features);
    for (uint32_t i = 0; i < N; ++i)
        for (uint32_t step = 1; step <= STEPS; ++step) {
            const double want = return_probability(types, i, i, step);
            assert_true(fabs((double)features[i * STRIDE + step - 1] - want) < 1e-6);
            sum += want;
        }
    assert_true(sum > 1);
}

/* L v = lambda v, with lambda = v L v / v v; vectors are orthogonal to each other and to the first one, D^(1/2) 1;
 * lambdas rise. */
static void laplacian_vectors_are_eigenvectors(void **state) {
    (void)state;
    int32_t types[N * N];
    float features[N * STRIDE];
    double last = -1e-9;
    draw_types(3, types);
    write_encoding(ENCODING_LAPLACIAN, types, NULL, VECTORS, features);
    for (uint32_t k = 0; k < N - 1; ++k) {
        double v[N], lv[N], lambda = 0, square = 0;
        for (uint32_t i = 0; i < N; ++i) v[i] = (double)features[i * STRIDE + k];
        for (uint32_t i = 0; i < N; ++i) {
            lv[i] = degree(types, i) > 0 ? v[i] : 0;
            for (uint32_t j = 0; j < N; ++j)
                if (joined(types, i, j)) lv[i] -= v[j] / sqrt((double)degree(types, i) * degree(types, j));
            lambda += v[i] * lv[i] / N;
            square += v[i] * v[i] / N;
        }
        assert_true(fabs(square - 1) < 1e-5);
        for (uint32_t i = 0; i < N; ++i) assert_true(fabs(lv[i] - lambda * v[i]) < 1e-5);
        assert_true(lambda > last - 1e-5);
        last = lambda;
        for (uint32_t l = 0; l < k; ++l) {
            double product = 0;
            for (uint32_t i = 0; i < N; ++i)
                product += (double)features[i * STRIDE + k] * (double)features[i * STRIDE + l];
            assert_true(fabs(product) < 1e-5);
        }
    }
    assert_true(last > 1 && last <= 2 + 1e-5);
    for (uint32_t i = 0; i < N; ++i) /* there are no more */
        for (uint32_t k = N - 1; k < VECTORS; ++k) assert_true(features[i * STRIDE + k] == 0);
}

/* The least number of steps of any walk, by breadth first. */
static uint32_t count_steps(const int32_t *types, uint32_t i, uint32_t j, uint32_t most) {
    bool reached[N] = {0};
    reached[i] = true;
    for (uint32_t steps = 0; steps < most; ++steps) {
        bool next[N];
        if (reached[j]) return steps;
        memcpy(next, reached, sizeof next);
        for (uint32_t k = 0; k < N * N; ++k)
            if (reached[k / N] && types[k] > 0) next[k % N] = true;
        memcpy(reached, next, sizeof next);
    }
    return most;
}

static void distances_are_shortest_ways(void **state) {
    (void)state;
    enum { MOST = 3 };
    int32_t types[N * N], with_steps[N * N];
    uint32_t of[MOST + 1] = {0};
    draw_types(4, types);
    encoding_distances(types, NULL, N, MOST, with_steps);
    for (uint32_t k = 0; k < N * N; ++k) {
        const uint32_t steps = count_steps(types, k / N, k % N, MOST);
        assert_int_equal(with_steps[k], (types[k] > 0 ? types[k] : 0) * (MOST + 1) + (int32_t)steps);
        ++of[steps];
    }
    for (uint32_t steps = 0; steps <= MOST; ++steps) assert_true(of[steps] > 0);
}

/* What stands at padded nodes does not matter, and a graph is told as without them. */
static void padding_changes_nothing(void **state) {
    (void)state;
    enum { REAL = 6 };
    const uint8_t mask[N] = {1, 1, 1, 1, 1, 1, 0, 0, 0};
    int32_t types[N * N], other[N * N], left[N * N], right[N * N];
    float features[2][N * STRIDE];
    draw_types(5, types);
    for (uint32_t k = 0; k < N * N; ++k)
        other[k] = k / N < REAL && k % N < REAL ? types[k] : (int32_t)(k % TYPES);
    for (uint32_t kind = 0; kind < NODE_ENCODINGS; ++kind) {
        write_encoding((node_encoding)kind, types, mask, STEPS, features[0]);
        write_encoding((node_encoding)kind, other, mask, STEPS, features[1]);
        assert_memory_equal(features[0], features[1], sizeof features[0]);
        for (uint32_t d = 0; d < encoding_width((node_encoding)kind, N, TYPES, STEPS); ++d)
            for (uint32_t i = REAL; i < N; ++i) assert_true(features[0][i * STRIDE + d] == 0);
    }
    encoding_distances(types, mask, N, STEPS, left);
    encoding_distances(other, mask, N, STEPS, right);
    for (uint32_t k = 0; k < N * N; ++k)
        if (k / N < REAL && k % N < REAL) assert_int_equal(left[k], right[k]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_types_and_a_number),
        cmocka_unit_test(walks_return_as_often_as_all_walks_say),
        cmocka_unit_test(laplacian_vectors_are_eigenvectors),
        cmocka_unit_test(distances_are_shortest_ways),
        cmocka_unit_test(padding_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
