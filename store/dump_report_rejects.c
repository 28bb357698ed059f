/* SPDX-License-Identifier: MIT */
/* What became of the rows of the input, with examples of those that were not taken. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "store/build.h"
#include "store/dump_report_internal.h"

enum { A_REASON = 4 /* examples */, DETAIL = 240 /* bytes of it */ };

/* For people who see these words for the first time. */
static const char *const meanings[FN_REJECT_COUNT] = {
    [FN_REJECT_COLUMNS] = "wrong number of columns",
    [FN_REJECT_LONG_ROW] = "row longer than the limit",
    [FN_REJECT_NAME] = "a name that is empty or cannot be used",
    [FN_REJECT_BASE64] = "not valid base64",
    [FN_REJECT_EMPTY] = "no picture in it",
    [FN_REJECT_NOT_IMAGE] = "neither JPEG nor PNG",
    [FN_REJECT_IMAGE_DAMAGED] = "picture cut short or damaged",
    [FN_REJECT_IMAGE_LIMIT] = "picture too large",
    [FN_REJECT_BOX] = "box outside of the picture",
    [FN_REJECT_NO_FACE] = "no face found by the aligner",
    [FN_REJECT_NAME_COLLISION] = "same name as another picture",
    [FN_REJECT_IO] = "file cannot be read",
};

static void put_rows(struct fn_report *r)
{
    const struct fn_manifest *m = r->store->manifest;
    const struct fn_bar bars[] = {{"images in the store", (double)m->records},
                                  {"duplicates", (double)m->duplicates},
                                  {"skipped (no picture in it)", (double)m->skipped},
                                  {"filtered (not wanted)", (double)m->filtered},
                                  {"rejected", (double)m->rejected[0]}};
    char text[320];
    int n = snprintf(text, sizeof text, "%s were read; each is counted once here.",
                     fn_dump_count(m->rows, "row"));
    if (m->small)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      " Filtered: %s of classes with fewer than %s.",
                      fn_dump_count(m->small, "image"), fn_dump_number(m->min_images));
    if (m->surplus)
        n += snprintf(text + n, sizeof text - (size_t)n,
                      " Filtered: %s behind the first %s of their class.",
                      fn_dump_count(m->surplus, "image"), fn_dump_number(m->max_per_class));
    if (m->dedupe_pixels)
        snprintf(text + n, sizeof text - (size_t)n,
                 " Equal pictures within a class: %s; shared between classes: %s.",
                 fn_dump_number(m->same_pixels), fn_dump_number(m->conflicts));
    const struct fn_bars chart = {"Where the rows went", text, "became", "rows",
                                  FN_UNIT_COUNT,         bars, 5};
    fn_chart_bars(r->html, &chart);
}

/* The commonest first. */
static void put_reasons(struct fn_report *r)
{
    uint64_t left[FN_REJECT_COUNT];
    struct fn_bar bars[FN_REJECT_COUNT];
    size_t count = 0;
    memcpy(left, r->store->manifest->rejected, sizeof left);
    for (int best; (best = fn_dump_commonest(left)) != 0; left[best] = 0)
        bars[count++] = (struct fn_bar){meanings[best], (double)left[best]};
    const struct fn_bars chart = {"Why rows were rejected",
                                  "One bad row never stops the run; it is listed with its place.",
                                  "reason",
                                  "rows",
                                  FN_UNIT_COUNT,
                                  bars,
                                  count};
    fn_chart_bars(r->html, &chart);
}

static int reason_of(const char *name, size_t bytes)
{
    for (int i = 1; i < FN_REJECT_COUNT; i++)
        if (strlen(fn_reject_name(i)) == bytes && memcmp(fn_reject_name(i), name, bytes) == 0)
            return i;
    return 0;
}

/* input TAB line TAB offset TAB reason TAB detail; detail is escaped already. */
static void put_example(struct fn_report *r, const char *line, const char *end,
                        int seen[FN_REJECT_COUNT])
{
    const char *field[5] = {line};
    for (int i = 1; i < 5; i++) {
        const char *tab = memchr(field[i - 1], '\t', (size_t)(end - field[i - 1]));
        if (!tab)
            return;
        field[i] = tab + 1;
    }
    int reason = reason_of(field[3], (size_t)(field[4] - field[3] - 1));
    if (seen[reason]++ >= A_REASON)
        return;
    int bytes = end - field[4] < DETAIL ? (int)(end - field[4]) : DETAIL;
    fn_html_cell(r->html, "%lu", strtoul(field[0], NULL, 10));
    fn_html_cell(r->html, "%s", fn_dump_number(strtoull(field[1], NULL, 10)));
    fn_html_cell(r->html, "%s", fn_dump_number(strtoull(field[2], NULL, 10)));
    fn_html_cell(r->html, "%s", reason ? meanings[reason] : "?");
    fn_html_cell(r->html, "%.*s%s", bytes, field[4], end - field[4] > DETAIL ? "..." : "");
}

static int put_examples(struct fn_report *r)
{
    static const char *const columns[] = {"#input", "#line", "#byte", "reason", "detail"};
    const struct fn_manifest *m = r->store->manifest;
    char path[FN_PATH_MAX], digits[33], word[512];
    int seen[FN_REJECT_COUNT] = {0};
    struct fn_map map;
    int rc = fn_map_open(&map, fn_store_file(path, r->d->store, "rejects.tsv"));
    if (rc)
        return rc;
    fn_sum128_text(fn_sum128(map.data, map.bytes), digits);
    if (strcmp(digits, m->rejects.checksum) != 0)
        fn_warn("%s is damaged: its checksum is %s, should be %s", path, digits,
                m->rejects.checksum);
    fn_html_put(r->html, "<div class=\"card\">\n<h3>Examples</h3>\n<p>");
    fn_html_textf(r->html, "The first %d of each reason, with input number, line and byte offset. ",
                  A_REASON);
    fn_html_textf(r->html, "All of them: fn-dump %s rejects",
                  fn_args_word(r->d->store, word, sizeof word));
    fn_html_put(r->html, "</p>\n");
    fn_html_table(r->html, NULL, columns, 5);
    const char *text = (const char *)map.data, *stop = text + map.bytes;
    for (const char *line = text; line < stop;) {
        const char *end = memchr(line, '\n', (size_t)(stop - line));
        end = end ? end : stop;
        if (*line != '#') /* the title */
            put_example(r, line, end, seen);
        line = end + 1;
    }
    fn_html_table_end(r->html);
    fn_html_put(r->html, "</div>\n");
    fn_map_close(&map);
    return FN_OK;
}

int fn_report_rows(struct fn_report *r)
{
    int rc = FN_OK, rejected = r->store->manifest->rejected[0] > 0;
    fn_html_section(r->html, "From rows to images",
                    "A row is a line of a TSV file, a file of a tree, or an entry of an archive.");
    fn_html_grid(r->html, 2);
    put_rows(r);
    if (rejected)
        put_reasons(r);
    fn_html_grid_end(r->html);
    if (rejected)
        rc = put_examples(r);
    fn_html_section_end(r->html);
    return rc;
}
