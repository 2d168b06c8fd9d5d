/* taylor_fixture.c: see taylor_fixture.h. */
#include "taylor_fixture.h"

quartic_layout taylor_layout(const taylor_spec *spec, uint32_t width, taylor_packing packing,
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

taylor_fixture *taylor_fixture_create(const taylor_spec *spec, uint64_t seed) {
    taylor_fixture *fixture = quartic_alloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->spec = *spec;
    const float scale = spec->scale == 0 ? 0.3f : spec->scale;
    for (uint32_t k = 0; k < TAYLOR_OPERANDS; ++k) {
        if (k == QUARTIC_TAYLOR_MASK) continue;
        const bool keyed = k == QUARTIC_TAYLOR_Q || k == QUARTIC_TAYLOR_K || k == TAYLOR_DQ || k == TAYLOR_DK;
        const taylor_packing packing = k <= QUARTIC_TAYLOR_V ? spec->packing : TAYLOR_CONTIGUOUS;
        fixture->layouts[k] = taylor_layout(spec,
                                            keyed                   ? spec->d
                                            : k == QUARTIC_TAYLOR_Z ? 1
                                                                    : spec->dv,
                                            packing, &fixture->extents[k]);
        if (k == QUARTIC_TAYLOR_Z) fixture->layouts[k].shape.rank = 4;
        fixture->wide[k] = quartic_alloc(fixture->extents[k], sizeof(double));
        fixture->narrow[k] = quartic_alloc(fixture->extents[k], sizeof(float));
        assert_non_null(fixture->wide[k]);
        assert_non_null(fixture->narrow[k]);
        for (uint64_t i = 0; i < fixture->extents[k]; ++i) fixture->narrow[k][i] = NAN;
        if (k <= QUARTIC_TAYLOR_V || k == QUARTIC_TAYLOR_G)
            for (uint64_t i = 0; i < quartic_layout_elements(&fixture->layouts[k]); ++i)
                fixture->narrow[k][quartic_layout_at(&fixture->layouts[k], i)] =
                    quartic_random_normal(seed, k, i) * (keyed ? scale : 1.0f);
        for (uint64_t i = 0; i < fixture->extents[k]; ++i) fixture->wide[k][i] = fixture->narrow[k][i];
    }
    if (spec->masked) {
        const quartic_shape shape = spec->options.pair_mask ? QUARTIC_SHAPE(spec->b, spec->r)
                                                            : QUARTIC_SHAPE(spec->b, spec->r, spec->c);
        fixture->layouts[QUARTIC_TAYLOR_MASK] = quartic_layout_contiguous(QUARTIC_INT32, &shape);
        fixture->mask = quartic_alloc(quartic_shape_elements(&shape), sizeof *fixture->mask);
        assert_non_null(fixture->mask);
        for (uint64_t i = 0; i < quartic_shape_elements(&shape); ++i)
            fixture->mask[i] = quartic_random_uniform(seed, 99, i) < 0.7f;
    }
    return fixture;
}

void taylor_fixture_destroy(taylor_fixture *fixture) {
    for (uint32_t k = 0; k < TAYLOR_OPERANDS; ++k) {
        quartic_free(fixture->wide[k]);
        quartic_free(fixture->narrow[k]);
    }
    quartic_free(fixture->mask);
    quartic_free(fixture);
}

quartic_operand taylor_operand(const taylor_fixture *fixture, uint32_t k, bool wide) {
    if (k == QUARTIC_TAYLOR_MASK) return (quartic_operand){fixture->mask, &fixture->layouts[k], false, NULL};
    return (quartic_operand){wide ? (void *)fixture->wide[k] : (void *)fixture->narrow[k],
                             &fixture->layouts[k], wide, NULL};
}

static void taylor_run_op(taylor_fixture *fixture, const quartic_op *op, taylor_backend backend,
                          uint32_t threads, uint32_t input_count, uint32_t first_output,
                          uint32_t output_count) {
    const bool wide = backend == TAYLOR_REFERENCE64;
    quartic_layout inputs[QUARTIC_TAYLOR_INPUTS], outputs[3];
    uint32_t inferred = 0;
    memcpy(inputs, fixture->layouts, sizeof inputs);
    const quartic_op_call call = {&fixture->spec.options, input_count, output_count, inputs, outputs};
    assert_int_equal(op->infer(&call, outputs, &inferred), QUARTIC_OK);
    assert_int_equal(inferred, output_count);
    quartic_op_run run = {.attrs = &fixture->spec.options,
                          .input_count = input_count,
                          .output_count = output_count,
                          .threads = threads};
    for (uint32_t k = 0; k < input_count; ++k) run.inputs[k] = taylor_operand(fixture, k, wide);
    for (uint32_t k = 0; k < output_count; ++k) {
        assert_true(quartic_shape_equal(&outputs[k].shape, &fixture->layouts[first_output + k].shape));
        run.outputs[k] = taylor_operand(fixture, first_output + k, wide);
    }
    size_t scratch = op->cpu_scratch(&call);
    void (*kernel)(const quartic_op_run *) = op->cpu;
    if (backend == TAYLOR_FAST) {
        const quartic_fast_kernel *row = quartic_fast_find(op, &call);
        assert_non_null(row);
        kernel = row->run;
        scratch = row->scratch(&call, threads);
    }
    const bool chosen = backend == TAYLOR_FAST && fixture->kernels != NULL;
    run.scratch = quartic_alloc(scratch, 1);
    assert_non_null(run.scratch);
    memset(run.scratch, 0xff, scratch); /* NaN: nothing may rely on zeroed scratch */
    if (chosen)
        quartic_taylor_run(&run, fixture->kernels);
    else
        kernel(&run);
    quartic_free(run.scratch);
    if (!wide)
        for (uint32_t k = first_output; k < first_output + output_count; ++k)
            for (uint64_t i = 0; i < fixture->extents[k]; ++i) fixture->wide[k][i] = fixture->narrow[k][i];
}

void taylor_fixture_run(taylor_fixture *fixture, taylor_backend backend, uint32_t threads) {
    taylor_run_op(fixture, &quartic_op_taylor_attention, backend, threads, 4, QUARTIC_TAYLOR_OUT, 2);
    taylor_run_op(fixture, &quartic_op_taylor_attention_grad, backend, threads, QUARTIC_TAYLOR_INPUTS,
                  TAYLOR_DQ, 3);
}

double taylor_at(const taylor_fixture *fixture, uint32_t k, uint32_t b, uint32_t r, uint32_t c, uint32_t h,
                 uint32_t component) {
    const quartic_layout *layout = &fixture->layouts[k];
    const int64_t inner = layout->shape.rank == 5 ? layout->strides[4] : 1;
    return fixture->wide[k][layout->strides[0] * b + layout->strides[1] * r + layout->strides[2] * c +
                            layout->strides[3] * h + inner * component];
}

/* Visibility as models.md states it: key position p of sequence o, for the query at position i. */
static bool taylor_sees(const taylor_fixture *fixture, uint32_t b, uint32_t o, uint32_t i, uint32_t p) {
    const taylor_spec *spec = &fixture->spec;
    const uint32_t block = spec->options.block;
    if (block != 0 && p / block > i / block) return false;
    const uint32_t r = spec->options.axis == 1 ? p : o, c = spec->options.axis == 1 ? o : p;
    if (spec->options.causal && p > o) return false;
    if (!spec->masked) return true;
    if (spec->options.pair_mask) return fixture->mask[b * spec->r + p] && fixture->mask[b * spec->r + o];
    return fixture->mask[(b * spec->r + r) * spec->c + c] != 0;
}

double taylor_naive(const taylor_fixture *fixture, uint32_t b, uint32_t r, uint32_t c, uint32_t h,
                    double *out) {
    const taylor_spec *spec = &fixture->spec;
    const bool down = spec->options.axis == 1;
    double sum = 0;
    for (uint32_t e = 0; e < spec->dv; ++e) out[e] = 0;
    for (uint32_t p = 0; p < (down ? spec->r : spec->c); ++p) {
        if (!taylor_sees(fixture, b, down ? c : r, down ? r : c, p)) continue;
        const uint32_t kr = down ? p : r, kc = down ? c : p;
        double s = 0;
        for (uint32_t a = 0; a < spec->d; ++a)
            s += taylor_at(fixture, QUARTIC_TAYLOR_Q, b, r, c, h, a) *
                 taylor_at(fixture, QUARTIC_TAYLOR_K, b, kr, kc, h, a);
        const double w = 1 + s + s * s / 2;
        sum += w;
        for (uint32_t e = 0; e < spec->dv; ++e)
            out[e] += w * taylor_at(fixture, QUARTIC_TAYLOR_V, b, kr, kc, h, e);
    }
    const double z = fmax(sum, 1e-5);
    for (uint32_t e = 0; e < spec->dv; ++e) out[e] /= z;
    return z;
}

double taylor_naive_loss(const taylor_fixture *fixture) {
    const taylor_spec *spec = &fixture->spec;
    double out[1024], loss = 0;
    for (uint32_t b = 0; b < spec->b; ++b)
        for (uint32_t r = 0; r < spec->r; ++r)
            for (uint32_t c = 0; c < spec->c; ++c)
                for (uint32_t h = 0; h < spec->h; ++h) {
                    taylor_naive(fixture, b, r, c, h, out);
                    for (uint32_t e = 0; e < spec->dv; ++e)
                        loss += out[e] * taylor_at(fixture, QUARTIC_TAYLOR_G, b, r, c, h, e);
                }
    return loss;
}

void taylor_change_from(taylor_fixture *fixture, uint32_t t) {
    for (uint32_t k = 0; k <= QUARTIC_TAYLOR_V; ++k) {
        const quartic_layout *layout = &fixture->layouts[k];
        const uint64_t inner = (uint64_t)layout->shape.dims[3] * layout->shape.dims[4];
        for (uint64_t i = 0; i < quartic_layout_elements(layout); ++i)
            if (i / inner % fixture->spec.c >= t) {
                const int64_t at = quartic_layout_at(layout, i);
                fixture->narrow[k][at] = 3 * quartic_random_normal(77, k, i);
                fixture->wide[k][at] = fixture->narrow[k][at];
            }
    }
    for (uint32_t i = 0; fixture->mask != NULL && i < fixture->spec.b * fixture->spec.r * fixture->spec.c;
         ++i)
        if (i % fixture->spec.c >= t) fixture->mask[i] = !fixture->mask[i];
}

void taylor_expect_same_before(const taylor_fixture *a, const taylor_fixture *b, uint32_t t) {
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

double taylor_difference(const taylor_fixture *got, const taylor_fixture *want, uint32_t k) {
    double worst = 0, largest = 1;
    for (uint64_t i = 0; i < want->extents[k]; ++i) {
        if (!isfinite(got->wide[k][i])) return INFINITY;
        worst = fmax(worst, fabs(got->wide[k][i] - want->wide[k][i]));
        largest = fmax(largest, fabs(want->wide[k][i]));
    }
    return worst / largest;
}
