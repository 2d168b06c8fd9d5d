/* report_plot.c: the times of a report over n, both axes logarithmic, as SVG that is written by hand: the text is
 * drawn by whoever shows it, so the machine that is measured needs no fonts. See report.h.
 */
#include "tool/report.h"

#include <math.h>
#include <string.h>

enum {
    PLOT_PANELS = 3,
    PLOT_MOST_SERIES = 48,
    PLOT_WIDTH = 520, /* of a panel, with its legend */
    PLOT_AREA = 260,  /* of its axes */
    PLOT_LEFT = 54,
    PLOT_TOP = 40,
    PLOT_LINE = 12 /* of the legend */
};

typedef struct plot_series {
    const char *what, *pass, *variant;
} plot_series;

typedef struct plot_panel {
    const char *title;
    bool (*holds)(const char *what);
    const json_t *measurements;
    plot_series series[PLOT_MOST_SERIES];
    uint32_t count;
    double least_n, most_n, least_seconds, most_seconds;
} plot_panel;

static bool plot_is_triangle(const char *what) {
    return strncmp(what, "triangle", 8) == 0;
}
static bool plot_is_edges(const char *what) {
    return strncmp(what, "edges ", 6) == 0;
}
static bool plot_is_other(const char *what) {
    return !plot_is_triangle(what) && !plot_is_edges(what);
}

static bool plot_is_of(const json_t *row, const plot_series *series) {
    return strcmp(report_text_of(row, "what"), series->what) == 0 &&
           strcmp(report_text_of(row, "pass"), series->pass) == 0 &&
           strcmp(report_text_of(row, "variant"), series->variant) == 0;
}

/* Finds the series and the ranges of a panel. */
static void plot_gather(plot_panel *panel) {
    panel->least_n = panel->least_seconds = INFINITY;
    panel->most_n = panel->most_seconds = 0;
    for (size_t k = 0; k < json_array_size(panel->measurements); ++k) {
        const json_t *row = json_array_get(panel->measurements, k);
        if (!panel->holds(report_text_of(row, "what"))) continue;
        uint32_t s = 0;
        while (s < panel->count && !plot_is_of(row, &panel->series[s])) ++s;
        if (s == PLOT_MOST_SERIES) continue;
        if (s == panel->count)
            panel->series[panel->count++] = (plot_series){
                report_text_of(row, "what"), report_text_of(row, "pass"), report_text_of(row, "variant")};
        const double n = fmax(report_number_of(row, "n"), 1), seconds = report_number_of(row, "seconds");
        panel->least_n = fmin(panel->least_n, n), panel->most_n = fmax(panel->most_n, n);
        panel->least_seconds = fmin(panel->least_seconds, seconds);
        panel->most_seconds = fmax(panel->most_seconds, seconds);
    }
    /* Whole powers: of two along n, of ten along the time, and never an empty range. */
    panel->least_n = exp2(floor(log2(panel->least_n))), panel->most_n = exp2(ceil(log2(panel->most_n)));
    panel->least_seconds = pow(10, floor(log10(panel->least_seconds)));
    panel->most_seconds = pow(10, ceil(log10(panel->most_seconds)));
    if (panel->most_n <= panel->least_n) panel->most_n = 2 * panel->least_n;
    if (panel->most_seconds <= panel->least_seconds) panel->most_seconds = 10 * panel->least_seconds;
}

static double plot_x(const plot_panel *panel, double n) {
    return PLOT_LEFT + PLOT_AREA * log(n / panel->least_n) / log(panel->most_n / panel->least_n);
}

static double plot_y(const plot_panel *panel, double seconds) {
    return PLOT_TOP + PLOT_AREA * (1 - log(seconds / panel->least_seconds) /
                                           log(panel->most_seconds / panel->least_seconds));
}

static void plot_put_text(FILE *stream, const char *text) {
    for (; *text != 0; ++text) switch (*text) {
        case '<':
            fputs("&lt;", stream);
            break;
        case '&':
            fputs("&amp;", stream);
            break;
        default:
            fputc((unsigned char)*text < ' ' ? ' ' : *text, stream);
        }
}

