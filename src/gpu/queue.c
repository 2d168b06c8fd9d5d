/* queue.c: submits to the device's queue, waiting for them, and the barrier between them.
 *
 * Submits signal rising values of one timeline semaphore; waiting means waiting for the last value. A lost
 * device stays lost: every later call says so, and only destroying it is left.
 */
#include "gpu/internal.h"

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

quartic_status quartic_gpu_submit(quartic_gpu_device *device, VkCommandBuffer commands) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
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
    QUARTIC_TRY(quartic_gpu_check(device,
                                  device->vk.vkQueueSubmit2(device->queue, 1, &submit, VK_NULL_HANDLE),
                                  "submitting work to the device"));
    device->submitted += 1;
    return QUARTIC_OK;
}

quartic_status quartic_gpu_wait(quartic_gpu_device *device) {
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    const VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                      .semaphoreCount = 1,
                                      .pSemaphores = &device->timeline,
                                      .pValues = &device->submitted};
    return quartic_gpu_check(device, device->vk.vkWaitSemaphores(device->handle, &wait, UINT64_MAX),
                             "waiting for the device");
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
