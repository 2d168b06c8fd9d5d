/* tool_basics_test.c: the program's help, exit codes, unknown words and `quartic devices`. */
#include "expect.h"

#include <jansson.h>

#include "comma_locale.h"
#include "tool/tool.h"
#include "tool_run.h"

static void every_command_has_help(void **state) {
    (void)state;
    tool_expect("$Q --help", 0, "Usage: quartic COMMAND [arguments]");
    tool_expect("$Q --version", 0, "quartic ");
#define EXPECT_HELP(name)                                                                                    \
    tool_expect("$Q " #name " --help", 0, "Usage: quartic " #name);                                          \
    tool_expect("$Q help " #name, 0, "Usage: quartic " #name);                                               \
    tool_expect("$Q --help", 0, "\n  " #name " ");                                                           \
    tool_expect("$Q " #name " --help", 0, "\n  --json  ");
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

/* The language and the number format of the user's environment change nothing that programs read. */
static void a_decimal_comma_in_the_environment_changes_nothing(void **state) {
    (void)state;
    assert_true(comma_locale_make(tool_folder));
    tool_expect(
        "echo '{\"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, \"dim_head\": 4, "
        "\"linear_heads\": 2, \"linear_dim_head\": 3, \"max_seq_len\": 16, \"dropout\": 0.25}' > t.json; "
        "for l in C comma; do LOCPATH=$PWD LC_ALL=$l $Q train $S/data/tales.txt --config t.json --out $l "
        "--device cpu --batch 1 --length 8 --steps 3 --learning-rate 0.015625 --json > $l.json && "
        "LOCPATH=$PWD LC_ALL=$l $Q inspect $l --json > $l.inspect || exit 1; done; "
        "cut -d, -f1-4 C/metrics.csv > 1 && cut -d, -f1-4 comma/metrics.csv | cmp - 1 && "
        "cmp C/checkpoint.safetensors comma/checkpoint.safetensors && "
        "grep -v 'tokens_per_second\\|checkpoint' C.json > 1 && grep -v 'tokens_per_second\\|checkpoint' "
        "comma.json | cmp - 1 && cut -d, -f4 comma/metrics.csv && echo same",
        0, "same");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(wrong_usage_is_code_2_with_a_hint),
        cmocka_unit_test(devices_lists_the_cpu_in_text_and_json),
        cmocka_unit_test(a_decimal_comma_in_the_environment_changes_nothing),
        cmocka_unit_test(output_that_cannot_be_written_is_a_failure),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
