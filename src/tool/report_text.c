/* report_text.c: a report as Markdown, the most important first. See report.h. */
#include "tool/report.h"

#include <math.h>
#include <string.h>

/* ---- texts and numbers in tables ---- */

/* A text that cannot end a cell or begin markup. */
static void text_put(FILE *stream, const char *text) {
    for (; *text != 0; ++text)
        if (*text == '|' || *text == '<')
            fprintf(stream, "\\%c", *text);
        else
            fputc((unsigned char)*text < ' ' ? ' ' : *text, stream);
}

static void text_put_ms(FILE *stream, double seconds) {
    if (isfinite(seconds))
        fprintf(stream, " %.4g |", 1e3 * seconds);
    else
        fprintf(stream, " – |");
}

static void text_put_number(FILE *stream, double number, double factor) {
    if (isfinite(number))
        fprintf(stream, " %.3g |", factor * number);
    else
        fprintf(stream, " – |");
}

/* The parts of a group in turn; NULL at the end. Begins with *inout_index 0. */
static const json_t *text_next_part(const json_t *report, const char *group, size_t *inout_index) {
    const json_t *parts = json_object_get(report, "parts");
    while (*inout_index < json_array_size(parts)) {
        const json_t *part = json_array_get(parts, (*inout_index)++);
        if (strcmp(report_text_of(part, "group"), group) == 0) return part;
    }
    return NULL;
}

/* ---- what it is of, and what is missing ---- */

/* The device that was measured: the one that the checks name, else the first usable Vulkan device of the list. */
static const json_t *text_find_device(const json_t *report) {
    size_t index = 0;
    const json_t *part, *list = NULL;
    const char *name = "";
    while ((part = text_next_part(report, "device", &index)) != NULL) list = json_object_get(part, "result");
    static const char *const groups[] = {"validate", "models", "recordings", "triangle", "products", "edges"};
    for (size_t g = 0; g < sizeof groups / sizeof groups[0] && name[0] == 0; ++g)
        for (index = 0; name[0] == 0 && (part = text_next_part(report, groups[g], &index)) != NULL;)
            name = report_text_of(json_object_get(part, "result"), "device");
    for (size_t k = 0; k < json_array_size(list); ++k)
        if (strcmp(report_text_of(json_array_get(list, k), "name"), name) == 0)
            return json_array_get(list, k);
    for (size_t k = 0; k < json_array_size(list); ++k)
        if (json_is_true(json_object_get(json_array_get(list, k), "usable")) &&
            strcmp(report_text_of(json_array_get(list, k), "type"), "cpu") != 0)
            return json_array_get(list, k);
    return NULL;
}

static void text_head(FILE *stream, const json_t *report) {
    const json_t *device = text_find_device(report), *facts = json_object_get(report, "facts");
    fprintf(stream, "# GPU report: ");
    text_put(stream, device == NULL ? "no device" : report_text_of(device, "name"));
    fprintf(stream, "\n\n");
    const size_t missing = json_array_size(json_object_get(report, "missing"));
    if (json_is_true(json_object_get(report, "complete")))
        fprintf(stream, "Complete: every part was run, and none failed.\n\n");
    else
        fprintf(stream, "Incomplete: %s; %zu parts failed or are missing, listed below.\n\n",
                report_text_of(report, "state"), missing);
    fprintf(stream, "| what | |\n|---|---|\n");
    if (device != NULL) {
        char memory[TOOL_NUMBER_BYTES];
        fprintf(stream, "| driver | ");
        text_put(stream, report_text_of(device, "driver"));
        fprintf(stream, " |\n| type | %s |\n| memory | %s |\n", report_text_of(device, "type"),
                tool_bytes_text(report_number_of(device, "memory_bytes"), memory));
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)facts, key, value) {
        if (strcmp(key, "state") == 0 || strcmp(key, "format") == 0) continue;
        fprintf(stream, "| ");
        text_put(stream, key);
        fprintf(stream, " | ");
        text_put(stream, json_string_value(value));
        fprintf(stream, " |\n");
    }
}

