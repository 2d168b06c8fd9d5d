/* experiment_chart.c: curves and maps through cairo. See experiment_chart.h.
 *
 * A picture is drawn twice by the same function, on an SVG surface and on an image. Steps are on a
 * logarithmic axis, since baselines have several times as many.
 */
#include "tool/experiment_chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairo-svg.h>

#include "tool/files.h"
#include "tool/picture.h"

enum {
    WIDTH = 1000,
    HEIGHT = 560,
    LEFT = 60,
    TOP = 46,
    PLOT_WIDTH = 620,
    PLOT_HEIGHT = 450,
    LEGEND = LEFT + PLOT_WIDTH + 20,
    LINE = 17, /* of the legend */
    CELL = 15, /* of a map */
    MAP_GAP = 44,
    MOST_CURVES = 32,
    PATH_ROOM = 64
};
static const double floor_accuracy = 0.4; /* where the axis begins */

typedef void (*painter)(cairo_t *cairo, const void *what);

/* Draws on the surface, closes it, and writes what it gave: an image as a PNG, else the surface's stream. */
static bool paint_surface(const command *command, cairo_surface_t *surface, bool image, picture_bytes *drawn,
                          painter draw, const void *what, int width, int height, const char *path) {
    cairo_t *cairo = cairo_create(surface);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_rectangle(cairo, 0, 0, width, height);
    cairo_fill(cairo);
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    draw(cairo, what);
    cairo_destroy(cairo);
    cairo_surface_flush(surface);
    cairo_status_t status =
        image ? cairo_surface_write_to_png_stream(surface, picture_add_bytes, drawn) : CAIRO_STATUS_SUCCESS;
    cairo_surface_finish(surface);
    if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    return picture_write(command, status, drawn, path);
}

static bool save_both(const command *command, const char *folder, const char *name, painter draw,
                      const void *what, int width, int height) {
    char file[TOOL_PATH_BYTES], svg[TOOL_PATH_BYTES], png[TOOL_PATH_BYTES];
    picture_bytes drawn = {0};
    snprintf(file, sizeof file, "%s.svg", name);
    if (!tool_join(command, folder, file, svg)) return false;
    snprintf(file, sizeof file, "%s.png", name);
    if (!tool_join(command, folder, file, png)) return false;
    return paint_surface(command,
                         cairo_svg_surface_create_for_stream(picture_add_bytes, &drawn, width, height), false,
                         &drawn, draw, what, width, height, svg) &&
           paint_surface(command, cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height), true, &drawn,
                         draw, what, width, height, png);
}

/* ---- curves ---- */

typedef struct curves {
    const contest *contest;
    const contestant *shown[MOST_CURVES];
    uint32_t count, most_steps;
} curves;

static double at_step(const curves *curves, double step) {
    return (double)LEFT + (double)PLOT_WIDTH * log(1 + step) / log(1 + curves->most_steps);
}

static double at_accuracy(double accuracy) {
    const double share = (fmax(accuracy, floor_accuracy) - floor_accuracy) / (1 - floor_accuracy);
    return (double)TOP + (double)PLOT_HEIGHT * (1 - share);
}

/* Colours that keep apart for the forms; greys for the baselines. */
static void set_colour(cairo_t *cairo, const contestant *who, uint32_t index, double alpha) {
    static const double colours[][3] = {{0.12, 0.47, 0.71}, {1.00, 0.50, 0.05}, {0.17, 0.63, 0.17},
                                        {0.84, 0.15, 0.16}, {0.58, 0.40, 0.74}, {0.55, 0.34, 0.29},
                                        {0.89, 0.47, 0.76}, {0.74, 0.74, 0.13}, {0.09, 0.75, 0.81}};
    enum { COLOURS = sizeof colours / sizeof colours[0] };
    const double *colour = colours[index % COLOURS];
    if (who->baseline) {
        const double grey = 0.15 + 0.12 * (index % 5);
        cairo_set_source_rgba(cairo, grey, grey, grey, alpha);
    } else
        cairo_set_source_rgba(cairo, colour[0], colour[1], colour[2], alpha);
}

static void set_dashes(cairo_t *cairo, const contestant *who) {
    static const double dashes[] = {6, 3}, dots[] = {2, 2};
    if (who->baseline)
        cairo_set_dash(cairo, who->encoding != CONTEST_PLAIN ? dots : dashes, 2, 0);
    else
        cairo_set_dash(cairo, dots, who->encoding != CONTEST_PLAIN ? 2 : 0, 0);
}

/* Accuracy of a run after so many evaluations; a run that ended stays where it was. */
static double accuracy_at(const contest_run *run, uint32_t point) {
    return run->points[point < run->point_count ? point : run->point_count - 1].accuracy;
}

