/* own_process.c: a device belongs to the process that opened it. */
#include "base/threads.h"
#include "run/run.h"

quartic_status quartic_device_expect_own_process(const quartic_device *device) {
    const int64_t process = quartic_process();
    if (device->process == process) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_UNSUPPORTED,
        "the device %s was opened in process %lld, and process %lld was made from that by fork(): threads "
        "and a driver's state do not survive it; open a device of its own in each process, after fork() or "
        "exec()",
        device->info.name, (long long)device->process, (long long)process);
}
