/* tool_resume_test.c: no lost work in `quartic train`: what --resume keeps, tells and refuses, runs that
 * diverge, one run to a folder, and the files of a run as links, with permissions and beside others. */
#include "expect.h"

#include "quartic/model.h"
#include "tool_run.h"

#define TRAIN "$Q train $S/data/tales.txt --device cpu "
#define SMALL "--config tiny.json --batch 2 --length 16 "

static int tool_resume_make_folder(void **state) {
    if (tool_make_test_folder(state) != 0) return -1;
    return tool_run("echo '{\"dim\": 16, \"depth\": 1, \"dim_edges\": 8, \"heads\": 2, \"dim_head\": 8, "
                    "\"linear_heads\": 2, \"linear_dim_head\": 4, \"max_seq_len\": 32, "
                    "\"num_residual_streams\": 2}' > tiny.json; " TRAIN SMALL
                    "--out begun --steps 4 --total-steps 50 --learning-rate 0.01 --seed 3 --warmup-steps 2 "
                    "--weight-decay 0.1 --final-learning-rate 0.001 --clip 0.5 --beta1 0.8 --beta2 0.99 "
                    "--eps 1e-6")
        ->code;
}

/* Expects a command to go wrong (1 or 2) with this on stderr, and the checkpoint of begun not to be touched.
 */
static void expect_kept(const char *options, int code, const char *text) {
    char command[1024];
    snprintf(command, sizeof command, "cp begun/checkpoint.safetensors before; " TRAIN "--out begun %s",
             options);
    tool_expect(command, code, text);
    tool_expect("cmp begun/checkpoint.safetensors before && ls -A begun", 0,
                "checkpoint.safetensors\nmetrics.csv\n");
}

static void a_resumed_run_keeps_every_setting(void **state) {
    (void)state;
    /* With nothing but a later end, the two halves are the whole, rates and all. */
    tool_expect(TRAIN SMALL
                "--out whole --steps 9 --total-steps 50 --learning-rate 0.01 --seed 3 --warmup-steps 2 "
                "--weight-decay 0.1 --final-learning-rate 0.001 --clip 0.5 --beta1 0.8 --beta2 0.99 --eps "
                "1e-6 > log; cp -r begun half; " TRAIN
                "--out half --resume --steps 9 && cut -d, -f1-4 half/metrics.csv > 1 && cut -d, -f1-4 "
                "whole/metrics.csv | cmp - 1 && cmp half/checkpoint.safetensors whole/checkpoint.safetensors "
                "&& echo same",
                0, "same");
    /* The same if the same is said anew; nothing is told then. */
    tool_expect("cp -r begun again; " TRAIN
                "--out again --resume --steps 9 --total-steps 50 --batch 2 --eps 1e-6 2> told && cmp "
                "again/checkpoint.safetensors whole/checkpoint.safetensors && wc -c < told",
                0, "\n0\n");
}

static void what_is_given_anew_is_told(void **state) {
    (void)state;
    tool_expect("cp -r begun anew; " TRAIN
                "--out anew --resume --steps 6 --learning-rate 0.002 --total-steps 60 2> told && cat told",
                0, "quartic train: note: learning_rate is 0.002 from step 5 on; it was 0.01\n");
    tool_expect("cat told", 0, "quartic train: note: total_steps is 60 from step 5 on; it was 50\n");
    tool_expect("sed -n 6p anew/metrics.csv | cut -d, -f4", 0, "0.0019");
    tool_expect(TRAIN "--out anew --resume --steps 7 --constant-rate --device reference 2>&1", 0,
                "note: total_steps is 0 from step 7 on; it was 60");
    /* The device is a setting, too. */
    tool_expect("$Q train $S/data/tales.txt --out anew --resume --steps 8", 0, " parameters on reference, ");
    tool_expect(TRAIN "--out anew --resume --steps 9 2>&1", 0, "the device is \"cpu\"; it was \"reference\"");
    /* So is whether measured choices count. */
    static const char fixed[] = "grep -a -o 'fixed.\":true' choices/checkpoint.safetensors";
    tool_expect(TRAIN SMALL "--out choices --steps 1 --fixed", 0, "finished at step 1");
    tool_expect(fixed, 0, "fixed");
    tool_expect(TRAIN "--out choices --resume --steps 2", 0, "finished at step 2");
    tool_expect(fixed, 0, "fixed");
    /* Steps beyond the schedule's end keep its last rate; that is said. */
    tool_expect("cp -r begun late; " TRAIN "--out late --resume --steps 52 2> told && cat told", 0,
                "warning: the schedule ends at step 50, so steps 51 to 52 have the learning rate 0.001");
    tool_expect("tail -n 1 late/metrics.csv | cut -d, -f1,4", 0, "52,0.00100000005\n");
}