static void text_groups(FILE *stream, const json_t *report) {
    const json_t *groups = json_object_get(report, "groups"), *missing = json_object_get(report, "missing");
    fprintf(
        stream,
        "\n## Parts\n\n| group | planned | done | skipped | failed | missing |\n|---|---|---|---|---|---|\n");
    for (size_t k = 0; k < json_array_size(groups); ++k) {
        static const char *const counts[] = {"planned", "done", "skipped", "failed", "missing"};
        const json_t *group = json_array_get(groups, k);
        fprintf(stream, "| %s |", report_text_of(group, "group"));
        for (int c = 0; c < 5; ++c) fprintf(stream, " %.0f |", report_number_of(group, counts[c]));
        fprintf(stream, "\n");
    }
    if (json_array_size(missing) == 0) return;
    fprintf(stream, "\n### What is missing\n\n");
    for (size_t k = 0; k < json_array_size(missing); ++k) {
        fprintf(stream, "- ");
        text_put(stream, json_string_value(json_array_get(missing, k)));
        fprintf(stream, "\n");
    }
}

/* ---- right or wrong ---- */

static void text_checks(FILE *stream, const json_t *report, const char *group, const char *title) {
    double totals[4] = {0};
    size_t index = 0;
    const json_t *part;
    while ((part = text_next_part(report, group, &index)) != NULL) {
        static const char *const keys[] = {"passed", "failed", "unsupported"};
        const json_t *result = json_object_get(part, "result");
        for (int k = 0; k < 3; ++k) {
            const double number = report_number_of(result, keys[k]);
            if (isfinite(number)) totals[k] += number;
        }
        totals[3] = fmax(totals[3], report_number_of(result, "worst"));
    }
    fprintf(
        stream,
        "\n%s: %.0f passed, **%.0f failed**, %.0f unsupported; the worst error among the passed is %.2g of "
        "its bound.\n",
        title, totals[0], totals[1], totals[2], totals[3]);
    for (index = 0; (part = text_next_part(report, group, &index)) != NULL;) {
        const json_t *result = json_object_get(part, "result"), *checks = json_object_get(result, "checks");
        for (size_t k = 0; k < json_array_size(checks); ++k) {
            const json_t *check = json_array_get(checks, k);
            if (k == 0) fprintf(stream, "\n");
            fprintf(stream, "- %s: %s %s %s: ", report_text_of(check, "verdict"),
                    report_text_of(check, "subject"), report_text_of(check, "label"),
                    report_text_of(check, "check"));
            text_put(stream, report_text_of(check, "text"));
            fprintf(stream, "\n");
        }
    }
}

/* The words of what failed or crashed: its error, or the first line that it printed. */
static void text_failures(FILE *stream, const json_t *report) {
    const json_t *parts = json_object_get(report, "parts");
    bool any = false;
    for (size_t k = 0; k < json_array_size(parts); ++k) {
        const json_t *part = json_array_get(parts, k);
        const char *status = report_text_of(part, "status");
        if (strcmp(status, "failed") != 0 && strcmp(status, "crashed") != 0 && strcmp(status, "skipped") != 0)
            continue;
        char line[256];
        const char *error = report_text_of(json_object_get(part, "result"), "error");
        snprintf(line, sizeof line, "%.250s", error[0] != 0 ? error : report_text_of(part, "messages"));
        if (strcmp(status, "skipped") == 0 && line[0] == 0) continue; /* as the one before it */
        line[strcspn(line, "\n")] = 0;
        if (!any) fprintf(stream, "\n### Parts that failed or were skipped\n\n");
        any = true;
        fprintf(stream, "- %s %s: %s, exit code %.0f: ", report_text_of(part, "group"),
                report_text_of(part, "item"), status, report_number_of(part, "exit_code"));
        text_put(stream, line);
        fprintf(stream, "\n  `%s`\n", report_text_of(part, "command"));
    }
}

static void text_repeats(FILE *stream, const json_t *report) {
    size_t index = 0;
    const json_t *part, *found = NULL;
    while ((part = text_next_part(report, "repeat", &index)) != NULL)
        if (json_object_get(json_object_get(part, "result"), "two_runs_equal") != NULL)
            found = json_object_get(part, "result");
    if (found == NULL) {
        fprintf(stream, "\nTwo runs and a resume: not compared.\n");
        return;
    }
    fprintf(stream, "\nTwo runs of %.0f steps: %s. A run that was resumed half-way: %s.\n",
            report_number_of(found, "steps"),
            json_is_true(json_object_get(found, "two_runs_equal")) ? "the same bits" : "**different bits**",
            json_is_true(json_object_get(found, "resumed_run_equal")) ? "the same bits"
                                                                      : "**different bits**");
}

