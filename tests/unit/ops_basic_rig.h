/* ops_basic_rig.h: a graph of one or a few ops, fed and read by the tests of the basic ops.
 *
 *   rig r = rig_begin();
 *   quartic_value x = rig_input(&r, QUARTIC_SHAPE(2, 3));     filled with fixed random numbers
 *   rig_run(&r, "cpu", quartic_exp(r.graph, x), got);         compiles, runs, reads
 *   rig_end(&r);
 * Every failure of the library fails the test with the library's sentence.
 */
#ifndef OPS_BASIC_RIG_H
#define OPS_BASIC_RIG_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "quartic/program.h"
#include "tensor/layout.h"

enum { RIG_INPUTS = 10 };

typedef struct rig {
    quartic_graph *graph;
    char names[RIG_INPUTS][4];
    void *data[RIG_INPUTS]; /* owned; float or int32 */
    size_t bytes[RIG_INPUTS];
    uint32_t count;
} rig;

static inline void rig_expect(quartic_status status) {
    if (status != QUARTIC_OK) fail_msg("%s: %s", quartic_status_name(status), quartic_error_message());
}

static inline rig rig_begin(void) {
    rig r = {0};
    rig_expect(quartic_graph_create(&r.graph));
    return r;
}

static inline quartic_value rig_add(rig *r, quartic_dtype dtype, quartic_shape shape) {
    uint32_t k = r->count++;
    assert_true(k <= RIG_INPUTS - 1);
    r->bytes[k] = 4 * (size_t)quartic_shape_elements(&shape);
    r->data[k] = calloc(r->bytes[k], 1);
    assert_non_null(r->data[k]);
    snprintf(r->names[k], sizeof r->names[k], "x%u", k);
    return quartic_graph_input(r->graph, r->names[k], dtype, &shape);
}

/* Normal numbers, different for each input. */
static inline quartic_value rig_input(rig *r, quartic_shape shape) {
    quartic_value value = rig_add(r, QUARTIC_FLOAT32, shape);
    float *x = r->data[r->count - 1];
    for (size_t i = 0; i < r->bytes[r->count - 1] / 4; ++i) x[i] = quartic_random_normal(11, r->count, i);
    return value;
}

/* int32 in [low, low + span). */
static inline quartic_value rig_indices(rig *r, quartic_shape shape, int32_t low, uint32_t span) {
    quartic_value value = rig_add(r, QUARTIC_INT32, shape);
    int32_t *x = r->data[r->count - 1];
    for (size_t i = 0; i < r->bytes[r->count - 1] / 4; ++i)
        x[i] = (int32_t)(low + (int64_t)(quartic_random_bits(12, r->count, i) % span));
    return value;
}

static inline quartic_status rig_try(rig *r, const char *device_name, quartic_value result, void *out) {
    quartic_device *device;
    quartic_program *program;
    quartic_shape shape = quartic_graph_shape(r->graph, result);
    quartic_graph_output(r->graph, "result", result);
    rig_expect(quartic_device_create(device_name, &device));
    rig_expect(quartic_program_create(device, r->graph, NULL, &program));
    for (uint32_t k = 0; k < r->count; ++k)
        rig_expect(
            quartic_tensor_write(quartic_program_tensor(program, r->names[k]), r->data[k], r->bytes[k]));
    quartic_status status = quartic_program_run(program);
    if (status == QUARTIC_OK)
        rig_expect(quartic_tensor_read(quartic_program_tensor(program, "result"), out,
                                       4 * (size_t)quartic_shape_elements(&shape)));
    quartic_program_destroy(program);
    quartic_device_destroy(device);
    return status;
}

static inline void rig_run(rig *r, const char *device_name, quartic_value result, void *out) {
    rig_expect(rig_try(r, device_name, result, out));
}

static inline void rig_end(rig *r) {
    for (uint32_t k = 0; k < r->count; ++k) free(r->data[k]);
    quartic_graph_destroy(r->graph);
}

static inline void expect_close(double got, double want, double bound, const char *what, size_t index) {
    if (!(fabs(got - want) <= bound))
        fail_msg("%s: element %zu is %.9g, not %.9g within %.2g", what, index, got, want, bound);
}

#endif
