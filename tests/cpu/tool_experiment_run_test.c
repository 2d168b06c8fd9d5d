/* tool_experiment_run_test.c: `quartic experiment`, short runs: what they print, what they write, how they
 * end. */
#include "expect.h"

#include "tool_run.h"

#define SHORT "OMP_NUM_THREADS=1 $Q experiment --device cpu --graphs 64 --batch 8 --quick --seeds 1 "

static void a_run_reports_every_evaluation(void **state) {
    (void)state;
    tool_expect(SHORT "set --steps 2 --only none --out a", 0,
                "the more frequent label has 50.0% of the training labels, 50.0% of the test's");
    /* 8 steps, an evaluation before them and after each. */
    tool_expect(
        "head -1 a/results.csv; grep -c '^set,\"none, 2 layers, 1x\",quadratic,none,0,2,' a/results.csv", 0,
        "\n9\n");
    tool_expect("ls a", 0, "report.md\nresults.csv\nset.png\nset.svg\n");
    tool_expect("grep -c '^| quadratic: none, 2 layers, 1x | ' a/report.md", 0, "1\n");
    tool_expect("head -c 8 a/set.png | od -An -c | head -1; grep -c 'svg' a/set.svg", 0, "P   N   G");
}

static void the_same_seed_gives_the_same_results(void **state) {
    (void)state;
    tool_expect("for k in 1 2; do " SHORT "foaf --steps 3 --only axial --out s$k --seed 9 > log; "
                "cut -d, -f1-15 s$k/results.csv > $k; done; cmp 1 2 && echo same",
                0, "same");
    tool_expect(SHORT
                "foaf --steps 3 --only axial --out other --seed 10 > log; cut -d, -f1-15 other/results.csv | "
                "cmp -s - 1 || echo different",
                0, "different");
}

static void triangles_learn_and_are_drawn(void **state) {
    (void)state;
    tool_expect(SHORT "foaf --batch 16 --graphs 256 --steps 40 --only triangle --out t", 0, "| triangle | ");
    tool_expect("awk -F, '$2 == \"\\\"triangle\\\"\" && $15 > 0.99 {solved = 1} END {print solved ? "
                "\"solved\" : \"not\"}' "
                "t/results.csv",
                0, "solved");
    tool_expect("ls t", 0, "foaf-attention.png\nfoaf-attention.svg\nfoaf.png\nfoaf.svg\n");
}

static void check_fails_without_separation(void **state) {
    (void)state;
    tool_expect(SHORT "set --steps 1 --only none --check --out c", 1,
                "in no task does an edge form reach 99%");
}

static void wrong_lines_are_usage_errors(void **state) {
    (void)state;
    tool_expect("$Q experiment chess --out x", 2, "there is no task chess");
    tool_expect("$Q experiment set --only quadrangle --out x", 2, "there is no contestant quadrangle");
    tool_expect("$Q experiment --out x", 2, "quartic experiment");
    tool_expect("echo > file; " SHORT "set --steps 1 --only none --out file/x", 1, "file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_reports_every_evaluation),
        cmocka_unit_test(the_same_seed_gives_the_same_results),
        cmocka_unit_test(triangles_learn_and_are_drawn),
        cmocka_unit_test(check_fails_without_separation),
        cmocka_unit_test(wrong_lines_are_usage_errors),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
