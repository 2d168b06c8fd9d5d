#version 460
// norm_columns.comp: second stage of a norm's parameter gradient: column sums of the workgroups' partial
// sums. COLUMNS neighbouring columns a workgroup, so that reads are contiguous; 256 / COLUMNS lanes share a
// column.
#extension GL_GOOGLE_include_directive : require
#include "lib/common.glsl"
#include "norm_columns.args.h"
#include "lib/reduce.glsl"

layout(local_size_x = 256) in;
layout(constant_id = 0) const uint COLUMNS = 32; // a power of two

void main() {
    uint within = gl_LocalInvocationIndex % COLUMNS;
    uint column = linear_group() * COLUMNS + within;
    const bool exists = one_of(column, args.width);
    float sum = 0.0;
    if (exists)
        for (uint row = gl_LocalInvocationIndex / COLUMNS; row < args.count; row += 256u / COLUMNS)
            sum += args.partial.at[min(row, args.count - 1) * args.stride + column];
    sum = fold_sum(sum, COLUMNS);
    if (gl_LocalInvocationIndex < COLUMNS && exists) args.result.at[column] = sum;
}
