// routing.glsl: which scores of a row are visible. Include after lib/common.glsl and args with `mask`, `extent` and `m`.
//
// extent: 0 no mask, m one number per score, else n with n^2 = m: one per node.
bool is_visible(uint row, uint score) {
    if (args.extent == 0) return true;
    if (args.extent == args.m) return args.mask.at[row * args.m + score] != 0;
    const uint first = row * args.extent;
    return args.mask.at[first + score / args.extent] != 0 && args.mask.at[first + score % args.extent] != 0;
}

// s + a, a being the sum of two floats: exact where they nearly cancel.
float slack_of(float score, vec2 a) {
    precise float slack = (score + a.x) + a.y;
    return slack;
}

// min(s, cap), but NaN where s is: a broken score must not turn into a good weight.
float capped(float s, float cap) {
    return s > cap ? cap : s;
}
