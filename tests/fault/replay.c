/* SPDX-License-Identifier: MIT */
/* fault-replay RECORD                 how many operations it has
 * fault-replay RECORD list            one line each
 * fault-replay RECORD N SEED DIR      the folder as a power cut after the first N operations may
 * leave it, into DIR
 *
 * What a disk promises is taken as POSIX says it, which is less than any file system gives: a
 * file's bytes are there for good after fsync of the file, a name after fsync of the folder it is
 * in. Of what came later anything may be there or not: seed 0 drops all of it, seed 1 keeps all of
 * it, any other draws. Of names a prefix of the changes (as journals keep it) or any subset; of a
 * file's writes all, none, a prefix, any subset, or any subset of their pieces of 512 or 4096
 * bytes, and the file's new length with zeros where bytes did not come. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fault/fault.h"

enum { NAME = 256, PATH = 4096 };

static _Noreturn void stop(const char *what, const char *which)
{
    fprintf(stderr, "fault-replay: %s: %s\n", what, which);
    exit(1);
}

static void *grow(void *p, size_t bytes)
{
    void *more = realloc(p, bytes ? bytes : 1);
    if (!more)
        stop("out of memory", "");
    return more;
}

/* ---- the record ---- */
struct event {
    struct fault_op op;
    const char *path, *other;
    const uint8_t *data;
};
static struct event *events;
static size_t event_count;

static void load(const char *file)
{
    FILE *f = fopen(file, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0)
        stop(file, strerror(errno));
    uint8_t *all = grow(NULL, (size_t)st.st_size);
    if (fread(all, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        stop(file, "cannot read");
    fclose(f);
    for (size_t at = 0, cap = 0; at < (size_t)st.st_size; event_count++) {
        if (event_count == cap)
            events = grow(events, (cap = 2 * cap + 64) * sizeof *events);
        struct event *e = &events[event_count];
        memcpy(&e->op, all + at, sizeof e->op);
        at += sizeof e->op;
        e->path = e->op.path_bytes ? (char *)all + at : "";
        at += e->op.path_bytes;
        e->other = e->op.other_bytes ? (char *)all + at : "";
        at += e->op.other_bytes;
        e->data = all + at;
        at += e->op.bytes;
    }
}

/* ---- what there is ---- */
struct entry {
    char name[NAME];
    int node;
};
struct folder {
    struct entry *entries;
    size_t count;
};
struct node {
    uint64_t ino;
    int is_folder;
    struct folder now, kept; /* names as the process sees them; as the disk has them for good */
    uint8_t *bytes;          /* as the disk has them for good */
    size_t size;
    size_t *pending, count; /* writes and truncations since, by number of event */
};
static struct node *nodes;
static int node_count;

/* A change of names that the disk may not have yet. */
struct change {
    int from, to; /* folders; -1: none */
    char from_name[NAME], to_name[NAME];
    int node, other; /* other: what takes from's place in an exchange, or -1 */
};
static struct change *changes;
static size_t change_count;

static int node_of(uint64_t ino)
{
    for (int i = node_count; i-- > 0;) /* the newest: numbers are used again */
        if (nodes[i].ino == ino)
            return i;
    stop("a file that nobody made", "");
}

static int add_node(uint64_t ino, int is_folder)
{
    nodes = grow(nodes, (size_t)(node_count + 1) * sizeof *nodes);
    nodes[node_count] = (struct node){.ino = ino, .is_folder = is_folder};
    return node_count++;
}

static int lookup(const struct folder *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->entries[i].name, name) == 0)
            return f->entries[i].node;
    return -1;
}

static void set(struct folder *f, const char *name, int node)
{
    size_t i = 0;
    while (i < f->count && strcmp(f->entries[i].name, name) != 0)
        i++;
    if (node < 0) {
        if (i < f->count)
            f->entries[i] = f->entries[--f->count];
        return;
    }
    if (i == f->count) {
        f->entries = grow(f->entries, (f->count + 1) * sizeof *f->entries);
        snprintf(f->entries[f->count++].name, NAME, "%s", name);
    }
    f->entries[i].node = node;
}

