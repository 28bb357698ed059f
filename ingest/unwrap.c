/* SPDX-License-Identifier: MIT */
/* libarchive, fed through our own reader so that pipes, signals and read errors are handled once.
 */
#include "ingest/unwrap.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "ingest/archive_bytes.h"
#include "ingest/entry.h"
#include "ingest/recordio.h"
#include "ingest/tsv.h"

#define BLOCK ((size_t)256 << 10)
#define LOOK ((size_t)64 << 10) /* of a file, to see what it is */

enum inside { ROWS, RECORDIO, PICTURES };

struct fn_unwrap {
    struct archive *archive;
    char *path, *member;
    char name[64];
    int (*read)(void *, uint8_t *, size_t, size_t *);
    void *from;
    int read_code; /* of the reader's failure, whose sentence is kept in `note` */
    struct fn_err_note note;
    /* libarchive translates names that say they are UTF-8 into the locale's characters, and gives
     * none where it has no such: in this locale every name comes as the bytes that stand there. */
    locale_t utf8;
    enum inside inside;
    int raw, ended;
    struct archive_entry *entry; /* that decided, until it was given; NULL then */
    uint64_t left_out;
    uint8_t *ahead; /* the beginning of the file that decided */
    size_t ahead_bytes, ahead_used;
    uint8_t last;                            /* byte handed out */
    uint64_t met;                            /* entries of any kind */
    enum { UNKNOWN, OTHER, ZIP, TAR } plain; /* not wrapped in anything else */
    uint8_t tail[FN_ARCHIVE_END_MAX];        /* of those, the last bytes read */
    size_t tail_bytes;
    uint8_t block[BLOCK];
};

/* ---- libarchive ---- */

static void keep_tail(struct fn_unwrap *u, size_t got)
{
    size_t new = got < sizeof u->tail ? got : sizeof u->tail;
    size_t old = sizeof u->tail - new < u->tail_bytes ? sizeof u->tail - new : u->tail_bytes;
    memmove(u->tail, u->tail + u->tail_bytes - old, old);
    memcpy(u->tail + old, u->block + got - new, new);
    u->tail_bytes = old + new;
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
    if (u->plain == UNKNOWN)
        u->plain = got >= 2 && memcmp(u->block, "PK", 2) == 0 ? ZIP
                   : fn_archive_is_tar(u->block, got)         ? TAR
                                                              : OTHER;
    if (u->plain != OTHER)
        keep_tail(u, got);
    *block = u->block;
    return (la_ssize_t)got;
}

static const char *why(const struct fn_unwrap *u)
{
    const char *text = archive_error_string(u->archive);
    return text ? text : "unknown damage";
}

/* The reader's own sentence where it failed, else libarchive's inside ours. */
static int failed(struct fn_unwrap *u, const char *what)
{
    if (u->read_code)
        return fn_err_note_raise(&u->note);
    return fn_fail(FN_ECORRUPT, "%s: %s: %s", u->path, what, why(u));
}

static const char *path_of(struct fn_unwrap *u, struct archive_entry *entry)
{
    locale_t before = uselocale(u->utf8);
    const char *path = archive_entry_pathname(entry);
    uselocale(before);
    return path ? path : "";
}

/* Behind the last entry that was found: were these all, as far as that can be known? */
static int check_end(struct fn_unwrap *u, int *lost)
{
    uint64_t listed = 0;
    const void *block;
    la_ssize_t got = u->plain != OTHER;
    while (got > 0)
        got = give_block(u->archive, u, &block);
    if (got < 0)
        return fn_err_note_raise(&u->note);
    if (u->plain == ZIP && !fn_archive_zip_entries(u->tail, u->tail_bytes, &listed))
        return fn_fail(FN_ECORRUPT,
                       "%s: damaged, or it ends early: the end of its directory is missing",
                       u->path);
    *lost = u->met < listed || (u->plain == TAR && !fn_archive_tar_ends(u->tail, u->tail_bytes));
    if (*lost && u->plain == TAR)
        fn_fail(FN_ECORRUPT, "the archive has no end mark: it may be cut short here");
    else if (*lost)
        fn_fail(FN_ECORRUPT,
                "the archive is damaged: %llu entries are in its directory, but %llu were found",
                (unsigned long long)listed, (unsigned long long)u->met);
    return FN_OK;
}

/* The next header of any kind; *entry NULL: the end. *lost: entries are missing before that, as the
 * thread's sentence says. */
