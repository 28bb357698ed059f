/* SPDX-License-Identifier: MIT */
/* The end of a step: the search for bad values, moving statistics, the optimizer. The lists of
 * groups are turned into tables on the device when they are first seen, or have changed. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/cuda.h"

struct fn_k_step fn_cuda_step_of(const struct fn_step *step)
{
    const double t = (double)step->t;
    return (struct fn_k_step){.seed = step->seed,
                              .step = step->step,
                              .lr = step->lr,
                              .adam = sqrt(1 - pow(.999, t)) / (1 - pow(.9, t)),
                              .ema = (1 + t) / (10 + t),
                              .first = step->first};
}

/* ---- tables ---- */

static void table_free(struct fn_dev *dev, struct fn_cuda_table *table)
{
    fn_cuda_free(dev, FN_MEM_DEVICE, table->data);
    free(table->key);
    memset(table, 0, sizeof *table);
}

void fn_cuda_tables_free(struct fn_dev *dev)
{
    table_free(dev, &dev->chunks);
    for (int i = 0; i < FN_CUDA_MOVING; i++)
        table_free(dev, &dev->moving[i]);
}

static int is_made_of(const struct fn_cuda_table *table, const void *key, size_t bytes)
{
    return table->data && table->key_bytes == bytes &&
           (bytes == 0 || memcmp(table->key, key, bytes) == 0);
}

/* `count` items of `size` bytes -> the device; the key is taken over. */
static int table_make(struct fn_dev *dev, struct fn_cuda_table *table, void *key, size_t key_bytes,
                      const void *items, size_t count, size_t size)
{
    table_free(dev, table);
    dev->moves++;
    table->key = key;
    table->key_bytes = key_bytes;
    table->count = count;
    int rc = fn_cuda_alloc(dev, count * size, FN_MEM_DEVICE, &table->data);
    if (rc == FN_OK)
        rc = fn_cuda_write(dev, table->data, items, count * size);
    if (rc)
        table_free(dev, table);
    return fn_fail_in(rc, "table of parameters");
}

/* What the chunks depend on: the two lengths, then the groups. */
static void *chunks_key(const struct fn_params *p, size_t *bytes)
{
    const size_t groups = p->group_count * sizeof *p->groups;
    *bytes = 2 * sizeof(size_t) + groups;
    char *key = malloc(*bytes);
    if (!key)
        return NULL;
    memcpy(key, &p->trained, sizeof(size_t));
    memcpy(key + sizeof(size_t), &p->total, sizeof(size_t));
    if (groups)
        memcpy(key + 2 * sizeof(size_t), p->groups, groups);
    return key;
}

static int is_same_chunks(const struct fn_cuda_table *table, const struct fn_params *p)
{
    const char *key = table->key;
    const size_t groups = p->group_count * sizeof *p->groups;
    return table->data && table->key_bytes == 2 * sizeof(size_t) + groups &&
           memcmp(key, &p->trained, sizeof(size_t)) == 0 &&
           memcmp(key + sizeof(size_t), &p->total, sizeof(size_t)) == 0 &&
           (groups == 0 || memcmp(key + 2 * sizeof(size_t), p->groups, groups) == 0);
}

int fn_cuda_tables_plan(struct fn_dev *dev, const struct fn_params *params)
{
    const int narrow = fn_cuda_shadow_grad(dev, params->grad) != NULL;
    size_t key_bytes;
    if (is_same_chunks(&dev->chunks, params))
        return FN_OK;
    const size_t count = fn_k_chunks(params, narrow, NULL, 0);
    struct fn_k_chunk *chunks = malloc((count ? count : 1) * sizeof *chunks);
    void *key = chunks_key(params, &key_bytes);
    if (!chunks || !key) {
        free(chunks);
        free(key);
        return fn_fail(FN_ENOMEM, "out of memory for a table of %zu runs of parameters", count);
    }
    fn_k_chunks(params, narrow, chunks, count);
    int rc = table_make(dev, &dev->chunks, key, key_bytes, chunks, count, sizeof *chunks);
    free(chunks);
    return rc;
}

/* ---- updates ---- */

/* The arena's gradients: those of convolutions may lie beside it, where the chunks of shadow_bind
 * say which they are. Other arrays, and parts of arenas, are plain. */
static struct fn_k_numbers numbers_of(const struct fn_dev *dev, const void *data)
{
    const struct fn_k_numbers numbers = {(float *)(uintptr_t)data, fn_cuda_shadow_grad(dev, data)};
    assert(!numbers.narrow || (data == dev->shadow.grad && dev->chunks.data));
    return numbers;
}

