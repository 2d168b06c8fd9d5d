/* bench.h: what the files of `quartic bench` share: settings, made-up inputs, measurements. */
#ifndef QUARTIC_TOOL_BENCH_H
#define QUARTIC_TOOL_BENCH_H

#include "tool/models.h"

typedef struct bench_settings {
    const char *device, *config;
    uint32_t batch, length, repeat, forward_only, json;
    uint32_t longest, dim_edges; /* of `bench edges` */
    float most_seconds;
} bench_settings;

/* Made-up inputs of a model and targets, the same in every run. */
typedef struct bench_inputs {
    int32_t *tokens, *edge_types, *targets;
    float *node_features, *edge_features;
    uint8_t *mask;
    quartic_model_batch in;
} bench_inputs;

bench_inputs *bench_inputs_create(const quartic_model *model, uint32_t batch, uint32_t length, bool masked);
void bench_inputs_destroy(bench_inputs *inputs);

typedef struct bench {
    const invocation *call;
    const bench_settings *settings;
    quartic_device *device;
    quartic_model *model;
    uint32_t batch, length; /* of the model's passes */
    bool masked;
    bench_inputs *inputs;
    double peak_flops, peak_bytes, product_flops; /* per second */
    double forward_seconds, training_seconds;
    json_t *report;
} bench;

/* Time multiply-adds in registers into bench->peak_flops, and copies into bench->peak_bytes. */
quartic_status bench_measure_flops(bench *bench);
quartic_status bench_measure_copies(bench *bench);

/* Times a square matrix product into bench->product_flops: 1024 wide, smaller on the reference. */
quartic_status bench_measure_product(bench *bench);

/* Runs a profiled program once and then `repeat` times; out_least[step]: its least seconds of the later
 * runs. */
quartic_status bench_least_seconds(const bench *bench, quartic_program *program, double *out_least);

/* `quartic bench edges`: every form of edge attention by itself; fills the report. */
quartic_status bench_edges(bench *bench);

#endif
