/* pairs.c: `quartic pairs`: which form of edge attention tells which pairs of graphs apart, with random weights. See
 * pairs.h for the pairs, docs/which-edge-attention.md for what it means.
 *
 * A relational model without positions reads out all edges. Two graphs are compared by each class's logits in
 * ascending order, so the order of the nodes does not matter; the largest difference, in units of the largest
 * logit, is the gap. Each graph is also given with its nodes renamed: the gap between a graph and itself is the
 * noise. Everything is computed in double, and logits come out as float32, so noise below 2^-23 counts as that.
 *
 *   apart    with some weights the gap is 100 times the noise or more
 *   alike    with all weights the gap is 4 times the noise or less
 *   unclear  neither, or the noise itself is 16 * 2^-23 or more: the answer depends on the order of the nodes
 */
#include "tool/pairs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quartic/quartic.h"
#include "tool/models.h"

enum { COPIES = 4, CLASSES = 2, HEADS = 2, MOST_FORMS = 16, SEED_ORDERS = 106 };
static const double floor_of_noise = 0x1p-23, apart_from = 100, alike_to = 4, orderly = 16;

static const pairs_category categories[] = {
    {"basic", "10 nodes, not regular", 60, PAIRS_BASIC, pairs_make_basic},
    {"regular", "regular, 6 to 10 nodes", 50, PAIRS_REGULAR, pairs_make_regular},
    {"extension", "alike to extensions of refinement", 100, PAIRS_EXTENSION, pairs_make_extension},
    {"cfi", "Cai, Fürer and Immerman", 100, PAIRS_CFI, pairs_make_cfi},
    {"strongly-regular", "strongly regular", 50, PAIRS_STRONGLY_REGULAR, pairs_make_strongly_regular},
    {"distance-regular", "distance-regular", 20, PAIRS_DISTANCE_REGULAR, pairs_make_distance_regular},
    {"4-vertex", "none: no construction of these 63 nodes is in the tool", 20, 0, NULL},
    {"circulant", "rings with two skips, not of the benchmark", 0, PAIRS_CIRCULANT, pairs_make_circulant},
};
enum { CATEGORIES = sizeof categories / sizeof categories[0] };

const pairs_category *pairs_category_at(uint32_t index) {
    return index < CATEGORIES ? &categories[index] : NULL;
}

typedef struct pairs_settings {
    const char *only, *form;
    uint32_t depth, width, weights, first, nodes, json;
} pairs_settings;

static const pairs_settings defaults = {.depth = 3, .width = 8, .weights = 2, .nodes = PAIRS_MOST_NODES};

static const arg_option options[] = {
    {"only", "CATEGORY", ARG_TEXT, offsetof(pairs_settings, only), 0, 0, "pairs of one category"},
    {"form", "FORM", ARG_TEXT, offsetof(pairs_settings, form), 0, 0, "one form of edge attention, or none"},
    {"first", "N", ARG_UINT32, offsetof(pairs_settings, first), 1, 1000,
     "the first N pairs of each category (default: all)"},
    {"nodes", "N", ARG_UINT32, offsetof(pairs_settings, nodes), 1, PAIRS_MOST_NODES,
     "pairs of up to N nodes (default: all, up to 64)"},
    {"depth", "N", ARG_UINT32, offsetof(pairs_settings, depth), 1, 16, "layers of the model (default: 3)"},
    {"width", "N", ARG_UINT32, offsetof(pairs_settings, width), 4, 64,
     "width of nodes and edges (default: 8)"},
    {"weights", "N", ARG_UINT32, offsetof(pairs_settings, weights), 1, 100,
     "models with random weights that are tried until one tells a pair apart (default: 2)"},
    TOOL_JSON_OPTION(pairs_settings),
};

typedef enum pairs_outcome { PAIRS_APART, PAIRS_ALIKE, PAIRS_UNCLEAR, PAIRS_OUTCOMES } pairs_outcome;
static const char *const outcome_names[PAIRS_OUTCOMES] = {"apart", "alike", "unclear"};

/* ---- one pair and one form ---- */

