/* SPDX-License-Identifier: MIT */
/* Any bytes as a safetensors file: every tensor that is accepted lies inside and can be read. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "train/safetensors.h"

static void read_all(const struct fn_named_tensor *t, const uint8_t *data, size_t size)
{
    const uint8_t *p = t->data;
    if (p < data || p + t->bytes > data + size || t->bytes != t->count * fn_dtype_bytes(t->dtype))
        abort();
    void *out = malloc(t->count ? t->count * sizeof(float) : 1);
    if (!out)
        return;
    (void)fn_tensor_floats(t, out);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fn_safetensors *st;
    if (fn_safetensors_parse(&st, data, size, "fuzz") != FN_OK)
        return 0;
    for (size_t i = 0; i < fn_safetensors_count(st); i++) {
        const struct fn_named_tensor *t = fn_safetensors_at(st, i);
        if (fn_safetensors_find(st, t->name) != t)
            abort();
        read_all(t, data, size);
    }
    (void)fn_safetensors_meta(st, "a");
    (void)fn_safetensors_verify(st);
    fn_safetensors_close(&st);
    return 0;
}
