/* gpu_estimate_test.c: counts, chains and times of graphs for stated limits; the table and limits as JSON. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "failing_alloc.h"
#include "quartic/quartic.h"
#include "run/chain.h"

static void ok(quartic_status status) {
    if (status != QUARTIC_OK) fail_msg("%s", quartic_error_message());
}

/* ---- chains ---- */

static quartic_run_vulkan_touched touch(uint64_t read, uint64_t write) {
    return (quartic_run_vulkan_touched){.count = 2,
                                        .ranges = {{read * 16, read * 16 + 16, QUARTIC_READ, 0},
                                                   {write * 16, write * 16 + 16, QUARTIC_WRITE, 0}}};
}

static uint32_t longest(const quartic_run_vulkan_touched *touched, uint32_t count) {
    double chain;
    ok(quartic_chain_longest(touched, NULL, count, &chain));
    return (uint32_t)chain;
}

static void a_chain_follows_what_is_read_and_written(void **state) {
    (void)state;
    assert_int_equal(longest(NULL, 0), 0);
    const quartic_run_vulkan_touched apart[] = {touch(0, 1), touch(0, 2), touch(0, 3)};
    assert_int_equal(longest(apart, 3), 1);
    const quartic_run_vulkan_touched row[] = {touch(0, 1), touch(1, 2), touch(2, 3)};
    assert_int_equal(longest(row, 3), 3);
    const quartic_run_vulkan_touched fork[] = {touch(0, 1), touch(1, 2), touch(1, 3), touch(3, 4)};
    assert_int_equal(longest(fork, 4), 3);
    const quartic_run_vulkan_touched write_after_read[] = {touch(0, 1), touch(2, 0)};
    assert_int_equal(longest(write_after_read, 2), 2);
    const quartic_run_vulkan_touched write_after_write[] = {touch(0, 5), touch(1, 5)};
    assert_int_equal(longest(write_after_write, 2), 2);
    /* Two readers of one range, then its writer, which waits for the longer of both chains. */
    const quartic_run_vulkan_touched both[] = {touch(0, 1), touch(7, 2), touch(1, 3), touch(2, 4),
                                               touch(3, 7)};
    assert_int_equal(longest(both, 5), 3);
    /* Overlap in a part. */
    quartic_run_vulkan_touched part[] = {touch(0, 1), touch(2, 3)};
    part[1].ranges[0] = (quartic_hazard_range){24, 48, QUARTIC_READ, 0};
    assert_int_equal(longest(part, 2), 2);
    part[1].ranges[0] = (quartic_hazard_range){32, 48, QUARTIC_READ, 0};
    assert_int_equal(longest(part, 2), 1);
    /* Writers that stay apart, and a reader of both. */
    quartic_run_vulkan_touched apart_writers[] = {touch(0, 5), touch(1, 5), touch(5, 6)};
    for (int k = 0; k < 2; ++k) apart_writers[k].ranges[0].owner = apart_writers[k].ranges[1].owner = 9;
    assert_int_equal(longest(apart_writers, 3), 2);
}

static void a_chain_is_weighed(void **state) {
    (void)state;
    const quartic_run_vulkan_touched fork[] = {touch(0, 1), touch(1, 2), touch(1, 3), touch(3, 4)};
    double chain;
    ok(quartic_chain_longest(fork, (const double[]){1, 10, 2, 3}, 4, &chain));
    assert_true(chain == 11);
    ok(quartic_chain_longest(fork, (const double[]){1, 4, 2, 3}, 4, &chain));
    assert_true(chain == 6);
}

static void a_chain_without_memory_is_reported(void **state) {
    (void)state;
    const quartic_run_vulkan_touched one = touch(0, 1);
    double chain;
    for (uint32_t call = 1; call <= 3; ++call) {
        quartic_alloc_fail_at(call);
        assert_int_equal(quartic_chain_longest(&one, NULL, 1, &chain), QUARTIC_OUT_OF_MEMORY);
    }
    quartic_alloc_fail_at(0);
}

/* ---- estimates ---- */

enum { COUNT = 1 << 20 };

