/* embedding.c: rows of a table by index, and the adjoint that adds gradients into the rows.
 *
 * embedding       table (V, D), indices int32 (..) to out (.., D):  out[t] = table[index[t]]
 * embedding_grad  g (.., D), indices (..) to dtable (V, D):         dtable[v] = sum of g[t] with index[t] = v
 *
 * A negative index reads a row of zeros and adds to no row. So does an index of V or more on Vulkan, where no
 * kernel touches memory out of range; on the CPU devices it is an error of the run.
 *
 * The adjoint on the GPU has no atomics on floats. A workgroup owns a few rows and 32 columns. It walks the
 * list of indices in chunks of 256 and marks the positions that hit its rows as bits. Its 8 lanes add the
 * hits of 32 positions each, always in the order of positions; the lanes are added last. So the work is about
 * T V / rows looks at an index, for T positions, plus one read of g, and the sum of a row does not depend on
 * the grid.
 */
#include <string.h>

#include "base/call.h"
#include "graph/tape.h"
#include "ops/cases.h"
#include "ops/movement.h"
#include "shaders/embedding.args.h"
#include "shaders/embedding_grad.args.h"

static bool embedding_in_table(int32_t index, uint32_t rows) {
    return index >= 0 && (uint32_t)index < rows;
}

/* ---- embedding ---- */

static quartic_status embedding_infer(const quartic_op_call *call, quartic_layout *out, uint32_t *out_count) {
    QUARTIC_TRY(quartic_op_expect_inputs("embedding", call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype("embedding", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype("embedding", call, 1, QUARTIC_INT32));
    QUARTIC_TRY(quartic_op_expect_rank("embedding", call, 0, 2));
    quartic_shape shape = call->inputs[1].shape;
    if (shape.rank == QUARTIC_MAX_RANK) {
        char text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "embedding of indices of shape %s would have more than %d axes",
                            quartic_shape_text(&shape, text), QUARTIC_MAX_RANK);
    }
    shape.dims[shape.rank++] = call->inputs[0].shape.dims[1];
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &shape);
    *out_count = 1;
    return QUARTIC_OK;
}

/* Refuses an index beyond the table. A negative one means no row. */
static quartic_status embedding_check_indices(const quartic_operand *indices, uint32_t rows) {
    int64_t positions = (int64_t)quartic_layout_elements(indices->layout);
    for (int64_t t = 0; t < positions; ++t) {
        int32_t index = quartic_get_int(indices, t);
        if (index >= 0 && !embedding_in_table(index, rows))
            return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                "index %d at position %lld is beyond a table of %u rows", index, (long long)t,
                                rows);
    }
    return QUARTIC_OK;
}

static quartic_status embedding_check(const quartic_op_run *run) {
    return embedding_check_indices(&run->inputs[1], run->inputs[0].layout->shape.dims[0]);
}

static void embedding_cpu(const quartic_op_run *run) {
    const quartic_shape *table = &run->inputs[0].layout->shape;
    int64_t width = table->dims[1];
    int64_t positions = (int64_t)quartic_layout_elements(run->inputs[1].layout);
    for (int64_t t = 0; t < positions; ++t) {
        int32_t index = quartic_get_int(&run->inputs[1], t);
        for (int64_t c = 0; c < width; ++c)
            quartic_put(&run->outputs[0], t * width + c,
                        embedding_in_table(index, table->dims[0])
                            ? quartic_get(&run->inputs[0], index * width + c)
                            : 0);
    }
}

static quartic_status embedding_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list) {
    (void)limits;
    uint64_t count = quartic_layout_elements(&call->outputs[0]);
    const uint32_t *table = call->inputs[0].shape.dims;
    quartic_embedding_args args = {.count = (uint32_t)count, .rows = table[0], .width = table[1]};
    quartic_dispatch *dispatch = quartic_dispatch_add(list, "embedding", quartic_embedding_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, (count + 1023) / 1024);
    dispatch->flops = (double)count;
    dispatch->bytes = 8.0 * (double)count;
    return QUARTIC_OK;
}

