/* sum.args.h: result[split, kept] = sum of x[kept, reduced] over the split's chunk of reduced elements. Axes:
 * the kept ones first, then the reduced ones; kept in the order of the result. divide: src/ops/strided.h, of
 * all axes. */
#include "lib/args.h"
QUARTIC_ARGS(sum, QUARTIC_FLOATS x; QUARTIC_FLOATS result; uint32_t outputs; uint32_t reduced; uint32_t chunk;
             uint32_t splits; uint32_t kept_rank; uint32_t reduced_rank; uint32_t dims[6]; int32_t strides[6];
             uint32_t divide[6];)
QUARTIC_OPERANDS(sum)
QUARTIC_READS(x, QUARTIC_GIVEN)
QUARTIC_WRITES(result, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(sum)
