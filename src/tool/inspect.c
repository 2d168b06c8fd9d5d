/* inspect.c: `quartic inspect FILE`: the contents of a configuration or file of weights, and the cost of
 * running it.
 *
 * A safetensors file without a usable configuration is shown as the tensors that it has. Operations, bytes
 * and memory come from the planned graph, so nothing is too large to be shown. The table of forms measures
 * the same configuration once for each form of edge attention, in every layer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quartic/io.h"
#include "quartic/train.h"
#include "tool/estimate.h"
#include "tool/files.h"
#include "tool/models.h"

typedef struct inspect_settings {
    const char *device, *config, *limits;
    uint32_t batch, length, tensors, keys, json;
    uint64_t budget;
} inspect_settings;

static const inspect_settings defaults = {.device = "cpu", .batch = 1};
static const arg_option options[] = {
    TOOL_CONFIG_OPTION(inspect_settings),
    TOOL_LENGTH_OPTION(inspect_settings),
    {"batch", "N", ARG_UINT32, offsetof(inspect_settings, batch), 1, 1048576, "sequences at once"},
    {"tensors", NULL, ARG_FLAG, offsetof(inspect_settings, tensors), 0, 0, "list every tensor"},
    {"keys", NULL, ARG_FLAG, offsetof(inspect_settings, keys), 0, 0,
     "instead list the keys of a configuration, their ranges and meanings"},
    {"limits", "NAME", ARG_TEXT, offsetof(inspect_settings, limits), 0, 0,
     "instead estimate a forward pass and a training step on a device that is not here: h200, rx7900xtx, "
     "rx9070xt, arc-a770, apple-m2, adreno-740, or a JSON file of limits"},
    {"budget", "BYTES", ARG_UINT64, offsetof(inspect_settings, budget), 0, 9e18,
     "with --limits: what a workspace may take to save barriers; 1 for the least workspace, 0 for the "
     "standard"},
    TOOL_DEVICE_OPTION(inspect_settings),
    TOOL_JSON_OPTION(inspect_settings),
};

enum { LONGEST_SEQUENCE = 65536 };

/* ---- keys ---- */

