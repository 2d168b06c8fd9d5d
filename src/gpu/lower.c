/* lower.c: limits of a device made lower than they are, for tests. See caps.h. */
#include "gpu/caps.h"

#include <stdlib.h>
#include <string.h>

/* One limit of the list. */
typedef struct lowered_limit {
    const char *name;
    void (*lower)(quartic_gpu_facts *facts, uint64_t most);
} lowered_limit;

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static void lower_buffer_bytes(quartic_gpu_facts *facts, uint64_t most) {
    VkDeviceSize *buffer = &facts->properties_13.maxBufferSize,
                 *allocation = &facts->properties_11.maxMemoryAllocationSize;
    *buffer = smaller(*buffer, most);
    *allocation = smaller(*allocation, most);
}

static void lower_shared_bytes(quartic_gpu_facts *facts, uint64_t most) {
    uint32_t *limit = &facts->properties.limits.maxComputeSharedMemorySize;
    *limit = (uint32_t)smaller(*limit, most);
}

static void lower_invocations(quartic_gpu_facts *facts, uint64_t most) {
    uint32_t *limit = &facts->properties.limits.maxComputeWorkGroupInvocations;
    *limit = (uint32_t)smaller(*limit, most);
}

static const lowered_limit limits[] = {{"max_buffer_bytes", lower_buffer_bytes},
                                       {"max_shared_bytes", lower_shared_bytes},
                                       {"max_invocations", lower_invocations}};
enum { LIMIT_COUNT = sizeof limits / sizeof limits[0] };

/* Reads one "name=number" at *at and moves *at behind it and its comma. NULL for anything else. */
static const lowered_limit *next_limit(const char **at, uint64_t *out_most) {
    for (size_t k = 0; k < LIMIT_COUNT; ++k) {
        const size_t length = strlen(limits[k].name);
        if (strncmp(*at, limits[k].name, length) != 0 || (*at)[length] != '=') continue;
        const char *number = *at + length + 1;
        char *end;
        if (*number < '0' || *number > '9') return NULL;
        *out_most = strtoull(number, &end, 10);
        if (*end != 0 && *end != ',') return NULL;
        *at = *end == ',' ? end + 1 : end;
        return &limits[k];
    }
    return NULL;
}

quartic_status quartic_gpu_expect_lowered(const char *lowered) {
    uint64_t most;
    for (const char *at = lowered; at != NULL && *at != 0;) {
        const char *entry = at;
        if (next_limit(&at, &most) == NULL)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                                "QUARTIC_LOWER_LIMITS in the environment holds \"%.60s\"; it takes "
                                "max_buffer_bytes=N, max_shared_bytes=N and max_invocations=N, with commas "
                                "between",
                                entry);
    }
    return QUARTIC_OK;
}

void quartic_gpu_facts_lower(quartic_gpu_facts *facts, const char *lowered) {
    uint64_t most;
    for (const char *at = lowered; at != NULL && *at != 0;) {
        const lowered_limit *limit = next_limit(&at, &most);
        if (limit == NULL) return;
        limit->lower(facts, most);
    }
}
