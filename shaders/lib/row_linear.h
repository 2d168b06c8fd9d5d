/* row_linear.h: facts that row_linear.comp, its plan and the reference kernels share. */
#ifndef QUARTIC_SHADERS_LIB_ROW_LINEAR_H
#define QUARTIC_SHADERS_LIB_ROW_LINEAR_H

/* What happens to a row before it is multiplied. */
#define QUARTIC_ROW_RMS  0 /* rms norm */
#define QUARTIC_ROW_L2   1 /* l2 norm */
#define QUARTIC_ROW_GATE 2 /* times the sigmoid of its head's gate */
#define QUARTIC_ROW_GELU 3

/* Most weights that one pass over the rows multiplies. */
#define QUARTIC_ROW_PARTS 4

/* Flags of the shader. */
#define QUARTIC_ROW_HAS_SCALE   1
#define QUARTIC_ROW_HAS_ADDEND  2
#define QUARTIC_ROW_X_QUADS     4  /* rows of x may be read four elements at once */
#define QUARTIC_ROW_W_QUADS     8  /* rows of all weights */
#define QUARTIC_ROW_WRITE_QUADS 16 /* results of part p: this << p */

#endif
