/* instance.c: VkInstance with optional validation, and the list of physical devices.
 *
 * Every device of the library has an instance of its own, so nothing is shared between devices or threads.
 */
#include "gpu/internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/threads.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char validation_layer[] = "VK_LAYER_KHRONOS_validation";

static _Atomic uint64_t validation_messages;

uint64_t quartic_gpu_validation_messages(void) {
    return atomic_load(&validation_messages);
}

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data,
                                                 void *user) {
    (void)types;
    (void)user;
    atomic_fetch_add(&validation_messages, 1);
    quartic_tell(severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT ? QUARTIC_LOG_ERROR
                                                                          : QUARTIC_LOG_WARNING,
                 "validation: %s", data->pMessage);
    return VK_FALSE;
}

/* Warnings and errors about our use of the API; what the loader says about other drivers is left out. */
static const VkDebugUtilsMessengerCreateInfoEXT messenger_info = {
    .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
    .messageSeverity =
        VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
    .messageType =
        VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
    .pfnUserCallback = on_message,
};

static bool validation_wanted(void) {
    const char *wanted = getenv("QUARTIC_VALIDATION");
    return wanted != NULL && strcmp(wanted, "1") == 0;
}

/* Whether the loader or the validation layer lists an extension; layer NULL asks the loader and drivers. */
static quartic_status lists_extension(PFN_vkGetInstanceProcAddr entry, const char *layer, const char *name,
                                      bool *out_found) {
    *out_found = false;
    PFN_vkEnumerateInstanceExtensionProperties enumerate =
        (PFN_vkEnumerateInstanceExtensionProperties)entry(NULL, "vkEnumerateInstanceExtensionProperties");
    uint32_t count = 0;
    if (enumerate == NULL || enumerate(layer, &count, NULL) < 0 || count == 0) return QUARTIC_OK;
    VkExtensionProperties *listed = quartic_alloc(count, sizeof *listed);
    if (listed == NULL) return QUARTIC_OUT_OF_MEMORY;
    if (enumerate(layer, &count, listed) >= 0)
        for (uint32_t e = 0; e < count; ++e) *out_found |= strcmp(listed[e].extensionName, name) == 0;
    quartic_free(listed);
    return QUARTIC_OK;
}

/* Instances that are alive, and the process that made them. */
static _Atomic int64_t live_instances, live_process;

/* Drivers keep threads and locks, which fork() does not take along: a child whose parent had some at that
 * moment would wait for them for ever. */
static quartic_status expect_no_inheritance(void) {
    const int64_t process = quartic_process(), maker = atomic_load(&live_process);
    if (maker == process) return QUARTIC_OK;
    if (maker != 0 && atomic_load(&live_instances) > 0)
        return quartic_fail(
            QUARTIC_UNAVAILABLE,
            "this process was made by fork() from process %lld while that had Vulkan devices open, "
            "which Vulkan drivers do not survive; fork before opening any, or start a program by exec()",
            (long long)maker);
    if (maker != 0) atomic_store(&live_instances, 0);
    atomic_store(&live_process, process);
    return QUARTIC_OK;
}

/* ---- why there is no instance ---- */

enum { REASON_BYTES = 480 };

/* Gathers what the loader says, each message once. */
static VKAPI_ATTR VkBool32 VKAPI_CALL on_reason(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                VkDebugUtilsMessageTypeFlagsEXT types,
                                                const VkDebugUtilsMessengerCallbackDataEXT *data,
                                                void *user) {
    (void)severity;
    (void)types;
    char *reason = user;
    const size_t used = strlen(reason);
    if (data->pMessage == NULL || strstr(reason, data->pMessage) != NULL) return VK_FALSE;
    snprintf(reason + used, REASON_BYTES - used, "%s%s", used == 0 ? "" : "; ", data->pMessage);
    return VK_FALSE;
}

/* Asks once more for an instance, with nothing in it but a listener: the loader tells it which driver or
 * manifest is at fault, which the result does not say. A manifest that is no JSON, even of one driver among
 * several, ends as "out of host memory". */
