/* edge_softmax.c: tuned rows of softmax attention among edges; formulas in src/ops/edge_softmax/reference.c.
 *
 * Hidden keys, and queries that see none, are left out when a unit's (head of a graph) operands are packed.
 * Queries go in blocks of 32, lanes of vectors; keys in blocks of 96: scores (keys, queries) = K Q^T, weights
 * with a running maximum, out += weights^T V; backward ds from scores and V G^T, then dq += ds^T K,
 * dk += ds Q, dv += p G. The products are those of matmul_kernel.h, the exponentials those of flash.h.
 *
 * Forward, every block of queries is a task. Backward, the blocks of a unit are dealt to parts by shape
 * alone, and every part sums dk and dv of its own, which are added up in order. So the result does not depend
 * on the number of threads.
 */
#include <omp.h>
#include <string.h>

#include "fast/flash.h"
#include "fast/parts.h"
#include "lib/functions.h"
#include "ops/edge_softmax/problem.h"

enum {
    QUERIES = QUARTIC_FLASH_LANES,
    KEYS = 96,           /* a multiple of the rows that a kernel computes at once */
    TASKS_WANTED = 32,   /* backward: enough parts for so many threads */
    FLOPS_OF_THREAD = 16 /* a light element of quartic_parts */
};

static size_t round_up(size_t count, size_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}

/* ---- who sees whom, per graph ---- */

/* Lists in the order of tokens; a block is KEYS keys or QUERIES queries. */
typedef struct sight {
    uint32_t key_count, query_count;
    int32_t *keys, *rows;      // (m): tokens of the keys that may be seen, and their rows
    int32_t *queries, *limits; // (m): tokens of the queries that may see, and their limits
    int32_t *least;            // per block of keys: the least row
} sight;

typedef struct job {
    quartic_edge_problem problem;
    const quartic_op_run *run;
    const quartic_matmul_kernels *kernels;
    uint32_t parts;
    sight *sights;  // (b)
    float *packed;  // (units, 2, m, d): keys, values
    float *sums;    // backward: (units, parts, 2, m, d): dk, dv of the keys in `packed`
    float *threads; // (threads, thread_floats)
    size_t thread_floats;
} job;

static size_t key_blocks(const quartic_edge_problem *problem) {
    return (problem->tokens + KEYS - 1) / KEYS;
}
static size_t query_blocks(uint32_t queries) {
    return (queries + QUERIES - 1) / QUERIES;
}
static size_t sight_ints(const quartic_edge_problem *problem) {
    return 4 * (size_t)problem->tokens + key_blocks(problem);
}

static void look(const job *job, uint32_t b, int32_t *memory) {
    const quartic_edge_problem *problem = &job->problem;
    const int32_t *positions = job->run->inputs[QUARTIC_EDGE_POSITIONS].data;
    const int32_t *mask = job->run->inputs[QUARTIC_EDGE_MASK].data;
    const uint32_t m = problem->tokens;
    sight *s = &job->sights[b];
    *s = (sight){.keys = memory,
                 .rows = memory + m,
                 .queries = memory + 2 * (size_t)m,
                 .limits = memory + 3 * (size_t)m,
                 .least = memory + 4 * (size_t)m};
    for (uint32_t t = 0; t < m; ++t) {
        const int32_t row = quartic_edge_key_row(problem, positions, mask, b, t);
        const int32_t limit = quartic_edge_query_limit(problem, positions, b, t);
        if (row != QUARTIC_EDGE_HIDDEN) {
            int32_t *least = &s->least[s->key_count / KEYS];
            if (s->key_count % KEYS == 0 || row < *least) *least = row;
            s->keys[s->key_count] = (int32_t)t;
            s->rows[s->key_count++] = row;
        }
        if (limit >= 0) {
            s->queries[s->query_count] = (int32_t)t;
            s->limits[s->query_count++] = limit;
        }
    }
}

/* ---- packing ---- */

/* One head of one graph. */
typedef struct unit {
    const job *job;
    const sight *sight;
    uint32_t b, head;
    const float *keys, *values; // (key_count, d)
} unit;

