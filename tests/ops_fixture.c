/* ops_fixture.c: see ops_fixture.h. */
#include "ops_fixture.h"

#include "base/rng.h"
#include "tensor/layout.h"

fixture fixture_begin(void) {
    fixture r = {0};
    assert_ok(quartic_graph_create(&r.graph));
    return r;
}

quartic_value fixture_add(fixture *r, quartic_dtype dtype, quartic_shape shape) {
    uint32_t k = r->count++;
    assert_true(k <= FIXTURE_INPUTS - 1);
    r->bytes[k] = 4 * (size_t)quartic_shape_elements(&shape);
    r->data[k] = calloc(r->bytes[k], 1);
    assert_non_null(r->data[k]);
    snprintf(r->names[k], sizeof r->names[k], "x%u", k);
    return quartic_graph_input(r->graph, r->names[k], dtype, &shape);
}

quartic_value fixture_input(fixture *r, quartic_shape shape) {
    quartic_value value = fixture_add(r, QUARTIC_FLOAT32, shape);
    float *x = r->data[r->count - 1];
    for (size_t i = 0; i < r->bytes[r->count - 1] / 4; ++i) x[i] = quartic_random_normal(11, r->count, i);
    return value;
}

quartic_value fixture_indices(fixture *r, quartic_shape shape, int32_t low, uint32_t span) {
    quartic_value value = fixture_add(r, QUARTIC_INT32, shape);
    int32_t *x = r->data[r->count - 1];
    for (size_t i = 0; i < r->bytes[r->count - 1] / 4; ++i)
        x[i] = (int32_t)(low + (int64_t)(quartic_random_bits(12, r->count, i) % span));
    return value;
}

quartic_status fixture_try(fixture *r, const char *device_name, quartic_value result, void *out) {
    quartic_device *device;
    quartic_program *program;
    quartic_shape shape = quartic_graph_shape(r->graph, result);
    quartic_graph_output(r->graph, "result", result);
    assert_ok(quartic_device_create(device_name, &device));
    assert_ok(quartic_program_create(device, r->graph, NULL, &program));
    for (uint32_t k = 0; k < r->count; ++k)
        assert_ok(
            quartic_tensor_write(quartic_program_tensor(program, r->names[k]), r->data[k], r->bytes[k]));
    quartic_status status = quartic_program_run(program);
    if (status == QUARTIC_OK)
        assert_ok(quartic_tensor_read(quartic_program_tensor(program, "result"), out,
                                      4 * (size_t)quartic_shape_elements(&shape)));
    quartic_program_destroy(program);
    quartic_device_destroy(device);
    return status;
}

void fixture_run(fixture *r, const char *device_name, quartic_value result, void *out) {
    assert_ok(fixture_try(r, device_name, result, out));
}

void fixture_end(fixture *r) {
    for (uint32_t k = 0; k < r->count; ++k) free(r->data[k]);
    quartic_graph_destroy(r->graph);
}

void expect_close(double got, double want, double bound, const char *what, size_t index) {
    if (!(fabs(got - want) <= bound))
        fail_msg("%s: element %zu is %.9g, not %.9g within %.2g", what, index, got, want, bound);
}
