/* relational_scores.h: operands and extents of the op relational_scores, for the op and its tuned kernel.
 */
#ifndef QUARTIC_OPS_RELATIONAL_SCORES_H
#define QUARTIC_OPS_RELATIONAL_SCORES_H

#include "ops/ops.h"

/* Inputs of the op and of its adjoint by index; the last is `base` forward and ds backward. */
enum {
    QUARTIC_RELATIONAL_E,        /* (b, i, j, De) */
    QUARTIC_RELATIONAL_SENDER,   /* (b, h, De, j) */
    QUARTIC_RELATIONAL_RECEIVER, /* (b, h, i, De) or left out */
    QUARTIC_RELATIONAL_FORM,     /* (h, De, De) or left out */
    QUARTIC_RELATIONAL_BASE,     /* (b, h, i, j), any strides */
    QUARTIC_RELATIONAL_DS = QUARTIC_RELATIONAL_BASE,
    QUARTIC_RELATIONAL_INPUTS
};

typedef struct quartic_relational_problem {
    uint32_t b, n, heads, dim; /* dim: De */
    bool has_receiver, has_form;
} quartic_relational_problem;

static inline quartic_relational_problem quartic_relational_problem_of(const quartic_layout *e,
                                                                       const quartic_layout *sender,
                                                                       bool has_receiver, bool has_form) {
    return (quartic_relational_problem){.b = e->shape.dims[0],
                                        .n = e->shape.dims[1],
                                        .heads = sender->shape.dims[1],
                                        .dim = e->shape.dims[3],
                                        .has_receiver = has_receiver,
                                        .has_form = has_form};
}

static inline quartic_relational_problem quartic_relational_problem_of_call(const quartic_op_call *call) {
    return quartic_relational_problem_of(&call->inputs[QUARTIC_RELATIONAL_E],
                                         &call->inputs[QUARTIC_RELATIONAL_SENDER],
                                         quartic_is_present(&call->inputs[QUARTIC_RELATIONAL_RECEIVER]),
                                         quartic_is_present(&call->inputs[QUARTIC_RELATIONAL_FORM]));
}

static inline quartic_relational_problem quartic_relational_problem_of_run(const quartic_op_run *run) {
    return quartic_relational_problem_of(run->inputs[QUARTIC_RELATIONAL_E].layout,
                                         run->inputs[QUARTIC_RELATIONAL_SENDER].layout,
                                         run->inputs[QUARTIC_RELATIONAL_RECEIVER].data != NULL,
                                         run->inputs[QUARTIC_RELATIONAL_FORM].data != NULL);
}

/* The op's GPU rules: relational_gpu.c. */
quartic_status quartic_relational_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                      quartic_dispatch_list *list);
quartic_status quartic_relational_gpu_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                           quartic_dispatch_list *list);
/* A quartic_op.candidates of the adjoint. */
void quartic_relational_candidates_grad(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                        quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count);

/* Operations of the op or of its adjoint. */
double quartic_relational_flops(const quartic_relational_problem *problem, bool backward);

#endif
