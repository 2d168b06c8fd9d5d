// taylor_features.glsl: features of the linear form. Include after lib/taylor.glsl.
//
// Features are the products x_a x_b, a <= b, of the extended vector (1, x_1 .. x_D), numbered (0,0) (0,1) ..
// (0,D) (1,1) .. (D,D). A state has for each feature the DV columns of values, in fours of which the last is filled up
// with zeros, and then one more column of all features. A hidden key's extended vector is all zeros, the leading 1 included, and so are its features and their
// derivatives.
const uint F = (D + 1) * (D + 2) / 2;
const uint WIDTH = D + 1, FOURS = (D + 3) / 4; // of an extended vector; fours of x
// Fours of values of a feature; where the last column begins, and numbers of a state: src/ops/taylor_gpu.c.
const uint VALUES = (DV + 3) / 4, ONES = F * VALUES * 4, STATE = ONES + (F + 3) / 4 * 4;

const uint KEYS = 0, QUERIES = 1; // which tokens a shader walks over

// Four values of a feature, zeros beyond the last.
vec4 state_quad(Floats states, uint state, uint feature, uint four) {
    const vec4 values = FloatQuads(uvec2(states)).at[(state >> 2) + feature * VALUES + min(four, VALUES - 1)];
    return four < VALUES ? values : vec4(0);
}

uint first_feature(uint a) {
    return a * (2 * WIDTH + 1 - a) / 2;
}

// The root is off by at most one, which the comparisons mend. (A loop that searches, once for each of a
// thread's features, takes so many scalar registers that AMD's compiler spills some at D = 33.)
uvec2 pair_of(uint feature) {
    const float corner = float(WIDTH) + 0.5;
    uint a = uint(max(corner - sqrt(max(corner * corner - 2.0 * float(feature), 0.0)), 0.0));
    if (first_feature(a) > feature) --a;
    if (first_feature(a + 1) <= feature) ++a;
    return uvec2(a, a + feature - first_feature(a));
}

uvec2 next_pair(uvec2 pair) {
    return pair.y < D ? uvec2(pair.x, pair.y + 1) : pair.xx + 1;
}
