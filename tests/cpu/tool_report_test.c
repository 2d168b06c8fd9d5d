/* tool_report_test.c: `quartic report` on folders as scripts/gpu_report.sh leaves them, whole and cut off. */
#include "expect.h"

#include <jansson.h>

#include "tool_run.h"

/* A folder with one part of each kind of end. */
#define REPORT_FOLDER                                                                                        \
    "mkdir -p r/parts && cd r/parts && "                                                                     \
    "printf 'validate\\tcopy\\tquartic validate\\nmodels\\tquartic-64\\tq\\nmodels\\tquartic-128\\tq\\n"     \
    "edges\\tfull-64\\tq\\npytorch\\tquartic-64\\tpython3 x\\n' > plan.tsv && "                              \
    "printf 'validate\\tcopy\\tdone\\t0\\t1500\\nmodels\\tquartic-64\\tdone\\t0\\t2000\\n"                   \
    "edges\\tfull-64\\tout of time\\t143\\t9000\\npytorch\\tquartic-64\\tdone\\t0\\t1\\nmod' > log.tsv && "  \
    "printf 'minutes\\t8\\nstate\\trunning\\nstate\\tdone\\n' > facts.tsv && "                               \
    "echo '{\"device\": \"a <b> & c\", \"passed\": 7, \"failed\": 0, \"unsupported\": 0, \"worst\": 0.5, "   \
    "\"checks\": [{\"verdict\": \"ok\"}]}' > validate.copy.json && "                                         \
    "echo '{\"length\": 64, \"forward\": {\"seconds\": 0.25}, \"training\": {\"seconds\": 0.5}}' "           \
    "> models.quartic-64.json && printf '{\"forms\": [{\"fo' > edges.full-64.json && "                       \
    "printf '{\"what\": \"quartic\", \"n\": 64, \"pass\": \"forward\", \"variant\": \"dual\", "              \
    "\"seconds\": 0.125}\\n{\"wha' > pytorch.quartic-64.json && cd ../.. && "

static json_t *report_read(const char *command) {
    const tool_result *got = tool_run(command);
    if (got->code != 0) fail_msg("%s\ncode %d: %s", command, got->code, got->err);
    json_t *report = json_loads(got->out, 0, NULL);
    assert_non_null(report);
    return report;
}

static const char *report_member(const json_t *list, size_t index, const char *key) {
    const char *text = json_string_value(json_object_get(json_array_get(list, index), key));
    assert_non_null(text);
    return text;
}

static void what_was_measured_is_there_and_the_rest_is_named(void **state) {
    (void)state;
    json_t *report = report_read(REPORT_FOLDER "$Q report r && cat r/report.json");
    assert_true(json_is_false(json_object_get(report, "complete")));
    assert_string_equal(json_string_value(json_object_get(report, "state")), "done");
    const json_t *missing = json_object_get(report, "missing"), *parts = json_object_get(report, "parts");
    assert_int_equal(json_array_size(parts), 5);
    assert_int_equal(json_array_size(missing), 2);
    assert_string_equal(json_string_value(json_array_get(missing, 0)), "models quartic-128: not run");
    assert_string_equal(json_string_value(json_array_get(missing, 1)), "edges full-64: out of time");
    assert_true(json_is_null(json_object_get(json_array_get(parts, 3), "result"))); /* half a document */
    assert_int_equal(json_array_size(json_object_get(json_array_get(parts, 4), "result")),
                     1); /* whole lines */
    const json_t *measurements = json_object_get(report, "measurements");
    assert_int_equal(json_array_size(measurements), 3);
    assert_string_equal(report_member(measurements, 0, "what"), "quartic");
    assert_string_equal(report_member(measurements, 0, "variant"), "quartic");
    assert_string_equal(report_member(measurements, 1, "pass"), "training");
    assert_string_equal(report_member(measurements, 2, "variant"), "PyTorch dual");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(measurements, 2), "n")), 64);
    json_decref(report);
    tool_expect("cat r/report.md", 0, "| quartic | 64 | forward | 250 | 125 |");
    tool_expect("cat r/report.md", 0, "7 passed, **0 failed**");
    tool_expect("cat r/report.md", 0, "- edges full-64: out of time");
    tool_expect("cat r/plot.svg", 0, "<polyline");
    tool_expect("tail -n 1 r/plot.svg", 0, "</svg>");
}

static void a_report_of_nothing_parses(void **state) {
    (void)state;
    json_t *report = report_read("mkdir -p e/parts && touch e/parts/plan.tsv && $Q report e --json");
    assert_int_equal(json_array_size(json_object_get(report, "parts")), 0);
    assert_true(json_is_false(json_object_get(report, "complete")));
    json_decref(report);
    tool_expect("cat e/plot.svg", 0, "nothing was measured");
    tool_expect("cat e/report.md", 0, "Incomplete");
}

/* Where no check ran that names the device: the first GPU of the list that can be used. */
static void the_title_names_the_gpu(void **state) {
    (void)state;
    tool_expect(
        "mkdir -p card/parts && printf 'device\\tlist\\tq\\nvalidate\\tcopy\\tq\\n' > card/parts/plan.tsv && "
        "printf 'device\\tlist\\tdone\\t0\\t1\\n' > card/parts/log.tsv && "
        "echo '[{\"name\": \"cpu\", \"type\": \"cpu\", \"usable\": true}, "
        "{\"name\": \"old\", \"type\": \"discrete\", \"usable\": false}, "
        "{\"name\": \"card\", \"type\": \"discrete\", \"usable\": true}]' > card/parts/device.list.json && "
        "$Q report card && cat card/report.md",
        0, "# GPU report: card");
}

static void what_was_all_done_is_complete(void **state) {
    (void)state;
    json_t *report = report_read(
        "mkdir -p c/parts && cd c/parts && printf 'device\\tlist\\tq\\npytorch\\tdevice\\tp\\n' "
        "> plan.tsv && printf 'device\\tlist\\tdone\\t0\\t5\\npytorch\\tdevice\\tskipped\\t77\\t5\\n' > "
        "log.tsv && printf 'state\\tdone\\n' > facts.tsv && echo '[]' > device.list.json && "
        "cd ../.. && $Q report c --json");
    assert_true(json_is_true(json_object_get(report, "complete")));
    json_decref(report);
}

static void other_folders_are_refused(void **state) {
    (void)state;
    tool_expect("$Q report nowhere", 1, "nowhere is no folder of a report");
    tool_expect("mkdir -p d/parts/plan.tsv && touch d/report.md && $Q report", 2, "report");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_measured_is_there_and_the_rest_is_named),
        cmocka_unit_test(a_report_of_nothing_parses),
        cmocka_unit_test(the_title_names_the_gpu),
        cmocka_unit_test(what_was_all_done_is_complete),
        cmocka_unit_test(other_folders_are_refused),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
