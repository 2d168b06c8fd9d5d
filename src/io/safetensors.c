/* safetensors.c: the reader validates the whole file before anything in it is used.
 *
 * It checks, in this order: the length field against the file and a cap; the header as strict JSON (UTF-8,
 * no key twice, nothing after it); every entry's exact keys, type, shape and range; sizes without
 * overflow; and that the ranges, sorted, tile the data exactly. Then it copies names and metadata out of
 * the JSON into flat tables. Format: https://github.com/huggingface/safetensors (its own checks are the
 * same or weaker).
 */
#include "io/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/call.h"
#include "base/find.h"
#include "base/json.h"
#include "base/status.h"

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
#define DTYPE_ENTRY(name, bytes) {#name, bytes},
    QUARTIC_SAFETENSORS_DTYPE_LIST(DTYPE_ENTRY)
#undef DTYPE_ENTRY
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0] };

#define DTYPE_NAME(name, bytes) " " #name
static const char dtype_names[] = QUARTIC_SAFETENSORS_DTYPE_LIST(DTYPE_NAME);
#undef DTYPE_NAME

const char *quartic_safetensors_dtype_name(quartic_safetensors_dtype dtype) {
    return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

size_t quartic_safetensors_dtype_size(quartic_safetensors_dtype dtype) {
    return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].bytes : 0;
}

const char *quartic_safetensors_quote(const char *name, char *buffer) {
    const size_t most = QUARTIC_SAFETENSORS_QUOTE_BYTES - 4;
    size_t length = strlen(name), kept = length;
    if (length > most) {
        kept = most;
        while (kept > 0 && ((unsigned char)name[kept] & 0xc0u) == 0x80u) --kept; /* whole characters only */
    }
    for (size_t i = 0; i < kept; ++i) {
        unsigned char byte = (unsigned char)name[i];
        buffer[i] = byte < 0x20 || byte == 0x7f || byte == '"' ? '?' : name[i];
    }
    strcpy(buffer + kept, length > kept ? "..." : "");
    return buffer;
}

const char *quartic_safetensors_path_end(const char *path) {
    size_t length = strlen(path);
    return length > QUARTIC_SAFETENSORS_LABEL_CHARS ? path + length - QUARTIC_SAFETENSORS_LABEL_CHARS : path;
}

bool quartic_safetensors_bytes(quartic_safetensors_dtype dtype, const quartic_shape *shape,
                               uint64_t *out_bytes) {
    uint64_t bytes = quartic_safetensors_dtype_size(dtype);
    for (uint32_t axis = 0; axis < shape->rank; ++axis) {
        if (shape->dims[axis] != 0 && bytes > (uint64_t)INT64_MAX / shape->dims[axis]) return false;
        bytes *= shape->dims[axis];
    }
    *out_bytes = bytes;
    return true;
}

/* ---- one entry of the header ---- */

/* The tensor being read; data_bytes is the length of the file's data part. */
typedef struct entry {
    const char *label; /* of the file, for messages */
    const char *name;  /* quoted, for messages */
    const unsigned char *data;
    uint64_t data_bytes;
} entry;

static quartic_status read_tensor_dtype(const entry *at, const quartic_json *value,
                                        quartic_safetensors_dtype *out_dtype) {
    const char *word = quartic_json_text(value);
    if (word == NULL)
        return quartic_fail(QUARTIC_FORMAT, "%s: tensor \"%s\" has no \"dtype\" text; expected one of%s",
                            at->label, at->name, dtype_names);
    const size_t index = quartic_find_name(dtypes, sizeof dtypes[0], DTYPE_COUNT, word);
    if (index < DTYPE_COUNT) {
        *out_dtype = (quartic_safetensors_dtype)index;
        return QUARTIC_OK;
    }
    char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
    return quartic_fail(QUARTIC_FORMAT, "%s: tensor \"%s\" has the unknown dtype \"%s\"; expected one of%s",
                        at->label, at->name, quartic_safetensors_quote(word, quoted), dtype_names);
}

