/* hyper.c (fast): hyper_width and hyper_depth with their adjoints, token by token; formulas in
 * src/ops/hyper/hyper_width.c and hyper_depth.c.
 *
 * Threads share the tokens. The weights (gamma + 1) fn lie turned, one row for each of the S + 2 sums, so
 * that every loop runs over a row. The adjoint keeps the sums over tokens of each part in scratch and adds
 * the parts up in order at the end. Rows are scaled as in shaders/lib/hyper.glsl.
 */
#include <math.h>
#include <string.h>

#include "fast/parts.h"
#include "lib/functions.h"
#include "lib/norm.h"
#include "ops/hyper/hyper.h"

enum { HYPER_MOST_SUMS = QUARTIC_HYPER_MOST_STREAMS + 2 };

typedef struct hyper_job {
    hyper_width_attrs attrs;
    hyper_width_extents e;
    const float *x, *static_alpha, *static_beta; /* (tokens, rows, D), (S, S + 1), (S) */
    const float *weights;                        /* (S + 2, D): (gamma + 1) fn */
    float alpha_scale, beta_scale;
    float *branch, *beta, *logits, *kept;                 /* outputs of hyper_width */
    const float *saved, *dbranch, *dbeta, *dkept, *zeros; /* of the adjoint; NULL: left out; zeros (D) */
    float *dx;                                            /* or NULL */
} hyper_job;

/* A row's norm; for equal streams what lib/hyper.glsl calls Equal. */
typedef struct hyper_measure {
    float scale, squares, factor;
    float inverse, rest, size, amount, slope;
    bool clamped;
} hyper_measure;

static hyper_job hyper_job_of(const quartic_op_run *run, const float *weights) {
    hyper_job job = {.attrs = *(const hyper_width_attrs *)run->attrs,
                     .e = hyper_width_extents_of(run->attrs, run->inputs[HYPER_X].layout,
                                                 run->inputs[HYPER_STATIC_BETA].layout),
                     .x = run->inputs[HYPER_X].data,
                     .static_alpha = run->inputs[HYPER_STATIC_ALPHA].data,
                     .static_beta = run->inputs[HYPER_STATIC_BETA].data,
                     .weights = weights};
    job.alpha_scale = *(const float *)run->inputs[HYPER_ALPHA_SCALE].data;
    job.beta_scale = *(const float *)run->inputs[HYPER_BETA_SCALE].data;
    return job;
}

static void fill_hyper_weights(const quartic_op_run *run, const hyper_width_extents *e, float *weights) {
    const float *gamma = run->inputs[HYPER_GAMMA].data, *alpha_fn = run->inputs[HYPER_ALPHA_FN].data,
                *beta_fn = run->inputs[HYPER_BETA_FN].data;
    for (uint32_t k = 0; k < e->sums; ++k)
        for (uint32_t d = 0; d < e->dim; ++d)
            weights[(size_t)k * e->dim + d] =
                (gamma[d] + 1.0f) *
                (k <= e->streams ? alpha_fn[(size_t)d * (e->streams + 1) + k] : beta_fn[d]);
}

QUARTIC_INLINE float hyper_dot(const float *a, const float *b, float scale, uint32_t dim) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (uint32_t d = 0; d < dim; ++d) sum += a[d] * scale * b[d];
    return sum;
}

QUARTIC_INLINE hyper_measure measure_hyper_row(const hyper_job *job, const float *x) {
    const uint32_t dim = job->e.dim;
    hyper_measure m = {.scale = 1.0f};
    float largest = 0, squares = 0;
#pragma omp simd reduction(max : largest)
    for (uint32_t d = 0; d < dim; ++d) largest = fabsf(x[d]) > largest ? fabsf(x[d]) : largest;
    if (largest > (float)QUARTIC_NORM_LARGE)
        m.scale = (float)QUARTIC_NORM_SHRINK;
    else if (job->attrs.equal && largest < (float)QUARTIC_NORM_SMALL)
        m.scale = (float)QUARTIC_NORM_GROW;
    const float scale = m.scale;
#pragma omp simd reduction(+ : squares)
    for (uint32_t d = 0; d < dim; ++d) squares += x[d] * scale * (x[d] * scale);
    const float length = sqrtf(squares), least = (float)QUARTIC_NORM_LEAST_LENGTH * scale;
    m.squares = squares;
    m.clamped = length <= least;
    m.factor = sqrtf((float)dim) / (m.clamped ? least : length);
    return m;
}

