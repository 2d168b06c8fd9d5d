/* eval.c: `quartic eval MODEL DATA`: the loss of a model on a text or on graphs.
 *
 * The text is cut into windows of equal length, one after the other; each byte but the first is predicted
 * once, from the bytes of its own window before it. The last window is filled up with ignored targets.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/files.h"
#include "tool/graphs.h"
#include "tool/models.h"

typedef struct eval_settings {
    const char *device, *config;
    uint32_t batch, length, json;
} eval_settings;

static const eval_settings defaults = {.batch = 8};
static const arg_option options[] = {
    TOOL_DEVICE_OPTION(eval_settings),
    TOOL_CONFIG_OPTION(eval_settings),
    {"length", "N", ARG_UINT32, offsetof(eval_settings, length), 1, 65536,
     "bytes of a window (default: what the model was trained on); graphs have their own"},
    {"batch", "N", ARG_UINT32, offsetof(eval_settings, batch), 1, 65536, "windows or graphs at once"},
    TOOL_JSON_OPTION(eval_settings),
};

typedef struct batch_memory {
    int32_t *tokens, *targets; // (b, n)
    uint8_t *mask;             // (b, n)
} batch_memory;

/* Fills a batch of windows from window `first` on; returns the number of targets that count. */
static uint64_t fill_windows(const tool_text *text, uint64_t first, uint32_t batch, uint32_t length,
                             batch_memory *memory) {
    uint64_t known = 0;
    for (uint64_t k = 0; k < (uint64_t)batch * length; ++k) {
        uint64_t at = first * length + k;
        bool real = at + 1 < text->count;
        /* A row must not be all padding: its first token counts as real. */
        memory->mask[k] = real || k % length == 0;
        memory->tokens[k] = real ? text->tokens[at] : 0;
        memory->targets[k] = real ? text->tokens[at + 1] : -1;
        known += real;
    }
    return known;
}

/* The cross entropy of a batch: the model's loss without the streams' diversity loss, if that is in it. */
static quartic_status batch_loss(quartic_model *model, uint32_t batch, uint32_t length,
                                 const batch_memory *memory, const uint8_t *mask, double *out_loss) {
    const float factor = quartic_model_get_config(model)->diversity_loss;
    float loss = 0, diversity = 0;
    quartic_status status =
        quartic_model_loss(model, batch, length, memory->tokens, memory->targets, mask, &loss);
    if (status == QUARTIC_OK && factor > 0.0f) {
        quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
        readout.diversity = &diversity;
        status = quartic_model_inspect(model, batch, length, memory->tokens, mask, &readout);
    }
    *out_loss = (double)loss - (double)factor * (double)diversity;
    return status;
}

/* *out_loss: the mean loss over the text in nats; *out_count: the number of predictions. */
static quartic_status evaluate_text(quartic_model *model, const tool_text *text, uint32_t batch,
                                    uint32_t length, double *out_loss, uint64_t *out_count) {
    size_t elements = (size_t)batch * length;
    batch_memory memory = {tool_alloc(elements, sizeof(int32_t)), tool_alloc(elements, sizeof(int32_t)),
                           tool_alloc(elements, 1)};
    uint64_t windows = (text->count - 1 + length - 1) / length;
    quartic_status status = QUARTIC_OK;
    *out_loss = 0;
    *out_count = 0;
    for (uint64_t window = 0; window < windows && status == QUARTIC_OK; window += batch) {
        uint64_t known = fill_windows(text, window, batch, length, &memory);
        double loss;
        status = batch_loss(model, batch, length, &memory, known == elements ? NULL : memory.mask, &loss);
        *out_loss += loss * (double)known;
        *out_count += known;
    }
    *out_loss /= (double)*out_count;
    free(memory.tokens);
    free(memory.targets);
    free(memory.mask);
    return status;
}

static int report_text_loss(const invocation *call, const tool_text *text, double loss, uint64_t count,
                            double seconds) {
    const eval_settings *settings = call->settings;
    double entropy = tool_unigram_entropy(text), bits = loss / log(2.0);
    if (settings->json) {
        tool_print_json(tool_json_object("loss", tool_json_real(loss), "bits_per_byte", tool_json_real(bits),
                                         "perplexity", tool_json_real(exp(loss)), "unigram_entropy",
                                         tool_json_real(entropy), "predictions", tool_json_count(count),
                                         "bytes_per_second", tool_json_real((double)count / seconds), NULL));
        return EXIT_DONE;
    }
    char speed[TOOL_NUMBER_BYTES];
    printf("loss %.4f nats per byte over %llu bytes (%.4f bits, perplexity %.3f); unigram entropy %.4f; %s "
           "bytes/s\n",
           loss, (unsigned long long)count, bits, exp(loss), entropy,
           tool_count_text((double)count / seconds, speed));
    return EXIT_DONE;
}

