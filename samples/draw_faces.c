/* SPDX-License-Identifier: MIT */
/* draw-faces: small data sets of drawn faces, for trying things out without anybody's photographs.
 * A face TSV as MS-Celeb-1M's aligned one, or a tree of class folders as LFW's with its pairs file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/file.h"
#include "base/rng.h"
#include "samples/face.h"

struct options {
    int64_t people, images, first, size, quality, seed, damage, pairs;
    const char *tsv, *tree, *pairs_file;
};

struct artist {
    const struct options *o;
    struct fn_codec *codec;
    struct fn_image image;
    struct fn_bytes jpeg;
    char *line; /* a row as it was written last, for a duplicate */
};

static const char *const given[] = {"Ada",  "Ben",   "Cleo", "Dan", "Edda", "Finn", "Gwen", "Hugo",
                                    "Iris", "Jonas", "Kira", "Leo", "Mara", "Nils", "Olga", "Piet"};
static const char *const family[] = {"Alder",  "Birch", "Cedar",  "Elm", "Fir",  "Hazel",
                                     "Ivy",    "Larch", "Maple",  "Oak", "Pine", "Rowan",
                                     "Sorrel", "Thorn", "Willow", "Yew"};

static void person_name(uint64_t who, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s_%s", given[who % 16], family[(who / 16 + who * 5) % 16]);
    if (who >= 256)
        snprintf(buf + strlen(buf), cap - strlen(buf), "_%u", (unsigned)(who / 256));
}

static void person_mid(uint64_t who, char *buf, size_t cap)
{
    static const char digits[] = "0123456789bcdfghjklmnpqrstvwxyz_";
    uint64_t bits = fn_rng(7, who, 0, FN_RNG_SAMPLE);
    size_t n = (size_t)snprintf(buf, cap, "m.0");
    for (int i = 0; i < 6; i++, bits >>= 5)
        buf[n++] = digits[bits & 31];
    buf[n] = 0;
}

static int draw(struct artist *a, uint64_t who, uint64_t n)
{
    struct fn_identity id;
    struct fn_view view;
    fn_identity_make(&id, (uint64_t)a->o->seed, who);
    fn_view_make(&view, (uint64_t)a->o->seed, who, n);
    int rc = fn_face_draw(&id, &view, (int)a->o->size, &a->image);
    return rc ? rc : fn_jpeg_encode(a->codec, &a->image, (int)a->o->quality, 1, &a->jpeg);
}

static char *base64(const uint8_t *data, size_t bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((bytes + 2) / 3 * 4 + 1), *p = text;
    for (size_t i = 0; text && i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t v = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                     (left > 2 ? data[i + 2] : 0U);
        *p++ = digit[v >> 18];
        *p++ = digit[v >> 12 & 63];
        *p++ = left > 1 ? digit[v >> 6 & 63] : '=';
        *p++ = left > 2 ? digit[v & 63] : '=';
    }
    if (text)
        *p = 0;
    return text;
}

/* One row of seven columns; kind > 0 damages it in one of the ways that real files show. */
static int write_row(struct artist *a, FILE *out, uint64_t who, uint64_t n, int kind)
{
    static const uint8_t rect[16] = {0, 0, 128, 62, 0, 0, 128, 62, 0, 0, 64, 63, 0, 0, 64, 63};
    char mid[16], *face, *rectangle, *row;
    if (kind == 1) { /* cut short */
        a->jpeg.bytes /= 2;
    } else if (kind == 2) { /* no picture at all */
        a->jpeg.bytes = (size_t)snprintf((char *)a->jpeg.data, a->jpeg.cap, "404 Not Found\n");
    }
    face = base64(a->jpeg.data, a->jpeg.bytes);
    rectangle = base64(rect, sizeof rect);
    size_t cap = face ? strlen(face) + 512 : 0;
    row = malloc(cap + 1);
    if (!face || !rectangle || !row) {
        free(face), free(rectangle), free(row);
        return fn_fail(FN_ENOMEM, "out of memory for a row of %zu bytes", cap);
    }
    if (kind == 3) /* a character that is none of base64's */
        face[strlen(face) / 2] = '*';
    person_mid(who, mid, sizeof mid);
    snprintf(row, cap, "%s\t%u\thttp://drawn.example/%s/%u.jpg\t%sFaceId-0\t%s\t%s\n", mid,
             (unsigned)n, mid, (unsigned)n, kind == 4 ? "" : "http://drawn.example/\t", rectangle,
             face);
    if (kind == 5) /* blank line in front */
        fputc('\n', out);
    if (kind == 6 && a->line) /* the row before, again */
        fputs(a->line, out);
    fputs(row, out);
    free(face), free(rectangle), free(a->line);
    a->line = row;
    return FN_OK;
}

