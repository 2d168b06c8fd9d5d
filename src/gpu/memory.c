/* memory.c: buffers and copies between host and device.
 *
 * A block is one VkBuffer with its own VkDeviceMemory. Buffers of up to SMALL bytes share blocks of BLOCK
 * bytes, or a quarter of the largest allocation that the device allows and all of it, where that is less (drivers allow few allocations, a model has many small tensors), larger ones have a block each. A
 * block keeps its buffers as a list in order of offset, so finding a gap and freeing need no memory. Where
 * the device's own memory is also cached host memory (software devices, some integrated ones) it stays mapped
 * and copies are memcpy; elsewhere they go through a staging buffer that lives as long as the device.
 */
#include "gpu/internal.h"

#include "base/alloc.h"

#include <string.h>

enum { ALIGNMENT = 256, SMALL = 2 << 20, BLOCK = 8 << 20, STAGING = 4 << 20 };

static const double mib = 1.0 / (1 << 20);

/* ---- choosing memory ----------------------------------------------------------------------------------- */

static const uint32_t no_type = UINT32_MAX;

static uint32_t find_memory_type(const quartic_gpu_device *device, uint32_t allowed,
                                 VkMemoryPropertyFlags wanted) {
    for (uint32_t t = 0; t < device->memory.memoryTypeCount; ++t)
        if ((allowed & (1u << t)) != 0 && (device->memory.memoryTypes[t].propertyFlags & wanted) == wanted)
            return t;
    return no_type;
}

static const VkMemoryPropertyFlags shared_flags = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                                  VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                                                  VK_MEMORY_PROPERTY_HOST_CACHED_BIT;

static uint32_t device_memory_type(const quartic_gpu_device *device, uint32_t allowed) {
    uint32_t type = no_type;
    if (device->caps.map_memory)
        type = find_memory_type(device, allowed, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | shared_flags);
    if (type == no_type) type = find_memory_type(device, allowed, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    return type != no_type ? type : find_memory_type(device, allowed, 0);
}

static uint32_t staging_memory_type(const quartic_gpu_device *device, uint32_t allowed) {
    uint32_t type = find_memory_type(device, allowed, shared_flags);
    if (type != no_type) return type;
    return find_memory_type(device, allowed,
                            VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
}

quartic_status quartic_gpu_device_expect_room(const quartic_gpu_device *device, uint64_t bytes,
                                              const char *what) {
    uint32_t type = device_memory_type(device, ~0u);
    uint32_t heap = device->memory.memoryTypes[type].heapIndex;
    uint64_t total = device->memory.memoryHeaps[heap].size, used = device->allocated_bytes;
    if (device->caps.memory_budget) {
        VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
        VkPhysicalDeviceMemoryProperties2 memory = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
        device->instance.vk.GetPhysicalDeviceMemoryProperties2(device->physical, &memory);
        if (budget.heapBudget[heap] != 0) {
            total = budget.heapBudget[heap];
            used = budget.heapUsage[heap];
        }
    }
    uint64_t room = used < total ? total - used : 0;
    if (bytes <= room) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_OUT_OF_DEVICE_MEMORY,
        "%s needs %.1f MiB, but %s has %.1f MiB left of %.1f MiB; make the batch, the sequence or the "
        "model smaller",
        what, (double)bytes * mib, device->caps.name, (double)room * mib, (double)total * mib);
}

/* ---- blocks -------------------------------------------------------------------------------------------- */

static uint64_t buffer_address(const quartic_gpu_device *device, VkBuffer handle) {
    const VkBufferDeviceAddressInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                            .buffer = handle};
    return device->vk.vkGetBufferDeviceAddress(device->handle, &info);
}

static void block_destroy(quartic_gpu_device *device, quartic_gpu_block *block) {
    device->vk.vkDestroyBuffer(device->handle, block->handle, NULL);
    device->vk.vkFreeMemory(device->handle, block->memory, NULL);
    quartic_free(block);
}

