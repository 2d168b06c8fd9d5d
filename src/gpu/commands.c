/* commands.c: a list of dispatches recorded once and replayed.
 *
 * The list is kept as data too, for recording into a caller's command buffer. Submits follow each other on
 * one queue without semaphores between them: the barrier at the start of each covers all that was submitted
 * before. Timestamps, if wanted, stand between steps: entry s is taken when all of step s - 1 has finished.
 */
#include "gpu/internal.h"
#include "gpu/schedule.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>

struct quartic_gpu_commands {
    quartic_gpu_device *device;
    quartic_gpu_command *list;
    VkPipeline *pipelines; /* one per command */
    uint32_t count, step_count;
    VkCommandPool pool;
    VkCommandBuffer *submits;
    quartic_gpu_work *works; /* what each of them holds */
    double *seconds;         /* of each submit, as estimated */
    uint32_t submit_count;
    VkQueryPool timestamps; /* step_count + 1, with profile */
    uint64_t *ticks;
    bool measured;       /* ticks hold a run */
    double host_seconds; /* spent submitting the last run */
};

/* Between dispatches of one list. */
static void compute_barrier(const quartic_gpu_device *device, VkCommandBuffer commands) {
    const VkMemoryBarrier2 barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
        .srcStageMask = VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
        .srcAccessMask = VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT,
        .dstStageMask = VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
        .dstAccessMask = VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT,
    };
    const VkDependencyInfo dependency = {
        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .memoryBarrierCount = 1, .pMemoryBarriers = &barrier};
    device->vk.vkCmdPipelineBarrier2(commands, &dependency);
}

/* What is bound while a command buffer is recorded. */
typedef struct recording {
    const quartic_gpu_commands *commands;
    VkCommandBuffer buffer;
    VkPipeline bound;
    uint32_t command;    /* whose arguments are pushed */
    uint32_t next_stamp; /* timestamps written so far */
} recording;

static void push_command(recording *r, uint32_t index) {
    const quartic_gpu_commands *commands = r->commands;
    const quartic_gpu_device *device = commands->device;
    if (r->bound != commands->pipelines[index]) {
        r->bound = commands->pipelines[index];
        device->vk.vkCmdBindPipeline(r->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, r->bound);
    }
    if (r->command != index) {
        r->command = index;
        const quartic_gpu_command *command = &commands->list[index];
        device->vk.vkCmdPushConstants(r->buffer, device->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                      command->args_bytes, command->args);
    }
}

/* Writes timestamps next_stamp .. last. */
static void write_stamps(recording *r, uint32_t last) {
    for (; r->next_stamp <= last; ++r->next_stamp)
        r->commands->device->vk.vkCmdWriteTimestamp2(r->buffer, VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
                                                     r->commands->timestamps, r->next_stamp);
}

static quartic_gpu_schedule begin_schedule(const quartic_gpu_commands *commands) {
    const quartic_gpu_caps *caps = &commands->device->caps;
    return quartic_gpu_schedule_begin(commands->list, commands->count, caps->flops_per_second,
                                      caps->bytes_per_second);
}

static quartic_status end_submit(quartic_gpu_commands *commands, VkCommandBuffer buffer) {
    return quartic_gpu_check(commands->device, commands->device->vk.vkEndCommandBuffer(buffer),
                             "recording a program");
}

static quartic_status begin_submit(recording *r, uint32_t index) {
    quartic_gpu_device *device = r->commands->device;
    /* A training step is submitted while the one before it may still run. */
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT};
    *r = (recording){.commands = r->commands,
                     .buffer = r->commands->submits[index],
                     .command = UINT32_MAX,
                     .next_stamp = r->next_stamp};
    QUARTIC_TRY(
        quartic_gpu_check(device, device->vk.vkBeginCommandBuffer(r->buffer, &begin), "recording a program"));
    quartic_gpu_barrier(device, r->buffer, false);
    if (index == 0 && r->commands->timestamps != VK_NULL_HANDLE)
        device->vk.vkCmdResetQueryPool(r->buffer, r->commands->timestamps, 0, r->commands->step_count + 1);
    return QUARTIC_OK;
}

/* Adds a command to what is known of a submit. */
static void note_work(const quartic_gpu_commands *commands, uint32_t submit,
                      const quartic_gpu_command *command, bool first) {
    quartic_gpu_work *work = &commands->works[submit];
    if (first)
        *work = (quartic_gpu_work){.first = command->step,
                                   .count = commands->step_count,
                                   .continues = submit > 0,
                                   .first_op = command->op == NULL ? command->shader : command->op,
                                   .first_scope = command->scope};
    work->last = command->step;
    work->last_op = command->op == NULL ? command->shader : command->op;
    work->last_scope = command->scope;
}

