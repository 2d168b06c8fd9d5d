/* encodings.c: see encodings.h. */
#include "tool/encodings.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

uint32_t encoding_width(node_encoding kind, uint32_t n, uint32_t num_types, uint32_t count) {
    return kind == ENCODING_ROWS ? 2 * n * (num_types > 1 ? num_types - 1 : 0) + n : count;
}

static bool is_real(const uint8_t *mask, uint32_t i) {
    return mask == NULL || mask[i] != 0;
}

static bool is_edge(const int32_t *types, const uint8_t *mask, uint32_t n, uint32_t i, uint32_t j) {
    return is_real(mask, i) && is_real(mask, j) && types[i * n + j] > 0;
}

static void write_rows(const int32_t *types, const uint8_t *mask, uint32_t n, uint32_t num_types,
                       uint32_t stride, float *out_features) {
    const size_t planes = num_types > 1 ? num_types - 1 : 0;
    for (uint32_t i = 0; i < n; ++i) {
        float *row = out_features + (size_t)i * stride, *column = row + planes * n,
              *number = column + planes * n;
        memset(row, 0, (2 * planes + 1) * n * sizeof *row);
        if (!is_real(mask, i)) continue;
        number[i] = 1;
        for (uint32_t j = 0; j < n; ++j) {
            const int32_t out = types[i * n + j], in = types[j * n + i];
            if (is_edge(types, mask, n, i, j)) row[(size_t)(out - 1) * n + j] = 1;
            if (is_edge(types, mask, n, j, i)) column[(size_t)(in - 1) * n + j] = 1;
        }
    }
}

/* out_adjacency (i, j): 1 where there is an edge in either direction, i = j left out. Returns nothing else. */
static void undirected_edges(const int32_t *types, const uint8_t *mask, uint32_t n, double *out_adjacency,
                             double *out_degrees) {
    for (uint32_t i = 0; i < n; ++i) {
        out_degrees[i] = 0;
        for (uint32_t j = 0; j < n; ++j) {
            const bool joined = i != j && (is_edge(types, mask, n, i, j) || is_edge(types, mask, n, j, i));
            out_adjacency[(size_t)i * n + j] = joined;
            out_degrees[i] += joined;
        }
    }
}

static void write_walks(const double *adjacency, const double *degrees, uint32_t n, uint32_t count,
                        uint32_t stride, float *out_features) {
    double *now = tool_alloc(2 * (size_t)n, sizeof *now), *next = now + n; // (n) each: where the walk is
    for (uint32_t i = 0; i < n; ++i) {
        memset(now, 0, n * sizeof *now);
        now[i] = 1;
        for (uint32_t step = 0; step < count; ++step) {
            for (uint32_t j = 0; j < n; ++j) {
                next[j] = 0;
                for (uint32_t l = 0; l < n; ++l)
                    if (adjacency[(size_t)l * n + j] > 0) next[j] += now[l] / degrees[l];
            }
            memcpy(now, next, n * sizeof *now);
            out_features[(size_t)i * stride + step] = (float)now[i];
        }
    }
    free(now);
}

/* Jacobi's method, cyclic: matrix (n, n), symmetric, becomes diagonal; the rows of out_vectors (n, n) become the
 * eigenvectors. */
static void diagonalise(double *matrix, uint32_t n, double *out_vectors) {
    enum { ROUNDS = 60 };
    for (size_t k = 0; k < (size_t)n * n; ++k) out_vectors[k] = k / n == k % n;
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        double off = 0;
        for (uint32_t p = 0; p < n; ++p)
            for (uint32_t q = 0; q < p; ++q) off += pow(matrix[(size_t)p * n + q], 2);
        if (off < 1e-22) return;
        for (uint32_t p = 0; p < n; ++p)
            for (uint32_t q = p + 1; q < n; ++q) {
                const double middle = matrix[(size_t)p * n + q];
                if (fabs(middle) < 1e-300) continue;
                const double theta = (matrix[(size_t)q * n + q] - matrix[(size_t)p * n + p]) / (2 * middle);
                const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
                const double c = 1 / sqrt(t * t + 1), s = t * c;
                for (uint32_t k = 0; k < n; ++k) { /* columns p and q, then rows p and q */
                    const double a = matrix[(size_t)k * n + p], b = matrix[(size_t)k * n + q];
                    matrix[(size_t)k * n + p] = c * a - s * b;
                    matrix[(size_t)k * n + q] = s * a + c * b;
                }
                for (uint32_t k = 0; k < n; ++k) {
                    const double a = matrix[(size_t)p * n + k], b = matrix[(size_t)q * n + k];
                    matrix[(size_t)p * n + k] = c * a - s * b;
                    matrix[(size_t)q * n + k] = s * a + c * b;
                }
                for (uint32_t k = 0; k < n; ++k) {
                    const double a = out_vectors[(size_t)p * n + k], b = out_vectors[(size_t)q * n + k];
                    out_vectors[(size_t)p * n + k] = c * a - s * b;
                    out_vectors[(size_t)q * n + k] = s * a + c * b;
                }
            }
    }
}

