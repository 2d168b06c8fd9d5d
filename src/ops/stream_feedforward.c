/* stream_feedforward.c: a feedforward over all heads at every position, with its residual.
 *
 *     y = x + W2 gelu(W1 t),   t_h = xhat_h scale_h,   xhat = x / sqrt(mean over h of x_h^2 + eps)
 *
 * x, y (b, h, ..), scale (h), W1 (m, h), W2 (h, m). A column is all heads at one position. Its hidden values,
 * m / h times as many as those of x, are never stored; the adjoint computes them again from x.
 *
 * Adjoint, with a = gelu(W1 t) and d = (W2^T dy) gelu'(W1 t); the sums run over the columns:
 *     u          = scale (W1^T d)
 *     dx         = dy + (u - xhat mean over h of u xhat) / sqrt(mean over h of x_h^2 + eps)
 *     Z          = sum d xhat^T
 *     dW2        = sum dy a^T
 *     dW1_mh     = Z_mh scale_h
 *     dscale_h   = sum over m of W1_mh Z_mh
 * So one pass over the columns gives all. The outputs of the adjoint are the wanted ones of dx and of
 * (dscale, dW1, dW2).
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/stream_feedforward.h"

#include <math.h>
#include <stdio.h>

#include "ops/gpu_plan.h"
#include "shaders/stream_feedforward.args.h"
#include "shaders/stream_feedforward_grad.args.h"
#include "shaders/stream_feedforward_sum.args.h"
#include "shaders/stream_feedforward_weights.args.h"

static uint32_t stream_feedforward_hidden(const quartic_layout *inputs) {
    return inputs[QUARTIC_STREAM_W1].shape.dims[0];
}

/* ---- shape rules ---- */

static quartic_status stream_feedforward_check_operands(const char *name, const quartic_op_call *call) {
    const stream_feedforward_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_stream_expect(name, call, QUARTIC_STREAM_X));
    const uint32_t heads = call->inputs[QUARTIC_STREAM_X].shape.dims[1];
    const quartic_shape *w1 = &call->inputs[QUARTIC_STREAM_W1].shape;
    char text[QUARTIC_SHAPE_TEXT];
    for (uint32_t input = QUARTIC_STREAM_SCALE; input <= QUARTIC_STREAM_W2; ++input)
        QUARTIC_TRY(quartic_op_expect_dtype(name, call, input, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape(name, call, QUARTIC_STREAM_SCALE, &QUARTIC_SHAPE(heads)));
    if (w1->rank != 2 || w1->dims[1] != heads || w1->dims[0] == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s of %u heads needs its first weight as (hidden units, %u), not %s", name,
                            heads, heads, quartic_shape_text(w1, text));
    QUARTIC_TRY(quartic_op_expect_shape(name, call, QUARTIC_STREAM_W2, &QUARTIC_SHAPE(heads, w1->dims[0])));
    if (!(attrs->eps >= 0.0f && isfinite(attrs->eps)))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s got eps %g; it must be finite and not negative",
                            name, (double)attrs->eps);
    return QUARTIC_OK;
}

static quartic_status stream_feedforward_infer(const quartic_op_call *call, quartic_layout *out,
                                               uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("stream_feedforward", call, 4, 4));
    QUARTIC_TRY(stream_feedforward_check_operands("stream_feedforward", call));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[QUARTIC_STREAM_X].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static quartic_status stream_feedforward_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                                    uint32_t *out_count) {
    const stream_feedforward_attrs *attrs = call->attrs;
    const quartic_shape *x = &call->inputs[QUARTIC_STREAM_X].shape;
    QUARTIC_TRY(quartic_op_expect_inputs("stream_feedforward_grad", call, 5, 5));
    QUARTIC_TRY(stream_feedforward_check_operands("stream_feedforward_grad", call));
    QUARTIC_TRY(quartic_op_expect_dtype("stream_feedforward_grad", call, QUARTIC_STREAM_DY, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_shape("stream_feedforward_grad", call, QUARTIC_STREAM_DY, x));
    uint32_t count = 0;
    if (attrs->wants & QUARTIC_STREAM_WANT_X) out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, x);
    for (uint32_t input = QUARTIC_STREAM_SCALE;
         (attrs->wants & QUARTIC_STREAM_WANT_WEIGHTS) && input <= QUARTIC_STREAM_W2; ++input)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[input].shape);
    *out_count = count;
    return QUARTIC_OK;
}

