/* reference.c: triangle attention and its adjoint as plain loops over triangles (i, l, j). Formulas:
 * problem.h.
 *
 * The forward op keeps the scores of one edge, the adjoint one row of a gradient, in double. Every gradient
 * is gathered: for an element of an operand, all triangles on whose edge it lies.
 */
#include "ops/triangle/problem.h"

#include <math.h>

typedef struct triangle {
    uint32_t b, h, i, l, j;
} triangle;

/* A run with its geometry. */
typedef struct triangle_view {
    const quartic_op_run *run;
    quartic_triangle_problem problem;
} triangle_view;

static double triangle_value_at(const triangle_view *view, uint32_t input,
                                const quartic_triangle_operand *operand, const triangle *at,
                                uint32_t component) {
    return quartic_get(&view->run->inputs[input],
                       quartic_triangle_at(operand, at->b, at->h, at->i, at->l, at->j) +
                           operand->component * component);
}

static double triangle_v(const triangle_view *view, const triangle *at, uint32_t c) {
    return triangle_value_at(view, QUARTIC_TRIANGLE_V, &view->problem.v, at, c);
}
static double triangle_v2(const triangle_view *view, const triangle *at, uint32_t c) {
    return view->problem.v2.present ? triangle_value_at(view, QUARTIC_TRIANGLE_V2, &view->problem.v2, at, c)
                                    : 1.0;
}
static double triangle_g(const triangle_view *view, const triangle *at, uint32_t c) {
    return triangle_value_at(view, QUARTIC_TRIANGLE_G, &view->problem.wide, at, c);
}

static bool triangle_sees_pivot(const triangle_view *view, const triangle *at) {
    uint32_t begin, end;
    quartic_triangle_pivots(&view->problem, at->i, at->j, &begin, &end);
    if (at->l < begin || at->l >= end) return false;
    return !view->problem.masked || quartic_get_int(&view->run->inputs[QUARTIC_TRIANGLE_MASK],
                                                    (int64_t)at->b * view->problem.n + at->l) != 0;
}

static double triangle_score(const triangle_view *view, const triangle *at) {
    const quartic_triangle_problem *p = &view->problem;
    double s = 0;
    for (uint32_t c = 0; c < p->d; ++c)
        s += triangle_value_at(view, QUARTIC_TRIANGLE_Q, &p->q, at, c) *
             triangle_value_at(view, QUARTIC_TRIANGLE_K, &p->k, at, c);
    s *= p->scale;
    return p->bias.present ? s + triangle_value_at(view, QUARTIC_TRIANGLE_BIAS, &p->bias, at, 0) : s;
}

/* out and lse of one edge; weights (n). */
static void triangle_attend_edge(const triangle_view *view, triangle at, double *weights) {
    const quartic_triangle_problem *p = &view->problem;
    double largest = -INFINITY, total = 0;
    for (at.l = 0; at.l < p->n; ++at.l)
        if (triangle_sees_pivot(view, &at)) {
            weights[at.l] = triangle_score(view, &at);
            largest = fmax(largest, weights[at.l]);
        }
    for (at.l = 0; at.l < p->n; ++at.l) {
        weights[at.l] = triangle_sees_pivot(view, &at) ? exp(weights[at.l] - largest) : 0.0;
        total += weights[at.l];
    }
    const int64_t edge = quartic_triangle_at(&p->wide, at.b, at.h, at.i, 0, at.j);
    for (uint32_t c = 0; c < p->d; ++c) {
        double sum = 0;
        for (at.l = 0; at.l < p->n; ++at.l)
            if (weights[at.l] != 0)
                sum += weights[at.l] / total * triangle_v(view, &at, c) * triangle_v2(view, &at, c);
        quartic_put(&view->run->outputs[0], edge + c, sum);
    }
    quartic_put(&view->run->outputs[1], quartic_triangle_at(&p->narrow, at.b, at.h, at.i, 0, at.j),
                total == 0 ? 0.0 : largest + log(total));
}

void quartic_triangle_reference(const quartic_op_run *run) {
    const triangle_view view = {run, quartic_triangle_of_run(run)};
    const quartic_triangle_problem *p = &view.problem;
    for (uint32_t b = 0; b < p->batch; ++b)
        for (uint32_t i = 0; i < p->n; ++i)
            for (uint32_t j = 0; j < p->n; ++j)
                for (uint32_t h = 0; h < p->heads; ++h)
                    triangle_attend_edge(&view, (triangle){.b = b, .h = h, .i = i, .j = j}, run->scratch);
}

/* Whether a triangle's edge (i, j) sees its pivot only. */
static bool triangle_sees_one_pivot(const triangle_view *view, triangle at) {
    uint32_t count = 0;
    for (at.l = 0; at.l < view->problem.n && count < 2; ++at.l) count += triangle_sees_pivot(view, &at);
    return count == 1;
}

