/* SPDX-License-Identifier: MIT */
/* Copies between plain host arrays and the device's tensors and vectors, by way of a host copy of
 * the whole buffer: for weights, embeddings and tests, not for the training loop. */
#include <assert.h>
#include <stdlib.h>

#include "kernels/cuda/cuda.h"
#include "kernels/host.h"

static size_t scalar_bytes(int type)
{
    return type == FN_K_BF16 ? sizeof(uint16_t) : sizeof(float);
}

size_t fn_cuda_tensor_bytes(const struct fn_dev *dev, int n, int h, int w, int ctotal)
{
    const struct fn_tensor t = {.n = n, .h = h, .w = w, .c = ctotal, .ctotal = ctotal};
    const size_t count = (size_t)n * (size_t)h * (size_t)w * (size_t)ctotal;
    return count * scalar_bytes(fn_cuda_type(dev, &t));
}

static int staging(size_t bytes, void **out)
{
    *out = malloc(bytes ? bytes : 1);
    return *out ? FN_OK : fn_fail(FN_ENOMEM, "out of memory for a copy of %zu bytes", bytes);
}

int fn_cuda_tensor_import(struct fn_dev *dev, const void *host, int type, const struct fn_tensor *t)
{
    const int stored = fn_cuda_type(dev, t);
    const size_t pixels = (size_t)t->n * (size_t)t->h * (size_t)t->w, c = (size_t)t->c;
    const size_t bytes = fn_cuda_tensor_bytes(dev, t->n, t->h, t->w, t->ctotal);
    void *copy;
    int rc = staging(bytes, &copy);
    if (rc == FN_OK && t->c < t->ctotal) /* the other channels stay */
        rc = fn_cuda_read(dev, t->data, copy, bytes);
    if (rc)
        goto out;
    for (size_t p = 0; p < pixels; p++)
        for (size_t k = 0; k < c; k++) {
            const size_t at = p * (size_t)t->ctotal + (size_t)t->c0 + k;
            const float v = (float)fn_host_get(host, type, p * c + k);
            if (stored == FN_K_BF16)
                ((uint16_t *)copy)[at] = fn_host_narrow(v);
            else
                ((float *)copy)[at] = v;
        }
    rc = fn_cuda_write(dev, t->data, copy, bytes);
out:
    free(copy);
    return rc;
}

int fn_cuda_tensor_export(struct fn_dev *dev, const struct fn_tensor *t, void *host, int type)
{
    const int stored = fn_cuda_type(dev, t);
    const size_t pixels = (size_t)t->n * (size_t)t->h * (size_t)t->w, c = (size_t)t->c;
    const size_t bytes = fn_cuda_tensor_bytes(dev, t->n, t->h, t->w, t->ctotal);
    void *copy;
    int rc = staging(bytes, &copy);
    if (rc == FN_OK)
        rc = fn_cuda_read(dev, t->data, copy, bytes);
    if (rc)
        goto out;
    for (size_t p = 0; p < pixels; p++)
        for (size_t k = 0; k < c; k++) {
            const size_t at = p * (size_t)t->ctotal + (size_t)t->c0 + k;
            fn_host_set(host, type, p * c + k,
                        stored == FN_K_BF16 ? fn_host_widen(((const uint16_t *)copy)[at])
                                            : ((const float *)copy)[at]);
        }
out:
    free(copy);
    return rc;
}

int fn_cuda_vector_import(struct fn_dev *dev, const void *host, int type, size_t count, void *data)
{
    void *copy;
    if (type == FN_F32)
        return fn_cuda_write(dev, data, host, count * sizeof(float));
    int rc = staging(count * sizeof(float), &copy);
    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++)
        ((float *)copy)[i] = (float)fn_host_get(host, type, i);
    rc = fn_cuda_write(dev, data, copy, count * sizeof(float));
    free(copy);
    return rc;
}

int fn_cuda_vector_export(struct fn_dev *dev, const void *data, size_t count, void *host, int type)
{
    void *copy;
    if (type == FN_F32)
        return fn_cuda_read(dev, data, host, count * sizeof(float));
    int rc = staging(count * sizeof(float), &copy);
    if (rc)
        return rc;
    rc = fn_cuda_read(dev, data, copy, count * sizeof(float));
    for (size_t i = 0; rc == FN_OK && i < count; i++)
        fn_host_set(host, type, i, ((const float *)copy)[i]);
    free(copy);
    return rc;
}