/* ---- reference ---- */

/* One column's values on the way. */
typedef struct feedforward_column {
    double *x, *t;   // (h)
    double *s, *a;   // (m): W1 t and gelu of it
    double factor;   // 1 / sqrt(mean x^2 + eps)
    double *dy, *u;  // (h), of the adjoint
    double *d;       // (m)
    double *z, *dw2; // (m, h), (h, m): sums over the columns
} feedforward_column;

static feedforward_column stream_feedforward_divide_scratch(const quartic_op_run *run, bool adjoint) {
    const size_t heads = run->inputs[QUARTIC_STREAM_X].layout->shape.dims[1],
                 hidden = run->inputs[QUARTIC_STREAM_W1].layout->shape.dims[0];
    feedforward_column c = {.x = run->scratch};
    c.t = c.x + heads;
    c.s = c.t + heads;
    c.a = c.s + hidden;
    if (!adjoint) return c;
    c.dy = c.a + hidden;
    c.u = c.dy + heads;
    c.d = c.u + heads;
    c.z = c.d + hidden;
    c.dw2 = c.z + hidden * heads;
    return c;
}

static size_t stream_feedforward_scratch(const quartic_op_call *call) {
    return sizeof(double) * (2 * (size_t)call->inputs[QUARTIC_STREAM_X].shape.dims[1] +
                             2 * (size_t)stream_feedforward_hidden(call->inputs));
}

static size_t stream_feedforward_grad_scratch(const quartic_op_call *call) {
    const size_t heads = call->inputs[QUARTIC_STREAM_X].shape.dims[1],
                 hidden = stream_feedforward_hidden(call->inputs);
    return sizeof(double) * (4 * heads + 3 * hidden + 2 * heads * hidden);
}

static double feedforward_normal_cdf(double x) {
    return 0.5 * (1.0 + erf(x * 0.70710678118654752440));
}

/* gelu'(x) = cdf(x) + x density(x) */
static double feedforward_gelu_slope(double x) {
    return feedforward_normal_cdf(x) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
}

/* Reads the column at base and computes everything before W2. */
static void stream_feedforward_read_column(const quartic_op_run *run, const quartic_stream_extents *e,
                                           int64_t base, feedforward_column *c) {
    const stream_feedforward_attrs *attrs = run->attrs;
    const quartic_operand *w1 = &run->inputs[QUARTIC_STREAM_W1];
    const uint32_t hidden = w1->layout->shape.dims[0];
    double squares = 0;
    for (uint32_t h = 0; h < e->heads; ++h) {
        c->x[h] = quartic_get(&run->inputs[QUARTIC_STREAM_X], base + (int64_t)h * e->positions);
        squares += c->x[h] * c->x[h];
    }
    c->factor = 1.0 / sqrt(squares / e->heads + (double)attrs->eps);
    for (uint32_t h = 0; h < e->heads; ++h)
        c->t[h] = c->x[h] * c->factor * quartic_get(&run->inputs[QUARTIC_STREAM_SCALE], h);
    for (uint32_t m = 0; m < hidden; ++m) {
        double sum = 0;
        for (uint32_t h = 0; h < e->heads; ++h) sum += quartic_get(w1, (int64_t)m * e->heads + h) * c->t[h];
        c->s[m] = sum;
        c->a[m] = sum * feedforward_normal_cdf(sum);
    }
}

