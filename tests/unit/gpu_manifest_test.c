/* gpu_manifest_test.c: driver manifests that would end the process inside the Vulkan loader are known, all
 * others, broken or not, are left to it. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "gpu/internal.h"

static const char *fault_of(const char *text) {
    const char *fault = NULL;
    assert_int_equal(quartic_gpu_manifest_fault(text, &fault), QUARTIC_OK);
    return fault;
}

static void fatal_ones_are_known(void **state) {
    (void)state;
    static const char *const fatal[] = {
        "[1]",
        " \n[{}]",
        "{\"file_format_version\": \"1.0.0\", \"ICD\": [5]}",
        "{\"ICD\" : 5}",
        "{\"ICD\": {\"library_path\": 5}}",
        "{\"ICD\": {\"library_path\"\n:\n-1e9, \"api_version\": \"1.3.0\"}}",
        "{\"ICD\": {\"library_path\": \"a.so\", \"library_path\": 5}}",
        "{\"\\u0049CD\": 7}",
        "{\"ICD\": {\"library_\\u0070ath\": 5, \"api_version\": \"1.3.0\"}}",
        "{\"ICD\": {\"library_\\u0070ath\": 5, \"api_version\": \"1.3.0\"}} and more",
    };
    for (size_t k = 0; k < sizeof fatal / sizeof fatal[0]; ++k) assert_non_null(fault_of(fatal[k]));
}

/* The loader calls itself for each bracket, closed or not. */
static void many_brackets_are_known(void **state) {
    (void)state;
    enum { BRACKETS = 100000, ROOM = 6 * BRACKETS + 64 };
    char *text = malloc(ROOM);
    size_t used = 0;
    for (int k = 0; k < BRACKETS; ++k) used += (size_t)sprintf(text + used, "{\"a\":");
    assert_string_equal(fault_of(text), "its brackets nest too deep");
    used = (size_t)sprintf(text, "{\"note\": \"\\\\\", \"ICD\": ");
    memset(text + used, '[', BRACKETS);
    text[used + BRACKETS] = 0;
    assert_non_null(fault_of(text));
    /* In a text they are none. */
    used = (size_t)sprintf(text, "{\"note\": \"\\\"");
    memset(text + used, '[', BRACKETS);
    strcpy(text + used + BRACKETS, "\"} and more");
    assert_null(fault_of(text));
    free(text);
}

static void a_pipe_is_not_waited_for(void **state) {
    (void)state;
    char folder[TEST_FOLDER_BYTES], path[TEST_PATH_BYTES];
    assert_true(test_folder_make("manifest", folder));
    snprintf(path, sizeof path, "%s/driver.json", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(setenv("VK_DRIVER_FILES", path, 1), 0);
    assert_int_equal(quartic_gpu_check_manifests(), QUARTIC_UNAVAILABLE);
    assert_message("driver.json is broken, and the loader would not survive it: it is a pipe");
    remove(path);
    rmdir(folder);
}

static void others_are_left_to_the_loader(void **state) {
    (void)state;
    static const char *const others[] = {
        "",
        "  ",
        "{ broken",
        "{}",
        "null",
        "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"libvulkan_lvp.so\"}}",
        "{\"ICD\"\t:\r\n{ \"library_path\" :\"/a \\\"b\\\".so\", \"api_version\": \"1.3.0\"}}",
        "{\"note\": \"ICD\", \"other\": \"library_path\"}",
        "{\"note\": {\"ICD\": 5, \"library_path\": 5}}",
        "{\"ICD\": {\"library_path\": \"a\\u0062.so\"}}",
        "{\"ICD",
        "{\"ICD\"",
    };
    for (size_t k = 0; k < sizeof others / sizeof others[0]; ++k) assert_null(fault_of(others[k]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fatal_ones_are_known),
        cmocka_unit_test(many_brackets_are_known),
        cmocka_unit_test(a_pipe_is_not_waited_for),
        cmocka_unit_test(others_are_left_to_the_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