static quartic_status explain_no_instance(PFN_vkGetInstanceProcAddr entry, PFN_vkCreateInstance create,
                                          VkResult result) {
    static const char what[] = "creating the Vulkan instance";
    char reason[REASON_BYTES] = "";
    VkDebugUtilsMessengerCreateInfoEXT listener = messenger_info;
    listener.messageType |= VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT;
    listener.pfnUserCallback = on_reason;
    listener.pUserData = reason;
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pNext = &listener};
    VkInstance handle = NULL;
    if (create(&info, NULL, &handle) == VK_SUCCESS) {
        PFN_vkDestroyInstance destroy = (PFN_vkDestroyInstance)entry(handle, "vkDestroyInstance");
        if (destroy != NULL) destroy(handle, NULL);
        return quartic_vk_check(result, what);
    }
    if (reason[0] == 0) return quartic_vk_check(result, what);
    return quartic_fail(QUARTIC_UNAVAILABLE,
                        "%s failed: no Vulkan driver could be initialised (VkResult %d); the loader says: %s",
                        what, (int)result, reason);
}

quartic_status quartic_gpu_instance_create(quartic_gpu_instance *out_instance) {
    *out_instance = (quartic_gpu_instance){0};
    QUARTIC_TRY(expect_no_inheritance());
    PFN_vkGetInstanceProcAddr entry;
    QUARTIC_TRY(quartic_gpu_check_manifests());
    QUARTIC_TRY(quartic_vk_loader(&entry));
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)entry(NULL, "vkCreateInstance");
    if (create == NULL || entry(NULL, "vkEnumerateInstanceVersion") == NULL)
        return quartic_fail(QUARTIC_UNAVAILABLE,
                            "the Vulkan loader is older than Vulkan 1.1; update libvulkan1");

    bool validate = validation_wanted();
    const char *extensions[3];
    uint32_t extension_count = 0;
    VkInstanceCreateFlags flags = 0;
    bool listed;
    QUARTIC_TRY(lists_extension(entry, NULL, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME, &listed));
    if (listed) {
        extensions[extension_count++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
        flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    if (validate) {
        /* Asking for validation and not getting it must not look like a clean run. */
        QUARTIC_TRY(
            lists_extension(entry, validation_layer, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME, &listed));
        if (!listed)
            return quartic_fail(
                QUARTIC_UNAVAILABLE,
                "QUARTIC_VALIDATION=1 but there is no layer %s; install vulkan-validationlayers or "
                "unset it",
                validation_layer);
        extensions[extension_count++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
        extensions[extension_count++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
    }
    const VkValidationFeatureEnableEXT synchronization =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    const VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                              .pNext = &messenger_info,
                                              .enabledValidationFeatureCount = 1,
                                              .pEnabledValidationFeatures = &synchronization};
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .pEngineName = "quartic",
                                           .apiVersion = VK_API_VERSION_1_3};
    const char *const layers[] = {validation_layer};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pNext = validate ? &features : NULL,
                                       .flags = flags,
                                       .pApplicationInfo = &application,
                                       .enabledLayerCount = validate ? 1 : 0,
                                       .ppEnabledLayerNames = layers,
                                       .enabledExtensionCount = extension_count,
                                       .ppEnabledExtensionNames = extensions};
    VkInstance handle;
    const VkResult created = create(&info, NULL, &handle);
    if (created == VK_ERROR_OUT_OF_HOST_MEMORY || created == VK_ERROR_INCOMPATIBLE_DRIVER ||
        created == VK_ERROR_INITIALIZATION_FAILED)
        return explain_no_instance(entry, create, created);
    QUARTIC_TRY(quartic_vk_check(created, "creating the Vulkan instance"));
    out_instance->handle = handle;
    atomic_fetch_add(&live_instances, 1);
    quartic_status status = quartic_vk_load_instance(entry, handle, &out_instance->vk);
    if (status == QUARTIC_OK && validate)
        status = quartic_vk_check(out_instance->vk.CreateDebugUtilsMessengerEXT(handle, &messenger_info, NULL,
                                                                                &out_instance->messenger),
                                  "creating the validation messenger");
    if (status != QUARTIC_OK) quartic_gpu_instance_destroy(out_instance);
    return status;
}

