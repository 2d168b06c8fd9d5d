/* routing.c (fast): the tuned ops that choose edges: coordinate descent by vectors over the visible scores
 * of a row, top-k by counting digits, rows by index as whole copies. Formulas:
 * src/ops/coordinate_descent.c, src/ops/top_k.c and the ops' own files.
 */
#include <math.h>
#include <string.h>

#include "fast/parts.h"
#include "lib/functions.h"
#include "ops/routing.h"

/* ---- coordinate descent ---- */

enum { LANES = 16 }; /* the widest vector; lists of visible scores are padded to a multiple of it */

typedef quartic_coordinate_descent_options descent;

static float routing_first_eps(const descent *options) {
    return options->eps_init > options->eps ? options->eps_init : options->eps;
}
static float routing_next_eps(const descent *options, float eps) {
    eps *= options->eps_decay;
    return eps > options->eps ? eps : options->eps;
}

/* min(s, cap), but NaN where s is. */
QUARTIC_INLINE float descent_capped(float s, float cap) {
    return s > cap ? cap : s;
}

/* A row of scores: which are visible, and those as a list in scratch. */
typedef struct row {
    const int32_t *mask; // (rows or graphs, extent), or NULL
    uint32_t extent, m, b, count, padded;
    float *visible; // (padded)
} row;

static quartic_routing_extents routing_extents_of_run(const quartic_op_run *run) {
    return quartic_routing_extents_of(&run->inputs[0].layout->shape);
}

/* Of row b: that of its graph, if each has its own. */
static float descent_wanted(const quartic_op_run *run, uint32_t b) {
    const float *wanted = run->inputs[2].data; // (b), or NULL
    return wanted != NULL ? wanted[b / routing_extents_of_run(run).groups] : ((const descent *)run->attrs)->k;
}

static row descent_row(const quartic_op_run *run, uint32_t b, float *scratch // (descent_row_floats)
) {
    row at = {.mask = run->inputs[1].data, .m = routing_extents_of_run(run).m, .b = b};
    if (at.mask != NULL) at.extent = quartic_routing_mask_extent(run->inputs[1].layout);
    const float *scores = (const float *)run->inputs[0].data + (size_t)b * at.m; // (m)
    at.visible = scratch;
    for (uint32_t j = 0; j < at.m; ++j)
        if (quartic_routing_visible(at.mask, at.extent, at.m, b, j)) at.visible[at.count++] = scores[j];
    at.padded = (at.count + LANES - 1) / LANES * LANES;
    for (uint32_t j = at.count; j < at.padded; ++j) at.visible[j] = -1e37f; /* weighs nothing */
    return at;
}

/* Spreads numbers of the visible scores over the row, with zeros between. */
static void descent_spread(const row *at,
                           const float *numbers, // (count)
                           float *y              // (m)
) {
    for (uint32_t j = 0; j < at->m; ++j)
        y[j] = quartic_routing_visible(at->mask, at->extent, at->m, at->b, j) ? *numbers++ : 0;
}

static float descent_largest(const row *at) {
    float largest = at->visible[0];
    for (uint32_t j = 1; j < at->count; ++j) largest = at->visible[j] > largest ? at->visible[j] : largest;
    return largest;
}

/* Sum of exp((min(s + high + low, 0) - top) / eps). */
QUARTIC_CLONES static float descent_sum_of_exp(const float *s, // (padded)
                                               uint32_t padded, float high, float low, float top,
                                               float factor) {
    float sums[LANES] = {0};
    double sum = 0;
    for (uint32_t j = 0; j < padded; j += LANES)
#pragma omp simd
        for (uint32_t l = 0; l < LANES; ++l)
            sums[l] += approx_exp((descent_capped(s[j + l] + high + low, 0) - top) * factor);
    for (uint32_t l = 0; l < LANES; ++l) sum += (double)sums[l];
    return (float)sum;
}

