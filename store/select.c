/* SPDX-License-Identifier: MIT */
/* Which records are live. All records sorted by class, name and position: equal names lie together,
 * the first of them stays; the others are duplicates or collisions. Equal pictures are for
 * dedupe.c. Then the classes are complete, and it is known which are large enough. */
#include <stdlib.h>
#include <string.h>

#include "store/build.h"
#include "store/seal_internal.h"

/* What the sort carries behind "class NUL name NUL position". */
struct tail {
    uint8_t position[8];
    struct fn_sum128 payload_sum;
    uint64_t offset, line, pixels;
    uint32_t input, zero;
};

struct scan {
    struct fn_selection *out;
    struct fn_sort *pictures;           /* or NULL */
    uint8_t key[2 * (FN_NAME_MAX + 1)]; /* class NUL name NUL of the record before */
    size_t class_bytes, key_bytes;      /* NULs counted; 0: there was none */
    struct tail first;                  /* of the records with this name */
    uint64_t live;                      /* in this class */
};

static int gather(struct fn_sort *sort, const char *store, struct fn_part *parts, size_t count)
{
    uint64_t position = 0;
    int rc = FN_OK;
    for (size_t p = 0; p < count && !rc; p++) {
        struct fn_part_record rec;
        const char *class_name, *name;
        fn_part_rewind(&parts[p]);
        while (!rc && fn_part_next_record(&parts[p], &rec, &class_name, &name) == FN_OK) {
            uint8_t item[2 * (FN_NAME_MAX + 1) + sizeof(struct tail)];
            struct tail tail = {.payload_sum = rec.payload_sum,
                                .offset = rec.offset,
                                .line = rec.line,
                                .pixels = rec.pixels,
                                .input = rec.input};
            size_t bytes = 0;
            fn_key64(tail.position, position);
            memcpy(item, class_name, rec.class_bytes);
            bytes += rec.class_bytes;
            item[bytes++] = 0;
            memcpy(item + bytes, name, rec.name_bytes);
            bytes += rec.name_bytes;
            item[bytes++] = 0;
            memcpy(item + bytes, &tail, sizeof tail);
            rc = fn_sort_add(sort, item, bytes + sizeof tail);
            if (!rc && position++ % 65536 == 0)
                rc = fn_seal_pause(store);
        }
    }
    return rc ? rc : fn_sort_start(sort);
}

static int add_reject(struct fn_selection *out, const uint8_t *packed, size_t bytes)
{
    struct fn_reject reject;
    uint8_t item[64 + FN_REJECT_DETAIL_MAX];
    int rc = fn_reject_unpack(packed, bytes, &reject);
    if (rc)
        return rc;
    if (bytes > sizeof item - 12)
        return fn_fail(FN_ECORRUPT, "a reject of %zu bytes", bytes);
    fn_key32(item, reject.input);
    fn_key64(item + 4, reject.line);
    memcpy(item + 12, packed, bytes);
    return fn_sort_add(out->rejects, item, bytes + 12);
}

static int collision(struct scan *scan, const uint8_t *key, const struct tail *tail)
{
    char detail[3 * FN_NAME_MAX + 128];
    struct fn_bytes packed = {0};
    const char *class_name = (const char *)key;
    const char *name = class_name + strlen(class_name) + 1;
    int n =
        snprintf(detail, sizeof detail, "%s/%s has other bytes than that of input %u, line %llu",
                 class_name, name, scan->first.input, (unsigned long long)scan->first.line);
    struct fn_reject reject = {.input = tail->input,
                               .reason = FN_REJECT_NAME_COLLISION,
                               .line = tail->line,
                               .offset = tail->offset,
                               .detail = detail,
                               .detail_bytes = (size_t)n};
    int rc = fn_reject_pack(&packed, &reject);
    if (!rc)
        rc = add_reject(scan->out, packed.data, packed.bytes);
    fn_bytes_free(&packed);
    scan->out->collisions++;
    return rc;
}

static int grow(void **list, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return FN_OK;
    size_t more = *cap ? 2 * *cap : 256;
    void *grown = realloc(*list, more * size);
    if (!grown)
        return fn_fail(FN_ENOMEM, "no memory for %zu classes", more);
    *list = grown;
    *cap = more;
    return FN_OK;
}

