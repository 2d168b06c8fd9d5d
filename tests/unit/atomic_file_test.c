/* atomic_file_test.c: the one file writer: whole or not at all, links, permissions, special files, long
 * names, failures injected into the system calls that it makes, and nothing left behind.
 *
 * This program has a flock, fsync and renameat of its own, which fail when a test asks for it and else make
 * the system call. The folder is removed with rmdir, so a file that was left fails the test.
 */
#include "expect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_alloc.h"
#include "base/alloc.h"
#include "base/atomic_file.h"
#include "folder.h"
#include "quartic/io.h"

static int flock_reason, rename_reason, fsync_reason, fsync_countdown; /* 0: works */

int flock(int descriptor, int operation) {
    if (flock_reason != 0) return errno = flock_reason, -1;
    return (int)syscall(SYS_flock, descriptor, operation);
}

int fsync(int descriptor) {
    if (fsync_reason != 0 && --fsync_countdown == 0) return errno = fsync_reason, -1;
    return (int)syscall(SYS_fsync, descriptor);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    if (rename_reason != 0) return errno = rename_reason, -1;
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

static char folder[TEST_FOLDER_BYTES];
static char before[4096]; /* the working folder */

static int atomic_file_make_folder(void **state) {
    (void)state;
    return getcwd(before, sizeof before) == NULL || !test_folder_make("file", folder) || chdir(folder) != 0;
}

static int atomic_file_remove_folder(void **state) {
    (void)state;
    return chdir(before) != 0 || rmdir(folder) != 0; /* fails if anything was left behind */
}

static quartic_status atomic_file_save(const char *path, const char *text) {
    return quartic_file_save(path, text, strlen(text));
}

static void expect_text(const char *path, const char *want) {
    char got[256] = "";
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    (void)!fread(got, 1, sizeof got - 1, stream);
    fclose(stream);
    assert_string_equal(got, want);
}

static void atomic_file_put(const char *path, const char *text, mode_t mode) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0 && fclose(stream) == 0);
    assert_int_equal(chmod(path, mode), 0);
}

static mode_t mode_of(const char *path) {
    struct stat facts;
    assert_int_equal(lstat(path, &facts), 0);
    return facts.st_mode;
}

static int atomic_file_count_files(const char *of) {
    DIR *listing = opendir(of);
    int count = 0;
    for (struct dirent *one; (one = readdir(listing)) != NULL;)
        count += strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0;
    closedir(listing);
    return count;
}

static void atomic_file_expect_refusal(quartic_status status, const char *text) {
    assert_int_equal(status, QUARTIC_IO);
    if (strstr(quartic_error_message(), text) == NULL)
        fail_msg("<%s> is not in <%s>", text, quartic_error_message());
}

static void a_new_file_has_the_usual_permissions(void **state) {
    (void)state;
    const mode_t former = umask(027);
    assert_int_equal(atomic_file_save("new", "one"), QUARTIC_OK);
    umask(former);
    assert_int_equal(mode_of("new") & 07777, 0640);
    expect_text("new", "one");
    assert_int_equal(atomic_file_save("new", ""), QUARTIC_OK);
    expect_text("new", "");
    assert_int_equal(atomic_file_count_files("."), 1);
    unlink("new");
}

static void an_old_file_keeps_its_permissions(void **state) {
    (void)state;
    static const mode_t modes[] = {0600, 0640, 0644, 0666, 0755, 0200};
    for (size_t k = 0; k < sizeof modes / sizeof modes[0]; ++k) {
        atomic_file_put("old", "one", modes[k]);
        assert_int_equal(atomic_file_save("old", "two"), QUARTIC_OK);
        assert_int_equal(mode_of("old") & 07777, modes[k]);
        chmod("old", 0600);
        expect_text("old", "two");
    }
    unlink("old");
}

/* The group of a shared file stays, where this process may give it. */
static void an_old_file_keeps_its_owner(void **state) {
    (void)state;
    atomic_file_put("old", "one", 0640);
    (void)!chown("old", 1234, 5678); /* who may not keeps its own */
    struct stat was, is;
    assert_int_equal(stat("old", &was), 0);
    assert_int_equal(atomic_file_save("old", "two"), QUARTIC_OK);
    assert_int_equal(stat("old", &is), 0);
    assert_true(is.st_uid == was.st_uid && is.st_gid == was.st_gid && is.st_mode == was.st_mode);
    unlink("old");
}

