/* hyper_depth.c: the depth connection of a hyper-connection: y_t = kept_t + beta_t branch, t < S.
 *
 * kept (b, n, S, D), or (b, n, D) where all streams pass the branch as the same; beta (b, n, S); branch (b,
 * n, D). Adjoint: dkept_t = dy_t (their sum where kept is one), dbeta_t = dy_t . branch, dbranch = sum_t
 * beta_t dy_t. Outputs of the adjoint: the wanted ones of dkept (b, n, D), dbeta, dbranch.
 */
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/gpu_plan.h"
#include "ops/hyper/hyper.h"
#include "ops/rows.h"
#include "shaders/hyper_depth.args.h"
#include "shaders/hyper_depth_grad.args.h"

/* ---- shape rules ---- */

/* Operands that both ops have: beta and branch at the given inputs, against the shape (b, n, S, D). */
static quartic_status check_hyper_branch(const char *name, const quartic_op_call *call, uint32_t beta,
                                         uint32_t branch) {
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, beta, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, branch, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank(name, call, beta, 3));
    QUARTIC_TRY(quartic_op_expect_rank(name, call, branch, 3));
    const quartic_shape *b = &call->inputs[beta].shape, *x = &call->inputs[branch].shape;
    QUARTIC_TRY(
        quartic_op_expect_shape(name, call, beta, &QUARTIC_SHAPE(x->dims[0], x->dims[1], b->dims[2])));
    if (b->dims[2] < 1 || b->dims[2] > QUARTIC_HYPER_MOST_STREAMS || quartic_shape_elements(x) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s takes 1 to %d residual streams with at least one element, not %u", name,
                            QUARTIC_HYPER_MOST_STREAMS, b->dims[2]);
    return QUARTIC_OK;
}

static quartic_shape hyper_streams_shape(const quartic_layout *beta, const quartic_layout *branch) {
    const uint32_t *x = branch->shape.dims;
    return QUARTIC_SHAPE(x[0], x[1], beta->shape.dims[2], x[2]);
}

static quartic_status hyper_depth_infer(const quartic_op_call *call, quartic_layout *out,
                                        uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("hyper_depth", call, HYPER_DEPTH_INPUTS, HYPER_DEPTH_INPUTS));
    QUARTIC_TRY(check_hyper_branch("hyper_depth", call, HYPER_DEPTH_BETA, HYPER_DEPTH_BRANCH));
    QUARTIC_TRY(quartic_op_expect_dtype("hyper_depth", call, HYPER_DEPTH_KEPT, QUARTIC_FLOAT32));
    const quartic_shape y =
        hyper_streams_shape(&call->inputs[HYPER_DEPTH_BETA], &call->inputs[HYPER_DEPTH_BRANCH]);
    const bool equal = call->inputs[HYPER_DEPTH_KEPT].shape.rank == 3;
    QUARTIC_TRY(quartic_op_expect_shape("hyper_depth", call, HYPER_DEPTH_KEPT,
                                        equal ? &call->inputs[HYPER_DEPTH_BRANCH].shape : &y));
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &y);
    *out_count = 1;
    return QUARTIC_OK;
}

static quartic_status hyper_depth_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                             uint32_t *out_count) {
    const hyper_depth_attrs *attrs = call->attrs;
    const char *name = "hyper_depth_grad";
    QUARTIC_TRY(quartic_op_expect_inputs(name, call, HYPER_DEPTH_GRAD_INPUTS, HYPER_DEPTH_GRAD_INPUTS));
    QUARTIC_TRY(check_hyper_branch(name, call, HYPER_DEPTH_GRAD_BETA, HYPER_DEPTH_GRAD_BRANCH));
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, HYPER_DEPTH_DY, QUARTIC_FLOAT32));
    const quartic_layout *beta = &call->inputs[HYPER_DEPTH_GRAD_BETA];
    const quartic_layout *branch = &call->inputs[HYPER_DEPTH_GRAD_BRANCH];
    const quartic_shape dy = hyper_streams_shape(beta, branch);
    QUARTIC_TRY(quartic_op_expect_shape(name, call, HYPER_DEPTH_DY, &dy));
    uint32_t count = 0;
    if (attrs->wants & QUARTIC_HYPER_WANT_KEPT)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &branch->shape);
    if (attrs->wants & QUARTIC_HYPER_WANT_BETA)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &beta->shape);
    if (attrs->wants & QUARTIC_HYPER_WANT_BRANCH)
        out[count++] = quartic_layout_contiguous(QUARTIC_FLOAT32, &branch->shape);
    *out_count = count;
    return QUARTIC_OK;
}