/* s = exp(min(s + high + low, 0) * factor). */
QUARTIC_CLONES static void descent_exp(float *s, // (padded)
                                       uint32_t padded, float high, float low, float factor) {
#pragma omp simd
    for (uint32_t j = 0; j < padded; ++j) s[j] = approx_exp(descent_capped(s[j] + high + low, 0) * factor);
}

/* a is carried in double and split in two for the vectors: its rounding, over eps, would be the weights'
 * error. */
static void descent_forward_row(const quartic_op_run *run, uint32_t b, float *scratch // (descent_row_floats)
) {
    const descent *options = run->attrs;
    const row at = descent_row(run, b, scratch);
    const double log_k = log((double)descent_wanted(run, b)),
                 largest = at.count > 0 ? (double)descent_largest(&at) : 0;
    float *steps = (float *)run->outputs[1].data + (size_t)b * options->iterations * 2; // (T, 2): high, low
    float eps = routing_first_eps(options), high = 0, low = 0;
    for (uint32_t t = 0; t < options->iterations; ++t, eps = routing_next_eps(options, eps)) {
        double a = (double)high + (double)low;
        if (at.count > 0 && t == 0) {
            a = (double)eps * (log_k - log((double)at.count));
        } else if (at.count > 0) {
            const double top = largest + a > 0 ? 0 : largest + a; /* the greatest s + a + b */
            const float sum = descent_sum_of_exp(at.visible, at.padded, high, low, (float)top, 1 / eps);
            a += (double)eps * (log_k - log((double)sum)) - top;
        }
        high = (float)a;
        low = (float)(a - (double)high);
        steps[2 * t] = high;
        steps[2 * t + 1] = low;
    }
    descent_exp(at.visible, at.padded, high, low, 1 / eps);
    descent_spread(&at, at.visible, (float *)run->outputs[0].data + (size_t)b * at.m);
}

/* ds -= da p where a score is not saturated at high + low, which `gain` brings to the next a; returns the sum
 * of p where it is. */
QUARTIC_CLONES static float descent_step_back(const float *s, // (padded)
                                              float *ds,      // (padded)
                                              uint32_t padded, float high, float low, float gain,
                                              float factor, float k, float da) {
    float sums[LANES] = {0};
    double sum = 0;
    const float weight = 1 / k;
    for (uint32_t j = 0; j < padded; j += LANES)
#pragma omp simd
        for (uint32_t l = 0; l < LANES; ++l) {
            const float slack = s[j + l] + high + low;
            const float p = approx_exp((descent_capped(slack, 0) + gain) * factor) * weight;
            const bool saturated = slack > 0;
            sums[l] += saturated ? p : 0.0f;
            ds[j + l] -= saturated ? 0.0f : da * p;
        }
    for (uint32_t l = 0; l < LANES; ++l) sum += (double)sums[l];
    return (float)sum;
}

static void descent_backward_row(const quartic_op_run *run, uint32_t b, float *scratch // (descent_row_floats)
) {
    const descent *options = run->attrs;
    const row at = descent_row(run, b, scratch);
    const float *steps = // (T, 2)
        (const float *)run->inputs[3].data + (size_t)b * options->iterations * 2;
    const float *g = (const float *)run->inputs[4].data + (size_t)b * at.m; // (m)
    float *ds = scratch + at.padded;                                        // (padded)
    float *eps = ds + at.padded;                                            // (T + 1)
    eps[0] = routing_first_eps(options);
    for (uint32_t t = 0; t < options->iterations; ++t) eps[t + 1] = routing_next_eps(options, eps[t]);
    const float last = eps[options->iterations];
    const float *a = steps + 2 * (options->iterations - 1); // (2): of the last step
    double total = 0;
    memset(ds, 0, at.padded * sizeof *ds);
    for (uint32_t j = 0, v = 0; j < at.m; ++j) {
        if (!quartic_routing_visible(at.mask, at.extent, at.m, b, j)) continue;
        const float u = at.visible[v] + a[0] + a[1];
        ds[v] = u > 0 ? 0 : g[j] * approx_exp(u / last) / last;
        total += (double)ds[v++];
    }
    float da = (float)total;
    for (uint32_t t = options->iterations - 1; t > 0; --t) {
        const float *before = a - 2, gain = (a[0] - before[0]) + (a[1] - before[1]);
        da *= descent_step_back(at.visible, ds, at.padded, before[0], before[1], gain, 1 / eps[t],
                                descent_wanted(run, b), da);
        a = before;
    }
    descent_spread(&at, ds, (float *)run->outputs[0].data + (size_t)b * at.m);
}

