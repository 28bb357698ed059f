/* SPDX-License-Identifier: MIT */
/* The emulator notices every mistake that is seeded, and finds none where there is none. Each runs
 * in a process of its own, in several orders: noticed is a program that stops, a result that is not
 * the right one, or one whose bits depend on the order. */
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/cuda/emu_run.h"
#include "tests/cuda/seeded.h"
#include "tests/test.h"

enum { ORDERS = 5, OUT = FN_SEEDED_BLOCKS + 1, IN = FN_SEEDED_BLOCKS * FN_SEEDED_THREADS };

static const char *const names[FN_SEEDED_COUNT] = {
    "nothing",
    "no barrier before reading",
    "no barrier before writing again",
    "a barrier for one warp only",
    "two barriers in the halves of an if",
    "a thread that leaves before a barrier",
    "a shuffle that a lane does not come to",
    "a lane outside its mask",
    "a write behind the end",
    "a read far behind the end",
    "a write before the start",
    "a write behind shared memory",
    "shared memory that nobody wrote",
    "too much shared memory",
    "a misaligned vector",
    "a first block that need not run first",
    "sums in the order of arrival",
};

/* Numbers whose float sums depend on the order of addition. */
static float number(int i)
{
    return (float)(sin(i + 1.0) * pow(10, i % 7));
}

/* In the child: 0, or 1 if a result is not right, or not the same bits in every order. */
static int wrong_results(int mistake)
{
    float first[OUT] = {0};
    for (int order = 0; order < ORDERS; order++) {
        float *in = fn_emu_alloc(IN * sizeof *in), *out = fn_emu_alloc(OUT * sizeof *out);
        unsigned *counter = fn_emu_alloc(sizeof *counter);
        *counter = 0;
        for (int i = 0; i < IN; i++)
            in[i] = number(i);
        fn_emu_order(order);
        if (fn_seeded(mistake, in, out, counter))
            return 1;
        for (int b = 0; b < FN_SEEDED_BLOCKS; b++) {
            double sum = 0;
            for (int i = 0; i < FN_SEEDED_THREADS; i++)
                sum += in[b * FN_SEEDED_THREADS + i];
            if (!(fabs(out[b] - sum) <= 1))
                return 1;
        }
        if (order == 0)
            memcpy(first, out, sizeof first);
        if (memcmp(first, out, sizeof first) != 0)
            return 1;
        fn_emu_free(in);
        fn_emu_free(out);
        fn_emu_free(counter);
    }
    return 0;
}

static int is_noticed(int mistake)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka would go on */
        signal(SIGABRT, SIG_DFL);
        FILE *quiet = freopen("/dev/null", "w", stderr);
        (void)quiet;
        _exit(wrong_results(mistake));
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status != 0;
}

static void test_seeded(void **state)
{
    (void)state;
    for (int mistake = 0; mistake < FN_SEEDED_COUNT; mistake++) {
        int noticed = is_noticed(mistake);
        printf("seeded %s: %s\n", names[mistake], noticed ? "noticed" : "nothing found");
        assert_int_equal(noticed, mistake != FN_SEEDED_NONE);
    }
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(fn_seeded_empty(NULL, NULL), 9);
    assert_null(fn_emu_alloc((size_t)1 << 60));
    char *memory = fn_emu_alloc(100);
    assert_true((uintptr_t)memory % 64 == 0);
    assert_true(isnan(*(float *)(void *)memory));
    fn_emu_free(memory);
    fn_emu_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeded),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
