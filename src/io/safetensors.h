/* safetensors.h (internal): what the reader (safetensors.c), the converter (convert.c) and the writer
 * (save.c) of the format share.
 *
 * An open file owns its label, the tensor table sorted by name, the metadata table, the texts of both
 * tables, and the file's bytes if it read them itself.
 */
#ifndef QUARTIC_IO_SAFETENSORS_H
#define QUARTIC_IO_SAFETENSORS_H

#include <stdbool.h>

#include "quartic/io.h"

#define QUARTIC_SAFETENSORS_METADATA_KEY "__metadata__"

enum {
    QUARTIC_SAFETENSORS_LENGTH_BYTES = 8, /* of the header length before the header */
    /* The longest header that is accepted: enough for 100,000 tensors, and a bound on what a hostile file
     * can make the reader allocate. */
    QUARTIC_SAFETENSORS_HEADER_CAP = 16 << 20
};

struct quartic_safetensors {
    char *label; /* the path, shortened, for messages */
    quartic_safetensors_tensor *tensors;
    quartic_safetensors_text *metadata;
    char *texts;          /* all names, keys and values, each ended by a zero */
    unsigned char *owned; /* the file's bytes, NULL if they are the caller's */
    uint32_t tensor_count, metadata_count;
};

/* A name from a file, made fit for a message: control characters and quotes are replaced, a long name is
 * cut at a whole character. buffer has QUARTIC_SAFETENSORS_QUOTE_BYTES; returns it. */
enum { QUARTIC_SAFETENSORS_QUOTE_BYTES = 96 };
const char *quartic_safetensors_quote(const char *name, char *buffer);

/* The last QUARTIC_SAFETENSORS_LABEL_CHARS of a path, which say more than its start; points into path. */
enum { QUARTIC_SAFETENSORS_LABEL_CHARS = 240 };
const char *quartic_safetensors_path_end(const char *path);

/* ---- single elements ---- */

/* I64, I32, .., U8, .. and BOOL. */
bool quartic_safetensors_is_integer(quartic_safetensors_dtype dtype);
/* FORMAT for a tensor of the other kind of numbers, SHAPE_MISMATCH for another count of elements. */
quartic_status quartic_safetensors_expect(const quartic_safetensors *file,
                                          const quartic_safetensors_tensor *tensor, bool integer,
                                          uint64_t count);
/* The index-th element of a tensor of a real type. */
float quartic_safetensors_float32_at(const quartic_safetensors_tensor *tensor, uint64_t index);
/* The index-th element of a tensor of an integer type. Returns 0; or -1 if it is below and 1 if it is
 * above what int32 (for BOOL: 0 and 1) can hold, and leaves *out_number as it is. */
int quartic_safetensors_int32_at(const quartic_safetensors_tensor *tensor, uint64_t index,
                                 int32_t *out_number);
/* FORMAT, whose message tells the element, its place and what was expected. */
quartic_status quartic_safetensors_refuse_integer(const quartic_safetensors *file,
                                                  const quartic_safetensors_tensor *tensor, uint64_t index);
/* The place of element `index`: "7", or "(2, 0, 1)" for more axes. Returns text. */
enum { QUARTIC_SAFETENSORS_PLACE_BYTES = 16 + 12 * QUARTIC_MAX_RANK };
const char *quartic_safetensors_place(const quartic_shape *shape, uint64_t index,
                                      char text[QUARTIC_SAFETENSORS_PLACE_BYTES]);

/* Bytes of a tensor of this type and shape; false if they do not fit 63 bits. */
bool quartic_safetensors_bytes(quartic_safetensors_dtype dtype, const quartic_shape *shape,
                               uint64_t *out_bytes);

#endif
