/* plan_levels_test.c: steps by level: what depends on what stays in order, what is free stands together, memory
 * is never shared by what lives at the same level, and the budget chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "failing_alloc.h"
#include "plan/levels.h"
#include "plan/plan.h"
#include "quartic/quartic.h"

static void ok(quartic_status status) {
    if (status != QUARTIC_OK) fail_msg("%s", quartic_error_message());
}

static const quartic_plan_budget any_bytes = {.bytes = UINT64_MAX};

static quartic_plan plan_of(const quartic_graph *graph, const quartic_plan_budget *budget) {
    quartic_plan plan;
    ok(budget == NULL ? quartic_plan_create(graph, 4, NULL, NULL, &plan)
                      : quartic_plan_create_within(graph, 4, NULL, NULL, budget, &plan));
    return plan;
}

/* The step of the node that made a value. */
static const quartic_plan_step *step_of(const quartic_graph *graph, const quartic_plan *plan,
                                        quartic_value value) {
    const uint32_t node = quartic_graph_get(graph, value.id)->node;
    for (uint32_t t = 0; t < plan->step_count; ++t)
        if (plan->steps[t].node == node) return &plan->steps[t];
    fail_msg("the value has no step");
    return NULL;
}

/* Two chains of three and their sum: in graph order 7 levels, side by side 4. */
static void branches_stand_side_by_side(void **state) {
    (void)state;
    quartic_graph *graph;
    ok(quartic_graph_create(&graph));
    const quartic_shape shape = QUARTIC_SHAPE(1000);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape), chain[2];
    for (int c = 0; c < 2; ++c) {
        chain[c] = quartic_scale(graph, x, (float)c + 2.0f, 0.0f);
        for (int k = 0; k < 2; ++k) chain[c] = quartic_tanh(graph, chain[c]);
    }
    quartic_value sum = quartic_add(graph, chain[0], chain[1]);
    quartic_graph_output(graph, "y", sum);
    quartic_plan row = plan_of(graph, NULL), wide = plan_of(graph, &any_bytes);
    assert_int_equal(row.step_count, 7);
    assert_int_equal(row.level_count, 7);
    assert_int_equal(wide.step_count, 7);
    assert_int_equal(wide.level_count, 4);
    assert_int_equal(step_of(graph, &wide, chain[0])->level, 2);
    assert_int_equal(step_of(graph, &wide, chain[1])->level, 2);
    assert_int_equal(step_of(graph, &wide, sum)->level, 3);
    assert_int_equal(row.workspace_bytes, 2 * 4096);
    assert_int_equal(wide.workspace_bytes, 2 * 4096); /* each chain in a block of its own */
    quartic_plan_destroy(&row);
    quartic_plan_destroy(&wide);
    quartic_graph_destroy(graph);
}

/* A value that another step of the same level reads is not overwritten by the step that could take it over. */
static void what_a_neighbour_reads_is_not_taken_over(void **state) {
    (void)state;
    quartic_graph *graph;
    ok(quartic_graph_create(&graph));
    const quartic_shape shape = QUARTIC_SHAPE(1000);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &shape);
    quartic_value middle = quartic_tanh(graph, x);
    quartic_value left = quartic_exp(graph, middle), right = quartic_sigmoid(graph, middle);
    quartic_graph_output(graph, "y", quartic_add(graph, left, right));
    quartic_plan row = plan_of(graph, NULL), wide = plan_of(graph, &any_bytes);
    assert_int_equal(row.workspace_bytes, 2 * 4096); /* there `right` lies over `middle` */
    assert_int_equal(wide.workspace_bytes, 3 * 4096);
    assert_int_equal(step_of(graph, &wide, left)->level, step_of(graph, &wide, right)->level);
    quartic_plan_destroy(&row);
    quartic_plan_destroy(&wide);
    quartic_graph_destroy(graph);
}

