/* bench_kernels.c: `quartic bench products` and `quartic bench triangle`: single kernels in the units in which
 * others publish theirs. See bench.h.
 *
 * products: square matrix products from 512 wide, doubled up to --longest, and the product of n^2 edges with a
 * weight, as shares of the rate of multiply-adds in registers.
 * triangle: for a batch of one and n nodes from 256, doubled up to --longest, triangle attention (algorithm 13
 * of AlphaFold 2: 4 heads of 32, with a bias) and triangle multiplication (algorithm 11: 128 channels, with its
 * norms, gates and projections), forward and backward. Of the graph with the gradients of all inputs and
 * weights, the first steps, as many as the graph without gradients has, are the forward pass, and the others
 * the backward pass. A step counts with its least time over the runs.
 *
 * What would take too long, by the rate of a large matrix product, or does not fit into the device's memory, is
 * skipped, with the reason.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tool/bench.h"

enum {
    KERNEL_HEADS = 4,
    KERNEL_HEAD_WIDTH = 32,
    KERNEL_CHANNELS = 128,
    KERNEL_TRIANGLE_LEAST = 256,
    KERNEL_PRODUCT_LEAST = 512,
    KERNEL_MOST_WEIGHTS = 8,
    KERNEL_REASON_BYTES = 160
};

static const quartic_value kernel_no_value = {0};

/* A graph under construction: what to differentiate by. */
typedef struct kernel_graph {
    quartic_graph *graph;
    quartic_value wrt[KERNEL_MOST_WEIGHTS + 4];
    uint32_t wrt_count, named;
} kernel_graph;

/* An input that has a gradient. */
static quartic_value kernel_input(kernel_graph *k, const quartic_shape *shape) {
    char name[16];
    snprintf(name, sizeof name, "x%u", k->named++);
    return k->wrt[k->wrt_count++] = quartic_graph_input(k->graph, name, QUARTIC_FLOAT32, shape);
}

/* x W^T with a weight of its own, from KERNEL_CHANNELS to as many. */
static quartic_value kernel_project(kernel_graph *k, quartic_value x) {
    const quartic_value weight = kernel_input(k, &QUARTIC_SHAPE(KERNEL_CHANNELS, KERNEL_CHANNELS));
    return quartic_linear(k->graph, x, weight, kernel_no_value);
}

static quartic_value kernel_gated(kernel_graph *k, quartic_value x) {
    const quartic_value gate = quartic_sigmoid(k->graph, kernel_project(k, x));
    return quartic_multiply(k->graph, gate, kernel_project(k, x));
}

/* out_ij = sum over l of softmax_l(q_ij k_il + bias_lj) v_il, to (1, i, j, H, d) */
static quartic_value kernel_attention(kernel_graph *k, uint32_t n) {
    const quartic_shape heads = QUARTIC_SHAPE(1, n, n, KERNEL_HEADS, KERNEL_HEAD_WIDTH);
    quartic_value parts[3];
    for (int p = 0; p < 3; ++p) parts[p] = kernel_input(k, &heads);
    const quartic_value bias = kernel_input(k, &QUARTIC_SHAPE(1, n, n, KERNEL_HEADS));
    quartic_triangle_options options = QUARTIC_TRIANGLE_OPTIONS_INIT;
    options.kind = QUARTIC_TRIANGLE_START;
    options.scale = 0.17677669529663689f; /* 32^(-1/2) */
    return quartic_triangle_attention(k->graph, parts[0], parts[1], parts[2], kernel_no_value, bias,
                                      kernel_no_value, &options);
}

/* gate * (norm(sum over l of a_il * b_jl) W), a and b gated projections of norm(z), to (1, i, j, C) */
static quartic_value kernel_multiplication(kernel_graph *k, uint32_t n) {
    quartic_graph *graph = k->graph;
    const uint32_t to_channels[] = {0, 3, 1, 2}, to_edges[] = {0, 2, 3, 1};
    const quartic_value z = kernel_input(k, &QUARTIC_SHAPE(1, n, n, KERNEL_CHANNELS));
    const quartic_value x = quartic_rms_norm(graph, z, kernel_no_value, 1e-5f);
    const quartic_value left = quartic_permute(graph, kernel_gated(k, x), to_channels);  // (1, C, i, l)
    const quartic_value right = quartic_permute(graph, kernel_gated(k, x), to_channels); // (1, C, j, l)
    quartic_matmul_options product = QUARTIC_MATMUL_OPTIONS_INIT;
    product.transpose_b = 1;
    quartic_value t = quartic_permute(graph, quartic_matmul(graph, left, right, &product), to_edges);
    t = kernel_project(k, quartic_rms_norm(graph, t, kernel_no_value, 1e-5f));
    return quartic_multiply(graph, quartic_sigmoid(graph, kernel_project(k, x)), t);
}