/* ---- reference ---- */

typedef struct hyper_depth_extents {
    uint64_t tokens;
    uint32_t streams, dim;
} hyper_depth_extents;

static hyper_depth_extents hyper_depth_extents_of(const quartic_layout *beta, const quartic_layout *branch) {
    const uint32_t *x = branch->shape.dims;
    return (hyper_depth_extents){(uint64_t)x[0] * x[1], beta->shape.dims[2], x[2]};
}

static void hyper_depth_cpu(const quartic_op_run *run) {
    const quartic_operand *kept = &run->inputs[HYPER_DEPTH_KEPT], *beta = &run->inputs[HYPER_DEPTH_BETA],
                          *branch = &run->inputs[HYPER_DEPTH_BRANCH];
    const hyper_depth_extents e = hyper_depth_extents_of(beta->layout, branch->layout);
    const bool equal = kept->layout->shape.rank == 3;
    for (uint64_t token = 0; token < e.tokens; ++token)
        for (uint32_t t = 0; t < e.streams; ++t)
            for (uint32_t d = 0; d < e.dim; ++d) {
                const uint64_t row = token * e.streams + t;
                const int64_t at = (int64_t)(row * e.dim + d), x = (int64_t)(token * e.dim + d);
                quartic_put(&run->outputs[0], at,
                            quartic_get(kept, equal ? x : at) +
                                quartic_get(beta, (int64_t)row) * quartic_get(branch, x));
            }
}

static void hyper_depth_grad_cpu(const quartic_op_run *run) {
    const hyper_depth_attrs *attrs = run->attrs;
    const quartic_operand *dy = &run->inputs[HYPER_DEPTH_DY], *beta = &run->inputs[HYPER_DEPTH_GRAD_BETA],
                          *branch = &run->inputs[HYPER_DEPTH_GRAD_BRANCH];
    const hyper_depth_extents e = hyper_depth_extents_of(beta->layout, branch->layout);
    for (uint64_t token = 0; token < e.tokens; ++token) {
        for (uint32_t t = 0; attrs->wants & QUARTIC_HYPER_WANT_BETA && t < e.streams; ++t) {
            const int64_t row = (int64_t)(token * e.streams + t);
            double sum = 0;
            for (uint32_t d = 0; d < e.dim; ++d)
                sum += quartic_get(dy, row * e.dim + d) * quartic_get(branch, (int64_t)(token * e.dim + d));
            quartic_put(&run->outputs[hyper_depth_output(attrs->wants, QUARTIC_HYPER_WANT_BETA)], row, sum);
        }
        for (uint32_t d = 0; d < e.dim; ++d) {
            const int64_t x = (int64_t)(token * e.dim + d);
            double dkept = 0, dbranch = 0;
            for (uint32_t t = 0; t < e.streams; ++t) {
                const int64_t row = (int64_t)(token * e.streams + t);
                const double given = quartic_get(dy, row * e.dim + d);
                dkept += given;
                dbranch += quartic_get(beta, row) * given;
            }
            if (attrs->wants & QUARTIC_HYPER_WANT_KEPT) quartic_put(&run->outputs[0], x, dkept);
            if (attrs->wants & QUARTIC_HYPER_WANT_BRANCH)
                quartic_put(&run->outputs[hyper_depth_output(attrs->wants, QUARTIC_HYPER_WANT_BRANCH)], x,
                            dbranch);
        }
    }
}

/* ---- Vulkan ---- */

static quartic_status hyper_depth_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                      quartic_dispatch_list *list) {
    (void)limits;
    const hyper_depth_extents e =
        hyper_depth_extents_of(&call->inputs[HYPER_DEPTH_BETA], &call->inputs[HYPER_DEPTH_BRANCH]);
    const uint64_t count = e.tokens * e.dim;
    const quartic_hyper_depth_args args = {.count = (uint32_t)count, .dim = e.dim};
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(e.streams, call->inputs[HYPER_DEPTH_KEPT].shape.rank == 3),
        .groups = quartic_divide_up64(count, QUARTIC_ROWS_INVOCATIONS),
        .flops = 2.0 * (double)count * e.streams, .bytes = (double)count * (8.0 * e.streams + 4.0)};
    return quartic_dispatch_append(list, "hyper_depth", quartic_hyper_depth_push(&args), &shape);
}

