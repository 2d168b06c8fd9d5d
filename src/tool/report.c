/* report.c: `quartic report FOLDER`: what scripts/gpu_report.sh measured, as report.md, report.json and plot.svg.
 *
 * FOLDER/parts has plan.tsv (group, item, command), log.tsv (group, item, status, exit code, milliseconds),
 * facts.tsv (key, value; the last line of a key counts) and for each part that was run GROUP.ITEM.json and
 * GROUP.ITEM.err. All of it may be cut off or missing: what cannot be read is said in the report. See report.h.
 */
#include "tool/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quartic/io.h"
#include "tool/files.h"

enum { REPORT_MOST_COLUMNS = 5, REPORT_MOST_MESSAGES = 2000 };

typedef struct report_settings {
    uint32_t json;
} report_settings;

static const report_settings defaults = {0};
static const arg_option options[] = {TOOL_JSON_OPTION(report_settings)};

/* ---- files ---- */

/* A whole file with a 0 behind it, which the caller frees; empty if it cannot be read. */
static char *read_report_file(const char *path) {
    FILE *stream = fopen(path, "rb");
    size_t count = 0, capacity = 1 << 12;
    char *text = tool_alloc(capacity, 1);
    while (stream != NULL) {
        const size_t got = fread(text + count, 1, capacity - 1 - count, stream);
        count += got;
        if (got == 0) break;
        if (count + 1 < capacity) continue;
        char *grown = tool_alloc(2 * capacity, 1);
        memcpy(grown, text, count);
        free(text);
        text = grown, capacity *= 2;
    }
    if (stream != NULL) fclose(stream);
    text[count] = 0;
    return text;
}

static char *read_part_file(const command *command, const char *folder, const char *name) {
    char path[TOOL_PATH_BYTES];
    return tool_join(command, folder, name, path) ? read_report_file(path) : tool_alloc(1, 1);
}

/* Cuts the next line off a text and that into columns, "" where there are fewer; false at the end. */
static bool next_report_line(char **inout_text, char *columns[REPORT_MOST_COLUMNS]) {
    char *line = *inout_text;
    if (*line == 0) return false;
    const size_t length = strcspn(line, "\n");
    *inout_text = line + length + (line[length] != 0);
    line[length] = 0;
    for (int c = 0; c < REPORT_MOST_COLUMNS; ++c) {
        columns[c] = line;
        line += strcspn(line, "\t");
        if (*line != 0) *line++ = 0;
    }
    return true;
}

/* What a part printed: one document, or a list of the lines that are documents; NULL if there is none. */
static json_t *parse_report_output(char *text) {
    json_t *whole = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (whole != NULL) return whole;
    json_t *list = tool_json_list();
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *one = json_loads(line, 0, NULL);
        if (one != NULL) tool_json_add(list, one);
    }
    if (json_array_size(list) > 0) return list;
    json_decref(list);
    return tool_json_null();
}

/* Thousands of checks that passed would hide the others; the totals count them. */
static void drop_passed_checks(json_t *result) {
    json_t *checks = json_object_get(result, "checks");
    for (size_t k = json_array_size(checks); k-- > 0;)
        if (strcmp(report_text_of(json_array_get(checks, k), "verdict"), "ok") == 0)
            json_array_remove(checks, k);
}

/* ---- the report ---- */

static json_t *read_report_facts(const command *command, const char *folder) {
    char *text = read_part_file(command, folder, "facts.tsv"), *at = text, *columns[REPORT_MOST_COLUMNS];
    json_t *facts = tool_json_object(NULL, NULL);
    while (next_report_line(&at, columns)) tool_json_set(facts, columns[0], tool_json_text(columns[1]));
    free(text);
    return facts;
}

/* All planned parts, none of them run yet. */
static json_t *read_report_plan(const command *command, const char *folder) {
    char *text = read_part_file(command, folder, "plan.tsv"), *at = text, *columns[REPORT_MOST_COLUMNS];
    json_t *parts = tool_json_list();
    while (next_report_line(&at, columns))
        tool_json_add(parts, tool_json_object(
                                 "group", tool_json_text(columns[0]), "item", tool_json_text(columns[1]),
                                 "command", tool_json_text(columns[2]), "status", tool_json_text("not run"),
                                 "exit_code", tool_json_null(), "seconds", tool_json_real(0), "result",
                                 tool_json_null(), "messages", tool_json_text(""), NULL));
    free(text);
    return parts;
}

static json_t *find_report_part(const json_t *parts, const char *group, const char *item) {
    for (size_t k = 0; k < json_array_size(parts); ++k) {
        json_t *part = json_array_get(parts, k);
        if (strcmp(report_text_of(part, "group"), group) == 0 &&
            strcmp(report_text_of(part, "item"), item) == 0)
            return part;
    }
    return NULL;
}