typedef quartic_value (*kernel_builder)(kernel_graph *kernel, uint32_t n);

static quartic_status kernel_build(kernel_builder build, uint32_t n, bool with_gradients,
                                   quartic_graph **out_graph) {
    kernel_graph kernel = {0};
    quartic_status status = quartic_graph_create(&kernel.graph);
    if (status != QUARTIC_OK) return status;
    const quartic_value out = build(&kernel, n);
    const quartic_shape shape = quartic_graph_shape(kernel.graph, out);
    quartic_graph_output(kernel.graph, "out", out);
    if (with_gradients) {
        quartic_value gradients[KERNEL_MOST_WEIGHTS + 4];
        const quartic_value cotangent =
            quartic_graph_input(kernel.graph, "cotangent", QUARTIC_FLOAT32, &shape);
        status =
            quartic_graph_gradients(kernel.graph, out, cotangent, kernel.wrt, kernel.wrt_count, gradients);
        for (uint32_t g = 0; g < kernel.wrt_count && status == QUARTIC_OK; ++g) {
            char name[16];
            snprintf(name, sizeof name, "dx%u", g);
            quartic_graph_output(kernel.graph, name, gradients[g]);
        }
    }
    if (status == QUARTIC_OK) status = quartic_graph_status(kernel.graph);
    if (status != QUARTIC_OK) {
        quartic_graph_destroy(kernel.graph);
        kernel.graph = NULL;
    }
    *out_graph = kernel.graph;
    return status;
}

/* Of the first steps, those of the forward pass, and of the others. */
typedef struct kernel_cost {
    double seconds[2], flops[2];
    double memory; /* of the program */
} kernel_cost;

/* Fills in what a graph would cost, and says why it is not run, "" if it is. */
static quartic_status kernel_check(const bench *bench, const quartic_graph *graph, kernel_cost *out_cost,
                                   char reason[KERNEL_REASON_BYTES]) {
    quartic_device_info device;
    quartic_program_memory memory = {0};
    quartic_status status = quartic_device_get_info(bench->device, &device);
    if (status == QUARTIC_OK) status = quartic_program_measure(bench->device, graph, NULL, &memory);
    if (status != QUARTIC_OK) return status;
    const double runs = bench->settings->repeat + 1, room = (double)device.memory_bytes;
    const double estimate = memory.flops / (0.3 * bench->product_flops); /* few kernels reach the product */
    char bytes[TOOL_NUMBER_BYTES], limit[TOOL_NUMBER_BYTES];
    *out_cost = (kernel_cost){.memory = (double)memory.workspace_bytes + (double)memory.own_tensor_bytes};
    reason[0] = 0;
    if (out_cost->memory > 0.9 * room)
        snprintf(reason, KERNEL_REASON_BYTES, "takes %s of the device's %s",
                 tool_bytes_text(out_cost->memory, bytes), tool_bytes_text(room, limit));
    else if (estimate * runs > (double)bench->settings->most_seconds)
        snprintf(reason, KERNEL_REASON_BYTES, "about %.3g s, %.0f times, is more than --most-seconds %g",
                 estimate, runs, (double)bench->settings->most_seconds);
    return QUARTIC_OK;
}

/* Sums over the steps of a program: of those before forward_steps, and of the others. */
static quartic_status kernel_sum(const bench *bench, quartic_program *program, uint32_t forward_steps,
                                 kernel_cost *cost) {
    const uint32_t steps = quartic_program_step_count(program);
    double *least = tool_alloc(steps, sizeof *least);
    quartic_status status = bench_least_seconds(bench, program, least);
    for (uint32_t step = 0; step < steps && status == QUARTIC_OK; ++step) {
        quartic_step_info info;
        status = quartic_program_step(program, step, &info);
        if (status != QUARTIC_OK) break;
        cost->seconds[step >= forward_steps] += least[step];
        cost->flops[step >= forward_steps] += info.flops;
    }
    free(least);
    return status;
}