/* out = (x + y) * (x - y), with 2^20 elements. */
static quartic_graph *make_graph(void) {
    quartic_graph *graph;
    ok(quartic_graph_create(&graph));
    const quartic_shape shape = QUARTIC_SHAPE(COUNT);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_value y = quartic_graph_input(graph, "y", QUARTIC_FLOAT32, &shape);
    quartic_graph_push_scope(graph, "part");
    quartic_value product = quartic_multiply(graph, quartic_add(graph, x, y), quartic_subtract(graph, x, y));
    quartic_graph_pop_scope(graph);
    quartic_graph_output(graph, "out", product);
    ok(quartic_graph_status(graph));
    return graph;
}

static void a_graph_is_counted(void **state) {
    (void)state;
    const int64_t live = quartic_alloc_live();
    quartic_graph *graph = make_graph();
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    limits.flops_per_second = 1e15; /* so that bandwidth decides */
    limits.bytes_per_second = 1e9;
    limits.launch_seconds = 0.25;
    limits.barrier_seconds = 0.5;
    quartic_estimate *estimate;
    ok(quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, &limits, &estimate));
    quartic_graph_destroy(graph); /* it is no longer needed */
    const quartic_estimate_info info = quartic_estimate_get_info(estimate);
    assert_int_equal(info.dispatches, 3);
    assert_int_equal(info.dispatch_count, 3);
    assert_int_equal(info.barriers, 1);
    assert_int_equal(info.longest_chain, 2);
    assert_int_equal(info.submits, 1);
    assert_int_equal(info.few_groups, 0);
    /* x, y, the result, and a workspace of two sums, one of which the product may take over. */
    assert_int_equal(info.memory_bytes, 4 * (uint64_t)COUNT * 5);
    assert_int_equal(info.arena_count, 4);
    const double bandwidth = 3 * 12.0 * COUNT / 0.8e9;
    assert_true(fabs(info.bandwidth_seconds - bandwidth) < 1e-9);
    assert_true(fabs(info.launch_seconds - 0.75) < 1e-12);
    assert_true(fabs(info.barrier_seconds - 1.0) < 1e-12);
    assert_true(fabs(info.estimated_seconds - bandwidth - 1.75) < 1e-9);
    quartic_estimate_dispatch last;
    ok(quartic_estimate_get_dispatch(estimate, 2, &last));
    assert_string_equal(last.op, "binary");
    assert_string_equal(last.label, "part");
    assert_string_equal(last.shader, "binary");
    assert_int_equal(last.barrier, 1);
    assert_int_equal(quartic_estimate_get_dispatch(estimate, 3, &last), QUARTIC_INVALID_ARGUMENT);
    quartic_estimate_arena arena;
    ok(quartic_estimate_get_arena(estimate, 0, &arena));
    assert_string_equal(arena.name, "workspace");
    assert_int_equal(quartic_estimate_get_arena(estimate, 4, &arena), QUARTIC_INVALID_ARGUMENT);
    quartic_estimate_destroy(estimate);
    assert_int_equal(quartic_alloc_live(), live);
}

/* What is run more than once counts as often; tensors of one name count once. */
static void parts_share_tensors_and_are_repeated(void **state) {
    (void)state;
    quartic_graph *graph = make_graph();
    const quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    quartic_estimate *one, *more;
    const quartic_estimate_part parts[] = {{graph, 3}, {graph, 1}};
    ok(quartic_estimate_create(parts + 1, 1, &limits, &one));
    ok(quartic_estimate_create(parts, 2, &limits, &more));
    const quartic_estimate_info a = quartic_estimate_get_info(one), b = quartic_estimate_get_info(more);
    assert_int_equal(b.dispatches, 4 * a.dispatches);
    assert_int_equal(b.barriers, 4 * a.barriers + 3); /* and one before each run but the first */
    assert_int_equal(b.longest_chain, 4 * a.longest_chain);
    assert_int_equal(a.batches, 1); /* together they take far less than 0.5 s */
    assert_int_equal(b.batches, 1);
    assert_int_equal(b.submits, 1);
    assert_int_equal(b.dispatch_count, 2 * a.dispatch_count);
    assert_true(fabs(b.estimated_seconds - 4 * a.estimated_seconds) < 1e-9 * b.estimated_seconds);
    assert_int_equal(b.memory_bytes, a.memory_bytes + 8 * (uint64_t)COUNT);
    quartic_estimate_destroy(one);
    quartic_estimate_destroy(more);
    quartic_graph_destroy(graph);
}

