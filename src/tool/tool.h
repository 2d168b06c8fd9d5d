/* tool.h: what the subcommands share: their list, error messages, options, numbers for people.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage. Results go to stdout, errors to stderr as
 * "quartic COMMAND: message", with a hint on the next line where there is one. With --json stdout holds one
 * JSON document, whatever happens: {"error": message, "hint": ...} where there is no result (see json.h).
 */
#ifndef QUARTIC_TOOL_TOOL_H
#define QUARTIC_TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "quartic/device.h"
#include "tool/args.h"
#include "tool/json.h"

/* Every subcommand once, in the order of `quartic --help`: X(name) for command_<name> in <name>.c. */
#define TOOL_COMMAND_LIST(X)                                                                                 \
    X(devices)                                                                                               \
    X(train)                                                                                                 \
    X(sample)                                                                                                \
    X(eval) X(verify) X(validate) X(bench) X(inspect) X(encode) X(experiment) X(pairs) X(tune) X(report)

#define TOOL_COMMAND_EXTERN(name) extern const command command_##name;
TOOL_COMMAND_LIST(TOOL_COMMAND_EXTERN)
#undef TOOL_COMMAND_EXTERN

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Prints the message (and the hint, unless NULL) and returns EXIT_FAILED. */
int tool_fail(const command *command, const char *hint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The last error message of the library, without the name of the function that failed. */
const char *tool_library_message(void);
/* tool_fail with the library's last error message. */
int tool_fail_library(const command *command, const char *hint);
/* tool_fail for a wrong command line: points to --help, returns EXIT_USAGE. */
int tool_fail_usage(const command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints a warning: something does not work, but the command goes on. */
void tool_warn(const command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints a note: all went as asked, but the user should know this. */
void tool_note(const command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The option --device, common to all commands that run something. */
#define TOOL_DEVICE_OPTION(settings)                                                                         \
    {                                                                                                        \
        "device", "NAME", ARG_TEXT, offsetof(settings, device), 0, 0,                                        \
            "where to run: auto, cpu, reference, vulkan, the index of a Vulkan device, or a name or part "   \
            "of one"                                                                                         \
    }
/* Numbers that do not depend on what `quartic tune` measured. */
#define TOOL_FIXED_OPTION(settings)                                                                          \
    {                                                                                                        \
        "fixed", NULL, ARG_FLAG, offsetof(settings, fixed), 0, 0,                                            \
            "ignore the choices that `quartic tune` measured: the numbers are those of the plans' own "      \
            "choices"                                                                                        \
    }
/* Any 64-bit number. */
#define TOOL_SEED_OPTION(settings, member, meaning)                                                          \
    { "seed", "N", ARG_UINT64, offsetof(settings, member), 0, 1.8446744073709552e19, meaning }
#define TOOL_JSON_OPTION(settings)                                                                           \
    {                                                                                                        \
        "json", NULL, ARG_FLAG, offsetof(settings, json), 0, 0,                                              \
            "print one JSON document for programs; numbers that are not finite are null"                     \
    }

/* Opens the device; on failure prints why and returns NULL. */
quartic_device *tool_open_device(const command *command, const char *name);
/* The same, with --fixed as given. */
quartic_device *tool_open_fixed_device(const command *command, const char *name, uint32_t fixed);

/* Allocates zeroed memory, freed with free. Without memory it ends the program with a message; it is used
 * only where there is nothing to save. */
void *tool_alloc(size_t count, size_t size);

/* Prints a JSON value, whose reference it takes, to stdout. */
void tool_print_json(json_t *value);

/* For each standard stream that is closed, opens /dev/null in its place, in a mode in which printing still
 * fails. Otherwise the first file opened later would get the stream's number, and printed text would end up
 * in that file. */
void tool_hold_streams(void);

/* Every path through main ends here. With json, prints a document if none was printed yet. Then flushes
 * stdout: if anything printed was lost, also because stdout was closed from the start, a code of EXIT_DONE
 * becomes EXIT_FAILED, with a message. command: NULL outside of commands. Returns the exit code. */
int tool_finish(const command *command, int code, bool json);

/* "12.3 MiB", "4.56 G", "1:02:03" into a buffer of TOOL_NUMBER_BYTES; returns the buffer. */
enum { TOOL_NUMBER_BYTES = 32 };
const char *tool_bytes_text(double bytes, char *buffer);
const char *tool_count_text(double count, char *buffer);
const char *tool_time_text(double seconds, char *buffer);

#endif
