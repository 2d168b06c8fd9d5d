/* tool_args_test.c: command lines against a table of options: what is taken, what is refused and how. */
#include "expect.h"

#include "tool/args.h"

typedef struct settings {
    const char *device;
    const char *out;
    uint64_t seed;
    uint32_t steps;
    float learning_rate;
    uint32_t json;
} settings;

static const settings defaults = {.device = "auto", .seed = 1, .steps = 100, .learning_rate = 3e-4f};
static const arg_option options[] = {
    {"device", "NAME", ARG_TEXT, offsetof(settings, device), 0, 0, "where to run"},
    {"out", "FOLDER", ARG_TEXT, offsetof(settings, out), 0, 0, "where results go"},
    {"seed", "N", ARG_UINT64, offsetof(settings, seed), 0, 1.8446744073709552e19, "of all random numbers"},
    {"steps", "N", ARG_UINT32, offsetof(settings, steps), 1, 1000,
     "how many steps are made before the program ends, which is so long a text that it must wrap"},
    {"learning_rate", "X", ARG_FLOAT, offsetof(settings, learning_rate), 0, 10, "AdamW's"},
    {"json", NULL, ARG_FLAG, offsetof(settings, json), 0, 0, "print JSON"},
};
static const command test_command = {
    .name = "test",
    .operands = "FILE",
    .summary = "do nothing",
    .details = "",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 1,
    .most_operands = 2,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
};

static char message[ARGS_MESSAGE_BYTES];
static const char *operands[16];
static uint32_t operand_count;

/* Parses words separated by single spaces. */
static args_outcome tool_args_parse(const char *line, settings *out_settings) {
    static char copy[512];
    char *words[16];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) words[count++] = word;
    *out_settings = defaults;
    return args_parse(&test_command, count, words, out_settings, operands, &operand_count, message);
}

static void values_go_where_the_table_says(void **state) {
    (void)state;
    settings got;
    assert_int_equal(
        tool_args_parse("a.txt --steps 7 --learning-rate=0.5 --seed 18446744073709551615 --json --out x b",
                        &got),
        ARGS_OK);
    assert_int_equal(operand_count, 2);
    assert_string_equal(operands[0], "a.txt");
    assert_string_equal(operands[1], "b");
    assert_int_equal(got.steps, 7);
    assert_true(got.learning_rate == 0.5f);
    assert_true(got.seed == UINT64_MAX);
    assert_int_equal(got.json, 1);
    assert_string_equal(got.out, "x");
    assert_string_equal(got.device, "auto");

    assert_int_equal(tool_args_parse("a --learning_rate 1e-3 --steps 1 --steps 2", &got), ARGS_OK);
    assert_int_equal(got.steps, 2); /* the last one counts */
    assert_true(got.learning_rate == 1e-3f);
    assert_int_equal(tool_args_parse("-- --steps -x", &got), ARGS_OK);
    assert_int_equal(operand_count, 2);
    assert_string_equal(operands[0], "--steps");
    assert_int_equal(tool_args_parse("- --out -x", &got),
                     ARGS_OK); /* "-" is a file's name, -x may be a value */
    assert_string_equal(got.out, "-x");
    assert_int_equal(tool_args_parse("--help", &got), ARGS_HELP);
    assert_int_equal(tool_args_parse("a -h", &got), ARGS_HELP);
}

