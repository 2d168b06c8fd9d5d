/* fixture.h: one case of an op as a graph that can be run; what the checks of ops share.
 *
 * Order of use: begin; operands; apply; results (and gradients); run; end. Operands are drawn from the seed,
 * each from the random stream of its number. So variants of a case differ in where an operand lies, but not
 * in its numbers.
 */
#ifndef QUARTIC_VERIFY_RIG_H
#define QUARTIC_VERIFY_RIG_H

#include "verify/fill.h"
#include "verify/harness.h"

enum {
    QUARTIC_FIXTURE_OPERANDS = 2 * QUARTIC_OP_MAX_INPUTS + QUARTIC_OP_MAX_OUTPUTS,
    QUARTIC_FIXTURE_RESULTS = 24
};

typedef struct quartic_operand_request {
    quartic_placement placement; /* falls back to OFFSET where it is not possible */
    quartic_dtype dtype;
    quartic_shape shape;
    quartic_fill_kind fill;
    uint32_t limit;
    bool state;    /* a state of the graph (to be updated in place) instead of an input */
    float divisor; /* float numbers are stored divided by this */
} quartic_operand_request;

typedef struct quartic_fixture_output {
    char name[QUARTIC_HARNESS_NAME];
    quartic_dtype dtype;
    quartic_shape shape;
    uint64_t count;
    void *got, *want; /* count elements of dtype */
} quartic_fixture_output;

typedef struct quartic_fixture {
    const quartic_op *op;
    const quartic_op_case *test;
    uint64_t seed;
    quartic_graph *graph;
    char names[QUARTIC_FIXTURE_OPERANDS][QUARTIC_HARNESS_NAME];
    quartic_feed feeds[QUARTIC_FIXTURE_OPERANDS];     /* data is owned */
    quartic_layout layouts[QUARTIC_FIXTURE_OPERANDS]; /* where the operand lies in its feed */
    quartic_value values[QUARTIC_FIXTURE_OPERANDS];
    uint32_t operand_count;
    quartic_fixture_output results[QUARTIC_FIXTURE_RESULTS];
    uint32_t result_count;
} quartic_fixture;

/* Creates the graph. quartic_fixture_end frees all that the fixture holds, also after an error of begin. */
quartic_status quartic_fixture_begin(quartic_fixture *fixture, const quartic_op *op,
                                     const quartic_op_case *test, uint64_t seed);
void quartic_fixture_end(quartic_fixture *fixture);

/* Adds an operand; *out_value is its view of the requested shape. */
quartic_status quartic_fixture_operand(quartic_fixture *fixture, const quartic_operand_request *request,
                                       quartic_value *out_value);
/* Appends the op. */
quartic_status quartic_fixture_apply(quartic_fixture *fixture, const quartic_value *inputs,
                                     quartic_value *outputs, uint32_t *out_count);
/* A random cotangent for every output with a gradient, no value for the others. */
quartic_status quartic_fixture_cotangents(quartic_fixture *fixture, quartic_placement placement,
                                          const quartic_value *outputs, uint32_t count,
                                          quartic_value *out_cotangents);
/* The indices of the operands that have a gradient; returns their number. out_operands holds
 * QUARTIC_OP_MAX_INPUTS. */
uint32_t quartic_fixture_differentiable(const quartic_fixture *fixture, uint32_t *out_operands);
/* Whether any operand of the case has a gradient. */
bool quartic_fixture_has_gradient(const quartic_op *op, const quartic_op_case *test);
/* Appends the gradients of sum(output * cotangent); INTERNAL if one is missing. */
quartic_status quartic_fixture_gradients(quartic_fixture *fixture, const quartic_value *outputs,
                                         const quartic_value *cotangents, uint32_t output_count,
                                         const quartic_value *wrt, uint32_t count,
                                         quartic_value *out_gradients);

/* Makes a value a result to be compared, under that name. */
quartic_status quartic_fixture_result(quartic_fixture *fixture, const char *name, quartic_value value);
/* The same for a state operand. */
quartic_status quartic_fixture_state_result(quartic_fixture *fixture, quartic_value state);

/* How far roundings move each result (see spread.h). out_spreads holds QUARTIC_FIXTURE_RESULTS numbers. */
quartic_status quartic_fixture_spreads(const quartic_fixture *fixture, double *out_spreads);

/* Runs the graph and fills want (trusted) or got of the results. */
quartic_status quartic_fixture_run(quartic_fixture *fixture, quartic_device *device, bool trusted);

/* The sum of tolerance * sqrt(reduction) over the nodes of the graph. */
double quartic_fixture_tolerance(const quartic_fixture *fixture);

/* quartic_error_scale of a result and all operands. */
double quartic_fixture_scale(const quartic_fixture *fixture, const quartic_fixture_output *result);

/* INVALID_ARGUMENT, listing the ops, if there is no op of that name; NULL stands for all. */
quartic_status quartic_fixture_expect_op(const char *name);

#endif
