/* gpu_guard_test.c: no shader touches memory outside of its operands, not even for lanes that are idle.
 *
 * On a Vulkan device that runs on the CPU a device address is a pointer, so every operand, intermediate and
 * scratch can get pages of its own that end where its elements end, before a page that may not be touched.
 * Every case of every op runs so, forward and gradient, with the operands' tight layouts, and must give the
 * same bits as in ordinary memory. Drivers that load above the condition that guards a load (lavapipe 26)
 * touch such pages; the handler of the fault notes it and opens the page, so that all cases are told. On
 * other devices the test is skipped.
 */
#include "op_graph.h"
#include "vulkan/vulkan_test.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run/run.h"
#include "run/run_vulkan.h"
#include "verify/fixture.h"

/* ---- memory that ends before a guard page -------------------------------------------------------------- */

enum { MOST_PIECES = 512 };

typedef struct pieces {
    struct {
        uint8_t *mapping;
        size_t bytes;
    } list[MOST_PIECES];
    uint32_t count;
} pieces;

static pieces memory; /* of the case at hand, for the handler too */
static char at_hand[256];
static volatile sig_atomic_t touched;

static void say_and_exit(const char *words) {
    if (write(STDERR_FILENO, at_hand, strlen(at_hand)) >= 0 &&
        write(STDERR_FILENO, words, strlen(words)) >= 0)
        _exit(1);
    _exit(2);
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    const uint8_t *at = info->si_addr;
    for (uint32_t k = 0; k < memory.count; ++k) {
        if (at < memory.list[k].mapping || at >= memory.list[k].mapping + memory.list[k].bytes) continue;
        mprotect(memory.list[k].mapping, memory.list[k].bytes, PROT_READ | PROT_WRITE);
        touched = 1;
        return;
    }
    say_and_exit(": touched memory far from all operands\n");
}

/* Zeros that end where a guard page begins, up to what `alignment` leaves. */
static uint8_t *gpu_guard_add_piece(uint64_t bytes, uint64_t alignment) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    const size_t inner = (rounded + page - 1) / page * page, all = inner + 2 * page;
    assert_true(memory.count < MOST_PIECES);
    uint8_t *mapping = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(mapping, MAP_FAILED);
    assert_int_equal(mprotect(mapping + page, inner, PROT_READ | PROT_WRITE), 0);
    memory.list[memory.count].mapping = mapping;
    memory.list[memory.count++].bytes = all;
    return mapping + page + inner - rounded;
}

static void drop_pieces(void) {
    for (uint32_t k = 0; k < memory.count; ++k) munmap(memory.list[k].mapping, memory.list[k].bytes);
    memory.count = 0;
}

/* ---- one graph in such memory -------------------------------------------------------------------------- */

static uint32_t storage_named(const quartic_graph *graph, const char *name) {
    uint32_t s = 0;
    while (graph->storages[s].name == NULL || strcmp(graph->storages[s].name, name) != 0) ++s;
    return s;
}

