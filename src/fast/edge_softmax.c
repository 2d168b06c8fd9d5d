/* edge_softmax.c (fast): tuned softmax attention among edges; formulas in src/ops/edge_softmax/reference.c.
 *
 * A unit is one head of one graph. When its operands are packed, hidden keys and queries that see no key are
 * left out. Queries go in blocks of 32, which lie in the lanes of vectors, keys in blocks of 96. flash.h has
 * what is done with one block of each.
 *
 * Forward, every block of queries is a task. Backward, the blocks of a unit are dealt to parts by shape
 * alone; every part sums dk and dv of its own, and the parts are added in order. So the result does not
 * depend on the number of threads.
 */
#include <omp.h>
#include <string.h>

#include "fast/flash.h"
#include "fast/parts.h"
#include "ops/edge_softmax/problem.h"

enum {
    QUERIES = QUARTIC_FLASH_LANES,
    KEYS = 96,           /* a multiple of the rows that a kernel computes at once */
    TASKS_WANTED = 32,   /* backward: enough parts for so many threads */
    FLOPS_OF_THREAD = 16 /* operations that quartic_parts counts as one element */
};

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

static size_t edge_softmax_key_blocks(const quartic_edge_problem *problem) {
    return (problem->tokens + KEYS - 1) / KEYS;
}
static size_t edge_softmax_query_blocks(uint32_t queries) {
    return (queries + QUERIES - 1) / QUERIES;
}
static size_t edge_softmax_sight_ints(const quartic_edge_problem *problem) {
    return 4 * (size_t)problem->tokens + edge_softmax_key_blocks(problem);
}

