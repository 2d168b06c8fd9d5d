/* memory_test.c: programs larger than the machine are refused with the figures before anything is allocated,
 * on every CPU device. A system that overcommits would grant the memory and end the process later. */
#include "expect.h"

#include <sys/resource.h>

#include "base/alloc.h"
#include "quartic/program.h"

/* 8 TiB in values as large as one can be; before them one that every machine has room for. */
enum { VALUES = 1024, LARGEST = 2147483647, FITTING = 64 << 20 };

static const char *const devices[] = {"cpu", "reference", "reference64"};

static void build_tensors(quartic_graph *graph) {
    quartic_value first = quartic_graph_state(graph, "fitting", QUARTIC_FLOAT32, &QUARTIC_SHAPE(FITTING));
    for (uint32_t k = 0; k < VALUES; ++k) {
        char name[16];
        snprintf(name, sizeof name, "state %u", k);
        quartic_value state = quartic_graph_state(graph, name, QUARTIC_FLOAT32, &QUARTIC_SHAPE(LARGEST));
        quartic_accumulate(graph, quartic_slice(graph, state, 0, 0, 1), quartic_slice(graph, first, 0, 0, 1),
                           1.0f);
    }
}

/* All alive at once: the sum begins after the last is made. */
static void build_intermediates(quartic_graph *graph) {
    quartic_value first = quartic_graph_state(graph, "fitting", QUARTIC_FLOAT32, &QUARTIC_SHAPE(FITTING));
    quartic_value made[VALUES], sum = quartic_slice(graph, first, 0, 0, 1);
    for (uint32_t k = 0; k < VALUES; ++k) made[k] = quartic_range(graph, LARGEST, (float)k, 1.0f);
    for (uint32_t k = 0; k < VALUES; ++k)
        sum = quartic_add(graph, sum, quartic_slice(graph, made[k], 0, 0, 1));
    quartic_graph_output(graph, "sum", sum);
}

static long resident_kibibytes(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void memory_expect_refused(const char *device_name, void (*build)(quartic_graph *), bool of_tensors) {
    quartic_device *device;
    quartic_device_info info;
    quartic_graph *graph;
    quartic_program_memory need;
    quartic_program *program;
    assert_int_equal(quartic_device_create(device_name, &device), QUARTIC_OK);
    assert_int_equal(quartic_device_get_info(device, &info), QUARTIC_OK);
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    build(graph);
    assert_int_equal(quartic_program_measure(device, graph, NULL, &need), QUARTIC_OK);
    const double tebibytes = 0x1p-40;
    const uint64_t large = of_tensors ? need.own_tensor_bytes : need.workspace_bytes;
    assert_true((double)large * tebibytes > 7.9 && info.memory_bytes < large);

    const int64_t live = quartic_alloc_live();
    const long before = resident_kibibytes();
    assert_int_equal(quartic_program_create(device, graph, NULL, &program), QUARTIC_OUT_OF_MEMORY);
    assert_null(program);
    assert_int_equal(quartic_alloc_live(), live);
    assert_true(resident_kibibytes() - before <= 64 << 10); /* not even the tensor that fits */

    char figures[128];
    snprintf(figures, sizeof figures, "%.1f MiB more are needed, but this machine has ",
             (double)(need.own_tensor_bytes + need.workspace_bytes) * 0x1p-20);
    assert_non_null(strstr(quartic_error_message(), figures));
    snprintf(figures, sizeof figures, " MiB left of %.1f MiB; make the batch, the sequence or the model",
             (double)info.memory_bytes * 0x1p-20);
    assert_non_null(strstr(quartic_error_message(), figures));
    quartic_graph_destroy(graph);
    quartic_device_destroy(device);
}

static void tensors_larger_than_the_machine_are_refused(void **state) {
    (void)state;
    for (size_t d = 0; d < sizeof devices / sizeof devices[0]; ++d)
        memory_expect_refused(devices[d], build_tensors, true);
}

static void intermediates_larger_than_the_machine_are_refused(void **state) {
    (void)state;
    for (size_t d = 0; d < sizeof devices / sizeof devices[0]; ++d)
        memory_expect_refused(devices[d], build_intermediates, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_larger_than_the_machine_are_refused),
        cmocka_unit_test(intermediates_larger_than_the_machine_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
