/* tool_train_test.c: `quartic train`, `sample`, `eval` and `inspect` from the outside: a run and its files,
 * bits that repeat after --resume, Ctrl-C and kill -9, and every kind of bad input as a message with nothing
 * lost. */
#include "expect.h"

#include <jansson.h>

#include "tool_run.h"

/* A model so small that a step takes a millisecond; dropout, so that its seeds must resume too. */
#define TINY                                                                                                 \
    "echo '{\"dim\": 16, \"depth\": 1, \"dim_edges\": 8, \"heads\": 2, \"dim_head\": 8, \"linear_heads\": "  \
    "2, "                                                                                                    \
    "\"linear_dim_head\": 4, \"max_seq_len\": 32, \"num_residual_streams\": 2, \"dropout\": 0.1}' > "        \
    "tiny.json; "
#define TRAIN "$Q train $S/data/tales.txt --device cpu "
#define SMALL "--config tiny.json --batch 2 --length 16 "

static void a_run_writes_its_checkpoint_and_metrics(void **state) {
    (void)state;
    tool_expect(TINY TRAIN SMALL "--out new/folder --steps 30 --learning-rate 0.01", 0,
                "unigram entropy 3.000 nats per byte");
    tool_expect("ls -A new/folder | tr '\\n' ' '", 0, "checkpoint.safetensors metrics.csv ");
    tool_expect("wc -l < new/folder/metrics.csv", 0, "31");
    tool_expect("head -1 new/folder/metrics.csv", 0,
                "step,loss,gradient_norm,learning_rate,tokens_per_second\n");
    /* It learns: from the loss of guessing among 256 bytes towards the frequencies of the text's. */
    tool_expect(
        "awk -F, '$1 == 1 { first = $2 } $1 == 30 { print (first > 5.4 && $2 < 4.5) ? \"learnt\" : $0 }' "
        "new/folder/metrics.csv",
        0, "learnt");
    tool_expect("$Q inspect new/folder", 0, "parameters (");
    tool_expect("$Q inspect new/folder --tensors", 0, "(256, 16)            token_emb.weight");
}

static void a_resumed_run_repeats_the_unbroken_one_bit_for_bit(void **state) {
    (void)state;
    tool_expect(TINY TRAIN SMALL "--out whole --steps 400 --save-every 30 --seed 5", 0,
                "finished at step 400");
    /* Killed twice in the middle, each time some steps after its last checkpoint: each step writes its line
     * of metrics. */
    tool_expect("broken() { at=$1; shift; " TOOL_FAULTS
                "QUARTIC_TEST_DISK=broken QUARTIC_TEST_FILE=metrics QUARTIC_TEST_SIGNAL=9 "
                "QUARTIC_TEST_SIGNAL_AT=$at " TRAIN
                "--out broken --save-every 30 \"$@\" > log; test $? = 137; }; "
                "broken 80 --config tiny.json --batch 2 --length 16 --steps 400 --seed 5 && "
                "test $(wc -l < broken/metrics.csv) -gt 62 && "
                "broken 110 --resume && lines=$(wc -l < broken/metrics.csv) && "
                "test $lines -gt 152 && test $lines -lt 400 && echo unfinished",
                0, "unfinished");
    tool_expect(TRAIN "--out broken --resume", 0,
                "finished at step 400, saved in broken/checkpoint.safetensors");
    tool_expect(
        "cmp whole/checkpoint.safetensors broken/checkpoint.safetensors && "
        "cut -d, -f1-4 whole/metrics.csv > 1 && cut -d, -f1-4 broken/metrics.csv | cmp - 1 && echo same",
        0, "same");
    tool_expect(TRAIN "--out broken --resume", 0, "all 400 steps are done already");
    tool_expect(TRAIN "--out broken --resume --steps 402", 0, "finished at step 402");
}

