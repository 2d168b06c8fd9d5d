/* failing_alloc.h: host allocations that fail when a test wants it.
 *
 * quartic_alloc_fail_at(n) makes the library's n-th allocation from now fail (1 = the next one), 0 switches
 * that off: tests walk n upward to prove that every failure path leaves nothing behind. A test that calls it
 * has an allocator of its own from its start on (quartic_allocator_set); the library itself knows nothing of
 * this. The counter is atomic, so threads may allocate at once.
 */
#ifndef QUARTIC_TESTS_FAILING_ALLOC_H
#define QUARTIC_TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stdint.h>

void quartic_alloc_fail_at(uint64_t nth);

/* Whether an allocation has failed since a failure was last asked for. */
bool quartic_alloc_has_failed(void);

#endif
