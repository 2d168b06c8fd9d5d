/* queue.c: submits to the device's queue, waiting for them, the barrier between them, and copies that are
 * recorded between them.
 *
 * Command buffers are enqueued in order and handed to the driver together, by one vkQueueSubmit2, when the
 * queue is flushed: at a wait, or where one submit would take the device too long. Submits signal rising values
 * of one timeline semaphore; waiting means waiting for a value. Copies (uploads.c, fetches.c) are recorded into
 * the open recorder, one of a growing list of command buffers, which is closed and enqueued before anything else
 * is. A lost device stays lost: every later call says so, and only destroying it is left.
 *
 * Invariants: what is recorded into the open recorder is in the next submit; a recorder is recorded anew only when
 * the submit with its last contents has finished or failed.
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

/* Waits for the submit that signals the value. A device that finishes no submit for
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

/* The submit that would have signalled the value failed. */
static void drop_recorders(quartic_gpu_device *device, uint64_t value) {
    quartic_gpu_copies *copies = &device->copies;
    for (uint32_t k = 0; k < copies->recorder_count; ++k)
        if (copies->recorders[k].value == value) copies->recorders[k].value = 0;
}

/* ---- submits ------------------------------------------------------------------------------------------- */

/* Hands what is pending to the driver. If that fails it is dropped: later it would be out of order. */
static quartic_status submit_pending(quartic_gpu_device *device) {
    if (device->submitted - device->finished >= QUARTIC_GPU_MOST_RUNNING)
        QUARTIC_TRY(wait_for_value(device, device->submitted - QUARTIC_GPU_MOST_RUNNING + 1));
    const VkSemaphoreSubmitInfo signal = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                          .semaphore = device->timeline,
                                          .value = device->submitted + 1,
                                          .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT};
    const VkSubmitInfo2 submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                  .commandBufferInfoCount = device->pending_count,
                                  .pCommandBufferInfos = device->pending,
                                  .signalSemaphoreInfoCount = 1,
                                  .pSignalSemaphoreInfos = &signal};
    const quartic_gpu_work work = device->pending_work;
    char what[QUARTIC_GPU_WHAT];
    quartic_gpu_describe_submit(&work, what);
    const quartic_status status =
        quartic_gpu_check(device, device->vk.vkQueueSubmit2(device->queue, 1, &submit, VK_NULL_HANDLE), what);
    device->pending_work = (quartic_gpu_work){0};
    device->pending_count = 0;
    device->pending_seconds = 0.0;
    if (status != QUARTIC_OK) {
        drop_recorders(device, device->submitted + 1);
        return status;
    }
    device->submitted += 1;
    ++device->submit_calls;
    quartic_gpu_note_submit(device, &work);
    return QUARTIC_OK;
}

quartic_status quartic_gpu_reserve_pending(quartic_gpu_device *device, uint32_t count) {
    if (count <= device->pending_capacity) return QUARTIC_OK;
    const uint32_t capacity = 2 * count + 16;
    VkCommandBufferSubmitInfo *grown =
        quartic_realloc(device->pending, device->pending_count, capacity, sizeof *grown);
    if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
    device->pending = grown;
    device->pending_capacity = capacity;
    return QUARTIC_OK;
}

static const quartic_gpu_work copy_work;

/* Adds a program to what the submit holds; copies count only where there is nothing else. */
static void add_work(quartic_gpu_work *all, const quartic_gpu_work *work) {
    if (work->count == 0) return;
    if (all->count == 0)
        *all = *work;
    else
        ++all->more, all->more_op = work->last_op;
}

static quartic_status append_pending(quartic_gpu_device *device, VkCommandBuffer commands, double seconds,
                                     const quartic_gpu_work *work) {
    QUARTIC_TRY(quartic_gpu_reserve_pending(device, device->pending_count + 1));
    device->pending[device->pending_count++] = (VkCommandBufferSubmitInfo){
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, .commandBuffer = commands};
    device->pending_seconds += seconds;
    add_work(&device->pending_work, work);
    return QUARTIC_OK;
}

/* The copies recorded so far come before what is enqueued next. */
static quartic_status append_copies(quartic_gpu_device *device) {
    VkCommandBuffer copies;
    QUARTIC_TRY(close_recorder(device, &copies));
    return copies == VK_NULL_HANDLE ? QUARTIC_OK : append_pending(device, copies, 0.0, &copy_work);
}

quartic_status quartic_gpu_enqueue(quartic_gpu_device *device, VkCommandBuffer commands, double seconds,
                                   const quartic_gpu_work *work) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    QUARTIC_TRY(append_copies(device));
    if (!quartic_gpu_submit_has_room(device->pending_seconds, seconds)) QUARTIC_TRY(submit_pending(device));
    return append_pending(device, commands, seconds, work);
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

void quartic_gpu_discard(quartic_gpu_device *device) {
    quartic_gpu_copies *copies = &device->copies;
    device->pending_count = 0;
    device->pending_seconds = 0.0;
    device->pending_work = (quartic_gpu_work){0};
    /* It is begun anew later, for which its recording must have ended; with what result does not matter. */
    if (copies->open != NULL) device->vk.vkEndCommandBuffer(copies->open->commands);
    copies->open = NULL;
    drop_recorders(device, device->submitted + 1);
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
    recorder->value = device->submitted + 1;
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
