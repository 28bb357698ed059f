/* SPDX-License-Identifier: MIT */
/* Loops over planes and arrays. Compiled several times: FN_BLOCK is the number of floats in a
 * vector, FN_LOOPS the name of the table, FN_LOOPS_ISA what it is called. The vectors are the
 * compiler's own: it lowers them to what the instruction set has.
 *
 * Sums run in float over runs of at most RUN vectors and in double over the runs, always in the
 * same order, so that the result is nearly that of double and the same on every run. */
#include "kernels/cpu/loops.h"

#include <math.h>
#include <string.h>

typedef float vec __attribute__((vector_size(FN_BLOCK * 4), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(FN_BLOCK * 4), aligned(4), may_alias));
typedef double dvec __attribute__((vector_size(FN_BLOCK * 8), aligned(8), may_alias));
typedef uint8_t bvec __attribute__((vector_size(FN_BLOCK), may_alias, aligned(1)));

enum { B = FN_BLOCK, RUN = 128 };

#define AT(p, i) (((const vec *)(p))[i])
#define PUT(p, i) (((vec *)(p))[i])
#define MASK(condition, v) ((vec)((condition) & (ivec)(v))) /* v where true, else 0 */
#define PICK(condition, a, b) ((vec)(((condition) & (ivec)(a)) | (~(condition) & (ivec)(b))))
#define DOUBLES(v) __builtin_convertvector(v, dvec)
#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* ---- planes --------------------------------------------------------------------------------- */

static void moments(const float *x, size_t pixels, double *sums)
{
    dvec sum = ((const dvec *)sums)[0], square = ((const dvec *)sums)[1];
    for (size_t p = 0; p < pixels; p += RUN, x += RUN * B) {
        size_t count = MIN(pixels - p, (size_t)RUN), i;
        vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        for (i = 0; i + 4 <= count; i += 4) {
            s0 += AT(x, i);
            s1 += AT(x, i + 1);
            s2 += AT(x, i + 2);
            s3 += AT(x, i + 3);
        }
        for (; i < count; i++)
            s0 += AT(x, i);
        /* Squares around the run's own mean: nothing cancels. */
        vec mean = (s0 + s1 + s2 + s3) / (float)count;
        vec r0 = {0}, r1 = {0}, q0 = {0}, q1 = {0};
        for (i = 0; i + 2 <= count; i += 2) {
            vec d0 = AT(x, i) - mean, d1 = AT(x, i + 1) - mean;
            r0 += d0;
            r1 += d1;
            q0 += d0 * d0;
            q1 += d1 * d1;
        }
        for (; i < count; i++) {
            vec d = AT(x, i) - mean;
            r0 += d;
            q0 += d * d;
        }
        dvec m = DOUBLES(mean), r = DOUBLES(r0 + r1);
        sum += m * (double)count + r;
        square += DOUBLES(q0 + q1) + m * (2 * r + m * (double)count);
    }
    ((dvec *)sums)[0] = sum;
    ((dvec *)sums)[1] = square;
}

static void bn(const float *y, const float *mean, const float *rstd, const float *beta, int relu,
               size_t pixels, float *z)
{
    vec m = AT(mean, 0), r = AT(rstd, 0), b = AT(beta, 0);
    if (relu)
        for (size_t i = 0; i < pixels; i++) {
            vec v = (AT(y, i) - m) * r + b;
            PUT(z, i) = PICK(v < 0, (vec){0}, v); /* NaN stays NaN */
        }
    else
        for (size_t i = 0; i < pixels; i++)
            PUT(z, i) = (AT(y, i) - m) * r + b;
}

static void bn_sums(const float *dz, const float *y, const float *mean, const float *rstd,
                    const float *beta, int relu, size_t pixels, double *sums)
{
    vec m = AT(mean, 0), r = AT(rstd, 0), b = AT(beta, 0);
    ivec all = {0};
    all = relu ? all : ~all;
    dvec sum = ((const dvec *)sums)[0], product = ((const dvec *)sums)[1];
    for (size_t p = 0; p < pixels; p += RUN, dz += RUN * B, y += RUN * B) {
        size_t count = MIN(pixels - p, (size_t)RUN), i;
        vec s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0};
        for (i = 0; i + 2 <= count; i += 2) {
            vec c0 = AT(y, i) - m, c1 = AT(y, i + 1) - m;
            vec d0 = MASK((c0 * r + b > 0) | all, AT(dz, i));
            vec d1 = MASK((c1 * r + b > 0) | all, AT(dz, i + 1));
            s0 += d0;
            s1 += d1;
            q0 += d0 * c0;
            q1 += d1 * c1;
        }
        for (; i < count; i++) {
            vec c = AT(y, i) - m;
            vec d = MASK((c * r + b > 0) | all, AT(dz, i));
            s0 += d;
            q0 += d * c;
        }
        sum += DOUBLES(s0 + s1);
        product += DOUBLES(q0 + q1);
    }
    ((dvec *)sums)[0] = sum;
    ((dvec *)sums)[1] = product;
}

