/* tape.h: what the gradient rule of an op sees while the adjoint of one node is built; and how nodes are
 * appended.
 *
 * A rule asks which inputs need a gradient, builds those gradients from the node's inputs, its outputs and
 * the gradients of its outputs, and gives them to the tape. It appends to the graph of the node with the
 * public builders (quartic_multiply, ..) or quartic_graph_append. After an error, builders return no value
 * and the graph keeps the error, so a rule need not check each of them. What the tape returns as an input or
 * output may be a recomputed copy of it. Behind the tape is tape_state.h; diff/autodiff.c goes through the
 * graph with it.
 */
#ifndef QUARTIC_GRAPH_TAPE_H
#define QUARTIC_GRAPH_TAPE_H

#include "base/options.h"
#include "graph/op.h"
#include "quartic/graph.h"

typedef struct quartic_tape quartic_tape;

/* Of the node whose adjoint is being built: */
const void *quartic_tape_attrs(const quartic_tape *tape);
bool quartic_tape_wants(const quartic_tape *tape, uint32_t input);    /* false if it was left out */
quartic_value quartic_tape_input(quartic_tape *tape, uint32_t input); /* no value if left out */
quartic_value quartic_tape_output(quartic_tape *tape, uint32_t output);
quartic_value quartic_tape_gradient(quartic_tape *tape, uint32_t output); /* no value: it is zero */
quartic_layout quartic_tape_input_layout(const quartic_tape *tape, uint32_t input);

/* Adds to the gradient of an input. Does nothing if the input does not want one. */
void quartic_tape_give(quartic_tape *tape, uint32_t input, quartic_value gradient);
/* The same with a gradient that is 0 outside the part of the input that begins at `start` along an axis. */
void quartic_tape_give_part(quartic_tape *tape, uint32_t input, uint32_t axis, uint32_t start,
                            quartic_value gradient);

/* Takes what others have given to an input so far, for a rule that adds it itself: what it then gives to the
 * input must be the sum. No value, and nothing is taken, if the input does not want a gradient, has none yet,
 * or has one that is not contiguous. */
quartic_value quartic_tape_collect(quartic_tape *tape, uint32_t input);

/* The graph of the node, to append to. */
quartic_graph *quartic_tape_graph(quartic_tape *tape);

/* Appends a node of any op. An optional input that is left out is a value of id 0. The first output_count
 * outputs are written to `outputs`, as no values after an error. Returns the graph's first error. */
quartic_status quartic_graph_append(quartic_graph *graph, const quartic_op *op, const void *attrs,
                                    const quartic_value *inputs, uint32_t input_count, quartic_value *outputs,
                                    uint32_t output_count);
/* Reads the options of a builder over their defaults into *out. Returns false, with the graph's error set, if
 * they are refused. */
bool quartic_graph_options(quartic_graph *graph, const quartic_options_type *type, const void *given,
                           void *out);

/* quartic_graph_append for one output, which it returns; no value after an error. */
quartic_value quartic_graph_append_one(quartic_graph *graph, const quartic_op *op, const void *attrs,
                                       const quartic_value *inputs, uint32_t input_count);

/* Checks for public builders, before they look at the shape of a value or read through a pointer of the
 * caller. Each returns true, or sets the graph's error to INVALID_ARGUMENT and returns false: if graph is
 * NULL or has an error already; if one of the values belongs to another graph (no value is fine); if pointer,
 * the argument of that name, is NULL. */
bool quartic_graph_expect(quartic_graph *graph, const char *builder, const quartic_value *values,
                          uint32_t count);
bool quartic_graph_expect_pointer(quartic_graph *graph, const char *builder, const char *argument,
                                  const void *pointer);
/* The same for a shape: it must not be NULL and have at most QUARTIC_MAX_RANK axes. */
bool quartic_graph_expect_shape(quartic_graph *graph, const char *builder, const quartic_shape *shape);
/* The same for a factor of a struct of options: it must be finite and not 0. In a struct that was only zeroed
 * it would be 0, and so would every result. */
bool quartic_graph_expect_factor(quartic_graph *graph, const char *builder, const char *argument,
                                 float factor);

#endif