static quartic_status embedding_grad(quartic_tape *tape) {
    if (!quartic_tape_wants(tape, 0)) return QUARTIC_OK;
    const quartic_embedding_attrs attrs = {quartic_tape_input_layout(tape, 0).shape.dims[0]};
    const quartic_value inputs[] = {quartic_tape_gradient(tape, 0), quartic_tape_input(tape, 1)};
    quartic_tape_give(
        tape, 0,
        quartic_graph_append_one(quartic_tape_graph(tape), &quartic_op_embedding_grad, &attrs, inputs, 2));
    return QUARTIC_OK;
}

typedef struct embedding_case {
    const char *label;
    uint32_t rows, width;
    quartic_shape indices;
    quartic_fill_kind fill;
} embedding_case;

static const embedding_case embedding_table[] = {
    {"tokens", 256, 65, {2, {3, 37}}, QUARTIC_FILL_INDEX},
    {"few rows, often hit", 3, 7, {1, {1025}}, QUARTIC_FILL_SIGNED_INDEX},
    {"one row, one position", 1, 1, {0, {0}}, QUARTIC_FILL_INDEX},
    {"more rows than positions", 5003, 3, {1, {19}}, QUARTIC_FILL_SIGNED_INDEX},
};

static bool embedding_cases(uint32_t index, quartic_op_case *out) {
    if (index >= QUARTIC_CASES(embedding_table)) return false;
    const embedding_case *from = &embedding_table[index];
    *out = (quartic_op_case){.label = from->label, .input_count = 2};
    quartic_case_floats(out, 0, QUARTIC_SHAPE(from->rows, from->width), QUARTIC_FILL_NORMAL);
    quartic_case_ints(out, 1, from->indices, from->fill, from->rows);
    return true;
}

const quartic_op quartic_op_embedding = {
    .name = "embedding",
    .infer = embedding_infer,
    .check = embedding_check,
    .cpu = embedding_cpu,
    .gpu = embedding_gpu,
    .grad = embedding_grad,
    .cases = embedding_cases,
    .tolerance = 0,
    .tolerance_reason = "moves bits",
};

/* ---- embedding_grad ---- */

static quartic_status embedding_grad_infer(const quartic_op_call *call, quartic_layout *out,
                                           uint32_t *out_count) {
    const quartic_embedding_attrs *attrs = call->attrs;
    QUARTIC_TRY(quartic_op_expect_inputs("embedding_grad", call, 2, 2));
    QUARTIC_TRY(quartic_op_expect_dtype("embedding_grad", call, 0, QUARTIC_FLOAT32));
    QUARTIC_TRY(quartic_op_expect_dtype("embedding_grad", call, 1, QUARTIC_INT32));
    const quartic_shape *g = &call->inputs[0].shape, *indices = &call->inputs[1].shape;
    quartic_shape leading = *g;
    leading.rank = g->rank > 0 ? g->rank - 1 : 0;
    if (g->rank == 0 || !quartic_shape_equal(&leading, indices)) {
        char g_text[QUARTIC_SHAPE_TEXT], indices_text[QUARTIC_SHAPE_TEXT];
        return quartic_fail(
            QUARTIC_SHAPE_MISMATCH,
            "embedding_grad needs a gradient with the axes of the indices and one more, not shape %s "
            "for indices of shape %s",
            quartic_shape_text(g, g_text), quartic_shape_text(indices, indices_text));
    }
    out[0] = quartic_layout_contiguous(QUARTIC_FLOAT32, &QUARTIC_SHAPE(attrs->rows, g->dims[g->rank - 1]));
    *out_count = 1;
    return QUARTIC_OK;
}

/* Scratch: the sums of one row (D). */
static size_t embedding_grad_scratch(const quartic_op_call *call) {
    return call->outputs[0].shape.dims[1] * sizeof(double);
}

static quartic_status embedding_grad_check(const quartic_op_run *run) {
    return embedding_check_indices(&run->inputs[1], run->outputs[0].layout->shape.dims[0]);
}