static void what_contradicts_the_run_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *options;
        int code;
        const char *text;
    } cases[] = {
        {"--resume --steps 9 --batch 3", 1, "was trained with batch 2, this trainer has 3"},
        {"--resume --steps 9 --length 8", 1, "was trained with length 16, this trainer has 8"},
        {"--resume --steps 9 --accumulation 2", 1, "was trained with accumulation 1, this trainer has 2"},
        {"--resume --steps 9 --seed 4", 1, "was trained with seed 3, this trainer has 4"},
        {"--resume --steps 9 --config nosuch.json", 1, "cannot open \"nosuch.json\""},
        {"--resume --steps 9 --config other.json", 1,
         "\"edge_attention\"[0] is \"none\" in other.json, but \"axial\" in the run's model"},
        {"--resume --steps 9 --init nosuch.safetensors", 1, "cannot open nosuch.safetensors"},
        {"--resume --steps 9 --init begun/checkpoint.safetensors", 1,
         "the run did not begin with the weights of begun/checkpoint.safetensors: the first that differs is "
         "\"token_emb.weight\""},
        /* Settings that cannot work. */
        {"--resume --steps 9 --eps 0", 2, "--eps is \"0\"; expected a number from 1e-18 to 1"},
        {"--resume --steps 9 --eps -1", 2, "--eps is \"-1\""},
        {"--resume --steps 9 --eps 1e-45", 2, "--eps is \"1e-45\""},
        {"--resume --steps 9 --learning-rate nan", 2, "--learning-rate is \"nan\""},
        {"--resume --steps 9 --learning-rate -1", 2, "--learning-rate is \"-1\""},
        {"--resume --steps 9 --learning-rate inf", 2, "--learning-rate is \"inf\""},
        {"--resume --steps 9 --beta1 1", 2, "--beta1 is \"1\""},
        {"--resume --steps 9 --beta2 -0.1", 2, "--beta2 is \"-0.1\""},
        {"--resume --steps 9 --clip -1", 2, "--clip is \"-1\""},
        {"--resume --steps 9 --weight-decay nan", 2, "--weight-decay is \"nan\""},
        {"--resume --steps 9 --warmup-steps 51", 1, "total_steps 50 ends before the warm-up of 51 steps"},
        {"--resume --steps 9 --accumulation 0", 2, "--accumulation is \"0\""},
        {"--resume --steps 9 --constant-rate --total-steps 9", 2,
         "--constant-rate contradicts --total-steps"},
    };
    tool_run("sed 's/{/{\"edge_attention\": \"none\", /' tiny.json > other.json");
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c)
        expect_kept(cases[c].options, cases[c].code, cases[c].text);
}

static void a_run_goes_on_with_its_own_config_and_init(void **state) {
    (void)state;
    tool_expect(TRAIN SMALL
                "--out warm --init begun/checkpoint.safetensors --steps 2 --total-steps 9 > log; " TRAIN
                "--out warm --resume --config tiny.json --init begun/checkpoint.safetensors "
                "--steps 3",
                0, "finished at step 3");
    tool_expect(TRAIN "--out warm --resume --init anywhere", 1, "cannot open anywhere");
}

