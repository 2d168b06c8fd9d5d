/* declared.c: see declared.h. All memory of a program is compared in words of 4 bytes. */
#include "vulkan/declared.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "vulkan/orders.h"

/* One buffer of the program and where its words lie in an image of all. */
typedef struct piece {
    quartic_gpu_buffer *buffer;
    const char *name;
    uint64_t address, first, words;
} piece;

typedef struct check {
    quartic_program *program;
    piece *pieces;
    uint32_t piece_count;
    uint64_t words;
    uint32_t *before, *after;            /* of the dispatch at hand */
    uint32_t *poisoned, *poisoned_after; /* of its second run */
    uint8_t *access;                     /* what it declares, word by word */
    declared_result *result;
} check;

/* ---- memory -------------------------------------------------------------------------------------------- */

static void declared_add_piece(check *c, const quartic_tensor *tensor, const char *name) {
    if (tensor == NULL) return;
    c->pieces[c->piece_count++] = (piece){.buffer = tensor->memory,
                                          .name = name,
                                          .address = quartic_gpu_buffer_address(tensor->memory),
                                          .first = c->words,
                                          .words = tensor->device_bytes / 4};
    c->words += tensor->device_bytes / 4;
}

static quartic_status write_image(const check *c, const uint32_t *image) {
    for (uint32_t p = 0; p < c->piece_count; ++p)
        QUARTIC_TRY(quartic_gpu_buffer_write(c->pieces[p].buffer, 0, image + c->pieces[p].first,
                                             4 * c->pieces[p].words));
    return QUARTIC_OK;
}

static quartic_status read_image(const check *c, uint32_t *image) {
    for (uint32_t p = 0; p < c->piece_count; ++p)
        QUARTIC_TRY(quartic_gpu_buffer_read(c->pieces[p].buffer, 0, image + c->pieces[p].first,
                                            4 * c->pieces[p].words));
    return QUARTIC_OK;
}

/* Marks the words of a declared range; what lies in no piece (zeros for left-out operands) is skipped. */
static void mark_range(const check *c, const quartic_hazard_range *range) {
    for (uint32_t p = 0; p < c->piece_count; ++p) {
        const piece *at = &c->pieces[p];
        if (range->begin < at->address || range->end > at->address + 4 * at->words) continue;
        for (uint64_t address = range->begin; address < range->end; address += 4)
            c->access[at->first + (address - at->address) / 4] |= (uint8_t)range->access;
    }
}

/* ---- one dispatch -------------------------------------------------------------------------------------- */

static quartic_status run_alone(const check *c, const quartic_gpu_command *command) {
    quartic_gpu_commands *recorded;
    QUARTIC_TRY(quartic_gpu_commands_create(c->program->device->gpu, command, 1, c->program->plan.step_count,
                                            false, &recorded));
    const quartic_status status = quartic_gpu_commands_run(recorded);
    quartic_gpu_commands_destroy(recorded);
    return status;
}

static void declared_tell(check *c, const quartic_gpu_command *command, uint64_t word, const char *what) {
    uint32_t p = 0;
    while (word >= c->pieces[p].first + c->pieces[p].words) ++p;
    const quartic_node *node = &c->program->graph->nodes[c->program->plan.steps[command->step].node];
    c->result->right = false;
    snprintf(c->result->fault, sizeof c->result->fault, "%s of the op %s %s: word %llu of %s",
             command->shader, node->op->name, what, (unsigned long long)(word - c->pieces[p].first),
             c->pieces[p].name);
}

/* From `before` to `after`. */
static void compare_written(check *c, const quartic_gpu_command *command) {
    for (uint64_t w = 0; w < c->words && c->result->right; ++w)
        if (c->after[w] != c->before[w] && (c->access[w] & QUARTIC_WRITE) == 0)
            declared_tell(c, command, w, "writes what it does not declare as written");
}

/* A word must be the same as without the poison, or untouched in both runs. */
static void compare_read(check *c, const quartic_gpu_command *command) {
    for (uint64_t w = 0; w < c->words && c->result->right; ++w) {
        const bool untouched = c->poisoned_after[w] == c->poisoned[w] && c->after[w] == c->before[w];
        if (!untouched && c->poisoned_after[w] != c->after[w])
            declared_tell(c, command, w, "reads what it does not declare as read, which shows in");
    }
}

static quartic_status check_dispatch(check *c, const quartic_gpu_command *command,
                                     const quartic_run_vulkan_touched *touched, uint32_t poison) {
    memset(c->access, 0, c->words);
    for (uint32_t r = 0; r < touched->count; ++r) mark_range(c, &touched->ranges[r]);
    QUARTIC_TRY(run_alone(c, command));
    QUARTIC_TRY(read_image(c, c->after));
    compare_written(c, command);
    for (uint64_t w = 0; w < c->words; ++w)
        c->poisoned[w] = (c->access[w] & QUARTIC_READ) != 0 ? c->before[w] : poison;
    QUARTIC_TRY(write_image(c, c->poisoned));
    QUARTIC_TRY(run_alone(c, command));
    QUARTIC_TRY(read_image(c, c->poisoned_after));
    compare_read(c, command);
    memcpy(c->before, c->after, c->words * sizeof *c->before);
    return write_image(c, c->before);
}

static quartic_status check_all(check *c, uint32_t number) {
    static const uint32_t poisons[2] = {0x7fc00000u, 0x7149f2cau}; /* NaN and 1e30 */
    quartic_gpu_command *commands;
    quartic_run_vulkan_touched *touched;
    QUARTIC_TRY(order_lower(c->program, &commands, &touched, &c->result->dispatches));
    quartic_status status = read_image(c, c->before);
    for (uint32_t k = 0; k < c->result->dispatches && status == QUARTIC_OK && c->result->right; ++k)
        status = check_dispatch(c, &commands[k], &touched[k], poisons[(number + k) % 2]);
    quartic_free(commands);
    quartic_free(touched);
    return status;
}

quartic_status declared_check(quartic_program *program, uint32_t number, declared_result *out_result) {
    *out_result = (declared_result){.right = true};
    check c = {.program = program, .result = out_result};
    c.pieces = quartic_alloc(program->graph->storage_count + 1, sizeof *c.pieces);
    if (c.pieces == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint32_t s = 0; s < program->graph->storage_count; ++s)
        declared_add_piece(&c, program->tensors[s], program->graph->storages[s].name);
    declared_add_piece(&c, program->workspace, "the workspace");
    uint32_t **images[] = {&c.before, &c.after, &c.poisoned, &c.poisoned_after};
    quartic_status status = QUARTIC_OK;
    for (uint32_t k = 0; k < 4; ++k) {
        *images[k] = quartic_alloc(c.words, sizeof(uint32_t));
        if (*images[k] == NULL) status = QUARTIC_OUT_OF_MEMORY;
    }
    c.access = quartic_alloc(c.words, 1);
    if (c.access == NULL) status = QUARTIC_OUT_OF_MEMORY;
    if (status == QUARTIC_OK) status = check_all(&c, number);
    for (uint32_t k = 0; k < 4; ++k) quartic_free(*images[k]);
    quartic_free(c.access);
    quartic_free(c.pieces);
    return status;
}
