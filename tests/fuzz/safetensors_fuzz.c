/* safetensors_fuzz.c: fuzz target: any bytes as a safetensors file.
 *
 * Beyond not crashing: a file that is taken must agree with itself (every tensor found by its name, sizes
 * equal to shape times type, data inside the input), its numbers must be readable, and nothing may leak. Each
 * input is tried twice: as it is, and with a length field that makes the last '}' the header's end, since a
 * header that grew or shrank would else never be parsed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "quartic/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void safetensors_fuzz_expect(int holds) {
    if (!holds) abort();
}

static void read_numbers(const quartic_safetensors *file, const quartic_safetensors_tensor *tensor) {
    enum { MOST = 1 << 16 };
    static union {
        float real[MOST];
        int32_t whole[MOST];
    } numbers;
    uint64_t elements = quartic_shape_elements(&tensor->shape);
    (void)quartic_safetensors_check_finite(file, tensor);
    if (elements > MOST) return;
    quartic_status real = quartic_safetensors_read_float32(file, tensor, numbers.real, elements);
    quartic_status whole = quartic_safetensors_read_int32(file, tensor, numbers.whole, elements);
    safetensors_fuzz_expect(real == QUARTIC_OK || whole == QUARTIC_OK || elements > 0);
    safetensors_fuzz_expect(real == QUARTIC_FORMAT || whole == QUARTIC_FORMAT);
}

static void try_file(const uint8_t *bytes, size_t count) {
    int64_t live = quartic_alloc_live();
    quartic_safetensors *file;
    quartic_status status = quartic_safetensors_open_memory(bytes, count, "input", &file);
    safetensors_fuzz_expect(status == QUARTIC_OK ? file != NULL : status == QUARTIC_FORMAT && file == NULL);
    for (uint32_t t = 0; file != NULL && t < quartic_safetensors_count(file); ++t) {
        const quartic_safetensors_tensor *tensor = quartic_safetensors_at(file, t);
        const uint8_t *data = tensor->data;
        safetensors_fuzz_expect(quartic_safetensors_find(file, tensor->name) == tensor);
        safetensors_fuzz_expect(data >= bytes && tensor->bytes <= (uint64_t)(bytes + count - data));
        safetensors_fuzz_expect(tensor->bytes == quartic_shape_elements(&tensor->shape) *
                                                     quartic_safetensors_dtype_size(tensor->dtype));
        read_numbers(file, tensor);
    }
    for (uint32_t m = 0; file != NULL && m < quartic_safetensors_metadata_count(file); ++m)
        safetensors_fuzz_expect(
            quartic_safetensors_metadata(file, quartic_safetensors_metadata_at(file, m)->key) != NULL);
    quartic_safetensors_close(file);
    safetensors_fuzz_expect(quartic_alloc_live() == live);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    try_file(bytes, count);
    size_t end = count;
    while (end > 8 && bytes[end - 1] != '}') --end;
    if (end <= 8) return 0;
    uint8_t *mended = malloc(count);
    if (mended == NULL) abort();
    memcpy(mended, bytes, count);
    for (int k = 0; k < 8; ++k) mended[k] = (uint8_t)((uint64_t)(end - 8) >> 8 * k);
    try_file(mended, count);
    free(mended);
    return 0;
}