/* The rate times the decay multiplies every weight by a million with each step: from the seventh on they are
 * no numbers, whatever the model does. */
#define WILD "--learning-rate 1000 --weight-decay 1000 --warmup-steps 0 "
#define KEPT "is kept; go on from it with --resume and a smaller --learning-rate."

static void a_run_that_diverges_keeps_its_last_good_checkpoint(void **state) {
    (void)state;
    tool_expect("cp -r begun wild; " TRAIN
                "--out wild --resume --steps 40 --total-steps 0 --save-every 50 " WILD,
                1, "Hint: the checkpoint of step 4 " KEPT);
    tool_expect("ls -A wild; $Q eval wild $S/data/tales.txt --device cpu", 0,
                "checkpoint.safetensors\nmetrics.csv\nloss ");
    tool_expect(TRAIN "--out wild --resume --steps 40 --learning-rate 0.001 --weight-decay 0.1", 0,
                "finished at step 40");
    tool_expect("awk -F, 'NR > 1 && $1 != NR - 1 { bad = 1 } END { print bad ? \"holes\" : \"whole\" }' "
                "wild/metrics.csv",
                0, "whole");
    tool_expect("grep -ci -e nan -e inf wild/metrics.csv; true", 0, "0\n");
    /* So too from the first step on; the same message keeps its promise. */
    tool_expect(TRAIN SMALL "--out wild2 --steps 200 --constant-rate " WILD, 1,
                "Hint: the checkpoint of step 0 " KEPT);
    tool_expect(TRAIN "--out wild2 --resume --steps 9 --learning-rate 1e-6", 0, "finished at step 9");
    /* With a checkpoint after every step the last one is from shortly before; it holds numbers only, or it
     * could not be loaded. */
    tool_expect(TRAIN SMALL "--out wild3 --steps 200 --constant-rate --save-every 1 " WILD, 1, KEPT);
    tool_expect("$Q inspect wild3", 0, "parameters (");
}

/* Weights from which no step is possible, though they are finite, are refused before there is any file. */
static void a_run_that_cannot_begin_leaves_no_file(void **state) {
    (void)state;
    char path[TEST_PATH_BYTES];
    quartic_device *device;
    quartic_model *model;
    quartic_model_parameter parameter;
    snprintf(path, sizeof path, "%s/begun/checkpoint.safetensors", tool_folder);
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK);
    assert_int_equal(quartic_model_open(device, path, &model), QUARTIC_OK);
    assert_int_equal(quartic_model_find_parameter(model, "to_logits.1.weight", &parameter), QUARTIC_OK);
    float *huge = malloc(parameter.elements * sizeof huge[0]);
    for (uint64_t i = 0; i < parameter.elements; ++i) huge[i] = i % 3 == 0 ? 3e38f : -3e38f;
    assert_int_equal(quartic_model_write_parameter(model, parameter.name, huge, parameter.elements),
                     QUARTIC_OK);
    snprintf(path, sizeof path, "%s/huge.safetensors", tool_folder);
    assert_int_equal(quartic_model_save(model, path), QUARTIC_OK);
    free(huge);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    tool_expect("mkdir empty; " TRAIN SMALL "--init huge.safetensors --out empty", 1,
                "Hint: nothing was saved; look at the data, the configuration and --init.");
    tool_expect("ls -A empty | wc -l", 0, "0\n");
}

