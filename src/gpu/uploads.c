/* uploads.c: copies from host to device that go with the queue instead of waiting for it.
 *
 * An upload is written into a ring of host-visible memory and copied from there when the device comes to it,
 * after all that was enqueued before it and before all that is enqueued later. The ring is created with the first
 * upload and grows where an upload would have to wait for the device, up to RING_MOST bytes. A recorder's part of
 * it is used again when the submit with its copies has finished.
 */
#include "gpu/internal.h"

#include <string.h>

enum { RING_LEAST = 1 << 20, RING_MOST = 64 << 20, RING_ALIGNMENT = 16 };

void quartic_gpu_uploads_destroy(quartic_gpu_device *device) {
    quartic_gpu_staging_destroy(device, &device->uploads.ring);
}

/* Replaces the ring by a larger one in which so many bytes fit several times. Waits for the device if there was
 * one before. */
static quartic_status grow_ring(quartic_gpu_device *device, uint64_t bytes) {
    quartic_gpu_uploads *uploads = &device->uploads;
    uint64_t size = uploads->ring.bytes == 0 ? RING_LEAST : 2 * uploads->ring.bytes;
    while (size < RING_MOST && size < 4 * bytes) size *= 2;
    quartic_gpu_staging larger;
    QUARTIC_TRY(quartic_gpu_staging_create(device, size, &larger));
    const quartic_status status = uploads->ring.bytes == 0 ? QUARTIC_OK : quartic_gpu_settle(device);
    if (status != QUARTIC_OK) {
        quartic_gpu_staging_destroy(device, &larger);
        return status;
    }
    quartic_gpu_staging_destroy(device, &uploads->ring);
    uploads->ring = larger;
    uploads->head = 0;
    for (uint32_t k = 0; k < device->copies.recorder_count; ++k) device->copies.recorders[k].upload_begin = 0;
    return QUARTIC_OK;
}

/* The recorder of the oldest copies that the device may not have come to; NULL: there are none. */
static const quartic_gpu_recorder *oldest_recorder(const quartic_gpu_device *device) {
    const quartic_gpu_copies *copies = &device->copies;
    const quartic_gpu_recorder *oldest = NULL;
    for (uint32_t k = 0; k < copies->recorder_count; ++k) {
        const quartic_gpu_recorder *recorder = &copies->recorders[k];
        if (recorder->value <= device->finished) continue;
        if (oldest == NULL || recorder->upload_begin < oldest->upload_begin) oldest = recorder;
    }
    return oldest;
}

/* Whether bytes at this place of the ring are free. */
static bool ring_has_room(const quartic_gpu_device *device, uint64_t begin, uint64_t bytes) {
    const quartic_gpu_recorder *oldest = oldest_recorder(device);
    return oldest == NULL || begin + bytes - oldest->upload_begin <= device->uploads.ring.bytes;
}

/* Finds room in the ring for so many bytes, from *out_begin on as quartic_gpu_uploads.head counts; waits for the
 * device if the ring cannot grow any more. */
static quartic_status find_ring_room(quartic_gpu_device *device, uint64_t bytes, uint64_t *out_begin) {
    quartic_gpu_uploads *uploads = &device->uploads;
    for (;;) {
        uint64_t begin = uploads->head;
        const uint64_t size = uploads->ring.bytes;
        if (size != 0 && begin % size + bytes > size) begin += size - begin % size; /* never across its end */
        if (size >= bytes && ring_has_room(device, begin, bytes)) {
            *out_begin = begin;
            return QUARTIC_OK;
        }
        if (size < RING_MOST)
            QUARTIC_TRY(grow_ring(device, bytes));
        else
            QUARTIC_TRY(quartic_gpu_wait_for(device, oldest_recorder(device)->value));
    }
}

quartic_status quartic_gpu_buffer_upload(quartic_gpu_buffer *buffer, uint64_t offset, const void *data,
                                         uint64_t bytes) {
    QUARTIC_TRY(quartic_gpu_expect_inside(buffer, offset, bytes));
    quartic_gpu_device *device = buffer->device;
    const bool direct = buffer->block->mapped != NULL && quartic_gpu_is_idle(device);
    if (direct || bytes == 0 || bytes > RING_MOST)
        return quartic_gpu_buffer_write(buffer, offset, data, bytes);
    uint64_t begin, value;
    VkCommandBuffer commands;
    const uint64_t rounded = (bytes + RING_ALIGNMENT - 1) / RING_ALIGNMENT * RING_ALIGNMENT;
    QUARTIC_TRY(find_ring_room(device, rounded, &begin));
    QUARTIC_TRY(quartic_gpu_record_copy(device, buffer, &commands, &value));
    device->uploads.head = begin + rounded; /* after the recorder has noted where its part begins */
    const uint64_t at = begin % device->uploads.ring.bytes;
    memcpy(device->uploads.ring.mapped + at, data, bytes);
    const VkBufferCopy copy = {.srcOffset = at, .dstOffset = buffer->offset + offset, .size = bytes};
    device->vk.vkCmdCopyBuffer(commands, device->uploads.ring.handle, buffer->block->handle, 1, &copy);
    return QUARTIC_OK;
}
