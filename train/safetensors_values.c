/* SPDX-License-Identifier: MIT */
/* Elements of a tensor as float. Data may be unaligned: memcpy reads them. */
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

static float float_at(const struct fn_named_tensor *t, uint64_t i)
{
    const unsigned char *p = (const unsigned char *)t->data + i * fn_dtype_bytes(t->dtype);
    double d;
    uint16_t h;
    if (t->dtype == FN_DTYPE_F64) {
        memcpy(&d, p, sizeof d);
        return (float)d;
    }
    memcpy(&h, p, sizeof h);
    if (t->dtype == FN_DTYPE_F16)
        return float_of_half(h);
    return float_of_bits((uint32_t)h << 16); /* BF16: the upper half of a float */
}

int fn_tensor_floats(const struct fn_named_tensor *t, float *out)
{
    if (t->dtype > FN_DTYPE_BF16)
        return fn_fail(FN_EMISMATCH, "tensor '%s' is %s, want floating-point numbers", t->name,
                       fn_dtype_name(t->dtype));
    if (t->dtype == FN_DTYPE_F32 && t->bytes)
        memcpy(out, t->data, t->bytes);
    else if (t->dtype != FN_DTYPE_F32)
        for (uint64_t i = 0; i < t->count; i++)
            out[i] = float_at(t, i);
    return FN_OK;
}
