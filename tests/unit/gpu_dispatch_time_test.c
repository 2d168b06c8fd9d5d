/* gpu_dispatch_time_test.c: nothing that is submitted is estimated above 0.25 s on the slowest device of the
 * table, at sizes as large as an op and the device's memory allow.
 *
 * Each case of each op is grown: axes of equal length in a case grow together, since most of them mean the
 * same, by doubling, as long as the op takes the operands and they fit the device. One length is grown alone
 * as far as it goes, then all others in turn; so every length of a case is once as large as it can be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "gpu/schedule.h"
#include "ops/ops.h"
#include "quartic/quartic.h"
#include "run/device_limits.h"

enum { MOST_LENGTHS = 16, MOST_CASES = 64 };
static const double most_seconds = 0.25;

/* The row of the table on which work takes longest. */
static quartic_device_limits slowest(void) {
    quartic_device_limits least = QUARTIC_DEVICE_LIMITS_INIT, one = least;
    double most = 0;
    for (uint32_t k = 0; quartic_device_limits_name(k) != NULL; ++k) {
        assert_int_equal(quartic_device_limits_find(&one, quartic_device_limits_name(k)), QUARTIC_OK);
        const double seconds = quartic_device_limits_work(&one, 1e12, 1e12, 1e6);
        if (seconds > most) most = seconds, least = one;
    }
    return least;
}

/* A grown case: operands, results and dispatches. */
typedef struct grown {
    const quartic_op *op;
    quartic_op_case test;
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
    quartic_dispatch_list *list;
} grown;

/* Whether the op takes the case on the device; fills in what it makes of it. */
static bool takes(grown *g, const quartic_device_limits *limits) {
    const quartic_gpu_limits gpu = quartic_device_limits_gpu(limits);
    double bytes = 0;
    uint32_t output_count = 0;
    for (uint32_t i = 0; i < g->test.input_count; ++i) {
        g->inputs[i] = (quartic_layout){0};
        if (g->test.inputs[i].dtype == QUARTIC_NO_DTYPE) continue;
        double elements = 1;
        for (uint32_t axis = 0; axis < g->test.inputs[i].shape.rank; ++axis)
            elements *= g->test.inputs[i].shape.dims[axis];
        if (4 * elements > (double)limits->max_buffer_bytes || elements > 2147483647.0) return false;
        bytes += 4 * elements;
        g->inputs[i] = quartic_layout_contiguous(g->test.inputs[i].dtype, &g->test.inputs[i].shape);
    }
    quartic_op_call call = {.attrs = g->test.attrs,
                            .input_count = g->test.input_count,
                            .inputs = g->inputs,
                            .outputs = g->outputs};
    if (g->op->infer(&call, g->outputs, &output_count) != QUARTIC_OK) return false;
    call.output_count = output_count;
    for (uint32_t o = 0; o < output_count; ++o) {
        const double elements = (double)quartic_layout_elements(&g->outputs[o]);
        if (4 * elements > (double)limits->max_buffer_bytes) return false;
        bytes += 4 * elements;
    }
    *g->list = (quartic_dispatch_list){0};
    if (g->op->gpu(&call, &gpu, g->list) != QUARTIC_OK) return false;
    if (quartic_dispatch_expect_short(g->op->name, g->list) != QUARTIC_OK) return false;
    bytes += (double)g->list->scratch_bytes;
    for (uint32_t d = 0; d < g->list->count; ++d)
        for (int axis = 0; axis < 3; ++axis)
            if (g->list->items[d].groups[axis] > 65535) return false;
    return bytes <= (double)limits->memory_bytes;
}

/* Doubles every axis of that length; false, with the case as it was, if the op does not take that. */
static bool grow(grown *g, uint32_t *length, const quartic_device_limits *limits) {
    const quartic_op_case before = g->test;
    if (*length > 1u << 29) return false;
    for (uint32_t i = 0; i < g->test.input_count; ++i)
        for (uint32_t axis = 0; axis < g->test.inputs[i].shape.rank; ++axis)
            if (g->test.inputs[i].shape.dims[axis] == *length) g->test.inputs[i].shape.dims[axis] *= 2;
    if (takes(g, limits)) {
        *length *= 2;
        return true;
    }
    g->test = before;
    assert_true(takes(g, limits));
    return false;
}

