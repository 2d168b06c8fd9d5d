/* taylor_fixture.h: runs both Taylor attention ops on chosen shapes, strides and kernels, without a graph.
 *
 * Inputs are float32 numbers, so float and double storage hold the same. What lies between the elements of a
 * strided operand, and every output before the run, is NaN. The formula of models.md stands here once more,
 * as plain loops in double, independent of the library's kernels.
 */
#ifndef QUARTIC_TESTS_TAYLOR_FIXTURE_H
#define QUARTIC_TESTS_TAYLOR_FIXTURE_H

#include "expect.h"

#include <math.h>
#include "base/alloc.h"
#include "base/rng.h"
#include "fast/fast.h"
#include "fast/taylor_fast.h"
#include "ops/taylor_problem.h"

typedef enum taylor_backend { TAYLOR_REFERENCE64, TAYLOR_REFERENCE, TAYLOR_FAST } taylor_backend;

typedef enum taylor_packing {
    TAYLOR_CONTIGUOUS,
    TAYLOR_PACKED,         /* rows lie in a wider row, as slices of a packed projection */
    TAYLOR_COMPONENT_FIRST /* stored as (d, b, r, c, h): components far apart */
} taylor_packing;

typedef struct taylor_spec {
    uint32_t b, r, c, h, d, dv;
    quartic_taylor_options options;
    bool masked;
    taylor_packing packing;
    float scale; /* of q and k; 0 stands for 0.3 */
} taylor_spec;

enum { TAYLOR_DQ = QUARTIC_TAYLOR_INPUTS, TAYLOR_DK, TAYLOR_DV, TAYLOR_OPERANDS };

typedef struct taylor_fixture {
    taylor_spec spec;
    quartic_layout layouts[TAYLOR_OPERANDS];
    uint64_t extents[TAYLOR_OPERANDS]; /* elements of storage */
    double *wide[TAYLOR_OPERANDS];     /* by QUARTIC_TAYLOR_*, then the gradients; read results here */
    float *narrow[TAYLOR_OPERANDS];
    int32_t *mask;                 /* NULL: none */
    const taylor_kernels *kernels; /* of TAYLOR_FAST; NULL: what the row takes */
} taylor_fixture;

quartic_layout taylor_layout(const taylor_spec *spec, uint32_t width, taylor_packing packing,
                             uint64_t *out_extent);

taylor_fixture *taylor_fixture_create(const taylor_spec *spec, uint64_t seed);

void taylor_fixture_destroy(taylor_fixture *fixture);

quartic_operand taylor_operand(const taylor_fixture *fixture, uint32_t k, bool wide);

/* Forward, then backward; results are in wide[]. */
void taylor_fixture_run(taylor_fixture *fixture, taylor_backend backend, uint32_t threads);

double taylor_at(const taylor_fixture *fixture, uint32_t k, uint32_t b, uint32_t r, uint32_t c, uint32_t h,
                 uint32_t component);

/* out of the query at (b, r, c), head h, into out (dv); returns z. */
double taylor_naive(const taylor_fixture *fixture, uint32_t b, uint32_t r, uint32_t c, uint32_t h,
                    double *out);

/* sum(out * g) of the formula. */
double taylor_naive_loss(const taylor_fixture *fixture);

/* Other numbers, and the other mask, in the tokens from t on of each sequence along axis 2. */
void taylor_change_from(taylor_fixture *fixture, uint32_t t);

/* out and z of float32 runs, at the tokens before t of each sequence along axis 2. */
void taylor_expect_same_before(const taylor_fixture *a, const taylor_fixture *b, uint32_t t);

/* Largest difference from another fixture's operand, relative to the largest number there; at least to 1, for
 * with one visible key the gradients of q and k vanish by cancellation. */
double taylor_difference(const taylor_fixture *got, const taylor_fixture *want, uint32_t k);

#endif
