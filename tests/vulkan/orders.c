/* orders.c: see orders.h. */
#include "vulkan/orders.h"

#include <string.h>

#include "base/rng.h"
#include "vulkan/vulkan_test.h"

static const char *const order_names[] = {"as recorded", "reversed", "rotated by one", "rotated by half"};

/* ---- orders -------------------------------------------------------------------------------------------- */

/* Which command of a run of `length` comes at place k. */
static uint32_t orders_source_of(order order, uint32_t length, uint32_t k) {
    switch (order) {
    case ORDER_REVERSED:
        return length - 1 - k;
    case ORDER_ROTATED_BY_ONE:
        return (k + 1) % length;
    case ORDER_ROTATED_BY_HALF:
        return (k + length / 2) % length;
    default:
        return k;
    }
}

static void order_run(quartic_gpu_command *run, const quartic_gpu_command *old, uint32_t length,
                      order order) {
    for (uint32_t k = 0; k < length; ++k) {
        run[k] = old[orders_source_of(order, length, k)];
        run[k].barrier = old[k].barrier;
        run[k].step = old[k].step;
    }
}

void order_commands(quartic_gpu_command *commands, uint32_t count, order order) {
    quartic_gpu_command *old = quartic_alloc(count, sizeof *old);
    if (count > 0) memcpy(old, commands, count * sizeof *old);
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && !old[end].barrier;) ++end;
        order_run(commands + begin, old + begin, end - begin, order);
    }
    quartic_free(old);
}

static bool same_commands(const quartic_gpu_command *a, const quartic_gpu_command *b, uint32_t count) {
    return count == 0 || memcmp(a, b, count * sizeof *a) == 0;
}

quartic_status order_lower(const quartic_program *program, quartic_gpu_command **out_commands,
                           quartic_run_vulkan_touched **out_touched, uint32_t *out_count) {
    const quartic_graph *graph = program->graph;
    const quartic_gpu_limits limits = quartic_run_vulkan_limits(program->device->gpu);
    uint64_t *storages = quartic_alloc(graph->storage_count, sizeof *storages);
    if (storages == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint32_t s = 0; s < graph->storage_count; ++s)
        if (program->tensors[s] != NULL)
            storages[s] = quartic_gpu_buffer_address(program->tensors[s]->memory);
    quartic_run_vulkan_memory memory = {.storages = storages};
    if (program->workspace != NULL) memory.workspace = quartic_gpu_buffer_address(program->workspace->memory);
    quartic_status status = quartic_gpu_device_absent(program->device->gpu, &memory.absent);
    if (status == QUARTIC_OK)
        status = quartic_run_vulkan_lower(graph, &program->plan, &limits, &memory, out_commands, out_touched,
                                          out_count);
    quartic_free(storages);
    return status;
}

/* ---- memory -------------------------------------------------------------------------------------------- */

/* The bytes of all named tensors of a program, one after the other. */
static uint64_t named_bytes(const quartic_program *program) {
    uint64_t bytes = 0;
    for (uint32_t s = 0; s < program->graph->storage_count; ++s)
        if (program->tensors[s] != NULL) bytes += program->tensors[s]->device_bytes;
    return bytes;
}

static quartic_status read_named(const quartic_program *program, uint8_t *bytes) {
    for (uint32_t s = 0; s < program->graph->storage_count; ++s) {
        const quartic_tensor *tensor = program->tensors[s];
        if (tensor == NULL) continue;
        QUARTIC_TRY(quartic_gpu_buffer_read(tensor->memory, 0, bytes, tensor->device_bytes));
        bytes += tensor->device_bytes;
    }
    return QUARTIC_OK;
}

static quartic_status write_named(const quartic_program *program, const uint8_t *bytes) {
    for (uint32_t s = 0; s < program->graph->storage_count; ++s) {
        const quartic_tensor *tensor = program->tensors[s];
        if (tensor == NULL) continue;
        QUARTIC_TRY(quartic_gpu_buffer_write(tensor->memory, 0, bytes, tensor->device_bytes));
        bytes += tensor->device_bytes;
    }
    return QUARTIC_OK;
}

static quartic_status poison_tensor(const quartic_tensor *tensor, float poison) {
    const uint64_t count = tensor->device_bytes / sizeof poison;
    float *numbers = quartic_alloc(count, sizeof *numbers);
    if (numbers == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint64_t i = 0; i < count; ++i) numbers[i] = poison;
    const quartic_status status =
        quartic_gpu_buffer_write(tensor->memory, 0, numbers, count * sizeof *numbers);
    quartic_free(numbers);
    return status;
}

/* What a run must write before it may read it: the workspace and the outputs. */
static quartic_status poison_unwritten(const quartic_program *program, float poison) {
    if (program->workspace != NULL) QUARTIC_TRY(poison_tensor(program->workspace, poison));
    for (uint32_t s = 0; s < program->graph->storage_count; ++s)
        if (program->tensors[s] != NULL && program->graph->storages[s].kind == QUARTIC_STORAGE_OUTPUT)
            QUARTIC_TRY(poison_tensor(program->tensors[s], poison));
    return QUARTIC_OK;
}

