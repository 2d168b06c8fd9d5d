/* coordinate_descent_grad.args.h: scores, g and result (b, m), steps (b, iterations, 2); wanted (graphs),
 * where HAS_WANTED says so; mask see lib/routing.glsl. */
#include "lib/args.h"
QUARTIC_ARGS(coordinate_descent_grad, QUARTIC_FLOATS scores; QUARTIC_INTS mask; QUARTIC_FLOATS wanted;
             QUARTIC_FLOATS steps; QUARTIC_FLOATS g; QUARTIC_FLOATS result; uint32_t rows; uint32_t m;
             uint32_t groups; uint32_t extent; uint32_t iterations; float k; float eps; float eps_init;
             float eps_decay;)
QUARTIC_OPERANDS(coordinate_descent_grad)
QUARTIC_READS(scores, QUARTIC_INPUT(0))
QUARTIC_READS(mask, QUARTIC_INPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_READS(wanted, QUARTIC_INPUT(2) | QUARTIC_OPTIONAL)
QUARTIC_READS(steps, QUARTIC_INPUT(3))
QUARTIC_READS(g, QUARTIC_INPUT(4))
QUARTIC_UPDATES(result, QUARTIC_OUTPUT(0))
QUARTIC_OPERANDS_END(coordinate_descent_grad)