static size_t descent_row_floats(const quartic_op_call *call) {
    const descent *options = call->attrs;
    return 2 * ((size_t)quartic_routing_extents_of(&call->inputs[0].shape).m + LANES) + options->iterations +
           1;
}

/* One thread: a row of some thousand scores is a matter of microseconds. */
static size_t coordinate_descent_scratch(const quartic_op_call *call, uint32_t threads) {
    (void)threads;
    return descent_row_floats(call) * sizeof(float);
}

static void coordinate_descent_run(const quartic_op_run *run) {
    for (uint32_t b = 0; b < routing_extents_of_run(run).rows; ++b) descent_forward_row(run, b, run->scratch);
}

static void coordinate_descent_grad_run(const quartic_op_run *run) {
    for (uint32_t b = 0; b < routing_extents_of_run(run).rows; ++b)
        descent_backward_row(run, b, run->scratch);
}

const quartic_fast_kernel quartic_fast_coordinate_descent = {.op = &quartic_op_coordinate_descent,
                                                             .run = coordinate_descent_run,
                                                             .scratch = coordinate_descent_scratch};
const quartic_fast_kernel quartic_fast_coordinate_descent_grad = {.op = &quartic_op_coordinate_descent_grad,
                                                                  .run = coordinate_descent_grad_run,
                                                                  .scratch = coordinate_descent_scratch};

/* ---- top-k ---- */

/* Unsigned keys in the order of the scores: 0 for NaN and hidden ones; -0 equals 0. */
static uint32_t top_k_key(float score) {
    uint32_t bits;
    if (isnan(score)) return 0;
    score = score == 0 ? 0 : score;
    memcpy(&bits, &score, sizeof bits);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

/* The k-th greatest of count keys, digit by digit; *out_rest: how many of its equals are wanted. */
static uint32_t top_k_find_kth(const uint32_t *keys, // (count)
                               uint32_t count, uint32_t k, uint32_t *out_rest) {
    uint32_t prefix = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        uint32_t histogram[256] = {0}, digit = 255;
        for (uint32_t j = 0; j < count; ++j)
            if (shift == 24 || keys[j] >> (shift + 8) == prefix) ++histogram[keys[j] >> shift & 255u];
        while (digit > 0 && histogram[digit] < k) k -= histogram[digit--];
        prefix = prefix << 8 | digit;
    }
    *out_rest = k;
    return prefix;
}

