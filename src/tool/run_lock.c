/* run_lock.c: flock on a run's folder. See run_lock.h. */
#include "tool/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool run_lock_take(const command *command, const char *folder, run_lock *lock) {
    lock->descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = -1;
    if (lock->descriptor >= 0) do
            result = flock(lock->descriptor, LOCK_EX | LOCK_NB);
        while (result != 0 && errno == EINTR);
    if (result == 0) return true;
    const int reason = errno;
    run_lock_release(lock);
    if (reason == EWOULDBLOCK) {
        tool_fail(command, "wait until it ends, or choose another folder with --out.",
                  "another run is at work in %s", folder);
        return false;
    }
    tool_warn(command, "%s cannot be locked (%s), so nothing keeps a second run out of it; this one goes on",
              folder, strerror(reason));
    return true;
}

void run_lock_release(run_lock *lock) {
    if (lock->descriptor >= 0) close(lock->descriptor);
    lock->descriptor = -1;
}
