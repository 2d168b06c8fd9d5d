/* taylor_rig.h: runs both Taylor attention ops on chosen shapes, strides and kernels, without a graph.
 *
 * Inputs are float32 numbers, so float and double storage hold the same. What lies between the elements of a
 * strided operand, and every output before the run, is NaN. The formula of models.md stands here once more,
 * as plain loops in double, independent of the library's kernels.
 */
#ifndef TESTS_UNIT_TAYLOR_RIG_H
#define TESTS_UNIT_TAYLOR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "fast/fast.h"
#include "fast/taylor_fast.h"
#include "ops/taylor_problem.h"

typedef enum taylor_backend { TAYLOR_REFERENCE64, TAYLOR_REFERENCE, TAYLOR_FAST } taylor_backend;
typedef enum taylor_packing {
    TAYLOR_CONTIGUOUS,
    TAYLOR_PACKED,         /* rows lie in a wider row, as slices of a packed projection */
    TAYLOR_COMPONENT_FIRST /* stored as (d, b, r, c, h): components far apart */
} taylor_packing;

typedef struct taylor_spec {
    uint32_t b, r, c, h, d, dv;
    quartic_taylor_options options;
    bool masked;
    taylor_packing packing;
    float scale; /* of q and k; 0 stands for 0.3 */
} taylor_spec;

enum { TAYLOR_DQ = QUARTIC_TAYLOR_INPUTS, TAYLOR_DK, TAYLOR_DV, TAYLOR_OPERANDS };

typedef struct taylor_rig {
    taylor_spec spec;
    quartic_layout layouts[TAYLOR_OPERANDS];
    uint64_t extents[TAYLOR_OPERANDS]; /* elements of storage */
    double *wide[TAYLOR_OPERANDS];     /* by QUARTIC_TAYLOR_*, then the gradients; read results here */
    float *narrow[TAYLOR_OPERANDS];
    int32_t *mask;                 /* NULL: none */
    const taylor_kernels *kernels; /* of TAYLOR_FAST; NULL: what the row takes */
} taylor_rig;

static inline quartic_layout taylor_layout(const taylor_spec *spec, uint32_t width, taylor_packing packing,
                                           uint64_t *out_extent) {
    const quartic_shape shape = QUARTIC_SHAPE(spec->b, spec->r, spec->c, spec->h, width);
    quartic_layout layout = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
    *out_extent = quartic_shape_elements(&shape);
    if (packing == TAYLOR_PACKED) {
        const int64_t row = (int64_t)spec->h * width * 3 + 5;
        layout.strides[2] = row;
        layout.strides[1] = row * spec->c;
        layout.strides[0] = row * spec->c * spec->r;
        *out_extent = (uint64_t)layout.strides[0] * spec->b;
    }
    if (packing == TAYLOR_COMPONENT_FIRST) {
        for (uint32_t axis = 0; axis < 4; ++axis) layout.strides[axis] /= width;
        layout.strides[4] = (int64_t)(*out_extent / width);
    }
    return layout;
}

static inline taylor_rig *taylor_rig_create(const taylor_spec *spec, uint64_t seed) {
    taylor_rig *rig = quartic_alloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->spec = *spec;
    const float scale = spec->scale == 0 ? 0.3f : spec->scale;
    for (uint32_t k = 0; k < TAYLOR_OPERANDS; ++k) {
        if (k == QUARTIC_TAYLOR_MASK) continue;
        const bool keyed = k == QUARTIC_TAYLOR_Q || k == QUARTIC_TAYLOR_K || k == TAYLOR_DQ || k == TAYLOR_DK;
        const taylor_packing packing = k <= QUARTIC_TAYLOR_V ? spec->packing : TAYLOR_CONTIGUOUS;
        rig->layouts[k] = taylor_layout(spec,
                                        keyed                   ? spec->d
                                        : k == QUARTIC_TAYLOR_Z ? 1
                                                                : spec->dv,
                                        packing, &rig->extents[k]);
        if (k == QUARTIC_TAYLOR_Z) rig->layouts[k].shape.rank = 4;
        rig->wide[k] = quartic_alloc(rig->extents[k], sizeof(double));
        rig->narrow[k] = quartic_alloc(rig->extents[k], sizeof(float));
        assert_non_null(rig->wide[k]);
        assert_non_null(rig->narrow[k]);
        for (uint64_t i = 0; i < rig->extents[k]; ++i) rig->narrow[k][i] = NAN;
        if (k <= QUARTIC_TAYLOR_V || k == QUARTIC_TAYLOR_G)
            for (uint64_t i = 0; i < quartic_layout_elements(&rig->layouts[k]); ++i)
                rig->narrow[k][quartic_layout_at(&rig->layouts[k], i)] =
                    quartic_random_normal(seed, k, i) * (keyed ? scale : 1.0f);
        for (uint64_t i = 0; i < rig->extents[k]; ++i) rig->wide[k][i] = rig->narrow[k][i];
    }
    if (spec->masked) {
        const quartic_shape shape = spec->options.pair_mask ? QUARTIC_SHAPE(spec->b, spec->r)
                                                            : QUARTIC_SHAPE(spec->b, spec->r, spec->c);
        rig->layouts[QUARTIC_TAYLOR_MASK] = quartic_layout_contiguous(QUARTIC_INT32, &shape);
        rig->mask = quartic_alloc(quartic_shape_elements(&shape), sizeof *rig->mask);
        assert_non_null(rig->mask);
        for (uint64_t i = 0; i < quartic_shape_elements(&shape); ++i)
            rig->mask[i] = quartic_random_uniform(seed, 99, i) < 0.7f;
    }
    return rig;
}

