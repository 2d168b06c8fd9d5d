/* gpu_adopt_test.c: the library as a guest in an application's Vulkan: its device and queue, its buffers as
 * tensors, a program recorded between its own dispatches in its own command buffer. */
#include "vulkan/vulkan_test.h"

#include <string.h>

#include "gpu/internal.h"
#include "quartic/vulkan.h"
#include "shaders/binary.args.h"

enum { COUNT = 777 };

/* The application: all of this is its own, made without the library's device. */
typedef struct application {
    quartic_gpu_instance instance; /* only for its validation messenger */
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    uint32_t family;
    struct VolkDeviceTable vk;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
    VkPipelineLayout layout;
    VkPipeline doubler; /* result = a + b */
    VkBuffer buffer;    /* mapped: the tensors x at 0 and out at OUT_AT, and y at Y_AT */
    VkDeviceMemory memory;
    float *mapped;
    uint64_t address;
} application;

enum { OUT_AT = 4096, Y_AT = 8192, BYTES = 12288 };

static application app;

static void check(VkResult result) {
    assert_int_equal(result, VK_SUCCESS);
}

static void make_pipeline(void) {
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(quartic_binary_args)};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &range};
    check(app.vk.vkCreatePipelineLayout(app.device, &layout, NULL, &app.layout));
    uint32_t k = 0;
    while (strcmp(quartic_spirv_table[k].name, "binary") != 0) ++k;
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                  .codeSize = quartic_spirv_table[k].bytes,
                                                  .pCode = quartic_spirv_table[k].words};
    VkShaderModule module;
    check(app.vk.vkCreateShaderModule(app.device, &module_info, NULL, &module));
    const uint32_t numbers[2] = {0, 1}; /* add, contiguous */
    const VkSpecializationMapEntry entries[2] = {{0, 0, 4}, {1, 4, 4}};
    const VkSpecializationInfo constants = {2, entries, sizeof numbers, numbers};
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &constants},
        .layout = app.layout};
    check(app.vk.vkCreateComputePipelines(app.device, VK_NULL_HANDLE, 1, &info, NULL, &app.doubler));
    app.vk.vkDestroyShaderModule(app.device, module, NULL);
}

static void make_buffer(void) {
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = BYTES,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT};
    check(app.vk.vkCreateBuffer(app.device, &info, NULL, &app.buffer));
    VkMemoryRequirements needs;
    app.vk.vkGetBufferMemoryRequirements(app.device, app.buffer, &needs);
    VkPhysicalDeviceMemoryProperties2 memory = {.sType =
                                                    VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    app.instance.vk.GetPhysicalDeviceMemoryProperties2(app.physical, &memory);
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    uint32_t type = 0;
    while ((needs.memoryTypeBits >> type & 1) == 0 ||
           (memory.memoryProperties.memoryTypes[type].propertyFlags & wanted) != wanted)
        ++type;
    const VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                             .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    const VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                           .pNext = &flags,
                                           .allocationSize = needs.size,
                                           .memoryTypeIndex = type};
    check(app.vk.vkAllocateMemory(app.device, &allocate, NULL, &app.memory));
    check(app.vk.vkBindBufferMemory(app.device, app.buffer, app.memory, 0));
    void *mapped;
    check(app.vk.vkMapMemory(app.device, app.memory, 0, VK_WHOLE_SIZE, 0, &mapped));
    app.mapped = mapped;
    const VkBufferDeviceAddressInfo where = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                             .buffer = app.buffer};
    app.address = app.vk.vkGetBufferDeviceAddress(app.device, &where);
}