/* ---- times ---- */

static void text_models(FILE *stream, const json_t *report) {
    size_t index = 0;
    const json_t *part;
    fprintf(
        stream,
        "\n## Models\n\nBatch 1, 256 tokens vocabulary, dim 512, dim_edges 32; ms, the least of 3 runs.\n\n"
        "| model and n | forward | training step | dispatches forward | host time of a replay, us | "
        "dispatches training | host time of a replay, us | workspace of training, MiB |\n"
        "|---|---|---|---|---|---|---|---|\n");
    while ((part = text_next_part(report, "models", &index)) != NULL) {
        const json_t *result = json_object_get(part, "result");
        const json_t *forward = json_object_get(result, "forward"),
                     *training = json_object_get(result, "training");
        static const char *const replays[] = {"forward_ops_replay", "gradient_ops_replay"};
        if (forward == NULL) continue;
        fprintf(stream, "| %s |", report_text_of(part, "item"));
        text_put_ms(stream, report_number_of(forward, "seconds"));
        text_put_ms(stream, report_number_of(training, "seconds"));
        for (int r = 0; r < 2; ++r) {
            const json_t *replay = json_object_get(result, replays[r]);
            text_put_number(stream, report_number_of(replay, "dispatches"), 1);
            text_put_number(stream, report_number_of(replay, "host_seconds"), 1e6);
        }
        text_put_number(stream, report_number_of(training, "workspace_bytes"), 0x1p-20);
        fprintf(stream, "\n");
    }
}

/* Seconds of a variant for the same work as a row, NAN if there are none. */
static double text_seconds_of(const json_t *measurements, const json_t *row, const char *variant) {
    for (size_t k = 0; k < json_array_size(measurements); ++k) {
        const json_t *one = json_array_get(measurements, k);
        if (strcmp(report_text_of(one, "what"), report_text_of(row, "what")) == 0 &&
            strcmp(report_text_of(one, "pass"), report_text_of(row, "pass")) == 0 &&
            report_number_of(one, "n") == report_number_of(row, "n") &&
            strcmp(report_text_of(one, "variant"), variant) == 0)
            return report_number_of(one, "seconds");
    }
    return (double)NAN;
}

static void text_pytorch(FILE *stream, const json_t *report) {
    enum { MOST_VARIANTS = 16 };
    const json_t *measurements = json_object_get(report, "measurements");
    const char *variants[MOST_VARIANTS];
    size_t count = 0;
    for (size_t k = 0; k < json_array_size(measurements); ++k) {
        const char *variant = report_text_of(json_array_get(measurements, k), "variant");
        size_t v = 0;
        while (v < count && strcmp(variants[v], variant) != 0) ++v;
        if (v == count && count < MOST_VARIANTS && strcmp(variant, "quartic") != 0)
            variants[count++] = variant;
    }
    fprintf(stream, "\n## Beside PyTorch\n\n");
    if (count == 0) {
        fprintf(stream, "Not compared: see the parts of the group pytorch above.\n");
        return;
    }
    fprintf(stream,
            "Milliseconds for the same work on the same device in the same run; - where one of them was not "
            "measured.\n\n| what | n | pass | quartic |");
    for (size_t v = 0; v < count; ++v) fprintf(stream, " %s |", variants[v]);
    fprintf(stream, "\n|---|---|---|---|");
    for (size_t v = 0; v < count; ++v) fprintf(stream, "---|");
    fprintf(stream, "\n");
    const char *shown_what = "", *shown_pass = "";
    double shown_n = -1;
    for (size_t k = 0; k < json_array_size(measurements); ++k) {
        const json_t *row = json_array_get(measurements, k);
        if (strcmp(report_text_of(row, "variant"), "quartic") == 0) continue;
        bool first = true; /* one row for all variants */
        for (size_t b = 0; b < k && first; ++b) {
            const json_t *other = json_array_get(measurements, b);
            first = strcmp(report_text_of(other, "variant"), "quartic") == 0 ||
                    strcmp(report_text_of(other, "what"), report_text_of(row, "what")) != 0 ||
                    strcmp(report_text_of(other, "pass"), report_text_of(row, "pass")) != 0 ||
                    report_number_of(other, "n") != report_number_of(row, "n");
        }
        if (!first) continue;
        shown_what = report_text_of(row, "what"), shown_pass = report_text_of(row, "pass");
        shown_n = report_number_of(row, "n");
        fprintf(stream, "| ");
        text_put(stream, shown_what);
        fprintf(stream, " | %.0f | %s |", shown_n, shown_pass);
        text_put_ms(stream, text_seconds_of(measurements, row, "quartic"));
        for (size_t v = 0; v < count; ++v)
            text_put_ms(stream, text_seconds_of(measurements, row, variants[v]));
        fprintf(stream, "\n");
    }
}

