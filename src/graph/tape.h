/* tape.h: what a gradient rule sees while the adjoint of one node is built.
 *
 * A rule asks which input gradients are wanted, builds them from the node's inputs, outputs and the outputs'
 * gradients, and gives them back. Inputs and outputs read through the tape may be recomputed copies. The
 * builders below append to the same graph; after an error they return no value and the graph keeps the error.
 * The state behind it is tape_state.h; diff/autodiff.c walks the graph with it.
 */
#ifndef QUARTIC_GRAPH_TAPE_H
#define QUARTIC_GRAPH_TAPE_H

#include "base/options.h"
#include "graph/op.h"
#include "quartic/graph.h"

typedef struct quartic_tape quartic_tape;

/* The node at hand. */
const void *quartic_tape_attrs(const quartic_tape *tape);
bool quartic_tape_wants(const quartic_tape *tape, uint32_t input);    /* false for a left-out input */
quartic_value quartic_tape_input(quartic_tape *tape, uint32_t input); /* no value if left out */
quartic_value quartic_tape_output(quartic_tape *tape, uint32_t output);
quartic_value quartic_tape_gradient(quartic_tape *tape, uint32_t output); /* no value: zero */
quartic_layout quartic_tape_input_layout(const quartic_tape *tape, uint32_t input);
void quartic_tape_give(quartic_tape *tape, uint32_t input, quartic_value gradient);
/* The gradient of the part of an input that begins at `start` along an axis; it is 0 elsewhere. */
void quartic_tape_give_part(quartic_tape *tape, uint32_t input, uint32_t axis, uint32_t start,
                            quartic_value gradient);

/* The graph, for the public builders (quartic_multiply, quartic_matmul, quartic_sum, ..). */
quartic_graph *quartic_tape_graph(quartic_tape *tape);

/* Appends a node of any op; absent optional inputs are values of id 0. Outputs beyond output_count are
 * dropped. */
quartic_status quartic_graph_append(quartic_graph *graph, const quartic_op *op, const void *attrs,
                                    const quartic_value *inputs, uint32_t input_count, quartic_value *outputs,
                                    uint32_t output_count);
/* A builder's options over their defaults into out; false with the graph's error. */
bool quartic_graph_options(quartic_graph *graph, const quartic_options_type *type, const void *given,
                           void *out);

/* As quartic_graph_append, for one output. */
quartic_value quartic_graph_append_one(quartic_graph *graph, const quartic_op *op, const void *attrs,
                                       const quartic_value *inputs, uint32_t input_count);

/* For public builders, before they look at a value's shape or read through a pointer of the caller's. Each
 * makes the graph fail with INVALID_ARGUMENT and yields false: NULL as the graph; a value of another graph
 * (no value passes); NULL as the argument of that name. */
bool quartic_graph_expect(quartic_graph *graph, const char *builder, const quartic_value *values,
                          uint32_t count);
bool quartic_graph_expect_pointer(quartic_graph *graph, const char *builder, const char *argument,
                                  const void *pointer);
/* The same for a shape: not NULL, and of at most QUARTIC_MAX_RANK axes. */
bool quartic_graph_expect_shape(quartic_graph *graph, const char *builder, const quartic_shape *shape);
/* The same for a factor of an options struct: finite, and not the 0 of a struct that was only zeroed, with
 * which every result would be 0. */
bool quartic_graph_expect_factor(quartic_graph *graph, const char *builder, const char *argument,
                                 float factor);

#endif
