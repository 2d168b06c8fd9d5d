/* run_cpu.c: the CPU devices as a backend: steps as calls of tuned kernels ("cpu") or of the reference
 * kernels.
 *
 * Compiling resolves every operand to a pointer, so that a run is a loop over ready calls. On "reference64"
 * real numbers are held as double and only reference kernels run.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/threads.h"
#include "fast/fast.h"
#include "run/run.h"

typedef struct cpu_step {
    quartic_op_run run;
    const quartic_op *op;
    void (*kernel)(const quartic_op_run *run);
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
} cpu_step;

/* Bytes that the system says may still be taken, swap included; all of its memory if it does not say. */
static uint64_t cpu_available_bytes(const quartic_device *device) {
    FILE *facts = fopen("/proc/meminfo", "r");
    if (facts == NULL) return device->info.memory_bytes;
    char line[128];
    unsigned long long kibibytes, available = 0;
    while (fgets(line, sizeof line, facts) != NULL)
        if (sscanf(line, "MemAvailable: %llu", &kibibytes) == 1 ||
            sscanf(line, "SwapFree: %llu", &kibibytes) == 1)
            available += kibibytes << 10;
    fclose(facts);
    return available > 0 ? available : device->info.memory_bytes;
}

/* Asks before it allocates: a system that overcommits grants memory that it does not have, and ends the
 * process when that is used. */
static quartic_status cpu_expect_room(quartic_device *device, uint64_t bytes) {
    uint64_t available = cpu_available_bytes(device);
    if (available == 0 || bytes <= available) return QUARTIC_OK;
    const double mib = 1.0 / (1 << 20);
    return quartic_fail(QUARTIC_OUT_OF_MEMORY,
                        "%.1f MiB more are needed, but this machine has %.1f MiB left of %.1f MiB; make the "
                        "batch, the sequence or the model smaller",
                        (double)bytes * mib, (double)available * mib,
                        (double)device->info.memory_bytes * mib);
}

static quartic_status cpu_memory_create(quartic_device *device, uint64_t bytes, void **out_memory) {
    const uint64_t small = 64 << 20; /* not worth asking about */
    *out_memory = NULL;
    if (bytes > small) QUARTIC_TRY(cpu_expect_room(device, bytes));
    *out_memory = quartic_alloc(bytes, 1);
    return *out_memory == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
}

static void cpu_memory_destroy(quartic_device *device, void *memory) {
    (void)device;
    quartic_free(memory);
}

static uint64_t cpu_memory_address(const void *memory) {
    return (uint64_t)(uintptr_t)memory;
}

static quartic_status cpu_memory_write(quartic_device *device, void *memory, const void *data,
                                       uint64_t bytes) {
    (void)device;
    memcpy(memory, data, bytes);
    return QUARTIC_OK;
}

static quartic_status cpu_memory_read(quartic_device *device, const void *memory, void *out_data,
                                      uint64_t bytes) {
    (void)device;
    memcpy(out_data, memory, bytes);
    return QUARTIC_OK;
}

static const quartic_fast_kernel *cpu_tuned_kernel(const quartic_device *device, const quartic_op *op,
                                                   const quartic_op_call *call) {
    return device->info.kind == QUARTIC_DEVICE_CPU ? quartic_fast_find(op, call) : NULL;
}

static quartic_status cpu_scratch(void *context, const quartic_node *node, const quartic_op_call *call,
                                  quartic_step_need *out_need) {
    const quartic_device *device = ((const quartic_scratch_context *)context)->device;
    const quartic_fast_kernel *tuned = cpu_tuned_kernel(device, node->op, call);
    if (tuned != NULL)
        out_need->scratch_bytes = tuned->scratch == NULL ? 0 : tuned->scratch(call, device->threads);
    else if (node->op->cpu_scratch != NULL)
        out_need->scratch_bytes = node->op->cpu_scratch(call);
    return QUARTIC_OK;
}