static quartic_status record_submits(quartic_gpu_commands *commands) {
    quartic_gpu_device *device = commands->device;
    quartic_gpu_schedule schedule = begin_schedule(commands);
    quartic_gpu_piece piece;
    recording r = {.commands = commands};
    uint32_t submit = 0;
    bool profile = commands->timestamps != VK_NULL_HANDLE;
    while (quartic_gpu_schedule_next(&schedule, &piece)) {
        const quartic_gpu_command *command = &commands->list[piece.command];
        if (piece.new_submit) {
            if (submit > 0) QUARTIC_TRY(end_submit(commands, r.buffer));
            QUARTIC_TRY(begin_submit(&r, submit++));
        }
        note_work(commands, submit - 1, command, piece.new_submit);
        commands->seconds[submit - 1] = schedule.spent;
        bool new_step = profile && piece.first && r.next_stamp <= command->step;
        if (piece.first && (command->barrier || new_step) && !piece.new_submit)
            compute_barrier(device, r.buffer);
        if (new_step) write_stamps(&r, command->step);
        push_command(&r, piece.command);
        device->vk.vkCmdDispatchBase(r.buffer, piece.base[0], piece.base[1], piece.base[2], piece.groups[0],
                                     piece.groups[1], piece.groups[2]);
    }
    if (submit == 0) return QUARTIC_OK;
    if (profile) write_stamps(&r, commands->step_count);
    quartic_gpu_barrier(device, r.buffer, true);
    return end_submit(commands, r.buffer);
}

static quartic_status expect_grid(const quartic_gpu_device *device, const quartic_gpu_command *command) {
    for (int axis = 0; axis < 3; ++axis)
        if (command->groups[axis] > device->caps.max_groups[axis])
            return quartic_fail(
                QUARTIC_UNSUPPORTED,
                "shader %s would need a grid of %u x %u x %u workgroups, but %s allows %u along axis %d; "
                "make the problem smaller",
                command->shader, command->groups[0], command->groups[1], command->groups[2],
                device->caps.name, device->caps.max_groups[axis], axis);
    return QUARTIC_OK;
}

static quartic_status create_submits(quartic_gpu_commands *commands) {
    quartic_gpu_device *device = commands->device;
    quartic_gpu_schedule schedule = begin_schedule(commands);
    quartic_gpu_piece piece;
    uint32_t submit_count = 0;
    while (quartic_gpu_schedule_next(&schedule, &piece)) submit_count += piece.new_submit;
    if (submit_count == 0) return QUARTIC_OK;
    commands->submits = quartic_alloc(submit_count, sizeof *commands->submits);
    commands->works = quartic_alloc(submit_count, sizeof *commands->works);
    commands->seconds = quartic_alloc(submit_count, sizeof *commands->seconds);
    if (commands->submits == NULL || commands->works == NULL || commands->seconds == NULL)
        return QUARTIC_OUT_OF_MEMORY;
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .queueFamilyIndex = device->caps.queue_family};
    QUARTIC_TRY(quartic_gpu_check(
        device, device->vk.vkCreateCommandPool(device->handle, &pool, NULL, &commands->pool),
        "creating a command pool"));
    const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = commands->pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = submit_count};
    QUARTIC_TRY(quartic_gpu_check(
        device, device->vk.vkAllocateCommandBuffers(device->handle, &info, commands->submits),
        "allocating command buffers"));
    commands->submit_count = submit_count;
    return quartic_gpu_reserve_pending(device, submit_count);
}

static quartic_status create_timestamps(quartic_gpu_commands *commands) {
    quartic_gpu_device *device = commands->device;
    commands->ticks = quartic_alloc(commands->step_count + 1, sizeof *commands->ticks);
    if (commands->ticks == NULL) return QUARTIC_OUT_OF_MEMORY;
    const VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                        .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                        .queryCount = commands->step_count + 1};
    VkQueryPool pool;
    QUARTIC_TRY(quartic_gpu_check(device, device->vk.vkCreateQueryPool(device->handle, &info, NULL, &pool),
                                  "creating the timestamps"));
    commands->timestamps = pool;
    return QUARTIC_OK;
}

static quartic_status build_commands(quartic_gpu_commands *commands, const quartic_gpu_command *list,
                                     bool profile) {
    quartic_gpu_device *device = commands->device;
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    for (uint32_t c = 0; c < commands->count; ++c) QUARTIC_TRY(expect_grid(device, &list[c]));
    commands->list = quartic_alloc(commands->count, sizeof *commands->list);
    commands->pipelines = quartic_alloc(commands->count, sizeof *commands->pipelines);
    if (commands->list == NULL || commands->pipelines == NULL) return QUARTIC_OUT_OF_MEMORY;
    if (commands->count > 0) memcpy(commands->list, list, commands->count * sizeof *list);
    QUARTIC_TRY(quartic_gpu_pipelines_prepare(device, commands->list, commands->count, commands->pipelines));
    if (profile && device->caps.timestamp_bits != 0) QUARTIC_TRY(create_timestamps(commands));
    QUARTIC_TRY(create_submits(commands));
    return record_submits(commands);
}

