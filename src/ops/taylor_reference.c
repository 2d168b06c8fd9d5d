/* taylor_reference.c: the reference loops of Taylor attention and of its adjoint, in both exact forms.
 *
 * forward    w_ij = 1 + s + s^2/2,  s = q_i . k_j
 *            z_i = max(sum_j w_ij, 1e-5),  out_i = sum_j w_ij v_j / z_i
 * backward   a_i = g_i / z_i,  D_i = a_i . out_i (0 where z_i is clamped)
 *            ds_ij = (a_i . v_j - D_i)(1 + s)
 *            dq_i = sum_j ds_ij k_j,  dk_j = sum_i ds_ij q_i,  dv_j = sum_i w_ij a_i
 *
 * The linear form says the same through states. f is the feature x_a x_b with weight c_f (taylor_problem.h):
 *            S = sum_j c_f f(k_j) (v_j, 1),  T = sum_i c_f f(q_i) (a_i, -D_i)
 * forward    (numerator_i, sum_i) = sum_f f(q_i) S_f
 * backward   dv_j = sum_f f(k_j) T_f, but its last column
 *            P_f = S_f . (a_i, -D_i):  dq_a += P_f x_b,  dq_b += P_f x_a,  x = (1, q_i)
 *            dk likewise from T_f . (v_j, 1)
 *
 * Hidden keys are skipped; their dk and dv are zero. Blocks are walked in order, and S grows by each block
 * before its queries read it; for keys they are walked from the last, and T grows likewise. Scratch holds
 * doubles.
 */
#include <string.h>

#include "ops/taylor_problem.h"

/* One head of one sequence. */
typedef struct taylor_unit {
    const quartic_taylor_problem *problem;
    const quartic_op_run *run;
    const int32_t *mask;
    uint32_t b, other, head, key_end;
} taylor_unit;

static int64_t taylor_place_of(const quartic_taylor_strides *strides, const taylor_unit *at,
                               uint32_t position) {
    return strides->batch * at->b + strides->other * at->other + strides->position * position +
           strides->head * at->head;
}

static double taylor_read(const taylor_unit *at, uint32_t input, const quartic_taylor_strides *strides,
                          uint32_t position, uint32_t component) {
    return quartic_get(&at->run->inputs[input],
                       taylor_place_of(strides, at, position) + strides->component * component);
}

static double taylor_read_q(const taylor_unit *at, uint32_t i, uint32_t a) {
    return taylor_read(at, QUARTIC_TAYLOR_Q, &at->problem->q, i, a);
}
static double taylor_read_k(const taylor_unit *at, uint32_t j, uint32_t a) {
    return taylor_read(at, QUARTIC_TAYLOR_K, &at->problem->k, j, a);
}
static double taylor_read_v(const taylor_unit *at, uint32_t j, uint32_t e) {
    return taylor_read(at, QUARTIC_TAYLOR_V, &at->problem->v, j, e);
}
static double taylor_read_z(const taylor_unit *at, uint32_t i) {
    return taylor_read(at, QUARTIC_TAYLOR_Z, &at->problem->z, i, 0);
}
/* a_i = g_i / z_i */
static double taylor_read_a(const taylor_unit *at, uint32_t i, uint32_t e) {
    return taylor_read(at, QUARTIC_TAYLOR_G, &at->problem->value, i, e) / taylor_read_z(at, i);
}
/* D_i = a_i . out_i; a clamped denominator passes no gradient. */
static double taylor_read_delta(const taylor_unit *at, uint32_t i) {
    if (!(taylor_read_z(at, i) > QUARTIC_TAYLOR_LEAST)) return 0;
    double sum = 0;
    for (uint32_t e = 0; e < at->problem->dv; ++e)
        sum += taylor_read_a(at, i, e) * taylor_read(at, QUARTIC_TAYLOR_OUT, &at->problem->value, i, e);
    return sum;
}

static void taylor_write(const taylor_unit *at, uint32_t output, const quartic_taylor_strides *strides,
                         uint32_t position, uint32_t component, double number) {
    quartic_put(&at->run->outputs[output], taylor_place_of(strides, at, position) + component, number);
}

