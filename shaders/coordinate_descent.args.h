/* coordinate_descent.args.h: scores s and result c (b, m), steps (b, iterations, 2) = a after each iteration
 * as two floats; wanted (graphs), where HAS_WANTED says so; mask see lib/routing.glsl. */
#include "lib/args.h"
QUARTIC_ARGS(coordinate_descent, QUARTIC_FLOATS scores; QUARTIC_INTS mask; QUARTIC_FLOATS wanted;
             QUARTIC_FLOATS result; QUARTIC_FLOATS steps; uint32_t rows; uint32_t m; uint32_t groups;
             uint32_t extent; uint32_t iterations; float k; float eps; float eps_init; float eps_decay;)
QUARTIC_OPERANDS(coordinate_descent)
QUARTIC_READS(scores, QUARTIC_INPUT(0))
QUARTIC_READS(mask, QUARTIC_INPUT(1) | QUARTIC_OPTIONAL)
QUARTIC_READS(wanted, QUARTIC_INPUT(2) | QUARTIC_OPTIONAL)
QUARTIC_WRITES(result, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(steps, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(coordinate_descent)
