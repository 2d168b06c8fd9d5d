/* coordinate_descent_grad.args.h: scores, g and result (b, m), steps (b, iterations, 2); wanted (graphs) or
 * address 0; mask see
 * lib/routing.glsl. */
#include "lib/args.h"
QUARTIC_ARGS(coordinate_descent_grad, QUARTIC_FLOATS scores; QUARTIC_INTS mask; QUARTIC_FLOATS wanted;
             QUARTIC_FLOATS steps; QUARTIC_FLOATS g; QUARTIC_FLOATS result; uint32_t rows; uint32_t m;
             uint32_t groups; uint32_t extent; uint32_t iterations; float k; float eps; float eps_init;
             float eps_decay;)
