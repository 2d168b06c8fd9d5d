/* device.c: opening or adopting a device, with all that the library needs on it. */
#include "gpu/internal.h"

#include "base/alloc.h"

#include <stdlib.h>

void quartic_vulkan_enable_features(VkPhysicalDeviceVulkan12Features *features_12,
                                    VkPhysicalDeviceVulkan13Features *features_13) {
#define ENABLE_12(member)                                                                                    \
    if (features_12 != NULL) features_12->member = VK_TRUE;
#define ENABLE_13(member)                                                                                    \
    if (features_13 != NULL) features_13->member = VK_TRUE;
    QUARTIC_VULKAN_FEATURES_12(ENABLE_12)
    QUARTIC_VULKAN_FEATURES_13(ENABLE_13)
#undef ENABLE_12
#undef ENABLE_13
}

static quartic_status create_handle(quartic_gpu_device *device) {
    const quartic_gpu_caps *caps = &device->caps;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
        .cooperativeMatrix = VK_TRUE};
    VkPhysicalDeviceVulkan13Features features_13 = {.sType =
                                                        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                                    .pNext = caps->cooperative_matrix ? &matrix : NULL};
#ifdef VK_EXT_device_fault
    VkPhysicalDeviceFaultFeaturesEXT fault = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT,
                                              .pNext = features_13.pNext,
                                              .deviceFault = VK_TRUE};
    if (caps->device_fault) features_13.pNext = &fault;
#endif
    VkPhysicalDeviceVulkan12Features features_12 = {.sType =
                                                        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                                    .pNext = &features_13,
                                                    .shaderFloat16 = caps->float16,
                                                    .vulkanMemoryModel = caps->cooperative_matrix};
    VkPhysicalDeviceVulkan11Features features_11 = {.sType =
                                                        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                                    .pNext = &features_12,
                                                    .storageBuffer16BitAccess = caps->float16};
    quartic_vulkan_enable_features(&features_12, &features_13);
    features_13.subgroupSizeControl = caps->least_subgroup_size != 0;

    const char *extensions[3];
    uint32_t extension_count = 0;
    if (caps->portability_subset) extensions[extension_count++] = "VK_KHR_portability_subset";
    if (caps->cooperative_matrix) extensions[extension_count++] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME;
#ifdef VK_EXT_device_fault
    if (caps->device_fault) extensions[extension_count++] = VK_EXT_DEVICE_FAULT_EXTENSION_NAME;
#endif
    const float priority = 0.5f;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = caps->queue_family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &features_11,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = extension_count,
                                     .ppEnabledExtensionNames = extensions};
    const quartic_vk_instance *vk = &device->instance.vk;
    VkDevice handle;
    QUARTIC_TRY(quartic_vk_check(vk->CreateDevice(device->physical, &info, NULL, &handle),
                                 "opening the Vulkan device"));
    device->handle = handle;
    quartic_vk_load_device(vk, handle, &device->vk);
    device->vk.vkGetDeviceQueue(handle, caps->queue_family, 0, &device->queue);
    return QUARTIC_OK;
}

/* All that the library needs on a VkDevice of either origin. */
static quartic_status create_objects(quartic_gpu_device *device) {
    VkPhysicalDeviceMemoryProperties2 memory = {.sType =
                                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    device->instance.vk.GetPhysicalDeviceMemoryProperties2(device->physical, &memory);
    device->memory = memory.memoryProperties;

    const VkSemaphoreTypeCreateInfo type = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                            .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    const VkSemaphoreCreateInfo semaphore = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                             .pNext = &type};
    QUARTIC_TRY(quartic_gpu_check(
        device, device->vk.vkCreateSemaphore(device->handle, &semaphore, NULL, &device->timeline),
        "creating the timeline semaphore"));
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = device->caps.queue_family};
    QUARTIC_TRY(quartic_gpu_check(device,
                                  device->vk.vkCreateCommandPool(device->handle, &pool, NULL, &device->pool),
                                  "creating the command pool"));
    QUARTIC_TRY(quartic_gpu_memory_create(device));
    return quartic_gpu_pipelines_create(device);
}

static quartic_status open_device(quartic_gpu_device *device, uint32_t index) {
    QUARTIC_TRY(quartic_gpu_instance_create(&device->instance));
    quartic_gpu_found *found;
    uint32_t count;
    QUARTIC_TRY(quartic_gpu_instance_devices(&device->instance, &found, &count));
    if (index < count) {
        device->physical = found[index].physical;
        device->caps = found[index].caps;
    }
    quartic_free(found);
    if (index >= count)
        return quartic_fail(QUARTIC_UNAVAILABLE, "there is no Vulkan device %u; this machine has %u", index,
                            count);
    if (!device->caps.usable)
        return quartic_fail(QUARTIC_UNSUPPORTED, "the Vulkan device %s cannot be used: %s", device->caps.name,
                            device->caps.why_not);
    QUARTIC_TRY(create_handle(device));
    return create_objects(device);
}

