/* norm.c (fast): tuned rms_norm, l2_norm and layer_norm and their adjoints, by rows; formulas in
 * src/ops/norm.c.
 *
 * Threads share the rows. The adjoint keeps the column sums of each part of rows in scratch and adds the
 * parts up in order at the end. A row whose squares leave the range of floats is computed again in double.
 */
#include <math.h>
#include <string.h>

#include "fast/norm_fast.h"
#include "fast/parts.h"

/* Sums of squares below may have lost numbers to underflow. */
#define LEAST_SQUARES 1e-25f

/* All rows share these; weights is scale + offset, or ones. */
typedef struct norm_job {
    norm_attrs attrs;
    uint32_t width;
    const float *x, *dy;  // (rows, width)
    const float *weights; // (width)
    const float *bias;    // (width), or NULL
    const float *addend;  // (rows, width), of dx, or NULL
    float *result;        // (rows, width): y or dx, or NULL
} norm_job;

/* The factor of a row from the sum of its squares around the mean. *out_clamped: the row is shorter than the
 * least length that l2 divides by. */
QUARTIC_INLINE float norm_row_factor(const norm_job *job, float squares, bool *out_clamped) {
    float width = (float)job->width;
    *out_clamped = false;
    if (job->attrs.kind != QUARTIC_NORM_L2) return 1.0f / sqrtf(squares / width + job->attrs.eps);
    const float least = (float)QUARTIC_NORM_LEAST_LENGTH;
    float length = sqrtf(squares);
    *out_clamped = length <= least;
    return sqrtf(width) / (*out_clamped ? least : length);
}

/* Whether a sum of squares neither overflowed nor lost what eps does not make up for. */
QUARTIC_INLINE bool norm_is_safe(const norm_job *job, float squares) {
    const bool eps_holds =
        job->attrs.kind == QUARTIC_NORM_L2 || job->attrs.eps > (float)QUARTIC_NORM_LEAST_EPS;
    return squares < (float)QUARTIC_NORM_GREATEST_SQUARES && (eps_holds || squares > LEAST_SQUARES);
}

/* A row in double: its mean, the squares around it and the factor. */
typedef struct wide_row {
    double mean, squares, factor;
} wide_row;

static wide_row norm_measure_wide(const norm_job *job,
                                  const float *x // (width)
) {
    wide_row row = {0};
    const uint32_t width = job->width;
    for (uint32_t d = 0; d < width && job->attrs.kind == QUARTIC_NORM_LAYER; ++d)
        row.mean += (double)x[d] / width;
    for (uint32_t d = 0; d < width; ++d) row.squares += ((double)x[d] - row.mean) * ((double)x[d] - row.mean);
    row.factor = job->attrs.kind == QUARTIC_NORM_L2 ? sqrt(width / row.squares)
                                                    : 1 / sqrt(row.squares / width + (double)job->attrs.eps);
    return row;
}

static void norm_forward_wide(const norm_job *job,
                              const float *x, // (width)
                              float *y        // (width)
) {
    const wide_row row = norm_measure_wide(job, x);
    for (uint32_t d = 0; d < job->width; ++d) {
        const double normed = ((double)x[d] - row.mean) * row.factor * (double)job->weights[d];
        y[d] = (float)(normed + (job->bias == NULL ? 0 : (double)job->bias[d]));
    }
}

static void norm_adjoint_wide(const norm_job *job,
                              const float *x,      // (width)
                              const float *dy,     // (width)
                              const float *addend, // (width), or NULL
                              float *dx,           // (width), or NULL
                              float *scale_sums,   // (width)
                              float *bias_sums     // (width)
) {
    const wide_row row = norm_measure_wide(job, x);
    const uint32_t width = job->width;
    const bool layer = job->attrs.kind == QUARTIC_NORM_LAYER;
    double mean_h = 0, product = 0;
    for (uint32_t d = 0; d < width && layer; ++d) mean_h += (double)dy[d] * (double)job->weights[d] / width;
    for (uint32_t d = 0; d < width; ++d)
        product += ((double)x[d] - row.mean) * ((double)dy[d] * (double)job->weights[d] - mean_h);
    const double part = row.factor * row.factor / width;
    const double rest =
        job->attrs.kind == QUARTIC_NORM_L2 ? 0 : (double)job->attrs.eps * row.factor * row.factor;
    for (uint32_t d = 0; d < width; ++d) {
        const double c = (double)x[d] - row.mean, h = (double)dy[d] * (double)job->weights[d] - mean_h;
        scale_sums[d] += (float)((double)dy[d] * (c * row.factor));
        if (layer) bias_sums[d] += dy[d];
        if (dx == NULL) continue;
        const double own =
            row.factor * (h * ((row.squares - c * c) * part) - c * ((product - c * h) * part) + h * rest);
        dx[d] = addend == NULL ? (float)own : (float)own + addend[d];
    }
}

