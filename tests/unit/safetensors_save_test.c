/* safetensors_save_test.c: files written are read back, equal contents give equal bytes, and a failure at any
 * point leaves the old file whole and nothing beside it. */
#include "expect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_alloc.h"
#include "base/alloc.h"
#include "base/atomic_file.h"
#include "folder.h"
#include "quartic/io.h"

static char folder[TEST_FOLDER_BYTES], path[TEST_PATH_BYTES];

static int safetensors_save_make_folder(void **state) {
    (void)state;
    if (!test_folder_make("save", folder)) return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return 0;
}

static int safetensors_save_remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails if anything else was left behind */
}

/* Files in the folder. */
static int safetensors_save_count_files(void) {
    DIR *listing = opendir(folder);
    int count = 0;
    for (struct dirent *one; (one = readdir(listing)) != NULL;)
        count += one->d_name[0] != '.' || one->d_name[1] > '.';
    closedir(listing);
    return count;
}

static const float weight[] = {1.0f, -2.0f, 0.5f, 3e38f, 1e-45f, 7.0f};
static const int32_t step[] = {41};
static const uint8_t mask[] = {1, 0, 1};
static const double wide[] = {1e300};

static const quartic_safetensors_tensor tensors[] = {
    {"mask", QUARTIC_SAFETENSORS_BOOL, {1, {3}}, mask, 0},
    {"w\"eight\n\xc3\xbc", QUARTIC_SAFETENSORS_F32, {2, {2, 3}}, weight, 0},
    {"step", QUARTIC_SAFETENSORS_I32, {0, {0}}, step, 0},
    {"empty", QUARTIC_SAFETENSORS_F32, {2, {4, 0}}, NULL, 0},
    {"wide", QUARTIC_SAFETENSORS_F64, {1, {1}}, wide, 0},
};
enum { TENSORS = sizeof tensors / sizeof tensors[0] };
static const quartic_safetensors_text metadata[] = {{"model", "quartic"}, {"config", "{\"dim\": 8}"}};

static quartic_status safetensors_save_save(void) {
    return quartic_safetensors_save(path, tensors, TENSORS, metadata, 2);
}

static unsigned char *slurp(size_t *out_count) {
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    unsigned char *bytes = malloc(1 << 16);
    *out_count = fread(bytes, 1, 1 << 16, stream);
    fclose(stream);
    return bytes;
}

static void what_is_saved_is_read_back(void **state) {
    (void)state;
    assert_int_equal(safetensors_save_save(), QUARTIC_OK);
    quartic_safetensors *file;
    assert_int_equal(quartic_safetensors_open(path, &file), QUARTIC_OK);
    assert_int_equal(quartic_safetensors_count(file), TENSORS);
    for (uint32_t t = 0; t < TENSORS; ++t) {
        const quartic_safetensors_tensor *got = quartic_safetensors_find(file, tensors[t].name);
        assert_non_null(got);
        assert_int_equal(got->dtype, tensors[t].dtype);
        assert_memory_equal(&got->shape, &tensors[t].shape, sizeof got->shape);
        if (got->bytes > 0) assert_memory_equal(got->data, tensors[t].data, got->bytes);
        assert_int_equal((uintptr_t)got->data % quartic_safetensors_dtype_size(got->dtype), 0);
    }
    assert_string_equal(quartic_safetensors_metadata(file, "config"), "{\"dim\": 8}");
    quartic_safetensors_close(file);

    assert_int_equal(quartic_safetensors_save(path, NULL, 0, NULL, 0), QUARTIC_OK);
    assert_int_equal(quartic_safetensors_open(path, &file), QUARTIC_OK);
    assert_int_equal(quartic_safetensors_count(file), 0);
    quartic_safetensors_close(file);
}