static void stream_feedforward_cpu(const quartic_op_run *run) {
    const quartic_operand *w2 = &run->inputs[QUARTIC_STREAM_W2];
    const quartic_stream_extents e = quartic_stream_extents_of(run->inputs[QUARTIC_STREAM_X].layout);
    const uint32_t hidden = w2->layout->shape.dims[1];
    feedforward_column c = stream_feedforward_divide_scratch(run, false);
    for (uint32_t b = 0; b < e.batch; ++b)
        for (uint32_t p = 0; p < e.positions; ++p) {
            const int64_t base = (int64_t)b * e.heads * e.positions + p;
            stream_feedforward_read_column(run, &e, base, &c);
            for (uint32_t o = 0; o < e.heads; ++o) {
                double sum = c.x[o];
                for (uint32_t m = 0; m < hidden; ++m)
                    sum += quartic_get(w2, (int64_t)o * hidden + m) * c.a[m];
                quartic_put(&run->outputs[0], base + (int64_t)o * e.positions, sum);
            }
        }
}

/* The column's share of dx (to out, if not NULL), Z and dW2. */
static void stream_feedforward_column_gradient(const quartic_op_run *run, const quartic_stream_extents *e,
                                               int64_t base, feedforward_column *c,
                                               const quartic_operand *out) {
    const quartic_operand *w1 = &run->inputs[QUARTIC_STREAM_W1], *w2 = &run->inputs[QUARTIC_STREAM_W2];
    const uint32_t heads = e->heads, hidden = w1->layout->shape.dims[0];
    stream_feedforward_read_column(run, e, base, c);
    for (uint32_t h = 0; h < heads; ++h)
        c->dy[h] = quartic_get(&run->inputs[QUARTIC_STREAM_DY], base + (int64_t)h * e->positions);
    for (uint32_t m = 0; m < hidden; ++m) {
        double da = 0;
        for (uint32_t o = 0; o < heads; ++o) {
            da += quartic_get(w2, (int64_t)o * hidden + m) * c->dy[o];
            c->dw2[(size_t)o * hidden + m] += c->dy[o] * c->a[m];
        }
        c->d[m] = da * feedforward_gelu_slope(c->s[m]);
        for (uint32_t h = 0; h < heads; ++h) c->z[(size_t)m * heads + h] += c->d[m] * c->x[h] * c->factor;
    }
    if (out == NULL) return;
    double mean = 0; /* of u xhat */
    for (uint32_t h = 0; h < heads; ++h) {
        double sum = 0;
        for (uint32_t m = 0; m < hidden; ++m) sum += quartic_get(w1, (int64_t)m * heads + h) * c->d[m];
        c->u[h] = sum * quartic_get(&run->inputs[QUARTIC_STREAM_SCALE], h);
        mean += c->u[h] * c->x[h] * c->factor / heads;
    }
    for (uint32_t h = 0; h < heads; ++h)
        quartic_put(out, base + (int64_t)h * e->positions,
                    c->dy[h] + c->factor * (c->u[h] - c->x[h] * c->factor * mean));
}

static void stream_feedforward_grad_cpu(const quartic_op_run *run) {
    const stream_feedforward_attrs *attrs = run->attrs;
    const quartic_operand *w1 = &run->inputs[QUARTIC_STREAM_W1];
    const quartic_stream_extents e = quartic_stream_extents_of(run->inputs[QUARTIC_STREAM_X].layout);
    const uint32_t heads = e.heads, hidden = w1->layout->shape.dims[0];
    const quartic_operand *out = run->outputs, *dx = NULL;
    if (attrs->wants & QUARTIC_STREAM_WANT_X) dx = out++;
    feedforward_column c = stream_feedforward_divide_scratch(run, true);
    for (size_t k = 0; k < 2 * (size_t)heads * hidden; ++k) c.z[k] = 0; /* dw2 lies behind z */
    for (uint32_t b = 0; b < e.batch; ++b)
        for (uint32_t p = 0; p < e.positions; ++p)
            stream_feedforward_column_gradient(run, &e, (int64_t)b * heads * e.positions + p, &c, dx);
    if (!(attrs->wants & QUARTIC_STREAM_WANT_WEIGHTS)) return;
    for (uint32_t h = 0; h < heads; ++h) {
        double dscale = 0;
        for (uint32_t m = 0; m < hidden; ++m) {
            const int64_t at = (int64_t)m * heads + h;
            dscale += quartic_get(w1, at) * c.z[at];
            quartic_put(&out[1], at, c.z[at] * quartic_get(&run->inputs[QUARTIC_STREAM_SCALE], h));
            quartic_put(&out[2], (int64_t)h * hidden + m, c.dw2[(size_t)h * hidden + m]);
        }
        quartic_put(&out[0], h, dscale);
    }
}

