// matmul_tiles.glsl: the whole of matmul.comp and matmul_split.comp, which differ in the arguments and in what
// becomes of a tile. See matmul.comp. Include after lib/matmul.glsl, and after lib/matmul_parts.glsl for tiles that are
// parts of a sum.

layout(local_size_x = 128, local_size_x_id = 8) in;
layout(constant_id = 0) const uint BM = 64;
layout(constant_id = 1) const uint BN = 64;
layout(constant_id = 2) const uint BK = 16;
layout(constant_id = 3) const uint TM = 8;
layout(constant_id = 4) const uint TN = 4;
layout(constant_id = 5) const uint A_READ = 0;
layout(constant_id = 6) const uint B_READ = 0;
layout(constant_id = 7) const uint WRITE = 0;
layout(constant_id = 8) const uint THREADS = 128;

// Rows of the shared tiles in vec4; one more keeps transposed stores off a single bank.
const uint A_PITCH = BM / 4 + 1, B_PITCH = BN / 4 + 1;
shared vec4 a_tile[2 * BK * A_PITCH]; // (2, k, m / 4)
shared vec4 b_tile[2 * BK * B_PITCH]; // (2, k, n / 4)

// 4 x 4 blocks of both tiles; each invocation carries up to BLOCKS of them.
const uint A_BLOCKS = BM * BK / 16, B_BLOCKS = BN * BK / 16;
const uint BLOCKS = (A_BLOCKS + B_BLOCKS + THREADS - 1) / THREADS;
mat4 carried[BLOCKS]; // column c is k + c, rows are four of m or n

const uint ROW_QUADS = TM / 4, COL_QUADS = TN / 4;

void fetch(uint step, matmul_place place) {
    matmul_step at = matmul_step_at(step, BK);
    [[unroll]] for (uint slot = 0; slot < BLOCKS; ++slot) {
        uint block = gl_LocalInvocationID.x + slot * THREADS;
        if (block < A_BLOCKS) {
            uvec2 within = matmul_block(block, BM, BK, A_READ);
            carried[slot] = matmul_fetch(args.a, place.a + at.a, place.row + within.x, at.k + within.y,
                                         args.m, args.a_row, args.a_k, A_READ);
        } else if (block < A_BLOCKS + B_BLOCKS) {
            uvec2 within = matmul_block(block - A_BLOCKS, BN, BK, B_READ);
            carried[slot] = matmul_fetch(args.b, place.b + at.b, place.col + within.x, at.k + within.y,
                                         args.n, args.b_col, args.b_k, B_READ);
        }
    }
}

void stash(uint half_index) {
    [[unroll]] for (uint slot = 0; slot < BLOCKS; ++slot) {
        uint block = gl_LocalInvocationID.x + slot * THREADS;
        if (block < A_BLOCKS) {
            uvec2 within = matmul_block(block, BM, BK, A_READ);
            uint base = (half_index * BK + within.y) * A_PITCH + within.x / 4;
            [[unroll]] for (uint c = 0; c < 4; ++c) a_tile[base + c * A_PITCH] = carried[slot][c];
        } else if (block < A_BLOCKS + B_BLOCKS) {
            uvec2 within = matmul_block(block - A_BLOCKS, BN, BK, B_READ);
            uint base = (half_index * BK + within.y) * B_PITCH + within.x / 4;
            [[unroll]] for (uint c = 0; c < 4; ++c) b_tile[base + c * B_PITCH] = carried[slot][c];
        }
    }
}

void main() {
    const uint threads_n = BN / TN, threads_m = BM / TM;
    uint tx = gl_LocalInvocationID.x % threads_n, ty = gl_LocalInvocationID.x / threads_n;
    matmul_place place;
    if (!matmul_place_of(linear_group(), BM, BN, BK, place)) return; // the whole group

    vec4 sums[TM * COL_QUADS]; // (rows, column quads)
    [[unroll]] for (uint i = 0; i < TM * COL_QUADS; ++i) sums[i] = vec4(0.0);

    fetch(place.first_step, place);
    stash(0);
    barrier();
    for (uint step = place.first_step; step < place.end_step; ++step) {
        uint half_index = (step - place.first_step) & 1u;
        bool more = step + 1 < place.end_step;
        if (more) fetch(step + 1, place);
        uint a_base = half_index * BK * A_PITCH + ty, b_base = half_index * BK * B_PITCH + tx;
        [[unroll]] for (uint k = 0; k < BK; ++k) {
            vec4 rows[ROW_QUADS], cols[COL_QUADS];
            [[unroll]] for (uint q = 0; q < ROW_QUADS; ++q)
                rows[q] = a_tile[a_base + k * A_PITCH + q * threads_m];
            [[unroll]] for (uint q = 0; q < COL_QUADS; ++q)
                cols[q] = b_tile[b_base + k * B_PITCH + q * threads_n];
            [[unroll]] for (uint i = 0; i < TM; ++i)
                [[unroll]] for (uint q = 0; q < COL_QUADS; ++q)
                    sums[i * COL_QUADS + q] += rows[i / 4][i % 4] * cols[q];
        }
        if (more) stash(half_index ^ 1u);
        barrier();
    }

#ifdef MATMUL_PARTS
    [[unroll]] for (uint q = 0; q < COL_QUADS; ++q) {
        uint col = place.col + (q * threads_n + tx) * 4;
        [[unroll]] for (uint i = 0; i < TM; ++i) {
            uint row = place.row + (i / 4 * threads_m + ty) * 4 + i % 4;
            if (row < args.m && col < args.n)
                matmul_put_part_quad(place.result, row, col, sums[i * COL_QUADS + q], WRITE);
        }
    }
    if (!is_last_group(place.tile, place.splits)) return; // the whole group
    [[unroll]] for (uint i = 0; i < TM * COL_QUADS; ++i) sums[i] = vec4(0.0);
    for (uint part = 0; part < place.splits; ++part) {
        uint offset = matmul_part(place, part);
        [[unroll]] for (uint q = 0; q < COL_QUADS; ++q) {
            uint col = place.col + (q * threads_n + tx) * 4;
            [[unroll]] for (uint i = 0; i < TM; ++i) {
                uint row = place.row + (i / 4 * threads_m + ty) * 4 + i % 4;
                sums[i * COL_QUADS + q] += matmul_part_quad(offset, row, col, WRITE);
            }
        }
    }
    place.result = matmul_part(place, 0); // where the batch lies in result
#endif
    [[unroll]] for (uint q = 0; q < COL_QUADS; ++q) {
        uint col = place.col + (q * threads_n + tx) * 4;
        vec4 bias = vec4(matmul_bias(col, WRITE), matmul_bias(col + 1, WRITE), matmul_bias(col + 2, WRITE),
                         matmul_bias(col + 3, WRITE));
        [[unroll]] for (uint i = 0; i < TM; ++i) {
            uint row = place.row + (i / 4 * threads_m + ty) * 4 + i % 4;
            if (row < args.m && col < args.n)
                matmul_put_quad(place.result, row, col, sums[i * COL_QUADS + q], bias, WRITE);
        }
    }
}
