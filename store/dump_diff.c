/* SPDX-License-Identifier: MIT */
/* fn-dump diff: what two stores do not have in common. Records are known by class and name. What is
 * in one store only is sorted once more by picture and name: the same in another class has moved.
 * Findings are sorted by class and name before they are printed, so memory does not grow with them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/dump_internal.h"
#include "store/rejects.h"
#include "store/sort.h"

#define SORT_MEMORY ((size_t)32 << 20)
#define NAMES_MAX (2 * (FN_NAME_MAX + 1))

enum kind { ONLY_1 = 0, ONLY_2, MOVED, CHANGED, KINDS };
static const char *const kind_names[] = {"only_1", "only_2", "moved", "changed"};
static const char kind_marks[] = "<>~!";

struct side {
    struct fn_store *store;
    struct fn_reader *reader;
};

/* Behind the names of a finding. */
struct picture {
    uint32_t codec, w, h, bytes;
};
struct finding {
    uint8_t kind, zero[3];
    struct picture picture[2]; /* of CHANGED */
};

struct diff {
    struct side side[2];
    struct fn_sort *lone; /* picture (16), record NUL, side, class NUL */
    struct fn_sort
        *findings; /* class NUL record NUL, struct finding, of MOVED: the new class NUL */
    uint64_t count[KINDS];
    uint64_t same; /* records with the same picture under the same names */
};

static size_t put_text(uint8_t *at, const char *text, size_t bytes)
{
    memcpy(at, text, bytes);
    at[bytes] = 0;
    return bytes + 1;
}

static int note(struct diff *diff, const struct finding *what, const char *class_name,
                const char *name, const char *to)
{
    uint8_t item[NAMES_MAX + sizeof *what + FN_NAME_MAX + 1];
    size_t n = put_text(item, class_name, strlen(class_name));
    n += put_text(item + n, name, strlen(name));
    memcpy(item + n, what, sizeof *what);
    n += sizeof *what;
    n += put_text(item + n, to, strlen(to));
    diff->count[what->kind]++;
    return fn_sort_add(diff->findings, item, n);
}

static int note_lone(struct diff *diff, int side, const struct fn_record *rec)
{
    uint8_t item[17 + NAMES_MAX];
    struct fn_sum128 sum = fn_sum128(rec->payload, rec->payload_bytes);
    fn_key64(item, sum.high);
    fn_key64(item + 8, sum.low);
    size_t n = 16 + put_text(item + 16, rec->name, rec->name_bytes);
    item[n++] = (uint8_t)side;
    n += put_text(item + n, rec->class_name, rec->class_bytes);
    return fn_sort_add(diff->lone, item, n);
}

static struct picture picture_of(const struct fn_record *rec)
{
    return (struct picture){(uint32_t)rec->codec, (uint32_t)rec->w, (uint32_t)rec->h,
                            (uint32_t)rec->payload_bytes};
}

static int compare(struct diff *diff, const char *class_name, const char *name,
                   const struct fn_record *a, const struct fn_record *b)
{
    struct finding what = {.kind = CHANGED, .picture = {picture_of(a), picture_of(b)}};
    if (memcmp(&what.picture[0], &what.picture[1], sizeof what.picture[0]) == 0 &&
        memcmp(a->payload, b->payload, a->payload_bytes) == 0) {
        diff->same++;
        return FN_OK;
    }
    return note(diff, &what, class_name, name, "");
}

/* The records of a class of one side, looked up in the other. Only the first side compares. */
static int look_up(struct diff *diff, int side, uint32_t label, const char *class_name)
{
    struct side *own = &diff->side[side], *other = &diff->side[!side];
    const uint64_t *ids;
    uint64_t count;
    int rc = fn_store_members(own->store, label, &ids, &count);
    for (uint64_t i = 0; i < count && !rc; i++) {
        struct fn_record rec, there;
        uint8_t name[FN_NAME_MAX + 1];
        if (fn_interrupted())
            return fn_fail(FN_EINTERRUPTED, "interrupted");
        rc = fn_reader_get(own->reader, ids[i], &rec);
        if (rc)
            break;
        put_text(name, rec.name, rec.name_bytes);
        rc = fn_reader_find(other->reader, class_name, (const char *)name, &there);
        if (rc == FN_ENOENT)
            rc = note_lone(diff, side, &rec);
        else if (!rc && side == 0)
            rc = compare(diff, class_name, (const char *)name, &rec, &there);
    }
    return rc;
}

static int walk(struct diff *diff)
{
    int rc = FN_OK;
    for (int side = 0; side < 2; side++) {
        const struct fn_store_info *info = fn_store_get_info(diff->side[side].store);
        for (uint32_t label = 0; label < info->classes && !rc; label++) {
            const char *class_name;
            rc = fn_store_class_name(diff->side[side].store, label, &class_name);
            if (!rc)
                rc = look_up(diff, side, label, class_name);
        }
    }
    return rc;
}

/* A run of lone records with one picture and one name: those of the first store that still wait for
 * one of the second. */
