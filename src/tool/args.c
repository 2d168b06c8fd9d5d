/* args.c: parsing of command lines and printing of help from one table. See args.h. */
#include "tool/args.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

enum { HELP_WIDTH = 90, HELP_INDENT = 29, LONGEST_NAME = 48 };

static char args_fold_dash(char letter) {
    return letter == '_' ? '-' : letter;
}

static bool same_name(const char *option, const char *given, size_t length) {
    for (size_t i = 0; i < length; ++i)
        if (args_fold_dash(option[i]) != args_fold_dash(given[i]) || option[i] == 0) return false;
    return option[length] == 0;
}

static const char *option_name_at(const void *context, uint32_t index) {
    const command *command = context;
    if (index > command->option_count) return NULL;
    return index < command->option_count ? command->options[index].name : "help";
}

/* ---- parsing ---- */

/* An option's name as it is typed, with dashes. */
static const char *dashed_name(const char *name, char buffer[LONGEST_NAME]) {
    size_t i = 0;
    for (; name[i] != 0 && i + 1 < LONGEST_NAME; ++i) buffer[i] = args_fold_dash(name[i]);
    buffer[i] = 0;
    return buffer;
}

static args_outcome unknown_option(const command *command, const char *given, size_t length, char *message) {
    char name[LONGEST_NAME], buffer[LONGEST_NAME];
    snprintf(name, sizeof name, "%.*s", (int)length, given);
    const char *nearest = quartic_nearest(name, option_name_at, command, strlen(name) / 2);
    if (nearest != NULL)
        snprintf(message, ARGS_MESSAGE_BYTES, "there is no option --%s; did you mean --%s?", name,
                 dashed_name(nearest, buffer));
    else
        snprintf(message, ARGS_MESSAGE_BYTES, "there is no option --%s", name);
    return ARGS_WRONG;
}

/* A whole number without sign, or a real number; all of the text must belong to it. */
static bool parse_number(const arg_option *option, const char *text, uint64_t *out_whole, double *out_real) {
    char *end;
    errno = 0;
    if (option->kind == ARG_FLOAT) {
        *out_real = strtod(text, &end);
        return end != text && *end == 0 && !isspace((unsigned char)text[0]) && isfinite(*out_real);
    }
    *out_whole = strtoull(text, &end, 10);
    *out_real = (double)*out_whole;
    return isdigit((unsigned char)text[0]) && *end == 0 && errno == 0;
}

/* A real number is compared as the float that it becomes, so that a limit is within the range as it is
 * printed. */
static bool option_in_range(const arg_option *option, double number) {
    if (option->kind != ARG_FLOAT) return number >= option->least && number <= option->most;
    return (float)number >= (float)option->least && (float)number <= (float)option->most;
}

static args_outcome store_value(const arg_option *option, const char *text, void *settings, char *message) {
    void *setting = (char *)settings + option->offset;
    if (option->kind == ARG_TEXT) {
        *(const char **)setting = text;
        return ARGS_OK;
    }
    uint64_t whole = 0;
    double real = 0;
    if (!parse_number(option, text, &whole, &real) || !option_in_range(option, real)) {
        char buffer[LONGEST_NAME];
        snprintf(message, ARGS_MESSAGE_BYTES, "--%s is \"%.60s\"; expected a %snumber from %.*g to %.*g",
                 dashed_name(option->name, buffer), text, option->kind == ARG_FLOAT ? "" : "whole ",
                 option->kind == ARG_FLOAT ? 7 : 10, option->least, option->kind == ARG_FLOAT ? 7 : 10,
                 option->most);
        return ARGS_WRONG;
    }
    if (option->kind == ARG_UINT32)
        *(uint32_t *)setting = (uint32_t)whole;
    else if (option->kind == ARG_UINT64)
        *(uint64_t *)setting = whole;
    else
        *(float *)setting = (float)real;
    return ARGS_OK;
}

/* Parses the option at arguments[*at]; *at becomes the index of its last argument. */
static args_outcome parse_option(const command *command, int count, char **arguments, int *at, void *settings,
                                 char *message) {
    const char *given = arguments[*at] + 2, *equals = strchr(given, '=');
    size_t length = equals == NULL ? strlen(given) : (size_t)(equals - given);
    if (same_name("help", given, length)) return ARGS_HELP;
    const arg_option *option = NULL;
    for (uint32_t k = 0; k < command->option_count && option == NULL; ++k)
        if (same_name(command->options[k].name, given, length)) option = &command->options[k];
    if (option == NULL) return unknown_option(command, given, length, message);
    char buffer[LONGEST_NAME];
    if (option->kind == ARG_FLAG) {
        *(uint32_t *)((char *)settings + option->offset) = 1;
        if (equals == NULL) return ARGS_OK;
        snprintf(message, ARGS_MESSAGE_BYTES, "--%s takes no value", dashed_name(option->name, buffer));
        return ARGS_WRONG;
    }
    if (equals != NULL) return store_value(option, equals + 1, settings, message);
    if (*at + 1 >= count || strncmp(arguments[*at + 1], "--", 2) == 0) {
        snprintf(message, ARGS_MESSAGE_BYTES, "--%s needs a value: --%s %s",
                 dashed_name(option->name, buffer), buffer, option->value);
        return ARGS_WRONG;
    }
    *at += 1;
    return store_value(option, arguments[*at], settings, message);
}

