/* adamw.args.h: parameter, gradient, first, second (count); hyper (8); squared_norm (1). */
#include "lib/args.h"
QUARTIC_ARGS(adamw, QUARTIC_FLOATS parameter; QUARTIC_FLOATS gradient; QUARTIC_FLOATS first;
             QUARTIC_FLOATS second; QUARTIC_FLOATS hyper; QUARTIC_FLOATS squared_norm; uint32_t count;
             float gradient_factor;)
