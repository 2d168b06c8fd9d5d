/* gpu.c: a matrix product as dispatches, as plan.h chose it.
 *
 * The parts of a split contraction are added up by the last group of each tile (matmul_split.args.h) where the device
 * lets groups hand numbers to one another and the arguments have room for the axes; else by a second dispatch
 * (matmul_reduce.args.h). Both add in the same order, so the result has the same bits.
 */
#include <stdlib.h>

#include "ops/gpu_plan.h"
#include "ops/matmul/plan.h"
#include "shaders/matmul.args.h"
#include "shaders/matmul_split.args.h"

/* Bits that say how matmul.comp reads operands and writes results; see shaders/lib/matmul.glsl. */
enum { READ_QUADS = 1, READ_ALONG_K = 2, WITH_ADDEND = 1, WRITE_QUADS = 2, WITH_BIAS = 4 };

/* How matmul.comp reads an operand of rows x k elements at these strides: along the dense axis, in quads if
 * every quad lies inside or outside as a whole and is aligned. */
static uint32_t matmul_read_mode(const quartic_matmul_problem *p, uint32_t rows, int64_t row_stride,
                                 int64_t k_stride, bool is_a, int64_t offset) {
    bool along_k = p->k > 1 && (k_stride == 1 || (row_stride != 1 && llabs(k_stride) < llabs(row_stride)));
    bool quads = (along_k ? k_stride : row_stride) == 1 && quartic_in_fours(along_k ? p->k : rows) &&
                 quartic_in_fours(along_k ? row_stride : k_stride) && quartic_in_fours(offset);
    for (uint32_t axis = 0; axis < p->batch_axes + p->summed_axes; ++axis)
        quads = quads && quartic_in_fours(is_a ? p->axes[axis].a_stride : p->axes[axis].b_stride);
    return (along_k ? READ_ALONG_K : 0u) | (quads ? READ_QUADS : 0u);
}

static int64_t matmul_offset_of(const quartic_op_call *call, uint32_t input, bool present) {
    return present ? call->inputs[input].offset : 0;
}

/* An operand that only the last dispatch of a product takes. */
static uint64_t matmul_given_input(bool present, uint32_t input) {
    return present ? quartic_dispatch_input(input) : 0;
}

/* How the tiles' shader reads the operands, and how a shader writes the results. */
typedef struct matmul_modes {
    uint32_t a, b, write;
} matmul_modes;

/* whole: the dispatch makes results, not only parts of them. */
static matmul_modes matmul_modes_of(const quartic_op_call *call, const quartic_matmul_problem *p,
                                    const quartic_matmul_plan *plan, bool whole) {
    const bool with_addend = whole && p->has_addend, tiles = plan->kind == QUARTIC_MATMUL_TILES;
    const bool write_quads = quartic_in_fours(p->n) &&
                             (!whole || quartic_in_fours(call->outputs[0].offset)) &&
                             quartic_in_fours(matmul_offset_of(call, QUARTIC_MATMUL_ADDEND, with_addend));
    matmul_modes modes = {.write = (with_addend ? WITH_ADDEND : 0u) |
                                   (tiles && write_quads ? WRITE_QUADS : 0u) |
                                   (whole && p->has_bias ? WITH_BIAS : 0u)};
    if (!tiles) return modes;
    modes.a = matmul_read_mode(p, p->m, p->a_row, p->a_k, true, call->inputs[QUARTIC_MATMUL_A].offset);
    modes.b = matmul_read_mode(p, p->n, p->b_col, p->b_k, false, call->inputs[QUARTIC_MATMUL_B].offset);
    return modes;
}

/* A dispatch of the plan's groups. extra: bytes that it moves and flops that it does beside the operands and the
 * product, per result. */
static quartic_status matmul_append(quartic_dispatch_list *list, const char *shader, quartic_push push,
                                    const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
                                    const matmul_modes *modes, double extra_bytes, double extra_flops) {
    const double operands = ((double)p->m + p->n) * p->k * (double)p->sums * (double)p->batches,
                 results = (double)p->batches * p->m * p->n;
    const quartic_dispatch_shape shape = {
        /* Constants 0 to 8 as in shaders/matmul.comp; the other shaders use some of them. */
        QUARTIC_SPEC(plan->tile_m, plan->tile_n, plan->step_k, plan->thread_m, plan->thread_n, modes->a,
                     modes->b, modes->write, plan->threads),
        .groups = plan->groups,
        .flops = quartic_matmul_flops(p) + results * extra_flops,
        .bytes = 4.0 * operands + results * extra_bytes,
    };
    return quartic_dispatch_append(list, shader, push, &shape);
}

/* The members of arguments that tell the batch and summed axes. */
static void matmul_fill_axes(const quartic_matmul_problem *p, uint32_t *extents, int32_t *a_strides,
                             int32_t *b_strides) {
    for (uint32_t axis = 0; axis < p->batch_axes + p->summed_axes; ++axis) {
        extents[axis] = p->axes[axis].extent;
        a_strides[axis] = (int32_t)p->axes[axis].a_stride;
        b_strides[axis] = (int32_t)p->axes[axis].b_stride;
    }
}

