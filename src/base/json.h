/* json.h: JSON (RFC 8259) read strictly into one flat table, and written.
 *
 * Taken: UTF-8 with or without a byte-order mark, any white space of JSON. Refused: a key twice in an object,
 * texts that are no UTF-8 or hold a zero, integers beyond 64 bits, numbers beyond double, more than
 * QUARTIC_JSON_DEPTH levels, anything after the value. Neither way depends on the locale.
 *
 * Values lie in the order in which they are written: the members of an array or object follow it, and
 * value + value->span is what comes after a value with all that it holds.
 */
#ifndef QUARTIC_BASE_JSON_H
#define QUARTIC_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { QUARTIC_JSON_DEPTH = 128 };

typedef enum quartic_json_kind {
    QUARTIC_JSON_NULL,
    QUARTIC_JSON_BOOLEAN, /* integer is 0 or 1 */
    QUARTIC_JSON_INTEGER, /* written without point and exponent; real is the same number */
    QUARTIC_JSON_REAL,
    QUARTIC_JSON_TEXT,
    QUARTIC_JSON_ARRAY,
    QUARTIC_JSON_OBJECT
} quartic_json_kind;

typedef struct quartic_json {
    quartic_json_kind kind;
    uint32_t count;   /* members of an array or object */
    uint32_t span;    /* values from this one to the next that it does not hold */
    uint32_t at;      /* byte at which it (or its key) begins */
    const char *key;  /* of a member of an object, else NULL */
    const char *text; /* of a TEXT, without zeros inside */
    int64_t integer;
    double real;
} quartic_json;

typedef struct quartic_json_document {
    quartic_json *values; /* the first is the whole */
    char *texts;
} quartic_json_document;

/* Where reading stopped and why: byte from 0, line and column from 1. */
typedef struct quartic_json_error {
    size_t at;
    uint32_t line, column;
    char text[160];
} quartic_json_error;

/* Reads byte_count bytes. FORMAT fills *out_error and leaves the sentence to the caller, OUT_OF_MEMORY sets
 * it; then the document is empty. */
quartic_status quartic_json_read(const char *bytes, size_t byte_count, quartic_json_document *out_document,
                                 quartic_json_error *out_error);
/* An empty document is fine. */
void quartic_json_free(quartic_json_document *document);

/* The member of that key; NULL if there is none, or value is NULL or no object. */
const quartic_json *quartic_json_member(const quartic_json *value, const char *key);
/* The text, or NULL if value is NULL or no text. */
const char *quartic_json_text(const quartic_json *value);
bool quartic_json_is(const quartic_json *value, quartic_json_kind kind); /* false for NULL */

/* All members of an array or object. */
#define QUARTIC_JSON_FOREACH(member, value)                                                                  \
    for (const quartic_json *member = (value) + 1; member < (value) + (value)->span; member += member->span)

/* ---- writing ---- */

/* A growing text, always ended by a zero once something was put. After a failure nothing more is put. */
typedef struct quartic_json_writer {
    char *bytes; /* freed with quartic_free by whoever began to write */
    size_t count, capacity;
    quartic_status status; /* OUT_OF_MEMORY; INVALID_ARGUMENT: no UTF-8, not finite */
} quartic_json_writer;

/* Characters as they are. */
void quartic_json_put(quartic_json_writer *writer, const char *characters);
/* A text in quotes. */
void quartic_json_put_text(quartic_json_writer *writer, const char *text);
void quartic_json_put_integer(quartic_json_writer *writer, int64_t number);
/* A finite number, in the fewest digits that read back as the same float. */
void quartic_json_put_float(quartic_json_writer *writer, float number);
/* The same for a double. */
void quartic_json_put_double(quartic_json_writer *writer, double number);
/* A value that was read, with all that it holds, but without its key. */
void quartic_json_put_value(quartic_json_writer *writer, const quartic_json *value);

/* Bytes of the valid UTF-8 character (not a zero) at the start of count bytes; 0 if there is none. */
size_t quartic_utf8_length(const unsigned char *bytes, size_t count);
bool quartic_utf8_valid(const char *text);

/* The number that a JSON number's characters mean, in any locale; infinite if it is beyond double. At most
 * QUARTIC_JSON_NUMBER_CHARS characters. */
enum { QUARTIC_JSON_NUMBER_CHARS = 1000 };
double quartic_json_number(const char *characters, size_t count);

#endif
