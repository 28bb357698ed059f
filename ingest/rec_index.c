/* SPDX-License-Identifier: MIT */
/* Text beside a RecordIO file. */
#include "ingest/rec_index.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/recordio.h"
#include "ingest/tsv.h"
#include "store/store.h"

#define COLUMNS FN_TSV_COLUMNS_MAX

/* The line from text[*at] on without its end; *at moves behind it. 0: there is none. */
static int next_line(const char *text, size_t bytes, size_t *at, struct fn_span *line)
{
    if (*at >= bytes)
        return 0;
    const char *lf = memchr(text + *at, '\n', bytes - *at);
    size_t end = lf ? (size_t)(lf - text) + 1 : bytes;
    *line = fn_tsv_trim((const uint8_t *)text + *at, end - *at);
    *at = end;
    return 1;
}

/* Decimal digits, with nothing but zeros behind a point if `point`. */
static int number_of(struct fn_span text, int point, uint64_t *value)
{
    size_t i = 0;
    *value = 0;
    for (; i < text.bytes && text.at[i] >= '0' && text.at[i] <= '9'; i++) {
        if (*value > (UINT64_MAX - 9) / 10)
            return 0;
        *value = *value * 10 + text.at[i] - '0';
    }
    if (i == 0)
        return 0;
    if (point && i < text.bytes && text.at[i] == '.') {
        i++;
        while (i < text.bytes && text.at[i] == '0')
            i++;
    }
    return i == text.bytes;
}

/* ---- the index ---- */

int fn_rec_index_line(const struct fn_rec_index *index, size_t at, struct fn_rec_line *out)
{
    struct fn_span line, columns[COLUMNS];
    do {
        if (!next_line(index->text, index->bytes, &at, &line))
            return 0;
    } while (line.bytes == 0);
    if (fn_tsv_split(line, columns) != 2 || !number_of(columns[1], 0, &out->offset))
        return 0;
    out->key = (const char *)columns[0].at;
    out->key_bytes = columns[0].bytes;
    out->next = at;
    return 1;
}

int fn_rec_index_open(struct fn_rec_index *index, const char *text, size_t bytes, const char *where)
{
    struct fn_span text_line, columns[COLUMNS];
    size_t at = 0;
    uint64_t line = 0, offset;
    *index = (struct fn_rec_index){text, bytes, 0, 0};
    while (next_line(text, bytes, &at, &text_line)) {
        line++;
        if (text_line.bytes == 0)
            continue;
        if (fn_tsv_split(text_line, columns) != 2 || columns[0].bytes == 0 ||
            !number_of(columns[1], 0, &offset) || offset % 4)
            return fn_fail(FN_EFORMAT, "%s, line %llu: not a key, a tab and the place of a record",
                           where, (unsigned long long)line);
        if (index->lines && offset <= index->last)
            return fn_fail(FN_EFORMAT,
                           "%s, line %llu: its records are not in the order of the file; "
                           "`sort -n -k 2 -o %s %s` puts them right",
                           where, (unsigned long long)line, where, where);
        index->last = offset;
        index->lines++;
    }
    if (index->lines == 0)
        return fn_fail(FN_EFORMAT, "%s lists nothing", where);
    return FN_OK;
}

/* ---- the list ---- */

struct fn_rec_list {
    struct fn_span *names; /* by number; NULL: not in the list */
    size_t size;           /* of that array */
    uint32_t classes;
};

/* Which columns of a list's line the path and the label are, from 0; path -1: the last. */
struct shape {
    int path, label;
};

static struct shape shape_of(struct fn_span line)
{
    struct fn_span columns[COLUMNS];
    uint64_t value;
    size_t count = fn_tsv_split(line, columns);
    if (!number_of(columns[0], 1, &value))
        return (struct shape){0, 1};
    if (count > 1 && !number_of(columns[1], 1, &value))
        return (struct shape){1, 2};
    return (struct shape){-1, 1};
}

/* The last column of a line that may have more than fn_tsv_split gives. */
static struct fn_span last_column(struct fn_span line)
{
    const uint8_t *tab = memrchr(line.at, '\t', line.bytes);
    const uint8_t *at = tab ? tab + 1 : line.at;
    return (struct fn_span){at, line.bytes - (size_t)(at - line.at)};
}

/* The last but one part of a path. */
static int folder_of(struct fn_span path, struct fn_span *folder)
{
    const uint8_t *last = memrchr(path.at, '/', path.bytes);
    if (!last)
        return 0;
    const uint8_t *before = memrchr(path.at, '/', (size_t)(last - path.at));
    const uint8_t *at = before ? before + 1 : path.at;
    *folder = (struct fn_span){at, (size_t)(last - at)};
    return fn_name_ok((const char *)folder->at, folder->bytes);
}

