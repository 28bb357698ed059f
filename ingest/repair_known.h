/* SPDX-License-Identifier: MIT */
/* What a damaged store still says about itself as a whole. */
#ifndef FN_INGEST_REPAIR_KNOWN_H
#define FN_INGEST_REPAIR_KNOWN_H

#include "base/file.h"
#include "store/index.h"
#include "store/manifest.h"
#include "store/mend.h"
#include "store/stored.h"

struct fn_known {
    struct fn_manifest *manifest; /* or NULL */
    json_t *provenance;           /* or NULL */
    struct fn_map index_map;
    struct fn_index *index; /* or NULL; its blocks may still be bad */
    /* From manifest or provenance, if either is there: */
    int have_content;
    struct fn_store_content content;
    char *selection, *inputs;
    uint64_t rows, skipped, filtered; /* filtered: by the reader */
    /* rejects.tsv: mapped, or read and mended */
    struct fn_map rejects_map;
    unsigned char *rejects_text;
    struct fn_reject_lines rejects;
    int rejects_unsure;
    uint64_t mended;
};
/* FN_OK whatever is missing; FN_EVERSION, FN_ENOMEM. fn_known_close in any case. */
int fn_known_open(struct fn_known *known, const char *store, struct fn_mend *mend);
void fn_known_close(struct fn_known *known);

#endif
