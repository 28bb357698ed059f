/* SPDX-License-Identifier: MIT */
/* What fn-embed was asked to embed: a store, or picture files and trees, as one numbered list. */
#ifndef FN_TRAIN_EMBED_INPUTS_H
#define FN_TRAIN_EMBED_INPUTS_H

#include <stddef.h>
#include <stdint.h>

#include "train/source.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_embed_inputs {
    struct fn_source *source;
    uint64_t count; /* ids 0 .. count - 1 */
    /* private */
    struct fn_store *store;
    struct fn_reader *reader;
    struct fn_boxes *boxes;
    char **paths;
    size_t cap;
};

/* Either store, or `count` operands: a picture file; a folder of class folders; a folder of
 * pictures. boxes (or NULL) is the aligner's file. FN_ENOENT: nothing there. On failure everything
 * is closed. */
int fn_embed_inputs_open(struct fn_embed_inputs *inputs, const char *store,
                         const char *const *operands, size_t count, const char *boxes, int size);
void fn_embed_inputs_close(struct fn_embed_inputs *inputs);

/* A number for the class of each id, 0 .. *classes - 1: the store's label, or folders by name.
 * *labels is malloc'd. */
int fn_embed_inputs_labels(struct fn_embed_inputs *inputs, uint32_t **labels, uint32_t *classes);

/* Class and name of an id, not terminated, valid until the next call: of a record, or the last
 * folder and the file's name without its ending. */
struct fn_input_name {
    const char *class_name, *name;
    size_t class_bytes, name_bytes;
};
int fn_embed_inputs_name(struct fn_embed_inputs *inputs, uint64_t id, struct fn_input_name *name);

#ifdef __cplusplus
}
#endif
#endif
