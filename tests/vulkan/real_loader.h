/* real_loader.h: what the Vulkan loaders of the tests share. Such a loader stands between the library and the
 * real one (QUARTIC_VULKAN_LOADER names it) and passes on all functions but those that it wraps.
 *
 * real_loader.c has vkGetInstanceProcAddr, which the library looks up; each loader defines loader_function.
 */
#ifndef QUARTIC_TESTS_VULKAN_REAL_LOADER_H
#define QUARTIC_TESTS_VULKAN_REAL_LOADER_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#define LOADER_EXPORT __attribute__((visibility("default")))

/* The real loader's function of that name, or NULL. */
PFN_vkVoidFunction real_loader_find(VkInstance instance, const char *name);

/* Defined by each loader: what the library gets when it asks for `name`. `found` is the real function, or NULL.
 * instance: as in vkGetInstanceProcAddr; NULL where a function of a device is asked for. */
PFN_vkVoidFunction loader_function(VkInstance instance, const char *name, PFN_vkVoidFunction found);

#endif
