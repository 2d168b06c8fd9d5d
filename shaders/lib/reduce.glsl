// reduce.glsl: reductions within a workgroup of 256 invocations, through shared memory.
//
// The invocations are cut into aligned groups of `lanes` (a power of two up to 256), usually one group per
// row. reduce_sum and reduce_max give every invocation of a group the group's result. fold_sum adds up the
// invocations whose indices are equal modulo `columns` (a power of two); only invocations below `columns` get
// the result. The order of additions is fixed, so equal inputs give equal bits; no subgroup size is assumed.
// Call in uniform control flow only: there are barriers inside.
//
// A group of up to 16 lanes is added by every lane from shared memory, a larger one by 16 lanes first: two or
// three barriers, where a binary tree takes up to nine.

shared float reduce_float[256];
shared float reduce_float_16[128];
shared vec2 reduce_vec2[256];
shared vec2 reduce_vec2_16[128];

#define REDUCE_ADD(a, b) ((a) + (b))

#define REDUCE_DEFINE(NAME, TYPE, FIRST, SECOND, COMBINE)                                                    \
    TYPE NAME(TYPE mine, uint lanes) {                                                                       \
        uint self = gl_LocalInvocationIndex;                                                                 \
        uint lane = self & (lanes - 1u);                                                                     \
        uint base = self - lane;                                                                             \
        barrier(); /* the previous reduction has been read */                                                \
        FIRST[self] = mine;                                                                                  \
        barrier();                                                                                           \
        TYPE total = FIRST[base];                                                                            \
        if (lanes <= 16u) {                                                                                  \
            for (uint k = 1u; k < lanes; ++k) total = COMBINE(total, FIRST[base + k]);                       \
            return total;                                                                                    \
        }                                                                                                    \
        uint second = base / lanes * 16u;                                                                    \
        if (lane < 16u) {                                                                                    \
            total = FIRST[self];                                                                             \
            for (uint k = 16u; k < lanes; k += 16u) total = COMBINE(total, FIRST[self + k]);                 \
            SECOND[second + lane] = total;                                                                   \
        }                                                                                                    \
        barrier();                                                                                           \
        total = SECOND[second];                                                                              \
        for (uint k = 1u; k < 16u; ++k) total = COMBINE(total, SECOND[second + k]);                          \
        return total;                                                                                        \
    }

REDUCE_DEFINE(reduce_sum, float, reduce_float, reduce_float_16, REDUCE_ADD)
REDUCE_DEFINE(reduce_sum, vec2, reduce_vec2, reduce_vec2_16, REDUCE_ADD)
REDUCE_DEFINE(reduce_max, float, reduce_float, reduce_float_16, max)

float fold_sum(float mine, uint columns) {
    uint self = gl_LocalInvocationIndex;
    barrier();
    reduce_float[self] = mine;
    barrier();
    float total = 0.0;
    if (self < columns)
        for (uint k = self; k < 256u; k += columns) total += reduce_float[k];
    return total;
}
