/* streams.c (fast): the tuned exchange among heads, linear and by a feedforward, and the feedforward's
 * adjoint; formulas in src/ops/stream_exchange.c and src/ops/stream_feedforward.c.
 *
 * TILE positions of all heads of one batch are copied into a thread's scratch. There every step is a small
 * matrix product (matmul_kernel.h) whose columns are the positions, so a result may lie over its operand.
 * Sums over positions are dot products of a tile. They are added up in double, thread after thread: the same
 * bits for the same number of threads.
 */
#include <math.h>
#include <string.h>

#include "fast/matmul_kernel.h"
#include "fast/parts.h"
#include "lib/functions.h"
#include "ops/stream_feedforward.h"

enum { TILE = 128 };

/* Of a norm: where it is smaller, the squares that it comes from are near the end of the range of floats. */
#define LEAST_FACTOR 1e-17f

/* Operations below which sums are in double, as in matmul.c: small models then come as close to the exact
 * result as float32 can. */
#define IN_DOUBLE_BELOW 1e6

/* result = weight right + add. */
typedef struct mix {
    int64_t rows, depth, columns;
    const float *weight; // (rows, depth) at these strides
    int64_t weight_row, weight_k;
    const float *right; // (depth, TILE)
    const float *add;   // (rows, columns), or NULL
    float *result;      // (rows, columns)
    int64_t result_row; /* of add, too */
} mix;

static void streams_mix_columns(const quartic_matmul_kernels *kernels, const mix *m) {
    for (int64_t first = 0; first < m->columns; first += kernels->width) {
        const int64_t rest = m->columns - first;
        const quartic_matmul_tile tile = {.rows = m->rows,
                                          .columns = rest < kernels->width ? rest : kernels->width,
                                          .k = m->depth,
                                          .a = m->weight,
                                          .a_row = m->weight_row,
                                          .a_k = m->weight_k,
                                          .b = m->right + first,
                                          .b_k = TILE,
                                          .alpha = 1.0f,
                                          .add = m->add == NULL ? NULL : m->add + first,
                                          .c = m->result + first,
                                          .result_row = m->result_row};
        kernels->tile(&tile);
    }
}

/* Where a tile lies. */
typedef struct place {
    int64_t base, columns; /* of its first head's first position; positions that exist */
} place;

static place streams_place(const quartic_stream_extents *e, uint64_t tile) {
    const uint64_t tiles = ((uint64_t)e->positions + TILE - 1) / TILE;
    const int64_t first = (int64_t)(tile % tiles) * TILE, rest = (int64_t)e->positions - first;
    return (place){(int64_t)(tile / tiles) * e->heads * e->positions + first, rest < TILE ? rest : TILE};
}

static uint64_t streams_tiles(const quartic_stream_extents *e) {
    return (uint64_t)e->batch * (((uint64_t)e->positions + TILE - 1) / TILE);
}

/* Copies a tile; positions that do not exist become zeros. */
static void streams_load(const float *x, // (b, h, positions)
                         const quartic_stream_extents *e, place at,
                         float *tile // (h, TILE)
) {
    for (uint32_t h = 0; h < e->heads; ++h) {
        memcpy(tile + (size_t)h * TILE, x + at.base + (int64_t)h * e->positions,
               (size_t)at.columns * sizeof *tile);
        memset(tile + (size_t)h * TILE + at.columns, 0, (size_t)(TILE - at.columns) * sizeof *tile);
    }
}

/* ---- linear ---- */

static size_t streams_exchange_scratch(const quartic_op_call *call, uint32_t threads) {
    return (size_t)threads * call->inputs[0].shape.dims[1] * TILE * sizeof(float);
}

