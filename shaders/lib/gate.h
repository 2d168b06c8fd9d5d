/* gate.h: bits of what gate_grad is to give, in the order of its outputs. */
#ifndef QUARTIC_SHADERS_LIB_GATE_H
#define QUARTIC_SHADERS_LIB_GATE_H

#define QUARTIC_GATE_WANT_X     1
#define QUARTIC_GATE_WANT_GATES 2
#define QUARTIC_GATE_WANT_Y     4

#endif
