/* faults.c: a library that tests preload into the program, so that its disk is full, cannot be written or may
 * not be, or so that a signal comes at a chosen moment: without a mount, another user or a lucky time.
 *
 * QUARTIC_TEST_DISK=FOLDER    what follows concerns this folder and all in it
 * QUARTIC_TEST_ROOM=BYTES      its files take at most that many together: ENOSPC
 * QUARTIC_TEST_REFUSE=NUMBER   nothing in it can be made, written, renamed or removed: EROFS, EACCES
 * QUARTIC_TEST_SIGNAL=NUMBER   this signal is raised
 * QUARTIC_TEST_SIGNAL_AT=N     right before the N-th operation that changes the folder
 * QUARTIC_TEST_FILE=PART       only operations on files with that in their path are counted
 * QUARTIC_TEST_COUNT=FILE      their number is written there when the program ends
 * QUARTIC_TEST_TERMINAL=1      standard output passes for a terminal
 *
 * Streams of stdio write by calls of their own, which nobody can stand in front of; so streams that write in
 * the folder are made of the functions here (fopencookie). For glibc.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

enum { PATH = 4096, DESCRIPTORS = 1024 };

static char disk[PATH];
static long long room = -1;
static int refusal, signal_number;
static long signal_at, operations;
static bool terminal;
static char *open_paths[DESCRIPTORS]; /* of descriptors on the disk */
static const char *count_file, *counted_part;
static FILE *streams[DESCRIPTORS];

/* The function of this name that would have been called. */
#define REAL(type, name, ...)                                                                                \
    static type (*real)(__VA_ARGS__);                                                                        \
    if (real == NULL) {                                                                                      \
        void *found = dlsym(RTLD_NEXT, name);                                                                \
        memcpy(&real, &found, sizeof real);                                                                  \
    }

static long number_of(const char *name) {
    const char *text = getenv(name);
    return text == NULL ? 0 : atol(text);
}

/* Absolute, without links followed: the tests use plain names. */
static void absolute(const char *path, char out[PATH]) {
    size_t used = 0;
    if (path[0] != '/' && getcwd(out, PATH) != NULL) {
        used = strlen(out);
        out[used++] = '/';
    }
    while (path[0] == '.' && path[1] == '/') path += 2;
    snprintf(out + used, PATH - used, "%s", path);
}

__attribute__((constructor)) static void read_settings(void) {
    const char *folder = getenv("QUARTIC_TEST_DISK"), *bytes = getenv("QUARTIC_TEST_ROOM");
    if (folder != NULL) absolute(folder, disk);
    if (bytes != NULL) room = atoll(bytes);
    refusal = (int)number_of("QUARTIC_TEST_REFUSE");
    signal_number = (int)number_of("QUARTIC_TEST_SIGNAL");
    signal_at = number_of("QUARTIC_TEST_SIGNAL_AT");
    terminal = number_of("QUARTIC_TEST_TERMINAL") != 0;
    count_file = getenv("QUARTIC_TEST_COUNT");
    counted_part = getenv("QUARTIC_TEST_FILE");
}

__attribute__((destructor)) static void write_count(void) {
    FILE *file = count_file == NULL ? NULL : fopen(count_file, "w");
    if (file == NULL) return;
    fprintf(file, "%ld\n", operations);
    fclose(file);
}

static bool is_on_disk(const char *path) {
    if (disk[0] == 0 || path == NULL) return false;
    char full[PATH];
    absolute(path, full);
    const size_t length = strlen(disk);
    return strncmp(full, disk, length) == 0 && (full[length] == 0 || full[length] == '/');
}

static bool is_descriptor_on_disk(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS && open_paths[descriptor] != NULL;
}

/* Before an operation that changes the disk: counts it, raises the signal, says whether it may be done. */
static bool may_change(const char *path) {
    const bool counted = counted_part == NULL || strstr(path, counted_part) != NULL;
    if (counted && ++operations == signal_at && signal_number != 0) raise(signal_number);
    if (refusal != 0) errno = refusal;
    return refusal == 0;
}

static bool may_change_path(const char *path) {
    return !is_on_disk(path) || may_change(path);
}

/* Bytes of all files in a folder. */
static long long used_bytes(const char *folder) {
    long long sum = 0;
    DIR *all = opendir(folder);
    for (struct dirent *one; all != NULL && (one = readdir(all)) != NULL;) {
        char path[PATH + 256];
        struct stat facts;
        if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, one->d_name);
        if (lstat(path, &facts) != 0) continue;
        sum += S_ISDIR(facts.st_mode) ? used_bytes(path) : (long long)facts.st_size;
    }
    if (all != NULL) closedir(all);
    return sum;
}

