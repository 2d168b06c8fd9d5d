#version 460
// matmul.comp: a tile of BM x BN results per group, TM x TN of them per invocation in registers.
// The contraction walks BK elements a step. Both operands' tiles lie in shared memory with k as the slow
// axis, twice: while one pair is multiplied, the next is on its way from memory, and one barrier a step
// suffices. Memory is read in blocks of 4 x 4 elements, along whichever axis lies densely, and transposed in
// registers.
// Constants: 0..4 BM BN BK TM TN (multiples of 4; BK too), 5 and 6 how a and b are read, 7 how results are
// written, 8 invocations = BM / TM * BN / TN.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "matmul.args.h"
#include "lib/matmul.glsl"
#include "lib/matmul_tiles.glsl"
