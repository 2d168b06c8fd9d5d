/* norm.h: facts that the norm shaders, their plans and the reference kernels share. */
#ifndef QUARTIC_SHADERS_LIB_NORM_H
#define QUARTIC_SHADERS_LIB_NORM_H

/* Which norm: the factor by which a row's centred elements are multiplied differs. */
#define QUARTIC_NORM_RMS   0 /* 1 / sqrt(mean of squares + eps) */
#define QUARTIC_NORM_L2    1 /* sqrt(D) / max(length, least length) */
#define QUARTIC_NORM_LAYER 2 /* as rms, after the mean was subtracted */

/* A vector shorter than this counts as this long (torch.nn.functional.normalize). */
#define QUARTIC_NORM_LEAST_LENGTH 1e-12

/* Numbers are scaled before they are squared where their squares could leave the range of floats: beyond
 * LARGE by SHRINK = 2^-80; below SMALL by GROW = 2^80, but only with an eps below LEAST_EPS, since a larger
 * one makes up the sum by itself. A sum of squares below GREATEST_SQUARES was not in danger. */
#define QUARTIC_NORM_LARGE            1e15
#define QUARTIC_NORM_SMALL            1e-12
#define QUARTIC_NORM_SHRINK           8.271806125530277e-25
#define QUARTIC_NORM_GROW             1.2089258196146292e24
#define QUARTIC_NORM_LEAST_EPS        1e-20
#define QUARTIC_NORM_GREATEST_SQUARES 1e36

/* Bits of the wanted gradients, in the order of the adjoint's outputs. */
#define QUARTIC_NORM_WANT_X     1
#define QUARTIC_NORM_WANT_SCALE 2
#define QUARTIC_NORM_WANT_BIAS  4

#endif