static void bn_back(const float *dz, const float *y, const float *mean, const float *rstd,
                    const float *beta, const float *a, const float *b, int relu, size_t pixels,
                    float *dy)
{
    vec m = AT(mean, 0), r = AT(rstd, 0), shift = AT(beta, 0), va = AT(a, 0), vb = AT(b, 0);
    ivec all = {0};
    all = relu ? all : ~all;
    for (size_t i = 0; i < pixels; i++) {
        vec c = AT(y, i) - m;
        vec d = MASK((c * r + shift > 0) | all, AT(dz, i));
        PUT(dy, i) = r * (d - va - c * vb);
    }
}

static void residual(const float *x, const float *up, const float *bias, float scale, int relu,
                     size_t pixels, float *out)
{
    vec b = AT(bias, 0);
    if (relu)
        for (size_t i = 0; i < pixels; i++) {
            vec v = AT(x, i) + scale * (AT(up, i) + b);
            PUT(out, i) = PICK(v < 0, (vec){0}, v);
        }
    else
        for (size_t i = 0; i < pixels; i++)
            PUT(out, i) = AT(x, i) + scale * (AT(up, i) + b);
}

static void residual_back(const float *dout, const float *out, float scale, int relu, size_t pixels,
                          float *dx, float *dup, double *sums)
{
    ivec all = {0};
    all = relu ? all : ~all;
    dvec sum = *(const dvec *)sums;
    for (size_t p = 0; p < pixels; p += RUN) {
        size_t end = p + MIN(pixels - p, (size_t)RUN);
        vec s = {0};
        for (size_t i = p; i < end; i++) {
            vec d = MASK((AT(out, i) > 0) | all, AT(dout, i));
            vec u = scale * d;
            PUT(dx, i) = d;
            PUT(dup, i) = u;
            s += u;
        }
        sum += DOUBLES(s);
    }
    *(dvec *)sums = sum;
}

static void maxpool(const float *x, size_t w, size_t oh, size_t ow, float *y, uint8_t *index)
{
    for (size_t i = 0; i < oh; i++, x += 2 * w * B)
        for (size_t j = 0; j < ow; j++, y += B) {
            vec best = AT(x, 2 * j);
            ivec taken = {0};
            for (int k = 1; k < 9; k++) {
                vec v = AT(x, (size_t)(k / 3) * w + 2 * j + (size_t)(k % 3));
                ivec better = v > best;
                best = PICK(better, v, best);
                taken = (better & k) | (~better & taken);
            }
            PUT(y, 0) = best;
            if (index) {
                *(bvec *)index = __builtin_convertvector(taken, bvec);
                index += B;
            }
        }
}

/* One row of inputs: = or += what a row of outputs gives back to it, the inputs being elements
 * k, k + 1 and k + 2 of the outputs' windows. */
static void maxpool_back_row(const float *dy, const uint8_t *index, int32_t k, size_t w, size_t ow,
                             int accumulate, float *dx)
{
    vec before = {0}; /* what the output to the left gives to the column they share */
    for (size_t j = 0; j < ow; j++) {
        ivec taken = __builtin_convertvector(((const bvec *)index)[j], ivec);
        vec d = AT(dy, j), even = before + MASK(taken == k, d), odd = MASK(taken == k + 1, d);
        before = MASK(taken == k + 2, d);
        if (accumulate) {
            even += AT(dx, 2 * j);
            odd += AT(dx, 2 * j + 1);
        }
        PUT(dx, 2 * j) = even;
        PUT(dx, 2 * j + 1) = odd;
    }
    if (accumulate)
        before += AT(dx, 2 * ow);
    PUT(dx, 2 * ow) = before;
    for (size_t j = 2 * ow + 1; j < w && !accumulate; j++)
        PUT(dx, j) = (vec){0};
}

static void maxpool_back(const float *dy, const uint8_t *index, size_t h, size_t w, size_t oh,
                         size_t ow, int accumulate, float *dx)
{
    for (size_t i = 0; i < h; i++, dx += w * B) {
        /* Rows of outputs whose windows hold row i: i/2 - 1 (for even i) and i/2. */
        size_t first = i % 2 == 0 && i > 0 ? i / 2 - 1 : i / 2;
        int more = accumulate;
        for (size_t a = first; a <= i / 2 && a < oh; a++, more = 1)
            maxpool_back_row(dy + a * ow * B, index + a * ow * B, (int32_t)(i - 2 * a) * 3, w, ow,
                             more, dx);
        if (!more)
            memset(dx, 0, w * B * sizeof *dx);
    }
}

