/* no_flock.c: preloaded into the tool, a flock that does not exist: a system or file system without locks. */
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>

int flock(int descriptor, int operation) {
    const char *reason = getenv("QUARTIC_TEST_FLOCK");
    (void)descriptor;
    (void)operation;
    errno = reason != NULL && reason[0] == 'O' ? EOPNOTSUPP : ENOSYS;
    return -1;
}
