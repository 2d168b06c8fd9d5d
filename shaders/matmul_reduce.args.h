/* matmul_reduce.args.h: result[i] = alpha * sum over s of partial[s, i] + bias[i % n] + addend[i]. */
#include "lib/args.h"
QUARTIC_ARGS(matmul_reduce, QUARTIC_FLOATS partial; QUARTIC_FLOATS bias; QUARTIC_FLOATS addend;
             QUARTIC_FLOATS result; uint32_t count; uint32_t n; uint32_t splits; float alpha;)
QUARTIC_OPERANDS(matmul_reduce)
QUARTIC_READS(partial, QUARTIC_SCRATCH)
QUARTIC_READS(bias, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_READS(addend, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_GIVEN)
QUARTIC_OPERANDS_END(matmul_reduce)