/* How many of count bytes can be written at this place of the file; -1 with ENOSPC for none. */
static ssize_t fitting(int descriptor, size_t count, off_t at) {
    if (room < 0 || count == 0) return (ssize_t)count;
    struct stat facts;
    if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) return (ssize_t)count;
    if ((fcntl(descriptor, F_GETFL) & O_APPEND) != 0) at = facts.st_size;
    const long long growth = (long long)at + (long long)count - (long long)facts.st_size;
    const long long left = room - used_bytes(disk);
    if (growth <= left || growth <= 0) return (ssize_t)count;
    const long long fits = (long long)count - growth + (left > 0 ? left : 0);
    if (fits > 0) return (ssize_t)fits;
    errno = ENOSPC;
    return -1;
}

/* ---- descriptors ------------------------------------------------------------------------------------------
 */

static int opened(int descriptor, const char *path) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS && is_on_disk(path))
        open_paths[descriptor] = strdup(path);
    return descriptor;
}

static bool may_open(const char *path, int flags) {
    const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
    return !writes || may_change_path(path);
}

#define OPEN(name)                                                                                           \
    EXPORTED int name(const char *path, int flags, ...);                                                     \
    int name(const char *path, int flags, ...) {                                                             \
        REAL(int, #name, const char *, int, ...)                                                             \
        va_list rest;                                                                                        \
        va_start(rest, flags);                                                                               \
        const unsigned mode =                                                                                \
            (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, unsigned) : 0;         \
        va_end(rest);                                                                                        \
        return may_open(path, flags) ? opened(real(path, flags, mode), path) : -1;                           \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                         \
    EXPORTED int name(int folder, const char *path, int flags, ...);                                         \
    int name(int folder, const char *path, int flags, ...) {                                                 \
        REAL(int, #name, int, const char *, int, ...)                                                        \
        va_list rest;                                                                                        \
        va_start(rest, flags);                                                                               \
        const unsigned mode =                                                                                \
            (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, unsigned) : 0;         \
        va_end(rest);                                                                                        \
        const bool below = path[0] != '/' && is_descriptor_on_disk(folder);                                  \
        const char *where = below ? disk : path; /* the folder itself stands for what lies below it */       \
        return may_open(where, flags) ? opened(real(folder, path, flags, mode), where) : -1;                 \
    }
OPENAT(openat)
OPENAT(openat64)

EXPORTED int close(int descriptor);
int close(int descriptor) {
    REAL(int, "close", int)
    if (is_descriptor_on_disk(descriptor)) {
        free(open_paths[descriptor]);
        open_paths[descriptor] = NULL;
    }
    return real(descriptor);
}

EXPORTED ssize_t write(int descriptor, const void *bytes, size_t count);
ssize_t write(int descriptor, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t)
    if (!is_descriptor_on_disk(descriptor)) return real(descriptor, bytes, count);
    if (!may_change(open_paths[descriptor])) return -1;
    const ssize_t fits = fitting(descriptor, count, lseek(descriptor, 0, SEEK_CUR));
    return fits < 0 ? -1 : real(descriptor, bytes, (size_t)fits);
}

#define PWRITE(name, offset_type)                                                                            \
    EXPORTED ssize_t name(int descriptor, const void *bytes, size_t count, offset_type at);                  \
    ssize_t name(int descriptor, const void *bytes, size_t count, offset_type at) {                          \
        REAL(ssize_t, #name, int, const void *, size_t, offset_type)                                         \
        if (!is_descriptor_on_disk(descriptor)) return real(descriptor, bytes, count, at);                   \
        if (!may_change(open_paths[descriptor])) return -1;                                                  \
        const ssize_t fits = fitting(descriptor, count, (off_t)at);                                          \
        return fits < 0 ? -1 : real(descriptor, bytes, (size_t)fits, at);                                    \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, int64_t)

EXPORTED ssize_t writev(int descriptor, const struct iovec *parts, int count);
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int)
    if (!is_descriptor_on_disk(descriptor)) return real(descriptor, parts, count);
    ssize_t sum = 0;
    for (int p = 0; p < count; ++p) {
        const ssize_t put = write(descriptor, parts[p].iov_base, parts[p].iov_len);
        if (put < 0) return sum > 0 ? sum : -1;
        sum += put;
        if ((size_t)put < parts[p].iov_len) break;
    }
    return sum;
}

#define ON_DESCRIPTOR(name)                                                                                  \
    EXPORTED int name(int descriptor);                                                                       \
    int name(int descriptor) {                                                                               \
        REAL(int, #name, int)                                                                                \
        return is_descriptor_on_disk(descriptor) && !may_change(open_paths[descriptor]) ? -1                 \
                                                                                        : real(descriptor);  \
    }
ON_DESCRIPTOR(fsync)
ON_DESCRIPTOR(fdatasync)

EXPORTED int ftruncate(int descriptor, off_t length);
int ftruncate(int descriptor, off_t length) {
    REAL(int, "ftruncate", int, off_t)
    return is_descriptor_on_disk(descriptor) && !may_change(open_paths[descriptor])
               ? -1
               : real(descriptor, length);
}

/* ---- paths ------------------------------------------------------------------------------------------------
 */

EXPORTED int mkdir(const char *path, mode_t mode);
int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t)
    if (access(path, F_OK) == 0) { /* EEXIST comes before anything else */
        errno = EEXIST;
        return -1;
    }
    return may_change_path(path) ? real(path, mode) : -1;
}

