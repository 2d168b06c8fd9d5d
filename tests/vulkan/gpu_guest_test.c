/* gpu_guest_test.c: what the library on an adopted device leaves alone: its host's bound descriptor sets,
 * queue, objects and process.
 *
 * The functions that change such things are counted on their way from the library to Vulkan, through a
 * vkGetInstanceProcAddr of the test's own. The rest is for the validation layers, which also tell of objects
 * left behind.
 */
#include "vulkan/application.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* ---- counting what the library calls ------------------------------------------------------------------- */

static struct {
    uint32_t submits, idles, destroyed, others; /* others: ways to submit that the library does not use */
} calls;

static PFN_vkQueueSubmit2 real_submit;
static PFN_vkGetDeviceProcAddr real_device_entry;

static VKAPI_ATTR VkResult VKAPI_CALL count_submit(VkQueue queue, uint32_t count,
                                                   const VkSubmitInfo2 *submits, VkFence fence) {
    ++calls.submits;
    return real_submit(queue, count, submits, fence);
}
static VKAPI_ATTR VkResult VKAPI_CALL count_old_submit(VkQueue queue, uint32_t count,
                                                       const VkSubmitInfo *submits, VkFence fence) {
    (void)queue, (void)count, (void)submits, (void)fence;
    ++calls.others;
    return VK_ERROR_UNKNOWN;
}
static VKAPI_ATTR VkResult VKAPI_CALL count_queue_idle(VkQueue queue) {
    (void)queue;
    ++calls.idles;
    return VK_SUCCESS;
}
static VKAPI_ATTR VkResult VKAPI_CALL count_device_idle(VkDevice device) {
    (void)device;
    ++calls.idles;
    return VK_SUCCESS;
}
static VKAPI_ATTR void VKAPI_CALL count_destroyed_device(VkDevice device,
                                                         const VkAllocationCallbacks *allocator) {
    (void)device, (void)allocator;
    ++calls.destroyed;
}
static VKAPI_ATTR void VKAPI_CALL count_destroyed_instance(VkInstance instance,
                                                           const VkAllocationCallbacks *allocator) {
    (void)instance, (void)allocator;
    ++calls.destroyed;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_entry(VkDevice device, const char *name) {
    const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } counted[] = {{"vkQueueSubmit2", (PFN_vkVoidFunction)count_submit},
                   {"vkQueueSubmit", (PFN_vkVoidFunction)count_old_submit},
                   {"vkQueueWaitIdle", (PFN_vkVoidFunction)count_queue_idle},
                   {"vkDeviceWaitIdle", (PFN_vkVoidFunction)count_device_idle},
                   {"vkDestroyDevice", (PFN_vkVoidFunction)count_destroyed_device}};
    PFN_vkVoidFunction real = real_device_entry(device, name);
    for (size_t k = 0; k < sizeof counted / sizeof counted[0]; ++k)
        if (strcmp(name, counted[k].name) == 0) {
            if (k == 0) real_submit = (PFN_vkQueueSubmit2)real;
            return counted[k].function;
        }
    return real;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_entry(VkInstance instance, const char *name) {
    PFN_vkVoidFunction real = app.instance.vk.GetInstanceProcAddr(instance, name);
    if (strcmp(name, "vkGetDeviceProcAddr") == 0) {
        real_device_entry = (PFN_vkGetDeviceProcAddr)real;
        return (PFN_vkVoidFunction)device_entry;
    }
    if (strcmp(name, "vkDestroyInstance") == 0) return (PFN_vkVoidFunction)count_destroyed_instance;
    return real;
}

static quartic_device *adopt_counted(void) {
    quartic_vulkan_config config = application_config();
    config.get_instance_proc_addr = instance_entry;
    memset(&calls, 0, sizeof calls);
    quartic_device *device;
    assert_ok(quartic_vulkan_device_adopt(&config, &device));
    return device;
}

/* out = x + x of `count` numbers, x and out in the application's buffer unless those are given. */
static quartic_program *doubling(quartic_device *device, quartic_tensor *x, quartic_tensor *out) {
    quartic_shape shape = QUARTIC_SHAPE(COUNT);
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    quartic_value value = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_graph_output(graph, "out", quartic_add(graph, value, value));
    quartic_binding bindings[] = {{"x", x}, {"out", out}};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = 2;
    quartic_program *program;
    assert_ok(quartic_program_create(device, graph, &config, &program));
    quartic_graph_destroy(graph);
    return program;
}

/* ---- the queue ----------------------------------------------------------------------------------------- */

static void expect_submits(bool some, const char *what) {
    if ((calls.submits != 0) != some) fail_msg("%s submitted %u times", what, calls.submits);
    calls.submits = 0;
}

/* As quartic/vulkan.h says. Without shared memory every copy and every zeroing needs the queue. */
static void only_the_named_functions_submit(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache,mapping", 1);
    quartic_shape shape = QUARTIC_SHAPE(COUNT);
    float numbers[COUNT] = {0};
    quartic_device *device = adopt_counted();
    expect_submits(false, "quartic_vulkan_device_adopt");
    quartic_tensor *x, *out;
    assert_ok(quartic_vulkan_tensor_wrap(device, app.buffer, OUT_AT, QUARTIC_FLOAT32, &shape, &out));
    VkBuffer buffer;
    VkDeviceSize offset;
    VkDeviceAddress address;
    assert_ok(quartic_vulkan_tensor_buffer(out, &buffer, &offset, &address));
    expect_submits(false, "quartic_vulkan_tensor_wrap");
    assert_ok(quartic_tensor_create(device, QUARTIC_FLOAT32, &shape, &x));
    expect_submits(true, "quartic_tensor_create");
    assert_ok(quartic_tensor_write(x, numbers, sizeof numbers));
    expect_submits(true, "quartic_tensor_write");
    assert_ok(quartic_tensor_read(x, numbers, sizeof numbers));
    expect_submits(true, "quartic_tensor_read");
    quartic_program *program = doubling(device, x, out);
    expect_submits(true, "quartic_program_create");
    assert_ok(quartic_program_run(program));
    expect_submits(true, "quartic_program_run");
    const VkCommandBufferBeginInfo begin_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    application_check(app.vk.vkBeginCommandBuffer(app.commands, &begin_info));
    assert_ok(quartic_program_record(program, app.commands));
    application_check(app.vk.vkEndCommandBuffer(app.commands));
    expect_submits(false, "quartic_program_record");
    application_submit();
    calls.submits = 0;
    quartic_program_destroy(program);
    quartic_tensor_destroy(x);
    quartic_tensor_destroy(out);
    quartic_device_destroy(device);
    expect_submits(false, "destroying");
    assert_int_equal(calls.idles, 0); /* the application's own work on the device is none of ours */
    assert_int_equal(calls.others, 0);
    assert_int_equal(calls.destroyed, 0);
    setenv("QUARTIC_DISABLE", "cache", 1);
}

/* ---- what is bound ------------------------------------------------------------------------------------- */

/* The application's pipeline with a descriptor set over its buffer. */
typedef struct adder {
    VkDescriptorSetLayout set_layout;
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VkPipelineLayout layout;
    VkPipeline pipeline;
} adder;

typedef struct adder_args {
    float addend;
    uint32_t count;
} adder_args;

static VkShaderModule load_adder(void) {
    static uint32_t words[4096];
    FILE *file = fopen(QUARTIC_TEST_ADDER, "rb");
    assert_non_null(file);
    const size_t bytes = 4 * fread(words, 4, sizeof words / 4, file);
    fclose(file);
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = bytes, .pCode = words};
    VkShaderModule module;
    application_check(app.vk.vkCreateShaderModule(app.device, &info, NULL, &module));
    return module;
}

