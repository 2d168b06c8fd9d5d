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

quartic_status quartic_gpu_check(quartic_gpu_device *device, VkResult result, const char *what) {
    if (result == VK_ERROR_DEVICE_LOST) device->lost = true;
    return quartic_vk_check(result, what);
}

quartic_status quartic_gpu_expect_alive(const quartic_gpu_device *device) {
    if (!device->lost) return QUARTIC_OK;
    return quartic_fail(QUARTIC_DEVICE_LOST,
                        "the device %s was lost in an earlier call; destroy it and open it again",
                        device->caps.name);
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
    device->batches[device->batch_count++] =
        (VkSubmitInfo2){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2, .signalSemaphoreInfoCount = 1};
    device->batch_seconds = 0.0;
}

/* Hands what is pending to the driver, by one call. If that fails all of it is dropped: later it would be out of
 * order. */
static quartic_status submit_pending(quartic_gpu_device *device) {
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
    const uint32_t count = device->batch_count;
    const quartic_status status = quartic_gpu_check(
        device, device->vk.vkQueueSubmit2(device->queue, count, device->batches, VK_NULL_HANDLE),
        "submitting work to the device");
    if (status != QUARTIC_OK) {
        quartic_gpu_discard(device);
        return status;
    }
    forget_pending(device);
    device->submitted += count;
    ++device->submit_calls;
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
    void *commands = device->pending, *infos = device->batches, *signals = device->signals;
    quartic_status status = grow_array(&commands, pending, capacity, sizeof *device->pending);
    if (status == QUARTIC_OK) status = grow_array(&infos, batches, capacity, sizeof *device->batches);
    if (status == QUARTIC_OK) status = grow_array(&signals, batches, capacity, sizeof *device->signals);
    device->pending = commands; /* each as it is now, which is at least as large as it was */
    device->batches = infos;
    device->signals = signals;
    if (status == QUARTIC_OK) device->pending_capacity = capacity;
    return status;
}

/* Into the batch that is being filled, or the first one. */
static quartic_status append_pending(quartic_gpu_device *device, VkCommandBuffer commands, double seconds) {
    QUARTIC_TRY(quartic_gpu_reserve_pending(device, device->pending_count + 1));
    if (device->batch_count == 0) begin_batch(device);
    device->pending[device->pending_count++] = (VkCommandBufferSubmitInfo){
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, .commandBuffer = commands};
    ++device->batches[device->batch_count - 1].commandBufferInfoCount;
    device->batch_seconds += seconds;
    return QUARTIC_OK;
}

/* The copies recorded so far come before what is enqueued next. */
static quartic_status append_copies(quartic_gpu_device *device) {
    VkCommandBuffer copies;
    QUARTIC_TRY(close_recorder(device, &copies));
    return copies == VK_NULL_HANDLE ? QUARTIC_OK : append_pending(device, copies, 0.0);
}

quartic_status quartic_gpu_enqueue(quartic_gpu_device *device, VkCommandBuffer commands, double seconds) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    QUARTIC_TRY(append_copies(device));
    QUARTIC_TRY(quartic_gpu_reserve_pending(device, device->pending_count + 1));
    if (!quartic_gpu_submit_has_room(device->batch_seconds, seconds)) begin_batch(device);
    return append_pending(device, commands, seconds);
}

quartic_status quartic_gpu_flush(quartic_gpu_device *device) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    QUARTIC_TRY(append_copies(device));
    return device->pending_count == 0 ? QUARTIC_OK : submit_pending(device);
}

quartic_status quartic_gpu_submit(quartic_gpu_device *device, VkCommandBuffer commands) {
    QUARTIC_TRY(quartic_gpu_enqueue(device, commands, 0.0));
    return quartic_gpu_flush(device);
}

quartic_status quartic_gpu_wait_for(quartic_gpu_device *device, uint64_t value) {
    if (value > device->submitted) QUARTIC_TRY(quartic_gpu_flush(device));
    if (value <= device->finished) return QUARTIC_OK;
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    if (value > device->submitted)
        return quartic_fail(QUARTIC_INTERNAL, "work is waited for whose submit to %s failed before",
                            device->caps.name);
    const VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                      .semaphoreCount = 1,
                                      .pSemaphores = &device->timeline,
                                      .pValues = &value};
    QUARTIC_TRY(quartic_gpu_check(device, device->vk.vkWaitSemaphores(device->handle, &wait, UINT64_MAX),
                                  "waiting for the device"));
    device->finished = value;
    return QUARTIC_OK;
}

quartic_status quartic_gpu_wait(quartic_gpu_device *device) {
    const quartic_status flushed = quartic_gpu_flush(device);
    if (device->lost) return flushed;
    /* After a failed submit too: what was submitted before it must not be in flight when the caller goes on. */
    const quartic_status waited = quartic_gpu_wait_for(device, device->submitted);
    return flushed != QUARTIC_OK ? flushed : waited;
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
    if (device->finished == device->submitted) return;
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
