/* SPDX-License-Identifier: MIT */
/* TSV: the layout found from any bytes, and every row of them taken apart by each layout. */
#include <stdlib.h>
#include <string.h>

#include "ingest/base64.h"
#include "ingest/tsv.h"
#include "tests/fuzz/fuzz.h"

static void take_row(const struct fn_tsv_layout *layout, struct fn_span row)
{
    struct fn_span columns[FN_TSV_COLUMNS_MAX], class_name;
    char name[FN_NAME_MAX];
    size_t bytes;
    size_t count = fn_tsv_split(row, columns), total = count - 1;
    for (size_t i = 0; i < count && i < FN_TSV_COLUMNS_MAX; i++)
        total += columns[i].bytes;
    if (total > row.bytes || (count <= FN_TSV_COLUMNS_MAX && total != row.bytes))
        abort(); /* columns and tabs are the row */
    if (count != (size_t)layout->columns)
        return;
    if (fn_tsv_names(layout, columns, &class_name, name, &bytes) == FN_OK &&
        (!fn_name_ok((const char *)class_name.at, class_name.bytes) || !fn_name_ok(name, bytes)))
        abort();
    struct fn_span image = columns[layout->image];
    size_t room = FN_BASE64_BYTES(image.bytes);
    uint8_t *out = malloc(room ? room : 1);
    if (!out)
        abort();
    if (fn_base64_decode(image.at, image.bytes, out, &bytes) == FN_BASE64_OK && bytes > room)
        abort();
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const layouts[] = {"aligned7", "full6"};
    const struct fn_tsv_layout *found = NULL;
    for (int whole = 0; whole <= 1; whole++) {
        int rc = fn_tsv_detect(data, size, whole, "fuzz", &found);
        if (rc != FN_OK && rc != FN_EFORMAT)
            abort();
    }
    for (size_t at = 0; at < size;) {
        const uint8_t *lf = memchr(data + at, '\n', size - at);
        size_t end = lf ? (size_t)(lf - data) + 1 : size;
        struct fn_span row = fn_tsv_trim(data + at, end - at);
        for (size_t i = 0; i < 2; i++)
            take_row(fn_tsv_layout_named(layouts[i]), row);
        at = end;
    }
    return 0;
}
