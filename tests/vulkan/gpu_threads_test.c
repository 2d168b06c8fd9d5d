/* gpu_threads_test.c: two threads, each with a device, programs and error message of its own, at the same
 * time. */
#include "vulkan/vulkan_test.h"

#include <pthread.h>
#include <string.h>

#include "quartic/program.h"

enum { THREADS = 2, ROUNDS = 3, COUNT = 5000 };

typedef struct worker {
    float start;
    const char *trouble; /* what went wrong, NULL if nothing */
} worker;

/* out = x + x with x = start + k; cmocka's assertions are for the main thread only. */
static const char *one_round(float start) {
    static _Thread_local float numbers[COUNT];
    quartic_device *device;
    quartic_graph *graph;
    quartic_program *program;
    if (quartic_device_create("vulkan", &device) != QUARTIC_OK) return "no device";
    if (quartic_graph_create(&graph) != QUARTIC_OK) return "no graph";
    quartic_shape shape = QUARTIC_SHAPE(COUNT);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_graph_output(graph, "out", quartic_add(graph, x, x));
    if (quartic_program_create(device, graph, NULL, &program) != QUARTIC_OK) return "no program";
    quartic_graph_destroy(graph);
    for (int run = 0; run < 20; ++run) {
        for (int k = 0; k < COUNT; ++k) numbers[k] = start + (float)(k + run);
        if (quartic_tensor_write(quartic_program_tensor(program, "x"), numbers, sizeof numbers) !=
                QUARTIC_OK ||
            quartic_program_run(program) != QUARTIC_OK ||
            quartic_tensor_read(quartic_program_tensor(program, "out"), numbers, sizeof numbers) !=
                QUARTIC_OK)
            return "a run failed";
        for (int k = 0; k < COUNT; ++k)
            if (numbers[k] != 2.0f * (start + (float)(k + run))) return "wrong numbers";
    }
    quartic_program_destroy(program);
    quartic_device_destroy(device);
    return NULL;
}

static void *work(void *argument) {
    worker *w = argument;
    for (int round = 0; round < ROUNDS && w->trouble == NULL; ++round) w->trouble = one_round(w->start);
    return NULL;
}

static void two_threads_drive_their_own_devices(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    worker workers[THREADS] = {{.start = 1.0f}, {.start = -70000.0f}};
    for (int t = 0; t < THREADS; ++t)
        assert_int_equal(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
    for (int t = 0; t < THREADS; ++t) pthread_join(threads[t], NULL);
    for (int t = 0; t < THREADS; ++t)
        if (workers[t].trouble != NULL) fail_msg("thread %d: %s", t, workers[t].trouble);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_threads_drive_their_own_devices)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
