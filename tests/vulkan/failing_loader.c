/* failing_loader.c: a Vulkan loader for tests (real_loader.h) that makes a creating or allocating call fail
 * when a test wants it, and notes the names of such calls; the same for submits, which it counts with the waits.
 * See failing_vulkan.h.
 *
 * What it passes on goes to the real loader's own functions for instances, which find the device that they
 * are called for; so one table serves all devices.
 */
#include "real_loader.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "failing_vulkan.h"

static _Atomic int64_t calls_until_failure; /* 0 = never */
static _Atomic uint32_t call_count;         /* since failures were last switched on */
static const char *calls[VULKAN_MOST_CALLS];

static _Atomic int64_t submits_until_failure; /* 0 = never */
static _Atomic uint64_t submit_count, wait_count, full_wait_count, last_signal;
static PFN_vkQueueSubmit2 real_submit;
static PFN_vkWaitSemaphores real_wait;

LOADER_EXPORT void failing_loader_fail_at(uint64_t nth);
LOADER_EXPORT void failing_loader_fail_submit_at(uint64_t nth);
LOADER_EXPORT void failing_loader_count_queue(vulkan_queue_counts *out_counts);
LOADER_EXPORT uint32_t failing_loader_calls(const char *names[VULKAN_MOST_CALLS]);

void failing_loader_fail_submit_at(uint64_t nth) {
    atomic_store(&submits_until_failure, (int64_t)nth);
}

void failing_loader_count_queue(vulkan_queue_counts *out_counts) {
    *out_counts = (vulkan_queue_counts){.submits = atomic_load(&submit_count),
                                        .waits = atomic_load(&wait_count),
                                        .full_waits = atomic_load(&full_wait_count)};
}

static VKAPI_ATTR VkResult VKAPI_CALL failing_submit(VkQueue queue, uint32_t count,
                                                     const VkSubmitInfo2 *infos, VkFence fence) {
    if (atomic_load(&submits_until_failure) > 0 && atomic_fetch_sub(&submits_until_failure, 1) == 1)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    const VkResult result = real_submit(queue, count, infos, fence);
    if (result == VK_SUCCESS && count > 0 && infos[count - 1].signalSemaphoreInfoCount > 0)
        atomic_store(&last_signal, infos[count - 1].pSignalSemaphoreInfos[0].value);
    atomic_fetch_add(&submit_count, 1);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL counting_wait(VkDevice device, const VkSemaphoreWaitInfo *info,
                                                    uint64_t timeout) {
    const bool full = info->pValues[0] >= atomic_load(&last_signal);
    const VkResult result = real_wait(device, info, timeout);
    if (result == VK_TIMEOUT) return result; /* the library goes on waiting: the same wait */
    atomic_fetch_add(&wait_count, 1);
    if (full) atomic_fetch_add(&full_wait_count, 1);
    return result;
}

void failing_loader_fail_at(uint64_t nth) {
    if (nth != 0) atomic_store(&call_count, 0);
    atomic_store(&calls_until_failure, (int64_t)nth);
}

uint32_t failing_loader_calls(const char *names[VULKAN_MOST_CALLS]) {
    memcpy(names, calls, sizeof calls);
    return atomic_load(&call_count);
}

static int fails(const char *name) {
    const uint32_t place = atomic_fetch_add(&call_count, 1);
    if (place < VULKAN_MOST_CALLS) calls[place] = name;
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
        return fails("vk" #name) ? VK_ERROR_OUT_OF_DEVICE_MEMORY : real_##name arguments;                    \
    }
CALL_LIST(WRAP)

/* What an instance does not have stays as another one had it. */
static void keep_real_functions(VkInstance instance) {
#define KEEP(function, parameters, arguments)                                                                \
    {                                                                                                        \
        PFN_vkVoidFunction found = real_loader_find(instance, "vk" #function);                               \
        if (found != NULL) real_##function = (PFN_vk##function)found;                                        \
    }
    CALL_LIST(KEEP)
    PFN_vkVoidFunction submit = real_loader_find(instance, "vkQueueSubmit2"),
                       wait = real_loader_find(instance, "vkWaitSemaphores");
    if (submit != NULL) real_submit = (PFN_vkQueueSubmit2)submit;
    if (wait != NULL) real_wait = (PFN_vkWaitSemaphores)wait;
}

PFN_vkVoidFunction loader_function(VkInstance instance, const char *name, PFN_vkVoidFunction found) {
    if (strcmp(name, "vkCreateInstance") == 0 || strcmp(name, "vkGetDeviceProcAddr") == 0)
        keep_real_functions(instance);
    if (found == NULL) return NULL;
#define FIND(function, parameters, arguments)                                                                \
    if (strcmp(name, "vk" #function) == 0) return (PFN_vkVoidFunction)failing_##function;
    CALL_LIST(FIND)
    if (strcmp(name, "vkQueueSubmit2") == 0) return (PFN_vkVoidFunction)failing_submit;
    if (strcmp(name, "vkWaitSemaphores") == 0) return (PFN_vkVoidFunction)counting_wait;
    return found;
}
