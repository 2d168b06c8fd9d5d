/* tool_run.h: runs the program `quartic` in a test and keeps what it printed. */
#ifndef QUARTIC_TESTS_TOOL_RUN_H
#define QUARTIC_TESTS_TOOL_RUN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/wait.h>

typedef struct tool_result {
    int code;          /* exit code, or 128 + the signal that ended it */
    char out[1 << 16]; /* stdout, cut off if longer */
    char err[1 << 14]; /* stderr */
} tool_result;

/* A fresh folder for a test group, removed with all that is in it. */
static char tool_folder[] = "/tmp/quartic-tool-XXXXXX";

static int tool_make_test_folder(void **state) {
    (void)state;
    return mkdtemp(tool_folder) == NULL ? -1 : 0;
}

static int tool_remove_test_folder(void **state) {
    (void)state;
    char line[64];
    snprintf(line, sizeof line, "rm -rf '%s'", tool_folder);
    return system(line);
}

static void tool_read_file(const char *path, char *buffer, size_t bytes) {
    FILE *stream = fopen(path, "rb");
    size_t count = stream == NULL ? 0 : fread(buffer, 1, bytes - 1, stream);
    buffer[count] = 0;
    if (stream != NULL) fclose(stream);
}

/* Runs a shell command in the test folder; $Q is the program, $S the source tree. */
static const tool_result *tool_run(const char *command) {
    static tool_result result;
    char line[8192], out[512], err[512];
    snprintf(out, sizeof out, "%s/.out", tool_folder);
    snprintf(err, sizeof err, "%s/.err", tool_folder);
    snprintf(line, sizeof line, "export Q='%s' S='%s'; cd '%s' && { %s ; } >.out 2>.err </dev/null",
             QUARTIC_TOOL, QUARTIC_TEST_SOURCE, tool_folder, command);
    int status = system(line);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    tool_read_file(out, result.out, sizeof result.out);
    tool_read_file(err, result.err, sizeof result.err);
    remove(out);
    remove(err);
    return &result;
}

/* Fails the test unless the command ends with this code and prints this on the stream that the code calls
 * for: stdout for 0, stderr else. */
static void tool_expect(const char *command, int code, const char *text) {
    const tool_result *got = tool_run(command);
    const char *where = code == 0 ? got->out : got->err;
    if (got->code != code || strstr(where, text) == NULL)
        fail_msg("%s\nexpected code %d and <%s>, got code %d\nstdout: %s\nstderr: %s", command, code, text,
                 got->code, got->out, got->err);
}

#endif
