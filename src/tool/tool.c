/* tool.c: error messages, numbers for people, and the few services that all commands use. See tool.h. */
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 2048 };

/* The first failure, for a JSON document; and whether there is a document already. */
static struct {
    char message[MESSAGE_BYTES], hint[MESSAGE_BYTES];
    bool printed;
} outcome;

static void print_message(const command *command, const char *kind, const char *format, va_list arguments) {
    char message[MESSAGE_BYTES];
    vsnprintf(message, sizeof message, format, arguments);
    fflush(stdout); /* so that errors stand after what was printed before them */
    fprintf(stderr, "quartic %s: %s", command->name, kind);
    tool_put_text(stderr, message);
    fputc('\n', stderr);
    if (kind[0] == 0 && outcome.message[0] == 0) memcpy(outcome.message, message, sizeof message);
}

int tool_fail(const command *command, const char *hint, const char *format, ...) {
    va_list arguments;
    const bool first = outcome.message[0] == 0;
    va_start(arguments, format);
    print_message(command, "", format, arguments);
    va_end(arguments);
    if (hint == NULL) return EXIT_FAILED;
    fprintf(stderr, "Hint: %s\n", hint);
    if (first) snprintf(outcome.hint, sizeof outcome.hint, "%s", hint);
    return EXIT_FAILED;
}

const char *tool_library_message(void) {
    const char *function = quartic_error_function(), *message = quartic_error_message();
    return function[0] == 0 ? message : message + strlen(function) + 2;
}

int tool_fail_library(const command *command, const char *hint) {
    return tool_fail(command, hint, "%s", tool_library_message());
}

int tool_fail_usage(const command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const bool first = outcome.message[0] == 0;
    print_message(command, "", format, arguments);
    va_end(arguments);
    fprintf(stderr, "`quartic %s --help` lists its options.\n", command->name);
    if (first)
        snprintf(outcome.hint, sizeof outcome.hint, "`quartic %s --help` lists its options.", command->name);
    return EXIT_USAGE;
}

void tool_warn(const command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_message(command, "warning: ", format, arguments);
    va_end(arguments);
}

void tool_note(const command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_message(command, "note: ", format, arguments);
    va_end(arguments);
}

quartic_device *tool_open_device(const command *command, const char *name) {
    quartic_device *device = NULL;
    const quartic_status status = quartic_device_create(name, &device);
    if (status == QUARTIC_OK) return device;
    tool_fail_library(command,
                      status == QUARTIC_UNAVAILABLE ? "`quartic devices` lists what there is." : NULL);
    return NULL;
}

void tool_print_json(json_t *value) {
    char *text = json_dumps(value, JSON_INDENT(2));
    if (text == NULL) {
        fprintf(stderr, "quartic: the host has no memory left for the output\n");
        exit(EXIT_FAILED);
    }
    fputs(text, stdout);
    fputc('\n', stdout);
    free(text);
    json_decref(value);
    outcome.printed = true;
}

/* ---- the standard streams ---- */

void tool_hold_streams(void) {
    for (int stream = 0; stream <= 2; ++stream) {
        if (fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
        /* Opened the wrong way round: reading from and writing to it are errors, as with a closed one. The
         * lowest free number is this one. Without /dev the root folder does as well. */
        if (open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY) == -1) (void)!open("/", O_RDONLY);
    }
}

/* Whether stdout was closed when the program started, and tool_hold_streams has put something there. */
static bool was_stdout_closed(void) {
    const int mode = fcntl(STDOUT_FILENO, F_GETFL);
    return mode != -1 && (mode & O_ACCMODE) == O_RDONLY;
}

int tool_finish(const command *command, int code, bool json) {
    if (json && code != EXIT_DONE && !outcome.printed)
        tool_print_json(tool_json_object(
            "error", tool_json_text(outcome.message[0] != 0 ? outcome.message : "the command failed"), "hint",
            tool_json_text(outcome.hint[0] != 0 ? outcome.hint : NULL), NULL));
    const bool broken = ferror(stdout) != 0; /* of writes that were long ago */
    errno = 0;
    const bool lost = fflush(stdout) != 0 || broken;
    if (!lost || code != EXIT_DONE) return code;
    const char *why = was_stdout_closed() ? "standard output is closed"
                      : errno != 0        ? strerror(errno)
                                          : "an earlier write failed";
    if (command != NULL) return tool_fail(command, NULL, "the output could not be written: %s", why);
    fprintf(stderr, "quartic: the output could not be written: %s\n", why);
    return EXIT_FAILED;
}

/* number / base^k with three digits and the k-th unit. */
static const char *scaled_text(double number, double base, const char *const units[], int unit_count,
                               char *buffer) {
    int unit = 0;
    while (unit + 1 < unit_count && number >= base) {
        number /= base;
        ++unit;
    }
    int decimals = unit == 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2;
    snprintf(buffer, TOOL_NUMBER_BYTES, "%.*f%s%s", decimals, number, units[unit][0] == 0 ? "" : " ",
             units[unit]);
    return buffer;
}

const char *tool_bytes_text(double bytes, char *buffer) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    return scaled_text(bytes, 1024, units, 6, buffer);
}

const char *tool_count_text(double count, char *buffer) {
    static const char *const units[] = {"", "k", "M", "G", "T", "P"};
    return scaled_text(count, 1000, units, 6, buffer);
}

const char *tool_time_text(double seconds, char *buffer) {
    if (!(seconds >= 0 && seconds < 1e8)) return snprintf(buffer, TOOL_NUMBER_BYTES, "?"), buffer;
    unsigned long whole = (unsigned long)lround(seconds);
    if (whole >= 3600)
        snprintf(buffer, TOOL_NUMBER_BYTES, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(buffer, TOOL_NUMBER_BYTES, "%lu:%02lu", whole / 60, whole % 60);
    return buffer;
}
