/* bench.h: what the files of `quartic bench` share: settings, made-up inputs, measurements. */
#ifndef QUARTIC_TOOL_BENCH_H
#define QUARTIC_TOOL_BENCH_H

#include "tool/models.h"

typedef struct bench_settings {
    const char *device, *config, *form;
    uint32_t batch, length, repeat, forward_only, fixed, json;
    uint32_t least, longest; /* of `bench edges`, `triangle` and `products`; 0: each one's own */
    uint32_t dim_edges;      /* of `bench edges` */
    float most_seconds;
    uint32_t seconds; /* of a model: what is not begun by then is left out; 0: never */
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
    double forward_seconds, training_seconds;     /* 1e30: not timed */
    double started;                               /* by quartic_clock */
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

/* The estimate of one op's dispatches in a pass, in seconds. */
typedef struct bench_estimate {
    char op[64];
    double seconds;
} bench_estimate;
/* What inspect's estimate says of each op of the model's forward pass, or of a micro-batch of its training step, for the
 * limits that the driver states and the peaks that were measured. At most capacity entries; none on a CPU
 * device. */
quartic_status bench_estimate_ops(const bench *bench, bool with_gradients, bench_estimate *out_ops,
                                  uint32_t capacity, uint32_t *out_count);

/* `quartic bench triangle` and `quartic bench products`: single kernels; fill the report. */
quartic_status bench_triangle(bench *bench);
quartic_status bench_products(bench *bench);

#endif
