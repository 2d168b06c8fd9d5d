/* caps.c: device facts to capabilities. See caps.h.
 *
 * The speeds are a tenth or less of what the slowest device of a kind sustains on well-formed kernels.
 * They only bound how much work goes into one submit: with too much of it, a watchdog ends it; too little
 * costs a few microseconds per submit.
 */
#include "gpu/caps.h"

#include "base/alloc.h"
#include "gpu/float_controls.h"
#include "quartic/vulkan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The name at *at, without spaces around it, and its length; moves *at behind it and its comma. */
static const char *next_feature(const char **at, size_t *out_length) {
    const char *feature = *at + strspn(*at, " \t");
    const char *end = feature + strcspn(feature, ",");
    *at = *end == ',' ? end + 1 : end;
    while (end > feature && (end[-1] == ' ' || end[-1] == '\t')) --end;
    *out_length = (size_t)(end - feature);
    return feature;
}

bool quartic_gpu_disabled(const char *disabled, const char *feature) {
    while (disabled != NULL && *disabled != 0) {
        size_t length;
        const char *listed = next_feature(&disabled, &length);
        if (length == strlen(feature) && strncmp(listed, feature, length) == 0) return true;
    }
    return false;
}

quartic_status quartic_gpu_expect_switches(const char *disabled) {
    static const char *const known[] = {"float16", "f16",   "coopmat",   "shuffle",     "timestamps",
                                        "mapping", "cache", "registers", "memory_model"};
    while (disabled != NULL && *disabled != 0) {
        size_t length;
        const char *feature = next_feature(&disabled, &length);
        bool found = length == 0;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; ++k)
            found |= strlen(known[k]) == length && strncmp(feature, known[k], length) == 0;
        if (!found)
            return quartic_fail(
                QUARTIC_INVALID_ARGUMENT,
                "QUARTIC_DISABLE in the environment holds \"%.*s\"; it takes float16 (or "
                "f16), coopmat, shuffle, timestamps, mapping, cache, registers and memory_model, with "
                "commas between",
                length < 60 ? (int)length : 60, feature);
    }
    return QUARTIC_OK;
}

quartic_status quartic_gpu_check_switches(void) {
    const char *validation = getenv("QUARTIC_VALIDATION");
    if (validation != NULL && validation[0] != 0 && strcmp(validation, "0") != 0 &&
        strcmp(validation, "1") != 0)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "QUARTIC_VALIDATION in the environment is \"%.60s\"; 1 turns the validation layers "
            "on, 0 leaves them off",
            validation);
    QUARTIC_TRY(quartic_gpu_expect_lowered(getenv("QUARTIC_LOWER_LIMITS")));
    return quartic_gpu_expect_switches(getenv("QUARTIC_DISABLE"));
}

/* What depends on the kind of device alone. */
typedef struct kind_facts {
    VkPhysicalDeviceType type;
    const char *name;
    quartic_gpu_rank rank;
    uint32_t compute_units;
    double flops_per_second, bytes_per_second;
} kind_facts;

static const kind_facts kinds[] = {
    {VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, "discrete", QUARTIC_GPU_DISCRETE, 32, 2e11, 2e10},
    {VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, "integrated", QUARTIC_GPU_INTEGRATED, 8, 2e10, 4e9},
    {VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU, "virtual", QUARTIC_GPU_VIRTUAL, 8, 2e10, 4e9},
    {VK_PHYSICAL_DEVICE_TYPE_CPU, "software", QUARTIC_GPU_SOFTWARE, 4, 5e8, 5e8},
    {VK_PHYSICAL_DEVICE_TYPE_OTHER, "other", QUARTIC_GPU_OTHER, 8, 2e10, 4e9},
};

static const kind_facts *find_kind(VkPhysicalDeviceType type) {
    size_t k = 0;
    while (k + 1 < sizeof kinds / sizeof kinds[0] && kinds[k].type != type) ++k;
    return &kinds[k];
}