static inline void taylor_rig_destroy(taylor_rig *rig) {
    for (uint32_t k = 0; k < TAYLOR_OPERANDS; ++k) {
        quartic_free(rig->wide[k]);
        quartic_free(rig->narrow[k]);
    }
    quartic_free(rig->mask);
    quartic_free(rig);
}

static inline quartic_operand taylor_operand(const taylor_rig *rig, uint32_t k, bool wide) {
    if (k == QUARTIC_TAYLOR_MASK) return (quartic_operand){rig->mask, &rig->layouts[k], false, NULL};
    return (quartic_operand){wide ? (void *)rig->wide[k] : (void *)rig->narrow[k], &rig->layouts[k], wide,
                             NULL};
}

static inline void taylor_run_op(taylor_rig *rig, const quartic_op *op, taylor_backend backend,
                                 uint32_t threads, uint32_t input_count, uint32_t first_output,
                                 uint32_t output_count) {
    const bool wide = backend == TAYLOR_REFERENCE64;
    quartic_layout inputs[QUARTIC_TAYLOR_INPUTS], outputs[3];
    uint32_t inferred = 0;
    memcpy(inputs, rig->layouts, sizeof inputs);
    const quartic_op_call call = {&rig->spec.options, input_count, output_count, inputs, outputs};
    assert_int_equal(op->infer(&call, outputs, &inferred), QUARTIC_OK);
    assert_int_equal(inferred, output_count);
    quartic_op_run run = {.attrs = &rig->spec.options,
                          .input_count = input_count,
                          .output_count = output_count,
                          .threads = threads};
    for (uint32_t k = 0; k < input_count; ++k) run.inputs[k] = taylor_operand(rig, k, wide);
    for (uint32_t k = 0; k < output_count; ++k) {
        assert_true(quartic_shape_equal(&outputs[k].shape, &rig->layouts[first_output + k].shape));
        run.outputs[k] = taylor_operand(rig, first_output + k, wide);
    }
    size_t scratch = op->cpu_scratch(&call);
    void (*kernel)(const quartic_op_run *) = op->cpu;
    if (backend == TAYLOR_FAST) {
        const quartic_fast_kernel *row = quartic_fast_find(op, &call);
        assert_non_null(row);
        kernel = row->run;
        scratch = row->scratch(&call, threads);
    }
    const bool chosen = backend == TAYLOR_FAST && rig->kernels != NULL;
    run.scratch = quartic_alloc(scratch, 1);
    assert_non_null(run.scratch);
    memset(run.scratch, 0xff, scratch); /* NaN: nothing may rely on zeroed scratch */
    if (chosen)
        quartic_taylor_run(&run, rig->kernels);
    else
        kernel(&run);
    quartic_free(run.scratch);
    if (!wide)
        for (uint32_t k = first_output; k < first_output + output_count; ++k)
            for (uint64_t i = 0; i < rig->extents[k]; ++i) rig->wide[k][i] = rig->narrow[k][i];
}

/* Forward, then backward; results are in wide[]. */
static inline void taylor_rig_run(taylor_rig *rig, taylor_backend backend, uint32_t threads) {
    taylor_run_op(rig, &quartic_op_taylor_attention, backend, threads, 4, QUARTIC_TAYLOR_OUT, 2);
    taylor_run_op(rig, &quartic_op_taylor_attention_grad, backend, threads, QUARTIC_TAYLOR_INPUTS, TAYLOR_DQ,
                  3);
}

static inline double taylor_at(const taylor_rig *rig, uint32_t k, uint32_t b, uint32_t r, uint32_t c,
                               uint32_t h, uint32_t component) {
    const quartic_layout *layout = &rig->layouts[k];
    const int64_t inner = layout->shape.rank == 5 ? layout->strides[4] : 1;
    return rig->wide[k][layout->strides[0] * b + layout->strides[1] * r + layout->strides[2] * c +
                        layout->strides[3] * h + inner * component];
}

/* Visibility as models.md states it: key position p of sequence o, for the query at position i. */
static inline bool taylor_sees(const taylor_rig *rig, uint32_t b, uint32_t o, uint32_t i, uint32_t p) {
    const taylor_spec *spec = &rig->spec;
    const uint32_t block = spec->options.block;
    if (block != 0 && p / block > i / block) return false;
    const uint32_t r = spec->options.axis == 1 ? p : o, c = spec->options.axis == 1 ? o : p;
    if (spec->options.causal && p > o) return false;
    if (!spec->masked) return true;
    if (spec->options.pair_mask) return rig->mask[b * spec->r + p] && rig->mask[b * spec->r + o];
    return rig->mask[(b * spec->r + r) * spec->c + c] != 0;
}

