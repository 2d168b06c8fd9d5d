/* tool_validate_test.c: `quartic validate`: lines, JSON, one op, unknown names. */
#include "expect.h"

#include <jansson.h>

#include "tool_run.h"

static void one_op_is_checked_and_counted(void **state) {
    (void)state;
    tool_expect("$Q validate --device cpu --op binary", 0, " passed, 0 failed, ");
    tool_expect("$Q validate --device cpu --op binary --verbose", 0, "ok          binary [");
    tool_expect("$Q validate --device reference64 --op binary", 0, "0 failed, 0 unsupported on reference64");
    const tool_result *got = tool_run("$Q validate --device cpu --op binary --verbose --json");
    assert_int_equal(got->code, 0);
    json_t *report = json_loads(got->out, 0, NULL);
    json_int_t passed = json_integer_value(json_object_get(report, "passed"));
    assert_true(passed > 0);
    assert_int_equal(json_array_size(json_object_get(report, "checks")), passed);
    assert_string_equal(json_string_value(json_object_get(report, "device")), "cpu");
    json_decref(report);
}

static void views_have_checks_of_their_own(void **state) {
    (void)state;
    static const char *const views[] = {"reshape", "permute", "slice", "broadcast", "diagonal"};
    static const char *const devices[] = {"cpu", "reference", "reference64"};
    char command[128];
    for (size_t v = 0; v < sizeof views / sizeof views[0]; ++v) {
        for (size_t d = 0; d < sizeof devices / sizeof devices[0]; ++d) {
            snprintf(command, sizeof command, "$Q validate --device %s --op %s", devices[d], views[v]);
            tool_expect(command, 0, " passed, 0 failed, 0 unsupported");
        }
        snprintf(command, sizeof command, "$Q validate --gradients --op %s", views[v]);
        tool_expect(command, 0, " passed, 0 failed, 0 unsupported");
    }
    tool_expect("$Q validate --gradients --op fill", 1, "fill has no gradient");
}

static void what_does_not_exist_is_a_message(void **state) {
    (void)state;
    tool_expect("$Q validate --device cpu --op ad", 1, "quartic validate: ");
    tool_expect("$Q validate --device nosuchdevice", 1, "Hint: `quartic devices` lists what there is.");
    tool_expect("$Q validate --op", 2, "--op needs a value");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_op_is_checked_and_counted),
        cmocka_unit_test(views_have_checks_of_their_own),
        cmocka_unit_test(what_does_not_exist_is_a_message),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
