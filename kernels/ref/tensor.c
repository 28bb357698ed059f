/* SPDX-License-Identifier: MIT */
/* Copies between plain host arrays and tensors or vectors, with a change of scalar type. */
#include "kernels/host.h"
#include "kernels/ref/ref.h"

size_t fn_ref_tensor_bytes(const struct fn_dev *dev, int n, int h, int w, int ctotal)
{
    (void)dev;
    return (size_t)n * (size_t)h * (size_t)w * (size_t)ctotal * sizeof(fn_real);
}

int fn_ref_tensor_import(struct fn_dev *dev, const void *host, int type, const struct fn_tensor *t)
{
    (void)dev;
    const size_t pixels = fn_ref_pixels(t), c = (size_t)t->c;
    for (size_t p = 0; p < pixels; p++) {
        fn_real *to = fn_ref_pixel(t, p);
        for (size_t k = 0; k < c; k++)
            to[k] = (fn_real)fn_host_get(host, type, p * c + k);
    }
    return FN_OK;
}

int fn_ref_tensor_export(struct fn_dev *dev, const struct fn_tensor *t, void *host, int type)
{
    (void)dev;
    const size_t pixels = fn_ref_pixels(t), c = (size_t)t->c;
    for (size_t p = 0; p < pixels; p++) {
        const fn_real *from = fn_ref_pixel(t, p);
        for (size_t k = 0; k < c; k++)
            fn_host_set(host, type, p * c + k, from[k]);
    }
    return FN_OK;
}

int fn_ref_vector_import(struct fn_dev *dev, const void *host, int type, size_t count, void *data)
{
    (void)dev;
    fn_real *to = data;
    for (size_t i = 0; i < count; i++)
        to[i] = (fn_real)fn_host_get(host, type, i);
    return FN_OK;
}

int fn_ref_vector_export(struct fn_dev *dev, const void *data, size_t count, void *host, int type)
{
    (void)dev;
    const fn_real *from = data;
    for (size_t i = 0; i < count; i++)
        fn_host_set(host, type, i, from[i]);
    return FN_OK;
}
