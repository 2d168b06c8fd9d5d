// hyper.glsl: what hyper_width.comp and its adjoint share: how a workgroup is cut, and a row's norm.
//
// LANES invocations, a slot, work on one row: a stream of a token, or the x that all its streams equal. A workgroup has
// as many whole tokens as its slots hold; slots beyond go along for the barriers.
#include "lib/functions.h"
#include "lib/hyper.h"
#include "lib/norm.h"

layout(constant_id = 0) const uint LANES = 64; // a power of two, at most 256 / ROWS
layout(constant_id = 1) const uint STREAMS = 4;
layout(constant_id = 2) const uint ROWS = 4; // STREAMS, or 1 if all streams are equal
layout(constant_id = 3) const uint EQUAL = 0;

const uint TOKENS = 256u / LANES / ROWS;
const uint SLOTS = TOKENS * ROWS;
const uint FEW_STREAMS = 4u;    // at most: loops over them are unrolled
const uint SUMS = STREAMS + 2u; // coefficients of a row: alpha_0 .. alpha_S, beta

struct Slot {
    uint lane, number, row, token; // number: of the slot, at most SLOTS - 1; token: within the workgroup
    bool exists;
};

Slot find_slot() {
    Slot slot;
    slot.lane = gl_LocalInvocationIndex % LANES;
    slot.number = gl_LocalInvocationIndex / LANES;
    slot.exists = one_of(slot.number, SLOTS);
    slot.row = slot.number % ROWS;
    slot.token = slot.number / ROWS;
    return slot;
}

// What a row is multiplied by before it is squared, a power of two. Equal streams also have their direction taken, for
// which tiny numbers count.
float hyper_scale(float largest) {
    if (largest > float(QUARTIC_NORM_LARGE)) return float(QUARTIC_NORM_SHRINK);
    return EQUAL != 0 && largest < float(QUARTIC_NORM_SMALL) ? float(QUARTIC_NORM_GROW) : 1.0;
}

// Of a scaled row with this sum of squares; clamped: its length counts as the least.
float hyper_factor(float squares, float scale, uint dim, out bool clamped) {
    const float length = sqrt(squares), least = float(QUARTIC_NORM_LEAST_LENGTH) * scale;
    clamped = length <= least;
    return sqrt(float(dim)) / (clamped ? least : length); // a NaN stays one
}

// Equal streams: direction = scaled x * inverse, r = size, rms(A x) = direction * amount, damount / da = slope.
struct Equal {
    float inverse, rest, size, amount, slope;
};

Equal measure_equal(float squares, float scale, uint dim, float total, float eps) {
    Equal e;
    const float mean = squares / float(dim);
    const float direction_eps = float(QUARTIC_HYPER_DIRECTION_EPS) * scale * scale;
    e.inverse = inversesqrt(mean + direction_eps);
    e.rest = direction_eps * e.inverse * e.inverse;
    e.size = mean * e.inverse / scale;
    const float a = total * e.size;
    const bool large = abs(a) > float(QUARTIC_NORM_LARGE);
    const float f = large ? 1.0 / abs(a) : inversesqrt(a * a + eps);
    e.amount = a * f;
    e.slope = eps * f * f * f;
    return e;
}
