/* SPDX-License-Identifier: MIT */
/* Lines on stderr: levels, and progress on a terminal (a small model of one) and elsewhere. */
#include "tests/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/log.h"

static char seen[200000]; /* what the child wrote to stderr */

static void read_until_end(int fd)
{
    size_t used = 0;
    ssize_t n;
    /* A terminal whose other side is closed gives EIO, a pipe gives 0. */
    while (used < sizeof seen - 1 && (n = read(fd, seen + used, sizeof seen - 1 - used)) > 0)
        used += (size_t)n;
    seen[used] = '\0';
}

/* Run body in a child whose stderr is a terminal of `columns`, or a pipe where columns is 0. */
static void in_child(void (*body)(void), int columns)
{
    int ends[2];
    if (columns) {
        ends[0] = test_terminal();
        struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
        ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
        assert_true(ends[1] >= 0);
        assert_int_equal(ioctl(ends[1], TIOCSWINSZ, &size), 0);
    } else {
        assert_int_equal(pipe(ends), 0);
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    read_until_end(ends[0]);
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* What a terminal shows in the end: rows of text, '\r' back to the row's start, no wrapping needed.
 */
static char screen[100][201];

static int render(int columns)
{
    int row = 0, column = 0;
    memset(screen, 0, sizeof screen);
    for (const char *p = seen; *p; p++) {
        if (*p == '\r') {
            column = 0;
        } else if (*p == '\n') {
            row++;
            assert_true(row < 100);
        } else {
            if (column >= columns)
                fail_msg("row %d is wrapped at: %.40s", row, p);
            screen[row][column++] = *p;
        }
    }
    for (int r = 0; r <= row; r++)
        for (size_t n = strlen(screen[r]); n > 0 && screen[r][n - 1] == ' '; n--)
            screen[r][n - 1] = '\0';
    return row;
}

static void say_all(void)
{
    fn_info("info %d", 1);
    fn_verbose("verbose");
    fn_warn("name \033[2J\t%s", "x");
    fn_error("error");
    fn_progress(0, 0, "progress");
    fn_progress(0, 1, "done");
}

static void quiet(void)
{
    fn_log_setup("fn-test", FN_LOG_QUIET);
    say_all();
}

static void normal(void)
{
    fn_log_setup("fn-test", FN_LOG_NORMAL);
    say_all();
}

static void verbose(void)
{
    fn_log_setup("fn-test", FN_LOG_VERBOSE);
    say_all();
}

static void test_levels(void **state)
{
    (void)state;
    in_child(quiet, 0);
    assert_string_equal(seen, "fn-test: warning: name ?[2J\tx\nfn-test: error\n");
    in_child(normal, 0);
    assert_string_equal(seen, "info 1\nfn-test: warning: name ?[2J\tx\nfn-test: error\n"
                              "progress\ndone\n");
    in_child(verbose, 0);
    assert_string_equal(seen, "info 1\nverbose\nfn-test: warning: name ?[2J\tx\nfn-test: error\n"
                              "progress\ndone\n");
    in_child(say_all, 0);
    assert_memory_equal(seen, "info 1\nwarning: name", 20); /* no name was set up */
}

static void long_line(void)
{
    char text[5000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    fn_info("%s", text);
}

static void test_long_lines_are_whole(void **state)
{
    (void)state;
    in_child(long_line, 0);
    assert_int_equal(strlen(seen), 5000);
    assert_int_equal(strspn(seen, "a"), 4999);
}

static void many_steps(void)
{
    double end = fn_now() + 0.7;
    long step = 0;
    while (fn_now() < end)
        fn_progress(0.25, 0, "step %ld", ++step);
    fn_progress(0.25, 1, "all steps");
}

static int count_of(char c)
{
    int n = 0;
    for (const char *p = seen; *p; p++)
        n += *p == c;
    return n;
}

static void test_progress_is_seldom(void **state)
{
    (void)state;
    /* Elsewhere: at 0, 0.25 and 0.5 s, and the last. */
    in_child(many_steps, 0);
    assert_in_range(count_of('\n'), 3, 4);
    assert_int_equal(count_of('\r'), 0);
    assert_memory_equal(seen, "step 1\n", 7);
    assert_non_null(strstr(seen, "\nall steps\n"));
    /* On a terminal: 6 a second make 5 drawings in 0.7 s, one of the line that is shorter. */
    in_child(many_steps, 80);
    assert_int_equal(count_of('\n'), 1);
    assert_in_range(count_of('\r'), 5, 8); /* one of the terminal's own before '\n' */
    assert_int_equal(render(80), 1);
    assert_string_equal(screen[0], "all steps");
}

static void broken_into(void)
{
    fn_log_setup("fn-test", FN_LOG_NORMAL);
    fn_progress(1, 0, "a rather long line of progress");
    fn_warn("record 7");
    fn_info("short");
    usleep(200000);
    fn_progress(1, 0, "a line");
    fn_error("failed");
    fn_progress(1, 1, "end");
    fn_info("after");
}

static void test_lines_do_not_break_progress(void **state)
{
    (void)state;
    in_child(broken_into, 60);
    assert_int_equal(render(60), 5);
    assert_string_equal(screen[0], "fn-test: warning: record 7");
    assert_string_equal(screen[1], "short");
    assert_string_equal(screen[2], "fn-test: failed");
    assert_string_equal(screen[3], "end");
    assert_string_equal(screen[4], "after");
    assert_string_equal(screen[5], "");
}

static void unfinished(void)
{
    fn_progress(1, 0, "a rather long line \033of progress that is wider than the terminal");
    fn_info("note");
}

static void test_progress_fits_the_terminal(void **state)
{
    (void)state;
    in_child(unfinished, 30);
    assert_int_equal(render(30), 1);
    assert_string_equal(screen[0], "note");
    assert_string_equal(screen[1], "a rather long line ?of progre");
}

static void *shout(void *argument)
{
    for (int i = 0; i < 200; i++) {
        fn_info("thread %d says a sentence of some length", *(int *)argument);
        fn_progress(0, 0, "%d", i);
    }
    return NULL;
}

static void many_threads(void)
{
    pthread_t id[4];
    int number[4];
    for (int i = 0; i < 4; i++) {
        number[i] = i;
        pthread_create(&id[i], NULL, shout, &number[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(id[i], NULL);
}

static void test_threads_write_whole_lines(void **state)
{
    (void)state;
    in_child(many_threads, 0);
    int lines = 0, others = 0;
    for (char *line = strtok(seen, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "thread ", 7) == 0) {
            assert_string_equal(line + 8, " says a sentence of some length");
            lines++;
        } else {
            assert_int_equal(strspn(line, "0123456789"), strlen(line));
            others++;
        }
    }
    assert_int_equal(lines, 800);
    assert_int_equal(others, 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_lines_are_whole),
        cmocka_unit_test(test_progress_is_seldom),
        cmocka_unit_test(test_lines_do_not_break_progress),
        cmocka_unit_test(test_progress_fits_the_terminal),
        cmocka_unit_test(test_threads_write_whole_lines),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
