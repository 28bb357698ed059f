/* SPDX-License-Identifier: MIT */
/* Name lists: the file's own bytes, an entry a line that says where its key lies in them, and an
 * open hash table over the entries. Five million lines take 29 bytes each beside the file. */
#include "ingest/select.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

#include "base/file.h"
#include "ingest/input.h"

#define LIST_BYTES_MAX ((size_t)4 << 30)
#define KEY_MAX (2 * FN_NAME_MAX + 1) /* class/name */

struct entry {
    uint64_t at : 48;    /* in text */
    uint64_t bytes : 16; /* at most KEY_MAX */
};

struct fn_name_list {
    char *text;
    struct entry *entries;
    atomic_uchar *matched; /* by entry */
    uint32_t *table;       /* entry + 1, or 0 */
    size_t count, mask;
    char hash[33];
};

/* A picture's ending is no part of a record's name. */
static size_t without_ending(const char *key, size_t bytes)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t n = strlen(endings[i]);
        if (bytes > n && key[bytes - n - 1] != '/' &&
            strncasecmp(key + bytes - n, endings[i], n) == 0)
            return bytes - n;
    }
    return bytes;
}

/* Entry + 1 of a key, 0 where it is not; *slot: where it is or would be. */
static uint32_t find(const struct fn_name_list *l, const char *key, size_t bytes, size_t *slot)
{
    size_t i = XXH3_64bits(key, bytes) & l->mask;
    for (; l->table[i]; i = (i + 1) & l->mask) {
        const struct entry *e = &l->entries[l->table[i] - 1];
        if (e->bytes == bytes && memcmp(l->text + e->at, key, bytes) == 0)
            break;
    }
    *slot = i;
    return l->table[i];
}

/* The key of a line, in place: class, or class/name without its ending. *bytes 0: a blank line. */
static char *key_of(char *line, size_t *bytes)
{
    char *end = line + *bytes;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '/'))
        end--;
    char *tab = memchr(line, '\t', (size_t)(end - line));
    if (tab && memchr(tab, '/', (size_t)(end - tab)))
        line = tab + 1; /* MID <tab> path: the path has its own class */
    else if (tab)
        *tab = '/';
    char *slash = memrchr(line, '/', (size_t)(end - line));
    if (slash) { /* a longer path: its last two parts */
        char *before = memrchr(line, '/', (size_t)(slash - line));
        line = before ? before + 1 : line;
    }
    *bytes = (size_t)(end - line);
    if (slash)
        *bytes = without_ending(line, *bytes);
    return line;
}

static int allocate(struct fn_name_list *l, size_t lines)
{
    size_t slots = 16;
    if (lines >= UINT32_MAX / 2)
        return fn_fail(FN_ELIMIT, "a list of more than two billion lines");
    while (slots < lines * 2)
        slots *= 2;
    l->mask = slots - 1;
    l->entries = malloc((lines ? lines : 1) * sizeof *l->entries);
    l->matched = calloc(lines ? lines : 1, sizeof *l->matched);
    l->table = calloc(slots, sizeof *l->table);
    return l->entries && l->matched && l->table
               ? FN_OK
               : fn_fail(FN_ENOMEM, "no memory for a list of %zu lines", lines);
}

static int add_line(struct fn_name_list *l, char *line, size_t bytes, size_t number,
                    const char *where)
{
    size_t slot;
    char *key = key_of(line, &bytes);
    if (bytes == 0)
        return FN_OK;
    if (memchr(key, '\0', bytes))
        return fn_fail(FN_EFORMAT, "%s:%zu: a NUL byte; a list of names is text", where, number);
    if (bytes > (memchr(key, '/', bytes) ? KEY_MAX : FN_NAME_MAX))
        return fn_fail(FN_EFORMAT, "%s:%zu: %zu bytes are too long for class/name", where, number,
                       bytes);
    if (find(l, key, bytes, &slot))
        return FN_OK;
    l->entries[l->count] =
        (struct entry){(uint64_t)(key - l->text) & 0xffffffffffff, bytes & 0xffff};
    l->table[slot] = (uint32_t)++l->count;
    return FN_OK;
}

