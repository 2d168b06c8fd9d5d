/* harness.c: one guarded run of a graph. See harness.h. */
#include "verify/harness.h"

#include <string.h>

#include "base/alloc.h"
#include "base/call.h"
#include "graph/access.h"
#include "run/access.h"

/* A quiet NaN, read as float32 and, twice in a row, as double. */
#define POISON 0x7ff8beefu

/* Words of poison behind every tensor and the workspace that must survive the run. */
enum { GUARD_WORDS = 1024 };

static const quartic_validate_config standard_config = QUARTIC_VALIDATE_CONFIG_INIT;
const quartic_options_type quartic_validate_config_type = {
    "quartic_validate_config", "QUARTIC_VALIDATE_CONFIG_INIT", sizeof standard_config, 0, &standard_config};

void quartic_report(quartic_reporter *reporter, const quartic_check *check) {
    quartic_check_totals *totals = &reporter->totals;
    if (check->verdict == QUARTIC_FAILED) ++totals->failed;
    if (check->verdict == QUARTIC_NOT_SUPPORTED) ++totals->unsupported;
    if (check->verdict == QUARTIC_PASSED) {
        ++totals->passed;
        double ratio = check->bound > 0.0 ? check->error / check->bound : 0.0;
        if (ratio > totals->worst) totals->worst = ratio;
    }
    if (reporter->callback == NULL) return;
    const char *function = quartic_call_suspend();
    reporter->callback(reporter->context, check);
    quartic_call_resume(function);
}

static const quartic_storage *find_storage(const quartic_graph *graph, const char *name) {
    const uint32_t storage = quartic_graph_find_named(graph, name);
    return storage == QUARTIC_NONE ? NULL : quartic_graph_storage(graph, storage);
}