static unit unit_at(const job *job, uint64_t index) {
    const quartic_edge_problem *problem = &job->problem;
    const size_t side = (size_t)problem->tokens * problem->d;
    unit at = {
        .job = job, .b = (uint32_t)(index / problem->heads), .head = (uint32_t)(index % problem->heads)};
    at.sight = &job->sights[at.b];
    at.keys = job->packed + index * 2 * side;
    at.values = at.keys + side;
    return at;
}

static int64_t place(const quartic_edge_strides *strides, const unit *at, int32_t token) {
    return strides->batch * at->b + strides->token * token + strides->head * at->head;
}

/* rows (count, d) of an operand at the listed tokens. */
static void pack_rows(const unit *at, const float *operand, const quartic_edge_strides *strides,
                      const int32_t *tokens, uint32_t count, float *rows) {
    const uint32_t d = at->job->problem.d;
    for (uint32_t t = 0; t < count; ++t, rows += d) {
        const float *from = operand + place(strides, at, tokens[t]);
        if (strides->component == 1)
            memcpy(rows, from, d * sizeof *rows);
        else
            for (uint32_t a = 0; a < d; ++a) rows[a] = from[a * strides->component];
    }
}

/* columns (d, QUERIES) of rows (count, d); columns beyond count are zeros. */
static void turn(const float *rows, uint32_t count, uint32_t d, float *columns) {
    if (count < QUERIES) memset(columns, 0, (size_t)d * QUERIES * sizeof *columns);
    quartic_flash_turn(rows, d, 1, count, d, 1.0f, columns);
}

/* result (rows, columns) = or += a b: a(i, k) at a + i a_row + k a_depth, b (depth, columns), all dense. */
static void multiply(const job *job, bool add, int64_t rows, int64_t columns, int64_t depth, const float *a,
                     int64_t a_row, int64_t a_depth, const float *b, float *result) {
    quartic_flash_product(job->kernels, rows, columns, depth, a, a_row, a_depth, b, add ? result : NULL,
                          result, columns);
}

/* ---- forward ---- */

static bool sees_any(const sight *s, int32_t limit) {
    for (uint32_t key = 0; key < s->key_count; key += KEYS)
        if (s->least[key / KEYS] <= limit) return true;
    return false;
}

/* out and lse of a block of queries from their sums. */
static void finish(const unit *at, const int32_t *tokens, const int32_t *limits, uint32_t count,
                   const float *sums, const float *top, const float *total) {
    const quartic_edge_problem *problem = &at->job->problem;
    float *out = at->job->run->outputs[0].data, *lse = at->job->run->outputs[1].data;
    for (uint32_t i = 0; i < count; ++i) {
        const bool blind = total[i] == 0; /* not true of a NaN, which stays one */
        const float inverse = quartic_flash_inverse(total[i], blind && sees_any(at->sight, limits[i]));
        float *row = out + place(&problem->own, at, tokens[i]);
        for (uint32_t a = 0; a < problem->d; ++a) row[a] = sums[(size_t)i * problem->d + a] * inverse;
        lse[place(&problem->row, at, tokens[i])] = blind ? inverse : top[i] + approx_log(total[i]);
    }
}

/* Limits of a block of queries; surplus ones see nothing. Returns the greatest. */
static int32_t read_limits(const int32_t *from, uint32_t count, int32_t *limits) {
    int32_t greatest = -1;
    for (uint32_t i = 0; i < QUERIES; ++i) {
        limits[i] = i < count ? from[i] : -1;
        greatest = limits[i] > greatest ? limits[i] : greatest;
    }
    return greatest;
}

static uint32_t at_most(uint32_t count, uint32_t most) {
    return count < most ? count : most;
}

