/* SPDX-License-Identifier: MIT */
/* The aligner's bounding_boxes files: a hash table of lines, its keys lying in the text itself. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/faces.h"
#include "base/file.h"

/* 60 bytes a line: more pictures than entries can be counted. */
#define FILE_LIMIT ((size_t)1 << 40)

struct entry {
    const char *key; /* class/name, not terminated */
    uint32_t key_bytes;
    uint32_t line;
    enum fn_box_found found;
    struct fn_box box;
};

struct fn_boxes {
    unsigned char *text;
    struct entry *entries;
    size_t count, cap;
    uint32_t *slots; /* index of an entry + 1; 0: free */
    size_t slot_mask;
};

/* The last two parts of a path, without the picture's ending. */
static const char *key_of(const char *path, size_t bytes, size_t *key_bytes)
{
    const char *end = path + bytes - fn_picture_ending(path, bytes), *start = end;
    for (int slashes = 0; start > path; start--)
        if (start[-1] == '/' && ++slashes == 2)
            break;
    *key_bytes = (size_t)(end - start);
    return start;
}

/* The slot of a key, or the free slot where it belongs. */
static uint32_t *slot_of(const struct fn_boxes *b, const char *key, size_t bytes)
{
    size_t i = (size_t)XXH3_64bits(key, bytes) & b->slot_mask;
    for (; b->slots[i]; i = (i + 1) & b->slot_mask) {
        const struct entry *e = &b->entries[b->slots[i] - 1];
        if (e->key_bytes == bytes && memcmp(e->key, key, bytes) == 0)
            break;
    }
    return &b->slots[i];
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

enum token { WORD, WHOLE, NOT_WHOLE };

/* A whole number into *value; NOT_WHOLE: meant as a number, but with a point, or too large. */
static enum token number(const char *s, size_t bytes, int *value)
{
    size_t i = bytes && (*s == '-' || *s == '+'), digits = 0;
    long long v = 0;
    for (; i < bytes && s[i] >= '0' && s[i] <= '9'; i++, digits++)
        v = v > INT_MAX ? v : v * 10 + (s[i] - '0');
    if (digits == 0)
        return WORD;
    *value = (int)(*s == '-' ? -v : v);
    if (i == bytes)
        return v <= INT_MAX ? WHOLE : NOT_WHOLE;
    for (; i < bytes; i++)
        if (!strchr("0123456789.eE+-", s[i]) || s[i] == 0)
            return WORD;
    return NOT_WHOLE;
}

/* Take the last token off [s, s + *bytes), and the blanks before it. */
static enum token last_token(const char *s, size_t *bytes, int *value)
{
    size_t start = *bytes, end = *bytes;
    while (start > 0 && !is_blank(s[start - 1]))
        start--;
    enum token kind = number(s + start, end - start, value);
    while (start > 0 && is_blank(s[start - 1]))
        start--;
    *bytes = start;
    return kind;
}

/* One line without its end, not empty, no blanks around it. What is wrong with it, or NULL. */
static const char *parse(const char *line, size_t bytes, struct entry *e)
{
    int v[4], numbers = 0, unused;
    size_t path = bytes, rest = bytes;
    for (; numbers < 4 && rest > 0; numbers++, path = rest) {
        enum token kind = last_token(line, &rest, &v[3 - numbers]);
        if (kind == WORD)
            break;
        if (kind == NOT_WHOLE)
            return "a number that is not a whole one, or too large";
    }
    if (path == 0 && numbers == 1) { /* a picture that is called by a number */
        path = bytes;
        numbers = 0;
    }
    rest = path;
    if (path == 0 || (numbers != 0 && numbers != 4) ||
        (last_token(line, &rest, &unused) != WORD && rest > 0))
        return "want a path and left, top, right, bottom, or a path alone";
    e->found = numbers ? FN_BOX_FOUND : FN_BOX_NO_FACE;
    e->box = numbers ? (struct fn_box){v[0], v[1], v[2], v[3]} : (struct fn_box){0, 0, 0, 0};
    if (numbers && (v[0] >= v[2] || v[1] >= v[3]))
        return "an empty box (left, top, right, bottom are wanted)";
    size_t key_bytes;
    e->key = key_of(line, path, &key_bytes);
    e->key_bytes = (uint32_t)key_bytes;
    return key_bytes == 0 || key_bytes > UINT32_MAX ? "no name in the path" : NULL;
}

static int grow(struct fn_boxes *b)
{
    size_t more = b->cap ? b->cap * 2 : 1024;
    struct entry *p = more < UINT32_MAX ? realloc(b->entries, more * sizeof *p) : NULL;
    if (!p)
        return fn_fail(FN_ENOMEM, "no memory for %zu boxes", more);
    b->entries = p;
    b->cap = more;
    return FN_OK;
}

static int read_lines(struct fn_boxes *b, const char *path, size_t bytes)
{
    const char *at = (const char *)b->text, *end = at + bytes;
    for (uint32_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at)), *next;
        stop = stop ? stop : end;
        next = stop < end ? stop + 1 : end;
        while (at < stop && is_blank(*at))
            at++;
        while (stop > at && is_blank(stop[-1]))
            stop--;
        if (at < stop) {
            int rc = b->count < b->cap ? FN_OK : grow(b);
            if (rc)
                return rc;
            struct entry *e = &b->entries[b->count++];
            const char *wrong = parse(at, (size_t)(stop - at), e);
            if (wrong)
                return fn_fail(FN_EFORMAT, "%s:%u: %s", path, line, wrong);
            e->line = line;
        }
        at = next;
    }
    return FN_OK;
}

