/* SPDX-License-Identifier: MIT */
/* base64: every implementation gives the same answer, and what is taken encodes back to the text.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest/base64.h"
#include "tests/fuzz/fuzz.h"

static void encode(const uint8_t *in, size_t n, char *out)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3, out += 4) {
        unsigned v = (unsigned)in[i] << 16 | (i + 1 < n ? (unsigned)in[i + 1] << 8 : 0u) |
                     (i + 2 < n ? in[i + 2] : 0u);
        out[0] = digit[v >> 18];
        out[1] = digit[v >> 12 & 63];
        out[2] = i + 1 < n ? digit[v >> 6 & 63] : '=';
        out[3] = i + 2 < n ? digit[v & 63] : '=';
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count, bytes, again;
    const struct fn_base64_kind *kinds = fn_base64_kinds(&count);
    /* Exactly the promised room: the sanitizer sees a byte too many. */
    size_t room = FN_BASE64_BYTES(size);
    uint8_t *plain = malloc(room ? room : 1), *other = malloc(room ? room : 1);
    char *text = malloc(size + 4);
    if (!plain || !other || !text)
        abort();
    enum fn_base64_fault fault = fn_base64_decode_by(&kinds[0], data, size, plain, &bytes);
    for (size_t k = 1; k < count; k++) {
        if (!kinds[k].usable())
            continue;
        if (fn_base64_decode_by(&kinds[k], data, size, other, &again) != fault || again != bytes)
            abort();
        if (fault == FN_BASE64_OK && memcmp(plain, other, bytes) != 0)
            abort();
    }
    if (fault == FN_BASE64_OK) {
        encode(plain, bytes, text);
        if ((bytes + 2) / 3 * 4 != size || (size && memcmp(text, data, size) != 0))
            abort();
    }
    free(plain);
    free(other);
    free(text);
    return 0;
}