static void two_runs_never_share_a_folder(void **state) {
    (void)state;
    /* A live run: its first line is printed with the lock held; it writes into a pipe, so nothing waits for a
     * clock. */
    tool_expect("mkfifo lines; " TRAIN SMALL
                "--out live --steps 100000000 --constant-rate > lines & pid=$!; exec 3< lines; read -r first "
                "<&3; " TRAIN SMALL "--out live --steps 3 2> error1; one=$?; " TRAIN
                "--out live --resume 2> error2; two=$?; kill -TERM $pid; cat <&3 > log; wait $pid; echo "
                "$one $two; cat error1 error2",
                0,
                "1 1\nquartic train: another run is at work in live\nHint: wait until it ends, or choose "
                "another folder with --out.\nquartic train: another run is at work in live\n");
    tool_expect("grep -q 'stopped after step' log && ls -A live", 0, "checkpoint.safetensors\nmetrics.csv\n");
    /* Whoever holds the lock; and with it free, the run goes on. */
    tool_expect("flock begun " TRAIN "--out begun --resume", 1, "another run is at work in begun");
    tool_expect("flock begun $Q experiment set --out begun --device cpu", 1,
                "another run is at work in begun");
    tool_expect("cp -r begun free; " TRAIN "--out free --resume --steps 5", 0, "finished at step 5");
    /* Another folder that leads to the same checkpoint. */
    tool_expect("mkdir way; ln -s ../begun/checkpoint.safetensors way; flock begun " TRAIN
                "--out way --resume",
                1, "another run is at work in ");
    tool_expect("test -e way/metrics.csv", 1, "");
    /* A killed run leaves no lock. */
    tool_expect(TRAIN SMALL "--out gone --steps 100000000 --save-every 2 > lines & pid=$!; exec 3< lines; "
                            "read -r first <&3; kill -KILL $pid; wait $pid; cat <&3 > log; " TRAIN
                            "--out gone --resume --steps 3",
                0, "step");
}

/* How often to save is kept, also by a run that had made all of its steps. */
static void saving_goes_on_as_often(void **state) {
    (void)state;
    static const char stop[] = "exec 3< lines; read -r first <&3; kill -TERM $pid; cat <&3 > log; wait $pid; "
                               "grep -a -o 'save_every.\":[0-9]*' often/checkpoint.safetensors";
    char command[1024];
    snprintf(command, sizeof command, "rm -f lines; mkfifo lines; %s--out often %s > lines & pid=$!; %s",
             TRAIN, SMALL "--steps 100000000 --save-every 7", stop);
    tool_expect(command, 0, ":7");
    snprintf(command, sizeof command, "%s--out often --resume > lines & pid=$!; %s", TRAIN, stop);
    tool_expect(command, 0, ":7");
    static const char told[] = "a checkpoint is saved every 4 steps; it was every 3";
    tool_expect(TRAIN SMALL "--out done --steps 4 --constant-rate --save-every 3", 0, "finished at step 4");
    tool_expect(TRAIN "--out done --resume --steps 6", 0, "finished at step 6");
    tool_expect("grep -a -o 'save_every.\":[0-9]*' done/checkpoint.safetensors", 0, ":3");
    tool_expect(TRAIN "--out done --resume --steps 8 --save-every 4 2>&1", 0, told);
}

/* A resumed run whose checkpoint cannot be replaced would lose all that it does: it does nothing. */
static void what_cannot_be_saved_is_not_begun(void **state) {
    (void)state;
    tool_expect(TRAIN SMALL "--out fixed --steps 2 && mv fixed/metrics.csv fixed.csv && "
                            "ln -s ../fixed.csv fixed/metrics.csv && cp fixed.csv before.csv",
                0, "finished at step 2");
    tool_expect(TOOL_FAULTS "QUARTIC_TEST_DISK=fixed QUARTIC_TEST_REFUSE=13 " TRAIN
                            "--out fixed --resume --steps 4",
                1, "fixed/checkpoint.safetensors could not be replaced by what this run does: Permission");
    tool_expect("cmp fixed.csv before.csv && ls -A fixed", 0, "checkpoint.safetensors\nmetrics.csv\n");
}

