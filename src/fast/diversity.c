/* diversity.c (fast): the tuned diversity loss and its adjoint, LANES keys at a time; formulas in
 * src/ops/diversity.c.
 *
 * The heads of LANES neighbouring keys are copied next to each other. A choice takes one head of every
 * stream. The choices of all streams but the last are counted like digits; partial[s] is the sum of the
 * first s streams' chosen heads and is computed again only from the digit that changed. The last stream's
 * heads are the inner loop. Long sums are in double. A unit of work is a block of keys of a row (b, i).
 */
#include <string.h>

#include "fast/parts.h"
#include "lib/functions.h"
#include "ops/diversity.h"

enum { LANES = 16, MOST_STREAMS = 20 }; /* 2^20 choices are the most; more streams have one head each */

/* Everything about the job that does not change. */
typedef struct diversity_job {
    diversity_extents e;
    const float *p;  // (b, s h, i, j): s streams of h heads
    uint32_t blocks; /* of a row */
} diversity_job;

static bool diversity_accepts(const quartic_op_call *call) {
    return ((const diversity_attrs *)call->attrs)->streams <= MOST_STREAMS;
}

static int64_t diversity_row(const diversity_extents *e, uint64_t unit, uint32_t blocks, uint32_t head) {
    const uint64_t row = unit / blocks, b = row / e->queries, i = row % e->queries;
    return (int64_t)(((b * e->streams * e->heads + head) * e->queries + i) * e->keys);
}

/* Copies a unit's heads; keys that do not exist get 1, whose logarithm is harmless. Returns their number. */
static uint32_t diversity_load(const diversity_job *j, uint64_t unit,
                               float *heads // (s h, LANES)
) {
    const uint32_t first = (uint32_t)(unit % j->blocks) * LANES, rest = j->e.keys - first,
                   count = rest < LANES ? rest : LANES;
    for (uint32_t head = 0; head < j->e.streams * j->e.heads; ++head) {
        float *lanes = heads + (size_t)head * LANES; // (LANES)
        for (uint32_t l = count; l < LANES; ++l) lanes[l] = 1.0f;
        memcpy(lanes, j->p + diversity_row(&j->e, unit, j->blocks, head) + first, count * sizeof *lanes);
    }
    return count;
}

/* partial[s + 1] = partial[s] + the chosen head of stream s, for s from `from` up to the last but one. */
QUARTIC_INLINE void diversity_choose(const diversity_extents *e,
                                     const float *heads,     // (s h, LANES)
                                     const uint32_t *digits, // (s)
                                     uint32_t from,
                                     float partial[][LANES] // (s, LANES)
) {
    for (uint32_t s = from; s + 1 < e->streams; ++s) {
        const float *head = heads + (size_t)(s * e->heads + digits[s]) * LANES; // (LANES)
#pragma omp simd
        for (uint32_t l = 0; l < LANES; ++l) partial[s + 1][l] = partial[s][l] + head[l];
    }
}

/* The next choice of all streams but the last; the stream from which on it differs, or `streams` after the
 * last choice. */
QUARTIC_INLINE uint32_t diversity_count_up(const diversity_extents *e,
                                           uint32_t *digits // (s)
) {
    for (uint32_t s = e->streams - 1; s-- > 0;) {
        if (++digits[s] < e->heads) return s;
        digits[s] = 0;
    }
    return e->streams;
}

/* Adds the sum over all choices of m log max(m, 1e-20) to total. */
QUARTIC_CLONES
static void diversity_add_entropies(const diversity_extents *e,
                                    const float *heads, // (s h, LANES)
                                    double *total       // (LANES)
) {
    float partial[MOST_STREAMS][LANES] = {{0}};
    uint32_t digits[MOST_STREAMS] = {0};
    const float share = 1.0f / (float)e->streams;
    const float *last = heads + (size_t)(e->streams - 1) * e->heads * LANES; // (h, LANES)
    for (uint32_t from = 0; from < e->streams; from = diversity_count_up(e, digits)) {
        diversity_choose(e, heads, digits, from, partial);
        const float *rest = partial[e->streams - 1]; // (LANES)
        float sum[LANES] = {0};
        for (uint32_t h = 0; h < e->heads; ++h)
#pragma omp simd
            for (uint32_t l = 0; l < LANES; ++l) {
                const float m = (rest[l] + last[h * LANES + l]) * share;
                const float floored = m > 1e-20f ? m : 1e-20f;
                sum[l] += m * approx_log(floored);
            }
#pragma omp simd
        for (uint32_t l = 0; l < LANES; ++l) total[l] += (double)sum[l];
    }
}

/* Adds f'(m), f(m) = m log max(m, 1e-20), of every choice to the sums of the heads that it takes. */
QUARTIC_CLONES
static void diversity_add_slopes(const diversity_extents *e,
                                 const float *heads, // (s h, LANES)
                                 double *sums        // (s h, LANES)
) {
    float partial[MOST_STREAMS][LANES] = {{0}};
    uint32_t digits[MOST_STREAMS] = {0};
    const float share = 1.0f / (float)e->streams;
    const size_t last = (size_t)(e->streams - 1) * e->heads * LANES;
    for (uint32_t from = 0; from < e->streams; from = diversity_count_up(e, digits)) {
        diversity_choose(e, heads, digits, from, partial);
        const float *rest = partial[e->streams - 1]; // (LANES)
        float sum[LANES] = {0};
        for (uint32_t h = 0; h < e->heads; ++h)
#pragma omp simd
            for (uint32_t l = 0; l < LANES; ++l) {
                const float m = (rest[l] + heads[last + h * LANES + l]) * share;
                const float slope = approx_log(m > 1e-20f ? m : 1e-20f) + (m > 1e-20f ? 1.0f : 0.0f);
                sums[last + h * LANES + l] += (double)slope;
                sum[l] += slope;
            }
        for (uint32_t s = 0; s + 1 < e->streams; ++s) {
            double *own = sums + (size_t)(s * e->heads + digits[s]) * LANES; // (LANES)
#pragma omp simd
            for (uint32_t l = 0; l < LANES; ++l) own[l] += (double)sum[l];
        }
    }
}

