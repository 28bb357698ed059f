/* SPDX-License-Identifier: MIT */
/* Looking into a store that is not sealed yet: how far it is, what was rejected. Changes nothing.
 */
#ifndef FN_STORE_LOOK_H
#define FN_STORE_LOOK_H

#include <stdint.h>

#include "store/writer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 1: the folder holds a store under construction. */
int fn_is_unsealed(const char *store);

struct fn_look;
struct fn_look_info {
    struct fn_writer_counts counts;
    struct fn_position position; /* of the last committed row; line 0: none yet */
    uint64_t shards;             /* begun */
    uint64_t disk_bytes;         /* of all files so far */
    int ended;                   /* 1: all rows were read; sealing was interrupted */
    int size, quality;
    const char *codec;
    const char *command; /* what finishes it */
};
/* FN_EBUSY: it is being written just now. */
int fn_look_open(struct fn_look **look, const char *store);
void fn_look_close(struct fn_look **look);
const struct fn_look_info *fn_look_get_info(const struct fn_look *look);

struct fn_reject;
/* Every reject committed so far, in input order. visit's code other than FN_OK ends it. */
int fn_look_rejects(struct fn_look *look, void *context,
                    int (*visit)(void *context, const struct fn_reject *reject));

#ifdef __cplusplus
}
#endif
#endif
