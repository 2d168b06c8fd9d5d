/* experiment_attention.c: where triangle attention looks. See experiment_attention.h.
 *
 * quartic_model_inspect_batch shows the node attention A and the edges after each layer. From them follow the
 * edges e that enter the edge attention of a layer:
 *     first layer   e = LayerNorm(W (R x_i + C x_j)) + embedding of the type + W_e A
 *     other layers  e = edges after the layer before + W_e A
 * The attention is then computed by its equation.
 */
#include "tool/experiment_attention.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/experiment_batch.h"
#include "tool/experiment_chart.h"

static const double norm_eps = 1e-5;

/* A weight tensor by name, to be freed; NULL with a message. */
static float *fetch_weight(const command *command, const quartic_model *model, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static float *fetch_weight(const command *command, const quartic_model *model, const char *format, ...) {
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    quartic_model_parameter parameter;
    if (quartic_model_find_parameter(model, name, &parameter) != QUARTIC_OK)
        return tool_fail_library(command, NULL), NULL;
    float *numbers = tool_alloc(parameter.elements, sizeof *numbers);
    if (quartic_model_read_parameter(model, name, numbers, parameter.elements) == QUARTIC_OK) return numbers;
    tool_fail_library(command, NULL);
    free(numbers);
    return NULL;
}

/* out = W x: W (rows, columns). */
static void multiply_by_weight(const float *weight, const float *x, uint32_t rows, uint32_t columns,
                               float *out) {
    for (uint32_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (uint32_t c = 0; c < columns; ++c) sum += (double)weight[r * columns + c] * (double)x[c];
        out[r] = (float)sum;
    }
}

/* e_ij before the first layer: (i, j, De). */
static bool first_edges(const command *command, const quartic_model *model, const quartic_model_batch *in,
                        float *out_edges) {
    enum { TOKENS, ROWS, COLUMNS, PROJECT, SCALE, BIAS, TYPES, WEIGHTS };
    static const char *const names[WEIGHTS] = {"token_emb.weight",
                                               "to_edge_emb.to_rows.weight",
                                               "to_edge_emb.to_cols.weight",
                                               "to_edge_emb.to_edges.0.weight",
                                               "to_edge_emb.to_edges.1.weight",
                                               "to_edge_emb.to_edges.1.bias",
                                               "edge_type_emb.weight"};
    const quartic_model_config *config = quartic_model_get_config(model);
    const uint32_t n = in->length, dim = config->dim, width = config->dim_edges;
    float *w[WEIGHTS] = {0};
    bool fine = true;
    for (uint32_t k = 0; k < WEIGHTS && fine; ++k)
        fine = (w[k] = fetch_weight(command, model, "%s", names[k])) != NULL;
    float *sums = tool_alloc(3 * (size_t)width, sizeof *sums); // R x_i, C x_j, W (their sum)
    for (uint32_t pair = 0; fine && pair < n * n; ++pair) {
        float *e = out_edges + (size_t)pair * width, *row = sums, *column = sums + width,
              *both = sums + 2 * width;
        multiply_by_weight(w[ROWS], w[TOKENS] + (size_t)in->tokens[pair / n] * dim, width, dim, row);
        multiply_by_weight(w[COLUMNS], w[TOKENS] + (size_t)in->tokens[pair % n] * dim, width, dim, column);
        double mean = 0, square = 0;
        for (uint32_t d = 0; d < width; ++d) row[d] += column[d];
        multiply_by_weight(w[PROJECT], row, width, width, both);
        for (uint32_t d = 0; d < width; ++d) mean += (double)both[d] / width;
        for (uint32_t d = 0; d < width; ++d) square += pow((double)both[d] - mean, 2) / width;
        for (uint32_t d = 0; d < width; ++d)
            e[d] = (float)(((double)both[d] - mean) / sqrt(square + norm_eps)) * w[SCALE][d] + w[BIAS][d] +
                   w[TYPES][(size_t)in->edge_types[pair] * width + d];
    }
    for (uint32_t k = 0; k < WEIGHTS; ++k) free(w[k]);
    free(sums);
    return fine;
}

/* e_ij where the layer's edge attention begins: (i, j, De). */
static bool edges_of_layer(const command *command, quartic_model *model, const quartic_model_batch *in,
                           uint32_t layer, float *out_edges) {
    const quartic_model_config *config = quartic_model_get_config(model);
    const size_t n = in->length, width = config->dim_edges, heads = config->heads, pairs = n * n;
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    readout.attention = tool_alloc(config->depth * heads * pairs, sizeof(float)); // (depth, h, i, j)
    readout.edges = tool_alloc(config->depth * pairs * width, sizeof(float));     // (depth, i, j, De)
    bool fine = quartic_model_inspect_batch(model, in, &readout) == QUARTIC_OK;
    if (!fine) tool_fail_library(command, NULL);
    if (fine && layer == 0)
        fine = first_edges(command, model, in, out_edges);
    else if (fine)
        memcpy(out_edges, readout.edges + (layer - 1) * pairs * width, pairs * width * sizeof(float));
    float *mix = fine ? fetch_weight(command, model, "layers.%u.0.0.branch.to_edges_out.0.weight", layer)
                      : NULL; // (De, h)
    for (size_t pair = 0; mix != NULL && pair < pairs; ++pair)
        for (size_t d = 0; d < width; ++d)
            for (size_t h = 0; h < heads; ++h)
                out_edges[pair * width + d] +=
                    mix[d * heads + h] * readout.attention[(layer * heads + h) * pairs + pair];
    fine = mix != NULL;
    free(mix);
    free(readout.attention);
    free(readout.edges);
    return fine;
}

/* x <- x / root mean square, times scale. */
static void rms_normalise(float *x, const float *scale, uint32_t width) {
    double square = 0;
    for (uint32_t d = 0; d < width; ++d) square += (double)x[d] * (double)x[d] / width;
    for (uint32_t d = 0; d < width; ++d) x[d] = (float)((double)x[d] / sqrt(square + norm_eps)) * scale[d];
}

/* Row (l) of one head and one j: softmax of q_il . k_lj dh^(-1/2). */
static void attention_row(const float *q, const float *k, uint32_t n, uint32_t i, uint32_t j, uint32_t heads,
                          uint32_t head, uint32_t dim_head, float *out_row) {
    const size_t inner = (size_t)heads * dim_head;
    double most = -INFINITY, sum = 0;
    for (uint32_t l = 0; l < n; ++l) {
        const float *query = q + (i * n + l) * inner + head * dim_head;
        const float *key = k + (l * n + j) * inner + head * dim_head;
        double score = 0;
        for (uint32_t d = 0; d < dim_head; ++d) score += (double)query[d] * (double)key[d];
        out_row[l] = (float)(score / sqrt(dim_head));
        most = fmax(most, (double)out_row[l]);
    }
    for (uint32_t l = 0; l < n; ++l) sum += exp((double)out_row[l] - most);
    for (uint32_t l = 0; l < n; ++l) out_row[l] = (float)(exp((double)out_row[l] - most) / sum);
}

bool experiment_attention_of(const command *command, quartic_model *model, const quartic_model_batch *in,
                             uint32_t layer, uint32_t i, float *out_attention) {
    const quartic_model_config *config = quartic_model_get_config(model);
    const uint32_t n = in->length, width = config->dim_edges, heads = config->edge_heads,
                   dim_head = config->edge_dim_head, inner = heads * dim_head;
    float *edges = tool_alloc((size_t)n * n * width, sizeof *edges); // (i, j, De)
    float *q = tool_alloc((size_t)n * n * inner, sizeof *q),
          *k = tool_alloc((size_t)n * n * inner, sizeof *k);
    float *scale = NULL, *to_q = NULL, *to_k = NULL;
    const bool fine = edges_of_layer(command, model, in, layer, edges) &&
                      (scale = fetch_weight(command, model, "layers.%u.1.0.norm_scale", layer)) != NULL &&
                      (to_q = fetch_weight(command, model, "layers.%u.1.0.to_q.weight", layer)) != NULL &&
                      (to_k = fetch_weight(command, model, "layers.%u.1.0.to_k.weight", layer)) != NULL;
    for (size_t pair = 0; fine && pair < (size_t)n * n; ++pair) {
        rms_normalise(edges + pair * width, scale, width);
        multiply_by_weight(to_q, edges + pair * width, inner, width, q + pair * inner);
        multiply_by_weight(to_k, edges + pair * width, inner, width, k + pair * inner);
    }
    for (uint32_t head = 0; fine && head < heads; ++head)
        for (uint32_t j = 0; j < n; ++j)
            attention_row(q, k, n, i, j, heads, head, dim_head, out_attention + ((size_t)head * n + j) * n);
    free(edges);
    free(q);
    free(k);
    free(scale);
    free(to_q);
    free(to_k);
    return fine;
}

/* ---- the picture ---- */

static bool draw_model(contest *contest, const contestant *who, quartic_model *model, const char *folder,
                       const char *name) {
    const experiment_data *tests = contest_tests_of(contest, 1)->test;
    const uint32_t n = tests[0].n, heads = who->config.edge_heads, graph = 0, i = 0;
    const int32_t *types = contest->task->pivot_types;
    contest_batch batch;
    contest_batch_create(&contest->widest, who, 1, 0, &batch);
    contest_batch_fill(tests, &graph, 0, 0, &batch);
    float *attention =
        tool_alloc((size_t)who->depth * heads * n * n, sizeof *attention); // (layer, head, j, l)
    uint8_t *marked = tool_alloc((size_t)n * n, 1);                        // (j, l)
    for (uint32_t j = 0; j < n; ++j)
        for (uint32_t l = 0; l < n; ++l)
            marked[j * n + l] =
                (batch.edge_types[i * n + l] & types[0]) && (batch.edge_types[l * n + j] & types[1]);
    bool fine = true;
    for (uint32_t layer = 0; layer < who->depth && fine; ++layer)
        fine = experiment_attention_of(contest->command, model, &batch.in, layer, i,
                                       attention + (size_t)layer * heads * n * n);
    char title[128];
    snprintf(title, sizeof title, "%s: learnt triangle attention over pivots l", contest->task->name);
    const experiment_map map = {.n = n,
                                .i = i,
                                .layers = who->depth,
                                .heads = heads,
                                .attention = attention,
                                .marked = marked,
                                .title = title};
    fine = fine && experiment_chart_map(contest->command, &map, folder, name);
    free(attention);
    free(marked);
    contest_batch_free(&batch);
    return fine;
}

bool experiment_attention_draw(contest *contest, const char *folder, const char **out_name) {
    static char name[64];
    const contestant *who = NULL;
    *out_name = NULL;
    for (uint32_t k = 0; k < contest->contestant_count; ++k)
        if (strcmp(contest->contestants[k].form, "triangle") == 0 &&
            contest->contestants[k].encoding == CONTEST_PLAIN)
            who = &contest->contestants[k];
    if (who == NULL || contest->task->pivot_types[0] == 0) return true;
    quartic_model *model = NULL;
    contest_run run;
    snprintf(name, sizeof name, "%s-attention", contest->task->name);
    bool fine = contest_train(contest, who, who->rates[0], 1, &run, &model);
    fine = fine && draw_model(contest, who, model, folder, name);
    quartic_model_destroy(model);
    free(run.points);
    if (fine) *out_name = name;
    return fine;
}
