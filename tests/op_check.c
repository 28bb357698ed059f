/* SPDX-License-Identifier: MIT */
/* Cases of ops on any backend, held against ref64. */
#include "tests/op_check.h"

#include <math.h>

#include "base/rng.h"
#include "tests/test.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

enum { BACKENDS = 3 };
static const char *const all_backends[BACKENDS] = {"ref", "cpu", "cuda"};

static int is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ',') && (at[length] == '\0' || at[length] == ','))
            return 1;
    return 0;
}

const char *fn_check_backend(int i)
{
    static const char *usable[BACKENDS + 1];
    static int looked;
    const char *list = getenv("FN_TEST_BACKENDS");
    int count = 0;
    for (int k = 0; !looked && k < BACKENDS; k++) {
        struct fn_check c;
        if (list && !is_listed(list, all_backends[k]))
            continue;
        if (UNDER_TSAN && strcmp(all_backends[k], "cpu") == 0) {
            printf("SKIPPED backend cpu: ThreadSanitizer does not know OpenMP's barriers\n");
        } else if (fn_check_open(&c, all_backends[k], 0)) {
            usable[count++] = all_backends[k];
            printf("backend %s: %s\n", all_backends[k], c.backend->info(c.dev)->device);
            fn_check_close(&c);
        } else if (list) {
            fail_msg("FN_TEST_BACKENDS names %s: %s", all_backends[k],
                     fn_err_text(FN_EUNSUPPORTED));
        } else {
            printf("SKIPPED backend %s: %s\n", all_backends[k], fn_err_text(FN_EUNSUPPORTED));
        }
    }
    looked = 1;
    return usable[i];
}

int fn_check_open(struct fn_check *c, const char *name, int threads)
{
    const struct fn_dev_options options = {.threads = threads, .precision = FN_FP32};
    memset(c, 0, sizeof *c);
    return fn_backend_open(name, &options, &c->backend, &c->dev, NULL) == FN_OK;
}

void fn_check_reset(struct fn_check *c)
{
    assert_ok(c->backend->sync(c->dev));
    c->backend->workspace(c->dev, NULL, 0);
    for (int i = 0; i < c->blocks; i++)
        c->backend->free(c->dev, c->block[i].kind, c->block[i].data);
    for (int i = 0; i < c->kept_count; i++)
        free(c->kept[i].value);
    c->blocks = c->kept_count = 0;
}

void fn_check_close(struct fn_check *c)
{
    if (c->dev)
        fn_check_reset(c);
    if (c->backend)
        c->backend->close(&c->dev);
    assert_null(c->dev);
}

void fn_check_case(const char *backend, const char *what, fn_check_run *run, const void *the_case,
                   struct fn_tolerance tolerance)
{
    struct fn_check want, got, again;
    char title[256];
    snprintf(title, sizeof title, "%s: %s", backend, what);
    if (!fn_check_open(&want, "ref64", 0) || !fn_check_open(&got, backend, 0))
        fail_msg("%s: %s", title, fn_err_text(FN_EUNSUPPORTED));
    run(&want, the_case);
    run(&got, the_case);
    /* Opened only now: a pretend GPU works in the order of the device that was opened last. */
    if (!fn_check_open(&again, backend, 0))
        fail_msg("%s: %s", title, fn_err_text(FN_EUNSUPPORTED));
    run(&again, the_case);
    fn_check_same(title, &got, &want, tolerance);
    strcat(title, ", once more");
    fn_check_same(title, &again, &got, (struct fn_tolerance){0, 0, 0});
    fn_check_close(&want);
    fn_check_close(&got);
    fn_check_close(&again);
}

void fn_check_all(const char *what, fn_check_run *run, const void *the_case,
                  struct fn_tolerance tolerance)
{
    for (int i = 0; fn_check_backend(i); i++)
        fn_check_case(fn_check_backend(i), what, run, the_case, tolerance);
}

static unsigned compared; /* arrays */

static void say_compared(void)
{
    printf("%u arrays compared with ref64\n", compared);
}

static void same_array(const char *what, const struct fn_kept *got, const struct fn_kept *want,
                       struct fn_tolerance tolerance)
{
    double most = 0, worst = 0;
    size_t at = 0, wrong = 0;
    if (tolerance.relative > 0 && compared++ == 0)
        atexit(say_compared);
    if (got->count != want->count)
        fail_msg("%s: %s has %zu elements, want %zu", what, got->name, got->count, want->count);
    for (size_t i = 0; i < want->count; i++)
        if (fabs(want->value[i]) > most && isfinite(want->value[i]))
            most = fabs(want->value[i]);
    for (size_t i = 0; i < want->count; i++) {
        double g = got->value[i], w = want->value[i];
        if (g == w || (isnan(g) && isnan(w)))
            continue;
        double allowed = tolerance.share * most + tolerance.relative * fabs(w) + tolerance.absolute;
        double off = fabs(g - w), times = off / (allowed > 0 ? allowed : 1e-300);
        if (!(off <= allowed))
            wrong++;
        if (!(times <= worst)) { /* the first NaN stays the worst */
            worst = isnan(times) ? INFINITY : times;
            at = i;
        }
    }
    if (wrong)
        fail_msg("%s: %s[%zu] = %.9g, want %.9g: off by %.3g, %.3g times what is allowed; "
                 "%zu of %zu elements are wrong",
                 what, got->name, at, got->value[at], want->value[at],
                 fabs(got->value[at] - want->value[at]), worst, wrong, want->count);
    if (getenv("FN_TEST_VERBOSE") && tolerance.relative > 0)
        printf("%s: %s: worst element at %.3f of the tolerance\n", what, got->name, worst);
}