static quartic_status read_tensor_shape(const entry *at, const quartic_json *value,
                                        quartic_shape *out_shape) {
    if (!quartic_json_is(value, QUARTIC_JSON_ARRAY))
        return quartic_fail(QUARTIC_FORMAT, "%s: tensor \"%s\" has no \"shape\" array of integers", at->label,
                            at->name);
    uint32_t rank = value->count;
    if (rank > QUARTIC_MAX_RANK)
        return quartic_fail(QUARTIC_FORMAT, "%s: tensor \"%s\" has %u axes; this library takes at most %d",
                            at->label, at->name, rank, QUARTIC_MAX_RANK);
    out_shape->rank = rank;
    uint32_t axis = 0;
    QUARTIC_JSON_FOREACH(extent, value) {
        if (extent->kind != QUARTIC_JSON_INTEGER)
            return quartic_fail(QUARTIC_FORMAT, "%s: axis %u of tensor \"%s\" is no integer", at->label, axis,
                                at->name);
        int64_t number = extent->integer;
        if (number < 0 || number > UINT32_MAX)
            return quartic_fail(QUARTIC_FORMAT,
                                "%s: axis %u of tensor \"%s\" has extent %lld; expected 0 to 4294967295",
                                at->label, axis, at->name, (long long)number);
        out_shape->dims[axis++] = (uint32_t)number;
    }
    return QUARTIC_OK;
}

static quartic_status read_tensor_range(const entry *at, const quartic_json *value,
                                        quartic_safetensors_tensor *tensor) {
    if (!quartic_json_is(value, QUARTIC_JSON_ARRAY) || value->count != 2 ||
        value[1].kind != QUARTIC_JSON_INTEGER || value[2].kind != QUARTIC_JSON_INTEGER)
        return quartic_fail(QUARTIC_FORMAT,
                            "%s: tensor \"%s\" has no \"data_offsets\" array of two integers, begin and end",
                            at->label, at->name);
    const long long first = value[1].integer, past = value[2].integer;
    if (first < 0 || past < first || (uint64_t)past > at->data_bytes)
        return quartic_fail(
            QUARTIC_FORMAT,
            "%s: tensor \"%s\" lies at bytes %lld to %lld of the data, which has %llu bytes; the file "
            "is cut off or its header is wrong",
            at->label, at->name, first, past, (unsigned long long)at->data_bytes);
    uint64_t want = 0;
    bool fits = quartic_safetensors_bytes(tensor->dtype, &tensor->shape, &want);
    tensor->bytes = (uint64_t)(past - first);
    if (!fits || want != tensor->bytes) {
        char shape[32 + 11 * QUARTIC_MAX_RANK] = "(";
        for (uint32_t axis = 0, used = 1; axis < tensor->shape.rank; ++axis)
            used += (uint32_t)snprintf(shape + used, sizeof shape - used, axis == 0 ? "%u" : ", %u",
                                       tensor->shape.dims[axis]);
        return quartic_fail(
            QUARTIC_FORMAT,
            "%s: tensor \"%s\" of %s %s) takes %llu bytes in the file, but its type and shape need "
            "%s%llu",
            at->label, at->name, dtypes[tensor->dtype].name, shape, (unsigned long long)tensor->bytes,
            fits ? "" : "more than ", fits ? (unsigned long long)want : (unsigned long long)INT64_MAX);
    }
    tensor->data = at->data + first;
    return QUARTIC_OK;
}

static quartic_status read_tensor_entry(const entry *at, const quartic_json *value,
                                        quartic_safetensors_tensor *tensor) {
    if (value->kind != QUARTIC_JSON_OBJECT)
        return quartic_fail(QUARTIC_FORMAT,
                            "%s: the header's entry \"%s\" is no object of dtype, shape, data_offsets",
                            at->label, at->name);
    QUARTIC_TRY(read_tensor_dtype(at, quartic_json_member(value, "dtype"), &tensor->dtype));
    QUARTIC_TRY(read_tensor_shape(at, quartic_json_member(value, "shape"), &tensor->shape));
    QUARTIC_TRY(read_tensor_range(at, quartic_json_member(value, "data_offsets"), tensor));
    if (value->count == 3) return QUARTIC_OK;
    return quartic_fail(QUARTIC_FORMAT,
                        "%s: tensor \"%s\" has %u keys; expected dtype, shape and data_offsets only",
                        at->label, at->name, value->count);
}