static int next_header(struct fn_unwrap *u, struct archive_entry **entry, int *lost)
{
    int rc;
    *lost = 0;
    *entry = NULL;
    do {
        if (fn_interrupted())
            return fn_fail(FN_EINTERRUPTED, "interrupted while looking through %s", u->path);
        locale_t before = uselocale(u->utf8);
        rc = archive_read_next_header(u->archive, entry);
        uselocale(before);
        *lost |= rc == ARCHIVE_RETRY; /* not a header: each further call tries further on */
    } while (rc == ARCHIVE_RETRY && u->inside == PICTURES);
    u->ended = rc == ARCHIVE_EOF || (*lost && rc == ARCHIVE_FATAL && !u->read_code);
    if (u->ended) {
        *entry = NULL;
        if (!*lost)
            return check_end(u, lost);
        fn_fail(FN_ECORRUPT, "the archive is damaged: behind %llu entries no more were found",
                (unsigned long long)u->met);
        return FN_OK;
    }
    /* Warnings are of names and times, which we take as they come. */
    if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
        return failed(u, "damaged, or it ends early");
    u->met++;
    if (*lost)
        fn_fail(FN_ECORRUPT, "the archive is damaged: what stood in front of %s is lost",
                path_of(u, *entry));
    return FN_OK;
}

static int is_file(struct archive_entry *entry)
{
    return archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry);
}

static int is_empty(struct archive_entry *entry)
{
    return archive_entry_size_is_set(entry) && archive_entry_size(entry) <= 0;
}

/* A file that may hold rows. */
static int may_be_rows(struct fn_unwrap *u, struct archive_entry *entry)
{
    struct fn_entry_name name;
    const char *path = path_of(u, entry);
    return is_file(entry) && !is_empty(entry) && !fn_entry_hidden(path, strlen(path)) &&
           fn_entry_name(path, strlen(path), &name) == FN_ENTRY_OTHER;
}

static void leave_out(struct fn_unwrap *u, struct archive_entry *entry)
{
    u->left_out += archive_entry_filetype(entry) != AE_IFDIR;
}

/* ---- what is in it ---- */

static int look(struct fn_unwrap *u)
{
    u->ahead_bytes = u->ahead_used = 0;
    if (!u->ahead && !(u->ahead = malloc(LOOK)))
        return fn_fail(FN_ENOMEM, "no memory to read %s", u->path);
    while (u->ahead_bytes < LOOK) {
        la_ssize_t n =
            archive_read_data(u->archive, u->ahead + u->ahead_bytes, LOOK - u->ahead_bytes);
        if (n < 0)
            return failed(u, "damaged, or it ends early");
        if (n == 0)
            break;
        u->ahead_bytes += (size_t)n;
    }
    return FN_OK;
}

/* Is it this entry that decides? */
static int decides(struct fn_unwrap *u, struct archive_entry *entry, int *yes)
{
    struct fn_entry_name name;
    const char *path = path_of(u, entry);
    *yes = u->raw = archive_format(u->archive) == ARCHIVE_FORMAT_RAW;
    if (u->raw)
        return FN_OK;
    if (fn_entry_name(path, strlen(path), &name) == FN_ENTRY_PICTURE && is_file(entry)) {
        u->inside = PICTURES;
        u->entry = entry;
        *yes = 1;
    } else if (may_be_rows(u, entry)) {
        int rc = look(u);
        if (rc)
            return rc;
        u->inside = fn_recordio_begins(u->ahead, u->ahead_bytes) ? RECORDIO : ROWS;
        *yes = u->inside == RECORDIO || fn_tsv_likely(u->ahead, u->ahead_bytes);
    }
    return FN_OK;
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

/* Goes to the entry that decides what is in it. */
static int decide(struct fn_unwrap *u)
{
    struct archive_entry *entry;
    int yes = 0, lost, rc;
    for (;;) {
        rc = next_header(u, &entry, &lost);
        if (!rc && entry)
            rc = decides(u, entry, &yes);
        if (rc || !entry)
            break;
        if (!u->member && !u->raw && archive_entry_filetype(entry) != AE_IFDIR &&
            !(u->member = strdup(path_of(u, entry))))
            return fn_fail(FN_ENOMEM, "no memory to read %s", u->path);
        if (yes)
            break;
        leave_out(u, entry);
    }
    describe(u);
    if (rc || u->raw || (!entry && !u->left_out))
        return rc;
    if (!entry)
        return fn_fail(FN_EFORMAT,
                       "%s is an archive, but neither class folders with .jpg or .png pictures nor "
                       "a face TSV are in it (%llu %s, the first is %s)",
                       u->path, (unsigned long long)u->left_out,
                       u->left_out == 1 ? "entry" : "entries", u->member);
    free(u->member);
    u->member = strdup(path_of(u, entry));
    return u->member ? FN_OK : fn_fail(FN_ENOMEM, "no memory to read %s", u->path);
}

/* ---- opening ---- */

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
    archive_read_set_format_option(archive, "tar", "read_concatenated_archives", "1");
    /* In the order of the file, not by its directory, which lies at the end and may not fit into
     * memory. */
    archive_read_support_format_zip_streamable(archive);
    archive_read_support_format_raw(archive); /* bids lowest: a compressed file alone */
    archive_read_support_format_empty(archive);
}

