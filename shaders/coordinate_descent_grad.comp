#version 460
// coordinate_descent_grad.comp: the adjoint of coordinate_descent.comp, back through its iterations;
// formulas: src/ops/coordinate_descent.c.
//
// A workgroup owns a row. The weights p of an iteration's log-sum-exp follow from the kept a of it and of the
// one before. An invocation adds to those elements of the result only that it wrote itself.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "coordinate_descent_grad.args.h"
#include "lib/functions.h"
#include "lib/reduce.glsl"
#include "lib/routing.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 1) const uint ITERATIONS = 1;
layout(constant_id = 2) const uint HAS_WANTED = 0; // each graph has its own k

shared float eps_of[ITERATIONS + 1]; // of each iteration, and of the result

vec2 step_at(uint step) {
    return vec2(args.steps.at[2 * step], args.steps.at[2 * step + 1]);
}

void main() {
    uint row = linear_group();
    if (!one_of(row, args.rows)) return; // the whole group
    const uint local = gl_LocalInvocationIndex, base = row * args.m;
    if (local == 0) {
        float eps = max(args.eps_init, args.eps);
        for (uint t = 0; t <= ITERATIONS; ++t) {
            eps_of[t] = eps;
            eps = max(eps * args.eps_decay, args.eps);
        }
    }
    barrier();

    float k = args.k;
    if (HAS_WANTED != 0) k = args.wanted.at[row / args.groups];
    vec2 a = step_at(row * ITERATIONS + ITERATIONS - 1);
    float part = 0;
    for (uint j = local; j < args.m; j += 256) {
        const float u = slack_of(score_at(row, j), a), eps = eps_of[ITERATIONS];
        float slope = 0;
        if (is_visible(row, j) && !(u > 0.0))
            slope = args.g.at[base + min(j, args.m - 1)] * approx_exp(u / eps) / eps;
        args.result.at[base + j] = slope;
        part += slope;
    }
    float da = reduce_sum(part, 256);
    for (uint t = ITERATIONS - 1; t > 0; --t) {
        const vec2 before = step_at(row * ITERATIONS + max(t, 1u) - 1);
        const float eps = eps_of[t];
        precise float gain = (a.x - before.x) + (a.y - before.y);
        part = 0;
        for (uint j = local; j < args.m; j += 256) {
            if (!is_visible(row, j)) continue;
            const float slack = slack_of(score_at(row, j), before);
            const float p = approx_exp((capped(slack, 0.0) + gain) / eps) / k;
            if (slack > 0.0)
                part += p;
            else
                args.result.at[base + j] -= da * p;
        }
        da *= reduce_sum(part, 256);
        a = before;
    }
}
