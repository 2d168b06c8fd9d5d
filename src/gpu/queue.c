/* queue.c: submits to the device's queue, waiting for them, the barrier between them, and copies that are
 * recorded between them.
 *
 * Command buffers are enqueued in order and handed to the driver together, by one vkQueueSubmit2, when the
 * queue is flushed. The call has several batches where one would take the device too long (schedule.h); each
 * signals the next value of one timeline semaphore, so that drivers make each a job of its own. Waiting means
 * waiting for a value. Copies (uploads.c, fetches.c) are recorded into
 * the open recorder, one of a growing list of command buffers, which is closed and enqueued before anything else
 * is. A lost device stays lost: every later call says so, and only destroying it is left.
 *
 * Invariants: what is recorded into the open recorder is in the batch that is being filled; a recorder is recorded anew only when
 * the batch with its last contents has finished or failed.
 */
#include "gpu/internal.h"
#include "gpu/schedule.h"

#include "base/alloc.h"

/* One wait: long enough to cost nothing, short enough that a process that was stopped for a while has lost only
 * one of them. */
static const uint64_t wait_nanoseconds = 1000000000;

quartic_status quartic_gpu_check(quartic_gpu_device *device, VkResult result, const char *what) {
    if (result != VK_ERROR_DEVICE_LOST) return quartic_vk_check(result, what);
    return quartic_gpu_lose(device, what, "the device stopped responding (a hang, a reset or a watchdog)");
}

/* Waits for the batch that signals the value. A device that finishes no batch for
 * QUARTIC_GPU_PATIENCE_SECONDS counts as lost: a single one is estimated at half a second. */
static quartic_status wait_for_value(quartic_gpu_device *device, uint64_t value) {
    static const char what[] = "waiting for the device";
    const VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                      .semaphoreCount = 1,
                                      .pSemaphores = &device->timeline,
                                      .pValues = &value};
    for (int waits = 0; device->finished < value;) {
        uint64_t reached = value;
        VkResult result = device->vk.vkWaitSemaphores(device->handle, &wait, wait_nanoseconds);
        if (result == VK_TIMEOUT)
            result = device->vk.vkGetSemaphoreCounterValue(device->handle, device->timeline, &reached);
        QUARTIC_TRY(quartic_gpu_check(device, result, what));
        if (reached > device->finished)
            waits = 0, device->finished = reached;
        else if (++waits == QUARTIC_GPU_PATIENCE_SECONDS)
            return quartic_gpu_abandon(device, what);
    }
    return QUARTIC_OK;
}

/* ---- recorders of copies ------------------------------------------------------------------------------- */

/* Ends the open recorder, which the next submit must contain; VK_NULL_HANDLE if there is none. */
static quartic_status close_recorder(quartic_gpu_device *device, VkCommandBuffer *out_commands) {
    quartic_gpu_copies *copies = &device->copies;
    *out_commands = VK_NULL_HANDLE;
    if (copies->open == NULL) return QUARTIC_OK;
    const VkCommandBuffer commands = copies->open->commands;
    copies->open = NULL;
    quartic_gpu_barrier(device, commands, true);
    QUARTIC_TRY(quartic_gpu_check(device, device->vk.vkEndCommandBuffer(commands), "recording a copy"));
    *out_commands = commands;
    return QUARTIC_OK;
}

/* Recorders whose contents were not submitted and never will be are free. */
static void drop_recorders(quartic_gpu_device *device) {
    quartic_gpu_copies *copies = &device->copies;
    for (uint32_t k = 0; k < copies->recorder_count; ++k)
        if (copies->recorders[k].value > device->submitted) copies->recorders[k].value = 0;
}

/* ---- submits ------------------------------------------------------------------------------------------- */

static void forget_pending(quartic_gpu_device *device) {
    device->pending_count = 0;
    device->batch_count = 0;
    device->batch_seconds = 0.0;
}

void quartic_gpu_discard(quartic_gpu_device *device) {
    quartic_gpu_copies *copies = &device->copies;
    forget_pending(device);
    /* It is begun anew later, for which its recording must have ended; with what result does not matter. */
    if (copies->open != NULL) device->vk.vkEndCommandBuffer(copies->open->commands);
    copies->open = NULL;
    drop_recorders(device);
}

