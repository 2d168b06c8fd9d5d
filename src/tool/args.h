/* args.h: command lines described by tables.
 *
 * A command is one const struct. Each of its options says where in the command's settings a value goes, its
 * range and its meaning. Parsing and --help both read this table, so they cannot disagree. Settings start as
 * a copy of the command's defaults, which --help prints. Options are --name VALUE or --name=VALUE; '-' and
 * '_' are the same in names; "--" ends the options.
 */
#ifndef QUARTIC_TOOL_ARGS_H
#define QUARTIC_TOOL_ARGS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum arg_kind {
    ARG_FLAG,   /* uint32_t, set to 1; takes no value */
    ARG_TEXT,   /* const char *, NULL if not given */
    ARG_UINT32, /* whole numbers */
    ARG_UINT64,
    ARG_FLOAT
} arg_kind;

typedef struct arg_option {
    const char *name;  /* without the dashes */
    const char *value; /* the value's name in --help; NULL for a flag */
    arg_kind kind;
    size_t offset;      /* of the setting */
    double least, most; /* of a number */
    const char *meaning;
} arg_option;

typedef struct command command;

/* A parsed command line. The raw arguments allow parsing again over other defaults. */
typedef struct invocation {
    const command *command;
    const void *settings;
    const char *const *operands;
    uint32_t operand_count;
    int argument_count;
    char **arguments;
} invocation;

struct command {
    const char *name;
    const char *operands; /* their names in --help, "" if there are none */
    const char *summary;  /* one line, for the list of commands */
    const char *details;  /* more for its own --help, "" if nothing */
    const arg_option *options;
    uint32_t option_count;
    uint32_t least_operands, most_operands;
    const void *defaults;
    size_t settings_bytes;
    int (*run)(const invocation *call); /* returns the exit code */
};

typedef enum args_outcome { ARGS_OK, ARGS_HELP, ARGS_WRONG } args_outcome;

enum { ARGS_MESSAGE_BYTES = 512 };

/* Reads arguments into settings, which hold the defaults. out_operands has space for count operands. After
 * ARGS_WRONG, message says why. Texts in settings and operands point into arguments. */
args_outcome args_parse(const command *command, int count, char **arguments, void *settings,
                        const char **out_operands, uint32_t *out_operand_count,
                        char message[ARGS_MESSAGE_BYTES]);

void args_print_help(FILE *stream, const command *command);

#endif
