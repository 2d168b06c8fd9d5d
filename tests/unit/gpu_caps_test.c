/* gpu_caps_test.c: capabilities from made-up devices, kill switches, order and repeated UUIDs. */
#include "expect.h"

#include "gpu/caps.h"

/* A device that has all that is asked for. */
static quartic_gpu_facts good_device(void) {
    quartic_gpu_facts facts = {
        .properties = {.apiVersion = VK_API_VERSION_1_3,
                       .deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU,
                       .limits = {.maxPushConstantsSize = 128,
                                  .maxComputeSharedMemorySize = 49152,
                                  .maxComputeWorkGroupInvocations = 1024,
                                  .maxComputeWorkGroupSize = {1024, 1024, 64},
                                  .maxComputeWorkGroupCount = {65535, 65534, 65533},
                                  .timestampPeriod = 10.0f}},
        .properties_11 = {.subgroupSize = 64, .maxMemoryAllocationSize = 1u << 30},
        .properties_13 = {.maxBufferSize = 1u << 31},
        .features_11 = {.storageBuffer16BitAccess = VK_TRUE},
        .features_12 = {.bufferDeviceAddress = VK_TRUE,
                        .timelineSemaphore = VK_TRUE,
                        .shaderFloat16 = VK_TRUE,
                        .vulkanMemoryModel = VK_TRUE,
                        .vulkanMemoryModelDeviceScope = VK_TRUE},
        .features_13 = {.synchronization2 = VK_TRUE, .maintenance4 = VK_TRUE},
        .memory = {.memoryHeapCount = 3,
                   .memoryHeaps = {{1u << 28, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT},
                                   {1ull << 33, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT},
                                   {1ull << 36, 0}}},
        .family_count = 3,
        .families = {{.queueFlags = VK_QUEUE_TRANSFER_BIT, .queueCount = 1},
                     {.queueFlags = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT,
                      .queueCount = 1,
                      .timestampValidBits = 64},
                     {.queueFlags = VK_QUEUE_COMPUTE_BIT, .queueCount = 4, .timestampValidBits = 36}},
        .cooperative_matrix = true};
    snprintf(facts.properties.deviceName, sizeof facts.properties.deviceName, "Made-up 9000");
    return facts;
}

static void a_good_device_is_usable(void **state) {
    (void)state;
    quartic_gpu_facts facts = good_device();
    quartic_gpu_caps caps = quartic_gpu_caps_from(&facts, NULL);
    assert_true(caps.usable);
    assert_string_equal(caps.why_not, "");
    assert_string_equal(caps.name, "Made-up 9000");
    assert_string_equal(caps.type, "discrete");
    assert_int_equal(caps.memory_bytes, 1ull << 33);
    assert_int_equal(caps.max_buffer_bytes, 1u << 30);
    assert_int_equal(caps.queue_family, 2); /* the one for compute alone */
    assert_int_equal(caps.timestamp_bits, 36);
    assert_true(caps.timestamp_seconds > 0.99e-8 && caps.timestamp_seconds < 1.01e-8);
    assert_int_equal(caps.max_groups[1], 65534);
    assert_int_equal(caps.subgroup_size, 64);
    assert_true(caps.float16 && caps.cooperative_matrix && caps.map_memory && caps.memory_model);
    assert_false(caps.subgroup_shuffle); /* not among its operations */
    facts.properties_11.subgroupSupportedStages = VK_SHADER_STAGE_COMPUTE_BIT;
    facts.properties_11.subgroupSupportedOperations = VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    assert_true(quartic_gpu_caps_from(&facts, NULL).subgroup_shuffle);
    assert_false(quartic_gpu_caps_from(&facts, "shuffle").subgroup_shuffle);
    assert_int_equal(quartic_gpu_caps_from(&facts, NULL).registers, 255);
    assert_int_equal(quartic_gpu_caps_from(&facts, "registers").registers, 128);
    facts.properties_13.minSubgroupSize = 16; /* Intel */
    assert_int_equal(quartic_gpu_caps_from(&facts, NULL).registers, 128);
    facts.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_CPU;
    assert_int_equal(quartic_gpu_caps_from(&facts, NULL).registers, 255);
    facts.properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    assert_false(quartic_gpu_caps_from(&facts, "memory_model").memory_model);
    facts.features_12.vulkanMemoryModelDeviceScope = VK_FALSE;
    assert_false(quartic_gpu_caps_from(&facts, NULL).memory_model);
    facts.features_12.vulkanMemoryModelDeviceScope = VK_TRUE;
    facts.portability_subset = true; /* a layer over Metal */
    assert_false(quartic_gpu_caps_from(&facts, NULL).memory_model);
    facts.portability_subset = false;
    assert_false(caps.device_fault);
    facts.device_fault = true;
    assert_true(quartic_gpu_caps_from(&facts, NULL).device_fault);
    facts.multiprocessors = 84;
    assert_int_equal(quartic_gpu_caps_from(&facts, NULL).compute_units, 84);
}

