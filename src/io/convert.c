/* convert.c: numbers of a safetensors file as float32 or int32.
 *
 * Elements are read byte by byte (little-endian, any alignment), so the host's byte order does not matter.
 */
#include "io/safetensors.h"

#include <math.h>
#include <string.h>

#include "base/call.h"
#include "base/half.h"
#include "base/status.h"
#include "tensor/layout.h"

static uint64_t little_endian(const unsigned char *bytes, size_t count) {
    uint64_t word = 0;
    while (count-- > 0) word = word << 8 | bytes[count];
    return word;
}

static bool is_real(quartic_safetensors_dtype dtype) {
    return dtype == QUARTIC_SAFETENSORS_F64 || dtype == QUARTIC_SAFETENSORS_F32 ||
           dtype == QUARTIC_SAFETENSORS_F16 || dtype == QUARTIC_SAFETENSORS_BF16;
}

/* The index-th element of a tensor of a real type. */
static float real_at(const quartic_safetensors_tensor *tensor, uint64_t index) {
    size_t size = quartic_safetensors_dtype_size(tensor->dtype);
    uint64_t word = little_endian((const unsigned char *)tensor->data + index * size, size);
    uint32_t half_word = (uint32_t)word;
    float single;
    double wide;
    switch (tensor->dtype) {
    case QUARTIC_SAFETENSORS_F64:
        memcpy(&wide, &word, sizeof wide);
        return (float)wide;
    case QUARTIC_SAFETENSORS_F16:
        return quartic_float16_to_float32((uint16_t)word);
    case QUARTIC_SAFETENSORS_BF16:
        return quartic_bfloat16_to_float32((uint16_t)word);
    default:
        memcpy(&single, &half_word, sizeof single);
        return single;
    }
}

/* The index-th element of a tensor of an integer type; narrower ones are sign-extended. */
static int64_t integer_at(const quartic_safetensors_tensor *tensor, uint64_t index) {
    size_t size = quartic_safetensors_dtype_size(tensor->dtype);
    uint64_t word = little_endian((const unsigned char *)tensor->data + index * size, size);
    switch (tensor->dtype) {
    case QUARTIC_SAFETENSORS_I8:
        return (int8_t)word;
    case QUARTIC_SAFETENSORS_I16:
        return (int16_t)word;
    case QUARTIC_SAFETENSORS_I32:
        return (int32_t)word;
    default:
        return (int64_t)word; /* I64, U8, BOOL */
    }
}

/* Whether a tensor is one of the file's, or a copy of its entry: nothing else says how much data there is. */
static quartic_status check_tensor(const quartic_safetensors *file,
                                   const quartic_safetensors_tensor *tensor) {
    for (uint32_t t = 0; t < file->tensor_count; ++t) {
        const quartic_safetensors_tensor *own = &file->tensors[t];
        if (own->name == tensor->name && own->data == tensor->data && own->dtype == tensor->dtype &&
            quartic_shape_equal(&own->shape, &tensor->shape))
            return QUARTIC_OK;
    }
    return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                        "the tensor is none of %s; take one from quartic_safetensors_find or "
                        "quartic_safetensors_at with the same file",
                        file->label);
}

static quartic_status expect(const quartic_safetensors *file, const quartic_safetensors_tensor *tensor,
                             bool real, uint64_t count) {
    char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
    if (is_real(tensor->dtype) != real)
        return quartic_fail(QUARTIC_FORMAT, "%s: tensor \"%s\" holds %s; expected %s", file->label,
                            quartic_safetensors_quote(tensor->name, quoted),
                            quartic_safetensors_dtype_name(tensor->dtype),
                            real ? "real numbers (F32, F64, F16 or BF16)" : "integers or BOOL");
    uint64_t elements = quartic_shape_elements(&tensor->shape);
    if (elements != count)
        return quartic_fail(QUARTIC_SHAPE_MISMATCH, "%s: tensor \"%s\" has %llu elements; expected %llu",
                            file->label, quartic_safetensors_quote(tensor->name, quoted),
                            (unsigned long long)elements, (unsigned long long)count);
    return QUARTIC_OK;
}

quartic_status quartic_safetensors_read_float32(const quartic_safetensors *file,
                                                const quartic_safetensors_tensor *tensor, float *out_numbers,
                                                uint64_t count) {
    QUARTIC_CALL();
    QUARTIC_NEED(file);
    QUARTIC_NEED(tensor);
    if (count != 0) QUARTIC_NEED(out_numbers);
    QUARTIC_TRY(check_tensor(file, tensor));
    QUARTIC_TRY(expect(file, tensor, true, count));
    for (uint64_t i = 0; i < count; ++i) out_numbers[i] = real_at(tensor, i);
    return QUARTIC_OK;
}

quartic_status quartic_safetensors_read_int32(const quartic_safetensors *file,
                                              const quartic_safetensors_tensor *tensor, int32_t *out_numbers,
                                              uint64_t count) {
    QUARTIC_CALL();
    QUARTIC_NEED(file);
    QUARTIC_NEED(tensor);
    if (count != 0) QUARTIC_NEED(out_numbers);
    QUARTIC_TRY(check_tensor(file, tensor));
    QUARTIC_TRY(expect(file, tensor, false, count));
    bool boolean = tensor->dtype == QUARTIC_SAFETENSORS_BOOL;
    int64_t least = boolean ? 0 : INT32_MIN, most = boolean ? 1 : INT32_MAX;
    for (uint64_t i = 0; i < count; ++i) {
        int64_t number = integer_at(tensor, i);
        if (number < least || number > most) {
            char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
            return quartic_fail(
                QUARTIC_FORMAT, "%s: element %llu of tensor \"%s\" (%s) is %lld; expected %lld to %lld",
                file->label, (unsigned long long)i, quartic_safetensors_quote(tensor->name, quoted),
                quartic_safetensors_dtype_name(tensor->dtype), (long long)number, (long long)least,
                (long long)most);
        }
        out_numbers[i] = (int32_t)number;
    }
    return QUARTIC_OK;
}

quartic_status quartic_safetensors_check_finite(const quartic_safetensors *file,
                                                const quartic_safetensors_tensor *tensor) {
    QUARTIC_CALL();
    QUARTIC_NEED(file);
    QUARTIC_NEED(tensor);
    QUARTIC_TRY(check_tensor(file, tensor));
    if (!is_real(tensor->dtype)) return QUARTIC_OK;
    uint64_t count = quartic_shape_elements(&tensor->shape);
    for (uint64_t i = 0; i < count; ++i) {
        if (isfinite(real_at(tensor, i))) continue;
        char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
        return quartic_fail(
            QUARTIC_NON_FINITE, "%s: element %llu of tensor \"%s\" is %s as float32; expected a number",
            file->label, (unsigned long long)i, quartic_safetensors_quote(tensor->name, quoted),
            isnan(real_at(tensor, i)) ? "NaN" : "infinite");
    }
    return QUARTIC_OK;
}
