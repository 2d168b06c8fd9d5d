/* losing_loader.c: a Vulkan loader for tests (QUARTIC_VULKAN_LOADER) that passes everything on to the real
 * one, until the device is lost: from the QUARTIC_TEST_LOST_AT-th vkQueueSubmit2 of the process on, each says
 * so.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

static PFN_vkGetInstanceProcAddr real_instance_address;
static PFN_vkGetDeviceProcAddr real_device_address;
static PFN_vkQueueSubmit2 real_submit;
static _Atomic long submits;

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count, const VkSubmitInfo2 *infos,
                                             VkFence fence) {
    const char *lost_at = getenv("QUARTIC_TEST_LOST_AT");
    if (lost_at != NULL && atomic_fetch_add(&submits, 1) + 1 >= strtol(lost_at, NULL, 10))
        return VK_ERROR_DEVICE_LOST;
    return real_submit(queue, count, infos, fence);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_address(VkDevice device, const char *name) {
    PFN_vkVoidFunction found = real_device_address(device, name);
    if (strcmp(name, "vkQueueSubmit2") != 0) return found;
    real_submit = (PFN_vkQueueSubmit2)found;
    return (PFN_vkVoidFunction)submit;
}

__attribute__((visibility("default"))) VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL
vkGetInstanceProcAddr(VkInstance instance, const char *name);

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance, const char *name) {
    if (real_instance_address == NULL) {
        void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
        union {
            void *object;
            PFN_vkGetInstanceProcAddr function;
        } symbol = {.object = library == NULL ? NULL : dlsym(library, "vkGetInstanceProcAddr")};
        if (symbol.object == NULL) return NULL;
        real_instance_address = symbol.function;
    }
    PFN_vkVoidFunction found = real_instance_address(instance, name);
    if (strcmp(name, "vkGetDeviceProcAddr") != 0) return found;
    real_device_address = (PFN_vkGetDeviceProcAddr)found;
    return (PFN_vkVoidFunction)device_address;
}
