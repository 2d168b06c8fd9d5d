/* reference.c: triple attention and its adjoint as plain loops over nodes i, j and pivots l, m. Formulas:
 * problem.h.
 *
 * Scratch holds doubles: forward the scores of one edge, backward the gradients of one head of one graph.
 */
#include <math.h>
#include <string.h>

#include "ops/triple/problem.h"

/* Edge (i, j) of one head of one graph. */
typedef struct triple_view {
    const quartic_op_run *run;
    const quartic_triple_problem *problem;
    uint32_t b, h, i, j;
} triple_view;

static double triple_read(const triple_view *at, uint32_t input, uint32_t row, uint32_t column, uint32_t c) {
    const quartic_triple_operand *operand = &at->problem->operands[input];
    return quartic_get(&at->run->inputs[input],
                       quartic_triple_at(operand, at->b, at->h, row, column) + operand->component * c);
}

static double triple_query(const triple_view *at, uint32_t l, uint32_t c) {
    return at->problem->scale *
           (triple_read(at, QUARTIC_TRIPLE_Q, at->i, l, c) + triple_read(at, QUARTIC_TRIPLE_Q2, l, at->j, c));
}
static double triple_key(const triple_view *at, uint32_t m, uint32_t c) {
    return triple_read(at, QUARTIC_TRIPLE_K, at->i, m, c) + triple_read(at, QUARTIC_TRIPLE_K2, m, at->j, c);
}
static double triple_v(const triple_view *at, uint32_t l, uint32_t c) {
    return triple_read(at, QUARTIC_TRIPLE_V, at->i, l, c);
}
static double triple_v2(const triple_view *at, uint32_t m, uint32_t c) {
    return triple_read(at, QUARTIC_TRIPLE_V2, m, at->j, c);
}

static double triple_score(const triple_view *at, uint32_t l, uint32_t m) {
    double s = triple_read(at, QUARTIC_TRIPLE_BIAS, l, m, 0);
    for (uint32_t c = 0; c < at->problem->d; ++c) s += triple_query(at, l, c) * triple_key(at, m, c);
    return s;
}

static bool triple_sees_pivot(const triple_view *at, uint32_t l) {
    uint32_t begin, end;
    quartic_triple_pivots(at->problem, at->i, at->j, &begin, &end);
    if (l < begin || l >= end) return false;
    return !at->problem->masked ||
           quartic_get_int(&at->run->inputs[QUARTIC_TRIPLE_MASK], (int64_t)at->b * at->problem->n + l) != 0;
}
static bool triple_sees_pair(const triple_view *at, uint32_t l, uint32_t m) {
    return triple_sees_pivot(at, l) && triple_sees_pivot(at, m) && quartic_triple_follows(at->problem, l, m);
}

static void triple_attend_edge(const triple_view *at) {
    const quartic_triple_problem *p = at->problem;
    const uint32_t n = p->n;
    double *weights = at->run->scratch; // (n, n)
    double largest = -INFINITY, total = 0;
    for (uint32_t l = 0; l < n; ++l)
        for (uint32_t m = 0; m < n; ++m)
            if (triple_sees_pair(at, l, m)) {
                weights[l * n + m] = triple_score(at, l, m);
                largest = fmax(largest, weights[l * n + m]);
            }
    for (uint32_t l = 0; l < n; ++l)
        for (uint32_t m = 0; m < n; ++m) {
            double *weight = &weights[l * n + m];
            *weight = triple_sees_pair(at, l, m) ? exp(*weight - largest) : 0.0;
            total += *weight;
        }
    const int64_t edge = quartic_triple_at(&p->wide, at->b, at->h, at->i, at->j);
    for (uint32_t c = 0; c < p->d; ++c) {
        double sum = 0;
        for (uint32_t l = 0; l < n; ++l)
            for (uint32_t m = 0; m < n; ++m)
                if (weights[l * n + m] != 0)
                    sum += weights[l * n + m] / total * triple_v(at, l, c) * triple_v2(at, m, c);
        quartic_put(&at->run->outputs[0], edge + c, sum);
    }
    quartic_put(&at->run->outputs[1], quartic_triple_at(&p->narrow, at->b, at->h, at->i, at->j),
                total == 0 ? 0.0 : largest + log(total));
}

