/* convert.c: numbers of a safetensors file as float32 or int32.
 *
 * Elements are read byte by byte (little-endian, any alignment), so the host's byte order does not matter.
 */
#include "io/safetensors.h"

#include <math.h>
#include <stdio.h>
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

bool quartic_safetensors_is_integer(quartic_safetensors_dtype dtype) {
    switch (dtype) {
    case QUARTIC_SAFETENSORS_F64:
    case QUARTIC_SAFETENSORS_F32:
    case QUARTIC_SAFETENSORS_F16:
    case QUARTIC_SAFETENSORS_BF16:
        return false;
    default:
        return true;
    }
}

float quartic_safetensors_float32_at(const quartic_safetensors_tensor *tensor, uint64_t index) {
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

/* An integer of any type: its sign and its magnitude. */
static bool integer_at(const quartic_safetensors_tensor *tensor, uint64_t index, uint64_t *out_magnitude) {
    size_t size = quartic_safetensors_dtype_size(tensor->dtype);
    uint64_t word = little_endian((const unsigned char *)tensor->data + index * size, size);
    int64_t number;
    switch (tensor->dtype) {
    case QUARTIC_SAFETENSORS_I8:
        number = (int8_t)word;
        break;
    case QUARTIC_SAFETENSORS_I16:
        number = (int16_t)word;
        break;
    case QUARTIC_SAFETENSORS_I32:
        number = (int32_t)word;
        break;
    case QUARTIC_SAFETENSORS_I64:
        number = (int64_t)word;
        break;
    default: /* U8, U16, U32, U64, BOOL */
        *out_magnitude = word;
        return false;
    }
    *out_magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    return number < 0;
}

int quartic_safetensors_int32_at(const quartic_safetensors_tensor *tensor, uint64_t index,
                                 int32_t *out_number) {
    uint64_t magnitude;
    const bool negative = integer_at(tensor, index, &magnitude);
    const uint64_t most = tensor->dtype == QUARTIC_SAFETENSORS_BOOL ? 1 : (uint64_t)INT32_MAX + negative;
    if (magnitude > most) return negative ? -1 : 1;
    *out_number = (int32_t)(negative ? -(int64_t)magnitude : (int64_t)magnitude);
    return 0;
}

const char *quartic_safetensors_place(const quartic_shape *shape, uint64_t index,
                                      char text[QUARTIC_SAFETENSORS_PLACE_BYTES]) {
    uint64_t place[QUARTIC_MAX_RANK] = {0};
    size_t used = 0;
    for (uint32_t axis = shape->rank; axis-- > 0; index /= shape->dims[axis])
        place[axis] = index % shape->dims[axis];
    if (shape->rank == 1)
        return snprintf(text, QUARTIC_SAFETENSORS_PLACE_BYTES, "%llu", (unsigned long long)place[0]), text;
    for (uint32_t axis = 0; axis < shape->rank; ++axis)
        used += (size_t)snprintf(text + used, QUARTIC_SAFETENSORS_PLACE_BYTES - used, "%s%llu",
                                 axis == 0 ? "(" : ", ", (unsigned long long)place[axis]);
    snprintf(text + used, QUARTIC_SAFETENSORS_PLACE_BYTES - used, used == 0 ? "0" : ")");
    return text;
}

quartic_status quartic_safetensors_refuse_integer(const quartic_safetensors *file,
                                                  const quartic_safetensors_tensor *tensor, uint64_t index) {
    char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES], place[QUARTIC_SAFETENSORS_PLACE_BYTES];
    uint64_t magnitude;
    const bool negative = integer_at(tensor, index, &magnitude);
    const bool boolean = tensor->dtype == QUARTIC_SAFETENSORS_BOOL;
    return quartic_fail(QUARTIC_FORMAT, "%s: element %s of tensor \"%s\" (%s) is %s%llu; expected %d to %d",
                        file->label, quartic_safetensors_place(&tensor->shape, index, place),
                        quartic_safetensors_quote(tensor->name, quoted),
                        quartic_safetensors_dtype_name(tensor->dtype), negative ? "-" : "",
                        (unsigned long long)magnitude, boolean ? 0 : INT32_MIN, boolean ? 1 : INT32_MAX);
}

/* Refuses a tensor that is neither one of the file's nor a copy of its entry: nothing else says how much
 * data there is. */
static quartic_status check_own_tensor(const quartic_safetensors *file,
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

quartic_status quartic_safetensors_expect(const quartic_safetensors *file,
                                          const quartic_safetensors_tensor *tensor, bool integer,
                                          uint64_t count) {
    char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
    if (quartic_safetensors_is_integer(tensor->dtype) != integer)
        return quartic_fail(QUARTIC_FORMAT, "%s: tensor \"%s\" holds %s; expected %s", file->label,
                            quartic_safetensors_quote(tensor->name, quoted),
                            quartic_safetensors_dtype_name(tensor->dtype),
                            integer ? "integers or BOOL" : "real numbers (F32, F64, F16 or BF16)");
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
    QUARTIC_TRY(check_own_tensor(file, tensor));
    QUARTIC_TRY(quartic_safetensors_expect(file, tensor, false, count));
    for (uint64_t i = 0; i < count; ++i) out_numbers[i] = quartic_safetensors_float32_at(tensor, i);
    return QUARTIC_OK;
}

quartic_status quartic_safetensors_read_int32(const quartic_safetensors *file,
                                              const quartic_safetensors_tensor *tensor, int32_t *out_numbers,
                                              uint64_t count) {
    QUARTIC_CALL();
    QUARTIC_NEED(file);
    QUARTIC_NEED(tensor);
    if (count != 0) QUARTIC_NEED(out_numbers);
    QUARTIC_TRY(check_own_tensor(file, tensor));
    QUARTIC_TRY(quartic_safetensors_expect(file, tensor, true, count));
    for (uint64_t i = 0; i < count; ++i)
        if (quartic_safetensors_int32_at(tensor, i, &out_numbers[i]) != 0)
            return quartic_safetensors_refuse_integer(file, tensor, i);
    return QUARTIC_OK;
}

quartic_status quartic_safetensors_check_finite(const quartic_safetensors *file,
                                                const quartic_safetensors_tensor *tensor) {
    QUARTIC_CALL();
    QUARTIC_NEED(file);
    QUARTIC_NEED(tensor);
    QUARTIC_TRY(check_own_tensor(file, tensor));
    if (quartic_safetensors_is_integer(tensor->dtype)) return QUARTIC_OK;
    uint64_t count = quartic_shape_elements(&tensor->shape);
    for (uint64_t i = 0; i < count; ++i) {
        const float number = quartic_safetensors_float32_at(tensor, i);
        if (isfinite(number)) continue;
        char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES], place[QUARTIC_SAFETENSORS_PLACE_BYTES];
        return quartic_fail(
            QUARTIC_NON_FINITE, "%s: element %s of tensor \"%s\" is %s as float32; expected a number",
            file->label, quartic_safetensors_place(&tensor->shape, i, place),
            quartic_safetensors_quote(tensor->name, quoted), isnan(number) ? "NaN" : "infinite");
    }
    return QUARTIC_OK;
}