/* The class in scan->key is complete. */
static int end_class(struct scan *scan)
{
    struct fn_selection *out = scan->out;
    if (!scan->class_bytes)
        return FN_OK;
    if (out->classes == INT32_MAX)
        return fn_fail(FN_ELIMIT, "more than %d classes", INT32_MAX);
    int rc = grow((void **)&out->members, &out->member_cap, out->classes + 1, sizeof *out->members);
    if (!rc)
        rc = fn_bytes_reserve(&out->names, out->names.bytes + scan->class_bytes);
    if (rc)
        return rc;
    memcpy(out->names.data + out->names.bytes, scan->key, scan->class_bytes);
    out->names.bytes += scan->class_bytes;
    out->members[out->classes++] = scan->live;
    return FN_OK;
}

int fn_selection_put(struct fn_selection *out, const uint8_t position[8], uint32_t class_number,
                     enum fn_fate fate)
{
    uint8_t verdict[13];
    memcpy(verdict, position, 8);
    fn_key32(verdict + 8, class_number);
    verdict[12] = (uint8_t)fate;
    return fn_sort_add(out->fates, verdict, sizeof verdict);
}

static int judge(struct scan *scan, const uint8_t *item, size_t bytes)
{
    struct tail tail;
    size_t key_bytes = bytes - sizeof tail;
    size_t class_bytes = strlen((const char *)item) + 1;
    enum fn_fate fate = FN_FATE_LIVE;
    int rc = FN_OK;
    memcpy(&tail, item + key_bytes, sizeof tail);
    if (class_bytes != scan->class_bytes || memcmp(item, scan->key, class_bytes) != 0) {
        rc = end_class(scan);
        scan->live = 0;
    }
    if (key_bytes != scan->key_bytes || memcmp(item, scan->key, key_bytes) != 0) {
        memcpy(scan->key, item, key_bytes);
        scan->key_bytes = key_bytes;
        scan->class_bytes = class_bytes;
        scan->first = tail;
        scan->live++;
    } else if (tail.payload_sum.low == scan->first.payload_sum.low &&
               tail.payload_sum.high == scan->first.payload_sum.high) {
        fate = FN_FATE_DUPLICATE;
        scan->out->duplicates++;
    } else {
        fate = FN_FATE_COLLISION;
        rc = rc ? rc : collision(scan, item, &tail);
    }
    if (rc)
        return rc;
    struct fn_picture picture = {.pixels = tail.pixels,
                                 .class_number = (uint32_t)scan->out->classes,
                                 .input = tail.input,
                                 .line = tail.line,
                                 .offset = tail.offset,
                                 .names = item,
                                 .names_bytes = key_bytes};
    memcpy(picture.position, tail.position, sizeof tail.position);
    if (fate == FN_FATE_LIVE && scan->pictures && tail.pixels)
        return fn_dedupe_add(scan->pictures, &picture);
    return fn_selection_put(scan->out, tail.position, picture.class_number, fate);
}

static int scan_all(struct fn_sort *sort, const char *store, struct scan *scan)
{
    const uint8_t *item;
    size_t bytes;
    uint64_t n = 0;
    int rc = FN_OK;
    while (!rc && (rc = fn_sort_next(sort, &item, &bytes)) == FN_OK) {
        rc = judge(scan, item, bytes);
        if (!rc && n++ % 65536 == 0)
            rc = fn_seal_pause(store);
    }
    return rc == FN_SORT_END ? end_class(scan) : rc;
}

static int gather_rejects(struct fn_selection *out, struct fn_part *parts, size_t count)
{
    int rc = FN_OK;
    for (size_t p = 0; p < count && !rc; p++) {
        const uint8_t *packed;
        size_t bytes;
        parts[p].at = parts[p].facts.records_bytes;
        while (!rc && fn_part_next_reject(&parts[p], &packed, &bytes) == FN_OK)
            rc = add_reject(out, packed, bytes);
    }
    return rc;
}

/* Classes that lost records to damage, in order, to be asked for in order. */
struct lost {
    const uint8_t **item; /* count, name */
    size_t count, next;
};

