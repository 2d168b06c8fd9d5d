/* amd_compile_test.c: every shader through the compiler of AMD's GPUs, without one.
 *
 * Mesa's RADV makes a device of any family for compiling only (RADV_FORCE_FAMILY). Each shader is compiled
 * with its default constants and with all constants that the ops' cases ask for; registers, spills, shared
 * memory and code size of each go to amd_compile_table.txt in the working folder (in the build,
 * tests/work/slow.amd_compile). A spill fails the test: it means that a tile is too large for that family.
 */
#include "expect.h"

#include "base/alloc.h"
#include "gpu/internal.h"
#include "ops/ops.h"
#include "quartic/vulkan.h"

enum { MOST_KEYS = 2048, MOST_STATISTICS = 64 };

/* GCN 4 and 5, RDNA 1, 2 and 3. */
static const char *const families[] = {"polaris10", "vega10", "navi10", "navi21", "gfx1100"};
enum { FAMILIES = sizeof families / sizeof families[0] };

/* ---- what to compile ----------------------------------------------------------------------------------- */

static struct {
    const quartic_spirv *shader;
    uint32_t spec_count;
    uint32_t spec[QUARTIC_DISPATCH_MAX_SPEC];
} keys[MOST_KEYS];
static uint32_t key_count;

static const quartic_spirv *amd_compile_find_shader(const char *name) {
    for (uint32_t k = 0; k < quartic_spirv_count; ++k)
        if (strcmp(quartic_spirv_table[k].name, name) == 0) return &quartic_spirv_table[k];
    fail_msg("there is no shader named %s", name);
    return NULL;
}

static void add_key(const quartic_spirv *shader, uint32_t spec_count, const uint32_t *spec) {
    for (uint32_t k = 0; k < key_count; ++k)
        if (keys[k].shader == shader && keys[k].spec_count == spec_count &&
            memcmp(keys[k].spec, spec, spec_count * sizeof *spec) == 0)
            return;
    assert_true(key_count < MOST_KEYS);
    keys[key_count].shader = shader;
    keys[key_count].spec_count = spec_count;
    if (spec_count > 0) memcpy(keys[key_count].spec, spec, spec_count * sizeof *spec);
    ++key_count;
}

/* The dispatches of one case of an op. */
static void add_case(const quartic_op *op, const quartic_op_case *c, quartic_dispatch_list *list) {
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS] = {{0}}, outputs[QUARTIC_OP_MAX_OUTPUTS] = {{0}};
    for (uint32_t i = 0; i < c->input_count; ++i)
        if (c->inputs[i].dtype != QUARTIC_NO_DTYPE)
            inputs[i] = quartic_layout_contiguous(c->inputs[i].dtype, &c->inputs[i].shape);
    quartic_op_call call = {
        .attrs = c->attrs, .input_count = c->input_count, .inputs = inputs, .outputs = outputs};
    uint32_t output_count = 0;
    assert_int_equal(op->infer(&call, outputs, &output_count), QUARTIC_OK);
    call.output_count = output_count;
    const quartic_gpu_limits limits = {
        .max_shared_bytes = 32768, .max_invocations = 1024, .subgroup_size = 64, .compute_units = 36};
    *list = (quartic_dispatch_list){0};
    if (op->gpu(&call, &limits, list) != QUARTIC_OK) return; /* UNSUPPORTED is an answer */
    for (uint32_t d = 0; d < list->count; ++d)
        add_key(amd_compile_find_shader(list->items[d].shader), list->items[d].spec_count,
                list->items[d].spec);
}

static int collect(void **state) {
    (void)state;
    for (uint32_t k = 0; k < quartic_spirv_count; ++k) add_key(&quartic_spirv_table[k], 0, NULL);
    quartic_dispatch_list *list = quartic_alloc(1, sizeof *list);
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        quartic_op_case c;
        for (uint32_t k = 0; op->gpu != NULL && op->cases != NULL; ++k) {
            memset(&c, 0, sizeof c);
            if (!op->cases(k, &c)) break;
            add_case(op, &c, list);
        }
    }
    quartic_free(list);
    return 0;
}

/* ---- the compiler -------------------------------------------------------------------------------------- */

typedef struct compiler {
    quartic_gpu_instance instance;
    VkDevice device;
    struct VolkDeviceTable vk;
    VkPipelineLayout layout;
} compiler;

static VkPhysicalDevice find_radv(const quartic_gpu_instance *instance) {
    enum { MOST_DEVICES = 16 };
    VkPhysicalDevice physical[MOST_DEVICES], found = NULL;
    uint32_t count = MOST_DEVICES;
    assert_true(instance->vk.EnumeratePhysicalDevices(instance->handle, &count, physical) >= 0);
    quartic_gpu_facts *facts = quartic_alloc(1, sizeof *facts);
    for (uint32_t k = 0; k < count && found == NULL; ++k) {
        assert_int_equal(quartic_gpu_facts_read(&instance->vk, instance->handle, physical[k], facts),
                         QUARTIC_OK);
        if (facts->properties_12.driverID == VK_DRIVER_ID_MESA_RADV) found = physical[k];
    }
    quartic_free(facts);
    return found;
}