/* Mean, least and most at each evaluation; the run with most of them tells the steps. */
static void draw_curve(cairo_t *cairo, const curves *curves, uint32_t index) {
    const contestant *who = curves->shown[index];
    const contest *contest = curves->contest;
    const contest_run *longest = NULL;
    for (uint32_t k = 0; k < contest->run_count; ++k) {
        const contest_run *run = &contest->runs[k];
        if (run->who == who && run->chosen && (longest == NULL || run->point_count > longest->point_count))
            longest = run;
    }
    if (longest == NULL) return;
    double *mean = tool_alloc(longest->point_count, sizeof *mean),
           *least = tool_alloc(longest->point_count, sizeof *least),
           *most = tool_alloc(longest->point_count, sizeof *most);
    for (uint32_t p = 0; p < longest->point_count; ++p) {
        uint32_t runs = 0;
        least[p] = 1;
        for (uint32_t k = 0; k < contest->run_count; ++k) {
            const contest_run *run = &contest->runs[k];
            if (run->who != who || !run->chosen) continue;
            const double accuracy = accuracy_at(run, p);
            ++runs;
            mean[p] += accuracy;
            least[p] = fmin(least[p], accuracy);
            most[p] = fmax(most[p], accuracy);
        }
        mean[p] /= runs;
    }
    for (uint32_t p = 0; p < longest->point_count; ++p)
        cairo_line_to(cairo, at_step(curves, longest->points[p].step), at_accuracy(most[p]));
    for (uint32_t p = longest->point_count; p-- > 0;)
        cairo_line_to(cairo, at_step(curves, longest->points[p].step), at_accuracy(least[p]));
    cairo_close_path(cairo);
    set_colour(cairo, who, index, 0.15);
    cairo_fill(cairo);
    for (uint32_t p = 0; p < longest->point_count; ++p)
        cairo_line_to(cairo, at_step(curves, longest->points[p].step), at_accuracy(mean[p]));
    set_colour(cairo, who, index, 1);
    set_dashes(cairo, who);
    cairo_set_line_width(cairo, 2);
    cairo_stroke(cairo);
    cairo_set_dash(cairo, NULL, 0, 0);
    free(mean);
    free(least);
    free(most);
}

static void draw_axes(cairo_t *cairo, const curves *curves) {
    char text[64];
    cairo_set_line_width(cairo, 1);
    for (int tenth = 4; tenth <= 10; ++tenth) {
        const double y = at_accuracy(0.1 * tenth);
        cairo_set_source_rgb(cairo, 0.88, 0.88, 0.88);
        cairo_move_to(cairo, LEFT, y);
        cairo_line_to(cairo, LEFT + PLOT_WIDTH, y);
        cairo_stroke(cairo);
        cairo_set_source_rgb(cairo, 0.2, 0.2, 0.2);
        snprintf(text, sizeof text, "%d%%", 10 * tenth);
        picture_draw_text(cairo, LEFT - 42, y + 4, 12, text);
    }
    for (uint32_t step = 1; step <= curves->most_steps; step *= 10)
        for (uint32_t of = 1; of < 10; of += of == 1 ? 1 : 3) { /* 1, 2, 5 */
            if (of > 5 || step * of > curves->most_steps) continue;
            snprintf(text, sizeof text, "%u", step * of);
            picture_draw_text(cairo, at_step(curves, step * of) - 6, TOP + PLOT_HEIGHT + 18, 12, text);
        }
    picture_draw_text(cairo, (double)LEFT + (double)PLOT_WIDTH / 2.0 - 60,
                      (double)TOP + (double)PLOT_HEIGHT + 38, 13, "training steps");
    snprintf(text, sizeof text, "%s", curves->contest->task->name);
    picture_draw_text(cairo, LEFT, TOP - 24, 16, text);
    snprintf(text, sizeof text, "%s?", curves->contest->task->question);
    picture_draw_text(cairo, LEFT, TOP - 8, 12, text);
    const double chance = at_accuracy(experiment_majority(curves->contest->data[0].test));
    const double dash[] = {3, 5};
    cairo_set_source_rgb(cairo, 0.7, 0.1, 0.1);
    cairo_set_dash(cairo, dash, 2, 0);
    cairo_move_to(cairo, LEFT, chance);
    cairo_line_to(cairo, LEFT + PLOT_WIDTH, chance);
    cairo_stroke(cairo);
    cairo_set_dash(cairo, NULL, 0, 0);
    picture_draw_text(cairo, LEFT + 4, chance + 14, 12, "chance");
}

static void draw_curves(cairo_t *cairo, const void *what) {
    const curves *curves = what;
    draw_axes(cairo, curves);
    for (uint32_t k = 0; k < curves->count; ++k) draw_curve(cairo, curves, k);
    for (uint32_t k = 0; k < curves->count; ++k) {
        const double y = TOP + 8 + k * LINE;
        char text[CONTEST_NAME_BYTES + 32];
        set_colour(cairo, curves->shown[k], k, 1);
        set_dashes(cairo, curves->shown[k]);
        cairo_set_line_width(cairo, 2.5);
        cairo_move_to(cairo, LEGEND, y);
        cairo_line_to(cairo, LEGEND + 28, y);
        cairo_stroke(cairo);
        cairo_set_dash(cairo, NULL, 0, 0);
        cairo_set_source_rgb(cairo, 0.1, 0.1, 0.1);
        snprintf(text, sizeof text, "%s: %.1f%%", curves->shown[k]->name,
                 100 * contest_score_of(curves->contest, curves->shown[k]).mean);
        picture_draw_text(cairo, LEGEND + 34, y + 4, 12, text);
    }
}