static quartic_status create_buffer(quartic_gpu_device *device, uint64_t bytes, VkBufferUsageFlags usage,
                                    VkBuffer *out_buffer) {
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = bytes,
                                     .usage = usage,
                                     .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    VkBuffer handle;
    QUARTIC_TRY(quartic_gpu_check(device, device->vk.vkCreateBuffer(device->handle, &info, NULL, &handle),
                                  "creating a buffer"));
    *out_buffer = handle;
    return QUARTIC_OK;
}

static quartic_status allocate_memory(quartic_gpu_device *device, uint64_t bytes, uint32_t type, bool address,
                                      VkDeviceMemory *out_memory) {
    const VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                             .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .pNext = address ? &flags : NULL,
                                       .allocationSize = bytes,
                                       .memoryTypeIndex = type};
    VkDeviceMemory memory;
    VkResult result = device->vk.vkAllocateMemory(device->handle, &info, NULL, &memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY)
        return quartic_fail(QUARTIC_OUT_OF_DEVICE_MEMORY,
                            "%s has no memory left for %.1f MiB; the library holds %.1f MiB of its %.1f MiB",
                            device->caps.name, (double)bytes * mib, (double)device->allocated_bytes * mib,
                            (double)device->caps.memory_bytes * mib);
    QUARTIC_TRY(quartic_gpu_check(device, result, "allocating device memory"));
    *out_memory = memory;
    return QUARTIC_OK;
}

static quartic_status block_fill(quartic_gpu_device *device, quartic_gpu_block *block, uint64_t bytes) {
    block->bytes = bytes;
    QUARTIC_TRY(create_buffer(device, bytes,
                              VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT |
                                  VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                              &block->handle));
    VkMemoryRequirements needs;
    device->vk.vkGetBufferMemoryRequirements(device->handle, block->handle, &needs);
    uint32_t type = device_memory_type(device, needs.memoryTypeBits);
    QUARTIC_TRY(allocate_memory(device, needs.size, type, true, &block->memory));
    QUARTIC_TRY(quartic_gpu_check(
        device, device->vk.vkBindBufferMemory(device->handle, block->handle, block->memory, 0),
        "binding device memory"));
    if (device->caps.map_memory &&
        (device->memory.memoryTypes[type].propertyFlags & shared_flags) == shared_flags) {
        void *mapped;
        QUARTIC_TRY(quartic_gpu_check(
            device, device->vk.vkMapMemory(device->handle, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped),
            "mapping device memory"));
        block->mapped = mapped;
    }
    block->address = buffer_address(device, block->handle);
    return QUARTIC_OK;
}

