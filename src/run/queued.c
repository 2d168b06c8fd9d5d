/* queued.c: uploads, runs and fetches that take effect in the order of their calls without waiting for each
 * other. See access.h.
 *
 * On a backend without a queue of its own, the CPU's, each call is done when it returns; a fetch then keeps
 * the numbers itself.
 */
#include "base/alloc.h"
#include "run/run.h"

enum { FETCH_NUMBERS = 4 };

struct quartic_fetch {
    quartic_tensor *tensor;
    void *queued; /* the backend's handle; NULL: the numbers are in kept */
    float kept[FETCH_NUMBERS];
};

quartic_status quartic_tensor_upload(quartic_tensor *tensor, const void *data, size_t bytes) {
    const quartic_backend *backend = tensor->device->backend;
    if (backend->memory_upload == NULL || bytes != tensor->device_bytes)
        return quartic_tensor_write(tensor, data, bytes);
    return backend->memory_upload(tensor->device, tensor->memory, data, bytes);
}

quartic_status quartic_program_submit(quartic_program *program) {
    const quartic_backend *backend = program->device->backend;
    QUARTIC_TRY(quartic_device_expect_own_process(program->device));
    return backend->submit != NULL ? backend->submit(program) : backend->run(program);
}

quartic_status quartic_device_flush(quartic_device *device) {
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    return device->backend->flush != NULL ? device->backend->flush(device) : QUARTIC_OK;
}

void quartic_device_discard(quartic_device *device) {
    if (device->backend->discard != NULL) device->backend->discard(device);
}

void quartic_device_set_training_step(quartic_device *device, uint64_t number) {
    if (device->backend->set_training_step != NULL) device->backend->set_training_step(device, number);
}

bool quartic_device_is_queued(const quartic_device *device) {
    return device->backend->submit != NULL;
}

uint64_t quartic_device_submits(const quartic_device *device) {
    return device->backend->submits != NULL ? device->backend->submits(device) : 0;
}

quartic_status quartic_fetch_create(quartic_tensor *tensor, quartic_fetch **out_fetch) {
    *out_fetch = NULL;
    const uint64_t count = quartic_shape_elements(&tensor->shape);
    if (count > FETCH_NUMBERS)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "a fetch brings at most %d numbers, not %llu",
                            FETCH_NUMBERS, (unsigned long long)count);
    quartic_fetch *fetch = quartic_alloc(1, sizeof *fetch);
    if (fetch == NULL) return QUARTIC_OUT_OF_MEMORY;
    fetch->tensor = tensor;
    const quartic_backend *backend = tensor->device->backend;
    quartic_status status = QUARTIC_OK;
    if (backend->fetch_create != NULL)
        status = backend->fetch_create(tensor->device, tensor->memory, 4 * count, &fetch->queued);
    if (status == QUARTIC_OK)
        *out_fetch = fetch;
    else
        quartic_free(fetch);
    return status;
}

static size_t fetch_bytes(const quartic_fetch *fetch) {
    return 4 * (size_t)quartic_shape_elements(&fetch->tensor->shape);
}

quartic_status quartic_fetch_start(quartic_fetch *fetch) {
    const quartic_tensor *tensor = fetch->tensor;
    if (fetch->queued == NULL) return quartic_tensor_read(tensor, fetch->kept, fetch_bytes(fetch));
    return tensor->device->backend->fetch_start(tensor->device, fetch->queued);
}

quartic_status quartic_fetch_wait(quartic_fetch *fetch, float *out_numbers) {
    quartic_device *device = fetch->tensor->device;
    if (fetch->queued != NULL) return device->backend->fetch_wait(device, fetch->queued, out_numbers);
    const size_t count = fetch_bytes(fetch) / 4;
    for (size_t k = 0; k < count; ++k) out_numbers[k] = fetch->kept[k];
    return QUARTIC_OK;
}

void quartic_fetch_destroy(quartic_fetch *fetch) {
    if (fetch == NULL) return;
    if (fetch->queued != NULL)
        fetch->tensor->device->backend->fetch_destroy(fetch->tensor->device, fetch->queued);
    quartic_free(fetch);
}
