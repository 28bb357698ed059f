/* SPDX-License-Identifier: MIT */
/* Rejects: names, packing, lines. */
#include "store/rejects.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

struct packed {
    uint32_t input, reason;
    uint64_t line, offset;
};

const char *fn_reject_name(int reason)
{
    static const char *const names[FN_REJECT_COUNT] = {
        [FN_REJECT_COLUMNS] = "columns",
        [FN_REJECT_LONG_ROW] = "long_row",
        [FN_REJECT_NAME] = "bad_name",
        [FN_REJECT_BASE64] = "bad_base64",
        [FN_REJECT_EMPTY] = "empty_data",
        [FN_REJECT_NOT_IMAGE] = "not_image",
        [FN_REJECT_IMAGE_DAMAGED] = "damaged_image",
        [FN_REJECT_IMAGE_LIMIT] = "image_too_large",
        [FN_REJECT_BOX] = "bad_box",
        [FN_REJECT_NO_FACE] = "no_face",
        [FN_REJECT_NAME_COLLISION] = "name_collision",
        [FN_REJECT_IO] = "unreadable",
        [FN_REJECT_LOST] = "lost",
    };
    return reason > 0 && reason < FN_REJECT_COUNT && names[reason] ? names[reason] : "?";
}

static int append(struct fn_bytes *out, const void *data, size_t bytes)
{
    int rc = fn_bytes_reserve(out, out->bytes + bytes);
    if (!rc && bytes)
        memcpy(out->data + out->bytes, data, bytes);
    if (!rc)
        out->bytes += bytes;
    return rc;
}

int fn_reject_pack(struct fn_bytes *out, const struct fn_reject *reject)
{
    struct packed packed = {.input = reject->input,
                            .reason = (uint32_t)reject->reason,
                            .line = reject->line,
                            .offset = reject->offset};
    size_t detail =
        reject->detail_bytes < FN_REJECT_DETAIL_MAX ? reject->detail_bytes : FN_REJECT_DETAIL_MAX;
    int rc = append(out, &packed, sizeof packed);
    return rc ? rc : append(out, reject->detail, detail);
}

int fn_reject_unpack(const uint8_t *data, size_t bytes, struct fn_reject *reject)
{
    struct packed packed;
    if (bytes < sizeof packed)
        return fn_fail(FN_ECORRUPT, "a reject of %zu bytes in the journal", bytes);
    memcpy(&packed, data, sizeof packed);
    *reject = (struct fn_reject){.input = packed.input,
                                 .reason = (int)packed.reason,
                                 .line = packed.line,
                                 .offset = packed.offset,
                                 .detail = (const char *)data + sizeof packed,
                                 .detail_bytes = bytes - sizeof packed};
    return FN_OK;
}

/* Bytes of the printable character at s, 0 if there is none. */
static size_t printable(const unsigned char *s, size_t bytes)
{
    size_t n = fn_utf8_length(s, bytes);
    if (n == 1)
        return s[0] >= 32 && s[0] != 127;
    return n == 2 && s[0] == 0xc2 && s[1] < 0xa0 ? 0 : n; /* C1 controls move a terminal's cursor */
}

int fn_escape(struct fn_bytes *out, const char *text, size_t bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    int rc = FN_OK;
    for (size_t i = 0; i < bytes && !rc;) {
        size_t n = printable(s + i, bytes - i);
        if (s[i] == '\\') {
            rc = append(out, "\\\\", 2);
            i++;
        } else if (n) {
            rc = append(out, s + i, n);
            i += n;
        } else {
            char code[8];
            snprintf(code, sizeof code, "\\x%02x", s[i]);
            rc = append(out, code, 4);
            i++;
        }
    }
    return rc;
}

int fn_reject_line(struct fn_bytes *out, const struct fn_reject *reject)
{
    char numbers[128];
    int n = snprintf(numbers, sizeof numbers, "%" PRIu32 "\t%" PRIu64 "\t%" PRIu64 "\t%s\t",
                     reject->input, reject->line, reject->offset, fn_reject_name(reject->reason));
    int rc = append(out, numbers, (size_t)n);
    if (!rc)
        rc = fn_escape(out, reject->detail, reject->detail_bytes);
    return rc ? rc : append(out, "\n", 1);
}