static quartic_status hyper_depth_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                           quartic_dispatch_list *list) {
    const hyper_depth_attrs *attrs = call->attrs;
    const uint32_t wants = attrs->wants;
    const hyper_depth_extents e =
        hyper_depth_extents_of(&call->inputs[HYPER_DEPTH_GRAD_BETA], &call->inputs[HYPER_DEPTH_GRAD_BRANCH]);
    uint32_t lanes = quartic_rows_lanes(e.dim);
    while (lanes > 1 && lanes * e.streams > QUARTIC_ROWS_INVOCATIONS) lanes /= 2;
    const uint32_t tokens = QUARTIC_ROWS_INVOCATIONS / lanes / e.streams;
    QUARTIC_TRY(quartic_gpu_expect_iterations(
        "hyper_depth_grad", limits,
        (double)e.dim / lanes + 1 +
            ((double)e.dim / (QUARTIC_ROWS_INVOCATIONS / tokens) + 1) * (e.streams + 1.0) + 32));
    const quartic_hyper_depth_grad_args args = {
        .dkept = wants & QUARTIC_HYPER_WANT_KEPT ? quartic_dispatch_output(0) : 0,
        .dbeta = wants & QUARTIC_HYPER_WANT_BETA
                     ? quartic_dispatch_output(hyper_depth_output(wants, QUARTIC_HYPER_WANT_BETA))
                     : 0,
        .dbranch = wants & QUARTIC_HYPER_WANT_BRANCH
                       ? quartic_dispatch_output(hyper_depth_output(wants, QUARTIC_HYPER_WANT_BRANCH))
                       : 0,
        .tokens = (uint32_t)e.tokens,
        .dim = e.dim};
    const double elements = (double)e.tokens * e.dim;
    const quartic_dispatch_shape shape = {
        QUARTIC_SPEC(lanes, e.streams, wants), .groups = quartic_divide_up64(e.tokens, tokens),
        .flops = 5.0 * elements * e.streams, .bytes = 4.0 * elements * (e.streams + 2.0)};
    return quartic_dispatch_append(list, "hyper_depth_grad", quartic_hyper_depth_grad_push(&args), &shape);
}

/* ---- gradient ---- */

static quartic_status hyper_depth_tape(quartic_tape *tape) {
    static const uint32_t inputs_of[] = {HYPER_DEPTH_KEPT, HYPER_DEPTH_BETA, HYPER_DEPTH_BRANCH};
    const quartic_value dy = quartic_tape_gradient(tape, 0);
    const quartic_layout kept = quartic_tape_input_layout(tape, HYPER_DEPTH_KEPT);
    const bool equal = kept.shape.rank == 3;
    hyper_depth_attrs attrs = {0};
    uint32_t count = 0;
    for (uint32_t input = 0; input < HYPER_DEPTH_INPUTS; ++input)
        if (quartic_tape_wants(tape, input) && (input != HYPER_DEPTH_KEPT || equal))
            attrs.wants |= 1u << input, ++count;
    if (!equal && quartic_tape_wants(tape, HYPER_DEPTH_KEPT)) quartic_tape_give(tape, HYPER_DEPTH_KEPT, dy);
    if (count == 0) return QUARTIC_OK;
    const quartic_value operands[] = {dy, quartic_tape_input(tape, HYPER_DEPTH_BETA),
                                      quartic_tape_input(tape, HYPER_DEPTH_BRANCH)};
    quartic_value gradients[HYPER_DEPTH_INPUTS];
    QUARTIC_TRY(quartic_graph_append(quartic_tape_graph(tape), &quartic_op_hyper_depth_grad, &attrs, operands,
                                     HYPER_DEPTH_GRAD_INPUTS, gradients, count));
    for (uint32_t k = 0; k < HYPER_DEPTH_INPUTS; ++k)
        if (attrs.wants >> k & 1u)
            quartic_tape_give(tape, inputs_of[k], gradients[hyper_depth_output(attrs.wants, 1u << k)]);
    return QUARTIC_OK;
}

/* ---- cases ---- */

static const struct hyper_depth_case {
    const char *label;
    uint32_t b, n, streams, dim;
    bool equal;
} hyper_depth_shapes[] = {
    {"two streams", 2, 5, 2, 6, false},      {"equal streams", 1, 7, 3, 9, true},
    {"one element", 1, 1, 1, 1, false},      {"four wide streams", 1, 5, 4, 301, false},
    {"many tokens", 3, 67, 3, 4, false},     {"64 streams", 1, 3, 64, 10, false},
    {"64 equal streams", 2, 3, 64, 5, true},
};
enum { HYPER_DEPTH_CASES = QUARTIC_CASES(hyper_depth_shapes) };