/* total: A, the sum of the coefficients that go into the branch. */
static void measure_hyper_equal(const hyper_job *job, float total, hyper_measure *m) {
    const float mean = m->squares / (float)job->e.dim;
    const float eps = (float)QUARTIC_HYPER_DIRECTION_EPS * m->scale * m->scale;
    m->inverse = 1.0f / sqrtf(mean + eps);
    m->rest = eps * m->inverse * m->inverse;
    m->size = mean * m->inverse / m->scale;
    const float a = total * m->size;
    const float f =
        fabsf(a) > (float)QUARTIC_NORM_LARGE ? 1.0f / fabsf(a) : 1.0f / sqrtf(a * a + job->attrs.eps);
    m->amount = a * f;
    m->slope = job->attrs.eps * f * f * f;
}

/* alpha_rt, for equal streams the sum over s; tangent: tanh of its logit. */
static float hyper_alpha(const hyper_job *job, uint32_t row, uint32_t t, float tangent) {
    const uint32_t alphas = job->e.streams + 1;
    const float dynamic = tangent * job->alpha_scale;
    if (!job->attrs.equal) return dynamic + job->static_alpha[row * alphas + t];
    float sum = 0;
    for (uint32_t s = 0; s < job->e.streams; ++s) sum += dynamic + job->static_alpha[s * alphas + t];
    return sum;
}

/* ---- hyper_width ---- */

/* alphas: (rows, S + 1), of the token at hand. */
QUARTIC_CLONES
static void hyper_width_tokens(const hyper_job *job, uint64_t begin, uint64_t end) {
    const hyper_width_extents *e = &job->e;
    const uint32_t dim = e->dim, count = job->attrs.mixes ? e->streams + 1 : 1, last = e->streams + 1;
    float alphas[QUARTIC_HYPER_MOST_STREAMS * (QUARTIC_HYPER_MOST_STREAMS + 1)];
    for (uint64_t token = begin; token < end; ++token) {
        const float *x = job->x + token * e->rows * dim;
        hyper_measure m = {0};
        for (uint32_t r = 0; r < e->rows; ++r) {
            const float *row = x + (size_t)r * dim;
            float *logits = job->logits + (token * e->rows + r) * e->sums;
            m = measure_hyper_row(job, row);
            for (uint32_t k = 0; k < e->sums; ++k)
                logits[k] = m.factor * hyper_dot(row, job->weights + (size_t)k * dim, m.scale, dim);
            for (uint32_t t = 0; t < count; ++t)
                alphas[r * count + t] = hyper_alpha(job, r, t, approx_tanh(logits[t]));
            const float dynamic = approx_tanh(logits[last]) * job->beta_scale;
            for (uint32_t s = 0; s < e->streams / e->rows; ++s)
                job->beta[token * e->streams + r + s] = dynamic + job->static_beta[r + s];
        }
        if (job->attrs.equal) measure_hyper_equal(job, alphas[0], &m);
        for (uint32_t t = 0; t < count; ++t) {
            float *y =
                t == 0 ? job->branch + token * dim : job->kept + (token * e->streams + t - 1) * (size_t)dim;
            const float first = t == 0 && job->attrs.equal ? m.inverse * m.amount : alphas[t];
            const float scale = t == 0 && job->attrs.equal ? m.scale : 1.0f;
#pragma omp simd
            for (uint32_t d = 0; d < dim; ++d) y[d] = x[d] * scale * first;
            for (uint32_t r = 1; r < e->rows; ++r) {
                const float alpha = alphas[r * count + t], *row = x + (size_t)r * dim;
#pragma omp simd
                for (uint32_t d = 0; d < dim; ++d) y[d] += alpha * row[d];
            }
        }
    }
}