/* The distinct lengths of a case. */
static uint32_t lengths_of(const quartic_op_case *test, uint32_t lengths[MOST_LENGTHS]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < test->input_count; ++i)
        for (uint32_t axis = 0; axis < test->inputs[i].shape.rank; ++axis) {
            uint32_t k = 0;
            while (k < count && lengths[k] != test->inputs[i].shape.dims[axis]) ++k;
            if (k == count && count < MOST_LENGTHS) lengths[count++] = test->inputs[i].shape.dims[axis];
        }
    return count;
}

/* The longest piece of the grown case's dispatches, as they are cut into submits. */
static double longest_piece(const grown *g, const quartic_device_limits *limits, const char **out_shader) {
    double flops_per_second, bytes_per_second, longest = 0;
    quartic_gpu_kind_speeds(QUARTIC_GPU_INTEGRATED, &flops_per_second, &bytes_per_second);
    assert_int_equal(limits->kind, QUARTIC_LIMITS_INTEGRATED);
    for (uint32_t d = 0; d < g->list->count; ++d) {
        const quartic_dispatch *dispatch = &g->list->items[d];
        const quartic_gpu_command command = {
            .groups = {dispatch->groups[0], dispatch->groups[1], dispatch->groups[2]},
            .flops = dispatch->flops,
            .bytes = dispatch->bytes};
        const double all = (double)command.groups[0] * command.groups[1] * command.groups[2];
        quartic_gpu_schedule schedule =
            quartic_gpu_schedule_begin(&command, 1, flops_per_second, bytes_per_second);
        quartic_gpu_piece piece;
        for (uint32_t pieces = 0; pieces < 1000 && quartic_gpu_schedule_next(&schedule, &piece); ++pieces) {
            const double groups = (double)piece.groups[0] * piece.groups[1] * piece.groups[2];
            const double seconds = quartic_device_limits_work(limits, command.flops * groups / all,
                                                              command.bytes * groups / all, groups);
            if (seconds > longest) longest = seconds, *out_shader = dispatch->shader;
        }
    }
    return longest;
}

static void every_op_stays_short_at_its_largest(void **state) {
    (void)state;
    const quartic_device_limits limits = slowest();
    grown g = {.list = quartic_alloc(1, sizeof *g.list)};
    uint32_t cases = 0, ops = 0, over = 0;
    double longest = 0;
    for (uint32_t k = 0; k < quartic_op_count(); ++k) {
        g.op = quartic_op_at(k);
        if (g.op->gpu == NULL || g.op->cases == NULL) continue;
        uint32_t of_op = 0;
        double worst = 0;
        char worst_text[256] = "";
        quartic_op_case test;
        for (uint32_t c = 0; c < MOST_CASES && g.op->cases(c, &test); ++c) {
            uint32_t starts[MOST_LENGTHS];
            const uint32_t count = lengths_of(&test, starts);
            for (uint32_t first = 0; first < count; ++first) {
                uint32_t lengths[MOST_LENGTHS];
                memcpy(lengths, starts, sizeof lengths);
                g.test = test;
                if (!takes(&g, &limits)) continue;
                while (grow(&g, &lengths[first], &limits)) continue;
                for (bool more = true; more;) {
                    more = false;
                    for (uint32_t l = 0; l < count; ++l) more |= grow(&g, &lengths[l], &limits);
                }
                const char *shader = "";
                const double seconds = longest_piece(&g, &limits, &shader);
                ++cases, ++of_op;
                if (seconds > longest) longest = seconds;
                if (seconds <= worst) continue;
                worst = seconds;
                size_t used = (size_t)snprintf(worst_text, sizeof worst_text,
                                               "%s, case %u (%s), %s:", g.op->name, c, test.label, shader);
                for (uint32_t i = 0; i < g.test.input_count && used < 200; ++i) {
                    used += (size_t)snprintf(worst_text + used, sizeof worst_text - used, " (");
                    for (uint32_t axis = 0; axis < g.test.inputs[i].shape.rank && used < 200; ++axis)
                        used += (size_t)snprintf(worst_text + used, sizeof worst_text - used, "%u ",
                                                 g.test.inputs[i].shape.dims[axis]);
                    used += (size_t)snprintf(worst_text + used, sizeof worst_text - used, ")");
                }
            }
        }
        ops += of_op > 0;
        if (worst <= most_seconds) continue;
        ++over;
        print_message("%.3f s: %s\n", worst, worst_text);
    }
    print_message("%u ops, %u grown cases on %s, longest %.3f s\n", ops, cases, limits.name, longest);
    quartic_free(g.list);
    assert_true(ops > 50 && longest > 0.01);
    assert_int_equal(over, 0);
}

