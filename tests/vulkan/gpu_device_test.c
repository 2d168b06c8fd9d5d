/* gpu_device_test.c: listing and opening devices, kill switches, a machine without loader or driver, the
 * pipeline cache file in use. */
#include "vulkan/vulkan_test.h"

#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "gpu/internal.h"
#include "quartic/host.h"

static void the_list_names_at_least_one_usable_device(void **state) {
    (void)state;
    quartic_gpu_caps *caps;
    uint32_t count;
    assert_ok(quartic_gpu_list(&caps, &count));
    assert_true(count >= 1);
    assert_true(caps[0].usable);
    assert_true(strlen(caps[0].name) > 0 && strlen(caps[0].driver) > 1);
    assert_true(caps[0].memory_bytes > 0 && caps[0].max_buffer_bytes >= 1u << 28);
    assert_true(caps[0].subgroup_size >= 1 && caps[0].compute_units >= 1);
    for (uint32_t k = 1; k < count; ++k) assert_true(caps[k - 1].rank <= caps[k].rank || !caps[k].usable);
    quartic_free(caps);
}

static void a_device_opens_and_closes(void **state) {
    (void)state;
    quartic_gpu_device *device = vulkan_test_gpu();
    assert_true(quartic_gpu_device_caps(device)->usable);
    quartic_gpu_device_destroy(device);
    quartic_gpu_device_destroy(NULL);
    assert_int_equal(quartic_gpu_device_create(1000, &device), QUARTIC_UNAVAILABLE);
    assert_null(device);
    assert_non_null(strstr(quartic_error_message(), "no Vulkan device 1000"));
}

static void kill_switches_reach_the_device(void **state) {
    (void)state;
    setenv("QUARTIC_DISABLE", "cache,float16,timestamps,mapping", 1);
    quartic_gpu_device *device = vulkan_test_gpu();
    const quartic_gpu_caps *caps = quartic_gpu_device_caps(device);
    assert_false(caps->float16 || caps->cooperative_matrix || caps->map_memory);
    assert_int_equal(caps->timestamp_bits, 0);
    quartic_gpu_device_destroy(device);
    setenv("QUARTIC_DISABLE", "cache", 1);
}

static void gpu_device_hear(void *context, quartic_log_level level, const char *message) {
    assert_int_equal(level, QUARTIC_LOG_ERROR);
    snprintf(context, 512, "%s", message);
}

/* A clean run means something only if a mistake is heard, and by whom the program says. */
static void the_layers_are_listening(void **state) {
    (void)state;
    quartic_gpu_device *device = vulkan_test_gpu();
    uint64_t before = quartic_gpu_validation_messages();
    char heard[512] = "";
    quartic_log_set(gpu_device_hear, heard);
    const VkBufferCreateInfo mistake = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .usage = 0, .size = 16};
    VkBuffer buffer = VK_NULL_HANDLE;
    device->vk.vkCreateBuffer(device->handle, &mistake, NULL, &buffer);
    quartic_log_set(NULL, NULL);
    assert_true(quartic_gpu_validation_messages() > before);
    assert_non_null(strstr(heard, "validation: "));
    assert_non_null(strstr(heard, "vkCreateBuffer"));
    device->vk.vkDestroyBuffer(device->handle, buffer, NULL);
    vulkan_test_messages += quartic_gpu_validation_messages() - before;
    quartic_gpu_device_destroy(device);
}

static void a_missing_loader_is_unavailable(void **state) {
    (void)state;
    quartic_gpu_caps *caps;
    uint32_t count;
    setenv("QUARTIC_VULKAN_LOADER", "/nonexistent/libvulkan.so.1", 1);
    assert_int_equal(quartic_gpu_list(&caps, &count), QUARTIC_UNAVAILABLE);
    assert_null(caps);
    assert_non_null(strstr(quartic_error_message(), "/nonexistent/libvulkan.so.1"));
    /* A library that is no loader. */
    setenv("QUARTIC_VULKAN_LOADER", "libm.so.6", 1);
    assert_int_equal(quartic_gpu_list(&caps, &count), QUARTIC_UNAVAILABLE);
    assert_non_null(strstr(quartic_error_message(), "vkGetInstanceProcAddr"));

    /* The CPU devices are there all the same. */
    quartic_device_info infos[8];
    assert_ok(quartic_device_list(infos, 8, &count));
    assert_true(count >= 1);
    assert_string_equal(infos[0].name, "cpu");
    quartic_device *device;
    assert_int_equal(quartic_device_create("vulkan", &device), QUARTIC_UNAVAILABLE);
    unsetenv("QUARTIC_VULKAN_LOADER");
}

