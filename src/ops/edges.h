/* edges.h: what the ops of attention among edges share (edge_softmax_attention, triangle_attention,
 * triple_attention): shape rules, cases of their adjoints, and the packing of operands for shaders.
 *
 * Such an op reads q and operands like it, and gives out, like q, and lse, which has all axes of q but the last. Its
 * adjoint reads the same, then out, lse and g, the cotangent of out.
 */
#ifndef QUARTIC_OPS_EDGES_H
#define QUARTIC_OPS_EDGES_H

#include "ops/gpu_plan.h"
#include "ops/ops.h"

/* The shape of one number where `wide` has a head: without its last axis. */
quartic_shape quartic_edges_narrow(const quartic_shape *wide);

/* ---- shape rules; each returns an error of quartic_op_expect_*, or QUARTIC_OK ---- */

/* An input has that dtype and that shape. */
quartic_status quartic_edges_expect(const char *op, const quartic_op_call *call, uint32_t input,
                                    quartic_dtype dtype, const quartic_shape *shape);
/* The same, unless the input is left out. */
quartic_status quartic_edges_expect_optional(const char *op, const quartic_op_call *call, uint32_t input,
                                             quartic_dtype dtype, const quartic_shape *shape);
/* q of attention over pivots: (b, n, n, h, d), none of them 0, d at most 256: a few rows of a wider head would not
 * fit into the shared memory of a small device. */
quartic_status quartic_edges_expect_pivotal(const char *op, const quartic_op_call *call, uint32_t q);
/* The inputs first_out, first_out + 1 and first_out + 2 of an adjoint: out, lse and g. */
quartic_status quartic_edges_expect_saved(const char *op, const quartic_op_call *call, uint32_t q,
                                          uint32_t first_out);

/* ---- cases ---- */

/* out, lse and g of an adjoint's case. They need not belong together for the backends to agree; a positive lse keeps
 * attention moderate. */
void quartic_edges_saved_case(quartic_op_case *out, uint32_t q, uint32_t first_out);

/* Rows of a table of cases whose structs have these members. */
#define QUARTIC_CASE_MASKED     .masked = true, .mask_fill = QUARTIC_FILL_MASK
#define QUARTIC_CASE_ALL_MASKED .masked = true, .mask_fill = QUARTIC_FILL_ZERO
#define QUARTIC_CASE_CAUSAL     .causal = true

/* ---- packing (shaders/triangle_pack) ---- */

/* An operand of (b, n, n, h, d), or of (b, n, n, h), to be laid out as (b h, first, second, lanes). */
typedef struct quartic_edges_pack {
    const char *op; /* its name, for messages */
    uint32_t batch, n, heads, d;
    uint32_t input; /* of the op */
    uint32_t lanes; /* d rounded up to fours, or 1 for an operand without components */
    float factor;
    int64_t of_batch, of_first, of_second, of_head, of_component; /* strides in elements */
} quartic_edges_pack;

/* Appends the dispatch; *out_range gets the new scratch. QUARTIC_UNSUPPORTED if it has more numbers than can be
 * indexed. */
quartic_status quartic_edges_pack_operand(quartic_dispatch_list *list, const quartic_edges_pack *pack,
                                          uint64_t *out_range);

/* ---- gradient of the bias ---- */

/* In how many parts the sum over n nodes is cut, of which each takes so many groups: until there are enough groups, or
 * as was measured, but not into so many that the parts would take more memory than operands with heads of d. */
uint32_t quartic_edges_bias_splits(uint64_t groups, uint32_t n, uint32_t d, const quartic_gpu_limits *limits);

#endif
