/* matmul_reduce.args.h: result[i] = alpha * sum over s of partial[s, i] + bias[i % n] + addend[i]. */
#include "lib/args.h"
QUARTIC_ARGS(matmul_reduce, QUARTIC_FLOATS partial; QUARTIC_FLOATS bias; QUARTIC_FLOATS addend;
             QUARTIC_FLOATS result; uint32_t count; uint32_t n; uint32_t splits; float alpha;)