/* Updates in place wait for reads and writes of the same range, and for no others. */
static void updates_wait_for_their_range_only(void **state) {
    (void)state;
    quartic_graph *graph;
    ok(quartic_graph_create(&graph));
    quartic_value all = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(300)), added[3];
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(100));
    quartic_value before = quartic_sum(graph, all, 1u, 0);
    for (uint32_t k = 0; k < 3; ++k)
        added[k] = quartic_accumulate(graph, quartic_slice(graph, all, 0, 100 * k, 100), x, 1.0f);
    quartic_value again = quartic_accumulate(graph, quartic_slice(graph, all, 0, 150, 100), x, 1.0f);
    quartic_value after = quartic_sum(graph, all, 1u, 0);
    quartic_graph_output(graph, "before", before);
    quartic_graph_output(graph, "after", after);
    quartic_plan plan = plan_of(graph, &any_bytes);
    assert_int_equal(step_of(graph, &plan, before)->level, 0);
    for (uint32_t k = 0; k < 3; ++k) assert_int_equal(step_of(graph, &plan, added[k])->level, 1);
    assert_int_equal(step_of(graph, &plan, again)->level, 2);
    assert_int_equal(step_of(graph, &plan, after)->level, 3);
    quartic_plan_destroy(&plan);
    quartic_graph_destroy(graph);
}

/* ---- values made in their place ---- */

/* A state of 300, of which value goes to 100 .. 199; what is asked for happens before or after. */
typedef enum meddling {
    NOBODY,
    READ_BEFORE,        /* before the value is made: fine */
    READ_BETWEEN,       /* of what stood there, while the value is made */
    READ_BESIDE,        /* of another range: fine */
    WRITE_AFTER,        /* while the value is still read */
    WRITE_AFTER_UNREAD, /* when nobody reads it any more: fine */
    SLICE,              /* only a part of the value is put there */
    TWICE,              /* the value goes to two places: one of them is copied */
    IS_AN_INPUT,
    UNALIGNED,      /* the place is no multiple of 16 bytes, which shaders expect of a result */
    NEXT_TOO_EARLY, /* another value goes to the same place later, but is made while the first is read */
    NEXT_LATER,     /* made when the first is no longer read: fine, both */
    MEDDLINGS
} meddling;

static uint32_t steps_with(meddling kind) {
    quartic_graph *graph;
    ok(quartic_graph_create(&graph));
    quartic_value all = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(300));
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(100));
    quartic_value range = quartic_slice(graph, all, 0, kind == UNALIGNED ? 102 : 100, 100);
    if (kind == READ_BEFORE) quartic_graph_output(graph, "sum", quartic_sum(graph, range, 1u, 0));
    quartic_value value = quartic_tanh(graph, x);
    if (kind == READ_BETWEEN) quartic_graph_output(graph, "sum", quartic_sum(graph, range, 1u, 0));
    if (kind == READ_BESIDE)
        quartic_graph_output(graph, "sum", quartic_sum(graph, quartic_slice(graph, all, 0, 0, 100), 1u, 0));
    if (kind == IS_AN_INPUT) value = x;
    if (kind == TWICE) quartic_assign(graph, quartic_slice(graph, all, 0, 0, 100), value);
    if (kind == SLICE)
        quartic_assign(graph, quartic_slice(graph, range, 0, 0, 50), quartic_slice(graph, value, 0, 50, 50));
    else
        quartic_assign(graph, range, value);
    quartic_value next = {0};
    if (kind == NEXT_TOO_EARLY) next = quartic_exp(graph, x);
    if (kind >= NEXT_TOO_EARLY) quartic_graph_output(graph, "sum", quartic_sum(graph, value, 1u, 0));
    if (kind == NEXT_LATER) next = quartic_exp(graph, x);
    if (kind >= NEXT_TOO_EARLY) quartic_assign(graph, range, next);
    if (kind == WRITE_AFTER_UNREAD) quartic_graph_output(graph, "sum", quartic_sum(graph, value, 1u, 0));
    if (kind == WRITE_AFTER || kind == WRITE_AFTER_UNREAD) quartic_fill(graph, range, 0.0f);
    if (kind == WRITE_AFTER) quartic_graph_output(graph, "sum", quartic_sum(graph, value, 1u, 0));
    quartic_graph_output(graph, "all", quartic_sum_squares(graph, all));
    quartic_plan plan = plan_of(graph, NULL);
    const uint32_t count = plan.step_count;
    quartic_plan_destroy(&plan);
    quartic_graph_destroy(graph);
    return count;
}