static void links_are_followed_and_stay(void **state) {
    (void)state;
    assert_int_equal(mkdir("there", 0777), 0);
    atomic_file_put("there/file", "one", 0600);
    assert_int_equal(symlink("there/file", "link"), 0);
    assert_int_equal(symlink("link", "second"), 0);
    assert_int_equal(atomic_file_save("second", "two"), QUARTIC_OK);
    assert_true(S_ISLNK(mode_of("second")) && S_ISLNK(mode_of("link")));
    expect_text("there/file", "two");
    assert_int_equal(mode_of("there/file") & 07777, 0600);
    /* A link to what is not there yet makes that. */
    char absolute[TEST_PATH_BYTES];
    snprintf(absolute, sizeof absolute, "%s/there/later", folder);
    assert_int_equal(symlink(absolute, "dangling"), 0);
    assert_int_equal(atomic_file_save("dangling", "three"), QUARTIC_OK);
    assert_true(S_ISLNK(mode_of("dangling")));
    expect_text("there/later", "three");
    assert_int_equal(atomic_file_count_files("there"), 2);
    /* In circles, into nowhere, to a folder. */
    assert_int_equal(symlink("circle", "circle"), 0);
    atomic_file_expect_refusal(atomic_file_save("circle", "x"), "Too many levels of symbolic links");
    assert_int_equal(symlink("nowhere/file", "lost"), 0);
    atomic_file_expect_refusal(atomic_file_save("lost", "x"), "No such file or directory");
    assert_int_equal(symlink("there", "folder"), 0);
    atomic_file_expect_refusal(atomic_file_save("folder", "x"), "it is a folder");
    unlink("there/file"), unlink("there/later"), rmdir("there");
    unlink("link"), unlink("second"), unlink("dangling"), unlink("circle"), unlink("lost"), unlink("folder");
}

static void devices_are_written_to_and_never_replaced(void **state) {
    (void)state;
    assert_int_equal(atomic_file_save("/dev/null", "gone"), QUARTIC_OK);
    atomic_file_expect_refusal(atomic_file_save("/dev/full", "x"), "No space left on device");
    assert_true(S_ISCHR(mode_of("/dev/null")) && S_ISCHR(mode_of("/dev/full")));
    assert_int_equal(symlink("/dev/full", "full"), 0);
    atomic_file_expect_refusal(atomic_file_save("full", "x"), "writing failed: No space left on device");
    assert_true(S_ISLNK(mode_of("full")));
    unlink("full");
    atomic_file_expect_refusal(atomic_file_save(".", "x"), "it is a folder");
    atomic_file_expect_refusal(atomic_file_save("name/", "x"), "a file name is missing");
    atomic_file_expect_refusal(atomic_file_save("", "x"), "a file name is missing");
}

static void a_pipe_is_written_to_if_somebody_reads(void **state) {
    (void)state;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    atomic_file_expect_refusal(atomic_file_save("pipe", "x"), "nobody reads");
    const int reader = open("pipe", O_RDONLY | O_NONBLOCK);
    char got[8] = "";
    assert_int_equal(atomic_file_save("pipe", "abc"), QUARTIC_OK);
    assert_int_equal(read(reader, got, sizeof got), 3);
    assert_string_equal(got, "abc");
    /* A reader that leaves is an error, not the end of this process. */
    quartic_atomic_file file;
    assert_int_equal(quartic_atomic_file_begin("pipe", true, &file), QUARTIC_OK);
    close(reader);
    atomic_file_expect_refusal(quartic_atomic_file_write(&file, "x", 1), "Broken pipe");
    quartic_atomic_file_discard(&file);
    assert_true(S_ISFIFO(mode_of("pipe")));
    unlink("pipe");
}

/* /dev/stdout and the like: what is open is meant, and goes on where it was. */
static void an_open_file_goes_on_where_it_was(void **state) {
    (void)state;
    const int kept = dup(STDOUT_FILENO), file = open("out", O_RDWR | O_CREAT, 0600);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    (void)!write(STDOUT_FILENO, "first ", 6);
    const quartic_status status = atomic_file_save("/dev/stdout", "second ");
    (void)!write(STDOUT_FILENO, "third", 5);
    dup2(kept, STDOUT_FILENO);
    close(kept), close(file);
    assert_int_equal(status, QUARTIC_OK);
    expect_text("out", "first second third");
    unlink("out");
}

