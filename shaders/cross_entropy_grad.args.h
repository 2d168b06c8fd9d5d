/* cross_entropy_grad.args.h: dlogits (rows, classes) = (softmax(logits) - onehot(targets)) * factor (1). */
#include "lib/args.h"
QUARTIC_ARGS(cross_entropy_grad, QUARTIC_FLOATS logits; QUARTIC_INTS targets; QUARTIC_FLOATS factor;
             QUARTIC_FLOATS dlogits; uint32_t rows; uint32_t classes;)
