/* gpu_adopt_test.c: the library as a guest in an application's Vulkan: its device and queue, its buffers as
 * tensors, a program recorded between its own dispatches in its own command buffer. */
#include "failing_alloc.h"
#include "vulkan/failing_vulkan.h"
#include "folder.h"
#include "vulkan/application.h"

#include <unistd.h>

/* out = x * x - x over tensors in the application's buffer. */
static quartic_program *make_program(quartic_device *device, quartic_tensor **x, quartic_tensor **out) {
    quartic_shape shape = QUARTIC_SHAPE(COUNT);
    assert_ok(quartic_vulkan_tensor_wrap(device, app.buffer, 0, QUARTIC_FLOAT32, &shape, x));
    assert_ok(quartic_vulkan_tensor_wrap(device, app.buffer, OUT_AT, QUARTIC_FLOAT32, &shape, out));
    quartic_graph *graph;
    assert_ok(quartic_graph_create(&graph));
    quartic_value value = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_graph_output(graph, "out", quartic_subtract(graph, quartic_multiply(graph, value, value), value));
    quartic_binding bindings[] = {{"x", *x}, {"out", *out}};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = 2;
    quartic_program *program;
    assert_ok(quartic_program_create(device, graph, &config, &program));
    quartic_graph_destroy(graph);
    return program;
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

/* x = 1.5 (fill) + 1.5 (own dispatch), out = x x - x (the program), y = out + out (own dispatch). */
static void a_program_is_recorded_between_own_dispatches(void **state) {
    (void)state;
    const quartic_vulkan_config config = application_config();
    quartic_device *device;
    assert_ok(quartic_vulkan_device_adopt(&config, &device));
    quartic_tensor *x, *out;
    quartic_program *program = make_program(device, &x, &out);
    for (int round = 0; round < 2; ++round) {
        memset(app.mapped, 0, BYTES);
        const VkCommandBufferBeginInfo begin_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
        application_check(app.vk.vkBeginCommandBuffer(app.commands, &begin_info));
        app.vk.vkCmdFillBuffer(app.commands, app.buffer, 0, COUNT * 4, 0x3fc00000u); /* 1.5f */
        application_barrier(VK_ACCESS_2_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
                            VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT);
        own_dispatch(0, 0, 0);
        assert_ok(quartic_program_record(program, app.commands)); /* with its barriers around */
        own_dispatch(OUT_AT, OUT_AT, Y_AT);
        application_barrier(VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT, VK_PIPELINE_STAGE_2_HOST_BIT,
                            VK_ACCESS_2_HOST_READ_BIT);
        application_check(app.vk.vkEndCommandBuffer(app.commands));
        assert_true(app.mapped[Y_AT / 4] == 0.0f); /* nothing was submitted on the quiet */
        application_submit();
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
    const quartic_vulkan_config config = application_config();
    quartic_device *device;
    assert_ok(quartic_vulkan_device_adopt(&config, &device));
    quartic_tensor *x, *out;
    quartic_program *program = make_program(device, &x, &out);
    float numbers[COUNT];
    for (int k = 0; k < COUNT; ++k) numbers[k] = (float)k;
    assert_ok(quartic_tensor_write(x, numbers, sizeof numbers));
    assert_ok(quartic_program_run(program));
    assert_ok(quartic_tensor_read(out, numbers, sizeof numbers));
    for (int k = 0; k < COUNT; ++k) {
        assert_true(numbers[k] == (float)(k * k - k));
        assert_true(app.mapped[OUT_AT / 4 + k] == numbers[k]);
    }
    VkBuffer buffer;
    VkDeviceSize offset;
    VkDeviceAddress address;
    assert_ok(quartic_vulkan_tensor_buffer(out, &buffer, &offset, &address));
    assert_true(buffer == app.buffer);
    assert_int_equal(offset, OUT_AT);
    assert_int_equal(address, app.address + OUT_AT);
    quartic_vulkan_handles handles;
    assert_ok(quartic_vulkan_device_handles(device, &handles));
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
    quartic_vulkan_config config = application_config();
    config.struct_size = 3;
    assert_int_equal(quartic_vulkan_device_adopt(&config, &device), QUARTIC_INVALID_ARGUMENT);
    assert_null(device);
    config = application_config();
    config.queue = NULL;
    assert_int_equal(quartic_vulkan_device_adopt(&config, &device), QUARTIC_INVALID_ARGUMENT);
    config = application_config();
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
    assert_ok(quartic_device_create("cpu", &cpu));
    assert_int_equal(quartic_vulkan_device_handles(cpu, &handles), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_vulkan_tensor_wrap(cpu, app.buffer, 0, QUARTIC_FLOAT32, &shape, &tensor),
                     QUARTIC_INVALID_ARGUMENT);
    quartic_device_destroy(cpu);
    const quartic_vulkan_config config = application_config();
    assert_ok(quartic_vulkan_device_adopt(&config, &device));
    assert_int_equal(quartic_vulkan_tensor_wrap(device, app.buffer, 8, QUARTIC_FLOAT32, &shape, &tensor),
                     QUARTIC_INVALID_ARGUMENT);
    assert_null(tensor);
    assert_int_equal(quartic_vulkan_tensor_wrap(device, VK_NULL_HANDLE, 0, QUARTIC_FLOAT32, &shape, &tensor),
                     QUARTIC_INVALID_ARGUMENT);
    quartic_device_destroy(device);
}

/* The last element beyond the buffer; and so far beyond that sums of bytes would overflow. */
static void a_buffer_too_small_is_refused(void **state) {
    (void)state;
    const quartic_vulkan_config config = application_config();
    quartic_device *device;
    assert_ok(quartic_vulkan_device_adopt(&config, &device));
    quartic_tensor *tensor;
    quartic_shape fits = QUARTIC_SHAPE((BYTES - Y_AT) / 4), one_more = QUARTIC_SHAPE((BYTES - Y_AT) / 4 + 1),
                  huge = QUARTIC_SHAPE(0x7fffffff);
    assert_ok(quartic_vulkan_tensor_wrap(device, app.buffer, Y_AT, QUARTIC_FLOAT32, &fits, &tensor));
    quartic_tensor_destroy(tensor);
    const quartic_shape *too_large[] = {&one_more, &huge};
    for (int k = 0; k < 2; ++k) {
        assert_int_equal(
            quartic_vulkan_tensor_wrap(device, app.buffer, Y_AT, QUARTIC_FLOAT32, too_large[k], &tensor),
            QUARTIC_INVALID_ARGUMENT);
        assert_null(tensor);
        assert_non_null(strstr(quartic_error_message(), "has at most 12288 bytes"));
    }
    const VkDeviceSize beyond[] = {BYTES, UINT64_MAX - 15};
    for (int k = 0; k < 2; ++k) {
        assert_int_equal(
            quartic_vulkan_tensor_wrap(device, app.buffer, beyond[k], QUARTIC_INT32, &fits, &tensor),
            QUARTIC_INVALID_ARGUMENT);
        assert_null(tensor);
    }
    quartic_device_destroy(device);
}

static void gpu_adopt_expect_refused(const quartic_vulkan_config *config, quartic_status status,
                                     const char *words) {
    quartic_device *device = (quartic_device *)(uintptr_t)1;
    assert_int_equal(quartic_vulkan_device_adopt(config, &device), status);
    assert_null(device);
    if (strstr(quartic_error_message(), words) == NULL)
        fail_msg("\"%s\" does not tell \"%s\"", quartic_error_message(), words);
}

static bool has_memory_model(const quartic_gpu_facts *facts) {
    return facts->features_12.vulkanMemoryModel && facts->features_12.vulkanMemoryModelDeviceScope;
}

static void bits_of_optional_are_checked(void **state) {
    (void)state;
    quartic_vulkan_config config = application_config();
    for (uint32_t bit = 32; bit != 0; bit *= 2) {
        config.optional = bit | QUARTIC_VULKAN_PORTABILITY_SUBSET;
        gpu_adopt_expect_refused(&config, QUARTIC_INVALID_ARGUMENT, "knows the bits 0x1f only");
    }
    /* What the device lacks, whatever device that is. */
    quartic_gpu_facts *facts = quartic_alloc(1, sizeof *facts);
    assert_ok(quartic_gpu_facts_read(&app.instance.vk, app.instance.handle, app.physical, facts));
    const struct {
        uint32_t bit;
        bool offered;
        const char *words;
    } bits[] = {{QUARTIC_VULKAN_FLOAT16,
                 facts->features_12.shaderFloat16 && facts->features_11.storageBuffer16BitAccess,
                 facts->features_12.shaderFloat16 ? "storageBuffer16BitAccess" : "shaderFloat16"},
                {QUARTIC_VULKAN_COOPERATIVE_MATRIX, facts->cooperative_matrix && has_memory_model(facts),
                 facts->cooperative_matrix ? "vulkanMemoryModel" : "cooperativeMatrix"},
                {QUARTIC_VULKAN_MEMORY_MODEL, has_memory_model(facts), "vulkanMemoryModel"},
                {QUARTIC_VULKAN_PORTABILITY_SUBSET, facts->portability_subset, "VK_KHR_portability_subset"},
                {QUARTIC_VULKAN_DEVICE_FAULT, facts->device_fault, "VK_EXT_device_fault"}};
    int refused = 0;
    for (size_t k = 0; k < sizeof bits / sizeof bits[0]; ++k) {
        if (bits[k].offered) continue;
        config.optional = bits[k].bit;
        gpu_adopt_expect_refused(&config, QUARTIC_UNSUPPORTED, bits[k].words);
        ++refused;
    }
    assert_true(refused > 0);
    quartic_free(facts);
}

static VkInstance make_instance(uint32_t version) {
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .apiVersion = version};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pApplicationInfo = &application};
    PFN_vkCreateInstance create =
        (PFN_vkCreateInstance)app.instance.vk.GetInstanceProcAddr(NULL, "vkCreateInstance");
    VkInstance instance;
    application_check(create(&info, NULL, &instance));
    return instance;
}