static void interruption_saves_first(void **state) {
    (void)state;
    tool_expect(TINY TOOL_FAULTS "QUARTIC_TEST_DISK=stopped QUARTIC_TEST_FILE=metrics QUARTIC_TEST_SIGNAL=2 "
                                 "QUARTIC_TEST_SIGNAL_AT=60 " TRAIN SMALL
                                 "--out stopped --steps 100000 --save-every 100000 --seed 3 > log; cat log",
                0, "stopped after step ");
    tool_expect("tail -1 stopped/metrics.csv | cut -d, -f1 > 1; "
                "sed -n 's/^stopped after step \\([0-9]*\\),.*/\\1/p' log | cmp - 1 && echo same",
                0, "same");
    /* The settings come from the checkpoint, and the run goes on as if nothing had happened. */
    tool_expect("n=$(($(cat 1) + 7)); " TRAIN "--out stopped --resume --steps $n > log; " TRAIN SMALL
                "--out unbroken --steps $n --seed 3 --total-steps 100000 > log; "
                "cut -d, -f1-2 unbroken/metrics.csv | head -$(($(cat 1) + 1)) > 2; "
                "cut -d, -f1-2 stopped/metrics.csv | head -$(($(cat 1) + 1)) | cmp - 2 && echo same",
                0, "same");
}

static void training_ends_at_the_loss_asked_for(void **state) {
    (void)state;
    tool_expect(TINY TRAIN SMALL "--out goal --steps 4000 --learning-rate 0.01 --until-loss 3.9", 0,
                "\nthe loss is below 3.9\nstopped after step ");
    /* The mean of the last 20 is below, and was not one step before. */
    tool_expect(
        "awk -F, 'NR > 1 { loss[NR] = $2 } END { for (k = NR - 19; k <= NR; ++k) sum += loss[k]; "
        "print (NR > 21 && sum / 20 < 3.9 && (sum - loss[NR] + loss[NR - 20]) / 20 >= 3.9) ? \"at once\" : "
        "sum / 20 }' goal/metrics.csv",
        0, "at once");
    tool_expect(TRAIN SMALL "--out high --steps 22 --until-loss 0.5", 0,
                "\nthe loss is not yet below 0.5\nfinished at step 22");
    tool_expect(TRAIN SMALL "--out low --steps 22 --until-loss 7 --json", 0, "\"reached_loss\": true");
    tool_expect(TRAIN SMALL "--out lower --steps 19 --until-loss 7 --json", 0, "\"reached_loss\": false");
    tool_expect(TRAIN SMALL "--out any --steps 1 --json", 0, "\"reached_loss\": null");
}

static void kills_at_any_moment_leave_a_checkpoint_that_loads(void **state) {
    (void)state;
    /* Right before some fifty of the operations that change the run's folder, from the first to the last. */
    tool_expect(
        TINY
        "faulty() { rm -rf killed; code=0; env LD_PRELOAD=./faults.so QUARTIC_TEST_DISK=killed \"$@\" " TRAIN
            SMALL "--out killed --steps 2 --save-every 1 > log 2>&1 || code=$?; }; "
        "faulty QUARTIC_TEST_COUNT=count; test $code = 0 && all=$(cat count) && k=1 && moments=0 && "
        "while test $k -le $all; do faulty QUARTIC_TEST_SIGNAL=9 QUARTIC_TEST_SIGNAL_AT=$k; "
        "test $code = 137 || exit 1; moments=$((moments + 1)); "
        "if test -e killed/checkpoint.safetensors; then $Q inspect killed > /dev/null || exit 1; fi; "
        "k=$((k + 1 + all / 50)); done; test $moments -gt 15 && echo $moments moments",
        0, " moments");
    /* The same run killed again and again, a little later each time, until it is done. */
    tool_expect(
        "rm -rf killed; at=0; k=0; while k=$((k + 1)); test $k -lt 60; do "
        "how='--config tiny.json --batch 2 --length 16 --steps 9'; "
        "test -e killed/checkpoint.safetensors && how=--resume; at=$((at + 50 + k)); code=0; " TOOL_FAULTS
        "QUARTIC_TEST_DISK=killed QUARTIC_TEST_SIGNAL=9 QUARTIC_TEST_SIGNAL_AT=$at " TRAIN
        "$how --out killed --save-every 1 > log 2>&1 || code=$?; test $code = 137 || break; "
        "if test -e killed/checkpoint.safetensors; then $Q inspect killed > /dev/null || exit 1; fi; done; "
        "test $code = 0 && test $k -gt 5 && $Q eval killed tiny.json --device cpu",
        0, "nats per byte");
    tool_expect("awk -F, 'NR > 1 && $1 != NR - 1 { bad = 1 } END { print NR, bad ? \"holes\" : \"whole\" }' "
                "killed/metrics.csv; ls -A killed",
                0, "10 whole\ncheckpoint.safetensors\nmetrics.csv\n");
}

