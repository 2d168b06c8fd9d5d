/* hyper_width_reference.c: hyper_width and its adjoint in plain loops; formulas in hyper_width.c. */
#include <math.h>

#include "lib/norm.h"
#include "ops/hyper/hyper.h"

/* One row of residual streams: a stream of a token, or the x of equal streams. */
typedef struct hyper_row {
    int64_t base;
    double squares, factor; /* l2's: xhat = x factor */
    bool clamped;
    double inverse, rest;       /* equal: direction = x inverse; rest: what eps adds to 1 in its adjoint */
    double total, size, amount; /* equal: A, r, and a / sqrt(a^2 + eps) */
    double slope;               /* of amount, in a */
} hyper_row;

static double hyper_get(const quartic_op_run *run, uint32_t input, int64_t position) {
    return quartic_get(&run->inputs[input], position);
}

static hyper_width_extents hyper_extents(const quartic_op_run *run) {
    return hyper_width_extents_of(run->attrs, run->inputs[HYPER_X].layout,
                                  run->inputs[HYPER_STATIC_BETA].layout);
}

/* (gamma_d + 1) fn_dk */
static double hyper_fn(const quartic_op_run *run, const hyper_width_extents *e, uint32_t d, uint32_t k) {
    return k <= e->streams ? hyper_get(run, HYPER_ALPHA_FN, (int64_t)d * (e->streams + 1) + k)
                           : hyper_get(run, HYPER_BETA_FN, d);
}

/* alpha_st; for equal streams the sum over s. u: the row's logits. */
static double hyper_alpha(const quartic_op_run *run, const hyper_width_extents *e, uint32_t row, uint32_t t,
                          const double *u) {
    const hyper_width_attrs *attrs = run->attrs;
    const double dynamic = tanh(u[t]) * hyper_get(run, HYPER_ALPHA_SCALE, 0);
    if (!attrs->equal)
        return dynamic + hyper_get(run, HYPER_STATIC_ALPHA, (int64_t)row * (e->streams + 1) + t);
    double sum = 0;
    for (uint32_t s = 0; s < e->streams; ++s)
        sum += dynamic + hyper_get(run, HYPER_STATIC_ALPHA, (int64_t)s * (e->streams + 1) + t);
    return sum;
}

static hyper_row hyper_measure(const quartic_op_run *run, const hyper_width_extents *e, uint64_t token,
                               uint32_t row) {
    hyper_row r = {.base = (int64_t)((token * e->rows + row) * e->dim)};
    for (uint32_t d = 0; d < e->dim; ++d) {
        const double x = hyper_get(run, HYPER_X, r.base + d);
        r.squares += x * x;
    }
    const double length = sqrt(r.squares);
    r.clamped = length <= QUARTIC_NORM_LEAST_LENGTH;
    r.factor = sqrt(e->dim) / (r.clamped ? QUARTIC_NORM_LEAST_LENGTH : length);
    return r;
}

/* What equal streams need besides: u are the row's logits. */
static void hyper_measure_equal(const quartic_op_run *run, const hyper_width_extents *e, const double *u,
                                hyper_row *r) {
    const double eps = (double)((const hyper_width_attrs *)run->attrs)->eps;
    const double mean = r->squares / e->dim;
    r->inverse = 1.0 / sqrt(mean + QUARTIC_HYPER_DIRECTION_EPS);
    r->rest = QUARTIC_HYPER_DIRECTION_EPS * r->inverse * r->inverse;
    r->total = hyper_alpha(run, e, 0, 0, u);
    r->size = mean * r->inverse;
    const double a = r->total * r->size, f = 1.0 / sqrt(a * a + eps);
    r->amount = a * f;
    r->slope = eps * f * f * f;
}

/* Scratch: the logits of a token's rows (rows, S + 2). */
size_t hyper_width_cpu_scratch(const quartic_op_call *call) {
    const hyper_width_extents e =
        hyper_width_extents_of(call->attrs, &call->inputs[HYPER_X], &call->inputs[HYPER_STATIC_BETA]);
    return sizeof(double) * e.rows * e.sums;
}

