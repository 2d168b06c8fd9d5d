/* files.h: files as bytes, bytes as tokens, and the folder of a training run.
 *
 * A token is a byte: any file can be learnt, and no vocabulary can be lost. A run's folder holds
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

/* Reads a file ("-": stdin) as tokens, byte by byte as they are: a byte-order mark or CRLF is learnt, too;
 * all of which must be below num_tokens, and which must be at least `least` many. On failure prints why and
 * returns 0. */
bool tool_read_text(const command *command, const char *path, uint32_t num_tokens, uint64_t least,
                    tool_text *out_text);
void tool_free_text(tool_text *text);

/* Entropy of single bytes in nats: the loss of the best guess that knows frequencies only. */
double tool_unigram_entropy(const tool_text *text);

/* A number that tells two texts apart (32 bits, FNV-1a). */
uint32_t tool_text_mark(const tool_text *text);

/* The path of a file in a folder; 0 if it is too long (says so). */
bool tool_join(const command *command, const char *folder, const char *name, char out_path[TOOL_PATH_BYTES]);

/* The model file that is meant: path itself, or its checkpoint if it is a folder. */
bool tool_model_path(const command *command, const char *path, char out_path[TOOL_PATH_BYTES]);

/* Makes a folder and those above it, unless they exist. */
bool tool_make_folder(const command *command, const char *path);

#define TOOL_CHECKPOINT_NAME "checkpoint.safetensors"
#define TOOL_METRICS_NAME    "metrics.csv"

#endif
