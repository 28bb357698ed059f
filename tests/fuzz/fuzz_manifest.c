/* SPDX-License-Identifier: MIT */
/* Any bytes as a manifest, as they are and with their own checksum put right. */
#include <stdlib.h>
#include <string.h>

#include "store/manifest.h"
#include "tests/fuzz/fuzz.h"

static void parse(const char *text, size_t size)
{
    struct fn_manifest *m = NULL;
    if (fn_manifest_parse(&m, text, size, "fuzz") != FN_OK) {
        if (m)
            abort();
        return;
    }
    if (m->rows != m->records + m->duplicates + m->skipped + m->filtered + m->rejected[0] ||
        strlen(m->content_id) != 32 || !m->codec || !fn_manifest_content(m))
        abort();
    for (uint64_t i = 0; i < m->shard_count; i++)
        if (strlen(m->shards[i].checksum) != 32)
            abort();
    fn_manifest_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    parse(copy, size);
    if (fn_self_sum_set(copy, size, "content_id") == FN_OK)
        parse(copy, size);
    free(copy);
    return 0;
}
