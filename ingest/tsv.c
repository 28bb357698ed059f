/* SPDX-License-Identifier: MIT */
/* Rows of a face TSV, taken apart. */
#include "ingest/tsv.h"

#include <string.h>

#include "base/image.h"
#include "ingest/base64.h"

#define LOOK_ROWS 100 /* rows that decide the layout */

static const struct fn_tsv_layout layouts[] = {
    {"aligned7", 7, 0, 1, 4, 5, 6,
     "MID, rank, image URL, page URL, FaceID, face rectangle, face picture"},
    {"full6", 6, 0, 2, -1, -1, 5, "MID, name, rank, image URL, page URL, picture"},
};
#define LAYOUTS (sizeof layouts / sizeof layouts[0])

const struct fn_tsv_layout *fn_tsv_layout_named(const char *name)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        if (strcmp(layouts[i].name, name) == 0)
            return &layouts[i];
    }
    return NULL;
}

struct fn_span fn_tsv_trim(const uint8_t *row, size_t bytes)
{
    if (bytes && row[bytes - 1] == '\n')
        bytes--;
    if (bytes && row[bytes - 1] == '\r')
        bytes--;
    return (struct fn_span){row, bytes};
}

size_t fn_tsv_split(struct fn_span row, struct fn_span *columns)
{
    size_t n = 0;
    const uint8_t *at = row.at, *end = row.at + row.bytes;
    for (;;) {
        const uint8_t *tab = at < end ? memchr(at, '\t', (size_t)(end - at)) : NULL;
        if (n < FN_TSV_COLUMNS_MAX)
            columns[n] = (struct fn_span){at, (size_t)((tab ? tab : end) - at)};
        n++;
        if (!tab)
            return n;
        at = tab + 1;
    }
}

/* Does a column begin as the base64 of a JPEG or PNG does? */
static int begins_picture(struct fn_span column)
{
    uint8_t magic[12];
    size_t bytes, chars = column.bytes < 16 ? column.bytes / 4 * 4 : 16;
    return fn_base64_decode(column.at, chars, magic, &bytes) == FN_BASE64_OK &&
           fn_image_sniff(magic, bytes) != FN_IMAGE_UNKNOWN;
}

static int is_rectangle(struct fn_span column)
{
    uint8_t rect[18];
    size_t bytes;
    return column.bytes == 24 &&
           fn_base64_decode(column.at, column.bytes, rect, &bytes) == FN_BASE64_OK && bytes == 16;
}

static int fits(const struct fn_tsv_layout *l, const struct fn_span *columns, size_t count)
{
    return count == (size_t)l->columns && begins_picture(columns[l->image]) &&
           (l->rectangle < 0 || is_rectangle(columns[l->rectangle]));
}