static void make_adder(adder *a) {
    const VkDescriptorSetLayoutBinding binding = {.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                  .descriptorCount = 1,
                                                  .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    const VkDescriptorSetLayoutCreateInfo set_layout = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = 1,
        .pBindings = &binding};
    application_check(app.vk.vkCreateDescriptorSetLayout(app.device, &set_layout, NULL, &a->set_layout));
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1};
    const VkDescriptorPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = 1,
                                             .poolSizeCount = 1,
                                             .pPoolSizes = &size};
    application_check(app.vk.vkCreateDescriptorPool(app.device, &pool, NULL, &a->pool));
    const VkDescriptorSetAllocateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                             .descriptorPool = a->pool,
                                             .descriptorSetCount = 1,
                                             .pSetLayouts = &a->set_layout};
    application_check(app.vk.vkAllocateDescriptorSets(app.device, &set, &a->set));
    const VkDescriptorBufferInfo buffer = {app.buffer, 0, BYTES};
    const VkWriteDescriptorSet write_set = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                            .dstSet = a->set,
                                            .descriptorCount = 1,
                                            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                            .pBufferInfo = &buffer};
    app.vk.vkUpdateDescriptorSets(app.device, 1, &write_set, 0, NULL);
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(adder_args)};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .setLayoutCount = 1,
                                               .pSetLayouts = &a->set_layout,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &range};
    application_check(app.vk.vkCreatePipelineLayout(app.device, &layout, NULL, &a->layout));
    const VkShaderModule module = load_adder();
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main"},
        .layout = a->layout};
    application_check(
        app.vk.vkCreateComputePipelines(app.device, VK_NULL_HANDLE, 1, &info, NULL, &a->pipeline));
    app.vk.vkDestroyShaderModule(app.device, module, NULL);
}

