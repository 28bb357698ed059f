/* SPDX-License-Identifier: MIT */
/* The unit of work: a chunk of consecutive rows or files on its way from the reader over a worker
 * to the writer. Chunks are made once and go round; their buffers are reused. An ordinary chunk
 * holds FN_CHUNK_BYTES; one that a long row made larger draws on a budget that all chunks share and
 * gives it back when written, so that memory is bounded whatever the input.
 *
 * A chunk belongs to one stage at a time. The budget has a lock of its own, taken for long rows
 * only. */
#ifndef FN_INGEST_CHUNK_H
#define FN_INGEST_CHUNK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/image.h"
#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FN_CHUNK_BYTES ((size_t)256 << 10) /* some twenty faces: ten milliseconds of work */
#define FN_CHUNK_ITEMS 1024

enum fn_item_kind {
    FN_ITEM_TODO = 0, /* as read */
    FN_ITEM_RECORD,
    FN_ITEM_REJECT,
    FN_ITEM_SKIPPED,
    FN_ITEM_FILTERED
};

/* A row or file. Offsets are into the chunk's buffers, which move when they grow. */
struct fn_item {
    struct fn_position pos;
    size_t at, bytes; /* the row in chunk->in, line end included; of a file: unused */
    uint64_t note;    /* of the input's type: from its read() to its names() */
    enum fn_item_kind kind;
    int reason;                              /* of a reject */
    int codec, w, h;                         /* of a record */
    uint64_t pixels;                         /* of a record: their hash, or 0 */
    int warnings;                            /* of a record: the decoder's */
    size_t text_at, class_bytes, name_bytes; /* in chunk->out: class, then name */
    size_t detail_bytes;                     /* of a reject: the detail, at text_at */
    size_t payload_at, payload_bytes;        /* in chunk->out */
};

struct fn_chunk {
    const struct fn_input *input; /* that filled it */
    struct fn_bytes in;           /* bytes as read */
    struct fn_bytes out;          /* names, details and payloads */
    struct fn_item *items;        /* FN_CHUNK_ITEMS */
    size_t count;
    uint64_t in_bytes; /* bytes of rows or files in it, for the rate */
    double done;       /* share of its input read when it was filled, 0..1 */
    size_t drawn;      /* bytes drawn from the budget */
};

struct fn_budget {
    pthread_mutex_t lock;
    pthread_cond_t more;
    size_t left;
    int stopped;
};
int fn_budget_open(struct fn_budget *budget, size_t bytes);
void fn_budget_close(struct fn_budget *budget);
/* Nobody waits any more, and whoever would gets FN_EINTERNAL: the run is over. */
void fn_budget_stop(struct fn_budget *budget);

int fn_chunk_open(struct fn_chunk **chunk);
void fn_chunk_close(struct fn_chunk **chunk);
/* Make room for `cap` bytes in chunk->in, drawing on the budget what exceeds FN_CHUNK_BYTES,
 * waiting for it if need be. Called by the reader only, for the one chunk it fills. */
int fn_chunk_grow(struct fn_chunk *chunk, struct fn_budget *budget, size_t cap);
/* Empty it for the next round; large buffers are freed and the budget gets its bytes back. */
void fn_chunk_reset(struct fn_chunk *chunk, struct fn_budget *budget);

/* Append to chunk->out; *at: where it stands. */
int fn_chunk_put(struct fn_chunk *chunk, const void *data, size_t bytes, size_t *at);
/* The next item, zeroed but for its position and size; NULL: the chunk is full. */
struct fn_item *fn_chunk_item(struct fn_chunk *chunk);

#ifdef __cplusplus
}
#endif
#endif
