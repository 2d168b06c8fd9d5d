/* atomic_file.c: write aside, sync, rename, sync the folder. See atomic_file.h.
 *
 * The lock is advisory (flock) on the temporary file itself. Who gets it must look whether the name still
 * means that file: the former holder may have renamed or removed it in the meantime.
 */
#include "io/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "io/safetensors.h"

static quartic_status fail_at(const char *path, const char *what, int reason) {
    return quartic_fail(QUARTIC_IO, "cannot write %s: %s: %s", quartic_safetensors_path_end(path), what,
                        strerror(reason));
}

/* Characters of path up to and with the last slash. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* Opens and locks the temporary file: a descriptor, or -1 with errno. */
static int open_locked(const char *temporary) {
    for (;;) {
        int descriptor = open(temporary, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (descriptor < 0) return -1;
        int result;
        do result = flock(descriptor, LOCK_EX);
        while (result != 0 && errno == EINTR);
        struct stat opened, named;
        if (result == 0) result = fstat(descriptor, &opened);
        bool gone = result == 0 && (stat(temporary, &named) != 0 || opened.st_dev != named.st_dev ||
                                    opened.st_ino != named.st_ino);
        if (result == 0 && !gone) result = ftruncate(descriptor, 0);
        if (result == 0 && !gone) return descriptor;
        int reason = errno;
        close(descriptor);
        errno = reason;
        if (!gone) return -1;
    }
}

quartic_status quartic_atomic_file_begin(const char *path, quartic_atomic_file *out_file) {
    size_t folder = folder_length(path), length = strlen(path) + sizeof "..quartic-tmp";
    if (path[folder] == 0)
        return quartic_fail(QUARTIC_IO, "cannot write \"%s\": a file name is missing", path);
    if (access(path, F_OK) == 0 && access(path, W_OK) != 0)
        return fail_at(path, "the file is protected", errno);
    *out_file = (quartic_atomic_file){.path = path, .temporary = quartic_alloc(length, 1), .descriptor = -1};
    if (out_file->temporary == NULL) return QUARTIC_OUT_OF_MEMORY;
    snprintf(out_file->temporary, length, "%.*s.%s.quartic-tmp", (int)folder, path, path + folder);
    out_file->descriptor = open_locked(out_file->temporary);
    if (out_file->descriptor >= 0) return QUARTIC_OK;
    quartic_status status = fail_at(path, "no temporary file can be made beside it", errno);
    quartic_free(out_file->temporary);
    return status;
}

quartic_status quartic_atomic_file_write(quartic_atomic_file *file, const void *bytes, size_t count) {
    const unsigned char *next = bytes;
    while (count > 0) {
        ssize_t put = write(file->descriptor, next, count);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return fail_at(file->path, "writing failed", put < 0 ? errno : ENOSPC);
        next += put;
        count -= (size_t)put;
    }
    return QUARTIC_OK;
}

/* Makes the renaming itself durable. Some file systems cannot sync a folder and say EINVAL. */
static quartic_status sync_folder(const char *path) {
    size_t folder = folder_length(path);
    char *name = quartic_alloc(folder + 2, 1);
    if (name == NULL) return QUARTIC_OUT_OF_MEMORY;
    if (folder == 0)
        strcpy(name, ".");
    else
        memcpy(name, path, folder);
    int descriptor = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    quartic_free(name);
    quartic_status status = QUARTIC_OK;
    /* A folder may be writable but not readable: then it cannot be opened for syncing. */
    if (descriptor < 0)
        return errno == EACCES ? QUARTIC_OK : fail_at(path, "its folder cannot be synced", errno);
    if (fsync(descriptor) != 0 && errno != EINVAL)
        status = fail_at(path, "its folder cannot be synced", errno);
    close(descriptor);
    return status;
}

quartic_status quartic_atomic_file_commit(quartic_atomic_file *file) {
    quartic_status status = QUARTIC_OK;
    if (fsync(file->descriptor) != 0)
        status = fail_at(file->path, "syncing failed", errno);
    else if (rename(file->temporary, file->path) != 0)
        status = fail_at(file->path, "renaming failed", errno);
    if (status != QUARTIC_OK) {
        quartic_atomic_file_discard(file);
        return status;
    }
    close(file->descriptor);
    quartic_free(file->temporary);
    return sync_folder(file->path);
}

void quartic_atomic_file_discard(quartic_atomic_file *file) {
    unlink(file->temporary); /* before the lock goes with the descriptor */
    close(file->descriptor);
    quartic_free(file->temporary);
}
