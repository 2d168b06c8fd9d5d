/* invalid_gate_test.c: invalid input of the gates of attention heads. */
#include "invalid_input.h"
#include "ops/gate.h"

REFUSALS(gate) {
    REFUSED(gate, RANK, SHAPE_MISMATCH, "4 axes", quartic_gate(g, FLOATS(3, 4, 8), FLOATS(3, 4)));
    REFUSED(gate, SIZE, SHAPE_MISMATCH, "(2, 3, 5)", quartic_gate(g, FLOATS(2, 3, 4, 8), FLOATS(2, 3, 5)));
    REFUSED(gate, DTYPE, INVALID_ARGUMENT, "int32", quartic_gate(g, INTS(2, 3, 4, 8), FLOATS(2, 3, 4)));
    REFUSED(gate, DTYPE, INVALID_ARGUMENT, "int32", quartic_gate(g, FLOATS(2, 3, 4, 8), INTS(2, 3, 4)));
    REFUSED(gate, MISSING, INVALID_ARGUMENT, "left out", quartic_gate(g, FLOATS(2, 3, 4, 8), NONE));
    IMPOSSIBLE(gate, OPTION, "it has no option");
}

REFUSALS(gate_grad) {
    IMPOSSIBLE(gate_grad, OPTION, "only the gradients of gate and gated_linear append it");
    for (uint32_t input = GATE_X; input < GATE_GRAD_INPUTS; ++input) {
        REFUSED_CASE(gate_grad, RANK, SHAPE_MISMATCH, "", input);
        REFUSED_CASE(gate_grad, DTYPE, INVALID_ARGUMENT, "int32", input);
        REFUSED_CASE(gate_grad, MISSING, INVALID_ARGUMENT, "left out", input);
    }
    REFUSED_CASE(gate_grad, SIZE, SHAPE_MISMATCH, "shape", GATE_GATES);
    REFUSED_CASE(gate_grad, SIZE, SHAPE_MISMATCH, "shape", GATE_DY);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gate_refuses), cmocka_unit_test(gate_grad_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