static void names_may_be_as_long_as_there_are(void **state) {
    (void)state;
    char name[256], other[256];
    static const int lengths[] = {1, 99, 100, 101, 143, 240, 241, 242, 243, 254, 255};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; ++k) {
        memset(name, 'n', sizeof name);
        name[lengths[k]] = 0;
        assert_int_equal(atomic_file_save(name, "one"), QUARTIC_OK);
        assert_int_equal(atomic_file_save(name, "two"), QUARTIC_OK);
        expect_text(name, "two");
        unlink(name);
    }
    /* Two that differ at the end only may be written at once. */
    memset(name, 'n', sizeof name);
    name[255] = 0;
    memcpy(other, name, sizeof name);
    other[254] = 'm';
    quartic_atomic_file first, second;
    assert_int_equal(quartic_atomic_file_begin(name, true, &first), QUARTIC_OK);
    assert_int_equal(quartic_atomic_file_begin(other, true, &second), QUARTIC_OK);
    assert_int_equal(quartic_atomic_file_commit(&first), QUARTIC_OK);
    assert_int_equal(quartic_atomic_file_commit(&second), QUARTIC_OK);
    unlink(name), unlink(other);
    /* The longest path: 4095 bytes, of which the name is the last one. */
    char path[4096] = ".";
    while (strlen(path) + 2 < 4095) strcat(path, "/");
    strcat(path, strlen(path) + 1 < 4095 ? "/p" : "p");
    assert_int_equal(strlen(path), 4095);
    assert_int_equal(atomic_file_save(path, "one"), QUARTIC_OK);
    expect_text("p", "one");
    unlink("p");
}

static void a_users_own_file_beside_it_survives(void **state) {
    (void)state;
    atomic_file_put("x.png.tmp", "mine", 0644);
    atomic_file_put(".x.png.tmp", "mine", 0644);
    assert_int_equal(atomic_file_save("x.png", "picture"), QUARTIC_OK);
    expect_text("x.png.tmp", "mine");
    expect_text(".x.png.tmp", "mine");
    unlink("x.png"), unlink("x.png.tmp"), unlink(".x.png.tmp");
}

/* What a killed writer left is taken away, whatever permissions it has and whoever else names it. */
static void what_a_killed_writer_left_is_taken_away(void **state) {
    (void)state;
    atomic_file_put("precious", "mine", 0644);
    assert_int_equal(link("precious", ".x.quartic-tmp"), 0);
    assert_int_equal(atomic_file_save("x", "one"), QUARTIC_OK);
    expect_text("precious", "mine");
    expect_text("x", "one");
    atomic_file_put(".x.quartic-tmp", "left", 0777);
    assert_int_equal(atomic_file_save("x", "two"), QUARTIC_OK);
    assert_int_equal(mode_of("x") & 0111, 0);
    expect_text("x", "two");
    assert_int_equal(symlink("precious", ".x.quartic-tmp"), 0);
    assert_int_equal(atomic_file_save("x", "three"), QUARTIC_IO);
    expect_text("precious", "mine");
    expect_text("x", "two");
    unlink(".x.quartic-tmp"), unlink("precious"), unlink("x");
}

/* Two processes write by turns: the second waits, and the last one stands, whole. */
static void two_writers_take_turns(void **state) {
    (void)state;
    enum { ROUNDS = 20 };
    const pid_t child = fork();
    for (int k = 0; k < ROUNDS; ++k) {
        const quartic_status status = atomic_file_save("shared", child == 0 ? "child child child" : "parent");
        if (child == 0 && status != QUARTIC_OK) _exit(1);
        if (child != 0) assert_int_equal(status, QUARTIC_OK);
    }
    if (child == 0) _exit(0);
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_int_equal(atomic_file_count_files("."), 1);
    unlink("shared");
}

