/* comma_locale.h: a locale with a decimal comma, made by the test: a bare machine has only "C". For glibc. */
#ifndef QUARTIC_TESTS_COMMA_LOCALE_H
#define QUARTIC_TESTS_COMMA_LOCALE_H

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Writes FOLDER/comma/LC_NUMERIC: with LOCPATH=FOLDER the locale "comma" has a decimal comma, and 1.234,5. */
static inline bool comma_locale_make(const char *folder) {
    /* A magic number, six fields and where each begins; then decimal point, separator of thousands and
     * grouping as texts, the first two as characters, the name of the encoding. */
    const uint32_t head[] = {0x20031115u ^ LC_NUMERIC, 6, 32, 34, 36, 40, 44, 48};
    const char texts[] = {',', 0, '.', 0, 3, 3, 0, 0};
    const uint32_t characters[] = {',', '.'};
    char path[1024];
    snprintf(path, sizeof path, "%s/comma", folder);
    if (mkdir(path, 0777) != 0) return false;
    snprintf(path, sizeof path, "%s/comma/LC_NUMERIC", folder);
    FILE *file = fopen(path, "wb");
    if (file == NULL) return false;
    const bool written =
        fwrite(head, sizeof head, 1, file) == 1 && fwrite(texts, sizeof texts, 1, file) == 1 &&
        fwrite(characters, sizeof characters, 1, file) == 1 && fwrite("UTF-8", 6, 1, file) == 1;
    return fclose(file) == 0 && written;
}

#endif
