/* save.c: writes safetensors files that depend on their contents only.
 *
 * Order: wider types first, then by name, so that every tensor is aligned to its type. The header is
 * padded with spaces until the data starts at a multiple of 8. Metadata keys are sorted.
 */
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/atomic_file.h"
#include "base/call.h"
#include "base/json.h"
#include "base/status.h"

static int by_width_and_name(const void *a, const void *b) {
    const quartic_safetensors_tensor *left = *(const quartic_safetensors_tensor *const *)a;
    const quartic_safetensors_tensor *right = *(const quartic_safetensors_tensor *const *)b;
    size_t left_size = quartic_safetensors_dtype_size(left->dtype);
    size_t right_size = quartic_safetensors_dtype_size(right->dtype);
    if (left_size != right_size) return left_size > right_size ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int by_metadata_key(const void *a, const void *b) {
    return strcmp((*(const quartic_safetensors_text *const *)a)->key,
                  (*(const quartic_safetensors_text *const *)b)->key);
}

static int by_saved_name(const void *a, const void *b) {
    return strcmp((*(const quartic_safetensors_tensor *const *)a)->name,
                  (*(const quartic_safetensors_tensor *const *)b)->name);
}

/* Refuses a name (or key) that is no UTF-8, or the same as the one before it in order. */
static quartic_status check_saved_name(const char *what, const char *name, const char *before) {
    char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
    if (!quartic_utf8_valid(name))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the %s \"%s\" has a name that is no valid UTF-8", what,
                            quartic_safetensors_quote(name, quoted));
    if (before != NULL && strcmp(before, name) == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT, "two %ss are named \"%s\"; names must be unique", what,
                            quartic_safetensors_quote(name, quoted));
    return QUARTIC_OK;
}

static quartic_status put_metadata(quartic_json_writer *header, const quartic_safetensors_text *const *texts,
                                   uint32_t count) {
    quartic_json_put_text(header, QUARTIC_SAFETENSORS_METADATA_KEY);
    for (uint32_t m = 0; m < count; ++m) {
        char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
        QUARTIC_TRY(check_saved_name("metadata text", texts[m]->key, m == 0 ? NULL : texts[m - 1]->key));
        if (!quartic_utf8_valid(texts[m]->text))
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "the metadata text \"%s\" is no valid UTF-8",
                                quartic_safetensors_quote(texts[m]->key, quoted));
        quartic_json_put(header, m == 0 ? ":{" : ",");
        quartic_json_put_text(header, texts[m]->key);
        quartic_json_put(header, ":");
        quartic_json_put_text(header, texts[m]->text);
    }
    quartic_json_put(header, "}");
    return QUARTIC_OK;
}

static quartic_status put_tensor(quartic_json_writer *header, const quartic_safetensors_tensor *tensor,
                                 uint64_t *end) {
    char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
    uint64_t begin = *end, bytes = 0;
    if (strcmp(tensor->name, QUARTIC_SAFETENSORS_METADATA_KEY) == 0)
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "a tensor may not be named %s, which the format reserves",
                            QUARTIC_SAFETENSORS_METADATA_KEY);
    if (quartic_safetensors_dtype_size(tensor->dtype) == 0 || tensor->shape.rank > QUARTIC_MAX_RANK ||
        !quartic_safetensors_bytes(tensor->dtype, &tensor->shape, &bytes) ||
        bytes > (uint64_t)INT64_MAX - begin)
        return quartic_fail(
            QUARTIC_INVALID_ARGUMENT,
            "tensor \"%s\" has dtype %d and rank %u; expected a known dtype, at most %d axes and "
            "less than 2^63 bytes in all",
            quartic_safetensors_quote(tensor->name, quoted), (int)tensor->dtype, tensor->shape.rank,
            QUARTIC_MAX_RANK);
    *end += bytes;
    quartic_json_put_text(header, tensor->name);
    quartic_json_put(header, ":{\"dtype\":");
    quartic_json_put_text(header, quartic_safetensors_dtype_name(tensor->dtype));
    quartic_json_put(header, ",\"shape\":[");
    for (uint32_t axis = 0; axis < tensor->shape.rank; ++axis) {
        if (axis > 0) quartic_json_put(header, ",");
        quartic_json_put_integer(header, tensor->shape.dims[axis]);
    }
    quartic_json_put(header, "],\"data_offsets\":[");
    quartic_json_put_integer(header, (int64_t)begin);
    quartic_json_put(header, ",");
    quartic_json_put_integer(header, (int64_t)*end);
    quartic_json_put(header, "]}");
    return QUARTIC_OK;
}

/* Writes the length field, the header and the padding. */
static quartic_status write_safetensors_header(quartic_atomic_file *file, const quartic_json_writer *header) {
    size_t length = header->count, padded = (length + 7) / 8 * 8;
    unsigned char length_field[QUARTIC_SAFETENSORS_LENGTH_BYTES];
    for (int k = 0; k < QUARTIC_SAFETENSORS_LENGTH_BYTES; ++k)
        length_field[k] = (unsigned char)((uint64_t)padded >> 8 * k);
    quartic_status status =
        padded > QUARTIC_SAFETENSORS_HEADER_CAP
            ? quartic_fail(QUARTIC_INVALID_ARGUMENT,
                           "the header of %s would have %zu bytes; at most %d are allowed",
                           quartic_safetensors_path_end(file->path), padded, QUARTIC_SAFETENSORS_HEADER_CAP)
            : quartic_atomic_file_write(file, length_field, sizeof length_field);
    if (status == QUARTIC_OK) status = quartic_atomic_file_write(file, header->bytes, length);
    if (status == QUARTIC_OK) status = quartic_atomic_file_write(file, "       ", padded - length);
    return status;
}

