/* ops_fixture.h: a graph of one or a few ops, fed and read by the tests of the basic ops.
 *
 *   fixture r = fixture_begin();
 *   quartic_value x = fixture_input(&r, QUARTIC_SHAPE(2, 3));     filled with fixed random numbers
 *   fixture_run(&r, "cpu", quartic_exp(r.graph, x), got);         compiles, runs, reads
 *   fixture_end(&r);
 * Every failure of the library fails the test with the library's message.
 */
#ifndef QUARTIC_TESTS_OPS_FIXTURE_H
#define QUARTIC_TESTS_OPS_FIXTURE_H

#include "expect.h"

#include <math.h>
#include "quartic/program.h"

enum { FIXTURE_INPUTS = 10 };

typedef struct fixture {
    quartic_graph *graph;
    char names[FIXTURE_INPUTS][4];
    void *data[FIXTURE_INPUTS]; /* owned; float or int32 */
    size_t bytes[FIXTURE_INPUTS];
    uint32_t count;
} fixture;

fixture fixture_begin(void);

quartic_value fixture_add(fixture *r, quartic_dtype dtype, quartic_shape shape);

/* Normal numbers, different for each input. */
quartic_value fixture_input(fixture *r, quartic_shape shape);

/* int32 in [low, low + span). */
quartic_value fixture_indices(fixture *r, quartic_shape shape, int32_t low, uint32_t span);

quartic_status fixture_try(fixture *r, const char *device_name, quartic_value result, void *out);

void fixture_run(fixture *r, const char *device_name, quartic_value result, void *out);

void fixture_end(fixture *r);

void expect_close(double got, double want, double bound, const char *what, size_t index);

#endif
