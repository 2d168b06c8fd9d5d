/* json_write.c: the writer of json.h. Numbers come out the same in any locale. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

static void put_bytes(quartic_json_writer *writer, const char *bytes, size_t count) {
    if (writer->status != QUARTIC_OK) return;
    if (writer->count + count + 1 > writer->capacity) {
        const size_t capacity = 2 * (writer->count + count) + 64;
        char *grown = quartic_realloc(writer->bytes, writer->capacity, capacity, 1);
        if (grown == NULL) {
            writer->status = QUARTIC_OUT_OF_MEMORY;
            return;
        }
        writer->bytes = grown;
        writer->capacity = capacity;
    }
    memcpy(writer->bytes + writer->count, bytes, count);
    writer->count += count;
    writer->bytes[writer->count] = 0;
}

void quartic_json_put(quartic_json_writer *writer, const char *characters) {
    put_bytes(writer, characters, strlen(characters));
}

void quartic_json_put_text(quartic_json_writer *writer, const char *text) {
    static const char letters[] = "\"\\\b\f\n\r\t", written[] = "\"\\bfnrt";
    if (!quartic_utf8_valid(text)) {
        if (writer->status == QUARTIC_OK)
            writer->status = quartic_fail(QUARTIC_INVALID_ARGUMENT, "a text is no valid UTF-8");
        return;
    }
    put_bytes(writer, "\"", 1);
    for (const char *at = text; *at != 0;) {
        size_t plain = 0; /* characters that need no escape */
        while ((unsigned char)at[plain] >= 0x20 && at[plain] != '"' && at[plain] != '\\') ++plain;
        put_bytes(writer, at, plain);
        at += plain;
        if (*at == 0) break;
        char escape[8];
        const char *letter = strchr(letters, *at);
        if (letter != NULL)
            snprintf(escape, sizeof escape, "\\%c", written[letter - letters]);
        else
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*at);
        quartic_json_put(writer, escape);
        ++at;
    }
    put_bytes(writer, "\"", 1);
}

void quartic_json_put_integer(quartic_json_writer *writer, int64_t number) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    quartic_json_put(writer, text);
}

enum { REAL_TEXT = 64 };

/* Writes a number with a point in any locale, and with a point or exponent, so that it reads back as real. */
static void format_real(double number, int digits, char text[REAL_TEXT]) {
    char local[REAL_TEXT];
    size_t used = 0;
    bool real = false;
    snprintf(local, sizeof local, "%.*g", digits, number);
    for (const char *at = local; *at != 0; ++at) {
        const bool known = strchr("0123456789+-e", *at) != NULL;
        real = real || !known || *at == 'e';
        if (known)
            text[used++] = *at;
        else if (used > 0 && text[used - 1] != '.') /* the point of a locale may have several bytes */
            text[used++] = '.';
    }
    memcpy(text + used, real ? "" : ".0", real ? 1 : 3);
}

static bool expect_finite_number(quartic_json_writer *writer, double number) {
    if (isfinite(number)) return true;
    if (writer->status == QUARTIC_OK)
        writer->status = quartic_fail(QUARTIC_INVALID_ARGUMENT, "JSON has no way to write %g", number);
    return false;
}

void quartic_json_put_float(quartic_json_writer *writer, float number) {
    if (!expect_finite_number(writer, (double)number)) return;
    char text[REAL_TEXT];
    int digits = 6;
    do format_real((double)number, digits, text);
    while ((float)quartic_json_number(text, strlen(text)) != number && ++digits <= 9);
    quartic_json_put(writer, text);
}

void quartic_json_put_double(quartic_json_writer *writer, double number) {
    if (!expect_finite_number(writer, number)) return;
    char text[REAL_TEXT];
    int digits = 15;
    do format_real(number, digits, text);
    while (quartic_json_number(text, strlen(text)) != number && ++digits <= 17);
    quartic_json_put(writer, text);
}

void quartic_json_put_value(quartic_json_writer *writer, const quartic_json *value) {
    bool first = true;
    switch (value->kind) {
    case QUARTIC_JSON_NULL:
        quartic_json_put(writer, "null");
        break;
    case QUARTIC_JSON_BOOLEAN:
        quartic_json_put(writer, value->integer ? "true" : "false");
        break;
    case QUARTIC_JSON_INTEGER:
        quartic_json_put_integer(writer, value->integer);
        break;
    case QUARTIC_JSON_REAL:
        quartic_json_put_double(writer, value->real);
        break;
    case QUARTIC_JSON_TEXT:
        quartic_json_put_text(writer, value->text);
        break;
    case QUARTIC_JSON_ARRAY:
    case QUARTIC_JSON_OBJECT:
        quartic_json_put(writer, value->kind == QUARTIC_JSON_OBJECT ? "{" : "[");
        QUARTIC_JSON_FOREACH(member, value) {
            if (!first) quartic_json_put(writer, ",");
            first = false;
            if (member->key != NULL) {
                quartic_json_put_text(writer, member->key);
                quartic_json_put(writer, ":");
            }
            quartic_json_put_value(writer, member);
        }
        quartic_json_put(writer, value->kind == QUARTIC_JSON_OBJECT ? "}" : "]");
        break;
    }
}