static void make_device(void) {
    expect_ok(quartic_gpu_instance_create(&app.instance));
    quartic_gpu_found *found;
    uint32_t count;
    expect_ok(quartic_gpu_instance_devices(&app.instance, &found, &count));
    assert_true(count > 0);
    app.physical = found[0].physical;
    app.family = found[0].caps.queue_family;
    quartic_free(found);
    VkPhysicalDeviceVulkan13Features features_13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceVulkan12Features features_12 = {.sType =
                                                        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                                    .pNext = &features_13,
                                                    .hostQueryReset = VK_TRUE};
    quartic_vulkan_enable_features(&features_12, &features_13);
    assert_true(features_12.hostQueryReset && features_12.bufferDeviceAddress &&
                features_13.synchronization2);
    const float priority = 1.0f;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = app.family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &features_12,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue};
    check(app.instance.vk.CreateDevice(app.physical, &info, NULL, &app.device));
    quartic_vk_load_device(&app.instance.vk, app.device, &app.vk);
    app.vk.vkGetDeviceQueue(app.device, app.family, 0, &app.queue);
}

static int begin(void **state) {
    vulkan_test_begin(state);
    make_device();
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = app.family};
    check(app.vk.vkCreateCommandPool(app.device, &pool, NULL, &app.pool));
    const VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = app.pool,
                                                  .commandBufferCount = 1};
    check(app.vk.vkAllocateCommandBuffers(app.device, &commands, &app.commands));
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    check(app.vk.vkCreateFence(app.device, &fence, NULL, &app.fence));
    make_pipeline();
    make_buffer();
    return 0;
}

static int end(void **state) {
    app.vk.vkDestroyBuffer(app.device, app.buffer, NULL);
    app.vk.vkFreeMemory(app.device, app.memory, NULL);
    app.vk.vkDestroyPipeline(app.device, app.doubler, NULL);
    app.vk.vkDestroyPipelineLayout(app.device, app.layout, NULL);
    app.vk.vkDestroyFence(app.device, app.fence, NULL);
    app.vk.vkDestroyCommandPool(app.device, app.pool, NULL);
    app.vk.vkDestroyDevice(app.device, NULL); /* complains of whatever the library left on it */
    quartic_gpu_instance_destroy(&app.instance);
    return vulkan_test_end(state);
}

static quartic_vulkan_config good_config(void) {
    quartic_vulkan_config config = QUARTIC_VULKAN_CONFIG_INIT;
    config.instance = app.instance.handle;
    config.physical_device = app.physical;
    config.device = app.device;
    config.queue_family = app.family;
    config.queue = app.queue;
    config.get_instance_proc_addr = app.instance.vk.GetInstanceProcAddr;
    return config;
}

/* out = x * x - x over tensors in the application's buffer. */
static quartic_program *make_program(quartic_device *device, quartic_tensor **x, quartic_tensor **out) {
    quartic_shape shape = QUARTIC_SHAPE(COUNT);
    expect_ok(quartic_vulkan_tensor_wrap(device, app.buffer, 0, QUARTIC_FLOAT32, &shape, x));
    expect_ok(quartic_vulkan_tensor_wrap(device, app.buffer, OUT_AT, QUARTIC_FLOAT32, &shape, out));
    quartic_graph *graph;
    expect_ok(quartic_graph_create(&graph));
    quartic_value value = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_graph_output(graph, "out", quartic_subtract(graph, quartic_multiply(graph, value, value), value));
    quartic_binding bindings[] = {{"x", *x}, {"out", *out}};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = 2;
    quartic_program *program;
    expect_ok(quartic_program_create(device, graph, &config, &program));
    quartic_graph_destroy(graph);
    return program;
}

static void barrier(VkAccessFlags2 from, VkPipelineStageFlags2 to_stage, VkAccessFlags2 to) {
    const VkMemoryBarrier2 memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                     .srcStageMask = VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT |
                                                     VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
                                     .srcAccessMask = from,
                                     .dstStageMask = to_stage,
                                     .dstAccessMask = to};
    const VkDependencyInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO, .memoryBarrierCount = 1, .pMemoryBarriers = &memory};
    app.vk.vkCmdPipelineBarrier2(app.commands, &info);
}

