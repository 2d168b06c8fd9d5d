/* step.c: a training step: its submission, the collection of its numbers, and what happens if one fails. See
 * trainer.h.
 *
 * Errors that a device or the host raises in the midst of a step say in which step that was.
 */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/rng.h"

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

/* Puts in front of an error in which training step it came up, and what was done there: "submitting", say. What is
 * not finite says so itself. Returns the status. */
static quartic_status tell_step(quartic_status status, const char *doing, uint64_t number) {
    if (status == QUARTIC_OK || status == QUARTIC_NON_FINITE) return status;
    return quartic_fail(status, "%s training step %llu: %s", doing, (unsigned long long)number,
                        quartic_error_detail());
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
    status = tell_step(status, "reading the numbers of", trainer->report.step);
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

/* All of a step, by one submit. */
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
        const quartic_status cleared = clear_leftovers(trainer);
        if (cleared != QUARTIC_OK)
            return tell_step(cleared, "clearing the gradients before", trainer->step + 1);
    }
    const uint32_t place = (trainer->oldest_flight + trainer->flight_count) % QUARTIC_TRAINER_FLIGHTS;
    quartic_trainer_flight *flight = &trainer->flights[place];
    const uint64_t number = trainer->step + trainer->flight_count + 1;
    flight->applied = !trainer->trial;
    flight->report = (quartic_step_report){.step = number,
                                           .targets = count_batch_targets(trainer->model, in),
                                           .learning_rate = quartic_learning_rate(&trainer->config, number)};
    quartic_device_set_training_step(trainer->model->device, number);
    const quartic_status status = submit_step(trainer, in, flight);
    if (status == QUARTIC_OK)
        ++trainer->flight_count;
    else
        quartic_device_discard(
            trainer->model->device); /* above all an update whose numbers nobody would read */
    quartic_device_set_training_step(trainer->model->device, 0);
    return tell_step(status, "submitting", number);
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
