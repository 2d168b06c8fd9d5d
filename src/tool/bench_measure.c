/* bench_measure.c: the measurements that the files of `quartic bench` share: the peak rates of the device,
 * and the shortest time of every step of a program. See bench.h.
 */
#include "tool/bench.h"

/* The shortest time of `repeat` runs of a graph, or of as many as take least_time; destroys the graph. */
static quartic_status time_graph(bench *bench, quartic_graph *graph, double least_time, double *out_seconds) {
    quartic_program *program = NULL;
    quartic_status status = quartic_program_create(bench->device, graph, NULL, &program);
    quartic_graph_destroy(graph);
    *out_seconds = 1e30;
    const double started = quartic_clock();
    for (uint32_t run = 0;
         (run <= bench->settings->repeat || quartic_clock() - started < least_time) && status == QUARTIC_OK;
         ++run) {
        double begin = quartic_clock();
        status = quartic_program_run(program);
        double seconds = quartic_clock() - begin;
        if (run > 0 && seconds < *out_seconds) *out_seconds = seconds;
    }
    quartic_program_destroy(program);
    return status;
}

/* Seconds of `count` rounds of multiply-add on so many elements. */
static quartic_status time_loop(bench *bench, uint32_t elements, uint32_t count, double *out_seconds) {
    quartic_graph *graph;
    quartic_status status = quartic_graph_create(&graph);
    if (status != QUARTIC_OK) return status;
    quartic_shape line = QUARTIC_SHAPE(elements);
    quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &line);
    quartic_graph_output(graph, "y", quartic_multiply_add_loop(graph, x, 0.75f, 0.25f, count));
    return time_graph(bench, graph, 0, out_seconds);
}

/* Arithmetic: rounds of multiply-add without memory, as many as take long enough to time. */
quartic_status bench_measure_flops(bench *bench) {
    const double enough = 0.1; /* seconds */
    const uint32_t elements = 1 << 18, most_rounds = 1 << 18;
    double seconds = 0;
    for (uint32_t rounds = 16; seconds < enough && rounds <= most_rounds; rounds *= 4) {
        quartic_status status = time_loop(bench, elements, rounds, &seconds);
        if (status != QUARTIC_OK) return status;
        double rate = 2.0 * rounds * elements / seconds;
        if (rate > bench->peak_flops) bench->peak_flops = rate;
    }
    return QUARTIC_OK;
}

/* Memory: the fastest copy from 1 to 64 MiB, so that a model that fits into a cache is compared with the
 * cache. */
quartic_status bench_measure_copies(bench *bench) {
    for (uint32_t elements = 1 << 18; elements <= 1 << 24; elements *= 4) {
        quartic_graph *graph;
        quartic_status status = quartic_graph_create(&graph);
        if (status != QUARTIC_OK) return status;
        quartic_shape line = QUARTIC_SHAPE(elements);
        quartic_value x = quartic_graph_input(graph, "x", QUARTIC_FLOAT32, &line);
        quartic_graph_output(graph, "y", quartic_copy(graph, x));
        double seconds;
        if ((status = time_graph(bench, graph, 0, &seconds)) != QUARTIC_OK) return status;
        double rate = 8.0 * elements / seconds;
        if (rate > bench->peak_bytes) bench->peak_bytes = rate;
    }
    return QUARTIC_OK;
}

/* A square matrix product, to be compared with the peak; small on the reference, whose loops are to be
 * read. */
quartic_status bench_measure_product(bench *bench) {
    quartic_device_info info;
    quartic_graph *graph;
    quartic_status status = quartic_device_get_info(bench->device, &info);
    if (status == QUARTIC_OK) status = quartic_graph_create(&graph);
    if (status != QUARTIC_OK) return status;
    bool plain = info.kind == QUARTIC_DEVICE_REFERENCE || info.kind == QUARTIC_DEVICE_REFERENCE64;
    uint32_t side = plain ? 128 : 1024;
    quartic_shape square = QUARTIC_SHAPE(side, side);
    quartic_value a = quartic_graph_input(graph, "a", QUARTIC_FLOAT32, &square);
    quartic_value b = quartic_graph_input(graph, "b", QUARTIC_FLOAT32, &square);
    quartic_graph_output(graph, "product", quartic_matmul(graph, a, b, NULL));
    const double least_time = 0.5; /* seconds: idle cores need some time to reach their full clock rate */
    double seconds;
    if ((status = time_graph(bench, graph, least_time, &seconds)) != QUARTIC_OK) return status;
    bench->product_flops = 2.0 * side * side * side / seconds;
    return QUARTIC_OK;
}

quartic_status bench_least_seconds(const bench *bench, quartic_program *program, double *out_least) {
    const uint32_t steps = quartic_program_step_count(program);
    quartic_status status = QUARTIC_OK;
    quartic_step_info info;
    for (uint32_t run = 0; run <= bench->settings->repeat && status == QUARTIC_OK; ++run) {
        status = quartic_program_run(program);
        for (uint32_t step = 0; step < steps && status == QUARTIC_OK; ++step) {
            status = quartic_program_step(program, step, &info);
            if (run <= 1 || info.seconds < out_least[step]) out_least[step] = info.seconds;
        }
    }
    return status;
}
