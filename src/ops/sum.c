/* sum.c: sums over a set of axes, and broadcast, a view: each is the other's adjoint.
 *
 *     y[kept] = sum over reduced of x[kept, reduced]
 *
 * On the GPU a workgroup of 256 threads makes 256 / lanes outputs. `lanes` threads share one output and are
 * added by a tree in shared memory. Neighbouring threads walk whichever of kept and reduced lies closer in
 * memory. Where outputs are few and sums long, the reduced range is split over workgroups, whose partial sums
 * go to scratch; a second dispatch adds them. The order of additions depends on the shape and the limits
 * only.
 */
#include <string.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/movement.h"
#include "ops/strided.h"
#include "ops/view.h"
#include "shaders/sum.args.h"

static quartic_status sum_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const quartic_sum_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("sum", call, 1, 1));
    QUARTIC_TRY(quartic_op_expect_dtype("sum", call, 0, QUARTIC_FLOAT32));
    const quartic_shape *x = &call->inputs[0].shape;
    if (attrs->axes >> x->rank != 0) {
        char text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "sum over the axes 0x%x names axes that shape %s does not have", attrs->axes,
                            quartic_shape_text(x, text));
    }
    quartic_shape shape = {0};
    for (uint32_t axis = 0; axis < x->rank; ++axis) {
        bool summed = attrs->axes >> axis & 1u;
        if (!summed || attrs->keep) shape.dims[shape.rank++] = summed ? 1 : x->dims[axis];
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
    *out_count = 1;
    return QUARTIC_OK;
}

quartic_layout quartic_sum_part(const quartic_layout *x, uint32_t axes) {
    quartic_layout part = {.dtype = x->dtype};
    for (uint32_t axis = 0; axis < x->shape.rank; ++axis) {
        if (!(axes >> axis & 1u)) continue;
        part.strides[part.shape.rank] = x->strides[axis];
        part.shape.dims[part.shape.rank++] = x->shape.dims[axis];
    }
    return part;
}

static void sum_cpu(const quartic_op_run *run) {
    const quartic_sum_attrs *attrs = run->attrs;
    quartic_layout kept = quartic_sum_part(run->inputs[0].layout, ~attrs->axes);
    quartic_layout reduced = quartic_sum_part(run->inputs[0].layout, attrs->axes);
    uint64_t outputs = quartic_layout_elements(&kept), length = quartic_layout_elements(&reduced);
    for (uint64_t o = 0; o < outputs; ++o) {
        double sum = 0;
        for (uint64_t r = 0; r < length; ++r)
            sum += quartic_get(&run->inputs[0], quartic_layout_at(&kept, o) + quartic_layout_at(&reduced, r));
        quartic_put(&run->outputs[0], (int64_t)o, sum);
    }
}

/* ---- GPU ---- */

/* What one dispatch sums: out[split, kept] = sum over the reduced elements of that split. */
typedef struct sum_stage {
    quartic_layout kept, reduced; /* simplified */
    uint64_t outputs, length;
    uint32_t lanes;  /* threads per output, a power of two up to 256 */
    bool lanes_fast; /* neighbouring threads share an output */
} sum_stage;

/* The least stride of a simplified layout, in elements; INT32_MAX where neighbours are not close. */
static uint32_t sum_closeness(const quartic_layout *layout) {
    int64_t stride = layout->strides[layout->shape.rank - 1];
    return layout->shape.dims[layout->shape.rank - 1] == 1 || stride < 0 || stride > INT32_MAX
               ? INT32_MAX
               : (uint32_t)stride;
}

static sum_stage sum_plan_stage(quartic_layout kept, quartic_layout reduced) {
    enum { LEAST_PER_LANE = 4, COALESCED = 32 };
    quartic_layouts_simplify((quartic_layout *const[]){&kept}, 1);
    quartic_layouts_simplify((quartic_layout *const[]){&reduced}, 1);
    sum_stage stage = {kept, reduced, quartic_layout_elements(&kept), quartic_layout_elements(&reduced),
                       1,    false};
    if (stage.outputs == 1) stage.kept.shape.rank = 0; /* leaves all six axes of the args to the sum */
    stage.lanes_fast = stage.outputs == 1 || sum_closeness(&reduced) < sum_closeness(&kept);
    uint32_t most = 256;
    if (!stage.lanes_fast)
        while (most > 256 / COALESCED && 256 / most < stage.outputs) most /= 2;
    while (stage.lanes < most && (uint64_t)LEAST_PER_LANE * stage.lanes < stage.length) stage.lanes *= 2;
    return stage;
}

static uint64_t sum_stage_blocks(const sum_stage *stage) {
    uint64_t per_group = 256 / stage->lanes;
    return (stage->outputs + per_group - 1) / per_group;
}

