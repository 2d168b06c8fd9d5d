/* trainer.c: the two programs of a training step, and the step. See trainer.h. */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/rng.h"
#include "quartic/estimate.h"

static quartic_model_task micro_task(const quartic_trainer_config *config) {
    return (quartic_model_task){.batch = config->batch,
                                .length = config->length,
                                .masked = config->masked,
                                .loss = true,
                                .gradients = true,
                                .replace = config->accumulation == 1,
                                .norm = true,
                                .gate = true,
                                .weighted = config->accumulation > 1,
                                .dropout = true};
}

/* The graph of the update. Tensors: "parameters", "gradients", "first_moment", "second_moment" (P); "hyper"
 * (8); "squared_norm" and "gate", scalars. AdamW updates each range of neighbouring weights that are trained;
 * the others stay as they are, without decay, as in PyTorch. With clear, gradients = 0 then. Output
 * "squared_weights": the
 * sum of squares of all updated weights, which is not finite if one of them is not. */
static quartic_status build_apply(const quartic_model *model, const bool *trained, bool clear,
                                  quartic_graph **out_graph) {
    quartic_graph *graph;
    const quartic_parameter_set *set = &model->set;
    const quartic_shape flat = QUARTIC_SHAPE((uint32_t)set->elements);
    QUARTIC_TRY(quartic_graph_create(&graph));
    quartic_value all[4] = {quartic_graph_parameter(graph, "parameters", &flat),
                            quartic_graph_state(graph, "gradients", QUARTIC_FLOAT32, &flat),
                            quartic_graph_state(graph, "first_moment", QUARTIC_FLOAT32, &flat),
                            quartic_graph_state(graph, "second_moment", QUARTIC_FLOAT32, &flat)};
    quartic_value hyper = quartic_graph_input(graph, "hyper", QUARTIC_FLOAT32, &QUARTIC_SHAPE(8));
    quartic_value norm = quartic_graph_state(graph, "squared_norm", QUARTIC_FLOAT32, &(quartic_shape){0});
    quartic_value gate = quartic_graph_state(graph, "gate", QUARTIC_FLOAT32, &(quartic_shape){0});
    norm = quartic_accumulate(graph, norm, gate, 1.0f);
    quartic_accumulate(graph, gate, norm, 0.0f); /* not finite from now on if this norm is not */
    for (uint32_t k = 0; k < set->count; ++k) {
        if (!trained[k]) continue;
        const uint32_t start = (uint32_t)set->specs[k].offset;
        while (k + 1 < set->count && trained[k + 1]) ++k;
        const uint32_t end =
            k + 1 < set->count ? (uint32_t)set->specs[k + 1].offset : (uint32_t)set->elements;
        quartic_value run[4];
        for (uint32_t v = 0; v < 4; ++v) run[v] = quartic_slice(graph, all[v], 0, start, end - start);
        quartic_adamw(graph, run[0], run[1], run[2], run[3], hyper, norm, 1.0f);
    }
    if (clear) quartic_fill(graph, all[1], 0.0f);
    quartic_graph_output(graph, "squared_weights", quartic_sum_squares(graph, all[0]));
    quartic_status status = quartic_graph_status(graph);
    if (status == QUARTIC_OK)
        *out_graph = graph;
    else
        quartic_graph_destroy(graph);
    return status;
}

