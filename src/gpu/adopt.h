/* adopt.h: the functions of the Vulkan layer that take Vulkan's own types, for a caller that has a device,
 * buffers and command buffers of its own.
 */
#ifndef QUARTIC_GPU_ADOPT_H
#define QUARTIC_GPU_ADOPT_H

#include "gpu/gpu.h"
#include "gpu/vk.h"

#include "quartic/vulkan.h"

/* See quartic_vulkan_device_adopt. Destroying the device leaves the caller's objects alone. */
quartic_status quartic_gpu_device_adopt(const quartic_vulkan_config *config, quartic_gpu_device **out_device);

void quartic_gpu_device_handles(const quartic_gpu_device *device, quartic_vulkan_handles *out_handles);

/* A buffer over bytes offset .. offset + bytes - 1 of the caller's VkBuffer, which must outlive it. The
 * caller destroys *out_buffer, which leaves the VkBuffer alone; after an error it is NULL. */
quartic_status quartic_gpu_buffer_wrap(quartic_gpu_device *device, VkBuffer buffer, uint64_t offset,
                                       uint64_t bytes, quartic_gpu_buffer **out_buffer);

VkBuffer quartic_gpu_buffer_handle(const quartic_gpu_buffer *buffer, uint64_t *out_offset);

/* Records the list into the caller's command buffer, with a barrier before and after. */
void quartic_gpu_commands_append(const quartic_gpu_commands *commands, VkCommandBuffer command_buffer);

#endif
