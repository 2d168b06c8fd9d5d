/* update.c (fast): what a training step does with all parameters at once: tuned sum_squares, accumulate,
 * assign, fill and adamw.
 *
 * All are bound by memory, so threads share contiguous ranges of elements. Formulas in src/ops/<op>.c.
 */
#include <math.h>
#include <string.h>

#include "fast/parts.h"
#include "ops/update.h"

/* ---- sum_squares: float sums of short blocks, added in double ---- */

enum { SUM_BLOCK = 1024 };

QUARTIC_CLONES
static double sum_squares_range(const float *x, // (elements)
                                uint64_t begin, uint64_t end) {
    double total = 0;
    for (uint64_t first = begin; first < end; first += SUM_BLOCK) {
        uint64_t last = end - first < SUM_BLOCK ? end : first + SUM_BLOCK;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (uint64_t i = first; i < last; ++i) sum += x[i] * x[i];
        total += (double)sum;
    }
    return total;
}

static size_t sum_squares_scratch(const quartic_op_call *call, uint32_t threads) {
    (void)call;
    return threads * sizeof(double);
}

static void sum_squares_run(const quartic_op_run *run) {
    uint64_t count = quartic_layout_elements(run->inputs[0].layout);
    const float *x = run->inputs[0].data;
    double *totals = run->scratch, total = 0; // totals: (parts)
    uint32_t parts = quartic_parts(count / 4, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        totals[p] = sum_squares_range(x, quartic_part_begin(count, parts, p),
                                      quartic_part_begin(count, parts, p + 1));
    for (uint32_t p = 0; p < parts; ++p) total += totals[p];
    *(float *)run->outputs[0].data = (float)total;
}

/* ---- accumulate ---- */

QUARTIC_CLONES
static void accumulate_range(float *target,  // (elements)
                             const float *x, // (elements)
                             float factor, uint64_t begin, uint64_t end) {
#pragma omp simd
    for (uint64_t i = begin; i < end; ++i) target[i] += factor * x[i];
}

static void accumulate_run(const quartic_op_run *run) {
    const accumulate_attrs *attrs = run->attrs;
    uint64_t count = quartic_layout_elements(run->outputs[0].layout);
    uint32_t parts = quartic_parts(count / 2, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        accumulate_range(run->outputs[0].data, run->inputs[1].data, attrs->factor,
                         quartic_part_begin(count, parts, p), quartic_part_begin(count, parts, p + 1));
}

/* ---- assign ---- */

static void assign_run(const quartic_op_run *run) {
    memcpy(run->outputs[0].data, run->inputs[1].data,
           sizeof(float) * quartic_layout_elements(run->outputs[0].layout));
}

/* ---- fill: floats; an int32 target stays with the reference ---- */

static bool fill_accepts(const quartic_op_call *call) {
    return call->inputs[0].dtype == QUARTIC_FLOAT32;
}

static void fill_run(const quartic_op_run *run) {
    const fill_attrs *attrs = run->attrs;
    uint64_t count = quartic_layout_elements(run->outputs[0].layout);
    float *target = run->outputs[0].data, number = attrs->number; // target: (count)
    for (uint64_t i = 0; i < count; ++i) target[i] = number;
}

/* ---- adamw ---- */

typedef struct adamw_job {
    float *parameter, *first, *second;                                      // (elements)
    const float *gradient;                                                  // (elements)
    float factor, rate, decay, beta1, beta2, correction1, correction2, eps; /* decay: rate * weight decay */
} adamw_job;

QUARTIC_CLONES
static void adamw_range(const adamw_job *job, uint64_t begin, uint64_t end) {
    const adamw_job j = *job;
#pragma omp simd
    for (uint64_t i = begin; i < end; ++i) {
        float g = j.gradient[i] * j.factor;
        float first = j.beta1 * j.first[i] + (1.0f - j.beta1) * g;
        float second = j.beta2 * j.second[i] + (1.0f - j.beta2) * g * g;
        float root = sqrtf(second / j.correction2) + j.eps;
        j.first[i] = first;
        j.second[i] = second;
        float parameter = j.parameter[i] - j.decay * j.parameter[i];
        j.parameter[i] = parameter - j.rate * (first / j.correction1) / root;
    }
}

static void adamw_run(const quartic_op_run *run) {
    const adamw_attrs *attrs = run->attrs;
    const float *hyper = run->inputs[ADAMW_HYPER].data;               // (QUARTIC_ADAMW_HYPER)
    const float *squared_norm = run->inputs[ADAMW_SQUARED_NORM].data; // (1), or NULL
    adamw_job job = {.parameter = run->outputs[ADAMW_PARAMETER].data,
                     .first = run->outputs[ADAMW_FIRST].data,
                     .second = run->outputs[ADAMW_SECOND].data,
                     .gradient = run->inputs[ADAMW_GRADIENT].data,
                     .factor = attrs->gradient_factor,
                     .rate = hyper[QUARTIC_ADAMW_RATE],
                     .decay = hyper[QUARTIC_ADAMW_RATE] * hyper[QUARTIC_ADAMW_DECAY],
                     .beta1 = hyper[QUARTIC_ADAMW_BETA1],
                     .beta2 = hyper[QUARTIC_ADAMW_BETA2],
                     .correction1 = hyper[QUARTIC_ADAMW_CORRECTION1],
                     .correction2 = hyper[QUARTIC_ADAMW_CORRECTION2],
                     .eps = hyper[QUARTIC_ADAMW_EPS]};
    if (squared_norm != NULL && !isfinite(*squared_norm)) return;
    float clip = hyper[QUARTIC_ADAMW_CLIP];
    if (squared_norm != NULL && clip > 0.0f) {
        float norm = attrs->gradient_factor * sqrtf(*squared_norm);
        job.factor *= fminf(1.0f, clip / (norm + (float)QUARTIC_ADAMW_NORM_EPS));
    }
    uint64_t count = quartic_layout_elements(run->outputs[0].layout);
    uint32_t parts = quartic_parts(count * 2, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        adamw_range(&job, quartic_part_begin(count, parts, p), quartic_part_begin(count, parts, p + 1));
}

const quartic_fast_kernel quartic_fast_sum_squares = {
    .op = &quartic_op_sum_squares, .run = sum_squares_run, .scratch = sum_squares_scratch};
const quartic_fast_kernel quartic_fast_accumulate = {.op = &quartic_op_accumulate, .run = accumulate_run};
const quartic_fast_kernel quartic_fast_assign = {.op = &quartic_op_assign, .run = assign_run};
const quartic_fast_kernel quartic_fast_fill = {
    .op = &quartic_op_fill, .accepts = fill_accepts, .run = fill_run};
const quartic_fast_kernel quartic_fast_adamw = {.op = &quartic_op_adamw, .run = adamw_run};
