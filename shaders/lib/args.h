/* args.h: push constants and the operands behind them, declared once for C and GLSL.
 *
 * A file <op>.args.h holds   QUARTIC_ARGS(name, members...)   where a member is QUARTIC_FLOATS x;
 * QUARTIC_INTS x; uint32_t x; int32_t x; float x; or an array of these. Pointers come first (8-byte aligned).
 * In C it becomes the struct quartic_<name>_args, in GLSL the push constant block `args`. At most 128 bytes.
 *
 * Then comes the table of its operands: one line for each pointer, in the order of the members,
 *     QUARTIC_OPERANDS(name)
 *     QUARTIC_READS(x, QUARTIC_INPUT(0))
 *     QUARTIC_WRITES(y, QUARTIC_OUTPUT(0))
 *     QUARTIC_OPERANDS_END(name)
 * A line says how the shaders access the memory behind a pointer (READS, WRITES, or UPDATES for both; UNUSED
 * where only a shared include names the pointer) and whose memory it is:
 *     QUARTIC_INPUT(k), QUARTIC_OUTPUT(k)  an operand of the op
 *     QUARTIC_SCRATCH                      the range of scratch that op->gpu puts into the member
 *     QUARTIC_COUNTERS                     the counters that op->gpu puts into the member, 0 at first
 *     QUARTIC_GIVEN                        the input, output or scratch that op->gpu puts into the member
 *     .. | QUARTIC_PART                    only the part of it that op->gpu puts into the member
 *     .. | QUARTIC_OPTIONAL                may be left out; specialisation constants tell the shader
 * In C the table becomes quartic_<name>_operands(), and quartic_<name>_push(&args) joins it with its
 * arguments for quartic_dispatch_add (src/ops/dispatch.h); in GLSL it vanishes. The test
 * unit.gpu_operand_access compares it with what the compiled shaders load and store.
 */
#ifdef QUARTIC_GLSL
#define QUARTIC_ARGS(name, members) layout(push_constant, std430) uniform name##_args{members} args;
#define QUARTIC_FLOATS              Floats
#define QUARTIC_INTS                Ints
#define uint32_t                    uint
#define int32_t                     int
#define QUARTIC_OPERANDS(name)
#define QUARTIC_READS(member, operand)
#define QUARTIC_WRITES(member, operand)
#define QUARTIC_UPDATES(member, operand)
#define QUARTIC_UNUSED(member)
#define QUARTIC_OPERANDS_END(name)
#else
#include <stddef.h>
#include <stdint.h>
#ifndef QUARTIC_SHADERS_LIB_ARGS_H
#define QUARTIC_SHADERS_LIB_ARGS_H

enum { QUARTIC_READ = 1, QUARTIC_WRITE = 2 };

typedef enum quartic_operand_kind {
    QUARTIC_OPERAND_INPUT,
    QUARTIC_OPERAND_OUTPUT,
    QUARTIC_OPERAND_SCRATCH,
    QUARTIC_OPERAND_COUNTERS,
    QUARTIC_OPERAND_GIVEN,
    QUARTIC_OPERAND_NONE /* left out, or unused */
} quartic_operand_kind;

/* What a line names: the index in bits 0 .. 7, the kind in bits 8 .. 11, and flags. */
enum { QUARTIC_OPTIONAL = 1 << 12, QUARTIC_PART = 1 << 13 };
#define QUARTIC_INPUT(k)  (QUARTIC_OPERAND_INPUT << 8 | (k))
#define QUARTIC_OUTPUT(k) (QUARTIC_OPERAND_OUTPUT << 8 | (k))
#define QUARTIC_SCRATCH   (QUARTIC_OPERAND_SCRATCH << 8)
#define QUARTIC_COUNTERS  (QUARTIC_OPERAND_COUNTERS << 8)
#define QUARTIC_GIVEN     (QUARTIC_OPERAND_GIVEN << 8)

typedef struct quartic_operand_row {
    uint8_t args_offset; /* where in the args the 8-byte address goes */
    uint8_t access;      /* QUARTIC_READ | QUARTIC_WRITE; 0: unused */
    uint16_t operand;
    const char *member;
} quartic_operand_row;

typedef struct quartic_operand_table {
    const char *name; /* of the args */
    uint32_t args_bytes, count;
    const quartic_operand_row *rows;
} quartic_operand_table;

/* Arguments with the table of their operands. */
typedef struct quartic_push {
    const quartic_operand_table *operands;
    const void *args;
} quartic_push;
#endif

#define QUARTIC_ARGS(name, members)                                                                          \
    typedef struct quartic_##name##_args {                                                                   \
        members                                                                                              \
    } quartic_##name##_args;                                                                                 \
    _Static_assert(sizeof(quartic_##name##_args) <= 128, #name " has more than 128 bytes");
#define QUARTIC_FLOATS uint64_t
#define QUARTIC_INTS   uint64_t

/* clang-format off */
#define QUARTIC_OPERANDS(name)                                                                               \
    static inline const quartic_operand_table *quartic_##name##_operands(void) {                             \
        typedef quartic_##name##_args args_type;                                                             \
        static const quartic_operand_row rows[] = {
#define QUARTIC_OPERAND_ROW(member, access, operand) {offsetof(args_type, member), access, operand, #member},
#define QUARTIC_READS(member, operand)   QUARTIC_OPERAND_ROW(member, QUARTIC_READ, operand)
#define QUARTIC_WRITES(member, operand)  QUARTIC_OPERAND_ROW(member, QUARTIC_WRITE, operand)
#define QUARTIC_UPDATES(member, operand) QUARTIC_OPERAND_ROW(member, QUARTIC_READ | QUARTIC_WRITE, operand)
#define QUARTIC_UNUSED(member)           QUARTIC_OPERAND_ROW(member, 0, QUARTIC_OPERAND_NONE << 8)
#define QUARTIC_OPERANDS_END(name)                                                                           \
        };                                                                                                   \
        static const quartic_operand_table table = {#name, sizeof(args_type), sizeof rows / sizeof rows[0],  \
                                                    rows};                                                   \
        return &table;                                                                                       \
    }                                                                                                        \
    static inline quartic_push quartic_##name##_push(const quartic_##name##_args *args) {                    \
        return (quartic_push){quartic_##name##_operands(), args};                                            \
    }
/* clang-format on */
#endif
