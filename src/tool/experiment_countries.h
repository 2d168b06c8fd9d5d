/* experiment_countries.h: the countries of data/countries.csv, for the task countries. */
#ifndef QUARTIC_TOOL_EXPERIMENT_COUNTRIES_H
#define QUARTIC_TOOL_EXPERIMENT_COUNTRIES_H

#include <stdbool.h>

#include "tool/experiment_tasks.h"

enum { COUNTRIES_MOST = 256, COUNTRIES_MOST_PARTS = 32, COUNTRIES_CODE_BYTES = 4, COUNTRIES_PART_BYTES = 32 };

typedef struct countries_table {
    uint32_t countries, parts;
    char codes[COUNTRIES_MOST][COUNTRIES_CODE_BYTES];
    char part_names[COUNTRIES_MOST_PARTS][COUNTRIES_PART_BYTES];
    uint8_t part_of[COUNTRIES_MOST];
    bool borders[COUNTRIES_MOST][COUNTRIES_MOST];
} countries_table;

/* The table, read on the first call; it lasts as long as the program. */
const countries_table *countries_read(void);
/* For what the pair of a country and a part is asked: the same in every run. Only pairs for training are ever given as
 * edges, in graphs for training, validation and test alike. */
experiment_part countries_share(uint32_t country, uint32_t part);
/* Draws a graph as experiment_draw_countries does. out_entities: (n), of node i the country, or COUNTRIES_MOST + the
 * part. */
bool countries_draw(const experiment_task *task, experiment_source *source, const experiment_graph *graph,
                    uint32_t *out_entities);

#endif
