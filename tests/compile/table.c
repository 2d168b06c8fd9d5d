#include "compile/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { LEAST_WAVES = 4 };

/* Why a shader may leave fewer than LEAST_WAVES waves on a SIMD unit, and how few. One wave of a workgroup of 64
 * has less than a quarter of a compute unit's 64 KiB on GCN, so tiles of more than 4 KiB leave fewer than four
 * there. Each shader below trades waves for reuse: what a load brings serves several products, which do not
 * depend on each other and keep the unit busy meanwhile. */
static const struct {
    const char *shader;
    uint32_t least;
    const char *reason;
} reasons[] = {
    {"matmul", 2,
     "the sums of a tile in registers: the next step's loads are in flight while they are added"},
    {"matmul_split", 2, "as matmul"},
    {"matmul_dot", 1,
     "up to 8 x 8 sums of an invocation in registers; one read of both operands serves them all"},
    {"row_linear", 3, "32 sums of an invocation in registers; a tile of rows and weights serves 64 of them"},
    {"hyper_width_grad", 3, "numbers of up to ten coefficients in registers: one read of a row serves all"},
    {"edge_softmax", 2,
     "a tile of keys and values serves all rows of a group; a row's q and sums in registers"},
    {"edge_softmax_query_grad", 2, "a tile of keys and values serves all rows; q, g and dq in registers"},
    {"edge_softmax_key_grad", 2,
     "a tile of queries serves all keys of a group; k, v, dk and dv in registers"},
    {"relational_scores", 3, "tiles of edges and of the form in shared memory, 16 sums in registers"},
    {"relational_edge_grad", 3,
     "tiles of score gradients and of the form in shared memory, 16 sums in registers"},
    {"relational_edge_grad_lanes", 2, "for Vulkan on a CPU, no plan for a GPU takes it"},
    {"taylor_build", 3, "the sums of three features and all values in registers, over all tokens of a part"},
    {"taylor_apply", 2, "a tile of the features' sums in shared memory serves all queries of a group"},
    {"taylor_apply_grad", 2,
     "tiles of the features' sums and of their gradients serve all tokens of a group"},
    {"taylor_quadratic", 1,
     "a tile of keys and values serves all queries of a group; q and sums in registers"},
    {"taylor_query_grad", 1,
     "a tile of keys and values serves all queries; q, dq and the cotangent in registers"},
    {"taylor_key_grad", 1, "a tile of queries serves all keys of a group; k, v, dk and dv in registers"},
    {"triangle_both", 2, "a tile of 16 x 16 edges reuses each row 16 times; scores and sums in registers"},
    {"triangle_both_grad", 2, "five tiles of rows in shared memory, each reused 8 times; sums in registers"},
    {"triangle_rows", 2, "a tile of pivots serves all edges of a group; q and sums in registers"},
    {"triangle_query_grad", 2, "a tile of pivots serves all edges of a group; q, g and dq in registers"},
    {"triangle_key_grad", 2, "a tile of edges serves all pivots of a group; k, v, dk and dv in registers"},
    {"triangle_bias_grad", 2, "16 sums, scores and slopes in registers, so that each row is reused 4 times"},
    {"triple_rows", 1, "a tile of pivots serves all rows of a group; q and sums in registers"},
    {"triple_row_grad", 1,
     "a tile of rows serves all pivots of a group; operands and their gradients in registers"},
    {"triple_bias_grad", 1, "the sums of a tile of pairs of pivots in registers, over all edges"},
};

/* NULL: there is none for so few waves. */
static const char *compile_table_reason(const compile_key *key, uint32_t waves) {
    for (size_t k = 0; k < sizeof reasons / sizeof reasons[0]; ++k)
        if (strcmp(reasons[k].shader, key->shader->name) == 0)
            return waves >= reasons[k].least ? reasons[k].reason : NULL;
    return NULL;
}

static const char *const source_names[] = {"default", "case", "tuned", "model"};

static void compile_table_write_line(FILE *table, const char *name, const compile_key *key,
                                     const compile_result *r, const char *reason) {
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
    setvbuf(table, NULL, _IOLBF, BUFSIZ); /* a run takes minutes, and shows how far it is */
    /* A device without hardware may not know how many units it has: plans for others, too. */
    static const uint32_t units[] = {0, 16, 64, 132};
    enum { COUNTS = sizeof units / sizeof units[0] };
    quartic_gpu_limits limits[COUNTS];
    for (size_t k = 0; k < COUNTS; ++k) {
        limits[k] = device->limits;
        if (units[k] != 0) limits[k].compute_units = units[k];
    }
    compile_keys_collect(limits, COUNTS, keys);
    fprintf(table, "# %s: %s, %s; %u units, subgroups of %u, %u bytes of shared memory\n", name,
            device->caps.name, device->caps.driver, device->limits.compute_units,
            device->limits.subgroup_size, device->limits.max_shared_bytes);
    fprintf(table, "%-10s %-28s %9s %6s %7s %8s %5s  %-20s %-7s %s\n", "device", "shader", "registers",
            "spills", "shared", "code", "waves", "loads stores 4/8/16", "from", "constants");
    uint32_t bad = 0;
    for (uint32_t k = 0; k < keys->count; ++k) {
        const compile_key *key = &keys->keys[k];
        if (shader != NULL && strncmp(shader, key->shader->name, strlen(shader)) != 0) continue;
        char text[COMPILE_TEXT];
        compile_result r;
        if (!compile_device_run(device, key, &r)) {
            ++bad;
            continue;
        }
        const bool few = r.waves != 0 && r.waves < LEAST_WAVES;
        const char *reason = few ? compile_table_reason(key, r.waves) : NULL;
        compile_table_write_line(table, name, key, &r, reason);
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
