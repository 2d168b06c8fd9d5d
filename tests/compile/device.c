#include "compile/device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "gpu/float_controls.h"
#include "quartic/vulkan.h"
#include "run/run_vulkan.h"

enum { MOST_DEVICES = 16, MOST_STATISTICS = 64, MOST_EXECUTABLES = 8, MOST_TEXTS = 8 };

static bool choose_physical(compile_device *d, VkDriverId driver, VkPhysicalDevice *out_physical) {
    VkPhysicalDevice physical[MOST_DEVICES];
    uint32_t count = MOST_DEVICES;
    bool found = false;
    if (d->instance.vk.EnumeratePhysicalDevices(d->instance.handle, &count, physical) < 0) return false;
    quartic_gpu_facts *facts = quartic_alloc(1, sizeof *facts);
    for (uint32_t k = 0; facts != NULL && k < count && !found; ++k) {
        if (quartic_gpu_facts_read(&d->instance.vk, d->instance.handle, physical[k], facts) != QUARTIC_OK)
            break;
        d->driver = facts->properties_12.driverID;
        found = driver == 0 || driver == d->driver;
        d->caps = quartic_gpu_caps_from(facts, NULL);
        *out_physical = physical[k];
    }
    quartic_free(facts);
    return found;
}

bool compile_device_open(VkDriverId driver, compile_device *out_device) {
    compile_device *d = out_device;
    *d = (compile_device){0};
    if (quartic_gpu_instance_create(&d->instance) != QUARTIC_OK) {
        fprintf(stderr, "%s\n", quartic_error_message());
        return false;
    }
    VkPhysicalDevice physical = NULL;
    bool opened = choose_physical(d, driver, &physical);
    d->limits = quartic_run_vulkan_limits_of_caps(&d->caps);
    if (opened) {
        VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR statistics = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
            .pipelineExecutableInfo = VK_TRUE};
        VkPhysicalDeviceVulkan13Features features_13 = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES, .pNext = &statistics};
        VkPhysicalDeviceVulkan12Features features_12 = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &features_13};
        quartic_vulkan_enable_features(&features_12, &features_13);
        features_13.subgroupSizeControl = d->caps.least_subgroup_size != 0;
        const char *const extension = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
        const float priority = 1.0f;
        const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                               .queueFamilyIndex = d->caps.queue_family,
                                               .queueCount = 1,
                                               .pQueuePriorities = &priority};
        const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                         .pNext = &features_12,
                                         .queueCreateInfoCount = 1,
                                         .pQueueCreateInfos = &queue,
                                         .enabledExtensionCount = 1,
                                         .ppEnabledExtensionNames = &extension};
        const VkResult result = d->instance.vk.CreateDevice(physical, &info, NULL, &d->device);
        if (result != VK_SUCCESS)
            fprintf(stderr, "%s makes no device (VkResult %d)\n", d->caps.name, (int)result);
        opened = result == VK_SUCCESS;
    }
    if (!opened) {
        quartic_gpu_instance_destroy(&d->instance);
        return false;
    }
    quartic_vk_load_device(&d->instance.vk, d->device, &d->vk);
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, QUARTIC_GPU_ARGS_BYTES};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &range};
    if (d->vk.vkCreatePipelineLayout(d->device, &layout, NULL, &d->layout) == VK_SUCCESS) return true;
    compile_device_close(d);
    return false;
}

void compile_device_close(compile_device *device) {
    device->vk.vkDestroyPipelineLayout(device->device, device->layout, NULL);
    device->vk.vkDestroyDevice(device->device, NULL);
    quartic_gpu_instance_destroy(&device->instance);
}

const char *compile_key_text(const compile_key *key, char text[COMPILE_TEXT]) {
    snprintf(text, COMPILE_TEXT, "default");
    size_t used = 0;
    for (uint32_t k = 0; k < key->spec_count && used < COMPILE_TEXT; ++k)
        used += (size_t)snprintf(text + used, COMPILE_TEXT - used, k == 0 ? "%u" : ",%u", key->spec[k]);
    if (key->subgroup_size != 0 && used < COMPILE_TEXT)
        snprintf(text + used, COMPILE_TEXT - used, " in subgroups of %u", key->subgroup_size);
    return text;
}

