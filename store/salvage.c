/* SPDX-License-Identifier: MIT */
/* Walking damaged shards: from group to group by their heads; where there is none, page by page to
 * the next, and then through the hole between them from record to record. */
#include "store/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/args.h"
#include "store/build.h"
#include "store/pages.h"
#include "store/salvage_internal.h"

/* No group has more: it ends with the record by which it is full. */
#define COUNT_MAX (FN_GROUP_BYTES / sizeof(struct fn_record_head) + 1)
#define FRONT_MAX (sizeof(struct fn_group_head) + COUNT_MAX * sizeof(struct fn_group_entry))
#define USED_MAX ((uint64_t)FN_PAYLOAD_MAX + 2 * FN_GROUP_BYTES + FRONT_MAX)
#define WINDOW ((size_t)4 << 20)
#define NAMES_ROOM ((size_t)4096) /* a record's head and names fit */

/* Bytes of the file; zeros where it has none, and where the disk refuses them. */
static int read_at(struct fn_scan *s, uint64_t at, size_t bytes, struct fn_bytes *out)
{
    int rc = fn_bytes_reserve(out, bytes);
    size_t done = 0;
    if (rc)
        return rc;
    while (done < bytes && at + done < s->size) {
        size_t n = bytes - done;
        ssize_t got = pread(s->fd, out->data + done, n, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && n > FN_PAGE) /* one bad sector must not cost its neighbours */
            got =
                pread(s->fd, out->data + done, FN_PAGE - (at + done) % FN_PAGE, (off_t)(at + done));
        if (got == 0)
            break;
        if (got < 0) {
            got = (ssize_t)(FN_PAGE - (at + done) % FN_PAGE);
            got = (size_t)got < bytes - done ? got : (ssize_t)(bytes - done);
            memset(out->data + done, 0, (size_t)got);
        }
        done += (size_t)got;
    }
    memset(out->data + done, 0, bytes - done);
    out->bytes = bytes;
    return FN_OK;
}

static int plausible(const struct fn_scan *s, const struct fn_group_head *head)
{
    return head->magic == FN_GROUP_MAGIC && head->count >= 1 && head->count <= COUNT_MAX &&
           head->used <= USED_MAX && head->number >= s->expected &&
           (!s->out->groups || head->number < s->out->groups);
}

static size_t front_bytes(const struct fn_group_head *head)
{
    return sizeof *head + head->count * sizeof(struct fn_group_entry);
}

static int front_fits(void *context, const uint8_t *at, size_t bytes)
{
    const struct fn_scan *s = context;
    struct fn_group_head head;
    (void)bytes;
    memcpy(&head, at, sizeof head);
    return plausible(s, &head) && XXH3_64bits(at + 8, front_bytes(&head) - 8) == head.checksum;
}

/* Head and table into s->front if a group begins at this page. due: one should, so that it is worth
 * looking for a flipped bit. */
static int group_begins(struct fn_scan *s, uint64_t page, int due, int *found)
{
    struct fn_group_head head;
    uint64_t at = page * FN_PAGE + FN_PAGES_NODE_HEAD;
    *found = 0;
    int rc = read_at(s, at, FN_PAGE - FN_PAGES_NODE_HEAD, &s->front);
    if (rc)
        return rc;
    memcpy(&head, s->front.data, sizeof head);
    if (!plausible(s, &head) && !due)
        return FN_OK;
    rc = read_at(s, at, FRONT_MAX, &s->front);
    if (rc)
        return rc;
    *found = front_fits(s, s->front.data, sizeof head);
    if (*found)
        return FN_OK;
    *found = fn_mend_any(&s->out->mend, s->front.data, sizeof head, FN_PAGE, s, front_fits);
    if (!*found && plausible(s, &head))
        *found = fn_mend_sum64(&s->out->mend, s->front.data, front_bytes(&head));
    s->out->mended += (uint64_t)*found;
    return FN_OK;
}

static int record_fits(const struct fn_group_entry *entry, const uint8_t *at, size_t bytes,
                       struct fn_record *rec)
{
    size_t size = 0;
    return fn_record_check(at, bytes, rec, &size) == FN_OK && size == bytes &&
           rec->input == entry->input && rec->offset == entry->offset;
}

static int visit_entry(struct fn_scan *s, uint64_t group, const struct fn_group_entry *entry,
                       uint8_t *at, size_t bytes)
{
    struct fn_found found = {.kind = FN_FOUND_RECORD, .line = entry->line, .placed = 1};
    if (record_fits(entry, at, bytes, &found.rec)) {
        s->out->records++;
        return s->out->visit(s->out->context, &found);
    }
    if (fn_mend_sum64(&s->out->mend, at, bytes) && record_fits(entry, at, bytes, &found.rec)) {
        s->out->records++;
        s->out->mended++;
        return s->out->visit(s->out->context, &found);
    }
    found.kind = FN_FOUND_LOST;
    fn_lost_names(s->out->index, fn_location(group, entry->where), at, bytes, &found.rec);
    found.rec.input = entry->input;
    found.rec.offset = entry->offset;
    s->out->lost++;
    return s->out->visit(s->out->context, &found);
}

