/* coordinate_descent.args.h: scores s and result c (b, m), steps (b, iterations, 2) = a after each
 * iteration as two floats; wanted (graphs) or
 * address 0; mask see lib/routing.glsl. */
#include "lib/args.h"
QUARTIC_ARGS(coordinate_descent, QUARTIC_FLOATS scores; QUARTIC_INTS mask; QUARTIC_FLOATS wanted;
             QUARTIC_FLOATS result; QUARTIC_FLOATS steps; uint32_t rows; uint32_t m; uint32_t groups;
             uint32_t extent; uint32_t iterations; float k; float eps; float eps_init; float eps_decay;)
