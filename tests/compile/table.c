#include "compile/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { LEAST_WAVES = 4 };

/* Why a shader may leave fewer than LEAST_WAVES waves on a SIMD unit. */
static const struct {
    const char *shader, *reason;
} reasons[] = {
    {"matmul",
     "a tile's sums lie in registers: the loads of a step are in flight while the last one is summed"},
};

static const char *reason_of(const compile_key *key) {
    for (size_t k = 0; k < sizeof reasons / sizeof reasons[0]; ++k)
        if (strcmp(reasons[k].shader, key->shader->name) == 0) return reasons[k].reason;
    return NULL;
}

static const char *const source_names[] = {"default", "case", "model"};

static void write_line(FILE *table, const char *name, const compile_key *key, const compile_result *r,
                       const char *reason) {
    char memory[64] = "", waves[16] = "", text[COMPILE_TEXT];
    if (r->has_memory)
        snprintf(memory, sizeof memory, "%u/%u/%u %u/%u/%u", r->loads[0], r->loads[1], r->loads[2],
                 r->stores[0], r->stores[1], r->stores[2]);
    if (r->waves != 0) snprintf(waves, sizeof waves, "%u", r->waves);
    fprintf(table, "%-10s %-28s %9u %6" PRIu64 " %7u %8" PRIu64 " %5s  %-20s %-7s %s%s%s\n", name,
            key->shader->name, r->registers, r->spills, r->shared_bytes, r->code, waves, memory,
            source_names[key->source], compile_key_text(key, text), reason == NULL ? "" : "; ",
            reason == NULL ? "" : reason);
}

uint32_t compile_table(const compile_device *device, const char *name, const char *shader, FILE *table) {
    compile_keys *keys = quartic_alloc(1, sizeof *keys);
    if (keys == NULL) exit(1);
    /* A device without hardware may not know how many units it has: plans for others, too. */
    static const uint32_t units[] = {0, 16, 64, 132};
    for (size_t k = 0; k < sizeof units / sizeof units[0]; ++k) {
        quartic_gpu_limits limits = device->limits;
        if (units[k] != 0) limits.compute_units = units[k];
        compile_keys_collect(&limits, keys);
    }
    fprintf(table, "# %s: %s, %s; %u units, subgroups of %u, %u bytes of shared memory\n", name,
            device->caps.name, device->caps.driver, device->limits.compute_units,
            device->limits.subgroup_size, device->limits.max_shared_bytes);
    fprintf(table, "%-10s %-28s %9s %6s %7s %8s %5s  %-20s %-7s %s\n", "device", "shader", "registers",
            "spills", "shared", "code", "waves", "loads stores 4/8/16", "from", "constants");
    uint32_t bad = 0;
    for (uint32_t k = 0; k < keys->count; ++k) {
        const compile_key *key = &keys->keys[k];
        if (shader != NULL && strcmp(shader, key->shader->name) != 0) continue;
        char text[COMPILE_TEXT];
        compile_result r;
        if (!compile_device_run(device, key, &r)) {
            ++bad;
            continue;
        }
        const bool few = r.waves != 0 && r.waves < LEAST_WAVES;
        const char *reason = few ? reason_of(key) : NULL;
        write_line(table, name, key, &r, reason);
        if (r.spills != 0)
            fprintf(stderr, "%s spills %" PRIu64 " registers or bytes on %s with constants %s\n",
                    key->shader->name, r.spills, name, compile_key_text(key, text));
        if (few && reason == NULL)
            fprintf(stderr, "%s has %u waves per SIMD unit on %s with constants %s, and no reason\n",
                    key->shader->name, r.waves, name, compile_key_text(key, text));
        bad += r.spills != 0 || (few && reason == NULL);
    }
    quartic_free(keys);
    return bad;
}
