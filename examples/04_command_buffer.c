/* 04_command_buffer.c: the library inside an application that owns its Vulkan device.
 *
 * The application makes instance, device, queue, buffers and command buffer as usual. The library adopts the
 * device, takes one of the application's buffers as a tensor, and records a compiled program between two of
 * the application's own commands: a fill before, a copy after. The application submits all of it. New here:
 * quartic_vulkan_enable_features, quartic_vulkan_device_adopt, quartic_vulkan_tensor_wrap,
 * quartic_program_record.
 */
#include <quartic/quartic.h>
#include <quartic/vulkan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 1024 };

static void check(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

static void check_vulkan(VkResult result) {
    if (result == VK_SUCCESS) return;
    fprintf(stderr, "a Vulkan call of the application failed with %d\n", (int)result);
    exit(1);
}

typedef struct app {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkQueue queue;
    uint32_t family;
} app;

static app create_app(void) {
    app a = {0};
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                           .apiVersion = VK_API_VERSION_1_3};
    const VkInstanceCreateInfo instance = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                           .pApplicationInfo = &application};
    check_vulkan(vkCreateInstance(&instance, NULL, &a.instance));
    uint32_t count = 1;
    VkResult listed = vkEnumeratePhysicalDevices(a.instance, &count, &a.physical);
    if ((listed != VK_SUCCESS && listed != VK_INCOMPLETE) || count == 0) {
        fprintf(stderr, "there is no Vulkan device\n");
        exit(1);
    }
    VkQueueFamilyProperties families[16];
    uint32_t family_count = 16;
    vkGetPhysicalDeviceQueueFamilyProperties(a.physical, &family_count, families);
    while (a.family + 1 < family_count && !(families[a.family].queueFlags & VK_QUEUE_COMPUTE_BIT)) ++a.family;

    VkPhysicalDeviceVulkan13Features features_13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceVulkan12Features features_12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, .pNext = &features_13};
    quartic_vulkan_enable_features(&features_12, &features_13);
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = a.family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo device = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                       .pNext = &features_12,
                                       .queueCreateInfoCount = 1,
                                       .pQueueCreateInfos = &queue};
    check_vulkan(vkCreateDevice(a.physical, &device, NULL, &a.device));
    vkGetDeviceQueue(a.device, a.family, 0, &a.queue);
    return a;
}

typedef struct app_buffer {
    VkBuffer buffer;
    VkDeviceMemory memory;
    void *mapped;
} app_buffer;

/* A buffer that host and device can access. */
static app_buffer create_app_buffer(const app *a) {
    app_buffer b = {0};
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = COUNT * sizeof(float),
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT |
                 VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    check_vulkan(vkCreateBuffer(a->device, &info, NULL, &b.buffer));
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(a->device, b.buffer, &needs);
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(a->physical, &memory);
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    uint32_t type = 0;
    while (!(needs.memoryTypeBits >> type & 1u) ||
           (memory.memoryTypes[type].propertyFlags & wanted) != wanted)
        ++type; /* Vulkan guarantees that there is one */
    const VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                             .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    const VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                           .pNext = &flags,
                                           .allocationSize = needs.size,
                                           .memoryTypeIndex = type};
    check_vulkan(vkAllocateMemory(a->device, &allocate, NULL, &b.memory));
    check_vulkan(vkBindBufferMemory(a->device, b.buffer, b.memory, 0));
    check_vulkan(vkMapMemory(a->device, b.memory, 0, VK_WHOLE_SIZE, 0, &b.mapped));
    return b;
}

static void destroy_app_buffer(const app *a, app_buffer *b) {
    vkDestroyBuffer(a->device, b->buffer, NULL);
    vkFreeMemory(a->device, b->memory, NULL);
}

/* y = gelu(2 x + 1), with x in the application's buffer. */
static quartic_program *create_gelu_program(quartic_device *device, quartic_tensor *x_tensor) {
    quartic_graph *graph = NULL;
    quartic_program *program = NULL;
    check(quartic_graph_create(&graph));
    const quartic_shape shape = QUARTIC_SHAPE(COUNT);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_graph_output(graph, "y", quartic_gelu(graph, quartic_scale(graph, x, 2.0f, 1.0f)));
    const quartic_binding binding = {"x", x_tensor};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = &binding;
    config.binding_count = 1;
    check(quartic_program_create(device, graph, &config, &program));
    quartic_graph_destroy(graph);
    return program;
}

static void record_and_submit(const app *a, quartic_program *program, VkBuffer x, VkBuffer result) {
    const VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                               .queueFamilyIndex = a->family};
    VkCommandPool pool;
    check_vulkan(vkCreateCommandPool(a->device, &pool_info, NULL, &pool));
    const VkCommandBufferAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 1};
    VkCommandBuffer commands;
    check_vulkan(vkAllocateCommandBuffers(a->device, &allocate, &commands));
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    check_vulkan(vkBeginCommandBuffer(commands, &begin));
    const float half = 0.5f;
    uint32_t bits;
    memcpy(&bits, &half, sizeof bits);
    vkCmdFillBuffer(commands, x, 0, VK_WHOLE_SIZE, bits); /* the application's own work before */
    check(quartic_program_record(program, commands));
    VkBuffer y;
    VkDeviceSize offset;
    VkDeviceAddress address;
    check(quartic_vulkan_tensor_buffer(quartic_program_tensor(program, "y"), &y, &offset, &address));
    const VkBufferCopy copy = {.srcOffset = offset, .size = COUNT * sizeof(float)};
    vkCmdCopyBuffer(commands, y, result, 1, &copy); /* and after */
    check_vulkan(vkEndCommandBuffer(commands));
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
    check_vulkan(vkQueueSubmit(a->queue, 1, &submit, VK_NULL_HANDLE));
    check_vulkan(vkQueueWaitIdle(a->queue));
    vkDestroyCommandPool(a->device, pool, NULL);
}

int main(void) {
    app a = create_app();
    app_buffer x = create_app_buffer(&a), result = create_app_buffer(&a);
    quartic_vulkan_config config = QUARTIC_VULKAN_CONFIG_INIT;
    config.instance = a.instance;
    config.physical_device = a.physical;
    config.device = a.device;
    config.queue_family = a.family;
    config.queue = a.queue;
    config.get_instance_proc_addr = vkGetInstanceProcAddr;
    quartic_device *device = NULL;
    quartic_tensor *x_tensor = NULL;
    const quartic_shape shape = QUARTIC_SHAPE(COUNT);
    check(quartic_vulkan_device_adopt(&config, &device));
    check(quartic_vulkan_tensor_wrap(device, x.buffer, 0, QUARTIC_FLOAT32, &shape, &x_tensor));
    quartic_program *program = create_gelu_program(device, x_tensor);
    record_and_submit(&a, program, x.buffer, result.buffer);

    const float got = ((const float *)result.mapped)[COUNT - 1], want = 1.9544997f; /* gelu(2) */
    printf("gelu(2 * 0.5 + 1) = %.6f in the application's buffer, %.6f expected\n", (double)got,
           (double)want);

    quartic_program_destroy(program);
    quartic_tensor_destroy(x_tensor);
    quartic_device_destroy(device);
    destroy_app_buffer(&a, &x);
    destroy_app_buffer(&a, &result);
    vkDestroyDevice(a.device, NULL);
    vkDestroyInstance(a.instance, NULL);
    return got - want < 1e-5f && want - got < 1e-5f ? 0 : 1;
}
