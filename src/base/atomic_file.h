/* atomic_file.h: the one way in which the project writes files: as a whole or not at all.
 *
 * Bytes go to a temporary file in the folder of the file that is meant, locked against other writers of the
 * same file; commit syncs it, renames it over the file and syncs the folder. Symbolic links are followed, and
 * what they lead to is replaced; a replaced file's permissions (and, where the process may, its owner) go
 * over to the new one. A character device or FIFO is never replaced: the bytes are written to it. The
 * temporary file is ".NAME.quartic-tmp" (for long names a hash stands for NAME); one left by a killed process
 * is taken away by the next writer, so none pile up. Where a file system has no flock, it has the process's
 * number in its name, too, and one that a kill leaves stays. Every path ends in exactly one commit or
 * discard.
 */
#ifndef QUARTIC_BASE_ATOMIC_FILE_H
#define QUARTIC_BASE_ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Characters of a path that sentences show: its end, which says more than its start. A whole name fits. */
enum { QUARTIC_ATOMIC_FILE_LABEL = 300 };

typedef struct quartic_atomic_file {
    const char *path; /* the caller's, must outlive the writing */
    char *target;     /* the file to be replaced: path with its links followed; NULL: a special file */
    char *temporary;  /* a name in the target's folder */
    int folder, descriptor;
    bool durable;
} quartic_atomic_file;

/* Begins to write path; waits while another writer is at it. durable: commit waits until the contents and the
 * name are on the disk; without, a crash of the machine may leave a damaged file, which is fine for what is
 * checked when it is read, such as a cache. Errors: IO, OUT_OF_MEMORY; then nothing is open. A file without
 * write permission is refused, although its folder would allow the renaming; so is a folder, a socket, a
 * block device, and a FIFO that nobody reads. */
quartic_status quartic_atomic_file_begin(const char *path, bool durable, quartic_atomic_file *out_file);
/* Appends. On an error the caller discards. */
quartic_status quartic_atomic_file_write(quartic_atomic_file *file, const void *bytes, size_t count);
/* Puts the new contents in place. On an error the file is discarded already; the old contents are untouched
 * unless the sentence says that the new ones are in place, but not safe from a crash of the machine. */
quartic_status quartic_atomic_file_commit(quartic_atomic_file *file);
/* Removes the temporary file; the thread's error sentence stays. */
void quartic_atomic_file_discard(quartic_atomic_file *file);

/* All of it in one call. */
quartic_status quartic_atomic_file_save(const char *path, bool durable, const void *bytes, size_t count);

#endif
