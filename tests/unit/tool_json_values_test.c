/* tool_json_values_test.c: the makers of JSON: texts that are UTF-8 stay, all other bytes are escaped,
 * numbers are numbers or null; what is made parses again. */
#include "expect.h"

#include <math.h>

#include "tool/json.h"

static void texts_are_utf8_or_escaped(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *text; /* NULL: the same */
    } cases[] = {
        {"plain", 5, NULL},
        {"", 0, NULL},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8d", 9, NULL},
        {"\xef\xbf\xbf\xf4\x8f\xbf\xbf", 7, NULL}, /* U+FFFF, U+10FFFF */
        {"\x1b\t\n\x7f", 4, NULL},
        {"a\xff", 2, "a\\xff"},
        {"\xc3", 1, "\\xc3"},
        {"\xe2\x82", 2, "\\xe2\\x82"},
        {"\xe2\x82x", 3, "\\xe2\\x82x"},
        {"\xc0\x80", 2, "\\xc0\\x80"},                            /* overlong 0 */
        {"\xe0\x80\xaf", 3, "\\xe0\\x80\\xaf"},                   /* overlong / */
        {"\xf0\x80\x80\x80", 4, "\\xf0\\x80\\x80\\x80"},          /* overlong 0 */
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"},                   /* a surrogate */
        {"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"},          /* U+110000 */
        {"\xf8\x88\x80\x80\x80", 5, "\\xf8\\x88\\x80\\x80\\x80"}, /* five bytes */
        {"\x80\xc3\xa4", 3, "\\x80\xc3\xa4"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        json_t *made = tool_json_bytes(cases[k].bytes, cases[k].count);
        assert_string_equal(json_string_value(made), cases[k].text == NULL ? cases[k].bytes : cases[k].text);
        char *text = json_dumps(made, JSON_ENCODE_ANY);
        json_t *again = json_loads(text, JSON_DECODE_ANY, NULL);
        assert_true(json_equal(made, again));
        json_decref(again);
        free(text);
        json_decref(made);
    }
    json_t *zero = tool_json_bytes("a\0b", 3);
    assert_int_equal(json_string_length(zero), 3);
    json_decref(zero);
    assert_true(json_is_null(tool_json_text(NULL)));
    /* Every pair of bytes makes a text. */
    for (unsigned pair = 0; pair < 0x10000; ++pair) {
        const unsigned char bytes[2] = {(unsigned char)(pair >> 8), (unsigned char)pair};
        json_decref(tool_json_bytes(bytes, 2));
    }
}

static void numbers_are_finite_or_null(void **state) {
    (void)state;
    const double none[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (size_t k = 0; k < sizeof none / sizeof none[0]; ++k)
        assert_true(json_is_null(tool_json_real(none[k])));
    const double some[] = {0.0, -0.0, 1e308, 5e-324, -1.5};
    for (size_t k = 0; k < sizeof some / sizeof some[0]; ++k) {
        json_t *made = tool_json_real(some[k]);
        assert_true(json_real_value(made) == some[k]);
        json_decref(made);
    }
    json_t *most = tool_json_count(INT64_MAX), *more = tool_json_count(UINT64_MAX);
    assert_true(json_integer_value(most) == INT64_MAX);
    assert_true(json_is_real(more) && json_real_value(more) > 1.8e19);
    json_decref(most);
    json_decref(more);
}

static void objects_hold_every_pair(void **state) {
    (void)state;
    json_t *list = tool_json_list();
    tool_json_add(list, tool_json_flag(true));
    json_t *object = tool_json_object("a", tool_json_real((double)NAN), "b\xff", list, NULL);
    tool_json_set(object, "c", tool_json_text("x"));
    assert_int_equal(json_object_size(object), 3);
    assert_true(json_is_null(json_object_get(object, "a")));
    assert_int_equal(json_array_size(json_object_get(object, "b\\xff")), 1);
    json_decref(object);
}

static void people_get_no_control_characters(void **state) {
    (void)state;
    static const char from[] = "a\x1b[31m\n\xff\xc2\x9b\x7f\xc3\xa4";
    static const char to[] = "a\\x1b[31m\\x0a\\xff\\xc2\\x9b\\x7f\xc3\xa4";
    char text[128] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    tool_put_text(stream, from);
    fclose(stream);
    assert_string_equal(text, to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_utf8_or_escaped),
        cmocka_unit_test(numbers_are_finite_or_null),
        cmocka_unit_test(objects_hold_every_pair),
        cmocka_unit_test(people_get_no_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
