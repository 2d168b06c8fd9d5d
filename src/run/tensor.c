/* tensor.c: memory with a dtype and a shape on a device; conversion where the device holds double. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/call.h"
#include "run/run.h"

quartic_status quartic_tensor_check_elements(const quartic_shape *shape) {
    const uint64_t elements = quartic_shape_elements(shape);
    char text[QUARTIC_SHAPE_TEXT];
    if (elements > 0 && elements < (uint64_t)1 << 31) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "a tensor holds 1 to 2147483647 elements; shape %s does not",
                        quartic_shape_text(shape, text));
}

quartic_status quartic_tensor_create(quartic_device *device, quartic_dtype dtype, const quartic_shape *shape,
                                     quartic_tensor **out_tensor) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_tensor);
    *out_tensor = NULL;
    QUARTIC_NEED(device);
    QUARTIC_NEED(shape);
    if (quartic_dtype_size(dtype) == 0 || shape->rank > QUARTIC_MAX_RANK)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "a tensor needs dtype float32 or int32 and at most %d axes, not dtype %d and %u axes",
            QUARTIC_MAX_RANK, (int)dtype, shape->rank);
    QUARTIC_TRY(quartic_tensor_check_elements(shape));
    const uint64_t bytes = quartic_shape_elements(shape) * quartic_device_element_bytes(device, dtype);
    return quartic_tensor_create_bytes(device, dtype, shape, bytes, out_tensor);
}

void quartic_tensor_destroy(quartic_tensor *tensor) {
    if (tensor == NULL) return;
    tensor->device->backend->memory_destroy(tensor->device, tensor->memory);
    quartic_free(tensor);
}

/* The name of the thread's last look-up if there was no such tensor, else "". */
static _Thread_local char missed_name[128];

void quartic_tensor_note_missed(const char *name) {
    snprintf(missed_name, sizeof missed_name, "%s", name);
}

/* A tensor is NULL mostly because quartic_program_tensor was given a mistyped name. */
static QUARTIC_RAISED fail_no_tensor(void) {
    if (missed_name[0] == 0) return quartic_fail_null("tensor");
    return quartic_fail(
        QUARTIC_INVALID_ARGUMENT,
        "tensor is NULL; quartic_program_tensor gave NULL for \"%s\", which is no name of the "
        "program's inputs, parameters, states and outputs",
        missed_name);
}

quartic_dtype quartic_tensor_dtype(const quartic_tensor *tensor) {
    QUARTIC_CALL();
    if (tensor != NULL) return tensor->dtype;
    fail_no_tensor();
    return QUARTIC_NO_DTYPE;
}

quartic_shape quartic_tensor_shape(const quartic_tensor *tensor) {
    QUARTIC_CALL();
    if (tensor != NULL) return tensor->shape;
    fail_no_tensor();
    return (quartic_shape){0};
}

static quartic_status tensor_check_bytes(const quartic_tensor *tensor, size_t bytes) {
    uint64_t want = quartic_shape_elements(&tensor->shape) * 4;
    char text[QUARTIC_SHAPE_TEXT];
    if (bytes == want) return QUARTIC_OK;
    return quartic_fail(QUARTIC_SHAPE_MISMATCH, "a tensor of shape %s holds %llu bytes, not %zu",
                        quartic_shape_text(&tensor->shape, text), (unsigned long long)want, bytes);
}

/* Whether numbers of host and device differ in size, so that a copy goes through a buffer in which they are
 * converted. */
static bool tensor_converts(const quartic_tensor *tensor) {
    return tensor->dtype == QUARTIC_FLOAT32 && tensor->device->real_bytes == 8;
}

quartic_status quartic_tensor_write(quartic_tensor *tensor, const void *data, size_t bytes) {
    QUARTIC_CALL();
    if (tensor == NULL) return fail_no_tensor();
    QUARTIC_NEED(data);
    QUARTIC_TRY(tensor_check_bytes(tensor, bytes));
    const quartic_backend *backend = tensor->device->backend;
    if (!tensor_converts(tensor)) return backend->memory_write(tensor->device, tensor->memory, data, bytes);
    size_t count = bytes / 4;
    double *wide = quartic_alloc(count, sizeof *wide);
    if (wide == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; ++i) wide[i] = (double)((const float *)data)[i];
    quartic_status status = backend->memory_write(tensor->device, tensor->memory, wide, 8 * count);
    quartic_free(wide);
    return status;
}

quartic_status quartic_tensor_read(const quartic_tensor *tensor, void *out_data, size_t bytes) {
    QUARTIC_CALL();
    if (tensor == NULL) return fail_no_tensor();
    QUARTIC_NEED(out_data);
    QUARTIC_TRY(tensor_check_bytes(tensor, bytes));
    const quartic_backend *backend = tensor->device->backend;
    if (!tensor_converts(tensor))
        return backend->memory_read(tensor->device, tensor->memory, out_data, bytes);
    size_t count = bytes / 4;
    double *wide = quartic_alloc(count, sizeof *wide);
    if (wide == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = backend->memory_read(tensor->device, tensor->memory, wide, 8 * count);
    for (size_t i = 0; status == QUARTIC_OK && i < count; ++i) ((float *)out_data)[i] = (float)wide[i];
    quartic_free(wide);
    return status;
}