/* All entries into slots; a repeated line is dropped, a contradicting one is a failure. */
static int index_entries(struct fn_boxes *b, const char *path)
{
    size_t slots = 16, kept = 0;
    while (slots < b->count * 2)
        slots *= 2;
    b->slots = calloc(slots, sizeof *b->slots);
    if (!b->slots)
        return fn_fail(FN_ENOMEM, "no memory for %zu boxes", b->count);
    b->slot_mask = slots - 1;
    for (size_t i = 0; i < b->count; i++) {
        struct entry *e = &b->entries[i];
        uint32_t *slot = slot_of(b, e->key, e->key_bytes);
        if (*slot) {
            const struct entry *old = &b->entries[*slot - 1];
            if (old->found != e->found || memcmp(&old->box, &e->box, sizeof e->box) != 0)
                return fn_fail(FN_EFORMAT, "%s:%u: another box for %.*s than on line %u", path,
                               e->line, (int)(e->key_bytes < 200 ? e->key_bytes : 200), e->key,
                               old->line);
            continue;
        }
        b->entries[kept++] = *e;
        *slot = (uint32_t)kept;
    }
    b->count = kept;
    return FN_OK;
}

int fn_boxes_open(struct fn_boxes **boxes, const char *path)
{
    struct fn_boxes *b = calloc(1, sizeof *b);
    size_t bytes = 0;
    *boxes = b;
    if (!b)
        return fn_fail(FN_ENOMEM, "no memory for boxes");
    int rc = fn_file_read(path, FILE_LIMIT, &b->text, &bytes);
    if (rc == FN_OK)
        rc = read_lines(b, path, bytes);
    if (rc == FN_OK)
        rc = index_entries(b, path);
    if (rc)
        fn_boxes_close(boxes);
    return rc;
}

void fn_boxes_close(struct fn_boxes **boxes)
{
    struct fn_boxes *b = *boxes;
    if (!b)
        return;
    free(b->text);
    free(b->entries);
    free(b->slots);
    free(b);
    *boxes = NULL;
}

size_t fn_boxes_count(const struct fn_boxes *boxes)
{
    return boxes->count;
}

enum fn_box_found fn_boxes_find(const struct fn_boxes *boxes, const char *path, struct fn_box *box)
{
    size_t bytes;
    const char *key = key_of(path, strlen(path), &bytes);
    uint32_t slot = *slot_of(boxes, key, bytes);
    if (!slot)
        return FN_BOX_UNKNOWN;
    *box = boxes->entries[slot - 1].box;
    return boxes->entries[slot - 1].found;
}
