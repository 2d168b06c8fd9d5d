// matmul.glsl: what the matmul shaders share: where a group works, reading blocks, writing results.
// Include after matmul.args.h or matmul_split.args.h.

layout(buffer_reference, std430, buffer_reference_align = 16) buffer Vec4s {
    vec4 at[];
};

// How an operand is read: (4 elements at once) | (densely along k).
const uint READ_QUADS = 1u, READ_ALONG_K = 2u;
// How results are written: (add the addend) | (4 elements at once) | (add the bias).
const uint WITH_ADDEND = 1u, WRITE_QUADS = 2u, WITH_BIAS = 4u;

struct matmul_place {
    uint row, col;             // first of the tile
    int a, b;                  // offsets of the batch
    uint result;               // offset of the batch's (m, n) in result and addend; of the part's in parts
    uint first_step, end_step; // of the contraction
    uint batch, batches, splits;
    uint tile; // among the tiles of all batches
};

struct matmul_step {
    int a, b; // offsets of the summed axes
    uint k;   // first of the step
};

uint batch_axes() {
    return args.axis_counts & 255u;
}
uint summed_axes() {
    return args.axis_counts >> 8;
}

// Offsets of a and b at a position of axes [first, first + count).
ivec2 matmul_axes_at(uint index, uint first, uint count) {
    ivec2 at = ivec2(0);
    for (uint axis = first + count; axis-- > first;) {
        int within = int(index % args.extents[axis]);
        index /= args.extents[axis];
        at += within * ivec2(args.a_strides[axis], args.b_strides[axis]);
    }
    return at;
}

uint matmul_batches() {
    uint count = 1;
    for (uint axis = 0; axis < batch_axes(); ++axis) count *= args.extents[axis];
    return count;
}

uint matmul_steps(uint step_k) {
    uint count = (args.k + step_k - 1) / step_k, first = batch_axes();
    for (uint axis = first; axis < first + summed_axes(); ++axis) count *= args.extents[axis];
    return count;
}

matmul_step matmul_step_at(uint step, uint step_k) {
    uint count = summed_axes();
    if (count == 0) return matmul_step(0, 0, step * step_k);
    uint inner = (args.k + step_k - 1) / step_k;
    ivec2 at = matmul_axes_at(step / inner, batch_axes(), count);
    return matmul_step(at.x, at.y, step % inner * step_k);
}

// Groups run over (batch, split, tile row, tile column), the last fastest. Partial results of a split go to
// (split, batch, m, n). False beyond the last group.
bool matmul_place_of(uint group, uint tile_m, uint tile_n, uint step_k, out matmul_place place) {
    uint tiles_n = (args.n + tile_n - 1) / tile_n, tiles_m = (args.m + tile_m - 1) / tile_m;
    uint steps = matmul_steps(step_k), splits = (steps + args.split_steps - 1) / args.split_steps;
    uint batches = matmul_batches();
    place.tile = group % (tiles_m * tiles_n);
    place.col = group % tiles_n * tile_n;
    group /= tiles_n;
    place.row = group % tiles_m * tile_m;
    group /= tiles_m;
    uint split = group % splits, batch = group / splits;
    bool exists = one_of(batch, batches);
    place.tile += batch * tiles_m * tiles_n;
    place.batch = batch;
    place.batches = batches;
    place.splits = splits;
    ivec2 at = matmul_axes_at(batch, 0, batch_axes());
    place.a = at.x;
    place.b = at.y;
    place.result = (split * batches + batch) * args.m * args.n;
    place.first_step = split * args.split_steps;
    place.end_step = min(place.first_step + args.split_steps, steps);
    return exists;
}

// Position (m or n, k) of a 4 x 4 block in a tile; neighbouring invocations go along the dense axis.
uvec2 matmul_block(uint block, uint tile, uint step_k, uint read) {
    if ((read & READ_ALONG_K) != 0) return 4u * uvec2(block / (step_k / 4), block % (step_k / 4));
    return 4u * uvec2(block % (tile / 4), block / (tile / 4));
}

// Elements (row + r, k + c) as column c, row r; 0 outside. Quads need the dense axis, its extent and all
// offsets in fours, so that a quad lies inside or outside as a whole.
mat4 matmul_fetch(Floats from, int offset, uint row, uint k, uint rows, int row_stride, int k_stride,
                  uint read) {
    mat4 block = mat4(0.0);
    bool along_k = (read & READ_ALONG_K) != 0;
    if ((read & READ_QUADS) != 0) {
        Vec4s quads = Vec4s(uvec2(from));
        [[unroll]] for (uint line = 0; line < 4; ++line) {
            if (along_k) {
                int at = offset + int(min(row + line, rows - 1)) * row_stride + int(min(k, args.k - 4));
                if (row + line < rows && k < args.k) block[line] = quads.at[at >> 2];
            } else {
                int at = offset + int(min(k + line, args.k - 1)) * k_stride + int(min(row, rows - 4));
                if (row < rows && k + line < args.k) block[line] = quads.at[at >> 2];
            }
        }
        return along_k ? transpose(block) : block;
    }
    [[unroll]] for (uint c = 0; c < 4; ++c)
        [[unroll]] for (uint r = 0; r < 4; ++r)
            if (row + r < rows && k + c < args.k)
                block[c][r] = from.at[offset + int(min(row + r, rows - 1)) * row_stride +
                                      int(min(k + c, args.k - 1)) * k_stride];
    return block;
}

// bias[col], of the last column beyond it; 0 without a bias.
float matmul_bias(uint col, uint write) {
    if ((write & WITH_BIAS) == 0) return 0.0;
    return args.bias.at[min(col, args.n - 1)];
}

void matmul_put(uint result, uint row, uint col, float sum, float bias, uint write) {
    uint at = result + row * args.n + col;
    sum *= args.alpha;
    if ((write & WITH_BIAS) != 0) sum += bias;
    if ((write & WITH_ADDEND) != 0) sum += args.addend.at[at];
    args.result.at[at] = sum;
}

// The same for four columns, of which some may lie outside unless four are written at once.
void matmul_put_quad(uint result, uint row, uint col, vec4 sum, vec4 bias, uint write) {
    if ((write & WRITE_QUADS) == 0) {
        [[unroll]] for (uint c = 0; c < 4; ++c)
            if (col + c < args.n) matmul_put(result, row, col + c, sum[c], bias[c], write);
        return;
    }
    uint at = result + row * args.n + col;
    sum *= args.alpha;
    if ((write & WITH_BIAS) != 0) sum += bias;
    if ((write & WITH_ADDEND) != 0) sum += Vec4s(uvec2(args.addend)).at[at >> 2];
    Vec4s(uvec2(args.result)).at[at >> 2] = sum;
}