/* ---- Vulkan ---- */

enum {
    CHUNK = 4,           /* hidden units that a lane computes at once, see the shaders */
    WEIGHT_TILE = 2000,  /* (heads + hidden units) * (columns + 1) of the weights' shader, 8 bytes each */
    WEIGHT_PAIRS = 2048, /* (unit, head) pairs of a workgroup */
    MOST_SPLITS = 128    /* partial sums of a weight */
};
#define MOST_PARTIAL_BYTES ((uint64_t)16 << 20)

double quartic_stream_feedforward_flops(const quartic_op_call *call) {
    /* Two products, a gelu and the norm. */
    return (4.0 * stream_feedforward_hidden(call->inputs) + 8.0) *
               (double)quartic_layout_elements(&call->inputs[QUARTIC_STREAM_X]) +
           30.0 * stream_feedforward_hidden(call->inputs) *
               (double)quartic_layout_elements(&call->inputs[QUARTIC_STREAM_X]) /
               call->inputs[QUARTIC_STREAM_X].shape.dims[1];
}

double quartic_stream_feedforward_grad_flops(const quartic_op_call *call) {
    const stream_feedforward_attrs *attrs = call->attrs;
    const double products = 1 + (attrs->wants & QUARTIC_STREAM_WANT_X ? 0.5 : 0) +
                            (attrs->wants & QUARTIC_STREAM_WANT_WEIGHTS ? 1 : 0);
    return products * quartic_stream_feedforward_flops(call);
}

/* Refuses shaders whose loops the device would cut short. */
static quartic_status stream_feedforward_expect_iterations(const quartic_op_call *call,
                                                           const quartic_gpu_limits *limits,
                                                           double iterations) {
    char what[96];
    snprintf(what, sizeof what, "stream_feedforward of %u heads with %u hidden units",
             call->inputs[QUARTIC_STREAM_X].shape.dims[1], stream_feedforward_hidden(call->inputs));
    return quartic_gpu_expect_iterations(what, limits, iterations);
}

/* Iterations of a thread that has all hidden units once, a chunk at a time. */
static double stream_feedforward_chunk_iterations(uint32_t heads, uint32_t hidden) {
    const uint32_t units = CHUNK * QUARTIC_STREAM_INVOCATIONS / quartic_stream_columns(heads);
    return (double)quartic_divide_up64(hidden, units) * (heads + units + 2.0) + 2.0 * heads;
}

/* What the shaders for y and for dx have in common: they walk over the tiles of lib/streams.glsl. */
static quartic_status stream_feedforward_tiles(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                               uint32_t *out_tiles, quartic_dispatch_shape *out_shape) {
    const quartic_stream_extents e = quartic_stream_extents_of(&call->inputs[QUARTIC_STREAM_X]);
    *out_tiles = quartic_divide_up(e.positions, quartic_stream_columns(e.heads));
    *out_shape = (quartic_dispatch_shape){QUARTIC_SPEC(QUARTIC_STREAM_CONSTANTS(e.heads)),
                                          .groups = (uint64_t)e.batch * *out_tiles};
    return stream_feedforward_expect_iterations(
        call, limits, stream_feedforward_chunk_iterations(e.heads, stream_feedforward_hidden(call->inputs)));
}
#define TILE_ARGS(call, tile_count, shape)                                                                   \
    .positions = quartic_stream_extents_of(&(call)->inputs[QUARTIC_STREAM_X]).positions,                     \
    .tiles = (tile_count), .groups = (uint32_t)(shape).groups,                                               \
    .hidden = stream_feedforward_hidden((call)->inputs),                                                     \
    .eps = ((const stream_feedforward_attrs *)(call)->attrs)->eps