/* ---- the comparison ------------------------------------------------------------------------------------ */

/* Of a comparison: all named tensors before the run, after the plain run, and after the run at hand. */
typedef struct comparison {
    quartic_program *program;
    const quartic_gpu_command *commands;
    quartic_gpu_command *ordered;
    uint32_t count;
    uint8_t *before, *want, *got;
    order_result *result;
} comparison;

static void tell_difference(comparison *c, order order, float poison) {
    const quartic_graph *graph = c->program->graph;
    uint64_t at = 0;
    for (uint32_t s = 0; s < graph->storage_count; ++s) {
        if (c->program->tensors[s] == NULL) continue;
        const uint64_t bytes = c->program->tensors[s]->device_bytes;
        for (uint64_t i = 0; i < bytes; i += 4) {
            uint32_t got, want;
            memcpy(&got, c->got + at + i, sizeof got);
            memcpy(&want, c->want + at + i, sizeof want);
            if (got == want) continue;
            snprintf(c->result->difference, sizeof c->result->difference,
                     "%s over %g: element %llu of \"%s\" has the bits %08x, not %08x", order_names[order],
                     (double)poison, (unsigned long long)(i / 4), graph->storages[s].name, got, want);
            return;
        }
        at += bytes;
    }
}

/* One order over one poison; false in result->same if any bit differs. */
static quartic_status compare_order(comparison *c, order order, float poison) {
    quartic_gpu_commands *recorded;
    QUARTIC_TRY(write_named(c->program, c->before));
    QUARTIC_TRY(poison_unwritten(c->program, poison));
    QUARTIC_TRY(quartic_gpu_commands_create(c->program->device->gpu, c->ordered, c->count,
                                            c->program->plan.step_count, false, &recorded));
    const quartic_status status = quartic_gpu_commands_run(recorded);
    quartic_gpu_commands_destroy(recorded);
    QUARTIC_TRY(status);
    QUARTIC_TRY(read_named(c->program, c->got));
    c->result->same = memcmp(c->got, c->want, named_bytes(c->program)) == 0;
    if (!c->result->same) tell_difference(c, order, poison);
    return QUARTIC_OK;
}

static quartic_status compare_orders(comparison *c) {
    const uint32_t nan_bits = 0x7fc00000u;
    float poisons[2] = {0.0f, 1e30f};
    memcpy(&poisons[0], &nan_bits, sizeof nan_bits);
    QUARTIC_TRY(read_named(c->program, c->before));
    QUARTIC_TRY(quartic_program_run(c->program));
    QUARTIC_TRY(read_named(c->program, c->want));
    for (uint32_t k = 0; k < ORDER_COUNT; ++k) {
        if (c->count > 0) memcpy(c->ordered, c->commands, c->count * sizeof *c->ordered);
        order_commands(c->ordered, c->count, (order)k);
        const bool moved = !same_commands(c->ordered, c->commands, c->count);
        for (uint32_t n = 0; k == ORDER_REVERSED && n < c->count; ++n)
            c->result->moved += !same_commands(&c->ordered[n], &c->commands[n], 1);
        for (uint32_t p = 0; p < 2 && c->result->same && (moved || k == ORDER_AS_RECORDED); ++p)
            QUARTIC_TRY(compare_order(c, (order)k, poisons[p]));
    }
    return write_named(c->program, c->want);
}

quartic_status order_compare(quartic_program *program, const quartic_gpu_command *commands, uint32_t count,
                             order_result *out_result) {
    *out_result = (order_result){.same = true};
    quartic_gpu_command *own = NULL;
    if (commands == NULL) {
        QUARTIC_TRY(order_lower(program, &own, NULL, &count));
        commands = own;
    }
    const uint64_t bytes = named_bytes(program);
    comparison c = {.program = program,
                    .commands = commands,
                    .ordered = quartic_alloc(count, sizeof *c.ordered),
                    .count = count,
                    .before = quartic_alloc(bytes, 1),
                    .want = quartic_alloc(bytes, 1),
                    .got = quartic_alloc(bytes, 1),
                    .result = out_result};
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    if (c.ordered != NULL && c.before != NULL && c.want != NULL && c.got != NULL) status = compare_orders(&c);
    quartic_free(c.ordered);
    quartic_free(c.before);
    quartic_free(c.want);
    quartic_free(c.got);
    quartic_free(own);
    return status;
}

void order_expect_same(const char *what, quartic_program *program, uint32_t *inout_moved) {
    order_result result;
    assert_ok(order_compare(program, NULL, 0, &result));
    if (!result.same) fail_msg("%s: %s", what, result.difference);
    *inout_moved += result.moved;
}

void order_write_random(quartic_tensor *tensor, uint32_t stream, float scale) {
    const uint64_t count = tensor->device_bytes / sizeof(float);
    float *numbers = quartic_alloc(count, sizeof *numbers);
    for (uint64_t i = 0; i < count; ++i) numbers[i] = scale * quartic_random_normal(7, stream, i);
    assert_ok(quartic_tensor_write(tensor, numbers, count * sizeof *numbers));
    quartic_free(numbers);
}
