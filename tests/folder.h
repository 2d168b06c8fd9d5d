/* folder.h: a fresh folder of a test's own, under $TMPDIR, or /tmp where that is not set. */
#ifndef QUARTIC_TESTS_FOLDER_H
#define QUARTIC_TESTS_FOLDER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEST_FOLDER_BYTES = 512, TEST_PATH_BYTES = 1024 /* of a file in it */ };

/* Makes the folder and writes its path, which may hold blanks and letters beyond ASCII. */
static inline bool test_folder_make(const char *name, char folder[TEST_FOLDER_BYTES]) {
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] == 0) base = "/tmp";
    int length = snprintf(folder, TEST_FOLDER_BYTES, "%s/quartic-%s-XXXXXX", base, name);
    return length > 0 && length < TEST_FOLDER_BYTES && mkdtemp(folder) != NULL;
}

#endif
