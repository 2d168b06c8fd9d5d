/* tool_kill_test.c: kill -9 at 200 random moments of a training run: starting, stepping, saving. Each time
 * the last completed checkpoint is still there and loads, and at the end the run equals an unbroken one.
 *
 * A moment is the one right before an operation that changes the run's folder (see faults.c): what is on the
 * disk does not change in between. A run saves after every step, and writes a step's line of metrics.csv
 * before it saves; so a checkpoint may be behind the metrics by one step and no more.
 */
#include "expect.h"

#include "base/rng.h"
#include "cpu/tool_run.h"

enum { KILLS = 200, SEED = 11 };

#define CONFIG                                                                                               \
    "echo '{\"dim\": 16, \"depth\": 1, \"dim_edges\": 8, \"heads\": 2, \"dim_head\": 8, \"linear_heads\": "  \
    "2, "                                                                                                    \
    "\"linear_dim_head\": 4, \"max_seq_len\": 32, \"num_residual_streams\": 2, \"dropout\": 0.1}' > "        \
    "tiny.json"

/* Runs the program on, or from the start if there is no checkpoint yet, until it is killed. */
static void run_and_kill(uint32_t operation) {
    char command[1024];
    snprintf(command, sizeof command,
             "how='--config tiny.json --batch 2 --length 16 --steps 1000000 --constant-rate'; "
             "test -e run/checkpoint.safetensors && how='--resume --steps 1000000'; " TOOL_FAULTS
             "QUARTIC_TEST_DISK=run QUARTIC_TEST_SIGNAL=9 QUARTIC_TEST_SIGNAL_AT=%u "
             "$Q train $S/data/tales.txt --out run --device cpu --save-every 1 $how",
             operation);
    const tool_result *got = tool_run(command);
    if (got->code != 137) fail_msg("operation %u: code %d: %s %s", operation, got->code, got->err, got->out);
}

static long number_after(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at == NULL ? -1 : strtol(at + strlen(key), NULL, 10);
}

static void no_kill_costs_a_completed_checkpoint(void **state) {
    (void)state;
    assert_int_equal(tool_run(CONFIG)->code, 0);
    /* From the start to the end of the third checkpoint. */
    const tool_result *counted =
        tool_run(TOOL_FAULTS "QUARTIC_TEST_DISK=counted QUARTIC_TEST_COUNT=count $Q train $S/data/tales.txt "
                             "--out counted --device cpu --save-every 1 --config tiny.json --batch 2 "
                             "--length 16 --steps 2 > log && cat count");
    const long operations = strtol(counted->out, NULL, 10);
    assert_true(operations > 20);
    long reached = 0, loaded = 0;
    for (uint32_t round = 0; round < KILLS; ++round) {
        run_and_kill(1 + quartic_random_bits(SEED, 0, round) % (uint32_t)operations);
        if (tool_run("test -e run/checkpoint.safetensors")->code != 0) {
            assert_int_equal(reached, 0);
            continue;
        }
        long written = strtol(tool_run("tail -n 1 run/metrics.csv 2> /dev/null; true")->out, NULL, 10);
        /* A target that lies behind: the checkpoint is loaded, and nothing is done. */
        const tool_result *got =
            tool_run("$Q train $S/data/tales.txt --out run --device cpu --resume --steps 1 --json");
        long step = number_after(got->out, "\"step\": ");
        if (got->code != 0 || step < reached || step + 1 < written)
            fail_msg("kill %u of seed %d: step %ld loaded after %ld, metrics at %ld, code %d: %s", round,
                     SEED, step, reached, written, got->code, got->err);
        reached = step;
        ++loaded;
    }
    assert_true(loaded > KILLS / 2);
    assert_true(reached > KILLS / 10); /* the kills fell into work, not only into starts */
    printf("%d kills, %ld checkpoints loaded, step %ld reached\n", KILLS, loaded, reached);

    char finish[512];
    snprintf(finish, sizeof finish,
             "$Q train $S/data/tales.txt --out run --device cpu --resume --steps %ld && "
             "$Q train $S/data/tales.txt --out whole --device cpu --config tiny.json --batch 2 --length 16 "
             "--steps %ld "
             "--constant-rate --save-every 1 && cut -d, -f1-4 run/metrics.csv > 1 && cut -d, -f1-4 "
             "whole/metrics.csv | cmp "
             "- 1 && "
             "cmp run/checkpoint.safetensors whole/checkpoint.safetensors && ls -A run && echo same",
             reached + 5, reached + 5);
    tool_expect(finish, 0, "checkpoint.safetensors\nmetrics.csv\nsame");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_kill_costs_a_completed_checkpoint)};
    return cmocka_run_group_tests(tests, tool_make_test_folder, tool_remove_test_folder);
}
