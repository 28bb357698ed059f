/* SPDX-License-Identifier: MIT */
/* Files that are there completely or not at all, and folders. */
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"

static char *folder; /* a new one for each test */

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder();
    return folder == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    int rc = fn_remove_tree(folder);
    rc |= access(folder, F_OK) == 0;
    free(folder);
    return rc;
}

/* "name" in the test's folder; freed when four more have been asked for. */
static const char *in_folder(const char *name)
{
    static char *path[4];
    static int turn;
    turn = (turn + 1) % 4;
    free(path[turn]);
    path[turn] = fn_path_join(folder, name);
    assert_non_null(path[turn]);
    return path[turn];
}

static void expect_contents(const char *path, const char *text)
{
    unsigned char *data = NULL;
    size_t bytes = 0;
    assert_ok(fn_file_read(path, 1000, &data, &bytes));
    assert_int_equal(bytes, strlen(text));
    assert_string_equal((char *)data, text);
    free(data);
}

static size_t entries(const char *path)
{
    char command[5000], count[32] = "";
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(count, sizeof count, pipe));
    pclose(pipe);
    return strtoul(count, NULL, 10);
}

static void test_read(void **state)
{
    (void)state;
    unsigned char *data = NULL;
    size_t bytes = 1;
    assert_int_equal(fn_file_read(in_folder("none"), 10, &data, &bytes), FN_ENOENT);
    assert_null(data);
    assert_int_equal(bytes, 0);
    assert_non_null(strstr(fn_err_text(0), "none: cannot open: No such file"));
    assert_int_equal(fn_file_read(folder, 10, &data, &bytes), FN_EIO);
    assert_non_null(strstr(fn_err_text(0), "is a folder"));

    assert_ok(fn_file_write(in_folder("a"), "0123456789", 10));
    assert_ok(fn_file_read(in_folder("a"), 10, &data, &bytes));
    assert_int_equal(bytes, 10);
    assert_memory_equal(data, "0123456789", 11); /* with the NUL byte behind it */
    free(data);
    assert_int_equal(fn_file_read(in_folder("a"), 9, &data, &bytes), FN_ELIMIT);
    assert_null(data);

    assert_ok(fn_file_write(in_folder("empty"), "", 0));
    assert_ok(fn_file_read(in_folder("empty"), 0, &data, &bytes));
    assert_int_equal(bytes, 0);
    assert_int_equal(data[0], 0);
    free(data);
    /* No size is told for these; limits hold all the same. */
    assert_ok(fn_file_read("/proc/self/status", SIZE_MAX, &data, &bytes));
    assert_true(bytes > 100);
    free(data);
    assert_int_equal(fn_file_read("/dev/zero", 300000, &data, &bytes), FN_ELIMIT);
    assert_int_equal(fn_file_read("/proc/self/mem", 300000, &data, &bytes), FN_EIO);
}

static void test_read_stdin(void **state)
{
    (void)state;
    int ends[2], before = dup(0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "piped", 5), 5);
    close(ends[1]);
    dup2(ends[0], 0);
    unsigned char *data = NULL;
    size_t bytes = 0;
    int rc = fn_file_read("-", 100, &data, &bytes);
    dup2(before, 0);
    close(before);
    close(ends[0]);
    assert_ok(rc);
    assert_int_equal(bytes, 5);
    assert_string_equal((char *)data, "piped");
    free(data);
}

static void test_map(void **state)
{
    (void)state;
    struct fn_map map = {0};
    fn_map_close(&map);
    assert_ok(fn_file_write(in_folder("a"), "mapped", 6));
    assert_ok(fn_map_open(&map, in_folder("a")));
    assert_int_equal(map.bytes, 6);
    assert_memory_equal(map.data, "mapped", 6);
    fn_map_close(&map);
    assert_null(map.data);
    fn_map_close(&map);
    assert_ok(fn_file_write(in_folder("empty"), "", 0));
    assert_ok(fn_map_open(&map, in_folder("empty")));
    assert_true(map.data == NULL && map.bytes == 0);
    fn_map_close(&map);
    assert_int_equal(fn_map_open(&map, in_folder("none")), FN_ENOENT);
    assert_int_equal(fn_map_open(&map, folder), FN_EIO);
    assert_int_equal(fn_map_open(&map, "/dev/zero"), FN_EIO);
    assert_null(map.data);
}