void hyper_width_cpu(const quartic_op_run *run) {
    const hyper_width_attrs *attrs = run->attrs;
    const hyper_width_extents e = hyper_extents(run);
    double *u = run->scratch;
    for (uint64_t token = 0; token < e.tokens; ++token) {
        hyper_row row = {0};
        for (uint32_t r = 0; r < e.rows; ++r) {
            row = hyper_measure(run, &e, token, r);
            for (uint32_t k = 0; k < e.sums; ++k) {
                double sum = 0;
                for (uint32_t d = 0; d < e.dim; ++d)
                    sum += hyper_get(run, HYPER_X, row.base + d) * row.factor *
                           (hyper_get(run, HYPER_GAMMA, d) + 1.0) * hyper_fn(run, &e, d, k);
                u[r * e.sums + k] = sum;
                quartic_put(&run->outputs[HYPER_LOGITS], (int64_t)((token * e.rows + r) * e.sums + k), sum);
            }
        }
        for (uint32_t s = 0; s < e.streams; ++s)
            quartic_put(&run->outputs[HYPER_BETA], (int64_t)(token * e.streams + s),
                        tanh(u[(attrs->equal ? 0 : s) * e.sums + e.streams + 1]) *
                                hyper_get(run, HYPER_BETA_SCALE, 0) +
                            hyper_get(run, HYPER_STATIC_BETA, s));
        if (attrs->equal) hyper_measure_equal(run, &e, u, &row);
        for (uint32_t t = 0; t < (attrs->mixes ? e.streams + 1 : 1); ++t)
            for (uint32_t d = 0; d < e.dim; ++d) {
                double sum = 0;
                for (uint32_t r = 0; r < e.rows; ++r)
                    sum += hyper_alpha(run, &e, r, t, u + r * e.sums) *
                           hyper_get(run, HYPER_X, (int64_t)((token * e.rows + r) * e.dim + d));
                if (t == 0 && attrs->equal)
                    sum = hyper_get(run, HYPER_X, row.base + d) * row.inverse * row.amount;
                if (t == 0)
                    quartic_put(&run->outputs[HYPER_BRANCH], (int64_t)(token * e.dim + d), sum);
                else
                    quartic_put(&run->outputs[HYPER_KEPT], (int64_t)((token * e.streams + t - 1) * e.dim + d),
                                sum);
            }
    }
}

/* ---- adjoint ---- */

/* Sums over all tokens, and of the row at hand. */
typedef struct hyper_sums {
    double *x, *alpha, *beta; /* X (D, S + 2), dstatic_alpha (S, S + 1), dstatic_beta (S) */
    double *u, *du, *dalpha;  /* of a row: (S + 2), (S + 2), (S + 1) */
    double alpha_scale, beta_scale;
} hyper_sums;

static hyper_sums hyper_carve(const quartic_op_run *run, const hyper_width_extents *e) {
    hyper_sums sums = {.x = run->scratch};
    sums.alpha = sums.x + (size_t)e->dim * e->sums;
    sums.beta = sums.alpha + (size_t)e->streams * (e->streams + 1);
    sums.u = sums.beta + e->streams;
    sums.du = sums.u + e->sums;
    sums.dalpha = sums.du + e->sums;
    for (double *sum = sums.x; sum < sums.u; ++sum) *sum = 0;
    return sums;
}

size_t hyper_width_grad_cpu_scratch(const quartic_op_call *call) {
    const hyper_width_extents e =
        hyper_width_extents_of(call->attrs, &call->inputs[HYPER_X], &call->inputs[HYPER_STATIC_BETA]);
    return sizeof(double) * ((size_t)e.dim * e.sums + (size_t)e.streams * (e.streams + 2) + 3 * e.sums);
}

