/* io.h: named tensors in files, in the safetensors format. All of it is stable.
 *
 * A file is
 *
 *   8 bytes       length of the header, little-endian
 *   the header    JSON: {"name": {"dtype", "shape", "data_offsets"}, .., "__metadata__": {"key": "text"}}
 *   the data
 *
 * The reader validates the whole file before use: types are known, ranges lie in the data, without overlap or
 * gap, and sizes equal shape times type. Otherwise it refuses the file with FORMAT and a message that names
 * the tensor, what was found and what was expected. The writer replaces a file atomically: after any failure,
 * power loss included, the old file is still there, whole. Several threads may read an open file at once.
 * Nothing here submits.
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

/* Returns "F32" for QUARTIC_SAFETENSORS_F32, "unknown" outside the list. The text is static. Cannot fail. */
QUARTIC_API const char *quartic_safetensors_dtype_name(quartic_safetensors_dtype dtype);
/* Returns the bytes of one element, 0 outside the list. Cannot fail. */
QUARTIC_API size_t quartic_safetensors_dtype_size(quartic_safetensors_dtype dtype);

/* A tensor of an open file, or one to be saved. The rank is at most QUARTIC_MAX_RANK; extents may be 0. Name
 * and data belong to the file, or to the caller who saves. data is little-endian and row-major; it may not be
 * aligned. */
typedef struct quartic_safetensors_tensor {
    const char *name;
    quartic_safetensors_dtype dtype;
    quartic_shape shape;
    const void *data;
    uint64_t bytes; /* elements times element size; quartic_safetensors_save ignores it */
} quartic_safetensors_tensor;

typedef struct quartic_safetensors_text {
    const char *key;
    const char *text;
} quartic_safetensors_text;

typedef struct quartic_safetensors quartic_safetensors;

/* Reads a whole file into memory and checks it; the caller closes it. Errors: IO (with the system's reason),
 * FORMAT, OUT_OF_MEMORY; then *out_file is NULL. */
QUARTIC_API quartic_status quartic_safetensors_open(const char *path, quartic_safetensors **out_file);

/* The same from memory, which must stay valid and unchanged until the file is closed. label stands for the
 * path in messages. */
QUARTIC_API quartic_status quartic_safetensors_open_memory(const void *bytes, size_t byte_count,
                                                           const char *label, quartic_safetensors **out_file);

/* Closes a file; NULL is fine. Ends the life of everything that the functions below returned. */
QUARTIC_API void quartic_safetensors_close(quartic_safetensors *file);

/* Return the number of tensors, and one of them in the order of their names (by bytes). The second returns
 * NULL, without an error, if index is not below the number. Valid until the file is closed. */
QUARTIC_API uint32_t quartic_safetensors_count(const quartic_safetensors *file);
QUARTIC_API const quartic_safetensors_tensor *quartic_safetensors_at(const quartic_safetensors *file,
                                                                     uint32_t index);

/* Returns the tensor of that name, valid until the file is closed; NULL, without an error, if there is
 * none. */
QUARTIC_API const quartic_safetensors_tensor *quartic_safetensors_find(const quartic_safetensors *file,
                                                                       const char *name);

/* Return the text under a key of __metadata__; the number of keys; and one key with its text, in the file's
 * order. The pointers are NULL, without an error, if there is no such key or index; else valid until the file
 * is closed. */
QUARTIC_API const char *quartic_safetensors_metadata(const quartic_safetensors *file, const char *key);
QUARTIC_API uint32_t quartic_safetensors_metadata_count(const quartic_safetensors *file);
QUARTIC_API const quartic_safetensors_text *quartic_safetensors_metadata_at(const quartic_safetensors *file,
                                                                            uint32_t index);

/* Copies all elements of a tensor, count of them, as float32: from F32, F64 (rounded), F16 or BF16 (exact).
 * out_numbers may be NULL if count is 0. Errors: INVALID_ARGUMENT for a tensor that is not the file's, FORMAT
 * for integer types, SHAPE_MISMATCH if count is not the number of elements. */
QUARTIC_API quartic_status quartic_safetensors_read_float32(const quartic_safetensors *file,
                                                            const quartic_safetensors_tensor *tensor,
                                                            float *out_numbers, uint64_t count);

/* The same as int32, from any integer type or BOOL (0 or 1). Errors: as above; FORMAT for real types and for
 * a number beyond int32, with its place. */
QUARTIC_API quartic_status quartic_safetensors_read_int32(const quartic_safetensors *file,
                                                          const quartic_safetensors_tensor *tensor,
                                                          int32_t *out_numbers, uint64_t count);

/* Returns NON_FINITE, naming the tensor and the element, if an element is infinite or NaN as float32; OK if
 * none is, or for integers. Other errors: INVALID_ARGUMENT for a tensor that is not the file's. */
QUARTIC_API quartic_status quartic_safetensors_check_finite(const quartic_safetensors *file,
                                                            const quartic_safetensors_tensor *tensor);

/* Writes a file as a whole or not at all: to a temporary file in the same folder, which is synced and renamed
 * over path; then the folder is synced. Symbolic links are followed. A file that was there passes its
 * permissions on; other hard links to it keep the old contents. A character device or FIFO is written to,
 * never replaced. All files that the library writes are written like this. bytes may be NULL if count is 0.
 * Errors: OUT_OF_MEMORY, IO with path and the system's reason; then the file at path is untouched and the
 * temporary one is gone, unless the message says that the new contents are in place and only their folder
 * could not be synced. */
QUARTIC_API quartic_status quartic_file_save(const char *path, const void *bytes, size_t count);

/* Writes a file with exactly these tensors and this metadata, as quartic_file_save does. The order of tensors
 * in the file depends on types and names only, and data starts at a multiple of 8 bytes with every tensor
 * aligned to its type, so equal contents give equal bytes. Errors: INVALID_ARGUMENT (a name twice, not UTF-8,
 * or __metadata__), OUT_OF_MEMORY, IO, as there. */
QUARTIC_API quartic_status quartic_safetensors_save(const char *path,
                                                    const quartic_safetensors_tensor *tensors,
                                                    uint32_t tensor_count,
                                                    const quartic_safetensors_text *metadata,
                                                    uint32_t metadata_count);

#ifdef __cplusplus
}
#endif
#endif
