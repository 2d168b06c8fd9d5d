/* tool_disk_test.c: training on a full disk, on one that can only be read, in folders without permission, and
 * being told to end: the last checkpoint survives, the exit code and a message say what happened.
 *
 * The disk is a folder that faults.c watches, so that no right to mount and no other user is needed.
 */
#include "expect.h"

#include "tool_run.h"

#define TRAIN "$Q train $S/data/tales.txt --device cpu "
#define START TRAIN "--config tiny.json --batch 2 --length 16 --seed 3 "
/* What the folder ./disk has room for (a checkpoint takes 190000 bytes), or why nothing in it can be changed.
 */
#define ROOM(bytes) TOOL_FAULTS "QUARTIC_TEST_DISK=disk QUARTIC_TEST_ROOM=" bytes " "
#define READ_ONLY   TOOL_FAULTS "QUARTIC_TEST_DISK=disk QUARTIC_TEST_REFUSE=30 " /* EROFS */
#define FORBIDDEN   TOOL_FAULTS "QUARTIC_TEST_DISK=disk QUARTIC_TEST_REFUSE=13 " /* EACCES */

static int tool_disk_make_folder(void **state) {
    if (tool_make_test_folder(state) != 0) return -1;
    return tool_run("echo '{\"dim\": 16, \"depth\": 1, \"dim_edges\": 8, \"heads\": 2, \"dim_head\": 8, "
                    "\"linear_heads\": 2, \"linear_dim_head\": 4, \"max_seq_len\": 32, "
                    "\"num_residual_streams\": 2}' > tiny.json; " START
                    "--out whole --steps 8 --save-every 3")
        ->code;
}

/* Expects of commands that begin with an empty folder ./disk, and fail where one fails that must not. */
static void expect_on_disk(const char *commands, const char *text) {
    char script[4096];
    const int length = snprintf(script, sizeof script, "set -eu; rm -rf disk; mkdir disk\n%s", commands);
    assert_true(length > 0 && (size_t)length < sizeof script);
    char path[TEST_PATH_BYTES];
    snprintf(path, sizeof path, "%s/script", tool_folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(script, file) >= 0 && fclose(file) == 0);
    tool_expect("sh script", 0, text);
}

static void a_full_disk_keeps_the_last_checkpoint(void **state) {
    (void)state;
    /* There is room for one checkpoint, not for the next one beside it: training goes on, the end is code 1.
     */
    expect_on_disk(
        "code=0; " ROOM("320000") START
        "--out disk/run --steps 8 --save-every 3 2> errors || code=$?\n"
        "test $code = 1; grep -q 'warning: cannot write disk/run/checkpoint.safetensors: writing failed: No "
        "space left on device; training goes on from memory' errors\n"
        "grep -q 'Hint: the checkpoint before it is still there, whole' errors\n"
        "test \"$(ls -A disk/run | tr '\\n' ' ')\" = 'checkpoint.safetensors metrics.csv '\n"
        "tail -n 1 disk/run/metrics.csv | grep -q '^8,'\n"
        "cp -r disk/run moved; " TRAIN "--out moved --resume --steps 8 --json",
        "\"finished\": true");
    tool_expect("cmp moved/checkpoint.safetensors whole/checkpoint.safetensors && cut -d, -f1-4 "
                "moved/metrics.csv > 1 && cut -d, -f1-4 whole/metrics.csv | cmp - 1 && echo same",
                0, "same");
    /* No room at all. */
    expect_on_disk("code=0; " ROOM("70000") START "--out disk/new --steps 8 2> errors || code=$?\n"
                                                  "test $code = 1; cat errors; ls -A disk/new",
                   "cannot write disk/new/checkpoint.safetensors: writing failed: No space left on device");
    /* The disk is full to the last byte: no room for metrics. */
    expect_on_disk("cp -r whole disk/run; full=$(cat disk/run/* | wc -c); code=0\n" ROOM("$full") TRAIN
                   "--out disk/run --resume --steps 9 2> errors || code=$?\n"
                   "test $code = 1; cmp disk/run/checkpoint.safetensors whole/checkpoint.safetensors\n"
                   "cmp disk/run/metrics.csv whole/metrics.csv && cat errors; ls -A disk/run",
                   "No space left on device");
}

static void a_disk_that_is_only_read(void **state) {
    (void)state;
    expect_on_disk("cp -r whole disk/run; code=0\n" READ_ONLY START
                   "--out disk/new --steps 1 2> errors || code=$?; test $code = 1; cat errors",
                   "cannot make the folder disk/new: Read-only file system");
    expect_on_disk("cp -r whole disk/run; code=0\n" READ_ONLY TRAIN
                   "--out disk/run --resume --steps 9 2> errors || code=$?; test $code = 1; cat errors",
                   "Read-only file system");
    expect_on_disk("cp -r whole disk/run\n" READ_ONLY
                   "$Q sample disk/run --device cpu --tokens 1 > /dev/null && echo sampled",
                   "sampled");
}

/* A folder that may be read and not written into. */
static void a_folder_without_permission(void **state) {
    (void)state;
    expect_on_disk("cp -r whole disk/run; code=0\n" FORBIDDEN TRAIN
                   "--out disk/run --resume --steps 9 2> errors || code=$?; test $code = 1; cat errors\n"
                   "cmp disk/run/checkpoint.safetensors whole/checkpoint.safetensors\n"
                   "cmp disk/run/metrics.csv whole/metrics.csv; ls -A disk/run",
                   "Permission denied");
    expect_on_disk("code=0; " FORBIDDEN START "--out disk/new --steps 1 2> errors || code=$?\n"
                   "test $code = 1; cat errors; ls -A disk",
                   "cannot make the folder disk/new: Permission denied");
}

static void being_told_to_end_saves_first(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"INT", 2}, {"TERM", 15}, {"HUP", 1}};
    for (size_t s = 0; s < sizeof signals / sizeof signals[0]; ++s) {
        char command[1024];
        const char *name = signals[s].name;
        /* Each step writes a line of metrics, so the signal comes some twenty steps after the start. */
        snprintf(command, sizeof command,
                 TOOL_FAULTS "QUARTIC_TEST_DISK=%s QUARTIC_TEST_FILE=metrics QUARTIC_TEST_SIGNAL=%d "
                             "QUARTIC_TEST_SIGNAL_AT=30 " START
                             "--out %s --steps 100000 --constant-rate --save-every 100000",
                 name, signals[s].number, name);
        tool_expect(command, 0, "stopped after step ");
        /* The checkpoint holds the last step that the metrics know, and that is neither the first nor the
         * last. */
        snprintf(
            command, sizeof command,
            "last=$(tail -n 1 %s/metrics.csv | cut -d, -f1); test $last -gt 5 && test $last -lt 100 && " TRAIN
            "--out %s --resume --steps $((last + 1)) | grep -c '^step '",
            name, name);
        tool_expect(command, 0, "1\n");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_keeps_the_last_checkpoint),
        cmocka_unit_test(a_disk_that_is_only_read),
        cmocka_unit_test(a_folder_without_permission),
        cmocka_unit_test(being_told_to_end_saves_first),
    };
    return cmocka_run_group_tests(tests, tool_disk_make_folder, tool_remove_test_folder);
}
