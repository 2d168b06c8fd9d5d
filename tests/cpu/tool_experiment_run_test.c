/* tool_experiment_run_test.c: `quartic experiment`, short runs: what they print, what they write, how they
 * end. */
#include "expect.h"

#include "tool/experiment_contest.h"
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

/* Of one contest: graphs of runs differ, and a second question gives the same ones. */
static void runs_have_data_of_their_own(void **state) {
    (void)state;
    static const command none = {.name = "test"};
    quartic_device *device;
    assert_ok(quartic_device_create("cpu", &device));
    contest contest = {.command = &none,
                       .task = experiment_task_named("foaf"),
                       .device = device,
                       .settings = {.steps = 1,
                                    .batch = 8,
                                    .seeds = 2,
                                    .train_graphs = 16,
                                    .quick = true,
                                    .sizes = 1,
                                    .rates = 1,
                                    .rate = 1e-3f,
                                    .seed = 4,
                                    .only = "none"}};
    assert_true(contest_begin(&contest));
    const contest_data *first = contest_data_of(&contest, 1), *second = contest_data_of(&contest, 2);
    assert_ptr_equal(first, contest_data_of(&contest, 1));
    const size_t bytes = 8 * 14 * 14 * sizeof(int32_t);
    assert_memory_not_equal(first->train->edge_types, second->train->edge_types, bytes);
    assert_memory_not_equal(first->test->edge_types, second->test->edge_types, bytes);
    assert_memory_not_equal(first->test->edge_types, first->validation->edge_types, bytes);
    contest_end(&contest);
    quartic_device_destroy(device);
}

/* Runs are reported with what the test said, which validation does not. */
static void the_test_is_told_of_each_run(void **state) {
    (void)state;
    tool_expect(
        "OMP_NUM_THREADS=1 $Q experiment foaf --device cpu --graphs 64 --batch 8 --quick --steps 1 --only "
        "none --encodings ids --no-map --seeds 3 --width 8 --out d > log; sed 's/\"[^\"]*\"//' "
        "d/results.csv | cut -d, -f10,17-19 | sort -u | cut -d, -f1-3",
        0, "1,,14\n1,ids,14\n2,,14\n2,ids,14\n3,,14\n3,ids,14\nseed,encoding,nodes\n");
    tool_expect("grep -c '| 95% interval |' d/report.md; grep -c ' (3) |' d/report.md", 0, "1\n2\n");
}

static void baselines_get_the_encodings_asked_for(void **state) {
    (void)state;
    tool_expect(SHORT
                "foaf --steps 1 --only static --nodes 10 --width 8 --depth 1 --heads 2 --encodings "
                "rows,walks,laplacian,distances --out e > log; grep -o '^foaf,\"[^\"]*' e/results.csv | "
                "sort -u",
                0,
                "foaf,\"static + distances, 1 layers, width 8\nfoaf,\"static + laplacian, 1 layers, width 8\n"
                "foaf,\"static + rows, 1 layers, width 8\nfoaf,\"static + walks, 1 layers, width 8\n"
                "foaf,\"static, 1 layers, width 8\n");
    tool_expect(SHORT "twins --steps 1 --only none --encodings rows --out e2 > log; grep -c 'none + rows' "
                      "e2/report.md",
                0, "1");
}

static void a_list_names_single_contestants(void **state) {
    (void)state;
    tool_expect(
        "OMP_NUM_THREADS=1 $Q experiment foaf --device cpu --graphs 64 --batch 8 --seeds 1 --steps 1 --width "
        "8 "
        "--rates 1 --baseline-steps 3 --sizes 1 --only routed+ids,none+plain,static+rows --no-map "
        "--evaluations 1 --out l > "
        "log; sed -n 's/^foaf,\"\\([^\"]*\\)\".*,\\([0-9]*\\),[0-9.]*,[0-9.]*,[0-9.]*,[a-z]*,14,.*/\\1: "
        "\\2/p' "
        "l/results.csv | sort | tr '\\n' ';'",
        0,
        "none, 2 layers, width 8: 0;none, 2 layers, width 8: 3;routed + ids, 2 layers, width 8: 0;routed + "
        "ids, 2 layers, width 8: 1;static + rows, 2 layers, width 8: 0;static + rows, 2 layers, width 8: 3;");
}

#define RECORDED                                                                                             \
    "OMP_NUM_THREADS=1 $Q experiment foaf --device cpu --graphs 64 --batch 8 --steps 2 --width 8 --rates 2 " \
    "--sizes 1 --only static+rows --evaluations 1 --no-map --records runs.jsonl --out r "

