/* picture.h: what a model attends to, as a PNG: a map of all n x n directed edges per head and layer, the
 * strength of the edges themselves, and the text with its strongest links as arcs. */
#ifndef QUARTIC_TOOL_PICTURE_H
#define QUARTIC_TOOL_PICTURE_H

#include <cairo.h>

#include "tool/tool.h"

typedef struct picture_contents {
    const uint8_t *text;    // (n)
    const float *attention; // (layers, heads, i, j), rows sum to 1
    const float *edges;     // (layers, i, j, edge_width), or NULL: none are drawn
    uint32_t n, layers, heads, edge_width;
    bool causal; /* edges to later bytes have no influence and are left blank */
} picture_contents;

/* Draws and writes the file as a whole. On failure prints why and returns false. */
bool picture_save(const command *command, const char *path, const picture_contents *contents);

/* Writes a text that begins at (x, y) on its base line, in the current colour. */
void picture_draw_text(cairo_t *cairo, double x, double y, double size, const char *text);

/* What cairo has drawn, in memory: pictures go through the project's one file writer, too. */
typedef struct picture_bytes {
    unsigned char *bytes;
    size_t count, capacity;
} picture_bytes;

/* For cairo's streams; closure is the picture_bytes. */
cairo_status_t picture_add_bytes(void *closure, const unsigned char *data, unsigned int count);
/* Writes the file, unless the status says that drawing failed, and frees the bytes. On failure prints why and
 * returns false. */
bool picture_write(const command *command, cairo_status_t status, picture_bytes *drawn, const char *path);

#endif