static void embedding_grad_cpu(const quartic_op_run *run) {
    const quartic_shape *table = &run->outputs[0].layout->shape;
    int64_t width = table->dims[1];
    int64_t positions = (int64_t)quartic_layout_elements(run->inputs[1].layout);
    double *sums = run->scratch; /* (D) */
    for (int64_t row = 0; row < table->dims[0]; ++row) {
        memset(sums, 0, (size_t)width * sizeof *sums);
        for (int64_t t = 0; t < positions; ++t) {
            if (quartic_get_int(&run->inputs[1], t) != row) continue;
            for (int64_t c = 0; c < width; ++c) sums[c] += quartic_get(&run->inputs[0], t * width + c);
        }
        for (int64_t c = 0; c < width; ++c) quartic_put(&run->outputs[0], row * width + c, sums[c]);
    }
}

static quartic_status embedding_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                         quartic_dispatch_list *list) {
    enum { GROUPS_PER_UNIT = 8 };
    uint64_t positions = quartic_layout_elements(&call->inputs[1]);
    const uint32_t *table = call->outputs[0].shape.dims;
    uint64_t columns = (table[1] + 31) / 32;
    /* A workgroup takes fewer rows while the device would not be full. */
    uint32_t rows = EMBEDDING_GRAD_MAX_ROWS;
    while (rows > 1 &&
           (table[0] + rows - 1) / rows * columns < (uint64_t)GROUPS_PER_UNIT * limits->compute_units)
        rows /= 2;
    uint64_t groups = (table[0] + rows - 1) / rows * columns;
    quartic_embedding_grad_args args = {
        .positions = (uint32_t)positions, .rows = table[0], .width = table[1], .group_rows = rows};
    quartic_dispatch *dispatch =
        quartic_dispatch_add(list, "embedding_grad", quartic_embedding_grad_push(&args));
    if (dispatch == NULL) return QUARTIC_INTERNAL;
    quartic_dispatch_groups(dispatch, groups);
    dispatch->flops = (double)groups * (double)positions + (double)positions * table[1];
    dispatch->bytes = 4.0 * ((double)table[0] + (double)positions) * table[1];
    return QUARTIC_OK;
}

/* Linear in g, so the gradient reads rows again. */
static quartic_status embedding_grad_grad(quartic_tape *tape) {
    if (quartic_tape_wants(tape, 0))
        quartic_tape_give(tape, 0,
                          quartic_embedding(quartic_tape_graph(tape), quartic_tape_gradient(tape, 0),
                                            quartic_tape_input(tape, 1)));
    return QUARTIC_OK;
}

static bool embedding_grad_cases(uint32_t index, quartic_op_case *out) {
    if (!embedding_cases(index, out)) return false;
    const embedding_case *from = &embedding_table[index];
    *(quartic_embedding_attrs *)out->attrs = (quartic_embedding_attrs){from->rows};
    out->inputs[0].shape = from->indices;
    out->inputs[0].shape.dims[out->inputs[0].shape.rank++] = from->width;
    return true;
}

static double embedding_grad_reduction(const quartic_op_call *call) {
    return (double)quartic_layout_elements(&call->inputs[1]);
}

static double embedding_grad_flops(const quartic_op_call *call) {
    return (double)quartic_layout_elements(&call->inputs[0]);
}

const quartic_op quartic_op_embedding_grad = {
    .name = "embedding_grad",
    .attrs_bytes = sizeof(quartic_embedding_attrs),
    .infer = embedding_grad_infer,
    .check = embedding_grad_check,
    .cpu = embedding_grad_cpu,
    .cpu_scratch = embedding_grad_scratch,
    .gpu = embedding_grad_gpu,
    .grad = embedding_grad_grad,
    .cases = embedding_grad_cases,
    .flops = embedding_grad_flops,
    .tolerance = 4,
    .tolerance_reason = "each addition rounds once; terms of either sign make the sum smaller than they are",
    .reduction = embedding_grad_reduction,
};

quartic_value quartic_embedding(quartic_graph *graph, quartic_value table, quartic_value indices) {
    QUARTIC_CALL();
    const quartic_value inputs[] = {table, indices};
    return quartic_graph_append_one(graph, &quartic_op_embedding, NULL, inputs, 2);
}
