/* adamw.args.h: parameter, gradient, first, second (count); hyper (8); squared_norm (1). */
#include "lib/args.h"
QUARTIC_ARGS(adamw, QUARTIC_FLOATS parameter; QUARTIC_FLOATS gradient; QUARTIC_FLOATS first;
             QUARTIC_FLOATS second; QUARTIC_FLOATS hyper; QUARTIC_FLOATS squared_norm; uint32_t count;
             float gradient_factor;)
QUARTIC_OPERANDS(adamw)
QUARTIC_UPDATES(parameter, QUARTIC_OUTPUT(0))
QUARTIC_READS(gradient, QUARTIC_INPUT(3))
QUARTIC_UPDATES(first, QUARTIC_OUTPUT(1))
QUARTIC_UPDATES(second, QUARTIC_OUTPUT(2))
QUARTIC_READS(hyper, QUARTIC_INPUT(4))
QUARTIC_READS(squared_norm, QUARTIC_INPUT(5) | QUARTIC_OPTIONAL)
QUARTIC_OPERANDS_END(adamw)