void fn_check_same(const char *what, const struct fn_check *got, const struct fn_check *want,
                   struct fn_tolerance tolerance)
{
    if (want->kept_count == 0)
        fail_msg("%s: nothing was kept", what);
    assert_int_equal(got->kept_count, want->kept_count);
    for (int i = 0; i < want->kept_count; i++)
        same_array(what, &got->kept[i], &want->kept[i], tolerance);
}

void *fn_check_alloc(struct fn_check *c, size_t bytes, int kind)
{
    void *data;
    assert_true(c->blocks < FN_CHECK_BLOCKS);
    assert_ok(c->backend->alloc(c->dev, bytes, kind, &data));
    c->block[c->blocks].data = data;
    c->block[c->blocks++].kind = kind;
    return data;
}

double fn_check_random(int stream, size_t i)
{
    return (float)(2 * fn_rng_unit(fn_rng(666, (uint64_t)stream, i, FN_RNG_INIT)) - 1);
}

double *fn_check_host(size_t count, int stream, double scale, double shift)
{
    double *host = malloc((count ? count : 1) * sizeof *host);
    assert_non_null(host);
    for (size_t i = 0; i < count; i++)
        host[i] = (float)(fn_check_random(stream, i) * scale + shift);
    return host;
}

static struct fn_tensor whole_buffer(const struct fn_tensor *t)
{
    struct fn_tensor whole = *t;
    whole.c0 = 0;
    whole.c = t->ctotal;
    return whole;
}

static size_t elements(const struct fn_tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

struct fn_tensor fn_check_slice(struct fn_check *c, int n, int h, int w, int channels, int c0,
                                int ctotal, int stream)
{
    struct fn_tensor t = {n, h, w, channels, c0, ctotal, NULL};
    t.data = fn_check_alloc(c, c->backend->tensor_bytes(c->dev, n, h, w, ctotal), FN_MEM_DEVICE);
    const struct fn_tensor whole = whole_buffer(&t);
    double *host = fn_check_host(elements(&whole), stream, 1, 0);
    assert_ok(c->backend->tensor_import(c->dev, host, FN_F64, &whole));
    free(host);
    return t;
}

struct fn_tensor fn_check_tensor(struct fn_check *c, int n, int h, int w, int channels, int stream)
{
    return fn_check_slice(c, n, h, w, channels, 0, channels, stream);
}

struct fn_tensor fn_check_rows(struct fn_check *c, int n, int d, int stream, double scale)
{
    struct fn_tensor t = {n, 1, 1, d, 0, d, NULL};
    t.data = fn_check_vector(c, (size_t)n * (size_t)d, stream, scale, 0);
    return t;
}

void *fn_check_vector(struct fn_check *c, size_t count, int stream, double scale, double shift)
{
    double *host = fn_check_host(count, stream, scale, shift);
    void *data = fn_check_vector_of(c, host, count);
    free(host);
    return data;
}

void *fn_check_vector_of(struct fn_check *c, const double *host, size_t count)
{
    void *data = fn_check_alloc(c, count * c->backend->info(c->dev)->param_bytes, FN_MEM_DEVICE);
    assert_ok(c->backend->vector_import(c->dev, host, FN_F64, count, data));
    return data;
}

void fn_check_workspace(struct fn_check *c, size_t bytes)
{
    c->backend->workspace(c->dev, fn_check_alloc(c, bytes, FN_MEM_DEVICE), bytes);
}

void fn_check_keep(struct fn_check *c, const char *name, const double *value, size_t count)
{
    assert_true(c->kept_count < FN_CHECK_KEPT);
    struct fn_kept *kept = &c->kept[c->kept_count++];
    snprintf(kept->name, sizeof kept->name, "%s", name);
    kept->count = count;
    kept->value = malloc((count ? count : 1) * sizeof *value);
    assert_non_null(kept->value);
    memcpy(kept->value, value, count * sizeof *value);
}

void fn_check_keep_tensor(struct fn_check *c, const char *name, const struct fn_tensor *t)
{
    const struct fn_tensor whole = whole_buffer(t);
    double *host = fn_check_read(c, &whole);
    fn_check_keep(c, name, host, elements(&whole));
    free(host);
}

void fn_check_keep_rows(struct fn_check *c, const char *name, const struct fn_tensor *t)
{
    assert_true(t->h == 1 && t->w == 1 && t->ctotal == t->c);
    fn_check_keep_vector(c, name, t->data, elements(t));
}

void fn_check_keep_vector(struct fn_check *c, const char *name, const void *data, size_t count)
{
    double *host = fn_check_read_vector(c, data, count);
    fn_check_keep(c, name, host, count);
    free(host);
}

void fn_check_keep_losses(struct fn_check *c)
{
    double losses[FN_LOSS_COUNT];
    fn_check_losses(c, losses);
    for (int i = 0; i < FN_LOSS_COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "loss %d", i);
        fn_check_keep(c, name, &losses[i], 1); /* each by itself: they differ much in size */
    }
}

double *fn_check_read(struct fn_check *c, const struct fn_tensor *t)
{
    double *host = malloc((elements(t) ? elements(t) : 1) * sizeof *host);
    assert_non_null(host);
    assert_ok(c->backend->tensor_export(c->dev, t, host, FN_F64));
    return host;
}

double *fn_check_read_vector(struct fn_check *c, const void *data, size_t count)
{
    double *host = malloc((count ? count : 1) * sizeof *host);
    assert_non_null(host);
    assert_ok(c->backend->vector_export(c->dev, data, count, host, FN_F64));
    return host;
}

void fn_check_losses(struct fn_check *c, double losses[FN_LOSS_COUNT])
{
    assert_ok(c->backend->losses_post(c->dev, 2));
    assert_ok(c->backend->losses_wait(c->dev, 2, losses));
}
