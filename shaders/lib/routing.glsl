// routing.glsl: which scores of a row are visible. Include after lib/common.glsl and args with `mask`,
// `extent` and `m`.
//
// extent, the mask's numbers of a row: m, one per score, or n with n^2 = m, one per node.
layout(constant_id = 0) const uint HAS_MASK = 0;

bool is_visible(uint row, uint score) {
    if (HAS_MASK == 0) return true;
    score = min(score, args.m - 1);
    const uint first = row * args.extent;
    if (args.extent == args.m) return args.mask.at[first + score] != 0;
    return args.mask.at[first + score / args.extent] != 0 && args.mask.at[first + score % args.extent] != 0;
}

float score_at(uint row, uint score) {
    return args.scores.at[row * args.m + min(score, args.m - 1)];
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