static bool pairs_create_model(const invocation *call, quartic_device *device, const char *form, uint32_t n,
                               uint64_t seed, quartic_model **out_model) {
    const pairs_settings *settings = call->settings;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    char text[128];
    config.model = QUARTIC_MODEL_RELATIONAL;
    config.num_tokens = 1, config.num_edge_types = 2, config.num_classes = CLASSES;
    config.dim = config.dim_edges = settings->width, config.depth = settings->depth;
    config.heads = config.linear_heads = config.edge_heads = HEADS;
    config.dim_head = config.linear_dim_head = config.edge_dim_head = settings->width / HEADS;
    config.ff_mult = 2, config.max_seq_len = n, config.positions = 0;
    config.readout = QUARTIC_READOUT_EDGE;
    snprintf(text, sizeof text, "{\"edge_attention\": \"%s\"}", form);
    if (quartic_model_config_read_json(&config, text) != QUARTIC_OK ||
        quartic_model_create(device, &config, out_model) != QUARTIC_OK)
        return tool_fail_library(call->command, NULL), false;
    bool fine = quartic_model_initialise(*out_model, seed) == QUARTIC_OK;
    /* twice those that a training starts from, so that attention is far from uniform */
    const quartic_shape shape = quartic_tensor_shape(quartic_model_weights(*out_model));
    const size_t count = quartic_shape_elements(&shape), bytes = count * sizeof(float);
    float *weights = tool_alloc(count, sizeof *weights);
    fine = fine && quartic_tensor_read(quartic_model_weights(*out_model), weights, bytes) == QUARTIC_OK;
    for (size_t k = 0; k < count; ++k) weights[k] *= 2;
    fine = fine && quartic_tensor_write(quartic_model_weights(*out_model), weights, bytes) == QUARTIC_OK;
    free(weights);
    if (fine) return true;
    tool_fail_library(call->command, NULL);
    quartic_model_destroy(*out_model);
    return false;
}

