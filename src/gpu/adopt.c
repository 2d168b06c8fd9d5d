/* adopt.c: what can be found out about an application's VkDevice before the library works on it.
 *
 * Vulkan tells which functions a device has, which the versions of its instance and driver decide, and what
 * its hardware could do. It does not tell which features were enabled: those are read from the
 * VkDeviceCreateInfo that the application shows, or are its promise.
 */
#include "gpu/internal.h"

#include "base/find.h"

#include <stdio.h>
#include <string.h>

enum { MISSING_TEXT = 256 };

static void add_missing(char text[MISSING_TEXT], const char *what) {
    size_t used = strlen(text);
    snprintf(text + used, MISSING_TEXT - used, "%s%s", used == 0 ? "" : ", ", what);
}

quartic_status quartic_gpu_expect_functions(const struct VolkDeviceTable *table, const char *name) {
    char text[MISSING_TEXT] = "";
    if (table->vkCmdDispatchBase == NULL) add_missing(text, "vkCmdDispatchBase (Vulkan 1.1)");
    if (table->vkGetBufferDeviceAddress == NULL) add_missing(text, "vkGetBufferDeviceAddress (Vulkan 1.2)");
    if (table->vkWaitSemaphores == NULL) add_missing(text, "vkWaitSemaphores (Vulkan 1.2)");
    if (table->vkQueueSubmit2 == NULL) add_missing(text, "vkQueueSubmit2 (Vulkan 1.3)");
    if (table->vkCmdPipelineBarrier2 == NULL) add_missing(text, "vkCmdPipelineBarrier2 (Vulkan 1.3)");
    if (table->vkCmdWriteTimestamp2 == NULL) add_missing(text, "vkCmdWriteTimestamp2 (Vulkan 1.3)");
    if (text[0] == 0) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_UNSUPPORTED,
        "the adopted device %s lacks %s; create its instance with apiVersion 1.3 or later, on a "
        "driver of Vulkan 1.3",
        name, text);
}

quartic_status quartic_gpu_expect_optional(const quartic_gpu_facts *facts, uint32_t optional) {
    const uint32_t known = QUARTIC_VULKAN_FLOAT16 | QUARTIC_VULKAN_COOPERATIVE_MATRIX |
                           QUARTIC_VULKAN_PORTABILITY_SUBSET | QUARTIC_VULKAN_DEVICE_FAULT |
                           QUARTIC_VULKAN_MEMORY_MODEL;
    if ((optional & ~known) != 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "optional of quartic_vulkan_config is 0x%x, but this version knows the bits 0x%x only", optional,
            known);
    char text[MISSING_TEXT] = "";
    if (optional & QUARTIC_VULKAN_FLOAT16) {
        if (!facts->features_12.shaderFloat16) add_missing(text, "shaderFloat16");
        if (!facts->features_11.storageBuffer16BitAccess) add_missing(text, "storageBuffer16BitAccess");
    }
    if (optional & QUARTIC_VULKAN_COOPERATIVE_MATRIX) {
        if (!facts->cooperative_matrix)
            add_missing(text, "cooperativeMatrix with 16x16x16 products of float16 in float32");
    }
    if (optional & (QUARTIC_VULKAN_COOPERATIVE_MATRIX | QUARTIC_VULKAN_MEMORY_MODEL)) {
        if (!facts->features_12.vulkanMemoryModel) add_missing(text, "vulkanMemoryModel");
        if (!facts->features_12.vulkanMemoryModelDeviceScope)
            add_missing(text, "vulkanMemoryModelDeviceScope");
    }
    if ((optional & QUARTIC_VULKAN_PORTABILITY_SUBSET) && !facts->portability_subset)
        add_missing(text, "VK_KHR_portability_subset");
    if ((optional & QUARTIC_VULKAN_DEVICE_FAULT) && !facts->device_fault)
        add_missing(text, "deviceFault of VK_EXT_device_fault");
    if (text[0] == 0) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_UNSUPPORTED,
        "optional of quartic_vulkan_config names what the device %s does not offer: %s; leave "
        "those bits out",
        facts->properties.deviceName, text);
}

/* What a VkDeviceCreateInfo enables of what the library asks for. */
typedef struct enabled {
    bool bufferDeviceAddress, timelineSemaphore, synchronization2, maintenance4;
    bool shaderFloat16, storageBuffer16BitAccess, cooperativeMatrix, vulkanMemoryModel,
        vulkanMemoryModelDeviceScope, deviceFault;
} enabled;

