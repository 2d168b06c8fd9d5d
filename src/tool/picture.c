/* picture.c: attention maps through cairo. See picture.h.
 *
 * Layout: a row of tiles for each layer, with a tile for each head and then one for the strength of the
 * edges, |e_ij| above the least of the layer. Row i of a tile is the byte that attends, column j the byte
 * attended to; dark is much. Every tile is scaled by its own greatest value, since causal rows differ in
 * length. Below the tiles, an arc leads from each byte to the other byte to which the heads of the last layer
 * give most on average.
 */
#include "tool/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quartic/io.h"

enum {
    MARGIN = 28,      /* around everything, in pixels */
    GAP = 34,         /* between tiles: room for their names and labels */
    TILE = 220,       /* wanted side of a tile */
    LETTER = 13,      /* width of a letter of the text below */
    ARC_HEIGHT = 140, /* at most */
    WIDEST = 16000    /* cairo's images end at 32767 */
};

typedef struct layout {
    int cell, tile, columns, width, height, arcs, text_line;
} layout;

/* A byte as something that can be drawn. */
static const char *byte_glyph(uint8_t byte, char buffer[2]) {
    if (byte == '\n') return "\xe2\x86\xb5"; /* an arrow for the new line */
    if (byte == ' ') return "\xc2\xb7";
    if (byte < 0x20 || byte >= 0x7f) return "\xe2\x96\xa1";
    buffer[0] = (char)byte;
    buffer[1] = 0;
    return buffer;
}

/* The other byte to which byte i of the last layer gives most, on average over the heads, and how much. */
static uint32_t strongest_link(const picture_contents *contents, uint32_t i, double *out_weight) {
    uint32_t n = contents->n, best = i;
    const float *last =
        contents->attention + (size_t)(contents->layers - 1) * contents->heads * n * n; // (h, i, j)
    *out_weight = 0;
    for (uint32_t j = 0; j < n; ++j) {
        double weight = 0;
        for (uint32_t head = 0; head < contents->heads; ++head)
            weight += (double)last[((size_t)head * n + i) * n + j] / contents->heads;
        if (j == i || weight <= *out_weight) continue;
        best = j;
        *out_weight = weight;
    }
    return best;
}

/* How far above the text the arc between two bytes reaches. */
static double arc_height(uint32_t i, uint32_t j) {
    double distance = i < j ? (double)(j - i) : (double)(i - j);
    return fmin((double)ARC_HEIGHT, 10 + 0.45 * (double)LETTER * distance);
}

/* The highest arc. */
static double arcs_height(const picture_contents *contents) {
    double highest = 0, weight;
    for (uint32_t i = 0; i < contents->n; ++i)
        highest = fmax(highest, arc_height(i, strongest_link(contents, i, &weight)));
    return highest;
}

static layout plan_layout(const picture_contents *contents) {
    int n = (int)contents->n;
    layout plan = {.cell = TILE / n < 1    ? 1
                           : TILE / n > 24 ? 24
                                           : TILE / n,
                   .columns = (int)contents->heads + (contents->edges != NULL)};
    while (plan.cell > 1 && plan.columns * (n * plan.cell + GAP) > WIDEST) --plan.cell;
    plan.tile = n * plan.cell;
    int tiles = plan.columns * (plan.tile + GAP), letters = n * LETTER;
    plan.width = 2 * MARGIN + (tiles > letters ? tiles : letters);
    plan.arcs = 14 + (int)arcs_height(contents);
    plan.text_line = MARGIN + (int)contents->layers * (plan.tile + GAP) + plan.arcs;
    plan.height = plan.text_line + 2 * MARGIN;
    return plan;
}

