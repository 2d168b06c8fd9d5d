/* row_linear.h: what the reference, the GPU plan and the tuned kernels of norm_linear and gated_linear
 * share.
 *
 * Both are products of rows x (rows, K) with weights W_p (N_p, K), to y_p (rows, N_p). They differ in the
 * form, which says what happens to a row before it is multiplied. See row_linear.c.
 */
#ifndef QUARTIC_OPS_ROW_LINEAR_H
#define QUARTIC_OPS_ROW_LINEAR_H

#include "lib/row_linear.h"
#include "ops/ops.h"

typedef struct row_linear_attrs {
    uint32_t form;     /* QUARTIC_ROW_RMS, .. */
    uint32_t raw;      /* norm_linear: bit p: weight p multiplies x itself */
    float eps, offset; /* norm_linear: as in norm.h */
    float alpha;       /* factor of the first output */
} row_linear_attrs;

/* The inputs by index: of norm_linear the weights follow the scale; gated_linear has exactly one. */
enum { ROW_LINEAR_X, ROW_LINEAR_SCALE, ROW_LINEAR_WEIGHTS };
enum { ROW_LINEAR_GATES = 1, ROW_LINEAR_WEIGHT, ROW_LINEAR_ADDEND };

typedef struct row_linear_problem {
    uint64_t rows;
    uint32_t k, heads, parts;
    uint32_t n[QUARTIC_ROW_PARTS];
    bool norms, has_side, has_addend; /* side: the scale or the gates */
} row_linear_problem;

static inline bool row_linear_norms(const row_linear_attrs *attrs) {
    return attrs->form == QUARTIC_ROW_RMS || attrs->form == QUARTIC_ROW_L2;
}

static inline bool row_linear_has_input(const quartic_op_call *call, uint32_t input) {
    return input < call->input_count && quartic_is_present(&call->inputs[input]);
}

/* The extents of operands that infer accepted. Reads inputs and attrs only. */
row_linear_problem row_linear_describe(const quartic_op_call *call);

/* The ops' GPU rule: row_linear_gpu.c. */
quartic_status row_linear_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                              quartic_dispatch_list *list);

#endif