static bool taylor_key_is_visible(const taylor_unit *at, uint32_t j) {
    return quartic_taylor_visible(at->problem, at->mask, at->b, at->other, j);
}

/* Where the keys of query i end. */
static uint32_t taylor_key_end_of(const taylor_unit *at, uint32_t i) {
    const uint32_t end = quartic_taylor_block_end(at->problem, i);
    return end < at->key_end ? end : at->key_end;
}

static double taylor_score(const taylor_unit *at, uint32_t i, uint32_t j) {
    double s = 0;
    for (uint32_t a = 0; a < at->problem->d; ++a) s += taylor_read_q(at, i, a) * taylor_read_k(at, j, a);
    return s;
}

/* Writes out_i and z_i from sums over the visible keys. */
static void taylor_finish_query(const taylor_unit *at, uint32_t i, const double *numerator,
                                double denominator) {
    const double z = denominator > QUARTIC_TAYLOR_LEAST ? denominator : QUARTIC_TAYLOR_LEAST;
    for (uint32_t e = 0; e < at->problem->dv; ++e)
        taylor_write(at, 0, &at->problem->value, i, e, numerator[e] / z);
    taylor_write(at, 1, &at->problem->z, i, 0, z);
}

/* ---- quadratic form ---- */

static void taylor_forward_quadratic(const taylor_unit *at) {
    const quartic_taylor_problem *problem = at->problem;
    double *numerator = at->run->scratch; // (dv)
    for (uint32_t i = 0; i < problem->tokens; ++i) {
        double denominator = 0;
        memset(numerator, 0, problem->dv * sizeof *numerator);
        for (uint32_t j = 0; j < taylor_key_end_of(at, i); ++j) {
            if (!taylor_key_is_visible(at, j)) continue;
            const double s = taylor_score(at, i, j), w = 1 + s + s * s / 2;
            denominator += w;
            for (uint32_t e = 0; e < problem->dv; ++e) numerator[e] += w * taylor_read_v(at, j, e);
        }
        taylor_finish_query(at, i, numerator, denominator);
    }
}

static void taylor_backward_quadratic(const taylor_unit *at) {
    const quartic_taylor_problem *problem = at->problem;
    const uint32_t m = problem->tokens, d = problem->d, dv = problem->dv;
    double *dq = at->run->scratch;       // (d)
    double *dk = dq + d;                 // (m, d)
    double *dvalue = dk + (size_t)m * d; // (m, dv)
    memset(dk, 0, (size_t)m * (d + dv) * sizeof *dk);
    for (uint32_t i = 0; i < m; ++i) {
        const double delta = taylor_read_delta(at, i);
        memset(dq, 0, d * sizeof *dq);
        for (uint32_t j = 0; j < taylor_key_end_of(at, i); ++j) {
            if (!taylor_key_is_visible(at, j)) continue;
            const double s = taylor_score(at, i, j), w = 1 + s + s * s / 2;
            double dw = -delta;
            for (uint32_t e = 0; e < dv; ++e) {
                const double a = taylor_read_a(at, i, e);
                dw += a * taylor_read_v(at, j, e);
                dvalue[(size_t)j * dv + e] += w * a;
            }
            const double ds = dw * (1 + s);
            for (uint32_t a = 0; a < d; ++a) {
                dq[a] += ds * taylor_read_k(at, j, a);
                dk[(size_t)j * d + a] += ds * taylor_read_q(at, i, a);
            }
        }
        for (uint32_t a = 0; a < d; ++a) taylor_write(at, 0, &problem->key, i, a, dq[a]);
    }
    for (uint32_t j = 0; j < m; ++j) {
        for (uint32_t a = 0; a < d; ++a) taylor_write(at, 1, &problem->key, j, a, dk[(size_t)j * d + a]);
        for (uint32_t e = 0; e < dv; ++e)
            taylor_write(at, 2, &problem->value, j, e, dvalue[(size_t)j * dv + e]);
    }
}

/* ---- linear form ---- */

