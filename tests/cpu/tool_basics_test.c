/* tool_basics_test.c: the program's help, exit codes, unknown words and `quartic devices`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "tool/tool.h"
#include "tool_run.h"

static void every_command_has_help(void **state) {
    (void)state;
    tool_expect("$Q --help", 0, "Usage: quartic COMMAND [arguments]");
    tool_expect("$Q --version", 0, "quartic ");
#define EXPECT_HELP(name)                                                                                    \
    tool_expect("$Q " #name " --help", 0, "Usage: quartic " #name);                                          \
    tool_expect("$Q help " #name, 0, "Usage: quartic " #name);                                               \
    tool_expect("$Q --help", 0, "\n  " #name " ");
    TOOL_COMMAND_LIST(EXPECT_HELP)
}

static void wrong_usage_is_code_2_with_a_hint(void **state) {
    (void)state;
    tool_expect("$Q", 2, "Usage: quartic COMMAND");
    tool_expect("$Q device", 2, "there is no command \"device\"; did you mean devices?");
    tool_expect("$Q xyzzy", 2, "there is no command \"xyzzy\"\n`quartic --help` lists the commands.");
    tool_expect("$Q devices --jsn", 2,
                "quartic devices: there is no option --jsn; did you mean --json?\n`quartic devices --help`");
    tool_expect("$Q devices extra", 2, "\"extra\" is one argument too many");
}

static void devices_lists_the_cpu_in_text_and_json(void **state) {
    (void)state;
    tool_expect("$Q devices", 0, "reference64");
    const tool_result *got = tool_run("$Q devices --json");
    json_error_t error;
    json_t *list = json_loads(got->out, 0, &error);
    assert_true(json_is_array(list));
    int found = 0;
    size_t index;
    json_t *one;
    json_array_foreach(list, index, one) {
        assert_true(json_is_string(json_object_get(one, "device")));
        assert_true(json_is_boolean(json_object_get(one, "usable")));
        if (strcmp(json_string_value(json_object_get(one, "name")), "cpu") != 0) continue;
        found = 1;
        assert_true(json_integer_value(json_object_get(one, "memory_bytes")) > 0);
    }
    assert_true(found);
    json_decref(list);
}

static void output_that_cannot_be_written_is_a_failure(void **state) {
    (void)state;
    tool_expect("$Q devices >/dev/full", 1, "quartic devices: the output could not be written");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(wrong_usage_is_code_2_with_a_hint),
        cmocka_unit_test(devices_lists_the_cpu_in_text_and_json),
        cmocka_unit_test(output_that_cannot_be_written_is_a_failure),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