EXPORTED int rename(const char *from, const char *to);
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *)
    return (is_on_disk(from) || is_on_disk(to)) && !may_change(to) ? -1 : real(from, to);
}

EXPORTED int renameat(int from_folder, const char *from, int to_folder, const char *to);
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *)
    const bool changes = is_on_disk(from) || is_on_disk(to) || is_descriptor_on_disk(to_folder);
    return changes && !may_change(to) ? -1 : real(from_folder, from, to_folder, to);
}

EXPORTED int link(const char *from, const char *to);
int link(const char *from, const char *to) {
    REAL(int, "link", const char *, const char *)
    return may_change_path(to) ? real(from, to) : -1;
}

#define ON_PATH(name)                                                                                        \
    EXPORTED int name(const char *path);                                                                     \
    int name(const char *path) {                                                                             \
        REAL(int, #name, const char *)                                                                       \
        return may_change_path(path) ? real(path) : -1;                                                      \
    }
ON_PATH(unlink)
ON_PATH(rmdir)
ON_PATH(remove)

EXPORTED int unlinkat(int folder, const char *path, int flags);
int unlinkat(int folder, const char *path, int flags) {
    REAL(int, "unlinkat", int, const char *, int)
    const bool changes = is_on_disk(path) || is_descriptor_on_disk(folder);
    return changes && !may_change(path) ? -1 : real(folder, path, flags);
}

EXPORTED int access(const char *path, int mode);
int access(const char *path, int mode) {
    REAL(int, "access", const char *, int)
    const int result = real(path, mode);
    if (result != 0 || (mode & W_OK) == 0 || refusal == 0 || !is_on_disk(path)) return result;
    errno = refusal;
    return -1;
}

/* ---- streams ----------------------------------------------------------------------------------------------
 */

static int descriptor_of(void *cookie) {
    return (int)(intptr_t)cookie;
}

static ssize_t cookie_read(void *cookie, char *bytes, size_t count) {
    return read(descriptor_of(cookie), bytes, count);
}

static ssize_t cookie_write(void *cookie, const char *bytes, size_t count) {
    size_t done = 0;
    while (done < count) {
        const ssize_t put = write(descriptor_of(cookie), bytes + done, count - done);
        if (put < 0) break; /* a short count says failure */
        done += (size_t)put;
    }
    return (ssize_t)done;
}

static int cookie_seek(void *cookie, off64_t *at, int whence) {
    const off_t moved = lseek(descriptor_of(cookie), (off_t)*at, whence);
    if (moved < 0) return -1;
    *at = moved;
    return 0;
}

static int cookie_close(void *cookie) {
    streams[descriptor_of(cookie)] = NULL;
    return close(descriptor_of(cookie));
}

static FILE *stream_on(int descriptor, const char *mode) {
    if (descriptor < 0) return NULL;
    const cookie_io_functions_t functions = {cookie_read, cookie_write, cookie_seek, cookie_close};
    return streams[descriptor] = fopencookie((void *)(intptr_t)descriptor, mode, functions);
}

#define FOPEN(name)                                                                                          \
    EXPORTED FILE *name(const char *path, const char *mode);                                                 \
    FILE *name(const char *path, const char *mode) {                                                         \
        REAL(FILE *, #name, const char *, const char *)                                                      \
        const bool both = strchr(mode, '+') != NULL, reads = mode[0] == 'r';                                 \
        if ((reads && !both) || !is_on_disk(path)) return real(path, mode);                                  \
        const int flags = (both ? O_RDWR : O_WRONLY) | (strchr(mode, 'e') != NULL ? O_CLOEXEC : 0) |         \
                          (strchr(mode, 'x') != NULL ? O_EXCL : 0) |                                         \
                          (reads            ? 0                                                              \
                           : mode[0] == 'a' ? O_CREAT | O_APPEND                                             \
                                            : O_CREAT | O_TRUNC);                                            \
        return stream_on(open(path, flags, 0666), mode);                                                     \
    }
FOPEN(fopen)
FOPEN(fopen64)

EXPORTED FILE *fdopen(int descriptor, const char *mode);
FILE *fdopen(int descriptor, const char *mode) {
    REAL(FILE *, "fdopen", int, const char *)
    return is_descriptor_on_disk(descriptor) ? stream_on(descriptor, mode) : real(descriptor, mode);
}

EXPORTED int fileno(FILE *stream);
int fileno(FILE *stream) {
    REAL(int, "fileno", FILE *)
    for (int descriptor = 0; descriptor < DESCRIPTORS; ++descriptor)
        if (streams[descriptor] == stream) return descriptor;
    return real(stream);
}

EXPORTED int isatty(int descriptor);
int isatty(int descriptor) {
    REAL(int, "isatty", int)
    return terminal && descriptor == STDOUT_FILENO ? 1 : real(descriptor);
}
