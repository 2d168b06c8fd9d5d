/* vulkan_api.c: the public functions of quartic/vulkan.h, over gpu/adopt.h and run_vulkan.h. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/options.h"
#include "gpu/adopt.h"
#include "run/run.h"
#include "run/run_vulkan.h"

quartic_status quartic_vulkan_device_adopt(const quartic_vulkan_config *config, quartic_device **out_device) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_device);
    *out_device = NULL;
    QUARTIC_NEED(config);
    static const quartic_vulkan_config standard = QUARTIC_VULKAN_CONFIG_INIT;
    static const quartic_options_type type = {"quartic_vulkan_config", "QUARTIC_VULKAN_CONFIG_INIT",
                                              sizeof standard, 0, &standard};
    quartic_vulkan_config whole;
    QUARTIC_TRY(quartic_options_read(&type, config, &whole));
    config = &whole;
    if (config->instance == NULL || config->physical_device == NULL || config->device == NULL ||
        config->queue == NULL || config->get_instance_proc_addr == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "adopting a device needs instance, physical_device, device, queue and "
                            "get_instance_proc_addr; at least one of them is null");
    quartic_gpu_device *gpu;
    QUARTIC_TRY(quartic_gpu_device_adopt(config, &gpu));
    const quartic_gpu_caps *caps = quartic_gpu_device_caps(gpu);
    quartic_device_info info = {
        .kind = QUARTIC_DEVICE_VULKAN, .memory_bytes = caps->memory_bytes, .usable = 1};
    snprintf(info.name, sizeof info.name, "%s", caps->name);
    snprintf(info.driver, sizeof info.driver, "%s", caps->driver);
    snprintf(info.type, sizeof info.type, "%s", caps->type);
    return quartic_device_wrap_gpu(gpu, &info, out_device);
}

static quartic_status expect_vulkan(const quartic_device *device) {
    if (device->info.kind == QUARTIC_DEVICE_VULKAN) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the device %s is no Vulkan device", device->info.name);
}

quartic_status quartic_vulkan_device_handles(const quartic_device *device,
                                             quartic_vulkan_handles *out_handles) {
    QUARTIC_CALL();
    QUARTIC_NEED(device);
    QUARTIC_NEED(out_handles);
    QUARTIC_TRY(expect_vulkan(device));
    quartic_gpu_device_handles(device->gpu, out_handles);
    return QUARTIC_OK;
}

quartic_status quartic_vulkan_tensor_wrap(quartic_device *device, VkBuffer buffer, VkDeviceSize offset,
                                          quartic_dtype dtype, const quartic_shape *shape,
                                          quartic_tensor **out_tensor) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_tensor);
    *out_tensor = NULL;
    QUARTIC_NEED(device);
    QUARTIC_NEED(shape);
    if (buffer == VK_NULL_HANDLE) return quartic_fail_null("buffer");
    QUARTIC_TRY(expect_vulkan(device));
    QUARTIC_TRY(quartic_device_expect_own_process(device));
    if (offset % 16 != 0 || quartic_dtype_size(dtype) == 0 || shape->rank > QUARTIC_MAX_RANK)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "wrapping a buffer needs a buffer, an offset that is a multiple of 16 (not %llu), dtype "
            "float32 or int32 and at most %d axes (not %u)",
            (unsigned long long)offset, QUARTIC_MAX_RANK, shape->rank);
    QUARTIC_TRY(quartic_tensor_check_elements(shape));
    quartic_tensor *tensor = quartic_alloc(1, sizeof *tensor);
    if (tensor == NULL) return QUARTIC_OUT_OF_MEMORY;
    *tensor = (quartic_tensor){
        .device = device, .dtype = dtype, .shape = *shape, .device_bytes = 4 * quartic_shape_elements(shape)};
    quartic_gpu_buffer *memory;
    quartic_status status =
        quartic_gpu_buffer_wrap(device->gpu, buffer, offset, tensor->device_bytes, &memory);
    if (status != QUARTIC_OK) {
        quartic_free(tensor);
        return status;
    }
    tensor->memory = memory;
    *out_tensor = tensor;
    return QUARTIC_OK;
}

quartic_status quartic_vulkan_tensor_buffer(const quartic_tensor *tensor, VkBuffer *out_buffer,
                                            VkDeviceSize *out_offset, VkDeviceAddress *out_address) {
    QUARTIC_CALL();
    QUARTIC_NEED(tensor);
    QUARTIC_NEED(out_buffer);
    QUARTIC_NEED(out_offset);
    QUARTIC_NEED(out_address);
    QUARTIC_TRY(expect_vulkan(tensor->device));
    *out_buffer = quartic_gpu_buffer_handle(tensor->memory, out_offset);
    *out_address = quartic_gpu_buffer_address(tensor->memory);
    return QUARTIC_OK;
}

quartic_status quartic_program_record(quartic_program *program, VkCommandBuffer command_buffer) {
    QUARTIC_CALL();
    QUARTIC_NEED(program);
    QUARTIC_NEED(command_buffer);
    QUARTIC_TRY(expect_vulkan(program->device));
    QUARTIC_TRY(quartic_device_expect_own_process(program->device));
    return quartic_run_vulkan_record(program->compiled, command_buffer);
}