/* The folder that holds a path, and the last name. */
static int find(const char *path, char name[NAME])
{
    const char *root = events[0].path;
    int at = 0;
    path += strlen(root);
    for (;;) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n >= NAME)
            stop(path, "a name too long");
        memcpy(name, path, n);
        name[n] = 0;
        path += n;
        if (!path[strspn(path, "/")])
            return at;
        at = lookup(&nodes[at].now, name);
        if (at < 0)
            stop(path, "no such folder on record");
    }
}

/* `kept`: of the disk, else as the process sees it. */
static void apply(const struct change *c, int kept)
{
#define FOLDER(i) (kept ? &nodes[i].kept : &nodes[i].now)
    if (c->from >= 0 && (!kept || lookup(FOLDER(c->from), c->from_name) == c->node))
        set(FOLDER(c->from), c->from_name, c->other);
    if (c->to >= 0)
        set(FOLDER(c->to), c->to_name, c->node);
#undef FOLDER
}

static void note(struct change c)
{
    apply(&c, 0);
    changes = grow(changes, (change_count + 1) * sizeof *changes);
    changes[change_count++] = c;
}

static void write_into(struct node *n, const uint8_t *data, uint64_t at, uint64_t bytes)
{
    if (at + bytes > n->size) {
        n->bytes = grow(n->bytes, at + bytes);
        memset(n->bytes + n->size, 0, at + bytes - n->size);
        n->size = at + bytes;
    }
    if (data)
        memcpy(n->bytes + at, data, bytes);
}

static void cut(struct node *n, uint64_t size)
{
    if (size > n->size)
        write_into(n, NULL, size, 0);
    n->size = size;
}

static void settle(struct node *n, const struct event *e)
{
    if (e->op.kind == OP_WRITE)
        write_into(n, e->data, e->op.at, e->op.bytes);
    else
        cut(n, e->op.at);
}

static void sync_node(int number)
{
    struct node *n = &nodes[number];
    for (size_t i = 0; i < n->count; i++)
        settle(n, &events[n->pending[i]]);
    n->count = 0;
    if (!n->is_folder)
        return;
    size_t left = 0;
    for (size_t i = 0; i < change_count; i++) {
        if (changes[i].from == number || changes[i].to == number)
            apply(&changes[i], 1);
        else
            changes[left++] = changes[i];
    }
    change_count = left;
}

static void play(size_t i)
{
    const struct event *e = &events[i];
    struct change c = {.from = -1, .to = -1, .other = -1};
    switch (e->op.kind) {
    case OP_ROOT:
        add_node(e->op.ino, 1);
        return;
    case OP_CREATE:
    case OP_MKDIR:
        c.node = add_node(e->op.ino, e->op.kind == OP_MKDIR);
        c.to = find(e->path, c.to_name);
        note(c);
        return;
    case OP_WRITE:
    case OP_TRUNCATE: {
        struct node *n = &nodes[node_of(e->op.ino)];
        if (e->op.durable) {
            settle(n, e);
            return;
        }
        n->pending = grow(n->pending, (n->count + 1) * sizeof *n->pending);
        n->pending[n->count++] = i;
        return;
    }
    case OP_SYNC:
        sync_node(node_of(e->op.ino));
        return;
    default:
        break;
    }
    c.from = find(e->path, c.from_name);
    c.node = lookup(&nodes[c.from].now, c.from_name);
    if (e->op.kind == OP_RENAME || e->op.kind == OP_EXCHANGE)
        c.to = find(e->other, c.to_name);
    if (e->op.kind == OP_EXCHANGE)
        c.other = lookup(&nodes[c.to].now, c.to_name);
    note(c);
}

/* ---- the power cut ---- */
static uint64_t random_state;

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t x = random_state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void tear(struct node *n, const struct event *e)
{
    uint64_t unit = draw() % 2 ? 512 : 4096;
    for (uint64_t at = 0; at < e->op.bytes;) {
        uint64_t end = (e->op.at + at) / unit * unit + unit - e->op.at;
        end = end < e->op.bytes ? end : e->op.bytes;
        if (draw() % 2)
            write_into(n, e->data + at, e->op.at + at, end - at);
        at = end;
    }
}

