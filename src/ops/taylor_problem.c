/* taylor_problem.c: geometry, visibility and cost of Taylor attention. See taylor_problem.h.
 */
#include "ops/taylor_problem.h"

#include <math.h>

static quartic_taylor_strides taylor_strides_of(const quartic_layout *layout, uint32_t axis) {
    return (quartic_taylor_strides){.batch = layout->strides[0],
                                    .other = layout->strides[3 - axis],
                                    .position = layout->strides[axis],
                                    .head = layout->strides[3],
                                    .component = layout->shape.rank == 5 ? layout->strides[4] : 1};
}

static uint32_t taylor_feature_count(uint32_t d) {
    return (uint32_t)((uint64_t)(d + 1) * (d + 2) / 2);
}

/* Operations of one token in one unit that sees m keys: a pair costs a score, its weight, and the sums of dv
 * values and of z. */
static double taylor_quadratic_cost(double m, uint32_t d, uint32_t dv) {
    return m * (2.0 * d + 3.0 + 2.0 * (dv + 1.0));
}

/* A feature is formed, then summed with a value row into the state, and again with a state row into out. */
static double taylor_linear_cost(uint32_t d, uint32_t dv) {
    return (double)taylor_feature_count(d) * (2.0 + 4.0 * (dv + 1.0));
}

/* The linear form writes features and reads them again, where the quadratic form keeps weights in registers.
 * With d = dv = 16 the tuned kernels take as long for both forms, forward and backward together, at m = 264;
 * there the quadratic form has 1.7 times the operations of the linear one. */
static const double linear_slowness = 1.7;

uint32_t quartic_taylor_form(uint32_t m, uint32_t d, uint32_t dv) {
    return taylor_quadratic_cost(m, d, dv) <= linear_slowness * taylor_linear_cost(d, dv)
               ? QUARTIC_TAYLOR_QUADRATIC
               : QUARTIC_TAYLOR_LINEAR;
}

/* Keys that a query sees on average, before masks. */
static double taylor_mean_keys(const quartic_taylor_problem *problem) {
    const double span = problem->span, whole = problem->tokens / problem->span; /* blocks without the rest */
    const double rest = problem->tokens - whole * span;
    return (span * span * whole * (whole + 1) / 2 + rest * problem->tokens) / problem->tokens;
}

static uint32_t taylor_form_by_cost(const quartic_taylor_problem *problem) {
    const uint32_t d = problem->d, dv = problem->dv, span = problem->span;
    if (!quartic_taylor_blocked(problem)) return quartic_taylor_form(problem->tokens, d, dv);
    /* The tuned kernels take 32 tokens of a block at once, even where the block has fewer. */
    const double lanes = 32, used = span / (lanes * ceil(span / lanes));
    /* A device holds the states of all blocks at once. */
    const double state_floats = (double)problem->features * (dv + 1.0), most_states = 16;
    if (state_floats > most_states * (d + dv) * span) return QUARTIC_TAYLOR_QUADRATIC;
    return taylor_quadratic_cost(taylor_mean_keys(problem), d, dv) <=
                   linear_slowness * taylor_linear_cost(d, dv) / used
               ? QUARTIC_TAYLOR_QUADRATIC
               : QUARTIC_TAYLOR_LINEAR;
}

