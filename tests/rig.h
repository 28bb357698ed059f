/* SPDX-License-Identifier: MIT */
/* A network on a device with everything around it, for tests of the network side. */
#ifndef FN_TESTS_RIG_H
#define FN_TESTS_RIG_H

#include "base/file.h"
#include "base/image.h"
#include "tests/test.h"
#include "train/exec.h"
#include "train/model.h"
#include "train/net.h"
#include "train/step.h"
#include "train/weights.h"

struct rig {
    const struct fn_backend *be;
    struct fn_dev *dev;
    struct fn_net *net;
    struct fn_model *model;
    struct fn_exec *exec;
    uint8_t *images; /* (n, size, size, 3), FN_MEM_HOST */
    int32_t *labels; /* (n), FN_MEM_HOST */
    const uint8_t *dev_images;
    const int32_t *dev_labels;
    size_t image_bytes, n; /* n: of a batch */
};

struct rig_options {
    const char *backend, *network;
    int image_size, embedding, classes, n, training, head, optimizer, ema;
};

/* With a model of one's own; the exec is for n images. 0: this backend is not here. precision: enum
 * fn_precision. */
static inline int rig_open_with(struct rig *r, const struct rig_options *o,
                                const struct fn_model_options *model, int n_exec, int precision)
{
    /* A small network is not worth two threads, and they wait for each other on a busy machine. */
    const struct fn_dev_options dev = {.threads = strcmp(o->network, "shrunken") ? 2 : 1,
                                       .precision = precision};
    const struct fn_net_options net = {o->network, o->image_size, o->embedding, o->classes};
    const struct fn_exec_options exec = {n_exec, o->training, o->head};
    size_t n = (size_t)o->n;
    int rc;
    memset(r, 0, sizeof *r);
    rc = fn_backend_open(o->backend, &dev, &r->be, &r->dev, NULL);
    if (rc == FN_EUNSUPPORTED) {
        printf("SKIPPED %s: %s\n", o->backend, fn_err_text(rc));
        return 0;
    }
    assert_ok(rc);
    assert_ok(fn_net_open(&r->net, &net));
    assert_ok(fn_model_open(&r->model, r->net, r->be, r->dev, model));
    assert_ok(fn_exec_open(&r->exec, r->model, &exec));
    assert_ok(fn_model_commit(r->model, NULL, 0, 0));
    r->n = n;
    r->image_bytes = (size_t)o->image_size * (size_t)o->image_size * 3;
    assert_ok(r->be->alloc(r->dev, n * r->image_bytes, FN_MEM_HOST, (void **)&r->images));
    assert_ok(r->be->alloc(r->dev, n * sizeof *r->labels, FN_MEM_HOST, (void **)&r->labels));
    return 1;
}

/* 0: this backend is not here. */
static inline int rig_open_in(struct rig *r, const struct rig_options *o, int precision)
{
    const struct fn_model_options model = {
        .training = o->training, .optimizer = o->optimizer, .ema = o->ema};
    return rig_open_with(r, o, &model, o->n, precision);
}

static inline int rig_open(struct rig *r, const struct rig_options *o)
{
    return rig_open_in(r, o, FN_FP32);
}

static inline void rig_close(struct rig *r)
{
    if (!r->be)
        return;
    r->be->free(r->dev, FN_MEM_HOST, r->images);
    r->be->free(r->dev, FN_MEM_HOST, r->labels);
    fn_model_close(&r->model);
    fn_net_close(&r->net);
    r->be->close(&r->dev);
}

static inline void rig_upload(struct rig *r)
{
    size_t n = r->n;
    assert_ok(r->be->batch_upload(r->dev, 0, r->images, n * r->image_bytes, r->labels, n,
                                  &r->dev_images, &r->dev_labels));
    assert_ok(r->be->batch_use(r->dev, 0));
}

static inline void rig_rows(struct rig *r, int which, double *out)
{
    assert_ok(r->be->tensor_export(r->dev, fn_exec_rows(r->exec, which), out, FN_F64));
}

static inline void rig_losses(struct rig *r, double losses[FN_LOSS_COUNT])
{
    assert_ok(r->be->losses_post(r->dev, 0));
    assert_ok(r->be->losses_wait(r->dev, 0, losses));
}

/* The published weights. */
static inline void rig_load(struct rig *r, const char *path)
{
    struct fn_weights_report report;
    struct fn_safetensors *st = NULL;
    assert_ok(fn_safetensors_open(&st, path));
    assert_ok(fn_weights_load(r->model, st, path, FN_WEIGHTS_PRETRAINED, &report));
    assert_int_equal(report.loaded, 602);
    assert_int_equal(report.reset, 0);
    fn_safetensors_close(&st);
}

#define PARITY_IMAGES 5
/* parity/ in order of name, (5, 160, 160, 3), then (with 10) their mirrors. */
static inline void rig_parity(uint8_t *images, int count)
{
    static const char *const names[PARITY_IMAGES] = {"angelina_jolie", "bradley_cooper",
                                                     "kate_siegel", "paul_rudd", "shea_whigham"};
    const size_t side = 160, bytes = side * side * 3;
    struct fn_codec *codec = NULL;
    struct fn_image im = {0, 0, NULL, 0};
    assert_ok(fn_codec_open(&codec));
    for (int i = 0; i < PARITY_IMAGES; i++) {
        char name[64];
        unsigned char *data = NULL;
        size_t length = 0;
        snprintf(name, sizeof name, "parity/%s.png", names[i]);
        assert_ok(fn_file_read(test_data(name), 1u << 20, &data, &length));
        assert_ok(fn_image_decode(codec, data, length, 0, &im, NULL));
        assert_int_equal(im.w, side);
        assert_int_equal(im.h, side);
        memcpy(images + (size_t)i * bytes, im.rgb, bytes);
        for (size_t p = 0; count == 2 * PARITY_IMAGES && p < side * side; p++) {
            size_t to = p / side * side + side - 1 - p % side;
            memcpy(images + ((size_t)i + PARITY_IMAGES) * bytes + to * 3, im.rgb + p * 3, 3);
        }
        free(data);
    }
    fn_image_free(&im);
    fn_codec_close(&codec);
}

#endif
