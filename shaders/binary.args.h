/* binary.args.h: out[i] = f(a[..], b[..]) in row-major order of out; strides in elements, fastest last. */
#include "lib/args.h"
QUARTIC_ARGS(binary, QUARTIC_FLOATS a; QUARTIC_FLOATS b; QUARTIC_FLOATS result; uint32_t count; uint32_t rank;
             uint32_t dims[6]; int32_t a_strides[6]; int32_t b_strides[6];)
