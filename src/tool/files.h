/* files.h: files as bytes, bytes as tokens, and the folder of a training run.
 *
 * A token is a byte, so any file can be learnt and no vocabulary file is needed. A run's folder holds
 * checkpoint.safetensors (weights, optimiser, settings) and metrics.csv.
 */
#ifndef QUARTIC_TOOL_FILES_H
#define QUARTIC_TOOL_FILES_H

#include "tool/tool.h"

enum { TOOL_BYTE_TOKENS = 256, TOOL_PATH_BYTES = 4096 };

typedef struct tool_text {
    int32_t *tokens; /* one a byte */
    uint64_t count;
} tool_text;

/* Whether a path has more than that ending, an extension with its point; capital and small letters are the
 * same, as some systems and programs write the one or the other. */
bool tool_ends_with(const char *path, const char *ending);

/* Reads a file ("-": stdin) as tokens, one a byte, unchanged: a byte-order mark or CRLF is learnt, too. Each
 * token must be below num_tokens, and there must be at least `least`. tool_free_text frees them. On failure
 * prints why and returns false. */
bool tool_read_text(const command *command, const char *path, uint32_t num_tokens, uint64_t least,
                    tool_text *out_text);
void tool_free_text(tool_text *text);

/* Entropy of single bytes in nats: the loss of the best guess that knows frequencies only. */
double tool_unigram_entropy(const tool_text *text);

/* FNV-1a of 32 bits, which tells two texts or two sets of weights apart. Begins with TOOL_HASH_START; returns
 * the hash with count more bytes; data may be NULL, which adds none. */
#define TOOL_HASH_START 2166136261u
uint32_t tool_hash_bytes(uint32_t hash, const void *data, size_t count);
/* The hash of a text's bytes. */
uint32_t tool_text_hash(const tool_text *text);

/* The path of a file in a folder. If it is too long, prints that and returns false. */
bool tool_join(const command *command, const char *folder, const char *name, char out_path[TOOL_PATH_BYTES]);

/* The model file that a path means: the path itself, or for a folder the checkpoint in it. On failure prints
 * why and returns false. */
bool tool_model_path(const command *command, const char *path, char out_path[TOOL_PATH_BYTES]);

/* Makes a folder and its parents, unless they exist. On failure prints why and returns false. */
bool tool_make_folder(const command *command, const char *path);

#define TOOL_CHECKPOINT_NAME "checkpoint.safetensors"
#define TOOL_METRICS_NAME    "metrics.csv"

#endif