static quartic_status stream_feedforward_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                             quartic_dispatch_list *list) {
    uint32_t tiles;
    quartic_dispatch_shape shape;
    QUARTIC_TRY(stream_feedforward_tiles(call, limits, &tiles, &shape));
    shape.flops = quartic_stream_feedforward_flops(call);
    shape.bytes = 8.0 * (double)quartic_layout_elements(&call->inputs[QUARTIC_STREAM_X]);
    const quartic_stream_feedforward_args args = {TILE_ARGS(call, tiles, shape)};
    return quartic_dispatch_append(list, "stream_feedforward", quartic_stream_feedforward_push(&args),
                                   &shape);
}

static quartic_status stream_feedforward_plan_dx(const quartic_op_call *call,
                                                 const quartic_gpu_limits *limits,
                                                 quartic_dispatch_list *list) {
    uint32_t tiles;
    quartic_dispatch_shape shape;
    QUARTIC_TRY(stream_feedforward_tiles(call, limits, &tiles, &shape));
    shape.flops = 1.5 * quartic_stream_feedforward_flops(call);
    shape.bytes = 12.0 * (double)quartic_layout_elements(&call->inputs[QUARTIC_STREAM_X]);
    const quartic_stream_feedforward_grad_args args = {TILE_ARGS(call, tiles, shape)};
    return quartic_dispatch_append(list, "stream_feedforward_grad",
                                   quartic_stream_feedforward_grad_push(&args), &shape);
}

/* How the sums over columns are cut: a workgroup has `units` hidden units and every split-th run of tiles. */
typedef struct weight_cut {
    uint32_t units, columns, pairs;          /* pairs: (unit, head) of an invocation */
    uint32_t unit_groups, splits;            /* workgroups: unit_groups * splits */
    uint32_t tiles, all_tiles, tiles_of_one; /* of one batch, of all, of a workgroup */
    double iterations;                       /* of an invocation */
} weight_cut;

static weight_cut stream_feedforward_cut_weights(const quartic_op_call *call,
                                                 const quartic_gpu_limits *limits) {
    const quartic_stream_extents e = quartic_stream_extents_of(&call->inputs[QUARTIC_STREAM_X]);
    const uint32_t hidden = stream_feedforward_hidden(call->inputs);
    weight_cut cut = {.units = 64, .columns = 32};
    while (cut.units > 1 && (cut.units * e.heads > WEIGHT_PAIRS || cut.units / 2 >= hidden)) cut.units /= 2;
    while (cut.columns > 1 && (cut.columns + 1) * (e.heads + cut.units) > WEIGHT_TILE) cut.columns /= 2;
    cut.pairs = quartic_divide_up((uint64_t)cut.units * e.heads, QUARTIC_STREAM_INVOCATIONS);
    cut.unit_groups = quartic_divide_up(hidden, cut.units);
    cut.tiles = quartic_divide_up(e.positions, cut.columns);
    cut.all_tiles = e.batch * cut.tiles;
    uint64_t splits = quartic_divide_up64(4 * (uint64_t)quartic_gpu_compute_units(limits), cut.unit_groups),
             bytes = 2 * sizeof(float) * (uint64_t)hidden * e.heads, most = MOST_PARTIAL_BYTES / bytes;
    if (splits > most) splits = most;
    if (splits > MOST_SPLITS) splits = MOST_SPLITS;
    if (splits > cut.all_tiles) splits = cut.all_tiles;
    if (splits < 1) splits = 1;
    const double of_tile =
        2.0 * (double)quartic_divide_up64((uint64_t)e.heads * cut.columns, QUARTIC_STREAM_INVOCATIONS) +
        e.heads +
        (double)quartic_divide_up64((uint64_t)cut.units * cut.columns, QUARTIC_STREAM_INVOCATIONS) *
            (e.heads + 1.0) +
        cut.columns + 2.0;
    if (limits->max_iterations != 0) { /* a device that counts iterations gets as many splits as that takes */
        const double tiles = floor(limits->max_iterations / of_tile) - 1;
        if (tiles >= 1 && (double)splits * tiles < cut.all_tiles)
            splits = (uint64_t)ceil(cut.all_tiles / tiles);
    }
    cut.tiles_of_one = quartic_divide_up(cut.all_tiles, splits);
    /* No workgroup for so long that a device may be taken for hung. */
    const double tile_flops =
        2 * quartic_stream_feedforward_flops(call) / ((double)cut.unit_groups * cut.all_tiles);
    if (cut.tiles_of_one * tile_flops > QUARTIC_GROUP_MOST_FLOPS && tile_flops <= QUARTIC_GROUP_MOST_FLOPS)
        cut.tiles_of_one = (uint32_t)(QUARTIC_GROUP_MOST_FLOPS / tile_flops);
    cut.splits = quartic_divide_up(cut.all_tiles, cut.tiles_of_one);
    cut.iterations = of_tile * cut.tiles_of_one;
    return cut;
}