/* state += c_f f(x) y: x = (1, x_1 .. x_d), y (dv + 1), state (features, dv + 1). */
static void taylor_add_to_state(const quartic_taylor_problem *problem, const double *x, const double *y,
                                double *state) {
    for (uint32_t a = 0; a <= problem->d; ++a)
        for (uint32_t b = a; b <= problem->d; ++b) {
            const double feature = (a == b && a > 0 ? 0.5 : 1.0) * x[a] * x[b];
            for (uint32_t e = 0; e <= problem->dv; ++e) *state++ += feature * y[e];
        }
}

/* y = sum_f f(x) state_f */
static void taylor_apply_state(const quartic_taylor_problem *problem, const double *x, const double *state,
                               double *y) {
    memset(y, 0, (problem->dv + 1) * sizeof *y);
    for (uint32_t a = 0; a <= problem->d; ++a)
        for (uint32_t b = a; b <= problem->d; ++b)
            for (uint32_t e = 0; e <= problem->dv; ++e) y[e] += x[a] * x[b] * *state++;
}

/* dx = d/dx sum_f f(x) (state_f . y); dx[0] belongs to the constant 1. */
static void taylor_apply_state_grad(const quartic_taylor_problem *problem, const double *x,
                                    const double *state, const double *y, double *dx) {
    memset(dx, 0, (problem->d + 1) * sizeof *dx);
    for (uint32_t a = 0; a <= problem->d; ++a)
        for (uint32_t b = a; b <= problem->d; ++b) {
            double product = 0;
            for (uint32_t e = 0; e <= problem->dv; ++e) product += *state++ * y[e];
            dx[a] += product * x[b];
            dx[b] += product * x[a];
        }
}

/* A component of a token's row. */
typedef double taylor_reader(const taylor_unit *at, uint32_t position, uint32_t component);

static void taylor_read_row(const taylor_unit *at, taylor_reader *component, uint32_t position,
                            uint32_t width, double *row) {
    for (uint32_t a = 0; a < width; ++a) row[a] = component(at, position, a);
}

/* Doubles of scratch for the linear form: two states and four rows. */
static size_t taylor_linear_doubles(const quartic_taylor_problem *problem) {
    return (size_t)problem->features * (problem->dv + 1) * 2 + 2 * (size_t)(problem->d + 1) +
           2 * (size_t)(problem->dv + 1);
}

typedef struct linear_scratch {
    double *key_state, *query_state; // (features, dv + 1)
    double *x, *dx;                  // (1 + d)
    double *y, *sum;                 // (dv + 1)
} linear_scratch;

static linear_scratch taylor_divide_scratch(const taylor_unit *at) {
    const size_t state = (size_t)at->problem->features * (at->problem->dv + 1);
    linear_scratch scratch;
    scratch.key_state = at->run->scratch;
    scratch.query_state = scratch.key_state + state;
    scratch.x = scratch.query_state + state;
    scratch.dx = scratch.x + at->problem->d + 1;
    scratch.y = scratch.dx + at->problem->d + 1;
    scratch.sum = scratch.y + at->problem->dv + 1;
    scratch.x[0] = 1;
    memset(scratch.key_state, 0, 2 * state * sizeof(double));
    return scratch;
}

/* Adds the keys of the block that begins at token `begin` to the state of the keys. */
static void taylor_add_keys(const taylor_unit *at, const linear_scratch *scratch, uint32_t begin) {
    for (uint32_t j = begin; j < taylor_key_end_of(at, begin); ++j) {
        if (!taylor_key_is_visible(at, j)) continue;
        taylor_read_row(at, taylor_read_k, j, at->problem->d, scratch->x + 1);
        taylor_read_row(at, taylor_read_v, j, at->problem->dv, scratch->y);
        scratch->y[at->problem->dv] = 1;
        taylor_add_to_state(at->problem, scratch->x, scratch->y, scratch->key_state);
    }
}

/* x = (1, q_i) and y = (a_i, -D_i) */
static void taylor_read_query(const taylor_unit *at, const linear_scratch *scratch, uint32_t i) {
    taylor_read_row(at, taylor_read_q, i, at->problem->d, scratch->x + 1);
    taylor_read_row(at, taylor_read_a, i, at->problem->dv, scratch->y);
    scratch->y[at->problem->dv] = -taylor_read_delta(at, i);
}