static int visit_group(struct fn_scan *s, uint64_t page, uint64_t *pages)
{
    struct fn_group_head head;
    const struct fn_group_entry *table = NULL;
    memcpy(&head, s->front.data, sizeof head);
    size_t front = front_bytes(&head), bytes = fn_group_value_bytes(head.used);
    *pages = (bytes + FN_PAGES_NODE_HEAD) / FN_PAGE;
    int rc = read_at(s, page * FN_PAGE + FN_PAGES_NODE_HEAD, bytes, &s->value);
    if (rc)
        return rc;
    memcpy(s->value.data, s->front.data, front);
    if (fn_group_parse(s->value.data, bytes, head.number, &head, &table) != FN_OK)
        return FN_OK; /* a good checksum over nonsense */
    struct fn_position next = {table[0].input, table[0].line, table[0].offset, 0};
    rc = fn_scan_gap(s, head.number, &next);
    for (uint32_t i = 0; i < head.count && !rc; i++) {
        size_t end = i + 1 < head.count ? table[i + 1].where : head.used;
        rc = visit_entry(s, head.number, &table[i], s->value.data + table[i].where,
                         end - table[i].where);
    }
    s->expected = head.number + 1;
    return rc;
}

/* A whole record at `at`, where its head seems to begin? It may be longer than the window. */
static int record_at(struct fn_scan *s, uint64_t begin, uint64_t end, struct fn_found *found,
                     size_t *bytes, int *there)
{
    *there = 0;
    *found = (struct fn_found){.kind = FN_FOUND_RECORD};
    if (fn_record_parse(s->value.data, end - begin, &found->rec, bytes) != FN_OK)
        return FN_OK;
    int rc = *bytes > s->value.bytes ? read_at(s, begin, *bytes, &s->value) : FN_OK;
    *there = !rc && fn_record_check(s->value.data, *bytes, &found->rec, NULL) == FN_OK;
    return rc;
}

/* Records in pages [from, to), whose groups' heads are gone. */
static int scan_hole(struct fn_scan *s, uint64_t from, uint64_t to)
{
    uint64_t at = from * FN_PAGE, end = to * FN_PAGE < s->size ? to * FN_PAGE : s->size;
    int rc = FN_OK;
    struct fn_bytes window = {0};
    while (!rc && at + sizeof(struct fn_record_head) <= end) {
        size_t bytes = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
        uint64_t next = end - at <= WINDOW ? end : at + bytes - NAMES_ROOM;
        rc = read_at(s, at, bytes, &window);
        for (size_t i = 0; !rc && at + i < next && i + 12 <= bytes; i += FN_RECORD_ALIGN) {
            uint32_t magic;
            struct fn_found found;
            size_t size = 0;
            int there = 0;
            memcpy(&magic, window.data + i + 8, sizeof magic);
            if (magic != FN_RECORD_MAGIC)
                continue;
            size_t head = end - at - i < NAMES_ROOM ? (size_t)(end - at - i) : NAMES_ROOM;
            rc = read_at(s, at + i, head, &s->value);
            if (!rc)
                rc = record_at(s, at + i, end, &found, &size, &there);
            if (rc || !there)
                continue;
            s->out->records++;
            rc = fn_scan_note(s, &found.rec);
            if (!rc)
                rc = s->out->visit(s->out->context, &found);
            if (i + size + NAMES_ROOM > bytes && at + i + size < end) { /* not in this window */
                next = at + i + size;
                break;
            }
            i += size - FN_RECORD_ALIGN;
        }
        at = next;
        if (!rc && fn_interrupted())
            rc = fn_fail(FN_EINTERRUPTED, "interrupted");
    }
    fn_bytes_free(&window);
    return rc;
}

static int scan_file(struct fn_scan *s)
{
    uint64_t pages = (s->size + FN_PAGE - 1) / FN_PAGE, hole = FN_PAGES_HEAD / FN_PAGE;
    int rc = FN_OK;
    for (uint64_t page = hole, taken; page < pages && !rc; page += taken) {
        int found = 0;
        taken = 1;
        rc = group_begins(s, page, page == hole, &found);
        if (!rc && found && hole < page)
            rc = scan_hole(s, hole, page);
        if (!rc && found)
            rc = visit_group(s, page, &taken);
        hole = found ? page + taken : hole;
        if (!rc && fn_interrupted())
            rc = fn_fail(FN_EINTERRUPTED, "interrupted");
    }
    return rc || hole >= pages ? rc : scan_hole(s, hole, pages);
}

int fn_salvage(struct fn_salvage *out)
{
    char path[FN_PATH_MAX];
    struct fn_scan s = {.out = out};
    struct stat st;
    int rc = FN_OK;
    out->records = out->lost = out->gaps = out->mended = 0;
    for (uint64_t i = 0; !rc; i++) {
        s.fd = open(fn_shard_file(path, out->store, i), O_RDONLY | O_CLOEXEC);
        if (s.fd < 0 && i >= out->shards)
            break;
        if (s.fd < 0)
            continue;
        s.size = fstat(s.fd, &st) == 0 ? (uint64_t)st.st_size : 0;
        rc = scan_file(&s);
        close(s.fd);
    }
    if (!rc)
        rc = fn_scan_gap(&s, out->groups > s.expected ? out->groups : s.expected,
                         &(struct fn_position){0});
    fn_bytes_free(&s.front);
    fn_bytes_free(&s.value);
    free(s.noted);
    return rc;
}
