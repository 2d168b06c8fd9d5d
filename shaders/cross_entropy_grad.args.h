/* cross_entropy_grad.args.h: dlogits (rows, classes) = (softmax(logits) - onehot(targets)) * g () / count (). */
#include "lib/args.h"
QUARTIC_ARGS(cross_entropy_grad, QUARTIC_FLOATS logits; QUARTIC_INTS targets; QUARTIC_FLOATS g;
             QUARTIC_FLOATS count; QUARTIC_FLOATS dlogits; uint32_t rows; uint32_t classes;)
QUARTIC_OPERANDS(cross_entropy_grad)
QUARTIC_READS(logits, QUARTIC_INPUT(0))
QUARTIC_READS(targets, QUARTIC_INPUT(1))
QUARTIC_READS(g, QUARTIC_INPUT(2))
QUARTIC_READS(count, QUARTIC_INPUT(3))
QUARTIC_WRITES(dlogits, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(cross_entropy_grad)