/* Lists what can be seen in graph b. */
static void edge_softmax_list_seen(const job *job, uint32_t b,
                                   int32_t *memory // (sight_ints)
) {
    const quartic_edge_problem *problem = &job->problem;
    const int32_t *positions = job->run->inputs[QUARTIC_EDGE_POSITIONS].data; // (b, m), or NULL
    const int32_t *mask = job->run->inputs[QUARTIC_EDGE_MASK].data;           // (b, n), or NULL
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

static unit edge_softmax_unit_at(const job *job, uint64_t index) {
    const quartic_edge_problem *problem = &job->problem;
    const size_t side = (size_t)problem->tokens * problem->d;
    unit at = {
        .job = job, .b = (uint32_t)(index / problem->heads), .head = (uint32_t)(index % problem->heads)};
    at.sight = &job->sights[at.b];
    at.keys = job->packed + index * 2 * side;
    at.values = at.keys + side;
    return at;
}

static int64_t edge_softmax_at(const quartic_edge_strides *strides, const unit *at, int32_t token) {
    return strides->batch * at->b + strides->token * token + strides->head * at->head;
}

/* rows = the operand at the listed tokens. */
static void edge_softmax_pack_rows(const unit *at,
                                   const float *operand, // (b, m, h, d) at these strides
                                   const quartic_edge_strides *strides,
                                   const int32_t *tokens, // (count)
                                   uint32_t count,
                                   float *rows // (count, d)
) {
    const uint32_t d = at->job->problem.d;
    for (uint32_t t = 0; t < count; ++t, rows += d) {
        const float *from = operand + edge_softmax_at(strides, at, tokens[t]); // (d)
        if (strides->component == 1)
            memcpy(rows, from, d * sizeof *rows);
        else
            for (uint32_t a = 0; a < d; ++a) rows[a] = from[a * strides->component];
    }
}

/* ---- forward ---- */

static bool edge_softmax_sees_any(const sight *s, int32_t limit) {
    for (uint32_t key = 0; key < s->key_count; key += KEYS)
        if (s->least[key / KEYS] <= limit) return true;
    return false;
}

/* out and lse of a block of queries. */
static void edge_softmax_write_block(const unit *at,
                                     const int32_t *tokens, // (count)
                                     const int32_t *limits, // (count)
                                     uint32_t count, const quartic_flash_softmax *softmax) {
    const quartic_edge_problem *problem = &at->job->problem;
    float *out = at->job->run->outputs[0].data; // (b, m, h, d)
    float *lse = at->job->run->outputs[1].data; // (b, m, h)
    for (uint32_t i = 0; i < count; ++i) {
        const float total = softmax->total[i];
        const float *sums = softmax->sums + (size_t)i * problem->d;       // (d)
        float *row = out + edge_softmax_at(&problem->own, at, tokens[i]); // (d)
        const bool sees = total == 0 && edge_softmax_sees_any(at->sight, limits[i]);
        float inverse;
        lse[edge_softmax_at(&problem->row, at, tokens[i])] =
            quartic_flash_lse(softmax->top[i], total, sees, &inverse);
        for (uint32_t a = 0; a < problem->d; ++a) row[a] = sums[a] * inverse;
    }
}

/* Limits of a block of queries; surplus ones see nothing. Returns the greatest. */
static int32_t edge_softmax_read_limits(const int32_t *from, // (count)
                                        uint32_t count,
                                        int32_t *limits // (QUERIES)
) {
    int32_t greatest = -1;
    for (uint32_t i = 0; i < QUERIES; ++i) {
        limits[i] = i < count ? from[i] : -1;
        greatest = limits[i] > greatest ? limits[i] : greatest;
    }
    return greatest;
}

static uint32_t edge_softmax_at_most(uint32_t count, uint32_t most) {
    return count < most ? count : most;
}

/* The keys key .. key + count - 1 of a unit. */
static quartic_flash_keys edge_softmax_keys_at(const unit *at, uint32_t key) {
    const uint32_t d = at->job->problem.d;
    return (quartic_flash_keys){.count = edge_softmax_at_most(at->sight->key_count - key, KEYS),
                                .d = d,
                                .keys = at->keys + (size_t)key * d,
                                .values = at->values + (size_t)key * d,
                                .rows = at->sight->rows + key};
}

/* out and lse of the queries from `first` on, at most QUERIES of them. */
static void edge_softmax_forward_block(const unit *at, uint32_t first, float *scratch) {
    const job *job = at->job;
    const sight *s = at->sight;
    const uint32_t d = job->problem.d, count = edge_softmax_at_most(s->query_count - first, QUERIES);
    float *rows = scratch;                       // (QUERIES, d)
    float *columns = rows + (size_t)QUERIES * d; // (d, QUERIES)
    float *sums = columns + (size_t)QUERIES * d; // (QUERIES, d)
    float *scores = sums + (size_t)QUERIES * d;  // (KEYS, QUERIES)
    int32_t limits[QUERIES];
    const int32_t greatest = edge_softmax_read_limits(s->limits + first, count, limits);
    quartic_flash_softmax softmax = quartic_flash_softmax_begin(sums, d);
    edge_softmax_pack_rows(at, job->run->inputs[QUARTIC_EDGE_Q].data, &job->problem.q, s->queries + first,
                           count, rows);
    quartic_flash_to_padded_columns(rows, d, 1, count, d, 1.0f, columns);
    for (uint32_t key = 0; key < s->key_count; key += KEYS) {
        if (s->least[key / KEYS] > greatest) continue;
        const quartic_flash_keys block = edge_softmax_keys_at(at, key);
        quartic_flash_attend(job->kernels, &block, columns, limits, scores, &softmax);
    }
    edge_softmax_write_block(at, s->queries + first, limits, count, &softmax);
}

/* ---- backward ---- */

/* lse and delta = g . out of a block of queries. */
static void edge_softmax_read_terms(const unit *at,
                                    const int32_t *tokens, // (count)
                                    uint32_t count,
                                    const float *g_rows, // (count, d)
                                    float *lse,          // (QUERIES), zeros beyond count
                                    float *delta         // (QUERIES), zeros beyond count
) {
    const quartic_edge_problem *problem = &at->job->problem;
    const float *all_lse = at->job->run->inputs[QUARTIC_EDGE_LSE].data; // (b, m, h)
    const float *all_out = at->job->run->inputs[QUARTIC_EDGE_OUT].data; // (b, m, h, d)
    for (uint32_t i = 0; i < QUERIES; ++i) lse[i] = delta[i] = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const float *out = all_out + edge_softmax_at(&problem->own, at, tokens[i]); // (d)
        double sum = 0;
        for (uint32_t a = 0; a < problem->d; ++a) sum += (double)g_rows[(size_t)i * problem->d + a] * out[a];
        delta[i] = (float)sum;
        lse[i] = all_lse[edge_softmax_at(&problem->row, at, tokens[i])];
    }
}

