/* problem.c: the canonical form of a matrix product. See problem.h.
 *
 * Axes are merged from the fastest outward. Two neighbouring axes become one where both operands walk them as
 * one. The innermost batch axis is folded into m if B does not move along it and A goes on row after
 * row; the innermost summed axis is folded into k if both operands go on along k.
 */
#include "ops/matmul/problem.h"

/* Whether an outer axis of this stride continues an inner axis of that extent and stride. */
static bool matmul_axis_continues(int64_t outer_stride, uint32_t extent, int64_t stride) {
    return outer_stride == stride * (int64_t)extent;
}

/* Appends an axis on the fast side, merged with the one before it where both operands allow. */
static void matmul_push_axis(quartic_matmul_axis *axes, uint32_t *count, quartic_matmul_axis axis) {
    if (axis.extent == 1) return;
    if (*count > 0) {
        quartic_matmul_axis *outer = &axes[*count - 1];
        if (matmul_axis_continues(outer->a_stride, axis.extent, axis.a_stride) &&
            matmul_axis_continues(outer->b_stride, axis.extent, axis.b_stride)) {
            axis.extent *= outer->extent;
            *outer = axis;
            return;
        }
    }
    axes[(*count)++] = axis;
}

static void matmul_fold_batches(quartic_matmul_problem *p, quartic_matmul_axis *batch) {
    while (p->batch_axes > 0) {
        const quartic_matmul_axis *axis = &batch[p->batch_axes - 1];
        if (p->m == 1 && axis->b_stride == 0)
            p->a_row = axis->a_stride;
        else if (axis->b_stride != 0 || !matmul_axis_continues(axis->a_stride, p->m, p->a_row))
            return;
        p->m *= axis->extent;
        --p->batch_axes;
    }
}

static void matmul_fold_sums(quartic_matmul_problem *p, quartic_matmul_axis *summed) {
    while (p->summed_axes > 0) {
        const quartic_matmul_axis *axis = &summed[p->summed_axes - 1];
        if (p->k == 1) {
            p->a_k = axis->a_stride;
            p->b_k = axis->b_stride;
        } else if (!matmul_axis_continues(axis->a_stride, p->k, p->a_k) ||
                   !matmul_axis_continues(axis->b_stride, p->k, p->b_k)) {
            return;
        }
        p->k *= axis->extent;
        --p->summed_axes;
    }
}

quartic_matmul_problem quartic_matmul_describe(const quartic_op_call *call) {
    const quartic_matmul_attrs *attrs = call->attrs;
    const quartic_layout *a = &call->inputs[QUARTIC_MATMUL_A], *b = &call->inputs[QUARTIC_MATMUL_B];
    uint32_t a_rank = a->shape.rank, b_rank = b->shape.rank;
    uint32_t a_m = attrs->transpose_a ? a_rank - 1 : a_rank - 2,
             a_k = attrs->transpose_a ? a_rank - 2 : a_rank - 1;
    uint32_t b_k = attrs->transpose_b ? b_rank - 1 : b_rank - 2,
             b_n = attrs->transpose_b ? b_rank - 2 : b_rank - 1;
    quartic_matmul_problem p = {
        .m = a->shape.dims[a_m],
        .n = b->shape.dims[b_n],
        .k = a->shape.dims[a_k],
        .a_row = a->strides[a_m],
        .a_k = a->strides[a_k],
        .b_k = b->strides[b_k],
        .b_col = b->strides[b_n],
        .batches = 1,
        .sums = 1,
        .alpha = attrs->alpha,
        .has_bias =
            call->input_count > QUARTIC_MATMUL_BIAS && quartic_is_present(&call->inputs[QUARTIC_MATMUL_BIAS]),
        .has_addend = call->input_count > QUARTIC_MATMUL_ADDEND &&
                      quartic_is_present(&call->inputs[QUARTIC_MATMUL_ADDEND]),
    };
    quartic_matmul_axis batch[QUARTIC_MATMUL_MAX_AXES], summed[QUARTIC_MATMUL_MAX_AXES];
    uint32_t rank = (a_rank > b_rank ? a_rank : b_rank) - 2;
    for (uint32_t axis = 0; axis < rank; ++axis) {
        /* Leading axes are aligned at their last; a missing one has extent 1. */
        bool in_a = axis + a_rank >= rank + 2, in_b = axis + b_rank >= rank + 2;
        uint32_t at_a = axis + a_rank - rank - 2, at_b = axis + b_rank - rank - 2;
        uint32_t a_extent = in_a ? a->shape.dims[at_a] : 1, b_extent = in_b ? b->shape.dims[at_b] : 1;
        quartic_matmul_axis joint = {.extent = a_extent == 1 ? b_extent : a_extent,
                                     .a_stride = a_extent == 1 ? 0 : a->strides[at_a],
                                     .b_stride = b_extent == 1 ? 0 : b->strides[at_b]};
        if (attrs->summed >> axis & 1u)
            matmul_push_axis(summed, &p.summed_axes, joint);
        else
            matmul_push_axis(batch, &p.batch_axes, joint);
    }
    matmul_fold_batches(&p, batch);
    matmul_fold_sums(&p, summed);
    /* A stride along an axis of extent 1 is never used; 0 and 1 keep the choice of load paths simple. */
    if (p.m == 1) p.a_row = 0;
    if (p.n == 1) p.b_col = 0;
    if (p.k == 1) p.a_k = p.b_k = 0;
    for (uint32_t axis = 0; axis < p.batch_axes; ++axis) {
        p.axes[axis] = batch[axis];
        p.batches *= batch[axis].extent;
    }
    for (uint32_t axis = 0; axis < p.summed_axes; ++axis) {
        p.axes[p.batch_axes + axis] = summed[axis];
        p.sums *= summed[axis].extent;
    }
    return p;
}

static void matmul_offsets(const quartic_matmul_axis *axes, uint32_t count, uint64_t index, int64_t *out_a,
                           int64_t *out_b) {
    *out_a = *out_b = 0;
    for (uint32_t axis = count; axis-- > 0;) {
        int64_t within = (int64_t)(index % axes[axis].extent);
        index /= axes[axis].extent;
        *out_a += within * axes[axis].a_stride;
        *out_b += within * axes[axis].b_stride;
    }
}

void quartic_matmul_batch_offsets(const quartic_matmul_problem *problem, uint64_t index, int64_t *out_a,
                                  int64_t *out_b) {
    matmul_offsets(problem->axes, problem->batch_axes, index, out_a, out_b);
}

void quartic_matmul_sum_offsets(const quartic_matmul_problem *problem, uint64_t index, int64_t *out_a,
                                int64_t *out_b) {
    matmul_offsets(problem->axes + problem->batch_axes, problem->summed_axes, index, out_a, out_b);
}

double quartic_matmul_flops(const quartic_matmul_problem *problem) {
    return 2.0 * problem->m * problem->n * problem->k * (double)problem->batches * (double)problem->sums;
}