static void streams_exchange_run(const quartic_op_run *run) {
    const uint32_t transpose = ((const stream_exchange_attrs *)run->attrs)->transpose;
    const quartic_stream_extents e = quartic_stream_extents_of(run->inputs[0].layout);
    const uint64_t tiles = streams_tiles(&e), elements = quartic_layout_elements(run->inputs[0].layout);
    const quartic_matmul_kernels *kernels =
        quartic_matmul_kernels_best(2.0 * e.heads * (double)elements < IN_DOUBLE_BELOW);
    const uint32_t parts = quartic_parts(elements, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        float *x = (float *)run->scratch + (size_t)part * e.heads * TILE; // (h, TILE)
        const uint64_t end = quartic_part_begin(tiles, parts, part + 1);
        for (uint64_t tile = quartic_part_begin(tiles, parts, part); tile < end; ++tile) {
            const place at = streams_place(&e, tile);
            streams_load(run->inputs[0].data, &e, at, x);
            const mix product = {.rows = e.heads,
                                 .depth = e.heads,
                                 .columns = at.columns,
                                 .weight = run->inputs[1].data,
                                 .weight_row = transpose ? 1 : e.heads,
                                 .weight_k = transpose ? e.heads : 1,
                                 .right = x,
                                 .result = (float *)run->outputs[0].data + at.base,
                                 .result_row = e.positions};
            streams_mix_columns(kernels, &product);
        }
    }
}

const quartic_fast_kernel quartic_fast_stream_exchange = {
    .op = &quartic_op_stream_exchange, .run = streams_exchange_run, .scratch = streams_exchange_scratch};

/* ---- feedforward ---- */

/* One thread's tiles. */
typedef struct buffers {
    float *factors;        // (TILE): 1 / sqrt(mean x^2 + eps)
    float *x, *t, *dy, *u; // (h, TILE)
    float *s, *d;          // (m, TILE)
    double *z, *dw2;       // (h, m): sums of xhat d^T and of dy a^T
} buffers;

static size_t streams_thread_floats(size_t heads, size_t hidden) {
    return (1 + 4 * heads + 2 * hidden) * TILE;
}

static size_t streams_thread_doubles(size_t heads, size_t hidden) {
    return 2 * heads * hidden;
}

static size_t streams_feedforward_scratch(const quartic_op_call *call, uint32_t threads) {
    const size_t heads = call->inputs[QUARTIC_STREAM_X].shape.dims[1],
                 hidden = call->inputs[QUARTIC_STREAM_W1].shape.dims[0];
    const bool adjoint = call->input_count > QUARTIC_STREAM_DY;
    return threads * (streams_thread_floats(heads, hidden) * sizeof(float) +
                      (adjoint ? streams_thread_doubles(heads, hidden) * sizeof(double) : 0));
}

/* The doubles of all threads lie before the floats. */
static buffers streams_buffers(const quartic_op_run *run, uint32_t parts, uint32_t part, size_t heads,
                               size_t hidden) {
    const bool adjoint = run->input_count > QUARTIC_STREAM_DY;
    const size_t doubles = adjoint ? streams_thread_doubles(heads, hidden) : 0;
    double *sums = (double *)run->scratch + part * doubles;
    float *floats =
        (float *)((double *)run->scratch + parts * doubles) + part * streams_thread_floats(heads, hidden);
    buffers b = {.factors = floats, .z = sums, .dw2 = adjoint ? sums + heads * hidden : sums};
    b.x = b.factors + TILE;
    b.t = b.x + heads * TILE;
    b.dy = b.t + heads * TILE;
    b.u = b.dy + heads * TILE;
    b.s = b.u + heads * TILE;
    b.d = b.s + hidden * TILE;
    return b;
}

