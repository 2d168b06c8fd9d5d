/* pipeline.c: compute pipelines by shader and specialisation constants.
 *
 * One layout for all: no descriptor sets, 128 bytes of push constants that hold device addresses. A pipeline
 * is compiled once per device and kept; the missing ones of a list are compiled in parallel. Each may be
 * dispatched with a base, so that long dispatches can be split.
 */
#include "gpu/internal.h"

#include "base/alloc.h"
#include "base/find.h"
#include "base/threads.h"

#include <string.h>

/* Compiled pipelines that justify writing the cache file before the device closes. */
enum { SAVE_AFTER = 32 };

static const quartic_spirv *find_shader(const char *name) {
    const size_t k =
        quartic_find_name(quartic_spirv_table, sizeof quartic_spirv_table[0], quartic_spirv_count, name);
    return k == quartic_spirv_count ? NULL : &quartic_spirv_table[k];
}

const char *quartic_gpu_shader_args(const char *shader) {
    const quartic_spirv *found = find_shader(shader);
    return found == NULL ? NULL : found->args;
}

quartic_status quartic_gpu_pipelines_create(quartic_gpu_device *device) {
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, QUARTIC_GPU_ARGS_BYTES};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &range};
    QUARTIC_TRY(quartic_gpu_check(
        device, device->vk.vkCreatePipelineLayout(device->handle, &layout, NULL, &device->layout),
        "creating the pipeline layout"));
    if (device->foreign_cache) return QUARTIC_OK;
    VkPipelineCacheCreateInfo cache = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    void *data = quartic_gpu_cache_load(&device->caps, &cache.initialDataSize);
    cache.pInitialData = data;
    VkResult result = device->vk.vkCreatePipelineCache(device->handle, &cache, NULL, &device->cache);
    quartic_free(data);
    if (result != VK_SUCCESS) device->cache = VK_NULL_HANDLE;
    return quartic_gpu_check(device, result, "creating the pipeline cache");
}

static void save_pipeline_cache(quartic_gpu_device *device) {
    size_t bytes = 0;
    if (device->lost || device->foreign_cache ||
        device->vk.vkGetPipelineCacheData(device->handle, device->cache, &bytes, NULL) != VK_SUCCESS)
        return;
    void *data = quartic_alloc(bytes, 1);
    if (data != NULL &&
        device->vk.vkGetPipelineCacheData(device->handle, device->cache, &bytes, data) == VK_SUCCESS &&
        bytes >= QUARTIC_GPU_LEAST_CACHE)
        quartic_gpu_cache_save(&device->caps, data, bytes);
    quartic_free(data);
    device->unsaved_pipelines = 0;
}

void quartic_gpu_pipelines_destroy(quartic_gpu_device *device) {
    if (device->unsaved_pipelines != 0) save_pipeline_cache(device);
    for (uint32_t p = 0; p < device->pipeline_count; ++p)
        device->vk.vkDestroyPipeline(device->handle, device->pipelines[p].handle, NULL);
    quartic_free(device->pipelines);
    if (!device->foreign_cache) device->vk.vkDestroyPipelineCache(device->handle, device->cache, NULL);
    device->vk.vkDestroyPipelineLayout(device->handle, device->layout, NULL);
}

/* Touches nothing of the device but its handle, so that several threads may compile at once. */
static VkResult compile_pipeline(const quartic_gpu_device *device, quartic_gpu_pipeline *pipeline) {
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                  .codeSize = pipeline->shader->bytes,
                                                  .pCode = pipeline->shader->words};
    VkShaderModule module;
    VkResult result = device->vk.vkCreateShaderModule(device->handle, &module_info, NULL, &module);
    if (result != VK_SUCCESS) return result;
    VkSpecializationMapEntry entries[QUARTIC_GPU_MAX_SPEC];
    for (uint32_t c = 0; c < pipeline->spec_count; ++c)
        entries[c] = (VkSpecializationMapEntry){.constantID = c, .offset = 4 * c, .size = 4};
    const VkSpecializationInfo constants = {.mapEntryCount = pipeline->spec_count,
                                            .pMapEntries = entries,
                                            .dataSize = 4 * pipeline->spec_count,
                                            .pData = pipeline->spec};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = device->layout};
    VkPipeline handle;
    result = device->vk.vkCreateComputePipelines(device->handle, device->cache, 1, &info, NULL, &handle);
    if (result == VK_SUCCESS) pipeline->handle = handle;
    device->vk.vkDestroyShaderModule(device->handle, module, NULL);
    return result;
}