static void a_value_is_made_where_it_goes(void **state) {
    (void)state;
    /* Steps besides tanh, and whether the assignment remains one of them. */
    static const struct {
        uint32_t others, remains;
    } want[MEDDLINGS] = {[NOBODY] = {1, 0},      [READ_BEFORE] = {2, 0},    [READ_BETWEEN] = {2, 1},
                         [READ_BESIDE] = {2, 0}, [WRITE_AFTER] = {3, 1},    [WRITE_AFTER_UNREAD] = {3, 0},
                         [SLICE] = {1, 1},       [TWICE] = {1, 1},          [IS_AN_INPUT] = {0, 1},
                         [UNALIGNED] = {1, 1},   [NEXT_TOO_EARLY] = {3, 1}, [NEXT_LATER] = {3, 0}};
    for (int kind = 0; kind < MEDDLINGS; ++kind) {
        const uint32_t steps = steps_with((meddling)kind);
        if (steps != 1 + want[kind].others + want[kind].remains)
            fail_msg("kind %d has %u steps", kind, steps);
    }
}

/* On a device: the numbers are where they belong, whoever makes them. */
static void assigned_numbers_are_there(void **state) {
    (void)state;
    quartic_graph *graph;
    quartic_device *device;
    quartic_program *program;
    float x[4] = {1, 2, 3, 4}, s[12] = {0}, sum;
    ok(quartic_graph_create(&graph));
    quartic_value all = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(12));
    quartic_value in = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(4));
    quartic_value twice = quartic_scale(graph, in, 2.0f, 0.0f);
    quartic_assign(graph, quartic_slice(graph, all, 0, 4, 4), twice);
    quartic_assign(graph, quartic_slice(graph, all, 0, 8, 4), in);
    quartic_graph_output(graph, "sum", quartic_sum(graph, twice, 1u, 0));
    for (int d = 0; d < 3; ++d) {
        static const char *const names[] = {"cpu", "reference", "reference64"};
        ok(quartic_device_create(names[d], &device));
        ok(quartic_program_create(device, graph, NULL, &program));
        for (int k = 0; k < 12; ++k) s[k] = (float)k + 100;
        ok(quartic_tensor_write(quartic_program_tensor(program, "x"), x, sizeof x));
        ok(quartic_tensor_write(quartic_program_tensor(program, "s"), s, sizeof s));
        ok(quartic_program_run(program));
        ok(quartic_tensor_read(quartic_program_tensor(program, "s"), s, sizeof s));
        ok(quartic_tensor_read(quartic_program_tensor(program, "sum"), &sum, sizeof sum));
        assert_true(sum == 20);
        for (int k = 0; k < 4; ++k)
            assert_true(s[k] == (float)k + 100 && s[4 + k] == 2 * x[k] && s[8 + k] == x[k]);
        quartic_program_destroy(program);
        quartic_device_destroy(device);
    }
    quartic_graph_destroy(graph);
}

/* ---- many steps ---- */

enum { VALUES = 300 };

/* A random graph of elementwise steps, sums and updates in place of a state. */
static quartic_graph *random_graph(uint64_t seed) {
    quartic_graph *graph;
    ok(quartic_graph_create(&graph));
    quartic_value values[VALUES], all = quartic_graph_state(graph, "s", QUARTIC_FLOAT32, &QUARTIC_SHAPE(640));
    values[0] = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(64));
    for (uint32_t i = 1; i < VALUES; ++i) {
        const uint32_t a = quartic_random_bits(seed, 0, i) % i, b = quartic_random_bits(seed, 1, i) % i;
        const uint32_t kind = quartic_random_bits(seed, 2, i) % 8;
        quartic_value part = quartic_slice(graph, all, 0, 32 * (quartic_random_bits(seed, 3, i) % 19), 64);
        if (kind == 0)
            values[i] = quartic_tanh(graph, values[a]);
        else if (kind == 1)
            values[i] = quartic_multiply(graph, part, values[a]);
        else if (kind == 2)
            values[i] = quartic_accumulate(graph, part, values[a], 0.5f);
        else if (kind == 3)
            values[i] = quartic_assign(graph, part, quartic_multiply(graph, values[a], values[b]));
        else
            values[i] = quartic_multiply(graph, values[a], values[b]);
    }
    quartic_graph_output(graph, "y", quartic_sum(graph, values[VALUES - 1], 1u, 0));
    ok(quartic_graph_status(graph));
    return graph;
}

