/* version.c: the release that the library was built as. */
#include "quartic/version.h"

uint32_t quartic_version(void) {
    return QUARTIC_VERSION;
}

const char *quartic_version_string(void) {
    return QUARTIC_VERSION_STRING;
}