static void without_flock_a_run_goes_on(void **state) {
    (void)state;
    /* A copy: LD_PRELOAD takes no path with spaces. */
    tool_expect(
        "cp '" QUARTIC_TEST_NO_FLOCK "' no_flock.so; for reason in ENOSYS OPNOTSUPP; do "
        "QUARTIC_TEST_FLOCK=$reason "
        "LD_PRELOAD=./no_flock.so " TRAIN SMALL
        "--out none$reason --steps 4 --save-every 1 2>&1 && ls -A none$reason || exit 1; done",
        0, "noneOPNOTSUPP cannot be locked (Operation not supported), so nothing keeps a second run out");
    tool_expect("ls -A noneENOSYS noneOPNOTSUPP", 0,
                "noneENOSYS:\ncheckpoint.safetensors\nmetrics.csv\n\nnoneOPNOTSUPP:\ncheckpoint.safetensors\n"
                "metrics.csv\n");
}

static void files_of_a_run_keep_their_place_and_permissions(void **state) {
    (void)state;
    tool_expect("cp -r begun mode; mkdir -p store; chmod 600 mode/checkpoint.safetensors; chmod 640 "
                "mode/metrics.csv; mv mode/* store; ln -s ../store/checkpoint.safetensors "
                "../store/metrics.csv mode; " TRAIN "--out mode --resume --steps 6 > log; stat -c '%a %F' "
                "store/* mode/*; ls -A store mode",
                0,
                "600 regular file\n640 regular file\n777 symbolic link\n777 symbolic link\nmode:\n"
                "checkpoint.safetensors\nmetrics.csv\n\nstore:\ncheckpoint.safetensors\nmetrics.csv\n");
    tool_expect("tail -n 1 store/metrics.csv", 0, "6,");
    /* metrics on a full device: said, and the device stays. */
    tool_expect("cp -r begun dev; rm dev/metrics.csv; ln -s /dev/full dev/metrics.csv; " TRAIN
                "--out dev --resume --steps 6",
                1, "cannot write dev/metrics.csv: writing failed: No space left on device");
    tool_expect("test -c /dev/full && ls -l dev/metrics.csv", 0, "-> /dev/full");
    /* metrics into a pipe: one opening, so that its reader gets all; one who leaves ends nothing. */
    tool_expect("cp -r begun pipes; rm pipes/metrics.csv; mkfifo pipes/metrics.csv; " TRAIN
                "--out pipes --resume --steps 6",
                1, "cannot write pipes/metrics.csv: it is a pipe that nobody reads; start its reader first");
    tool_expect("cat pipes/metrics.csv > all & until " TRAIN "--out pipes --resume --steps 6 > log 2>&1; do "
                "grep -q 'nobody reads' log || exit 3; done; wait; grep -c step, all; tail -n 1 all",
                0, "1\n6,");
    tool_expect("head -n 1 pipes/metrics.csv > first & until " TRAIN
                "--out pipes --resume --steps 9 > log 2>&1; "
                "do grep -q 'nobody reads' log || exit 3; done; wait; cat first; tail -n 1 log; "
                "test -p pipes/metrics.csv && echo pipe",
                0, "step,loss");
}

static void pictures_and_reports_are_written_like_all_files(void **state) {
    (void)state;
    tool_expect(
        "echo mine > x.png.tmp; echo old > x.png; chmod 600 x.png; ln -s x.png y.png; $Q sample begun "
        "--device cpu --tokens 3 --attention y.png > log; cat x.png.tmp; stat -c '%a %F' x.png y.png; "
        "head -c 4 x.png | tail -c 3",
        0, "mine\n600 regular file\n777 symbolic link\nPNG");
    tool_expect(
        "n=$(printf 'n%.0s' $(seq 251)).png; $Q sample begun --device cpu --tokens 3 --attention $n > "
        "log; head -c 4 $n | tail -c 3; rm $n",
        0, "PNG");
    tool_expect("$Q sample begun --device cpu --tokens 3 --attention /dev/null > log; test -c /dev/null && "
                "echo device",
                0, "device");
    tool_expect("$Q sample begun --device cpu --tokens 3 --attention /dev/full", 1,
                "cannot write the picture /dev/full: writing failed: No space left on device");
    tool_expect("mkfifo pipe; $Q sample begun --device cpu --tokens 3 --attention pipe", 1,
                "it is a pipe that nobody reads");
    tool_expect("test -p pipe && echo pipe", 0, "pipe");
    tool_expect("mkdir -p report; echo old > store/r; chmod 600 store/r; ln -s ../store/r report/report.md; "
                "$Q experiment set --quick --out report --device cpu --steps 2 --evaluations 1 --graphs 64 "
                "--batch 8 --seeds 1 --only none "
                "--no-map > log 2>&1; stat -c %a store/r; head -n 1 store/r; test -L report/report.md && "
                "ls -A report | grep -c tmp",
                1, "");
    tool_expect("stat -c %a store/r; head -n 1 store/r", 0, "600\n# Results");
}

