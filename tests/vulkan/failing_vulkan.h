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

/* The names of the creating or allocating calls since vulkan_fail_at(n) with n > 0, in order, as many as there is
 * memory for. Returns how many calls there were. Only for one thread's calls: those of two lie in any order. */
enum { VULKAN_MOST_CALLS = 64 };
uint32_t vulkan_calls(const char *names[VULKAN_MOST_CALLS]);

/* Makes the n-th vkQueueSubmit2 from now fail for want of memory (1 = the next one), 0 switches that off. */
void vulkan_fail_submit_at(uint64_t nth);

typedef struct vulkan_queue_counts {
    uint64_t submits;           /* calls of vkQueueSubmit2 that did not fail here */
    uint64_t waits, full_waits; /* calls of vkWaitSemaphores; those for all that was submitted before */
} vulkan_queue_counts;

/* Those of the process so far. For one device at a time. */
vulkan_queue_counts vulkan_count_queue(void);

#endif
