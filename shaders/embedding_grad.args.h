/* embedding_grad.args.h: result[v, :] = sum of g[t, :] over t with indices[t] = v; g (positions, width),
 * result (rows, width). A workgroup owns group_rows rows, at most EMBEDDING_GRAD_MAX_ROWS. */
#include "lib/args.h"
#define EMBEDDING_GRAD_MAX_ROWS 12
QUARTIC_ARGS(embedding_grad, QUARTIC_FLOATS g; QUARTIC_INTS indices; QUARTIC_FLOATS result;
             uint32_t positions; uint32_t rows; uint32_t width; uint32_t group_rows;)
QUARTIC_OPERANDS(embedding_grad)
QUARTIC_READS(g, QUARTIC_INPUT(0))
QUARTIC_READS(indices, QUARTIC_INPUT(1))
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(embedding_grad)
