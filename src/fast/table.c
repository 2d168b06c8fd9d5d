/* table.c (fast): tuned embedding, relative_bias, their adjoints, and diagonal_add: whole rows copied and
 * added.
 *
 * The adjoint of embedding gives each thread a range of columns, or of rows where rows are short, and walks
 * the indices once; so nothing is shared and the order of additions is that of the positions.
 */
#include <string.h>

#include "fast/parts.h"
#include "fast/sum.h"
#include "ops/movement.h"

static void embedding_run(const quartic_op_run *run) {
    const quartic_shape *table = &run->inputs[0].layout->shape;
    const float *rows = run->inputs[0].data;      // (entries, width)
    const int32_t *indices = run->inputs[1].data; // (positions)
    float *y = run->outputs[0].data;              // (positions, width)
    uint64_t positions = quartic_layout_elements(run->inputs[1].layout);
    size_t width = table->dims[1];
    uint32_t parts = quartic_parts(positions * width, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        uint64_t end = quartic_part_begin(positions, parts, part + 1);
        for (uint64_t t = quartic_part_begin(positions, parts, part); t < end; ++t) {
            if (indices[t] >= 0 && (uint32_t)indices[t] < table->dims[0])
                memcpy(y + t * width, rows + (size_t)indices[t] * width, width * sizeof *y);
            else
                memset(y + t * width, 0, width * sizeof *y);
        }
    }
}

const quartic_fast_kernel quartic_fast_embedding = {.op = &quartic_op_embedding, .run = embedding_run};

/* Columns [c0, c1) of the rows [v0, v1). */
QUARTIC_CLONES static void embedding_gather_gradients(const float *g,         // (positions, width)
                                                      const int32_t *indices, // (positions)
                                                      int64_t positions, int64_t width, int64_t c0,
                                                      int64_t c1, int64_t v0, int64_t v1,
                                                      float *y // (entries, width)
) {
    for (int64_t v = v0; v < v1; ++v) memset(y + v * width + c0, 0, (size_t)(c1 - c0) * sizeof *y);
    for (int64_t t = 0; t < positions; ++t) {
        int64_t v = indices[t];
        if (v < v0 || v >= v1) continue;
        const float *from = g + t * width; // (width)
        float *row = y + v * width;        // (width)
#pragma omp simd
        for (int64_t c = c0; c < c1; ++c) row[c] += from[c];
    }
}

static void embedding_grad_run(const quartic_op_run *run) {
    enum { LEAST_COLUMNS = 16 };                  /* a cache line */
    const float *g = run->inputs[0].data;         // (positions, width)
    const int32_t *indices = run->inputs[1].data; // (positions)
    int64_t positions = (int64_t)quartic_layout_elements(run->inputs[1].layout);
    int64_t rows = run->outputs[0].layout->shape.dims[0], width = run->outputs[0].layout->shape.dims[1];
    uint32_t parts = quartic_parts((uint64_t)((positions + rows) * width), run->threads);
    bool by_columns = width >= (int64_t)LEAST_COLUMNS * parts;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        int64_t count = by_columns ? width / LEAST_COLUMNS : rows;
        int64_t begin = count * part / parts, end = count * (part + 1) / parts;
        if (by_columns)
            embedding_gather_gradients(g, indices, positions, width, begin * LEAST_COLUMNS,
                                       part + 1 == parts ? width : end * LEAST_COLUMNS, 0, rows,
                                       run->outputs[0].data);
        else
            embedding_gather_gradients(g, indices, positions, width, 0, width, begin, end,
                                       run->outputs[0].data);
    }
}

const quartic_fast_kernel quartic_fast_embedding_grad = {.op = &quartic_op_embedding_grad,
                                                         .run = embedding_grad_run};

static void relative_bias_run(const quartic_op_run *run) {
    const uint32_t *dims = run->outputs[0].layout->shape.dims; /* (i, j, c) */
    const float *table = run->inputs[0].data;                  // (2 n - 1, c)
    float *y = run->outputs[0].data;                           // (i, j, c)
    size_t n = dims[0], width = dims[2];
    uint32_t parts = quartic_parts(n * n * width, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j)
            memcpy(y + (i * n + j) * width, table + (i + n - 1 - j) * width, width * sizeof *y);
}

const quartic_fast_kernel quartic_fast_relative_bias = {.op = &quartic_op_relative_bias,
                                                        .run = relative_bias_run};

static void relative_bias_grad_run(const quartic_op_run *run) {
    const uint32_t *dims = run->inputs[0].layout->shape.dims; /* (i, j, c) */
    const float *g = run->inputs[0].data;                     // (i, j, c)
    float *y = run->outputs[0].data;                          // (2 n - 1, c)
    int64_t n = dims[0], width = dims[2];
    uint32_t parts = quartic_parts((uint64_t)(n * n * width), run->threads);
#pragma omp parallel for num_threads(parts) schedule(dynamic, 8) if (parts > 1)
    for (int64_t row = 0; row < 2 * n - 1; ++row) {
        /* Where the diagonal starts. */
        int64_t i0 = row < n ? 0 : row - (n - 1), j0 = row < n ? n - 1 - row : 0;
        memset(y + row * width, 0, (size_t)width * sizeof *y);
        quartic_fast_add_rows(g + (i0 * n + j0) * width, (n + 1) * width, n - i0 - j0, 1, y + row * width,
                              width);
    }
}

const quartic_fast_kernel quartic_fast_relative_bias_grad = {.op = &quartic_op_relative_bias_grad,
                                                             .run = relative_bias_grad_run};

static void diagonal_add_run(const quartic_op_run *run) {
    const quartic_layout *e = run->inputs[0].layout;
    const float *d = run->inputs[1].data; // (.., i, width)
    float *y = run->outputs[0].data;      // (.., i, j, width)
    int64_t n = e->shape.dims[e->shape.rank - 2], width = e->shape.dims[e->shape.rank - 1];
    int64_t nodes = (int64_t)quartic_layout_elements(e) / (n * width); /* (.., i) */
    if (run->inputs[0].data != run->outputs[0].data)
        quartic_fast_move(run->inputs[0].data, e, y, run->outputs[0].layout, run->threads);
    for (int64_t node = 0; node < nodes; ++node)
        quartic_fast_add_rows(d + node * width, 0, 1, 1, y + (node * n + node % n) * width, width);
}

const quartic_fast_kernel quartic_fast_diagonal_add = {.op = &quartic_op_diagonal_add,
                                                       .run = diagonal_add_run};
