/* args.h: push constants declared once for C and GLSL.
 *
 * A file <op>.args.h holds   QUARTIC_ARGS(name, members...)   where a member is QUARTIC_FLOATS x;
 * QUARTIC_INTS x; uint32_t x; int32_t x; float x; or an array of these. Pointers come first (8-byte aligned).
 * In C it becomes the struct quartic_<name>_args, in GLSL the push constant block `args`. At most 128 bytes.
 */
#ifdef QUARTIC_GLSL
#define QUARTIC_ARGS(name, members) layout(push_constant, std430) uniform name##_args{members} args;
#define QUARTIC_FLOATS              Floats
#define QUARTIC_INTS                Ints
#define uint32_t                    uint
#define int32_t                     int
#else
#include <stdint.h>
#define QUARTIC_ARGS(name, members)                                                                          \
    typedef struct quartic_##name##_args {                                                                   \
        members                                                                                              \
    } quartic_##name##_args;                                                                                 \
    _Static_assert(sizeof(quartic_##name##_args) <= 128, #name " has more than 128 bytes");
#define QUARTIC_FLOATS uint64_t
#define QUARTIC_INTS   uint64_t
#endif
