/* cross_entropy.c: mean cross entropy of logits against class indices, with its adjoint.
 *
 *     loss    = 1 / count * sum over rows that count of log(sum over c of exp(logits_c)) - logits_target
 *     dlogits = (softmax(logits) - onehot(target)) * g / count, zeros in rows that do not count
 *
 * for logits (rows, classes), targets int32 (rows) and g (), the loss's cotangent. A row counts if its target
 * is a class; count () is the number of such rows, at least 1, so without any the loss is 0. It is the second output
 * of the op and an input of the adjoint. A negative target means
 * "ignored". A target beyond the last class is an error of the run on the CPU devices; the kernels ignore it,
 * so that none reads out of range. The adjoint may run in place.
 */
#include <math.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/cross_entropy.h"
#include "ops/rows.h"
#include "shaders/cross_entropy.args.h"
#include "shaders/cross_entropy_grad.args.h"
#include "shaders/cross_entropy_mean.args.h"

/* ---- shape rules ---- */

static quartic_status cross_entropy_check_logits(const char *name, const quartic_op_call *call) {
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_rank(name, call, 0, 2));
    QUARTIC_TRY(quartic_op_expect_dtype(name, call, 1, QUARTIC_INT32));
    const quartic_shape *logits = &call->inputs[0].shape;
    const quartic_shape targets = QUARTIC_SHAPE(logits->dims[0]);
    char text[QUARTIC_SHAPE_TEXT];
    if (quartic_shape_elements(logits) == 0)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "%s got logits of shape %s, which has no elements; give it at "
                            "least one row and one class",
                            name, quartic_shape_text(logits, text));
    return quartic_op_expect_shape(name, call, 1, &targets);
}

static quartic_status cross_entropy_infer(const quartic_op_call *call, quartic_layout *out,
                                          uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("cross_entropy", call, 2, 2));
    QUARTIC_TRY(cross_entropy_check_logits("cross_entropy", call));
    out[CROSS_ENTROPY_LOSS] = out[CROSS_ENTROPY_COUNT] =
        quartic_layout_contiguous(QUARTIC_FLOAT32, &(quartic_shape){0});
    *out_count = 2;
    return QUARTIC_OK;
}

/* Inputs logits (rows, classes), targets (rows), g (), count (). */
static quartic_status cross_entropy_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                               uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("cross_entropy_grad", call, 4, 4));
    QUARTIC_TRY(cross_entropy_check_logits("cross_entropy_grad", call));
    for (uint32_t input = 2; input < 4; ++input) {
        QUARTIC_TRY(quartic_op_expect_dtype("cross_entropy_grad", call, input, QUARTIC_FLOAT32));
        QUARTIC_TRY(quartic_op_expect_shape("cross_entropy_grad", call, input, &(quartic_shape){0}));
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &call->inputs[0].shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* Refuses a target beyond the last class. */
static quartic_status cross_entropy_check(const quartic_op_run *run) {
    const uint32_t rows = run->inputs[0].layout->shape.dims[0],
                   classes = run->inputs[0].layout->shape.dims[1];
    for (uint32_t r = 0; r < rows; ++r) {
        const int32_t target = quartic_get_int(&run->inputs[1], r);
        if (target >= 0 && !cross_entropy_counts(target, classes))
            return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                "target %d of row %u is none of the %u classes (negative: ignored)", target,
                                r, classes);
    }
    return QUARTIC_OK;
}

/* ---- reference ---- */

/* The largest logit of a row and the sum of exp(logit - largest). */
static double cross_entropy_row_sum(const quartic_operand *logits, int64_t base, uint32_t classes,
                                    double *out_largest) {
    double largest = -INFINITY, sum = 0;
    for (uint32_t c = 0; c < classes; ++c) largest = fmax(largest, quartic_get(logits, base + c));
    for (uint32_t c = 0; c < classes; ++c) sum += exp(quartic_get(logits, base + c) - largest);
    *out_largest = largest;
    return sum;
}

