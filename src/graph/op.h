/* op.h: the contract of an op. All that others see of an op is one constant quartic_op.
 *
 *   infer   checks attributes and operands, with a message, and gives the dtypes and shapes of the outputs.
 *           No other function rejects operands by their shape.
 *   view    for ops that move no data: gives the layout of the output over the storage of the input. Such an
 *           op has no kernel.
 *   check   optional: rejects contents of operands that would lead out of range (indices), with a message.
 *   cpu     the reference kernel, which defines the result: plain loops in the order of the formula, sums in
 *           double, no allocation, no state. It reads with quartic_get and writes with quartic_put, so the
 *           same loops run on float and on double storage (the device "reference64").
 *   gpu     gives the dispatches (shader, constants, sizes, groups) as a pure function of shapes and limits.
 *   grad    appends the adjoint to the graph through the tape (tape.h).
 *   cases   the operands on which `quartic validate` compares the backends and checks the gradients.
 *
 * Invariants:
 * - Outputs are contiguous, unless they alias an input that is updated in place.
 * - An input whose bit is not set in strided_inputs is contiguous when a kernel sees it, or as takes_strides
 *   allows: where the value is not, the graph puts a copy in front.
 * - A kernel writes every element of every output.
 */
#ifndef QUARTIC_GRAPH_OP_H
#define QUARTIC_GRAPH_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/layout.h"

enum { QUARTIC_OP_MAX_INPUTS = 12, QUARTIC_OP_MAX_OUTPUTS = 8, QUARTIC_OP_ATTRS_BYTES = 64 };

/* One use of an op, before it runs. The offset of a layout counts from the start of its storage. */
typedef struct quartic_op_call {
    const void *attrs;
    uint32_t input_count, output_count;
    const quartic_layout *inputs; /* dtype QUARTIC_NO_DTYPE: left out */
    const quartic_layout *outputs;
} quartic_op_call;

/* One operand of a running kernel. */
typedef struct quartic_operand {
    void *data; /* the layout's first element, offset already applied; NULL for an input that was left out */
    const quartic_layout *layout;
    bool wide; /* real numbers are stored as double */
    /* Only with wide, else NULL: the state of a random generator. By it every number that is read or written
     * is moved up or down by one float32 epsilon, which shows what the rounding of a float32 kernel may do to
     * its results (verify/spread.h). */
    uint64_t *jitter;
} quartic_operand;

typedef struct quartic_op_run {
    const void *attrs;
    uint32_t input_count, output_count;
    quartic_operand inputs[QUARTIC_OP_MAX_INPUTS];
    quartic_operand outputs[QUARTIC_OP_MAX_OUTPUTS];
    void *scratch;    /* as many bytes as cpu_scratch, or the tuned kernel's own rule, asked for */
    uint32_t threads; /* that a tuned kernel may use; the reference kernel uses one */
} quartic_op_run;

/* quartic_operand says what this is for. Returns the number moved, and advances the state. */
double quartic_jittered(uint64_t *state, double number);

/* Access to an element of an operand that was not left out. position counts elements from its first one. */
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

/* How a test fills an operand. */
typedef enum quartic_fill_kind {
    QUARTIC_FILL_NORMAL,       /* standard normal with a few outliers of magnitude 10 */
    QUARTIC_FILL_SMALL,        /* normal * 0.3 without outliers: for operands of steep functions */
    QUARTIC_FILL_POSITIVE,     /* uniform in [0.5, 2) */
    QUARTIC_FILL_INDEX,        /* int32 uniform in [0, limit) */
    QUARTIC_FILL_SIGNED_INDEX, /* int32 uniform in [-1, limit) */
    QUARTIC_FILL_SORTED_INDEX, /* int32 in [0, limit), ascending along the last axis, a few repeated */
    QUARTIC_FILL_MASK,         /* int32 0 or 1, about a third of them zero, sometimes a whole row */
    QUARTIC_FILL_ZERO,
    QUARTIC_FILL_HUGE, /* normal * 1e30: its squares are beyond float32 */
    QUARTIC_FILL_TINY  /* normal * 1e-30: its squares are 0 in float32 */
} quartic_fill_kind;

