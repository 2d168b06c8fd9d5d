/* triangle.c (fast): tuned triangle attention; formulas in src/ops/triangle/problem.h.
 *
 * Work is cut into tasks by shape alone, and one task sums all of a gradient, so the result does not depend
 * on the number of threads. Scratch, in order: each graph's list of visible pivots, delta (backward only),
 * what threads share, what each thread has of its own.
 */
#include "fast/triangle.h"

#include "fast/parts.h"

static quartic_triangle_sizes triangle_sizes(const quartic_triangle_problem *problem, bool backward) {
    quartic_triangle_sizes sizes = problem->kind == QUARTIC_TRIANGLE_BOTH
                                       ? quartic_triangle_both_sizes(problem, backward)
                                       : quartic_triangle_rows_sizes(problem, backward);
    sizes.shared = quartic_round_up(sizes.shared, 16);
    sizes.own = quartic_round_up(sizes.own, 16);
    return sizes;
}

static size_t triangle_list_ints(const quartic_triangle_problem *problem) {
    return quartic_round_up((size_t)problem->batch * (problem->n + 1), 16);
}

/* Edges of all heads. */
static size_t triangle_edges(const quartic_triangle_problem *problem) {
    return quartic_triangle_units(problem) * problem->n * problem->n;
}

static size_t triangle_delta_floats(const quartic_triangle_problem *problem, bool backward) {
    return backward ? quartic_round_up(triangle_edges(problem), 16) : 0;
}

static size_t triangle_scratch(const quartic_op_call *call, uint32_t threads) {
    const quartic_triangle_problem problem = quartic_triangle_of_call(call);
    const bool backward = call->input_count == QUARTIC_TRIANGLE_INPUTS;
    const quartic_triangle_sizes sizes = triangle_sizes(&problem, backward);
    return (triangle_list_ints(&problem) + triangle_delta_floats(&problem, backward) + sizes.shared +
            threads * sizes.own + 16) *
           sizeof(float);
}

static void triangle_find_deltas(const quartic_triangle_job *job) {
    const float *g = job->run->inputs[QUARTIC_TRIANGLE_G].data;         // (b, n, n, h, d)
    const float *out = job->run->inputs[QUARTIC_TRIANGLE_OUT].data;     // (b, n, n, h, d)
    const int32_t *mask = job->run->inputs[QUARTIC_TRIANGLE_MASK].data; // (b, n)
    const quartic_triangle_problem *problem = &job->problem;
    const size_t n = problem->n, heads = problem->heads, d = problem->d, edges = problem->batch * n * n;
#pragma omp parallel for num_threads(job->threads) schedule(static) if (job->threads > 1)
    for (size_t edge = 0; edge < edges; ++edge) {
        const int32_t *own_mask = problem->masked ? mask + edge / (n * n) * n : NULL;
        const bool lone =
            quartic_triangle_is_lone(problem, own_mask, (uint32_t)(edge / n % n), (uint32_t)(edge % n));
        for (size_t head = edge * heads; head < (edge + 1) * heads; ++head) {
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (size_t c = 0; c < d; ++c) sum += (double)g[head * d + c] * out[head * d + c];
            job->deltas[head] = lone ? quartic_flash_lone : (float)sum;
        }
    }
}

static void triangle_run(const quartic_op_run *run) {
    quartic_triangle_job job = {.problem = quartic_triangle_of_run(run),
                                .run = run,
                                .kernels = quartic_matmul_kernels_best(false),
                                .backward = run->input_count == QUARTIC_TRIANGLE_INPUTS};
    const quartic_triangle_problem *problem = &job.problem;
    const quartic_triangle_sizes sizes = triangle_sizes(problem, job.backward);
    const double flops = quartic_triangle_flops(problem, job.backward);
    job.threads = quartic_parts((uint64_t)(flops / (double)QUARTIC_TRIANGLE_FLOPS_OF_THREAD), run->threads);
    job.blocks = quartic_triangle_blocks(problem->n);
    job.pivots = (int32_t *)quartic_round_up((uintptr_t)run->scratch, 64);
    job.pivot_counts = (uint32_t *)job.pivots + (size_t)problem->batch * problem->n;
    job.deltas = (float *)job.pivots + triangle_list_ints(problem);
    job.shared = job.deltas + triangle_delta_floats(problem, job.backward);
    job.own = job.shared + sizes.shared;
    job.own_floats = sizes.own;
    const int32_t *mask = run->inputs[QUARTIC_TRIANGLE_MASK].data; // (b, n)
    for (uint32_t b = 0; b < problem->batch; ++b) {
        const size_t first = (size_t)b * problem->n;
        uint32_t count = 0;
        for (uint32_t l = 0; l < problem->n; ++l)
            if (!problem->masked || mask[first + l] != 0) job.pivots[first + count++] = (int32_t)l;
        job.pivot_counts[b] = count;
    }
    if (job.backward) triangle_find_deltas(&job);
    (problem->kind == QUARTIC_TRIANGLE_BOTH ? quartic_triangle_both_run : quartic_triangle_rows_run)(&job);
}

const quartic_fast_kernel quartic_fast_triangle_attention = {
    .op = &quartic_op_triangle_attention, .run = triangle_run, .scratch = triangle_scratch};
const quartic_fast_kernel quartic_fast_triangle_attention_grad = {
    .op = &quartic_op_triangle_attention_grad, .run = triangle_run, .scratch = triangle_scratch};