static void forward_block(const unit *at, uint32_t first, float *scratch) {
    const job *job = at->job;
    const sight *s = at->sight;
    const uint32_t d = job->problem.d, count = at_most(s->query_count - first, QUERIES);
    float *rows = scratch;                       // (QUERIES, d)
    float *columns = rows + (size_t)QUERIES * d; // (d, QUERIES)
    float *sums = columns + (size_t)QUERIES * d; // (QUERIES, d)
    float *scores = sums + (size_t)QUERIES * d;  // (KEYS, QUERIES)
    float top[QUERIES], total[QUERIES] = {0}, scale[QUERIES];
    int32_t limits[QUERIES];
    const int32_t greatest = read_limits(s->limits + first, count, limits);
    for (uint32_t i = 0; i < QUERIES; ++i) top[i] = quartic_flash_lowest;
    memset(sums, 0, (size_t)QUERIES * d * sizeof *sums);
    pack_rows(at, job->run->inputs[QUARTIC_EDGE_Q].data, &job->problem.q, s->queries + first, count, rows);
    turn(rows, count, d, columns);
    for (uint32_t key = 0; key < s->key_count; key += KEYS) {
        if (s->least[key / KEYS] > greatest) continue;
        const uint32_t keys = at_most(s->key_count - key, KEYS);
        multiply(job, false, keys, QUERIES, d, at->keys + (size_t)key * d, d, 1, columns, scores);
        quartic_flash_weigh(keys, s->rows + key, limits, scores, top, total, scale);
        for (uint32_t i = 0; i < QUERIES; ++i)
            for (uint32_t a = 0; a < d; ++a) sums[(size_t)i * d + a] *= scale[i];
        multiply(job, true, QUERIES, d, keys, scores, 1, QUERIES, at->values + (size_t)key * d, sums);
    }
    finish(at, s->queries + first, limits, count, sums, top, total);
}

/* ---- backward ---- */

/* lse and delta = g . out of a block of queries. */
static void read_terms(const unit *at, const int32_t *tokens, uint32_t count, const float *g_rows, float *lse,
                       float *delta) {
    const quartic_edge_problem *problem = &at->job->problem;
    const float *all_lse = at->job->run->inputs[QUARTIC_EDGE_LSE].data;
    const float *all_out = at->job->run->inputs[QUARTIC_EDGE_OUT].data;
    for (uint32_t i = 0; i < QUERIES; ++i) lse[i] = delta[i] = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const float *out = all_out + place(&problem->own, at, tokens[i]);
        double sum = 0;
        for (uint32_t a = 0; a < problem->d; ++a) sum += (double)g_rows[(size_t)i * problem->d + a] * out[a];
        delta[i] = (float)sum;
        lse[i] = all_lse[place(&problem->row, at, tokens[i])];
    }
}

/* dq of a block of queries; adds its part of dk and dv to sums (2, m, d). */
static void backward_block(const unit *at, uint32_t first, float *dk, float *dv, float *scratch) {
    const job *job = at->job;
    const quartic_edge_problem *problem = &job->problem;
    const sight *s = at->sight;
    const uint32_t d = problem->d, count = at_most(s->query_count - first, QUERIES);
    const size_t block = (size_t)QUERIES * d;
    float *q = scratch;                                // (QUERIES, d)
    float *q_columns = q + block;                      // (d, QUERIES)
    float *g = q_columns + block;                      // (QUERIES, d)
    float *g_columns = g + block;                      // (d, QUERIES)
    float *dq = g_columns + block;                     // (QUERIES, d)
    float *scores = dq + block;                        // (KEYS, QUERIES), then p
    float *products = scores + (size_t)KEYS * QUERIES; // (KEYS, QUERIES), then ds
    float lse[QUERIES], delta[QUERIES];
    int32_t limits[QUERIES];
    const int32_t *tokens = s->queries + first;
    const int32_t greatest = read_limits(s->limits + first, count, limits);
    memset(q, 0, block * sizeof *q);
    memset(g, 0, block * sizeof *g);
    memset(dq, 0, block * sizeof *dq);
    pack_rows(at, job->run->inputs[QUARTIC_EDGE_Q].data, &problem->q, tokens, count, q);
    pack_rows(at, job->run->inputs[QUARTIC_EDGE_G].data, &problem->own, tokens, count, g);
    turn(q, count, d, q_columns);
    turn(g, count, d, g_columns);
    read_terms(at, tokens, count, g, lse, delta);
    for (uint32_t key = 0; key < s->key_count; key += KEYS) {
        if (s->least[key / KEYS] > greatest) continue;
        const uint32_t keys = at_most(s->key_count - key, KEYS);
        const size_t at_key = (size_t)key * d;
        multiply(job, false, keys, QUERIES, d, at->keys + at_key, d, 1, q_columns, scores);
        multiply(job, false, keys, QUERIES, d, at->values + at_key, d, 1, g_columns, products);
        quartic_flash_slopes(keys, s->rows + key, limits, 0, lse, delta, scores, products);
        multiply(job, true, QUERIES, d, keys, products, 1, QUERIES, at->keys + at_key, dq);
        multiply(job, true, keys, d, QUERIES, products, QUERIES, 1, q, dk + at_key);
        multiply(job, true, keys, d, QUERIES, scores, QUERIES, 1, g, dv + at_key);
    }
    float *to = job->run->outputs[0].data;
    for (uint32_t i = 0; i < count; ++i)
        memcpy(to + place(&problem->own, at, tokens[i]), dq + (size_t)i * d, d * sizeof *to);
}