/* Fills in what the part printed. */
static void read_report_part(const command *command, const char *folder, json_t *part) {
    char name[TOOL_PATH_BYTES];
    const char *group = report_text_of(part, "group"), *item = report_text_of(part, "item");
    snprintf(name, sizeof name, "%.200s.%.200s.json", group, item);
    char *text = read_part_file(command, folder, name);
    json_t *result = parse_report_output(text);
    drop_passed_checks(result);
    tool_json_set(part, "result", result);
    free(text);
    snprintf(name, sizeof name, "%.200s.%.200s.err", group, item);
    text = read_part_file(command, folder, name);
    if (strlen(text) > REPORT_MOST_MESSAGES) text[REPORT_MOST_MESSAGES] = 0;
    tool_json_set(part, "messages", tool_json_text(text));
    free(text);
}

static void read_report_log(const command *command, const char *folder, json_t *parts) {
    char *text = read_part_file(command, folder, "log.tsv"), *at = text, *columns[REPORT_MOST_COLUMNS];
    while (next_report_line(&at, columns)) {
        json_t *part = find_report_part(parts, columns[0], columns[1]);
        if (part == NULL) continue;
        tool_json_set(part, "status", tool_json_text(columns[2]));
        tool_json_set(part, "exit_code", tool_json_count(strtoul(columns[3], NULL, 10)));
        tool_json_set(part, "seconds", tool_json_real(1e-3 * strtod(columns[4], NULL)));
        if (strncmp(columns[2], "not run", 7) != 0) read_report_part(command, folder, part);
    }
    free(text);
}

/* Counts parts by group, in the order of the plan, and lists those that did not end well. A part that was
 * skipped, because this machine has not what it compares with, is not missing. */
static void count_report_parts(json_t *report, const json_t *parts) {
    json_t *groups = tool_json_list(), *missing = tool_json_list();
    for (size_t k = 0; k < json_array_size(parts); ++k) {
        const json_t *part = json_array_get(parts, k);
        const char *name = report_text_of(part, "group"), *status = report_text_of(part, "status");
        json_t *group = NULL;
        for (size_t g = 0; g < json_array_size(groups); ++g)
            if (strcmp(report_text_of(json_array_get(groups, g), "group"), name) == 0)
                group = json_array_get(groups, g);
        if (group == NULL) {
            group = tool_json_object("group", tool_json_text(name), NULL);
            tool_json_add(groups, group);
        }
        static const char *const counts[] = {"planned", "done", "skipped", "failed", "missing"};
        const bool failed = strcmp(status, "failed") == 0 || strcmp(status, "crashed") == 0;
        const bool done = strcmp(status, "done") == 0, skipped = strcmp(status, "skipped") == 0;
        const bool adds[] = {true, done, skipped, failed, !failed && !done && !skipped};
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; ++c) {
            const double before = report_number_of(group, counts[c]);
            tool_json_set(group, counts[c],
                          tool_json_count((isnan(before) ? 0 : (uint64_t)before) + (uint64_t)adds[c]));
        }
        if (done || skipped) continue;
        char line[512];
        snprintf(line, sizeof line, "%.100s %.200s: %.100s", name, report_text_of(part, "item"), status);
        tool_json_add(missing, tool_json_text(line));
    }
    tool_json_set(report, "groups", groups);
    tool_json_set(report, "missing", missing);
}

/* ---- measurements ---- */

static void add_measurement(json_t *list, const char *what, double n, const char *pass, const char *variant,
                            const json_t *from) {
    const double seconds = report_number_of(from, "seconds");
    if (!(seconds > 0) || !(n >= 0)) return;
    tool_json_add(list, tool_json_object("what", tool_json_text(what), "n", tool_json_count((uint64_t)n),
                                         "pass", tool_json_text(pass), "variant", tool_json_text(variant),
                                         "seconds", tool_json_real(seconds), NULL));
}

/* Both passes of one size. */
static void add_passes(json_t *list, const char *what, const json_t *size) {
    static const char *const passes[] = {"forward", "backward", "training"};
    for (size_t p = 0; p < sizeof passes / sizeof passes[0]; ++p)
        add_measurement(list, what, report_number_of(size, "n"), passes[p], "quartic",
                        json_object_get(size, passes[p]));
}

static void add_model_passes(json_t *list, const char *item, const json_t *result) {
    static const char *const passes[] = {"forward", "training"};
    char name[256];
    snprintf(name, sizeof name, "%.200s", item);
    char *dash = strrchr(name, '-'); /* the item ends with its size */
    if (dash != NULL) *dash = 0;
    for (size_t p = 0; p < sizeof passes / sizeof passes[0]; ++p)
        add_measurement(list, name, report_number_of(result, "length"), passes[p], "quartic",
                        json_object_get(result, passes[p]));
}

