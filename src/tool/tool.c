/* tool.c: error sentences, numbers for people, and the few services that all commands use. See tool.h. */
#include "tool/tool.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void print_sentence(const command *command, const char *kind, const char *format, va_list arguments) {
    fflush(stdout); /* so that errors stand after what was printed before them */
    fprintf(stderr, "quartic %s: %s", command->name, kind);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int tool_fail(const command *command, const char *hint, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_sentence(command, "", format, arguments);
    va_end(arguments);
    if (hint != NULL) fprintf(stderr, "Hint: %s\n", hint);
    return EXIT_FAILED;
}

const char *tool_sentence(void) {
    const char *function = quartic_error_function(), *sentence = quartic_error_message();
    return function[0] == 0 ? sentence : sentence + strlen(function) + 2;
}

int tool_fail_library(const command *command, const char *hint) {
    return tool_fail(command, hint, "%s", tool_sentence());
}

int tool_fail_usage(const command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_sentence(command, "", format, arguments);
    va_end(arguments);
    fprintf(stderr, "`quartic %s --help` lists its options.\n", command->name);
    return EXIT_USAGE;
}

void tool_warn(const command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_sentence(command, "warning: ", format, arguments);
    va_end(arguments);
}

void tool_note(const command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_sentence(command, "note: ", format, arguments);
    va_end(arguments);
}

quartic_device *tool_open_device(const command *command, const char *name) {
    quartic_device *device = NULL;
    if (quartic_device_create(name, &device) == QUARTIC_OK) return device;
    tool_fail_library(command, "`quartic devices` lists what there is.");
    return NULL;
}

void *tool_alloc(size_t count, size_t size) {
    void *memory = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    if (memory != NULL) return memory;
    fprintf(stderr, "quartic: the host has no memory left for %zu elements of %zu bytes\n", count, size);
    exit(EXIT_FAILED);
}

void tool_print_json(json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(value);
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

double tool_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