/* Where a workgroup adds up what others could, it is cut, however long its sum: lengths of an op's first case, and
 * those in their place, with which the longest workgroup would take too long in one piece. */
static void long_sums_are_cut(void **state) {
    (void)state;
    static const struct {
        const char *op, *shader;
        struct {
            uint32_t input, axis, length; /* of that axis and of all that are as long; 0: no more */
        } longer[2];
    } cases[] = {{"triple_attention_grad", "triple_bias_grad", {{0, 1, 2048}}},
                 {"stream_feedforward_grad", "stream_feedforward_weights", {{0, 2, 5 << 20}, {2, 0, 256}}}};
    quartic_device_limits limits = slowest();
    limits.memory_bytes = UINT64_C(1) << 40;
    limits.max_buffer_bytes = UINT64_C(1) << 36;
    grown g = {.list = quartic_alloc(1, sizeof *g.list)};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        g.op = NULL;
        for (uint32_t o = 0; o < quartic_op_count(); ++o)
            if (strcmp(quartic_op_at(o)->name, cases[k].op) == 0) g.op = quartic_op_at(o);
        assert_non_null(g.op);
        assert_true(g.op->cases(0, &g.test));
        for (uint32_t l = 0; l < 2 && cases[k].longer[l].length != 0; ++l) {
            const uint32_t before =
                g.test.inputs[cases[k].longer[l].input].shape.dims[cases[k].longer[l].axis];
            for (uint32_t i = 0; i < g.test.input_count; ++i)
                for (uint32_t axis = 0; axis < g.test.inputs[i].shape.rank; ++axis)
                    if (g.test.inputs[i].shape.dims[axis] == before)
                        g.test.inputs[i].shape.dims[axis] = cases[k].longer[l].length;
        }
        if (!takes(&g, &limits)) fail_msg("%s: %s", cases[k].op, quartic_error_message());
        bool found = false;
        for (uint32_t d = 0; d < g.list->count; ++d)
            if (strcmp(g.list->items[d].shader, cases[k].shader) == 0) found = true;
        assert_true(found);
    }
    quartic_free(g.list);
}

/* What no cut by range makes shorter is refused, and no more than that. */
static void a_long_workgroup_is_refused(void **state) {
    (void)state;
    quartic_dispatch_list list = {.count = 1};
    list.items[0] = (quartic_dispatch){.shader = "copy", .groups = {2, 3, 1}};
    list.items[0].flops = 6 * QUARTIC_GROUP_MOST_FLOPS;
    list.items[0].bytes = 6 * QUARTIC_GROUP_MOST_BYTES;
    assert_int_equal(quartic_dispatch_expect_short("copy", &list), QUARTIC_OK);
    list.items[0].flops *= 1.01;
    assert_int_equal(quartic_dispatch_expect_short("copy", &list), QUARTIC_UNSUPPORTED);
    list.items[0].flops = 0;
    list.items[0].bytes *= 1.01;
    assert_int_equal(quartic_dispatch_expect_short("copy", &list), QUARTIC_UNSUPPORTED);
    assert_non_null(strstr(quartic_error_message(), "one workgroup of copy"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_op_stays_short_at_its_largest),
                                       cmocka_unit_test(long_sums_are_cut),
                                       cmocka_unit_test(a_long_workgroup_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