/* dq of the queries from `first` on, at most QUERIES of them; adds their part of dk and dv. */
static void edge_softmax_backward_block(const unit *at, uint32_t first,
                                        float *dk, // (key_count, d)
                                        float *dv, // (key_count, d)
                                        float *scratch) {
    const job *job = at->job;
    const quartic_edge_problem *problem = &job->problem;
    const sight *s = at->sight;
    const uint32_t d = problem->d, count = edge_softmax_at_most(s->query_count - first, QUERIES);
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
    const int32_t greatest = edge_softmax_read_limits(s->limits + first, count, limits);
    memset(q, 0, block * sizeof *q);
    memset(g, 0, block * sizeof *g);
    memset(dq, 0, block * sizeof *dq);
    edge_softmax_pack_rows(at, job->run->inputs[QUARTIC_EDGE_Q].data, &problem->q, tokens, count, q);
    edge_softmax_pack_rows(at, job->run->inputs[QUARTIC_EDGE_G].data, &problem->own, tokens, count, g);
    quartic_flash_to_padded_columns(q, d, 1, count, d, 1.0f, q_columns);
    quartic_flash_to_padded_columns(g, d, 1, count, d, 1.0f, g_columns);
    edge_softmax_read_terms(at, tokens, count, g, lse, delta);
    const quartic_flash_cotangents queries = {.count = QUERIES,
                                              .q = q,
                                              .g = g,
                                              .q_columns = q_columns,
                                              .g_columns = g_columns,
                                              .limits = limits,
                                              .lse = lse,
                                              .delta = delta,
                                              .dq = dq};
    for (uint32_t key = 0; key < s->key_count; key += KEYS) {
        if (s->least[key / KEYS] > greatest) continue;
        const quartic_flash_keys block = edge_softmax_keys_at(at, key);
        quartic_flash_attend_grad(job->kernels, &block, &queries, scores, products, dk + (size_t)key * d,
                                  dv + (size_t)key * d);
    }
    float *to = job->run->outputs[0].data; // (b, m, h, d)
    for (uint32_t i = 0; i < count; ++i)
        memcpy(to + edge_softmax_at(&problem->own, at, tokens[i]), dq + (size_t)i * d, d * sizeof *to);
}

/* dk and dv of a unit's keys from the sums of its parts, in order. */
static void edge_softmax_add_parts(const job *job, uint64_t index) {
    const quartic_edge_problem *problem = &job->problem;
    const unit at = edge_softmax_unit_at(job, index);
    const size_t d = problem->d, side = (size_t)problem->tokens * d;
    const float *sums = job->sums + index * job->parts * 2 * side; // (parts, 2, m, d)
    for (uint32_t key = 0; key < at.sight->key_count; ++key)
        for (uint32_t output = 0; output < 2; ++output) {
            float *to = (float *)job->run->outputs[1 + output].data +
                        edge_softmax_at(&problem->own, &at, at.sight->keys[key]);
            const float *from = sums + output * side + key * d;
            memcpy(to, from, d * sizeof *to);
            for (uint32_t part = 1; part < job->parts; ++part)
                for (size_t a = 0; a < d; ++a) to[a] += from[part * 2 * side + a];
        }
}

/* ---- jobs ---- */

