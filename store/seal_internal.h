/* SPDX-License-Identifier: MIT */
/* Sealing, step by step:
 *
 *     fn_seal_shard    each shard: checked, its tree added, its facts to build/shard-N.part
 *     fn_select        who is live, which classes there are (sorting by class and name, and by
 *                      pixels if that was asked for: conflicts.tsv)
 *     fn_seal_index    ids, labels, members (sorting by position, then by label): index.bin
 *     fn_seal_rejects  all rejects in input order: rejects.tsv
 *     then the manifest, and the build folder goes
 *
 * Each step is done from what the one before left on the disk, and is simply done again when it was
 * interrupted; shards that have their sealed form keep it. Memory: three sorts at most, at
 * FN_SEAL_MEMORY each. */
#ifndef FN_STORE_SEAL_INTERNAL_H
#define FN_STORE_SEAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "store/manifest.h"
#include "store/part.h"
#include "store/sort.h"

#define FN_SEAL_MEMORY ((size_t)48 << 20) /* bytes, of each sort */

/* FN_EINTERRUPTED when a signal asked to stop. */
int fn_seal_pause(const char *store);

/* Give a shard that grows no more its sealed form and name; nothing to do if that was done before.
 * keep: leave its journal (it still counts). stop: nonzero ends it like a signal; may be
 * NULL. */
int fn_seal_shard(const char *store, uint64_t shard, int keep, const atomic_int *stop);

/* Shards behind the one that grows are sealed while rows still come, by a thread of its own, one at
 * a time, so that little is left to do in the end. Called by the writer's thread only. */
struct fn_ahead {
    pthread_t thread;
    int running, off;
    atomic_int done, stop;
    const char *store;
    uint64_t shard; /* being sealed, or the next to be */
    struct fn_err_note note;
};
/* The shards before `growing` may be sealed: start on the next one, if none is under way. Returns
 * what went wrong with the last. */
int fn_ahead_go_on(struct fn_ahead *ahead, const char *store, uint64_t growing);
/* Wait for the one under way; stop: give it up. */
int fn_ahead_end(struct fn_ahead *ahead, int stop);

/* What became of a stored record. */
enum fn_fate { FN_FATE_LIVE = 0, FN_FATE_DUPLICATE, FN_FATE_COLLISION, FN_FATE_SAME_PIXELS };

/* What was asked for. */
struct fn_choice {
    uint64_t min_images, max_per_class; /* 0: all */
    int dedupe_pixels;
    uint64_t lost_somewhere;
    struct fn_bytes lost; /* fn_writer_lost: u64 count, class name, NUL, and again */
};

struct fn_selection {
    struct fn_sort *fates;   /* by position: position (8), class number (4), fate (1) */
    struct fn_sort *rejects; /* by input and line: those two keys, then a packed reject */
    uint32_t *label;         /* of a class number; FN_NO_LABEL: the class is too small */
    /* Of all classes by their numbers while they are found, of those that stay by label then. */
    uint64_t *members; /* live records */
    size_t classes, member_cap;
    struct fn_bytes names; /* each with a NUL */
    uint64_t live, duplicates, collisions, small;
    uint64_t surplus;     /* records of their class behind the first max_per_class */
    uint64_t same_pixels; /* records whose picture is in their class already */
    uint64_t conflicts;   /* lines of conflicts.tsv */
    struct fn_manifest_file conflicts_file;
};
#define FN_NO_LABEL UINT32_MAX

/* folder: for temporaries. parts: of all shards. The sorts are started. */
int fn_select(struct fn_selection *selection, const char *store, struct fn_part *parts,
              size_t part_count, const struct fn_choice *choice);
void fn_selection_free(struct fn_selection *selection);
/* Note what becomes of the record at a position (its key), in the class of that number. */
int fn_selection_put(struct fn_selection *selection, const uint8_t position[8],
                     uint32_t class_number, enum fn_fate fate);

/* Equal pictures. */
struct fn_picture {
    uint64_t pixels;
    uint32_t class_number, input;
    uint8_t position[8];
    uint64_t line, offset;
    const uint8_t *names; /* class NUL record NUL */
    size_t names_bytes;
};
int fn_dedupe_add(struct fn_sort *pictures, const struct fn_picture *picture);
/* After the last: decide them all, take those that go from `members`, write conflicts.tsv. */
int fn_dedupe(struct fn_selection *selection, const char *store, struct fn_sort *pictures);

/* Write index.bin; fills the manifest's index and picture numbers. */
int fn_seal_index(const char *store, struct fn_part *parts, size_t part_count,
                  struct fn_selection *selection, struct fn_manifest *manifest);
/* Write rejects.tsv; fills the manifest's rejects and reasons. */
int fn_seal_rejects(const char *store, struct fn_selection *selection,
                    struct fn_manifest *manifest);

#ifdef __cplusplus
}
#endif
#endif
