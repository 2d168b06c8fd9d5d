/* failing_loader.c: a Vulkan loader for tests (QUARTIC_VULKAN_LOADER) that passes everything on to the real
 * one, but makes a creating or allocating call fail when a test wants it. See failing_vulkan.h.
 *
 * What it passes on goes to the real loader's own functions for instances, which find the device that they
 * are called for; so one table serves all devices.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#define EXPORT __attribute__((visibility("default")))

static PFN_vkGetInstanceProcAddr real_instance_address;
static PFN_vkGetDeviceProcAddr real_device_address;
static _Atomic int64_t calls_until_failure; /* 0 = never */

EXPORT void failing_loader_fail_at(uint64_t nth);

void failing_loader_fail_at(uint64_t nth) {
    atomic_store(&calls_until_failure, (int64_t)nth);
}

static int fails(void) {
    if (atomic_load(&calls_until_failure) <= 0) return 0;
    return atomic_fetch_sub(&calls_until_failure, 1) == 1;
}

/* X(function, parameters, arguments): all that the library calls to create or allocate. */
#define CALL_LIST(X)                                                                                         \
    X(CreateInstance, (const VkInstanceCreateInfo *a, const VkAllocationCallbacks *b, VkInstance *c),        \
      (a, b, c))                                                                                             \
    X(CreateDebugUtilsMessengerEXT,                                                                          \
      (VkInstance a, const VkDebugUtilsMessengerCreateInfoEXT *b, const VkAllocationCallbacks *c,            \
       VkDebugUtilsMessengerEXT *d),                                                                         \
      (a, b, c, d))                                                                                          \
    X(CreateDevice,                                                                                          \
      (VkPhysicalDevice a, const VkDeviceCreateInfo *b, const VkAllocationCallbacks *c, VkDevice *d),        \
      (a, b, c, d))                                                                                          \
    X(CreateSemaphore,                                                                                       \
      (VkDevice a, const VkSemaphoreCreateInfo *b, const VkAllocationCallbacks *c, VkSemaphore *d),          \
      (a, b, c, d))                                                                                          \
    X(CreateCommandPool,                                                                                     \
      (VkDevice a, const VkCommandPoolCreateInfo *b, const VkAllocationCallbacks *c, VkCommandPool *d),      \
      (a, b, c, d))                                                                                          \
    X(AllocateCommandBuffers, (VkDevice a, const VkCommandBufferAllocateInfo *b, VkCommandBuffer *c),        \
      (a, b, c))                                                                                             \
    X(CreateQueryPool,                                                                                       \
      (VkDevice a, const VkQueryPoolCreateInfo *b, const VkAllocationCallbacks *c, VkQueryPool *d),          \
      (a, b, c, d))                                                                                          \
    X(CreatePipelineLayout,                                                                                  \
      (VkDevice a, const VkPipelineLayoutCreateInfo *b, const VkAllocationCallbacks *c,                      \
       VkPipelineLayout *d),                                                                                 \
      (a, b, c, d))                                                                                          \
    X(CreatePipelineCache,                                                                                   \
      (VkDevice a, const VkPipelineCacheCreateInfo *b, const VkAllocationCallbacks *c, VkPipelineCache *d),  \
      (a, b, c, d))                                                                                          \
    X(CreateShaderModule,                                                                                    \
      (VkDevice a, const VkShaderModuleCreateInfo *b, const VkAllocationCallbacks *c, VkShaderModule *d),    \
      (a, b, c, d))                                                                                          \
    X(CreateComputePipelines,                                                                                \
      (VkDevice a, VkPipelineCache b, uint32_t c, const VkComputePipelineCreateInfo *d,                      \
       const VkAllocationCallbacks *e, VkPipeline *f),                                                       \
      (a, b, c, d, e, f))                                                                                    \
    X(CreateBuffer, (VkDevice a, const VkBufferCreateInfo *b, const VkAllocationCallbacks *c, VkBuffer *d),  \
      (a, b, c, d))                                                                                          \
    X(AllocateMemory,                                                                                        \
      (VkDevice a, const VkMemoryAllocateInfo *b, const VkAllocationCallbacks *c, VkDeviceMemory *d),        \
      (a, b, c, d))                                                                                          \
    X(BindBufferMemory, (VkDevice a, VkBuffer b, VkDeviceMemory c, VkDeviceSize d), (a, b, c, d))            \
    X(MapMemory,                                                                                             \
      (VkDevice a, VkDeviceMemory b, VkDeviceSize c, VkDeviceSize d, VkMemoryMapFlags e, void **f),          \
      (a, b, c, d, e, f))

#define WRAP(name, parameters, arguments)                                                                    \
    static PFN_vk##name real_##name;                                                                         \
    static VKAPI_ATTR VkResult VKAPI_CALL failing_##name parameters {                                        \
        return fails() ? VK_ERROR_OUT_OF_DEVICE_MEMORY : real_##name arguments;                              \
    }
CALL_LIST(WRAP)

/* The wrapper of that name, or what was found. */
static PFN_vkVoidFunction wrap(const char *name, PFN_vkVoidFunction found) {
#define FIND(function, parameters, arguments)                                                                \
    if (strcmp(name, "vk" #function) == 0) return (PFN_vkVoidFunction)failing_##function;
    if (found == NULL) return NULL;
    CALL_LIST(FIND)
    return found;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_address(VkDevice device, const char *name) {
    return wrap(name, real_device_address(device, name));
}

/* What an instance does not have stays as another one had it. */
static void keep_real_functions(VkInstance instance){
#define KEEP(function, parameters, arguments)                                                                \
    {                                                                                                        \
        PFN_vkVoidFunction found = real_instance_address(instance, "vk" #function);                          \
        if (found != NULL) real_##function = (PFN_vk##function)found;                                        \
    }
    CALL_LIST(KEEP)}

EXPORT VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance, const char *name);

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
    if (strcmp(name, "vkCreateInstance") == 0 || strcmp(name, "vkGetDeviceProcAddr") == 0)
        keep_real_functions(instance);
    if (strcmp(name, "vkGetDeviceProcAddr") != 0) return wrap(name, found);
    real_device_address = (PFN_vkGetDeviceProcAddr)found;
    return (PFN_vkVoidFunction)device_address;
}
