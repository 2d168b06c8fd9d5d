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
                    uint32_t spec_count, const uint32_t *spec) {
    for (uint32_t k = 0; k < keys->count; ++k) {
        compile_key *key = &keys->keys[k];
        if (key->shader != shader || key->spec_count != spec_count ||
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
    *key = (compile_key){.shader = shader, .source = source, .spec_count = spec_count};
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
        add_key(keys, source, &quartic_spirv_table[k], dispatch->spec_count, dispatch->spec);
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

static void add_graph(compile_keys *keys, const quartic_gpu_limits *limits, const quartic_graph *graph,
                      quartic_dispatch_list *list) {
    quartic_plan plan;
    keys_ok(quartic_plan_create(graph, sizeof(float), NULL, NULL, &plan));
    for (uint32_t s = 0; s < plan.step_count; ++s) {
        const quartic_node *node = &graph->nodes[plan.steps[s].node];
        quartic_layout inputs[QUARTIC_OP_MAX_INPUTS], outputs[QUARTIC_OP_MAX_OUTPUTS];
        const quartic_op_call call = quartic_graph_call(graph, node, inputs, outputs);
        *list = (quartic_dispatch_list){0};
        keys_ok(node->op->gpu(&call, limits, list));
        add_list(keys, COMPILE_MODEL, list);
    }
    quartic_plan_destroy(&plan);
}

/* Forward and training of a model; its weights lie on the host. */
static void add_model(compile_keys *keys, const quartic_gpu_limits *limits, quartic_device *host,
                      const quartic_model_config *config, uint32_t length, quartic_dispatch_list *list) {
    quartic_model *model;
    keys_ok(quartic_model_create(host, config, &model));
    const quartic_model_task tasks[] = {
        {.batch = 1, .length = length, .logits = true},
        {.batch = 1, .length = length, .loss = true, .gradients = true, .replace = true, .norm = true},
        {.batch = 2, .length = length, .masked = true, .loss = true, .gradients = true, .dropout = true}};
    for (size_t t = 0; t < sizeof tasks / sizeof tasks[0]; ++t) {
        quartic_graph *graph;
        keys_ok(quartic_model_build(model, &tasks[t], NULL, &graph));
        add_graph(keys, limits, graph, list);
        quartic_graph_destroy(graph);
    }
    quartic_model_destroy(model);
}

/* The models of the README and of docs/performance.md, and each form of edge attention, also causal. */
static void add_models(compile_keys *keys, const quartic_gpu_limits *limits, quartic_dispatch_list *list) {
    quartic_device *host;
    keys_ok(quartic_device_create("cpu", &host));
    quartic_model_config config = QUARTIC_MODEL_CONFIG_INIT;
    config.num_tokens = 256, config.dim = 512;
    for (int family = QUARTIC_MODEL_QUARTIC; family <= QUARTIC_MODEL_MULTI_STREAM; ++family) {
        config.model = (quartic_model_family)family;
        config.depth = family == QUARTIC_MODEL_MULTI_STREAM ? 4 : 2;
        config.dim_edges = family == QUARTIC_MODEL_MULTI_STREAM ? 0 : 32;
        config.diversity_loss = family == QUARTIC_MODEL_MULTI_STREAM ? 0.1f : 0;
        for (uint32_t length = 128; length <= 512; length *= 4)
            add_model(keys, limits, host, &config, length, list);
    }
    config = (quartic_model_config)QUARTIC_MODEL_CONFIG_INIT;
    /* Two layers: no output depends on the edges of the last one. */
    config.num_tokens = 256, config.dim = 512, config.dim_edges = 64, config.depth = 2, config.dropout = 0.1f;
    enum {
#define FORM_NUMBER(suffix, name) FORM_##suffix,
        QUARTIC_EDGE_ATTENTION_LIST(FORM_NUMBER)
#undef FORM_NUMBER
            FORMS
    };
    for (uint32_t form = 0; form < FORMS; ++form)
        for (uint32_t causal = 0; causal < 2; ++causal) {
            config.edge_attention = (quartic_edge_attention)form, config.causal = causal;
            add_model(keys, limits, host, &config, 128, list);
        }
    quartic_device_destroy(host);
}

void compile_keys_collect(const quartic_gpu_limits *limits, compile_keys *inout_keys) {
    static const uint32_t none[QUARTIC_DISPATCH_MAX_SPEC];
    quartic_dispatch_list *list = quartic_alloc(1, sizeof *list);
    if (list == NULL) keys_ok(QUARTIC_OUT_OF_MEMORY);
    for (uint32_t k = 0; k < quartic_spirv_count; ++k)
        add_key(inout_keys, COMPILE_DEFAULT, &quartic_spirv_table[k], 0, none);
    add_cases(inout_keys, limits, list);
    add_models(inout_keys, limits, list);
    quartic_free(list);
}
