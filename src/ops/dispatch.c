/* dispatch.c: building dispatch records. See dispatch.h. */
#include "ops/dispatch.h"

#include <string.h>

/* Until an address is known, op->gpu puts this number into its member: a mark in the upper half, so that no
 * plain number passes for one; what the operand is; and its index among the inputs, the outputs or the list's
 * parts. */
enum { AS_INPUT = 1, AS_OUTPUT, AS_PART };
static const uint64_t MARK = UINT64_C(0x51756172) << 32;

static uint64_t dispatch_mark(uint32_t what, uint32_t index) {
    return MARK | what << 16 | index;
}

uint64_t quartic_dispatch_input(uint32_t index) {
    return dispatch_mark(AS_INPUT, index);
}

uint64_t quartic_dispatch_output(uint32_t index) {
    return dispatch_mark(AS_OUTPUT, index);
}

/* Reads a marked number. False for a number that none of the functions gave. */
static bool dispatch_part_of(const quartic_dispatch_list *list, uint64_t number, quartic_dispatch_part *out) {
    const uint32_t what = (uint32_t)(number >> 16 & 0xffff), index = (uint32_t)(number & 0xffff);
    if (number >> 32 != MARK >> 32) return false;
    if (what == AS_PART) {
        if (index >= list->part_count) return false;
        *out = list->parts[index];
        return true;
    }
    *out = (quartic_dispatch_part){.kind = what == AS_INPUT ? QUARTIC_OPERAND_INPUT : QUARTIC_OPERAND_OUTPUT,
                                   .index = (uint8_t)index};
    return what == AS_INPUT || what == AS_OUTPUT;
}

/* 0, which quartic_dispatch_add refuses, if the list is full. */
static uint64_t dispatch_add_part(quartic_dispatch_list *list, quartic_dispatch_part part) {
    if (list->part_count == QUARTIC_DISPATCH_MAX_PARTS) return 0;
    list->parts[list->part_count] = part;
    return dispatch_mark(AS_PART, list->part_count++);
}

uint64_t quartic_dispatch_reserve(quartic_dispatch_list *list, uint64_t bytes) {
    const uint64_t offset = (list->scratch_bytes + 255) / 256 * 256;
    list->scratch_bytes = offset + bytes;
    return dispatch_add_part(
        list,
        (quartic_dispatch_part){.kind = QUARTIC_OPERAND_SCRATCH, .byte_offset = offset, .bytes = bytes});
}

uint64_t quartic_dispatch_counters(quartic_dispatch_list *list, uint64_t count) {
    const uint64_t offset = (list->counter_bytes + 255) / 256 * 256, bytes = count * sizeof(uint32_t);
    list->counter_bytes = offset + bytes;
    return dispatch_add_part(
        list,
        (quartic_dispatch_part){.kind = QUARTIC_OPERAND_COUNTERS, .byte_offset = offset, .bytes = bytes});
}

uint64_t quartic_dispatch_window(quartic_dispatch_list *list, uint64_t whole, uint64_t byte_offset,
                                 uint64_t bytes) {
    quartic_dispatch_part part;
    if (!dispatch_part_of(list, whole, &part)) return 0;
    part.byte_offset += byte_offset;
    part.bytes = bytes;
    return dispatch_add_part(list, part);
}

/* The pointer of one line of the table of operands; number: what the member holds. */
static bool dispatch_set_pointer(const quartic_dispatch_list *list, const quartic_operand_row *row,
                                 uint64_t number, quartic_dispatch_pointer *out) {
    const uint8_t kind = row->operand >> 8 & 15, index = (uint8_t)row->operand;
    const bool optional = row->operand & QUARTIC_OPTIONAL;
    *out = (quartic_dispatch_pointer){.args_offset = row->args_offset,
                                      .access = row->access,
                                      .kind = kind,
                                      .index = index,
                                      .optional = optional};
    if (kind != QUARTIC_OPERAND_SCRATCH && kind != QUARTIC_OPERAND_COUNTERS &&
        kind != QUARTIC_OPERAND_GIVEN && !(row->operand & QUARTIC_PART))
        return number == 0;
    if (number == 0) {
        out->kind = QUARTIC_OPERAND_NONE;
        return optional;
    }
    quartic_dispatch_part part;
    if (!dispatch_part_of(list, number, &part)) return false;
    out->kind = part.kind;
    out->index = part.index;
    out->byte_offset = part.byte_offset;
    out->bytes = part.bytes;
    if (kind == QUARTIC_OPERAND_GIVEN) return true;
    return part.kind == kind && part.index == index;
}

quartic_dispatch *quartic_dispatch_add(quartic_dispatch_list *list, const char *shader, quartic_push push) {
    const quartic_operand_table *operands = push.operands;
    if (list->count == QUARTIC_DISPATCH_MAX || operands->count > QUARTIC_DISPATCH_MAX_POINTERS) {
        quartic_fail(QUARTIC_INTERNAL,
                     "%s: dispatch %u with %u operands exceeds %d dispatches or %d operands", shader,
                     list->count, operands->count, QUARTIC_DISPATCH_MAX, QUARTIC_DISPATCH_MAX_POINTERS);
        return NULL;
    }
    quartic_dispatch *dispatch = &list->items[list->count];
    *dispatch = (quartic_dispatch){.shader = shader,
                                   .operands = operands,
                                   .args_bytes = operands->args_bytes,
                                   .pointer_count = operands->count,
                                   .groups = {1, 1, 1}};
    memcpy(dispatch->args, push.args, operands->args_bytes);
    for (uint32_t p = 0; p < operands->count; ++p) {
        const quartic_operand_row *row = &operands->rows[p];
        uint8_t *member = dispatch->args + row->args_offset;
        uint64_t number;
        memcpy(&number, member, sizeof number);
        memset(member, 0, sizeof number);
        if (dispatch_set_pointer(list, row, number, &dispatch->pointers[p])) continue;
        quartic_fail(QUARTIC_INTERNAL,
                     "%s: the op gives the operand %s what its line in shaders/%s.args.h does not allow",
                     shader, row->member, operands->name);
        return NULL;
    }
    ++list->count;
    return dispatch;
}