/* Files that people hand over by mistake, by their first bytes. */
static const char *other_kind(const uint8_t *head, size_t bytes)
{
    static const struct {
        const char *magic;
        size_t at, bytes;
        const char *kind;
    } known[] = {
        {"%PDF", 0, 4, "a PDF document"},
        {"\xff\xd8\xff", 0, 3, "a JPEG picture"},
        {"\x89PNG", 0, 4, "a PNG picture"},
        {"GIF8", 0, 4, "a GIF picture"},
        {"RIFF", 0, 4, "a RIFF file (WebP, sound or video)"},
        {"\x89HDF", 0, 4, "an HDF5 file"},
        {"\x7f"
         "ELF",
         0, 4, "a program"},
        {"\xde\xc0\xef\xbe", 16, 4, "an LMDB file"},
        {"SQLite format 3", 0, 15, "an SQLite database"},
        {"<!DOCTYPE", 0, 9, "an HTML page"},
        {"<html", 0, 5, "an HTML page"},
        {"\x0a\x23\xd7\xce", 0, 4, "a RecordIO file"},
        {"7z\xbc\xaf", 0, 4, "a 7-Zip archive"},
        {"Rar!", 0, 4, "a RAR archive"},
        /* What is found by itself and read; here it is inside of another. */
        {"PK\3\4", 0, 4, "a zip archive: take it out first"},
        {"ustar", 257, 5, "a tar archive: take it out first"},
        {"\x1f\x8b", 0, 2, "a gzip file: take it out first"},
        {"1AY&SY", 4, 6, "a bzip2 file: take it out first"},
        {"\xfd"
         "7zXZ",
         0, 5, "an xz file: take it out first"},
        {"\x28\xb5\x2f\xfd", 0, 4, "a zstd file: take it out first"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (bytes >= known[i].at + known[i].bytes &&
            memcmp(head + known[i].at, known[i].magic, known[i].bytes) == 0)
            return known[i].kind;
    }
    return NULL;
}

int fn_tsv_plausible(const uint8_t *head, size_t bytes, const char *where)
{
    const char *kind = other_kind(head, bytes);
    if (bytes == 0)
        return fn_fail(FN_EFORMAT, "%s is empty", where);
    if (kind)
        return fn_fail(FN_EFORMAT, "%s is not a face TSV: it looks like %s", where, kind);
    return FN_OK;
}

/* No layout: say what the first row is. */
static int not_a_tsv(struct fn_span first, const char *where)
{
    struct fn_span columns[FN_TSV_COLUMNS_MAX];
    size_t count = fn_tsv_split(first, columns);
    size_t odd = 0, look = first.bytes < 4096 ? first.bytes : 4096;
    for (size_t i = 0; i < look; i++)
        odd += first.at[i] < 32 && first.at[i] != '\t' && first.at[i] != '\r';
    if (odd > look / 16)
        return fn_fail(FN_EFORMAT, "%s is not a face TSV: it is a binary file", where);
    for (size_t i = 0; i < LAYOUTS; i++) {
        if (count == (size_t)layouts[i].columns)
            return fn_fail(
                FN_EFORMAT,
                "%s is not a face TSV: its first row has %zu columns as in layout %s, but "
                "none of the first rows has a base64 JPEG or PNG in column %d%s (--layout "
                "%s takes it all the same)",
                where, count, layouts[i].name, layouts[i].image + 1,
                layouts[i].rectangle < 0 ? "" : " and a 16-byte rectangle before it",
                layouts[i].name);
    }
    return fn_fail(
        FN_EFORMAT,
        "%s is not a face TSV: its first row has %zu column%s, not the %d of layout %s or "
        "the %d of %s",
        where, count, count == 1 ? "" : "s", layouts[0].columns, layouts[0].name,
        layouts[1].columns, layouts[1].name);
}

int fn_tsv_detect(const uint8_t *head, size_t bytes, int whole, const char *where,
                  const struct fn_tsv_layout **layout)
{
    size_t votes[LAYOUTS] = {0}, at = 0, rows = 0;
    struct fn_span first = {head, 0};
    int rc = fn_tsv_plausible(head, bytes, where);
    if (rc)
        return rc;
    while (at < bytes && rows < LOOK_ROWS) {
        struct fn_span columns[FN_TSV_COLUMNS_MAX];
        const uint8_t *lf = memchr(head + at, '\n', bytes - at);
        size_t end = lf ? (size_t)(lf - head) + 1 : bytes;
        if (!lf && !whole && rows > 0)
            break; /* a row that is not all there decides only where there is no other */
        struct fn_span row = fn_tsv_trim(head + at, end - at);
        at = end;
        if (row.bytes == 0)
            continue;
        if (rows++ == 0)
            first = row;
        size_t count = fn_tsv_split(row, columns);
        for (size_t i = 0; i < LAYOUTS; i++)
            votes[i] += (size_t)fits(&layouts[i], columns, count);
    }
    if (rows == 0)
        return fn_fail(FN_EFORMAT, "%s has only blank lines at its start", where);
    if (votes[0] == votes[1] && votes[0])
        return fn_fail(
            FN_EFORMAT,
            "%s: as many of the first %zu rows are of layout %s as of %s; say which with "
            "--layout",
            where, rows, layouts[0].name, layouts[1].name);
    if (votes[0] == 0 && votes[1] == 0)
        return not_a_tsv(first, where);
    *layout = &layouts[votes[1] > votes[0]];
    return FN_OK;
}

int fn_tsv_likely(const uint8_t *head, size_t bytes)
{
    struct fn_span columns[FN_TSV_COLUMNS_MAX];
    size_t at = 0, rows = 0;
    while (at < bytes && rows < LOOK_ROWS) {
        const uint8_t *lf = memchr(head + at, '\n', bytes - at);
        size_t end = lf ? (size_t)(lf - head) + 1 : bytes;
        struct fn_span row = fn_tsv_trim(head + at, end - at);
        size_t count = fn_tsv_split(row, columns);
        at = end;
        rows += row.bytes > 0;
        for (size_t i = 0; i < LAYOUTS; i++) {
            if (count == (size_t)layouts[i].columns)
                return 1;
        }
    }
    return 0;
}

int fn_tsv_names(const struct fn_tsv_layout *l, const struct fn_span *columns,
                 struct fn_span *class_name, char *name, size_t *name_bytes)
{
    struct fn_span rank = columns[l->rank];
    struct fn_span face = l->face_id < 0 ? (struct fn_span){NULL, 0} : columns[l->face_id];
    size_t n = rank.bytes + (l->face_id < 0 ? 0 : 1 + face.bytes);
    *class_name = columns[l->mid];
    *name_bytes = 0;
    if (class_name->bytes == 0)
        return fn_fail(FN_EFORMAT, "column %d (MID) is empty", l->mid + 1);
    if (rank.bytes == 0)
        return fn_fail(FN_EFORMAT, "column %d (rank) is empty", l->rank + 1);
    if (l->face_id >= 0 && face.bytes == 0)
        return fn_fail(FN_EFORMAT, "column %d (FaceID) is empty", l->face_id + 1);
    if (class_name->bytes > FN_NAME_MAX)
        return fn_fail(FN_EFORMAT, "column %d (MID) has %zu bytes, more than %d", l->mid + 1,
                       class_name->bytes, FN_NAME_MAX);
    if (rank.bytes > FN_NAME_MAX || n > FN_NAME_MAX)
        return fn_fail(FN_EFORMAT, "the record's name (rank%s) has more than %d bytes",
                       l->face_id < 0 ? "" : " and FaceID", FN_NAME_MAX);
    memcpy(name, rank.at, rank.bytes);
    if (l->face_id >= 0) {
        name[rank.bytes] = '-';
        memcpy(name + rank.bytes + 1, face.at, face.bytes);
    }
    for (size_t i = 0; i < n; i++)
        name[i] = name[i] == '/' ? '_' : name[i];
    if (!fn_name_ok((const char *)class_name->at, class_name->bytes))
        return fn_fail(FN_EFORMAT,
                       "column %d (MID) cannot be a name: it is . or .., or has a slash or "
                       "a control character",
                       l->mid + 1);
    if (!fn_name_ok(name, n))
        return fn_fail(FN_EFORMAT,
                       "the record's name (rank%s) cannot be one: it is . or .., or has a "
                       "control character",
                       l->face_id < 0 ? "" : " and FaceID");
    *name_bytes = n;
    return FN_OK;
}
