/* atomic_file.h: replaces a file as a whole or not at all.
 *
 * Bytes go to ".NAME.quartic-tmp" in the same folder, locked against other writers of the same file; commit
 * syncs it, renames it over the file and syncs the folder. A temporary file left by a killed process is taken
 * over by the next writer, so none pile up. Every path ends in exactly one commit or discard.
 */
#ifndef QUARTIC_IO_ATOMIC_FILE_H
#define QUARTIC_IO_ATOMIC_FILE_H

#include <stddef.h>

#include "base/status.h"

typedef struct quartic_atomic_file {
    const char *path; /* the caller's, must outlive the writing */
    char *temporary;
    int descriptor;
} quartic_atomic_file;

/* Begins to replace path; waits while another writer is at it. Errors: IO, OUT_OF_MEMORY; then nothing is
 * open. A file at path without write permission is refused, although its folder would allow the renaming. */
quartic_status quartic_atomic_file_begin(const char *path, quartic_atomic_file *out_file);
/* Appends. On an error the caller discards. */
quartic_status quartic_atomic_file_write(quartic_atomic_file *file, const void *bytes, size_t count);
/* Puts the new contents in place. On an error the file is discarded already. */
quartic_status quartic_atomic_file_commit(quartic_atomic_file *file);
/* Removes the temporary file; the thread's error sentence stays. */
void quartic_atomic_file_discard(quartic_atomic_file *file);

#endif
