/* SPDX-License-Identifier: MIT */
/* Equal pictures: the records that are live by their names, sorted by pixels, class and position.
 * Within a class the first of each picture stays; a picture that stays in several classes is listed
 * as a conflict of labels. Two records are in memory at a time. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/build.h"
#include "store/seal_internal.h"

#define TITLE "#pixels\tinput\tline\toffset\tclass\trecord\n"

/* Big-endian, so that memcmp orders by pixels, class, position. Then class NUL record NUL. */
struct head {
    uint8_t pixels[8], class_number[4], position[8];
    uint8_t line[8], offset[8], input[4];
};
#define ITEM_MAX (sizeof(struct head) + 2 * (FN_NAME_MAX + 1))

int fn_dedupe_add(struct fn_sort *pictures, const struct fn_picture *picture)
{
    uint8_t item[ITEM_MAX];
    struct head head;
    fn_key64(head.pixels, picture->pixels);
    fn_key32(head.class_number, picture->class_number);
    memcpy(head.position, picture->position, sizeof head.position);
    fn_key64(head.line, picture->line);
    fn_key64(head.offset, picture->offset);
    fn_key32(head.input, picture->input);
    if (picture->names_bytes > ITEM_MAX - sizeof head)
        return fn_fail(FN_EINTERNAL, "names of %zu bytes", picture->names_bytes);
    memcpy(item, &head, sizeof head);
    memcpy(item + sizeof head, picture->names, picture->names_bytes);
    return fn_sort_add(pictures, item, sizeof head + picture->names_bytes);
}

struct pass {
    struct fn_selection *out;
    struct fn_sink *sink;
    struct fn_bytes text;
    uint8_t kept[ITEM_MAX]; /* the last that stayed */
    int any, listed;        /* there was one; it is in the file */
};

static int list(struct pass *pass, const uint8_t *item)
{
    struct head head;
    char numbers[128];
    const char *class_name = (const char *)item + sizeof head;
    const char *name = class_name + strlen(class_name) + 1;
    memcpy(&head, item, sizeof head);
    int n =
        snprintf(numbers, sizeof numbers, "%016" PRIx64 "\t%" PRIu32 "\t%" PRIu64 "\t%" PRIu64 "\t",
                 fn_unkey64(head.pixels), fn_unkey32(head.input), fn_unkey64(head.line),
                 fn_unkey64(head.offset));
    int rc = fn_sink_write(pass->sink, numbers, (size_t)n);
    pass->text.bytes = 0;
    if (!rc)
        rc = fn_escape(&pass->text, class_name, strlen(class_name));
    if (!rc)
        rc = fn_sink_write(pass->sink, pass->text.data, pass->text.bytes);
    pass->text.bytes = 0;
    if (!rc)
        rc = fn_escape(&pass->text, name, strlen(name));
    if (!rc)
        rc = fn_sink_write(pass->sink, "\t", 1);
    if (!rc)
        rc = fn_sink_write(pass->sink, pass->text.data, pass->text.bytes);
    pass->out->conflicts++;
    return rc ? rc : fn_sink_write(pass->sink, "\n", 1);
}

static int judge(struct pass *pass, const uint8_t *item, size_t bytes)
{
    struct head head, kept;
    struct fn_selection *out = pass->out;
    int rc = FN_OK;
    memcpy(&head, item, sizeof head);
    memcpy(&kept, pass->kept, sizeof kept);
    uint32_t number = fn_unkey32(head.class_number);
    int same = pass->any && memcmp(head.pixels, kept.pixels, sizeof head.pixels) == 0;
    if (same && memcmp(head.class_number, kept.class_number, sizeof head.class_number) == 0) {
        out->same_pixels++;
        out->members[number]--;
        return fn_selection_put(out, head.position, number, FN_FATE_SAME_PIXELS);
    }
    if (same && !pass->listed)
        rc = list(pass, pass->kept);
    if (same && !rc)
        rc = list(pass, item);
    if (rc)
        return rc;
    memcpy(pass->kept, item, bytes);
    pass->any = 1;
    pass->listed = same;
    return fn_selection_put(out, head.position, number, FN_FATE_LIVE);
}

int fn_dedupe(struct fn_selection *out, const char *store, struct fn_sort *pictures)
{
    char temporary[FN_PATH_MAX], path[FN_PATH_MAX];
    struct pass pass = {.out = out};
    const uint8_t *item;
    size_t bytes;
    uint64_t n = 0;
    fn_build_file(temporary, store, "conflicts.tmp");
    fn_store_file(path, store, "conflicts.tsv");
    int rc = fn_sink_open(&pass.sink, temporary, path);
    if (!rc)
        rc = fn_sink_write(pass.sink, TITLE, strlen(TITLE));
    if (!rc)
        rc = fn_sort_start(pictures);
    while (!rc && (rc = fn_sort_next(pictures, &item, &bytes)) == FN_OK) {
        rc = judge(&pass, item, bytes);
        if (!rc && n++ % 65536 == 0)
            rc = fn_seal_pause(store);
    }
    if (rc == FN_SORT_END) {
        out->conflicts_file.bytes = fn_sink_bytes(pass.sink);
        fn_sum128_text(fn_sink_sum(pass.sink), out->conflicts_file.checksum);
        rc = fn_sink_commit(pass.sink);
    }
    fn_sink_close(&pass.sink);
    fn_bytes_free(&pass.text);
    return rc;
}
