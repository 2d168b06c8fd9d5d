/* saved_steps.h: the checkpoints of an undisturbed run, by step, for tests in which a training is disturbed: whatever
 * happens, the file in its folder must be one of them, bit for bit, or not be there.
 */
#ifndef QUARTIC_TESTS_VULKAN_SAVED_STEPS_H
#define QUARTIC_TESTS_VULKAN_SAVED_STEPS_H

#include <stddef.h>
#include <stdint.h>

enum { SAVED_STEPS_MOST = 8 };

typedef struct saved_steps {
    char *text[SAVED_STEPS_MOST + 1]; /* by step; NULL: that step was not kept */
    size_t bytes[SAVED_STEPS_MOST + 1];
} saved_steps;

/* Keeps the file as that step's. */
void saved_steps_keep(saved_steps *saved, uint32_t step, const char *path);

/* The step whose file this is; 0: there is no file. Fails the test if the file is none of those kept. */
uint32_t saved_steps_find(const saved_steps *saved, const char *path);

void saved_steps_free(saved_steps *saved);

#endif
