/* SPDX-License-Identifier: MIT */
/* Loops over arrays. Compiled several times: FN_BLOCK is the number of floats in a vector, FN_LOOPS
 * the name of the table, FN_LOOPS_ISA what it is called. The vectors are the compiler's own: it
 * lowers them to what the instruction set has.
 *
 * Sums run in float over runs of at most RUN vectors and in double over the runs, always in the
 * same order, so that the result is nearly that of double and the same on every run. */
#include "kernels/cpu/loops.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu/vector.h"

enum { B = FN_BLOCK, RUN = 128 };

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
