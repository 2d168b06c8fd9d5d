/* plan_joins_test.c: what a concat joins is made in its place where that is possible, with the same numbers. */
#include <math.h>

#include "expect.h"

#include "graph/access.h"
#include "graph/graph.h"
#include "plan/plan.h"
#include "quartic/quartic.h"

typedef enum join_kind {
    PLAIN,       /* two values one after the other */
    LEADING,     /* along axis 1 behind an axis of one element */
    INTERLEAVED, /* along axis 1 behind an axis of several: copied */
    TWICE,       /* the same value twice: copied */
    AN_INPUT,    /* one part is an input: copied */
    CROOKED,     /* the second part would begin at an odd element: copied */
    READ_LATER,  /* the parts are read before and after the whole is */
    NESTED,      /* the whole is a part of another one */
    ASSIGNED,    /* the whole goes to a state */
    IN_PLACE,    /* the whole is overwritten by what is made of it and of a part */
    JOIN_KINDS
} join_kind;

/* Appends the graph, of which the outputs "y" and "z" are read; returns whether a concat has to be run. */
static bool append_joined(quartic_graph *graph, join_kind kind) {
    const quartic_shape rows = kind == CROOKED       ? QUARTIC_SHAPE(1, 3)
                               : kind == INTERLEAVED ? QUARTIC_SHAPE(2, 4)
                                                     : QUARTIC_SHAPE(1, 8);
    const quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &rows);
    quartic_value parts[3] = {quartic_tanh(graph, x), quartic_scale(graph, x, 3.0f, 1.0f), {0}};
    if (kind == TWICE) parts[1] = parts[0];
    if (kind == AN_INPUT) parts[1] = x;
    quartic_value before = quartic_sum(graph, parts[0], 3u, 0);
    quartic_value whole =
        quartic_concat(graph, parts, 2, kind == LEADING || kind == INTERLEAVED || kind == CROOKED ? 1 : 0);
    if (kind == NESTED) {
        quartic_value outer[] = {quartic_exp(graph, x), whole, quartic_square(graph, x)};
        whole = quartic_concat(graph, outer, 3, 0);
    }
    if (kind == ASSIGNED) {
        const quartic_value state = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(24));
        quartic_assign(graph, quartic_slice(graph, state, 0, 4, 16),
                       quartic_reshape(graph, whole, &QUARTIC_SHAPE(16)));
    }
    quartic_value y = quartic_scale(graph, whole, 0.5f, 0.25f);
    if (kind == IN_PLACE) y = quartic_add(graph, whole, quartic_sigmoid(graph, parts[1]));
    quartic_graph_output(graph, "y", y);
    quartic_value z = quartic_add(graph, before, quartic_sum(graph, parts[1], 3u, 0));
    if (kind == READ_LATER) z = quartic_add(graph, z, quartic_multiply(graph, parts[0], parts[1]));
    quartic_graph_output(graph, "z", z);
    assert_ok(quartic_graph_status(graph));
    return kind == INTERLEAVED || kind == TWICE || kind == AN_INPUT || kind == CROOKED;
}

static uint32_t concats_of(const quartic_graph *graph, const quartic_plan_budget *budget) {
    quartic_plan plan;
    uint32_t count = 0;
    assert_ok(budget == NULL ? quartic_plan_create(graph, 4, NULL, NULL, &plan)
                             : quartic_plan_create_within(graph, 4, NULL, NULL, budget, &plan));
    for (uint32_t t = 0; t < plan.step_count; ++t)
        count += strcmp(graph->nodes[plan.steps[t].node].op->name, "concat") == 0;
    quartic_plan_destroy(&plan);
    return count;
}

static void parts_are_made_in_their_place(void **state) {
    (void)state;
    static const quartic_plan_budget any_bytes = {.bytes = UINT64_MAX};
    for (int kind = 0; kind < JOIN_KINDS; ++kind) {
        quartic_graph *graph;
        assert_ok(quartic_graph_create(&graph));
        const uint32_t want = append_joined(graph, (join_kind)kind);
        if (concats_of(graph, NULL) != want || concats_of(graph, &any_bytes) != want)
            fail_msg("kind %d runs %u concats, not %u", kind, concats_of(graph, NULL), want);
        quartic_graph_destroy(graph);
    }
}