static struct fn_k_runs runs_of(const struct fn_dev *dev, int narrow, size_t count)
{
    const struct fn_k_runs runs = {dev->chunks.data, dev->chunks.count, count};
    assert(!narrow || count == dev->shadow.trained);
    return narrow ? runs : fn_k_plain(count);
}

int fn_cuda_check_finite(struct fn_dev *dev, const void *grad, size_t count)
{
    const struct fn_k_numbers numbers = numbers_of(dev, grad);
    const struct fn_k_runs runs = runs_of(dev, numbers.narrow != NULL, count);
    return fn_cuda_result(fn_k_check_finite(&dev->queue, &runs, numbers), "search for bad values");
}

int fn_cuda_combine(struct fn_dev *dev, void *y, double a, const void *x, double b, size_t count)
{
    const struct fn_k_numbers to = numbers_of(dev, y), from = numbers_of(dev, x);
    const struct fn_k_runs runs = runs_of(dev, to.narrow || from.narrow, count);
    return fn_cuda_result(fn_k_combine(&dev->queue, &runs, to, a, from, b), "sum of gradients");
}

int fn_cuda_clip(struct fn_dev *dev, const struct fn_params *params, double most)
{
    int rc = fn_cuda_tables_plan(dev, params);
    if (rc)
        return rc;
    const struct fn_k_runs runs = {dev->chunks.data, dev->chunks.count, params->trained};
    return fn_cuda_result(fn_k_clip(&dev->queue, &runs, numbers_of(dev, params->grad), most),
                          "gradient clipping");
}

int fn_cuda_update(struct fn_dev *dev, const struct fn_params *params, const struct fn_update *rule)
{
    assert(rule->optimizer >= 0 && rule->optimizer < FN_OPTIMIZER_COUNT);
    int rc = fn_cuda_tables_plan(dev, params);
    if (rc)
        return rc;
    const struct fn_k_arenas arenas = {.chunks = dev->chunks.data,
                                       .chunk_count = dev->chunks.count,
                                       .w = params->w,
                                       .slot1 = params->slot1,
                                       .slot2 = params->slot2,
                                       .ema = params->ema,
                                       .grad = params->grad,
                                       .grad16 = fn_cuda_shadow_grad(dev, params->grad),
                                       .w16 = fn_cuda_shadow_w(dev, params->w),
                                       .weight_decay = rule->weight_decay,
                                       .ema_decay = rule->ema_decay};
    return fn_cuda_result(fn_k_update(&dev->queue, rule->optimizer, &arenas), "update");
}

int fn_cuda_update_init(struct fn_dev *dev, const struct fn_params *params, int optimizer)
{
    assert(optimizer >= 0 && optimizer < FN_OPTIMIZER_COUNT);
    const double start = optimizer == FN_ADAGRAD ? 0.1 : optimizer == FN_RMSPROP ? 1 : 0;
    int error = 0;
    if (params->trained)
        error = fn_k_fill(&dev->queue, params->slot1, params->trained, start);
    if (!error && params->slot2 && params->trained)
        error = fn_k_fill(&dev->queue, params->slot2, params->trained, 0);
    return fn_cuda_result(error, "start of the optimizer");
}

/* The table of these groups, one for each batch size; the oldest gives way. */
static int plan_moving(struct fn_dev *dev, const struct fn_moving_group *groups, size_t count,
                       const struct fn_cuda_table **out)
{
    const size_t bytes = count * sizeof *groups;
    for (int i = 0; i < FN_CUDA_MOVING; i++)
        if (is_made_of(&dev->moving[i], groups, bytes)) {
            *out = &dev->moving[i];
            return FN_OK;
        }
    struct fn_cuda_table *table = &dev->moving[dev->moving_next++ % FN_CUDA_MOVING];
    void *key = malloc(bytes);
    if (!key)
        return fn_fail(FN_ENOMEM, "out of memory for a table of %zu layers", count);
    memcpy(key, groups, bytes);
    *out = table;
    return table_make(dev, table, key, bytes, groups, count, sizeof *groups);
}

int fn_cuda_update_moving(struct fn_dev *dev, const struct fn_params *params,
                          const struct fn_moving_group *groups, size_t count, double decay)
{
    const struct fn_cuda_table *table = NULL;
    for (size_t i = 0; i < count; i++)
        assert(groups[i].begin >= params->trained &&
               groups[i].begin + 2 * (size_t)groups[i].c <= params->total);
    if (count == 0)
        return FN_OK;
    int rc = plan_moving(dev, groups, count, &table);
    return rc ? rc
              : fn_cuda_result(fn_k_update_moving(&dev->queue, table->data, count, params->trained,
                                                  params->w, params->batch, decay),
                               "moving statistics");
}
