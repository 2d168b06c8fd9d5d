/* json_test.c: the JSON reader and writer: what is taken, what is refused at which place, numbers that come
 * back in any locale, and failing allocations. */
#include "expect.h"

#include <locale.h>
#include <math.h>

#include "failing_alloc.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/rng.h"

static quartic_json_document json_read_text(const char *text) {
    quartic_json_document document;
    quartic_json_error error;
    if (quartic_json_read(text, strlen(text), &document, &error) != QUARTIC_OK)
        fail_msg("%s: %s", text, error.text);
    return document;
}

static void values_are_read_as_they_are_written(void **state) {
    (void)state;
    quartic_json_document document = json_read_text(
        " {\"a\" : [1, -2.5e1, true, false, null, \"x\\n\\u00e9\\ud83d\\ude00/\\/\"],\r\n"
        "\"b\":{\"c\":{}, \"d\":[]}, \"\": 9223372036854775807, \"e\":-9223372036854775808}\t");
    const quartic_json *whole = document.values, *a = quartic_json_member(whole, "a");
    assert_int_equal(whole->kind, QUARTIC_JSON_OBJECT);
    assert_int_equal(whole->count, 4);
    assert_int_equal(a->count, 6);
    const quartic_json *members[6];
    size_t count = 0;
    QUARTIC_JSON_FOREACH(member, a) members[count++] = member;
    assert_int_equal(count, 6);
    assert_true(members[0]->kind == QUARTIC_JSON_INTEGER && members[0]->integer == 1 &&
                members[0]->real == 1.0);
    assert_true(members[1]->kind == QUARTIC_JSON_REAL && members[1]->real == -25.0);
    assert_true(members[2]->kind == QUARTIC_JSON_BOOLEAN && members[2]->integer == 1);
    assert_true(members[3]->kind == QUARTIC_JSON_BOOLEAN && members[3]->integer == 0);
    assert_int_equal(members[4]->kind, QUARTIC_JSON_NULL);
    assert_string_equal(quartic_json_text(members[5]), "x\n\xc3\xa9\xf0\x9f\x98\x80//");
    assert_int_equal(quartic_json_member(quartic_json_member(whole, "b"), "c")->count, 0);
    assert_int_equal(quartic_json_member(whole, "")->integer, INT64_MAX);
    assert_true(quartic_json_member(whole, "e")->integer == INT64_MIN);
    assert_null(quartic_json_member(whole, "f"));
    assert_null(quartic_json_member(a, "a"));
    assert_null(quartic_json_member(NULL, "a"));
    assert_null(quartic_json_text(a));
    quartic_json_free(&document);

    document = json_read_text("\xef\xbb\xbf{\"mark\": 1}");
    assert_int_equal(quartic_json_member(document.values, "mark")->integer, 1);
    quartic_json_free(&document);
}