static void cross_entropy_cpu(const quartic_op_run *run) {
    const quartic_operand *logits = &run->inputs[0], *targets = &run->inputs[1];
    uint32_t rows = logits->layout->shape.dims[0], classes = logits->layout->shape.dims[1];
    double total = 0;
    uint32_t count = 0;
    for (uint32_t r = 0; r < rows; ++r) {
        int32_t target = quartic_get_int(targets, r);
        if (!cross_entropy_counts(target, classes)) continue;
        int64_t base = (int64_t)r * classes;
        double largest, sum = cross_entropy_row_sum(logits, base, classes, &largest);
        total += log(sum) + largest - quartic_get(logits, base + target);
        ++count;
    }
    if (count == 0) count = 1;
    quartic_put(&run->outputs[CROSS_ENTROPY_LOSS], 0, total / count);
    quartic_put(&run->outputs[CROSS_ENTROPY_COUNT], 0, count);
}

static void cross_entropy_grad_cpu(const quartic_op_run *run) {
    const quartic_operand *logits = &run->inputs[0], *targets = &run->inputs[1];
    uint32_t rows = logits->layout->shape.dims[0], classes = logits->layout->shape.dims[1];
    const double factor = quartic_get(&run->inputs[2], 0) / quartic_get(&run->inputs[3], 0);
    for (uint32_t r = 0; r < rows; ++r) {
        int32_t target = quartic_get_int(targets, r);
        bool counts = cross_entropy_counts(target, classes);
        int64_t base = (int64_t)r * classes;
        double largest = 0, sum = 1;
        if (counts) sum = cross_entropy_row_sum(logits, base, classes, &largest);
        for (uint32_t c = 0; c < classes; ++c) {
            double onehot = (int64_t)c == target ? 1.0 : 0.0;
            double d = counts ? (exp(quartic_get(logits, base + c) - largest) / sum - onehot) * factor : 0.0;
            quartic_put(&run->outputs[0], base + c, d);
        }
    }
}

/* ---- Vulkan ---- */

static quartic_status cross_entropy_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                        quartic_dispatch_list *list) {
    (void)limits;
    uint32_t rows = call->inputs[0].shape.dims[0], classes = call->inputs[0].shape.dims[1];
    const uint64_t losses = quartic_dispatch_reserve(list, (uint64_t)rows * sizeof(float));
    const quartic_cross_entropy_args args = {.row_losses = losses, .rows = rows, .classes = classes};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "cross_entropy", quartic_cross_entropy_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    uint32_t lanes = quartic_rows_lanes(classes);
    quartic_dispatch_spec(dispatch, lanes);
    quartic_dispatch_groups(dispatch, quartic_rows_groups(rows, lanes));
    dispatch->flops = 6.0 * (double)rows * classes;
    dispatch->bytes = 4.0 * (double)rows * classes;

    const quartic_cross_entropy_mean_args mean = {.row_losses = losses, .rows = rows};
    const quartic_dispatch_shape shape = {.groups = 1, .flops = rows, .bytes = 4.0 * rows};
    return quartic_dispatch_append(list, "cross_entropy_mean", quartic_cross_entropy_mean_push(&mean),
                                   &shape);
}

static quartic_status cross_entropy_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                             quartic_dispatch_list *list) {
    (void)limits;
    uint32_t rows = call->inputs[0].shape.dims[0], classes = call->inputs[0].shape.dims[1];
    const quartic_cross_entropy_grad_args args = {.rows = rows, .classes = classes};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "cross_entropy_grad", quartic_cross_entropy_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    uint32_t lanes = quartic_rows_lanes(classes);
    quartic_dispatch_spec(dispatch, lanes);
    quartic_dispatch_groups(dispatch, quartic_rows_groups(rows, lanes));
    dispatch->flops = 12.0 * (double)rows * classes;
    dispatch->bytes = 8.0 * (double)rows * classes;
    return QUARTIC_OK;
}

/* ---- gradient ---- */

static quartic_status cross_entropy_grad_rule(quartic_tape *tape) {
    if (!quartic_tape_wants(tape, 0)) return QUARTIC_OK;
    const quartic_value inputs[] = {quartic_tape_input(tape, 0), quartic_tape_input(tape, 1),
                                    quartic_tape_gradient(tape, CROSS_ENTROPY_LOSS),
                                    quartic_tape_output(tape, CROSS_ENTROPY_COUNT)};
    quartic_tape_give(
        tape, 0,
        quartic_graph_append_one(quartic_tape_graph(tape), &quartic_op_cross_entropy_grad, NULL, inputs, 4));
    return QUARTIC_OK;
}

