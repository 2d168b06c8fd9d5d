/* json.c: JSON values and texts for people. See json.h. */
#define TOOL_JSON_MAKERS
#include "tool/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

/* Returns the value. NULL can only mean that there was no memory, and ends the program. */
static json_t *expect_value(json_t *value) {
    if (value != NULL) return value;
    fprintf(stderr, "quartic: the host has no memory left for the output\n");
    exit(EXIT_FAILED);
}

json_t *tool_json_real(double number) {
    return expect_value(isfinite(number) ? json_real(number) : json_null());
}

json_t *tool_json_count(uint64_t number) {
    return expect_value(number <= INT64_MAX ? json_integer((json_int_t)number) : json_real((double)number));
}

json_t *tool_json_flag(bool flag) {
    return expect_value(json_boolean(flag));
}

json_t *tool_json_null(void) {
    return expect_value(json_null());
}

json_t *tool_json_list(void) {
    return expect_value(json_array());
}

/* Bytes of the UTF-8 character at the beginning, 0 if there is none: neither overlong forms, surrogates nor
 * numbers beyond U+10FFFF. */
static size_t character_bytes(const unsigned char *bytes, size_t count) {
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t length = 1; length <= 4 && length <= count; ++length) {
        if ((bytes[0] & forms[length - 1].mask) != forms[length - 1].lead) continue;
        uint32_t point = bytes[0] & (unsigned char)~forms[length - 1].mask;
        for (size_t k = 1; k < length; ++k) {
            if ((bytes[k] & 0xc0) != 0x80) return 0;
            point = point << 6 | (bytes[k] & 0x3f);
        }
        const bool fits =
            point >= forms[length - 1].least && point <= 0x10ffff && point >> 11 != 0xd800 >> 11;
        return fits ? length : 0;
    }
    return 0;
}

json_t *tool_json_bytes(const void *bytes, size_t count) {
    const unsigned char *from = bytes;
    char *text = tool_alloc(count + 1, 4);
    size_t used = 0;
    for (size_t k = 0; k < count;) {
        const size_t length = character_bytes(from + k, count - k);
        if (length == 0) used += (size_t)snprintf(text + used, 5, "\\x%02x", from[k]);
        memcpy(text + used, from + k, length);
        used += length;
        k += length == 0 ? 1 : length;
    }
    json_t *value = json_stringn(text, used);
    free(text);
    return expect_value(value);
}

json_t *tool_json_text(const char *text) {
    return text == NULL ? tool_json_null() : tool_json_bytes(text, strlen(text));
}

void tool_json_set(json_t *object, const char *key, json_t *value) {
    /* Keys are the program's own but for a file's metadata: they are escaped, too. */
    json_t *name = tool_json_text(key);
    if (json_object_set_new(object, json_string_value(name), expect_value(value)) != 0) expect_value(NULL);
    json_decref(name);
}

void tool_json_add(json_t *list, json_t *value) {
    if (json_array_append_new(list, expect_value(value)) != 0) expect_value(NULL);
}

json_t *tool_json_object(const char *key, ...) {
    json_t *object = expect_value(json_object());
    va_list pairs;
    va_start(pairs, key);
    for (; key != NULL; key = va_arg(pairs, const char *))
        tool_json_set(object, key, va_arg(pairs, json_t *));
    va_end(pairs);
    return object;
}

void tool_put_text(FILE *stream, const char *text) {
    const unsigned char *from = (const unsigned char *)text;
    for (size_t left = strlen(text); left > 0;) {
        const size_t length = character_bytes(from, left), taken = length == 0 ? 1 : length;
        /* Controls of one byte, and those of two: U+0080 to U+009F. */
        const bool control = from[0] < 0x20 || from[0] == 0x7f || (from[0] == 0xc2 && from[1] < 0xa0);
        if (length == 0 || control)
            for (size_t k = 0; k < taken; ++k) fprintf(stream, "\\x%02x", from[k]);
        else
            fwrite(from, 1, length, stream);
        from += taken;
        left -= taken;
    }
}
