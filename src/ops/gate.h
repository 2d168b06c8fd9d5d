/* gate.h: gates of attention heads, as the op, its tuned kernels and the gradient of gated_linear share them. */
#ifndef QUARTIC_OPS_GATE_H
#define QUARTIC_OPS_GATE_H

#include "lib/gate.h"
#include "ops/ops.h"
#include "quartic/graph.h"

/* Inputs of gate, then the one that only its adjoint has. */
enum { GATE_X, GATE_GATES, GATE_INPUTS, GATE_DY = GATE_INPUTS, GATE_GRAD_INPUTS };

typedef struct gate_attrs {
    uint32_t wants; /* of the adjoint: QUARTIC_GATE_WANT_* */
} gate_attrs;

/* Where a wanted result stands among the adjoint's outputs. */
static inline uint32_t gate_output(uint32_t wants, uint32_t want) {
    uint32_t position = 0;
    for (uint32_t bit = 1; bit < want; bit *= 2) position += (wants & bit) != 0;
    return position;
}

/* y = x * sigmoid(gates): x (b, n, H, d), gates (b, n, H). Returns y (b, n, H, d); no value after an error, which the
 * graph keeps. */
quartic_value quartic_gate(quartic_graph *graph, quartic_value x, quartic_value gates);
/* Its adjoint for the gradient dy of y: fills outputs[0 ..] with what `wants` names, in the order of the bits, and with
 * no values after an error. */
void quartic_gate_gradient(quartic_graph *graph, quartic_value x, quartic_value gates, quartic_value dy,
                           uint32_t wants, quartic_value *outputs);

#endif
