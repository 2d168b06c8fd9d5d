/* run.c: forward passes, losses and gradients through a small cache of compiled programs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "model/model.h"
#include "quartic/estimate.h"

/* ---- the cache ---- */

static bool same_task(const quartic_model_task *a, const quartic_model_task *b) {
    return a->batch == b->batch && a->length == b->length && a->masked == b->masked &&
           a->logits == b->logits && a->attention == b->attention && a->edges == b->edges &&
           a->diversity == b->diversity && a->loss == b->loss && a->gradients == b->gradients &&
           a->replace == b->replace && a->norm == b->norm && a->gate == b->gate && a->dropout == b->dropout &&
           a->weighted == b->weighted;
}

static quartic_status compile_task(quartic_model *model, const quartic_model_task *task,
                                   quartic_model_program *out) {
    quartic_graph *graph;
    quartic_binding bindings[2] = {{"parameters", model->weights}, {"gradients", model->gradients}};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = task->gradients ? 2 : 1;
    *out = (quartic_model_program){.task = *task};
    if (task->masked) {
        out->mask = quartic_alloc((size_t)task->batch * task->length, sizeof out->mask[0]);
        if (out->mask == NULL) return QUARTIC_OUT_OF_MEMORY;
    }
    quartic_status status = quartic_model_build(model, task, NULL, &graph);
    if (status == QUARTIC_OK) {
        status = quartic_program_create(model->device, graph, &config, &out->program);
        quartic_graph_destroy(graph);
    }
    if (status != QUARTIC_OK) quartic_free(out->mask);
    return status;
}

/* Makes sure that the array has an entry for one more program. */
static quartic_status make_place(quartic_model *model) {
    if (model->program_count < model->program_places) return QUARTIC_OK;
    const uint32_t most = model->config.cached_programs, half = model->program_places;
    const uint32_t places = half < most / 2 ? 2 * half : most;
    quartic_model_program *grown = quartic_realloc(model->programs, half, places, sizeof *grown);
    if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
    model->programs = grown;
    model->program_places = places;
    return QUARTIC_OK;
}

/* Finds or compiles the program of a task. When the cache is full, the program unused for longest is
 * destroyed. */
static quartic_status find_program(quartic_model *model, const quartic_model_task *task,
                                   quartic_model_program **out_program) {
    quartic_model_program *oldest = &model->programs[0];
    ++model->clock;
    for (uint32_t k = 0; k < model->program_count; ++k) {
        quartic_model_program *at = &model->programs[k];
        if (same_task(&at->task, task)) {
            at->last_use = model->clock;
            *out_program = at;
            return QUARTIC_OK;
        }
        if (at->last_use < oldest->last_use) oldest = at;
    }
    quartic_model_program *place;
    if (model->program_count < model->config.cached_programs) {
        QUARTIC_TRY(make_place(model));
        place = &model->programs[model->program_count];
    } else {
        /* Its memory is freed first, so that two large programs need not fit at the same time. */
        quartic_program_destroy(oldest->program);
        quartic_free(oldest->mask);
        *oldest = model->programs[--model->program_count];
        place = &model->programs[model->program_count];
    }
    quartic_model_program fresh;
    QUARTIC_TRY(compile_task(model, task, &fresh));
    fresh.last_use = model->clock;
    *place = fresh;
    ++model->program_count;
    *out_program = place;
    return QUARTIC_OK;
}

/* ---- input, output ---- */

static quartic_status read_output(quartic_program *program, const char *name, float *out) {
    quartic_tensor *tensor = quartic_program_tensor(program, name);
    if (tensor == NULL) return QUARTIC_INTERNAL;
    quartic_shape shape = quartic_tensor_shape(tensor);
    return quartic_tensor_read(tensor, out, sizeof out[0] * quartic_shape_elements(&shape));
}

/* Checks a batch, finds its program, writes the inputs and runs it. A batch that is refused changes
 * nothing. */
static quartic_status run_model_task(quartic_model *model, const quartic_model_task *task,
                                     const quartic_model_batch *in, quartic_model_program **out_program) {
    QUARTIC_TRY(quartic_model_check_batch(model, in, task->loss));
    QUARTIC_TRY(find_program(model, task, out_program));
    quartic_program *program = (*out_program)->program;
    QUARTIC_TRY(quartic_model_write_batch(model, program, in, (*out_program)->mask, task->loss));
    if (task->gradients) model->has_gradients = false; /* the run overwrites them */
    return quartic_program_run(program);
}

static quartic_status check_output_finite(const char *what, const float *numbers, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i)
        if (!isfinite(numbers[i]))
            return quartic_fail(
                QUARTIC_NON_FINITE,
                "element %llu of the %s is %g; the weights may be damaged, or training have diverged",
                (unsigned long long)i, what, (double)numbers[i]);
    return QUARTIC_OK;
}

/* ---- calls with a batch ---- */