/* Whether another baseline of the same kind did better, so that this one is left out of the picture. */
static bool is_not_best_baseline(const contest *contest, uint32_t index) {
    const contestant *who = &contest->contestants[index];
    for (uint32_t k = 0; k < contest->contestant_count && who->baseline; ++k) {
        const contestant *other = &contest->contestants[k];
        if (k == index || strcmp(other->form, who->form) != 0 || other->encoding != who->encoding) continue;
        const double mine = contest_score_of(contest, who).mean, its = contest_score_of(contest, other).mean;
        if (its > mine || (its == mine && k < index)) return true;
    }
    return false;
}

bool experiment_chart_curves(const contest *contest, const char *folder) {
    curves curves = {.contest = contest, .most_steps = 1};
    for (uint32_t k = 0; k < contest->contestant_count && curves.count < MOST_CURVES; ++k) {
        if (is_not_best_baseline(contest, k)) continue;
        curves.shown[curves.count++] = &contest->contestants[k];
        if (contest->contestants[k].steps > curves.most_steps)
            curves.most_steps = contest->contestants[k].steps;
    }
    const int legend = TOP + 40 + (int)curves.count * LINE;
    return save_both(contest->command, folder, contest->task->name, draw_curves, &curves, WIDTH,
                     legend > HEIGHT ? legend : HEIGHT);
}

/* ---- maps ---- */

static void draw_map(cairo_t *cairo, const void *what) {
    const experiment_map *map = what;
    const uint32_t n = map->n;
    const double side = n * CELL;
    char text[64];
    cairo_set_source_rgb(cairo, 0.1, 0.1, 0.1);
    picture_draw_text(cairo, LEFT, 22, 14, map->title);
    for (uint32_t layer = 0; layer < map->layers; ++layer)
        for (uint32_t head = 0; head < map->heads; ++head) {
            const double left = (double)LEFT + head * (side + (double)MAP_GAP),
                         top = (double)TOP + 20 + layer * (side + (double)MAP_GAP);
            const float *weights = map->attention + (size_t)(layer * map->heads + head) * n * n; // (j, l)
            snprintf(text, sizeof text, "layer %u, head %u", layer + 1, head + 1);
            cairo_set_source_rgb(cairo, 0.1, 0.1, 0.1);
            picture_draw_text(cairo, left, top - 6, 12, text);
            for (uint32_t j = 0; j < n; ++j)
                for (uint32_t l = 0; l < n; ++l) {
                    const double x = left + l * CELL, y = top + j * CELL;
                    const double weight = sqrt(fmin(1, (double)weights[j * n + l])); /* small ones show too */
                    cairo_set_source_rgb(cairo, 1 - weight, 1 - 0.75 * weight, 1 - 0.35 * weight);
                    cairo_rectangle(cairo, x, y, CELL, CELL);
                    cairo_fill(cairo);
                    if (!map->marked[j * n + l]) continue;
                    cairo_set_source_rgb(cairo, 0.84, 0.15, 0.16);
                    cairo_arc(cairo, x + (double)CELL / 2.0, y + (double)CELL / 2.0, 2.5, 0, 6.2831853);
                    cairo_fill(cairo);
                }
            cairo_set_source_rgb(cairo, 0.6, 0.6, 0.6);
            cairo_set_line_width(cairo, 1);
            cairo_rectangle(cairo, left, top, side, side);
            cairo_stroke(cairo);
        }
    cairo_set_source_rgb(cairo, 0.1, 0.1, 0.1);
    snprintf(text, sizeof text, "rows: j, columns: l, for i = %u", map->i);
    picture_draw_text(cairo, (double)LEFT, (double)TOP + 20 + map->layers * (side + (double)MAP_GAP) - 18, 12,
                      text);
    picture_draw_text(cairo, (double)LEFT + 230,
                      (double)TOP + 20 + map->layers * (side + (double)MAP_GAP) - 18, 12,
                      "blue: attention of edge (i, j) to the pair (i, l), (l, j); red dot: i -> l -> j");
}

bool experiment_chart_map(const command *command, const experiment_map *map, const char *folder,
                          const char *name) {
    const int side = (int)map->n * CELL + MAP_GAP, width = 2 * LEFT + (int)map->heads * side;
    return save_both(command, folder, name, draw_map, map, width < WIDTH ? WIDTH : width,
                     TOP + 40 + (int)map->layers * side);
}
