/* SPDX-License-Identifier: MIT */
/* The faces of a report: always few, however large the store. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/rng.h"
#include "store/dump_report_internal.h"

enum {
    OVERVIEW = 48, /* classes, a picture each */
    SHEETS = 12,   /* classes, ... */
    A_SHEET = 12,  /* ... so many pictures each */
    SIDE = 112     /* pixels: about 5 kB */
};

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* `want` of `count` by chance, ascending; how many. */
static size_t choose(uint64_t seed, uint64_t count, size_t want, uint64_t *chosen)
{
    size_t n = count < want ? (size_t)count : want;
    for (size_t i = 0; i < n; i++)
        chosen[i] = fn_rng_permute(seed, 0, count, i);
    qsort(chosen, n, sizeof *chosen, compare_u64);
    return n;
}

/* One picture; a damaged one is named instead. above: the class stands in a heading already. */
static int put_face(struct fn_report *r, uint64_t id, int above)
{
    struct fn_record rec;
    char alt[2 * FN_NAME_MAX + 8];
    int rc = fn_reader_get(r->reader, id, &rec);
    if (!rc)
        rc = fn_record_decode(r->codec, &rec, &r->picture);
    fn_html_put(r->html, "<figure>");
    if (!rc) {
        snprintf(alt, sizeof alt, "%.*s/%.*s", (int)rec.class_bytes, rec.class_name,
                 (int)rec.name_bytes, rec.name);
        rc = fn_html_thumb(r->html, r->codec, &r->picture, SIDE, alt, &r->small, &r->jpeg);
    }
    r->shown++;
    if (rc == FN_ENOMEM)
        return rc;
    if (rc) {
        fn_warn("%s", fn_err_text(rc));
        r->bad++;
        fn_html_put(r->html, "<figcaption><span class=\"bad\">damaged</span>");
        fn_html_textf(r->html, "record %" PRIu64, id);
    } else {
        fn_html_put(r->html, "<figcaption>");
        fn_html_name(r->html, above ? rec.name : rec.class_name,
                     above ? rec.name_bytes : rec.class_bytes);
    }
    fn_html_put(r->html, "</figcaption></figure>\n");
    return fn_interrupted() ? fn_fail(FN_EINTERRUPTED, "interrupted") : FN_OK;
}

static int members_of(struct fn_report *r, uint64_t label, const uint64_t **ids, uint64_t *count)
{
    int rc = fn_store_members(r->store, (uint32_t)label, ids, count);
    if (!rc && !*count)
        rc = fn_fail(FN_ECORRUPT, "%s: class %" PRIu64 " has no members", r->d->store, label);
    return rc;
}

int fn_report_overview(struct fn_report *r)
{
    uint64_t labels[OVERVIEW], seed = (uint64_t)r->d->seed;
    uint32_t classes = fn_store_get_info(r->store)->classes;
    size_t n = choose(seed, classes, OVERVIEW, labels);
    char lead[160];
    int rc = FN_OK;
    if (!n)
        return FN_OK;
    if (n < classes)
        snprintf(lead, sizeof lead, "One picture each of %zu classes, chosen by chance from %s.", n,
                 fn_dump_number(classes));
    else
        snprintf(lead, sizeof lead, "One picture of each class, chosen by chance.");
    fn_html_section(r->html, "Faces", lead);
    fn_html_faces(r->html);
    for (size_t i = 0; i < n && !rc; i++) {
        const uint64_t *ids;
        uint64_t count = 0;
        rc = members_of(r, labels[i], &ids, &count);
        if (!rc)
            rc = put_face(r, ids[fn_rng_below(fn_rng(seed, labels[i], 0, FN_RNG_SHEET), count)], 0);
    }
    fn_html_faces_end(r->html);
    fn_html_section_end(r->html);
    return rc;
}

static int put_sheet(struct fn_report *r, uint64_t label)
{
    uint64_t at[A_SHEET], count = 0;
    const uint64_t *ids;
    const char *name;
    int rc = members_of(r, label, &ids, &count);
    if (!rc)
        rc = fn_store_class_name(r->store, (uint32_t)label, &name);
    if (rc)
        return rc;
    size_t n = choose((uint64_t)r->d->seed + label, count, A_SHEET, at);
    fn_html_put(r->html, "<div class=\"card\">\n<h3>");
    fn_html_name(r->html, name, strlen(name));
    fn_html_put(r->html, "</h3>\n<p>");
    fn_html_textf(r->html, "label %" PRIu64 ", %s", label, fn_dump_count(count, "image"));
    if (n < count)
        fn_html_textf(r->html, "; here %zu", n);
    fn_html_put(r->html, "</p>\n");
    fn_html_faces(r->html);
    for (size_t i = 0; i < n && !rc; i++)
        rc = put_face(r, ids[at[i]], 1);
    fn_html_faces_end(r->html);
    fn_html_put(r->html, "</div>\n");
    return rc;
}

/* Classes of pictures chosen by chance: large classes come first, those of one picture seldom. All
 * of them where there are few. */
static int choose_labels(struct fn_report *r, uint64_t *labels, size_t *count)
{
    enum { TRIES = 40 * SHEETS };
    const struct fn_store_info *info = fn_store_get_info(r->store);
    uint64_t seed = (uint64_t)r->d->seed + 1;
    int rc = FN_OK;
    *count = 0;
    if (info->classes <= SHEETS) {
        *count = choose(seed, info->classes, SHEETS, labels);
        return FN_OK;
    }
    for (uint64_t i = 0; i < TRIES && i < info->records && *count < SHEETS && !rc; i++) {
        uint32_t label = 0;
        size_t k = 0;
        rc = fn_store_label(r->store, fn_rng_permute(seed, 0, info->records, i), &label);
        while (k < *count && labels[k] != label)
            k++;
        if (k == *count)
            labels[(*count)++] = label;
    }
    qsort(labels, *count, sizeof *labels, compare_u64);
    return rc;
}

int fn_report_sheets(struct fn_report *r)
{
    uint64_t labels[SHEETS];
    uint32_t classes = fn_store_get_info(r->store)->classes;
    size_t n;
    char lead[192];
    int rc = choose_labels(r, labels, &n);
    if (rc || !n)
        return rc;
    snprintf(lead, sizeof lead,
             "%s%s, up to %d pictures each. A class should be one person: strangers among "
             "the faces of a row are wrong labels.",
             n < classes ? "Classes chosen by chance" : "Every class",
             n < classes ? "; --seed gives others" : "", A_SHEET);
    fn_html_section(r->html, "Class by class", lead);
    for (size_t i = 0; i < n && !rc; i++)
        rc = put_sheet(r, labels[i]);
    fn_html_section_end(r->html);
    return rc;
}