static int pairs_compare_logits(const void *left, const void *right) {
    const float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

/* The largest difference of two lists, of each class in ascending order: (class, n n). */
static double pairs_largest_gap(const float *left, const float *right, size_t count) {
    double gap = 0;
    for (size_t k = 0; k < count; ++k) gap = fmax(gap, fabs((double)left[k] - (double)right[k]));
    return gap;
}

/* Logits of both graphs, then of both with their nodes renamed, sorted: (copy, class, n n). */
static bool pairs_read_logits(const invocation *call, quartic_model *model, const pairs_pair *pair,
                              float *out_sorted) {
    const uint32_t n = pair->of[0].n;
    const size_t edges = (size_t)n * n;
    uint32_t order[PAIRS_MOST_NODES];
    pairs_graph renamed[2];
    experiment_source source = {.seed = SEED_ORDERS};
    int32_t *types = tool_alloc(COPIES * edges, sizeof *types), *tokens = tool_alloc((size_t)COPIES * n, 4);
    float *logits = tool_alloc(COPIES * edges * CLASSES, sizeof *logits); // (copy, i, j, class)
    for (uint32_t k = 0; k < 2; ++k) {
        experiment_permutation(&source, n, order);
        pairs_rename(&pair->of[k], order, &renamed[k]);
    }
    for (size_t at = 0; at < COPIES * edges; ++at) {
        const size_t copy = at / edges;
        const pairs_graph *graph = copy < 2 ? &pair->of[copy] : &renamed[copy - 2];
        types[at] = pairs_joined(graph, (uint32_t)(at % edges / n), (uint32_t)(at % n));
    }
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = COPIES, in.length = n, in.tokens = tokens, in.edge_types = types;
    const bool fine = quartic_model_forward_batch(model, &in, logits) == QUARTIC_OK;
    if (!fine) tool_fail_library(call->command, NULL);
    for (size_t list = 0; list < COPIES * CLASSES; ++list) {
        float *sorted = out_sorted + list * edges;
        for (size_t k = 0; k < edges; ++k)
            sorted[k] = logits[(list / CLASSES * edges + k) * CLASSES + list % CLASSES];
        qsort(sorted, edges, sizeof *sorted, pairs_compare_logits);
    }
    free(types);
    free(tokens);
    free(logits);
    return fine;
}

/* *out_gap and *out_noise: of the weights that decided, or the largest gap. False after an error. */
static bool pairs_compare(const invocation *call, quartic_device *device, const char *form,
                          const pairs_pair *pair, pairs_outcome *out_outcome, double *out_gap,
                          double *out_noise) {
    const pairs_settings *settings = call->settings;
    const size_t count = (size_t)pair->of[0].n * pair->of[0].n * CLASSES;
    float *sorted = tool_alloc(COPIES * count, sizeof *sorted); // (copy, class, n n)
    bool fine = true;
    *out_outcome = PAIRS_ALIKE;
    *out_gap = *out_noise = 0;
    for (uint32_t seed = 1; fine && *out_outcome != PAIRS_APART && seed <= settings->weights; ++seed) {
        quartic_model *model;
        if (!pairs_create_model(call, device, form, pair->of[0].n, seed, &model)) {
            fine = false;
            break;
        }
        fine = pairs_read_logits(call, model, pair, sorted);
        quartic_model_destroy(model);
        double size = 0;
        for (size_t k = 0; k < COPIES * count; ++k) size = fmax(size, fabs((double)sorted[k]));
        const double gap = pairs_largest_gap(sorted, sorted + count, count) / size,
                     noise = fmax(floor_of_noise,
                                  fmax(pairs_largest_gap(sorted, sorted + 2 * count, count),
                                       pairs_largest_gap(sorted + count, sorted + 3 * count, count)) /
                                      size);
        const pairs_outcome outcome = noise >= orderly * floor_of_noise ? PAIRS_UNCLEAR
                                      : gap >= apart_from * noise       ? PAIRS_APART
                                      : gap <= alike_to * noise         ? PAIRS_ALIKE
                                                                        : PAIRS_UNCLEAR;
        if (outcome == PAIRS_APART || gap > *out_gap) {
            *out_gap = gap;
            *out_noise = noise;
        }
        if (outcome != PAIRS_ALIKE) *out_outcome = outcome;
    }
    free(sorted);
    return fine;
}

/* ---- all pairs of a category ---- */

/* What a form can tell apart at most: 1 for refinement of nodes, 2 of pairs, 3 of triples; 0: it goes by order. */
static uint32_t pairs_bound_of(const char *form) {
    if (strcmp(form, "routed") == 0) return 0;
    if (strcmp(form, "triple") == 0) return 3;
    return strncmp(form, "triangle", strlen("triangle")) == 0 ? 2 : 1;
}

typedef struct pairs_row {
    const pairs_category *category;
    uint32_t pairs, fewest_nodes, most_nodes, by_pairs, by_triples; /* told apart by refinement */
    uint32_t of[MOST_FORMS][PAIRS_OUTCOMES];
    double least_apart[MOST_FORMS], most_alike[MOST_FORMS]; /* gaps in units of the noise */
    uint32_t against;                                       /* answers against a theorem */
} pairs_row;

static uint32_t pairs_list_forms(const pairs_settings *settings, const char *out_forms[MOST_FORMS]) {
    uint32_t count = 0;
    const char *name;
    for (uint32_t form = 0; (name = tool_edge_form_name(form)) != NULL && count < MOST_FORMS; ++form) {
        if (form == QUARTIC_EDGE_ATTENTION_DEFAULT) continue;
        if (settings->form == NULL || strcmp(settings->form, name) == 0) out_forms[count++] = name;
    }
    return count;
}

static bool pairs_run_pair(const invocation *call, quartic_device *device, const pairs_pair *pair,
                           const char *const *forms, uint32_t form_count, pairs_row *row) {
    const uint32_t n = pair->of[0].n;
    const bool by_pairs = pairs_differ_in_pairs(&pair->of[0], &pair->of[1]),
               by_triples = by_pairs || pairs_differ_in_triples(&pair->of[0], &pair->of[1]);
    row->fewest_nodes = row->pairs == 0 || n < row->fewest_nodes ? n : row->fewest_nodes;
    row->most_nodes = n > row->most_nodes ? n : row->most_nodes;
    ++row->pairs;
    row->by_pairs += by_pairs;
    row->by_triples += by_triples;
    for (uint32_t k = 0; k < form_count; ++k) {
        const uint32_t bound = pairs_bound_of(forms[k]);
        const bool may = bound == 0 || (bound == 2 && by_pairs) || (bound == 3 && by_triples);
        pairs_outcome outcome;
        double gap, noise;
        if (!pairs_compare(call, device, forms[k], pair, &outcome, &gap, &noise)) return false;
        ++row->of[k][outcome];
        row->against += !may && outcome != PAIRS_ALIKE;
        if (outcome == PAIRS_APART && (row->of[k][outcome] == 1 || gap / noise < row->least_apart[k]))
            row->least_apart[k] = gap / noise;
        if (outcome == PAIRS_ALIKE)
            row->most_alike[k] = fmax(row->most_alike[k], noise > 0 ? gap / noise : 0);
    }
    return true;
}

static bool pairs_run_category(const invocation *call, quartic_device *device, const char *const *forms,
                               uint32_t form_count, pairs_row *row) {
    const pairs_settings *settings = call->settings;
    pairs_pair *pairs = tool_alloc(row->category->count, sizeof *pairs);
    bool fine = true;
    row->category->make(pairs);
    for (uint32_t k = 0; fine && k < row->category->count; ++k) {
        if (settings->first > 0 && row->pairs == settings->first) break;
        if (pairs[k].of[0].n > settings->nodes) continue;
        fine = pairs_run_pair(call, device, &pairs[k], forms, form_count, row);
    }
    free(pairs);
    return fine;
}

/* ---- output ---- */

static void pairs_print_heading(const char *const *forms, uint32_t form_count) {
    printf("| category | in BREC | made | compared | nodes | 2-FWL | 3-FWL |");
    for (uint32_t k = 0; k < form_count; ++k) printf(" %s |", forms[k]);
    printf("\n|---|--:|--:|--:|--:|--:|--:|");
    for (uint32_t k = 0; k < form_count; ++k) printf("--:|");
    printf("\n");
}

static void pairs_print_row(const pairs_row *row, uint32_t form_count) {
    printf("| %s | %u | %u | %u |", row->category->name, row->category->benchmark, row->category->count,
           row->pairs);
    if (row->pairs == 0)
        printf(" - | - | - |");
    else
        printf(" %u-%u | %u | %u |", row->fewest_nodes, row->most_nodes, row->by_pairs, row->by_triples);
    for (uint32_t k = 0; k < form_count; ++k) {
        if (row->pairs == 0)
            printf(" - |");
        else if (row->of[k][PAIRS_UNCLEAR] == 0)
            printf(" %u |", row->of[k][PAIRS_APART]);
        else
            printf(" %u, %u unclear |", row->of[k][PAIRS_APART], row->of[k][PAIRS_UNCLEAR]);
    }
    printf("\n");
    fflush(stdout);
}

static json_t *pairs_row_json(const pairs_row *row, const char *const *forms, uint32_t form_count) {
    json_t *of_forms = tool_json_list();
    for (uint32_t k = 0; k < form_count; ++k) {
        json_t *of_form = tool_json_object("form", tool_json_text(forms[k]), "least_apart",
                                           row->of[k][PAIRS_APART] > 0 ? tool_json_real(row->least_apart[k])
                                                                       : tool_json_null(),
                                           "most_alike", tool_json_real(row->most_alike[k]), NULL);
        for (uint32_t outcome = 0; outcome < PAIRS_OUTCOMES; ++outcome)
            tool_json_set(of_form, outcome_names[outcome], tool_json_count(row->of[k][outcome]));
        tool_json_add(of_forms, of_form);
    }
    return tool_json_object("category", tool_json_text(row->category->name), "what",
                            tool_json_text(row->category->what), "in_benchmark",
                            tool_json_count(row->category->benchmark), "made",
                            tool_json_count(row->category->count), "compared", tool_json_count(row->pairs),
                            "pair_refinement", tool_json_count(row->by_pairs), "triple_refinement",
                            tool_json_count(row->by_triples), "forms", of_forms, NULL);
}

static int run_pairs(const invocation *call) {
    const pairs_settings *settings = call->settings;
    const char *forms[MOST_FORMS];
    const uint32_t form_count = pairs_list_forms(settings, forms);
    if (form_count == 0)
        return tool_fail_usage(call->command, "there is no form of edge attention %s", settings->form);
    uint32_t wanted = 0, against = 0;
    for (uint32_t k = 0; k < CATEGORIES; ++k)
        if (settings->only == NULL || strcmp(settings->only, categories[k].name) == 0) wanted |= 1u << k;
    if (wanted == 0) return tool_fail_usage(call->command, "there is no category %s", settings->only);
    quartic_device *device = tool_open_device(call->command, "reference64");
    if (device == NULL) return EXIT_FAILED;
    json_t *rows = tool_json_list();
    bool fine = true;
    if (!settings->json) pairs_print_heading(forms, form_count);
    for (uint32_t k = 0; fine && k < CATEGORIES; ++k) {
        pairs_row row = {.category = &categories[k]};
        if (!(wanted >> k & 1)) continue;
        if (row.category->count > 0) fine = pairs_run_category(call, device, forms, form_count, &row);
        if (!fine) break;
        against += row.against;
        tool_json_add(rows, pairs_row_json(&row, forms, form_count));
        if (!settings->json) pairs_print_row(&row, form_count);
    }
    quartic_device_destroy(device);
    if (fine && settings->json)
        tool_print_json(tool_json_object("categories", json_incref(rows), "against_a_theorem",
                                         tool_json_count(against), NULL));
    json_decref(rows);
    if (!fine) return EXIT_FAILED;
    if (against > 0)
        return tool_fail(call->command, NULL,
                         "%u pairs were told apart, or not clearly alike, that a theorem says are alike",
                         against);
    return EXIT_DONE;
}

const command command_pairs = {
    .name = "pairs",
    .operands = "",
    .summary = "which edge attention tells which pairs of graphs apart",
    .details =
        "Makes pairs of graphs that colour refinement cannot tell apart, of the kinds of the BREC benchmark, "
        "and "
        "compares the two of each by models with random weights, in double: how many pairs a form of edge "
        "attention tells apart. 2-FWL and 3-FWL: how many refinement of pairs and of triples of nodes tells "
        "apart. The pairs are generated by published constructions; the benchmark's own files are not used. "
        "Exit code 1 if some pair is told apart against a theorem of docs/which-edge-attention.md.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 0,
    .most_operands = 0,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_pairs,
};
