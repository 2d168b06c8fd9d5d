/* experiment_report.c: results as files. See experiment_report.h. */
#include "tool/experiment_report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quartic/io.h"

static bool create_report_file(const command *command, const char *folder, const char *name,
                               report_file *file) {
    if (!tool_join(command, folder, name, file->path)) return false;
    file->stream = open_memstream(&file->text, &file->bytes);
    if (file->stream == NULL) tool_fail(command, NULL, "cannot write %s: %s", file->path, strerror(errno));
    return file->stream != NULL;
}

/* All there is so far replaces the file. */
static bool save_report_file(report_file *file) {
    if (fflush(file->stream) == 0 && !ferror(file->stream))
        return quartic_file_save(file->path, file->text, file->bytes) == QUARTIC_OK;
    fprintf(stderr, "quartic: the host has no memory left for %s\n", file->path);
    exit(EXIT_FAILED); /* as tool_alloc */
}

static void free_report_file(report_file *file) {
    if (file->stream != NULL) fclose(file->stream);
    free(file->text);
}

bool experiment_report_open(const command *command, const char *folder, const char *device,
                            experiment_report *out_report) {
    *out_report = (experiment_report){0};
    bool fine = create_report_file(command, folder, "results.csv", &out_report->csv) &&
                create_report_file(command, folder, "report.md", &out_report->markdown);
    if (fine) {
        fprintf(out_report->csv.stream,
                "task,contestant,kind,form,identifiers,depth,dim,parameters,rate,seed,chosen,chance,"
                "step,loss,accuracy,run_seconds,encoding,nodes,test_accuracy\n");
        fprintf(out_report->markdown.stream, "# Results\n\nDevice: %s.\n", device);
        /* Hours of training begin only where their results can be written. */
        fine = save_report_file(&out_report->csv) && save_report_file(&out_report->markdown);
        if (!fine) tool_fail_library(command, NULL);
    }
    if (!fine) free_report_file(&out_report->csv), free_report_file(&out_report->markdown);
    return fine;
}

static void add_points(FILE *stream, contest *contest) {
    const double chance = experiment_majority(contest_data_of(contest, 1)->test);
    for (uint32_t k = 0; k < contest->run_count; ++k) {
        const contest_run *run = &contest->runs[k];
        const contestant *who = run->who;
        for (uint32_t p = 0; p < run->point_count; ++p) {
            const contest_point *point = &run->points[p];
            fprintf(stream, "%s,\"%s\",%s,%s,%d,%u,%u,%llu,%g,%u,%d,%.4f,%u,", contest->task->name, who->name,
                    who->baseline ? "quadratic" : "edges", who->form, who->encoding == CONTEST_IDENTIFIERS,
                    who->depth, who->config.dim, (unsigned long long)who->parameters, (double)run->rate,
                    run->seed, run->chosen, chance, point->step);
            if (!isnan(point->loss)) fprintf(stream, "%.6f", point->loss);
            fprintf(stream, ",%.6f,%.3f,%s,%u,%.6f\n", point->accuracy, run->seconds,
                    contest_encoding_name(who->encoding), contest->task->n, run->test_accuracy);
        }
    }
}

void experiment_print_table(FILE *stream, const contest *contest) {
    fprintf(stream, "| contestant | parameters | rate | steps | accuracy | 95%% interval | range over seeds "
                    "| 99%% by step | "
                    "seconds |\n"
                    "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for (uint32_t k = 0; k < contest->contestant_count; ++k) {
        const contestant *who = &contest->contestants[k];
        const contest_score score = contest_score_of(contest, who);
        if (score.runs == 0) continue;
        char solved[16] = "-";
        if (score.solved_step > 0) snprintf(solved, sizeof solved, "%u", score.solved_step);
        char interval[32] = "-";
        if (score.runs > 1)
            snprintf(interval, sizeof interval, "%.1f-%.1f%%", 100 * score.low, 100 * score.high);
        fprintf(stream, "| %s%s | %llu | %g | %u%s | %.1f%% | %s | %.1f-%.1f%% (%u) | %s | %.1f |\n",
                who->baseline ? "quadratic: " : "", who->name, (unsigned long long)who->parameters,
                (double)score.rate, who->steps, score.cut_short ? ", cut short" : "", 100 * score.mean,
                interval, 100 * score.least, 100 * score.most, score.runs, solved,
                score.seconds / score.runs);
    }
}

