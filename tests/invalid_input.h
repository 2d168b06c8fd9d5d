/* invalid_input.h: calls of graph builders that must be refused, one a line, for unit/invalid_*_test.c.
 *
 *   REFUSALS(softmax) {
 *       REFUSED(softmax, DTYPE, INVALID_ARGUMENT, "int32", quartic_softmax(g, INTS(2, 1, 3, 3), NONE, 0));
 *       IMPOSSIBLE(softmax, OPTION, "causal is a truth value");
 *   }
 *   .. cmocka_unit_test(softmax_refuses) ..
 *
 * REFUSED(op, kind, status, part, call): the call, in a new graph g, must leave the graph with that status and
 * with a message that contains the part. No memory may be left behind. Kinds of invalid input:
 *   RANK     an operand with another number of axes
 *   SIZE     extents that do not belong together (an extent of 0 is refused by inputs already)
 *   DTYPE    int32 for float32 or the other way round
 *   MISSING  no value for an operand that is needed
 *   OPTION   an option or other plain argument out of its range
 * IMPOSSIBLE(op, kind, why) stands for a kind that the op cannot get or does not refuse. The test
 * unit.op_tests (check_op_tests.py) demands one of the two for every kind and every op of the registry.
 *
 * Ops without a builder, such as adjoints, get a case of their own with one operand changed:
 * REFUSED_CASE(op, kind, status, part, input).
 */
#ifndef QUARTIC_TESTS_INVALID_INPUT_H
#define QUARTIC_TESTS_INVALID_INPUT_H

#include "expect.h"

#include "ops/ops.h"
#include "quartic/graph.h"
#include "tensor/layout.h"

typedef enum invalid_kind {
    INVALID_RANK,
    INVALID_SIZE,
    INVALID_DTYPE,
    INVALID_MISSING,
    INVALID_OPTION
} invalid_kind;

/* A new input (float32 or int32) or state of the graph, each with a name of its own. */
quartic_value invalid_operand(quartic_graph *graph, quartic_dtype dtype, const quartic_shape *shape);
quartic_value invalid_state(quartic_graph *graph, quartic_dtype dtype, const quartic_shape *shape);

/* A new graph; end checks how it was refused and destroys it. A wrong one is printed and counted. */
quartic_graph *invalid_begin(void);
void invalid_end(quartic_graph *graph, const char *what, quartic_status status, const char *part);
/* Fails the test if one was counted since the last call. */
void invalid_finish(void);

/* Appends the op's first case in which operand `input` is given, with that operand changed: an axis more
 * (RANK), another last extent (SIZE), the other dtype (DTYPE), or left out (MISSING). */
void invalid_append_case(quartic_graph *graph, const quartic_op *op, invalid_kind kind, uint32_t input);

#define NONE        ((quartic_value){0})
#define FLOATS(...) invalid_operand(g, QUARTIC_FLOAT32, &QUARTIC_SHAPE(__VA_ARGS__))
#define INTS(...)   invalid_operand(g, QUARTIC_INT32, &QUARTIC_SHAPE(__VA_ARGS__))
#define STATE(...)  invalid_state(g, QUARTIC_FLOAT32, &QUARTIC_SHAPE(__VA_ARGS__))

#define REFUSALS(op)                                                                                         \
    static void op##_refusals(void);                                                                         \
    static void op##_refuses(void **state) {                                                                 \
        (void)state;                                                                                         \
        op##_refusals();                                                                                     \
        invalid_finish();                                                                                    \
    }                                                                                                        \
    static void op##_refusals(void)

#define REFUSED(op, kind, status, part, ...)                                                                 \
    do {                                                                                                     \
        quartic_graph *g = invalid_begin();                                                                  \
        __VA_ARGS__;                                                                                         \
        invalid_end(g, #op ", " #kind ": " #__VA_ARGS__, QUARTIC_##status, part);                            \
    } while (0)

#define REFUSED_CASE(op, kind, status, part, input)                                                          \
    REFUSED(op, kind, status, part, invalid_append_case(g, &quartic_op_##op, INVALID_##kind, input))

#define IMPOSSIBLE(op, kind, why) (void)why

#endif
