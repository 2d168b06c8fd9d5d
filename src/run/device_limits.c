/* device_limits.c: the table of devices that are known by their stated limits, and limits from JSON.
 *
 * docs/device-limits.md names the source of every figure and says which are estimates.
 */
#include "run/device_limits.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/call.h"
#include "base/json.h"

static const quartic_device_limits standard_limits = QUARTIC_DEVICE_LIMITS_INIT;
const quartic_options_type quartic_device_limits_type = {
    "quartic_device_limits", "QUARTIC_DEVICE_LIMITS_INIT", sizeof standard_limits, 0, &standard_limits};

#define GIB (UINT64_C(1) << 30)

static const quartic_device_limits table[] = {
    {.name = "h200",
     .kind = QUARTIC_LIMITS_DISCRETE,
     .compute_units = 132,
     .subgroup_size = 32,
     .max_invocations = 1024,
     .max_shared_bytes = 49152,
     .float16 = 1,
     .cooperative_matrix = 1,
     .subgroup_shuffle = 1,
     .memory_model = 1,
     .memory_bytes = UINT64_C(141000000000),
     .max_buffer_bytes = UINT64_C(0xffe00000),
     .flops_per_second = 65.2e12,
     .bytes_per_second = 4.8e12,
     .launch_seconds = 1e-6,
     .barrier_seconds = 2e-6},
    {.name = "rx7900xtx",
     .kind = QUARTIC_LIMITS_DISCRETE,
     .compute_units = 96,
     .subgroup_size = 64,
     .max_invocations = 1024,
     .max_shared_bytes = 65536,
     .float16 = 1,
     .cooperative_matrix = 1,
     .subgroup_shuffle = 1,
     .memory_model = 1,
     .memory_bytes = 24 * GIB,
     .max_buffer_bytes = UINT64_C(0xfffffffc),
     .flops_per_second = 61.4e12,
     .bytes_per_second = 960e9,
     .launch_seconds = 1e-6,
     .barrier_seconds = 2e-6},
    {.name = "rx9070xt",
     .kind = QUARTIC_LIMITS_DISCRETE,
     .compute_units = 64,
     .subgroup_size = 64,
     .max_invocations = 1024,
     .max_shared_bytes = 65536,
     .float16 = 1,
     .cooperative_matrix = 1,
     .subgroup_shuffle = 1,
     .memory_model = 1,
     .memory_bytes = 16 * GIB,
     .max_buffer_bytes = UINT64_C(0xfffffffc),
     .flops_per_second = 48.7e12,
     .bytes_per_second = 640e9,
     .launch_seconds = 1e-6,
     .barrier_seconds = 2e-6},
    {.name = "arc-a770",
     .kind = QUARTIC_LIMITS_DISCRETE,
     .compute_units = 32,
     .subgroup_size = 32,
     .max_invocations = 1024,
     .max_shared_bytes = 65536,
     .registers = 128,
     .float16 = 1,
     .subgroup_shuffle = 1,
     .memory_model = 1,
     .memory_bytes = 16 * GIB,
     .max_buffer_bytes = 2 * GIB,
     .flops_per_second = 17.2e12,
     .bytes_per_second = 560e9,
     .launch_seconds = 2e-6,
     .barrier_seconds = 3e-6},
    {.name = "apple-m2",
     .kind = QUARTIC_LIMITS_INTEGRATED,
     .compute_units = 10,
     .subgroup_size = 32,
     .max_invocations = 1024,
     .max_shared_bytes = 32768,
     .float16 = 1,
     .subgroup_shuffle = 1,
     .memory_bytes = 10 * GIB,
     .max_buffer_bytes = 8 * GIB,
     .flops_per_second = 3.58e12,
     .bytes_per_second = 100e9,
     .launch_seconds = 2e-6,
     .barrier_seconds = 4e-6},
    {.name = "adreno-740",
     .kind = QUARTIC_LIMITS_INTEGRATED,
     .compute_units = 6,
     .subgroup_size = 128,
     .max_invocations = 1024,
     .max_shared_bytes = 32768,
     .float16 = 1,
     .subgroup_shuffle = 1,
     .memory_model = 1,
     .memory_bytes = 6 * GIB,
     .max_buffer_bytes = 1 * GIB,
     .flops_per_second = 1.47e12,
     .bytes_per_second = 64e9,
     .launch_seconds = 5e-6,
     .barrier_seconds = 10e-6},
};
enum { TABLE_COUNT = sizeof table / sizeof table[0] };

const char *quartic_device_limits_name(uint32_t index) {
    QUARTIC_CALL();
    return index < TABLE_COUNT ? table[index].name : NULL;
}

