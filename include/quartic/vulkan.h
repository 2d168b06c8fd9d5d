/* vulkan.h: the library inside an application's own Vulkan: its device, its buffers, its command buffers.
 *
 * The only public header that includes Vulkan. An adopted device and its queue stay the application's: the
 * library creates objects on the device, submits to the queue where a function says so, and never destroys
 * either. Vulkan asks that a queue is used by one thread at a time, so no other thread may use the queue
 * during a call that submits. Recorded work changes the bound compute pipeline and the push constants of the
 * command buffer, and no other state: there are no descriptor sets.
 */
#ifndef QUARTIC_VULKAN_H
#define QUARTIC_VULKAN_H

#include <vulkan/vulkan.h>

#include "quartic/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The features that the application must enable besides Vulkan 1.3, all of them mandatory in it: X(member) of
 * VkPhysicalDeviceVulkan12Features and of VkPhysicalDeviceVulkan13Features. */
#define QUARTIC_VULKAN_FEATURES_12(X) X(bufferDeviceAddress) X(timelineSemaphore)
#define QUARTIC_VULKAN_FEATURES_13(X) X(synchronization2) X(maintenance4)

/* Sets those members to VK_TRUE and leaves every other member alone. A struct that is NULL is left out. */
QUARTIC_API void quartic_vulkan_enable_features(VkPhysicalDeviceVulkan12Features *features_12,
                                                VkPhysicalDeviceVulkan13Features *features_13);

/* Optional features that the application has enabled too, for quartic_vulkan_config.optional. */
enum {
    QUARTIC_VULKAN_FLOAT16 = 1, /* shaderFloat16 and storageBuffer16BitAccess */
    QUARTIC_VULKAN_COOPERATIVE_MATRIX =
        2, /* cooperativeMatrix of VK_KHR_cooperative_matrix, vulkanMemoryModel */
    QUARTIC_VULKAN_PORTABILITY_SUBSET = 4 /* VK_KHR_portability_subset, where the device lists it */
};

typedef struct quartic_vulkan_config {
    size_t struct_size;
    VkInstance instance; /* created with apiVersion 1.3 or later */
    VkPhysicalDevice physical_device;
    VkDevice device;
    uint32_t queue_family; /* supports compute */
    VkQueue queue;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
    uint32_t optional; /* QUARTIC_VULKAN_.. bits */
} quartic_vulkan_config;

#define QUARTIC_VULKAN_CONFIG_INIT                                                                           \
    { sizeof(quartic_vulkan_config), 0, 0, 0, 0, 0, 0, 0 }

/* Makes a device of the library on the application's. Destroy it by quartic_device_destroy before the
 * VkDevice. Errors: INVALID_ARGUMENT for a missing handle or a queue family without compute; UNSUPPORTED with
 * what the device lacks; OUT_OF_MEMORY, OUT_OF_DEVICE_MEMORY. */
QUARTIC_API quartic_status quartic_vulkan_device_adopt(const quartic_vulkan_config *config,
                                                       quartic_device **out_device);

/* The Vulkan handles behind a Vulkan device of either origin. Errors: INVALID_ARGUMENT for a CPU device. */
typedef struct quartic_vulkan_handles {
    VkInstance instance;
    VkPhysicalDevice physical_device;
    VkDevice device;
    uint32_t queue_family;
    VkQueue queue;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
} quartic_vulkan_handles;
QUARTIC_API quartic_status quartic_vulkan_device_handles(const quartic_device *device,
                                                         quartic_vulkan_handles *out_handles);

/* A tensor over bytes offset .. of the application's buffer, which must outlive it and must have been created
 * with SHADER_DEVICE_ADDRESS, STORAGE_BUFFER, TRANSFER_SRC and TRANSFER_DST usage on memory allocated with
 * VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT. offset is a multiple of 16. The contents stay as they are. Errors:
 * INVALID_ARGUMENT. */
QUARTIC_API quartic_status quartic_vulkan_tensor_wrap(quartic_device *device, VkBuffer buffer,
                                                      VkDeviceSize offset, quartic_dtype dtype,
                                                      const quartic_shape *shape,
                                                      quartic_tensor **out_tensor);

/* The buffer behind a tensor on a Vulkan device, its offset in it, and its device address. The buffer stays
 * the tensor's. Errors: INVALID_ARGUMENT for a tensor of a CPU device. */
QUARTIC_API quartic_status quartic_vulkan_tensor_buffer(const quartic_tensor *tensor, VkBuffer *out_buffer,
                                                        VkDeviceSize *out_offset,
                                                        VkDeviceAddress *out_address);

/* Records all steps of the program into a command buffer that is in the recording state, outside a render
 * pass, of the device's queue family. Submission, and keeping it short enough for a watchdog, is the
 * application's; the program must outlive the execution and must not run twice at once (its workspace is
 * one). Memory: compute and transfer writes recorded before are seen by the program; its own writes are seen
 * by compute and transfer commands recorded after, and by the host once it has waited for the submission.
 * Errors: INVALID_ARGUMENT for a program on a CPU device. */
QUARTIC_API quartic_status quartic_program_record(quartic_program *program, VkCommandBuffer command_buffer);

#ifdef __cplusplus
}
#endif
#endif
