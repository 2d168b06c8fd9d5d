/* golden_device.h: replays every recording of tests/golden on a device.
 *
 * Recordings of what the library does not have yet are known by their names; all others must pass, and their
 * number is checked, so that none drops out silently.
 */
#ifndef QUARTIC_TESTS_GOLDEN_DEVICE_H
#define QUARTIC_TESTS_GOLDEN_DEVICE_H

#include <dirent.h>

#include "validate_device.h"

enum { MOST_FILES = 512 };

/* Models and modules without code so far. */
static inline bool is_expected_to_lack(const char *name) {
    static const char *const prefixes[] = {"multi-stream", "reference-multi-stream", "train-multi-stream"};
    for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; ++k)
        if (strncmp(name, prefixes[k], strlen(prefixes[k])) == 0) return true;
    return false;
}

typedef struct golden_tally {
    uint32_t surprises; /* unsupported, but expected to be there, or the other way round */
    int verbose;
} golden_tally;

static inline void print_case(void *context, const quartic_check *check) {
    golden_tally *tally = context;
    const char *slash = strrchr(check->subject, '/'), *name = slash == NULL ? check->subject : slash + 1;
    bool lacking = check->verdict == QUARTIC_NOT_SUPPORTED;
    if (lacking != is_expected_to_lack(name)) {
        fprintf(stderr, "%s: %s\n", name,
                lacking ? "not supported" : "is supported now: take it off the list");
        ++tally->surprises;
    }
    if (check->verdict == QUARTIC_FAILED || tally->verbose)
        fprintf(stderr, "%s %s: %s\n", check->verdict == QUARTIC_FAILED ? "FAILED" : "ok", name, check->text);
}

/* Adds the recordings of a folder to paths. */
static inline uint32_t list_recordings(const char *folder, char **paths, uint32_t count) {
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

/* Replays all recordings; 70 of them must be of models and modules that the library has. */
static inline void replay_recordings(const char *device_name) {
    char *paths[MOST_FILES];
    uint32_t count = list_recordings(QUARTIC_TEST_GOLDEN, paths, 0);
    assert_int_equal(count, 42);
    count = list_recordings(QUARTIC_TEST_GOLDEN "/extra", paths, count);
    int64_t live = quartic_alloc_live();
    quartic_device *device;
    if (quartic_device_create(device_name, &device) != QUARTIC_OK) fail_msg("%s", quartic_error_message());
    golden_tally tally = {.verbose = getenv("QUARTIC_TEST_VERBOSE") != NULL};
    quartic_check_totals totals;
    if (quartic_verify(device, (const char *const *)paths, count, print_case, &tally, &totals) != QUARTIC_OK)
        fail_msg("%s", quartic_error_message());
    printf("%s: %u recordings passed, the worst at %.2g of its bound\n", device_name, totals.passed,
           totals.worst);
    quartic_device_destroy(device);
    for (uint32_t p = 0; p < count; ++p) free(paths[p]);
    assert_int_equal(totals.failed, 0);
    assert_int_equal(tally.surprises, 0);
    assert_int_equal(totals.passed + totals.unsupported, count);
    assert_int_equal(totals.passed, 70);
    assert_int_equal(quartic_alloc_live(), live);
}

#endif
