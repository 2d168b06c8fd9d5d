/* vk.c: the loader, the function tables, results as statuses. See vk.h. */
#define VOLK_IMPLEMENTATION
#include "gpu/vk.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

quartic_status quartic_vk_loader(PFN_vkGetInstanceProcAddr *out_entry) {
    const char *chosen = getenv("QUARTIC_VULKAN_LOADER");
    static const char *const names[] = {"libvulkan.so.1", "libvulkan.so", "libvulkan.1.dylib",
                                        "libMoltenVK.dylib"};
    void *library = NULL;
    /* NODELETE: unloading a driver under threads it has started is not something that drivers survive. */
    if (chosen != NULL && chosen[0] != 0) {
        library = dlopen(chosen, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (library == NULL)
            return quartic_fail(QUARTIC_UNAVAILABLE,
                                "cannot load the Vulkan loader that QUARTIC_VULKAN_LOADER names: %s",
                                dlerror());
    }
    for (size_t i = 0; library == NULL && i < sizeof names / sizeof names[0]; ++i)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        return quartic_fail(
            QUARTIC_UNAVAILABLE,
            "there is no Vulkan loader on this machine (%s not found); install libvulkan1 or the "
            "GPU driver, or use the device cpu",
            names[0]);
    /* ISO C has no conversion from void * to a function pointer; POSIX promises that the bits are the same.
     */
    union {
        void *object;
        PFN_vkGetInstanceProcAddr function;
    } symbol = {.object = dlsym(library, "vkGetInstanceProcAddr")};
    dlclose(library);
    if (symbol.object == NULL)
        return quartic_fail(QUARTIC_UNAVAILABLE, "the Vulkan loader %s has no vkGetInstanceProcAddr",
                            chosen != NULL && chosen[0] != 0 ? chosen : names[0]);
    *out_entry = symbol.function;
    return QUARTIC_OK;
}

quartic_status quartic_vk_load_instance(PFN_vkGetInstanceProcAddr entry, VkInstance instance,
                                        quartic_vk_instance *out_table) {
    *out_table = (quartic_vk_instance){.GetInstanceProcAddr = entry};
#define LOAD_OPTIONAL(name) out_table->name = (PFN_vk##name)entry(instance, "vk" #name);
#define LOAD(name)                                                                                           \
    LOAD_OPTIONAL(name)                                                                                      \
    if (out_table->name == NULL)                                                                             \
        return quartic_fail(QUARTIC_UNSUPPORTED,                                                             \
                            "the Vulkan instance lacks vk" #name "; create it with apiVersion 1.3");
    QUARTIC_VK_INSTANCE_LIST(LOAD)
    QUARTIC_VK_INSTANCE_OPTIONAL_LIST(LOAD_OPTIONAL)
#undef LOAD
#undef LOAD_OPTIONAL
    return QUARTIC_OK;
}

void quartic_vk_load_device(const quartic_vk_instance *instance, VkDevice device,
                            struct VolkDeviceTable *out_table) {
    /* volkLoadDeviceTable asks volk's global vkGetDeviceProcAddr, so that one pointer is lent under a lock.
     */
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    vkGetDeviceProcAddr = instance->GetDeviceProcAddr;
    volkLoadDeviceTable(out_table, device);
    pthread_mutex_unlock(&lock);
}

quartic_status quartic_vk_check(VkResult result, const char *what) {
    switch (result) {
    case VK_SUCCESS:
        return QUARTIC_OK;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return quartic_fail(QUARTIC_OUT_OF_MEMORY, "%s failed: the Vulkan driver is out of host memory",
                            what);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        return quartic_fail(QUARTIC_OUT_OF_DEVICE_MEMORY, "%s failed: the device is out of memory", what);
    case VK_ERROR_DEVICE_LOST:
        return quartic_fail(
            QUARTIC_DEVICE_LOST,
            "%s failed: the device stopped responding (a hang, a reset or a watchdog); destroy it and "
            "open it again",
            what);
    case VK_ERROR_INITIALIZATION_FAILED:
    case VK_ERROR_INCOMPATIBLE_DRIVER:
        return quartic_fail(QUARTIC_UNAVAILABLE,
                            "%s failed: no Vulkan driver could be initialised (VkResult %d)", what,
                            (int)result);
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
        return quartic_fail(QUARTIC_UNSUPPORTED,
                            "%s failed: a layer, extension or feature is missing (VkResult %d)", what,
                            (int)result);
    default:
        return quartic_fail(QUARTIC_INTERNAL, "%s failed with VkResult %d", what, (int)result);
    }
}