/* The fixture's graph once, results into `results` (as many numbers as each fixture result has). */
static void run_guarded(quartic_fixture *fixture, quartic_gpu_device *gpu, uint32_t **results) {
    const quartic_graph *graph = fixture->graph;
    const quartic_run_vulkan_rule rule = {graph, quartic_run_vulkan_limits(gpu)};
    quartic_plan plan;
    assert_ok(quartic_plan_create(graph, 4, quartic_run_vulkan_scratch, (void *)&rule, &plan));
    uint64_t *storages = quartic_alloc(graph->storage_count, sizeof *storages);
    for (uint32_t s = 0; s < graph->storage_count; ++s) {
        if (!plan.places[s].used) continue;
        plan.places[s].in_workspace = false;
        storages[s] = (uint64_t)(uintptr_t)gpu_guard_add_piece(4 * graph->storages[s].elements, 4);
    }
    /* Offsets of scratch count from address 0. Its parts are vec4 here and there. */
    for (uint32_t k = 0; k < plan.step_count; ++k)
        if (plan.steps[k].scratch_bytes != 0)
            plan.steps[k].scratch_offset =
                (uint64_t)(uintptr_t)gpu_guard_add_piece(plan.steps[k].scratch_bytes, 16);
    if (plan.counters_bytes != 0)
        plan.counters_offset = (uint64_t)(uintptr_t)gpu_guard_add_piece(plan.counters_bytes, 4);
    for (uint32_t f = 0; f < fixture->operand_count; ++f) {
        const uint32_t s = storage_named(graph, fixture->feeds[f].name);
        if (plan.places[s].used)
            memcpy((void *)(uintptr_t)storages[s], fixture->feeds[f].data, fixture->feeds[f].bytes);
    }
    /* What stands for a left-out operand is as small as can be: a shader that reads it is at fault. */
    const quartic_run_vulkan_memory where = {storages, &(uint64_t){0},
                                             (uint64_t)(uintptr_t)gpu_guard_add_piece(4, 4)};
    quartic_gpu_command *list;
    uint32_t count;
    assert_ok(quartic_run_vulkan_lower(graph, &plan, &rule.limits, &where, &list, NULL, &count));
    quartic_gpu_commands *commands;
    assert_ok(quartic_gpu_commands_create(gpu, list, count, plan.step_count, false, &commands));
    quartic_free(list);
    assert_ok(quartic_gpu_commands_run(commands));
    quartic_gpu_commands_destroy(commands);
    for (uint32_t r = 0; r < fixture->result_count; ++r)
        memcpy(results[r], (void *)(uintptr_t)storages[storage_named(graph, fixture->results[r].name)],
               4 * fixture->results[r].count);
    drop_pieces();
    quartic_free(storages);
    quartic_plan_destroy(&plan);
}

/* ---- the cases ---------------------------------------------------------------------------------------- */

/* False if memory outside of the operands was touched. */
static bool gpu_guard_run_case(quartic_device *device, const quartic_op *op, const quartic_op_case *test,
                               uint32_t number, bool gradient) {
    touched = 0;
    snprintf(at_hand, sizeof at_hand, "%s, case %u (%s), %s", op->name, number, test->label,
             gradient ? "gradient" : "forward");
    quartic_fixture fixture;
    assert_ok(quartic_fixture_begin(&fixture, op, test, 1));
    assert_ok(op_graph_build(&fixture, gradient));
    assert_ok(quartic_fixture_run(&fixture, device, false));
    uint32_t *results[QUARTIC_FIXTURE_RESULTS];
    for (uint32_t r = 0; r < fixture.result_count; ++r)
        results[r] = quartic_alloc(fixture.results[r].count, 4);
    run_guarded(&fixture, device->gpu, results);
    for (uint32_t r = 0; r < fixture.result_count; ++r) {
        if (memcmp(results[r], fixture.results[r].got, 4 * fixture.results[r].count) != 0)
            fail_msg("%s: %s differs from the same in ordinary memory", at_hand, fixture.results[r].name);
        quartic_free(results[r]);
    }
    quartic_fixture_end(&fixture);
    if (touched) print_error("memory outside of the operands was touched by %s\n", at_hand);
    return !touched;
}

static void every_op_stays_inside_its_operands(void **state) {
    (void)state;
    quartic_device *device = vulkan_test_device();
    if (quartic_gpu_device_caps(device->gpu)->rank != QUARTIC_GPU_SOFTWARE) {
        quartic_device_destroy(device);
        print_message("skipped: device addresses are pointers on software devices only\n");
        skip();
    }
    const struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &fault, NULL);
    sigaction(SIGBUS, &fault, NULL);
    const char *only = getenv("QUARTIC_TEST_OP");
    uint32_t cases = 0, outside = 0;
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        if (op->view != NULL || op->cases == NULL || (only != NULL && strcmp(only, op->name) != 0)) continue;
        for (uint32_t number = 0;; ++number, ++cases) {
            quartic_op_case test = {.label = ""};
            if (!op->cases(number, &test)) break;
            outside += !gpu_guard_run_case(device, op, &test, number, false);
            if (quartic_fixture_has_gradient(op, &test))
                outside += !gpu_guard_run_case(device, op, &test, number, true);
        }
    }
    assert_true(cases > 0);
    assert_int_equal(outside, 0);
    quartic_device_destroy(device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_op_stays_inside_its_operands)};
    return cmocka_run_group_tests(tests, vulkan_test_begin, vulkan_test_end);
}