/* ---- the tables ---- */

static int by_tensor_name(const void *a, const void *b) {
    return strcmp(((const quartic_safetensors_tensor *)a)->name,
                  ((const quartic_safetensors_tensor *)b)->name);
}

/* Empty tensors come before the one that begins where they lie. */
static int by_tensor_place(const void *a, const void *b) {
    const quartic_safetensors_tensor *left = a, *right = b;
    uintptr_t left_at = (uintptr_t)left->data, right_at = (uintptr_t)right->data;
    if (left_at != right_at) return left_at < right_at ? -1 : 1;
    if (left->bytes != right->bytes) return left->bytes < right->bytes ? -1 : 1;
    return by_tensor_name(a, b);
}

/* Every data byte belongs to exactly one tensor. */
static quartic_status check_tiling(quartic_safetensors *file, const unsigned char *data,
                                   uint64_t data_bytes) {
    qsort(file->tensors, file->tensor_count, sizeof file->tensors[0], by_tensor_place);
    uint64_t reached = 0;
    char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
    for (uint32_t t = 0; t < file->tensor_count; ++t) {
        const quartic_safetensors_tensor *tensor = &file->tensors[t];
        uint64_t begin = (uint64_t)((const unsigned char *)tensor->data - data);
        if (begin != reached)
            return quartic_fail(
                QUARTIC_FORMAT,
                "%s: tensor \"%s\" begins at byte %llu of the data, but the tensors before it end at "
                "%llu: the ranges %s",
                file->label, quartic_safetensors_quote(tensor->name, quoted), (unsigned long long)begin,
                (unsigned long long)reached, begin < reached ? "overlap" : "leave a hole");
        reached = begin + tensor->bytes;
    }
    if (reached != data_bytes)
        return quartic_fail(QUARTIC_FORMAT,
                            "%s: the tensors end at byte %llu of the data, which has %llu bytes", file->label,
                            (unsigned long long)reached, (unsigned long long)data_bytes);
    qsort(file->tensors, file->tensor_count, sizeof file->tensors[0], by_tensor_name);
    return QUARTIC_OK;
}

/* Copies a text behind the texts so far and returns the copy; the block is as long as the header, in which
 * every text stands between quotes, so it can hold all of them with their ending zeros. */
static const char *keep_text(char **texts_end, const char *text) {
    char *copy = *texts_end;
    size_t bytes = strlen(text) + 1;
    memcpy(copy, text, bytes);
    *texts_end += bytes;
    return copy;
}

static quartic_status read_metadata(quartic_safetensors *file, const quartic_json *object, char **texts_end) {
    if (object->kind != QUARTIC_JSON_OBJECT)
        return quartic_fail(QUARTIC_FORMAT, "%s: %s is no object of texts", file->label,
                            QUARTIC_SAFETENSORS_METADATA_KEY);
    file->metadata = quartic_alloc(object->count, sizeof file->metadata[0]);
    if (file->metadata == NULL) return QUARTIC_OUT_OF_MEMORY;
    QUARTIC_JSON_FOREACH(value, object) {
        char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
        if (value->kind != QUARTIC_JSON_TEXT)
            return quartic_fail(QUARTIC_FORMAT, "%s: the metadata \"%s\" is no text", file->label,
                                quartic_safetensors_quote(value->key, quoted));
        quartic_safetensors_text *text = &file->metadata[file->metadata_count++];
        text->key = keep_text(texts_end, value->key);
        text->text = keep_text(texts_end, value->text);
    }
    return QUARTIC_OK;
}

