/* norm_grad.args.h: dx (rows, width) from x, dy and, where there is one, addend (rows, width); partial (groups, 1 or 2, width): each
 * workgroup's sums over its rows_per_group rows of dy * xhat, then of dy. */
#include "lib/args.h"
QUARTIC_ARGS(norm_grad, QUARTIC_FLOATS x; QUARTIC_FLOATS dy; QUARTIC_FLOATS scale; QUARTIC_FLOATS addend;
             QUARTIC_FLOATS dx; QUARTIC_FLOATS partial; uint32_t rows; uint32_t width;
             uint32_t rows_per_group; float eps; float offset;)
QUARTIC_OPERANDS(norm_grad)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(dy, QUARTIC_INPUT(1))
QUARTIC_READS(scale, QUARTIC_INPUT(2) | QUARTIC_OPTIONAL)
QUARTIC_READS(addend, QUARTIC_INPUT(3) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(dx, QUARTIC_GIVEN | QUARTIC_OPTIONAL)
QUARTIC_WRITES(partial, QUARTIC_SCRATCH | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(norm_grad)
