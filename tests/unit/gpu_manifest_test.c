/* gpu_manifest_test.c: driver manifests that would end the process inside the Vulkan loader are known, all
 * others, broken or not, are left to it. */
#include "expect.h"

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
        cmocka_unit_test(others_are_left_to_the_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
