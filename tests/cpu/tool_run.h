/* tool_run.h: runs the program `quartic` in a test and keeps what it printed. */
#ifndef QUARTIC_TESTS_TOOL_RUN_H
#define QUARTIC_TESTS_TOOL_RUN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"

typedef struct tool_result {
    int code;          /* exit code, or 128 + the signal that ended it */
    char out[1 << 18]; /* stdout, cut off if longer */
    char err[1 << 14]; /* stderr */
} tool_result;

/* A fresh folder for a test group, removed with all that is in it. Commands run in it and find there, under
 * names without blanks wherever the checkout lies, the program, the source tree and the library of faults. */
static char tool_folder[TEST_FOLDER_BYTES];

/* Before a program in a command: preloads faults.c, whose settings follow. */
#define TOOL_FAULTS "LD_PRELOAD=./faults.so "

static int tool_link(const char *to, const char *name) {
    char path[TEST_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", tool_folder, name);
    return symlink(to, path);
}

static int tool_make_test_folder(void **state) {
    (void)state;
    return test_folder_make("tool", tool_folder) && tool_link(QUARTIC_TOOL, ".quartic") == 0 &&
                   tool_link(QUARTIC_TEST_SOURCE, ".source") == 0 &&
                   tool_link(QUARTIC_TEST_FAULTS, "faults.so") == 0 && setenv("Q", "./.quartic", 1) == 0 &&
                   setenv("S", "./.source", 1) == 0 && setenv("TOOL_FOLDER", tool_folder, 1) == 0
               ? 0
               : -1;
}

static int tool_remove_test_folder(void **state) {
    (void)state;
    return system("rm -rf -- \"$TOOL_FOLDER\"");
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
    char line[8192], out[TEST_PATH_BYTES], err[TEST_PATH_BYTES];
    snprintf(out, sizeof out, "%s/.out", tool_folder);
    snprintf(err, sizeof err, "%s/.err", tool_folder);
    snprintf(line, sizeof line, "cd \"$TOOL_FOLDER\" && { %s ; } >.out 2>.err </dev/null", command);
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