static quartic_status stream_feedforward_plan_weights(const quartic_op_call *call,
                                                      const quartic_gpu_limits *limits,
                                                      quartic_dispatch_list *list, uint32_t first_output) {
    const stream_feedforward_attrs *attrs = call->attrs;
    const quartic_stream_extents e = quartic_stream_extents_of(&call->inputs[QUARTIC_STREAM_X]);
    const uint32_t hidden = stream_feedforward_hidden(call->inputs);
    const weight_cut cut = stream_feedforward_cut_weights(call, limits);
    const double of_sum =
        (double)quartic_divide_up64(hidden, QUARTIC_STREAM_INVOCATIONS) * (cut.splits + 1.0) + 64;
    QUARTIC_TRY(stream_feedforward_expect_iterations(call, limits, cut.iterations));
    QUARTIC_TRY(stream_feedforward_expect_iterations(call, limits, of_sum));
    if (2.0 * hidden * e.heads * cut.splits > UINT32_MAX)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "stream_feedforward of %u heads with %u hidden units needs %u partial sums of each "
            "weight, more than 32 bits count; use the device cpu",
            e.heads, hidden, cut.splits);
    const uint64_t bytes = 2 * sizeof(float) * (uint64_t)hidden * e.heads * cut.splits,
                   partial = quartic_dispatch_reserve(list, bytes);
    const quartic_stream_feedforward_weights_args args = {.partial = partial,
                                                          .positions = e.positions,
                                                          .tiles = cut.tiles,
                                                          .all_tiles = cut.all_tiles,
                                                          .tiles_of_one = cut.tiles_of_one,
                                                          .unit_groups = cut.unit_groups,
                                                          .groups = cut.unit_groups * cut.splits,
                                                          .hidden = hidden,
                                                          .eps = attrs->eps};
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(e.heads, cut.columns, cut.units, cut.pairs),
        .groups = args.groups,
        .flops = 2 * quartic_stream_feedforward_flops(call),
        .bytes = 8.0 * (double)quartic_layout_elements(&call->inputs[QUARTIC_STREAM_X]),
    };
    QUARTIC_TRY(quartic_dispatch_append(list, "stream_feedforward_weights",
                                        quartic_stream_feedforward_weights_push(&args), &shape));

    const quartic_stream_feedforward_sum_args sum = {.partial = partial,
                                                     .dscale = quartic_dispatch_output(first_output),
                                                     .dw1 = quartic_dispatch_output(first_output + 1),
                                                     .dw2 = quartic_dispatch_output(first_output + 2),
                                                     .heads = e.heads,
                                                     .hidden = hidden,
                                                     .splits = cut.splits};
    const quartic_dispatch_shape sum_shape = {
        .groups = e.heads, .flops = 2.0 * cut.splits * hidden * e.heads, .bytes = (double)bytes};
    return quartic_dispatch_append(list, "stream_feedforward_sum", quartic_stream_feedforward_sum_push(&sum),
                                   &sum_shape);
}