/* The graphs of both programs; the caller destroys them. */
static quartic_status build_both(const quartic_model *model, const quartic_trainer_config *config,
                                 quartic_graph **out_micro, quartic_graph **out_apply) {
    const quartic_model_task task = micro_task(config);
    bool *trained = quartic_alloc(model->set.count, sizeof trained[0]);
    if (trained == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status = quartic_model_build(model, &task, trained, out_micro);
    if (status == QUARTIC_OK) {
        status = build_apply(model, trained, config->accumulation > 1, out_apply);
        if (status != QUARTIC_OK) quartic_graph_destroy(*out_micro);
    }
    quartic_free(trained);
    return status;
}

static quartic_status check_settings(const quartic_model *model, const quartic_trainer_config *given,
                                     quartic_trainer_config *out_config) {
    QUARTIC_TRY(quartic_trainer_config_take(given, out_config));
    return quartic_model_check_size(model, out_config->batch, out_config->length);
}

static quartic_status measure_program(const quartic_model *model, const quartic_graph *graph,
                                      quartic_program_memory *out_memory) {
    const quartic_binding bindings[] = {{"parameters", model->weights}};
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = 1;
    return quartic_program_measure(model->device, graph, &config, out_memory);
}

quartic_status quartic_trainer_measure(const quartic_model *model, const quartic_trainer_config *config,
                                       quartic_program_memory *out_memory) {
    QUARTIC_CALL();
    QUARTIC_NEED(model);
    QUARTIC_NEED(config);
    QUARTIC_NEED(out_memory);
    quartic_graph *micro, *apply;
    quartic_program_memory micro_memory, apply_memory;
    quartic_trainer_config whole;
    QUARTIC_TRY(check_settings(model, config, &whole));
    config = &whole;
    QUARTIC_TRY(build_both(model, config, &micro, &apply));
    quartic_status status = measure_program(model, micro, &micro_memory);
    if (status == QUARTIC_OK) status = measure_program(model, apply, &apply_memory);
    quartic_graph_destroy(micro);
    quartic_graph_destroy(apply);
    if (status != QUARTIC_OK) return status;
    /* The gradients are bound to both programs; they count once. */
    const uint64_t shared = (uint64_t)model->set.elements * sizeof(float);
    out_memory->workspace_bytes = micro_memory.workspace_bytes + apply_memory.workspace_bytes;
    out_memory->workspace_allocations =
        micro_memory.workspace_allocations + apply_memory.workspace_allocations;
    out_memory->unshared_bytes = micro_memory.unshared_bytes + apply_memory.unshared_bytes;
    out_memory->own_tensor_bytes = micro_memory.own_tensor_bytes + apply_memory.own_tensor_bytes - shared;
    const double micros = (double)config->accumulation;
    out_memory->flops = micros * micro_memory.flops + apply_memory.flops;
    out_memory->traffic_bytes = micros * micro_memory.traffic_bytes + apply_memory.traffic_bytes;
    return QUARTIC_OK;
}

quartic_status quartic_trainer_estimate(const quartic_model *model, const quartic_trainer_config *config,
                                        const quartic_device_limits *limits,
                                        quartic_estimate **out_estimate) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_estimate);
    *out_estimate = NULL;
    QUARTIC_NEED(model);
    QUARTIC_NEED(config);
    QUARTIC_NEED(limits);
    quartic_graph *micro, *apply;
    quartic_trainer_config whole;
    QUARTIC_TRY(check_settings(model, config, &whole));
    QUARTIC_TRY(build_both(model, &whole, &micro, &apply));
    const quartic_estimate_part parts[] = {{micro, whole.accumulation}, {apply, 1}};
    quartic_status status = quartic_estimate_create(parts, 2, limits, out_estimate);
    quartic_graph_destroy(micro);
    quartic_graph_destroy(apply);
    return status;
}

/* ---- life ---- */

static quartic_status compile_program(quartic_trainer *trainer, const quartic_graph *graph,
                                      const quartic_binding *bindings, uint32_t binding_count,
                                      quartic_program **out_program) {
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    config.binding_count = binding_count;
    return quartic_program_create(trainer->model->device, graph, &config, out_program);
}

static quartic_status compile_both(quartic_trainer *trainer) {
    const quartic_binding bindings[] = {
        {"parameters", trainer->model->weights}, {"gradients", trainer->gradients},
        {"squared_norm", trainer->squared_norm}, {"gate", trainer->gate},
        {"first_moment", trainer->first_moment}, {"second_moment", trainer->second_moment}};
    quartic_graph *micro, *apply;
    QUARTIC_TRY(build_both(trainer->model, &trainer->config, &micro, &apply));
    quartic_status status = compile_program(trainer, micro, bindings, 4, &trainer->micro);
    if (status == QUARTIC_OK) status = compile_program(trainer, apply, bindings, 6, &trainer->apply);
    quartic_graph_destroy(micro);
    quartic_graph_destroy(apply);
    return status;
}

static quartic_status fetch_of(quartic_program *program, const char *name, quartic_fetch **out_fetch) {
    quartic_tensor *tensor = quartic_program_tensor(program, name);
    return tensor == NULL ? QUARTIC_INTERNAL : quartic_fetch_create(tensor, out_fetch);
}

static quartic_status create_flight(quartic_trainer *trainer, quartic_trainer_flight *flight) {
    const uint32_t count = trainer->config.accumulation;
    flight->losses = quartic_alloc(count, sizeof(quartic_fetch *));
    if (flight->losses == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint32_t micro = 0; micro < count; ++micro)
        QUARTIC_TRY(fetch_of(trainer->micro, "loss", &flight->losses[micro]));
    QUARTIC_TRY(quartic_fetch_create(trainer->squared_norm, &flight->squared_norm));
    return fetch_of(trainer->apply, "squared_weights", &flight->squared_weights);
}

