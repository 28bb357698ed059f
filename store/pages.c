/* SPDX-License-Identifier: MIT */
/* LMDB's page formats (data version 1, 8-byte page numbers), written from scratch for sealed
 * shards. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/format.h"
#include "store/pages.h"

enum page_flags { BRANCH = 1, LEAF = 2, OVERFLOW_PAGE = 4, META = 8 };

#define NO_PAGE UINT64_MAX

struct page_head {
    uint64_t number;
    uint16_t pad, flags;
    union {
        struct {
            uint16_t lower, upper; /* free space between them */
        } free;
        uint32_t pages; /* of an overflow run */
    } u;
};
static_assert(sizeof(struct page_head) == FN_PAGES_NODE_HEAD, "LMDB's page head");

struct tree_facts {
    uint32_t pad;
    uint16_t flags, depth;
    uint64_t branches, leaves, overflows, entries, root;
};
static_assert(sizeof(struct tree_facts) == 48, "LMDB's MDB_db");

struct meta {
    uint32_t magic, version;
    uint64_t address, map_bytes;
    struct tree_facts free_tree, main_tree;
    uint64_t last_page, transaction;
};
static_assert(sizeof(struct meta) == 136, "LMDB's MDB_meta");

struct leaf_node {
    uint32_t size;
    uint16_t flags, key_bytes;
    uint8_t key[8];
    uint8_t page[8];
};
static_assert(sizeof(struct leaf_node) == 24, "a leaf node with an 8-byte key and a page number");

#define NODE_BIG 1              /* the node holds the page number of its value */
#define PERSISTENT_FLAGS 0x4008 /* integer keys in the tree of free pages; MDB_NOSUBDIR */
#define LEAF_FANOUT 156u        /* (4096 - 16) / (24 + 2): what fits */
#define BRANCH_FANOUT 226u      /* 10 + 225 * 18 bytes of 4080 */

