/* version.c: the version of the library itself, as against that of the headers that a program includes. */
#include "quartic/version.h"

uint32_t quartic_version(void) {
    return QUARTIC_VERSION;
}

const char *quartic_version_string(void) {
    return QUARTIC_VERSION_STRING;
}
