/* SPDX-License-Identifier: MIT */
/* From a file on disk to an evaluating exec. */
#include "train/infer.h"

#include <string.h>

#include "base/log.h"
#include "train/weights.h"

static int open_device(struct fn_infer *f, const struct fn_infer_options *o)
{
    const struct fn_dev_options dev = {.threads = o->threads, .precision = o->precision};
    const char *why = NULL;
    int rc = fn_backend_open(o->device, &dev, &f->be, &f->dev, &why);
    if (rc)
        return rc;
    if (why)
        fn_info("%s", why);
    fn_info("Device: %s (%s), %s", f->be->name, f->be->info(f->dev)->device,
            o->precision == FN_BF16 ? "bf16" : "fp32");
    return FN_OK;
}

static int open_model(struct fn_infer *f, const struct fn_infer_options *o)
{
    const struct fn_model_record *r = &f->file->record;
    const struct fn_net_options net = {r->network, r->image_size, r->embedding, 0};
    const struct fn_model_options model = {.training = 0};
    const struct fn_exec_options exec = {o->batch, 0, FN_HEAD_NONE};
    struct fn_weights_report report;
    int rc = fn_net_open(&f->net, &net);
    if (!rc)
        rc = fn_model_open(&f->model, f->net, f->be, f->dev, &model);
    if (!rc)
        rc = fn_exec_open(&f->exec, f->model, &exec);
    if (!rc)
        rc = fn_model_commit(f->model, NULL, 0, fn_log_level() >= FN_LOG_VERBOSE);
    if (!rc)
        rc = fn_weights_load(f->model, f->file->st, f->file->path, FN_WEIGHTS_ALL, &report);
    if (!rc)
        fn_info("Model: %s, %s, %d pixels, %s standardization, embedding %d", f->file->path,
                r->network, r->image_size, r->per_image ? "per-image" : "fixed", r->embedding);
    return rc;
}

int fn_infer_file(struct fn_infer *f, const struct fn_infer_options *o)
{
    int rc;
    memset(f, 0, sizeof *f);
    rc = fn_model_file_open(&f->file, o->model, o->ema);
    if (!rc)
        rc = fn_model_file_agree(f->file, &o->told);
    if (rc)
        fn_infer_close(f);
    return rc;
}

int fn_infer_open(struct fn_infer *f, const struct fn_infer_options *o)
{
    int rc = open_device(f, o);
    if (!rc)
        rc = open_model(f, o);
    if (rc)
        fn_infer_close(f);
    return rc;
}

void fn_infer_close(struct fn_infer *f)
{
    fn_model_close(&f->model);
    fn_net_close(&f->net);
    if (f->dev)
        f->be->close(&f->dev);
    fn_model_file_close(&f->file);
    memset(f, 0, sizeof *f);
}
