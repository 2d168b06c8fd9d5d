// triangle_rows.glsl: tiles and slices of the kinds start and end. Include after lib/triangle.glsl.
//
// Their triangles with one first node (i of start, j of end) are a sequence of their own: edge (first, p)
// attends over the edges (first, l), with the bias (l, p) of the third edge. An invocation holds a row (an
// edge p, or a pivot l in the adjoint of keys and values); the other side passes through shared memory, TILE
// rows at a time. With wide heads SPLIT invocations share a row: each holds a slice of its components and
// adds its part of a dot product through shared memory, so that nobody needs many registers.
layout(local_size_x = 64) in;
layout(constant_id = 3) const uint HAS_BIAS = 0;
layout(constant_id = 4) const uint SPLIT = 2;
layout(constant_id = 5) const uint TILE = 16; // a multiple of 4

const uint THREADS = 64;
const uint LANES = THREADS / SPLIT;             // rows held at once
const uint SLICE = (QUADS + SPLIT - 1) / SPLIT; // quads of a row that one invocation holds
const uint WIDTH = SLICE * SPLIT;

shared vec4 x_tile[TILE * WIDTH]; // (row, quad)
shared vec4 y_tile[TILE * WIDTH];

// Rows begin .. begin + TILE - 1 of (unit, first), zeros beyond the last. Begins where nobody reads the tiles
// any more; the caller's barrier ends it.
void load_rows(Floats x, Floats y, uint sequence, uint begin) {
    for (uint index = gl_LocalInvocationIndex; index < TILE * WIDTH; index += THREADS) {
        uint quad = index % WIDTH, row = begin + index / WIDTH;
        x_tile[index] = vec4(0);
        y_tile[index] = vec4(0);
        if (one_of(row, args.n) && one_of(quad, QUADS)) {
            const uint at = (sequence * args.n + row) * QUADS + quad;
            x_tile[index] = Quads(x).at[at];
            y_tile[index] = Quads(y).at[at];
        }
    }
}

// Quad k of the slice of a row that is held; zeros beyond the last row or quad.
vec4 held(Floats x, uint sequence, uint row, uint quad) {
    if (!one_of(row, args.n) || !one_of(quad, QUADS)) return vec4(0);
    return Quads(x).at[(sequence * args.n + row) * QUADS + quad];
}

// What a group works on: the sequence (unit, first) and its first row.
struct Place {
    uint sequence, unit, first, begin;
};

bool place_of_group(out Place place) {
    const uint blocks = (args.n + LANES - 1) / LANES;
    uint group = linear_group();
    const bool exists = one_of(group, args.units * args.n * blocks);
    place.sequence = group / blocks;
    place.unit = place.sequence / args.n;
    place.first = place.sequence % args.n;
    place.begin = group % blocks * LANES;
    return exists;
}