static void open_compiler(const char *family, compiler *c) {
    setenv("RADV_FORCE_FAMILY", family, 1);
    *c = (compiler){0};
    if (quartic_gpu_instance_create(&c->instance) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    VkPhysicalDevice physical = find_radv(&c->instance);
    if (physical == NULL)
        fail_msg("Mesa's RADV makes no device for %s; install mesa-vulkan-drivers 22.3 or later", family);
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR statistics = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE};
    VkPhysicalDeviceVulkan13Features features_13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES, .pNext = &statistics};
    VkPhysicalDeviceVulkan12Features features_12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &features_13};
    quartic_vulkan_enable_features(&features_12, &features_13);
    const char *const extension = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    const float priority = 1.0f;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &features_12,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue,
                                     .enabledExtensionCount = 1,
                                     .ppEnabledExtensionNames = &extension};
    assert_int_equal(c->instance.vk.CreateDevice(physical, &info, NULL, &c->device), VK_SUCCESS);
    quartic_vk_load_device(&c->instance.vk, c->device, &c->vk);
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, QUARTIC_GPU_ARGS_BYTES};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &range};
    assert_int_equal(c->vk.vkCreatePipelineLayout(c->device, &layout, NULL, &c->layout), VK_SUCCESS);
}

static void close_compiler(compiler *c) {
    c->vk.vkDestroyPipelineLayout(c->device, c->layout, NULL);
    c->vk.vkDestroyDevice(c->device, NULL);
    quartic_gpu_instance_destroy(&c->instance);
}

static VkPipeline amd_compile_compile(const compiler *c, uint32_t key) {
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                  .codeSize = keys[key].shader->bytes,
                                                  .pCode = keys[key].shader->words};
    VkShaderModule module;
    assert_int_equal(c->vk.vkCreateShaderModule(c->device, &module_info, NULL, &module), VK_SUCCESS);
    VkSpecializationMapEntry entries[QUARTIC_DISPATCH_MAX_SPEC];
    for (uint32_t k = 0; k < keys[key].spec_count; ++k) entries[k] = (VkSpecializationMapEntry){k, 4 * k, 4};
    const VkSpecializationInfo constants = {keys[key].spec_count, entries, 4 * keys[key].spec_count,
                                            keys[key].spec};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR | VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = c->layout};
    VkPipeline pipeline;
    if (c->vk.vkCreateComputePipelines(c->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline) != VK_SUCCESS)
        fail_msg("%s does not compile", keys[key].shader->name);
    c->vk.vkDestroyShaderModule(c->device, module, NULL);
    return pipeline;
}

static uint64_t statistic(const VkPipelineExecutableStatisticKHR *all, uint32_t count, const char *name) {
    for (uint32_t k = 0; k < count; ++k)
        if (strcmp(all[k].name, name) == 0) return all[k].value.u64;
    fail_msg("the driver reports no \"%s\"", name);
    return 0;
}

/* One line of the table; returns the number of spilled registers and of bytes in scratch memory. */
static uint64_t amd_compile_report(const compiler *c, const char *family, uint32_t key, VkPipeline pipeline,
                                   FILE *table) {
    const VkPipelineExecutableInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                              .pipeline = pipeline};
    VkPipelineExecutableStatisticKHR all[MOST_STATISTICS];
    uint32_t count = MOST_STATISTICS;
    for (uint32_t k = 0; k < count; ++k)
        all[k] =
            (VkPipelineExecutableStatisticKHR){.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
    assert_int_equal(c->vk.vkGetPipelineExecutableStatisticsKHR(c->device, &info, &count, all), VK_SUCCESS);
    const uint64_t spills = statistic(all, count, "Spilled VGPRs") + statistic(all, count, "Spilled SGPRs") +
                            statistic(all, count, "Scratch size");
    char constants[128] = "default";
    size_t used = 0;
    for (uint32_t k = 0; k < keys[key].spec_count && used < sizeof constants; ++k)
        used += (size_t)snprintf(constants + used, sizeof constants - used, k == 0 ? "%u" : ",%u",
                                 keys[key].spec[k]);
    fprintf(table, "%-10s %-28s %5llu %5llu %6llu %7llu %8llu %5llu  %s\n", family, keys[key].shader->name,
            (unsigned long long)statistic(all, count, "VGPRs"),
            (unsigned long long)statistic(all, count, "SGPRs"), (unsigned long long)spills,
            (unsigned long long)statistic(all, count, "LDS size"),
            (unsigned long long)statistic(all, count, "Code size"),
            (unsigned long long)statistic(all, count, "Subgroups per SIMD"), constants);
    if (spills != 0)
        print_error("%s spills %llu registers or bytes on %s with constants %s\n", keys[key].shader->name,
                    (unsigned long long)spills, family, constants);
    return spills;
}

static void no_shader_spills_on_any_family(void **state) {
    (void)state;
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    FILE *table = fopen("amd_compile_table.txt", "w");
    assert_non_null(table);
    fprintf(table, "%-10s %-28s %5s %5s %6s %7s %8s %5s  %s\n", "family", "shader", "VGPRs", "SGPRs",
            "spills", "LDS", "code", "waves", "constants");
    uint64_t spills = 0;
    for (uint32_t f = 0; f < FAMILIES; ++f) {
        compiler c;
        open_compiler(families[f], &c);
        for (uint32_t k = 0; k < key_count; ++k) {
            VkPipeline pipeline = amd_compile_compile(&c, k);
            spills += amd_compile_report(&c, families[f], k, pipeline, table);
            c.vk.vkDestroyPipeline(c.device, pipeline, NULL);
        }
        close_compiler(&c);
    }
    fclose(table);
    assert_int_equal(spills, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_shader_spills_on_any_family)};
    return cmocka_run_group_tests(tests, collect, NULL);
}
