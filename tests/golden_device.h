/* golden_device.h: replays every recording of tests/golden on a device.
 *
 * All must pass; one that is not supported fails the test.
 */
#ifndef QUARTIC_TESTS_GOLDEN_DEVICE_H
#define QUARTIC_TESTS_GOLDEN_DEVICE_H

#include "validate_device.h"

enum { MOST_FILES = 512 };

/* Adds the recordings of a folder to paths. */
uint32_t list_recordings(const char *folder, char **paths, uint32_t count);

/* Replays the 42 recordings that came with the equations, and the extra ones. */
void replay_recordings(const char *device_name);

#endif
