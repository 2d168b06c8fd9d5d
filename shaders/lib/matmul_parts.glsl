// matmul_parts.glsl: parts (split, b, m, n) of a split contraction, and their sum. Include after lib/matmul.glsl in a
// shader with matmul_split.args.h.
#define MATMUL_PARTS 1
#include "lib/last_group.glsl"

// Where a part of the batch's (m, n) lies in parts; that of part 0 is where the batch lies in result.
uint matmul_part(matmul_place place, uint part) {
    return (min(part, place.splits - 1) * place.batches + place.batch) * args.m * args.n;
}

void matmul_put_part(uint part, uint row, uint col, float sum) {
    GroupFloats(uvec2(args.parts)).at[part + row * args.n + col] = sum;
}

// The same for four columns, of which some may lie outside unless four are written at once.
void matmul_put_part_quad(uint part, uint row, uint col, vec4 sum, uint write) {
    if ((write & WRITE_QUADS) != 0) {
        GroupVec4s(uvec2(args.parts)).at[(part + row * args.n + col) >> 2] = sum;
        return;
    }
    [[unroll]] for (uint c = 0; c < 4; ++c)
        if (col + c < args.n) matmul_put_part(part, row, col + c, sum[c]);
}

// Of rows and columns beyond the edge, that of the last one.
float matmul_part_at(uint part, uint row, uint col) {
    return GroupFloats(uvec2(args.parts)).at[part + min(row, args.m - 1) * args.n + min(col, args.n - 1)];
}

vec4 matmul_part_quad(uint part, uint row, uint col, uint write) {
    if ((write & WRITE_QUADS) != 0)
        return GroupVec4s(uvec2(args.parts))
            .at[(part + min(row, args.m - 1) * args.n + min(col, args.n - 4)) >> 2];
    return vec4(matmul_part_at(part, row, col), matmul_part_at(part, row, col + 1),
                matmul_part_at(part, row, col + 2), matmul_part_at(part, row, col + 3));
}