static diversity_job diversity_job_of(const quartic_op_run *run) {
    diversity_job j = {.e = diversity_extents_of(run->attrs, run->inputs[0].layout),
                       .p = run->inputs[0].data};
    j.blocks = (j.e.keys + LANES - 1) / LANES;
    return j;
}

static uint64_t diversity_rows(const diversity_job *j) {
    return (uint64_t)j->e.batch * j->e.queries;
}

/* Threads for this work: a logarithm is worth 8 elements of light work. */
static uint32_t diversity_parts(const diversity_job *j, uint32_t threads) {
    return quartic_parts((uint64_t)(8 * j->e.choices * (double)diversity_rows(j) * j->e.keys), threads);
}

/* Heads of a thread, then (adjoint) its sums. */
static size_t diversity_thread_elements(const quartic_op_call *call) {
    return (size_t)call->inputs[0].shape.dims[1] * LANES;
}

/* Also a double for each unit. */
static size_t diversity_tuned_scratch(const quartic_op_call *call, uint32_t threads) {
    const diversity_extents e = diversity_extents_of(call->attrs, &call->inputs[0]);
    const size_t units = (size_t)e.batch * e.queries * ((e.keys + LANES - 1) / LANES);
    return units * sizeof(double) + threads * diversity_thread_elements(call) * sizeof(float);
}

static size_t diversity_grad_tuned_scratch(const quartic_op_call *call, uint32_t threads) {
    return threads * diversity_thread_elements(call) * (sizeof(double) + sizeof(float));
}

static void diversity_run(const quartic_op_run *run) {
    const diversity_job j = diversity_job_of(run);
    const uint64_t units = diversity_rows(&j) * j.blocks;
    const uint32_t parts = diversity_parts(&j, run->threads);
    const size_t thread_elements = (size_t)j.e.streams * j.e.heads * LANES;
    double *results = run->scratch; // (b, i, blocks)
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        float *heads = (float *)(results + units) + part * thread_elements; // (s h, LANES)
        const uint64_t end = quartic_part_begin(units, parts, part + 1);
        for (uint64_t unit = quartic_part_begin(units, parts, part); unit < end; ++unit) {
            double total[LANES] = {0};
            const uint32_t count = diversity_load(&j, unit, heads);
            diversity_add_entropies(&j.e, heads, total);
            results[unit] = 0;
            for (uint32_t l = 0; l < count; ++l) results[unit] += total[l];
        }
    }
    for (uint64_t row = 0; row < diversity_rows(&j); ++row) {
        double total = 0;
        for (uint32_t k = 0; k < j.blocks; ++k) total += results[row * j.blocks + k];
        ((float *)run->outputs[0].data)[row] = (float)(total / j.e.choices);
    }
}

static void diversity_grad_run(const quartic_op_run *run) {
    const diversity_job j = diversity_job_of(run);
    const uint64_t units = diversity_rows(&j) * j.blocks;
    const uint32_t parts = diversity_parts(&j, run->threads);
    const uint32_t all_heads = j.e.streams * j.e.heads;
    const size_t thread_elements = (size_t)all_heads * LANES;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t part = 0; part < parts; ++part) {
        double *sums = (double *)run->scratch + part * thread_elements; // (s h, LANES)
        float *heads =                                                  // (s h, LANES)
            (float *)((double *)run->scratch + parts * thread_elements) + part * thread_elements;
        const uint64_t end = quartic_part_begin(units, parts, part + 1);
        for (uint64_t unit = quartic_part_begin(units, parts, part); unit < end; ++unit) {
            const uint32_t count = diversity_load(&j, unit, heads);
            memset(sums, 0, thread_elements * sizeof *sums);
            diversity_add_slopes(&j.e, heads, sums);
            const double factor =
                (double)((const float *)run->inputs[1].data)[unit / j.blocks] / (j.e.choices * j.e.streams);
            for (uint32_t head = 0; head < all_heads; ++head) {
                float *dp = // (count)
                    (float *)run->outputs[0].data + diversity_row(&j.e, unit, j.blocks, head) +
                    unit % j.blocks * LANES;
                for (uint32_t l = 0; l < count; ++l) dp[l] = (float)(factor * sums[(size_t)head * LANES + l]);
            }
        }
    }
}

const quartic_fast_kernel quartic_fast_diversity = {.op = &quartic_op_diversity,
                                                    .accepts = diversity_accepts,
                                                    .run = diversity_run,
                                                    .scratch = diversity_tuned_scratch};
const quartic_fast_kernel quartic_fast_diversity_grad = {.op = &quartic_op_diversity_grad,
                                                         .accepts = diversity_accepts,
                                                         .run = diversity_grad_run,
                                                         .scratch = diversity_grad_tuned_scratch};