void quartic_gpu_kind_speeds(quartic_gpu_rank rank, double *out_flops_per_second,
                             double *out_bytes_per_second) {
    size_t k = 0;
    while (k + 1 < sizeof kinds / sizeof kinds[0] && kinds[k].rank != rank) ++k;
    *out_flops_per_second = kinds[k].flops_per_second;
    *out_bytes_per_second = kinds[k].bytes_per_second;
}

enum { FEW_REGISTERS = 128, MANY_REGISTERS = 255 };

/* A guess, since Vulkan does not say. On hardware whose narrowest subgroup has fewer than 32 invocations
 * (Intel: 8 or 16) an invocation has FEW_REGISTERS, on other hardware at least MANY_REGISTERS. Software devices
 * keep everything in memory anyway. */
static uint32_t registers_of(const quartic_gpu_facts *facts, const kind_facts *kind) {
    const uint32_t narrowest = facts->properties_13.minSubgroupSize;
    return kind->rank != QUARTIC_GPU_SOFTWARE && narrowest != 0 && narrowest < 32 ? FEW_REGISTERS
                                                                                  : MANY_REGISTERS;
}

/* A family for compute alone leaves the desktop's graphics queue free; else any that computes. */
static bool choose_family(const quartic_gpu_facts *facts, uint32_t *out_family) {
    bool found = false;
    for (uint32_t f = 0; f < facts->family_count; ++f) {
        VkQueueFlags flags = facts->families[f].queueFlags;
        if (facts->families[f].queueCount == 0 || (flags & VK_QUEUE_COMPUTE_BIT) == 0) continue;
        bool alone = (flags & VK_QUEUE_GRAPHICS_BIT) == 0;
        if (!found || alone) *out_family = f;
        found = true;
        if (alone) break;
    }
    return found;
}

/* Appends one lacking thing to why_not. */
static void add_lacking(quartic_gpu_caps *caps, const char *what) {
    size_t used = strlen(caps->why_not);
    snprintf(caps->why_not + used, sizeof caps->why_not - used, "%s%s", used == 0 ? "it lacks " : ", ", what);
}

/* The sizes that pipelines of the library's largest workgroups may ask for. */
static void caps_read_subgroup_sizes(const quartic_gpu_facts *facts, quartic_gpu_caps *caps) {
    const VkPhysicalDeviceVulkan13Properties *properties = &facts->properties_13;
    const uint32_t largest_group = 256;
    uint32_t least = properties->minSubgroupSize;
    if (!facts->features_13.subgroupSizeControl || least == 0 ||
        (properties->requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) == 0)
        return;
    while (least < properties->maxSubgroupSize &&
           (uint64_t)least * properties->maxComputeWorkgroupSubgroups < largest_group)
        least *= 2;
    if ((uint64_t)least * properties->maxComputeWorkgroupSubgroups < largest_group) return;
    caps->least_subgroup_size = least;
    caps->most_subgroup_size = properties->maxSubgroupSize;
}