/* dk and dv of a unit's keys from the sums of its parts, in order. */
static void add_parts(const job *job, uint64_t index) {
    const quartic_edge_problem *problem = &job->problem;
    const unit at = unit_at(job, index);
    const size_t d = problem->d, side = (size_t)problem->tokens * d;
    const float *sums = job->sums + index * job->parts * 2 * side;
    for (uint32_t key = 0; key < at.sight->key_count; ++key)
        for (uint32_t output = 0; output < 2; ++output) {
            float *to =
                (float *)job->run->outputs[1 + output].data + place(&problem->own, &at, at.sight->keys[key]);
            const float *from = sums + output * side + key * d;
            memcpy(to, from, d * sizeof *to);
            for (uint32_t part = 1; part < job->parts; ++part)
                for (size_t a = 0; a < d; ++a) to[a] += from[part * 2 * side + a];
        }
}

/* ---- jobs ---- */

static uint32_t parts_of(const quartic_edge_problem *problem) {
    const uint64_t units = quartic_edge_units(problem), wanted = (TASKS_WANTED + units - 1) / units;
    const uint64_t blocks = query_blocks(problem->tokens);
    return (uint32_t)(wanted < blocks ? wanted : blocks);
}

static size_t thread_floats_of(const quartic_edge_problem *problem, bool backward) {
    const size_t block = (size_t)QUERIES * problem->d, scores = (size_t)KEYS * QUERIES;
    return round_up(backward ? 5 * block + 2 * scores : 3 * block + scores, 16);
}

/* Bytes in the order of carving: sights, their lists, packed operands, sums, threads. */
static size_t scratch_of(const quartic_op_call *call, uint32_t threads) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    const bool backward = call->input_count == QUARTIC_EDGE_INPUTS;
    const size_t units = quartic_edge_units(&problem), side = (size_t)problem.tokens * problem.d;
    const size_t floats = units * 2 * side + (backward ? units * parts_of(&problem) * 2 * side : 0) +
                          threads * thread_floats_of(&problem, backward);
    return round_up(problem.batch * sizeof(sight), 64) +
           round_up(problem.batch * sight_ints(&problem) * sizeof(int32_t), 64) + floats * sizeof(float) + 64;
}

static job begin(const quartic_op_run *run, bool backward) {
    job job = {.problem = quartic_edge_problem_of_run(run),
               .run = run,
               .kernels = quartic_matmul_kernels_best(false)};
    const quartic_edge_problem *problem = &job.problem;
    const size_t units = quartic_edge_units(problem), side = (size_t)problem->tokens * problem->d;
    job.parts = parts_of(problem);
    job.thread_floats = thread_floats_of(problem, backward);
    char *memory = (char *)round_up((uintptr_t)run->scratch, 64);
    job.sights = (sight *)memory;
    memory += round_up(problem->batch * sizeof(sight), 64);
    int32_t *lists = (int32_t *)memory;
    memory += round_up(problem->batch * sight_ints(problem) * sizeof(int32_t), 64);
    job.packed = (float *)memory;
    job.sums = job.packed + units * 2 * side;
    job.threads = job.sums + (backward ? units * job.parts * 2 * side : 0);
    for (uint32_t b = 0; b < problem->batch; ++b) look(&job, b, lists + b * sight_ints(problem));
    return job;
}