quartic_status quartic_gpu_device_create(uint32_t index, quartic_gpu_device **out_device) {
    *out_device = NULL;
    quartic_gpu_device *device = quartic_alloc(1, sizeof *device);
    if (device == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = open_device(device, index);
    if (status == QUARTIC_OK)
        *out_device = device;
    else
        quartic_gpu_device_destroy(device);
    return status;
}

static quartic_status adopt_device(quartic_gpu_device *device, const quartic_vulkan_config *config) {
    QUARTIC_TRY(quartic_gpu_check_switches());
    QUARTIC_TRY(
        quartic_vk_load_instance(config->get_instance_proc_addr, config->instance, &device->instance.vk));
    device->instance.handle = config->instance;
    device->physical = config->physical_device;
    quartic_gpu_facts *facts = quartic_alloc(1, sizeof *facts);
    if (facts == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status =
        quartic_gpu_facts_read(&device->instance.vk, config->instance, config->physical_device, facts);
    quartic_gpu_facts_lower(facts, getenv("QUARTIC_LOWER_LIMITS"));
    device->caps = quartic_gpu_caps_from(facts, getenv("QUARTIC_DISABLE"));
    quartic_vk_load_device(&device->instance.vk, config->device, &device->vk);
    /* Below an instance of an older version the driver hides its features: that is told first. */
    if (status == QUARTIC_OK && facts->properties.apiVersion >= VK_API_VERSION_1_3)
        status = quartic_gpu_expect_functions(&device->vk, device->caps.name);
    if (status == QUARTIC_OK && device->caps.usable)
        status = quartic_gpu_expect_optional(facts, config->optional);
    bool computes = config->queue_family < facts->family_count &&
                    (facts->families[config->queue_family].queueFlags & VK_QUEUE_COMPUTE_BIT) != 0;
    uint32_t timestamp_bits = computes ? facts->families[config->queue_family].timestampValidBits : 0;
    uint32_t family_count = facts->family_count;
    quartic_free(facts);
    QUARTIC_TRY(status);
    if (!device->caps.usable)
        return quartic_fail(QUARTIC_UNSUPPORTED, "the adopted device %s cannot be used: %s",
                            device->caps.name, device->caps.why_not);
    if (!computes)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "queue family %u of the adopted device cannot compute (it has %u families); give one with "
            "VK_QUEUE_COMPUTE_BIT",
            config->queue_family, family_count);
    device->caps.queue_family = config->queue_family;
    if (device->caps.timestamp_bits != 0) device->caps.timestamp_bits = timestamp_bits;
    /* Only what the caller says to have enabled may be used. */
    /* Whether the application enabled the choice of subgroup sizes is not known. */
    device->caps.least_subgroup_size = device->caps.most_subgroup_size = 0;
    device->caps.float16 = device->caps.float16 && (config->optional & QUARTIC_VULKAN_FLOAT16) != 0;
    device->caps.cooperative_matrix = device->caps.cooperative_matrix && device->caps.float16 &&
                                      (config->optional & QUARTIC_VULKAN_COOPERATIVE_MATRIX) != 0;
    device->caps.device_fault =
        device->caps.device_fault && (config->optional & QUARTIC_VULKAN_DEVICE_FAULT) != 0;
    QUARTIC_TRY(quartic_gpu_expect_enabled(config->created_with, config->optional, device->caps.name));
    device->handle = config->device;
    device->queue = config->queue;
    if (config->pipeline_cache != VK_NULL_HANDLE) {
        device->cache = config->pipeline_cache;
        device->foreign_cache = true;
    }
    return create_objects(device);
}

quartic_status quartic_gpu_device_adopt(const quartic_vulkan_config *config,
                                        quartic_gpu_device **out_device) {
    *out_device = NULL;
    quartic_gpu_device *device = quartic_alloc(1, sizeof *device);
    if (device == NULL) return QUARTIC_OUT_OF_MEMORY;
    device->adopted = true;
    quartic_status status = adopt_device(device, config);
    if (status == QUARTIC_OK)
        *out_device = device;
    else
        quartic_gpu_device_destroy(device);
    return status;
}

void quartic_gpu_device_destroy(quartic_gpu_device *device) {
    if (device == NULL) return;
    if (device->handle != NULL) {
        quartic_gpu_wait_quietly(device);
        quartic_gpu_pipelines_destroy(device);
        quartic_gpu_fetch_slots_destroy(device);
        quartic_gpu_uploads_destroy(device);
        quartic_gpu_memory_destroy(device);
        quartic_free(device->pending);
        quartic_free(device->batches);
        quartic_free(device->signals);
        quartic_free(device->works);
        quartic_free(device->running);
        quartic_free(device->copies.recorders);
        device->vk.vkDestroyCommandPool(device->handle, device->pool, NULL);
        device->vk.vkDestroySemaphore(device->handle, device->timeline, NULL);
        if (!device->adopted) device->vk.vkDestroyDevice(device->handle, NULL);
    }
    if (!device->adopted) quartic_gpu_instance_destroy(&device->instance);
    quartic_free(device);
}

const quartic_gpu_caps *quartic_gpu_device_caps(const quartic_gpu_device *device) {
    return &device->caps;
}

void quartic_gpu_device_handles(const quartic_gpu_device *device, quartic_vulkan_handles *out_handles) {
    *out_handles =
        (quartic_vulkan_handles){.instance = device->instance.handle,
                                 .physical_device = device->physical,
                                 .device = device->handle,
                                 .queue_family = device->caps.queue_family,
                                 .queue = device->queue,
                                 .get_instance_proc_addr = device->instance.vk.GetInstanceProcAddr};
}
