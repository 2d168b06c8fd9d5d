/* gpu_hazard_test.c: barriers stand where dispatches touch the same bytes, and nowhere else; a graph is
 * lowered to dispatches with the right addresses. */
#include "expect.h"

#include "failing_alloc.h"
#include "base/alloc.h"
#include "run/hazard.h"
#include "run/run_vulkan.h"
#include "shaders/binary.args.h"

static bool gpu_hazard_add(quartic_hazards *hazards, quartic_hazard_range a, quartic_hazard_range b) {
    bool barrier;
    assert_int_equal(quartic_hazards_add(hazards, (quartic_hazard_range[]){a, b}, 2, &barrier), QUARTIC_OK);
    return barrier;
}

static quartic_hazard_range reads(uint64_t begin, uint64_t end) {
    return (quartic_hazard_range){begin, end, QUARTIC_READ, 0};
}

static quartic_hazard_range writes(uint64_t begin, uint64_t end) {
    return (quartic_hazard_range){begin, end, QUARTIC_WRITE, 0};
}

static void every_kind_of_hazard_gets_a_barrier(void **state) {
    (void)state;
    quartic_hazards hazards = {0};
    assert_false(gpu_hazard_add(&hazards, reads(0, 100), writes(100, 200)));
    assert_false(gpu_hazard_add(&hazards, reads(0, 100), writes(200, 300)));  /* reads share */
    assert_true(gpu_hazard_add(&hazards, reads(199, 200), writes(300, 400))); /* read after write */
    assert_true(gpu_hazard_add(&hazards, reads(500, 600), writes(199, 200))); /* write after read */
    assert_true(gpu_hazard_add(&hazards, reads(700, 701), writes(150, 250))); /* write after write */
    assert_true(gpu_hazard_add(&hazards, reads(700, 701),
                               (quartic_hazard_range){200, 210, QUARTIC_READ | QUARTIC_WRITE, 0}));
    quartic_hazards_destroy(&hazards);
}

/* Dispatches that say that they stay apart share an owner; everybody else still waits for them. */
static void ranges_of_one_owner_do_not_conflict(void **state) {
    (void)state;
    quartic_hazards hazards = {0};
    const quartic_hazard_range mine = {0, 100, QUARTIC_WRITE, 7}, other = {50, 60, QUARTIC_WRITE, 8};
    assert_false(gpu_hazard_add(&hazards, reads(200, 300), mine));
    assert_false(gpu_hazard_add(&hazards, reads(300, 400), mine));
    assert_true(gpu_hazard_add(&hazards, reads(300, 400), other));
    assert_true(gpu_hazard_add(&hazards, reads(300, 400), mine));
    assert_true(gpu_hazard_add(&hazards, reads(0, 10), writes(500, 600)));
    quartic_hazards_destroy(&hazards);
}

static void no_hazard_no_barrier(void **state) {
    (void)state;
    quartic_hazards hazards = {0};
    assert_false(gpu_hazard_add(&hazards, reads(0, 100), writes(0, 100))); /* in place, within one dispatch */
    assert_false(gpu_hazard_add(&hazards, reads(100, 200), writes(200, 300))); /* adjacent */
    assert_false(gpu_hazard_add(&hazards, reads(50, 50), writes(60, 60))); /* empty ranges touch nothing */
    assert_true(gpu_hazard_add(&hazards, reads(0, 1), writes(900, 901)));
    assert_false(
        gpu_hazard_add(&hazards, reads(100, 300), writes(1000, 1001))); /* the barrier covered these too */
    quartic_hazards_destroy(&hazards);
}

static void a_failed_note_is_reported(void **state) {
    (void)state;
    quartic_hazards hazards = {0};
    quartic_hazard_range range = reads(0, 1);
    bool barrier;
    quartic_alloc_fail_at(1);
    assert_int_equal(quartic_hazards_add(&hazards, &range, 1, &barrier), QUARTIC_OUT_OF_MEMORY);
    quartic_alloc_fail_at(0);
    quartic_hazards_destroy(&hazards);
}

/* p = x + y, q = x * y (independent), out = p - q[.., 1:] with a slice, so an offset and strides. */
static void a_graph_is_lowered_with_addresses_and_barriers(void **state) {
    (void)state;
    int64_t live = quartic_alloc_live();
    quartic_graph *graph;
    assert_int_equal(quartic_graph_create(&graph), QUARTIC_OK);
    quartic_shape shape = QUARTIC_SHAPE(3, 5), column = QUARTIC_SHAPE(3, 1);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_value y = quartic_graph_input(graph, "y", QUARTIC_FLOAT32, &column);
    quartic_value p = quartic_add(graph, x, y), q = quartic_multiply(graph, x, y); /* (3, 5) */
    quartic_value out = quartic_subtract(graph, p, quartic_slice(graph, q, 1, 4, 1));
    quartic_graph_output(graph, "out", out);
    assert_int_equal(quartic_graph_status(graph), QUARTIC_OK);

    quartic_run_vulkan_rule rule = {graph, {.max_shared_bytes = 32768, .max_invocations = 256}};
    quartic_plan plan;
    assert_int_equal(quartic_plan_create(graph, 4, quartic_run_vulkan_scratch, &rule, &plan), QUARTIC_OK);
    uint64_t storages[8] = {0}; /* x, y, p, q, out and any copies */
    assert_true(graph->storage_count <= 8);
    for (uint32_t s = 0; s < graph->storage_count; ++s) storages[s] = 0x10000 * (s + 1);
    const quartic_run_vulkan_memory memory = {storages, 0x1000000, 0x2000000};
    quartic_gpu_command *commands;
    uint32_t count;
    assert_int_equal(quartic_run_vulkan_lower(graph, &plan, &rule.limits, &memory, &commands, NULL, &count),
                     QUARTIC_OK);
    assert_true(count >= 3);
    quartic_binary_args first, second, third;
    memcpy(&first, commands[0].args, sizeof first);
    memcpy(&second, commands[1].args, sizeof second);
    memcpy(&third, commands[2].args, sizeof third);
    assert_string_equal(commands[0].shader, "binary");
    assert_int_equal(first.a, storages[quartic_graph_get(graph, x.id)->storage]);
    assert_int_equal(first.b, storages[quartic_graph_get(graph, y.id)->storage]);
    assert_int_equal(third.a, first.result);
    assert_int_equal(third.b, second.result + 4 * 4);
    assert_false(commands[0].barrier);
    assert_false(commands[1].barrier);
    assert_true(commands[2].barrier);
    assert_int_equal(commands[2].step, 2);
    quartic_free(commands);
    quartic_plan_destroy(&plan);
    quartic_graph_destroy(graph);
    assert_int_equal(quartic_alloc_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_hazard_gets_a_barrier),
        cmocka_unit_test(ranges_of_one_owner_do_not_conflict),
        cmocka_unit_test(no_hazard_no_barrier),
        cmocka_unit_test(a_failed_note_is_reported),
        cmocka_unit_test(a_graph_is_lowered_with_addresses_and_barriers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
