/* SPDX-License-Identifier: MIT */
/* Loops over planes. Compiled several times: FN_BLOCK is the number of floats in a vector,
 * FN_NARROW says what activations are (scalar.h), FN_PLANES is the name of the table. The vectors
 * are the compiler's own: it lowers them to what the instruction set has.
 *
 * Sums run in float over runs of at most RUN vectors and in double over the runs, always in the
 * same order, so that the result is nearly that of double and the same on every run. */
#include "kernels/cpu/planes.h"

#include <string.h>

#include "kernels/cpu/scalar.h"

typedef uint8_t bvec __attribute__((vector_size(FN_BLOCK), may_alias, aligned(1)));

enum { B = FN_BLOCK, RUN = 128 };

#define MASK(condition, v) ((vec)((condition) & (ivec)(v))) /* v where true, else 0 */

/* ---- statistics ----------------------------------------------------------------------------- */

static void moments(const void *plane, size_t pixels, double *sums)
{
    const scalar *x = plane;
    dvec sum = ((const dvec *)sums)[0], square = ((const dvec *)sums)[1];
    for (size_t p = 0; p < pixels; p += RUN, x += RUN * B) {
        size_t count = MIN(pixels - p, (size_t)RUN), i;
        vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        for (i = 0; i + 4 <= count; i += 4) {
            s0 += load(x, i);
            s1 += load(x, i + 1);
            s2 += load(x, i + 2);
            s3 += load(x, i + 3);
        }
        for (; i < count; i++)
            s0 += load(x, i);
        /* Squares around the run's own mean: nothing cancels. */
        vec mean = (s0 + s1 + s2 + s3) / (float)count;
        vec r0 = {0}, r1 = {0}, q0 = {0}, q1 = {0};
        for (i = 0; i + 2 <= count; i += 2) {
            vec d0 = load(x, i) - mean, d1 = load(x, i + 1) - mean;
            r0 += d0;
            r1 += d1;
            q0 += d0 * d0;
            q1 += d1 * d1;
        }
        for (; i < count; i++) {
            vec d = load(x, i) - mean;
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

/* ---- batch norm and the residual ------------------------------------------------------------ */

static void bn(const void *y, const float *mean, const float *rstd, const float *beta, int relu,
               size_t pixels, void *z)
{
    vec m = AT(mean, 0), r = AT(rstd, 0), b = AT(beta, 0);
    if (relu)
        for (size_t i = 0; i < pixels; i++) {
            vec v = (load(y, i) - m) * r + b;
            store(z, i, PICK(v < 0, (vec){0}, v)); /* NaN stays NaN */
        }
    else
        for (size_t i = 0; i < pixels; i++)
            store(z, i, (load(y, i) - m) * r + b);
}

static void bn_sums(const void *gradient, const void *plane, const float *mean, const float *rstd,
                    const float *beta, int relu, size_t pixels, double *sums)
{
    const scalar *dz = gradient, *y = plane;
    vec m = AT(mean, 0), r = AT(rstd, 0), b = AT(beta, 0);
    ivec all = {0};
    all = relu ? all : ~all;
    dvec sum = ((const dvec *)sums)[0], product = ((const dvec *)sums)[1];
    for (size_t p = 0; p < pixels; p += RUN, dz += RUN * B, y += RUN * B) {
        size_t count = MIN(pixels - p, (size_t)RUN), i;
        vec s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0};
        for (i = 0; i + 2 <= count; i += 2) {
            vec c0 = load(y, i) - m, c1 = load(y, i + 1) - m;
            vec d0 = MASK((c0 * r + b > 0) | all, load(dz, i));
            vec d1 = MASK((c1 * r + b > 0) | all, load(dz, i + 1));
            s0 += d0;
            s1 += d1;
            q0 += d0 * c0;
            q1 += d1 * c1;
        }
        for (; i < count; i++) {
            vec c = load(y, i) - m;
            vec d = MASK((c * r + b > 0) | all, load(dz, i));
            s0 += d;
            q0 += d * c;
        }
        sum += DOUBLES(s0 + s1);
        product += DOUBLES(q0 + q1);
    }
    ((dvec *)sums)[0] = sum;
    ((dvec *)sums)[1] = product;
}

static void bn_back(const void *dz, const void *y, const float *mean, const float *rstd,
                    const float *beta, const float *a, const float *b, int relu, size_t pixels,
                    void *dy)
{
    vec m = AT(mean, 0), r = AT(rstd, 0), shift = AT(beta, 0), va = AT(a, 0), vb = AT(b, 0);
    ivec all = {0};
    all = relu ? all : ~all;
    for (size_t i = 0; i < pixels; i++) {
        vec c = load(y, i) - m;
        vec d = MASK((c * r + shift > 0) | all, load(dz, i));
        store(dy, i, r * (d - va - c * vb));
    }
}

static void residual(const void *x, const void *up, const float *bias, float scale, int relu,
                     size_t pixels, void *out)
{
    vec b = AT(bias, 0);
    if (relu)
        for (size_t i = 0; i < pixels; i++) {
            vec v = load(x, i) + scale * (load(up, i) + b);
            store(out, i, PICK(v < 0, (vec){0}, v));
        }
    else
        for (size_t i = 0; i < pixels; i++)
            store(out, i, load(x, i) + scale * (load(up, i) + b));
}

static void residual_back(const void *dout, const void *out, float scale, int relu, size_t pixels,
                          void *dx, void *dup, double *sums)
{
    ivec all = {0};
    all = relu ? all : ~all;
    dvec sum = *(const dvec *)sums;
    for (size_t p = 0; p < pixels; p += RUN) {
        size_t end = p + MIN(pixels - p, (size_t)RUN);
        vec s = {0};
        for (size_t i = p; i < end; i++) {
            vec d = MASK((load(out, i) > 0) | all, load(dout, i));
            vec u = scale * d;
            store(dx, i, d);
            store(dup, i, u);
            s += u;
        }
        sum += DOUBLES(s);
    }
    *(dvec *)sums = sum;
}

/* ---- pools ---------------------------------------------------------------------------------- */

static void maxpool(const void *plane, size_t w, size_t oh, size_t ow, void *y, uint8_t *index)
{
    const scalar *x = plane;
    for (size_t i = 0; i < oh; i++, x += 2 * w * B)
        for (size_t j = 0; j < ow; j++) {
            vec best = load(x, 2 * j);
            ivec taken = {0};
            for (int k = 1; k < 9; k++) {
                vec v = load(x, (size_t)(k / 3) * w + 2 * j + (size_t)(k % 3));
                ivec better = v > best;
                best = PICK(better, v, best);
                taken = (better & k) | (~better & taken);
            }
            store(y, i * ow + j, best);
            if (index)
                ((bvec *)index)[i * ow + j] = __builtin_convertvector(taken, bvec);
        }
}

/* One row of inputs: = or += what one or two rows of outputs give back to it. The inputs are
 * elements k, k + 1 and k + 2 of the first row's windows; six before those, of the second's. */
static inline __attribute__((always_inline)) void maxpool_back_row(int rows, const scalar *dy,
                                                                   const uint8_t *index, int32_t k,
                                                                   size_t w, size_t ow,
                                                                   int accumulate, scalar *dx)
{
    vec before[2] = {{0}, {0}}; /* what the outputs to the left give to the column they share */
    for (size_t j = 0; j < ow; j++) {
        vec even = {0}, odd = {0};
        if (accumulate) {
            even = load(dx, 2 * j);
            odd = load(dx, 2 * j + 1);
        }
        for (int r = 0; r < rows; r++) {
            const size_t at = (size_t)r * ow + j;
            const int32_t first = k - 6 * r;
            ivec taken = __builtin_convertvector(((const bvec *)index)[at], ivec);
            vec d = load(dy, at);
            vec to_even = before[r] + MASK(taken == first, d), to_odd = MASK(taken == first + 1, d);
            before[r] = MASK(taken == first + 2, d);
            if (r > 0 || accumulate) {
                to_even += even;
                to_odd += odd;
            }
            even = to_even;
            odd = to_odd;
        }
        store(dx, 2 * j, even);
        store(dx, 2 * j + 1, odd);
    }
    vec last = before[0];
    if (accumulate)
        last += load(dx, 2 * ow);
    if (rows > 1)
        last += before[1];
    store(dx, 2 * ow, last);
    for (size_t j = 2 * ow + 1; j < w && !accumulate; j++)
        store(dx, j, (vec){0});
}

static void maxpool_back(const void *gradient, const uint8_t *index, size_t h, size_t w, size_t oh,
                         size_t ow, int accumulate, void *plane)
{
    const scalar *dy = gradient;
    scalar *dx = plane;
    for (size_t i = 0; i < h; i++, dx += w * B) {
        /* Rows of outputs whose windows hold row i: i/2 - 1 (for even i) and i/2. */
        size_t first = i % 2 == 0 && i > 0 ? i / 2 - 1 : i / 2, last = MIN(i / 2, oh - 1);
        const int32_t k = (int32_t)(i - 2 * first) * 3;
        const size_t at = first * ow * B;
        if (first < last)
            maxpool_back_row(2, dy + at, index + at, k, w, ow, accumulate, dx);
        else if (first == last)
            maxpool_back_row(1, dy + at, index + at, k, w, ow, accumulate, dx);
        else if (!accumulate)
            memset(dx, 0, w * B * sizeof *dx);
    }
}

static void avgpool(const void *x, size_t pixels, float *y)
{
    dvec sum = {0};
    for (size_t i = 0; i < pixels; i++)
        sum += DOUBLES(load(x, i));
    PUT(y, 0) = __builtin_convertvector(sum / (double)pixels, vec);
}

static void avgpool_back(const float *dy, size_t pixels, void *dx)
{
    vec d = AT(dy, 0) / (float)pixels;
    for (size_t i = 0; i < pixels; i++)
        store(dx, i, d);
}

/* ---- convolutions --------------------------------------------------------------------------- */

static void add(const void *x, size_t count, void *y)
{
    for (size_t i = 0; i < count; i++)
        store(y, i, load(y, i) + load(x, i));
}

#if FN_NARROW
/* Rows of inputs, two by two, to pairs. */
static void pair_inputs(const float *w, uint16_t *to)
{
    for (size_t i = 0; i < B; i += 2) {
        svec row[2];
        store(&row[0], 0, AT(w, i));
        store(&row[1], 0, AT(w, i + 1));
        ((ivec *)(void *)to)[i / 2] =
            __builtin_convertvector(row[0], ivec) | __builtin_convertvector(row[1], ivec) << 16;
    }
}

/* Outputs lie side by side: pairs already, which change places. */
static void pair_outputs(const float *w, uint16_t *to)
{
    for (size_t i = 0; i < B; i++) {
        uint16_t row[B];
        store(row, 0, AT(w, i));
        for (size_t o = 0; o < B; o += 2)
            memcpy(to + o * B + 2 * i, row + o, 2 * sizeof *to);
    }
}

static void narrow(const float *w, int turned, void *to)
{
    (turned ? pair_outputs : pair_inputs)(w, to);
}
#endif

const struct fn_cpu_plane_loops FN_PLANES = {
    .block = FN_BLOCK,
    .scalar_bytes = sizeof(scalar),
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
#if FN_NARROW
    .narrow = narrow,
#endif
};
