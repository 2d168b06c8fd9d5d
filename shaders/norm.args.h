/* norm.args.h: y (rows, width) = normalised rows of x * (scale + offset) + bias; scale, bias (width). */
#include "lib/args.h"
QUARTIC_ARGS(norm, QUARTIC_FLOATS x; QUARTIC_FLOATS scale; QUARTIC_FLOATS bias; QUARTIC_FLOATS y;
             uint32_t rows; uint32_t width; float eps; float offset;)
