/* barriers_ops_test.c: every barrier that an op needs is there, and nothing reads what nobody wrote.
 *
 * All cases of all ops, forward and gradient: their dispatches in other orders over poisoned memory
 * (orders.h), and each alone against what it declares (declared.h). That the test finds faults is part of it:
 * a test's own op declares a wrong access in several ways and is caught.
 */
#include "op_graph.h"
#include "vulkan/declared.h"
#include "vulkan/orders.h"
#include "vulkan/vulkan_test.h"

#include <string.h>

static quartic_device *device;

/* ---- orders themselves --------------------------------------------------------------------------------- */

/* Commands 0 | 1 2 3 4 | 5 6 with the barriers in front of 1 and 5; step k / 2. */
static void expect_order(order order, const char *want) {
    quartic_gpu_command commands[7];
    char got[8] = "";
    for (uint32_t k = 0; k < 7; ++k)
        commands[k] = (quartic_gpu_command){.groups = {k, 1, 1}, .step = k / 2, .barrier = k == 1 || k == 5};
    order_commands(commands, 7, order);
    for (uint32_t k = 0; k < 7; ++k) {
        got[k] = (char)('0' + commands[k].groups[0]);
        assert_int_equal(commands[k].step, k / 2);
        assert_int_equal(commands[k].barrier, k == 1 || k == 5);
    }
    assert_string_equal(got, want);
}

static void orders_keep_to_the_runs(void **state) {
    (void)state;
    expect_order(ORDER_AS_RECORDED, "0123456");
    expect_order(ORDER_REVERSED, "0432165");
    expect_order(ORDER_ROTATED_BY_ONE, "0234165");
    expect_order(ORDER_ROTATED_BY_HALF, "0341265");
}

/* ---- planted faults ------------------------------------------------------------------------------------ */

typedef enum fault {
    FAULT_NONE,
    FAULT_WRITE_AS_READ,    /* a write is declared as a read */
    FAULT_WRITE_IN_PART,    /* only the first bytes of what is written are declared */
    FAULT_READ_IN_PART,     /* the same of what is read */
    FAULT_UNWRITTEN_SCRATCH /* scratch is read that nobody wrote */
} fault;

static fault planted_fault;
static quartic_op planted_copy; /* the op copy with planted_fault */

static void plant(quartic_dispatch_pointer *pointer) {
    const bool writes = (pointer->access & QUARTIC_WRITE) != 0;
    switch (planted_fault) {
    case FAULT_WRITE_AS_READ:
        pointer->access = QUARTIC_READ;
        break;
    case FAULT_WRITE_IN_PART:
        if (writes) pointer->bytes = 4;
        break;
    case FAULT_READ_IN_PART:
        if (!writes) pointer->bytes = 4;
        break;
    case FAULT_UNWRITTEN_SCRATCH:
        if (!writes) pointer->kind = QUARTIC_OPERAND_SCRATCH;
        break;
    default:
        break;
    }
}

static quartic_status planted_gpu(const quartic_op_call *call, const quartic_gpu_limits *limits,
                                  quartic_dispatch_list *list) {
    QUARTIC_TRY(quartic_op_copy.gpu(call, limits, list));
    if (planted_fault == FAULT_UNWRITTEN_SCRATCH)
        list->scratch_bytes = 4 * quartic_layout_elements(&call->outputs[0]);
    for (uint32_t d = 0; d < list->count; ++d)
        for (uint32_t p = 0; p < list->items[d].pointer_count; ++p) plant(&list->items[d].pointers[p]);
    return QUARTIC_OK;
}

static quartic_value append_planted(quartic_graph *graph, quartic_value x) {
    quartic_value copy;
    assert_ok(quartic_graph_append(graph, &planted_copy, NULL, &x, 1, &copy, 1));
    return copy;
}

/* x is copied to a, the last part of a to "result": a read after a write. Beside it the last part of the
 * state is copied to "old", and then the state is updated: a write after a read. In graph order, so that no
 * barrier stands for two reasons and hides a fault. */
static quartic_program *planted_program(fault fault) {
    enum { COUNT = 64, LAST = 16 };
    quartic_graph *graph;
    quartic_program *program;
    planted_fault = fault;
    planted_copy = quartic_op_copy;
    planted_copy.gpu = planted_gpu;
    assert_ok(quartic_graph_create(&graph));
    const quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(COUNT)),
                        s = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(COUNT));
    const quartic_value a = append_planted(graph, x);
    const quartic_value part = append_planted(graph, quartic_slice(graph, a, 0, COUNT - LAST, LAST));
    quartic_graph_output(graph, "result", part);
    quartic_graph_output(graph, "old", append_planted(graph, quartic_slice(graph, s, 0, 0, COUNT - LAST)));
    quartic_fill(graph, quartic_slice(graph, s, 0, 1, COUNT - 1), 3.0f);
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.workspace_budget = 1;
    assert_ok(quartic_program_create(device, graph, &config, &program));
    quartic_graph_destroy(graph);
    order_write_random(quartic_program_tensor(program, "x"), 1, 1.0f);
    order_write_random(quartic_program_tensor(program, "s"), 2, 1.0f);
    return program;
}

