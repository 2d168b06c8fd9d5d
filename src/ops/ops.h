/* ops.h: all ops of the library by symbol and by name. It includes what the files of an op build on: the op
 * contract (graph/op.h) and dispatch records (dispatch.h).
 */
#ifndef QUARTIC_OPS_OPS_H
#define QUARTIC_OPS_OPS_H

#include "graph/op.h"
#include "ops/dispatch.h"
#include "ops/op_list.h"

#define QUARTIC_OP_EXTERN(name) extern const quartic_op quartic_op_##name;
QUARTIC_OP_LIST(QUARTIC_OP_EXTERN)
#undef QUARTIC_OP_EXTERN

/* The registry (registry.c): every op once, in the order of op_list.h. No op may use it, since it refers to
 * all of them. */
uint32_t quartic_op_count(void);
const quartic_op *quartic_op_at(uint32_t index);     /* NULL beyond the last */
const quartic_op *quartic_op_find(const char *name); /* NULL if there is none */
uint32_t quartic_op_index(const quartic_op *op);     /* of an op of the registry */

#endif
