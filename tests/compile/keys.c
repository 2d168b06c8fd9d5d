#include "compile/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/model.h"
#include "ops/ops.h"
#include "plan/plan.h"
#include "quartic/device.h"

static void keys_ok(quartic_status status) {
    if (status == QUARTIC_OK) return;
    fprintf(stderr, "%s: %s\n", quartic_status_name(status), quartic_error_message());
    exit(1);
}

static void add_key(compile_keys *keys, compile_source source, const quartic_spirv *shader,
                    uint32_t spec_count, const uint32_t *spec, uint32_t subgroup_size) {
    for (uint32_t k = 0; k < keys->count; ++k) {
        compile_key *key = &keys->keys[k];
        if (key->shader != shader || key->spec_count != spec_count || key->subgroup_size != subgroup_size ||
            memcmp(key->spec, spec, spec_count * sizeof *spec) != 0)
            continue;
        if (source > key->source) key->source = source;
        return;
    }
    if (keys->count == COMPILE_MOST_KEYS) {
        fprintf(stderr, "more than %d pipelines\n", COMPILE_MOST_KEYS);
        exit(1);
    }
    compile_key *key = &keys->keys[keys->count++];
    *key = (compile_key){
        .shader = shader, .source = source, .spec_count = spec_count, .subgroup_size = subgroup_size};
    memcpy(key->spec, spec, spec_count * sizeof *spec);
}

static void add_list(compile_keys *keys, compile_source source, const quartic_dispatch_list *list) {
    for (uint32_t d = 0; d < list->count; ++d) {
        const quartic_dispatch *dispatch = &list->items[d];
        uint32_t k = 0;
        while (k < quartic_spirv_count && strcmp(quartic_spirv_table[k].name, dispatch->shader) != 0) ++k;
        if (k == quartic_spirv_count) {
            fprintf(stderr, "there is no shader named %s\n", dispatch->shader);
            exit(1);
        }
        add_key(keys, source, &quartic_spirv_table[k], dispatch->spec_count, dispatch->spec,
                dispatch->subgroup_size);
    }
}

/* The dispatches of one case of an op. */
static void add_case(compile_keys *keys, const quartic_gpu_limits *limits, const quartic_op *op,
                     const quartic_op_case *c, quartic_dispatch_list *list) {
    quartic_layout inputs[QUARTIC_OP_MAX_INPUTS] = {{0}}, outputs[QUARTIC_OP_MAX_OUTPUTS] = {{0}};
    for (uint32_t i = 0; i < c->input_count; ++i)
        if (c->inputs[i].dtype != QUARTIC_NO_DTYPE)
            inputs[i] = quartic_layout_contiguous(c->inputs[i].dtype, &c->inputs[i].shape);
    quartic_op_call call = {
        .attrs = c->attrs, .input_count = c->input_count, .inputs = inputs, .outputs = outputs};
    keys_ok(op->infer(&call, outputs, &call.output_count));
    *list = (quartic_dispatch_list){0};
    const quartic_status status = op->gpu(&call, limits, list);
    if (status == QUARTIC_UNSUPPORTED) return; /* an answer */
    keys_ok(status);
    add_list(keys, COMPILE_CASE, list);
}

static void add_cases(compile_keys *keys, const quartic_gpu_limits *limits, quartic_dispatch_list *list) {
    for (uint32_t o = 0; o < quartic_op_count(); ++o) {
        const quartic_op *op = quartic_op_at(o);
        quartic_op_case c = {0};
        for (uint32_t k = 0; op->gpu != NULL && op->cases != NULL && op->cases(k, &c);
             ++k, c = (quartic_op_case){0})
            add_case(keys, limits, op, &c, list);
    }
}

/* What `quartic tune` may choose for a node, as quartic_run_vulkan_create lowers it. */
static void add_candidates(compile_keys *keys, const quartic_gpu_limits *limits, const quartic_op *op,
                           const quartic_op_call *call, quartic_dispatch_list *list) {
    quartic_tuning_choice candidates[QUARTIC_TUNING_MOST_CANDIDATES];
    const uint32_t count = quartic_tuning_candidates(op, call, limits, candidates);
    for (uint32_t c = 1; c < count; ++c) { /* 0 is the plan's own */
        quartic_gpu_limits chosen = *limits;
        chosen.choice = candidates[c];
        *list = (quartic_dispatch_list){0};
        const quartic_status status = op->gpu(call, &chosen, list);
        if (status == QUARTIC_UNSUPPORTED) continue; /* an answer */
        keys_ok(status);
        for (uint32_t d = 0; d < list->count; ++d) list->items[d].subgroup_size = candidates[c].subgroup_size;
        add_list(keys, COMPILE_TUNED, list);
    }
}

