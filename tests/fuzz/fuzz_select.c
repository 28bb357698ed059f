/* SPDX-License-Identifier: MIT */
/* Name lists: any bytes as a list; each of its entries is found again by its own name. */
#include <stdlib.h>
#include <string.h>

#include "ingest/select.h"
#include "tests/fuzz/fuzz.h"

struct names {
    char *text;
    size_t bytes, count;
};

static void collect(void *context, const char *name, size_t bytes)
{
    struct names *names = context;
    memcpy(names->text + names->bytes, name, bytes);
    names->bytes += bytes;
    names->text[names->bytes++] = '\n';
    names->count++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fn_name_list *list = NULL;
    struct names names = {malloc(2 * size + 2), 0, 0};
    char *text = malloc(size + 1);
    if (!text || !names.text)
        abort();
    memcpy(text, data, size);
    if (fn_name_list_parse(&list, text, size, "fuzz") == FN_OK) {
        size_t count = fn_name_list_count(list);
        fn_name_list_each_unmatched(list, count, &names, collect);
        if (count == 0 || names.count != count || fn_name_list_unmatched(list) != count)
            abort();
        for (size_t at = 0; at < names.bytes;) {
            char *name = names.text + at;
            size_t bytes = (size_t)((char *)memchr(name, '\n', names.bytes - at) - name);
            char *slash = memrchr(name, '/', bytes);
            size_t left = slash ? (size_t)(slash - name) : bytes;
            const char *record = slash ? slash + 1 : "x";
            size_t record_bytes = slash ? bytes - left - 1 : 1;
            if (!fn_name_list_has(list, name, left, record, record_bytes))
                abort();
            at += bytes + 1;
        }
        if (fn_name_list_unmatched(list) != 0)
            abort();
    }
    fn_name_list_close(&list);
    free(names.text);
    return 0;
}