static void destroy_flight(const quartic_trainer *trainer, quartic_trainer_flight *flight) {
    for (uint32_t micro = 0; flight->losses != NULL && micro < trainer->config.accumulation; ++micro)
        quartic_fetch_destroy(flight->losses[micro]);
    quartic_fetch_destroy(flight->squared_norm);
    quartic_fetch_destroy(flight->squared_weights);
    quartic_free(flight->losses);
}

static quartic_status fill_trainer(quartic_trainer *trainer) {
    quartic_device *device = trainer->model->device;
    const quartic_shape flat = QUARTIC_SHAPE((uint32_t)trainer->model->set.elements), scalar = {0};
    const size_t tokens = (size_t)trainer->config.batch * trainer->config.length;
    trainer->tokens = quartic_alloc(trainer->config.accumulation * tokens, sizeof trainer->tokens[0]);
    trainer->targets = quartic_alloc(trainer->config.accumulation * tokens, sizeof trainer->targets[0]);
    trainer->mask = quartic_alloc(tokens, sizeof trainer->mask[0]);
    if (trainer->tokens == NULL || trainer->targets == NULL || trainer->mask == NULL)
        return QUARTIC_OUT_OF_MEMORY;
    QUARTIC_TRY(quartic_tensor_create(device, QUARTIC_FLOAT32, &flat, &trainer->gradients));
    QUARTIC_TRY(quartic_tensor_create(device, QUARTIC_FLOAT32, &flat, &trainer->first_moment));
    QUARTIC_TRY(quartic_tensor_create(device, QUARTIC_FLOAT32, &flat, &trainer->second_moment));
    QUARTIC_TRY(quartic_tensor_create(device, QUARTIC_FLOAT32, &scalar, &trainer->squared_norm));
    QUARTIC_TRY(quartic_tensor_create(device, QUARTIC_FLOAT32, &scalar, &trainer->gate));
    QUARTIC_TRY(compile_both(trainer));
    for (uint32_t f = 0; f < QUARTIC_TRAINER_FLIGHTS; ++f)
        QUARTIC_TRY(create_flight(trainer, &trainer->flights[f]));
    return QUARTIC_OK;
}

quartic_status quartic_trainer_create(quartic_model *model, const quartic_trainer_config *config,
                                      quartic_trainer **out_trainer) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_trainer);
    *out_trainer = NULL;
    QUARTIC_NEED(model);
    QUARTIC_NEED(config);
    quartic_trainer_config whole;
    QUARTIC_TRY(check_settings(model, config, &whole));
    quartic_trainer *trainer = quartic_alloc(1, sizeof *trainer);
    if (trainer == NULL) return QUARTIC_OUT_OF_MEMORY;
    trainer->model = model;
    trainer->config = whole;
    quartic_status status = fill_trainer(trainer);
    if (status == QUARTIC_OK)
        *out_trainer = trainer;
    else
        quartic_trainer_destroy(trainer);
    return status;
}

void quartic_trainer_destroy(quartic_trainer *trainer) {
    if (trainer == NULL) return;
    for (uint32_t f = 0; f < QUARTIC_TRAINER_FLIGHTS; ++f) destroy_flight(trainer, &trainer->flights[f]);
    quartic_program_destroy(trainer->micro);
    quartic_program_destroy(trainer->apply);
    quartic_tensor_destroy(trainer->gradients);
    quartic_tensor_destroy(trainer->first_moment);
    quartic_tensor_destroy(trainer->second_moment);
    quartic_tensor_destroy(trainer->squared_norm);
    quartic_tensor_destroy(trainer->gate);
    quartic_free(trainer->tokens);
    quartic_free(trainer->targets);
    quartic_free(trainer->mask);
    quartic_free(trainer->note);
    quartic_free(trainer);
}

const quartic_trainer_config *quartic_trainer_get_config(const quartic_trainer *trainer) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(trainer, NULL);
    return &trainer->config;
}

uint64_t quartic_trainer_get_step(const quartic_trainer *trainer) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(trainer, 0);
    return trainer->step + trainer->flight_count;
}

uint64_t quartic_trainer_get_position(const quartic_trainer *trainer) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(trainer, 0);
    return trainer->position;
}

void quartic_trainer_set_position(quartic_trainer *trainer, uint64_t position) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(trainer, );
    trainer->position = position;
}