struct waiting {
    uint8_t key[16 + FN_NAME_MAX + 1];
    size_t key_bytes;
    struct fn_bytes classes; /* each with a NUL */
    size_t at;               /* the first that waits */
};

static const char *name_in(const struct waiting *run)
{
    return (const char *)run->key + 16;
}

static int end_run(struct diff *diff, struct waiting *run)
{
    struct finding what = {.kind = ONLY_1};
    int rc = FN_OK;
    while (run->at < run->classes.bytes && !rc) {
        const char *class_name = (const char *)run->classes.data + run->at;
        rc = note(diff, &what, class_name, name_in(run), "");
        run->at += strlen(class_name) + 1;
    }
    run->classes.bytes = run->at = 0;
    return rc;
}

static int match(struct diff *diff, struct waiting *run, const uint8_t *item, size_t bytes)
{
    struct finding what = {.kind = MOVED};
    size_t key_bytes = 16 + strlen((const char *)item + 16) + 1;
    int side = item[key_bytes], rc = FN_OK;
    const char *class_name = (const char *)item + key_bytes + 1;
    size_t class_bytes = bytes - key_bytes - 1;
    if (key_bytes != run->key_bytes || memcmp(item, run->key, key_bytes) != 0) {
        rc = end_run(diff, run);
        memcpy(run->key, item, key_bytes);
        run->key_bytes = key_bytes;
    }
    if (!rc && side == 0) {
        rc = fn_bytes_reserve(&run->classes, run->classes.bytes + class_bytes);
        if (rc)
            return rc;
        memcpy(run->classes.data + run->classes.bytes, class_name, class_bytes);
        run->classes.bytes += class_bytes;
    } else if (!rc && run->at < run->classes.bytes) {
        const char *from = (const char *)run->classes.data + run->at;
        run->at += strlen(from) + 1;
        rc = note(diff, &what, from, name_in(run), class_name);
    } else if (!rc) {
        what.kind = ONLY_2;
        rc = note(diff, &what, class_name, name_in(run), "");
    }
    return rc;
}

static int match_lone(struct diff *diff)
{
    struct waiting run = {.key_bytes = 0};
    const uint8_t *item;
    size_t bytes;
    int rc = fn_sort_start(diff->lone);
    while (!rc && (rc = fn_sort_next(diff->lone, &item, &bytes)) == FN_OK)
        rc = match(diff, &run, item, bytes);
    if (rc == FN_SORT_END)
        rc = end_run(diff, &run);
    fn_bytes_free(&run.classes);
    return rc;
}

static int put_escaped(struct fn_bytes *line, const char *text)
{
    line->bytes = 0;
    int rc = fn_escape(line, text, strlen(text));
    if (!rc)
        fwrite(line->data, 1, line->bytes, stdout);
    return rc;
}

static int print_line(const struct finding *what, const char *class_name, const char *name,
                      const char *to, struct fn_bytes *line)
{
    const struct picture *p = what->picture;
    printf("%c ", kind_marks[what->kind]);
    int rc = put_escaped(line, class_name);
    putchar('/');
    if (!rc)
        rc = put_escaped(line, name);
    if (!rc && what->kind == MOVED) {
        printf("\tnow in ");
        rc = put_escaped(line, to);
    }
    if (what->kind == CHANGED)
        printf("\t%u x %u %s of %u bytes, now %u x %u %s of %u bytes", p[0].w, p[0].h,
               fn_codec_name((int)p[0].codec), p[0].bytes, p[1].w, p[1].h,
               fn_codec_name((int)p[1].codec), p[1].bytes);
    putchar('\n');
    return rc;
}

static json_t *picture_json(const struct picture *p)
{
    return json_pack("{s:I, s:I, s:s, s:I}", "width", (json_int_t)p->w, "height", (json_int_t)p->h,
                     "codec", fn_codec_name((int)p->codec), "bytes", (json_int_t)p->bytes);
}

static int print_object(const struct finding *what, const char *class_name, const char *name,
                        const char *to, int first)
{
    int bad = 0;
    json_t *json = json_pack("{s:s, s:o, s:o}", "what", kind_names[what->kind], "class",
                             fn_json_bytes(class_name, strlen(class_name)), "name",
                             fn_json_bytes(name, strlen(name)));
    if (what->kind == MOVED)
        bad = json_object_set_new(json, "to", fn_json_bytes(to, strlen(to)));
    if (what->kind == CHANGED)
        bad = json_object_set_new(json, "was", picture_json(&what->picture[0])) ||
              json_object_set_new(json, "is", picture_json(&what->picture[1]));
    if (!json || bad) {
        json_decref(json);
        return fn_fail(FN_ENOMEM, "no memory for a finding");
    }
    fputs(first ? "\n" : ",\n", stdout);
    json_dumpf(json, stdout, JSON_SORT_KEYS);
    json_decref(json);
    return FN_OK;
}