static quartic_status read_safetensors_header(quartic_safetensors *file, const quartic_json *header,
                                              size_t header_bytes, const unsigned char *data,
                                              uint64_t data_bytes) {
    if (header->kind != QUARTIC_JSON_OBJECT)
        return quartic_fail(QUARTIC_FORMAT, "%s: the header is no JSON object", file->label);
    file->tensors = quartic_alloc(header->count, sizeof file->tensors[0]);
    file->texts = quartic_alloc(header_bytes, 1);
    if (file->tensors == NULL || file->texts == NULL) return QUARTIC_OUT_OF_MEMORY;
    char *texts_end = file->texts;
    QUARTIC_JSON_FOREACH(value, header) {
        const char *name = value->key;
        if (strcmp(name, QUARTIC_SAFETENSORS_METADATA_KEY) == 0) {
            QUARTIC_TRY(read_metadata(file, value, &texts_end));
            continue;
        }
        char quoted[QUARTIC_SAFETENSORS_QUOTE_BYTES];
        entry at = {file->label, quartic_safetensors_quote(name, quoted), data, data_bytes};
        quartic_safetensors_tensor *tensor = &file->tensors[file->tensor_count++];
        QUARTIC_TRY(read_tensor_entry(&at, value, tensor));
        tensor->name = keep_text(&texts_end, name);
    }
    return check_tiling(file, data, data_bytes);
}

static quartic_status parse_safetensors(quartic_safetensors *file, const unsigned char *bytes,
                                        uint64_t byte_count) {
    if (byte_count < QUARTIC_SAFETENSORS_LENGTH_BYTES)
        return quartic_fail(QUARTIC_FORMAT,
                            "%s has %llu bytes; a safetensors file begins with a header length of 8 bytes",
                            file->label, (unsigned long long)byte_count);
    uint64_t header_bytes = 0;
    for (int k = QUARTIC_SAFETENSORS_LENGTH_BYTES; k-- > 0;) header_bytes = header_bytes << 8 | bytes[k];
    uint64_t rest = byte_count - QUARTIC_SAFETENSORS_LENGTH_BYTES;
    if (header_bytes > rest)
        return quartic_fail(
            QUARTIC_FORMAT,
            "%s says that its header has %llu bytes, but only %llu follow; the file is cut off or is "
            "no safetensors file",
            file->label, (unsigned long long)header_bytes, (unsigned long long)rest);
    if (header_bytes > QUARTIC_SAFETENSORS_HEADER_CAP)
        return quartic_fail(QUARTIC_FORMAT, "%s has a header of %llu bytes; at most %d are taken",
                            file->label, (unsigned long long)header_bytes, QUARTIC_SAFETENSORS_HEADER_CAP);
    const char *text = (const char *)bytes + QUARTIC_SAFETENSORS_LENGTH_BYTES;
    if (header_bytes == 0 || text[0] != '{')
        return quartic_fail(QUARTIC_FORMAT,
                            "%s: the header does not begin with '{'; this is no safetensors file",
                            file->label);
    quartic_json_document header;
    quartic_json_error error;
    quartic_status status = quartic_json_read(text, (size_t)header_bytes, &header, &error);
    if (status == QUARTIC_FORMAT)
        return quartic_fail(QUARTIC_FORMAT, "%s: the header is no valid JSON at byte %zu: %s", file->label,
                            error.at, error.text);
    QUARTIC_TRY(status);
    status = read_safetensors_header(file, header.values, (size_t)header_bytes,
                                     bytes + (byte_count - (rest - header_bytes)), rest - header_bytes);
    quartic_json_free(&header);
    return status;
}

/* ---- opening ---- */