/* The whole product, or its parts, which go to *out_parts. */
static quartic_status matmul_add_product(const quartic_op_call *call, const quartic_matmul_problem *p,
                                         const quartic_matmul_plan *plan, quartic_dispatch_list *list,
                                         uint64_t *out_parts) {
    static const char *const shaders[] = {[QUARTIC_MATMUL_TILES] = "matmul",
                                          [QUARTIC_MATMUL_LANES] = "matmul_lanes",
                                          [QUARTIC_MATMUL_DOT] = "matmul_dot",
                                          [QUARTIC_MATMUL_SMALL] = "matmul_small"};
    const bool whole = plan->splits == 1;
    if (!whole) *out_parts = quartic_dispatch_reserve(list, p->batches * p->m * p->n * plan->splits * 4);
    quartic_matmul_args args = {.bias = whole ? matmul_given_input(p->has_bias, QUARTIC_MATMUL_BIAS) : 0,
                                .addend =
                                    whole ? matmul_given_input(p->has_addend, QUARTIC_MATMUL_ADDEND) : 0,
                                .result = whole ? quartic_dispatch_output(0) : *out_parts,
                                .m = p->m,
                                .n = p->n,
                                .k = p->k,
                                .alpha = whole ? p->alpha : 1.0f,
                                .a_row = (int32_t)p->a_row,
                                .a_k = (int32_t)p->a_k,
                                .b_k = (int32_t)p->b_k,
                                .b_col = (int32_t)p->b_col,
                                .axis_counts = p->batch_axes | p->summed_axes << 8,
                                .split_steps = plan->split_steps};
    matmul_fill_axes(p, args.extents, args.a_strides, args.b_strides);
    const matmul_modes modes = matmul_modes_of(call, p, plan, whole);
    const double bytes = 4.0 * (plan->splits + (whole && p->has_addend ? 1.0 : 0.0));
    return matmul_append(list, shaders[plan->kind], quartic_matmul_push(&args), p, plan, &modes, bytes, 0.0);
}

static quartic_status matmul_add_reduction(const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
                                           uint64_t parts, quartic_dispatch_list *list) {
    uint64_t results = p->batches * p->m * p->n;
    const quartic_matmul_reduce_args args = {.partial = parts,
                                             .bias = matmul_given_input(p->has_bias, QUARTIC_MATMUL_BIAS),
                                             .addend =
                                                 matmul_given_input(p->has_addend, QUARTIC_MATMUL_ADDEND),
                                             .result = quartic_dispatch_output(0),
                                             .count = (uint32_t)results,
                                             .n = p->n,
                                             .splits = plan->splits,
                                             .alpha = p->alpha};
    return quartic_add_parts(list, &args);
}

/* Whether the last group of each tile may add up its parts. Not for DOT: Mesa's software rasteriser (22.3) loses
 * invocations behind a barrier that follows its sums in shared memory. Not for tiles where an invocation has few
 * registers: the addresses of its results, kept over all parts, would spill there. */
static bool matmul_can_finish(const quartic_matmul_problem *p, const quartic_matmul_plan *plan,
                              const quartic_gpu_limits *limits) {
    const size_t most_axes = sizeof(((quartic_matmul_split_args *)0)->extents) / sizeof(uint32_t);
    const bool kind_can = plan->kind == QUARTIC_MATMUL_LANES ||
                          (plan->kind == QUARTIC_MATMUL_TILES && !quartic_gpu_has_few_registers(limits));
    return limits->has_memory_model && kind_can && p->batch_axes + p->summed_axes <= most_axes;
}

/* A split product by one dispatch. */
static quartic_status matmul_add_split(const quartic_op_call *call, const quartic_matmul_problem *p,
                                       const quartic_matmul_plan *plan, quartic_dispatch_list *list) {
    static const char *const shaders[] = {
        [QUARTIC_MATMUL_TILES] = "matmul_split", [QUARTIC_MATMUL_LANES] = "matmul_lanes_split"};
    quartic_matmul_split_args args = {
        .bias = matmul_given_input(p->has_bias, QUARTIC_MATMUL_BIAS),
        .addend = matmul_given_input(p->has_addend, QUARTIC_MATMUL_ADDEND),
        .parts = quartic_dispatch_reserve(list, p->batches * p->m * p->n * plan->splits * 4),
        .counters = quartic_dispatch_counters(list, plan->groups / plan->splits),
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .alpha = p->alpha,
        .a_row = (int32_t)p->a_row,
        .a_k = (int32_t)p->a_k,
        .b_k = (int32_t)p->b_k,
        .b_col = (int32_t)p->b_col,
        .axis_counts = p->batch_axes | p->summed_axes << 8,
        .split_steps = plan->split_steps};
    matmul_fill_axes(p, args.extents, args.a_strides, args.b_strides);
    const matmul_modes modes = matmul_modes_of(call, p, plan, true);
    /* The parts are written and read once each. */
    const double bytes = 4.0 * (2.0 * plan->splits + 1.0 + (p->has_addend ? 1.0 : 0.0));
    return matmul_append(list, shaders[plan->kind], quartic_matmul_split_push(&args), p, plan, &modes, bytes,
                         plan->splits);
}

quartic_status quartic_matmul_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list) {
    quartic_matmul_problem problem = quartic_matmul_describe(call);
    quartic_matmul_plan plan = quartic_matmul_choose(&problem, limits);
    const uint64_t iterations = quartic_matmul_loop_iterations(&problem, &plan, plan.split_steps);
    if (limits->max_iterations != 0 && iterations > limits->max_iterations)
        return quartic_fail(
            QUARTIC_UNSUPPORTED,
            "matmul of %llu x (%u x %u) results contracts %llu x %u elements: its loops would run %llu "
            "iterations, and this device leaves loops after %u; use the device cpu",
            (unsigned long long)problem.batches, problem.m, problem.n, (unsigned long long)problem.sums,
            problem.k, (unsigned long long)iterations, limits->max_iterations);
    if (plan.splits > 1 && matmul_can_finish(&problem, &plan, limits))
        return matmul_add_split(call, &problem, &plan, list);
    uint64_t parts = 0;
    QUARTIC_TRY(matmul_add_product(call, &problem, &plan, list, &parts));
    return plan.splits == 1 ? QUARTIC_OK : matmul_add_reduction(&problem, &plan, parts, list);
}