/* Creates a tensor with a border of poison behind its elements; the elements are poison, too. */
static quartic_status create_guarded(quartic_device *device, quartic_dtype dtype, const quartic_shape *shape,
                                     uint64_t bytes, quartic_tensor **out_tensor) {
    *out_tensor = NULL;
    uint64_t words = bytes / 4 + GUARD_WORDS;
    uint32_t *poison = quartic_alloc(words, sizeof *poison);
    if (poison == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (uint64_t i = 0; i < words; ++i) poison[i] = POISON;
    quartic_status status = quartic_tensor_create_bytes(device, dtype, shape, 4 * words, out_tensor);
    if (status == QUARTIC_OK) status = quartic_tensor_write_memory(*out_tensor, poison);
    quartic_free(poison);
    return status;
}

/* A tensor for a named storage, which gives its dtype and shape. */
static quartic_status create_named(quartic_device *device, const quartic_graph *graph, const char *name,
                                   quartic_tensor **out_tensor) {
    const quartic_storage *storage = find_storage(graph, name);
    if (storage == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "the graph has no input, parameter, state or output named \"%s\"", name);
    uint64_t bytes = storage->elements * quartic_device_element_bytes(device, storage->dtype);
    return create_guarded(device, storage->dtype, &storage->shape, bytes, out_tensor);
}

/* Reads all of a guarded tensor's words; *out_words is freed by quartic_free. */
static quartic_status read_words(const quartic_tensor *tensor, uint32_t **out_words) {
    *out_words = quartic_alloc(quartic_tensor_device_bytes(tensor) / 4, 4);
    return *out_words == NULL ? QUARTIC_OUT_OF_MEMORY : quartic_tensor_read_memory(tensor, *out_words);
}

static quartic_status check_guard(const quartic_tensor *tensor, const char *name) {
    uint32_t *words;
    quartic_status status = read_words(tensor, &words);
    uint64_t end = quartic_tensor_device_bytes(tensor) / 4, begin = end - GUARD_WORDS;
    for (uint64_t i = begin; status == QUARTIC_OK && i < end; ++i)
        if (words[i] != POISON)
            status = quartic_fail(QUARTIC_INTERNAL, "a kernel wrote %llu bytes beyond the end of \"%s\"",
                                  (unsigned long long)(i - begin) * 4, name);
    quartic_free(words);
    return status;
}

/* Bytes of the workspace that belong to no intermediate and no scratch must still be poison. */
static quartic_status check_workspace(const quartic_program *program) {
    const quartic_tensor *workspace = quartic_program_workspace(program);
    const uint64_t bytes = quartic_tensor_device_bytes(workspace);
    uint32_t *words;
    quartic_status status = read_words(workspace, &words);
    uint8_t *used = quartic_alloc(bytes, 1);
    if (status == QUARTIC_OK && used == NULL) status = QUARTIC_OUT_OF_MEMORY;
    if (status == QUARTIC_OK) {
        quartic_program_mark_workspace(program, used);
        for (uint64_t i = 0; status == QUARTIC_OK && i < bytes; i += 4)
            if (!used[i] && words[i / 4] != POISON)
                status = quartic_fail(
                    QUARTIC_INTERNAL,
                    "a kernel wrote at byte %llu of the workspace, which belongs to no intermediate",
                    (unsigned long long)i);
    }
    quartic_free(used);
    quartic_free(words);
    return status;
}

static bool is_nan_word(uint32_t word) {
    return (word & 0x7f800000u) == 0x7f800000u && (word & 0x007fffffu) != 0;
}

/* An input must be unchanged; a NaN may come back as another NaN. */
static quartic_status check_unchanged(quartic_program *program, const quartic_feed *feed) {
    uint64_t words = feed->bytes / 4;
    uint32_t *now = quartic_alloc(words, sizeof *now);
    if (now == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_status status =
        quartic_tensor_read(quartic_program_tensor(program, feed->name), now, feed->bytes);
    const uint32_t *before = feed->data;
    for (uint64_t i = 0; status == QUARTIC_OK && i < words; ++i)
        if (now[i] != before[i] && !(is_nan_word(now[i]) && is_nan_word(before[i])))
            status = quartic_fail(QUARTIC_INTERNAL, "a kernel wrote to element %llu of the input \"%s\"",
                                  (unsigned long long)i, feed->name);
    quartic_free(now);
    return status;
}

static bool is_state(const quartic_graph *graph, const char *name) {
    return find_storage(graph, name)->kind == QUARTIC_STORAGE_STATE;
}

static quartic_status run_guarded(quartic_program *program, const quartic_graph *graph,
                                  const quartic_feed *feeds, uint32_t feed_count,
                                  const quartic_fetch *fetches, uint32_t fetch_count) {
    for (uint32_t f = 0; f < feed_count; ++f)
        QUARTIC_TRY(quartic_tensor_write(quartic_program_tensor(program, feeds[f].name), feeds[f].data,
                                         feeds[f].bytes));
    QUARTIC_TRY(quartic_program_run(program));
    for (uint32_t f = 0; f < fetch_count; ++f) {
        const quartic_tensor *tensor = quartic_program_tensor(program, fetches[f].name);
        QUARTIC_TRY(check_guard(tensor, fetches[f].name));
        QUARTIC_TRY(quartic_tensor_read(tensor, fetches[f].numbers, fetches[f].count * sizeof(float)));
    }
    for (uint32_t f = 0; f < feed_count; ++f) {
        QUARTIC_TRY(check_guard(quartic_program_tensor(program, feeds[f].name), feeds[f].name));
        if (!is_state(graph, feeds[f].name)) QUARTIC_TRY(check_unchanged(program, &feeds[f]));
    }
    return check_workspace(program);
}

quartic_status quartic_harness_run(quartic_device *device, const quartic_graph *graph,
                                   const quartic_feed *feeds, uint32_t feed_count,
                                   const quartic_fetch *fetches, uint32_t fetch_count) {
    quartic_program_memory memory;
    QUARTIC_TRY(quartic_program_measure(device, graph, NULL, &memory));
    quartic_program *program = NULL;
    quartic_binding *bindings = quartic_alloc(feed_count + fetch_count, sizeof *bindings);
    quartic_status status = bindings == NULL ? QUARTIC_OUT_OF_MEMORY : QUARTIC_OK;
    quartic_program_config config = QUARTIC_PROGRAM_CONFIG_INIT;
    config.bindings = bindings;
    for (uint32_t k = 0; status == QUARTIC_OK && k < feed_count + fetch_count; ++k) {
        bool fetch = k >= feed_count;
        const char *name = fetch ? fetches[k - feed_count].name : feeds[k].name;
        if (fetch && find_storage(graph, name) != NULL && is_state(graph, name)) continue; /* is fed */
        quartic_binding *binding = &bindings[config.binding_count++];
        binding->name = name;
        status = create_named(device, graph, name, &binding->tensor);
    }
    if (status == QUARTIC_OK)
        status = create_guarded(device, QUARTIC_INT32, &(quartic_shape){0}, memory.workspace_bytes,
                                &config.workspace);
    if (status == QUARTIC_OK) status = quartic_program_create(device, graph, &config, &program);
    if (status == QUARTIC_OK) status = run_guarded(program, graph, feeds, feed_count, fetches, fetch_count);
    quartic_program_destroy(program);
    quartic_tensor_destroy(config.workspace);
    for (uint32_t b = 0; b < config.binding_count; ++b) quartic_tensor_destroy(bindings[b].tensor);
    quartic_free(bindings);
    return status;
}