static void equal_contents_give_equal_bytes(void **state) {
    (void)state;
    assert_int_equal(safetensors_save_save(), QUARTIC_OK);
    size_t count, again_count;
    unsigned char *bytes = slurp(&count);
    quartic_safetensors_tensor reversed[TENSORS];
    for (uint32_t t = 0; t < TENSORS; ++t) reversed[t] = tensors[TENSORS - 1 - t];
    const quartic_safetensors_text swapped[] = {metadata[1], metadata[0]};
    assert_int_equal(quartic_safetensors_save(path, reversed, TENSORS, swapped, 2), QUARTIC_OK);
    unsigned char *again = slurp(&again_count);
    assert_int_equal(count, again_count);
    assert_memory_equal(bytes, again, count);
    assert_int_equal(bytes[0] % 8, 0); /* the header's length keeps the data aligned */
    free(bytes);
    free(again);
}

/* The operation must fail with the status and a message holding the text, and change nothing. */
static void safetensors_save_expect_refusal(quartic_status got, quartic_status want, const char *text,
                                            const unsigned char *old, size_t old_count) {
    assert_int_equal(got, want);
    if (strstr(quartic_error_message(), text) == NULL)
        fail_msg("expected a message with <%s>, got <%s>", text, quartic_error_message());
    size_t count;
    unsigned char *bytes = slurp(&count);
    assert_int_equal(count, old_count);
    assert_memory_equal(bytes, old, count);
    free(bytes);
    assert_int_equal(safetensors_save_count_files(), 1);
}