quartic_gpu_caps quartic_gpu_caps_from(const quartic_gpu_facts *facts, const char *disabled) {
    const VkPhysicalDeviceProperties *properties = &facts->properties;
    const VkPhysicalDeviceLimits *limits = &properties->limits;
    const kind_facts *kind = find_kind(properties->deviceType);
    quartic_gpu_caps caps = {
        .rank = kind->rank,
        .max_shared_bytes = limits->maxComputeSharedMemorySize,
        .max_invocations = limits->maxComputeWorkGroupInvocations,
        .max_groups = {limits->maxComputeWorkGroupCount[0], limits->maxComputeWorkGroupCount[1],
                       limits->maxComputeWorkGroupCount[2]},
        .subgroup_size = facts->properties_11.subgroupSize,
        .compute_units = facts->multiprocessors != 0 ? facts->multiprocessors : kind->compute_units,
        .registers = registers_of(facts, kind),
        .map_memory = !quartic_gpu_disabled(disabled, "mapping"),
        .memory_budget = facts->memory_budget,
        .portability_subset = facts->portability_subset,
        .float_controls = quartic_gpu_float_controls(&facts->properties_12),
        .device_fault = facts->device_fault,
        .timestamp_seconds = (double)limits->timestampPeriod * 1e-9,
        .flops_per_second = kind->flops_per_second,
        .bytes_per_second = kind->bytes_per_second,
    };
    snprintf(caps.name, sizeof caps.name, "%s", properties->deviceName);
    snprintf(caps.driver, sizeof caps.driver, "%.120s %.120s", facts->properties_12.driverName,
             facts->properties_12.driverInfo);
    snprintf(caps.type, sizeof caps.type, "%s", kind->name);
    memcpy(caps.uuid, facts->properties_11.deviceUUID, sizeof caps.uuid);
    memcpy(caps.cache_uuid, properties->pipelineCacheUUID, sizeof caps.cache_uuid);

    for (uint32_t h = 0; h < facts->memory.memoryHeapCount; ++h) {
        const VkMemoryHeap *heap = &facts->memory.memoryHeaps[h];
        if ((heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0 && heap->size > caps.memory_bytes)
            caps.memory_bytes = heap->size;
    }
    caps.max_buffer_bytes = facts->properties_13.maxBufferSize;
    if (facts->properties_11.maxMemoryAllocationSize < caps.max_buffer_bytes)
        caps.max_buffer_bytes = facts->properties_11.maxMemoryAllocationSize;

    if (VK_API_VERSION_VARIANT(properties->apiVersion) != 0 || properties->apiVersion < VK_API_VERSION_1_3) {
        char text[64];
        snprintf(text, sizeof text, "Vulkan 1.3 (it offers %u.%u)",
                 VK_API_VERSION_MAJOR(properties->apiVersion), VK_API_VERSION_MINOR(properties->apiVersion));
        add_lacking(&caps, text);
    } else {
#define REQUIRE_12(member)                                                                                   \
    if (!facts->features_12.member) add_lacking(&caps, #member);
#define REQUIRE_13(member)                                                                                   \
    if (!facts->features_13.member) add_lacking(&caps, #member);
        QUARTIC_VULKAN_FEATURES_12(REQUIRE_12)
        QUARTIC_VULKAN_FEATURES_13(REQUIRE_13)
#undef REQUIRE_12
#undef REQUIRE_13
        if (limits->maxPushConstantsSize < QUARTIC_GPU_ARGS_BYTES)
            add_lacking(&caps, "128 bytes of push constants");
        if (caps.max_invocations < QUARTIC_GPU_INVOCATIONS ||
            limits->maxComputeWorkGroupSize[0] < QUARTIC_GPU_INVOCATIONS) {
            char text[64];
            snprintf(text, sizeof text, "workgroups of %d invocations (it offers %u)",
                     QUARTIC_GPU_INVOCATIONS,
                     caps.max_invocations < limits->maxComputeWorkGroupSize[0]
                         ? caps.max_invocations
                         : limits->maxComputeWorkGroupSize[0]);
            add_lacking(&caps, text);
        }
        if (caps.max_shared_bytes < QUARTIC_GPU_SHARED_BYTES) {
            char text[80];
            snprintf(text, sizeof text, "%d bytes of shared memory (it offers %u)", QUARTIC_GPU_SHARED_BYTES,
                     caps.max_shared_bytes);
            add_lacking(&caps, text);
        }
        if (caps.memory_bytes == 0) add_lacking(&caps, "device-local memory");
        if (!choose_family(facts, &caps.queue_family))
            add_lacking(&caps, "a queue for compute");
        else
            caps.timestamp_bits = facts->families[caps.queue_family].timestampValidBits;
    }
    caps.usable = caps.why_not[0] == 0;

    caps.float16 = facts->features_12.shaderFloat16 && facts->features_11.storageBuffer16BitAccess &&
                   !quartic_gpu_disabled(disabled, "float16") && !quartic_gpu_disabled(disabled, "f16");
    caps_read_subgroup_sizes(facts, &caps);
    caps.subgroup_shuffle =
        facts->properties_11.subgroupSize >= 8 &&
        (facts->properties_11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0 &&
        (facts->properties_11.subgroupSupportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT) != 0 &&
        !quartic_gpu_disabled(disabled, "shuffle");
    /* A layer over another interface must offer the feature to offer Vulkan 1.3, whether or not what is below it keeps
     * that promise: Metal orders no memory between threadgroups unless buffers are marked, which MoltenVK does not do. */
    const bool model =
        facts->features_12.vulkanMemoryModel && facts->features_12.vulkanMemoryModelDeviceScope;
    caps.memory_model =
        model && !facts->portability_subset && !quartic_gpu_disabled(disabled, "memory_model");
    caps.cooperative_matrix =
        caps.float16 && facts->cooperative_matrix && model && !quartic_gpu_disabled(disabled, "coopmat");
    if (quartic_gpu_disabled(disabled, "timestamps")) caps.timestamp_bits = 0;
    if (quartic_gpu_disabled(disabled, "registers")) caps.registers = FEW_REGISTERS;
    return caps;
}

static bool same_uuid(const quartic_gpu_caps *a, const quartic_gpu_caps *b) {
    static const uint8_t nobody[16] = {0};
    return memcmp(a->uuid, nobody, sizeof nobody) != 0 && memcmp(a->uuid, b->uuid, sizeof nobody) == 0;
}

static bool is_better_device(const quartic_gpu_caps *a, const quartic_gpu_caps *b) {
    if (a->usable != b->usable) return a->usable;
    return a->rank < b->rank;
}

uint32_t quartic_gpu_caps_order(const quartic_gpu_caps *caps, uint32_t count, uint32_t *out_order) {
    /* Insertion sort: stable, so that devices of one kind keep the driver's order. */
    for (uint32_t k = 0; k < count; ++k) {
        uint32_t at = k;
        for (; at > 0 && is_better_device(&caps[k], &caps[out_order[at - 1]]); --at)
            out_order[at] = out_order[at - 1];
        out_order[at] = k;
    }
    uint32_t kept = 0;
    for (uint32_t k = 0; k < count; ++k) {
        bool repeated = false;
        for (uint32_t j = 0; j < kept; ++j) repeated |= same_uuid(&caps[out_order[k]], &caps[out_order[j]]);
        if (!repeated) out_order[kept++] = out_order[k];
    }
    return kept;
}

/* ---- reading the facts --------------------------------------------------------------------------------- */

static bool has_cooperative_matrix_shape(const quartic_vk_instance *vk, VkInstance instance,
                                         VkPhysicalDevice physical) {
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR query =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)vk->GetInstanceProcAddr(
            instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    enum { MOST = 64 };
    VkCooperativeMatrixPropertiesKHR shapes[MOST];
    for (uint32_t k = 0; k < MOST; ++k)
        shapes[k] =
            (VkCooperativeMatrixPropertiesKHR){.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
    uint32_t count = MOST;
    if (query == NULL || query(physical, &count, shapes) < 0) return false;
    for (uint32_t k = 0; k < count; ++k) {
        const VkCooperativeMatrixPropertiesKHR *s = &shapes[k];
        if (s->MSize == 16 && s->NSize == 16 && s->KSize == 16 && s->AType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
            s->BType == VK_COMPONENT_TYPE_FLOAT16_KHR && s->CType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
            s->ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR && s->scope == VK_SCOPE_SUBGROUP_KHR)
            return true;
    }
    return false;
}

/* Which of the extensions that the library knows a device lists. */
typedef struct extension_set {
    bool cooperative_matrix, memory_budget, portability_subset, sm_builtins, shader_core, device_fault;
} extension_set;

static quartic_status read_extensions(const quartic_vk_instance *vk, VkPhysicalDevice physical,
                                      extension_set *out_set) {
    *out_set = (extension_set){0};
    const struct {
        const char *name;
        bool *listed;
    } known[] = {
        {VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, &out_set->cooperative_matrix},
        {VK_EXT_MEMORY_BUDGET_EXTENSION_NAME, &out_set->memory_budget},
        {"VK_KHR_portability_subset", &out_set->portability_subset},
        {VK_NV_SHADER_SM_BUILTINS_EXTENSION_NAME, &out_set->sm_builtins},
        {VK_AMD_SHADER_CORE_PROPERTIES_EXTENSION_NAME, &out_set->shader_core},
#ifdef VK_EXT_device_fault
        {VK_EXT_DEVICE_FAULT_EXTENSION_NAME, &out_set->device_fault},
#endif
    };
    uint32_t count = 0;
    vk->EnumerateDeviceExtensionProperties(physical, NULL, &count, NULL);
    VkExtensionProperties *listed = quartic_alloc(count, sizeof *listed);
    if (listed == NULL) return QUARTIC_OUT_OF_MEMORY;
    if (vk->EnumerateDeviceExtensionProperties(physical, NULL, &count, listed) < 0) count = 0;
    for (uint32_t e = 0; e < count; ++e)
        for (size_t k = 0; k < sizeof known / sizeof known[0]; ++k)
            if (strcmp(listed[e].extensionName, known[k].name) == 0) *known[k].listed = true;
    quartic_free(listed);
    return QUARTIC_OK;
}

quartic_status quartic_gpu_facts_read(const quartic_vk_instance *vk, VkInstance instance,
                                      VkPhysicalDevice physical, quartic_gpu_facts *out_facts) {
    quartic_gpu_facts *facts = out_facts;
    *facts = (quartic_gpu_facts){0};
    vk->GetPhysicalDeviceProperties(physical, &facts->properties);
    VkPhysicalDeviceMemoryProperties2 memory = {.sType =
                                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    vk->GetPhysicalDeviceMemoryProperties2(physical, &memory);
    facts->memory = memory.memoryProperties;
    facts->family_count = QUARTIC_GPU_MAX_FAMILIES;
    vk->GetPhysicalDeviceQueueFamilyProperties(physical, &facts->family_count, facts->families);
    /* The structs of Vulkan 1.3 may only be chained to a device that knows it. */
    if (facts->properties.apiVersion < VK_API_VERSION_1_3) return QUARTIC_OK;

    extension_set set;
    QUARTIC_TRY(read_extensions(vk, physical, &set));
    facts->memory_budget = set.memory_budget;
    facts->portability_subset = set.portability_subset;

    VkPhysicalDeviceShaderSMBuiltinsPropertiesNV sm = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV};
    VkPhysicalDeviceShaderCorePropertiesAMD core = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_AMD};
    facts->properties_13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES;
    facts->properties_13.pNext = set.sm_builtins ? (void *)&sm : set.shader_core ? (void *)&core : NULL;
    facts->properties_12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES;
    facts->properties_12.pNext = &facts->properties_13;
    facts->properties_11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES;
    facts->properties_11.pNext = &facts->properties_12;
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &facts->properties_11};
    vk->GetPhysicalDeviceProperties2(physical, &properties);
    facts->multiprocessors = set.sm_builtins ? sm.shaderSMCount
                                             : core.shaderEngineCount * core.shaderArraysPerEngineCount *
                                                   core.computeUnitsPerShaderArray;

    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
    facts->features_13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
    facts->features_13.pNext = set.cooperative_matrix ? (void *)&matrix : NULL;
#ifdef VK_EXT_device_fault
    VkPhysicalDeviceFaultFeaturesEXT fault = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT,
                                              .pNext = facts->features_13.pNext};
    if (set.device_fault) facts->features_13.pNext = &fault;
#endif
    facts->features_12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
    facts->features_12.pNext = &facts->features_13;
    facts->features_11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
    facts->features_11.pNext = &facts->features_12;
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &facts->features_11};
    vk->GetPhysicalDeviceFeatures2(physical, &features);
#ifdef VK_EXT_device_fault
    facts->device_fault = fault.deviceFault != VK_FALSE;
#endif
    facts->cooperative_matrix =
        matrix.cooperativeMatrix && has_cooperative_matrix_shape(vk, instance, physical);
    /* The chains lead into this call's frame: cut them. */
    facts->properties_11.pNext = facts->properties_12.pNext = facts->properties_13.pNext = NULL;
    facts->features_11.pNext = facts->features_12.pNext = facts->features_13.pNext = NULL;
    return QUARTIC_OK;
}
