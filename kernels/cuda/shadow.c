/* SPDX-License-Identifier: MIT */
/* bf16 beside fp32: the copies of convolutions' weights that convolutions read, and the gradients
 * they write. Imports and other writes are followed here; the update kernel writes both itself. */
#include <assert.h>
#include <string.h>

#include "kernels/cuda/cuda.h"

enum { ALIGN = 8 /* numbers in a vector of bf16 */ };

size_t fn_cuda_shadow_bytes(const struct fn_dev *dev, const struct fn_params *params, int training)
{
    return dev->bf16 ? params->trained * sizeof(uint16_t) * (training ? 2 : 1) : 0;
}

int fn_cuda_shadow_bind(struct fn_dev *dev, const struct fn_params *params, void *data)
{
    struct fn_cuda_shadow *s = &dev->shadow;
    fn_cuda_tables_free(dev); /* made for the other way to keep gradients */
    dev->moves++;
    memset(s, 0, sizeof *s);
    if (!data || !dev->bf16)
        return FN_OK;
    *s =
        (struct fn_cuda_shadow){.w = params->w,
                                .grad = params->grad,
                                .trained = params->trained,
                                .w16 = data,
                                .grad16 = params->grad ? (uint16_t *)data + params->trained : NULL};
    int rc = params->grad ? fn_cuda_tables_plan(dev, params) : FN_OK;
    return rc ? rc : fn_cuda_shadow_refresh(dev, params->w, params->trained * sizeof(float));
}

/* Element of `at` in an arena of `count`; `count` where it is not in it. */
static size_t element(const float *arena, size_t count, const void *at)
{
    const uintptr_t begin = (uintptr_t)arena, here = (uintptr_t)at;
    if (!arena || here < begin || here >= begin + count * sizeof(float))
        return count;
    return (here - begin) / sizeof(float);
}

uint16_t *fn_cuda_shadow_w(const struct fn_dev *dev, const void *w)
{
    const size_t i = element(dev->shadow.w, dev->shadow.trained, w);
    return i < dev->shadow.trained ? dev->shadow.w16 + i : NULL;
}

uint16_t *fn_cuda_shadow_grad(const struct fn_dev *dev, const void *dw)
{
    const size_t i = element(dev->shadow.grad, dev->shadow.trained, dw);
    return i < dev->shadow.trained ? dev->shadow.grad16 + i : NULL;
}

int fn_cuda_shadow_refresh(struct fn_dev *dev, const void *data, size_t bytes)
{
    const struct fn_cuda_shadow *s = &dev->shadow;
    const uintptr_t first = (uintptr_t)s->w, last = first + s->trained * sizeof(float);
    uintptr_t begin = (uintptr_t)data, end = begin + bytes;
    if (!s->w || end <= first || begin >= last)
        return FN_OK;
    begin = begin > first ? (begin - first) / sizeof(float) / ALIGN * ALIGN : 0;
    end = end < last ? (end - first + sizeof(float) - 1) / sizeof(float) : s->trained;
    return fn_cuda_result(
        fn_k_narrow(&dev->queue, s->w + begin, s->w16 + begin, (size_t)(end - begin)),
        "bf16 copies of weights");
}
