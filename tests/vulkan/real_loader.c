/* real_loader.c: opens the real Vulkan loader and passes functions on. See real_loader.h. */
#include "real_loader.h"

#include <dlfcn.h>
#include <string.h>

static PFN_vkGetInstanceProcAddr real_instance_address;
static PFN_vkGetDeviceProcAddr real_device_address;

PFN_vkVoidFunction real_loader_find(VkInstance instance, const char *name) {
    if (real_instance_address == NULL) {
        void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
        union {
            void *object;
            PFN_vkGetInstanceProcAddr function;
        } symbol = {.object = library == NULL ? NULL : dlsym(library, "vkGetInstanceProcAddr")};
        if (symbol.object == NULL) return NULL;
        real_instance_address = symbol.function;
    }
    return real_instance_address(instance, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice device, const char *name) {
    return loader_function(NULL, name, real_device_address(device, name));
}

LOADER_EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance,
                                                                             const char *name);

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance, const char *name) {
    PFN_vkVoidFunction found = loader_function(instance, name, real_loader_find(instance, name));
    if (strcmp(name, "vkGetDeviceProcAddr") != 0) return found;
    real_device_address = (PFN_vkGetDeviceProcAddr)found;
    return (PFN_vkVoidFunction)device_function;
}
