/* version.h: the release of the headers, and that of the library. All of it is stable.
 *
 * A program compiled with older headers runs with a newer library of the same QUARTIC_VERSION_MAJOR and,
 * before 1.0.0, the same QUARTIC_VERSION_MINOR.
 */
#ifndef QUARTIC_VERSION_H
#define QUARTIC_VERSION_H

#include <stdint.h>

#include "quartic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QUARTIC_VERSION_MAJOR 0
#define QUARTIC_VERSION_MINOR 1
#define QUARTIC_VERSION_PATCH 0

/* A release as one number, larger for later ones: QUARTIC_VERSION >= QUARTIC_VERSION_NUMBER(0, 2, 0). Minor
 * and patch are below 1000. */
#define QUARTIC_VERSION_NUMBER(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))
#define QUARTIC_VERSION                                                                                      \
    QUARTIC_VERSION_NUMBER(QUARTIC_VERSION_MAJOR, QUARTIC_VERSION_MINOR, QUARTIC_VERSION_PATCH)

#define QUARTIC_VERSION_TEXT_OF(major, minor, patch)     #major "." #minor "." #patch
#define QUARTIC_VERSION_EXPAND_TEXT(major, minor, patch) QUARTIC_VERSION_TEXT_OF(major, minor, patch)
/* "0.1.0" */
#define QUARTIC_VERSION_STRING                                                                               \
    QUARTIC_VERSION_EXPAND_TEXT(QUARTIC_VERSION_MAJOR, QUARTIC_VERSION_MINOR, QUARTIC_VERSION_PATCH)

/* Return QUARTIC_VERSION and QUARTIC_VERSION_STRING of the library that runs. The text is static. Cannot
 * fail. */
QUARTIC_API uint32_t quartic_version(void);
QUARTIC_API const char *quartic_version_string(void);

#ifdef __cplusplus
}
#endif
#endif
