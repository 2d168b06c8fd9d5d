/* dispatch.h: GPU work as plain records. op->gpu makes them without any device.
 *
 * A dispatch names a shader (the file shaders/<name>.comp), its specialisation constants (constant_id 0, 1,
 * ..), its push constants as bytes (the struct of shaders/<name>.args.h), and the operand behind each address
 * in them. The operands come from the table beside the push constants (shaders/lib/args.h); op->gpu names one
 * only where the table leaves it open. An address is that of the operand's first element.
 *
 * Grids: quartic_dispatch_groups lays a linear count of groups out as x = min(count, 65535), y = the rest. What
 * the last row has beyond the count is noted as idle and not launched. The shader's linear_group() undoes that, and the shader ignores groups beyond its count. The runner may
 * split a dispatch along x, y or z into several, so a shader uses gl_WorkGroupID, which includes the base,
 * and never gl_NumWorkGroups. The dispatches of a list run in order; the runner puts a barrier between two
 * that touch the same bytes.
 */
#ifndef QUARTIC_OPS_DISPATCH_H
#define QUARTIC_OPS_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "ops/tuning.h"
#include "shaders/lib/args.h"

enum {
    QUARTIC_ARGS_BYTES = 128,
    QUARTIC_DISPATCH_MAX_SPEC = 16,
    QUARTIC_DISPATCH_MAX_POINTERS = 14,
    QUARTIC_DISPATCH_MAX = 24,                             /* dispatches of one op */
    QUARTIC_DISPATCH_MAX_PARTS = QUARTIC_DISPATCH_MAX + 8, /* parts of operands and of scratch */
    QUARTIC_GRID_X = 65535
};

/* What a device offers; a plain value, so plans are made and tested without one. */
typedef struct quartic_gpu_limits {
    uint32_t max_shared_bytes; /* at least 16384; plans use at most 32768 */
    uint32_t max_invocations;  /* of a workgroup: at least 256, and plans use at most 256 */
    uint32_t subgroup_size;    /* correctness must not depend on it */
    uint32_t compute_units;    /* an estimate where the driver does not tell; plans divide long sums by it */
    uint32_t registers;        /* of 32 bits, of an invocation: a guess; 0: unknown, and plans take many */
    /* Iterations of all loops together that one invocation may run; 0: no limit. Mesa's software rasteriser
     * leaves every loop silently after 65535 (LP_MAX_TGSI_LOOP_ITERATIONS), so a plan beyond it must refuse.
     */
    uint32_t max_iterations;
    uint32_t has_subgroup_shuffle; /* shuffles among subgroups of at least 8 invocations */
    uint32_t has_memory_model; /* a group may read what others of its dispatch wrote (lib/last_group.glsl) */
    uint32_t is_software;      /* Vulkan on a CPU, for which there are shaders of their own: gpu_plan.h */
    /* The subgroup sizes that a pipeline may ask for, powers of two; 0: none may be asked for. */
    uint32_t least_subgroup_size, most_subgroup_size;
    const quartic_tuning_table *tuning; /* measured choices by problem; NULL: none */
    quartic_tuning_choice choice;       /* for the problem at hand: the runner takes it from the table */
} quartic_gpu_limits;

/* UNSUPPORTED, with a sentence, where an op's shader would run more iterations than the device allows. */
quartic_status quartic_gpu_expect_iterations(const char *op, const quartic_gpu_limits *limits,
                                             double iterations);

/* The most that one workgroup may do, which no cut by range makes shorter: 0.2 s of one unit of the slowest
 * device of docs/device-limits.md, where kernels reach half of its peak. */
#define QUARTIC_GROUP_MOST_FLOPS 2.4e10
#define QUARTIC_GROUP_MOST_BYTES 1e10

/* One address of the arguments, as the table of operands and op->gpu give it. */
typedef struct quartic_dispatch_pointer {
    uint8_t args_offset;  /* where in args the 8-byte address goes */
    uint8_t kind;         /* quartic_operand_kind, but not GIVEN */
    uint8_t index;        /* of the input or output */
    uint8_t access;       /* QUARTIC_READ | QUARTIC_WRITE */
    bool optional;        /* an input or output that may be left out */
    uint64_t byte_offset; /* added to the operand's address */
    uint64_t bytes;       /* extent from there for hazards; 0: the operand's whole extent */
} quartic_dispatch_pointer;

typedef struct quartic_dispatch {
    const char *shader;
    const quartic_operand_table *operands;
    uint32_t spec_count;
    uint32_t spec[QUARTIC_DISPATCH_MAX_SPEC];
    uint32_t args_bytes;
    _Alignas(8) uint8_t args[QUARTIC_ARGS_BYTES];
    uint32_t pointer_count;
    quartic_dispatch_pointer pointers[QUARTIC_DISPATCH_MAX_POINTERS];
    uint32_t groups[3];
    uint32_t idle;          /* groups at the end of the last row that are not launched; then z = 1 */
    double flops;           /* estimated operations: bounds the length of a submit */
    double bytes;           /* estimated traffic */
    uint32_t subgroup_size; /* that the pipeline asks for; 0: the driver's own */
} quartic_dispatch;

