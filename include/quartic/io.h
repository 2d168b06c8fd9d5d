/* io.h: named tensors in files, in the safetensors format.
 *
 * File: 8 bytes little-endian header length, a JSON header {"name": {"dtype", "shape", "data_offsets"}, ..,
 * "__metadata__": {"key": "text"}}, then the data. Readers trust nothing: a file is either wholly valid
 * (types known, ranges in bounds, without overlap or hole, sizes equal to shape times type) or refused with
 * FORMAT and a sentence that names the tensor, what was found and what was expected. Writers replace a file
 * atomically: after any failure, power loss included, the old file is still there, whole.
 * All functions block; a file handle may be read by several threads at once.
 */
#ifndef QUARTIC_IO_H
#define QUARTIC_IO_H

#include <stddef.h>
#include <stdint.h>

#include "quartic/status.h"
#include "quartic/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The element types that a file may hold: X(name in the file, bytes of an element). */
#define QUARTIC_SAFETENSORS_DTYPE_LIST(X)                                                                    \
    X(F64, 8)                                                                                                \
    X(F32, 4)                                                                                                \
    X(F16, 2)                                                                                                \
    X(BF16, 2) X(I64, 8) X(I32, 4) X(I16, 2) X(I8, 1) X(U8, 1) X(BOOL, 1) X(U16, 2) X(U32, 4) X(U64, 8)

typedef enum quartic_safetensors_dtype {
#define QUARTIC_SAFETENSORS_DTYPE_ENUM(name, bytes) QUARTIC_SAFETENSORS_##name,
    QUARTIC_SAFETENSORS_DTYPE_LIST(QUARTIC_SAFETENSORS_DTYPE_ENUM)
#undef QUARTIC_SAFETENSORS_DTYPE_ENUM
} quartic_safetensors_dtype;

/* "F32" for QUARTIC_SAFETENSORS_F32; "unknown" outside the list. Static. */
QUARTIC_API const char *quartic_safetensors_dtype_name(quartic_safetensors_dtype dtype);
/* Bytes of one element; 0 outside the list. */
QUARTIC_API size_t quartic_safetensors_dtype_size(quartic_safetensors_dtype dtype);

/* One tensor of an open file (or one to be saved); rank is at most QUARTIC_MAX_RANK, extents may be 0. name
 * and data belong to the file; data is little-endian, row-major, not necessarily aligned to its type. */
typedef struct quartic_safetensors_tensor {
    const char *name;
    quartic_safetensors_dtype dtype;
    quartic_shape shape;
    const void *data;
    uint64_t bytes; /* elements times element size; ignored by save, which computes it */
} quartic_safetensors_tensor;

typedef struct quartic_safetensors_text {
    const char *key;
    const char *text;
} quartic_safetensors_text;

typedef struct quartic_safetensors quartic_safetensors;

/* Reads the whole file into memory and checks all of it. Errors: IO (with the system's reason), FORMAT,
 * OUT_OF_MEMORY; then *out_file is NULL. */
QUARTIC_API quartic_status quartic_safetensors_open(const char *path, quartic_safetensors **out_file);

/* The same from memory, which must stay unchanged until close. label stands for the path in sentences. */
QUARTIC_API quartic_status quartic_safetensors_open_memory(const void *bytes, size_t byte_count,
                                                           const char *label, quartic_safetensors **out_file);

/* NULL is fine. What the functions below gave of the file is gone with it. */
QUARTIC_API void quartic_safetensors_close(quartic_safetensors *file);

/* Tensors in the order of their names (bytewise); index < count, else NULL (no error is set). */
QUARTIC_API uint32_t quartic_safetensors_count(const quartic_safetensors *file);
QUARTIC_API const quartic_safetensors_tensor *quartic_safetensors_at(const quartic_safetensors *file,
                                                                     uint32_t index);

/* The tensor of that name, NULL if there is none (no error is set: absence may be fine). */
QUARTIC_API const quartic_safetensors_tensor *quartic_safetensors_find(const quartic_safetensors *file,
                                                                       const char *name);

/* The text under that key of __metadata__, NULL if there is none; all keys in the file's order. The file owns
 * them. */
QUARTIC_API const char *quartic_safetensors_metadata(const quartic_safetensors *file, const char *key);
QUARTIC_API uint32_t quartic_safetensors_metadata_count(const quartic_safetensors *file);
QUARTIC_API const quartic_safetensors_text *quartic_safetensors_metadata_at(const quartic_safetensors *file,
                                                                            uint32_t index);

/* Copies a tensor's count elements as float32: from F32, F64 (rounded), F16 or BF16 (exact). out_numbers may
 * be NULL if count is 0. Errors: INVALID_ARGUMENT for a tensor that is none of the file's, FORMAT for integer
 * types, SHAPE_MISMATCH if count is not the number of elements. */
QUARTIC_API quartic_status quartic_safetensors_read_float32(const quartic_safetensors *file,
                                                            const quartic_safetensors_tensor *tensor,
                                                            float *out_numbers, uint64_t count);

/* Copies a tensor's count elements as int32: from any integer type or BOOL (0 or 1). Errors: FORMAT for real
 * types and for a number outside int32 (told with its place), SHAPE_MISMATCH as above. */
QUARTIC_API quartic_status quartic_safetensors_read_int32(const quartic_safetensors *file,
                                                          const quartic_safetensors_tensor *tensor,
                                                          int32_t *out_numbers, uint64_t count);

/* NON_FINITE, naming the tensor and its first infinite or NaN element (as float32), if there is one; OK for
 * integers. Errors also: INVALID_ARGUMENT for a tensor that is none of the file's. */
QUARTIC_API quartic_status quartic_safetensors_check_finite(const quartic_safetensors *file,
                                                            const quartic_safetensors_tensor *tensor);

/* Writes a file as a whole or not at all: into a temporary file of the same folder, synced, then renamed over
 * path, and the folder synced. Symbolic links are followed; a file that is there keeps its permissions (a
 * further hard link keeps the old contents); a character device or FIFO is written to, never replaced. All
 * files that the library writes are written like this. Errors: IO with path and the system's reason; then the
 * file at path is untouched and the temporary one is gone, unless the sentence says that the new contents are
 * in place and only their folder could not be synced. */
QUARTIC_API quartic_status quartic_file_save(const char *path, const void *bytes, size_t count);

/* Writes a file with exactly these tensors and this metadata, as quartic_file_save does. The order of tensors
 * in the file depends on types and names only, and data starts at a multiple of 8 bytes with every tensor
 * aligned to its type, so equal contents give equal bytes. Errors: INVALID_ARGUMENT (a name twice, not UTF-8,
 * or __metadata__), IO. */
QUARTIC_API quartic_status quartic_safetensors_save(const char *path,
                                                    const quartic_safetensors_tensor *tensors,
                                                    uint32_t tensor_count,
                                                    const quartic_safetensors_text *metadata,
                                                    uint32_t metadata_count);

#ifdef __cplusplus
}
#endif
#endif
