/* SPDX-License-Identifier: MIT */
/* Looking at every byte of a store: files against the manifest, index blocks, groups, records, and
 * every picture decoded. Whatever is wrong is reported; nothing that is wrong stops the rest from
 * being looked at, as far as it can still be reached. */
#ifndef FN_STORE_VERIFY_H
#define FN_STORE_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_verify_bad {
    const char *file;   /* its name in the folder: "shard-00000.mdb" */
    int64_t id;         /* of the record, or -1: no live record, or none in particular */
    const char *record; /* "class/name", escaped, or "" where unknown */
    const char *text;   /* what is wrong, a sentence that names all of the above */
};

struct fn_verify {
    int threads; /* >= 1 */
    void *context;
    /* Called for each finding; one call at a time, from any thread. */
    void (*bad)(void *context, const struct fn_verify_bad *bad);
    /* Now and then: pictures decoded so far, of all. NULL is fine. One call at a time. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    /* Filled by the call. */
    uint64_t files, records, payload_bytes, bad_count;
};

/* FN_OK: everything could be looked at or was reported (bad_count says how it is). Other codes: it
 * was not possible to look: no store, not sealed, a newer version, no memory, interrupted. */
int fn_store_verify(const char *path, struct fn_verify *verify);

#ifdef __cplusplus
}
#endif
#endif