/* What the steps of a graph take, or why it was not run. Destroys the graph. */
static quartic_status kernel_time(const bench *bench, quartic_graph *graph, uint32_t forward_steps,
                                  kernel_cost *out_cost, char reason[KERNEL_REASON_BYTES]) {
    quartic_program *program = NULL;
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.profile = 1;
    quartic_status status = kernel_check(bench, graph, out_cost, reason);
    if (status == QUARTIC_OK && reason[0] == 0)
        status = quartic_program_create(bench->device, graph, &config, &program);
    quartic_graph_destroy(graph);
    if (program != NULL) status = kernel_sum(bench, program, forward_steps, out_cost);
    quartic_program_destroy(program);
    return status;
}

/* The number of steps of a graph when it is compiled. Destroys the graph. */
static quartic_status kernel_steps(const bench *bench, quartic_graph *graph, uint32_t *out_steps) {
    quartic_program *program = NULL;
    const quartic_status status = quartic_program_create(bench->device, graph, NULL, &program);
    quartic_graph_destroy(graph);
    *out_steps = status == QUARTIC_OK ? quartic_program_step_count(program) : 0;
    quartic_program_destroy(program);
    return status;
}

/* ---- triangle ---- */

static json_t *kernel_pass_json(const kernel_cost *cost, int pass) {
    return tool_json_object("seconds", tool_json_real(cost->seconds[pass]), "flops",
                            tool_json_real(cost->flops[pass]), "flops_per_second",
                            tool_json_real(cost->flops[pass] / cost->seconds[pass]), NULL);
}

static void kernel_show(const bench *bench, const kernel_cost *cost, const char *reason, json_t *entry) {
    static const char *const passes[] = {"forward", "backward"};
    char work[TOOL_NUMBER_BYTES], memory[TOOL_NUMBER_BYTES];
    tool_json_set(entry, "memory_bytes", tool_json_real(cost->memory));
    if (reason[0] != 0) {
        tool_json_set(entry, "why_skipped", tool_json_text(reason));
        if (!bench->settings->json) printf("    skipped: %s\n", reason);
        return;
    }
    for (int pass = 0; pass < 2; ++pass) {
        tool_json_set(entry, passes[pass], kernel_pass_json(cost, pass));
        if (bench->settings->json) continue;
        printf("    %-9s %10.3f ms %9sFLOP %10.3f TFLOP/s   memory of both %s\n", passes[pass],
               1e3 * cost->seconds[pass], tool_count_text(cost->flops[pass], work),
               1e-12 * cost->flops[pass] / cost->seconds[pass], tool_bytes_text(cost->memory, memory));
    }
    if (!bench->settings->json) fflush(stdout);
}

static quartic_status bench_kernel(const bench *bench, const char *name, kernel_builder build, uint32_t n,
                                   json_t *kernels) {
    quartic_graph *graph;
    kernel_cost cost = {0};
    uint32_t forward_steps = 0;
    char reason[KERNEL_REASON_BYTES];
    json_t *entry = tool_json_object("kernel", tool_json_text(name), "n", tool_json_count(n), NULL);
    if (!bench->settings->json) printf("  %s, n = %u\n", name, n);
    /* Both passes decide whether it is run; the forward pass alone is compiled only then. */
    quartic_status status = kernel_build(build, n, true, &graph);
    if (status == QUARTIC_OK) {
        status = kernel_check(bench, graph, &cost, reason);
        quartic_graph_destroy(graph);
    }
    if (status == QUARTIC_OK && reason[0] == 0) {
        status = kernel_build(build, n, false, &graph);
        if (status == QUARTIC_OK) status = kernel_steps(bench, graph, &forward_steps);
        if (status == QUARTIC_OK) status = kernel_build(build, n, true, &graph);
        if (status == QUARTIC_OK) status = kernel_time(bench, graph, forward_steps, &cost, reason);
    }
    if (status == QUARTIC_OK) kernel_show(bench, &cost, reason, entry);
    tool_json_add(kernels, entry);
    return status;
}

