/* run_lock.c: flock on a run's folder. See run_lock.h. */
#include "tool/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_lock(int *descriptor) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
}

/* *out_descriptor is -1 where the folder cannot be locked. False, with a message, if another run holds it. */
static bool lock_folder(const command *command, const char *folder, int *out_descriptor) {
    *out_descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = -1;
    if (*out_descriptor >= 0) do
            result = flock(*out_descriptor, LOCK_EX | LOCK_NB);
        while (result != 0 && errno == EINTR);
    if (result == 0) return true;
    const int reason = errno;
    close_lock(out_descriptor);
    if (reason == EWOULDBLOCK) {
        tool_fail(command, "wait until it ends, or choose another folder with --out.",
                  "another run is at work in %s", folder);
        return false;
    }
    tool_warn(command, "%s cannot be locked (%s), so nothing keeps a second run out of it; this one goes on",
              folder, strerror(reason));
    return true;
}

/* The folder that a file is in behind all links, freed with free; NULL if there is no such file. */
static char *real_folder(const char *file) {
    char *path = realpath(file, NULL), *slash = path == NULL ? NULL : strrchr(path, '/');
    if (slash != NULL) slash[slash == path] = 0;
    return path;
}

static bool is_same_folder(const char *a, const char *b) {
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

bool run_lock_take(const command *command, const char *folder, const char *file, run_lock *lock) {
    if (!lock_folder(command, folder, &lock->descriptor)) return false;
    char *real = file == NULL ? NULL : real_folder(file);
    const bool locked =
        real == NULL || is_same_folder(folder, real) || lock_folder(command, real, &lock->of_file);
    free(real);
    if (!locked) run_lock_release(lock);
    return locked;
}

void run_lock_release(run_lock *lock) {
    close_lock(&lock->descriptor);
    close_lock(&lock->of_file);
}