/* A range of an operand or of scratch that an address stands for. */
typedef struct quartic_dispatch_part {
    uint8_t kind, index;
    uint64_t byte_offset, bytes;
} quartic_dispatch_part;

typedef struct quartic_dispatch_list {
    uint32_t count, part_count;
    quartic_dispatch items[QUARTIC_DISPATCH_MAX];
    quartic_dispatch_part parts[QUARTIC_DISPATCH_MAX_PARTS];
    uint64_t scratch_bytes; /* device memory that lives for this op only */
    uint64_t counter_bytes; /* the same, of counters that are 0 when the op begins */
    bool apart; /* set by the op: its dispatches touch no byte that another of them writes, whatever their
                   operands' extents say, and need not wait for each other */
} quartic_dispatch_list;

/* Appends a dispatch with a copy of the arguments. push is quartic_<args>_push(&args). Where the table of
 * operands leaves a member to the op (QUARTIC_SCRATCH, QUARTIC_COUNTERS, QUARTIC_GIVEN, QUARTIC_PART), the member
 * holds what one of the functions below returned, or 0 for an operand that is left out. The other addresses stay 0.
 * Returns a dispatch that belongs to the list; NULL, with an error message, if the list is full or a member
 * holds something that its line does not allow. */
quartic_dispatch *quartic_dispatch_add(quartic_dispatch_list *list, const char *shader, quartic_push push);

/* For members that the table leaves to the op. Each returns a mark that quartic_dispatch_add understands. */
uint64_t quartic_dispatch_input(uint32_t index);
uint64_t quartic_dispatch_output(uint32_t index);
/* New scratch of so many bytes, which begins at a multiple of 256. */
uint64_t quartic_dispatch_reserve(quartic_dispatch_list *list, uint64_t bytes);
/* New counters, of 32 bits, which are 0 when a run of the op begins and lie at a multiple of 256. */
uint64_t quartic_dispatch_counters(quartic_dispatch_list *list, uint64_t count);
/* The bytes from byte_offset on of what one of the functions above returned. */
uint64_t quartic_dispatch_window(quartic_dispatch_list *list, uint64_t whole, uint64_t byte_offset,
                                 uint64_t bytes);

/* Whether a dispatch of a list has to wait for one before it, by what their pointers say of one operand. */
bool quartic_dispatch_must_wait(const quartic_dispatch *dispatch, const quartic_dispatch *before);

/* UNSUPPORTED, with a sentence, if one workgroup of a dispatch would run so long that a kernel may take the
 * device for hung. */
quartic_status quartic_dispatch_expect_short(const char *op, const quartic_dispatch_list *list);

void quartic_dispatch_spec(quartic_dispatch *dispatch, uint32_t number);  /* appends the next constant */
void quartic_dispatch_groups(quartic_dispatch *dispatch, uint64_t count); /* at least one group */

/* What a dispatch has beside its shader and arguments. An op with several dispatches, such as an adjoint,
 * describes what they have in common in one function that returns a shape. */
typedef struct quartic_dispatch_shape {
    uint32_t spec_count;
    uint32_t spec[QUARTIC_DISPATCH_MAX_SPEC];
    uint64_t groups;
    double flops, bytes; /* as in quartic_dispatch */
} quartic_dispatch_shape;

/* The constants of a shape, in the order of constant_id, as members of its initialiser. */
#define QUARTIC_SPEC(...)                                                                                    \
    .spec_count = sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), .spec = {__VA_ARGS__}

/* Appends a dispatch of that shape, as quartic_dispatch_add does. INTERNAL where that returns NULL. */
quartic_status quartic_dispatch_append(quartic_dispatch_list *list, const char *shader, quartic_push push,
                                       const quartic_dispatch_shape *shape);

/* Where an operand, the scratch or the counters of an op lie on a device: its first element, and the bytes that it spans.
 * Zeroes: left out. */
typedef struct quartic_operand_memory {
    bool present;
    uint64_t address, begin, end;
} quartic_operand_memory;

typedef struct quartic_dispatch_memory {
    uint32_t input_count, output_count;
    const quartic_operand_memory *inputs, *outputs;
    quartic_operand_memory scratch, counters;
    uint64_t absent; /* a block of zeros */
} quartic_dispatch_memory;

typedef struct quartic_hazard_range {
    uint64_t begin, end; /* bytes, end exclusive */
    uint32_t access;     /* QUARTIC_READ | QUARTIC_WRITE */
    uint32_t owner;      /* ranges of one owner do not conflict; 0: nobody's */
} quartic_hazard_range;

/* Writes all addresses of a dispatch into args, and the bytes that it touches into ranges, an array of
 * QUARTIC_DISPATCH_MAX_POINTERS. Returns the number of ranges.
 * An operand that is left out gets the address of the block of zeros and no range: a driver may load what a
 * condition guards, so no address may be null. A specialisation constant still tells the shader not to read
 * it. An operand that is left out but not optional becomes null, which the caller refuses. */
uint32_t quartic_dispatch_fill(const quartic_dispatch *dispatch, const quartic_dispatch_memory *memory,
                               uint8_t *args, quartic_hazard_range *ranges);

#endif