static void a_missing_driver_is_unavailable(void **state) {
    (void)state;
    quartic_gpu_caps *caps;
    uint32_t count;
    setenv("VK_DRIVER_FILES", "/nonexistent/icd.json", 1);
    setenv("VK_ICD_FILENAMES", "/nonexistent/icd.json", 1); /* the name that older loaders know */
    assert_int_equal(quartic_gpu_list(&caps, &count), QUARTIC_UNAVAILABLE);
    assert_true(strlen(quartic_error_message()) > 0);
    unsetenv("VK_DRIVER_FILES");
    unsetenv("VK_ICD_FILENAMES");
}

/* Compiles one pipeline, so that there is something to cache; the bytes of the driver's cache then. */
static size_t use_a_pipeline(void) {
    quartic_gpu_device *device = vulkan_test_gpu();
    const quartic_gpu_command command = {.shader = "binary", .groups = {1, 1, 1}, .args_bytes = 4};
    VkPipeline pipeline;
    assert_ok(quartic_gpu_pipelines_prepare(device, &command, 1, &pipeline));
    size_t bytes = 0;
    assert_int_equal(device->vk.vkGetPipelineCacheData(device->handle, device->cache, &bytes, NULL),
                     VK_SUCCESS);
    void *data = quartic_alloc(bytes, 1);
    assert_int_equal(device->vk.vkGetPipelineCacheData(device->handle, device->cache, &bytes, data),
                     VK_SUCCESS);
    quartic_free(data);
    quartic_gpu_device_destroy(device);
    return bytes;
}

static void the_pipeline_cache_survives_damage(void **state) {
    (void)state;
    char folder[TEST_FOLDER_BYTES], path[QUARTIC_GPU_PATH];
    assert_true(test_folder_make("pipelines", folder));
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1); /* Mesa would write there too */
    unsetenv("QUARTIC_DISABLE");
    quartic_gpu_caps *caps;
    uint32_t count;
    assert_ok(quartic_gpu_list(&caps, &count));
    quartic_gpu_cache_path(&caps[0], path);
    const size_t given = use_a_pipeline();
    size_t bytes = 0;
    void *data = quartic_gpu_cache_load(&caps[0], &bytes);
    if (given < QUARTIC_GPU_LEAST_CACHE) {
        /* A driver whose caches hold nothing (lavapipe 26): no file, and nothing to damage. */
        assert_null(data);
        assert_int_equal(access(path, F_OK), -1);
        quartic_free(caps);
        rmdir(folder);
        setenv("QUARTIC_DISABLE", "cache", 1);
        return;
    }
    assert_non_null(data);
    assert_true(bytes >= 32); /* the header that Vulkan itself puts in front */
    quartic_free(data);
    use_a_pipeline(); /* a hit */

    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, -1, SEEK_END);
    fputc(0x5a, file);
    fputc(0x5a, file);
    fclose(file);
    assert_null(quartic_gpu_cache_load(&caps[0], &bytes));
    use_a_pipeline(); /* a miss, and the file is whole again */
    data = quartic_gpu_cache_load(&caps[0], &bytes);
    assert_non_null(data);
    quartic_free(data);
    quartic_free(caps);
    remove(path);
    snprintf(path, sizeof path, "%s/quartic", folder);
    assert_int_equal(rmdir(path), 0); /* no temporary file is left */
    setenv("FOLDER", folder, 1);      /* the validation layers may have a file of their own there */
    assert_int_equal(system("rm -rf -- \"$FOLDER\""), 0);
    setenv("QUARTIC_DISABLE", "cache", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_names_at_least_one_usable_device),
        cmocka_unit_test(a_device_opens_and_closes),
        cmocka_unit_test(kill_switches_reach_the_device),
        cmocka_unit_test(the_layers_are_listening),
        cmocka_unit_test(a_missing_loader_is_unavailable),
        cmocka_unit_test(a_missing_driver_is_unavailable),
        cmocka_unit_test(the_pipeline_cache_survives_damage),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
