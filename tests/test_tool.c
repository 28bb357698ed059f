/* SPDX-License-Identifier: MIT */
/* How a tool begins and ends: exit codes, sentences, a stdout that fails, signals, processors. */
#include "tests/test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/args.h"
#include "base/cpus.h"
#include "base/file.h"
#include "base/log.h"

static int64_t size = 182;
static const char *store;

static struct fn_arg table[] = {
    {.name = "size", .kind = FN_ARG_INT, .value = &size, .help = "side in pixels"},
    {.name = "store", .kind = FN_ARG_STRING, .value = &store, .metavar = "DIR", .help = "folder"},
    {0},
};

static const struct fn_tool tool = {
    .name = "fn-test", .synopsis = "[OPTIONS]", .purpose = "Begins and ends.", .args = table};

/* The whole life of a tool that only reads its command line. */
static int live(int argc, const char *const *words)
{
    char *argv[8] = {NULL};
    const char **operands = NULL;
    size_t count = 0;
    for (int i = 0; i < argc; i++)
        argv[i] = (char *)(uintptr_t)words[i];
    int rc = fn_args_parse(&tool, argc, argv, &operands, &count);
    fn_args_free(&tool, &operands);
    return fn_tool_exit(&tool, rc);
}

/* Runs `body` in a child with its streams caught; returns its wait status. */
struct caught {
    char out[8000], err[2000];
};

static void drain(int fd, char *buf, size_t cap)
{
    size_t used = 0;
    ssize_t n;
    while (used < cap - 1 && (n = read(fd, buf + used, cap - 1 - used)) > 0)
        used += (size_t)n;
    buf[used] = '\0';
    close(fd);
}

static int in_child(int (*body)(void), struct caught *caught)
{
    int out[2], err[2], status = 0;
    assert_true(pipe(out) == 0 && pipe(err) == 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(out[1], 1);
        dup2(err[1], 2);
        for (int i = 0; i < 2; i++) {
            close(out[i]);
            close(err[i]);
        }
        _exit(body());
    }
    close(out[1]);
    close(err[1]);
    drain(out[0], caught->out, sizeof caught->out);
    drain(err[0], caught->err, sizeof caught->err);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int main_help(void)
{
    static const char *const words[] = {"fn-test", "--size", "5", "--help", "--store"};
    return live(5, words);
}

static int main_version(void)
{
    static const char *const words[] = {"fn-test", "--version"};
    return live(2, words);
}

static int main_misuse(void)
{
    static const char *const words[] = {"fn-test", "--sise", "5"};
    return live(3, words);
}

static int main_failure(void)
{
    printf("data\n");
    return fn_tool_exit(&tool, fn_fail(FN_ECORRUPT, "record 7: damaged"));
}

static int main_interrupted(void)
{
    return fn_tool_exit(&tool, fn_fail(FN_EINTERRUPTED, "stopped; the same command continues"));
}

static int main_full_disk(void)
{
    int full = open("/dev/full", O_WRONLY);
    dup2(full, 1);
    printf("data\n");
    return fn_tool_exit(&tool, FN_OK);
}

static int main_closed_pipe(void)
{
    int ends[2];
    fn_signals_setup();
    if (pipe(ends) != 0)
        return 90;
    close(ends[0]);
    dup2(ends[1], 1);
    for (int i = 0; i < 100000; i++)
        printf("data\n");
    return fn_tool_exit(&tool, FN_OK);
}

static int main_closed_stdout_unused(void)
{
    close(1);
    return fn_tool_exit(&tool, FN_OK);
}

static int main_closed_stdout(void)
{
    close(1);
    fn_signals_setup();
    int fd = open("/dev/null", O_WRONLY);
    if (fd <= 2)
        return 91; /* our file got the number of stdout */
    printf("data\n");
    return fn_tool_exit(&tool, FN_OK);
}

static void test_tool_exit(void **state)
{
    (void)state;
    static struct caught c;
    static const struct {
        int (*body)(void);
        int exit;
        const char *out, *err;
    } map[] = {
        {main_version, 0, "fn-test " FN_VERSION "\n", ""},
        {main_misuse, 2, "",
         "fn-test: unknown option --sise; did you mean --size?\ntry 'fn-test --help'\n"},
        {main_failure, 1, "data\n", "fn-test: record 7: damaged\n"},
        {main_interrupted, 130, "", "fn-test: stopped; the same command continues\n"},
        {main_full_disk, 1, "",
         "fn-test: cannot write to standard output: No space left on device\n"},
        {main_closed_pipe, 0, "", ""},
        {main_closed_stdout_unused, 0, "", ""},
        {main_closed_stdout, 1, "",
         "fn-test: cannot write to standard output: Bad file descriptor\n"},
    };
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        int status = in_child(map[i].body, &c);
        assert_true(WIFEXITED(status));
        assert_string_equal(c.err, map[i].err);
        assert_int_equal(WEXITSTATUS(status), map[i].exit);
        assert_string_equal(c.out, map[i].out);
    }
    /* Help comes whatever else stands on the line, with the defaults and not with what was given.
     */
    int status = in_child(main_help, &c);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(c.out, "(default: 182)"));
    assert_string_equal(c.err, "");
}

