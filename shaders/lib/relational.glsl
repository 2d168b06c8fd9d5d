// relational.glsl: tiles of the shaders of relational attention. Include after lib/common.glsl and the args.
//
// A tile is ROWS edges, counted through (b, i, j), by COLUMNS components. A thread (x, y) holds 4 x 4 of it:
//     rows x + 16 r, columns y + COLUMNS / 4 c
// The contraction passes through shared memory, DEPTH of it at a time.
// Constants 0..3: De, COLUMNS, whether there is a receiver, a form; threads are 4 COLUMNS.
layout(constant_id = 0) const uint DIM = 32;
layout(constant_id = 1) const uint COLUMNS = 32;
layout(constant_id = 2) const uint WITH_RECEIVER = 1;
layout(constant_id = 3) const uint WITH_FORM = 1;
layout(constant_id = 4) const uint THREADS = 128;
layout(local_size_x_id = 4) in;

const uint ROWS = 64, DEPTH = 16;
const uint COLUMN_STEP = COLUMNS / 4;
const uint ROW_PITCH = ROWS + 1, COLUMN_PITCH = COLUMNS + 1; // an odd pitch spreads a column over the banks

shared float row_tile[DEPTH * ROW_PITCH];
shared float column_tile[DEPTH * COLUMN_PITCH];

struct edge_nodes {
    uint batch, i, j;
};

edge_nodes nodes_of(uint edge) {
    const uint node = edge / args.n; // (b, i)
    return edge_nodes(node / args.n, node % args.n, edge % args.n);
}

// Place of an edge and head in (b, h, i, j).
uint pair_of(uint edge, uint batch, uint head) {
    return edge + (batch * (args.heads - 1) + head) * args.n * args.n;
}

// sender_hj + receiver_hi of a component; unit: (b, h).
float node_terms(uint unit, edge_nodes nodes, uint component) {
    const float sender = args.sender.at[(unit * DIM + component) * args.n + nodes.j];
    return WITH_RECEIVER != 0 ? args.receiver.at[(unit * args.n + nodes.i) * DIM + component] + sender
                              : sender;
}

// sums += row_tile^T column_tile, between barriers.
void multiply_tiles(uint x, uint y, inout vec4 sums[4]) {
    for (uint k = 0; k < DEPTH; ++k) {
        vec4 columns;
        [[unroll]] for (uint c = 0; c < 4; ++c)
            columns[c] = column_tile[k * COLUMN_PITCH + y + COLUMN_STEP * c];
        [[unroll]] for (uint r = 0; r < 4; ++r) sums[r] += row_tile[k * ROW_PITCH + x + 16 * r] * columns;
    }
}
