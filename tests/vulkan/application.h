/* application.h: an application with a Vulkan of its own, whose guest the library is: shared by the tests of
 * that. application_begin and application_end are the setup and teardown of a group. */
#ifndef QUARTIC_TESTS_APPLICATION_H
#define QUARTIC_TESTS_APPLICATION_H

#include "vulkan/vulkan_test.h"

#include "gpu/internal.h"
#include "quartic/vulkan.h"
#include "shaders/binary.args.h"

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

enum { COUNT = 777 }; /* elements of x, out and y */

enum { OUT_AT = 4096, Y_AT = 8192, BYTES = 12288 };

extern application app;

/* Fails the test unless the result is VK_SUCCESS. */
void application_check(VkResult result);

int application_begin(void **state);

int application_end(void **state);

quartic_vulkan_config application_config(void);

void application_barrier(VkAccessFlags2 from, VkPipelineStageFlags2 to_stage, VkAccessFlags2 to);

void application_submit(void);

#endif
