/* SPDX-License-Identifier: MIT */
/* Runs the cases on a device and on ref64, and compares. */
#include "kernels/selftest.h"

#include <math.h>
#include <string.h>

#include "kernels/selftest_probe.h"

enum { LAYERS, LOSSES };

/* How far a result may be off, as a share of the array's largest magnitude.
 * fp32: sums of some hundred products, each rounded to 2^-24, give 4e-7; Winograd's algorithm may
 * lose a few bits more. TF32 and tensor cores keep 10 bits of what they multiply. bf16:
 * a result is stored with 8 bits. */
static const double fp32_allowed = 2e-5, tf32_allowed = 4e-3, bf16_allowed = 1e-2;

/* Losses and optimizers are fp32 in every precision. */
static double allowed_of(const struct fn_probe_case *c, int list, const struct fn_dev_options *o)
{
    if (o->precision == FN_BF16 && list == LAYERS)
        return bf16_allowed;
    return c->products && o->allow_tf32 ? tf32_allowed : fp32_allowed;
}

/* Largest difference of two arrays, as a share of the largest magnitude wanted; INFINITY where one
 * of them has a NaN or infinity that the other has not. */
static double error_of(const double *got, const double *want, size_t count)
{
    double most = 0, off = 0;
    for (size_t i = 0; i < count; i++) {
        if (got[i] == want[i])
            continue;
        if (!isfinite(got[i]) || !isfinite(want[i]))
            return INFINITY;
        off = fmax(off, fabs(got[i] - want[i]));
    }
    for (size_t i = 0; i < count; i++)
        most = isfinite(want[i]) ? fmax(most, fabs(want[i])) : most;
    return off == 0 ? 0 : off / fmax(most, 1e-30);
}

static double compare(const struct fn_probe *got, const struct fn_probe *want)
{
    double worst = 0;
    if (got->outs != want->outs || !want->outs)
        return INFINITY;
    for (int i = 0; i < want->outs; i++) {
        if (got->out[i].count != want->out[i].count)
            return INFINITY;
        worst = fmax(worst, error_of(got->out[i].value, want->out[i].value, want->out[i].count));
    }
    return worst;
}

/* One case on the device, against what ref64 left; again with the next algorithm while it is wrong
 * and there is one. */
static int try_case(const struct fn_probe_case *c, const struct fn_probe *on, struct fn_probe *want,
                    struct fn_selftest_row *row)
{
    const struct fn_backend *be = on->be;
    int rc = FN_OK;
    for (row->retries = 0;; row->retries++) {
        struct fn_probe got = *on;
        if (be->distrust)
            (void)be->distrust(on->dev, 0);
        c->run(&got, c->variant);
        row->error = got.rc ? INFINITY : compare(&got, want);
        fn_probe_clear(&got);
        rc = got.rc;
        if (rc || row->error <= row->allowed || !be->distrust || be->distrust(on->dev, 1))
            break;
    }
    if (rc)
        return fn_fail_in(rc, "self-test: %s", c->op);
    fn_err_clear();
    if (row->error <= row->allowed)
        return FN_OK;
    return fn_fail(FN_EDEVICE,
                   "self-test: %s is off by %.2g of its largest value, %.2g is allowed: this "
                   "device, its driver or its libraries compute wrongly; do not train on it",
                   c->op, row->error, row->allowed);
}

static int run_case(const struct fn_probe_case *c, const struct fn_probe *on,
                    const struct fn_probe *oracle, int speed, struct fn_selftest_row *row)
{
    struct fn_probe want = *oracle;
    int rc;
    c->run(&want, c->variant);
    rc = want.rc ? fn_fail_in(want.rc, "self-test: %s by plain loops", c->op)
                 : try_case(c, on, &want, row);
    fn_probe_clear(&want);
    if (!rc && speed) {
        struct fn_probe timed = *on;
        timed.large = 1;
        c->run(&timed, c->variant);
        fn_probe_clear(&timed);
        row->seconds = timed.seconds;
        row->bytes = timed.bytes;
        row->flops = timed.flops;
        rc = timed.rc ? fn_fail_in(timed.rc, "self-test: %s, large", c->op) : FN_OK;
    }
    return rc;
}

int fn_selftest(const struct fn_backend *be, struct fn_dev *dev,
                const struct fn_dev_options *options, int speed, struct fn_selftest_row *rows,
                size_t *count)
{
    static const struct fn_probe_case *const lists[] = {
        [LAYERS] = fn_probe_layers, [LOSSES] = fn_probe_losses};
    const struct fn_dev_options plain = {.threads = 1};
    const int narrow = options->precision == FN_BF16;
    struct fn_dev *ref = NULL;
    int rc = fn_backend_ref64.open(&ref, &plain);
    const struct fn_probe on = {.be = be, .dev = dev, .narrow = narrow};
    const struct fn_probe oracle = {.be = &fn_backend_ref64, .dev = ref, .narrow = narrow};
    *count = 0;
    for (int l = LAYERS; l <= LOSSES && !rc; l++)
        for (const struct fn_probe_case *c = lists[l]; c->op && !rc; c++) {
            struct fn_selftest_row *row = &rows[*count];
            if (*count == FN_SELFTEST_ROWS) {
                rc = fn_fail(FN_EINTERNAL, "more than %d cases", FN_SELFTEST_ROWS);
                break;
            }
            *row = (struct fn_selftest_row){.op = c->op, .allowed = allowed_of(c, l, options)};
            rc = run_case(c, &on, &oracle, speed, row);
            ++*count;
        }
    fn_backend_ref64.close(&ref);
    return rc;
}