/* There is room for as many batches as for command buffers. */
static void begin_batch(quartic_gpu_device *device) {
    device->works[device->batch_count] = (quartic_gpu_work){0};
    device->batches[device->batch_count++] =
        (VkSubmitInfo2){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2, .signalSemaphoreInfoCount = 1};
    device->batch_seconds = 0.0;
}

/* Gives each pending batch its command buffers and the value that it signals. */
static void fill_batches(quartic_gpu_device *device) {
    const VkCommandBufferSubmitInfo *commands = device->pending;
    for (uint32_t k = 0; k < device->batch_count; ++k) {
        device->signals[k] = (VkSemaphoreSubmitInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                                     .semaphore = device->timeline,
                                                     .value = device->submitted + 1 + k,
                                                     .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT};
        device->batches[k].pCommandBufferInfos = commands;
        device->batches[k].pSignalSemaphoreInfos = &device->signals[k];
        commands += device->batches[k].commandBufferInfoCount;
    }
}

/* After a refused submit: Vulkan promises that nothing of it runs. A driver that took its first batches all the
 * same has half a step in memory, such as an update of some weights, and signals values that later batches would
 * signal again; so its device counts as lost. */
static quartic_status expect_nothing_ran(quartic_gpu_device *device, quartic_status status,
                                         const char *what) {
    uint64_t reached = 0;
    if (status == QUARTIC_DEVICE_LOST || device->batch_count < 2) return status;
    device->vk.vkQueueWaitIdle(device->queue);
    if (device->vk.vkGetSemaphoreCounterValue(device->handle, device->timeline, &reached) != VK_SUCCESS ||
        reached <= device->submitted)
        return status;
    device->finished = device->submitted;
    return quartic_gpu_lose(device, what, "the driver refused the work and yet ran a part of it");
}

/* Hands what is pending to the driver, by one call. If that fails all of it is dropped: later it would be out of
 * order. */
static quartic_status submit_pending(quartic_gpu_device *device) {
    const uint32_t count = device->batch_count;
    quartic_gpu_work all = {0};
    char what[QUARTIC_GPU_WHAT];
    for (uint32_t k = 0; k < count; ++k) quartic_gpu_add_work(&all, &device->works[k]);
    quartic_gpu_describe_submit(&all, what);
    fill_batches(device);
    quartic_status status = quartic_gpu_reserve_notes(device, count);
    if (status == QUARTIC_OK) {
        status = quartic_gpu_check(
            device, device->vk.vkQueueSubmit2(device->queue, count, device->batches, VK_NULL_HANDLE), what);
        if (status != QUARTIC_OK) status = expect_nothing_ran(device, status, what);
    }
    if (status != QUARTIC_OK) {
        quartic_gpu_discard(device);
        return status;
    }
    device->submitted += count;
    ++device->submit_calls;
    quartic_gpu_note_submit(device, device->works, count);
    forget_pending(device);
    return QUARTIC_OK;
}

/* Grows an array that holds `count` of `size` bytes each. */
static quartic_status grow_array(void **array, uint32_t count, uint32_t capacity, size_t size) {
    void *grown = quartic_realloc(*array, count, capacity, size);
    if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
    *array = grown;
    return QUARTIC_OK;
}

quartic_status quartic_gpu_reserve_pending(quartic_gpu_device *device, uint32_t count) {
    if (count <= device->pending_capacity) return QUARTIC_OK;
    const uint32_t capacity = 2 * count + 16, pending = device->pending_count, batches = device->batch_count;
    void *commands = device->pending, *infos = device->batches, *signals = device->signals,
         *works = device->works;
    quartic_status status = grow_array(&commands, pending, capacity, sizeof *device->pending);
    if (status == QUARTIC_OK) status = grow_array(&infos, batches, capacity, sizeof *device->batches);
    if (status == QUARTIC_OK) status = grow_array(&signals, batches, capacity, sizeof *device->signals);
    if (status == QUARTIC_OK) status = grow_array(&works, batches, capacity, sizeof *device->works);
    device->pending = commands; /* each as it is now, which is at least as large as it was */
    device->batches = infos;
    device->signals = signals;
    device->works = works;
    if (status == QUARTIC_OK) status = quartic_gpu_reserve_notes(device, capacity);
    if (status == QUARTIC_OK) device->pending_capacity = capacity;
    return status;
}

