/* atomic_file.c: write aside, sync, rename, sync the folder. See atomic_file.h.
 *
 * The lock is advisory (flock), on the temporary file itself. A writer that gets the lock must check whether
 * the name still means that file: the former holder may have renamed or removed it. A writer only writes to a
 * file that it created. It removes one that was already there, once it has the lock, and starts again; so the
 * permissions, owner and other links of a leftover file never matter. Names are looked up in the open folder,
 * so the temporary name may be longer than the path.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH: a folder that may be written in but not read can be opened */
#endif
#include "base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

#ifndef O_PATH
#define O_PATH O_RDONLY
#endif

enum {
    MOST_LINKS = 40,    /* as the kernel */
    LONGEST_PART = 100, /* of a file's name in its temporary one; some file systems end names at 143 bytes */
    TEMPORARY_BYTES = LONGEST_PART + 64
};

/* The last characters of a long path, for messages. */
static const char *label_of(const char *path) {
    const size_t length = strlen(path);
    return length > QUARTIC_ATOMIC_FILE_LABEL ? path + length - QUARTIC_ATOMIC_FILE_LABEL : path;
}

static quartic_status fail_writing(const char *path, const char *what, int reason) {
    return quartic_fail(QUARTIC_IO, "cannot write %s: %s: %s", label_of(path), what, strerror(reason));
}

/* Characters of path up to and with the last slash. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* ---- finding the target ---- */

/* The text of a link, which the caller frees; NULL with errno on failure, EINVAL if there is no link at
 * path. */
static char *read_link(const char *path) {
    for (size_t room = 128;; room *= 2) {
        char *text = quartic_alloc(room, 1);
        if (text == NULL) {
            errno = ENOMEM;
            return NULL;
        }
        const ssize_t got = readlink(path, text, room - 1);
        if (got >= 0 && (size_t)got < room - 1) return text;
        const int reason = errno;
        quartic_free(text);
        errno = reason;
        if (got < 0) return NULL;
    }
}

/* Follows the links at the end of path, to a name that may not exist yet, which the caller frees. Sets
 * *out_open if a link in /proc is on the way: such links stand for open files and not for names. NULL with
 * errno on failure. */