static uint64_t statistic_value(const VkPipelineExecutableStatisticKHR *s) {
    switch (s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
        return s->value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR:
        return (uint64_t)s->value.f64;
    default:
        return s->value.u64;
    }
}

/* What the drivers call their statistics. Everything that says that registers did not suffice is a spill. */
static void read_statistic(const VkPipelineExecutableStatisticKHR *s, compile_result *r) {
    static const char *const spills[] = {"Spilled VGPRs", "Spilled SGPRs",    "Scratch size", /* RADV */
                                         "Spill Count",   "Fill Count",       "Scratch Memory Size", /* ANV */
                                         "SLM Size",      "Spills to memory", "Fills from memory",
                                         "Spills to reg", "Fills from reg"}; /* NVK */
    static const char *const registers[] = {"VGPRs", "Max live registers", "Register count",
                                            "Number of GPRs"};
    static const char *const shared[] = {"LDS size", "Shared Memory Size", "Workgroup Memory Size"};
    static const char *const code[] = {"Code size", "Instruction Count", "Instruction count", "Code Size"};
    const uint64_t value = statistic_value(s);
#define IS_ONE_OF(list, found)                                                                               \
    bool found = false;                                                                                      \
    for (size_t k = 0; k < sizeof list / sizeof list[0]; ++k) found |= strcmp(s->name, list[k]) == 0;
    IS_ONE_OF(spills, is_spill)
    IS_ONE_OF(registers, is_registers)
    IS_ONE_OF(shared, is_shared)
    IS_ONE_OF(code, is_code)
#undef IS_ONE_OF
    if (is_spill) r->spills += value;
    if (is_registers && value > r->registers) r->registers = (uint32_t)value;
    if (is_shared && value > r->shared_bytes) r->shared_bytes = (uint32_t)value;
    if (is_code && value > r->code) r->code = value;
    if (strcmp(s->name, "Subgroups per SIMD") == 0) r->waves = (uint32_t)value;
}

/* Instructions of RDNA and GCN that load from or store to memory, as Mesa prints them. */
static void count_memory(const char *text, compile_result *r) {
    static const char *const paths[] = {"global_", "flat_", "buffer_"};
    static const struct {
        const char *ending;
        uint32_t size;
    } endings[] = {{"dwordx4", 2}, {"b128", 2}, {"dwordx3", 1}, {"b96", 1}, {"dwordx2", 1}, {"b64", 1},
                   {"dword", 0},   {"b32", 0},  {"ubyte", 0},   {"u8", 0},  {"ushort", 0},  {"u16", 0},
                   {"sbyte", 0},   {"byte", 0}, {"short", 0},   {"b16", 0}, {"b8", 0},      {"i8", 0}};
    r->has_memory = true;
    for (const char *line = text; line != NULL && *line != 0; line = strchr(line, '\n')) {
        while (*line == '\n' || *line == '\t' || *line == ' ') ++line;
        for (size_t p = 0; p < sizeof paths / sizeof paths[0]; ++p) {
            const size_t length = strlen(paths[p]);
            if (strncmp(line, paths[p], length) != 0) continue;
            const bool load = strncmp(line + length, "load_", 5) == 0;
            const bool store = strncmp(line + length, "store_", 6) == 0;
            if (!load && !store) continue;
            const char *size = line + length + (load ? 5 : 6);
            for (size_t e = 0; e < sizeof endings / sizeof endings[0]; ++e)
                if (strncmp(size, endings[e].ending, strlen(endings[e].ending)) == 0) {
                    ++(load ? r->loads : r->stores)[endings[e].size];
                    break;
                }
        }
    }
}

static bool read_text(const compile_device *d, const VkPipelineExecutableInfoKHR *info, compile_result *r) {
    VkPipelineExecutableInternalRepresentationKHR all[MOST_TEXTS];
    uint32_t count = MOST_TEXTS;
    for (uint32_t k = 0; k < MOST_TEXTS; ++k)
        all[k] = (VkPipelineExecutableInternalRepresentationKHR){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR};
    if (d->vk.vkGetPipelineExecutableInternalRepresentationsKHR(d->device, info, &count, all) < 0)
        return false;
    bool read = true;
    for (uint32_t k = 0; k < count; ++k) all[k].pData = quartic_alloc(1, all[k].dataSize + 1);
    read = d->vk.vkGetPipelineExecutableInternalRepresentationsKHR(d->device, info, &count, all) >= 0;
    for (uint32_t k = 0; read && k < count; ++k)
        if (strcmp(all[k].name, "Assembly") == 0) {
            ((char *)all[k].pData)[all[k].dataSize] = 0;
            count_memory(all[k].pData, r);
        }
    for (uint32_t k = 0; k < count; ++k) quartic_free(all[k].pData);
    return read;
}