static int take_apart(struct fn_span line, const struct shape *shape, struct fn_span *folder,
                      uint32_t *number)
{
    struct fn_span columns[COLUMNS];
    size_t count = fn_tsv_split(line, columns);
    uint64_t value;
    if (count <= (size_t)shape->label || (shape->path < 0 && count < 3) ||
        !number_of(columns[shape->label], 1, &value) || value > FN_RECORDIO_CLASS_MAX)
        return 0;
    *number = (uint32_t)value;
    return folder_of(shape->path < 0 ? last_column(line) : columns[shape->path], folder);
}

/* The highest label, and whether every line is what it should be. */
static int look_through(const char *text, size_t bytes, const char *where, uint32_t *highest)
{
    struct fn_span line, folder;
    struct shape shape = {0, 0};
    size_t at = 0;
    uint64_t n = 0, lines = 0;
    uint32_t number;
    *highest = 0;
    while (next_line(text, bytes, &at, &line)) {
        n++;
        if (line.bytes == 0)
            continue;
        if (lines++ == 0)
            shape = shape_of(line);
        if (!take_apart(line, &shape, &folder, &number))
            return fn_fail(FN_EFORMAT, "%s, line %llu: not a label and the path of a picture",
                           where, (unsigned long long)n);
        *highest = number > *highest ? number : *highest;
    }
    return lines ? FN_OK : fn_fail(FN_EFORMAT, "%s lists nothing", where);
}

static int equal(const struct fn_span *a, const struct fn_span *b)
{
    return a->bytes == b->bytes && memcmp(a->at, b->at, a->bytes) == 0;
}

/* The first folder of every label; the others of that label must be the same. */
static int fill(struct fn_rec_list *list, const char *text, size_t bytes, const char *where)
{
    struct fn_span line, folder;
    struct shape shape = {0, 0};
    size_t at = 0;
    uint32_t number;
    int first = 1;
    while (next_line(text, bytes, &at, &line)) {
        if (line.bytes == 0)
            continue;
        if (first)
            shape = shape_of(line);
        first = 0;
        if (!take_apart(line, &shape, &folder, &number))
            return fn_fail(FN_EINTERNAL, "%s changes while it is read", where);
        struct fn_span *name = &list->names[number];
        list->classes += !name->at;
        if (!name->at)
            *name = folder;
        else if (!equal(name, &folder))
            return fn_fail(FN_EMISMATCH, "%s has pictures of label %lu in more than one folder",
                           where, (unsigned long)number);
    }
    return FN_OK;
}

static int by_bytes(const void *left, const void *right)
{
    const struct fn_span *a = left, *b = right;
    size_t n = a->bytes < b->bytes ? a->bytes : b->bytes;
    int order = memcmp(a->at, b->at, n);
    return order ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* No folder may have two labels. */
static int check_distinct(const struct fn_rec_list *list, const char *where)
{
    int rc = FN_OK;
    size_t n = 0;
    struct fn_span *names = malloc(list->classes * sizeof *names);
    if (!names)
        return fn_fail(FN_ENOMEM, "no memory for the %lu classes of %s",
                       (unsigned long)list->classes, where);
    for (size_t i = 0; i < list->size; i++) {
        if (list->names[i].at)
            names[n++] = list->names[i];
    }
    qsort(names, n, sizeof *names, by_bytes);
    for (size_t i = 1; i < n && !rc; i++) {
        if (equal(&names[i - 1], &names[i]))
            rc = fn_fail(FN_EMISMATCH, "%s has pictures of several labels in the folder %.*s",
                         where, (int)names[i].bytes, (const char *)names[i].at);
    }
    free(names);
    return rc;
}

int fn_rec_list_open(struct fn_rec_list **list, const char *text, size_t bytes, const char *where)
{
    uint32_t highest;
    struct fn_rec_list *l = NULL;
    int rc = look_through(text, bytes, where, &highest);
    *list = NULL;
    if (rc)
        return rc;
    l = calloc(1, sizeof *l);
    if (l) {
        l->size = (size_t)highest + 1;
        l->names = calloc(l->size, sizeof *l->names);
    }
    if (!l || !l->names)
        rc = fn_fail(FN_ENOMEM, "no memory for the classes of %s", where);
    if (!rc)
        rc = fill(l, text, bytes, where);
    if (!rc)
        rc = check_distinct(l, where);
    if (rc)
        fn_rec_list_close(&l);
    *list = l;
    return rc;
}

void fn_rec_list_close(struct fn_rec_list **list)
{
    if (!*list)
        return;
    free((*list)->names);
    free(*list);
    *list = NULL;
}

uint32_t fn_rec_list_classes(const struct fn_rec_list *list)
{
    return list->classes;
}

const char *fn_rec_list_name(const struct fn_rec_list *list, uint32_t number, size_t *bytes)
{
    if (number >= list->size || !list->names[number].at)
        return NULL;
    *bytes = list->names[number].bytes;
    return (const char *)list->names[number].at;
}
