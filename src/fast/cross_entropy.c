/* cross_entropy.c (fast): the mean cross entropy and its adjoint by rows; formulas in
 * src/ops/cross_entropy.c.
 *
 * Threads share the rows; each adds its rows' losses in double, and the parts are added in order.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "fast/parts.h"
#include "lib/functions.h"
#include "ops/cross_entropy.h"

typedef struct cross_entropy_job {
    uint32_t classes;
    const float *logits;    // (rows, classes)
    const int32_t *targets; // (rows)
    float *dlogits;         // (rows, classes)
    float factor;           /* cotangent / count */
} cross_entropy_job;

/* Lane by lane, since not every compiler makes vectors of a maximum that goes along the row. */
QUARTIC_INLINE float cross_entropy_largest_of(const float *x, // (count)
                                              uint32_t count) {
    enum { BLOCK = 16 };
    float lanes[BLOCK];
    for (uint32_t l = 0; l < BLOCK; ++l) lanes[l] = -FLT_MAX;
    uint32_t c = 0;
    for (; c + BLOCK <= count; c += BLOCK)
#pragma omp simd
        for (uint32_t l = 0; l < BLOCK; ++l) lanes[l] = x[c + l] > lanes[l] ? x[c + l] : lanes[l];
    for (uint32_t l = 0; c < count; ++c, ++l) lanes[l] = x[c] > lanes[l] ? x[c] : lanes[l];
    float largest = lanes[0];
    for (uint32_t l = 1; l < BLOCK; ++l) largest = lanes[l] > largest ? lanes[l] : largest;
    return largest;
}

QUARTIC_CLONES
static double cross_entropy_loss_rows(const cross_entropy_job *job, uint64_t begin, uint64_t end) {
    uint32_t classes = job->classes;
    double total = 0;
    for (uint64_t r = begin; r < end; ++r) {
        int32_t target = job->targets[r];
        if (!cross_entropy_counts(target, classes)) continue;
        const float *x = job->logits + r * classes; // (classes)
        float largest = cross_entropy_largest_of(x, classes), sum = 0;
#pragma omp simd reduction(+ : sum)
        for (uint32_t c = 0; c < classes; ++c) sum += approx_exp(x[c] - largest);
        total += log((double)sum) + ((double)largest - (double)x[target]);
    }
    return total;
}

QUARTIC_CLONES
static void cross_entropy_adjoint_rows(const cross_entropy_job *job, uint64_t begin, uint64_t end) {
    uint32_t classes = job->classes;
    for (uint64_t r = begin; r < end; ++r) {
        const float *x = job->logits + r * classes; // (classes)
        float *d = job->dlogits + r * classes;      // (classes)
        int32_t target = job->targets[r];
        if (!cross_entropy_counts(target, classes)) {
            memset(d, 0, classes * sizeof(float));
            continue;
        }
        float largest = cross_entropy_largest_of(x, classes), sum = 0;
#pragma omp simd reduction(+ : sum)
        for (uint32_t c = 0; c < classes; ++c) {
            float e = approx_exp(x[c] - largest);
            d[c] = e;
            sum += e;
        }
        float factor = job->factor / sum;
#pragma omp simd
        for (uint32_t c = 0; c < classes; ++c) d[c] *= factor;
        d[target] -= job->factor;
    }
}

static uint32_t cross_entropy_count_targets(const int32_t *targets, // (rows)
                                            uint32_t rows, uint32_t classes) {
    uint32_t count = 0;
    for (uint32_t r = 0; r < rows; ++r) count += cross_entropy_counts(targets[r], classes);
    return count;
}

static size_t cross_entropy_scratch(const quartic_op_call *call, uint32_t threads) {
    (void)call;
    return threads * sizeof(double);
}

static void cross_entropy_run(const quartic_op_run *run) {
    const uint32_t *dims = run->inputs[0].layout->shape.dims;
    uint32_t rows = dims[0];
    const cross_entropy_job job = {
        .classes = dims[1], .logits = run->inputs[0].data, .targets = run->inputs[1].data};
    double *totals = run->scratch, total = 0; // totals: (parts)
    uint32_t parts = quartic_parts((uint64_t)rows * job.classes, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        totals[p] = cross_entropy_loss_rows(&job, quartic_part_begin(rows, parts, p),
                                            quartic_part_begin(rows, parts, p + 1));
    for (uint32_t p = 0; p < parts; ++p) total += totals[p];
    uint32_t count = cross_entropy_count_targets(job.targets, rows, job.classes);
    if (count == 0) count = 1;
    *(float *)run->outputs[CROSS_ENTROPY_LOSS].data = (float)(total / count);
    *(float *)run->outputs[CROSS_ENTROPY_COUNT].data = (float)count;
}

static void cross_entropy_grad_run(const quartic_op_run *run) {
    const uint32_t *dims = run->inputs[0].layout->shape.dims;
    uint32_t rows = dims[0];
    const cross_entropy_job job = {.classes = dims[1],
                                   .logits = run->inputs[0].data,
                                   .targets = run->inputs[1].data,
                                   .dlogits = run->outputs[0].data,
                                   .factor = *(const float *)run->inputs[2].data /
                                             *(const float *)run->inputs[3].data};
    uint32_t parts = quartic_parts(2 * (uint64_t)rows * job.classes, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        cross_entropy_adjoint_rows(&job, quartic_part_begin(rows, parts, p),
                                   quartic_part_begin(rows, parts, p + 1));
}

const quartic_fast_kernel quartic_fast_cross_entropy = {
    .op = &quartic_op_cross_entropy, .run = cross_entropy_run, .scratch = cross_entropy_scratch};
const quartic_fast_kernel quartic_fast_cross_entropy_grad = {.op = &quartic_op_cross_entropy_grad,
                                                             .run = cross_entropy_grad_run};