static void text_estimates(FILE *stream, const json_t *report) {
    static const char *const tables[] = {"forward_ops", "gradient_ops"};
    size_t index = 0;
    const json_t *part;
    fprintf(stream,
            "\n## Ops: estimate against measurement\n\n"
            "The estimate is made of the device's limits and the peaks that were measured in the same run; "
            "share is of these peaks.\n");
    while ((part = text_next_part(report, "models", &index)) != NULL)
        for (int t = 0; t < 2; ++t) {
            const json_t *rows = json_object_get(json_object_get(part, "result"), tables[t]);
            if (json_array_size(rows) == 0) continue;
            fprintf(stream,
                    "\n%s, %s\n\n| op | steps | measured, ms | estimated, ms | measured / estimated | "
                    "share of peak |\n|---|---|---|---|---|---|\n",
                    report_text_of(part, "item"), t == 0 ? "forward" : "forward and backward");
            for (size_t k = 0; k < json_array_size(rows); ++k) {
                const json_t *row = json_array_get(rows, k);
                const double measured = report_number_of(row, "seconds");
                const double estimated = report_number_of(row, "estimated_seconds");
                fprintf(stream, "| %s | %.0f |", report_text_of(row, "op"), report_number_of(row, "steps"));
                text_put_ms(stream, measured);
                text_put_ms(stream, estimated);
                text_put_number(stream, measured / estimated, 1);
                text_put_number(stream, report_number_of(row, "share_of_peak"), 1);
                fprintf(stream, "\n");
            }
        }
}

static void text_kernels(FILE *stream, const json_t *report) {
    size_t index = 0;
    const json_t *part;
    fprintf(stream, "\n## Triangle kernels\n\nBatch 1; attention with 4 heads of 32, multiplication with 128 "
                    "channels.\n\n"
                    "| kernel | n | forward, ms | TFLOP/s | backward, ms | TFLOP/s | memory, MiB | |\n"
                    "|---|---|---|---|---|---|---|---|\n");
    while ((part = text_next_part(report, "triangle", &index)) != NULL) {
        const json_t *kernels = json_object_get(json_object_get(part, "result"), "kernels");
        for (size_t k = 0; k < json_array_size(kernels); ++k) {
            const json_t *row = json_array_get(kernels, k);
            static const char *const passes[] = {"forward", "backward"};
            fprintf(stream, "| %s | %.0f |", report_text_of(row, "kernel"), report_number_of(row, "n"));
            for (int p = 0; p < 2; ++p) {
                text_put_ms(stream, report_number_of(json_object_get(row, passes[p]), "seconds"));
                text_put_number(stream, report_number_of(json_object_get(row, passes[p]), "flops_per_second"),
                                1e-12);
            }
            text_put_number(stream, report_number_of(row, "memory_bytes"), 0x1p-20);
            fprintf(stream, " %s |\n", report_text_of(row, "why_skipped"));
        }
    }
    fprintf(stream, "\n## Matrix products\n\n| rows | columns | depth | ms | TFLOP/s | share of the peak of "
                    "multiply-adds | |\n"
                    "|---|---|---|---|---|---|---|\n");
    for (index = 0; (part = text_next_part(report, "products", &index)) != NULL;) {
        const json_t *products = json_object_get(json_object_get(part, "result"), "products");
        for (size_t k = 0; k < json_array_size(products); ++k) {
            const json_t *row = json_array_get(products, k);
            fprintf(stream, "| %.0f | %.0f | %.0f |", report_number_of(row, "rows"),
                    report_number_of(row, "columns"), report_number_of(row, "depth"));
            text_put_ms(stream, report_number_of(row, "seconds"));
            text_put_number(stream, report_number_of(row, "flops_per_second"), 1e-12);
            text_put_number(stream, report_number_of(row, "share_of_peak"), 1);
            fprintf(stream, " %s |\n", report_text_of(row, "why_skipped"));
        }
    }
}