static const quartic_gpu_work copy_work;

/* Into the batch that is being filled, or the first one. There is room for it. */
static void append_pending(quartic_gpu_device *device, VkCommandBuffer commands, double seconds,
                           const quartic_gpu_work *work) {
    if (device->batch_count == 0) begin_batch(device);
    device->pending[device->pending_count++] = (VkCommandBufferSubmitInfo){
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, .commandBuffer = commands};
    ++device->batches[device->batch_count - 1].commandBufferInfoCount;
    device->batch_seconds += seconds;
    quartic_gpu_work own = *work;
    own.training_step = device->training_step;
    quartic_gpu_add_work(&device->works[device->batch_count - 1], &own);
}

/* The copies recorded so far come before what is enqueued next, for which there is room too. Without memory for
 * that the copies stay where they are. */
static quartic_status append_copies(quartic_gpu_device *device) {
    VkCommandBuffer copies;
    QUARTIC_TRY(quartic_gpu_reserve_pending(device, device->pending_count + 2));
    QUARTIC_TRY(close_recorder(device, &copies));
    if (copies != VK_NULL_HANDLE) append_pending(device, copies, 0.0, &copy_work);
    return QUARTIC_OK;
}

quartic_status quartic_gpu_enqueue(quartic_gpu_device *device, VkCommandBuffer commands, double seconds,
                                   const quartic_gpu_work *work) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    QUARTIC_TRY(append_copies(device));
    if (!quartic_gpu_submit_has_room(device->batch_seconds, seconds)) begin_batch(device);
    append_pending(device, commands, seconds, work);
    return QUARTIC_OK;
}

quartic_status quartic_gpu_flush(quartic_gpu_device *device) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    QUARTIC_TRY(append_copies(device));
    return device->pending_count == 0 ? QUARTIC_OK : submit_pending(device);
}

quartic_status quartic_gpu_submit(quartic_gpu_device *device, VkCommandBuffer commands) {
    QUARTIC_TRY(quartic_gpu_enqueue(device, commands, 0.0, &copy_work));
    return quartic_gpu_flush(device);
}

quartic_status quartic_gpu_wait_for(quartic_gpu_device *device, uint64_t value) {
    if (value > device->submitted) QUARTIC_TRY(quartic_gpu_flush(device));
    if (value <= device->finished) return QUARTIC_OK;
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    if (value > device->submitted)
        return quartic_fail(QUARTIC_INTERNAL, "work is waited for whose submit to %s failed before",
                            device->caps.name);
    return wait_for_value(device, value);
}

quartic_status quartic_gpu_wait(quartic_gpu_device *device) {
    const quartic_status flushed = quartic_gpu_flush(device);
    if (device->lost) return flushed;
    /* After a failed submit too: what was submitted before it must not be in flight when the caller goes on. */
    const quartic_status waited = quartic_gpu_wait_for(device, device->submitted);
    return flushed != QUARTIC_OK ? flushed : waited;
}

void quartic_gpu_set_training_step(quartic_gpu_device *device, uint64_t number) {
    device->training_step = number;
}

uint64_t quartic_gpu_submit_calls(const quartic_gpu_device *device) {
    return device->submit_calls;
}

bool quartic_gpu_is_idle(const quartic_gpu_device *device) {
    return device->pending_count == 0 && device->copies.open == NULL && device->finished == device->submitted;
}

quartic_status quartic_gpu_settle(quartic_gpu_device *device) {
    return device->lost || quartic_gpu_is_idle(device) ? QUARTIC_OK : quartic_gpu_wait(device);
}