/* out of the query at (b, r, c), head h, into out (dv); returns z. */
static inline double taylor_naive(const taylor_rig *rig, uint32_t b, uint32_t r, uint32_t c, uint32_t h,
                                  double *out) {
    const taylor_spec *spec = &rig->spec;
    const bool down = spec->options.axis == 1;
    double sum = 0;
    for (uint32_t e = 0; e < spec->dv; ++e) out[e] = 0;
    for (uint32_t p = 0; p < (down ? spec->r : spec->c); ++p) {
        if (!taylor_sees(rig, b, down ? c : r, down ? r : c, p)) continue;
        const uint32_t kr = down ? p : r, kc = down ? c : p;
        double s = 0;
        for (uint32_t a = 0; a < spec->d; ++a)
            s += taylor_at(rig, QUARTIC_TAYLOR_Q, b, r, c, h, a) *
                 taylor_at(rig, QUARTIC_TAYLOR_K, b, kr, kc, h, a);
        const double w = 1 + s + s * s / 2;
        sum += w;
        for (uint32_t e = 0; e < spec->dv; ++e)
            out[e] += w * taylor_at(rig, QUARTIC_TAYLOR_V, b, kr, kc, h, e);
    }
    const double z = fmax(sum, 1e-5);
    for (uint32_t e = 0; e < spec->dv; ++e) out[e] /= z;
    return z;
}

/* sum(out * g) of the formula. */
static inline double taylor_naive_loss(const taylor_rig *rig) {
    const taylor_spec *spec = &rig->spec;
    double out[1024], loss = 0;
    for (uint32_t b = 0; b < spec->b; ++b)
        for (uint32_t r = 0; r < spec->r; ++r)
            for (uint32_t c = 0; c < spec->c; ++c)
                for (uint32_t h = 0; h < spec->h; ++h) {
                    taylor_naive(rig, b, r, c, h, out);
                    for (uint32_t e = 0; e < spec->dv; ++e)
                        loss += out[e] * taylor_at(rig, QUARTIC_TAYLOR_G, b, r, c, h, e);
                }
    return loss;
}

/* Other numbers, and the other mask, in the tokens from t on of each sequence along axis 2. */
static inline void taylor_change_from(taylor_rig *rig, uint32_t t) {
    for (uint32_t k = 0; k <= QUARTIC_TAYLOR_V; ++k) {
        const quartic_layout *layout = &rig->layouts[k];
        const uint64_t inner = (uint64_t)layout->shape.dims[3] * layout->shape.dims[4];
        for (uint64_t i = 0; i < quartic_layout_elements(layout); ++i)
            if (i / inner % rig->spec.c >= t) {
                const int64_t at = quartic_layout_at(layout, i);
                rig->narrow[k][at] = 3 * quartic_random_normal(77, k, i);
                rig->wide[k][at] = rig->narrow[k][at];
            }
    }
    for (uint32_t i = 0; rig->mask != NULL && i < rig->spec.b * rig->spec.r * rig->spec.c; ++i)
        if (i % rig->spec.c >= t) rig->mask[i] = !rig->mask[i];
}

/* out and z of float32 runs, at the tokens before t of each sequence along axis 2. */
static inline void taylor_expect_same_before(const taylor_rig *a, const taylor_rig *b, uint32_t t) {
    for (uint32_t k = QUARTIC_TAYLOR_OUT; k <= QUARTIC_TAYLOR_Z; ++k) {
        const uint64_t inner = a->extents[k] / ((uint64_t)a->spec.b * a->spec.r * a->spec.c);
        for (uint64_t i = 0; i < a->extents[k]; ++i)
            if (i / inner % a->spec.c < t &&
                memcmp(&a->narrow[k][i], &b->narrow[k][i], sizeof a->narrow[k][i]) != 0)
                fail_msg("form %u, blocks of %u: token %u of sequence %u changes with the tokens from %u on",
                         a->spec.options.form, a->spec.options.block, (uint32_t)(i / inner % a->spec.c),
                         (uint32_t)(i / inner / a->spec.c), t);
    }
}

/* Largest difference from another rig's operand, relative to the largest number there; at least to 1, for
 * with one visible key the gradients of q and k vanish by cancellation. */
static inline double taylor_difference(const taylor_rig *got, const taylor_rig *want, uint32_t k) {
    double worst = 0, largest = 1;
    for (uint64_t i = 0; i < want->extents[k]; ++i) {
        if (!isfinite(got->wide[k][i])) return INFINITY;
        worst = fmax(worst, fabs(got->wide[k][i] - want->wide[k][i]));
        largest = fmax(largest, fabs(want->wide[k][i]));
    }
    return worst / largest;
}

#endif