/* White over orange and red to near black as share goes from 0 to 1. */
static void set_heat(cairo_t *cairo, double share) {
    static const double stops[][3] = {
        {1, 1, 1}, {0.99, 0.75, 0.36}, {0.84, 0.25, 0.31}, {0.35, 0.05, 0.39}, {0.05, 0.02, 0.12}};
    enum { LAST = sizeof stops / sizeof stops[0] - 1 };
    double at = (share < 0 ? 0 : share > 1 ? 1 : share) * (double)LAST;
    int low = at >= (double)LAST ? LAST - 1 : (int)at;
    double part = at - low, colour[3];
    for (int k = 0; k < 3; ++k) colour[k] = stops[low][k] + part * (stops[low + 1][k] - stops[low][k]);
    cairo_set_source_rgb(cairo, colour[0], colour[1], colour[2]);
}

void picture_draw_text(cairo_t *cairo, double x, double y, double size, const char *text) {
    cairo_set_font_size(cairo, size);
    cairo_move_to(cairo, x, y);
    cairo_show_text(cairo, text);
}

/* One map (i, j) with its name above and, where there is room, the text along both sides. */
static void draw_tile(cairo_t *cairo, const picture_contents *contents, const layout *plan, int layer,
                      int column, const double *map, const char *name) {
    double left = MARGIN + column * (plan->tile + GAP), top = MARGIN + layer * (plan->tile + GAP);
    double most = 0;
    uint32_t n = contents->n;
    for (size_t k = 0; k < (size_t)n * n; ++k) most = fmax(most, map[k]);
    for (uint32_t i = 0; i < n; ++i) {
        for (uint32_t j = 0; j < n; ++j) {
            set_heat(cairo, most > 0 ? map[(size_t)i * n + j] / most : 0);
            cairo_rectangle(cairo, left + (int)j * plan->cell, top + (int)i * plan->cell, plan->cell,
                            plan->cell);
            cairo_fill(cairo);
        }
    }
    cairo_set_source_rgb(cairo, 0.6, 0.6, 0.6);
    cairo_set_line_width(cairo, 1);
    cairo_rectangle(cairo, left - 0.5, top - 0.5, plan->tile + 1, plan->tile + 1);
    cairo_stroke(cairo);
    cairo_set_source_rgb(cairo, 0.1, 0.1, 0.1);
    picture_draw_text(cairo, left, top - 14, 11, name);
    if (plan->cell < 6) return;
    char buffer[2];
    for (uint32_t k = 0; k < n; ++k) {
        double size = fmin(plan->cell, 11);
        picture_draw_text(cairo, left - 10, top + (k + 0.8) * plan->cell, size,
                          byte_glyph(contents->text[k], buffer));
        picture_draw_text(cairo, left + (k + 0.2) * plan->cell, top - 3, size,
                          byte_glyph(contents->text[k], buffer));
    }
}

static void draw_layer(cairo_t *cairo, const picture_contents *contents, const layout *plan, uint32_t layer,
                       double *map) {
    size_t pairs = (size_t)contents->n * contents->n;
    char name[64];
    for (uint32_t head = 0; head < contents->heads; ++head) {
        const float *attention = contents->attention + (layer * contents->heads + head) * pairs; // (i, j)
        for (size_t k = 0; k < pairs; ++k) map[k] = (double)attention[k];
        snprintf(name, sizeof name, "layer %u, head %u", layer + 1, head + 1);
        draw_tile(cairo, contents, plan, (int)layer, (int)head, map, name);
    }
    if (contents->edges == NULL) return;
    const float *edges = contents->edges + layer * pairs * contents->edge_width; // (i, j, De)
    double least = INFINITY;
    for (size_t k = 0; k < pairs; ++k) {
        double squares = 0;
        for (uint32_t d = 0; d < contents->edge_width; ++d) {
            double number = (double)edges[k * contents->edge_width + d];
            squares += number * number;
        }
        bool hidden = contents->causal && k % contents->n > k / contents->n;
        map[k] = hidden ? 0 : sqrt(squares);
        if (!hidden) least = fmin(least, map[k]);
    }
    for (size_t k = 0; k < pairs; ++k) map[k] = fmax(0, map[k] - least);
    snprintf(name, sizeof name, "layer %u, edges |e_ij|", layer + 1);
    draw_tile(cairo, contents, plan, (int)layer, (int)contents->heads, map, name);
}

