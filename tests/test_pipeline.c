/* SPDX-License-Identifier: MIT */
/* Read - work - write: order, the lowest failure wins, bounded memory, signals, any number of
 * threads.
 * ctest labels: threads */
#include "tests/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/pipeline.h"
#include "base/rng.h"

enum { MOST_SLOTS = 64, NEVER = 1 << 30 };

struct item {
    int number, result, worker;
    atomic_int busy; /* 1 while a stage holds it */
};

/* One run: its stages fail where they are told to, and check what the header promises. */
struct run {
    int items;
    int fail_read, fail_work, fail_write; /* item numbers */
    int slow;                             /* item that takes its time; others pass it */
    int spread;                           /* let the work take different times */
    int workers;
    int read, written; /* each touched by one thread only */
    pthread_t reader, writer;
    atomic_int worked, in_flight, most_in_flight;
    atomic_int inside[MOST_SLOTS]; /* per worker: no two threads share an index */
    struct item item[MOST_SLOTS];
    void *slot[MOST_SLOTS];
};

static int read_item(void *context, void *slot)
{
    struct run *run = context;
    struct item *item = slot;
    assert_true(pthread_equal(pthread_self(), run->reader));
    assert_int_equal(atomic_exchange(&item->busy, 1), 0);
    int rc = FN_OK;
    if (run->read == run->fail_read)
        rc = fn_fail(FN_EFORMAT, "read %d", run->read);
    else if (run->read == run->items)
        rc = FN_PIPELINE_END;
    else {
        item->number = run->read++;
        item->result = -1;
        int now = atomic_fetch_add(&run->in_flight, 1) + 1;
        int most = atomic_load(&run->most_in_flight);
        while (now > most && !atomic_compare_exchange_weak(&run->most_in_flight, &most, now))
            ;
    }
    atomic_store(&item->busy, 0);
    return rc;
}

/* No cmocka assertions here: they leave by longjmp, which a thread must not. */
#define check(holds)                                                                               \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds);                            \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static int work_item(void *context, int worker, void *slot)
{
    struct run *run = context;
    struct item *item = slot;
    check(worker >= 0 && worker < run->workers);
    check(atomic_exchange(&run->inside[worker], 1) == 0);
    check(atomic_exchange(&item->busy, 1) == 0);
    if (item->number == run->slow)
        usleep(20000);
    if (run->spread)
        for (volatile uint64_t i = fn_rng_below(fn_rng(1, (uint64_t)item->number, 0, 0), 3000);
             i > 0; i--)
            ;
    int rc = FN_OK;
    if (item->number == run->fail_work)
        rc = fn_fail(FN_ECORRUPT, "work %d", item->number);
    item->result = item->number * 3;
    item->worker = worker;
    atomic_fetch_add(&run->worked, 1);
    atomic_store(&item->busy, 0);
    atomic_store(&run->inside[worker], 0);
    return rc;
}

static int write_item(void *context, void *slot)
{
    struct run *run = context;
    struct item *item = slot;
    if (run->written == 0)
        run->writer = pthread_self();
    check(pthread_equal(pthread_self(), run->writer));
    check(atomic_exchange(&item->busy, 1) == 0);
    check(item->number == run->written);
    check(item->result == 3 * item->number);
    int rc = FN_OK;
    if (item->number == run->fail_write)
        rc = fn_fail(FN_ENOSPC, "write %d", item->number);
    else
        run->written++;
    atomic_fetch_sub(&run->in_flight, 1);
    atomic_store(&item->busy, 0);
    return rc;
}

static void prepare(struct run *run, int items)
{
    memset(run, 0, sizeof *run);
    run->items = items;
    run->fail_read = run->fail_work = run->fail_write = run->slow = NEVER;
    run->reader = pthread_self();
    for (int i = 0; i < MOST_SLOTS; i++)
        run->slot[i] = &run->item[i];
}

static int go(struct run *run, int workers, int slots)
{
    const struct fn_pipeline p = {.workers = workers,
                                  .slots = slots,
                                  .slot = run->slot,
                                  .context = run,
                                  .read = read_item,
                                  .work = work_item,
                                  .write = write_item};
    run->workers = workers;
    fn_err_clear();
    int rc = fn_pipeline_run(&p);
    assert_true(atomic_load(&run->most_in_flight) <= slots);
    return rc;
}

static const int worker_counts[] = {1, 2, 3, 4, 7, 16};
enum { COUNTS = sizeof worker_counts / sizeof worker_counts[0] };

static struct run run; /* large; one at a time */

