/* dispatch.h: GPU work as plain records, made by op->gpu without any device.
 *
 * A dispatch names a shader (the file shaders/<name>.comp), its specialisation constants (constant_id 0, 1,
 * ..), its push constants as bytes (the struct of shaders/<name>.args.h) and where in them the addresses of
 * operands belong; whoever runs it fills these in. Pointers address an operand's first element.
 *
 * Grids: a linear count of groups is laid out as x = min(count, 65535), y = the rest
 * (quartic_dispatch_groups); the shader's linear_group() undoes it and must ignore groups beyond its count. A
 * dispatch may be split along x, y or z into several, so a shader uses gl_WorkGroupID (which includes the
 * base), never gl_NumWorkGroups. Dispatches of one list run in order; the runner puts a barrier between two
 * that touch the same bytes.
 */
#ifndef QUARTIC_OPS_DISPATCH_H
#define QUARTIC_OPS_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    QUARTIC_ARGS_BYTES = 128,
    QUARTIC_DISPATCH_MAX_SPEC = 16,
    QUARTIC_DISPATCH_MAX_POINTERS = 14,
    QUARTIC_DISPATCH_MAX = 24, /* dispatches of one op */
    QUARTIC_GRID_X = 65535
};

/* What a device offers; a plain value, so plans are made and tested without one. */
typedef struct quartic_gpu_limits {
    uint32_t max_shared_bytes; /* at least 16384; plans use at most 32768 */
    uint32_t max_invocations;  /* of a device in use at least 256, which plans use at most */
    uint32_t subgroup_size;    /* informative only: no plan may depend on it for correctness */
    uint32_t compute_units;    /* a guess where unknown, for choosing split counts */
    /* Iterations of all loops together that one invocation may run; 0: no limit. Mesa's software rasteriser
     * leaves every loop silently after 65535 (LP_MAX_TGSI_LOOP_ITERATIONS), so a plan beyond it must refuse.
     */
    uint32_t max_iterations;
    uint32_t has_float16, has_cooperative_matrix;
    uint32_t has_subgroup_shuffle; /* shuffles among subgroups of at least 8 invocations */
} quartic_gpu_limits;

/* UNSUPPORTED, with a sentence, where an op's shader would run more iterations than the device allows. */
quartic_status quartic_gpu_expect_iterations(const char *op, const quartic_gpu_limits *limits,
                                             double iterations);

typedef enum quartic_operand_kind {
    QUARTIC_OPERAND_INPUT,
    QUARTIC_OPERAND_OUTPUT,
    QUARTIC_OPERAND_SCRATCH
} quartic_operand_kind;

enum { QUARTIC_READ = 1, QUARTIC_WRITE = 2 };

typedef struct quartic_dispatch_pointer {
    uint8_t args_offset;  /* where in args the 8-byte address goes */
    uint8_t kind;         /* quartic_operand_kind */
    uint8_t index;        /* of the input or output */
    uint8_t access;       /* QUARTIC_READ | QUARTIC_WRITE */
    uint64_t byte_offset; /* added to the operand's address */
    uint64_t bytes;       /* extent from there for hazards; 0: the operand's whole extent */
} quartic_dispatch_pointer;

typedef struct quartic_dispatch {
    const char *shader;
    uint32_t spec_count;
    uint32_t spec[QUARTIC_DISPATCH_MAX_SPEC];
    uint32_t args_bytes;
    _Alignas(8) uint8_t args[QUARTIC_ARGS_BYTES];
    uint32_t pointer_count;
    quartic_dispatch_pointer pointers[QUARTIC_DISPATCH_MAX_POINTERS];
    uint32_t groups[3];
    double flops; /* estimated operations: bounds the length of a submit */
    double bytes; /* estimated traffic */
} quartic_dispatch;

typedef struct quartic_dispatch_list {
    uint32_t count;
    quartic_dispatch items[QUARTIC_DISPATCH_MAX];
    uint64_t scratch_bytes; /* device memory that lives for this op only */
} quartic_dispatch_list;

/* Appends a dispatch with a copy of args; NULL with an error sentence if the list or args are full. */
quartic_dispatch *quartic_dispatch_add(quartic_dispatch_list *list, const char *shader, const void *args,
                                       size_t args_bytes);
/* Says that the address of an operand goes to args + args_offset. Addresses that no call names, and those of
 * left-out inputs, become that of a block of zeros, never null: drivers may load what a condition guards.
 * Still a shader decides by a specialisation constant whether it reads such an operand, so that it holds no
 * load of it. */
void quartic_dispatch_operand(quartic_dispatch *dispatch, size_t args_offset, quartic_operand_kind kind,
                              uint32_t index, uint32_t access);
/* The same for bytes of scratch starting at byte_offset. */
void quartic_dispatch_scratch(quartic_dispatch *dispatch, size_t args_offset, uint64_t byte_offset,
                              uint64_t bytes, uint32_t access);
void quartic_dispatch_spec(quartic_dispatch *dispatch, uint32_t number); /* appends the next constant */
void quartic_dispatch_groups(quartic_dispatch *dispatch, uint64_t count);
/* Reserves bytes of scratch, 256-aligned; returns their offset. */
uint64_t quartic_dispatch_reserve(quartic_dispatch_list *list, uint64_t bytes);

#endif