/* Two rates with the first seed, then one for each further seed; a second experiment takes what is there. */
static void recorded_runs_are_not_run_again(void **state) {
    (void)state;
    tool_expect(RECORDED "--seeds 2 > log; grep -c 'from the records' log; wc -l < runs.jsonl", 0, "0\n3\n");
    tool_expect("cp r/report.md first; cp r/results.csv first.csv; " RECORDED
                "--seeds 2 > log; grep -c 'from the records' log; cmp first r/report.md && cut -d, -f1-16 "
                "first.csv > "
                "1; cut -d, -f1-16 r/results.csv | cmp - 1 && echo same",
                0, "3\nsame");
    tool_expect(RECORDED "--seeds 3 > log; grep -c 'from the records' log; wc -l < runs.jsonl", 0, "3\n4\n");
    /* other settings are other runs */
    tool_expect(RECORDED "--seeds 3 --seed 1 > log; grep -c 'from the records' log; wc -l < runs.jsonl", 0,
                "0\n8\n");
    tool_expect(RECORDED "--seeds 3 --depth 1 > log; grep -c 'from the records' log; wc -l < runs.jsonl", 0,
                "0\n12\n");
}

/* As after a crash while the last line was written. */
static void a_record_that_was_cut_off_is_left_out(void **state) {
    (void)state;
    tool_expect(
        "rm -f runs.jsonl; " RECORDED
        "--seeds 1 > log; head -c -20 runs.jsonl > cut; mv cut runs.jsonl; " RECORDED
        "--seeds 1 2>&1 > log | grep -c 'runs.jsonl:2: no record of a run'; grep -c 'from the records' log; "
        "wc -l < runs.jsonl",
        0, "1\n1\n3\n");
    tool_expect(RECORDED "--seeds 1 > log 2>&1; grep -c 'from the records' log", 0, "2\n");
    tool_expect("mkdir folder; " SHORT "set --steps 1 --only none --out x --records folder", 1,
                "cannot write folder");
}

/* Trained on three sizes at once, tested on others; what is recorded says so. */
static void other_sizes_are_trained_and_tested(void **state) {
    (void)state;
    tool_expect(
        "OMP_NUM_THREADS=1 $Q experiment foaf --device cpu --graphs 256 --batch 16 --seeds 1 --steps 240 "
        "--width 16 "
        "--only triangle+plain --rate 0.01 --no-map --train-sizes 8,10,12 --test-sizes 9,16,20:4 --records "
        "sizes.jsonl --out z > log && grep -o '\"trained_on\":[^]]*]' sizes.jsonl && grep -o "
        "'\"tested_on\":[^]]*]' sizes.jsonl && grep -o '\"accuracy\":[0-9.]*' sizes.jsonl | awk -F: '$2 > "
        "0.9 "
        "{good += 1} END {print good, \"sizes learnt\"}'",
        0,
        "\"trained_on\":[{\"nodes\":8,\"degree\":0},{\"nodes\":10,\"degree\":0},{\"nodes\":12,\"degree\":0}]"
        "\n"
        "\"tested_on\":[{\"nodes\":9,\"degree\":0},{\"nodes\":16,\"degree\":0},{\"nodes\":20,\"degree\":4}]\n"
        "3 sizes learnt");
    tool_expect("$Q experiment foaf --device cpu --steps 1 --only none+rows --test-sizes 14,16 --out x", 1,
                "rows are of one number of nodes");
    tool_expect("$Q experiment foaf --device cpu --steps 1 --only none --test-sizes 14:4 --out x", 1,
                "foaf has no graphs of 14 nodes and degree 4");
    tool_expect("$Q experiment compose --device cpu --steps 1 --only none --train-sizes 16,5 --out x", 1,
                "compose has no graphs of 5 nodes");
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
    tool_expect("$Q experiment set --only triangle+rows --out x", 2, "there is no contestant triangle+rows");
    tool_expect("$Q experiment set --only none+colours --out x", 2, "there is no contestant none+colours");
    tool_expect("$Q experiment foaf --train-sizes 12, --out x", 2, "are lists of up to 12 sizes");
    tool_expect("$Q experiment foaf --test-sizes 12:x --out x", 2, "are lists of up to 12 sizes");
    tool_expect("$Q experiment set --nodes 9 --out x", 2, "set has no graphs of 9 nodes");
    tool_expect("$Q experiment foaf relation --nodes 26 --out x", 2, "relation has no graphs of 26 nodes");
    tool_expect("$Q experiment foaf --encodings rows,colours --out x", 2, "--encodings rows,colours");
    tool_expect("$Q experiment --out x", 2, "quartic experiment");
    tool_expect("echo > file; " SHORT "set --steps 1 --only none --out file/x", 1, "file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_reports_every_evaluation),
        cmocka_unit_test(the_same_seed_gives_the_same_results),
        cmocka_unit_test(runs_have_data_of_their_own),
        cmocka_unit_test(the_test_is_told_of_each_run),
        cmocka_unit_test(baselines_get_the_encodings_asked_for),
        cmocka_unit_test(a_list_names_single_contestants),
        cmocka_unit_test(recorded_runs_are_not_run_again),
        cmocka_unit_test(a_record_that_was_cut_off_is_left_out),
        cmocka_unit_test(other_sizes_are_trained_and_tested),
        cmocka_unit_test(triangles_learn_and_are_drawn),
        cmocka_unit_test(check_fails_without_separation),
        cmocka_unit_test(wrong_lines_are_usage_errors),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