static void plot_axes(FILE *stream, const plot_panel *panel) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    for (double seconds = panel->least_seconds; seconds < 1.5 * panel->most_seconds; seconds *= 10) {
        const double y = plot_y(panel, seconds);
        const int unit = (int)fmin(3, fmax(0, floor(log10(seconds * 1.0001) / 3) + 3));
        fprintf(stream,
                "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g %s</text>\n",
                PLOT_LEFT, y, PLOT_LEFT + PLOT_AREA, y, PLOT_LEFT - 4, y + 4, seconds * pow(1000, 3 - unit),
                units[unit]);
    }
    for (double n = panel->least_n; n < 1.5 * panel->most_n; n *= 2)
        fprintf(stream, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", plot_x(panel, n),
                PLOT_TOP + PLOT_AREA + 15, n);
    fprintf(stream, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">n</text>\n", PLOT_LEFT + PLOT_AREA / 2,
            PLOT_TOP + PLOT_AREA + 30);
}

static void plot_line(FILE *stream, const plot_panel *panel, uint32_t index) {
    static const char *const colours[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
                                          "#8c564b", "#e377c2", "#bcbd22", "#17becf", "#444444"};
    const plot_series *series = &panel->series[index];
    const char *colour = colours[index % (sizeof colours / sizeof colours[0])];
    const bool ours = strcmp(series->variant, "quartic") == 0;
    const double legend = PLOT_TOP + PLOT_LINE * (double)index;
    fprintf(stream, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s points=\"", colour,
            ours ? "" : " stroke-dasharray=\"5 3\"");
    for (int pass = 0; pass < 2; ++pass) { /* the line, then its points */
        for (size_t k = 0; k < json_array_size(panel->measurements); ++k) {
            const json_t *row = json_array_get(panel->measurements, k);
            if (!plot_is_of(row, series)) continue;
            const double x = plot_x(panel, fmax(report_number_of(row, "n"), 1));
            const double y = plot_y(panel, report_number_of(row, "seconds"));
            fprintf(stream, pass == 0 ? "%.1f,%.1f " : "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" ", x, y);
            if (pass == 1) fprintf(stream, "fill=\"%s\"/>", colour);
        }
        if (pass == 0) fprintf(stream, "\"/>\n");
    }
    fprintf(stream,
            "\n<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"2\"%s/>"
            "<text x=\"%d\" y=\"%.1f\" font-size=\"10\">",
            PLOT_LEFT + PLOT_AREA + 10, legend, PLOT_LEFT + PLOT_AREA + 30, legend, colour,
            ours ? "" : " stroke-dasharray=\"5 3\"", PLOT_LEFT + PLOT_AREA + 34, legend + 4);
    plot_put_text(stream, series->what);
    fprintf(stream, " ");
    plot_put_text(stream, series->pass);
    if (!ours) {
        fprintf(stream, ", ");
        plot_put_text(stream, series->variant);
    }
    fprintf(stream, "</text>\n");
}

void report_write_plot(FILE *stream, const json_t *report) {
    plot_panel panels[PLOT_PANELS] = {{.title = "Models and products", .holds = plot_is_other},
                                      {.title = "Triangle kernels", .holds = plot_is_triangle},
                                      {.title = "Attention among edges", .holds = plot_is_edges}};
    uint32_t most = 0;
    for (int p = 0; p < PLOT_PANELS; ++p) {
        panels[p].measurements = json_object_get(report, "measurements");
        plot_gather(&panels[p]);
        if (panels[p].count > most) most = panels[p].count;
    }
    const int axes = PLOT_TOP + PLOT_AREA + 50, legend = PLOT_TOP + 20 + (int)most * PLOT_LINE;
    fprintf(stream,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
            "font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            PLOT_PANELS * PLOT_WIDTH, axes > legend ? axes : legend);
    for (int p = 0; p < PLOT_PANELS; ++p) {
        fprintf(stream,
                "<g transform=\"translate(%d 0)\"><text x=\"%d\" y=\"22\" font-size=\"15\">%s</text>\n",
                p * PLOT_WIDTH, PLOT_LEFT, panels[p].title);
        if (panels[p].count == 0)
            fprintf(stream, "<text x=\"%d\" y=\"60\">nothing was measured</text>\n", PLOT_LEFT);
        else
            plot_axes(stream, &panels[p]);
        for (uint32_t s = 0; s < panels[p].count; ++s) plot_line(stream, &panels[p], s);
        fprintf(stream, "</g>\n");
    }
    fprintf(stream, "</svg>\n");
}
