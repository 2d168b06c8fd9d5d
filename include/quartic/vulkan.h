/* vulkan.h: the library in an application that uses Vulkan itself: its device, its buffers, its command
 * buffers.
 *
 * This is the only public header that includes Vulkan. An adopted device and its queue stay the
 * application's: the library creates objects on the device and submits to the queue where this header says
 * so, and never destroys either. Recording changes the bound compute pipeline and the push constants of the
 * command buffer, and no other state: there are no descriptor sets.
 *
 * Stability: adopting devices, wrapping buffers and recording are stable; reading the handles and buffers of
 * the library is unstable. quartic.h says what that means.
 *
 * The queue: a function that submits to it waits for what it submitted before it returns. These functions
 * submit: quartic_tensor_create, _write and _read, quartic_program_create and _run, and those of model.h,
 * train.h, data.h and verify.h that create, read, write or run something on the device. These do not:
 * quartic_vulkan_device_adopt, _tensor_wrap, _tensor_buffer and _device_handles, quartic_program_measure and
 * _record, and every _destroy. Vulkan demands that one thread at a time uses a queue, so no other thread may
 * use it during a call that submits.
 *
 * Files: the library keeps the driver's compiled pipelines in $XDG_CACHE_HOME/quartic (else
 * ~/.cache/quartic), one file for each driver and build: read when a device is created or adopted, written
 * when 32 new pipelines have been compiled and when the device is destroyed. The word cache in the
 * environment variable QUARTIC_DISABLE, or pipeline_cache below, switches that off. The library writes no
 * other file unless it is asked to.
 */
#ifndef QUARTIC_VULKAN_H
#define QUARTIC_VULKAN_H

#include <vulkan/vulkan.h>

#include "quartic/program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- adopting a device: stable ---- */

/* The features that the application must enable besides Vulkan 1.3, all of them mandatory in it: X(member) of
 * VkPhysicalDeviceVulkan12Features and of VkPhysicalDeviceVulkan13Features. */
#define QUARTIC_VULKAN_FEATURES_12(X) X(bufferDeviceAddress) X(timelineSemaphore)
#define QUARTIC_VULKAN_FEATURES_13(X) X(synchronization2) X(maintenance4)

/* Sets those members to VK_TRUE and leaves every other member alone. Either struct may be NULL. Cannot
 * fail. */
QUARTIC_API void quartic_vulkan_enable_features(VkPhysicalDeviceVulkan12Features *features_12,
                                                VkPhysicalDeviceVulkan13Features *features_13);

/* Optional features that the application has enabled too, for quartic_vulkan_config.optional. */
enum {
    QUARTIC_VULKAN_FLOAT16 = 1, /* shaderFloat16 and storageBuffer16BitAccess */
    /* cooperativeMatrix of VK_KHR_cooperative_matrix, and what QUARTIC_VULKAN_MEMORY_MODEL means */
    QUARTIC_VULKAN_COOPERATIVE_MATRIX = 2,
    QUARTIC_VULKAN_PORTABILITY_SUBSET = 4, /* VK_KHR_portability_subset, where the device lists it */
    /* deviceFault of VK_EXT_device_fault: a lost device is reported with what the driver tells of the fault */
    QUARTIC_VULKAN_DEVICE_FAULT = 8,
    /* vulkanMemoryModel and vulkanMemoryModelDeviceScope: with them the groups of a dispatch finish split sums, which
     * saves dispatches. Not for a device with VK_KHR_portability_subset. */
    QUARTIC_VULKAN_MEMORY_MODEL = 16
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
    /* What the device was created with, read during the call only: with it, a feature that is not enabled is
     * refused by name. NULL: the application promises that they are enabled, since Vulkan cannot tell. */
    const VkDeviceCreateInfo *created_with;
    /* The application's own cache, which must outlive the library's device: pipelines are compiled with it,
     * and no file is read or written. NULL: the library has a cache of its own, kept in a file. */
    VkPipelineCache pipeline_cache;
} quartic_vulkan_config;