/* Adds what edge (i, j) gives to the gradients in scratch, each (n, n, d), the bias's last (n, n). */
static void triple_add_edge(const triple_view *at) {
    const quartic_triple_problem *p = at->problem;
    const uint32_t n = p->n, d = p->d, i = at->i, j = at->j;
    const size_t edges = (size_t)n * n, size = edges * d;
    double *sums = at->run->scratch; // (6, n, n, d), (n, n)
    const quartic_operand *in = at->run->inputs;
    const int32_t *mask =
        p->masked ? (const int32_t *)in[QUARTIC_TRIPLE_MASK].data + (size_t)at->b * n : NULL;
    const bool lone = quartic_triple_is_lone(p, mask, i, j);
    const int64_t edge = quartic_triple_at(&p->wide, at->b, at->h, i, j);
    const double lse =
        quartic_get(&in[QUARTIC_TRIPLE_LSE], quartic_triple_at(&p->narrow, at->b, at->h, i, j));
    for (uint32_t l = 0; l < n; ++l)
        for (uint32_t m = 0; m < n; ++m) {
            if (!triple_sees_pair(at, l, m)) continue;
            const size_t il = ((size_t)i * n + l) * d, lj = ((size_t)l * n + j) * d;
            const size_t im = ((size_t)i * n + m) * d, mj = ((size_t)m * n + j) * d;
            const double weight = exp(triple_score(at, l, m) - lse);
            double slope = 0; // dA - delta
            for (uint32_t c = 0; c < d; ++c)
                slope += quartic_get(&in[QUARTIC_TRIPLE_G], edge + c) *
                         (triple_v(at, l, c) * triple_v2(at, m, c) -
                          quartic_get(&in[QUARTIC_TRIPLE_OUT], edge + c));
            const double ds = lone ? 0.0 : weight * slope;
            for (uint32_t c = 0; c < d; ++c) {
                const double g = quartic_get(&in[QUARTIC_TRIPLE_G], edge + c);
                const double dq = p->scale * ds * triple_key(at, m, c), dk = ds * triple_query(at, l, c);
                sums[QUARTIC_TRIPLE_Q * size + il + c] += dq;
                sums[QUARTIC_TRIPLE_Q2 * size + lj + c] += dq;
                sums[QUARTIC_TRIPLE_K * size + im + c] += dk;
                sums[QUARTIC_TRIPLE_K2 * size + mj + c] += dk;
                sums[QUARTIC_TRIPLE_V * size + il + c] += weight * g * triple_v2(at, m, c);
                sums[QUARTIC_TRIPLE_V2 * size + mj + c] += weight * g * triple_v(at, l, c);
            }
            sums[QUARTIC_TRIPLE_BIAS * size + (size_t)l * n + m] += ds;
        }
}

static void triple_each_edge(triple_view *at, void (*kernel)(const triple_view *)) {
    for (at->i = 0; at->i < at->problem->n; ++at->i)
        for (at->j = 0; at->j < at->problem->n; ++at->j) kernel(at);
}

void quartic_triple_reference(const quartic_op_run *run) {
    const quartic_triple_problem problem = quartic_triple_of_run(run);
    triple_view at = {.run = run, .problem = &problem};
    for (at.b = 0; at.b < problem.batch; ++at.b)
        for (at.h = 0; at.h < problem.heads; ++at.h) triple_each_edge(&at, triple_attend_edge);
}

static size_t triple_gradient_doubles(const quartic_triple_problem *problem) {
    return (size_t)problem->n * problem->n * (QUARTIC_TRIPLE_BIAS * (size_t)problem->d + 1);
}

void quartic_triple_reference_grad(const quartic_op_run *run) {
    const quartic_triple_problem problem = quartic_triple_of_run(run);
    const uint32_t n = problem.n;
    triple_view at = {.run = run, .problem = &problem};
    for (at.b = 0; at.b < problem.batch; ++at.b)
        for (at.h = 0; at.h < problem.heads; ++at.h) {
            const double *sum = run->scratch;
            memset(run->scratch, 0, triple_gradient_doubles(&problem) * sizeof *sum);
            triple_each_edge(&at, triple_add_edge);
            for (uint32_t k = 0; k < QUARTIC_TRIPLE_GRADIENTS; ++k) {
                const bool narrow = k == QUARTIC_TRIPLE_BIAS;
                for (uint32_t row = 0; row < n; ++row)
                    for (uint32_t column = 0; column < n; ++column)
                        for (uint32_t c = 0; c < (narrow ? 1 : problem.d); ++c)
                            quartic_put(&run->outputs[k],
                                        quartic_triple_at(narrow ? &problem.narrow : &problem.wide, at.b,
                                                          at.h, row, column) +
                                            c,
                                        *sum++);
            }
        }
}

size_t quartic_triple_reference_scratch(const quartic_op_call *call) {
    const quartic_triple_problem problem = quartic_triple_of_call(call);
    const size_t forward = (size_t)problem.n * problem.n;
    return (call->input_count == QUARTIC_TRIPLE_INPUTS ? triple_gradient_doubles(&problem) : forward) *
           sizeof(double);
}
