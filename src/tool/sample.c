/* sample.c: `quartic sample MODEL`: continues a text byte by byte, and draws what the model attends to.
 *
 * Each byte takes one forward pass over the window so far, filled up on the right to one of a few lengths so
 * that few programs are compiled: causal models do not see the filling, others get a mask. Random numbers
 * come from splitmix64, so that a seed gives the same text wherever logits are the same.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/files.h"
#include "tool/models.h"
#include "tool/picture.h"

typedef struct sample_settings {
    const char *device, *config, *prompt, *attention;
    uint64_t seed;
    uint32_t tokens, context, top_k, json;
    float temperature;
} sample_settings;

static const sample_settings defaults = {.prompt = "\n", .seed = 1, .tokens = 400, .temperature = 0.8f};
static const arg_option options[] = {
    TOOL_DEVICE_OPTION(sample_settings),
    TOOL_CONFIG_OPTION(sample_settings),
    {"prompt", "TEXT", ARG_TEXT, offsetof(sample_settings, prompt), 0, 0,
     "what to continue (default: a new line)"},
    {"tokens", "N", ARG_UINT32, offsetof(sample_settings, tokens), 0, 1e9, "bytes to add"},
    {"temperature", "X", ARG_FLOAT, offsetof(sample_settings, temperature), 0, 100,
     "above 1 more random, below 1 less, 0 always the likeliest"},
    {"top-k", "N", ARG_UINT32, offsetof(sample_settings, top_k), 0, 256,
     "choose among the N likeliest bytes only; 0: all"},
    TOOL_SEED_OPTION(sample_settings, seed, "of the choices"),
    {"context", "N", ARG_UINT32, offsetof(sample_settings, context), 1, 65536,
     "bytes that the model looks back on (default: what it was trained on)"},
    {"attention", "FILE.png", ARG_TEXT, offsetof(sample_settings, attention), 0, 0,
     "draw the attention between the last bytes, and the strength of their edges"},
    TOOL_JSON_OPTION(sample_settings),
};

/* The text so far and the memory of a forward pass. */
typedef struct writer {
    quartic_model *model;
    uint8_t *text;
    size_t count;
    uint32_t context, num_tokens;
    int32_t *tokens; // (1, context)
    uint8_t *mask;   // (1, context)
    float *logits;   // (1, context, V)
    uint64_t random;
} writer;

/* Uniform in [0, 1), by splitmix64. */
static double next_random(writer *writer) {
    uint64_t word = writer->random += 0x9e3779b97f4a7c15u;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return (double)((word ^ word >> 31) >> 11) * 0x1p-53;
}

/* The shortest of context, context / 2, /4 and /8 that holds count tokens. */
static uint32_t filled_length(uint32_t context, uint32_t count) {
    uint32_t length = context;
    for (int halving = 0; halving < 3 && (length + 1) / 2 >= count; ++halving) length = (length + 1) / 2;
    return length;
}

/* Fills tokens and mask with the window. Returns its length; *out_length is the length with the filling. */
static uint32_t set_window(writer *writer, uint32_t *out_length) {
    uint32_t window = writer->count < writer->context ? (uint32_t)writer->count : writer->context;
    *out_length = filled_length(writer->context, window);
    for (uint32_t k = 0; k < *out_length; ++k) {
        writer->tokens[k] = k < window ? writer->text[writer->count - window + k] : 0;
        writer->mask[k] = k < window;
    }
    return window;
}

/* The logits of the next byte, owned by the writer; NULL after an error. */
static const float *next_logits(writer *writer) {
    uint32_t length, window = set_window(writer, &length);
    bool masked = !quartic_model_get_config(writer->model)->causal && window < length;
    if (quartic_model_forward(writer->model, 1, length, writer->tokens, masked ? writer->mask : NULL,
                              writer->logits) != QUARTIC_OK)
        return NULL;
    return writer->logits + (size_t)(window - 1) * writer->num_tokens;
}

/* The top_k-th greatest of the first count logits. */
static float least_kept(const float *logits, uint32_t count, uint32_t top_k) {
    float kept[TOOL_BYTE_TOKENS];
    uint32_t known = 0;
    for (uint32_t t = 0; t < count; ++t) {
        uint32_t at = known < top_k ? known++ : top_k;
        if (at == top_k && logits[t] <= kept[top_k - 1]) continue;
        if (at == top_k) --at;
        while (at > 0 && kept[at - 1] < logits[t]) {
            kept[at] = kept[at - 1];
            --at;
        }
        kept[at] = logits[t];
    }
    return kept[known - 1];
}

/* Draws a byte from softmax(logits / temperature). */
static uint8_t choose_byte(writer *writer, const float *logits, float temperature, uint32_t top_k) {
    uint32_t count = writer->num_tokens < TOOL_BYTE_TOKENS ? writer->num_tokens : TOOL_BYTE_TOKENS, best = 0;
    for (uint32_t t = 1; t < count; ++t)
        if (logits[t] > logits[best]) best = t;
    if (temperature == 0 || top_k == 1) return (uint8_t)best;
    float least = top_k == 0 || top_k >= count ? -INFINITY : least_kept(logits, count, top_k);
    double weights[TOOL_BYTE_TOKENS], sum = 0;
    for (uint32_t t = 0; t < count; ++t) {
        weights[t] =
            logits[t] < least ? 0 : exp(((double)logits[t] - (double)logits[best]) / (double)temperature);
        sum += weights[t];
    }
    double left = next_random(writer) * sum;
    for (uint32_t t = 0; t < count; ++t) {
        left -= weights[t];
        if (left < 0) return (uint8_t)t;
    }
    return (uint8_t)best;
}