/* A stage rule: every third node takes scratch, every fifth two stages. */
static quartic_status made_up_needs(void *context, const quartic_node *node, const quartic_op_call *call,
                                    quartic_step_need *out_need) {
    const quartic_graph *graph = context;
    const uint32_t index = (uint32_t)(node - graph->nodes);
    (void)call;
    out_need->scratch_bytes = index % 3 == 0 ? 1000 : 0;
    out_need->stages = index % 5 == 0 ? 2 : 1;
    return QUARTIC_OK;
}

typedef struct touch {
    uint32_t storage;
    int64_t begin, end; /* elements */
    uint64_t low, high; /* bytes of the workspace, or of the storage's own memory beyond */
    bool writes;
} touch;

/* All that a step touches, at the addresses that the plan gives. */
static uint32_t touches_of(const quartic_graph *graph, const quartic_plan *plan, uint32_t t, touch *out) {
    const quartic_node *node = &graph->nodes[plan->steps[t].node];
    uint32_t count = 0;
    for (uint32_t k = 0; k < node->input_count + node->output_count; ++k) {
        const bool writes = k >= node->input_count;
        const uint32_t id = writes ? node->outputs[k - node->input_count] : node->inputs[k];
        if (id == 0) continue;
        const quartic_graph_value *value = quartic_graph_get(graph, id);
        const quartic_plan_place *place = &plan->places[value->storage];
        touch one = {.storage = value->storage, .writes = writes};
        quartic_layout_extent(&value->layout, &one.begin, &one.end);
        if (place->alias.storage != QUARTIC_NONE) {
            one.storage = place->alias.storage;
            one.begin += (int64_t)place->alias.offset;
            one.end += (int64_t)place->alias.offset;
        }
        const uint64_t base = place->in_workspace ? place->offset : ((uint64_t)one.storage + 1) << 40;
        one.low = base + 4 * (uint64_t)one.begin;
        one.high = base + 4 * (uint64_t)one.end;
        out[count++] = one;
    }
    if (plan->steps[t].scratch_bytes > 0)
        out[count++] = (touch){.storage = QUARTIC_NONE,
                               .low = plan->steps[t].scratch_offset,
                               .high = plan->steps[t].scratch_offset + plan->steps[t].scratch_bytes,
                               .writes = true};
    return count;
}

/* What lies in the workspace lies in one arena, within its bytes. */
static void check_inside_arena(const quartic_plan *plan, const touch *one) {
    if (one->low >= UINT64_C(1) << 40) return; /* in a tensor */
    const uint32_t arena = quartic_arena_of(&plan->arenas, one->low);
    assert_true(arena < plan->arenas.count);
    assert_true(quartic_arena_offset(&plan->arenas, one->low) + (one->high - one->low) <=
                plan->arenas.bytes[arena]);
}

/* Steps whose levels meet touch nothing that the other writes; steps that touch the same elements of a storage
 * keep the graph's order. */
static void check_plan(const quartic_graph *graph, const quartic_plan *plan) {
    touch a[QUARTIC_OP_MAX_INPUTS + QUARTIC_OP_MAX_OUTPUTS + 1], b[sizeof a / sizeof a[0]];
    for (uint32_t t = 0; t < plan->step_count; ++t) {
        const quartic_plan_step *first = &plan->steps[t];
        const uint32_t a_count = touches_of(graph, plan, t, a);
        assert_true(first->level + first->stages <= plan->level_count);
        for (uint32_t k = 0; k < a_count; ++k) check_inside_arena(plan, &a[k]);
        for (uint32_t u = t + 1; u < plan->step_count; ++u) {
            const quartic_plan_step *second = &plan->steps[u];
            assert_true(first->level <= second->level);
            const bool together = second->level < first->level + first->stages;
            const uint32_t b_count = touches_of(graph, plan, u, b);
            for (uint32_t i = 0; i < a_count; ++i)
                for (uint32_t j = 0; j < b_count; ++j) {
                    if (!a[i].writes && !b[j].writes) continue;
                    const bool same_bytes = a[i].low < b[j].high && b[j].low < a[i].high;
                    if (together && same_bytes)
                        fail_msg("nodes %u and %u meet at level %u", first->node, second->node,
                                 second->level);
                    const bool same_elements = a[i].storage == b[j].storage && a[i].storage != QUARTIC_NONE &&
                                               a[i].begin < b[j].end && b[j].begin < a[i].end;
                    if (same_elements && first->node > second->node)
                        fail_msg("nodes %u and %u changed places", first->node, second->node);
                }
        }
    }
}

