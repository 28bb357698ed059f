/* SPDX-License-Identifier: MIT */
/* Training set, validation set and the classes of the head (the original's SPLIT_IMAGES).
 *
 * ratio r > 0: in every class of n images, shuffled with the seed, split = floor(n (1 - r)) in
 * double, one less where that is n; the class is kept if split >= min_val and n - split >= 1; its
 * first `split` images train, the rest validate. r = 0: every image trains, every class is kept.
 * Labels count the kept classes in the store's order (class names sorted by bytes), so the head
 * means something only together with the class list: classes.tsv. */
#ifndef FN_TRAIN_SPLIT_H
#define FN_TRAIN_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"
#include "train/sampler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fn_split_options {
    double ratio; /* --validation_set_split_ratio, in [0, 1) */
    /* --min_nrof_val_images_per_class: compared with the training images of a class (the original's
     * name is misleading, its rule is kept) */
    double min_val;
    uint64_t seed;
    /* One byte for each record of the store, nonzero: left out before the split. NULL: none is.
     * A class without a record left is no class. */
    const uint8_t *dropped;
};

struct fn_split_class {
    uint32_t store_label; /* its label in the store */
    uint64_t train_first; /* its training examples are train.ids[train_first ...] */
    uint64_t train, val;  /* number of images */
};

struct fn_split {
    uint32_t classes;            /* kept: the number of logits */
    struct fn_split_class *kept; /* [classes], by new label */
    int32_t *new_label;          /* [classes of the store]: new label, or -1 */
    uint32_t val_classes;        /* classes with at least one validation image */
    struct fn_examples train;    /* ids and new labels, class by class */
    struct fn_examples val;
};

/* FN_EUSAGE: ratio or min_val out of range. FN_EFORMAT: nothing left to train on (no class kept, or
 * only classes without a training image), with the numbers. FN_ECORRUPT: from the store.
 * *out is the caller's; the store may be closed before it. */
int fn_split_open(struct fn_split **out, const struct fn_store *store,
                  const struct fn_split_options *options);
void fn_split_close(struct fn_split **split);

/* classes.tsv: a header, then "label TAB class TAB training images TAB validation images" a line,
 * by label. In a class name a backslash is written \\, a byte that is a control character or not
 * part of valid UTF-8 is written \xNN: any name comes back as it was. */
struct fn_class_list {
    uint32_t count;
    char **name;           /* [count] */
    uint64_t *train, *val; /* [count] */
};

/* The names are copied. */
int fn_class_list_of(struct fn_class_list **out, const struct fn_split *split,
                     const struct fn_store *store);
int fn_class_list_write(const struct fn_class_list *list, const char *path); /* atomic */
/* FN_EFORMAT with file:line: not such a file. */
int fn_class_list_read(struct fn_class_list **out, const char *path);
void fn_class_list_close(struct fn_class_list **list);

/* FN_OK: same classes, same numbers of images. FN_EMISMATCH names the first difference; `have` and
 * `want` say in it what the two lists are ("this run", "the checkpoint"). */
int fn_class_list_compare(const struct fn_class_list *a, const char *have,
                          const struct fn_class_list *b, const char *want);

#ifdef __cplusplus
}
#endif
#endif