static void test_write_is_atomic(void **state)
{
    (void)state;
    const char *path = in_folder("a");
    struct fn_out *out = NULL;
    assert_ok(fn_file_write(path, "old", 3));
    /* Not committed: nothing has happened. */
    assert_ok(fn_out_open(&out, path));
    fputs("new", fn_out_stream(out));
    fflush(fn_out_stream(out));
    expect_contents(path, "old");
    assert_int_equal(entries(folder), 2);
    fn_out_close(&out);
    assert_null(out);
    fn_out_close(&out);
    expect_contents(path, "old");
    assert_int_equal(entries(folder), 1);
    /* Committed; a stale temporary of our number is in the way, and the stream seeks. */
    char stale[5000];
    snprintf(stale, sizeof stale, "%s.tmp-%ld", path, (long)getpid());
    assert_int_equal(symlink("/etc/passwd", stale), 0);
    assert_ok(fn_out_open(&out, path));
    fputs("....tail", fn_out_stream(out));
    assert_int_equal(fseek(fn_out_stream(out), 0, SEEK_SET), 0);
    fputs("head", fn_out_stream(out));
    assert_ok(fn_out_commit(out));
    expect_contents(path, "headtail");
    assert_int_equal(fn_out_commit(out), FN_EINTERNAL);
    fn_out_close(&out);
    expect_contents(path, "headtail");
    assert_int_equal(entries(folder), 1);
}

static void test_write_failures(void **state)
{
    (void)state;
    struct fn_out *out = NULL;
    assert_int_equal(fn_file_write(in_folder("no/such/folder"), "x", 1), FN_ENOENT);
    assert_int_equal(fn_file_write(folder, "x", 1), FN_EEXIST);
    assert_int_equal(fn_out_open(&out, folder), FN_EEXIST);
    assert_null(out);
    /* A full disk, noticed at the first write, and only when the buffer is written at commit. */
    assert_int_equal(fn_file_write("/dev/full", "x", 1), FN_ENOSPC);
    assert_string_equal(fn_err_text(0), "/dev/full: cannot write: No space left on device");
    assert_ok(fn_out_open(&out, "/dev/full"));
    for (int i = 0; i < 300000; i++)
        fputs("many bytes", fn_out_stream(out));
    assert_true(ferror(fn_out_stream(out)));
    assert_int_equal(fn_out_commit(out), FN_ENOSPC);
    fn_out_close(&out);
}

/* In a process of its own, since the limit stays: a file that may not grow. */
static int write_over_the_limit(const char *path)
{
    const struct rlimit limit = {100000, 100000};
    static char data[200000];
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 90;
    return fn_file_write(path, data, sizeof data);
}

static void test_failed_write_leaves_the_old(void **state)
{
    (void)state;
    assert_ok(fn_file_write(in_folder("a"), "old", 3));
    pid_t child = fork();
    if (child == 0)
        _exit(write_over_the_limit(in_folder("a")));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), FN_EIO);
    expect_contents(in_folder("a"), "old");
    assert_int_equal(entries(folder), 1);
}