quartic_status bench_triangle(bench *bench) {
    const uint32_t longest = bench->settings->longest;
    const uint32_t first = bench->settings->least != 0 ? bench->settings->least : KERNEL_TRIANGLE_LEAST;
    json_t *kernels = tool_json_list();
    quartic_status status = bench_measure_product(bench);
    if (status == QUARTIC_OK && !bench->settings->json)
        printf("triangle kernels: batch 1, attention with %d heads of %d, multiplication with %d channels\n",
               KERNEL_HEADS, KERNEL_HEAD_WIDTH, KERNEL_CHANNELS);
    for (uint32_t n = first; n <= longest && status == QUARTIC_OK; n *= 2) {
        status = bench_kernel(bench, "triangle-attention", kernel_attention, n, kernels);
        if (status == QUARTIC_OK)
            status = bench_kernel(bench, "triangle-multiplication", kernel_multiplication, n, kernels);
    }
    tool_json_set(bench->report, "kernels", kernels);
    tool_json_set(bench->report, "heads", tool_json_count(KERNEL_HEADS));
    tool_json_set(bench->report, "head_width", tool_json_count(KERNEL_HEAD_WIDTH));
    tool_json_set(bench->report, "channels", tool_json_count(KERNEL_CHANNELS));
    tool_json_set(bench->report, "matrix_product_flops_per_second", tool_json_real(bench->product_flops));
    return status;
}

/* ---- products ---- */

typedef struct product_size {
    uint32_t rows, columns, depth;
} product_size;

static quartic_status product_build(const product_size *size, quartic_graph **out_graph) {
    quartic_status status = quartic_graph_create(out_graph);
    if (status != QUARTIC_OK) return status;
    quartic_graph *graph = *out_graph;
    const quartic_shape left = QUARTIC_SHAPE(size->rows, size->depth);
    const quartic_shape right = QUARTIC_SHAPE(size->depth, size->columns);
    const quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &left);
    const quartic_value b = quartic_graph_input(graph, "b", QUARTIC_FLOAT32, &right);
    quartic_graph_output(graph, "product", quartic_matmul(graph, a, b, NULL));
    return QUARTIC_OK;
}

static quartic_status bench_one_product(const bench *bench, const product_size *size, json_t *products) {
    kernel_cost cost = {0};
    char reason[KERNEL_REASON_BYTES];
    quartic_graph *graph;
    quartic_status status = product_build(size, &graph);
    if (status == QUARTIC_OK) status = kernel_time(bench, graph, UINT32_MAX, &cost, reason);
    if (status != QUARTIC_OK) return status;
    const double flops = 2.0 * size->rows * size->columns * size->depth;
    json_t *entry =
        tool_json_object("rows", tool_json_count(size->rows), "columns", tool_json_count(size->columns),
                         "depth", tool_json_count(size->depth), NULL);
    if (reason[0] != 0) {
        tool_json_set(entry, "why_skipped", tool_json_text(reason));
    } else {
        tool_json_set(entry, "seconds", tool_json_real(cost.seconds[0]));
        tool_json_set(entry, "flops_per_second", tool_json_real(flops / cost.seconds[0]));
        tool_json_set(entry, "share_of_peak", tool_json_real(flops / cost.seconds[0] / bench->peak_flops));
    }
    tool_json_add(products, entry);
    if (bench->settings->json) return QUARTIC_OK;
    printf("  %7u x %5u, depth %5u ", size->rows, size->columns, size->depth);
    if (reason[0] != 0)
        printf("skipped: %s\n", reason);
    else
        printf("%10.3f ms %10.3f TFLOP/s %6.1f%%\n", 1e3 * cost.seconds[0], 1e-12 * flops / cost.seconds[0],
               100 * flops / cost.seconds[0] / bench->peak_flops);
    fflush(stdout);
    return QUARTIC_OK;
}

quartic_status bench_products(bench *bench) {
    const uint32_t longest = bench->settings->longest;
    const uint32_t first = bench->settings->least != 0 ? bench->settings->least : KERNEL_PRODUCT_LEAST;
    json_t *products = tool_json_list();
    quartic_status status = bench_measure_flops(bench);
    if (status == QUARTIC_OK) status = bench_measure_product(bench);
    if (status == QUARTIC_OK && !bench->settings->json)
        printf("matrix products, as shares of %.1f GFLOP/s of multiply-adds in registers\n",
               1e-9 * bench->peak_flops);
    for (uint32_t side = first; side <= longest && status == QUARTIC_OK; side *= 2)
        status = bench_one_product(bench, &(product_size){side, side, side}, products);
    /* Edges times a weight: as the models' projections, many rows and a short sum. */
    for (uint32_t n = 128; n <= longest / 4 && n <= 512 && status == QUARTIC_OK; n *= 2)
        status = bench_one_product(bench, &(product_size){n * n, 128, 128}, products);
    tool_json_set(bench->report, "peak_flops_per_second", tool_json_real(bench->peak_flops));
    tool_json_set(bench->report, "products", products);
    return status;
}