/* result = a + b by the application's own pipeline. */
static void own_dispatch(uint64_t a, uint64_t b, uint64_t result) {
    const quartic_binary_args args = {.a = app.address + a,
                                      .b = app.address + b,
                                      .result = app.address + result,
                                      .count = COUNT,
                                      .rank = 1,
                                      .dims = {COUNT},
                                      .a_strides = {1},
                                      .b_strides = {1}};
    app.vk.vkCmdBindPipeline(app.commands, VK_PIPELINE_BIND_POINT_COMPUTE, app.doubler);
    app.vk.vkCmdPushConstants(app.commands, app.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof args, &args);
    app.vk.vkCmdDispatch(app.commands, (COUNT + 255) / 256, 1, 1);
}

static void submit_and_wait(void) {
    const VkCommandBufferSubmitInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                              .commandBuffer = app.commands};
    const VkSubmitInfo2 submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                  .commandBufferInfoCount = 1,
                                  .pCommandBufferInfos = &buffer};
    check(app.vk.vkQueueSubmit2(app.queue, 1, &submit, app.fence));
    check(app.vk.vkWaitForFences(app.device, 1, &app.fence, VK_TRUE, UINT64_MAX));
    check(app.vk.vkResetFences(app.device, 1, &app.fence));
}

/* x = 1.5 (fill) + 1.5 (own dispatch), out = x x - x (the program), y = out + out (own dispatch). */
static void a_program_is_recorded_between_own_dispatches(void **state) {
    (void)state;
    const quartic_vulkan_config config = good_config();
    quartic_device *device;
    expect_ok(quartic_vulkan_device_adopt(&config, &device));
    quartic_tensor *x, *out;
    quartic_program *program = make_program(device, &x, &out);
    for (int round = 0; round < 2; ++round) {
        memset(app.mapped, 0, BYTES);
        const VkCommandBufferBeginInfo begin_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
        check(app.vk.vkBeginCommandBuffer(app.commands, &begin_info));
        app.vk.vkCmdFillBuffer(app.commands, app.buffer, 0, COUNT * 4, 0x3fc00000u); /* 1.5f */
        barrier(VK_ACCESS_2_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
                VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT);
        own_dispatch(0, 0, 0);
        expect_ok(quartic_program_record(program, app.commands)); /* with its barriers around */
        own_dispatch(OUT_AT, OUT_AT, Y_AT);
        barrier(VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT, VK_PIPELINE_STAGE_2_HOST_BIT,
                VK_ACCESS_2_HOST_READ_BIT);
        check(app.vk.vkEndCommandBuffer(app.commands));
        assert_true(app.mapped[Y_AT / 4] == 0.0f); /* nothing was submitted on the quiet */
        submit_and_wait();
        for (int k = 0; k < COUNT; ++k) {
            assert_true(app.mapped[k] == 3.0f);
            assert_true(app.mapped[OUT_AT / 4 + k] == 6.0f);
            assert_true(app.mapped[Y_AT / 4 + k] == 12.0f);
        }
        assert_true(app.mapped[Y_AT / 4 + COUNT] == 0.0f && app.mapped[COUNT] == 0.0f);
    }
    quartic_program_destroy(program);
    quartic_tensor_destroy(x);
    quartic_tensor_destroy(out);
    quartic_device_destroy(device);
}

