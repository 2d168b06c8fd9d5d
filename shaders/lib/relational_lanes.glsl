// relational_lanes.glsl: eight senders by ROWS receivers at once by a group of eight lanes, for Vulkan on a
// CPU: there a load costs as much as many multiplications of the whole subgroup, so lanes load what is common
// to their edges once, every eighth number each, and pass it round by shuffles. Include after lib/common.glsl
// and the args.
//
// A lane is one sender j; its edges with the receivers stay in registers for all heads. Needs subgroups of at
// least eight invocations with shuffles.
// Constants 0..3: De, ROWS, whether there is a receiver, a form.
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x = 8) in;
layout(constant_id = 0) const uint DIM = 8;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint WITH_RECEIVER = 1;
layout(constant_id = 3) const uint WITH_FORM = 1;

const uint EIGHTS = (DIM + 7) / 8;

struct lanes_place {
    uint batch, i, j; // the first receiver; the lane's sender, or the last one
    bool is_edge;     // whether the lane has a sender
};

// Groups run over (b, tile of i, tile of j), the last fastest.
lanes_place place_of(uint group, uint lane) {
    const uint tiles_i = (args.n + ROWS - 1) / ROWS, tiles_j = (args.n + 7) / 8;
    const uint j = group % tiles_j * 8 + lane;
    return lanes_place(group / tiles_j / tiles_i, group / tiles_j % tiles_i * ROWS, min(j, args.n - 1),
                       j < args.n);
}

// Receivers beyond the last read the last one and are not stored.
uint receiver_of(lanes_place at, uint row) {
    return min(at.i + row, args.n - 1);
}

// The tile's edges: component c of the one with the row'th receiver is e[row * DIM + c].
float e[ROWS * DIM];

void load_edges(lanes_place at) {
    [[unroll]] for (uint row = 0; row < ROWS; ++row) {
        const uint edge = (at.batch * args.n + receiver_of(at, row)) * args.n + at.j;
        [[unroll]] for (uint eight = 0; eight < EIGHTS; ++eight)
            [[unroll]] for (uint k = eight * 8; k < eight * 8 + 8; ++k)
                if (k < DIM) e[row * DIM + k] = args.e.at[edge * DIM + k];
    }
}
