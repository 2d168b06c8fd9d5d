/* driver.c: runs a fuzz target without a fuzzer: driver FOLDER ROUNDS.
 *
 * Feeds it every file of the corpus folder, every truncation of each, and ROUNDS mutations drawn from a fixed
 * seed (bytes set, bits flipped, pieces copied, numbers and marks of JSON put in), so that each run of the
 * tests does the same work. A failing input is written to fuzz-failure.bin before the process dies.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { MOST_FILES = 4096, MOST_BYTES = 1 << 16, MUTATION_ROOM = 64, SEED = 20240229 };

typedef struct sample {
    uint8_t *bytes;
    size_t count;
    char name[256];
} sample;

static sample corpus[MOST_FILES];
static size_t corpus_count;
static const uint8_t *current;
static size_t current_count;

static void keep_failure(int number) {
    FILE *stream = fopen("fuzz-failure.bin", "wb");
    if (stream != NULL) {
        fwrite(current, 1, current_count, stream);
        fclose(stream);
    }
    signal(number, SIG_DFL);
    raise(number);
}

/* In a block of exactly its size, so that a sanitizer sees any read beyond. */
static void driver_feed(const uint8_t *bytes, size_t count) {
    uint8_t *exact = malloc(count + (count == 0));
    if (exact == NULL) abort();
    memcpy(exact, bytes, count);
    current = exact;
    current_count = count;
    LLVMFuzzerTestOneInput(exact, count);
    free(exact);
}

static int driver_by_name(const void *a, const void *b) {
    return strcmp(((const sample *)a)->name, ((const sample *)b)->name);
}

static void load_corpus(const char *folder) {
    DIR *listing = opendir(folder);
    if (listing == NULL) return;
    static uint8_t buffer[MOST_BYTES];
    for (struct dirent *one; (one = readdir(listing)) != NULL && corpus_count < MOST_FILES;) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, one->d_name);
        FILE *stream = one->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (stream == NULL) continue;
        sample *entry = &corpus[corpus_count++];
        entry->count = fread(buffer, 1, sizeof buffer, stream);
        fclose(stream);
        entry->bytes = malloc(entry->count + 1);
        if (entry->bytes == NULL) abort();
        memcpy(entry->bytes, buffer, entry->count);
        snprintf(entry->name, sizeof entry->name, "%s", one->d_name);
    }
    closedir(listing);
    qsort(corpus, corpus_count, sizeof corpus[0], driver_by_name);
}

/* The draw-th random number of this round. */
static uint32_t driver_draw(uint64_t round, uint32_t number) {
    return quartic_random_bits(SEED, number, round);
}

static size_t mutate(uint64_t round, uint8_t *bytes, size_t count) {
    static const char *const marks[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\\u0000",
                                        "-1",
                                        "0",
                                        "9223372036854775807",
                                        "1e9",
                                        "null",
                                        "true",
                                        "4294967296",
                                        "\xff",
                                        "\xc3",
                                        "{}",
                                        "[]",
                                        "\"\""};
    uint32_t changes = 1 + driver_draw(round, 1) % 4;
    for (uint32_t c = 0; c < changes; ++c) {
        uint32_t base = 2 + 8 * c, kind = driver_draw(round, base) % 5;
        size_t at = count == 0 ? 0 : driver_draw(round, base + 1) % count;
        if (kind == 0 && count > 0) bytes[at] = (uint8_t)driver_draw(round, base + 2);
        if (kind == 1 && count > 0) bytes[at] ^= (uint8_t)(1u << driver_draw(round, base + 2) % 8);
        if (kind == 2 && count > 0) { /* copy a piece elsewhere */
            size_t from = driver_draw(round, base + 2) % count,
                   length = 1 + driver_draw(round, base + 3) % 16;
            size_t most = count - (from > at ? from : at);
            memmove(bytes + at, bytes + from, length < most ? length : most);
        }
        if (kind == 3) { /* put in a mark */
            const char *mark = marks[driver_draw(round, base + 2) % (sizeof marks / sizeof marks[0])];
            size_t length = strlen(mark);
            memmove(bytes + at + length, bytes + at, count - at);
            memcpy(bytes + at, mark, length);
            count += length;
        }
        if (kind == 4 && count > 0) { /* take a piece out */
            size_t length = 1 + driver_draw(round, base + 2) % 8;
            if (length > count - at) length = count - at;
            memmove(bytes + at, bytes + at + length, count - at - length);
            count -= length;
        }
    }
    return count;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: %s FOLDER ROUNDS\n", arguments[0]);
        return 2;
    }
    load_corpus(arguments[1]);
    if (corpus_count == 0) {
        fprintf(stderr, "no corpus in %s\n", arguments[1]);
        return 1;
    }
    signal(SIGABRT, keep_failure);
    signal(SIGSEGV, keep_failure);
    uint64_t fed = 0, rounds = strtoull(arguments[2], NULL, 10);
    for (size_t s = 0; s < corpus_count; ++s)
        for (size_t length = 0; length <= corpus[s].count; ++length, ++fed)
            driver_feed(corpus[s].bytes, length);
    static uint8_t buffer[MOST_BYTES + 4 * MUTATION_ROOM];
    for (uint64_t round = 0; round < rounds; ++round, ++fed) {
        const sample *base = &corpus[driver_draw(round, 0) % corpus_count];
        memcpy(buffer, base->bytes, base->count);
        driver_feed(buffer, mutate(round, buffer, base->count));
    }
    printf("%llu inputs from %zu files, seed %d: no failure\n", (unsigned long long)fed, corpus_count, SEED);
    return 0;
}
