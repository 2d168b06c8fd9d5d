/* op.h: the contract of an op. One const struct per op is its only door.
 *
 * infer   the only place that rejects operands, with a sentence; gives the outputs' dtypes and shapes.
 * view    for ops that move no data: gives the output's layout from the input's; such an op has no kernel.
 * check   rejects operand contents that would lead out of range (indices), with a sentence; optional.
 * cpu     the reference: plain loops in the formula's order, double accumulators, no allocation, no state.
 *         It reads with quartic_get and writes with quartic_put, so that the same loops run on float and on
 *         double storage (the device "reference64").
 * gpu     a pure function from shapes and limits to plain dispatch records.
 * grad    appends the adjoint to the graph through the tape (tape.h).
 * cases   the operands on which `quartic validate` compares the backends and checks the gradients.
 *
 * Invariants: outputs are contiguous, except where they alias a mutated input. An input whose bit is not in
 * strided_inputs arrives contiguous: where it is not, append puts a copy in front. Kernels write every
 * element of every output.
 */
#ifndef QUARTIC_GRAPH_OP_H
#define QUARTIC_GRAPH_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/layout.h"

enum { QUARTIC_OP_MAX_INPUTS = 12, QUARTIC_OP_MAX_OUTPUTS = 8, QUARTIC_OP_ATTRS_BYTES = 64 };

/* What is known of one use of an op before it runs. Layout offsets are counted from the storage's start. */
typedef struct quartic_op_call {
    const void *attrs;
    uint32_t input_count, output_count;
    const quartic_layout *inputs; /* dtype QUARTIC_NO_DTYPE: left out */
    const quartic_layout *outputs;
} quartic_op_call;

/* One operand of a running kernel; data points at the layout's first element (offset already applied).
 * wide: real numbers are stored as double. data is NULL for a left-out input. jitter: the state of a random
 * generator by which each number that is read or written is moved up or down by one float32 epsilon, each
 * time anew: so it shows what the roundings of a float32 kernel may do to its results (verify/spread.h). */
typedef struct quartic_operand {
    void *data;
    const quartic_layout *layout;
    bool wide;
    uint64_t *jitter; /* of wide numbers; NULL: none */
} quartic_operand;

typedef struct quartic_op_run {
    const void *attrs;
    uint32_t input_count, output_count;
    quartic_operand inputs[QUARTIC_OP_MAX_INPUTS];
    quartic_operand outputs[QUARTIC_OP_MAX_OUTPUTS];
    void *scratch;    /* cpu_scratch bytes (or the fast row's); shared by nobody */
    uint32_t threads; /* for fast rows; the reference uses one */
} quartic_op_run;

/* Element access; position is relative to the operand's first element, in elements. */
double quartic_jittered(uint64_t *state, double number); /* see quartic_operand */
static inline double quartic_get(const quartic_operand *operand, int64_t position) {
    if (!operand->wide) return (double)((const float *)operand->data)[position];
    const double number = ((const double *)operand->data)[position];
    return operand->jitter == NULL ? number : quartic_jittered(operand->jitter, number);
}
static inline void quartic_put(const quartic_operand *operand, int64_t position, double number) {
    if (operand->wide)
        ((double *)operand->data)[position] =
            operand->jitter == NULL ? number : quartic_jittered(operand->jitter, number);
    else
        ((float *)operand->data)[position] = (float)number;
}
static inline int32_t quartic_get_int(const quartic_operand *operand, int64_t position) {
    return ((const int32_t *)operand->data)[position];
}
static inline bool quartic_is_present(const quartic_layout *layout) {
    return layout->dtype != QUARTIC_NO_DTYPE;
}

