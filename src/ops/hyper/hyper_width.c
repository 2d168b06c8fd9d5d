/* hyper_width.c: the width connection of a hyper-connection (Zhu et al. 2024): what goes into the branch and
 * what goes past it. Residual streams R_s, s < S:
 *
 *   N_s = l2(R_s; gamma + 1)                  u_s = N_s . (alpha_fn, beta_fn)          S + 2 numbers
 *   alpha_st = tanh(u_st) alpha_scale + static_alpha_st, t = 0..S
 *   beta_s = tanh(u_s,S+1) beta_scale + static_beta_s
 *   M_t = sum_s alpha_st R_s;  M_0 goes into the branch, M_1 .. M_S past it if the streams are mixed
 *
 * equal: all streams are one x, so that u is the same for all. Instead of M_0 = A x with A = sum_s alpha_s0
 * it gives rms(A x). With the root mean square r and the direction d = x / r that is d a / sqrt(a^2 + eps)
 * with a = A r, a norm of one number: the gradient of A, which is of the order of eps, comes without
 * cancellation.
 *
 * Adjoint, with dalpha_s0 = dM_0 . R_s, dalpha_st = dM_t . R_s:
 *   du = (dalpha alpha_scale, dbeta beta_scale) (1 - tanh(u)^2),  X_dk = sum over tokens and s of xhat_sd
 * du_sk dfn_dk = (gamma_d + 1) X_dk,  dgamma_d = sum_k fn_dk X_dk, and with h_sd = (gamma_d + 1) sum_k du_sk
 * fn_dk dR_s = factor_s (h_s - xhat_s mean(h_s xhat_s)) + sum_t alpha_st dM_t   (factor h at the clamp)
 * Outputs of the adjoint: dx if wanted, then, if any of them is, the gradients of all seven parameters.
 */
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/hyper/hyper.h"

#include <math.h>

/* ---- shape rules ---- */

static quartic_status check_hyper_x(const char *name, const quartic_op_call *call) {
    const hyper_width_attrs *attrs = call->attrs;
    const quartic_shape *x = &call->inputs[HYPER_X].shape;
    const quartic_shape *beta = &call->inputs[HYPER_STATIC_BETA].shape;
    char text[QUARTIC_SHAPE_TEXT];
    QUARTIC_TRY(quartic_op_expect_rank(name, call, HYPER_X, attrs->equal ? 3 : 4));
    QUARTIC_TRY(quartic_op_expect_rank(name, call, HYPER_STATIC_BETA, 1));
    if (quartic_shape_elements(x) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "%s got streams of shape %s, without an element", name,
                            quartic_shape_text(x, text));
    if (beta->dims[0] < 1 || beta->dims[0] > QUARTIC_HYPER_MOST_STREAMS)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "%s takes 1 to %d residual streams, not %u", name,
                            QUARTIC_HYPER_MOST_STREAMS, beta->dims[0]);
    if (!attrs->equal && x->dims[2] != beta->dims[0])
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s got static_beta for %u streams, but residual streams of shape %s", name,
                            beta->dims[0], quartic_shape_text(x, text));
    if (!(attrs->eps >= 0.0f && isfinite(attrs->eps)))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "%s got eps %g; it must be finite and not negative",
                            name, (double)attrs->eps);
    return QUARTIC_OK;
}

static quartic_shape hyper_parameter_shape(const quartic_op_call *call, uint32_t input) {
    const hyper_width_attrs *attrs = call->attrs;
    const hyper_width_extents e =
        hyper_width_extents_of(attrs, &call->inputs[HYPER_X], &call->inputs[HYPER_STATIC_BETA]);
    switch (input) {
    case HYPER_GAMMA:
    case HYPER_BETA_FN:
        return QUARTIC_SHAPE(e.dim);
    case HYPER_STATIC_ALPHA:
        return QUARTIC_SHAPE(e.streams, e.streams + 1);
    case HYPER_ALPHA_FN:
        return QUARTIC_SHAPE(e.dim, e.streams + 1);
    case HYPER_STATIC_BETA:
        return QUARTIC_SHAPE(e.streams);
    default:
        return (quartic_shape){0};
    }
}

