/* SPDX-License-Identifier: MIT */
/* fn-train --selftest, and its quick form at the start of a run on a GPU. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "kernels/selftest.h"
#include "train/run_parts.h"

struct fn_dev_options fn_run_dev_options(const struct fn_train_options *o)
{
    return (struct fn_dev_options){
        .threads = (int)o->common.threads,
        .precision = !strcmp(o->precision, "bf16") ? FN_BF16 : FN_FP32,
        .allow_tf32 = o->allow_tf32,
        .deterministic = o->deterministic,
    };
}

static void print_table(const struct fn_selftest_row *rows, size_t count)
{
    printf("%-26s %9s %9s %7s %10s %9s %9s\n", "operation", "error", "allowed", "retries", "ms",
           "GB/s", "Gflop/s");
    for (size_t i = 0; i < count; i++) {
        const struct fn_selftest_row *r = &rows[i];
        printf("%-26s %9.1e %9.1e %7d", r->op, r->error, r->allowed, r->retries);
        if (r->seconds > 0)
            printf(" %10.4f %9.1f", r->seconds * 1e3, r->bytes / r->seconds * 1e-9);
        if (r->seconds > 0 && r->flops > 0)
            printf(" %9.1f", r->flops / r->seconds * 1e-9);
        printf("\n");
    }
}

static int print_json(const char *device, const struct fn_selftest_row *rows, size_t count)
{
    json_t *o = json_object(), *list = json_array();
    int bad = !o || !list;
    for (size_t i = 0; i < count && !bad; i++) {
        const struct fn_selftest_row *r = &rows[i];
        json_t *row = json_object();
        json_t *error = isfinite(r->error) ? json_real(r->error) : json_null();
        bad = !row || json_object_set_new(row, "operation", json_string(r->op)) ||
              json_object_set_new(row, "error", error) ||
              json_object_set_new(row, "allowed", json_real(r->allowed)) ||
              json_object_set_new(row, "retries", json_integer(r->retries)) ||
              json_object_set_new(row, "seconds", json_real(r->seconds)) ||
              json_object_set_new(row, "bytes", json_real(r->bytes)) ||
              json_object_set_new(row, "flops", json_real(r->flops)) ||
              json_array_append(list, row);
        json_decref(row);
    }
    bad = bad || json_object_set_new(o, "device", fn_json_bytes(device, strlen(device))) ||
          json_object_set(o, "operations", list);
    int rc = bad ? fn_fail(FN_ENOMEM, "no memory for the self-test's table") : fn_json_print(o);
    json_decref(list);
    json_decref(o);
    return rc;
}

int fn_run_selftest(const struct fn_train_options *o)
{
    const struct fn_dev_options options = fn_run_dev_options(o);
    struct fn_selftest_row rows[FN_SELFTEST_ROWS];
    const struct fn_backend *be;
    struct fn_err_note note;
    struct fn_dev *dev;
    const char *why;
    size_t count;
    int rc = fn_backend_open(o->device, &options, &be, &dev, &why), printed = FN_OK;
    if (rc)
        return rc;
    if (why)
        fn_info("%s", why);
    fn_info("Device: %s (%s), %s", be->name, be->info(dev)->device, o->precision);
    rc = fn_selftest(be, dev, &options, 1, rows, &count);
    fn_err_note_take(&note, rc);
    if (o->common.json)
        printed = print_json(be->info(dev)->device, rows, count);
    else
        print_table(rows, count);
    be->close(&dev);
    return rc ? fn_err_note_raise(&note) : printed;
}

int fn_run_selftest_quick(struct fn_run *r, const struct fn_dev_options *options)
{
    struct fn_selftest_row rows[FN_SELFTEST_ROWS];
    const double begin = fn_now();
    size_t count;
    int rc = fn_selftest(r->be, r->dev, options, 0, rows, &count);
    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++)
        if (rows[i].retries)
            fn_warn("self-test: %s: %d of cuDNN's algorithms compute wrongly on this device and "
                    "are not used",
                    rows[i].op, rows[i].retries);
    fn_info("Self-test: %zu operations agree with plain loops, %.1f s", count, fn_now() - begin);
    return FN_OK;
}