static int write_tsv(struct artist *a)
{
    const struct options *o = a->o;
    struct fn_out *out = NULL;
    uint64_t rows = (uint64_t)(o->people * o->images), bad = 0;
    int rc = fn_out_open(&out, o->tsv);
    for (uint64_t i = 0; i < rows && rc == FN_OK; i++) {
        uint64_t who = i / (uint64_t)o->images, n = i % (uint64_t)o->images;
        int kind = 0;
        if (bad < (uint64_t)o->damage && i >= (bad + 1) * rows / (uint64_t)(o->damage + 1))
            kind = 1 + (int)(bad++ % 6);
        rc = draw(a, who + (uint64_t)o->first, n);
        if (!rc)
            rc = write_row(a, fn_out_stream(out), who + (uint64_t)o->first, n, kind);
    }
    if (!rc)
        rc = fn_out_commit(out);
    fn_out_close(&out);
    return rc;
}

static int write_tree(struct artist *a)
{
    const struct options *o = a->o;
    char name[64], path[4096];
    int rc = FN_OK;
    for (int64_t who = 0; who < o->people && !rc; who++) {
        person_name((uint64_t)(who + o->first), name, sizeof name);
        snprintf(path, sizeof path, "%s/%s", o->tree, name);
        rc = fn_mkdir_p(path);
        for (int64_t n = 0; n < o->images && !rc; n++) {
            rc = draw(a, (uint64_t)(who + o->first), (uint64_t)n);
            snprintf(path, sizeof path, "%s/%s/%s_%04d.jpg", o->tree, name, name, (int)n + 1);
            if (!rc)
                rc = fn_file_write(path, a->jpeg.data, a->jpeg.bytes);
        }
    }
    return rc;
}

/* How many pairs there are, of one person and of two, and how many of each are asked for. */
enum { FOLDS = 10 };
struct pair_count {
    uint64_t same, different, asked;
};

static struct pair_count count_pairs(const struct options *o)
{
    const uint64_t people = (uint64_t)o->people, images = (uint64_t)o->images;
    const uint64_t couples = people * (people - 1) / 2, most = (UINT64_C(1) << 62) / couples;
    const uint64_t pictures = images * images < most ? images * images : most;
    int64_t each = o->pairs / FOLDS / 2 > 0 ? o->pairs / FOLDS / 2 : 1;
    return (struct pair_count){people * (images * (images - 1) / 2), couples * pictures,
                               (uint64_t)each * FOLDS};
}

/* All are different from each other, so there may be too few. */
static int check_pairs(const struct options *o)
{
    const struct pair_count c = count_pairs(o);
    const int of_one = c.asked > c.same;
    if (!of_one && c.asked <= c.different)
        return FN_OK;
    return fn_fail(
        FN_EUSAGE,
        "--pair-count %lld asks for %llu pairs of %s, but %lld people with %lld pictures "
        "each have %llu: ask for fewer pairs, or for more --people or --images",
        (long long)o->pairs, (unsigned long long)c.asked, of_one ? "one person" : "two people",
        (long long)o->people, (long long)o->images,
        (unsigned long long)(of_one ? c.same : c.different));
}

/* Pair `index` of the n (n - 1) / 2 of n things: the second is 1, 2, ... n / 2 behind the first. */
static void couple(uint64_t n, uint64_t index, uint64_t *first, uint64_t *second)
{
    *first = index % n;
    *second = (*first + index / n + 1) % n;
}

static void same_pair(const struct options *o, uint64_t index, FILE *f)
{
    const uint64_t people = (uint64_t)o->people;
    uint64_t m, n;
    char name[64];
    person_name(index % people + (uint64_t)o->first, name, sizeof name);
    couple((uint64_t)o->images, index / people, &m, &n);
    fprintf(f, "%s\t%u\t%u\n", name, (unsigned)m + 1, (unsigned)n + 1);
}

static void different_pair(const struct options *o, uint64_t index, FILE *f)
{
    const uint64_t people = (uint64_t)o->people, images = (uint64_t)o->images;
    const uint64_t couples = people * (people - 1) / 2, pictures = index / couples;
    uint64_t p, q;
    char a[64], b[64];
    couple(people, index % couples, &p, &q);
    person_name(p + (uint64_t)o->first, a, sizeof a);
    person_name(q + (uint64_t)o->first, b, sizeof b);
    fprintf(f, "%s\t%u\t%s\t%u\n", a, (unsigned)(pictures % images) + 1, b,
            (unsigned)(pictures / images) + 1);
}