/* The streams and the parameters, which both ops have. */
static quartic_status check_hyper_operands(const char *name, const quartic_op_call *call) {
    for (uint32_t input = HYPER_X; input < HYPER_WIDTH_INPUTS; ++input)
        QUARTIC_TRY(quartic_op_expect_dtype(name, call, input, QUARTIC_FLOAT32));
    QUARTIC_TRY(check_hyper_x(name, call));
    for (uint32_t input = HYPER_GAMMA; input < HYPER_WIDTH_INPUTS; ++input) {
        const quartic_shape want = hyper_parameter_shape(call, input);
        QUARTIC_TRY(quartic_op_expect_shape(name, call, input, &want));
    }
    return QUARTIC_OK;
}

/* Shape of an output of hyper_width. */
static quartic_shape hyper_output_shape(const quartic_op_call *call, uint32_t output) {
    const hyper_width_extents e =
        hyper_width_extents_of(call->attrs, &call->inputs[HYPER_X], &call->inputs[HYPER_STATIC_BETA]);
    const uint32_t b = call->inputs[HYPER_X].shape.dims[0], n = call->inputs[HYPER_X].shape.dims[1];
    switch (output) {
    case HYPER_BRANCH:
        return QUARTIC_SHAPE(b, n, e.dim);
    case HYPER_BETA:
        return QUARTIC_SHAPE(b, n, e.streams);
    case HYPER_LOGITS:
        return QUARTIC_SHAPE(b, n, e.rows, e.sums);
    default:
        return QUARTIC_SHAPE(b, n, e.streams, e.dim);
    }
}

static quartic_status hyper_width_infer(const quartic_op_call *call, quartic_layout *out,
                                        uint32_t *out_count) {
    const hyper_width_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("hyper_width", call, HYPER_WIDTH_INPUTS, HYPER_WIDTH_INPUTS));
    QUARTIC_TRY(check_hyper_operands("hyper_width", call));
    *out_count = attrs->mixes ? HYPER_WIDTH_OUTPUTS : HYPER_KEPT;
    for (uint32_t k = 0; k < *out_count; ++k) {
        const quartic_shape shape = hyper_output_shape(call, k);
        out[k] = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
    }
    return QUARTIC_OK;
}

static quartic_status hyper_width_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                             uint32_t *out_count) {
    static const struct {
        uint32_t input, output;
    } of_outputs[] = {{HYPER_SAVED_LOGITS, HYPER_LOGITS},
                      {HYPER_BRANCH_GRADIENT, HYPER_BRANCH},
                      {HYPER_BETA_GRADIENT, HYPER_BETA},
                      {HYPER_KEPT_GRADIENT, HYPER_KEPT}};
    const char *name = "hyper_width_grad";
    const hyper_width_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs(name, call, HYPER_WIDTH_GRAD_INPUTS, HYPER_WIDTH_GRAD_INPUTS));
    QUARTIC_TRY(check_hyper_operands(name, call));
    for (uint32_t k = 0; k < sizeof of_outputs / sizeof of_outputs[0]; ++k) {
        const uint32_t input = of_outputs[k].input;
        if (input != HYPER_SAVED_LOGITS && !quartic_is_present(&call->inputs[input])) continue;
        const quartic_shape want = hyper_output_shape(call, of_outputs[k].output);
        QUARTIC_TRY(quartic_op_expect_dtype(name, call, input, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_shape(name, call, input, &want));
    }
    uint32_t count = 0;
    if (attrs->wants & QUARTIC_HYPER_WANT_X)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[HYPER_X].shape);
    for (uint32_t k = HYPER_GAMMA; attrs->wants & QUARTIC_HYPER_WANT_PARAMETERS && k < HYPER_WIDTH_INPUTS;
         ++k)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[k].shape);
    *out_count = count;
    return QUARTIC_OK;
}