static void drop_adder(const adder *a) {
    app.vk.vkDestroyPipeline(app.device, a->pipeline, NULL);
    app.vk.vkDestroyPipelineLayout(app.device, a->layout, NULL);
    app.vk.vkDestroyDescriptorPool(app.device, a->pool, NULL);
    app.vk.vkDestroyDescriptorSetLayout(app.device, a->set_layout, NULL);
}

/* Pipeline and push constants are set anew, the descriptor set is not. */
static void add_everywhere(const adder *a, float addend) {
    const adder_args args = {addend, BYTES / 4};
    app.vk.vkCmdBindPipeline(app.commands, VK_PIPELINE_BIND_POINT_COMPUTE, a->pipeline);
    app.vk.vkCmdPushConstants(app.commands, a->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof args, &args);
    app.vk.vkCmdDispatch(app.commands, (BYTES / 4 + 63) / 64, 1, 1);
}

/* numbers += 1; out = x + x; numbers += 10, with the set bound once, before all. */
static void bound_descriptor_sets_stay_bound(void **state) {
    (void)state;
    quartic_device *device = adopt_counted();
    quartic_shape shape = QUARTIC_SHAPE(COUNT);
    quartic_tensor *x, *out;
    assert_ok(quartic_vulkan_tensor_wrap(device, app.buffer, 0, QUARTIC_FLOAT32, &shape, &x));
    assert_ok(quartic_vulkan_tensor_wrap(device, app.buffer, OUT_AT, QUARTIC_FLOAT32, &shape, &out));
    quartic_program *program = doubling(device, x, out);
    adder a;
    make_adder(&a);
    for (int k = 0; k < BYTES / 4; ++k) app.mapped[k] = (float)k;
    const VkCommandBufferBeginInfo begin_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    application_check(app.vk.vkBeginCommandBuffer(app.commands, &begin_info));
    app.vk.vkCmdBindDescriptorSets(app.commands, VK_PIPELINE_BIND_POINT_COMPUTE, a.layout, 0, 1, &a.set, 0,
                                   NULL);
    add_everywhere(&a, 1.0f);
    assert_ok(quartic_program_record(program, app.commands));
    add_everywhere(&a, 10.0f);
    application_barrier(VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT, VK_PIPELINE_STAGE_2_HOST_BIT,
                        VK_ACCESS_2_HOST_READ_BIT);
    application_check(app.vk.vkEndCommandBuffer(app.commands));
    application_submit();
    for (int k = 0; k < BYTES / 4; ++k) {
        const int at = k - OUT_AT / 4;
        const float want = at >= 0 && at < COUNT ? 2.0f * ((float)at + 1.0f) + 10.0f : (float)k + 11.0f;
        assert_true(app.mapped[k] == want);
    }
    drop_adder(&a);
    quartic_program_destroy(program);
    quartic_tensor_destroy(x);
    quartic_tensor_destroy(out);
    quartic_device_destroy(device);
}

/* ---- the process --------------------------------------------------------------------------------------- */

extern char **environ;

/* A hash of all that a library could change in its host without a trace in its own memory. */
static uint64_t process_state(void) {
    uint64_t hash = 0xcbf29ce484222325u;
    char folder[4096];
    assert_non_null(getcwd(folder, sizeof folder));
    const char *const texts[] = {folder, setlocale(LC_ALL, NULL)};
    for (int t = 0; t < 2; ++t)
        for (const char *c = texts[t]; *c != 0; ++c) hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    for (char **e = environ; *e != NULL; ++e)
        for (const char *c = *e; *c != 0; ++c) hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    for (int s = 1; s < SIGRTMIN; ++s) {
        struct sigaction action;
        if (sigaction(s, NULL, &action) != 0) continue;
        hash = (hash ^ (uint64_t)(uintptr_t)action.sa_handler) * 0x100000001b3u;
    }
    sigset_t blocked;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &blocked), 0);
    for (int s = 1; s < SIGRTMIN; ++s) hash = (hash ^ (uint64_t)sigismember(&blocked, s)) * 0x100000001b3u;
    return hash;
}

static void the_process_stays_as_it_was(void **state) {
    (void)state;
    const uint64_t before = process_state();
    quartic_device *device = adopt_counted();
    quartic_shape shape = QUARTIC_SHAPE(COUNT);
    quartic_tensor *x, *out;
    assert_ok(quartic_tensor_create(device, QUARTIC_FLOAT32, &shape, &x));
    assert_ok(quartic_tensor_create(device, QUARTIC_FLOAT32, &shape, &out));
    quartic_program *program = doubling(device, x, out);
    assert_ok(quartic_program_run(program));
    assert_true(process_state() == before);
    quartic_program_destroy(program);
    quartic_tensor_destroy(x);
    quartic_tensor_destroy(out);
    quartic_device_destroy(device);
    assert_true(process_state() == before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_named_functions_submit),
        cmocka_unit_test(bound_descriptor_sets_stay_bound),
        cmocka_unit_test(the_process_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, application_begin, application_end);
}
