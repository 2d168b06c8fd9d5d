/* queue.c: submits to the device's queue, waiting for them, and the barrier between them.
 *
 * Submits signal rising values of one timeline semaphore; waiting means waiting for the last value. A lost
 * device stays lost: every later call says so, and only destroying it is left.
 */
#include "gpu/internal.h"

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

quartic_status quartic_gpu_submit(quartic_gpu_device *device, VkCommandBuffer commands,
                                  const quartic_gpu_work *work) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    if (device->submitted - device->finished >= QUARTIC_GPU_MOST_RUNNING)
        QUARTIC_TRY(wait_for_value(device, device->submitted - QUARTIC_GPU_MOST_RUNNING + 1));
    const VkCommandBufferSubmitInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                              .commandBuffer = commands};
    const VkSemaphoreSubmitInfo signal = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                          .semaphore = device->timeline,
                                          .value = device->submitted + 1,
                                          .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT};
    const VkSubmitInfo2 submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                  .commandBufferInfoCount = 1,
                                  .pCommandBufferInfos = &buffer,
                                  .signalSemaphoreInfoCount = 1,
                                  .pSignalSemaphoreInfos = &signal};
    const VkResult result = device->vk.vkQueueSubmit2(device->queue, 1, &submit, VK_NULL_HANDLE);
    if (result != VK_SUCCESS) {
        char what[QUARTIC_GPU_WHAT];
        quartic_gpu_describe_submit(work, what);
        return quartic_gpu_check(device, result, what);
    }
    device->submitted += 1;
    quartic_gpu_note_submit(device, work);
    return QUARTIC_OK;
}

quartic_status quartic_gpu_wait(quartic_gpu_device *device) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    return wait_for_value(device, device->submitted);
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