int fn_name_list_parse(struct fn_name_list **list, char *text, size_t bytes, const char *where)
{
    size_t lines = 1, number = 0;
    int rc;
    struct fn_name_list *l = calloc(1, sizeof *l);
    *list = NULL;
    if (!l) {
        free(text);
        return fn_fail(FN_ENOMEM, "no memory for %s", where);
    }
    l->text = text;
    fn_hash_text(text, bytes, l->hash);
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    rc = allocate(l, lines);
    size_t at = bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* byte order mark */
    while (!rc && at < bytes) {
        char *lf = memchr(text + at, '\n', bytes - at);
        size_t end = lf ? (size_t)(lf - text) : bytes;
        rc = add_line(l, text + at, end - at, ++number, where);
        at = end + 1;
    }
    if (!rc && l->count == 0)
        rc = fn_fail(FN_EFORMAT, "%s names nothing", where);
    if (rc)
        fn_name_list_close(&l);
    *list = l;
    return rc;
}

int fn_name_list_open(struct fn_name_list **list, const char *path)
{
    unsigned char *text = NULL;
    size_t bytes = 0;
    *list = NULL;
    int rc = fn_file_read(path, LIST_BYTES_MAX, &text, &bytes);
    return rc ? rc : fn_name_list_parse(list, (char *)text, bytes, path);
}

void fn_name_list_close(struct fn_name_list **list)
{
    struct fn_name_list *l = *list;
    if (!l)
        return;
    free(l->text);
    free(l->entries);
    free(l->matched);
    free(l->table);
    free(l);
    *list = NULL;
}

static int has_key(struct fn_name_list *l, const char *key, size_t bytes)
{
    size_t slot;
    uint32_t entry = find(l, key, bytes, &slot);
    if (!entry)
        return 0;
    /* Looked at first: a shared cache line is not written again and again. */
    if (!atomic_load_explicit(&l->matched[entry - 1], memory_order_relaxed))
        atomic_store_explicit(&l->matched[entry - 1], 1, memory_order_relaxed);
    return 1;
}

int fn_name_list_has(struct fn_name_list *l, const char *class_name, size_t class_bytes,
                     const char *name, size_t name_bytes)
{
    char key[KEY_MAX];
    if (class_bytes + 1 + name_bytes > sizeof key)
        return 0;
    memcpy(key, class_name, class_bytes);
    key[class_bytes] = '/';
    memcpy(key + class_bytes + 1, name, name_bytes);
    size_t bytes = class_bytes + 1 + name_bytes;
    /* All three are asked, so that each entry that fits is noted as matched. */
    int found = has_key(l, key, class_bytes);
    found |= has_key(l, key, bytes);
    size_t shorter = without_ending(key, bytes);
    if (shorter < bytes && shorter > class_bytes + 1)
        found |= has_key(l, key, shorter);
    return found;
}

size_t fn_name_list_count(const struct fn_name_list *list)
{
    return list->count;
}

size_t fn_name_list_unmatched(const struct fn_name_list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++)
        n += !atomic_load_explicit(&l->matched[i], memory_order_relaxed);
    return n;
}

void fn_name_list_each_unmatched(const struct fn_name_list *l, size_t limit, void *context,
                                 void (*visit)(void *context, const char *name, size_t bytes))
{
    for (size_t i = 0; i < l->count && limit > 0; i++) {
        if (atomic_load_explicit(&l->matched[i], memory_order_relaxed))
            continue;
        visit(context, l->text + l->entries[i].at, l->entries[i].bytes);
        limit--;
    }
}

const char *fn_name_list_hash(const struct fn_name_list *list)
{
    return list->hash;
}
