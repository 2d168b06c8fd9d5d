/* tensor.h: element types, shapes, and tensors in the memory of a device. All of it is stable.
 *
 * Shapes are row-major, last axis fastest; rank 0 is a scalar of one element. A tensor holds fewer than 2^31
 * elements, because shaders index with 32 bits; a larger one is refused with its size.
 */
#ifndef QUARTIC_TENSOR_H
#define QUARTIC_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "quartic/device.h"
#include "quartic/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QUARTIC_MAX_RANK 6

/* QUARTIC_NO_DTYPE is that of an optional operand that was left out. */
typedef enum quartic_dtype { QUARTIC_NO_DTYPE = 0, QUARTIC_FLOAT32 = 1, QUARTIC_INT32 = 2 } quartic_dtype;

typedef struct quartic_shape {
    uint32_t rank;
    uint32_t dims[QUARTIC_MAX_RANK];
} quartic_shape;

/* A shape literal in C: QUARTIC_SHAPE(b, n, d). A scalar is (quartic_shape){0}. */
#define QUARTIC_SHAPE(...)                                                                                   \
    ((quartic_shape){(uint32_t)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)), {__VA_ARGS__}})

/* Returns the number of elements: the product of the extents, 1 for a scalar, UINT64_MAX if the product
 * overflows. Returns 0 for a rank above QUARTIC_MAX_RANK, and for NULL, with an error message. */
QUARTIC_API uint64_t quartic_shape_elements(const quartic_shape *shape);

/* Returns the bytes of one element, 0 for QUARTIC_NO_DTYPE and unknown values. Cannot fail. */
QUARTIC_API size_t quartic_dtype_size(quartic_dtype dtype);

/* Contiguous memory on a device. */
typedef struct quartic_tensor quartic_tensor;

/* Allocates a zeroed tensor on the device, which must outlive it; the caller destroys it. Errors:
 * INVALID_ARGUMENT (also for too many elements), UNSUPPORTED (in a child of fork(), see device.h),
 * OUT_OF_MEMORY, OUT_OF_DEVICE_MEMORY, DEVICE_LOST; then *out_tensor is NULL. Submits on a Vulkan device. */
QUARTIC_API quartic_status quartic_tensor_create(quartic_device *device, quartic_dtype dtype,
                                                 const quartic_shape *shape, quartic_tensor **out_tensor);

/* Frees the tensor; NULL is fine. Programs that bind it must be destroyed before. */
QUARTIC_API void quartic_tensor_destroy(quartic_tensor *tensor);

/* Return what it was created with; QUARTIC_NO_DTYPE and rank 0 for NULL, with an error message. */
QUARTIC_API quartic_dtype quartic_tensor_dtype(const quartic_tensor *tensor);
QUARTIC_API quartic_shape quartic_tensor_shape(const quartic_tensor *tensor);

/* Copy the whole tensor from or to host memory, which stays the caller's, and wait. Errors: SHAPE_MISMATCH if
 * bytes is not the tensor's size, 4 for each element; OUT_OF_MEMORY, DEVICE_LOST. Submit on a Vulkan
 * device. */
QUARTIC_API quartic_status quartic_tensor_write(quartic_tensor *tensor, const void *data, size_t bytes);
QUARTIC_API quartic_status quartic_tensor_read(const quartic_tensor *tensor, void *out_data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
