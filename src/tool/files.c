/* files.c: reading texts, finding checkpoints, making folders. See files.h. */
#include "tool/files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <strings.h>
#include <sys/stat.h>

bool tool_ends_with(const char *path, const char *ending) {
    const size_t length = strlen(path), ending_length = strlen(ending);
    return length > ending_length && strcasecmp(path + length - ending_length, ending) == 0;
}

/* The longest file that is read. A larger one is more likely an endless stream than a text. */
static const size_t most_bytes = (size_t)1 << 30;

/* Reads a stream to its end. The caller frees *out_bytes, also after an error, which returns false. */
static bool read_stream(FILE *stream, unsigned char **out_bytes, size_t *out_count) {
    size_t capacity = 1 << 16, count = 0;
    unsigned char *bytes = tool_alloc(capacity, 1);
    for (size_t got; (got = fread(bytes + count, 1, capacity - count, stream)) > 0;) {
        count += got;
        if (count < capacity) continue;
        if (capacity >= most_bytes) {
            errno = EFBIG;
            *out_bytes = bytes;
            return false;
        }
        unsigned char *grown = tool_alloc(2 * capacity, 1);
        memcpy(grown, bytes, count);
        free(bytes);
        bytes = grown;
        capacity *= 2;
    }
    *out_bytes = bytes;
    *out_count = count;
    return !ferror(stream);
}

static bool to_tokens(const command *command, const char *path, const unsigned char *bytes, size_t count,
                      uint32_t num_tokens, tool_text *text) {
    text->tokens = tool_alloc(count, sizeof text->tokens[0]);
    text->count = count;
    for (size_t i = 0; i < count; ++i) {
        text->tokens[i] = bytes[i];
        if (bytes[i] < num_tokens) continue;
        const bool mark = count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 && i < 3;
        tool_fail(command,
                  mark ? "the text begins with a byte-order mark; save it without, or set num_tokens to 256."
                       : "set num_tokens to 256 in the configuration: every byte is a token.",
                  "byte %zu of %s is %u, but the model knows the tokens 0 to %u only", i, path, bytes[i],
                  num_tokens - 1);
        return false;
    }
    return true;
}

bool tool_read_text(const command *command, const char *path, uint32_t num_tokens, uint64_t least,
                    tool_text *out_text) {
    *out_text = (tool_text){0};
    bool standard = strcmp(path, "-") == 0;
    FILE *stream = standard ? stdin : fopen(path, "rb");
    if (stream == NULL) return tool_fail(command, NULL, "cannot open %s: %s", path, strerror(errno)), false;
    unsigned char *bytes;
    size_t count = 0;
    errno = 0;
    bool fine = read_stream(stream, &bytes, &count);
    if (!fine) tool_fail(command, NULL, "cannot read %s: %s", path, strerror(errno));
    if (!standard) fclose(stream);
    if (fine && count < least) {
        fine = false;
        if (count == 0)
            tool_fail(command, NULL, "%s is empty", path);
        else
            tool_fail(command, "give a longer text or a smaller --length.",
                      "%s has %zu bytes, but one window takes %llu", path, count, (unsigned long long)least);
    }
    fine = fine && to_tokens(command, path, bytes, count, num_tokens, out_text);
    if (!fine) tool_free_text(out_text);
    free(bytes);
    return fine;
}

void tool_free_text(tool_text *text) {
    free(text->tokens);
    *text = (tool_text){0};
}

double tool_unigram_entropy(const tool_text *text) {
    uint64_t counts[TOOL_BYTE_TOKENS] = {0};
    for (uint64_t i = 0; i < text->count; ++i) ++counts[text->tokens[i]];
    double entropy = 0;
    for (int token = 0; token < TOOL_BYTE_TOKENS; ++token) {
        double share = (double)counts[token] / (double)text->count;
        if (counts[token] > 0) entropy -= share * log(share);
    }
    return entropy;
}

uint32_t tool_hash_bytes(uint32_t hash, const void *data, size_t count) {
    const unsigned char *bytes = data;
    for (size_t i = 0; data != NULL && i < count; ++i) hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

uint32_t tool_text_hash(const tool_text *text) {
    uint32_t hash = TOOL_HASH_START;
    for (uint64_t i = 0; i < text->count; ++i) {
        const unsigned char byte = (unsigned char)text->tokens[i];
        hash = tool_hash_bytes(hash, &byte, 1);
    }
    return hash;
}

bool tool_join(const command *command, const char *folder, const char *name, char out_path[TOOL_PATH_BYTES]) {
    int used = snprintf(out_path, TOOL_PATH_BYTES, "%s/%s", folder, name);
    if (used > 0 && used < TOOL_PATH_BYTES) return true;
    tool_fail(command, NULL, "the path of %s in its folder is longer than %d bytes", name,
              TOOL_PATH_BYTES - 1);
    return false;
}

bool tool_model_path(const command *command, const char *path, char out_path[TOOL_PATH_BYTES]) {
    struct stat facts;
    if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
        return tool_join(command, path, TOOL_CHECKPOINT_NAME, out_path);
    if (strlen(path) >= TOOL_PATH_BYTES)
        return tool_fail(command, NULL, "the path has more than %d bytes", TOOL_PATH_BYTES - 1), false;
    strcpy(out_path, path);
    return true;
}

bool tool_make_folder(const command *command, const char *path) {
    char partial[TOOL_PATH_BYTES];
    if (strlen(path) >= TOOL_PATH_BYTES)
        return tool_fail(command, NULL, "the path has more than %d bytes", TOOL_PATH_BYTES - 1), false;
    strcpy(partial, path);
    for (char *slash = partial + 1; partial[0] != 0; ++slash) {
        if (*slash != '/' && *slash != 0) continue;
        char kept = *slash;
        *slash = 0;
        if (mkdir(partial, 0777) != 0 && errno != EEXIST) {
            tool_fail(command, NULL, "cannot make the folder %s: %s", partial, strerror(errno));
            return false;
        }
        *slash = kept;
        if (kept == 0) break;
    }
    struct stat facts;
    if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)) return true;
    tool_fail(command, NULL, "cannot use %s as a folder: it is a file", path);
    return false;
}