/* Reads the outputs "name.0", "name.1", .. one after the other: out (depth, layer_elements). */
static quartic_status read_layers(const quartic_model *model, quartic_program *program, const char *name,
                                  uint64_t layer_elements, float *out) {
    for (uint32_t layer = 0; layer < model->config.depth; ++layer) {
        char text[32];
        snprintf(text, sizeof text, "%s.%u", name, layer);
        QUARTIC_TRY(read_output(program, text, out + layer * layer_elements));
    }
    return QUARTIC_OK;
}

static const quartic_model_readout standard_readout = QUARTIC_MODEL_READOUT_INIT;
static const quartic_options_type readout_type = {"quartic_model_readout", "QUARTIC_MODEL_READOUT_INIT",
                                                  sizeof standard_readout, 0, &standard_readout};

quartic_status quartic_model_inspect_batch(quartic_model *model, const quartic_model_batch *in,
                                           const quartic_model_readout *readout) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    if (in == NULL) return quartic_fail_null("batch");
    QUARTIC_NEED(readout);
    quartic_model_batch whole_batch;
    quartic_model_readout whole_readout;
    QUARTIC_TRY(quartic_options_read(&quartic_model_batch_type, in, &whole_batch));
    QUARTIC_TRY(quartic_options_read(&readout_type, readout, &whole_readout));
    in = &whole_batch;
    readout = &whole_readout;
    const quartic_family *family = quartic_model_family_of(&model->config);
    if (readout->logits == NULL && readout->attention == NULL && readout->edges == NULL &&
        readout->diversity == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the readout asks for nothing; set one of its pointers");
    if ((readout->edges != NULL && !family->takes_graphs) ||
        (readout->diversity != NULL && !family->has_diversity))
        return quartic_fail(QUARTIC_UNSUPPORTED, "the readout asks for %s, which this family has not",
                            readout->edges != NULL && !family->takes_graphs ? "edges"
                                                                            : "a diversity loss of streams");
    const quartic_model_task task = {.batch = in->batch,
                                     .length = in->length,
                                     .masked = in->mask != NULL,
                                     .logits = readout->logits != NULL,
                                     .attention = readout->attention != NULL,
                                     .edges = readout->edges != NULL,
                                     .diversity = readout->diversity != NULL};
    quartic_model_program *entry;
    QUARTIC_TRY(run_model_task(model, &task, in, &entry));
    const uint64_t pairs = (uint64_t)in->batch * in->length * in->length;
    if (readout->attention != NULL)
        QUARTIC_TRY(read_layers(model, entry->program, "attention",
                                pairs * quartic_model_attention_heads(model), readout->attention));
    if (readout->edges != NULL)
        QUARTIC_TRY(
            read_layers(model, entry->program, "edges", pairs * model->config.dim_edges, readout->edges));
    if (readout->diversity != NULL) QUARTIC_TRY(read_output(entry->program, "diversity", readout->diversity));
    if (readout->logits == NULL) return QUARTIC_OK;
    QUARTIC_TRY(read_output(entry->program, "logits", readout->logits));
    const uint64_t rows = quartic_model_logit_rows(model, in->batch, in->length);
    return check_output_finite("logits", readout->logits, rows * model->config.num_classes);
}

quartic_status quartic_model_forward_batch(quartic_model *model, const quartic_model_batch *in,
                                           float *out_logits) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    if (in == NULL) return quartic_fail_null("batch");
    QUARTIC_NEED(out_logits);
    quartic_model_readout readout = QUARTIC_MODEL_READOUT_INIT;
    readout.logits = out_logits;
    return quartic_model_inspect_batch(model, in, &readout);
}

/* If the sum of squares is finite, so are all gradients. If not, it may only have overflowed, so they are
 * checked one by one. */
static quartic_status check_gradients(const quartic_model *model, quartic_program *program) {
    float squared, *storage;
    QUARTIC_TRY(read_output(program, "squared_norm", &squared));
    if (isfinite(squared)) return QUARTIC_OK;
    QUARTIC_TRY(quartic_model_fetch(model, model->gradients, &storage));
    const quartic_status status = quartic_model_check_finite(model, "gradient of", "", storage);
    quartic_free(storage);
    return status;
}

static quartic_status run_loss(quartic_model *model, const quartic_model_batch *in, bool gradients,
                               float *out_loss) {
    quartic_model_batch whole;
    QUARTIC_TRY(quartic_options_read(&quartic_model_batch_type, in, &whole));
    in = &whole;
    const quartic_model_task task = {.batch = in->batch,
                                     .length = in->length,
                                     .masked = in->mask != NULL,
                                     .loss = true,
                                     .gradients = gradients,
                                     .replace = gradients,
                                     .norm = gradients};
    quartic_model_program *entry;
    float loss;
    QUARTIC_TRY(run_model_task(model, &task, in, &entry));
    QUARTIC_TRY(read_output(entry->program, "loss", &loss));
    QUARTIC_TRY(check_output_finite("loss", &loss, 1));
    if (gradients) QUARTIC_TRY(check_gradients(model, entry->program));
    *out_loss = loss;
    return QUARTIC_OK;
}

