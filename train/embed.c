/* SPDX-License-Identifier: MIT */
/* Pictures -> embeddings. */
#include "train/embed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"

struct fn_embed {
    struct fn_exec *exec;
    struct fn_loader *loader;
    struct fn_embed_options options;
    struct fn_loader_slot slot[FN_LOADER_SLOTS];
    int n, d, size;
    float *half; /* (n, d): what the device gives */
    float *rows; /* (n, dims) */
    uint8_t *bad;
};

static const struct fn_model *model_of(const struct fn_embed *e)
{
    return fn_exec_model(e->exec);
}

static int open_slots(struct fn_embed *e)
{
    const struct fn_model *m = model_of(e);
    size_t n = (size_t)e->n, bytes = n * (size_t)e->size * (size_t)e->size * 3;
    int rc = FN_OK;
    for (int i = 0; i < FN_LOADER_SLOTS && !rc; i++) {
        rc = m->be->alloc(m->dev, bytes, FN_MEM_HOST, (void **)&e->slot[i].images);
        if (!rc)
            rc =
                m->be->alloc(m->dev, n * sizeof(int32_t), FN_MEM_HOST, (void **)&e->slot[i].labels);
    }
    return rc;
}

int fn_embed_open(struct fn_embed **out, struct fn_exec *exec, struct fn_source *source,
                  const struct fn_embed_options *options)
{
    const struct fn_net *net = fn_exec_model(exec)->net;
    struct fn_embed *e = calloc(1, sizeof *e);
    struct fn_loader_config config;
    int rc;
    *out = NULL;
    assert(!fn_exec_get_options(exec)->training);
    if (!e)
        return fn_fail(FN_ENOMEM, "no memory to embed pictures");
    e->exec = exec;
    e->options = *options;
    e->n = fn_exec_get_options(exec)->n;
    e->d = net->embedding_size;
    e->size = net->image_size;
    e->half = malloc((size_t)e->n * (size_t)e->d * sizeof *e->half);
    e->rows = malloc((size_t)e->n * fn_embed_dims(e) * sizeof *e->rows);
    e->bad = malloc((size_t)e->n);
    rc = e->half && e->rows && e->bad ? open_slots(e)
                                      : fn_fail(FN_ENOMEM, "no memory to embed pictures");
    config = (struct fn_loader_config){source,  options->workers, e->n,
                                       e->size, FN_LOADER_SLOTS,  e->slot};
    if (!rc)
        rc = fn_loader_open(&e->loader, &config);
    if (rc)
        fn_embed_close(&e);
    *out = e;
    return rc;
}

void fn_embed_close(struct fn_embed **embed)
{
    struct fn_embed *e = embed ? *embed : NULL;
    if (!e)
        return;
    fn_loader_close(&e->loader);
    for (int i = 0; i < FN_LOADER_SLOTS; i++) {
        const struct fn_model *m = model_of(e);
        if (e->slot[i].images)
            m->be->free(m->dev, FN_MEM_HOST, e->slot[i].images);
        if (e->slot[i].labels)
            m->be->free(m->dev, FN_MEM_HOST, e->slot[i].labels);
    }
    free(e->half);
    free(e->rows);
    free(e->bad);
    free(e);
    *embed = NULL;
}

size_t fn_embed_dims(const struct fn_embed *e)
{
    return (size_t)e->d * (e->options.flip ? 2 : 1);
}

/* One pass over the uploaded images into one half of the rows. */
static int embed_half(struct fn_embed *e, const uint8_t *images, int mirror)
{
    const struct fn_model *m = model_of(e);
    size_t dims = fn_embed_dims(e), d = (size_t)e->d;
    int rc = fn_exec_images(e->exec, images, e->options.per_image, mirror);
    if (!rc)
        rc = fn_exec_forward(e->exec, 1);
    if (!rc)
        rc = fn_exec_embed(e->exec);
    if (!rc)
        rc = m->be->tensor_export(m->dev, fn_exec_rows(e->exec, FN_ROWS_EMBEDDINGS), e->half,
                                  FN_F32);
    for (size_t i = 0; i < (size_t)e->n && !rc; i++)
        memcpy(e->rows + i * dims + (mirror ? d : 0), e->half + i * d, d * sizeof *e->rows);
    return rc;
}

static int embed_batch(struct fn_embed *e, const struct fn_batch *batch)
{
    const struct fn_model *m = model_of(e);
    size_t n = (size_t)e->n, bytes = (size_t)e->size * (size_t)e->size * 3;
    int slot = batch->slot % FN_UPLOAD_SLOTS;
    const uint8_t *images;
    const int32_t *labels;
    int rc = m->be->batch_upload(m->dev, slot, batch->images, n * bytes, batch->labels, n, &images,
                                 &labels);
    if (!rc)
        rc = m->be->batch_use(m->dev, slot);
    if (!rc)
        rc = embed_half(e, images, 0);
    if (!rc && e->options.flip)
        rc = embed_half(e, images, 1);
    if (!rc)
        rc = m->be->batch_release(m->dev, slot, 1);
    for (size_t i = 0; i < n && !rc; i++) {
        e->bad[i] = batch->ids[i] == FN_NO_ID;
        if (e->bad[i])
            memset(e->rows + i * fn_embed_dims(e), 0, fn_embed_dims(e) * sizeof *e->rows);
    }
    return rc;
}

int fn_embed_run(struct fn_embed *e, const struct fn_order *order, fn_embed_sink *sink,
                 void *context)
{
    const struct fn_step step = {.t = 1};
    struct fn_loader_job job = {
        .order = *order, .augment = {.size = e->size}, .on_bad = FN_BAD_MARK};
    struct fn_batch batch;
    uint64_t first = 0, n = (uint64_t)e->n;
    int rc = fn_loader_start(e->loader, &job);
    if (!rc)
        rc = model_of(e)->be->step_begin(model_of(e)->dev, &step);
    while (!rc && first < order->total) {
        uint64_t count = order->total - first < n ? order->total - first : n;
        if (fn_interrupted())
            return fn_fail(FN_EINTERRUPTED, "interrupted after %llu pictures",
                           (unsigned long long)first);
        rc = fn_loader_next(e->loader, &batch);
        if (!rc)
            rc = embed_batch(e, &batch);
        if (!rc) {
            fn_loader_release(e->loader, batch.slot);
            rc = sink(context, first, (size_t)count, e->rows, e->bad);
        }
        first += count;
    }
    return rc;
}

static void count_at(const void *context, uint64_t draw, struct fn_example *out)
{
    (void)context;
    *out = (struct fn_example){draw, 0, 0, draw};
}

static void count_stand_in(const void *context, uint64_t draw, uint64_t attempt,
                           struct fn_example *out)
{
    const uint64_t *count = context;
    *out = (struct fn_example){(draw + attempt) % *count, 0, 0, draw};
}

struct fn_order fn_embed_count_order(const uint64_t *count)
{
    return (struct fn_order){*count, count_at, count_stand_in, NULL, count};
}