/* How a test fills an operand. NORMAL: standard normal with a few outliers of magnitude 10. */
typedef enum quartic_fill_kind {
    QUARTIC_FILL_NORMAL,
    QUARTIC_FILL_SMALL,        /* normal * 0.3, no outliers: for operands of steep functions */
    QUARTIC_FILL_POSITIVE,     /* uniform in [0.5, 2) */
    QUARTIC_FILL_INDEX,        /* int32 uniform in [0, limit) */
    QUARTIC_FILL_SIGNED_INDEX, /* int32 uniform in [-1, limit) */
    QUARTIC_FILL_SORTED_INDEX, /* int32 in [0, limit), ascending along the last axis, a few repeated */
    QUARTIC_FILL_MASK,         /* int32 0 or 1, about a third zeros, sometimes a whole row */
    QUARTIC_FILL_ZERO,
    QUARTIC_FILL_HUGE, /* normal * 1e30: its squares are beyond float32 */
    QUARTIC_FILL_TINY  /* normal * 1e-30: its squares are 0 in float32 */
} quartic_fill_kind;

typedef struct quartic_op_case {
    const char *label;
    uint64_t attrs[QUARTIC_OP_ATTRS_BYTES / 8]; /* the op's attrs struct, copied in */
    uint32_t input_count;
    struct {
        quartic_dtype dtype; /* QUARTIC_NO_DTYPE: left out */
        quartic_shape shape;
        quartic_fill_kind fill;
        uint32_t limit;
        bool no_gradient; /* not differentiated (masks, seeds, kinks) */
    } inputs[QUARTIC_OP_MAX_INPUTS];
    bool no_finite_difference; /* the function has a kink or jump at random points */
} quartic_op_case;

/* Named here only: what they hold is in ops/dispatch.h and tape_state.h. */
struct quartic_gpu_limits;
struct quartic_dispatch_list;
struct quartic_tape;

typedef struct quartic_op {
    const char *name;
    /* The builder that was called, where one op serves several; NULL: the op's name. See quartic_op_builder.
     */
    const char *(*builder)(const void *attrs);
    uint32_t attrs_bytes;
    uint32_t strided_inputs;  /* bit k: input k may have any strides */
    uint32_t in_place_inputs; /* bit k: output 0 may take the memory of input k (same size, contiguous) */
    uint32_t mutated_inputs;  /* output m is the m-th input of these, updated in place */
    bool assigns; /* in place: input 0 becomes input 1; a plan may have input 1 made there (plan/assigns.h) */
    uint32_t saved_outputs; /* bit k: output k is only kept for the backward pass and has no gradient */
    quartic_status (*infer)(const quartic_op_call *call, quartic_layout *out_layouts, uint32_t *out_count);
    quartic_status (*view)(const void *attrs, const quartic_layout *in, quartic_layout *out_layout);
    quartic_status (*check)(const quartic_op_run *run); /* on CPU devices before the kernel; NULL: nothing */
    void (*cpu)(const quartic_op_run *run);
    size_t (*cpu_scratch)(const quartic_op_call *call); /* NULL: none */
    quartic_status (*gpu)(const quartic_op_call *call, const struct quartic_gpu_limits *limits,
                          struct quartic_dispatch_list *out_list);
    quartic_status (*grad)(struct quartic_tape *tape);        /* NULL: not differentiable */
    bool (*cases)(uint32_t index, quartic_op_case *out_case); /* false: no case of that index */
    double (*flops)(const quartic_op_call *call);             /* NULL: one per output element */
    /* Bound on |backend - reference|: tolerance * eps(float32) * sqrt(reduction) * scale of the output. */
    double tolerance;
    const char *tolerance_reason;
    double (*reduction)(const quartic_op_call *call); /* length of the longest sum, NULL: 1 */
} quartic_op;

/* The name for sentences: that of the builder without "quartic_". */
const char *quartic_op_builder(const quartic_op *op, const void *attrs);

/* Shared checks for infer: SHAPE_MISMATCH or INVALID_ARGUMENT with a sentence. */
quartic_status quartic_op_expect_inputs(const char *op, const quartic_op_call *call, uint32_t least,
                                        uint32_t most);
quartic_status quartic_op_expect_dtype(const char *op, const quartic_op_call *call, uint32_t input,
                                       quartic_dtype dtype);
quartic_status quartic_op_expect_rank(const char *op, const quartic_op_call *call, uint32_t input,
                                      uint32_t rank);
quartic_status quartic_op_expect_shape(const char *op, const quartic_op_call *call, uint32_t input,
                                       const quartic_shape *shape);

#endif
