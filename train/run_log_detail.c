/* SPDX-License-Identifier: MIT */
/* What a run shows of its inside: the crops it begins with, histograms of weights, gradients and
 * prelogits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/image.h"
#include "train/run_parts.h"

enum { SHOWN = 16 }; /* crops */

/* ---- the first batch ------------------------------------------------------------------------ */
int fn_run_log_crops(struct fn_run *r, const uint8_t *images, int n)
{
    size_t side = (size_t)r->o->image_size, bytes = side * side * 3;
    struct fn_codec *codec = NULL;
    struct fn_image im = {0};
    struct fn_bytes png = {0};
    int rc = fn_codec_open(&codec);
    if (!rc)
        rc = fn_image_reserve(&im, (int)side, (int)side);
    for (int i = 0; i < n && i < SHOWN && !rc; i++) {
        char tag[40];
        snprintf(tag, sizeof tag, "first_batch/image/%d", i); /* as tf.summary.image names them */
        memcpy(im.rgb, images + (size_t)i * bytes, bytes);
        rc = fn_png_encode(codec, &im, 6, &png);
        if (!rc)
            rc = fn_run_tolerate(
                r, fn_events_image(r->events, tag, 1, im.w, im.h, png.data, png.bytes));
    }
    fn_bytes_free(&png);
    fn_image_free(&im);
    fn_codec_close(&codec);
    return rc;
}

static int put_histogram(struct fn_run *r, const char *tag, const float *values, size_t count,
                         int64_t step)
{
    struct fn_histogram *h = calloc(1, sizeof *h);
    int rc;
    if (!h)
        return fn_fail(FN_ENOMEM, "no memory for a histogram");
    fn_histogram_add(h, values, count);
    rc = fn_run_tolerate(r, fn_events_histogram(r->events, tag, step, h));
    free(h);
    return rc;
}

/* ---- prelogits ------------------------------------------------------------------------------ */
/* min(|x|, max) into bins of equal width over 0 .. max, the last one closed: numpy's histogram. */
static void count_prelogits(uint64_t *bins, const float *x, size_t count, double max)
{
    const double width = max / FN_PRELOGITS_BINS;
    for (size_t i = 0; i < count; i++) {
        double v = fmin(fabs((double)x[i]), max);
        int k = (int)(v / max * FN_PRELOGITS_BINS);
        if (!isfinite(x[i]))
            continue;
        k = k >= FN_PRELOGITS_BINS ? FN_PRELOGITS_BINS - 1 : k;
        k -= k > 0 && v < k * width;
        k += k < FN_PRELOGITS_BINS - 1 && v >= (k + 1) * width;
        bins[k]++;
    }
}

int fn_run_log_prelogits(struct fn_run *r, int n, uint64_t step)
{
    size_t count = (size_t)n * (size_t)r->net->embedding_size;
    const struct fn_tensor rows = fn_step_prelogits(r->train, &r->step);
    int rc;
    if (r->lag) /* the next step is already at them */
        return FN_OK;
    if (!r->prelogits &&
        !(r->prelogits = malloc((size_t)r->train_ring.n * (size_t)r->net->embedding_size *
                                sizeof *r->prelogits)))
        return fn_fail(FN_ENOMEM, "no memory for the prelogits of a batch");
    rc = r->be->tensor_export(r->dev, &rows, r->prelogits, FN_F32);
    if (rc)
        return rc;
    count_prelogits(r->state.prelogits, r->prelogits, count, r->o->norm_hist_max);
    return fn_run_log_detailed(r, step)
               ? put_histogram(r, "prelogits", r->prelogits, count, (int64_t)step)
               : FN_OK;
}

int fn_run_log_prelogits_epoch(struct fn_run *r)
{
    int rc = FN_OK;
    if (!r->metrics[FN_LOG_PRELOGITS])
        return FN_OK;
    for (int k = 0; k < FN_PRELOGITS_BINS && !rc; k++) {
        const double values[] = {k * r->o->norm_hist_max / FN_PRELOGITS_BINS,
                                 (double)r->state.prelogits[k]};
        if (r->state.prelogits[k])
            rc = fn_run_log_row(r, FN_LOG_PRELOGITS, r->state.epoch, values);
    }
    memset(r->state.prelogits, 0, sizeof r->state.prelogits);
    return rc;
}

/* ---- --log_histograms ----------------------------------------------------------------------- */
/* In TensorFlow the decay is part of the loss, and so of the gradient. */
static int gradient(struct fn_run *r, size_t param, float *values, float *weights)
{
    size_t count = r->net->params[param].count;
    float decay = (float)r->o->weight_decay;
    int rc = fn_model_get(r->model, FN_ARENA_GRAD, param, values, FN_F32);
    if (rc || !r->model->groups[param].decay)
        return rc;
    rc = fn_model_get(r->model, FN_ARENA_W, param, weights, FN_F32);
    for (size_t i = 0; i < count && !rc; i++)
        values[i] += decay * weights[i];
    return rc;
}

int fn_run_log_histograms(struct fn_run *r, uint64_t step)
{
    const struct fn_net *net = r->net;
    size_t most = 1;
    float *values, *weights;
    int rc;
    for (size_t i = 0; i < net->trained_count; i++)
        most = net->params[i].count > most ? net->params[i].count : most;
    values = malloc(most * sizeof *values);
    weights = malloc(most * sizeof *weights);
    rc = values && weights ? FN_OK : fn_fail(FN_ENOMEM, "no memory for a histogram");
    for (size_t i = 0; i < net->trained_count && !rc; i++) {
        const struct fn_net_param *p = &net->params[i];
        int frozen = r->model->groups[i].frozen;
        char tag[FN_NET_NAME + 16];
        rc = fn_model_get(r->model, FN_ARENA_W, i, values, FN_F32);
        if (!rc)
            rc = put_histogram(r, p->name, values, p->count, (int64_t)step);
        if (!rc && !frozen)
            rc = gradient(r, i, values, weights);
        snprintf(tag, sizeof tag, "%s/gradients", p->name);
        if (!rc && !frozen)
            rc = put_histogram(r, tag, values, p->count, (int64_t)step);
    }
    free(values);
    free(weights);
    return rc;
}