int fn_unwrap_open(struct fn_unwrap **unwrap, const char *path,
                   int (*read)(void *, uint8_t *, size_t, size_t *), void *from)
{
    int rc = FN_OK;
    struct fn_unwrap *u = calloc(1, sizeof *u);
    *unwrap = NULL;
    if (!u || !(u->path = strdup(path)) || !(u->archive = archive_read_new())) {
        rc = fn_fail(FN_ENOMEM, "no memory to read %s", path);
        goto out;
    }
    u->read = read;
    u->from = from;
    u->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); /* 0, the thread's own, elsewhere */
    support(u->archive);
    if (archive_read_open(u->archive, u, NULL, give_block, NULL) != ARCHIVE_OK)
        rc = failed(u, "cannot be unwrapped");
    else
        rc = decide(u);
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
    if (u->utf8)
        freelocale(u->utf8);
    free(u->ahead);
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
    return u->raw ? NULL : u->member;
}

int fn_unwrap_is_pictures(const struct fn_unwrap *u)
{
    return u->inside == PICTURES;
}

uint64_t fn_unwrap_left_out(const struct fn_unwrap *u)
{
    return u->left_out;
}

/* ---- bytes ---- */

/* Goes to the next file of rows, or to the end. */
static int next_rows(struct fn_unwrap *u)
{
    struct archive_entry *entry;
    int lost, rc;
    for (;;) {
        rc = next_header(u, &entry, &lost);
        if (!rc && lost && u->plain != TAR) /* the rows of a tar that only has no end mark count */
            rc = fn_fail_in(FN_ECORRUPT, "%s", u->path);
        if (rc || !entry)
            return rc;
        if (u->inside == ROWS && may_be_rows(u, entry))
            return FN_OK;
        leave_out(u, entry);
    }
}

int fn_unwrap_read(struct fn_unwrap *u, uint8_t *buf, size_t cap, size_t *got)
{
    size_t ahead = u->ahead_bytes - u->ahead_used;
    *got = 0;
    while (!u->ended) {
        la_ssize_t n = (la_ssize_t)(ahead < cap ? ahead : cap);
        if (n > 0) {
            memcpy(buf, u->ahead + u->ahead_used, (size_t)n);
            u->ahead_used += (size_t)n;
        } else {
            n = archive_read_data(u->archive, buf, cap);
        }
        if (n < 0)
            return failed(u, "damaged, or it ends early");
        if (n > 0) {
            u->last = buf[n - 1];
            *got = (size_t)n;
            return FN_OK;
        }
        int rc = next_rows(u);
        if (rc)
            return rc;
        if (!u->ended && u->last != '\n') { /* a file's last row does not run into the next file */
            u->last = buf[0] = '\n';
            *got = 1;
            return FN_OK;
        }
    }
    return FN_OK;
}

/* ---- pictures ---- */

int fn_unwrap_next(struct fn_unwrap *u, struct fn_unwrap_entry *out)
{
    struct archive_entry *entry = u->entry;
    struct fn_entry_name name;
    int rc = FN_OK, lost = 0;
    memset(out, 0, sizeof *out);
    u->entry = NULL;
    while (!entry && !u->ended) {
        int again;
        rc = next_header(u, &entry, &again);
        if (rc)
            return rc;
        lost |= again;
        if (!entry)
            break;
        out->path = path_of(u, entry);
        if (archive_entry_filetype(entry) != AE_IFDIR &&
            fn_entry_name(out->path, strlen(out->path), &name) != FN_ENTRY_OTHER)
            break;
        leave_out(u, entry);
        entry = NULL;
    }
    out->path = entry ? path_of(u, entry) : NULL;
    out->lost = lost;
    if (!entry)
        return FN_OK;
    out->is_file = is_file(entry);
    out->sized = archive_entry_size_is_set(entry) && archive_entry_size(entry) >= 0;
    out->bytes = out->sized ? (uint64_t)archive_entry_size(entry) : 0;
    return FN_OK;
}

int fn_unwrap_data(struct fn_unwrap *u, uint8_t *buf, size_t cap, size_t *got, int *damaged)
{
    la_ssize_t n = archive_read_data(u->archive, buf, cap);
    *damaged = 0;
    *got = 0;
    if (n >= 0) {
        *got = (size_t)n;
        return FN_OK;
    }
    if (n == ARCHIVE_FATAL || u->read_code)
        return failed(u, "damaged, or it ends early");
    *damaged = 1;
    fn_fail(FN_ECORRUPT, "%s", why(u));
    return FN_OK;
}