#define QUARTIC_VULKAN_CONFIG_INIT                                                                           \
    { sizeof(quartic_vulkan_config), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Makes a device of the library on the application's. The caller destroys it with quartic_device_destroy
 * before the VkDevice. The handles stay the application's. After an error *out_device is NULL. Never submits.
 * Errors: INVALID_ARGUMENT for a missing handle, a queue family without compute or unknown bits of optional;
 * OUT_OF_MEMORY, OUT_OF_DEVICE_MEMORY; UNSUPPORTED, with what is missing, where
 * - the physical device does not offer Vulkan 1.3, one of the features above, or what a bit of optional
 * means;
 * - the instance or the device does not give a function of Vulkan 1.1 to 1.3 that the library calls, which is
 *   how an instance created with an apiVersion below 1.3 is recognised;
 * - created_with does not enable one of the features above or what a bit of optional means.
 * Not checked, but promised by the application: that handles are valid and belong together, that the device
 * has the queue, and, without created_with, that the features are enabled. */
QUARTIC_API quartic_status quartic_vulkan_device_adopt(const quartic_vulkan_config *config,
                                                       quartic_device **out_device);

/* ---- buffers as tensors, recording: stable ---- */

/* Makes a tensor of the bytes from offset on of the application's buffer; the caller destroys it, which
 * leaves the buffer alone. The buffer must outlive it and must have been created with SHADER_DEVICE_ADDRESS,
 * STORAGE_BUFFER, TRANSFER_SRC and TRANSFER_DST usage on memory allocated with
 * VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT. offset is a multiple of 16. The contents stay as they are. Never
 * submits. Errors (then *out_tensor is NULL): INVALID_ARGUMENT, also for a tensor that ends beyond the memory
 * that the buffer needs (vkGetBufferMemoryRequirements: the buffer's size, which drivers may round up to
 * their alignment). */
QUARTIC_API quartic_status quartic_vulkan_tensor_wrap(quartic_device *device, VkBuffer buffer,
                                                      VkDeviceSize offset, quartic_dtype dtype,
                                                      const quartic_shape *shape,
                                                      quartic_tensor **out_tensor);

/* Records all steps of the program into a command buffer that is in the recording state, outside a render
 * pass, of the device's queue family. Submits nothing: the application submits the command buffer, and keeps
 * it short enough for a watchdog. The program must outlive the execution, and two executions must not
 * overlap, since they share its workspace. Memory: the program sees compute and transfer writes that were
 * recorded before; compute and transfer commands that are recorded after see its writes, and so does the host
 * once it has waited for the submission. Errors: INVALID_ARGUMENT for a program on a CPU device; then nothing
 * is recorded. */
QUARTIC_API quartic_status quartic_program_record(quartic_program *program, VkCommandBuffer command_buffer);

/* ---- handles and buffers of the library: unstable ---- */

/* The Vulkan handles of a device, whether the library opened or adopted it. They are valid until it is
 * destroyed. */
typedef struct quartic_vulkan_handles {
    VkInstance instance;
    VkPhysicalDevice physical_device;
    VkDevice device;
    uint32_t queue_family;
    VkQueue queue;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr;
} quartic_vulkan_handles;
/* Errors: INVALID_ARGUMENT for a CPU device. Never submits. */
QUARTIC_API quartic_status quartic_vulkan_device_handles(const quartic_device *device,
                                                         quartic_vulkan_handles *out_handles);

/* Gives the buffer of a tensor on a Vulkan device, the tensor's offset in it, and its device address. They
 * are valid until the tensor is destroyed. Errors: INVALID_ARGUMENT for a tensor of a CPU device. Never
 * submits. */
QUARTIC_API quartic_status quartic_vulkan_tensor_buffer(const quartic_tensor *tensor, VkBuffer *out_buffer,
                                                        VkDeviceSize *out_offset,
                                                        VkDeviceAddress *out_address);

#ifdef __cplusplus
}
#endif
#endif