/* Prints the loss on graphs and the share of right classes. */
static int eval_graphs(const invocation *call, quartic_model *model) {
    const eval_settings *settings = call->settings;
    quartic_dataset *graphs = tool_open_graphs(call->command, call->operands[1]);
    if (graphs == NULL) return EXIT_FAILED;
    if (!tool_graphs_fit(call->command, graphs, settings->length)) {
        quartic_dataset_close(graphs);
        return EXIT_FAILED;
    }
    quartic_evaluation result;
    const double begin = quartic_clock();
    const quartic_status status = quartic_dataset_evaluate(graphs, model, settings->batch, &result);
    const double speed = (double)quartic_dataset_get_info(graphs)->graphs / (quartic_clock() - begin);
    char text[TOOL_GRAPHS_TEXT], number[TOOL_NUMBER_BYTES];
    int code = EXIT_DONE;
    if (status != QUARTIC_OK)
        code = tool_fail_library(call->command, NULL);
    else if (settings->json)
        tool_print_json(tool_json_object(
            "loss", tool_json_real(result.loss), "accuracy", tool_json_real(result.accuracy), "predictions",
            tool_json_count(result.targets), "graphs_per_second", tool_json_real(speed), NULL));
    else
        printf("loss %.4f nats per target, %.2f %% right; %s; %s graphs/s\n", result.loss,
               100 * result.accuracy, tool_graphs_text(graphs, text), tool_count_text(speed, number));
    quartic_dataset_close(graphs);
    return code;
}

static int eval_model(const invocation *call, quartic_model *model) {
    const eval_settings *settings = call->settings;
    if (tool_is_graphs(call->operands[1])) return eval_graphs(call, model);
    if (!tool_expect_text_model(call->command, model)) return EXIT_FAILED;
    tool_text text;
    /* Two bytes at least: one to look at and one to predict. */
    if (!tool_read_text(call->command, call->operands[1], quartic_model_get_config(model)->num_tokens, 2,
                        &text))
        return EXIT_FAILED;
    uint32_t length =
        settings->length != 0 ? settings->length : tool_trained_length(model, call->operands[0]);
    if (text.count - 1 < length) length = (uint32_t)(text.count - 1);
    double loss, begin = quartic_clock();
    uint64_t count;
    int code = EXIT_FAILED;
    if (evaluate_text(model, &text, settings->batch, length, &loss, &count) != QUARTIC_OK)
        tool_fail_library(call->command, NULL);
    else
        code = report_text_loss(call, &text, loss, count, quartic_clock() - begin);
    tool_free_text(&text);
    return code;
}

/* Weights without a configuration, to be measured on graphs: --config is filled in from the data, as in
 * training. */
static quartic_model *load_for_graphs(const invocation *call, quartic_device *device, const char *file) {
    const eval_settings *settings = call->settings;
    quartic_model_config config;
    quartic_dataset *graphs = tool_open_graphs(call->command, call->operands[1]);
    const bool fits = graphs != NULL && tool_graphs_config(call->command, graphs, settings->config, &config);
    quartic_dataset_close(graphs);
    return fits ? tool_load_model(call->command, device, file, &config) : NULL;
}

static int run_eval(const invocation *call) {
    const eval_settings *settings = call->settings;
    char file[TOOL_PATH_BYTES];
    if (settings->config == NULL || !tool_is_graphs(call->operands[1]))
        return tool_with_model(call, settings->device, settings->config, eval_model);
    if (!tool_model_path(call->command, call->operands[0], file)) return EXIT_FAILED;
    if (tool_has_config(file)) return tool_with_model(call, settings->device, settings->config, eval_model);
    quartic_device *device = tool_open_device(call->command, settings->device);
    quartic_model *model = device == NULL ? NULL : load_for_graphs(call, device, file);
    const int code = model == NULL ? EXIT_FAILED : eval_model(call, model);
    quartic_model_destroy(model);
    quartic_device_destroy(device);
    return code;
}

const command command_eval = {
    .name = "eval",
    .operands = "MODEL DATA",
    .summary = "measure a model's loss on a text or on graphs",
    .details =
        "MODEL is a run's folder, a checkpoint or a model file. DATA is a text, or graphs with targets "
        "(*.safetensors, see docs/data.md): then the share of right classes is printed, too. A text is cut "
        "into windows, and each byte is predicted from those before it in its window. Prints the entropy of "
        "single bytes beside the loss.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 2,
    .most_operands = 2,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_eval,
};