void quartic_trainer_set_trial(quartic_trainer *trainer, uint32_t trial) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(trainer, );
    trainer->trial = trial != 0;
}

/* ---- the step ---- */

/* Targets of a batch that are not ignored. */
static uint64_t count_batch_targets(const quartic_model *model, const quartic_model_batch *in) {
    const uint64_t rows = quartic_model_logit_rows(model, in->batch, in->length);
    uint64_t count = 0;
    for (uint64_t r = 0; r < rows; ++r) count += in->targets[r] >= 0;
    return count;
}

/* Writes the weights of a micro-batch in the step: its share of all targets, and of all sequences. */
static quartic_status write_shares(quartic_trainer *trainer, const quartic_model_batch *part,
                                   uint64_t all_targets) {
    const uint64_t own = count_batch_targets(trainer->model, part);
    const float target_share = all_targets == 0 ? 0.0f : (float)((double)own / (double)all_targets),
                batch_share = 1.0f / (float)trainer->config.accumulation;
    QUARTIC_TRY(quartic_model_write_input(trainer->micro, "target_share", &target_share, 1));
    if (trainer->model->config.diversity_loss == 0.0f) return QUARTIC_OK;
    return quartic_model_write_input(trainer->micro, "batch_share", &batch_share, 1);
}

/* Submits one micro-batch of the step of that number. */
static quartic_status submit_micro(quartic_trainer *trainer, uint32_t micro, const quartic_model_batch *in,
                                   uint64_t number, uint64_t all_targets, quartic_fetch *loss) {
    const quartic_trainer_config *config = &trainer->config;
    const quartic_model_batch part =
        quartic_model_batch_part(trainer->model, in, micro * config->batch, config->batch);
    QUARTIC_TRY(quartic_model_write_batch(trainer->model, trainer->micro, &part, trainer->mask, true));
    if (config->accumulation > 1) QUARTIC_TRY(write_shares(trainer, &part, all_targets));
    if (trainer->model->config.dropout > 0.0f) {
        uint64_t index = 2 * ((number - 1) * config->accumulation + micro);
        uint32_t words[2];
        for (uint32_t w = 0; w < 2; ++w)
            words[w] = quartic_random_bits(config->seed, QUARTIC_DROPOUT_STREAM, index + w);
        QUARTIC_TRY(quartic_model_write_input(trainer->micro, "dropout_seed", words, 2));
    }
    QUARTIC_TRY(quartic_program_submit(trainer->micro));
    return quartic_fetch_start(loss);
}

static quartic_status submit_apply(quartic_trainer *trainer, uint64_t number, float learning_rate) {
    const quartic_trainer_config *config = &trainer->config;
    const double t = (double)number;
    const float hyper[8] = {learning_rate,
                            config->beta1,
                            config->beta2,
                            config->eps,
                            config->weight_decay,
                            (float)(1.0 - pow((double)config->beta1, t)),
                            (float)(1.0 - pow((double)config->beta2, t)),
                            config->clip};
    QUARTIC_TRY(quartic_model_write_input(trainer->apply, "hyper", hyper, 8));
    return quartic_program_submit(trainer->apply);
}

/* NON_FINITE if a weight is not finite after the update of step `number`; squared: the sum of their squares. */
static quartic_status check_weights(const quartic_trainer *trainer, uint64_t number, float squared) {
    float *storage;
    if (isfinite(squared)) return QUARTIC_OK; /* else the sum may only have overflowed */
    QUARTIC_TRY(quartic_model_fetch(trainer->model, trainer->model->weights, &storage));
    const quartic_status status = quartic_model_check_finite(trainer->model, "weight", "", storage);
    quartic_free(storage);
    if (status != QUARTIC_NON_FINITE) return status;
    char message[512];
    snprintf(message, sizeof message, "%s", quartic_error_detail());
    return quartic_fail(QUARTIC_NON_FINITE,
                        "after the update of step %llu %s; these weights cannot be trained on: load a "
                        "checkpoint from before",
                        (unsigned long long)number, message);
}

/* Sets the gradients to 0, if they are added to. */
static quartic_status clear_gradients(quartic_trainer *trainer) {
    if (trainer->config.accumulation == 1) return QUARTIC_OK;
    const size_t elements = trainer->model->set.elements;
    float *zeros = quartic_alloc(elements, sizeof zeros[0]);
    if (zeros == NULL) return QUARTIC_OUT_OF_MEMORY;
    const quartic_status status = quartic_tensor_write(trainer->gradients, zeros, elements * sizeof zeros[0]);
    quartic_free(zeros);
    return status;
}