/* The weights first: dx may take over the memory of x or dy. */
static quartic_status stream_feedforward_grad_gpu(const quartic_op_call *call,
                                                  const quartic_gpu_limits *limits,
                                                  quartic_dispatch_list *list) {
    const stream_feedforward_attrs *attrs = call->attrs;
    const bool wants_x = attrs->wants & QUARTIC_STREAM_WANT_X;
    if (attrs->wants & QUARTIC_STREAM_WANT_WEIGHTS)
        QUARTIC_TRY(stream_feedforward_plan_weights(call, limits, list, wants_x ? 1 : 0));
    return wants_x ? stream_feedforward_plan_dx(call, limits, list) : QUARTIC_OK;
}

/* ---- gradient ---- */

static quartic_status stream_feedforward_tape(quartic_tape *tape) {
    stream_feedforward_attrs attrs = *(const stream_feedforward_attrs *)quartic_tape_attrs(tape);
    attrs.wants = quartic_tape_wants(tape, QUARTIC_STREAM_X) ? QUARTIC_STREAM_WANT_X : 0;
    for (uint32_t input = QUARTIC_STREAM_SCALE; input <= QUARTIC_STREAM_W2; ++input)
        if (quartic_tape_wants(tape, input)) attrs.wants |= QUARTIC_STREAM_WANT_WEIGHTS;
    quartic_value inputs[5], outputs[4];
    for (uint32_t input = QUARTIC_STREAM_X; input <= QUARTIC_STREAM_W2; ++input)
        inputs[input] = quartic_tape_input(tape, input);
    inputs[QUARTIC_STREAM_DY] = quartic_tape_gradient(tape, 0);
    const uint32_t first = attrs.wants & QUARTIC_STREAM_WANT_X ? 1 : 0,
                   count = first + (attrs.wants & QUARTIC_STREAM_WANT_WEIGHTS ? 3 : 0);
    QUARTIC_TRY(quartic_graph_append(quartic_tape_graph(tape), &quartic_op_stream_feedforward_grad, &attrs,
                                     inputs, 5, outputs, count));
    if (first != 0) quartic_tape_give(tape, QUARTIC_STREAM_X, outputs[0]);
    for (uint32_t k = first; k < count; ++k)
        quartic_tape_give(tape, QUARTIC_STREAM_SCALE + k - first, outputs[k]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

static const struct {
    const char *label;
    quartic_shape x;
    uint32_t hidden, wants;
    float eps;
    quartic_fill_kind fill;
} stream_feedforward_table[] = {
    {"two streams of two heads", {4, {2, 4, 5, 7}}, 8, 3, 1e-5f, 0},
    {"an odd number of heads and units", {4, {1, 5, 9, 9}}, 7, 3, 1e-5f, 0},
    {"one head, one unit", {3, {3, 1, 9}}, 1, 3, 0.25f, 0},
    {"one position", {2, {2, 6}}, 12, 3, 1e-5f, 0},
    {"two streams of eight heads", {4, {1, 16, 9, 8}}, 32, 3, 1e-5f, 0},
    {"more units than a chunk, no weights", {3, {2, 16, 37}}, 70, 1, 1e-5f, 0},
    {"48 heads, weights alone", {3, {1, 48, 67}}, 96, 2, 1e-5f, 0},
    {"many heads", {3, {1, 130, 5}}, 65, 3, 1e-5f, 0},
    {"huge numbers", {3, {2, 6, 9}}, 8, 3, 1e-5f, QUARTIC_FILL_HUGE},
};

static bool stream_feedforward_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(stream_feedforward_table)) return false;
    *out =
        (quartic_op_case){.label = stream_feedforward_table[index].label,
                          .input_count = 4,
                          .no_finite_difference = stream_feedforward_table[index].fill == QUARTIC_FILL_HUGE};
    *(stream_feedforward_attrs *)out->attrs = (stream_feedforward_attrs){
        .eps = stream_feedforward_table[index].eps, .wants = stream_feedforward_table[index].wants};
    const uint32_t heads = stream_feedforward_table[index].x.dims[1],
                   hidden = stream_feedforward_table[index].hidden;
    quartic_case_floats(out, QUARTIC_STREAM_X, stream_feedforward_table[index].x,
                        stream_feedforward_table[index].fill);
    quartic_case_floats(out, QUARTIC_STREAM_SCALE, QUARTIC_SHAPE(heads), QUARTIC_FILL_POSITIVE);
    quartic_case_floats(out, QUARTIC_STREAM_W1, QUARTIC_SHAPE(hidden, heads), QUARTIC_FILL_SMALL);
    quartic_case_floats(out, QUARTIC_STREAM_W2, QUARTIC_SHAPE(heads, hidden), QUARTIC_FILL_SMALL);
    return true;
}