static quartic_status write_safetensors(const char *path, const quartic_json_writer *header,
                                        const quartic_safetensors_tensor *const *tensors, uint32_t count) {
    quartic_atomic_file file;
    QUARTIC_TRY(quartic_atomic_file_begin(path, true, &file));
    quartic_status status = write_safetensors_header(&file, header);
    for (uint32_t t = 0; t < count && status == QUARTIC_OK; ++t) {
        uint64_t bytes = 0;
        quartic_safetensors_bytes(tensors[t]->dtype, &tensors[t]->shape, &bytes);
        status = quartic_atomic_file_write(&file, tensors[t]->data, (size_t)bytes);
    }
    if (status == QUARTIC_OK) return quartic_atomic_file_commit(&file);
    quartic_atomic_file_discard(&file);
    return status;
}

/* The header's JSON: metadata by key, then tensors in the order in which their data follows. */
static quartic_status describe_file(const quartic_safetensors_tensor **sorted, uint32_t tensor_count,
                                    const quartic_safetensors_text **texts, uint32_t metadata_count,
                                    quartic_json_writer *header) {
    qsort(texts, metadata_count, sizeof *texts, by_metadata_key);
    qsort(sorted, tensor_count, sizeof *sorted, by_saved_name);
    for (uint32_t t = 0; t < tensor_count; ++t)
        QUARTIC_TRY(check_saved_name("tensor", sorted[t]->name, t == 0 ? NULL : sorted[t - 1]->name));
    qsort(sorted, tensor_count, sizeof *sorted, by_width_and_name);
    quartic_json_put(header, "{");
    if (metadata_count > 0) QUARTIC_TRY(put_metadata(header, texts, metadata_count));
    uint64_t end = 0;
    for (uint32_t t = 0; t < tensor_count; ++t) {
        if (t > 0 || metadata_count > 0) quartic_json_put(header, ",");
        QUARTIC_TRY(put_tensor(header, sorted[t], &end));
    }
    quartic_json_put(header, "}");
    return header->status;
}

/* Refuses NULL where there must be something. */
static quartic_status check_saved_arrays(const quartic_safetensors_tensor *tensors, uint32_t tensor_count,
                                         const quartic_safetensors_text *metadata, uint32_t metadata_count) {
    if ((tensors == NULL && tensor_count != 0) || (metadata == NULL && metadata_count != 0))
        return quartic_fail(QUARTIC_INVALID_ARGUMENT,
                            "%s is NULL, but its count is %u; NULL goes with a count of 0",
                            tensors == NULL && tensor_count != 0 ? "tensors" : "metadata",
                            tensors == NULL && tensor_count != 0 ? tensor_count : metadata_count);
    for (uint32_t t = 0; t < tensor_count; ++t) {
        const bool empty =
            tensors[t].shape.rank <= QUARTIC_MAX_RANK && quartic_shape_elements(&tensors[t].shape) == 0;
        if (tensors[t].name == NULL || (tensors[t].data == NULL && !empty))
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "tensors[%u] has no %s (NULL)", t,
                                tensors[t].name == NULL ? "name" : "data");
    }
    for (uint32_t m = 0; m < metadata_count; ++m)
        if (metadata[m].key == NULL || metadata[m].text == NULL)
            return quartic_fail(QUARTIC_INVALID_ARGUMENT, "metadata[%u] has no %s (NULL)", m,
                                metadata[m].key == NULL ? "key" : "text");
    return QUARTIC_OK;
}

quartic_status quartic_safetensors_save(const char *path, const quartic_safetensors_tensor *tensors,
                                        uint32_t tensor_count, const quartic_safetensors_text *metadata,
                                        uint32_t metadata_count) {
    QUARTIC_CALL();
    QUARTIC_NEED(path);
    QUARTIC_TRY(check_saved_arrays(tensors, tensor_count, metadata, metadata_count));
    const quartic_safetensors_tensor **sorted = quartic_alloc(tensor_count, sizeof *sorted);
    const quartic_safetensors_text **texts = quartic_alloc(metadata_count, sizeof *texts);
    quartic_json_writer header = {.bytes = NULL};
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    if (sorted != NULL && texts != NULL) {
        for (uint32_t t = 0; t < tensor_count; ++t) sorted[t] = &tensors[t];
        for (uint32_t m = 0; m < metadata_count; ++m) texts[m] = &metadata[m];
        status = describe_file(sorted, tensor_count, texts, metadata_count, &header);
    }
    if (status == QUARTIC_OK) status = write_safetensors(path, &header, sorted, tensor_count);
    quartic_free(header.bytes);
    quartic_free(sorted);
    quartic_free(texts);
    return status;
}

quartic_status quartic_file_save(const char *path, const void *bytes, size_t count) {
    QUARTIC_CALL();
    QUARTIC_NEED(path);
    if (count != 0) QUARTIC_NEED(bytes);
    return quartic_atomic_file_save(path, true, bytes, count);
}