static uint32_t edge_softmax_parts(const quartic_edge_problem *problem) {
    const uint64_t units = quartic_edge_units(problem), wanted = (TASKS_WANTED + units - 1) / units;
    const uint64_t blocks = edge_softmax_query_blocks(problem->tokens);
    return (uint32_t)(wanted < blocks ? wanted : blocks);
}

static size_t edge_softmax_thread_floats(const quartic_edge_problem *problem, bool backward) {
    const size_t block = (size_t)QUERIES * problem->d, scores = (size_t)KEYS * QUERIES;
    return quartic_round_up(backward ? 5 * block + 2 * scores : 3 * block + scores, 16);
}

/* Bytes in the order of carving: sights, their lists, packed operands, sums, threads. */
static size_t edge_softmax_scratch(const quartic_op_call *call, uint32_t threads) {
    const quartic_edge_problem problem = quartic_edge_problem_of_call(call);
    const bool backward = call->input_count == QUARTIC_EDGE_INPUTS;
    const size_t units = quartic_edge_units(&problem), side = (size_t)problem.tokens * problem.d;
    const size_t floats = units * 2 * side +
                          (backward ? units * edge_softmax_parts(&problem) * 2 * side : 0) +
                          threads * edge_softmax_thread_floats(&problem, backward);
    return quartic_round_up(problem.batch * sizeof(sight), 64) +
           quartic_round_up(problem.batch * edge_softmax_sight_ints(&problem) * sizeof(int32_t), 64) +
           floats * sizeof(float) + 64;
}

static job edge_softmax_begin(const quartic_op_run *run, bool backward) {
    job job = {.problem = quartic_edge_problem_of_run(run),
               .run = run,
               .kernels = quartic_matmul_kernels_best(false)};
    const quartic_edge_problem *problem = &job.problem;
    const size_t units = quartic_edge_units(problem), side = (size_t)problem->tokens * problem->d;
    job.parts = edge_softmax_parts(problem);
    job.thread_floats = edge_softmax_thread_floats(problem, backward);
    char *memory = (char *)quartic_round_up((uintptr_t)run->scratch, 64);
    job.sights = (sight *)memory;
    memory += quartic_round_up(problem->batch * sizeof(sight), 64);
    int32_t *lists = (int32_t *)memory;
    memory += quartic_round_up(problem->batch * edge_softmax_sight_ints(problem) * sizeof(int32_t), 64);
    job.packed = (float *)memory;
    job.sums = job.packed + units * 2 * side;
    job.threads = job.sums + (backward ? units * job.parts * 2 * side : 0);
    for (uint32_t b = 0; b < problem->batch; ++b)
        edge_softmax_list_seen(&job, b, lists + b * edge_softmax_sight_ints(problem));
    return job;
}

static void edge_softmax_pack_unit(const job *job, uint64_t index) {
    const unit at = edge_softmax_unit_at(job, index);
    float *keys = job->packed + index * 2 * job->problem.tokens * job->problem.d; // (m, d)
    float *values = keys + (size_t)job->problem.tokens * job->problem.d;          // (m, d)
    edge_softmax_pack_rows(&at, job->run->inputs[QUARTIC_EDGE_K].data, &job->problem.k, at.sight->keys,
                           at.sight->key_count, keys);
    edge_softmax_pack_rows(&at, job->run->inputs[QUARTIC_EDGE_V].data, &job->problem.v, at.sight->keys,
                           at.sight->key_count, values);
}

static float *edge_softmax_own_scratch(const job *job) {
    return job->threads + (size_t)omp_get_thread_num() * job->thread_floats;
}

/* Whether every token is a query, or a key, that writes its part of an output. */
static bool edge_softmax_all_see(const quartic_edge_problem *problem) {
    return !problem->causal && !problem->positioned; /* a negative position is no edge */
}
static bool edge_softmax_all_are_seen(const quartic_edge_problem *problem) {
    return edge_softmax_all_see(problem) && !problem->masked;
}

