/* dispatch.c: building dispatch records. See dispatch.h. */
#include "ops/dispatch.h"

#include <string.h>

quartic_status quartic_gpu_expect_iterations(const char *op, const quartic_gpu_limits *limits,
                                             double iterations) {
    if (limits->max_iterations == 0 || iterations <= limits->max_iterations) return QUARTIC_OK;
    return quartic_fail(QUARTIC_UNSUPPORTED,
                        "%s of this size takes %.0f loop iterations an invocation, and this device leaves "
                        "loops after %u; use the device cpu",
                        op, iterations, limits->max_iterations);
}

quartic_dispatch *quartic_dispatch_add(quartic_dispatch_list *list, const char *shader, const void *args,
                                       size_t args_bytes) {
    if (list->count == QUARTIC_DISPATCH_MAX || args_bytes > QUARTIC_ARGS_BYTES) {
        quartic_fail(QUARTIC_INTERNAL,
                     "%s: dispatch %u with %zu bytes of arguments exceeds %d dispatches or %d bytes", shader,
                     list->count, args_bytes, QUARTIC_DISPATCH_MAX, QUARTIC_ARGS_BYTES);
        return NULL;
    }
    quartic_dispatch *dispatch = &list->items[list->count++];
    *dispatch = (quartic_dispatch){.shader = shader, .args_bytes = (uint32_t)args_bytes, .groups = {1, 1, 1}};
    memcpy(dispatch->args, args, args_bytes);
    return dispatch;
}

static quartic_dispatch_pointer *next_pointer(quartic_dispatch *dispatch) {
    return &dispatch->pointers[dispatch->pointer_count++];
}

void quartic_dispatch_operand(quartic_dispatch *dispatch, size_t args_offset, quartic_operand_kind kind,
                              uint32_t index, uint32_t access) {
    *next_pointer(dispatch) = (quartic_dispatch_pointer){.args_offset = (uint8_t)args_offset,
                                                         .kind = (uint8_t)kind,
                                                         .index = (uint8_t)index,
                                                         .access = (uint8_t)access};
}

void quartic_dispatch_scratch(quartic_dispatch *dispatch, size_t args_offset, uint64_t byte_offset,
                              uint64_t bytes, uint32_t access) {
    *next_pointer(dispatch) = (quartic_dispatch_pointer){.args_offset = (uint8_t)args_offset,
                                                         .kind = QUARTIC_OPERAND_SCRATCH,
                                                         .access = (uint8_t)access,
                                                         .byte_offset = byte_offset,
                                                         .bytes = bytes};
}

void quartic_dispatch_spec(quartic_dispatch *dispatch, uint32_t number) {
    dispatch->spec[dispatch->spec_count++] = number;
}

void quartic_dispatch_groups(quartic_dispatch *dispatch, uint64_t count) {
    uint64_t x = count < QUARTIC_GRID_X ? count : QUARTIC_GRID_X;
    dispatch->groups[0] = x == 0 ? 1 : (uint32_t)x;
    dispatch->groups[1] = x == 0 ? 1 : (uint32_t)((count + x - 1) / x);
    dispatch->groups[2] = 1;
}

uint64_t quartic_dispatch_reserve(quartic_dispatch_list *list, uint64_t bytes) {
    uint64_t offset = (list->scratch_bytes + 255) / 256 * 256;
    list->scratch_bytes = offset + bytes;
    return offset;
}