static void avgpool(const float *x, size_t pixels, float *y)
{
    dvec sum = {0};
    for (size_t i = 0; i < pixels; i++)
        sum += DOUBLES(AT(x, i));
    PUT(y, 0) = __builtin_convertvector(sum / (double)pixels, vec);
}

static void avgpool_back(const float *dy, size_t pixels, float *dx)
{
    vec d = AT(dy, 0) / (float)pixels;
    for (size_t i = 0; i < pixels; i++)
        PUT(dx, i) = d;
}

/* ---- arrays --------------------------------------------------------------------------------- */

/* The elements behind the last full vector, `fill` in the other lanes. */
static inline vec tail(const float *x, size_t count, float fill)
{
    vec v = (vec){0} + fill;
    memcpy(&v, x, count * sizeof *x);
    return v;
}

static void add(const float *x, size_t count, float *y)
{
    size_t i = 0;
    for (; i + B <= count; i += B)
        PUT(y + i, 0) += AT(x + i, 0);
    for (; i < count; i++)
        y[i] += x[i];
}

static inline ivec not_finite(vec v)
{
    return ((ivec)v & 0x7f800000) == 0x7f800000;
}

static size_t bad(const float *x, size_t count)
{
    const size_t run = (size_t)1 << 20; /* vectors that an int32_t lane can count */
    size_t total = 0, i = 0;
    while (i < count) {
        size_t vectors = MIN((count - i) / B, run);
        ivec found = {0};
        for (size_t k = 0; k < vectors; k++)
            found -= not_finite(AT(x + i, k));
        i += vectors * B;
        if (vectors < run && i < count) {
            found -= not_finite(tail(x + i, count - i, 0));
            i = count;
        }
        for (int l = 0; l < B; l++)
            total += (size_t)found[l];
    }
    return total;
}

static float max(const float *x, size_t count)
{
    vec best = (vec){0} - INFINITY;
    size_t i = 0;
    for (; i + B <= count; i += B)
        best = PICK(AT(x + i, 0) > best, AT(x + i, 0), best);
    if (i < count) {
        vec v = tail(x + i, count - i, -INFINITY);
        best = PICK(v > best, v, best);
    }
    float most = best[0];
    for (int l = 1; l < B; l++)
        most = best[l] > most ? best[l] : most;
    return most;
}

/* exp(x) for x <= 0, to 2 ulp: x = n ln 2 + r, exp(r) by the polynomial of Cephes' expf. Below -87
 * it is exp(-87), which is 0 beside the 1 that every softmax has. NaN stays NaN. */
static inline vec exp_negative(vec x)
{
    const float log2e = 1.44269504F, shifter = 12582912.0F; /* 1.5 x 2^23: rounds to integers */
    const float ln2_high = 0.693359375F, ln2_low = -2.12194440e-4F;
    const float c[6] = {1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F,
                        4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F};
    x = PICK(x < -87, (vec){0} - 87, x);
    vec shifted = x * log2e + shifter;
    vec n = shifted - shifter;
    vec r = x - n * ln2_high - n * ln2_low;
    vec p = (vec){0} + c[0];
    for (int k = 1; k < 6; k++)
        p = p * r + c[k];
    p = p * (r * r) + r + 1;
    ivec power = ((ivec)shifted - 0x4b400000 + 127) << 23; /* 2^n */
    return p * (vec)power;
}

static double exp_sum(const float *x, float most, size_t count, float *e)
{
    double total = 0;
    size_t i = 0;
    while (i < count) {
        size_t vectors = MIN((count - i) / B, (size_t)RUN);
        vec sum = {0};
        for (size_t k = 0; k < vectors; k++) {
            vec v = exp_negative(AT(x + i, k) - most);
            sum += v;
            if (e)
                PUT(e + i, k) = v;
        }
        i += vectors * B;
        for (int l = 0; l < B; l++)
            total += (double)sum[l];
        if (vectors < RUN && i < count) {
            vec v = exp_negative(tail(x + i, count - i, most) - most);
            for (size_t l = 0; l < count - i; l++)
                total += (double)v[l];
            if (e)
                memcpy(e + i, &v, (count - i) * sizeof *e);
            i = count;
        }
    }
    return total;
}

static void scale(float factor, size_t count, float *x)
{
    size_t i = 0;
    for (; i + B <= count; i += B)
        PUT(x + i, 0) *= factor;
    for (; i < count; i++)
        x[i] *= factor;
}