void quartic_gpu_instance_destroy(quartic_gpu_instance *instance) {
    if (instance->handle == NULL) return;
    atomic_fetch_sub(&live_instances, 1);
    if (instance->messenger != VK_NULL_HANDLE)
        instance->vk.DestroyDebugUtilsMessengerEXT(instance->handle, instance->messenger, NULL);
    if (instance->vk.DestroyInstance != NULL) instance->vk.DestroyInstance(instance->handle, NULL);
    *instance = (quartic_gpu_instance){0};
}

/* What instance_devices holds on the way. */
typedef struct listing {
    VkPhysicalDevice *physical;
    quartic_gpu_facts *facts;
    quartic_gpu_caps *caps;
    uint32_t *order;
    quartic_gpu_found *found;
} listing;

static quartic_status list_physical_devices(const quartic_gpu_instance *instance, listing *l,
                                            uint32_t *out_count) {
    uint32_t count = 0;
    QUARTIC_TRY(quartic_vk_check(instance->vk.EnumeratePhysicalDevices(instance->handle, &count, NULL),
                                 "listing the Vulkan devices"));
    l->physical = quartic_alloc(count, sizeof *l->physical);
    l->facts = quartic_alloc(1, sizeof *l->facts);
    l->caps = quartic_alloc(count, sizeof *l->caps);
    l->order = quartic_alloc(count, sizeof *l->order);
    l->found = quartic_alloc(count, sizeof *l->found);
    if (l->physical == NULL || l->facts == NULL || l->caps == NULL || l->order == NULL || l->found == NULL)
        return QUARTIC_OUT_OF_MEMORY;
    VkResult result = instance->vk.EnumeratePhysicalDevices(instance->handle, &count, l->physical);
    if (result != VK_INCOMPLETE) QUARTIC_TRY(quartic_vk_check(result, "listing the Vulkan devices"));
    for (uint32_t k = 0; k < count; ++k) {
        QUARTIC_TRY(quartic_gpu_facts_read(&instance->vk, instance->handle, l->physical[k], l->facts));
        l->caps[k] = quartic_gpu_caps_from(l->facts, getenv("QUARTIC_DISABLE"));
    }
    *out_count = quartic_gpu_caps_order(l->caps, count, l->order);
    for (uint32_t k = 0; k < *out_count; ++k)
        l->found[k] = (quartic_gpu_found){l->physical[l->order[k]], l->caps[l->order[k]]};
    return QUARTIC_OK;
}

quartic_status quartic_gpu_instance_devices(const quartic_gpu_instance *instance,
                                            quartic_gpu_found **out_found, uint32_t *out_count) {
    listing l = {0};
    quartic_status status = list_physical_devices(instance, &l, out_count);
    quartic_free(l.physical);
    quartic_free(l.facts);
    quartic_free(l.caps);
    quartic_free(l.order);
    if (status != QUARTIC_OK) {
        quartic_free(l.found);
        l.found = NULL;
    }
    *out_found = l.found;
    return status;
}

quartic_status quartic_gpu_list(quartic_gpu_caps **out_caps, uint32_t *out_count) {
    *out_caps = NULL;
    *out_count = 0;
    quartic_gpu_instance instance;
    QUARTIC_TRY(quartic_gpu_instance_create(&instance));
    quartic_gpu_found *found;
    uint32_t count;
    quartic_status status = quartic_gpu_instance_devices(&instance, &found, &count);
    quartic_gpu_instance_destroy(&instance);
    if (status != QUARTIC_OK) return status;
    quartic_gpu_caps *caps = quartic_alloc(count, sizeof *caps);
    if (caps != NULL) {
        for (uint32_t k = 0; k < count; ++k) caps[k] = found[k].caps;
        *out_caps = caps;
        *out_count = count;
    }
    quartic_free(found);
    return caps != NULL ? QUARTIC_OK : QUARTIC_OUT_OF_MEMORY;
}
