/* SPDX-License-Identifier: MIT */
/* Differences of forward passes against backward passes. */
#include "tests/op_probe.h"

#include <math.h>

#include "tests/test.h"

enum {
    PROBES = 80,  /* elements of an input that are tried */
    INPUTS = 50,  /* random streams: of the inputs, */
    RESULTS = 99, /* and of r */
};

void fn_probe_open(struct fn_probe *p, const void *the_case)
{
    memset(p, 0, sizeof *p);
    assert_true(fn_check_open(&p->k, "ref64", 1));
    p->the_case = the_case;
}

void fn_probe_input(struct fn_probe *p, int i, size_t count, double scale)
{
    p->count[i] = count;
    p->in[i] = fn_check_host(count, INPUTS + i, scale, 0);
}

void fn_probe_close(struct fn_probe *p)
{
    for (int i = 0; i < FN_PROBE_INPUTS; i++) {
        free(p->in[i]);
        free(p->analytic[i]);
    }
    fn_check_close(&p->k);
}

static void check_input(struct fn_probe *p, const char *what, fn_probe_loss *loss, int i)
{
    const double h = 1e-5;
    const size_t step = p->count[i] / PROBES + 1;
    double most = 0;
    for (size_t e = 0; e < p->count[i]; e++)
        most = fmax(most, fabs(p->analytic[i][e]));
    for (size_t e = 0; e < p->count[i]; e += step) {
        const double kept = p->in[i][e];
        p->in[i][e] = kept + h;
        const double above = loss(p);
        p->in[i][e] = kept - h;
        const double below = loss(p);
        p->in[i][e] = kept;
        const double want = (above - below) / (2 * h), got = p->analytic[i][e];
        const double rounding = 1e-10 * fabs(above); /* of L, divided by h */
        if (!(fabs(got - want) <= 1e-7 * most + rounding))
            fail_msg("%s: gradient of input %d[%zu] = %.10g, differences say %.10g", what, i, e,
                     got, want);
    }
}

void fn_probe_check(struct fn_probe *p, const char *what, fn_probe_loss *loss)
{
    for (int i = 0; i < FN_PROBE_INPUTS && p->in[i]; i++)
        check_input(p, what, loss, i);
}

struct fn_tensor fn_probe_tensor(struct fn_probe *p, int n, int h, int w, int c, const double *host)
{
    const struct fn_tensor t = fn_check_tensor(&p->k, n, h, w, c, RESULTS);
    if (host)
        assert_ok(p->k.backend->tensor_import(p->k.dev, host, FN_F64, &t));
    return t;
}

static size_t elements(const struct fn_tensor *t)
{
    return (size_t)t->n * (size_t)t->h * (size_t)t->w * (size_t)t->c;
}

void fn_probe_added(struct fn_probe *p, const char *what, const struct fn_tensor *t,
                    const double *gradient)
{
    double *got = fn_check_read(&p->k, t);
    for (size_t i = 0; i < elements(t); i++) {
        const double want = fn_check_random(RESULTS, i) + gradient[i];
        if (!(fabs(got[i] - want) <= 1e-12 * (1 + fabs(want))))
            fail_msg("%s: [%zu] = %.10g after adding, want %.10g", what, i, got[i], want);
    }
    free(got);
}

double fn_probe_weighted(struct fn_probe *p, const struct fn_tensor *t)
{
    double *out = fn_check_read(&p->k, t), sum = 0;
    for (size_t i = 0; i < elements(t); i++)
        sum += fn_check_random(RESULTS, i) * out[i];
    free(out);
    fn_check_reset(&p->k);
    return sum;
}