static int main_one_signal(void)
{
    fn_signals_setup();
    if (fn_interrupted())
        return 90;
    raise(SIGTERM);
    return fn_interrupted() ? 7 : 91;
}

static int main_two_signals(void)
{
    fn_signals_setup();
    raise(SIGINT);
    raise(SIGINT);
    return 92;
}

static void test_signals(void **state)
{
    (void)state;
    static struct caught c;
    int status = in_child(main_one_signal, &c);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    status = in_child(main_two_signals, &c);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static void test_cpu_count(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_true(fn_cpu_count() >= 1);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    int count = fn_cpu_count();
    sched_setaffinity(0, sizeof before, &before);
    assert_int_equal(count, 1);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char *path = fn_path_join(dir, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_ok(fn_mkdir_p(path));
    *slash = '/';
    assert_ok(fn_file_write(path, text, strlen(text)));
    free(path);
}

/* Trees as the kernel shows them, of both versions. */
static void test_cpu_quota(void **state)
{
    static const struct {
        const char *membership, *file[4], *text[4];
        int cpus;
    } trees[] = {
        {"0::/\n", {"cpu.max"}, {"max 100000\n"}, 0},
        {"0::/\n", {"cpu.max"}, {"150000 100000\n"}, 2},
        {"0::/a/b\n",
         {"cpu.max", "a/cpu.max", "a/b/cpu.max"},
         {"max 100000", "300000 100000", "max 100000"},
         3},
        {"0::/a/b\n", {"a/cpu.max", "a/b/cpu.max"}, {"400000 100000", "50000 100000"}, 1},
        {"0::/not/seen/here\n", {"cpu.max"}, {"200000 100000"}, 2},
        {"4:memory:/x\n2:cpu,cpuacct:/x\n",
         {"cpu,cpuacct/x/cpu.cfs_quota_us", "cpu,cpuacct/x/cpu.cfs_period_us"},
         {"250000", "100000"},
         3},
        {"2:cpuacct:/x\n1:cpu:/x\n",
         {"cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us", "cpu/x/cpu.cfs_quota_us",
          "cpu/x/cpu.cfs_period_us"},
         {"700000", "100000", "-1", "100000"},
         7},
        {"3:cpuset:/x\n",
         {"cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"},
         {"100000", "100000"},
         0},
        {"1:cpu:/\n0::/\n",
         {"cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us", "unified/cpu.max"},
         {"500000", "100000", "400000 100000"},
         4},
        {"nonsense\n1:\n", {NULL}, {NULL}, 0},
        {"0::/\n", {"cpu.max"}, {"-5 100000"}, 0},
        {"0::/\n", {"cpu.max"}, {"100000 0"}, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        char *dir = test_folder(), *membership = fn_path_join(dir, "membership");
        assert_ok(fn_file_write(membership, trees[i].membership, strlen(trees[i].membership)));
        for (int k = 0; k < 4 && trees[i].file[k]; k++)
            put_file(dir, trees[i].file[k], trees[i].text[k]);
        if (fn_cpu_quota(dir, membership) != trees[i].cpus)
            fail_msg("tree %zu: %d, not %d", i, fn_cpu_quota(dir, membership), trees[i].cpus);
        assert_ok(fn_remove_tree(dir));
        free(membership);
        free(dir);
    }
    assert_int_equal(fn_cpu_quota("/nowhere", "/nowhere/cgroup"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_quota),
        cmocka_unit_test(test_tool_exit),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_cpu_count),
    };
    return cmocka_run_group_tests_name("tool", tests, NULL, NULL);
}
