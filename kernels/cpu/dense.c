/* SPDX-License-Identifier: MIT */
/* Rows: fully connected layers and L2 normalization. */
#include "kernels/cpu/cpu.h"

#include <math.h>
#include <string.h>

enum { FIRST = 16 };

int fn_cpu_fc_plan(struct fn_dev *dev, int n, int k, int d, size_t *workspace)
{
    (void)n, (void)k;
    /* oneDNN makes the code of its matrix products with the first one: with the plan, not later. */
    const struct fn_dnn_matmul first = {.transpose_b = 1,
                                        .m = FIRST,
                                        .n = FIRST,
                                        .k = FIRST,
                                        .lda = FIRST,
                                        .ldb = FIRST,
                                        .ldc = FIRST};
    float a[FIRST * FIRST] = {0}, b[FIRST * FIRST] = {0}, c[FIRST * FIRST];
    void *scratch;
    fn_cpu_enter(dev);
    int rc = fn_dnn_sgemm(&first, a, b, c);
    if (rc != FN_OK)
        return rc;
    *workspace = 0; /* the matrix product packs in memory of its own */
    return fn_cpu_scratch(dev, fn_cpu_sums_bytes(dev, d + 16, 2), &scratch);
}

static void add_bias(struct fn_dev *dev, const float *b, const struct fn_tensor *y)
{
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share((size_t)y->n, &begin, &end);
        for (size_t i = begin; i < end; i++)
            dev->loops->add(b, (size_t)y->c, fn_cpu_row(y, i));
    }
}

int fn_cpu_fc_forward(struct fn_dev *dev, const struct fn_tensor *x, const void *w, const void *b,
                      const struct fn_tensor *y, void *stats)
{
    assert(x->n == y->n);
    fn_cpu_enter(dev);
    const struct fn_dnn_matmul product = {.transpose_b = 1,
                                          .m = (size_t)x->n,
                                          .n = (size_t)y->c,
                                          .k = (size_t)x->c,
                                          .lda = (size_t)x->ctotal,
                                          .ldb = (size_t)x->c,
                                          .ldc = (size_t)y->ctotal};
    int rc = fn_dnn_sgemm(&product, fn_cpu_row(x, 0), w, fn_cpu_row(y, 0));
    if (rc == FN_OK && b)
        add_bias(dev, b, y);
    if (rc == FN_OK && stats)
        rc = fn_cpu_stats(dev, y, stats);
    return rc;
}

static void bias_gradient(struct fn_dev *dev, const struct fn_tensor *dy, float *db)
{
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share((size_t)dy->c, &begin, &end);
        memset(db + begin, 0, (end - begin) * sizeof *db);
        for (size_t i = 0; i < (size_t)dy->n; i++)
            dev->loops->add(fn_cpu_row(dy, i) + begin, end - begin, db + begin);
    }
}

int fn_cpu_fc_backward(struct fn_dev *dev, const struct fn_tensor *x, const void *w,
                       const struct fn_tensor *dy, const struct fn_tensor *dx, int accumulate,
                       void *dw, void *db)
{
    int rc = FN_OK;
    fn_cpu_enter(dev);
    assert(x->n == dy->n);
    if (dw) { /* (d, k) = dy^T x */
        const struct fn_dnn_matmul product = {.transpose_a = 1,
                                              .m = (size_t)dy->c,
                                              .n = (size_t)x->c,
                                              .k = (size_t)x->n,
                                              .lda = (size_t)dy->ctotal,
                                              .ldb = (size_t)x->ctotal,
                                              .ldc = (size_t)x->c};
        rc = fn_dnn_sgemm(&product, fn_cpu_row(dy, 0), fn_cpu_row(x, 0), dw);
    }
    if (rc == FN_OK && dx) { /* (n, k) = dy W */
        assert(fn_cpu_alike(x, dx));
        const struct fn_dnn_matmul product = {.m = (size_t)dx->n,
                                              .n = (size_t)dx->c,
                                              .k = (size_t)dy->c,
                                              .lda = (size_t)dy->ctotal,
                                              .ldb = (size_t)dx->c,
                                              .ldc = (size_t)dx->ctotal,
                                              .keep = accumulate ? 1 : 0};
        rc = fn_dnn_sgemm(&product, fn_cpu_row(dy, 0), w, fn_cpu_row(dx, 0));
    }
    if (rc == FN_OK && db)
        bias_gradient(dev, dy, db);
    return rc;
}

/* ---- L2 normalization ----------------------------------------------------------------------- */

#define LEAST 1e-10 /* epsilon of tf.nn.l2_normalize in the original network */

static double row_squares(const float *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

int fn_cpu_l2norm_forward(struct fn_dev *dev, const struct fn_tensor *x, const struct fn_tensor *e)
{
    assert(fn_cpu_alike(x, e));
    fn_cpu_enter(dev);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end, d = (size_t)x->c;
        fn_cpu_share((size_t)x->n, &begin, &end);
        for (size_t n = begin; n < end; n++) {
            const float *from = fn_cpu_row(x, n);
            float *to = fn_cpu_row(e, n);
            double r = 1 / sqrt(fmax(row_squares(from, d), LEAST));
            for (size_t i = 0; i < d; i++)
                to[i] = (float)(from[i] * r);
        }
    }
    return FN_OK;
}

static void l2norm_row_back(const float *x, const float *de, size_t d, int accumulate, float *dx)
{
    double squares = row_squares(x, d), dot = 0;
    double r = 1 / sqrt(fmax(squares, LEAST));
    if (!(squares < LEAST)) /* below, r does not depend on x */
        for (size_t i = 0; i < d; i++)
            dot += (double)x[i] * (double)de[i];
    for (size_t i = 0; i < d; i++) {
        double g = r * ((double)de[i] - (double)x[i] * r * r * dot);
        dx[i] = (float)(accumulate ? (double)dx[i] + g : g);
    }
}

int fn_cpu_l2norm_backward(struct fn_dev *dev, const struct fn_tensor *x,
                           const struct fn_tensor *de, const struct fn_tensor *dx, int accumulate)
{
    assert(fn_cpu_alike(x, de) && fn_cpu_alike(x, dx));
    fn_cpu_enter(dev);
#pragma omp parallel num_threads(dev->threads)
    {
        size_t begin, end;
        fn_cpu_share((size_t)x->n, &begin, &end);
        for (size_t n = begin; n < end; n++)
            l2norm_row_back(fn_cpu_row(x, n), fn_cpu_row(de, n), (size_t)x->c, accumulate,
                            fn_cpu_row(dx, n));
    }
    return FN_OK;
}
