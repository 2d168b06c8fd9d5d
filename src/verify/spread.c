/* spread.c: a graph run repeatedly with its numbers moved at random. See spread.h. */
#include "verify/spread.h"

#include <float.h>
#include <math.h>

#include "base/alloc.h"
#include "graph/access.h"
#include "run/access.h"

/* The largest of this many random sums is hardly ever below their root mean square. */
enum { DRAWS = 12 };

typedef struct spread_run {
    quartic_device *device;
    const quartic_graph *graph;
    const quartic_feed *feeds;
    uint32_t feed_count;
    const char *const *names;
    uint32_t count;
    double **clean, **moved; /* per name: its elements; NULL for int32 */
} spread_run;

static quartic_status read_result(const spread_run *run, quartic_program *program, uint32_t k,
                                  double **kept) {
    quartic_tensor *tensor = quartic_program_tensor(program, run->names[k]);
    if (tensor == NULL) return QUARTIC_INVALID_ARGUMENT;
    if (quartic_tensor_dtype(tensor) != QUARTIC_FLOAT32) return QUARTIC_OK;
    if (kept[k] == NULL) kept[k] = quartic_alloc(quartic_tensor_device_bytes(tensor), 1);
    return kept[k] == NULL ? QUARTIC_OUT_OF_MEMORY : quartic_tensor_read_memory(tensor, kept[k]);
}

/* Compiles and runs the graph once, with its numbers moved unless seed is 0, and reads the results. */
static quartic_status draw_run(const spread_run *run, uint64_t seed, double **kept) {
    quartic_program *program;
    QUARTIC_TRY(quartic_program_create(run->device, run->graph, NULL, &program));
    quartic_status status = QUARTIC_OK;
    quartic_program_set_jitter(program, seed);
    for (uint32_t f = 0; status == QUARTIC_OK && f < run->feed_count; ++f) {
        quartic_tensor *tensor = quartic_program_tensor(program, run->feeds[f].name);
        status = tensor == NULL ? QUARTIC_INVALID_ARGUMENT
                                : quartic_tensor_write(tensor, run->feeds[f].data, run->feeds[f].bytes);
    }
    if (status == QUARTIC_OK) status = quartic_program_run(program);
    for (uint32_t k = 0; status == QUARTIC_OK && k < run->count; ++k)
        status = read_result(run, program, k, kept);
    quartic_program_destroy(program);
    return status;
}

/* Raises the spreads to the distances between the two runs. Elements that are not finite in one of them do
 * not count. */
static void widen_spreads(const spread_run *run, double *out_spreads) {
    for (uint32_t k = 0; k < run->count; ++k) {
        if (run->clean[k] == NULL) continue;
        const quartic_storage *storage =
            quartic_graph_storage(run->graph, quartic_graph_find_named(run->graph, run->names[k]));
        for (uint64_t i = 0; i < storage->elements; ++i) {
            const double distance = fabs(run->moved[k][i] - run->clean[k][i]);
            if (isfinite(distance) && distance > out_spreads[k]) out_spreads[k] = distance;
        }
    }
}

static quartic_status measure_spread(const spread_run *run, double *out_spreads) {
    QUARTIC_TRY(draw_run(run, 0, run->clean));
    for (uint64_t seed = 1; seed <= DRAWS; ++seed) {
        QUARTIC_TRY(draw_run(run, seed, run->moved));
        widen_spreads(run, out_spreads);
    }
    return QUARTIC_OK;
}

quartic_status quartic_spread(const quartic_graph *graph, const quartic_feed *feeds, uint32_t feed_count,
                              const char *const *names, uint32_t count, double *out_spreads) {
    spread_run run = {.graph = graph,
                      .feeds = feeds,
                      .feed_count = feed_count,
                      .names = names,
                      .count = count,
                      .clean = quartic_alloc(count, sizeof(double *)),
                      .moved = quartic_alloc(count, sizeof(double *))};
    for (uint32_t k = 0; k < count; ++k) out_spreads[k] = 0.0;
    quartic_status status = run.clean == NULL || run.moved == NULL
                                ? QUARTIC_OUT_OF_MEMORY
                                : quartic_device_create("reference64", &run.device);
    if (status == QUARTIC_OK) status = measure_spread(&run, out_spreads);
    for (uint32_t k = 0; run.clean != NULL && run.moved != NULL && k < count; ++k) {
        quartic_free(run.clean[k]);
        quartic_free(run.moved[k]);
    }
    quartic_free(run.clean);
    quartic_free(run.moved);
    quartic_device_destroy(run.device);
    return status;
}

double quartic_spread_bound(double tolerance, double spread, double largest) {
    return tolerance * fmax(spread, largest * (double)FLT_EPSILON);
}