static void a_failure_leaves_the_old_file(void **state) {
    (void)state;
    assert_int_equal(safetensors_save_save(), QUARTIC_OK);
    size_t count;
    unsigned char *old = slurp(&count);

    quartic_safetensors_tensor wrong[2] = {tensors[0], tensors[0]};
    safetensors_save_expect_refusal(quartic_safetensors_save(path, wrong, 2, NULL, 0),
                                    QUARTIC_INVALID_ARGUMENT, "two tensors are named \"mask\"", old, count);
    wrong[1].name = "__metadata__";
    safetensors_save_expect_refusal(quartic_safetensors_save(path, wrong, 2, NULL, 0),
                                    QUARTIC_INVALID_ARGUMENT, "reserves", old, count);
    wrong[1].name = "\xff";
    safetensors_save_expect_refusal(quartic_safetensors_save(path, wrong, 2, NULL, 0),
                                    QUARTIC_INVALID_ARGUMENT, "UTF-8", old, count);
    wrong[1] = (quartic_safetensors_tensor){"x", (quartic_safetensors_dtype)99, {0, {0}}, mask, 0};
    safetensors_save_expect_refusal(quartic_safetensors_save(path, wrong, 2, NULL, 0),
                                    QUARTIC_INVALID_ARGUMENT, "known dtype", old, count);
    const quartic_safetensors_text bad[] = {{"k", "\xc3"}};
    safetensors_save_expect_refusal(quartic_safetensors_save(path, wrong, 1, bad, 1),
                                    QUARTIC_INVALID_ARGUMENT, "UTF-8", old, count);

    /* Every allocation failing in turn. */
    int64_t live = quartic_alloc_live();
    quartic_status status;
    uint64_t nth = 0;
    do {
        quartic_alloc_fail_at(++nth);
        status = safetensors_save_save();
        assert_int_equal(quartic_alloc_live(), live);
        assert_int_equal(safetensors_save_count_files(), 1);
    } while (status == QUARTIC_OUT_OF_MEMORY);
    quartic_alloc_fail_at(0);
    assert_int_equal(status, QUARTIC_OK);
    assert_true(nth > 3);

    /* A disk that is full from some byte on, for which a file size limit stands in. */
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    for (rlim_t size = 0; size < count; size += 13) {
        limit = (struct rlimit){size, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
        status = safetensors_save_save();
        setrlimit(RLIMIT_FSIZE, &before);
        safetensors_save_expect_refusal(status, QUARTIC_IO,
                                        "model.safetensors: writing failed: File too large", old, count);
    }
    assert_int_equal(quartic_alloc_live(), live);
    free(old);
}

static void impossible_paths_are_messages(void **state) {
    (void)state;
    assert_int_equal(quartic_safetensors_save("/nowhere/at/all", tensors, TENSORS, NULL, 0), QUARTIC_IO);
    assert_non_null(strstr(quartic_error_message(), "cannot write /nowhere/at/all: "));
    assert_non_null(strstr(quartic_error_message(), "No such file or directory"));
    assert_int_equal(quartic_safetensors_save("", tensors, TENSORS, NULL, 0), QUARTIC_IO);
    assert_int_equal(quartic_safetensors_save("/", tensors, TENSORS, NULL, 0), QUARTIC_IO);
    assert_non_null(strstr(quartic_error_message(), "a file name is missing"));
    assert_int_equal(quartic_safetensors_save("/dev/full/x", tensors, TENSORS, NULL, 0), QUARTIC_IO);
    assert_non_null(strstr(quartic_error_message(), "Not a directory"));

    unlink(path);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(safetensors_save_save(), QUARTIC_IO); /* a folder is in the way */
    assert_non_null(strstr(quartic_error_message(), "it is a folder: Is a directory"));
    quartic_safetensors *file;
    assert_int_equal(quartic_safetensors_open(path, &file), QUARTIC_IO);
    assert_non_null(strstr(quartic_error_message(), "it is a folder, not a file"));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(safetensors_save_count_files(), 0);
    assert_int_equal(quartic_safetensors_open(path, &file), QUARTIC_IO);
    assert_non_null(strstr(quartic_error_message(), "model.safetensors: No such file or directory"));
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_int_equal(quartic_safetensors_open(path, &file), QUARTIC_IO);
    assert_non_null(strstr(quartic_error_message(), "it is a device or pipe, not a file"));
    unlink(path);

    /* A protected file stays, though its folder would allow a renaming; who may write it all the same, as
     * root in most places may, can. */
    assert_int_equal(safetensors_save_save(), QUARTIC_OK);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(safetensors_save_save(), access(path, W_OK) == 0 ? QUARTIC_OK : QUARTIC_IO);
    assert_int_equal(safetensors_save_count_files(), 1);
    unlink(path);
}

/* Writers of the same file at once, some of them killed: the file is always one of theirs, whole, and at the
 * end no temporary file is left. */
static void concurrent_and_killed_writers_leave_a_whole_file(void **state) {
    (void)state;
    enum { WRITERS = 4, FLOATS = 40000 };
    assert_int_equal(safetensors_save_save(), QUARTIC_OK);
    pid_t writers[WRITERS];
    float *numbers = malloc(FLOATS * sizeof *numbers);
    for (int w = 0; w < WRITERS; ++w) {
        writers[w] = fork();
        if (writers[w] != 0) continue;
        for (int i = 0; i < FLOATS; ++i) numbers[i] = (float)w;
        const quartic_safetensors_tensor one = {"n", QUARTIC_SAFETENSORS_F32, {1, {FLOATS}}, numbers, 0};
        for (int round = 0; w == 0 || round < 10; ++round) /* writer 0 goes on until it is killed */
            if (quartic_safetensors_save(path, &one, 1, NULL, 0) != QUARTIC_OK) _exit(1);
        _exit(0);
    }
    for (int w = 1; w < WRITERS; ++w) {
        int status;
        assert_int_equal(waitpid(writers[w], &status, 0), writers[w]);
        assert_int_equal(status, 0);
    }
    kill(writers[0], SIGKILL);
    waitpid(writers[0], NULL, 0);
    quartic_safetensors *file;
    assert_int_equal(quartic_safetensors_open(path, &file), QUARTIC_OK);
    const quartic_safetensors_tensor *tensor = quartic_safetensors_find(file, "n");
    assert_int_equal(quartic_safetensors_read_float32(file, tensor, numbers, FLOATS), QUARTIC_OK);
    for (int i = 1; i < FLOATS; ++i) assert_true(numbers[i] == numbers[0]);
    quartic_safetensors_close(file);
    free(numbers);
    assert_int_equal(safetensors_save_save(), QUARTIC_OK); /* takes over what the killed writer left */
    assert_int_equal(safetensors_save_count_files(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_read_back),
        cmocka_unit_test(equal_contents_give_equal_bytes),
        cmocka_unit_test(a_failure_leaves_the_old_file),
        cmocka_unit_test(impossible_paths_are_messages),
        cmocka_unit_test(concurrent_and_killed_writers_leave_a_whole_file),
    };
    return cmocka_run_group_tests(tests, safetensors_save_make_folder, safetensors_save_remove_folder);
}
