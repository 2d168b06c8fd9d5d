/* copies.c: copies between host and device that go with the queue instead of waiting for it.
 *
 * An upload is written into a ring of host-visible memory and copied from there when the device comes to it,
 * after all that was enqueued before it and before all that is enqueued later. A fetch brings a few bytes of a
 * buffer, as they are at its place in the queue, into a slot of its own, for the host to read later. Both are
 * recorded into the open recorder, one of a few command buffers, which quartic_gpu_enqueue and
 * quartic_gpu_flush close. The ring and the slots lie behind the staging memory of blocking copies:
 *
 *     staging  QUARTIC_GPU_STAGING | ring  RING | slots  SLOTS * QUARTIC_GPU_FETCH_BYTES
 *
 * Invariants: bytes of the ring are used once between two moments at which the device was idle; a recorder is
 * recorded anew only when the submit with its last contents has finished.
 */
#include "gpu/internal.h"

#include "base/alloc.h"

#include <string.h>

enum { RING = 8 << 20, SLOTS = 4096, RING_ALIGNMENT = 16 };

const uint64_t quartic_gpu_copies_bytes = RING + (uint64_t)SLOTS * QUARTIC_GPU_FETCH_BYTES;

struct quartic_gpu_fetch {
    const quartic_gpu_buffer *buffer;
    uint64_t bytes, value; /* value: that its submit signals; 0: not started */
    uint32_t slot;
};

quartic_status quartic_gpu_copies_create(quartic_gpu_device *device) {
    quartic_gpu_copies *copies = &device->copies;
    copies->current = QUARTIC_GPU_COPY_RECORDERS;
    copies->slot_taken = quartic_alloc(SLOTS, sizeof *copies->slot_taken);
    if (copies->slot_taken == NULL) return QUARTIC_OUT_OF_MEMORY;
    const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = device->pool,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = QUARTIC_GPU_COPY_RECORDERS};
    return quartic_gpu_check(device,
                             device->vk.vkAllocateCommandBuffers(device->handle, &info, copies->recorders),
                             "allocating command buffers");
}

void quartic_gpu_copies_destroy(quartic_gpu_device *device) {
    quartic_free(device->copies.slot_taken);
}

bool quartic_gpu_copies_open(const quartic_gpu_device *device) {
    return device->copies.current < QUARTIC_GPU_COPY_RECORDERS;
}

quartic_status quartic_gpu_copies_close(quartic_gpu_device *device, VkCommandBuffer *out_commands) {
    quartic_gpu_copies *copies = &device->copies;
    *out_commands = VK_NULL_HANDLE;
    if (!quartic_gpu_copies_open(device)) return QUARTIC_OK;
    const VkCommandBuffer commands = copies->recorders[copies->current];
    copies->current = QUARTIC_GPU_COPY_RECORDERS;
    quartic_gpu_barrier(device, commands, true);
    QUARTIC_TRY(quartic_gpu_check(device, device->vk.vkEndCommandBuffer(commands), "recording a copy"));
    *out_commands = commands;
    return QUARTIC_OK;
}

/* The recorder whose last contents are done, or else will be first. */
static uint32_t find_recorder(const quartic_gpu_copies *copies) {
    uint32_t oldest = 0;
    for (uint32_t k = 1; k < QUARTIC_GPU_COPY_RECORDERS; ++k)
        if (copies->values[k] < copies->values[oldest]) oldest = k;
    return oldest;
}

/* Makes sure that a recorder is open. What is recorded into it will be in the next submit. */
static quartic_status open_recorder(quartic_gpu_device *device) {
    quartic_gpu_copies *copies = &device->copies;
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    if (quartic_gpu_copies_open(device)) return QUARTIC_OK;
    const uint32_t free = find_recorder(copies);
    QUARTIC_TRY(quartic_gpu_wait_for(device, copies->values[free]));
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    QUARTIC_TRY(quartic_gpu_check(device, device->vk.vkBeginCommandBuffer(copies->recorders[free], &begin),
                                  "recording a copy"));
    quartic_gpu_barrier(device, copies->recorders[free], false);
    copies->current = free;
    copies->values[free] = device->submitted + 1;
    return QUARTIC_OK;
}

/* Room in the ring for so many bytes, at *out_offset of it; waits for the device when the ring is used up. */
static quartic_status take_ring(quartic_gpu_device *device, uint64_t bytes, uint64_t *out_offset) {
    quartic_gpu_copies *copies = &device->copies;
    if (quartic_gpu_is_idle(device)) copies->used = 0;
    if (copies->used + bytes > RING) {
        QUARTIC_TRY(quartic_gpu_wait(device));
        copies->used = 0;
    }
    *out_offset = copies->used;
    copies->used += (bytes + RING_ALIGNMENT - 1) / RING_ALIGNMENT * RING_ALIGNMENT;
    return QUARTIC_OK;
}

