/* dropout.c: zeroes elements at random and scales up the others.
 *
 *     out[i] = u_i < probability ? 0 : x[i] / (1 - probability)
 *
 * u_i is the uniform number at (seed, stream, i) of base/rng.h: the upper 24 bits of a Philox draw, exact in
 * float32, so that every device draws the same mask. seed int32 (2) is a 64-bit number, its low half first,
 * read when the op runs. The op is linear. Its adjoint is the op itself with the same seed, so no mask is
 * stored.
 */
#include "base/call.h"
#include "base/rng.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/elementwise.h"
#include "ops/ops.h"
#include "ops/gpu_plan.h"
#include "shaders/dropout.args.h"

static quartic_status dropout_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const quartic_dropout_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("dropout", call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype("dropout", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype("dropout", call, 1, QUARTIC_INT32));
    QUARTIC_TRY(quartic_op_expect_shape("dropout", call, 1, &QUARTIC_SHAPE(2)));
    if (!(attrs->probability >= 0.0f && attrs->probability <= 1.0f))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "dropout needs a probability from 0 to 1, not %g",
                            (double)attrs->probability);
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static void dropout_cpu(const quartic_op_run *run) {
    const quartic_dropout_attrs *attrs = run->attrs;
    uint64_t seed = (uint32_t)quartic_get_int(&run->inputs[1], 0) |
                    (uint64_t)(uint32_t)quartic_get_int(&run->inputs[1], 1) << 32;
    double factor = (double)quartic_dropout_factor(attrs);
    uint64_t count = quartic_layout_elements(run->outputs[0].layout);
    for (uint64_t i = 0; i < count; ++i) {
        bool dropped = quartic_random_uniform(seed, attrs->stream, i) < attrs->probability;
        quartic_put(&run->outputs[0], (int64_t)i,
                    dropped ? 0 : quartic_get(&run->inputs[0], (int64_t)i) * factor);
    }
}

static quartic_status dropout_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list) {
    (void)limits;
    const quartic_dropout_attrs *attrs = call->attrs;
    uint64_t count = quartic_layout_elements(&call->outputs[0]);
    quartic_dropout_args args = {.count = (uint32_t)count,
                                 .stream = attrs->stream,
                                 .probability = attrs->probability,
                                 .factor = quartic_dropout_factor(attrs)};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "dropout", quartic_dropout_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    const quartic_layout *const operands[] = {&call->outputs[0], &call->inputs[0]};
    quartic_dispatch_spec(dispatch, quartic_gpu_flat_quads(operands, 2));
    quartic_dispatch_groups(dispatch, quartic_divide_up64(count, 1024));
    dispatch->flops = 30.0 * (double)count; /* about 120 integer operations give four numbers */
    dispatch->bytes = 8.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status dropout_grad(quartic_tape *tape) {
    const quartic_dropout_attrs *attrs = quartic_tape_attrs(tape);
    if (quartic_tape_wants(tape, 0))
        quartic_tape_give(tape, 0,
                          quartic_dropout(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0),
                                          quartic_tape_input(tape, 1), attrs->probability, attrs->stream));
    return QUARTIC_OK;
}

static bool dropout_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape shape;
        quartic_dropout_attrs attrs;
    } table[] = {
        {"some", {3, {5, 7, 33}}, {0.25f, 0}},
        {"most", {1, {1025}}, {0.9f, 0xfffffff7u}},
        {"one element", {0, {0}}, {0.001f, 3}},
        {"all", {2, {3, 3}}, {1.0f, 1}},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 2};
    *(quartic_dropout_attrs *)out->attrs = table[index].attrs;
    quartic_case_floats(out, 0, table[index].shape, QUARTIC_FILL_NORMAL);
    quartic_case_ints(out, 1, QUARTIC_SHAPE(2), QUARTIC_FILL_SIGNED_INDEX, INT32_MAX);
    return true;
}

const quartic_op quartic_op_dropout = {
    .name = "dropout",
    .attrs_bytes = sizeof(quartic_dropout_attrs),
    .in_place_inputs = 1,
    .infer = dropout_infer,
    .cpu = dropout_cpu,
    .gpu = dropout_gpu,
    .grad = dropout_grad,
    .cases = dropout_cases,
    .tolerance = 1,
    .tolerance_reason = "one rounding; the masks are equal",
};

quartic_value quartic_dropout(quartic_graph *graph, quartic_value x, quartic_value seed, float probability,
                              uint32_t stream) {
    QUARTIC_CALL();
    if (!quartic_graph_expect(graph, "dropout", (const quartic_value[]){x, seed}, 2))
        return (quartic_value){0};
    if (probability == 0.0f && x.id != 0) return x;
    const quartic_dropout_attrs attrs = {probability, stream};
    const quartic_value inputs[] = {x, seed};
    return quartic_graph_append_one(graph, &quartic_op_dropout, &attrs, inputs, 2);
}
