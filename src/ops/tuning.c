/* tuning.c: the table of measured choices, and the candidates of a problem. See tuning.h. */
#include "ops/tuning.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/gpu_plan.h"

/* FNV-1a of 64 bits. */
#define TUNING_HASH_START UINT64_C(0xcbf29ce484222325)
static uint64_t tuning_hash_bytes(uint64_t hash, const void *bytes, size_t count) {
    for (size_t k = 0; k < count; ++k) hash = (hash ^ ((const uint8_t *)bytes)[k]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t tuning_hash_number(uint64_t hash, uint64_t number) {
    return tuning_hash_bytes(hash, &number, sizeof number);
}

uint64_t quartic_tuning_problem(const quartic_op *op, const quartic_op_call *call) {
    uint64_t hash = tuning_hash_bytes(TUNING_HASH_START, op->name, strlen(op->name));
    if (call->attrs != NULL) hash = tuning_hash_bytes(hash, call->attrs, op->attrs_bytes);
    for (uint32_t i = 0; i < call->input_count; ++i) {
        const quartic_layout *layout = &call->inputs[i];
        hash = tuning_hash_number(hash, layout->dtype);
        if (!quartic_is_present(layout)) continue;
        hash = tuning_hash_number(hash, layout->shape.rank);
        hash = tuning_hash_number(hash, (uint64_t)(layout->offset & 3));
        for (uint32_t axis = 0; axis < layout->shape.rank; ++axis) {
            hash = tuning_hash_number(hash, layout->shape.dims[axis]);
            hash = tuning_hash_number(hash, (uint64_t)layout->strides[axis]);
        }
    }
    return hash;
}

/* The index of a problem, or where it would stand. */
static uint32_t tuning_place(const quartic_tuning_table *table, uint64_t problem) {
    uint32_t begin = 0, end = table->count;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (table->entries[middle].problem < problem)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

const quartic_tuning_choice *quartic_tuning_find(const quartic_tuning_table *table, uint64_t problem) {
    if (table == NULL) return NULL;
    const uint32_t at = tuning_place(table, problem);
    return at < table->count && table->entries[at].problem == problem ? &table->entries[at].choice : NULL;
}

quartic_status quartic_tuning_set(quartic_tuning_table *table, uint64_t problem,
                                  const quartic_tuning_choice *choice) {
    const uint32_t at = tuning_place(table, problem);
    if (at == table->count || table->entries[at].problem != problem) {
        if (table->count == table->capacity) {
            const uint32_t capacity = 2 * table->capacity + 16;
            quartic_tuning_entry *grown =
                quartic_realloc(table->entries, table->count, capacity, sizeof *grown);
            if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
            table->entries = grown;
            table->capacity = capacity;
        }
        memmove(table->entries + at + 1, table->entries + at, (table->count - at) * sizeof *table->entries);
        ++table->count;
    }
    table->entries[at] = (quartic_tuning_entry){problem, *choice};
    return QUARTIC_OK;
}

void quartic_tuning_clear(quartic_tuning_table *table) {
    quartic_free(table->entries);
    *table = (quartic_tuning_table){0};
}

uint64_t quartic_tuning_hash(const quartic_tuning_table *table) {
    if (table == NULL || table->count == 0) return 0;
    const uint64_t hash =
        tuning_hash_bytes(TUNING_HASH_START, table->entries, table->count * sizeof *table->entries);
    return hash == 0 ? 1 : hash;
}

uint32_t quartic_tuning_candidates(const quartic_op *op, const quartic_op_call *call,
                                   const struct quartic_gpu_limits *limits,
                                   quartic_tuning_choice out[QUARTIC_TUNING_MOST_CANDIDATES]) {
    uint32_t count = 1;
    out[0] = (quartic_tuning_choice){0};
    if (op->gpu == NULL) return 1;
    quartic_gpu_limits plain = *limits; /* without choices of its own */
    plain.tuning = NULL;
    plain.choice = out[0];
    if (op->candidates != NULL) op->candidates(call, &plain, out, QUARTIC_TUNING_MOST_CANDIDATES, &count);
    /* Shaders that need subgroups of eight are right with those alone. */
    if (!quartic_gpu_has_lanes(limits))
        for (uint32_t size = limits->least_subgroup_size; size != 0 && size <= limits->most_subgroup_size;
             size *= 2)
            if (size != limits->subgroup_size && count < QUARTIC_TUNING_MOST_CANDIDATES)
                out[count++] = (quartic_tuning_choice){.subgroup_size = size};
    return count;
}

const char *quartic_tuning_text(const quartic_tuning_choice *choice, char text[QUARTIC_TUNING_TEXT]) {
    const struct {
        const char *format;
        uint32_t number;
    } members[] = {{"tile %u", choice->tile},
                   {"%u parts", choice->splits},
                   {"%u rows of a thread", choice->rows},
                   {"form %u", choice->form},
                   {"subgroups of %u", choice->subgroup_size},
                   {"states of %u KiB", (uint32_t)(choice->state_bytes >> 10)}};
    size_t used = 0;
    text[0] = 0;
    for (size_t k = 0; k < sizeof members / sizeof members[0]; ++k) {
        if (members[k].number == 0) continue;
        if (used > 0) used += (size_t)snprintf(text + used, QUARTIC_TUNING_TEXT - used, ", ");
        used +=
            (size_t)snprintf(text + used, QUARTIC_TUNING_TEXT - used, members[k].format, members[k].number);
    }
    if (used == 0) snprintf(text, QUARTIC_TUNING_TEXT, "the plan's own");
    return text;
}