/* Reads an output of any size up to 32 elements. */
static void read_output(quartic_program *program, const char *name, float *out) {
    const quartic_tensor *tensor = quartic_program_tensor(program, name);
    const quartic_shape shape = quartic_tensor_shape(tensor);
    assert_in_range(quartic_shape_elements(&shape), 1, 32);
    assert_ok(quartic_tensor_read(tensor, out, quartic_shape_elements(&shape) * sizeof(float)));
}

/* What y, z and the state hold, worked out from x alone. */
static void expect_numbers(join_kind kind, const float *x, const float *y, const float *z, const float *s) {
    const uint32_t n = kind == CROOKED ? 3 : 8;
    double parts[4][8] = {{0}}, sums = 0;
    const uint32_t first = kind == NESTED ? 1 : 0, count = kind == NESTED ? 4 : 2;
    for (uint32_t i = 0; i < n; ++i) {
        const double linear = 3.0 * (double)x[i] + 1.0, bent = tanh((double)x[i]);
        parts[first][i] = bent;
        parts[first + 1][i] = kind == TWICE ? bent : kind == AN_INPUT ? (double)x[i] : linear;
        sums += bent + parts[first + 1][i];
        if (kind == NESTED) parts[0][i] = exp((double)x[i]), parts[3][i] = (double)x[i] * (double)x[i];
    }
    for (uint32_t p = 0; p < count; ++p)
        for (uint32_t i = 0; i < n; ++i) {
            const uint32_t at = kind == INTERLEAVED ? i / 4 * 8 + p * 4 + i % 4 : p * n + i;
            const double part = parts[p][i];
            const double want = kind == IN_PLACE ? part + 1.0 / (1.0 + exp(-parts[1][i])) : part / 2 + 0.25;
            if (fabs((double)y[at] - want) > 1e-5)
                fail_msg("kind %d: y[%u] is %g, not %g", kind, at, (double)y[at], want);
            if (kind == ASSIGNED && fabs((double)s[4 + at] - part) > 1e-5)
                fail_msg("s[%u] is %g, not %g", 4 + at, (double)s[4 + at], part);
        }
    for (uint32_t i = 0; i < (kind == READ_LATER ? n : 1); ++i) {
        const double want = sums + (kind == READ_LATER ? parts[0][i] * parts[1][i] : 0);
        if (fabs((double)z[i] - want) > 1e-4)
            fail_msg("kind %d: z[%u] is %g, not %g", kind, i, (double)z[i], want);
    }
}

static void the_numbers_are_the_same(void **state) {
    (void)state;
    static const char *const names[] = {"cpu", "reference", "reference64"};
    static const float x[8] = {0.5f, -1.0f, 2.0f, 0.25f, -0.125f, 1.5f, -2.0f, 0.75f};
    for (int kind = 0; kind < JOIN_KINDS; ++kind)
        for (size_t d = 0; d < sizeof names / sizeof names[0]; ++d) {
            quartic_graph *graph;
            quartic_device *device;
            quartic_program *program;
            float y[32], z[32], s[24] = {0};
            assert_ok(quartic_graph_create(&graph));
            append_joined(graph, (join_kind)kind);
            assert_ok(quartic_device_create(names[d], &device));
            assert_ok(quartic_program_create(device, graph, NULL, &program));
            assert_ok(quartic_tensor_write(quartic_program_tensor(program, "x"), x,
                                           (kind == CROOKED ? 3 : 8) * sizeof(float)));
            for (int run = 0; run < 2; ++run) assert_ok(quartic_program_run(program));
            read_output(program, "y", y);
            read_output(program, "z", z);
            if (kind == ASSIGNED) read_output(program, "s", s);
            expect_numbers((join_kind)kind, x, y, z, s);
            quartic_program_destroy(program);
            quartic_device_destroy(device);
            quartic_graph_destroy(graph);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_made_in_their_place),
        cmocka_unit_test(the_numbers_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