/* Counts have 32 bits, and a run costs time. */
static void runs_without_end_are_refused(void **state) {
    (void)state;
    quartic_graph *graph = make_graph();
    const quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    quartic_estimate *estimate;
    quartic_estimate_part part = {graph, UINT32_MAX};
    assert_int_equal(quartic_estimate_create(&part, 1, &limits, &estimate), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "4294967295 runs of part 0; at most 1048576"));
    assert_null(estimate);
    part.runs = QUARTIC_ESTIMATE_MOST_RUNS;
    ok(quartic_estimate_create(&part, 1, &limits, &estimate));
    assert_int_equal(quartic_estimate_get_info(estimate).dispatches, 3 * QUARTIC_ESTIMATE_MOST_RUNS);
    quartic_estimate_destroy(estimate);
    quartic_graph_destroy(graph);
}

/* One workgroup on a device of many units: arithmetic takes units times as long as on all of them. */
static void idle_units_are_counted(void **state) {
    (void)state;
    quartic_graph *graph;
    ok(quartic_graph_create(&graph));
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(8));
    quartic_graph_output(graph, "out", quartic_add(graph, x, x));
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    limits.compute_units = 100;
    limits.flops_per_second = 1e6;
    limits.bytes_per_second = 1e12;
    limits.launch_seconds = limits.barrier_seconds = 0;
    quartic_estimate *estimate;
    ok(quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, &limits, &estimate));
    const quartic_estimate_info info = quartic_estimate_get_info(estimate);
    assert_int_equal(info.few_groups, 1);
    assert_true(info.arithmetic_seconds > 0);
    assert_true(fabs(info.estimated_seconds - 100 * info.arithmetic_seconds) < 1e-9);
    quartic_estimate_destroy(estimate);
    quartic_graph_destroy(graph);
}

static void an_estimate_without_memory_leaves_nothing_behind(void **state) {
    (void)state;
    quartic_graph *graph = make_graph();
    const quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    const int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    uint32_t call = 0;
    for (; status != QUARTIC_OK; ++call) {
        quartic_estimate *estimate;
        quartic_alloc_fail_at(call + 1);
        status = quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, &limits, &estimate);
        quartic_alloc_fail_at(0);
        if (status != QUARTIC_OK) {
            assert_int_equal(status, QUARTIC_OUT_OF_MEMORY);
            assert_null(estimate);
        }
        quartic_estimate_destroy(estimate);
        assert_int_equal(quartic_alloc_live(), live);
    }
    assert_true(call > 10);
    quartic_graph_destroy(graph);
}

static void the_same_limits_give_the_same_estimate(void **state) {
    (void)state;
    quartic_graph *graph = make_graph();
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    ok(quartic_device_limits_find(&limits, "h200"));
    quartic_estimate *first, *second;
    ok(quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, &limits, &first));
    ok(quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, &limits, &second));
    const quartic_estimate_info a = quartic_estimate_get_info(first), b = quartic_estimate_get_info(second);
    assert_memory_equal(&a, &b, sizeof a);
    quartic_estimate_destroy(first);
    quartic_estimate_destroy(second);
    quartic_graph_destroy(graph);
}

/* ---- limits ---- */

static const char example[] =
    "{\"name\": \"laptop\", \"about\": \"a made-up device\", \"kind\": \"integrated\", \"compute_units\": "
    "16, "
    "\"subgroup_size\": 32, \"max_invocations\": 1024, \"max_shared_bytes\": 32768, "
    "\"memory_bytes\": 8589934592, \"max_buffer_bytes\": 2147483648, \"float16\": true, "
    "\"cooperative_matrix\": false, \"subgroup_shuffle\": true, \"flops_per_second\": 2e12, "
    "\"bytes_per_second\": 8e10, \"launch_seconds\": 3e-6, \"barrier_seconds\": 5e-6}";

static void the_table_holds_whole_rows(void **state) {
    (void)state;
    static const char *const names[] = {"h200",     "rx7900xtx", "rx9070xt",
                                        "arc-a770", "apple-m2",  "adreno-740"};
    uint32_t count = 0;
    for (; quartic_device_limits_name(count) != NULL; ++count) {
        quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
        assert_string_equal(quartic_device_limits_name(count), names[count]);
        ok(quartic_device_limits_find(&limits, names[count]));
        assert_string_equal(limits.name, names[count]);
        assert_int_equal(limits.struct_size, sizeof limits);
        quartic_graph *graph = make_graph();
        quartic_estimate *estimate;
        ok(quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, &limits, &estimate));
        quartic_estimate_destroy(estimate);
        quartic_graph_destroy(graph);
    }
    assert_int_equal(count, sizeof names / sizeof names[0]);
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    assert_int_equal(quartic_device_limits_find(&limits, "h2000"), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(
        strstr(quartic_error_message(), "h200, rx7900xtx, rx9070xt, arc-a770, apple-m2, adreno-740"));
}