/* Every distinct problem of a graph, for each of the devices. The first of them is the one at hand: only its plans are
 * tuned. */
static void add_graph(compile_keys *keys, const quartic_gpu_limits *limits, uint32_t count,
                      const quartic_graph *graph, quartic_tuning_table *seen, quartic_dispatch_list *list) {
    quartic_plan plan;
    keys_ok(quartic_plan_create(graph, sizeof(float), NULL, NULL, &plan));
    for (uint32_t s = 0; s < plan.step_count; ++s) {
        const quartic_node *node = &graph->nodes[plan.steps[s].node];
        quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
        const quartic_op_call call = quartic_graph_call(graph, node, inputs, outputs);
        const uint64_t problem = quartic_tuning_problem(node->op, &call);
        if (quartic_tuning_find(seen, problem) != NULL) continue;
        keys_ok(quartic_tuning_set(seen, problem, &(quartic_tuning_choice){0}));
        for (uint32_t k = 0; k < count; ++k) {
            *list = (quartic_dispatch_list){0};
            keys_ok(node->op->gpu(&call, &limits[k], list));
            add_list(keys, COMPILE_MODEL, list);
        }
        add_candidates(keys, limits, node->op, &call, list);
    }
    quartic_plan_destroy(&plan);
}

/* Forward and training of a model; its weights lie on the host. */
static void add_model(compile_keys *keys, const quartic_gpu_limits *limits, uint32_t count,
                      quartic_model_config config, uint32_t length, quartic_tuning_table *seen,
                      quartic_dispatch_list *list) {
    quartic_device *host;
    uint64_t elements;
    quartic_tensor *weights; /* zeros: their numbers do not matter, and the model need not make any */
    quartic_model *model;
    keys_ok(quartic_device_create("cpu", &host));
    keys_ok(quartic_model_config_weights(&config, &elements));
    keys_ok(quartic_tensor_create(host, QUARTIC_FLOAT32, &QUARTIC_SHAPE((uint32_t)elements), &weights));
    config.weights = weights;
    keys_ok(quartic_model_create(host, &config, &model));
    const quartic_model_task tasks[] = {
        {.batch = 1, .length = length, .logits = true},
        {.batch = 1,
         .length = length,
         .loss = true,
         .gradients = true,
         .replace = true,
         .norm = true,
         .gate = true},
        {.batch = 2, .length = length, .masked = true, .loss = true, .gradients = true, .dropout = true}};
    for (size_t t = 0; t < sizeof tasks / sizeof tasks[0]; ++t) {
        quartic_graph *graph;
        keys_ok(quartic_model_build(model, &tasks[t], NULL, &graph));
        add_graph(keys, limits, count, graph, seen, list);
        quartic_graph_destroy(graph);
    }
    quartic_model_destroy(model);
    quartic_tensor_destroy(weights);
    quartic_device_destroy(host);
}

/* Models as a file has them, with defaults for the rest: those of the README and of docs/performance.md, and one of each
 * kind of input, readout, residual and exchange. Where no output depends on the edges of the last layer, two layers. */
