/* SPDX-License-Identifier: MIT */
/* Any bytes as the file of an input, read to its end as fn-ingest reads it: for the targets of the
 * kinds of input. */
#ifndef FN_TESTS_FUZZ_INPUT_H
#define FN_TESTS_FUZZ_INPUT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ingest/input.h"
#include "ingest/tsv.h"

#define FUZZ_BYTES_MAX ((uint64_t)32 << 20) /* of a bomb */

static inline void fuzz_require(int true_of_all_inputs)
{
    if (!true_of_all_inputs)
        abort();
}

/* What a worker does with an item, but for decoding the picture. */
static inline void fuzz_item(struct fn_input *s, struct fn_chunk *chunk, const struct fn_item *item)
{
    struct fn_row row;
    struct fn_bytes scratch = {NULL, 0, 0};
    char hash[33];
    memset(&row, 0, sizeof row);
    if (item->kind != FN_ITEM_TODO)
        return;
    fuzz_require(s->type->names(s, chunk, item, &row) == FN_OK);
    if (row.reject || !row.class_name)
        return;
    fuzz_require(fn_name_ok(row.class_name, row.class_bytes));
    fuzz_require(fn_name_ok(row.name, row.name_bytes));
    fuzz_require(s->type->picture(s, item, &row, &scratch) == FN_OK);
    if (!row.reject)
        fn_hash_text(row.image, row.image_bytes, hash); /* reads every byte */
    fn_bytes_free(&scratch);
}

/* Reads from wherever s stands; returns the position behind the last item. */
static inline struct fn_position fuzz_read(struct fn_input *s, uint64_t *bytes)
{
    struct fn_position last = {s->number, 0, 0, 0};
    struct fn_chunk *chunk = NULL;
    struct fn_budget budget;
    int rc;
    fuzz_require(fn_budget_open(&budget, 3 * FN_TSV_ROW_MAX) == FN_OK);
    fuzz_require(fn_chunk_open(&chunk) == FN_OK);
    do {
        fn_chunk_reset(chunk, &budget);
        rc = s->type->read(s, chunk, &budget);
        for (size_t i = 0; rc == FN_OK && i < chunk->count; i++) {
            const struct fn_item *item = &chunk->items[i];
            fuzz_require(item->pos.line == last.line + 1 || last.line == 0);
            fuzz_require(item->pos.next != 0);
            last = item->pos;
            fuzz_item(s, chunk, item);
        }
        *bytes += rc ? 0 : chunk->in_bytes;
    } while (rc == FN_OK && chunk->count && *bytes < FUZZ_BYTES_MAX);
    fn_chunk_reset(chunk, &budget);
    fuzz_require(budget.left == 3 * FN_TSV_ROW_MAX);
    fn_chunk_close(&chunk);
    fn_budget_close(&budget);
    return last;
}

/* Opens the bytes, reads them, opens them again and goes to where that ended. */
static inline void fuzz_input(const uint8_t *data, size_t size)
{
    struct fn_input_options how = {"auto"};
    struct fn_input *s = NULL;
    struct fn_position last = {0, 0, 0, 0};
    uint64_t bytes = 0;
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fn_input_open(&s, path, 0, &how) == FN_OK)
        last = fuzz_read(s, &bytes);
    fn_input_close(&s);
    if (last.line && bytes < FUZZ_BYTES_MAX) {
        fuzz_require(fn_input_open(&s, path, 0, &how) == FN_OK);
        fuzz_require(s->type->seek(s, &last) == FN_OK);
        fuzz_require(fuzz_read(s, &bytes).line == 0); /* nothing is behind the last item */
    }
    fn_input_close(&s);
    close(fd);
}

#endif