QUARTIC_INLINE float norm_mean_of(const float *x, // (width)
                                  uint32_t width) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (uint32_t d = 0; d < width; ++d) sum += x[d];
    return sum / (float)width;
}

QUARTIC_CLONES
static void norm_forward_rows(const norm_job *job, uint64_t begin, uint64_t end) {
    uint32_t width = job->width;
    const float *weights = job->weights, *bias = job->bias;
    for (uint64_t r = begin; r < end; ++r) {
        const float *x = job->x + r * width; // (width)
        float *y = job->result + r * width;  // (width)
        float mean = bias == NULL ? 0 : norm_mean_of(x, width), squares = 0;
        bool clamped;
#pragma omp simd reduction(+ : squares)
        for (uint32_t d = 0; d < width; ++d) squares += (x[d] - mean) * (x[d] - mean);
        float factor = norm_row_factor(job, squares, &clamped);
        if (!norm_is_safe(job, squares)) {
            norm_forward_wide(job, x, y);
        } else if (bias == NULL) {
#pragma omp simd
            for (uint32_t d = 0; d < width; ++d) y[d] = x[d] * factor * weights[d];
        } else {
#pragma omp simd
            for (uint32_t d = 0; d < width; ++d) y[d] = (x[d] - mean) * factor * weights[d] + bias[d];
        }
    }
}

/* dx of a row, if wanted, and its share of the sums of dy * xhat and dy; inlined for layer true and false.
 * src/ops/norm.c says why dx is written this way. */
QUARTIC_INLINE void norm_adjoint_row(const norm_job *job, bool layer,
                                     const float *x,      // (width)
                                     const float *dy,     // (width)
                                     const float *addend, // (width), or NULL
                                     float *dx,           // (width), or NULL
                                     float *scale_sums,   // (width)
                                     float *bias_sums     // (width)
) {
    uint32_t width = job->width;
    const float *weights = job->weights;
    float mean = 0, mean_h = 0, squares = 0, product = 0;
    if (layer) {
        mean = norm_mean_of(x, width);
#pragma omp simd reduction(+ : mean_h)
        for (uint32_t d = 0; d < width; ++d) mean_h += dy[d] * weights[d];
        mean_h /= (float)width;
    }
#pragma omp simd reduction(+ : squares, product)
    for (uint32_t d = 0; d < width; ++d) {
        float c = x[d] - mean;
        squares += c * c;
        product += c * (dy[d] * weights[d] - mean_h);
    }
    if (!norm_is_safe(job, squares)) {
        norm_adjoint_wide(job, x, dy, addend, dx, scale_sums, bias_sums);
        return;
    }
    bool clamped;
    float factor = norm_row_factor(job, squares, &clamped);
#pragma omp simd
    for (uint32_t d = 0; d < width; ++d) {
        scale_sums[d] += dy[d] * ((x[d] - mean) * factor);
        if (layer) bias_sums[d] += dy[d];
    }
    if (dx == NULL) return;
    float part = clamped ? 0 : factor * factor / (float)width;
    float rest = job->attrs.kind != QUARTIC_NORM_L2 ? job->attrs.eps * factor * factor : clamped ? 1 : 0;
    if (addend == NULL) {
#pragma omp simd
        for (uint32_t d = 0; d < width; ++d) {
            float c = x[d] - mean, h = dy[d] * weights[d] - mean_h;
            dx[d] = factor * (h * ((squares - c * c) * part) - c * ((product - c * h) * part) + h * rest);
        }
        return;
    }
#pragma omp simd
    for (uint32_t d = 0; d < width; ++d) {
        float c = x[d] - mean, h = dy[d] * weights[d] - mean_h;
        float own = factor * (h * ((squares - c * c) * part) - c * ((product - c * h) * part) + h * rest);
        dx[d] = own + addend[d];
    }
}

QUARTIC_CLONES
static void norm_adjoint_rows(const norm_job *job, uint64_t begin, uint64_t end,
                              float *scale_sums, // (width)
                              float *bias_sums   // (width)
) {
    uint32_t width = job->width;
    for (uint64_t r = begin; r < end; ++r) {
        const float *x = job->x + r * width, *dy = job->dy + r * width; // (width)
        float *dx = job->result == NULL ? NULL : job->result + r * width;
        const float *addend = job->addend == NULL ? NULL : job->addend + r * width;
        if (job->attrs.kind == QUARTIC_NORM_LAYER)
            norm_adjoint_row(job, true, x, dy, addend, dx, scale_sums, bias_sums);
        else
            norm_adjoint_row(job, false, x, dy, addend, dx, scale_sums, bias_sums);
    }
}

