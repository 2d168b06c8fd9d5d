/* multiply_add_loop.c: y = x, then `count` times y = y * factor + offset: a measure of a device's arithmetic.
 *
 * Between one read and one write of an element there are only multiplications and additions. So the time of
 * many rounds tells the rate that any kernel is to be compared with. The op is linear in x: y = factor^count
 * x + ..
 */
#include <math.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/multiply_add_loop.h"
#include "ops/ops.h"
#include "shaders/multiply_add_loop.args.h"
#include "shaders/lib/multiply_add_loop.h"

static quartic_status multiply_add_loop_infer(const quartic_op_call *call, quartic_layout *out,
                                              uint32_t *out_count) {
    const quartic_multiply_add_loop_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("multiply_add_loop", call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype("multiply_add_loop", call, 0, QUARTIC_FLOAT32));
    if (!(fabsf(attrs->factor) <= 1.0f))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "multiply_add_loop with the factor %g would run off to infinity; give -1 to 1",
                            (double)attrs->factor);
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static void multiply_add_loop_cpu(const quartic_op_run *run) {
    const quartic_multiply_add_loop_attrs *attrs = run->attrs;
    const int64_t elements = (int64_t)quartic_layout_elements(run->outputs[0].layout);
    for (int64_t i = 0; i < elements; ++i) {
        double y = quartic_get(&run->inputs[0], i);
        for (uint32_t round = 0; round < attrs->count; ++round)
            y = y * (double)attrs->factor + (double)attrs->offset;
        quartic_put(&run->outputs[0], i, y);
    }
}

static double multiply_add_loop_flops(const quartic_op_call *call) {
    const quartic_multiply_add_loop_attrs *attrs = call->attrs;
    return 2.0 * attrs->count * (double)quartic_layout_elements(&call->outputs[0]);
}

static double multiply_add_loop_reduction(const quartic_op_call *call) {
    return 1.0 + ((const quartic_multiply_add_loop_attrs *)call->attrs)->count;
}

static quartic_status multiply_add_loop_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                            quartic_dispatch_list *list) {
    (void)limits;
    const quartic_multiply_add_loop_attrs *attrs = call->attrs;
    const uint64_t elements = quartic_layout_elements(&call->outputs[0]);
    const uint64_t group = QUARTIC_MULTIPLY_ADD_GROUP * QUARTIC_MULTIPLY_ADD_CHAINS;
    const quartic_multiply_add_loop_args args = {.elements = (uint32_t)elements,
                                                 .count = attrs->count,
                                                 .factor = attrs->factor,
                                                 .offset = attrs->offset};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "multiply_add_loop", quartic_multiply_add_loop_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (elements + group - 1) / group);
    dispatch->flops = multiply_add_loop_flops(call);
    dispatch->bytes = 8.0 * (double)elements;
    return QUARTIC_OK;
}

/* dL/dx = factor^count dL/dy. */
static quartic_status multiply_add_loop_grad(quartic_tape *tape) {
    const quartic_multiply_add_loop_attrs *attrs = quartic_tape_attrs(tape);
    const float slope = (float)pow((double)attrs->factor, attrs->count);
    if (quartic_tape_wants(tape, 0))
        quartic_tape_give(
            tape, 0, quartic_scale(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), slope, 0.0f));
    return QUARTIC_OK;
}

static bool multiply_add_loop_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_multiply_add_loop_attrs attrs;
        quartic_shape shape;
    } table[] = {
        {"no round", {0.5f, 1.0f, 0}, {1, {37}}},
        {"one round", {-0.75f, 0.25f, 1}, {3, {3, 5, 7}}},
        {"many rounds", {0.99f, 0.01f, 200}, {2, {31, 129}}},
        {"several groups", {0.9f, -1.0f, 9}, {1, {5000}}},
        {"scalar", {1.0f, 0.125f, 16}, {0, {0}}},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 1};
    quartic_case_floats(out, 0, table[index].shape, QUARTIC_FILL_NORMAL);
    *(quartic_multiply_add_loop_attrs *)out->attrs = table[index].attrs;
    return true;
}

const quartic_op quartic_op_multiply_add_loop = {
    .name = "multiply_add_loop",
    .attrs_bytes = sizeof(quartic_multiply_add_loop_attrs),
    .in_place_inputs = 1,
    .infer = multiply_add_loop_infer,
    .cpu = multiply_add_loop_cpu,
    .gpu = multiply_add_loop_gpu,
    .grad = multiply_add_loop_grad,
    .cases = multiply_add_loop_cases,
    .flops = multiply_add_loop_flops,
    .tolerance = 4,
    .tolerance_reason =
        "a product and a sum a round, each rounded by half an eps of the largest value, which a "
        "factor of at most 1 does not grow: they add up like a random walk",
    .reduction = multiply_add_loop_reduction,
};

quartic_value quartic_multiply_add_loop(quartic_graph *graph, quartic_value x, float factor, float offset,
                                        uint32_t count) {
    QUARTIC_CALL();
    const quartic_multiply_add_loop_attrs attrs = {factor, offset, count};
    return quartic_graph_append_one(graph, &quartic_op_multiply_add_loop, &attrs, &x, 1);
}
