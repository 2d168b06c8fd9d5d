/* main.c: `quartic COMMAND …`: finds the command, parses its line by its table, runs it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "tool/tool.h"

static const command *const commands[] = {
#define COMMAND_ROW(name) &command_##name,
    TOOL_COMMAND_LIST(COMMAND_ROW)
#undef COMMAND_ROW
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_commands(FILE *stream) {
    fprintf(
        stream,
        "Usage: quartic COMMAND [arguments]\n\nTrains and runs transformers whose attention also lives on "
        "all directed edges.\n\nCommands:\n");
    for (size_t c = 0; c < COMMAND_COUNT; ++c)
        fprintf(stream, "  %-10s %s\n", commands[c]->name, commands[c]->summary);
    fprintf(stream, "\n`quartic COMMAND --help` tells more. Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
}

static const char *command_name_at(const void *context, uint32_t index) {
    (void)context;
    return index < COMMAND_COUNT ? commands[index]->name : NULL;
}

static const command *find_command(const char *name) {
    for (size_t c = 0; c < COMMAND_COUNT; ++c)
        if (strcmp(commands[c]->name, name) == 0) return commands[c];
    return NULL;
}

static int unknown_command(const char *name) {
    const char *nearest = quartic_nearest(name, command_name_at, NULL, strlen(name) / 2);
    fprintf(stderr, "quartic: there is no command \"%.60s\"", name);
    if (nearest != NULL)
        fprintf(stderr, "; did you mean %s?\n", nearest);
    else
        fprintf(stderr, "\n");
    fprintf(stderr, "`quartic --help` lists the commands.\n");
    return EXIT_USAGE;
}

/* Whether the settings, or a line that could not be read, ask for JSON. */
static bool wants_json(const command *command, const void *settings, int count, char **arguments) {
    for (uint32_t k = 0; k < command->option_count; ++k) {
        const arg_option *option = &command->options[k];
        if (option->kind != ARG_FLAG || strcmp(option->name, "json") != 0) continue;
        if (*(const uint32_t *)((const char *)settings + option->offset)) return true;
        for (int at = 0; at < count; ++at)
            if (strcmp(arguments[at], "--json") == 0) return true;
    }
    return false;
}

static int run_command(const command *command, int count, char **arguments) {
    void *settings = tool_alloc(1, command->settings_bytes);
    const char **operands = tool_alloc((size_t)count + 1, sizeof *operands);
    char message[ARGS_MESSAGE_BYTES];
    invocation call = {command, settings, operands, 0, count, arguments};
    memcpy(settings, command->defaults, command->settings_bytes);
    int code = EXIT_DONE;
    bool json = false;
    switch (args_parse(command, count, arguments, settings, operands, &call.operand_count, message)) {
    case ARGS_OK:
        json = wants_json(command, settings, 0, NULL);
        code = command->run(&call);
        break;
    case ARGS_HELP:
        args_print_help(stdout, command);
        break;
    case ARGS_WRONG:
        json = wants_json(command, settings, count, arguments);
        code = tool_fail_usage(command, "%s", message);
        break;
    }
    /* Results that never reached their reader are a failure. */
    code = tool_finish(command, code, json);
    free(operands);
    free(settings);
    return code;
}

/* OpenMP's threads burn their core while they wait for each other. Where the machine has other work to do,
 * each parallel loop then waits for the scheduler: training took 10 times as long, and more. Asleep at once,
 * they wake too late between short loops, 15% on a quiet machine; a thousand rounds cost neither much
 * (docs/performance.md). The runtime reads how to wait when it is loaded, before main, so the program starts
 * itself once again. Where it cannot, it goes on as it is. */
static void wait_briefly(char **arguments) {
    if (getenv("OMP_WAIT_POLICY") != NULL || getenv("GOMP_SPINCOUNT") != NULL) return;
    if (setenv("OMP_WAIT_POLICY", "passive", 1) == 0 && setenv("GOMP_SPINCOUNT", "1000", 1) == 0)
        execv("/proc/self/exe", arguments);
}

int main(int count, char **arguments) {
    tool_hold_streams();
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error to report, not a death */
    if (count < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    const char *first = arguments[1];
    bool wants_help = strcmp(first, "help") == 0;
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || (wants_help && count == 2)) {
        print_commands(stdout);
        return tool_finish(NULL, EXIT_DONE, false);
    }
    if (strcmp(first, "--version") == 0) {
        printf("quartic %s\n", QUARTIC_TOOL_VERSION);
        return tool_finish(NULL, EXIT_DONE, false);
    }
    const char *name = wants_help ? arguments[2] : first;
    const command *command = find_command(name);
    if (command == NULL) return unknown_command(name);
    if (!wants_help) {
        wait_briefly(arguments);
        return run_command(command, count - 2, arguments + 2);
    }
    args_print_help(stdout, command);
    return tool_finish(NULL, EXIT_DONE, false);
}