static void no_two_steps_of_a_level_meet(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; ++seed) {
        quartic_graph *graph = random_graph(seed);
        quartic_plan row, plan;
        ok(quartic_plan_create(graph, 4, made_up_needs, graph, &row));
        check_plan(graph, &row);
        uint32_t fewest = row.level_count;
        for (uint64_t percent = 100; percent <= 1600; percent *= 2) {
            const quartic_plan_budget budget = {.bytes = row.workspace_bytes * percent / 100};
            ok(quartic_plan_create_within(graph, 4, made_up_needs, graph, &budget, &plan));
            check_plan(graph, &plan);
            assert_int_equal(plan.step_count, row.step_count);
            assert_true(plan.workspace_bytes <= budget.bytes);
            assert_true(plan.level_count <= fewest); /* more bytes never cost levels */
            fewest = plan.level_count;
            quartic_plan_destroy(&plan);
        }
        assert_true(2 * fewest < row.level_count);
        quartic_plan_destroy(&row);
        quartic_graph_destroy(graph);
    }
}

/* Where one allocation has little, the workspace is in many; nothing else changes. */
static void arenas_keep_the_order(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; ++seed) {
        quartic_graph *graph = random_graph(seed);
        quartic_plan one, several;
        const quartic_plan_budget free_budget = {.bytes = UINT64_MAX};
        ok(quartic_plan_create_within(graph, 4, made_up_needs, graph, &free_budget, &one));
        assert_int_equal(one.arenas.count, 1);
        assert_int_equal(one.arenas.bytes[0], one.workspace_bytes);
        for (uint64_t most = 2560; most <= 10240; most += 1000) {
            const quartic_plan_budget budget = {.bytes = UINT64_MAX, .allocation_bytes = most};
            ok(quartic_plan_create_within(graph, 4, made_up_needs, graph, &budget, &several));
            check_plan(graph, &several);
            assert_int_equal(several.step_count, one.step_count);
            assert_int_equal(several.level_count, one.level_count);
            for (uint32_t t = 0; t < one.step_count; ++t)
                assert_int_equal(several.steps[t].node, one.steps[t].node);
            assert_true(several.arenas.count >= one.workspace_bytes / most);
            uint64_t sum = 0;
            for (uint32_t a = 0; a < several.arenas.count; ++a) {
                assert_true(several.arenas.bytes[a] > 0 && several.arenas.bytes[a] <= most);
                sum += several.arenas.bytes[a];
            }
            assert_int_equal(several.workspace_bytes, sum);
            assert_true(sum <= 2 * one.workspace_bytes);
            quartic_plan_destroy(&several);
        }
        quartic_plan_destroy(&one);
        quartic_graph_destroy(graph);
    }
}

static void what_one_allocation_cannot_hold_is_refused(void **state) {
    (void)state;
    quartic_graph *graph = random_graph(1);
    quartic_plan plan;
    quartic_plan_budget budget = {.bytes = UINT64_MAX,
                                  .allocation_bytes = 2559}; /* the state "s": 640 floats */
    assert_int_equal(quartic_plan_create_within(graph, 4, made_up_needs, graph, &budget, &plan),
                     QUARTIC_OUT_OF_DEVICE_MEMORY);
    assert_null(plan.steps);
    assert_non_null(strstr(quartic_error_message(), "the tensor \"s\" takes 0.0 MiB (2560 bytes), but one "
                                                    "allocation of this device has at most 0.0 MiB (2304"));
    quartic_graph_destroy(graph);
    /* Scratch. */
    ok(quartic_graph_create(&graph));
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &QUARTIC_SHAPE(8));
    quartic_graph_push_scope(graph, "here");
    for (int k = 0; k < 4; ++k) x = quartic_tanh(graph, x);
    quartic_graph_pop_scope(graph);
    quartic_graph_output(graph, "y", x);
    budget.allocation_bytes = 768;
    assert_int_equal(quartic_plan_create_within(graph, 4, made_up_needs, graph, &budget, &plan),
                     QUARTIC_OUT_OF_DEVICE_MEMORY);
    assert_non_null(strstr(quartic_error_message(), "the scratch of unary (in \"here\") takes"));
    assert_non_null(strstr(quartic_error_message(), "(1000 bytes)"));
    assert_non_null(strstr(quartic_error_message(), "(768 bytes)"));
    quartic_graph_destroy(graph);
    /* The span of an arena is a whole number of what drivers round to. */
    assert_int_equal(quartic_arena_span(0), QUARTIC_PLACE_ONE_ARENA);
    assert_int_equal(quartic_arena_span(UINT64_MAX), QUARTIC_PLACE_ONE_ARENA);
    assert_int_equal(quartic_arena_span(UINT64_C(0xfffffffc)), UINT64_C(0xffff0000));
    assert_int_equal(quartic_arena_span(UINT64_C(1) << 31), UINT64_C(1) << 31);
    assert_int_equal(quartic_arena_span(2559), 2304);
}