/* Texts with their byte counts, since some hold a zero; where reading stops, and a piece of the reason. */
#define BYTES(text) text, sizeof text - 1
static const struct {
    const char *bytes;
    size_t count;
    uint32_t line, column;
    const char *reason;
} refused[] = {
    {BYTES(""), 1, 1, "a value expected, not the end"},
    {BYTES("{\"a\": 1"), 1, 8, "',' or '}' expected, not the end"},
    {BYTES("{\"a\": 1}\n x"), 2, 2, "the end expected, not 'x'"},
    {BYTES("{\"a\":\r\n 1,\r\n\"b\": ?}"), 3, 6, "a value expected, not '?'"},
    {BYTES("{\"a\": 1, \"b\": 2, \"a\": 3}"), 1, 18, "duplicate key \"a\""},
    {BYTES("{\"a\": 1, \"\\u0061\": 3}"), 1, 10, "duplicate key \"a\""},
    {BYTES("{\"a\\n\\\"\": 1, \"a\\n\\\"\": 3}"), 1, 14, "duplicate key \"a??\""},
    {BYTES("{\"a\": 1}\0"), 1, 9, "the end expected, not byte 0x00"},
    {BYTES("{\"a\": 1}\0{\"b\": 2}"), 1, 9, "byte 0x00"},
    {BYTES("{\"a\": \0 1}"), 1, 7, "a value expected, not byte 0x00"},
    {BYTES("{\"a\": \"x\0y\"}"), 1, 9, "no text may hold a zero"},
    {BYTES("{\"a\": \"x\\u0000y\"}"), 1, 9, "\\u0000 in a text"},
    {BYTES("{\"a\\u0000\": 1}"), 1, 4, "\\u0000 in a text"},
    {BYTES("\"a\nb\""), 1, 3, "control character 0x0a"},
    {BYTES("\"a"), 1, 1, "without an ending quote"},
    {BYTES("\"\\x\""), 1, 3, "after a backslash"},
    {BYTES("\"\\u12g4\""), 1, 6, "four hexadecimal digits"},
    {BYTES("\"\\ud800\""), 1, 2, "half a surrogate"},
    {BYTES("\"\\ud800\\u0041\""), 1, 2, "half a surrogate"},
    {BYTES("\"\\udc00\""), 1, 2, "half a surrogate"},
    {BYTES("\"\xff\""), 1, 2, "no UTF-8"},
    {BYTES("\"\xc0\xaf\""), 1, 2, "no UTF-8"},         /* longer than needed */
    {BYTES("\"\xed\xa0\x80\""), 1, 2, "no UTF-8"},     /* a surrogate */
    {BYTES("\"\xf4\x90\x80\x80\""), 1, 2, "no UTF-8"}, /* beyond U+10FFFF */
    {BYTES("\"\xe2\x82\""), 1, 2, "no UTF-8"},         /* cut off */
    {BYTES("[1,]"), 1, 4, "a value expected, not ']'"},
    {BYTES("{\"a\": 1,}"), 1, 9, "a key expected, not '}'"},
    {BYTES("{a: 1}"), 1, 2, "a key or '}' expected"},
    {BYTES("{\"a\" 1}"), 1, 6, "':' expected"},
    {BYTES("01"), 1, 2, "the end expected"},
    {BYTES("+1"), 1, 1, "a value expected"},
    {BYTES("-"), 1, 2, "a digit expected"},
    {BYTES(".5"), 1, 1, "a value expected"},
    {BYTES("1."), 1, 3, "a digit after the point"},
    {BYTES("1e"), 1, 3, "a digit of the exponent"},
    {BYTES("0x10"), 1, 2, "the end expected"},
    {BYTES("NaN"), 1, 1, "a value expected"},
    {BYTES("Infinity"), 1, 1, "a value expected"},
    {BYTES("tru"), 1, 1, "a value expected"},
    {BYTES("1e400"), 1, 1, "beyond the range of double"},
    {BYTES("9223372036854775808"), 1, 1, "beyond 64 bits"},
    {BYTES("-9223372036854775809"), 1, 1, "beyond 64 bits"},
    {BYTES("\xff\xfe{\0}\0"), 1, 1, "UTF-16"},
    {BYTES("\xfe\xff\0{\0}"), 1, 1, "UTF-16"},
    {BYTES("{\0}\0"), 1, 1, "UTF-16"},
    {BYTES("\xef\xbb\xbf"), 1, 4, "a value expected"},
    {BYTES("{\"a\": 1} // note"), 1, 10, "the end expected"},
};

static void all_else_is_refused_with_its_place(void **state) {
    (void)state;
    int64_t live = quartic_alloc_live();
    for (size_t c = 0; c < sizeof refused / sizeof refused[0]; ++c) {
        /* In a block of exactly its size, so that a sanitizer sees any read beyond. */
        char *exact = malloc(refused[c].count + (refused[c].count == 0));
        memcpy(exact, refused[c].bytes, refused[c].count);
        quartic_json_document document;
        quartic_json_error error;
        assert_int_equal(quartic_json_read(exact, refused[c].count, &document, &error), QUARTIC_FORMAT);
        assert_null(document.values);
        if (strstr(error.text, refused[c].reason) == NULL || error.line != refused[c].line ||
            error.column != refused[c].column)
            fail_msg("case %zu: \"%s\" at line %u, column %u; expected \"%s\" at %u, %u", c, error.text,
                     error.line, error.column, refused[c].reason, refused[c].line, refused[c].column);
        free(exact);
    }
    enum { DEEP = 100000 };
    char *deep = malloc(DEEP);
    memset(deep, '[', DEEP);
    quartic_json_document document;
    quartic_json_error error;
    assert_int_equal(quartic_json_read(deep, DEEP, &document, &error), QUARTIC_FORMAT);
    assert_non_null(strstr(error.text, "depth"));
    free(deep);
    assert_int_equal(quartic_alloc_live(), live);
}