static bool read_pipeline(const compile_device *d, VkPipeline pipeline, compile_result *r) {
    const VkPipelineInfoKHR which = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
    VkPipelineExecutablePropertiesKHR executables[MOST_EXECUTABLES];
    uint32_t count = MOST_EXECUTABLES;
    for (uint32_t k = 0; k < MOST_EXECUTABLES; ++k)
        executables[k] = (VkPipelineExecutablePropertiesKHR){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
    if (d->vk.vkGetPipelineExecutablePropertiesKHR(d->device, &which, &count, executables) < 0 || count == 0)
        return false;
    for (uint32_t e = 0; e < count; ++e) {
        const VkPipelineExecutableInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                                  .pipeline = pipeline,
                                                  .executableIndex = e};
        VkPipelineExecutableStatisticKHR all[MOST_STATISTICS];
        uint32_t statistics = MOST_STATISTICS;
        for (uint32_t k = 0; k < MOST_STATISTICS; ++k)
            all[k] = (VkPipelineExecutableStatisticKHR){
                .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
        if (d->vk.vkGetPipelineExecutableStatisticsKHR(d->device, &info, &statistics, all) < 0 ||
            statistics == 0)
            return false;
        for (uint32_t k = 0; k < statistics; ++k) {
            read_statistic(&all[k], r);
            if (getenv("COMPILE_STATISTICS") != NULL)
                fprintf(stderr, "%s: %s = %" PRIu64 "\n", executables[e].name, all[k].name,
                        statistic_value(&all[k]));
        }
        if (d->driver == VK_DRIVER_ID_MESA_RADV && !read_text(d, &info, r)) return false;
    }
    return true;
}

bool compile_device_run(const compile_device *device, const compile_key *key, compile_result *out_result) {
    const compile_device *d = device;
    *out_result = (compile_result){0};
    /* With the float controls of this device, as the library compiles it. */
    uint32_t *words =
        quartic_alloc(key->shader->bytes / sizeof *words + QUARTIC_GPU_CONTROL_WORDS, sizeof *words);
    if (words == NULL) exit(1);
    const size_t count = quartic_gpu_set_float_controls(
        key->shader->words, key->shader->bytes / sizeof *words, d->caps.float_controls, words);
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                  .codeSize = count * sizeof *words,
                                                  .pCode = words};
    VkShaderModule module = VK_NULL_HANDLE;
    VkPipeline pipeline = VK_NULL_HANDLE;
    VkResult result = d->vk.vkCreateShaderModule(d->device, &module_info, NULL, &module);
    quartic_free(words);
    VkSpecializationMapEntry entries[QUARTIC_DISPATCH_MAX_SPEC];
    for (uint32_t k = 0; k < key->spec_count; ++k) entries[k] = (VkSpecializationMapEntry){k, 4 * k, 4};
    const VkSpecializationInfo constants = {key->spec_count, entries, 4 * key->spec_count, key->spec};
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = key->subgroup_size};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags =
            VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
            (d->driver == VK_DRIVER_ID_MESA_RADV ? VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR
                                                 : 0) |
            VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = key->subgroup_size == 0 ? NULL : &subgroup,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = d->layout};
    if (result == VK_SUCCESS)
        result = d->vk.vkCreateComputePipelines(d->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline);
    bool good = result == VK_SUCCESS && read_pipeline(d, pipeline, out_result);
    if (!good) {
        char text[COMPILE_TEXT];
        fprintf(stderr, "%s with constants %s does not compile on %s (VkResult %d)\n", key->shader->name,
                compile_key_text(key, text), d->caps.name, (int)result);
    }
    d->vk.vkDestroyPipeline(d->device, pipeline, NULL);
    d->vk.vkDestroyShaderModule(d->device, module, NULL);
    return good;
}
