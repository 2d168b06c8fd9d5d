/* device_name_test.c: which device a name means, on made-up lists; what QUARTIC_DEVICE asks for. */
#include "expect.h"

#include "run/device_name.h"

#define GPU(at, text, can)                                                                                   \
    { .name = text, .kind = QUARTIC_DEVICE_VULKAN, .index = at, .usable = can }
#define HOST(text, which)                                                                                    \
    { .name = text, .kind = which, .usable = 1 }
#define HOSTS HOST("reference", QUARTIC_DEVICE_REFERENCE), HOST("reference64", QUARTIC_DEVICE_REFERENCE64)

/* Two cards of one name, one whose name holds digits, a software device, an old one that cannot be used. */
static const quartic_device_info many[] = {
    GPU(0, "NVIDIA GeForce GTX 1080", 1),
    GPU(1, "AMD Radeon RX 6800 (RADV NAVI21)", 1),
    GPU(2, "AMD Radeon RX 6800 (RADV NAVI21)", 1),
    GPU(3, "NVIDIA GeForce GTX 1080 Ti", 1),
    HOST("cpu", QUARTIC_DEVICE_CPU),
    GPU(4, "llvmpipe (LLVM 15.0.6, 256 bits)", 1),
    GPU(5, "Old Chip", 0),
    HOSTS,
};
enum { MANY = sizeof many / sizeof many[0] };
static const quartic_device_info none[] = {HOST("cpu", QUARTIC_DEVICE_CPU), HOSTS};

static void device_name_expect(const char *name, const char *device, uint32_t index) {
    uint32_t at = 99;
    if (quartic_device_match(name, many, MANY, NULL, &at) != QUARTIC_OK)
        fail_msg("\"%s\": %s", name, quartic_error_message());
    assert_true(at < MANY);
    assert_string_equal(many[at].name, device);
    assert_int_equal(many[at].index, index);
}

static void device_name_expect_refused(const char *name, quartic_status status, const char *message) {
    uint32_t at = 0;
    const quartic_status got = quartic_device_match(name, many, MANY, NULL, &at);
    if (got != status || strstr(quartic_error_message(), message) == NULL)
        fail_msg("\"%s\": status %d, %s", name, (int)got, quartic_error_message());
}

static void digits_are_an_index_and_nothing_else(void **state) {
    (void)state;
    device_name_expect("0", many[0].name, 0);
    device_name_expect("1", many[1].name, 1); /* not the GTX 1080 */
    device_name_expect("2", many[2].name, 2);
    device_name_expect("4", "llvmpipe (LLVM 15.0.6, 256 bits)", 4);
    device_name_expect("5", "Old Chip", 5); /* why it cannot be used is told when it is opened */
    device_name_expect("003", many[3].name, 3);
    device_name_expect(" 1 ", many[1].name, 1);
}

static void numbers_beyond_the_list_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"6",
                                        "8",
                                        "15",
                                        "80",
                                        "256",
                                        "1080",
                                        "6800",
                                        "64",
                                        "4294967296",
                                        "4294967297",
                                        "18446744073709551616",
                                        "99999999999999999999999999999999999999999999"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; ++k)
        device_name_expect_refused(names[k], QUARTIC_UNAVAILABLE,
                                   "there are cpu, reference, reference64, 0 (NVIDIA GeForce GTX 1080), 1 (");
}

static void a_full_name_goes_before_a_part(void **state) {
    (void)state;
    device_name_expect("NVIDIA GeForce GTX 1080", many[0].name, 0);
    device_name_expect("reference", "reference", 0);
    device_name_expect("cpu", "cpu", 0);
    device_name_expect_refused("nvidia geforce gtx 1080", QUARTIC_INVALID_ARGUMENT,
                               "3 (NVIDIA GeForce GTX 1080 Ti)");
    device_name_expect_refused(
        many[1].name, QUARTIC_INVALID_ARGUMENT,
        "any of 2 devices: 1 (AMD Radeon RX 6800 (RADV NAVI21)), 2 (AMD Radeon RX 6800");
}

static void a_part_is_taken_where_it_is_clear(void **state) {
    (void)state;
    device_name_expect("LLVM", "llvmpipe (LLVM 15.0.6, 256 bits)", 4);
    device_name_expect("llvmpipe", "llvmpipe (LLVM 15.0.6, 256 bits)", 4);
    device_name_expect("1080 ti", many[3].name, 3);
    device_name_expect("CPU", "cpu", 0);
    device_name_expect_refused(
        "geforce", QUARTIC_INVALID_ARGUMENT,
        "any of 2 devices: 0 (NVIDIA GeForce GTX 1080), 3 (NVIDIA GeForce GTX 1080 Ti); give");
    device_name_expect_refused("REF", QUARTIC_INVALID_ARGUMENT, "any of 2 devices: reference, reference64;");
    device_name_expect_refused("intel", QUARTIC_UNAVAILABLE,
                               "there is no device \"intel\"; there are cpu, reference, reference64, 0 (");
    device_name_expect_refused("intel", QUARTIC_UNAVAILABLE, "5 (Old Chip, not usable: ");
    device_name_expect_refused("", QUARTIC_INVALID_ARGUMENT, "empty");
    device_name_expect_refused("  ", QUARTIC_INVALID_ARGUMENT, "empty");
}

