// philox.glsl: the random numbers of src/base/rng.c, bit for bit: Philox-4x32-10.

// Ten rounds over the counter.
uvec4 philox(uvec4 counter, uvec2 key) {
    [[unroll]] for (int round = 0; round < 10; ++round) {
        uint high0, low0, high1, low1;
        umulExtended(0xD2511F53u, counter.x, high0, low0);
        umulExtended(0xCD9E8D57u, counter.z, high1, low1);
        counter = uvec4(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

// Words 4 block .. 4 block + 3 of a stream: quartic_random_bits(seed, stream, 4 block + k) is component k.
uvec4 random_bits4(uvec2 seed, uint stream, uint block) {
    return philox(uvec4(block, 0u, stream, 0u), seed);
}

// quartic_random_uniform of these: in [0, 1), exact.
vec4 random_uniform4(uvec2 seed, uint stream, uint block) {
    return vec4(random_bits4(seed, stream, block) >> 8u) * (1.0 / 16777216.0);
}