/* factors and t = x factor scale of a tile. */
QUARTIC_CLONES
static void streams_normalise(const buffers *b, size_t heads,
                              const float *scale, // (h)
                              float eps) {
    float *factors = b->factors; // (TILE)
    for (size_t c = 0; c < TILE; ++c) factors[c] = 0.0f;
    for (size_t h = 0; h < heads; ++h) {
        const float *x = b->x + h * TILE;
#pragma omp simd
        for (size_t c = 0; c < TILE; ++c) factors[c] += x[c] * x[c];
    }
#pragma omp simd
    for (size_t c = 0; c < TILE; ++c) factors[c] = 1.0f / sqrtf(factors[c] / (float)heads + eps);
    for (size_t c = 0; c < TILE; ++c) {
        if (factors[c] > LEAST_FACTOR) continue; /* its squares are about to overflow, or have */
        double squares = 0;
        for (size_t h = 0; h < heads; ++h) squares += (double)b->x[h * TILE + c] * (double)b->x[h * TILE + c];
        factors[c] = (float)(1 / sqrt(squares / (double)heads + (double)eps));
    }
    for (size_t h = 0; h < heads; ++h) {
        const float *x = b->x + h * TILE, gain = scale[h];
        float *t = b->t + h * TILE;
#pragma omp simd
        for (size_t c = 0; c < TILE; ++c) t[c] = x[c] * factors[c] * gain;
    }
}

/* s = gelu(s). */
QUARTIC_CLONES
static void streams_activate(float *s, // (count)
                             size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; ++i) s[i] = s[i] * approx_normal_cdf(s[i], approx_normal_bell(s[i]));
}

/* d *= gelu'(s), then s = gelu(s). */
QUARTIC_CLONES
static void streams_activate_both(float *s, // (count)
                                  float *d, // (count)
                                  size_t count) {
#pragma omp simd
    for (size_t i = 0; i < count; ++i) {
        const float bell = approx_normal_bell(s[i]), cdf = approx_normal_cdf(s[i], bell);
        d[i] *= cdf + s[i] * (bell * 0.39894228f);
        s[i] *= cdf;
    }
}

/* u becomes dx = dy + factor (u scale - xhat mean(u scale xhat)). */
QUARTIC_CLONES
static void streams_leave(const buffers *b, size_t heads,
                          const float *scale // (h)
) {
    float mean[TILE] = {0};
    const float *factors = b->factors;
    for (size_t h = 0; h < heads; ++h) {
        const float *x = b->x + h * TILE, gain = scale[h];
        float *u = b->u + h * TILE;
#pragma omp simd
        for (size_t c = 0; c < TILE; ++c) {
            u[c] *= gain;
            mean[c] += u[c] * (x[c] * factors[c]);
        }
    }
#pragma omp simd
    for (size_t c = 0; c < TILE; ++c) mean[c] /= (float)heads;
    for (size_t h = 0; h < heads; ++h) {
        const float *x = b->x + h * TILE, *dy = b->dy + h * TILE;
        float *u = b->u + h * TILE;
#pragma omp simd
        for (size_t c = 0; c < TILE; ++c) u[c] = dy[c] + factors[c] * (u[c] - x[c] * factors[c] * mean[c]);
    }
}

/* x becomes xhat. */
QUARTIC_CLONES
static void streams_divide_out(const buffers *b, size_t heads) {
    for (size_t h = 0; h < heads; ++h) {
        float *x = b->x + h * TILE;
#pragma omp simd
        for (size_t c = 0; c < TILE; ++c) x[c] *= b->factors[c];
    }
}

/* sums += left right^T over a tile's positions. */
static void streams_add_dots(const quartic_matmul_kernels *kernels, size_t rows,
                             const float *left, // (rows, TILE)
                             size_t others,
                             const float *right, // (others, TILE)
                             double *sums        // (rows, others)
) {
    enum { STEP = QUARTIC_MATMUL_DOT_TILE };
    float products[STEP * STEP];
    for (size_t r = 0; r < rows; r += STEP)
        for (size_t o = 0; o < others; o += STEP) {
            const size_t height = rows - r < STEP ? rows - r : STEP,
                         width = others - o < STEP ? others - o : STEP;
            kernels->dot((int64_t)height, (int64_t)width, TILE, left + r * TILE, TILE, right + o * TILE, TILE,
                         products);
            for (size_t i = 0; i < height; ++i)
                for (size_t j = 0; j < width; ++j)
                    sums[(r + i) * others + o + j] += (double)products[i * STEP + j];
        }
}