quartic_status quartic_gpu_buffer_upload(quartic_gpu_buffer *buffer, uint64_t offset, const void *data,
                                         uint64_t bytes) {
    QUARTIC_TRY(quartic_gpu_expect_inside(buffer, offset, bytes));
    quartic_gpu_device *device = buffer->device;
    const bool direct = buffer->block->mapped != NULL && quartic_gpu_is_idle(device);
    if (direct || bytes > RING) return quartic_gpu_buffer_write(buffer, offset, data, bytes);
    uint64_t at;
    QUARTIC_TRY(take_ring(device, bytes, &at));
    QUARTIC_TRY(open_recorder(device));
    at += QUARTIC_GPU_STAGING;
    memcpy(device->staging_mapped + at, data, bytes);
    const VkBufferCopy copy = {.srcOffset = at, .dstOffset = buffer->offset + offset, .size = bytes};
    const VkCommandBuffer commands = device->copies.recorders[device->copies.current];
    quartic_gpu_barrier(device, commands,
                        false); /* a buffer may be uploaded to twice, or fetched from before */
    device->vk.vkCmdCopyBuffer(commands, device->staging, buffer->block->handle, 1, &copy);
    return QUARTIC_OK;
}

quartic_status quartic_gpu_fetch_create(const quartic_gpu_buffer *buffer, uint64_t bytes,
                                        quartic_gpu_fetch **out_fetch) {
    *out_fetch = NULL;
    quartic_gpu_device *device = buffer->device;
    QUARTIC_TRY(quartic_gpu_expect_inside(buffer, 0, bytes));
    if (bytes > QUARTIC_GPU_FETCH_BYTES)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "a fetch brings at most %d bytes, not %llu",
                            QUARTIC_GPU_FETCH_BYTES, (unsigned long long)bytes);
    uint32_t slot = 0;
    while (slot < SLOTS && device->copies.slot_taken[slot]) ++slot;
    if (slot == SLOTS)
        return quartic_fail(
            QUARTIC_OUT_OF_MEMORY,
            "all %d fetches of the device are in use; make fewer trainers on it, or give them "
            "fewer accumulated micro-batches",
            SLOTS);
    quartic_gpu_fetch *fetch = quartic_alloc(1, sizeof *fetch);
    if (fetch == NULL) return QUARTIC_OUT_OF_MEMORY;
    device->copies.slot_taken[slot] = true;
    *fetch = (quartic_gpu_fetch){.buffer = buffer, .bytes = bytes, .slot = slot};
    *out_fetch = fetch;
    return QUARTIC_OK;
}

static uint64_t slot_offset(const quartic_gpu_fetch *fetch) {
    return QUARTIC_GPU_STAGING + RING + (uint64_t)fetch->slot * QUARTIC_GPU_FETCH_BYTES;
}

quartic_status quartic_gpu_fetch_start(quartic_gpu_fetch *fetch) {
    const quartic_gpu_buffer *buffer = fetch->buffer;
    quartic_gpu_device *device = buffer->device;
    QUARTIC_TRY(open_recorder(device));
    const VkBufferCopy copy = {
        .srcOffset = buffer->offset, .dstOffset = slot_offset(fetch), .size = fetch->bytes};
    const VkCommandBuffer commands = device->copies.recorders[device->copies.current];
    quartic_gpu_barrier(device, commands, false); /* an upload before it may have been to the same bytes */
    device->vk.vkCmdCopyBuffer(commands, buffer->block->handle, device->staging, 1, &copy);
    fetch->value = device->copies.values[device->copies.current];
    return QUARTIC_OK;
}

quartic_status quartic_gpu_fetch_wait(quartic_gpu_fetch *fetch, void *out_data) {
    quartic_gpu_device *device = fetch->buffer->device;
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    QUARTIC_TRY(quartic_gpu_wait_for(device, fetch->value));
    memcpy(out_data, device->staging_mapped + slot_offset(fetch), fetch->bytes);
    return QUARTIC_OK;
}

void quartic_gpu_fetch_destroy(quartic_gpu_fetch *fetch) {
    if (fetch == NULL) return;
    fetch->buffer->device->copies.slot_taken[fetch->slot] = false;
    quartic_free(fetch);
}