/* An element of a gradient that may be left out. */
static double hyper_given(const quartic_op_run *run, uint32_t input, uint64_t position) {
    return run->inputs[input].data == NULL ? 0 : hyper_get(run, input, (int64_t)position);
}

/* dM_t at d */
static double hyper_mixed_gradient(const quartic_op_run *run, const hyper_width_extents *e, uint64_t token,
                                   uint32_t t, uint32_t d) {
    if (t == 0) return hyper_given(run, HYPER_BRANCH_GRADIENT, token * e->dim + d);
    return hyper_given(run, HYPER_KEPT_GRADIENT, (token * e->streams + t - 1) * e->dim + d);
}

/* dalpha and du of a row, their shares of the sums over tokens; gives dr, the gradient of equal streams'
 * size, too. */
static double hyper_coefficient_gradients(const quartic_op_run *run, const hyper_width_extents *e,
                                          uint64_t token, uint32_t r, const hyper_row *row,
                                          hyper_sums *sums) {
    const hyper_width_attrs *attrs = run->attrs;
    const uint32_t last = e->streams + 1, counts = attrs->equal ? e->streams : 1;
    double dsize = 0, dbeta = 0;
    for (uint32_t t = 0; t <= e->streams; ++t) {
        double sum = 0;
        for (uint32_t d = 0; d < e->dim; ++d)
            sum += hyper_mixed_gradient(run, e, token, t, d) * hyper_get(run, HYPER_X, row->base + d);
        if (t == 0 && attrs->equal) {
            const double da = sum * row->inverse * row->slope;
            sum = da * row->size;
            dsize = da * row->total;
        }
        const double tangent = tanh(sums->u[t]);
        sums->dalpha[t] = sum;
        sums->du[t] = counts * sum * hyper_get(run, HYPER_ALPHA_SCALE, 0) * (1 - tangent * tangent);
        sums->alpha_scale += counts * sum * tangent;
        for (uint32_t s = 0; s < counts; ++s)
            sums->alpha[(attrs->equal ? s : r) * (e->streams + 1) + t] += sum;
    }
    for (uint32_t s = 0; s < counts; ++s) {
        const uint32_t stream = attrs->equal ? s : r;
        const double given = hyper_given(run, HYPER_BETA_GRADIENT, token * e->streams + stream);
        sums->beta[stream] += given;
        dbeta += given;
    }
    const double tangent = tanh(sums->u[last]);
    sums->du[last] = dbeta * hyper_get(run, HYPER_BETA_SCALE, 0) * (1 - tangent * tangent);
    sums->beta_scale += dbeta * tangent;
    return dsize;
}

/* h - xhat mean(h xhat) times the norm's factor, written so that the terms of the element itself drop out. */
static double hyper_norm_gradient(double squares, double factor, double rest, uint32_t dim, double x,
                                  double h, double product) {
    const double part = factor * factor / dim;
    return factor * (h * ((squares - x * x) * part) - x * ((product - x * h) * part) + h * rest);
}

static double hyper_h(const quartic_op_run *run, const hyper_width_extents *e, uint32_t d, const double *du) {
    double sum = 0;
    for (uint32_t k = 0; k < e->sums; ++k) sum += du[k] * hyper_fn(run, e, d, k);
    return sum * (hyper_get(run, HYPER_GAMMA, d) + 1.0);
}