static const struct {
    const char *text;
    uint32_t lengths[2]; /* 0: none */
} models[] = {
    {"{'num_tokens': 256, 'dim': 512, 'depth': 2, 'dim_edges': 32}", {128, 512}},
    {"{'model': 'relational', 'num_tokens': 256, 'dim': 512, 'depth': 2, 'dim_edges': 32}", {128, 512}},
    {"{'model': 'multi-stream', 'num_tokens': 256, 'dim': 512, 'depth': 4, 'diversity_loss': 0.1}",
     {128, 512}},
    {"{'num_tokens': 256, 'dim': 256, 'depth': 2, 'num_residual_streams': 1}", {64}},
    {"{'num_tokens': 256, 'dim': 256, 'depth': 2, 'num_residual_streams': 2, 'hyper_connections': 'unmixed'}",
     {64}},
    {"{'num_tokens': 256, 'dim': 256, 'depth': 3, 'num_residual_streams': 8}", {64}},
    {"{'num_tokens': 256, 'dim': 256, 'depth': 3, 'num_residual_streams': 16, 'causal': true}", {64}},
    {"{'num_tokens': 256, 'dim': 256, 'depth': 2, 'static_edges': true}", {64}},
    {"{'num_tokens': 256, 'dim': 256, 'depth': 2, 'ablate_edges': true, 'dropout': 0.1}", {64}},
    {"{'num_tokens': 50, 'dim': 30, 'depth': 2, 'dim_edges': 10, 'heads': 2, 'dim_head': 15, 'linear_heads': "
     "3,"
     " 'linear_dim_head': 5, 'causal': true}",
     {33}},
    {"{'dim_node_features': 7, 'num_edge_types': 5, 'dim_edge_features': 3, 'positions': false, 'readout': "
     "'edge',"
     " 'num_classes': 3, 'dim': 128, 'depth': 2, 'dim_edges': 32}",
     {48}},
    {"{'model': 'relational', 'dim_node_features': 16, 'num_edge_types': 5, 'positions': false, 'readout': "
     "'graph',"
     " 'num_classes': 1, 'dim': 128, 'depth': 2, 'dim_edges': 32, 'edge_attention': 'taylor'}",
     {48}},
    {"{'model': 'multi-stream', 'num_tokens': 256, 'dim': 256, 'depth': 4, 'num_streams': 3,"
     " 'non_linear_talking_heads': true, 'residual_talking_heads': true}",
     {64}},
    {"{'model': 'multi-stream', 'num_tokens': 256, 'dim': 256, 'depth': 4, 'parallel_streams': true, "
     "'causal': true}",
     {64}},
};

static quartic_model_config config_of_text(const char *text) {
    char json[512];
    size_t k = 0;
    for (; text[k] != 0 && k + 1 < sizeof json; ++k) json[k] = text[k] == '\'' ? '"' : text[k];
    json[k] = 0;
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    keys_ok(quartic_model_config_read_json(&config, json));
    return config;
}

/* Those models, and each form of edge attention, also causal. */
static void add_models(compile_keys *keys, const quartic_gpu_limits *limits, uint32_t count,
                       quartic_dispatch_list *list) {
    quartic_tuning_table seen = {0}; /* the problems that were planned already */
    for (size_t m = 0; m < sizeof models / sizeof models[0]; ++m)
        for (uint32_t l = 0; l < 2 && models[m].lengths[l] != 0; ++l)
            add_model(keys, limits, count, config_of_text(models[m].text), models[m].lengths[l], &seen, list);
    quartic_model_config config =
        config_of_text("{'num_tokens': 256, 'dim': 512, 'depth': 2, 'dim_edges': 64, 'dropout': 0.1}");
    enum {
#define FORM_NUMBER(suffix, name) FORM_##suffix,
        QUARTIC_EDGE_ATTENTION_LIST(FORM_NUMBER)
#undef FORM_NUMBER
            FORMS
    };
    for (uint32_t form = 0; form < FORMS; ++form)
        for (uint32_t causal = 0; causal < 2; ++causal) {
            config.edge_attention = (quartic_edge_attention)form, config.causal = causal;
            add_model(keys, limits, count, config, 128, &seen, list);
        }
    quartic_tuning_clear(&seen);
}

void compile_keys_collect(const quartic_gpu_limits *limits, uint32_t count, compile_keys *inout_keys) {
    static const uint32_t none[QUARTIC_DISPATCH_MAX_SPEC];
    quartic_dispatch_list *list = quartic_alloc(1, sizeof *list);
    if (list == NULL) keys_ok(QUARTIC_OUT_OF_MEMORY);
    for (uint32_t k = 0; k < quartic_spirv_count; ++k)
        add_key(inout_keys, COMPILE_DEFAULT, &quartic_spirv_table[k], 0, none, 0);
    for (uint32_t k = 0; k < count; ++k) add_cases(inout_keys, &limits[k], list);
    add_models(inout_keys, limits, count, list);
    quartic_free(list);
}