static int print_json_text(const writer *writer, double seconds, uint32_t added) {
    json_t *tokens = tool_json_list();
    for (size_t k = 0; k < writer->count; ++k) tool_json_add(tokens, tool_json_count(writer->text[k]));
    tool_print_json(tool_json_object("text", tool_json_bytes(writer->text, writer->count), "tokens", tokens,
                                     "tokens_per_second",
                                     tool_json_real(seconds > 0 ? (double)added / seconds : 0.0), NULL));
    return EXIT_DONE;
}

static int write_text(const invocation *call, writer *writer) {
    const sample_settings *settings = call->settings;
    double begin = quartic_clock();
    /* A single new line as prompt is not worth repeating. */
    if (!settings->json && strcmp(settings->prompt, "\n") != 0) fputs(settings->prompt, stdout);
    for (uint32_t added = 0; added < settings->tokens; ++added) {
        const float *logits = next_logits(writer);
        if (logits == NULL) return tool_fail_library(call->command, NULL);
        uint8_t byte = choose_byte(writer, logits, settings->temperature, settings->top_k);
        writer->text[writer->count++] = byte;
        if (settings->json) continue;
        /* If the text cannot be written, there is no point in continuing it. */
        if (fputc(byte, stdout) == EOF || fflush(stdout) != 0)
            return tool_fail(call->command, NULL, "the output could not be written: %s", strerror(errno));
    }
    if (settings->json) return print_json_text(writer, quartic_clock() - begin, settings->tokens);
    fputc('\n', stdout);
    return EXIT_DONE;
}

static int draw_attention(const invocation *call, writer *writer) {
    const sample_settings *settings = call->settings;
    const quartic_model_config *config = quartic_model_get_config(writer->model);
    uint32_t n, window = set_window(writer, &n);
    n = window; /* a picture needs no filling */
    size_t pairs = (size_t)n * n;
    const bool has_edges = config->model != QUARTIC_MODEL_MULTI_STREAM;
    const uint32_t heads = quartic_model_attention_heads(writer->model);
    picture_contents contents = {.text = writer->text + writer->count - window,
                                 .n = n,
                                 .layers = config->depth,
                                 .heads = heads,
                                 .edge_width = has_edges ? config->dim_edges : 0,
                                 .causal = config->causal != 0};
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    float *attention = tool_alloc(config->depth * heads * pairs, sizeof *attention); // (l, h, i, j)
    float *edges = has_edges ? tool_alloc(config->depth * config->dim_edges * pairs, sizeof *edges)
                             : NULL; // (l, i, j, De)
    readout.attention = attention;
    readout.edges = edges;
    contents.attention = attention;
    contents.edges = edges;
    int code = EXIT_DONE;
    if (quartic_model_inspect(writer->model, 1, n, writer->tokens, NULL, &readout) != QUARTIC_OK)
        code = tool_fail_library(call->command, NULL);
    else if (!picture_save(call->command, settings->attention, &contents))
        code = EXIT_FAILED;
    free(attention);
    free(edges);
    return code;
}

static int sample_model(const invocation *call, quartic_model *model) {
    const sample_settings *settings = call->settings;
    const quartic_model_config *config = quartic_model_get_config(model);
    size_t prompt = strlen(settings->prompt);
    if (!tool_expect_text_model(call->command, model)) return EXIT_FAILED;
    if (prompt == 0) return tool_fail_usage(call->command, "the prompt is empty; give at least one byte");
    writer writer = {
        .model = model, .num_tokens = config->num_tokens, .random = settings->seed, .count = prompt};
    writer.context =
        settings->context != 0 ? settings->context : tool_trained_length(model, call->operands[0]);
    if (writer.context > config->max_seq_len)
        return tool_fail(call->command, NULL,
                         "--context is %u, but the model takes at most %u tokens (max_seq_len)",
                         writer.context, config->max_seq_len);
    writer.text = tool_alloc(prompt + settings->tokens, 1);
    writer.tokens = tool_alloc(writer.context, sizeof *writer.tokens);
    writer.mask = tool_alloc(writer.context, 1);
    writer.logits = tool_alloc((size_t)writer.context * writer.num_tokens, sizeof *writer.logits);
    memcpy(writer.text, settings->prompt, prompt);
    int code = write_text(call, &writer);
    if (code == EXIT_DONE && settings->attention != NULL) code = draw_attention(call, &writer);
    free(writer.text);
    free(writer.tokens);
    free(writer.mask);
    free(writer.logits);
    return code;
}

static int run_sample(const invocation *call) {
    const sample_settings *settings = call->settings;
    return tool_with_model(call, settings->device, settings->config, sample_model);
}

const command command_sample = {
    .name = "sample",
    .operands = "MODEL",
    .summary = "let a model continue a text",
    .details = "MODEL is a run's folder, a checkpoint or a model file.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 1,
    .most_operands = 1,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_sample,
};