static void test_order(void **state)
{
    (void)state;
    static const int items[] = {0, 1, 2, 5, 64, 1000};
    for (int c = 0; c < COUNTS; c++)
        for (int slots = 1; slots <= MOST_SLOTS; slots = slots < 4 ? slots + 1 : slots * 4)
            for (size_t k = 0; k < sizeof items / sizeof items[0]; k++) {
                prepare(&run, items[k]);
                run.spread = 1;
                assert_ok(go(&run, worker_counts[c], slots));
                assert_int_equal(run.read, items[k]);
                assert_int_equal(run.worked, items[k]);
                assert_int_equal(run.written, items[k]);
            }
}

/* Exactly what one thread would have done: everything before the lowest failure is written. */
static void expect_failure(int lowest, int code, const char *sentence, int workers, int slots)
{
    int rc = go(&run, workers, slots);
    if (rc != code || strcmp(fn_err_text(rc), sentence) != 0 || run.written != lowest)
        fail_msg("%d workers, %d slots: code %d, '%s' after %d; want %d, '%s' after %d", workers,
                 slots, rc, fn_err_text(rc), run.written, code, sentence, lowest);
}

static void test_failures_of_each_stage(void **state)
{
    (void)state;
    static const int places[] = {0, 1, 2, 3, 7, 16, 31, 98, 99};
    for (int c = 0; c < COUNTS; c++)
        for (size_t k = 0; k < sizeof places / sizeof places[0]; k++)
            for (int slots = 1; slots <= 18; slots = 3 * slots) {
                char sentence[40];
                prepare(&run, 100);
                run.fail_read = places[k];
                snprintf(sentence, sizeof sentence, "read %d", places[k]);
                expect_failure(places[k], FN_EFORMAT, sentence, worker_counts[c], slots);
                prepare(&run, 100);
                run.spread = 1;
                run.fail_work = places[k];
                snprintf(sentence, sizeof sentence, "work %d", places[k]);
                expect_failure(places[k], FN_ECORRUPT, sentence, worker_counts[c], slots);
                prepare(&run, 100);
                run.fail_write = places[k];
                snprintf(sentence, sizeof sentence, "write %d", places[k]);
                expect_failure(places[k], FN_ENOSPC, sentence, worker_counts[c], slots);
            }
    /* A reader may fail where it would have ended. */
    prepare(&run, 100);
    run.fail_read = 100;
    expect_failure(100, FN_EFORMAT, "read 100", 3, 8);
}

static void test_lowest_failure_wins(void **state)
{
    (void)state;
    for (int c = 0; c < COUNTS; c++)
        for (int turn = 0; turn < 20; turn++) {
            /* The reader fails first in time, the slow worker's item lies before it. */
            prepare(&run, 100);
            run.slow = run.fail_work = 5;
            run.fail_read = 9;
            expect_failure(5, FN_ECORRUPT, "work 5", worker_counts[c], 12);
            /* The worker fails first in time, the writer at an item before. */
            prepare(&run, 100);
            run.slow = 3;
            run.fail_write = 3;
            run.fail_work = 6;
            expect_failure(3, FN_ENOSPC, "write 3", worker_counts[c], 12);
            /* The writer fails behind the reader's place: never reached. */
            prepare(&run, 100);
            run.fail_read = 4;
            run.fail_write = 4;
            expect_failure(4, FN_EFORMAT, "read 4", worker_counts[c], 12);
            if (turn > 2)
                turn += 5;
        }
}

static void test_failure_stops_soon(void **state)
{
    (void)state;
    prepare(&run, NEVER);
    run.fail_write = 50;
    expect_failure(50, FN_ENOSPC, "write 50", 4, 8);
    assert_true(run.read <= 50 + 8);
    prepare(&run, NEVER);
    run.fail_work = 50;
    expect_failure(50, FN_ECORRUPT, "work 50", 4, 8);
    assert_true(run.read <= 50 + 8);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    /* While one item is stuck, the others do not run ahead of it by more than the slots. */
    for (int slots = 1; slots <= 16; slots *= 2) {
        prepare(&run, 200);
        run.slow = 20;
        assert_ok(go(&run, 4, slots));
        assert_true(run.most_in_flight <= slots);
        assert_int_equal(run.written, 200);
    }
}

static void test_bad_calls(void **state)
{
    (void)state;
    prepare(&run, 1);
    assert_int_equal(go(&run, 0, 1), FN_EINTERNAL);
    assert_int_equal(go(&run, 1, 0), FN_EINTERNAL);
}

/* There where a sanitizer is linked in, whoever was compiled with it. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

/* In a child, where the limit can be set: threads cannot be started. */
static int run_without_threads(void)
{
    /* Root is not bound by RLIMIT_NPROC; stacks larger than the address space bind everyone. Two of
     * them find room. */
    pthread_attr_t attributes;
    const struct rlimit space = {(rlim_t)400 << 20, (rlim_t)400 << 20};
    if (setrlimit(RLIMIT_AS, &space) != 0)
        return 90;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)150 << 20);
    pthread_setattr_default_np(&attributes);
    prepare(&run, 100);
    int rc = go(&run, 8, 12);
    if (rc == FN_OK || !strstr(fn_err_text(rc), "cannot start thread"))
        return 91;
    if (run.read != 0 || run.written != 0)
        return 92;
    return 7;
}