quartic_taylor_problem quartic_taylor_problem_of(const void *attrs, const quartic_layout *q,
                                                 const quartic_layout *k, const quartic_layout *v,
                                                 const quartic_layout *mask) {
    const quartic_taylor_options *options = attrs;
    const uint32_t axis = options->axis;
    const quartic_layout value = quartic_layout_contiguous(QUARTIC_FLOAT32, &v->shape);
    const quartic_layout key = quartic_layout_contiguous(QUARTIC_FLOAT32, &q->shape);
    quartic_shape z_shape = q->shape;
    z_shape.rank = 4;
    const quartic_layout z = quartic_layout_contiguous(QUARTIC_FLOAT32, &z_shape);
    quartic_taylor_problem problem = {
        .batch = q->shape.dims[0],
        .others = q->shape.dims[3 - axis],
        .tokens = q->shape.dims[axis],
        .span = q->shape.dims[axis],
        .heads = q->shape.dims[3],
        .d = q->shape.dims[4],
        .dv = v->shape.dims[4],
        .features = taylor_feature_count(q->shape.dims[4]),
        .form = options->form,
        .axis = axis,
        .masked = mask != NULL && quartic_is_present(mask),
        .pair = options->pair_mask != 0,
        .causal = options->causal != 0,
        .q = taylor_strides_of(q, axis),
        .k = taylor_strides_of(k, axis),
        .v = taylor_strides_of(v, axis),
        .value = taylor_strides_of(&value, axis),
        .key = taylor_strides_of(&key, axis),
        .z = taylor_strides_of(&z, axis),
    };
    if (options->block != 0 && options->block < problem.tokens) problem.span = options->block;
    if (problem.form == 0) problem.form = taylor_form_by_cost(&problem);
    return problem;
}

quartic_taylor_problem quartic_taylor_problem_of_call(const quartic_op_call *call) {
    const quartic_layout *in = call->inputs;
    return quartic_taylor_problem_of(
        call->attrs, &in[QUARTIC_TAYLOR_Q], &in[QUARTIC_TAYLOR_K], &in[QUARTIC_TAYLOR_V],
        call->input_count > QUARTIC_TAYLOR_MASK ? &in[QUARTIC_TAYLOR_MASK] : NULL);
}

quartic_taylor_problem quartic_taylor_problem_of_run(const quartic_op_run *run) {
    const quartic_operand *in = run->inputs;
    const bool masked = run->input_count > QUARTIC_TAYLOR_MASK && in[QUARTIC_TAYLOR_MASK].data != NULL;
    return quartic_taylor_problem_of(run->attrs, in[QUARTIC_TAYLOR_Q].layout, in[QUARTIC_TAYLOR_K].layout,
                                     in[QUARTIC_TAYLOR_V].layout,
                                     masked ? in[QUARTIC_TAYLOR_MASK].layout : NULL);
}

double quartic_taylor_pairs(const quartic_taylor_problem *problem) {
    return (double)quartic_taylor_units(problem) * problem->tokens * taylor_mean_keys(problem);
}

double quartic_taylor_flops(const quartic_taylor_problem *problem, bool backward) {
    const double tokens = (double)quartic_taylor_units(problem) * problem->tokens;
    const double d = problem->d, dv = problem->dv;
    if (!backward)
        return tokens * (problem->form == QUARTIC_TAYLOR_QUADRATIC
                             ? taylor_quadratic_cost(taylor_mean_keys(problem), problem->d, problem->dv)
                             : taylor_linear_cost(problem->d, problem->dv));
    /* Quadratic: products q k, a v for the pair, three sums dq, dk, dv. Linear: two states, then the products
     * with them and the two-term rule of each feature for queries and keys. */
    if (problem->form == QUARTIC_TAYLOR_QUADRATIC)
        return tokens * taylor_mean_keys(problem) * (6.0 * d + 4.0 * dv + 8.0);
    return tokens * problem->features * (10.0 * (dv + 1.0) + 10.0);
}

uint32_t quartic_taylor_key_end(const quartic_taylor_problem *problem, const int32_t *mask, uint32_t b,
                                uint32_t other) {
    if (problem->masked && problem->pair && mask[(uint64_t)b * problem->others + other] == 0) return 0;
    return problem->causal && other < problem->tokens ? other + 1 : problem->tokens;
}

bool quartic_taylor_visible(const quartic_taylor_problem *problem, const int32_t *mask, uint32_t b,
                            uint32_t other, uint32_t position) {
    if (!problem->masked) return true;
    if (problem->pair) return mask[(uint64_t)b * problem->tokens + position] != 0;
    const uint64_t along = problem->axis == 2 ? (uint64_t)other * problem->tokens + position
                                              : (uint64_t)position * problem->others + other;
    return mask[(uint64_t)b * problem->others * problem->tokens + along] != 0;
}
