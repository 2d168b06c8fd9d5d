/* gpu_schedule_test.c: pieces cover every workgroup once, in order, and no submit exceeds its budget. */
#include "expect.h"

#include "gpu/schedule.h"

enum { MOST_GROUPS = 4096 };
static const double speed = 1e9;

/* Plays the schedule of one command and checks that every workgroup is in exactly one piece. */
static uint32_t expect_cover(quartic_gpu_command command, uint32_t *out_submits) {
    static uint8_t seen[MOST_GROUPS];
    const uint32_t *g = command.groups;
    memset(seen, 0, sizeof seen);
    quartic_gpu_schedule schedule = quartic_gpu_schedule_begin(&command, 1, speed, speed);
    quartic_gpu_piece piece;
    uint32_t pieces = 0;
    *out_submits = 0;
    while (quartic_gpu_schedule_next(&schedule, &piece)) {
        assert_int_equal(piece.first, pieces == 0);
        *out_submits += piece.new_submit;
        ++pieces;
        for (uint32_t z = piece.base[2]; z < piece.base[2] + piece.groups[2]; ++z)
            for (uint32_t y = piece.base[1]; y < piece.base[1] + piece.groups[1]; ++y)
                for (uint32_t x = piece.base[0]; x < piece.base[0] + piece.groups[0]; ++x) {
                    assert_true(x < g[0] && y < g[1] && z < g[2]);
                    seen[(z * g[1] + y) * g[0] + x] += 1;
                }
    }
    for (uint32_t k = 0; k < g[0] * g[1] * g[2]; ++k) assert_int_equal(seen[k], 1);
    return pieces;
}

static void a_short_dispatch_stays_whole(void **state) {
    (void)state;
    uint32_t submits;
    quartic_gpu_command command = {.groups = {100, 3, 2}, .flops = 0.4 * speed};
    assert_int_equal(expect_cover(command, &submits), 1);
    assert_int_equal(submits, 1);
    command.flops = 0.0;
    assert_int_equal(expect_cover(command, &submits), 1);
}

static void a_long_dispatch_is_cut_along_each_axis(void **state) {
    (void)state;
    uint32_t submits;
    quartic_gpu_command command = {.flops = 3.4 * speed}; /* seven budgets */
    const uint32_t grids[][3] = {{1000, 1, 1}, {1, 1000, 1}, {1, 1, 1000}, {17, 5, 3}, {7, 1, 2}, {2, 2, 2}};
    for (size_t k = 0; k < sizeof grids / sizeof grids[0]; ++k) {
        memcpy(command.groups, grids[k], sizeof command.groups);
        assert_true(expect_cover(command, &submits) >= 7);
        assert_true(submits >= 7);
    }
    /* Traffic counts as well as arithmetic, and one workgroup cannot be cut. */
    command = (quartic_gpu_command){.groups = {3, 1, 1}, .bytes = 100.0 * speed};
    assert_int_equal(expect_cover(command, &submits), 3);
}

static void submits_fill_up_to_the_budget(void **state) {
    (void)state;
    quartic_gpu_command commands[10];
    for (uint32_t c = 0; c < 10; ++c)
        commands[c] = (quartic_gpu_command){.groups = {4, 1, 1}, .flops = 0.2 * speed};
    quartic_gpu_schedule schedule = quartic_gpu_schedule_begin(commands, 10, speed, speed);
    quartic_gpu_piece piece;
    for (uint32_t c = 0; c < 10; ++c) {
        assert_true(quartic_gpu_schedule_next(&schedule, &piece));
        assert_int_equal(piece.command, c);
        assert_int_equal(piece.new_submit, c % 2 == 0); /* two of 0.2 s fit into 0.5 s */
    }
    assert_false(quartic_gpu_schedule_next(&schedule, &piece));
    schedule = quartic_gpu_schedule_begin(commands, 0, speed, speed);
    assert_false(quartic_gpu_schedule_next(&schedule, &piece));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_dispatch_stays_whole),
        cmocka_unit_test(a_long_dispatch_is_cut_along_each_axis),
        cmocka_unit_test(submits_fill_up_to_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
