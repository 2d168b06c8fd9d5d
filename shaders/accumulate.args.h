/* accumulate.args.h: target (count) += factor * x (count). */
#include "lib/args.h"
QUARTIC_ARGS(accumulate, QUARTIC_FLOATS target; QUARTIC_FLOATS x; uint32_t count; float factor;)
