/* tool_verify_test.c: `quartic verify`: recorded cases that pass, one that was tampered with, files that are
 * none. */
#include "expect.h"

#include <jansson.h>

#include "tool_run.h"

#define CASE "$S/tests/golden/module-hyper-connection.safetensors"

static void recorded_cases_pass_on_the_cpu(void **state) {
    (void)state;
    tool_expect("$Q verify " CASE " $S/tests/golden/quartic-causal.safetensors --device cpu", 0,
                "2 passed, 0 failed, 0 unsupported on cpu");
    const tool_result *got = tool_run("$Q verify " CASE " --device reference --json");
    json_t *report = json_loads(got->out, 0, NULL);
    assert_int_equal(got->code, 0);
    assert_int_equal(json_integer_value(json_object_get(report, "passed")), 1);
    assert_int_equal(json_array_size(json_object_get(report, "checks")), 1);
    json_decref(report);
}

static void a_case_that_is_wrong_fails(void **state) {
    (void)state;
    /* The last four bytes of the data: one number of the case, set to about -1.7e38. */
    tool_expect("cp " CASE " wrong.safetensors && size=$(stat -c %s wrong.safetensors) && "
                "printf '\\377\\377\\377\\376' | dd of=wrong.safetensors bs=1 seek=$((size - 4)) "
                "conv=notrunc 2> log; "
                "$Q verify wrong.safetensors " CASE " --device cpu > out; test $? = 1 && tail -1 out",
                0, "1 passed, 1 failed, ");
    tool_expect("head -c 2000 " CASE
                " > cut.safetensors; $Q verify cut.safetensors --device cpu > out; test $? = 1 && cat out",
                0, "cut off");
    tool_expect("$Q verify nothing.safetensors --device cpu > out; test $? = 1 && cat out", 0,
                "nothing.safetensors: No such file or directory");
    tool_expect("$Q verify", 2, "something is missing: quartic verify CASE.safetensors...");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_cases_pass_on_the_cpu),
        cmocka_unit_test(a_case_that_is_wrong_fails),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