static void a_model_samples_the_same_text_from_the_same_seed(void **state) {
    (void)state;
    tool_expect(TINY TRAIN SMALL "--out voice --steps 3", 0, "finished");
    tool_expect("$Q sample voice --device cpu --tokens 40 --seed 9 --prompt 'Once ' > 1; "
                "$Q sample voice --device cpu --tokens 40 --seed 9 --prompt 'Once ' | cmp - 1 && wc -c < 1; "
                "head -c 5 1",
                0, "46\nOnce ");
    tool_expect(
        "$Q sample voice --device cpu --tokens 40 --seed 8 --prompt 'Once ' | cmp -s - 1 || echo other", 0,
        "other");
    tool_expect("$Q sample voice --device cpu --tokens 9 --temperature 0 > 1; "
                "$Q sample voice/checkpoint.safetensors --device cpu --tokens 9 --top-k 1 --seed 2 | cmp - 1 "
                "&& echo same",
                0, "same");
    const tool_result *got =
        tool_run("$Q sample voice --device cpu --tokens 12 --prompt ab --json --top-k 3");
    json_t *report = json_loads(got->out, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(report, "tokens")), 14);
    json_decref(report);
    tool_expect(
        "$Q sample voice --device cpu --tokens 20 --attention picture.png > 1 && head -c 8 picture.png | "
        "od -An -tx1",
        0, "89 50 4e 47 0d 0a 1a 0a");
    tool_expect("$Q sample voice --device cpu --attention /nowhere/p.png", 1,
                "cannot write the picture /nowhere/p.png");
    tool_expect("$Q sample voice --device cpu --context 33", 1,
                "the model takes at most 32 tokens (max_seq_len)");
    tool_expect("$Q sample voice --device cpu --prompt ''", 2, "the prompt is empty");
}

static void eval_counts_every_byte_once(void **state) {
    (void)state;
    tool_expect(TINY TRAIN SMALL "--out judge --steps 1", 0, "finished");
    tool_expect("head -c 101 $S/data/tales.txt > piece; $Q eval judge piece --device cpu", 0,
                "over 100 bytes");
    /* Windows of any batch are the same windows; one byte leaves nothing to predict. */
    const tool_result *got = tool_run("$Q eval judge piece --device cpu --batch 1 --json");
    json_t *one = json_loads(got->out, 0, NULL);
    got = tool_run("$Q eval judge piece --device reference --batch 5 --json");
    json_t *five = json_loads(got->out, 0, NULL);
    double first = json_real_value(json_object_get(one, "loss")),
           second = json_real_value(json_object_get(five, "loss"));
    assert_true(first > 5 && first < 6.5);
    assert_true(second - first < 1e-5 && first - second < 1e-5);
    json_decref(one);
    json_decref(five);
    tool_expect("printf x > piece; $Q eval judge piece --device cpu", 1, "piece has 1 bytes");
    tool_expect(": > piece; $Q eval judge piece --device cpu", 1, "piece is empty");
}