args_outcome args_parse(const command *command, int count, char **arguments, void *settings,
                        const char **out_operands, uint32_t *out_operand_count,
                        char message[ARGS_MESSAGE_BYTES]) {
    uint32_t operands = 0;
    bool options_ended = false;
    for (int at = 0; at < count; ++at) {
        const char *argument = arguments[at];
        if (!options_ended && strcmp(argument, "--") == 0) {
            options_ended = true;
        } else if (!options_ended && strcmp(argument, "-h") == 0) {
            return ARGS_HELP;
        } else if (!options_ended && strncmp(argument, "--", 2) == 0) {
            args_outcome outcome = parse_option(command, count, arguments, &at, settings, message);
            if (outcome != ARGS_OK) return outcome;
        } else if (!options_ended && argument[0] == '-' && argument[1] != 0) {
            snprintf(message, ARGS_MESSAGE_BYTES, "there is no option %.60s; options begin with two dashes",
                     argument);
            return ARGS_WRONG;
        } else {
            out_operands[operands++] = argument;
        }
    }
    *out_operand_count = operands;
    if (operands >= command->least_operands && operands <= command->most_operands) return ARGS_OK;
    if (operands < command->least_operands)
        snprintf(message, ARGS_MESSAGE_BYTES, "something is missing: quartic %s %s", command->name,
                 command->operands);
    else
        snprintf(message, ARGS_MESSAGE_BYTES, "\"%.60s\" is one argument too many",
                 out_operands[command->most_operands]);
    return ARGS_WRONG;
}

/* ---- help ---- */

/* Prints text from the given column on, wrapped at spaces to lines that start at indent. */
static void print_wrapped(FILE *stream, const char *text, size_t column, size_t indent) {
    for (bool first = true; *text != 0; first = false) {
        size_t word = strcspn(text, " "), space = first ? 0 : 1;
        if (column + space + word > HELP_WIDTH && column > indent) {
            fprintf(stream, "\n%*s", (int)indent, "");
            column = indent;
        } else if (space > 0) {
            fputc(' ', stream);
            ++column;
        }
        fwrite(text, 1, word, stream);
        column += word;
        text += word;
        while (*text == ' ') ++text;
    }
    fputc('\n', stream);
}

/* Appends the default to an option's meaning; a number outside its own range stands for none. */
static void describe_option(const command *command, const arg_option *option, char *text, size_t bytes) {
    const void *setting = (const char *)command->defaults + option->offset;
    double number = option->kind == ARG_UINT32   ? (double)*(const uint32_t *)setting
                    : option->kind == ARG_UINT64 ? (double)*(const uint64_t *)setting
                    : option->kind == ARG_FLOAT  ? (double)*(const float *)setting
                                                 : option->least;
    if (number < option->least || number > option->most) {
        snprintf(text, bytes, "%s", option->meaning);
        return;
    }
    switch (option->kind) {
    case ARG_FLAG:
        snprintf(text, bytes, "%s", option->meaning);
        break;
    case ARG_TEXT:
        if (*(const char *const *)setting == NULL)
            snprintf(text, bytes, "%s", option->meaning);
        else
            snprintf(text, bytes, "%s (default %s)", option->meaning, *(const char *const *)setting);
        break;
    case ARG_UINT32:
        snprintf(text, bytes, "%s (default %u)", option->meaning, *(const uint32_t *)setting);
        break;
    case ARG_UINT64:
        snprintf(text, bytes, "%s (default %llu)", option->meaning,
                 (unsigned long long)*(const uint64_t *)setting);
        break;
    case ARG_FLOAT:
        snprintf(text, bytes, "%s (default %g)", option->meaning, (double)*(const float *)setting);
        break;
    }
}

void args_print_help(FILE *stream, const command *command) {
    fprintf(stream, "Usage: quartic %s%s%s [options]\n\n", command->name,
            command->operands[0] == 0 ? "" : " ", command->operands);
    fputc(toupper((unsigned char)command->summary[0]), stream);
    fprintf(stream, "%s.\n", command->summary + 1);
    if (command->details[0] != 0) {
        fputc('\n', stream);
        print_wrapped(stream, command->details, 0, 0);
    }
    fprintf(stream, "\nOptions:\n");
    for (uint32_t k = 0; k < command->option_count; ++k) {
        const arg_option *option = &command->options[k];
        char name[LONGEST_NAME], text[1024];
        int used = fprintf(stream, "  --%s%s%s  ", dashed_name(option->name, name),
                           option->value == NULL ? "" : " ", option->value == NULL ? "" : option->value);
        size_t column = used < 0 ? 0 : (size_t)used;
        if (column < HELP_INDENT) fprintf(stream, "%*s", (int)(HELP_INDENT - column), "");
        describe_option(command, option, text, sizeof text);
        print_wrapped(stream, text, column < HELP_INDENT ? HELP_INDENT : column, HELP_INDENT);
    }
    fprintf(stream, "  %-*sprint this text\n", HELP_INDENT - 2, "--help");
}