quartic_status quartic_device_limits_find(quartic_device_limits *inout_limits, const char *name) {
    QUARTIC_CALL();
    QUARTIC_NEED(inout_limits);
    QUARTIC_NEED(name);
    char names[sizeof table[0].name * TABLE_COUNT];
    size_t used = 0;
    for (uint32_t k = 0; k < TABLE_COUNT; ++k) {
        if (strcmp(table[k].name, name) == 0)
            return quartic_options_write(&quartic_device_limits_type, &table[k], inout_limits);
        used +=
            (size_t)snprintf(names + used, sizeof names - used, "%s%s", k == 0 ? "" : ", ", table[k].name);
    }
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "no device of the table is called \"%.100s\"; there are %s",
                        name, names);
}

/* ---- JSON ---- */

typedef enum limit_kind { LIMIT_COUNT, LIMIT_BYTES, LIMIT_REAL, LIMIT_FLAG } limit_kind;

/* One key of the object. */
typedef struct limit_key {
    const char *name;
    limit_kind kind;
    size_t offset;
    double least, most;
} limit_key;

#define LIMIT(member, kind, least, most)                                                                     \
    { #member, kind, offsetof(quartic_device_limits, member), least, most }
static const limit_key keys[] = {
    LIMIT(compute_units, LIMIT_COUNT, 1, 65536),
    LIMIT(subgroup_size, LIMIT_COUNT, 1, 128),
    LIMIT(max_invocations, LIMIT_COUNT, 128, 65536),
    LIMIT(max_shared_bytes, LIMIT_COUNT, 16384, 1 << 24),
    LIMIT(float16, LIMIT_FLAG, 0, 1),
    LIMIT(cooperative_matrix, LIMIT_FLAG, 0, 1),
    LIMIT(subgroup_shuffle, LIMIT_FLAG, 0, 1),
    LIMIT(memory_bytes, LIMIT_BYTES, 1 << 20, 9e18),
    LIMIT(max_buffer_bytes, LIMIT_BYTES, 1 << 20, 9e18),
    LIMIT(flops_per_second, LIMIT_REAL, 1e6, 1e20),
    LIMIT(bytes_per_second, LIMIT_REAL, 1e6, 1e20),
    LIMIT(launch_seconds, LIMIT_REAL, 0, 1),
    LIMIT(barrier_seconds, LIMIT_REAL, 0, 1),
    LIMIT(registers, LIMIT_COUNT, 0, 65536), /* this and the next two may be left out */
    LIMIT(workspace_budget, LIMIT_BYTES, 0, 9e18),
    LIMIT(memory_model, LIMIT_FLAG, 0, 1),
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0], OPTIONAL_KEYS = 3 };

static quartic_status refuse_limit(const limit_key *key) {
    static const char *const wants[] = {[LIMIT_COUNT] = "a whole number",
                                        [LIMIT_BYTES] = "a whole number",
                                        [LIMIT_REAL] = "a number",
                                        [LIMIT_FLAG] = "true or false, as"};
    const bool whole = key->kind == LIMIT_COUNT || key->kind == LIMIT_BYTES;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" of device limits must be %s from %.*g to %.*g",
                        key->name, wants[key->kind], whole ? 20 : 6, key->least, whole ? 20 : 6, key->most);
}

quartic_status quartic_device_limits_check(const quartic_device_limits *limits) {
    for (uint32_t k = 0; k < KEY_COUNT; ++k) {
        const char *member = (const char *)limits + keys[k].offset;
        uint32_t small;
        uint64_t large;
        double real;
        if (keys[k].kind == LIMIT_REAL) {
            memcpy(&real, member, sizeof real);
        } else if (keys[k].kind == LIMIT_BYTES) {
            memcpy(&large, member, sizeof large);
            real = (double)large;
        } else {
            memcpy(&small, member, sizeof small);
            real = small;
        }
        if (!(real >= keys[k].least && real <= keys[k].most)) return refuse_limit(&keys[k]);
    }
    if (limits->kind == QUARTIC_LIMITS_DISCRETE || limits->kind == QUARTIC_LIMITS_INTEGRATED)
        return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT, "kind %d of device limits is none", (int)limits->kind);
}

static quartic_status read_limit(const limit_key *key, const quartic_json *value,
                                 quartic_device_limits *limits) {
    const bool number = value->kind == QUARTIC_JSON_INTEGER || value->kind == QUARTIC_JSON_REAL;
    const bool kind_fits = key->kind == LIMIT_FLAG   ? value->kind == QUARTIC_JSON_BOOLEAN
                           : key->kind == LIMIT_REAL ? number
                                                     : value->kind == QUARTIC_JSON_INTEGER;
    const double real = value->kind == QUARTIC_JSON_BOOLEAN ? (double)value->integer : value->real;
    if (!kind_fits || !(real >= key->least && real <= key->most)) return refuse_limit(key);
    char *member = (char *)limits + key->offset;
    const uint32_t small = (uint32_t)value->integer;
    const uint64_t large = (uint64_t)value->integer;
    if (key->kind == LIMIT_REAL)
        memcpy(member, &real, sizeof real);
    else if (key->kind == LIMIT_BYTES)
        memcpy(member, &large, sizeof large);
    else
        memcpy(member, &small, sizeof small);
    return QUARTIC_OK;
}

