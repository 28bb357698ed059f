/* SPDX-License-Identifier: MIT */
/* Rows that were not taken: in the journal of a build, and as lines of rejects.tsv. */
#ifndef FN_STORE_REJECTS_H
#define FN_STORE_REJECTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/image.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_REJECT_DETAIL_MAX 1000 /* longer ones are cut */
#define FN_REJECTS_TITLE "#input\tline\toffset\treason\tdetail\n"

struct fn_reject {
    uint32_t input;
    int reason;
    uint64_t line, offset;
    const char *detail; /* not terminated */
    size_t detail_bytes;
};

/* Append to `out`, as the journal has it: 24 bytes of numbers, then the detail. */
int fn_reject_pack(struct fn_bytes *out, const struct fn_reject *reject);
/* From the journal; detail points into `data`. FN_ECORRUPT. */
int fn_reject_unpack(const uint8_t *data, size_t bytes, struct fn_reject *reject);

/* Any bytes as one field of a line: what is below 32, 127, or from 128 on and not UTF-8 becomes
 * \xNN, a backslash is doubled. UTF-8 stays. Appends to `out`. */
int fn_escape(struct fn_bytes *out, const char *text, size_t bytes);
/* One line of rejects.tsv, appended. */
int fn_reject_line(struct fn_bytes *out, const struct fn_reject *reject);

#ifdef __cplusplus
}
#endif
#endif
