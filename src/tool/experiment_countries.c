/* experiment_countries.c: real relations: countries, borders and parts of the world. See experiment_countries.h and
 * experiment_draw.h. The lines of data/countries.csv are in countries_lines, which the build makes.
 */
#include "tool/experiment_countries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/experiment_draw.h"

extern const char *const countries_lines[]; /* without the heading; the last is NULL */

enum { PARTS_OF_GRAPH = 8, FEWEST_ASKED = 2, SHARES = 4, BORDER = 1, LIES_IN = 2 };

/* ---- the table ---- */

static uint32_t countries_find(const countries_table *table, const char *code) {
    for (uint32_t k = 0; k < table->countries; ++k)
        if (strncmp(table->codes[k], code, COUNTRIES_CODE_BYTES - 1) == 0) return k;
    return COUNTRIES_MOST;
}

/* A table that the build has made wrongly ends the program: no graph could be trusted. */
static void countries_need(bool fine, const char *line) {
    if (fine) return;
    fprintf(stderr, "quartic: data/countries.csv: this line cannot be read: %s\n", line);
    abort();
}

static void countries_add(countries_table *table, const char *line) {
    const char *comma = strchr(line, ','), *end = comma == NULL ? NULL : strchr(comma + 1, ',');
    countries_need(end != NULL && comma - line == COUNTRIES_CODE_BYTES - 1 &&
                       end - comma - 1 < COUNTRIES_PART_BYTES && table->countries < COUNTRIES_MOST,
                   line);
    char name[COUNTRIES_PART_BYTES] = {0};
    memcpy(name, comma + 1, (size_t)(end - comma - 1));
    uint32_t part = 0;
    while (part < table->parts && strcmp(table->part_names[part], name) != 0) ++part;
    if (part == table->parts) {
        countries_need(table->parts < COUNTRIES_MOST_PARTS, line);
        memcpy(table->part_names[table->parts++], name, sizeof name);
    }
    memcpy(table->codes[table->countries], line, COUNTRIES_CODE_BYTES - 1);
    table->part_of[table->countries++] = (uint8_t)part;
}

const countries_table *countries_read(void) {
    static countries_table table;
    if (table.countries > 0) return &table;
    for (uint32_t k = 0; countries_lines[k] != NULL; ++k) countries_add(&table, countries_lines[k]);
    for (uint32_t k = 0; countries_lines[k] != NULL; ++k)
        for (const char *at = strrchr(countries_lines[k], ',') + 1;; at += COUNTRIES_CODE_BYTES) {
            const uint32_t other = countries_find(&table, at);
            countries_need(other < COUNTRIES_MOST, countries_lines[k]);
            table.borders[k][other] = true;
            if (at[COUNTRIES_CODE_BYTES - 1] == 0) break;
        }
    return &table;
}

experiment_part countries_share(uint32_t country, uint32_t part) {
    const uint64_t share = experiment_mix((uint64_t)country * COUNTRIES_MOST_PARTS + part + 1) % SHARES;
    return share == 0 ? EXPERIMENT_TEST : share == 1 ? EXPERIMENT_VALIDATION : EXPERIMENT_TRAIN;
}

/* ---- the graph ---- */

/* Each country borders on one of those before, where there is such a one left. */
static void countries_choose(experiment_source *source, const countries_table *table, uint32_t count,
                             uint32_t *out_countries) {
    bool chosen[COUNTRIES_MOST] = {false}, near[COUNTRIES_MOST] = {false};
    for (uint32_t k = 0; k < count; ++k) {
        uint32_t fitting[COUNTRIES_MOST], found = 0;
        for (uint32_t pass = 0; found == 0 && pass < 2; ++pass)
            for (uint32_t c = 0; c < table->countries; ++c)
                if (!chosen[c] && (near[c] || pass == 1)) fitting[found++] = c;
        const uint32_t next = fitting[experiment_below(source, found)];
        chosen[next] = true;
        out_countries[k] = next;
        for (uint32_t c = 0; c < table->countries; ++c) near[c] = near[c] || table->borders[next][c];
    }
}

/* The parts of these countries, as far as there is room, then others, in random order. */
static void countries_choose_parts(experiment_source *source, const countries_table *table,
                                   const uint32_t *countries, uint32_t count, uint32_t *out_parts) {
    uint32_t order[COUNTRIES_MOST_PARTS], found = 0;
    experiment_permutation(source, table->parts, order);
    for (uint32_t needed = 2; needed-- > 0;)
        for (uint32_t k = 0; k < table->parts && found < PARTS_OF_GRAPH; ++k) {
            uint32_t holds = 0;
            for (uint32_t c = 0; c < count; ++c) holds |= table->part_of[countries[c]] == order[k];
            if (holds == needed) out_parts[found++] = order[k];
        }
}

bool countries_draw(const experiment_task *task, experiment_source *source, const experiment_graph *graph,
                    uint32_t *out_entities) {
    const countries_table *table = countries_read();
    const uint32_t n = task->n, count = n - PARTS_OF_GRAPH;
    uint32_t place[EXPERIMENT_MOST_NODES], countries[EXPERIMENT_MOST_NODES], parts[PARTS_OF_GRAPH],
        of[2] = {0, 0};
    bool hidden[EXPERIMENT_MOST_NODES], shown_part[PARTS_OF_GRAPH] = {false};
    countries_choose(source, table, count, countries);
    countries_choose_parts(source, table, countries, count, parts);
    experiment_permutation(source, n, place); /* countries first, then parts */
    memset(graph->edge_types, 0, (size_t)n * n * sizeof graph->edge_types[0]);
    for (uint32_t k = 0; k < n * n; ++k) graph->targets[k] = -1;
    for (uint32_t k = 0; k < n; ++k) {
        graph->tokens[place[k]] = k >= count;
        out_entities[place[k]] = k < count ? countries[k] : COUNTRIES_MOST + parts[k - count];
    }
    for (uint32_t a = 0; a < count; ++a) {
        const uint32_t part = table->part_of[countries[a]];
        for (uint32_t b = 0; b < count; ++b)
            if (table->borders[countries[a]][countries[b]])
                graph->edge_types[place[a] * n + place[b]] = BORDER;
        hidden[a] = countries_share(countries[a], part) != EXPERIMENT_TRAIN ||
                    (graph->part == EXPERIMENT_TRAIN && experiment_below(source, 2) == 0);
        for (uint32_t p = 0; p < PARTS_OF_GRAPH && !hidden[a]; ++p) {
            if (parts[p] != part) continue;
            shown_part[p] = true;
            graph->edge_types[place[a] * n + place[count + p]] = LIES_IN;
            graph->edge_types[place[count + p] * n + place[a]] = LIES_IN;
        }
    }
    /* Parts without a country to be seen are no question: they would be told by that. */
    for (uint32_t a = 0; a < count; ++a)
        for (uint32_t p = 0; p < PARTS_OF_GRAPH; ++p) {
            if (!hidden[a] || !shown_part[p] || countries_share(countries[a], parts[p]) != graph->part)
                continue;
            const uint32_t lies = table->part_of[countries[a]] == parts[p];
            graph->targets[place[a] * n + place[count + p]] = (int32_t)lies;
            ++of[lies];
        }
    return of[0] >= FEWEST_ASKED && of[1] >= FEWEST_ASKED;
}

bool experiment_draw_countries(const experiment_task *task, experiment_source *source, uint32_t label,
                               const experiment_graph *graph) {
    uint32_t entities[EXPERIMENT_MOST_NODES];
    (void)label;
    return countries_draw(task, source, graph, entities);
}