static void draw_arcs(cairo_t *cairo, const picture_contents *contents, const layout *plan) {
    double base = plan->text_line;
    char buffer[2];
    cairo_set_source_rgb(cairo, 0.1, 0.1, 0.1);
    for (uint32_t i = 0; i < contents->n; ++i)
        picture_draw_text(cairo, (double)MARGIN + (double)i * (double)LETTER + 2, base + 16, 14,
                          byte_glyph(contents->text[i], buffer));
    picture_draw_text(cairo, MARGIN, base + 38, 11,
                      "each byte and the other byte to which the last layer's heads give most on average");
    for (uint32_t i = 0; i < contents->n; ++i) {
        double weight;
        uint32_t j = strongest_link(contents, i, &weight);
        if (j == i) continue;
        double from = (double)MARGIN + (i + 0.5) * (double)LETTER,
               to = (double)MARGIN + (j + 0.5) * (double)LETTER;
        double height = arc_height(i, j);
        cairo_set_source_rgba(cairo, 0.55, 0.1, 0.4, 0.25 + 0.75 * weight);
        cairo_set_line_width(cairo, 0.7 + 2 * weight);
        cairo_move_to(cairo, from, base);
        cairo_curve_to(cairo, from, base - 1.3 * height, to, base - 1.3 * height, to, base);
        cairo_stroke(cairo);
    }
}

cairo_status_t picture_add_bytes(void *closure, const unsigned char *data, unsigned int count) {
    picture_bytes *to = closure;
    if (to->capacity - to->count < count) {
        const size_t capacity = 2 * to->capacity + count;
        unsigned char *grown = tool_alloc(capacity, 1);
        if (to->count > 0) memcpy(grown, to->bytes, to->count);
        free(to->bytes);
        to->bytes = grown, to->capacity = capacity;
    }
    if (count > 0) memcpy(to->bytes + to->count, data, count);
    to->count += count;
    return CAIRO_STATUS_SUCCESS;
}

static const char cannot_write[] = "cannot write "; /* how messages of the writer begin */

bool picture_write(const command *command, cairo_status_t status, picture_bytes *drawn, const char *path) {
    bool fine = false;
    if (status != CAIRO_STATUS_SUCCESS)
        tool_fail(command, NULL, "cannot draw the picture %s: %s", path, cairo_status_to_string(status));
    else if (quartic_file_save(path, drawn->bytes, drawn->count) == QUARTIC_OK)
        fine = true;
    else if (strncmp(tool_library_message(), cannot_write, strlen(cannot_write)) == 0)
        tool_fail(command, NULL, "%sthe picture %s", cannot_write,
                  tool_library_message() + strlen(cannot_write));
    else
        tool_fail_library(command, NULL);
    free(drawn->bytes);
    *drawn = (picture_bytes){0};
    return fine;
}

static bool write_png(const command *command, cairo_surface_t *surface, const char *path) {
    picture_bytes png = {0};
    const cairo_status_t status = cairo_surface_write_to_png_stream(surface, picture_add_bytes, &png);
    return picture_write(command, status, &png, path);
}

bool picture_save(const command *command, const char *path, const picture_contents *contents) {
    layout where = plan_layout(contents);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, where.width, where.height);
    cairo_t *cairo = cairo_create(surface);
    double *map = tool_alloc((size_t)contents->n * contents->n, sizeof *map); // (i, j)
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    cairo_set_antialias(cairo, CAIRO_ANTIALIAS_DEFAULT);
    cairo_select_font_face(cairo, "monospace", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    for (uint32_t layer = 0; layer < contents->layers; ++layer)
        draw_layer(cairo, contents, &where, layer, map);
    draw_arcs(cairo, contents, &where);
    cairo_status_t status = cairo_status(cairo);
    bool fine = status == CAIRO_STATUS_SUCCESS;
    if (!fine)
        tool_fail(command, NULL, "a picture of %d x %d pixels cannot be drawn: %s", where.width, where.height,
                  cairo_status_to_string(status));
    fine = fine && write_png(command, surface, path);
    free(map);
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    return fine;
}