/* Reads all of an open regular file; the caller frees *out_bytes with quartic_free. */
static quartic_status read_whole_file(int descriptor, const char *label, unsigned char **out_bytes,
                                      uint64_t *out_count) {
    struct stat facts;
    if (fstat(descriptor, &facts) != 0)
        return quartic_fail(QUARTIC_IO, "cannot read %s: %s", label, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return quartic_fail(QUARTIC_IO, "cannot read %s: it is %s, not a file", label,
                            S_ISDIR(facts.st_mode) ? "a folder" : "a device or pipe");
    size_t count = (size_t)facts.st_size;
    unsigned char *bytes = quartic_alloc(count, 1);
    if (bytes == NULL) return QUARTIC_OUT_OF_MEMORY;
    for (size_t done = 0; done < count;) {
        ssize_t got = read(descriptor, bytes + done, count - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            quartic_free(bytes);
            return quartic_fail(QUARTIC_IO, "cannot read %s: %s", label,
                                got < 0 ? strerror(errno) : "it became shorter while it was read");
        }
        done += (size_t)got;
    }
    *out_bytes = bytes;
    *out_count = count;
    return QUARTIC_OK;
}

/* Opens a file whose bytes are in memory. owned: `bytes` if the file frees them (at once, after an error),
 * NULL if they stay the caller's. */
static quartic_status open_safetensors_bytes(const unsigned char *bytes, uint64_t count, unsigned char *owned,
                                             const char *label, quartic_safetensors **out_file) {
    quartic_safetensors *file = quartic_alloc(1, sizeof *file);
    if (file == NULL) {
        quartic_free(owned);
        return QUARTIC_OUT_OF_MEMORY;
    }
    file->owned = owned;
    label = quartic_safetensors_path_end(label);
    file->label = quartic_alloc(strlen(label) + 1, 1);
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    if (file->label != NULL) {
        strcpy(file->label, label);
        status = parse_safetensors(file, bytes, count);
    }
    if (status == QUARTIC_OK)
        *out_file = file;
    else
        quartic_safetensors_close(file);
    return status;
}

quartic_status quartic_safetensors_open(const char *path, quartic_safetensors **out_file) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_file);
    *out_file = NULL;
    QUARTIC_NEED(path);
    const char *label = quartic_safetensors_path_end(path);
    /* Not blocking: opening a pipe must not wait for its other end. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return quartic_fail(QUARTIC_IO, "cannot open %s: %s", label, strerror(errno));
    unsigned char *bytes = NULL;
    uint64_t count = 0;
    quartic_status status = read_whole_file(descriptor, label, &bytes, &count);
    close(descriptor);
    return status == QUARTIC_OK ? open_safetensors_bytes(bytes, count, bytes, label, out_file) : status;
}

quartic_status quartic_safetensors_open_memory(const void *bytes, size_t byte_count, const char *label,
                                               quartic_safetensors **out_file) {
    QUARTIC_CALL();
    QUARTIC_NEED(out_file);
    *out_file = NULL;
    QUARTIC_NEED(bytes);
    QUARTIC_NEED(label);
    return open_safetensors_bytes(bytes, byte_count, NULL, label, out_file);
}

void quartic_safetensors_close(quartic_safetensors *file) {
    if (file == NULL) return;
    quartic_free(file->label);
    quartic_free(file->tensors);
    quartic_free(file->metadata);
    quartic_free(file->texts);
    quartic_free(file->owned);
    quartic_free(file);
}

/* ---- looking up ---- */

uint32_t quartic_safetensors_count(const quartic_safetensors *file) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(file, 0);
    return file->tensor_count;
}

const quartic_safetensors_tensor *quartic_safetensors_at(const quartic_safetensors *file, uint32_t index) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(file, NULL);
    return index < file->tensor_count ? &file->tensors[index] : NULL;
}

const quartic_safetensors_tensor *quartic_safetensors_find(const quartic_safetensors *file,
                                                           const char *name) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(file, NULL);
    QUARTIC_NEED_OR(name, NULL);
    const quartic_safetensors_tensor key = {.name = name};
    return bsearch(&key, file->tensors, file->tensor_count, sizeof file->tensors[0], by_tensor_name);
}

const char *quartic_safetensors_metadata(const quartic_safetensors *file, const char *key) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(file, NULL);
    QUARTIC_NEED_OR(key, NULL);
    const size_t m = quartic_find_name(file->metadata, sizeof file->metadata[0], file->metadata_count, key);
    return m == file->metadata_count ? NULL : file->metadata[m].text;
}

uint32_t quartic_safetensors_metadata_count(const quartic_safetensors *file) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(file, 0);
    return file->metadata_count;
}

const quartic_safetensors_text *quartic_safetensors_metadata_at(const quartic_safetensors *file,
                                                                uint32_t index) {
    QUARTIC_CALL();
    QUARTIC_NEED_OR(file, NULL);
    return index < file->metadata_count ? &file->metadata[index] : NULL;
}