static void without_flock_files_are_written_all_the_same(void **state) {
    (void)state;
    static const int reasons[] = {ENOSYS, EOPNOTSUPP, ENOLCK};
    for (size_t k = 0; k < sizeof reasons / sizeof reasons[0]; ++k) {
        flock_reason = reasons[k];
        quartic_atomic_file first, second;
        assert_int_equal(quartic_atomic_file_begin("x", true, &first), QUARTIC_OK);
        assert_int_equal(quartic_atomic_file_begin("x", true, &second), QUARTIC_OK);
        assert_int_equal(quartic_atomic_file_write(&first, "first", 5), QUARTIC_OK);
        assert_int_equal(quartic_atomic_file_write(&second, "second", 6), QUARTIC_OK);
        assert_int_equal(quartic_atomic_file_commit(&first), QUARTIC_OK);
        expect_text("x", "first");
        assert_int_equal(quartic_atomic_file_commit(&second), QUARTIC_OK);
        expect_text("x", "second");
        flock_reason = 0;
        assert_int_equal(atomic_file_count_files("."), 1);
        unlink("x");
    }
    flock_reason = EIO;
    atomic_file_expect_refusal(atomic_file_save("x", "one"), "Input/output error");
    flock_reason = 0;
    assert_int_equal(atomic_file_count_files("."), 0);
}

static void a_failure_says_what_it_is(void **state) {
    (void)state;
    atomic_file_put("x", "old", 0600);
    fsync_reason = EIO, fsync_countdown = 1; /* of the file */
    atomic_file_expect_refusal(atomic_file_save("x", "new"),
                               "cannot write x: syncing failed: Input/output error");
    expect_text("x", "old");
    fsync_reason = 0, rename_reason = EIO;
    atomic_file_expect_refusal(atomic_file_save("x", "new"),
                               "cannot write x: renaming failed: Input/output error");
    expect_text("x", "old");
    rename_reason = 0, fsync_reason = EIO, fsync_countdown = 2; /* of the folder */
    atomic_file_expect_refusal(atomic_file_save("x", "new"),
                               "x is written and in place, but its folder could not be synced");
    expect_text("x", "new");
    fsync_reason = EINVAL, fsync_countdown = 2; /* folders of this file system cannot be synced */
    assert_int_equal(atomic_file_save("x", "newer"), QUARTIC_OK);
    fsync_reason = 0;
    assert_int_equal(atomic_file_count_files("."), 1);
    unlink("x");
    atomic_file_expect_refusal(atomic_file_save("nowhere/x", "new"),
                               "its folder cannot be opened: No such file or directory");
    assert_int_equal(quartic_file_save(NULL, "x", 1), QUARTIC_INVALID_ARGUMENT);
    assert_int_equal(quartic_file_save("x", NULL, 1), QUARTIC_INVALID_ARGUMENT);
}

static void failed_allocations_leave_nothing(void **state) {
    (void)state;
    assert_int_equal(symlink("x", "link"), 0);
    const int64_t live = quartic_alloc_live();
    quartic_status status = QUARTIC_OUT_OF_MEMORY;
    for (uint64_t nth = 1; status != QUARTIC_OK; ++nth) {
        assert_true(nth < 100);
        quartic_alloc_fail_at(nth);
        status = atomic_file_save("link", "new");
        quartic_alloc_fail_at(0);
        if (status != QUARTIC_OK) assert_int_equal(status, QUARTIC_OUT_OF_MEMORY);
        assert_int_equal(quartic_alloc_live(), live);
        assert_int_equal(atomic_file_count_files("."), status == QUARTIC_OK ? 2 : 1);
    }
    unlink("x"), unlink("link");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_has_the_usual_permissions),
        cmocka_unit_test(an_old_file_keeps_its_permissions),
        cmocka_unit_test(an_old_file_keeps_its_owner),
        cmocka_unit_test(links_are_followed_and_stay),
        cmocka_unit_test(devices_are_written_to_and_never_replaced),
        cmocka_unit_test(a_pipe_is_written_to_if_somebody_reads),
        cmocka_unit_test(an_open_file_goes_on_where_it_was),
        cmocka_unit_test(names_may_be_as_long_as_there_are),
        cmocka_unit_test(a_users_own_file_beside_it_survives),
        cmocka_unit_test(what_a_killed_writer_left_is_taken_away),
        cmocka_unit_test(two_writers_take_turns),
        cmocka_unit_test(without_flock_files_are_written_all_the_same),
        cmocka_unit_test(a_failure_says_what_it_is),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, atomic_file_make_folder, atomic_file_remove_folder);
}