/* Removes what a step that was not applied has left in the gradients and the gate. */
static quartic_status clear_leftovers(quartic_trainer *trainer) {
    const float zero = 0.0f;
    QUARTIC_TRY(clear_gradients(trainer));
    QUARTIC_TRY(quartic_tensor_write(trainer->gate, &zero, sizeof zero));
    trainer->must_clear = false;
    return QUARTIC_OK;
}

/* A number for a message. The sign of a NaN has no meaning, so it is dropped. */
static double without_nan_sign(float number) {
    return isnan(number) ? fabs((double)number) : (double)number;
}

/* Waits for the numbers of a step. */
static quartic_status read_flight(const quartic_trainer *trainer, const quartic_trainer_flight *flight,
                                  quartic_step_report *report, float *out_squared_weights) {
    double loss_sum = 0.0;
    float loss = 0.0f, squared = 0.0f;
    for (uint32_t micro = 0; micro < trainer->config.accumulation; ++micro) {
        QUARTIC_TRY(quartic_fetch_wait(flight->losses[micro], &loss));
        loss_sum += (double)loss;
    }
    QUARTIC_TRY(quartic_fetch_wait(flight->squared_norm, &squared));
    if (flight->applied) QUARTIC_TRY(quartic_fetch_wait(flight->squared_weights, out_squared_weights));
    report->loss = (float)loss_sum;
    report->gradient_norm = (float)sqrt((double)squared);
    return QUARTIC_OK;
}

static quartic_status check_report(const quartic_step_report *report) {
    if (isfinite(report->loss) && isfinite(report->gradient_norm)) return QUARTIC_OK;
    return quartic_fail(
        QUARTIC_NON_FINITE,
        "at step %llu the loss is %g and the gradient's norm %g; nothing was updated: try a smaller "
        "learning rate (now %g), clipping, or look at this batch",
        (unsigned long long)report->step, without_nan_sign(report->loss),
        without_nan_sign(report->gradient_norm), (double)report->learning_rate);
}

/* Waits for the oldest submitted step and takes it out, into trainer->report. If it failed, the steps behind it
 * are dropped: they changed nothing. Errors: as quartic_trainer_step. */
static quartic_status collect_step(quartic_trainer *trainer) {
    const quartic_trainer_flight *flight = &trainer->flights[trainer->oldest_flight];
    float squared_weights = 0.0f;
    trainer->oldest_flight = (trainer->oldest_flight + 1) % QUARTIC_TRAINER_FLIGHTS;
    --trainer->flight_count;
    trainer->report = flight->report;
    quartic_status status = read_flight(trainer, flight, &trainer->report, &squared_weights);
    if (status == QUARTIC_OK) status = check_report(&trainer->report);
    if (status == QUARTIC_OK && flight->applied)
        status = check_weights(trainer, trainer->report.step, squared_weights);
    if (status == QUARTIC_OK) {
        trainer->step += flight->applied;
    } else {
        trainer->flight_count = 0;
        trainer->must_clear = true;
    }
    return status;
}

quartic_status quartic_trainer_settle(quartic_trainer *trainer) {
    quartic_status status = QUARTIC_OK;
    while (status == QUARTIC_OK && trainer->flight_count > 0) status = collect_step(trainer);
    return status;
}

/* All of a step, by one submit where it is short enough for one. */
static quartic_status submit_step(quartic_trainer *trainer, const quartic_model_batch *in,
                                  quartic_trainer_flight *flight) {
    const quartic_step_report *report = &flight->report;
    trainer->must_clear = true; /* should this fail half-way */
    for (uint32_t micro = 0; micro < trainer->config.accumulation; ++micro)
        QUARTIC_TRY(submit_micro(trainer, micro, in, report->step, report->targets, flight->losses[micro]));
    QUARTIC_TRY(quartic_fetch_start(flight->squared_norm));
    if (flight->applied) {
        QUARTIC_TRY(submit_apply(trainer, report->step, report->learning_rate));
        QUARTIC_TRY(quartic_fetch_start(flight->squared_weights));
    }
    QUARTIC_TRY(quartic_device_flush(trainer->model->device));
    trainer->must_clear = !flight->applied && trainer->config.accumulation > 1; /* an update clears */
    return QUARTIC_OK;
}