/* Any number of float and double comes back bit by bit, in the locale that is set. */
static void check_numbers(void) {
    for (uint64_t k = 0; k < 3000; ++k) {
        const uint32_t bits = quartic_random_bits(1, 0, k);
        const uint64_t wide_bits = (uint64_t)bits << 32 | quartic_random_bits(1, 1, k);
        float single;
        double wide;
        memcpy(&single, &bits, sizeof single);
        memcpy(&wide, &wide_bits, sizeof wide);
        if (!isfinite(single) || !isfinite(wide)) continue;
        quartic_json_writer writer = {.bytes = NULL};
        quartic_json_put(&writer, "[");
        quartic_json_put_float(&writer, single);
        quartic_json_put(&writer, ",");
        quartic_json_put_double(&writer, wide);
        quartic_json_put(&writer, "]");
        assert_int_equal(writer.status, QUARTIC_OK);
        quartic_json_document document = json_read_text(writer.bytes);
        assert_int_equal(document.values[1].kind, QUARTIC_JSON_REAL);
        assert_true((float)document.values[1].real == single);
        assert_true(document.values[2].real == wide);
        quartic_json_free(&document);
        quartic_free(writer.bytes);
    }
    static const char exact[] = "[0.1,1e-05,3.0,1e+30,2.5,-0.0,0.003,123456.0]";
    static const float numbers[] = {0.1f, 1e-5f, 3.0f, 1e30f, 2.5f, -0.0f, 0.003f, 123456.0f};
    quartic_json_writer writer = {.bytes = NULL};
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; ++k) {
        quartic_json_put(&writer, k == 0 ? "[" : ",");
        quartic_json_put_float(&writer, numbers[k]);
    }
    quartic_json_put(&writer, "]");
    assert_string_equal(writer.bytes, exact);
    quartic_free(writer.bytes);
    quartic_json_document document =
        json_read_text("[0.1, 12.375e-2, 0.1e1, 1E+2, 5e-324, 123456789012345678.5]");
    static const double want[] = {0.1, 0.12375, 1.0, 100.0, 5e-324, 123456789012345678.5};
    for (size_t k = 0; k < sizeof want / sizeof want[0]; ++k)
        assert_true(document.values[1 + k].real == want[k]);
    quartic_json_free(&document);
}

static void numbers_come_back_in_any_locale(void **state) {
    (void)state;
    check_numbers();
    /* Where one of these is installed, its point is a comma. */
    static const char *const commas[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    for (size_t k = 0; k < sizeof commas / sizeof commas[0]; ++k)
        if (setlocale(LC_NUMERIC, commas[k]) != NULL) check_numbers();
    setlocale(LC_NUMERIC, "C");
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    static const char text[] =
        "{\"a\":[1,-2.5,true,false,null,\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f\xc3\xa9\"],\"b\":{}}";
    quartic_json_document document = json_read_text(text);
    quartic_json_writer writer = {.bytes = NULL};
    quartic_json_put_value(&writer, document.values);
    assert_int_equal(writer.status, QUARTIC_OK);
    assert_string_equal(writer.bytes, text);
    quartic_free(writer.bytes);

    writer = (quartic_json_writer){.bytes = NULL};
    quartic_json_put_text(&writer, "a\xff");
    assert_int_equal(writer.status, QUARTIC_INVALID_ARGUMENT);
    quartic_json_put_value(&writer, document.values); /* does nothing more */
    assert_int_equal(writer.status, QUARTIC_INVALID_ARGUMENT);
    quartic_free(writer.bytes);
    writer = (quartic_json_writer){.bytes = NULL};
    quartic_json_put_float(&writer, INFINITY);
    assert_int_equal(writer.status, QUARTIC_INVALID_ARGUMENT);
    quartic_free(writer.bytes);
    quartic_json_free(&document);
}

static void every_failing_allocation_is_reported(void **state) {
    (void)state;
    int64_t live = quartic_alloc_live();
    char text[2000] = "{\"list\":[0";
    for (int k = 0; k < 200; ++k) strcat(text, ",\"a\"");
    strcat(text, "],\"b\":1}");
    uint64_t nth = 0;
    quartic_status status;
    do {
        quartic_json_document document;
        quartic_json_error error;
        quartic_json_writer writer = {.bytes = NULL};
        quartic_alloc_fail_at(++nth);
        status = quartic_json_read(text, strlen(text), &document, &error);
        if (status == QUARTIC_OK) {
            quartic_json_put_value(&writer, document.values);
            status = writer.status;
        }
        quartic_alloc_fail_at(0);
        assert_true(status == QUARTIC_OK || status == QUARTIC_OUT_OF_MEMORY);
        quartic_free(writer.bytes);
        quartic_json_free(&document);
        assert_int_equal(quartic_alloc_live(), live);
    } while (status != QUARTIC_OK);
    assert_true(nth > 6);
}

/* However many objects a document has: tests that fail every allocation in turn depend on it. */
static void many_objects_take_few_allocations(void **state) {
    (void)state;
    enum { OBJECTS = 1000, MOST_ALLOCATIONS = 16 };
    static char text[OBJECTS * 20 + 16];
    size_t used = (size_t)sprintf(text, "[{}");
    for (int k = 0; k < OBJECTS; ++k) used += (size_t)sprintf(text + used, ",{\"b\":1,\"a\":2}");
    sprintf(text + used, "]");
    quartic_json_document document;
    quartic_json_error error;
    quartic_alloc_fail_at(MOST_ALLOCATIONS + 1);
    assert_int_equal(quartic_json_read(text, strlen(text), &document, &error), QUARTIC_OK);
    quartic_alloc_fail_at(0);
    assert_int_equal(document.values[0].count, OBJECTS + 1);
    quartic_json_free(&document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_as_they_are_written),
        cmocka_unit_test(all_else_is_refused_with_its_place),
        cmocka_unit_test(numbers_come_back_in_any_locale),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(many_objects_take_few_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
