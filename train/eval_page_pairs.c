/* SPDX-License-Identifier: MIT */
/* The hardest pairs, as the network sees them. */
#include <stdlib.h>
#include <string.h>

#include "train/eval_page_parts.h"

enum { HARDEST = 12, SIDE = 112 };

struct pairs {
    struct fn_html *html;
    const struct fn_eval_page *page;
    struct fn_fetch *fetch;
    struct fn_reader *reader; /* of a store; NULL */
    struct fn_codec *codec;
    struct fn_image picture, small;
    struct fn_bytes jpeg;
};

static int open_pairs(struct pairs *p)
{
    const struct fn_lfw_run *run = p->page->run;
    int size = run->options.image_size;
    int rc = fn_fetch_open(&p->fetch, run->source);
    if (!rc && run->store)
        rc = fn_reader_open(&p->reader, run->store);
    if (!rc)
        rc = fn_codec_open(&p->codec);
    return rc ? rc : fn_image_reserve(&p->picture, size, size);
}

static void close_pairs(struct pairs *p)
{
    fn_image_free(&p->picture);
    fn_image_free(&p->small);
    fn_bytes_free(&p->jpeg);
    fn_codec_close(&p->codec);
    fn_reader_close(&p->reader);
    fn_fetch_close(&p->fetch);
}

/* "class/name" of a picture: of a tree its path. */
static char *name_of(struct pairs *p, uint32_t image, char *buf, size_t cap)
{
    const struct fn_lfw *lfw = p->page->run->lfw;
    struct fn_record rec;
    if (lfw->paths)
        snprintf(buf, cap, "%s", lfw->paths[image]);
    else if (fn_reader_peek(p->reader, lfw->ids[image], &rec) == FN_OK)
        snprintf(buf, cap, "%.*s/%.*s", (int)rec.class_bytes, rec.class_name, (int)rec.name_bytes,
                 rec.name);
    else
        snprintf(buf, cap, "record %llu", (unsigned long long)lfw->ids[image]);
    return buf;
}

static int put_side(struct pairs *p, uint32_t image)
{
    const struct fn_lfw *lfw = p->page->run->lfw;
    const struct fn_augment plain = {.size = p->page->run->options.image_size};
    char name[4096];
    const char *last;
    int rc = fn_fetch_example(p->fetch, lfw->ids ? lfw->ids[image] : image, &plain, 0, 0,
                              p->picture.rgb);
    name_of(p, image, name, sizeof name);
    last = strrchr(name, '/');
    last = last ? last + 1 : name;
    fn_html_put(p->html, "<figure>");
    if (!rc)
        rc = fn_html_thumb(p->html, p->codec, &p->picture, SIDE, name, &p->small, &p->jpeg);
    fn_html_put(p->html, "<figcaption>");
    if (rc)
        fn_html_put(p->html, "<span class=\"bad\">cannot be read</span> ");
    fn_html_name(p->html, last, strlen(last));
    fn_html_put(p->html, "</figcaption></figure>\n");
    return rc == FN_ENOMEM ? rc : FN_OK;
}

static int put_pair(struct pairs *p, size_t pair)
{
    const struct fn_lfw *lfw = p->page->run->lfw;
    const struct fn_lfw_result *r = p->page->result;
    int accepted = fn_eval_accepted(r, pair), wrong = accepted != (lfw->same[pair] != 0);
    fn_html_put(p->html, "<div class=\"pair\">\n<p class=\"say\">");
    fn_html_textf(p->html, "%.4f ", r->distance[pair]);
    fn_html_put(p->html, wrong ? "<span class=\"bad\">%s</span>" : "<span>%s</span>",
                accepted ? wrong ? "taken for one person" : "accepted, rightly"
                : wrong  ? "taken for two persons"
                         : "told apart, rightly");
    fn_html_put(p->html, "</p>\n");
    int rc = put_side(p, lfw->pair[2 * pair]);
    if (!rc)
        rc = put_side(p, lfw->pair[2 * pair + 1]);
    fn_html_put(p->html, "</div>\n");
    return rc;
}

static const struct {
    const char *title, *text;
} kinds[] = {
    {"Different people, nearest together",
     "Strangers whose distance is least: a false accept where it is below the threshold. Two faces "
     "that are plainly one person are a wrong label."},
    {"One person, farthest apart",
     "Pictures of one person whose distance is greatest: a false reject where it is not below the "
     "threshold. Look for age, pose, light, a wrong crop, a wrong label."},
};

static int put_kind(struct pairs *p, int kind)
{
    const struct fn_lfw *lfw = p->page->run->lfw;
    uint32_t hardest[HARDEST];
    size_t n =
        fn_eval_hardest(p->page->result->distance, lfw->same, lfw->pairs, kind, HARDEST, hardest);
    int rc = FN_OK;
    if (!n)
        return FN_OK;
    fn_html_section(p->html, kinds[kind].title, kinds[kind].text);
    fn_html_put(p->html, "<div class=\"pairs\">\n");
    for (size_t i = 0; i < n && !rc; i++)
        rc = put_pair(p, hardest[i]);
    fn_html_put(p->html, "</div>\n");
    fn_html_section_end(p->html);
    return rc;
}

int fn_eval_page_pairs(struct fn_html *html, const struct fn_eval_page *page)
{
    struct pairs p = {.html = html, .page = page};
    int rc = open_pairs(&p);
    for (int kind = 0; kind < 2 && !rc; kind++)
        rc = put_kind(&p, kind);
    close_pairs(&p);
    return rc;
}