quartic_status quartic_model_loss_batch(quartic_model *model, const quartic_model_batch *in,
                                        float *out_loss) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    if (in == NULL) return quartic_fail_null("batch");
    QUARTIC_NEED(out_loss);
    return run_loss(model, in, false, out_loss);
}

quartic_status quartic_model_gradients_batch(quartic_model *model, const quartic_model_batch *in,
                                             float *out_loss) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    if (in == NULL) return quartic_fail_null("batch");
    QUARTIC_NEED(out_loss);
    if (model->gradients == NULL) {
        quartic_shape shape = QUARTIC_SHAPE((uint32_t)model->set.elements);
        QUARTIC_TRY(quartic_tensor_create(model->device, QUARTIC_FLOAT32, &shape, &model->gradients));
    }
    QUARTIC_TRY(run_loss(model, in, true, out_loss));
    model->has_gradients = true;
    return QUARTIC_OK;
}

/* ---- calls for models of tokens alone ---- */

static quartic_model_batch batch_of(uint32_t batch, uint32_t length, const int32_t *tokens,
                                    const int32_t *targets, const uint8_t *mask) {
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = batch, in.length = length, in.tokens = tokens, in.targets = targets, in.mask = mask;
    return in;
}

quartic_status quartic_model_forward(quartic_model *model, uint32_t batch, uint32_t length,
                                     const int32_t *tokens, const uint8_t *mask, float *out_logits) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(tokens);
    QUARTIC_NEED(out_logits);
    const quartic_model_batch in = batch_of(batch, length, tokens, NULL, mask);
    return quartic_model_forward_batch(model, &in, out_logits);
}

quartic_status quartic_model_inspect(quartic_model *model, uint32_t batch, uint32_t length,
                                     const int32_t *tokens, const uint8_t *mask,
                                     const quartic_model_readout *readout) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(tokens);
    QUARTIC_NEED(readout);
    const quartic_model_batch in = batch_of(batch, length, tokens, NULL, mask);
    return quartic_model_inspect_batch(model, &in, readout);
}

quartic_status quartic_model_loss(quartic_model *model, uint32_t batch, uint32_t length,
                                  const int32_t *tokens, const int32_t *targets, const uint8_t *mask,
                                  float *out_loss) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(tokens);
    QUARTIC_NEED(targets);
    QUARTIC_NEED(out_loss);
    const quartic_model_batch in = batch_of(batch, length, tokens, targets, mask);
    return quartic_model_loss_batch(model, &in, out_loss);
}

quartic_status quartic_model_gradients(quartic_model *model, uint32_t batch, uint32_t length,
                                       const int32_t *tokens, const int32_t *targets, const uint8_t *mask,
                                       float *out_loss) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(tokens);
    QUARTIC_NEED(targets);
    QUARTIC_NEED(out_loss);
    const quartic_model_batch in = batch_of(batch, length, tokens, targets, mask);
    return quartic_model_gradients_batch(model, &in, out_loss);
}

/* ---- estimates and memory ---- */

quartic_status quartic_model_measure(const quartic_model *model, uint32_t batch, uint32_t length,
                                     uint32_t masked, uint32_t with_gradients,
                                     quartic_program_memory *out_memory) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(out_memory);
    QUARTIC_TRY(quartic_model_check_size(model, batch, length));
    const quartic_model_task task = {.batch = batch,
                                     .length = length,
                                     .masked = masked != 0,
                                     .logits = !with_gradients,
                                     .loss = with_gradients != 0,
                                     .gradients = with_gradients != 0,
                                     .replace = with_gradients != 0,
                                     .norm = with_gradients != 0};
    const quartic_binding bindings[] = {{"parameters", model->weights}};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = 1;
    quartic_graph *graph;
    QUARTIC_TRY(quartic_model_build(model, &task, NULL, &graph));
    quartic_status status = quartic_program_measure(model->device, graph, &config, out_memory);
    quartic_graph_destroy(graph);
    return status;
}

quartic_status quartic_model_estimate(const quartic_model *model, uint32_t batch, uint32_t length,
                                      uint32_t masked, const quartic_device_limits *limits,
                                      quartic_estimate **out_estimate) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_estimate);
    *out_estimate = NULL;
    QUARTIC_NEED(model);
    QUARTIC_NEED(limits);
    QUARTIC_TRY(quartic_model_check_size(model, batch, length));
    const quartic_model_task task = {.batch = batch, .length = length, .masked = masked != 0, .logits = true};
    quartic_graph *graph;
    QUARTIC_TRY(quartic_model_build(model, &task, NULL, &graph));
    quartic_status status =
        quartic_estimate_create(&(quartic_estimate_part){graph, 1}, 1, limits, out_estimate);
    quartic_graph_destroy(graph);
    return status;
}