static void expect_same_plan(const quartic_plan *a, const quartic_plan *b) {
    assert_int_equal(a->step_count, b->step_count);
    assert_int_equal(a->workspace_bytes, b->workspace_bytes);
    for (uint32_t t = 0; t < a->step_count; ++t) {
        assert_int_equal(a->steps[t].node, b->steps[t].node);
        assert_int_equal(a->steps[t].level, b->steps[t].level);
        assert_int_equal(a->steps[t].scratch_offset, b->steps[t].scratch_offset);
    }
    for (uint32_t s = 0; s < a->storage_count; ++s)
        assert_int_equal(a->places[s].offset, b->places[s].offset);
}

/* The same graph and budget give the same plan; too small a budget gives that in graph order. */
static void the_budget_decides(void **state) {
    (void)state;
    quartic_graph *graph = random_graph(3);
    const quartic_plan_budget none = {.bytes = 1}, twice = {.bytes = UINT64_MAX, .times_least = 2};
    quartic_plan row = plan_of(graph, NULL), least = plan_of(graph, &none), first = plan_of(graph, &twice),
                 second = plan_of(graph, &twice);
    expect_same_plan(&row, &least);
    expect_same_plan(&first, &second);
    assert_true(first.workspace_bytes <= 2 * row.workspace_bytes);
    assert_true(first.level_count < row.level_count);
    const quartic_plan_budget standard = quartic_plan_standard_budget(4000, 3000);
    assert_int_equal(standard.bytes, 1000);
    assert_int_equal(standard.allocation_bytes, 3000);
    assert_int_equal(quartic_plan_standard_budget(4000, 800).bytes, 1000); /* in several allocations */
    assert_int_equal(standard.times_least, 2);
    quartic_plan_destroy(&row);
    quartic_plan_destroy(&least);
    quartic_plan_destroy(&first);
    quartic_plan_destroy(&second);
    quartic_graph_destroy(graph);
}

static void a_plan_without_memory_leaves_nothing_behind(void **state) {
    (void)state;
    quartic_graph *graph = random_graph(5);
    const int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    for (uint32_t call = 1; status != QUARTIC_OK; call += 1 + call / 20) {
        quartic_plan plan;
        quartic_alloc_fail_at(call);
        status = quartic_plan_create_within(graph, 4, NULL, NULL, &any_bytes, &plan);
        quartic_alloc_fail_at(0);
        assert_true(status == QUARTIC_OK || status == QUARTIC_OUT_OF_MEMORY);
        quartic_plan_destroy(&plan);
        assert_int_equal(quartic_alloc_live(), live);
    }
    quartic_graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_stand_side_by_side),
        cmocka_unit_test(what_a_neighbour_reads_is_not_taken_over),
        cmocka_unit_test(updates_wait_for_their_range_only),
        cmocka_unit_test(a_value_is_made_where_it_goes),
        cmocka_unit_test(assigned_numbers_are_there),
        cmocka_unit_test(no_two_steps_of_a_level_meet),
        cmocka_unit_test(arenas_keep_the_order),
        cmocka_unit_test(what_one_allocation_cannot_hold_is_refused),
        cmocka_unit_test(the_budget_decides),
        cmocka_unit_test(a_plan_without_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