static void hyper_row_gradient(const quartic_op_run *run, const hyper_width_extents *e, uint64_t token,
                               uint32_t r, const hyper_row *row, double dsize, const hyper_sums *sums) {
    const hyper_width_attrs *attrs = run->attrs;
    double product = 0, along = 0; /* sums of x h, and of x times the gradient of the direction */
    for (uint32_t d = 0; d < e->dim; ++d) {
        const double x = hyper_get(run, HYPER_X, row->base + d);
        product += x * hyper_h(run, e, d, sums->du);
        along += x * hyper_mixed_gradient(run, e, token, 0, d) * row->amount;
    }
    for (uint32_t d = 0; d < e->dim; ++d) {
        const double x = hyper_get(run, HYPER_X, row->base + d), h = hyper_h(run, e, d, sums->du);
        const double entering = hyper_mixed_gradient(run, e, token, 0, d);
        double dx = row->clamped ? row->factor * h
                                 : hyper_norm_gradient(row->squares, row->factor, 0, e->dim, x, h, product);
        if (attrs->equal)
            dx += hyper_norm_gradient(row->squares, row->inverse, row->rest, e->dim, x,
                                      entering * row->amount, along) +
                  dsize * x * row->inverse / e->dim * (1 + row->rest);
        else
            dx += hyper_alpha(run, e, r, 0, sums->u) * entering;
        for (uint32_t t = 1; t <= e->streams; ++t)
            dx += hyper_alpha(run, e, r, t, sums->u) * hyper_mixed_gradient(run, e, token, t, d);
        quartic_put(&run->outputs[0], row->base + d, dx);
    }
}

static void hyper_put_parameters(const quartic_op_run *run, const hyper_width_extents *e,
                                 const quartic_operand *out, const hyper_sums *sums) {
    const uint32_t alphas = e->streams + 1;
    for (uint32_t d = 0; d < e->dim; ++d) {
        const double *x = sums->x + (size_t)d * e->sums, weight = hyper_get(run, HYPER_GAMMA, d) + 1.0;
        double dgamma = 0;
        for (uint32_t k = 0; k < e->sums; ++k) dgamma += hyper_fn(run, e, d, k) * x[k];
        quartic_put(&out[HYPER_GAMMA - 1], d, dgamma);
        for (uint32_t k = 0; k < alphas; ++k)
            quartic_put(&out[HYPER_ALPHA_FN - 1], (int64_t)d * alphas + k, weight * x[k]);
        quartic_put(&out[HYPER_BETA_FN - 1], d, weight * x[alphas]);
    }
    for (uint32_t k = 0; k < e->streams * alphas; ++k)
        quartic_put(&out[HYPER_STATIC_ALPHA - 1], k, sums->alpha[k]);
    for (uint32_t s = 0; s < e->streams; ++s) quartic_put(&out[HYPER_STATIC_BETA - 1], s, sums->beta[s]);
    quartic_put(&out[HYPER_ALPHA_SCALE - 1], 0, sums->alpha_scale);
    quartic_put(&out[HYPER_BETA_SCALE - 1], 0, sums->beta_scale);
}

void hyper_width_grad_cpu(const quartic_op_run *run) {
    const hyper_width_attrs *attrs = run->attrs;
    const hyper_width_extents e = hyper_extents(run);
    hyper_sums sums = hyper_carve(run, &e);
    const bool wants_x = (attrs->wants & QUARTIC_HYPER_WANT_X) != 0;
    for (uint64_t token = 0; token < e.tokens; ++token)
        for (uint32_t r = 0; r < e.rows; ++r) {
            hyper_row row = hyper_measure(run, &e, token, r);
            for (uint32_t k = 0; k < e.sums; ++k)
                sums.u[k] = hyper_get(run, HYPER_SAVED_LOGITS, (int64_t)((token * e.rows + r) * e.sums + k));
            if (attrs->equal) hyper_measure_equal(run, &e, sums.u, &row);
            const double dsize = hyper_coefficient_gradients(run, &e, token, r, &row, &sums);
            for (uint32_t d = 0; d < e.dim; ++d)
                for (uint32_t k = 0; k < e.sums; ++k)
                    sums.x[(size_t)d * e.sums + k] +=
                        hyper_get(run, HYPER_X, row.base + d) * row.factor * sums.du[k];
            if (wants_x) hyper_row_gradient(run, &e, token, r, &row, dsize, &sums);
        }
    if (attrs->wants & QUARTIC_HYPER_WANT_PARAMETERS)
        hyper_put_parameters(run, &e, run->outputs + (wants_x ? 1 : 0), &sums);
}
