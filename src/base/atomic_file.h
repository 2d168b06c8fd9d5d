/* atomic_file.h: writes a file as a whole or not at all. Every file of the project is written through it.
 *
 * Bytes go to a temporary file beside the target, which a lock keeps other writers of the same target away
 * from. Commit syncs it, renames it over the target and syncs the folder.
 * - Symbolic links are followed: the file that they lead to is replaced.
 * - The new file gets the old one's permissions and, where the process may set it, its owner.
 * - A character device or FIFO is never replaced: the bytes are written to it.
 * - The temporary file is ".NAME.quartic-tmp"; for long names a hash stands for NAME. The next writer removes
 *   one that a killed process left. Where the file system has no flock, the name also holds the process's
 *   number, and a file left by a killed process stays.
 * After a successful begin the caller makes exactly one call of commit or discard.
 */
#ifndef QUARTIC_BASE_ATOMIC_FILE_H
#define QUARTIC_BASE_ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Messages show at most this many characters of a path, the last ones. A whole file name fits. */
enum { QUARTIC_ATOMIC_FILE_LABEL = 300 };

typedef struct quartic_atomic_file {
    const char *path; /* the caller's; must stay valid until commit or discard */
    char *target;     /* the file to be replaced: path with its links followed; NULL: a device or FIFO */
    char *temporary;  /* a name in the target's folder */
    int folder, descriptor;
    bool durable;
} quartic_atomic_file;

/* Begins to write path; waits while another writer holds it. If durable, commit returns only once contents
 * and name are on the disk; else a crash of the machine may leave a damaged file, which is fine for a cache
 * that is checked when it is read. Errors: IO, OUT_OF_MEMORY; then nothing is open. Refused are folders,
 * sockets, block devices, a FIFO that nobody reads, and a file without write permission, although its folder
 * would allow the renaming. */
quartic_status quartic_atomic_file_begin(const char *path, bool durable, quartic_atomic_file *out_file);
/* Appends count bytes. Errors: IO; the caller then discards. */
quartic_status quartic_atomic_file_write(quartic_atomic_file *file, const void *bytes, size_t count);
/* Puts the new contents in place and releases the file. Errors: IO. The temporary file is then gone and the
 * old contents are untouched, unless the message says that the new ones are in place but could be lost in a
 * crash of the machine. */
quartic_status quartic_atomic_file_commit(quartic_atomic_file *file);
/* Removes the temporary file and releases the file. The thread's error message stays as it is. */
void quartic_atomic_file_discard(quartic_atomic_file *file);

/* Begin, write and commit in one call. Errors: theirs; nothing stays open. */
quartic_status quartic_atomic_file_save(const char *path, bool durable, const void *bytes, size_t count);

#endif
