// triple.glsl: tiles and slices of triple attention. Include after lib/triangle.glsl, whose packed operands
// these are: X[node][pivot] stands for row (unit, node, pivot), and the rows of an edge (i, j) are sums of two
// of them, Q_l = q[i][l] + q2[j][l] and K_m = k[i][m] + k2[j][m].
//
// For one edge the scores of all pairs are a matrix Q K^T, bias added. An invocation holds a row of it (one
// pivot); the other side passes through shared memory, TILE pivots at a time. With wide heads SPLIT
// invocations share a row: each holds a slice of its components and adds its part of a dot product through
// shared memory, so that nobody needs many registers.
layout(local_size_x = 64) in;
layout(constant_id = 3) const uint SPLIT = 4;
layout(constant_id = 4) const uint TILE = 16; // a multiple of 4

const uint THREADS = 64;
const uint LANES = THREADS / SPLIT;             // rows held at once
const uint SLICE = (QUADS + SPLIT - 1) / SPLIT; // quads of a row that one invocation holds
const uint WIDTH = SLICE * SPLIT;

// (row, quad): TILE rows of K, then as many of values. At least THREADS * SLICE.
const uint TILE_QUADS = TILE * WIDTH;
shared vec4 tiles[2 * TILE_QUADS > THREADS *SLICE ? 2 * TILE_QUADS : THREADS *SLICE];

// A quad of X[node][pivot]; zeros beyond the last.
vec4 quad_of(Floats x, uint unit, uint node, uint pivot, uint quad) {
    if (!one_of(pivot, args.n) || !one_of(quad, QUADS)) return vec4(0);
    return Quads(x).at[((unit * args.n + node) * args.n + pivot) * QUADS + quad];
}

// Rows begin .. begin + TILE - 1 of x[node] + y[other] and of z[third], zeros beyond the last. Begins where
// nobody reads the tiles any more; the caller's barrier ends it.
void load_tiles(Floats x, Floats y, Floats z, uint unit, uint node, uint other, uint third, uint begin) {
    for (uint index = gl_LocalInvocationIndex; index < TILE_QUADS; index += THREADS) {
        const uint quad = index % WIDTH, row = begin + index / WIDTH;
        tiles[index] = quad_of(x, unit, node, row, quad) + quad_of(y, unit, other, row, quad);
        tiles[TILE_QUADS + index] = quad_of(z, unit, third, row, quad);
    }
}

// The bias of row l and column m as packed (unit, row, column).
float bias_of(uint unit, uint row, uint column) {
    return args.bias.at[(unit * args.n + min(row, args.n - 1)) * args.n + min(column, args.n - 1)];
}
