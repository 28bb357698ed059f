/* SPDX-License-Identifier: MIT */
/* RecordIO's index and list: any bytes as either. */
#include <stdlib.h>

#include "ingest/rec_index.h"
#include "ingest/recordio.h"
#include "store/store.h"
#include "tests/fuzz/fuzz.h"

static void take_index(const char *text, size_t size)
{
    struct fn_rec_index index;
    struct fn_rec_line line = {NULL, 0, 0, 0};
    uint64_t lines = 0, last = 0;
    if (fn_rec_index_open(&index, text, size, "fuzz"))
        return;
    while (fn_rec_index_line(&index, line.next, &line)) {
        if ((lines && line.offset <= last) || line.offset % 4 || line.key_bytes == 0)
            abort();
        last = line.offset;
        lines++;
    }
    if (lines != index.lines || last != index.last)
        abort();
}

static void take_list(const char *text, size_t size)
{
    struct fn_rec_list *list = NULL;
    uint32_t named = 0;
    int rc = fn_rec_list_open(&list, text, size, "fuzz");
    if (rc && rc != FN_EFORMAT && rc != FN_EMISMATCH)
        abort();
    for (uint32_t i = 0; list && i <= 1000; i++) {
        size_t bytes;
        const char *name = fn_rec_list_name(list, i, &bytes);
        if (name && !fn_name_ok(name, bytes))
            abort();
        named += name != NULL;
    }
    if (list && named > fn_rec_list_classes(list))
        abort();
    fn_rec_list_close(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take_index((const char *)data, size);
    take_list((const char *)data, size);
    return 0;
}