/* The device of an application that asked for less than Vulkan 1.3. */
static void an_instance_of_an_older_version_is_refused(void **state) {
    (void)state;
    const uint32_t versions[] = {VK_API_VERSION_1_0, VK_API_VERSION_1_1, VK_API_VERSION_1_2};
    const char *const words[] = {"apiVersion 1.3", "vkGetBufferDeviceAddress", "vkQueueSubmit2"};
    for (int k = 0; k < 3; ++k) {
        const VkInstance instance = make_instance(versions[k]);
        const PFN_vkGetInstanceProcAddr entry = app.instance.vk.GetInstanceProcAddr;
#define FUNCTION(name) const PFN_vk##name name = (PFN_vk##name)entry(instance, "vk" #name)
        FUNCTION(EnumeratePhysicalDevices);
        FUNCTION(CreateDevice);
        FUNCTION(GetDeviceQueue);
        FUNCTION(DestroyDevice);
        FUNCTION(DestroyInstance);
#undef FUNCTION
        uint32_t count = 1;
        VkPhysicalDevice physical;
        assert_true(EnumeratePhysicalDevices(instance, &count, &physical) >= 0);
        const float priority = 1.0f;
        const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                               .queueFamilyIndex = app.family,
                                               .queueCount = 1,
                                               .pQueuePriorities = &priority};
        const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                         .queueCreateInfoCount = 1,
                                         .pQueueCreateInfos = &queue};
        quartic_vulkan_config config = application_config();
        config.instance = instance;
        config.physical_device = physical;
        application_check(CreateDevice(physical, &info, NULL, &config.device));
        GetDeviceQueue(config.device, app.family, 0, &config.queue);
        gpu_adopt_expect_refused(&config, QUARTIC_UNSUPPORTED, words[k]);
        DestroyDevice(config.device, NULL);
        DestroyInstance(instance, NULL);
    }
}

