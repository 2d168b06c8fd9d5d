/* trainer.c: the two programs of a training step, what they take, and the life of a trainer. See trainer.h. */
#include "train/trainer.h"

#include "base/alloc.h"
#include "base/call.h"
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
