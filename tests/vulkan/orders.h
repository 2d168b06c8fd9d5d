/* orders.h: a program's dispatches in other orders than recorded, over poisoned memory.
 *
 * Between two barriers a device may run dispatches in any order and at once. A software device runs them one
 * after the other, so it never shows that a barrier is missing. Here the dispatches of every run without a
 * barrier are put in another order before they are recorded, and everything that a run should write first
 * starts as poison. If all barriers are there and nothing reads what nobody wrote, the bits stay the same.
 *
 * The order is changed before the list is cut into submits, so a run that spans several submits is reordered
 * as a whole, although each submit begins with a barrier.
 */
#ifndef QUARTIC_TESTS_VULKAN_ORDERS_H
#define QUARTIC_TESTS_VULKAN_ORDERS_H

#include <stdbool.h>

#include "gpu/gpu.h"
#include "run/run.h"
#include "run/run_vulkan.h"

typedef enum order {
    ORDER_AS_RECORDED,
    ORDER_REVERSED,
    ORDER_ROTATED_BY_ONE, /* the first dispatch of a run becomes the last */
    ORDER_ROTATED_BY_HALF,
    ORDER_COUNT
} order;

/* Puts the commands of every run without a barrier in another order. The barrier in front of a run stays in
 * front of it, and step numbers stay where they are, so that they do not decrease. */
void order_commands(quartic_gpu_command *commands, uint32_t count, order order);

/* The commands of a program, with the addresses of its own tensors and workspace, and what they touch
 * (out_touched may be NULL); freed by quartic_free. */
quartic_status order_lower(const quartic_program *program, quartic_gpu_command **out_commands,
                           quartic_run_vulkan_touched **out_touched, uint32_t *out_count);

/* What a comparison found and looked at. */
typedef struct order_result {
    bool same;
    char difference[512]; /* the first, if not the same */
    uint32_t moved;       /* commands that stood elsewhere in the reversed order */
} order_result;

/* Runs the program as it is, then `commands` (NULL: those of the program) in every order over two poisons,
 * each time from the same inputs, parameters and states, and compares all named tensors bit by bit.
 * Afterwards the tensors hold what the first run left. */
quartic_status order_compare(quartic_program *program, const quartic_gpu_command *commands, uint32_t count,
                             order_result *out_result);

/* The same for a program's own commands, as an assertion: fails with `what` in front of the difference. Adds
 * how many commands were moved. */
void order_expect_same(const char *what, quartic_program *program, uint32_t *inout_moved);

/* Fills a tensor of floats with normal random numbers times scale. */
void order_write_random(quartic_tensor *tensor, uint32_t stream, float scale);

#endif