/* ---- cases ---- */

static const struct {
    const char *label;
    uint32_t rows, classes;
    quartic_fill_kind targets;
    uint32_t limit; /* of the targets */
} cross_entropy_table[] = {
    {"some targets ignored", 9, 33, QUARTIC_FILL_SIGNED_INDEX, 33},
    {"two classes, many rows", 600, 2, QUARTIC_FILL_SIGNED_INDEX, 2},
    {"one class", 5, 1, QUARTIC_FILL_INDEX, 1},
    {"one row", 1, 129, QUARTIC_FILL_INDEX, 129},
    {"a row over a whole workgroup", 3, 1100, QUARTIC_FILL_INDEX, 1100},
    {"every target ignored", 6, 13, QUARTIC_FILL_SIGNED_INDEX, 0},
};

static bool cross_entropy_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(cross_entropy_table)) return false;
    uint32_t rows = cross_entropy_table[index].rows, classes = cross_entropy_table[index].classes;
    *out = (quartic_op_case){.label = cross_entropy_table[index].label, .input_count = 2};
    quartic_case_floats(out, 0, QUARTIC_SHAPE(rows, classes), QUARTIC_FILL_NORMAL);
    quartic_case_ints(out, 1, QUARTIC_SHAPE(rows), cross_entropy_table[index].targets,
                      cross_entropy_table[index].limit);
    return true;
}

static bool cross_entropy_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!cross_entropy_cases(index, out)) return false;
    out->input_count = 4;
    quartic_case_floats(out, 2, (quartic_shape){0}, QUARTIC_FILL_NORMAL);
    quartic_case_floats(out, 3, (quartic_shape){0}, QUARTIC_FILL_POSITIVE);
    return true;
}

static double cross_entropy_flops(const quartic_op_call *call) {
    return 6.0 * (double)quartic_layout_elements(&call->inputs[0]);
}
static double cross_entropy_grad_flops(const quartic_op_call *call) {
    return 12.0 * (double)quartic_layout_elements(&call->inputs[0]);
}
static double cross_entropy_reduction(const quartic_op_call *call) {
    const quartic_shape *logits = &call->inputs[0].shape;
    return fmax(logits->dims[0], logits->dims[1]);
}

const quartic_op quartic_op_cross_entropy = {
    .name = "cross_entropy",
    .saved_outputs = 1u << CROSS_ENTROPY_COUNT,
    .infer = cross_entropy_infer,
    .check = cross_entropy_check,
    .cpu = cross_entropy_cpu,
    .gpu = cross_entropy_gpu,
    .grad = cross_entropy_grad_rule,
    .cases = cross_entropy_cases,
    .flops = cross_entropy_flops,
    .tolerance = 8,
    .tolerance_reason =
        "sums over the classes and the rows; Vulkan allows exp(x) an error of 3 + 2|x| ulp and "
        "log one of 2^-21 near 1",
    .reduction = cross_entropy_reduction,
};

const quartic_op quartic_op_cross_entropy_grad = {
    .name = "cross_entropy_grad",
    .in_place_inputs = 1,
    .infer = cross_entropy_grad_infer,
    .check = cross_entropy_check,
    .cpu = cross_entropy_grad_cpu,
    .gpu = cross_entropy_grad_gpu,
    .cases = cross_entropy_grad_cases,
    .flops = cross_entropy_grad_flops,
    .tolerance = 8,
    .tolerance_reason = "a sum over the classes; Vulkan allows exp(x) an error of 3 + 2|x| ulp",
    .reduction = cross_entropy_reduction,
};

quartic_value quartic_cross_entropy(quartic_graph *graph, quartic_value logits, quartic_value targets) {
    QUARTIC_CALL();
    const quartic_value inputs[] = {logits, targets};
    return quartic_graph_append_one(graph, &quartic_op_cross_entropy, NULL, inputs, 2);
}
