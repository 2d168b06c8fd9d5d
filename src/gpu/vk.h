/* vk.h: Vulkan's functions. The only include of volk.
 *
 * Device functions live in a VolkDeviceTable per device, instance functions in quartic_vk_instance per
 * instance, both loaded through one vkGetInstanceProcAddr. volk's global function pointers exist in the
 * library (hidden) but none is ever called, so neither two devices nor an application's own volk share
 * them.
 */
#ifndef QUARTIC_GPU_VK_H
#define QUARTIC_GPU_VK_H

#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#include <volk.h>

#include "base/status.h"

#include <stdbool.h>

/* X(function) of an instance; the optional ones may be NULL. */
#define QUARTIC_VK_INSTANCE_LIST(X)                                                                          \
    X(DestroyInstance)                                                                                       \
    X(EnumeratePhysicalDevices)                                                                              \
    X(EnumerateDeviceExtensionProperties)                                                                    \
    X(GetPhysicalDeviceProperties)                                                                           \
    X(GetPhysicalDeviceProperties2)                                                                          \
    X(GetPhysicalDeviceFeatures2)                                                                            \
    X(GetPhysicalDeviceMemoryProperties2)                                                                    \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                                \
    X(CreateDevice)                                                                                          \
    X(GetDeviceProcAddr)
#define QUARTIC_VK_INSTANCE_OPTIONAL_LIST(X)                                                                 \
    X(CreateDebugUtilsMessengerEXT)                                                                          \
    X(DestroyDebugUtilsMessengerEXT)

typedef struct quartic_vk_instance {
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
#define QUARTIC_VK_MEMBER(name) PFN_vk##name name;
    QUARTIC_VK_INSTANCE_LIST(QUARTIC_VK_MEMBER)
    QUARTIC_VK_INSTANCE_OPTIONAL_LIST(QUARTIC_VK_MEMBER)
#undef QUARTIC_VK_MEMBER
} quartic_vk_instance;

/* The loader's entry point: libvulkan, or the library named by QUARTIC_VULKAN_LOADER. The loader stays in the
 * process. UNAVAILABLE if there is none. */
quartic_status quartic_vk_loader(PFN_vkGetInstanceProcAddr *out_entry);

/* Fills a table; UNSUPPORTED if a function that Vulkan 1.3 has is missing. */
quartic_status quartic_vk_load_instance(PFN_vkGetInstanceProcAddr entry, VkInstance instance,
                                        quartic_vk_instance *out_table);
void quartic_vk_load_device(const quartic_vk_instance *instance, VkDevice device,
                            struct VolkDeviceTable *out_table);

/* QUARTIC_OK, or the status for a VkResult with the message "<what> failed: <meaning>". */
quartic_status quartic_vk_check(VkResult result, const char *what);

/* VK_KHR_cooperative_matrix for headers that predate it (before 1.3.255), values from the registry. */
#ifndef VK_KHR_cooperative_matrix
#define VK_KHR_cooperative_matrix                1
#define VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME "VK_KHR_cooperative_matrix"
typedef int VkComponentTypeKHR;
typedef int VkScopeKHR;
#define VK_COMPONENT_TYPE_FLOAT16_KHR                                     0
#define VK_COMPONENT_TYPE_FLOAT32_KHR                                     1
#define VK_SCOPE_SUBGROUP_KHR                                             3
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR ((VkStructureType)1000506000)
#define VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR               ((VkStructureType)1000506001)
typedef struct VkPhysicalDeviceCooperativeMatrixFeaturesKHR {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix;
    VkBool32 cooperativeMatrixRobustBufferAccess;
} VkPhysicalDeviceCooperativeMatrixFeaturesKHR;
typedef struct VkCooperativeMatrixPropertiesKHR {
    VkStructureType sType;
    void *pNext;
    uint32_t MSize, NSize, KSize;
    VkComponentTypeKHR AType, BType, CType, ResultType;
    VkBool32 saturatingAccumulation;
    VkScopeKHR scope;
} VkCooperativeMatrixPropertiesKHR;
typedef VkResult(VKAPI_PTR *PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)(
    VkPhysicalDevice, uint32_t *, VkCooperativeMatrixPropertiesKHR *);
#endif

#endif