static void print_keys(void) {
#define CHOICE_WORD(suffix, name) " " name
#define CHOICE_ROW(name, type, standard, list, meaning)                                                      \
    printf("%-22s %s: one of" list(CHOICE_WORD) "\n", #name, meaning);
#define CHOICES_ROW(name, type, standard, list, most, meaning)                                               \
    printf("%-22s %s: one of" list(CHOICE_WORD) ", or a list of them\n", #name, meaning);
#define COUNT_ROW(name, standard, least, most, meaning)                                                      \
    printf("%-22s %s; whole number from %u to %u\n", #name, meaning, (unsigned)(least), (unsigned)(most));
#define FLAG_ROW(name, standard, meaning) printf("%-22s %s; true or false\n", #name, meaning);
#define REAL_ROW(name, standard, least, below, meaning)                                                      \
    printf("%-22s %s; number from %g to below %g\n", #name, meaning, (double)(least), (double)(below));
    QUARTIC_MODEL_FIELD_LIST(CHOICE_ROW, CHOICES_ROW, COUNT_ROW, FLAG_ROW, REAL_ROW)
#undef CHOICE_WORD
#undef CHOICE_ROW
#undef CHOICES_ROW
#undef COUNT_ROW
#undef FLAG_ROW
#undef REAL_ROW
}

static json_t *key_json(const char *kind, const char *meaning) {
    return tool_json_object("kind", tool_json_text(kind), "meaning", tool_json_text(meaning), NULL);
}

static json_t *words_json(const char *const *words, size_t count) {
    json_t *list = tool_json_list();
    for (size_t k = 0; k < count; ++k) tool_json_add(list, tool_json_text(words[k]));
    return list;
}

/* {name: {kind, meaning, and words, or least and most (real numbers: below)}} */
static void print_keys_json(void) {
    json_t *keys = tool_json_object(NULL, NULL), *key;
#define CHOICE_TEXT(suffix, name) name,
#define CHOICE_KEY(name, type, standard, list, meaning)                                                      \
    {                                                                                                        \
        static const char *const words[] = {list(CHOICE_TEXT)};                                              \
        tool_json_set(keys, #name, key = key_json("choice", meaning));                                       \
        tool_json_set(key, "words", words_json(words, sizeof words / sizeof words[0]));                      \
    }
#define CHOICES_KEY(name, type, standard, list, most, meaning)                                               \
    {                                                                                                        \
        static const char *const words[] = {list(CHOICE_TEXT)};                                              \
        tool_json_set(keys, #name, key = key_json("choice or list of choices", meaning));                    \
        tool_json_set(key, "words", words_json(words, sizeof words / sizeof words[0]));                      \
    }
#define COUNT_KEY(name, standard, lowest, highest, meaning)                                                  \
    tool_json_set(keys, #name, key = key_json("whole number", meaning));                                     \
    tool_json_set(key, "least", tool_json_count(lowest));                                                    \
    tool_json_set(key, "most", tool_json_count(highest));
#define FLAG_KEY(name, standard, meaning) tool_json_set(keys, #name, key_json("true or false", meaning));
#define REAL_KEY(name, standard, lowest, bound, meaning)                                                     \
    tool_json_set(keys, #name, key = key_json("number", meaning));                                           \
    tool_json_set(key, "least", tool_json_real((double)(lowest)));                                           \
    tool_json_set(key, "below", tool_json_real((double)(bound)));
    QUARTIC_MODEL_FIELD_LIST(CHOICE_KEY, CHOICES_KEY, COUNT_KEY, FLAG_KEY, REAL_KEY)
    tool_print_json(keys);
}

/* ---- a file's tensors ---- */

static const char *shape_text(const quartic_shape *shape, char *buffer, size_t bytes) {
    int used = snprintf(buffer, bytes, "(");
    for (uint32_t axis = 0; axis < shape->rank; ++axis)
        used += snprintf(buffer + used, bytes - (size_t)used, axis == 0 ? "%u" : ", %u", shape->dims[axis]);
    snprintf(buffer + used, bytes - (size_t)used, ")");
    return buffer;
}

static json_t *shape_json(const quartic_shape *shape) {
    json_t *list = tool_json_list();
    for (uint32_t axis = 0; axis < shape->rank; ++axis)
        tool_json_add(list, tool_json_count(shape->dims[axis]));
    return list;
}

/* One row: element type (NULL: left out), shape, name. */
static void print_tensor(const char *dtype, const quartic_shape *shape, const char *name) {
    char text[96];
    if (dtype != NULL) printf("%-5s ", dtype);
    printf("%-20s ", shape_text(shape, text, sizeof text));
    tool_put_text(stdout, name);
    printf("\n");
}

static void print_file_json(const quartic_safetensors *file, const char *why_no_model) {
    json_t *tensors = tool_json_list(), *metadata = tool_json_object(NULL, NULL);
    for (uint32_t t = 0; t < quartic_safetensors_count(file); ++t) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(file, t);
        tool_json_add(tensors, tool_json_object("name", tool_json_text(tensor->name), "dtype",
                                                tool_json_text(quartic_safetensors_dtype_name(tensor->dtype)),
                                                "shape", shape_json(&tensor->shape), NULL));
    }
    for (uint32_t m = 0; m < quartic_safetensors_metadata_count(file); ++m) {
        const quartic_safetensors_text *text = quartic_safetensors_metadata_at(file, m);
        tool_json_set(metadata, text->key, tool_json_text(text->text));
    }
    tool_print_json(tool_json_object("tensors", tensors, "metadata", metadata, "why_no_model",
                                     tool_json_text(why_no_model), NULL));
}

/* A file that is no model: its tensors and metadata. */
static int show_file(const invocation *call, const quartic_safetensors *file, const char *why) {
    const inspect_settings *settings = call->settings;
    char why_no_model[1024], text[TOOL_NUMBER_BYTES];
    snprintf(why_no_model, sizeof why_no_model, "%s", why);
    if (settings->json) return print_file_json(file, why_no_model), EXIT_DONE;
    uint64_t bytes = 0;
    for (uint32_t t = 0; t < quartic_safetensors_count(file); ++t) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(file, t);
        bytes += tensor->bytes;
        print_tensor(quartic_safetensors_dtype_name(tensor->dtype), &tensor->shape, tensor->name);
    }
    for (uint32_t m = 0; m < quartic_safetensors_metadata_count(file); ++m) {
        const quartic_safetensors_text *entry = quartic_safetensors_metadata_at(file, m);
        printf("metadata ");
        tool_put_text(stdout, entry->key);
        printf(": ");
        tool_put_text(stdout, entry->text);
        printf("\n");
    }
    printf("%u tensors, %s; not shown as a model: ", quartic_safetensors_count(file),
           tool_bytes_text((double)bytes, text));
    tool_put_text(stdout, why_no_model);
    printf("\n");
    return EXIT_DONE;
}

/* ---- a model's needs ---- */

/* What one kind of run takes; false after an error, which is printed. */
static bool measure_model(const invocation *call, quartic_model *model, const tool_run_shape *shape,
                          bool with_gradients, quartic_program_memory *out_cost) {
    const inspect_settings *settings = call->settings;
    if (quartic_model_measure(model, settings->batch, shape->length, shape->masked, with_gradients,
                              out_cost) == QUARTIC_OK)
        return true;
    return tool_fail_library(call->command, NULL), false;
}

/* Whether one layer or more has that form of edge attention. */
static bool has_form(const quartic_model_config *config, quartic_edge_attention form) {
    for (uint32_t layer = 0; layer < config->edge_attention_count; ++layer)
        if (config->edge_attention_list[layer] == form) return true;
    return config->edge_attention_count == 0 && config->edge_attention == form;
}

/* The form of Taylor attention over rows and columns of n edges; NULL if the model has none. */
static const char *taylor_form(const quartic_model_config *config, uint32_t n) {
    if (!has_form(config, QUARTIC_EDGE_ATTENTION_AXIAL)) return NULL;
    return quartic_taylor_form(n, config->linear_dim_head, config->linear_dim_head) == 2 ? "linear"
                                                                                         : "quadratic";
}

/* The first sequence length from which the linear form is chosen, 0 if never. */
static uint32_t linear_form_from(const quartic_model_config *config) {
    for (uint32_t m = 1; m <= LONGEST_SEQUENCE; ++m)
        if (quartic_taylor_form(m, config->linear_dim_head, config->linear_dim_head) == 2) return m;
    return 0;
}

static void print_cost(const char *kind, const quartic_program_memory *cost) {
    char workspace[TOOL_NUMBER_BYTES], unshared[TOOL_NUMBER_BYTES], own[TOOL_NUMBER_BYTES],
        flops[TOOL_NUMBER_BYTES];
    printf("  %-9s workspace %s (%s without sharing), tensors %s, %sFLOP\n", kind,
           tool_bytes_text((double)cost->workspace_bytes, workspace),
           tool_bytes_text((double)cost->unshared_bytes, unshared),
           tool_bytes_text((double)cost->own_tensor_bytes, own), tool_count_text(cost->flops, flops));
}

static json_t *cost_json(const quartic_program_memory *cost) {
    return tool_json_object("workspace_bytes", tool_json_count(cost->workspace_bytes), "unshared_bytes",
                            tool_json_count(cost->unshared_bytes), "tensor_bytes",
                            tool_json_count(cost->own_tensor_bytes), "flops", tool_json_real(cost->flops),
                            "traffic_bytes", tool_json_real(cost->traffic_bytes), NULL);
}

/* ---- forms of edge attention ---- */

static void print_form(const char *name, double parameters, const quartic_program_memory *forward,
                       const quartic_program_memory *training) {
    char text[7][TOOL_NUMBER_BYTES];
    printf("  %-18s %10s  %8sFLOP %10s %10s  %8sFLOP %10s %10s\n", name, tool_count_text(parameters, text[0]),
           tool_count_text(forward->flops, text[1]), tool_bytes_text(forward->traffic_bytes, text[2]),
           tool_bytes_text((double)forward->workspace_bytes, text[3]),
           tool_count_text(training->flops, text[4]), tool_bytes_text(training->traffic_bytes, text[5]),
           tool_bytes_text((double)training->workspace_bytes, text[6]));
}

/* The configuration with one form in all layers: a row, as JSON or on stdout; a message where the form
 * cannot be had. */
static void show_form(const invocation *call, const quartic_model *model, const tool_run_shape *shape,
                      quartic_edge_attention form, json_t *rows) {
    const inspect_settings *settings = call->settings;
    quartic_model_config config = *quartic_model_get_config(model);
    quartic_program_memory forward, training;
    quartic_model *other = NULL;
    config.weights = NULL;
    config.edge_attention = form;
    config.edge_attention_count = 0;
    if (quartic_model_config_check(&config) != QUARTIC_OK ||
        quartic_model_create(quartic_model_device(model), &config, &other) != QUARTIC_OK ||
        quartic_model_measure(other, settings->batch, shape->length, shape->masked, 0, &forward) !=
            QUARTIC_OK ||
        quartic_model_measure(other, settings->batch, shape->length, shape->masked, 1, &training) !=
            QUARTIC_OK) {
        const char *why = tool_library_message();
        if (settings->json)
            tool_json_add(rows, tool_json_object("form", tool_json_text(tool_edge_form_name(form)), "why_not",
                                                 tool_json_text(why), NULL));
        else
            printf("  %-18s not here: %s\n", tool_edge_form_name(form), why);
    } else {
        const double parameters = (double)quartic_model_parameter_elements(other);
        if (settings->json)
            tool_json_add(rows,
                          tool_json_object("form", tool_json_text(tool_edge_form_name(form)), "parameters",
                                           tool_json_real(parameters), "forward", cost_json(&forward),
                                           "training", cost_json(&training), NULL));
        else
            print_form(tool_edge_form_name(form), parameters, &forward, &training);
    }
    quartic_model_destroy(other);
}

/* A row for each form; null (and nothing printed) for a family without edges. */
static json_t *show_forms(const invocation *call, const quartic_model *model, const tool_run_shape *shape) {
    const inspect_settings *settings = call->settings;
    if (quartic_model_get_config(model)->model == QUARTIC_MODEL_MULTI_STREAM) return tool_json_null();
    json_t *rows = tool_json_list();
    if (!settings->json)
        printf("the model with each form of edge attention in all layers, batch %u, length %u:\n"
               "  %-18s %10s  %12s %10s %10s  %12s %10s %10s\n",
               settings->batch, shape->length, "form", "parameters", "forward", "traffic", "workspace",
               "training", "traffic", "workspace");
    for (uint32_t form = QUARTIC_EDGE_ATTENTION_AXIAL; tool_edge_form_name(form) != NULL; ++form)
        show_form(call, model, shape, (quartic_edge_attention)form, rows);
    return rows;
}

static json_t *list_parameters(const quartic_model *model, bool print) {
    json_t *list = tool_json_list();
    for (uint32_t k = 0; k < quartic_model_parameter_count(model); ++k) {
        quartic_model_parameter parameter;
        if (quartic_model_get_parameter(model, k, &parameter) != QUARTIC_OK) continue;
        if (print) print_tensor(NULL, &parameter.shape, parameter.name);
        tool_json_add(list, tool_json_object("name", tool_json_text(parameter.name), "shape",
                                             shape_json(&parameter.shape), NULL));
    }
    return list;
}

/* Counts and times for a device that is known by its limits. */
static int show_limits(const invocation *call, const quartic_model *model, const tool_run_shape *shape) {
    const inspect_settings *settings = call->settings;
    quartic_device_limits limits;
    if (!tool_read_limits(call->command, settings->limits, &limits)) return EXIT_FAILED;
    if (settings->budget != 0) limits.workspace_budget = settings->budget;
    if (!settings->json)
        return tool_show_estimates(call->command, model, settings->batch, shape, &limits, NULL);
    json_t *report = tool_json_object("batch", tool_json_count(settings->batch), "length",
                                      tool_json_count(shape->length), NULL);
    const int code = tool_show_estimates(call->command, model, settings->batch, shape, &limits, report);
    if (code == EXIT_DONE)
        tool_print_json(report);
    else
        json_decref(report);
    return code;
}

static int show_model(const invocation *call, quartic_model *model) {
    const inspect_settings *settings = call->settings;
    const quartic_model_config *config = quartic_model_get_config(model);
    tool_run_shape shape = tool_run_shape_of(model, call->operands[0]);
    if (settings->length != 0)
        shape.length = settings->length;
    else if (shape.length == 0)
        shape.length = tool_standard_length(model);
    if (settings->limits != NULL) return show_limits(call, model, &shape);
    if (settings->budget != 0) return tool_fail_usage(call->command, "--budget goes with --limits");
    quartic_program_memory forward, training;
    if (!measure_model(call, model, &shape, false, &forward) ||
        !measure_model(call, model, &shape, true, &training))
        return EXIT_FAILED;
    char *text = tool_config_text(config);
    if (text == NULL) return tool_fail_library(call->command, NULL);
    const uint64_t parameters = quartic_model_parameter_elements(model);
    const char *form = taylor_form(config, shape.length);
    json_t *list = list_parameters(model, settings->tensors && !settings->json);
    if (settings->json) {
        tool_print_json(tool_json_object(
            "config", json_loads(text, 0, NULL), "parameters", tool_json_count(parameters), "batch",
            tool_json_count(settings->batch), "length", tool_json_count(shape.length), "forward",
            cost_json(&forward), "training", cost_json(&training), "taylor_form", tool_json_text(form),
            "linear_form_from", tool_json_count(linear_form_from(config)), "forms",
            show_forms(call, model, &shape), "tensors", json_incref(list), NULL));
    } else {
        char count[TOOL_NUMBER_BYTES], bytes[TOOL_NUMBER_BYTES];
        printf("%s parameters (%s) in %u tensors\n%s\n", tool_count_text((double)parameters, count),
               tool_bytes_text(4 * (double)parameters, bytes), quartic_model_parameter_count(model), text);
        printf("batch %u, length %u%s:\n", settings->batch, shape.length, shape.masked ? ", masked" : "");
        print_cost("forward", &forward);
        print_cost("training", &training);
        if (form != NULL)
            printf("  Taylor attention over rows and columns: %s form; linear from length %u on\n", form,
                   linear_form_from(config));
        json_decref(show_forms(call, model, &shape));
    }
    json_decref(list);
    free(text);
    return EXIT_DONE;
}

/* A safetensors file: as a model if it is one, else as its tensors. */
static int inspect_file(const invocation *call, quartic_device *device, const char *path) {
    const inspect_settings *settings = call->settings;
    quartic_safetensors *file;
    quartic_model *model = NULL;
    int code = EXIT_FAILED;
    if (settings->config != NULL) {
        model = tool_open_model(call->command, device, path, settings->config);
        if (model != NULL) code = show_model(call, model);
        quartic_model_destroy(model);
        return code;
    }
    if (quartic_safetensors_open(path, &file) != QUARTIC_OK) return tool_fail_library(call->command, NULL);
    if (quartic_model_open(device, path, &model) == QUARTIC_OK) {
        tool_tell_prefix(call->command, model, path);
        code = show_model(call, model);
    } else {
        code = show_file(call, file, tool_library_message());
    }
    quartic_model_destroy(model);
    quartic_safetensors_close(file);
    return code;
}

static int run_inspect(const invocation *call) {
    const inspect_settings *settings = call->settings;
    if (settings->keys) return settings->json ? print_keys_json() : print_keys(), EXIT_DONE;
    if (call->operand_count == 0) return tool_fail_usage(call->command, "a FILE is missing");
    if (settings->config != NULL && tool_is_config(call->operands[0]))
        return tool_fail_usage(call->command, "--config goes with a file of weights, and %s is none",
                               call->operands[0]);
    char path[TOOL_PATH_BYTES];
    if (!tool_model_path(call->command, call->operands[0], path)) return EXIT_FAILED;
    quartic_device *device = tool_open_device(call->command, settings->device);
    if (device == NULL) return EXIT_FAILED;
    int code = EXIT_FAILED;
    if (tool_is_config(path)) {
        quartic_model *model = tool_make_model(call->command, device, path);
        if (model != NULL) code = show_model(call, model);
        quartic_model_destroy(model);
    } else {
        code = inspect_file(call, device, path);
    }
    quartic_device_destroy(device);
    return code;
}

const command command_inspect = {
    .name = "inspect",
    .operands = "FILE",
    .summary = "show what a configuration or a file of weights holds and needs",
    .details =
        "FILE is a JSON configuration, a run's folder, a checkpoint, or any safetensors file. Prints the "
        "number "
        "of parameters, memory and operations of a forward pass and of the gradients, the form chosen for "
        "Taylor attention, and the same figures for every form of edge attention in all layers. \"traffic\" "
        "counts every operand of every step once. Values that no output depends on are not counted, such as "
        "the "
        "edges of the last layer where nodes are read out.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least_operands = 0,
    .most_operands = 1,
    .defaults = &defaults,
    .settings_bytes = sizeof defaults,
    .run = run_inspect,
};