static int print_findings(const struct fn_dump *d, struct diff *diff)
{
    struct fn_bytes line = {0};
    const uint8_t *item;
    size_t bytes;
    int first = 1;
    int rc = fn_sort_start(diff->findings);
    while (!rc && fn_dump_writable() &&
           (rc = fn_sort_next(diff->findings, &item, &bytes)) == FN_OK) {
        struct finding what;
        const char *class_name = (const char *)item;
        const char *name = class_name + strlen(class_name) + 1;
        const char *rest = name + strlen(name) + 1;
        memcpy(&what, rest, sizeof what);
        rc = d->common.json ? print_object(&what, class_name, name, rest + sizeof what, first)
                            : print_line(&what, class_name, name, rest + sizeof what, &line);
        first = 0;
    }
    fn_bytes_free(&line);
    return rc == FN_SORT_END ? FN_OK : rc;
}

/* What of the manifests differs, by name: options, counts, files. */
static json_t *manifest_keys(const struct diff *diff)
{
    json_t *keys = json_array();
    const json_t *a = diff->side[0].store->manifest->json, *b = diff->side[1].store->manifest->json;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        if (strcmp(key, "content_id") != 0 && !json_equal(value, json_object_get(b, key)))
            json_array_append_new(keys, json_string(key));
    }
    json_object_foreach((json_t *)(uintptr_t)b, key, value)
    {
        if (!json_object_get(a, key))
            json_array_append_new(keys, json_string(key));
    }
    return keys;
}

static void print_summary(const struct fn_dump *d, const struct diff *diff, const json_t *keys)
{
    const uint64_t *n = diff->count;
    size_t i;
    json_t *key;
    if (json_array_size(keys) == 0) {
        printf("%s and %s have the same content: %s\n", d->store, d->operand,
               fn_dump_count(diff->same, "record"));
        return;
    }
    printf("%s the same, %s changed, %s in another class, %s only in %s, %s only in %s\n",
           fn_dump_count(diff->same, "record"), fn_dump_number(n[CHANGED]),
           fn_dump_number(n[MOVED]), fn_dump_number(n[ONLY_1]), d->store, fn_dump_number(n[ONLY_2]),
           d->operand);
    printf("manifests differ in");
    json_array_foreach(keys, i, key) printf("%s %s", i ? "," : "", json_string_value(key));
    printf("\n");
}

static int print_json_end(const struct fn_dump *d, const struct diff *diff, json_t *keys)
{
    const uint64_t *n = diff->count;
    json_t *json =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:O, s:b}", "stores",
                  json_pack("[o, o]", fn_json_bytes(d->store, strlen(d->store)),
                            fn_json_bytes(d->operand, strlen(d->operand))),
                  "same", (json_int_t)diff->same, "changed", (json_int_t)n[CHANGED], "moved",
                  (json_int_t)n[MOVED], "only_1", (json_int_t)n[ONLY_1], "only_2",
                  (json_int_t)n[ONLY_2], "manifest", keys, "equal", json_array_size(keys) == 0);
    char *text = json ? fn_json_dump(json, JSON_SORT_KEYS) : NULL;
    json_decref(json);
    if (!text)
        return fn_fail(FN_ENOMEM, "no memory for the summary");
    printf("\n], %s\n", text + 1);
    free(text);
    return FN_OK;
}

static int open_sides(struct diff *diff, const struct fn_dump *d)
{
    const char *paths[] = {d->store, d->operand};
    const char *folder = getenv("TMPDIR");
    int rc = FN_OK;
    folder = folder && *folder ? folder : "/tmp";
    for (int i = 0; i < 2 && !rc; i++) {
        rc = fn_store_open(&diff->side[i].store, paths[i]);
        if (!rc)
            rc = fn_reader_open(&diff->side[i].reader, diff->side[i].store);
    }
    if (!rc)
        rc = fn_sort_open(&diff->lone, folder, SORT_MEMORY);
    return rc ? rc : fn_sort_open(&diff->findings, folder, SORT_MEMORY);
}

int fn_dump_diff(struct fn_dump *d)
{
    struct diff diff = {.same = 0};
    json_t *keys = NULL;
    int rc = open_sides(&diff, d);
    if (!rc)
        rc = walk(&diff);
    if (!rc)
        rc = match_lone(&diff);
    if (rc)
        goto out;
    keys = manifest_keys(&diff);
    if (!keys) {
        rc = fn_fail(FN_ENOMEM, "no memory for the summary");
        goto out;
    }
    if (d->common.json)
        fputs("{\"findings\": [", stdout);
    rc = print_findings(d, &diff);
    if (!rc && d->common.json)
        rc = print_json_end(d, &diff, keys);
    else if (!rc && !d->common.quiet)
        print_summary(d, &diff, keys);
    if (!rc && json_array_size(keys))
        rc = fn_fail(FN_EMISMATCH, "%s and %s differ", d->store, d->operand);
out:
    json_decref(keys);
    fn_sort_close(&diff.findings);
    fn_sort_close(&diff.lone);
    for (int i = 0; i < 2; i++) {
        fn_reader_close(&diff.side[i].reader);
        fn_store_close(&diff.side[i].store);
    }
    return rc;
}
