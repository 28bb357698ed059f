/* SPDX-License-Identifier: MIT */
/* fn_start: a program's OpenMP threads do not spin for long, unless the user wants them to. */
#include "kernels/start.h"
#include "tests/test.h"

static const char *self;

/* What a program that calls fn_start finds in its environment, started with `settings`. */
static char *found(const char *settings)
{
    static char line[256];
    char command[4096];
    snprintf(command, sizeof command,
             "env -u GOMP_SPINCOUNT -u OMP_WAIT_POLICY %s '%s' show 'an argument'", settings, self);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof line, pipe));
    assert_int_equal(pclose(pipe), 0);
    return line;
}

static int show(char **argv)
{
    fn_start(argv);
    const char *count = getenv("GOMP_SPINCOUNT"), *policy = getenv("OMP_WAIT_POLICY");
    printf("%s %s %s\n", argv[2], count ? count : "-", policy ? policy : "-");
    return 0;
}

static void test_settings(void **state)
{
    (void)state;
    const char *plain = found("");
    if (strcmp(plain, "an argument - -\n") != 0) /* so it is in a build without oneDNN */
        assert_string_equal(plain, "an argument 1000 -\n");
    assert_string_equal(found("GOMP_SPINCOUNT=77"), "an argument 77 -\n");
    assert_string_equal(found("OMP_WAIT_POLICY=active"), "an argument - active\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings)};
    if (argc == 3)
        return show(argv);
    self = argv[0];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