/* What an application says it created its device with, each needed feature left out in turn. */
static void features_that_are_not_enabled_are_refused_by_name(void **state) {
    (void)state;
    VkPhysicalDeviceVulkan13Features features_13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceVulkan12Features features_12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &features_13};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &features_12};
    quartic_vulkan_enable_features(&features_12, &features_13);
    quartic_vulkan_config config = application_config();
    config.created_with = &info;
    quartic_device *device;
    assert_ok(quartic_vulkan_device_adopt(&config, &device));
    quartic_device_destroy(device);
#define LEFT_OUT(features, member)                                                                           \
    features.member = VK_FALSE;                                                                              \
    gpu_adopt_expect_refused(&config, QUARTIC_UNSUPPORTED, "without " #member ";");                          \
    features.member = VK_TRUE;
#define LEFT_OUT_12(member) LEFT_OUT(features_12, member)
#define LEFT_OUT_13(member) LEFT_OUT(features_13, member)
    QUARTIC_VULKAN_FEATURES_12(LEFT_OUT_12)
    QUARTIC_VULKAN_FEATURES_13(LEFT_OUT_13)
#undef LEFT_OUT_12
#undef LEFT_OUT_13
#undef LEFT_OUT
    /* The same features, each in a structure of its own. */
    VkPhysicalDeviceMaintenance4Features maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES, .maintenance4 = VK_TRUE};
    VkPhysicalDeviceSynchronization2Features synchronization = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SYNCHRONIZATION_2_FEATURES,
        .pNext = &maintenance,
        .synchronization2 = VK_TRUE};
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
        .pNext = &synchronization,
        .timelineSemaphore = VK_TRUE};
    VkPhysicalDeviceBufferDeviceAddressFeatures address = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES,
        .pNext = &timeline,
        .bufferDeviceAddress = VK_TRUE};
    info.pNext = &address;
    assert_ok(quartic_vulkan_device_adopt(&config, &device));
    quartic_device_destroy(device);
    info.pNext = &synchronization;
    gpu_adopt_expect_refused(&config, QUARTIC_UNSUPPORTED, "without bufferDeviceAddress, timelineSemaphore;");
    info.pNext = NULL;
    gpu_adopt_expect_refused(&config, QUARTIC_UNSUPPORTED, "synchronization2, maintenance4;");
}