static const char *lost_name(const uint8_t *item)
{
    return (const char *)item + sizeof(uint64_t);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(lost_name(*(const uint8_t *const *)a), lost_name(*(const uint8_t *const *)b));
}

static int sort_lost(struct lost *lost, const struct fn_bytes *said)
{
    size_t cap = 0;
    for (size_t at = 0; at < said->bytes; at += 9 + strlen(lost_name(said->data + at))) {
        int rc = grow((void **)&lost->item, &cap, lost->count + 1, sizeof *lost->item);
        if (rc)
            return rc;
        lost->item[lost->count++] = said->data + at;
    }
    if (lost->count)
        qsort(lost->item, lost->count, sizeof *lost->item, by_name);
    return FN_OK;
}

static uint64_t lost_of(struct lost *lost, const char *class_name)
{
    uint64_t sum = 0, count;
    for (; lost->next < lost->count; lost->next++) {
        int c = strcmp(lost_name(lost->item[lost->next]), class_name);
        if (c > 0)
            break;
        memcpy(&count, lost->item[lost->next], sizeof count);
        sum += c == 0 ? count : 0;
    }
    return sum;
}

/* Labels for the classes that are large enough, in place: no label is above its class's number. */
static int end_classes(struct fn_selection *out, const struct fn_choice *choice)
{
    size_t all = out->classes, from = 0, to = 0;
    char *names = (char *)out->names.data;
    struct lost lost = {0};
    int rc = sort_lost(&lost, &choice->lost);
    out->label = calloc(all ? all : 1, sizeof *out->label);
    if (!rc && !out->label)
        rc = fn_fail(FN_ENOMEM, "no memory for %zu classes", all);
    if (rc) {
        free(lost.item);
        return rc;
    }
    out->classes = 0;
    for (size_t i = 0; i < all; i++) {
        size_t bytes = strlen(names + from) + 1;
        uint64_t live = out->members[i];
        out->label[i] = FN_NO_LABEL;
        uint64_t gone = lost_of(&lost, names + from) + choice->lost_somewhere;
        if (live + gone < choice->min_images) {
            out->small += live;
        } else {
            uint64_t most = choice->max_per_class ? choice->max_per_class : live;
            out->surplus += live > most ? live - most : 0;
            live = live < most ? live : most;
            memmove(names + to, names + from, bytes);
            to += bytes;
            out->live += live;
            out->label[i] = (uint32_t)out->classes;
            out->members[out->classes++] = live;
        }
        from += bytes;
    }
    out->names.bytes = to;
    free(lost.item);
    return FN_OK;
}

int fn_select(struct fn_selection *out, const char *store, struct fn_part *parts, size_t part_count,
              const struct fn_choice *choice)
{
    char folder[FN_PATH_MAX];
    struct fn_sort *names = NULL;
    struct scan scan = {.out = out};
    *out = (struct fn_selection){0};
    fn_store_file(folder, store, "build");
    int rc = fn_sort_open(&names, folder, FN_SEAL_MEMORY);
    if (!rc)
        rc = gather(names, store, parts, part_count);
    if (!rc)
        rc = fn_sort_open(&out->fates, folder, FN_SEAL_MEMORY);
    if (!rc)
        rc = fn_sort_open(&out->rejects, folder, FN_SEAL_MEMORY / 4);
    if (!rc && choice->dedupe_pixels)
        rc = fn_sort_open(&scan.pictures, folder, FN_SEAL_MEMORY);
    if (!rc)
        rc = scan_all(names, store, &scan);
    fn_sort_close(&names);
    if (!rc && scan.pictures)
        rc = fn_dedupe(out, store, scan.pictures);
    fn_sort_close(&scan.pictures);
    if (!rc)
        rc = end_classes(out, choice);
    if (!rc)
        rc = gather_rejects(out, parts, part_count);
    if (!rc)
        rc = fn_sort_start(out->fates);
    return rc ? rc : fn_sort_start(out->rejects);
}

void fn_selection_free(struct fn_selection *selection)
{
    fn_sort_close(&selection->fates);
    fn_sort_close(&selection->rejects);
    fn_bytes_free(&selection->names);
    free(selection->label);
    free(selection->members);
    *selection = (struct fn_selection){0};
}
