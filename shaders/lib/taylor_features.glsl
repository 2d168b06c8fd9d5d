// taylor_features.glsl: features of the linear form. Include after lib/taylor.glsl.
//
// Features are the products x_a x_b, a <= b, of the extended vector (1, x_1 .. x_D), numbered (0,0) (0,1) ..
// (0,D) (1,1) .. (D,D). A state is (F, DV + 1): per feature the DV columns of values and one more column. A
// hidden key's extended vector is all zeros, the leading 1 included, and so are its features and their
// derivatives.
const uint F = (D + 1) * (D + 2) / 2;
const uint WIDTH = D + 1;      // of an extended vector
const uint STATE_ROW = DV + 1; // of a state

const uint KEYS = 0, QUERIES = 1; // which tokens a shader walks over

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