static void text_edges(FILE *stream, const json_t *report) {
    size_t index = 0;
    const json_t *part;
    fprintf(
        stream,
        "\n## Attention among edges\n\nBatch 1, dim_edges 32; share: of a large matrix product's rate.\n\n"
        "| form | n | forward, ms | share | backward, ms | share | |\n|---|---|---|---|---|---|---|\n");
    while ((part = text_next_part(report, "edges", &index)) != NULL) {
        const json_t *forms = json_object_get(json_object_get(part, "result"), "forms");
        for (size_t f = 0; f < json_array_size(forms); ++f) {
            const json_t *form = json_array_get(forms, f), *sizes = json_object_get(form, "sizes");
            for (size_t k = 0; k < json_array_size(sizes); ++k) {
                const json_t *row = json_array_get(sizes, k);
                static const char *const passes[] = {"forward", "backward"};
                fprintf(stream, "| %s | %.0f |", report_text_of(form, "form"), report_number_of(row, "n"));
                for (int p = 0; p < 2; ++p) {
                    text_put_ms(stream, report_number_of(json_object_get(row, passes[p]), "seconds"));
                    text_put_number(stream,
                                    report_number_of(json_object_get(row, passes[p]), "share_of_product"), 1);
                }
                fprintf(stream, " %s |\n", report_text_of(row, "why_skipped"));
            }
        }
    }
}

static void text_tuning(FILE *stream, const json_t *report) {
    size_t index = 0;
    const json_t *part;
    fprintf(
        stream,
        "\n## Tuning\n\n`quartic tune` of the quartic model at n = 128; all other times are without it.\n\n"
        "| op | where | candidates | the plan's own, ms | the quickest, ms | choice "
        "|\n|---|---|---|---|---|---|\n");
    while ((part = text_next_part(report, "tune", &index)) != NULL) {
        const json_t *rows = json_object_get(json_object_get(part, "result"), "tuned_problems");
        for (size_t k = 0; k < json_array_size(rows); ++k) {
            const json_t *row = json_array_get(rows, k);
            fprintf(stream, "| %s | %s | %.0f |", report_text_of(row, "op"), report_text_of(row, "label"),
                    report_number_of(row, "candidates"));
            text_put_ms(stream, report_number_of(row, "own_seconds"));
            text_put_ms(stream, report_number_of(row, "seconds"));
            fprintf(stream, " %s |\n", report_text_of(row, "choice"));
        }
    }
    for (index = 0; (part = text_next_part(report, "tune", &index)) != NULL;) {
        const json_t *result = json_object_get(part, "result"), *forward = json_object_get(result, "forward");
        if (forward == NULL) continue;
        fprintf(stream, "\nWith these choices the model takes, in ms, forward and training: |");
        text_put_ms(stream, report_number_of(forward, "seconds"));
        text_put_ms(stream, report_number_of(json_object_get(result, "training"), "seconds"));
        fprintf(stream, "\n");
    }
}

/* Members that are numbers, texts or flags, one a line. */
static void text_object(FILE *stream, const json_t *object, const char *title) {
    const char *key;
    json_t *value;
    if (json_object_size(object) == 0) return;
    fprintf(stream, "\n## %s\n\n| what | |\n|---|---|\n", title);
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        fprintf(stream, "| %s | ", key);
        if (json_is_string(value))
            text_put(stream, json_string_value(value));
        else if (json_is_number(value))
            fprintf(stream, "%.10g", json_number_value(value));
        else if (json_is_boolean(value))
            fprintf(stream, "%s", json_is_true(value) ? "yes" : "no");
        fprintf(stream, " |\n");
    }
}

void report_write_markdown(FILE *stream, const json_t *report) {
    text_head(stream, report);
    fprintf(stream, "\n![Times over n](plot.svg)\n");
    text_groups(stream, report);
    fprintf(stream, "\n## Right or wrong\n");
    text_checks(stream, report, "validate", "Every op against the reference");
    text_checks(stream, report, "recordings", "Recordings of the models");
    text_repeats(stream, report);
    text_failures(stream, report);
    text_models(stream, report);
    text_pytorch(stream, report);
    text_kernels(stream, report);
    text_edges(stream, report);
    text_tuning(stream, report);
    text_estimates(stream, report);
    text_object(stream, json_object_get(text_find_device(report), "limits"), "The device's limits");
}