static quartic_status block_create(quartic_gpu_device *device, uint64_t bytes,
                                   quartic_gpu_block **out_block) {
    quartic_gpu_block *block = quartic_alloc(1, sizeof *block);
    if (block == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = block_fill(device, block, bytes);
    if (status != QUARTIC_OK) {
        block_destroy(device, block);
        return status;
    }
    device->allocated_bytes += bytes;
    block->next = device->blocks;
    device->blocks = block;
    *out_block = block;
    return QUARTIC_OK;
}

/* ---- buffers ------------------------------------------------------------------------------------------- */

/* Puts the buffer into the first gap of the block that holds it; false if there is none. */
static bool block_take(quartic_gpu_block *block, quartic_gpu_buffer *buffer) {
    uint64_t at = 0;
    quartic_gpu_buffer **link = &block->first;
    for (; *link != NULL; link = &(*link)->next) {
        if ((*link)->offset - at >= buffer->bytes) break;
        at = ((*link)->offset + (*link)->bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    if (*link == NULL && (at > block->bytes || block->bytes - at < buffer->bytes)) return false;
    buffer->block = block;
    buffer->offset = at;
    buffer->next = *link;
    *link = buffer;
    return true;
}

static quartic_status buffer_place(quartic_gpu_device *device, quartic_gpu_buffer *buffer) {
    const uint64_t most = device->caps.max_buffer_bytes, shared = most < BLOCK ? most : BLOCK;
    const bool small = buffer->bytes <= shared / (BLOCK / SMALL);
    quartic_gpu_block *block = NULL;
    if (small) {
        for (block = device->blocks; block != NULL; block = block->next)
            if (block->bytes == shared && block_take(block, buffer)) return QUARTIC_OK;
    }
    QUARTIC_TRY(block_create(device, small ? shared : buffer->bytes, &block));
    block_take(block, buffer);
    return QUARTIC_OK;
}

static void block_remove(quartic_gpu_device *device, quartic_gpu_block *block) {
    quartic_gpu_block **link = &device->blocks;
    while (*link != block) link = &(*link)->next;
    *link = block->next;
    device->allocated_bytes -= block->bytes;
    block_destroy(device, block);
}

static quartic_status buffer_zero(quartic_gpu_buffer *buffer);

quartic_status quartic_gpu_buffer_create(quartic_gpu_device *device, uint64_t bytes,
                                         quartic_gpu_buffer **out_buffer) {
    *out_buffer = NULL;
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    uint64_t rounded =
        bytes == 0 ? 4 : (bytes + 3) / 4 * 4; /* vkCmdFillBuffer writes whole groups of 4 bytes */
    if (rounded > device->caps.max_buffer_bytes)
        return quartic_fail(QUARTIC_OUT_OF_DEVICE_MEMORY,
                            "a buffer of %.1f MiB exceeds the %.1f MiB that %s allows for one buffer",
                            (double)bytes * mib, (double)device->caps.max_buffer_bytes * mib,
                            device->caps.name);
    QUARTIC_TRY(quartic_gpu_device_expect_room(device, rounded, "a buffer"));
    quartic_gpu_buffer *buffer = quartic_alloc(1, sizeof *buffer);
    if (buffer == NULL) return QUARTIC_OUT_OF_MEMORY;
    buffer->device = device;
    buffer->bytes = rounded;
    quartic_status status = buffer_place(device, buffer);
    if (status != QUARTIC_OK) {
        quartic_free(buffer);
        return status;
    }
    status = buffer_zero(buffer);
    if (status == QUARTIC_OK)
        *out_buffer = buffer;
    else
        quartic_gpu_buffer_destroy(buffer);
    return status;
}

quartic_status quartic_gpu_buffer_wrap(quartic_gpu_device *device, VkBuffer handle, uint64_t offset,
                                       uint64_t bytes, quartic_gpu_buffer **out_buffer) {
    *out_buffer = NULL;
    /* Vulkan does not tell a buffer's size, but memory needs at least that much. */
    VkMemoryRequirements needs;
    device->vk.vkGetBufferMemoryRequirements(device->handle, handle, &needs);
    if (offset > needs.size || bytes > needs.size - offset)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "the buffer to wrap has at most %llu bytes, but the tensor takes bytes %llu .. %llu; make "
            "the buffer larger or the tensor smaller",
            (unsigned long long)needs.size, (unsigned long long)offset, (unsigned long long)offset + bytes);
    quartic_gpu_block *block = quartic_alloc(1, sizeof *block);
    quartic_gpu_buffer *buffer = quartic_alloc(1, sizeof *buffer);
    if (block == NULL || buffer == NULL) {
        quartic_free(block);
        quartic_free(buffer);
        return QUARTIC_OUT_OF_MEMORY;
    }
    *block = (quartic_gpu_block){.handle = handle,
                                 .address = buffer_address(device, handle),
                                 .bytes = offset + bytes,
                                 .first = buffer};
    *buffer = (quartic_gpu_buffer){.device = device, .block = block, .offset = offset, .bytes = bytes};
    *out_buffer = buffer;
    return QUARTIC_OK;
}

void quartic_gpu_buffer_destroy(quartic_gpu_buffer *buffer) {
    if (buffer == NULL) return;
    quartic_gpu_wait_quietly(buffer->device); /* the device may still be using it */
    quartic_gpu_block *block = buffer->block;
    quartic_gpu_buffer **link = &block->first;
    while (*link != buffer) link = &(*link)->next;
    *link = buffer->next;
    if (block->memory == VK_NULL_HANDLE)
        quartic_free(block); /* a caller's buffer: no memory of ours */
    else if (block->first == NULL)
        block_remove(buffer->device, block);
    quartic_free(buffer);
}

uint64_t quartic_gpu_buffer_address(const quartic_gpu_buffer *buffer) {
    return buffer->block->address + buffer->offset;
}

quartic_status quartic_gpu_device_absent(quartic_gpu_device *device, uint64_t *out_address) {
    if (device->absent == NULL)
        QUARTIC_TRY(quartic_gpu_buffer_create(device, QUARTIC_GPU_ABSENT_BYTES, &device->absent));
    *out_address = quartic_gpu_buffer_address(device->absent);
    return QUARTIC_OK;
}

uint64_t quartic_gpu_buffer_bytes(const quartic_gpu_buffer *buffer) {
    return buffer->bytes;
}

VkBuffer quartic_gpu_buffer_handle(const quartic_gpu_buffer *buffer, uint64_t *out_offset) {
    *out_offset = buffer->offset;
    return buffer->block->handle;
}

/* ---- copies -------------------------------------------------------------------------------------------- */

static quartic_status transfer_begin(quartic_gpu_device *device) {
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    QUARTIC_TRY(quartic_gpu_check(device, device->vk.vkBeginCommandBuffer(device->transfer, &begin),
                                  "recording a copy"));
    quartic_gpu_barrier(device, device->transfer, false);
    return QUARTIC_OK;
}

static quartic_status transfer_finish(quartic_gpu_device *device) {
    quartic_gpu_barrier(device, device->transfer, true);
    QUARTIC_TRY(
        quartic_gpu_check(device, device->vk.vkEndCommandBuffer(device->transfer), "recording a copy"));
    QUARTIC_TRY(quartic_gpu_submit(device, device->transfer));
    return quartic_gpu_wait(device);
}

static quartic_status buffer_zero(quartic_gpu_buffer *buffer) {
    quartic_gpu_device *device = buffer->device;
    if (buffer->block->mapped != NULL) {
        memset(buffer->block->mapped + buffer->offset, 0, buffer->bytes);
        return QUARTIC_OK;
    }
    QUARTIC_TRY(transfer_begin(device));
    device->vk.vkCmdFillBuffer(device->transfer, buffer->block->handle, buffer->offset, buffer->bytes, 0);
    return transfer_finish(device);
}

quartic_status quartic_gpu_expect_inside(const quartic_gpu_buffer *buffer, uint64_t offset, uint64_t bytes) {
    QUARTIC_TRY(quartic_gpu_expect_alive(buffer->device));
    if (offset <= buffer->bytes && bytes <= buffer->bytes - offset) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "bytes %llu to %llu lie outside a buffer of %llu bytes",
                        (unsigned long long)offset, (unsigned long long)(offset + bytes),
                        (unsigned long long)buffer->bytes);
}

quartic_status quartic_gpu_buffer_write(quartic_gpu_buffer *buffer, uint64_t offset, const void *data,
                                        uint64_t bytes) {
    QUARTIC_TRY(quartic_gpu_expect_inside(buffer, offset, bytes));
    quartic_gpu_device *device = buffer->device;
    if (buffer->block->mapped != NULL) {
        QUARTIC_TRY(quartic_gpu_settle(device));
        memcpy(buffer->block->mapped + buffer->offset + offset, data, bytes);
        return QUARTIC_OK;
    }
    for (uint64_t done = 0; done < bytes; done += STAGING) {
        uint64_t part = bytes - done < STAGING ? bytes - done : STAGING;
        memcpy(device->staging.mapped, (const uint8_t *)data + done, part);
        QUARTIC_TRY(transfer_begin(device));
        const VkBufferCopy copy = {.srcOffset = 0, .dstOffset = buffer->offset + offset + done, .size = part};
        device->vk.vkCmdCopyBuffer(device->transfer, device->staging.handle, buffer->block->handle, 1, &copy);
        QUARTIC_TRY(transfer_finish(device));
    }
    return QUARTIC_OK;
}

quartic_status quartic_gpu_buffer_read(const quartic_gpu_buffer *buffer, uint64_t offset, void *out_data,
                                       uint64_t bytes) {
    QUARTIC_TRY(quartic_gpu_expect_inside(buffer, offset, bytes));
    quartic_gpu_device *device = buffer->device;
    if (buffer->block->mapped != NULL) {
        QUARTIC_TRY(quartic_gpu_settle(device));
        memcpy(out_data, buffer->block->mapped + buffer->offset + offset, bytes);
        return QUARTIC_OK;
    }
    for (uint64_t done = 0; done < bytes; done += STAGING) {
        uint64_t part = bytes - done < STAGING ? bytes - done : STAGING;
        QUARTIC_TRY(transfer_begin(device));
        const VkBufferCopy copy = {.srcOffset = buffer->offset + offset + done, .dstOffset = 0, .size = part};
        device->vk.vkCmdCopyBuffer(device->transfer, buffer->block->handle, device->staging.handle, 1, &copy);
        QUARTIC_TRY(transfer_finish(device));
        memcpy((uint8_t *)out_data + done, device->staging.mapped, part);
    }
    return QUARTIC_OK;
}

/* ---- staging ------------------------------------------------------------------------------------------- */

static quartic_status fill_staging(quartic_gpu_device *device, quartic_gpu_staging *staging) {
    QUARTIC_TRY(create_buffer(device, staging->bytes,
                              VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                              &staging->handle));
    VkMemoryRequirements needs;
    device->vk.vkGetBufferMemoryRequirements(device->handle, staging->handle, &needs);
    QUARTIC_TRY(allocate_memory(device, needs.size, staging_memory_type(device, needs.memoryTypeBits), false,
                                &staging->memory));
    QUARTIC_TRY(quartic_gpu_check(
        device, device->vk.vkBindBufferMemory(device->handle, staging->handle, staging->memory, 0),
        "binding the staging memory"));
    void *mapped;
    QUARTIC_TRY(quartic_gpu_check(
        device, device->vk.vkMapMemory(device->handle, staging->memory, 0, VK_WHOLE_SIZE, 0, &mapped),
        "mapping the staging memory"));
    staging->mapped = mapped;
    return QUARTIC_OK;
}

quartic_status quartic_gpu_staging_create(quartic_gpu_device *device, uint64_t bytes,
                                          quartic_gpu_staging *out_staging) {
    *out_staging = (quartic_gpu_staging){.bytes = bytes};
    const quartic_status status = fill_staging(device, out_staging);
    if (status != QUARTIC_OK) quartic_gpu_staging_destroy(device, out_staging);
    return status;
}

void quartic_gpu_staging_destroy(quartic_gpu_device *device, quartic_gpu_staging *staging) {
    device->vk.vkDestroyBuffer(device->handle, staging->handle, NULL);
    device->vk.vkFreeMemory(device->handle, staging->memory, NULL);
    *staging = (quartic_gpu_staging){0};
}

/* ---- the device's own ---------------------------------------------------------------------------------- */

quartic_status quartic_gpu_memory_create(quartic_gpu_device *device) {
    const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = device->pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = 1};
    VkCommandBuffer transfer;
    QUARTIC_TRY(quartic_gpu_check(device,
                                  device->vk.vkAllocateCommandBuffers(device->handle, &info, &transfer),
                                  "allocating a command buffer"));
    device->transfer = transfer;
    return quartic_gpu_staging_create(device, STAGING, &device->staging);
}

void quartic_gpu_memory_destroy(quartic_gpu_device *device) {
    quartic_gpu_buffer_destroy(device->absent);
    quartic_gpu_staging_destroy(device, &device->staging);
}
