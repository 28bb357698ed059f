/* SPDX-License-Identifier: MIT */
/* libarchive, fed through our own reader so that pipes, signals and read errors are handled once.
 */
#include "ingest/unwrap.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK ((size_t)256 << 10)

struct fn_unwrap {
    struct archive *archive;
    char *path, *member;
    char name[64];
    int (*read)(void *, uint8_t *, size_t, size_t *);
    void *from;
    int read_code; /* of the reader's failure, whose sentence is kept in `note` */
    struct fn_err_note note;
    int raw, ended;
    uint8_t last; /* byte handed out */
    uint8_t block[BLOCK];
};

int fn_unwrap_wanted(const uint8_t *head, size_t bytes)
{
    static const struct {
        size_t at, bytes;
        const char *magic;
    } known[] = {
        {0, 2, "\x1f\x8b"},                 /* gzip */
        {0, 2, "\x1f\x9d"},                 /* compress */
        {0, 4, "\x28\xb5\x2f\xfd"},         /* zstd */
        {0, 4, "\x04\x22\x4d\x18"},         /* lz4 */
        {0, 6, "\xfd\x37\x7a\x58\x5a\x00"}, /* xz */
        {4, 6, "1AY&SY"},                   /* bzip2, behind "BZh" and a digit */
        {0, 4, "LZIP"},
        {0, 4, "PK\x03\x04"}, /* zip */
        {257, 5, "ustar"},    /* tar, POSIX and GNU */
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (bytes >= known[i].at + known[i].bytes &&
            memcmp(head + known[i].at, known[i].magic, known[i].bytes) == 0)
            return 1;
    }
    return 0;
}

static la_ssize_t give_block(struct archive *archive, void *unwrap, const void **block)
{
    struct fn_unwrap *u = unwrap;
    size_t got = 0;
    int rc = u->read(u->from, u->block, BLOCK, &got);
    if (rc) {
        u->read_code = rc;
        fn_err_note_take(&u->note, rc);
        archive_set_error(archive, EIO, "the input could not be read");
        return -1;
    }
    *block = u->block;
    return (la_ssize_t)got;
}

/* The reader's own sentence where it failed, else libarchive's inside ours. */
static int failed(struct fn_unwrap *u, const char *what)
{
    if (u->read_code)
        return fn_err_note_raise(&u->note);
    const char *why = archive_error_string(u->archive);
    return fn_fail(FN_ECORRUPT, "%s: %s: %s", u->path, what, why ? why : "unknown damage");
}

/* Names of no interest: hidden files, and the second halves that macOS puts into archives. */
static int hidden(const char *name)
{
    const char *last = name ? strrchr(name, '/') : NULL;
    if (!name)
        return 0;
    return (last ? last[1] : name[0]) == '.' || strncmp(name, "__MACOSX/", 9) == 0;
}

/* Goes to the next regular file with bytes in it; *entry NULL: there is none. */
static int next_file(struct fn_unwrap *u, struct archive_entry **entry)
{
    for (;;) {
        int rc = archive_read_next_header(u->archive, entry);
        if (rc == ARCHIVE_EOF) {
            *entry = NULL;
            u->ended = 1;
            return FN_OK;
        }
        if (rc < ARCHIVE_WARN) /* warnings are of names and times, which we do not use */
            return failed(u, "damaged, or not an archive");
        if (archive_format(u->archive) == ARCHIVE_FORMAT_RAW)
            return FN_OK;
        if (archive_entry_filetype(*entry) == AE_IFREG && !hidden(archive_entry_pathname(*entry)) &&
            (!archive_entry_size_is_set(*entry) || archive_entry_size(*entry) > 0))
            return FN_OK;
    }
}

/* "tar + gzip", "zip", "gzip"; the last filter is always "none". */
static void describe(struct fn_unwrap *u)
{
    const char *filter =
        archive_filter_count(u->archive) > 1 ? archive_filter_name(u->archive, 0) : NULL;
    const char *format = archive_format_name(u->archive);
    if (u->raw)
        snprintf(u->name, sizeof u->name, "%s", filter ? filter : "plain");
    else
        snprintf(u->name, sizeof u->name, "%s%s%s", format ? format : "archive",
                 filter ? " + " : "", filter ? filter : "");
}

/* Named one by one: `filter_all` would also start other programs. Their failures are those formats'
 * absence, which opening reports. */
static void support(struct archive *archive)
{
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_filter_compress(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_lzip(archive);
    archive_read_support_filter_lz4(archive);
    archive_read_support_filter_zstd(archive);
    archive_read_support_format_tar(archive);
    archive_read_support_format_zip_streamable(archive);
    archive_read_support_format_raw(archive); /* bids lowest: a compressed file alone */
    archive_read_support_format_empty(archive);
}

int fn_unwrap_open(struct fn_unwrap **unwrap, const char *path,
                   int (*read)(void *, uint8_t *, size_t, size_t *), void *from)
{
    struct archive_entry *entry = NULL;
    int rc = FN_OK;
    struct fn_unwrap *u = calloc(1, sizeof *u);
    *unwrap = NULL;
    if (!u || !(u->path = strdup(path)) || !(u->archive = archive_read_new())) {
        rc = fn_fail(FN_ENOMEM, "no memory to read %s", path);
        goto out;
    }
    u->read = read;
    u->from = from;
    support(u->archive);
    if (archive_read_open(u->archive, u, NULL, give_block, NULL) != ARCHIVE_OK) {
        rc = failed(u, "cannot be unwrapped");
        goto out;
    }
    rc = next_file(u, &entry);
    if (rc || !entry)
        goto out;
    u->raw = archive_format(u->archive) == ARCHIVE_FORMAT_RAW;
    describe(u);
    if (!u->raw) {
        const char *name = archive_entry_pathname(entry);
        if (!(u->member = strdup(name ? name : "?")))
            rc = fn_fail(FN_ENOMEM, "no memory to read %s", path);
    }
out:
    if (rc)
        fn_unwrap_close(&u);
    *unwrap = u;
    return rc;
}

void fn_unwrap_close(struct fn_unwrap **unwrap)
{
    struct fn_unwrap *u = *unwrap;
    if (!u)
        return;
    if (u->archive)
        archive_read_free(u->archive);
    free(u->member);
    free(u->path);
    free(u);
    *unwrap = NULL;
}

const char *fn_unwrap_name(const struct fn_unwrap *u)
{
    return u->name;
}

const char *fn_unwrap_member(const struct fn_unwrap *u)
{
    return u->member;
}

int fn_unwrap_read(struct fn_unwrap *u, uint8_t *buf, size_t cap, size_t *got)
{
    *got = 0;
    while (!u->ended) {
        la_ssize_t n = archive_read_data(u->archive, buf, cap);
        if (n < 0)
            return failed(u, "damaged, or it ends early");
        if (n > 0) {
            u->last = buf[n - 1];
            *got = (size_t)n;
            return FN_OK;
        }
        struct archive_entry *entry;
        int rc = next_file(u, &entry);
        if (rc)
            return rc;
        if (entry && u->last != '\n') { /* a file's last row does not run into the next file */
            u->last = buf[0] = '\n';
            *got = 1;
            return FN_OK;
        }
    }
    return FN_OK;
}