/* ---- gradient ---- */

static quartic_status hyper_width_tape(quartic_tape *tape) {
    hyper_width_attrs attrs = *(const hyper_width_attrs *)quartic_tape_attrs(tape);
    attrs.wants = quartic_tape_wants(tape, HYPER_X) ? QUARTIC_HYPER_WANT_X : 0;
    for (uint32_t input = HYPER_GAMMA; input < HYPER_WIDTH_INPUTS; ++input)
        if (quartic_tape_wants(tape, input)) attrs.wants |= QUARTIC_HYPER_WANT_PARAMETERS;
    if (attrs.wants == 0) return QUARTIC_OK;
    quartic_value inputs[HYPER_WIDTH_GRAD_INPUTS] = {0}, outputs[HYPER_WIDTH_INPUTS];
    for (uint32_t input = HYPER_X; input < HYPER_WIDTH_INPUTS; ++input)
        inputs[input] = quartic_tape_input(tape, input);
    inputs[HYPER_SAVED_LOGITS] = quartic_tape_output(tape, HYPER_LOGITS);
    inputs[HYPER_BRANCH_GRADIENT] = quartic_tape_gradient(tape, HYPER_BRANCH);
    inputs[HYPER_BETA_GRADIENT] = quartic_tape_gradient(tape, HYPER_BETA);
    if (attrs.mixes) inputs[HYPER_KEPT_GRADIENT] = quartic_tape_gradient(tape, HYPER_KEPT);
    const uint32_t first = attrs.wants & QUARTIC_HYPER_WANT_X ? 1 : 0;
    const uint32_t count =
        first + (attrs.wants & QUARTIC_HYPER_WANT_PARAMETERS ? HYPER_WIDTH_INPUTS - HYPER_GAMMA : 0);
    QUARTIC_TRY(quartic_graph_append(quartic_tape_graph(tape), &quartic_op_hyper_width_grad, &attrs, inputs,
                                     HYPER_WIDTH_GRAD_INPUTS, outputs, count));
    if (first != 0) quartic_tape_give(tape, HYPER_X, outputs[0]);
    for (uint32_t k = first; k < count; ++k)
        if (quartic_tape_wants(tape, HYPER_GAMMA + k - first))
            quartic_tape_give(tape, HYPER_GAMMA + k - first, outputs[k]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

static const struct hyper_case {
    const char *label;
    uint32_t b, n, streams, dim;
    bool mixes, equal;
    quartic_fill_kind fill;
} hyper_cases[] = {
    {"two streams", 2, 5, 2, 6, true, false, QUARTIC_FILL_NORMAL},
    {"streams that stay as they are", 1, 7, 3, 9, false, false, QUARTIC_FILL_NORMAL},
    {"equal streams", 2, 3, 4, 7, true, true, QUARTIC_FILL_NORMAL},
    {"equal streams that stay", 1, 9, 2, 33, false, true, QUARTIC_FILL_NORMAL},
    {"one stream of one element", 1, 3, 1, 1, true, false, QUARTIC_FILL_POSITIVE},
    {"four wide streams", 1, 5, 4, 150, true, false, QUARTIC_FILL_NORMAL},
    {"many tokens", 3, 67, 3, 4, true, false, QUARTIC_FILL_NORMAL},
    {"five streams, odd width", 1, 6, 5, 261, true, false, QUARTIC_FILL_NORMAL},
    {"17 streams, of which not all fit in registers", 2, 5, 17, 21, true, false, QUARTIC_FILL_NORMAL},
    {"30 equal streams that stay", 2, 7, 30, 33, false, true, QUARTIC_FILL_NORMAL},
    {"64 streams", 1, 2, 64, 10, true, false, QUARTIC_FILL_NORMAL},
    {"64 equal streams", 1, 3, 64, 5, true, true, QUARTIC_FILL_NORMAL},
    {"huge numbers", 1, 3, 2, 9, true, false, QUARTIC_FILL_HUGE},
    {"huge equal streams", 1, 3, 2, 9, true, true, QUARTIC_FILL_HUGE},
    {"tiny equal streams", 1, 3, 2, 9, true, true, QUARTIC_FILL_TINY},
    {"streams of zeros", 1, 3, 2, 9, true, false, QUARTIC_FILL_ZERO},
};
enum { HYPER_CASES = QUARTIC_CASES(hyper_cases) };

static void fill_hyper_case(const struct hyper_case *c, quartic_op_case *out) {
    *out = (quartic_op_case){.label = c->label,
                             .input_count = HYPER_WIDTH_INPUTS,
                             .no_finite_difference =
                                 c->fill != QUARTIC_FILL_NORMAL && c->fill != QUARTIC_FILL_POSITIVE};
    *(hyper_width_attrs *)out->attrs =
        (hyper_width_attrs){.mixes = c->mixes,
                            .equal = c->equal,
                            .wants = QUARTIC_HYPER_WANT_X | QUARTIC_HYPER_WANT_PARAMETERS,
                            .eps = 1e-5f};
    quartic_case_floats(out, HYPER_X,
                        c->equal ? QUARTIC_SHAPE(c->b, c->n, c->dim)
                                 : QUARTIC_SHAPE(c->b, c->n, c->streams, c->dim),
                        c->fill);
    quartic_case_floats(out, HYPER_GAMMA, QUARTIC_SHAPE(c->dim), QUARTIC_FILL_SMALL);
    quartic_case_floats(out, HYPER_STATIC_ALPHA, QUARTIC_SHAPE(c->streams, c->streams + 1),
                        QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, HYPER_ALPHA_FN, QUARTIC_SHAPE(c->dim, c->streams + 1), QUARTIC_FILL_SMALL);
    quartic_case_floats(out, HYPER_ALPHA_SCALE, (quartic_shape){0}, QUARTIC_FILL_SMALL);
    quartic_case_floats(out, HYPER_STATIC_BETA, QUARTIC_SHAPE(c->streams), QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, HYPER_BETA_FN, QUARTIC_SHAPE(c->dim), QUARTIC_FILL_SMALL);
    quartic_case_floats(out, HYPER_BETA_SCALE, (quartic_shape){0}, QUARTIC_FILL_SMALL);
}

static bool hyper_width_cases(uint32_t index, quartic_op_case *out) {
    if (index >= HYPER_CASES) return false;
    fill_hyper_case(&hyper_cases[index], out);
    return true;
}

/* The same operands; then gradients that are not wanted, and ones that are zero. */
static bool hyper_width_grad_cases(uint32_t index, quartic_op_case *out) {
    enum { X_ALONE = HYPER_CASES, PARAMETERS_ALONE, NO_BRANCH, NO_BETA, NO_KEPT, ALL_CASES };
    if (index >= ALL_CASES) return false;
    const struct hyper_case *c = &hyper_cases[index < HYPER_CASES ? index : 0];
    fill_hyper_case(c, out);
    hyper_width_attrs *attrs = (hyper_width_attrs *)out->attrs;
    out->input_count = HYPER_WIDTH_GRAD_INPUTS;
    quartic_case_floats(out, HYPER_SAVED_LOGITS,
                        QUARTIC_SHAPE(c->b, c->n, c->equal ? 1 : c->streams, c->streams + 2),
                        QUARTIC_FILL_NORMAL);
    if (index != NO_BRANCH)
        quartic_case_floats(out, HYPER_BRANCH_GRADIENT, QUARTIC_SHAPE(c->b, c->n, c->dim),
                            QUARTIC_FILL_NORMAL);
    if (index != NO_BETA)
        quartic_case_floats(out, HYPER_BETA_GRADIENT, QUARTIC_SHAPE(c->b, c->n, c->streams),
                            QUARTIC_FILL_NORMAL);
    if (c->mixes && index != NO_KEPT)
        quartic_case_floats(out, HYPER_KEPT_GRADIENT, QUARTIC_SHAPE(c->b, c->n, c->streams, c->dim),
                            QUARTIC_FILL_NORMAL);
    if (index >= HYPER_CASES) out->label = "some gradients only";
    if (index == X_ALONE) attrs->wants = QUARTIC_HYPER_WANT_X;
    if (index == PARAMETERS_ALONE) attrs->wants = QUARTIC_HYPER_WANT_PARAMETERS;
    return true;
}

/* ---- the ops ---- */

static double hyper_width_flops(const quartic_op_call *call) {
    const hyper_width_attrs *attrs = call->attrs;
    const hyper_width_extents e =
        hyper_width_extents_of(attrs, &call->inputs[HYPER_X], &call->inputs[HYPER_STATIC_BETA]);
    const double mixed = attrs->mixes ? e.streams + 1.0 : 1.0;
    return (double)e.tokens * e.rows * e.dim * (2.0 * (e.sums + mixed) + 4.0);
}

static double hyper_width_grad_flops(const quartic_op_call *call) {
    return 3.0 * hyper_width_flops(call);
}

static double hyper_width_reduction(const quartic_op_call *call) {
    return call->inputs[HYPER_GAMMA].shape.dims[0];
}

static double hyper_width_grad_reduction(const quartic_op_call *call) {
    const quartic_layout *x = &call->inputs[HYPER_X];
    return hyper_width_reduction(call) +
           (double)quartic_layout_elements(x) / x->shape.dims[x->shape.rank - 1];
}

const quartic_op quartic_op_hyper_width = {
    .name = "hyper_width",
    .attrs_bytes = sizeof(hyper_width_attrs),
    .saved_outputs = 1u << HYPER_LOGITS,
    .infer = hyper_width_infer,
    .cpu = hyper_width_cpu,
    .cpu_scratch = hyper_width_cpu_scratch,
    .gpu = hyper_width_gpu,
    .grad = hyper_width_tape,
    .cases = hyper_width_cases,
    .flops = hyper_width_flops,
    .tolerance = 8,
    .tolerance_reason = "a norm, a sum over the row, tanh, and a sum over the streams",
    .reduction = hyper_width_reduction,
};

const quartic_op quartic_op_hyper_width_grad = {
    .name = "hyper_width_grad",
    .attrs_bytes = sizeof(hyper_width_attrs),
    .in_place_inputs = 1u << HYPER_X,
    .infer = hyper_width_grad_infer,
    .cpu = hyper_width_grad_cpu,
    .cpu_scratch = hyper_width_grad_cpu_scratch,
    .gpu = hyper_width_grad_gpu,
    .cases = hyper_width_grad_cases,
    .flops = hyper_width_grad_flops,
    .tolerance = 16,
    .tolerance_reason = "sums over the row, the streams and all tokens in a row, whose terms cancel in part",
    .reduction = hyper_width_grad_reduction,
};

void quartic_hyper_width(quartic_graph *graph, const quartic_value *inputs, bool mixes, bool equal, float eps,
                         quartic_value *outputs) {
    const hyper_width_attrs attrs = {.mixes = mixes, .equal = equal, .eps = eps};
    for (uint32_t k = 0; k < HYPER_WIDTH_OUTPUTS; ++k) outputs[k] = (quartic_value){0};
    quartic_graph_append(graph, &quartic_op_hyper_width, &attrs, inputs, HYPER_WIDTH_INPUTS, outputs,
                         mixes ? HYPER_WIDTH_OUTPUTS : HYPER_KEPT);
}