/* Clears what no query or key writes: all of an output, unless every token has a part in it. */
static void edge_softmax_clear(const quartic_operand *output, bool complete) {
    if (!complete) memset(output->data, 0, quartic_layout_elements(output->layout) * sizeof(float));
}

static void edge_softmax_forward_run(const quartic_op_run *run) {
    const job job = edge_softmax_begin(run, false);
    const quartic_edge_problem *problem = &job.problem;
    const int64_t units = (int64_t)quartic_edge_units(problem);
    const int64_t blocks = (int64_t)edge_softmax_query_blocks(problem->tokens);
    const uint32_t threads =
        quartic_parts((uint64_t)(quartic_edge_flops(problem, false) / (double)FLOPS_OF_THREAD), run->threads);
    edge_softmax_clear(&run->outputs[0], edge_softmax_all_see(problem));
    edge_softmax_clear(&run->outputs[1], edge_softmax_all_see(problem));
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
#pragma omp for schedule(static)
        for (int64_t u = 0; u < units; ++u) edge_softmax_pack_unit(&job, (uint64_t)u);
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < units * blocks; ++task) {
            const unit at = edge_softmax_unit_at(&job, (uint64_t)(task / blocks));
            const uint32_t first = (uint32_t)(task % blocks) * QUERIES;
            if (first < at.sight->query_count)
                edge_softmax_forward_block(&at, first, edge_softmax_own_scratch(&job));
        }
    }
}

static void edge_softmax_backward_part(const job *job, uint64_t index, uint32_t part, float *scratch) {
    const size_t side = (size_t)job->problem.tokens * job->problem.d;
    const unit at = edge_softmax_unit_at(job, index);
    float *dk = job->sums + (index * job->parts + part) * 2 * side, *dv = dk + side; // (m, d)
    memset(dk, 0, at.sight->key_count * job->problem.d * sizeof *dk);
    memset(dv, 0, at.sight->key_count * job->problem.d * sizeof *dv);
    const size_t blocks = edge_softmax_query_blocks(at.sight->query_count);
    for (size_t block = part; block < blocks; block += job->parts) /* causal blocks grow: dealt in turn */
        edge_softmax_backward_block(&at, (uint32_t)block * QUERIES, dk, dv, scratch);
}

static void edge_softmax_backward_run(const quartic_op_run *run) {
    const job job = edge_softmax_begin(run, true);
    const quartic_edge_problem *problem = &job.problem;
    const int64_t units = (int64_t)quartic_edge_units(problem), parts = job.parts;
    const uint32_t threads =
        quartic_parts((uint64_t)(quartic_edge_flops(problem, true) / (double)FLOPS_OF_THREAD), run->threads);
    edge_softmax_clear(&run->outputs[0], edge_softmax_all_see(problem));
    edge_softmax_clear(&run->outputs[1], edge_softmax_all_are_seen(problem));
    edge_softmax_clear(&run->outputs[2], edge_softmax_all_are_seen(problem));
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
#pragma omp for schedule(static)
        for (int64_t u = 0; u < units; ++u) edge_softmax_pack_unit(&job, (uint64_t)u);
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < units * parts; ++task)
            edge_softmax_backward_part(&job, (uint64_t)(task / parts), (uint32_t)(task % parts),
                                       edge_softmax_own_scratch(&job));
#pragma omp for schedule(static)
        for (int64_t u = 0; u < units; ++u) edge_softmax_add_parts(&job, (uint64_t)u);
    }
}

const quartic_fast_kernel quartic_fast_edge_softmax_attention = {.op = &quartic_op_edge_softmax_attention,
                                                                 .run = edge_softmax_forward_run,
                                                                 .scratch = edge_softmax_scratch};
const quartic_fast_kernel quartic_fast_edge_softmax_attention_grad = {
    .op = &quartic_op_edge_softmax_attention_grad,
    .run = edge_softmax_backward_run,
    .scratch = edge_softmax_scratch};
