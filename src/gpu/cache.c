/* cache.c: the pipeline cache file, $XDG_CACHE_HOME/quartic/<driver's cache UUID>-<build>.pipelines (or below
 * ~/.cache).
 *
 * File: the header below, then what the driver gave. Replaced as a whole (base/atomic_file.h), so readers
 * see the old file or the new one. Wrong magic, UUID, build, length or checksum: as if there were no file.
 * QUARTIC_DISABLE=cache switches it off.
 */
#include "gpu/internal.h"

#include "base/alloc.h"
#include "base/atomic_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct cache_header {
    char magic[8];
    uint64_t payload_bytes, checksum;
    uint8_t uuid[16];
    char build[64];
} cache_header;

static const char magic[8] = {'Q', 'P', 'I', 'P', 'E', '0', '0', '1'};

/* No driver's cache for this library comes near; a longer file is not ours. */
static const uint64_t most_bytes = 1u << 28;

/* FNV-1a: a driver must never see a damaged cache as its own. */
static uint64_t cache_checksum(const uint8_t *data, size_t bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t k = 0; k < bytes; ++k) hash = (hash ^ data[k]) * 0x100000001b3u;
    return hash;
}

static cache_header make_cache_header(const quartic_gpu_caps *caps, const void *data, size_t bytes) {
    cache_header header = {.payload_bytes = bytes, .checksum = cache_checksum(data, bytes)};
    memcpy(header.magic, magic, sizeof magic);
    memcpy(header.uuid, caps->cache_uuid, sizeof header.uuid);
    memcpy(header.build, quartic_spirv_build, sizeof header.build);
    return header;
}

void quartic_gpu_cache_path(const quartic_gpu_caps *caps, char path[QUARTIC_GPU_PATH]) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    path[0] = 0;
    if (quartic_gpu_disabled(getenv("QUARTIC_DISABLE"), "cache")) return;
    int used = -1;
    /* The XDG specification: a relative path counts as unset. */
    if (base != NULL && base[0] == '/')
        used = snprintf(path, QUARTIC_GPU_PATH, "%s/quartic/", base);
    else if (home != NULL && home[0] == '/')
        used = snprintf(path, QUARTIC_GPU_PATH, "%s/.cache/quartic/", home);
    if (used < 0 || used + 32 + 1 + 16 + 32 > QUARTIC_GPU_PATH) {
        path[0] = 0;
        return;
    }
    for (size_t k = 0; k < sizeof caps->cache_uuid; ++k)
        used += snprintf(path + used, 3, "%02x", caps->cache_uuid[k]);
    snprintf(path + used, (size_t)(QUARTIC_GPU_PATH - used), "-%.16s.pipelines", quartic_spirv_build);
}

void *quartic_gpu_cache_load(const quartic_gpu_caps *caps, size_t *out_bytes) {
    char path[QUARTIC_GPU_PATH];
    *out_bytes = 0;
    quartic_gpu_cache_path(caps, path);
    FILE *file = path[0] != 0 ? fopen(path, "rb") : NULL;
    if (file == NULL) return NULL;
    cache_header header;
    void *data = NULL;
    if (fread(&header, sizeof header, 1, file) == 1 && memcmp(header.magic, magic, sizeof magic) == 0 &&
        header.payload_bytes <= most_bytes)
        data = quartic_alloc(header.payload_bytes, 1);
    if (data != NULL) {
        cache_header want = {{0}, 0, 0, {0}, {0}};
        bool whole = fread(data, 1, header.payload_bytes, file) == header.payload_bytes && fgetc(file) == EOF;
        if (whole) want = make_cache_header(caps, data, header.payload_bytes);
        if (!whole || memcmp(&header, &want, sizeof header) != 0) {
            quartic_free(data);
            data = NULL;
        } else {
            *out_bytes = header.payload_bytes;
        }
    }
    fclose(file);
    return data;
}

/* Makes every folder that leads to the path. */
static void make_folders(char path[QUARTIC_GPU_PATH]) {
    for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = 0;
        mkdir(path, 0700);
        *at = '/';
    }
}

void quartic_gpu_cache_save(const quartic_gpu_caps *caps, const void *data, size_t bytes) {
    char path[QUARTIC_GPU_PATH];
    quartic_gpu_cache_path(caps, path);
    if (path[0] == 0 || bytes > most_bytes) return;
    make_folders(path);
    const cache_header header = make_cache_header(caps, data, bytes);
    quartic_atomic_file file;
    /* A cache that cannot be written is no error, so the caller's last message stays. */
    char message[1024];
    const char *function = quartic_error_function();
    snprintf(message, sizeof message, "%s", quartic_error_message());
    /* Not durable: what a crash of the machine damages is no hit. */
    quartic_status status = quartic_atomic_file_begin(path, false, &file);
    if (status == QUARTIC_OK) {
        status = quartic_atomic_file_write(&file, &header, sizeof header);
        if (status == QUARTIC_OK) status = quartic_atomic_file_write(&file, data, bytes);
        if (status == QUARTIC_OK)
            status = quartic_atomic_file_commit(&file);
        else
            quartic_atomic_file_discard(&file);
    }
    if (status != QUARTIC_OK) quartic_fail_again(status, function, message);
}