static void wrong_lines_are_refused_with_a_message(void **state) {
    (void)state;
    static const struct {
        const char *line, *want;
    } cases[] = {
        {"a --step 3", "there is no option --step; did you mean --steps?"},
        {"a --learning-rat=3", "there is no option --learning-rat; did you mean --learning-rate?"},
        {"a --zzzzzzzz", "there is no option --zzzzzzzz"},
        {"a --", NULL},
        {"a -s", "there is no option -s; options begin with two dashes"},
        {"a --steps", "--steps needs a value: --steps N"},
        {"a --out --json", "--out needs a value: --out FOLDER"},
        {"a --steps 0", "--steps is \"0\"; expected a whole number from 1 to 1000"},
        {"a --steps 1001", "--steps is \"1001\"; expected a whole number from 1 to 1000"},
        {"a --steps 3x", "--steps is \"3x\"; expected a whole number from 1 to 1000"},
        {"a --steps 1e2", "--steps is \"1e2\"; expected a whole number from 1 to 1000"},
        {"a --steps -3", "--steps is \"-3\"; expected a whole number from 1 to 1000"},
        {"a --steps=", "--steps is \"\"; expected a whole number from 1 to 1000"},
        {"a --steps 99999999999999999999",
         "--steps is \"99999999999999999999\"; expected a whole number from 1 to 1000"},
        {"a --learning-rate nan", "--learning-rate is \"nan\"; expected a number from 0 to 10"},
        {"a --learning-rate 11", "--learning-rate is \"11\"; expected a number from 0 to 10"},
        {"a --json=1", "--json takes no value"},
        {"--json", "something is missing: quartic test FILE"},
        {"a b c", "\"c\" is one argument too many"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; ++c) {
        settings got;
        args_outcome outcome = tool_args_parse(cases[c].line, &got);
        assert_int_equal(outcome, cases[c].want == NULL ? ARGS_OK : ARGS_WRONG);
        if (cases[c].want != NULL) assert_string_equal(message, cases[c].want);
    }
}

static void help_names_every_option_with_its_default(void **state) {
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    args_print_help(stream, &test_command);
    fclose(stream);
    static const char *const wanted[] = {"Usage: quartic test FILE [options]\n\nDo nothing.\n",
                                         "  --learning-rate X          AdamW's (default 0.0003)\n",
                                         "  --device NAME              where to run (default auto)\n",
                                         "  --json                     print JSON\n",
                                         "(default 100)\n",
                                         "  --help                     print this text\n"};
    for (size_t w = 0; w < sizeof wanted / sizeof wanted[0]; ++w)
        if (strstr(text, wanted[w]) == NULL) fail_msg("no <%s> in\n%s", wanted[w], text);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 90 && line[strlen(line) - 1] != ' ');
    free(text);
}

/* Limits that are no floats: what the message gives as the least and the most is taken. */
static void limits_are_within_their_range(void **state) {
    (void)state;
    typedef struct limited {
        float eps, beta;
    } limited;
    static const limited standard = {1e-8f, 0.9f};
    static const arg_option reals[] = {
        {"eps", "X", ARG_FLOAT, offsetof(limited, eps), (double)1e-18f, 1, "added"},
        {"beta", "X", ARG_FLOAT, offsetof(limited, beta), 1e-6, (double)0.9999999f, "decay"}};
    static const command with_limits = {.name = "test",
                                        .operands = "",
                                        .summary = "do nothing",
                                        .details = "",
                                        .options = reals,
                                        .option_count = 2,
                                        .defaults = &standard,
                                        .settings_bytes = sizeof standard};
    static const struct {
        const char *argument;
        args_outcome outcome;
    } cases[] = {{"--eps=1e-18", ARGS_OK},      {"--eps=1", ARGS_OK},          {"--beta=1e-6", ARGS_OK},
                 {"--beta=0.9999999", ARGS_OK}, {"--eps=9.9e-19", ARGS_WRONG}, {"--eps=1.001", ARGS_WRONG},
                 {"--beta=9e-7", ARGS_WRONG},   {"--beta=1", ARGS_WRONG},      {"--eps=1e39", ARGS_WRONG}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        char argument[32];
        char *arguments[] = {argument};
        limited got = standard;
        snprintf(argument, sizeof argument, "%s", cases[k].argument);
        assert_int_equal(args_parse(&with_limits, 1, arguments, &got, operands, &operand_count, message),
                         cases[k].outcome);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_where_the_table_says),
        cmocka_unit_test(wrong_lines_are_refused_with_a_message),
        cmocka_unit_test(help_names_every_option_with_its_default),
        cmocka_unit_test(limits_are_within_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