static bool pipeline_matches(const quartic_gpu_pipeline *pipeline, const quartic_gpu_command *command) {
    return pipeline->spec_count == command->spec_count &&
           memcmp(pipeline->spec, command->spec, command->spec_count * sizeof command->spec[0]) == 0 &&
           strcmp(pipeline->shader->name, command->shader) == 0;
}

/* Index of the command's pipeline, appended without a handle if it is new. */
static quartic_status find_or_append_pipeline(quartic_gpu_device *device, const quartic_gpu_command *command,
                                              uint32_t *capacity, uint32_t *out_index) {
    for (*out_index = 0; *out_index < device->pipeline_count; ++*out_index)
        if (pipeline_matches(&device->pipelines[*out_index], command)) return QUARTIC_OK;
    const quartic_spirv *shader = find_shader(command->shader);
    if (shader == NULL)
        return quartic_fail(QUARTIC_INTERNAL, "there is no shader named %s in this build", command->shader);
    if (device->pipeline_count == *capacity) {
        uint32_t grown = 2 * *capacity + 16;
        quartic_gpu_pipeline *pipelines =
            quartic_realloc(device->pipelines, device->pipeline_count, grown, sizeof *pipelines);
        if (pipelines == NULL) return QUARTIC_OUT_OF_MEMORY;
        device->pipelines = pipelines;
        *capacity = grown;
    }
    quartic_gpu_pipeline *pipeline = &device->pipelines[device->pipeline_count++];
    *pipeline = (quartic_gpu_pipeline){.shader = shader, .spec_count = command->spec_count};
    memcpy(pipeline->spec, command->spec, command->spec_count * sizeof command->spec[0]);
    return QUARTIC_OK;
}

typedef struct compilation {
    quartic_gpu_device *device;
    uint32_t first;
    int count;
    VkResult *results; /* VK_SUCCESS before it begins */
} compilation;

static quartic_status compile_pipelines(void *context) {
    const compilation *all = context;
    quartic_gpu_pipeline *pipelines = all->device->pipelines + all->first;
#pragma omp parallel for schedule(dynamic, 1) num_threads(quartic_threads_default())
    for (int p = 0; p < all->count; ++p) all->results[p] = compile_pipeline(all->device, &pipelines[p]);
    return QUARTIC_OK;
}

/* Compiles pipelines[first..]; the first failure in their order is reported. */
static quartic_status compile_pipelines_from(quartic_gpu_device *device, uint32_t first) {
    int count = (int)(device->pipeline_count - first);
    VkResult *results = quartic_alloc((size_t)count, sizeof *results);
    if (results == NULL) return QUARTIC_OUT_OF_MEMORY;
    compilation all = {device, first, count, results};
    quartic_status status = quartic_threads_call(quartic_threads_default(), compile_pipelines, &all);
    for (int p = 0; p < count && status == QUARTIC_OK; ++p) {
        char what[128] = "compiling the shader ";
        strncat(what, device->pipelines[first + (uint32_t)p].shader->name, sizeof what - strlen(what) - 1);
        status = quartic_gpu_check(device, results[p], what);
    }
    quartic_free(results);
    return status;
}

quartic_status quartic_gpu_pipelines_prepare(quartic_gpu_device *device, const quartic_gpu_command *commands,
                                             uint32_t count, VkPipeline *out_handles) {
    uint32_t first = device->pipeline_count, capacity = device->pipeline_count;
    uint32_t *indices = quartic_alloc(count, sizeof *indices);
    if (indices == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = QUARTIC_OK;
    for (uint32_t c = 0; c < count && status == QUARTIC_OK; ++c)
        status = find_or_append_pipeline(device, &commands[c], &capacity, &indices[c]);
    if (status == QUARTIC_OK && device->pipeline_count != first)
        status = compile_pipelines_from(device, first);
    if (status != QUARTIC_OK) {
        /* Those that compiled are not kept either: a failed call leaves the device as it was. */
        while (device->pipeline_count > first)
            device->vk.vkDestroyPipeline(device->handle, device->pipelines[--device->pipeline_count].handle,
                                         NULL);
        quartic_free(indices);
        return status;
    }
    for (uint32_t c = 0; c < count; ++c) out_handles[c] = device->pipelines[indices[c]].handle;
    quartic_free(indices);
    device->unsaved_pipelines += device->pipeline_count - first;
    if (device->unsaved_pipelines >= SAVE_AFTER) save_pipeline_cache(device);
    return QUARTIC_OK;
}
