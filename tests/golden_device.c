/* golden_device.c: see golden_device.h. */
#include "golden_device.h"

#include <dirent.h>

static void print_case(void *context, const quartic_check *check) {
    const bool verbose = *(const bool *)context, passed = check->verdict == QUARTIC_PASSED;
    if (!passed || verbose)
        fprintf(stderr, "%s %s: %s\n", passed ? "ok" : "FAILED", check->subject, check->text);
}

uint32_t list_recordings(const char *folder, char **paths, uint32_t count) {
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        size_t length = strlen(entry->d_name), bytes = strlen(folder) + length + 2;
        if (length < 12 || strcmp(entry->d_name + length - 12, ".safetensors") != 0) continue;
        assert_true(count < MOST_FILES);
        paths[count] = malloc(bytes);
        snprintf(paths[count++], bytes, "%s/%s", folder, entry->d_name);
    }
    closedir(entries);
    return count;
}

void replay_recordings(const char *device_name) {
    char *paths[MOST_FILES];
    uint32_t count = list_recordings(QUARTIC_TEST_GOLDEN, paths, 0);
    assert_int_equal(count, 42);
    count = list_recordings(QUARTIC_TEST_GOLDEN "/extra", paths, count);
    assert_true(count > 42);
    int64_t live = quartic_alloc_live();
    quartic_device *device;
    if (quartic_device_create(device_name, &device) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    bool verbose = getenv("QUARTIC_TEST_VERBOSE") != NULL;
    quartic_check_totals totals;
    if (quartic_verify(device, (const char *const *)paths, count, print_case, &verbose, &totals) !=
        QUARTIC_OK)
        fail_msg("%s", quartic_error_message());
    printf("%s: %u recordings passed, the worst at %.2g of its bound\n", device_name, totals.passed,
           totals.worst);
    quartic_device_destroy(device);
    for (uint32_t p = 0; p < count; ++p) free(paths[p]);
    assert_int_equal(totals.failed, 0);
    assert_int_equal(totals.passed, count);
    assert_int_equal(quartic_alloc_live(), live);
}
