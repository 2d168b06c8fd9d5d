/* json.h: a strict reader and a writer of JSON (RFC 8259). Neither depends on the locale.
 *
 * Accepted: UTF-8 with or without a byte-order mark. Refused: a key that occurs twice in an object, text that
 * is not UTF-8 or holds a zero byte, integers beyond 64 bits, numbers beyond double, more than
 * QUARTIC_JSON_DEPTH levels, anything after the value.
 *
 * A document is one array of values in the order of the text. The members of an array or object follow it,
 * and value + value->span is the first value behind it and all its members:
 *
 *   {"a": [1, 2], "b": 3}    ->    object (span 5), array "a" (span 3), 1, 2, "b" 3
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
    uint32_t count;   /* of the members of an array or object */
    uint32_t span;    /* values from this one to the first that is not inside it */
    uint32_t at;      /* the byte at which it, or its key, begins */
    const char *key;  /* if it is a member of an object, else NULL; owned by the document */
    const char *text; /* of a TEXT; owned by the document */
    int64_t integer;
    double real;
} quartic_json;

typedef struct quartic_json_document {
    quartic_json *values; /* the first one is the whole text */
    char *texts;
} quartic_json_document;

/* Where reading stopped and why. Bytes count from 0, lines and columns from 1. */
typedef struct quartic_json_error {
    size_t at;
    uint32_t line, column;
    char text[160];
} quartic_json_error;

/* Reads byte_count bytes into a document, which the caller frees. Errors: FORMAT with *out_error filled, of
 * which the caller makes the error message; OUT_OF_MEMORY with the message set. The document is then
 * empty. */
quartic_status quartic_json_read(const char *bytes, size_t byte_count, quartic_json_document *out_document,
                                 quartic_json_error *out_error);
/* Frees what a document holds and leaves it empty; an empty one is fine. */
void quartic_json_free(quartic_json_document *document);

/* Returns the member with that key; NULL if there is none, or if value is NULL or not an object. */
const quartic_json *quartic_json_member(const quartic_json *value, const char *key);
/* Returns the text; NULL if value is NULL or not a text. */
const char *quartic_json_text(const quartic_json *value);
bool quartic_json_is(const quartic_json *value, quartic_json_kind kind); /* false if value is NULL */

/* Loops over the members of an array or object. */
#define QUARTIC_JSON_FOREACH(member, value)                                                                  \
    for (const quartic_json *member = (value) + 1; member < (value) + (value)->span; member += member->span)

/* ---- writing ---- */

/* A growing text that ends with a zero byte once something was put. After an error the calls do nothing. */
typedef struct quartic_json_writer {
    char *bytes; /* NULL at first; the owner of the writer frees it with quartic_free */
    size_t count, capacity;
    quartic_status status; /* the first error: OUT_OF_MEMORY; INVALID_ARGUMENT (not UTF-8, not finite) */
} quartic_json_writer;

/* Puts characters as they are. */
void quartic_json_put(quartic_json_writer *writer, const char *characters);
/* Puts a text in quotes, with escapes. */
void quartic_json_put_text(quartic_json_writer *writer, const char *text);
void quartic_json_put_integer(quartic_json_writer *writer, int64_t number);
/* Puts a finite number in the fewest digits that read back as the same float. */
void quartic_json_put_float(quartic_json_writer *writer, float number);
/* The same for a double. */
void quartic_json_put_double(quartic_json_writer *writer, double number);
/* Puts a value that was read, with all its members, but without its key. */
void quartic_json_put_value(quartic_json_writer *writer, const quartic_json *value);

/* The number of bytes of the UTF-8 character at the start of count bytes; 0 if it is a zero or not valid. */
size_t quartic_utf8_length(const unsigned char *bytes, size_t count);
bool quartic_utf8_valid(const char *text);

/* The value of a JSON number of at most QUARTIC_JSON_NUMBER_CHARS characters, in any locale; infinite if it
 * is beyond double. */
enum { QUARTIC_JSON_NUMBER_CHARS = 1000 };
double quartic_json_number(const char *characters, size_t count);

#endif