static void taylor_forward_linear(const taylor_unit *at) {
    const linear_scratch scratch = taylor_divide_scratch(at);
    for (uint32_t i = 0; i < at->problem->tokens; ++i) {
        if (i % at->problem->span == 0) taylor_add_keys(at, &scratch, i);
        taylor_read_row(at, taylor_read_q, i, at->problem->d, scratch.x + 1);
        taylor_apply_state(at->problem, scratch.x, scratch.key_state, scratch.sum);
        taylor_finish_query(at, i, scratch.sum, scratch.sum[at->problem->dv]);
    }
}

static void taylor_backward_linear(const taylor_unit *at) {
    const quartic_taylor_problem *problem = at->problem;
    const uint32_t d = problem->d, dv = problem->dv;
    const linear_scratch scratch = taylor_divide_scratch(at);
    for (uint32_t i = 0; i < problem->tokens; ++i) {
        if (i % problem->span == 0) taylor_add_keys(at, &scratch, i);
        taylor_read_query(at, &scratch, i);
        taylor_apply_state_grad(problem, scratch.x, scratch.key_state, scratch.y, scratch.dx);
        for (uint32_t a = 0; a < d; ++a) taylor_write(at, 0, &problem->key, i, a, scratch.dx[1 + a]);
    }
    for (uint32_t block = quartic_taylor_blocks(problem); block-- > 0;) {
        const uint32_t begin = block * problem->span, end = quartic_taylor_block_end(problem, begin);
        for (uint32_t i = begin; i < end; ++i) {
            taylor_read_query(at, &scratch, i);
            taylor_add_to_state(problem, scratch.x, scratch.y, scratch.query_state);
        }
        for (uint32_t j = begin; j < end; ++j) {
            memset(scratch.dx, 0, (d + 1) * sizeof(double));
            memset(scratch.sum, 0, (dv + 1) * sizeof(double));
            if (j < at->key_end && taylor_key_is_visible(at, j)) {
                taylor_read_row(at, taylor_read_k, j, d, scratch.x + 1);
                taylor_read_row(at, taylor_read_v, j, dv, scratch.y);
                scratch.y[dv] = 1;
                taylor_apply_state(problem, scratch.x, scratch.query_state, scratch.sum);
                taylor_apply_state_grad(problem, scratch.x, scratch.query_state, scratch.y, scratch.dx);
            }
            for (uint32_t a = 0; a < d; ++a) taylor_write(at, 1, &problem->key, j, a, scratch.dx[1 + a]);
            for (uint32_t e = 0; e < dv; ++e) taylor_write(at, 2, &problem->value, j, e, scratch.sum[e]);
        }
    }
}

/* ---- both ---- */

static void taylor_each_unit(const quartic_op_run *run, void (*quadratic)(const taylor_unit *),
                             void (*linear)(const taylor_unit *)) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_run(run);
    taylor_unit at = {.problem = &problem, .run = run};
    if (problem.masked) at.mask = run->inputs[QUARTIC_TAYLOR_MASK].data;
    for (at.b = 0; at.b < problem.batch; ++at.b)
        for (at.other = 0; at.other < problem.others; ++at.other) {
            at.key_end = quartic_taylor_key_end(&problem, at.mask, at.b, at.other);
            for (at.head = 0; at.head < problem.heads; ++at.head)
                (problem.form == QUARTIC_TAYLOR_QUADRATIC ? quadratic : linear)(&at);
        }
}

void quartic_taylor_reference(const quartic_op_run *run) {
    taylor_each_unit(run, taylor_forward_quadratic, taylor_forward_linear);
}

void quartic_taylor_reference_grad(const quartic_op_run *run) {
    taylor_each_unit(run, taylor_backward_quadratic, taylor_backward_linear);
}

size_t quartic_taylor_reference_scratch(const quartic_op_call *call) {
    const quartic_taylor_problem problem = quartic_taylor_problem_of_call(call);
    const size_t m = problem.tokens, d = problem.d, dv = problem.dv;
    if (problem.form == QUARTIC_TAYLOR_LINEAR) return taylor_linear_doubles(&problem) * sizeof(double);
    const bool backward = call->input_count == QUARTIC_TAYLOR_INPUTS;
    return (backward ? d + m * (d + dv) : dv) * sizeof(double);
}