static double distance(const float *a, const float *b, size_t count)
{
    dvec sum = {0};
    size_t i = 0;
    for (; i + B <= count; i += B) {
        dvec d = DOUBLES(AT(a + i, 0)) - DOUBLES(AT(b + i, 0));
        sum += d * d;
    }
    double total = 0;
    for (int l = 0; l < B; l++)
        total += sum[l];
    for (; i < count; i++)
        total += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return total;
}

static double square_sum(const float *x, size_t count)
{
    double total = 0;
    for (size_t i = 0; i < count;) {
        size_t vectors = MIN((count - i) / B, (size_t)RUN);
        vec sum = {0};
        for (size_t k = 0; k < vectors; k++)
            sum += AT(x + i, k) * AT(x + i, k);
        i += vectors * B;
        if (vectors < RUN && i < count) {
            vec v = tail(x + i, count - i, 0);
            sum += v * v;
            i = count;
        }
        for (int l = 0; l < B; l++)
            total += (double)sum[l];
    }
    return total;
}

/* ---- optimizers: the rules of semantics, one element after the other ------------------------- */

static void ema(const float *restrict w, float keep, size_t count, float *restrict average)
{
    for (size_t i = 0; i < count; i++)
        average[i] += keep * (w[i] - average[i]);
}

static void adagrad(const struct fn_cpu_rule *rule, size_t count, float *restrict w,
                    const float *restrict grad, float *restrict a, float *restrict none)
{
    (void)none;
    const float lr = rule->lr, decay = rule->decay;
    for (size_t i = 0; i < count; i++) {
        float g = grad[i] + decay * w[i];
        a[i] += g * g;
        w[i] -= lr * g / sqrtf(a[i]);
    }
}

static void adadelta(const struct fn_cpu_rule *rule, size_t count, float *restrict w,
                     const float *restrict grad, float *restrict a, float *restrict d)
{
    const float lr = rule->lr, decay = rule->decay;
    for (size_t i = 0; i < count; i++) {
        float g = grad[i] + decay * w[i];
        a[i] = 0.9F * a[i] + 0.1F * g * g;
        float u = g * sqrtf(d[i] + 1e-6F) / sqrtf(a[i] + 1e-6F);
        d[i] = 0.9F * d[i] + 0.1F * u * u;
        w[i] -= lr * u;
    }
}

static void adam(const struct fn_cpu_rule *rule, size_t count, float *restrict w,
                 const float *restrict grad, float *restrict m, float *restrict v)
{
    const float lr = rule->lr, decay = rule->decay;
    for (size_t i = 0; i < count; i++) {
        float g = grad[i] + decay * w[i];
        m[i] = 0.9F * m[i] + 0.1F * g;
        v[i] = 0.999F * v[i] + 0.001F * g * g;
        w[i] -= lr * m[i] / (sqrtf(v[i]) + 0.1F);
    }
}

static void rmsprop(const struct fn_cpu_rule *rule, size_t count, float *restrict w,
                    const float *restrict grad, float *restrict s, float *restrict q)
{
    const float lr = rule->lr, decay = rule->decay;
    for (size_t i = 0; i < count; i++) {
        float g = grad[i] + decay * w[i];
        s[i] = 0.9F * s[i] + 0.1F * g * g;
        q[i] = 0.9F * q[i] + lr * g / sqrtf(s[i] + 1.0F);
        w[i] -= q[i];
    }
}

static void momentum(const struct fn_cpu_rule *rule, size_t count, float *restrict w,
                     const float *restrict grad, float *restrict q, float *restrict none)
{
    (void)none;
    const float lr = rule->lr, decay = rule->decay;
    for (size_t i = 0; i < count; i++) {
        float g = grad[i] + decay * w[i];
        q[i] = 0.9F * q[i] + g;
        w[i] -= lr * g + lr * 0.9F * q[i];
    }
}

const struct fn_cpu_loops FN_LOOPS = {
    .isa = FN_LOOPS_ISA,
    .block = FN_BLOCK,
    .moments = moments,
    .bn = bn,
    .bn_sums = bn_sums,
    .bn_back = bn_back,
    .residual = residual,
    .residual_back = residual_back,
    .maxpool = maxpool,
    .maxpool_back = maxpool_back,
    .avgpool = avgpool,
    .avgpool_back = avgpool_back,
    .add = add,
    .bad = bad,
    .max = max,
    .exp_sum = exp_sum,
    .scale = scale,
    .distance = distance,
    .square_sum = square_sum,
    .ema = ema,
    .update = {adagrad, adadelta, adam, rmsprop, momentum},
};