/* Operands and attributes of one test of an op. */
typedef struct quartic_op_case {
    const char *label;                          /* what the case is about; static */
    uint64_t attrs[QUARTIC_OP_ATTRS_BYTES / 8]; /* the op's attrs struct, copied in */
    uint32_t input_count;
    struct {
        quartic_dtype dtype; /* QUARTIC_NO_DTYPE: left out */
        quartic_shape shape;
        quartic_fill_kind fill;
        uint32_t limit;   /* of the index fills */
        bool no_gradient; /* not differentiated (masks, seeds, kinks) */
    } inputs[QUARTIC_OP_MAX_INPUTS];
    bool no_finite_difference; /* the function has a kink or jump at random points */
} quartic_op_case;

/* Defined in ops/dispatch.h and tape_state.h. */
struct quartic_gpu_limits;
struct quartic_tuning_choice; /* ops/tuning.h */
struct quartic_dispatch_list;
struct quartic_tape;

typedef struct quartic_op {
    const char *name;
    /* The builder that was called, if one op has several; NULL: the op's name. See quartic_op_builder. */
    const char *(*builder)(const void *attrs);
    uint32_t attrs_bytes;    /* of the op's struct of attributes, which is copied byte by byte */
    uint32_t strided_inputs; /* bit k: input k may have any strides */
    /* Whether an input that may not have any strides may have these; NULL: it must be contiguous. */
    bool (*takes_strides)(const void *attrs, uint32_t input, const quartic_layout *layout);
    uint32_t in_place_inputs; /* bit k: output 0 may take the memory of input k (same size, contiguous) */
    uint32_t mutated_inputs;  /* bit k: input k is updated in place; output m is the m-th of these inputs */
    bool assigns; /* in place: input 0 becomes input 1; a plan may have input 1 made there (plan/assigns.h) */
    /* Whether the inputs lie one after the other in output 0, so that a plan may have them made there; NULL: no. */
    bool (*joins)(const quartic_op_call *call);
    uint32_t saved_outputs; /* bit k: output k is kept for the backward pass only and has no gradient */
    quartic_status (*infer)(const quartic_op_call *call, quartic_layout *out_layouts, uint32_t *out_count);
    quartic_status (*view)(const void *attrs, const quartic_layout *in, quartic_layout *out_layout);
    quartic_status (*check)(const quartic_op_run *run); /* on CPU devices, before the kernel; NULL: none */
    void (*cpu)(const quartic_op_run *run);
    size_t (*cpu_scratch)(const quartic_op_call *call); /* NULL: none */
    quartic_status (*gpu)(const quartic_op_call *call, const struct quartic_gpu_limits *limits,
                          struct quartic_dispatch_list *out_list);
    /* Appends the choices, beside gpu's own, that gpu takes from its limits for this call: what is worth
     * measuring. At most capacity entries in all. NULL: there is nothing to choose. */
    void (*candidates)(const quartic_op_call *call, const struct quartic_gpu_limits *limits,
                       struct quartic_tuning_choice *out, uint32_t capacity, uint32_t *inout_count);
    quartic_status (*grad)(struct quartic_tape *tape);        /* NULL: not differentiable */
    bool (*cases)(uint32_t index, quartic_op_case *out_case); /* false: no case of that index */
    double (*flops)(const quartic_op_call *call);             /* NULL: 1 for each element of the outputs */
    /* Bound of |backend - reference|: tolerance * sqrt(reduction) * what one rounding does to the result; see
     * docs/numerics.md. */
    double tolerance;
    const char *tolerance_reason;
    double (*reduction)(const quartic_op_call *call); /* length of the longest sum; NULL: 1 */
} quartic_op;

/* The name of an op in messages: that of the public builder without "quartic_". Static. */
const char *quartic_op_builder(const quartic_op *op, const void *attrs);

/* Checks that infer rules share. `op` is the name for messages. They return OK, or set an error and return
 * INVALID_ARGUMENT (the number of inputs, the dtype) or SHAPE_MISMATCH (the rank, the shape). */
quartic_status quartic_op_expect_inputs(const char *op, const quartic_op_call *call, uint32_t least,
                                        uint32_t most);
quartic_status quartic_op_expect_dtype(const char *op, const quartic_op_call *call, uint32_t input,
                                       quartic_dtype dtype);
quartic_status quartic_op_expect_rank(const char *op, const quartic_op_call *call, uint32_t input,
                                      uint32_t rank);
quartic_status quartic_op_expect_shape(const char *op, const quartic_op_call *call, uint32_t input,
                                       const quartic_shape *shape);

#endif
