/* validate_seeds.h: quartic_validate over many seeds on one device: no bound may give a false alarm.
 *
 * Seed 1 is run with all cases by ops_validate. Here seeds 2 to 20 run over each op's cases of little work:
 * most cases of most ops, and of each op the two least. QUARTIC_TEST_SEEDS="1-200" in the environment runs
 * those seeds with all cases instead, which takes an hour or more; QUARTIC_TEST_WORK, a number of operations,
 * leaves out the cases of more work then.
 */
#ifndef QUARTIC_TESTS_VALIDATE_SEEDS_H
#define QUARTIC_TESTS_VALIDATE_SEEDS_H

#include "expect.h"

/* most_work: operations of a case, forward; cases of more work are left out. */
void validate_seeds(const char *name, double most_work);

#endif