/* x and result: whose numbers the stage adds, and where its sums go. */
static quartic_status sum_add_stage(quartic_dispatch_list *list, const sum_stage *stage, uint32_t splits,
                                    uint32_t chunk, uint64_t x, uint64_t result) {
    quartic_sum_args args = {.x = x,
                             .result = result,
                             .outputs = (uint32_t)stage->outputs,
                             .reduced = (uint32_t)stage->length,
                             .chunk = chunk,
                             .splits = splits,
                             .kept_rank = stage->kept.shape.rank,
                             .reduced_rank = stage->reduced.shape.rank};
    for (uint32_t axis = 0; axis < args.kept_rank; ++axis) {
        args.dims[axis] = stage->kept.shape.dims[axis];
        args.strides[axis] = (int32_t)stage->kept.strides[axis];
    }
    for (uint32_t axis = 0; axis < args.reduced_rank; ++axis) {
        args.dims[args.kept_rank + axis] = stage->reduced.shape.dims[axis];
        args.strides[args.kept_rank + axis] = (int32_t)stage->reduced.strides[axis];
    }
    quartic_shape axes = {.rank = args.kept_rank + args.reduced_rank};
    memcpy(axes.dims, args.dims, sizeof args.dims);
    quartic_strided_divide(&axes, args.divide);
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "sum", quartic_sum_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_spec(dispatch, stage->lanes);
    quartic_dispatch_spec(dispatch, stage->lanes_fast);
    quartic_dispatch_groups(dispatch, sum_stage_blocks(stage) * splits);
    dispatch->flops = (double)stage->outputs * (double)stage->length;
    dispatch->bytes = 4.0 * dispatch->flops + 4.0 * (double)stage->outputs * splits;
    return QUARTIC_OK;
}

static quartic_status sum_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                              quartic_dispatch_list *list) {
    /* A lane adds 64 numbers in less time than a second dispatch and the wait for the first take. */
    enum { GROUPS_PER_UNIT = 8, LEAST_PER_SPLIT_LANE = 64 };
    const uint64_t x = quartic_dispatch_input(0), result = quartic_dispatch_output(0);
    const quartic_sum_attrs *attrs = call->attrs;
    sum_stage stage = sum_plan_stage(quartic_sum_part(&call->inputs[0], ~attrs->axes),
                                     quartic_sum_part(&call->inputs[0], attrs->axes));
    uint64_t splits = (uint64_t)GROUPS_PER_UNIT * limits->compute_units / sum_stage_blocks(&stage);
    uint64_t most = stage.length / ((uint64_t)LEAST_PER_SPLIT_LANE * stage.lanes);
    if (splits > most) splits = most;
    if (splits < 1) splits = 1;
    uint64_t chunk = (stage.length + splits - 1) / splits;
    splits = (stage.length + chunk - 1) / chunk;
    if (splits == 1) return sum_add_stage(list, &stage, 1, (uint32_t)chunk, x, result);
    const uint64_t partial = quartic_dispatch_reserve(list, 4 * splits * stage.outputs);
    QUARTIC_TRY(sum_add_stage(list, &stage, (uint32_t)splits, (uint32_t)chunk, x, partial));
    quartic_layout sums = quartic_layout_contiguous(
        QUARTIC_FLOAT32, &QUARTIC_SHAPE((uint32_t)splits, (uint32_t)stage.outputs)); /* (split, kept) */
    sum_stage second = sum_plan_stage(quartic_sum_part(&sums, 2), quartic_sum_part(&sums, 1));
    return sum_add_stage(list, &second, 1, (uint32_t)splits, partial, result);
}

static quartic_status sum_grad(quartic_tape *tape) {
    const quartic_sum_attrs *attrs = quartic_tape_attrs(tape);
    quartic_shape shape = quartic_tape_input_layout(tape, 0).shape, kept = shape;
    for (uint32_t axis = 0; axis < shape.rank; ++axis)
        if (attrs->axes >> axis & 1u) kept.dims[axis] = 1;
    quartic_graph *graph = quartic_tape_graph(tape);
    quartic_value g = quartic_tape_gradient(tape, 0);
    if (!attrs->keep) g = quartic_reshape(graph, g, &kept);
    quartic_tape_give(tape, 0, quartic_broadcast(graph, g, &shape));
    return QUARTIC_OK;
}

static bool sum_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape shape;
        quartic_sum_attrs attrs;
    } table[] = {
        {"long leading axis", {2, {4097, 32}}, {1, 0}},
        {"long leading axis to few", {2, {3001, 5}}, {1, 1}},
        {"last axis", {3, {7, 5, 333}}, {4, 1}},
        {"short last axis", {2, {515, 3}}, {2, 0}},
        {"alternating axes", {4, {5, 7, 3, 11}}, {1 | 4, 0}},
        {"alternating axes, the other way", {4, {5, 7, 3, 11}}, {2 | 8, 1}},
        {"everything", {3, {9, 31, 65}}, {7, 0}},
        {"axes of extent 1", {3, {1, 37, 1}}, {5, 0}},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 1};
    *(quartic_sum_attrs *)out->attrs = table[index].attrs;
    quartic_case_floats(out, 0, table[index].shape, QUARTIC_FILL_NORMAL);
    return true;
}

