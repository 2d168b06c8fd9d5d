/* losing_loader.c: a Vulkan loader for tests (real_loader.h) that passes everything on until something is lost.
 *
 * QUARTIC_TEST_LOST_AT=N   the N-th vkQueueSubmit2 of the process is the one where it happens
 * QUARTIC_TEST_LOST_HOW=   submit (the default): this and every later submit finds the device lost
 *                          wait: the submit is taken, and waiting for it finds the device lost
 *                          silence: the submit is taken and never finishes
 *                          memory: there is no device memory for this submit; later ones are taken
 *                          part: the submit is taken and all of its batches but the last run, then wait
 *                          torn: the same batches run, yet the call says that there is no memory
 * QUARTIC_TEST_FAULT=1     the device offers VK_EXT_device_fault, and tells of an invalid read
 *
 * Nothing really runs any more when it happens, so that a program may destroy the objects of a lost device.
 * losing_loader_restart counts submits anew, for programs that lose several devices.
 */
#include "real_loader.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PFN_vkQueueSubmit2 real_submit;
static PFN_vkQueueWaitIdle real_wait_idle;
static PFN_vkWaitSemaphores real_wait;
static PFN_vkGetSemaphoreCounterValue real_counter;
static PFN_vkEnumerateDeviceExtensionProperties real_extensions;
static PFN_vkGetPhysicalDeviceFeatures2 real_features;
static PFN_vkCreateDevice real_create;
static _Atomic long submits;
static _Atomic bool lost, silent, partial; /* partial: the counter still tells what has finished */

LOADER_EXPORT long losing_loader_restart(void);

/* Returns how many submits there were. */
long losing_loader_restart(void) {
    atomic_store(&lost, false);
    atomic_store(&silent, false);
    atomic_store(&partial, false);
    return atomic_exchange(&submits, 0);
}

static bool happens(const char *how) {
    const char *wanted = getenv("QUARTIC_TEST_LOST_HOW");
    return strcmp(wanted == NULL ? "submit" : wanted, how) == 0;
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count, const VkSubmitInfo2 *infos,
                                             VkFence fence) {
    const char *lost_at = getenv("QUARTIC_TEST_LOST_AT");
    const long number = atomic_fetch_add(&submits, 1) + 1;
    const long at = lost_at == NULL ? 0 : strtol(lost_at, NULL, 10);
    if (lost_at == NULL || number < at) return real_submit(queue, count, infos, fence);
    real_wait_idle(queue);
    if (happens("part") || happens("torn")) {
        const bool torn = happens("torn");
        if (torn && number != at) return real_submit(queue, count, infos, fence);
        if (count > 1 && real_submit(queue, count - 1, infos, VK_NULL_HANDLE) != VK_SUCCESS) abort();
        real_wait_idle(queue);
        atomic_store(&partial, !torn);
        atomic_store(&lost, !torn);
        return torn ? VK_ERROR_OUT_OF_DEVICE_MEMORY : VK_SUCCESS;
    }
    if (happens("memory"))
        return number == at ? VK_ERROR_OUT_OF_DEVICE_MEMORY : real_submit(queue, count, infos, fence);
    atomic_store(&lost, !happens("silence"));
    atomic_store(&silent, happens("silence"));
    return happens("submit") ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_semaphores(VkDevice device, const VkSemaphoreWaitInfo *info,
                                                      uint64_t timeout) {
    if (atomic_load(&lost)) return VK_ERROR_DEVICE_LOST;
    return real_wait(device, info, atomic_load(&silent) ? 0 : timeout);
}

static VKAPI_ATTR VkResult VKAPI_CALL counter_value(VkDevice device, VkSemaphore semaphore,
                                                    uint64_t *out_value) {
    if (atomic_load(&lost) && !atomic_load(&partial)) return VK_ERROR_DEVICE_LOST;
    return real_counter(device, semaphore, out_value);
}

/* ---- a device that offers VK_EXT_device_fault ---- */

static VKAPI_ATTR VkResult VKAPI_CALL list_extensions(VkPhysicalDevice physical, const char *layer,
                                                      uint32_t *count, VkExtensionProperties *out) {
    const uint32_t room = *count;
    VkResult result;
    if (layer != NULL) return real_extensions(physical, layer, count, out);
    if (out == NULL) {
        result = real_extensions(physical, layer, count, NULL);
        ++*count;
        return result;
    }
    if (room == 0) return VK_INCOMPLETE;
    *count = room - 1;
    result = real_extensions(physical, layer, count, out);
    out[*count] = (VkExtensionProperties){VK_EXT_DEVICE_FAULT_EXTENSION_NAME, 1};
    ++*count;
    return result;
}

static bool is_fault_structure(const VkBaseInStructure *at) {
    return at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT;
}

static VKAPI_ATTR void VKAPI_CALL read_features(VkPhysicalDevice physical,
                                                VkPhysicalDeviceFeatures2 *features) {
    real_features(physical, features);
    for (VkBaseOutStructure *at = features->pNext; at != NULL; at = at->pNext)
        if (is_fault_structure((const VkBaseInStructure *)at)) {
            VkPhysicalDeviceFaultFeaturesEXT *fault = (void *)at;
            fault->deviceFault = VK_TRUE;
        }
}

/* Takes the extension and its structure out, which the real device does not know. */
static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator,
                                                    VkDevice *out_device) {
    enum { MOST = 16 };
    const char *names[MOST];
    VkDeviceCreateInfo own = *info;
    bool named = false, enabled = false;
    own.enabledExtensionCount = 0;
    own.ppEnabledExtensionNames = names;
    for (uint32_t k = 0; k < info->enabledExtensionCount && k < MOST; ++k) {
        const bool fault = strcmp(info->ppEnabledExtensionNames[k], VK_EXT_DEVICE_FAULT_EXTENSION_NAME) == 0;
        named |= fault;
        if (!fault) names[own.enabledExtensionCount++] = info->ppEnabledExtensionNames[k];
    }
    for (const VkBaseInStructure *at = info->pNext; at != NULL && at->pNext != NULL; at = at->pNext)
        if (is_fault_structure(at->pNext)) {
            ((VkBaseInStructure *)(uintptr_t)at)->pNext = at->pNext->pNext;
            enabled = true;
        }
    if (!named || !enabled) return VK_ERROR_FEATURE_NOT_PRESENT; /* the test is about a device with both */
    return real_create(physical, &own, allocator, out_device);
}

