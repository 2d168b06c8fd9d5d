/* range.c: numbers at equal distances, from no operand at all: out[k] = start + k * step.
 *
 * Models need it for positions, since a graph has no other constants. It is exact while start, step and the
 * products are integers below 2^24. Nothing flows back.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/ops.h"
#include "shaders/range.args.h"

typedef struct range_attrs {
    uint32_t count;
    float start, step;
} range_attrs;

static quartic_status range_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const range_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("range", call, 0, 0));
    if (attrs->count == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "a range of 0 numbers; ask for at least one");
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(attrs->count));
    *out_count = 1;
    return QUARTIC_OK;
}

static void range_cpu(const quartic_op_run *run) {
    const range_attrs *attrs = run->attrs;
    for (uint32_t k = 0; k < attrs->count; ++k)
        quartic_put(&run->outputs[0], k, (double)attrs->start + (double)k * (double)attrs->step);
}

static quartic_status range_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                quartic_dispatch_list *list) {
    (void)limits;
    const range_attrs *attrs = call->attrs;
    const quartic_range_args args = {.count = attrs->count, .start = attrs->start, .step = attrs->step};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "range", quartic_range_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, ((uint64_t)attrs->count + 255) / 256);
    dispatch->flops = 2.0 * attrs->count;
    dispatch->bytes = 4.0 * attrs->count;
    return QUARTIC_OK;
}

static bool range_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        range_attrs attrs;
    } table[] = {
        {"differences", {257, -128.0f, 1.0f}},
        {"one number", {1, 3.5f, 2.0f}},
        {"quarters downward", {1000, 10.0f, -0.25f}},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .no_finite_difference = true};
    *(range_attrs *)out->attrs = table[index].attrs;
    return true;
}

const quartic_op quartic_op_range = {
    .name = "range",
    .attrs_bytes = sizeof(range_attrs),
    .infer = range_infer,
    .cpu = range_cpu,
    .gpu = range_gpu,
    .cases = range_cases,
    .tolerance = 2,
    .tolerance_reason = "one product and one sum, each rounded once",
};

quartic_value quartic_range(quartic_graph *graph, uint32_t count, float start, float step) {
    QUARTIC_CALL();
    const range_attrs attrs = {count, start, step};
    return quartic_graph_append_one(graph, &quartic_op_range, &attrs, NULL, 0);
}