/* The format of LFW's pairs.txt: in each fold as many pairs of one person as of two. */
static int write_pairs(const struct options *o)
{
    const struct pair_count c = count_pairs(o);
    const uint64_t each = c.asked / FOLDS, seed = (uint64_t)o->seed;
    struct fn_out *out = NULL;
    int rc = fn_out_open(&out, o->pairs_file);
    if (rc)
        return rc;
    FILE *f = fn_out_stream(out);
    fprintf(f, "%d\t%d\n", FOLDS, (int)each);
    for (uint64_t fold = 0; fold < FOLDS; fold++) {
        for (uint64_t i = fold * each; i < (fold + 1) * each; i++)
            same_pair(o, fn_rng_permute(seed, 0, c.same, i), f);
        for (uint64_t i = fold * each; i < (fold + 1) * each; i++)
            different_pair(o, fn_rng_permute(seed, 1, c.different, i), f);
    }
    rc = fn_out_commit(out);
    fn_out_close(&out);
    return rc;
}

static int run(const struct options *o)
{
    struct artist a = {.o = o};
    if (!o->tsv && !o->tree && !o->pairs_file)
        return fn_fail(FN_EUSAGE, "nothing to do: give --tsv FILE, --tree DIR or --pairs FILE");
    int rc = o->pairs_file ? check_pairs(o) : FN_OK;
    if (!rc)
        rc = fn_codec_open(&a.codec);
    if (!rc && o->tsv)
        rc = write_tsv(&a);
    if (!rc && o->tree)
        rc = write_tree(&a);
    if (!rc && o->pairs_file)
        rc = write_pairs(o);
    free(a.line);
    fn_bytes_free(&a.jpeg);
    fn_image_free(&a.image);
    fn_codec_close(&a.codec);
    return rc;
}

static struct options o = {
    .people = 12, .images = 6, .size = 182, .quality = 90, .seed = 1, .pairs = 200};

static struct fn_arg args[] = {
    {.name = "tsv",
     .kind = FN_ARG_STRING,
     .value = &o.tsv,
     .metavar = "FILE",
     .help = "write a face TSV with the seven columns of MsCelebV1-Faces-Aligned.tsv"},
    {.name = "damage",
     .kind = FN_ARG_INT,
     .value = &o.damage,
     .max = 1000000,
     .help = "spoil so many rows of it, in six ways"},
    {.name = "tree",
     .kind = FN_ARG_STRING,
     .value = &o.tree,
     .metavar = "DIR",
     .help = "write a folder a person, as LFW's"},
    {.name = "pairs",
     .kind = FN_ARG_STRING,
     .value = &o.pairs_file,
     .metavar = "FILE",
     .help = "write a pairs file for that tree, ten folds"},
    {.name = "pair-count",
     .kind = FN_ARG_INT,
     .value = &o.pairs,
     .min = 20,
     .max = 1000000,
     .help = "about so many pairs, all different"},
    {.name = "people",
     .kind = FN_ARG_INT,
     .value = &o.people,
     .min = 2,
     .max = 1000000,
     .help = "number of people"},
    {.name = "images",
     .kind = FN_ARG_INT,
     .value = &o.images,
     .min = 2,
     .max = 60000,
     .help = "pictures of each"},
    {.name = "first",
     .kind = FN_ARG_INT,
     .value = &o.first,
     .max = 1000000000,
     .help = "number of the first person: others are other people"},
    {.name = "size",
     .kind = FN_ARG_INT,
     .value = &o.size,
     .min = 16,
     .max = 4096,
     .help = "pixels a side"},
    {.name = "quality",
     .kind = FN_ARG_INT,
     .value = &o.quality,
     .min = 1,
     .max = 100,
     .help = "of the JPEGs"},
    {.name = "seed", .kind = FN_ARG_INT, .value = &o.seed, .max = 1e15, .help = "other faces"},
    {0}};

static const struct fn_tool tool = {
    .name = "draw-faces",
    .synopsis = "--tsv FILE [OPTION...]\n--tree DIR --pairs FILE [OPTION...]",
    .purpose = "Draws faces of people who do not exist, as small data sets to try fn with.",
    .args = args};

int main(int argc, char **argv)
{
    const char **operands = NULL;
    size_t count = 0;
    int rc = fn_args_parse(&tool, argc, argv, &operands, &count);
    if (rc == FN_OK)
        rc = run(&o);
    fn_args_free(&tool, &operands);
    return fn_tool_exit(&tool, rc);
}
