/* declared.h: whether the dispatches of a program touch what their ops declare, and nothing else.
 *
 * Barriers are decided from declared ranges, so a wrong one may be hidden by a barrier that is there for
 * another reason. Here every dispatch runs alone. What it changes must be declared as written. Then it runs
 * again with poison in all memory that it does not declare as read, and must leave the same bits.
 */
#ifndef QUARTIC_TESTS_VULKAN_DECLARED_H
#define QUARTIC_TESTS_VULKAN_DECLARED_H

#include <stdbool.h>
#include <stdint.h>

#include "run/run.h"

typedef struct declared_result {
    bool right;
    char fault[512]; /* the first, if not right */
    uint32_t dispatches;
} declared_result;

/* Runs the program's dispatches one by one, from its inputs, parameters and states as they are. `number`
 * chooses which of them get which of two poisons. */
quartic_status declared_check(quartic_program *program, uint32_t number, declared_result *out_result);

#endif