static void every_lack_is_named(void **state) {
    (void)state;
    quartic_gpu_facts facts = good_device();
    facts.features_12.bufferDeviceAddress = VK_FALSE;
    facts.features_13.synchronization2 = VK_FALSE;
    quartic_gpu_caps caps = quartic_gpu_caps_from(&facts, NULL);
    assert_false(caps.usable);
    assert_string_equal(caps.why_not, "it lacks bufferDeviceAddress, synchronization2");

    facts = good_device();
    facts.properties.apiVersion = VK_API_VERSION_1_2;
    assert_string_equal(quartic_gpu_caps_from(&facts, NULL).why_not, "it lacks Vulkan 1.3 (it offers 1.2)");

    facts = good_device();
    facts.families[1].queueFlags = VK_QUEUE_GRAPHICS_BIT;
    facts.families[2].queueCount = 0;
    assert_string_equal(quartic_gpu_caps_from(&facts, NULL).why_not, "it lacks a queue for compute");

    facts = good_device();
    facts.properties.limits.maxComputeWorkGroupInvocations = 128;
    assert_string_equal(quartic_gpu_caps_from(&facts, NULL).why_not,
                        "it lacks workgroups of 256 invocations (it offers 128)");
    facts = good_device();
    facts.properties.limits.maxComputeWorkGroupSize[0] = 255;
    assert_string_equal(quartic_gpu_caps_from(&facts, NULL).why_not,
                        "it lacks workgroups of 256 invocations (it offers 255)");

    facts = good_device();
    facts.properties.limits.maxComputeSharedMemorySize = 16383;
    assert_string_equal(quartic_gpu_caps_from(&facts, NULL).why_not,
                        "it lacks 16384 bytes of shared memory (it offers 16383)");
    facts.properties.limits.maxComputeSharedMemorySize = 16384; /* the least that Vulkan allows */
    assert_true(quartic_gpu_caps_from(&facts, NULL).usable);

    facts = good_device();
    facts.memory.memoryHeapCount = 0;
    assert_string_equal(quartic_gpu_caps_from(&facts, NULL).why_not, "it lacks device-local memory");
}

static void kill_switches_take_features_away(void **state) {
    (void)state;
    assert_true(quartic_gpu_disabled("a,coopmat,b", "coopmat"));
    assert_true(quartic_gpu_disabled("coopmat", "coopmat"));
    assert_false(quartic_gpu_disabled("coopmat2,xcoopmat", "coopmat"));
    assert_false(quartic_gpu_disabled("", "coopmat"));
    assert_false(quartic_gpu_disabled(NULL, "coopmat"));

    quartic_gpu_facts facts = good_device();
    quartic_gpu_caps caps = quartic_gpu_caps_from(&facts, "coopmat");
    assert_true(caps.float16);
    assert_false(caps.cooperative_matrix);
    caps = quartic_gpu_caps_from(&facts, "f16");
    assert_false(caps.float16);
    assert_false(caps.cooperative_matrix); /* needs float16 operands */
    assert_int_equal(quartic_gpu_caps_from(&facts, "timestamps").timestamp_bits, 0);
    assert_false(quartic_gpu_caps_from(&facts, "x,mapping").map_memory);
}

static void an_unknown_switch_is_told(void **state) {
    (void)state;
    assert_true(quartic_gpu_disabled(" shuffle , mapping", "shuffle"));
    assert_true(quartic_gpu_disabled("shuffle, mapping ", "mapping"));
    static const char *const right[] = {"",      " ",           ",",
                                        "cache", "f16,float16", "coopmat, shuffle ,timestamps,mapping,"};
    for (size_t k = 0; k < sizeof right / sizeof right[0]; ++k)
        assert_int_equal(quartic_gpu_expect_switches(right[k]), QUARTIC_OK);
    assert_int_equal(quartic_gpu_expect_switches(NULL), QUARTIC_OK);
    static const char *const wrong[] = {"Float16", "cach", "cache,caches", "cache;shuffle",
                                        "all",     "1",    "fp16"};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k) {
        assert_int_equal(quartic_gpu_expect_switches(wrong[k]), QUARTIC_INVALID_ARGUMENT);
        assert_non_null(strstr(quartic_error_message(), "QUARTIC_DISABLE"));
        assert_non_null(strstr(quartic_error_message(),
                               "coopmat, shuffle, timestamps, mapping, cache, registers and memory_model"));
    }
    assert_int_equal(quartic_gpu_expect_switches("cache,caches"), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "\"caches\""));
}