json_t *experiment_report_json(contest *contest) {
    const contest_data *data = contest_data_of(contest, 1);
    json_t *contestants = tool_json_list();
    for (uint32_t k = 0; k < contest->contestant_count; ++k) {
        const contestant *who = &contest->contestants[k];
        const contest_score score = contest_score_of(contest, who);
        if (score.runs == 0) continue;
        tool_json_add(
            contestants,
            tool_json_object(
                "name", tool_json_text(who->name), "kind",
                tool_json_text(who->baseline ? "quadratic" : "edges"), "form", tool_json_text(who->form),
                "identifiers", tool_json_flag(who->encoding == CONTEST_IDENTIFIERS), "encoding",
                tool_json_text(who->encoding == CONTEST_PLAIN ? NULL : contest_encoding_name(who->encoding)),
                "parameters", tool_json_count(who->parameters), "rate", tool_json_real((double)score.rate),
                "steps", tool_json_count(who->steps), "cut_short", tool_json_flag(score.cut_short),
                "accuracy", tool_json_real(score.mean), "interval_low", tool_json_real(score.low),
                "interval_high", tool_json_real(score.high), "least_accuracy", tool_json_real(score.least),
                "greatest_accuracy", tool_json_real(score.most), "runs", tool_json_count(score.runs),
                "solved_step", score.solved_step > 0 ? tool_json_count(score.solved_step) : tool_json_null(),
                "seconds_of_a_run", tool_json_real(score.seconds / score.runs), NULL));
    }
    const contestant *form = contest_best(contest, false), *baseline = contest_best(contest, true);
    return tool_json_object("task", tool_json_text(contest->task->name), "majority_of_training",
                            tool_json_real(experiment_majority(data->train)), "majority_of_test",
                            tool_json_real(experiment_majority(data->test)), "contestants", contestants,
                            "best_form", tool_json_text(form == NULL ? NULL : form->name), "best_baseline",
                            tool_json_text(baseline == NULL ? NULL : baseline->name), "separated",
                            tool_json_flag(contest_separates(contest)), NULL);
}

void experiment_print_verdict(FILE *stream, const contest *contest) {
    const contestant *form = contest_best(contest, false), *baseline = contest_best(contest, true);
    if (form == NULL || baseline == NULL) {
        fprintf(stream, "%s: nothing to compare.\n", contest->task->name);
        return;
    }
    fprintf(stream,
            "%s: the best edge form (%s) reaches %.1f%%, the best quadratic baseline (%s) %.1f%%: %s.\n",
            contest->task->name, form->name, 100 * contest_score_of(contest, form).mean, baseline->name,
            100 * contest_score_of(contest, baseline).mean,
            contest_separates(contest) ? "separated" : "not separated");
}

void experiment_report_add(experiment_report *report, contest *contest, const char *map_name) {
    const contest_data *data = contest_data_of(contest, 1);
    FILE *markdown = report->markdown.stream;
    const contest_settings *settings = &contest->settings;
    add_points(report->csv.stream, contest);
    fprintf(markdown,
            "\n## %s\n\n%s? %u nodes, %u training graphs, %u each for validation and test, batch %u, %u "
            "steps (quadratic: see the "
            "table). "
            "The more frequent label has %.1f%% of the training labels and %.1f%% of the test's.\n\n",
            contest->task->name, contest->task->question, contest->task->n, data->train->graphs,
            data->test->graphs, settings->batch, settings->steps, 100 * experiment_majority(data->train),
            100 * experiment_majority(data->test));
    experiment_print_table(markdown, contest);
    fputc('\n', markdown);
    experiment_print_verdict(markdown, contest);
    fprintf(markdown, "\n![accuracy against steps](%s.svg)\n", contest->task->name);
    if (map_name != NULL) fprintf(markdown, "\n![a learnt edge attention](%s.svg)\n", map_name);
    if (!save_report_file(&report->csv) || !save_report_file(&report->markdown))
        tool_warn(contest->command, "%s; it is tried again at the end", tool_library_message());
}

bool experiment_report_close(const command *command, experiment_report *report) {
    const bool fine = save_report_file(&report->csv) && save_report_file(&report->markdown);
    if (!fine) tool_fail_library(command, NULL);
    free_report_file(&report->csv), free_report_file(&report->markdown);
    return fine;
}