static void an_adopted_device_runs_by_itself_too(void **state) {
    (void)state;
    const quartic_vulkan_config config = good_config();
    quartic_device *device;
    expect_ok(quartic_vulkan_device_adopt(&config, &device));
    quartic_tensor *x, *out;
    quartic_program *program = make_program(device, &x, &out);
    float numbers[COUNT];
    for (int k = 0; k < COUNT; ++k) numbers[k] = (float)k;
    expect_ok(quartic_tensor_write(x, numbers, sizeof numbers));
    expect_ok(quartic_program_run(program));
    expect_ok(quartic_tensor_read(out, numbers, sizeof numbers));
    for (int k = 0; k < COUNT; ++k) {
        assert_true(numbers[k] == (float)(k * k - k));
        assert_true(app.mapped[OUT_AT / 4 + k] == numbers[k]);
    }
    VkBuffer buffer;
    VkDeviceSize offset;
    VkDeviceAddress address;
    expect_ok(quartic_vulkan_tensor_buffer(out, &buffer, &offset, &address));
    assert_true(buffer == app.buffer);
    assert_int_equal(offset, OUT_AT);
    assert_int_equal(address, app.address + OUT_AT);
    quartic_vulkan_handles handles;
    expect_ok(quartic_vulkan_device_handles(device, &handles));
    assert_true(handles.device == app.device && handles.queue == app.queue &&
                handles.instance == config.instance);
    quartic_program_destroy(program);
    quartic_tensor_destroy(x);
    quartic_tensor_destroy(out);
    quartic_device_destroy(device);
}

static void a_bad_config_is_refused(void **state) {
    (void)state;
    quartic_device *device;
    quartic_vulkan_config config = good_config();
    config.struct_size = 3;
    assert_int_equal(quartic_vulkan_device_adopt(&config, &device), QUARTIC_INVALID_ARGUMENT);
    assert_null(device);
    config = good_config();
    config.queue = NULL;
    assert_int_equal(quartic_vulkan_device_adopt(&config, &device), QUARTIC_INVALID_ARGUMENT);
    config = good_config();
    config.queue_family = 1000;
    assert_int_equal(quartic_vulkan_device_adopt(&config, &device), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "queue family 1000"));
}

static void cpu_devices_and_bad_buffers_are_refused(void **state) {
    (void)state;
    quartic_device *cpu, *device;
    quartic_tensor *tensor;
    quartic_vulkan_handles handles;
    quartic_shape shape = QUARTIC_SHAPE(4);
    expect_ok(quartic_device_create("cpu", &cpu));
    assert_int_equal(quartic_vulkan_device_handles(cpu, &handles), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_vulkan_tensor_wrap(cpu, app.buffer, 0, QUARTIC_FLOAT32, &shape, &tensor),
                     QUARTIC_INVALID_ARGUMENT);
    quartic_device_destroy(cpu);
    const quartic_vulkan_config config = good_config();
    expect_ok(quartic_vulkan_device_adopt(&config, &device));
    assert_int_equal(quartic_vulkan_tensor_wrap(device, app.buffer, 8, QUARTIC_FLOAT32, &shape, &tensor),
                     QUARTIC_INVALID_ARGUMENT);
    assert_null(tensor);
    assert_int_equal(quartic_vulkan_tensor_wrap(device, VK_NULL_HANDLE, 0, QUARTIC_FLOAT32, &shape, &tensor),
                     QUARTIC_INVALID_ARGUMENT);
    quartic_device_destroy(device);
}

/* Adoption fails at every Vulkan call and every allocation in turn; the application's objects stay usable. */
static void a_failed_adoption_leaves_nothing(void **state) {
    (void)state;
    const quartic_vulkan_config config = good_config();
    void (*const fail_at[])(uint64_t) = {quartic_gpu_fail_at, quartic_alloc_fail_at};
    for (int kind = 0; kind < 2; ++kind) {
        int64_t live = quartic_alloc_live();
        uint64_t nth = 1;
        for (quartic_status status = QUARTIC_INTERNAL; status != QUARTIC_OK; ++nth) {
            quartic_device *device;
            fail_at[kind](nth);
            status = quartic_vulkan_device_adopt(&config, &device);
            fail_at[kind](0);
            assert_true(status == QUARTIC_OK || device == NULL);
            quartic_device_destroy(device);
            assert_int_equal(quartic_alloc_live(), live);
        }
        assert_true(nth > 4);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_recorded_between_own_dispatches),
        cmocka_unit_test(an_adopted_device_runs_by_itself_too),
        cmocka_unit_test(a_bad_config_is_refused),
        cmocka_unit_test(cpu_devices_and_bad_buffers_are_refused),
        cmocka_unit_test(a_failed_adoption_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