static void the_words_take_the_first_usable_one(void **state) {
    (void)state;
    uint32_t at;
    device_name_expect("auto", many[0].name, 0);
    device_name_expect("vulkan", many[0].name, 0);
    device_name_expect("Vulkan", many[0].name, 0);
    /* Only the last five: a software device, one that cannot be used and the processor. */
    assert_int_equal(quartic_device_match("auto", many + 4, MANY - 4, NULL, &at), QUARTIC_OK);
    assert_string_equal(many[4 + at].name, "cpu");
    assert_int_equal(quartic_device_match("vulkan", many + 4, MANY - 4, NULL, &at), QUARTIC_OK);
    assert_int_equal(many[4 + at].index, 4);
    assert_int_equal(quartic_device_match("vulkan", many + 6, MANY - 6, NULL, &at), QUARTIC_UNAVAILABLE);
    assert_non_null(strstr(quartic_error_message(), "5 (Old Chip, not usable: "));
}

static void without_vulkan_the_reason_is_told(void **state) {
    (void)state;
    uint32_t at;
    assert_int_equal(quartic_device_match("auto", none, 3, "no driver", &at), QUARTIC_OK);
    assert_string_equal(none[at].name, "cpu");
    static const char *const names[] = {"vulkan", "0", "radeon"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; ++k) {
        assert_int_equal(quartic_device_match(names[k], none, 3, "no driver", &at), QUARTIC_UNAVAILABLE);
        assert_non_null(strstr(quartic_error_message(),
                               "there are cpu, reference, reference64, and no Vulkan device: no driver"));
    }
}

static void long_lists_and_names_are_cut_and_counted(void **state) {
    (void)state;
    enum { LOTS = 300 };
    static quartic_device_info lots[LOTS];
    char name[256];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    for (uint32_t k = 0; k < LOTS; ++k) {
        lots[k] = (quartic_device_info)GPU(k, "", 1);
        snprintf(lots[k].name, sizeof lots[k].name, "%s", name);
    }
    uint32_t at;
    assert_int_equal(quartic_device_match("299", lots, LOTS, NULL, &at), QUARTIC_OK);
    assert_int_equal(at, 299);
    assert_int_equal(quartic_device_match("300", lots, LOTS, NULL, &at), QUARTIC_UNAVAILABLE);
    assert_non_null(strstr(quartic_error_message(), " more"));
    assert_int_equal(quartic_device_match(name, lots, LOTS, NULL, &at), QUARTIC_INVALID_ARGUMENT);
    assert_non_null(strstr(quartic_error_message(), "; give the index"));
}

static void a_message_about_the_variable_names_it(void **state) {
    (void)state;
    quartic_device *device = NULL;
    setenv("QUARTIC_DEVICE", "no such thing", 1);
    assert_int_equal(quartic_device_create(NULL, &device), QUARTIC_UNAVAILABLE);
    assert_non_null(
        strstr(quartic_error_message(), "QUARTIC_DEVICE in the environment asks for \"no such thing\": "));
    assert_int_equal(quartic_device_create("auto", &device), QUARTIC_UNAVAILABLE);
    assert_non_null(strstr(quartic_error_message(), "QUARTIC_DEVICE"));
    assert_int_equal(quartic_device_create("cpu", &device), QUARTIC_OK); /* the variable is not asked */
    quartic_device_destroy(device);
    assert_int_equal(quartic_device_create("no such thing", &device), QUARTIC_UNAVAILABLE);
    assert_null(strstr(quartic_error_message(), "QUARTIC_DEVICE"));
    setenv("QUARTIC_DEVICE", "reference", 1);
    assert_int_equal(quartic_device_create("auto", &device), QUARTIC_OK);
    quartic_device_info info;
    assert_int_equal(quartic_device_get_info(device, &info), QUARTIC_OK);
    assert_string_equal(info.name, "reference");
    quartic_device_destroy(device);
    unsetenv("QUARTIC_DEVICE");
}

static void without_a_driver_the_processor_is_listed(void **state) {
    (void)state;
    quartic_device_info infos[8];
    uint32_t count = 0;
    setenv("VK_DRIVER_FILES", "/nonexistent.json", 1);
    setenv("VK_ICD_FILENAMES", "/nonexistent.json", 1);
    assert_int_equal(quartic_device_list(infos, 8, &count), QUARTIC_OK);
    assert_int_equal(count, 3);
    for (uint32_t d = 0; d < count; ++d) assert_true(infos[d].usable);
    assert_int_equal(quartic_device_list(NULL, 0, &count), QUARTIC_OK);
    assert_int_equal(count, 3);
    assert_int_equal(quartic_device_check_vulkan(), QUARTIC_UNAVAILABLE);
    assert_true(strlen(quartic_error_message()) > 20);
    quartic_device *device = NULL;
    assert_int_equal(quartic_device_create("0", &device), QUARTIC_UNAVAILABLE);
    assert_non_null(strstr(quartic_error_message(), "and no Vulkan device: "));
    assert_null(device);
    unsetenv("VK_DRIVER_FILES");
    unsetenv("VK_ICD_FILENAMES");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_an_index_and_nothing_else),
        cmocka_unit_test(numbers_beyond_the_list_are_refused),
        cmocka_unit_test(a_full_name_goes_before_a_part),
        cmocka_unit_test(a_part_is_taken_where_it_is_clear),
        cmocka_unit_test(the_words_take_the_first_usable_one),
        cmocka_unit_test(without_vulkan_the_reason_is_told),
        cmocka_unit_test(long_lists_and_names_are_cut_and_counted),
        cmocka_unit_test(a_message_about_the_variable_names_it),
        cmocka_unit_test(without_a_driver_the_processor_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
