/* edge_keep.c: edges (b, n, n, ..) with zeros at (i, j) unless both nodes are real and the edge lies in the
 * kept triangle.
 *
 * The op is linear, so the gradient is the same op on the cotangent. Each element stays in its place, so the
 * op may run in place.
 */
#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/edge_keep.h"

#include "shaders/edge_keep.args.h"

static quartic_status edge_keep_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    const edge_keep_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("edge_keep", call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype("edge_keep", call, 0, QUARTIC_FLOAT32));
    const quartic_layout *x = &call->inputs[0], *mask = &call->inputs[1];
    const uint32_t *dims = x->shape.dims;
    char text[QUARTIC_SHAPE_TEXT];
    if (x->shape.rank < 3 || dims[1] != dims[2] || quartic_layout_elements(x) == 0)
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "edge_keep got edges of shape %s; it needs (batch, n, n, ..) with as many rows as "
            "columns and no extent of 0",
            quartic_shape_text(&x->shape, text));
    if (attrs->part > QUARTIC_EDGES_UPPER)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the part of edge_keep is 0 (all), 1 (lower) or 2 (upper), not %u", attrs->part);
    if (quartic_is_present(mask)) {
        QUARTIC_TRY(quartic_op_expect_dtype("edge_keep", call, 1, QUARTIC_INT32));
        QUARTIC_TRY(quartic_op_expect_shape("edge_keep", call, 1, &QUARTIC_SHAPE(dims[0], dims[1])));
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &x->shape);
    *out_count = 1;
    return QUARTIC_OK;
}

static void edge_keep_cpu(const quartic_op_run *run) {
    const edge_keep_attrs *attrs = run->attrs;
    const quartic_operand *x = &run->inputs[0];
    const quartic_edge_extents extents = quartic_edge_extents_of(x->layout);
    for (uint64_t edge = 0; edge < extents.edges; ++edge) {
        bool kept = quartic_edge_kept(&extents, attrs->part, run->inputs[1].data, edge);
        for (uint32_t c = 0; c < extents.width; ++c) {
            int64_t at = (int64_t)(edge * extents.width + c);
            quartic_put(&run->outputs[0], at, kept ? quartic_get(x, at) : 0.0);
        }
    }
}

static quartic_status edge_keep_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    (void)limits;
    const edge_keep_attrs *attrs = call->attrs;
    const quartic_edge_extents extents = quartic_edge_extents_of(&call->inputs[0]);
    const uint64_t count = extents.edges * extents.width;
    const quartic_edge_keep_args args = {.count = (uint32_t)count, .n = extents.n, .width = extents.width};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "edge_keep", quartic_edge_keep_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    const bool masked = quartic_is_present(&call->inputs[1]);
    quartic_dispatch_spec(dispatch, masked);
    quartic_dispatch_spec(dispatch, attrs->part);
    quartic_dispatch_groups(dispatch, (count + 255) / 256);
    dispatch->flops = (double)count;
    dispatch->bytes = 8.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status edge_keep_grad(quartic_tape *tape) {
    const edge_keep_attrs *attrs = quartic_tape_attrs(tape);
    if (quartic_tape_wants(tape, 0))
        quartic_tape_give(tape, 0,
                          quartic_edge_keep(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0),
                                            quartic_tape_input(tape, 1), (quartic_edge_part)attrs->part));
    return QUARTIC_OK;
}

static bool edge_keep_cases(uint32_t index, quartic_op_case *out) {
    static const struct {
        const char *label;
        quartic_shape x;
        bool masked;
        quartic_edge_part part;
    } table[] = {
        {"padding", {4, {3, 5, 5, 7}}, true, QUARTIC_EDGES_ALL},
        {"lower triangle", {4, {2, 17, 17, 3}}, false, QUARTIC_EDGES_LOWER},
        {"upper triangle, padding", {4, {2, 9, 9, 32}}, true, QUARTIC_EDGES_UPPER},
        {"one node", {4, {2, 1, 1, 5}}, false, QUARTIC_EDGES_LOWER},
        {"no width", {3, {2, 33, 33}}, true, QUARTIC_EDGES_LOWER},
        {"heads", {5, {1, 4, 4, 2, 3}}, true, QUARTIC_EDGES_ALL},
    };
    if (index >= QUARTIC_CASES(table)) return false;
    *out = (quartic_op_case){.label = table[index].label, .input_count = 2};
    *(edge_keep_attrs *)out->attrs = (edge_keep_attrs){table[index].part};
    const uint32_t *x = table[index].x.dims;
    quartic_case_floats(out, 0, table[index].x, QUARTIC_FILL_NORMAL);
    if (table[index].masked) quartic_case_ints(out, 1, QUARTIC_SHAPE(x[0], x[1]), QUARTIC_FILL_MASK, 0);
    return true;
}

const quartic_op quartic_op_edge_keep = {
    .name = "edge_keep",
    .attrs_bytes = sizeof(edge_keep_attrs),
    .in_place_inputs = 1,
    .infer = edge_keep_infer,
    .cpu = edge_keep_cpu,
    .gpu = edge_keep_gpu,
    .grad = edge_keep_grad,
    .cases = edge_keep_cases,
    .tolerance = 0,
    .tolerance_reason = "copies or writes zeros",
};

quartic_value quartic_edge_keep(quartic_graph *graph, quartic_value x, quartic_value mask,
                                quartic_edge_part part) {
    QUARTIC_CALL();
    if (!quartic_graph_expect(graph, "edge_keep", &x, 1)) return (quartic_value){0};
    if (mask.id == 0 && part == QUARTIC_EDGES_ALL && x.id != 0) return x;
    const edge_keep_attrs attrs = {.part = part};
    const quartic_value inputs[] = {x, mask};
    return quartic_graph_append_one(graph, &quartic_op_edge_keep, &attrs, inputs, 2);
}
