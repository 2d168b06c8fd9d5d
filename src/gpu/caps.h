/* caps.h: from what a Vulkan driver says of a device to what the library makes of it. Pure.
 *
 * quartic_gpu_facts_read asks the driver for the facts. quartic_gpu_caps_from looks only at the facts and
 * at a list of features to disable (the environment's QUARTIC_DISABLE, separated by commas), so tests give
 * it made-up devices. The features: float16 (or f16), coopmat, shuffle, timestamps, mapping; and cache,
 * see cache.c.
 */
#ifndef QUARTIC_GPU_CAPS_H
#define QUARTIC_GPU_CAPS_H

#include "gpu/gpu.h"
#include "gpu/vk.h"

enum { QUARTIC_GPU_MAX_FAMILIES = 32 };

typedef struct quartic_gpu_facts {
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceVulkan11Properties properties_11;
    VkPhysicalDeviceVulkan12Properties properties_12;
    VkPhysicalDeviceVulkan13Properties properties_13;
    VkPhysicalDeviceVulkan11Features features_11;
    VkPhysicalDeviceVulkan12Features features_12;
    VkPhysicalDeviceVulkan13Features features_13;
    VkPhysicalDeviceMemoryProperties memory;
    uint32_t family_count;
    VkQueueFamilyProperties families[QUARTIC_GPU_MAX_FAMILIES];
    uint32_t multiprocessors; /* from a vendor's extension, 0 unknown */
    bool cooperative_matrix;  /* the extension, its feature and the shape that the shaders use */
    bool memory_budget, portability_subset; /* extensions listed */
} quartic_gpu_facts;

quartic_status quartic_gpu_facts_read(const quartic_vk_instance *vk, VkInstance instance,
                                      VkPhysicalDevice physical, quartic_gpu_facts *out_facts);

/* disabled may be NULL. */
quartic_gpu_caps quartic_gpu_caps_from(const quartic_gpu_facts *facts, const char *disabled);

/* True if the comma-separated list holds the feature; spaces around names do not count. */
bool quartic_gpu_disabled(const char *disabled, const char *feature);
/* INVALID_ARGUMENT if the list holds an unknown name, which would otherwise leave on what was meant to be
 * off; the message lists the known ones. NULL is fine. */
quartic_status quartic_gpu_expect_switches(const char *disabled);

/* Orders caps best first and drops repeated UUIDs (an all-zero UUID identifies no device); out_order[k] is
 * the index of the k-th. Returns how many remain. A usable entry stands before an unusable one of the same
 * UUID. */
uint32_t quartic_gpu_caps_order(const quartic_gpu_caps *caps, uint32_t count, uint32_t *out_order);

#endif