static void pack_unit(const job *job, uint64_t index) {
    const unit at = unit_at(job, index);
    float *keys = job->packed + index * 2 * job->problem.tokens * job->problem.d;
    float *values = keys + (size_t)job->problem.tokens * job->problem.d;
    pack_rows(&at, job->run->inputs[QUARTIC_EDGE_K].data, &job->problem.k, at.sight->keys,
              at.sight->key_count, keys);
    pack_rows(&at, job->run->inputs[QUARTIC_EDGE_V].data, &job->problem.v, at.sight->keys,
              at.sight->key_count, values);
}

static float *own_scratch(const job *job) {
    return job->threads + (size_t)omp_get_thread_num() * job->thread_floats;
}

/* Whether every token is a query, or a key, that writes its part of an output. */
static bool all_see(const quartic_edge_problem *problem) {
    return !problem->causal && !problem->positioned; /* a negative position is no edge */
}
static bool all_are_seen(const quartic_edge_problem *problem) {
    return all_see(problem) && !problem->masked;
}

/* Clears what no query or key writes: all of an output, unless every token has a part in it. */
static void clear(const quartic_operand *output, bool complete) {
    if (!complete) memset(output->data, 0, quartic_layout_elements(output->layout) * sizeof(float));
}

static void forward_run(const quartic_op_run *run) {
    const job job = begin(run, false);
    const quartic_edge_problem *problem = &job.problem;
    const int64_t units = (int64_t)quartic_edge_units(problem);
    const int64_t blocks = (int64_t)query_blocks(problem->tokens);
    const uint32_t threads =
        quartic_parts((uint64_t)(quartic_edge_flops(problem, false) / (double)FLOPS_OF_THREAD), run->threads);
    clear(&run->outputs[0], all_see(problem));
    clear(&run->outputs[1], all_see(problem));
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
#pragma omp for schedule(static)
        for (int64_t u = 0; u < units; ++u) pack_unit(&job, (uint64_t)u);
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < units * blocks; ++task) {
            const unit at = unit_at(&job, (uint64_t)(task / blocks));
            const uint32_t first = (uint32_t)(task % blocks) * QUERIES;
            if (first < at.sight->query_count) forward_block(&at, first, own_scratch(&job));
        }
    }
}

static void backward_part(const job *job, uint64_t index, uint32_t part, float *scratch) {
    const size_t side = (size_t)job->problem.tokens * job->problem.d;
    const unit at = unit_at(job, index);
    float *dk = job->sums + (index * job->parts + part) * 2 * side, *dv = dk + side;
    memset(dk, 0, at.sight->key_count * job->problem.d * sizeof *dk);
    memset(dv, 0, at.sight->key_count * job->problem.d * sizeof *dv);
    const size_t blocks = query_blocks(at.sight->query_count);
    for (size_t block = part; block < blocks; block += job->parts) /* causal blocks grow: dealt in turn */
        backward_block(&at, (uint32_t)block * QUERIES, dk, dv, scratch);
}

static void backward_run(const quartic_op_run *run) {
    const job job = begin(run, true);
    const quartic_edge_problem *problem = &job.problem;
    const int64_t units = (int64_t)quartic_edge_units(problem), parts = job.parts;
    const uint32_t threads =
        quartic_parts((uint64_t)(quartic_edge_flops(problem, true) / (double)FLOPS_OF_THREAD), run->threads);
    clear(&run->outputs[0], all_see(problem));
    clear(&run->outputs[1], all_are_seen(problem));
    clear(&run->outputs[2], all_are_seen(problem));
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
#pragma omp for schedule(static)
        for (int64_t u = 0; u < units; ++u) pack_unit(&job, (uint64_t)u);
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < units * parts; ++task)
            backward_part(&job, (uint64_t)(task / parts), (uint32_t)(task % parts), own_scratch(&job));
#pragma omp for schedule(static)
        for (int64_t u = 0; u < units; ++u) add_parts(&job, (uint64_t)u);
    }
}

const quartic_fast_row quartic_fast_edge_softmax_attention = {
    .op = &quartic_op_edge_softmax_attention, .run = forward_run, .scratch = scratch_of};
const quartic_fast_row quartic_fast_edge_softmax_attention_grad = {
    .op = &quartic_op_edge_softmax_attention_grad, .run = backward_run, .scratch = scratch_of};
