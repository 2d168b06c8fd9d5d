/* norm.args.h: y (rows, width) = normalised rows of x * (scale + offset) + bias; scale, bias (width). */
#include "lib/args.h"
QUARTIC_ARGS(norm, QUARTIC_FLOATS x; QUARTIC_FLOATS scale; QUARTIC_FLOATS bias; QUARTIC_FLOATS y;
             uint32_t rows; uint32_t width; float eps; float offset;)
QUARTIC_OPERANDS(norm)
QUARTIC_READS(x, QUARTIC_INPUT(0))
QUARTIC_READS(scale, QUARTIC_INPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_READS(bias, QUARTIC_INPUT(2) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(y, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(norm)
