/* hyper_plan_test.c: what the ops of hyper-connections refuse, how few dispatches they plan, and that those
 * fit devices with 16 KiB of shared memory and cover all tokens.
 */
#include "expect.h"

#include "ops/hyper/hyper.h"
#include "shaders/hyper_width_grad.args.h"

static const quartic_gpu_limits limits = {
    .max_shared_bytes = 16384, .max_invocations = 256, .subgroup_size = 32, .compute_units = 100};
/* Of lib/reduce.glsl, which the shaders include: 256 + 128 floats, and as many pairs. */
enum { REDUCE_BYTES = 3 * 384 * 4 };

typedef struct planned {
    quartic_op_case operands;
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    quartic_op_call call;
    quartic_dispatch_list list;
} planned;

static planned p;

/* Infers and plans p.operands. */
static quartic_status hyper_plan_with(const quartic_op *op, const quartic_gpu_limits *of) {
    for (uint32_t k = 0; k < p.operands.input_count; ++k) {
        p.inputs[k] = (quartic_layout){0};
        if (p.operands.inputs[k].dtype != QUARTIC_NO_DTYPE)
            p.inputs[k] = quartic_layout_contiguous(QUARTIC_FLOAT32, &p.operands.inputs[k].shape);
    }
    p.call = (quartic_op_call){p.operands.attrs, p.operands.input_count, 0, p.inputs, p.outputs};
    p.list = (quartic_dispatch_list){0};
    QUARTIC_TRY(op->infer(&p.call, p.outputs, &p.call.output_count));
    return op->gpu(&p.call, of, &p.list);
}

/* Case 0 of an op with other sizes. */
static void hyper_plan_set_sizes(const quartic_op *op, uint32_t n, uint32_t streams, uint32_t dim,
                                 bool equal) {
    assert_true(op->cases(0, &p.operands));
    ((hyper_width_attrs *)p.operands.attrs)->equal = equal;
    const quartic_shape x = equal ? QUARTIC_SHAPE(1, n, dim) : QUARTIC_SHAPE(1, n, streams, dim);
    p.operands.inputs[HYPER_X].shape = x;
    p.operands.inputs[HYPER_GAMMA].shape = p.operands.inputs[HYPER_BETA_FN].shape = QUARTIC_SHAPE(dim);
    p.operands.inputs[HYPER_STATIC_ALPHA].shape = QUARTIC_SHAPE(streams, streams + 1);
    p.operands.inputs[HYPER_ALPHA_FN].shape = QUARTIC_SHAPE(dim, streams + 1);
    p.operands.inputs[HYPER_STATIC_BETA].shape = QUARTIC_SHAPE(streams);
    p.operands.inputs[HYPER_SAVED_LOGITS].shape = QUARTIC_SHAPE(1, n, equal ? 1 : streams, streams + 2);
    p.operands.inputs[HYPER_BRANCH_GRADIENT].shape = QUARTIC_SHAPE(1, n, dim);
    p.operands.inputs[HYPER_BETA_GRADIENT].shape = QUARTIC_SHAPE(1, n, streams);
    p.operands.inputs[HYPER_KEPT_GRADIENT].shape = QUARTIC_SHAPE(1, n, streams, dim);
}

static void a_connection_takes_few_dispatches(void **state) {
    (void)state;
    static const struct {
        const quartic_op *op;
        uint32_t most;
    } ops[] = {{&quartic_op_hyper_width, 1},
               {&quartic_op_hyper_width_grad, 2},
               {&quartic_op_hyper_depth, 1},
               {&quartic_op_hyper_depth_grad, 1}};
    for (size_t o = 0; o < sizeof ops / sizeof ops[0]; ++o)
        for (uint32_t c = 0; ops[o].op->cases(c, &p.operands); ++c) {
            assert_int_equal(hyper_plan_with(ops[o].op, &limits), QUARTIC_OK);
            assert_in_range(p.list.count, 1, ops[o].most);
        }
}

