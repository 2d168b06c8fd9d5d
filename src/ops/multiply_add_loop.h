/* multiply_add_loop.h: the attributes that the op and its tuned kernel share. */
#ifndef QUARTIC_OPS_MULTIPLY_ADD_LOOP_H
#define QUARTIC_OPS_MULTIPLY_ADD_LOOP_H

#include <stdint.h>

typedef struct quartic_multiply_add_loop_attrs {
    float factor, offset;
    uint32_t count;
} quartic_multiply_add_loop_attrs;

#endif