/* Every feature may come in the structure of its version or in one of its own. */
static enabled read_enabled(const void *next) {
    enabled e = {0};
    for (const VkBaseInStructure *at = next; at != NULL; at = at->pNext) {
        const void *any = at;
#define TAKE(type, TYPE, member)                                                                             \
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##TYPE)                                               \
        e.member |= ((const VkPhysicalDevice##type *)any)->member != VK_FALSE;
        TAKE(Vulkan12Features, VULKAN_1_2_FEATURES, bufferDeviceAddress)
        TAKE(BufferDeviceAddressFeatures, BUFFER_DEVICE_ADDRESS_FEATURES, bufferDeviceAddress)
        TAKE(Vulkan12Features, VULKAN_1_2_FEATURES, timelineSemaphore)
        TAKE(TimelineSemaphoreFeatures, TIMELINE_SEMAPHORE_FEATURES, timelineSemaphore)
        TAKE(Vulkan13Features, VULKAN_1_3_FEATURES, synchronization2)
        TAKE(Synchronization2Features, SYNCHRONIZATION_2_FEATURES, synchronization2)
        TAKE(Vulkan13Features, VULKAN_1_3_FEATURES, maintenance4)
        TAKE(Maintenance4Features, MAINTENANCE_4_FEATURES, maintenance4)
        TAKE(Vulkan12Features, VULKAN_1_2_FEATURES, shaderFloat16)
        TAKE(ShaderFloat16Int8Features, SHADER_FLOAT16_INT8_FEATURES, shaderFloat16)
        TAKE(Vulkan11Features, VULKAN_1_1_FEATURES, storageBuffer16BitAccess)
        TAKE(16BitStorageFeatures, 16BIT_STORAGE_FEATURES, storageBuffer16BitAccess)
        TAKE(CooperativeMatrixFeaturesKHR, COOPERATIVE_MATRIX_FEATURES_KHR, cooperativeMatrix)
        TAKE(Vulkan12Features, VULKAN_1_2_FEATURES, vulkanMemoryModel)
        TAKE(VulkanMemoryModelFeatures, VULKAN_MEMORY_MODEL_FEATURES, vulkanMemoryModel)
        TAKE(Vulkan12Features, VULKAN_1_2_FEATURES, vulkanMemoryModelDeviceScope)
        TAKE(VulkanMemoryModelFeatures, VULKAN_MEMORY_MODEL_FEATURES, vulkanMemoryModelDeviceScope)
#ifdef VK_EXT_device_fault
        TAKE(FaultFeaturesEXT, FAULT_FEATURES_EXT, deviceFault)
#endif
#undef TAKE
    }
    return e;
}

static bool has_extension(const VkDeviceCreateInfo *info, const char *name) {
    const uint32_t count = info->enabledExtensionCount;
    return quartic_find_name(info->ppEnabledExtensionNames, sizeof name, count, name) < count;
}

quartic_status quartic_gpu_expect_enabled(const VkDeviceCreateInfo *info, uint32_t optional,
                                          const char *name) {
    if (info == NULL) return QUARTIC_OK; /* the application's promise */
    const enabled e = read_enabled(info->pNext);
    char text[MISSING_TEXT] = "";
#define EXPECT(member)                                                                                       \
    if (!e.member) add_missing(text, #member);
    QUARTIC_VULKAN_FEATURES_12(EXPECT)
    QUARTIC_VULKAN_FEATURES_13(EXPECT)
    if (optional & QUARTIC_VULKAN_FLOAT16) {
        EXPECT(shaderFloat16)
        EXPECT(storageBuffer16BitAccess)
    }
    if (optional & QUARTIC_VULKAN_COOPERATIVE_MATRIX) {
        EXPECT(cooperativeMatrix)
        if (!has_extension(info, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME))
            add_missing(text, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
    }
    if (optional & (QUARTIC_VULKAN_COOPERATIVE_MATRIX | QUARTIC_VULKAN_MEMORY_MODEL)) {
        EXPECT(vulkanMemoryModel)
        EXPECT(vulkanMemoryModelDeviceScope)
    }
    if (optional & QUARTIC_VULKAN_DEVICE_FAULT) {
        EXPECT(deviceFault)
        if (!has_extension(info, "VK_EXT_device_fault")) add_missing(text, "VK_EXT_device_fault");
    }
#undef EXPECT
    if ((optional & QUARTIC_VULKAN_PORTABILITY_SUBSET) && !has_extension(info, "VK_KHR_portability_subset"))
        add_missing(text, "VK_KHR_portability_subset");
    if (text[0] == 0) return QUARTIC_OK;
    return quartic_fail(QUARTIC_UNSUPPORTED,
                        "the adopted device %s was created without %s; enable that in its VkDeviceCreateInfo "
                        "(quartic_vulkan_enable_features sets what must be), or leave it out of optional",
                        name, text);
}
