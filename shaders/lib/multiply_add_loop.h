/* multiply_add_loop.h: sizes that C and the shader agree on. An invocation takes CHAINS elements, GROUP
 * apart: enough independent chains to cover the latency of a multiply-add (4 cycles at two units a cycle on
 * CPUs). */
#ifndef QUARTIC_SHADERS_MULTIPLY_ADD_LOOP_H
#define QUARTIC_SHADERS_MULTIPLY_ADD_LOOP_H

#define QUARTIC_MULTIPLY_ADD_GROUP  128
#define QUARTIC_MULTIPLY_ADD_CHAINS 8

#endif