/* sums (d, or 1 for the bias) += what one triangle adds to the gradient of an input. */
static void triangle_add_to_gradient(const triangle_view *view, const triangle *at, uint32_t input,
                                     double *sums) {
    const quartic_triangle_problem *p = &view->problem;
    const double lse = triangle_value_at(view, QUARTIC_TRIANGLE_LSE, &p->narrow, at, 0);
    const double weight = exp(triangle_score(view, at) - lse);
    double slope = 0; // dA - delta
    for (uint32_t c = 0; c < p->d; ++c)
        slope += triangle_g(view, at, c) * (triangle_v(view, at, c) * triangle_v2(view, at, c) -
                                            triangle_value_at(view, QUARTIC_TRIANGLE_OUT, &p->wide, at, c));
    const double ds = triangle_sees_one_pivot(view, *at) ? 0.0 : weight * slope;
    for (uint32_t c = 0; c < p->d; ++c) switch (input) {
        case QUARTIC_TRIANGLE_Q:
            sums[c] += p->scale * ds * triangle_value_at(view, QUARTIC_TRIANGLE_K, &p->k, at, c);
            break;
        case QUARTIC_TRIANGLE_K:
            sums[c] += p->scale * ds * triangle_value_at(view, QUARTIC_TRIANGLE_Q, &p->q, at, c);
            break;
        case QUARTIC_TRIANGLE_V:
            sums[c] += weight * triangle_g(view, at, c) * triangle_v2(view, at, c);
            break;
        case QUARTIC_TRIANGLE_V2:
            sums[c] += weight * triangle_g(view, at, c) * triangle_v(view, at, c);
            break;
        default:
            break;
        }
    if (input == QUARTIC_TRIANGLE_BIAS) sums[0] += ds;
}

/* The gradient of an input, contiguous in the input's shape. sums (d). */
static void triangle_gather_gradient(const triangle_view *view, uint32_t input,
                                     const quartic_triangle_operand *operand, uint32_t output, double *sums) {
    const quartic_triangle_problem *p = &view->problem;
    const uint32_t width = input == QUARTIC_TRIANGLE_BIAS ? 1 : p->d;
    int64_t position = 0;
    for (uint32_t b = 0; b < p->batch; ++b)
        for (uint32_t row = 0; row < p->n; ++row)
            for (uint32_t column = 0; column < p->n; ++column)
                for (uint32_t h = 0; h < p->heads; ++h) {
                    for (uint32_t c = 0; c < width; ++c) sums[c] = 0;
                    for (uint32_t third = 0; third < p->n; ++third) {
                        const triangle at = {.b = b,
                                             .h = h,
                                             .i = operand->edge == QUARTIC_EDGE_LJ ? third : row,
                                             .l = operand->edge == QUARTIC_EDGE_IJ   ? third
                                                  : operand->edge == QUARTIC_EDGE_IL ? column
                                                                                     : row,
                                             .j = operand->edge == QUARTIC_EDGE_IL ? third : column};
                        if (triangle_sees_pivot(view, &at)) triangle_add_to_gradient(view, &at, input, sums);
                    }
                    for (uint32_t c = 0; c < width; ++c)
                        quartic_put(&view->run->outputs[output], position++, sums[c]);
                }
}

void quartic_triangle_reference_grad(const quartic_op_run *run) {
    const triangle_view view = {run, quartic_triangle_of_run(run)};
    const quartic_triangle_problem *p = &view.problem;
    triangle_gather_gradient(&view, QUARTIC_TRIANGLE_Q, &p->q, QUARTIC_TRIANGLE_DQ, run->scratch);
    triangle_gather_gradient(&view, QUARTIC_TRIANGLE_K, &p->k, QUARTIC_TRIANGLE_DK, run->scratch);
    triangle_gather_gradient(&view, QUARTIC_TRIANGLE_V, &p->v, QUARTIC_TRIANGLE_DV, run->scratch);
    if (p->v2.present)
        triangle_gather_gradient(&view, QUARTIC_TRIANGLE_V2, &p->v2, QUARTIC_TRIANGLE_DLAST, run->scratch);
    if (p->bias.present)
        triangle_gather_gradient(&view, QUARTIC_TRIANGLE_BIAS, &p->bias, QUARTIC_TRIANGLE_DLAST,
                                 run->scratch);
}

size_t quartic_triangle_reference_scratch(const quartic_op_call *call) {
    const quartic_shape *q = &call->inputs[QUARTIC_TRIANGLE_Q].shape;
    const uint32_t n = q->dims[1], d = q->dims[4];
    return (n > d ? n : d) * sizeof(double);
}