static void limits_are_read_from_json(void **state) {
    (void)state;
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    ok(quartic_device_limits_read_json(&limits, example));
    assert_string_equal(limits.name, "laptop");
    assert_int_equal(limits.kind, QUARTIC_LIMITS_INTEGRATED);
    assert_int_equal(limits.compute_units, 16);
    assert_int_equal(limits.memory_bytes, 8589934592);
    assert_int_equal(limits.float16, 1);
    assert_int_equal(limits.cooperative_matrix, 0);
    assert_true(limits.bytes_per_second == 8e10);
    assert_true(limits.barrier_seconds == 5e-6);
}

/* Replaces one piece of the example, and expects an error that says so. */
static void expect_refusal(const char *piece, const char *instead, quartic_status want,
                           const char *sentence) {
    char text[2 * sizeof example];
    const char *at = strstr(example, piece);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - example), example, instead, at + strlen(piece));
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    assert_int_equal(quartic_device_limits_read_json(&limits, text), want);
    if (strstr(quartic_error_message(), sentence) == NULL) fail_msg("%s", quartic_error_message());
    assert_int_equal(limits.compute_units, 8);
}

static void what_is_wrong_in_json_is_said(void **state) {
    (void)state;
    expect_refusal("\"compute_units\": 16, ", "", QUARTIC_INVALID_ARGUMENT, "lack the key \"compute_units\"");
    expect_refusal("\"kind\": \"integrated\", ", "", QUARTIC_INVALID_ARGUMENT, "lack the key \"kind\"");
    expect_refusal("\"integrated\"", "\"fast\"", QUARTIC_INVALID_ARGUMENT, "\"discrete\" or \"integrated\"");
    expect_refusal("\"compute_units\": 16", "\"compute_units\": 0", QUARTIC_INVALID_ARGUMENT,
                   "compute_units");
    expect_refusal("\"compute_units\": 16", "\"compute_units\": 1.5", QUARTIC_INVALID_ARGUMENT,
                   "a whole number");
    expect_refusal("\"float16\": true", "\"float16\": 1", QUARTIC_INVALID_ARGUMENT, "true or false");
    expect_refusal("\"about\"", "\"abuot\"", QUARTIC_INVALID_ARGUMENT, "no key \"abuot\"");
    expect_refusal("\"name\": \"laptop\"", "\"name\": 3", QUARTIC_INVALID_ARGUMENT, "must be a text");
    expect_refusal("{", "[", QUARTIC_FORMAT, "no JSON");
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    assert_int_equal(quartic_device_limits_read_json(&limits, "[]"), QUARTIC_FORMAT);
}

static void limits_out_of_range_are_refused(void **state) {
    (void)state;
    quartic_graph *graph = make_graph();
    quartic_device_limits limits = QUARTIC_DEVICE_LIMITS_INIT;
    limits.compute_units = 0;
    quartic_estimate *estimate;
    assert_int_equal(quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, &limits, &estimate),
                     QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "compute_units"));
    limits.compute_units = 1, limits.max_buffer_bytes = 0;
    assert_int_equal(quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, &limits, &estimate),
                     QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "from 1048576 to 9000000000000000000"));
    quartic_graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_follows_what_is_read_and_written),
        cmocka_unit_test(a_chain_is_weighed),
        cmocka_unit_test(a_chain_without_memory_is_reported),
        cmocka_unit_test(a_graph_is_counted),
        cmocka_unit_test(parts_share_tensors_and_are_repeated),
        cmocka_unit_test(runs_without_end_are_refused),
        cmocka_unit_test(idle_units_are_counted),
        cmocka_unit_test(an_estimate_without_memory_leaves_nothing_behind),
        cmocka_unit_test(the_same_limits_give_the_same_estimate),
        cmocka_unit_test(the_table_holds_whole_rows),
        cmocka_unit_test(limits_are_read_from_json),
        cmocka_unit_test(what_is_wrong_in_json_is_said),
        cmocka_unit_test(limits_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
