#version 460
// coordinate_descent.comp: soft top-k weights of a row of scores; formulas: src/ops/coordinate_descent.c.
//
// A workgroup owns a row. Between iterations only the number a is carried: s + b is min(s, -a). The greatest
// summand of the log-sum-exp is known beforehand, from the greatest score. a is carried as the sum of two
// floats: the rounding of one, over eps, would be the weights' error.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "coordinate_descent.args.h"
#include "lib/functions.h"
#include "lib/reduce.glsl"
#include "lib/routing.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 1) const uint HAS_WANTED = 0; // each graph has its own k

// a + step.
vec2 advanced(vec2 a, float step) {
    precise float sum = a.x + step;
    precise float added = sum - a.x;
    precise float lost = (a.x - (sum - added)) + (step - added);
    precise float rest = a.y + lost;
    precise float high = sum + rest;
    precise float low = rest - (high - sum);
    return vec2(high, low);
}

void keep_step(uint step, vec2 a) {
    args.steps.at[2 * step] = a.x;
    args.steps.at[2 * step + 1] = a.y;
}

void main() {
    uint row = linear_group();
    if (!one_of(row, args.rows)) return; // the whole group
    const uint local = gl_LocalInvocationIndex, base = row * args.m;
    float k = args.k;
    if (HAS_WANTED != 0) k = args.wanted.at[row / args.groups];
    float mine = -3.402823466e38, seen = 0;
    for (uint j = local; j < args.m; j += 256) {
        if (!is_visible(row, j)) continue;
        mine = max(mine, score_at(row, j));
        seen += 1;
    }
    const float largest = reduce_max(mine, 256);
    const float count = reduce_sum(seen, 256);

    float eps = max(args.eps_init, args.eps);
    vec2 a = vec2(count > 0.0 ? eps * approx_log(k / count) : 0.0, 0.0); // all s + b are 0 at first
    if (local == 0) keep_step(row * args.iterations, a);
    for (uint t = 1; t < args.iterations; ++t) {
        eps = max(eps * args.eps_decay, args.eps);
        const float top = capped(slack_of(largest, a), 0.0); // the greatest s + a + b
        float part = 0;
        for (uint j = local; j < args.m; j += 256)
            if (is_visible(row, j))
                part += approx_exp((capped(slack_of(score_at(row, j), a), 0.0) - top) / eps);
        const float sum = reduce_sum(part, 256);
        const float step = eps * approx_log(k / sum);
        if (count > 0.0)
            a = advanced(top < 0.0 ? vec2(-largest, 0.0) : a, step); // a - top is -largest if top < 0
        if (local == 0) keep_step(row * args.iterations + t, a);
    }

    eps = max(eps * args.eps_decay, args.eps);
    for (uint j = local; j < args.m; j += 256)
        args.result.at[base + j] =
            is_visible(row, j) ? approx_exp(capped(slack_of(score_at(row, j), a), 0.0) / eps) : 0.0;
}