typedef struct job {
    quartic_stream_extents e;
    size_t hidden;
    float eps;
    const float *x, *dy; // (b, h, positions); dy: NULL forward
    const float *scale;  // (h)
    const float *w1;     // (m, h)
    const float *w2;     // (h, m)
    const quartic_matmul_kernels *kernels;
} job;

static job streams_job(const quartic_op_run *run) {
    const stream_feedforward_attrs *attrs = run->attrs;
    job j = {.e = quartic_stream_extents_of(run->inputs[QUARTIC_STREAM_X].layout),
             .hidden = run->inputs[QUARTIC_STREAM_W1].layout->shape.dims[0],
             .eps = attrs->eps,
             .x = run->inputs[QUARTIC_STREAM_X].data,
             .scale = run->inputs[QUARTIC_STREAM_SCALE].data,
             .w1 = run->inputs[QUARTIC_STREAM_W1].data,
             .w2 = run->inputs[QUARTIC_STREAM_W2].data,
             .dy = run->input_count > QUARTIC_STREAM_DY ? run->inputs[QUARTIC_STREAM_DY].data : NULL};
    const double elements = (double)quartic_layout_elements(run->inputs[QUARTIC_STREAM_X].layout);
    j.kernels = quartic_matmul_kernels_best(4.0 * (double)j.hidden * elements < IN_DOUBLE_BELOW);
    return j;
}

/* s = W1 t of the tile at a place. */
static void streams_enter(const job *j, place at, const buffers *b) {
    streams_load(j->x, &j->e, at, b->x);
    streams_normalise(b, j->e.heads, j->scale, j->eps);
    const mix product = {.rows = (int64_t)j->hidden,
                         .depth = j->e.heads,
                         .columns = TILE,
                         .weight = j->w1,
                         .weight_row = j->e.heads,
                         .weight_k = 1,
                         .right = b->t,
                         .result = b->s,
                         .result_row = TILE};
    streams_mix_columns(j->kernels, &product);
}

/* A thread has work for a while in this many elements. */
static uint32_t streams_parts(const quartic_op_run *run) {
    return quartic_parts(4 * quartic_layout_elements(run->inputs[QUARTIC_STREAM_X].layout), run->threads);
}

static void streams_feedforward_run(const quartic_op_run *run) {
    const job j = streams_job(run);
    const uint64_t tiles = streams_tiles(&j.e);
    const uint32_t parts = streams_parts(run);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        const buffers b = streams_buffers(run, parts, part, j.e.heads, j.hidden);
        const uint64_t end = quartic_part_begin(tiles, parts, part + 1);
        for (uint64_t tile = quartic_part_begin(tiles, parts, part); tile < end; ++tile) {
            const place at = streams_place(&j.e, tile);
            streams_enter(&j, at, &b);
            streams_activate(b.s, j.hidden * TILE);
            /* y may lie over x, of which the kernels read each element before they write it. */
            const mix product = {.rows = j.e.heads,
                                 .depth = (int64_t)j.hidden,
                                 .columns = at.columns,
                                 .weight = j.w2,
                                 .weight_row = (int64_t)j.hidden,
                                 .weight_k = 1,
                                 .right = b.s,
                                 .add = j.x + at.base,
                                 .result = (float *)run->outputs[0].data + at.base,
                                 .result_row = j.e.positions};
            streams_mix_columns(j.kernels, &product);
        }
    }
}