static void bad_input_is_a_message(void **state) {
    (void)state;
    static const struct {
        const char *command;
        int code;
        const char *text;
    } cases[] = {
        {TRAIN SMALL, 2, "--out FOLDER is missing"},
        {TRAIN "--out x", 2, "--config FILE is missing"},
        {"$Q train --out x --config tiny.json", 2, "something is missing: quartic train DATA"},
        {"$Q train nothing.txt " SMALL "--out x", 1, "cannot open nothing.txt: No such file or directory"},
        {": > empty; $Q train empty " SMALL "--out x", 1, "empty is empty"},
        {"printf 0123456789abcdef > short; $Q train short " SMALL "--out x", 1,
         "short has 16 bytes, but one window takes 17"},
        {TRAIN "--config none.json --out x", 1, "none.json"},
        {"echo '{\"dim\": 16, \"depht\": 1}' > bad.json; " TRAIN "--config bad.json --out x", 1, "depth"},
        {"echo '{\"dim\": 16,' > bad.json; " TRAIN "--config bad.json --out x", 1, "quartic train: "},
        {"echo '{\"dim\": \"x\", \"depth\": 1}' > bad.json; " TRAIN "--config bad.json --out x", 1, "dim"},
        {"echo '{\"depth\": 1}' > bad.json; " TRAIN "--config bad.json --out x", 1, "dim"},
        {"echo '{\"dim\": 8, \"depth\": 1, \"num_tokens\": 100}' > bad.json; " TRAIN
         "--config bad.json --out x",
         1, "the model knows the tokens 0 to 99 only"},
        {TRAIN SMALL "--out x --length 33", 1, "33"},
        {TRAIN SMALL "--out x --device nosuch", 1, "Hint: `quartic devices` lists what there is."},
        {TRAIN SMALL "--out tiny.json/x", 1, "tiny.json/x"},
        {TRAIN SMALL "--out tiny.json", 1, "cannot use tiny.json as a folder: it is a file"},
        {TRAIN SMALL "--out /dev/null/x", 1, "cannot make the folder /dev/null/x"},
        {TRAIN SMALL "--out fresh --resume", 1, "there is no checkpoint to resume"},
        {TRAIN SMALL "--out x --init tiny.json", 1, "tiny.json"},
        {TRAIN SMALL "--out x --steps 0", 2, "--steps is \"0\""},
        {TRAIN SMALL "--out x --learning-rat 1", 2, "did you mean --learning-rate?"},
        {"$Q sample nothing", 1, "nothing"},
        {"$Q sample tiny.json --device cpu", 1, "quartic sample: "},
        {"$Q inspect", 2, "a FILE is missing"},
        {"$Q inspect nothing", 1, "nothing"},
        {"head -c 100 $S/data/tales.txt > x.safetensors; $Q inspect x.safetensors", 1, "x.safetensors"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c) {
        char command[1024];
        snprintf(command, sizeof command, "%s%s", c == 0 ? TINY : "", cases[c].command);
        tool_expect(command, cases[c].code, cases[c].text);
    }
}

static void a_run_is_never_overwritten_or_mixed_up(void **state) {
    (void)state;
    tool_expect(TINY TRAIN SMALL "--out kept --steps 2", 0, "finished");
    tool_expect("cp kept/checkpoint.safetensors 1; " TRAIN SMALL "--out kept --steps 2", 1,
                "kept holds a checkpoint already, which a new run would replace\nHint: add --resume");
    tool_expect("$Q train tiny.json --out kept --resume --device cpu", 1,
                "is not the data that this run began with");
    tool_expect(TRAIN "--out kept --resume --steps 4 --batch 3", 1, "batch");
    tool_expect("cmp kept/checkpoint.safetensors 1 && echo same", 0, "same");
    tool_expect("head -c 5000 1 > kept/checkpoint.safetensors; " TRAIN "--out kept --resume", 1, "cut off");
    tool_expect("mkdir other; " TRAIN SMALL "--out other --steps 2 --init 1", 0, "finished");
}

static void a_full_disk_costs_no_checkpoint(void **state) {
    (void)state;
    /* A limit on file sizes stands in for the full disk: too small for a checkpoint, enough for the metrics.
     */
    tool_expect(TINY TRAIN SMALL "--out full --steps 2 > log; cp full/checkpoint.safetensors 1; "
                                 "ulimit -f 20; " TRAIN "--out full --resume --steps 4 --save-every 1 > log",
                1, "writing failed: File too large");
    tool_expect("cmp full/checkpoint.safetensors 1 && ls -A full", 0,
                "checkpoint.safetensors\nmetrics.csv\n");
    tool_expect(TRAIN "--out full --resume --steps 4", 0, "finished at step 4");
    tool_expect("ulimit -f 20; " TRAIN SMALL "--out full2 --steps 2", 1, "writing failed: File too large");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they take terabytes of it */
#define HAS_LIMITS
/* From too little for the loader to enough for all: done, or a message and code 1 (127 where the program
 * cannot even be loaded). */
static void little_address_space_is_a_message(void **state) {
    (void)state;
    tool_expect(TINY "export OMP_NUM_THREADS=4; seen=; for k in $(seq 6 40); do "
                     "code=0; (ulimit -v $((k * k * 250)); exec " TRAIN SMALL
                     "--out little$k --steps 2 > log 2> errors) || code=$?; "
                     "case $code in 0 | 127) ;; 1) test -s errors ;; *) false ;; esac || "
                     "{ echo $k: $code; cat errors; exit 1; } >&2; "
                     "grep -q 'threads that OpenMP computes with can be made' errors && seen=threads; "
                     "done; test $code = 0 && test \"$seen\" && echo $seen",
                0, "threads");
}
#endif

static void a_terminal_gets_a_bar_and_json_is_json(void **state) {
    (void)state;
    tool_expect(TINY TOOL_FAULTS "QUARTIC_TEST_TERMINAL=1 " TRAIN SMALL "--out bar --steps 9", 0,
                "[########################] 9/9  loss ");
    const tool_result *got = tool_run(TINY TRAIN SMALL "--out numbers --steps 3 --json");
    json_t *report = json_loads(got->out, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(report, "step")), 3);
    assert_true(json_is_true(json_object_get(report, "finished")));
    assert_true(json_real_value(json_object_get(report, "loss")) > 4);
    json_decref(report);
    got = tool_run("$Q inspect tiny.json --length 16 --json");
    report = json_loads(got->out, 0, NULL);
    assert_true(json_integer_value(json_object_get(report, "parameters")) > 1000);
    assert_true(json_real_value(json_object_get(json_object_get(report, "forward"), "flops")) > 1000);
    assert_int_equal(json_integer_value(json_object_get(report, "length")), 16);
    const json_t *forms = json_object_get(report, "forms");
    assert_int_equal(json_array_size(forms), 9);
    double axial = 0, none = 0;
    for (size_t k = 0; k < 9; ++k) {
        const json_t *row = json_array_get(forms, k), *costs = json_object_get(row, "training");
        const char *form = json_string_value(json_object_get(row, "form"));
        assert_true(json_real_value(json_object_get(costs, "traffic_bytes")) > 1000);
        if (strcmp(form, "axial") == 0) axial = json_real_value(json_object_get(row, "parameters"));
        if (strcmp(form, "none") == 0) none = json_real_value(json_object_get(row, "parameters"));
    }
    assert_true(axial > none && none > 0); /* in weights: the edges of a last layer have no effect */
    json_decref(report);
    tool_expect("$Q inspect --keys", 0, "linear_dim_head        ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_writes_its_checkpoint_and_metrics),
        cmocka_unit_test(a_resumed_run_repeats_the_unbroken_one_bit_for_bit),
        cmocka_unit_test(interruption_saves_first),
        cmocka_unit_test(training_ends_at_the_loss_asked_for),
        cmocka_unit_test(kills_at_any_moment_leave_a_checkpoint_that_loads),
        cmocka_unit_test(a_model_samples_the_same_text_from_the_same_seed),
        cmocka_unit_test(eval_counts_every_byte_once),
        cmocka_unit_test(bad_input_is_a_message),
        cmocka_unit_test(a_run_is_never_overwritten_or_mixed_up),
        cmocka_unit_test(a_full_disk_costs_no_checkpoint),
#ifdef HAS_LIMITS
        cmocka_unit_test(little_address_space_is_a_message),
#endif
        cmocka_unit_test(a_terminal_gets_a_bar_and_json_is_json),
    };
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
