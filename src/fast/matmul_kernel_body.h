/* matmul_kernel_body.h: the kernels of matmul_kernel.h, written once, which has the shapes of their operands.
 * matmul_kernel.c includes it for each instruction set, with these macros:
 *
 * NAME(x)   the set's name for x          TARGET    the attribute that selects the set
 * VECTOR    the vector type               LANES     its floats
 * HEIGHT    rows at once: HEIGHT * 2 sums, 2 vectors of B and an element of A fit the registers
 * SPLAT(x)  LOAD(p)  STORE(p, v)  LOAD_PART(p, n)  STORE_PART(p, n, v)  FMA(a, b, c) = a * b + c
 *
 * SUM(v) adds up the lanes. LOAD_PART gives 0 in the lanes beyond n and reads no memory there.
 */

/* rows x (one or two vectors); part: the last vector has `last` valid lanes. All three are constants here. */
TARGET static inline __attribute__((always_inline)) void NAME(tile_of)(const quartic_matmul_tile *t,
                                                                       const int rows, const int vectors,
                                                                       const bool part, int64_t row,
                                                                       int64_t last) {
    VECTOR sums[HEIGHT][2];
    bool far = t->k >= 16; /* long enough for results to come from memory while the products are summed */
    for (int i = 0; i < rows; ++i)
        for (int v = 0; v < vectors; ++v) {
            if (far) __builtin_prefetch(t->c + (row + i) * t->result_row + v * LANES, 1);
            sums[i][v] = SPLAT(0.0f);
        }
    const float *a = t->a + row * t->a_row, *b = t->b; // (rows, k), (k, columns): moved along k
    int64_t a_row = t->a_row;
    for (int64_t k = 0; k < t->k; ++k) {
        VECTOR columns[2];
        for (int v = 0; v < vectors; ++v)
            columns[v] = part && v == vectors - 1 ? LOAD_PART(b + v * LANES, last) : LOAD(b + v * LANES);
        for (int i = 0; i < rows; ++i) {
            VECTOR x = SPLAT(a[i * a_row]);
            for (int v = 0; v < vectors; ++v) sums[i][v] = FMA(x, columns[v], sums[i][v]);
        }
        a += t->a_k;
        b += t->b_k;
    }
    VECTOR alpha = SPLAT(t->alpha);
    for (int v = 0; v < vectors; ++v) {
        bool cut = part && v == vectors - 1;
        VECTOR bias = t->bias == NULL ? SPLAT(0.0f)
                      : cut           ? LOAD_PART(t->bias + v * LANES, last)
                                      : LOAD(t->bias + v * LANES);
        for (int i = 0; i < rows; ++i) {
            int64_t at = (row + i) * t->result_row + v * LANES;
            VECTOR y = FMA(alpha, sums[i][v], bias);
            if (t->add != NULL) y = y + (cut ? LOAD_PART(t->add + at, last) : LOAD(t->add + at));
            if (cut)
                STORE_PART(t->c + at, last, y);
            else
                STORE(t->c + at, y);
        }
    }
}

TARGET static inline __attribute__((always_inline)) void
NAME(rows_of)(const quartic_matmul_tile *t, int64_t row, const int vectors, const bool part, int64_t last) {
    for (; row + HEIGHT <= t->rows; row += HEIGHT) NAME(tile_of)(t, HEIGHT, vectors, part, row, last);
    switch (t->rows - row) {
#define REST(rows)                                                                                           \
    case rows:                                                                                               \
        NAME(tile_of)(t, rows < HEIGHT ? rows : HEIGHT, vectors, part, row, last);                           \
        return
        REST(1);
        REST(2);
        REST(3);
        REST(4);
        REST(5);
        REST(6);
        REST(7);
        REST(8);
        REST(9);
        REST(10);
        REST(11);
#undef REST
    default:
        return;
    }
}

TARGET static void NAME(tile)(const quartic_matmul_tile *t) {
    int64_t last = t->columns % LANES;
    if (t->columns == 2 * LANES)
        NAME(rows_of)(t, 0, 2, false, 0);
    else if (t->columns > LANES)
        NAME(rows_of)(t, 0, 2, true, last);
    else if (t->columns == LANES)
        NAME(rows_of)(t, 0, 1, false, 0);
    else
        NAME(rows_of)(t, 0, 1, true, last);
}

TARGET static inline __attribute__((always_inline)) void NAME(dot_of)(const int rows, const int columns,
                                                                      int64_t k,
                                                                      const float *a, // (rows, k)
                                                                      int64_t a_row,
                                                                      const float *b, // (columns, k)
                                                                      int64_t b_col,
                                                                      float *out // (rows, 4)
) {
    VECTOR sums[QUARTIC_MATMUL_DOT_TILE][QUARTIC_MATMUL_DOT_TILE] = {{{0}}}; /* all: gcc 16 warns otherwise */
    for (int64_t at = 0; at < k; at += LANES) {
        VECTOR x[QUARTIC_MATMUL_DOT_TILE], y[QUARTIC_MATMUL_DOT_TILE];
        if (at + LANES <= k) {
            for (int i = 0; i < rows; ++i) x[i] = LOAD(a + i * a_row + at);
            for (int j = 0; j < columns; ++j) y[j] = LOAD(b + j * b_col + at);
        } else {
            for (int i = 0; i < rows; ++i) x[i] = LOAD_PART(a + i * a_row + at, k - at);
            for (int j = 0; j < columns; ++j) y[j] = LOAD_PART(b + j * b_col + at, k - at);
        }
        for (int i = 0; i < rows; ++i)
            for (int j = 0; j < columns; ++j) sums[i][j] = FMA(x[i], y[j], sums[i][j]);
    }
    for (int i = 0; i < rows; ++i)
        for (int j = 0; j < columns; ++j) out[i * QUARTIC_MATMUL_DOT_TILE + j] = SUM(sums[i][j]);
}

TARGET static void NAME(dot)(int64_t rows, int64_t columns, int64_t k,
                             const float *a, // (rows, k)
                             int64_t a_row,
                             const float *b, // (columns, k)
                             int64_t b_col,
                             float *out // (rows, 4)
) {
    switch (rows * QUARTIC_MATMUL_DOT_TILE + columns) {
#define SIZE(rows, columns)                                                                                  \
    case rows *QUARTIC_MATMUL_DOT_TILE + columns:                                                            \
        NAME(dot_of)(rows, columns, k, a, a_row, b, b_col, out);                                             \
        return;
#define SIZES(rows) SIZE(rows, 1) SIZE(rows, 2) SIZE(rows, 3) SIZE(rows, 4)
        SIZES(1)
        SIZES(2)
        SIZES(3)
        SIZES(4)
#undef SIZES
#undef SIZE
    default:
        return;
    }
}

static const quartic_matmul_kernels NAME(kernels) = {
    .name = KERNELS_NAME, .width = 2 * LANES, .height = HEIGHT, .tile = NAME(tile), .dot = NAME(dot)};