/* Adoption with a cache of the application's: pipelines get into it, it stays, and no file is written. */
static void the_applications_pipeline_cache_is_used(void **state) {
    (void)state;
    char folder[TEST_FOLDER_BYTES];
    assert_true(test_folder_make("no-cache", folder));
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1); /* Mesa would write there too */
    unsetenv("QUARTIC_DISABLE");
    const VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    quartic_vulkan_config config = application_config();
    application_check(app.vk.vkCreatePipelineCache(app.device, &info, NULL, &config.pipeline_cache));
    size_t before = 0, after = 0;
    application_check(app.vk.vkGetPipelineCacheData(app.device, config.pipeline_cache, &before, NULL));
    quartic_device *device;
    assert_ok(quartic_vulkan_device_adopt(&config, &device));
    quartic_tensor *x, *out;
    quartic_program *program = make_program(device, &x, &out);
    assert_ok(quartic_program_run(program));
    quartic_program_destroy(program);
    quartic_tensor_destroy(x);
    quartic_tensor_destroy(out);
    quartic_device_destroy(device);
    application_check(app.vk.vkGetPipelineCacheData(app.device, config.pipeline_cache, &after,
                                                    NULL)); /* it is still there */
    assert_true(after >= before);
    app.vk.vkDestroyPipelineCache(app.device, config.pipeline_cache, NULL);
    assert_int_equal(rmdir(folder), 0); /* empty */
    setenv("QUARTIC_DISABLE", "cache", 1);
    unsetenv("XDG_CACHE_HOME");
}

/* Adoption fails at every Vulkan call and every allocation in turn; the application's objects stay usable. */
static void a_failed_adoption_leaves_nothing(void **state) {
    (void)state;
    const quartic_vulkan_config config = application_config();
    void (*const fail_at[])(uint64_t) = {vulkan_fail_at, quartic_alloc_fail_at};
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
        cmocka_unit_test(a_buffer_too_small_is_refused),
        cmocka_unit_test(bits_of_optional_are_checked),
        cmocka_unit_test(an_instance_of_an_older_version_is_refused),
        cmocka_unit_test(features_that_are_not_enabled_are_refused_by_name),
        cmocka_unit_test(the_applications_pipeline_cache_is_used),
        cmocka_unit_test(a_failed_adoption_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, application_begin, application_end);
}
