/* tool_disk_test.c: training on a full disk, on one that can only be read, in folders without permission, and
 * being told to end: the last checkpoint survives, the exit code and a sentence say what happened.
 *
 * The disk is a tmpfs in a mount namespace of its own, so it needs root or user namespaces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <unistd.h>

#include <cmocka.h>

#include "tool_run.h"

#define TRAIN "$Q train $S/data/tales.txt --device cpu "
#define START TRAIN "--config tiny.json --batch 2 --length 16 --seed 3 "

static int make_folder(void **state) {
    if (tool_make_test_folder(state) != 0) return -1;
    return tool_run("echo '{\"dim\": 16, \"depth\": 1, \"dim_edges\": 8, \"heads\": 2, \"dim_head\": 8, "
                    "\"linear_heads\": 2, \"linear_dim_head\": 4, \"max_seq_len\": 32, "
                    "\"num_residual_streams\": 2}' > tiny.json; mkdir disk; " START "--out whole --steps 8")
        ->code;
}

/* Expects of a script of its own, run with a disk of 320 KiB (a checkpoint takes 190) mounted at ./disk. */
static void expect_on_disk(const char *script, const char *text) {
    FILE *file;
    char path[128];
    snprintf(path, sizeof path, "%s/script", tool_folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "set -eu; mount -t tmpfs -o size=320k tmpfs disk\n%s\n", script);
    fclose(file);
    tool_expect(geteuid() == 0 ? "unshare --mount sh script" : "unshare --map-root-user --mount sh script", 0,
                text);
}

static void a_full_disk_keeps_the_last_checkpoint(void **state) {
    (void)state;
    /* There is room for one checkpoint, not for the next one beside it: training goes on, the end is code 1.
     */
    expect_on_disk(
        "code=0; " START "--out disk/run --steps 8 --save-every 3 2> errors || code=$?\n"
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
    expect_on_disk("head -c 250000 /dev/zero > disk/fill\n"
                   "code=0; " START "--out disk/new --steps 8 2> errors || code=$?; test $code = 1\n"
                   "cat errors; ls -A disk/new",
                   "cannot write disk/new/checkpoint.safetensors: writing failed: No space left on device");
    /* Room for the checkpoint, none for metrics. */
    expect_on_disk("cp -r whole disk/run; head -c 300000 /dev/zero > disk/fill 2> /dev/null || true\n"
                   "code=0; " TRAIN "--out disk/run --resume --steps 9 2> errors || code=$?; test $code = 1\n"
                   "cmp disk/run/checkpoint.safetensors whole/checkpoint.safetensors; rm disk/fill\n"
                   "cmp disk/run/metrics.csv whole/metrics.csv && cat errors; ls -A disk/run",
                   "No space left on device");
}

static void a_disk_that_is_only_read(void **state) {
    (void)state;
    expect_on_disk("cp -r whole disk/run; mount -o remount,ro disk; code=0\n" START
                   "--out disk/new --steps 1 2> errors || code=$?; test $code = 1; cat errors",
                   "cannot make the folder disk/new: Read-only file system");
    expect_on_disk("cp -r whole disk/run; mount -o remount,ro disk; code=0\n" TRAIN
                   "--out disk/run --resume --steps 9 2> errors || code=$?; test $code = 1; cat errors",
                   "Read-only file system");
    expect_on_disk("cp -r whole disk/run; mount -o remount,ro disk\n"
                   "$Q sample disk/run --device cpu --tokens 1 > /dev/null && echo sampled",
                   "sampled");
}

/* As a user who may read the folder and not write into it. */
static void a_folder_without_permission(void **state) {
    (void)state;
    const char *as_user = geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "";
    char command[512];
    tool_expect("chmod 755 .; cp -r whole locked; chmod 555 locked; chmod 444 locked/*; echo done", 0,
                "done");
    snprintf(command, sizeof command, "%s" TRAIN "--out locked --resume --steps 9", as_user);
    tool_expect(command, 1, "Permission denied");
    snprintf(command, sizeof command, "%s" START "--out locked/new --steps 1", as_user);
    tool_expect(command, 1, "cannot make the folder locked/new: Permission denied");
    tool_expect("cmp locked/checkpoint.safetensors whole/checkpoint.safetensors && ls -A locked && chmod 755 "
                "locked",
                0, "checkpoint.safetensors\nmetrics.csv\n");
}

static void being_told_to_end_saves_first(void **state) {
    (void)state;
    static const char *const signals[] = {"INT", "TERM", "HUP"};
    for (size_t s = 0; s < sizeof signals / sizeof signals[0]; ++s) {
        char command[1024];
        snprintf(command, sizeof command,
                 START
                 "--out %s --steps 100000 --constant-rate --save-every 100000 > log%s & pid=$!; "
                 "while ! grep -qs '^step' log%s; do sleep 0.02; done; kill -%s $pid; wait $pid && cat log%s",
                 signals[s], signals[s], signals[s], signals[s], signals[s]);
        tool_expect(command, 0, "stopped after step ");
        /* The checkpoint holds the last step that the metrics know. */
        snprintf(
            command, sizeof command,
            TRAIN
            "--out %s --resume --steps $(($(tail -n 1 %s/metrics.csv | cut -d, -f1) + 1)) | grep -c '^step '",
            signals[s], signals[s]);
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
    return cmocka_run_group_tests(tests, make_folder, tool_remove_test_folder);
}