quartic_status quartic_gpu_commands_create(quartic_gpu_device *device, const quartic_gpu_command *list,
                                           uint32_t count, uint32_t step_count, bool profile,
                                           quartic_gpu_commands **out_commands) {
    *out_commands = NULL;
    quartic_gpu_commands *commands = quartic_alloc(1, sizeof *commands);
    if (commands == NULL) return QUARTIC_OUT_OF_MEMORY;
    commands->device = device;
    commands->count = count;
    commands->step_count = step_count;
    quartic_status status = build_commands(commands, list, profile);
    if (status == QUARTIC_OK)
        *out_commands = commands;
    else
        quartic_gpu_commands_destroy(commands);
    return status;
}

void quartic_gpu_commands_destroy(quartic_gpu_commands *commands) {
    if (commands == NULL) return;
    quartic_gpu_device *device = commands->device;
    quartic_gpu_wait_quietly(device); /* the device may still be running them */
    device->vk.vkDestroyQueryPool(device->handle, commands->timestamps, NULL);
    device->vk.vkDestroyCommandPool(device->handle, commands->pool, NULL);
    quartic_free(commands->submits);
    quartic_free(commands->works);
    quartic_free(commands->seconds);
    quartic_free(commands->ticks);
    quartic_free(commands->pipelines);
    quartic_free(commands->list);
    quartic_free(commands);
}

quartic_status quartic_gpu_commands_enqueue(quartic_gpu_commands *commands) {
    QUARTIC_TRY(quartic_gpu_expect_alive(commands->device));
    for (uint32_t s = 0; s < commands->submit_count; ++s)
        QUARTIC_TRY(quartic_gpu_enqueue(commands->device, commands->submits[s], commands->seconds[s],
                                        &commands->works[s]));
    return QUARTIC_OK;
}

quartic_status quartic_gpu_commands_run(quartic_gpu_commands *commands) {
    quartic_gpu_device *device = commands->device;
    double start = quartic_clock();
    quartic_status status = quartic_gpu_commands_enqueue(commands);
    if (status == QUARTIC_OK) status = quartic_gpu_flush(device);
    if (status != QUARTIC_OK) quartic_gpu_discard(device);
    commands->host_seconds = quartic_clock() - start;
    /* After a failed submit too: what was submitted before it must not be pending when the caller goes on. */
    if (!device->lost) {
        quartic_status waited = quartic_gpu_wait(device);
        if (status == QUARTIC_OK) status = waited;
    }
    if (status != QUARTIC_OK || commands->timestamps == VK_NULL_HANDLE || commands->submit_count == 0)
        return status;
    size_t bytes = (commands->step_count + 1) * sizeof *commands->ticks;
    QUARTIC_TRY(
        quartic_gpu_check(device,
                          device->vk.vkGetQueryPoolResults(device->handle, commands->timestamps, 0,
                                                           commands->step_count + 1, bytes, commands->ticks,
                                                           sizeof *commands->ticks, VK_QUERY_RESULT_64_BIT),
                          "reading the timestamps"));
    commands->measured = true;
    return QUARTIC_OK;
}

double quartic_gpu_commands_seconds(const quartic_gpu_commands *commands, uint32_t step) {
    if (!commands->measured || step >= commands->step_count) return 0.0;
    const quartic_gpu_caps *caps = &commands->device->caps;
    /* Counters of fewer than 64 bits wrap around. */
    uint64_t mask = caps->timestamp_bits >= 64 ? UINT64_MAX : (1ull << caps->timestamp_bits) - 1;
    return (double)((commands->ticks[step + 1] - commands->ticks[step]) & mask) * caps->timestamp_seconds;
}

double quartic_gpu_commands_host_seconds(const quartic_gpu_commands *commands) {
    return commands->host_seconds;
}

uint32_t quartic_gpu_commands_count(const quartic_gpu_commands *commands) {
    return commands->count;
}

uint32_t quartic_gpu_commands_submit_count(const quartic_gpu_commands *commands) {
    return commands->submit_count;
}

void quartic_gpu_commands_append(const quartic_gpu_commands *commands, VkCommandBuffer buffer) {
    const quartic_gpu_device *device = commands->device;
    recording r = {.commands = commands, .buffer = buffer, .command = UINT32_MAX};
    quartic_gpu_barrier(device, buffer, false);
    for (uint32_t c = 0; c < commands->count; ++c) {
        const quartic_gpu_command *command = &commands->list[c];
        if (command->barrier && c > 0) compute_barrier(device, buffer);
        push_command(&r, c);
        quartic_gpu_box boxes[2];
        const uint32_t box_count = quartic_gpu_command_boxes(command, boxes);
        for (uint32_t b = 0; b < box_count; ++b)
            device->vk.vkCmdDispatchBase(buffer, boxes[b].base[0], boxes[b].base[1], boxes[b].base[2],
                                         boxes[b].groups[0], boxes[b].groups[1], boxes[b].groups[2]);
    }
    quartic_gpu_barrier(device, buffer, true);
}
