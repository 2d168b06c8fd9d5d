/* tool_streams_test.c: closed standard streams and ignored signals: nothing that is printed ends up in a file
 * of the run, and what was ignored when the program started stays ignored. */
#include "expect.h"

#include <signal.h>

#include "tool_run.h"

#define TRAIN "$Q train $S/data/tales.txt --config tiny.json --batch 1 --length 8 --seed 3 --device cpu "

static int tool_streams_make_folder(void **state) {
    if (tool_make_test_folder(state) != 0) return -1;
    return tool_run("echo '{\"dim\": 8, \"depth\": 1, \"dim_edges\": 4, \"heads\": 2, \"dim_head\": 4, "
                    "\"linear_heads\": 1, \"linear_dim_head\": 3, \"num_residual_streams\": 1}' > tiny.json")
        ->code;
}

/* The files of a run whose streams are closed are those of another run, byte by byte. The exit code tells
 * whether what was printed was lost. */
static void closed_streams_leave_the_files_of_a_run_alone(void **state) {
    (void)state;
    static const struct {
        const char *streams;
        int code; /* 1: stdout is closed */
    } ways[] = {{">&- 2>&-", 1}, {"<&- >&- 2>&-", 1}, {">&-", 1}, {"2>&-", 0}, {"<&-", 0}, {"<&- >&-", 1}};
    tool_expect(TRAIN "--out open --steps 6 --save-every 2", 0, "finished at step 6");
    for (size_t k = 0; k < sizeof ways / sizeof ways[0]; ++k) {
        char command[1024];
        snprintf(command, sizeof command,
                 "rm -rf closed; " TRAIN "--out closed --steps 6 --save-every 2 %s; echo code $?; "
                 "cut -d, -f1-4 open/metrics.csv > 1; cut -d, -f1-4 closed/metrics.csv | cmp - 1 && "
                 "cmp open/checkpoint.safetensors closed/checkpoint.safetensors && ls -A closed",
                 ways[k].streams);
        tool_expect(command, 0,
                    ways[k].code == 0 ? "code 0\ncheckpoint.safetensors\nmetrics.csv\n"
                                      : "code 1\ncheckpoint.safetensors\nmetrics.csv\n");
    }
    tool_expect("rm -rf closed; " TRAIN "--out closed --steps 2 >&-", 1,
                "quartic train: the output could not be written: standard output is closed");
    /* Errors are told by the code alone, and nowhere else. */
    tool_expect("$Q train missing --config tiny.json --out none >&- 2>&-; echo code $?", 0, "code 1");
}

static void closed_streams_leave_other_files_alone(void **state) {
    (void)state;
    tool_expect("$Q sample open --device cpu --tokens 4 --attention open.png", 0, "");
    tool_expect("$Q sample open --device cpu --tokens 4 --attention closed.png <&- >&- 2>&-; echo code $?", 0,
                "code 1"); /* the text is lost, so no picture is drawn of it */
    tool_expect(
        "E='$Q experiment set --device cpu --graphs 64 --batch 8 --quick --seeds 1 --steps 1 --only "
        "none --no-map --out'; export OMP_NUM_THREADS=1; eval $E said > log; eval $E closed >&- 2>&-; "
        "echo code $?; for k in said closed; do cut -d, -f1-15 $k/results.csv > $k.csv; done; "
        "cmp said.csv closed.csv && cmp said/set.png closed/set.png && "
        "grep -c . said/report.md closed/report.md | cut -d: -f2 | uniq | wc -l",
        0, "code 1\n1\n");
    tool_expect("$Q eval open $S/data/tales.txt --device cpu <&-", 0, "loss ");
    tool_expect("$Q eval open - --device cpu <&-", 1, "cannot read -: Bad file descriptor");
    tool_expect("head -c 99 $S/data/tales.txt | $Q eval open - --device cpu", 0, "over 98 bytes");
}

/* Before the first line of metrics, in the middle and before the last, of a program that was started with the
 * signal ignored, as nohup does. Where it is not ignored, it ends the run early. */
static void what_was_ignored_stays_ignored(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", SIGHUP}, {"INT", SIGINT}, {"TERM", SIGTERM}};
    static const int moments[] = {1, 30, 60};
    for (size_t k = 0; k < sizeof signals / sizeof signals[0]; ++k)
        for (size_t m = 0; m < sizeof moments / sizeof moments[0]; ++m) {
            char command[1024];
            snprintf(command, sizeof command,
                     "rm -rf ignored; (trap '' %s; exec env LD_PRELOAD=./faults.so QUARTIC_TEST_DISK=ignored "
                     "QUARTIC_TEST_FILE=metrics QUARTIC_TEST_SIGNAL=%d QUARTIC_TEST_SIGNAL_AT=%d " TRAIN
                     "--out ignored --steps 60)",
                     signals[k].name, signals[k].number, moments[m]);
            tool_expect(command, 0, "finished at step 60");
            snprintf(command, sizeof command,
                     "rm -rf ignored; " TOOL_FAULTS "QUARTIC_TEST_DISK=ignored QUARTIC_TEST_FILE=metrics "
                     "QUARTIC_TEST_SIGNAL=%d QUARTIC_TEST_SIGNAL_AT=30 " TRAIN "--out ignored --steps 60",
                     signals[k].number);
            if (moments[m] == 30) tool_expect(command, 0, "stopped after step ");
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_streams_leave_the_files_of_a_run_alone),
        cmocka_unit_test(closed_streams_leave_other_files_alone),
        cmocka_unit_test(what_was_ignored_stays_ignored),
    };
    return cmocka_run_group_tests(tests, tool_streams_make_folder, tool_remove_test_folder);
}
