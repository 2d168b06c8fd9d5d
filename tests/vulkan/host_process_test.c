/* host_process_test.c: Vulkan devices in processes that are not the library's own. fork(): in a child, a
 * parent's devices are refused with a message and can be destroyed, and the CPU devices work; a child of a
 * parent that had closed its own may open one. Nothing hangs. Floating point: the host's rounding, traps and
 * flushing of subnormal numbers reach neither the driver's threads nor its compiler.
 */
#define _GNU_SOURCE /* feenableexcept */
#include "vulkan/vulkan_test.h"

#include <fenv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "quartic/quartic.h"

static void vulkan_host_process_expect_of_child(int (*work)(void)) {
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) _exit(work());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) fail_msg("the child ended with wait status %d", status);
}

static quartic_graph *host_process_make_graph(void) {
    quartic_graph *graph;
    if (quartic_graph_create(&graph) != QUARTIC_OK) return NULL;
    quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4));
    quartic_graph_output(graph, "b", quartic_add(graph, a, a));
    return graph;
}

/* 0 if a device of this name doubles numbers. */
static int doubles(const char *name) {
    const float numbers[] = {1, -2, 3, 4};
    float got[4] = {0};
    quartic_device *device;
    quartic_program *program = NULL;
    quartic_graph *graph = host_process_make_graph();
    if (graph == NULL || quartic_device_create(name, &device) != QUARTIC_OK) return 1;
    if (quartic_program_create(device, graph, NULL, &program) != QUARTIC_OK) return 2;
    if (quartic_tensor_write(quartic_program_tensor(program, "a"), numbers, sizeof numbers) != QUARTIC_OK ||
        quartic_program_run(program) != QUARTIC_OK ||
        quartic_tensor_read(quartic_program_tensor(program, "b"), got, sizeof got) != QUARTIC_OK)
        return 3;
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
    for (int i = 0; i < 4; ++i)
        if (got[i] != 2 * numbers[i]) return 4;
    return 0;
}

static quartic_device *parents;
static quartic_program *parents_program;

static int vulkan_host_process_refused(quartic_status status) {
    return status == QUARTIC_UNSUPPORTED &&
           strstr(quartic_error_message(), "made from that by fork()") != NULL;
}

static int use_the_parents(void) {
    float numbers[4] = {0};
    quartic_tensor *tensor = quartic_program_tensor(parents_program, "a");
    quartic_graph *graph = host_process_make_graph();
    quartic_program *program;
    quartic_tensor *fresh;
    if (!vulkan_host_process_refused(quartic_program_run(parents_program))) return 1;
    if (!vulkan_host_process_refused(quartic_tensor_write(tensor, numbers, sizeof numbers))) return 2;
    if (!vulkan_host_process_refused(quartic_tensor_read(tensor, numbers, sizeof numbers))) return 3;
    if (!vulkan_host_process_refused(quartic_program_create(parents, graph, NULL, &program))) return 4;
    if (!vulkan_host_process_refused(
            quartic_tensor_create(parents, QUARTIC_FLOAT32, &QUARTIC_SHAPE(4), &fresh)))
        return 5;
    quartic_graph_destroy(graph);
    quartic_program_destroy(parents_program);
    quartic_device_destroy(parents);
    return 0;
}

static int open_others(void) {
    quartic_device *device;
    if (quartic_device_create("vulkan", &device) != QUARTIC_UNAVAILABLE) return 11;
    if (strstr(quartic_error_message(), "made by fork()") == NULL) return 12;
    quartic_device_info infos[16];
    uint32_t count = 0;
    if (quartic_device_list(infos, 16, &count) != QUARTIC_OK || count != 3) return 13; /* those of the CPU */
    return doubles("cpu");
}

static void a_parents_devices_are_refused_in_its_child(void **state) {
    (void)state;
    quartic_graph *graph = host_process_make_graph();
    assert_int_equal(quartic_device_create("vulkan", &parents), QUARTIC_OK);
    assert_int_equal(quartic_program_create(parents, graph, NULL, &parents_program), QUARTIC_OK);
    assert_int_equal(quartic_program_run(parents_program), QUARTIC_OK);
    vulkan_host_process_expect_of_child(use_the_parents);
    vulkan_host_process_expect_of_child(open_others);
    assert_int_equal(quartic_program_run(parents_program), QUARTIC_OK); /* the parent is as it was */
    quartic_program_destroy(parents_program);
    quartic_device_destroy(parents);
    quartic_graph_destroy(graph);
}

static int host_process_open_vulkan(void) {
    return doubles("vulkan");
}

static void a_child_may_open_vulkan_where_its_parent_has_none_open(void **state) {
    (void)state;
    assert_int_equal(doubles("vulkan"), 0);
    vulkan_host_process_expect_of_child(host_process_open_vulkan);
    assert_int_equal(doubles("vulkan"), 0);
}

/* exp of numbers from -60 to 60 and a product of a size of its own, so that shaders are compiled in this
 * setting. */
static quartic_status vulkan_host_process_compute(uint32_t side, float *out_numbers) {
    quartic_device *device = NULL;
    quartic_graph *graph = NULL;
    quartic_program *program = NULL;
    quartic_status status = quartic_device_create("vulkan", &device);
    if (status == QUARTIC_OK) status = quartic_graph_create(&graph);
    if (status == QUARTIC_OK) {
        quartic_value x = quartic_range(graph, side * side, -60.0f, 120.0f / (float)(side * side));
        quartic_value y = quartic_reshape(graph, quartic_exp(graph, x), &QUARTIC_SHAPE(side, side));
        quartic_graph_output(graph, "y", quartic_matmul(graph, y, quartic_divide(graph, y, y), NULL));
        status = quartic_program_create(device, graph, NULL, &program);
    }
    if (status == QUARTIC_OK) status = quartic_program_run(program);
    if (status == QUARTIC_OK)
        status = quartic_tensor_read(quartic_program_tensor(program, "y"), out_numbers,
                                     (size_t)side * side * sizeof *out_numbers);
    quartic_program_destroy(program);
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
    return status;
}

static void set(int setting) {
    switch (setting) {
    case 0:
        fesetround(FE_UPWARD);
        break;
#if defined(__GLIBC__) && defined(__x86_64__)
    case 1:
        feenableexcept(FE_ALL_EXCEPT);
        break;
    case 2:
        _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
        break;
#endif
    default:
        break;
    }
}

static void floating_point_settings_do_not_reach_a_device(void **state) {
    (void)state;
    enum { SIDE = 24 };
    float want[SIDE * SIDE], got[SIDE * SIDE];
    fenv_t standard, before, after;
    assert_int_equal(vulkan_host_process_compute(SIDE, want), QUARTIC_OK);
    fegetenv(&standard);
    for (int setting = 0; setting < 3; ++setting) {
        memset(got, 0, sizeof got);
        memset(&before, 0, sizeof before);
        memset(&after, 0, sizeof after);
        feclearexcept(FE_ALL_EXCEPT);
        set(setting);
        fegetenv(&before);
        const quartic_status status = vulkan_host_process_compute(SIDE, got);
        fegetenv(&after);
        fesetenv(&standard);
        assert_int_equal(status, QUARTIC_OK);
        assert_memory_equal(want, got, sizeof want);
        assert_memory_equal(&before, &after, sizeof before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parents_devices_are_refused_in_its_child),
        cmocka_unit_test(a_child_may_open_vulkan_where_its_parent_has_none_open),
        cmocka_unit_test(floating_point_settings_do_not_reach_a_device),
    };
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
