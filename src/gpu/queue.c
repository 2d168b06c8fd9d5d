/* queue.c: submits to the device's queue, waiting for them, and the barrier between them.
 *
 * Command buffers are enqueued in order and handed to the driver together, by one vkQueueSubmit2, when the
 * queue is flushed: at a wait, or where the device's time for one submit would be exceeded. Submits signal
 * rising values of one timeline semaphore; waiting means waiting for the last value. A lost device stays
 * lost: every later call says so, and only destroying it is left.
 */
#include "gpu/internal.h"
#include "gpu/schedule.h"

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

/* Hands what is pending to the driver. What fails to be submitted is dropped: it would be out of order later.
 */
static quartic_status submit_pending(quartic_gpu_device *device) {
    VkCommandBufferSubmitInfo buffers[QUARTIC_GPU_PENDING];
    for (uint32_t k = 0; k < device->pending_count; ++k)
        buffers[k] = (VkCommandBufferSubmitInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                                 .commandBuffer = device->pending[k]};
    const VkSemaphoreSubmitInfo signal = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                          .semaphore = device->timeline,
                                          .value = device->submitted + 1,
                                          .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT};
    const VkSubmitInfo2 submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                  .commandBufferInfoCount = device->pending_count,
                                  .pCommandBufferInfos = buffers,
                                  .signalSemaphoreInfoCount = 1,
                                  .pSignalSemaphoreInfos = &signal};
    device->pending_count = 0;
    device->pending_seconds = 0.0;
    QUARTIC_TRY(quartic_gpu_check(device,
                                  device->vk.vkQueueSubmit2(device->queue, 1, &submit, VK_NULL_HANDLE),
                                  "submitting work to the device"));
    device->submitted += 1;
    ++device->submit_calls;
    return QUARTIC_OK;
}

/* One place stays free for copies, which are in the submit after the one that was last when they were begun. */
static quartic_status append_pending(quartic_gpu_device *device, VkCommandBuffer commands, double seconds) {
    const bool full = device->pending_count >= QUARTIC_GPU_PENDING - 1;
    const bool long_enough = device->pending_count > 0 && device->pending_seconds > 0.0 &&
                             device->pending_seconds + seconds > QUARTIC_GPU_SUBMIT_SECONDS;
    if (full || long_enough) QUARTIC_TRY(submit_pending(device));
    device->pending[device->pending_count++] = commands;
    device->pending_seconds += seconds;
    return QUARTIC_OK;
}

/* The copies recorded so far come before what is enqueued next. */
static quartic_status append_copies(quartic_gpu_device *device) {
    VkCommandBuffer copies;
    QUARTIC_TRY(quartic_gpu_copies_close(device, &copies));
    if (copies != VK_NULL_HANDLE) device->pending[device->pending_count++] = copies;
    return QUARTIC_OK;
}

quartic_status quartic_gpu_enqueue(quartic_gpu_device *device, VkCommandBuffer commands, double seconds) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    QUARTIC_TRY(append_copies(device));
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
    return device->pending_count == 0 && !quartic_gpu_copies_open(device) &&
           device->finished == device->submitted;
}

quartic_status quartic_gpu_settle(quartic_gpu_device *device) {
    return device->lost || quartic_gpu_is_idle(device) ? QUARTIC_OK : quartic_gpu_wait(device);
}

void quartic_gpu_wait_quietly(quartic_gpu_device *device) {
    if (quartic_gpu_settle(device) == QUARTIC_OK) return;
    if (device->finished != device->submitted) device->lost = true; /* what runs there cannot be known */
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
