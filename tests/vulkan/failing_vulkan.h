/* failing_vulkan.h: Vulkan calls that fail when a test wants it.
 *
 * A test that calls vulkan_fail_at has a loader between the library and the real one (failing_loader.c) from
 * its start on; the library itself knows nothing of this.
 */
#ifndef QUARTIC_TESTS_VULKAN_FAILING_VULKAN_H
#define QUARTIC_TESTS_VULKAN_FAILING_VULKAN_H

#include <stdint.h>

/* Makes the n-th creating or allocating Vulkan call from now fail (1 = the next one), 0 switches that off. */
void vulkan_fail_at(uint64_t nth);

#endif
