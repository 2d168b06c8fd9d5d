/* hyper.h: facts that the shaders of hyper-connections, their plans and the reference kernels share. */
#ifndef QUARTIC_SHADERS_LIB_HYPER_H
#define QUARTIC_SHADERS_LIB_HYPER_H

/* Bits of what hyper_width_grad is to give, in the order of its outputs; the parameters come together. */
#define QUARTIC_HYPER_WANT_X          1
#define QUARTIC_HYPER_WANT_PARAMETERS 2

/* Bits of what hyper_depth_grad is to give, in the order of its outputs. */
#define QUARTIC_HYPER_WANT_KEPT   1
#define QUARTIC_HYPER_WANT_BETA   2
#define QUARTIC_HYPER_WANT_BRANCH 4

/* Added to the mean of the squares where the direction of a row is taken, so that a row of zeros has none. */
#define QUARTIC_HYPER_DIRECTION_EPS 1e-30

#endif