static void test_links_and_devices(void **state)
{
    (void)state;
    struct stat st;
    assert_ok(fn_mkdir_p(in_folder("far")));
    assert_ok(fn_file_write(in_folder("far/target"), "old", 3));
    assert_int_equal(symlink("far/target", in_folder("link")), 0);
    assert_ok(fn_file_write(in_folder("link"), "new", 3));
    assert_int_equal(lstat(in_folder("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    expect_contents(in_folder("far/target"), "new");
    /* A device stays one: root may replace it. */
    assert_ok(fn_file_write("/dev/null", "x", 1));
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    /* A pipe gets the bytes. */
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    int reader = open(in_folder("pipe"), O_RDONLY | O_NONBLOCK);
    assert_ok(fn_file_write(in_folder("pipe"), "through", 7));
    char got[8] = "";
    assert_int_equal(read(reader, got, 7), 7);
    assert_string_equal(got, "through");
    close(reader);
}

static void test_folders(void **state)
{
    (void)state;
    assert_ok(fn_mkdir_p(in_folder("a//b/c/")));
    assert_ok(fn_mkdir_p(in_folder("a/b/c")));
    assert_ok(fn_mkdir_p("/"));
    assert_ok(fn_mkdir_p("."));
    assert_true(fn_is_dir(in_folder("a/b/c")));
    assert_false(fn_is_file(in_folder("a/b/c")));
    assert_ok(fn_file_write(in_folder("a/file"), "x", 1));
    assert_true(fn_is_file(in_folder("a/file")));
    assert_false(fn_is_dir(in_folder("a/file")));
    assert_false(fn_is_dir(in_folder("none")) || fn_is_file(in_folder("none")));
    assert_int_equal(fn_mkdir_p(in_folder("a/file")), FN_EEXIST);
    assert_int_equal(fn_mkdir_p(in_folder("a/file/b")), FN_EEXIST);
    assert_int_equal(fn_mkdir_p(""), FN_ENOENT);
    assert_ok(fn_fsync_dir(folder));
    assert_int_equal(fn_fsync_dir(in_folder("none")), FN_ENOENT);
    assert_int_equal(fn_fsync_dir(in_folder("a/file")), FN_EIO);
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *path;
    } map[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a//", "b", "a/b"},
               {"/", "b", "/b"},  {"", "b", "b"},     {NULL, "b", "b"},
               {"a", "/b", "/b"}, {"a", "", "a/"},    {"a/b", "c/d", "a/b/c/d"},
               {"//", "b", "/b"}};
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        char *path = fn_path_join(map[i].a, map[i].b);
        assert_string_equal(path, map[i].path);
        free(path);
    }
    static const char *const last[][2] = {{"a/b", "b"}, {"a/b//", "b"}, {"a", "a"}, {"/a", "a"},
                                          {"/", "/"},   {"//", "/"},    {"", ""},   {"a/", "a"}};
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        char buf[8];
        assert_string_equal(fn_path_last(last[i][0], buf, sizeof buf), last[i][1]);
    }
    char two[2];
    assert_string_equal(fn_path_last("a/long", two, sizeof two), "l");
}

static void test_remove_tree(void **state)
{
    (void)state;
    assert_ok(fn_remove_tree(in_folder("none")));
    assert_ok(fn_mkdir_p(in_folder("kept/inner")));
    assert_ok(fn_file_write(in_folder("kept/inner/file"), "x", 1));

    assert_ok(fn_mkdir_p(in_folder("tree/a/b/c")));
    assert_ok(fn_mkdir_p(in_folder("tree/.hidden")));
    for (int i = 0; i < 500; i++) {
        char name[60];
        snprintf(name, sizeof name, "tree/%s/file%03d", i % 2 ? "a/b" : ".hidden", i);
        FILE *file = fopen(in_folder(name), "w");
        assert_non_null(file);
        fclose(file);
    }
    assert_int_equal(symlink("../kept", in_folder("tree/link")), 0);
    assert_int_equal(symlink("nowhere", in_folder("tree/a/dangling")), 0);
    assert_int_equal(mkfifo(in_folder("tree/pipe"), 0600), 0);
    assert_ok(fn_remove_tree(in_folder("tree")));
    assert_false(fn_is_dir(in_folder("tree")));
    expect_contents(in_folder("kept/inner/file"), "x");

    /* A link given itself: the link goes, with a slash behind it too. */
    assert_int_equal(symlink("kept", in_folder("link")), 0);
    assert_ok(fn_remove_tree(in_folder("link/")));
    assert_int_equal(access(in_folder("link"), F_OK), -1);
    expect_contents(in_folder("kept/inner/file"), "x");

    static const char *const never[] = {"", "/", "//", ".", "..", "a/..", "a/./"};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        assert_int_equal(fn_remove_tree(never[i]), FN_EINTERNAL);
}

static void test_remove_deep_tree(void **state)
{
    (void)state;
    char path[1000] = "deep";
    for (int i = 0; i < 150; i++)
        strcat(path, "/d");
    assert_ok(fn_mkdir_p(in_folder(path)));
    assert_ok(fn_remove_tree(in_folder("deep")));
    for (int i = 0; i < 100; i++)
        strcat(path, "/d");
    assert_ok(fn_mkdir_p(in_folder(path)));
    assert_int_equal(fn_remove_tree(in_folder("deep")), FN_ELIMIT);
    char command[5000];
    snprintf(command, sizeof command, "rm -r '%s'", in_folder("deep"));
    assert_int_equal(system(command), 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_read),
        test(test_read_stdin),
        test(test_map),
        test(test_write_is_atomic),
        test(test_write_failures),
        test(test_failed_write_leaves_the_old),
        test(test_links_and_devices),
        test(test_folders),
        test(test_paths),
        test(test_remove_tree),
        test(test_remove_deep_tree),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