/* Whether two pointers may touch the same bytes of one operand. */
static bool pointers_meet(const quartic_dispatch_pointer *a, const quartic_dispatch_pointer *b) {
    if (a->kind == QUARTIC_OPERAND_NONE || a->kind != b->kind) return false;
    if (a->kind != QUARTIC_OPERAND_SCRATCH && a->index != b->index) return false;
    const bool a_first = a->byte_offset <= b->byte_offset;
    const quartic_dispatch_pointer *low = a_first ? a : b, *high = a_first ? b : a;
    return low->bytes == 0 || low->byte_offset + low->bytes > high->byte_offset;
}

bool quartic_dispatch_must_wait(const quartic_dispatch *dispatch, const quartic_dispatch *before) {
    for (uint32_t p = 0; p < dispatch->pointer_count; ++p)
        for (uint32_t q = 0; q < before->pointer_count; ++q) {
            const quartic_dispatch_pointer *a = &dispatch->pointers[p], *b = &before->pointers[q];
            if (((a->access | b->access) & QUARTIC_WRITE) != 0 && pointers_meet(a, b)) return true;
        }
    return false;
}

quartic_status quartic_dispatch_expect_short(const char *op, const quartic_dispatch_list *list) {
    for (uint32_t d = 0; d < list->count; ++d) {
        const quartic_dispatch *dispatch = &list->items[d];
        const double groups =
            (double)dispatch->groups[0] * (double)dispatch->groups[1] * (double)dispatch->groups[2] -
            (double)dispatch->idle;
        const double flops = dispatch->flops / groups, bytes = dispatch->bytes / groups;
        if (flops <= QUARTIC_GROUP_MOST_FLOPS && bytes <= QUARTIC_GROUP_MOST_BYTES) continue;
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "%s of this size takes %.2g operations and %.2g bytes in one workgroup of %s, which "
            "some devices would be stopped for; use the device cpu",
            op, flops, bytes, dispatch->shader);
    }
    return QUARTIC_OK;
}

void quartic_dispatch_spec(quartic_dispatch *dispatch, uint32_t number) {
    dispatch->spec[dispatch->spec_count++] = number;
}

void quartic_dispatch_groups(quartic_dispatch *dispatch, uint64_t count) {
    uint64_t x = count < QUARTIC_GRID_X ? count : QUARTIC_GRID_X;
    dispatch->groups[0] = x == 0 ? 1 : (uint32_t)x;
    dispatch->groups[1] = x == 0 ? 1 : (uint32_t)((count + x - 1) / x);
    dispatch->groups[2] = 1;
    dispatch->idle = (uint32_t)(x * dispatch->groups[1] - (x == 0 ? 0 : count));
}

quartic_status quartic_dispatch_append(quartic_dispatch_list *list, const char *shader, quartic_push push,
                                       const quartic_dispatch_shape *shape) {
    quartic_dispatch *dispatch = quartic_dispatch_add(list, shader, push);
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    for (uint32_t k = 0; k < shape->spec_count; ++k) quartic_dispatch_spec(dispatch, shape->spec[k]);
    quartic_dispatch_groups(dispatch, shape->groups);
    dispatch->flops = shape->flops;
    dispatch->bytes = shape->bytes;
    return QUARTIC_OK;
}

/* The whole operand behind a pointer; `present` is false where it is left out. */
static quartic_operand_memory dispatch_whole_of(const quartic_dispatch_memory *memory,
                                                const quartic_dispatch_pointer *pointer) {
    const quartic_operand_memory none = {0};
    switch (pointer->kind) {
    case QUARTIC_OPERAND_INPUT:
        return pointer->index < memory->input_count ? memory->inputs[pointer->index] : none;
    case QUARTIC_OPERAND_OUTPUT:
        return pointer->index < memory->output_count ? memory->outputs[pointer->index] : none;
    case QUARTIC_OPERAND_SCRATCH:
        return memory->scratch;
    case QUARTIC_OPERAND_COUNTERS:
        return memory->counters;
    default:
        return none;
    }
}

uint32_t quartic_dispatch_fill(const quartic_dispatch *dispatch, const quartic_dispatch_memory *memory,
                               uint8_t *args, quartic_hazard_range *ranges) {
    uint32_t count = 0;
    for (uint32_t p = 0; p < dispatch->pointer_count; ++p) {
        const quartic_dispatch_pointer *pointer = &dispatch->pointers[p];
        const quartic_operand_memory whole = dispatch_whole_of(memory, pointer);
        const bool may_lack = pointer->optional || pointer->kind == QUARTIC_OPERAND_NONE;
        uint64_t address = may_lack ? memory->absent : 0;
        if (whole.present) {
            uint64_t begin = whole.begin, end = whole.end;
            address = whole.address + pointer->byte_offset;
            if (pointer->byte_offset != 0 || pointer->bytes != 0) begin = address;
            if (pointer->bytes != 0) end = address + pointer->bytes;
            ranges[count++] = (quartic_hazard_range){begin, end, pointer->access, 0};
        }
        memcpy(args + pointer->args_offset, &address, sizeof address);
    }
    return count;
}