/* Makes every dispatch a submit of its own, as on a device that would take long for each. */
static void split_submits(quartic_gpu_command *commands, uint32_t count) {
    const double most = 0.9 * quartic_gpu_device_caps(device->gpu)->flops_per_second;
    for (uint32_t c = 0; c < count; ++c) commands[c].flops = 0.5 * most, commands[c].bytes = 0;
}

static bool order_finds(fault fault, bool split) {
    quartic_program *program = planted_program(fault);
    quartic_gpu_command *commands;
    uint32_t count;
    order_result result;
    assert_ok(order_lower(program, &commands, NULL, &count));
    if (split) {
        quartic_gpu_commands *recorded;
        split_submits(commands, count);
        assert_ok(quartic_gpu_commands_create(device->gpu, commands, count, program->plan.step_count, false,
                                              &recorded));
        assert_int_equal(quartic_gpu_commands_submit_count(recorded), count);
        quartic_gpu_commands_destroy(recorded);
    }
    assert_ok(order_compare(program, commands, count, &result));
    quartic_free(commands);
    quartic_program_destroy(program);
    return !result.same;
}

static bool declared_finds(fault fault) {
    quartic_program *program = planted_program(fault);
    declared_result result;
    assert_ok(declared_check(program, 0, &result));
    quartic_program_destroy(program);
    return !result.right;
}

static void other_orders_find_faults(void **state) {
    (void)state;
    for (int split = 0; split < 2; ++split) {
        assert_false(order_finds(FAULT_NONE, split));
        for (int fault = FAULT_WRITE_AS_READ; fault <= FAULT_UNWRITTEN_SCRATCH; ++fault)
            if (!order_finds((enum fault)fault, split)) fail_msg("fault %d is not found", fault);
    }
}

/* Scratch that nobody wrote is declared, if it is read; only other poisons show it. */
static void declarations_find_faults(void **state) {
    (void)state;
    assert_false(declared_finds(FAULT_NONE));
    for (int fault = FAULT_WRITE_AS_READ; fault <= FAULT_READ_IN_PART; ++fault)
        if (!declared_finds((enum fault)fault)) fail_msg("fault %d is not found", fault);
}

/* ---- ops ----------------------------------------------------------------------------------------------- */

static void compare_case(const quartic_op *op, const quartic_op_case *test, uint32_t number, bool gradient,
                         uint32_t *inout_moved) {
    char what[256];
    snprintf(what, sizeof what, "%s, case %u (%s), %s", op->name, number, test->label,
             gradient ? "gradient" : "forward");
    quartic_fixture fixture;
    quartic_program *program;
    assert_ok(quartic_fixture_begin(&fixture, op, test, 1));
    assert_ok(op_graph_build(&fixture, gradient));
    assert_ok(quartic_program_create(device, fixture.graph, NULL, &program));
    for (uint32_t f = 0; f < fixture.operand_count; ++f)
        assert_ok(quartic_tensor_write(quartic_program_tensor(program, fixture.feeds[f].name),
                                       fixture.feeds[f].data, fixture.feeds[f].bytes));
    declared_result declared;
    order_expect_same(what, program, inout_moved);
    assert_ok(declared_check(program, number, &declared));
    if (!declared.right) fail_msg("%s: %s", what, declared.fault);
    quartic_program_destroy(program);
    quartic_fixture_end(&fixture);
}

static void every_op_has_its_barriers(void **state) {
    (void)state;
    const char *only = getenv("QUARTIC_TEST_OP");
    uint32_t cases = 0, moved = 0;
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        if (op->view != NULL || op->cases == NULL || (only != NULL && strcmp(only, op->name) != 0)) continue;
        for (uint32_t number = 0;; ++number, ++cases) {
            quartic_op_case test = {.label = ""};
            if (!op->cases(number, &test)) break;
            compare_case(op, &test, number, false, &moved);
            if (quartic_fixture_has_gradient(op, &test)) compare_case(op, &test, number, true, &moved);
        }
    }
    print_message("%u cases of ops, %u dispatches moved\n", cases, moved);
    assert_true(only != NULL || (cases > 0 && moved > 0));
}

static int barriers_ops_begin(void **state) {
    return vulkan_test_begin(state) != 0 || quartic_device_create(vulkan_test_name(), &device) != QUARTIC_OK;
}

static int barriers_ops_end(void **state) {
    quartic_device_destroy(device);
    return vulkan_test_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_keep_to_the_runs),
        cmocka_unit_test(other_orders_find_faults),
        cmocka_unit_test(declarations_find_faults),
        cmocka_unit_test(every_op_has_its_barriers),
    };
    return cmocka_run_group_tests(tests, barriers_ops_begin, barriers_ops_end);
}
