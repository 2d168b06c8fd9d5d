/* adamw.h: the places of adamw's numbers in its hyper operand, for C and GLSL. */
#ifndef QUARTIC_SHADERS_LIB_ADAMW_H
#define QUARTIC_SHADERS_LIB_ADAMW_H

#define QUARTIC_ADAMW_RATE        0
#define QUARTIC_ADAMW_BETA1       1
#define QUARTIC_ADAMW_BETA2       2
#define QUARTIC_ADAMW_EPS         3
#define QUARTIC_ADAMW_DECAY       4
#define QUARTIC_ADAMW_CORRECTION1 5 /* 1 - beta1^t */
#define QUARTIC_ADAMW_CORRECTION2 6 /* 1 - beta2^t */
#define QUARTIC_ADAMW_CLIP        7 /* 0: off */
#define QUARTIC_ADAMW_HYPERS      8

#define QUARTIC_ADAMW_NORM_EPS 1e-6 /* added to the norm, as torch.nn.utils.clip_grad_norm_ does */

#endif