static bool hyper_depth_cases(uint32_t index, quartic_op_case *out) {
    if (index >= HYPER_DEPTH_CASES) return false;
    const struct hyper_depth_case *c = &hyper_depth_shapes[index];
    *out = (quartic_op_case){.label = c->label, .input_count = HYPER_DEPTH_INPUTS};
    quartic_case_floats(out, HYPER_DEPTH_KEPT,
                        c->equal ? QUARTIC_SHAPE(c->b, c->n, c->dim)
                                 : QUARTIC_SHAPE(c->b, c->n, c->streams, c->dim),
                        QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, HYPER_DEPTH_BETA, QUARTIC_SHAPE(c->b, c->n, c->streams), QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, HYPER_DEPTH_BRANCH, QUARTIC_SHAPE(c->b, c->n, c->dim), QUARTIC_FILL_NORMAL);
    return true;
}

/* The shapes with everything wanted, then every subset. */
static bool hyper_depth_grad_cases(uint32_t index, quartic_op_case *out) {
    const uint32_t all = QUARTIC_HYPER_WANT_KEPT | QUARTIC_HYPER_WANT_BETA | QUARTIC_HYPER_WANT_BRANCH;
    if (index >= HYPER_DEPTH_CASES + all - 1) return false;
    const struct hyper_depth_case *c = &hyper_depth_shapes[index < HYPER_DEPTH_CASES ? index : 0];
    *out = (quartic_op_case){.label = index < HYPER_DEPTH_CASES ? c->label : "some gradients only",
                             .input_count = HYPER_DEPTH_GRAD_INPUTS};
    *(hyper_depth_attrs *)out->attrs =
        (hyper_depth_attrs){index < HYPER_DEPTH_CASES ? all : index - HYPER_DEPTH_CASES + 1};
    quartic_case_floats(out, HYPER_DEPTH_DY, QUARTIC_SHAPE(c->b, c->n, c->streams, c->dim),
                        QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, HYPER_DEPTH_GRAD_BETA, QUARTIC_SHAPE(c->b, c->n, c->streams),
                        QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, HYPER_DEPTH_GRAD_BRANCH, QUARTIC_SHAPE(c->b, c->n, c->dim), QUARTIC_FILL_NORMAL);
    return true;
}

/* ---- the ops ---- */

static double hyper_depth_flops(const quartic_op_call *call) {
    return 2.0 * (double)quartic_layout_elements(&call->outputs[0]);
}

static double hyper_depth_grad_flops(const quartic_op_call *call) {
    return 5.0 * (double)quartic_layout_elements(&call->inputs[HYPER_DEPTH_DY]);
}

static double hyper_depth_grad_reduction(const quartic_op_call *call) {
    const uint32_t *dy = call->inputs[HYPER_DEPTH_DY].shape.dims;
    return dy[2] > dy[3] ? dy[2] : dy[3];
}

const quartic_op quartic_op_hyper_depth = {
    .name = "hyper_depth",
    .in_place_inputs = 1u << HYPER_DEPTH_KEPT,
    .infer = hyper_depth_infer,
    .cpu = hyper_depth_cpu,
    .gpu = hyper_depth_gpu,
    .grad = hyper_depth_tape,
    .cases = hyper_depth_cases,
    .flops = hyper_depth_flops,
    .tolerance = 2,
    .tolerance_reason = "a product and a sum",
};

const quartic_op quartic_op_hyper_depth_grad = {
    .name = "hyper_depth_grad",
    .attrs_bytes = sizeof(hyper_depth_attrs),
    .infer = hyper_depth_grad_infer,
    .cpu = hyper_depth_grad_cpu,
    .gpu = hyper_depth_grad_gpu,
    .cases = hyper_depth_grad_cases,
    .flops = hyper_depth_grad_flops,
    .tolerance = 4,
    .tolerance_reason = "sums of products over the row and over the streams",
    .reduction = hyper_depth_grad_reduction,
};

quartic_value quartic_hyper_depth(quartic_graph *graph, quartic_value kept, quartic_value beta,
                                  quartic_value branch) {
    const quartic_value inputs[] = {kept, beta, branch};
    return quartic_graph_append_one(graph, &quartic_op_hyper_depth, NULL, inputs, HYPER_DEPTH_INPUTS);
}