static char *follow_links(const char *path, bool *out_open) {
    char *at = quartic_alloc(strlen(path) + 1, 1);
    *out_open = false;
    if (at == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    strcpy(at, path);
    for (int links = 0;; ++links) {
        char *link = links < MOST_LINKS ? read_link(at) : (errno = ELOOP, NULL);
        if (link == NULL && (errno == EINVAL || errno == ENOENT)) return at;
        if (link != NULL && strncmp(at, "/proc/", 6) == 0) {
            *out_open = true;
            quartic_free(link);
            return at;
        }
        const size_t folder = link == NULL || link[0] == '/' ? 0 : folder_length(at);
        char *next = link == NULL ? NULL : quartic_alloc(folder + strlen(link) + 1, 1);
        const int reason = link == NULL ? errno : ENOMEM;
        if (next != NULL) {
            memcpy(next, at, folder);
            strcpy(next + folder, link);
        }
        quartic_free(link);
        quartic_free(at);
        at = next;
        if (at == NULL) {
            errno = reason;
            return NULL;
        }
    }
}

/* A descriptor of the file behind a /proc link. Where stdout or stderr has the file open, it is their
 * duplicate: a second opening would have a position of its own and overwrite what they wrote. */
static int open_stream(const char *path, const struct stat *facts) {
    struct stat own;
    for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; ++stream)
        if (fstat(stream, &own) == 0 && own.st_dev == facts->st_dev && own.st_ino == facts->st_ino)
            return fcntl(stream, F_DUPFD_CLOEXEC, 3);
    return open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* Opens a device or FIFO for writing, or refuses it. */
static quartic_status begin_special(const struct stat *facts, bool open_file, quartic_atomic_file *file) {
    const char *what = S_ISDIR(facts->st_mode)    ? "it is a folder"
                       : S_ISBLK(facts->st_mode)  ? "it is a block device, which is not written to"
                       : S_ISSOCK(facts->st_mode) ? "it is a socket, which is not written to"
                                                  : NULL;
    if (what != NULL && !open_file)
        return fail_writing(file->path, what, S_ISDIR(facts->st_mode) ? EISDIR : EINVAL);
    file->descriptor = open_file ? open_stream(file->path, facts)
                                 : open(file->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->descriptor < 0 && errno == ENXIO)
        return fail_writing(file->path, "it is a pipe that nobody reads; start its reader first", errno);
    if (file->descriptor < 0) return fail_writing(file->path, "it cannot be opened", errno);
    if (open_file) return QUARTIC_OK;
    const int flags = fcntl(file->descriptor, F_GETFL);
    if (flags >= 0 && fcntl(file->descriptor, F_SETFL, flags & ~O_NONBLOCK) == 0) return QUARTIC_OK;
    return fail_writing(file->path, "it cannot be opened", errno);
}

/* ---- the temporary file ---- */

static bool is_unsupported(int reason) {
    return reason == ENOSYS || reason == EOPNOTSUPP || reason == ENOTSUP || reason == ENOLCK ||
           reason == EINVAL;
}

static void name_temporary(char name[TEMPORARY_BYTES], const char *of, bool unique) {
    static _Atomic unsigned number;
    char part[LONGEST_PART + 1], own[32] = "";
    if (strlen(of) <= LONGEST_PART) {
        strcpy(part, of);
    } else { /* FNV-1a */
        uint64_t hash = 0xcbf29ce484222325u;
        for (const char *at = of; *at != 0; ++at) hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
        snprintf(part, sizeof part, "%016llx", (unsigned long long)hash);
    }
    if (unique) snprintf(own, sizeof own, ".%ld.%u", (long)getpid(), atomic_fetch_add(&number, 1u));
    snprintf(name, TEMPORARY_BYTES, ".%s%s.quartic-tmp", part, own);
}

/* Whether the name still belongs to the open file. */
static bool is_named(int folder, const char *name, int descriptor) {
    struct stat opened, named;
    return fstat(descriptor, &opened) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static int close_with(int descriptor, int reason) {
    close(descriptor);
    errno = reason;
    return -1;
}

/* Creates and locks the temporary file. Returns a descriptor, or -1 with errno. */
static int open_locked(int folder, const char *name, mode_t mode) {
    for (;;) {
        bool made = true;
        int descriptor = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (descriptor < 0 && errno == EEXIST) {
            made = false;
            descriptor = openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
            if (descriptor < 0 && errno == ENOENT) continue;
        }
        if (descriptor < 0) return -1;
        struct stat facts;
        if (!made && (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)))
            return close_with(descriptor, EEXIST);
        int result;
        do result = flock(descriptor, LOCK_EX);
        while (result != 0 && errno == EINTR);
        if (result != 0) {
            const int reason = errno;
            if (made) unlinkat(folder, name, 0);
            return close_with(descriptor, reason);
        }
        const bool named = is_named(folder, name, descriptor);
        if (named && made) return descriptor;
        if (named) unlinkat(folder, name, 0);
        close(descriptor);
    }
}

/* Gives the new file the owner and permissions of the one that it will replace. */
static int keep_mode(int descriptor, const struct stat *old) {
    struct stat own;
    mode_t mode = old->st_mode & 07777;
    if (fstat(descriptor, &own) != 0) return -1;
    /* If the owner cannot be kept, the set-user-id and set-group-id bits must go: they would mean this
     * user. */
    if ((own.st_uid != old->st_uid || own.st_gid != old->st_gid) &&
        fchown(descriptor, old->st_uid, old->st_gid) != 0 &&
        (fchown(descriptor, (uid_t)-1, old->st_gid) != 0 || own.st_uid != old->st_uid))
        mode &= 0777;
    if (fchmod(descriptor, mode) == 0) return 0;
    /* A file system without permissions refuses fchmod; there both files have the same ones anyway. */
    const int reason = errno;
    if (fstat(descriptor, &own) == 0 && (own.st_mode & 07777) == mode) return 0;
    errno = reason;
    return -1;
}

static quartic_status open_folder(quartic_atomic_file *file) {
    const size_t length = folder_length(file->target);
    char *name = quartic_alloc(length + 2, 1);
    if (name == NULL) return QUARTIC_OUT_OF_MEMORY;
    memcpy(name, length == 0 ? "." : file->target, length == 0 ? 1 : length);
    file->folder = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    quartic_free(name);
    return file->folder >= 0 ? QUARTIC_OK : fail_writing(file->path, "its folder cannot be opened", errno);
}

/* Creates the temporary file beside the target. old: what is at the target, NULL if nothing is. */
static quartic_status begin_replacing(quartic_atomic_file *file, const struct stat *old) {
    const char *name = file->target + folder_length(file->target);
    /* Until the old permissions are copied, nobody else may read the new contents. */
    const mode_t mode = old != NULL ? 0600 : 0666;
    if (name[0] == 0) return fail_writing(file->path, "a file name is missing", ENOENT);
    if (old != NULL && access(file->target, W_OK) != 0)
        return fail_writing(file->path, "the file is protected", errno);
    file->temporary = quartic_alloc(TEMPORARY_BYTES, 1);
    if (file->temporary == NULL) return QUARTIC_OUT_OF_MEMORY;
    QUARTIC_TRY(open_folder(file));
    name_temporary(file->temporary, name, false);
    file->descriptor = open_locked(file->folder, file->temporary, mode);
    if (file->descriptor < 0 && is_unsupported(errno)) {
        name_temporary(file->temporary, name, true);
        file->descriptor =
            openat(file->folder, file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    }
    if (file->descriptor < 0)
        return fail_writing(file->path, "no temporary file can be made beside it", errno);
    if (old == NULL || keep_mode(file->descriptor, old) == 0) return QUARTIC_OK;
    const quartic_status status = fail_writing(file->path, "its permissions cannot be kept", errno);
    unlinkat(file->folder, file->temporary, 0);
    return status;
}

static void release_file(quartic_atomic_file *file) {
    if (file->descriptor >= 0) close(file->descriptor);
    if (file->folder >= 0) close(file->folder);
    quartic_free(file->temporary);
    quartic_free(file->target);
    *file = (quartic_atomic_file){.path = file->path, .folder = -1, .descriptor = -1};
}

quartic_status quartic_atomic_file_begin(const char *path, bool durable, quartic_atomic_file *out_file) {
    struct stat facts;
    bool open_file = false;
    *out_file = (quartic_atomic_file){.path = path, .folder = -1, .descriptor = -1, .durable = durable};
    if (path[folder_length(path)] == 0)
        return quartic_fail(QUARTIC_IO, "cannot write \"%s\": a file name is missing", label_of(path));
    const bool exists = stat(path, &facts) == 0;
    quartic_status status = QUARTIC_OK;
    if (!exists && errno != ENOENT)
        status = fail_writing(path, "what is there cannot be told", errno);
    else if ((out_file->target = follow_links(path, &open_file)) == NULL)
        status = errno == ENOMEM ? QUARTIC_OUT_OF_MEMORY
                                 : fail_writing(path, "its link cannot be followed", errno);
    else if (exists && (open_file || !S_ISREG(facts.st_mode))) {
        quartic_free(out_file->target);
        out_file->target = NULL;
        status = begin_special(&facts, open_file, out_file);
    } else {
        status = begin_replacing(out_file, exists ? &facts : NULL);
    }
    if (status != QUARTIC_OK) release_file(out_file);
    return status;
}

/* ---- writing ---- */

/* write, but a pipe whose reader is gone returns EPIPE and raises no SIGPIPE. */
static ssize_t write_piped(int descriptor, const void *bytes, size_t count) {
    sigset_t pipe_signal, former, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &former);
    const ssize_t put = write(descriptor, bytes, count);
    const int reason = errno;
    if (put < 0 && reason == EPIPE && !sigismember(&pending, SIGPIPE)) {
        const struct timespec at_once = {0};
        while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    errno = reason;
    return put;
}

quartic_status quartic_atomic_file_write(quartic_atomic_file *file, const void *bytes, size_t count) {
    const unsigned char *next = bytes;
    while (count > 0) {
        ssize_t put = file->target != NULL ? write(file->descriptor, next, count)
                                           : write_piped(file->descriptor, next, count);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return fail_writing(file->path, "writing failed", put < 0 ? errno : ENOSPC);
        next += put;
        count -= (size_t)put;
    }
    return QUARTIC_OK;
}

/* Makes the renaming itself durable. Two cases count as success: a file system that cannot sync folders
 * (EINVAL), and a folder that is writable but not readable, which cannot be opened for syncing (EACCES). */
static int sync_folder(int folder) {
    int descriptor = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return errno == EACCES ? 0 : -1;
    if (fsync(descriptor) == 0 || errno == EINVAL) return close(descriptor), 0;
    return close_with(descriptor, errno);
}

quartic_status quartic_atomic_file_commit(quartic_atomic_file *file) {
    quartic_status status = QUARTIC_OK;
    if (file->target == NULL) { /* a device or FIFO cannot be synced; fsync might fail on it */
        if (close(file->descriptor) != 0) status = fail_writing(file->path, "closing failed", errno);
        file->descriptor = -1;
        release_file(file);
        return status;
    }
    const char *name = file->target + folder_length(file->target);
    if (file->durable && fsync(file->descriptor) != 0)
        status = fail_writing(file->path, "syncing failed", errno);
    else if (renameat(file->folder, file->temporary, file->folder, name) != 0)
        status = fail_writing(file->path, "renaming failed", errno);
    if (status != QUARTIC_OK) {
        quartic_atomic_file_discard(file);
        return status;
    }
    if (file->durable && sync_folder(file->folder) != 0)
        status = quartic_fail(QUARTIC_IO,
                              "%s is written and in place, but its folder could not be synced (%s): a crash "
                              "of the machine could still bring the former contents back; save again",
                              label_of(file->path), strerror(errno));
    release_file(file);
    return status;
}

void quartic_atomic_file_discard(quartic_atomic_file *file) {
    if (file->target != NULL) unlinkat(file->folder, file->temporary, 0); /* while locked */
    release_file(file);
}

quartic_status quartic_atomic_file_save(const char *path, bool durable, const void *bytes, size_t count) {
    quartic_atomic_file file;
    QUARTIC_TRY(quartic_atomic_file_begin(path, durable, &file));
    const quartic_status status = quartic_atomic_file_write(&file, bytes, count);
    if (status == QUARTIC_OK) return quartic_atomic_file_commit(&file);
    quartic_atomic_file_discard(&file);
    return status;
}