/* Where a value's first element lies. */
static quartic_operand cpu_operand(const quartic_program *program, uint32_t id,
                                   const quartic_layout *layout) {
    if (id == 0) return (quartic_operand){.data = NULL, .layout = layout};
    uint32_t storage = quartic_graph_get(program->graph, id)->storage;
    const quartic_plan_place *place = &program->plan.places[storage];
    const uint32_t size = quartic_device_element_bytes(program->device, layout->dtype);
    char *base;
    if (place->in_workspace)
        base = (char *)program->workspace->memory + place->offset;
    else if (place->alias.storage != QUARTIC_NONE)
        base = (char *)program->tensors[place->alias.storage]->memory + size * place->alias.offset;
    else
        base = program->tensors[storage]->memory;
    return (quartic_operand){.data = base + layout->offset * (int64_t)size,
                             .layout = layout,
                             .wide = layout->dtype == QUARTIC_FLOAT32 && size == 8};
}

static quartic_status cpu_compile(quartic_program *program) {
    cpu_step *steps = quartic_alloc(program->plan.step_count, sizeof *steps);
    if (steps == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint32_t t = 0; t < program->plan.step_count; ++t) {
        const quartic_plan_step *planned = &program->plan.steps[t];
        const quartic_node *node = &program->graph->nodes[planned->node];
        cpu_step *step = &steps[t];
        quartic_op_call call = quartic_graph_call(program->graph, node, step->inputs, step->outputs);
        const quartic_fast_kernel *tuned = cpu_tuned_kernel(program->device, node->op, &call);
        step->op = node->op;
        step->kernel = tuned != NULL ? tuned->run : node->op->cpu;
        step->run = (quartic_op_run){.attrs = node->attrs,
                                     .input_count = node->input_count,
                                     .output_count = node->output_count,
                                     .threads = program->device->threads};
        for (uint32_t i = 0; i < node->input_count; ++i)
            step->run.inputs[i] = cpu_operand(program, node->inputs[i], &step->inputs[i]);
        for (uint32_t o = 0; o < node->output_count; ++o)
            step->run.outputs[o] = cpu_operand(program, node->outputs[o], &step->outputs[o]);
        if (planned->scratch_bytes > 0)
            step->run.scratch = (char *)program->workspace->memory + planned->scratch_offset;
    }
    program->compiled = steps;
    return QUARTIC_OK;
}

static void cpu_release(quartic_program *program) {
    quartic_free(program->compiled);
    program->compiled = NULL;
}

/* Makes every step with real results read and write numbers that are moved a little
 * (quartic_operand.jitter). An op that chooses (top_k) is left alone: it must read the same number each
 * time. */
static void cpu_start_jitter(quartic_program *program) {
    cpu_step *steps = program->compiled;
    for (uint32_t t = 0; t < program->plan.step_count; ++t) {
        bool real = false;
        for (uint32_t o = 0; o < steps[t].run.output_count; ++o)
            real = real || steps[t].outputs[o].dtype == QUARTIC_FLOAT32;
        for (uint32_t i = 0; real && i < steps[t].run.input_count; ++i)
            steps[t].run.inputs[i].jitter = &program->jitter;
        for (uint32_t o = 0; real && o < steps[t].run.output_count; ++o)
            steps[t].run.outputs[o].jitter = &program->jitter;
    }
}

static quartic_status cpu_run_steps(void *context) {
    quartic_program *program = context;
    const cpu_step *steps = program->compiled;
    if (program->jitter != 0) cpu_start_jitter(program);
    for (uint32_t t = 0; t < program->plan.step_count; ++t) {
        if (steps[t].op->check != NULL) QUARTIC_TRY(steps[t].op->check(&steps[t].run));
        double start = program->profile ? quartic_clock() : 0;
        steps[t].kernel(&steps[t].run);
        if (program->profile) program->step_seconds[t] = quartic_clock() - start;
    }
    return QUARTIC_OK;
}

static quartic_status cpu_run(quartic_program *program) {
    const bool tuned = program->device->info.kind == QUARTIC_DEVICE_CPU;
    return quartic_threads_call(tuned ? program->device->threads : 1, cpu_run_steps, program);
}

static void cpu_device_close(quartic_device *device) {
    (void)device;
}

const quartic_backend quartic_backend_cpu = {.memory_create = cpu_memory_create,
                                             .memory_destroy = cpu_memory_destroy,
                                             .memory_address = cpu_memory_address,
                                             .memory_write = cpu_memory_write,
                                             .memory_read = cpu_memory_read,
                                             .scratch = cpu_scratch,
                                             .expect_room = cpu_expect_room,
                                             .compile = cpu_compile,
                                             .release = cpu_release,
                                             .run = cpu_run,
                                             .device_close = cpu_device_close};
