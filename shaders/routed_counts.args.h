/* routed_counts.args.h: mask (batches, nodes) to counts and wanted (batches); see src/ops/routed_counts.c. */
#include "lib/args.h"
QUARTIC_ARGS(routed_counts, QUARTIC_INTS mask; QUARTIC_INTS counts; QUARTIC_FLOATS wanted; uint32_t batches;
             uint32_t nodes; uint32_t routed; uint32_t by_row; float ratio;)
QUARTIC_OPERANDS(routed_counts)
QUARTIC_READS(mask, QUARTIC_INPUT(0))
QUARTIC_WRITES(counts, QUARTIC_OUTPUT(0))
QUARTIC_WRITES(wanted, QUARTIC_OUTPUT(1))
QUARTIC_OPERANDS_END(routed_counts)