static void plans_fit_and_cover_all_tokens(void **state) {
    (void)state;
    static const uint32_t streams[] = {1, 2, 3, 4, 5, 7, 16, 33, 64}, dims[] = {1, 5, 64, 512, 4097},
                          tokens[] = {1, 7, 128, 5000};
    for (uint32_t s = 0; s < sizeof streams / sizeof streams[0]; ++s)
        for (uint32_t d = 0; d < sizeof dims / sizeof dims[0]; ++d)
            for (uint32_t n = 0; n < sizeof tokens / sizeof tokens[0]; ++n)
                for (int equal = 0; equal < 2; ++equal) {
                    hyper_plan_set_sizes(&quartic_op_hyper_width, tokens[n], streams[s], dims[d], equal);
                    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width, &limits), QUARTIC_OK);
                    const quartic_dispatch *forward = &p.list.items[0];
                    const uint32_t lanes = forward->spec[0], rows = forward->spec[2],
                                   chunk = forward->spec[5];
                    const uint32_t at_once = 256 / lanes / rows;
                    assert_true(at_once >= 1 && lanes * rows * at_once <= 256);
                    assert_true(chunk >= 1);
                    /* Few coefficients are taken at once, many in blocks of at most as many numbers. */
                    const uint32_t sums = streams[s] + 2, block = forward->spec[6];
                    assert_in_range(block, 1, sums < 10 ? sums : 10);
                    assert_int_equal(block == sums, streams[s] <= 8);
                    assert_in_range(chunk, 1, block);
                    assert_in_range(REDUCE_BYTES + 4 * at_once * (rows * chunk + 2), 1,
                                    limits.max_shared_bytes);
                    assert_true((uint64_t)forward->groups[0] * forward->groups[1] * at_once >= tokens[n]);

                    hyper_plan_set_sizes(&quartic_op_hyper_width_grad, tokens[n], streams[s], dims[d], equal);
                    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width_grad, &limits), QUARTIC_OK);
                    const quartic_dispatch *adjoint = &p.list.items[0];
                    quartic_hyper_width_grad_args args;
                    memcpy(&args, adjoint->args, sizeof args);
                    assert_true(adjoint->spec[8] >= 1);
                    assert_int_equal(adjoint->spec[9], block);
                    assert_in_range(REDUCE_BYTES + 4 * (256 + adjoint->spec[8] * (block + 1)), 1,
                                    limits.max_shared_bytes);
                    assert_int_equal(args.tokens_per_group % at_once, 0);
                    const uint64_t groups = (tokens[n] - 1) / args.tokens_per_group + 1; /* as the shader */
                    assert_int_equal((uint64_t)adjoint->groups[0] * adjoint->groups[1] - adjoint->idle,
                                     groups);
                    const uint32_t statics = rows * (streams[s] + 1) + streams[s] + 2;
                    const uint64_t dx = block < sums ? (uint64_t)tokens[n] * rows * dims[d] : 0; /* so far */
                    assert_true(p.list.scratch_bytes >=
                                4 * (groups * (sums * (uint64_t)dims[d] + statics) + dx));
                }
}

/* A device that leaves loops early gets more workgroups, or refuses. */
static void long_loops_are_cut_or_refused(void **state) {
    (void)state;
    quartic_gpu_limits counting = limits;
    counting.max_iterations = 65535;
    hyper_plan_set_sizes(&quartic_op_hyper_width_grad, 200000, 4, 512, false);
    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width_grad, &limits), QUARTIC_OK);
    const uint32_t few = p.list.items[0].groups[0];
    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width_grad, &counting), QUARTIC_OK);
    assert_true(p.list.items[0].groups[0] > few);
    counting.max_iterations = 100;
    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width_grad, &counting), QUARTIC_UNSUPPORTED);
    hyper_plan_set_sizes(&quartic_op_hyper_width, 3, 4, 512, false);
    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width, &counting), QUARTIC_UNSUPPORTED);
}

static void wrong_operands_are_refused(void **state) {
    (void)state;
    hyper_plan_set_sizes(&quartic_op_hyper_width, 3, 4, 8, false);
    p.operands.inputs[HYPER_STATIC_BETA].shape = QUARTIC_SHAPE(3);
    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width, &limits), QUARTIC_SHAPE_MISMATCH);
    hyper_plan_set_sizes(&quartic_op_hyper_width, 3, 65, 8, false);
    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width, &limits), QUARTIC_SHAPE_MISMATCH);
    for (uint32_t input = HYPER_GAMMA; input < HYPER_WIDTH_INPUTS; ++input) {
        hyper_plan_set_sizes(&quartic_op_hyper_width, 3, 4, 8, false);
        p.operands.inputs[input].shape = QUARTIC_SHAPE(9);
        assert_int_equal(hyper_plan_with(&quartic_op_hyper_width, &limits), QUARTIC_SHAPE_MISMATCH);
    }
    hyper_plan_set_sizes(&quartic_op_hyper_width, 3, 4, 8, false);
    ((hyper_width_attrs *)p.operands.attrs)->eps = -1.0f;
    assert_int_equal(hyper_plan_with(&quartic_op_hyper_width, &limits), QUARTIC_INVALID_ARGUMENT);
    for (uint32_t input = HYPER_SAVED_LOGITS; input < HYPER_WIDTH_GRAD_INPUTS; ++input) {
        hyper_plan_set_sizes(&quartic_op_hyper_width_grad, 3, 4, 8, false);
        p.operands.inputs[input].shape = QUARTIC_SHAPE(9);
        assert_int_equal(hyper_plan_with(&quartic_op_hyper_width_grad, &limits), QUARTIC_SHAPE_MISMATCH);
    }
    for (uint32_t input = HYPER_DEPTH_KEPT; input < HYPER_DEPTH_INPUTS; ++input) {
        assert_true(quartic_op_hyper_depth.cases(0, &p.operands));
        p.operands.inputs[input].shape = QUARTIC_SHAPE(2, 4, 9);
        assert_int_equal(hyper_plan_with(&quartic_op_hyper_depth, &limits), QUARTIC_SHAPE_MISMATCH);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_takes_few_dispatches),
        cmocka_unit_test(plans_fit_and_cover_all_tokens),
        cmocka_unit_test(long_loops_are_cut_or_refused),
        cmocka_unit_test(wrong_operands_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
