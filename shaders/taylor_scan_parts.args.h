/* taylor_scan_parts.args.h: state (units, parts, size), size a multiple of 4: every part becomes the sum of itself and of all parts
 * before it, in order; with `back` not 0, of all parts after it, from the last on. count = units * size. */
#include "lib/args.h"
QUARTIC_ARGS(taylor_scan_parts, QUARTIC_FLOATS state; uint32_t count; uint32_t size; uint32_t parts;
             uint32_t back;)
QUARTIC_OPERANDS(taylor_scan_parts)
QUARTIC_UPDATES(state, QUARTIC_SCRATCH)
QUARTIC_OPERANDS_END(taylor_scan_parts)
