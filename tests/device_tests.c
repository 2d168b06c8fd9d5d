/* device_tests.c: see device_tests.h. */
#include "device_tests.h"

#include "base/alloc.h"

const test_device test_cpu = {.name = "cpu", .kind = QUARTIC_DEVICE_CPU};
const test_device test_reference = {.name = "reference", .kind = QUARTIC_DEVICE_REFERENCE};
const test_device test_reference64 = {.name = "reference64", .kind = QUARTIC_DEVICE_REFERENCE64};

/* Of the running group. */
static const test_device *running;
static quartic_device **running_device;
static int64_t running_live;

static int open_running_device(void **state) {
    if (running->begin != NULL && running->begin(state) != 0) return 1;
    running_live = quartic_alloc_live();
    quartic_device_info info;
    if (quartic_device_create(running->name, running_device) != QUARTIC_OK ||
        quartic_device_get_info(*running_device, &info) != QUARTIC_OK) {
        fprintf(stderr, "%s\n", quartic_error_message());
        return 1;
    }
    if (info.kind != running->kind) fprintf(stderr, "\"%s\" is a device of another kind\n", running->name);
    return info.kind != running->kind;
}

static int close_running_device(void **state) {
    quartic_device_destroy(*running_device);
    *running_device = NULL;
    const int64_t left = quartic_alloc_live() - running_live;
    if (left != 0) fprintf(stderr, "%s: %lld allocations left\n", running->name, (long long)left);
    const int failed = running->end != NULL ? running->end(state) : 0;
    return failed != 0 || left != 0;
}

int device_tests_run(const test_device *on, quartic_device **inout_device, const struct CMUnitTest *tests,
                     size_t count) {
    running = on;
    running_device = inout_device;
    return _cmocka_run_group_tests(on->name, tests, count, open_running_device, close_running_device);
}