static void cut_file(struct node *n, uint64_t seed)
{
    enum { ALL, NONE_, PREFIX, SUBSET, TORN, WAYS };
    uint64_t way = seed == 0 ? NONE_ : seed == 1 ? ALL : draw() % WAYS;
    size_t prefix = n->count ? draw() % (n->count + 1) : 0;
    for (size_t i = 0; i < n->count; i++) {
        const struct event *e = &events[n->pending[i]];
        int whole = way == ALL || (way == PREFIX && i < prefix) ||
                    ((way == SUBSET || (way == TORN && e->op.kind != OP_WRITE)) && draw() % 2);
        if (whole)
            settle(n, e);
        else if (way == TORN)
            tear(n, e);
        if (seed > 1 && e->op.kind == OP_WRITE && e->op.at + e->op.bytes > n->size && draw() % 2)
            write_into(n, NULL, e->op.at + e->op.bytes, 0); /* the length, with zeros in it */
    }
}

static void cut_power(uint64_t seed)
{
    int journal = seed == 1 || draw() % 2;
    size_t prefix = seed == 1 ? change_count : draw() % (change_count + 1);
    for (size_t i = 0; seed && i < change_count; i++)
        if (journal ? i < prefix : draw() % 2)
            apply(&changes[i], 1);
    for (int i = 0; i < node_count; i++)
        cut_file(&nodes[i], seed);
}

static void put_file(const struct node *n, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        stop(path, strerror(errno));
    for (size_t at = 0; at < n->size;) {
        ssize_t wrote = write(fd, n->bytes + at, n->size - at);
        if (wrote <= 0)
            stop(path, strerror(errno));
        at += (size_t)wrote;
    }
    close(fd);
}

static void put_folder(const struct node *n, const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        stop(path, strerror(errno));
    for (size_t i = 0; i < n->kept.count; i++) {
        char inner[PATH];
        const struct entry *e = &n->kept.entries[i];
        if ((size_t)snprintf(inner, sizeof inner, "%s/%s", path, e->name) >= sizeof inner)
            stop(path, "too long");
        if (nodes[e->node].is_folder)
            put_folder(&nodes[e->node], inner);
        else if (access(inner, F_OK) != 0)
            put_file(&nodes[e->node], inner);
    }
}

static void list(void)
{
    static const char *const names[] = {
        [OP_ROOT] = "root",     [OP_CREATE] = "create", [OP_MKDIR] = "mkdir",
        [OP_WRITE] = "write",   [OP_SYNC] = "sync",     [OP_TRUNCATE] = "truncate",
        [OP_RENAME] = "rename", [OP_UNLINK] = "unlink", [OP_EXCHANGE] = "exchange",
        [OP_RMDIR] = "rmdir"};
    for (size_t i = 0; i < event_count; i++) {
        const struct fault_op *op = &events[i].op;
        printf("%zu %s%s inode %" PRIu64 " at %" PRIu64 " bytes %" PRIu64 " %s %s\n", i,
               names[op->kind], op->durable ? " (durable)" : "", op->ino, op->at, op->bytes,
               events[i].path, events[i].other);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 && argc != 3 && argc != 5) {
        fprintf(stderr, "usage: fault-replay RECORD [list | N SEED DIR]\n");
        return 2;
    }
    load(argv[1]);
    if (argc == 2)
        printf("%zu\n", event_count);
    if (argc == 3)
        list();
    if (argc == 5) {
        uint64_t n = strtoull(argv[2], NULL, 10), seed = strtoull(argv[3], NULL, 10);
        random_state = n * 1000003 + seed;
        if (n > event_count || n < 1)
            stop(argv[2], "no such operation");
        for (size_t i = 0; i < n; i++)
            play(i);
        cut_power(seed);
        put_folder(&nodes[0], argv[4]);
    }
    return 0;
}