static void test_threads_that_do_not_start(void **state)
{
    (void)state;
    if (__asan_init || __tsan_init) {
        printf("SKIPPED %s: a sanitizer needs more address space than the test leaves\n", __func__);
        skip();
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(run_without_threads());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static atomic_int signals_here, signals_elsewhere;
static pthread_t main_thread;

static void on_signal(int number)
{
    (void)number;
    if (pthread_equal(pthread_self(), main_thread))
        atomic_fetch_add(&signals_here, 1);
    else
        atomic_fetch_add(&signals_elsewhere, 1);
}

static int work_and_signal(void *context, int worker, void *slot)
{
    kill(getpid(), SIGUSR1);
    return work_item(context, worker, slot);
}

static int signal_in_loop(void *context, int worker, size_t i)
{
    (void)context;
    (void)worker;
    (void)i;
    kill(getpid(), SIGUSR1);
    return FN_OK;
}

static void test_signals_go_to_the_caller(void **state)
{
    (void)state;
    main_thread = pthread_self();
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigaction(SIGUSR1, &action, &before);
    prepare(&run, 500);
    run.workers = 4;
    const struct fn_pipeline p = {.workers = 4,
                                  .slots = 8,
                                  .slot = run.slot,
                                  .context = &run,
                                  .read = read_item,
                                  .work = work_and_signal,
                                  .write = write_item};
    assert_ok(fn_pipeline_run(&p));
    assert_ok(fn_parallel_for(4, 500, NULL, signal_in_loop));
    sigaction(SIGUSR1, &before, NULL);
    assert_true(signals_here > 0);
    assert_int_equal(signals_elsewhere, 0);
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    assert_false(sigismember(&mask, SIGUSR1)); /* the caller's own mask is as it was */
}

struct loop {
    atomic_int times[1000];
    atomic_int inside[16];
    int threads;
    size_t fail_at[2];
    size_t slow;
};

static int loop_item(void *context, int worker, size_t i)
{
    struct loop *loop = context;
    check(worker >= 0 && worker < loop->threads);
    check(atomic_exchange(&loop->inside[worker], 1) == 0);
    if (i == loop->slow)
        usleep(20000);
    atomic_fetch_add(&loop->times[i], 1);
    atomic_store(&loop->inside[worker], 0);
    if (i == loop->fail_at[0] || i == loop->fail_at[1])
        return fn_fail(FN_ECORRUPT, "index %zu", i);
    return FN_OK;
}

static void test_parallel_for(void **state)
{
    (void)state;
    static struct loop loop;
    static const size_t sizes[] = {0, 1, 2, 3, 17, 1000};
    for (int threads = -1; threads <= 16; threads += threads < 4 ? 1 : 4)
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            memset(&loop, 0, sizeof loop);
            loop.threads = threads < 1 ? 1 : threads;
            loop.fail_at[0] = loop.fail_at[1] = loop.slow = SIZE_MAX;
            assert_ok(fn_parallel_for(threads, sizes[k], &loop, loop_item));
            for (size_t i = 0; i < 1000; i++)
                assert_int_equal(loop.times[i], i < sizes[k]);
        }
}

static void test_parallel_for_failures(void **state)
{
    (void)state;
    static struct loop loop;
    static const size_t places[][2] = {{0, 0}, {0, 1}, {5, 6}, {5, 900}, {999, 999}};
    for (int threads = 1; threads <= 16; threads *= 2)
        for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
            memset(&loop, 0, sizeof loop);
            loop.threads = threads;
            /* The lower one fails later in time. */
            loop.slow = loop.fail_at[0] = places[k][0];
            loop.fail_at[1] = places[k][1];
            char sentence[40];
            snprintf(sentence, sizeof sentence, "index %zu", places[k][0]);
            assert_int_equal(fn_parallel_for(threads, 1000, &loop, loop_item), FN_ECORRUPT);
            assert_string_equal(fn_err_text(0), sentence);
            for (size_t i = 0; i <= places[k][0]; i++)
                assert_int_equal(loop.times[i], 1);
            if (threads == 1 && places[k][0] < 999)
                assert_int_equal(loop.times[places[k][0] + 1], 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_failures_of_each_stage),
        cmocka_unit_test(test_lowest_failure_wins),
        cmocka_unit_test(test_failure_stops_soon),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_threads_that_do_not_start),
        cmocka_unit_test(test_signals_go_to_the_caller),
        cmocka_unit_test(test_parallel_for),
        cmocka_unit_test(test_parallel_for_failures),
    };
    return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
