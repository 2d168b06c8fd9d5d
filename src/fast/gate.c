/* gate.c (fast): tuned gate and gate_grad; formulas in src/ops/gate.c. Threads share the rows, heads of tokens. */
#include "ops/gate.h"

#include "fast/parts.h"
#include "lib/functions.h"

typedef struct gate_job {
    const quartic_layout *x_layout; /* (b, n, H, d), dense along d */
    const float *x, *gates, *dy;
    float *dx, *dgates, *y; /* or NULL */
    uint32_t width;
} gate_job;

static bool gate_accepts(const quartic_op_call *call) {
    const quartic_layout *x = &call->inputs[GATE_X];
    return x->strides[3] == 1 || x->shape.dims[3] == 1;
}

QUARTIC_INLINE const float *gate_row(const gate_job *job, uint64_t row) {
    const uint32_t *dims = job->x_layout->shape.dims;
    const int64_t *strides = job->x_layout->strides, token = (int64_t)(row / dims[2]);
    return job->x + token / dims[1] * strides[0] + token % dims[1] * strides[1] +
           (int64_t)(row % dims[2]) * strides[2];
}

QUARTIC_CLONES
static void gate_rows(const gate_job *job, uint64_t begin, uint64_t end) {
    const uint32_t width = job->width;
    for (uint64_t row = begin; row < end; ++row) {
        const float *x = gate_row(job, row), open = approx_sigmoid(job->gates[row]);
        float *y = job->y + row * width;
#pragma omp simd
        for (uint32_t d = 0; d < width; ++d) y[d] = x[d] * open;
    }
}

/* dx may lie where dy lies. */
QUARTIC_CLONES
static void gate_grad_rows(const gate_job *job, uint64_t begin, uint64_t end) {
    const uint32_t width = job->width;
    for (uint64_t row = begin; row < end; ++row) {
        const float *x = gate_row(job, row), *dy = job->dy + row * width,
                    open = approx_sigmoid(job->gates[row]);
        if (job->dgates != NULL) {
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (uint32_t d = 0; d < width; ++d) sum += dy[d] * x[d];
            job->dgates[row] = sum * (open * (1.0f - open));
        }
        if (job->y != NULL) {
            float *y = job->y + row * width;
#pragma omp simd
            for (uint32_t d = 0; d < width; ++d) y[d] = x[d] * open;
        }
        if (job->dx != NULL) {
            float *dx = job->dx + row * width;
#pragma omp simd
            for (uint32_t d = 0; d < width; ++d) dx[d] = dy[d] * open;
        }
    }
}

static gate_job gate_job_of(const quartic_op_run *run) {
    return (gate_job){.x_layout = run->inputs[GATE_X].layout,
                      .x = run->inputs[GATE_X].data,
                      .gates = run->inputs[GATE_GATES].data,
                      .width = run->inputs[GATE_X].layout->shape.dims[3]};
}

static void gate_run(const quartic_op_run *run) {
    gate_job job = gate_job_of(run);
    job.y = run->outputs[0].data;
    const uint64_t rows = quartic_layout_elements(run->inputs[GATE_GATES].layout);
    const uint32_t parts = quartic_parts(rows * job.width, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        gate_rows(&job, quartic_part_begin(rows, parts, p), quartic_part_begin(rows, parts, p + 1));
}

static void gate_grad_run(const quartic_op_run *run) {
    const uint32_t wants = ((const gate_attrs *)run->attrs)->wants;
    gate_job job = gate_job_of(run);
    job.dy = run->inputs[GATE_DY].data;
    if (wants & QUARTIC_GATE_WANT_X) job.dx = run->outputs[0].data;
    if (wants & QUARTIC_GATE_WANT_GATES)
        job.dgates = run->outputs[gate_output(wants, QUARTIC_GATE_WANT_GATES)].data;
    if (wants & QUARTIC_GATE_WANT_Y) job.y = run->outputs[gate_output(wants, QUARTIC_GATE_WANT_Y)].data;
    const uint64_t rows = quartic_layout_elements(run->inputs[GATE_GATES].layout);
    const uint32_t parts = quartic_parts(2 * rows * job.width, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t p = 0; p < parts; ++p)
        gate_grad_rows(&job, quartic_part_begin(rows, parts, p), quartic_part_begin(rows, parts, p + 1));
}

const quartic_fast_kernel quartic_fast_gate = {
    .op = &quartic_op_gate, .accepts = gate_accepts, .run = gate_run};
const quartic_fast_kernel quartic_fast_gate_grad = {
    .op = &quartic_op_gate_grad, .accepts = gate_accepts, .run = gate_grad_run};