static size_t hyper_width_scratch(const quartic_op_call *call, uint32_t threads) {
    (void)threads;
    const hyper_width_extents e =
        hyper_width_extents_of(call->attrs, &call->inputs[HYPER_X], &call->inputs[HYPER_STATIC_BETA]);
    return (size_t)e.sums * e.dim * sizeof(float);
}

static void hyper_width_run(const quartic_op_run *run) {
    hyper_job job = hyper_job_of(run, run->scratch);
    fill_hyper_weights(run, &job.e, run->scratch);
    job.branch = run->outputs[HYPER_BRANCH].data;
    job.beta = run->outputs[HYPER_BETA].data;
    job.logits = run->outputs[HYPER_LOGITS].data;
    if (job.attrs.mixes) job.kept = run->outputs[HYPER_KEPT].data;
    const uint32_t parts = quartic_parts(job.e.tokens * job.e.rows * job.e.dim * job.e.sums, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        hyper_width_tokens(&job, quartic_part_begin(job.e.tokens, parts, p),
                           quartic_part_begin(job.e.tokens, parts, p + 1));
}

/* ---- hyper_width_grad ---- */

/* What a part of the tokens adds up: X (S + 2, D), then dstatic_alpha (S, S + 1), dstatic_beta (S) and the
 * two scales' gradients. And a row (D) to work in. */
static size_t hyper_part_sums(const hyper_width_extents *e) {
    return (size_t)e->sums * e->dim + (size_t)e->streams * (e->streams + 2) + 2;
}
static size_t hyper_part_floats(const hyper_width_extents *e) {
    return hyper_part_sums(e) + e->dim;
}

/* A row's share of the sums; fills alpha (S + 1) and du (S + 2); gives the gradient of equal streams' size.
 */
QUARTIC_INLINE float hyper_row_coefficients(const hyper_job *job, uint64_t token, uint32_t r, const float *x,
                                            hyper_measure *m, float *alpha, float *du, float *sums) {
    const hyper_width_extents *e = &job->e;
    const uint32_t dim = e->dim, alphas = e->streams + 1, counts = e->streams / e->rows;
    const float *saved = job->saved + (token * e->rows + r) * e->sums;
    float *statics = sums + (size_t)e->sums * dim, *betas = statics + e->streams * alphas,
          *scales = betas + e->streams;
    float dsize = 0, dbeta = 0;
    for (uint32_t t = 0; t < alphas; ++t) {
        const float tangent = approx_tanh(saved[t]);
        alpha[t] = hyper_alpha(job, r, t, tangent);
        const float *dm = t == 0 ? job->dbranch : job->dkept;
        const uint64_t at = t == 0 ? token : token * e->streams + t - 1;
        float dalpha = dm == NULL ? 0 : hyper_dot(x, dm + at * dim, m->scale, dim);
        if (t == 0 && job->attrs.equal) {
            measure_hyper_equal(job, alpha[0], m);
            const float da = dalpha * m->inverse * m->slope;
            dalpha = da * m->size;
            dsize = da * alpha[0];
        } else {
            dalpha /= m->scale;
        }
        for (uint32_t s = 0; s < counts; ++s) statics[(r + s) * alphas + t] += dalpha;
        scales[0] += (float)counts * dalpha * tangent;
        du[t] = (float)counts * dalpha * job->alpha_scale * (1.0f - tangent * tangent);
    }
    for (uint32_t s = 0; job->dbeta != NULL && s < counts; ++s) {
        betas[r + s] += job->dbeta[token * e->streams + r + s];
        dbeta += job->dbeta[token * e->streams + r + s];
    }
    const float tangent = approx_tanh(saved[alphas]);
    scales[1] += dbeta * tangent;
    du[alphas] = dbeta * job->beta_scale * (1.0f - tangent * tangent);
    return dsize;
}

/* factor (h - xhat mean(h xhat)) with xhat = c factor; products: the sum of h xhat; see norm_grad.comp. */
QUARTIC_INLINE float hyper_norm_gradient(float c, float h, float squares, float factor, float rest,
                                         float products, float width) {
    const float xhat = c * factor;
    return factor * (h * ((squares - c * c) * (factor * factor / width)) -
                     xhat * ((products - xhat * h) / width) + h * rest);
}

/* h (D): the gradient of the normed row times the norm's weights. dx may lie where x lies. */
QUARTIC_INLINE void hyper_row_gradient(const hyper_job *job, uint64_t token, const float *x,
                                       const hyper_measure *m, float dsize, const float *alpha,
                                       const float *h, float *dx) {
    const hyper_width_extents *e = &job->e;
    const uint32_t dim = e->dim;
    const bool equal = job->attrs.equal, clamped = m->clamped;
    const float width = (float)dim, scale = m->scale, factor = m->factor, squares = m->squares,
                into = alpha[0], amount = m->amount, inverse = m->inverse, rest = m->rest;
    const float *entering = job->dbranch == NULL ? job->zeros : job->dbranch + token * dim;
    const float products = factor * hyper_dot(x, h, scale, dim),
                along = equal ? amount * inverse * hyper_dot(x, entering, scale, dim) : 0,
                size_part = dsize / width * (1.0f + rest);
#pragma omp simd
    for (uint32_t d = 0; d < dim; ++d) {
        const float c = x[d] * scale;
        float sum =
            clamped ? factor * h[d] : hyper_norm_gradient(c, h[d], squares, factor, 0.0f, products, width);
        if (equal) sum += hyper_norm_gradient(c, amount * entering[d], squares, inverse, rest, along, width);
        dx[d] = scale * sum + (equal ? size_part * (c * inverse) : into * entering[d]);
    }
    for (uint32_t t = 1; job->dkept != NULL && t <= e->streams; ++t) {
        const float factor_t = alpha[t], *dm = job->dkept + (token * e->streams + t - 1) * dim;
#pragma omp simd
        for (uint32_t d = 0; d < dim; ++d) dx[d] += factor_t * dm[d];
    }
}

/* sums: of the part, with the row to work in behind them. */
QUARTIC_CLONES
static void hyper_width_grad_tokens(const hyper_job *job, uint64_t begin, uint64_t end, float *sums) {
    const hyper_width_extents *e = &job->e;
    const uint32_t dim = e->dim;
    float alpha[QUARTIC_HYPER_MOST_STREAMS + 1], du[HYPER_MOST_SUMS], *h = sums + hyper_part_sums(e);
    for (uint64_t row = begin * e->rows; row < end * e->rows; ++row) {
        const float *x = job->x + row * dim;
        hyper_measure m = measure_hyper_row(job, x);
        const float dsize =
            hyper_row_coefficients(job, row / e->rows, (uint32_t)(row % e->rows), x, &m, alpha, du, sums);
        for (uint32_t d = 0; d < dim; ++d) h[d] = 0;
        for (uint32_t k = 0; k < e->sums; ++k) {
            const float *weights = job->weights + (size_t)k * dim, share = du[k], spread = m.factor * du[k],
                        scale = m.scale;
            float *sum = sums + (size_t)k * dim;
#pragma omp simd
            for (uint32_t d = 0; d < dim; ++d) {
                h[d] += share * weights[d];
                sum[d] += x[d] * scale * spread;
            }
        }
        if (job->dx != NULL)
            hyper_row_gradient(job, row / e->rows, x, &m, dsize, alpha, h, job->dx + row * dim);
    }
}

/* The weights, a row of zeros, then what each part adds up. */
static size_t hyper_width_grad_scratch(const quartic_op_call *call, uint32_t threads) {
    const hyper_width_extents e =
        hyper_width_extents_of(call->attrs, &call->inputs[HYPER_X], &call->inputs[HYPER_STATIC_BETA]);
    return (((size_t)e.sums + 1) * e.dim + threads * hyper_part_floats(&e)) * sizeof(float);
}

/* sums: of all tokens. */
static void put_hyper_parameters(const quartic_op_run *run, const hyper_width_extents *e, uint32_t first,
                                 const float *sums) {
    const float *gamma = run->inputs[HYPER_GAMMA].data, *alpha_fn = run->inputs[HYPER_ALPHA_FN].data,
                *beta_fn = run->inputs[HYPER_BETA_FN].data;
    const uint32_t alphas = e->streams + 1;
    float *outputs[HYPER_WIDTH_INPUTS] = {NULL};
    for (uint32_t k = HYPER_GAMMA; k < HYPER_WIDTH_INPUTS; ++k)
        outputs[k] = run->outputs[first + k - HYPER_GAMMA].data;
    for (uint32_t d = 0; d < e->dim; ++d) {
        float dgamma = 0;
        for (uint32_t k = 0; k < e->sums; ++k) {
            const float sum = sums[(size_t)k * e->dim + d];
            const size_t at = (size_t)d * alphas + k;
            dgamma += sum * (k < alphas ? alpha_fn[at] : beta_fn[d]);
            *(k < alphas ? &outputs[HYPER_ALPHA_FN][at] : &outputs[HYPER_BETA_FN][d]) =
                (gamma[d] + 1.0f) * sum;
        }
        outputs[HYPER_GAMMA][d] = dgamma;
    }
    const float *statics = sums + (size_t)e->sums * e->dim, *betas = statics + e->streams * alphas;
    memcpy(outputs[HYPER_STATIC_ALPHA], statics, (size_t)e->streams * alphas * sizeof(float));
    memcpy(outputs[HYPER_STATIC_BETA], betas, e->streams * sizeof(float));
    *outputs[HYPER_ALPHA_SCALE] = betas[e->streams];
    *outputs[HYPER_BETA_SCALE] = betas[e->streams + 1];
}

static void hyper_width_grad_run(const quartic_op_run *run) {
    float *weights = run->scratch;
    hyper_job job = hyper_job_of(run, weights);
    const hyper_width_extents *e = &job.e;
    float *zeros = weights + (size_t)e->sums * e->dim, *sums = zeros + e->dim;
    const size_t of_part = hyper_part_floats(e);
    fill_hyper_weights(run, e, weights);
    job.zeros = zeros;
    job.saved = run->inputs[HYPER_SAVED_LOGITS].data;
    job.dbranch = run->inputs[HYPER_BRANCH_GRADIENT].data;
    job.dbeta = run->inputs[HYPER_BETA_GRADIENT].data;
    job.dkept = run->inputs[HYPER_KEPT_GRADIENT].data;
    if (job.attrs.wants & QUARTIC_HYPER_WANT_X) job.dx = run->outputs[0].data;
    const uint32_t parts = quartic_parts(e->tokens * e->rows * e->dim * e->sums, run->threads);
    memset(zeros, 0, (e->dim + parts * of_part) * sizeof(float));
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        hyper_width_grad_tokens(&job, quartic_part_begin(e->tokens, parts, p),
                                quartic_part_begin(e->tokens, parts, p + 1), sums + p * of_part);
    if (!(job.attrs.wants & QUARTIC_HYPER_WANT_PARAMETERS)) return;
    for (uint32_t p = 1; p < parts; ++p)
        for (size_t k = 0; k < hyper_part_sums(e); ++k) sums[k] += sums[p * of_part + k];
    put_hyper_parameters(run, e, job.dx == NULL ? 0 : 1, sums);
}

/* ---- hyper_depth ---- */

typedef struct hyper_depth_job {
    uint64_t tokens;
    uint32_t streams, dim, wants;
    bool equal;
    const float *kept, *beta, *branch, *dy;
    float *y, *dkept, *dbeta, *dbranch;
} hyper_depth_job;

QUARTIC_CLONES
static void hyper_depth_tokens(const hyper_depth_job *job, uint64_t begin, uint64_t end) {
    const uint32_t dim = job->dim;
    for (uint64_t row = begin * job->streams; row < end * job->streams; ++row) {
        const uint64_t token = row / job->streams;
        const float beta = job->beta[row], *branch = job->branch + token * dim;
        const float *kept = job->kept + (job->equal ? token : row) * dim;
        float *y = job->y + row * dim;
#pragma omp simd
        for (uint32_t d = 0; d < dim; ++d) y[d] = kept[d] + beta * branch[d];
    }
}

static void hyper_depth_run(const quartic_op_run *run) {
    const uint32_t *x = run->inputs[HYPER_DEPTH_BRANCH].layout->shape.dims;
    const hyper_depth_job job = {.tokens = (uint64_t)x[0] * x[1],
                                 .streams = run->inputs[HYPER_DEPTH_BETA].layout->shape.dims[2],
                                 .dim = x[2],
                                 .equal = run->inputs[HYPER_DEPTH_KEPT].layout->shape.rank == 3,
                                 .kept = run->inputs[HYPER_DEPTH_KEPT].data,
                                 .beta = run->inputs[HYPER_DEPTH_BETA].data,
                                 .branch = run->inputs[HYPER_DEPTH_BRANCH].data,
                                 .y = run->outputs[0].data};
    const uint32_t parts = quartic_parts(job.tokens * job.streams * job.dim, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        hyper_depth_tokens(&job, quartic_part_begin(job.tokens, parts, p),
                           quartic_part_begin(job.tokens, parts, p + 1));
}

/* target (D) = or += factor row (D) */
QUARTIC_INLINE void hyper_add_row(float *target, const float *row, float factor, bool adds, uint32_t dim) {
    if (adds) {
#pragma omp simd
        for (uint32_t d = 0; d < dim; ++d) target[d] += factor * row[d];
    } else {
#pragma omp simd
        for (uint32_t d = 0; d < dim; ++d) target[d] = factor * row[d];
    }
}

QUARTIC_CLONES
static void hyper_depth_grad_tokens(const hyper_depth_job *job, uint64_t begin, uint64_t end) {
    const uint32_t dim = job->dim;
    for (uint64_t token = begin; token < end; ++token)
        for (uint32_t t = 0; t < job->streams; ++t) {
            const uint64_t row = token * job->streams + t;
            const float *dy = job->dy + row * dim;
            if (job->dbeta != NULL) job->dbeta[row] = hyper_dot(dy, job->branch + token * dim, 1.0f, dim);
            if (job->dbranch != NULL)
                hyper_add_row(job->dbranch + token * dim, dy, job->beta[row], t > 0, dim);
            if (job->dkept != NULL) hyper_add_row(job->dkept + token * dim, dy, 1.0f, t > 0, dim);
        }
}

static void hyper_depth_grad_run(const quartic_op_run *run) {
    const uint32_t wants = ((const hyper_depth_attrs *)run->attrs)->wants;
    const uint32_t *dy = run->inputs[HYPER_DEPTH_DY].layout->shape.dims;
    hyper_depth_job job = {.tokens = (uint64_t)dy[0] * dy[1],
                           .streams = dy[2],
                           .dim = dy[3],
                           .dy = run->inputs[HYPER_DEPTH_DY].data,
                           .beta = run->inputs[HYPER_DEPTH_GRAD_BETA].data,
                           .branch = run->inputs[HYPER_DEPTH_GRAD_BRANCH].data};
    if (wants & QUARTIC_HYPER_WANT_KEPT) job.dkept = run->outputs[0].data;
    if (wants & QUARTIC_HYPER_WANT_BETA)
        job.dbeta = run->outputs[hyper_depth_output(wants, QUARTIC_HYPER_WANT_BETA)].data;
    if (wants & QUARTIC_HYPER_WANT_BRANCH)
        job.dbranch = run->outputs[hyper_depth_output(wants, QUARTIC_HYPER_WANT_BRANCH)].data;
    const uint32_t parts = quartic_parts(2 * job.tokens * job.streams * job.dim, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        hyper_depth_grad_tokens(&job, quartic_part_begin(job.tokens, parts, p),
                                quartic_part_begin(job.tokens, parts, p + 1));
}

const quartic_fast_kernel quartic_fast_hyper_width = {
    .op = &quartic_op_hyper_width, .run = hyper_width_run, .scratch = hyper_width_scratch};
const quartic_fast_kernel quartic_fast_hyper_width_grad = {
    .op = &quartic_op_hyper_width_grad, .run = hyper_width_grad_run, .scratch = hyper_width_grad_scratch};
const quartic_fast_kernel quartic_fast_hyper_depth = {.op = &quartic_op_hyper_depth, .run = hyper_depth_run};
const quartic_fast_kernel quartic_fast_hyper_depth_grad = {.op = &quartic_op_hyper_depth_grad,
                                                           .run = hyper_depth_grad_run};
