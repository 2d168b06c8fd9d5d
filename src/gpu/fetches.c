/* fetches.c: a few bytes of a buffer, as they are at a place in the queue, for the host to read later.
 *
 * A fetch owns a slot of host-visible memory; starting it records a copy into that slot (queue.c). Slots lie in
 * chunks, which are made as they are needed and live as long as the device.
 */
#include "gpu/internal.h"

#include "base/alloc.h"

#include <string.h>

enum { CHUNK_SLOTS = 4096 };

struct quartic_gpu_slots {
    quartic_gpu_staging memory;
    bool taken[CHUNK_SLOTS];
    quartic_gpu_slots *next;
};

struct quartic_gpu_fetch {
    const quartic_gpu_buffer *buffer;
    uint64_t bytes, value; /* value: that its submit signals; 0: not started */
    quartic_gpu_slots *chunk;
    uint32_t slot; /* in the chunk */
};

void quartic_gpu_fetch_slots_destroy(quartic_gpu_device *device) {
    while (device->slots != NULL) {
        quartic_gpu_slots *chunk = device->slots;
        device->slots = chunk->next;
        quartic_gpu_staging_destroy(device, &chunk->memory);
        quartic_free(chunk);
    }
}

static quartic_status add_slots(quartic_gpu_device *device) {
    quartic_gpu_slots *chunk = quartic_alloc(1, sizeof *chunk);
    if (chunk == NULL) return QUARTIC_OUT_OF_MEMORY;
    const quartic_status status =
        quartic_gpu_staging_create(device, (uint64_t)CHUNK_SLOTS * QUARTIC_GPU_FETCH_BYTES, &chunk->memory);
    if (status != QUARTIC_OK) {
        quartic_free(chunk);
        return status;
    }
    chunk->next = device->slots;
    device->slots = chunk;
    return QUARTIC_OK;
}

/* Takes a free slot for the fetch; false if there is none. */
static bool take_slot(quartic_gpu_device *device, quartic_gpu_fetch *fetch) {
    for (quartic_gpu_slots *chunk = device->slots; chunk != NULL; chunk = chunk->next)
        for (uint32_t slot = 0; slot < CHUNK_SLOTS; ++slot)
            if (!chunk->taken[slot]) {
                chunk->taken[slot] = true;
                fetch->chunk = chunk;
                fetch->slot = slot;
                return true;
            }
    return false;
}

quartic_status quartic_gpu_fetch_create(const quartic_gpu_buffer *buffer, uint64_t bytes,
                                        quartic_gpu_fetch **out_fetch) {
    *out_fetch = NULL;
    quartic_gpu_device *device = buffer->device;
    QUARTIC_TRY(quartic_gpu_expect_inside(buffer, 0, bytes));
    if (bytes > QUARTIC_GPU_FETCH_BYTES)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "a fetch reads at most %d bytes, not %llu",
                            QUARTIC_GPU_FETCH_BYTES, (unsigned long long)bytes);
    quartic_gpu_fetch *fetch = quartic_alloc(1, sizeof *fetch);
    if (fetch == NULL) return QUARTIC_OUT_OF_MEMORY;
    fetch->buffer = buffer;
    fetch->bytes = bytes;
    if (!take_slot(device, fetch)) {
        const quartic_status status = add_slots(device);
        if (status != QUARTIC_OK) {
            quartic_free(fetch);
            return status;
        }
        take_slot(device, fetch); /* of the new chunk */
    }
    *out_fetch = fetch;
    return QUARTIC_OK;
}

static uint64_t slot_offset(const quartic_gpu_fetch *fetch) {
    return (uint64_t)fetch->slot * QUARTIC_GPU_FETCH_BYTES;
}

quartic_status quartic_gpu_fetch_start(quartic_gpu_fetch *fetch) {
    const quartic_gpu_buffer *buffer = fetch->buffer;
    quartic_gpu_device *device = buffer->device;
    VkCommandBuffer commands;
    QUARTIC_TRY(quartic_gpu_record_copy(device, buffer, &commands, &fetch->value));
    const VkBufferCopy copy = {
        .srcOffset = buffer->offset, .dstOffset = slot_offset(fetch), .size = fetch->bytes};
    device->vk.vkCmdCopyBuffer(commands, buffer->block->handle, fetch->chunk->memory.handle, 1, &copy);
    return QUARTIC_OK;
}

quartic_status quartic_gpu_fetch_wait(quartic_gpu_fetch *fetch, void *out_data) {
    quartic_gpu_device *device = fetch->buffer->device;
    QUARTIC_TRY(quartic_gpu_expect_alive(device));
    QUARTIC_TRY(quartic_gpu_wait_for(device, fetch->value));
    memcpy(out_data, fetch->chunk->memory.mapped + slot_offset(fetch), fetch->bytes);
    return QUARTIC_OK;
}

void quartic_gpu_fetch_destroy(quartic_gpu_fetch *fetch) {
    if (fetch == NULL) return;
    fetch->chunk->taken[fetch->slot] = false;
    quartic_free(fetch);
}