static void limits_are_only_lowered(void **state) {
    (void)state;
    quartic_gpu_facts facts = good_device();
    quartic_gpu_facts_lower(&facts, NULL);
    quartic_gpu_facts_lower(&facts, "");
    quartic_gpu_facts_lower(&facts,
                            "max_buffer_bytes=99999999999,max_shared_bytes=65536,max_invocations=2048");
    quartic_gpu_caps caps = quartic_gpu_caps_from(&facts, NULL);
    assert_int_equal(caps.max_buffer_bytes, 1u << 30);
    assert_int_equal(caps.max_shared_bytes, 49152);
    assert_int_equal(caps.max_invocations, 1024);
    quartic_gpu_facts_lower(&facts, "max_shared_bytes=16384,max_buffer_bytes=1048576");
    caps = quartic_gpu_caps_from(&facts, NULL);
    assert_int_equal(caps.max_buffer_bytes, 1048576);
    assert_int_equal(caps.max_shared_bytes, 16384);
    assert_int_equal(caps.max_invocations, 1024);
    assert_true(caps.usable);
    quartic_gpu_facts_lower(&facts, "max_invocations=64");
    assert_false(quartic_gpu_caps_from(&facts, NULL).usable);
}

static void an_unknown_limit_is_told(void **state) {
    (void)state;
    static const char *const right[] = {"", "max_invocations=0", "max_buffer_bytes=1,max_shared_bytes=2,"};
    for (size_t k = 0; k < sizeof right / sizeof right[0]; ++k)
        assert_int_equal(quartic_gpu_expect_lowered(right[k]), QUARTIC_OK);
    assert_int_equal(quartic_gpu_expect_lowered(NULL), QUARTIC_OK);
    static const char *const wrong[] = {"max_invocations",    "max_invocations=",
                                        "max_invocations=-1", "max_invocations=2k",
                                        "invocations=2",      "max_invocations=2;",
                                        "max_invocations= 2", "max_shared_bytes=1, max_invocations=2"};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; ++k) {
        assert_int_equal(quartic_gpu_expect_lowered(wrong[k]), QUARTIC_INVALID_ARGUMENT);
        assert_message("QUARTIC_LOWER_LIMITS");
        assert_message("max_buffer_bytes=N, max_shared_bytes=N and max_invocations=N");
    }
    assert_int_equal(quartic_gpu_expect_lowered("max_shared_bytes=1,odd"), QUARTIC_INVALID_ARGUMENT);
    assert_message("\"odd\"");
}

static void float16_needs_arithmetic_and_storage(void **state) {
    (void)state;
    quartic_gpu_facts facts = good_device();
    facts.features_11.storageBuffer16BitAccess = VK_FALSE;
    assert_false(quartic_gpu_caps_from(&facts, NULL).float16);
    assert_true(quartic_gpu_caps_from(&facts, NULL).usable);
}

static quartic_gpu_caps entry(quartic_gpu_rank rank, bool usable, uint8_t uuid) {
    return (quartic_gpu_caps){.rank = rank, .usable = usable, .uuid = {uuid}};
}

static void devices_are_ordered_and_listed_once(void **state) {
    (void)state;
    const quartic_gpu_caps caps[] = {
        entry(QUARTIC_GPU_SOFTWARE, true, 1),   entry(QUARTIC_GPU_DISCRETE, false, 2),
        entry(QUARTIC_GPU_INTEGRATED, true, 3), entry(QUARTIC_GPU_DISCRETE, true, 2),
        entry(QUARTIC_GPU_VIRTUAL, true, 0),    entry(QUARTIC_GPU_VIRTUAL, true, 0),
        entry(QUARTIC_GPU_DISCRETE, false, 9),
    };
    uint32_t order[7];
    /* The unusable twin of UUID 2 goes; the two without UUID both stay. */
    assert_int_equal(quartic_gpu_caps_order(caps, 7, order), 6);
    const uint32_t want[] = {3, 2, 4, 5, 0, 6};
    assert_memory_equal(order, want, sizeof want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_device_is_usable),
        cmocka_unit_test(every_lack_is_named),
        cmocka_unit_test(kill_switches_take_features_away),
        cmocka_unit_test(an_unknown_switch_is_told),
        cmocka_unit_test(limits_are_only_lowered),
        cmocka_unit_test(an_unknown_limit_is_told),
        cmocka_unit_test(float16_needs_arithmetic_and_storage),
        cmocka_unit_test(devices_are_ordered_and_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