static json_t *collect_measurements(const json_t *parts) {
    json_t *list = tool_json_list();
    for (size_t k = 0; k < json_array_size(parts); ++k) {
        const json_t *part = json_array_get(parts, k), *result = json_object_get(part, "result");
        const char *group = report_text_of(part, "group");
        if (strcmp(group, "models") == 0) add_model_passes(list, report_text_of(part, "item"), result);
        const json_t *kernels = json_object_get(result, "kernels");
        for (size_t i = 0; i < json_array_size(kernels); ++i)
            add_passes(list, report_text_of(json_array_get(kernels, i), "kernel"),
                       json_array_get(kernels, i));
        const json_t *forms = json_object_get(result, "forms");
        for (size_t f = 0; f < json_array_size(forms); ++f) {
            const json_t *form = json_array_get(forms, f), *sizes = json_object_get(form, "sizes");
            char what[128];
            snprintf(what, sizeof what, "edges %.100s", report_text_of(form, "form"));
            for (size_t i = 0; i < json_array_size(sizes); ++i)
                add_passes(list, what, json_array_get(sizes, i));
        }
        const json_t *products = json_object_get(result, "products");
        for (size_t i = 0; i < json_array_size(products); ++i) {
            const json_t *product = json_array_get(products, i);
            if (report_number_of(product, "rows") == report_number_of(product, "depth"))
                add_measurement(list, "product", report_number_of(product, "rows"), "forward", "quartic",
                                product);
        }
        for (size_t i = 0; strcmp(group, "pytorch") == 0 && i < json_array_size(result); ++i) {
            const json_t *row = json_array_get(result, i);
            char variant[128];
            snprintf(variant, sizeof variant, "PyTorch %.100s", report_text_of(row, "variant"));
            add_measurement(list, report_text_of(row, "what"), report_number_of(row, "n"),
                            report_text_of(row, "pass"), variant, row);
        }
    }
    return list;
}

/* ---- the command ---- */

/* Writes what a function puts on a stream, as a whole. */
static bool save_report_as(const command *command, const char *folder, const char *name,
                           void (*write)(FILE *stream, const json_t *report), const json_t *report) {
    char path[TOOL_PATH_BYTES], *text = NULL;
    size_t bytes = 0;
    if (!tool_join(command, folder, name, path)) return false;
    FILE *stream = open_memstream(&text, &bytes);
    if (stream == NULL) {
        tool_fail(command, NULL, "cannot write %s: %s", path, strerror(errno));
        return false;
    }
    write(stream, report);
    const bool whole = fclose(stream) == 0;
    if (!whole)
        tool_fail(command, NULL, "the host has no memory left for %s", path);
    else if (quartic_file_save(path, text, bytes) != QUARTIC_OK)
        tool_fail_library(command, NULL), free(text), text = NULL;
    const bool fine = whole && text != NULL;
    free(text);
    return fine;
}

static void write_report_json(FILE *stream, const json_t *report) {
    json_dumpf(report, stream, JSON_INDENT(1));
    fputc('\n', stream);
}

static int run_report(const invocation *call) {
    const report_settings *settings = call->settings;
    const char *folder = call->operands[0];
    char parts_folder[TOOL_PATH_BYTES], path[TOOL_PATH_BYTES];
    if (!tool_join(call->command, folder, "parts", parts_folder)) return EXIT_FAILED;
    if (!tool_join(call->command, parts_folder, "plan.tsv", path)) return EXIT_FAILED;
    FILE *there = fopen(path, "rb");
    if (there == NULL)
        return tool_fail(call->command, "scripts/gpu_report.sh makes such a folder.",
                         "%s is no folder of a report: %s: %s", folder, path, strerror(errno));
    fclose(there);
    json_t *facts = read_report_facts(call->command, parts_folder);
    json_t *parts = read_report_plan(call->command, parts_folder);
    read_report_log(call->command, parts_folder, parts);
    json_t *report = tool_json_object("format", tool_json_count(1), "state",
                                      tool_json_text(report_text_of(facts, "state")), "facts", facts, NULL);
    count_report_parts(report, parts);
    tool_json_set(report, "complete",
                  tool_json_flag(strcmp(report_text_of(facts, "state"), "done") == 0 &&
                                 json_array_size(json_object_get(report, "missing")) == 0));
    tool_json_set(report, "measurements", collect_measurements(parts));
    tool_json_set(report, "parts", parts);
    const bool fine = save_report_as(call->command, folder, "report.json", write_report_json, report) &&
                      save_report_as(call->command, folder, "report.md", report_write_markdown, report) &&
                      save_report_as(call->command, folder, "plot.svg", report_write_plot, report);
    if (fine && settings->json) tool_print_json(json_incref(report));
    json_decref(report);
    return fine ? EXIT_DONE : EXIT_FAILED;
}

const command command_report = {
    .name = "report",
    .operands = "FOLDER",
    .summary = "write the report of what scripts/gpu_report.sh measured",
    .details = "The script calls this after every group of measurements: FOLDER/parts becomes report.md, "
               "report.json and plot.svg in FOLDER, also where parts are missing or cut off.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 1,
    .most_operands = 1,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_report,
};