/* The texts of the object: "name", "kind"; "about" is for people. */
static quartic_status read_limit_text(const quartic_json *value, quartic_device_limits *limits) {
    const char *text = quartic_json_text(value);
    if (text == NULL)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "\"%s\" of device limits must be a text", value->key);
    if (strcmp(value->key, "about") == 0) return QUARTIC_OK;
    if (strcmp(value->key, "name") == 0) {
        if (strlen(text) >= sizeof limits->name)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                "\"name\" of device limits is longer than %zu bytes",
                                sizeof limits->name - 1);
        strcpy(limits->name, text);
        return QUARTIC_OK;
    }
    limits->kind = strcmp(text, "discrete") == 0 ? QUARTIC_LIMITS_DISCRETE : QUARTIC_LIMITS_INTEGRATED;
    if (limits->kind == QUARTIC_LIMITS_DISCRETE || strcmp(text, "integrated") == 0) return QUARTIC_OK;
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "\"kind\" of device limits is \"%.60s\"; it is \"discrete\" or \"integrated\"", text);
}

static quartic_status read_limits(const quartic_json *object, quartic_device_limits *limits) {
    if (object->kind != QUARTIC_JSON_OBJECT)
        return quartic_fail(QUARTIC_FORMAT, "device limits must be a JSON object, {\"key\": value, ..}");
    bool seen[KEY_COUNT] = {false}, has_kind = false;
    QUARTIC_JSON_FOREACH(value, object) {
        uint32_t k = 0;
        while (k < KEY_COUNT && strcmp(keys[k].name, value->key) != 0) ++k;
        if (k < KEY_COUNT) {
            QUARTIC_TRY(read_limit(&keys[k], value, limits));
            seen[k] = true;
        } else if (strcmp(value->key, "name") == 0 || strcmp(value->key, "kind") == 0 ||
                   strcmp(value->key, "about") == 0) {
            QUARTIC_TRY(read_limit_text(value, limits));
            has_kind = has_kind || strcmp(value->key, "kind") == 0;
        } else {
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "device limits have no key \"%.60s\"", value->key);
        }
    }
    for (uint32_t k = 0; k < KEY_COUNT - OPTIONAL_KEYS; ++k)
        if (!seen[k])
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "device limits lack the key \"%s\"", keys[k].name);
    if (!has_kind) return quartic_fail(QUARTIC_INVALID_ARGUMENT, "device limits lack the key \"kind\"");
    return QUARTIC_OK;
}

quartic_status quartic_device_limits_read_json(quartic_device_limits *inout_limits, const char *text) {
    QUARTIC_CALL();
    QUARTIC_NEED(inout_limits);
    QUARTIC_NEED(text);
    quartic_json_document document;
    quartic_json_error error;
    quartic_device_limits limits = standard_limits;
    quartic_status status = quartic_json_read(text, strlen(text), &document, &error);
    if (status == QUARTIC_FORMAT)
        return quartic_fail(QUARTIC_FORMAT, "device limits are no JSON: line %u, column %u: %s", error.line,
                            error.column, error.text);
    QUARTIC_TRY(status);
    status = read_limits(&document.values[0], &limits);
    quartic_json_free(&document);
    QUARTIC_TRY(status);
    return quartic_options_write(&quartic_device_limits_type, &limits, inout_limits);
}

quartic_gpu_limits quartic_device_limits_gpu(const quartic_device_limits *limits) {
    return (quartic_gpu_limits){.max_shared_bytes = limits->max_shared_bytes,
                                .max_invocations = limits->max_invocations,
                                .subgroup_size = limits->subgroup_size,
                                .compute_units = limits->compute_units,
                                .registers = limits->registers,
                                .has_subgroup_shuffle = limits->subgroup_shuffle,
                                .has_memory_model = limits->memory_model};
}

double quartic_device_limits_work(const quartic_device_limits *limits, double flops, double bytes,
                                  double groups) {
    const double units = limits->compute_units, waves = ceil(fmax(groups, 1) / units);
    const double used = fmax(groups, 1) / (waves * units);
    return fmax(bytes / (QUARTIC_REACHED_BYTES * limits->bytes_per_second),
                flops / (QUARTIC_REACHED_FLOPS * limits->flops_per_second * used));
}