static VKAPI_ATTR VkResult VKAPI_CALL fault_info(VkDevice device, VkDeviceFaultCountsEXT *counts,
                                                 VkDeviceFaultInfoEXT *info) {
    (void)device;
    if (info == NULL) {
        counts->addressInfoCount = 1;
        counts->vendorInfoCount = 9; /* more than anyone wants to read */
        counts->vendorBinarySize = 100;
        return VK_SUCCESS;
    }
    if (counts->vendorBinarySize != 0) return VK_ERROR_UNKNOWN; /* nobody gave room for it */
    snprintf(info->description, sizeof info->description, "a made-up page fault");
    if (counts->addressInfoCount > 0)
        info->pAddressInfos[0] =
            (VkDeviceFaultAddressInfoEXT){VK_DEVICE_FAULT_ADDRESS_TYPE_READ_INVALID_EXT, 0xdead0000u, 4096};
    for (uint32_t k = 0; k < counts->vendorInfoCount; ++k)
        info->pVendorInfos[k] = (VkDeviceFaultVendorInfoEXT){"a made-up unit", 7, 8};
    return VK_INCOMPLETE;
}

/* ---- */

#define WRAP(function, real, own)                                                                            \
    if (strcmp(name, function) == 0) {                                                                       \
        if (found != NULL) *(PFN_vkVoidFunction *)&real = found;                                             \
        return (PFN_vkVoidFunction)own;                                                                      \
    }

PFN_vkVoidFunction loader_function(VkInstance instance, const char *name, PFN_vkVoidFunction found) {
    if (getenv("QUARTIC_TEST_FAULT") != NULL) {
        if (strcmp(name, "vkGetDeviceFaultInfoEXT") == 0) return (PFN_vkVoidFunction)fault_info;
        if (instance != NULL) {
            WRAP("vkEnumerateDeviceExtensionProperties", real_extensions, list_extensions)
            WRAP("vkGetPhysicalDeviceFeatures2", real_features, read_features)
            WRAP("vkCreateDevice", real_create, create_device)
        }
    }
    if (instance != NULL || found == NULL) return found;
    if (strcmp(name, "vkQueueWaitIdle") == 0) real_wait_idle = (PFN_vkQueueWaitIdle)found;
    WRAP("vkQueueSubmit2", real_submit, submit)
    WRAP("vkWaitSemaphores", real_wait, wait_semaphores)
    WRAP("vkGetSemaphoreCounterValue", real_counter, counter_value)
    return found;
}
