// matmul_lanes.glsl: the whole of matmul_lanes.comp and matmul_lanes_split.comp, which differ in the arguments and in
// what becomes of a tile. See matmul_lanes.comp. Include after lib/matmul.glsl, and after lib/matmul_parts.glsl for
// tiles that are parts of a sum.

layout(local_size_x = 8) in;
layout(constant_id = 2) const uint BK = 16;
layout(constant_id = 3) const uint TM = 8;
layout(constant_id = 4) const uint TN = 2;
layout(constant_id = 7) const uint WRITE = 0;

void main() {
    uint lane = gl_SubgroupInvocationID;
    matmul_place place;
    if (!matmul_place_of(linear_group(), TM, 8 * TN, BK, place)) return;

    // Rows and columns beyond the edge read the last one and are not stored.
    int a_at[TM / 8], b_at[TN];
    [[unroll]] for (uint i = 0; i < TM / 8; ++i)
        a_at[i] = place.a + int(min(place.row + i * 8 + lane, args.m - 1)) * args.a_row;
    [[unroll]] for (uint j = 0; j < TN; ++j)
        b_at[j] = place.b + int(min(place.col + j * 8 + lane, args.n - 1)) * args.b_col;
    float sums[TM * TN];
    [[unroll]] for (uint i = 0; i < TM * TN; ++i) sums[i] = 0.0;

    for (uint step = place.first_step; step < place.end_step; ++step) {
        matmul_step at = matmul_step_at(step, BK);
        uint end = min(at.k + BK, args.k);
        for (uint k = at.k; k < end; ++k) {
            const int inside = int(min(k, args.k - 1));
            int a_k = at.a + inside * args.a_k, b_k = at.b + inside * args.b_k;
            float rows[TM / 8], cols[TN];
            [[unroll]] for (uint i = 0; i < TM / 8; ++i) rows[i] = args.a.at[a_at[i] + a_k];
            [[unroll]] for (uint j = 0; j < TN; ++j) cols[j] = args.b.at[b_at[j] + b_k];
            [[unroll]] for (uint i = 0; i < TM; ++i) {
                float x = subgroupShuffle(rows[i / 8], i % 8);
                [[unroll]] for (uint j = 0; j < TN; ++j) sums[i * TN + j] += x * cols[j];
            }
        }
    }
#ifdef MATMUL_PARTS
    [[unroll]] for (uint j = 0; j < TN; ++j) {
        uint col = place.col + j * 8 + lane;
        [[unroll]] for (uint i = 0; i < TM; ++i)
            if (place.row + i < args.m && col < args.n)
                matmul_put_part(place.result, place.row + i, col, sums[i * TN + j]);
    }
    if (!is_last_group(place.tile, place.splits)) return;
    [[unroll]] for (uint i = 0; i < TM * TN; ++i) sums[i] = 0.0;
    for (uint part = 0; part < place.splits; ++part) {
        uint offset = matmul_part(place, part);
        [[unroll]] for (uint j = 0; j < TN; ++j)
            [[unroll]] for (uint i = 0; i < TM; ++i)
                sums[i * TN + j] += matmul_part_at(offset, place.row + i, place.col + j * 8 + lane);
    }
    place.result = matmul_part(place, 0); // where the batch lies in result
#endif
    [[unroll]] for (uint j = 0; j < TN; ++j) {
        uint col = place.col + j * 8 + lane;
        float bias = matmul_bias(col, WRITE);
        [[unroll]] for (uint i = 0; i < TM; ++i)
            if (place.row + i < args.m && col < args.n)
                matmul_put(place.result, place.row + i, col, sums[i * TN + j], bias, WRITE);
    }
}