/* dx of a tile, and its share of the thread's z and dw2 if weights. */
static void streams_tile_gradient(const job *j, place at, const buffers *b,
                                  float *dx, // (b, h, positions), or NULL
                                  bool weights) {
    const size_t heads = j->e.heads, hidden = j->hidden;
    streams_enter(j, at, b);
    streams_load(j->dy, &j->e, at, b->dy);
    const mix back = {.rows = (int64_t)hidden,
                      .depth = (int64_t)heads,
                      .columns = TILE,
                      .weight = j->w2,
                      .weight_row = 1,
                      .weight_k = (int64_t)hidden,
                      .right = b->dy,
                      .result = b->d,
                      .result_row = TILE};
    streams_mix_columns(j->kernels, &back);
    streams_activate_both(b->s, b->d, hidden * TILE);
    if (dx != NULL) {
        const mix further = {.rows = (int64_t)heads,
                             .depth = (int64_t)hidden,
                             .columns = TILE,
                             .weight = j->w1,
                             .weight_row = 1,
                             .weight_k = (int64_t)heads,
                             .right = b->d,
                             .result = b->u,
                             .result_row = TILE};
        streams_mix_columns(j->kernels, &further);
        streams_leave(b, heads, j->scale);
        for (size_t h = 0; h < heads; ++h)
            memcpy(dx + at.base + (int64_t)h * j->e.positions, b->u + h * TILE,
                   (size_t)at.columns * sizeof *dx);
    }
    if (!weights) return;
    streams_divide_out(b, heads);
    streams_add_dots(j->kernels, heads, b->x, hidden, b->d, b->z);
    streams_add_dots(j->kernels, heads, b->dy, hidden, b->s, b->dw2);
}

/* Adds the threads' sums in their order, and makes the weights' gradients of them. */
static void streams_finish_weights(const job *j, const quartic_op_run *run, uint32_t parts,
                                   const quartic_operand *out) {
    const size_t heads = j->e.heads, hidden = j->hidden, count = 2 * heads * hidden;
    double *sums = run->scratch; // (parts, 2, h, m): z, then dw2
    for (uint32_t part = 1; part < parts; ++part)
        for (size_t k = 0; k < count; ++k) sums[k] += sums[part * count + k];
    float *dscale = out[0].data, *dw1 = out[1].data, *dw2 = out[2].data; // (h), (m, h), (h, m)
    for (size_t h = 0; h < heads; ++h) {
        double total = 0;
        for (size_t m = 0; m < hidden; ++m) {
            const double z = sums[h * hidden + m];
            total += z * (double)j->w1[m * heads + h];
            dw1[m * heads + h] = (float)(z * (double)j->scale[h]);
            dw2[h * hidden + m] = (float)sums[(heads + h) * hidden + m];
        }
        dscale[h] = (float)total;
    }
}

static void streams_feedforward_grad_run(const quartic_op_run *run) {
    const stream_feedforward_attrs *attrs = run->attrs;
    const job j = streams_job(run);
    const uint64_t tiles = streams_tiles(&j.e);
    const uint32_t parts = streams_parts(run);
    const bool weights = attrs->wants & QUARTIC_STREAM_WANT_WEIGHTS;
    const quartic_operand *out = run->outputs;
    float *dx = attrs->wants & QUARTIC_STREAM_WANT_X ? (out++)->data : NULL; // (b, h, positions)
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        const buffers b = streams_buffers(run, parts, part, j.e.heads, j.hidden);
        memset(b.z, 0, streams_thread_doubles(j.e.heads, j.hidden) * sizeof *b.z);
        const uint64_t end = quartic_part_begin(tiles, parts, part + 1);
        for (uint64_t tile = quartic_part_begin(tiles, parts, part); tile < end; ++tile)
            streams_tile_gradient(&j, streams_place(&j.e, tile), &b, dx, weights);
    }
    if (weights) streams_finish_weights(&j, run, parts, out);
}

const quartic_fast_kernel quartic_fast_stream_feedforward = {.op = &quartic_op_stream_feedforward,
                                                             .run = streams_feedforward_run,
                                                             .scratch = streams_feedforward_scratch};
const quartic_fast_kernel quartic_fast_stream_feedforward_grad = {.op = &quartic_op_stream_feedforward_grad,
                                                                  .run = streams_feedforward_grad_run,
                                                                  .scratch = streams_feedforward_scratch};
