/* reference.c: the reference loops of softmax attention among edges and of its adjoint.
 *
 * forward    s_ij = q_i . k_j over the keys j that query i sees;  lse_i = log sum_j exp(s_ij);
 *            p_ij = exp(s_ij - lse_i);  out_i = sum_j p_ij v_j. A query that sees no key: out = 0, lse = 0.
 * backward   D_i = g_i . out_i,  ds_ij = p_ij (g_i . v_j - D_i):
 *            dq_i = sum_j ds_ij k_j,  dk_j = sum_i ds_ij q_i,  dv_j = sum_i p_ij g_i
 * Scratch holds doubles: sums of one query, and backward those of all keys of a unit.
 */
#include <math.h>
#include <string.h>

#include "ops/edge_softmax/problem.h"

/* One head of one graph. */
typedef struct edge_unit {
    const quartic_edge_problem *problem;
    const quartic_op_run *run;
    uint32_t b, head;
} edge_unit;

static int64_t edge_place_of(const quartic_edge_strides *strides, const edge_unit *at, uint32_t token) {
    return strides->batch * at->b + strides->token * token + strides->head * at->head;
}

static double edge_read(const edge_unit *at, uint32_t input, const quartic_edge_strides *strides,
                        uint32_t token, uint32_t component) {
    return quartic_get(&at->run->inputs[input],
                       edge_place_of(strides, at, token) + strides->component * component);
}

static double edge_read_q(const edge_unit *at, uint32_t i, uint32_t a) {
    return edge_read(at, QUARTIC_EDGE_Q, &at->problem->q, i, a);
}
static double edge_read_k(const edge_unit *at, uint32_t j, uint32_t a) {
    return edge_read(at, QUARTIC_EDGE_K, &at->problem->k, j, a);
}
static double edge_read_v(const edge_unit *at, uint32_t j, uint32_t a) {
    return edge_read(at, QUARTIC_EDGE_V, &at->problem->v, j, a);
}
static double edge_read_g(const edge_unit *at, uint32_t i, uint32_t a) {
    return edge_read(at, QUARTIC_EDGE_G, &at->problem->own, i, a);
}

static void edge_write(const edge_unit *at, uint32_t output, uint32_t token, uint32_t component,
                       double number) {
    quartic_put(&at->run->outputs[output], edge_place_of(&at->problem->own, at, token) + component, number);
}

static bool edge_pair_is_visible(const edge_unit *at, uint32_t i, uint32_t j) {
    const int32_t *positions = at->run->inputs[QUARTIC_EDGE_POSITIONS].data;
    const int32_t *mask = at->run->inputs[QUARTIC_EDGE_MASK].data;
    return quartic_edge_key_row(at->problem, positions, mask, at->b, j) <=
           quartic_edge_query_limit(at->problem, positions, at->b, i);
}

static double edge_score(const edge_unit *at, uint32_t i, uint32_t j) {
    double s = 0;
    for (uint32_t a = 0; a < at->problem->d; ++a) s += edge_read_q(at, i, a) * edge_read_k(at, j, a);
    return s;
}

static void edge_forward(const edge_unit *at) {
    const uint32_t m = at->problem->tokens, d = at->problem->d;
    double *sums = at->run->scratch; // (d)
    for (uint32_t i = 0; i < m; ++i) {
        double largest = -INFINITY, total = 0;
        for (uint32_t j = 0; j < m; ++j)
            if (edge_pair_is_visible(at, i, j)) largest = fmax(largest, edge_score(at, i, j));
        memset(sums, 0, d * sizeof *sums);
        for (uint32_t j = 0; j < m; ++j) {
            if (!edge_pair_is_visible(at, i, j)) continue;
            const double weight = exp(edge_score(at, i, j) - largest);
            total += weight;
            for (uint32_t a = 0; a < d; ++a) sums[a] += weight * edge_read_v(at, j, a);
        }
        for (uint32_t a = 0; a < d; ++a) edge_write(at, 0, i, a, total == 0 ? 0 : sums[a] / total);
        quartic_put(&at->run->outputs[1], edge_place_of(&at->problem->row, at, i),
                    total == 0 ? 0 : largest + log(total));
    }
}

static void edge_backward(const edge_unit *at) {
    const uint32_t m = at->problem->tokens, d = at->problem->d;
    double *dq = at->run->scratch;   // (d)
    double *dk = dq + d;             // (m, d)
    double *dv = dk + (size_t)m * d; // (m, d)
    memset(dk, 0, 2 * (size_t)m * d * sizeof *dk);
    for (uint32_t i = 0; i < m; ++i) {
        const double lse =
            quartic_get(&at->run->inputs[QUARTIC_EDGE_LSE], edge_place_of(&at->problem->row, at, i));
        double delta = 0;
        for (uint32_t a = 0; a < d; ++a)
            delta += edge_read_g(at, i, a) * edge_read(at, QUARTIC_EDGE_OUT, &at->problem->own, i, a);
        memset(dq, 0, d * sizeof *dq);
        for (uint32_t j = 0; j < m; ++j) {
            if (!edge_pair_is_visible(at, i, j)) continue;
            const double p = exp(edge_score(at, i, j) - lse);
            double dp = 0;
            for (uint32_t a = 0; a < d; ++a) dp += edge_read_g(at, i, a) * edge_read_v(at, j, a);
            const double ds = p * (dp - delta);
            for (uint32_t a = 0; a < d; ++a) {
                dq[a] += ds * edge_read_k(at, j, a);
                dk[(size_t)j * d + a] += ds * edge_read_q(at, i, a);
                dv[(size_t)j * d + a] += p * edge_read_g(at, i, a);
            }
        }
        for (uint32_t a = 0; a < d; ++a) edge_write(at, 0, i, a, dq[a]);
    }
    for (uint32_t j = 0; j < m; ++j)
        for (uint32_t a = 0; a < d; ++a) {
            edge_write(at, 1, j, a, dk[(size_t)j * d + a]);
            edge_write(at, 2, j, a, dv[(size_t)j * d + a]);
        }
}

static void edge_each_unit(const quartic_op_run *run, void (*kernel)(const edge_unit *)) {
    const quartic_edge_problem problem = quartic_edge_problem_of_run(run);
    edge_unit at = {.problem = &problem, .run = run};
    for (at.b = 0; at.b < problem.batch; ++at.b)
        for (at.head = 0; at.head < problem.heads; ++at.head) kernel(&at);
}

void quartic_edge_reference(const quartic_op_run *run) {
    edge_each_unit(run, edge_forward);
}

void quartic_edge_reference_grad(const quartic_op_run *run) {
    edge_each_unit(run, edge_backward);
}

size_t quartic_edge_reference_scratch(const quartic_op_call *call) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    const size_t d = problem.d, m = problem.tokens;
    return (call->input_count == QUARTIC_EDGE_INPUTS ? d + 2 * m * d : d) * sizeof(double);
}
