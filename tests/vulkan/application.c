/* application.c: see application.h. */
#include "vulkan/application.h"

application app;

void application_check(VkResult result) {
    assert_int_equal(result, VK_SUCCESS);
}

static void make_pipeline(void) {
    const VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(quartic_binary_args)};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &range};
    application_check(app.vk.vkCreatePipelineLayout(app.device, &layout, NULL, &app.layout));
    uint32_t k = 0;
    while (strcmp(quartic_spirv_table[k].name, "binary") != 0) ++k;
    const VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                  .codeSize = quartic_spirv_table[k].bytes,
                                                  .pCode = quartic_spirv_table[k].words};
    VkShaderModule module;
    application_check(app.vk.vkCreateShaderModule(app.device, &module_info, NULL, &module));
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
    application_check(
        app.vk.vkCreateComputePipelines(app.device, VK_NULL_HANDLE, 1, &info, NULL, &app.doubler));
    app.vk.vkDestroyShaderModule(app.device, module, NULL);
}

static void make_buffer(void) {
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = BYTES,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT};
    application_check(app.vk.vkCreateBuffer(app.device, &info, NULL, &app.buffer));
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
    application_check(app.vk.vkAllocateMemory(app.device, &allocate, NULL, &app.memory));
    application_check(app.vk.vkBindBufferMemory(app.device, app.buffer, app.memory, 0));
    void *mapped;
    application_check(app.vk.vkMapMemory(app.device, app.memory, 0, VK_WHOLE_SIZE, 0, &mapped));
    app.mapped = mapped;
    const VkBufferDeviceAddressInfo where = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                             .buffer = app.buffer};
    app.address = app.vk.vkGetBufferDeviceAddress(app.device, &where);
}

static void make_device(void) {
    assert_ok(quartic_gpu_instance_create(&app.instance));
    quartic_gpu_found *found;
    uint32_t count;
    assert_ok(quartic_gpu_instance_devices(&app.instance, &found, &count));
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
    static const float priority = 1.0f;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = app.family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .pNext = &features_12,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue};
    application_check(app.instance.vk.CreateDevice(app.physical, &info, NULL, &app.device));
    quartic_vk_load_device(&app.instance.vk, app.device, &app.vk);
    app.vk.vkGetDeviceQueue(app.device, app.family, 0, &app.queue);
}

int application_begin(void **state) {
    vulkan_test_begin(state);
    make_device();
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = app.family};
    application_check(app.vk.vkCreateCommandPool(app.device, &pool, NULL, &app.pool));
    const VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = app.pool,
                                                  .commandBufferCount = 1};
    application_check(app.vk.vkAllocateCommandBuffers(app.device, &commands, &app.commands));
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    application_check(app.vk.vkCreateFence(app.device, &fence, NULL, &app.fence));
    make_pipeline();
    make_buffer();
    return 0;
}

int application_end(void **state) {
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

quartic_vulkan_config application_config(void) {
    quartic_vulkan_config config = QUARTIC_VULKAN_CONFIG_INIT;
    config.instance = app.instance.handle;
    config.physical_device = app.physical;
    config.device = app.device;
    config.queue_family = app.family;
    config.queue = app.queue;
    config.get_instance_proc_addr = app.instance.vk.GetInstanceProcAddr;
    return config;
}

void application_barrier(VkAccessFlags2 from, VkPipelineStageFlags2 to_stage, VkAccessFlags2 to) {
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

void application_submit(void) {
    const VkCommandBufferSubmitInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                              .commandBuffer = app.commands};
    const VkSubmitInfo2 submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                  .commandBufferInfoCount = 1,
                                  .pCommandBufferInfos = &buffer};
    application_check(app.vk.vkQueueSubmit2(app.queue, 1, &submit, app.fence));
    application_check(app.vk.vkWaitForFences(app.device, 1, &app.fence, VK_TRUE, UINT64_MAX));
    application_check(app.vk.vkResetFences(app.device, 1, &app.fence));
}
