/* gpu_cache_test.c: the pipeline cache file gives back what was written, or nothing. */
#include "expect.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "folder.h"
#include "gpu/internal.h"

static char folder[TEST_FOLDER_BYTES];
static const quartic_gpu_caps caps = {.cache_uuid = {0xab, 0xcd}};

static int gpu_cache_begin(void **state) {
    (void)state;
    if (!test_folder_make("cache", folder)) return 1;
    setenv("XDG_CACHE_HOME", folder, 1);
    unsetenv("QUARTIC_DISABLE");
    return 0;
}

static int gpu_cache_end(void **state) {
    (void)state;
    char path[QUARTIC_GPU_PATH];
    quartic_gpu_cache_path(&caps, path);
    remove(path);
    snprintf(path, sizeof path, "%s/quartic", folder);
    rmdir(path);
    return rmdir(folder); /* fails if a temporary file was left */
}

static void expect_miss(const quartic_gpu_caps *of) {
    size_t bytes = 1;
    assert_null(quartic_gpu_cache_load(of, &bytes));
    assert_int_equal(bytes, 0);
}

static void what_was_saved_is_loaded(void **state) {
    (void)state;
    expect_miss(&caps);
    quartic_gpu_cache_save(&caps, "older and longer", 16);
    quartic_gpu_cache_save(&caps, "pipelines", 9);
    size_t bytes;
    char *data = quartic_gpu_cache_load(&caps, &bytes);
    assert_non_null(data);
    assert_int_equal(bytes, 9);
    assert_memory_equal(data, "pipelines", 9);
    quartic_free(data);
    const quartic_gpu_caps other = {.cache_uuid = {0xab, 0xce}};
    expect_miss(&other);
}

static void rewrite(const char *path, const char *data, size_t bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void any_damage_is_a_miss(void **state) {
    (void)state;
    char path[QUARTIC_GPU_PATH], whole[512];
    quartic_gpu_cache_save(&caps, "pipelines", 9);
    quartic_gpu_cache_path(&caps, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t bytes = fread(whole, 1, sizeof whole - 1, file);
    fclose(file);
    for (size_t k = 0; k < bytes; ++k) { /* every byte flipped, every length too short */
        whole[k] = (char)(whole[k] ^ 0x40);
        rewrite(path, whole, bytes);
        expect_miss(&caps);
        whole[k] = (char)(whole[k] ^ 0x40);
        rewrite(path, whole, k);
        expect_miss(&caps);
    }
    rewrite(path, whole, bytes + 1);
    expect_miss(&caps);
    rewrite(path, whole, bytes);
    size_t loaded;
    void *data = quartic_gpu_cache_load(&caps, &loaded);
    assert_non_null(data);
    quartic_free(data);
}

/* A file that cannot be written costs nothing but the cache: no error, no other message, nothing left. */
static void what_cannot_be_written_is_no_error(void **state) {
    (void)state;
    char path[QUARTIC_GPU_PATH];
    quartic_gpu_cache_path(&caps, path);
    remove(path);
    assert_int_equal(symlink("/dev/full", path), 0);
    quartic_fail(QUARTIC_IO, "what was wrong before");
    quartic_gpu_cache_save(&caps, "pipelines", 9);
    assert_string_equal(quartic_error_message(), "what was wrong before");
    struct stat facts;
    assert_int_equal(lstat(path, &facts), 0);
    assert_true(S_ISLNK(facts.st_mode));
    remove(path);
    quartic_gpu_cache_save(&caps, "pipelines", 9);
    assert_int_equal(chmod(path, 0600), 0);
    quartic_gpu_cache_save(&caps, "pipelines!", 10);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
}

static void the_path_follows_the_environment(void **state) {
    (void)state;
    char path[QUARTIC_GPU_PATH], home[QUARTIC_GPU_PATH];
    setenv("QUARTIC_DISABLE", "f16,cache", 1);
    quartic_gpu_cache_path(&caps, path);
    assert_string_equal(path, "");
    expect_miss(&caps);
    quartic_gpu_cache_save(&caps, "x", 1); /* nothing to see, nothing to crash */
    unsetenv("QUARTIC_DISABLE");
    snprintf(home, sizeof home, "%s", getenv("HOME") != NULL ? getenv("HOME") : "");
    setenv("HOME", "/home/ada", 1);
    setenv("XDG_CACHE_HOME", "relative", 1);
    quartic_gpu_cache_path(&caps, path);
    const char start[] = "/home/ada/.cache/quartic/abcd000000";
    assert_memory_equal(path, start, sizeof start - 1);
    unsetenv("HOME");
    quartic_gpu_cache_path(&caps, path);
    assert_string_equal(path, "");
    setenv("HOME", home, 1);
    setenv("XDG_CACHE_HOME", folder, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_loaded),
        cmocka_unit_test(any_damage_is_a_miss),
        cmocka_unit_test(what_cannot_be_written_is_no_error),
        cmocka_unit_test(the_path_follows_the_environment),
    };
    return cmocka_run_group_tests(tests, gpu_cache_begin, gpu_cache_end);
}
