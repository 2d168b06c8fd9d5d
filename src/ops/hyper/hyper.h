/* hyper.h: the ops of hyper-connections, as their plans, reference kernels and tuned kernels share them.
 *
 * hyper_width makes of the residual streams what goes into a branch and what goes past it, hyper_depth joins
 * the two again. Formulas: hyper_width.c, hyper_depth.c.
 */
#ifndef QUARTIC_OPS_HYPER_HYPER_H
#define QUARTIC_OPS_HYPER_HYPER_H

#include "lib/hyper.h"
#include "ops/ops.h"
#include "quartic/graph.h"

enum { QUARTIC_HYPER_MOST_STREAMS = 64 };

typedef struct hyper_width_attrs {
    uint32_t mixes; /* gives the streams that go past the branch: output HYPER_KEPT */
    uint32_t equal; /* all S streams are one x (b, n, D), and the branch's input is normalised */
    uint32_t wants; /* of an adjoint: QUARTIC_HYPER_WANT_* */
    float eps;      /* of that norm */
} hyper_width_attrs;

/* Inputs of hyper_width, then those that only its adjoint has. The adjoint may lack the last three. */
enum hyper_width_input {
    HYPER_X,            /* (b, n, S, D), or (b, n, D) if equal */
    HYPER_GAMMA,        /* (D) */
    HYPER_STATIC_ALPHA, /* (S, S + 1) */
    HYPER_ALPHA_FN,     /* (D, S + 1) */
    HYPER_ALPHA_SCALE,  /* () */
    HYPER_STATIC_BETA,  /* (S) */
    HYPER_BETA_FN,      /* (D) */
    HYPER_BETA_SCALE,   /* () */
    HYPER_WIDTH_INPUTS,
    HYPER_SAVED_LOGITS = HYPER_WIDTH_INPUTS, /* as the output */
    HYPER_BRANCH_GRADIENT,
    HYPER_BETA_GRADIENT,
    HYPER_KEPT_GRADIENT,
    HYPER_WIDTH_GRAD_INPUTS
};

enum hyper_width_output {
    HYPER_BRANCH, /* (b, n, D) */
    HYPER_BETA,   /* (b, n, S) */
    HYPER_LOGITS, /* (b, n, rows, S + 2): N_s . (alpha_fn, beta_fn); rows: S, or 1 if equal. Saved */
    HYPER_KEPT,   /* (b, n, S, D), if it mixes */
    HYPER_WIDTH_OUTPUTS
};

typedef struct hyper_width_extents {
    uint64_t tokens;
    uint32_t streams, rows, dim; /* rows: of a token, S or 1 */
    uint32_t sums;               /* S + 2: coefficients of a row, alpha_0 .. alpha_S and beta */
} hyper_width_extents;

/* Of operands that infer accepted. */
static inline hyper_width_extents hyper_width_extents_of(const hyper_width_attrs *attrs,
                                                         const quartic_layout *x,
                                                         const quartic_layout *static_beta) {
    const uint32_t streams = static_beta->shape.dims[0];
    return (hyper_width_extents){.tokens = (uint64_t)x->shape.dims[0] * x->shape.dims[1],
                                 .streams = streams,
                                 .rows = attrs->equal ? 1 : streams,
                                 .dim = x->shape.dims[x->shape.rank - 1],
                                 .sums = streams + 2};
}

/* The kernels of hyper_width and its adjoint: hyper_width_reference.c, hyper_width_gpu.c. */
void hyper_width_cpu(const quartic_op_run *run);
void hyper_width_grad_cpu(const quartic_op_run *run);
size_t hyper_width_cpu_scratch(const quartic_op_call *call);
size_t hyper_width_grad_cpu_scratch(const quartic_op_call *call);
quartic_status hyper_width_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                               quartic_dispatch_list *list);
quartic_status hyper_width_grad_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                    quartic_dispatch_list *list);

/* Inputs of hyper_depth and of its adjoint. */
enum { HYPER_DEPTH_KEPT, HYPER_DEPTH_BETA, HYPER_DEPTH_BRANCH, HYPER_DEPTH_INPUTS };
enum {
    HYPER_DEPTH_DY,          /* (b, n, S, D) */
    HYPER_DEPTH_GRAD_BETA,   /* (b, n, S) */
    HYPER_DEPTH_GRAD_BRANCH, /* (b, n, D) */
    HYPER_DEPTH_GRAD_INPUTS
};

typedef struct hyper_depth_attrs {
    uint32_t wants; /* of an adjoint: QUARTIC_HYPER_WANT_* */
} hyper_depth_attrs;

/* Where a wanted gradient of hyper_depth stands among its adjoint's outputs. */
static inline uint32_t hyper_depth_output(uint32_t wants, uint32_t want) {
    uint32_t position = 0;
    for (uint32_t bit = 1; bit < want; bit *= 2) position += (wants & bit) != 0;
    return position;
}

/* Builders. inputs: HYPER_WIDTH_INPUTS values in their order; outputs (room for HYPER_WIDTH_OUTPUTS): in
 * theirs. HYPER_KEPT is no value unless it mixes, and after an error, which the graph keeps, none is one.
 * equal: the branch's input is normalised with eps. */
void quartic_hyper_width(quartic_graph *graph, const quartic_value *inputs, bool mixes, bool equal, float eps,
                         quartic_value *outputs);
/* kept (b, n, S, D), or (b, n, D) for streams that are all equal; beta (b, n, S); branch (b, n, D). */
quartic_value quartic_hyper_depth(quartic_graph *graph, quartic_value kept, quartic_value beta,
                                  quartic_value branch);

#endif