static bool stream_feedforward_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!stream_feedforward_cases(index, out)) return false;
    out->input_count = 5;
    quartic_case_floats(out, QUARTIC_STREAM_DY, stream_feedforward_table[index].x, QUARTIC_FILL_NORMAL);
    return true;
}

/* The longest of the sums that follow each other. */
static double stream_feedforward_reduction(const quartic_op_call *call) {
    return call->inputs[QUARTIC_STREAM_X].shape.dims[1] + stream_feedforward_hidden(call->inputs);
}
static double stream_feedforward_grad_reduction(const quartic_op_call *call) {
    const quartic_layout *x = &call->inputs[QUARTIC_STREAM_X];
    return stream_feedforward_reduction(call) + (double)quartic_layout_elements(x) / x->shape.dims[1];
}

const quartic_op quartic_op_stream_feedforward = {
    .name = "stream_feedforward",
    .attrs_bytes = sizeof(stream_feedforward_attrs),
    .in_place_inputs = 1u << QUARTIC_STREAM_X,
    .infer = stream_feedforward_infer,
    .cpu = stream_feedforward_cpu,
    .cpu_scratch = stream_feedforward_scratch,
    .gpu = stream_feedforward_gpu,
    .grad = stream_feedforward_tape,
    .cases = stream_feedforward_cases,
    .flops = quartic_stream_feedforward_flops,
    .tolerance = 4,
    .tolerance_reason = "two sums of products in a row, a norm, and gelu to 8e-8",
    .reduction = stream_feedforward_reduction,
};

const quartic_op quartic_op_stream_feedforward_grad = {
    .name = "stream_feedforward_grad",
    .attrs_bytes = sizeof(stream_feedforward_attrs),
    .in_place_inputs = 1u << QUARTIC_STREAM_X | 1u << QUARTIC_STREAM_DY,
    .infer = stream_feedforward_grad_infer,
    .cpu = stream_feedforward_grad_cpu,
    .cpu_scratch = stream_feedforward_grad_scratch,
    .gpu = stream_feedforward_grad_gpu,
    .cases = stream_feedforward_grad_cases,
    .flops = quartic_stream_feedforward_grad_flops,
    .tolerance = 4,
    .tolerance_reason = "three sums of products in a row, the last over all columns",
    .reduction = stream_feedforward_grad_reduction,
};

quartic_value quartic_stream_feedforward(quartic_graph *graph, quartic_value x, quartic_value scale,
                                         quartic_value w1, quartic_value w2, float eps) {
    QUARTIC_CALL();
    const stream_feedforward_attrs attrs = {.eps = eps};
    const quartic_value inputs[] = {x, scale, w1, w2};
    return quartic_graph_append_one(graph, &quartic_op_stream_feedforward, &attrs, inputs, 4);
}
