// flat.glsl: what an invocation does of args.count elements that lie one after the other in every operand. Include
// after lib/common.glsl and the args.
//
// FLAT_LOOP(quads, four, one): an invocation of a group of 256 takes four elements, and there are as many groups as
// hold all. If `quads` (a constant: all operands begin at 16 bytes, and there are at least four elements) it runs
// four(index) once for elements index .. index + 3, or one(index) for each of the last args.count % 4; else one(index)
// for four elements that lie 256 apart, so that neighbours load neighbours.
#define FLAT_LOOP(quads, four, one)                                                                          \
    {                                                                                                        \
        const uint group = linear_group();                                                                   \
        uint quad = group * 256u + gl_LocalInvocationID.x;                                                   \
        const uint start = (quads) != 0 ? 4u * quad : group * 1024u + gl_LocalInvocationID.x;                \
        if ((quads) != 0 && one_of(quad, args.count >> 2)) {                                                 \
            four(4u * quad);                                                                                 \
        } else {                                                                                             \
            [[unroll]] for (uint k = 0; k < 4; ++k) {                                                        \
                uint index = start + k * ((quads) != 0 ? 1u : 256u);                                         \
                if (one_of(index, args.count)) one(index);                                                   \
            }                                                                                                \
        }                                                                                                    \
    }
