/* json.c: the reader of json.h: recursive descent over the bytes, which appends one value after the other. */
#include "base/json.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

typedef struct reader {
    const unsigned char *bytes;
    size_t count, at;
    quartic_json *values;
    size_t used, capacity;
    char *texts_end; /* where the next text goes; quartic_json_read allocates enough for all */
    uint32_t depth;
    const quartic_json **sorted; /* the members of one object by key; kept from object to object */
    size_t sorted_capacity;
    quartic_json_error *error;
} reader;

size_t quartic_utf8_length(const unsigned char *bytes, size_t count) {
    if (count == 0 || bytes[0] == 0) return 0;
    if (bytes[0] < 0x80) return 1;
    const size_t length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || count < length) return 0;
    uint32_t code = bytes[0] & (0xffu >> (length + 1));
    for (size_t k = 1; k < length; ++k) {
        if ((bytes[k] & 0xc0u) != 0x80u) return 0;
        code = code << 6 | (bytes[k] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

bool quartic_utf8_valid(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    for (size_t left = strlen(text), step; left > 0; left -= step, at += step)
        if ((step = quartic_utf8_length(at, left)) == 0) return false;
    return true;
}

/* ---- errors ---- */

enum { MOST_KEY_TEXT = 64 };

/* What stands at byte `at`, for messages: 'x', byte 0x1b or the end. */
static const char *name_byte(const reader *in, size_t at, char buffer[16]) {
    if (at >= in->count) return "the end";
    const unsigned char byte = in->bytes[at];
    if (byte > 0x20 && byte < 0x7f)
        snprintf(buffer, 16, "'%c'", byte);
    else
        snprintf(buffer, 16, "byte 0x%02x", byte);
    return buffer;
}

__attribute__((format(printf, 3, 4))) static quartic_status stop_reading(reader *in, size_t at,
                                                                         const char *format, ...) {
    quartic_json_error *error = in->error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    error->at = at;
    error->line = 1, error->column = 1;
    for (size_t k = 0; k < at && k < in->count; ++k) {
        ++error->column;
        if (in->bytes[k] != '\n') continue;
        ++error->line;
        error->column = 1;
    }
    return QUARTIC_FORMAT;
}

static quartic_status fail_expected(reader *in, const char *what) {
    char buffer[16];
    return stop_reading(in, in->at, "%s expected, not %s", what, name_byte(in, in->at, buffer));
}

/* ---- values ---- */

/* Appends a value. It gives its index: a pointer would not survive the growth of the array. */
static quartic_status add_value(reader *in, size_t at, size_t *out_index) {
    if (in->used == in->capacity) {
        const size_t capacity = 2 * in->capacity;
        quartic_json *grown = quartic_realloc(in->values, in->capacity, capacity, sizeof grown[0]);
        if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
        in->values = grown;
        in->capacity = capacity;
    }
    in->values[in->used] = (quartic_json){.span = 1, .at = (uint32_t)at};
    *out_index = in->used++;
    return QUARTIC_OK;
}

static void skip_space(reader *in) {
    while (in->at < in->count && memchr(" \t\r\n", in->bytes[in->at], 4) != NULL) ++in->at;
}

/* Moves past the byte if it is the next one. */
static bool take_byte(reader *in, char byte) {
    if (in->at >= in->count || in->bytes[in->at] != (unsigned char)byte) return false;
    ++in->at;
    return true;
}

static quartic_status read_json_hex(reader *in, uint32_t *out_code) {
    uint32_t code = 0;
    for (int k = 0; k < 4; ++k, ++in->at) {
        const int byte = in->at < in->count ? in->bytes[in->at] : 0;
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F')))
            return fail_expected(in, "four hexadecimal digits after \\u");
        code = code * 16 + (uint32_t)(byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
    }
    *out_code = code;
    return QUARTIC_OK;
}

static char *put_utf8(char *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint32_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(unsigned char)(lead[more] | code >> 6 * more);
    for (int k = more; k-- > 0;) *to++ = (char)(unsigned char)(0x80u | (code >> 6 * k & 0x3fu));
    return to;
}

/* Reads an escape; its backslash has been read. */
static quartic_status read_json_escape(reader *in, char **to) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const size_t begin = in->at - 1;
    const char *letter =
        in->at < in->count && in->bytes[in->at] != 0 ? strchr(letters, in->bytes[in->at]) : NULL;
    if (letter != NULL) {
        ++in->at;
        *(*to)++ = meanings[letter - letters];
        return QUARTIC_OK;
    }
    uint32_t code = 0, low = 0;
    if (!take_byte(in, 'u')) return fail_expected(in, "one of \" \\ / b f n r t u after a backslash");
    QUARTIC_TRY(read_json_hex(in, &code));
    if (code == 0) return stop_reading(in, begin, "\\u0000 in a text, which would end there; leave it out");
    if (code >= 0xdc00 && code <= 0xdfff) return stop_reading(in, begin, "half a surrogate pair in a text");
    if (code >= 0xd800 && code <= 0xdbff) {
        if (!take_byte(in, '\\') || !take_byte(in, 'u'))
            return stop_reading(in, begin, "half a surrogate pair in a text");
        QUARTIC_TRY(read_json_hex(in, &low));
        if (low < 0xdc00 || low > 0xdfff) return stop_reading(in, begin, "half a surrogate pair in a text");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_utf8(*to, code);
    return QUARTIC_OK;
}

/* Reads a text; its opening quote has been read. */
static quartic_status read_json_text(reader *in, const char **out_text) {
    const size_t begin = in->at - 1;
    char *to = in->texts_end;
    *out_text = to;
    while (!take_byte(in, '"')) {
        if (in->at >= in->count) return stop_reading(in, begin, "a text without an ending quote");
        if (take_byte(in, '\\')) {
            QUARTIC_TRY(read_json_escape(in, &to));
            continue;
        }
        if (in->bytes[in->at] < 0x20)
            return stop_reading(in, in->at, "the control character 0x%02x in a text%s", in->bytes[in->at],
                                in->bytes[in->at] == 0 ? "; no text may hold a zero"
                                                       : "; write it with a backslash");
        const size_t length = quartic_utf8_length(in->bytes + in->at, in->count - in->at);
        if (length == 0)
            return stop_reading(in, in->at, "byte 0x%02x in a text is no UTF-8", in->bytes[in->at]);
        memcpy(to, in->bytes + in->at, length);
        to += length;
        in->at += length;
    }
    *to++ = 0;
    in->texts_end = to;
    return QUARTIC_OK;
}

double quartic_json_number(const char *characters, size_t count) {
    /* strtod reads the point of the locale. So the point is left out, and the exponent becomes smaller. */
    char plain[QUARTIC_JSON_NUMBER_CHARS + 32];
    size_t used = 0, k = 0;
    long exponent = 0, given = 0;
    bool fraction = false;
    for (; k < count && characters[k] != 'e' && characters[k] != 'E'; ++k) {
        if (characters[k] == '.') {
            fraction = true;
            continue;
        }
        plain[used++] = characters[k];
        exponent -= fraction;
    }
    if (k < count) {
        const bool negative = characters[++k] == '-';
        for (; k < count; ++k)
            if (characters[k] >= '0' && characters[k] <= '9' && given < 1000000)
                given = given * 10 + (characters[k] - '0');
        exponent += negative ? -given : given;
    }
    snprintf(plain + used, sizeof plain - used, "e%ld", exponent);
    return strtod(plain, NULL);
}

static bool take_digits(reader *in) {
    const size_t begin = in->at;
    while (in->at < in->count && in->bytes[in->at] >= '0' && in->bytes[in->at] <= '9') ++in->at;
    return in->at > begin;
}

static quartic_status read_json_number(reader *in, quartic_json *value) {
    const size_t begin = in->at;
    const bool negative = take_byte(in, '-');
    if (!take_byte(in, '0') && !take_digits(in)) return fail_expected(in, negative ? "a digit" : "a value");
    bool whole = true;
    if (take_byte(in, '.')) {
        whole = false;
        if (!take_digits(in)) return fail_expected(in, "a digit after the point");
    }
    if (take_byte(in, 'e') || take_byte(in, 'E')) {
        whole = false;
        if (!take_byte(in, '-')) take_byte(in, '+');
        if (!take_digits(in)) return fail_expected(in, "a digit of the exponent");
    }
    const char *characters = (const char *)in->bytes + begin;
    if (in->at - begin > QUARTIC_JSON_NUMBER_CHARS)
        return stop_reading(in, begin, "a number of more than %d characters", QUARTIC_JSON_NUMBER_CHARS);
    value->kind = whole ? QUARTIC_JSON_INTEGER : QUARTIC_JSON_REAL;
    value->real = quartic_json_number(characters, in->at - begin);
    if (!isfinite(value->real)) return stop_reading(in, begin, "a number beyond the range of double");
    if (!whole) return QUARTIC_OK;
    uint64_t number = 0;
    const uint64_t most = (uint64_t)INT64_MAX + negative;
    for (size_t k = begin + negative; k < in->at; ++k) {
        const uint64_t digit = in->bytes[k] - (uint64_t)'0';
        if (number > (most - digit) / 10) return stop_reading(in, begin, "an integer beyond 64 bits");
        number = number * 10 + digit;
    }
    value->integer = negative ? (int64_t)(0 - number) : (int64_t)number;
    return QUARTIC_OK;
}

static quartic_status read_json_word(reader *in, const char *word) {
    const size_t length = strlen(word);
    if (in->count - in->at < length || memcmp(in->bytes + in->at, word, length) != 0)
        return fail_expected(in, "a value");
    in->at += length;
    return QUARTIC_OK;
}

/* ---- arrays and objects ---- */

static int by_key_and_place(const void *a, const void *b) {
    const quartic_json *left = *(const quartic_json *const *)a, *right = *(const quartic_json *const *)b;
    const int order = strcmp(left->key, right->key);
    return order != 0 ? order : left->at < right->at ? -1 : 1;
}

/* Has memory for `count` members in in->sorted. A document takes few allocations, however many objects it has. */
static quartic_status reserve_sorted(reader *in, size_t count) {
    if (count <= in->sorted_capacity) return QUARTIC_OK;
    const size_t capacity = count > 2 * in->sorted_capacity ? count : 2 * in->sorted_capacity;
    const quartic_json **grown = quartic_alloc(capacity, sizeof grown[0]);
    if (grown == NULL) return QUARTIC_OUT_OF_MEMORY;
    quartic_free(in->sorted);
    in->sorted = grown;
    in->sorted_capacity = capacity;
    return QUARTIC_OK;
}

/* The first characters of a key, which may hold anything, for a message that quotes it. */
static const char *quotable_key(const char *key, char text[MOST_KEY_TEXT + 1]) {
    size_t length = 0;
    for (; key[length] != 0 && length < MOST_KEY_TEXT; ++length) {
        const unsigned char byte = (unsigned char)key[length];
        text[length] = byte < 0x20 || byte == 0x7f || byte == '"' ? '?' : key[length];
    }
    if (key[length] != 0) /* whole characters only */
        while (length > 0 && ((unsigned char)key[length] & 0xc0u) == 0x80u) --length;
    text[length] = 0;
    return text;
}

/* Refuses an object in which a key occurs twice. */
static quartic_status expect_unique_keys(reader *in, const quartic_json *object) {
    if (object->count < 2) return QUARTIC_OK;
    QUARTIC_TRY(reserve_sorted(in, object->count));
    const quartic_json **sorted = in->sorted;
    size_t count = 0;
    QUARTIC_JSON_FOREACH(member, object) sorted[count++] = member;
    qsort(sorted, count, sizeof sorted[0], by_key_and_place);
    const quartic_json *twice = NULL;
    for (size_t k = 1; k < count; ++k)
        if (strcmp(sorted[k - 1]->key, sorted[k]->key) == 0 && (twice == NULL || sorted[k]->at < twice->at))
            twice = sorted[k];
    if (twice == NULL) return QUARTIC_OK;
    char key[MOST_KEY_TEXT + 1];
    return stop_reading(in, twice->at, "duplicate key \"%s\"", quotable_key(twice->key, key));
}

static quartic_status read_json_value(reader *in, const char *key, size_t at);

/* Reads the members of the array or object at index; its opening bracket has been read. */
static quartic_status read_json_members(reader *in, size_t index, bool object) {
    const char closing = object ? '}' : ']';
    if (++in->depth > QUARTIC_JSON_DEPTH)
        return stop_reading(in, in->at - 1, "a depth of more than %d levels", QUARTIC_JSON_DEPTH);
    skip_space(in);
    uint32_t count = 0;
    if (!take_byte(in, closing)) {
        do {
            skip_space(in);
            const size_t at = in->at;
            const char *key = NULL;
            if (object) {
                if (!take_byte(in, '"')) return fail_expected(in, count == 0 ? "a key or '}'" : "a key");
                QUARTIC_TRY(read_json_text(in, &key));
                skip_space(in);
                if (!take_byte(in, ':')) return fail_expected(in, "':'");
                skip_space(in);
            }
            QUARTIC_TRY(read_json_value(in, key, at));
            ++count;
            skip_space(in);
        } while (take_byte(in, ','));
        if (!take_byte(in, closing)) return fail_expected(in, object ? "',' or '}'" : "',' or ']'");
    }
    quartic_json *value = &in->values[index];
    value->kind = object ? QUARTIC_JSON_OBJECT : QUARTIC_JSON_ARRAY;
    value->count = count;
    value->span = (uint32_t)(in->used - index);
    --in->depth;
    return object ? expect_unique_keys(in, value) : QUARTIC_OK;
}

static quartic_status read_json_value(reader *in, const char *key, size_t at) {
    size_t index;
    QUARTIC_TRY(add_value(in, at, &index));
    in->values[index].key = key;
    const int byte = in->at < in->count ? in->bytes[in->at] : 0;
    if (byte == '{' || byte == '[') {
        ++in->at;
        return read_json_members(in, index, byte == '{');
    }
    quartic_json *value = &in->values[index];
    if (take_byte(in, '"')) {
        value->kind = QUARTIC_JSON_TEXT;
        return read_json_text(in, &value->text);
    }
    if (byte == 't' || byte == 'f') {
        value->kind = QUARTIC_JSON_BOOLEAN;
        value->integer = byte == 't';
        return read_json_word(in, byte == 't' ? "true" : "false");
    }
    if (byte == 'n') return read_json_word(in, "null");
    return read_json_number(in, value);
}

static quartic_status read_json_document(reader *in) {
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    if (in->count >= 2 && (in->bytes[0] >= 0xfe || in->bytes[0] == 0 || in->bytes[1] == 0))
        return stop_reading(in, 0, "the text is no UTF-8 but looks like UTF-16 or UTF-32; save it as UTF-8");
    if (in->count >= sizeof mark && memcmp(in->bytes, mark, sizeof mark) == 0) in->at = sizeof mark;
    skip_space(in);
    QUARTIC_TRY(read_json_value(in, NULL, in->at));
    skip_space(in);
    return in->at == in->count ? QUARTIC_OK : fail_expected(in, "the end");
}

quartic_status quartic_json_read(const char *bytes, size_t byte_count, quartic_json_document *out_document,
                                 quartic_json_error *out_error) {
    enum { FIRST_CAPACITY = 64 };
    *out_document = (quartic_json_document){NULL, NULL};
    *out_error = (quartic_json_error){0};
    reader in = {.bytes = (const unsigned char *)bytes, .count = byte_count, .error = out_error};
    if (byte_count > UINT32_MAX / 2) return stop_reading(&in, 0, "more than 2 GiB");
    /* A text and its final zero take fewer bytes than the text with its quotes. */
    char *texts = quartic_alloc(byte_count, 1);
    in.texts_end = texts;
    in.values = quartic_alloc(FIRST_CAPACITY, sizeof in.values[0]);
    in.capacity = FIRST_CAPACITY;
    quartic_status status =
        texts == NULL || in.values == NULL ? QUARTIC_OUT_OF_MEMORY : read_json_document(&in);
    quartic_free(in.sorted);
    *out_document = (quartic_json_document){in.values, texts};
    if (status != QUARTIC_OK) quartic_json_free(out_document);
    return status;
}

void quartic_json_free(quartic_json_document *document) {
    quartic_free(document->values);
    quartic_free(document->texts);
    *document = (quartic_json_document){NULL, NULL};
}

const quartic_json *quartic_json_member(const quartic_json *value, const char *key) {
    if (!quartic_json_is(value, QUARTIC_JSON_OBJECT)) return NULL;
    QUARTIC_JSON_FOREACH(member, value) if (strcmp(member->key, key) == 0) return member;
    return NULL;
}

const char *quartic_json_text(const quartic_json *value) {
    return quartic_json_is(value, QUARTIC_JSON_TEXT) ? value->text : NULL;
}

bool quartic_json_is(const quartic_json *value, quartic_json_kind kind) {
    return value != NULL && value->kind == kind;
}