void quartic_fast_norm_rows(const norm_attrs *attrs,
                            const float *weights, // (width)
                            const float *x,       // (rows, width)
                            float *y,             // (rows, width)
                            uint64_t rows, uint32_t width) {
    const norm_job job = {.attrs = *attrs, .width = width, .x = x, .weights = weights, .result = y};
    norm_forward_rows(&job, 0, rows);
}

void quartic_fast_norm_weights(const norm_attrs *attrs,
                               const float *scale, // (width), or NULL
                               uint32_t width,
                               float *weights // (width)
) {
    for (uint32_t d = 0; d < width; ++d) weights[d] = scale == NULL ? 1.0f : scale[d] + attrs->offset;
}

static size_t norm_scratch(const quartic_op_call *call, uint32_t threads) {
    (void)threads;
    return norm_width(&call->inputs[0]) * sizeof(float);
}

static void norm_run(const quartic_op_run *run) {
    const quartic_layout *x = run->inputs[0].layout;
    uint32_t width = norm_width(x);
    uint64_t rows = norm_rows(x);
    norm_job job = {.attrs = *(const norm_attrs *)run->attrs,
                    .width = width,
                    .x = run->inputs[0].data,
                    .weights = run->scratch,
                    .result = run->outputs[0].data};
    if (job.attrs.kind == QUARTIC_NORM_LAYER) job.bias = run->inputs[2].data;
    quartic_fast_norm_weights(&job.attrs, run->inputs[1].data, width, run->scratch);
    uint32_t parts = quartic_parts(rows * width, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        norm_forward_rows(&job, quartic_part_begin(rows, parts, p), quartic_part_begin(rows, parts, p + 1));
}

/* The weights, then two column sums a part. */
static size_t norm_grad_scratch(const quartic_op_call *call, uint32_t threads) {
    return (1 + 2 * (size_t)threads) * norm_width(&call->inputs[0]) * sizeof(float);
}

static void norm_grad_run(const quartic_op_run *run) {
    const quartic_layout *x = run->inputs[0].layout;
    uint32_t width = norm_width(x);
    uint64_t rows = norm_rows(x);
    float *weights = run->scratch; // (width)
    float *sums = weights + width; // (parts, 2, width): of dy * xhat and of dy
    norm_job job = {.attrs = *(const norm_attrs *)run->attrs,
                    .width = width,
                    .x = run->inputs[0].data,
                    .dy = run->inputs[1].data,
                    .addend = run->inputs[NORM_GRAD_ADDEND].data,
                    .weights = weights};
    uint32_t wants = job.attrs.wants;
    if (wants & QUARTIC_NORM_WANT_X) job.result = run->outputs[0].data;
    quartic_fast_norm_weights(&job.attrs, run->inputs[2].data, width, weights);
    uint32_t parts = quartic_parts(2 * rows * width, run->threads);
    memset(sums, 0, 2 * (size_t)parts * width * sizeof(float));
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p) {
        float *mine = sums + 2 * (size_t)p * width; // (2, width)
        norm_adjoint_rows(&job, quartic_part_begin(rows, parts, p), quartic_part_begin(rows, parts, p + 1),
                          mine, mine + width);
    }
    for (uint32_t want = QUARTIC_NORM_WANT_SCALE; want <= QUARTIC_NORM_WANT_BIAS; want *= 2) {
        if (!(wants & want)) continue;
        float *result = run->outputs[norm_output(wants, want)].data; // (width)
        const float *first = sums + (want == QUARTIC_NORM_WANT_BIAS ? width : 0);
        for (uint32_t d = 0; d < width; ++d) {
            float sum = 0;
            for (uint32_t p = 0; p < parts; ++p) sum += first[2 * (size_t)p * width + d];
            result[d] = sum;
        }
    }
}

#define NORM_KERNELS(name)                                                                                   \
    const quartic_fast_kernel quartic_fast_##name = {                                                        \
        .op = &quartic_op_##name, .run = norm_run, .scratch = norm_scratch};                                 \
    const quartic_fast_kernel quartic_fast_##name##_grad = {                                                 \
        .op = &quartic_op_##name##_grad, .run = norm_grad_run, .scratch = norm_grad_scratch};
NORM_KERNELS(rms_norm)
NORM_KERNELS(l2_norm)
NORM_KERNELS(layer_norm)