/* Padded nodes stand last in the order of eigenvalues: theirs are set beyond the greatest possible, 2. */
static void write_laplacian(double *adjacency, const double *degrees, const uint8_t *mask, uint32_t n,
                            uint32_t count, uint32_t stride, float *out_features) {
    double *vectors = tool_alloc((size_t)n * n, sizeof *vectors);
    uint32_t real = 0;
    for (uint32_t i = 0; i < n; ++i) {
        real += is_real(mask, i);
        for (uint32_t j = 0; j < n; ++j) {
            double *entry = &adjacency[(size_t)i * n + j];
            *entry = *entry > 0 ? -1 / sqrt(degrees[i] * degrees[j]) : 0;
            if (i == j) *entry = is_real(mask, i) ? degrees[i] > 0 : 3;
        }
    }
    diagonalise(adjacency, n, vectors);
    bool *taken = tool_alloc(n, sizeof *taken);
    memset(taken, 0, n * sizeof *taken);
    for (uint32_t k = 0; k <= count; ++k) {
        uint32_t best = n;
        for (uint32_t p = 0; p < n; ++p)
            if (!taken[p] && (best == n || adjacency[(size_t)p * n + p] < adjacency[(size_t)best * n + best]))
                best = p;
        if (best < n) taken[best] = true;
        for (uint32_t i = 0; i < n && k > 0; ++i)
            out_features[(size_t)i * stride + k - 1] =
                k < real && is_real(mask, i) ? (float)(vectors[(size_t)best * n + i] * sqrt(real)) : 0;
    }
    free(taken);
    free(vectors);
}

void encoding_write(node_encoding kind, const int32_t *types, const uint8_t *mask, uint32_t n,
                    uint32_t num_types, uint32_t count, uint32_t stride, float *out_features) {
    if (kind == ENCODING_ROWS) {
        write_rows(types, mask, n, num_types, stride, out_features);
        return;
    }
    double *adjacency = tool_alloc((size_t)n * n, sizeof *adjacency),
           *degrees = tool_alloc(n, sizeof *degrees);
    undirected_edges(types, mask, n, adjacency, degrees);
    if (kind == ENCODING_WALKS)
        write_walks(adjacency, degrees, n, count, stride, out_features);
    else
        write_laplacian(adjacency, degrees, mask, n, count, stride, out_features);
    free(adjacency);
    free(degrees);
}

void encoding_distances(const int32_t *types, const uint8_t *mask, uint32_t n, uint32_t count,
                        int32_t *out_types) {
    uint32_t *steps = tool_alloc((size_t)n * n, sizeof *steps); // (i, j)
    for (uint32_t k = 0; k < n * n; ++k)
        steps[k] = k / n == k % n ? 0 : is_edge(types, mask, n, k / n, k % n) ? 1 : count;
    for (uint32_t l = 0; l < n; ++l) /* Floyd and Warshall */
        for (uint32_t k = 0; k < n * n; ++k) {
            const uint32_t way = steps[k / n * n + l] + steps[l * n + k % n];
            if (way < steps[k]) steps[k] = way;
        }
    for (uint32_t k = 0; k < n * n; ++k) {
        const uint32_t type = types[k] > 0 ? (uint32_t)types[k] : 0,
                       most = steps[k] < count ? steps[k] : count;
        out_types[k] = (int32_t)(type * (count + 1) + most);
    }
    free(steps);
}