void quartic_gpu_wait_quietly(quartic_gpu_device *device) {
    if (!device->lost && quartic_gpu_settle(device) == QUARTIC_OK) return;
    if (device->finished == device->submitted || device->abandoned) return;
    /* Lost, or waiting failed. Of a lost device, too, this returns in finite time. */
    device->vk.vkQueueWaitIdle(device->queue);
    device->finished = device->submitted;
}

void quartic_gpu_barrier(const quartic_gpu_device *device, VkCommandBuffer commands, bool host) {
    const VkPipelineStageFlags2 stages =
        VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT;
    const VkMemoryBarrier2 barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
        .srcStageMask = stages,
        .srcAccessMask = VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT,
        .dstStageMask = stages | (host ? VK_PIPELINE_STAGE_2_HOST_BIT : 0),
        .dstAccessMask = VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT |
                         VK_ACCESS_2_TRANSFER_READ_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT |
                         (host ? VK_ACCESS_2_HOST_READ_BIT : 0),
    };
    const VkDependencyInfo dependency = {
        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .memoryBarrierCount = 1, .pMemoryBarriers = &barrier};
    device->vk.vkCmdPipelineBarrier2(commands, &dependency);
}

/* ---- recording copies ---------------------------------------------------------------------------------- */

static quartic_status add_recorder(quartic_gpu_device *device) {
    quartic_gpu_copies *copies = &device->copies;
    const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = device->pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = 1};
    quartic_gpu_recorder recorder = {0};
    if (copies->recorder_count == copies->recorder_capacity) {
        const uint32_t capacity = 2 * copies->recorder_capacity + 4;
        quartic_gpu_recorder *grown =
            quartic_realloc(copies->recorders, copies->recorder_count, capacity, sizeof *grown);
        if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
        copies->recorders = grown;
        copies->recorder_capacity = capacity;
    }
    QUARTIC_TRY(quartic_gpu_check(
        device, device->vk.vkAllocateCommandBuffers(device->handle, &info, &recorder.commands),
        "allocating a command buffer"));
    copies->recorders[copies->recorder_count++] = recorder;
    return QUARTIC_OK;
}

/* A recorder whose last contents are done; a new one if there is none. */
static quartic_status find_recorder(quartic_gpu_device *device, quartic_gpu_recorder **out_recorder) {
    quartic_gpu_copies *copies = &device->copies;
    uint32_t k = 0;
    while (k < copies->recorder_count && copies->recorders[k].value > device->finished) ++k;
    if (k == copies->recorder_count) QUARTIC_TRY(add_recorder(device));
    *out_recorder = &copies->recorders[k];
    return QUARTIC_OK;
}

/* Makes sure that a recorder is open. */
static quartic_status open_recorder(quartic_gpu_device *device) {
    quartic_gpu_recorder *recorder;
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    if (device->copies.open != NULL) return QUARTIC_OK;
    QUARTIC_TRY(find_recorder(device, &recorder));
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    QUARTIC_TRY(quartic_gpu_check(device, device->vk.vkBeginCommandBuffer(recorder->commands, &begin),
                                  "recording a copy"));
    quartic_gpu_barrier(device, recorder->commands, false);
    recorder->value = device->submitted + (device->batch_count == 0 ? 1 : device->batch_count);
    recorder->upload_begin = device->uploads.head;
    device->copies.open = recorder;
    device->copies.touched_count = 0;
    return QUARTIC_OK;
}

quartic_status quartic_gpu_record_copy(quartic_gpu_device *device, const quartic_gpu_buffer *buffer,
                                       VkCommandBuffer *out_commands, uint64_t *out_value) {
    quartic_gpu_copies *copies = &device->copies;
    QUARTIC_TRY(open_recorder(device));
    bool again = copies->touched_count == QUARTIC_GPU_COPIES_TOUCHED;
    for (uint32_t k = 0; k < copies->touched_count && !again; ++k) again = copies->touched[k] == buffer;
    if (again) {
        quartic_gpu_barrier(device, copies->open->commands, false);
        copies->touched_count = 0;
    }
    copies->touched[copies->touched_count++] = buffer;
    *out_commands = copies->open->commands;
    *out_value = copies->open->value;
    return QUARTIC_OK;
}