/* Submits a step behind those that were submitted before. */
static quartic_status begin_step(quartic_trainer *trainer, const quartic_model_batch *in) {
    if (trainer->must_clear) {
        QUARTIC_TRY(quartic_trainer_settle(trainer)); /* the gate may be that of a step in flight */
        QUARTIC_TRY(clear_leftovers(trainer));
    }
    const uint32_t place = (trainer->oldest_flight + trainer->flight_count) % QUARTIC_TRAINER_FLIGHTS;
    quartic_trainer_flight *flight = &trainer->flights[place];
    const uint64_t number = trainer->step + trainer->flight_count + 1;
    flight->applied = !trainer->trial;
    flight->report = (quartic_step_report){.step = number,
                                           .targets = count_batch_targets(trainer->model, in),
                                           .learning_rate = quartic_learning_rate(&trainer->config, number)};
    const quartic_status status = submit_step(trainer, in, flight);
    if (status == QUARTIC_OK)
        ++trainer->flight_count;
    else
        quartic_device_discard(
            trainer->model->device); /* above all an update whose numbers nobody would read */
    return status;
}

quartic_status quartic_trainer_step_batch(quartic_trainer *trainer, const quartic_model_batch *in,
                                          quartic_step_report *out_report) {
    QUARTIC_CALL();
    QUARTIC_NEED(trainer);
    if (in == NULL) return quartic_fail_null("batch");
    const quartic_trainer_config *config = &trainer->config;
    quartic_model_batch whole;
    QUARTIC_TRY(quartic_options_read(&quartic_model_batch_type, in, &whole));
    in = &whole;
    if (in->batch != config->batch * config->accumulation || in->length != config->length)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH,
                            "a step takes %u x %u graphs (accumulation, batch) of %u nodes, not %u of %u",
                            config->accumulation, config->batch, config->length, in->batch, in->length);
    if ((config->masked != 0) != (in->mask != NULL))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "a step needs a mask exactly if the trainer is masked (%s)",
                            config->masked ? "it is" : "it is not");
    QUARTIC_TRY(quartic_model_check_batch(trainer->model, in, true));
    QUARTIC_TRY(begin_step(trainer, in));
    const bool behind = quartic_device_is_queued(trainer->model->device) && out_report == NULL;
    const uint32_t left = behind && !trainer->trial ? QUARTIC_TRAINER_FLIGHTS - 1 : 0;
    quartic_status status = QUARTIC_OK;
    while (status == QUARTIC_OK && trainer->flight_count > left) status = collect_step(trainer);
    if (out_report != NULL) *out_report = trainer->report;
    return status;
}

quartic_step_report quartic_trainer_get_report(const quartic_trainer *trainer) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(trainer, (quartic_step_report){0});
    return trainer->report;
}

quartic_status quartic_trainer_wait(quartic_trainer *trainer, quartic_step_report *out_report) {
    QUARTIC_CALL();
    QUARTIC_NEED(trainer);
    const quartic_status status = quartic_trainer_settle(trainer);
    if (out_report != NULL) *out_report = trainer->report;
    return status;
}

quartic_status quartic_trainer_step(quartic_trainer *trainer, const int32_t *tokens, const int32_t *targets,
                                    const uint8_t *mask, quartic_step_report *out_report) {
    QUARTIC_CALL();
    QUARTIC_NEED(trainer);
    QUARTIC_NEED(tokens);
    QUARTIC_NEED(targets);
    quartic_model_batch in = QUARTIC_MODEL_BATCH_INIT;
    in.batch = trainer->config.batch * trainer->config.accumulation;
    in.length = trainer->config.length;
    in.tokens = tokens, in.targets = targets, in.mask = mask;
    return quartic_trainer_step_batch(trainer, &in, out_report);
}

quartic_status quartic_trainer_step_sampled(quartic_trainer *trainer, const int32_t *data, uint64_t count,
                                            quartic_step_report *out_report) {
    QUARTIC_CALL();
    QUARTIC_NEED(trainer);
    QUARTIC_NEED(data);
    const quartic_trainer_config *config = &trainer->config;
    if (config->masked)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "sampled windows have no padding; use a trainer that is not masked");
    if (trainer->model->config.readout != QUARTIC_READOUT_NODE)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "sampled windows have a target for each token, but the model's \"readout\" is not "
            "\"node\"; give it batches with targets of its own");
    QUARTIC_TRY(quartic_batch_sample(data, count, config->seed, quartic_trainer_get_step(trainer),
                                     config->batch * config->accumulation, config->length, trainer->tokens,
                                     trainer->targets));
    return quartic_trainer_step(trainer, trainer->tokens, trainer->targets, NULL, out_report);
}