/* The same graphs or windows in micro-batches of any size, with unequal numbers of targets, are one step. */
static void micro_batches_are_the_larger_batch(void **state) {
    (void)state;
    static const char check[] =
        "for b in 8 4 2 1; do $Q train %s --batch $b --accumulation $((8 / b)) --out %s$b --device cpu "
        "--steps 3 --constant-rate --seed 4 > log || exit 1; done; paste -d, %s8/metrics.csv %s4/metrics.csv "
        "%s2/metrics.csv %s1/metrics.csv | awk -F, 'function off(a, b) { return (a - b) ^ 2 > 1e-10 * a ^ 2 "
        "} "
        "NR > 1 { for (k = 5; k < 20; k += 5) bad += off($2, $(k + 2)) || ($1 < 3 && off($3, $(k + 3))) } "
        "END "
        "{ print NR, bad ? \"differ\" : \"agree\" }'";
    char command[2048];
    snprintf(command, sizeof command, check, "$S/data/tales.txt --config tiny.json --length 16", "t", "t",
             "t", "t", "t");
    tool_expect(command, 0, "4 agree");
    snprintf(command, sizeof command, check,
             "$S/tests/data/unequal_targets.safetensors --config $S/tests/data/unequal_targets.json", "g",
             "g", "g", "g", "g");
    tool_expect(command, 0, "4 agree");
}

/* The loss that is told of the last steps is that of their targets, whatever the steps are made of, some of
 * which have no target at all. At rate 0 the model stays as it is. */
static void the_loss_of_steps_counts_targets(void **state) {
    (void)state;
    tool_expect("for b in 8 4 2 1; do $Q train $S/tests/data/unequal_targets.safetensors --config "
                "$S/tests/data/unequal_targets.json --device cpu --out mean$b --batch $b --steps "
                "$((16 / b)) --learning-rate 0 > log || exit 1; sed -n 's/^loss \\([0-9.]*\\) nats.*/\\1/p' "
                "log; done | sort | uniq -c | sed 's/^ *\\([0-9]*\\) .*/\\1 agree/'",
                0, "4 agree");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_run_keeps_every_setting),
        cmocka_unit_test(what_is_given_anew_is_told),
        cmocka_unit_test(what_contradicts_the_run_is_refused),
        cmocka_unit_test(a_run_goes_on_with_its_own_config_and_init),
        cmocka_unit_test(a_run_that_diverges_keeps_its_last_good_checkpoint),
        cmocka_unit_test(a_run_that_cannot_begin_leaves_no_file),
        cmocka_unit_test(two_runs_never_share_a_folder),
        cmocka_unit_test(saving_goes_on_as_often),
        cmocka_unit_test(what_cannot_be_saved_is_not_begun),
        cmocka_unit_test(without_flock_a_run_goes_on),
        cmocka_unit_test(files_of_a_run_keep_their_place_and_permissions),
        cmocka_unit_test(pictures_and_reports_are_written_like_all_files),
        cmocka_unit_test(micro_batches_are_the_larger_batch),
        cmocka_unit_test(the_loss_of_steps_counts_targets),
    };
    return cmocka_run_group_tests(tests, tool_resume_make_folder, tool_remove_test_folder);
}