static double sum_flops(const quartic_op_call *call) {
    return (double)quartic_layout_elements(&call->inputs[0]);
}

static double sum_reduction(const quartic_op_call *call) {
    return (double)quartic_layout_elements(&call->inputs[0]) /
           (double)quartic_layout_elements(&call->outputs[0]);
}

const quartic_op quartic_op_sum = {
    .name = "sum",
    .attrs_bytes = sizeof(quartic_sum_attrs),
    .strided_inputs = 1,
    .infer = sum_infer,
    .cpu = sum_cpu,
    .gpu = sum_gpu,
    .grad = sum_grad,
    .cases = sum_cases,
    .flops = sum_flops,
    .tolerance = 4,
    .tolerance_reason = "each addition rounds once; terms of either sign make the sum smaller than they are",
    .reduction = sum_reduction,
};

/* ---- broadcast: a view ---- */

static quartic_status broadcast_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    return quartic_view_infer(&quartic_op_broadcast, call, out, out_count);
}

static quartic_status broadcast_view(const void *attrs_pointer, const quartic_layout *in,
                                     quartic_layout *out) {
    const quartic_view_attrs *attrs = attrs_pointer;
    quartic_shape common;
    if (attrs->shape.rank > QUARTIC_MAX_RANK ||
        !quartic_shape_broadcast(&in->shape, &attrs->shape, &common) ||
        !quartic_shape_equal(&common, &attrs->shape))
        return quartic_view_failure("broadcast", in, attrs);
    *out = quartic_layout_broadcast(in, &attrs->shape);
    return QUARTIC_OK;
}

static quartic_status broadcast_grad(quartic_tape *tape) {
    quartic_shape shape = quartic_tape_input_layout(tape, 0).shape;
    quartic_tape_give(tape, 0,
                      quartic_sum_to(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0), &shape));
    return QUARTIC_OK;
}

static bool broadcast_cases(uint32_t index, quartic_op_case *out) {
    static const quartic_view_case table[] = {
        {"columns", {2, {3, 1}}, {.shape = {2, {3, 5}}}},
        {"a scalar", {0, {0}}, {.shape = {1, {7}}}},
        {"new axes before", {2, {3, 4}}, {.shape = {4, {2, 5, 3, 4}}}},
        {"several axes", {4, {1, 3, 1, 2}}, {.shape = {4, {4, 3, 5, 2}}}},
    };
    return quartic_view_cases(table, QUARTIC_CASES(table), index, out);
}

const quartic_op quartic_op_broadcast = {.name = "broadcast",
                                         .attrs_bytes = sizeof(quartic_view_attrs),
                                         .strided_inputs = 1,
                                         .infer = broadcast_infer,
                                         .view = broadcast_view,
                                         .grad = broadcast_grad,
                                         .cases = broadcast_cases,
                                         .tolerance_reason = "moves no data"};

/* ---- builders ---- */

quartic_value quartic_sum(quartic_graph *graph, quartic_value x, uint32_t axes, uint32_t keep) {
    QUARTIC_CALL();
    if (!quartic_graph_expect(graph, "sum", &x, 1)) return (quartic_value){0};
    if (axes == 0 && x.id != 0) return x;
    const quartic_sum_attrs attrs = {axes, keep != 0};
    return quartic_graph_append_one(graph, &quartic_op_sum, &attrs, &x, 1);
}

quartic_value quartic_sum_to(quartic_graph *graph, quartic_value x, const quartic_shape *shape) {
    quartic_shape from = quartic_graph_shape(graph, x);
    if (quartic_shape_equal(&from, shape) || from.rank < shape->rank) return x;
    uint32_t axes = 0, added = from.rank - shape->rank;
    for (uint32_t axis = 0; axis < from.rank; ++axis)
        if (axis < added || (shape->dims[axis - added] == 1 && from.dims[axis] != 1)) axes |= 1u << axis;
    quartic_value sum = quartic_sum(graph, x, axes, 1);
    return added > 0 ? quartic_reshape(graph, sum, shape) : sum;
}

quartic_value quartic_broadcast(quartic_graph *graph, quartic_value x, const quartic_shape *shape) {
    QUARTIC_CALL();
    if (!quartic_graph_expect_shape(graph, "broadcast", shape)) return (quartic_value){0};
    quartic_view_attrs attrs = {.shape = *shape};
    return quartic_graph_append_one(graph, &quartic_op_broadcast, &attrs, &x, 1);
}