static void top_k_run(const quartic_op_run *run) {
    const quartic_top_k_attrs *attrs = run->attrs;
    const quartic_routing_extents extents = routing_extents_of_run(run);
    const uint32_t m = extents.m;
    const int32_t *mask = run->inputs[1].data; // (rows or graphs, extent), or NULL
    const uint32_t extent = mask == NULL ? 0 : quartic_routing_mask_extent(run->inputs[1].layout);
    const float *scores = run->inputs[0].data;   // (rows, m)
    const int32_t *counts = run->inputs[2].data; // (b), or NULL
    uint32_t *keys = run->scratch;               // (m)
    int32_t *indices = run->outputs[0].data;     // (rows, k)
    int32_t *positions = run->outputs[1].data;   // (rows, k): -1 where fewer are wanted
    for (uint32_t row = 0; row < extents.rows; ++row, scores += m) {
        const uint32_t first = row % extents.groups * m;
        for (uint32_t j = 0; j < m; ++j)
            keys[j] = quartic_routing_visible(mask, extent, m, row, j) ? top_k_key(scores[j]) : 0;
        const uint32_t k = quartic_top_k_count(counts, row / extents.groups, attrs->k);
        uint32_t rest, fill = attrs->k - k;
        const uint32_t kth = top_k_find_kth(keys, m, k, &rest);
        for (uint32_t j = 0; j < m; ++j) {
            const bool chosen = keys[j] > kth || (keys[j] == kth && rest > 0);
            if (!chosen && fill == 0) continue;
            rest -= chosen && keys[j] == kth;
            fill -= !chosen;
            *indices++ = (int32_t)(first + j);
            if (counts != NULL) *positions++ = chosen ? (int32_t)(first + j) : -1;
        }
    }
}

static size_t top_k_scratch(const quartic_op_call *call, uint32_t threads) {
    (void)threads;
    return quartic_routing_extents_of(&call->inputs[0].shape).m * sizeof(uint32_t);
}

const quartic_fast_kernel quartic_fast_top_k = {
    .op = &quartic_op_top_k, .run = top_k_run, .scratch = top_k_scratch};

/* ---- rows by index ---- */

static void gather_rows_run(const quartic_op_run *run) {
    const uint32_t *x = run->inputs[0].layout->shape.dims; // (b, m, D)
    const uint32_t k = run->inputs[1].layout->shape.dims[1];
    const size_t width = x[2], count = (size_t)x[0] * k;
    const float *rows = run->inputs[0].data;      // (b, m, D)
    const int32_t *indices = run->inputs[1].data; // (b, k)
    float *y = run->outputs[0].data;              // (b, k, D)
    const uint32_t parts = quartic_parts(count * width, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (size_t place = 0; place < count; ++place)
        memcpy(y + place * width, rows + (place / k * x[1] + (size_t)indices[place]) * width,
               width * sizeof *y);
}

/* Adds a graph's rows to y, in the order of their indices. */
static void routing_add_rows(const float *rows,      // (k, width)
                             const int32_t *indices, // (k)
                             uint32_t k, size_t width,
                             float *y // (m, width)
) {
    for (uint32_t r = 0; r < k; ++r) {
        float *to = y + (size_t)indices[r] * width; // (width)
        const float *from = rows + r * width;       // (width)
#pragma omp simd
        for (size_t c = 0; c < width; ++c) to[c] += from[c];
    }
}

static void scatter_add_rows_run(const quartic_op_run *run) {
    const uint32_t *out = run->outputs[0].layout->shape.dims; // (b, m, D)
    const uint32_t k = run->inputs[2].layout->shape.dims[1];
    const size_t width = out[2], graph = out[1] * width;
    const float *base = run->inputs[0].data;      // (b, m, D), or NULL
    const float *rows = run->inputs[1].data;      // (b, k, D)
    const int32_t *indices = run->inputs[2].data; // (b, k)
    float *y = run->outputs[0].data;              // (b, m, D)
    const uint32_t parts = quartic_parts(out[0] * graph, run->threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (uint32_t b = 0; b < out[0]; ++b) {
        if (base == NULL)
            memset(y + b * graph, 0, graph * sizeof *y);
        else if (base != y)
            memcpy(y + b * graph, base + b * graph, graph * sizeof *y);
        routing_add_rows(rows + (size_t)b * k * width, indices + (size_t)b * k, k, width, y + b * graph);
    }
}

const quartic_fast_kernel quartic_fast_gather_rows = {.op = &quartic_op_gather_rows, .run = gather_rows_run};
const quartic_fast_kernel quartic_fast_scatter_add_rows = {.op = &quartic_op_scatter_add_rows,
                                                           .run = scatter_add_rows_run};
