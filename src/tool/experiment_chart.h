/* experiment_chart.h: pictures of a contest, each as SVG and PNG: the accuracy of every contestant against
 * the steps, and a map of a learnt edge attention. */
#ifndef QUARTIC_TOOL_EXPERIMENT_CHART_H
#define QUARTIC_TOOL_EXPERIMENT_CHART_H

#include "tool/experiment_contest.h"

/* FOLDER/NAME.svg and .png of curves: a line for each form and for the best baseline of each kind, the mean
 * over seeds, with their range as a band; chance as a dashed line. On failure prints why and returns false.
 */
bool experiment_chart_curves(const contest *contest, const char *folder);

/* A map of attention over pivots for one receiving node i, and which pivots count. */
typedef struct experiment_map {
    uint32_t n, i, layers, heads;
    const float *attention; // (layers, heads, j, l): of edge (i, j), rows sum to 1
    const uint8_t *marked;  // (j, l): l is on a way i -> l -> j
    const char *title;
} experiment_map;

/* FOLDER/NAME.svg and .png of it. */
bool experiment_chart_map(const command *command, const experiment_map *map, const char *folder,
                          const char *name);

#endif
