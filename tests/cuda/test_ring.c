/* SPDX-License-Identifier: MIT */
/* A run on the pretend GPU as fn-train does it, loader threads beside it: between two steps in the
 * middle of it nothing of ours allocates, no thread holds a lock while it decodes a picture, and
 * none takes one on the way. Counted by standing in for the C library's functions (--wrap): calls
 * from our code only, so not what libjpeg takes for itself; the pretend GPU's own are left out. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "tests/cuda/pretend.h"
#include "tests/run_rig.h"

enum {
    WORKERS = 2,
    GROWN = 64,     /* pictures after which a worker's buffers have the size that they keep */
    STEPS = 100000, /* at most: until every worker has had its share, and then those */
    COUNTED = 110   /* steps; one in a hundred writes TensorBoard's events */
};

static _Thread_local int pretending, held, decoding, decoded;
static atomic_int is_counting, grown; /* grown: workers that have decoded GROWN pictures */
static atomic_int allocations, locks, pictures, held_decoding, locked_decoding;
static int first_step, steps; /* is_counting since; counted */
static struct fn_train_options *options_of_run;

static void count(atomic_int *what)
{
    if (!pretending && atomic_load(&is_counting))
        atomic_fetch_add(what, 1);
}

/* ---- stand-ins ---- */

#define WRAP(type, name, parameters)                                                               \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters
#define ALLOCATES(type, name, parameters, arguments)                                               \
    WRAP(type, name, parameters)                                                                   \
    {                                                                                              \
        count(&allocations);                                                                       \
        return __real_##name arguments;                                                            \
    }
ALLOCATES(void *, malloc, (size_t bytes), (bytes))
ALLOCATES(void *, calloc, (size_t n, size_t bytes), (n, bytes))
ALLOCATES(void *, realloc, (void *old, size_t bytes), (old, bytes))
ALLOCATES(void *, aligned_alloc, (size_t at, size_t bytes), (at, bytes))
ALLOCATES(int, posix_memalign, (void **out, size_t at, size_t bytes), (out, at, bytes))
ALLOCATES(char *, strdup, (const char *text), (text))
ALLOCATES(FILE *, fopen, (const char *path, const char *mode), (path, mode))

WRAP(int, pthread_mutex_lock, (pthread_mutex_t * lock))
{
    count(&locks);
    if (decoding)
        count(&locked_decoding);
    held += !pretending;
    return __real_pthread_mutex_lock(lock);
}

WRAP(int, pthread_mutex_unlock, (pthread_mutex_t * lock))
{
    held -= !pretending;
    return __real_pthread_mutex_unlock(lock);
}

WRAP(int, fn_pretend_enter, (void))
{
    pretending++;
    return __real_fn_pretend_enter();
}

WRAP(int, fn_pretend_leave, (int error))
{
    error = __real_fn_pretend_leave(error);
    pretending--;
    return error;
}

/* From the record to the crop in its slot. */
WRAP(int, fn_fetch_example,
     (struct fn_fetch * fetch, uint64_t id, const struct fn_augment *augment, uint64_t pass,
      uint64_t position, uint8_t *out))
{
    count(&pictures);
    if (held)
        count(&held_decoding);
    decoding = 1;
    int rc = __real_fn_fetch_example(fetch, id, augment, pass, position, out);
    decoding = 0;
    if (++decoded == GROWN)
        atomic_fetch_add(&grown, 1);
    return rc;
}

WRAP(int, fn_step_train,
     (struct fn_exec * exec, const struct fn_step *step, const uint8_t *images,
      const int32_t *labels, const struct fn_step_options *options))
{
    if (!first_step && step->step > 4 && atomic_load(&grown) == WORKERS) {
        first_step = (int)step->step;
        atomic_store(&is_counting, 1);
    }
    if (first_step && (int)step->step == first_step + COUNTED) {
        atomic_store(&is_counting, 0);
        steps = COUNTED;
        options_of_run->max_steps = (int64_t)step->step + 2;
    }
    return __real_fn_step_train(exec, step, images, labels, options);
}

/* ---- the test ---- */

/* The start's self-test wants results; the steps may do without. */
static void in_no_time(struct fn_run *run)
{
    struct fn_pretend_options o = fn_pretend_defaults();
    (void)run;
    o.idle = 1;
    o.order = FN_PRETEND_EAGER;
    fn_pretend_set(&o);
}

static void test_ring(void **state)
{
    static const int images[] = {20, 20, 20};
    struct run_rig r;
    (void)state;
    atomic_store(&is_counting, 1); /* what is counted is counted */
    run_rig_open(&r, images, 3, 0);
    assert_true(atomic_load(&allocations) > 0 && held == 0);
    atomic_store(&is_counting, 0);
    atomic_store(&allocations, 0);
    options_of_run = r.o;
    r.o->device = "cuda";
    r.o->workers = WORKERS;
    r.o->max_steps = r.o->epoch_size = STEPS;
    r.o->save_every = 0;
    assert_ok(run_rig_train(&r, NULL, in_no_time));
    printf("%d steps from step %d on: %d pictures decoded, %d locks taken, %d of them decoding, %d "
           "held decoding, %d allocations\n",
           steps, first_step, (int)pictures, (int)locks, (int)locked_decoding, (int)held_decoding,
           (int)allocations);
    assert_int_equal(steps, COUNTED);
    assert_true(pictures > COUNTED);
    assert_true(locks > COUNTED);
    assert_int_equal(allocations, 0);
    assert_int_equal(held_decoding, 0);
    assert_int_equal(locked_decoding, 0);
    assert_int_equal(fn_pretend_counted().faults, 0);
    fn_run_close(&r.run);
    run_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ring)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
