/* SPDX-License-Identifier: MIT */
/* Elements of a tensor as float, double or int64_t. Data may be unaligned: memcpy reads them. */
#include <inttypes.h>
#include <string.h>

#include "train/safetensors.h"

static float float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* IEEE 754 half: 1 sign, 5 exponent, 10 fraction bits. */
static float float_of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, fraction = h & 0x3ffu;
    if (exponent == 31)
        return float_of_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent)
        return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float tiny = (float)fraction * 0x1p-24f;
    return sign ? -tiny : tiny;
}

static double real_at(const struct fn_named_tensor *t, uint64_t i)
{
    const unsigned char *p = (const unsigned char *)t->data + i * fn_dtype_bytes(t->dtype);
    double d;
    float f;
    uint16_t h;
    switch (t->dtype) {
    case FN_DTYPE_F64:
        memcpy(&d, p, sizeof d);
        return d;
    case FN_DTYPE_F32:
        memcpy(&f, p, sizeof f);
        return (double)f;
    case FN_DTYPE_F16:
        memcpy(&h, p, sizeof h);
        return (double)float_of_half(h);
    default: /* BF16: the upper half of a float */
        memcpy(&h, p, sizeof h);
        return (double)float_of_bits((uint32_t)h << 16);
    }
}

static int want_reals(const struct fn_named_tensor *t)
{
    if (t->dtype > FN_DTYPE_BF16)
        return fn_fail(FN_EMISMATCH, "tensor '%s' is %s, want floating-point numbers", t->name,
                       fn_dtype_name(t->dtype));
    return FN_OK;
}

int fn_tensor_floats(const struct fn_named_tensor *t, float *out)
{
    int rc = want_reals(t);
    if (rc == FN_OK && t->dtype == FN_DTYPE_F32 && t->bytes)
        memcpy(out, t->data, t->bytes);
    else if (rc == FN_OK)
        for (uint64_t i = 0; i < t->count; i++)
            out[i] = (float)real_at(t, i);
    return rc;
}

int fn_tensor_doubles(const struct fn_named_tensor *t, double *out)
{
    int rc = want_reals(t);
    for (uint64_t i = 0; rc == FN_OK && i < t->count; i++)
        out[i] = real_at(t, i);
    return rc;
}

int fn_tensor_integers(const struct fn_named_tensor *t, int64_t *out)
{
    size_t size = fn_dtype_bytes(t->dtype);
    int is_signed = t->dtype >= FN_DTYPE_I64 && t->dtype <= FN_DTYPE_I8;
    if (t->dtype < FN_DTYPE_I64)
        return fn_fail(FN_EMISMATCH, "tensor '%s' is %s, want whole numbers", t->name,
                       fn_dtype_name(t->dtype));
    for (uint64_t i = 0; i < t->count; i++) {
        const unsigned char *p = (const unsigned char *)t->data + i * size;
        uint64_t v = 0;
        for (size_t b = size; b-- > 0;)
            v = v << 8 | p[b];
        if (is_signed && size < 8 && v >> (8 * size - 1))
            v |= UINT64_MAX << (8 * size);
        if (!is_signed && v > INT64_MAX)
            return fn_fail(FN_EMISMATCH, "tensor '%s': %" PRIu64 " is too large", t->name, v);
        memcpy(&out[i], &v, sizeof v);
    }
    return FN_OK;
}
