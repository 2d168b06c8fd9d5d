/* tool_text_test.c: the text that ships is what its README says: long enough, plain, with its entropy; and,
 * where Python is there, exactly what its script makes. */
#include "expect.h"

#include "tool/files.h"

static const command test_command = {.name = "test"};

static void the_text_is_long_plain_and_of_known_entropy(void **state) {
    (void)state;
    tool_text text;
    assert_true(tool_read_text(&test_command, QUARTIC_TEST_SOURCE "/data/tales.txt", 128, 100000, &text));
    for (uint64_t i = 0; i < text.count; ++i) assert_true(text.tokens[i] >= ' ' || text.tokens[i] == '\n');
    double entropy = tool_unigram_entropy(&text);
    assert_true(entropy > 2.995 && entropy < 3.005);
    tool_free_text(&text);
}

static void the_script_makes_the_same_bytes(void **state) {
    (void)state;
    assert_int_equal(
        system("cd '" QUARTIC_TEST_SOURCE "' && python3 scripts/make_text.py | cmp - data/tales.txt"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_long_plain_and_of_known_entropy),
        cmocka_unit_test(the_script_makes_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