static void put_key(uint8_t key[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(value >> (56 - 8 * i));
}

static void page_start(uint8_t *page, uint64_t number, uint16_t flags, size_t nodes, size_t upper)
{
    struct page_head head = {.number = number, .flags = flags};
    head.u.free.lower = (uint16_t)(sizeof head + 2 * nodes);
    head.u.free.upper = (uint16_t)upper;
    memcpy(page, &head, sizeof head);
}

static void node_pointer(uint8_t *page, size_t i, size_t at)
{
    uint16_t pointer = (uint16_t)at;
    memcpy(page + sizeof(struct page_head) + 2 * i, &pointer, sizeof pointer);
}

/* One level of the tree under construction: its pages, and the first key below each. */
struct level {
    uint64_t first_page; /* page number of its first page */
    size_t pages;
    uint64_t *keys;
};

static void put_leaves(struct fn_pages *out, uint64_t first_key, const uint32_t *sizes, size_t n,
                       struct level *level)
{
    uint64_t value_page = 2;
    for (size_t i = 0; i < n; i++) {
        size_t slot = i % LEAF_FANOUT;
        uint8_t *page = out->tree + i / LEAF_FANOUT * FN_PAGE;
        size_t at = FN_PAGE - (slot + 1) * sizeof(struct leaf_node);
        struct leaf_node node = {.size = sizes[i], .flags = NODE_BIG, .key_bytes = sizeof node.key};
        put_key(node.key, first_key + i);
        memcpy(node.page, &value_page, sizeof node.page);
        memcpy(page + at, &node, sizeof node);
        node_pointer(page, slot, at);
        page_start(page, level->first_page + i / LEAF_FANOUT, LEAF, slot + 1, at);
        if (slot == 0)
            level->keys[i / LEAF_FANOUT] = first_key + i;
        value_page += (sizes[i] + FN_PAGES_NODE_HEAD) / FN_PAGE;
    }
}

/* Children of branch page `page` of `pages` over `below` children. LMDB wants at least two in each.
 */
static size_t branch_children(size_t page, size_t pages, size_t below)
{
    size_t rest = below - (pages - 1) * BRANCH_FANOUT;
    if (page + 1 == pages)
        return rest == 1 ? 2 : rest;
    if (page + 2 == pages && rest == 1)
        return BRANCH_FANOUT - 1;
    return BRANCH_FANOUT;
}

static void put_branches(uint8_t *at, const struct level *below, struct level *level)
{
    size_t child = 0;
    for (size_t p = 0; p < level->pages; p++, at += FN_PAGE) {
        size_t children = branch_children(p, level->pages, below->pages);
        size_t upper = FN_PAGE;
        level->keys[p] = below->keys[child];
        for (size_t i = 0; i < children; i++, child++) {
            uint16_t key_bytes = i ? 8 : 0; /* the first key of a branch is never looked at */
            uint64_t page = below->first_page + child;
            upper -= 8u + key_bytes;
            memcpy(at + upper, &page, 6); /* the low 48 bits; then the length of the key */
            memcpy(at + upper + 6, &key_bytes, sizeof key_bytes);
            if (key_bytes)
                put_key(at + upper + 8, below->keys[child]);
            node_pointer(at, i, upper);
        }
        page_start(at, level->first_page + p, BRANCH, children, upper);
    }
}

static void put_meta(uint8_t *page, uint64_t number, const struct meta *meta)
{
    struct page_head head = {.number = number, .flags = META};
    memcpy(page, &head, sizeof head);
    memcpy(page + sizeof head, meta, sizeof *meta);
}

static void put_metas(struct fn_pages *out, const struct tree_facts *tree)
{
    struct meta meta = {.magic = 0xbeefc0de, .version = 1, .map_bytes = out->file_bytes};
    meta.free_tree =
        (struct tree_facts){.pad = FN_PAGE, .flags = PERSISTENT_FLAGS, .root = NO_PAGE};
    meta.main_tree = (struct tree_facts){.root = NO_PAGE};
    meta.last_page = 1;
    put_meta(out->head, 0, &meta);
    meta.main_tree = *tree;
    meta.last_page = out->file_bytes / FN_PAGE - 1;
    meta.transaction = 1; /* the newer of the two: the one that counts */
    put_meta(out->head + FN_PAGE, 1, &meta);
}

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* Pages of the tree, and its facts but for root and overflow pages. */
static size_t count_tree(size_t n, struct tree_facts *tree)
{
    size_t pages = ceil_div(n, LEAF_FANOUT);
    tree->leaves = pages;
    tree->depth = 1;
    tree->entries = n;
    size_t total = pages;
    while (pages > 1) {
        pages = ceil_div(pages, BRANCH_FANOUT);
        tree->branches += pages;
        tree->depth++;
        total += pages;
    }
    return total;
}

int fn_pages_plan(struct fn_pages *pages, uint64_t first_key, const uint32_t *sizes, size_t n)
{
    *pages = (struct fn_pages){0};
    struct tree_facts tree = {0};
    size_t count = count_tree(n, &tree);
    for (size_t i = 0; i < n; i++) {
        if (sizes[i] < FN_VALUE_MIN || (sizes[i] + (uint64_t)FN_PAGES_NODE_HEAD) % FN_PAGE)
            return fn_fail(FN_ECORRUPT, "the value of group %llu has a length of %u bytes",
                           (unsigned long long)(first_key + i), sizes[i]);
        tree.overflows += (sizes[i] + FN_PAGES_NODE_HEAD) / FN_PAGE;
    }
    pages->tree_at = (2 + tree.overflows) * FN_PAGE;
    pages->tree_bytes = (uint64_t)count * FN_PAGE;
    pages->file_bytes = pages->tree_at + pages->tree_bytes;
    tree.root = pages->file_bytes / FN_PAGE - 1;
    pages->head = calloc(1, FN_PAGES_HEAD);
    pages->tree = calloc(count, FN_PAGE);
    uint64_t *keys = malloc(tree.leaves * sizeof *keys);
    if (!pages->head || !pages->tree || !keys) {
        free(keys);
        return fn_fail(FN_ENOMEM, "no memory for %zu tree pages of a shard", count);
    }
    put_metas(pages, &tree);
    struct level below = {pages->tree_at / FN_PAGE, tree.leaves, keys};
    put_leaves(pages, first_key, sizes, n, &below);
    while (below.pages >
           1) { /* keys are replaced in place: level p's is below's p-th or a later one */
        struct level level = {below.first_page + below.pages, ceil_div(below.pages, BRANCH_FANOUT),
                              keys};
        put_branches(pages->tree + level.first_page * FN_PAGE - pages->tree_at, &below, &level);
        below = level;
    }
    free(keys);
    return FN_OK;
}

void fn_pages_free(struct fn_pages *pages)
{
    free(pages->head);
    free(pages->tree);
    *pages = (struct fn_pages){0};
}

void fn_pages_value_head(uint8_t out[FN_PAGES_NODE_HEAD], uint64_t page, uint32_t size)
{
    struct page_head head = {.number = page, .flags = OVERFLOW_PAGE};
    head.u.pages = (size + FN_PAGES_NODE_HEAD) / FN_PAGE;
    memcpy(out, &head, sizeof head);
}

int fn_pages_sizes(const uint8_t *tree, uint64_t tree_bytes, uint32_t *sizes, size_t n)
{
    if (tree_bytes / FN_PAGE < ceil_div(n, LEAF_FANOUT))
        return fn_fail(FN_ECORRUPT, "%llu bytes of tree pages for %zu groups",
                       (unsigned long long)tree_bytes, n);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *page = tree + i / LEAF_FANOUT * FN_PAGE;
        size_t at = FN_PAGE - (i % LEAF_FANOUT + 1) * sizeof(struct leaf_node);
        memcpy(&sizes[i], page + at, sizeof sizes[i]);
    }
    return FN_OK;
}
